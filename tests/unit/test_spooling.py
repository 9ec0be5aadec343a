"""Cases are written in slices: a burst holds up nobody, and no snapshot lies behind an incident that has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detector import clock
from detector.config import Config, ReplaySettings
from detector.engines import spooling
from detector.engines.local import replay
from detector.engines.spooling import LAST_S, LOOK_S, RENEW_S, RETRY_S, SLICE_S, Spool
from detector.errors import SinkError
from detector.incidents.book import Book
from detector.incidents.incident import Incident
from detector.sinks.case_files import read_case, read_records
from detector.sinks.cases import EVERY_S, CaseFolder
from tests.e2e.traffic import walkers_among_readers

BURST = 1000
COST_S = 0.008  # a case, as measured


class Tiny:
    """A story as far as the spool looks."""

    def __init__(self, identity: str) -> None:
        self.identity, self.reads, self.closed = identity, 100, False


class Slow:
    """A folder that takes its time, on a clock of its own."""

    def __init__(self, passed: list[float]) -> None:
        self.written: dict[str, tuple[int, str]] = {}
        self.at_s: dict[str, float] = {}
        self.refuses = False
        self._passed = passed

    def holds(self, incident: str) -> bool:
        """As the real one."""
        return incident in self.written

    def write(self, story: Any, book: Any, noticed_at: str, last: bool = False) -> bool:
        """As the real one, without a file."""
        if self.refuses:
            raise SinkError("no room")
        if self._passed[0] - self.at_s.get(story.identity, -1e9) < EVERY_S and not story.closed and not last:
            return False
        self._passed[0] += COST_S
        self.written[story.identity] = story.reads, noticed_at
        self.at_s[story.identity] = self._passed[0]
        return True


class Stories:
    """A book as far as the spool looks."""

    def __init__(self) -> None:
        self.open_stories: list[Any] = []


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have passed."""
    seconds = [1000.0]
    monkeypatch.setattr(spooling.clock, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def slow(passed: list[float]) -> Slow:
    """A folder on that clock."""
    return Slow(passed)


@pytest.fixture
def spool(slow: Slow) -> Spool:
    """That writes there."""
    return Spool(slow, lambda *_, **__: None)


def turns(spool: Spool, book: Any, passed: list[float]) -> Iterator[float]:
    """Seconds each turn is held up, while anything is owed."""
    while spool.owes:
        began = passed[0]
        spool.work(book)
        yield passed[0] - began


def test_a_burst_holds_up_no_turn(spool: Spool, slow: Slow, passed: list[float]) -> None:
    """A thousand new incidents are written within a slice and one case a turn, all of them, each once."""
    stories = [Tiny(f"{n:032x}") for n in range(BURST)]
    for story in stories:
        spool.note(story)  # type: ignore[arg-type]
    assert spool.owes
    held_up = list(turns(spool, Stories(), passed))
    assert max(held_up) <= SLICE_S + COST_S
    assert len(held_up) >= BURST * COST_S / (SLICE_S + COST_S)
    assert list(slow.written) == [story.identity for story in stories]


def test_what_has_grown_is_written_though_nobody_tells_it(spool: Spool, slow: Slow, passed: list[float]) -> None:
    """Reads since the last revision are on the disk a minute later, and at once when the process ends; another process
    that takes the story up writes it anew."""
    story, book = Tiny("a" * 32), Stories()
    book.open_stories.append(story)
    spool.note(story)  # type: ignore[arg-type]
    spool.work(book)  # type: ignore[arg-type]
    story.reads = 105
    for _ in range(int(RENEW_S / LOOK_S) - 1):
        passed[0] += LOOK_S
        spool.work(book)  # type: ignore[arg-type]
    assert slow.written[story.identity][0] == 100
    passed[0] += 2 * LOOK_S
    spool.work(book)  # type: ignore[arg-type]
    assert slow.written[story.identity][0] == 105
    story.reads = 107
    spool.flush(book)  # type: ignore[arg-type]
    assert slow.written[story.identity][0] == 107
    slow.written.clear()
    again = Spool(slow, lambda *_, **__: None)
    passed[0] += EVERY_S
    again.work(book)  # type: ignore[arg-type]
    assert slow.written[story.identity][0] == 107


def test_what_may_wait_holds_up_no_snapshot(spool: Spool, slow: Slow, passed: list[float]) -> None:
    """An open incident that has a case is not owed; one that has ended is, until its case says so."""
    story, book = Tiny("b" * 32), Stories()
    spool.note(story)  # type: ignore[arg-type]
    spool.work(book)  # type: ignore[arg-type]
    noticed = slow.written[story.identity][1]
    spool.note(story)  # type: ignore[arg-type]
    spool.work(book)  # type: ignore[arg-type]
    assert not spool.owes  # written less than five seconds ago
    story.closed, story.reads = True, 120
    assert spool.owes
    spool.work(book)  # type: ignore[arg-type]
    assert not spool.owes
    assert slow.written[story.identity][0] == 120
    assert noticed <= clock.wall().isoformat()


def test_a_case_the_disk_refuses_stays_due(slow: Slow, passed: list[float]) -> None:
    """It is owed, tried again every five seconds and no more often, told of once, and written in the end as noticed at
    first; a burst behind it is written then, and when the reason changes it is told again."""
    said: list[tuple[str, int]] = []
    spool = Spool(slow, lambda event, **facts: said.append((event, facts["refused"])))
    tries: list[str] = []
    write = slow.write

    def counted(story: Any, book: Any, noticed_at: str, last: bool = False) -> bool:
        tries.append(story.identity)
        return write(story, book, noticed_at, last)

    slow.write = counted  # type: ignore[method-assign]
    stories, book = [Tiny(f"{n:032x}") for n in range(4)], Stories()
    slow.refuses = True
    for story in stories:
        spool.note(story)  # type: ignore[arg-type]
    noticed = spool._due[stories[0].identity][1]
    for _ in range(200):  # ten seconds of turns
        spool.work(book, 0.5)  # type: ignore[arg-type]
        passed[0] += 0.05
    assert spool.owes
    assert tries == [story.identity for story in stories[:2]]  # never the same one twice while others wait
    assert said == [("case_failed", 1), ("case_failed", 1)]
    spool.note(stories[0])  # type: ignore[arg-type]
    slow.refuses = False
    passed[0] += RETRY_S
    spool.work(book)  # type: ignore[arg-type]
    assert not spool.owes
    assert slow.written[stories[0].identity] == (100, noticed)
    assert said[2:] == [("case_kept", 1), ("case_kept", 1)]


def test_a_folder_that_refuses_holds_up_no_shutdown(slow: Slow, passed: list[float]) -> None:
    """However many cases are refused, the way out takes three seconds at most, also where it is asked for twice, and
    what could be written then is; nothing is forgotten for the next assignment."""
    said: list[str] = []
    spool, book, stories = Spool(slow, lambda event, **_: said.append(event)), Stories(), []

    def refused(story: Any, _: Any, noticed_at: str, last: bool = False) -> bool:
        passed[0] += COST_S
        if story.identity.endswith("f"):
            slow.written[story.identity] = story.reads, noticed_at
            return True
        raise SinkError("no room")

    slow.write = refused  # type: ignore[method-assign]
    for n in range(2 * BURST):
        stories.append(Tiny(f"{n:032x}"))
        spool.note(stories[-1])  # type: ignore[arg-type]
    began = passed[0]
    spool.flush(book)  # type: ignore[arg-type]
    spool.flush(book)  # type: ignore[arg-type]
    assert LAST_S <= passed[0] - began <= LAST_S + COST_S
    assert len(slow.written) > 10
    assert len(said) == len(set(spool._refused))
    passed[0] += LAST_S
    spool.flush(book)  # type: ignore[arg-type]
    assert len(slow.written) > 2 * 10
    assert spool.owes


def walks(folder: Path) -> tuple[Book, list[Incident]]:
    """The book of a replay of six walks, and the incidents."""
    log = folder / "walks.log"
    log.write_bytes(b"\n".join(walkers_among_readers(30_000, 6, 3)[0]) + b"\n")
    result = replay([str(log)], ReplaySettings(config=Config()))
    assert result.cases is not None
    return result.cases.pipeline.book, result.incidents


def test_a_folder_that_takes_again_gets_every_case(tmp_path: Path) -> None:
    """A real folder that cannot be written to: no snapshot may be taken; put back, cases are there, each as noticed
    when its incident was."""
    book, _ = walks(tmp_path)
    folder = CaseFolder(tmp_path / "cases", {})
    said: list[str] = []
    spool = Spool(folder, lambda event, **_: said.append(event))
    (tmp_path / "cases").rename(tmp_path / "away")
    (tmp_path / "cases").write_bytes(b"")  # a file where the folder was: writable by nobody, not even root
    for story in book.stories:
        spool.note(story)
    noticed = {story.identity: spool._due[story.identity][1] for story in book.stories}
    spool.work(book)
    assert spool.owes
    (tmp_path / "cases").unlink()
    (tmp_path / "away").rename(tmp_path / "cases")
    spool.flush(book)
    assert not spool.owes
    assert said == ["case_failed", "case_kept"]
    for identity, moment in noticed.items():
        case = read_case(folder.folder, identity)
        assert case is not None
        assert case["manifest"]["noticed_at"] == moment


def test_real_cases_come_out_whole(tmp_path: Path) -> None:
    """Stories of a replay, written slice by slice, can be told from their files: every record of every walk."""
    book, found = walks(tmp_path)
    folder = CaseFolder(tmp_path / "cases", {})
    spool = Spool(folder, lambda *_, **__: None)
    for story in book.stories:
        spool.note(story)
    while spool.owes:
        spool.work(book, 0.0)
    assert len(found) == 6
    for incident in found:
        case, records = read_case(folder.folder, incident.incident), read_records(folder.folder, incident.incident)
        assert case is not None
        assert records is not None
        assert case["record"]["revision"] == incident.revision
        assert len(records[1]) == incident.records_exposed.estimate
