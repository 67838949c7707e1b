"""Reading problems: JSON lines, JSON lists, Parquet, a `datasets` directory or hub name, with any column names."""

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
"""Names that data sets give to views of ours."""

_TEXT_FIELDS = ("id", "question", "answer", "source", "split")
_DICT_FIELDS = ("views", "meta")
_MISSING = object()


def read_problems(
    source: str,
    *,
    fields: Mapping[str, str] | None = None,
    answer_from: str | None = None,
    hub_split: str = "train",
    limit: int | None = None,
) -> list[Problem]:
    """Read problems and check them.

    Parameters
    ----------
    source
        `.jsonl`, `.json` (a list) or `.parquet` file, `-` for JSON lines on standard input, a directory (saved by
        `datasets`, or of data files), or a hub name, with its configuration after a colon (`openai/gsm8k:main`).
    fields
        Column for each field of a problem, dots for nested ones: `{"answer": "solution.final", "views.cot":
        "rationale"}`. Fields that are not named keep their own names; other columns go into `meta`.
    answer_from
        Regular expression whose group 1 is the answer inside the answer column.
    hub_split
        Split of a `datasets` source.
    limit
        At most so many problems, the first ones.

    Raises
    ------
    InputError
        A file that is missing or empty; a row that is malformed, has no question, a field of a wrong type, or an id
        that was there before; a field that no row has. The message names file, line and field.
    """
    shape = _Shape(dict(fields or {}), answer_from)
    rows = _rows(source, hub_split)
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    stem = f"{Path(source).stem if source != STANDARD else 'stdin'}".replace("/", "-")
    for index, row in enumerate(islice(rows, limit)):
        try:
            problem = shape.problem(row, default_id=f"{stem}-{index + 1:06d}")
        except _FieldError as error:
            raise InputError(f"{_where(source, index)}: {error}") from error
        if problem.id in seen:
            first = _where(source, seen[problem.id])
            raise InputError(f"{_where(source, index)}: id: `{problem.id}` was already used in {first}")
        seen[problem.id] = index
        problems.append(problem)
    if not problems:
        raise InputError(f"{source}: holds no problem")
    shape.check_columns(source)
    return problems


def write_problems(path: str | Path, problems: Iterable[Problem]) -> int:
    """Write problems as JSON lines, whole or not at all; returns how many."""
    return write_rows(path, (problem.model_dump() for problem in problems))


def derive_views(problem: Problem) -> Problem:
    """Add `program`, `system` and `prefix` where an equation gives them exactly and its value is the answer."""
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
    """Whether an answer is a value, up to the noise of the floats that data sets were computed with."""
    plain = re.fullmatch(r"(-?[\d,]{0,300}(?:\.\d{1,300})?)(?:/(\d{1,300}))?", answer)
    try:
        stated = Fraction(plain[1].replace(",", "")) / int(plain[2] or 1) if plain else None
    except (ValueError, ZeroDivisionError):
        return False
    return stated is not None and abs(stated - value) <= abs(value) / 10**9


class _FieldError(ValueError):
    """What is wrong with one row; the caller knows where it stands."""


