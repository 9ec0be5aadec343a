"""Suppressions: judged, recorded and counted, never paged; expiry is a matter of log time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.config import parse_config
from detector.engines.declaring import suppressions
from detector.engines.telemetry import Telemetry
from detector.errors import ConfigError
from detector.incidents.incident import Incident
from detector.incidents.story import Story
from detector.incidents.suppression import Suppression
from detector.pipeline import Pipeline, Rules
from detector.records.route_names import names_route
from tests.unit.test_judging import SMALL, START, OneRoute, batch_of

FOREVER = 1 << 62


def quiet(**changes: object) -> Suppression:
    """A suppression that never expires."""
    return Suppression(**({"name": "known", "until_us": FOREVER} | changes))  # type: ignore[arg-type]


def walked(*said: Suppression) -> list[tuple[Incident, Story]]:
    """What is told of a walk of two hours by ``client-0``."""
    told: list[tuple[Incident, Story]] = []
    pipeline = Pipeline(
        Rules(suppressions=said),
        SMALL,
        OneRoute(),  # type: ignore[arg-type]
        lambda news, story: told.append((news, story)),
    )
    pipeline.take(batch_of(np.arange(7200.0), np.zeros(7200), 5000 + np.arange(7200)))
    pipeline.finish()
    return told


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({"clients": frozenset({"client-0"})}, True),
        ({"clients": frozenset({"client-1"})}, False),
        ({"accounts": frozenset({"client-0"})}, False),
        ({"patterns": frozenset({"walk"})}, True),
        ({"patterns": frozenset({"bulk"}), "clients": frozenset({"client-0"})}, False),
        ({"routes": ("GET /users/*",)}, True),
        ({"routes": ("GET /orders/{id}",)}, False),
        ({"agents": frozenset({0})}, True),
        ({"agents": frozenset({9})}, False),
        ({"networks": ("198.51.100.0/24",)}, False),
    ],
)
def test_every_kind_that_is_named_must_hold(match: dict[str, object], holds: bool) -> None:
    """Severity stays what it is; `suppressed_by` says whether somebody answers for it."""
    told = [news for news, _ in walked(quiet(**match))]
    assert told[-1].suppressed_by == ("known" if holds else None)
    assert told[-1].severity == "medium"
    assert told[-1].records_exposed.estimate > 6000


def test_it_expires_in_log_time() -> None:
    """From the first evidence after its last day on, the same incident is told without it."""
    told = [news for news, _ in walked(quiet(until_us=START + 3600 * 1_000_000))]
    by = [news.suppressed_by for news in told]
    assert by[0] == "known"
    assert by[-1] is None
    assert by == sorted(by, key=lambda name: name is None)
    assert len({news.incident for news in told}) == 1


def test_a_reload_takes_it_over_within_a_minute() -> None:
    """What is open is told again as suppressed, and again without it when that is taken back."""
    told: list[Incident] = []
    pipeline = Pipeline(Rules(), SMALL, OneRoute(), lambda news, _: told.append(news))  # type: ignore[arg-type]
    for minute, said in ((0, ()), (4, (quiet(patterns=frozenset({"walk"})),)), (8, ())):
        pipeline.change(replace(pipeline.rules, suppressions=said))
        seconds = minute * 60 + np.arange(240.0)
        pipeline.take(batch_of(seconds, np.zeros(240), 5000 + minute * 60 + np.arange(240)))
    by = [news.suppressed_by for news in told]
    assert (by[0], by[-1]) == (None, None)
    assert "known" in by


class Counted:
    """An exporter that adds up."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}

    def inc(self, name: str, by: float = 1, **labels: str) -> None:
        """Adds."""
        self.counts[name] += int(by)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Not looked at."""

    def observe(self, name: str, value: float) -> None:
        """Not looked at."""

    def replace(self, name: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Keeps the sum."""
        self.gauges[name] = sum(values.values())

    def reach(self, name: str, total: float) -> None:
        """Not looked at."""


