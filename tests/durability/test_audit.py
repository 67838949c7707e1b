"""`mmst verify-run` names every fault of a damaged run and finds none in an intact one."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq

from mmst.cli import app
from mmst.files import checksum
from mmst.runs.audit import verify_run
from mmst.runs.directory import write_manifest


def flip(path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rewrite(round_, stage: str, path, change) -> None:
    """Change the rows of a table and update its manifest."""
    rows = change(pq.read_table(path).to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)
    manifest = round_.manifest(stage)
    for part in manifest["parts"]:
        if round_.root / part["path"] == path:
            part |= {"rows": len(rows), "checksum": checksum(path)}
    write_manifest(round_.manifest_path(stage), manifest)


def found(run) -> list[str]:
    return [str(fault) for fault in verify_run(run.root)[0]]


def has(faults: list[str], *words: str) -> bool:
    return any(all(word in fault for word in words) for fault in faults)


def test_nothing_is_wrong_with_a_run_that_is_whole(finished) -> None:
    faults, counts = verify_run(finished[1])
    assert faults == []
    assert counts["manifests"] == 1 + 3 + 6 + 6
    assert counts["solutions"] > 2 * 12 * 2 * 2
    assert counts["pool"] > 0


def test_damaged_files_and_manifests_are_named(run) -> None:
    one, two = run.round(1), run.round(2)
    flip(one.checkpoint / "model.safetensors")
    part = next(one.solutions.glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-20])
    one.decisions.unlink()
    (one.root / "stages" / "translate.json").write_text('{"stage": "transl')
    shutil.copy(one.root / "stages" / "promote.json", two.root / "stages" / "promote.json")
    (two.root / "stages" / "filter.json").unlink()
    lines = run.metrics.read_text().splitlines(keepends=True)
    run.metrics.write_text(lines[0][:9] + "\n" + "".join(lines[1:]) + lines[0][:9])
    flip(run.problems / "train.jsonl")
    faults = found(run)
    assert has(faults, "round-001/checkpoints/solver", "checksum")
    assert has(faults, "round-001/solutions/part-00000.parquet", "checksum")
    assert has(faults, "round-001/decisions.parquet", "is missing")
    assert has(faults, "round-001/stages/translate.json", "not valid JSON")
    assert has(faults, "round-002/stages/promote.json", "of round 2")
    assert has(faults, "round-002/stages/filter.json", "is missing, though translate of round 2 is done")
    assert has(faults, "metrics.jsonl:1:", "JSON")
    assert not has(faults, f"metrics.jsonl:{len(lines) + 1}")  # the last line may be torn
    assert has(faults, "problems/train.jsonl", "checksum")


def test_rows_that_lead_nowhere_are_missing_or_are_there_twice_are_named(run) -> None:
    one, two = run.round(1), run.round(2)
    part = one.solutions / "part-00000.parquet"
    rewrite(one, "generate", part, lambda rows: [rows[0] | {"checkpoint": "other"}, *rows[1:-1], rows[1]])
    rewrite(two, "train", two.pool, lambda rows: [*rows[:-1], rows[-1] | {"solution_id": "nobody"}])
    rewrite(one, "train", one.pool, lambda rows: [r for r in rows if r["source"] != "native"])
    table = two.evaluation / "solutions.parquet"
    rewrite(two, "evaluate", table, lambda rows: [rows[0] | {"problem_id": "nowhere"}, *rows[1:]])
    faults = found(run)
    assert has(faults, "round-001 generate", "1 duplicate solutions")
    assert has(faults, "round-001 generate", "1 problem × method × sample without a solution")
    assert has(faults, "round-001 generate", "1 problem × method × sample with more than one solution")
    assert has(faults, "round-001 generate", "1 decisions without a solution")
    assert has(faults, "round-001 generate", "1 solutions of another checkpoint, such as other")
    assert has(faults, "round-002 train", "pool rows without a kept solution")
    assert has(faults, "round-001 train", "kept solutions that are not in the pool")
    assert has(faults, "round-002 evaluate", "1 solutions of unknown problems")
    assert has(faults, "round-002 evaluate", "1 unexpected solutions")


def test_the_command_prints_faults_and_ends_with_one(run, capsys) -> None:
    flip(run.round(2).pool)
    assert app(["verify-run", str(run.root), "--json"], standalone_mode=False) == 1
    printed = json.loads(capsys.readouterr().out)
    assert [fault["path"] for fault in printed["faults"]] == ["round-002/pool.parquet"]
