"""The model in training, wrapped by DeepSpeed: load, step, save, export. Imports torch and DeepSpeed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import deepspeed
import torch
import torch.distributed as dist
import transformers
from deepspeed.accelerator import get_accelerator
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from mmst.files import sync_tree, write_text
from mmst.model_directory import trusts_code
from mmst.training.batches import Batch, assemble
from mmst.training.export import gathered_weights, merged, with_adapters, write_checkpoint
from mmst.training.memory import micro_batch_tokens
from mmst.training.sizes import shape_of
from mmst.training.task import Task
from mmst.weight_check import WeightCheck, check_prompts, logprobs_of


class TrainModel:
    """One rank's share of the model in training."""

    def __init__(self, task: Task) -> None:
        self.task, settings = task, task.training
        self.dtype = getattr(torch, settings.precision)
        self.device = torch.device(get_accelerator().current_device_name())
        _without_compiling(task.gpu)
        deepspeed.init_distributed(dist_backend="nccl" if task.gpu else "gloo", verbose=False)
        self.micro_batch_tokens = self._micro_batch_tokens()
        config = deepspeed_config(task, dist.get_world_size())
        # Under ZeRO 3 transformers loads each tensor straight into its shards while this object exists.
        self._sharded = transformers.integrations.HfDeepSpeedConfig(config) if settings.zero_stage == 3 else None
        model = self._load()
        if settings.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        if settings.lora:
            model = with_adapters(model, settings.lora)
        model.train()
        self._predicts: torch.Tensor | None = None
        model.get_output_embeddings().register_forward_pre_hook(self._only_what_is_predicted)
        optimizer = torch.optim.AdamW(_parameter_groups(model, settings.weight_decay), betas=settings.betas, fused=True)
        self.engine, self.optimizer, _, _ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
        self.packs = self._packs_without_leaking()

    def _load(self) -> Any:
        torch.manual_seed(self.task.seed % 2**63)
        return AutoModelForCausalLM.from_pretrained(
            self.task.start,
            dtype=self.dtype,
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=trusts_code(),
        )

    def _only_what_is_predicted(self, head: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        """Pass only hidden states with a target to the output embedding, [R, W, H] → [N, H]: the logits, the largest
        tensor of a step, then have no rows for prompts and padding."""
        hidden = inputs[0]
        return (hidden if self._predicts is None else hidden[self._predicts],)

    def logits(self, batch: Batch) -> torch.Tensor:
        """[N, vocabulary] for the N tokens of the batch that have a target."""
        self._predicts = batch.predicts
        return self.engine(
            input_ids=batch.tokens,
            position_ids=batch.positions,
            attention_mask=batch.attention(self.dtype),
            use_cache=False,
        ).logits

    def step(self, batches: list[Batch], targets: int, learning_rate: float) -> torch.Tensor:
        """One update; returns this rank's share of the mean loss per target over all ranks, on the device.

        `targets` counts those of all ranks and micro-batches, so that every token has the same weight.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        total = torch.zeros((), device=self.device)
        for batch in (batch.to(self.device) for batch in batches):
            loss = cross_entropy(self.logits(batch).float(), batch.targets, reduction="sum") / targets
            # DeepSpeed averages over ranks, the loss is a sum over them.
            self.engine.backward(loss * dist.get_world_size())
            total += loss.detach()
        self.engine.step()
        return total

    def _packs_without_leaking(self) -> bool:
        """Whether this architecture honours the attention mask: the second example of a row must not depend on the
        first. Others (with state-space layers, for example) get one example per row."""
        head = [index % 7 for index in range(12)]
        tokens = torch.tensor([*head, *range(1, 7), *range(6, 0, -1), *range(1, 7)]).numpy()
        starts, prompts = torch.tensor([0, 6, 12, 18, 24, 30]).numpy(), torch.ones(5, dtype=torch.long).numpy()
        with torch.no_grad():
            first, second = (
                self.logits(assemble([[before, 4]], tokens, starts, prompts).to(self.device)).float()[-5:]
                for before in (0, 3)
            )
        return bool(torch.allclose(first, second, atol=1e-2, rtol=1e-2))

    def _micro_batch_tokens(self) -> int:
        """Most tokens of a micro-batch, on every rank the same."""
        task = self.task
        if task.training.micro_batch_tokens != "auto":
            return task.training.micro_batch_tokens
        device = get_accelerator().total_memory() if task.gpu else None
        fits = micro_batch_tokens(shape_of(task.start), task.training, dist.get_world_size(), task.gpu, device)
        least = torch.tensor(fits, device=self.device)
        dist.all_reduce(least, op=dist.ReduceOp.MIN)
        return int(least)

    @property
    def _saved(self) -> Path:
        return Path(self.task.storage) / "steps"

    def save(self, step: int) -> None:
        """Write DeepSpeed's own checkpoint of everything that a step changes, and remove the one before."""
        tag = f"step-{step}"
        self.engine.save_checkpoint(str(self._saved), tag=tag, client_state={"step": step}, save_latest=False)
        dist.barrier()
        if dist.get_rank() == 0:
            sync_tree(self._saved / tag)
            write_text(self._saved / "latest", tag)  # DeepSpeed's would be torn by a kill
            for older in self._saved.glob("step-*"):
                if older.name != tag:
                    shutil.rmtree(older)

    def resume(self) -> int:
        """Load the last saved step, if any; returns how many steps are done."""
        if not (self._saved / "latest").exists():
            return 0
        _, state = self.engine.load_checkpoint(str(self._saved))
        return int(state["step"])

    def export(self, directory: Path) -> None:
        """Write a plain Hugging Face directory from rank 0; every rank must call this."""
        lora = self.task.training.lora
        weight_check = self._weight_check()
        weights = gathered_weights(self.engine.module, trainable_only=lora is not None)
        if weights is not None:
            tokenizer = AutoTokenizer.from_pretrained(self.task.start, trust_remote_code=trusts_code())
            if lora is None:
                write_checkpoint(directory, self.engine.module, tokenizer, weights, weight_check)
            else:
                write_checkpoint(directory, merged(self._load(), lora, weights), tokenizer, None, weight_check)
        dist.barrier()

    def _weight_check(self) -> WeightCheck:
        """Log-probabilities of the trained model, for the engines that load it; every rank must call this."""
        self._predicts = None
        self.engine.eval()
        prompts = check_prompts(self.engine.module.config)
        logprobs = logprobs_of(self.engine, prompts, self.device)
        self.engine.train()
        return WeightCheck("", self.task.training.precision, prompts, logprobs)


def _parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices, none for norms and biases (vectors). Under ZeRO 3 the shape is in `ds_shape`."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if len(getattr(p, "ds_shape", p.shape)) > 1]
    vectors = [p for p in trained if len(getattr(p, "ds_shape", p.shape)) <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def deepspeed_config(task: Task, world: int) -> dict[str, Any]:
    """DeepSpeed's configuration. `TrainModel.step` decides when a step is complete, so gradient accumulation is not
    managed by DeepSpeed."""
    settings = task.training
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "train_batch_size": world,
        "managed_gradient_accumulation": False,
        "gradient_clipping": settings.clip,
        "zero_optimization": {"stage": settings.zero_stage, "overlap_comm": False},
        "bf16": {"enabled": settings.precision == "bfloat16"},
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 2**31,
    }


def _without_compiling(gpu: bool) -> None:
    """Stop DeepSpeed from compiling a shared-memory all-reduce on CPU, which takes up to two minutes: gloo has one."""
    if not gpu:
        import deepspeed.ops

        deepspeed.ops.__compatible_ops__ = {}
