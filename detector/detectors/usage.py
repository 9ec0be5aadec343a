"""A party with valid grants that uses them unlike itself and unlike the others: while persons are away, of persons who
have long been gone, for other purposes than it used to.

Nothing here is a typed threshold. What is ordinary comes from the other parties until a party has shown its own; how
much that varies from the house's prior, or from the hours of all parties once there are enough; what convicts from the
number of tests a day and the false incidents allowed (detection facts, 5.1 C6 to C8; 6.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log2
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.detectors.signal import Finding
from detector.evidence.likelihood import EXTRACTOR, FEWEST_CLIENTS_FOR_FIT, PRIOR_STRENGTH, log_ratio
from detector.evidence.usage import ABSENT, DORMANT, DRIFT, HOUR_US, PURPOSES, Uses

TESTS = 3  # a party, class and day: one of each kind
DAY_US = 24 * HOUR_US
UNDECIDED = 0.5
"""Share of a party of which nothing is known (Jeffreys): one such stands beside the others, so that few of them prove
little."""

_JEFFREYS = 0.5  # pseudo-count of each purpose (Jeffreys 1946 for multinomials)


class Verdict(NamedTuple):
    """What one kind of use comes to: its bit, what convicts and is told, what stands against chance, and, of drift, the
    purposes of which there are more than there used to be (places in the mix)."""

    bit: int
    finding: Finding
    nats: float
    more: npt.NDArray[np.int64] | None = None


def while_away(uses: Uses, others: Sequence[Uses], now_us: int) -> Verdict | None:
    """Persons read although they did nothing themselves at that time; once a whole day has been seen."""
    if now_us - int(uses.past["begin_us"][0]) < DAY_US or uses.usual("absent")[1] < PRIOR_STRENGTH:
        return None  # parties differ in this by their trade, so only a past of its own, as heavy as the prior, convicts
    return _share(ABSENT, "share_read_while_away", ("absent", "trials"), (uses, others), now_us)


def long_gone(uses: Uses, others: Sequence[Uses], now_us: int) -> Verdict | None:
    """Persons read who have not been there for months."""
    return _share(DORMANT, "share_of_dormant_persons", ("dormant", "asked"), (uses, others), now_us)


def _share(
    bit: int, name: str, fields: tuple[str, str], whose: tuple[Uses, Sequence[Uses]], now_us: int
) -> Verdict | None:
    uses, others = whose
    k, n = (int(uses.of(field, now_us).sum()) for field in fields)
    if not n:
        return None
    mean, strength = _expected(uses, others, fields, now_us)
    nats = log_ratio(k, n, mean * n, EXTRACTOR, strength)
    return Verdict(bit, Finding(name, round(k / n, 4), round(mean, 4), round(nats, 2)), nats)


def _expected(uses: Uses, others: Sequence[Uses], fields: tuple[str, str], now_us: int) -> tuple[float, float]:
    """The Beta a party's share is believed to come from, as mean and strength.

    At first it is as narrow as the shares of the others lie together (by moments), each party's class as one: a few
    alike prove little, and where they differ nothing does. The party's own past adds its trials, up to the house's
    prior: one day is not like the other.
    """
    shares = [UNDECIDED]
    for other in others:
        k, n = (int(other.of(field, now_us).sum()) for field in fields)
        if n:
            shares.append((k + _JEFFREYS) / (n + 2 * _JEFFREYS))
    mean = sum(shares) / len(shares)
    spread = sum((share - mean) ** 2 for share in shares) / max(len(shares) - 1, 1)
    alike = mean * (1 - mean) / spread - 1 if spread > 0 else 1.0
    strength = min(max(alike, _JEFFREYS), PRIOR_STRENGTH)
    own_k, own_n = uses.usual(fields[0]).tolist()
    return float((strength * mean + own_k) / (strength + own_n)), float(min(strength + own_n, PRIOR_STRENGTH))


def drift(uses: Uses, alike: Sequence[Uses], everybody: Sequence[Uses], now_us: int) -> Verdict | None:
    """Persons read for other purposes than they used to be, unless everybody who reads such data has come to do so.

    The null is a Dirichlet-multinomial around what the party used to do, the alternative one around nothing. What it
    used to do counts at most as much as hours agree among themselves (a power prior, Ibrahim and Chen 2000): with no
    past the two are the same and nothing is said.

    Args:
        uses: the party's.
        alike: of other parties with the same class of data.
        everybody: all, which tell how much mixes vary from hour to hour.
        now_us: log time.
    """
    now = uses.of("mix", now_us).sum(axis=0)
    past = uses.usual("mix")
    if not now.sum() or past.sum() < 1:
        return None
    strength = agreement(everybody)
    nats = _log_ratio(now, past, strength)
    same = np.zeros(PURPOSES)
    for other in alike:
        theirs = other.of("mix", now_us).sum(axis=0)
        known = int(uses.past["purposes"][0])
        for place, purpose in enumerate(other.past["purpose"][0][: int(other.past["purposes"][0])].tolist()):
            at = np.flatnonzero(uses.past["purpose"][0][:known] == purpose)
            same[at[0] if len(at) else PURPOSES - 1] += theirs[place]
    if same.sum():
        nats = min(nats, _log_ratio(now, same, strength))
    shares, usual = now / now.sum(), past / past.sum()
    finding = Finding("purpose_drift_bits", round(_divergence(shares, usual), 4), 0.0, round(nats, 2))
    return Verdict(DRIFT, finding, nats, np.flatnonzero(shares > usual))


def _log_ratio(now: npt.NDArray[Any], usual: npt.NDArray[Any], strength: float) -> float:
    """Log of how much likelier a mix is as anybody's than as that of whoever usually has the other."""
    named = (now > 0) | (usual > 0)
    flat = np.full(int(named.sum()), _JEFFREYS)
    own = flat + usual[named] * min(1.0, strength / float(usual.sum()))
    return _log_mix(now[named], flat) - _log_mix(now[named], own)


