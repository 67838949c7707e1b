"""The plots and tables of a run and of one round, from the figures in its manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmst.dashboard.charts import Chart, Series, Table, stacked, thinned
from mmst.dashboard.run import Round, Run
from mmst.runs.stages import STAGES

RIGHT = ("kept", "duplicate", "cap", "balance", "calculation")
"""Decisions of solutions whose answer equals the label, whatever became of them."""


def run_charts(run: Run) -> list[Chart]:
    """What a run shows round by round; without the charts that have nothing to show."""
    return [chart for chart in _run_charts(run) if chart]


def _run_charts(run: Run) -> Iterator[Chart]:
    for name in ("test", "dev"):
        yield accuracy_chart(run, name)
    stages = [stage for stage in STAGES if any(stage in r.manifests for r in run.rounds)]
    seconds = {r.number: {stage: r.seconds.get(stage, 0.0) for stage in stages} for r in run.rounds}
    yield stacked("stages", "Time of each stage", "round", "seconds", seconds)
    pool = {r.number: _pool(r) for r in run.rounds if "train" in r.manifests}
    note = "What each round trained on: kept solutions of all rounds so far, by method and origin."
    yield stacked("pool", "Pool by method and origin", "round", "rows", pool, note=note)
    kept = {r.number: _kept_by(r) for r in run.rounds if "filter" in r.manifests}
    yield stacked("kept", "Newly kept by method and origin", "round", "solutions", kept)
    labels = {r.number: _labels(r) for r in run.rounds if "filter" in r.manifests}
    yield stacked("labels", "Where labels come from", "round", "share of problems", labels, share=True)
    yield agreement_chart(run)
    decisions = {
        r.number: kept_first(r.figures("filter").get("reasons", {})) for r in run.rounds if "filter" in r.manifests
    }
    yield stacked(
        "decisions", "Kept, and why the rest was dropped", "round", "share of solutions", decisions, share=True
    )


def accuracy_chart(run: Run, name: str) -> Chart:
    """Accuracy of every method, votes of them and any of them, by round, with intervals."""
    rounds = [r for r in run.done if r.evaluation(name).get("accuracy")]
    names = list(dict.fromkeys(m for r in rounds for m in r.evaluation(name)["accuracy"]))

    def part(method: str, side: int) -> list[float | None]:
        intervals = [(r.evaluation(name).get("intervals") or {}).get(method) for r in rounds]
        return [None if pair is None else pair[side] for pair in intervals]

    series = [Series(m, [r.evaluation(name)["accuracy"].get(m) for r in rounds], part(m, 0), part(m, 1)) for m in names]
    counts = sorted({r.evaluation(name).get("answered", r.evaluation(name).get("n", 0)) for r in rounds})
    note = f"{' or '.join(map(str, counts))} {name} problems; bars are 95 % intervals (Wilson)." if counts else ""
    title = f"Accuracy on {name} problems"
    return Chart(f"accuracy-{name}", title, "lines", "round", "solved", [r.number for r in rounds], series, True, note)


def agreement_chart(run: Run) -> Chart:
    """How often methods agree, and how often what they agree on is right."""
    rounds = [r for r in run.done if r.evaluation("dev").get("agreement")]
    found = [r.evaluation("dev")["agreement"] for r in rounds]
    series = [Series("share of problems on which methods agree", [a.get("share") for a in found])]
    if any(a.get("precision") is not None for a in found):
        spread = [a.get("interval") or (None, None) for a in found]
        low, high = [pair[0] for pair in spread], [pair[1] for pair in spread]
        series.append(Series("of which right", [a.get("precision") for a in found], low, high))
    labelled = [_agreement_precision(r) for r in rounds]
    if any(value is not None for value in labelled):
        series.append(Series("labels by agreement that are right", labelled))
    note = "On dev problems, greedily; labels on train problems, where reference answers are known."
    x = [r.number for r in rounds]
    return Chart("agreement", "Agreement: share and precision", "lines", "round", "share", x, series, True, note)


def round_charts(run: Run, round_: Round) -> list[Chart]:
    """What one round shows; without the charts that have nothing to show."""
    statuses = round_.figures("generate").get("statuses") or {}
    charts = [
        stacked("verdicts", "Verdicts by method", "method", "share of solutions", statuses, share=True),
        stacked("reasons", "Decisions by stage", "stage", "solutions", _reasons(round_)),
        loss_chart(run.root, round_),
        stacked("trained", "What was trained on", "task", "rows", _rows_by_task(round_)),
    ]
    return [chart for chart in charts if chart]


def loss_chart(root: Path, round_: Round) -> Chart:
    """The training loss of a round by role, also of one that is being trained now."""
    losses: dict[str, dict[int, float]] = {}
    for role, point in _losses(root, round_):
        losses.setdefault(role, {})[point["step"]] = point["loss"]
    steps = thinned(sorted({step for points in losses.values() for step in points}))
    series = [Series(role, [points.get(step) for step in steps]) for role, points in losses.items()]
    return Chart("loss", "Training loss", "lines", "step", "loss per token (nats)", [float(s) for s in steps], series)


def _losses(root: Path, round_: Round) -> Iterator[tuple[str, dict[str, Any]]]:
    if "train" in round_.manifests:
        mark = f'"round": {round_.number}, "stage": "train"'
        yield from ((point.get("role", "solver"), point) for point in _lines(root / "metrics.jsonl", mark))
        return
    for path in trainings(round_):
        role = path.parent.name.partition("-")[2] or "solver"
        yield from ((role, event) for event in _lines(path, '"event": "step"'))


def trainings(round_: Round) -> list[Path]:
    """What trainings of a round that go on, or were broken off, have written down; the latest one last."""
    found = round_.directory.root.glob("training*/progress.jsonl")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def _lines(path: Path, containing: str) -> list[dict[str, Any]]:
    """The steps in a file of JSON lines that contain a text; a line that is half-written doesn't count."""
    try:
        with path.open(encoding="utf-8") as file:
            wanted = [line for line in file if containing in line and line.endswith("\n")]
    except OSError:
        return []
    return [value for line in wanted if "step" in (value := json.loads(line))]


