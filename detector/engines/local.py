"""One process, one pass: log files in, incidents out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detector import __version__, clock
from detector.compiled import prepare
from detector.config import REPLAY_LATENESS_SECONDS, Config, ReplaySettings
from detector.config_checks import moment_us
from detector.detectors import PATTERNS, Budget
from detector.engines.ahead import Ahead
from detector.engines.casing import Cases
from detector.engines.coverage import Coverage
from detector.engines.declaring import contracts, declared, hash_key, policy, suppressions, tripwires
from detector.engines.features import features_of
from detector.engines.floor import floor_lines
from detector.engines.id_texts import name_ids
from detector.engines.preparing import preload
from detector.engines.privacy import check_keys, seal_of, veil_of, veiled_features, veiled_ranks
from detector.engines.ranked import Ranked
from detector.engines.reading import Reader, ReadSettings
from detector.engines.second_pass import complete
from detector.engines.telemetry import NO_CLASS, OTHER_CLASS
from detector.errors import UsageError
from detector.health import DATA_CLASS
from detector.incidents.incident import Incident
from detector.incidents.render import incidents
from detector.pages import clear_ahead, on_small_pages
from detector.pipeline import Pipeline, Rules
from detector.ranking import Ranking, Unusual
from detector.records.batch import LATE
from detector.records.identity import Identity, identity_report
from detector.records.keys import REPLAY_KEY, HashKey
from detector.records.openapi import read_openapi
from detector.records.persons import Persons
from detector.records.places import MaxMind, Places
from detector.records.resolve import Resolver
from detector.records.routes import Routes
from detector.records.templates import Template, parse_template
from detector.sinks.journal import FILE, Journal
from detector.state.layout import TABLES, Sizes

if TYPE_CHECKING:
    from detector.engines.backfill import Backfill

JUDGE_KERNELS = (
    "detector.evidence.judge:JUDGE",
    "detector.evidence.outcome:OUTCOMES",
    "detector.incidents.ordinary:OFFER",
    "detector.evidence.learn:BUSY",
    "detector.state.sketch:SUM",
)
KERNELS = (  # of a plain replay but the log's own scanner, the slowest to compile first
    *JUDGE_KERNELS,
    "detector.records.resolve:WHAT",
    "detector.records.resolve:WHO",
    "detector.records.routes:ASSIGN",
)
DECLARED_KERNELS = ("detector.evidence.contract:COUNT", "detector.evidence.tripwire:FIND")
SHORT_BYTES = (
    2 << 20
)  # of logs as they lie on disk; from 100,000 lines on (15 MB, or 1.5 MB compressed) large pages pay
LONG_BYTES = 64 << 20  # from 400,000 lines on every page of the hashed tables is in use, large or small
HASHED = ("objects", "owners", "index", "cells", "past")  # tables whose rows lie everywhere from the start
PROGRESS_EVERY = 8  # batches between two reports of progress
FILES_NAMED = 5  # whose formats are told; a folder has hundreds


@dataclass(frozen=True)
class ReplayResult:
    """What a replay found.

    Attributes:
        incidents: every incident in its final state, by ``raised_at``, then id.
        coverage: what was read.
        floor: what would not have been seen in this log, a line each.
        notes: what the user should know first: formats detected, a proxy in front.
        features: makes the per-client features, a structured array with one row a client.
        unusual: the most unusual clients, best first, as many as ``settings.top`` asks for.
        cases: makes what stands behind the incidents.
    """

    incidents: list[Incident]
    coverage: Coverage
    floor: list[str]
    notes: list[str]
    features: Callable[[], npt.NDArray[Any]]
    unusual: list[Unusual] = field(default_factory=list)
    cases: Cases | None = None

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files that were not read, and why."""
        return self.coverage.skipped

    @property
    def lost(self) -> list[tuple[str, str]]:
        """Files of which a part could not be read, and what."""
        return self.coverage.lost


