"""What README.md, CONTRIBUTING.md and docs/ tell a reader to type works, or says what it needs.

Directly above every fenced `bash` or `python` block stands an HTML comment: `<!-- test -->` where this file runs it,
else `<!-- needs: ... -->`. Blocks that need `a finished run` are run against one of a made-up model at `runs/mine`.
`<!-- file: NAME -->` above a block makes it a file that the commands of the page find. Of commands that cannot be run
here the names and options are checked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
)
FINISHED = "a finished run"
ON_A_FINISHED_RUN = {"status", "show", "report", "verify-run", "clean", "list"}
PROBLEM, RECORDED = "synthetic-train-00017", "train-0"
"""The problem that the pages show, and the one of the made-up run that stands in for it."""
_FENCE = re.compile(r"^ *```+ *(\w*)")
_MARKER = re.compile(r"^ *<!-- (test|needs|file)(?:: (.+))? -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the kind and text of the comment above it, and what it holds."""

    line: int
    language: str
    kind: str | None
    text: str | None
    body: str


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    lines = (ROOT / page).read_text().splitlines()
    blocks, number = [], 0
    while number < len(lines):
        if opening := _FENCE.match(lines[number]):
            marker = _MARKER.match(lines[number - 1]) if number else None
            end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == "```")
            kind, text = marker.groups() if marker else (None, None)
            body = "\n".join(lines[number + 1 : end]) + "\n"
            blocks.append(Block(number + 1, opening[1], kind, text, body))
            number = end
        number += 1
    return blocks


def with_blocks(kind: str, text: str | None = None) -> list[str]:
    """Pages that have a block to run with this comment."""
    return [p for p in PAGES if any((b.kind, b.text) == (kind, text) for b in blocks_of(p))]


def run(block: Block, directory: Path, page: str) -> None:
    """Run a block as a reader would; a command that fails fails the test, with what it printed."""
    command = ["bash", "-euo", "pipefail", "-c", block.body]
    if block.language == "python":
        command = [sys.executable, "-c", block.body]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
        "PATH": f"{directory / '.bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
    }
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{page}:{block.line}: exit code {done.returncode}\n{done.stdout}{done.stderr}"


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A directory with `mmst` on the path and the repository's configurations and examples in it."""
    (tmp_path / ".bin").mkdir()
    script = tmp_path / ".bin" / "mmst"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from mmst.cli import main; main()' \"$@\"\n")
    script.chmod(0o755)
    for name in ("configs", "examples"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the real loop with a made-up model and trainer."""
    target = tmp_path_factory.mktemp("made") / "mine"
    program = [sys.executable, str(ROOT / "tests/durability/fake_run.py"), str(target)]
    subprocess.run(program, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True, timeout=120)
    return target


def write_files(page: str, directory: Path) -> None:
    for block in blocks_of(page):
        if block.kind == "file":
            (directory / str(block.text)).write_text(block.body)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_runs_here_or_says_what_it_needs(page: str) -> None:
    bare = [b.line for b in blocks_of(page) if b.language in ("bash", "python") and b.kind not in ("test", "needs")]
    assert not bare, f"{page}: no `<!-- test -->` or `<!-- needs: ... -->` above the blocks of lines {bare}"
    silent = [b.line for b in blocks_of(page) if b.kind in ("needs", "file") and not b.text]
    assert not silent, f"{page}: the comments above the blocks of lines {silent} do not say what"


@pytest.mark.parametrize("page", with_blocks("test"))
def test_documented_commands_work(page: str, reader: Path) -> None:
    write_files(page, reader)
    for block in blocks_of(page):
        if block.kind == "test":
            run(block, reader, page)


@pytest.mark.parametrize("page", with_blocks("needs", FINISHED))
def test_commands_about_a_finished_run_work(page: str, reader: Path, finished_run: Path) -> None:
    (reader / "runs").mkdir()
    shutil.copytree(finished_run, reader / "runs" / "mine")
    for block in blocks_of(page):
        if (block.kind, block.text) == ("needs", FINISHED):
            for words in mmst_commands(block):
                assert words[1] in ON_A_FINISHED_RUN, f"{page}:{block.line}: `{words[1]}` needs more than that"
                assert words[1] != "clean" or "--dry-run" in words
            run(Block(**{**vars(block), "body": block.body.replace(PROBLEM, RECORDED)}), reader, page)


def mmst_commands(block: Block) -> Iterator[list[str]]:
    """The commands of a block that are mmst's own, as words."""
    for line in block.body.splitlines() if block.language == "bash" else ():
        words = shlex.split(line, comments=True)
        if words and Path(words[0]).name == "mmst":
            yield words


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_not_run_exist_with_their_options(page: str) -> None:
    import typer

    from mmst.cli import app

    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks_of(page):
        for words in mmst_commands(block):
            command: Any = typer.main.get_command(app)
            rest = words[1:]
            while isinstance(commands := getattr(command, "commands", None), Mapping) and rest[0][0] != "-":
                assert rest[0] in commands, f"{page}:{block.line}: there is no command `{' '.join(words)}`"
                command, rest = commands[rest[0]], rest[1:]
            known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
            unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - known
            assert not unknown, f"{page}:{block.line}: `{words[1]}` has no option {', '.join(sorted(unknown))}"
        for line in block.body.splitlines() if block.language == "bash" else ():
            if line.startswith("make "):
                missing = set(shlex.split(line, comments=True)[1:]) - targets
                assert not missing, f"{page}:{block.line}: the Makefile has no target {missing}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert not [link for link in links if not (ROOT / link).exists()]


def test_the_architecture_page_names_every_floor() -> None:
    floors = re.search(r"^layers =\n((?: +.+\n)+)", (ROOT / ".importlinter").read_text(), re.MULTILINE)
    assert floors, ".importlinter has no layers"
    page = (ROOT / "docs/architecture.md").read_text()
    names = [name for name in re.findall(r"mmst\.([\w.]+)", floors[1]) if f"`{name}`" not in page]
    assert not names, f"docs/architecture.md does not name the floors {names}"


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
