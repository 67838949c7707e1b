"""A round written by a teacher, with rationalization, with all real parts; and a teacher behind HTTP."""

import json
import signal
import subprocess
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from micro import MICRO
from test_loop import command

from mmst.config.file import build_config
from mmst.records import FilterDecision, Solution, TrainingRow
from mmst.runs.directory import RunDirectory
from mmst.runs.opening import fork
from mmst.runs.tables import read_table
from mmst.stages.filter import read_kept

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
KEY = "sk-very-secret-0123456789"
TREE = {
    **MICRO,
    "name": "taught",
    "problems": {"synthetic": {**MICRO["problems"]["synthetic"], "views_everywhere": ["cot", "program"]}},
    "generator": "teacher",
    "teacher": {"views": True, "noise": 0.5},
    "sampling": {"k": 1, "max_tokens": 64},
    "hint": {"enabled": True, "k": 2},
    "evaluation": {"limit": 20},
    "round0": MICRO["round0"],
}


def run(root: Path, tree: dict, timeout: int = 600) -> subprocess.CompletedProcess:
    config = root.parent / f"{root.name}.yaml"
    config.write_text(yaml.safe_dump(tree))
    return subprocess.run(command(config, root), capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> tuple[RunDirectory, str]:
    root = tmp_path_factory.mktemp("teacher") / "taught"
    result = run(root, TREE)
    assert result.returncode == 0, result.stdout + result.stderr
    return RunDirectory(root), result.stdout


def solutions(directory: RunDirectory, stage: str) -> list[Solution]:
    paths = [path for path in directory.round(1).part_paths(stage) if path.name.startswith("part-")]
    return [row for path in paths for row in read_table(path, Solution)]


def test_the_teacher_writes_every_solution_and_what_it_got_wrong_is_dropped(taught) -> None:
    directory, _ = taught
    rows = solutions(directory, "generate")
    assert len(rows) == 60 * 2
    assert {row.checkpoint for row in rows} == {"views, 50% corrupted"}
    reasons = directory.round(1).figures("filter")["reasons"]
    assert 30 < reasons["kept"] < 100
    assert sum(n for reason, n in reasons.items() if reason != "kept") >= 20


def test_the_model_is_asked_again_with_the_answer_for_what_nothing_was_kept_of(taught) -> None:
    directory, said = taught
    round_ = directory.round(1)
    kept = {row.problem_id for row in read_kept(round_, "filter")}
    rationalized = solutions(directory, "rationalize")
    assert rationalized
    assert not {row.problem_id for row in rationalized} & kept
    assert all("(The answer is" in row.prompt for row in rationalized)
    assert {row.checkpoint for row in rationalized}.isdisjoint({"views, 50% corrupted"})
    figures = round_.figures("rationalize")
    assert figures["problems"] == 60 - len(kept)
    assert figures["solutions"] == len(rationalized) == figures["problems"] * 2 * 2
    assert figures["grows_by"] == pytest.approx(figures["kept"] / round_.figures("filter")["kept"], abs=1e-3)
    assert "unsolved problems were solved; the round now keeps" in said
    decisions = list(read_table(round_.rationalizations / "decisions.parquet", FilterDecision))
    assert {decision.solution_id for decision in decisions} == {row.solution_id for row in rationalized}


def test_what_is_trained_names_its_source_and_shows_no_hint(taught) -> None:
    directory, _ = taught
    round_ = directory.round(1)
    rows = list(read_table(round_.pool, TrainingRow))
    kept = {row.solution_id: row for stage in ("filter", "rationalize") for row in read_kept(round_, stage)}
    assert {row.solution_id for row in rows if row.source in ("native", "rationalized")} == set(kept)
    assert not any("(The answer is" in row.prompt for row in rows)
    origins = {row.origin_id for row in solutions(directory, "translate")}
    assert origins <= set(kept)
    assert {row.solution_id for row in read_kept(round_, "rationalize")} <= origins


class Server:
    """Answers every question alike, with the answer that it was told nothing about; counts what it was asked."""

    def __init__(self, hold_after: int | None = None) -> None:
        self.asked: list[str] = []
        self.keys: set[str] = set()
        self.reached = threading.Event()
        self.hold_after, self.release = hold_after, threading.Event()
        owner, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    owner.asked.append(body.decode())
                    owner.keys.add(self.headers["Authorization"])
                    number = len(owner.asked)
                if owner.hold_after is not None and number > owner.hold_after:
                    owner.reached.set()
                    owner.release.wait(300)
                trouble = number % 5 == 0
                choice = {"message": {"content": "The answer is 7777."}, "finish_reason": "stop"}
                content = b"garbage" if trouble else json.dumps({"choices": [choice]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *parts: object) -> None:
                """Nothing on the terminal."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self.http.shutdown()
        self.http.server_close()


def test_an_endpoint_is_asked_nothing_twice_after_a_kill_and_up_to_its_cap(taught, tmp_path, monkeypatch) -> None:
    """The process is killed while calls are under way; the next one goes on up to the cap, the last one further."""
    monkeypatch.setenv("TEACHER_KEY", KEY)
    directory, _ = taught
    server, root = Server(hold_after=30), tmp_path / "asked"
    endpoint = {"url": server.url, "model": "m", "key_env": "TEACHER_KEY", "backoff": 0.01, "concurrency": 4}
    tree = {**TREE, "name": "asked", "hint": {}, "teacher": {"endpoint": endpoint}}
    fork(directory.root, root, build_config(tree))
    config = tmp_path / "asked.yaml"
    config.write_text(yaml.safe_dump(tree))
    log = tmp_path / "first.log"
    try:
        with log.open("w") as out, subprocess.Popen(command(config, root), stdout=out, stderr=out) as first:
            assert server.reached.wait(300), log.read_text()
            first.send_signal(signal.SIGKILL)
        server.hold_after = None
        server.release.set()
        stopped = run(root, {**tree, "teacher": {"endpoint": {**endpoint, "max_calls": 60}}})
        assert stopped.returncode == 2, stopped.stdout + stopped.stderr
        assert "60 calls are made (max_calls: 60)" in stopped.stderr
        assert "Traceback" not in stopped.stderr
        last = run(root, {**tree, "teacher": {"endpoint": endpoint}})
    finally:
        server.close()
    assert last.returncode == 2
    assert "round 1 kept none" in last.stderr, last.stderr
    calls = [json.loads(line) for line in (root / "teacher" / "calls.jsonl").read_text().splitlines()]
    answered = Counter(call["request"] for call in calls if call["outcome"] == "ok")
    assert set(answered.values()) == {1}
    figures = RunDirectory(root).round(1).figures("generate")
    made = [call for call in calls if call["stage"] == "round-001/generate"]
    assert figures["teacher"]["calls"] == len(made)
    assert figures["teacher"]["errors"]["unreadable"] == sum(call["outcome"] == "unreadable" for call in made)
    assert server.keys == {f"Bearer {KEY}"}
    texts = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    texts += [log.read_bytes(), *(part.encode() for r in (stopped, last) for part in (r.stdout, r.stderr))]
    assert not any(KEY.encode() in text for text in texts)


@pytest.mark.long
def test_a_teacher_with_an_engine_of_its_own_takes_turns_with_the_model(taught, tmp_path) -> None:
    directory, _ = taught
    teacher = directory.round(1).checkpoint
    root = tmp_path / "path"
    tree = {**TREE, "name": "path", "hint": {}, "translate": {"enabled": False}}
    tree["teacher"] = {"path": str(teacher), "engine": {"max_num_seqs": 64}}
    fork(directory.root, root, build_config(tree))
    result = run(root, tree)
    assert result.returncode == 0, result.stdout + result.stderr
    round_ = RunDirectory(root).round(1)
    manifest = round_.manifest("generate")
    assert [engine["checkpoint"] for engine in manifest["engines"]] == [str(teacher)]
    names = {row.checkpoint for path in round_.part_paths("generate") for row in read_table(path, Solution)}
    assert len(names) == 1
