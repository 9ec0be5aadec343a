"""Reads by declared parties held against the policy and the ledger: what each of them is found to be.

A read waits until the ledger can know what was so at its second: as long as the ledger has taken at most in the last
day (`Ledger.grace_us`). Until then it is one of dtype `PENDING`; what comes out is a verdict, a word of bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.evidence.ledger import BEFORE_GRANT, NO_GRANT, OTHER_SCOPE, REVOKED, TICKED, Ledger
from detector.evidence.outcome import READING
from detector.evidence.policy import Policy
from detector.records.batch import DECLARED, MISS, OUTSIDE, STATIC, Batch
from detector.records.shape import METHODS

SMELLING, OTHER_CLASS, OTHER_PURPOSE, OTHER_HOURS = 32, 64, 128, 256
OTHER_COUNTRY, OTHER_NETWORK, EXPIRED, NO_PURPOSE = 512, 1024, 2048, 4096
WHILE_AWAY, OF_DORMANT, DRIFTED = 8192, 16384, 32768

VERDICTS: dict[int, str] = {
    NO_GRANT: "reads_without_grant",
    BEFORE_GRANT: "reads_before_grant",
    REVOKED: "reads_after_revocation",
    TICKED: "reads_on_ticked_grant",
    OTHER_SCOPE: "reads_beyond_scope",
    SMELLING: "reads_on_smelling_grant",
    OTHER_CLASS: "reads_of_other_classes",
    OTHER_PURPOSE: "reads_for_other_purposes",
    OTHER_HOURS: "reads_at_other_hours",
    OTHER_COUNTRY: "reads_from_other_countries",
    OTHER_NETWORK: "reads_from_other_networks",
    EXPIRED: "reads_after_its_end",
    NO_PURPOSE: "reads_without_purpose",
    WHILE_AWAY: "reads_while_away",
    OF_DORMANT: "reads_of_dormant_persons",
    DRIFTED: "reads_for_drifted_purposes",
}
"""Bit of a verdict → what findings call it."""

OF_LEDGER = NO_GRANT | BEFORE_GRANT | REVOKED | TICKED | OTHER_SCOPE
OF_USE = WHILE_AWAY | OF_DORMANT | DRIFTED  # no rule: what speaks for them is said with them (`detectors.usage`)

PENDING: list[tuple[str, str]] = [
    ("time_us", "i8"),
    ("subject", "u8"),
    ("purpose", "u8"),
    ("classes", "u4"),
    ("network", "u4"),
    ("party", "i4"),
    ("outside", "u1"),
]


class Verdict(NamedTuple):
    """What reads are found to be: bits; the class of data (a place in the policy) that decided it; the second in which
    the grant that counts was given, 0 = none was needed or there is none."""

    bits: npt.NDArray[np.uint32]
    place: npt.NDArray[np.int64]
    since_s: npt.NDArray[np.int64]


class Reads:
    """Which rows are reads of a declared party, and of what.

    Args:
        policy: the parties and classes.
        data_classes: the declared classes of what a route hands out.
    """

    def __init__(self, policy: Policy, data_classes: Callable[[int], tuple[str, ...]]) -> None:
        self._policy = policy
        self._data_classes = data_classes
        self._bits: npt.NDArray[np.uint32] = np.zeros(1, np.uint32)  # by route
        self._readable = np.array([m in READING for m in METHODS], np.bool_)

    def find(self, batch: Batch, routes: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]] | None:
        """The rows, ascending, and what of them is judged (dtype PENDING); None where there are none.

        Where neither log nor map says whose record it was, the object read stands for the person.

        Args:
            batch: with routes assigned.
            routes: how many routes are known.
        """
        if not batch.partner.any():
            return None
        rows = np.flatnonzero(batch.partner)
        party = self._policy.party_of(batch.partner[rows])
        rows, party = rows[party >= 0], party[party >= 0]
        self._learn(routes)
        classes = self._bits[batch.route[rows]]
        answered = _answered(batch.status[rows])
        plain = (batch.flags[rows] & (MISS | STATIC)) == 0
        kept = (classes > 0) & answered & plain & self._readable[batch.method[rows]]
        rows, party, classes = rows[kept], party[kept], classes[kept]
        if not len(rows):
            return None
        found = np.zeros(len(rows), PENDING)
        found["time_us"], found["purpose"] = batch.time_us[rows], batch.purpose[rows]
        found["subject"] = person_of(batch, rows)
        found["classes"], found["network"], found["party"] = classes, batch.network[rows], party
        found["outside"] = (batch.flags[rows] & OUTSIDE) != 0
        return rows, found

    def own(self, batch: Batch, routes: int) -> npt.NDArray[np.int64] | None:
        """The rows, ascending, by which persons show that they are there: whoever is no party, or the owner's own
        program, reads what is theirs. None where nobody's use of grants is looked at."""
        if not self._policy.watched.any():
            return None
        self._learn(routes)
        open_to = (batch.flags & (MISS | STATIC | DECLARED)) == 0
        named = (batch.subject != 0) | (batch.object != 0)
        rows = np.flatnonzero((self._bits[batch.route] > 0) & open_to & named & _answered(batch.status))
        if batch.partner.any():
            party = self._policy.party_of(batch.partner[rows])
            rows = rows[(batch.partner[rows] == 0) | ((party >= 0) & self._policy.own[party])]
        return rows

    def _learn(self, routes: int) -> None:
        if routes + 1 > len(self._bits):
            known = [self._policy.bits(self._data_classes(r)) for r in range(len(self._bits), routes + 1)]
            self._bits = np.concatenate([self._bits, np.array(known, np.uint32)])


