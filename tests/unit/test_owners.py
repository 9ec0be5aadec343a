"""Whose a record is by who comes back to it, what a stranger's read counts as, and what follows for a harvester."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors import Budget, bulk
from detector.evidence.client import ClientEvidence, Null
from detector.evidence.learn import CLASS_HOURS, WEEK_HOURS, learn, upper
from detector.pipeline import Pipeline, Rules
from detector.records.batch import KINDS, Batch
from detector.state.layout import Sizes
from detector.state.owners import OWNER_SAMPLE
from tests.unit.test_habits import HABIT, NOW, NULL, crowd, slot
from tests.unit.test_sign_in import ODD, ThreeRoutes

ACCOUNT, ADDRESS = KINDS.index("account"), KINDS.index("address")
MIDNIGHT = 20_000 * 86_400_000_000
HOUR = 3600.0
SMALL = Sizes(1 << 12, 1 << 16, 1 << 6)
Read = tuple[float, int, int]  # hour, client, record; clients from 100 on are addresses


def watched(n: int, route: int = 1) -> npt.NDArray[np.uint64]:
    """Hashes of objects that are in the sample, found by `tables_kernel.mix` done with numpy."""
    objects = np.arange(1, 100 * OWNER_SAMPLE * n, dtype=np.uint64) * ODD
    x = objects ^ np.uint64(route * int(ODD) % (1 << 64))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return objects[(x ^ (x >> np.uint64(31))) >> np.uint64(58) == 0][:n]


def key_of(who: int) -> int:
    """The hash of a client."""
    return (who + 1) * int(ODD) % (1 << 64)


def reads(rows: list[Read]) -> Batch:
    """Reads of watched records in log order."""
    hour, who, record = (np.array(column) for column in zip(*sorted(rows), strict=True))
    batch = Batch.empty(len(rows))
    batch.time_us[:] = MIDNIGHT + np.round(hour * HOUR).astype(np.int64) * 1_000_000
    batch.client[:] = (who.astype(np.uint64) + np.uint64(1)) * ODD
    batch.kind[:] = np.where(who < 100, ACCOUNT, ADDRESS)
    batch.method[:], batch.requests[:], batch.status[:], batch.route[:], batch.number[:] = 1, 1, 200, 1, -1
    batch.object[:] = watched(int(record.max()) + 1)[record]
    batch.position[:] = np.arange(len(rows)) * 100
    return batch


def fresh(sizes: Sizes = SMALL) -> Pipeline:
    """A pipeline that has seen nothing."""
    return Pipeline(Rules(), sizes, ThreeRoutes())  # type: ignore[arg-type]


def counted(line: Pipeline, who: int) -> tuple[int, int]:
    """Reads of established records by a client, and those of them that were another's."""
    (mine,) = (c for c in line.state.in_use if int(c["key"]) == key_of(who))
    return int(mine["established"].sum()), int(mine["foreign"].sum())


A, B, C, D, STRANGER = range(5)
OWNED = [(0.0, A), (1.1, A), (2.1, A)]


@pytest.mark.parametrize(
    ("before", "last", "found"),
    [
        (OWNED, (3.0, STRANGER), (1, 1)),
        (OWNED[:2], (3.0, STRANGER), (0, 0)),
        ([(0.0, A), (0.2, A), (0.4, A)], (3.0, STRANGER), (0, 0)),
        (OWNED, (3.0, A), (0, 0)),
        (OWNED, (24.5, A), (1, 0)),
        ([*OWNED, (2.2, B), (2.3, C)], (3.0, STRANGER), (1, 0)),
        ([*OWNED, (2.2, 101), (2.3, 102)], (3.0, STRANGER), (1, 0)),
        ([*OWNED, (2.2, B)], (3.0, STRANGER), (1, 1)),
        ([(0.0, B), (1.0, A), (2.0, A), (3.0, A)], (5.0, STRANGER), (1, 1)),
        ([(0.0, A), (1.0, B), (25.0, A), (26.0, B), (49.5, A)], (50.5, B), (2, 0)),
        ([(hour, 100) for hour, _ in OWNED], (3.0, STRANGER), (0, 0)),
        (OWNED, (3.0, 100), (0, 0)),
    ],
    ids=[
        "a stranger's",
        "read twice before",
        "three times in an hour",
        "its owner's, the same day",
        "its owner's, the next day",
        "three have read it",
        "addresses have",
        "one other has",
        "its owner came second",
        "two share it",
        "an address came back",
        "an address's",
    ],
)
def test_whose_a_record_is_follows_from_who_comes_back(
    before: list[tuple[float, int]], last: tuple[float, int], found: tuple[int, int]
) -> None:
    """A record read in three separate hours by one account, and hardly by others, is its own; addresses own nothing,
    read no one's, and make public what they read."""
    line = fresh()
    line.take(reads([(hour, who, 0) for hour, who in [*before, last]]))
    assert counted(line, last[1]) == found


