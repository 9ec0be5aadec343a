"""Named formats, strings of the user, detection, and what lines are rejected for."""

from __future__ import annotations

import pytest

from detector.errors import FormatError, UsageError
from detector.formats import (
    PRESETS,
    detect,
    fields,
    json_kernel,
    jsonlines,
    load,
    prefix,
    prefix_kernel,
    stamp_kernel,
    text,
    text_kernel,
    value_kernel,
    variables,
)
from detector.formats.fields import FIELD, FIELDS, MAX_LINE_BYTES, REASON, REASONS, Fields
from detector.formats.presets import Format, aliases
from tests.format_lines import PLAIN, parsed, scan

COMBINED = b'1.2.3.4 - - [14/Oct/2022:09:55:53 +0200] "GET /users/1 HTTP/1.1" 200 10 "-" "agent"'


def one(format: Format, line: bytes) -> tuple[str, dict[str, bytes], Fields]:
    """Reason, values and columns of one line."""
    fields, buffer = scan(format, [line])
    row = parsed(fields, buffer, 0)
    return row.reason, row.values, fields


def test_kernels_speak_of_the_same_numbers() -> None:
    """Codes written down twice, in a table and in a kernel, are equal."""
    for code, name in enumerate(REASONS):
        assert getattr(value_kernel, "OK" if name == "ok" else name.upper()) == code
    assert value_kernel.MAX_LINE_BYTES == MAX_LINE_BYTES
    assert (FIELD["forwarded"], FIELD["method"]) == (value_kernel.FORWARDED, value_kernel.METHOD)
    assert (FIELD["address"], FIELD["target"]) == (json_kernel.ADDRESS_FIELD, json_kernel.TARGET_FIELD)
    kinds = ("HEAD", "SPAN", "REQUEST", "ADDRESSES", "END", "REQUEST_URL")
    for name in (*kinds, "WORD", "QUOTED", "FREE", "REST", "CELL"):
        assert getattr(text_kernel, name) == getattr(variables, name)
    for name in ("TIME_CLF", "TIME_ISO", "TIME_EPOCH", "TIME_LOCAL", "TIME_US", "DAY", "CLOCK", "TIME_ANY"):
        assert getattr(stamp_kernel, name) == getattr(variables, name)
    assert (fields.ZONELESS, prefix.PREFIXES) == (value_kernel.ZONELESS, {"syslog": 0, "cri": 1})
    assert (prefix_kernel.SYSLOG, prefix_kernel.CRI, FIELD["host"]) == (0, 1, value_kernel.HOST)
    assert (stamp_kernel.CELLS, json_kernel.JUMPS) == (text.CELLS, jsonlines.JUMPS)
    for name in ("STATUS", "BYTES", "ROWS", "ADDRESS"):
        assert getattr(text_kernel, f"{name}_OP") == getattr(variables, name)
    for name in ("NONE", "TEXT", "MOMENT", "STATUS_KEY", "BYTES_KEY", "ROWS_KEY", "REQUEST_KEY", "URL_KEY", "PAIRS"):
        assert getattr(json_kernel, name) == getattr(jsonlines, name)
    assert len(FIELDS) <= json_kernel.TIME_RANK


def test_names_and_aliases() -> None:
    """A preset is found by its name in any case and by the names GoAccess gives it."""
    assert load("Combined").name == "combined"
    assert [load(n).name for n in ("COMBINED", "VCOMBINED", "COMMON", "VCOMMON", "TRAEFIKCLF", "CADDY")] == [
        "combined", "vhost_combined", "common", "vhost_common", "traefik_clf", "caddy",
    ]  # fmt: skip
    assert [load(n).name for n in ("W3C", "CLOUDFRONT", "CLOUDSTORAGE", "AWSELB", "AWSALB", "AWSS3", "SQUID")] == [
        "w3c", "cloudfront", "gcp_storage", "aws_elb", "aws_alb", "aws_s3", "squid",
    ]  # fmt: skip
    assert load("traefik-json").name == "traefik_json"
    assert not set(aliases()) & set(PRESETS)


