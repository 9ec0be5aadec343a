"""What is told to the Kafka consumer: names of kafka-python, of the Java client and of librdkafka, checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from detector import kafka_names
from detector.errors import ConfigError
from detector.kafka_names import with_secrets

Start = Literal["earliest", "latest", "timestamp"]

WHERE = "source.kafka.consumer"

# What delivery rests on (README, "What is promised"); the same value may be written down, no other.
FORCED: dict[str, Any] = {
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
}
# Settings that take Python objects, or that reading by batches has no use for.
_WITHHELD = {
    *("key_deserializer", "value_deserializer", "kafka_client", "selector", "metric_reporters", "socket_options"),
    *("default_offset_commit_callback", "consumer_timeout_ms", "ssl_context", "sasl_oauth_token_provider"),
    *("auto_commit_interval_ms", "max_poll_records", "socks5_proxy", "partition_assignment_strategy"),
    *("metrics_enabled", "metrics_num_samples", "metrics_sample_window_ms", "metric_group_prefix"),
}
RECONNECT_MS = 1_000  # the Java client's; with the client's own 30 s a broker that is back would be left alone so long
DEFAULTS: dict[str, Any] = {
    "max_partition_fetch_bytes": 16 << 20,  # the next comes while this one is judged; 4 MiB: a tenth slower (measured)
    "heartbeat_interval_ms": 1_000,  # a rebalance waits for every member's next heartbeat; the client's own is 3,000
    "metadata_max_age_ms": 60_000,  # a new partition is noticed within a minute; the client's own is five
    "reconnect_backoff_max_ms": RECONNECT_MS,
    "bootstrap_timeout_ms": 20_000,  # said within half a minute of starting; the client's own is 30 s
    "metrics_enabled": False,
    "client_id": "detector",
}
MAX_POLL_MS = 300_000  # kafka-python's and the Java client's default: whoever drains longer is thrown out
DRAIN_S = 20.0  # meanwhile the next member waits: less than the 45 s after which it had to wait for one that died


@dataclass(frozen=True)
class KafkaSettings:
    """What to read from Kafka, and from where on.

    Attributes:
        topics: their names, one at least.
        consumer: kafka-python's settings by their own names or the dotted ones of other clients; a secret is named with
            ``_file`` (``sasl_plain_password_file``, ``sasl.password_file``) and read from there.
        start: where a group that has no offsets yet begins. A partition that is new to a group is read from its first
            record, whatever is said here.
        start_ms: milliseconds since 1970 for ``start="timestamp"``: the first record of that time or later.
        gap: what to do when records not read yet are gone from the broker: ``error``, or ``continue`` behind the gap,
            which is counted.
        sharing: ``one`` member of the group reads everything and the others stand by, or they ``spread`` the partitions
            out among them.
        drain_s: seconds a rebalance waits for the partitions it takes away to be dealt with and committed; heartbeats
            go on meanwhile.
        whole: topics of `topics` that are always read from their first record: state, not traffic.
        fast_decode: read by whole batches where the client installed allows it (``auto``), or never (``off``).

    Raises ``ConfigError`` with every problem, a line each.
    """

    topics: tuple[str, ...]
    start: Start
    consumer: Mapping[str, Any] = field(default_factory=dict, repr=False)
    start_ms: int | None = None
    gap: Literal["error", "continue"] = "error"
    fast_decode: Literal["auto", "off"] = "auto"
    sharing: Literal["one", "spread"] = "one"
    drain_s: float = DRAIN_S
    whole: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = []
        if not self.topics:
            problems.append("source.kafka.topics: name one at least")
        if self.start not in ("earliest", "latest", "timestamp"):
            problems.append(f"source.kafka.start: {self.start!r}; allowed: earliest, latest, timestamp")
        if (self.start == "timestamp") != (self.start_ms is not None):
            problems.append("source.kafka.start_ms: goes with start: timestamp, and with no other start")
        if self.sharing not in ("one", "spread"):
            problems.append(f"source.kafka.sharing: {self.sharing!r}; allowed: one, spread")
        values, wrong = translated(self.consumer)
        problems += wrong
        longest_s = float(values.get("max_poll_interval_ms", MAX_POLL_MS)) / 1000
        if not 0 < self.drain_s < longest_s:
            problems.append(
                f"source.kafka.drain_s: {self.drain_s:g}; above 0, under max_poll_interval, {longest_s:g} s"
            )
        if problems:
            raise ConfigError(problems)

    @property
    def group(self) -> str | None:
        """The consumer group; None reads every partition and commits nothing."""
        group = translated(self.consumer)[0].get("group_id")
        return None if group is None else str(group)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``KafkaConsumer``; reads the files of secrets.

        Raises:
            ConfigError: a file of a secret cannot be read.
        """
        values, problems = translated(self.consumer)
        if problems:
            raise ConfigError(problems)
        return {**DEFAULTS, **with_secrets(values, WHERE), **FORCED}


def translated(consumer: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Settings by kafka-python's names, secrets still as ``…_file``; and what is wrong, a line each."""
    from kafka import KafkaConsumer

    return kafka_names.translated(consumer, set(KafkaConsumer.DEFAULT_CONFIG), WHERE, FORCED, _WITHHELD)
