"""Labelled logs: a pattern of the catalogue hidden in ordinary traffic, and the truth about it.

Two worlds. `shop` makes the small logs that come with the project, whole in memory, as text. `play` streams any length
at any rate, as columns or text, with every pattern, evasive form and confuser of `catalogue`. A new pattern or confuser
is one file and one line there. P14 has a room of its own, `consent`: beside log and truth it has a ledger and a policy.
"""

from __future__ import annotations

from detector.errors import UsageError
from detector.simulate.catalogue import CONFUSERS, DECLARED, PATTERNS
from detector.simulate.consent.log import KEY as CONSENT
from detector.simulate.consent.log import ConsentLog, ConsentOptions
from detector.simulate.layouts import TEMPLATES
from detector.simulate.log import StreamedLog
from detector.simulate.options import Options
from detector.simulate.play import Play
from detector.simulate.shop.log import QUIET, SHOP_PATTERNS, Simulation, shop
from detector.simulate.text import LAYOUTS
from detector.simulate.truth import Truth

__all__ = [
    "CONFUSERS",
    "CONSENT",
    "DECLARED",
    "PATTERNS",
    "QUIET",
    "ConsentLog",
    "ConsentOptions",
    "Options",
    "Play",
    "Simulation",
    "StreamedLog",
    "Truth",
    "simulate",
]


def simulate(
    pattern: str, options: Options, extra: ConsentOptions | None = None
) -> Simulation | StreamedLog | ConsentLog:
    """Makes a log with one pattern in it, or none (``quiet``); the same seed gives the same ordinary traffic under all.

    P1 to P4 in plain form without variant or confusers, and quiet, are the shop's: the sample logs are made so. All
    else is streamed.

    Args:
        pattern: a key of PATTERNS in any case, P14, or ``quiet``.
        options: everything else.
        extra: what only P14 asks.

    Raises:
        UsageError: no such pattern, form, variant, confuser or log format, or an attack too large for the catalogue.
    """
    key = pattern.upper()
    quiet = pattern.lower() == QUIET
    if key == CONSENT:
        return ConsentLog.of(options, extra)
    if key not in PATTERNS and not quiet:
        raise UsageError(f"no pattern {pattern!r}; there are {', '.join((QUIET, *PATTERNS, CONSENT))}")
    if options.log_format not in (*LAYOUTS, *TEMPLATES):
        known = ", ".join((*LAYOUTS, *TEMPLATES))
        raise UsageError(f"cannot write log format {options.log_format!r}; there are {known}")
    if (quiet or key in SHOP_PATTERNS) and not options.streamed:
        return shop(QUIET if quiet else key, options)
    return StreamedLog(Play.of(options, None if quiet else key), QUIET if quiet else key, options.log_format)
