"""Text in, text out: exactly what was written, and a flag where text can't show it."""

import json
from pathlib import Path

import pytest
from tiny_llama import tiny_llama

from mmst.engine.tokens import Codec, shape_of


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("tokens") / "a", 1)


@pytest.fixture(scope="module")
def codec(checkpoint: Path) -> Codec:
    return Codec(str(checkpoint))


def test_the_end_of_text_is_not_part_of_the_text(codec: Codec) -> None:
    (end,) = codec.ends
    assert codec.decode([*codec.encode("w1 w2"), end], "stop") == ("w1 w2", "stop")
    assert codec.decode(codec.encode("w1 w2"), "length") == ("w1 w2", "length")
    assert codec.decode([], "length") == ("", "length")


def test_a_special_token_inside_is_flagged(codec: Codec) -> None:
    assert codec.decode(codec.encode("w1 <tool> w2"), "stop")[1] == "special"
    assert codec.decode(codec.encode("w1 nonsense w2"), "stop")[1] == "special"


def test_text_is_cut_before_the_first_stop_string(codec: Codec) -> None:
    tokens = codec.encode("w1 w2 w3 w4")
    assert codec.decode(tokens, "length", ("w4", " w3")) == ("w1 w2", "stop")
    assert codec.decode(tokens, "length", ("w9",)) == ("w1 w2 w3 w4", "length")


def test_all_ends_of_the_generation_configuration_end_a_text(tmp_path: Path) -> None:
    checkpoint = tiny_llama(tmp_path / "a", 1)
    path = checkpoint / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": [2, 3]}))
    assert Codec(str(checkpoint)).ends == {2, 3}


def test_checkpoints_can_be_exchanged_when_only_their_weights_differ(tmp_path: Path) -> None:
    shape = shape_of(str(tiny_llama(tmp_path / "a", 1)))
    assert shape is not None
    assert shape_of(str(tiny_llama(tmp_path / "b", 2))) == shape
    assert shape_of(str(tiny_llama(tmp_path / "c", 1, tied=True))) != shape
    assert shape_of(str(tiny_llama(tmp_path / "d", 1, words=300))) != shape
    assert shape_of("someone/somemodel") is None
