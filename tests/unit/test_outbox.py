"""The outbox: what was put is delivered, whatever dies, and one sink's trouble is its own."""

from __future__ import annotations

import json
import os
import random  # noqa: TID251  of the test, with a seed
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.clock import monotonic
from detector.errors import SinkError
from detector.sinks.backoff import FIRST_S, MOST_S, Backoff
from detector.sinks.courier import Outcome, Turns
from detector.sinks.jsonl import JsonLinesLog
from detector.sinks.outbox import News, Outbox
from detector.sinks.sink import Refused, Sink
from detector.sinks.spool import MOST_REFUSED, Entry, Spool
from detector.sinks.webhook import Webhook, WebhookSettings
from tests.receiver import Receiver


def news(incident: str, revision: int = 1, severity: str = "high", pad: int = 0) -> News:
    """One incident, as it is put."""
    text = json.dumps({"incident": incident, "revision": revision, "severity": severity, "pad": "x" * pad})
    return incident, revision, text


class Taker:
    """A sink that takes, refuses, fails or waits, as it is told."""

    def __init__(self, name: str = "taker") -> None:
        self.name = name
        self.taken: list[tuple[str, int]] = []
        self.tried: list[tuple[str, int]] = []
        self.fault: Exception | None = None
        self.only: str | None = None  # the fault is this incident's alone
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0

    def deliver(self, incident_json: str, incident: str, revision: int) -> None:
        """Does as it is told."""
        self.gate.wait(20)
        self.tried.append((incident, revision))
        assert json.loads(incident_json)["revision"] == revision
        if self.fault is not None and self.only in (None, incident):
            raise self.fault
        self.taken.append((incident, revision))

    def close(self) -> None:
        """Counts."""
        self.closed += 1


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Opens outboxes in one folder that are closed when the test ends."""
    opened: list[Outbox] = []

    def make(*sinks: Sink, **more: Any) -> Outbox:
        for one in opened:
            one.close()
        opened.append(Outbox(tmp_path / "outbox", sinks, seed=1, **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "it did not come true"
        threading.Event().wait(0.005)


def test_what_is_put_is_delivered_to_all(outbox: Callable[..., Outbox]) -> None:
    """Every sink takes every incident, within milliseconds where it is well, and nothing is left."""
    sinks = [Taker("one"), Taker("two")]
    box = outbox(*sinks)
    begin = monotonic()
    box.put([news("a"), news("b")])
    assert box.flush(5)
    assert monotonic() - begin < 1
    assert all(sorted(sink.taken) == [("a", 1), ("b", 1)] for sink in sinks)
    assert box.pending() == {"one": 0, "two": 0}
    assert box.undelivered() == []
    assert box.bytes == 0


def test_repeats_and_older_revisions_are_left_out(outbox: Callable[..., Outbox]) -> None:
    """News put again, in this process or the next, is not delivered again; of several revisions the newest goes."""
    sink = Taker()
    box = outbox(sink)
    box.put([news("a", 2), news("a", 3), news("a", 1)])
    assert box.flush(5)
    box.put([news("a", 3), news("a", 1)])
    box = outbox(sink)
    box.put([news("a", 3), news("a", 2)])
    box.put([news("a", 4)])
    assert box.flush(5)
    assert sink.taken == [("a", 3), ("a", 4)]


def test_what_waits_survives_a_restart(outbox: Callable[..., Outbox]) -> None:
    """A sink that fails keeps its incidents over a restart, in their newest revision."""
    sink = Taker()
    sink.fault = SinkError("away")
    box = outbox(sink)
    box.put([news("a"), news("b")])
    box.put([news("a", 2)])
    assert box.pending() == {"taker": 2}
    assert [json.loads(line)["revision"] for line in box.undelivered()] == [2, 1]
    until(lambda: bool(sink.tried))
    box.close()
    assert sink.closed == 1
    sink.fault = None
    box = outbox(sink)
    assert box.flush(5)
    assert sorted(sink.taken) == [("a", 2), ("b", 1)]


def test_a_dead_sink_delays_no_other(outbox: Callable[..., Outbox]) -> None:
    """While one sink hangs, the other takes at once; closing does not wait for the one that hangs."""
    dead, well = Taker("dead"), Taker("well")
    dead.gate.clear()
    box = outbox(dead, well)
    for n in range(20):
        box.put([news(f"{n}")])
        until(lambda: len(well.taken) > n, 2)  # noqa: B023  called at once
    assert box.pending() == {"dead": 20, "well": 0}
    assert not box.flush(0.1)
    begin = monotonic()
    box.close(0.3)
    assert monotonic() - begin < 2
    assert (dead.closed, well.closed) == (0, 1)
    dead.gate.set()


def test_the_most_severe_go_first(outbox: Callable[..., Outbox]) -> None:
    """After an outage critical incidents go before all others, equal ones in the order they came in."""
    sink = Taker()
    sink.gate.clear()
    box = outbox(sink)
    box.put([news("first", 1, "low")])
    until(lambda: not box._couriers[0]._turns._place)
    for n, severity in enumerate(("low", "critical", "informational", "medium", "critical", "high", "low")):
        box.put([news(f"{n}", 1, severity)])
    box.put([news("0", 2, "medium")])
    sink.gate.set()
    assert box.flush(5)
    assert [incident for incident, _ in sink.taken] == ["first", "1", "4", "5", "0", "3", "6", "2"]


def test_one_that_the_sink_cannot_bear_lets_others_go_first(outbox: Callable[..., Outbox]) -> None:
    """An incident that fails each time is tried again and again, and the rest is delivered meanwhile."""
    sink = Taker()
    sink.fault, sink.only = SinkError("answered 500"), "poison"
    box = outbox(sink)
    box.put([news("poison", 1, "critical"), *(news(f"{n}", 1, "low") for n in range(50))])
    until(lambda: len(sink.taken) == 50)
    assert box.pending() == {"taker": 1}
    sink.fault = None
    assert box.flush(5)
    assert sink.taken[-1] == ("poison", 1)


def test_refused_incidents_are_set_aside(outbox: Callable[..., Outbox], tmp_path: Path) -> None:
    """A refusal is told once and kept in a folder; a newer revision is tried; all of them again when asked for."""
    outcomes: list[Outcome] = []
    sink = Taker()
    sink.fault, sink.only = Refused("answered 400"), "a"
    box = outbox(sink, told=outcomes.append)
    box.put([news("a"), news("b")])
    assert box.flush(5)
    until(lambda: len(outcomes) == 2)
    assert ("taker", "refused", "a", 1, "answered 400") in outcomes
    refused = tmp_path / "outbox" / "taker" / "refused"
    assert [path.name for path in refused.iterdir()] == ["a.1.json"]
    box.put([news("a", 1)])
    box.put([news("a", 2)])
    assert box.flush(5)
    assert sink.tried.count(("a", 1)) == 1
    sink.fault = None
    assert box.readmit() == 1
    assert box.flush(5)
    assert sink.taken == [("b", 1), ("a", 2)]
    assert not list(refused.iterdir())


def test_what_is_asked_for_again_survives_a_restart(outbox: Callable[..., Outbox]) -> None:
    """A refused incident that waits again is delivered by the next process too."""
    sink = Taker()
    sink.fault = Refused("answered 401")
    box = outbox(sink)
    box.put([news("a")])
    assert box.flush(5)
    sink.fault = SinkError("away")
    assert box.readmit() == 1
    box.close()
    sink.fault = None
    assert outbox(sink).flush(5)
    assert sink.taken == [("a", 1)]


def test_refused_incidents_are_few(tmp_path: Path) -> None:
    """The oldest go when there are a thousand."""
    spool = Spool(tmp_path / "s")
    for n in range(MOST_REFUSED + 5):
        incident, revision, line = news(f"{n}")
        (tmp_path / "s" / f"{n}.json").write_bytes(b"")
        spool.entries[incident] = Entry(incident, revision, 1, n)
        if n in (0, MOST_REFUSED - 1, MOST_REFUSED + 4):
            spool.refuse(incident, revision)
        else:
            (tmp_path / "s" / f"{n}.json").replace(tmp_path / "s" / "refused" / f"{n}.1.json")
        assert line
    spool.close()
    assert len(list((tmp_path / "s" / "refused").iterdir())) == MOST_REFUSED


def test_a_full_outbox_says_so_and_takes_on(outbox: Callable[..., Outbox]) -> None:
    """Full is a request to the caller; nothing that is put is dropped, and it ends when the sink is back."""
    sink = Taker()
    sink.fault = SinkError("away")
    box = outbox(sink, max_bytes=20 << 12)
    for n in range(19):
        box.put([news(f"{n}", pad=1000)])
    full = [box.full]
    for n in range(19, 30):
        box.put([news(f"{n}", pad=1000)])
    full.append(box.full)
    assert box.pending() == {"taker": 30}
    sink.fault = None
    assert box.flush(5)
    assert [*full, box.full] == [False, True, False]
    assert len(sink.taken) == 30


def test_a_fault_of_a_sink_is_a_failure(outbox: Callable[..., Outbox]) -> None:
    """An exception that no sink should raise is told and tried again; the thread lives."""
    outcomes: list[Outcome] = []
    sink = Taker()
    sink.fault = TypeError("oops")
    box = outbox(sink, told=outcomes.append)
    box.put([news("a")])
    until(lambda: len(outcomes) > 1)
    assert outcomes[0].reason == "a fault of the program: TypeError: oops"
    sink.fault = None
    assert box.flush(5)
    assert outcomes[-1] == ("taker", "delivered", "a", 1, "")


def test_a_fault_of_the_listener_reaches_the_caller(outbox: Callable[..., Outbox]) -> None:
    """What would end a thread in silence is raised where incidents are put."""

    def told(outcome: Outcome) -> None:
        raise RuntimeError("listener")

    box = outbox(Taker(), told=told)
    box.put([news("a")])
    until(lambda: box._couriers[0].fault is not None)
    with pytest.raises(RuntimeError, match="listener"):
        box.put([news("b")])


def test_damaged_files_are_set_aside(outbox: Callable[..., Outbox], tmp_path: Path) -> None:
    """A byte flipped anywhere, or an end cut off, is noticed at the start or at delivery, and told; others go on."""
    outcomes: list[Outcome] = []
    sink = Taker()
    sink.fault = SinkError("away")
    box = outbox(sink)
    box.put([news("a"), news("b"), news("c")])
    box.close()
    folder = tmp_path / "outbox" / "taker"
    data = bytearray((folder / "a.json").read_bytes())
    data[-5] ^= 1
    (folder / "a.json").write_bytes(data)
    os.truncate(folder / "b.json", 30)
    (folder / "x.7.new").write_bytes(b"half")
    sink.fault = None
    box = outbox(sink, told=outcomes.append)
    assert box.flush(5)
    assert sink.taken == [("c", 1)]
    assert sorted(one.incident for one in outcomes if one.what == "refused") == ["a", "b"]
    assert sorted(path.name for path in folder.iterdir()) == ["delivered", "refused"]
    assert len(list((folder / "refused").iterdir())) == 2


def test_every_flipped_bit_of_a_file_is_noticed(tmp_path: Path) -> None:
    """The incident is the one that was written, or it is not delivered."""
    spool = Spool(tmp_path / "s")
    spool.store(*spool.prepare(*news("a")))
    path = tmp_path / "s" / "a.json"
    line = spool.line("a")
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            path.write_bytes(data)
            try:
                found = spool.line("a")
            except ValueError:
                continue
            assert found == line
    spool.close()


def test_a_disk_that_refuses_is_an_error(outbox: Callable[..., Outbox], tmp_path: Path) -> None:
    """Putting fails with the folder's name and leaves nothing half done; later the same can be put."""
    sink = Taker()
    sink.gate.clear()
    box = outbox(sink)
    folder = tmp_path / "outbox" / "taker"
    folder.rename(tmp_path / "away")
    with pytest.raises(SinkError, match=r"outbox: the outbox cannot be used: No such file"):
        box.put([news("a")])
    (tmp_path / "away").rename(folder)
    box.put([news("a")])
    sink.gate.set()
    assert box.flush(5)
    assert sink.taken == [("a", 1)]


