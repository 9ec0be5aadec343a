"""Every metric there is: name, kind, meaning, and the closed lists its labels take their values from.

Label values never come from a log: not a client, a path or a user agent. Labels without a list here are bounded by what
is declared (``data_class``, ``sink``, ``format``: presets and configuration) or held (``topic``, ``partition``), and by
``limit``. The lists repeat those of other rooms, which this one may not import; a test holds them equal.

A pattern shows three severities at most, though there are five: see ``detector.sinks.prometheus``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

PREFIX = "detector_"
MAX_SERIES = 500  # beside those of partitions, whatever the input; 100,000 series took 3.6 s a scrape (measured)
MAX_PARTITIONS = 200

Kind = Literal["counter", "gauge", "histogram", "info"]


class Label(NamedTuple):
    """A label: its name, the values it may take, and how many series it may open together with those before it."""

    name: str
    values: tuple[str, ...] = ()
    limit: int = 0

    @property
    def most(self) -> int:
        """The most values this label can show."""
        return self.limit or len(self.values)


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: without the prefix ``detector_``.
        kind: as Prometheus has them; ``info`` is a gauge that is always 1.
        help: what it says, in base units.
        labels: its labels, all from closed lists.
        buckets: upper bounds of a histogram, without ``+Inf``.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """The name as it is exposed."""
        return PREFIX + self.name

    @property
    def most_series(self) -> int:
        """The most series it can open; a histogram has one a bucket and three more."""
        combinations = 1
        for label in self.labels:
            combinations *= label.most
        return combinations * (len(self.buckets) + 3 if self.kind == "histogram" else 1)


FORMAT = Label("format", limit=40)
REASON = Label(
    "reason",
    ("empty", "too_long", "torn", "layout", "time", "status", "bytes", "address", "binary", "json", "comment"),
)
EVICTION = Label("reason", ("full", "idle", "revoked"))
IDENTITY = Label("kind", ("address", "account", "key", "session", "network", "certificate", "fingerprint", "bot"))
PATTERN = Label(
    "pattern",
    (
        "walk",
        "sweep",
        "bulk",
        "guessing",
        "campaign",
        "fan_out",
        "lookup",
        "over_fetch",
        "metronome",
        "contract",
        "consent",
        "tripwire",
        "custom",
    ),
)
SEVERITY = Label("severity", ("informational", "low", "medium", "high", "critical"), limit=3)  # three a pattern
SHOWN = ("low", "medium", "high")  # the three of ``incidents_total``
WHEN_RAISED = {"informational": "low", "critical": "high"}  # what the other two are counted as there
DATA_CLASS = Label("data_class", limit=8)
SINK = Label("sink", limit=8)
TOPIC = Label("topic", limit=1)
PARTITION = Label("partition", limit=MAX_PARTITIONS)

BATCH_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
DELAY_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 14400, 86400, 259200)  # a walk is found in seconds, a slow one in days

METRICS: tuple[Metric, ...] = (
    Metric("requests_total", "counter", "Requests parsed.", (FORMAT,)),
    Metric("requests_rejected_total", "counter", "Lines that are no request, by reason.", (REASON,)),
    Metric("requests_late_total", "counter", "Requests older than the order they should have stood in."),
    Metric("requests_doubled_total", "counter", "Requests that both proxies of a hop logged, counted once."),
    Metric("requests_future_total", "counter", "Requests dated more than an hour ahead of those around them."),
    Metric("object_known_ratio", "gauge", "Share of requests whose object is known, 0 to 1."),
    Metric(
        "identity_known_ratio", "gauge", "Share of requests whose client is known by this kind, 0 to 1.", (IDENTITY,)
    ),
    Metric("incidents_total", "counter", "Incidents raised.", (PATTERN, SEVERITY)),
    Metric("incidents_open", "gauge", "Incidents not yet closed.", (PATTERN, SEVERITY)),
    Metric("incidents_active", "gauge", "Open incidents with evidence younger than ten minutes.", (PATTERN, SEVERITY)),
    Metric("incidents_suppressed_total", "counter", "Incidents kept quiet by a suppression.", (PATTERN,)),
    Metric("records_exposed_total", "counter", "Records exposed, lower bound.", (PATTERN, DATA_CLASS)),
    Metric("records_exposed_estimate", "gauge", "Records exposed by open incidents, best estimate.", (PATTERN,)),
    Metric(
        "floor_records",
        "gauge",
        "Distinct records a day that one client may read out of order unseen; +Inf while no amount would be seen.",
    ),
    Metric("consent_changes_total", "counter", "Changes of the consent ledger read."),
    Metric(
        "consent_ledger_lag_seconds", "gauge", "How long the consent ledger took for what it had last; 0 without one."
    ),
    Metric(
        "consent_reads_unjudged_total",
        "counter",
        "Reads that need a grant while the consent ledger is missing or more than 15 minutes late.",
    ),
    Metric("clients_tracked", "gauge", "Clients remembered."),
    Metric("clients_evicted_total", "counter", "Clients forgotten, by reason.", (EVICTION,)),
    Metric("state_bytes", "gauge", "Bytes of state held."),
    Metric("event_lag_seconds", "gauge", "Wall clock less the newest log time judged."),
    Metric("kafka_consumer_lag", "gauge", "Records of a partition not yet read.", (TOPIC, PARTITION)),
    Metric("partitions_assigned", "gauge", "Partitions this process reads."),
    Metric("source_stalled", "gauge", "1 while the source holds records and reading does not move."),
    Metric("records_lost_total", "counter", "Log records that were gone from the source before they were read."),
    Metric("records_reread_total", "counter", "Log records read again for want of a usable snapshot."),
    Metric("tombstones_total", "counter", "Kafka records without a value."),
    Metric("sharing_partial", "gauge", "1 while this process sees only a share of the stream."),
    Metric(
        "clients_on_several_partitions_total",
        "counter",
        "Requests by clients on another partition than their first, whose evidence may be split.",
    ),
    Metric("batch_duration_seconds", "histogram", "Time to parse and judge one batch.", (), BATCH_SECONDS),
    Metric("alert_delay_seconds", "histogram", "Log time from first signal to incident.", (), DELAY_SECONDS),
    Metric("sink_failures_total", "counter", "Deliveries that failed.", (SINK,)),
    Metric("sink_deliveries_total", "counter", "Deliveries that a sink has taken.", (SINK,)),
    Metric("sink_refused_total", "counter", "Incidents that a sink will never take, set aside.", (SINK,)),
    Metric("outbox_pending", "gauge", "Incidents on disk that a sink has yet to take.", (SINK,)),
    Metric("outbox_bytes", "gauge", "Bytes of the outbox; reading pauses while it is full."),
    Metric("snapshot_failures_total", "counter", "Snapshots that could not be written or could not be used."),
    Metric("snapshot_last_success_timestamp_seconds", "gauge", "When state was last saved, seconds since 1970."),
    Metric("last_request_timestamp_seconds", "gauge", "Log time of the newest request, seconds since 1970."),
    Metric("warming", "gauge", "1 while baselines are still being learnt."),
    Metric("config_last_reload_successful", "gauge", "1 if the last reload of the configuration was taken."),
    Metric("fast_decode", "gauge", "1 while Kafka batches are decoded in machine code."),
    Metric("build_info", "info", "The program's version.", (Label("version", limit=1),)),
)

OF_A_STREAM = (
    "kafka_consumer_lag",
    "partitions_assigned",
    "source_stalled",
    "records_lost_total",
    "records_reread_total",
    "tombstones_total",
    "sharing_partial",
    "clients_on_several_partitions_total",
    "batch_duration_seconds",
    "sink_failures_total",
    "sink_deliveries_total",
    "sink_refused_total",
    "outbox_pending",
    "outbox_bytes",
    "snapshot_failures_total",
    "snapshot_last_success_timestamp_seconds",
    "config_last_reload_successful",
    "fast_decode",
)
"""What only a process that follows a stream can say: the samples that a replay writes leave these out."""
