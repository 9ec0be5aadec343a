"""A small language for logs and what must be found in them, a sentence a line.

::

    # One address walks user ids while ordinary clients read popular ones.
    traffic 300 clients each read 1 per 30s for 20m from GET /users/{zipf:100000}
    at 5m client 198.51.100.7 reads 40 per 1s for 30s from GET /users/{next:5000}
    expect walk naming 198.51.100.7 records 1200 +-3% raised before 5m10s
    expect nothing else

What happens: ``traffic`` comes at moments at random from the start on, ``at TIME`` in an even pace from that time on::

    traffic | at TIME   WHO   [each] reads N per TIME   for TIME   from TARGETS   [found P%]

    WHO      client ADDRESS | account NAME over N addresses | network NETWORK/64 | N people behind ADDRESS
             | N clients [called NAME] | N accounts [called NAME] | new clients called NAME (one for every read)
             | the NAME (the same clients again)
    TARGETS  METHOD PATH [P%], METHOD PATH [P%], ...   what share of the reads goes where
    PATH     may hold one of {zipf:N} as people choose among N, {any:N} any of N alike, {own:N} the reader's own,
             {own:N-K} any of the reader's own K among N, {next:N} the next number from N on, whoever reads,
             {all:A-B} all of them within two seconds
    found    share of answers 200, the others are 404; 100 % where nothing is said

What must be found, and a scenario ends with ``expect nothing`` or ``expect nothing else``::

    expect PATTERN naming NAME records N +-P% [raised before TIME]
    expect nothing [else]

Times are ``90s``, ``5m``, ``5m10s``, ``1h``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_UNITS = {"h": 3600, "m": 60, "s": 1}

_ACTION = re.compile(
    r"(?:traffic|at (?P<at>\S+)) (?P<who>.+?) (?P<each>each )?reads? (?P<count>\d+) per (?P<per>\S+)"
    r" for (?P<span>\S+) from (?P<targets>.+?)(?: found (?P<found>\d+)%)?"
)
_WHO = {
    "client": re.compile(r"client (?P<name>\S+)"),
    "account": re.compile(r"account (?P<name>\S+) over (?P<count>\d+) addresses"),
    "network": re.compile(r"network (?P<name>\S+/64)"),
    "people": re.compile(r"(?P<count>\d+) people behind (?P<name>\S+)"),
    "clients": re.compile(r"(?P<count>\d+) clients(?: called (?P<name>\w+))?"),
    "accounts": re.compile(r"(?P<count>\d+) accounts(?: called (?P<name>\w+))?"),
    "new": re.compile(r"new clients called (?P<name>\w+)"),
    "again": re.compile(r"the (?P<name>\w+)"),
}
_TARGET = re.compile(r"(?P<method>[A-Z]+) (?P<before>/[^ {]*)(?:\{(?P<id>[a-z]+):(?P<range>[\d-]+)\}(?P<after>\S*))?")
_EXPECT = re.compile(
    r"expect (?P<pattern>\w+) naming (?P<name>\S+) records (?P<records>\d+) \+-(?P<off>\d+)%"
    r"(?: raised before (?P<before>\S+))?"
)
_IDS = ("zipf", "any", "own", "next", "all")


class ScenarioError(ValueError):
    """A line that is no sentence of the language; the message says file, line and what is allowed."""


@dataclass(frozen=True)
class Who:
    """Who reads: ``kind`` is a key of the table of sentences above, ``count`` how many, ``name`` what to expect."""

    kind: str
    name: str
    count: int


@dataclass(frozen=True)
class Target:
    """What is read: a path around an id, drawn as ``kind`` says from ``low`` and ``high``; "" = a path without id."""

    method: str
    before: str
    after: str
    kind: str
    low: int
    high: int
    share: float


@dataclass(frozen=True)
class Action:
    """Reads to happen.

    Attributes:
        who: by whom.
        at: seconds from the start in an even pace; None = at random from the start on.
        each: whether ``reads`` are those of each client, or of all together.
        reads: how many in all the time.
        span: seconds.
        targets: of what; their shares sum to 1.
        found: share of answers 200.
    """

    who: Who
    at: int | None
    each: bool
    reads: int
    span: int
    targets: tuple[Target, ...]
    found: float


@dataclass(frozen=True)
class Expectation:
    """An incident that must be raised; ``before`` in seconds from the start, None = whenever."""

    pattern: str
    name: str
    records: int
    off: float
    before: int | None

    def __str__(self) -> str:
        return f"{self.pattern} naming {self.name}"


@dataclass
class Scenario:
    """What happens and what must be found, and nothing else."""

    actions: list[Action] = field(default_factory=list)
    expected: list[Expectation] = field(default_factory=list)


def parse(text: str, name: str) -> Scenario:
    """Reads a scenario.

    Raises:
        ScenarioError: a line is no sentence of the language, or the end is missing.
    """
    scenario = Scenario()
    ended = False
    for number, line in enumerate(text.split("\n"), 1):
        sentence = " ".join(line.split())
        if not sentence or sentence.startswith("#"):
            continue
        if ended:
            raise ScenarioError(f"{name}:{number}: {sentence!r} stands behind the end")
        try:
            ended = _take(sentence, scenario)
        except ScenarioError as error:
            raise ScenarioError(f"{name}:{number}: {error}") from None
    if not ended:
        raise ScenarioError(f"{name}: must end with 'expect nothing' or 'expect nothing else'")
    return scenario


def seconds(text: str) -> int:
    """``1h``, ``5m10s``, ``90s`` as seconds."""
    parts = re.findall(r"(\d+)([hms])", text)
    if not parts or "".join(n + unit for n, unit in parts) != text:
        raise ScenarioError(f"{text!r} is no time; write 90s, 5m, 5m10s or 1h")
    return sum(int(n) * _UNITS[unit] for n, unit in parts)


def _take(sentence: str, scenario: Scenario) -> bool:
    """Adds a sentence to the scenario; returns whether it is the end."""
    if sentence in ("expect nothing", "expect nothing else"):
        if scenario.expected and not sentence.endswith("else"):
            raise ScenarioError("write 'expect nothing else' where something is expected")
        return True
    if sentence.startswith("expect "):
        scenario.expected.append(_expectation(sentence))
    else:
        scenario.actions.append(_action(sentence))
    return False


def _matched(pattern: re.Pattern[str], text: str, allowed: str) -> dict[str, str | None]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ScenarioError(f"{text!r} is no sentence; allowed: {allowed}")
    return match.groupdict()


def _action(sentence: str) -> Action:
    given = _matched(_ACTION, sentence, "traffic|at TIME WHO [each] reads N per TIME for TIME from TARGETS [found P%]")
    span = seconds(given["span"] or "")
    reads = int(given["count"] or 0) * span / seconds(given["per"] or "")
    if reads < 1:
        raise ScenarioError(f"{reads:.2g} reads are less than one")
    return Action(
        who=_who(given["who"] or ""),
        at=seconds(given["at"]) if given["at"] else None,
        each=given["each"] is not None,
        reads=round(reads),
        span=span,
        targets=_targets(given["targets"] or ""),
        found=int(given["found"] or 100) / 100,
    )


def _who(text: str) -> Who:
    for kind, pattern in _WHO.items():
        match = pattern.fullmatch(text)
        if match:
            given = match.groupdict()
            return Who(kind, given.get("name") or "", int(given.get("count") or 1))
    allowed = "client A, account A over N addresses, network A/64, N people behind A, [N|new] clients called A, the A"
    raise ScenarioError(f"{text!r} is nobody; allowed: {allowed}")


def _targets(text: str) -> tuple[Target, ...]:
    words = [re.fullmatch(r"(.+?)(?: (\d+)%)?", part.strip()) for part in text.split(",")]
    pairs = [(match[1], int(match[2]) if match[2] else 0) for match in words if match]
    if len(pairs) > 1 and sum(share for _, share in pairs) != 100:
        raise ScenarioError(f"the shares of {text!r} do not sum to 100 %")
    return tuple(_target(path, share / 100 if len(pairs) > 1 else 1.0) for path, share in pairs)


def _target(text: str, share: float) -> Target:
    given = _matched(_TARGET, text, "METHOD /path/{zipf:N}, {any:N}, {own:N}, {next:N}, {all:A-B} or no id")
    kind = given["id"] or ""
    if kind and kind not in _IDS:
        raise ScenarioError(f"{{{kind}}} chooses no id; allowed: {', '.join(_IDS)}")
    low, _, high = (given["range"] or "0").partition("-")
    return Target(
        given["method"] or "", given["before"] or "", given["after"] or "", kind, int(low), int(high or 0), share
    )


def _expectation(sentence: str) -> Expectation:
    allowed = "expect PATTERN naming NAME records N +-P% [raised before TIME]; expect nothing [else]"
    given = _matched(_EXPECT, sentence, allowed)
    return Expectation(
        given["pattern"] or "",
        given["name"] or "",
        int(given["records"] or 0),
        int(given["off"] or 0) / 100,
        seconds(given["before"]) if given["before"] else None,
    )