def test_what_its_owner_comes_back_to_is_not_pushed_out() -> None:
    """In a table of one bucket the record read in three hours outlives ten that were read once each."""
    line = fresh(Sizes(1 << 12, 4 * OWNER_SAMPLE, 1 << 6))
    once = [(3.0 + other, B, 1 + other) for other in range(10)]
    line.take(reads([*((hour, who, 0) for hour, who in OWNED), *once, (14.0, STRANGER, 0)]))
    assert len(line.state.owners) == 4
    assert counted(line, STRANGER) == (1, 1)


def week(seed: int) -> Batch:
    """Sixty accounts come back to three records each for five days; some read a neighbour's, addresses read any."""
    rng = np.random.default_rng(seed)
    n = 6000
    who = np.where(rng.random(n) < 0.1, 100 + rng.integers(0, 20, n), rng.integers(0, 60, n))
    whose = np.where(rng.random(n) < 0.05, rng.integers(0, 60, n), who % 60)
    rows = zip(rng.uniform(0, 120, n), who.tolist(), (whose * 3 + rng.integers(0, 3, n)).tolist(), strict=True)
    return reads([(float(hour), a, b) for hour, a, b in rows])


def test_owners_do_not_depend_on_cuts_and_outlive_a_snapshot() -> None:
    """Whole, in pieces, and taken up half way by another process: the same table, the same counts."""
    batch = week(3)
    whole, pieces, first, second = fresh(), fresh(), fresh(), fresh()
    whole.take(batch)
    for at in range(0, len(batch), 97):
        pieces.take(batch.take(slice(at, at + 97)))
    first.take(batch.take(slice(0, 3000)))
    second.state.load(first.state.save())
    second._next_learning, second._begin_us = first._next_learning, first._begin_us
    second.take(batch.take(slice(3000, len(batch))))
    for line in (pieces, second):
        assert line.state.owners.tobytes() == whole.state.owners.tobytes()
        for field in ("established", "foreign", "foreign_expected"):
            assert line.state.in_use[field].tobytes() == whole.state.in_use[field].tobytes(), field
    assert whole.state.in_use["foreign"].sum() > 50
    assert whole.state.in_use["established"].sum() > 3 * whole.state.in_use["foreign"].sum()


def test_nobody_teaches_a_route_his_own_normality() -> None:
    """Of a hundred strange reads of one account in a day eight change what is usual; the others do count for him."""
    owned = [(hour, A, record) for record in range(100) for hour, _ in OWNED]
    line = fresh()
    line.take(reads([*owned, *((3.0 + record / 100, STRANGER, record) for record in range(100))]))
    assert counted(line, STRANGER) == (100, 100)
    trials, foreign = line.state.routes["owned"][1].tolist()
    assert (trials, foreign) == (8.0, 8.0)
    (mine,) = (c for c in line.state.in_use if int(c["key"]) == key_of(STRANGER))
    assert float(mine["foreign_expected"][0]) == pytest.approx(
        sum((5 + min(k, 8)) / (10 + min(k, 8)) for k in range(100))
    )


def reader(foreign: int, established: int, pure: bool = True) -> npt.NDArray[Any]:
    """An account that reads six hundred records in a place where their owners have read most of them that day."""
    one = slot(600, 610 if pure else 2500, 0.5)
    one["kind"] = ACCOUNT
    one["established"][0], one["foreign"][0], one["foreign_expected"][0] = established, foreign, 0.05 * established
    return one


