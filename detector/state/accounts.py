"""What accounts do in their first half hour, and behind which addresses: tables for many accounts in few hands.

An account that is used once says nothing: neither the one read of a forged token nor the first reads of an account
that was made, or taken over, to harvest. So each account is looked at once, when it is half an hour old, and counted:
behind its address, and on the route it mostly reads. Tables:

- SOURCE: an address, how many accounts were first seen there, and how many of those did next to nothing.
- TALLY: a count that is held against its own past. Place 0 counts addresses that stand out (forged tokens); the place
  of a route counts accounts that harvest there.
- SUSPECT: a ring of accounts counted as one or the other, for the story of an incident.
"""

from __future__ import annotations

import numpy as np

STUB, HARVESTER, RETURNER = 1, 2, 3
"""What a suspect is (``which``): an account that made a few reads and nothing else; one that reads like a harvester; a
client of any kind that has come again for a list."""

FAN_OUT, ACCOUNTS = 0, 1
"""Rows of the limits: addresses with many accounts; accounts that harvest."""

LIMITS = 2
"""Columns: nats at which a tally alarms (0 = never), and fewest accounts."""

RATIOS = (2.0, 4.0, 16.0, 64.0)
"""How many times its usual rate a count is taken to have risen to. What is rare is told soonest by the large ones:
where one account in days harvests, eight within hours are a hundred times as many."""

SOURCE = np.dtype([("key", "u8"), ("day", "u4"), ("n", "u4"), ("k", "u4"), ("told", "u4")])
"""``n`` accounts first seen there in the last days, halved daily; ``k`` of them stubs; ``told`` the stubs there were
when it was counted last, 0 = not today."""

TALLY = np.dtype(
    [
        ("seen", "f8"),  # counted before, halved daily; ``exposed`` accounts were looked at meanwhile
        ("exposed", "f8"),
        ("now", "f8"),  # counted since the score left zero, and how many accounts that stands for
        ("accounts", "f8"),
        ("since_exposed", "f8"),  # accounts looked at up to then
        ("upto", "f8"),  # accounts looked at when the tally was brought up to date
        ("nats", "f8"),  # of the last alarm
        ("expected", "f8"),
        ("counted", "f8"),
        ("alarm_accounts", "f8"),
        ("minute", "u4"),  # the running minute's counts
        ("minute_accounts", "u4"),
        ("since", "u4"),  # log minute in which the score left zero; 0 = it is zero
        ("day", "u4"),
        ("alarmed", "u4"),  # log minute of the last alarm; ``alarm`` = 1 until it is heard
        ("alarm", "u4"),
        ("alarm_since", "u4"),
        ("unused", "u4"),  # named, so that equal rows are equal bytes
    ]
)

SUSPECT = np.dtype(
    [
        ("time_us", "i8"),
        ("client", "u8"),
        ("agent", "u8"),
        ("source", "u8"),
        ("network", "u4"),
        ("slot", "i4"),
        ("route", "u4"),  # the route most of its reads go to
        ("entry", "u4"),  # the route of its first request
        ("which", "u4"),
        ("requests", "u4"),
    ]
)
