"""Parquet files whose rows are instances of one dataclass."""

from __future__ import annotations

import dataclasses
import itertools
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
_TYPES: dict[Any, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def schema_of(row: type) -> pa.Schema:
    """The Arrow schema of a dataclass with fields of type str, int, float or bool, each possibly `| None`."""
    hints = typing.get_type_hints(row)
    fields = []
    for column in dataclasses.fields(row):
        kind, nullable = hints[column.name], isinstance(hints[column.name], UnionType)
        if nullable:
            (kind,) = (k for k in typing.get_args(kind) if k is not NoneType)
        fields.append(pa.field(column.name, _TYPES[kind], nullable=nullable))
    return pa.schema(fields)


def write_table(target: Path, row: type[Row], rows: Iterable[Row]) -> int:
    """Write rows to a Parquet file, atomically and in bounded memory; returns their number."""
    schema, rows, count = schema_of(row), iter(rows), 0
    with new_file(target) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(rows, _BATCH)):
            columns = [[_encodable(getattr(r, name)) for r in batch] for name in schema.names]
            writer.write_table(pa.table(columns, schema=schema))
            count += len(batch)
    return count


def read_table(path: Path, row: type[Row]) -> Iterator[Row]:
    """Yield the rows of a Parquet file that `write_table` wrote."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH):
            for values in batch.to_pylist():
                yield row(**values)


def _encodable(value: Any) -> Any:
    """Replace lone surrogates, which model text may hold and UTF-8 cannot encode, by `?`."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
