"""Who plays: identities drawn from the same people, networks and agents as everybody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.simulate.columns.rows import KEYS, Ints
from detector.simulate.versions import VERSIONS
from detector.simulate.world import World

_IN_APP = 0.22  # share of the app among the requests for items, users, reviews and look-ups (.17 to .27 by route)
_ACCOUNTS_IN_APP = 0.28  # and among those of people with an account (.35 for orders)
_SAMPLE = 50_000


@dataclass(frozen=True)
class Cast:
    """n identities as equal-length columns.

    Attributes:
        address: uint64, as in ROW.
        who: int64, as in ROW; 0 = known by the address alone.
        agent: int64, index into the world's agents.
    """

    address: npt.NDArray[np.uint64]
    who: Ints
    agent: Ints

    def __len__(self) -> int:
        return len(self.who)

    @classmethod
    def joined(cls, parts: list[Cast]) -> Cast:
        """One cast of several."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("address", "who", "agent")))


def _hashes(rng: np.random.Generator, n: int) -> npt.NDArray[np.uint64]:
    return rng.integers(0, 1 << 64, n, np.uint64)


def strangers(world: World, rng: np.random.Generator, n: int, time_us: int, in_app: float = _IN_APP) -> Cast:
    """Addresses nobody else has (where chance allows), networks and agents as the crowd's."""
    app = rng.random(n) < in_app
    address, agent = world.traits(_hashes(rng, n), np.full(n, time_us), app)
    return Cast(address, np.zeros(n, np.int64), agent)


def new_accounts(
    world: World, rng: np.random.Generator, n: int, time_us: int, in_app: float = _ACCOUNTS_IN_APP
) -> Cast:
    """Accounts opened lately that belong to nobody of the crowd, each from an address of its own."""
    cast = strangers(world, rng, n, time_us, in_app)
    fresh = 4 * world.ids + rng.choice(max(world.ids, 10 * n), n, replace=False).astype(np.int64)
    return Cast(cast.address, np.minimum(fresh, KEYS - 1), cast.agent)


def api_keys(world: World, rng: np.random.Generator, n: int, time_us: int) -> Cast:
    """API keys of programs, each from an address of its own."""
    cast = strangers(world, rng, n, time_us)
    return Cast(cast.address, KEYS + rng.integers(1, 1 << 20, n), cast.agent)


def victims(world: World, rng: np.random.Generator, time_us: Ints) -> Cast:
    """Accounts of the crowd's own people, one for each moment, from strange addresses and agents."""
    n = len(time_us)
    account = np.zeros(n, np.int64)
    left = np.arange(n)
    while len(left):  # half of those who come have no account
        _, found = world.visitors(rng, time_us[left])
        account[left] = found
        left = left[found == 0]
    app = rng.random(n) < _ACCOUNTS_IN_APP
    address, agent = world.traits(_hashes(rng, n), time_us, app)
    return Cast(address, account, agent)


def visitors(world: World, rng: np.random.Generator, time_us: Ints) -> Cast:
    """People of the crowd at these moments, at their usual places."""
    h, account = world.visitors(rng, time_us)
    app = (account > 0) & (((h >> np.uint64(8)) & np.uint64(0xFFFF)) < 0.35 * 65536)
    address, agent = world.traits(h, time_us, app)
    return Cast(address, account, agent)


def one_agent(world: World, rng: np.random.Generator, cast: Cast, share: float, time_us: int) -> Cast:
    """The same identities with one agent: the version whose share of the crowd's visits is nearest to ``share``."""
    crowd = visitors(world, rng, np.full(_SAMPLE, time_us))
    shares = np.bincount(crowd.agent, minlength=VERSIONS) / _SAMPLE
    seen = np.flatnonzero(shares)
    chosen = seen[np.argmin(np.abs(shares[seen] - share))]
    return Cast(cast.address, cast.who, np.full(len(cast), chosen))


def few_networks(world: World, rng: np.random.Generator, cast: Cast, networks: int, share: float, time_us: int) -> Cast:
    """The same identities in so many networks that together make ``share`` of the crowd's visits."""
    crowd = visitors(world, rng, np.full(_SAMPLE, time_us)).address
    found, counts = np.unique(crowd[crowd < 1 << 32] >> np.uint64(8), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    total = np.concatenate([[0], np.cumsum(counts[order])]) / _SAMPLE
    sums = total[networks:] - total[:-networks] if len(found) > networks else np.array([total[-1]])
    first = int(np.argmin(np.abs(sums - share)))
    chosen = found[order[first : first + networks]]
    host = rng.integers(1, 255, len(cast), np.uint64)
    return Cast(chosen[rng.integers(0, len(chosen), len(cast))] << np.uint64(8) | host, cast.who, cast.agent)
