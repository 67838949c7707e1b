"""A whole run in a second or two: the real loop, stages, run directory and lock around a fake model and trainer.

Also a program to kill: `python fake_run.py RUN_DIR [key=value ...]`.
"""

import asyncio
import hashlib
import json
import operator
import random
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar
from unittest.mock import patch

from rich.console import Console

from mmst.config import Config
from mmst.config.file import build_config, with_settings
from mmst.files import checksum
from mmst.loop import self_train
from mmst.methods import METHODS
from mmst.problems.read import write_problems
from mmst.progress import Reporter
from mmst.records import Completion, Problem, Verdict
from mmst.runs.directory import OnCommit, nothing
from mmst.verify.answers import read_answer

_SUM = re.compile(r"(\d+) ([+*-]) (\d+)")
_OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class FakeEngine:
    """Answers `a + b?` by cot or pot; three of four answers are correct, depending on seed and prompt."""

    report: ClassVar = {"generation": 1, "in_place": False, "fault": None, "largest": 0.0, "mean": 0.0, "seconds": 0.0}

    async def complete(self, request) -> Completion:
        await asyncio.sleep(0)
        a, sign, b = _SUM.search(request.prompt).groups()
        draw = random.Random(f"{request.seed}{request.prompt}")
        b = str(int(b) + (draw.random() < 0.25))
        program = METHODS["pot"].task_prompt
        if program.solve in request.prompt or program.translate in request.prompt:
            text = f"other = {draw.randrange(999)}\nprint({a} {sign} {b})"
        else:
            other = draw.randrange(999)
            value = _value(a, sign, b)
            text = f"{other} + 1 = {other + 1}. {a} {sign} {b} = {value}.\nThe answer is {value}."
        return Completion(text, "stop", len(text.split()))

    def queue(self) -> dict[str, int]:
        return {}


def _value(a: str, sign: str, b: str) -> int:
    return _OPERATORS[sign](int(a), int(b))


class FakeServices:
    """`mmst.stages.runtime.Runtime` without Ray, vLLM and sandbox."""

    def __init__(self, config, methods, report, owner) -> None:
        self._loop = asyncio.Runner()

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self._loop.close()

    def wait(self, work):
        return self._loop.run(work)

    def engine(self, checkpoint, *rest) -> FakeEngine:
        return FakeEngine()

    def verifiers(self):
        return SimpleNamespace(verify=_verify)

    def cluster(self) -> None: ...

    def make_room_for_training(self) -> None: ...

    def sandbox_counts(self) -> dict[str, int]:
        return {}

    def resources(self) -> dict[str, float]:
        return {}


async def _verify(method: str, completion: Completion) -> Verdict:
    if method != "pot":
        return METHODS[method].read(completion, None)
    answer = str(_value(*_SUM.search(completion.text.rpartition("print")[2]).groups()))
    return Verdict("ok", answer, read_answer(answer).key)


def fake_fit(request, on_step):
    """Write a checkpoint whose weights are a hash of its training data."""
    steady = {"learning_rate": 1e-3, "tokens": 64, "seconds": 0.1}
    losses = [{"step": n + 1, "loss": 1 / (n + 1), **steady} for n in range(3)]
    for point in losses:
        on_step(point)
    _checkpoint(request.output, f"{checksum(request.rows)} {request.seed}")
    figures = {"steps": 3, "loss": 0.5}
    return SimpleNamespace(figures=lambda: figures, losses=losses)


def _checkpoint(directory: Path, weights: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(hashlib.blake2b(weights.encode()).digest() * 64)


def _from_scratch(context, round_) -> Path:
    target = round_.root / "checkpoints" / "initial"
    _checkpoint(target, "initial")
    return target


def fake_config(directory: Path, *settings: str, problems: int = 12) -> Config:
    """A configuration with sums to solve and short rounds."""
    draw = random.Random(0)
    sets = {}
    for number, (name, count) in enumerate({"train": problems, "dev": 4, "test": 4}.items()):
        sets[name] = str(directory / f"{name}.jsonl")
        if not Path(sets[name]).exists():
            made = []
            for n in range(count):
                a, b = draw.randrange(100 * n + 100), 10 * n + number
                views = {"cot": f"{a} + {b} = {a + b}.\nThe answer is {a + b}.", "program": f"print({a} + {b})"}
                made.append(Problem(id=f"{name}-{n}", question=f"{a} + {b}?", answer=str(a + b), views=views))
            write_problems(sets[name], made)
    tree = {
        "name": "fake",
        "problems": sets,
        "rounds": {"max": 2, "patience": 9},
        "sampling": {"k": 2},
        "filter": {"cap": 9},
        "translate": {"include_question": True},
    }
    return build_config(with_settings(tree, settings))


def fake_run(config: Config, root: Path, on_commit: OnCommit = nothing) -> str:
    """`mmst run` with the fake parts."""
    with (
        patch("mmst.loop.Runtime", FakeServices),
        patch("mmst.stages.train._from_scratch", _from_scratch),
        patch("mmst.training.train", fake_fit),
    ):
        return self_train(config, root, Reporter(Console(file=sys.stderr, width=200)), on_commit=on_commit)


def content(root: Path) -> dict[str, object]:
    """The result of a run without times: checksums of data files, and manifests."""
    found: dict[str, object] = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = str(path.relative_to(root))
        if path.suffix in (".parquet", ".safetensors"):
            found[name] = checksum(path)
        elif path.parent.name in ("stages", "solutions", "translations") and path.suffix == ".json":
            manifest = json.loads(path.read_text())
            found[name] = {key: manifest.get(key) for key in ("stage", "round", "parts", "figures", "rows", "checksum")}
    return found


if __name__ == "__main__":
    root = Path(sys.argv[1])
    print(fake_run(fake_config(root.parent, *sys.argv[2:]), root))
