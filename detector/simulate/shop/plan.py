"""What all attackers share: when they work, how fast, how many they are, and how often they miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.errors import UsageError
from detector.simulate.options import Options
from detector.simulate.site import FORMS, MISS, RETURNED, sizes
from detector.simulate.traffic import Actors, Ints, Traffic


@dataclass(frozen=True)
class Pattern:
    """One row of the catalogue (`simulate.PATTERNS`).

    Attributes:
        title: what it is, in a few words.
        model: the incidents it is drawn after.
        form: the request it works with, a name of `site.FORMS`.
        rate: requests a second, unless the options say otherwise.
        seconds: length, unless the options say otherwise; infinity = to the end of the log.
        identities: how many clients make the requests; 0 = one a request.
        success: share of its requests that return a record.
        attack: makes its requests.
    """

    title: str
    model: str
    form: str
    rate: float
    seconds: float
    identities: int
    success: float
    attack: Callable[[np.random.Generator, Options, Actors, Plan], Traffic]


@dataclass(frozen=True)
class Plan:
    """A pattern with the options applied.

    Attributes:
        pattern: what is carried out.
        start_us, end_us: log time, end exclusive.
        rate: requests a second.
        identities: clients; 0 = one a request.
    """

    pattern: Pattern
    start_us: int
    end_us: int
    rate: float
    identities: int

    @classmethod
    def of(cls, pattern: Pattern, options: Options) -> Plan:
        """The plan of a pattern under these options, cut at the end of the log."""
        begin = options.attack_start_seconds
        start_us = options.start_us + round((options.duration_seconds / 3 if begin is None else begin) * 1e6)
        seconds = options.attack_seconds or pattern.seconds
        left = (options.end_us - start_us) / 1e6
        return cls(
            pattern,
            start_us,
            start_us + round(min(seconds, left) * 1e6),
            options.attack_rate or pattern.rate,
            pattern.identities if options.identities is None else options.identities,
        )

    @property
    def requests(self) -> int:
        """How many requests fit, at least one."""
        return max(int((self.end_us - self.start_us) / 1e6 * self.rate), 1)

    def poisson_times(self, rng: np.random.Generator) -> Ints:
        """Moments of ``requests`` requests at a steady rate, in order."""
        return np.sort(rng.integers(self.start_us, self.end_us, self.requests))

    def lognormal_times(self, rng: np.random.Generator) -> Ints:
        """Moments with lognormal gaps (sigma 0.8, judgement: a script that waits at random), in order."""
        gaps = rng.lognormal(-0.32, 0.8, self.requests)  # mean 1
        scale = (self.end_us - self.start_us) / gaps.sum()
        elapsed: Ints = (np.cumsum(gaps) * scale * 0.9999).astype(np.int64)
        return elapsed + self.start_us

    def first_id(self, rng: np.random.Generator, options: Options, count: int) -> int:
        """Where in the catalogue a run of ``count`` ids begins.

        Raises:
            UsageError: the catalogue is smaller than that.
        """
        if count > options.ids:
            raise UsageError(
                f"cannot simulate: {self.pattern.title} would read {count:,} ids, the catalogue has {options.ids:,}; "
                "raise --ids, or lower --attack-rate or --attack-seconds"
            )
        return int(rng.integers(1, options.ids - count + 2))

    def requests_of(
        self,
        rng: np.random.Generator,
        time_us: Ints,
        actor: npt.NDArray[np.generic],
        number: Ints,
        page: npt.ArrayLike = -1,
    ) -> Traffic:
        """The attacker's requests: sizes as everybody's, misses at the pattern's share."""
        code = tuple(FORMS).index(self.pattern.form)
        form = np.full(len(time_us), code)
        status = np.where(rng.random(len(time_us)) < self.pattern.success, RETURNED, MISS)
        return Traffic.of(
            time_us,
            actor=actor,
            form=form,
            number=number,
            page=page,
            status=status,
            size=sizes(rng, form, status),
            attack=True,
        )
