"""The program in a model's text is found whatever surrounds it."""

import pytest

from mmst.verify.programs import program_in

PROGRAM = "total = 6 * 7\nprint(total)"


@pytest.mark.parametrize(
    "text",
    [
        PROGRAM,
        f"\n\n{PROGRAM}  \n",
        f"Here it is:\n```python\n{PROGRAM}\n```\nThe answer is 42.",
        f"```python\n{PROGRAM}\n```\nOutput:\n```\n42\n```",
        f"```Python3\n{PROGRAM}\n```\n\n**Output:**\n```output\nTotal = 42\n```",
        f"```\n{PROGRAM}\n```\nOutput:\n```\n42\n```",
        f"```\n{PROGRAM}\n```\nOutput:\n```\nTotal: 42\n```",
        f"```\n{PROGRAM}\n```\nIt prints:\n```text\nThe total is 42.\n```",
        f"```python\nprint(5)\n```\nThat is wrong. Corrected:\n```python\n{PROGRAM}\n```",
        f"```bash\npython program.py\n```\n```py title=program\r\n{PROGRAM}\n```",
        f"```python\n{PROGRAM}",
        f"```python\n{PROGRAM}\n   ```\n",
    ],
)
def test_the_program_is_found(text: str) -> None:
    assert program_in(text) == PROGRAM


def test_the_text_itself_is_the_program_where_no_block_parses() -> None:
    text = 'note = """\n```\nnot a program\n```\n"""\nprint(len(note))'
    assert program_in(text) == text


def test_a_block_too_long_to_parse_here_is_left_to_the_sandbox() -> None:
    program = "\n".join(f"x{n} = {n}" for n in range(1000)) + "\nprint(x9)"
    assert program_in(f"```\n{program}\n```\nIt prints 9:\n```\n9 units\n```") == program


def test_a_block_without_a_calculation_is_better_than_the_text_around_it() -> None:
    assert program_in("Here:\n```\nx = 5\n```") == "x = 5"
    assert program_in("```\n```") == ""
