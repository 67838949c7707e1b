"""The model card of a checkpoint: `README.md` in the form of the Hugging Face hub.

It is written when a round is promoted or not, after the checkpoint was committed: the checksum of the checkpoint leaves
it out, and the manifest of `promote` lists it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mmst.config import Config
from mmst.methods.card import CARD
from mmst.runs.directory import RoundDirectory, RunDirectory

MODEL_CARD = "README.md"
_FILES = (".jsonl", ".json", ".parquet", ".csv")
_TEXT = """---
{metadata}---

# {name}, round {number}

{base} was trained by mmst, multi-method self-training (Upadhyay & Ginsberg 2023): it solves problems by {methods}, \
trusted solutions are kept and rewritten into the other methods, and it is trained on all of them. This is the \
checkpoint of round {number}; it was {promoted}promoted ({reason}).

## Figures

{accuracies}

## Data

{data}

## Training

{training}

## How to use it

`mmst.json` beside the weights says how to prompt it. With transformers:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("CHECKPOINT")
model = AutoModelForCausalLM.from_pretrained("CHECKPOINT")
prompt = {prompt}
written = model.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=256)
print(tokenizer.decode(written[0], skip_special_tokens=True))
```

Served by vLLM, or solving and evaluated by mmst with every method and their vote:

    vllm serve CHECKPOINT
    mmst solve "How many are 3 apples and 4 apples?" --model CHECKPOINT
    mmst evaluate CHECKPOINT --problems problems.jsonl

## Limits

It was evaluated on the test problems above and on nothing else. Run its programs in a sandbox only. The licences of \
the base model and of the data apply to it.
"""


def model_card(config: Config, run: RunDirectory, round_: RoundDirectory, decision: Mapping[str, Any]) -> str:
    """The card of a round's checkpoint; `decision` holds the figures of its `promote`."""
    test = round_.figures("evaluate").get("test", {})
    return _TEXT.format(
        metadata=yaml.safe_dump(_metadata(config, test), sort_keys=False, allow_unicode=True),
        name=config.name,
        number=round_.number,
        base=_base(config),
        methods=" and ".join(filter(None, [", ".join(config.methods[:-1]), config.methods[-1]])),
        promoted="" if decision["promoted"] else "not ",
        reason=decision["reason"],
        accuracies=_accuracies(test),
        data=_data(config, run, round_),
        training=_training(config, round_),
        prompt=_prompt(round_, config.methods[0]),
    )


def _metadata(config: Config, test: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter. A licence is stated only for a model from scratch that learned from problems made by mmst."""
    train, base = config.problems.train, config.model.path
    tree: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["mmst", "self-training", *config.methods],
    }
    if base is not None and _is_hub_id(base):
        tree["base_model"] = base
    if base is None and train is None:
        tree["license"] = "apache-2.0"
    if train is not None and _is_hub_id(train):
        tree["datasets"] = [train.partition(":")[0]]
    if accuracy := test.get("accuracy"):
        name = config.problems.test or train or "synthetic word problems of mmst"
        place = {"name": f"{name}, {test['n']} test problems", "type": Path(name).name.replace(" ", "-")}
        metrics = [{"type": "accuracy", "name": f"accuracy ({m})", "value": round(v, 4)} for m, v in accuracy.items()]
        result = {"task": {"type": "text-generation"}, "dataset": place, "metrics": metrics}
        tree["model-index"] = [{"name": config.name, "results": [result]}]
    return tree


def _is_hub_id(source: str) -> bool:
    """Whether this is `owner/name`, possibly with a configuration after a colon, and no file or directory."""
    name = source.partition(":")[0]
    if source.startswith((".", "/", "~")) or source.endswith(_FILES) or Path(source).exists():
        return False
    return name.count("/") == 1


def _base(config: Config) -> str:
    path = config.model.path
    if path is None:
        scratch = config.model.scratch
        return f"A Llama of {scratch.layers} layers and width {scratch.width}, made from scratch,"
    return f"[{path}](https://huggingface.co/{path})" if _is_hub_id(path) else f"`{path}`"


def _accuracies(test: Mapping[str, Any]) -> str:
    if not test.get("accuracy"):
        return "There are no test problems with reference answers."
    lines = [f"Accuracy on {test['n']} test problems, greedy decoding, with 95 % Wilson intervals.\n"]
    lines += ["| method | accuracy, % | interval |", "|---|---|---|"]
    for method, value in test["accuracy"].items():
        low, high = test["intervals"][method]
        lines.append(f"| {method} | {100 * value:.1f} | {100 * low:.1f} to {100 * high:.1f} |")
    return "\n".join(lines)


def _data(config: Config, run: RunDirectory, round_: RoundDirectory) -> str:
    train = config.problems.train
    source = f"`{train}` (its licence is not known to mmst)" if train else "synthetic, made by mmst (Apache-2.0)"
    manifest = run.problems / "manifest.json"
    sets = json.loads(manifest.read_text())["parts"] if manifest.exists() else []
    counts = "".join(f", {part['rows']:,} {Path(part['path']).stem}" for part in sets)
    rows = round_.figures("train").get("rows", {})
    lines = [f"- Problems: {source}{counts}"]
    lines += [f"- Labels: {config.filter.label}"] if round_.number else []
    lines += [f"- Trained on {sum(rows.values()):,} rows: " + ", ".join(f"{n:,} {name}" for name, n in rows.items())]
    return "\n".join(lines)


def _training(config: Config, round_: RoundDirectory) -> str:
    figures, training = round_.figures("train"), config.training
    how = f"LoRA of rank {training.lora.rank}, merged" if training.lora else "all weights"
    lines = [f"- {how}, {training.precision}, DeepSpeed ZeRO stage {training.zero_stage}"]
    if "steps" in figures:
        lines += [f"- {figures['steps']:,} steps of {training.batch} examples, last loss {figures.get('loss')}"]
    return "\n".join([*lines, f"- seed {config.seed}; the whole configuration is in `config.yaml` of the run"])


def _prompt(round_: RoundDirectory, method: str) -> str:
    """A Python expression for a prompt of the checkpoint."""
    path = round_.checkpoint / CARD
    card = json.loads(path.read_text()) if path.exists() else {}
    instruction = card.get("instructions", {}).get(method, "Solve it step by step.")
    prompt = f'"How many are 3 apples and 4 apples?\\n{instruction}\\n"'
    if card.get("style", "tuned") == "tuned":
        return prompt
    return f'tokenizer.apply_chat_template([{{"role": "user", "content": {prompt}}}], tokenize=False)'
