"""Log files to rows in the order of log time: read, scanned, resolved and sorted in one thread, judged in another.

What comes out depends on the records and the settings alone: not on chunks, threads or the speed of either.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from queue import Empty, Full, Queue
from threading import Event, Thread

from detector import formats
from detector.engines.coverage import Coverage
from detector.engines.doubled import counted_once
from detector.engines.feed import END, SHOWN_LINES, Feed, Filter, Resolving, Scanner, lines_of, names_host, unreadable
from detector.engines.ledger import LedgerFeed
from detector.engines.order import Merger, Part, Released
from detector.errors import InputError, UsageError
from detector.formats.detection import Detection
from detector.formats.envelope import AUTO, Envelope, detect_envelope, detect_in
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.ledger import LedgerResolver
from detector.sources.chunk import Chunk
from detector.sources.files import CHUNK_BYTES, LogFile, discover, shown
from detector.state.twins import Twins

LATENESS_US = 60_000_000  # contract.md, "Order": the default of replay
DETECT_LINES = 200  # of the first ones, evenly spread, shown to the detection: 5 ms for all presets together
HEADER_LINES = 8  # always shown too: W3C logs begin with two to four lines about themselves, tables with one
# A format that takes fewer of the lines than detection wants is still that of a log whose lines are torn: of the erddap
# logs' heads it takes 32 to 90 % (half their lines are cut in two), of an error log none. Judgement: a tenth; of a file
# named by the user one line is enough.
TORN = 0.1
HEADS = 64  # heads looked through for a file named by the user: 16 MiB without one parsable line is no access log
SMALL_CHUNK_BYTES = 256 << 10  # the least a chunk shrinks to when many files are open at once
OPEN_FILES = 4  # files open at once that get whole chunks; more share the memory of these
QUEUED = 4  # batches sorted ahead of the judge: some 8 MB of rows each
POLL_SECONDS = 0.1  # how long a thread waits before it looks whether the other side is still there

_Step = tuple[list[Part], int]


@dataclass(frozen=True)
class ReadSettings:
    """What to read of the files, and how.

    Attributes:
        log_format: preset or format string; None = detect it, file by file.
        envelope: what wraps the records of a line (`source.envelope`); ``auto`` = found out, file by file.
        since_us, until_us: log time to read, ``since <= time < until``, microseconds UTC; None = no bound.
        vhost: read only lines of this virtual host, compared without case and port; None = all.
        lateness_us: how far out of order records may stand and still be sorted.
        threads: 1 = read and merge in turn; more = read in a thread of its own.
        chunk_bytes: text read at a time.
        ledgers: files of the consent ledger, read beside the logs.
        key: under which the ledger's persons are hashed: the resolver's.
    """

    log_format: str | None = None
    envelope: str = AUTO
    since_us: int | None = None
    until_us: int | None = None
    vhost: str | None = None
    lateness_us: int = LATENESS_US
    threads: int = 2
    chunk_bytes: int = CHUNK_BYTES
    ledgers: tuple[str, ...] = ()
    key: HashKey = REPLAY_KEY


class Reader:
    """Iterates the rows of all files as :class:`Released`, once.

    Files are looked at when the reader is made (found, told apart, their first lines read) and read when iterated.

    Attributes:
        names: paths of all files found; ``Batch.origin`` counts in this list.
        formats: path to name of the format, for the files that are read.
        wrapped: path to what wraps its records, in words, for files whose lines are opened first.
        mixed: path to other formats among its first lines, and the share of those; their lines are rejected.
        skipped: (path, reason) of the files that are not.
        lost: (path, what) of files of which a part could not be read: exit code 4.
        coverage: what was read; final when the iteration has ended.

    Raises:
        InputError: a path means no file, no file is an access log, or one named by the user has not one parsable line.
        FormatError: ``log_format`` cannot be compiled.
        UsageError: a virtual host is asked for and a log names none.
    """

    def __init__(self, paths: Iterable[str | os.PathLike[str]], settings: ReadSettings, resolver: Resolving) -> None:
        self.coverage = Coverage()
        self.skipped = self.coverage.skipped
        self.lost = self.coverage.lost
        self.formats: dict[str, str] = {}
        self.wrapped: dict[str, str] = {}
        self.mixed: dict[str, dict[str, float]] = {}
        self._others: dict[str, float] = {}
        self._settings = settings
        self._resolver = resolver
        self._given: Scanner | None = formats.load(settings.log_format) if settings.log_format else None
        self._said = Envelope.named(settings.envelope) if settings.envelope != AUTO else None
        self._envelope: Envelope | None = None
        files = discover(paths)
        self.names = [file.path for file in files]
        self._feeds = [feed for feed in map(self._prepare, files) if feed is not None]
        self._check()
        self._ledgers = self._open_ledgers(len(files))

    def _open_ledgers(self, origin: int) -> list[LedgerFeed]:
        resolver = LedgerResolver(self._settings.key)
        files = discover(self._settings.ledgers)
        for file in files:
            file.origin += origin
        self.names += [file.path for file in files]
        return [LedgerFeed(file, resolver) for file in files]

    def progress(self) -> tuple[int, int, int]:
        """Bytes read of the files as they lie on disk, their sum (0 = not known), lines read."""
        sizes = [feed.file.size for feed in self._feeds]
        total = sum(sizes) if all(sizes) else 0
        done = sum(feed.file.consumed() for feed in self._feeds)
        return min(done, total) if total else done, total, self.coverage.lines  # a log may grow while it is read

    def __iter__(self) -> Iterator[Released]:
        with closing(self._released() if self._settings.threads < 2 else _ahead(self._released())) as released:
            yield from released

    def _released(self) -> Generator[Released, None, None]:
        merger, twins = Merger(), Twins()
        with closing(self._steps()) as steps:
            for parts, watermark_us in steps:
                merger.add(parts)
                for released in merger.release(watermark_us, last=watermark_us == END):
                    released.rejected = dict(self.coverage.rejected)
                    yield from counted_once(released, twins, self.coverage)

    def _prepare(self, file: LogFile) -> Feed | None:
        """Looks at a file's first lines; None = it is not to be read, and that is noted."""
        first: list[bytes] = []
        closest = ""
        with closing(file.heads()) as heads:
            for head in islice(heads, 0 if file.skip else HEADS):
                first += lines_of(head, SHOWN_LINES)
                scanner, closest = self._format_of(head, file.direct)
                feed = self._feed(file, scanner, head) if scanner else None
                if feed:
                    return feed
                if first and not file.direct:
                    break
        if file.loss:
            self.lost.append((file.path, file.loss))
        elif not file.skip and first and file.direct:
            raise unreadable(file.path, first, f"not one of its first lines can be parsed{closest}")
        else:
            reason = file.skip or ("no access log" + closest if first else "empty")
            self.skipped.append((file.path, reason))
        return None

    def _feed(self, file: LogFile, scanner: Scanner, head: Chunk) -> Feed | None:
        """The file with its format, if the format fits a line of the head, or is to be tried on all lines."""
        fields = scanner.scan(self._envelope.open(head) if self._envelope else head)
        taken = fields.reason == 0
        if not taken.any() and not (self._given and file.direct):
            return None
        if self._settings.vhost is not None and taken.any() and not names_host(fields, taken):
            if file.direct:
                raise UsageError(f"--vhost: {shown(file.path)} is read as {scanner.name}, which names no host")
            file.skip = f"--vhost: {scanner.name} names no host"
            return None
        self.formats[file.path] = scanner.name
        if self._envelope:
            self.wrapped[file.path] = self._envelope.about
        if self._others:
            self.mixed[file.path] = self._others
        first_us = int(fields.time_us[taken].min()) if taken.any() else None
        others = [formats.load(name) for name in self._others]
        return Feed(file, scanner, first_us, self._settings.lateness_us, others, self._envelope)

    def _format_of(self, head: Chunk, direct: bool) -> tuple[Scanner | None, str]:
        """The format given or detected, and what else could be tried; what wraps its lines is found out beside it."""
        lines = lines_of(head, DETECT_LINES, spread=True, first=HEADER_LINES)
        self._envelope, detection = self._envelope_of(lines)
        if self._given is not None:
            return self._given, f" as {self._given.name}"
        detection = detection or formats.detect(lines)
        if detection.closest is None:
            return None, ""
        self._others = detection.others
        rate = detection.rates[detection.closest]
        torn = rate > 0 if direct else rate >= TORN
        scanner = detection.format or (formats.load(detection.closest) if torn else None)
        return scanner, f"; the closest format is {detection.closest}"

    def _envelope_of(self, lines: list[bytes]) -> tuple[Envelope | None, Detection | None]:
        """What wraps some lines, None where nothing does, and what was found out about the format on the way."""
        if self._said is not None:  # without a key its records are lines by now, whatever held them in the file
            return (self._said, detect_in(self._said, lines, self._given)) if self._said.key else (None, None)
        if sum(line.lstrip()[:1] == b"{" for line in lines) * 2 <= len(lines):
            return None, None
        plain = None
        if self._given is None:
            plain = formats.detect(lines)
            if plain.format is not None:
                return None, plain
        envelope, found = detect_envelope(lines, self._given)
        return (envelope, found) if envelope.key else (None, plain)

    def _check(self) -> None:
        """Raises ``InputError`` where nothing is left to read, unless all there was is empty."""
        left = [(path, why) for path, why in (*self.skipped, *self.lost) if why != "empty"]
        if not self._feeds and left:
            named = "".join(f"\n  {shown(path)}: {why}" for path, why in left[:5])
            more = f"\n  and {len(left) - 5} more" if len(left) > 5 else ""
            raise InputError(f"no access log among {len(self.names)} files{named}{more}")

    def _steps(self) -> Generator[_Step, None, None]:
        """Reads, always of the file that is furthest behind; yields new rows and the watermark over all files.

        A file is opened when it becomes that one: rotated files are read one after the other.
        """
        settings = self._settings
        filters = Filter(settings.since_us, settings.until_us, settings.vhost)
        feeds: list[Feed | LedgerFeed] = [*self._feeds, *self._ledgers]
        started: set[int] = set()
        try:
            while feeds:
                feed = min(feeds, key=lambda f: (f.watermark, f.file.origin))
                started.add(feed.file.origin)
                share = settings.chunk_bytes * OPEN_FILES // max(OPEN_FILES, len(started))
                size = max(share, min(SMALL_CHUNK_BYTES, settings.chunk_bytes))
                parts = feed.step(size, self._resolver, filters, self.coverage)
                if feed.finished:
                    feeds.remove(feed)
                    started.discard(feed.file.origin)
                yield parts, min((f.watermark for f in feeds), default=END)
        finally:
            for feed in feeds:
                feed.file.close()


def _ahead(rows: Generator[Released, None, None]) -> Generator[Released, None, None]:
    """The same rows, read and sorted in a thread of their own, a few ahead; what is raised there is raised here."""
    queue: Queue[Released] = Queue(QUEUED)
    stop = Event()
    done: Future[None] = Future()
    thread = Thread(target=_run, args=(rows, queue, stop, done), name="read", daemon=True)
    thread.start()
    try:
        while not (done.done() and queue.empty()):
            try:
                yield queue.get(timeout=POLL_SECONDS)
            except Empty:
                continue
        done.result()
    finally:
        stop.set()
        thread.join(timeout=10 * POLL_SECONDS)  # a thread that waits for a pipe is left to end with the process


def _run(rows: Generator[Released, None, None], queue: Queue[Released], stop: Event, done: Future[None]) -> None:
    try:
        with closing(rows):
            for part in rows:
                while not stop.is_set():
                    try:
                        queue.put(part, timeout=POLL_SECONDS)
                        break
                    except Full:
                        continue
                if stop.is_set():
                    break
        done.set_result(None)
    except BaseException as fault:  # noqa: BLE001  nothing is judged here: it crosses to the thread that asked for the rows
        done.set_exception(fault)
