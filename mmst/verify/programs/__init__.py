"""Running model-written programs: confined by the kernel, verified by limits, with an answer they cannot forge."""

from mmst.verify.programs.execution import Execution, Limits, SandboxUnavailable, Status
from mmst.verify.programs.reading import program_in
from mmst.verify.programs.sandbox import Counts, Protection, Sandbox
from mmst.verify.programs.straightline import values_by_line

__all__ = [
    "Counts",
    "Execution",
    "Limits",
    "Protection",
    "Sandbox",
    "SandboxUnavailable",
    "Status",
    "program_in",
    "values_by_line",
]
