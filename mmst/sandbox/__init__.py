"""Running model-written programs: confined by the kernel, judged by limits, with an answer they cannot forge."""

from mmst.sandbox.execution import Execution, Limits, SandboxUnavailable, Status
from mmst.sandbox.rows import execute_rows
from mmst.sandbox.sandbox import Counts, Protection, Sandbox
from mmst.sandbox.straightline import values_by_line

__all__ = [
    "Counts",
    "Execution",
    "Limits",
    "Protection",
    "Sandbox",
    "SandboxUnavailable",
    "Status",
    "execute_rows",
    "values_by_line",
]
