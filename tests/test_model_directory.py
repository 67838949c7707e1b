"""What counts as a Hugging Face model directory, and what the refusal says."""

from pathlib import Path

import pytest

from mmst.errors import InputError
from mmst.model_directory import check_model_directory


def test_a_directory_without_config_or_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"model.path: here: not a Hugging Face model directory, it has no config.json"
    ):
        check_model_directory(tmp_path, "model.path: here")
    (tmp_path / "config.json").write_text("{}")
    check_model_directory(tmp_path, tokenizer=False)
    with pytest.raises(InputError, match=r"has no tokenizer; save it beside the model"):
        check_model_directory(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    check_model_directory(tmp_path)
