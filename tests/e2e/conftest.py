"""One broker for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.broker import Broker, Unavailable, skip_or_fail


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka; tests are skipped where the machine cannot run one, and fail there in CI."""
    try:
        started = Broker.start(tmp_path_factory.mktemp("kafka"))
    except Unavailable as why:
        skip_or_fail(why)
    with started:
        yield started
