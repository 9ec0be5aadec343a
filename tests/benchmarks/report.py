"""What the report adds to the replay of a day of ten million lines: seconds of processor time, and memory.

Both replays run as processes of their own, in turn, on the log of `replay`; the figure is the median of what a pair
differs by. Time on the clock is printed beside: it depends on who else works on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Program, interleaved, pin, run
from tests.benchmarks.replay import HERE, LINES, START_LINES, head, made, replaying, surroundings

PAIRS = 3


def main() -> None:
    """Prints what is added, beside its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--runs", type=int, default=PAIRS)
    wanted = parser.parse_args()
    pin()
    log = made(wanted.lines)
    with tempfile.TemporaryDirectory(prefix="detector-bench-") as folder:
        scratch = Path(folder)
        page = scratch / "report.html"
        plain = Program("replay", replaying(log, scratch / "plain.jsonl"), wanted.lines)
        told = Program("replay --report", replaying(log, scratch / "told.jsonl", "--report", str(page)), wanted.lines)
        environment = surroundings(scratch)
        short = head(log, START_LINES, scratch / "short.log")
        run(replaying(short, scratch / "short.jsonl", "--report", str(page)), environment)  # compiles what both need
        interleaved([plain, told], wanted.runs, environment)
        kilobytes = page.stat().st_size / 1e3
    pairs = list(zip(plain.runs, told.runs, strict=True))
    added = {
        "report_seconds": statistics.median(b.cpu_seconds - a.cpu_seconds for a, b in pairs),
        "report_megabytes": statistics.median(b.peak_bytes - a.peak_bytes for a, b in pairs) / 1e6,
    }
    clock = statistics.median(b.seconds - a.seconds for a, b in pairs)
    print(f"{wanted.lines:,} lines: {plain.cpu_seconds:.1f} CPU s and {plain.peak_bytes / 1e6:.0f} MB without a report")
    print(f"the report ({kilobytes:,.0f} kB) adds {clock:.1f} s on the clock")
    bounds = json.loads((HERE / "bounds.json").read_text(encoding="utf-8"))
    for name, value in added.items():
        print(f"{name}: {value:.1f}, asked below {bounds[name]['below']}")


if __name__ == "__main__":
    main()
