"""Stamps that are read once for equal seconds in a row: each line still gets its own moment."""

from __future__ import annotations

import pytest

from detector.formats import load
from detector.formats.reference_json import parse
from tests.format_lines import PLAIN, parsed, scan

STAMPS = [
    "2026-03-04T05:06:07Z",
    "2026-03-04T05:06:07.250Z",
    "2026-03-04T05:06:07+02:00",
    "2026-03-04T05:06:07.5-0130",
    "2026-03-04T05:06:07",
    "2026-03-04T05:06:07x",
    "2026-03-04 05:06:07Z",
    "2026-03-04T05:06:08Z",
    "2026-13-04T05:06:07Z",
    "2026-03-04T05:06:07Z",
    "2026-03-04T05:06:61Z",
    "2026-03-04T05:06:6",
    "1772600767.25",
    "2026-03-04T05:06:07,125Z",
]
JSON = '{{"time_iso8601":"{}","remote_addr":"1.2.3.4","request":"GET /a HTTP/1.1","status":"200"}}'
ENVOY = '[{}] "GET /t HTTP/1.1" 200 - 0 256 50 25 "1.2.3.4" "agent" "rid" "h" "tcp://10.0.0.1:80"'
W3C = "{} 10.0.0.1 GET /a q=100 80 u 1.2.3.4 Mozilla/5.0+(X;+rv:57.0)+++ http://r/+x 200 0 0 123"
CLOCKS = [
    "2026-03-04 05:06:07",
    "2026-03-04 05:06:08",
    "2026-03-04 05:06:61",
    "2026-03-04 05:06:08",
    "2026-03-05 05:06:08",
]


@pytest.mark.parametrize(
    ("name", "template", "stamps"),
    [("nginx_json", JSON, STAMPS), ("envoy_text", ENVOY, STAMPS), ("w3c", W3C, [*CLOCKS, *CLOCKS])],
)
def test_lines_of_the_same_second(name: str, template: str, stamps: list[str]) -> None:
    """In one chunk every line is read as the slow reader reads it alone."""
    format = load(name)
    lines = [template.format(stamp).encode() for stamp in stamps]
    got, buffer = scan(format, lines)
    rows = [parsed(got, buffer, i) for i in range(len(lines))]
    assert rows == [parse(format, line) for line in lines]
    assert {"ok", "time"} <= {row.reason for row in rows}


def test_blanks_of_every_length() -> None:
    """A plus is a blank wherever it stands in a field of whatever length, and a plus of no other field."""
    for size in range(1, 40):
        for place in range(size):
            agent = b"a" * place + b"+" + b"b" * (size - place - 1) + b"+" * (size % 3)
            line = PLAIN["w3c"].replace(b"Mozilla/5.0+(X;+rv:57.0)", agent).replace(b"q=100", b"q=1+2")
            row = parsed(*scan(load("w3c"), [line]), 0)
            assert row.values["agent"] == agent.replace(b"+", b" ")
            assert row.values["query"] == b"q=1+2"
