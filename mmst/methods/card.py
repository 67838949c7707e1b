"""`mmst.json`, the file in a checkpoint that says how to prompt it, so that the settings need not be repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.methods.method import Method
from mmst.methods.prompts import AnyStyle, PromptFormat

CARD = "mmst.json"
HELD_OUT = "held_out.json"
"""The file beside it with each method's dev accuracy, for weighted votes."""


def card_of(prompt_format: PromptFormat, methods: Sequence[Method], **more: Any) -> dict[str, Any]:
    """The content of `mmst.json`."""
    instructions = {task: prompt.solve for m in methods for task, prompt in m.tasks.items()}
    instructions |= {f"{a.name}->{b.name}": b.task_prompt.translate for a in methods for b in methods if a is not b}
    trained_with = prompt_format.instructions
    return {
        "style": prompt_format.style,
        "methods": [m.name for m in methods],
        "views": {m.name: m.view for m in methods},
        "instructions": {task: trained_with.get(task, text) for task, text in instructions.items()},
        **more,
    }


def prompt_format_of(checkpoint: str | Path, style: AnyStyle = "auto") -> PromptFormat:
    """How to prompt a checkpoint: by its `mmst.json`, else in the given style, else by its chat template if it has one.

    Raises InputError for an `mmst.json` that cannot be read, and for style `chat` without a chat template.
    """
    card = read_card(checkpoint)
    if card and style in ("auto", card["style"]):
        template = chat_template(checkpoint) if card["style"] == "chat" else None
        return PromptFormat(card["style"], card["instructions"], template)
    if style in ("base", "tuned"):
        return PromptFormat(style)
    template = chat_template(checkpoint)
    if template is None and style == "chat":
        raise InputError(f"{checkpoint}: model.style is `chat`, but its tokenizer has no chat template")
    return PromptFormat("chat", template=template) if template else PromptFormat("base")


def read_card(checkpoint: str | Path) -> dict[str, Any] | None:
    """The `mmst.json` of a checkpoint directory, or None. Raises InputError for one that cannot be read."""
    path = Path(checkpoint) / CARD
    try:
        card = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(card, dict) or card.get("style") not in ("base", "chat", "tuned"):
        raise InputError(f"{path}: field `style` must be base, chat or tuned")
    card.setdefault("instructions", {})
    return card


def held_out_accuracy(checkpoint: str | Path) -> dict[str, float]:
    """Dev accuracy by method, measured by the run that trained the checkpoint; empty if unknown."""
    try:
        return dict(json.loads((Path(checkpoint) / HELD_OUT).read_text())["accuracy"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{Path(checkpoint) / HELD_OUT}: cannot be read ({error})") from error


def role_of(checkpoint: Path | str, role: str) -> Path | str:
    """The checkpoint of a role: the one that the `mmst.json` of the solver's checkpoint names, else the solver's."""
    place = (read_card(checkpoint) or {}).get("roles", {}).get(role)
    return (Path(checkpoint) / place).resolve() if place else checkpoint


def chat_template(checkpoint: str | Path) -> Callable[[list[dict[str, str]]], str] | None:
    """A function that renders messages with the chat template of a checkpoint; None if it has none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(checkpoint), trust_remote_code=False)
    if not tokenizer.chat_template:
        return None
    return lambda messages: str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
