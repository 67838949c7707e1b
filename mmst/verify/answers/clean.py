"""Normalising the text of an answer: Unicode, LaTeX, wrappers."""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_CHARACTERS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "－": "-", "×": r"\times ", "⋅": r"\cdot ",
    "·": r"\cdot ", "∙": r"\cdot ", "÷": "/", "∕": "/", "⁄": "/", "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ",
    "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "π": r"\pi ", "√": r"\sqrt ", "∞": r"\infty ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ", "°": r"^\circ ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "⟨": r"\langle ", "⟩": r"\rangle ", "θ": r"\theta ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "λ": r"\lambda ", "φ": r"\phi ", "μ": r"\mu ",
    "ω": r"\omega ", "’": "'", "‘": "'", "“": '"', "”": '"', "′": "'", "…": "...", "，": ",", "：": ":", "；": ";",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200b": "", "\u2061": "", "\ufeff": "",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "⅕": r"\frac{1}{5}", "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}", "⅘": r"\frac{4}{5}", "⅙": r"\frac{1}{6}",
    "⅚": r"\frac{5}{6}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}", "⅞": r"\frac{7}{8}",
}  # fmt: skip
_TABLE = str.maketrans(_CHARACTERS)

_WRAPPERS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\$\$(.*)\$\$",
        r"\$([^$]*)\$",
        r"\\\((.*)\\\)",
        r"\\\[(.*)\\\]",
        r"\*\*(.*)\*\*",
        r"__(.*)__",
        r"`+([^`]*)`+",
        r'"([^"]*)"',
        r"'([^']*)'",
        r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}",
    )
]
_DOUBLE = re.compile(r"\\\\(?=(?:boxed|frac|dfrac|tfrac|left|right|sqrt|text|le|ge|leq|geq|pi|pm|cdot|times|infty)\b)")
_LOST = {"\f": r"\f", "\t": r"\t", "\x08": r"\b", "\r": r"\r"}
_LOST_ESCAPE = re.compile(r"\\?([\f\t\x08\r])(?=(?:rac|ext|imes|heta|frac|binom|oxed|ight|an|au)\b)")
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\left\s*<", r"\\langle "),
        (r"\\right\s*>", r"\\rangle "),
        (r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-zA-Z])\s*\.?", " "),
        (r"\{,\}|,\s*\\!|\\!", lambda m: "" if m[0] == r"\!" else "\x01"),
        (r"\x01\s*", ""),
        (r"(?<!\\)\\[,:;> ]|~|\\(?:displaystyle|textstyle|limits|nolimits|phantom\{[^{}]*\}|hspace\{[^{}]*\})", " "),
        (r"\\(?:dfrac|tfrac|cfrac)(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:boxed|fbox|mathbf|boldsymbol|bm|mathit|mathcal|ensuremath|vec|hat|bar|tilde|underline)(?=\s*\{)", " "),
        (r"\\q?quad(?=x|y|[a-z]_)", r"\\quad "),
        (r"\\\$|\$|(?<!\\)\\[()]", " "),
        (r"\\%", "%"),
        (r"(?<!\\)\\[\[\]](?=\s|$)|^\\[\[\]]", " "),
        (r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))|(?<=\d)\s+[xX]\s+(?=\d)", r" \\times "),
        (r"(?<=\d)j\b", "i"),
        (r"\b(?:np|numpy|sympy|sp|fractions|decimal|mpmath|math)\.(?=[A-Za-z])", ""),
        (r"\b(u?int|float)\d+\(", r"\1("),
        (r"(?<=[\[{(:,\s])'([A-Za-z_ ]+)'", r"\\text{\1}"),
        (r"\\text\{\s*,\s*\}", ","),
        (r"^(\d+) to (\d+)$", r"\1:\2"),
        (r"\)\s*\|\s*\(", ") or ("),
        (r"(?<=[\d)\]}])(or|and)(?=[A-Z(\d\\])", r" \1 "),
    )
]
_KEPT_END = re.compile(r"\\ $|\d\.\.\.$|[\da-z)}]!$")
_TRAILING = " \t\r\n.,;:!?"


def unwrap(text: str) -> str:
    """Strip wrappers from an answer: blanks, a full stop, dollar signs, bold, quotes, a box."""
    for _ in range(8):
        before, text = text, text.strip()
        if not text or (text[0].isalnum() and text[-1].isalnum()):
            return text
        if text[-1] in _TRAILING and not _KEPT_END.search(text):
            text = text.rstrip(_TRAILING)
        for wrapper in _WRAPPERS:
            match = wrapper.fullmatch(text)
            if match and not (wrapper is _WRAPPERS[2] and "\\(" in match[1]):
                text = match[1]
                break
        if text == before:
            break
    return text


def plain_characters(text: str) -> str:
    """Rewrite Unicode characters in ASCII and LaTeX: `x²` becomes `x^{2}`, `2½` becomes `2\\frac{1}{2}`."""
    if text.isascii():
        return text
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+", lambda m: "^{" + m[0].translate(_SUPERSCRIPTS) + "}", text)
    text = re.sub("[₀₁₂₃₄₅₆₇₈₉]+", lambda m: "_{" + m[0].translate(_SUBSCRIPTS) + "}", text)
    return unicodedata.normalize("NFKC", text.translate(_TABLE))


def repair_escapes(text: str) -> str:
    """Undo what JSON or Python strings do to LaTeX: `\\\\frac`, and a form feed followed by `rac`."""
    if any(character in text for character in _LOST):
        text = _LOST_ESCAPE.sub(lambda m: _LOST[m[1]], text)
    if "\\\\" in text and "\\begin" not in text:
        text = _DOUBLE.sub(lambda m: "\\", text)
    return text


def words_key(words: str) -> str:
    """The key of words: without case, articles and punctuation."""
    kept = "".join(character if character.isalnum() else " " for character in words).split()
    without = [word for word in kept if word not in ("The", "the", "a", "an", "An")]
    return " ".join(without or kept).casefold()


def latex_skeleton(text: str) -> str:
    """The LaTeX that the grammar reads, without spacing, sizes, delimiters and dollar signs."""
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text
