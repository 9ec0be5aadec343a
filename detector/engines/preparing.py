"""The reading side of a stream made ready: its log, and the consent ledger beside it."""

from __future__ import annotations

from detector.config import Config
from detector.engines.coverage import Coverage
from detector.engines.declaring import hash_key
from detector.engines.feed import Filter
from detector.engines.intake import Intake, Source, lateness_us
from detector.engines.ledger import LedgerFeed
from detector.pipeline import Pipeline
from detector.records.ledger import LedgerResolver
from detector.records.resolve import Resolver
from detector.sources.files import CHUNK_BYTES, discover


def make_intake(config: Config, source: Source, resolver: Resolver, pipeline: Pipeline) -> Intake:
    """What reads the source; the ledger's files are in the pipeline before its first row.

    Raises:
        InputError: one of them cannot be read, or is no ledger.
    """
    said = config.source
    keyed = said.kafka is not None and said.kafka.sharing == "spread"
    ledger = ledger_of(config)
    intake = Intake(source, resolver, lateness_us(config), said.format, said.envelope, keyed, ledger)
    preload(config, pipeline, intake.coverage)
    return intake


def ledger_of(config: Config) -> tuple[str, LedgerResolver] | None:
    """The topic of the consent ledger and what makes rows of its messages; None without one."""
    said = config.policy.ledger
    return (said.topic, LedgerResolver(hash_key(config))) if said is not None and said.topic else None


def preload(config: Config, pipeline: Pipeline, coverage: Coverage) -> None:
    """Takes the ledger's files in before the first row, each change at the moment the ledger had it, as far as it says
    so: a file is no stream, so the order of its lines means nothing.

    Raises:
        InputError: one of them cannot be read, or is no ledger.
    """
    resolver = LedgerResolver(hash_key(config))
    for file in discover(config.policy.ledger.files if config.policy.ledger else ()):
        feed = LedgerFeed(file, resolver)
        while not feed.finished:
            for part in feed.step(CHUNK_BYTES, resolver, Filter(), coverage):
                pipeline.consents.take(part.batch)
