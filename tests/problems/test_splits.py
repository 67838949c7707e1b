"""Sets do not overlap, splits are seeded, and new test problems are recognised."""

import random
from pathlib import Path

import pytest

from mmst.config import ProblemsConfig
from mmst.errors import InputError
from mmst.problems.read import read_problems
from mmst.problems.sets import Known, read_sets, remove_overlap, slices, split
from mmst.records import Problem

DATA = Path(__file__).parents[3] / "shared" / "data"
PROBLEMS = [Problem(id=f"p{number}", question=f"Question {number}?") for number in range(100)]
SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def ask(question: str, **meta: object) -> Problem:
    return Problem(id=question, question=question, meta=meta)


def test_a_split_is_a_partition_of_the_wanted_sizes() -> None:
    parts = split(PROBLEMS, SHARES, seed=0)
    assert {name: len(part) for name, part in parts.items()} == {"train": 80, "dev": 10, "test": 10}
    assert {p.id for part in parts.values() for p in part} == {p.id for p in PROBLEMS}
    assert all(p.split == name for name, part in parts.items() for p in part)
    places = {p.id: place for place, p in enumerate(PROBLEMS)}
    assert all(part == sorted(part, key=lambda p: places[p.id]) for part in parts.values())


def test_a_split_depends_on_ids_and_seed_but_not_on_the_order() -> None:
    shuffled = random.Random(1).sample(PROBLEMS, len(PROBLEMS))
    first, again, other = split(PROBLEMS, SHARES, 0), split(shuffled, SHARES, 0), split(PROBLEMS, SHARES, 1)
    ids = [{name: {p.id for p in part} for name, part in parts.items()} for parts in (first, again, other)]
    assert ids[0] == ids[1]
    assert ids[0]["test"] != ids[2]["test"]


def test_overlap_does_not_depend_on_case_white_space_and_punctuation() -> None:
    against = [ask("Tom does n't have 3 apples ; how many, then ?")]
    train = [ask("tom doesn't have 3 apples: How many then?"), ask("Tom doesn't have 4 apples; how many, then?")]
    assert remove_overlap(train, against) == train[1:]


def test_questions_with_other_numbers_are_no_overlap() -> None:
    assert remove_overlap([ask("Is 1.5 more?")], [ask("Is 15 more?"), ask("Is 1 5 more?")])


def test_common_ngrams_are_overlap_if_configured() -> None:
    against = [ask("Yesterday the quick brown fox jumped over it.")]
    train = [ask("The quick brown fox jumped!"), ask("The quick brown dog jumped over it.")]
    assert remove_overlap(train, against) == train
    assert remove_overlap(train, against, ngram=4) == train[1:]


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data sets beside the checkout")
def test_a_data_set_inside_another_one_is_found_although_it_is_tokenized() -> None:
    inner, outer = (read_problems(str(DATA / f"{name}.jsonl")) for name in ("multiarith.test", "mawps1921.train"))
    assert len(inner) == 600
    assert remove_overlap(inner, outer) == []


def test_numbers_are_known_in_any_order_and_spelling() -> None:
    known = Known.from_problems([ask("Tom has 1,000 and 3.0 apples.")])
    assert slices(ask("Ann had 3 of 1000."), known) == {"new_phrasing"}
    assert slices(ask("Tom has 3 and 5 apples."), known) == {"new_numbers"}
    assert slices(ask("Who is it?"), known) == {"new_phrasing"}


def test_meta_takes_precedence_over_the_text() -> None:
    known = Known.from_problems([ask("Tom: 3, 4 and 9.", numbers=[4, 3], phrasing="a")])
    assert slices(ask("Ann: 3, 4 and 8.", numbers=[3, 4], phrasing="a"), known) == set()
    assert slices(ask("Ann: 3, 4 and 9.", numbers=[3, 4, 9], phrasing="b"), known) == {"new_numbers", "new_phrasing"}


@pytest.mark.parametrize("seed", [0, 1])
def test_held_out_synthetic_problems_are_recognised_as_new(seed: int) -> None:
    from mmst.problems.synthetic import SyntheticSpec, make_sets

    sets = make_sets(SyntheticSpec(seed=seed, train=400, annotated=200, dev=20, test=90))
    known = Known.from_problems([*sets["train"], *sets["annotated"]])
    for problem in sets["test"]:
        held_out = problem.meta["held_out"]
        if held_out:
            assert f"new_{held_out}" in slices(problem, known)
    assert not any(name.startswith("new_") for problem in sets["train"] for name in slices(problem, known))


def test_a_slice_for_each_number_of_steps() -> None:
    assert slices(ask("Who?", steps=3)) == {"steps_3"}
    assert slices(Problem(id="a", question="Who?", views={"socratic": [["a?", "1"], ["b?", "2"]]})) == {"steps_2"}
    assert slices(ask("Who?")) == set()


def test_a_set_that_is_empty_because_of_overlap_says_so(tmp_path: Path) -> None:
    source = tmp_path / "problems.jsonl"
    source.write_text("".join(f'{{"id": "{i}", "question": "What is it?"}}\n' for i in range(20)))
    with pytest.raises(InputError, match=r"problems.train: no problem is left: all 16 overlap with dev or test"):
        read_sets(ProblemsConfig(train=str(source), overlap="remove"), seed=0)
    with pytest.raises(InputError, match=r"overlap with dev or test problems: .*16 of problems.train"):
        read_sets(ProblemsConfig(train=str(source), overlap="refuse"), seed=0)
