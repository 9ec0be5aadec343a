"""An incident in sentences: what happened, what it was noticed at, what would have stopped it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Told = dict[str, Any]

WHAT = {
    "walk": "{who} read ids in order",
    "sweep": "{who} worked together through one queue of ids in order",
    "bulk": "{who} carried away far more records than others do, and records others do not read",
    "guessing": "{who} tried ids that mostly do not exist",
    "campaign": "{who} worked together from a list",
    "fan_out": "{who} were used in few hands",
    "lookup": "{who} looked up one key after the other",
    "over_fetch": "{who} took more in each answer than others do",
    "metronome": "{who} asked at the beat of a machine, day and night",
    "contract": "{who} went beyond what was agreed",
    "consent": "{who} read records without the consent they need",
    "tripwire": "{who} read a record nobody has a reason to read",
    "custom": "{who} was named by a detector of your own",
}
CONSENT = {
    "reads_without_grant": "no grant was ever given",
    "reads_before_grant": "the grant was given only afterwards",
    "reads_after_revocation": "the grant had been taken back",
    "reads_beyond_scope": "the grant was for another purpose",
    "reads_on_ticked_grant": "the grant came of a box ticked by default, or of another manner that does not count",
    "reads_on_smelling_grant": "the grant was given on a screen that did not ask",
    "reads_of_other_classes": "the kind of data was not agreed",
    "reads_for_other_purposes": "the purpose was not agreed",
    "reads_at_other_hours": "the hour was not agreed",
    "reads_from_other_countries": "the country was not agreed",
    "reads_from_other_networks": "the network was not agreed",
    "reads_after_its_end": "the agreement had ended",
    "reads_without_purpose": "no purpose was named",
    "reads_while_away": "the grant stands, but the person was away, unlike usual",
    "reads_of_dormant_persons": "the grant stands, but the person has long been gone",
    "reads_for_drifted_purposes": "the grant stands, but the purpose has become another than usual",
}
"""What was wanting, by the name of the finding that counts it."""
GRANTS = tuple(CONSENT)[:5]
USES = tuple(CONSENT)[-3:]
INSTEAD = (
    (GRANTS, WHAT["consent"]),
    (("reads_on_smelling_grant",), "{who} read records on consent that was given on a screen that did not ask"),
    (tuple(CONSENT)[6:-3], "{who} read records against what was agreed"),
    (USES, "{who} read records as nobody does who has been granted them"),
    (
        ("consent_grant_rate", "grants_within_a_second", "grants_without_view", "grants_on_one_page"),
        "{who} was given consent on a screen that does not ask",
    ),
)
"""What an incident of consent is called, by its findings; the first that fits."""
ENDPOINTS = 3
YEARS = range(1970, 2200)  # of moments that are believed: others cannot all be drawn


def whole(value: Any) -> int:
    """A whole number out of a record somebody else may have written; 0 where it is none."""
    return int(value) if isinstance(value, int | float) and abs(value) < 1 << 62 else 0


def real(value: Any) -> float:
    """A number out of such a record; 0 where it is none."""
    return float(value) if isinstance(value, int | float) and abs(value) < 1e300 else 0.0


def many(value: Any) -> list[Any]:
    """A list out of such a record; empty where it is none."""
    return value if isinstance(value, list) else []


def table(value: Any) -> Told:
    """An object out of such a record; empty where it is none."""
    return value if isinstance(value, dict) else {}


def count(value: Any, noun: str) -> str:
    """``1 record``, ``2,300 records``, ``3 addresses``."""
    n = whole(value)
    return f"{n:,} {noun if n == 1 else noun + ('es' if noun.endswith('s') else 's')}"


def moment(value: Any) -> str:
    """A moment of a record for people, to the second, UTC; empty where it is none."""
    when = parsed(value)
    return when.strftime("%Y-%m-%d %H:%M:%S UTC") if when else ""


def parsed(value: Any) -> datetime | None:
    """A moment of a record; None where it is none."""
    try:
        when = datetime.fromisoformat(str(value))
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return when if when.year in YEARS else None


def span(seconds: float) -> str:
    """A length of time for people."""
    for size, noun in ((86_400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {noun}s"
    return f"{seconds:.3g} seconds"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def figure(value: Any) -> str:
    """A number of evidence as people read it: four digits, thousands apart."""
    number = real(value)
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def estimate(value: Any) -> str:
    """``3,600``, or ``3,600 (between 3,400 and 3,800)``."""
    said = table(value)
    low, high = whole(said.get("low")), whole(said.get("high"))
    between = "" if low == high else f" (between {low:,} and {high:,})"
    return f"{whole(said.get('estimate')):,}{between}"


def who(record: Told) -> str:
    """Who it was, as the subject of a sentence."""
    clients = many(record.get("clients"))
    clients_in_all = whole(record.get("client_count")) or len(clients)
    kind = str(record.get("client_kind") or "client")
    kind = "client" if kind == "none" else kind
    if clients_in_all == 1 and clients:
        return f"the {kind} {clients[0]}"
    return count(clients_in_all, kind)


def sentence(record: Told) -> str:
    """What happened, in one sentence."""
    pattern = str(record.get("pattern"))
    what = WHAT.get(pattern, "{who} was found by " + pattern.replace("{", "").replace("}", ""))
    if pattern == "consent":
        seen = findings(record)
        what = next((text for names, text in INSTEAD if any(name in seen for name in names)), what)
    what = what.replace("{who}", who(record))
    endpoints = many(record.get("endpoints"))
    where = ", ".join(str(e) for e in endpoints[:ENDPOINTS])
    more = f" and {len(endpoints) - ENDPOINTS} more" if len(endpoints) > ENDPOINTS else ""
    first, last = parsed(record.get("first_seen")), parsed(record.get("last_seen"))
    lasted = f" within {span((last - first).total_seconds())}" if first and last and last > first else ""
    gone = estimate(record.get("records_exposed"))
    return (
        f"{what[:1].upper()}{what[1:]}{f' on {where}{more}' if where else ''}: {gone} records went out{lasted}, "
        f"{whole(record.get('records_at_alert')):,} before it was raised."
    )


def findings(record: Told) -> Told:
    """The numbers that convict, by their names."""
    return {str(one.get("name")): one.get("value") for one in map(table, many(record.get("evidence")))}


def wanting(record: Told) -> list[str]:
    """The findings that say what was wanting."""
    seen = findings(record)
    return [name for name in CONSENT if whole(seen.get(name))]


def missing(record: Told) -> list[str]:
    """Of reads against consent or policy: what was wanting, how many reads, of how many persons; a line each."""
    seen, said = findings(record), []
    for name in wanting(record):
        persons = whole(seen.get(name.replace("reads_", "persons_", 1)))
        of = f" of {count(persons, 'person')}" if persons else ""
        said.append(f"{CONSENT[name]}: {count(seen[name], 'read')}{of}")
    return said


def stopped(limits: Any, record: Told) -> list[str]:
    """What would have stopped it, a sentence each (`incidents.limits`)."""
    gone = max(whole(table(record.get("records_exposed")).get("estimate")), 1)
    route = str(next(iter(many(record.get("endpoints"))), "its route"))
    said = []
    for one in map(table, many(limits)):
        left, limit = whole(one.get("exposed")), whole(one.get("limit"))
        instead = f"{left:,} records instead of {gone:,} ({_percent(left / gone)} of it)"
        if one.get("kind") == "client":
            looked, hit = whole(one.get("ordinary")), whole(one.get("hit"))
            others = (
                f"of {looked:,} ordinary clients looked at {'none' if not hit else f'{hit:,}'} would have met it"
                if looked
                else "there were no other clients to hold it against"
            )
            said.append(f"A limit of {limit:,} records a client and day: {instead}; {others}.")
        elif one.get("kind") == "route":
            said.append(
                f"A limit of {limit:,} records an hour on {route}, whoever asks, twice its busiest ordinary hour: "
                f"{instead}."
            )
        elif one.get("kind") == "cut_off":
            said.append(f"Cutting off whom the alert names, at once: {instead}; nobody else is hit.")
    return said or ["No limit on clients or routes would have kept it smaller without hitting ordinary traffic."]
