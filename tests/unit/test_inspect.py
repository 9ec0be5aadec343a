"""``detector inspect``: what is told of a log, and that nothing secret is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.config import Config, parse_config
from detector.engines.inspecting import Inspection, inspect
from detector.engines.proposal import advice, configuration, identified_by
from detector.masking import MASK, is_secret, masked_line, masked_target, masked_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def combined(n: int, peer: str = "192.0.2.{}", user: str = "-", query: str = "") -> list[bytes]:
    """Combined lines of ten clients, a record each."""
    return [
        f'{peer.format(i % 10)} - {user} [21/Nov/2026:16:00:{i % 60:02d} +0000] "GET /api/users/{i}{query} HTTP/1.1" '
        f'200 512 "-" "{AGENT}"'.encode()
        for i in range(n)
    ]


def look(lines: list[bytes], log_format: str | None = None) -> Inspection:
    """The inspection of some lines under the default configuration."""
    return inspect("access.log", lines, Config(), log_format)


def test_a_log_without_accounts_is_told_what_to_add() -> None:
    """Format, rates, route, clients and the missing account with the variable that brings it."""
    seen = look(combined(300))
    assert seen.format == "combined"
    assert seen.rates["combined"] == 1.0
    assert "caddy" in seen.others
    assert seen.lines == 300
    assert [(r.name, r.requests, r.records, r.is_record) for r in seen.routes] == [
        ("GET /api/users/{id}", 300, 300, True)
    ]
    assert (seen.client_count, seen.clients[0].kind) == (10, "address")
    assert identified_by(seen) == [("address", 1.0)]
    said = advice(seen)
    assert said[0].startswith("The log has no account field")
    assert "$http_x_api_key" in said[0]
    assert any("$msec" in line for line in said)


def test_the_configuration_is_accepted_and_says_what_was_found() -> None:
    """What is printed loads, names the format, the ladder the log has, and the proxies in front."""
    lines = [
        json.dumps(
            {
                "time_iso8601": "2026-11-21T16:00:00.250Z", "remote_addr": f"10.0.0.{1 + i % 2}", "status": 200,
                "request_uri": f"/users/{i}", "request_method": "GET", "http_x_forwarded_for": f"198.51.100.{i % 50}",
                "body_bytes_sent": 5, "remote_user": "ann" if i % 9 == 0 else "-",
            }
        ).encode()
        for i in range(200)
    ]  # fmt: skip
    seen = look(lines)
    config = parse_config(configuration(seen, None).encode(), "x.yaml")
    assert config.source.format == seen.format == "nginx_json"
    assert config.identity.ladder == ("account", "address")
    assert config.identity.trusted_proxies == ("10.0.0.1", "10.0.0.2")
    assert "declare the proxy as identity.trusted_proxies" in " ".join(advice(seen))
    assert not any("whole seconds" in line for line in advice(seen))


def test_wrapped_records_are_opened_and_the_envelope_named() -> None:
    """A shipper's message is opened; the configuration for the topic names the key and the brokers."""
    seen = look([json.dumps({"message": line.decode(), "file": "/x"}).encode() for line in combined(100)])
    assert (seen.envelope, seen.format) == ("message", "combined")
    kafka = {"topics": ["logs"], "start": "latest", "consumer": {"bootstrap.servers": "a:1", "group.id": "0042"}}
    config = parse_config(configuration(seen, None, kafka).encode(), "x.yaml")
    assert config.source.envelope == "message"
    assert config.source.kafka is not None
    assert (config.source.kafka.topics, config.source.kafka.start) == (("logs",), "latest")
    assert config.source.kafka.consumer["group.id"] == "0042"


