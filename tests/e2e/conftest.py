"""One broker for all tests of a run."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.compiled import prepare
from detector.engines.assembly import STREAM_KERNELS
from tests.e2e.broker import Broker, Unavailable, skip_or_fail
from tests.e2e.walked import Walked


@pytest.fixture(scope="session", autouse=True)
def _kernels() -> None:
    """Everything a sidecar needs is compiled before the first is started: tests have time limits of their own."""
    prepare(STREAM_KERNELS)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka; tests are skipped where the machine cannot run one, and fail there in CI."""
    try:
        started = Broker.start(tmp_path_factory.mktemp("kafka"))
    except Unavailable as why:
        skip_or_fail(why)
    with started:
        yield started


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """A short log with five walks, and what replay finds in it."""
    return Walked.write(tmp_path_factory.mktemp("walked"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets that kafka-python leaves behind are found whenever the garbage collector runs, in any test here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning"))


def pytest_sessionfinish() -> None:
    """Collects the sockets whose connection was refused: kafka-python 3.0.12 leaves them to the garbage collector."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <socket.socket", ResourceWarning)
        gc.collect()
