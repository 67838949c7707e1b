"""Plots and tables of a run and of one round, from the figures in its manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmst.dashboard.charts import Chart, Series, Table, stacked, thinned
from mmst.dashboard.run import Round, Run
from mmst.runs.stages import KEEPING, STAGES

RIGHT = ("kept", "duplicate", "cap", "balance", "calculation")
"""Decisions on solutions whose answer equals the label."""
_DISPLAYED = {"vote": "majority vote", "any": "any method"}


def display(name: str) -> str:
    """The name of a method, or of a way to combine methods, as pages show it."""
    return _DISPLAYED.get(name, name)


def run_charts(run: Run) -> list[Chart]:
    """The charts of a run, round by round; empty ones are left out."""
    trained = [r for r in run.rounds if "train" in r.manifests]
    filtered = [r for r in run.rounds if "filter" in r.manifests]
    stages = [stage for stage in STAGES if any(stage in r.manifests for r in run.rounds)]
    seconds = {r.number: {stage: r.seconds.get(stage, 0.0) for stage in stages} for r in run.rounds}
    labels = {r.number: _labels(r) for r in filtered}
    decisions = {r.number: _kept_first(r.figures("filter").get("reasons", {})) for r in filtered}
    note = "What each round trained on: solutions kept in this and all earlier rounds."
    charts = [
        accuracy_chart(run, "test"),
        accuracy_chart(run, "dev"),
        stacked("pool", "Pool by method and origin", "round", "rows", {r.number: _pool(r) for r in trained}, note=note),
        stacked(
            "kept", "Newly kept by method and origin", "round", "solutions", {r.number: _kept_by(r) for r in filtered}
        ),
        stacked("labels", "Where labels come from", "round", "share of problems", labels, share=True),
        _agreement_chart(run),
        stacked("decisions", "Decisions: kept or why not", "round", "share of solutions", decisions, share=True),
        stacked("stages", "Time per stage", "round", "seconds", seconds),
    ]
    return [chart for chart in charts if chart]


def accuracy_chart(run: Run, name: str) -> Chart:
    """Accuracy on `dev` or `test` problems by round: of every method, the majority vote and any method."""
    rounds = [r for r in run.done if r.evaluation(name).get("accuracy")]
    methods = list(dict.fromkeys(m for r in rounds for m in r.evaluation(name)["accuracy"]))

    def side(method: str, end: int) -> list[float | None]:
        intervals = [(r.evaluation(name).get("intervals") or {}).get(method) for r in rounds]
        return [None if interval is None else interval[end] for interval in intervals]

    series = [
        Series(display(m), [r.evaluation(name)["accuracy"].get(m) for r in rounds], side(m, 0), side(m, 1))
        for m in methods
    ]
    counts = sorted({r.evaluation(name).get("answered", r.evaluation(name).get("n", 0)) for r in rounds})
    note = f"{' or '.join(f'{n:,}' for n in counts)} {name} problems. Bars: 95 % intervals (Wilson)." if counts else ""
    x = [r.number for r in rounds]
    return Chart(f"accuracy-{name}", f"Accuracy on {name} problems", "lines", "round", "solved", x, series, True, note)


def _agreement_chart(run: Run) -> Chart:
    """How often methods agree, and how often the answer that they agree on is right."""
    rounds = [r for r in run.done if r.evaluation("dev").get("agreement")]
    found = [r.evaluation("dev")["agreement"] for r in rounds]
    series = [Series("dev problems on which methods agree", [a.get("share") for a in found])]
    if any(a.get("precision") is not None for a in found):
        spread = [a.get("interval") or (None, None) for a in found]
        low, high = [pair[0] for pair in spread], [pair[1] for pair in spread]
        series.append(Series("of these, agreed answer is right", [a.get("precision") for a in found], low, high))
    labelled = [_agreement_precision(r) for r in rounds]
    if any(value is not None for value in labelled):
        series.append(Series("train labels by agreement that are right", labelled))
    note = "Dev: greedy answers. Train labels: only problems with a known reference answer count."
    x = [r.number for r in rounds]
    return Chart("agreement", "Agreement: share and precision", "lines", "round", "share", x, series, True, note)


def round_charts(run: Run, round_: Round) -> list[Chart]:
    """The charts of one round; empty ones are left out."""
    statuses = round_.figures("generate").get("statuses") or {}
    reasons = {stage: _kept_first(round_.figures(stage).get("reasons") or {}) for stage in KEEPING}
    reasons = {stage: counts for stage, counts in reasons.items() if counts}
    rows: dict[str, dict[str, float]] = {}
    for kind, count in (round_.figures("train").get("rows") or {}).items():
        task, _, source = kind.rpartition(" ")
        rows.setdefault(task, {})[source] = count
    charts = [
        stacked("verdicts", "Verdicts by method", "method", "share of solutions", statuses, share=True),
        stacked("reasons", "Decisions by stage", "stage", "solutions", reasons),
        loss_chart(run.root, round_),
        stacked("trained", "Training rows by task and origin", "task", "rows", rows),
    ]
    return [chart for chart in charts if chart]


def loss_chart(root: Path, round_: Round) -> Chart:
    """The training loss of a round by role, also while it trains."""
    losses: dict[str, dict[int, float]] = {}
    for role, point in _losses(root, round_):
        losses.setdefault(role, {})[point["step"]] = point["loss"]
    steps = thinned(sorted({step for points in losses.values() for step in points}))
    series = [Series(role, [points.get(step) for step in steps]) for role, points in losses.items()]
    return Chart("loss", "Training loss", "lines", "step", "loss per token (nats)", [float(s) for s in steps], series)


def _losses(root: Path, round_: Round) -> Iterator[tuple[str, dict[str, Any]]]:
    if "train" in round_.manifests:
        mark = f'"round": {round_.number}, "stage": "train"'
        yield from ((point.get("role", "solver"), point) for point in _steps(root / "metrics.jsonl", mark))
        return
    for path in _trainings(round_):
        role = path.parent.name.partition("-")[2] or "solver"
        yield from ((role, event) for event in _steps(path, '"event": "step"'))


def _trainings(round_: Round) -> list[Path]:
    """The progress files of a round's unfinished trainings, the latest one last."""
    found = round_.directory.root.glob("training*/progress.jsonl")
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def _steps(path: Path, containing: str) -> list[dict[str, Any]]:
    """The training steps in a file of JSON lines; a line that is still being written is left out."""
    try:
        with path.open(encoding="utf-8") as file:
            wanted = [line for line in file if containing in line and line.endswith("\n")]
    except OSError:
        return []
    return [value for line in wanted if "step" in (value := json.loads(line))]


