"""Requests that ask for many numbers at once: a row a number, the request's size and records on the first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detector.simulate.cast import Cast
from detector.simulate.columns.rows import Ints, Rows, rows_of
from detector.simulate.site import CODE

_BYTES = (60, 45)  # of an answer: its frame, and each number found (a name, a picture's address)
_PHONES = 491_500_000_000  # +49 15x ...: where the numbers of the catalogue begin


def look_ups(
    time_us: Ints, cast: Cast, sizes: Ints, numbers: Ints, known: npt.NDArray[np.bool_], actor: Ints | None = None
) -> Rows:
    """Contact look-ups.

    Args:
        time_us, cast, sizes: a moment, an identity and how many numbers, for each request.
        numbers, known: of all requests one behind the other; what is not known is answered 404 in its row.
        actor: the attacker's identity, for each request.
    """
    request = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum(sizes) - sizes
    found = np.add.reduceat(known, first).astype(np.int64) if len(sizes) else sizes
    rows = rows_of(
        time_us[request],
        address=cast.address[request],
        who=cast.who[request],
        agent=cast.agent[request],
        form=CODE["discover"],
        number=_PHONES + numbers,
        status=np.where(known, 200, 404),
        batch=sizes[request],
        requests=0,
        rows=known,
        actor=-1 if actor is None else actor[request],
    )
    rows["requests"][first] = 1
    rows["rows"][first] = found
    rows["size"][first] = _BYTES[0] + _BYTES[1] * found
    return rows
