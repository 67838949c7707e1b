"""Extensions of vLLM's own processes: executors that die with their parent, and changes of weights in place."""

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
    """Have the kernel kill this process when its parent ends.

    vLLM's EngineCore does not notice that its parent was killed, and keeps its memory for ever.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # the parent died before the call above
        os.kill(os.getpid(), signal.SIGKILL)


class OneProcess(UniProcExecutor):
    """The model in the EngineCore process, which dies with the replica."""

    def _init_executor(self) -> None:
        die_with_parent()
        super()._init_executor()


class ManyProcesses(MultiprocExecutor):
    """One process per tensor-parallel rank. They watch EngineCore, which dies with the replica."""

    def _init_executor(self) -> None:
        die_with_parent()
        super()._init_executor()


class Reloading:
    """Mixin of vLLM's worker (`worker_extension_cls`)."""

    def load_checkpoint(self: Any, path: str) -> None:
        """Load the weights of a checkpoint of the same architecture.

        On CPU the output layer multiplies with a packed copy of its weights. If it shares them with the input
        embedding, `reload_weights` does not update that copy, so it is packed again.
        """
        self.reload_weights(weights_path=path)
        for layer in self.get_model().modules():
            if isinstance(layer, VocabParallelEmbedding) and hasattr(layer, "cpu_linear"):
                layer.quant_method.process_weights_after_loading(layer)
