"""Files to rows in the order of log time, whatever the chunks, the threads and the number of files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import formats
from detector.engines.order import BLOCK, FileClock, Released, order_rows
from detector.engines.reading import Reader, ReadSettings
from detector.errors import InputError, UsageError
from detector.formats.fields import FIELD, REASON, Fields
from detector.records.batch import Batch
from detector.sources.chunk import Chunk

SECOND = 1_000_000
HOUR = 3_600 * SECOND
START = 1_753_999_200 * SECOND


class PlainFormat:
    """Lines of ``seconds client host``: what reading needs of a format, written the slow way."""

    name = "plain"

    def scan(self, chunk: Chunk) -> Fields:
        """Times and hosts; the client stays in the line for :class:`PlainResolver`."""
        fields = Fields.empty(len(chunk.starts))
        for row, (start, length) in enumerate(zip(chunk.starts.tolist(), chunk.lengths.tolist(), strict=True)):
            words = chunk.buffer[start : start + length].tobytes().split(b" ")
            if len(words) != 3 or not words[0].isdigit():
                fields.reason[row] = REASON["layout"]
                continue
            fields.time_us[row] = int(words[0]) * SECOND
            fields.span[row, FIELD["host"]] = start + length - len(words[2]), len(words[2])
        return fields


class PlainResolver:
    """A row a line: the client's number and the position."""

    def resolve(self, chunk: Chunk, fields: Fields) -> Batch:
        """Rows of the accepted lines."""
        kept = np.flatnonzero(fields.reason == 0)
        batch = Batch.empty(len(kept))
        for row, line in enumerate(kept.tolist()):
            start = int(chunk.starts[line])
            words = chunk.buffer[start : start + int(chunk.lengths[line])].tobytes().split(b" ")
            batch.client[row] = int(words[1])
        batch.time_us[:] = fields.time_us[kept]
        batch.position[:] = chunk.positions[kept]
        batch.origin[:] = chunk.origin
        batch.kind[:] = 1
        batch.requests[:] = 1
        return batch


@dataclass
class PlainDetection:
    """What ``formats.detect`` answers."""

    format: PlainFormat | None
    closest: str | None
    rates: dict[str, float]
    others: dict[str, float] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def plain_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain format is the only one there is."""

    def detect(lines: list[bytes]) -> PlainDetection:
        rate = sum(line.split(b" ")[0].isdigit() for line in lines) / len(lines)
        return PlainDetection(PlainFormat() if rate > 0.5 else None, "plain", {"plain": rate})

    monkeypatch.setattr(formats, "detect", detect)
    monkeypatch.setattr(formats, "load", lambda _: PlainFormat())


def read(paths: list[Path] | Path, **options: Any) -> tuple[list[tuple[int, ...]], Reader]:
    """All rows as (moment, client, origin, position, time, late, future), checked for order and watermark."""
    reader = Reader(paths if isinstance(paths, list) else [paths], ReadSettings(**options), PlainResolver())
    rows: list[tuple[int, ...]] = []
    promised = -1 << 63
    for released in reader:
        assert released.moment_us[0] >= promised
        rows += rows_of(released)
        promised = released.watermark_us
    assert [r[:4] for r in rows] == sorted(r[:4] for r in rows)
    assert len(rows) == reader.coverage.requests
    return rows, reader


def rows_of(released: Released) -> list[tuple[int, ...]]:
    """The columns a test looks at, row by row."""
    batch = released.batch
    columns = (released.moment_us, batch.client, batch.origin, batch.position, batch.time_us)
    return list(zip(*(c.tolist() for c in (*columns, released.late, released.future)), strict=True))


def write(path: Path, times: Any, clients: Any = None, pack: Any = bytes) -> Path:
    """A log with these times (seconds after START)."""
    clients = [n * 7919 % 5 for n in range(len(times))] if clients is None else clients
    lines = [b"%d %d www.example.com\n" % (START // SECOND + t, c) for t, c in zip(times, clients, strict=True)]
    path.write_bytes(pack(b"".join(lines)))
    return path


SHAPES = st.sampled_from(["ordered", "shaken", "random", "future", "sparse", "jump"])


def times_of(shape: str, seed: int, n: int) -> list[int]:
    """Seconds after START of n records."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, 3_000, n))
    if shape == "shaken":
        times = times + rng.integers(0, 50, n)
    elif shape == "random":
        times = rng.integers(0, 3_000, n)
    elif shape == "future":
        times = np.where(rng.random(n) < 0.01, rng.integers(-(10**9), 2 * 10**9, n), times)
    elif shape == "sparse":
        times = np.arange(n) * 7_200
    elif shape == "jump":
        times[n // 2 :] += 86_400
    return times.tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(SHAPES, st.integers(0, 9), st.integers(0, 3_500)), min_size=1, max_size=3),
    st.integers(150, 40_000),
    st.sampled_from([1, 2]),
)
def test_cutting_and_threads_change_no_row(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[tuple[str, int, int]], chunk_bytes: int, threads: int
) -> None:
    """The same files give the same rows in the same order for any chunk size and number of threads."""
    folder = tmp_path_factory.mktemp("logs")
    paths = [write(folder / f"{i}.log", times_of(*shape)) for i, shape in enumerate(shapes)]

    whole, one = read(paths, threads=1)
    cut, two = read(paths, threads=threads, chunk_bytes=chunk_bytes)

    assert whole == cut
    assert one.coverage == two.coverage
    assert sum(n for *_, n in shapes) == len(whole)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([1, 2, 1 << 40, (1 << 40) + 1, 1 << 63]))))
