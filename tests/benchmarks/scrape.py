"""What a scrape costs after a million clients and ten thousand incidents: series, milliseconds, bytes.

Run as a module, ``python -m tests.benchmarks.scrape [CLIENTS INCIDENTS]``. The clients are in the tables of a pipeline,
the incidents are told as the sidecar tells them, and `/metrics` is asked for over HTTP.
"""

from __future__ import annotations

import statistics
import sys
import urllib.request
from dataclasses import dataclass, replace

import numpy as np

from detector import clock
from detector.engines.coverage import Coverage
from detector.engines.telemetry import Telemetry
from detector.engines.watch import Status
from detector.health import PATTERN, SEVERITY
from detector.pipeline import Pipeline, Rules
from detector.sinks.prometheus import Metrics
from detector.sinks.web import serve
from detector.state.layout import COUNTER, Sizes
from tests.unit.test_judging import START, OneRoute, batch_of
from tests.unit.test_suppression import walked

CLIENTS, INCIDENTS = 1_000_000, 10_000
SCRAPES = 30
PARTITIONS = 300  # more than are shown
AT_ONCE = 100_000  # rows
NAMED = {"sink": [f"sink{n}" for n in range(8)], "data_class": ["none", *(f"class{n}" for n in range(6)), "other"]}


@dataclass(frozen=True)
class Cost:
    """What was measured.

    Attributes:
        clients: in the tables.
        series, partitions: shown, the latter beside the former; those of the process itself left out.
        bytes: of one scrape.
        milliseconds: of one scrape over HTTP, the middle one and the slowest.
        cpu_milliseconds: processor time of server and reader together, a scrape.
        telling_microseconds: to tell one incident while all are open.
    """

    clients: int
    series: int
    partitions: int
    bytes: int
    milliseconds: tuple[float, float]
    cpu_milliseconds: float
    telling_microseconds: float


def measure(clients: int = CLIENTS, incidents: int = INCIDENTS) -> Cost:
    """Fills tables and telemetry, then scrapes."""
    sizes = Sizes(clients=1 << (clients * 4 // 3).bit_length(), objects=1 << 20)
    pipeline = Pipeline(Rules(), sizes, OneRoute())  # type: ignore[arg-type]
    for first in range(0, clients, AT_ONCE):
        who = np.arange(first, min(first + AT_ONCE, clients))
        pipeline.take(batch_of(who / 1_000, who, who % 50_000))
    metrics = Metrics("0.1.0", NAMED)
    telemetry = Telemetry(metrics, data_classes=NAMED["data_class"])
    telling = _tell(telemetry, incidents)
    metrics.replace("kafka_consumer_lag", {("logs", str(n)): n for n in range(PARTITIONS)})
    for n in range(100):
        metrics.inc("requests_total", 1, format=f"format {n}")
    telemetry.renew(pipeline, Coverage(parsed=clients, requests=clients, by_kind={"address": clients}), "combined")
    tracked = int(pipeline.state.counters[COUNTER["clients"]])
    server = serve("127.0.0.1:0", metrics, Status(joined=True))
    try:
        return _scraped(f"http://127.0.0.1:{server.port}/metrics", tracked, telling)
    finally:
        server.close()


def _tell(telemetry: Telemetry, incidents: int) -> float:
    """Tells incidents of every pattern and severity; returns microseconds a telling."""
    told, story = walked()[0]
    story.last_us = START
    begun = clock.processor()
    for n in range(incidents):
        pattern = PATTERN.values[n % len(PATTERN.values)]
        severity = SEVERITY.values[n % len(SEVERITY.values)]
        one = replace(told, incident=f"{n:032x}", pattern=pattern, severity=severity, data_classes=[f"class{n % 9}"])
        telemetry.tell(one, story, True)
    return (clock.processor() - begun) / max(incidents, 1) * 1e6


def _scraped(url: str, clients: int, telling: float) -> Cost:
    seconds, body = [], b""
    begun = clock.processor()
    for _ in range(SCRAPES):
        at = clock.monotonic()
        with urllib.request.urlopen(url, timeout=30) as answer:
            body = answer.read()
        seconds.append(clock.monotonic() - at)
    cpu = (clock.processor() - begun) / SCRAPES
    shown = [line for line in body.split(b"\n") if line.startswith(b"detector_")]
    partitions = sum(line.startswith(b"detector_kafka_consumer_lag") for line in shown)
    middle, most = statistics.median(seconds) * 1e3, max(seconds) * 1e3
    return Cost(clients, len(shown) - partitions, partitions, len(body), (middle, most), cpu * 1e3, telling)


def main() -> None:
    """Prints the row."""
    cost = measure(*map(int, sys.argv[1:]))
    print("clients    series  and partitions  kB a scrape  ms a scrape  slowest  ms of CPU  µs to tell an incident")
    print(
        f"{cost.clients:<9,}  {cost.series:>6}  {cost.partitions:>14}  {cost.bytes / 1e3:>11.1f}  "
        f"{cost.milliseconds[0]:>11.1f}  {cost.milliseconds[1]:>7.1f}  {cost.cpu_milliseconds:>9.1f}  "
        f"{cost.telling_microseconds:>22.1f}"
    )


if __name__ == "__main__":
    main()
