"""Who is behind pseudonyms: from the names that lie encrypted beside cases, or by trying a list of names.

Names are kept beside each case, not in one table: they go when the case goes, and whoever holds the key finds of a case
what was in it and nothing more. What left without a case (a file of incidents alone) is found by trying names under the
key: those of a list, or all of a log.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from detector.compiled import prepare
from detector.config import ReplaySettings
from detector.engines.local import KERNELS, make_resolver, read_settings
from detector.engines.reading import Reader
from detector.errors import InputError
from detector.incidents.pseudonyms import NETWORK, Names, Pseudonyms
from detector.records.batch import KINDS

PSEUDONYM = re.compile(r"pn-[a-z]+-[a-z2-7]{26}")
V4_BITS, V6_BITS = 24, 48  # networks as incidents tell them (`records.address_kernel`)


def names_beside(folder: Path, incident: str, pseudonyms: Pseudonyms) -> Names:
    """What is behind the pseudonyms of one case; empty where nothing is kept.

    Raises:
        InputError: the file cannot be read.
        SealError: it was made with another key, or is damaged.
    """
    path = folder / f"{incident}.names"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return pseudonyms.open_names(data, incident)


def every_name_beside(folder: Path, pseudonyms: Pseudonyms) -> Names:
    """The same of all cases of a folder.

    Raises:
        InputError: a file cannot be read.
        SealError: one was made with another key, or is damaged.
    """
    found: Names = {}
    for path in sorted(folder.glob("*.names")):
        found.update(names_beside(folder, path.stem, pseudonyms))
    return found


def tried(names: Iterable[str], wanted: set[str], pseudonyms: Pseudonyms) -> Names:
    """Those of the wanted pseudonyms that one of the names gives, as a client of whatever kind or as a network."""
    found: Names = {}
    for name in names:
        for kind in KINDS:
            if (made := pseudonyms.of(kind, name)) in wanted:
                found[made] = kind, name
        for network in _networks(name):
            if (made := pseudonyms.of(NETWORK, network)) in wanted:
                found[made] = NETWORK, network
        if len(found) == len(wanted):
            break
    return found


def names_in(paths: Iterable[str], settings: ReplaySettings) -> Iterator[str]:
    """The names of all clients of some logs, and their addresses, each at least once.

    Raises:
        InputError: a log cannot be read.
    """
    prepare(KERNELS, wait=False)
    resolver, _ = make_resolver(settings.config)
    seen: set[bytes] = set()
    for released in Reader(list(paths), read_settings(settings), resolver):
        rows = np.unique(released.batch.name, axis=0)
        for row in rows:
            name = bytes(row).rstrip(b"\0")
            if name and name not in seen:
                seen.add(name)
                yield name.decode("ascii", "backslashreplace")


def _networks(name: str) -> list[str]:
    """The network an address lies in, as incidents tell it."""
    try:
        address = ipaddress.ip_network(name, strict=False)
    except ValueError:
        return []
    bits = V4_BITS if address.version == 4 else V6_BITS
    return [str(address.supernet(new_prefix=bits))] if address.prefixlen >= bits else []
