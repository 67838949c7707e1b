"""Rows of one dataclass in Parquet files: written whole, read in batches."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from mmst.files import new_file

Row = TypeVar("Row")
_BATCH = 8192
_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def schema_of(row: type) -> pa.Schema:
    """The Arrow schema of a dataclass whose fields are str, int, float, bool, or one of these or None."""
    hints = typing.get_type_hints(row)
    fields = []
    for column in dataclasses.fields(row):
        kind, nullable = hints[column.name], False
        if isinstance(kind, UnionType):
            inner = [k for k in typing.get_args(kind) if k is not NoneType]
            kind, nullable = inner[0], True
        fields.append(pa.field(column.name, _TYPES[kind], nullable=nullable))
    return pa.schema(fields)


def write_table(target: Path, row: type[Row], rows: Iterable[Row]) -> int:
    """Write rows as one Parquet file, atomically and in bounded memory; returns how many."""
    schema = schema_of(row)
    names = schema.names
    count = 0
    with new_file(target) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        batch: list[Row] = []

        def flush() -> None:
            columns = [[_encodable(getattr(r, name)) for r in batch] for name in names]
            writer.write_table(pa.table(columns, schema=schema))
            batch.clear()

        for item in rows:
            batch.append(item)
            count += 1
            if len(batch) == _BATCH:
                flush()
        if batch or not count:
            flush()
    return count


def read_table(path: Path, row: type[Row]) -> Iterator[Row]:
    """Yield the rows of a Parquet file that `write_table` wrote."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH):
            for values in batch.to_pylist():
                yield row(**values)


def _encodable(value: Any) -> Any:
    """Model text may hold lone surrogates, which no UTF-8 file takes: they become a replacement character."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
