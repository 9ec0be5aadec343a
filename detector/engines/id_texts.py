"""Ids that are texts, for the list of records exposed: tables keep their keyed hashes, the files still have the words.

The files are read once more for where each such record stands, and there the word is looked for whose hash it is; so
nothing depends on the format, and a word that is not the id cannot be taken for it. An id folded from several parts of
a path, or sent in a body, is found by no single word and stays a hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from detector.engines.reading import Reader, ReadSettings
from detector.pipeline import Pipeline
from detector.records.keys import HashKey
from detector.records.persons import hash_id
from detector.records.resolve import Resolver
from detector.sources.files import LogFile
from detector.state.sketch import mix_each

MOST = 100_000  # ids looked for: a hash in Python takes 50 us, three or four a line
LONGEST = 256  # characters of an id: a UUID has 36
_BEFORE, _AFTER = "=?&,:", " \t\"'\\#;"  # what an id may follow, beside a slash, and what ends it


def name_ids(
    paths: Sequence[str | Path], settings: ReadSettings, resolver: Resolver, pipeline: Pipeline, key: HashKey
) -> int:
    """Finds the words behind the ids of all records exposed and gives them to the stories; returns how many. To be
    called when the log has been read; standard input cannot be read again.

    Raises:
        InputError: a file is no longer there.
    """
    stories = [story for story in pipeline.book.stories if not story.merged_into]
    rows = [story.settled().records.rows() for story in stories]
    keys = [np.unique(some["key"][some["number"] < 0]) for some in rows]
    wanted = np.unique(np.concatenate(keys))[:MOST] if keys else np.zeros(0, np.uint64)
    if not len(wanted) or "-" in map(str, paths):
        return 0
    names, places = _places(paths, settings, resolver, pipeline, wanted)
    found = dict(_words(names, places, key))
    for story, own in zip(stories, keys, strict=True):
        story.records.texts = {one: found[one] for one in own.tolist() if one in found}
    return len(found)


def _places(
    paths: Sequence[str | Path],
    settings: ReadSettings,
    resolver: Resolver,
    pipeline: Pipeline,
    wanted: npt.NDArray[np.uint64],
) -> tuple[list[str], dict[tuple[int, int], list[tuple[int, int]]]]:
    """The files, and by file and position the keys and objects that stand there first."""
    reader = Reader(paths, settings, resolver)
    places: dict[tuple[int, int], list[tuple[int, int]]] = {}
    left = np.ones(len(wanted), np.bool_)
    for released in reader:
        batch = released.batch
        pipeline.routes.assign(batch)
        keys = mix_each(batch.object, batch.route.astype(np.uint64))
        at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
        rows = np.flatnonzero((wanted[at] == keys) & left[at] & (batch.number < 0))
        for row in rows.tolist():
            if left[at[row]]:
                left[at[row]] = False
                place = int(batch.origin[row]), int(batch.position[row])
                places.setdefault(place, []).append((int(keys[row]), int(batch.object[row])))
        if not left.any():
            break
    return reader.names, places


def _words(
    names: Sequence[str], places: dict[tuple[int, int], list[tuple[int, int]]], key: HashKey
) -> Iterator[tuple[int, str]]:
    for origin in sorted({origin for origin, _ in places}):
        positions = np.array(sorted(position for number, position in places if number == origin), np.int64)
        file = LogFile(names[origin], True)
        try:
            for chunk in file.chunks():
                for at in np.flatnonzero(np.isin(chunk.positions, positions)).tolist():
                    begin = int(chunk.starts[at])
                    line = chunk.buffer[begin : begin + int(chunk.lengths[at])].tobytes().decode("utf-8", "replace")
                    yield from _of_line(line, places[origin, int(chunk.positions[at])], key)
        finally:
            file.close()


def _of_line(line: str, wanted: list[tuple[int, int]], key: HashKey) -> Iterator[tuple[int, str]]:
    objects: dict[int, Any] = {value: one for one, value in wanted}
    for word in _candidates(line):
        for said in {word, unquote(word)}:
            one = objects.pop(hash_id(said, key), None)
            if one is not None:
                yield one, said
        if not objects:
            return


def _candidates(line: str) -> Iterator[str]:
    """The words of a line that an id may be, those of paths among them."""
    for mark in _BEFORE:
        line = line.replace(mark, "/")
    for part in line.split("/")[1:]:
        end = next((at for at, letter in enumerate(part) if letter in _AFTER), len(part))
        if 0 < end <= LONGEST:
            yield part[:end]
