"""What is known of consent at a moment of log time: the grants, how far behind the ledger is, how people were asked.

Changes wait until log time has passed them and are taken in at ticks, so that neither the cuts of batches nor the order
of ledger and log in one minute changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.errors import SnapshotDamaged
from detector.evidence.asking import Asking
from detector.evidence.policy import Policy
from detector.packing import Arrays, adopted, under, within
from detector.records.batch import LEDGER, Batch
from detector.records.ledger import GRANT, REVOKE
from detector.state import grants
from detector.state.grants import Grants
from detector.state.sketch import mix_each

MOST_GRACE_US = 900_000_000  # fifteen minutes (issue and detection facts, 5.1 C1); a ledger later than that is stale
LAG_HOURS = 24  # how long a lag is remembered: what the ledger took yesterday at noon it may take today

CHANGE = np.dtype(
    [
        ("moment_us", "i8"),  # when the ledger had it, in log time
        ("time_us", "i8"),  # when it happened
        ("viewed_us", "i8"),
        ("subject", "u8"),
        ("partner", "u8"),
        ("data_class", "u8"),
        ("purpose", "u8"),
        ("referrer", "u8"),
        ("action", "u1"),
        ("manner", "u1"),
    ]
)

# what a read is found to be, bits of a verdict
NO_GRANT, BEFORE_GRANT, REVOKED, TICKED, OTHER_SCOPE = 1, 2, 4, 8, 16

LOOK_UP = Kernel(
    "detector.evidence.ledger_kernel:look_up",
    [
        *(Array("u8", 2), Scalar("i8"), Scalar("i8")),  # the table; whether it has grants of all classes
        *(
            Array("i8"),
            Array("u8"),
            Array("i8"),
            Array("u4"),
            Array("u8"),
        ),  # reads: second, subject, party, needs, scope
        *(Array("u8", 2), Array("u4")),  # hashes of party and class, manners that count
        *(Array("u4"), Array("i8"), Array("i8")),  # verdicts: bits, class, when the grant that counts was given
    ],
)


def changes_of(batch: Batch, moment_us: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The changes among rows (dtype CHANGE), in their order.

    Args:
        batch: rows of which some have the flag LEDGER.
        moment_us: when each row is judged.
    """
    rows = np.flatnonzero(batch.flags & LEDGER)
    found = np.zeros(len(rows), CHANGE)
    columns: dict[str, npt.NDArray[Any]] = {
        "time_us": batch.number,
        "viewed_us": batch.bytes_out,
        "subject": batch.subject,
        "partner": batch.client,
        "data_class": batch.object,
        "purpose": batch.purpose,
        "referrer": batch.agent,
        "action": batch.status,
        "manner": batch.rows,
    }
    for name, column in columns.items():
        found[name] = column[rows]
    found["moment_us"] = moment_us[rows]
    return found


