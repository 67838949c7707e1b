"""A record of every call to an endpoint, written before it is used: no request is answered twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from mmst.errors import InputError
from mmst.records import Completion

ANSWERED = "ok"
UNREACHABLE = "unreachable"
MOST_TOKENS = 10**7
"""No reply has more; a server that says so is not believed."""


class Replies:
    """An append-only file of JSON lines, one per call, each synced: a killed process loses no reply that arrived. All
    counts are computed from the file, so they include earlier attempts.

    Raises InputError for a line that is not a call.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._answers: dict[str, Completion] = {}
        self._stages: dict[str, Counter[str]] = {}
        self.paid = 0
        """Calls that may have cost something."""
        self.tokens = 0
        """Tokens that the teacher read and wrote."""
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):  # its writer was killed
            self._file.truncate(sum(map(len, lines[:-1])))
            lines.pop()
        for number, line in enumerate(lines, 1):
            try:
                self._count(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InputError(f"{path}, line {number}: not a call ({error!r})") from error

    def answer(self, request: str) -> Completion | None:
        """The recorded answer to the request with this key, if any."""
        return self._answers.get(request)

    def record(
        self, stage: str, request: str, attempt: int, outcome: str, answer: Completion | None = None, read: int = 0
    ) -> None:
        """Record one call: its outcome (`ok` or the fault) and its answer; `read` is the number of prompt tokens."""
        line: dict[str, Any] = {"stage": stage, "request": request, "attempt": attempt, "outcome": outcome}
        if answer is not None:
            line |= {"text": answer.text, "finish_reason": answer.finish_reason}
            line |= {"tokens": answer.tokens, "prompt_tokens": read}
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._count(line)

    def figures(self, stage: str) -> dict[str, Any]:
        """Figures of a stage over all attempts: calls, retries among them, tokens, and the count of each error."""
        counts = self._stages.get(stage, Counter())
        errors = {name.removeprefix("error "): n for name, n in counts.most_common() if name.startswith("error ")}
        return {**{name: counts[name] for name in ("calls", "retries", "tokens")}, "errors": errors}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _count(self, line: dict[str, Any]) -> None:
        counts = self._stages.setdefault(line["stage"], Counter())
        outcome, tokens = line["outcome"], 0
        if outcome == ANSWERED:
            counted = line["tokens"], line["prompt_tokens"]
            if not all(isinstance(count, int) and 0 <= count <= MOST_TOKENS for count in counted):
                raise ValueError(f"impossible token counts {counted!r:.100}")
            self._answers[line["request"]] = Completion(line["text"], line["finish_reason"], line["tokens"])
            tokens = sum(counted)
        else:
            counts[f"error {outcome}"] += 1
        counts.update(calls=1, retries=line["attempt"] > 0, tokens=tokens)
        self.paid += not (outcome == UNREACHABLE or outcome[:1] in "34")  # it never arrived, or was refused
        self.tokens += tokens
