"""Look-ups in the consent ledger against a plain account of who said what."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evidence.ledger import BEFORE_GRANT, CHANGE, NO_GRANT, REVOKED, TICKED, Ledger
from detector.evidence.policy import Party, Policy
from detector.records.ledger import GRANT, REVOKE

PERSONS, CHANGES, READS, SECONDS = 40, 600, 500, 200
CLASSES = ("bill", "chat", "contact")
PARTIES = (
    Party("bank", 11, consent=CLASSES),
    Party("scorer", 12, consent=("chat",), manners=(0, 1)),
)


def _ledger(rng: np.random.Generator, whole: bool) -> tuple[Ledger, Policy, np.ndarray]:
    """A ledger in which persons change their minds; with or without changes of all classes at once."""
    policy = Policy(PARTIES)
    said = np.zeros(CHANGES, CHANGE)
    said["subject"] = rng.integers(1, PERSONS + 1, CHANGES)
    said["partner"] = policy.partner[rng.integers(0, len(PARTIES), CHANGES)]
    said["data_class"] = policy.class_hash[rng.integers(0, len(CLASSES) + whole, CHANGES)]
    said["time_us"] = said["moment_us"] = np.sort(rng.choice(SECONDS * 1000, CHANGES, replace=False)) * 1_000
    said["time_us"] -= said["time_us"] % 1_000_000
    said["action"] = np.where(rng.random(CHANGES) < 0.6, GRANT, REVOKE)
    said["manner"] = np.where(said["action"] == GRANT, rng.integers(0, 2, CHANGES), 0)
    ledger = Ledger(policy)
    ledger.give(said)
    ledger.advance(SECONDS * 1_000_000)
    return ledger, policy, said


def _told(said: np.ndarray, subject: int, partner: int, data_class: int, second: int, manners: int) -> int:
    """What one class's own changes say of a read, -1 = nothing was ever said."""
    own = (said["subject"] == subject) & (said["partner"] == partner) & (said["data_class"] == data_class)
    if not own.any():
        return -1
    changes = []
    for change in said[own]:
        us = change["moment_us"] if change["action"] == REVOKE else change["time_us"]
        changes.append((int(us) // 1_000_000, int(change["action"] == GRANT) | int(change["manner"]) << 1))
    found = NO_GRANT
    for at, code in sorted(set(changes)):
        if at > second:
            return BEFORE_GRANT if found == NO_GRANT else found
        if code & 1:
            found = 0 if manners >> (code >> 1) & 1 else TICKED
        elif at < second:
            found = REVOKED
    return found


@pytest.mark.parametrize("whole", [False, True])
def test_each_read_is_found_to_be_what_its_person_had_said(whole: bool) -> None:
    """Several classes a read, more reads than are fetched ahead, grants of one class and of all of them."""
    rng = np.random.default_rng(8)
    ledger, policy, said = _ledger(rng, whole)
    subject = rng.integers(1, PERSONS + 3, READS).astype(np.uint64)
    party = rng.integers(0, len(PARTIES), READS)
    needs = rng.integers(0, 8, READS).astype(np.uint32) & policy.consent[party]
    second = rng.integers(0, SECONDS, READS)
    got, _, _ = ledger.look_up(second * 1_000_000, subject, party, needs, np.zeros(READS, np.uint64))
    expected = []
    for row in range(READS):
        bits = 0
        p = int(party[row])
        for c in range(len(policy.classes)):
            if not int(needs[row]) >> c & 1:
                continue
            asked = (int(subject[row]), int(policy.partner[p]))
            own, every = (
                _told(said, *asked, int(policy.class_hash[k]), int(second[row]), int(policy.manners[p]))
                for k in (c, len(policy.classes))
            )
            if 0 not in {own, every}:
                bits |= next((told for told in (own, every) if told not in {-1, NO_GRANT}), NO_GRANT)
        expected.append(bits)
    assert got.tolist() == expected
    assert len({*expected}) > 5, "the reads are of many kinds"


def test_grants_of_all_classes_are_found_after_a_snapshot_too() -> None:
    """What a snapshot brings back answers as before, also one made before it said whether there are such grants."""
    rng = np.random.default_rng(9)
    ledger, policy, _ = _ledger(rng, whole=True)
    saved = ledger.save()
    reads = (
        np.full(PERSONS, SECONDS * 1_000_000),
        np.arange(1, PERSONS + 1, dtype=np.uint64),
        np.zeros(PERSONS, np.int64),
        np.full(PERSONS, 2, np.uint32),
        np.zeros(PERSONS, np.uint64),
    )
    for arrays in (saved, {name: kept for name, kept in saved.items() if name != "whole"}):
        other = Ledger(policy)
        other.load(arrays)
        for here, there in zip(ledger.look_up(*reads), other.look_up(*reads), strict=True):
            assert np.array_equal(here, there)
    other = Ledger(policy)
    other.load({**saved, "whole": np.array([False])})
    assert not np.array_equal(ledger.look_up(*reads)[0], other.look_up(*reads)[0]), "such grants decide some"
