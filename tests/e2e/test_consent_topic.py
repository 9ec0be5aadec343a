"""A consent ledger as a topic beside the log's: killed and started again, the sidecar tells what it tells unharmed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.broker import Broker
from tests.e2e.differences import differences
from tests.e2e.stream import Member, Setting, feed, incidents_of, latest, make_topic, read_to_end, wait, wait_for_end

pytestmark = pytest.mark.e2e

START = 1_767_600_000  # 2026-01-05 08:00 UTC
MINUTES = 30
PERSONS = 300
POLICY = """
routes:
  templates: [{{route: "GET /bills/{{user}}", data_classes: [bill]}}]
policy:
  parties:
    - {{name: bank, match: {{accounts: [bank-api]}}, classes: [bill], consent: {{classes: [bill]}}}}
    - {{name: scorer, match: {{accounts: [scorer-api]}}, classes: [bill], consent: {{classes: [bill]}}}}
  ledger: {{topic: {topic}}}
"""


def _line(second: int, account: str, person: int) -> bytes:
    stamp = datetime.fromtimestamp(START + second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'192.0.2.1 - {account} [{stamp}] "GET /bills/{person} HTTP/1.1" 200 99 "-" "client"'.encode()


def _change(second: float, action: str, person: int, partner: str, **more: str) -> bytes:
    when = datetime.fromtimestamp(START + second, UTC).isoformat()
    change = {"time": when, "action": action, "subject": str(person), "partner": partner, "class": "bill", **more}
    return json.dumps(change).encode()


def _log() -> list[bytes]:
    """People read their own bills all the time. The bank reads of those who have agreed, and for ten minutes goes on
    after fifty of them have taken it back; the scorer reads from the twentieth minute on."""
    lines = []
    for second in range(60 * MINUTES):
        lines += [_line(second, f"user{10_000 + n}", 10_000 + n) for n in range(second % 40, 400, 40)]
        if second % 2 == 0:
            person = (second // 2) % PERSONS
            if person >= 50 or second < 600 or 900 <= second < 1500:
                lines.append(_line(second, "bank-api", person))
        if second >= 1200:
            lines.append(_line(second, "scorer-api", 50_000 + second - 1200))
    return lines


def _ledger() -> list[bytes]:
    """Grants of the bank's persons of last year, fifty taken back at 600; and a screen of the scorer's that does not
    ask, whose grants do not say so."""
    changes = [(-9e6 + p, _change(-9e6 + p, "grant", p, "bank", manner="explicit")) for p in range(PERSONS)]
    changes += [(600.0, _change(600.0, "revoke", p, "bank")) for p in range(50)]
    for n in range(1500):
        asked = 60 + n * 0.5
        changes.append((asked, _change(asked, "view", 50_000 + n, "scorer")))
        changes.append((asked + 0.3, _change(asked + 0.3, "grant", 50_000 + n, "scorer")))
    return [change for _, change in sorted(changes, key=lambda pair: pair[0])]


def _findings(record: dict[str, Any]) -> dict[str, float]:
    return {finding["name"]: finding["value"] for finding in record["evidence"]}


def _behind(lines: list[bytes], second: int) -> int:
    stamp = datetime.fromtimestamp(START + second, UTC).strftime("%d/%b/%Y:%H:%M:%S").encode()
    return next(n for n, line in enumerate(lines) if stamp in line)


def test_killed_and_started_again_it_tells_the_same(tmp_path: Path, broker: Broker) -> None:
    """Killed in the middle of the bank's reads after revocations and again among the scorer's: the same incidents with
    the same numbers as without, and those are the ones planted."""
    name = tmp_path.name.replace("_", "-")
    policy = POLICY.format(topic=f"{name}-ledger")
    setting = Setting(
        tmp_path, broker.bootstrap, name, lateness=1.0, snapshot=0.2, more=policy, consumer={"group_instance_id": "a"}
    )
    make_topic(broker.bootstrap, name, 1)
    make_topic(broker.bootstrap, f"{name}-ledger", 1)
    lines = _log()
    feed(broker.bootstrap, f"{name}-ledger", _ledger())
    done = 0
    for second in (1100, 1400):
        stop = _behind(lines, second)
        feed(broker.bootstrap, name, lines[done:stop])
        with Member(setting) as member:
            wait_for_end(member, 2)
            wait(
                lambda: member.metric("detector_snapshot_last_success_timestamp_seconds") > 0, 30, "a snapshot", member
            )
            member.kill()
        done = stop
    feed(broker.bootstrap, name, lines[done:])
    read_to_end(setting)
    whole = replace(setting, group=f"{name}-whole", consumer={})
    read_to_end(whole, "whole")
    found, due = latest(incidents_of(setting.incidents())), latest(incidents_of(setting.incidents("whole")))
    assert differences(found, due) == []
    told = {(r["partner"], bool(r["requests"])): _findings(r) for r in found.values() if r["pattern"] == "consent"}
    assert set(told) == {("bank", True), ("scorer", False), ("scorer", True)}
    assert told["bank", True]["reads_after_revocation"] == sum(
        1 for second in range(900, 1500, 2) if (second // 2) % PERSONS < 50
    )
    # Those of the last minute wait for the tick behind it, which only a further record brings.
    reads = 60 * MINUTES - 1200 - 60  # each of another person
    assert told["scorer", True] == {"reads_on_smelling_grant": reads, "persons_on_smelling_grant": reads}
    assert told["scorer", False]["consent_grant_rate"] == 1.0
