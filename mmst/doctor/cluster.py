"""Checks of what is reached over a network: a Ray cluster, its token, and the Hugging Face hub."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmst.doctor.finding import Finding

_CURRENT = Path("/tmp/ray/ray_current_cluster")
_RAY_TIMEOUT = 30.0
_HTTP_TIMEOUT = 3.0
_PRIVATE = "a run starts its own Ray"


def ray(environment: Mapping[str, str] = os.environ, current: Path = _CURRENT) -> Finding:
    """Whether the cluster that a run would join answers."""
    named = environment.get("RAY_ADDRESS", "")
    if not named and not current.exists():
        return Finding("ok", f"no cluster configured; {_PRIVATE}")
    address = named or current.read_text().strip()
    if address.startswith(("http://", "https://")):
        return _job_server(address, environment)
    command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "status", "--address", address]
    try:
        status = subprocess.run(command, capture_output=True, text=True, timeout=_RAY_TIMEOUT, env=dict(environment))
    except subprocess.TimeoutExpired:
        why = f"no answer within {_RAY_TIMEOUT:.0f} s"
    else:
        if not status.returncode:
            return Finding("ok", f"{address} answers")
        lines = (status.stderr or status.stdout).strip().splitlines()
        why = lines[-1] if lines else f"exit code {status.returncode}"
    if not named:
        return Finding("ok", f"{_CURRENT} names {address}, which is gone; {_PRIVATE}")
    return Finding("fail", f"{address} does not answer: {why}", "unset RAY_ADDRESS, or start the cluster")


def _job_server(address: str, environment: Mapping[str, str]) -> Finding:
    token = _token(environment)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    status = _http_status(address.rstrip("/") + "/api/version", headers=headers)
    if status == 200:
        return Finding("ok", f"{address} answers")
    if status in (401, 403):
        do = "set RAY_AUTH_MODE=token and give the token of this cluster"
        return Finding("fail", f"{address} refuses the token (HTTP {status})", do)
    return Finding("fail", f"{address} does not answer: {status}", "unset RAY_ADDRESS, or start the cluster")


def _http_status(address: str, **request: Any) -> int | str:
    """The HTTP status of the answer, or why there is no answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, **request), timeout=_HTTP_TIMEOUT) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def token(environment: Mapping[str, str] = os.environ) -> Finding:
    """Whether Ray's token authentication is on, and whether there is a token."""
    found = _token(environment) is not None
    if environment.get("RAY_AUTH_MODE") != "token":
        if not found:
            return Finding("ok", "none; only clusters with authentication need one")
        return Finding("warn", "found, but not used", "set RAY_AUTH_MODE=token for clusters with authentication")
    if not found:
        return Finding("fail", "RAY_AUTH_MODE=token, but there is no token", "ray get-auth-token --generate")
    return Finding("ok", "RAY_AUTH_MODE=token, and there is a token")


def _token(environment: Mapping[str, str]) -> str | None:
    """The token, looked up like Ray does: variable, file named by a variable, file at home."""
    if given := environment.get("RAY_AUTH_TOKEN"):
        return given
    home = Path(environment.get("HOME", "~")).expanduser()
    path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or home / ".ray" / "auth_token").expanduser()
    return path.read_text().strip() if path.is_file() else None


def hub(environment: Mapping[str, str] = os.environ) -> Finding:
    """Whether models and data can be downloaded by name. Sends one HEAD request."""
    address = environment.get("HF_ENDPOINT", "https://huggingface.co")
    if environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return Finding("ok", "turned off by HF_HUB_OFFLINE; models and data must be local directories")
    status = _http_status(address, method="HEAD")
    if isinstance(status, int):
        return Finding("ok", f"{address} answers")
    return Finding("warn", f"{address} is not reachable ({status})", "use local directories, or set HF_HUB_OFFLINE=1")
