"""Records nobody may read: one read is critical, and what the reader did before is part of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.cli.main import app
from detector.config import ReplaySettings, parse_config
from detector.engines.declaring import tripwires
from detector.engines.local import ReplayResult, replay
from detector.errors import UsageError
from detector.evidence.tripwire import Tripwires, Wire
from detector.records.batch import DECLARED, MISS
from detector.records.keys import REPLAY_KEY
from tests.unit.test_judging import OneRoute, batch_of

CONFIG = """tripwires:
- name: planted users
  route: GET /api/v1/users/{id}
  ids: [999001, 999002]
partners:
- {name: audit, match: {networks: [192.0.2.200]}}
"""
LINE = '{} - - [21/Nov/2025:10:{:02d}:{:02d} +0000] "GET {} HTTP/1.1" {} 90 "-" "x"\n'


def played(folder: Path, *asked: tuple[str, str, int]) -> ReplayResult:
    """The replay of a log of requests: who, path, status; a second each, among twenty readers of other users."""
    lines = []
    for second, (who, path, status) in enumerate(asked):
        lines.append(LINE.format(who, second // 60, second % 60, path, status))
        other = f"/api/v1/users/{second * 7919 % 100_003}"
        lines.append(LINE.format(f"192.0.2.{second % 20}", second // 60, second % 60, other, 200))
    log = folder / "access.log"
    log.write_text("".join(lines), encoding="utf-8")
    return replay([log], ReplaySettings(parse_config(CONFIG.encode(), "x.yaml")))


def test_one_read_is_critical_and_tells_what_was_read_before(tmp_path: Path) -> None:
    """Thirty ordinary reads, then the planted one: an incident with 31 records, for that client alone."""
    before = [("203.0.113.5", f"/api/v1/users/{7 * n}", 200) for n in range(30)]
    result = played(tmp_path, *before, ("203.0.113.5", "/api/v1/users/999002", 200))
    (found,) = result.incidents
    assert (found.pattern, found.severity, found.clients) == ("tripwire", "critical", ["203.0.113.5"])
    assert found.records_exposed.estimate == found.records_at_alert == 31
    assert found.evidence[0].name == "read_of_tripwire_planted_users"
    assert len(found.evidence) >= 3
    assert found.confidence > 0.99
    assert any("records nobody may read" in line for line in result.floor)


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("203.0.113.5", "/api/v1/users/999003", 200),
        ("203.0.113.5", "/api/v1/items/999001", 200),
        ("203.0.113.5", "/api/v1/users/999001", 404),
        ("203.0.113.5", "/api/v1/users/999001", 403),
        ("192.0.2.200", "/api/v1/users/999001", 200),
    ],
)
def test_what_is_no_such_read_raises_nothing(tmp_path: Path, who: str, path: str, status: int) -> None:
    """Another id, another route, a refusal, a declared client."""
    assert played(tmp_path, (who, path, status)).incidents == []


def test_an_open_incident_is_told_anew(tmp_path: Path) -> None:
    """A walk that comes upon a planted record stays one incident, and is critical from then on."""
    walk = [("203.0.113.5", f"/api/v1/users/{n}", 200) for n in range(998_800, 999_010)]
    (found,) = played(tmp_path, *walk).incidents
    assert (found.pattern, found.severity) == ("walk", "critical")
    assert {f.name for f in found.evidence} >= {"ids_in_order", "read_of_tripwire_planted_users"}


def test_the_table_finds_what_is_in_it() -> None:
    """Among a hundred thousand objects exactly those planted, the first of each client; none by a miss or a partner."""
    rng = np.random.default_rng(1)
    n = 100_000
    batch = batch_of(np.arange(n) / 100, rng.integers(0, 500, n), rng.integers(0, 10**9, n))
    batch.route[:] = 1
    planted = np.unique(rng.choice(batch.object, 3000))
    batch.flags[::7] = MISS
    batch.flags[::11] = DECLARED
    table = Tripwires([Wire("w", tuple(planted.tolist()), "GET /users/{id}")], OneRoute().name)
    rows, which = table.find(batch, 1)
    hits = np.flatnonzero(np.isin(batch.object, planted) & (batch.flags == 0))
    _, first = np.unique(batch.client[hits], return_index=True)
    assert rows.tolist() == np.sort(hits[first]).tolist()
    assert not which.any()


def test_ids_come_from_lists_and_files(tmp_path: Path) -> None:
    """Numbers and texts are what a log line's would be; comments and empty lines are none."""
    (tmp_path / "ids.txt").write_text("# planted in spring\n0042\n\nghost-user\n", encoding="utf-8")
    text = b"tripwires: [{name: a, route: '/users/{id}', ids: [7], ids_file: ids.txt}]\n"
    (wire,) = tripwires(parse_config(text, "x.yaml", tmp_path))
    expected = [REPLAY_KEY.of_number(7), REPLAY_KEY.of_number(42), REPLAY_KEY.of_text(b"ghost-user")]
    assert list(wire.objects) == expected
    with pytest.raises(UsageError, match="is no id on"):
        tripwires(parse_config(b"tripwires: [{name: a, route: '/users/{id}', ids: ['']}]\n", "x.yaml"))


def test_check_tells_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    """An error of the configuration, with exit code 2."""
    (tmp_path / "ids.txt").write_bytes(b"\xff\xfe")
    config = tmp_path / "c.yaml"
    config.write_text("tripwires: [{name: a, route: '/users/{id}', ids_file: ids.txt}]\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["check", str(config)])
    assert done.exit_code == 2
    assert "cannot be read: not UTF-8" in done.stderr