def _log_mix(counts: npt.NDArray[Any], alpha: npt.NDArray[np.float64]) -> float:
    """Log probability of a sequence with these counts under a Dirichlet-multinomial."""
    total, n = float(alpha.sum()), float(counts.sum())
    each = [lgamma(a + c) - lgamma(a) for a, c in zip(alpha.tolist(), counts.tolist(), strict=True) if c]
    return float(lgamma(total) - lgamma(total + n) + sum(each))


def _divergence(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence in bits, 0 to 1 (Lin 1991)."""
    middle = (p + q) / 2
    halves = [a * log2(a / m) for side in (p, q) for a, m in zip(side.tolist(), middle.tolist(), strict=True) if a]
    return float(max(sum(halves) / 2, 0.0))


def agreement(everybody: Sequence[Uses]) -> float:
    """How closely the hours of one party agree in what they read for, as the strength of a Dirichlet.

    Fitted over all parties' hours as `likelihood.fit_strength` fits two kinds; the prior holds under 200 hours, and
    after that until the lower bound (95 %) lies above it or the estimate itself below.
    """
    hours = spread = excess = squares = 0.0
    for uses in everybody:
        n, total, square = uses.usual("agree").tolist()
        mix = uses.usual("mix")
        if n < 1 or not mix.sum():
            continue
        alike = float(((mix / mix.sum()) ** 2).sum())
        hours, spread, excess = hours + n, spread + n * (1.0 - alike), excess + total - n * alike
        squares += max(square - total * total / n, 0.0)
    if hours < FEWEST_CLIENTS_FOR_FIT or spread <= 0:
        return PRIOR_STRENGTH
    rho = min(max(excess / spread, 1e-3), 0.9)
    surely = min(rho + 1.645 * float(squares**0.5) / spread, 0.9)
    believed, least = (float(max(1.0 / r - 1.0, 1.0)) for r in (rho, surely))
    return max(least, min(believed, PRIOR_STRENGTH))
