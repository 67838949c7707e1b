"""When a run is gone on with: what a kill left half done goes, and the views are made from the manifests again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmst.files import PARTIAL, write_text
from mmst.runs.directory import RunDirectory
from mmst.runs.stages import STAGES
from mmst.runs.status import write_rounds


def tidy(run: RunDirectory) -> None:
    """Remove what no manifest will ever name, and bring `rounds.jsonl` and `metrics.jsonl` to what manifests say."""
    for path in [path for path in run.root.rglob(f".*{PARTIAL}") if path.parent.name != "locks"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for round_ in run.rounds():
        if round_.done("train"):
            for training in round_.root.glob("training*"):
                shutil.rmtree(training)
    if run.rounds():
        write_rounds(run)
        _mend_metrics(run)


def _mend_metrics(run: RunDirectory) -> None:
    """Drop the torn last line and what stages wrote that will be done again; add what a kill kept from being added."""
    finished = {(round_.number, stage) for round_ in run.rounds() for stage in STAGES if round_.done(stage)}
    lines = list(_lines(run.metrics))
    kept = [line for line in lines if (line.get("round"), line.get("stage")) in finished]
    told = {(line["round"], line["stage"]) for line in kept if "spent" in line}
    kept += [run.round(number).metrics_line(stage) for number, stage in sorted(finished - told)]
    if kept != lines or not _ends_well(run.metrics):
        write_text(run.metrics, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def _ends_well(path: Path) -> bool:
    """Whether the last line is whole."""
    if not path.exists() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"
