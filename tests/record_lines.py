"""Requests as the fields a scanner would have found, for tests of what follows the formats."""

from __future__ import annotations

import numpy as np

from detector.formats.fields import FIELD, Fields
from detector.records.batch import Batch
from detector.records.resolve import Resolver
from detector.records.routes import Routes
from detector.sources.chunk import Chunk

Request = dict[str, bytes | int]


def lay_out(requests: list[Request], padding: int = 0) -> tuple[Chunk, Fields]:
    """A chunk with each request's fields one behind the other, a line each, and where they lie."""
    fields = Fields.empty(len(requests))
    pieces = [b"#" * padding]
    place = padding
    starts, lengths = [], []
    for row, request in enumerate(requests):
        starts.append(place)
        for name, value in request.items():
            if isinstance(value, bytes):
                fields.span[row, FIELD[name]] = place, len(value)
                pieces.append(value)
                place += len(value)
        fields.status[row] = int(request.get("status", 200))
        fields.time_us[row] = row
        lengths.append(place - starts[-1])
    buffer = np.frombuffer(b"".join(pieces) or b"\n", np.uint8).copy()
    places = np.array(starts, np.int64)
    return Chunk(buffer, places, np.array(lengths, np.int64), places, 0), fields


def resolved(requests: list[Request], resolver: Resolver | None = None) -> Batch:
    """The rows of some requests."""
    return (resolver or Resolver()).resolve(*lay_out(requests))


def names(batch: Batch) -> list[str]:
    """The printable client of each row."""
    return [bytes(row).rstrip(b"\0").decode("ascii") for row in batch.name]


def routed(requests: list[Request], slug_after: int = 32) -> tuple[Batch, list[str], Routes]:
    """The rows of some requests with their routes, the name of each row's route, and the table."""
    resolver = Resolver(slug_after=slug_after)
    routes = Routes(resolver.texts, slug_after=slug_after)
    batch = resolved(requests, resolver)
    routes.assign(batch)
    return batch, [routes.name(int(number)) for number in batch.route], routes


def get(*targets: str, status: int = 200) -> list[Request]:
    """GET requests of one client."""
    return [
        {"address": b"192.0.2.1", "method": b"GET", "target": target.encode("latin-1"), "status": status}
        for target in targets
    ]