def person_of(batch: Batch, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Whose records rows read, uint64; where neither log nor map says it, the object read stands for the person."""
    found: npt.NDArray[np.uint64] = np.where(batch.subject[rows] != 0, batch.subject[rows], batch.object[rows])
    return found


def _answered(status: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (status == 0) | ((status >= 200) & (status < 300)) | (status == 304)
    return found


def judge(reads: Mapping[str, npt.NDArray[Any]], policy: Policy, ledger: Ledger) -> Verdict:
    """Holds reads against what was agreed and, where the ledger can be trusted, against what persons have granted.

    Args:
        reads: the columns of PENDING.
        policy: the parties.
        ledger: as of at least the grace after the last read.
    """
    party = reads["party"].astype(np.int64)
    needs = reads["classes"] & policy.consent[party]
    if ledger.is_stale or not ledger.moment_us:
        needs = np.zeros(len(party), np.uint32)
    bits, place, since = ledger.look_up(reads["time_us"], reads["subject"], party, needs, reads["purpose"])
    other = reads["classes"] & ~policy.allowed[party]
    bits |= np.where(other != 0, np.uint32(OTHER_CLASS), np.uint32(0))
    led = np.flatnonzero((needs == 0) | (other != 0))  # no grant decided those
    place[led] = _lowest(np.where(other[led] != 0, other[led], reads["classes"][led]))
    bits |= _mark((reads["classes"] & policy.content[party] != 0) & (reads["purpose"] == 0), NO_PURPOSE)
    bits |= _mark(reads["outside"] > 0, OTHER_NETWORK)
    bits |= _mark(reads["time_us"] >= policy.until_us[party], EXPIRED)
    minute = reads["time_us"] // 60_000_000 % 1440
    bits |= _mark(policy.minutes[party, minute] == 0, OTHER_HOURS)
    for p in np.flatnonzero(np.bincount(party)).tolist():
        said = policy.purposes[p]
        if not said and not policy.parties[p].countries:
            continue
        own = party == p
        if said:
            known = np.isin(reads["purpose"], np.array(sorted(said), np.uint64)) | (reads["purpose"] == 0)
            bits |= _mark(own & ~known, OTHER_PURPOSE)
        if policy.parties[p].countries:
            bits |= _mark(own & policy.elsewhere(p, reads["network"]), OTHER_COUNTRY)
    return Verdict(bits, place, since)


def _mark(where: npt.NDArray[np.bool_], bit: int) -> npt.NDArray[np.uint32]:
    return where * np.uint32(bit)


def _lowest(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """The lowest bit set, as its place."""
    low = bits & (~bits + np.uint32(1))
    found: npt.NDArray[np.int64] = np.log2(np.maximum(low, 1)).astype(np.int64)
    return found
