"""Quantities in units of a known dimension: `2 hours 30 minutes`, `50 cents`, `1.5 km`.

Units are no part of a key, because references leave them out. They only make answers equal that name the same quantity
in different units.
"""

from __future__ import annotations

import re
from fractions import Fraction

from mmst.verify.answers.numerals import decimal_fraction, fraction_key

_TABLE = """
    time 1 s sec secs second seconds
    time 60 min mins minute minutes
    time 3600 h hr hrs hour hours
    time 86400 day days
    time 604800 week weeks
    calendar 1 month months
    calendar 12 year years yr yrs
    calendar 120 decade decades
    money 1 cent cents ¢
    money 100 $ dollar dollars usd
    length 1 mm millimeter millimeters millimetre millimetres
    length 10 cm centimeter centimeters centimetre centimetres
    length 1000 m meter meters metre metres
    length 1000000 km kilometer kilometers kilometre kilometres
    length 25.4 in inch inches
    length 304.8 ft foot feet
    length 914.4 yd yard yards
    length 1609344 mi mile miles
    mass 1 mg milligram milligrams
    mass 1000 g gram grams
    mass 1000000 kg kilogram kilograms
    weight 1 oz ounce ounces
    weight 16 lb lbs pound pounds
    weight 32000 ton tons
    volume 1 ml milliliter milliliters millilitre millilitres
    volume 1000 l L liter liters litre litres
    gallons 1 cup cups
    gallons 2 pint pints pt
    gallons 4 quart quarts qt
    gallons 16 gallon gallons gal
"""
"""Dimension, size in the dimension's smallest unit, and names of each unit."""
_UNITS = {
    name: (dimension, Fraction(size))
    for dimension, size, *names in map(str.split, _TABLE.strip().splitlines())
    for name in names
}
_PART = r"(\$?)(\d+(?:\.\d+)?)[\s-]*(?:([A-Za-z]+)|(?<=\d)(['\"]))?"
_PARTS = re.compile(_PART)
_COMPOUND = re.compile(rf"{_PART}(?:,?\s*(?:and\s+)?{_PART}){{1,2}}")
_MARKS = {"'": "ft", '"': "in"}


def is_unit(word: str) -> bool:
    """Whether a word names a unit of a known dimension."""
    return word in _UNITS or word.lower() in _UNITS


def quantity(value: Fraction, unit: str) -> str:
    """A second key of a value with a unit: `unit:time:7200` for 2 hours, `24` for two dozen; empty for other units."""
    if unit.startswith("dozen"):
        return fraction_key(12 * value)
    unit = unit.lstrip("\\")
    known = _UNITS.get(unit) or _UNITS.get(unit.lower())
    return f"unit:{known[0]}:{fraction_key(value * known[1])}" if known else ""


def compound(text: str) -> tuple[Fraction, str] | None:
    """`2 hours 30 minutes` as its value in the first unit, 5/2, and its quantity; None for anything else."""
    if not _COMPOUND.fullmatch(text):
        return None
    total = Fraction(0)
    units: list[tuple[str, Fraction]] = []
    for currency, digits, word, mark in _PARTS.findall(text):
        unit = _UNITS.get("$" if currency else word.lower() or _MARKS.get(mark, ""))
        if unit is None or (units and (unit[0] != units[-1][0] or unit[1] >= units[-1][1])):
            return None
        total += decimal_fraction(digits) * unit[1]
        units.append(unit)
    dimension, size = units[0]
    return total / size, f"unit:{dimension}:{fraction_key(total)}"
