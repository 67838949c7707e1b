"""Reading problems: JSON lines, JSON lists, Parquet, `datasets` directories and hub names, with any column names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.jsonl import STANDARD, read_rows, write_rows
from mmst.problems.views import read_equation, views_of
from mmst.records import Problem
from mmst.verify.equations.expression import Unreadable

VIEW_ALIASES = {"tree_preorder": "prefix"}
"""Names of views in public data sets, and our names for them."""

_TEXT_FIELDS = ("id", "question", "answer", "source", "split")
_DICT_FIELDS = ("views", "meta")


def read_problems(
    source: str,
    *,
    fields: Mapping[str, str] | None = None,
    answer_from: str | None = None,
    hub_split: str = "train",
    limit: int | None = None,
) -> list[Problem]:
    """Read and check problems.

    Parameters
    ----------
    source
        `.jsonl`, `.json` (a list) or `.parquet` file, `-` for JSON lines on standard input, a directory (saved by
        `datasets`, or of data files), or a hub name, with its configuration after a colon (`openai/gsm8k:main`).
    fields
        The column of each field of a problem, with dots for nested ones: `{"answer": "solution.final", "views.cot":
        "rationale"}`. Other fields keep their names; unused columns go into `meta`.
    answer_from
        Regular expression whose group 1 is the answer inside the answer column.
    hub_split
        Split of a `datasets` source.
    limit
        Read only this many problems.

    Raises InputError with file, line and field for a file that is missing or empty, a malformed row, a row without
    question, with a field of the wrong type or a duplicate id, and a mapped column that no row has.
    """
    columns = _Columns(dict(fields or {}), answer_from)
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    stem = (Path(source).stem if source != STANDARD else "stdin").replace("/", "-")
    for index, row in enumerate(islice(_rows(source, hub_split), limit)):
        try:
            problem = columns.problem(row, default_id=f"{stem}-{index + 1:06d}")
        except _FieldError as error:
            raise InputError(f"{_where(source, index)}: {error}") from error
        if problem.id in seen:
            first = _where(source, seen[problem.id])
            raise InputError(f"{_where(source, index)}: id: `{problem.id}` was already used in {first}")
        seen[problem.id] = index
        problems.append(problem)
    if not problems:
        raise InputError(f"{source}: no problems")
    if columns.missing:
        name = min(columns.missing)
        there = f"no row has the column `{columns.fields[name]}`; there are {', '.join(columns.names)}"
        raise InputError(f"{source}: problems.fields.{name}: {there}")
    return problems


def write_problems(path: str | Path, problems: Iterable[Problem]) -> int:
    """Write problems as JSON lines, all or none, and return their number."""
    return write_rows(path, (problem.model_dump() for problem in problems))


def derive_views(problem: Problem) -> Problem:
    """Add the views that the equation of a problem gives exactly, if the value of the equation is the answer."""
    equation = problem.views.get("equation")
    if not isinstance(equation, str):
        return problem
    try:
        node = read_equation(equation)
    except Unreadable:
        return problem
    if problem.answer is not None and not _is_value(problem.answer, node.value):
        return problem
    return problem.model_copy(update={"views": {**views_of(node), **problem.views}})


def _is_value(answer: str, value: Fraction) -> bool:
    """Whether an answer is a value, up to the rounding errors of data sets."""
    plain = re.fullmatch(r"(-?[\d,]{0,300}(?:\.\d{1,300})?)(?:/(\d{1,300}))?", answer)
    try:
        stated = Fraction(plain[1].replace(",", "")) / int(plain[2] or 1) if plain else None
    except (ValueError, ZeroDivisionError):
        return False
    return stated is not None and abs(stated - value) <= abs(value) / 10**9


class _FieldError(ValueError):
    """An error in one row; the caller adds where the row is."""


class _Columns:
    """The mapping from the columns of a source to the fields of a problem."""

    def __init__(self, fields: dict[str, str], answer_from: str | None) -> None:
        for name in fields:
            head, _, inner = name.partition(".")
            if name not in (*_TEXT_FIELDS, *_DICT_FIELDS) and not (head in _DICT_FIELDS and inner):
                known = ", ".join((*_TEXT_FIELDS, "views.NAME", "meta.NAME"))
                raise InputError(f"problems.fields: there is no field `{name}`; there are {known}")
        self.fields = fields
        self.taken = {*_TEXT_FIELDS, *_DICT_FIELDS} - set(fields) | set(fields.values())
        self.missing = set(fields)
        self.names: dict[str, None] = {}
        try:
            self.answer_from = re.compile(answer_from) if answer_from else None
        except re.error as error:
            raise InputError(f"problems.answer_from: not a regular expression ({error})") from error
        if self.answer_from and not self.answer_from.groups:
            raise InputError(f"problems.answer_from: `{answer_from}` has no group, such as in `#### (.+)`")

    def problem(self, row: dict[str, Any], default_id: str) -> Problem:
        """The problem in a row. Raises _FieldError."""
        self.names.update(dict.fromkeys(row))
        texts = {name: _text(name, self._value(row, name)) for name in _TEXT_FIELDS}
        question = self._value(row, "question")
        if texts["question"] is None:
            column = self.fields.get("question", "question")
            raise _FieldError(f"question: missing or empty (column `{column}`; problems.fields can name another)")
        if not isinstance(question, str):
            raise _FieldError(f"question: expected text, found {type(question).__name__}")
        views, meta = self._dict(row, "views"), self._dict(row, "meta")
        meta |= {name: value for name, value in row.items() if name not in self.taken and name not in meta}
        return Problem(
            id=texts["id"] or default_id,
            question=question,
            answer=self._answer(texts["answer"]),
            views={VIEW_ALIASES.get(name, name): view for name, view in views.items()},
            source=texts["source"] or "",
            split=texts["split"] or "",
            meta=meta,
        )

    def _value(self, row: dict[str, Any], field: str) -> Any:
        """The value of a field's column, which may be nested; None if the row has no such column."""
        column = self.fields.get(field, field)
        value: Any = row
        for part in [column] if column in row or field not in self.fields else column.split("."):
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        self.missing.discard(field)
        return value

    def _dict(self, row: dict[str, Any], field: str) -> dict[str, Any]:
        value = self._value(row, field)
        if value is not None and not isinstance(value, dict):
            raise _FieldError(f"{field}: expected an object, found {type(value).__name__}")
        start = f"{field}."
        inner = {name.removeprefix(start): self._value(row, name) for name in self.fields if name.startswith(start)}
        # In Parquet every row has every nested column, if only as null.
        return {name: part for name, part in {**(value or {}), **inner}.items() if part is not None}

    def _answer(self, text: str | None) -> str | None:
        if text is None or self.answer_from is None:
            return text
        match = self.answer_from.search(text)
        if match is None:
            raise _FieldError(f"answer: no match for problems.answer_from in `{text[-80:]}`")
        return str(match[1]).strip() or None


