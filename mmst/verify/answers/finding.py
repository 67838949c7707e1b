"""The last stated answer of a rationale, with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmst.verify.answers.answer import Answer, Found
from mmst.verify.answers.canonical import collection, opened
from mmst.verify.answers.policy import MAX_CHARACTERS, MAX_TEXT
from mmst.verify.answers.reading import read_answer

_CUE = re.compile(
    r"(?P<box>(?:\\{1,4})(?:boxed|fbox)\s*\{)"
    r"|(?P<hash>\#{4,}\s*|<answer>\s*)"
    r"|(?P<said>\b(?:final\s+)?(?:answer|ans|(?:correct|right|best)\s+(?:option|choice))\b\**(?:\s+(?:to|for|of)\s+[^.\n:]{0,80}?)?[\s*]*"
    r"(?:(?:(?:is|are|was|will\s+be|would\s+be|must\s+be|should\s+be|equals)\b|[:=]|→)[\s*:]*)+"
    r"(?:(?:therefore|thus|simply|then|also|indeed|equal\s+to|given\s+by|clearly)\b[,:\s]*)*)"
    r"|(?P<final>\bfinal\s+answer\b[\s*:]*)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:cannot|can\s*not|can't|not\s+possible\s+to|impossible\s+to|unable\s+to)\s+(?:be\s+)?(?:determin|find|solv|answer|calculat)",
    re.I,
)
_SENTENCE_END = re.compile(
    r"(?<!\bapprox)(?<!\bRs)(?<!\bvs)(?<![ap]\.m)[.!?]{1,5}(?=[\"'*)\]$]*(?:\s|$))(?!\s\d)|\n|<\||</"
)
_NUMBER = re.compile(
    r"(?<![\w.\\^{])(?<!\d:)"
    r"(?:(?<!\d)(?<!\d\s)(?<![)\]]\s)(?<![)\]])-\s?)?(?:\\?\$\s?|[€£¥]\s?)?(?:(?<!\d)-)?"  # sign and currency
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d.]\d)"  # thousands
    r"|\d+,\d{1,2}(?=\s?[$€])|\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
    r"(?:\s+\d+\s?/\s?\d+|\s?/\s?\d+(?![\d/]))?"  # fractions
    r"(?:\s?(?:\\?%|percent\b|(?:hundred|thousand|million|billion|trillion)\b))?"
)
_MATH = re.compile(r"\$\$(.+?)\$\$|\$((?:[^$\n\\]|\\.)+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_ADJUNCT = re.compile(
    r"\b(?:in|for|after|within|during|over|on|at|from|with|to\s+(?:have|get|make|buy|reach))\s+(?:the\s+|each\s+|every\s+)?$",
    re.I,
)
_CONCLUDES = re.compile(r"\s*(?:therefore|so|thus|hence|in\s+total|finally|then|as\s+a\s+result)\b", re.I)
_BETWEEN = re.compile(
    r"(?:[\s$.,;:&+()\[\]-]|\\[()\[\],;!]|\\q?quad|(?:\\(?:text|mbox)\s*\{[^{}]*\})|\b(?:and|or)\b|\b[a-zA-Z](?:_\{?\w\}?)?\s*=|\b[a-z]+\b)*"
)
_STARTS = re.compile(r"\s*[*\"'(]*\s*(?:(yes|no|true|false)\b|\(?\b([A-J])\b(?:\)|(?=[\s.,:;*]|$)))", re.I)
_TOKENISED = (
    (re.compile(r"(?<=\d) , (?=\d{3}(?!\d))"), ","),
    (re.compile(r"(?<=\d) \. (?=\d)"), "."),
    (re.compile(r"(?<=\d) (?=%)"), ""),
)
_REMARK = re.compile(  # "our answer is correct"
    r"(?:not\b|in)?\s*(?:correct|incorrect|right|wrong|reasonable|valid|consistent|unknown|as\s+follows|(?:the\s+)?simplest)",
    re.I,
)
_REMARKED = re.compile(r"[$\d.,]+\s+\([^()]*\)")  # "6 (2 + 4)"
_CHECKS = re.compile(r"\b(?:check|verify|confirm)\s+(?:that\s+)?(?:our|the|this|my|your)\s*$", re.IGNORECASE)
_MAX_CUES = 50


def find_answer(text: str) -> Found | None:
    """Find the answer that a text states last; None if it states none. Never raises.

    Statements are `\\boxed{...}`, `#### ...`, `<answer>...`, `the answer is ...`, `Answer: ...`; the last one that
    can be read counts. Without any, the last formula or number of the text is its answer, unless the text says that
    the answer cannot be determined.

    >>> find_answer("9 * 2 = 18. The answer is $18 per day.")
    Found(answer=Answer(text='$18 per day', kind='number', key='18'), start=26, end=37)
    """
    if not isinstance(text, str):
        return None
    offset = max(0, len(text) - MAX_TEXT)
    body = text[offset:]
    found = _stated(body) or _concluded(body)
    return found and Found(found.answer, found.start + offset, found.end + offset)


def states_answer(text: str) -> bool:
    """Whether a text announces an answer, rather than being one."""
    return bool(_CUE.search(text))


def _stated(text: str) -> Found | None:
    """The last statement that can be read."""
    cues = list(_CUE.finditer(text))[-_MAX_CUES:]
    while cues:
        cue = cues[-1]
        if not _CHECKS.search(text, max(0, cue.start() - 40), cue.start()):
            found = _boxes(text, cues) if cue["box"] else _statement(text, cue.end())
            if found:
                return found
        cues.pop()
    return None


def _boxes(text: str, cues: list[re.Match[str]]) -> Found | None:
    """The last box, together with those before it that belong to the same statement."""
    spans: list[tuple[int, int, int]] = []
    for cue in reversed(cues):
        end = _closing_brace(text, cue.end()) if cue["box"] else 0
        if not cue["box"] or (spans and not _belongs(text[end + 1 : spans[-1][0]])):
            break
        spans.append((cue.start(), cue.end(), end))
        if spans[0][2] >= len(text):
            break
    answers: list[Answer] = []
    for _, start, end in reversed(spans):
        answer = read_answer(text[start:end])
        if answer is None:
            return None
        if answer.key not in (previous.key for previous in answers):
            answers.extend(opened(answer))
    if not answers:
        return None
    start, end = spans[-1][0], min(spans[0][2] + 1, len(text))
    return Found(collection("list", "", answers, text[start:end]) if len(answers) > 1 else answers[0], start, end)


def _belongs(between: str) -> bool:
    """Whether the text between two boxes joins them: nothing, a comma, `and`, `papers and`."""
    if len(between) > 60 or "\n\n" in between or not _BETWEEN.fullmatch(between):
        return False
    words = re.findall(r"[a-zA-Z]{2,}", re.sub(r"\\[a-zA-Z]+", " ", between))
    return not words or "and" in words or "or" in words


def _closing_brace(text: str, start: int) -> int:
    """Where the group that begins at start ends; an unclosed one ends with the formula, or with the text."""
    limit, depth = min(len(text), start + MAX_CHARACTERS), 1
    for position in range(start, limit):
        depth += (text[position] == "{") - (text[position] == "}")
        if not depth:
            return position
    cut = text.find("$", start, limit)
    return cut if cut > 0 else limit


def _sentence_end(text: str, start: int) -> int:
    """Where the statement that begins at start is over; an empty rest of a line counts with the next line."""
    start = _skip_blanks(text, start, len(text))
    limit = min(len(text), start + MAX_CHARACTERS)
    if text.startswith(("$$", "\\["), start):
        close = text.find("$$" if text[start] == "$" else "\\]", start + 2, limit)
        if close > 0:
            return close + 2
    end = _SENTENCE_END.search(text, start, limit)
    return end.start() if end else limit


def _skip_blanks(text: str, start: int, end: int) -> int:
    while start < end and text[start] in " \t\r\n*:":
        start += 1
    return start


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    start = _skip_blanks(text, start, end)
    start += 2 if text.startswith('\\"', start) else 0
    while end > start and text[end - 1] in ' \t\r\n*.,;:!"':
        end -= 2 if text[end - 2 : end] == '\\"' else 1
    return start, end


def _read(text: str) -> Answer | None:
    for pattern, replacement in _TOKENISED:
        text = pattern.sub(replacement, text)
    return read_answer(text.replace('\\"', '"'))


def _statement(text: str, start: int) -> Found | None:
    """The answer in the sentence from start on, which follows `the answer is`."""
    start, end = _trimmed(text, start, _sentence_end(text, start))
    if start >= end:
        return None
    segment = text[start:end]
    whole = _read(segment)
    if whole is not None and whole.kind not in ("opaque", "text") and not _REMARKED.fullmatch(segment):
        return Found(whole, start, end)
    word = _STARTS.match(segment)
    if word and (word[1] or word[2].isupper()) and (answer := read_answer(word[0].strip(" *\"'"))):
        return Found(answer, start + word.start(), start + word.end())
    first = _NUMBER.match(segment)
    if first and re.match(r"\s*[a-zA-Z,(;]", segment[first.end() :]) and (answer := _read(first[0])):
        return Found(answer, start, start + first.end())
    if found := _last(text, start, end):
        return found
    if whole is not None and (whole.kind == "opaque" or (len(segment.split()) <= 8 and not _REMARK.match(segment))):
        return Found(whole, start, end)
    return None


def _candidates(text: str, start: int, end: int) -> Iterator[Found]:
    """Formulas and numbers between start and end, in order; numbers inside a readable formula are not repeated."""
    formulas = []
    for match in _MATH.finditer(text, start, end):
        answer = read_answer(match[0])
        if answer and answer.kind not in ("text", "choice") and not re.fullmatch(r"\$\s*[a-zA-Z]\s*\$", match[0]):
            formulas.append(Found(answer, *match.span()))
    for formula in [*formulas, None]:
        for match in _NUMBER.finditer(text, start, formula.start if formula else end):
            if number := _read(match[0]):
                yield Found(number, *match.span())
        if formula:
            yield formula
            start = formula.end


def _last(text: str, start: int, end: int) -> Found | None:
    found = list(_candidates(text, start, end))
    if len(found) > 1 and "=" not in text[start:end]:
        last = found[-1]
        # "... spends 2400 minutes on yoga in 4 weeks": the last number only says when or where
        adjunct = _ADJUNCT.search(text, start, last.start) and _CONCLUDES.match(text[start:end])
        if adjunct or text[found[-2].end : last.start] == " ":  # "240 5 dollar bills"
            return found[-2]
    return found[-1] if found else None


def _concluded(text: str) -> Found | None:
    """The last formula or number of the last sentence that has one, in a text without a statement."""
    start = max(0, len(text) - 4 * MAX_CHARACTERS)
    starts = [start, *(match.end() for match in _SENTENCE_END.finditer(text, start))]
    end = len(text)
    for start in reversed(starts):
        if _REFUSAL.search(text, start, end):
            return None
        if found := _last(text, start, end):
            return found
        end = start
    return None
