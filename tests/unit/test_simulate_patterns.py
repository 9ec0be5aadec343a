"""The catalogue's attackers do what the catalogue says, in every form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.errors import UsageError
from detector.simulate import PATTERNS, Options, Play, StreamedLog, simulate
from detector.simulate.cast import visitors
from detector.simulate.columns.rows import DECOY, Rows, joined
from detector.simulate.ledger import Ledger
from detector.simulate.patterns.pattern import COLUMNS, Pattern
from detector.simulate.play import attack_rows
from detector.simulate.site import CODE, EXPOSES
from detector.simulate.truth import Attack, Truth

START = 9 * 3600.0  # a busy hour
OPTIONS = Options(
    rate=10, ids=2_000_000, duration_seconds=20 * 3600, attack_start_seconds=START, attack_seconds=1200, ramp_days=0.01
)
CASES = [(p, f) for p in PATTERNS.values() for f in ("plain", *p.forms)]
SLOW = ("P8", "P9")  # some accounts an hour


def made(key: str, **changes: object) -> Rows:
    """The attacker's rows alone."""
    scene = Play.of(replace(OPTIONS, **changes), key).scene  # type: ignore[arg-type]
    assert scene is not None
    return joined(list(attack_rows(scene)))


def reads(rows: Rows) -> Rows:
    """What the attacker is after."""
    return rows[EXPOSES[rows["form"]] & ((rows["flags"] & DECOY) == 0)]


def rate_for(pattern: Pattern) -> float | None:
    """A rate that keeps tests short."""
    rate = pattern.variants[0].rate
    return 0.02 if pattern.key in SLOW else min(rate, 0.5 if pattern.key == "P7" else 20.0)


@pytest.mark.parametrize(("pattern", "form"), CASES, ids=[f"{p.key}-{f}" for p, f in CASES])
def test_every_form_of_every_pattern(pattern: Pattern, form: str) -> None:
    """Rows in order, within the attack, from those it cast, and records taken."""
    seconds = 30_000 if pattern.key in SLOW else 900
    rows = made(pattern.key, form=form, attack_rate=rate_for(pattern), attack_seconds=seconds)
    start = OPTIONS.start_us + START * 1e6
    assert (np.diff(rows["time_us"]) >= 0).all()
    assert start <= rows["time_us"][0]
    assert rows["time_us"][-1] < start + seconds * 1e6
    assert (rows["actor"] >= 0).all()
    assert Ledger.of(rows).records > 0


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=list(PATTERNS))
def test_descriptions_are_whole(pattern: Pattern) -> None:
    """Each says what it is, what it draws from ordinary traffic, and which forms make no sense for it."""
    assert pattern.title
    assert pattern.model
    assert pattern.tags
    assert set(pattern.own) <= set(COLUMNS)
    for form in {"e1", "e2", "e3", "e4", "e5", "e6", "e7"} - set(pattern.forms):
        with pytest.raises(UsageError, match="makes no sense"):
            Play.of(replace(OPTIONS, form=form), pattern.key)


def test_unknown_names_are_refused() -> None:
    """Pattern, variant and confuser are named with what there is."""
    for changes, pattern, said in (
        ({}, "P99", "no pattern"),
        ({"variant": "sly"}, "P4", "it has nothing, shared"),
        ({"confusers": ("N99",)}, None, "no confuser"),
        ({"attack_rate": 1e6}, "P1", "raise --ids"),
    ):
        with pytest.raises(UsageError, match=said):
            Play.of(replace(OPTIONS, **changes), pattern)  # type: ignore[arg-type]


@pytest.mark.parametrize("identities", [1, 30, 500, 0])
def test_a_sweep_has_one_queue(identities: int) -> None:
    """P3 reads id after id whoever's turn it is; with 0 identities nobody comes twice."""
    rows = made("P3", identities=identities, attack_rate=5.0)
    assert (np.diff(rows["number"]) == 1).all()
    assert len(np.unique(rows["actor"])) == (identities or len(rows))


