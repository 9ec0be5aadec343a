"""Quick traffic for storms: many readers of popular records, and walkers among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
PER_SECOND = 200  # records of a second of log time
WALK = 400  # reads of one walker
WALK_SECONDS = 100
READERS = 20_000
ITEMS = 5_000


def walkers_among_readers(records: int, walkers: int, seed: int) -> tuple[list[bytes], list[str]]:
    """Lines in combined format, in order of time, and the addresses that walk; walks are spread over the log, each on a
    route of its own: on one they would be one incident."""
    chance = np.random.default_rng(seed)
    seconds = records // PER_SECOND
    clients = chance.integers(0, READERS, records)
    items = (ITEMS * chance.random(records) ** 3).astype(np.int64)
    starts = np.linspace(0.02, 0.9, walkers) * (seconds - WALK_SECONDS)
    walked: dict[int, list[tuple[int, int]]] = {}
    for n, start in enumerate(starts.astype(int).tolist()):
        for step in range(WALK):
            walked.setdefault(start + step * WALK_SECONDS // WALK, []).append((n, 1_000_000 * (n + 1) + step))
    lines: list[bytes] = []
    for second in range(seconds):
        stamp = (BEGIN + timedelta(seconds=second)).strftime("[%d/%b/%Y:%H:%M:%S +0000]")
        for client, item in zip(
            clients[second * PER_SECOND : (second + 1) * PER_SECOND].tolist(),
            items[second * PER_SECOND : (second + 1) * PER_SECOND].tolist(),
            strict=True,
        ):
            address = f"10.{client >> 8 & 255}.{client & 255}.9"
            lines.append(f'{address} - - {stamp} "GET /items/{item} HTTP/1.1" 200 812 "-" "Mozilla/5.0"'.encode())
        for n, number in walked.get(second, ()):
            lines.append(
                f'198.18.{n}.7 - - {stamp} "GET /{_list(n)}/{number} HTTP/1.1" 200 412 "-" "Mozilla/5.0"'.encode()
            )
    return lines, [f"198.18.{n}.7" for n in range(walkers)]


def _list(number: int) -> str:
    """Few names beside one another: where there are many, the place holds values (`routes.slug_after`)."""
    return "shelf-" + "abcdefghij"[number // 8] + "/list-" + "abcdefgh"[number % 8]