@pytest.mark.parametrize("until_us", [FOREVER, START + 3600 * 1_000_000])
def test_suppressed_incidents_are_counted_apart(until_us: int) -> None:
    """No counter or gauge that pages moves until the suppression no longer holds."""
    exporter = Counted()
    telemetry = Telemetry(exporter)
    for news, story in walked(quiet(until_us=until_us)):
        telemetry.tell(news, story, news.revision == 1)
    assert exporter.counts["incidents_suppressed_total"] == 1
    assert exporter.counts["incidents_total"] == (until_us != FOREVER)
    assert exporter.gauges.get("incidents_open", 0) == (until_us != FOREVER)


CONFIG = """suppressions:
- match: {accounts: [desk], agents: [probe/1.0]}
  reason: load test
  owner: sre
  expires: 2023-11-30
- match: {clients: [198.51.100.7]}
  reason: crawl agreed by phone
  owner: ann
  expires: 2099-01-01
"""


def test_they_come_from_the_configuration() -> None:
    """The last day is part of it; without a name the reason is what incidents say."""
    first, second = suppressions(parse_config(CONFIG.encode(), "x.yaml"))
    assert (first.name, second.name) == ("load test", "crawl agreed by phone")
    assert first.until_us == 1_701_388_800_000_000  # 2023-12-01T00:00:00Z
    assert len(first.agents) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("suppressions: [{match: {}, reason: a, owner: b, expires: 2027-01-01}]\n", "match: matches everything; name"),
        ("suppressions: [{match: {patterns: [walk]}, reason: a, owner: b}]\n", "expires: missing: last day"),
        ("suppressions: [{match: {patterns: [wlk]}, reason: a, owner: b, expires: x}]\n", "expires: 'x' is no day"),
        ("partners: [{name: a, match: {keys: [secret]}}]\n", "match.keys[0]: 'secret' is not key~ and 16"),
        ("partners: [{name: a, match: {accounts: [b]}, contract: {hours: [2-4]}}]\n", "'2-4' is not of the form"),
        ("tripwires: [{name: a, route: GET /users, ids: [1]}]\n", "must hold one place for an id"),
        ("tripwires: [{name: a, route: 'GET /users/{id}'}]\n", "tripwires[0]: name ids or ids_file"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, said: str) -> None:
    """Each with the line and the key."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text.encode(), "x.yaml")
    assert any(said in problem and problem.startswith("x.yaml:1: ") for problem in caught.value.problems)


def test_check_warns_of_the_expired_and_the_wide(tmp_path: Path) -> None:
    """Valid all the same; a sample log tells how much each would match."""
    config, log = tmp_path / "c.yaml", tmp_path / "access.log"
    config.write_text(CONFIG, encoding="utf-8")
    line = '{} - - [21/Nov/2025:10:00:{:02d} +0000] "GET /users/{} HTTP/1.1" 200 90 "-" "x"\n'
    who = ["198.51.100.7"] * 5 + [f"192.0.2.{n}" for n in range(55)]
    log.write_text("".join(line.format(w, n, n) for n, w in enumerate(who)), encoding="utf-8")
    done = CliRunner().invoke(app, ["check", str(config), "--log", str(log)])
    assert done.exit_code == 0
    assert "suppressions[0]: expired on 2023-11-30" in done.stderr
    assert "suppressions[1] (crawl agreed by phone) matches 8.33% of 60 requests" in done.stderr
    assert "suppressions[0] (load test) matches 0.00% of 60" in done.stdout


@pytest.mark.parametrize(
    ("said", "name", "same"),
    [
        ("GET /users/{id}", "GET /users/{id}", True),
        ("/users/{id}", "POST /users/me", True),
        ("GET /users/{id}", "GET /users", False),
        ("GET /users/*", "GET /users/{id}/orders", True),
        ("GET /users/*", "GET /users", False),
        ("/r?item={id}&page={page}", "GET /r?page={page}&item={id}", True),
        ("/r", "GET /r?id={id}", False),
    ],
)
def test_routes_are_named_as_people_write_them(said: str, name: str, same: bool) -> None:
    """Any method where none is said, any word in braces, anything below an asterisk, the same keys."""
    assert names_route(said, name) == same
