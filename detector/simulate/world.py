"""The world all simulated traffic lives in: its people, records, networks and agents, each a function of the seed.

Nothing is kept per person: who visits is a hash of a slot's number, so ten million slots take no memory and any
stretch of log time can be made without the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.compiled import Array, Kernel, Scalar
from detector.errors import UsageError
from detector.simulate.addresses import OCTETS
from detector.simulate.columns.rows import ROW, Ints, Rows
from detector.simulate.options import Options
from detector.simulate.site import CODE, MEDIAN_BYTES, RECORDS, scatter, step_of
from detector.simulate.versions import AGENTS, APPS, BROWSERS, PLATFORMS, RELEASED, VERSIONS

DAY_US = 86_400_000_000
TILE_US = 30_000_000  # log time made at once: 300,000 rows at 10,000 a second, 20 MB
LONGEST_US = 1_800_000_000  # a visit; a stretch of log is complete half an hour after its first tile
EPOCH_DAYS = 180  # the world is that much older than the log, so that versions and slots have changed hands

_SLOTS_PER_RATE = 760  # 7.6 M slots at 10,000 requests a second: 8 M clients come on a working day (measured)
_SHELF = 200  # people choose from every 200th record; the rest of a catalogue finds no reader on most days
_PEAK_HOUR, _SWING = 14.0, 0.5  # 1.5 at the peak to 0.5 at night: three to one
_WEEK = (1.0, 1.02, 1.03, 1.02, 1.04, 0.95, 0.94)  # Monday to Sunday; judgement
_HOLIDAY = 0.6  # N14
_TABLE = 4096
_MOST_IDS = 3_000_000_000  # `scatter` multiplies two ids in 64 bits

# What a visitor does next, stranger and known. Judgement; the share of record reads is what matters.
_STEPS: dict[str, tuple[float, float]] = {
    "items": (0.22, 0.18),
    "item": (0.45, 0.385),
    "reviews": (0.15, 0.14),
    "search": (0.107, 0.087),
    "user": (0.045, 0.085),
    "gallery": (0.015, 0.010),
    "order": (0.0, 0.053),
    "orders": (0.0, 0.038),
    "buy": (0.0, 0.006),
    "lookup": (0.003, 0.008),
    "warranty": (0.010, 0.008),
}
# The order of `crowd_kernel`'s places in `codes`.
_USED = (
    *("home", "login", "register", "search", "items", "item", "reviews", "user", "gallery", "order", "orders", "buy"),
    *("photo", "thumb", "lookup", "warranty", "css", "js", "logo", "font", "icon"),
)

_U1, _U8, _I4, _I8, _F8 = (Array(code) for code in ("u1", "u8", "i4", "i8", "f8"))
_I82 = Array("i8", 2)
SESSIONS = Kernel(
    "detector.simulate.columns.crowd_kernel:sessions",
    [
        *(Scalar("i8"), Scalar("i8"), Scalar("i8"), _I8, _I8, _F8, _I8, Array("u1", 2)),
        *(_F8, _I4, _F8, _I8, _I8, _F8, _I82, _I82, _I8, _U8, Array(ROW)),
    ],
)
TRAITS = Kernel(
    "detector.simulate.columns.crowd_kernel:traits",
    [_U8, _I8, _U1, _I8, _F8, _I8, _I82, _I82, _I8, _U8, _I8],
)
PEOPLE = Kernel("detector.simulate.columns.crowd_kernel:people", [_F8, _I8, _I8, _F8, _U8, _I8])
CHOSEN = Kernel("detector.simulate.columns.crowd_kernel:chosen_ids", [Scalar("f8"), Scalar("i8"), _I8, _F8, _U8, _I8])


@dataclass(frozen=True)
class World:
    """What the options make of the world.

    Attributes:
        options: the seed, the rate, how many records, how they are chosen.
        release_us: when the app of N10 comes out; 0 = never.
        holiday_us: when the holiday of N14 begins (a day, people up three hours later); 0 = never.
        agents: texts of the user agents rows name.
    """

    options: Options
    release_us: int = 0
    holiday_us: int = 0
    agents: list[str] = field(default_factory=lambda: list(AGENTS))
    _setup: tuple[npt.NDArray[Any], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ids > _MOST_IDS:
            raise UsageError(f"cannot simulate: {self.ids:,} records; a streamed log has at most {_MOST_IDS:,}")
        object.__setattr__(self, "_setup", (self._ints(), self._floats(), *_tables(self.options)))

    @property
    def start_us(self) -> int:
        """First moment of the log."""
        return self.options.start_us

    @property
    def slots(self) -> int:
        """Places for people; as they change hands and people travel, a few more clients come on a day."""
        return self.options.people or max(int(self.options.rate * _SLOTS_PER_RATE), 1000)

    @property
    def ids(self) -> int:
        """Records in each catalogue, numbered from 1: at least ten a slot, or two people would share an account."""
        return max(self.options.ids, 10 * self.slots)

    @property
    def epoch_us(self) -> int:
        """When the world began."""
        return self.options.start_us // DAY_US * DAY_US - EPOCH_DAYS * DAY_US

    def _ints(self) -> Ints:
        n = self.slots
        return np.array(
            [
                *(self.options.seed, n, step_of(n), self.ids, max(self.ids // _SHELF, 1), step_of(self.ids)),
                *(max(n // 25, 1), self.epoch_us, self.release_us, RELEASED, max(self.ids // 240, 1)),
                *(LONGEST_US, VERSIONS),
            ],
            np.int64,
        )

    def _floats(self) -> npt.NDArray[np.float64]:
        o = self.options
        # Judgement: accounts turn over in seven weeks, addresses in three days; a shop whose visitors are half known,
        # a third of those in the app, half in networks shared by many, one in seven on IPv6, three in ten on the road.
        values = (0.02, 0.3, 0.55, 0.35, 1e-3, o.zipf, 0.5, 0.15, 0.3, 0.002 * o.rate / 1e6, 0.3, 2.0)
        return np.array(values, np.float64)

    def busy(self, time_us: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """How busy the site is, 1 = the mean of a working day; hours 3:1, quieter at week-ends."""
        at = np.asarray(time_us, np.int64)
        days = at // DAY_US
        hours = at / 3.6e9 % 24
        away = (
            (at >= self.holiday_us) & (at < self.holiday_us + DAY_US) if self.holiday_us else np.zeros(at.shape, bool)
        )
        hours = np.where(away, hours - 3, hours)
        level = np.where(away, _HOLIDAY, np.array(_WEEK)[(days + 3) % 7])  # 1970 began on a Thursday
        return np.asarray(level * (1 + _SWING * np.cos(2 * np.pi * (hours - _PEAK_HOUR) / 24)))

    def sessions(self, begin_us: int, span_us: int, count: int, newcomers: bool = True) -> Rows:
        """The rows of ``count`` visits that begin in a stretch, and of those who open an account in it, unordered."""
        fresh = self._newcomers(begin_us, span_us) if newcomers else np.empty(0, np.int64)
        out = np.empty(60 * (count + len(fresh)) + 60_000, ROW)
        ints, floats, steps, bell, gaps, nets, colds, platforms, cycles, codes, medians, counts = self._setup
        n = SESSIONS(
            *(begin_us, span_us, count, fresh, ints, floats, codes, steps),
            *(medians, counts, bell, gaps, nets, colds, platforms, cycles, OCTETS, np.zeros(1, np.uint64), out),
        )
        return out[:n]

    def _newcomers(self, begin_us: int, span_us: int) -> Ints:
        """Slots with an account that change hands in a stretch: the first visit of the new owner."""
        n, churn = self.slots, float(self._setup[1][0])
        edges = [(t - self.epoch_us) / DAY_US * churn * n for t in (begin_us, begin_us + span_us)]
        first, last = (int(np.floor(edge)) for edge in edges)
        turned = -np.arange(first + 1, last + 1) % n  # whose phase has just come full circle
        slots = turned * pow(int(self._setup[0][2]), -1, n) % n if n > 1 else turned
        _, accounts = self.people_at(slots, np.full(len(slots), begin_us + span_us))
        return np.ascontiguousarray(slots[accounts > 0])

    def people_at(self, slots: Ints, time_us: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
        """Hash and account (0 = none) of who has these slots then."""
        even = 1e-3  # the inverse of `slot_of`
        x = (slots + 0.5) / self.slots
        u = (np.sqrt(x + even) - np.sqrt(even)) / (np.sqrt(1 + even) - np.sqrt(even))
        return self._people(u, time_us)

    def visitors(self, rng: np.random.Generator, time_us: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
        """Hash and account (0 = none) of people drawn by how often they come, one for each moment."""
        return self._people(rng.random(len(time_us)), time_us)

    def _people(self, u: npt.NDArray[np.float64], time_us: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
        h, account = np.zeros(len(u), np.uint64), np.zeros(len(u), np.int64)
        PEOPLE(np.ascontiguousarray(u), np.ascontiguousarray(time_us), self._setup[0], self._setup[1], h, account)
        return h, account

    def traits(
        self, h: npt.NDArray[np.uint64], time_us: Ints, app: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.uint64], Ints]:
        """Address and agent that belong to hashes: those of the crowd are its own, others are drawn as the crowd's."""
        address, agent = np.zeros(len(h), np.uint64), np.zeros(len(h), np.int64)
        ints, floats, _, _, _, nets, _, platforms, cycles, *_ = self._setup
        times = np.ascontiguousarray(time_us)
        TRAITS(h, times, app.view(np.uint8), ints, floats, nets, platforms, cycles, OCTETS, address, agent)
        return address, agent

    def popular(self, rng: np.random.Generator, count: int, stray: float = 0.0) -> Ints:
        """Records as people choose them, a share ``stray`` from anywhere."""
        found = np.zeros(count, np.int64)
        seed = int(rng.integers(1 << 62))
        CHOSEN(stray, seed, self._setup[0], self._setup[1], np.zeros(1, np.uint64), found)
        return found

    def sizes(self, rng: np.random.Generator, form: Ints, status: npt.NDArray[Any]) -> Ints:
        """Bytes of answers, drawn as the crowd's are."""
        drawn = MEDIAN_BYTES[form] * self._setup[3][rng.integers(0, _TABLE, len(form))]
        return np.where(status == 304, 0, np.where(status >= 400, 148, drawn)).astype(np.int64)

    def spread(self, k: Ints) -> Ints:
        """``site.scatter`` over the catalogue: the k-th record of a list in no order."""
        return scatter(k % self.ids, self.ids)


