"""A teacher over HTTP, against a server on this machine that answers as the worst ones do."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmst.config import EndpointConfig
from mmst.engine.endpoint import Endpoint, as_messages, retry_after
from mmst.engine.replies import Replies
from mmst.errors import InputError
from mmst.records import Completion, Request

KEY = "sk-very-secret-0123456789"
Reply = tuple[int, dict[str, str], bytes]


def said(text: str, finish: str = "stop", read: int = 10, written: int = 5) -> Reply:
    usage = {"prompt_tokens": read, "completion_tokens": written}
    choice = {"message": {"role": "assistant", "content": text}, "text": text, "finish_reason": finish}
    return 200, {}, json.dumps({"choices": [choice], "usage": usage}).encode()


def fault(status: int, said: str = "no", **headers: str) -> Reply:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, said.encode()


class Server:
    """`answer(number of the call, body)` decides what the next call is told; `bodies` are the calls so far."""

    def __init__(self) -> None:
        self.bodies: list[dict] = []
        self.headers: list[Message] = []
        self.paths: list[str] = []
        self.answer: Callable[[int, dict], Reply] = lambda number, body: said("fine")
        self.release = threading.Event()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with owner.lock:
                    owner.bodies.append(body)
                    owner.headers.append(self.headers)
                    owner.paths.append(self.path)
                    number = len(owner.bodies)
                    owner.at_once += 1
                    owner.most_at_once = max(owner.most_at_once, owner.at_once)
                try:
                    status, headers, content = owner.answer(number, body)
                finally:
                    with owner.lock:
                        owner.at_once -= 1
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *parts: object) -> None:
                """Nothing on the terminal."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def hang(self) -> Reply:
        self.release.wait(60)
        return said("too late")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.release.set()
    server.http.shutdown()
    server.http.server_close()


def request(seed: int, question: str = "What is 1 + 1?") -> Request:
    return Request(as_messages([{"role": "user", "content": question}]), seed, 64, 0.8, 1.0)


class Teacher:
    """Everything that one attempt at a stage has: asks `seeds` at the same time, and closes."""

    def __init__(self, directory, server: Server, *, chat: bool = True, **settings) -> None:
        self.file, self.chat = directory / "calls.jsonl", chat
        self.config = EndpointConfig.model_validate(
            {"url": server.url, "model": "m", "backoff": 0.001, "max_failed": 1.0, **settings}
        )
        self.waits: list[float] = []
        self.figures: dict = {}

    def ask(self, *seeds: int, make: Callable[[int], Request] = request) -> list[Completion | BaseException]:
        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        async def all_of_them() -> list[Completion | BaseException]:
            replies = Replies(self.file)
            model = Endpoint(self.config, self.chat, replies, "round-001/generate", sleep)
            try:
                return await asyncio.gather(*(model.complete(make(s)) for s in seeds), return_exceptions=True)
            finally:
                await model.close()
                self.figures = replies.figures("round-001/generate")
                replies.close()

        return asyncio.run(all_of_them())


def test_an_answer_is_a_completion_with_its_tokens(tmp_path, server) -> None:
    server.answer = lambda number, body: said("1 + 1 = 2. The answer is 2.", written=12)
    teacher = Teacher(tmp_path, server)
    assert teacher.ask(7) == [Completion("1 + 1 = 2. The answer is 2.", "stop", 12)]
    (body,) = server.bodies
    assert server.paths == ["/v1/chat/completions"]
    assert body["messages"] == [{"role": "user", "content": "What is 1 + 1?"}]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 64, 0.8)
    assert teacher.figures == {"calls": 1, "retries": 0, "tokens": 22, "errors": {}}


def test_a_pretrained_model_is_given_the_prompt_itself(tmp_path, server) -> None:
    teacher = Teacher(tmp_path, server, chat=False)
    teacher.ask(1, make=lambda seed: Request("Question: ?", seed, 8, stop=("\n\nQuestion:",)))
    assert server.paths == ["/v1/completions"]
    assert server.bodies[0]["prompt"] == "Question: ?"
    assert server.bodies[0]["stop"] == ["\n\nQuestion:"]


def test_fields_of_the_request_can_be_renamed_for_servers_that_want_others(tmp_path, server) -> None:
    Teacher(tmp_path, server, body={"max_tokens": None, "max_completion_tokens": 9}).ask(1)
    assert "max_tokens" not in server.bodies[0]
    assert server.bodies[0]["max_completion_tokens"] == 9


def test_a_cut_off_answer_is_told_from_a_finished_one(tmp_path, server) -> None:
    server.answer = lambda number, body: said("1 + ", finish="length")
    assert Teacher(tmp_path, server).ask(1)[0].finish_reason == "length"


@pytest.mark.parametrize("trouble", [fault(500), fault(503), fault(429), (200, {}, b"<html>"), (200, {}, b"[" * 99999)])
def test_trouble_is_met_with_patience_and_counted(tmp_path, server, trouble: Reply) -> None:
    server.answer = lambda number, body: trouble if number < 3 else said("fine")
    teacher = Teacher(tmp_path, server)
    assert teacher.ask(1)[0].text == "fine"
    name = str(trouble[0]) if trouble[0] != 200 else "unreadable"
    assert teacher.figures == {"calls": 3, "retries": 2, "tokens": 15, "errors": {name: 2}}


