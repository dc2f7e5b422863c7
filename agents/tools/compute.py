"""The tools that only compute: calculator, convolution output, tensor shapes, dates."""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Annotated, Literal, cast

from pydantic import Field

from agents.tools import shapes
from agents.tools.base import A, AnyTool, Arguments, Output, Tool, ToolError
from agents.tools.calculator import calculate

Size = Annotated[int, Field(ge=1, le=shapes.MAX_SIZE)]
MAX_DAYS = 400_000
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Numbers that a calculation may use although the question does not spell them out: shares, units of time, storage.
_UNITS = (0, 1, 2, 4, 7, 8, 10, 12, 16, 24, 30, 32, 52, 60, 64, 100, 365, 1000, 1024, 3600)
# What other tools may use: axes, and a stride or padding that is not mentioned.
_AXES = range(4)
# What a question must hold so that a tool is offered for it.
_AMOUNT = re.compile(
    r"[\d+*/^=×÷√%]|多少|几[^乎何]|[二两三四五六七八九十百千万亿]|倍|一半|平均|总共|一共|合计|[加减乘除]"
    r"|\b(?:how (?:many|much)|half|twice|double|sum|total|average|percent|plus|minus|times|divided?"
    r"|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?[\d.,]+")
_DIGIT = re.compile(r"\d")
_TIME = re.compile(
    r"\d{4}|[今明昨前后]天|[天日周月年号]|星期|礼拜"
    r"|\b(?:dates?|days?|weeks?|weekday|months?|years?|today|tomorrow|yesterday|now"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.IGNORECASE,
)
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")


class Calculate(Arguments):
    """Arguments of the calculator."""

    expression: str = Field(description="e.g. (3+4)*5, 15%*200, sqrt(2), 2**10")


class Convolution(Arguments):
    """Arguments of the convolution calculator; lists hold one number an axis, a single number counts for all."""

    input_size: Size | list[Size] = Field(description="height and width, e.g. 224 or [224, 160]")
    kernel_size: Size | list[Size]
    stride: Size | list[Size] = 1
    padding: Annotated[int, Field(ge=0)] | list[Annotated[int, Field(ge=0)]] | Literal["same", "valid"] = 0
    dilation: Size | list[Size] = 1
    kind: Literal["conv", "pool", "transposed"] = Field("conv", description="conv, pool or transposed")
    in_channels: Size | None = None
    out_channels: Size | None = None
    groups: Size = 1
    output_padding: Annotated[int, Field(ge=0)] = 0
    bias: bool = True


class Shape(Arguments):
    """Arguments of the shape calculator."""

    operation: Literal["matmul", "broadcast", "concat", "reshape", "permute", "flatten", "linear"]
    shape: list[int] = Field(description="shape of the (first) tensor")
    other: list[int] | None = Field(None, description="second shape; for reshape the new shape, for permute the order")
    axis: int | None = Field(None, description="for concat and flatten")
    out_features: Size | None = Field(None, description="for linear")


class Day(Arguments):
    """Arguments of the calendar."""

    day: str = Field("today", description="today or YYYY-MM-DD")
    add_days: Annotated[int, Field(ge=-MAX_DAYS, le=MAX_DAYS)] = 0
    until: str | None = Field(None, description="second date: count the days from day to it")


def computing_tools(today: Callable[[], date] = date.today) -> list[AnyTool]:
    """The tools that need no notes. ``today`` is asked at every call."""
    return [
        _tool("calculate", "Compute an arithmetic expression exactly.", Calculate, _calculate, _AMOUNT, _UNITS),
        _tool(
            "convolution_output",
            "Output size and parameter count of a convolution, pooling or transposed convolution layer.",
            Convolution,
            _convolution,
            _DIGIT,
        ),
        _tool(
            "tensor_shape",
            "Shape after matmul, broadcast (elementwise), concat, reshape, permute, flatten or linear.",
            Shape,
            _shape,
            _DIGIT,
        ),
        _tool(
            "date",
            "Today's date, weekday of a date, date plus days, days between two dates.",
            Day,
            _calendar(today),
            _TIME,
        ),
    ]


def _tool(
    name: str,
    description: str,
    arguments: type[A],
    run: Callable[[A], Output],
    about: re.Pattern[str],
    numbers: Sequence[int] = _AXES,
) -> AnyTool:
    return cast(AnyTool, Tool(name, description, arguments, run, frozenset(map(Fraction, numbers)), about))


