"""The suite as a table: which attack, how large, how hidden, and what is asked of the first actionable alert.

A new scenario is a line here. Targets are those the project has set itself; where none is given, figures are printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from detector.simulate.catalogue import CONFUSERS, PATTERNS

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True)
class Target:
    """What the first actionable alert has to keep under; None = not asked.

    Attributes:
        seconds: of log time since the attacker's first request.
        records: distinct records exposed.
        requests: of each client, up to the moment it is named (an over-fetch by its tenth request).
        quiet: nothing above informational may name the attacker.
    """

    seconds: float | None = None
    records: int | None = None
    requests: int | None = None
    quiet: bool = False

    def words(self) -> str:
        """The target in a table's cell."""
        if self.quiet:
            return "informational"
        parts = [f"< {_time(self.seconds)}"] if self.seconds else []
        parts += [f"< {self.records:,} records"] if self.records else []
        return ", ".join(parts + ([f"by request {self.requests}"] if self.requests else [])) or "printed"


NOTHING = Target()
QUIET = Target(quiet=True)


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        pattern: a key of PATTERNS, or ``quiet``: nobody attacks.
        variant, form, identities, attack_rate: as in `simulate.Options`.
        seconds: log time after the attack's first moment, if nothing ends it before.
        target: what is asked.
        seed: of the world and the attack.
        listed: whether the log lists the objects of batched requests.
        confusers: beside those that are always there; such a case has a world of its own from its first moment on.
        budget: false incidents a day the user accepts.
        least_seconds: log time after the attack's first moment that a case goes on for at least: whether a rule covers
            an attack that lasts months is not seen in ten minutes. Where nobody attacks, of the whole log.
    """

    pattern: str
    variant: str = ""
    form: str = "plain"
    identities: int | None = None
    attack_rate: float | None = None
    seconds: float = HOUR
    target: Target = NOTHING
    seed: int = 1
    listed: bool = True
    confusers: tuple[str, ...] = ()
    budget: float = 1.0
    least_seconds: float = 0.0

    @property
    def key(self) -> str:
        """What tells it from every other case, for people and for resuming."""
        parts = [self.pattern, self.variant.replace(" ", "-") or "default"]
        parts += [f"{self.identities}-identities"] if self.identities is not None else []
        parts += [f"{self.attack_rate:g}/s"] if self.attack_rate is not None else []
        parts += ["counts-only"] if not self.listed else []
        parts += [f"budget-{self.budget:g}"] if self.budget != 1.0 else []
        return "/".join([*parts, self.form, f"seed-{self.seed}"])


@dataclass(frozen=True)
class Setting:
    """The ordinary traffic of a suite.

    Attributes:
        rate: ordinary requests a second, mean over a day.
        warm_hours: log time before the attacks, from midnight on.
        quiet_hours: length of the runs in which nobody attacks.
        clients, objects: slots of the tables.
        slow_rate: ordinary requests a second of the worlds of e5, which takes fourteen days.
        tail_seconds: how long a case goes on after its first actionable alert.
        compare_seconds: how long a case goes on for the rivals; 0 = no rivals.
        census_lines: of each case agent-census reads, which is then the only rival; 0 = it is not among them.
        seeds: of the plain forms and confusers, where nobody says.
    """

    rate: float
    warm_hours: float
    quiet_hours: float
    clients: int
    objects: int
    slow_rate: float = 100.0
    tail_seconds: float = 600.0
    compare_seconds: float = HOUR
    seeds: int = 1
    census_lines: int = 0


# 1/33 of the traffic the targets are set for: a quarter of a million client-days. Attacks keep their own rates.
_QUICK = Setting(rate=300, warm_hours=10, quiet_hours=36, clients=1 << 19, objects=1 << 24)

SETTINGS = {
    "quick": _QUICK,
    "seeds": replace(_QUICK, compare_seconds=0, seeds=5),
    # The traffic the targets are set for, from midnight to the middle of the morning: tables as 288 M requests need.
    "large": Setting(rate=10_000, warm_hours=8, quiet_hours=12, clients=1 << 23, objects=1 << 26, compare_seconds=0),
    "evasive": replace(_QUICK, compare_seconds=0),
    # Seven or eight minutes of everybody's lines, some twenty seconds of processor time for agent-census.
    "census": replace(_QUICK, compare_seconds=600, census_lines=200_000),
    # For the project's own tests: seconds.
    "tiny": Setting(
        rate=5, warm_hours=0.5, quiet_hours=0.5, clients=1 << 14, objects=1 << 18, tail_seconds=60, compare_seconds=300
    ),
}

_P1 = Target(seconds=5, records=1000)
_P3 = Target(seconds=60, records=3000)
_P4 = {1000: Target(seconds=300), 10_000: Target(seconds=1200, records=70_000), 1_000_000: Target(seconds=3600)}
_MINUTE = Target(seconds=60)
_LONG = 4 * HOUR  # of attacks by one account after the other, each of which lives for hours
_TENTH = Target(requests=10)

PLAIN: tuple[Case, ...] = (
    Case("P1", "fast", target=_P1, seconds=600),
    Case("P1", "faster", target=_P1, seconds=600),
    Case("P2", "walk", target=Target(records=150), seconds=3 * HOUR),
    Case("P2", "walk-3", target=Target(records=150), seconds=3 * HOUR),
    Case("P2", "brisk", target=Target(records=150)),
    *(
        Case("P3", variant, identities=n, target=_P3, seconds=1800)
        for variant in ("dormant", "busy")
        for n in (1, 30, 500, 5000, 0)
    ),
    *(Case("P4", "shared", identities=n, target=target) for n, target in _P4.items()),
    *(Case("P4", "nothing", identities=n) for n in _P4),  # nothing to act upon: the time of detection is printed
    Case("P5", "third", target=_MINUTE, seconds=1800),
    Case("P5", "most", target=_MINUTE, seconds=1800),
    Case("P6", "not found", target=_MINUTE, seconds=1200),
    Case("P6", "empty", target=_MINUTE, seconds=1200),
    Case("P7", "fast", target=_MINUTE, seconds=120),
    Case("P7", "fast", target=_MINUTE, seconds=120, listed=False),
    Case("P7", "slow", target=Target(requests=3)),
    Case("P7", "slow", target=Target(requests=3), listed=False),
    Case("P8", "mill", target=Target(seconds=DAY, records=10_000), seconds=DAY, least_seconds=_LONG),
    Case("P8", "large", target=Target(seconds=DAY, records=10_000), seconds=DAY, least_seconds=_LONG),
    Case("P9", target=Target(records=10_000), seconds=DAY, least_seconds=_LONG),
    *(
        Case("P10", variant, target=Target(seconds=6 * HOUR, records=60_000), seconds=6 * HOUR, least_seconds=_LONG)
        for variant in ("tokens", "few", "many")
    ),
    Case("P11", "routes", target=Target(seconds=600), seconds=1800),
    Case("P11", "volume", target=Target(seconds=600), seconds=1800),
    Case("P12", "limit", target=_TENTH, seconds=120),
    Case("P12", "wildcard", target=_TENTH, seconds=120),
    Case("P12", "deep", target=_TENTH, seconds=120),
    Case("P13", target=QUIET, seconds=2 * HOUR),
)

_SINGLE = {("P1", "fast"), ("P2", "brisk"), ("P5", "third"), ("P6", "not found"), ("P7", "slow")}
_MANY = {("P3", "busy", 500), ("P4", "shared", 1000)}
_COUNTED = [
    case
    for case in PLAIN
    if case.listed
    and ((case.pattern, case.variant) in _SINGLE or (case.pattern, case.variant, case.identities) in _MANY)
]

CONFUSED = Case("quiet", confusers=tuple(CONFUSERS), target=QUIET)
LOOSE = replace(CONFUSED, budget=10.0, least_seconds=2 * DAY)

_EVASIVE_HOURS = 3.0  # at most; patterns that are over sooner keep their own length
_RAMP_DAYS = 14.0
_RAMP_SCALE = 100.0  # a ramp's ordinary traffic is a hundredth of the full suite's, and so are attacks above 1/s
_DAYS = ("P8", "P9", "P10")  # slow ones: a day each


def evasive() -> Iterator[Case]:
    """Every form that makes sense for a pattern, in its first variant; nothing is asked of them, all is printed.

    P7 in its slow one: three hours of 28,000 numbers a second are as many rows as the rest of the suite.
    """
    for pattern in PATTERNS.values():
        variant = pattern.variant("slow") if pattern.key == "P7" else pattern.variants[0]
        for form in pattern.forms:
            seconds = DAY if pattern.key in _DAYS else min(max(pattern.seconds, HOUR), _EVASIVE_HOURS * HOUR)
            rate = None
            if form == "e5":
                seconds, rate = _RAMP_DAYS * DAY, variant.rate / (_RAMP_SCALE if variant.rate > 1 else 1)
            yield Case(pattern.key, variant.name, form=form, seconds=seconds, attack_rate=rate)


def suite(name: str, seeds: int | None = None) -> list[Case]:
    """The cases of a suite, those of one world together.

    Args:
        name: ``quick``: one seed, rivals beside; ``seeds``: five, and the confusers once more at a budget of ten false
            incidents a day; ``large``: one seed at 10,000 requests a second; ``evasive``: the forms e1 to e7;
            ``census``: P1 to P7 and the looks of a browser (e7) for agent-census; ``tiny``.
        seeds: of the plain forms and confusers; None = as the setting says.
    """
    if name == "tiny":
        return [Case("P1", "fast", target=_P1, seconds=60), Case("quiet", confusers=("N5", "N12"), target=QUIET)]
    if name == "evasive":
        return sorted(evasive(), key=lambda case: case.form == "e5")
    each = range(1, 1 + (seeds or SETTINGS[name].seeds))
    if name == "census":
        looks = [replace(case, form="e7", target=NOTHING) for case in _COUNTED if case.pattern in ("P1", "P3", "P4")]
        return [replace(case, seed=seed) for seed in each for case in (*_COUNTED, *looks)]
    found = [replace(case, seed=seed) for seed in each for case in (*PLAIN, CONFUSED)]
    return [*found, LOOSE] if name == "seeds" else found


def _time(seconds: float) -> str:
    for size, unit in ((DAY, "d"), (HOUR, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