@pytest.mark.parametrize("count", [-(10**9), 10**30, "many", None])
def test_token_counts_that_cannot_be_are_estimated_instead(tmp_path, server, count: object) -> None:
    server.answer = lambda number, body: said("1 + 1 = 2", read=count, written=count)
    teacher = Teacher(tmp_path, server)
    assert teacher.ask(1)[0].tokens == 3
    assert teacher.figures["tokens"] == 3


def test_without_a_key_no_account_is_sent(tmp_path, server, monkeypatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "private")
    Teacher(tmp_path, server).ask(1)
    assert "private" not in str(server.headers[0])


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": {"content": 7}}]}, [], None, "text"])
def test_json_that_is_no_answer_is_unreadable(tmp_path, server, answer: object) -> None:
    server.answer = lambda number, body: (200, {}, json.dumps(answer).encode())
    teacher = Teacher(tmp_path, server, retries=0)
    assert teacher.ask(1)[0].finish_reason == "error"
    assert teacher.figures["errors"] == {"unreadable": 1}


def test_the_wait_that_the_server_asks_for_is_kept_by_all(tmp_path, server) -> None:
    server.answer = lambda number, body: fault(429, Retry_After="7") if number == 1 else said("fine")
    teacher = Teacher(tmp_path, server, concurrency=1)
    # Time does not pass in this test: whoever comes next is told to wait, too, until the loop is ended by a limit.
    waited: list[float] = []

    async def run() -> None:
        replies = Replies(teacher.file)

        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            model._not_before = 0.0

        model = Endpoint(teacher.config, True, replies, "s", sleep)
        await asyncio.gather(*(model.complete(request(s)) for s in range(3)))
        await model.close()

    asyncio.run(run())
    assert max(waited) == pytest.approx(7, abs=0.1)
    assert len(server.bodies) == 4


def test_a_wait_that_is_too_long_ends_the_request(tmp_path, server) -> None:
    server.answer = lambda number, body: fault(429, Retry_After="86400")
    teacher = Teacher(tmp_path, server)
    assert teacher.ask(1) == [Completion("", "error", 0)]
    assert len(server.bodies) == 1


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    assert retry_after("2.5") == 2.5
    assert retry_after(None) == retry_after("soon") == retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
    assert retry_after("Fri, 01 Jan 2100 00:00:00 GMT") > 10**8


def test_back_off_grows_and_is_bounded(tmp_path, server) -> None:
    server.answer = lambda number, body: fault(500)
    teacher = Teacher(tmp_path, server, retries=8, backoff=4.0)
    teacher.ask(1)
    assert len(teacher.waits) == 8
    assert all(0 <= wait <= min(60, 8 * 2**attempt) for attempt, wait in enumerate(teacher.waits))
    assert len(set(teacher.waits)) == 8


def test_a_server_that_hangs_is_given_up(tmp_path, server) -> None:
    server.answer = lambda number, body: server.hang()
    teacher = Teacher(tmp_path, server, timeout=0.2, retries=1)
    began = time.monotonic()
    assert teacher.ask(1) == [Completion("", "error", 0)]
    assert time.monotonic() - began < 20
    assert teacher.figures["errors"] == {"timeout": 2}


def test_nobody_at_the_address_is_an_error_after_all_retries(tmp_path, server) -> None:
    server.http.shutdown()
    server.http.server_close()
    teacher = Teacher(tmp_path, server, retries=2)
    assert teacher.ask(1) == [Completion("", "error", 0)]
    assert teacher.figures["errors"] == {"unreachable": 3}


def test_a_request_that_the_server_cannot_take_is_not_repeated(tmp_path, server) -> None:
    server.answer = lambda number, body: fault(400, "context length")
    teacher = Teacher(tmp_path, server)
    assert teacher.ask(1) == [Completion("", "error", 0)]
    assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_what_would_meet_every_request_ends_the_stage_at_once(tmp_path, server, status: int) -> None:
    server.answer = lambda number, body: fault(status, "go away")
    results = Teacher(tmp_path, server, concurrency=2).ask(*range(50))
    assert all(isinstance(error, InputError) and f"answers {status}" in str(error) for error in results)
    assert len(server.bodies) <= 2


def test_too_many_failures_end_the_stage_with_the_reason(tmp_path, server) -> None:
    server.answer = lambda number, body: fault(500, "overloaded")
    results = Teacher(tmp_path, server, retries=0, max_failed=0.1, concurrency=1).ask(*range(100))
    errors = [str(result) for result in results if isinstance(result, InputError)]
    assert "3 of 3 requests" in errors[0]
    assert "500 (overloaded)" in errors[0]
    assert len(server.bodies) == 3


