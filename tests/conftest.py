"""What tests share: where things lie, and an incident to change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.incidents.incident import Estimate, Finding, Incident

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real logs beside the checkout; tests that need them are skipped without."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real logs are not beside this checkout (../shared/data)")
    return folder


@pytest.fixture
def make_incident() -> Callable[..., Incident]:
    """Builds a plain walk by one address; any field can be given."""

    def make(**changes: Any) -> Incident:
        values: dict[str, Any] = {
            "incident": "3f9a1c5e7b2d4860",
            "revision": 2,
            "state": "closed",
            "pattern": "walk",
            "detector": {"name": "walk", "version": "0.1.0", "config": "9ba127450394"},
            "severity": "high",
            "confidence": 0.99,
            "raised_at": "2026-11-21T16:01:02.000000Z",
            "first_seen": "2026-11-21T16:00:00.000000Z",
            "last_seen": "2026-11-21T16:10:00.000000Z",
            "endpoints": ["GET /api/v1/users/{id}"],
            "clients": ["203.0.113.9"],
            "client_count": 1,
            "client_kind": "address",
            "selector": None,
            "requests": 34_800,
            "bytes_out": 12_345_678,
            "records_exposed": Estimate(34_720, 34_100, 35_300),
            "persons_exposed": None,
            "data_classes": [],
            "evidence": [Finding("ids_in_order", 4210, 59, 2918.2), Finding("share_of_stretch_read", 0.998, 0.0, 0.0)],
            "records_at_alert": 1204,
        }
        return Incident(**(values | changes))

    return make
