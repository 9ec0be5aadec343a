"""Some records of topics, to see what they are. No group is joined, nothing is committed."""

from __future__ import annotations

from detector.clock import monotonic
from detector.errors import InputError
from detector.sources.kafka_client import opened, said, theirs
from detector.sources.kafka_places import held
from detector.sources.kafka_settings import KafkaSettings
from detector.sources.kafka_topics import Topics

SAMPLE_RECORDS = 5_000  # of all partitions together, the newest
SAMPLE_S = 10.0  # as long as each step of `kafka_check`


def sample_topics(settings: KafkaSettings, most: int = SAMPLE_RECORDS) -> list[bytes]:
    """The values of the newest records, by partition and offset; tombstones left out.

    Raises:
        ConfigError: a setting is wrong.
        InputError: the broker does not answer, a topic is missing, or may not be read.
    """
    from kafka import KafkaConsumer

    arguments = {"bootstrap_timeout_ms": round(1000 * SAMPLE_S), **settings.arguments(), "group_instance_id": None}
    consumer = opened(KafkaConsumer, arguments)
    try:
        topics = Topics(settings.topics)
        with said("finding the topics"):
            topics.find(consumer)
        edges = {part: edge for part, edge in held(consumer, topics.partitions).items() if edge[1] > edge[0]}
        if not edges:
            raise InputError(f"the topics {', '.join(settings.topics)} are empty: there is nothing to inspect")
        consumer.assign([theirs(part) for part in edges])
        share = max(1, most // len(edges))
        for part, (first, end) in edges.items():
            consumer.seek(theirs(part), max(first, end - share))
        values: dict[object, list[bytes]] = {}
        until = monotonic() + SAMPLE_S
        with said("reading"):
            while monotonic() < until and any(consumer.position(theirs(p)) < end for p, (_, end) in edges.items()):
                for part, records in consumer.poll(500, max_records=most).items():
                    values.setdefault(part, []).extend(record.value for record in records if record.value)
        return [value for part in sorted(values, key=str) for value in values[part]][:most]
    finally:
        consumer.close(autocommit=False, timeout_ms=1_000)
