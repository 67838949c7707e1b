"""Every call to an endpoint and what came of it, on disk before it counts: nothing that was answered is asked twice."""

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


class Replies:
    """A file of JSON lines that only grows, one per call, each synced: a process that is killed loses no answer that
    arrived. All counts are read from it, so they go on where an earlier attempt ended.

    Raises InputError for a file with a line that is none.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._answers: dict[str, Completion] = {}
        self._stages: dict[str, Counter[str]] = {}
        self.paid = 0
        """Calls that may have cost something."""
        self.tokens = 0
        """Tokens read and written by the teacher."""
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):  # the writer was killed in the middle of it
            self._file.truncate(sum(map(len, lines[:-1])))
            lines.pop()
        for number, line in enumerate(lines, 1):
            try:
                self._count(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}, line {number}: is no call ({error!r})") from error

    def answer(self, request: str) -> Completion | None:
        """What was answered to the request with this key; none where nothing was yet."""
        return self._answers.get(request)

    def record(
        self, stage: str, request: str, attempt: int, outcome: str, answer: Completion | None = None, read: int = 0
    ) -> None:
        """Write one call down: its outcome (`ok`, or what went wrong) and its answer; `read` counts prompt tokens."""
        line: dict[str, Any] = {"stage": stage, "request": request, "attempt": attempt, "outcome": outcome}
        if answer is not None:
            line |= {"text": answer.text, "finish_reason": answer.finish_reason}
            line |= {"tokens": answer.tokens, "prompt_tokens": read}
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._count(line)

    def figures(self, stage: str) -> dict[str, Any]:
        """Of all attempts at a stage: calls, which of them were retries, tokens, and what went wrong how often."""
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
            self._answers[line["request"]] = Completion(line["text"], line["finish_reason"], line["tokens"])
            tokens = line["tokens"] + line["prompt_tokens"]
        else:
            counts[f"error {outcome}"] += 1
        counts.update(calls=1, retries=line["attempt"] > 0, tokens=tokens)
        self.paid += not (outcome == UNREACHABLE or outcome[:1] in "34")  # never arrived, or was refused
        self.tokens += tokens