def _calculate(arguments: Calculate) -> Output:
    value = calculate(arguments.expression)
    expression = arguments.expression.strip().rstrip("=?？ ")
    if _NUMBER.fullmatch(expression):
        raise ToolError(f"there is nothing to calculate in {expression!r}")
    return Output(f"{expression} = {value.text}", value=value.number)


def _convolution(arguments: Convolution) -> Output:
    listed = [arguments.input_size, arguments.kernel_size, arguments.stride, arguments.dilation]
    rank = max([2, *(len(one) for one in [*listed, arguments.padding] if isinstance(one, list))])
    rank = len(arguments.input_size) if isinstance(arguments.input_size, list) else rank
    sizes, kernels, strides, dilations = (_per_axis(one, rank) for one in listed)
    if arguments.padding == "same":
        pads = [shapes.same_padding(k, d) for k, d in zip(kernels, dilations, strict=True)]
    else:
        pads = _per_axis(0 if arguments.padding == "valid" else arguments.padding, rank)
    windows = [
        shapes.Window(*axis, arguments.output_padding) for axis in zip(kernels, strides, pads, dilations, strict=True)
    ]
    known = arguments.in_channels, arguments.out_channels
    channels = (known[0], known[1]) if known[0] is not None and known[1] is not None else None
    layer = shapes.convolution(
        sizes, windows, arguments.kind, channels=channels, groups=arguments.groups, bias=arguments.bias
    )
    outside = arguments.in_channels if arguments.kind == "pool" else arguments.out_channels
    whole = [*([outside] if outside else []), *layer.sizes]
    text = f"output {_times(whole)}  ({layer.formula})"
    text += f"; parameters {layer.parameters}" if layer.parameters else ""
    return Output(text, value={"shape": whole, "sizes": list(layer.sizes), "parameters": layer.parameters})


def _shape(arguments: Shape) -> Output:
    made, parameters = _shaped(arguments)
    text = f"shape {_times(made) if made else 'a single number'}"
    text += f"; parameters {parameters}" if parameters else ""
    return Output(text, value={"shape": list(made), "parameters": parameters})


def _shaped(arguments: Shape) -> tuple[tuple[int, ...], int | None]:  # noqa: PLR0911 - one return an operation
    first, other, axis = arguments.shape, arguments.other, arguments.axis
    if arguments.operation == "linear":
        if arguments.out_features is None:
            raise ToolError("linear needs out_features")
        return shapes.linear(first, arguments.out_features)
    if arguments.operation == "flatten":
        return shapes.flatten(first, 1 if axis is None else axis), None
    if other is None:
        raise ToolError(f"{arguments.operation} needs other")
    match arguments.operation:
        case "matmul":
            return shapes.matmul(first, other), None
        case "broadcast":
            return shapes.broadcast(shapes.shape(first), shapes.shape(other)), None
        case "concat":
            return shapes.concat([first, other], 0 if axis is None else axis), None
        case "reshape":
            return shapes.reshape(first, other), None
    return shapes.permute(first, other), None


def _calendar(today: Callable[[], date]) -> Callable[[Day], Output]:
    def run(arguments: Day) -> Output:
        start = _day(arguments.day, today)
        if arguments.until is not None:
            end = _day(arguments.until, today)
            days = (end - start).days
            return Output(f"from {start} to {end}: {days} days", value=days)
        try:
            moved = start + timedelta(days=arguments.add_days)
        except OverflowError as error:
            raise ToolError("that date is outside of the calendar") from error
        return Output(f"{moved} ({WEEKDAYS[moved.weekday()]})", value=moved.isoformat())

    return run


def _day(text: str, today: Callable[[], date]) -> date:
    if text.strip().casefold() in ("today", "今天", "now", ""):
        return today()
    match = _DATE.search(text)
    if match is None:
        raise ToolError(f"{text!r} is no date; write YYYY-MM-DD")
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError as error:
        raise ToolError(f"{text!r} is no date: {error}") from error


def _per_axis(value: int | Sequence[int], rank: int) -> list[int]:
    listed = [value] * rank if isinstance(value, int) else list(value)
    if len(listed) == 1:
        listed *= rank
    if len(listed) != rank:
        raise ToolError(f"{listed} must have {rank} numbers, one an axis")
    return listed


def _times(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))
