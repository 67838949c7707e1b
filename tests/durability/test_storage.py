"""A run in an object store ends like a local one, whichever machine resumes it. The store is a local S3 server."""

import contextlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest
from fake_run import content, fake_run

from mmst.cli import app
from mmst.errors import InputError
from mmst.runs.audit import verify_run
from mmst.runs.status import run_at, status_of
from mmst.runs.storage import Mirror, run_directory, run_to_read

HOLD = """
import sys
from mmst.runs.storage import run_directory
with run_directory(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""
pytest.importorskip("moto.server", reason="the S3 server of the tests is not installed")


@pytest.fixture(scope="module")
def server():
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def url(server, monkeypatch, tmp_path) -> str:
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": server, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "MMST_CACHE": str(tmp_path / "cache"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    bucket = f"runs-{uuid.uuid4().hex[:8]}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/fake"


def another_machine(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MMST_CACHE", str(tmp_path / uuid.uuid4().hex))


def test_a_run_in_a_store_ends_like_a_local_one(url, finished, tmp_path, monkeypatch) -> None:
    config, local = finished
    with run_directory(url) as run:
        fake_run(config, run.root, run.on_commit)
    another_machine(monkeypatch, tmp_path)
    with run_to_read(url) as root:
        assert content(root) == {name: value for name, value in content(local).items() if "/initial/" not in name}
        assert verify_run(root)[0] == []


@pytest.mark.parametrize("same_machine", [True, False])
def test_a_run_that_broke_off_goes_on_from_the_last_commit(url, finished, tmp_path, monkeypatch, same_machine) -> None:
    config, local = finished
    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError), run_directory(url) as run:
        patched.setattr("mmst.stages.translate.decide_by_labels", lambda *_: 1 / 0)
        fake_run(config, run.root, run.on_commit)
    if not same_machine:
        another_machine(monkeypatch, tmp_path)
    with run_directory(url) as run:
        root = run.root
        assert (root / "round-001/stages/filter.json").exists()
        assert (root / "round-001/translations/part-00000.json").exists()
        before = (root / "round-001/translations/part-00000.parquet").stat().st_mtime_ns
        fake_run(config, root, run.on_commit)
        assert (root / "round-001/translations/part-00000.parquet").stat().st_mtime_ns == before
    with run_to_read(url) as root:
        assert content(root) == {name: value for name, value in content(local).items() if "/initial/" not in name}


def test_what_there_was_no_time_to_upload_is_uploaded_unless_others_went_on(url, tmp_path, monkeypatch) -> None:
    first = Mirror(url)
    (first.local / "round-000/stages").mkdir(parents=True)
    (first.local / "round-000/data.parquet").write_text("data")
    first.begin()
    (first.local / "round-000/stages/train.json").write_text("ours")
    Mirror(url).begin()
    assert (first.root / "round-000/stages/train.json").read_text() == "ours"
    another_machine(monkeypatch, tmp_path)
    second = Mirror(url)
    second.begin()
    (second.local / "round-000/stages/train.json").write_text("theirs")
    second.push()
    (first.local / "round-000/stages/evaluate.json").write_text("ours, too late")
    monkeypatch.setenv("MMST_CACHE", str(tmp_path / "cache"))
    Mirror(url).begin()
    assert (first.local / "round-000/stages/train.json").read_text() == "theirs"
    assert not (first.local / "round-000/stages/evaluate.json").exists()


def test_manifests_are_uploaded_after_what_they_name(url) -> None:
    mirror, order = Mirror(url), []
    for name in ("round-001/stages/train.json", "round-001/pool.parquet", "round-001/solutions/part-00000.json",
                 "round-001/solutions/part-00000.parquet", "metrics.jsonl", "round-001/checkpoints/solver/config.json",
                 "round-001/training/steps/latest", ".mirror.json", "round-001/.pool.parquet.x.partial"):  # fmt: skip
        (mirror.local / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror.local / name).write_text(name)
    put = mirror._fs.put_file
    mirror._fs.put_file = lambda here, there: (order.append(there.partition("/fake/")[2]), put(here, there))
    mirror.push()
    assert order[-2:] == ["round-001/solutions/part-00000.json", "round-001/stages/train.json"]
    assert len(order) == 6


def test_a_store_grants_a_run_to_one_writer(url) -> None:
    with run_directory(url), pytest.raises(InputError, match=r"in use by process \d+ on"), run_directory(url):
        pass

    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    starts = [subprocess.Popen([sys.executable, "-c", HOLD, url], text=True, **pipes) for _ in range(3)]
    lines = [start.stdout.readline() for start in starts]
    errors = [start.communicate()[1] for start in starts]
    assert lines.count("held\n") == 1
    assert sum("in use by process" in error for error in errors) == 2


def test_a_bucket_that_is_not_there_and_a_run_that_is_not_are_named_by_every_command(url) -> None:
    for words in (["status"], ["show", "x"], ["report"], ["dashboard"], ["verify-run"], ["clean", "--keep", "1"]):
        with pytest.raises(InputError, match=r"s3://none-such/run: cannot be used \(FileNotFoundError: .*bucket"):
            app([words[0], "s3://none-such/run", *words[1:]], standalone_mode=False)
    for words in (["status"], ["show", "x"], ["report"], ["verify-run"], ["clean", "--keep", "1", "--dry-run"]):
        with pytest.raises(InputError, match=f"{url}: is no run directory|{url}: holds no run|It is empty"):
            app([words[0], url, *words[1:]], standalone_mode=False)


def test_a_store_that_cannot_be_used_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MMST_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"nosuch://bucket/run: cannot be used"), run_directory("nosuch://bucket/run"):
        pass


def test_runs_in_a_store_are_looked_at_without_their_checkpoints(url, finished, tmp_path, monkeypatch, capsys) -> None:
    config, _ = finished
    with run_directory(url) as run:
        fake_run(config, run.root, run.on_commit)
    another_machine(monkeypatch, tmp_path)

    def mmst(*words: str) -> str:
        app([*words], standalone_mode=False)
        return capsys.readouterr().out

    status = json.loads(mmst("status", url, "--json"))
    assert (status["path"], status["state"], len(status["rounds"])) == (url, "finished", 3)
    assert "solve-2/train-3/pot/1" in mmst("show", url, "train-3")
    mmst("report", url, "--out", str(tmp_path / "report.html"))
    assert "Accuracy on test problems" in (tmp_path / "report.html").read_text()
    assert not list(Path(os.environ["MMST_CACHE"]).rglob("*.safetensors"))
    assert "no faults" in mmst("verify-run", url)
    assert "round-000/checkpoints/solver" not in mmst("clean", url, "--keep", "1", "--dry-run")
    for words in (["list", url], ["status", url, "--watch"]):
        with pytest.raises(InputError, match=r"needs a local directory|reads local directories"):
            mmst(*words)


def test_a_run_in_a_store_has_its_pages(url, finished) -> None:
    config, _ = finished
    with run_directory(url) as run:
        fake_run(config, run.root, run.on_commit)
    command = [sys.executable, "-c", "from mmst.cli import main; main()", "dashboard", url, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as dashboard:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/", dashboard.stderr.readline()).group()
            runs = re.findall(r'<a href="/?([^/"]+)/"', httpx.get(address, timeout=30).text)
            assert runs == ["fake"]
            problem = httpx.get(f"{address}fake/problem?id=train-3&round=2", timeout=30).text
            assert "solve-2%2Ftrain-3%2Fpot%2F1" in problem
        finally:
            dashboard.terminate()


def test_a_run_in_a_store_that_goes_on_is_shown_as_running(url, finished, tmp_path, monkeypatch) -> None:
    config, _ = finished
    with run_directory(url) as run, monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr("mmst.stages.translate.decide_by_labels", lambda *_: 1 / 0)
        fake_run(config, run.root, run.on_commit)
    for state in ("interrupted", "running"):
        with run_directory(url) if state == "running" else contextlib.nullcontext(), run_to_read(url) as root:
            assert status_of(run_at(root), url)["state"] == state


def test_what_was_removed_here_is_removed_in_the_store(url) -> None:
    mirror = Mirror(url)
    (mirror.local / "a" / "b").mkdir(parents=True)
    (mirror.local / "a" / "b" / "c").write_text("x")
    mirror.push()
    shutil.rmtree(mirror.local / "a")
    mirror.push()
    assert not (mirror.root / "a/b/c").exists()
