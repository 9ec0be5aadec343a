"""What would not have been seen: said at the end of every run, from the thresholds that held."""

from __future__ import annotations

import math

import numpy as np

from detector.detectors import CLIENT_DETECTORS, PATTERNS
from detector.engines.coverage import Coverage
from detector.engines.floor import floor_lines, floor_records
from detector.evidence.client import ClientEvidence, Null
from detector.evidence.volume import fit_tail
from detector.pipeline import Pipeline, Rules
from detector.state.layout import CLIENT, COUNTER
from tests.unit.test_contract import terms
from tests.unit.test_judging import SMALL, OneRoute, pipeline

EVERY = sorted(PATTERNS)


def text(line: Pipeline, **counts: object) -> str:
    """All lines of the floor as one."""
    return "\n".join(floor_lines(line, Coverage(**counts)))  # type: ignore[arg-type]


def test_a_new_log_says_that_it_is_one() -> None:
    """Without anybody to compare with, only order and misses can be seen; without accounts that is said, too."""
    line = pipeline()
    said = text(line)
    assert "ids in order: below 128 ids" in said
    assert "out of order: anything, with fewer than 50 clients" in said
    assert "the log names no accounts or keys" in said
    assert math.isinf(floor_records(line))


def test_the_figure_is_the_threshold() -> None:
    """A client with as many records as the floor says, all cold, is convicted; one with two thirds of them is not."""
    line = pipeline()
    rng = np.random.default_rng(1)
    tail = fit_tail(np.floor(5 * rng.pareto(1.5, 4000) + 1))
    line.null = Null(cold_strength=6.0, tail=tail, clients_a_day=4000.0, settled=True, floor=100)
    line.state.routes["fresh"][1], line.state.routes["cold"][1] = 10_000.0, 1500.0
    floor = floor_records(line)
    assert 100 <= floor < math.inf
    assert f"below about {floor:,.0f} distinct records a day" in text(line)
    _, judge = CLIENT_DETECTORS["bulk"]
    for n, convicted in ((floor, True), (floor * 2 / 3, False)):
        slot = np.zeros(1, CLIENT)[0]
        slot["fresh"][0] = slot["cold"][0] = slot["tries"][0] = int(n)
        slot["cold_expected"][0], slot["distinct_before"] = 0.15 * n, n
        assert (judge(ClientEvidence(slot, line.null), line.rules.budget) is not None) == convicted


def test_what_is_off_or_too_small_is_said() -> None:
    """A detector that is switched off, a table that has forgotten, a partner that may read what it likes."""
    rules = Rules(patterns=frozenset(EVERY) - {"walk"}, contracts=(terms(learn=False),))
    line = Pipeline(rules, SMALL, OneRoute())  # type: ignore[arg-type]
    line.state.counters[COUNTER["clients_evicted"]] = 7
    said = text(line, requests=10, with_object=4)
    assert "walk: switched off" in said
    assert "table of 16,384 too small: 7 clients were forgotten" in said
    assert "acme any amount, as agreed" in said
    assert "the 60% of requests that name no object" in said


def test_every_detector_says_its_own() -> None:
    """A detector without a line would be a hole nobody is told of."""
    off = text(Pipeline(Rules(patterns=frozenset()), SMALL, OneRoute()))  # type: ignore[arg-type]
    assert [name for name in EVERY if f"{name}: switched off" not in off] == []
