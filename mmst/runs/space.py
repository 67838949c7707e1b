"""Disk space: the need of a round is checked before it starts, and a full disk ends the run with a clear message."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from mmst.config import Config
from mmst.errors import InputError
from mmst.runs.directory import RoundDirectory, RunDirectory

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
_TOKEN_BYTES = 4
"""Approximate bytes of text per token of English or code."""
_STATE = 3
"""Size of an intermediate save of training in multiples of the weights: weights and two optimizer states."""


def check_space(run: RunDirectory, config: Config, problems: int, number: int) -> int:
    """Approximate bytes that a round still needs. Raises InputError if the run's file system has fewer."""
    needed, free = round_bytes(run, config, problems, number), shutil.disk_usage(run.root).free
    if needed > free:
        raise InputError(
            f"{run.root}: round {number} needs about {size(needed)}, {size(free)} are free. {_ways_out(run)}"
        )
    return needed


def round_bytes(run: RunDirectory, config: Config, problems: int, number: int) -> int:
    """Bytes that a round over `problems` problems still needs, from the round before or else from the configuration.

    A checkpoint counts twice, since a new one is written next to the one that it replaces. If training saves its
    steps, two of these saves count as well.
    """
    before, own = run.round(number - 1), run.round(number)
    last = bytes_under(before.checkpoint) if number and before.done("train") else _weights(config)
    steps = config.training.schedule.steps
    saves = steps is None or steps > config.training.checkpoint_every
    training = 0 if own.done("train") else last * (2 + (2 * _STATE if saves else 0))
    if not number or not config.rounds.generate:
        return training
    if before.done("generate"):
        texts = _text_bytes(before)
    else:
        samples = min(problems, config.rounds.problems or problems) * sum(config.samples.values())
        texts = 2 * samples * config.sampling.max_tokens * _TOKEN_BYTES
    return training + max(0, texts - _text_bytes(own))


def _text_bytes(round_: RoundDirectory) -> int:
    written = (round_.solutions, round_.rationalizations, round_.translations, round_.decisions, round_.pool)
    return sum(map(bytes_under, written))


def _weights(config: Config) -> int:
    """Bytes of a checkpoint of the configured model; 0 if its size is unknown before it is loaded."""
    from mmst.training.memory import BYTES, shape_of

    try:
        return int(shape_of(config.model).parameters * BYTES[config.training.precision])
    except InputError:
        return 0


@contextlib.contextmanager
def clear_disk_errors(run: RunDirectory, needed: int | None = None) -> Iterator[None]:
    """Turn the OSError of a full or read-only disk into an InputError with the path and the ways out.

    `needed` is the total need of the round in bytes, if known.
    """
    try:
        yield
    except (OSError, ExceptionGroup) as error:
        cause = _of_disk(error)
        if cause is None:
            raise
        where = cause.filename or run.root
        if cause.errno in _FORBIDDEN:
            raise InputError(f"{where}: cannot be written ({cause.strerror})") from error
        free = f"{size(shutil.disk_usage(run.root).free)} are free"
        need = f", the round needs about {size(needed)}" if needed else ""
        raise InputError(f"{where}: {cause.strerror or 'the disk is full'}; {free}{need}. {_ways_out(run)}") from error


def _of_disk(error: BaseException) -> OSError | None:
    """The disk error that an exception is or contains."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_of_disk, error.exceptions)), None)
    return error if isinstance(error, OSError) and error.errno in (*_FULL, *_FORBIDDEN) else None


def _ways_out(run: RunDirectory) -> str:
    return f"Make space (`mmst clean {run.root} --keep 1 --dry-run` lists candidates), then rerun the same command."


def bytes_under(path: Path) -> int:
    """Size of a file, or of all files in a directory; 0 if there is neither."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0


def size(count: float) -> str:
    """A number of bytes for people, such as `1.5 MiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
