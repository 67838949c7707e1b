"""The system's Chromium, driven by Playwright, and the dashboard as the command line starts it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = {1280: 900, 390: 844}
"""Widths and heights of windows: a laptop and a phone."""


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium without background requests."""
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=[*quiet, *root])
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def dashboard(*runs: Path) -> Iterator[str]:
    """The address of an `mmst dashboard` process for some runs."""
    line = [sys.executable, "-c", "from mmst.cli import main; main()", "dashboard", *map(str, runs), "--port", "0"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            assert "http://127.0.0.1:" in said, said + process.stderr.read()
            yield said.split()[2].rstrip("/")
        finally:
            process.terminate()
            process.wait(timeout=30)
