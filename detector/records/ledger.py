"""Lines of a consent ledger to rows: who allowed what to whom, took it back, was asked, or said no.

A change travels as a row of a batch, so that it has its place in log time beside the requests, and in snapshots. Its
columns then mean:

* ``client``: keyed hash of the partner's name; ``object``: of the class of data, 0 = all classes;
* ``subject``, ``purpose``, ``consent``: as in requests; ``agent``: keyed hash of the page it was given on (referrer);
* ``status``: what happened, a place in `ACTIONS`; ``rows``: how it was given, a place in `MANNERS`;
* ``number``: when, microseconds; ``time_us``: when the ledger had it, where it says so, else the same;
* ``bytes_out``: when the person was shown the question, microseconds, 0 = not said.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from detector.records.batch import LEDGER, Batch
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.persons import hash_id
from detector.records.resolve import WHOSE, Lines, Scanned

ACTIONS = ("", "grant", "revoke", "view", "decline")
GRANT, REVOKE, VIEW, DECLINE = 1, 2, 3, 4
MANNERS = ("explicit", "default_ticked", "bundled", "other")
OTHER_MANNER = 3

ACTION_WORDS: dict[str, int] = {
    **dict.fromkeys(("grant", "granted", "given", "accept", "accepted", "consent", "opt_in", "authorised"), GRANT),
    **dict.fromkeys(("revoke", "revoked", "withdraw", "withdrawn", "expire", "expired", "opt_out", "delete"), REVOKE),
    **dict.fromkeys(("view", "viewed", "shown", "asked", "prompt", "prompted"), VIEW),
    **dict.fromkeys(("decline", "declined", "deny", "denied", "refuse", "refused", "reject", "rejected"), DECLINE),
}
MANNER_WORDS: dict[str, int] = {
    **dict.fromkeys(("explicit", "active", "ticked", "clicked", "signed", "opt_in"), 0),
    **dict.fromkeys(("default_ticked", "default-ticked", "default", "preticked", "pre_ticked", "pre-ticked"), 1),
    **dict.fromkeys(("bundled", "bundle", "implied", "terms"), 2),
}
ANY_CLASS = ("*", "all", "any")

# Where the words stand among `formats.fields.FIELDS`, see `formats.ledger`
PARTNER, VIEWED, MANNER, CLASS, ACTION, REFERRER, RECEIVED, SUBJECT, PURPOSE, CONSENT = 2, 3, 4, 5, 6, 9, 11, 12, 13, 14
_FIRST, _FIELDS = 2, 13  # those between the first and the last of them


class LedgerResolver:
    """Resolves the accepted lines of a ledger.

    Args:
        key: under which persons and purposes are hashed; the one of the requests.

    Attributes:
        unknown: changes left out, for no action is called so, or no person or partner is named.
    """

    def __init__(self, key: HashKey = REPLAY_KEY) -> None:
        self._words = key.words()
        self._actions = _table(ACTION_WORDS, key)
        self._manners = _table(MANNER_WORDS, key)
        self._any = np.array([hash_id(word, key) for word in ANY_CLASS], np.uint64)
        self.unknown = 0

    def resolve(self, chunk: Lines, fields: Scanned) -> Batch:
        """One row for each line with reason 0 that says what happened, to whose data and for whom, in line order."""
        rows = np.flatnonzero(fields.reason == 0)
        found = np.zeros((_FIELDS, len(rows)), np.uint64)
        if len(rows):
            lines = (chunk.buffer, fields.span.reshape(-1), 2 * fields.span.shape[1], rows)
            WHOSE(*lines, self._words, _FIRST, found)
        of = {code: found[code - _FIRST] for code in range(_FIRST, _FIRST + _FIELDS)}
        action = _looked_up(of[ACTION], self._actions, 0)
        kept = np.flatnonzero((action > 0) & (of[PARTNER] != 0) & ((of[SUBJECT] != 0) | (action == VIEW)))
        self.unknown += len(rows) - len(kept)
        batch = Batch.empty(len(kept))
        batch.flags[:] = LEDGER
        batch.requests[:] = 0
        batch.origin[:] = chunk.origin
        batch.position[:] = chunk.positions[rows[kept]]
        batch.number[:] = fields.time_us[rows[kept]]
        batch.client[:], batch.subject[:] = of[PARTNER][kept], of[SUBJECT][kept]
        batch.purpose[:], batch.consent[:], batch.agent[:] = of[PURPOSE][kept], of[CONSENT][kept], of[REFERRER][kept]
        batch.object[:] = np.where(np.isin(of[CLASS], self._any), np.uint64(0), of[CLASS])[kept]
        batch.status[:] = action[kept]
        batch.rows[:] = np.where(of[MANNER] == 0, 0, _looked_up(of[MANNER], self._manners, OTHER_MANNER))[kept]
        batch.bytes_out[:] = _moments(chunk.buffer, fields.span[rows[kept], VIEWED])
        received = _moments(chunk.buffer, fields.span[rows[kept], RECEIVED])
        batch.time_us[:] = np.maximum(batch.number, received)
        return batch


def _table(words: dict[str, int], key: HashKey) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Hashes of words in the ways they are written, sorted, and their codes."""
    hashes = {hash_id(way, key): code for word, code in words.items() for way in (word, word.upper(), word.title())}
    order = sorted(hashes)
    return np.array(order, np.uint64), np.array([hashes[h] for h in order], np.int64)


def _looked_up(
    values: npt.NDArray[np.uint64], table: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]], otherwise: int
) -> npt.NDArray[np.int64]:
    hashes, codes = table
    at = np.minimum(np.searchsorted(hashes, values), len(hashes) - 1)
    found: npt.NDArray[np.int64] = np.where(hashes[at] == values, codes[at], otherwise)
    return found


def _moments(buffer: npt.NDArray[np.uint8], span: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Microseconds since 1970 of texts in ISO 8601 (UTC where they name no zone) or epoch seconds or milliseconds; 0
    where there is none."""
    found = np.zeros(len(span), np.int64)
    for row in np.flatnonzero(span[:, 1] > 0).tolist():
        start, length = span[row].tolist()
        found[row] = moment(buffer[start : start + length].tobytes().decode("ascii", "replace"))
    return found


def moment(text: str) -> int:
    """One such text; 0 where it is none between 1970 and 2100."""
    try:
        if text.replace(".", "", 1).isdigit():
            seconds = float(text)
            seconds = seconds / 1000 if seconds > 1e11 else seconds  # a thousand times more than seconds of 2100
        else:
            said = datetime.fromisoformat(text)
            seconds = (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0
    return round(seconds * 1e6) if 0 <= seconds < 4_102_444_800 else 0
