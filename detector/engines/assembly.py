"""A configuration made into a running sidecar: source, stores, sinks, metrics and the page they are read from."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

from detector import __version__, formats
from detector.compiled import prepare
from detector.config import Config
from detector.config_model import AlertmanagerConfig
from detector.engines.coverage import covered
from detector.engines.keeping import Keeper, Store, fingerprint
from detector.engines.local import DECLARED_KERNELS, KERNELS, data_classes
from detector.engines.privacy import SealedStore, check_keys, seal_of, snapshot_seal_of
from detector.engines.raised import FILE, Raised
from detector.engines.sidecar import Sidecar
from detector.engines.spreading import SpreadSidecar
from detector.engines.telemetry import Telemetry
from detector.engines.watch import Status
from detector.errors import ConfigError, SinkError, UsageError
from detector.formats.envelope import AUTO, Envelope
from detector.sinks.cases import CaseFolder
from detector.sinks.outbox import Outbox

KEY_BYTES = 32
STREAM_KERNELS = (
    *KERNELS,
    "detector.formats.text:SCAN",
    "detector.sources.lines:_FEEDS",
    "detector.records.resolve:WHOSE",
    "detector.formats.jsonlines:_SCAN",
    "detector.formats.envelope:UNWRAP",
    "detector.formats.otlp:UNROLL",
    "detector.sources.kafka_batches:_RECORDS",
    *DECLARED_KERNELS,
)
"""All a stream may need: which of them is known only when its first record is there, and that must not wait."""


@dataclass
class Running:
    """A sidecar and what must be ended with it."""

    sidecar: Sidecar
    port: int
    _ends: ExitStack

    def close(self) -> None:
        """Ends the page; the sidecar ends itself."""
        self._ends.close()


def with_folder(config: Config) -> Config:
    """The configuration with the folder its state lies in: as said, or below the user's own, by source."""
    if config.state.folder is not None:
        return config
    import platformdirs

    source = config.source
    named = repr((source.files and source.files.paths, source.kafka and (source.kafka.topics, source.kafka.consumer)))
    digest = blake2b(named.encode(), digest_size=6).hexdigest()
    return replace(config, state=replace(config.state, folder=Path(platformdirs.user_state_path("detector")) / digest))


def with_key(config: Config) -> Config:
    """The configuration with a secret key for its hashes: as said, or one made once and kept in the state's folder.

    Raises:
        ConfigError: members of a group would each make their own.
        SinkError: the folder cannot be written.
    """
    if config.state.key_file is not None:
        return config
    if config.state.shared is not None:
        raise ConfigError(["state.key_file: missing; members that share snapshots must hash alike"])
    assert config.state.folder is not None
    path = config.state.folder / "key"
    try:
        config.state.folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            scratch = path.with_name(f".key.{os.getpid()}")
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            scratch.rename(path)
    except OSError as error:
        raise SinkError(f"state.folder: {config.state.folder}: cannot be written: {error.strerror}") from error
    return replace(config, state=replace(config.state, key_file=path))


class _Forward:
    """The source's listener, made before the sidecar that listens."""

    def __init__(self) -> None:
        self.to: Any = None

    def assigned(self, partitions: Any) -> None:
        """Passes on."""
        self.to.assigned(partitions)

    def revoked(self, partitions: Any) -> None:
        """Passes on."""
        self.to.revoked(partitions)

    def lost(self, partitions: Any) -> None:
        """Passes on."""
        self.to.lost(partitions)


