"""Cleaning up when a run is resumed: leftovers of a kill are removed, views are rebuilt from the manifests."""

from __future__ import annotations

import json
import shutil

from mmst.files import PARTIAL, write_text
from mmst.runs.directory import RunDirectory
from mmst.runs.lock import LOCKS
from mmst.runs.stages import STAGES
from mmst.runs.status import write_rounds


def tidy(run: RunDirectory) -> None:
    """Remove files that no manifest will ever list, and make `rounds.jsonl` and `metrics.jsonl` match the manifests."""
    for path in [path for path in run.root.rglob(f".*{PARTIAL}") if path.parent.name != LOCKS]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for round_ in run.rounds():
        if round_.done("train"):
            for training in round_.root.glob("training*"):
                shutil.rmtree(training)
    if run.rounds():
        write_rounds(run)
        _mend_metrics(run)


def _mend_metrics(run: RunDirectory) -> None:
    """Drop a torn last line and the lines of stages that will be redone; add lines that a kill prevented."""
    finished = {(round_.number, stage) for round_ in run.rounds() for stage in STAGES if round_.done(stage)}
    text = run.metrics.read_text(encoding="utf-8", errors="replace") if run.metrics.exists() else ""
    kept, summarized = [], set()
    for line in text.splitlines(keepends=True):
        try:
            value = json.loads(line)
            stage = value["round"], value["stage"]
        except (ValueError, KeyError, TypeError):
            continue
        if stage in finished:
            kept.append(line if line.endswith("\n") else line + "\n")
            summarized |= {stage} if "spent" in value else set()
    missing = [run.round(number).metrics_line(stage) for number, stage in sorted(finished - summarized)]
    mended = "".join([*kept, *(json.dumps(line, ensure_ascii=False) + "\n" for line in missing)])
    if mended != text:
        write_text(run.metrics, mended)