def test_a_campaign_shares_what_it_says() -> None:
    """P4 "shared": one agent of 1 % and 20 networks of 2 % of the crowd; "nothing": many of both. No page twice."""
    at = np.full(100_000, OPTIONS.start_us + int(START * 1e6))
    crowd = visitors(Play.of(OPTIONS).world, np.random.default_rng(1), at)
    alone, shared = made("P4"), made("P4", variant="shared")
    assert len(np.unique(alone["agent"])) > 20
    agents, networks = np.unique(shared["agent"]), np.unique(shared["address"] >> np.uint64(8))
    assert (len(agents), len(networks)) == (1, 20)
    assert np.isin(crowd.agent, agents).mean() == pytest.approx(0.01, abs=0.005)
    assert np.isin(crowd.address >> np.uint64(8), networks).mean() == pytest.approx(0.02, abs=0.005)
    assert len(np.unique(alone[["number", "page"]])) == len(alone)
    assert len(np.unique(shared["who"])) > 5000


def test_shares_of_success() -> None:
    """P5 hits 32 or 98 %, P6 3 %, as 404 or as an empty answer, P7 some 6 %."""
    assert (made("P5")["status"] == 200).mean() == pytest.approx(0.32, abs=0.01)
    assert (made("P5", variant="most")["status"] == 200).mean() == pytest.approx(0.98, abs=0.01)
    assert (made("P6", attack_rate=50.0)["status"] == 200).mean() == pytest.approx(0.03, abs=0.01)
    empty = made("P6", variant="empty", attack_rate=50.0)
    assert (empty["status"] == 200).all()
    assert (empty["rows"] == 0).mean() == pytest.approx(0.97, abs=0.01)
    assert Ledger.of(empty).records == (empty["rows"] > 0).sum()
    assert (made("P7", attack_seconds=20.0)["status"] == 200).mean() == pytest.approx(0.056, abs=0.005)


def test_rates() -> None:
    """P1 asks 100 times a second, P4 58, P7 for 28,000 numbers, P10 for 2.65 accounts."""
    assert len(made("P1")) / 1200 == pytest.approx(100, rel=0.05)
    assert len(made("P4")) / 1200 == pytest.approx(58, rel=0.05)
    assert len(made("P7", attack_seconds=60.0)) / 60 == pytest.approx(28_000, rel=0.2)
    assert len(np.unique(made("P10")["who"])) / 1200 == pytest.approx(2.65, rel=0.1)


def test_a_mill_opens_accounts_and_empties_them() -> None:
    """P8: every account is opened, signs in, reads hundreds of records and is gone within hours."""
    rows = made("P8", attack_seconds=40_000.0)
    first = rows[np.unique(rows["actor"], return_index=True)[1]]
    assert (first["form"] == CODE["register"]).all()
    early = rows[rows["actor"] < 50]
    counts = np.bincount(reads(early)["actor"])
    assert counts.min() >= 100
    assert counts.max() <= 500


def test_stolen_accounts_belong_to_people() -> None:
    """P9: the accounts are the crowd's own; most sign-ins fail, and those name nobody."""
    rows = made("P9", attack_seconds=40_000.0)
    failed = rows[rows["status"] == 401]
    entered = rows[(rows["form"] == CODE["login"]) & (rows["status"] == 200)]
    assert len(failed) / len(entered) == pytest.approx(10, rel=0.3)
    assert (failed["who"] == 0).all()
    assert (entered["who"] > 0).all()
    assert (entered["who"] <= OPTIONS.ids).all()


def test_forged_tokens_read_their_own() -> None:
    """P10: every principal reads itself first, one to four requests, no sign-in, at most 500 sources, one agent."""
    rows = made("P10")
    _, first, counts = np.unique(rows["actor"], return_index=True, return_counts=True)
    assert (rows["number"][first] == rows["who"][first]).all()
    assert counts.max() == 4
    assert not (rows["form"] == CODE["login"]).any()
    assert len(np.unique(rows["address"])) <= 500
    assert len(np.unique(rows["agent"])) == 1


def test_a_metronome_ticks() -> None:
    """P13: each address exactly every thirty seconds, twenty records a time."""
    rows = made("P13")
    for actor in range(10):
        assert set(np.diff(rows["time_us"][rows["actor"] == actor])) == {30_000_000}
    assert (rows["rows"] == 20).all()


