"""Accounts that were never seen to sign in: who is marked, what is usual, and what follows for a harvester."""

from __future__ import annotations

import threading
from dataclasses import replace
from math import exp, inf, log
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.detectors import Budget, bulk
from detector.evidence.client import ClientEvidence, Null
from detector.evidence.learn import learn
from detector.evidence.sign_in import is_sign_in
from detector.pipeline import Pipeline, Rules
from detector.records.batch import KINDS, Batch
from detector.records.looks import Looks
from detector.state.layout import SIGNED, Sizes
from tests.unit.test_habits import HABIT, NOW, NULL, crowd, slot

ACCOUNT = KINDS.index("account")
ODD = np.uint64(0x9E3779B97F4A7C15)
START = 1_700_000_000_000_000
READ, SIGN_IN, SEARCH = 1, 2, 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("POST /api/v1/login", True),
        ("POST /oauth2/token", True),
        ("GET /users/sign_in", True),
        ("POST /Login.aspx", True),
        ("DELETE /sessions/{id}", True),
        ("GET /items/{id}", False),
        ("GET /tokenizers/{id}", False),
        ("GET /search?session", False),
    ],
)
def test_a_sign_in_is_told_by_a_whole_word_of_its_path(name: str, said: bool) -> None:
    """Words of frameworks and OAuth, without a suffix, in any case; never a part of one, nor the query."""
    assert is_sign_in(name) is said


def test_how_many_never_sign_in_is_learnt_of_those_who_read_much_and_little_else() -> None:
    """Of two thousand accounts one in twenty has a token that lasts, and reads more than the others: it is half of
    those it is held against. Of other kinds, and of few accounts, nothing is known."""
    state = crowd({1: 2000})
    clients = state.in_use
    clients["kind"], clients["crossed"] = ACCOUNT, SIGNED
    assert learn(state, Null(), NOW).habits[1].unsigned < 0.01
    clients["crossed"][:100] = 0
    clients["fresh"][:100] = clients["requests"][:100]
    alike = learn(state, Null(), NOW).habits[1].unsigned
    assert 0.12 < alike < 0.4
    clients["kind"][300:] = KINDS.index("address")
    assert learn(state, Null(), NOW).habits[1].unsigned == 1.0


def account(signed: bool, fresh: int = 120, requests: int = 400) -> npt.NDArray[Any]:
    """An account that reads what hardly anybody else does, between many other things."""
    one = slot(fresh, requests, 0.98, expected=0.3)
    one["kind"], one["crossed"] = ACCOUNT, SIGNED if signed else 0
    return one


def test_a_harvester_is_convicted_sooner_where_it_never_signed_in() -> None:
    """The same reads convict who never signed in, and not who has; nor where nobody does, nor an address, nor without
    reads of what nobody else reads."""
    null = replace(NULL, habits={1: replace(HABIT, unsigned=0.01)})
    budget = Budget()
    least = bulk.statistic(ClientEvidence(account(signed=True), null))
    never = bulk.statistic(ClientEvidence(account(signed=False), null))
    unknown = bulk.statistic(ClientEvidence(account(signed=False), NULL))
    assert never - unknown == pytest.approx(log(0.75 + 0.25 * 100), abs=0.05)
    assert unknown - least == pytest.approx(-log(0.75), abs=0.05)
    between = Budget(budget.per_day * exp(budget.client_threshold(null.clients_a_day) - (never + unknown) / 2))
    assert bulk.judge(ClientEvidence(account(signed=True), null), between) is None
    assert bulk.judge(ClientEvidence(account(signed=False), NULL), between) is None
    signal = bulk.judge(ClientEvidence(account(signed=False), null), between)
    assert signal is not None
    (told,) = (f for f in signal.evidence if f.name == "has_signed_in")
    assert (told.value, told.expected, told.weight) == (0.0, 0.99, 4.6)
    warm = account(signed=False)
    warm["cold"] = 0
    assert bulk.judge(ClientEvidence(warm, null), Budget(1e9)) is None
    other = account(signed=False)
    other["kind"] = KINDS.index("key")
    assert ClientEvidence(other, null).no_login == 0.0
    assert ClientEvidence(account(signed=True), null).no_login == -inf
    common = replace(NULL, habits={1: replace(HABIT, unsigned=0.3)})
    assert [ClientEvidence(account(signed), common).no_login for signed in (True, False)] == [0.0, 0.0]


def key_of(who: int) -> int:
    """The hash of an account."""
    return (who + 1) * int(ODD) % (1 << 64)


class ThreeRoutes:
    """Stands for the routes: the batch says which."""

    looks = Looks(threading.Lock())

    def assign(self, batch: Batch) -> None:
        """They are there already."""

    def name(self, route: int) -> str:
        """Templates."""
        return ("other", "GET /items/{id}", "POST /login", "GET /search")[route]

    def data_classes(self, route: int) -> tuple[str, ...]:
        """None is declared."""
        return ()


def day(accounts: int, rng: np.random.Generator) -> Batch:
    """Seven hours in which each account comes once, signs in, searches and reads; the first never signs in, the second
    tries to, the third comes later than all others."""
    parts = []
    for who in range(accounts):
        begin = rng.integers(0, 6 * 3600) if who != 2 else 6 * 3600 + 1800
        reads = int(rng.integers(5, 15))
        route = np.array([SIGN_IN, *[SEARCH, READ] * reads])[1 if who == 0 else 0 :]
        status = np.full(len(route), 200)
        if who == 1:
            status[0] = 401
        number = np.where(route == READ, rng.zipf(1.3, len(route)) % 10_000, -1)
        parts.append(np.stack([np.full(len(route), who), begin + np.arange(len(route)) * 7, route, status, number]))
    rows = np.concatenate(parts, axis=1)
    who, second, route, status, number = rows[:, np.lexsort((rows[0], rows[1]))]
    batch = Batch.empty(len(who))
    batch.time_us[:] = START + second * 1_000_000
    batch.client[:] = (who.astype(np.uint64) + np.uint64(1)) * ODD
    batch.kind[:], batch.method[:], batch.requests[:] = ACCOUNT, 1, 1
    batch.route[:], batch.status[:], batch.number[:] = route, status, number
    batch.object[:] = np.where(number >= 0, (number + 1).astype(np.uint64) * ODD, np.uint64(0))
    batch.position[:] = np.arange(len(who)) * 100
    return batch


def test_who_signs_in_is_marked_however_rows_are_cut() -> None:
    """Whoever was let in is, the two who were not are known by it; whole, in pieces and taken up by another process the
    slots are the same, and what is usual is learnt from them."""
    batch = day(1200, np.random.default_rng(5))

    def fresh() -> Pipeline:
        return Pipeline(Rules(), Sizes(1 << 12, 1 << 14, 1 << 6), ThreeRoutes())  # type: ignore[arg-type]

    whole, pieces = fresh(), fresh()
    whole.take(batch)
    for at in range(0, len(batch), 997):
        pieces.take(batch.take(slice(at, at + 997)))
    again = fresh()
    again.state.load(pieces.state.save())
    for line in (whole, pieces, again):
        clients = line.state.in_use
        never = np.sort(clients["key"][clients["crossed"] & SIGNED == 0]).tolist()
        assert never == sorted(key_of(who) for who in (0, 1))
    null = learn(whole.state, whole.null, int(batch.time_us[-1]))
    assert 0.0 < null.habits[READ].unsigned < 0.05
    by_key = {int(c["key"]): ClientEvidence(c, null) for c in whole.state.in_use}
    first, third = (by_key[key_of(who)] for who in (0, 2))
    assert first.no_login > 3.0
    assert third.no_login == -inf