def training_tokens_per_second(round_: Round) -> float | None:
    """Of a round that is being trained now, over its last steps."""
    steps = [event for path in trainings(round_)[-1:] for event in _lines(path, '"event": "step"')][-50:]
    seconds = sum(event["seconds"] for event in steps)
    return sum(event["tokens"] for event in steps) / seconds if seconds else None


def rounds_table(run: Run) -> Table:
    """A row per round: accuracies on test problems with intervals, what was kept, whether it was promoted."""
    names = list(dict.fromkeys(m for r in run.done for m in (r.evaluation("test").get("accuracy") or {})))
    rows = []
    for r in run.rounds:
        figures, test, promotion = r.figures("filter"), r.evaluation("test"), r.figures("promote")
        cells = [percent((test.get("accuracy") or {}).get(m), (test.get("intervals") or {}).get(m)) for m in names]
        promoted = {True: "yes", False: "no"}.get(promotion.get("promoted"), "")  # type: ignore[arg-type]
        kept = [figures.get("solutions"), figures.get("kept"), sum(_pool(r).values()) or None]
        rows.append([r.number, *cells, *kept, promoted, round(sum(r.seconds.values()))])
    return Table(["round", *names, "solutions", "kept", "pool", "promoted", "seconds"], rows)


def stages_table(round_: Round) -> Table:
    """What each finished stage of a round did, how long it took, and how fast it was."""
    rows: list[list[Any]] = []
    for stage, manifest in round_.manifests.items():
        spent = ", ".join(f"{what} {seconds:.1f}" for what, seconds in (manifest.get("spent") or {}).items())
        rows.append([stage, manifest.get("seconds"), spent, _rate(round_, stage), manifest.get("finished")])
    return Table(["stage", "seconds", "of which", "rate", "finished"], rows)


