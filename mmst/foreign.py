"""The boundary for files that somebody else may have written: regular, bounded, typed, and inside their directory."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PosixPath
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from mmst.errors import InputError

MOST_BYTES = 16 << 20
"""Size of the largest JSON or YAML file that is read."""
_FAULTS = 3


_CONTROL = r"\p{C}\p{Zl}\p{Zp}"
_PART = rf"\.?[^/.{_CONTROL}][^/{_CONTROL}]*"
Name = Annotated[str, Field(max_length=1000, pattern=rf"^[^{_CONTROL}]*$")]
"""A short text without control characters."""
Inside = Annotated[str, Field(max_length=1000, pattern=rf"^{_PART}(/{_PART})*$")]
"""A relative path that does not leave its directory by `..`; `refuse_links` covers links."""


def read_text(path: str | Path) -> str:
    """The text of a regular file. Raises FileNotFoundError, and InputError for anything else that is not such a file:
    another kind of file, a large one, one that cannot be read or is not UTF-8."""
    try:
        path = Path(path) if isinstance(path, str) else path
        local = isinstance(path, PosixPath)  # else an object of a store
        with open(path, "rb", opener=_without_waiting) if local else path.open("rb") as file:
            if local and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{path}: cannot be read (it is no regular file)")
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: cannot be read (it is larger than {MOST_BYTES >> 20} MiB)")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to does not block."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_json(path: str | Path, kind: Any = Any) -> Any:
    """The content of a JSON file, checked against a type. Raises as `read_text`, and InputError for other content."""
    text = read_text(path)
    try:
        return checked(json.loads(text), kind, str(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read (not valid JSON: {error})") from error


def checked(value: Any, kind: Any, source: str) -> Any:
    """The value as an instance of a type. Raises InputError that names the source and the first faults."""
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        said = "; ".join(f"`{'.'.join(map(str, fault['loc']))}`: {fault['msg']}" for fault in faults[:_FAULTS])
        raise InputError(f"{source}: cannot be read ({said})") from error


@contextlib.contextmanager
def sound(place: str | Path) -> Iterator[None]:
    """Turn what the block raises for strange content of files into an InputError that names their place."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        why = f"{type(error).__name__}: {error}"
        raise InputError(f"{place}: a file is damaged or of another version of mmst ({why})") from error


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def refuse_links(root: Path) -> None:
    """Raise InputError for a symbolic link that leads out of a directory: writing or deleting would act elsewhere."""
    real = root.resolve()
    for directory, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(directory, name)
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real):
                raise InputError(f"{path}: is a link that leads out of {root}; replace it by what it points at")