def test_no_more_calls_are_under_way_than_configured(tmp_path, server) -> None:
    arrived = threading.Barrier(3)

    def together(number: int, body: dict) -> Reply:
        arrived.wait(30)  # passes only where three are there at the same time
        return said("fine")

    server.answer = together
    Teacher(tmp_path, server, concurrency=3).ask(*range(12))
    assert server.most_at_once == 3


def test_what_was_answered_is_never_asked_twice(tmp_path, server) -> None:
    server.answer = lambda number, body: said(f"answer {number}")
    first = Teacher(tmp_path, server).ask(1, 2, 3)
    second = Teacher(tmp_path, server).ask(3, 2, 1)
    assert second == first[::-1]
    assert len(server.bodies) == 3


def test_samples_of_one_prompt_are_different_requests(tmp_path, server) -> None:
    Teacher(tmp_path, server).ask(1, 1 + 2**31)
    assert len(server.bodies) == 2


def test_a_process_killed_while_it_wrote_loses_no_answer_before(tmp_path, server) -> None:
    teacher = Teacher(tmp_path, server)
    teacher.ask(1, 2)
    with teacher.file.open("ab") as file:
        file.write(b'{"stage": "round-001/gen')
    teacher.ask(1, 2, 3)
    assert len(server.bodies) == 3
    lines = [json.loads(line) for line in teacher.file.read_text().splitlines()]
    assert Counter(line["outcome"] for line in lines) == {"ok": 3}
    assert teacher.figures["calls"] == 3


def test_a_broken_line_is_named(tmp_path, server) -> None:
    teacher = Teacher(tmp_path, server)
    teacher.file.write_text('{"stage": 1}\n')
    with pytest.raises(InputError, match="line 1"):
        teacher.ask(1)


def test_the_cap_on_calls_ends_the_stage_and_going_on_asks_nothing_twice(tmp_path, server) -> None:
    results = Teacher(tmp_path, server, max_calls=5, concurrency=4).ask(*range(12))
    answered = [n for n, result in enumerate(results) if isinstance(result, Completion)]
    assert len(server.bodies) == len(answered) == 5
    message = str(next(result for result in results if isinstance(result, InputError)))
    assert "5 calls are made (max_calls: 5)" in message
    again = Teacher(tmp_path, server, max_calls=20).ask(*range(12))
    assert all(isinstance(result, Completion) for result in again)
    assert len(server.bodies) == 12


def test_the_cap_on_tokens_ends_the_stage(tmp_path, server) -> None:
    results = Teacher(tmp_path, server, max_tokens_total=40, concurrency=1).ask(*range(9))
    assert len(server.bodies) == 3  # 15 tokens each
    assert "45 tokens are used (max_tokens_total: 40)" in str(results[-1])


def test_refused_calls_do_not_count_against_the_cap(tmp_path, server) -> None:
    server.answer = lambda number, body: fault(429) if number % 2 else said("fine")
    results = Teacher(tmp_path, server, max_calls=3, concurrency=1).ask(*range(3))
    assert [type(result) for result in results] == [Completion] * 3


def test_answers_under_way_when_the_stage_ends_are_stored(tmp_path, server) -> None:
    """One request is refused for good while another one's answer is still being written."""
    asked = threading.Event()

    def answer(number: int, body: dict) -> Reply:
        if body["messages"][0]["content"] == "slow":
            asked.set()
            server.release.wait(30)
            return said("late, but paid for")
        asked.wait(30)
        threading.Timer(0.2, server.release.set).start()
        return fault(401)

    server.answer = answer

    def make(seed: int) -> Request:
        return request(seed, "slow" if seed == 1 else "quick")

    async def run() -> None:
        replies = Replies(tmp_path / "calls.jsonl")
        model = Endpoint(Teacher(tmp_path, server).config, True, replies, "s")
        slow = asyncio.create_task(model.complete(make(1)))
        with pytest.raises(InputError):
            await model.complete(make(2))
        slow.cancel()
        await model.close()
        replies.close()

    asyncio.run(run())
    server.answer = lambda number, body: said("asked again")
    assert Teacher(tmp_path, server).ask(1, make=make)[0].text == "late, but paid for"


def test_the_key_is_sent_and_stands_nowhere(tmp_path, server, monkeypatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)
    server.answer = lambda number, body: fault(401, f"wrong key: {KEY}") if number == 3 else said("fine")
    teacher = Teacher(tmp_path, server, key_env="TEACHER_KEY", concurrency=1)
    *_, error = teacher.ask(1, 2, 3)
    assert [headers["Authorization"] for headers in server.headers] == [f"Bearer {KEY}"] * 3
    assert "check the key in TEACHER_KEY" in str(error)
    assert KEY not in str(error)
    assert KEY not in teacher.config.model_dump_json()
    assert all(KEY not in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("value", ["", "two words", "schlüssel"])
def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path, server, monkeypatch, value: str) -> None:
    monkeypatch.setenv("TEACHER_KEY", value)
    with pytest.raises(InputError, match="TEACHER_KEY") as error:
        Teacher(tmp_path, server, key_env="TEACHER_KEY").ask(1)
    assert not value or value not in str(error.value)
