"""A bad file of problems is refused with its line and field."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness import Commands
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmst.errors import InputError
from mmst.problems.read import read_problems


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


GOOD = line(id="a", question="1 + 1?", answer="2")
FILES: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n\n \n",
    "not JSON": GOOD + b"{",
    "not an object": GOOD + b"3\n",
    "not UTF-8": GOOD + b'{"question": "\xff\xfe"}\n',
    "UTF-16": '{"question": "x"}'.encode("utf-16"),
    "nested 10,000 deep": b'{"question": "x", "meta": ' + b"[" * 10_000 + b"]" * 10_000 + b"}\n",
    "huge number": b'{"question": "x", "answer": ' + b"9" * 5000 + b"}\n",
    "NaN": b'{"question": "x", "answer": NaN}\n{"question": NaN}\n',
    "infinity": b'{"question": "x", "answer": Infinity}\n',
    "no question": line(answer="2"),
    "empty question": line(question="  "),
    "number as a question": line(question=3),
    "object as a question": line(question={"a": 1}),
    "object as an answer": line(question="x", answer={"a": 1}),
    "list as an answer": line(question="x", answer=[1]),
    "list as views": line(question="x", views=[1]),
    "text as meta": line(question="x", meta="m"),
    "object as an id": line(question="x", id={"a": 1}),
    "the same id": GOOD + GOOD,
    "a lone surrogate": b'{"question": "\\ud800"}\n',
    "a lone surrogate in the answer": b'{"question": "x", "answer": "\\udfff"}\n',
    "null bytes only": b"\0" * 100,
    "duplicate keys": b'{"question": "x", "question": 3}\n',
    "an escape sequence as an id": line(id="\x1b[31m\x1b]0;x\x07", question=3),
    "a long line": b'{"question": "' + b"x" * 3_000_000,
    "a number as views": line(question="x", views={"cot": 3}, answer={"a": 2}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(mmst: Commands, tmp_path: Path, name: str) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(FILES[name])
    assert "p.jsonl" in mmst.refused("problems", "check", file)
    assert mmst.refused("problems", "convert", file, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("name", ["views", "answer"])
def test_what_no_method_can_read_is_refused(mmst: Commands, tmp_path: Path, name: str) -> None:
    """`problems check` says so, since training and labels would silently do without it."""
    file = tmp_path / "p.jsonl"
    row = {"views": {"haiku": "x"}} if name == "views" else {"answer": "???"}
    file.write_bytes(line(question="x", **row))
    outcome = mmst("problems", "check", file, "--json")
    assert json.loads(outcome.out)["unreadable_answers" if name == "answer" else "unknown_views"]


def test_problems_are_never_overwritten(mmst: Commands, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(GOOD)
    (tmp_path / "train.jsonl").write_text("mine")
    assert "exists" in mmst.refused("problems", "convert", tmp_path / "in.jsonl", tmp_path / "train.jsonl")
    assert "exists" in mmst.refused("problems", "make", tmp_path, "--set", "train=5")
    assert (tmp_path / "train.jsonl").read_text() == "mine"
    assert not (tmp_path / "dev.jsonl").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--field", "question"),
        ("--field", "=x"),
        ("--field", "haiku=x"),
        ("--field", "question=nowhere"),
        ("--answer-from", "("),
        ("--answer-from", "no group"),
        ("--answer-from", "(no match)"),
        ("--answer-from", "(?P<a>" * 500),
    ],
)
def test_a_bad_option_is_refused(mmst: Commands, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "p.jsonl").write_bytes(GOOD)
    assert mmst.refused("problems", "convert", tmp_path / "p.jsonl", tmp_path / "out.jsonl", *words)


def test_ngram_without_against_is_refused(mmst: Commands, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_bytes(GOOD)
    assert "--against" in mmst.refused("problems", "check", tmp_path / "p.jsonl", "--ngram", "3")


@pytest.mark.parametrize("name", ["p.json", "p.parquet", "p.csv", "p.jsonl"])
@pytest.mark.parametrize("kind", ["missing", "garbage", "directory", "loop"])
def test_what_is_no_file_of_problems_is_refused(mmst: Commands, tmp_path: Path, name: str, kind: str) -> None:
    file = tmp_path / name
    if kind == "garbage":
        file.write_bytes(b"PAR1" + bytes(range(256)) + b"PAR1")
    elif kind == "loop":
        file.symlink_to(file)
    elif kind == "directory":
        file.mkdir()
        (file / "state.json").write_text("[" * 10_000)
    assert mmst.refused("problems", "check", file)


def test_a_damaged_parquet_file_is_refused(mmst: Commands, tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    pq.write_table(pa.table({"question": ["x" * 1000] * 2000, "answer": [str(n) for n in range(2000)]}), file)
    whole = file.read_bytes()
    for place in (20, len(whole) // 2, len(whole) - 30):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) * 8 + whole[place + 8 :])
        outcome = mmst("problems", "check", file)
        assert outcome.code in (0, 2)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_FIELD = st.sampled_from(["id", "question", "answer", "views", "meta", "source", "split"])


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.dictionaries(_FIELD, _JSON, max_size=5) | _JSON, max_size=3), seed=st.integers(0, 5))
def test_any_rows_are_problems_or_are_refused(tmp_path_factory, rows: list, seed: int) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if seed == 0 and text:  # a flipped byte
        place = zlib.crc32(text) % len(text)
        text = text[:place] + bytes([text[place] ^ 128]) + text[place + 1 :]
    path.write_bytes(text)
    try:
        for problem in read_problems(str(path)):
            assert problem.question.strip()
    except InputError as error:
        assert "any.jsonl" in str(error)