def _text(name: str, value: Any) -> str | None:
    """A text or number as text: `18.0` is `18`, a true answer is `yes`; None for no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) and name == "answer":
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value):
        number = f"{Decimal(str(value)):f}"
        return number.rstrip("0").rstrip(".") if "." in number else number
    if not isinstance(value, str):
        raise _FieldError(f"{name}: expected text or a number, found {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _FieldError(f"{name}: not valid Unicode ({error.reason})") from error
    return value.strip() or None


def _where(source: str, index: int) -> str:
    """The place of a row: its line in a JSON lines file, blank lines counted, else its number."""
    if source.endswith(".jsonl"):
        with Path(source).open("rb") as file:
            lines = (number for number, line in enumerate(file, 1) if line.strip())
            return f"{source}:{next(islice(lines, index, None))}"
    return f"{source}: row {index + 1}"


def _rows(source: str, hub_split: str) -> Iterator[dict[str, Any]]:
    path = Path(source)
    suffix = path.suffix.lower()
    if path.is_dir():
        return _dataset(source, None, hub_split)
    if source == STANDARD or suffix == ".jsonl":
        return read_rows(source)
    if path.exists() and suffix in (".json", ".parquet"):
        return _json(path) if suffix == ".json" else _parquet(path)
    if path.exists():
        raise InputError(f"{source}: expected a .jsonl, .json or .parquet file, or a directory")
    name, _, config = source.partition(":")
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or suffix in (".json", ".parquet", ".csv", ".txt"):
        raise InputError(f"{source}: no such file or directory")
    return _dataset(name, config or None, hub_split)


def _json(path: Path) -> Iterator[dict[str, Any]]:
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(rows, list):
        raise InputError(f"{path}: expected a list of objects, found {type(rows).__name__}")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InputError(f"{path}: row {number}: expected an object, found {type(row).__name__}")
        yield row


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from map(_jsonable, batch.to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error})") from error


def _dataset(name: str, config: str | None, split: str) -> Iterator[dict[str, Any]]:
    """Rows of a directory that `datasets` saved, a directory of data files, or a hub name."""
    saved = any((Path(name) / marker).exists() for marker in ("state.json", "dataset_dict.json"))
    try:
        import datasets

        data = datasets.load_from_disk(name) if saved else datasets.load_dataset(name, config, split=split)
        if isinstance(data, datasets.DatasetDict):
            data = data[split]
    except Exception as error:  # its backends raise their own exceptions
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        here = "" if Path(name).exists() else "no such file or directory, and "
        raise InputError(f"{name}: {here}`datasets` cannot read its split `{split}` ({why})") from error
    yield from map(_jsonable, data)


def _jsonable(row: dict[str, Any]) -> dict[str, Any]:
    """A row with dates, decimals and bytes as text, since problems are stored as JSON."""
    result: dict[str, Any] = json.loads(json.dumps(row, default=str))
    return result