def test_decoys_are_popular_and_half_of_all() -> None:
    """e1: every second read is of a record everybody reads; they do not count as taken."""
    rows = made("P4", form="e1", attack_rate=20.0)
    decoys = rows[(rows["flags"] & DECOY) > 0]
    assert len(decoys) / len(rows) == pytest.approx(0.5, abs=0.02)
    assert len(np.unique(decoys["number"])) < 0.9 * len(decoys)
    assert len(rows) / 1200 == pytest.approx(20, rel=0.1)


def test_shuffled_order_reads_every_id_once() -> None:
    """e2: no order is left, no id comes twice, and within a block all come."""
    number = made("P1", form="e2", attack_rate=20.0)["number"]
    assert len(np.unique(number)) == len(number)
    assert (np.diff(number) == 1).mean() < 0.01
    block = len(number) // 2
    assert np.ptp(number[: block - 1000]) < 1.2 * block


def test_the_crowds_hours() -> None:
    """e3: a flat pattern becomes three to one between day and night."""
    whole = replace(OPTIONS, duration_seconds=86_400.0, attack_start_seconds=0.0, attack_seconds=86_400.0)
    counts = {}
    for form in ("plain", "e3"):
        scene = Play.of(replace(whole, form=form, attack_rate=1.0), "P4").scene
        assert scene is not None
        rows = joined(list(attack_rows(scene)))
        hours = rows["time_us"] // 3_600_000_000 % 24
        counts[form] = np.isin(hours, (13, 14)).sum() / np.isin(hours, (1, 2)).sum()
    assert counts["plain"] == pytest.approx(1, abs=0.1)
    assert counts["e3"] == pytest.approx(3, abs=0.4)


def test_human_gaps() -> None:
    """e4: an identity's gaps vary as people's do, at the same rate."""
    rows = made("P1", form="e4", attack_rate=20.0)
    gaps = np.diff(rows["time_us"])
    assert np.std(np.log(gaps[gaps > 0])) == pytest.approx(1.0, abs=0.1)
    assert len(rows) / 1200 == pytest.approx(20, rel=0.1)


def test_a_slow_ramp() -> None:
    """e5: begins at a hundredth and reaches its rate at the ramp's end."""
    ramp = 0.5 * 3600
    changes = {"form": "e5", "ramp_days": ramp / 86_400, "attack_seconds": 2 * ramp, "attack_rate": 20.0}
    rows = made("P1", **changes)  # type: ignore[arg-type]
    minute = (rows["time_us"] - OPTIONS.start_us - START * 1e6) / 60e6
    assert (minute < 3).sum() / 180 < 1
    assert ((minute >= 40) & (minute < 60)).sum() / 1200 == pytest.approx(20, rel=0.1)


def test_three_endpoints() -> None:
    """e6: users, orders and items by turns."""
    forms = np.bincount(made("P3", form="e6")["form"])
    assert np.count_nonzero(forms) == 3
    assert forms[forms > 0].min() / forms.max() > 0.9


def test_a_browsers_looks() -> None:
    """e7: a page and its assets before each visit, referers on what follows, 304 for a visit later."""
    rows = made("P2", form="e7", variant="brisk", attack_seconds=36_000.0, attack_start_seconds=0.0)
    assert rows["form"][0] == CODE["home"]
    assert (reads(rows)["referer"] == 2).all()
    assets = rows[rows["form"] == CODE["css"]]
    assert assets["status"][0] == 200
    assert len(assets) > 1  # it rests at night
    assert (assets["status"][1:] == 304).all()


def test_streamed_text_and_its_truth() -> None:
    """The text of an evasive log: lines counted, truth's clients and records those of the ledger, read back whole."""
    options = replace(OPTIONS, duration_seconds=600.0, attack_start_seconds=60.0, attack_seconds=60.0, form="e7")
    log = simulate("P12", options)
    assert isinstance(log, StreamedLog)
    text = log.text()
    attack = log.truth.attack
    assert log.requests == text.count(b"\n") == sum(log.truth.ordinary.values()) + len(attack.second)  # type: ignore[union-attr]
    assert isinstance(attack, Attack)
    assert attack.route == "GET /api/v1/users?page={page}"
    assert attack.records == 1000 * len(np.unique(attack.record[attack.record >= 0]))
    assert attack.records_by(int(attack.second[-1])) == attack.records
    assert attack.clients[0].encode() in text
    assert Truth.parse(log.truth.document()).document() == log.truth.document()
