"""The features of clients: as a Parquet file for pandas, or those of one client on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detector.cli.printable import printable
from detector.cli.table import number
from detector.errors import SinkError
from detector.incidents.incident import Incident

NAME = "client"  # the column with the printable name, bytes


def write_features(features: npt.NDArray[np.void], path: Path) -> None:
    """Writes one row a client, columns as the array has them, names as text.

    Raises:
        SinkError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: pa.array(_column(features[name])) for name in features.dtype.names or ()}
    try:
        pq.write_table(pa.table(columns), path, compression="zstd")
    except OSError as error:
        raise SinkError(f"{path}: features cannot be written: {error.strerror or error}") from error


def _column(values: npt.NDArray[Any]) -> npt.NDArray[Any] | list[str]:
    if values.dtype.kind == "S":
        return [v.decode("ascii", "backslashreplace") for v in values.tolist()]
    return np.ascontiguousarray(values)


def client_lines(features: npt.NDArray[np.void], incidents: Sequence[Incident], client: str) -> list[str]:
    """All about one client: its features and the incidents that name it."""
    rows = features[features[NAME] == client.encode("ascii", "backslashreplace")]
    if not len(rows):
        return [f"client {printable(client)}: not among the {len(features):,} clients remembered"]
    lines = [f"client {printable(client)}"]
    for row in rows:
        lines += [f"  {name:<24} {_shown(row[name])}" for name in features.dtype.names or () if name != NAME]
    named = [i for i in incidents if client in i.clients]
    lines += [f"  incident {i.incident} ({i.pattern}, {i.severity})" for i in named] or ["  named by no incident"]
    return lines


def _shown(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    return printable(plain.decode("ascii", "backslashreplace")) if isinstance(plain, bytes) else number(plain)