class _Shape:
    """How the columns of a source become the fields of a problem."""

    def __init__(self, fields: dict[str, str], answer_from: str | None) -> None:
        for name in fields:
            head, _, inner = name.partition(".")
            if name not in (*_TEXT_FIELDS, *_DICT_FIELDS) and not (head in _DICT_FIELDS and inner):
                known = ", ".join((*_TEXT_FIELDS, "views.NAME", "meta.NAME"))
                raise InputError(f"problems.fields: there is no field `{name}`; there are {known}")
        self.fields = fields
        self.unseen = set(fields)
        self.columns: dict[str, None] = {}
        try:
            self.answer_from = re.compile(answer_from) if answer_from else None
        except re.error as error:
            raise InputError(f"problems.answer_from: no regular expression ({error})") from error
        if self.answer_from and not self.answer_from.groups:
            raise InputError(f"problems.answer_from: `{answer_from}` has no group, such as in `#### (.+)`")

    def problem(self, row: dict[str, Any], default_id: str) -> Problem:
        self.columns.update(dict.fromkeys(row))
        values = {name: self._column(row, name) for name in (*_TEXT_FIELDS, *_DICT_FIELDS)}
        texts = {name: _text(name, values[name]) for name in _TEXT_FIELDS}
        question = values["question"]
        if texts["question"] is None:
            column = self.fields.get("question", "question")
            raise _FieldError(f"question: missing or empty (column `{column}`; name another one in problems.fields)")
        if not isinstance(question, str):
            raise _FieldError(f"question: expected text, found {type(question).__name__}")
        views, meta = self._dict(row, "views", values["views"]), self._dict(row, "meta", values["meta"])
        taken = {*_TEXT_FIELDS, *_DICT_FIELDS} - set(self.fields) | set(self.fields.values())
        meta |= {column: value for column, value in row.items() if column not in taken and column not in meta}
        return Problem(
            id=texts["id"] or default_id,
            question=question,
            answer=self._answer(texts["answer"]),
            views={VIEW_ALIASES.get(name, name): view for name, view in views.items()},
            source=texts["source"] or "",
            split=texts["split"] or "",
            meta=meta,
        )

    def check_columns(self, source: str) -> None:
        """A column that was asked for and that no row has is a mistake in the mapping."""
        for name in sorted(self.unseen):
            raise InputError(
                f"{source}: problems.fields.{name}: no row has the column `{self.fields[name]}`; "
                f"there are {', '.join(self.columns)}"
            )

    def _column(self, row: dict[str, Any], name: str) -> Any:
        column = self.fields.get(name, name)
        value = row.get(column, _MISSING)
        if value is _MISSING and name in self.fields:
            value = row
            for part in column.split("."):
                value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            return None
        self.unseen.discard(name)
        return value

    def _dict(self, row: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
        if value is not None and not isinstance(value, dict):
            raise _FieldError(f"{name}: expected an object, found {type(value).__name__}")
        # Parquet gives every row every nested column, none where a row has nothing there.
        result = {key: inner for key, inner in (value or {}).items() if inner is not None}
        for field in self.fields:
            head, _, inner = field.partition(".")
            if head == name and inner and (found := self._column(row, field)) is not None:
                result[inner] = found
        return result

    def _answer(self, text: str | None) -> str | None:
        if text is None or self.answer_from is None:
            return text
        match = self.answer_from.search(text)
        if match is None:
            raise _FieldError(f"answer: nothing matches problems.answer_from in `{text[-80:]}`")
        return str(match[1]).strip() or None


def _text(name: str, value: Any) -> str | None:
    """A text or number as text: `18.0` is `18`, true is `yes`; none for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) and name == "answer":
        return "yes" if value else "no"
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float | Decimal) and math.isfinite(value):
        number = Decimal(repr(value)) if isinstance(value, float) else value
        return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _FieldError(f"{name}: not valid Unicode ({error.reason})") from error
        return value.strip() or None
    raise _FieldError(f"{name}: expected text or a number, found {type(value).__name__}")


def _where(source: str, index: int) -> str:
    """Where a row stands, for a message: the line of a JSON lines file (blank ones count), else the row."""
    if source.endswith(".jsonl"):
        with Path(source).open("rb") as file:
            lines = (number for number, line in enumerate(file, 1) if line.strip())
            return f"{source}:{next(islice(lines, index, None))}"
    return f"{source}: row {index + 1}"


def _rows(source: str, hub_split: str) -> Iterator[dict[str, Any]]:
    path = Path(source)
    suffix = path.suffix.lower()
    if source == STANDARD or (suffix == ".jsonl" and not path.is_dir()):
        return read_rows(source)
    if path.is_dir():
        return _dataset(source, None, hub_split)
    if suffix in (".json", ".parquet"):
        if not path.exists():
            raise InputError(f"{source}: no such file")
        return _json(path) if suffix == ".json" else _parquet(path)
    name, _, config = source.partition(":")
    if path.exists():
        raise InputError(f"{source}: expected a .jsonl, .json or .parquet file, or a directory")
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name or suffix in (".csv", ".txt"):
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
    except Exception as error:  # the library raises what its many backends raise
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        here = "" if Path(name).exists() else "no such file or directory, and "
        raise InputError(f"{name}: {here}`datasets` cannot read its split `{split}` ({why})") from error
    yield from map(_jsonable, data)


def _jsonable(row: dict[str, Any]) -> dict[str, Any]:
    """Columns may hold dates, decimals or bytes; problems are written as JSON."""
    result: dict[str, Any] = json.loads(json.dumps(row, default=str))
    return result
