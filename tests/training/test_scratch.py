"""A tiny model from scratch: a lossless tokenizer, weights by seed, a directory that plain transformers load."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from mmst.config import ScratchConfig
from mmst.training.scratch import build_model, build_tokenizer, save_checkpoint

TEXTS = [
    "Ann has 3 apples and 12 pears. How many fruits does she have?\nSolve it by a program.\n",
    "total_apples = 3 + 12\nif total_apples:\n    print(total_apples)",
    "3 + 12 = 15\nThe answer is 15.",
    "It costs $4.50 (or 1,000 coins), i.e. 7% more;  two spaces",
]
SMALL = ScratchConfig(width=32, layers=1, heads=2, context=64)


@pytest.fixture(scope="module", params=["whole", "digits"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return build_tokenizer(TEXTS, ScratchConfig(numbers=request.param))


@pytest.mark.parametrize("text", [*TEXTS, "pears_total = 12 + 3", "12 pears\n        print(3)", "tapsol  "])
def test_decoding_gives_back_the_exact_text(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


@given(st.text(st.sampled_from(sorted(set("".join(TEXTS)))), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_of_known_characters_comes_back(text: str) -> None:
    tokenizer = build_tokenizer(TEXTS, SMALL)
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_a_space_is_glued_to_what_follows_and_names_split_at_underscores() -> None:
    tokenizer = build_tokenizer(TEXTS, ScratchConfig())
    assert tokenizer.tokenize("Ann has 3 apples.") == ["Ann", "▁has", "▁3", "▁apples", "."]
    assert tokenizer.tokenize("total_apples = 3\n    print") == ["total", "_apples", "▁=", "▁3", "\n▁▁▁▁", "print"]


def test_results_that_were_never_seen_are_one_token_up_to_the_largest_seen() -> None:
    tokenizer = build_tokenizer(TEXTS, ScratchConfig())
    assert all(len(tokenizer.tokenize(f"= {n}")) == 2 for n in range(16))
    assert len(tokenizer.tokenize("= 2345")) > 2


def test_numbers_go_digit_by_digit_where_asked() -> None:
    tokenizer = build_tokenizer(TEXTS, ScratchConfig(numbers="digits"))
    assert tokenizer.tokenize("= 315") == ["=", "▁3", "1", "5"]


def test_unknown_characters_are_unknown_and_special_tokens_differ() -> None:
    tokenizer = build_tokenizer(TEXTS, SMALL)
    assert tokenizer.unk_token_id in tokenizer("é")["input_ids"]
    assert len({tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id}) == 3
    assert tokenizer.bos_token_id is None


def test_vocabulary_is_bounded_and_keeps_the_frequent_words() -> None:
    texts = ["common " * 50, *(f"rare{letter * 3}" for letter in "abcdefgh")]
    small = build_tokenizer(texts, SMALL.model_copy(update={"vocabulary": 32}))
    assert len(small) == 32
    assert small.tokenize(" common") == ["▁common"]


def test_a_prompt_and_its_completion_encode_as_their_concatenation() -> None:
    tokenizer = build_tokenizer(TEXTS, ScratchConfig())
    prompt, completion = TEXTS[0], TEXTS[1]
    both = tokenizer(prompt)["input_ids"] + tokenizer(completion)["input_ids"]
    assert both == tokenizer(prompt + completion)["input_ids"]


def test_the_same_seed_makes_the_same_weights() -> None:
    tokenizer = build_tokenizer(TEXTS, SMALL)
    weights = [build_model(tokenizer, SMALL, seed).lm_head.weight for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("tied", [False, True])
def test_checkpoint_loads_in_plain_transformers(tmp_path: Path, tied: bool) -> None:
    config = SMALL.model_copy(update={"tie_embeddings": tied})
    tokenizer = build_tokenizer(TEXTS, config)
    model = build_model(tokenizer, config, 0)
    save_checkpoint(model, tokenizer, tmp_path / "model")
    again, words = (
        AutoModelForCausalLM.from_pretrained(tmp_path / "model"),
        AutoTokenizer.from_pretrained(tmp_path / "model"),
    )
    ids = words("Ann has 12 pears.", return_tensors="pt")["input_ids"]
    assert ids.tolist() == tokenizer("Ann has 12 pears.", return_tensors="pt")["input_ids"].tolist()
    assert torch.equal(again(ids).logits, model(ids).logits)
    assert again.generation_config.eos_token_id == words.eos_token_id != words.pad_token_id
    assert again.config.tie_word_embeddings is tied
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
