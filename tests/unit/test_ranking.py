"""The second opinion: who is unusual and why, whom it learns from, and that it alerts nobody."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.cli.unusual import unusual_lines
from detector.config import ReplaySettings
from detector.engines.local import replay
from detector.ranking import Ranking
from detector.ranking.features import FEATURES, scaled, values
from detector.ranking.ranking import FEWEST_CLIENTS, HOUR_US
from detector.state.layout import COUNTER, Sizes, State

NOW = 500 * HOUR_US


def state(clients: int = 600, accused: int = 0) -> State:
    """Ordinary clients; client 0 reads a thousand records nobody else reads; the last ones have an incident."""
    rng = np.random.default_rng(3)
    s = State(Sizes(clients=1024, objects=1024, blocks=64))
    s.counters[COUNTER["clients"]] = clients
    c = s.in_use
    c["key"] = rng.permutation(clients) + 1
    c["first_us"], c["last_us"] = NOW - HOUR_US, NOW - 1
    c["requests"][:, 0] = rng.integers(20, 60, clients)
    c["reads"][:, 0] = c["requests"][:, 0] // 3
    c["fresh"][:, 0] = c["tries"][:, 0] = c["reads"][:, 0] // 2
    c["cold_expected"][:, 0] = c["fresh"][:, 0] * 0.15
    c["cold"][:, 0] = rng.binomial(c["fresh"][:, 0], 0.15)
    c["bytes_out"][:, 0] = c["requests"][:, 0] * rng.integers(4000, 6000, clients)
    c["requests"][0, 0], c["reads"][0, 0], c["fresh"][0, 0], c["cold"][0, 0] = 1200, 1100, 1000, 950
    c["cold_expected"][0, 0] = 150
    c["incident"][clients - accused :] = 1
    for slot in range(clients):
        name = f"client-{slot}".encode()
        s.names[slot, : len(name)] = list(name)
    return s


def test_unusual_client_comes_first_with_reasons() -> None:
    """The harvester leads, because of the reads nobody else makes, seen and typical."""
    ranking = Ranking()
    ranking.observe(state(), NOW)
    first = ranking.top(3)[0]
    assert (first.rank, first.client, first.named) == (1, "client-0", False)
    assert len(first.reasons) == 3
    assert "cold_excess" in [reason.feature for reason in first.reasons]
    reason = next(reason for reason in first.reasons if reason.feature == "cold_excess")
    assert reason.seen == pytest.approx(800 / 1010)
    assert abs(reason.typical) < 0.1
    assert sum(reason.share for reason in first.reasons) <= 1 + 1e-9


def test_same_clients_same_ranking() -> None:
    """Neither a second run nor the order of slots changes who comes where."""
    one, two = Ranking(), Ranking()
    s = state()
    one.observe(s, NOW)
    c, names = s.in_use.copy(), s.names[:600].copy()
    s.clients[:600], s.names[:600] = c[::-1], names[::-1]
    two.observe(s, NOW)
    assert [u.client for u in one.top(50)] == [u.client for u in two.top(50)]


def test_accused_clients_teach_nothing() -> None:
    """Half of the clients are one extraction with an incident: the typical client is still an ordinary one."""
    s = state(800, accused=400)
    s.in_use["cold"][400:, 0] = s.in_use["fresh"][400:, 0]
    ranking = Ranking()
    ranking.observe(s, NOW)
    assert len(ranking._rows) == 400
    assert np.median(ranking._rows[:, 2]) < 0.1
    assert all(u.named for u in ranking.top(100)[1:50])


def test_client_counts_once_and_only_with_enough_requests() -> None:
    """An hour later the same clients replace their rows; those with few requests are not looked at."""
    s = state()
    s.in_use["requests"][300:, 0] = 5
    ranking = Ranking()
    ranking.observe(s, NOW)
    s.in_use["last_us"] = NOW + HOUR_US - 1
    ranking.observe(s, NOW + HOUR_US)
    assert len(ranking._rows) == 300


def test_too_few_clients_are_no_crowd() -> None:
    """Without a crowd nobody stands out."""
    ranking = Ranking()
    ranking.observe(state(FEWEST_CLIENTS - 1), NOW)
    assert ranking.top(5) == []


def test_features_are_finite() -> None:
    """Clients without reads or with empty stretches have features too."""
    s = State(Sizes(clients=1024, objects=1024, blocks=64))
    shown = values(s.clients[:3])
    assert shown.shape == (3, len(FEATURES))
    assert np.isfinite(scaled(shown)).all()


def test_replay_ranks_whatever_the_cuts() -> None:
    """`top` gives the same clients with one thread and two, and changes no incident."""
    log = "sample_logs/p1.log.gz"
    one = replay([log], ReplaySettings(threads=1, top=10))
    two = replay([log], ReplaySettings(threads=2, top=10))
    assert one.unusual == two.unusual
    assert len(one.unusual) == 10
    plain = replay([log], ReplaySettings())
    assert plain.unusual == []
    assert [i.record() for i in plain.incidents] == [i.record() for i in one.incidents]
    walker = next(i for i in one.incidents if i.pattern == "walk" and i.clients != ["partner-acme"])
    assert one.unusual[0].client == walker.clients[0]
    assert one.unusual[0].named


def test_names_are_escaped(tmp_path: Path) -> None:
    """The command prints rank, name and reasons; hostile names stay on their line."""
    log = tmp_path / "a.log"
    log.write_bytes(gzip.decompress(Path("sample_logs/p1.log.gz").read_bytes()))
    run = CliRunner().invoke(app, ["replay", "--quiet", "--top", "3", str(log)])
    assert run.exit_code == 0
    assert "the 3 most unusual clients" in run.stdout
    assert "typical" in run.stdout
    ranking = Ranking()
    s = state()
    s.names[0, :9] = list(b"bad\x1b[31m\n")
    ranking.observe(s, NOW)
    assert not any("\x1b" in line or "\n" in line for line in unusual_lines(ranking.top(5)))
