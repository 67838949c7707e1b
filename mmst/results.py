"""The results of the Python API: paths and figures.

Accuracies are shares of problems with a right answer, by method and by ensemble: `vote` (majority vote), `weighted`,
`cascade`, `any` (at least one method is right). They are empty without reference answers. Intervals are 95 % Wilson
intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mmst.records import Solution
    from mmst.runs.audit import Fault

Ensemble = Literal["vote", "weighted", "cascade"]


@dataclass(frozen=True)
class RoundResult:
    """One round of a run."""

    number: int
    """0 for the round that trains on annotated solutions."""
    promoted: bool | None
    """Whether the run continued with the checkpoint of this round; None if the round is unfinished."""
    accuracy: dict[str, float]
    """On test problems."""
    intervals: dict[str, tuple[float, float]]
    dev: dict[str, float]
    """Accuracy on dev problems, which decide promotion."""
    pool: int
    """Number of kept solutions that the round trained on."""
    seconds: dict[str, float]
    """Duration of each stage."""


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    directory: Path
    checkpoint: Path | str
    """The promoted checkpoint: a Hugging Face model directory, or the hub id of the base model if no round helped."""
    rounds: list[RoundResult]
    """Every round, from round 0."""
    accuracy: dict[str, float]
    """Accuracy of `checkpoint` on test problems."""
    stopped: str
    """Why the run ended."""


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of a model on a set of problems."""

    n: int
    """Number of problems."""
    accuracy: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    figures: dict[str, Any]
    """All figures, as `mmst evaluate --json` prints them."""
    rows: list[Solution]
    """Every answer with its verdict, in the order of the problems."""


@dataclass(frozen=True)
class Attempt:
    """One solution of a question with its verdict."""

    method: str
    sample: int
    text: str
    computed: str
    """The text, with the values that its program or equations compute."""
    status: str
    """`ok`, or why there is no answer (see `mmst.records.Verdict`)."""
    answer: str | None


@dataclass(frozen=True)
class SolveResult:
    """The answer to one question."""

    answer: str | None
    """The answer of the ensemble; None if no solution has one."""
    support: int
    """Number of solutions with this answer."""
    samples: int
    """Number of solutions with any answer."""
    votes: dict[str, int]
    """Number of solutions by answer, most frequent first."""
    ensemble: Ensemble
    solutions: list[Attempt]


@dataclass(frozen=True)
class ExperimentResult:
    """The results of an experiment."""

    directory: Path
    """It holds `results.jsonl`, `table.md`, `table.json`, `plot.png` and the runs (`seed-<n>/<arm>/`)."""
    tables: dict[str, list[dict[str, Any]]]
    """As in `table.json`: `test` and `transfer` have accuracies and paired differences per arm and method, `pairs` the
    McNemar tests, `arms` what each arm trained on, `phi` how methods complement each other."""
    rows: list[dict[str, Any]]
    """The rows of `results.jsonl`: one per arm, seed and method, with the correctness of every test problem."""


@dataclass(frozen=True)
class Audit:
    """The outcome of checking a run."""

    faults: list[Fault]
    """What is wrong; empty for an intact run."""
    checked: dict[str, int]
    """How many `manifests`, `files`, `solutions` and `pool` rows were checked."""
