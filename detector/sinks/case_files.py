"""Cases read back: by the commands that tell an incident, whoever wrote it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.errors import DetectorError, InputError
from detector.incidents.records import RECORD
from detector.packing import adopted
from detector.sealing import Seal, opened, read_secret
from detector.state.archive import unpack

BESIDE = "cases"  # the folder looked for beside a file of incidents
KEY_VARIABLE = "DETECTOR_CASE_KEY_FILE"  # of the environment: names the key's file for every command
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


def key_of(path: Path | None) -> Seal | None:
    """What opens encrypted cases, from the file that ``--key-file`` names, else `KEY_VARIABLE`; None without either.

    Raises:
        UsageError: it cannot be read, or is too short.
    """
    named = os.environ.get(KEY_VARIABLE)
    if path is None and not named:
        return None
    return Seal(read_secret(path, "--key-file") if path else read_secret(Path(str(named)), KEY_VARIABLE))


def read_case(folder: Path | None, incident: str, seal: Seal | None = None) -> dict[str, Any] | None:
    """The case of an incident; None where there is none, or one that cannot be read.

    Raises:
        SealError: it is encrypted, and there is no key or another one.
    """
    if folder is None or not incident.isalnum() or len(incident) > NAMED:
        return None
    try:
        data = (folder / f"{incident}.json").read_bytes()
        found = json.loads(opened(data, f"{incident}.json", seal))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_all(folder: Path, seal: Seal | None = None) -> list[dict[str, Any]]:
    """Every case of a folder that can be read and has the record of its incident, in the order of their ids.

    Raises:
        InputError: there is no such folder.
        SealError: a case is encrypted, and there is no key or another one.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of cases; --cases says where they are")
    found = [read_case(folder, path.stem, seal) for path in sorted(folder.glob("*.json"))]
    return [case for case in found if case is not None and isinstance(case.get("record"), dict)]


def read_records(
    folder: Path | None, incident: str, seal: Seal | None = None
) -> tuple[dict[str, Any], npt.NDArray[Any]] | None:
    """The records of an incident as `incidents.case.records_of` gives them; None where there are none.

    Raises:
        InputError: they cannot be read.
        SealError: they are encrypted, and there is no key or another one.
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
    data = opened(data, path.name, seal)
    try:
        meta, arrays = unpack(data)
        return dict(meta), np.asarray(adopted(arrays["rows"], RECORD))
    except (DetectorError, KeyError) as error:
        raise InputError(f"{path}: damaged: {error}") from error