def _tables(options: Options) -> tuple[npt.NDArray[Any], ...]:
    rng = np.random.default_rng([options.seed, 7])
    middle = (np.arange(_TABLE) + 0.5) / _TABLE
    z = _normal(middle)
    bell = np.exp(0.35 * z)
    gaps = (np.exp(np.log(9.0) + z) * 1e6).astype(np.int64)  # seconds to read a page: median 9
    a, b = options.cold * (1 / options.cold_rho - 1), (1 - options.cold) * (1 / options.cold_rho - 1)
    colds = np.sort(rng.beta(a, b, 1 << 20)).reshape(1024, -1).mean(axis=1)
    names = [_USED.index(name) for name in _STEPS]
    steps = np.stack([_quantiles([row[kind] for row in _STEPS.values()], names, 1024) for kind in (0, 1)])
    large = 1 / (np.arange(400) + 20.0)  # the largest network has 0.8 % of all people, the smallest 0.04 %
    nets = _quantiles(list(large), list(range(400)), _TABLE)
    platforms = np.stack(
        [
            _quantiles([p.share for p in BROWSERS], list(range(len(BROWSERS))), 1024),
            _quantiles([p.share for p in APPS], list(range(len(BROWSERS), len(PLATFORMS))), 1024),
        ]
    )
    cycles = np.array([[p.phase * DAY_US, p.days * DAY_US] for p in PLATFORMS], np.int64)
    codes = np.array([CODE[name] for name in _USED], np.int64)
    return (steps.astype(np.uint8), bell, gaps, nets, colds, platforms, cycles, codes, MEDIAN_BYTES, RECORDS)


def _quantiles(shares: list[float], values: list[int], size: int) -> Ints:
    """A table of ``size`` values in which each has its share."""
    total = np.cumsum(shares) / np.sum(shares)
    return np.array(values, np.int64)[np.searchsorted(total, (np.arange(size) + 0.5) / size)]


def _normal(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Quantiles of the normal distribution (the standard library's inverse)."""
    from statistics import NormalDist

    inverse = NormalDist().inv_cdf
    return np.array([inverse(x) for x in p.tolist()])
