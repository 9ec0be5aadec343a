"""What one sink has yet to take, as files: the newest revision of each incident, and what became of the others.

::

    folder/4f1c….json        a line about the file, and the incident: replaced as a whole by a newer revision
    folder/delivered         `incident revision` a line, newest last: what the sink has taken or refused, 0 = forget it
    folder/refused/          what it will never take, the newest thousand

A file is written beside, brought to the disk and renamed, so that a crash at any moment leaves the old one or the new
one. ``delivered`` is written after the sink has said that it is durable, and not brought to the disk: what a loss of
power takes from it is delivered again, and the sink ignores it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from pathlib import Path

from detector.crash import crash_here
from detector.incidents.incident import SEVERITIES
from detector.sinks.jsonl import keep_names
from detector.sinks.sink import Revisions

MOST_REFUSED = 1_000  # files kept for people to look at: a few megabytes
LEDGER_BYTES = 8 << 20  # of `delivered`, before it is written anew with what is remembered: 200,000 lines
BLOCK_BYTES = 4096  # what a file takes on the disk is counted in blocks

_PLAIN = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")
_SCRATCH = ".new"


@dataclass
class Entry:
    """An incident that waits.

    Attributes:
        incident, revision: which one.
        rank: index of its severity, ``critical`` is the highest.
        since: its number in the order of first arrival.
        size: bytes on the disk.
        tries: attempts that failed.
    """

    incident: str
    revision: int
    rank: int
    since: int
    size: int = 0
    tries: int = 0


class Spool:
    """The files of one sink. Not safe for several threads: whoever holds it sees to that, but for :meth:`prepare`.

    Args:
        folder: made where it does not exist.

    Raises:
        OSError: the folder cannot be made, read or written.

    Attributes:
        entries: what waits, by incident.
        size: bytes of everything that waits.
        damaged: names of files that were not what had been written; they lie in ``refused``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self.size = 0
        self.damaged: list[str] = []
        self._refused = folder / "refused"
        self._refused.mkdir(parents=True, exist_ok=True)
        self._done = Revisions()
        self._scratch = count()
        self._read_entries()
        self._arrivals = count(max((entry.since for entry in self.entries.values()), default=0) + 1)
        self._read_ledger()
        keep_names(folder)
        self._ledger = os.open(folder / "delivered", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def wants(self, incident: str, revision: int) -> bool:
        """Whether a revision is newer than what waits and what was taken."""
        waiting = self.entries.get(incident)
        return not self._done.has(_key(incident), revision) and (waiting is None or waiting.revision < revision)

    def prepare(self, incident: str, revision: int, line: str) -> tuple[Path, Entry]:
        """Brings an incident to the disk under a name that does not count yet. May run beside everything else.

        Raises:
            OSError: the disk is full or refuses.
            ValueError: the line is no incident.
        """
        rank = SEVERITIES.index(json.loads(line)["severity"])
        before = self.entries.get(incident)
        entry = Entry(incident, revision, rank, next(self._arrivals) if before is None else before.since)
        data = _packed(entry, line)
        entry.size = _blocks(data)
        scratch = self.folder / f"{_key(incident)}.{next(self._scratch)}{_SCRATCH}"
        try:
            with scratch.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            scratch.unlink(missing_ok=True)
            raise
        return scratch, entry

    def store(self, scratch: Path, entry: Entry) -> bool:
        """Gives a prepared file its name; durable after :meth:`keep`. False where it has become old meanwhile."""
        if not self.wants(entry.incident, entry.revision):
            scratch.unlink()
            return False
        crash_here("inside_outbox")
        scratch.replace(self._path(entry.incident))
        self._hold(entry)
        return True

    def keep(self) -> None:
        """Waits until the names are on the disk."""
        keep_names(self.folder)

    def line(self, incident: str) -> str:
        """The incident that waits.

        Raises:
            OSError: the file is gone or cannot be read.
            ValueError: it is not what was written.
        """
        return _unpacked(self._path(incident).read_bytes())[1]

    def taken(self, incident: str, revision: int) -> None:
        """The sink has this revision; a newer one goes on waiting."""
        self._remember(incident, revision)
        if self._ends(incident, revision):
            self._path(incident).unlink(missing_ok=True)

    def refuse(self, incident: str, revision: int) -> None:
        """The sink will never take this revision: it is set aside; a newer one goes on waiting."""
        self._remember(incident, revision)
        if self._ends(incident, revision) and self._path(incident).exists():
            self._path(incident).replace(self._refused / f"{_key(incident)}.{revision}.json")
            self._forget_oldest()

    def readmit(self) -> list[Entry]:
        """Lets everything that was set aside wait again, where nothing newer of it does or did."""
        again = []
        for path in sorted(self._refused.glob("*.json")):
            try:
                entry, _ = _unpacked(path.read_bytes())
            except (OSError, ValueError):
                continue
            newer = self._done.has(_key(entry.incident), entry.revision + 1)
            waiting = self.entries.get(entry.incident)
            if newer or (waiting is not None and waiting.revision >= entry.revision):
                path.unlink(missing_ok=True)
                continue
            self._remember(entry.incident, 0)
            path.replace(self._path(entry.incident))
            self._hold(entry)
            again.append(entry)
        self.keep()
        return again

    def close(self) -> None:
        """Closes the list of what was delivered."""
        os.close(self._ledger)

    def _path(self, incident: str) -> Path:
        return self.folder / f"{_key(incident)}.json"

    def _hold(self, entry: Entry) -> None:
        before = self.entries.get(entry.incident)
        self.size += entry.size - (before.size if before is not None else 0)
        self.entries[entry.incident] = entry

    def _ends(self, incident: str, revision: int) -> bool:
        waiting = self.entries.get(incident)
        if waiting is None or waiting.revision > revision:
            return False
        self.size -= waiting.size
        del self.entries[incident]
        return True

    def _remember(self, incident: str, revision: int) -> None:
        self._learn(_key(incident), revision)
        with suppress(OSError):  # a full disk: after a restart it may be delivered again, which sinks ignore
            os.write(self._ledger, f"{_key(incident)} {revision}\n".encode("ascii"))

    def _learn(self, key: str, revision: int) -> None:
        if revision:
            self._done.add(key, revision)
        else:
            self._done.forget(key)

    def _forget_oldest(self) -> None:
        paths = sorted(self._refused.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        for path in paths[: max(0, len(paths) - MOST_REFUSED)]:
            path.unlink(missing_ok=True)

    def _read_entries(self) -> None:
        for path in self.folder.glob(f"*{_SCRATCH}"):
            path.unlink()
        for path in self.folder.glob("*.json"):
            data = path.read_bytes()
            try:
                entry, _ = _unpacked(data)
            except ValueError:
                self.damaged.append(path.name)
                path.replace(self._refused / f"{path.name}.damaged")
                continue
            self._hold(entry)

    def _read_ledger(self) -> None:
        path = self.folder / "delivered"
        if not path.exists():
            return
        for key, revision in _ledger_lines(path):
            self._learn(key, revision)
        for entry in list(self.entries.values()):  # taken, and the crash came before its file was removed
            if self._done.has(_key(entry.incident), entry.revision):
                self._ends(entry.incident, entry.revision)
                self._path(entry.incident).unlink()
        torn = path.read_bytes()[-1:] != b"\n"
        if torn or path.stat().st_size > LEDGER_BYTES:
            scratch = path.with_suffix(_SCRATCH)
            scratch.write_text("".join(f"{key} {n}\n" for key, n in self._done.items()), encoding="ascii")
            scratch.replace(path)


def _ledger_lines(path: Path) -> Iterator[tuple[str, int]]:
    for line in path.read_bytes()[-2 * LEDGER_BYTES :].split(b"\n")[:-1]:
        key, _, revision = line.partition(b" ")
        if key.isascii() and revision.isdigit():
            yield key.decode("ascii"), int(revision)


def _key(incident: str) -> str:
    """A file's name for an incident: its id, or a hash of an id that is no plain name."""
    if 0 < len(incident) <= 64 and set(incident) <= _PLAIN:
        return incident
    return "h-" + blake2b(incident.encode(), digest_size=16).hexdigest()


def _packed(entry: Entry, line: str) -> bytes:
    about = {
        "incident": entry.incident,
        "revision": entry.revision,
        "rank": entry.rank,
        "since": entry.since,
        "digest": _digest(line),
    }
    return f"{json.dumps(about)}\n{line}\n".encode("ascii")


def _unpacked(data: bytes) -> tuple[Entry, str]:
    about, _, line = data.decode("ascii").removesuffix("\n").partition("\n")
    try:
        told = json.loads(about)
        entry = Entry(str(told["incident"]), int(told["revision"]), int(told["rank"]), int(told["since"]))
        whole = told["digest"] == _digest(line)
    except (KeyError, TypeError) as error:
        raise ValueError("no such file of an outbox") from error
    if not whole:
        raise ValueError("the incident is not the one that was written")
    entry.size = _blocks(data)
    return entry, line


def _blocks(data: bytes) -> int:
    return -(-len(data) // BLOCK_BYTES) * BLOCK_BYTES


def _digest(line: str) -> str:
    return blake2b(line.encode("ascii"), digest_size=16).hexdigest()
