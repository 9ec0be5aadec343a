"""``detector explain --lines``: the log lines behind an incident, from the files its case names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from detector.cli.printable import printable
from detector.errors import InputError
from detector.masking import masked_line
from detector.report import words
from detector.sources.files import LogFile

MOST = 100  # lines printed: enough to see what it is; the positions of more are in the case


def log_lines(case: dict[str, Any] | None, most: int = MOST) -> list[str]:
    """The first lines of an incident, printable, secrets in them masked, each after its file and place.

    Raises:
        InputError: there is no case, or a file is no longer there, or the incident came from a stream, or
            its clients are pseudonyms.
    """
    if case is None:
        raise InputError("--lines: there is no case of this incident; replay with --cases, and say where they are")
    if words.table(case.get("manifest")).get("pseudonyms"):
        raise InputError("--lines: the case tells pseudonyms, and log lines name clients; read the log itself for them")
    places = [one for one in words.many(case.get("positions")) if isinstance(one, list) and len(one) == 2][:most]
    names = [str(name) for name in words.many(words.table(case.get("manifest")).get("sources"))]
    found: list[str] = []
    for origin in sorted({words.whole(place[0]) for place in places}):
        if not 0 <= origin < len(names) or not Path(names[origin]).is_file():
            where = names[origin] if 0 <= origin < len(names) else f"source {origin}"
            raise InputError(f"--lines: {printable(where)} is no file here; its lines cannot be read again")
        found += _of_file(names[origin], np.unique([words.whole(at) for number, at in places if number == origin]))
    return found


def _of_file(name: str, positions: Any) -> list[str]:
    found: list[str] = []
    file = LogFile(name, True)
    try:
        for chunk in file.chunks():
            for at in np.flatnonzero(np.isin(chunk.positions, positions)).tolist():
                begin = int(chunk.starts[at])
                text = chunk.buffer[begin : begin + int(chunk.lengths[at])].tobytes().decode("utf-8", "surrogateescape")
                found.append(f"{printable(name)}:{int(chunk.positions[at])}: {printable(masked_line(text))}")
            if len(found) == len(positions):
                break
    finally:
        file.close()
    return found
