"""Verification of model-written solutions: read answers, compare them, solve equations, run programs in a sandbox.

Usable on its own, without Ray, torch or vLLM:

>>> from mmst.verify import compare, extract, run_program, verify
>>> extract("3 boxes hold 36 pencils. The answer is 31 pencils.").key
'31'
>>> compare("1/2", "0.5").equal
True
>>> run_program("print(sum(range(10)))").answer
'45'
>>> verify("bought = 3 * 12\\nprint(bought - 5)", "31", method="pot").correct
True

Everything is imported on first use, so `import mmst.verify` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmst.verify.answers import Answer, Comparison
    from mmst.verify.api import Verification, compare, extract, run_program, verify, verify_many
    from mmst.verify.programs import Execution, Limits, SandboxUnavailable

__all__ = [
    "Answer",
    "Comparison",
    "Execution",
    "Limits",
    "SandboxUnavailable",
    "Verification",
    "compare",
    "extract",
    "run_program",
    "verify",
    "verify_many",
]
_TYPES = {"Answer": "answers", "Comparison": "answers"} | dict.fromkeys(
    ("Execution", "Limits", "SandboxUnavailable"), "programs"
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_TYPES.get(name, 'api')}"), name)
