"""What manifests hold: a run may come from somebody else, so they are checked before anything relies on them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field, RootModel

from mmst.foreign import Inside, Name

Number = Annotated[int, Field(ge=0, le=2**62)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]
_LENIENT = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Part(BaseModel):
    """A file or directory that a stage wrote; its path is relative to the round."""

    model_config = ConfigDict(extra="forbid", strict=True)
    path: Inside
    checksum: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    rows: Number | None = None
    removed: bool = False


class _Figures(BaseModel):
    """Figures of a set of problems; all other figures of it are only shown."""

    model_config = _LENIENT
    accuracy: dict[Name, Share] | None = None
    intervals: dict[Name, tuple[Share, Share] | list[Share]] | None = None
    n: Number | None = None
    slices: dict[Name, _Slice] | None = None


class _Slice(BaseModel):
    model_config = _LENIENT
    n: Number
    accuracy: dict[Name, Share] | None = None


class _Generate(BaseModel):
    model_config = _LENIENT
    statuses: dict[Name, dict[Name, Number]] = {}


class _Filter(BaseModel):
    model_config = _LENIENT
    kept: Number | None = None
    kept_by_method: dict[Name, Number] = {}
    labels: dict[Name, Number] = {}
    reasons: dict[Name, Number] = {}


class _Train(BaseModel):
    model_config = _LENIENT
    rows: dict[Name, Number] = {}
    steps: Number | None = None


class _Evaluate(BaseModel):
    model_config = _LENIENT
    dev: _Figures | None = None
    test: _Figures | None = None


class _Promote(BaseModel):
    model_config = _LENIENT
    promoted: bool
    checkpoint: Name = ""
    round: Annotated[int, Field(ge=0, le=999)] = 0
    reason: Name = ""


_FIGURES: dict[str, type[BaseModel]] = {
    **dict.fromkeys(("filter", "rationalize", "translate"), _Filter),
    "generate": _Generate,
    "train": _Train,
    "evaluate": _Evaluate,
    "promote": _Promote,
}


class Manifest(BaseModel):
    """The manifest of a stage."""

    model_config = _LENIENT
    stage: Name
    round: Number
    finished: Name | None = None
    seconds: Seconds
    parts: Annotated[list[Part], FailFast()]
    figures: dict[str, Any]
    spent: dict[Name, Seconds] = {}
    engines: list[dict[str, Any]] = []
    seal: str


def figures_type(stage: str) -> type[BaseModel] | None:
    """What the figures of a stage must hold; None if nothing depends on them."""
    return _FIGURES.get(stage)


class Problems(BaseModel):
    """`problems/manifest.json`."""

    model_config = ConfigDict(strict=True)
    parts: Annotated[list[Part], FailFast()]
    removed: dict[str, int] = {}


class ForkPart(BaseModel):
    """An entry of `fork.json`."""

    model_config = ConfigDict(strict=True)
    origin: Annotated[Name, Field(alias="from")]
    through: Annotated[int, Field(ge=0, le=999)]
    config: dict[str, Any]


class Forks(RootModel[Annotated[list[ForkPart], Field(max_length=1000), FailFast()]]):
    """The content of `fork.json`."""


class Holder(BaseModel):
    """A lock file."""

    model_config = ConfigDict(strict=True)
    host: Name
    machine: Name
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    started: Number
    since: Name
    beat: Number = 0
    released: bool = False


class Progress(BaseModel):
    """`progress.json`."""

    model_config = _LENIENT
    round: Annotated[int, Field(ge=0, le=999)]
    stage: Name
    updated: float
    unit: Name = ""
    done: Number = 0
    total: Number = 0
    per_second: float | None = None
    resources: dict[Name, float] = {}
