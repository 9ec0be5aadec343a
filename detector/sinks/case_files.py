"""Cases read back: by the commands that tell an incident, whoever wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import DetectorError, InputError
from detector.incidents.records import RECORD
from detector.packing import adopted
from detector.state.archive import unpack

BESIDE = "cases"  # the folder looked for beside a file of incidents
NAMED = 64  # letters of an id: what is longer, or no name of a file, was never one


def folder_of(incidents: Path, said: Path | None) -> Path | None:
    """Where the cases of a file of incidents lie: as said, else in ``cases`` beside it; None where there are none.

    Raises:
        InputError: the folder said is none.
    """
    if said is not None:
        if not said.is_dir():
            raise InputError(f"{said}: no such folder of cases")
        return said
    beside = incidents.absolute().parent / BESIDE
    return beside if beside.is_dir() else None


def read_case(folder: Path | None, incident: str) -> dict[str, Any] | None:
    """The case of an incident; None where there is none, or one that cannot be read."""
    if folder is None or not incident.isalnum() or len(incident) > NAMED:
        return None
    try:
        found = json.loads((folder / f"{incident}.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_all(folder: Path) -> list[dict[str, Any]]:
    """Every case of a folder that can be read and has the record of its incident, in the order of their ids.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of cases; --cases says where they are")
    found = [read_case(folder, path.stem) for path in sorted(folder.glob("*.json"))]
    return [case for case in found if case is not None and isinstance(case.get("record"), dict)]


def read_records(folder: Path | None, incident: str) -> tuple[dict[str, Any], npt.NDArray[Any]] | None:
    """The records of an incident as `incidents.case.records_of` gives them; None where there are none.

    Raises:
        InputError: they cannot be read.
    """
    if folder is None or not incident.isalnum() or len(incident) > NAMED:
        return None
    path = folder / f"{incident}.records"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        meta, arrays = unpack(data)
        return dict(meta), np.asarray(adopted(arrays["rows"], RECORD))
    except (DetectorError, KeyError) as error:
        raise InputError(f"{path}: damaged: {error}") from error
