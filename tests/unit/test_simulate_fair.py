"""The simulator is not its own judge: how an attacker looks says nothing about what he is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from detector.simulate import PATTERNS, Options, Play
from detector.simulate.columns.rows import DECOY, MACHINE, PEOPLE, Rows
from detector.simulate.evasion import disguised
from detector.simulate.patterns.pattern import COLUMNS, Pattern, Variant
from detector.simulate.scene import Scene
from detector.simulate.site import CODE, MEDIAN_BYTES
from detector.simulate.turns import turns
from detector.simulate.world import World

HOUR_US = 3_600_000_000
OPTIONS = Options(rate=15, ids=1_000_000, duration_seconds=86_400, zipf=1.0)
BEGIN_US, END_US = OPTIONS.start_us + 9 * HOUR_US, OPTIONS.start_us + 15 * HOUR_US
LEAD_US = 8 * HOUR_US  # scripts of accounts go on for hours: by then as many end as begin
ATTACKS = 300  # of few identities each; a network and an agent are drawn anew in each
ROWS = 30_000
BOUND = 0.6  # the figure
# Forms that ordinary people do not use are compared with records they do read, bytes as multiples of the form's own.
LIKE = {"contact": "user", "api_item": "item"} | dict.fromkeys(
    ("newest", "users_bulk", "wildcard", "users_page", "discover"), "user"
)

CASES = [(p, v) for p in PATTERNS.values() for v in p.variants if p.draws(v)]


@cache
def ordinary() -> Rows:
    """Six hours of a working day, people and machines."""
    rows = np.concatenate(list(Play.of(OPTIONS).rows(BEGIN_US, END_US)))
    return rows[np.isin(rows["source"], (PEOPLE, MACHINE))]


def attackers(pattern: Pattern, variant: Variant, form: str) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Rows of many attacks of the same kind in those hours, and which attack each belongs to."""
    world = World(replace(OPTIONS, form=form, ramp_days=0.05))
    few = 0 < variant.identities < 100
    attacks = ATTACKS if few else 6
    start = BEGIN_US if variant.identities else BEGIN_US - LEAD_US
    most = ROWS / attacks / (END_US - BEGIN_US) * 1e6
    parts, which = [], []
    for k in range(attacks):
        rng = np.random.default_rng([5, k])
        scene = Scene(world, rng, pattern, variant, form, start, END_US, min(variant.rate, most), variant.identities)
        hourly = [(pattern.turns or turns)(scene, at, at + HOUR_US) for at in range(start, END_US, HOUR_US)]
        rows = np.concatenate([disguised(scene, pattern.requests(scene, *taken)) for taken in hourly if len(taken[0])])
        rows = rows[(rows["time_us"] >= BEGIN_US) & (rows["time_us"] < END_US) & (rows["flags"] & DECOY == 0)]
        parts.append(rows[:: max(len(rows) * attacks // ROWS, 1)])
        which.append(np.full(len(parts[-1]), k))
    return np.concatenate(parts), np.concatenate(which)


def looks(rows: Rows) -> npt.NDArray[np.float64]:
    """The columns of COLUMNS, float64 (n, 5)."""
    wide = rows["address"] >= 1 << 32
    network = np.where(wide, rows["address"] >> np.uint64(16), rows["address"] >> np.uint64(8))
    hour = rows["time_us"] / HOUR_US % 24
    size = rows["size"] / MEDIAN_BYTES[rows["form"]]
    return np.stack([rows["agent"], network.astype(np.float64), hour, rows["status"], size], axis=1)


def told_apart(theirs: Rows, which: npt.NDArray[np.int64], others: Rows, columns: tuple[str, ...]) -> float:
    """The area under the curve of a tree of depth three, learnt on half the attacks and held to the other half."""
    kept = [COLUMNS.index(column) for column in columns]
    half = np.arange(len(others)) % 2
    x = np.concatenate([looks(theirs), looks(others)])[:, kept]
    y = np.concatenate([np.ones(len(theirs)), np.zeros(len(others))])
    learn = np.concatenate([which % 2, half]) == 0
    tree = DecisionTreeClassifier(max_depth=3, class_weight="balanced", min_samples_leaf=20, random_state=0)
    tree.fit(x[learn], y[learn])
    return float(roc_auc_score(y[~learn], tree.predict_proba(x[~learn])[:, 1]))


def compared(pattern: Pattern, variant: Variant, form: str = "plain") -> float:
    """How well looks tell the pattern's reads from everybody's on the same route."""
    theirs, which = attackers(pattern, variant, form)
    reads = theirs["form"] == CODE[variant.form]
    like = CODE[LIKE.get(variant.form, variant.form)]
    others = ordinary()
    return told_apart(theirs[reads], which[reads], others[others["form"] == like], pattern.draws(variant, form))


@pytest.mark.parametrize(("pattern", "variant"), CASES, ids=[f"{p.key}-{v.name}" for p, v in CASES])
def test_looks_do_not_give_an_attacker_away(pattern: Pattern, variant: Variant) -> None:
    """Agent, network, hour, status and bytes are ordinary, but for those the pattern says are its own."""
    assert compared(pattern, variant) < BOUND


@pytest.mark.parametrize("form", ["e1", "e3", "e4", "e7"])
@pytest.mark.parametrize("key", ["P1", "P3", "P4"])
def test_evasive_forms_look_ordinary_too(key: str, form: str) -> None:
    """Hiding adds no look that tells: with e3 the hours are the crowd's as well."""
    pattern = PATTERNS[key]
    assert ("hour" in pattern.draws(pattern.variants[0], form)) == (form == "e3")
    assert compared(pattern, pattern.variants[0], form) < BOUND


def test_the_tree_does_tell_what_is_not_drawn() -> None:
    """The test can fail: attackers of one agent and twenty networks are told apart by these two columns."""
    pattern = PATTERNS["P4"]
    shared = pattern.variant("shared")
    theirs, which = attackers(pattern, shared, "plain")
    others = ordinary()
    assert told_apart(theirs, which, others[others["form"] == CODE["reviews"]], ("agent", "network")) > 0.9
    assert set(pattern.draws(shared)) == {"status", "bytes"}
