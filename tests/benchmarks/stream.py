"""The sidecar on a real broker: records a second with everything on, beside bare loops that throw the values away; and
how long after its records an incident is told.

Run as a module, ``python -m tests.benchmarks.stream [RECORDS]``. Every row is a process of its own that reads one
partition from its first record. Bounds are in ``bounds.json``; missing one is said, not an error.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.consume import RECORD_BYTES, RECORDS, SHAPES, fill, values
from tests.e2e.broker import Broker
from tests.e2e.stream import Member, Setting, incidents_of, make_topic, wait

HERE = Path(__file__).parent
RUNS = 2  # of each row; the better one is told, as in `consume`
BARE = ("plain", "batches", "source", "confluent")
LIVE_RATE = 50_000  # records a second while delays are measured
LIVE_SECONDS = 24
WALKERS = 60  # extractions that begin while delays are measured
WALKER_RATE = 40  # requests a second of each
LATENESS_S = 1.0


@dataclass
class Row:
    """One program on one topic: records and processor microseconds a record."""

    reader: str
    rate: float
    cpu_us: float


def main(records: int) -> None:
    """Measures, prints a table and the verdicts."""
    text = list(values(records))
    bounds = json.loads((HERE / "bounds.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name, Broker.start(Path(name) / "kafka") as broker:
        folder = Path(name)
        print(f"{'batches':>12} {'codec':>5} {'reader':>14} {'records/s':>12} {'CPU µs/record':>14}")
        found: dict[tuple[int, str, str], Row] = {}
        for size, codec in SHAPES:
            topic = f"b{size}-{codec}"
            fill(broker.bootstrap, topic, size, codec, text)
            for reader in (*BARE, "detector"):
                row = best(broker.bootstrap, topic, reader, records, folder)
                found[size, codec, reader] = row
                print(f"{size:>12,} {codec:>5} {reader:>14} {row.rate:>12,.0f} {row.cpu_us:>14.2f}", flush=True)
        delays = live(broker.bootstrap, folder / "live")
    for line in verdicts(found, delays, bounds):
        print(line)


def best(bootstrap: str, topic: str, reader: str, records: int, folder: Path) -> Row:
    """The better of a few runs."""
    runs = []
    for number in range(1 if reader == "plain" else RUNS):
        if reader == "detector":
            runs.append(sidecar(bootstrap, topic, records, folder / f"{topic}-{number}"))
            continue
        command = [sys.executable, "-m", "tests.benchmarks.consume", reader, bootstrap, topic, str(records)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seen, size, seconds, used = json.loads(out)
        assert (seen, size) == (records, records * RECORD_BYTES), (reader, seen, size)
        runs.append(Row(reader, seen / seconds, used / seen * 1e6))
    return max(runs, key=lambda row: row.rate)


def sidecar(bootstrap: str, topic: str, records: int, folder: Path) -> Row:
    """The detector as it is deployed: group, snapshots, sink, metrics; from its first record to its last."""
    setting = Setting(folder, bootstrap, topic, snapshot=30, lateness=LATENESS_S, group=folder.name, format="null")
    with Member(setting, options=["--exit-when-idle", "1"]) as member:
        said = member.wait_for("stopped", 300)
    assert said["lines"] == records, said
    return Row("detector", records / said["busy_seconds"], said["cpu_seconds"] / records * 1e6)


def live(bootstrap: str, folder: Path) -> list[float]:
    """Seconds from the log time at which enough had happened to the moment metrics and log tell of it, less the
    lateness; of walkers that begin one after the other in traffic of `LIVE_RATE` records a second."""
    make_topic(bootstrap, "live", 3)
    setting = Setting(folder, bootstrap, "live", snapshot=5, lateness=LATENESS_S, format="nginx_json")
    with Member(setting) as member:
        wait(lambda: member.get("/-/ready")[0] == 200, 60, "readiness", member)
        writers = [threading.Thread(target=write_live, args=(bootstrap, part)) for part in range(2)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        time.sleep(3)
        told = {e["incident"]: e["at"] for e in member.events("incident") if e["new"]}
        member.stop()
    raised = {r["incident"]: r["raised_at"] for r in incidents_of(folder / "a" / "incidents.jsonl")}
    return sorted(moment(told[i]) - moment(raised[i]) - LATENESS_S for i in told if i in raised)


def write_live(bootstrap: str, part: int) -> None:
    """One of two writers, half of everything each; every record is dated when it is written."""
    command = [sys.executable, "-m", "tests.benchmarks.live", bootstrap, "live", str(part)]
    subprocess.run(command, check=True)


def moment(text: str) -> float:
    """ISO 8601 as seconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp()


def verdicts(
    found: dict[tuple[int, str, str], Row], delays: list[float], bounds: dict[str, dict[str, float]]
) -> list[str]:
    """Ratios, and each bound with whether it was held."""
    lines = []
    for size, codec in SHAPES:
        mine = found[size, codec, "detector"].rate
        ratios = ", ".join(f"{mine / found[size, codec, reader].rate:.2f} x {reader}" for reader in BARE)
        lines.append(f"detector, {size:,} bytes, {codec}: {mine:,.0f} records/s = {ratios}")
    plain, lz4 = found[SHAPES[0][0], "none", "detector"].rate, found[SHAPES[0][0], "lz4", "detector"].rate
    big = SHAPES[0][0]
    figures = {
        "stream_records_per_second": plain,
        "stream_records_per_second_lz4": lz4,
        "stream_over_plain": plain / found[big, "none", "plain"].rate,
        "stream_over_batches": plain / found[big, "none", "batches"].rate,
    }
    if len(delays) >= 10:
        worst = delays[min(int(len(delays) * 0.99), len(delays) - 1)]
        figures["alert_delay_p99_seconds"] = worst
        lines.append(
            f"{len(delays)} of {WALKERS} extractions told at {LIVE_RATE:,} records/s: median "
            f"{statistics.median(delays):.2f} s, p99 {worst:.2f} s beyond the lateness"
        )
    for name, value in figures.items():
        bound = bounds[name]
        held = value >= bound["at least"] if "at least" in bound else value < bound["below"]
        want = f"at least {bound['at least']:,}" if "at least" in bound else f"below {bound['below']:,}"
        lines.append(f"{'held' if held else 'MISSED'}: {name} {value:,.2f} ({want}; {bound['of']})")
    return lines


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS)
