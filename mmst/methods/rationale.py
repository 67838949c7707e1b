"""What methods share whose solutions are words with calculations in them."""

from __future__ import annotations

from mmst.methods.duplicates import rationale_key
from mmst.methods.method import Method
from mmst.verify.answers.calculations import calculations, false_calculation


class Rationale(Method):
    """Two are duplicates if they calculate the same in the same order (RFT); none may calculate falsely."""

    def duplicate_key(self, text: str) -> str:
        """The ordered calculations; the words themselves where there are none."""
        return rationale_key(text)

    def false_calculation(self, text: str) -> str | None:
        found = false_calculation(text)
        return None if found is None else text[found.start : found.end]

    def calculates(self, text: str) -> bool:
        return bool(calculations(text))
