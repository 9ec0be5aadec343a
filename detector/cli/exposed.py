"""The list of records an incident exposed, for whoever has to tell the people concerned: CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.errors import SinkError, UsageError

if TYPE_CHECKING:
    import numpy.typing as npt

Found = tuple[Mapping[str, Any], "npt.NDArray[Any]"]
KINDS = (".csv", ".parquet")
COLUMNS = (
    "incident",
    "pattern",
    "route",
    "record",
    "record_text",
    "record_hash",
    "rows",
    "first_seen",
    "client",
    "by_named_client",
    "why",
)
NOBODY = (1 << 64) - 1  # in place of a client that is not named (`incidents.case.records_of`)
PORTION = 1 << 16
SAID = 5  # incidents of which it is told what is missing


def check_exposed(path: Path) -> None:
    """What can be seen to fail before hours of reading.

    Raises:
        UsageError: the name has another ending, or its folder is not there.
    """
    if path.suffix not in KINDS:
        raise UsageError(f"--exposed {path}: the name must end in .csv or .parquet")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--exposed {path}: no such folder")


def write_exposed(path: Path, incidents: Sequence[Mapping[str, Any]], read: Callable[[str], Found | None]) -> str:
    """Writes the records of incidents and says in a line what the list is.

    A row a record: its route, its id as a number or as the text it is, as far as that was looked up in the files
    (`engines.id_texts`), the keyed hash it is told apart by, how many records it
    stands for (a page of a list holds many), when it was first read and by whom, and whether a client that is named
    has read it; the rest were read inside the rule that selects a campaign, and a part of them by ordinary clients.
    Of consent the row also says what was wanting, so that whoever agreed on a screen that did not ask is told apart.

    Raises:
        UsageError: the name has another ending.
        SinkError: it cannot be written.
    """
    check_exposed(path)
    told = [record for record in incidents if not record.get("merged_into")]
    parts = [(record, read(str(record["incident"]))) for record in told]
    scratch = path.with_name(f".{path.name}.part")
    try:
        tables = _tables(parts)
        rows = _write_csv(scratch, tables) if path.suffix == ".csv" else _write_parquet(scratch, tables)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise SinkError(f"{path}: the records cannot be written: {error.strerror}") from error
    return _about(path, rows, parts)


def _about(path: Path, rows: int, parts: list[tuple[Mapping[str, Any], Found | None]]) -> str:
    without = [str(record["incident"])[:12] for record, found in parts if found is None]
    partial = [_partial(record, found[0]) for record, found in parts if found is not None and not found[0]["complete"]]
    said = [f"{path}: {rows:,} records of {len(parts) - len(without):,} incidents", *partial[:SAID]]
    if len(partial) > SAID:
        said.append(f"{len(partial) - SAID:,} more are not complete")
    if unnamed := sum(_unnamed(found) for _, found in parts if found is not None):
        said.append(
            f"{unnamed:,} are listed by a hash alone: their ids are texts, which a stream does not keep; "
            "replay --exposed over the log finds most"
        )
    if without:
        said.append(f"no records are kept of {', '.join(without[:SAID])}")
    return "; ".join(said)


def _partial(record: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """What the list lacks of an incident, and what it has all the same: whatever its named clients have read."""
    name, all_of_it = str(record["incident"])[:12], "their number is an estimate, see records_exposed"
    named = meta.get("named")
    if not named or not meta["clients"]:
        return f"not complete for {name}: {all_of_it}"
    if named["complete"]:
        return (
            f"{name}: the {named['listed']:,} that its named clients have read are all listed; those of others are "
            f"not complete, {all_of_it}"
        )
    return (
        f"not complete for {name}: of its named clients {named['listed']:,} are listed, and they have read between "
        f"{named['low']:,} and {named['high']:,}, {named['estimate']:,} by estimate; replay --exposed reads the files "
        f"once more and lists them exactly"
    )


def _unnamed(found: Found) -> int:
    """Records with neither a number nor a text."""
    import numpy as np

    meta, rows = found
    return len(np.unique(rows["key"][rows["number"] < 0])) - len(meta.get("texts", {}))


def _tables(parts: list[tuple[Mapping[str, Any], Found | None]]) -> Iterator[dict[str, list[Any]]]:
    """Columns by name, in portions."""
    for record, found in parts:
        if found is None:
            continue
        meta, pairs = found
        rows, named = _by_record(pairs)
        for begin in range(0, len(rows), PORTION):
            yield _columns(record, meta, rows[begin : begin + PORTION], named[begin : begin + PORTION])


def _by_record(pairs: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Each record once, in the order of first reading, and whether a named client has read it."""
    import numpy as np

    from detector.incidents.records import first_readings

    rows = first_readings(pairs)
    by_named = np.isin(rows["key"], pairs["key"][pairs["client"] != np.uint64(NOBODY)])
    order = np.lexsort((rows["key"], rows["time_us"]))
    return rows[order], by_named[order]


def _columns(record: Mapping[str, Any], meta: Mapping[str, Any], rows: Any, named: Any) -> dict[str, list[Any]]:
    from detector.incidents.moments import iso
    from detector.report.words import wanting

    n = len(rows)
    clients, routes, texts = meta["clients"], meta["routes"], meta.get("texts", {})
    return {
        "incident": [str(record["incident"])] * n,
        "pattern": [str(record.get("pattern"))] * n,
        "route": [routes[str(route)] for route in rows["route"].tolist()],
        "record": [number if number >= 0 else None for number in rows["number"].tolist()],
        "record_text": [texts.get(f"{key:016x}") for key in rows["key"].tolist()],
        "record_hash": [f"{key:016x}" for key in rows["key"].tolist()],
        "rows": rows["rows"].tolist(),
        "first_seen": [iso(time_us) for time_us in rows["time_us"].tolist()],
        "client": [None if client == NOBODY else clients[client] for client in rows["client"].tolist()],
        "by_named_client": named.tolist(),
        "why": [" ".join(wanting(dict(record)))] * n,
    }


def _write_csv(path: Path, tables: Iterator[dict[str, list[Any]]]) -> int:
    written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for table in tables:
            for row in zip(*(table[name] for name in COLUMNS), strict=True):
                writer.writerow([_cell(value) for value in row])
                written += 1
    return written


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: client names are whatever a client has sent
    (https://owasp.org/www-community/attacks/CSV_Injection)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _write_parquet(path: Path, tables: Iterator[dict[str, list[Any]]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"record": pa.int64(), "rows": pa.int64(), "by_named_client": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    written = 0
    with pq.ParquetWriter(path, schema) as writer:
        for table in tables:
            writer.write_table(pa.table(table, schema=schema))
            written += len(table["incident"])
    return written
