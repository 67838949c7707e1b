"""A toy task that a tiny model learns within seconds, and the model it starts from."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_task import Toy

from mmst.config import ScratchConfig, TrainingConfig

SCRATCH = ScratchConfig(width=32, layers=2, heads=2, context=64)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    from mmst.training.scratch import build_model, build_tokenizer, save_checkpoint

    root = tmp_path_factory.mktemp("toy")
    sums = [(f"{a} + {b}" + " + 1" * (a % 4) + "\n", a + b + a % 4) for a in range(12) for b in range(8)]
    table = {
        "prompt": [prompt for prompt, _ in sums],
        "completion": [f"The answer is {value}." for _, value in sums],
        "task": ["cot" if value % 3 else "pot" for _, value in sums],
    }
    pq.write_table(pa.table(table), root / "rows.parquet")
    tokenizer = build_tokenizer(table["prompt"] + table["completion"], SCRATCH)
    save_checkpoint(build_model(tokenizer, SCRATCH, 0), tokenizer, root / "start")
    return Toy(root / "rows.parquet", root / "start")


@pytest.fixture(scope="session")
def settings() -> Callable[..., TrainingConfig]:
    """Training settings for the toy task."""

    def made(**changes: object) -> TrainingConfig:
        return TrainingConfig(**{"batch": 16, "max_length": 32, "micro_batch_tokens": 150, **changes})

    return made
