"""Texts that attack whoever looks at them, as a log, as a record and as a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ESCAPES = "\x1b\x07\u202e\u2066\u200b\ufeff\u0301\u2028"
HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=http://203.0.113.99/x onerror=document.title='owned'>",
    "\"><svg onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{1}{0}$",
    "</style></script><base href=http://203.0.113.99/>",
    "<link rel=stylesheet href=//203.0.113.99/a.css><meta http-equiv=refresh content=0;url=http://203.0.113.99>",
    f"user{ESCAPES}tfel ot thgir",
    "x" * 5000,
)


def hostile_log(path: Path) -> None:
    """One account reads users by number, with such texts as its name and agent, and in its paths; others browse."""
    lines = []
    for n in range(600):
        second = f"[03/Mar/2026:09:{n // 60:02d}:{n % 60:02d} +0000]"
        bad = HOSTILE[n % len(HOSTILE)].replace('"', "'").replace(" ", "+").replace("\u2028", "")
        request = f'"GET /api/v1/users/{4000 + n}?token=eyJhbGciOiJIUzI1NiJ9.e30.{n}&q={bad} HTTP/1.1"'
        agent = HOSTILE[n % 3] if n % 2 else bad
        lines.append(
            f'198.51.100.7 - <b>{bad[:20]}x {second} {request} 200 512 "-" "{agent.replace(chr(34), chr(39))}"'
        )
        lines.append(f'203.0.113.{n % 50} - - {second} "GET /items/{n * 7 % 90} HTTP/1.1" 200 900 "-" "{bad}"')
    path.write_text("\n".join(lines) + "\n", "utf-8", errors="surrogatepass")


def hostile_record() -> tuple[dict[str, Any], dict[str, Any]]:
    """A record and a case every text of which is hostile, and every number a text."""
    bad = " ".join(HOSTILE)
    record: dict[str, Any] = dict.fromkeys(
        ("pattern", "state", "severity", "raised_at", "first_seen", "client_kind", "status", "verdict", "assignee"), bad
    )
    record |= {
        "incident": "f" * 32,
        "severity": "critical",
        "pattern": HOSTILE[0],
        "clients": list(HOSTILE),
        "endpoints": list(HOSTILE),
        "client_count": 40_000,
        "data_classes": list(HOSTILE),
        "records_exposed": {"estimate": bad, "low": 1, "high": 2e18},
        "records_at_alert": "<script>",
        "requests": None,
        "suppressed_by": None,
        "selector": {"text": bad, "recall": "x"},
        "detector": {"name": bad, "version": bad, "config": bad},
        "evidence": [{"name": one, "value": "<b>", "expected": 1e400, "weight": 3.5} for one in HOSTILE],
        "raised_at": "2026-03-03T09:01:00Z",
    }
    case = {
        "minutes": [["2026-03-03T09:00:00Z", 5], ["x", 5], 7],
        "exposed": [["2026-03-03T09:00:00Z", 1], ["2026-03-03T10:00:00Z", 500]],
        "points": [["2026-03-03T09:00:00Z", 1 << 60], ["0001-01-01T00:00:00Z", -1]],
        "hours": ["a"] * 24,
        "agents": [[one, 0.1] for one in HOSTILE],
        "networks": [[bad, "x"]],
        "routes": [[one, 5, list(HOSTILE)] for one in HOSTILE],
        "samples": [dict.fromkeys(("request", "agent", "client", "time"), one) for one in HOSTILE],
        "limits": [{"kind": "client", "limit": 5, "exposed": 5, "ordinary": 9, "hit": 0}, bad],
        "ordinary": {"records_a_day": [1, "x"]},
        "manifest": {"coverage": {"rejected": {bad: 1}, "lines": 5}, "noticed_at": bad},
    }
    return record, case
