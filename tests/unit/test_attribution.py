"""Who belongs to a campaign: rules found in planted rings of crossings, and the sample that says what they cost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from detector.evidence.judge import COHORT, READ, JudgedBatch
from detector.incidents.attribution import attribute, odds, subset, telling
from detector.incidents.ordinary import DAY_US, MINUTE_US, ORDINARY, Ordinary
from detector.records.batch import Batch
from detector.state.cells import CROSSING

AGENT = 15 * 7919 + 1  # about 1 % of ordinary requests
NETWORKS = np.arange(10, 30) * 31 + 1  # about 2 %
SECONDS_BEFORE, USUAL = 7200, 9  # events a second


def zipf(rng: np.random.Generator, n: int, kinds: int, power: float) -> npt.NDArray[np.int64]:
    """Draws from a Zipf distribution."""
    weights = np.arange(1, kinds + 1) ** -power
    return np.searchsorted(np.cumsum(weights / weights.sum()), rng.random(n))


def events(rng: np.random.Generator, n: int, dtype: np.dtype[Any] = CROSSING) -> npt.NDArray[Any]:
    """Ordinary crossings, one a client: 300 agents, 200,000 networks, three in ten clients new."""
    made = np.zeros(n, dtype)
    made["agent"] = zipf(rng, n, 300, 1.0) * 7919 + 1
    made["network"] = zipf(rng, n, 200_000, 0.7) * 31 + 1
    made["cohort"] = np.where(rng.random(n) < 0.3, 1, 3)
    if "client" in (dtype.names or ()):
        made["client"], made["which"] = rng.integers(1, 1 << 63, n, dtype=np.uint64), 1
    return made


def planted(
    rng: np.random.Generator, n: int, seconds: int, identities: int, shared: bool
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Crossings since a campaign began, and which are its own: each identity keeps its agent and network."""
    who = events(rng, identities)
    if shared:
        who["agent"], who["network"], who["cohort"] = AGENT, rng.choice(NETWORKS, identities), 1
    own = who[rng.integers(0, identities, n)]
    usual = events(rng, USUAL * seconds)
    return np.concatenate([usual, own]), np.arange(len(usual) + n) >= len(usual)


def found(seed: int, n: int, seconds: int, identities: int, shared: bool) -> dict[str, Any]:
    """The rule told first, with what it really selects."""
    rng = np.random.default_rng(seed)
    before, sample = events(rng, USUAL * SECONDS_BEFORE), events(rng, 6553, ORDINARY)
    since, own = planted(rng, n, seconds, identities, shared)
    scale = seconds / SECONDS_BEFORE
    rule = attribute(since, before, scale, sample, 65_536)[0]
    inside, ordinary = rule.covers(since), events(rng, 400_000, ORDINARY)
    return {
        "rule": rule,
        "recall": inside[own].mean(),
        "benign": rule.covers(ordinary).mean() * 0.1,
        "precision": own[inside].mean(),
        "odds": odds(since, before, scale, rule, telling(since, before, scale)),
    }


@pytest.mark.parametrize(("n", "seconds"), [(3300, 60), (480, 60), (330, 60), (330, 600)])
@pytest.mark.parametrize("identities", [1000, 100_000])
def test_what_a_campaign_shares_is_found(n: int, seconds: int, identities: int) -> None:
    """One agent of 1 % and twenty networks of 2 % of the ordinary: the rule selects four in five of the campaign's
    clients, hardly anybody else, and those it selects may be named."""
    for seed in (1, 2):
        got = found(seed, n, seconds, identities, shared=True)
        assert got["recall"] >= 0.8
        assert got["benign"] <= 5e-4
        assert got["precision"] >= (0.99 if got["odds"][1] >= 99.0 else 0.9)
        assert got["rule"].actionable
        assert abs(got["rule"].recall - got["recall"]) <= 0.2
        assert got["odds"][1] >= 99.0 or seconds == 600  # the slowest: a client needs further evidence to be named


@pytest.mark.parametrize(("n", "seconds"), [(3300, 60), (330, 60), (330, 600)])
@pytest.mark.parametrize("identities", [300, 1000, 100_000])
def test_what_shares_nothing_is_said_to_share_nothing(n: int, seconds: int, identities: int) -> None:
    """Identities as others are: no rule is called actionable, though each identity's own network would fit it, and
    nobody is named for a first read alone."""
    for seed in (1, 2):
        got = found(seed, n, seconds, identities, shared=False)
        assert not got["rule"].actionable
        assert got["odds"][1] < 99.0


