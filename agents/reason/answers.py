"""What a line of reasoning concludes, whether two conclusions are the same, and whether its arithmetic holds. Pure."""

import re
from dataclasses import dataclass
from fractions import Fraction

from agents.numbers import numbers_in
from agents.tools.base import ToolError
from agents.tools.calculator import calculate
from rag.text import fold

# Relative: a model that writes 33.3 for 100/3 rounds, one that writes 34 is wrong.
ROUNDING = Fraction(1, 100)
MAX_ANSWER_CHARS = 120

_MARKED = re.compile(
    r"(?:最终答案|所以答案|因此答案|答案|final answer|the answer|answer)\s*(?:是|为|is)?\s*[:：]?\s*(?:\*\*)?\s*(.+)",
    re.IGNORECASE,
)
_DECORATION = re.compile(r"\\boxed\{([^{}]*)\}|[*_`$]|\\[()\[\]]")
_YES = frozenset("是 是的 对 正确 能 可以 会 真 有 yes true correct right".split())
_NO = frozenset("否 不是 不对 错误 错 不能 不可以 不会 假 没有 no false incorrect wrong".split())
_OPERAND = r"[\d.,()（）]+%?"
_EQUATION = re.compile(
    rf"((?:{_OPERAND}\s*[+\-*/×÷−]\s*)+{_OPERAND})\s*(=|≈)\s*(-?\d[\d,]*(?:\.\d+)?)(?![\d.]*\s*[+\-*/×÷−=%])"
)
_LATEX = (
    (re.compile(r"\\times"), "×"),
    (re.compile(r"\\div"), "÷"),
    (re.compile(r"\\[()\[\]]"), ""),
    (re.compile(r"\\(?:left|right|text|mathrm)"), ""),
)


@dataclass(frozen=True, slots=True)
class WrongEquation:
    """An equation in a text that does not hold, and what its left side really is."""

    equation: str
    correct: str


def conclusion(text: str) -> str:
    """What a reasoning says after its last answer marker ("答案：", "Answer:"), "" without one."""
    found = [match.group(1) for match in _MARKED.finditer(_undecorated(text))]
    return _trimmed(found[-1]) if found else ""


def normal_form(answer: str) -> str:
    """What two equal answers share: "yes", "no", the number, or the folded text without spaces and punctuation."""
    text = fold(_undecorated(answer)).strip(" 。.!！,，;；:：\"'“”")
    words = re.split(r"[\s,，。.;；:：]", text)
    if text in _YES or words[0] in _YES:
        return "yes"
    if text in _NO or words[0] in _NO:
        return "no"
    numbers = [number for number in numbers_in(text) if number.denominator == 1 or "%" not in text]
    if len(numbers) == 1 or (numbers and re.match(r"[^\d]{0,3}\d", text)):
        sign = "-" if re.search(r"-\s*\d", text) else ""
        return f"{sign}{numbers[0]}"
    return re.sub(r"[\s\W_]+", "", text)


def same_answer(left: str, right: str) -> bool:
    """Whether two answers say the same: equal numbers, both yes or both no, or equal folded text."""
    return bool(normal_form(left)) and normal_form(left) == normal_form(right)


def wrong_equations(text: str) -> list[WrongEquation]:
    """The arithmetic in a reasoning that does not hold, in order. What cannot be read is not judged."""
    wrong = []
    for left, sign, right in _EQUATION.findall(_without_latex(text).replace("$", "")):
        try:
            value = calculate(_balanced(left))
            said = Fraction(right.replace(",", ""))
        except (ToolError, ValueError):
            continue
        exact = value.exact if value.exact is not None else Fraction(value.number)
        tolerance = abs(exact) * ROUNDING if sign == "≈" or "." in right else Fraction(0)
        if abs(exact - said) > tolerance:
            wrong.append(WrongEquation(f"{left.strip()} {sign} {right}", value.text))
    return wrong


def _balanced(expression: str) -> str:
    """Without a bracket that belongs to the sentence around it."""
    text = expression.strip().rstrip(".,")
    while text.startswith(("(", "（")) and text.count("(") + text.count("（") > text.count(")") + text.count("）"):
        text = text[1:]
    while text.endswith((")", "）")) and text.count(")") + text.count("）") > text.count("(") + text.count("（"):
        text = text[:-1]
    return text


def _undecorated(text: str) -> str:
    return _DECORATION.sub(lambda match: match.group(1) or "", _without_latex(text))


def _without_latex(text: str) -> str:
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    return text


def _trimmed(answer: str) -> str:
    return answer.strip().strip("。.！!，,；;：: ")[:MAX_ANSWER_CHARS]
