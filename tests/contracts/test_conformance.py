"""Real lines of real servers with what others read in them: found by detection, read by the scanners."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.formats import detect
from detector.formats.fields import FIELDS, REASONS
from detector.formats.presets import Format

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not (SHARED / "conformance").is_dir(), reason="needs ../shared/data/conformance")

# Rows that name what is expected and not the line it is expected of: nothing can be read there.
WITHOUT_LINE = {("crowdsec", 82), ("crowdsec", 83)}

# (file, row) -> fields whose expectation is wrong, and why
WRONG: dict[tuple[str, int], tuple[set[str], str]] = {
    ("crowdsec", 166): (
        {"client"},
        "10.0.0.50 is taken from ClientHost, which is X-Forwarded-For as the client sent it; the peer is 172.71.122.85",
    ),
    ("filebeat", 21): (
        {"client"},
        "the left of the list is the client's own word; the last hop spoke to the server until a proxy is declared",
    ),
    ("crowdsec", 75): (
        {"client"},
        "Envoy's default text has X-Forwarded-For alone: Envoy appends its last hop, the left is the client's own word",
    ),
    ("crowdsec", 76): ({"client"}, "the same"),
    ("filebeat", 9): (
        {"rejected"},
        "a TCP session of HAProxy: there is no request in it, and no path, status or method is expected",
    ),
    ("filebeat", 10): ({"client"}, "a web page has made a link of the address: [10.100.118.31](http://10.100.118.31)"),
}


Row = tuple[str, int, dict[str, Any]]


def crowdsec() -> list[Row]:
    """The rows of crowdsec_http.jsonl in one vocabulary; ``path`` holds the query too where the line has one."""
    rows = []
    for i, text in enumerate((SHARED / "conformance/crowdsec_http.jsonl").read_text("utf-8").split("\n")):
        if text:
            row = json.loads(text)
            e = row["expected"] or {}
            rows.append(("crowdsec", i, {
                "type": row["log_type"], "raw": row["raw"], "rejected": not e,
                "client": e.get("source_ip"), "time": e.get("timestamp"), "method": e.get("method"),
                "path": e.get("path"), "status": e.get("status"), "size": e.get("bytes"),
                "agent": e.get("user_agent"), "host": e.get("host"),
            }))  # fmt: skip
    return rows


def filebeat() -> list[Row]:
    """The rows of filebeat_http.jsonl in the same vocabulary."""
    rows = []
    for i, text in enumerate((SHARED / "conformance/filebeat_http.jsonl").read_text("utf-8").split("\n")):
        if text:
            row = json.loads(text)
            e = row["expected"] or {}
            rows.append(("filebeat", i, {
                "type": row["module"], "raw": row["raw"], "rejected": not e,
                "client": e.get("source.address"), "time": e.get("@timestamp"), "method": e.get("http.request.method"),
                "path": e.get("url.original"), "status": e.get("http.response.status_code"),
                "size": e.get("http.response.body.bytes"), "agent": e.get("user_agent.original"), "host": None,
            }))  # fmt: skip
    return rows


def read(format: Format, raw: bytes) -> dict[str, Any]:
    """One line through the scanner, in the same vocabulary."""
    buffer = np.frombuffer(bytearray(raw + b"\n"), np.uint8)
    fields = format.columns(buffer, np.zeros(1, np.int64), np.array([len(raw)], np.int64))
    text = buffer.tobytes()
    spans = {name: fields.span[0, code] for code, name in enumerate(FIELDS)}
    values = {name: text[s : s + n].decode("utf-8", "replace") if n >= 0 else None for name, (s, n) in spans.items()}
    return values | {
        "reason": REASONS[fields.reason[0]],
        "time": int(fields.time_us[0]),
        "status": int(fields.status[0]),
        "size": int(fields.bytes_out[0]),
    }


def same(name: str, want: Any, got: dict[str, Any], json_line: bool) -> bool:
    """Whether one expectation holds. ``-`` and nothing mean absent; a stamp without a fraction means its second."""
    if want is None:
        return True
    if name == "time":
        micros = round(datetime.fromisoformat(str(want)).timestamp() * 1e6)
        exact = "." in str(want)
        return micros == got["time"] if exact else micros // 10**6 == got["time"] // 10**6
    if name in ("status", "size"):
        return (0 if want == "-" else int(want)) == got[name]
    if name == "client":
        address = got["address"] or ""
        address = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address
        bare = address.rpartition(":")[0].strip("[]") if address.count(":") == 1 or address[:1] == "[" else address
        return want in (address, bare)
    if name == "path":
        target = got["target"] or ""
        whole = f"{target}?{got['query']}" if got["query"] else target
        return want in (whole, target, target.partition("?")[0])
    field = got[name]
    if name == "host" and field and not json_line:
        field = field.partition(":")[0]
    return (None if want in ("-", "") else want) == field


NAMES = ("client", "time", "method", "path", "status", "size", "agent", "host")


def test_rows() -> None:
    """Every expected client, time, method, path, status, size, agent and host of the covered formats is read so."""
    covered: Counter[str] = Counter()
    faults = []
    for file, i, row in crowdsec() + filebeat():
        raw = (row["raw"] or "").encode()
        if (file, i) in WITHOUT_LINE:
            assert row["raw"] is None
            continue
        if "rejected" in WRONG.get((file, i), ((), ""))[0]:
            row["rejected"] = True
        found = detect([raw])
        covered[found.format.name if found.format else "rejected"] += 1
        if row["rejected"] or found.format is None:
            if bool(found.format) == row["rejected"]:
                faults.append((file, i, "taken" if found.format else "rejected", raw[:200]))
            continue
        got = read(found.format, raw)
        wrong = {name for name in NAMES if not same(name, row[name], got, raw.lstrip()[:1] == b"{")}
        excused = WRONG.get((file, i), (set(), ""))[0]
        if wrong != excused:
            faults.append((file, i, found.format.name, {name: (row[name], got) for name in wrong ^ excused}))
    assert faults == []
    assert sum(covered.values()) + len(WITHOUT_LINE) == 205, covered


@pytest.mark.parametrize(
    ("folder", "taken", "rejected", "torn", "name"),
    [
        ("erddap", 4851, 4629, 0, "combined"),
        ("elastic", 10_000, 0, 1, "combined"),
        ("nasa", 30_969, 0, 0, "common"),
    ],
)
def test_whole_logs(folder: str, taken: int, rejected: int, torn: int, name: str) -> None:
    """The three real logs: detected as what they are, every line taken or rejected as counted by hand."""
    data = b"".join(gzip.decompress(path.read_bytes()) for path in sorted((SHARED / folder).glob("*.gz")))
    format = detect(data.split(b"\n")[:200]).format
    assert format is not None
    assert format.name == name
    buffer = np.frombuffer(bytearray(data), np.uint8)
    ends = np.flatnonzero(buffer == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    fields = format.columns(buffer, starts, ends - starts)
    assert int((fields.reason == 0).sum()) == taken
    assert int((fields.reason != 0).sum()) == rejected
    assert int(fields.torn.sum()) == torn
