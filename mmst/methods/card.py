"""`mmst.json`, the file in a checkpoint that says how to prompt it, so that the settings need not be repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmst.errors import InputError
from mmst.foreign import Name, read_json
from mmst.methods.method import Method
from mmst.methods.prompts import AnyStyle, PromptFormat
from mmst.model_directory import trusts_code

CARD = "mmst.json"
HELD_OUT = "held_out.json"
"""The file beside it with each method's dev accuracy, for weighted votes."""


class Card(BaseModel):
    """What `mmst.json` may say: how to prompt the checkpoint. Everything else is ignored, since a checkpoint from
    somebody else must not choose engines, limits or addresses."""

    model_config = ConfigDict(strict=True)
    style: Literal["base", "chat", "tuned"]
    methods: list[Name] = []
    views: dict[Name, Name | None] = {}
    instructions: dict[Name, Annotated[str, Field(max_length=20_000)]] = {}
    settings: dict[Name, Any] = {}
    """Of these only `socratic` is read."""
    roles: dict[Name, Annotated[str, Field(pattern=r"^\.\./[A-Za-z0-9_-]+$")]] = {}
    """Checkpoints of other roles, beside this one."""


class HeldOut(BaseModel):
    """The content of `held_out.json`."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    accuracy: dict[Name, Annotated[float, Field(ge=0, le=1)]]


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
    try:
        card: Card = read_json(Path(checkpoint) / CARD, Card)
    except FileNotFoundError:
        return None
    return card.model_dump()


def held_out_accuracy(checkpoint: str | Path) -> dict[str, float]:
    """Dev accuracy by method, measured by the run that trained the checkpoint; empty if unknown."""
    path = Path(checkpoint) / HELD_OUT
    try:
        return dict(read_json(path, HeldOut).accuracy)
    except FileNotFoundError:
        return {}


def role_of(checkpoint: Path | str, role: str) -> Path | str:
    """The checkpoint of a role: the one that the `mmst.json` of the solver's checkpoint names, else the solver's."""
    place = (read_card(checkpoint) or {}).get("roles", {}).get(role)
    return (Path(checkpoint) / place).resolve() if place else checkpoint


def chat_template(checkpoint: str | Path) -> Callable[[list[dict[str, str]]], str] | None:
    """A function that renders messages with the chat template of a checkpoint; None if it has none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(checkpoint), trust_remote_code=trusts_code())
    if not tokenizer.chat_template:
        return None
    return lambda messages: str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
