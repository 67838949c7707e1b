"""The loop end to end at tiny size, with all real parts: Ray, vLLM in Ray Serve, DeepSpeed, the sandbox."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from chaos import Kill, Run, Tally, carried_out, rows
from micro import MICRO

from mmst.files import checksum, write_json
from mmst.records import FilterDecision, Solution, TrainingRow
from mmst.runs.audit import verify_run
from mmst.runs.directory import RunDirectory
from mmst.runs.live import read_progress
from mmst.runs.stages import KEEPING
from mmst.runs.tables import read_table
from mmst.stages.filter import read_kept

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def command(config: Path, root: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        "from mmst.cli import main; main()",
        "run",
        str(config),
        "--run-dir",
        str(root),
        *more,
    ]


KILLS = [
    Kill("replica", 1, "generate", 0.0, at_work=False),
    Kill("verifier", 1, "generate", 0.0, at_work=True),
    Kill("trainer", 1, "train", 0.0, at_work=False),
    Kill("driver", 1, "evaluate", 0.0, at_work=False),
]
"""What is killed in the run that the tests look at. `make chaos` kills much more."""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[RunDirectory, list[str]]:
    """A run that was interrupted, gone on with, and some of whose processes were killed; with what each start said."""
    directory = tmp_path_factory.mktemp("loop")
    config, root = directory / "micro.yaml", directory / "run"
    config.write_text(yaml.safe_dump(MICRO))
    disturbed, logs = Run(root, config), []
    disturbed.start()
    disturbed.wait(lambda: "round 1: generate" in disturbed.log.read_text())
    assert not disturbed.over(), disturbed.log.read_text()
    asked = time.monotonic()
    disturbed.process.send_signal(signal.SIGINT)
    assert disturbed.process.wait(timeout=60) == 130, disturbed.log.read_text()
    assert time.monotonic() - asked < 30
    assert list(disturbed.processes()) == []
    logs.append(disturbed.log.read_text())
    disturbed.start()
    for kill in KILLS:
        assert carried_out(kill, disturbed, Tally()), f"{kill}: {disturbed.log.read_text()}"
    logs.append(disturbed.log.read_text())
    assert disturbed.wait_for_nobody() == []
    disturbed.start()
    disturbed.wait()
    logs.append(disturbed.log.read_text())
    assert disturbed.process.returncode == 0, logs[-1]
    assert disturbed.starts == 3
    assert list(disturbed.processes()) == []
    return RunDirectory(root), logs


def test_a_run_goes_on_without_doing_a_finished_stage_again(run) -> None:
    _, (first, second, third) = run
    assert "round 0: train" not in second + third
    assert "round 1: generate" in second
    assert "round 1: generate" not in third
    assert "round 1: evaluate" in third
    assert "Traceback" not in first + second + third


def test_a_run_that_was_interrupted_and_killed_is_whole(run) -> None:
    directory, _ = run
    assert verify_run(directory.root)[0] == []


def test_every_stage_of_every_round_has_its_manifest(run) -> None:
    directory, _ = run
    for stage in ("train", "evaluate", "promote"):
        assert directory.round(0).done(stage)
    for stage in ("generate", "filter", "translate", "train", "evaluate", "promote"):
        assert directory.round(1).done(stage)


def test_every_round_has_its_report_and_the_run_said_how_far_it_was(run) -> None:
    directory, _ = run
    for number in (0, 1):
        report = (directory.round(number).root / "report.html").read_text()
        assert "Accuracy on test problems" in report
        assert "<script" not in report
    progress = read_progress(directory.root)
    assert (progress["round"], progress["stage"]) == (1, "promote")
    assert progress["resources"]["nodes"] == 1


def test_what_training_needed_on_its_way_is_gone(run) -> None:
    directory, _ = run
    assert list(directory.root.glob("round-*/training*")) == []


def test_every_problem_is_solved_by_every_method_and_every_sample_once(run) -> None:
    directory, _ = run
    rows = [row for path in directory.round(1).part_paths("generate") for row in read_table(path, Solution)]
    asked = {(row.problem_id, row.method, row.sample) for row in rows}
    assert len(rows) == len(asked) == 60 * 2 * 2
    assert len({row.seed for row in rows}) == len(rows)


def test_every_solution_has_a_decision_with_a_reason_and_what_is_kept_is_right(run) -> None:
    directory, _ = run
    round_ = directory.round(1)
    rows = {row.solution_id: row for path in round_.part_paths("generate") for row in read_table(path, Solution)}
    decisions = list(read_table(round_.decisions, FilterDecision))
    assert {decision.solution_id for decision in decisions} == set(rows)
    assert all(decision.reason for decision in decisions)
    kept = [decision for decision in decisions if decision.kept]
    assert kept
    assert all(rows[decision.solution_id].answer is not None for decision in kept)


def test_translations_name_their_origin_and_another_method(run) -> None:
    directory, _ = run
    natives = {row.solution_id: row for row in read_kept(directory.round(1), "filter")}
    translated = list(read_kept(directory.round(1), "translate"))
    assert translated
    for row in translated:
        assert row.method != natives[row.origin_id].method
        assert row.key == natives[row.origin_id].key


def test_every_pool_row_leads_to_what_it_came_from(run) -> None:
    directory, _ = run
    round_ = directory.round(1)
    kept = {row.solution_id for stage in KEEPING for row in read_kept(round_, stage)}
    rows = list(read_table(round_.pool, TrainingRow))
    assert {row.source for row in rows} == {"view", "native", "translated", "pair"}
    assert {row.solution_id for row in rows if row.source != "view"} == kept
    assert all(row.solution_id is None for row in rows if row.source == "view")


def test_the_status_has_what_people_ask_for(run) -> None:
    directory, _ = run
    printed = subprocess.run(
        [sys.executable, "-c", "from mmst.cli import main; main()", "status", str(directory.root), "--json"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    status = json.loads(printed)
    assert status["state"] == "finished"
    last = status["rounds"][-1]
    assert set(last["accuracy"]) == {"cot", "pot", "vote", "any"}
    assert last["n"] == 40
    assert "flat" not in status["rounds"][0]
    assert last["seconds"]["generate"] > 0


def test_a_finished_run_does_nothing_and_says_so(run) -> None:
    directory, _ = run
    config = directory.root.parent / "micro.yaml"
    before = sorted((path, path.stat().st_mtime_ns) for path in directory.root.rglob("*.parquet"))
    again = subprocess.run(command(config, directory.root), capture_output=True, text=True, timeout=60)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert before == sorted((path, path.stat().st_mtime_ns) for path in directory.root.rglob("*.parquet"))


def test_the_checkpoint_is_one_that_plain_transformers_loads(run) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    directory, _ = run
    path = directory.round(1).checkpoint
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path)
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert model.config.vocab_size >= len(tokenizer)
    assert json.loads((path / "mmst.json").read_text())["style"] == "tuned"


def test_a_question_is_solved_by_every_method_with_its_support(run) -> None:
    directory, _ = run
    question = json.loads((directory.problems / "test.jsonl").read_text().splitlines()[0])["question"]
    model = directory.round(1).checkpoint
    line = ["solve", question, "--model", str(model), "--samples", "2", "--ensemble", "weighted", "--json"]
    result = subprocess.run(
        [sys.executable, "-c", "from mmst.cli import main; main()", *line, "--set", "sampling.max_tokens=64"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert [(s["method"], s["sample"]) for s in found["solutions"]] == [("cot", 0), ("cot", 1), ("pot", 0), ("pot", 1)]
    readable = [s["answer"] for s in found["solutions"] if s["status"] == "ok"]
    assert found["samples"] == len(readable)
    assert found["support"] == readable.count(found["answer"])


def test_a_filter_that_keeps_nothing_says_why_and_stops(run, tmp_path) -> None:
    """The finished round 0 is forked; reference answers that nothing can equal leave nothing to keep."""
    from mmst.config.file import build_config
    from mmst.runs.opening import fork

    directory, _ = run
    tree = {**MICRO, "filter": {"label": "agreement", "agreement": {"share": 1.0}}, "methods": ["cot", "pot"]}
    root, config = tmp_path / "none", tmp_path / "none.yaml"
    config.write_text(yaml.safe_dump(tree))
    fork(directory.root, root, build_config(tree))
    path = root / "problems" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    nonsense = [{**row, "question": "Why?"} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in nonsense))
    manifest = json.loads((root / "problems" / "manifest.json").read_text())
    parts = [p | {"checksum": checksum(path)} if p["path"] == path.name else p for p in manifest["parts"]]
    write_json(root / "problems" / "manifest.json", {**manifest, "parts": parts})
    result = subprocess.run(command(config, root), capture_output=True, text=True, timeout=300)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "round 1 kept none of 240 solutions" in result.stderr
    assert not (root / "round-001" / "pool.parquet").exists()


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture
def head():
    """A Ray head of its own, as `ray start --head` makes it: the address of its context server, and its environment."""
    ports = {
        name: free_port()
        for name in ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port")
    }
    temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # socket paths must stay short
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(temporary / "token")}
    (temporary / "token").write_text("0123456789abcdef" * 4)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    start = [
        "ray",
        "start",
        "--head",
        "--block",
        "--num-cpus=2",
        "--node-ip-address=127.0.0.1",
        "--dashboard-host=127.0.0.1",
    ]
    flags = [f"--{name}={port}" for name, port in ports.items()]
    log = (temporary / "head.log").open("w")
    process = subprocess.Popen(
        [*start, *flags, f"--temp-dir={temporary / 'ray'}"],
        stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{ports['dashboard-port']}"
    listing = ["ray", "job", "list", "--address", address]
    for _ in range(90):
        if subprocess.run(listing, env=environment, capture_output=True).returncode == 0:
            break
        assert process.poll() is None, (temporary / "head.log").read_text()
        time.sleep(1)
    yield address, environment
    process.terminate()
    process.wait(timeout=60)
    log.close()
    shutil.rmtree(temporary, ignore_errors=True)


def test_a_submitted_job_succeeds_with_the_same_figures(run, head, tmp_path) -> None:
    directory, _ = run
    address, environment = head
    root, config = tmp_path / "job", directory.root.parent / "micro.yaml"
    submit = ["ray", "job", "submit", "--address", address, "--working-dir", str(Path(__file__).parents[1]), "--"]
    script = ["python", "ray_jobs/self_train.py", str(config), "--run-dir", str(root)]
    for _ in range(60):
        result = subprocess.run([*submit, *script], env=environment, capture_output=True, text=True, timeout=800)
        if "No available agent" not in result.stderr:  # the context server answers before the node can take jobs
            break
        time.sleep(2)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "succeeded" in result.stdout
    assert "round 1 done" in result.stdout
    ours, theirs = (json.loads((d / "rounds.jsonl").read_text().splitlines()[-1]) for d in (directory.root, root))
    assert theirs["accuracy"] == ours["accuracy"]
    assert theirs["pool"] == ours["pool"]
    assert rows(root) == rows(directory.root), "the run that nobody disturbed has other rows"
