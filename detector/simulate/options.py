"""What a simulated log is made from: every knob with its default, and where the default comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from detector.errors import UsageError

FORMS = ("plain", "e1", "e2", "e3", "e4", "e5", "e6", "e7")
"""How the attacker hides: not at all, 50 % decoys, shuffled order, the crowd's hours, human gaps, a slow ramp, three
endpoints, a browser's looks."""

_START = datetime(2026, 3, 3, tzinfo=UTC)  # a Tuesday: no week-end, no holiday, no clock change near it


@dataclass(frozen=True)
class Options:
    """The knobs of one simulated log.

    Attributes:
        seed: any integer >= 0; the same seed and options give the same log with the same numpy.
        start: log time of the first moment, with a time zone.
        duration_seconds: length of the log.
        rate: ordinary requests a second, mean over a day; the hour moves it between half and one and a half times.
        clients: ordinary visitors to draw sessions from; how many of them come depends on the rate.
        zipf: exponent of the records' popularity; catalogues measured lie between 0.8 and 1.2.
        ids: records in each catalogue (users, orders, items ...), numbered from 1.
        form: how the attacker hides, a name of FORMS.
        variant: which variant of the pattern; empty = its first.
        confusers: of N1 to N15, beside those that are always there.
        people: places for ordinary people in the streamed world; None = 760 for each request a second.
        cold: share of a person's reads off the beaten track, mean over people.
        cold_rho: how much people differ in it, as the over-dispersion of a Beta distribution. With the rest of the
            world the defaults make people's cold reads 0.15 on average, over-dispersion 0.14 (measured over 24 h).
        ramp_days: how long e5 takes from a hundredth of its rate to all of it.
        identities: the attacker's identities; None = the pattern's own number.
        attack_rate: the attacker's requests a second; None = the pattern's own.
        attack_start_seconds: from the log's first moment; None = a third into the log.
        attack_seconds: length of the attack; None = the pattern's own, cut at the end of the log.
        log_format: name in `simulate.text.LAYOUTS` or `simulate.layouts.TEMPLATES`.
        command: the command that makes this log again, written into the truth.
    """

    seed: int = 1
    start: datetime = _START
    duration_seconds: float = 4 * 3600.0
    rate: float = 10.0
    clients: int = 6000
    zipf: float = 1.0
    ids: int = 100_000
    form: str = "plain"
    variant: str = ""
    confusers: tuple[str, ...] = ()
    people: int | None = None
    cold: float = 0.1
    cold_rho: float = 0.22
    ramp_days: float = 14.0
    identities: int | None = None
    attack_rate: float | None = None
    attack_start_seconds: float | None = None
    attack_seconds: float | None = None
    log_format: str = "combined"
    command: str = ""

    def __post_init__(self) -> None:
        """Refuses values no log can be made from, all at once.

        Raises:
            UsageError: with a line for every option out of its range.
        """
        checks = (
            ("seed", self.seed >= 0, self.seed, "an integer from 0"),
            ("duration", 1 <= self.duration_seconds <= 366 * 86_400, self.duration_seconds, "1 second to 366 days"),
            ("rate", 0 <= self.rate <= 100_000, self.rate, "0 to 100,000 requests a second"),
            ("clients", 100 <= self.clients <= 20_000_000, self.clients, "100 to 20,000,000"),
            ("zipf", 0 <= self.zipf <= 3, self.zipf, "0 to 3"),
            ("ids", 1000 <= self.ids <= 10**12, self.ids, "1,000 to 10^12"),
            ("form", self.form in FORMS, self.form, ", ".join(FORMS)),
            ("people", self.people is None or 100 <= self.people <= 10**9, self.people, "100 to 10^9"),
            ("cold", 0 < self.cold < 1, self.cold, "between 0 and 1"),
            ("cold rho", 0 < self.cold_rho < 1, self.cold_rho, "between 0 and 1"),
            ("ramp days", 0 < self.ramp_days <= 366, self.ramp_days, "above 0, at most 366"),
            (
                "identities",
                self.identities is None or self.identities >= 0,
                self.identities,
                "0 (a new one each turn) or more",
            ),
            ("attack rate", _positive(self.attack_rate), self.attack_rate, "above 0"),
            ("attack start", self._inside(self.attack_start_seconds), self.attack_start_seconds, "inside the log"),
            ("attack length", _positive(self.attack_seconds), self.attack_seconds, "above 0"),
            ("start", self.start.tzinfo is not None, self.start, "a moment with a time zone"),
        )
        bad = [f"{name} {seen!r}: allowed is {allowed}" for name, good, seen, allowed in checks if not good]
        if bad:
            raise UsageError("cannot simulate:\n  " + "\n  ".join(bad))

    def _inside(self, seconds: float | None) -> bool:
        return seconds is None or 0 <= seconds < self.duration_seconds

    @property
    def streamed(self) -> bool:
        """Whether only the streamed world can make this: an evasive form, a variant, a confuser, a chosen crowd."""
        return bool(self.form != "plain" or self.variant or self.confusers or self.people or self.identities == 0)

    @property
    def start_us(self) -> int:
        """First moment of the log, microseconds since 1970 UTC."""
        return round(self.start.timestamp()) * 1_000_000

    @property
    def end_us(self) -> int:
        """First moment after the log."""
        return self.start_us + round(self.duration_seconds * 1e6)


def _positive(value: float | None) -> bool:
    return value is None or (value > 0 and math.isfinite(value))
