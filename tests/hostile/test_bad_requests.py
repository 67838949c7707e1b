"""Requests to the dashboard, files that it exports, and replies of endpoints: nothing breaks, grows or takes over."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.testclient import TestClient

from mmst.config import EndpointConfig
from mmst.dashboard.app import application
from mmst.engine.endpoint import Endpoint, retry_after
from mmst.engine.replies import Replies
from mmst.errors import InputError
from mmst.records import Completion, Request


@pytest.fixture(scope="module")
def client(finished: Path) -> TestClient:
    """A dashboard of one run, which answers with an error page where a real one would."""
    return TestClient(application([finished], ["testserver"]), raise_server_exceptions=False)


PAGES = ["", "problems", "solutions", "matrix", "round/1", "problem", "solution", "export/solutions.csv"]
QUERIES = [
    f"page={10**29}",
    "page=0",
    "page=-1",
    "page=9223372036854775807",
    "page=1e9",
    "page=²",
    f"round={10**29}",
    "round=-1",
    "round=²",
    "round=x",
    "kind=haiku",
    "kept=perhaps",
    "q=%00",
    "q=%ff%fe",
    "q=' OR 1=1 --",
    "q=<script>alert(1)</script>",
    "method=';DROP TABLE solution;--",
    "id=../../../../etc/passwd",
    "id=%00",
    "id=<img src=x onerror=alert(1)>",
    "set=annotated&round=999",
    "set=x",
    "id=" + "x" * 20_000,
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:30])
def test_a_bad_request_is_answered_with_a_page(client: TestClient, page: str, query: str) -> None:
    response = client.get(f"/run/{page}?{query}")
    assert response.status_code < 500, response.text[-500:]
    assert "<script>alert" not in response.text
    assert "<img src=x" not in response.text
    assert "Traceback" not in response.text


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/run/export/../../x.csv",
        "/run/export/x.exe",
        f"/run/round/{10**29}",
        "/run/round/-1",
        "/%00/",
        "/nobody/",
        "/run/" + "x" * 5000,
        "/export/comparison.exe",
    ],
    ids=lambda path: path[:30],
)
def test_a_path_that_leads_nowhere_is_no_failure(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code < 500
    assert "root:" not in response.text
    assert "import " not in response.text


@settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    page=st.sampled_from(PAGES),
    query=st.dictionaries(
        st.sampled_from(["page", "round", "kind", "method", "status", "kept", "reason", "problem", "q", "set", "id"]),
        st.text(max_size=12) | st.integers().map(str),
        max_size=3,
    ),
)
def test_any_request_is_answered_with_a_page(client: TestClient, page: str, query: dict[str, str]) -> None:
    encoded = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    assert client.get(f"/run/{page}", params=encoded).status_code < 500


def test_other_hosts_are_refused(client: TestClient) -> None:
    assert client.get("/run/", headers={"host": "evil.example.com"}).status_code == 400


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-x", "@SUM(1)", "\t=1", "\r=1", '=cmd|" /C calc"!A0'])
def test_a_csv_file_holds_no_formulas(finished: Path, tmp_path: Path, formula: str) -> None:
    """A spreadsheet runs cells that begin with =, +, - or @."""
    shutil.copytree(finished, tmp_path / "run")
    manifest = tmp_path / "run" / "problems" / "manifest.json"
    path = tmp_path / "run" / "problems" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["question"] = formula
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert manifest.exists()
    response = TestClient(application([tmp_path / "run"], ["testserver"])).get("/run/export/problems.csv?set=train")
    assert response.status_code == 200
    cells = [cell for row in csv.reader(io.StringIO(response.text, newline="")) for cell in row]
    assert any(formula.strip() in cell for cell in cells)
    for cell in cells:
        number = cell.lstrip("+-").replace(".", "", 1).isdecimal()
        assert number or cell[:1] not in tuple("=+-@\t\r"), cell


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()])
@pytest.mark.parametrize("name", ["round-001/solutions/part-00000.parquet", "problems/train.jsonl", "config.yaml"])
def test_a_damaged_run_gets_a_page(finished: Path, tmp_path: Path, name: str, change: Callable[[Path], Any]) -> None:
    shutil.copytree(finished, tmp_path / "run")
    change(tmp_path / "run" / name)
    client = TestClient(application([tmp_path / "run"], ["testserver"]), raise_server_exceptions=False)
    for page in PAGES:
        assert "Traceback" not in client.get(f"/run/{page}").text


REPLIES: list[Any] = [
    *({"usage": {"completion_tokens": n}} for n in (-(10**9), 10**30, 0, "x", None, [], True, 1.5, {})),
    *({"usage": {"completion_tokens": 5, "prompt_tokens": n}} for n in (-(10**9), 10**30, "x", None, [])),
    *({"finish": finish} for finish in (None, 3, [], {}, "\x1b[31m", "x" * 100_000)),
    *({"text": text} for text in (None, 3, [], {}, "", "\ud800", "\x1b[31m", "x" * 3_000_000)),
    {"usage": None},
    {"usage": []},
    {"usage": "x"},
]


async def _replied(endpoint: Endpoint, reply: Any) -> Completion:
    async def create(body: dict[str, Any]) -> Any:
        return reply

    endpoint._create = create  # type: ignore[method-assign]
    try:
        return await endpoint.complete(Request("x", 16, (), 0.0, 1))
    finally:
        await endpoint.close()


def _reply(**fields: Any) -> Any:
    usage = fields.get("usage", {"completion_tokens": 5, "prompt_tokens": 5})
    usage = SimpleNamespace(**usage) if isinstance(usage, dict) else usage
    text = fields.get("text", "fine")
    choice = SimpleNamespace(
        message=SimpleNamespace(content=text), text=text, finish_reason=fields.get("finish", "stop")
    )
    return SimpleNamespace(choices=[choice], usage=usage)


@pytest.mark.parametrize("fields", REPLIES, ids=lambda fields: str(fields)[:60])
def test_a_strange_reply_neither_voids_the_caps_nor_breaks_a_resume(tmp_path: Path, fields: dict[str, Any]) -> None:
    config = EndpointConfig(url="http://127.0.0.1:1/v1", model="m", retries=0, max_failed=1.0, max_tokens_total=10**6)
    replies = Replies(tmp_path / "calls.jsonl")
    completion = asyncio.run(_replied(Endpoint(config, False, replies, "generate"), _reply(**fields)))
    assert 0 <= completion.tokens < 10**8
    assert 0 <= replies.tokens < 10**8
    replies.close()
    again = Replies(tmp_path / "calls.jsonl")
    assert 0 <= again.tokens < 10**8
    again.close()


@pytest.mark.parametrize("reply", [None, 3, "x", [], SimpleNamespace(choices=[]), SimpleNamespace(choices=None)])
def test_what_is_no_reply_is_a_failure_of_the_request(tmp_path: Path, reply: Any) -> None:
    config = EndpointConfig(url="http://127.0.0.1:1/v1", model="m", retries=0, max_failed=1.0)
    endpoint = Endpoint(config, False, Replies(tmp_path / "calls.jsonl"), "generate")
    assert asyncio.run(_replied(endpoint, reply)).finish_reason == "error"


RECORDS: list[bytes] = [
    b"3\n",
    b"{}\n",
    b"\xff\n",
    b"[" * 10_000 + b"\n",
    b'{"stage": "s", "request": "r", "attempt": "x", "outcome": "ok"}\n',
    b'{"stage": [], "request": {}, "attempt": 0, "outcome": 3}\n',
    *(
        json.dumps(
            {"stage": "s", "request": "r", "attempt": 0, "outcome": "ok", "text": "x", "finish_reason": "stop"}
            | {"tokens": n, "prompt_tokens": 0}
        ).encode()
        + b"\n"
        for n in (-(10**9), 10**30, "x", None)
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record[:60]))
def test_a_bad_record_of_calls_is_named(tmp_path: Path, record: bytes) -> None:
    (tmp_path / "calls.jsonl").write_bytes(record)
    with pytest.raises(InputError, match="line 1"):
        Replies(tmp_path / "calls.jsonl")


@pytest.mark.parametrize("header", ["nan", "inf", "-1", "1e400", "x", "", "Mon, 99 Foo 2026", "9" * 5000, "0x10"])
def test_a_strange_retry_after_is_a_number(header: str) -> None:
    assert 0 <= retry_after(header) <= float("inf")


URLS = [
    "http://example.com/v1",
    "http://10.0.0.1/v1",
    "http://localhost.example.com/v1",
    "http://127.0.0.1.example.com",
]


@pytest.mark.parametrize("url", URLS)
def test_a_key_never_travels_in_clear(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        EndpointConfig(url=url, model="m", key_env="SOME_KEY")
    EndpointConfig(url=url, model="m")
    EndpointConfig(url=url, model="m", key_env="SOME_KEY", allow_http=True)
    EndpointConfig(url=url.replace("http:", "https:"), model="m", key_env="SOME_KEY")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:8000/v1"])
def test_a_key_may_travel_within_this_machine(url: str) -> None:
    EndpointConfig(url=url, model="m", key_env="SOME_KEY")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "//x",
        "x",
        "",
        "http://",
        "http://u:p@x",
        "http://x?key=1",
        "https://[",
        "http://x:99999",
        "http://\0",
    ],
)
def test_a_bad_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        EndpointConfig(url=url, model="m")


def test_openai_is_what_the_endpoint_expects() -> None:
    """The replies above stand for those of this package."""
    assert hasattr(openai.AsyncOpenAI(api_key="x"), "chat")
