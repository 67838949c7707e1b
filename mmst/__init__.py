"""mmst: Multi-Method Self-Training of language models on Ray, vLLM and DeepSpeed.

Importing it is fast: Ray, torch and vLLM are loaded by the functions that need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmst.api import evaluate, experiment, self_train, solve, verify_run
    from mmst.config import Config
    from mmst.config.file import load_config
    from mmst.errors import GaveUp, InputError
    from mmst.records import Problem, Solution
    from mmst.results import Attempt, Audit, Evaluation, ExperimentResult, RoundResult, RunResult, SolveResult
    from mmst.runs.audit import Fault

__version__ = "0.2.0"
__all__ = [
    "Attempt",
    "Audit",
    "Config",
    "Evaluation",
    "ExperimentResult",
    "Fault",
    "GaveUp",
    "InputError",
    "Problem",
    "RoundResult",
    "RunResult",
    "Solution",
    "SolveResult",
    "evaluate",
    "experiment",
    "load_config",
    "self_train",
    "solve",
    "verify_run",
]
_MODULES = {
    **dict.fromkeys(("evaluate", "experiment", "self_train", "solve", "verify_run"), "mmst.api"),
    "Config": "mmst.config",
    "load_config": "mmst.config.file",
    **dict.fromkeys(("GaveUp", "InputError"), "mmst.errors"),
    **dict.fromkeys(("Problem", "Solution"), "mmst.records"),
    "Fault": "mmst.runs.audit",
}
"""Where public names are defined; all others are in `mmst.results`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mmst' has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "mmst.results")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
