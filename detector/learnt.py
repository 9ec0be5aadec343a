"""What was learnt over weeks, apart from the state of the window: Kafka holds days, and a new version must not forget.

A snapshot of the window is bytes as the tables hold them: any change of layout makes it worthless, and the log is read
again instead, as far back as the longest window. What such a rewind cannot bring back is kept here, by the names of
its fields, with a version of its own and the steps from each version to the next:

- the null: thresholds, what ordinary clients are like, and how far that may grow,
- the templates of routes with their texts, and what misses are usual on them,
- open stories with all they have counted, and who was in those that ended lately.

After a rewind the stories go on: rows they have counted are not counted again, and a client that is convicted anew, as
it will be, is the same incident. Coldness is not carried: tables that have just begun find everything cold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from detector.errors import SnapshotDamaged, SnapshotVersion
from detector.evidence.client import NULL, Null
from detector.evidence.reference import CEILING
from detector.packing import Arrays, Saved, adopted, under, within
from detector.pipeline import Pipeline
from detector.state.layout import ROUTE

LEARNT_VERSION = 1

MIGRATIONS: dict[int, Callable[[Saved], Saved]] = {}
"""From each version to the next; a field that is new and may begin at zero, or is dropped, needs none."""

CARRIED = ("minute", "tries", "misses", "owned_since", "clerks_hour")
"""Columns of the table of routes that are taken over: what misses are usual, and where other people's records are
somebody's work. The others depend on the tables of objects or of clients, or count rows that are read again."""


def of(pipeline: Pipeline, saved: Saved | None = None) -> Saved:
    """A copy of what a pipeline has learnt; to be called between two calls of `take`.

    Args:
        pipeline: the pipeline.
        saved: what its `save` has given since the last `take`; spares making some of it again.
    """
    if saved is None:
        told, stories = pipeline.book.save()
        routes: Arrays = pipeline.routes.save()
    else:
        told, stories = saved.meta["book"], within("book", saved.arrays)
        routes = within("routes", saved.arrays)
    used = len(pipeline.routes) + 1
    rooms: dict[str, Arrays] = {
        "null": {"row": pipeline.null.save(), "reference": pipeline.reference.save()},
        "usual": {"rows": pipeline.state.routes[:used].copy()},
        "routes": routes,
        "book": pipeline.book.carry(stories, pipeline.last_us),
    }
    arrays = {name: array for room, kept in rooms.items() for name, array in under(room, kept).items()}
    return Saved({"learnt": LEARNT_VERSION, "key": pipeline.routes.mark, "book": told}, arrays)


def apply(pipeline: Pipeline, meta: Mapping[str, Any], arrays: Arrays) -> None:
    """Gives a pipeline that has taken no row what another one has learnt; after an error it is of no use any more.

    Args:
        pipeline: to be fed, next, with the log from a while before the end of what the other has judged.
        meta, arrays: what `of` gave, in this version or an earlier one.

    Raises:
        SnapshotVersion: a later version, or another key.
        SnapshotDamaged: it cannot be read.
    """
    meta, arrays = _migrated(meta, arrays)
    if meta.get("key") != pipeline.routes.mark:
        raise SnapshotVersion(f"learnt: its hash key is {meta.get('key')}, here it is {pipeline.routes.mark}")
    try:
        null = Null.load(adopted(arrays["null.row"], NULL)[0], pipeline.rules.floor)
        if "null.reference" in arrays:
            pipeline.reference.load(adopted(arrays["null.reference"], CEILING))
        usual = adopted(arrays["usual.rows"], ROUTE)[: len(pipeline.state.routes)]
        pipeline.routes.load(within("routes", arrays))
        pipeline.book.load(meta["book"], within("book", arrays))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SnapshotDamaged(f"learnt: it cannot be read ({type(error).__name__}: {error})") from error
    pipeline.null = replace(null, settled=False, carried=True)
    for column in CARRIED:
        pipeline.state.routes[column][: len(usual)] = usual[column]
    pipeline.resumes = True


def _migrated(meta: Mapping[str, Any], arrays: Arrays) -> Saved:
    saved = Saved(dict(meta), dict(arrays))
    version = meta.get("learnt")
    while version != LEARNT_VERSION:
        step = MIGRATIONS.get(version) if isinstance(version, int) else None
        if step is None:
            raise SnapshotVersion(f"learnt: version {version}; this program reads version {LEARNT_VERSION}")
        saved = step(saved)
        version = saved.meta.get("learnt")
    return saved
