"""The nine cases measured with a popular rival (issue 3): extractions are one incident each, the rest is none."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from detector.config import ReplaySettings
from detector.engines.local import replay
from detector.incidents.incident import Incident
from tests.replay.nine_cases import EXTRACTIONS, NEGATIVES, START_S, Case

SEEDS = (1, 2)
COUNTED = 0.03  # how far off the count of records may be (issue 3, must-show 5)


def _found(case: Case, folder: Path) -> list[Incident]:
    """All incidents of a case's log, replayed with default settings."""
    path = folder / "access.log"
    path.write_bytes(case.text)
    return replay([path], ReplaySettings()).incidents


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", EXTRACTIONS)
def test_an_extraction_is_one_incident(name: str, seed: int, tmp_path: Path) -> None:
    """Each extraction is one incident that names exactly its addresses, in time, and counts what they took."""
    case = EXTRACTIONS[name](seed)
    (incident,) = _found(case, tmp_path)
    assert sorted(incident.clients) == sorted(case.clients)
    assert (incident.client_count, incident.client_kind) == (len(case.clients), "address")
    assert incident.endpoints[0] == case.route
    assert incident.records_exposed.estimate == pytest.approx(case.records, rel=COUNTED)
    assert datetime.fromisoformat(incident.raised_at).timestamp() - START_S <= case.latest_seconds
    assert incident.records_at_alert < case.records / 4
    assert incident.severity != "informational"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NEGATIVES)
def test_what_is_no_extraction_raises_nothing(name: str, seed: int, tmp_path: Path) -> None:
    """Galleries, carriers, offices, monitors and crowds raise no incident, not even an informational one."""
    assert _found(NEGATIVES[name](seed), tmp_path) == []
