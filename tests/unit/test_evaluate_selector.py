"""Selectors applied to requests that were made: which are selected, and what an alert is worth by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.evaluate.figures import first_actionable, judge
from detector.evaluate.named import Census
from detector.evaluate.observed import SEEN, Observed
from detector.evaluate.selector import Conjunct, Selecting, conjuncts
from detector.simulate.columns.fill import Columns
from detector.simulate.columns.rows import Rows, rows_of
from detector.simulate.ledger import Ledger
from detector.simulate.site import CODE

AGENTS = ["Mozilla/5.0 (X11)", "app/3.2", "app/3.3"]
ROUTE = "GET /api/v1/users/{id}"
NEVER = np.iinfo(np.int64).max
T0 = 1_772_500_000_000_000


class Everybody(Census):
    """A census without a pipeline: clients go by c0, c1 ...; even ones are old."""

    def __init__(self, selecting: Selecting) -> None:
        self._selecting = selecting

    def keys(self, names: list[str]) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """The number in the name."""
        return np.array([int(name[1:]) for name in names], np.uint64)


def selecting(columns: Columns) -> Selecting:
    """Routes 1 and 2; clients of even hash were first seen two days ago."""
    return Selecting(columns, AGENTS, {ROUTE: 1, "GET /": 2}, lambda keys: np.where(keys % 2 == 0, T0 - 2 * 10**11, T0))


def requests() -> tuple[np.ndarray[Any, Any], Rows, Columns]:
    """Ten attackers on one agent in one network, a request a second; a thousand others on three agents."""
    columns = Columns(AGENTS)
    n, others = 200, 4000
    k = np.arange(n + others)
    theirs = k < n
    rows = rows_of(
        np.where(theirs, T0 + k * 10**6, T0 + (k - n) * 50_000),
        address=np.where(theirs, 0xCB007100 + k % 10, 0x05000000 + (k % 1000) * 256),
        agent=np.where(theirs, 1, k % 3),
        form=CODE["user"],
        number=k,
        actor=np.where(theirs, k % 10, -1),
    )
    rows = rows[np.argsort(rows["time_us"], kind="stable")]
    batch = columns.hashes(rows)
    seen = np.zeros(len(rows), SEEN)
    for name in ("time_us", "number", "source", "agent", "network"):
        seen[name] = getattr(batch, name)
    seen["actor"], seen["weight"], seen["route"] = rows["actor"], 1, 1
    seen["client"] = np.where(
        rows["actor"] >= 0, 2 * rows["actor"].astype(np.int64) + 1, 100 + 2 * (rows["number"] % 1000)
    )
    return seen, rows, columns


def told(second: float, **changed: Any) -> tuple[int, dict[str, Any]]:
    """A revision and when it was told."""
    record = {
        "incident": "i1",
        "pattern": "campaign",
        "severity": "high",
        "suppressed_by": None,
        "clients": [],
        "client_count": 10,
        "client_kind": "address",
        "selector": None,
        "endpoints": [ROUTE],
        "records_exposed": {"estimate": 200, "low": 190, "high": 210},
        "merged_into": None,
    }
    return T0 + round(second * 1e6), {**record, **changed}


def observed(seen: np.ndarray[Any, Any], rows: Rows) -> Observed:
    """A run as if it had been fed with these rows."""
    found = Observed()
    found._seen, found._ledgers = [seen], [Ledger.of(rows)]
    return found


def test_conditions_of_a_selector() -> None:
    """Plural keys are singular ones; figures, empty sets and what is false restrict nothing."""
    said = {"text": "...", "route": ROUTE, "agents": ["a", "b"], "networks": [], "new_clients": True, "recall": 0.9}
    agent, route, new = Conjunct("agent", ("a", "b")), Conjunct("route", (ROUTE,)), Conjunct("new", ("True",))
    assert conjuncts(said) == [route, agent, new]
    assert conjuncts({"endpoints": [ROUTE], "agent": "a", "new_clients": False}) == [route, Conjunct("agent", ("a",))]


def test_conditions_select_by_text() -> None:
    """Agents, networks, routes and the age of clients are found by what people read; conditions narrow one another."""
    seen, rows, columns = requests()
    known = selecting(columns)
    theirs = seen["actor"] >= 0
    assert (known.mask({"agent": "app/3.2"}, [ROUTE], seen) == (rows["agent"] == 1)).all()
    assert (known.mask({"network": "203.0.113.0/24"}, [ROUTE], seen) == theirs).all()
    assert (known.mask({"new_clients": True}, [ROUTE], seen) == theirs).all()
    assert (
        known.mask({"networks": [f"~{int(seen['network'][0]):08x}"]}, [ROUTE], seen)
        == (seen["network"] == seen["network"][0])
    ).all()
    assert not known.mask({"agent": "app/3.2"}, ["GET /"], seen).any()
    assert (known.mask({"agent": "app/3.2", "network": ["203.0.113.0/24"]}, [ROUTE], seen) == theirs).all()


def test_unknown_condition_selects_nothing() -> None:
    """What cannot be looked at must not look good."""
    seen, _, columns = requests()
    known = selecting(columns)
    assert not known.mask({"moon": "full"}, [ROUTE], seen).any()
    assert not known.mask({"agent": "never heard of"}, [ROUTE], seen).any()


def test_a_front_selects_by_id_and_moment() -> None:
    """Ids at the place a queue has reached when they are asked for, on either side of the moment it is told for; one
    that cannot be read selects nothing."""
    seen, _, columns = requests()
    known = selecting(columns)
    theirs = seen["actor"] >= 0
    ids = {"at": "2026-03-03T01:07:40Z", "number": 60, "per_second": 1.0, "within": 0, "widening": 0.0}
    assert T0 + 60_000_000 == 1_772_500_060_000_000
    found = known.mask({"ids": [ids]}, [ROUTE], seen)
    assert (found & theirs).sum() == 200
    assert (found & ~theirs).sum() <= 1
    wide = known.mask({"ids": [{**ids, "within": 300, "widening": 0.5}]}, [ROUTE], seen)
    assert (wide & ~theirs).sum() > 5
    assert (wide & theirs).sum() == 200
    late = known.mask({"ids": [{**ids, "number": 160}]}, [ROUTE], seen)
    assert not (late & theirs).any()
    assert (known.mask({"ids": [{**ids, "number": 160}, ids]}, [ROUTE], seen) == (late | found)).all()
    for broken in ([{**ids, "at": "noon"}], [{"number": 60}], "60-90", ["60"]):
        assert not known.mask({"ids": broken}, [ROUTE], seen).any()
    assert known.mask({"ids": []}, [ROUTE], seen).all()


def test_a_rule_for_listed_clients_selects_them_on_its_route() -> None:
    """Names and route hold both: what the named ones do elsewhere, and what others do here, is not selected."""
    seen, _, columns = requests()
    census = Everybody(selecting(columns))
    theirs = seen["actor"] >= 0
    rule = {"route": ROUTE, "listed_clients": True}
    clients = [f"c{2 * k + 1}" for k in range(10)]
    assert (census.selected(told(0, clients=clients, selector=rule)[1], seen) == theirs).all()
    seen["route"][: len(seen) // 2] = 2
    found = census.selected(told(0, clients=clients, selector=rule)[1], seen)
    assert (found == (theirs & (seen["route"] == 1))).all()
    assert not census.selected(told(0, clients=[], selector=rule)[1], seen).any()


def test_selector_alert_is_worth_what_it_selects() -> None:
    """The first moment is that of the selector that is narrow enough, not of an earlier one that takes in everybody."""
    seen, rows, columns = requests()
    census = Everybody(selecting(columns))
    wide = told(5, selector={"agent": "app/3.2", "recall": 1.0, "benign_share": 0.0})
    narrow = told(30, selector={"agent": "app/3.2", "network": "203.0.113.0/24", "recall": 0.1, "benign_share": 0.5})
    assert first_actionable([wide], census, seen) is None
    found = judge([wide, narrow], observed(seen, rows), census)
    assert (found.first_seconds, found.seconds) == (5, 30)
    assert found.records == 31
    assert (found.selector_precision, found.selector_recall) == (1.0, 1.0)
    assert (found.incidents, found.false) == (1, [])


def test_names_of_several_incidents_count_together() -> None:
    """Five incidents of one client each are actionable with the fifth; a merged or quiet one is not counted."""
    seen, rows, columns = requests()
    census = Everybody(selecting(columns))
    single = [told(10 * k + 9.5, incident=f"i{k}", clients=[f"c{2 * k + 1}"], client_kind="account") for k in range(5)]
    quiet = told(3, incident="q", clients=["c1"], client_kind="account", severity="informational")
    merged = told(4, incident="m", clients=["c1"], client_kind="account", merged_into="i0")
    false = told(50, incident="f", clients=["c100"], client_kind="account")
    found = judge([quiet, merged, *single, false], observed(seen, rows), census)
    assert (found.first_seconds, found.seconds) == (3, 49.5)
    assert (found.incidents, found.informational, found.false) == (5, 1, ["f campaign"])
    assert (found.listed_precision, found.listed_recall) == (1.0, pytest.approx(0.5))


def test_nothing_said() -> None:
    """Without a word everything is gone."""
    seen, rows, columns = requests()
    found = judge([], observed(seen, rows), Everybody(selecting(columns)))
    assert (found.seconds, found.first_seconds, found.leak_share) == (None, None, 1.0)
    assert found.records_taken == 200
