"""Who of those who crossed belongs to a campaign: by what each has read, held against what others before it read.

The odds of a crossing and the likelihood ratio of a client's further reads (Bayes' rule) say who is named, where the
alternative fits. A campaign that hides its reads among popular ones fits it less than an ordinary client does who
reads nothing but rarities. So those who crossed before there was a campaign are asked the same: where too many of them
would be named, the bar is lifted until the promise holds of those who are.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.evidence.learn import Z_95
from detector.evidence.likelihood import EXTRACTOR, GUESSER, log_ratio
from detector.state.layout import State

SURE = 99.0  # odds at which a client is named: of the named ones at least 99 % are to belong to it

ANEW = 2.0
"""How often an ordinary client is named that each asking would name with the same probability: those who pass read on
and others come to pass, and nobody's name is taken back (1.2 % of 652 named within 40 minutes, at a bar for 1 %)."""

EVENTS = {1: (1, 1), 2: (5, 8), 4: (7, 8)}
"""Kinds of crossings (`which`) and what each says of its client: so many cold ones among so many trials."""

MOST_ASKED = 1 << 12
"""Crossings that are asked, evenly taken from all: 30 us each. A share of one in a hundred is then known to a sixth."""


def nats(events: npt.NDArray[Any], state: State, odds: Mapping[int, float], of_misses: bool) -> npt.NDArray[np.float64]:
    """Logarithm of the odds that the client of each crossing belongs to the campaign: those of its crossing, by the
    kind that says most, and what its other reads have added to them; -inf where its slot is another's by now.

    Args:
        events: crossings (dtype CROSSING).
        state: the tables.
        odds: by kind of crossing (`attribution.odds`).
        of_misses: whether it is a campaign of look-ups.
    """
    rows = state.clients[events["slot"]]
    fields = ("misses", "tries", "misses_expected") if of_misses else ("cold", "fresh", "cold_expected")
    counts = np.stack([rows[field].sum(axis=1, dtype=np.float64) for field in fields], axis=1).tolist()
    known = (events["client"] == rows["key"]) & (events["slot"] >= 0)
    found = np.full(len(events), -inf)
    alternative = GUESSER if of_misses else EXTRACTOR
    for at in np.flatnonzero(known).tolist():
        k, n, expected = counts[at]
        found[at] = _of_one(int(events["which"][at]), k, n, expected, odds, alternative)
    return found


def _of_one(
    which: int, k: float, n: float, expected: float, odds: Mapping[int, float], alternative: tuple[Any, ...]
) -> float:
    most = -inf
    for kind in (kind for kind, chance in odds.items() if which & kind and chance > 0.0):
        found, (of, trials) = log(odds[kind]), EVENTS[kind]
        if n > trials:
            found += log_ratio(k, n, expected, alternative)
            found -= log_ratio(of, trials, trials * expected / n, alternative)
        most = max(most, found)
    return most


def bar(observed: npt.NDArray[np.float64], before: npt.NDArray[np.float64], scale: float) -> float:
    """Nats from which on those named keep the promise of `SURE`; infinite where none would.

    Args:
        observed: nats of crossings since it began.
        before: nats of crossings from before, most of whose clients are ordinary and have had longer to read since.
        scale: how many such are expected now for each of those. Of those there were, the upper 95 % bound counts: from
            none among a few thousand it does not follow that there is none.
    """
    said = np.sort(observed[observed >= log(SURE)])
    if not len(said):
        return log(SURE)
    theirs = np.sort(before[before >= log(SURE)])
    caught = len(said) - np.arange(len(said))
    usual = _at_most(len(theirs) - np.searchsorted(theirs, said)) * scale
    holds = np.flatnonzero(caught - usual >= SURE * ANEW * usual)
    if not len(holds):
        return inf
    return float(said[holds[0]]) if holds[0] else log(SURE)


def _at_most(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Upper 95 % bounds of Poisson means of which so many were seen (Wilson and Hilferty 1931; 3.0 for none)."""
    n = counts + 1.0
    return np.asarray(n * (1.0 - 1.0 / (9.0 * n) + Z_95 / (3.0 * np.sqrt(n))) ** 3)


def some(events: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """At most `MOST_ASKED` of them, evenly spaced."""
    step = -(-len(events) // MOST_ASKED) or 1
    return events[::step]
