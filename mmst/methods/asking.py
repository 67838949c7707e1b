"""How a checkpoint is asked: examples in the prompt, its chat template, or question then instruction.

The answer to "how?" is written into the checkpoint (`mmst.json`), so that evaluating, solving and the next
round need not be told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mmst.errors import InputError
from mmst.methods.base import Example, Method, Wording

Style = Literal["base", "chat", "tuned"]
AnyStyle = Literal["auto", "base", "chat", "tuned"]
CARD = "mmst.json"
HELD_OUT = "held_out.json"
"""Beside it, after the checkpoint was evaluated: each method's accuracy on dev problems, for weighted votes."""
_NEXT_QUESTION = "\n\nQuestion:"


@dataclass(frozen=True)
class Asking:
    """Builds every prompt.

    `wordings` are the instructions that the checkpoint was trained with, by task (`pot`, `pot->cot`); a task that
    is missing takes the method's own. `template` renders chat messages to a prompt.
    """

    style: Style = "tuned"
    wordings: Mapping[str, str] = field(default_factory=dict)
    template: Callable[[list[dict[str, str]]], str] | None = None

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end a solution besides the end of text."""
        return (_NEXT_QUESTION,) if self.style == "base" else ()

    def to_solve(self, method: Method, question: str) -> str:
        """The prompt that asks for a solution of a question."""
        return self.to_do(method.name, method.wording, question)

    def to_do(self, task: str, wording: Wording, shown: str) -> str:
        """The prompt that shows something and asks for what a task makes of it."""
        instruction = self.wordings.get(task, wording.solve)
        if self.style == "tuned":
            return f"{shown}\n{instruction}\n"
        if self.style == "chat":
            return self._chat(f"{shown}\n\n{instruction} {wording.explain}")
        shots = [f"Question: {s.question}\n{instruction}\n{s.solution}" for s in wording.shots]
        return "\n\n".join([wording.explain, *shots, f"Question: {shown}\n{instruction}\n"])

    def hinted(self, question: str, answer: str) -> str:
        """The question with its answer, to ask how it comes about (STaR's rationalisation)."""
        how = "" if self.style == "tuned" else " Work out how it comes about; do not merely state it."
        return f"{question}\n(The answer is {answer}.{how})"

    def to_translate(self, source: Method, text: str, target: Method, question: str | None) -> str:
        """The prompt that asks to rewrite a solution; `question` none shows the solution alone."""
        instruction = self.wordings.get(f"{source.name}->{target.name}", target.wording.translate)
        shown = source.with_values(text)
        above = f"{question}\n" if question else ""
        if self.style == "tuned":
            return f"{above}{shown}\n{instruction}\n"
        if self.style == "chat":
            return self._chat(f"{above}\nA correct solution:\n{shown}\n\n{instruction} {target.wording.explain}")
        pairs = zip(source.wording.shots, target.wording.shots, strict=False)
        shots = [
            f"Question: {a.question}\n{source.with_values(a.solution)}\n{instruction}\n{b.solution}" for a, b in pairs
        ]
        return "\n\n".join([target.wording.explain, *shots, f"Question: {above}{shown}\n{instruction}\n"])

    def pair(self, source: Method, text: str, target: Method, translated: str, question: str | None) -> Example:
        """A translation as a row to train on."""
        prompt = self.to_translate(source, text, target, question)
        return Example(prompt, target.solution(translated), f"{source.name}->{target.name}")

    def _chat(self, content: str) -> str:
        if self.template is None:
            raise InputError("style `chat` needs a tokenizer with a chat template; use `base` or `tuned`")
        return self.template([{"role": "user", "content": content}])

    def card(self, methods: Sequence[Method], **more: Any) -> dict[str, Any]:
        """What `mmst.json` holds."""
        tasks = {t: self.wordings.get(t, wording.solve) for m in methods for t, wording in m.tasks.items()}
        for a in methods:
            for b in methods:
                if a is not b:
                    tasks[f"{a.name}->{b.name}"] = self.wordings.get(f"{a.name}->{b.name}", b.wording.translate)
        return {
            "style": self.style,
            "methods": [m.name for m in methods],
            "views": {m.name: m.view for m in methods},
            "wordings": tasks,
            **more,
        }


def asking_for(checkpoint: str | Path, style: AnyStyle = "auto") -> Asking:
    """How to ask a checkpoint: as its `mmst.json` says, or as asked for, or by what its tokenizer offers.

    Raises InputError for an `mmst.json` that cannot be read.
    """
    card = read_card(checkpoint)
    if card and style in ("auto", card["style"]):
        template = chat_template(checkpoint) if card["style"] == "chat" else None
        return Asking(card["style"], card["wordings"], template)
    if style in ("base", "tuned"):
        return Asking(style)
    template = chat_template(checkpoint)
    if template is None and style == "chat":
        raise InputError(f"{checkpoint}: model.style is `chat`, but its tokenizer has no chat template")
    return Asking("chat", template=template) if template else Asking("base")


def read_card(checkpoint: str | Path) -> dict[str, Any] | None:
    """The `mmst.json` of a checkpoint directory, none where there is none."""
    path = Path(checkpoint) / CARD
    try:
        card = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(card, dict) or card.get("style") not in ("base", "chat", "tuned"):
        raise InputError(f"{path}: field `style` must be base, chat or tuned")
    card.setdefault("wordings", {})
    return card


def held_out_accuracy(checkpoint: str | Path) -> dict[str, float]:
    """Each method's accuracy on dev problems, as the run that made the checkpoint measured it; empty where unknown."""
    try:
        return dict(json.loads((Path(checkpoint) / HELD_OUT).read_text())["accuracy"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{Path(checkpoint) / HELD_OUT}: cannot be read ({error})") from error


def role_of(checkpoint: Path | str, role: str) -> Path | str:
    """The checkpoint of a role that belongs to a solver's: what its `mmst.json` names, else the solver's own."""
    place = (read_card(checkpoint) or {}).get("roles", {}).get(role)
    return (Path(checkpoint) / place).resolve() if place else checkpoint


def chat_template(checkpoint: str | Path) -> Callable[[list[dict[str, str]]], str] | None:
    """Renders messages by the checkpoint's own chat template; none where it has none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(checkpoint))
    if not tokenizer.chat_template:
        return None
    return lambda messages: str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