def training_tokens_per_second(round_: Round) -> float | None:
    """Speed of the current training over its last 50 steps."""
    steps = [event for path in _trainings(round_)[-1:] for event in _steps(path, '"event": "step"')][-50:]
    seconds = sum(event["seconds"] for event in steps)
    return sum(event["tokens"] for event in steps) / seconds if seconds else None


def rounds_table(run: Run) -> Table:
    """A row per round: accuracies on test problems with intervals, how much was kept, whether it was promoted."""
    methods = list(dict.fromkeys(m for r in run.done for m in (r.evaluation("test").get("accuracy") or {})))
    rows = []
    for r in run.rounds:
        figures, test = r.figures("filter"), r.evaluation("test")
        accuracies = [_accuracy(test, m) for m in methods]
        counts = [figures.get("solutions"), figures.get("kept"), sum(_pool(r).values()) or None]
        seconds = round(sum(r.seconds.values()))
        rows.append([r.number, *accuracies, *counts, r.figures("promote").get("promoted"), seconds])
    return Table(["round", *map(display, methods), "solutions", "kept", "pool", "promoted", "seconds"], rows)


def stages_table(round_: Round) -> Table:
    """Duration and speed of each finished stage of a round."""
    rows: list[list[Any]] = []
    for stage, manifest in round_.manifests.items():
        spent = ", ".join(f"{what} {seconds:.1f}" for what, seconds in (manifest.get("spent") or {}).items())
        rows.append([stage, manifest.get("seconds"), spent, _rate(round_, stage), moment(manifest.get("finished"))])
    return Table(["stage", "seconds", "of which", "rate", "finished"], rows)


