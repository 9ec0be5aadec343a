"""Parquet files as CSV text with a header: what a table's format then reads like any other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
ROWS = 65_536  # turned into text at a time


class ParquetText:
    """A Parquet file's rows as CSV, in fixed memory. ``loss`` says what could not be read.

    Columns of objects are opened (``request.path``), lists and bytes are left out. A line feed in a value becomes a
    blank: only one line is one record. Times with a zone come out as UTC with a ``Z``.
    """

    def __init__(self, path: str) -> None:
        self.loss = ""
        self.share = 0.0  # of the rows, turned into text so far
        self._texts = self._read(path)
        self._text = memoryview(b"")

    def readinto(self, view: memoryview) -> int:
        """Writes the next bytes into ``view``; returns how many, 0 at the end."""
        if not self._text:
            self._text = memoryview(next(self._texts, b""))
        got = min(len(view), len(self._text))
        view[:got] = self._text[:got]
        self._text = self._text[got:]
        return got

    def _read(self, path: str) -> Iterator[bytes]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        done = 0
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS):
                    done += batch.num_rows
                    self.share = done / max(1, file.metadata.num_rows)
                    yield _csv(batch, header=done == batch.num_rows)
        except (OSError, pa.ArrowException) as error:
            self.loss = f"reading failed after {done} rows: {str(error)[:200]}"


def _csv(batch: pa.RecordBatch, header: bool) -> bytes:
    import pyarrow as pa
    import pyarrow.csv as csv

    table = pa.Table.from_batches([batch])
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    kept = {field.name: _plain(table[field.name]) for field in table.schema if _is_readable(field.type)}
    sink = io.BytesIO()
    csv.write_csv(pa.table(kept), sink, csv.WriteOptions(include_header=header))
    return sink.getvalue()


def _is_readable(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return not (t.is_nested(kind) or t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind))


def _plain(column: Any) -> Any:
    """Text without line feeds, moments in UTC, everything else as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        broken = pc.any(pc.match_substring_regex(column, "[\r\n]")).as_py()
        column = pc.replace_substring_regex(column, "[\r\n]+", " ") if broken else column
    return column
