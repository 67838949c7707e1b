"""Every trained checkpoint has a model card that the hub's own library reads, and its checksum stays what it was."""

from pathlib import Path

import pytest
from small_run import small_run

from mmst.files import checksum

huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub comes with transformers")


def card_of(tmp_path: Path, **settings: object):
    run = small_run(tmp_path / "small", **settings)
    return huggingface_hub.ModelCard.load(run.round(1).checkpoint / "README.md"), run


def test_the_card_has_figures_with_intervals_data_training_and_how_to_use_it(tmp_path) -> None:
    card, _ = card_of(tmp_path)
    figures = {r.metric_name: r.metric_value for r in card.data.eval_results}
    assert figures == dict.fromkeys(["accuracy (cot)", "accuracy (pot)", "accuracy (vote)", "accuracy (any)"], 1.0)
    assert card.data.tags == ["mmst", "self-training", "cot", "pot"]
    for part in (
        "| pot | 100.0 | 34.2 to 100.0 |",
        "on 2 test problems",
        "dev mean 1.000 against 0.500 of round 0",
        "`given.jsonl` (its licence is not known to mmst)",
        "2 cot view, 1 cot native",
        "3 steps of 64 examples",
        "AutoModelForCausalLM",
        "vllm serve",
        "mmst solve",
        "mmst evaluate",
    ):
        assert part in card.text, part


def test_what_is_on_the_hub_is_named_so_that_the_hub_links_it(tmp_path) -> None:
    card, _ = card_of(tmp_path, model={"path": "Qwen/Qwen2.5-1.5B"}, problems={"train": "openai/gsm8k:main"})
    assert card.data.base_model == "Qwen/Qwen2.5-1.5B"
    assert card.data.datasets == ["openai/gsm8k"]
    assert card.data.license is None


def test_a_licence_is_stated_where_all_of_it_was_made_here(tmp_path) -> None:
    card, _ = card_of(tmp_path, problems={"synthetic": {}})
    assert card.data.license == "apache-2.0"
    assert card.data.base_model is None


def test_the_card_does_not_change_the_checksum_that_its_checkpoint_was_committed_with(tmp_path) -> None:
    _, run = card_of(tmp_path)
    (checkpoint,) = run.round(1).manifest("train")["parts"]
    (card,) = run.round(1).manifest("promote")["parts"]
    assert checksum(run.round(1).root / checkpoint["path"]) == checkpoint["checksum"]
    assert card["path"].endswith("solver/README.md")
    assert checksum(run.round(1).root / card["path"]) == card["checksum"]
    (run.round(1).checkpoint / "config.json").write_text('{"changed": true}')
    assert checksum(run.round(1).root / checkpoint["path"]) != checkpoint["checksum"]