def test_rows_are_sorted_by_moment_client_and_place(rows: list[tuple[int, int]]) -> None:
    """The fast sort equals Python's stable one, clients with equal upper bits included."""
    moment = np.array([m for m, _ in rows], np.int64)
    client = np.array([c for _, c in rows], np.uint64)

    order = order_rows(moment, client)

    expected = sorted(range(len(rows)), key=lambda i: rows[i])
    assert expected == (list(range(len(rows))) if order is None else order.tolist())


def test_large_groups_of_close_clients_are_sorted() -> None:
    """Ties of the key's upper bits are settled also where a whole second of rows shares them."""
    rng = np.random.default_rng(1)
    moment = np.sort(rng.integers(0, 3, 50_000))
    client = rng.integers(0, 50, 50_000).astype(np.uint64) + np.uint64(1 << 63)

    order = order_rows(moment, client)

    assert np.array_equal(np.lexsort((client, moment)), order)


def test_shuffling_within_lateness_changes_nothing(tmp_path: Path) -> None:
    """Records out of order by less than the lateness leave in the order of time."""
    rng = np.random.default_rng(2)
    times = np.sort(rng.integers(0, 5_000, 20_000))
    shaken = times[np.argsort(times + rng.integers(0, 59, len(times)), kind="stable")]
    clients = np.arange(len(times))

    ordered, _ = read(write(tmp_path / "a.log", times.tolist(), clients.tolist()))
    mixed, reader = read(
        write(tmp_path / "b.log", shaken.tolist(), np.argsort(np.argsort(shaken, kind="stable")).tolist())
    )

    assert [(r[0], r[4]) for r in ordered] == [(r[0], r[4]) for r in mixed]
    assert reader.coverage.late == 0


