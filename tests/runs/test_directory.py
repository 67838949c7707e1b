"""A stage is done when its manifest exists; files appear whole; a run directory has one writer and one purpose."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest
import yaml

from mmst.config.file import build_config
from mmst.errors import InputError
from mmst.files import checksum, new_file
from mmst.runs.directory import RunDirectory
from mmst.runs.identity import seed_of
from mmst.runs.opening import check_resumable, fork, opened
from mmst.runs.status import status_of, stop_reason, write_rounds
from mmst.runs.tables import read_table, write_table


@dataclass(frozen=True)
class Row:
    name: str
    count: int
    share: float | None


def config(**more):
    return build_config({"name": "t", "problems": {"synthetic": {}}, **more})


def test_rows_come_back_as_they_were_written(tmp_path) -> None:
    rows = [Row("a", 1, None), Row("line\nbreak \u2713", 2, 0.5)]
    assert write_table(tmp_path / "t.parquet", Row, rows) == 2
    assert list(read_table(tmp_path / "t.parquet", Row)) == rows


def test_an_empty_table_is_a_table(tmp_path) -> None:
    assert write_table(tmp_path / "t.parquet", Row, []) == 0
    assert list(read_table(tmp_path / "t.parquet", Row)) == []


def test_text_that_is_no_unicode_is_written(tmp_path) -> None:
    write_table(tmp_path / "t.parquet", Row, [Row("a\ud800b", 1, None)])
    assert next(read_table(tmp_path / "t.parquet", Row)).name == "a?b"


def test_a_file_whose_writing_failed_does_not_appear(tmp_path) -> None:
    with pytest.raises(RuntimeError), new_file(tmp_path / "a") as path:
        path.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_failed_is_not_done_and_one_that_ended_is(tmp_path) -> None:
    round_ = RunDirectory(tmp_path).round(1)
    with pytest.raises(RuntimeError), round_.stage("filter"):
        raise RuntimeError
    assert not round_.done("filter")
    with round_.stage("filter") as commit:
        commit.figures = {"kept": 3}
    assert round_.done("filter")
    assert round_.figures("filter") == {"kept": 3}
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["kept"] == 3


def test_a_broken_or_foreign_manifest_is_named(tmp_path) -> None:
    round_ = RunDirectory(tmp_path).round(1)
    stages = tmp_path / "round-001" / "stages"
    stages.mkdir(parents=True)
    (stages / "filter.json").write_text('{"stage": "fil')
    with pytest.raises(InputError, match=r"filter\.json"):
        round_.done("filter")
    (stages / "filter.json").write_text('{"stage": "filter", "round": 2}')
    with pytest.raises(InputError, match="round 1"):
        round_.done("filter")


def test_checksums_see_a_flipped_byte_and_a_renamed_file(tmp_path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"xyz")
    first = checksum(tmp_path / "d")
    (tmp_path / "d" / "a").write_bytes(b"xyZ")
    second = checksum(tmp_path / "d")
    (tmp_path / "d" / "a").rename(tmp_path / "d" / "b")
    assert len({first, second, checksum(tmp_path / "d")}) == 3


def test_the_same_configuration_goes_on_and_another_is_refused(tmp_path) -> None:
    root = tmp_path / "run"
    assert not check_resumable(root, config())
    with opened(root, config()):
        pass
    assert check_resumable(root, config(rounds={"max": 9}))
    with pytest.raises(InputError, match=r"seed: 0 -> 1"):
        check_resumable(root, config(seed=1))


def test_a_run_that_is_older_than_a_setting_goes_on_with_its_default(tmp_path) -> None:
    config = build_config({"problems": {"synthetic": {}}})
    with opened(tmp_path / "run", config):
        pass
    file = tmp_path / "run" / "config.yaml"
    tree = yaml.safe_load(file.read_text())
    del tree["evaluation"]["samples"]
    file.write_text(yaml.safe_dump(tree))
    assert check_resumable(tmp_path / "run", config)


def test_a_directory_that_holds_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(InputError, match="is not empty"):
        check_resumable(tmp_path, config())


def test_a_second_writer_is_refused_and_told_who_holds_the_run(tmp_path) -> None:
    root = tmp_path / "run"
    hold = (
        "import sys; from pathlib import Path; from mmst.runs.opening import opened; "
        "from mmst.config.file import build_config; "
        "c = build_config({'name': 't', 'problems': {'synthetic': {}}})\n"
        f"with opened(Path({str(root)!r}), c): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {holder.pid}"), opened(root, config()):
            pass
        assert status_of(RunDirectory(root))["state"] == "running"
        holder.kill()
    with opened(root, config()):
        pass


def promoted(run: RunDirectory, number: int, yes: bool) -> None:
    with run.round(number).stage("promote") as commit:
        commit.figures = {"promoted": yes}


def test_rounds_end_when_they_stop_helping_or_are_used_up(tmp_path) -> None:
    run = RunDirectory(tmp_path)
    assert stop_reason(run, 3, 2) is None
    promoted(run, 0, True)
    promoted(run, 1, False)
    assert stop_reason(run, 3, 2) is None
    promoted(run, 2, False)
    assert "did not help" in stop_reason(run, 3, 2)
    assert "all 2 rounds" in stop_reason(run, 2, 5)


def test_the_view_of_rounds_is_rebuilt_from_manifests(tmp_path) -> None:
    run = RunDirectory(tmp_path)
    promoted(run, 0, True)
    write_rounds(run)
    (tmp_path / "rounds.jsonl").unlink()
    write_rounds(run)
    row = json.loads((tmp_path / "rounds.jsonl").read_text())
    assert (row["round"], row["stage"], row["promoted"]) == (0, "promote", True)


def test_a_fork_has_round_zero_and_its_own_configuration(tmp_path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    with opened(source, config()) as run:
        (source / "problems").mkdir()
        promoted(run, 0, True)
    fork(source, target, config(rounds={"max": 7}))
    assert check_resumable(target, config(rounds={"max": 7}))
    assert RunDirectory(target).round(0).done("promote")


def test_seeds_are_63_bit_and_depend_on_every_part() -> None:
    seeds = {seed_of(0, 1, "p", "cot", s, r) for s in range(50) for r in ("solver", "translator")}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of("a", "bc") != seed_of("ab", "c")
