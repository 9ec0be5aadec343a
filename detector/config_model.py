"""What can be configured: one frozen dataclass a section. Names carry units; each option says what it does and where
its default comes from. The loader, its messages and the reference table in the README come from these fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.config_policy import PolicyConfig
from detector.config_privacy import PrivacyConfig
from detector.config_rule import Rule
from detector.config_rule import option as _option

IDENTITY_KINDS = ("account", "key", "certificate", "bot", "session", "address")
RUNGS = (*IDENTITY_KINDS, "fingerprint", "network")
_SCHEMA = Rule("what an incident is written as", choices=("native", "ocsf", "ecs"))


@dataclass(frozen=True)
class IdentityConfig:
    """Who asks."""

    ladder: tuple[str, ...] = _option(
        IDENTITY_KINDS,
        Rule("what names a client, best first; the first one present in a line counts", None, None, RUNGS),
    )
    trusted_proxies: tuple[str, ...] = _option(
        (), Rule("networks whose X-Forwarded-For is believed; nobody by default", check="network")
    )
    asn_database: Path | None = _option(
        None,
        Rule(
            "a database in MaxMind's format (GeoLite2-ASN.mmdb): networks are then autonomous systems, not /24s",
            check="file",
        ),
    )
    country_database: Path | None = _option(
        None, Rule("the same for countries, where the other does not know an address", check="file")
    )


@dataclass(frozen=True)
class TemplateConfig:
    """A declared route."""

    route: str = _option("", Rule("a template, such as GET /users/{user}/orders/{id}; no method = any", required=True))
    data_classes: tuple[str, ...] = _option((), Rule("what it hands out, such as phone, name, chat"))


@dataclass(frozen=True)
class RoutesConfig:
    """What is asked."""

    openapi: Path | None = _option(
        None,
        Rule(
            "an OpenAPI document, whose paths override learnt ones and bring data classes (x-data-class)", check="file"
        ),
    )
    templates: tuple[TemplateConfig, ...] = _option((), Rule("declared routes, which override learnt ones"))

    slug_after: int = _option(
        32,
        Rule(
            "distinct literal names under one path that make the place an object; "
            "a resource rarely has more than a few dozen fixed children (judgement)",
            2,
            4096,
        ),
    )


@dataclass(frozen=True)
class DetectionConfig:
    """When enough has been seen."""

    false_incidents_per_day: float = _option(
        1.0, Rule("false incidents above informational that are accepted, all patterns together", 0.001, 1000)
    )
    min_records: int = _option(
        100,
        Rule(
            "fewest distinct records of one client and day that amount and coldness together may raise (judgement; "
            "single people read up to 874 a day on a public portal, but popular ones)",
            1,
            10**9,
        ),
    )
    lateness_seconds: float | None = _option(
        None,
        Rule(
            "how long records wait to be put in order, for servers log a request when it ends; "
            "60 in replay and 1 in run where nothing is said",
            0,
            3600,
        ),
    )
    close_after_hours: float = _option(
        30.0,
        Rule("quiet time that closes an incident; over a day, so that one that comes back daily stays one", 0.1, 720),
    )
    reference_from: str | None = _option(
        None,
        Rule(
            "the week that learning is held to begins with this moment, such as 2026-11-21T16:00; "
            "with the first full day of log where not said",
            check="moment",
        ),
    )
    patterns: dict[str, bool] = _option({}, Rule("patterns of the catalogue, on or off; on where not named"))


@dataclass(frozen=True)
class MatchConfig:
    """How a partner is recognised: by its accounts and keys, by its networks, or, where both are named, by both."""

    accounts: tuple[str, ...] = _option((), Rule("accounts as the log names them"))
    keys: tuple[str, ...] = _option(
        (), Rule("API keys as incidents name them: key~ and 16 hexadecimal digits", check="key")
    )
    networks: tuple[str, ...] = _option((), Rule("addresses or networks, such as 192.0.2.0/24", check="network"))
    networks_file: Path | None = _option(
        None, Rule("the same as a file: ranges a crawler publishes (JSON), or a list, one a line", check="file")
    )
    names_file: Path | None = _option(
        None, Rule("addresses and their names by verified DNS, as CSV address,name; with names", check="file")
    )
    names: tuple[str, ...] = _option((), Rule("ends of those names, such as .googlebot.com"))
    bots: tuple[str, ...] = _option((), Rule("bots as the edge verified them (Web Bot Auth), as the log says"))


@dataclass(frozen=True)
class ContractConfig:
    """What was agreed with a partner; outside of it is always told. Networks are those of `match`."""

    records_per_day: int | None = _option(
        None,
        Rule("most records a day (UTC); where not said, twice its largest hour of the last week is", 1, 10**12),
    )
    routes: tuple[str, ...] = _option(
        (),
        Rule("templates it may read through, such as GET /api/v1/items/{id} or /api/*; any by default", check="route"),
    )
    hours: tuple[str, ...] = _option(
        (), Rule("hours of the day in UTC, such as 02:00-04:00; any by default", check="hours")
    )
    learn: bool = _option(
        True, Rule("where no amount is said, whether its past is the measure; false for load tests of one's own")
    )


@dataclass(frozen=True)
class PartnerConfig:
    """A declared client that reads in bulk by agreement, an export, a crawler: quiet inside its contract."""

    name: str = _option("", Rule("who it is, for people", check="name", required=True))
    match: MatchConfig = _option(MatchConfig(), Rule("how it is recognised", required=True))
    contract: ContractConfig = _option(ContractConfig(), Rule("what was agreed"))


@dataclass(frozen=True)
class QuietConfig:
    """What a suppression speaks of: every kind that is named must hold for all of an incident, by any of its values."""

    clients: tuple[str, ...] = _option((), Rule("clients as incidents name them"))
    accounts: tuple[str, ...] = _option((), Rule("accounts as the log names them"))
    networks: tuple[str, ...] = _option(
        (), Rule("addresses or networks of clients told by their address", check="network")
    )
    agents: tuple[str, ...] = _option((), Rule("user agents, word for word"))
    routes: tuple[str, ...] = _option((), Rule("templates, such as GET /users/{id}", check="route"))
    patterns: tuple[str, ...] = _option((), Rule("patterns of the catalogue", check="pattern"))


@dataclass(frozen=True)
class SuppressionConfig:
    """Incidents that somebody answers for: judged, recorded and counted, never paged."""

    match: QuietConfig = _option(QuietConfig(), Rule("which incidents", required=True))
    reason: str = _option("", Rule("why they are nobody's alarm", check="text", required=True))
    owner: str = _option("", Rule("who answers for it", check="text", required=True))
    expires: str = _option("", Rule("last day of log time (UTC) on which it holds", check="date", required=True))
    name: str = _option("", Rule("what incidents say in suppressed_by; the reason where not said", check="name"))


@dataclass(frozen=True)
class TripwireConfig:
    """Records nobody may read: planted ones, or retired ones that are still there. One read is critical."""

    name: str = _option("", Rule("what incidents call it", check="name", required=True))
    route: str = _option(
        "", Rule("template they are read through, such as GET /users/{id}", check="wire", required=True)
    )
    ids: tuple[str, ...] = _option((), Rule("the ids as a path has them"))
    ids_file: Path | None = _option(None, Rule("a file of ids, one a line", check="file"))


@dataclass(frozen=True)
class FilesConfig:
    """Growing log files that `run` follows."""

    paths: tuple[str, ...] = _option((), Rule("the log files, rotated or not", required=True))
    gap: str = _option(
        "error", Rule("what to do when a rotated file is gone before it was read", choices=("error", "continue"))
    )


@dataclass(frozen=True)
class KafkaSourceConfig:
    """Topics that `run` consumes."""

    topics: tuple[str, ...] = _option((), Rule("the topics", required=True))
    start: str = _option(
        "",
        Rule(
            "where a group that has no offsets yet begins; said outright, for the client's own default skips silently",
            choices=("earliest", "latest", "timestamp"),
            required=True,
        ),
    )
    start_ms: int | None = _option(None, Rule("milliseconds since 1970, for start: timestamp", 0, 4_102_444_800_000))
    gap: str = _option(
        "error",
        Rule(
            "what to do when records not read yet are gone from the broker: stop, or go on and count them",
            choices=("error", "continue"),
        ),
    )
    fast_decode: str = _option(
        "auto", Rule("whole record batches in a kernel where the client allows it", choices=("auto", "off"))
    )
    sharing: str = _option(
        "one",
        Rule(
            "one member judges the whole stream and others stand by, or partitions are spread over the members",
            choices=("one", "spread"),
        ),
    )
    consumer: dict[str, Any] = _option(
        {}, Rule("settings of the consumer by kafka-python's names or the dotted ones; secrets as *_file")
    )


@dataclass(frozen=True)
class SourceConfig:
    """Where `run` reads from."""

    format: str | None = _option(None, Rule("a preset's name or a log_format string; detected where not said"))
    envelope: str = _option(
        "auto",
        Rule("what wraps a log record: none, auto, otlp_proto, otlp_body, or the key it is under, such as message"),
    )
    sample_rate: float = _option(1.0, Rule("share of requests that get a line, where the gateway samples", 1e-6, 1))
    files: FilesConfig | None = _option(None, Rule("growing log files"))
    kafka: KafkaSourceConfig | None = _option(None, Rule("Kafka topics"))


@dataclass(frozen=True)
class SharedConfig:
    """Where snapshots lie so that every member of the group reaches them."""

    folder: Path | None = _option(None, Rule("a folder on storage that all members mount"))
    topic: str | None = _option(None, Rule("a compacted topic on the brokers of the source"))


@dataclass(frozen=True)
class StateConfig:
    """What is remembered, in fixed memory, and where it is kept."""

    clients: int = _option(1 << 20, Rule("clients remembered at once", 1024, 1 << 26))
    objects: int = _option(1 << 23, Rule("recently read objects remembered at once", 1024, 1 << 31))
    key_file: Path | None = _option(
        None,
        Rule(
            "secret of at least 16 bytes that keys all hashes; without it replay uses a published key, and run makes "
            "one in its folder",
            check="file",
        ),
    )
    folder: Path | None = _option(
        None, Rule("folder of snapshots, outbox, cases and key; the user's state folder where not said")
    )
    snapshot_seconds: float = _option(
        30.0,
        Rule("time between snapshots: what is read again after a crash", 0.1, 3600),
    )
    shared: SharedConfig | None = _option(
        None, Rule("where snapshots lie for the whole group; each member's own folder where not said")
    )


@dataclass(frozen=True)
class JsonLinesConfig:
    """Incidents appended to a file, one JSON object a line."""

    path: Path = _option(Path(), Rule("the file", required=True))
    schema: str = _option("native", _SCHEMA)


@dataclass(frozen=True)
class KafkaSinkConfig:
    """Incidents produced to a topic, keyed by their id."""

    topic: str = _option("", Rule("the topic", required=True))
    schema: str = _option("native", _SCHEMA)
    producer: dict[str, Any] = _option(
        {},
        Rule(
            "settings of the producer by kafka-python's names or the dotted ones; secrets as *_file; "
            "bootstrap_servers and security as in the source where not said"
        ),
    )


@dataclass(frozen=True)
class WebhookConfig:
    """Incidents posted to a URL as JSON."""

    url: str = _option("", Rule("http or https", required=True))
    schema: str = _option("native", _SCHEMA)
    secret_file: Path | None = _option(None, Rule("a bearer token sent along", check="file"))
    min_severity: str = _option(
        "low",
        Rule("the least severe that are posted", choices=("informational", "low", "medium", "high", "critical")),
    )
    timeout_seconds: float = _option(10.0, Rule("for one attempt", 0.1, 120))


@dataclass(frozen=True)
class AlertmanagerConfig:
    """Incidents pushed to Alertmanager; then the rules for incidents must be off, or everybody is paged twice."""

    url: str = _option("", Rule("of Alertmanager, http or https", required=True))
    secret_file: Path | None = _option(None, Rule("a bearer token sent along", check="file"))
    min_severity: str = _option(
        "low", Rule("the least severe that are sent", choices=("low", "medium", "high", "critical"))
    )
    labels: dict[str, Any] = _option({}, Rule("added to every alert"))
    clients: bool = _option(False, Rule("whether the first ten clients are named in an annotation"))
    incident_url: str = _option("", Rule("an incident's own page; {incident} is its id"))
    runbooks: str = _option("", Rule("where configs/runbooks is published"))
    dashboard: str = _option("", Rule("the dashboard of incidents; {pattern} is their pattern"))
    timeout_seconds: float = _option(10.0, Rule("for one attempt", 0.1, 120))


@dataclass(frozen=True)
class SinksConfig:
    """Where incidents go."""

    jsonl: JsonLinesConfig | None = _option(None, Rule("a file of JSON lines"))
    kafka: KafkaSinkConfig | None = _option(None, Rule("a topic"))
    webhook: WebhookConfig | None = _option(None, Rule("a URL"))
    alertmanager: AlertmanagerConfig | None = _option(None, Rule("an Alertmanager; the alternative to alert rules"))
    outbox_megabytes: int = _option(
        64, Rule("incidents kept on disk while sinks are down; reading pauses when it is full", 1, 65_536)
    )


@dataclass(frozen=True)
class WebConfig:
    """Metrics and health, and pages of incidents where they are turned on."""

    listen_address: str = _option("127.0.0.1:9476", Rule("host:port; loopback unless said, for nothing here asks who"))
    incident_pages: bool = _option(
        False, Rule("a page for each incident below /incidents; it names clients to everybody who reaches the address")
    )


@dataclass(frozen=True)
class Config:
    """A whole configuration; its default is what runs without a file."""

    source: SourceConfig = _option(SourceConfig(), Rule("where `run` reads from"))
    identity: IdentityConfig = _option(IdentityConfig(), Rule("who asks"))
    routes: RoutesConfig = _option(RoutesConfig(), Rule("what is asked"))
    policy: PolicyConfig = _option(PolicyConfig(), Rule("whose data it is"))
    detection: DetectionConfig = _option(DetectionConfig(), Rule("when enough has been seen"))
    partners: tuple[PartnerConfig, ...] = _option((), Rule("clients that read in bulk by agreement"))
    suppressions: tuple[SuppressionConfig, ...] = _option((), Rule("incidents that somebody answers for"))
    tripwires: tuple[TripwireConfig, ...] = _option((), Rule("records nobody may read"))
    state: StateConfig = _option(StateConfig(), Rule("what is remembered, and where it is kept"))
    privacy: PrivacyConfig = _option(PrivacyConfig(), Rule("pseudonyms, encryption, and how long cases are kept"))
    sinks: SinksConfig = _option(SinksConfig(), Rule("where incidents go"))
    web: WebConfig = _option(WebConfig(), Rule("metrics and health"))