def build(config: Config, tell: Callable[..., None], standard_output: bool = False) -> Running:
    """Makes a sidecar ready to run: kernels compiled, state folder taken, page served, source connected.

    Args:
        config: what it says.
        tell: takes events of the log.
        standard_output: incidents go there where no sink is configured.

    Raises:
        UsageError: there is nothing to read, or a setting is wrong.
        InputError: the source cannot be reached or read.
        SinkError: the state folder, a sink or the page cannot be had.
    """
    from detector.sinks.prometheus import Metrics
    from detector.sinks.web import serve

    check_reading(config)
    config = with_key(with_folder(config))
    folder = config.state.folder
    assert folder is not None
    assert config.state.key_file is not None
    ends = ExitStack()
    with ExitStack() as undo:
        telling: list[Telemetry] = []
        sinks = make_sinks(config, standard_output, lambda: [record for one in telling for record in one.active()])
        classes = data_classes(config)
        metrics = Metrics(__version__, {"sink": [sink.name for sink in sinks], "data_class": classes})
        folder.mkdir(parents=True, exist_ok=True)
        telemetry = Telemetry(metrics, tell, data_classes=classes, raised=Raised(folder / FILE, tell))
        telling.append(telemetry)
        status = Status()
        server = serve(config.web.listen_address, metrics, status, *_pages(sinks, metrics))
        undo.callback(server.close)
        prepare(STREAM_KERNELS)
        forward = _Forward()
        source = make_source(config, forward)
        undo.callback(source.close)
        mark = fingerprint(config, config.state.key_file.read_bytes())
        keeper = _make_keeper(config, folder, mark, telemetry.snapshot_trouble)
        outbox = make_outbox(config, folder, sinks, telemetry)
        undo.callback(outbox.close)
        cases = _make_cases(config, folder, sinks)
        spread = config.source.kafka is not None and config.source.kafka.sharing == "spread"
        sidecar = (SpreadSidecar if spread else Sidecar)(config, source, keeper, outbox, telemetry, tell, cases, status)
        telemetry.quiet = cases.journal.quiet
        cases.covered = lambda: covered(sidecar.coverage, source.partitions)
        forward.to = sidecar
        ends = undo.pop_all()
    return Running(sidecar, server.port, ends)


def _pages(sinks: list[Any], metrics: Any) -> tuple[Any, ...]:
    """The pages of incidents to be served, where they are asked for, told how the sidecar stands."""
    from detector.sinks.live import Live

    for sink in sinks:
        if sink.name == "pages":
            sink.facts = Live(metrics).facts
            return sink.pages(), sink.below()
    return ()


def _make_keeper(config: Config, folder: Path, mark: str, trouble: Callable[..., None]) -> Keeper:
    return Keeper(SealedStore(make_store(config, folder), snapshot_seal_of(config), trouble), mark, trouble)


def _make_cases(config: Config, folder: Path, sinks: list[Any]) -> CaseFolder:
    """The folder of cases; with one that is deleted its incident's page goes too."""
    about = {"version": __version__, "config": config.digest}
    cases = CaseFolder(folder / "cases", about, keep_days=config.privacy.case_days, seal=seal_of(config))
    cases.forgotten = next((sink.forget for sink in sinks if sink.name == "pages"), cases.forgotten)
    return cases


def check_reading(config: Config) -> None:
    """Looks whether there are such a format, such an envelope and keys: before anything is connected or joined.

    Raises:
        UsageError: there are not.
    """
    check_keys(config)
    said = config.source
    for setting, name, load in (("format", said.format, formats.load), ("envelope", said.envelope, Envelope.named)):
        try:
            if name and name != AUTO:
                load(name)
        except UsageError as error:
            raise UsageError(f"source.{setting}: {error}") from error


def make_outbox(config: Config, folder: Path, sinks: list[Any], telemetry: Telemetry) -> Outbox:
    """The outbox in the folder of the state, which is this process's alone while it runs.

    Raises:
        UsageError: another process has the folder, or it cannot be written.
    """
    most = config.sinks.outbox_megabytes << 20
    try:
        return Outbox(folder / "outbox", sinks, max_bytes=most, told=telemetry.delivered)
    except SinkError as error:
        raise UsageError(f"state.folder: {error}") from error


def make_source(config: Config, listener: Any) -> Any:
    """The source a configuration names."""
    source = config.source
    if source.kafka is not None:
        from detector.sources.kafka import KafkaSource

        return KafkaSource(kafka_settings(config), listener)
    if source.files is not None:
        from detector.sources.follow import Follower

        return Follower(source.files.paths, gap=source.files.gap)  # type: ignore[arg-type]
    raise UsageError("nothing to read: name a file (detector run access.log), or source.kafka or source.files")


