"""One verifier: the methods that read completions, with a sandbox."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mmst.config import SandboxConfig
from mmst.methods.method import Method
from mmst.records import Completion, Verdict
from mmst.verify.programs import Limits, Sandbox


class Verifier:
    """Verifies completions by their methods. Plain Python: the pool makes it an actor, commands use it directly."""

    def __init__(self, methods: Sequence[Method], config: SandboxConfig, workers: int = 1) -> None:
        """`workers` is the number of programs that run at a time, for callers with as many threads."""
        self._methods = {method.name: method for method in methods}
        limits = Limits(config.cpu_seconds, config.wall_seconds, config.memory_bytes, config.output_bytes)
        self._sandbox = Sandbox(limits, workers, config.allow_weak)

    def verify(self, batch: Sequence[tuple[str, Completion]]) -> list[Verdict]:
        """The verdicts of (method name, completion) pairs, in order."""
        return [self._methods[name].read(completion, self._sandbox) for name, completion in batch]

    def counts(self) -> dict[str, int]:
        """Programs by path through the sandbox, and cross-check differences, since the start."""
        return dataclasses.asdict(self._sandbox.counts)

    def protection(self) -> str:
        """How programs are confined, in one line."""
        return self._sandbox.protection.describe()

    def close(self) -> None:
        """End the sandbox and its processes."""
        self._sandbox.close()
