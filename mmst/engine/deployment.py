"""One replica: vLLM's asynchronous engine, which serves a checkpoint only after proof that it holds it."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator
from typing import Any, TypedDict

from mmst.config import EngineConfig
from mmst.engine.tokens import Codec, shape_of
from mmst.engine.weight_check import WeightCheck, proof_of
from mmst.records import Completion, Request

_GATHER = 0.005
_DRAIN = 120.0


class Assignment(TypedDict):
    """`user_config`: which checkpoint to serve, and the number of the change that brought it."""

    checkpoint: str
    generation: int


class Report(TypedDict):
    """How a replica came to what it serves. `largest` and `mean` are differences of log-probabilities."""

    generation: int
    in_place: bool
    fault: str | None
    largest: float
    mean: float
    seconds: float
    processes: list[int]
    node: str


Answer = tuple[int, Completion | str]
"""Place of the request in its chunk, and what came of it; a text says why it can't be answered."""


class Replica:
    """Built by `reconfigure`, so that a replica that Serve restarts comes up with the checkpoint of today."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._engine: Any = None
        self._generation = 0
        self._busy = 0
        self._changed = asyncio.Condition()
        self._numbers = itertools.count()
        self._weight_check: WeightCheck | None = None
        self._shape: str | None = None
        self._report: Report | None = None
        if not config.gpus:
            # Read when torch and vLLM are imported, here and in the engine's own process.
            os.environ["OMP_NUM_THREADS"] = str(max(1, int(config.cpus)))
            os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        os.environ["VLLM_LOGGING_LEVEL"] = "WARNING"
        os.environ["VLLM_NO_USAGE_STATS"] = "1"
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"

    async def reconfigure(self, assignment: Assignment) -> None:
        """Take over a checkpoint: in place where that can be, and is proved; by a fresh engine otherwise.

        Until then, and if neither can be proved, no request is answered. Raises RuntimeError in that case.
        """
        checkpoint, generation = assignment["checkpoint"], assignment["generation"]
        if generation == self._generation:
            return
        began, self._generation = time.monotonic(), 0
        await self._drained()
        shape = shape_of(checkpoint)
        in_place = self._engine is not None and shape is not None and shape == self._shape
        fault = await self._change(checkpoint) if in_place else "not exchangeable in place"
        if why_fresh := fault:
            in_place = False
            self._start(checkpoint)
            fault = await self._prove(proof_of(checkpoint, self._dtype), None)
        if fault:
            self.__del__()
            raise RuntimeError(f"{checkpoint}: a fresh engine does not compute what the checkpoint says: {fault}")
        self._codec, self._shape = Codec(checkpoint), shape
        largest, mean = self._gap
        self._report = Report(
            generation=generation,
            in_place=in_place,
            fault=why_fresh,
            largest=largest,
            mean=mean,
            seconds=time.monotonic() - began,
            processes=[os.getpid(), *self._children()],
            node=_node(),
        )
        async with self._changed:
            self._generation = generation
            self._changed.notify_all()

    async def report(self, generation: int) -> Report:
        """How this replica came to serve the given change, once it does."""
        await self._reached(generation)
        assert self._report is not None
        return self._report

    async def generate(self, generation: int, requests: list[Request]) -> AsyncIterator[list[Answer]]:
        """Answer a chunk of requests, each as soon as it is finished: lists of what finished together.

        Waits until this replica serves `generation`. An engine that died takes the replica with it, so that all
        callers see one kind of failure and Serve starts a new one.
        """
        await self._reached(generation)
        done: asyncio.Queue[Answer] = asyncio.Queue()
        self._busy += 1
        tasks = [asyncio.create_task(self._answer(n, request, done)) for n, request in enumerate(requests)]
        try:
            left = len(tasks)
            while left:
                answers = [await done.get()]
                await asyncio.sleep(_GATHER)  # what one step of the engine finished comes together
                while not done.empty():
                    answers.append(done.get_nowait())
                left -= len(answers)
                yield answers
        finally:
            for task in tasks:
                task.cancel()
            self._busy -= 1
            async with self._changed:
                self._changed.notify_all()

    async def check_health(self) -> None:
        """Raises RuntimeError when the engine has died."""
        if self._engine is not None and self._engine.errored:
            raise RuntimeError(f"the engine has died: {self._engine.dead_error}")

    def __del__(self) -> None:
        engine, self._engine = getattr(self, "_engine", None), None
        if engine is not None:
            engine.shutdown(timeout=5)

    async def _answer(self, number: int, request: Request, done: asyncio.Queue[Answer]) -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            await done.put((number, await self._complete(request)))
        except EngineDeadError:
            os._exit(1)
        except ValueError as error:
            await done.put((number, str(error)))

    async def _complete(self, request: Request) -> Completion:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        tokens = self._codec.encode(request.prompt)
        room = self._engine.model_config.max_model_len - len(tokens)
        if room < 1:
            return Completion("", "length", 0)
        sampling = SamplingParams(
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed if request.temperature else None,
            max_tokens=min(request.max_tokens, room),
            stop=list(request.stop),
            stop_token_ids=sorted(self._codec.ends),
            detokenize=bool(request.stop),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        written = (await self._run(tokens, sampling)).outputs[0]
        text, finish = self._codec.decode(written.token_ids, written.finish_reason, request.stop)
        return Completion(text, finish, len(written.token_ids))

    async def _run(self, tokens: list[int], sampling: Any) -> Any:
        """The last output of one request to the engine."""
        from vllm import TokensPrompt

        prompt = TokensPrompt(prompt_token_ids=tokens)
        return [output async for output in self._engine.generate(prompt, sampling, str(next(self._numbers)))][-1]

    async def _reached(self, generation: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._generation == generation)

    async def _drained(self) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: not self._busy), _DRAIN)

    async def _change(self, checkpoint: str) -> str | None:
        """Exchange the weights in place; returns why the engine does not hold the checkpoint now, if it doesn't."""
        try:
            await self._engine.collective_rpc("load_checkpoint", args=(checkpoint,))
            if not await self._engine.reset_prefix_cache():
                return "the prefix cache of the old weights could not be dropped"
            return await self._prove(proof_of(checkpoint, self._dtype), self._weight_check)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    async def _prove(self, weight_check: WeightCheck, before: WeightCheck | None) -> str | None:
        found = await asyncio.gather(*(self._logprobs(prompt) for prompt in weight_check.prompts))
        self._weight_check, self._gap = weight_check, weight_check.difference(found)
        return weight_check.fault(found, before)

    async def _logprobs(self, prompt: list[int]) -> list[float]:
        from vllm import SamplingParams

        output = await self._run(prompt, SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False))
        rows = zip(prompt[1:], output.prompt_logprobs[1:], strict=True)
        return [row[token].logprob for token, row in rows]

    @property
    def _dtype(self) -> str:
        return str(self._engine.model_config.dtype).removeprefix("torch.")

    def _start(self, checkpoint: str) -> None:
        """A fresh engine. Blocks: the thread that starts the engine's process must live as long as this replica."""
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        from mmst.engine.executor import ManyProcesses, OneProcess

        self.__del__()
        config, on_gpu = self._config, self._config.gpus > 0
        memory: dict[str, Any] = (
            {"gpu_memory_utilization": config.gpu_memory_utilization}
            if on_gpu
            else {"kv_cache_memory_bytes": config.kv_cache_bytes}
        )
        args = AsyncEngineArgs(
            model=checkpoint,
            dtype=config.dtype if on_gpu or config.dtype != "auto" else "float32",
            max_model_len=config.max_model_len or -1,  # what fits into the cache
            max_num_seqs=config.max_num_seqs,
            tensor_parallel_size=config.tensor_parallel,
            enforce_eager=config.enforce_eager or not on_gpu,
            distributed_executor_backend=ManyProcesses if config.tensor_parallel > 1 else OneProcess,
            worker_extension_cls="mmst.engine.executor.Reloading",
            # On CPU a prompt of a seeded request that is cut into chunks kills the engine: torch's CPU generator
            # can't be wound back over the token that is sampled too early and thrown away.
            enable_chunked_prefill=on_gpu,
            disable_log_stats=True,
            **memory,
        )
        self._engine = AsyncLLM.from_engine_args(args)

    def _children(self) -> list[int]:
        import psutil

        return [child.pid for child in psutil.Process().children(recursive=True)]


def _node() -> str:
    import ray

    return ray.get_runtime_context().get_node_id()