def kafka_settings(config: Config) -> Any:
    """The source's Kafka settings, checked."""
    from detector.sources.kafka_settings import KafkaSettings

    kafka = config.source.kafka
    assert kafka is not None
    ledger = (config.policy.ledger.topic,) if config.policy.ledger and config.policy.ledger.topic else ()
    return KafkaSettings(
        topics=(*kafka.topics, *ledger),
        whole=ledger,
        start=kafka.start,  # type: ignore[arg-type]
        consumer=kafka.consumer,
        start_ms=kafka.start_ms,
        gap=kafka.gap,  # type: ignore[arg-type]
        fast_decode=kafka.fast_decode,  # type: ignore[arg-type]
        sharing=kafka.sharing,  # type: ignore[arg-type]
    )


def make_store(config: Config, folder: Path) -> Store:
    """Where snapshots lie: shared by the group where it says so, else in this process's own folder."""
    from detector.state.store import FolderStore

    shared = config.state.shared
    if shared is not None and shared.topic is not None:
        from detector.sources.kafka_store import TopicStore

        if config.source.kafka is None:
            raise UsageError("state.shared.topic: goes with source.kafka")
        return TopicStore(shared.topic, config.source.kafka.consumer)
    return FolderStore(shared.folder if shared is not None and shared.folder else folder / "snapshots")


def make_sinks(config: Config, standard_output: bool, active: Callable[[], list[dict[str, Any]]]) -> list[Any]:
    """The sinks a configuration names; standard output where it names none and the caller wants it.

    Args:
        config: what it says.
        standard_output: whether the caller does.
        active: gives the records of the incidents that are active.
    """
    sinks: list[Any] = []
    said = config.sinks
    if said.jsonl is not None:
        from detector.sinks.jsonl import JsonLinesLog

        sinks.append(JsonLinesLog(said.jsonl.path, schema=said.jsonl.schema))
    if said.kafka is not None:
        from detector.sinks.kafka import KafkaTopicSink
        from detector.sinks.kafka_producer import KafkaTopic

        topic = KafkaTopic(said.kafka.topic, producer_settings(config))
        sinks.append(KafkaTopicSink(topic, schema=said.kafka.schema))
    if said.webhook is not None:
        from detector.sinks.webhook import Webhook, WebhookSettings

        hook = said.webhook
        settings = WebhookSettings(
            hook.url, hook.secret_file, min_severity=hook.min_severity, timeout_s=hook.timeout_seconds
        )
        sinks.append(Webhook(settings, schema=hook.schema))
    if said.alertmanager is not None:
        sinks.append(_alertmanager(said.alertmanager, active))
    if not sinks and standard_output:
        from detector.sinks.jsonl import JsonLinesLog

        sinks.append(JsonLinesLog(Path("/dev/stdout"), "stdout"))
    if config.web.incident_pages:
        from detector.report.blocking import block_list
        from detector.sinks.incident_pages import IncidentPages

        assert config.state.folder is not None
        sinks.append(IncidentPages(config.state.folder / "pages", seal_of(config, "pages"), block_list))
    return sinks


def _alertmanager(said: AlertmanagerConfig, active: Callable[[], list[dict[str, Any]]]) -> Any:
    from detector.sinks.alertmanager import Alertmanager, AlertmanagerSettings

    fields = {field.name: getattr(said, field.name) for field in dataclass_fields(said)}
    timeout_s = fields.pop("timeout_seconds")
    return Alertmanager(AlertmanagerSettings(**fields, timeout_s=timeout_s), active)


SECURITY = ("bootstrap", "security", "sasl", "ssl")  # beginnings of what producer and consumer have in common


def producer_settings(config: Config) -> dict[str, Any]:
    """The producer's settings; brokers and security of the source where it says none of its own."""
    assert config.sinks.kafka is not None
    own = dict(config.sinks.kafka.producer)
    if config.source.kafka is None or any(name.startswith("bootstrap") for name in own):
        return own
    common = {name: value for name, value in config.source.kafka.consumer.items() if name.startswith(SECURITY)}
    return {**common, **own}
