"""Stories as arrays: what a snapshot and the learnt part keep of them, and stories made of it again.

Every list is told by the names of its fields, so that a version that knows more of them reads what is there and takes
the rest for zero. Columns of all stories are made in one go: judging waits for the copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.detectors.signal import Finding, Signal
from detector.errors import SnapshotDamaged
from detector.incidents import keeping_accounts, keeping_campaigns
from detector.incidents.account_story import AccountStory
from detector.incidents.campaign_story import CampaignStory
from detector.incidents.recent import READS
from detector.incidents.records import RECORD
from detector.incidents.shared_story import NOWHERE, SharedStory
from detector.incidents.story import Member, Story
from detector.incidents.sweep_rule import Usual
from detector.incidents.sweep_story import SweepStory
from detector.incidents.trail import POINT, POSITION, SAMPLE
from detector.packing import Arrays, adopted, joined, parted
from detector.records.batch import NAME_BYTES

_PLAIN: tuple[tuple[str, str], ...] = (
    ("number", "i8"),
    ("identity", "S32"),
    ("pattern", "S16"),
    ("route", "u4"),
    ("client", "u8"),
    ("raised_us", "i8"),
    ("first_us", "i8"),
    ("last_us", "i8"),
    ("nats", "f8"),
    ("threshold", "f8"),
    ("requests", "i8"),
    ("bytes_out", "i8"),
    ("at_alert", "i8"),
    ("closed", "?"),
    ("revision", "i8"),
    ("reads", "i8"),
    ("told", "i8"),
    ("warming", "?"),
    ("resume_us", "i8"),
    ("over_us", "i8"),
)
_OMITTED = ("omitted_requests", "omitted_bytes", "omitted_reads")
STORY = np.dtype(
    [
        *_PLAIN,
        ("merged_into", "S32"),
        ("sweep", "?"),
        ("campaign", "?"),
        ("accounts", "?"),
        ("unseen", "i8"),
        ("stride", "i8"),
        ("numbered", "i8"),
        ("trail_reads", "i8"),
        ("partner", f"S{NAME_BYTES}"),
        ("suppressed", "S64"),
        *((name, "i8") for name in _OMITTED),
        ("records_bound", "u8"),
        ("sampled", "f8"),
    ]
)
FINDING = np.dtype([("name", "S64"), ("value", "f8"), ("expected", "f8"), ("weight", "f8"), ("whole", "u1")])
MEMBER = np.dtype([("client", "u8"), ("name", f"S{NAME_BYTES}"), ("kind", "u1"), ("reads", "i8")])
WORKER = np.dtype(
    [("client", "u8"), ("name", f"S{NAME_BYTES}"), ("kind", "u1"), ("hits", "i8"), ("proven", "?"), ("named", "?")]
)
COUNT = np.dtype([("key", "u8"), ("count", "i8")])

NOTHING: npt.NDArray[Any] = np.zeros(0, READS)
NOBODY = Usual()

_OBJECTS = ("objects", "objects_new", "registers")
_PERSONS = ("persons", "persons_new", "persons_registers")

_WORD = (1 << 64) - 1  # minutes before 1970 are negative, all other keys are hashes

_COUNTERS: dict[str, Callable[[Story], Mapping[int, int]]] = {
    "routes": lambda s: s.routes,
    "minutes": lambda s: s.trail.minutes,
    "hours": lambda s: s.trail.hours,
    "agents": lambda s: s.trail.agents,
    "networks": lambda s: s.trail.networks,
    "fresh": lambda s: s.fresh if isinstance(s, SweepStory) else {},
}


def save(stories: Sequence[Story]) -> dict[str, npt.NDArray[Any]]:
    """All about stories; what they still hold in portions is counted in first."""
    for story in stories:
        story.settled()
    arrays = {"stories": np.array([_row(s) for s in stories], STORY)}
    arrays |= _listed("findings", [[_finding(f) for f in s.evidence.values()] for s in stories], FINDING)
    arrays |= _listed("members", [_members(s) for s in stories], MEMBER)
    arrays |= _listed("workers", [_workers(s) for s in stories], WORKER)
    for name, counts in _COUNTERS.items():
        arrays |= _counted(name, [counts(s) for s in stories])
    arrays |= joined("points", [s.trail.points for s in stories], POINT)
    arrays |= joined("positions", [s.trail.positions for s in stories], POSITION)
    arrays |= joined("samples", [s.trail.samples for s in stories], SAMPLE)
    arrays |= joined("records", [s.records.save() for s in stories], RECORD)
    for names, exposures in ((_OBJECTS, [s.exposure for s in stories]), (_PERSONS, [s.persons for s in stories])):
        exposed = [exposure.save() for exposure in exposures]
        for place, (name, dtype) in enumerate(zip(names, ("u8", "u8", "u1"), strict=True)):
            arrays |= joined(name, [parts[place] for parts in exposed], dtype)
    shared = [s if isinstance(s, SharedStory) else None for s in stories]
    arrays |= joined("absorbed", [np.array(sorted(s.absorbed) if s else [], np.uint64) for s in shared], "u8")
    arrays |= joined("undecided", [s.waiting() if s else NOTHING for s in shared], READS)
    arrays |= joined("owed", [s.owed if s else NOWHERE for s in shared], "i8")
    arrays |= joined("usual_numbers", [_usual(s).numbers for s in stories], "i8")
    return arrays | keeping_campaigns.save(stories) | keeping_accounts.save(stories)


def carried(stories: Sequence[Story], kept: Arrays, last_us: int) -> dict[str, npt.NDArray[Any]]:
    """What `save` has given of these stories, for a process that will read the log again from before ``last_us``: they
    then know up to when reads are counted, and of which before that they are not."""
    arrays = dict(kept)
    rows = arrays["stories"] = arrays["stories"].copy()
    rows["resume_us"] = np.maximum(rows["resume_us"], last_us)
    outstanding = [s.outstanding() if isinstance(s, SharedStory) else NOWHERE for s in stories]
    arrays |= joined("owed", outstanding, "i8")
    return arrays | joined("undecided", [NOTHING] * len(stories), READS)


def load(arrays: Arrays) -> list[Story]:
    """The stories that `save` kept.

    Raises:
        SnapshotDamaged: the columns do not fit one another.
    """
    try:
        rows = adopted(arrays["stories"], STORY)
        stories = [_story(row) for row in rows]
        _load_lists(stories, arrays)
        _load_trails(stories, arrays)
        _load_shared(stories, arrays)
        keeping_campaigns.load(stories, arrays)
        keeping_accounts.load(stories, arrays)
    except (KeyError, UnicodeDecodeError) as error:
        raise SnapshotDamaged(f"snapshot: its incidents cannot be read ({type(error).__name__})") from error
    return stories


def _row(story: Story) -> tuple[Any, ...]:
    plain = [getattr(story, name) for name, _ in _PLAIN]
    trail = story.trail
    told_by = [isinstance(story, kind) for kind in (SweepStory, CampaignStory, AccountStory)]
    rest = (*told_by, story.exposure.unseen, trail.stride, trail.numbered, trail.reads)
    return (
        *plain,
        (story.merged_into or ""),
        *rest,
        story.partner,
        story.suppressed,
        *(getattr(story, name) for name in _OMITTED),
        story.records.bound,
        _usual(story).sampled,
    )


def _usual(story: Story) -> Usual:
    return story.usual if isinstance(story, SweepStory) else NOBODY


def _story(row: Any) -> Story:
    pattern, route, client = _text(row["pattern"]), int(row["route"]), int(row["client"])
    threshold = float(row["threshold"])
    signal = Signal(pattern, route, client, int(row["raised_us"]), float(row["nats"]), threshold, [])
    kinds = {"sweep": SweepStory, "campaign": CampaignStory, "accounts": AccountStory}
    story = next((kind for name, kind in kinds.items() if row[name]), Story)(
        int(row["number"]), _text(row["identity"]), signal
    )
    for name, code in _PLAIN:
        if not code.startswith("S"):
            setattr(story, name, row[name].item())
    story.merged_into = _text(row["merged_into"]) or None
    story.partner, story.suppressed = _text(row["partner"]), _text(row["suppressed"])
    story.omitted_requests, story.omitted_bytes, story.omitted_reads = (int(row[name]) for name in _OMITTED)
    story.exposure.unseen = int(row["unseen"])
    story.records.bound = int(row["records_bound"])
    trail = story.trail
    trail.stride, trail.numbered, trail.reads = (
        max(int(row["stride"]), 1),
        int(row["numbered"]),
        int(row["trail_reads"]),
    )
    return story


def _finding(finding: Finding) -> tuple[Any, ...]:
    numbers = (finding.value, finding.expected, finding.weight)
    return (finding.name, *numbers, sum(1 << place for place, n in enumerate(numbers) if isinstance(n, int)))


def _found(row: Any) -> Finding:
    numbers = (float(row["value"]), float(row["expected"]), float(row["weight"]))
    whole = int(row["whole"])
    return Finding(_text(row["name"]), *(int(n) if whole >> place & 1 else n for place, n in enumerate(numbers)))


def _members(story: Story) -> list[tuple[Any, ...]]:
    """A sweep decides anew whom it names whenever it is told, from its workers."""
    if isinstance(story, SweepStory):
        return []
    return [(client, m.name, m.kind, m.reads) for client, m in story.members.items()]


def _workers(story: Story) -> list[tuple[Any, ...]]:
    if not isinstance(story, SweepStory):
        return []
    return [
        (client, *story.names[client], hits, client in story.proven, client in story.members)
        for client, hits in story.hits.items()
    ]


def _listed(name: str, lists: list[list[tuple[Any, ...]]], dtype: np.dtype[Any]) -> dict[str, npt.NDArray[Any]]:
    ends = np.cumsum([len(part) for part in lists], dtype=np.int64)
    return {name: np.array(list(chain.from_iterable(lists)), dtype), f"{name}.ends": ends}


def _counted(name: str, counters: list[Mapping[int, int]]) -> dict[str, npt.NDArray[Any]]:
    ends = np.cumsum([len(counter) for counter in counters], dtype=np.int64)
    rows = np.empty(int(ends[-1]) if len(ends) else 0, COUNT)
    keys = (
        (key & _WORD for key in chain.from_iterable(counters)) if name == "minutes" else chain.from_iterable(counters)
    )
    rows["key"] = np.fromiter(keys, np.uint64, len(rows))
    rows["count"] = np.fromiter(chain.from_iterable(c.values() for c in counters), np.int64, len(rows))
    return {name: rows, f"{name}.ends": ends}


def _load_lists(stories: list[Story], arrays: Arrays) -> None:
    n = len(stories)
    for story, found, members in zip(stories, parted("findings", arrays, n), parted("members", arrays, n), strict=True):
        story.evidence = {f.name: f for f in map(_found, adopted(found, FINDING))}
        for row in adopted(members, MEMBER):
            story.members[int(row["client"])] = Member(_text(row["name"]), int(row["kind"]), int(row["reads"]))


def _load_trails(stories: list[Story], arrays: Arrays) -> None:
    n = len(stories)
    for name, counts in _COUNTERS.items():
        for story, part in zip(stories, parted(name, arrays, n), strict=True):
            if len(part):
                kept: Any = counts(story)
                keys = part["key"].astype(np.int64) if name == "minutes" else part["key"]
                kept.update(dict(zip(keys.tolist(), part["count"].tolist(), strict=True)))
    for name, dtype in (("points", POINT), ("positions", POSITION), ("samples", SAMPLE)):
        for story, part in zip(stories, parted(name, arrays, n), strict=True):
            setattr(story.trail, name, adopted(part, dtype).copy())
    for story, part in zip(stories, parted("records", arrays, n), strict=True):
        story.records.load(adopted(part, RECORD), story.records.bound)
    for names, exposures in ((_OBJECTS, [s.exposure for s in stories]), (_PERSONS, [s.persons for s in stories])):
        if names[0] in arrays:  # an earlier version counted no persons
            exposed = (parted(name, arrays, n) for name in names)
            for exposure, seen, new, registers in zip(exposures, *exposed, strict=True):
                exposure.load(seen, new, registers)


def _load_shared(stories: list[Story], arrays: Arrays) -> None:
    n = len(stories)
    sampled = adopted(arrays["stories"], STORY)["sampled"].tolist()
    columns = (parted(name, arrays, n) for name in ("workers", "absorbed", "undecided", "owed", "usual_numbers"))
    for story, of, workers, absorbed, undecided, owed, numbers in zip(stories, sampled, *columns, strict=True):
        if not isinstance(story, SharedStory):
            continue
        story.absorbed = set(absorbed.tolist())
        story.undecided = [adopted(undecided, READS).copy()] if len(undecided) else []
        story.owed = owed.astype(np.int64)
        if isinstance(story, SweepStory):
            _load_workers(story, adopted(workers, WORKER))
            story.usual = Usual(numbers.astype(np.int64), of)


def _load_workers(story: SweepStory, workers: npt.NDArray[Any]) -> None:
    for row in workers:
        client, named = int(row["client"]), (_text(row["name"]), int(row["kind"]))
        story.hits[client], story.names[client] = int(row["hits"]), named
        if row["proven"]:
            story.proven.add(client)
        if row["named"]:
            story.members[client] = Member(*named, int(row["hits"]))


def _text(text: bytes) -> str:
    return text.decode("ascii")
