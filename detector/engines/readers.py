"""Who read it? Every reader of a class of data, or of one person's records, in what was read; and what was not.

A read is a request that was answered with data: status 200 to 299, 304 (the reader has it already), or none in the log.
Refused ones handed nothing out and are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.compiled import prepare
from detector.config import Config, ReplaySettings
from detector.engines.coverage import Coverage
from detector.engines.declaring import hash_key
from detector.engines.local import JUDGE_KERNELS, KERNELS, declared_routes, make_resolver, read_settings
from detector.engines.privacy import veil_of
from detector.engines.reading import Reader
from detector.engines.silence import Silence
from detector.engines.tally import Tally
from detector.engines.wording import Wording
from detector.errors import UsageError
from detector.incidents.moments import iso
from detector.incidents.pseudonyms import shown_client
from detector.records.batch import KINDS, LEDGER, PAGED, Batch
from detector.records.declared import token
from detector.records.ledger import ACTIONS, GRANT, MANNERS, VIEW
from detector.records.persons import hash_id
from detector.records.routes import MAX_ROUTES, Routes

READ_KERNELS = (*(name for name in KERNELS if name not in JUDGE_KERNELS), "detector.records.resolve:WHOSE")
ROUTES_NAMED = 3  # of those whose records are nobody's
PROGRESS_EVERY = 8  # batches between two reports of progress
HARMLESS = ("empty", "comment")  # rejected lines that cannot have been requests
NOT_HIDING = ("empty", "the same file as ")  # how the reasons of skipped files begin that hide nothing
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """What is asked: who read a class of data, or one person's records; exactly one of the two.

    Attributes:
        data_class: as the configuration's routes name it.
        subject: a person's id as the log has it.
    """

    data_class: str = ""
    subject: str = ""


@dataclass(frozen=True)
class ReaderSeen:
    """One reader: a client, for one purpose; where a person is asked for, under one consent.

    Attributes:
        client, kind: as incidents name it, and what that is.
        partner: whose declared account it is, empty = nobody's.
        purpose: what it said, empty = nothing.
        consent: the id of the consent it named, empty = none, or more than one.
        consents: how many different ones.
        reads: records read, each time it was.
        persons: different persons, as far as they are known.
        first_us, last_us: log time, microseconds UTC.
    """

    client: str
    kind: str
    partner: str
    purpose: str
    consent: str
    consents: int
    reads: int
    persons: int
    first_us: int
    last_us: int


@dataclass(frozen=True)
class Said:
    """What a person said to a party, by the consent ledger.

    Attributes:
        time_us: when, microseconds UTC.
        action: grant, revoke or decline.
        party: to whom; ``?`` where the policy names no such party.
        data_class: of what; empty = all classes, ``?`` where no route hands it out.
        manner: of a grant, how the ledger says it was given.
        consent: its id, where a read names it.
    """

    time_us: int
    action: str
    party: str
    data_class: str
    manner: str
    consent: str


@dataclass(frozen=True)
class Gap:
    """Something in which another reader may hide.

    Attributes:
        what: rejected, torn, lost, skipped, silent, late, future, unnamed or lists.
        count: lines, requests or files.
        about: in words.
    """

    what: str
    count: int
    about: str


@dataclass
class Answer:
    """Who read it.

    Attributes:
        question: what was asked.
        readers: all of them, most reads first.
        routes: templates through which it was read, in the order in which the log shows them.
        coverage: what was read.
        gaps: what was not read, or cannot be told.
        refused: requests for it that were answered with an error.
        said: of a person, the changes of the consent ledger in their order of time.
    """

    question: Question
    coverage: Coverage
    readers: list[ReaderSeen] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    refused: int = 0
    said: list[Said] = field(default_factory=list)


def who_read(
    paths: Sequence[str | Path],
    settings: ReplaySettings,
    question: Question,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> Answer:
    """Reads logs and tells who read what is asked for.

    Args:
        paths: files, folders, globs, ``-``.
        settings: configuration, format and what to read of the logs.
        question: what is asked for.
        on_progress: called now and then with bytes read, bytes in all (0 = not known) and lines read.

    Raises:
        UsageError: no route is declared to hand that class out; both or neither are asked for.
        InputError: a log cannot be read, or none of it could be parsed.
    """
    _check(question, settings.config)
    prepare(READ_KERNELS, wait=False)
    resolver, routes = make_resolver(settings.config)
    wording = Wording(resolver)
    chosen = read_settings(settings)
    reader = Reader(paths, chosen if question.subject else replace(chosen, ledgers=()), wording)
    search = _Search(question, settings.config, routes)
    silence = Silence()
    for number, released in enumerate(reader):
        batch, moment_us = released.batch, released.moment_us
        changes = (batch.flags & np.uint8(LEDGER)) > 0
        if changes.any():
            search.listen(batch.take(np.flatnonzero(changes)))
            batch, moment_us = batch.take(np.flatnonzero(~changes)), moment_us[~changes]
        routes.assign(batch)
        search.take(batch)
        silence.add(moment_us)
        reader.coverage.count_objects(batch)
        if on_progress and number % PROGRESS_EVERY == 0:
            on_progress(*reader.progress())
    return search.answer(reader.coverage, wording, silence)


def _check(question: Question, config: Config) -> None:
    if bool(question.data_class) == bool(question.subject):
        raise UsageError("who is asked for: say either --class or --subject")
    known = sorted({name for template in declared_routes(config) for name in template.data_classes})
    if question.data_class and question.data_class not in known:
        told = f"routes hand out {', '.join(known)}" if known else "no route has data_classes"
        raise UsageError(f"--class {question.data_class}: in the configuration {told}; see routes.templates")


class _Search:
    """Looks through batches whose routes are assigned."""

    def __init__(self, question: Question, config: Config, routes: Routes) -> None:
        self._question = question
        self._routes = routes
        self._veil = veil_of(config)
        self._person = np.uint64(hash_id(question.subject, hash_key(config)) if question.subject else 0)
        names = [*(p.name for p in config.partners), *(p.name for p in config.policy.parties)]
        self._partners = {token(name): name for name in names}
        classes = {name for template in declared_routes(config) for name in template.data_classes}
        self._words = {hash_id(name, hash_key(config)): name for name in (*names, *classes)}
        self._changes: list[Batch] = []
        self._classed = np.zeros(MAX_ROUTES + 1, np.bool_)  # routes that hand out any class
        self._asked = np.zeros(MAX_ROUTES + 1, np.bool_)  # routes that hand out the class asked for
        self._known = 0
        self._tally = Tally(by_consent=bool(question.subject))
        self._used: dict[int, None] = {}
        self._refused = 0
        self._nobodys = np.zeros(MAX_ROUTES + 1, np.int64)  # requests by route of which nobody says whose it is

    def take(self, batch: Batch) -> None:
        """Adds a batch."""
        self._learn()
        classed = self._classed[batch.route]
        person = np.where((batch.subject == 0) & classed & ~_is_page(batch), batch.object, batch.subject)
        meant = person == self._person if self._question.subject else self._asked[batch.route]
        status = batch.status
        answered = ((status >= 200) & (status < 300)) | (status == 304) | (status == 0)
        rows = np.flatnonzero(meant & answered)
        self._tally.add(batch, rows, person[rows])
        for route in np.unique(batch.route[rows]).tolist():
            self._used.setdefault(route)
        first = batch.requests > 0
        self._refused += int(np.count_nonzero(meant & ~answered & first))
        if self._question.subject:
            nobody = (person == 0) & answered & first & (classed | (batch.object != 0))
            self._nobodys += np.bincount(batch.route[nobody], minlength=MAX_ROUTES + 1)

    def listen(self, changes: Batch) -> None:
        """Adds rows of the consent ledger."""
        own = (changes.subject == self._person) & (changes.status != VIEW)
        if own.any():
            self._changes.append(changes.take(np.flatnonzero(own)))

    def _said(self, wording: Wording) -> list[Said]:
        """What the person said, in order of time."""
        if not self._changes:
            return []
        rows = Batch.concatenate(self._changes)
        rows = rows.take(np.lexsort((rows.position, rows.origin, rows.number)))
        return [
            Said(
                int(rows.number[k]),
                ACTIONS[rows.status[k]],
                self._words.get(int(rows.client[k]), "?"),
                self._words.get(int(rows.object[k]), "?") if rows.object[k] else "",
                MANNERS[rows.rows[k]] if rows.status[k] == GRANT else "",
                wording.word("consent", int(rows.consent[k])).strip("?"),
            )
            for k in range(len(rows))
        ]

    def _learn(self) -> None:
        """The classes of routes that are new."""
        for route in range(self._known + 1, len(self._routes) + 1):
            classes = self._routes.data_classes(route)
            self._classed[route] = bool(classes)
            self._asked[route] = self._question.data_class in classes
        self._known = len(self._routes)

    def answer(self, coverage: Coverage, wording: Wording, silence: Silence) -> Answer:
        """What was found."""
        table, distinct = self._tally.readers()
        readers = [
            ReaderSeen(
                shown_client(self._veil, KINDS[row["kind"]], row["name"].decode("ascii", "backslashreplace")),
                KINDS[row["kind"]],
                self._partners.get(int(row["partner"]), ""),
                wording.word("purpose", int(row["purpose"])),
                wording.word("consent", int(row["consent"])) if consents == 1 else "",
                consents,
                int(row["reads"]),
                persons,
                int(row["first_us"]),
                int(row["last_us"]),
            )
            for row, persons, consents in zip(
                table, distinct["person"].tolist(), distinct["consent"].tolist(), strict=True
            )
        ]
        names = [self._routes.name(route) for route in self._used]
        gaps = [*_unread(coverage), *_silent(silence), *self._untold()]
        return Answer(self._question, coverage, readers, names, gaps, self._refused, self._said(wording))

    def _untold(self) -> list[Gap]:
        """Reads of which the log does not say whose records they were."""
        told = (
            ("lists", self._classed, "name no person, though what they hand out is personal"),
            ("unnamed", ~self._classed, "read records of which neither log, map nor route says whose they are"),
        )
        gaps = []
        for what, which, about in told:
            counts = np.where(which, self._nobodys, 0)
            most = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].tolist()
            named = ", ".join(self._routes.name(route) for route in most[:ROUTES_NAMED])
            more = f" and {len(most) - ROUTES_NAMED} more routes" if len(most) > ROUTES_NAMED else ""
            if most:
                gaps.append(
                    Gap(what, int(counts.sum()), f"{_many(int(counts.sum()), 'request')} {about}: {named}{more}")
                )
        return gaps


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _is_page(batch: Batch) -> Mask:
    return (batch.flags & np.uint8(PAGED)) > 0


def _unread(coverage: Coverage) -> list[Gap]:
    """Lines and files that could not be read, or not in their order."""
    rejected = sorted((count, reason) for reason, count in coverage.rejected.items() if reason not in HARMLESS)
    gaps = [Gap("rejected", n, f"{_many(n, 'line')} could not be understood: {reason}") for n, reason in rejected[::-1]]
    unsaid = sum(n for reason, n in coverage.changes_rejected.items() if reason not in HARMLESS)
    gaps += [Gap("rejected", unsaid, f"{_many(unsaid, 'line')} of the consent ledger could not be understood")][:unsaid]
    gaps += [Gap("lost", 1, f"{path}: {what}") for path, what in coverage.lost]
    gaps += [Gap("skipped", 1, f"{path}: {why}") for path, why in coverage.skipped if not why.startswith(NOT_HIDING)]
    told = (
        ("torn", coverage.torn, "line", "torn inside the last field; taken for what is left"),
        ("late", coverage.late, "request", "out of order by more than the lateness; counted all the same"),
        ("future", coverage.future, "request", "dated more than an hour ahead; counted all the same"),
    )
    return gaps + [Gap(what, count, f"{_many(count, noun)} {about}") for what, count, noun, about in told if count]


def _silent(silence: Silence) -> list[Gap]:
    return [
        Gap("silent", 1, f"no line at all from {iso(first)} to {iso(last)}: is a file missing?")
        for first, last in silence.stretches()
    ]
