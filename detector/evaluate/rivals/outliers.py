"""pyod's HBOS, IForest and ECOD on hourly client features, at a threshold no ordinary client of the warm-up passed.

They are taught clean traffic, which flatters them: with a tenth of attackers in their training they collapse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evaluate.rivals.hourly import Hour

Floats = npt.NDArray[np.float64]

_TRAINED = 20_000  # rows at most: ECOD ranks what it scores together with all of them
_AT_ONCE = 20_000  # rows scored at once: ECOD needs some rows beside, and time that grows with both


def _hbos() -> Any:
    from pyod.models.hbos import HBOS

    return HBOS(n_bins=50)


def _iforest() -> Any:
    from pyod.models.iforest import IForest

    return IForest(n_estimators=100, random_state=1)


def _ecod() -> Any:
    from pyod.models.ecod import ECOD

    return ECOD()


MODELS: dict[str, Callable[[], Any]] = {"HBOS": _hbos, "IForest": _iforest, "ECOD": _ecod}


@dataclass(frozen=True)
class Fitted:
    """A model and the score above which it accuses."""

    name: str
    model: Any
    threshold: float

    def scores(self, values: Floats) -> Floats:
        """The larger, the more unlike what was learnt."""
        parts = [self.model.decision_function(values[k : k + _AT_ONCE]) for k in range(0, len(values), _AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty(0)


def fit(hours: list[Hour]) -> list[Fitted]:
    """Models taught the second half of the hours but the last; their thresholds come from all the others.

    Fewer than three hours teach nothing.
    """
    if len(hours) < 3:
        return []
    taught = hours[len(hours) // 2 :: 2]
    rows = np.concatenate([hour.values for hour in taught])
    rows = rows[:: max(1, -(-len(rows) // _TRAINED))]
    found = []
    for name, make in MODELS.items():
        model = make()
        model.fit(rows)
        fitted = Fitted(name, model, 0.0)
        rest = [hour for hour in hours if all(hour is not t for t in taught)]
        largest = max(float(fitted.scores(hour.values).max()) for hour in rest)
        found.append(Fitted(name, model, largest))
    return found
