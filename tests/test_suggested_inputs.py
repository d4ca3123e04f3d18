"""Input sizes that are suggested where a network does not fit its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.loading import load, open_spec

Write = Callable[..., Path]


def u_net(height: int, width: int) -> str:
    """Four levels of 3×3 convolutions, pooling down, transposed convolutions up, and the encoder's maps beside."""
    conv = "  - conv: {{name: {}, filters: 4, kernel: 3, pad: same}}\n"
    down = "".join(conv.format(f"down{i}") + "  - max_pool: 2\n" for i in range(4))
    up = "".join(
        f"  - transposed_conv: {{name: up{i}, filters: 4, kernel: 2, stride: 2}}\n"
        f"  - concat: {{from: [up{i}, down{i}]}}\n" + conv.format(f"out{i}")
        for i in reversed(range(4))
    )
    return f"input: {{height: {height}, width: {width}, channels: 3}}\nlayers:\n" + down + conv.format("deep") + up


@pytest.mark.parametrize(
    ("size", "larger", "smaller"),
    [  # Multiples of 16 on both sides; a side that is one stays.
        ((350, 525), "352x528", "336x512"),
        ((101, 101), "112x112", "96x96"),
        ((375, 500), "384x512", "368x496"),
        ((250, 256), "256x256", "240x256"),
        ((16, 9), "16x16", None),
    ],
)
def test_inputs_for_a_u_net_are_multiples_of_its_stride(
    write: Write, size: tuple[int, int], larger: str, smaller: str | None
) -> None:
    path = write(u_net(*size))
    found = [item for item in open_spec(str(path)).diagnostics if item.severity == "error"]
    ways = [way.split("--input ")[1] for way in found[0].help if "--input" in way]
    assert ways == [larger, *([smaller] if smaller else [])]
    for way in ways:
        height, width = map(int, way.split("x"))
        assert load(path).graph((height, width))


def test_a_stride_that_is_reached_later_counts_too(write: Write) -> None:
    layers = "".join(f"  - conv: {{filters: 1, kernel: 2, stride: 2, rounding: exact, name: c{i}}}\n" for i in range(4))
    path = write("input: {height: 100, width: 33, channels: 1}\nlayers:\n" + layers)
    (item,) = open_spec(str(path)).diagnostics
    assert any("--input 112x48" in way for way in item.help)


@pytest.mark.parametrize(
    ("layers", "size", "wanted"),
    [
        # 227 is the side that Caffe's AlexNet has; (227 − 11)/4 + 1 = 55 is odd, as the pooling needs.
        (
            "[{conv: {filters: 4, kernel: 11, stride: 4}}, {max_pool: {window: 3, stride: 2, rounding: exact}}]",
            (224, 224),
            "227x227",
        ),
        # Strides of 2 that keep corners need 4·n + 1.
        (
            "[{conv: {filters: 4, kernel: 3, stride: 2, pad: 1, rounding: exact}}, "
            "{conv: {filters: 4, kernel: 3, stride: 2, pad: 1, rounding: exact}}]",
            (7, 9),
            "9x9",
        ),
        # (n/2)·2 − 1 is n where n is odd.
        (
            "[{conv: {filters: 4, kernel: 3, stride: 2, pad: 1}}, "
            "{transposed_conv: {name: up, filters: 3, kernel: 3, stride: 2, pad: 1}}, {add: {from: [up, input]}}]",
            (45, 64),
            "45x65",
        ),
    ],
)
def test_sides_that_leave_a_rest_are_found_too(write: Write, layers: str, size: tuple[int, int], wanted: str) -> None:
    path = write(f"input: {{height: {size[0]}, width: {size[1]}, channels: 3}}\nlayers: {layers}\n")
    errors = [item for item in open_spec(str(path)).diagnostics if item.severity == "error"]
    assert [line.split("--input ")[1] for line in errors[0].help if "--input" in line] == [wanted]
    height, width = map(int, wanted.split("x"))
    assert load(path).graph((height, width))
