"""Tensor shapes: what convolutions, pooling, linear layers and reshaping make of a shape.

Formulas as in the documentation of PyTorch (``torch.nn.Conv2d``, ``ConvTranspose2d``, ``MaxPool2d``); sizes are in
elements, shapes are channels-first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agents.tools.base import ToolError

MAX_SIZE = 10**9
MAX_RANK = 8

Kind = Literal["conv", "pool", "transposed"]
Padding = int | Sequence[int] | Literal["same", "valid"]


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window along one axis."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """What a layer makes: the size of each axis, its parameters (None when channels are unknown), the formula."""

    sizes: tuple[int, ...]
    parameters: int | None
    formula: str


def window_output(size: int, window: Window, kind: Kind = "conv", *, ceil_mode: bool = False) -> int:
    """The output size along one axis.

    conv and pool: floor((n + 2p - d(k - 1) - 1) / s) + 1; transposed: (n - 1)s - 2p + d(k - 1) + output_padding + 1.
    With ``ceil_mode`` a last window may hang over, but must begin inside the input or its left padding.

    Raises:
        ToolError: a size out of range, or a window larger than the padded input.
    """
    _check(size, window)
    reach = window.dilation * (window.kernel - 1) + 1
    if kind == "transposed":
        made = (size - 1) * window.stride - 2 * window.padding + reach + window.output_padding
    else:
        room = size + 2 * window.padding - reach
        if room < 0 and not ceil_mode:
            raise ToolError(f"the window of {reach} is larger than the padded input of {size + 2 * window.padding}")
        made = (math.ceil(room / window.stride) if ceil_mode else room // window.stride) + 1
        if ceil_mode and (made - 1) * window.stride >= size + window.padding:
            made -= 1
    if made < 1:
        raise ToolError(f"the output would have {made} elements")
    return made


def same_padding(kernel: int, dilation: int = 1) -> int:
    """The padding that keeps the size at stride 1.

    Raises:
        ToolError: an even reach cannot be padded alike on both sides.
    """
    reach = dilation * (kernel - 1)
    if reach % 2:
        raise ToolError(f"'same' needs uneven padding for a kernel of {kernel}; give the padding as a number")
    return reach // 2


def convolution(
    sizes: Sequence[int],
    windows: Sequence[Window],
    kind: Kind = "conv",
    *,
    channels: tuple[int, int] | None = None,
    groups: int = 1,
    bias: bool = True,
) -> Layer:
    """A layer over one to three axes; ``channels`` are those of input and output.

    Raises:
        ToolError: ranks differ, a size is out of range, or the groups do not divide the channels.
    """
    if len(sizes) != len(windows) or not 1 <= len(sizes) <= 3:
        raise ToolError(f"{len(sizes)} sizes and {len(windows)} windows; give one to three of each")
    made = tuple(window_output(size, window, kind) for size, window in zip(sizes, windows, strict=True))
    return Layer(
        made, _parameters(windows, kind, channels, groups, bias=bias), _formula(sizes[0], windows[0], kind, made[0])
    )


def matmul(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """The shape of ``left @ right``: the last axis of left meets the last but one of right, the others broadcast.

    Raises:
        ToolError: they do not fit.
    """
    a, b = shape(left), shape(right)
    if len(a) == 1 and len(b) == 1:
        return _match(a[0], b[0], ())
    if len(a) == 1:
        return _match(a[0], b[-2], (*b[:-2], b[-1]))
    if len(b) == 1:
        return _match(a[-1], b[0], a[:-1])
    return _match(a[-1], b[-2], (*broadcast(a[:-2], b[:-2]), a[-2], b[-1]))


def broadcast(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    """The shape of an elementwise operation (NumPy's rule: aligned at the right, 1 stretches).

    Raises:
        ToolError: two sizes differ and none is 1.
    """
    rank = max(len(left), len(right))
    a = (*[1] * (rank - len(left)), *left)
    b = (*[1] * (rank - len(right)), *right)
    for x, y in zip(a, b, strict=True):
        if x != y and 1 not in (x, y):
            raise ToolError(f"{list(left)} and {list(right)} do not broadcast: {x} meets {y}")
    return tuple(y if x == 1 else x for x, y in zip(a, b, strict=True))


def concat(shapes: Sequence[Sequence[int]], axis: int) -> tuple[int, ...]:
    """The shape of several tensors joined along ``axis``.

    Raises:
        ToolError: another axis differs, or there is no such axis.
    """
    checked = [shape(one) for one in shapes]
    at = _axis(axis, len(checked[0]))
    rest = {one[:at] + one[at + 1 :] for one in checked}
    if len(rest) > 1 or len({len(one) for one in checked}) > 1:
        raise ToolError(f"{[list(one) for one in checked]} differ in another axis than {axis}")
    return (*checked[0][:at], sum(one[at] for one in checked), *checked[0][at + 1 :])


def reshape(source: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """``target`` with its one -1 filled in.

    Raises:
        ToolError: the numbers of elements differ, or more than one -1.
    """
    have = math.prod(shape(source))
    known = math.prod(size for size in target if size != -1)
    unknown = [size for size in target if size == -1]
    if len(unknown) > 1 or any(size < 1 and size != -1 for size in target):
        raise ToolError(f"{list(target)} must be positive sizes with at most one -1")
    if known == 0 or have % known or (not unknown and have != known):
        raise ToolError(f"{have} elements do not fill {list(target)}")
    return tuple(have // known if size == -1 else size for size in target)


def permute(source: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """The axes in another order.

    Raises:
        ToolError: ``order`` does not name every axis once.
    """
    checked = shape(source)
    axes = [_axis(axis, len(checked)) for axis in order]
    if sorted(axes) != list(range(len(checked))):
        raise ToolError(f"{list(order)} must name each of the {len(checked)} axes once")
    return tuple(checked[axis] for axis in axes)


def flatten(source: Sequence[int], start: int = 1) -> tuple[int, ...]:
    """All axes from ``start`` on as one. Raises ToolError when there is no such axis."""
    checked = shape(source)
    at = _axis(start, len(checked))
    return (*checked[:at], math.prod(checked[at:]))


def linear(source: Sequence[int], out_features: int, *, bias: bool = True) -> tuple[tuple[int, ...], int]:
    """A fully connected layer on the last axis: its output shape and its parameters. Raises ToolError."""
    checked = shape(source)
    (made,) = shape([out_features])
    return (*checked[:-1], made), (checked[-1] + bias) * made


def shape(sizes: Sequence[int]) -> tuple[int, ...]:
    """A checked shape. Raises ToolError when a size is below 1 or too large, or the rank above MAX_RANK."""
    if not 1 <= len(sizes) <= MAX_RANK or any(not 1 <= size <= MAX_SIZE for size in sizes):
        raise ToolError(f"{list(sizes)} is no shape: 1 to {MAX_RANK} sizes from 1 to {MAX_SIZE}")
    return tuple(sizes)


def _match(left: int, right: int, made: tuple[int, ...]) -> tuple[int, ...]:
    if left != right:
        raise ToolError(f"the inner sizes differ: {left} and {right}")
    return made


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ToolError(f"there is no axis {axis} in a shape of {rank}")
    return axis % rank


def _check(size: int, window: Window) -> None:
    low: Mapping[str, tuple[int, int]] = {
        "size": (size, 1),
        "kernel": (window.kernel, 1),
        "stride": (window.stride, 1),
        "padding": (window.padding, 0),
        "dilation": (window.dilation, 1),
        "output padding": (window.output_padding, 0),
    }
    for name, (value, least) in low.items():
        if not least <= value <= MAX_SIZE:
            raise ToolError(f"{name} is {value}; it must be from {least} to {MAX_SIZE}")


def _parameters(
    windows: Sequence[Window], kind: Kind, channels: tuple[int, int] | None, groups: int, *, bias: bool
) -> int | None:
    if kind == "pool":
        return 0
    if channels is None:
        return None
    inside, outside = shape(channels)
    if groups < 1 or inside % groups or outside % groups:
        raise ToolError(f"{groups} groups do not divide {inside} and {outside} channels")
    return inside * outside // groups * math.prod(w.kernel for w in windows) + (outside if bias else 0)


def _formula(size: int, w: Window, kind: Kind, made: int) -> str:
    if kind == "transposed":
        return (
            f"({size} - 1)*{w.stride} - 2*{w.padding} + {w.dilation}*({w.kernel} - 1) + {w.output_padding} + 1 = {made}"
        )
    return f"floor(({size} + 2*{w.padding} - {w.dilation}*({w.kernel} - 1) - 1)/{w.stride}) + 1 = {made}"
