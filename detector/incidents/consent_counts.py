"""Of each story about consent, how many reads and how many persons there are of each kind of breach."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.consent import VERDICTS
from detector.incidents.consent_persons import EXACT
from detector.incidents.exposure import Exposure
from detector.incidents.incident import Estimate
from detector.packing import Arrays, adopted, joined, parted

COUNTED = np.dtype([("key", "u8"), ("bit", "u4"), ("count", "i8")])
_PARTS = (("settled", "u8"), ("new", "u8"), ("registers", "u1"))


class Counts:
    """Reads and distinct persons by story key and bit of a verdict."""

    def __init__(self) -> None:
        self._reads: dict[tuple[int, int], int] = {}
        self._persons: dict[tuple[int, int], Exposure] = {}

    def add(self, key: int, bits: npt.NDArray[np.uint32], subject: npt.NDArray[np.uint64]) -> None:
        """Takes in the reads of one story: what each is found to be, and whose record it read."""
        for bit in VERDICTS:
            meant = (bits & bit) != 0
            n = int(np.count_nonzero(meant))
            if n:
                self._reads[key, bit] = self._reads.get((key, bit), 0) + n
                self._persons.setdefault((key, bit), Exposure(EXACT)).add(subject[meant & (subject != 0)])

    def reads(self, key: int, bit: int) -> int:
        """How many reads."""
        return self._reads.get((key, bit), 0)

    def persons(self, key: int, bit: int) -> Estimate:
        """Of how many persons."""
        known = self._persons.get((key, bit))
        return known.estimate() if known is not None else Estimate(0, 0, 0)

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything."""
        keys = sorted(self._reads)
        saved = [self._persons.get(key, Exposure(EXACT)).save() for key in keys]
        kept: dict[str, npt.NDArray[Any]] = {
            "reads": np.array([(key, bit, self._reads[key, bit]) for key, bit in keys], COUNTED)
        }
        for number, (name, dtype) in enumerate(_PARTS):
            kept |= joined(name, [parts[number] for parts in saved], dtype)
        return kept

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave."""
        rows = adopted(arrays["reads"], COUNTED).tolist()
        self._reads = {(int(key), int(bit)): int(n) for key, bit, n in rows}
        self._persons = {}
        parts = [parted(name, arrays, len(rows)) for name, _ in _PARTS]
        for key, settled, new, registers in zip(list(self._reads), *parts, strict=True):
            self._persons[key] = Exposure(EXACT)
            self._persons[key].load(settled, new, registers)
