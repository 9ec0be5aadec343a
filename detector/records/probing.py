"""Open addressing on whole columns: where the entries of a table stand when all are put in at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def places(home: npt.NDArray[np.int64], size: int, taken: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
    """A free place for each entry, at its home or behind it with only taken places between, as look-ups expect.

    Args:
        home: where each entry would stand in an empty table.
        size: places of the table, a power of two, more than there are entries.
        taken: bool (size,), places taken already; changed in place.
    """
    taken = np.zeros(size, np.bool_) if taken is None else taken
    at = home.astype(np.int64)
    waiting = np.arange(len(home))
    while len(waiting):
        free = np.flatnonzero(~taken[at[waiting]])
        first = free[np.unique(at[waiting[free]], return_index=True)[1]]
        taken[at[waiting[first]]] = True
        waiting = np.delete(waiting, first)
        at[waiting] = (at[waiting] + 1) & (size - 1)  # whoever lost has a taken place before him
    return at
