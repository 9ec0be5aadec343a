"""A story as the incident record of the contract."""

from __future__ import annotations

from detector.detectors import tripwire
from detector.incidents.account_story import AccountStory
from detector.incidents.book import Book
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.incident import MOST_CLIENTS, SEVERITIES, Incident
from detector.incidents.moments import iso
from detector.incidents.pseudonyms import shown_client
from detector.incidents.selectors import selector
from detector.incidents.severity import INFORMATIONAL, LEAST, confidence, severity
from detector.incidents.shared_story import SharedStory
from detector.incidents.story import Story
from detector.records.batch import KINDS

MOST_ENDPOINTS = 20

TAGS: dict[str, dict[str, list[str]]] = {
    "walk": {"owasp_oat": ["OAT-011"], "owasp_api": ["API1:2023", "API4:2023"], "attack": ["T1119", "T1213"]},
    "sweep": {"owasp_oat": ["OAT-011"], "owasp_api": ["API1:2023", "API4:2023"], "attack": ["T1119", "T1090"]},
    "bulk": {"owasp_oat": ["OAT-011"], "owasp_api": ["API4:2023", "API6:2023"], "attack": ["T1119", "T1213"]},
    "guessing": {"owasp_oat": ["OAT-002", "OAT-011"], "owasp_api": ["API1:2023"], "attack": ["T1595.003"]},
    "contract": {
        "owasp_oat": ["OAT-020"],
        "owasp_api": ["API8:2023", "API10:2023"],
        "attack": ["T1199", "T1528", "T1567"],
    },
    "consent": {"owasp_oat": [], "owasp_api": ["API3:2023", "API5:2023"], "attack": ["T1199"]},
    "tripwire": {"owasp_oat": ["OAT-011"], "owasp_api": ["API1:2023"], "attack": ["T1119", "T1213"]},
    "campaign": {"owasp_oat": ["OAT-011"], "owasp_api": ["API4:2023", "API6:2023"], "attack": ["T1119", "T1090"]},
    "lookup": {"owasp_oat": ["OAT-011"], "owasp_api": ["API3:2023", "API6:2023"], "attack": ["T1589", "T1087"]},
    "over_fetch": {"owasp_oat": ["OAT-011"], "owasp_api": ["API3:2023", "API4:2023"], "attack": ["T1119", "T1213"]},
    "metronome": {"owasp_oat": ["OAT-011"], "owasp_api": [], "attack": ["T1119"]},
    "fan_out": {
        "owasp_oat": ["OAT-011", "OAT-008", "OAT-019"],
        "owasp_api": ["API2:2023", "API6:2023"],
        "attack": ["T1606", "T1110.004", "T1136", "T1119"],
    },
}


def incidents(book: Book, detector: dict[str, str]) -> list[Incident]:
    """Every story in its present state, ordered by ``raised_at``, then ``incident``."""
    return sorted((incident(s, book, detector) for s in book.stories), key=lambda i: (i.raised_at, i.incident))


def incident(story: Story, book: Book, detector: dict[str, str]) -> Incident:
    """One story as a record.

    Args:
        story: the story.
        book: the book it is in, for the names of routes.
        detector: ``version`` and ``config``; the pattern's name is added.
    """
    story.settled()
    if isinstance(story, SharedStory):
        story.name()
    members = sorted(story.members.values(), key=lambda m: (-m.reads, m.name))
    exposed = story.exposed()
    sure = confidence(story.nats, story.threshold)
    return Incident(
        incident=story.identity,
        revision=story.revision,
        state="closed" if story.closed else "open",
        pattern=story.pattern,
        detector={"name": story.detector if isinstance(story, AccountStory) else story.pattern, **detector},
        severity=severity(exposed.estimate, sure, _least(story)) if told(story) else SEVERITIES[0],
        confidence=sure,
        raised_at=iso(story.raised_us),
        first_seen=iso(story.first_us),
        last_seen=iso(story.last_us),
        endpoints=_endpoints(story, book),
        clients=[shown_client(book.veil, KINDS[m.kind], m.name) for m in members[:MOST_CLIENTS]],
        client_count=story.count(),
        client_kind=story.kind(),
        selector=selector(story, book),
        requests=story.requests + round(story.omitted_requests / 1000),
        bytes_out=story.bytes_out + round(story.omitted_bytes / 1000),
        records_exposed=exposed,
        persons_exposed=story.whole(story.persons.estimate()) if story.persons.seen_any else None,
        data_classes=sorted({name for route in story.routes for name in book.data_classes(route)}),
        evidence=sorted(story.evidence.values(), key=lambda f: -f.weight),
        records_at_alert=story.at_alert,
        suppressed_by=story.suppressed or None,
        merged_into=story.merged_into,
        warming=story.warming,
        tags=TAGS.get(story.pattern, {}),
        partner=story.partner or None,
    )


def _least(story: Story) -> str:
    """The least severity of what it is: a record nobody may read has been read, or a contract is broken."""
    tripped = any(name.startswith(tripwire.FINDING) for name in story.evidence)
    return LEAST["tripwire" if tripped else "contract" if story.partner else ""]


def told(story: Story) -> bool:
    """Whether an incident is anybody's business: of a campaign, whether there is a rule to act on, or a name; never how
    somebody asks."""
    if story.pattern in INFORMATIONAL:
        return False
    if isinstance(story, AccountStory):
        return story.rule.actionable or bool(story.members)
    return not isinstance(story, CampaignStory) or story.selector.actionable or bool(story.members)


def _endpoints(story: Story, book: Book) -> list[str]:
    routes = sorted(story.routes.items(), key=lambda pair: (-pair[1], pair[0]))
    return [book.route_name(route) for route, _ in routes[:MOST_ENDPOINTS]]
