"""How often ordinary clients reach a detector's statistic: against the share its threshold promises.

A detector is asked as it is, with thresholds lowered to those of a budget of one false client in a hundred, a thousand
and ten thousand; so whatever else it asks for (two groups of evidence, a floor) counts. Clients are weighed as of the
end of their running day.
"""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from detector.detectors import CLIENT_DETECTORS, Budget
from detector.evidence.client import ClientEvidence
from detector.pipeline import Pipeline

LEVELS = (1e-2, 1e-3, 1e-4)
MOST = 200_000  # clients weighed: at 1e-4 twenty are expected

CHANNELS = ("cold", "miss", "volume")
"""Evidence in nats of single channels (`ClientEvidence`): what detectors add up."""


def survival(pipeline: Pipeline, most: int = MOST) -> dict[str, Any]:
    """Clients weighed, and how many of them each detector, and each channel, would name at each level.

    The channels' bound is e^-nats: ln of an e-value for coldness and misses, minus ln p for the amount.
    """
    clients = pipeline.state.in_use
    reading = np.flatnonzero(clients["tries"].sum(axis=1) > 0)
    chosen = reading[:: max(1, -(-len(reading) // most))]
    counts = {name: [0] * len(LEVELS) for name in (*CLIENT_DETECTORS, *CHANNELS)}
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
                counts[name][place] += 1
        for name in CHANNELS:
            nats = float(getattr(evidence, name))
            for place, level in enumerate(LEVELS):
                counts[name][place] += int(nats >= -log(level))
    return {"clients": len(chosen), "of": len(reading), "levels": list(LEVELS), "named": counts}
