"""The last stated answer of a text, and where it stands."""

import pytest

from mmst.verify.answers import find_answer

STATED = [
    ("She sells 9 eggs for $2, so 9*$2=$18.\nThe answer is $18.", "18", "$18"),
    ("First 3 + 4 = 7, then 7 * 2 = 14.\n#### 14", "14", "14"),
    ("Thus $x = \\boxed{\\frac{3}{56}}$ and we are done in 2 steps.", "3/56", "\\boxed{\\frac{3}{56}}"),
    (
        "We get \\boxed{200}. Final Answer: The final answer is $10,455$. I hope it is correct.",
        "10455",
        "$10,455$",
    ),
    ("So she has **42** apples.\n\n**Answer:** 42 apples", "42", "42 apples"),
    ("**Final Answer**\n\n18", "18", "18"),
    ("The answer is 18 dollars per day because 3 * 6 = 18 and 2 + 2 = 4.", "18", "18"),
    ("The answer is 75,000.", "75000", "75,000"),
    ("The answer is 3.5.", "7/2", "3.5"),
    ("The answer is 20%.", "20", "20%"),
    ("The answer is 11/12 cups of flour.", "11/12", "11/12 cups of flour"),
    ("The answer is $118 000.", "118000", "$118 000"),
    ("The answer is 7 .", "7", "7"),
    ("The answer is 1 , 200 .", "1200", "1 , 200"),
    ("The answer is 3 . 5 .", "7/2", "3 . 5"),
    ("The answer is (C) because it fits.", "C", "(C)"),
    ("So the answer is yes.", "yes", "yes"),
    ("Answer: $\\frac{1}{2}$", "1/2", "$\\frac{1}{2}$"),
    ("The final answer is: 12 miles", "12", "12 miles"),
    ("The answer is 5. Let me check: 2 + 3 = 5, so our answer is correct.", "5", "5"),
    ("The answer is twenty-five.", "25", "twenty-five"),
    ("The answer is x = 5.", "5", "x = 5"),
    ("the answer is \\\\boxed{004}.\\n\\n**Final Answer**\\n\\\\boxed{004}", "4", "\\\\boxed{004}"),
]

UNSTATED = [
    ("She has 5 apples and buys 3 more, so she has 8 apples.", "8", "8"),
    ("Therefore, Matt needs to eat 6 carrot sticks in order to have 5 cookies as a snack.", "6", "6"),
    ("Therefore, Thomas has 240 5 dollar bills.", "240", "240"),
    ("Therefore, the solution is $x \\geq 5$ here.", "[5,inf)", "$x \\geq 5$"),
    ("the number is not 10 which is 1,000.99€", "100099/100", "1,000.99"),
    ("Total: 15+24+39 = 78 cards", "78", "78"),
    ("John runs at a speed of 6.67 miles per hour.", "667/100", "6.67"),
]

