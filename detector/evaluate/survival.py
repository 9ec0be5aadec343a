"""How often ordinary clients reach a detector's statistic: against the share its threshold promises.

Three things are counted. A detector's statistic alone: nats whose survival is at most e^-nats, and near it, for it is
fitted on such clients; less than a tenth of the bound would be a null fitted too wide. Its channels: an e-value alone
lies far below its bound where most clients ask too little to reach odds of a hundred, whoever they are. And the
detector as it is, with its threshold lowered to a budget of one false client in a hundred, a thousand and ten thousand:
whatever else it asks for (two groups of evidence, a floor) counts, which is why so few are left. A walk and a metronome
have no fitted statistic: a run of 128 and a variation of gaps are fixed bounds (`evidence.constants`), so one share
holds at every level. Clients are weighed as of the end of their running day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors import CLIENT_DETECTORS, Budget, bulk, guessing, over_fetch
from detector.evidence.client import ClientEvidence
from detector.pipeline import Pipeline
from detector.state.cells import enter_pasts
from detector.state.layout import COUNTER

MINUTE_US = 60_000_000
LEVELS = (1e-2, 1e-3, 1e-4)
MOST = 200_000  # clients weighed: at 1e-4 twenty are expected

STATISTICS = {"bulk": bulk.statistic, "guessing": guessing.statistic, "over_fetch": over_fetch.statistic}
"""What a detector holds against its threshold."""

CHANNELS = ("cold", "foreign", "pure", "no_login", "volume", "miss", "tries", "over", "rows", "amount")
"""Evidence in nats of single channels (`ClientEvidence`): what statistics are made of."""


@dataclass
class Peaks:
    """The largest score each cell has come to, where the state counts in cells (``past``, field ``score``).

    A cumulative sum of log likelihood ratios needs e^h ticks to h on average (Lorden 1971), so in a run of n minutes at
    most a share n / e^h of the sequences comes to h.
    """

    minutes: int = 0
    _peak: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    _minute: int = -1

    def look(self, state: Any, now_us: int) -> None:
        """Looks at the scores, at least once a minute of log time."""
        if now_us // MINUTE_US == self._minute or not hasattr(state, "past"):
            return
        self.minutes, self._minute = self.minutes + 1, now_us // MINUTE_US
        enter_pasts(state.cells, state.past, int(state.counters[COUNTER["minute"]]))
        scores = state.past["score"].reshape(len(state.past), -1)
        if not len(self._peak):
            self._peak = np.full(scores.shape, -1.0)
        live = state.past["born"] > 0
        self._peak[live] = np.maximum(self._peak[live], scores[live])

    def above(self) -> tuple[int, list[int]]:
        """Sequences followed, and how many of them have come as high as each level promises to be rare."""
        live = self._peak[self._peak >= 0]
        minutes = max(self.minutes, 1)
        return len(live), [int(np.count_nonzero(live >= log(minutes / level))) for level in LEVELS]


def survival(pipeline: Pipeline, peaks: Peaks | None = None, most: int = MOST) -> dict[str, Any]:
    """Clients weighed, and how many of them each statistic, channel and detector would name at each level.

    The bound of statistics and channels is e^-nats: ln of an e-value for shares, minus ln p for amounts, their sum for
    both. Sequences of cells are given beside, where there are any.
    """
    clients = pipeline.state.in_use
    reading = np.flatnonzero(clients["tries"].sum(axis=1) > 0)
    chosen = reading[:: max(1, -(-len(reading) // most))]
    named = {name: f"named by {name}" for name in CLIENT_DETECTORS}
    channels = {name: f"channel {name}" for name in CHANNELS}
    counts = {name: [0] * len(LEVELS) for name in (*STATISTICS, *channels.values(), *named.values())}
    a_day = max(pipeline.null.clients_a_day, 100.0)
    budgets = [Budget(level * a_day / Budget.CLIENTS) for level in LEVELS]
    for slot in chosen.tolist():
        client = clients[slot].copy()
        client["raised"] = 0
        evidence = ClientEvidence(client, pipeline.null)
        for name, (_, judge) in CLIENT_DETECTORS.items():
            for place, budget in enumerate(budgets):
                if judge(evidence, budget) is None:
                    break  # a stricter one will not name it either
                counts[named[name]][place] += 1
        found = {name: statistic(evidence) for name, statistic in STATISTICS.items()}
        found |= {title: float(getattr(evidence, name)) for name, title in channels.items()}
        for name, nats in found.items():
            for place, level in enumerate(LEVELS):
                counts[name][place] += int(nats >= -log(level))
    sequences, above = peaks.above() if peaks else (0, [])
    cells = {"cells": {"sequences": sequences, "above": above}} if sequences else {}
    return {**cells, "clients": len(chosen), "of": len(reading), "levels": list(LEVELS), "named": counts}
