"""Views derived from equations are exact and follow the conventions of the synthetic problems."""

import operator
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmst.problems.read import derive_views, read_problems
from mmst.problems.views import expression_from_prefix, read_equation, views_from_equation
from mmst.verify.answers.calculations import false_calculation
from mmst.verify.equations.expression import Unreadable

DATA = Path(__file__).parents[3] / "shared" / "data"
OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}

numbers = st.integers(1, 999).map(str) | st.decimals("0.01", "99", places=2).map(str)
expressions = st.recursive(
    numbers,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"( {' '.join(parts)} )"),
    max_leaves=6,
)


def run(program: str) -> Fraction:
    """The printed value of a derived program, in exact arithmetic, without executing it."""
    names: dict[str, Fraction] = {}

    def value(text: str) -> Fraction:
        return names[text] if text in names else Fraction(text)

    *lines, last = program.splitlines()
    for line in lines:
        name, expression = line.split(" = ")
        parts = expression.split(" ")
        names[name] = OPERATIONS[parts[1]](value(parts[0]), value(parts[2])) if len(parts) == 3 else value(parts[0])
    return names[re.fullmatch(r"print\((\w+)\)", last)[1]]  # type: ignore[index]


@given(expressions)
def test_every_view_has_the_value_of_the_equation(expression: str) -> None:
    try:
        value = read_equation(expression).value
    except Unreadable as error:
        assert "zero" in str(error)
        return
    views = views_from_equation(expression)
    assert run(views["program"]) == value
    assert read_equation(expression_from_prefix(views["prefix"])).value == value
    assert read_equation(views["system"]).value == value
    if "cot" in views:
        assert false_calculation(views["cot"]) is None
        assert Fraction(views["cot"].rpartition("The answer is ")[2].rstrip(".")) == value


def test_a_result_without_a_decimal_form_gives_no_rationale() -> None:
    assert "cot" not in views_from_equation("10 / 3")
    assert views_from_equation("1 / 8 + 1")["cot"] == "1 / 8 = 0.125\n0.125 + 1 = 1.125\nThe answer is 1.125."


def test_a_program_has_one_assignment_per_operation_and_a_space_before_each_number() -> None:
    views = views_from_equation("( 8.0 - 3 ) * 2 - 1")
    assert views["program"] == "left = 8 - 3\nproduct = left * 2\nleft_2 = product - 1\nprint(left_2)"
    assert views["system"].splitlines()[-1] == "ans = left_2"
    assert views["prefix"] == "- * - 8 3 2 1"


@pytest.mark.parametrize(
    ("equation", "prefix"),
    [
        ("56*9", "* 56 9"),
        ("( 26.0 - 9.0 )", "- 26 9"),
        ("x = 3 + 4", "+ 3 4"),
        ("X=((32.0+42.0)-35.0)", "- + 32 42 35"),
        ("8+2=10", "+ 8 2"),
        ("10 - 3 - 2", "- - 10 3 2"),
        ("2 + 3 × 4", "+ 2 * 3 4"),
        ("3 x 4 ÷ 2", "/ * 3 4 2"),
        ("$1,000 * .5", "* 1000 0.5"),
        ("20% * 50", "* / 20 100 50"),
        ("5", "5"),
        ("-3 * 2", "* -3 2"),
        ("+8=8; 14/2=7; 22-7=15", "- 22 / 14 2"),
        ("48/2=24; 48+24=72", "+ 48 / 48 2"),
        ("a = 3 + 4\nb = a * 2\nb - a", "- * + 3 4 2 + 3 4"),
    ],
)
def test_equations_of_public_data_sets_are_read(equation: str, prefix: str) -> None:
    assert views_from_equation(equation)["prefix"] == prefix


def test_a_later_calculation_of_a_chain_uses_the_earlier_result() -> None:
    program = views_from_equation("16-3-4=9; 9*2=18")["program"]
    assert program == "left = 16 - 3\nleft_2 = left - 4\nproduct = left_2 * 2\nprint(product)"


@pytest.mark.parametrize(
    "equation",
    [
        *("", "3 +", "(3", "3)", "3 4", "a = b", "3 = 4 = 5", "9**9", "__import__('os')", "1/0"),
        *("2x = 4", "x + 3 = 7", "10/3=3.3", "3+4=8; 8+1=9"),
        *("(" * 1500, "1+" * 900 + "1", "-" * 1500 + "1", "1" * 5000),
    ],
)
def test_an_equation_that_cannot_be_read_exactly_gives_no_views(equation: str) -> None:
    assert views_from_equation(equation) == {}


@pytest.mark.parametrize("prefix", ["", "+ 3", "3 4", "+ 3 4 5", "% 3 4", "/ 3 0", "+ 3 x"])
def test_text_that_is_not_a_tree_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError):
        expression_from_prefix(prefix)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data sets beside the checkout")
@pytest.mark.parametrize(
    ("name", "least"), [("mawps1921.train", 0.99), ("svamp.train", 0.99), ("svamp.test", 0.99), ("asdiv_a.train", 0.97)]
)
def test_derived_programs_of_real_data_give_the_reference_answer(name: str, least: float) -> None:
    problems = [derive_views(problem) for problem in read_problems(str(DATA / f"{name}.jsonl"))]
    derived = [problem for problem in problems if "program" in problem.views]
    assert len(derived) >= least * len(problems)
    for problem in derived:
        assert float(run(problem.views["program"])) == pytest.approx(float(str(problem.answer)), rel=1e-9)
    # The data's own trees are other people's reading of the same equations.
    same = sum(views_from_equation(p.views["equation"])["prefix"] == p.views["prefix"] for p in derived)
    assert same >= 0.99 * len(derived)