def test_an_unknown_name_lists_the_known() -> None:
    """The message names what was asked for, escaped, and every preset."""
    with pytest.raises(UsageError, match=r"'no\\x1bsuch'.*combined.*traefik_clf"):
        load("no\x1bsuch")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("$remote_addr $ x", 13, "name"),
        ("$remote_addr$remote_user [$time_local] $request", 12, "between two"),
        ("$remote_addr $request", 0, "moment"),
        ("$remote_addr [$time_local]", 0, "request"),
        ("%h %Z", 3, "no directive"),
        ("%h %", 3, "directive"),
        ("%h %{%c}t %r", 3, "time"),
    ],
)
def test_a_wrong_string_gets_a_caret(text: str, place: int, message: str) -> None:
    """A string that cannot be compiled is refused, with a caret under the place."""
    with pytest.raises(FormatError, match=message) as failure:
        load(text)
    assert failure.value.place == place
    assert str(failure.value).endswith(" " * (place + 2) + "^")


def test_strings_as_they_stand_in_the_configuration() -> None:
    """Whole directives, quoted in pieces or escaped, mean the layout inside them."""
    pieces = "log_format api '$remote_addr - $remote_user [$time_local] \"$request\" '\n  '$status $body_bytes_sent';"
    assert one(load(pieces), COMBINED.replace(b' "-" "agent"', b""))[0] == "ok"
    apache = 'LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-agent}i\\"" combined'
    assert one(load(apache), COMBINED)[1] == one(load("combined"), COMBINED)[1]


def test_fields_of_a_string() -> None:
    """Identity, session, rows and the target with its query are found where the string puts them."""
    text = '$http_x_api_key $cookie_sid $msec $host$uri$is_args$args $status "$http_authorization" '
    format = load(text + "$sent_http_x_record_count")
    reason, values, fields = one(format, b'k1 s1 1700000000.250 a.example/x?y=1 200 "Bearer secret" 25')
    assert reason == "ok"
    assert values == {"key": b"k1", "session": b"s1", "host": b"a.example", "target": b"/x?y=1"}
    assert (fields.time_us[0], fields.rows[0]) == (1_700_000_000_250_000, 25)


def test_the_more_precise_moment_counts() -> None:
    """Where a line has two moments, the one with fractions is kept."""
    format = load("$remote_addr [$time_local] $request_uri $msec")
    assert one(format, b"1.2.3.4 [14/Oct/2022:09:55:53 +0200] /a 1700000000.250")[2].time_us[0] == 1_700_000_000_250_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (COMBINED, "ok"),
        (COMBINED + b"\r", "ok"),
        (COMBINED[:-1], "ok"),
        (b"", "empty"),
        (b" \t \r", "empty"),
        (COMBINED[:60], "torn"),
        (b' "curl/7.54.0"', "address"),
        (COMBINED.replace(b"Oct", b"Okt"), "time"),
        (COMBINED.replace(b"14/Oct/2022", b"30/Feb/2022"), "time"),
        (COMBINED.replace(b"2022", b"2100"), "time"),
        (COMBINED.replace(b" 200 ", b" 2000 "), "status"),
        (COMBINED.replace(b" 200 ", "²00 ".encode()), "layout"),
        (COMBINED.replace(b" 10 ", b" 1e9 "), "bytes"),
        (COMBINED.replace(b" 10 ", b" " + b"9" * 19 + b" "), "bytes"),
        (COMBINED.replace(b"users", b"us\0ers"), "binary"),
        (COMBINED.replace(b"agent", b"a" * MAX_LINE_BYTES), "too_long"),
        (COMBINED.replace(b"1.2.3.4", b"2001:db8::1"), "ok"),
        (COMBINED.replace(b"agent", b"\xff\xfe\xe2\x80\xa8\x85"), "ok"),
        (COMBINED.replace(b" 10 ", b" - "), "ok"),
    ],
)  # fmt: skip
def test_bad_lines_have_a_reason(line: bytes, reason: str) -> None:
    """What is no line of the format is rejected under a name, what is odd but whole is taken."""
    assert one(load("combined"), line)[0] == reason


