"""The Ray Serve application of an engine: replicas of vLLM that serve a checkpoint once it passed the weight check."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator
from typing import Any

from mmst.config import EngineConfig
from mmst.engine.tokens import Codec, shape_of
from mmst.model_directory import trusts_code
from mmst.records import Completion, Request
from mmst.weight_check import WeightCheck, weight_check_of

CHUNK = 64
"""Most requests that travel to a replica together."""
DEPLOYMENT = "engine"
_GATHER = 0.005
_DRAIN = 120.0
_PATIENCE = 120.0
"""Seconds without an answer that no replica is blamed for."""


Answer = tuple[int, Completion | str]
"""The place of a request in its chunk, and its completion, or why the engine failed on it."""


def application(config: EngineConfig, checkpoint: str, generation: int) -> Any:
    """The Serve application. Only `user_config` differs between checkpoints, so replicas stay up.

    They do because the version is given: Serve takes every `serve.run` without one for new code and replaces all
    replicas. That argument is private since Ray 2.60; without it a change of checkpoint would be right, but slow.
    """
    from ray import serve

    if config.replicas is not None:
        size: dict[str, Any] = {"num_replicas": max(1, config.replicas)}
    else:
        size = {
            "autoscaling_config": {
                "min_replicas": config.min_replicas,
                "initial_replicas": config.fewest_replicas,
                "max_replicas": config.most_replicas,
                "target_ongoing_requests": max(1, config.max_num_seqs // CHUNK),
                "upscale_delay_s": 5,
                "downscale_delay_s": 60,
            }
        }
    deploy: Any = serve.deployment
    deployment = deploy(
        Replica,
        name=DEPLOYMENT,
        user_config={"checkpoint": checkpoint, "generation": generation},
        ray_actor_options={"num_cpus": config.cpus, "num_gpus": config.gpus},
        max_ongoing_requests=config.max_num_seqs,
        max_constructor_retry_count=2,
        rolling_update_percentage=1.0,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=15,
        health_check_period_s=5,
        health_check_timeout_s=config.start_timeout,
        logging_config={"log_level": "WARNING", "enable_access_log": False},
        **size,
    )
    return deployment.options(version="1", _internal=True).bind(config)


class Replica:
    """One vLLM engine. `reconfigure` builds it, so a replica that Serve restarts loads the current checkpoint."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._engine: Any = None
        self._generation = 0
        self._busy = self._answered = 0
        self._changed = asyncio.Condition()
        self._numbers = itertools.count()
        self._weight_check: WeightCheck | None = None
        self._shape: str | None = None
        self._report: dict[str, Any] = {}
        _listen_where_ray_listens()
        if not config.gpus:
            # Read when torch and vLLM are imported, here and in the engine's own process.
            os.environ["OMP_NUM_THREADS"] = str(max(1, int(config.cpus)))
            os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        os.environ["VLLM_LOGGING_LEVEL"] = "WARNING"
        os.environ["VLLM_NO_USAGE_STATS"] = "1"
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Load a `checkpoint`: in place if its architecture is the same, else into a new engine. `generation` is the
        number of this change.

        Requests wait until the weight check has passed. Raises RuntimeError if a new engine does not pass it.
        """
        checkpoint, generation = user_config["checkpoint"], user_config["generation"]
        if generation == self._generation:
            return
        began, self._generation = time.monotonic(), 0
        await self._drained()
        shape = shape_of(checkpoint)
        exchangeable = self._engine is not None and shape is not None and shape == self._shape
        fault = await self._exchange(checkpoint) if exchangeable else "not exchangeable in place"
        if why_new := fault:
            self._start(checkpoint)
            fault = await self._check(weight_check_of(checkpoint, self._dtype), None)
        if fault:
            self._stop()
            raise RuntimeError(f"{checkpoint}: a new engine does not compute what the checkpoint says: {fault}")
        self._codec, self._shape = Codec(checkpoint), shape
        self._report = self._reported(generation, why_new, time.monotonic() - began)
        async with self._changed:
            self._generation = generation
            self._changed.notify_all()

    async def report(self, generation: int) -> dict[str, Any]:
        """How this replica loaded the given generation, once it has: whether `in_place`, and if not, the `fault` that
        prevented it; the `largest` and `mean` difference of log-probabilities in the weight check; the `seconds` taken;
        the `processes` of the replica and its `node`."""
        await self._reached(generation)
        return self._report

    async def generate(self, generation: int, requests: list[Request]) -> AsyncIterator[list[Answer]]:
        """Answer a chunk of requests: yields lists of those that finished together.

        Waits until this replica serves `generation`. A dead or hanging engine ends the replica, so that callers see
        one kind of failure and Serve starts a new one.
        """
        await self._reached(generation)
        done: asyncio.Queue[Answer] = asyncio.Queue()
        self._busy += 1
        tasks = [asyncio.create_task(self._answer(n, request, done)) for n, request in enumerate(requests)]
        patience = _PATIENCE + self._config.token_timeout * max(request.max_tokens for request in requests)
        try:
            left = len(tasks)
            while left:
                answers = [await self._next(done, patience)]
                await asyncio.sleep(_GATHER)  # requests that one step of the engine finished travel together
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
        """Raises RuntimeError if the engine has died."""
        if self._engine is not None and self._engine.errored:
            raise RuntimeError(f"the engine has died: {self._engine.dead_error}")

    def __del__(self) -> None:
        self._stop()

    async def _next(self, done: asyncio.Queue[Answer], patience: float) -> Answer:
        """The next answer of a chunk. Ends the replica if its engine finishes no request at all for `patience` s."""
        while True:
            before = self._answered
            try:
                async with asyncio.timeout(patience):
                    return await done.get()
            except TimeoutError:
                if self._answered == before:
                    os._exit(1)

    async def _answer(self, number: int, request: Request, done: asyncio.Queue[Answer]) -> None:
        """Put the answer into the queue. Any exception becomes one: without an answer the chunk would wait for ever."""
        try:
            answer: Completion | str = await self._complete(request)
        except Exception as error:
            if self._engine.errored:
                os._exit(1)
            answer = f"{type(error).__name__}: {error.__cause__ or error}"
        self._answered += 1
        await done.put((number, answer))

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

    async def _exchange(self, checkpoint: str) -> str | None:
        """Exchange the weights in place. Returns why the engine does not compute as the checkpoint says, or None."""
        try:
            await self._engine.collective_rpc("load_checkpoint", args=(checkpoint,))
            if not await self._engine.reset_prefix_cache():
                return "the prefix cache of the old weights could not be dropped"
            return await self._check(weight_check_of(checkpoint, self._dtype), self._weight_check)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    async def _check(self, weight_check: WeightCheck, before: WeightCheck | None) -> str | None:
        found = await asyncio.gather(*(self._logprobs(prompt) for prompt in weight_check.prompts))
        self._weight_check, self._gap = weight_check, weight_check.difference(found)
        return weight_check.fault(found, before)

    async def _logprobs(self, prompt: list[int]) -> list[float]:
        from vllm import SamplingParams

        output = await self._run(prompt, SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False))
        rows = zip(prompt[1:], output.prompt_logprobs[1:], strict=True)
        return [row[token].logprob for token, row in rows]

    def _reported(self, generation: int, why_new: str | None, seconds: float) -> dict[str, Any]:
        import psutil
        import ray

        processes = [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]
        largest, mean = self._gap
        loaded = {"generation": generation, "in_place": not why_new, "fault": why_new, "seconds": seconds}
        node = ray.get_runtime_context().get_node_id()
        return loaded | {"largest": largest, "mean": mean, "processes": processes, "node": node}

    @property
    def _dtype(self) -> str:
        return str(self._engine.model_config.dtype).removeprefix("torch.")

    def _stop(self) -> None:
        engine, self._engine = getattr(self, "_engine", None), None
        if engine is not None:
            engine.shutdown(timeout=5)

    def _start(self, checkpoint: str) -> None:
        """Start a new engine. Blocks: the thread that starts its process must live as long as this replica."""
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        from mmst.engine.executor import ManyProcesses, OneProcess

        self._stop()
        config, on_gpu = self._config, self._config.gpus > 0
        memory: dict[str, Any] = (
            {"gpu_memory_utilization": config.gpu_memory_utilization}
            if on_gpu
            else {"kv_cache_memory_bytes": config.kv_cache_bytes}
        )
        args = AsyncEngineArgs(
            model=checkpoint,
            load_format="safetensors",
            trust_remote_code=trusts_code(),
            dtype=config.dtype if on_gpu or config.dtype != "auto" else "float32",
            max_model_len=config.max_model_len or -1,  # -1: what fits into the cache
            max_num_seqs=config.max_num_seqs,
            tensor_parallel_size=config.tensor_parallel,
            enforce_eager=config.enforce_eager or not on_gpu,
            distributed_executor_backend=ManyProcesses if config.tensor_parallel > 1 else OneProcess,
            worker_extension_cls="mmst.engine.executor.Reloading",
            # On CPU a seeded request whose prompt is cut into chunks kills the engine: torch's CPU generator cannot
            # be rewound over the token that is sampled too early and thrown away.
            enable_chunked_prefill=on_gpu,
            disable_log_stats=True,
            **memory,
        )
        self._engine = AsyncLLM.from_engine_args(args)


def _listen_where_ray_listens() -> None:
    """In a private Ray, have Serve's gRPC server of this replica listen on loopback: whoever reaches it can run code.

    Serve starts that server on all interfaces after the replica is constructed, and has no setting for it.
    """
    import ray
    from ray.serve._private import replica

    if ray.is_initialized() and ray.util.get_node_ip_address() == "127.0.0.1":
        listen = replica.add_port_to_grpc_server
        replica.add_port_to_grpc_server = lambda server, address: listen(server, address.replace("[::]", "127.0.0.1"))
