"""The site's ordinary visitors: with and without account, at home, on the road, behind shared addresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.simulate import addresses, agents
from detector.simulate.options import Options
from detector.simulate.site import scatter
from detector.simulate.traffic import Actors, Ints

# Judgement: a shop whose visitors are half known, a fifth of them in the app, one in seven on IPv6.
_ACCOUNT_SHARE = 0.55
_APP_SHARE = 0.35  # of those with an account
_IPV6_SHARE = 0.15
_ROAMING_SHARE = 0.3  # who also come from a second address
_CGNAT_SHARE = 0.06
_PER_CGNAT_ADDRESS = 200  # carriers put some hundreds to two thousand subscribers behind one address
_OFFICE_PEOPLE = 60


@dataclass(frozen=True)
class People:
    """n visitors as equal-length columns.

    Attributes:
        actor: int64 (n, 2), their rows in Actors: usual place, other place (often the same).
        user: int64 (n,), their own record's id, 0 = no account.
        app: bool (n,), whether they use the app: API calls only, no pages and no assets.
        weight: float64 (n,), how often each comes, summing to 1.
    """

    actor: Ints
    user: Ints
    app: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.user)


def people(rng: np.random.Generator, options: Options, actors: Actors) -> People:
    """Draws the visitors and writes them into ``actors``."""
    n = options.clients
    known = rng.random(n) < _ACCOUNT_SHARE
    app = known & (rng.random(n) < _APP_SHARE)
    user = np.where(known, scatter(np.arange(n, dtype=np.int64) % options.ids, options.ids), 0)
    accounts = [f"user{u}" if u else "-" for u in user.tolist()]
    stacks = agents.draw(rng, n)
    phones = iter(agents.draw(rng, int(app.sum()), agents.APPS))
    stacks = [next(phones) if in_app else stack for stack, in_app in zip(stacks, app.tolist(), strict=True)]
    home = actors.add(_homes(rng, n), accounts, stacks)
    away = home.copy()
    roaming = np.flatnonzero(rng.random(n) < _ROAMING_SHARE)
    away[roaming] = actors.add(
        addresses.ipv4(rng, len(roaming)), [accounts[i] for i in roaming], [stacks[i] for i in roaming]
    )
    weight = rng.lognormal(0, 1, n)  # sigma 1: the busiest hundredth comes ten times as often as the median
    return People(np.stack([home, away], axis=1), user, app, weight / weight.sum())


def _homes(rng: np.random.Generator, n: int) -> list[str]:
    places = addresses.ipv4(rng, n)
    sixes = np.flatnonzero(rng.random(n) < _IPV6_SHARE)
    for i, address in zip(sixes.tolist(), addresses.ipv6(rng, len(sixes)), strict=True):
        places[i] = address
    shared = rng.permutation(n)
    carrier = int(n * _CGNAT_SHARE)
    for k, i in enumerate(shared[:carrier].tolist()):
        block = k // _PER_CGNAT_ADDRESS
        places[i] = addresses.CGNAT.format(block // 254 % 64, block % 254 + 1)
    office = addresses.ipv4(rng, 1)[0]
    for i in shared[carrier : carrier + min(_OFFICE_PEOPLE, n // 20)].tolist():
        places[i] = office
    return places
