"""Writes live traffic into a topic: ordinary reads, and walkers that begin one after the other.

``python -m tests.benchmarks.live BOOTSTRAP TOPIC PART``: one of two processes, each writing half.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime
from itertools import count

from tests.benchmarks.stream import LIVE_RATE, LIVE_SECONDS, WALKER_RATE, WALKERS

STEP_S = 0.02
PARTS = 2
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Safari/537.36"
TAIL = f'"status":200,"body_bytes_sent":812,"http_user_agent":"{AGENT}"}}'


def main(bootstrap: str, topic: str, part: int) -> None:
    """Writes for `LIVE_SECONDS`."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    chance = random.Random(part)
    walkers = [(n, 2 + n * (LIVE_SECONDS - 10) / WALKERS) for n in range(part, WALKERS, PARTS)]
    walked = {n: count(1_000_000 * (n + 1)) for n, _ in walkers}
    begun = time.monotonic()
    for step in range(int(LIVE_SECONDS / STEP_S)):
        ahead = begun + step * STEP_S - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = f'{{"time_iso8601":"{now}","remote_addr":"'
        for _ in range(int(LIVE_RATE * STEP_S / PARTS)):
            address = f"10.{chance.randrange(64)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
            item = int(50_000 * chance.random() ** 3)
            producer.produce(topic, f'{head}{address}","request":"GET /items/{item} HTTP/1.1",{TAIL}')
        for n, start in walkers:
            if step * STEP_S >= start:
                for _ in range(round(WALKER_RATE * STEP_S)):
                    target = f"GET /users/{next(walked[n])} HTTP/1.1"
                    producer.produce(topic, f'{head}198.18.{n}.7","request":"{target}",{TAIL}')
        producer.poll(0)
    producer.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
