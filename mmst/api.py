"""The Python API: the functions behind the commands, for scripts and notebooks.

All functions run in the calling process and leave it as it was: no signal handler stays behind, a Ray that they started
is shut down, and they work in a notebook, whose event loop is running. Ctrl-C raises KeyboardInterrupt; call the
function again to resume. Wrong input raises `mmst.InputError`; a failure that may not occur again, such as a machine
that ran out of memory, raises `mmst.GaveUp`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmst.config import Config
from mmst.config.file import Settings, load_config
from mmst.errors import InputError
from mmst.records import Problem, Solution
from mmst.results import Audit, Ensemble, Evaluation, ExperimentResult, RoundResult, RunResult, SolveResult

if TYPE_CHECKING:
    from mmst.progress import Reporter
    from mmst.runs.directory import RunDirectory


def self_train(
    config: Config | Mapping[str, Any] | str | Path,
    run_dir: str | Path | None = None,
    *,
    settings: Settings = (),
    fork: str | Path | None = None,
    from_round: int = 0,
    progress: bool | Reporter = True,
) -> RunResult:
    """Run the self-training loop, or resume it.

    The loop solves problems by every method, keeps the solutions that agree with the label, translates them into the
    other methods, retrains, and repeats (MMST, Upadhyay & Ginsberg 2023, section 3). Finished stages are never
    repeated: call it again with the same arguments to resume an interrupted run.

    Raises InputError for bad configuration or problems, a missing model, a directory that holds another run, or a
    round that kept nothing; GaveUp if an engine, a trainer or Ray fails repeatedly.

    Parameters
    ----------
    config
        A configuration: a Config, a mapping, or the path of a YAML file.
    run_dir
        Directory or URL (`s3://bucket/name`) of the run; default `runs/<name>`.
    settings
        Values by dotted key that replace those of `config`, such as `{"rounds.max": 3}`.
    fork, from_round
        Start a new run from rounds 0 to `from_round` of the run in `fork`.
    progress
        Show progress bars and a line per stage. False is silent. A `mmst.progress.Reporter` writes elsewhere.

    Examples
    --------
    >>> run = mmst.self_train("configs/tiny.yaml", settings={"rounds.max": 1})  # doctest: +SKIP
    >>> run.accuracy["cot"], run.checkpoint  # doctest: +SKIP
    (0.65, PosixPath('runs/tiny/round-001/checkpoints/solver'))
    """
    from mmst import loop
    from mmst.dashboard.report import round_report
    from mmst.runs.opening import fork_once
    from mmst.runs.storage import run_directory

    resolved = load_config(config, settings)
    place = str(run_dir or Path("runs") / resolved.name)
    with _session(progress) as report, run_directory(place, report.line) as run:
        if fork is not None:
            fork_once(Path(fork), run.root, resolved, from_round)
        stopped = loop.self_train(resolved, run.root, report, round_report, run.on_commit)
        return _run_result(run, stopped)


def _run_result(run: RunDirectory, stopped: str) -> RunResult:
    from mmst.runs.status import status_of

    rounds = [
        RoundResult(
            r["round"],
            r["promoted"],
            r["accuracy"] or {},
            r["intervals"] or {},
            r["dev"] or {},
            r["pool"],
            r["seconds"],
        )
        for r in status_of(run)["rounds"]
    ]
    last = [round_.number for round_ in rounds if round_.promoted is not None][-1]
    held = run.round(last).figures("promote")
    inside = run.root / held["checkpoint"]
    accuracy = next(round_.accuracy for round_ in rounds if round_.number == held["round"])
    return RunResult(run.root, inside if inside.is_dir() else held["checkpoint"], rounds, accuracy, stopped)


def evaluate(
    model: str | Path,
    problems: str | Path | Sequence[Problem],
    *,
    methods: Sequence[str] = (),
    samples: int = 1,
    settings: Settings = (),
    out: str | Path | None = None,
    progress: bool | Reporter = True,
) -> Evaluation:
    """Measure the accuracy of a model by every method, of votes over methods, and of a cascade.

    Raises InputError for a missing model, bad problems, unknown methods or settings.

    Parameters
    ----------
    model
        Model directory or hub id. If it has an `mmst.json`, that says how to prompt it.
    problems
        A JSONL, JSON or Parquet file, a `datasets` name, or a list of `Problem`.
    methods
        Names of methods; default those of `mmst.json`, else `cot` and `pot`.
    samples
        Answers per method. The first is greedy and counts for the method's accuracy; votes use all.
    settings
        Values of the configuration by dotted key, such as `{"engine.dtype": "bfloat16"}`.
    out
        Parquet file for every answer with its verdict.
    progress
        As in `self_train`.

    Examples
    --------
    >>> found = mmst.evaluate("runs/tiny/round-002/checkpoints/solver", "test.jsonl")  # doctest: +SKIP
    >>> found.accuracy["vote"], found.intervals["vote"]  # doctest: +SKIP
    (0.91, (0.88, 0.93))
    """
    from mmst.runs.tables import write_table
    from mmst.serving import evaluate_checkpoint

    source = str(problems) if isinstance(problems, str | Path) else problems
    if out is not None and (Path(out).is_dir() or not Path(out).absolute().parent.is_dir()):
        raise InputError(
            f"{out}: cannot be written ({'is a directory' if Path(out).is_dir() else 'no such directory'})"
        )
    with _session(progress) as report:
        found = evaluate_checkpoint(str(model), source, methods, _with_samples(settings, samples), report)
    if out is not None:
        write_table(Path(out).resolve(), Solution, found.rows)
    return found


def solve(
    question: str,
    model: str | Path,
    *,
    methods: Sequence[str] = (),
    samples: int = 1,
    ensemble: Ensemble = "vote",
    settings: Settings = (),
    progress: bool | Reporter = True,
) -> SolveResult:
    """Solve one question by every method.

    Raises InputError as `evaluate`, and for `weighted` if the checkpoint has no accuracies.

    Parameters
    ----------
    question
        The problem in words.
    ensemble
        How the answer is chosen: `vote` (majority vote), `weighted` (by each method's accuracy on dev problems, as the
        run of the checkpoint measured it), or `cascade` (the first method that gives an answer).
    model, methods, samples, settings, progress
        As in `evaluate`.

    Examples
    --------
    >>> found = mmst.solve("Mia has 12 pens and buys 3 more. How many?", run.checkpoint)  # doctest: +SKIP
    >>> found.answer, found.votes  # doctest: +SKIP
    ('15', {'15': 2})
    """
    from mmst.serving import solve_question

    with _session(progress) as report:
        return solve_question(str(model), question, methods, _with_samples(settings, samples), ensemble, report)


def experiment(
    file: str | Path | Mapping[str, Any],
    out_dir: str | Path | None = None,
    *,
    scale: float = 1.0,
    progress: bool | Reporter = True,
) -> ExperimentResult:
    """Run arms × seeds over one configuration and compare them problem by problem.

    Finished arms are never repeated, and arms share round 0 where they can. Intervals are bootstrapped over seeds and
    problems; every two arms have an exact McNemar test.

    Raises InputError for a bad file, an unknown control, and arms that cannot share round 0.

    Parameters
    ----------
    file
        A YAML file such as those in `experiments/`, or a mapping of the same shape whose `base` is relative to the
        working directory.
    out_dir
        Directory of the runs and results; default `runs/<file name>`, with `-x<scale>` if there is a scale.
    scale
        Multiplies the settings that the file lists as `scaled`.
    progress
        As in `self_train`.

    Examples
    --------
    >>> result = mmst.experiment("experiments/mmst.yaml", scale=0.1)  # doctest: +SKIP
    >>> [(row["arm"], row["difference"]) for row in result.tables["test"]]  # doctest: +SKIP
    """
    from mmst.dashboard.report import round_report
    from mmst.experiments import read_experiment, run_experiment

    name = "experiment" if isinstance(file, Mapping) else Path(file).stem
    name += "" if scale == 1.0 else f"-x{scale:g}"
    defined = read_experiment(file if isinstance(file, Mapping) else Path(file), scale)
    with _session(progress) as report:
        return run_experiment(defined, Path(out_dir or Path("runs") / name), report, round_report)


def verify_run(run_dir: str | Path) -> Audit:
    """Check every manifest, checksum, row count and reference of the run in a directory or at a URL.

    Raises InputError if there is no run.

    Examples
    --------
    >>> mmst.verify_run("runs/tiny").faults  # doctest: +SKIP
    []
    """
    from mmst.runs import audit
    from mmst.runs.storage import run_to_read

    with run_to_read(run_dir) as root:
        return Audit(*audit.verify_run(root))


def _with_samples(settings: Settings, samples: int) -> Settings:
    if isinstance(settings, Mapping):
        return {**settings, "evaluation.samples": samples}
    return [*settings, f"evaluation.samples={samples}"]


@contextlib.contextmanager
def _session(progress: bool | Reporter) -> Iterator[Reporter]:
    """A reporter, and no running event loop inside the block.

    A notebook calls from its running event loop, inside of which neither our own loop nor blocking calls of Ray Serve
    work. The call blocks that loop anyway, so it is set aside; a thread would not be reached by Ctrl-C. Nor would this
    one be under `asyncio.run`, whose SIGINT handler only cancels a task of the blocked loop, so it is set aside too.
    """
    from rich.console import Console

    from mmst.progress import Reporter

    report = progress if isinstance(progress, Reporter) else Reporter(Console(quiet=not progress))
    running, handler = asyncio._get_running_loop(), signal.getsignal(signal.SIGINT)
    replaced = running is not None and callable(handler) and threading.current_thread() is threading.main_thread()
    if replaced:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio._set_running_loop(None)
    try:
        yield report
    finally:
        asyncio._set_running_loop(running)
        if replaced:
            signal.signal(signal.SIGINT, handler)
