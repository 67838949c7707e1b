"""The fast reader, without any grammar, for nearly all answers to word problems.

Numbers with thousands separators, currency, percent signs, scale words and units; fractions and mixed numbers;
times; number words; yes and no; choice letters.
"""

# ruff: noqa: SIM905 (word lists are easier to read as one string)
from __future__ import annotations

import re
from fractions import Fraction

from mmst.verify.answers.answer import Answer, Unreadable
from mmst.verify.answers.numerals import SCALES, fraction_key, image_fraction, printed_number, words_fraction
from mmst.verify.answers.policy import KEY_DIGITS
from mmst.verify.answers.units import compound, quantity

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_GROUPED = "|".join(
    (
        r"[1-9]\d{0,2}(?:\.\d{3})+,\d{1,2}|[1-9]\d{0,2}(?:\.\d{3}){2,}",  # 1.234,50 and 1.234.567
        r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?|[1-9]\d{0,2}(?:[ _]\d{3})+(?:\.\d*|,\d{1,2})?|[1-9]\d*(?:_\d{3})+",
    )
)
_NUMBER = re.compile(
    r"(?:(?:approximately|approx\.?|about|around|roughly|nearly|exactly|only|=|\\approx|~)\s*)?"
    r"(?P<sign>[-+]?)\s*(?P<currency>(?:US|CA|AU|A|C)?\s*\\?[$]|[€£¥₹]|USD|EUR|GBP|Rs\.?)?\s*(?P<sign2>[-+]?)\s*"
    rf"(?:(?:(?P<whole>\d+)\s+)?(?P<top>\d+)\s*/\s*(?P<bottom>\d+)"
    rf"|(?P<number>{_GROUPED}|\d+(?:\.\d*)?|\.\d+)(?P<exponent>[eE][+-]?\d+)?)"
    r"(?P<tail>(?![\d.,^_]|\s*/\s*\d).*)",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)
_PERCENT = re.compile(r"\s*(?:\\?%|percent(?:age)?(?:\s+points?)?|per\s*cent|pct\.?)\s*", re.IGNORECASE)
_SCALE = re.compile(r"\s*(hundred|thousand|million|billion|trillion)\b(?!ths?)", re.IGNORECASE)
_SHORT_SCALES = {"k": 3, "K": 3, "M": 6, "B": 9}
_UNIT_WORD = r"[A-Za-z][A-Za-z'-]*\.?(?:\s*\^?\{?[23]\}?)?"
_UNITS = re.compile(
    rf"\s*(?:[$€£¥]|/?\s*{_UNIT_WORD}(?:(?:\s*/\s*|\s+|,\s+){_UNIT_WORD}){{0,6}})\s*(?:\([A-Za-z ]+\))?"
)
KNOWN_UNITS = frozenset(
    "mm cm dm km kg mg ml cl dl ft in oz lb lbs yd mi hr hrs min mins sec secs ms mph kph kmh kwh st nd rd th "
    "g m s h l L J N W V cents cent usd eur gbp pts kcal cal gal qt pt sq cu deg rad pcs "
    "cup day box bag egg km/h m/s units unit".split()
)
_NOT_UNITS = frozenset("and or pi sqrt sin cos tan cot sec csc log ln exp theta mod to x y z n i e k a b c t".split())
_SIGN = re.compile(r"\s*(?:[$€£¥¢₹]|\^?\s*\{?\s*\\(?:circ|degree)\s*\}?\s*[CFK]?)\s*")
_TIME = re.compile(
    r"(\d{1,2})[:.](\d{2})(?::\d{2})?\s*([ap])\.?\s*m\.?|(\d{1,2}):([0-5]\d)|(\d{1,2})\s*([ap])\.?m\.?", re.IGNORECASE
)
_CHOICE = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice)\s+)?(?:\(?([A-J])\)?|\(?([a-j])\)|([A-J])[.:)]\s+\S[^\n]{0,80})")
_BOOLEAN = re.compile(r"(yes|no|true|false)(?:$|[,.;:]\s)")
_CLOCK_WORDS = {"noon": ("12:00", "p"), "midnight": ("0:00", "a")}
_BOOLEANS = {"yes": "yes", "no": "no", "true": "yes", "false": "no"}