@pytest.mark.parametrize("place", [0, 1, 700, 5_000, 9_998, 9_999])
def test_one_record_dated_2099_is_future_and_moves_nothing(tmp_path: Path, place: int) -> None:
    """Wherever it stands, it is counted future and no other record becomes late."""
    times = (np.arange(10_000) // 10).tolist()
    times[place] = 73 * 365 * 86_400

    rows, reader = read(write(tmp_path / "a.log", times))

    assert reader.coverage.future == 1
    assert reader.coverage.late == 0
    assert max(r[0] for r in rows) <= START + 1_000 * SECOND
    assert reader.coverage.last_us == START + 999 * SECOND


def test_one_percent_of_random_dates_make_nothing_late(tmp_path: Path) -> None:
    """Of the good records at most one in a thousand is late (reliability.md, test 12)."""
    rng = np.random.default_rng(3)
    times = np.arange(60_000) // 20
    wrong = rng.random(len(times)) < 0.01
    times[wrong] = rng.integers(-START // SECOND, 4 * 10**9 - START // SECOND, int(wrong.sum()))

    rows, _ = read(write(tmp_path / "a.log", times.tolist()))

    good = [late for *_, time, late, _ in rows if 0 <= time - START <= 3_000 * SECOND]
    assert sum(good) <= len(good) / 1_000
    assert sum(future for *_, future in rows) == np.count_nonzero(times > 3_000 + 3_600)


@pytest.mark.parametrize("gap", [60, 7_200, 86_400])
def test_a_sparse_log_has_no_future(tmp_path: Path, gap: int) -> None:
    """A log of few lines a day is in order, not ahead of itself."""
    _, reader = read(write(tmp_path / "a.log", [n * gap for n in range(3_000)]))

    assert (reader.coverage.future, reader.coverage.late) == (0, 0)


def test_a_night_without_requests(tmp_path: Path) -> None:
    """In busy traffic 512 records after the pause are future (contract.md, "Order"); the rest count as dated."""
    times = [n // 5 for n in range(5_500)] + [30_000 + n // 5 for n in range(1_700)]
    rows, reader = read(write(tmp_path / "a.log", times))

    assert (reader.coverage.future, reader.coverage.late) == (BLOCK // 2, 0)
    assert {r[0] for r in rows if r[6]} == {START + 1_099 * SECOND}
    assert [r[4] for r in rows if not r[6]] == sorted(r[4] for r in rows if not r[6])


def test_a_late_record_is_judged_at_once(tmp_path: Path) -> None:
    """Older than the watermark: its moment is the watermark, the order of the others stays."""
    times = [*range(1_000), 100, *range(1_000, 2_000)]
    rows, reader = read(write(tmp_path / "a.log", times, [1] * 2_001))

    assert reader.coverage.late == 1
    (late,) = [r for r in rows if r[5]]
    assert (late[0], late[4]) == (START + 939 * SECOND, START + 100 * SECOND)
    assert [r[4] for r in rows if not r[5]] == [START + t * SECOND for t in range(2_000)]


def test_a_clock_that_steps_back_makes_late_records_only(tmp_path: Path) -> None:
    """An hour told twice: the second time is late throughout, nothing is lost, nothing is future."""
    times = [*range(7_200), *range(3_600, 10_000)]
    rows, reader = read(write(tmp_path / "a.log", times))

    assert len(times) == len(rows)
    assert reader.coverage.late == 7_199 - 60 - 3_600
    assert reader.coverage.future == 0


def test_the_rows_held_are_bounded() -> None:
    """Above 524,288 records the watermark follows by count, whatever the lateness."""
    clock = FileClock(60 * SECOND)
    held = []
    pushed = decided = 0
    for _ in range(80):
        moments = clock.push(np.arange(pushed, pushed + 10_240) * 10)
        pushed += 10_240
        decided += len(moments.moment)
        held.append(pushed - max(clock.watermark, 0) // 10)

    assert decided >= pushed - 2 * BLOCK
    assert max(held) <= 513 * BLOCK + 2 * BLOCK


def test_files_are_merged_by_time_and_opened_in_turn(tmp_path: Path) -> None:
    """Rotated files, in any order of names, come out as one log; only those that overlap are open together."""
    paths = [
        write(tmp_path / f"access.log.{9 - day}.gz", [day * 86_400 + n for n in range(3_000)], pack=gzip.compress)
        for day in range(9)
    ]
    reader = Reader([tmp_path], ReadSettings(threads=1, chunk_bytes=10_000), PlainResolver())
    most = 0
    times: list[int] = []
    for released in reader:
        times += released.batch.time_us.tolist()
        most = max(most, sum(feed.file._raw is not None for feed in reader._feeds))

    assert [START + (d * 86_400 + n) * SECOND for d in range(9) for n in range(3_000)] == times
    assert sorted(map(str, paths)) == reader.names
    assert most <= 1
    assert reader.coverage.files == 9


def test_two_hosts_interleave(tmp_path: Path) -> None:
    """Files of the same hours are merged second by second, ties by client, then file."""
    a = write(tmp_path / "a.log", list(range(0, 9_000, 2)), [1] * 4_500)
    b = write(tmp_path / "b.log", list(range(0, 9_000, 3)), [1] * 3_000)

    rows, reader = read([b, a], chunk_bytes=5_000)

    assert [r[4] for r in rows] == sorted(r[4] for r in rows)
    assert [(r[1], r[2]) for r in rows[:2]] == [(1, 0), (1, 1)]
    assert (reader.coverage.parsed, reader.coverage.late, reader.coverage.future) == (7_500, 0, 0)


def test_a_real_folder(tmp_path: Path) -> None:
    """Error logs, empty files and foreign data are skipped and named; the access logs are read."""
    write(tmp_path / "access.log", range(100))
    write(tmp_path / "access.log.1", range(-100, 0))
    (tmp_path / "error.log").write_bytes(b"2025/08/01 [error] 7#7: *1 open() failed\n" * 50)
    (tmp_path / "other.log").write_bytes(b"")
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04....")
    rows, reader = read(tmp_path)

    assert len(rows) == 200
    assert [(Path(p).name, why) for p, why in reader.skipped[:2]] == [
        ("error.log", "no access log; the closest format is plain"),
        ("other.log", "empty"),
    ]
    assert "zip data" in reader.skipped[2][1]
    assert [Path(p).name for p in reader.formats] == ["access.log", "access.log.1"]
    assert reader.progress()[0] == reader.progress()[1] > 0


def test_a_file_nobody_can_read_is_an_error(tmp_path: Path) -> None:
    """Named by the user and not one parsable line: three lines as seen, escaped, and the closest format."""
    (tmp_path / "error.log").write_bytes(b"first \x1b[31mred\nsecond\n\nthird\nfourth\n")

    with pytest.raises(InputError) as caught:
        read(tmp_path / "error.log")

    assert caught.value.exit_code == 3
    assert "the closest format is plain" in str(caught.value)
    assert "line 1: first \\x1b[31mred\n" in str(caught.value)
    assert "line 3: third" in str(caught.value)
    assert "fourth" not in str(caught.value)
    with pytest.raises(InputError, match="no access log among 1 files"):
        read(tmp_path)
    for threads in (1, 2):
        with pytest.raises(InputError, match="not one of its 5 lines fits plain"):
            read(tmp_path / "error.log", log_format="plain", threads=threads)


def test_empty_files_are_fine(tmp_path: Path) -> None:
    """Nothing to read is said and is no error."""
    (tmp_path / "a.log").write_bytes(b"")
    (tmp_path / "b.log").write_bytes(gzip.compress(b""))

    rows, reader = read([tmp_path / "a.log", tmp_path / "b.log"])

    assert rows == []
    assert [why for _, why in reader.skipped] == ["empty", "empty"]


def test_a_loss_is_told(tmp_path: Path) -> None:
    """A truncated file gives its whole lines and is named among the lost."""
    path = write(tmp_path / "a.gz", range(5_000), pack=gzip.compress)
    path.write_bytes(path.read_bytes()[:-2_000])

    rows, reader = read(path)

    assert 0 < len(rows) < 5_000
    assert [str(path)] == [p for p, _ in reader.lost]
    assert "truncated" in reader.lost[0][1]


def test_junk_and_a_giant_line_in_front_do_not_hide_the_log(tmp_path: Path) -> None:
    """The format is found behind what is no line of it, and the junk is counted."""
    path = write(tmp_path / "a.log", range(5_000))
    path.write_bytes(b"z" * 3_000_000 + b"\n" + path.read_bytes() + b"!\n")

    rows, reader = read(path)

    assert len(rows) == 5_000
    assert reader.coverage.rejected == {"layout": 2}
    assert reader.coverage.lines == 5_002


def test_time_and_host_filters(tmp_path: Path) -> None:
    """``since`` is included, ``until`` is not; a host is compared without case and port; the rest is counted."""
    path = tmp_path / "a.log"
    hosts = [b"www.example.com", b"WWW.Example.com:443", b"api.example.com", b"www.example.com.evil", b"w"]
    path.write_bytes(b"".join(b"%d 1 %s\n" % (START // SECOND + n, hosts[n % 5]) for n in range(100)))

    rows, reader = read(path, since_us=START + 10 * SECOND, until_us=START + 50 * SECOND, vhost="www.EXAMPLE.com")

    assert [n for n in range(10, 50) if n % 5 < 2] == [(r[4] - START) // SECOND for r in rows]
    assert (reader.coverage.parsed, reader.coverage.filtered, reader.coverage.requests) == (100, 84, 16)


def test_a_host_asked_of_a_log_without_hosts_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than filter every line out, the run says that this log cannot answer."""
    path = write(tmp_path / "a.log", range(10))
    monkeypatch.setattr(PlainFormat, "scan", _without_hosts(PlainFormat.scan))

    with pytest.raises(UsageError, match="is read as plain, which names no host"):
        read(path, vhost="www.example.com")


def _without_hosts(scan: Any) -> Any:
    def scanned(self: PlainFormat, chunk: Chunk) -> Fields:
        fields: Fields = scan(self, chunk)
        fields.span[:, :, 1] = -1
        return fields

    return scanned


def test_a_log_of_torn_lines_is_a_log(tmp_path: Path) -> None:
    """Named or found in a folder, a log of which one line in five is whole is read."""
    path = write(tmp_path / "a.log", range(1_000))
    path.write_bytes(path.read_bytes().replace(b"www", b"ww\nw\n \n!\nw"))

    _, named = read(path)
    _, found = read(tmp_path)

    assert (named.coverage.lines, found.coverage.lines) == (5_000, 5_000)


def test_one_parsable_line_is_enough_for_a_named_file(tmp_path: Path) -> None:
    """What the user names is read if any line of it can be; in a folder it is no access log."""
    path = write(tmp_path / "a.log", range(1))
    path.write_bytes(b"junk\n" * 99 + path.read_bytes())

    _, named = read(path)

    assert (named.coverage.parsed, named.coverage.rejected) == (1, {"layout": 99})
    with pytest.raises(InputError, match="no access log among 1 files"):
        read(tmp_path)


def test_junk_before_the_log_does_not_hide_it(tmp_path: Path) -> None:
    """A named file is looked through until a head fits a format."""
    path = write(tmp_path / "a.log", range(20_000))
    path.write_bytes(b"starting up ...\n" * 40_000 + path.read_bytes())

    rows, reader = read(path)

    assert len(rows) == 20_000
    assert reader.coverage.rejected == {"layout": 40_000}


def test_stopping_early_ends_the_thread(tmp_path: Path) -> None:
    """Who stops iterating leaves no thread and no open file behind."""
    path = write(tmp_path / "a.log", range(60_000))
    reader = Reader([path], ReadSettings(chunk_bytes=10_000), PlainResolver())

    next(iter(reader))

    assert all(feed.file._raw is None for feed in reader._feeds)


def test_faults_cross_the_thread(tmp_path: Path) -> None:
    """What the reading thread raises, the iterating one sees."""

    class Broken(PlainResolver):
        """Cannot resolve."""

        def resolve(self, chunk: Chunk, fields: Fields) -> Batch:
            """Fails."""
            raise ArithmeticError(chunk.origin)

    with pytest.raises(ArithmeticError):
        list(Reader([write(tmp_path / "a.log", range(10))], ReadSettings(threads=2), Broken()))
