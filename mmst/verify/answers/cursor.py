"""A place in the tokens of one answer, and what the grammar asks about the tokens ahead."""

from __future__ import annotations

from mmst.verify.answers.answer import Unreadable
from mmst.verify.answers.tokens import (
    CLOSING,
    CONSTANTS,
    CONSTRUCTORS,
    FUNCTIONS,
    GREEK,
    OPENING,
    PRIMARIES,
    SEPARATORS,
    Token,
    tokenize,
)

_END = Token("", "", False)
_NO_UNITS = FUNCTIONS | CONSTRUCTORS | CONSTANTS.keys() | SEPARATORS.keys()
_SEPARATING_TEXT = {**SEPARATORS, "": "and", "und": "and", "et": "and"}


class Cursor:
    """Reads tokens one by one; `peek` and `kind` are empty at the end, and `next` raises Unreadable there."""

    def __init__(self, text: str) -> None:
        self.tokens = [*tokenize(text), _END]
        self.position = 0

    def peek(self) -> str:
        """The value of the next token; quoted text comes as `text:...`."""
        return self.tokens[self.position].value

    def kind(self) -> str:
        """The kind of the next token."""
        return self.tokens[self.position].kind

    def next(self) -> Token:
        """Read one token."""
        token = self.tokens[self.position]
        if token is _END:
            raise Unreadable("ends too early")
        self.position += 1
        return token

    def accept(self, *values: str) -> bool:
        """Read the next token if it is one of these."""
        if self.tokens[self.position].value in values:
            self.position += 1
            return True
        return False

    def expect(self, *values: str) -> None:
        """Read one of these tokens; raises Unreadable for any other."""
        if not self.accept(*values):
            raise Unreadable(f"expected {values[0]!r}")

    def separator(self) -> str:
        """Which separator comes next, in its one spelling; empty for anything else."""
        if self.kind() == "text":
            return _SEPARATING_TEXT.get(self._quoted(), "")
        return SEPARATORS.get(self.peek(), "")

    def _quoted(self) -> str:
        """The words of a quoted text, without punctuation around them."""
        return self.peek()[5:].lower().strip(" \t\n,;.")

    def after_closing(self) -> bool:
        """Whether the last token closed a bracket."""
        return self.position > 0 and self.tokens[self.position - 1].value in CLOSING

    def is_unit(self) -> bool:
        """Whether the next token names a unit: `\\text{ cm}`, `inches`."""
        value = self.peek()
        if self.kind() == "text":
            return self._quoted() not in (*_SEPARATING_TEXT, "e", "i")
        if self.kind() != "name" or len(value) == 1 or value in _NO_UNITS:
            return False
        after = self.tokens[self.position + 1]
        return after.value != "(" or after.spaced

    def starts_factor(self, in_bars: bool) -> bool:
        """Whether a factor comes next, as in `2x` or `3(4)`; inside of bars a bar closes them."""
        value = self.peek()
        match self.kind():
            case "num" | "begin":
                return True
            case "name":
                return value not in SEPARATORS and not (value == "U" and self.after_closing())
            case "cmd":
                return value in GREEK or value in OPENING or value[1:] in FUNCTIONS or value in PRIMARIES
            case "op":
                return value in ("(", "[", "{") or (value == "|" and not in_bars)
        return False

    def at_fraction(self) -> bool:
        """Whether ` 1/2` comes next, as in `3 1/2`."""
        top, slash, bottom = (*self.tokens[self.position : self.position + 3], _END, _END)[:3]
        return top.spaced and slash.value == "/" and top.value.isdigit() and bottom.value.isdigit()

    def accept_degree(self) -> bool:
        """Read `\\circ` or `{\\circ}` after a caret."""
        if [token.value for token in self.tokens[self.position : self.position + 3]] == ["{", r"\circ", "}"]:
            self.position += 3
            return True
        return self.accept(r"\circ", "circ")

    def raw_argument(self) -> str:
        """The characters of a group in braces, or of one token."""
        if not self.accept("{"):
            return self.next().written
        characters, depth = "", 1
        while depth:
            value = self.next().written
            depth += (value == "{") - (value == "}")
            characters += value
        return characters[:-1]
