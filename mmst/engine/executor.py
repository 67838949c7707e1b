"""What runs inside vLLM's own processes: an executor that dies with its parent, and weight changes in place."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from typing import Any

from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding
from vllm.v1.executor.multiproc_executor import MultiprocExecutor
from vllm.v1.executor.uniproc_executor import UniProcExecutor

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone, however it went.

    vLLM's EngineCore doesn't notice that its parent was killed, and keeps its memory for ever.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)


class OneProcess(UniProcExecutor):
    """The model in the EngineCore process itself, which dies with the replica."""

    def _init_executor(self) -> None:
        die_with_parent()
        super()._init_executor()


class ManyProcesses(MultiprocExecutor):
    """One process per tensor-parallel rank; they watch EngineCore, and EngineCore dies with the replica."""

    def _init_executor(self) -> None:
        die_with_parent()
        super()._init_executor()


class Reloading:
    """Mixed into vLLM's worker (`worker_extension_cls`)."""

    def load_checkpoint(self: Any, path: str) -> None:
        """Take over the weights of a checkpoint of the same architecture.

        On CPU the output layer multiplies with a packed copy of its weights. Where it shares them with the input
        embedding, `reload_weights` leaves that copy as it was, so it is packed again.
        """
        self.reload_weights(weights_path=path)
        for layer in self.get_model().modules():
            if isinstance(layer, VocabParallelEmbedding) and hasattr(layer, "cpu_linear"):
                layer.quant_method.process_weights_after_loading(layer)
