"""Replay from the outside, as a shell sees it: bad input, endings, and what may stand on a terminal."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.cli import main as program
from tests.replay.nine_cases import EXTRACTIONS
from tests.scenarios.language import parse
from tests.scenarios.stage import play

CONTRACT = [
    "incident", "revision", "state", "pattern", "detector", "severity", "confidence", "raised_at", "first_seen",
    "last_seen", "endpoints", "clients", "client_count", "client_kind", "selector", "requests", "bytes_out",
    "records_exposed", "persons_exposed", "data_classes", "evidence", "suppressed_by", "tags",
]  # fmt: skip
ADDED = [  # beyond the contract's table
    "records_at_alert",
    "merged_into",
    "warming",
    "partner",
    "status",
    "verdict",
    "assignee",
]

HOSTILE = (
    b"\x1b[31;1m", b"\x1b]0;owned\x07", b"\x1b[2J\x1b[H", b"\r\x08\x08", b"\x9b2J", b"\xc2\x9b2J", b"\x00",
    "\u202e\u2028\U0001f4a3".encode(), b"\xff\xfe", b"\x7f",
)  # fmt: skip


@dataclass(frozen=True)
class Done:
    """How a run ended, and what it said, as bytes."""

    returncode: int
    stdout: bytes
    stderr: bytes

    def __post_init__(self) -> None:
        """Nothing that was said may move a cursor."""
        strange = {byte for byte in self.stdout + self.stderr if not (0x20 <= byte < 0x7F or byte == 0x0A)}
        assert not strange, f"unprintable bytes on the terminal: {sorted(strange)}"


def detector(*arguments: object) -> Done:
    """Runs the program on these arguments, in this process."""
    ended = CliRunner().invoke(program.app, [str(a) for a in arguments])
    assert isinstance(ended.exception, SystemExit | None), ended.exception
    return Done(ended.exit_code, ended.stdout_bytes, ended.stderr_bytes)


def shell(*arguments: object, stdin: bytes | None = None) -> Done:
    """Runs the program as a shell does, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "detector", *(str(a) for a in arguments)], input=stdin, capture_output=True, check=False
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


