"""Damaged files are named before they are used, and never used silently."""

from pathlib import Path

import pytest
from fake_run import content, fake_config, fake_run
from test_audit import flip

from mmst.errors import InputError
from mmst.runs.audit import verify_run
from mmst.runs.directory import file_fault, write_manifest


@pytest.fixture(autouse=True)
def _a_new_process():
    """Forget which files were found intact earlier in this process."""
    file_fault.cache_clear()


def without(run, number: int, stages: list[str]) -> None:
    """Make the run look as if it had been killed before these stages."""
    for stage in stages:
        (run.round(number).root / "stages" / f"{stage}.json").unlink()


def test_a_flipped_byte_in_the_checkpoint_that_goes_on_is_named(run, finished) -> None:
    held = run.root / run.round(1).figures("promote")["checkpoint"]
    without(run, 2, ["generate", "filter", "translate", "train", "evaluate", "promote"])
    flip(held / "model.safetensors")
    with pytest.raises(InputError, match=rf"{held.relative_to(run.root)}: checksum mismatch"):
        fake_run(finished[0], run.root)


@pytest.mark.parametrize(
    ("stages", "damaged"),
    [
        (["filter", "translate", "train", "evaluate", "promote"], "round-002/solutions/part-00000.parquet"),
        (["translate", "train", "evaluate", "promote"], "round-002/decisions.parquet"),
        (["train", "evaluate", "promote"], "round-001/translations/decisions.parquet"),
        (["evaluate", "promote"], "round-002/checkpoints/solver/model.safetensors"),
        (["evaluate", "promote"], "round-001/evaluation/figures.json"),
        (["promote"], "problems/train.jsonl"),
    ],
)
def test_a_damaged_file_that_the_next_stage_reads_is_named(run, finished, stages, damaged) -> None:
    without(run, 2, stages)
    flip(run.root / damaged)
    named = Path(damaged).parent if "checkpoints" in damaged else damaged
    with pytest.raises(InputError, match=f"{named}: checksum mismatch"):
        fake_run(finished[0], run.root)


def test_a_truncated_part_of_a_stage_that_goes_on_is_done_again(run, finished) -> None:
    without(run, 2, ["generate", "filter", "translate", "train", "evaluate", "promote"])
    part = run.round(2).solutions / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    fake_run(finished[0], run.root)
    assert content(run.root) == content(finished[1])
    assert verify_run(run.root)[0] == []


def test_a_missing_file_and_a_foreign_manifest_are_named(run, finished) -> None:
    without(run, 2, ["evaluate", "promote"])
    run.round(2).pool.unlink()
    with pytest.raises(InputError, match=r"round-002/pool.parquet: is missing, though its manifest lists it"):
        fake_run(finished[0], run.root)
    (run.root / "problems" / "manifest.json").write_text("[1, 2")
    with pytest.raises(InputError, match=r"problems/manifest.json: cannot be read .*JSON"):
        fake_run(finished[0], run.root)
    (run.root / "config.yaml").write_text("a: [")
    with pytest.raises(InputError, match=r"config.yaml: not valid YAML"):
        fake_run(finished[0], run.root)


@pytest.mark.parametrize(
    ("lost", "after"),
    [
        ("round-000/stages/train.json", "evaluate of round 0"),
        ("round-001/stages/filter.json", "translate of round 1"),
        ("round-001/stages/promote.json", "generate of round 2"),
    ],
)
def test_a_manifest_that_was_lost_is_named_and_its_rows_are_not_left_out(run, finished, lost, after) -> None:
    (run.root / lost).unlink()
    assert f"{lost}: is missing, though {after} is done" in [str(fault) for fault in verify_run(run.root)[0]]
    with pytest.raises(InputError, match=f"{lost}: is missing, though {after} is done; restore it, or remove"):
        fake_run(fake_config(finished[1].parent, "rounds.max=3"), run.root)


def test_a_manifest_that_was_changed_is_named(run, finished) -> None:
    path = run.round(1).manifest_path("filter")
    path.write_text(path.read_text().replace('"kept": ', '"kept": 1', 1))
    assert "round-001/stages/filter.json: checksum mismatch" in str(verify_run(run.root)[0][0])
    with pytest.raises(InputError, match=r"round-001/stages/filter\.json: checksum mismatch"):
        fake_run(fake_config(finished[1].parent, "rounds.max=3"), run.root)


def test_a_promotion_of_another_run_is_named(run, finished) -> None:
    manifest = run.round(2).manifest("promote")
    figures = manifest["figures"] | {"checkpoint": "round-007/checkpoints/solver", "round": 7}
    write_manifest(run.round(2).manifest_path("promote"), manifest | {"figures": figures})
    assert "its round-007/checkpoints/solver is missing" in str(verify_run(run.root)[0][-1])
    with pytest.raises(InputError, match=r"round-007/checkpoints/solver: is missing, but .*promote\.json"):
        fake_run(fake_config(finished[1].parent, "rounds.max=3"), run.root)


def test_problems_or_a_configuration_that_were_lost_are_not_made_anew(run, finished) -> None:
    aside = (run.problems / "manifest.json").rename(run.root.parent / "manifest.json")
    with pytest.raises(InputError, match=r"problems/manifest\.json: is missing, though rounds have begun"):
        fake_run(finished[0], run.root)
    aside.rename(run.problems / "manifest.json")
    (run.root / "config.yaml").unlink()
    with pytest.raises(InputError, match=r"holds rounds, but its config\.yaml is missing; restore it"):
        fake_run(finished[0], run.root)


def test_a_directory_that_cannot_be_written_is_named(tmp_path) -> None:
    """Not even root can create directories in /sys."""
    with pytest.raises(InputError, match="cannot be written"):
        fake_run(fake_config(tmp_path), Path("/sys/run"))
