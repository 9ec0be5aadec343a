"""What a ranking by an outlier model adds: where the attacker stands in it, named by a detector or not."""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.evaluate.trial import Run
from detector.ranking import Ranking

TOP = 10  # clients a person would look at


def places(running: Run, taught: Ranking) -> dict[str, Any]:
    """The attacker's best rank among the clients of the last hour, and how many of the top ten are his.

    Args:
        running: the case at its end.
        taught: what the warm-up has taught the model; left as it is.
    """
    ranking = taught.heir()
    ranking.observe(running.pipeline.state, running.pipeline.last_us)
    counts = running.observed.clients()
    theirs = set(counts["client"][counts["attack"]].tolist())
    ordered = ranking.top(1_000)
    ranks = [found.rank for found in ordered if found.key in theirs]
    unnamed = [found.rank for found in ordered if found.key in theirs and not found.named]
    return {
        "best": min(ranks, default=None),
        "best_unnamed": min(unnamed, default=None),
        "in_top": int(np.count_nonzero(np.array(ranks) <= TOP)) if ranks else 0,
        "model": "HBOS",
    }
