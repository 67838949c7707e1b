"""Problems are read from every format and mapped; errors name their place."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmst.errors import InputError
from mmst.problems.read import derive_views, read_problems, write_problems
from mmst.records import Problem

ROWS = [
    {"id": "a", "question": "What is 3 + 4?", "answer": 7, "views": {"equation": "3+4"}, "level": 1},
    {"id": "b", "question": "What is 9 / 2?", "answer": 4.5, "level": 2},
    {"id": "c", "question": "What is love?", "answer": None, "level": 3},
]


def lines(path: Path, rows: list) -> str:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_every_format_gives_the_same_problems(tmp_path: Path) -> None:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    jsonl = lines(tmp_path / "p.jsonl", ROWS)
    (tmp_path / "p.json").write_text(json.dumps(ROWS))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "p.parquet")
    Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"))
    expected = read_problems(jsonl)
    assert [(p.id, p.answer, p.meta["level"]) for p in expected] == [("a", "7", 1), ("b", "4.5", 2), ("c", None, 3)]
    for name in ("p.json", "p.parquet", "saved"):
        assert read_problems(str(tmp_path / name)) == expected, name


def test_columns_are_mapped_and_the_answer_is_extracted(tmp_path: Path) -> None:
    row = {"problem": "How many?", "solution": {"text": "3 + 4 = 7\n#### 7", "by": "me"}}
    (problem,) = read_problems(
        lines(tmp_path / "p.jsonl", [row]),
        fields={"question": "problem", "answer": "solution.text", "views.cot": "solution.text"},
        answer_from="#### (.+)",
    )
    assert (problem.question, problem.answer) == ("How many?", "7")
    assert problem.views == {"cot": "3 + 4 = 7\n#### 7"}


def test_problems_without_an_id_are_numbered_by_their_row(tmp_path: Path) -> None:
    source = lines(tmp_path / "mine.jsonl", [{"question": "One?"}, {"question": "Two?"}])
    assert [p.id for p in read_problems(source)] == ["mine-000001", "mine-000002"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (18, "18"),
        (18.0, "18"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e21, "1" + "0" * 21),
        (True, "yes"),
        (" 3/4 ", "3/4"),
    ],
)
def test_answers_become_text(tmp_path: Path, value: object, text: str) -> None:
    (problem,) = read_problems(lines(tmp_path / "p.jsonl", [{"question": "?!", "answer": value}]))
    assert problem.answer == text


def test_public_names_of_views_become_ours(tmp_path: Path) -> None:
    row = {"question": "?!", "views": {"tree_preorder": "+ 3 4", "cot_raw": "<<3+4=7>>"}}
    (problem,) = read_problems(lines(tmp_path / "p.jsonl", [row]))
    assert problem.views == {"prefix": "+ 3 4", "cot_raw": "<<3+4=7>>"}


def test_written_problems_are_read_back(tmp_path: Path) -> None:
    problems = read_problems(lines(tmp_path / "p.jsonl", ROWS))
    write_problems(tmp_path / "copy.jsonl", problems)
    assert read_problems(str(tmp_path / "copy.jsonl")) == problems


def test_the_limit_stops_reading(tmp_path: Path) -> None:
    source = lines(tmp_path / "p.jsonl", [*ROWS, "not JSON\n"])
    assert len(read_problems(source, limit=2)) == 2


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (["\n", {"question": "a?", "id": 1}, "{broken\n"], ["p.jsonl:3"]),
        (["\n", {"question": "a?"}, "\n", {"id": "x"}], ["p.jsonl:4", "question"]),
        ([{"question": "  "}], ["p.jsonl:1", "question", "empty"]),
        ([{"question": ["a?"]}], ["p.jsonl:1", "question", "list"]),
        ([{"question": "a?", "answer": {"x": 1}}], ["p.jsonl:1", "answer", "dict"]),
        ([{"question": "a?", "views": "cot"}], ["p.jsonl:1", "views", "str"]),
        ([{"question": "a?", "id": "x"}, "\n", {"question": "b?", "id": "x"}], ["p.jsonl:3", "`x`", "p.jsonl:1"]),
        (["[1]\n"], ["p.jsonl:1", "list"]),
        (['{"question": "\\ud800"}\n'], ["p.jsonl:1", "question"]),
        ([], ["p.jsonl", "no problems"]),
    ],
)
def test_bad_input_gives_one_message_with_file_line_and_field(tmp_path: Path, rows: list, parts: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read_problems(lines(tmp_path / "p.jsonl", rows))
    assert all(part in str(error.value) for part in parts), error.value


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    for name in ("no.jsonl", "no.json", "no.parquet", "no.csv", "no/such/thing"):
        with pytest.raises(InputError, match=r"no.*(no such file|cannot be read)"):
            read_problems(str(tmp_path / name))


def test_a_mapping_to_unknown_columns_or_fields_is_refused(tmp_path: Path) -> None:
    source = lines(tmp_path / "p.jsonl", ROWS)
    with pytest.raises(InputError, match=r"solutoin.*there are.*question"):
        read_problems(source, fields={"answer": "solutoin"})
    with pytest.raises(InputError, match="no field `questoin`"):
        read_problems(source, fields={"questoin": "question"})
    with pytest.raises(InputError, match="regular expression"):
        read_problems(source, answer_from="(")
    with pytest.raises(InputError, match=r"p.jsonl:1: answer"):
        read_problems(source, answer_from="#### (.+)")


def test_a_broken_parquet_file_gives_one_message(tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="Parquet"):
        read_problems(str(tmp_path / "p.parquet"))


def test_views_are_derived_only_where_the_equation_gives_the_answer() -> None:
    right = Problem(id="a", question="?", answer="10", views={"equation": "( 8 - 3 ) * 2"})
    assert set(derive_views(right).views) == {"equation", "cot", "program", "system", "prefix"}
    for answer in ("11", "10/0", "ten", "1e999999999", "-", ""):
        assert derive_views(right.model_copy(update={"answer": answer})).views == right.views
    for answer in ("10.0", "20/2", None, "10.000000000000002"):
        assert "program" in derive_views(right.model_copy(update={"answer": answer})).views
    own = right.model_copy(update={"views": {**right.views, "prefix": "mine"}})
    assert derive_views(own).views["prefix"] == "mine"
    assert derive_views(Problem(id="a", question="?")).views == {}
