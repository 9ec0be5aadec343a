"""Incidents as Parquet, for notebooks and warehouses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from detector.errors import SinkError

NUMBERS = ("revision", "client_count", "requests", "bytes_out", "records_at_alert")
MOMENTS = ("raised_at", "first_seen", "last_seen")
ESTIMATES = ("records_exposed", "persons_exposed")
TEXTS = ("incident", "state", "pattern", "severity", "client_kind", "suppressed_by", "merged_into", "partner")
MORE_TEXTS = ("status", "verdict", "assignee")
LISTS = ("endpoints", "clients", "data_classes")
NESTED = ("detector", "selector", "evidence", "tags")


def write_table(path: Path, records: list[dict[str, Any]]) -> None:
    """Writes a row an incident: texts, numbers, times of log (UTC), lists of texts; of an estimate three columns; what
    is nested deeper as JSON text.

    Raises:
        SinkError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = pa.list_(pa.string())
    fields = [(name, pa.string()) for name in TEXTS + MORE_TEXTS]
    fields += [(name, pa.int64()) for name in NUMBERS]
    fields += [("confidence", pa.float64()), ("warming", pa.bool_())]
    fields += [(name, pa.timestamp("us", tz="UTC")) for name in MOMENTS]
    fields += [(f"{name}_{part}", pa.int64()) for name in ESTIMATES for part in ("estimate", "low", "high")]
    fields += [(name, names) for name in LISTS] + [(name, pa.string()) for name in NESTED]
    scratch = path.with_name(f".{path.name}.part")
    try:
        pq.write_table(pa.Table.from_pylist([_row(record) for record in records], schema=pa.schema(fields)), scratch)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise SinkError(f"{path}: incidents cannot be written: {error.strerror or error}") from error


def _row(record: dict[str, Any]) -> dict[str, Any]:
    from datetime import datetime

    row = {**record, **{name: datetime.fromisoformat(record[name]) for name in MOMENTS}}
    for name in ESTIMATES:
        for part, value in (record[name] or {}).items():
            row[f"{name}_{part}"] = value
    return {**row, **{name: json.dumps(record[name]) for name in NESTED}}
