"""Shapes agree with torch and NumPy, which compute them for real."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.tools import ToolError, computing_tools, shapes
from agents.tools.base import Toolbox
from agents.tools.shapes import Window

BOX = Toolbox.of(computing_tools())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4), st.integers(0, 4), st.integers(1, 3))
def test_convolutions_agree_with_torch(size, kernel, stride, padding, dilation):
    window = Window(kernel, stride, padding, dilation)
    layer = torch.nn.Conv1d(1, 1, kernel, stride, padding, dilation, device="meta")
    try:
        expected = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
    except RuntimeError:
        with pytest.raises(ToolError):
            shapes.window_output(size, window)
        return
    assert shapes.window_output(size, window) == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 4), st.booleans(), st.data())
def test_pooling_agrees_with_torch(size, kernel, stride, ceil_mode, data):
    padding = data.draw(st.integers(0, kernel // 2))
    pool = torch.nn.MaxPool1d(kernel, stride, padding, ceil_mode=ceil_mode)
    try:
        expected = pool(torch.empty(1, 1, size)).shape[-1]
    except RuntimeError:
        return
    assert shapes.window_output(size, Window(kernel, stride, padding), "pool", ceil_mode=ceil_mode) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 3))
def test_transposed_convolutions_agree_with_torch(size, kernel, stride, padding, dilation):
    layer = torch.nn.ConvTranspose1d(1, 1, kernel, stride, padding, dilation=dilation, device="meta")
    try:
        expected = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
    except RuntimeError:
        return
    window = Window(kernel, stride, padding, dilation)
    if expected < 1:
        with pytest.raises(ToolError):
            shapes.window_output(size, window, "transposed")
    else:
        assert shapes.window_output(size, window, "transposed") == expected


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_parameters_agree_with_torch(groups, bias):
    layer = torch.nn.Conv2d(8, 12, (3, 5), groups=groups, bias=bias)
    counted = shapes.convolution([32, 32], [Window(3), Window(5)], channels=(8, 12), groups=groups, bias=bias)
    assert counted.parameters == sum(p.numel() for p in layer.parameters())


SHAPE = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@settings(deadline=None, max_examples=50)
@given(SHAPE, SHAPE)
def test_matmul_and_broadcast_agree_with_numpy(left, right):
    a, b = np.zeros(left), np.zeros(right)
    for ours, theirs in ((shapes.matmul, np.matmul), (shapes.broadcast, np.add)):
        try:
            expected = theirs(a, b).shape
        except ValueError:
            with pytest.raises(ToolError):
                ours(left, right)
        else:
            assert ours(left, right) == expected


def test_the_formula_is_shown_and_true():
    call = BOX.call("convolution_output", {"input_size": 224, "kernel_size": 7, "stride": 2, "padding": 3})
    assert call.output.value["shape"] == [112, 112]
    assert "floor((224 + 2*3 - 1*(7 - 1) - 1)/2) + 1 = 112" in call.output.receipt


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"operation": "matmul", "shape": [2, 3, 4], "other": [4, 5]}, [2, 3, 5]),
        ({"operation": "broadcast", "shape": [8, 1, 6], "other": [7, 1]}, [8, 7, 6]),
        ({"operation": "concat", "shape": [2, 3], "other": [2, 5], "axis": 1}, [2, 8]),
        ({"operation": "reshape", "shape": [2, 3, 4], "other": [6, -1]}, [6, 4]),
        ({"operation": "permute", "shape": [1, 28, 28, 3], "other": [0, 3, 1, 2]}, [1, 3, 28, 28]),
        ({"operation": "flatten", "shape": [32, 64, 7, 7]}, [32, 3136]),
        ({"operation": "linear", "shape": [32, 3136], "out_features": 10}, [32, 10]),
    ],
)
def test_tensor_shapes(arguments, shape):
    assert BOX.call("tensor_shape", arguments).output.value["shape"] == shape


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("tensor_shape", {"operation": "matmul", "shape": [2, 3], "other": [4, 5]}, "inner sizes"),
        ("tensor_shape", {"operation": "reshape", "shape": [2, 3], "other": [4, -1]}, "do not fill"),
        ("tensor_shape", {"operation": "concat", "shape": [2, 3], "other": [4, 5], "axis": 0}, "another axis"),
        ("tensor_shape", {"operation": "permute", "shape": [2, 3], "other": [0, 0]}, "each of the 2 axes"),
        ("tensor_shape", {"operation": "linear", "shape": [2, 3]}, "out_features"),
        ("tensor_shape", {"operation": "explode", "shape": [2]}, "operation"),
        ("convolution_output", {"input_size": 4, "kernel_size": 9}, "larger than"),
        ("convolution_output", {"input_size": 8, "kernel_size": 4, "padding": "same"}, "uneven"),
        ("convolution_output", {"input_size": [8, 8], "kernel_size": [3, 3, 3]}, "2 numbers"),
        ("convolution_output", {"input_size": 8}, "kernel_size"),
        (
            "convolution_output",
            {"input_size": 8, "kernel_size": 3, "in_channels": 3, "out_channels": 4, "groups": 2},
            "groups",
        ),
        ("date", {"day": "yesterday"}, "no date"),
        ("date", {"day": "2023-02-30"}, "no date"),
        ("date", {"day": "9999-12-31", "add_days": 2}, "calendar"),
        ("nothing", {}, "there is no tool"),
        ("calculate", {"expression": "1", "more": 2}, "more"),
    ],
)
def test_wrong_arguments_are_errors_with_a_reason(name, arguments, reason):
    call = BOX.call(name, arguments)
    assert call.output is None
    assert reason in call.error