def _rate(round_: Round, stage: str) -> str:
    """What a finished stage did per second."""
    figures, spent = round_.figures(stage), round_.manifests[stage].get("spent") or {}
    seconds = spent.get(stage)
    if stage == "train" and figures.get("tokens_per_second"):
        return f"{figures['tokens_per_second']:,.0f} tokens/s in {figures.get('steps', 0):,} steps"
    count = figures.get("solutions") or figures.get("translations")
    if not seconds or not count or stage not in ("generate", "translate"):
        return ""
    tokens = f", {figures['tokens'] / seconds:,.0f} tokens/s" if figures.get("tokens") else ""
    return f"{count / seconds:,.0f} solutions made and verified/s{tokens}"


def accuracy_table(round_: Round) -> Table:
    """Accuracies of one round on dev and test problems, with intervals, slices and the change since the last round."""
    columns = ["", *(f"{name}, %" for name in ("dev", "test"))]
    slices = round_.evaluation("test").get("slices") or {}
    columns += [f"{name.replace('_', ' ')} (n = {part.get('n')}), %" for name, part in slices.items()]
    against = round_.figures("evaluate").get("against_last_round") or {}
    columns += ["gained and lost on test", "p (McNemar)"] if against else []
    parts = [round_.evaluation("dev"), round_.evaluation("test"), *slices.values()]
    names = dict.fromkeys(m for part in parts for m in (part.get("accuracy") or {}))
    rows = []
    for m in names:
        cells = [percent((p.get("accuracy") or {}).get(m), (p.get("intervals") or {}).get(m)) for p in parts]
        change = (against.get("test") or {}).get(m)
        more = [f"+{change['gained']} −{change['lost']}", f"{change['p']:.2g}"] if change else ["", ""]
        rows.append([m, *cells, *(more if against else [])])
    return Table(columns, rows)


def kept_first(reasons: Mapping[str, float]) -> dict[str, float]:
    """Decisions in an order of their own: what was kept, then reasons by name."""
    return dict(sorted(reasons.items(), key=lambda item: (item[0] != "kept", item[0])))


def percent(value: float | None, interval: tuple[float, float] | None = None) -> str:
    """A share in per cent, with its interval."""
    if value is None:
        return ""
    return f"{100 * value:.1f}" + (f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else "")


def _pool(round_: Round) -> dict[str, int]:
    rows = round_.figures("train").get("rows") or {}
    return {kind: count for kind, count in rows.items() if not kind.endswith((" view", " pair"))}


def _rows_by_task(round_: Round) -> dict[str, dict[str, float]]:
    tasks: dict[str, dict[str, float]] = {}
    for kind, count in (round_.figures("train").get("rows") or {}).items():
        task, _, source = kind.rpartition(" ")
        tasks.setdefault(task, {})[source] = count
    return tasks


def _kept_by(round_: Round) -> dict[str, int]:
    kept = {f"{m} native": n for m, n in (round_.figures("filter").get("kept_by_method") or {}).items()}
    for stage, origin in (("rationalize", "rationalized"), ("translate", "translated")):
        kept |= {f"{m} {origin}": n for m, n in (round_.figures(stage).get("kept_by_method") or {}).items()}
    return dict(sorted(kept.items()))  # as in the pool: what is the same has the same colour


def _labels(round_: Round) -> dict[str, int]:
    labels = round_.figures("filter").get("labels") or {}
    return {source: n for source, n in labels.items() if not source.startswith("agreement_")}


def _agreement_precision(round_: Round) -> float | None:
    labels: Mapping[str, int] = round_.figures("filter").get("labels") or {}
    right, wrong = labels.get("agreement_right", 0), labels.get("agreement_wrong", 0)
    return right / (right + wrong) if right + wrong else None


def _reasons(round_: Round) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for stage in ("filter", "rationalize", "translate"):
        if reasons := round_.figures(stage).get("reasons"):
            found[stage] = kept_first(reasons)
    return found
