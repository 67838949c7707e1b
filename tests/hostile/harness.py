"""Commands in forked processes with limits, and runs as somebody with bad intentions would send them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmst.runs.directory import RunDirectory, write_manifest

SECONDS = 10
"""Of CPU, which a busy machine does not change."""
PATIENCE = 30.0
"""Seconds after which a command hangs."""
BYTES = 600 << 20
LONGEST = 4000
"""Characters that a message has at most, whatever it quotes."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str
    seconds: float
    bytes: int


class Commands:
    """Runs `mmst` commands, and checks what holds for every one of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        ours, theirs = socket.socketpair()
        command = [sys.executable, str(Path(__file__).with_name("zygote.py")), str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self._lines = ours.makefile("rw", encoding="utf-8")
        ours.close()

    def close(self) -> None:
        self._lines.close()
        self._process.wait(10)

    def __call__(
        self, *words: object, stdin: bytes = b"", cwd: Path | None = None, stdout: str = "", **environment: str
    ) -> Outcome:
        given, err = self.directory / "stdin", self.directory / "stderr"
        out = stdout or str(self.directory / "stdout")
        given.write_bytes(stdin)
        task = {
            "words": [str(word) for word in words],
            "cwd": str(cwd or self.directory),
            "stdin": str(given),
            "stdout": out,
            "stderr": str(err),
            "environment": {"HOME": str(self.directory), "COLUMNS": "100", "RAY_ADDRESS": "", **environment},
            "seconds": SECONDS,
            "patience": PATIENCE,
            "bytes": BYTES,
        }
        self._lines.write(json.dumps(task) + "\n")
        self._lines.flush()
        did = json.loads(self._lines.readline())
        printed = "" if stdout else Path(out).read_text(encoding="utf-8", errors="surrogateescape")
        said = err.read_text(encoding="utf-8", errors="surrogateescape")
        about = (
            f"mmst {' '.join(map(str, words))[:300]}\nexit {did['code']} after {did['seconds']:.1f} s\n{said[-3000:]}"
        )
        assert "Traceback" not in said + printed, about
        assert did["code"] >= 0, f"killed: {about}"
        assert did["bytes"] < BYTES, about
        assert did["code"] in (0, 1, 2, 141), about
        assert not CONTROL.search(said), f"control characters: {about!r}"
        assert len(said) < LONGEST, about
        return Outcome(did["code"], printed, said, did["seconds"], did["bytes"])

    def refused(self, *words: object, code: int = 2, faults: int = 1, **options: Any) -> str:
        """The message of a command that must fail with this code and a line, or at most `faults` lines."""
        outcome = self(*words, **options)
        lines = [line for line in outcome.err.splitlines() if not line.startswith("sandbox: ")]
        assert outcome.code == code, f"{words}: exit {outcome.code}, not {code}\n{outcome.out[:500]}\n{outcome.err}"
        if lines[:1] and lines[0].startswith("Usage:"):  # of the parser of options
            return "\n".join(lines)
        assert 1 <= len(lines) <= faults, f"{words}: {outcome.err}"
        assert lines[0].startswith("mmst: "), f"{words}: {outcome.err}"
        return "\n".join(lines)


def state_of(directory: Path) -> dict[str, str]:
    """Everything in a directory, with its content."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "-"
        for path in sorted(directory.rglob("*"))
    }


class ForeignRun:
    """A copy of a finished run, to be changed as somebody with bad intentions would."""

    def __init__(self, root: Path, outside: Path) -> None:
        self.root, self.outside, self.run = root, outside, RunDirectory(root)

    def reseal(self, stage: str, change: Callable[[dict[str, Any]], object], number: int = 1) -> None:
        """Change a manifest and give it a valid seal."""
        path = self.run.round(number).manifest_path(stage)
        manifest = json.loads(path.read_text())
        manifest.pop("seal", None)
        change(manifest)
        write_manifest(path, manifest)

    def link(self, name: str, target: Path | None = None) -> None:
        """Replace a file or directory of the run by a link that leads out of it."""
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target or self.outside)

    def replace(self, name: str, content: bytes | str) -> None:
        """Replace the content of a file of the run."""
        path = self.root / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def fifo(path: Path) -> Path:
    """A pipe with a name that nobody writes to: who opens it to read waits for ever."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path
