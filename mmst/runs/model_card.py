"""The model card of a checkpoint (`README.md`, in Hugging Face form): what is known about it, and how to use it.

It is written when a round is decided, after the checkpoint has been committed: checksums of directories leave it out,
and the manifest of `promote` has its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mmst.config import Config
from mmst.runs.directory import RoundDirectory, RunDirectory

MODEL_CARD = "README.md"

_FILES = (".jsonl", ".json", ".parquet", ".csv")


def model_card(config: Config, run: RunDirectory, round_: RoundDirectory, decision: Mapping[str, Any]) -> str:
    """The card of a round's checkpoint; `decision` holds the figures of its `promote`."""
    test = round_.figures("evaluate").get("test", {})
    parts = [
        f"---\n{yaml.safe_dump(_metadata(config, test), sort_keys=False, allow_unicode=True)}---",
        f"# {config.name}, round {round_.number}",
        f"{_base(config)} was trained by mmst, multi-method self-training (Upadhyay & Ginsberg 2023): it solves "
        f"problems by {_listed(config.methods)}, what can be trusted is kept and rewritten into the other methods, and "
        f"it is trained on all of that. This is the checkpoint of round {round_.number}; it was "
        f"{'promoted' if decision['promoted'] else 'not promoted'} ({decision['reason']}).",
        "## Figures",
        _accuracies(test),
        "## Data",
        _data(config, run, round_),
        "## Training",
        _training(config, round_),
        "## How to use it",
        _usage(round_, config.methods),
        "## Limits",
        "It was measured on the test problems above and on nothing else. Programs that it writes are to be run in a "
        "sandbox. Licences of the base model and of the data hold for it too; what is not stated above is not known.",
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(config: Config, test: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter. A licence is named where it is known: of problems that mmst made, and a model from nothing."""
    tree: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["mmst", "self-training", *config.methods],
    }
    if config.model.path is not None and _is_hub_id(config.model.path):
        tree["base_model"] = config.model.path
    if config.model.path is None and config.problems.train is None:
        tree["license"] = "apache-2.0"
    if (train := config.problems.train) is not None and _is_hub_id(train):
        tree["datasets"] = [train.partition(":")[0]]
    if results := _results(config, test):
        tree["model-index"] = [{"name": config.name, "results": results}]
    return tree


def _results(config: Config, test: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = config.problems.test or config.problems.train or "synthetic word problems of mmst"
    metrics = [
        {"type": "accuracy", "name": f"accuracy ({method})", "value": round(value, 4)}
        for method, value in (test.get("accuracy") or {}).items()
    ]
    place = {"name": f"{name}, {test.get('n', 0)} test problems", "type": Path(name).name.replace(" ", "-")}
    return [{"task": {"type": "text-generation"}, "dataset": place, "metrics": metrics}] if metrics else []


def _is_hub_id(source: str) -> bool:
    """`owner/name`, with a configuration after a colon for data; neither a file nor a directory."""
    name = source.partition(":")[0]
    if source.startswith((".", "/", "~")) or source.endswith(_FILES) or Path(source).exists():
        return False
    return name.count("/") == 1


def _base(config: Config) -> str:
    path = config.model.path
    if path is None:
        scratch = config.model.scratch
        return f"A Llama of {scratch.layers} layers and width {scratch.width}, made from nothing,"
    return f"[{path}](https://huggingface.co/{path})" if _is_hub_id(path) else f"`{path}`"


def _accuracies(test: Mapping[str, Any]) -> str:
    if not test.get("accuracy"):
        return "There are no test problems with reference answers."
    lines = [
        f"Accuracy on {test['n']} test problems, greedy, with 95 % intervals (Wilson).",
        "",
        "| method | accuracy, % | interval |",
        "|---|---|---|",
    ]
    for method, value in test["accuracy"].items():
        low, high = test["intervals"][method]
        lines.append(f"| {method} | {100 * value:.1f} | {100 * low:.1f} to {100 * high:.1f} |")
    return "\n".join(lines)


def _data(config: Config, run: RunDirectory, round_: RoundDirectory) -> str:
    problems = config.problems
    made = "synthetic word problems, made by mmst (Apache-2.0)"
    train = f"`{problems.train}` (its licence is not known to mmst)" if problems.train else made
    manifest = run.problems / "manifest.json"
    sets = json.loads(manifest.read_text())["parts"] if manifest.exists() else []
    counts = ", ".join(f"{part['rows']:,} {Path(part['path']).stem}" for part in sets)
    rows = round_.figures("train").get("rows", {})
    lines = [f"- Problems: {train}" + (f"; {counts}" if counts else "")]
    lines += [f"- Labels: {config.filter.label}"] if round_.number else []
    lines += [f"- Trained on {sum(rows.values()):,} rows: " + ", ".join(f"{n:,} {name}" for name, n in rows.items())]
    return "\n".join(lines)


def _training(config: Config, round_: RoundDirectory) -> str:
    figures = round_.figures("train")
    how = f"LoRA of rank {config.training.lora.rank}, merged" if config.training.lora else "all weights"
    said = [f"- {how}, {config.training.precision}, DeepSpeed ZeRO stage {config.training.zero_stage}"]
    if "steps" in figures:
        said.append(
            f"- {figures['steps']:,} steps of {config.training.batch} examples, last loss {figures.get('loss')}"
        )
    return "\n".join([*said, f"- seed {config.seed}; the whole configuration is the run's `config.yaml`"])


def _usage(round_: RoundDirectory, methods: list[str]) -> str:
    from mmst.methods.card import CARD

    path = round_.checkpoint / CARD
    card = json.loads(path.read_text()) if path.exists() else {}
    asked = card.get("instructions", {}).get(methods[0], "Solve it step by step.")
    plain = card.get("style", "tuned") == "tuned"
    prompt = f'"How many are 3 apples and 4 apples?\\n{asked}\\n"'
    if not plain:
        prompt = f'tokenizer.apply_chat_template([{{"role": "user", "content": {prompt}}}], tokenize=False)'
    return f"""`mmst.json` beside the weights says how it is asked. With transformers:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("CHECKPOINT")
model = AutoModelForCausalLM.from_pretrained("CHECKPOINT")
prompt = {prompt}
written = model.generate(**tokenizer(prompt, return_tensors="pt"), max_new_tokens=256)
print(tokenizer.decode(written[0], skip_special_tokens=True))
```

Served by vLLM, or solving and measured by mmst, every method and their vote:

    vllm serve CHECKPOINT
    mmst solve "How many are 3 apples and 4 apples?" --model CHECKPOINT
    mmst evaluate CHECKPOINT --problems problems.jsonl"""


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
