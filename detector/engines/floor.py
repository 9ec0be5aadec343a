"""What would not have been seen: the least an extractor could have taken in this log without an incident.

Each detector that is there says its own, from the thresholds that held at the end; what is not there yet is said too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

from detector.detectors import PATTERNS, TALLY_DETECTORS, campaign, contract
from detector.detectors.bulk import GROUP_NATS
from detector.detectors.sweep import FEWEST_CLIENTS
from detector.engines.coverage import Coverage
from detector.engines.growth import growth_lines
from detector.evidence.constants import (
    BEAT,
    BLOCK_IDS,
    BLOCK_MIN_HITS,
    DAY_US,
    FEWEST_OVER,
    MISS_MIN,
    PRIOR_MISS,
    RUN,
    SOURCE_FEWEST,
)
from detector.evidence.likelihood import EXTRACTOR, GUESSER, hedged, log_ratio
from detector.incidents.consents import FEWEST
from detector.pipeline import Pipeline
from detector.state.layout import COUNTER

MOST_TRIES = 10_000  # where the search ends: who needs more is not found by his misses
MOST_RECORDS = 10_000_000
USUAL_MISSES = PRIOR_MISS[0] / PRIOR_MISS[1]
MOST_NAMED = 5  # partners


def floor_lines(pipeline: Pipeline, coverage: Coverage) -> list[str]:
    """The floor of this run, a line a kind of extraction."""
    lines = [line for name, say in _SAY.items() if name in PATTERNS for line in _on_or_off(pipeline, name, say)]
    if not coverage.by_kind.get("account", 0) and not coverage.by_kind.get("key", 0):
        lines.append(
            "who takes a new address for each request: only what needs no identity; the log names no accounts or keys"
        )
    return lines + _tables(pipeline) + _unknown(coverage) + _growth(pipeline)


def floor_records(pipeline: Pipeline) -> float:
    """Distinct records a day, none of them read by anybody else, that one client may read out of order without an
    incident; infinite while no amount would be seen."""
    null = pipeline.null
    if "bulk" not in pipeline.rules.patterns or null.tail is None or not null.settled:
        return float("inf")
    threshold = pipeline.rules.budget.client_threshold(null.clients_a_day)
    usual = _usual(pipeline, "cold", "fresh", 0.5)
    n = max(pipeline.rules.floor, int(null.tail.records_for(GROUP_NATS)))
    while n <= MOST_RECORDS:
        cold = log_ratio(n, n, usual * n, EXTRACTOR, null.cold_strength)
        if cold >= GROUP_NATS and hedged(cold) + null.tail.nats(n) >= threshold:
            return float(n)
        n += max(1, n // 16)
    return float("inf")


def _usual(pipeline: Pipeline, part: str, whole: str, otherwise: float) -> float:
    """What ordinary clients show over all routes."""
    routes = pipeline.state.routes
    total = float(routes[whole].sum())
    return float(routes[part].sum()) / total if total else otherwise


def _on_or_off(pipeline: Pipeline, name: str, say: Callable[[Pipeline], list[str]]) -> list[str]:
    return say(pipeline) if name in pipeline.rules.patterns else [f"{name}: switched off (detection.patterns)"]


def _walk(pipeline: Pipeline) -> list[str]:
    needed = pipeline.rules.budget.client_threshold(pipeline.null.clients_a_day) / log(2.0)
    return [f"one client reading ids in order: below {max(RUN, int(needed) + 1)} ids in a row or in one stretch"]


def _bulk(pipeline: Pipeline) -> list[str]:
    least = floor_records(pipeline)
    if pipeline.null.tail is None:
        said = "anything, with fewer than 50 clients to compare with"
    elif not pipeline.null.settled:
        said = "anything, for the log is shorter than six hours: in a new log every record is read for the first time"
    elif least == float("inf"):
        said = "anything, for ordinary clients of this log read what nobody else reads, too"
    else:
        said = (
            f"below about {least:,.0f} distinct records a day that nobody else reads; any number that others read too"
        )
    return [f"one client reading ids out of order: {said}"]


def _guessing(pipeline: Pipeline) -> list[str]:
    null = pipeline.null
    threshold = pipeline.rules.budget.client_threshold(null.clients_a_day)
    usual = _usual(pipeline, "misses", "tries", USUAL_MISSES)
    n = MISS_MIN
    while n <= MOST_TRIES and log_ratio(n, n, usual * n, GUESSER, null.miss_strength) < threshold:
        n += max(1, n // 16)
    if n > MOST_TRIES:
        return [f"one client trying ids that do not exist: anything, where {usual:.0%} of all tries miss"]
    return [f"one client trying ids that do not exist: below {n:,} tries, more where some of them hit"]


def _sweep(pipeline: Pipeline) -> list[str]:
    return [
        f"many clients sharing a queue of ids: below {BLOCK_MIN_HITS} first reads an hour in {BLOCK_IDS:,} ids, "
        f"or fewer than {FEWEST_CLIENTS:.0f} clients at a time"
    ]


def _consent(pipeline: Pipeline) -> list[str]:
    watch = pipeline.consents
    if not watch.is_on:
        return []
    lines = [f"a party reading what nobody agreed to: fewer than {FEWEST} reads of a class of data a day"]
    if watch.policy.watched.any():
        lines.append(
            "a party using grants unlike usual: on its first day, or below some four in five of the persons it reads"
        )
        if watch.policy.last_seen is None:
            days = watch.policy.dormant_us // DAY_US
            lines.append(f"reads of dormant persons: all in the first {days} days of log, for there is no last_seen")
    if watch.policy.needs_ledger and not watch.ledger.moment_us:
        lines.append("reads without a grant: all, for there is no consent ledger")
    elif watch.unjudged:
        lines.append(f"reads without a grant: {watch.unjudged:,} were not judged while the consent ledger was too late")
    return lines


def _contract(pipeline: Pipeline) -> list[str]:
    watch = pipeline.watch.contracts
    if not watch:
        return []
    free = []
    for said, total in zip(watch.terms, watch.totals, strict=True):
        if said.records_a_day is not None:
            free.append(f"{said.name} {said.records_a_day:,} a day")
        elif not said.learn:
            free.append(f"{said.name} any amount, as agreed")
        elif int(total["days"]) >= contract.SETTLED:
            free.append(f"{said.name} {contract.LEARNT * contract.learnt_hour(total):,.0f} an hour")
        else:
            free.append(f"{said.name} any amount, until {contract.SETTLED} days of it are known")
    more = f" and {len(free) - MOST_NAMED} more" if len(free) > MOST_NAMED else ""
    return [f"declared partners inside their contracts, not judged: {', '.join(free[:MOST_NAMED])}{more}"]


def _tripwire(pipeline: Pipeline) -> list[str]:
    wires = pipeline.rules.tripwires
    planted = sum(len(wire.objects) for wire in wires)
    return [f"one read of {planted:,} records nobody may read: seen at once"] if wires else []


def _campaign(pipeline: Pipeline) -> list[str]:
    return [
        f"many clients reading from a list, each within ordinary limits: fewer than {campaign.FEWEST_CLIENTS} of them, "
        "routes younger than six hours, ids younger than an hour or two"
    ]


def _lookup(pipeline: Pipeline) -> list[str]:
    return [f"many clients trying ids that do not exist: fewer than {campaign.FEWEST_CLIENTS} of them"]


def _fan_out(pipeline: Pipeline) -> list[str]:
    young = "" if pipeline.null.settled else "anything, for the log is shorter than six hours; then "
    return [
        f"many accounts in few hands: {young}fewer than {TALLY_DETECTORS['fan_out'].fewest} used for a read or two, or "
        f"fewer than {SOURCE_FEWEST} behind each address; fewer than {TALLY_DETECTORS['accounts'].fewest} that harvest"
    ]


def _over_fetch(pipeline: Pipeline) -> list[str]:
    few = f"fewer than {FEWEST_OVER} large answers"
    young = "" if pipeline.null.settled else "anything, for the log is shorter than six hours; then "
    return [f"one client taking much in each answer: {young}{few}, and lists whose size is not logged count one a page"]


def _metronome(pipeline: Pipeline) -> list[str]:
    return [f"one client asking at the beat of a clock (informational): below {BEAT} requests"]


_SAY: dict[str, Callable[[Pipeline], list[str]]] = {
    "walk": _walk,
    "bulk": _bulk,
    "guessing": _guessing,
    "sweep": _sweep,
    "consent": _consent,
    "contract": _contract,
    "tripwire": _tripwire,
    "campaign": _campaign,
    "lookup": _lookup,
    "fan_out": _fan_out,
    "over_fetch": _over_fetch,
    "metronome": _metronome,
}
"""What each detector would miss; a new detector adds a line."""


def _tables(pipeline: Pipeline) -> list[str]:
    """What was forgotten because a table was too small for this log."""
    counters, sizes = pipeline.state.counters, pipeline.state.sizes
    lines = []
    for name, setting, size, what in (
        ("clients_evicted", "state.clients", sizes.clients, "clients were forgotten, each with its evidence"),
        (
            "objects_evicted",
            "state.objects",
            sizes.objects,
            "records were forgotten: they count as read by nobody else",
        ),
        ("blocks_evicted", "", sizes.blocks, "blocks of ids were forgotten"),
    ):
        gone = int(counters[COUNTER[name]])
        if gone:
            remedy = f"; raise {setting}" if setting else ""
            lines.append(f"table of {size:,} too small: {gone:,} {what}{remedy}")
    return lines


def _unknown(coverage: Coverage) -> list[str]:
    unknown = coverage.requests - coverage.with_object
    if not unknown:
        return []
    return [f"records read through the {unknown / coverage.requests:.0%} of requests that name no object"]


def _growth(pipeline: Pipeline) -> list[str]:
    """What is learnt is more than counts: whoever hid in it is not hidden."""
    lines = [f"learning is held to 1 % a day; {line}" for line in growth_lines(pipeline)]
    return [*lines, "where that is there to stay: detection.reference_from"] if lines else []
