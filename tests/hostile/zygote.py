"""Runs `mmst` commands in forks of a process that has imported mmst already: tens of milliseconds each.

A program: `python zygote.py FD`. It reads JSON lines from the socket FD, one per command, and answers each with a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import time
import traceback
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # only the forking thread survives a fork
    os.environ[variable] = "1"

import duckdb  # noqa: E402
import matplotlib.figure  # noqa: E402, F401
import pyarrow.parquet  # noqa: E402, F401
import rich.table  # noqa: E402, F401

import mmst.actors.verifier  # noqa: E402
import mmst.api  # noqa: E402
import mmst.cli  # noqa: E402
import mmst.dashboard.report  # noqa: E402
import mmst.doctor.dry_run  # noqa: E402
import mmst.experiments  # noqa: E402
import mmst.runs.audit  # noqa: E402
import mmst.verify.execute  # noqa: E402

assert duckdb.__version__


def child(task: dict[str, Any]) -> int:
    """Run one command in this process, which is a fork of its own. Returns its exit code."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_DATA, (task["bytes"], task["bytes"]))
    resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(task["cwd"])
    os.environ |= task["environment"]
    os.dup2(os.open(task["stdin"], os.O_RDONLY), 0)
    if task["stdout"] == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
    else:
        os.dup2(os.open(task["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.dup2(os.open(task["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
    sys.argv = ["mmst", *task["words"]]
    code: Any = 0
    try:
        mmst.cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 70
    try:
        sys.stdout.flush()
    except (OSError, ValueError):  # as the interpreter does at its end
        code = 120
    return code if isinstance(code, int) else 0 if code is None else 1


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Run one command in a fork, with limits."""
    began = time.monotonic()
    if (pid := os.fork()) == 0:
        code = 71
        try:
            code = child(task)
            sys.stderr.flush()
        finally:
            os._exit(code)

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, task["patience"])
    _, status, used = os.wait4(pid, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    end()  # what it started ends with it
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - began,
        "bytes": 1024 * used.ru_maxrss,
        "cpu": used.ru_utime + used.ru_stime,
    }


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection, connection.makefile("rw", encoding="utf-8") as lines:
        for line in lines:
            lines.write(json.dumps(run(json.loads(line))) + "\n")
            lines.flush()