def replay(
    paths: Sequence[str | Path],
    settings: ReplaySettings,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> ReplayResult:
    """Reads logs, judges them in log order and returns what was found.

    Args:
        paths: files, folders, globs, ``-``.
        settings: what to read and how to judge.
        on_progress: called now and then with bytes read, bytes in all (0 = not known) and lines read.

    Raises:
        InputError: a log cannot be read, or none of it could be parsed.
        UsageError: a format or an identity is wrong.
        SinkError: ``settings.cases`` or ``settings.metrics`` cannot be written.
    """
    config = settings.config
    prepare(KERNELS + (DECLARED_KERNELS if config.partners or config.tripwires else ()), wait=False)
    resolver, routes = make_resolver(config)
    reader = Reader(paths, replace(read_settings(settings), ledgers=()), resolver)
    pipeline = _pipeline(settings, routes, reader)
    veil = pipeline.book.veil
    ranked = Ranked(pipeline, Ranking()) if settings.top else None
    backfill = _backfill(settings, pipeline, reader) if settings.metrics else None
    _judge(reader, pipeline, settings, ranked, backfill, on_progress)
    _look_again(paths, settings, resolver, pipeline)
    found, cases = _told(pipeline, reader, settings)
    return ReplayResult(
        incidents=found,
        coverage=reader.coverage,
        floor=list(cases.floor),
        notes=_notes(reader, resolver),
        features=lambda: veiled_features(features_of(pipeline.state), veil),
        unusual=veiled_ranks(ranked.top(settings.top), pipeline.state, veil) if ranked else [],
        cases=cases,
    )


def _judge(
    reader: Reader,
    pipeline: Pipeline,
    settings: ReplaySettings,
    ranked: Ranked | None,
    backfill: Backfill | None,
    on_progress: Callable[[int, int, int], None] | None,
) -> None:
    """Judges all that is read; a batch ahead where nobody looks at what is between two of them."""
    stepwise = ranked or backfill or settings.threads < 2 or settings.config.policy.ledger
    with Ahead(pipeline) as ahead:
        take = ranked.take if ranked else pipeline.take if stepwise else ahead.take
        for number, released in enumerate(reader):
            released.batch.flags |= released.late * np.uint8(LATE)
            rows = replace(released.batch, time_us=released.moment_us)
            backfill.take(released, rows, take) if backfill else take(rows)
            reader.coverage.count_objects(released.batch)
            if on_progress and number % PROGRESS_EVERY == 0:
                on_progress(*reader.progress())
    pipeline.finish()
    if backfill:
        backfill.finish(reader.coverage.rejected)
    if on_progress:
        on_progress(*reader.progress())


def _pipeline(settings: ReplaySettings, routes: Routes, reader: Reader) -> Pipeline:
    config = settings.config
    pipeline = Pipeline(rules(config), sizes(config), routes)
    if 0 < reader.progress()[1] < SHORT_BYTES:
        on_small_pages(getattr(pipeline.state, name) for name in TABLES)
    elif settings.threads > 1 and reader.progress()[1] >= LONG_BYTES:
        clear_ahead(getattr(pipeline.state, name) for name in HASHED)
    pipeline.book.veil = veil_of(config)
    preload(config, pipeline, reader.coverage)
    return pipeline


def _look_again(paths: Sequence[str | Path], settings: ReplaySettings, resolver: Resolver, pipeline: Pipeline) -> None:
    """What the list of records exposed needs of the files beyond the first reading, where it was asked for."""
    if not settings.exact:
        return
    again = read_settings(settings)
    complete(paths, again, resolver, pipeline)
    name_ids(paths, replace(again, ledgers=()), resolver, pipeline, hash_key(settings.config))


def _backfill(settings: ReplaySettings, pipeline: Pipeline, reader: Reader) -> Backfill:
    from detector.engines.backfill import Backfill

    detector = {"version": __version__, "config": settings.config.digest}
    assert settings.metrics is not None
    formats = [reader.formats.get(name) for name in reader.names]
    classes = data_classes(settings.config)
    return Backfill(settings.metrics, settings.metrics_step, pipeline, detector, formats, classes)


def _told(pipeline: Pipeline, reader: Reader, settings: ReplaySettings) -> tuple[list[Incident], Cases]:
    """The incidents, with what people have decided about them, and what stands behind them; the log has been read."""
    detector = {"version": __version__, "config": settings.config.digest}
    found = incidents(pipeline.book, detector)
    about = {**detector, "command": settings.command}
    floor = floor_lines(pipeline, reader.coverage)
    noticed_at, seal = clock.wall().isoformat(), seal_of(settings.config)
    cases = Cases(pipeline, reader.names, reader.coverage, floor, about, noticed_at, seal)
    if settings.cases:
        journal = Journal(settings.cases / FILE)
        found = [journal.mark(one) for one in found]
        cases.write(settings.cases)
    return found, cases


def make_resolver(config: Config) -> tuple[Resolver, Routes]:
    """The part that turns fields into rows, and the routes it shares names with.

    Raises:
        UsageError: a file the configuration names cannot be used: templates, persons, databases.
    """
    identity = Identity(ladder=config.identity.ladder, trusted_proxies=config.identity.trusted_proxies)
    key = hash_key(config)
    slug_after = config.routes.slug_after
    known = (declared(config), _persons(config, key), _places(config, key))
    resolver = Resolver(identity, key, slug_after, *known, config.source.sample_rate)
    routes = Routes(resolver.texts, key, slug_after)
    templates = declared_routes(config)
    if templates:
        routes.declare(templates, resolver.tokens([template.path for template in templates]))
    return resolver, routes


def declared_routes(config: Config) -> list[Template]:
    """The templates of the configuration: its own first, then those of the OpenAPI document.

    Raises:
        UsageError: one of them cannot be.
    """
    own = [parse_template(said.route, said.data_classes) for said in config.routes.templates]
    return own + (read_openapi(config.routes.openapi) if config.routes.openapi else [])


def data_classes(config: Config) -> list[str]:
    """The data classes that metrics tell apart: none, then the declared ones, first named first, and the rest as one.

    Raises:
        UsageError: the OpenAPI document cannot be used.
    """
    named = list(dict.fromkeys(name for route in declared_routes(config) for name in route.data_classes))
    named = [name for name in named if name not in (NO_CLASS, OTHER_CLASS)]
    own = DATA_CLASS.most - 2
    return [NO_CLASS, *named[:own], OTHER_CLASS]


def check_files(config: Config) -> list[str]:
    """What is wrong with the files a configuration names, a line a file: all that a run would refuse to start with."""
    problems = []
    with_key = (partial(_persons, key=REPLAY_KEY), partial(_places, key=REPLAY_KEY))
    for read in (check_keys, declared_routes, declared, policy, *with_key):
        try:
            read(config)
        except UsageError as error:
            problems.append(str(error))
    return problems


def _persons(config: Config, key: HashKey) -> Persons | None:
    return Persons.read(config.policy.persons, key) if config.policy.persons else None


def _places(config: Config, key: HashKey) -> Places | None:
    """Networks by database, where one is given: autonomous systems first."""
    paths = [path for path in (config.identity.asn_database, config.identity.country_database) if path]
    return Places([MaxMind(path) for path in paths], key) if paths else None


def read_settings(settings: ReplaySettings) -> ReadSettings:
    """What the reader needs of a replay's settings."""
    said = settings.config.detection.lateness_seconds
    return ReadSettings(
        log_format=settings.log_format,
        envelope=settings.config.source.envelope,
        since_us=settings.since_us,
        until_us=settings.until_us,
        vhost=settings.vhost,
        lateness_us=round((REPLAY_LATENESS_SECONDS if said is None else said) * 1e6),
        threads=settings.threads,
        ledgers=ledger_files(settings.config),
        key=hash_key(settings.config),
    )


def ledger_files(config: Config) -> tuple[str, ...]:
    """The files of the consent ledger, as they are opened."""
    return tuple(map(str, config.policy.ledger.files)) if config.policy.ledger else ()


def rules(config: Config) -> Rules:
    """What the configuration says about judging.

    Raises:
        UsageError: tripwires cannot be read.
    """
    detection = config.detection
    on = {name for name in PATTERNS if detection.patterns.get(name, True)}
    return Rules(
        budget=Budget(detection.false_incidents_per_day),
        floor=detection.min_records,
        close_after_us=round(detection.close_after_hours * 3.6e9),
        patterns=frozenset(on),
        contracts=contracts(config),
        suppressions=suppressions(config),
        tripwires=tripwires(config),
        policy=policy(config),
        reference_from_us=moment_us(detection.reference_from) if detection.reference_from else 0,
    )


def sizes(config: Config) -> Sizes:
    """Table sizes, rounded up to powers of two."""
    clients = _power(config.state.clients)
    rings = {"crossings": max(clients >> 3, 1 << 12), "maturity": max(clients >> 2, 1 << 12)}
    return Sizes(clients=clients, objects=_power(config.state.objects), cells=max(clients >> 4, 1 << 12), **rings)


def _power(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _notes(reader: Reader, resolver: Resolver) -> list[str]:
    named = {path: f"{name}, {reader.wrapped[path]}" for path, name in reader.formats.items() if path in reader.wrapped}
    notes = [f"{path}: read as {named.get(path, name)}" for path, name in reader.formats.items()][:FILES_NAMED]
    mixed = [
        f"{path}: mixed: {count:,} of its lines are {name} and rejected here: split the file by format, or read it "
        f"again with --log-format {name}"
        for path, others in reader.coverage.mixed.items()
        for name, count in others.items()
        if count
    ][:FILES_NAMED]
    if len(reader.formats) > len(notes):
        notes.append(f"and {len(reader.formats) - len(notes)} more files")
    return identity_report(resolver.counts()) + notes + mixed