def test_a_format_string_goes_into_the_configuration() -> None:
    """A log of one's own is inspected by its string, which YAML takes back unchanged."""
    layout = '$remote_addr "$request" $status $msec "$http_x_api_key"'
    lines = [f'192.0.2.1 "GET /a/{i} HTTP/1.1" 200 1795276800.{i:03d} "k{i}"'.encode() for i in range(50)]
    seen = look(lines, layout)
    assert seen.format == "custom"
    assert parse_config(configuration(seen, layout).encode(), "x.yaml").source.format == layout
    assert seen.example["key"] == MASK
    assert [client.kind for client in seen.clients[:1]] == ["key"]


def test_what_nobody_reads_says_so() -> None:
    """No format: the reason, and no configuration that would not work."""
    seen = look([b"hello world", b"nothing to see"])
    assert (seen.format, seen.trouble) == ("", "no preset reads a line of it")
    assert look([]).trouble == "empty"
    assert "schema registry" in look([b"\0\0\0\0\7abc" * 3] * 20).trouble


def test_the_command_prints_all_of_it(tmp_path: Path) -> None:
    """Table, JSON and YAML of a file; an unreadable one ends with code 3."""
    log = tmp_path / "access.log"
    log.write_bytes(b"\n".join(combined(100, user="ann", query=f"?token={JWT}&email=ann%40example.com&q=x")) + b"\n")
    run = CliRunner()
    table = run.invoke(program.app, ["inspect", str(log)])
    assert table.exit_code == 0, table.output
    for wanted in ("combined 100 %", "GET /api/users/{id}", "ann (account)", "what would be better", "ladder:"):
        assert wanted in table.output
    record = json.loads(run.invoke(program.app, ["inspect", str(log), "--output", "json"]).output)
    assert record["identified_by"] == {"account": 1.0}
    assert record["example"]["target"].endswith(f"?token={MASK}&email={MASK}&q=x")
    ready = run.invoke(program.app, ["inspect", str(log), "--output", "yaml"]).output
    assert parse_config(ready.encode(), "x.yaml").source.files is not None
    for text in (table.output, json.dumps(record)):
        assert JWT not in text
        assert "example.com" not in text
    log.write_text(f"no log at all ?token={JWT}\n")
    said = run.invoke(program.app, ["inspect", str(log)])
    assert said.exit_code == 3
    assert JWT not in said.output


def test_inspect_needs_something_to_look_at() -> None:
    """Without a path and without a source it says what it takes."""
    said = CliRunner().invoke(program.app, ["inspect"])
    assert said.exit_code == 2
    assert "--bootstrap-server" in said.stderr


@pytest.mark.parametrize(
    "word",
    [
        JWT, "sk_live_4eC39HqLyjW", "ghp_0123456789abcdef", "AKIAIOSFODNN7EXAMPLE", "ann@example.com",
        "ann%40example.com",
        "4111111111111111", "4111-1111-1111-1111", "d41d8cd98f00b204e9800998ecf8427e", "xoxb-1234-5678-abcd",
    ],
)  # fmt: skip
def test_secret_shapes_are_known(word: str) -> None:
    """Tokens, keys, cards and mail addresses, as words, in paths, in queries and in free text."""
    assert is_secret(word)
    for text in (
        masked_target(f"/a/{word}/b?x={word}"),
        masked_text(f"bot ({word}; x) {word}"),
        masked_line(f'"{word}"'),
    ):
        assert word not in text


@pytest.mark.parametrize("word", ["users", "12345", "v2", AGENT, "2026-11-21T16:00:00Z", "4111111111111112", "x86_64"])
def test_ordinary_words_stay(word: str) -> None:
    """What is no secret is shown as it is."""
    assert masked_text(word) == word


def test_a_line_hides_what_stands_behind_telling_keys() -> None:
    """A password of a few letters is hidden by the name of its key."""
    line = 'x "GET /login?user=ann&password=hunter2&page=3 HTTP/1.1" 200 "https://a/b?pwd=geheim"'
    assert (
        masked_line(line) == f'x "GET /login?user={MASK}&password={MASK}&page=3 HTTP/1.1" 200 "https://a/b?pwd={MASK}"'
    )