def read_plain(text: str) -> Answer | None:
    """Read a plain answer; None for any other. `text` is not empty, unwrapped and in plain characters.

    Raises Unreadable for numbers over the limits of policy.py and for a division by zero.
    """
    if _INTEGER.fullmatch(text):
        return Answer(text, "number", "0" if text == "-0" else text)
    first = text[0]
    if first.isdigit() or first in "-+.$€£¥₹\\=~" or first in "aAceEnrGRUuC":
        match = _NUMBER.fullmatch(text)
        answer = _number(text, match) if match else None
        if answer is not None:
            return answer
        if (first.isdigit() or first == "$") and (both := compound(text)):
            return Answer(text, "number", fraction_key(both[0]), other=both[1])
        if first.isdigit() and (clock := _TIME.fullmatch(text)):
            return _time(text, clock)
    if first.isalpha() or first == "(":
        return _words(text)
    return None


def _number(text: str, match: re.Match[str]) -> Answer | None:
    scale, tail = _scale(match["tail"], currency=bool(match["currency"]))
    unit, percent = tail.strip(), bool(_PERCENT.fullmatch(tail))
    if unit and not percent and not _is_unit(tail):
        return None
    places, digits = -1, 0
    if match["top"]:
        if not int(match["bottom"]):
            raise Unreadable("division by zero")
        value = Fraction(int(match["top"]), int(match["bottom"])) + int(match["whole"] or 0)
    else:
        value, places, digits = printed_number(_plain_digits(match["number"]) + (match["exponent"] or ""))
    value *= 10**scale
    if digits >= KEY_DIGITS:
        value = image_fraction(value)
    if "-" in (match["sign"], match["sign2"]):
        value = -value
    unit = "" if percent else unit or match["currency"]
    other = quantity(value, unit) if unit else ""
    kind = "percent" if percent else "number"
    return Answer(text, kind, fraction_key(value), places=places, digits=digits, other=other)


def _plain_digits(digits: str) -> str:
    """Digits with a decimal point and nothing else, from `1,234.5` and `1.234,5` alike."""
    if digits.count(".") > 1 or (" " in digits and "," in digits) or 0 <= digits.find(".") < digits.find(","):
        digits = digits.replace(".", "").replace(",", ".")
    return digits.replace(",", "").replace(" ", "").replace("_", "")


def _scale(tail: str, currency: bool) -> tuple[int, str]:
    """The power of ten that a tail such as ` million dollars` begins with, and the rest of the tail."""
    word = _SCALE.match(tail)
    if word:
        return SCALES[word[1].lower()], tail[word.end() :]
    if currency and tail[:1] in _SHORT_SCALES and not tail[1:2].isalpha():
        return _SHORT_SCALES[tail[0]], tail[1:]
    return 0, tail


def _is_unit(tail: str) -> bool:
    """Whether the text behind a number is only a unit: ` dollars per hour`, `km/h`, ` cm^2`."""
    if _SIGN.fullmatch(tail):
        return True
    if not _UNITS.fullmatch(tail) or len(tail) > 60:
        return False
    words = re.findall(r"[A-Za-z][A-Za-z'-]*", tail)
    head = words[0] if words else ""
    if any(word.lower() in ("and", "or", "sqrt", "pi") for word in words):
        return False
    spaced = tail[0].isspace() or tail[0] == "/" or "^{" in tail
    if len(head) == 1:
        return spaced and head in KNOWN_UNITS
    if head in KNOWN_UNITS or head.lower() in KNOWN_UNITS:
        return True
    return head.lower() not in _NOT_UNITS and len(head) >= (3 if spaced else 4)


def _time(text: str, match: re.Match[str]) -> Answer | None:
    hour, minute = int(match[1] or match[4] or match[6]), int(match[2] or match[5] or 0)
    half = (match[3] or match[7] or "").lower()
    if hour > (12 if half else 23) or minute > 59:
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Answer(text, "time", f"{hour}:{minute:02d}", form=half)


def _words(text: str) -> Answer | None:
    lowered = text.lower()
    if boolean := _BOOLEAN.match(lowered):
        return Answer(text, "boolean", _BOOLEANS[boolean[1]])
    if lowered in _CLOCK_WORDS:
        key, half = _CLOCK_WORDS[lowered]
        return Answer(text, "time", key, form=half)
    if choice := _CHOICE.fullmatch(text):
        return Answer(text, "choice", (choice[1] or choice[2] or choice[3]).upper())
    if lowered.startswith(("minus ", "negative ")):
        positive = read_plain(text.partition(" ")[2].strip() or "?")
        value = positive.number if positive and positive.kind == "number" else None
        return None if value is None or value < 0 else Answer(text, "number", fraction_key(-value))
    # Units may follow: try the longest run of number words
    words = ["one", *text.split()[1:]] if lowered.startswith("a dozen") else text.split()
    for end in (len(words), len(words) - 1, len(words) - 2):
        value = words_fraction(" ".join(words[:end])) if end > 0 else None
        if value is not None:
            return Answer(text, "number", fraction_key(value), other=quantity(value, " ".join(words[end:])))
    return None