def log_of(tmp_path: Path, lines: list[bytes], name: str = "access.log") -> Path:
    """A log of these lines."""
    path = tmp_path / name
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def reads(account: bytes, first: int, n: int, minute: int = 0, before: bytes = b"/users/") -> list[bytes]:
    """Two reads a second of neighbouring ids by an account."""
    return [
        b'192.0.2.%d - %s [03/Mar/2026:10:%02d:%02d +0000] "GET %s%d HTTP/1.1" 200 512 "-" "curl/8"'
        % (1 + len(account) % 9, account, minute + i // 120, i // 2 % 60, before, first + i)
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def walk_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes of ordinary requests with one walk through 1,140 records: an incident of medium severity."""
    path = tmp_path_factory.mktemp("walk") / "access.log"
    path.write_bytes(EXTRACTIONS["slow"](1).text)
    return path


# What cannot be read ---------------------------------------------------------------------------------------------


def test_no_such_file(tmp_path: Path) -> None:
    """A file that is not there ends the run with 3 and is named."""
    done = detector("replay", tmp_path / "none.log")
    assert done.returncode == 3
    assert done.stderr == b"detector: %s: cannot be read: No such file or directory\n" % os.fsencode(
        tmp_path / "none.log"
    )
    assert done.stdout == b""


def test_a_pattern_that_means_no_file(tmp_path: Path) -> None:
    """So does a pattern without a match."""
    done = detector("replay", tmp_path / "*.log")
    assert (done.returncode, b"no file matches" in done.stderr) == (3, True)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A link to itself is there and cannot be opened: 3, with the reason."""
    loop = tmp_path / "loop.log"
    loop.symlink_to(loop)
    done = detector("replay", loop)
    assert done.returncode == 3
    assert b"loop.log: cannot be read: Too many levels of symbolic links" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read(walk_log: Path, tmp_path: Path) -> None:
    """A file without the right to read it: 3, with the reason."""
    secret = tmp_path / "secret.log"
    secret.write_bytes(walk_log.read_bytes())
    secret.chmod(0)
    done = detector("replay", secret)
    assert done.returncode == 3
    assert b"secret.log: cannot be read: Permission denied" in done.stderr


def test_not_one_line_can_be_parsed(tmp_path: Path) -> None:
    """The first three lines are shown as seen, escaped, and no more of them."""
    path = log_of(tmp_path, [b"hello \x1b[31mworld", b"caf\xc3\xa9 \x00", b'{"no": "log"}', b"the fourth line"])
    done = detector("replay", path)
    assert done.returncode == 3
    for line in (rb"line 1: hello \x1b[31mworld", rb"line 2: caf\xc3\xa9 \x00", b'line 3: {"no": "log"}'):
        assert line in done.stderr
    assert b"the fourth line" not in done.stderr
    assert done.stdout == b""


def test_the_closest_format_is_named(tmp_path: Path) -> None:
    """Where not one line can be parsed, the preset that comes closest is named: a start for a string of one's own."""
    nearly = [line.replace(b"[03/Mar", b"[33/Foo") for line in reads(b"bob", 1, 5)]
    done = detector("replay", log_of(tmp_path, nearly))
    assert done.returncode == 3
    assert b"closest" in done.stderr
    assert b"combined" in done.stderr


def test_lines_a_named_format_does_not_take(walk_log: Path) -> None:
    """With ``--log-format`` the format that was tried is named beside the lines."""
    done = detector("replay", "--log-format", "caddy", walk_log)
    assert done.returncode == 3
    assert b"caddy" in done.stderr
    assert done.stderr.count(b"\n  line ") == 3


# Wrong formats ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "caret"),
    [
        ("$remote_addr$request", len("$remote_addr")),
        ("$remote_addr [${time_local] $request", len("$remote_addr [")),
        ('%h %l %u %t "%r" %', len('%h %l %u %t "%r" ')),
    ],
)
def test_a_wrong_format_string(walk_log: Path, text: str, caret: int) -> None:
    """A format string that cannot be compiled ends with 2 and a caret under the offending place."""
    done = detector("replay", "--log-format", text, walk_log)
    assert done.returncode == 2
    *_, shown, mark = done.stderr.decode("ascii").rstrip("\n").split("\n")
    assert shown == f"  {text}"
    assert mark == "  " + " " * caret + "^"


def test_a_format_nobody_knows(walk_log: Path) -> None:
    """A preset that does not exist ends with 2 and a list of those that do."""
    done = detector("replay", "--log-format", "combinde", walk_log)
    assert done.returncode == 2
    assert b"combined" in done.stderr


# What can be read in part ----------------------------------------------------------------------------------------


def test_a_truncated_gzip_counts_as_far_as_it_goes(walk_log: Path, tmp_path: Path) -> None:
    """Of a gzip cut in two the readable part is judged; the loss is said and the run ends with 4."""
    cut = tmp_path / "cut.log.gz"
    packed = gzip.compress(walk_log.read_bytes())
    cut.write_bytes(packed[: 3 * len(packed) // 4])
    done = detector("replay", cut)
    assert done.returncode == 4
    assert b"lost      %s: truncated" % os.fsencode(cut) in done.stderr
    assert b"1 incident\n" in done.stdout
    parsed = next(line for line in done.stdout.split(b"\n") if line.startswith(b"parsed"))
    assert 2000 < int(parsed.split()[1].replace(b",", b"")) < 4140


def test_an_empty_file(tmp_path: Path) -> None:
    """An empty log is no error: no incident, nothing read, and the file is named."""
    done = detector("replay", log_of(tmp_path, []))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"no incidents\nread      0 lines")
    assert b"access.log: empty" in done.stdout


def test_lines_that_are_no_requests_are_counted(walk_log: Path, tmp_path: Path) -> None:
    """Junk between the lines is rejected and counted; the rest is judged as without it."""
    lines = walk_log.read_bytes().split(b"\n")[:-1]
    junk = log_of(
        tmp_path, [line for at, good in enumerate(lines) for line in ([good, b"\x1b junk"][: 1 + (at % 7 == 0)])]
    )
    (clean, mixed) = (detector("replay", "--output", "json", path) for path in (walk_log, junk))
    assert mixed.returncode == 0
    assert mixed.stdout == clean.stdout
    assert b"rejected %d" % -(-len(lines) // 7) in mixed.stderr


def test_a_clock_that_jumps_back(walk_log: Path, tmp_path: Path) -> None:
    """Where stamps fall back by an hour, every line is judged, the late ones are counted and said."""
    lines = walk_log.read_bytes().split(b"\n")[:-1]
    half = len(lines) // 2
    back = [line.replace(b"/2026:10:", b"/2026:09:") for line in lines[half:]]
    done = detector("replay", log_of(tmp_path, lines[:half] + back))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"parsed    4,140 (100.0%); none rejected" in done.stdout
    assert b"out of order by more than the lateness allowed" in done.stdout


def test_a_clock_that_runs_backwards_accuses_nobody(tmp_path: Path) -> None:
    """A log with its newest line first: every line is judged, and no visitor is named for the disorder."""
    scenario = Path(__file__).parents[1] / "scenarios" / "walk.scenario"
    text = play(parse(scenario.read_text(encoding="utf-8"), scenario.name), seed=2).text
    lines = text.split(b"\n")[-2::-1]
    done = detector("replay", "--output", "json", log_of(tmp_path, lines))
    assert done.returncode == 0
    assert f"parsed    {len(lines):,} (100.0%)".encode() in done.stderr
    named = {client for line in done.stdout.split(b"\n") if line for client in json.loads(line)["clients"]}
    assert named <= {"198.51.100.7"}


# Endings and outputs ---------------------------------------------------------------------------------------------


def test_standard_input(walk_log: Path) -> None:
    """``-`` reads standard input, packed or not, and tells the same incidents as the file."""
    text = walk_log.read_bytes()
    from_file = detector("replay", "-q", "--output", "json", walk_log)
    assert from_file.stdout.count(b"\n") == 1
    for stdin in (text, gzip.compress(text)):
        piped = shell("replay", "-q", "--output", "json", "-", stdin=stdin)
        assert (piped.returncode, piped.stdout, piped.stderr) == (0, from_file.stdout, b"")


@pytest.mark.parametrize(("least", "code"), [("informational", 1), ("medium", 1), ("high", 0), ("critical", 0)])
def test_fail_on(walk_log: Path, least: str, code: int) -> None:
    """``--fail-on`` ends with 1 from that severity on; the incident is told all the same."""
    done = detector("replay", "-q", "--fail-on", least, walk_log)
    assert done.returncode == code
    assert done.stdout.startswith(b"SEVERITY")
    assert b"\nmedium " in done.stdout


def test_fail_on_without_incidents(tmp_path: Path) -> None:
    """Without an incident ``--fail-on`` has nothing to fail on."""
    assert detector("replay", "--fail-on", "informational", log_of(tmp_path, reads(b"-", 1, 9))).returncode == 0


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """What is printed and what is written of a log with three walks, one by a name that is not ASCII."""
    folder = tmp_path_factory.mktemp("several")
    lines = [
        *reads("zoë".encode(), 5_000, 300, 0, b"/orders/"),
        *reads(b"bob", 1, 300, 4),
        *reads(b"al", 90_000, 300, 8, "/größen/".encode()),
    ]
    written = folder / "incidents.jsonl"
    done = detector("replay", "--output", "json", "--incidents", written, log_of(folder, lines))
    assert done.returncode == 0, done.stderr
    return done.stdout, written.read_bytes()


def test_incidents_have_exactly_the_fields_of_the_contract(several: tuple[bytes, bytes]) -> None:
    """Every field of the contract is there, no other but those added on purpose, and of the types it says."""
    for line in several[0].split(b"\n")[:-1]:
        incident: dict[str, Any] = json.loads(line)
        assert set(incident) == {*CONTRACT, *ADDED}
        assert [name for name in incident if name in CONTRACT] == CONTRACT
        assert set(incident["detector"]) == {"name", "version", "config"}
        assert incident["state"] in ("open", "closed")
        assert set(incident["records_exposed"]) == {"estimate", "low", "high"}
        assert all(set(finding) == {"name", "value", "expected", "weight"} for finding in incident["evidence"])
        assert incident["first_seen"] <= incident["raised_at"] <= incident["last_seen"]
        assert all(incident[name].endswith("Z") for name in ("first_seen", "raised_at", "last_seen"))


def test_incidents_are_written_as_they_are_printed(several: tuple[bytes, bytes]) -> None:
    """The file holds the same lines: ASCII only, ordered by ``raised_at``, then ``incident``."""
    printed, written = several
    assert printed == written
    assert printed.isascii()
    order = [(i["raised_at"], i["incident"]) for i in map(json.loads, printed.split(b"\n")[:-1])]
    assert len(order) == 3
    assert order == sorted(order)


# The terminal ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A log, in a file of a hostile name, with a walk for every hostile piece in account, path and agent; its lines."""
    lines = []
    for n, piece in enumerate(HOSTILE):
        walk = reads(b"bob" + piece, 7_000 + 1_000 * n, 300, 5 * n, b"/us" + piece + b"ers/")
        lines += [line.replace(b"curl", b"curl" + piece) for line in walk] + [piece, piece + b" - - junk"]
    name = b"".join(HOSTILE).replace(b"\x00", b"").decode("utf-8", "surrogateescape") + ".log"
    return log_of(tmp_path_factory.mktemp("hostile"), lines, name), lines


def test_nothing_from_a_log_moves_the_cursor(hostile: tuple[Path, list[bytes]], tmp_path: Path) -> None:
    """Control bytes in names, paths, agents, junk and file names are told escaped, in every output."""
    path, _ = hostile
    written = tmp_path / "incidents.jsonl"
    table = shell("replay", "--incidents", written, path)
    assert table.returncode == 0, table.stderr
    told = written.read_bytes().count(b"\n")
    assert told == len(HOSTILE) - 1, "a line with a NUL is none"
    assert b"%d incidents\n" % told in table.stdout
    assert rb"bob\x1b[31;1m" in table.stdout
    assert detector("replay", "--output", "json", path).stdout == written.read_bytes()
    assert detector("explain", written, "latest").returncode == 0


@pytest.mark.parametrize(
    "piece", [b"\x1b]0;owned\x07", "\u202e\x9b2J".encode(), b"\xff\r\n"], ids=["osc", "utf-8", "bytes"]
)
def test_nothing_from_the_command_line_moves_the_cursor(piece: bytes, tmp_path: Path) -> None:
    """What was asked for is repeated escaped: a line to explain, a file that is not there, a format nobody knows."""
    text = piece.decode("utf-8", "surrogateescape")
    line = reads(b"bob" + piece, 1, 1, 0, b"/us" + piece + b"ers/")[0]
    assert detector("explain", "--line", line.decode("utf-8", "surrogateescape")).returncode in (0, 3)
    assert detector("replay", "--log-format", text, tmp_path).returncode == 2
    assert detector("replay", "--log-format", f"$remote_addr{text}$", tmp_path).returncode == 2
    assert detector("replay", "--since", text, tmp_path).returncode == 2
    assert detector("replay", tmp_path / f"{text}.log").returncode == 3


def test_lines_that_cannot_be_parsed_are_shown_escaped(tmp_path: Path) -> None:
    """The lines shown where nothing could be parsed are escaped, too."""
    for at in range(0, len(HOSTILE), 3):
        done = detector("replay", log_of(tmp_path, list(HOSTILE[at : at + 3]), f"{at}.log"))
        assert done.returncode == 3
