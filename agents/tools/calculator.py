"""A calculator: Python's expression grammar, a whitelist of nodes, and nothing is ever evaluated as code.

Numbers are exact fractions as long as only + - * / // % ** and exact functions are used ("0.1 + 0.2" is 0.3).
"""

import ast
import math
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agents.tools.base import ToolError

MAX_CHARS = 300
MAX_DEPTH = 40
MAX_NODES = 200
# A power may have so many bits (about 600 digits): more is no answer that a person reads.
MAX_BITS = 2048
MAX_FACTORIAL = 200
SIGNIFICANT_DIGITS = 12
# A terminating decimal is written out up to so many places.
DECIMAL_PLACES = 12

Number = Fraction | float

# Before NFKC, which would make "²" a plain 2.
_SYMBOLS = str.maketrans(
    {"×": "*", "✕": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-", "【": "(", "】": ")", "²": "^2", "³": "^3"}
)
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)")
_CALL = re.compile(r"[A-Za-z]\w*\s*\(")
# A percent sign behind a number is a hundredth unless another operand follows (then it is the remainder).
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%(?!\s*[\d(A-Za-z])")
_BINARY: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: operator.mod,
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "π": math.pi}


@dataclass(frozen=True, slots=True)
class Value:
    """A result: ``exact`` when it is a rational number, always ``number`` as a float, and how it is written."""

    exact: Fraction | None
    number: float
    text: str


def calculate(expression: str) -> Value:
    """Compute an arithmetic expression.

    Numbers (also full-width, with thousands separators, with %), + - * / // % ** ^ × ÷, brackets, pi, e, and sqrt, abs,
    round, floor, ceil, min, max, sum, mean, exp, ln, log (base 10 or given), log2, log10, sin, cos, tan, gcd, lcm,
    factorial, comb, perm. Angles are radians.

    Raises:
        ToolError: anything else, a division by zero, or a result beyond about 600 digits.
    """
    source = normalise(expression)
    if not source or len(source) > MAX_CHARS:
        raise ToolError(f"the expression has {len(source)} characters; 1 to {MAX_CHARS} are allowed")
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"{expression!r} is no arithmetic expression") from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise ToolError("the expression has too many parts")
    try:
        return written(_number(tree.body, 0))
    except ZeroDivisionError as error:
        raise ToolError(f"division by zero in {expression!r}") from error
    except (OverflowError, ValueError, TypeError) as error:
        raise ToolError(f"{expression!r} cannot be computed: {error}") from error


def normalise(expression: str) -> str:
    """The expression in ASCII operators and digits, without a trailing "=" or question mark."""
    text = unicodedata.normalize("NFKC", expression.translate(_SYMBOLS)).translate(_SYMBOLS)
    if not _CALL.search(text):  # in "max(1,200)" the comma separates
        text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = text.strip().rstrip("=?。 ").replace("^", "**")
    return _PERCENT.sub(r"(\1/100)", text).strip()


def written(value: Number) -> Value:
    """A number as a person writes it: an integer, a terminating decimal, else rounded to 12 digits."""
    if isinstance(value, Fraction):
        number = float(value)
        return Value(value, number, _decimal(value))
    if not math.isfinite(value):
        raise ToolError("the result is not a finite number")
    return Value(None, value, f"{value:.{SIGNIFICANT_DIGITS}g}")


def _decimal(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**DECIMAL_PLACES
    if scaled.denominator != 1:
        return f"{float(value):.{SIGNIFICANT_DIGITS}g}"
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(scaled.numerator), 10**DECIMAL_PLACES)
    return f"{sign}{whole}.{rest:0{DECIMAL_PLACES}d}".rstrip("0")


def _number(node: ast.expr, depth: int) -> Number:  # noqa: PLR0911 - one return a kind of node
    if depth > MAX_DEPTH:
        raise ToolError("the expression is nested too deeply")
    match node:
        case ast.Constant(value=bool() | complex() | str() | bytes() | None):
            raise ToolError(f"{node.value!r} is not a number")
        case ast.Constant(value=int() | float() as value):
            return Fraction(str(value))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_number(inner, depth + 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _number(inner, depth + 1)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_number(left, depth + 1), _number(right, depth + 1))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_number(left, depth + 1), _number(right, depth + 1))
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _call(name, [_number(argument, depth + 1) for argument in _spread(args)])
    raise ToolError(f"{ast.unparse(node)[:40]!r} is not allowed in a calculation")