RARE = replace(NULL, habits={1: replace(HABIT, strangers=0.02)})


def test_whose_records_they_are_answers_what_coldness_says_against_a_harvester() -> None:
    """Ten strange reads in six hundred convict an account that does nothing else, where coldness alone acquits it; not
    where a class of accounts does so, not one that looks around first as clerks do, not a reader of what is shared, not
    on a single read, and never an address."""
    judged = {
        "harvester": bulk.judge(ClientEvidence(reader(10, 10), RARE), Budget()),
        "unknown": bulk.judge(ClientEvidence(reader(10, 10), NULL), Budget()),
        "usual": bulk.judge(
            ClientEvidence(reader(10, 10), replace(NULL, habits={1: replace(HABIT, strangers=0.2)})), Budget()
        ),
        "clerk": bulk.judge(ClientEvidence(reader(10, 10, pure=False), RARE), Budget()),
        "shared": bulk.judge(ClientEvidence(reader(1, 10), RARE), Budget()),
        "once": bulk.judge(ClientEvidence(reader(1, 1), RARE), Budget()),
    }
    assert {name for name, signal in judged.items() if signal} == {"harvester"}
    signal = judged["harvester"]
    assert signal is not None
    (told,) = (f for f in signal.evidence if f.name == "records_of_other_accounts_sampled")
    assert (told.value, told.expected, told.weight) == (10.0, 0.5, round(-log(0.02), 1))
    other = reader(10, 10)
    other["kind"] = ADDRESS
    assert ClientEvidence(other, RARE).foreign == 0.0


def test_coldness_and_strangeness_are_one_group_of_evidence() -> None:
    """Together they say what the mean of both says, never less than coldness; without volume they convict nobody."""
    evidence = ClientEvidence(reader(10, 10), RARE)
    assert evidence.cold < 0.0
    assert evidence.foreign - log(2.0) <= evidence.whose < evidence.foreign
    cold = reader(10, 10)
    cold["cold"][0], cold["cold_expected"][0] = 600, 60.0
    evidence = ClientEvidence(cold, RARE)
    assert evidence.whose == evidence.cold > evidence.foreign > 0.0
    few = reader(10, 10)
    few["fresh"][0] = few["requests"][0] = few["distinct_before"] = 8
    few["cold"][0], few["cold_expected"][0] = 4, 7.8
    assert bulk.judge(ClientEvidence(few, replace(RARE, floor=1)), Budget()) is None


def test_how_many_read_what_is_others_is_learnt_of_accounts_that_read_as_much() -> None:
    """Nothing for a week; then the bound on those who do; and nothing for two weeks after three did as if by trade."""
    state = crowd({1: 1000})
    clients, row = state.in_use, state.routes[1:2]
    clients["kind"] = ACCOUNT
    clients["established"][:400] = 1
    hour = NOW // 3_600_000_000
    assert learn(state, Null(), NOW).habits[1].strangers == 1.0
    row["owned_since"] = hour - WEEK_HOURS + 1
    assert learn(state, Null(), NOW).habits[1].strangers == 1.0
    row["owned_since"] = hour - WEEK_HOURS
    assert (
        learn(state, Null(), NOW).habits[1].strangers == pytest.approx(upper(0, 400)) == pytest.approx(0.0067, abs=1e-4)
    )
    clients["foreign"][:2, 0], clients["foreign"][:2, 1], clients["established"][:2] = 1, 1, 1
    clients["foreign"][2:40, 0] = 1  # a shared link
    assert learn(state, Null(), NOW).habits[1].strangers == pytest.approx(upper(2, 400))
    clients["established"][:3], clients["foreign"][:3] = 4, 3
    assert learn(state, Null(), NOW).habits[1].strangers == 1.0
    assert row["clerks_hour"][0] == hour
    clients["foreign"] = 0
    for since, known in ((0, False), (CLASS_HOURS - 1, False), (CLASS_HOURS, True)):
        row["clerks_hour"] = hour - since
        assert (learn(state, Null(), NOW).habits[1].strangers < 0.01) is known
