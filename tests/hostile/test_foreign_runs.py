"""A run directory from somebody else is inspected, verified, cleaned and resumed, and nothing outside it is touched."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from durability.fake_run import fake_config, fake_run
from harness import Commands, ForeignRun, fifo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmst.errors import GaveUp, InputError
from mmst.files import checksum
from mmst.runs.lock import machine

READ = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "verify-run": ("verify-run",),
    "show": ("show", "train-0"),
    "report": ("report", "--out", "r.html"),
    "clean --dry-run": ("clean", "--keep", "1", "--dry-run"),
    "clean": ("clean", "--keep", "1"),
    "list": ("list",),
}
"""Commands on a run: its name, then what follows the directory."""


def every_command(mmst: Commands, foreign: ForeignRun, tmp_path: Path, *, report: bool = False) -> str:
    """Run every command on a foreign run; returns all that they printed. None may fail in more than a line."""
    printed = ""
    for name, (command, *rest) in READ.items():
        if name == "report" and not report:
            continue
        place = foreign.root.parent if command == "list" else foreign.root
        outcome = mmst(command, place, *rest, cwd=tmp_path)
        assert outcome.code in (0, 1, 2), (name, outcome)
        lines = outcome.err.splitlines()
        assert len(lines) <= 1 or lines[0].startswith("Usage"), (name, outcome.err)
        printed += outcome.out + outcome.err
    return printed


def resumed(foreign: ForeignRun, tmp_path: Path, **more: str) -> str:
    """What a resumed run ends with."""
    config = fake_config(tmp_path.parent / "problems", "rounds.max=4") if more else None
    config = config or fake_config(foreign.root.parent, "rounds.max=4")
    try:
        return fake_run(config, foreign.root)
    except (InputError, GaveUp, OSError) as error:
        return f"{type(error).__name__}: {error}"


def test_a_run_that_is_intact_passes(mmst: Commands, foreign: ForeignRun, tmp_path: Path) -> None:
    assert mmst("verify-run", foreign.root).code == 0
    printed = every_command(mmst, foreign, tmp_path, report=True)
    assert "finished" in printed
    assert (tmp_path / "r.html").is_file()


LINKS = [
    "round-000/checkpoints",
    "round-001/checkpoints",
    "round-001/checkpoints/solver",
    "round-001/stages",
    "round-001/solutions",
    "round-001",
    "round-009",
    "locks",
    "problems",
    "metrics.jsonl",
    "rounds.jsonl",
    "progress.json",
    "config.yaml",
    "run.json",
    "report.html",
    "fork.json",
    "teacher",
    "round-001/.x.partial",
    "round-001/training",
    "round-001/decisions.parquet",
]


@pytest.mark.parametrize("name", LINKS)
def test_a_link_out_of_a_run_is_never_followed_to_write_or_delete(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, name: str
) -> None:
    target = foreign.outside
    if "." in Path(name).name and not name.endswith(".partial"):
        target /= "thesis.txt"
    foreign.link(name, target)
    every_command(mmst, foreign, tmp_path)
    assert resumed(foreign, tmp_path).startswith(("InputError", "GaveUp"))


@pytest.mark.parametrize("name", ["checkpoints", "round-001/checkpoints/solver/model.safetensors", "notes"])
def test_clean_refuses_a_run_with_a_link_to_the_outside(mmst: Commands, foreign: ForeignRun, name: str) -> None:
    foreign.link(name)
    assert "link" in mmst.refused("clean", foreign.root, "--keep", "1")


PATHS = [
    "../../outside",
    "../../outside/solver",
    "checkpoints/../../../outside/solver",
    "checkpoints/solver/../../../../outside/solver",
    "/etc",
    "/dev/zero",
    "/dev/stdin",
    "checkpoints/",
    "checkpoints/.",
    "checkpoints",
    ".",
    "..",
    "",
    "stages",
    "checkpoints/\0",
    "checkpoints/" + "x" * 5000,
    "~",
    "checkpoints/solver\n../x",
    "../round-000/checkpoints/solver",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:40]))
def test_a_path_in_a_manifest_stays_inside_its_round(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, path: str
) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["parts"].append({"path": path, "checksum": "0" * 32})

    for number in (0, 1, 2, 3):
        foreign.reseal("train", change, number)
    printed = every_command(mmst, foreign, tmp_path)
    assert "root:" not in printed
    for number in (0, 1):
        assert (foreign.root / f"round-00{number}" / "stages").is_dir()
        assert (foreign.root / f"round-00{number}" / "pool.parquet").is_file()
    assert (foreign.root / "round-000" / "checkpoints" / "solver").is_dir()


@pytest.mark.parametrize("path", PATHS[:8], ids=lambda path: repr(path[:40]))
def test_paths_of_problems_and_checkpoints_stay_inside_a_run(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, path: str
) -> None:
    manifest = foreign.root / "problems" / "manifest.json"
    tree = json.loads(manifest.read_text())
    tree["parts"].append({"path": path, "rows": 1, "checksum": "0" * 32})
    manifest.write_text(json.dumps(tree))
    foreign.reseal("promote", lambda m: m["figures"].update(checkpoint=path), 3)
    every_command(mmst, foreign, tmp_path)
    assert resumed(foreign, tmp_path).startswith("InputError")


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "socket loop"])
@pytest.mark.parametrize(
    "name", ["round-001/pool.parquet", "round-001/stages/train.json", "config.yaml", "run.json", "problems/train.jsonl"]
)
def test_a_special_file_in_a_run_makes_nothing_wait(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, name: str, kind: str
) -> None:
    path = foreign.root / name
    path.unlink()
    if kind == "fifo":
        fifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(path)
    every_command(mmst, foreign, tmp_path)


VALUES: list[Any] = [None, True, -1, 10**30, 1.5, "x", [], {}, [1], {"a": 1}, "\x1b[31m\u202e", float("nan"), [[[]]]]


def _set(tree: Any, keys: tuple[Any, ...], value: Any) -> None:
    *parents, last = keys
    for key in parents:
        tree = tree[key] if isinstance(tree, list) else tree.setdefault(key, {})
    tree[last] = value


FIELDS: list[tuple[str, tuple[Any, ...]]] = [
    *(("train", (name,)) for name in ("parts", "figures", "seconds", "spent", "engines", "stage", "round", "finished")),
    *(("train", ("parts", 0, name)) for name in ("path", "checksum", "rows", "removed")),
    *(("train", ("figures", name)) for name in ("rows", "steps", "loss", "left_out")),
    *(("evaluate", ("figures", "test", name)) for name in ("accuracy", "intervals", "n", "slices", "ensembles")),
    *(("evaluate", ("figures", name)) for name in ("test", "dev")),
    *(("promote", ("figures", name)) for name in ("promoted", "checkpoint", "round", "score", "reason")),
    *(("filter", ("figures", name)) for name in ("labels", "kept", "reasons", "kept_by_method")),
    *(("generate", ("figures", name)) for name in ("statuses", "solutions", "tokens")),
]


@pytest.mark.parametrize(("stage", "keys"), FIELDS, ids=lambda value: ".".join(map(str, value)) if value else "")
def test_a_wrong_type_in_a_resealed_manifest_is_one_line(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, stage: str, keys: tuple[Any, ...]
) -> None:
    """One value per field and command here, drawn; the others come with other fields."""
    draw = random.Random(f"{stage}{keys}")
    value = draw.choice(VALUES)
    try:
        foreign.reseal(stage, lambda manifest: _set(manifest, keys, value), 3)
    except (TypeError, KeyError, IndexError, AttributeError):
        pytest.skip("not in this manifest")
    names = [*draw.sample(sorted(set(READ) - {"report"}), 3), "verify-run", "status"]
    for name in dict.fromkeys(names):
        command, *rest = READ[name]
        place = foreign.root.parent if command == "list" else foreign.root
        outcome = mmst(command, place, *rest, cwd=tmp_path)
        assert len(outcome.err.splitlines()) <= 1, (value, outcome.err)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_report_of_wrong_figures_is_one_line(mmst: Commands, foreign: ForeignRun, tmp_path: Path, value: Any) -> None:
    foreign.reseal("evaluate", lambda manifest: _set(manifest, ("figures", "test", "accuracy"), value), 3)
    outcome = mmst("report", foreign.root, "--out", tmp_path / "r.html")
    assert len(outcome.err.splitlines()) <= 1


def test_a_manifest_without_its_seal_is_refused(mmst: Commands, foreign: ForeignRun) -> None:
    path = foreign.run.round(1).manifest_path("train")
    manifest = json.loads(path.read_text())
    del manifest["seal"]
    path.write_text(json.dumps(manifest))
    assert "stages/train.json" in mmst("verify-run", foreign.root).out


JSON_FILES = ["run.json", "fork.json", "progress.json", "problems/manifest.json", "round-003/stages/promote.json"]
JSON_TEXTS = {
    "empty": b"",
    "not JSON": b"{",
    "not UTF-8": b'{"format": "\xff"}',
    "nested 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "objects 10,000 deep": b'{"parts":' * 10_000 + b"1" + b"}" * 10_000,
    "a number": b"3",
    "a list": b"[1]",
    "a list of lists": b"[[]]",
    "a huge number": b'{"format": ' + b"9" * 5000 + b"}",
    "a huge format": b'{"format": 1e400, "parts": 1e400}',
    "a text": b'"\\u001b[31m"',
    "null": b"null",
    "an object": b'{"parts": [{}], "from": 1}',
    "a list of objects": b'[{"from": 3, "through": "x", "config": []}]',
    "a foreign fork": b'[{"from": "/etc", "through": 1, "config": {"name": "x"}}]',
    "ten megabytes": b"[" + b"1," * 5_000_000 + b"1]",
}


@pytest.mark.parametrize("text", JSON_TEXTS)
@pytest.mark.parametrize("name", JSON_FILES)
def test_a_bad_json_file_is_one_line(mmst: Commands, foreign: ForeignRun, tmp_path: Path, name: str, text: str) -> None:
    foreign.replace(name, JSON_TEXTS[text])
    for command in ("status", "verify-run", "clean"):
        words = READ[command]
        outcome = mmst(words[0], foreign.root, *words[1:], cwd=tmp_path)
        assert len(outcome.err.splitlines()) <= 1, outcome.err


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"[" * 10_000, b"3", b"name: &a [*a]", b"name: x", b'name: "\\e[31m"\nrounds: {max: x, patience: 1}'],
    ids=repr,
)
def test_a_bad_configuration_of_a_run_is_one_line(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, text: bytes
) -> None:
    foreign.replace("config.yaml", text[:20_000])
    every_command(mmst, foreign, tmp_path)
    assert resumed(foreign, tmp_path).startswith("InputError")


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "flipped", "other columns", "wrong types"])
@pytest.mark.parametrize("name", ["solutions/part-00000.parquet", "decisions.parquet", "pool.parquet"])
def test_damaged_parquet_is_one_line(
    mmst: Commands, foreign: ForeignRun, tmp_path: Path, name: str, damage: str
) -> None:
    path = foreign.run.round(1).root / name
    whole = path.read_bytes()
    if damage in ("other columns", "wrong types"):
        table = pq.read_table(path)
        columns = table.column_names
        changed = table.rename_columns([f"x{c}" for c in columns]) if damage == "other columns" else None
        if changed is None:
            changed = table.rename_columns([*columns[1:], columns[0]])
        pq.write_table(changed, path)
    else:
        flipped = bytes(byte ^ (255 if n % 97 == 5 else 0) for n, byte in enumerate(whole))
        damaged = {"empty": b"", "garbage": b"PAR1" * 100, "cut": whole[: len(whole) // 2], "flipped": flipped}
        path.write_bytes(damaged[damage])

    def seal(manifest: dict[str, Any]) -> None:
        for part in manifest["parts"]:
            if part["path"] == name:
                part["checksum"] = checksum(path)

    for stage in ("generate", "filter", "train"):
        foreign.reseal(stage, seal)
    printed = every_command(mmst, foreign, tmp_path, report=damage == "flipped")
    if damage in ("empty", "garbage", "cut"):
        assert name.rpartition("/")[2] in printed


def test_names_cannot_control_the_terminal(mmst: Commands, foreign: ForeignRun, tmp_path: Path) -> None:
    """Neither in a configuration nor in the names of files."""
    text = (foreign.root / "config.yaml").read_text()
    foreign.replace("config.yaml", text.replace("name: fake", 'name: "\\e[31m\\e]0;x\\a\\u202e"'))
    strange = foreign.root.parent / "\x1b[31mrun\u202e"
    shutil.copytree(foreign.root, strange)
    for words in (
        ("status", strange),
        ("verify-run", strange),
        ("list", strange.parent),
        ("clean", strange, "--keep", 1),
    ):
        outcome = mmst(*words)
        assert "\x1b" not in outcome.out
        assert "\u202e" not in outcome.out


def test_text_of_the_model_cannot_control_the_terminal(mmst: Commands, foreign: ForeignRun) -> None:
    path = foreign.root / "problems" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["question"] = "\x1b[31m\x1b]0;x\x07\u202e"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for words in (("show", foreign.root, rows[0]["id"]), ("show", foreign.root, "\x1b[31m")):
        outcome = mmst(*words)
        assert "\x1b" not in outcome.out + outcome.err
        assert "\u202e" not in outcome.out + outcome.err


def test_clean_keeps_intact_checkpoints_if_the_newest_is_broken(mmst: Commands, foreign: ForeignRun) -> None:
    """With the newest checkpoint damaged the older ones are the only good ones."""
    weights = [foreign.root / f"round-00{n}" / "checkpoints" / "solver" / "model.safetensors" for n in range(4)]
    weights[3].write_bytes(b"damaged")
    before = [path.read_bytes() for path in weights[:3]]
    assert "round-003" in mmst.refused("clean", foreign.root, "--keep", "1")
    assert [path.read_bytes() for path in weights[:3]] == before


def test_clean_marks_what_it_removed(mmst: Commands, foreign: ForeignRun) -> None:
    assert mmst("clean", foreign.root, "--keep", "1").code == 0
    assert mmst("verify-run", foreign.root).code == 0
    assert "0 checkpoints removed" in mmst("clean", foreign.root, "--keep", "1").out


LOCKS = {
    "garbage": b"\xff\x00",
    "a list": b"[]",
    "wrong types": json.dumps(
        {"host": 1, "machine": [], "pid": "x", "started": {}, "since": None, "beat": "x", "released": "no"}
    ).encode(),
    "a huge process": json.dumps(
        {"host": "h", "machine": machine(), "pid": 10**30, "started": 1, "since": "now", "beat": 0, "released": False}
    ).encode(),
    "a negative process": json.dumps(
        {"host": "h", "machine": machine(), "pid": -1, "started": 1, "since": "now", "beat": 0, "released": False}
    ).encode(),
    "escape sequences": json.dumps(
        {"host": "\x1b[31m", "machine": machine(), "pid": os.getpid(), "started": 1, "since": "\x1b", "beat": 0}
    ).encode(),
    "nested": b"[" * 10_000,
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_strange_lock_is_no_mystery(mmst: Commands, foreign: ForeignRun, name: str) -> None:
    (lock,) = (foreign.root / "locks").iterdir()
    lock.write_bytes(LOCKS[name])
    for words in (("status", foreign.root), ("status", foreign.root, "--json"), ("list", foreign.root.parent)):
        assert len(mmst(*words).err.splitlines()) <= 1


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "../outside", "", ".", "round-1", "~"])
def test_what_holds_no_run_is_refused(mmst: Commands, tmp_path: Path, name: str) -> None:
    for command, *rest in READ.values():
        outcome = mmst(command, name, *rest, cwd=tmp_path)
        assert outcome.code in (0, 1, 2)
        assert len(outcome.err.splitlines()) <= 1 or outcome.err.startswith("Usage"), outcome.err
    assert not (tmp_path / "r.html").exists()


def _paths(tree: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path for key, value in inner for path in [(*before, key), *_paths(value, (*before, key))]]


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_change_of_a_sealed_manifest_is_one_line(
    commands: Commands, finished: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Hypothesis chooses the manifest, the place in it and the value."""
    root = tmp_path_factory.mktemp("changed") / "run"
    shutil.copytree(finished, root)
    foreign = ForeignRun(root, root)
    stage = data.draw(st.sampled_from(["generate", "filter", "translate", "train", "evaluate", "promote"]))
    path = foreign.run.round(3).manifest_path(stage)
    keys = data.draw(st.sampled_from(_paths(json.loads(path.read_text()))))
    value = data.draw(_ANY)
    change: Callable[[dict[str, Any]], None] = lambda manifest: _set(manifest, keys, value)  # noqa: E731
    foreign.reseal(stage, change, 3)
    words = READ[data.draw(st.sampled_from(["status", "status --json", "verify-run", "show", "clean --dry-run"]))]
    outcome = commands(words[0], root, *words[1:])
    assert len(outcome.err.splitlines()) <= 1, outcome.err
    shutil.rmtree(root.parent)
