"""What counts as the same answer: the one place where it is decided.

Public graders contradict each other on the points below. mmst decides each of them here, and
`tests/verify/answers/policy.txt` holds examples of each. Three things stay apart: the *canonical key* (answers with the
same key are always equal), the *lenient rules* (tried when two answers with different keys are compared), and
Math-Verify (only for what mmst cannot read).

Canonical form
- Values are exact fractions: `0.5`, `1/2`, `2/4`, `\\frac12`, `50/100` and `Fraction(1, 2)` are one answer.
- A decimal printed with 12 or more significant digits is the image of a float. Its key is the fraction with a
  denominator up to 1000 within a relative 1e-12, or else its value rounded to 12 significant digits:
  `17.999999999999996` is 18, `2.6666666666666665` is 8/3, `4.123105625617661` is the square root of 17.
- Irrational constants are computed to 40 digits and keyed by 12 of them. Expressions with symbols are keyed by their
  values at two fixed points, so `(x+1)**2` and `x^2+2x+1` share a key.
- Units, currency signs and degree signs are dropped: problems ask for one unit, and references leave it out. `5 cm`
  is 5, and so is `5 m`. `2 hours 30 minutes` is 2.5, its value in the first unit.
- A percent sign is dropped from the key (28 % votes with 28) and remembered as the kind.
- A name in front is dropped: `x = 5`, `f(x) = 5`, `(p, q) = (3, 2)`, `S : T = 7 : 32`, `x \\in [0, 1]`. A name has no
  arithmetic in it; `x + z = 1` is an equation, not the answer 1. In `a = b = c` the last value counts, in
  `x = 1/3 \\approx 0.33` the exact one.
- Equations are equal if one is a multiple of the other; `y = 2x + 3` is also the expression `2x + 3`.
- Linear inequalities in one variable are intervals: `-2 <= x <= 7` is `[-2, 7]`; `and` intersects, `or` unites.
- `(a, b)` is ordered: a point, or an open interval; a column or row vector is the same as the tuple. `a, b`,
  `a and b`, `a or b`, `{a, b}` are unordered and without repetition. `[a, b]` is an interval if it has two entries,
  else a list. `a = 1, b = 2` is the tuple of its values in the order of the names.
- Text is compared without case, articles and punctuation. True is yes, false is no. `(C)`, `C.` and `C` are one.
- `12:30` is a time (24 hours, `12:30 am` is 0:30); other `a:b` are reduced ratios.
- `log` and `ln` are both the natural logarithm, `lg` has base 10.

Lenient rules (symmetric, never part of the key)
- noise: if a decimal has 10 or more significant digits, a relative difference up to 1e-9 is equal.
- rounding: a decimal that is the correct rounding of the other value to its printed places is equal to it if it has at
  least 4 significant digits and 4 decimals (`2.6667` and 8/3, not `0.333` and 1/3); with 2 decimals, if the other is
  exact and within a relative 1e-4 (`78.54` and 25 pi), or is a float print and 3 digits remain (`7.78` and
  `7.777777777777778`).
- percent: 28 % equals 28 and equals 0.28 and 7/25.
- brackets: a tuple equals a bare list (`a, b`, LaTeX `{a, b}`) in the same order; `[a, b]` equals a list or set of the
  same values, because Python prints a list so (and a vector in the same order), but never `(a, b)`, which is another
  interval. Named values equal an unnamed list of the same values.
- decimal comma: `1,22` is a list, but equals 1.22.
- units: quantities in known units of one dimension are equal if they are the same (`2 hours`, `120 minutes`); a dozen
  is one or twelve.
- ratio: `1:2` equals 1/2, `10:05` equals the ratio 2:1; a clock time without am or pm equals the one with it.

Verdicts
- equal, unequal, or undecided (`None`) with a reason. A timeout is undecided. A reference that cannot be read is
  undecided with a reason that begins with `gold`. NaN is not an answer.
"""

from fractions import Fraction

MAX_CHARACTERS = 2_000
"""Longest bare answer that is read at all."""
MAX_TEXT = 200_000
"""Of a longer text only the end is searched for an answer (characters)."""
MAX_DIGITS = 1_000
MAX_EXPONENT = 1_000
MAX_NESTING = 50
MAX_TOKENS = 600
MAX_DEPTH = 100
"""Deepest tree; a sum of n terms is a tree of depth n."""

KEY_DIGITS = 12
"""Significant digits in the key of a float or an irrational number."""
NOISE_DIGITS = 10
NOISE = Fraction(1, 10**9)
ROUNDED = Fraction(1, 10**4)
ROUNDED_PLACES, ROUNDED_DIGITS = 4, 4
ROUNDED_FLOAT_PLACES, ROUNDED_FLOAT_DIGITS = 2, 3
