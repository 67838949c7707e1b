"""What the pages of the dashboard show, export and refuse."""

import csv
import io
import json
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
from made_run import PROBLEMS, SCRIPT, MadeRun
from starlette.testclient import TestClient

from mmst.dashboard import queries
from mmst.dashboard.app import application
from mmst.dashboard.run import find_runs, look
from mmst.errors import InputError
from mmst.files import append_line, write_json
from mmst.problems.read import write_problems
from mmst.runs.directory import RoundDirectory, write_manifest
from mmst.runs.solutions import solutions_of

PAGES = [
    "/",
    "/made/",
    "/made/round/0",
    "/made/round/1",
    "/made/matrix",
    "/made/matrix?set=train&round=1",
    "/made/problems",
    "/made/problems?set=test&solved=pot&q=What",
    "/made/problem?id=train/0",
    "/made/solutions",
    "/made/solutions?kind=evaluation&page=2",
    "/made/solution?id=solve-1/train/0/pot/0",
]


def page(client: TestClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    return answer.text


@pytest.mark.parametrize("address", PAGES)
def test_every_page_answers_and_allows_only_its_own_scripts(client, address) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "<script>" not in answer.text
    assert "http://" not in answer.text.replace("http://testserver", "")
    assert "https://" not in answer.text


def test_a_request_through_a_foreign_host_name_is_refused(client) -> None:
    assert client.get("/", headers={"host": "attacker.example"}).status_code == 400


def test_the_page_of_a_run_has_a_plot_and_a_table_of_every_figure(client) -> None:
    text = page(client, "/made/")
    for title in (
        "Accuracy on test problems", "Accuracy on dev problems", "Time per stage", "Pool by method and origin",
        "Newly kept by method and origin", "Where labels come from", "Agreement: share and precision",
        "Decisions: kept or why not",
    ):  # fmt: skip
        assert f"<figcaption>{title}" in text
        assert f"Table of “{title}”" in text


def test_the_page_of_a_round_shows_its_outcome(client) -> None:
    text = page(client, "/made/round/1")
    for words in (
        "Promoted",
        "Verdicts by method",
        "Training loss",
        "Decisions by stage",
        "1,234 tokens/s in 40 steps",
    ):
        assert words in text


def test_text_of_a_model_is_escaped(client) -> None:
    text = page(client, "/made/solution?id=solve-1/train/0/pot/0")
    assert "<img src=x" not in text
    assert "&lt;script&gt;document.title" in text


def test_a_line_of_a_megabyte_is_cut_and_available_on_request(client) -> None:
    text = page(client, "/made/solutions?method=pot&round=1")
    assert len(text) < 200_000
    assert "Show all (998,000 more characters)" in text
    assert len(page(client, "/made/solution?id=solve-1/train/1/pot/0&all=1")) > 1_000_000


def test_terminal_escapes_and_direction_marks_are_shown_escaped(client) -> None:
    text = page(client, "/made/solution?id=solve-1/train/2/pot/0")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[31mred\x1b[0m\x1b]0;a title\x07 \x1b[2J and \u202eturned round" in text


def test_solutions_are_filtered_by_every_field(client) -> None:
    def ids(query: str) -> set[str]:
        rows = csv.DictReader(io.StringIO(client.get(f"/made/export/solutions.csv?{query}").text))
        return {row["solution_id"] for row in rows}

    csv.field_size_limit(2_000_000)
    assert ids("method=pot&status=timeout&kind=native") == {
        f"solve-{r}/train/{i}/pot/0" for r in (1, 2) for i in (3, 4)
    }
    assert ids("round=1&kept=no&reason=wrong") == {f"solve-1/train/{i}/cot/0" for i in range(1, PROBLEMS, 2)}
    assert ids("kind=translated") == {f"solve-{r}/train/0/pot/0>cot" for r in (1, 2)}
    assert ids("problem=train/3&round=2&kind=native") == {"solve-2/train/3/cot/0", "solve-2/train/3/pot/0"}
    assert ids("q=while True&kind=native") == {"solve-1/train/3/pot/0", "solve-2/train/3/pot/0"}
    assert ids("label=gold&round=1&kind=native") == {
        f"solve-1/train/{i}/{m}/0" for i in range(12) for m in ("cot", "pot")
    }
    assert ids("label=agreement") == set()


def test_a_text_is_found_in_every_file_with_any_other_filter(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(queries, "FILES_AT_ONCE", 1)
    monkeypatch.setattr(queries, "PAGE", 6)
    made = MadeRun(tmp_path / "made")
    made.finish_round(1)
    split(made.run.round(1), rows_in_each=4)
    run = look("made", made.run.root)
    asked = queries.Queries()
    for filters in ({"q": "+"}, {"q": "+", "method": "pot"}, {"q": "+", "kept": "no"}, {"q": "1 + 1", "kept": "yes"}):
        sql, parameters = asked.selection(run, queries.Filters(**filters))
        wanted = {row["solution_id"] for row in asked.rows(sql, parameters)}
        found: list[str] = []
        for number in range(1, 30):
            rows, more = asked.solutions(run, queries.Filters(**filters, page=number))
            found += [row["solution_id"] for row in rows]
            if not more:
                break
        assert len(found) == len(set(found))
        assert set(found) == wanted != set()


def split(round_: RoundDirectory, rows_in_each: int) -> None:
    """Split the solutions of a round into more files and adapt the manifest."""
    whole = round_.solutions / "part-00000.parquet"
    table, parts = pq.read_table(whole), []
    for number, start in enumerate(range(0, table.num_rows, rows_in_each)):
        path = round_.solutions / f"part-{number:05d}.parquet"
        pq.write_table(table.slice(start, rows_in_each), path)
        parts.append(round_.part(path, rows_in_each))
    manifest = round_.manifest("generate")
    assert manifest is not None
    write_manifest(round_.manifest_path("generate"), manifest | {"parts": parts})


def test_a_filter_cannot_inject_sql(client) -> None:
    for value in ("' OR 1=1 --", "'; DROP TABLE x; --", "$q", "\x00"):
        for name in ("method", "status", "reason", "problem", "q"):
            assert "No solution matches" in page(client, f"/made/solutions?{name}={quote(value)}")


@pytest.mark.parametrize(
    "address", ["solutions?round=x", "problems?set=secret", "solutions?page=0", f"problems?page={10**29}"]
)
def test_a_bad_filter_gives_a_message(client, address) -> None:
    assert "Invalid filter" in page(client, f"/made/{address}", 400)


def test_a_problem_shows_its_solutions_side_by_side_and_compares_rounds(client) -> None:
    text = page(client, "/made/problem?id=train/3")
    assert ">Round 1</a>" in text
    assert ">Round 2</a>" in text
    assert "while True:" in text
    only = page(client, "/made/problem?id=train/3&round=2")
    assert ">Round 1</a>" not in only


def test_the_matrix_counts_problems_by_the_methods_that_solved_them(client) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/made/export/phi.csv?set=train&round=1").text)))
    assert rows[0]["methods"] == "cot and pot"
    # cot solves the 6 even problems; pot all but 3, 4 and 5: both 0 2 6 8 10, cot only 4, pot only 1 7 9 11, none 3 5.
    assert int(rows[0]["problems"]) == PROBLEMS
    assert float(rows[0]["phi, all problems"]) == pytest.approx((5 * 2 - 1 * 4) / (6 * 6 * 9 * 3) ** 0.5, abs=1e-3)
    assert float(rows[0]["phi, problems that any method solved"]) == pytest.approx(
        -4 / (6 * 4 * 9 * 1) ** 0.5, abs=1e-3
    )
    listed = page(client, "/made/problems?set=train&round=1&solved=no+method".replace("+", "%20"))
    assert "train/3</a>" in listed
    assert "train/5</a>" in listed
    assert "train/0</a>" not in listed


def test_dev_and_test_problems_are_counted_as_the_figures_say(client, made) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/made/export/phi.csv?set=test&round=1").text)))
    figures = json.loads((made.round(1).evaluation / "figures.json").read_text())
    assert float(rows[0]["phi, all problems"]) == pytest.approx(figures["test"]["phi"]["cot-pot"]["all"], abs=1e-3)


@pytest.mark.parametrize("what", ["accuracy-test", "rounds", "solutions", "problems", "loss&round=1", "solved", "phi"])
def test_every_table_can_be_exported(client, what) -> None:
    name, _, query = what.partition("&")
    text = client.get(f"/made/export/{name}.csv?{query}")
    assert text.status_code == 200
    table = pq.read_table(io.BytesIO(client.get(f"/made/export/{name}.parquet?{query}").content))
    csv.field_size_limit(2_000_000)
    assert table.num_rows == len(list(csv.DictReader(io.StringIO(text.text)))) > 0


def test_only_files_named_by_a_manifest_count(tmp_path) -> None:
    made = MadeRun(tmp_path / "half")
    made.finish_round(0)
    made.generate(1)
    manifest = made.round(1).root / "stages" / "generate.json"
    part = made.round(1).solutions / "part-00000.parquet"
    client = TestClient(application([made.run.root], ["testserver"]))
    shown = "/half/solutions?kind=native"
    assert "1 to 24 of 24" in page(client, shown)
    manifest.unlink()
    assert "1 to 24 of 24" in page(client, shown), "a finished part of a stage in progress"
    write_json(part.with_suffix(".json"), {"rows": 24, "checksum": "another"})
    assert "No solution matches" in page(client, shown), "a part with a wrong checksum"
    part.with_suffix(".json").unlink()
    assert "No solution matches" in page(client, shown), "a part that is still being written"


def test_a_manifest_cannot_name_files_outside_of_its_round(tmp_path) -> None:
    made = MadeRun(tmp_path / "run")
    made.finish_round(0)
    made.generate(1)
    outside = tmp_path / "outside.parquet"
    (made.round(1).solutions / "part-00000.parquet").rename(outside)
    manifest = made.round(1).manifest("generate")
    (part,) = manifest["parts"]
    for path in ("../../outside.parquet", str(outside)):
        write_manifest(made.round(1).manifest_path("generate"), manifest | {"parts": [part | {"path": path}]})
        client = TestClient(application([made.run.root], ["testserver"]))
        assert "solve-1/" not in page(client, "/run/solutions?kind=native")


def test_rationalized_solutions_are_shown(tmp_path) -> None:
    made = MadeRun(tmp_path / "rationalized")
    made.generate(1)
    made.filter(1)
    client = TestClient(application([made.run.root], ["testserver"]))
    assert "1 to 1 of 1" not in page(client, "/rationalized/solutions?problem=train/1&method=cot&kept=yes")
    made.rationalize(1)
    shown = page(client, "/rationalized/solutions?problem=train/1&method=cot&kept=yes")
    assert "1 to 1 of 1" in shown
    assert "hint-1/train/1/cot/0" in shown
    assert "cot rationalized" in page(client, "/rationalized/export/kept.csv")
    assert [row["written"] for row in solutions_of(made.run, "train/1")] == ["native", "native", "rationalized"]


def test_each_directory_without_a_readable_run_gets_a_message(tmp_path) -> None:
    for name in ("empty", "other", "broken", "old"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "notes.txt").write_text("hello")
    (tmp_path / "broken" / "config.yaml").write_text("name: [unfinished")
    (tmp_path / "old" / "config.yaml").write_text("name: old\nrounds: 3\n")
    half = MadeRun(tmp_path / "half")
    half.finish_round(0)
    (half.round(0).root / "stages" / "evaluate.json").write_text('{"stage": "eva')
    names = ["empty", "other", "broken", "old", "half"]
    client = TestClient(application([tmp_path / name for name in names], ["testserver"]))
    overview = page(client, "/")
    for name, words in {
        "empty": "it is empty",
        "other": "it has no config.yaml",
        "broken": "line 1, column",
        "old": "old/config.yaml",
        "half": "stages/evaluate.json",
    }.items():
        assert words in page(client, f"/{name}/")
        assert words in overview
    with pytest.raises(InputError, match="no such directory"):
        application([tmp_path / "nowhere"])


def test_a_manifest_of_another_version_gives_a_message(tmp_path) -> None:
    made = MadeRun(tmp_path / "odd")
    made.finish_round(0)
    manifest = made.round(0).manifest("evaluate")
    assert manifest is not None
    manifest["figures"]["dev"]["agreement"] = 0.5
    write_manifest(made.round(0).manifest_path("evaluate"), manifest)
    client = TestClient(application([made.run.root], ["testserver"]), raise_server_exceptions=False)
    assert "This run cannot be read" in page(client, "/odd/", 500)


def test_a_modified_manifest_is_named(tmp_path) -> None:
    made = MadeRun(tmp_path / "changed")
    made.finish_round(0)
    path = made.round(0).manifest_path("evaluate")
    path.write_text(path.read_text().replace("0.5", "0.9"))
    client = TestClient(application([made.run.root], ["testserver"]))
    assert f"{path}: checksum mismatch" in page(client, "/changed/")
    assert f"{path}: checksum mismatch" in page(client, "/")


def test_a_run_that_has_just_started_is_shown(tmp_path) -> None:
    made = MadeRun(tmp_path / "young")
    (made.run.root / "run.json").unlink()
    client = TestClient(application([made.run.root], ["testserver"]))
    for address in (
        "/",
        "/young/",
        "/young/matrix",
        "/young/problems",
        "/young/solutions",
        "/young/problem?id=train/1",
    ):
        page(client, address)
    assert "has not begun" in page(client, "/young/round/0", 404)
    assert "has no problem" in page(client, "/young/problem?id=nobody", 404)
    assert "no run" in page(client, "/nobody/", 404)


def test_a_problem_that_is_not_unicode_is_left_out_but_not_its_solutions(tmp_path) -> None:
    made = MadeRun(tmp_path / "odd")
    made.problems["train"][0] = made.problems["train"][0].model_copy(update={"question": "lone \ud800 half"})
    write_problems(made.run.root / "problems" / "train.jsonl", made.problems["train"])
    made.generate(1)
    client = TestClient(application([made.run.root], ["testserver"]))
    assert "1 to 11" in page(client, "/odd/problems")
    assert "section aria-label" in page(client, "/odd/problem?id=train/0")


def test_runs_with_equal_directory_names_get_different_names(tmp_path) -> None:
    for seed in ("seed-0", "seed-1"):
        MadeRun(tmp_path / seed / "mmst")
    assert set(find_runs([tmp_path])) == {"seed-0-mmst", "seed-1-mmst"}


def test_a_working_run_shows_rates_time_left_and_resources(tmp_path) -> None:
    made = MadeRun(tmp_path / "going")
    made.finish_round(0)
    there = {"nodes": 2, "cpus": 8, "gpus": 1, "replicas": 3, "in_flight": 40, "waiting": 7}
    work = {"work": "solving", "unit": "solutions", "done": 250, "total": 1000, "tokens": 5000}
    rates = {"per_second": 2.5, "tokens_per_second": 50.0, "updated": 4e9}
    made.say(round=1, stage="generate", resources=there, **work, **rates)
    client = TestClient(application([made.run.root], ["testserver"]))
    assert "round 1: generate" not in page(client, "/going/")
    with made.hold():
        text = page(client, "/going/")
    for words in (
        "running", "round 1: generate (solving)", "250 of 1,000", "5 min left", "2.5 solutions/s", "50 tokens/s",
        "<dt>replicas</dt><dd>3</dd>", "<dt>nodes</dt><dd>2</dd>", "<dt>requests in the queue</dt><dd>7</dd>",
    ):  # fmt: skip
        assert words in text


def test_a_training_run_shows_its_tokens_and_loss(tmp_path) -> None:
    made = MadeRun(tmp_path / "going")
    made.finish_round(0)
    steps = made.round(1).root / "training-solver" / "progress.jsonl"
    for step in range(1, 21):
        append_line(steps, {"event": "step", "step": step, "loss": 1 / step, "tokens": 300, "seconds": 0.1})
    with steps.open("a") as file:
        file.write('{"event": "step", "st')
    made.say(round=1, stage="train", work="training", unit="steps", done=20, total=40, per_second=10.0, updated=4e9)
    client = TestClient(application([made.run.root], ["testserver"]))
    with made.hold():
        assert "10 steps/s, 3,000 training tokens/s" in page(client, "/going/")
        assert "Training loss" in page(client, "/going/round/1")


def test_a_report_is_one_file_without_scripts(made, tmp_path) -> None:
    from mmst.dashboard.report import round_report, run_report

    whole = run_report(made.run.root, tmp_path / "whole.html").read_text()
    part = round_report(made.round(1)).read_text()
    for text in (whole, part):
        assert "<script" not in text
        assert "src=" not in text
        assert "href=" not in text.replace('xlink:href="#', "")
        assert "<svg" in text
        assert "Promoted" in text
    assert SCRIPT not in whole
    assert "Accuracy on dev problems" in whole
    assert len(part) < 300_000


def test_a_report_that_cannot_be_written_does_not_end_a_run(made) -> None:
    from mmst.dashboard.report import round_report

    said: list[str] = []
    (made.run.root / "config.yaml").write_text("]")
    assert round_report(made.round(1), said.append) is None
    assert "report.html" in said[0]