class Ledger:
    """The consent ledger as of a moment of log time.

    Args:
        policy: who is spoken of.

    Attributes:
        grants: the table.
        asking: how people were asked and what they said, by party and class.
        moment_us: log time up to which changes are taken in; 0 before the first.
        heard: called with changes as they are taken in.
    """

    def __init__(self, policy: Policy) -> None:
        self.grants = Grants()
        self.asking = Asking()
        self.moment_us = 0
        self._waiting: list[npt.NDArray[Any]] = []
        self._lags = np.zeros(LAG_HOURS, np.int64)  # the largest of each hour, by hour modulo LAG_HOURS
        self._hour = 0
        self._last_lag_us = 0
        self._persons: dict[tuple[int, int], int] = {}
        self.heard: Callable[[npt.NDArray[Any]], None] = lambda _: None
        self._whole = False  # whether anybody has ever said anything about all classes at once
        self.agree(policy)

    def agree(self, policy: Policy) -> None:
        """Another policy from now on. Grants are kept by names' hashes, so they outlive it."""
        self.policy = policy
        self._pairs = mix_each(policy.partner[:, None], policy.class_hash[None, :])

    def give(self, changes: npt.NDArray[Any]) -> None:
        """Takes changes to wait for their moment (dtype CHANGE), in the order of their moments."""
        if len(changes):
            self._waiting.append(changes)

    @property
    def is_known(self) -> bool:
        """Whether any change has come, be it one that waits for its moment."""
        return bool(self._waiting or self.moment_us)

    def advance(self, now_us: int) -> None:
        """Log time has reached a tick: takes in every change the ledger had before it."""
        self._pass_hours(now_us)
        if not self._waiting:
            return
        waiting = np.concatenate(self._waiting)
        waiting = waiting[np.argsort(waiting["moment_us"], kind="stable")]
        stop = int(np.searchsorted(waiting["moment_us"], now_us, side="left"))
        due, rest = waiting[:stop], waiting[stop:]
        self._waiting = [rest.copy()] if len(rest) else []
        if len(due):
            self._take(due)
            self.moment_us = max(self.moment_us, int(due["moment_us"][-1]))

    def _pass_hours(self, now_us: int) -> None:
        hour = now_us // 3_600_000_000
        for passed in range(max(self._hour + 1, hour - LAG_HOURS + 1), hour + 1):
            self._lags[passed % LAG_HOURS] = 0
        self._hour = max(self._hour, hour)

    def _take(self, due: npt.NDArray[Any]) -> None:
        lag = np.maximum(due["moment_us"] - due["time_us"], 0)
        fresh = lag[lag <= 24 * 3_600_000_000]  # what is older is a history read in, not a delay
        if len(fresh):
            at = self._hour % LAG_HOURS
            self._lags[at] = max(int(self._lags[at]), int(fresh.max()))
            self._last_lag_us = int(np.median(fresh))
        party, place = self.policy.party_named(due["partner"]), self.policy.class_named(due["data_class"])
        self.asking.note(due, party, place)
        self.heard(due)
        kept = np.flatnonzero((due["action"] == GRANT) | (due["action"] == REVOKE))
        said = due[kept]
        # A revocation counts from when the ledger had it, at most the grace later: nobody can obey what is not known.
        known_us = np.minimum(said["moment_us"], said["time_us"] + MOST_GRACE_US)
        at_us = np.where(said["action"] == REVOKE, known_us, said["time_us"])
        code = np.where(said["action"] == GRANT, grants.GRANT, grants.REVOKE) | (said["manner"].astype(np.int64) << 1)
        self._whole = self._whole or bool((said["data_class"] == 0).any())
        keys = keys_of(said["subject"], said["partner"], said["data_class"])
        new = self.grants.put(keys, grants.info(at_us // 1_000_000, said["purpose"], code)) == 1
        self._count(party[kept][new], place[kept][new])

    def _count(self, party: npt.NDArray[np.int64], place: npt.NDArray[np.int64]) -> None:
        width = len(self.policy.class_hash) + 1
        known = (party + 1) * width + place + 1  # -1 = not known
        for pair, n in enumerate(np.bincount(known).tolist()):
            p, c = pair // width - 1, pair % width - 1
            if n and p >= 0:
                self._persons[p, c] = self._persons.get((p, c), 0) + n

    def persons_asked(self, party: int, place: int) -> int:
        """How many persons have ever said anything to a party about a class of data, or about all of them."""
        return self._persons.get((party, place), 0) + self._persons.get((party, len(self.policy.classes)), 0)

    @property
    def grace_us(self) -> int:
        """How long a read waits for the ledger: the longest it has taken in the last day, at most `MOST_GRACE_US`."""
        return min(int(self._lags.max()), MOST_GRACE_US)

    @property
    def is_stale(self) -> bool:
        """Whether what came last came later than can be waited for: nobody is accused meanwhile."""
        return self._last_lag_us > MOST_GRACE_US

    @property
    def lag_us(self) -> int:
        """How long the ledger took for what it had last."""
        return self._last_lag_us

    def look_up(
        self,
        time_us: npt.NDArray[np.int64],
        subject: npt.NDArray[np.uint64],
        party: npt.NDArray[np.int64],
        needs: npt.NDArray[np.uint32],
        purpose: npt.NDArray[np.uint64],
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Holds reads against the grants, each at its own second.

        Args:
            time_us, subject, party, purpose: of each read.
            needs: bits of the classes that need a grant.

        Returns:
            Bits of the verdict, 0 = granted; the class found wanting first, else the first asked for; the second at
            which the grant that counts was given, 0 where there is none.
        """
        n = len(time_us)
        bits, place, since = np.zeros(n, np.uint32), np.zeros(n, np.int64), np.zeros(n, np.int64)
        if n:
            LOOK_UP(
                *(self.grants.words, self.grants.capacity, int(self._whole)),
                *(time_us // 1_000_000, subject, party, needs, purpose),
                *(self._pairs, self.policy.manners, bits, place, since),
            )
        return bits, place, since

    def save(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything."""
        persons = [[p, c, n] for (p, c), n in sorted(self._persons.items())]
        return {
            "grants": self.grants.save(),
            "waiting": np.concatenate([np.zeros(0, CHANGE), *self._waiting]),
            "lags": self._lags.copy(),
            "numbers": np.array([self.moment_us, self._hour, self._last_lag_us], np.int64),
            "persons": np.array(persons, np.int64).reshape(-1, 3),
            "whole": np.array([self._whole], np.bool_),
            **under("asking", self.asking.save()),
        }

    def load(self, arrays: Arrays) -> None:
        """Takes back what `save` gave.

        Raises:
            SnapshotDamaged: it does not fit.
        """
        if len(arrays["lags"]) != LAG_HOURS:
            raise SnapshotDamaged("snapshot: its consent ledger has another day")
        self.grants.load(np.ascontiguousarray(arrays["grants"]).reshape(-1, 2))
        waiting = adopted(arrays["waiting"], CHANGE)
        self._waiting = [waiting.copy()] if len(waiting) else []
        self._lags[:] = arrays["lags"]
        self.moment_us, self._hour, self._last_lag_us = arrays["numbers"].tolist()
        self._persons = {(p, c): n for p, c, n in arrays["persons"].reshape(-1, 3).tolist()}
        self._whole = bool(arrays["whole"][0]) if "whole" in arrays else True  # older ones do not say: look for them
        self.asking.load(within("asking", arrays))


def keys_of(
    subject: npt.NDArray[np.uint64], partner: npt.NDArray[np.uint64], data_class: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """What grants are kept by; `ledger_kernel.key_of` for columns."""
    keys = mix_each(subject, mix_each(partner, data_class))
    keys[keys == 0] = 1
    return keys
