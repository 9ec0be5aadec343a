"""A partition handed from one process to another: its clients, their last reads, the stories about one of them."""

from __future__ import annotations

import numpy as np

from detector.errors import SnapshotDamaged
from detector.incidents import keeping
from detector.incidents.recent import READS, reads_here
from detector.packing import Arrays, Saved, adopted, under, within
from detector.pipeline import Pipeline
from detector.state.moving import put_in, take_out


def extract(pipeline: Pipeline, part: int) -> Saved:
    """Lets a partition go: its clients' slots, their last reads and the open stories about one of them.

    What spans clients stays: objects, blocks, routes, sweeps.
    """
    used = pipeline.state.in_use
    reads = pipeline.recent.of_clients(used["key"][used["part"] == part])
    clients, names, moved = take_out(pipeline.state, part)
    pipeline.recent.move(moved)
    pipeline.book.move(moved)
    stories = pipeline.book.take_out(clients["key"])
    named = [np.fromiter(story.routes_named(), np.int64) for story in stories]
    meant = [clients[field].astype(np.int64) for field in ("lead", "over_route", "taught_route", "beat_route", "entry")]
    paths = pipeline.routes.paths(np.concatenate([*meant, reads["route"], *named]))
    rooms: dict[str, Arrays] = {
        "part": {"clients": clients, "names": names, "reads": reads},
        "routes": paths,
        "book": keeping.save(stories),
    }
    arrays = {name: array for room, kept in rooms.items() for name, array in under(room, kept).items()}
    return Saved(pipeline.marks(), arrays)


def insert(pipeline: Pipeline, saved: Saved, part: int) -> None:
    """Takes a partition over that another process gave by `extract`, under its number here.

    Routes are told by their templates, for each process numbers them as it meets them. A record that is read again
    on a route with another number counts as another one.

    Raises:
        SnapshotVersion: another version or another key.
        SnapshotDamaged: it cannot be read.
    """
    pipeline.check(saved.meta, tables=False)
    try:
        stories = keeping.load(within("book", saved.arrays))
        numbers = pipeline.routes.adopt(within("routes", saved.arrays))
        clients, names = saved.arrays["part.clients"].copy(), saved.arrays["part.names"]
        for story in stories:
            story.rename_routes(numbers)
        renumbered = pipeline.book.put_in(stories)
        for field in ("lead", "over_route", "taught_route", "beat_route", "entry"):
            clients[field] = numbers[clients[field]]
        incident = np.array([renumbered.get(number, 0) for number in clients["incident"].tolist()], np.int32)
        clients["raised"][incident == 0] = 0
        clients["incident"] = incident
        slots = put_in(pipeline.state, clients, names, part)
        pipeline.recent.append(reads_here(adopted(saved.arrays["part.reads"], READS), clients["key"], slots, numbers))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SnapshotDamaged(f"snapshot: a partition cannot be read ({type(error).__name__}: {error})") from error