def test_an_outbox_belongs_to_one(outbox: Callable[..., Outbox], tmp_path: Path) -> None:
    """A second one on the same folder is an error; names of sinks are plain and differ; sinks that went are told."""
    sink = Taker("gone")
    sink.fault = SinkError("away")
    box = outbox(sink)
    box.put([news("a")])
    with pytest.raises(SinkError, match="another detector delivers from this outbox"):
        Outbox(tmp_path / "outbox", [])
    box = outbox(Taker("new"))
    assert box.orphans == {"gone": 1}
    for names in (("a", "a"), ("../a",), ("A",)):
        with pytest.raises(ValueError, match="names"):
            Outbox(tmp_path / "other", [Taker(name) for name in names])
    box.close()
    with pytest.raises(ValueError, match="closed"):
        box.put([news("a")])


def test_ids_of_any_kind(outbox: Callable[..., Outbox], tmp_path: Path) -> None:
    """An id that is no plain name never becomes a path."""
    sink = Taker()
    sink.fault = SinkError("away")
    ids = ["../../evil", "a b", "a\nb", "", "x" * 200, "."]
    box = outbox(sink)
    box.put([news(one) for one in ids])
    box.close()
    sink.fault = None
    box = outbox(sink)
    assert box.flush(5)
    assert sorted(one for one, _ in sink.taken) == sorted(ids)
    box.put([news(one) for one in ids])
    assert box.pending() == {"taker": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["outbox"]


def test_waits_double_up_to_a_minute() -> None:
    """From a fifth of a second on, each shortened by less than half, and never over a minute."""
    backoff = Backoff(seed=1)
    for failures in (1, 2, 5, 8, 9, 10, 1000):
        whole = min(MOST_S, FIRST_S * 2 ** (failures - 1))
        assert all(whole / 2 <= backoff.wait_s(failures) <= whole for _ in range(50))


def test_turns_forget_what_is_no_longer_there() -> None:
    """Stale places, changed severities and incidents that went leave no trace."""
    turns = Turns()
    entries = {name: Entry(name, 1, rank, n) for n, (name, rank) in enumerate((("a", 1), ("b", 2), ("c", 3)))}
    for entry in entries.values():
        turns.add(entry)
    entries["a"].rank = 4
    turns.add(entries["a"])
    del entries["b"]
    first = turns.take(0.0, entries)
    assert first is entries["a"]
    turns.put_off(first, 10.0)
    turns.add(first)
    assert turns.take(0.0, entries) is entries["c"]
    assert turns.take(5.0, entries) is None
    assert turns.next_s(5.0) == 5.0
    assert turns.take(10.0, entries) is first
    assert turns.take(10.0, entries) is None
    turns.put_off(first, 99.0)
    turns.all_now(entries)
    assert turns.take(10.0, entries) is first
    assert turns.next_s(10.0) is None


def test_a_receiver_that_flaps(outbox: Callable[..., Outbox]) -> None:
    """Over HTTP, with every kind of failure on the way: each incident arrives in its newest state, none is refused."""
    dice = random.Random(1)
    outcomes: list[Outcome] = []
    accepted: list[str] = []

    def answer(request: Any) -> tuple[int, dict[str, str]]:
        status = dice.choice((204, 204, 204, 500, 503, 0, 302, 429))
        if status == 204:
            accepted.append(request.headers["idempotency-key"])
        return status, {"Retry-After": "0"} if status == 429 else {}

    with Receiver(answer) as receiver:
        box = outbox(Webhook(WebhookSettings(receiver.url, timeout_s=2)), told=outcomes.append)
        for n in range(15):
            box.put([news(f"{n}")])
        deadline = monotonic() + 20
        while not box.flush(0.2):
            assert monotonic() < deadline
        box.close()
    assert sorted(accepted) == sorted(f"{n}:1" for n in range(15))
    assert {one.what for one in outcomes} == {"delivered", "failed"}


# Puts incidents in revisions 1 to 3, one after the other, and says each when it is put; starts where the file says.
_VICTIM = """
import json, sys
from pathlib import Path
from detector.errors import SinkError
from detector.sinks.jsonl import JsonLinesLog
from detector.sinks.outbox import Outbox

folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

class Moody:
    name = "moody"
    turn = 0
    def __init__(self):
        self.file = (folder / "moody").open("ab", buffering=0)
    def deliver(self, text, incident, revision):
        self.turn += 1
        if self.turn % 5 == 3:
            raise SinkError("away")
        self.file.write(text.encode() + b"\\n")
    def close(self):
        self.file.close()

box = Outbox(folder / "outbox", [JsonLinesLog(folder / "incidents.jsonl"), Moody()])
print("open", flush=True)
for n in range(first, last):
    incident, revision = f"i{n // 3:05d}", n % 3 + 1
    text = json.dumps({"incident": incident, "revision": revision, "severity": "high"}, separators=(",", ":"))
    box.put([(incident, revision, text)])
    print(n, flush=True)
print("end", box.flush(20), flush=True)
box.close()
"""


def _run(folder: Path, first: int, last: int, seconds: float | None) -> int:
    """Runs the victim and kills it after so many seconds; returns the first number that it has not said."""
    with subprocess.Popen(
        [sys.executable, "-c", _VICTIM, str(folder), str(first), str(last)], stdout=subprocess.PIPE
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"open\n"
        if seconds is not None:
            timer = threading.Timer(seconds, os.kill, (victim.pid, signal.SIGKILL))
            timer.start()
        said = victim.stdout.read().split(b"\n")[:-1]
        if seconds is not None:
            timer.cancel()
        else:
            assert said.pop() == b"end True"
    numbers = [int(line) for line in said if line.isdigit()]
    return numbers[-1] + 1 if numbers else first


def test_kill_at_random_moments(tmp_path: Path) -> None:
    """Killed twenty times while it puts and delivers: what was said to be put arrives at both sinks in its newest
    revision, revisions of an incident never fall, and the file of JSON lines holds none twice."""
    dice = random.Random(4)
    done, kills = 0, 0
    for _ in range(20):
        before = done
        done = _run(tmp_path, max(0, done - 4), 100_000, dice.uniform(0.0, 0.1))  # what came last is put again
        kills += done > before
    assert kills > 10, "the kills must land while it puts"
    done += 3  # the one after the last said may have been put as well
    _run(tmp_path, max(0, done - 7), done, None)
    for name in ("incidents.jsonl", "moody"):
        highest: dict[str, int] = {}
        lines = (tmp_path / name).read_text(encoding="ascii").split("\n")[:-1]
        for line in lines:
            found = json.loads(line)
            last = highest.get(found["incident"], 0)
            assert found["revision"] > last or (name == "moody" and found["revision"] == last)
            highest[found["incident"]] = found["revision"]
        assert highest == {f"i{n // 3:05d}": n % 3 + 1 for n in range(done)}


def test_the_outbox_is_a_protocol_for_real_sinks(outbox: Callable[..., Outbox], tmp_path: Path) -> None:
    """A file of JSON lines behind the outbox holds what was put, in order."""
    box = outbox(JsonLinesLog(tmp_path / "incidents.jsonl"))
    for n in range(5):
        box.put(
            [(f"{n}", 1, json.dumps({"incident": f"{n}", "revision": 1, "severity": "low"}, separators=(",", ":")))]
        )
    assert box.flush(5)
    lines = (tmp_path / "incidents.jsonl").read_text(encoding="ascii").split("\n")[:-1]
    assert sorted(json.loads(line)["incident"] for line in lines) == [f"{n}" for n in range(5)]
