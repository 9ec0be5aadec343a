"""``make demo-consent``: Sesame Credit at a scale of 1:10,000, from the ticked box to the readers by name.

The annual bill is viewed, a box below it is ticked by default, the partner reads who did not untick it. The replay must
tell the smell from the ledger alone before the partner reads anybody, then the reads, and nothing of honest partners.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

MINUTE = 60.0
SETTLED = 0.995  # of the reads of a silent ledger's grants; measured over ten seeds: .9985 to .9998
READERS_SHOWN = 4


def detector(*arguments: str, shown: int | None = None) -> str:
    """Runs a command, says which, and prints what it says, or its first lines.

    Raises:
        SystemExit: it failed.
    """
    print(f"\n$ detector {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "detector", *arguments], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("floor")]
    print("\n".join(lines[:shown]), flush=True)
    if done.returncode:
        sys.exit(f"detector ended with {done.returncode}: {done.stderr}")
    return done.stdout


def seconds(text: str) -> float:
    """ISO 8601 as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def names(incident: dict[str, Any]) -> set[str]:
    """What an incident found."""
    return {fact["name"] for fact in incident["evidence"]}


def verdict(truth: dict[str, Any], incidents: list[dict[str, Any]], lag_seconds: float) -> list[tuple[bool, str]]:
    """What the story must show, and whether it does.

    Args:
        truth: of the simulated log.
        incidents: those a replay told.
        lag_seconds: the longest way of a change to the ledger.
    """
    breach = truth["breaches"][0]
    finding, first = breach["findings"][0], seconds(breach["first"])
    smells = [i for i in incidents if "consent_grant_rate" in names(i)]
    reads = [i for i in incidents if finding in names(i)]
    ahead = (first - seconds(smells[0]["raised_at"])) / 60 if smells else -1.0
    delay = seconds(reads[0]["raised_at"]) - first if reads else -1.0
    counted = next((fact["value"] for fact in reads[0]["evidence"] if fact["name"] == finding), 0) if reads else 0
    # Whether a screen asks is settled minute by minute: grants of the last one are not known to be worth nothing.
    least = breach["reads"] if finding == "reads_on_ticked_grant" else SETTLED * breach["reads"]
    honest = {said["party"] for said in truth["honest"]}
    named = {i["partner"] for i in incidents} & honest
    return [
        (ahead > 0, f"the smell was told {ahead:.0f} minutes before the first bill was read"),
        (0 <= delay <= lag_seconds + MINUTE, f"the reads were told {delay:.0f} seconds after the first of them"),
        (least <= counted <= breach["reads"], f"{counted:,} reads were told; truth has {breach['reads']:,}"),
        (not named, f"of {len(honest)} honest parties beside it {len(named) or 'none'} was named"),
        (len(incidents) == len(smells) + len(reads), f"{len(incidents)} incidents in all"),
    ]


def main() -> int:
    """Simulates, replays, asks who read it, and holds the answer against the truth."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1e-4, help="of 500 M bills")
    parser.add_argument("--rate", type=float, default=3.0, help="ordinary requests a second")
    parser.add_argument("--silent-ledger", action="store_true", help="the ledger does not admit the tick")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, truth, policy, found = (str(folder / n) for n in ("api.log", "truth.json", "policy.yaml", "found.jsonl"))
        story = ["--variant", "sesame", "--start", "2026-03-03T08:00", "--duration", "3h"]
        size = ["--scale", str(said.scale), "--rate", str(said.rate), *["--silent-ledger"] * said.silent_ledger]
        ledger = ["--ledger", str(folder / "consents.jsonl"), "--policy", policy]
        detector("simulate", "P14", *story, *size, "--out", log, "--truth", truth, *ledger)
        detector("replay", "--config", policy, "--incidents", found, log)
        detector("reads", "--class", "bill", "--config", policy, log, shown=1 + READERS_SHOWN)
        incidents = [json.loads(line) for line in Path(found).read_text().splitlines()]
        told = verdict(json.loads(Path(truth).read_text()), incidents, 5.0)
    print()
    for good, text in told:
        print(f"{'ok  ' if good else 'NOT '} {text}")
    return 0 if all(good for good, _ in told) else 1


if __name__ == "__main__":
    sys.exit(main())
