"""The caller's side of one warm parent: start it, hand it a program, read how the program's process ended."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from mmst.verify.programs.answer import last_line
from mmst.verify.programs.execution import Execution, Limits, Route, SandboxUnavailable, Status

_NONCE_BYTES = 16
_SPARE_BYTES = 4096  # so that a stream of exactly `output_bytes`, and the answer's frame, still fit
_GRACE_SECONDS = 2.0  # the parent enforces the deadline; this much later it counts as dead
_START_SECONDS = 240.0
_PACKAGES: dict[Route, list[str]] = {"lean": [], "sympy": ["sympy", "mpmath", "numpy"]}


class ForkServer:
    """One warm parent, started by exec on first use and again if it has died. Not thread-safe."""

    def __init__(self, way: Route, limits: Limits, layers: tuple[str, ...]) -> None:
        self.way, self._limits, self._layers = way, limits, layers
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._files: dict[str, int] = {}
        self.active: list[str] = []  # the layers of protection in force, known once started

    @property
    def pid(self) -> int | None:
        """The parent's process, if it is running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the parent and wait until it is warm. Raises SandboxUnavailable with its error output if it fails."""
        self._files = {name: os.memfd_create(name) for name in ("program", "stdout", "stderr", "result")}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        specs = {name: spec for name in _PACKAGES[self.way] if (spec := importlib.util.find_spec(name))}
        config: dict[str, Any] = asdict(self._limits) | {
            "layers": self._layers,
            "control": theirs.fileno(),
            "program": self._files["program"],
            "result": self._files["result"],
            "nonce_bytes": _NONCE_BYTES,
            "packages": list(specs),
            "path": sorted({str(Path(spec.origin or "").parents[1]) for spec in specs.values()}),
            "file_bytes": self._limits.output_bytes + _SPARE_BYTES,
        }
        script = Path(__file__).with_name("parent.py")
        with theirs:
            self._process = subprocess.Popen(
                # Not -I, which would drop the fixed hash seed. The environment holds nothing but what is set here.
                [sys.executable, "-s", "-S", "-B", "-X", "utf8", str(script), json.dumps(config)],
                env={"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=self._files["stdout"],
                stderr=self._files["stderr"],
                pass_fds=[theirs.fileno(), self._files["program"], self._files["result"]],
                start_new_session=True,  # so that a Ctrl-C does not reach the parent
            )
        warm, *self.active = self._reply(_START_SECONDS).split() or [""]
        if warm != "warm":
            said = self._read("stderr").decode("utf-8", "replace").strip()
            self.close()
            raise SandboxUnavailable(f"the {self.way} parent did not start: {said or 'no message'}")

    def run(self, program: str, cpu_seconds: float | None = None) -> Execution:
        """Run one program in a child of the parent. `cpu_seconds` may lower the limit.

        If the parent dies, it is started again and the program is run once more.
        """
        cpu_seconds = min(cpu_seconds or self._limits.cpu_seconds, self._limits.cpu_seconds)
        for _ in range(2):
            if self._process is None:
                self.start()
            nonce = secrets.token_bytes(_NONCE_BYTES)
            for file in self._files.values():
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)
            os.write(self._files["program"], nonce + program.encode("utf-8", "surrogatepass"))
            try:
                reply = self._ask(cpu_seconds)
            except BaseException:  # a Ctrl-C: the reply to this program must not be taken for the next one's
                self.close()
                raise
            if reply:
                return self._execution(nonce, reply)
            self.close()
        return Execution("crashed", None, None, "", "the warm parent died twice", 0.0, 0.0, self.way)

    def close(self) -> None:
        """End the parent and its child, and close its files."""
        process, self._process = self._process, None
        if process is None:
            return
        assert self._control is not None
        self._control.close()  # the parent notices and kills its child
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for file in self._files.values():
            os.close(file)

    def _ask(self, cpu_seconds: float) -> str:
        assert self._control is not None
        with contextlib.suppress(OSError):
            self._control.send(f"{cpu_seconds} {self._limits.wall_seconds}".encode())
            return self._reply(self._limits.wall_seconds + _GRACE_SECONDS)
        return ""

    def _reply(self, seconds: float) -> str:
        """One message from the parent; empty if it has died or does not reply."""
        assert self._control is not None
        self._control.settimeout(seconds)
        try:
            return self._control.recv(256).decode("ascii")
        except OSError:
            return ""

    def _read(self, name: str) -> bytes:
        return os.pread(self._files[name], self._limits.output_bytes + _SPARE_BYTES, 0)

    def _execution(self, nonce: bytes, reply: str) -> Execution:
        ended, killed, cpu, wall = reply.split()
        most = self._limits.output_bytes
        raw = {name: self._read(name) for name in ("stdout", "stderr", "result")}
        stdout, stderr = (raw[name][:most].decode("utf-8", "replace") for name in ("stdout", "stderr"))
        status, kind, answer = _status(int(ended), killed, float(cpu) >= self._limits.cpu_seconds), None, None
        if status == "ok":
            status, kind, answer = _record(raw["result"], nonce)
        if max(len(raw["stdout"]), len(raw["stderr"])) > most and status != "timeout":
            status = "output_limit"
        if status == "ok" and kind is None:
            kind, answer = last_line(stdout)
            status = "ok" if kind else "no_answer"
        if status != "ok":
            answer = None
        return Execution(status, answer, kind, stdout, stderr, float(cpu), float(wall), self.way)


def _status(ended: int, killed: str, cpu_spent: bool) -> Status:
    """The status that follows from how the process ended; ok if it exited by itself."""
    code = os.waitstatus_to_exitcode(ended)
    if killed != "-" or code == -signal.SIGXCPU:
        return "timeout"
    if code == -signal.SIGKILL:  # not sent by the parent: the limit on CPU time, or a kernel short of memory
        return "timeout" if cpu_spent else "memory"
    by_signal: dict[int, Status] = {-signal.SIGSYS: "forbidden", -signal.SIGXFSZ: "output_limit", 0: "ok"}
    return by_signal.get(code, "crashed")


def _record(result: bytes, nonce: bytes) -> tuple[Status, str | None, str | None]:
    """The child's result; crashed if it is missing or does not start with the nonce."""
    parts = result[len(nonce) :].decode("utf-8", "surrogatepass").split("\0", 2) if result.startswith(nonce) else []
    if len(parts) != 3 or parts[0] not in get_args(Status):
        return "crashed", None, None
    status, kind, answer = parts
    return status, kind or None, answer if kind else None  # type: ignore[return-value]
