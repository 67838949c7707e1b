"""What the tests of running programs share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

REAL = Path(__file__).parents[4] / "shared" / "data" / "real_programs.gsm8k.even.jsonl"


@pytest.fixture(scope="session")
def real_rows() -> list[dict[str, Any]]:
    """Programs that two models wrote for word problems, with the output recorded for each."""
    if not REAL.exists():
        pytest.skip(f"needs {REAL.name} in ../shared/data, which is not here")
    return [json.loads(line) for line in REAL.read_text("utf-8").splitlines()]


@pytest.fixture(scope="session")
def real_programs(real_rows: list[dict[str, Any]]) -> list[str]:
    """The programs alone, without those that need SymPy."""
    return [row["program"] for row in real_rows if "sympy" not in row["program"]]
