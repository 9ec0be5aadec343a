"""What named clients have read, exactly: the files read once more with the names known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from detector.config import Config, ReplaySettings
from detector.engines.local import replay
from detector.simulate.truth import Truth

NOBODY = np.uint64((1 << 64) - 1)


@pytest.mark.slow
def test_a_campaigns_named_clients_are_listed_exactly(tmp_path: Path) -> None:
    """The records listed for the named clients of a campaign are as many as the truth says these clients read."""
    log, truth = tmp_path / "p4.log", tmp_path / "p4.json"
    said = ("--duration", "12h", "--rate", "8", "--attack-start", "9h", "--attack-duration", "30m")
    done = CliRunner().invoke(program.app, ["simulate", "P4", "--out", str(log), "--truth", str(truth), *said])
    assert done.exit_code == 0, done.output
    attack = Truth.read(truth).attack
    assert attack is not None
    result = replay([str(log)], ReplaySettings(config=Config(), exact=True))
    assert result.cases is not None
    campaign = max(result.incidents, key=lambda i: i.client_count)
    assert campaign.pattern == "campaign"
    found = result.cases.records(campaign.incident)
    assert found is not None
    meta, rows = found
    names = np.array(meta["clients"])
    mine = rows[rows["client"] != NOBODY]
    by_attackers = mine[np.isin(names[mine["client"].astype(np.int64)], attack.clients)]
    known = set(meta["clients"])
    read = np.isin(attack.client, [at for at, name in enumerate(attack.clients) if name in known])
    assert len(known) > 5_000
    assert len(np.unique(by_attackers["key"])) == len(np.unique(attack.record[read & (attack.record >= 0)]))


def test_what_was_exact_stays_so(root: Path) -> None:
    """Of incidents whose every read was kept a second pass changes nothing."""
    log = str(root / "sample_logs" / "p1.log.gz")
    once, twice = (replay([log], ReplaySettings(config=Config(), exact=exact)) for exact in (False, True))
    assert once.cases is not None
    assert twice.cases is not None
    assert [i.record() for i in once.incidents] == [i.record() for i in twice.incidents]
    for incident in once.incidents:
        first, second = once.cases.records(incident.incident), twice.cases.records(incident.incident)
        assert first is not None
        assert second is not None
        assert first[0] == second[0]
        assert np.array_equal(first[1], second[1])
