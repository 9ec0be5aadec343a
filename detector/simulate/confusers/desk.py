"""N8: customer service, one account and eight hundred customers a day."""

from __future__ import annotations

import numpy as np

from detector.simulate.cast import Cast, strangers
from detector.simulate.columns.rows import Rows
from detector.simulate.confusers.confuser import Confuser, asked, constant, hours, pick
from detector.simulate.site import CODE, scatter
from detector.simulate.world import TILE_US, World

DESKS = (-3, -4, -5, -6)  # rows.NAMED_ACCOUNTS[2:]
_CUSTOMERS_A_DAY = 800
_OPEN = (7, 19)  # UTC
_STEPS = ("people_search", "user", "order", "order", "user")
_EVERY_US = 12_000_000


def _rows(world: World, rng: np.random.Generator, begin_us: int) -> Rows:
    is_open = _OPEN[0] <= hours(begin_us) < _OPEN[1]
    calls = len(DESKS) * _CUSTOMERS_A_DAY * TILE_US / 3.6e9 / (_OPEN[1] - _OPEN[0])
    n = int(rng.poisson(calls)) if is_open else 0
    start = begin_us + np.sort(rng.integers(0, TILE_US, n))
    _, customer = world.visitors(rng, start)
    customer = np.where(customer > 0, customer, world.popular(rng, n))
    office = strangers(world, constant(world, 8), 1, world.start_us)
    desks = len(DESKS)
    team = Cast(np.repeat(office.address, desks), np.array(DESKS), np.repeat(office.agent, desks))
    at_desk = rng.integers(0, desks, n)
    who = np.repeat(np.arange(n), len(_STEPS))
    step = np.tile(np.arange(len(_STEPS)), n)
    time_us = start[who] + step * _EVERY_US + rng.integers(0, 8_000_000, len(who))
    form = np.array([CODE[name] for name in _STEPS])[step]
    orders = scatter((customer[who] * 5 + step) % world.ids, world.ids)
    number = np.where(form == CODE["order"], orders, np.where(form == CODE["user"], customer[who], 1))
    return asked(world, rng, time_us, pick(team, at_desk[who]), form, number=number)


N8 = Confuser(
    "N8",
    "customer service: four accounts, 800 customers a day each",
    "a search before every customer, each customer read twice, customers who are active themselves",
    lead_us=90_000_000,
    rows=_rows,
)
