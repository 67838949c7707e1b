"""Quantities in units of a known dimension: `2 hours 30 minutes`, `50 cents`, `1.5 km`.

Units are no part of a key (references leave them out). They only make answers equal that name the same quantity in
different units.
"""

from __future__ import annotations

import re
from fractions import Fraction

from mmst.verify.answers.numerals import decimal_fraction, fraction_key

# Names of each unit, and its size in the smallest unit of the dimension
_TABLE: dict[str, dict[str, Fraction]] = {
    "time": {
        "s sec secs second seconds": Fraction(1),
        "min mins minute minutes": Fraction(60),
        "h hr hrs hour hours": Fraction(3600),
        "day days": Fraction(86_400),
        "week weeks": Fraction(604_800),
    },
    "calendar": {"month months": Fraction(1), "year years yr yrs": Fraction(12), "decade decades": Fraction(120)},
    "money": {"cent cents ¢": Fraction(1), "$ dollar dollars usd": Fraction(100)},
    "length": {
        "mm millimeter millimeters millimetre millimetres": Fraction(1),
        "cm centimeter centimeters centimetre centimetres": Fraction(10),
        "m meter meters metre metres": Fraction(1000),
        "km kilometer kilometers kilometre kilometres": Fraction(1_000_000),
        "in inch inches": Fraction(254, 10),
        "ft foot feet": Fraction(3048, 10),
        "yd yard yards": Fraction(9144, 10),
        "mi mile miles": Fraction(1_609_344),
    },
    "mass": {
        "mg milligram milligrams": Fraction(1),
        "g gram grams": Fraction(1000),
        "kg kilogram kilograms": Fraction(1_000_000),
    },
    "weight": {"oz ounce ounces": Fraction(1), "lb lbs pound pounds": Fraction(16), "ton tons": Fraction(32_000)},
    "volume": {
        "ml milliliter milliliters millilitre millilitres": Fraction(1),
        "l L liter liters litre litres": Fraction(1000),
    },
    "gallons": {
        "cup cups": Fraction(1),
        "pint pints pt": Fraction(2),
        "quart quarts qt": Fraction(4),
        "gallon gallons gal": Fraction(16),
    },
}
_UNITS = {
    name: (dimension, size)
    for dimension, units in _TABLE.items()
    for names, size in units.items()
    for name in names.split()
}
_PART = r"(\$?)(\d+(?:\.\d+)?)[\s-]*(?:([A-Za-z]+)|(?<=\d)(['\"]))?"
_PARTS = re.compile(_PART)
_COMPOUND = re.compile(rf"{_PART}(?:,?\s*(?:and\s+)?{_PART}){{1,2}}")
_MARKS = {"'": "ft", '"': "in"}


def is_unit(word: str) -> bool:
    """Whether a word names a unit of a known dimension."""
    return word in _UNITS or word.lower() in _UNITS


def quantity(value: Fraction, unit: str) -> str:
    """`unit:time:7200` for 2 hours; empty for a unit of no known dimension."""
    known = _UNITS.get(unit) or _UNITS.get(unit.lower())
    return f"unit:{known[0]}:{fraction_key(value * known[1])}" if known else ""


def compound(text: str) -> tuple[Fraction, str] | None:
    """`2 hours 30 minutes` as its value in the first unit, 5/2, and its quantity; None for anything else."""
    if not _COMPOUND.fullmatch(text):
        return None
    total, previous, first = Fraction(0), None, None
    for currency, digits, word, mark in _PARTS.findall(text):
        known = _UNITS.get("$" if currency else word.lower() or _MARKS.get(mark, ""))
        if known is None or (previous and (known[0] != previous[0] or known[1] >= previous[1])):
            return None
        total += decimal_fraction(digits) * known[1]
        first, previous = first or known, known
    assert first is not None
    return total / first[1], f"unit:{first[0]}:{fraction_key(total)}"