def _rate(round_: Round, stage: str) -> str:
    figures, spent = round_.figures(stage), round_.manifests[stage].get("spent") or {}
    if stage == "train" and figures.get("tokens_per_second"):
        return f"{figures['tokens_per_second']:,.0f} tokens/s in {figures.get('steps', 0):,} steps"
    seconds, count = spent.get(stage), figures.get("solutions") or figures.get("translations")
    if not seconds or not count or stage not in ("generate", "translate"):
        return ""
    tokens = f", {figures['tokens'] / seconds:,.0f} tokens/s" if figures.get("tokens") else ""
    return f"{count / seconds:,.0f} verified solutions/s{tokens}"


def accuracy_table(round_: Round) -> Table:
    """Accuracies of one round in per cent: on dev, test and groups of test problems, pass@k and maj@k on test, and the
    change since the last round."""
    dev, test = round_.evaluation("dev"), round_.evaluation("test")
    slices = test.get("slices") or {}
    of_samples = {
        f"{name[:-1]}{k}": {m: by_k[k] for m, by_k in (test.get(name) or {}).items() if k in by_k}
        for name in ("pass@k", "maj@k")
        for k in dict.fromkeys(k for by_k in (test.get(name) or {}).values() for k in by_k)
    }
    against = round_.figures("evaluate").get("against_last_round") or {}
    parts = [dev, test, *slices.values()]
    rows = []
    for m in dict.fromkeys(m for part in parts for m in (part.get("accuracy") or {})):
        change = (against.get("test") or {}).get(m)
        changes = [f"+{change['gained']} −{change['lost']}", f"{change['p']:.2g}"] if change else ["", ""]
        sampled = [percent(shares.get(m)) for shares in of_samples.values()]
        cells = [_accuracy(part, m) for part in parts]
        rows.append([display(m), *cells[:2], *sampled, *cells[2:], *(changes if against else [])])
    columns = ["", "dev", "test", *(f"{name}, test" for name in of_samples)]
    columns += [f"{name.replace('_', ' ')} (n = {part.get('n')})" for name, part in slices.items()]
    return Table(columns + (["gained and lost, test", "p (McNemar)"] if against else []), rows)


def moment(stamp: Any) -> str:
    """The date and time of a run's time stamp, without its zone."""
    return str(stamp or "")[:19].replace("T", " ")


def percent(value: float | None, interval: tuple[float, float] | None = None) -> str:
    """A share in per cent, with its interval; empty for None."""
    if value is None:
        return ""
    return f"{100 * value:.1f}" + (f" ({100 * interval[0]:.1f}–{100 * interval[1]:.1f})" if interval else "")


def _accuracy(figures: Mapping[str, Any], method: str) -> str:
    return percent((figures.get("accuracy") or {}).get(method), (figures.get("intervals") or {}).get(method))


def _kept_first(reasons: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(reasons.items(), key=lambda item: (item[0] != "kept", item[0])))


def _pool(round_: Round) -> dict[str, int]:
    rows = round_.figures("train").get("rows") or {}
    return {kind: count for kind, count in rows.items() if not kind.endswith((" view", " pair"))}


def _kept_by(round_: Round) -> dict[str, int]:
    kept = {
        f"{method} {origin}": count
        for stage, origin in KEEPING.items()
        for method, count in (round_.figures(stage).get("kept_by_method") or {}).items()
    }
    return dict(sorted(kept.items()))  # the order of the pool, so that equal names have equal colours


def _labels(round_: Round) -> dict[str, int]:
    labels = round_.figures("filter").get("labels") or {}
    return {source: n for source, n in labels.items() if not source.startswith("agreement_")}


def _agreement_precision(round_: Round) -> float | None:
    labels: Mapping[str, int] = round_.figures("filter").get("labels") or {}
    right, wrong = labels.get("agreement_right", 0), labels.get("agreement_wrong", 0)
    return right / (right + wrong) if right + wrong else None