def test_an_unclosed_agent_is_torn_but_taken() -> None:
    """A line that ends inside its last quoted field counts as torn and keeps what it has."""
    reason, values, fields = one(load("combined"), COMBINED[:-3])
    assert (reason, fields.torn[0], values["agent"]) == ("ok", 1, b"age")


def test_a_field_more_before_the_agent() -> None:
    """An extra empty field before the agent does not hide the agent."""
    assert one(load("combined"), COMBINED.replace(b'"agent"', b'"-" "agent"'))[1]["agent"] == b"agent"


@pytest.mark.parametrize("line", [b'"-"', b'""', b'"\\x16\\x03\\x01"', b'"HELP"', b'"GET"', b'"get / HTTP/1.1"'])
def test_malformed_requests_are_taken(line: bytes) -> None:
    """What is no request line has no method; its text is the target."""
    reason, values, _ = one(load("combined"), COMBINED.replace(b'"GET /users/1 HTTP/1.1"', line))
    assert reason == "ok"
    assert "method" not in values
    assert values.get("target", b"-") in (line[1:-1], b"-")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "json"),
        (b"[1]", "json"),
        (b"{}", "layout"),
        (b'{"ts":1693840791,"request":{"uri":"/a"}}', "address"),
        (b'{"ts":"x","request":{"uri":"/a","client_ip":"1.2.3.4"}}', "time"),
        (b'{"ts":1e999,"request":{"uri":"/a","client_ip":"1.2.3.4"}}', "time"),
        (b'{"ts":NaN}', "json"),
        (b'{"ts":1,"ts":2}', "json"),
        (b'{"request":{"client_ip":"1.2.3.4"},"request":{"client_ip":"6.6.6.6"}}', "json"),
        (b'{"\\u0074s":1,"ts":2}', "json"),
        (b'{"a":1,}', "json"),
        (b'{"a":01}', "json"),
        (b'{"a":"\t"}', "json"),
        (b'{"a":"\\x"}', "json"),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "json"),
        (b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", "layout"),
        (b'{"a":' + b"[" * 60_000, "json"),
        (b'{"a":"b', "torn"),
        (b'{"a":1} x', "json"),
        (b'{"a":"\0"}', "binary"),
    ],
)
def test_bad_json_has_a_reason(line: bytes, reason: str) -> None:
    """Broken, deep, doubled or strange JSON is rejected under a name."""
    assert one(load("caddy"), line)[0] == reason


def test_json_strings_are_unescaped() -> None:
    """Escapes become UTF-8, half a surrogate pair becomes U+FFFD, numbers may be quoted."""
    line = (
        b'{"ts":"1693840791.5","status":"200","request":{"uri":"\\/\\u00e9\\ud83d\\ude00\\ud800x","client_ip":"::1"}}'
    )
    _, values, fields = one(load("caddy"), line)
    assert values["target"] == "/é😀\ufffdx".encode()
    assert (fields.status[0], fields.time_us[0]) == (200, 1_693_840_791_500_000)


@pytest.mark.parametrize("name", PRESETS)
def test_detection(name: str) -> None:
    """Every preset is found from its own lines, torn ones and blank ones among them."""
    found = detect([PLAIN[name]] * 8 + [b"", PLAIN[name][:20]])
    assert found.format is not None
    assert found.format.name == name
    assert found.closest == name


def test_no_log_at_all() -> None:
    """Of what is no access log no format is claimed; the rates say so."""
    found = detect([b"2022/10/14 09:55:53 [error] 12#12: *1 open() failed"] * 5)
    assert found.format is None
    assert set(found.rates.values()) == {0.0}
    assert detect([]).closest is None


def test_reasons_fit_the_columns() -> None:
    """A rejected line has no field; its reason is one of the list."""
    fields, _ = scan(load("combined"), [b"x", b"", COMBINED])
    assert [REASONS[r] for r in fields.reason] == ["torn", "empty", "ok"]
    assert (fields.span[:2, :, 1] == -1).all()
    assert REASON["ok"] == 0