def _spread(args: Sequence[ast.expr]) -> Sequence[ast.expr]:
    """``max([1, 2])`` means ``max(1, 2)``."""
    return args[0].elts if len(args) == 1 and isinstance(args[0], ast.List | ast.Tuple) else args


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if size * abs(exponent.numerator) > MAX_BITS:
            raise ToolError("the power is too large")
        return Fraction(base**exponent.numerator)
    if base < 0:
        raise ToolError("a root of a negative number")
    return math.pow(base, exponent)


def _call(name: str, values: Sequence[Number]) -> Number:
    if not values:
        raise ToolError(f"{name} needs a number")
    fewest, most, function = _FUNCTIONS[name]
    if not fewest <= len(values) <= most:
        raise ToolError(f"{name} takes {fewest} to {most} numbers, not {len(values)}")
    return function(values)


def _integers(values: Sequence[Number]) -> list[int]:
    if any(not isinstance(value, Fraction) or value.denominator != 1 for value in values):
        raise ToolError("only whole numbers are allowed here")
    return [int(value) for value in values]


def _square_root(values: Sequence[Number]) -> Number:
    value = values[0]
    if value < 0:
        raise ToolError("a root of a negative number")
    if isinstance(value, Fraction):
        root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
        if root * root == value:
            return root
    return math.sqrt(value)


def _logarithm(values: Sequence[Number]) -> Number:
    base = float(values[1]) if len(values) > 1 else 10.0
    return math.log(values[0]) / math.log(base)


def _small(values: Sequence[Number]) -> list[int]:
    whole = _integers(values)
    if any(not 0 <= value <= MAX_FACTORIAL for value in whole):
        raise ToolError(f"only 0 to {MAX_FACTORIAL} is allowed here")
    return whole


def _rounded(values: Sequence[Number]) -> Number:
    places = _integers(values[1:])[0] if len(values) > 1 else 0
    if abs(places) > DECIMAL_PLACES:
        raise ToolError(f"round takes up to {DECIMAL_PLACES} places")
    return round(values[0] if isinstance(values[0], Fraction) else Fraction(values[0]), places)


_MANY = 50
_Function = Callable[[Sequence[Number]], Number]
_FUNCTIONS: Mapping[str, tuple[int, int, _Function]] = {
    "sqrt": (1, 1, _square_root),
    "abs": (1, 1, lambda v: max(v[0], -v[0])),
    "round": (1, 2, _rounded),
    "floor": (1, 1, lambda v: Fraction(math.floor(v[0]))),
    "ceil": (1, 1, lambda v: Fraction(math.ceil(v[0]))),
    "min": (1, _MANY, min),
    "max": (1, _MANY, max),
    "sum": (1, _MANY, lambda v: sum(v[1:], v[0])),
    "mean": (1, _MANY, lambda v: sum(v[1:], v[0]) / len(v)),
    "exp": (1, 1, lambda v: math.exp(v[0])),
    "ln": (1, 1, lambda v: math.log(v[0])),
    "log": (1, 2, _logarithm),
    "log2": (1, 1, lambda v: math.log2(v[0])),
    "log10": (1, 1, lambda v: math.log10(v[0])),
    "sin": (1, 1, lambda v: math.sin(v[0])),
    "cos": (1, 1, lambda v: math.cos(v[0])),
    "tan": (1, 1, lambda v: math.tan(v[0])),
    "gcd": (1, _MANY, lambda v: Fraction(math.gcd(*_integers(v)))),
    "lcm": (1, _MANY, lambda v: Fraction(math.lcm(*_integers(v)))),
    "factorial": (1, 1, lambda v: Fraction(math.factorial(_small(v)[0]))),
    "comb": (2, 2, lambda v: Fraction(math.comb(*_small(v)))),
    "perm": (2, 2, lambda v: Fraction(math.perm(*_small(v)))),
}
