"""Duplicates: the same solution in other words is one, a different calculation is not."""

import pytest

from mmst.methods import METHODS
from mmst.methods.method import text_key
from mmst.methods.syntax import program_key

PROGRAM = "def solve(n):\n    total = n + 4\n    return total\nprint(solve(3))"


@pytest.mark.parametrize(
    "other",
    [
        "def f(x):\n  y = x + 4  # add\n  return y\n\nprint( f(3) )",
        'def add(n: int) -> int:\n    """Adds 4."""\n    result: int = n + 4\n    return result\nprint(add(3))',
        '"""A program."""\ndef total(a):\n    b = (a + 4)\n    return b\nprint(total(3))',
    ],
)
def test_names_comments_docstrings_annotations_and_layout_make_no_other_program(other: str) -> None:
    assert program_key(other) == program_key(PROGRAM)


@pytest.mark.parametrize(
    "other",
    [
        PROGRAM.replace("4", "5"),
        PROGRAM.replace("n + 4", "4 + n"),
        PROGRAM.replace("return total", "return n"),
        PROGRAM.replace("print(solve(3))", "solve(3)"),
    ],
)
def test_another_calculation_is_another_program(other: str) -> None:
    assert program_key(other) != program_key(PROGRAM)


def test_names_that_the_program_did_not_give_stay() -> None:
    assert program_key("print(max(3, 4))") != program_key("print(min(3, 4))")
    assert program_key("import math as m\nprint(m.sqrt(4))") == program_key("import math as q\nprint(q.sqrt(4))")
    assert program_key("import math\nprint(math.sqrt(4))") != program_key("import numpy\nprint(numpy.sqrt(4))")
    assert program_key("a = 1\nb = 2\nprint(a)") != program_key("a = 1\nb = 2\nprint(b)")


@pytest.mark.parametrize("text", ["a = = 3", "", "x = '\0'", "(" * 3000, "-" * 20000 + "1", "print '3'", "1\ud800"])
def test_what_is_no_python_is_compared_as_text(text: str) -> None:
    assert METHODS["pot"].duplicate_key(text) == METHODS["pot"].duplicate_key(f"{text}  ")


def test_rationales_with_the_same_calculations_in_the_same_order_are_duplicates() -> None:
    assert METHODS["cot"].duplicate_key("He has 3 + 4 = 7. Then 7 * 2 = 14.") == METHODS["cot"].duplicate_key(
        "3+4=7 apples; later 7*2=14"
    )
    assert METHODS["cot"].duplicate_key("3 + 4 = 7") != METHODS["cot"].duplicate_key("4 + 3 = 7")


def test_rationales_without_calculations_are_compared_as_text() -> None:
    assert METHODS["cot"].duplicate_key("It is seven!") == METHODS["cot"].duplicate_key("it is  seven")
    assert METHODS["cot"].duplicate_key("It is seven.") != METHODS["cot"].duplicate_key("It is eight.")


def test_signs_and_numbers_tell_texts_apart() -> None:
    assert text_key("x = 3 + 4") != text_key("x = 3 - 4")
    assert text_key("1.5") != text_key("1 5")