WORDINGS = [
    ("The answer is A.", "A"),
    ("The answer is (a).", "A"),
    ("So the answer is B: 12 apples.", "B"),
    ("The correct option is C.", "C"),
    ("Answer = 12", "12"),
    ("ANSWER: 12", "12"),
    ("The answer is -5.", "-5"),
    ("The answer is $-5$.", "-5"),
    ("the answer is −5.", "-5"),
    ("The answer is $1,200.50.", "2401/2"),
    ("The answer is 3/4.", "3/4"),
    ("The answer is 1 1/2 cups.", "3/2"),
    ("The answer is $5 per hour.", "5"),
    ("The answer is 5 (five).", "5"),
    ("The answer is 10:30 AM.", "10:30"),
    ("The answer is 25%.", "25"),
    ("The answer is 1.5 million dollars.", "1500000"),
    ("the answer is about 3.5 hours.", "7/2"),
    ("The answer is 100 + 50 = 150.", "150"),
    ("The answer is: \n\n$$42$$", "42"),
    ("The answer is 5 apples, since 10 / 2 = 5.", "5"),
    ("Answer: 5\nExplanation: 2+3=5 and then 7", "5"),
    ("#### -18", "-18"),
    ("#### $18", "18"),
    ("####18", "18"),
    ("The answer is 12.\n\nQ: Next. The answer is 7.", "7"),
    ("We get 12. The answer is \\boxed{}.", "12"),
    ("so $\\boxed{18}$ dollars", "18"),
    ("<think>2+2</think><answer>18</answer>", "18"),
    ("<answer> 18 dollars </answer> bye 3", "18"),
    ("The value of x is 5.", "5"),
    ("Therefore the total is 3 x 4 = 12 apples.", "12"),
    ("The answer is 5 - 3 = 2", "2"),
    ("She has $5.", "5"),
    ("Total = $1,234.56", "30864/25"),
    ("The answer is \\frac{1}{2}.", "1/2"),
    ("The answer is \\(\\frac{1}{2}\\).", "1/2"),
    ("The answer is x = 3 or x = -3.", "{-3;3}"),
    ("The answer is [1, 2, 3].", "{1;2;3}"),
    ("Final answer: **18**", "18"),
    ("**Final Answer: 18**", "18"),
    ("The final answer is $\\boxed{18}$.", "18"),
    ("Thus, the answer is 18 km/h.", "18"),
    ("The answer is twenty.", "20"),
    ("The answer is 2 hours and 30 minutes.", "5/2"),
    ("The answer is 0.", "0"),
    ("The answer is .5", "1/2"),
    ("The answer is 1e-5.", "1/100000"),
    ("The answer is 3 . 14 .", "157/50"),
    ("The answer is 1 , 2 , 3 .", "{1;2;3}"),
    ("The answer is $ 18 .", "18"),
    ("The answer is 18 % .", "18"),
    ("The answer is - 5 .", "-5"),
    ("the answer : 7", "7"),
    ("A: The answer is 7", "7"),
    ("The answer is 7\n", "7"),
    ("The answer is 7 because 14/2=7", "7"),
    ("The answer is therefore 7.", "7"),
    ("the answer to this problem is 7.", "7"),
    ("So the answer must be 7.", "7"),
    ("The answer is not 5 but 7.", "7"),
    ("The answer is exactly 7.", "7"),
    ("The answer is only 7 eggs.", "7"),
    ("Therefore, 7 is the answer.", "7"),
    ("7 is the answer.", "7"),
    ("The answer is Tuesday.", "tuesday"),
    ("The answer is yes, he can.", "yes"),
    ("Yes. The answer is no.", "no"),
    ("answer is 100,000", "100000"),
    ("The answer is 1 000 000.", "1000000"),
    ("The answer is 6 (2 + 4).", "6"),
    ("The answer is 12 dozen.", "12"),
    ("The answer is 15 minutes 30 seconds.", "31/2"),
]

SEVERAL = [
    ("\\boxed{1} and \\boxed{2} and \\boxed{3}", "{1;2;3}"),
    ("\\(\\boxed{1}\\) and \\(\\boxed{-2}\\).", "{-2;1}"),
    ("\\boxed{1} papers and \\boxed{2} bins", "{1;2}"),
    ("\\boxed{1} no no no no no \\boxed{2}", "2"),
    ("The answer is 80 miles and 150 miles.", "{150;80}"),
]


@pytest.mark.parametrize(("text", "key", "span"), [*STATED, *UNSTATED])
def test_the_last_stated_answer_is_found_with_its_place(text: str, key: str, span: str) -> None:
    found = find_answer(text)
    assert found is not None
    assert found.answer.key == key
    assert text[found.start : found.end] == span


@pytest.mark.parametrize(("text", "key"), WORDINGS)
def test_an_answer_is_read_however_it_is_worded(text: str, key: str) -> None:
    found = find_answer(text)
    assert found is not None
    assert found.answer.key == key


@pytest.mark.parametrize(("text", "key"), SEVERAL)
def test_several_values_of_one_statement_belong_together(text: str, key: str) -> None:
    found = find_answer(text)
    assert found is not None
    assert found.answer.key == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Nothing was counted.",
        "The answer cannot be determined without more information.",
        "We cannot find the answer from 5 and 6.",
    ],
)
def test_a_text_that_states_no_answer_has_none(text: str) -> None:
    assert find_answer(text) is None


def test_the_place_is_right_at_the_end_of_a_very_long_text() -> None:
    text = "We count 1 and 2. " * 50_000 + "The answer is 12."
    found = find_answer(text)
    assert found is not None
    assert text[found.start : found.end] == found.answer.text == "12"
