"""A bare answer, as a reference states it or a program prints it, in canonical form."""

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

_NO_ANSWER = frozenset("nan none null n/a na undefined inf -inf error -nan +nan".split()) - {"inf", "-inf"}
_TEXT_COMMAND = re.compile(r"\\(?:text(?:bf|it|rm|sf|normal)?|mbox|mathrm|mathbf|textnormal)\s*\{([^{}\\]*)\}")
_WORDS = re.compile(r"[^\W\d_][\w'’.,&\s()-]*", re.UNICODE)
_MATHEMATICS = re.compile(r"\\[a-zA-Z]+|[\^_=+*/<>|]|\d")
_PROSE = re.compile(r"(?<![\\a-zA-Z])(?:[A-Za-z]*[a-z][A-Za-z']{3,}|(?i:is|it'?s|we|that|not|the|of|so))(?![a-zA-Z])")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-zA-Z*]+\}(?:\{[clr|]+\})?|\\operatorname\{[a-zA-Z]+\}")
_EMPTY_SET = re.compile(r"(?:there is |there are )?no (?:real )?solutions?|empty ?set")
_SEVERAL = re.compile(r"\s*,\s*(?:and|or)\s+|\s*,\s*|\s+(?:and|or)\s+")
_ALL_NUMBERS = frozenset(("all real numbers", "all reals", "real numbers", "all real values"))
_LONG_DIGITS = re.compile(rf"\d{{{MAX_DIGITS + 1},}}")


def read_answer(text: str) -> Answer | None:
    """The answer in canonical form; None where the text is no answer that we understand.

    Works on the string alone: nothing is evaluated, nothing raised. Texts over 2,000 characters, numbers over
    1,000 digits, and exponents over 1,000 are refused; a sentence is refused too (see find_answer).
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
    bare = _TEXT_COMMAND.fullmatch(skeleton)
    if bare:
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
    if not _WORDS.fullmatch(text):
        return False
    if re.search(r"[^\W\d_]\(", text):
        return False
    letters = text.replace(" ", "")
    if re.fullmatch(r"[A-J](?:\s*(?:,|and|&|or)\s*[A-J])+", text):
        return False
    if letters.isalpha():
        return len(letters) > 2 and not re.fullmatch(r"(?:[a-zA-Z] )*[a-zA-Z]|pi|oo|inf|infinity|infty", text.strip())
    return (
        not any(character.isdigit() for character in text) and bool(re.search(r"[^\W\d_]{3}", text)) and "," not in text
    )


def _text(text: str) -> Answer | None:
    if len(text.split()) > 16:
        return None
    key = words_key(text)
    names = _SEVERAL.split(text)
    if len(names) > 1 and all(name.isalpha() for name in names):
        return collection("list", "", [Answer(name, "text", words_key(name)) for name in names], text)
    if key in _ALL_NUMBERS:
        return all_numbers(text)
    return Answer(text, "set", "{}") if _EMPTY_SET.fullmatch(key) else Answer(text, "text", key)


def _unparsed(text: str) -> Answer | None:
    """What the grammar does not reach: mathematics for Math-Verify, a word with digits, or a sentence."""
    outside = _ENVIRONMENT.sub(" ", _TEXT_COMMAND.sub(" ", text))
    if _MATHEMATICS.search(outside) and not _PROSE.search(outside):
        return Answer(text, "opaque", "?" + re.sub(r"\s+", "", text))
    if " " not in text and re.fullmatch(r"\w+", text) and not text.isdigit():
        return Answer(text, "text", words_key(text))
    if "\\" in text and not outside.strip(" \\,.;"):
        return Answer(text, "text", words_key(_TEXT_COMMAND.sub(r"\1", text)))
    if not any(character.isdigit() for character in text) and "\\" not in text and len(text.split()) <= 16:
        return _text(text)
    return None
