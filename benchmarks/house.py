"""The size and structure of mmst/ at several commits: `python benchmarks/house.py [REVISION ...]`.

For each revision (default: 4f68360, before the restructure, and the working tree) it prints

- files, lines, the longest file and the longest function;
- circles: groups of files that import each other, and pairs of packages that do;
- path: the number of files in which a function runs while problems go from an input file through every stage to
  training rows, an evaluation and a promotion. The run is `tests/durability/fake_run.py` of that revision: the real
  loop and stages around a made-up model, so the sandbox, vLLM and DeepSpeed are not on it. Start-up is counted too.

Needs git and an installed mmst (its packages, not its code, are used). `--json` prints a line per revision, with the
files on the path.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "4f68360"
_TRACE = """
import runpy, sys, threading
tree, run = sys.argv[1:3]
seen = set()
counting = []

def called(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(tree + "/mmst/") and code.co_flags & 1 and counting:
        seen.add(code.co_filename[len(tree) + 1:])  # the flag excludes modules and class bodies

sys.path[:0] = [tree, tree + "/tests", tree + "/tests/durability"]
sys.argv = ["fake_run.py", run]
import fake_run  # importing is not counted
counting.append(True)
threading.setprofile(called)
sys.setprofile(called)
runpy.run_path(tree + "/tests/durability/fake_run.py", run_name="__main__")
sys.setprofile(None)
print("\\n" + "\\n".join(sorted(seen)))
"""


def main() -> None:
    """Print a table, or lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="*", default=[BEFORE, "."], help="git revisions; . is the working tree")
    parser.add_argument("--json", action="store_true", help="a line of JSON per revision")
    options = parser.parse_args()
    rows = []
    for revision in options.revisions:
        with tempfile.TemporaryDirectory() as scratch:
            tree = ROOT if revision == "." else _checked_out(revision, Path(scratch) / "tree")
            rows.append({"revision": revision, **measure(tree), "path": path_of(tree, Path(scratch) / "run" / "fake")})
    if options.json:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table("", *(row["revision"] for row in rows))
    for name in list(rows[0])[1:]:
        table.add_row(name, *(str(len(row[name]) if isinstance(row[name], list) else row[name]) for row in rows))
    Console().print(table)


def measure(tree: Path) -> dict[str, Any]:
    """Files, lines, the longest file and function, and circles of `mmst/` in a checkout."""
    files = {_module(tree, path): path for path in sorted((tree / "mmst").rglob("*.py"))}
    texts = {module: path.read_text() for module, path in files.items()}
    imports = {module: set(_imported(ast.parse(text), files.keys())) - {module} for module, text in texts.items()}
    packages = defaultdict(set)
    for module, targets in imports.items():
        packages[_package(module)] |= {_package(target) for target in targets} - {_package(module)}
    functions = (n for text in texts.values() for n in ast.walk(ast.parse(text)) if isinstance(n, _FUNCTIONS))
    return {
        "files": len(files),
        "lines": sum(text.count("\n") for text in texts.values()),
        "longest file": max(text.count("\n") for text in texts.values()),
        "longest function": max((f.end_lineno or 0) - f.lineno + 1 for f in functions),
        "circles of files": sum(len(group) > 1 for group in _components(imports)),
        "pairs of packages that import each other": sum(
            a < b and a in packages[b] for a in list(packages) for b in packages[a]
        ),
    }


def path_of(tree: Path, run: Path) -> list[str]:
    """The files of `mmst/` in which a function runs during the made-up run of a checkout. Raises CalledProcessError."""
    run.parent.mkdir(parents=True)
    command = [sys.executable, "-c", _TRACE, str(tree), str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.rpartition("\n\n")[2].split()


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _checked_out(revision: str, target: Path) -> Path:
    archive = target.with_suffix(".tar")
    subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(archive), revision], check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return target


def _module(tree: Path, path: Path) -> str:
    return ".".join(path.relative_to(tree).with_suffix("").parts).removesuffix(".__init__")


def _package(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _imported(tree: ast.Module, known: Any) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from (name for name in ((inner if inner in known else node.module),) if name in known)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def _components(graph: dict[str, set[str]]) -> Iterator[set[str]]:
    """Strongly connected components: modules that reach each other."""

    def reached(start: str, edges: dict[str, set[str]]) -> set[str]:
        seen, todo = {start}, [start]
        while todo:
            todo += (new := edges.get(todo.pop(), set()) - seen)
            seen |= new
        return seen

    backwards: dict[str, set[str]] = defaultdict(set)
    for module, targets in graph.items():
        for target in targets:
            backwards[target].add(module)
    left = set(graph)
    while left:
        start = next(iter(left))
        group = reached(start, graph) & reached(start, backwards)
        yield group
        left -= group


if __name__ == "__main__":
    main()
