"""A user's mistake is one clear message and exit code 2, and leaves nothing behind; help is quick."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmst import __version__

GOOD = [{"id": f"p{n}", "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(30)]


def mmst(*words: str, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from mmst.cli import main; main()", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, cwd=cwd)


@pytest.fixture
def attempt(tmp_path: Path):
    """Run `mmst run` on problems and settings; gives the message, after checking that nothing was left behind."""

    def run(rows: list, *settings: str, tree: dict | None = None) -> str:
        data, config, root = tmp_path / "problems.jsonl", tmp_path / "a.yaml", tmp_path / "run"
        data.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
        config.write_text(yaml.safe_dump(tree or {"problems": {"train": str(data)}}))
        sets = [word for setting in settings for word in ("--set", setting)]
        result = mmst("run", str(config), "--run-dir", str(root), *sets)
        assert result.returncode == 2, result.stderr
        assert "Traceback" not in result.stderr
        assert not root.exists()
        return result.stderr

    return run


def test_a_missing_file_is_named(attempt) -> None:
    assert "nowhere.jsonl" in attempt(GOOD, "problems.train=nowhere.jsonl")


def test_a_malformed_line_is_named_with_its_number(attempt) -> None:
    assert "problems.jsonl:31" in attempt([*GOOD, '{"id": "x", "question": '])


def test_a_problem_without_question_is_named_with_its_line(attempt) -> None:
    message = attempt([*GOOD, {"id": "x", "answer": "1"}])
    assert "problems.jsonl:31" in message
    assert "question" in message


def test_duplicate_ids_are_named(attempt) -> None:
    assert "p3" in attempt([*GOOD, {"id": "p3", "question": "Again?", "answer": "1"}])


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("sampling.k=0", "sampling.k"),
        ("methods=[]", "methods"),
        ("methods=[haiku]", "haiku"),
        ("filter.lable=gold", "did you mean `label`"),
        ("rounds.max=many", "rounds.max"),
        ("model.path=/nonexistent/model", "/nonexistent/model"),
    ],
)
def test_a_bad_setting_is_named(attempt, setting: str, part: str) -> None:
    assert part in attempt(GOOD, setting)


def test_a_model_directory_without_tokenizer_is_refused(attempt, tmp_path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama"}')
    assert "tokenizer" in attempt(GOOD, f"model.path={model}")


def test_help_imports_nothing_heavy() -> None:
    """What makes a command slow to answer is what it imports; a timed test would measure the machine."""
    code = (
        "import sys; sys.argv = ['mmst', '--help']\n"
        "from mmst.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "experiment" in result.stdout
    loaded = set(ast.literal_eval(result.stdout.splitlines()[-1]))
    assert loaded.isdisjoint({"ray", "torch", "vllm", "transformers", "deepspeed", "pyarrow", "numpy", "sympy"})


def test_checking_a_configuration_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mmst.config.file import load_config; load_config('configs/tiny.yaml')\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    root = Path(__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert set(ast.literal_eval(result.stdout)).isdisjoint({"ray", "torch", "vllm", "transformers", "pyarrow", "sympy"})


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_has_a_short_form_for_every_command(word: str) -> None:
    assert "--run-dir" in mmst("run", word).stdout
    assert "experiment" in mmst(word).stdout


def test_the_version_is_printed() -> None:
    assert mmst("--version").stdout == f"mmst {__version__}\n"
    module = subprocess.run([sys.executable, "-m", "mmst", "--version"], capture_output=True, text=True, check=True)
    assert module.stdout == f"mmst {__version__}\n"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("evaluate", "./nope", "--problems", "x.jsonl"), "nope"),
        (("solve", "1 + 1?", "--model", "./nope"), "nope"),
        (("solve", " ", "--model", "./nope"), "the question is empty"),
        (("problems", "convert", "x.jsonl", "y.jsonl", "--field", "question"), "--field question"),
        (("problems", "check", "x.jsonl", "--ngram", "5"), "--ngram needs --against"),
        (("experiment", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("execute", "--workers", "-1"), "--workers"),
        (("execute", "--cpu-seconds", "nan"), "--cpu-seconds"),
        (("execute", "--wall-seconds", "inf"), "--wall-seconds"),
    ],
)
def test_a_wrong_argument_is_one_message_and_starts_nothing(tmp_path, words, part) -> None:
    result = mmst(*words, cwd=tmp_path)
    assert result.returncode == 2
    assert part in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_system_that_refuses_is_one_line(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    rows = json.dumps({"gold": "1", "prediction": "1"})
    result = mmst("compare", "--out", str(tmp_path / "out"), stdin=rows)
    assert result.returncode in (1, 2)
    (line,) = result.stderr.splitlines()
    assert "out" in line
    result = mmst("problems", "make", "/proc/here")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "/proc/here" in line


def test_comparing_answers_keeps_rows_in_order_and_columns_that_it_does_not_know() -> None:
    rows = [{"id": 1, "gold": "18", "prediction": "18.0", "more": "x"}, {"id": 2, "gold": "1/2", "prediction": "0.4"}]
    result = mmst("compare", stdin="".join(json.dumps(row) + "\n" for row in rows))
    out = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["id"], row["equal"]) for row in out] == [(1, True), (2, False)]
    assert out[0]["more"] == "x"
    assert all(row["reason"] for row in out)


def test_programs_are_executed_with_row_numbers_for_ids() -> None:
    rows = [{"program": "print(3 + 4)"}, {"program": "while True: pass"}, {"program": "print(1 +"}]
    result = mmst(
        *("execute", "--method", "pot", "--text-field", "program", "--cpu-seconds", "0.5"),
        stdin="".join(json.dumps(row) + "\n" for row in rows),
    )
    out = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["status"] for row in out] == ["ok", "timeout", "syntax_error"]
    assert out[0]["answer"] == "7"
    assert "sandbox:" in result.stderr


def test_filtering_says_for_every_row_whether_it_is_kept_and_why() -> None:
    question = {"problem_id": "a", "question": "3 + 4?", "answer": "7"}
    texts = [
        ("cot", "3 + 4 = 7. The answer is 7."),
        ("cot", "So 3 + 4 = 7! The answer is 7."),
        ("cot", "3 + 5 = 7. The answer is 7."),
        ("cot", "The answer is 9."),
        ("pot", "print(3 + 4)"),
        ("pot", "print(3 +"),
    ]
    rows = [{**question, "method": method, "text": text} for method, text in texts]
    result = mmst("filter", "--label", "gold", stdin="".join(json.dumps(row) + "\n" for row in rows))
    out = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["kept"] for row in out] == [True, False, False, False, True, False], result.stderr
    assert out[1]["reason"].startswith("duplicate")
    assert out[2]["reason"].startswith("calculation")
    assert out[5]["status"] == "syntax_error"
    assert out[0]["label"] == "7"


def test_a_status_of_no_run_is_a_message(tmp_path) -> None:
    result = mmst("status", str(tmp_path))
    assert result.returncode == 2
    assert "no run directory" in result.stderr


def test_synthetic_problems_are_made_checked_and_converted(tmp_path) -> None:
    sizes = [word for name in ("train", "dev", "test", "annotated") for word in ("--set", f"{name}=20")]
    assert mmst("problems", "make", str(tmp_path / "p"), *sizes).returncode == 0
    train = str(tmp_path / "p" / "train.jsonl")
    checked = mmst("problems", "check", train, "--against", str(tmp_path / "p" / "test.jsonl"), "--json")
    assert json.loads(checked.stdout)["problems"] == 20
    assert json.loads(checked.stdout)["overlap"] == 0
    assert mmst("problems", "convert", train, str(tmp_path / "c.jsonl")).returncode == 0
    assert len((tmp_path / "c.jsonl").read_text().splitlines()) == 20
