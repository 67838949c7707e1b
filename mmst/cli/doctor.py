"""What this machine has, and what would not work."""

from __future__ import annotations

import typer


def doctor() -> None:
    """What this machine has, and what would not work.

    Example: mmst doctor
    """
    from mmst.sandbox import Sandbox

    with Sandbox(allow_weak=True) as sandbox:
        typer.echo(f"sandbox: {sandbox.protection.describe()}")