def test_new_clients_are_a_rule_but_no_actionable_one() -> None:
    """Fresh identities that share nothing else: the rule is that they are new, and it says what that would cost."""
    rng = np.random.default_rng(3)
    before, sample = events(rng, USUAL * SECONDS_BEFORE), events(rng, 6553, ORDINARY)
    since, own = planted(rng, 3300, 60, 100_000, shared=False)
    since["cohort"][own] = 0
    rule = attribute(since, before, 60 / SECONDS_BEFORE, sample, 65_536)[0]
    assert (rule.only_new, len(rule.agents), len(rule.networks)) == (True, 0, 0)
    assert rule.benign_share == pytest.approx(0.03, abs=0.005)
    assert not rule.actionable


def test_without_a_sample_no_rule_is_believed_to_be_harmless() -> None:
    """What a rule costs others is not known where there is no sample of them."""
    rng = np.random.default_rng(4)
    since, _ = planted(rng, 3300, 60, 1000, shared=True)
    rules = attribute(since, events(rng, 60_000), 60 / SECONDS_BEFORE, np.zeros(0, ORDINARY), 0)
    assert not any(rule.actionable for rule in rules)


def test_nothing_before_and_few_events_are_no_error() -> None:
    """A route that had no crossing before, and a campaign of one event."""
    rng = np.random.default_rng(5)
    for n in (0, 1, 3):
        rules = attribute(events(rng, n), np.zeros(0, CROSSING), 1.0, np.zeros(0, ORDINARY), 100)
        assert len(rules) >= 1


def test_the_subset_is_a_prefix_that_pays_for_its_values() -> None:
    """Two values raised twentyfold are the subset; one seen once, never before, is not worth naming."""
    before = np.repeat(np.arange(100), 100)
    observed = np.concatenate([np.repeat([3, 7], 200), np.arange(50), [100]])
    assert np.flatnonzero(subset(observed, before, 101, 0.1)).tolist() == [3, 7]


def test_only_kinds_that_are_raised_are_told() -> None:
    """Who reads popular records first crosses later: then first reads say nothing and are left out."""
    rng = np.random.default_rng(6)
    before, since = events(rng, 7200), events(rng, 120)
    before["which"][::100] = 2
    since["which"][::2] = 2
    assert telling(since, before, 1 / 60) == [2]


def rows(seconds: npt.NDArray[np.float64], first: int = 0) -> tuple[Batch, JudgedBatch]:
    """Requests of one route, each by a client of its own, as if they had been judged."""
    batch = Batch.empty(len(seconds))
    batch.time_us[:] = (seconds * 1e6).astype(np.int64)
    batch.requests[:], batch.route[:] = 1, 1
    batch.position[:] = first + np.arange(len(batch))
    batch.agent[:] = batch.position
    judged = JudgedBatch.__new__(JudgedBatch)
    judged.slot, judged.incident = np.zeros(len(batch), np.int64), np.zeros(len(batch), np.int32)
    judged.flags = np.full(len(batch), READ | 1 << COHORT, np.uint8)
    return batch, judged


def test_the_sample_does_not_depend_on_the_batches() -> None:
    """The same rows in one batch, in many, and through a snapshot leave the same sample and the same counts."""
    seconds = np.sort(np.random.default_rng(7).uniform(0, 2.2 * 86_400, 40_000))
    batch, judged = rows(seconds)
    whole, cut = Ordinary(500), Ordinary(500)
    whole.add(batch, judged, 0, len(batch))
    edges = [0, 1, 5000, 5003, 20_000, 39_000, 40_000]
    for first, last in pairwise(edges):
        cut.add(batch, judged, first, last)
        again = Ordinary(500)
        again.load(cut.save())
        cut = again
    for until in (10**18, DAY_US + 1, 2 * DAY_US):
        assert np.array_equal(whole.rows(until), cut.rows(until))
    assert whole.requests(DAY_US, 2 * DAY_US) == cut.requests(DAY_US, 2 * DAY_US)
    assert {int(day) for day in whole.rows(10**18)["time_us"] // DAY_US} == {1, 2}


def test_the_sample_is_even_and_leaves_out_whom_it_must() -> None:
    """Each minute of a day is as likely as any other; incidents, partners and further objects of a request are none of
    it."""
    seconds = np.sort(np.random.default_rng(8).uniform(0, 86_000, 60_000))
    batch, judged = rows(seconds)
    judged.incident[:100], judged.slot[100:200], batch.requests[200:300] = 1, -1, 0
    sample = Ordinary(4096)
    sample.add(batch, judged, 0, len(batch))
    kept = sample.rows(10**18)
    assert len(kept) == 4096
    assert kept["agent"].min() >= 300
    assert kept["read"].all()
    assert set(kept["cohort"].tolist()) == {1}
    halves = np.count_nonzero(kept["time_us"] < 43_000e6)
    assert abs(halves - 2048) < 4 * 32
    assert sample.requests(0, 86_400_000_000) == 60_000 - 300
    assert sample.since_us() == int(batch.time_us[300]) // MINUTE_US * MINUTE_US
