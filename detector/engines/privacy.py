"""What the configuration's ``privacy`` asks for: the key of pseudonyms, that of what lies on disk, sealed snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.config import Config
from detector.engines.features import FEATURES
from detector.engines.keeping import Store
from detector.errors import SealError
from detector.incidents.pseudonyms import Pseudonyms
from detector.ranking import Unusual
from detector.records.batch import KINDS
from detector.sealing import Seal, opened, read_secret, sealed
from detector.state.layout import State


def veil_of(config: Config) -> Pseudonyms | None:
    """What hides the names of clients and networks; None where they are told.

    Raises:
        UsageError: the key cannot be read.
    """
    path = config.privacy.pseudonym_key_file
    return Pseudonyms.from_file(path) if path else None


def seal_of(config: Config, purpose: str = "cases") -> Seal | None:
    """What encrypts cases and pages (or another purpose) on disk; None where they lie as they are.

    Raises:
        UsageError: the key cannot be read.
    """
    path = config.privacy.encryption_key_file
    return Seal(read_secret(path, "privacy.encryption_key_file"), purpose) if path else None


def snapshot_seal_of(config: Config) -> Seal | None:
    """What encrypts snapshots: they hold names as they are, so where these leave as pseudonyms, snapshots are encrypted
    under that key if there is no other.

    Raises:
        UsageError: the key cannot be read.
    """
    path = config.privacy.pseudonym_key_file
    found = seal_of(config, "snapshots")
    return found or (Seal(read_secret(path, "privacy.pseudonym_key_file"), "snapshots") if path else None)


def check_keys(config: Config) -> None:
    """Reads the keys once. Raises ``UsageError`` where one cannot be used."""
    veil_of(config)
    seal_of(config)


def veiled_features(table: npt.NDArray[Any], veil: Pseudonyms | None) -> npt.NDArray[Any]:
    """Features (dtype `features.FEATURES`) with pseudonyms in place of names."""
    if veil is None:
        return table
    assert table.dtype == FEATURES
    pairs = zip(table["kind"].tolist(), table["client"].tolist(), strict=True)
    table["client"] = np.array([veil.of(kind.decode("ascii"), name.decode("ascii")).encode() for kind, name in pairs])
    return table


def veiled_ranks(found: list[Unusual], state: State, veil: Pseudonyms | None) -> list[Unusual]:
    """The most unusual clients under their pseudonyms; one that has been forgotten since is of no known kind."""
    if veil is None:
        return found
    clients = state.in_use
    kinds = dict(zip(clients["key"].tolist(), clients["kind"].tolist(), strict=True))
    return [replace(one, client=veil.of(KINDS[kinds.get(one.key, 0)], one.client)) for one in found]


class SealedStore:
    """A store of snapshots that lie encrypted; those that were kept before there was a key are still read.

    Args:
        store: where they lie.
        seal: None = as they are; what is found encrypted is then said, and passed over.
        warn: told of what does not open, as an event and its facts.
    """

    def __init__(self, store: Store, seal: Seal | None, warn: Callable[..., None]) -> None:
        self._store, self._seal, self._warn = store, seal, warn

    def put(self, name: str, order: tuple[int, int], data: bytes) -> None:
        """Keeps it; durable on return."""
        self._store.put(name, order, sealed(data, name, self._seal))

    def newest(self, name: str) -> Iterator[tuple[tuple[int, int], bytes]]:
        """What is kept and opens, newest first."""
        for order, data in self._store.newest(name):
            try:
                yield order, opened(data, name, self._seal)
            except SealError as error:
                reason = str(error) if self._seal else f"{name}: is encrypted; privacy names no key"
                self._warn("snapshot_unusable", name=name, generation=order[0], sequence=order[1], reason=reason)

    def names(self) -> list[str]:
        """Under which names something is kept."""
        return self._store.names()

    def close(self) -> None:
        """Lets go of connections."""
        close = getattr(self._store, "close", None)
        if close is not None:
            close()
