"""No row is lost or doubled and no run is stuck when its processes are killed at any moment; see `chaos.py`."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
@pytest.mark.e2e
@pytest.mark.timeout(4 * 3600)
def test_sixty_kills_lose_double_and_stick_nothing(tmp_path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("chaos.py")), str(tmp_path), "--kills", "60"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "kills 60, lost 0, doubled 0, stuck 0", result.stdout + result.stderr
    assert result.returncode == 0
