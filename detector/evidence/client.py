"""What one client's requests say for and against extraction, read from its slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.likelihood import EXTRACTOR, GUESSER, PRIOR_STRENGTH, log_ratio
from detector.evidence.volume import Tail
from detector.state.sketch import distinct

NULL = np.dtype(
    [
        ("cold_strength", "f8"),
        ("miss_strength", "f8"),
        ("has_tail", "?"),
        ("tail_begin", "f8"),
        ("tail_share", "f8"),
        ("tail_excess", "f8"),
        ("clients_a_day", "f8"),
        ("blocks_a_day", "f8"),
        ("settled", "?"),
        ("carried", "?"),
    ]
)


@dataclass(frozen=True)
class Null:
    """What ordinary clients are like, as far as it has been learnt.

    Attributes:
        cold_strength, miss_strength: a0 + b0 of the Beta-binomial null of each channel.
        tail: the upper tail of distinct records a client and day; None while there are too few clients.
        clients_a_day: clients judged a day, for the budget.
        blocks_a_day: blocks of ids opened a day.
        settled: whether the log is long enough for coldness to mean anything.
        floor: fewest distinct records a day whose loss by volume is worth an alert; the user's, not learnt.
        carried: whether it was learnt by an earlier run, from more than the tables hold.
    """

    cold_strength: float = PRIOR_STRENGTH
    miss_strength: float = PRIOR_STRENGTH
    tail: Tail | None = None
    clients_a_day: float = 100.0
    blocks_a_day: float = 100.0
    settled: bool = False
    floor: int = 100
    carried: bool = False

    def save(self) -> npt.NDArray[Any]:
        """All that is learnt of it, as one row (dtype NULL)."""
        row = np.zeros(1, NULL)
        for field in ("cold_strength", "miss_strength", "clients_a_day", "blocks_a_day", "settled", "carried"):
            row[field] = getattr(self, field)
        if self.tail is not None:
            tail = (True, self.tail.begin, self.tail.share, self.tail.excess)
            for field, value in zip(("has_tail", "tail_begin", "tail_share", "tail_excess"), tail, strict=True):
                row[field] = value
        return row

    @classmethod
    def load(cls, row: Any, floor: int) -> Null:
        """What `save` gave, with the user's floor."""
        plain = ("cold_strength", "miss_strength", "clients_a_day", "blocks_a_day", "settled", "carried")
        learnt: dict[str, Any] = {field: row[field].item() for field in plain}
        tail = Tail(float(row["tail_begin"]), float(row["tail_share"]), float(row["tail_excess"]))
        return cls(**learnt, tail=tail if row["has_tail"] else None, floor=floor)


class ClientEvidence:
    """Evidence of one client over the running day and the one before.

    Args:
        slot: a record of dtype ``state.layout.CLIENT``, as of the row that is weighed.
        null: what ordinary clients are like.
    """

    def __init__(self, slot: Any, null: Null) -> None:
        self.slot = slot
        self.null = null

    def total(self, field: str) -> float:
        """Sum of a paired count over both generations."""
        return float(self.slot[field][0] + self.slot[field][1])

    @property
    def cold(self) -> float:
        """Nats for reading what nobody else reads."""
        return log_ratio(
            self.total("cold"), self.total("fresh"), self.total("cold_expected"), EXTRACTOR, self.null.cold_strength
        )

    @property
    def miss(self) -> float:
        """Nats for trying ids that do not exist."""
        return log_ratio(
            self.total("misses"), self.total("tries"), self.total("misses_expected"), GUESSER, self.null.miss_strength
        )

    @property
    def distinct(self) -> float:
        """Distinct records of the larger of the two days (HyperLogLog, standard error 13 %)."""
        today = distinct(self.slot["registers"])
        return max(today, float(self.slot["distinct_before"]))

    @property
    def volume(self) -> float:
        """Nats for reading more distinct records a day than others do."""
        return self.null.tail.nats(self.distinct) if self.null.tail else 0.0

    @property
    def in_order(self) -> int:
        """Attempts in order: the longer of its present run of one step and its present stretch."""
        return max(int(self.slot["run"]), int(self.slot["inside"]) if self.density >= 0.5 else 0)

    @property
    def density(self) -> float:
        """Share of the ids in its present stretch that it has tried."""
        return min(float(self.slot["inside"]) / (float(self.slot["high"] - self.slot["low"]) + 1.0), 1.0)
