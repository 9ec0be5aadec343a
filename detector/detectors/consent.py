"""A consent screen that does not ask: nearly everybody says yes, at once, unseen, or from one page.

Of people who are asked, 5 to 40 % agree (detection facts, 5.1 C5). A box ticked by default turns that into nearly all,
within the second in which the page is drawn. The counts are those of the consent log (`evidence.asking`); nothing is
learnt and no log of reads is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors.signal import Finding

USUAL_RATE = 0.4
"""Most that people who are asked grant (facts, 5.1 C5: 5 to 40 %)."""

SMELLS = 0.95
"""A grant rate whose lower bound lies above it was not asked for (facts, 5.1 C5)."""

MOSTLY = 0.5
"""Share of grants within a second of the view, or without one, whose lower bound says that most were not read
(judgement; of people who tick a box themselves hardly any is that fast)."""

FEWEST = 1000
"""Views, or grants, before a share is judged (facts, 5.1 C5)."""

Z_99 = 2.326
"""One-sided 99 % of the normal distribution: of a hundred screens at the very bound one smells."""

SPANS = (5, 60, 1440)
"""Minutes looked back over: a large service has a thousand views in one of them, a small one takes a day."""

SURGE = 10.0
"""Times the median day's grants that one page may bring in before it is told (facts, 5.1 C5)."""

ONE_PAGE = 0.9
"""Share of a day's grants given on one page (judgement)."""

DAYS = 3
"""Days of log, the running one aside, before a day is called usual: what the minutes kept reach back to is less, so the
median is of the days they hold."""

BLOCK_VIEWS = 20
"""Views looked at together when tracing back: at the usual 40 % twenty yeses of twenty come once in 10^8."""

NATS = 9.2
"""Weight of a screen that does not ask: confidence .995, as of a broken rule."""


@dataclass(frozen=True)
class Smell:
    """What is wrong with a screen.

    Attributes:
        findings: the numbers, the heaviest first.
        since_us: log time of the first minute in which it was so.
        until_us: end of the last.
        grants: given in between.
    """

    findings: list[Finding]
    since_us: int
    until_us: int
    grants: int


def lower(k: float, n: float) -> float:
    """Lower 99 % bound of a share, k of n (Wilson 1927)."""
    if n <= 0:
        return 0.0
    p, z2 = k / n, Z_99 * Z_99
    return float((p + z2 / (2 * n) - Z_99 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n))


def smell(minutes: npt.NDArray[Any], minute: int) -> Smell | None:
    """What the counts of one party and class say at the beginning of a log minute.

    Args:
        minutes: dtype `evidence.asking.MINUTE`, in order of time.
        minute: the minute that begins.
    """
    for span in SPANS:
        near = minutes[(minutes["minute"] >= minute - span) & (minutes["minute"] < minute)]
        findings = _shares(near) + (_surge(minutes, near, minute) if span == SPANS[-1] else [])
        if findings:
            since = _first_minute(minutes[minutes["minute"] < minute], findings[0].name)
            inside = minutes[(minutes["minute"] >= since) & (minutes["minute"] < minute)]
            last = int(inside["minute"][-1])
            return Smell(findings, since * 60_000_000, (last + 1) * 60_000_000, int(inside["grants"].sum()))
    return None


def _shares(near: npt.NDArray[Any]) -> list[Finding]:
    views, grants = int(near["views"].sum()), int(near["grants"].sum())
    timed, instant, unseen = (int(near[name].sum()) for name in ("timed", "instant", "unseen"))
    found = []
    if views >= FEWEST and lower(min(grants, views), views) > SMELLS:
        found.append(Finding("consent_grant_rate", round(min(grants / views, 1.0), 4), USUAL_RATE, NATS))
    if timed >= FEWEST and lower(instant, timed) > MOSTLY:
        found.append(Finding("grants_within_a_second", round(instant / timed, 4), 0.0, NATS))
    if views and grants >= FEWEST and lower(unseen, grants) > MOSTLY:
        found.append(Finding("grants_without_view", round(unseen / grants, 4), 0.0, NATS))
    return found


def _surge(minutes: npt.NDArray[Any], near: npt.NDArray[Any], minute: int) -> list[Finding]:
    """Ten times the usual day's grants, nearly all on one page."""
    grants = int(near["grants"].sum())
    before = [
        int(
            minutes["grants"][
                (minutes["minute"] >= minute - 1440 * (d + 1)) & (minutes["minute"] < minute - 1440 * d)
            ].sum()
        )
        for d in range(1, DAYS)
    ]
    reaches = len(minutes) and int(minutes["minute"][0]) <= minute - 1440 * (DAYS - 1)
    usual = float(np.median(before))
    if not reaches or grants < FEWEST or usual <= 0 or grants <= SURGE * usual:
        return []
    pages, at = np.unique(near["page"], return_inverse=True)
    top = (
        max(int(near["top"][at.reshape(-1) == n].sum()) for n, page in enumerate(pages.tolist()) if page)
        if near["page"].any()
        else 0
    )
    return [Finding("grants_on_one_page", grants, usual, NATS)] if lower(top, grants) > ONE_PAGE else []


_PARTS = {
    "consent_grant_rate": ("grants", "views"),
    "grants_within_a_second": ("instant", "timed"),
    "grants_without_view": ("unseen", "grants"),
    "grants_on_one_page": ("top", "grants"),
}


def _first_minute(minutes: npt.NDArray[Any], name: str) -> int:
    """The first minute from which on it has been so without a break, as far as minutes are kept."""
    part, whole = _PARTS[name]
    least = 0.9 if name != "grants_within_a_second" and name != "grants_without_view" else MOSTLY
    since, k, n = int(minutes["minute"][-1]), 0, 0
    for slot in minutes[::-1]:
        k, n = k + int(slot[part]), n + int(slot[whole])
        if n >= BLOCK_VIEWS:
            if k < least * n:
                break
            since, k, n = int(slot["minute"]), 0, 0
    else:
        if n and k >= least * n:  # the first few of all
            since = int(minutes["minute"][0])
    return since
