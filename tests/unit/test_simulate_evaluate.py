"""Judging incidents against a truth: what counts as an alert, how much was gone, who was named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.errors import InputError
from detector.evaluate import evaluate
from detector.evaluate.show import rows
from detector.simulate.truth import Attack, Truth, iso

T0 = 1_772_500_000
ROUTE = "GET /users/{id}"


def truth(clients: int = 4, seconds: int = 100) -> Truth:
    """An attack of one request a second, clients in turn, record k at second k, every tenth a miss."""
    k = np.arange(seconds)
    attack = Attack(ROUTE, [f"10.0.0.{i}" for i in range(clients)], T0 + k, k % clients, np.where(k % 10 == 9, -1, k))
    return Truth("P3", "plain", 1, "", iso(T0 - 100), iso(T0 + 900), {"ann": 9999, "bob": 1}, [], attack)


def incident(clients: list[str], second: float = 10, **changed: Any) -> dict[str, Any]:
    """An incident's record, as far as it matters here."""
    return {
        "incident": "i1",
        "severity": "high",
        "suppressed_by": None,
        "raised_at": iso(T0 + second),
        "clients": clients,
        "client_count": len(clients),
        "selector": None,
        "endpoints": [ROUTE],
        "records_exposed": {"estimate": 90, "low": 89, "high": 91},
        **changed,
    }


ALL = [f"10.0.0.{i}" for i in range(4)]


def test_alert_counts_what_was_gone_by_its_second() -> None:
    """Seconds 0 to 10 are eleven requests and one miss: ten records of ninety."""
    found = evaluate([incident(ALL)], truth())
    assert (found.detected, found.records_before_alert, found.records_taken) == (True, 10, 90)
    assert found.leak_share == pytest.approx(10 / 90)
    assert found.minutes == pytest.approx(10 / 60)
    assert (found.precision, found.recall, found.count_error) == (1.0, 1.0, 0.0)
    assert found.false_incidents == []


def test_truth_may_be_a_document() -> None:
    """A parsed file is as good as a Truth."""
    assert evaluate([incident(ALL)], truth().document()) == evaluate([incident(ALL)], truth())


def test_half_of_the_later_requests_is_enough_and_less_is_not() -> None:
    """Two of four clients cover half; one does not, but is no false incident either."""
    assert evaluate([incident(ALL[:2], 11)], truth()).detected
    one = evaluate([incident(ALL[:1], 11)], truth())
    assert not one.detected
    assert one.records_before_alert == one.records_taken
    assert one.leak_share == 1.0
    assert (one.attack_incidents, one.false_incidents) == (1, [])


def test_first_actionable_alert_is_the_earliest() -> None:
    """An earlier alert that names too few does not count; of two that count the earlier does."""
    early, late = incident(ALL[:1], 2, incident="a"), incident(ALL, 30, incident="c")
    middle = incident(ALL, 20, incident="b")
    assert evaluate([late, middle, early], truth()).incident == "b"


def test_naming_the_public_is_no_alert() -> None:
    """An alert that also names most of the ordinary traffic is not actionable; one that names 1 in 10,000 is."""
    assert not evaluate([incident([*ALL, "ann"])], truth()).detected
    found = evaluate([incident([*ALL, "bob"])], truth())
    assert found.detected
    assert found.precision == pytest.approx(0.8)


def test_false_incidents() -> None:
    """Incidents without an attacker are false, unless informational or suppressed."""
    noise = [
        incident(["ann"], incident="loud"),
        incident(["ann"], incident="info", severity="informational"),
        incident(["ann"], incident="mute", suppressed_by="export"),
    ]
    found = evaluate(noise, truth())
    assert found.false_incidents == ["loud"]
    assert found.false_incidents_per_day == pytest.approx(86.4)
    assert found.precision == 0.0


def test_quiet_log() -> None:
    """Without an attacker there is nothing to detect, and everything raised is false."""
    quiet = Truth("quiet", "plain", 1, "", iso(T0), iso(T0 + 86_400), {"ann": 5})
    found = evaluate([incident(["ann"])], quiet)
    assert (found.detected, found.leak_share, found.recall) == (False, 0.0, None)
    assert found.false_incidents == ["i1"]
    assert rows(found)[0] == ("pattern", "quiet: nobody attacks")
    assert evaluate([], quiet).false_incidents == []


def test_capped_list_is_extrapolated() -> None:
    """Two clients listed of four counted: the rest is taken to be as right as the list."""
    found = evaluate([incident(ALL[:2], 11, client_count=4)], truth())
    assert (found.detected, found.recall) == (True, 1.0)


def test_selector() -> None:
    """A rule is judged by its own figures, on the attacked route only."""
    rule = {"recall": 0.9, "benign_share": 0.0001}
    assert evaluate([incident([], selector=rule)], truth()).detected
    assert not evaluate([incident([], selector={**rule, "recall": 0.2})], truth()).detected
    assert evaluate([incident([], selector=rule, endpoints=["GET /"])], truth()).false_incidents == ["i1"]


def test_rows_say_it_in_words() -> None:
    """The table holds the headline figures, and says so when nothing was found."""
    words = dict(rows(evaluate([incident(ALL)], truth())))
    assert words["records exposed before it"] == "10 of 90"
    assert words["named clients"] == "precision 100.0%, recall 100.0%"
    assert dict(rows(evaluate([], truth())))["first actionable alert"] == "none"


def test_broken_incident_is_refused() -> None:
    """A missing field and a moment that is none are input errors that name it."""
    broken = incident(ALL)
    del broken["clients"]
    with pytest.raises(InputError, match="clients"):
        evaluate([broken], truth())
    with pytest.raises(InputError, match="yesterday"):
        evaluate([incident(ALL, raised_at="yesterday")], truth())
