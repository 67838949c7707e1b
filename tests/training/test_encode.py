"""Rows become tokens once: loss on the completion and its end, long and odd rows left out and counted."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mmst.config import ScratchConfig
from mmst.errors import InputError
from mmst.training.batches import assemble
from mmst.training.encode import encode, load_tokenizer
from mmst.training.scratch import build_model, build_tokenizer, save_checkpoint

ROWS = [
    ("one two\n", "three", "a"),
    ("two\n", "one one one", "b"),
    ("one " * 30, "two", "a"),
    ("one\n", "two</s>", "a"),
]
CONFIG = ScratchConfig(width=32, layers=2, heads=2, context=64)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(pa.table(dict(zip(("prompt", "completion", "task"), zip(*ROWS, strict=True), strict=True))), path)
    return path


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer([text for row in ROWS[:3] for text in row[:2]], CONFIG)


def test_examples_are_prompt_completion_and_end_of_text(rows: Path, tokenizer) -> None:
    encoded = encode(rows, tokenizer, max_length=20)
    first = encoded.tokens[: encoded.starts[1]].tolist()
    assert tokenizer.decode(first) == "one two\nthree</s>"
    assert tokenizer.decode(first[encoded.prompts[0] :]) == "three</s>"
    assert encoded.tasks == ["a", "b"]


def test_a_role_learns_from_its_own_rows(rows: Path, tokenizer, tmp_path: Path) -> None:
    table = pq.read_table(rows).append_column("role", pa.array(["solver", "decomposer", "solver", "solver"]))
    pq.write_table(table, tmp_path / "rows.parquet")
    assert encode(tmp_path / "rows.parquet", tokenizer, max_length=20, role="decomposer").tasks == ["b"]
    assert encode(tmp_path / "rows.parquet", tokenizer, max_length=20).tasks == ["a", "b"]


def test_long_rows_and_literal_special_tokens_are_left_out_and_counted(rows: Path, tokenizer) -> None:
    assert encode(rows, tokenizer, max_length=20).left_out == {"long": 1, "special": 1}


def test_nothing_left_is_an_input_error_that_names_the_limit(rows: Path, tokenizer) -> None:
    with pytest.raises(InputError, match=r"training.max_length \(2 tokens\)"):
        encode(rows, tokenizer, max_length=2)


def test_only_the_completion_and_the_end_of_text_are_targets(rows: Path, tokenizer) -> None:
    encoded = encode(rows, tokenizer, max_length=20)
    batch = assemble([[0, 1], [1]], encoded.tokens, encoded.starts, encoded.prompts)
    assert tokenizer.decode(batch.targets) == "three</s>" + "one one one</s>" * 2
    assert batch.predicts.sum() == len(batch.targets)
    width = int(encoded.lengths[[0, 1]].sum())
    assert batch.tokens.shape == (2, width)
    assert batch.positions[0].tolist() == [*range(encoded.lengths[0]), *range(encoded.lengths[1])]
    assert not batch.predicts[1, encoded.lengths[1] - 1 :].any()


def test_no_rows_make_a_batch_without_targets() -> None:
    nothing = np.zeros(1, np.int64)
    batch = assemble([], nothing, nothing, nothing)
    assert batch.tokens.shape == (1, 1) and not batch.predicts.any() and len(batch.targets) == 0


def test_packed_examples_are_blind_to_each_other(rows: Path, tokenizer) -> None:
    encoded = encode(rows, tokenizer, max_length=20)
    model = build_model(tokenizer, CONFIG, 0)

    def logits(packed: list[list[int]]) -> torch.Tensor:
        batch = assemble(packed, encoded.tokens, encoded.starts, encoded.prompts)
        mask = batch.attention(torch.float32)
        with torch.no_grad():
            out = model(input_ids=batch.tokens, position_ids=batch.positions, attention_mask=mask).logits
        return out[batch.predicts]

    torch.testing.assert_close(logits([[0, 1], [1, 1, 0]]), torch.cat([logits([[e]]) for e in (0, 1, 1, 1, 0)]))


def test_a_directory_without_config_or_without_tokenizer_is_refused(tmp_path: Path, tokenizer) -> None:
    with pytest.raises(InputError, match=r"not a Hugging Face model directory, it has no config.json"):
        load_tokenizer(tmp_path)
    save_checkpoint(build_model(tokenizer, CONFIG, 0), tokenizer, tmp_path / "model")
    assert load_tokenizer(tmp_path / "model").eos_token == "</s>"
    for file in (tmp_path / "model").glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InputError, match="has no tokenizer"):
        load_tokenizer(tmp_path / "model")
