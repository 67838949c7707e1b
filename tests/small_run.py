"""A finished run of one round, made by the loop's own stages from given solutions in milliseconds."""

from pathlib import Path

from mmst.config.file import build_config, dump_config
from mmst.evaluation import figures_of
from mmst.files import write_json, write_text
from mmst.methods import methods_named
from mmst.problems.sets import ProblemSets
from mmst.progress import Reporter
from mmst.records import Problem, Solution
from mmst.runs.directory import RoundDirectory, RunDirectory
from mmst.runs.opening import circumstances
from mmst.runs.status import write_rounds
from mmst.runs.tables import write_table
from mmst.stages.context import StageContext
from mmst.stages.evaluate import outcomes_of
from mmst.stages.filter import filter_solutions
from mmst.stages.prepare import prepare
from mmst.stages.promote import promote

HOSTILE = "<script>alert(1)</script>\x1b[31mred\x1b[0m \x9b2J \u202egnihtemos\n" + "x" * 1_000_000
WRITTEN = {
    ("a", "cot"): ("3 + 4 = 7. The answer is 7.", "ok", "7"),
    ("a", "pot"): ("both = 3 + 4\nprint(both)", "ok", "7"),
    ("b", "cot"): (HOSTILE, "no_answer", None),
    ("b", "pot"): ("while True: pass", "timeout", None),
}


def small_run(root: Path, **settings: object) -> RunDirectory:
    """The run, finished: round 0 trained, round 1 solved the problems a (7) and b (2) as `WRITTEN` says."""
    tree = {"name": "small", "problems": {"train": "given.jsonl"}, "rounds": {"max": 1}, **settings}
    config = build_config(tree)
    run = RunDirectory(root)
    root.mkdir(parents=True)
    write_text(root / "config.yaml", dump_config(config))
    write_json(root / "run.json", circumstances(config))
    train = [Problem(id="a", question="3 + 4?", answer="7"), Problem(id="b", question="1 + 1?", answer="2")]
    held_out = [Problem(id=f"d{n}", question=f"{n} + {n}?", answer=str(2 * n)) for n in range(1, 5)]
    sets = ProblemSets(train, held_out[:2], held_out[2:], train)
    report = Reporter()
    problems = prepare(run, config, sets, report)
    context = StageContext(config, run, problems, methods_named(config.methods), None, report)  # type: ignore[arg-type]
    _checkpoint(run.round(0))
    _evaluate(context, run.round(0), right=1)
    promote(context, run.round(0))
    with run.round(1).stage("generate") as commit:
        rows = [_solution(*key, *value) for key, value in WRITTEN.items()]
        path = run.round(1).solutions / "part-00000.parquet"
        commit.parts = [run.round(1).part(path, write_table(path, Solution, rows))]
        commit.figures = {
            "problems": 2,
            "solutions": 4,
            "tokens": 40,
            "statuses": {"cot": {"ok": 1, "no_answer": 1}, "pot": {"ok": 1, "timeout": 1}},
            "sandbox": {},
        }
    filter_solutions(context, run.round(1))
    _checkpoint(run.round(1))
    _evaluate(context, run.round(1), right=2)
    promote(context, run.round(1))
    write_rounds(run)
    return run


def _solution(problem_id: str, method: str, text: str, status: str, answer: str | None, number: int = 1) -> Solution:
    return Solution(
        solution_id=f"solve-{number}/{problem_id}/{method}/0", problem_id=problem_id, round=number, method=method,
        sample=0, checkpoint="c", seed=number, prompt="?", text=text, finish_reason="stop", tokens=10, status=status,
        answer=answer, key=answer,
    )  # fmt: skip


def _checkpoint(round_: RoundDirectory) -> None:
    round_.checkpoint.mkdir(parents=True)
    (round_.checkpoint / "config.json").write_text("{}")
    with round_.stage("train") as commit:
        commit.parts = [round_.part(round_.checkpoint)]
        commit.figures = {"rows": {"cot view": 2, "cot native": 1}, "steps": 3, "loss": 0.5}


def _evaluate(context: StageContext, round_: RoundDirectory, right: int) -> None:
    """All methods answer the first `right` of the two dev and of the two test problems rightly."""
    names = [method.name for method in context.methods]
    with round_.stage("evaluate") as commit:
        rows, figures = [], {}
        for name in ("dev", "test"):
            problems = context.problems[name]
            answers = [str(p.answer) if n < right else "0" for n, p in enumerate(problems)]
            given = [
                _solution(p.id, m, f"The answer is {answer}.", "ok", answer, round_.number)
                for p, answer in zip(problems, answers, strict=True)
                for m in names
            ]
            figures[name] = figures_of(outcomes_of(given, problems), names)
            rows += given
        path = round_.evaluation / "solutions.parquet"
        write_table(path, Solution, rows)
        write_json(round_.evaluation / "figures.json", figures)
        commit.parts = [round_.part(path, len(rows)), round_.part(round_.evaluation / "figures.json")]
        commit.figures = figures
