"""Headers, zones, prefixes, documents of many records, Parquet and mixed files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector import replay
from detector.config import Config, ReplaySettings
from detector.engines.inspecting import inspect, sample_file
from detector.engines.local import replay as replay_files
from detector.engines.reading import Reader, ReadSettings
from detector.errors import FormatError, UsageError
from detector.formats import detect, load
from detector.formats.envelope import Envelope, detect_envelope
from detector.formats.presets import Format
from detector.formats.reference import Parsed
from detector.formats.reference_json import parse
from detector.formats.zone import Zone
from detector.records.resolve import Resolver
from detector.sources.files import discover
from tests.envelopes import chunk_of, records
from tests.format_lines import PLAIN, parsed, scan

FIELDS = b"#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status sc-bytes cs(User-Agent)"
ROW = b"2026-03-04 05:06:07 192.0.2.7 GET /users/7 a=b 200 12 Mozilla/5.0+(X)"


def one(format: Format, line: bytes) -> Parsed:
    """A line as the kernel reads it, which is as the reference does."""
    row = parsed(*scan(format, [line]), 0)
    assert row == parse(format, line)
    return row


def file_lines(path: Path) -> list[bytes]:
    """The lines of a file as a replay gets them, without blanks around."""
    lines = []
    for chunk in discover([path])[0].chunks(1024):
        for start, length in zip(chunk.starts.tolist(), chunk.lengths.tolist(), strict=True):
            lines.append(chunk.buffer[start : start + length].tobytes().strip())
    return [line for line in lines if line]


def test_a_header_in_the_file() -> None:
    """A W3C log is read by its own header, wherever it stands among the first lines; its words are comments."""
    found = detect([b"#Software: x", b"#Version: 1.0", FIELDS, ROW, ROW])
    assert found.format is not None
    assert found.format.name == FIELDS.decode()
    row = one(found.format, ROW)
    assert (row.values["address"], row.values["query"], row.values["agent"]) == (
        b"192.0.2.7",
        b"a=b",
        b"Mozilla/5.0 (X)",
    )
    assert one(found.format, FIELDS).reason == "comment"
    assert one(load(found.format.name), ROW) == row


def test_two_headers_in_one_file() -> None:
    """A server that was told to write other fields changes its header; lines of both are read."""
    other = FIELDS.replace(b" sc-bytes", b"")
    found = detect([FIELDS, ROW, other, ROW.replace(b" 12", b"")])
    assert found.format is not None
    assert [one(found.format, line).status for line in (ROW, ROW.replace(b" 12", b""))] == [200, 200]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("csv:timestamp,ip,method,path,status,agent",
         b'"2026-03-04 05:06:07",192.0.2.7,GET,"/a?b=1,2",200.0,"x ""y"", z"'),
        ("csv;:timestamp;ip;method;path;status;agent", b'1772600767;192.0.2.7;GET;/a?b=1,2;200;"x ""y"", z"'),
        ("csv\t:Timestamp\tClient IP\tMethod\tURL\tStatus\tUser-Agent",
         b'1772600767000\t192.0.2.7\tGET\thttps://h/a?b=1,2\t200\t"x ""y"", z"'),
    ],
)  # fmt: skip
def test_tables_with_names(header: str, line: bytes) -> None:
    """Columns are known by their names, whatever parts them; quotes may hold the separator."""
    row = one(load(header), line)
    assert (row.reason, row.time_us, row.status) == ("ok", 1_772_600_767_000_000, 200)
    assert (row.values["target"], row.values["agent"], row.values["method"]) == (b"/a?b=1,2", b'x ""y"", z', b"GET")
    first = header.partition(":")[2].encode()
    found = detect([first, line, line])
    assert found.format is not None
    assert found.format.name == header


def test_a_table_without_a_time_is_refused() -> None:
    """A header that says neither when nor what is no format."""
    with pytest.raises(FormatError, match="moment"):
        load("csv:ip,path")
    with pytest.raises(FormatError, match="day"):
        load("#Fields: time c-ip cs-uri-stem")


def test_zones() -> None:
    """Local time without a zone is of the zone given, over both changes of the clock; a zone told is believed."""
    zone = Zone("Europe/Berlin")
    local = np.array(
        ["2026-03-29T01:59:59", "2026-03-29T03:00:00", "2026-10-25T01:59:59", "2026-10-25T03:00:00"], "M8[us]"
    )
    utc = np.array(
        ["2026-03-29T00:59:59", "2026-03-29T01:00:00", "2026-10-24T23:59:59", "2026-10-25T02:00:00"], "M8[us]"
    )
    assert zone.utc(local.astype(np.int64)).astype("M8[us]").tolist() == utc.tolist()
    plain, berlin = load("haproxy"), load("haproxy@Europe/Berlin")
    assert berlin.name == "haproxy@Europe/Berlin"
    assert one(plain, PLAIN["haproxy"]).time_us - one(berlin, PLAIN["haproxy"]).time_us == 2 * 3_600_000_000
    line = b'{"time":"2026-07-01T12:00:00","remote_addr":"1.2.3.4","uri":"/a"}'
    assert one(load("nginx_json"), line).time_us - one(load("json@Europe/Berlin"), line).time_us == 2 * 3_600_000_000
    told = line.replace(b"00:00", b"00:00Z")
    assert one(load("nginx_json"), told).time_us == one(load("json@Europe/Berlin"), told).time_us
    with pytest.raises(UsageError, match="Europe/Berlin"):
        load("haproxy@No/Where")


PREFIXES = {
    "syslog": [
        b"Apr  4 14:30:19 hap-1 haproxy[3946303]: ",
        b"<134>Apr 24 14:30:19 host nginx: ",
        b"<134>1 2026-03-04T05:06:07.5Z host app 12 id - ",
        b'<134>1 2026-03-04T05:06:07+01:00 host app - - [a@1 b="x\\"] y"][c] \xef\xbb\xbf',
        b"2026-03-04T05:06:07.123456+01:00 host nginx[1]: ",
    ],
    "cri": [b"2026-03-04T05:06:07.123456789Z stdout F ", b"2026-03-04T05:06:07+01:00 stderr P "],
}


@pytest.mark.parametrize("inner", ["haproxy", "combined", "nginx_json", "envoy_text"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes(prefix: str, inner: str) -> None:
    """A line behind syslog's or CRI's words reads as the line alone, and both are found out."""
    format = load(f"{prefix}+{inner}")
    for words in PREFIXES[prefix]:
        assert one(format, words + PLAIN[inner]) == one(load(inner), PLAIN[inner]), words
        found = detect([words + PLAIN[inner]] * 3)
        assert found.format is not None
        assert found.format.name == f"{prefix}+{inner}"


@pytest.mark.parametrize("cut", range(0, 90, 3))
def test_torn_prefixes(cut: int) -> None:
    """A prefix that is none or torn leaves the line as it is, as the reference says."""
    for prefix, words in PREFIXES.items():
        for word in words:
            one(load(f"{prefix}+combined"), (word + PLAIN["combined"])[: len(word) + 5 - cut])
            one(load(f"{prefix}+combined"), word[cut % 7 :] + PLAIN["combined"])


CLOUDTRAIL = json.loads(PLAIN["aws_cloudtrail"])
SPAN = json.loads(PLAIN["otel"])
OTLP = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": [SPAN, SPAN]}]}] * 2}
DOCUMENTS = {
    "aws_cloudtrail": ({"Records": [CLOUDTRAIL] * 4}, CLOUDTRAIL),
    "azure_app_gateway": (
        {"records": [json.loads(PLAIN["azure_app_gateway"])] * 4},
        json.loads(PLAIN["azure_app_gateway"]),
    ),
    "kong": ([json.loads(PLAIN["kong"])] * 4, json.loads(PLAIN["kong"])),
    "otel": (OTLP, SPAN),
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_in_files(name: str, indent: int | None, tmp_path: Path) -> None:
    """A file that is one JSON document of many records gives them one by one, pretty-printed or not."""
    document, record = DOCUMENTS[name]
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document, indent=indent))
    lines = file_lines(path)
    assert [json.loads(line) for line in lines] == [record] * 4
    assert detect(lines).closest == name


@pytest.mark.parametrize("name", ["aws_cloudtrail", "azure_app_gateway", "otel"])
def test_documents_in_messages(name: str) -> None:
    """The same as messages: each gives its records, and the envelope is found out."""
    document, record = DOCUMENTS[name]
    message = json.dumps(document).encode()
    assert [json.loads(text) for text in records(Envelope.named("records"), [message])[0]] == [record] * 4
    envelope, found = detect_envelope([message] * 3)
    assert (envelope.name, found.closest) == ("records", name)
    torn = Envelope.named("records").open(chunk_of([message[:-3], b"{}", b"x"]))
    assert torn.lengths.tolist() == [len(message) - 3, 2, 1]


def test_strings_open_nothing(tmp_path: Path) -> None:
    """Brackets, names and quotes inside a record's strings make no record."""
    record = {**CLOUDTRAIL, "userAgent": 'x"},{"Records":[{"a":1}]} \\" ] }', "spans": [{"a": {}}]}
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"Records": [record, record]}))
    assert [json.loads(line) for line in file_lines(path)] == [record, record]
    message = json.dumps({"Records": [record, record]}).encode()
    assert [json.loads(text) for text in records(Envelope.named("records"), [message])[0]] == [record, record]


