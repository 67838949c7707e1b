"""Reading bare answers."""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from dataclasses import replace

from mmst.verify.answers.answer import Answer, Unreadable
from mmst.verify.answers.canonical import all_numbers, canonical, collection
from mmst.verify.answers.clean import latex_skeleton, plain_characters, repair_escapes, unwrap, words_key
from mmst.verify.answers.grammar import parse
from mmst.verify.answers.plain import read_plain
from mmst.verify.answers.policy import MAX_CHARACTERS, MAX_DIGITS

_NO_ANSWER = frozenset("nan none null n/a na undefined error -nan +nan".split())
_TEXT_COMMAND = re.compile(r"\\(?:text(?:bf|it|rm|sf|normal)?|mbox|mathrm|mathbf|textnormal)\s*\{([^{}\\]*)\}")
_WORDS = re.compile(r"[^\W\d_][\w'’.,&\s()-]*")
_NAMES = re.compile(r"[^\W\d_]\(|^[A-J](?:\s*(?:,|and|&|or)\s*[A-J])+$")  # f(x); A and B
_LETTERS = re.compile(r"(?:[a-zA-Z] )*[a-zA-Z]|pi|oo|inf|infinity|infty")
_THREE_LETTERS = re.compile(r"[^\W\d_]{3}")
_MATHEMATICS = re.compile(r"\\[a-zA-Z]+|[\^_=+*/<>|]|\d")
_PROSE = re.compile(r"(?<![\\a-zA-Z])(?:[A-Za-z]*[a-z][A-Za-z']{3,}|(?i:is|it'?s|we|that|not|the|of|so))(?![a-zA-Z])")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-zA-Z*]+\}(?:\{[clr|]+\})?|\\operatorname\{[a-zA-Z]+\}")
_EMPTY_SET = re.compile(r"(?:there is |there are )?no (?:real )?solutions?|empty ?set")
_SEVERAL = re.compile(r"\s*,\s*(?:and|or)\s+|\s*,\s*|\s+(?:and|or)\s+")
_ALL_NUMBERS = frozenset(("all real numbers", "all reals", "real numbers", "all real values"))
_LONG_DIGITS = re.compile(rf"\d{{{MAX_DIGITS + 1},}}")


def read_answer(text: str) -> Answer | None:
    """Read a bare answer, as a reference states it or a program prints it; None if it cannot be read.

    Nothing is evaluated and nothing is raised. Texts over 2,000 characters, numbers over 1,000 digits, exponents over
    1,000 and whole sentences (see find_answer) are refused.

    >>> read_answer("28/8 hours"), read_answer("3.50").key
    (Answer(text='28/8 hours', kind='number', key='7/2'), '7/2')
    """
    if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
        return None
    try:
        return _read(text)
    except (Unreadable, RecursionError):  # the latter when the caller's stack is nearly full
        return None


def _read(text: str) -> Answer | None:
    stripped = unwrap(plain_characters(repair_escapes(text)))
    if not stripped or stripped.lower() in _NO_ANSWER or _LONG_DIGITS.search(stripped):
        return None
    answer = read_plain(stripped)
    if answer is not None:
        return answer
    skeleton = unwrap(latex_skeleton(stripped))
    if bare := _TEXT_COMMAND.fullmatch(skeleton):
        skeleton = unwrap(bare[1])
    if not skeleton:
        return None
    flat = unwrap(_TEXT_COMMAND.sub(r"\1", skeleton))
    if flat and flat != stripped and (answer := read_plain(flat)) is not None:
        return replace(answer, text=skeleton)
    if _is_text(skeleton):
        return _text(skeleton)
    try:
        return canonical(parse(skeleton), skeleton)
    except Unreadable:
        return _unparsed(skeleton)


def _is_text(text: str) -> bool:
    """Whether a text is words, rather than names of quantities or of choices."""
    if not _WORDS.fullmatch(text) or _NAMES.search(text):
        return False
    letters = text.replace(" ", "")
    if letters.isalpha():
        return len(letters) > 2 and not _LETTERS.fullmatch(text)
    return bool(_THREE_LETTERS.search(text)) and not any(c == "," or c.isdigit() for c in text)


def _text(text: str) -> Answer | None:
    if len(text.split()) > 16:
        return None
    names = _SEVERAL.split(text)
    if len(names) > 1 and all(name.isalpha() for name in names):
        return collection("list", "", [Answer(name, "text", words_key(name)) for name in names], text)
    key = words_key(text)
    if key in _ALL_NUMBERS:
        return all_numbers(text)
    return Answer(text, "set", "{}") if _EMPTY_SET.fullmatch(key) else Answer(text, "text", key)


def _unparsed(text: str) -> Answer | None:
    """What the grammar does not reach: mathematics for Math-Verify, a word with digits, or words."""
    outside = _ENVIRONMENT.sub(" ", _TEXT_COMMAND.sub(" ", text))
    if _MATHEMATICS.search(outside) and not _PROSE.search(outside):
        return Answer(text, "opaque", "?" + re.sub(r"\s+", "", text))
    if re.fullmatch(r"\w+", text) and not text.isdigit():
        return Answer(text, "text", words_key(text))
    if "\\" in text:
        words = _TEXT_COMMAND.sub(r"\1", text)
        return None if outside.strip(" \\,.;") else Answer(text, "text", words_key(words))
    return None if any(character.isdigit() for character in text) else _text(text)
