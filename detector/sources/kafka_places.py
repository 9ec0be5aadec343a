"""Places in partitions: where a group begins, what the broker still holds, and how far back a moment lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from detector.clock import monotonic
from detector.errors import InputError
from detector.sources.kafka_client import Partition, ours, said, theirs
from detector.sources.kafka_settings import KafkaSettings

# The time of a place is the median of the records before it: one record with a clock of its own does not move it.
RECORDS_BEFORE = 1_024
PROBE_BYTES = 256 << 10  # fetched for it from each partition; the broker gives one batch at least
PROBE_S = 20.0  # to hear from all of them; the client's own request time-out is 30 s


class OffsetGap(InputError):
    """Records that were to be read next are gone from the broker.

    Attributes:
        partition: where.
        position: the offset that was to be read next.
        first: the first offset the broker still holds.
        end: the offset its next record will get.
        missing: how many offsets are gone, 0 where the topic was made anew or cut.
    """

    def __init__(self, partition: Partition, position: int, first: int, end: int, anew: bool = False) -> None:
        self.partition = partition
        self.position = position
        self.first = first
        self.end = end
        self.missing = 0 if anew else max(first - position, 0)
        where = f"topic {partition[0]}, partition {partition[1]}"
        if self.missing:
            what = f"{self.missing} records are gone, offsets {position} to {first - 1}: retention was shorter than"
            what += " the pause in reading"
        elif anew:
            what = "the topic was deleted and made anew since it was read"
        else:
            what = f"offset {position} was to be read next, but it ends at {end}: the topic was made anew or cut"
        super().__init__(f"{where}: {what}; `source.kafka.gap: continue` goes on at offset {first}")


def beginnings(
    consumer: Any, settings: KafkaSettings, missing: Sequence[Any], whole: Iterable[Any]
) -> dict[Partition, int]:
    """Where to begin partitions that have no offset: as ``start`` says, those of ``whole`` at their first record."""
    with said("finding the place to start at"):
        places = dict(consumer.end_offsets(list(missing))) if settings.start != "earliest" else {}
        if settings.start == "timestamp":
            times = consumer.offsets_for_times(dict.fromkeys(missing, settings.start_ms))
            places |= {one: found.offset for one, found in times.items() if found is not None}
        first = [one for one in missing if settings.start == "earliest" or one in set(whole)]
        if first:
            places |= consumer.beginning_offsets(first)
    return {ours(one): offset for one, offset in places.items()}


def held(consumer: Any, partitions: Iterable[Partition]) -> dict[Partition, tuple[int, int]]:
    """The first offset the broker holds of each partition and the one its next record will get."""
    wanted = [theirs(partition) for partition in partitions]
    with said("finding what the broker still holds"):
        first = consumer.beginning_offsets(wanted)
        end = consumer.end_offsets(wanted)
    return {ours(one): (first[one], end[one]) for one in wanted}


def rewound(
    consumer: Any, probe: Callable[[], Any], places: Mapping[Partition, int], by_us: int
) -> dict[Partition, int]:
    """For each place the offset that lies ``by_us`` microseconds of broker time before it, or the first one held.

    Args:
        consumer: asked for offsets; neither its places nor its assignment change.
        probe: opens a consumer without a group, to read times with; closed here.
        places: offsets that the broker holds or will give next.
        by_us: how far.

    Raises:
        InputError: the broker does not answer.
    """
    edges = held(consumer, places)
    back = {partition: edges[partition][0] for partition in places}
    search = {partition: place for partition, place in places.items() if place > back[partition]}
    if not search:
        return back
    reader = probe()
    try:
        with said("reading the times of records"):
            times = _times(reader, search, back)
    finally:
        reader.close(autocommit=False)
    with said("finding the place of a moment"):
        wanted = {theirs(partition): max((time - by_us) // 1000, 0) for partition, time in times.items()}
        found = consumer.offsets_for_times(wanted) if wanted else {}
    for partition in times:
        hit = found.get(theirs(partition))
        place = search[partition]
        back[partition] = max(min(hit.offset, place) if hit is not None else place, back[partition])
    return back


def _times(reader: Any, places: Mapping[Partition, int], first: Mapping[Partition, int]) -> dict[Partition, int]:
    """Microseconds since 1970 of the records before each place; places before which nothing is left have none."""
    times: dict[Partition, int] = {}
    reader.assign([theirs(partition) for partition in places])
    for partition, place in places.items():
        reader.seek(theirs(partition), max(place - RECORDS_BEFORE, first[partition]))
    waiting = set(places)
    deadline = monotonic() + PROBE_S
    while waiting and monotonic() < deadline:
        for one, records in reader.poll(200, max_records=RECORDS_BEFORE).items():
            partition = ours(one)
            before = [record.timestamp for record in records if record.offset < places[partition]]
            if before and partition in waiting:
                times[partition] = int(np.median(before)) * 1000
            waiting.discard(partition)
            reader.pause(one)
        waiting -= {partition for partition in waiting if reader.position(theirs(partition)) >= places[partition]}
    if waiting:
        topic, number = min(waiting)
        raise InputError(f"topic {topic}, partition {number}: the broker gives no record in {PROBE_S:g} s")
    return times
