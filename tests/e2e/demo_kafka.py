"""``make demo-kafka``: a real broker, a sample log fed at 20,000 records a second, and the sidecar beside it.

Ends by itself. Ends with code 1 where the sidecar names other incidents than ``detector replay`` does on the same log.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.broker import Broker, Unavailable
from tests.e2e.stream import ROOT, Member, Setting, feed, incidents_of, latest, lines_of, make_topic, replayed, wait

RATE = 20_000  # records a second
PARTITIONS = 3
LOG = ROOT / "sample_logs" / "p3.log.gz"


def main() -> int:
    """Runs the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", nargs="?", type=Path, default=LOG, help="a log in combined format")
    log = parser.parse_args().log
    with tempfile.TemporaryDirectory(prefix="detector-demo-") as name:
        folder = Path(name)
        print("starting Apache Kafka (the first time its jars are fetched, half a minute)", flush=True)
        try:
            broker = Broker.start(folder / "kafka")
        except Unavailable as why:
            print(f"demo-kafka {why}", file=sys.stderr)
            return 3
        with broker:
            return _show(log, broker.bootstrap, folder)


def _show(log: Path, bootstrap: str, folder: Path) -> int:
    lines = lines_of(log)
    make_topic(bootstrap, "access", PARTITIONS)
    setting = Setting(folder, bootstrap, "access")
    print(f"feeding {len(lines):,} records of {log.name} into topic access, {PARTITIONS} partitions", flush=True)
    with Member(setting) as member:
        wait(lambda: member.get("/-/ready")[0] == 200, 60, "readiness", member)
        rate = feed(bootstrap, "access", lines, RATE)
        wait(lambda: member.metric("detector_requests_total") >= len(lines), 60, "last record", member)
        exposed = member.metric("detector_records_exposed_total")
        code = member.stop()
        if code:
            print(member.tail(), file=sys.stderr)
            return code
        found = latest(incidents_of(folder / "a" / "incidents.jsonl"))
    print(f"fed at {rate:,.0f} records a second; records exposed by its own metrics: {exposed:,.0f}")
    same = replayed(setting, [log])
    for identity in sorted({*found, *same}):
        record = found.get(identity) or same[identity]
        by = "both" if identity in found and identity in same else "stream" if identity in found else "replay"
        who = f"{record['client_count']:,} {record['client_kind']}"
        print(f"{identity}  {record['pattern']}  {record['severity']}  {record['endpoints'][0]}  {who}  by {by}")
    equal = set(found) == set(same)
    print("the stream names the incidents that replay names" if equal else "STREAM AND REPLAY DIFFER")
    return 0 if equal and found else 1


if __name__ == "__main__":
    sys.exit(main())
