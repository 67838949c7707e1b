"""What is reached over a network: a Ray cluster, with its token, and the hub."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from mmst.doctor.finding import Finding

_CURRENT = Path("/tmp/ray/ray_current_cluster")
_RAY_WITHIN = 30.0
_HUB_WITHIN = 3.0


def ray(environment: Mapping[str, str] | None = None, current: Path = _CURRENT) -> Finding:
    """Whether the cluster that a run would join answers."""
    environment = os.environ if environment is None else environment
    named = environment.get("RAY_ADDRESS", "")
    if not named and not current.exists():
        return Finding("ok", "no cluster is named; a run starts a Ray of its own")
    address = named or current.read_text().strip()
    if address.startswith(("http://", "https://")):
        return _job_server(address, environment)
    asked = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "status", "--address", address]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=_RAY_WITHIN, env=dict(environment))
    except subprocess.TimeoutExpired:
        return _silent(named, address, f"no answer within {_RAY_WITHIN:.0f} s")
    if answer.returncode:
        said = (answer.stderr or answer.stdout).strip().splitlines()
        return _silent(named, address, said[-1] if said else f"exit code {answer.returncode}")
    return Finding("ok", f"{address} answers")


def _silent(named: str, address: str, why: str) -> Finding:
    if not named:
        return Finding("ok", f"{_CURRENT} names {address}, which is gone; a run starts a Ray of its own")
    return Finding("fail", f"{address} does not answer: {why}", "unset RAY_ADDRESS, or: ray start --head")


def _job_server(address: str, environment: Mapping[str, str]) -> Finding:
    token = _token(environment)
    request = urllib.request.Request(address.rstrip("/") + "/api/version")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_HUB_WITHIN):
            return Finding("ok", f"{address} answers")
    except urllib.error.HTTPError as error:
        wrong = "export RAY_AUTH_MODE=token, with the cluster's own token" if error.code in (401, 403) else "look at it"
        return Finding("fail", f"{address} answers {error.code} {error.reason}", wrong)
    except OSError as error:
        return Finding("fail", f"{address} does not answer: {error}", "unset RAY_ADDRESS, or start the cluster")


def token(environment: Mapping[str, str] | None = None) -> Finding:
    """Whether Ray's token authentication is on, and has a token."""
    environment = os.environ if environment is None else environment
    there = _token(environment) is not None
    if environment.get("RAY_AUTH_MODE") == "token":
        if there:
            return Finding("ok", "RAY_AUTH_MODE=token, and there is one")
        return Finding("fail", "RAY_AUTH_MODE=token, but there is none", "ray get-auth-token --generate")
    if there:
        return Finding(
            "warn", "there is a token that is not used", "export RAY_AUTH_MODE=token for clusters that want it"
        )
    return Finding("ok", "none; needed only where a cluster asks for one")


def _token(environment: Mapping[str, str]) -> str | None:
    """Where Ray looks for its token, in its order."""
    if given := environment.get("RAY_AUTH_TOKEN"):
        return given
    home = Path(environment.get("HOME", "~")).expanduser()
    path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or home / ".ray" / "auth_token").expanduser()
    return path.read_text().strip() if path.is_file() else None


def hub(environment: Mapping[str, str] | None = None) -> Finding:
    """Whether models and data can be had by name; nothing is sent but one question for the first page."""
    environment = os.environ if environment is None else environment
    address = environment.get("HF_ENDPOINT", "https://huggingface.co")
    if environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return Finding("ok", "switched off by HF_HUB_OFFLINE; models and data are local directories")
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=_HUB_WITHIN):
            return Finding("ok", f"{address} answers")
    except urllib.error.HTTPError:
        return Finding("ok", f"{address} answers")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        return Finding("warn", f"{address} is not reached ({why})", "use local directories, or set HF_HUB_OFFLINE=1")