def test_parquet(tmp_path: Path) -> None:
    """Columns of a Parquet file are known by their names; objects are opened, line feeds make no second record."""
    times = np.array(["2026-03-04T05:06:07", "2026-03-04T05:06:08"], "M8[us]")
    table = pa.table(
        {
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
            "client_ip": ["192.0.2.7", "192.0.2.8"],
            "request": [{"method": "GET", "path": "/a/7"}, {"method": "GET", "path": "/a/8"}],
            "path": ["/a/7", "/a/8"],
            "status": [200.0, None],
            "user_agent": ["x\ny", 'a"b'],
            "tags": [["a"], ["b"]],
        }
    )
    path = tmp_path / "x.parquet"
    pq.write_table(table, path)
    lines = file_lines(path)
    assert len(lines) == 3
    found = detect(lines)
    assert found.format is not None
    row = one(found.format, lines[1])
    assert (row.reason, row.values["target"], row.values["agent"], row.status) == ("ok", b"/a/7", b"x y", 200)


def test_a_mixed_file_says_so(tmp_path: Path) -> None:
    """Where two formats share a file the larger one is read and the other one is named."""
    lines = [PLAIN["combined"]] * 30 + [PLAIN["nginx_json"]] * 10
    found = detect(lines)
    assert found.format is not None
    assert (found.format.name, found.others) == ("combined", {"nginx_json": 0.25})
    path = tmp_path / "x.log"
    path.write_bytes(b"\n".join([*lines, *[PLAIN["aws_alb"]] * 5, b"dirt"]) + b"\n")
    coverage = replay(str(path)).coverage
    assert coverage.parsed == 30
    assert sum(coverage.rejected.values()) == 16
    assert coverage.mixed == {str(path): {"nginx_json": 10, "aws_alb": 5}}
    result = replay_files([path], ReplaySettings())
    (said, more) = (note for note in result.notes if ": mixed: " in note)
    assert f"{path}: mixed: 10 of its lines are nginx_json and rejected here" in said
    assert "--log-format nginx_json" in said
    assert "5 of its lines are aws_alb" in more
    assert inspect("x", sample_file(str(path)), Config()).mixed == {"nginx_json": 10, "aws_alb": 5}


def test_lines_of_another_format_are_counted_to_the_end(tmp_path: Path) -> None:
    """A second format is counted over the whole file, not guessed from its beginning; alone it is not mixed."""
    path = tmp_path / "x.log"
    json_line = PLAIN["nginx_json"]
    lines = ([PLAIN["combined"]] * 8 + [json_line]) * 1_000 + [json_line] * 2_000
    path.write_bytes(b"\n".join(lines) + b"\n")
    reader = Reader([path], ReadSettings(chunk_bytes=1 << 18), Resolver())
    assert sum(len(released.batch) for released in reader) == 8_000
    assert reader.coverage.mixed == {str(path): {"nginx_json": 3_000}}


def test_torn_and_dirty_files_are_not_mixed() -> None:
    """Lines that no format takes are dirt, not another format; a rotated file's torn first line changes nothing."""
    found = detect([PLAIN["aws_alb"][40:], *[PLAIN["aws_alb"]] * 30, *[b'x "y'] * 5])
    assert found.format is not None
    assert (found.format.name, found.others) == ("aws_alb", {})
