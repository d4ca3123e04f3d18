"""The back end: neutral operations become layers that compute the same, held to NumPy in the file's order of axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from archspec.diagnostics import DataError
from archspec.importing.building import Built, built
from archspec.importing.operations import Operation, Order, Program, Value
from archspec.importing.reading import counted
from archspec.lower import build, split
from archspec.weights.tensors import Tensor

RNG = np.random.default_rng(0)
FIRST: Order = "channels_first"
LAST: Order = "channels_last"


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: Tensor.of(array) for name, array in arrays.items()}


def op(kind: str | None, inputs: str, output: str, **fields: Any) -> Operation:
    arrays = fields.pop("arrays", {})
    return Operation(kind, tuple(inputs.split()), tuple(output.split()), fields, tensors(arrays), said=kind or "Odd")


def program(
    *operations: Operation,
    shape: tuple[int, ...],
    constants: Mapping[str, np.ndarray] | None = None,
    order: Order = FIRST,
    outputs: tuple[str, ...] = ("y",),
) -> Program:
    return Program("net", order, (Value("x", shape),), operations, outputs, tensors(constants or {}))


def made(what: Program, **options: Any) -> Built:
    return built(what, Path("net.file"), **options)


def run(result: Built, x: np.ndarray) -> np.ndarray:
    """What the network gives for one sample in our axes, with the arrays of the file."""
    assert result.graph is not None, result.missing
    pure, params, statistics = split(build(result.graph))
    given = {name: jnp.asarray(array) for name, array in result.arrays.items()}
    assert set(given) == {*params, *statistics}
    params, statistics = ({name: given[name] for name in group} for group in (params, statistics))
    output = pure.apply(params, statistics, jnp.asarray(x)[None], train=False)[0]
    return np.asarray(output)[0]


def kinds(result: Built) -> list[str]:
    assert result.graph is not None, result.missing
    return [node.kind for node in result.graph.nodes]


def to_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 0, -1)


def conv1x1(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return np.einsum("oi,ihw->ohw", kernel[:, :, 0, 0], x)


def test_a_flattened_map_keeps_the_order_of_the_file() -> None:
    kernel, weights, bias = random(5, 3, 1, 1), random(4, 30), random(4)
    what = program(
        op("conv", "x", "c", filters=5, kernel=[1, 1], pad=[[0, 0], [0, 0]], bias=False, arrays={"kernel": kernel}),
        op("flatten", "c", "f"),
        op("dense", "f", "y", units=4, arrays={"kernel": weights, "bias": bias}),
        shape=(3, 2, 3),
    )
    x = random(3, 2, 3)
    expected = weights @ conv1x1(x, kernel).ravel() + bias
    assert np.allclose(run(made(what), to_last(x)), expected, atol=1e-5)


def test_a_map_that_was_turned_before_it_is_flattened_is_flattened_as_ours() -> None:
    weights = random(4, 30)
    what = program(
        op("transpose", "x", "t", axes=(0, 2, 3, 1)),
        op("reshape", "t", "f", shape=(-1, 30)),
        op("matmul", "f w", "m"),
        op("add", "m b", "y"),
        shape=(5, 2, 3),
        constants={"w": weights.T, "b": np.ones(4, np.float32)},
        outputs=("y",),
    )
    # Its only user turns the input at once, so that the file's own input has the channels last.
    what = Program(
        what.name,
        FIRST,
        what.inputs,
        (op("relu", "x", "r"), op("transpose", "r", "t", axes=(0, 2, 3, 1)), *what.operations[1:]),
        what.outputs,
        what.constants,
    )
    x = random(5, 2, 3)
    expected = weights @ np.maximum(to_last(x), 0).ravel() + 1
    result = made(what)
    assert kinds(result) == ["relu", "flatten", "dense"]
    assert np.allclose(run(result, to_last(x)), expected, atol=1e-5)


def test_an_input_with_channels_last_in_a_file_with_channels_first() -> None:
    kernel = random(4, 3, 1, 1)
    what = program(
        op("transpose", "x", "t", axes=(0, 3, 1, 2)),
        op("conv", "t", "c", filters=4, kernel=[1, 1], bias=False, arrays={"kernel": kernel}),
        op("transpose", "c", "y", axes=(0, 2, 3, 1)),
        shape=(6, 5, 3),
    )
    x = random(6, 5, 3)
    result = made(what)
    assert kinds(result) == ["conv"] and result.graph is not None
    assert result.graph.input.shape == (6, 5, 3)
    assert np.allclose(run(result, x), to_last(conv1x1(np.moveaxis(x, -1, 0), kernel)), atol=1e-5)


@pytest.mark.parametrize("order", [FIRST, LAST])
def test_constants_become_biases_scales_and_normalisations(order: Order) -> None:
    kernel, bias = random(2, 3), random(2)
    factor, summand = random(2), random(2)
    wide = (2, 1, 1) if order == FIRST else (2,)
    kernels = kernel.reshape(2, 3, 1, 1) if order == FIRST else kernel.T.reshape(1, 1, 3, 2)
    what = program(
        op("conv", "x", "c", filters=2, kernel=[1, 1], bias=False, arrays={"kernel": kernels}),
        op("add", "c b", "a"),
        op("relu", "a", "r"),
        op("multiply", "r f", "m"),
        op("add", "s m", "n"),
        op("multiply", "n half", "h"),
        op("subtract", "one h", "y"),
        shape=(3, 4, 5) if order == FIRST else (4, 5, 3),
        constants={
            "b": bias.reshape(wide),
            "f": factor.reshape(wide),
            "s": summand.reshape(1, *wide),
            "half": np.array(0.5, np.float32),
            "one": np.array([1.0], np.float32),
        },
        order=order,
    )
    x = random(4, 5, 3)
    result = made(what)
    expected = 1 - 0.5 * (np.maximum(x @ kernel.T + bias, 0) * factor + summand)
    assert kinds(result) == ["conv", "relu", "batch_norm", "scale", "scale", "batch_norm"]
    assert np.allclose(run(result, x), expected, atol=1e-5)


VIEWS: list[tuple[str, list[tuple[str, tuple[int, ...]]], list[str]]] = [
    (
        "shuffle",
        [("reshape", (-1, 2, 4, 4, 6)), ("transpose", (0, 2, 1, 3, 4)), ("reshape", (-1, 8, 4, 6))],
        ["channel_shuffle"],
    ),
    (
        "to space",
        [("reshape", (0, 2, 2, 2, 4, 6)), ("transpose", (0, 1, 4, 2, 5, 3)), ("reshape", (0, 2, 8, 12))],
        ["depth_to_space"],
    ),
    (
        "to space, TensorFlow's",
        [("reshape", (0, 2, 2, 2, 4, 6)), ("transpose", (0, 3, 4, 1, 5, 2)), ("reshape", (0, 2, 8, 12))],
        ["depth_to_space"],
    ),
    (
        "to depth",
        [("reshape", (0, 8, 2, 2, 3, 2)), ("transpose", (0, 1, 3, 5, 2, 4)), ("reshape", (0, 32, 2, 3))],
        ["space_to_depth"],
    ),
    ("of other sizes", [("reshape", (-1, 4, 8, 6))], ["reshape"]),
    ("a vector", [("reshape", (-1, 192))], ["flatten"]),
    (
        "there and back",
        [("transpose", (0, 2, 3, 1)), ("reshape", (0, 24, 8)), ("reshape", (0, 4, 6, 8)), ("transpose", (0, 3, 1, 2))],
        [],
    ),
]


@pytest.mark.parametrize(("steps", "expected"), [item[1:] for item in VIEWS], ids=[item[0] for item in VIEWS])
def test_reshapes_and_transpositions_become_what_they_do(
    steps: list[tuple[str, tuple[int, ...]]], expected: list[str]
) -> None:
    x = random(8, 4, 6)
    file = np.maximum(x, 0)[None]
    operations = [op("relu", "x", "v0")]
    for number, (kind, numbers) in enumerate(steps):
        field = {"shape": numbers} if kind == "reshape" else {"axes": numbers}
        operations.append(op(kind, f"v{number}", f"v{number + 1}", **field))
        own = tuple(1 if place == 0 else size for place, size in enumerate(numbers))
        file = file.reshape(own) if kind == "reshape" else file.transpose(numbers)
    # A layer behind them sees what the file sees.
    operations.append(op("sigmoid", f"v{len(steps)}", "y"))
    result = made(program(*operations, shape=(8, 4, 6)))
    assert kinds(result) == ["relu", *expected, "sigmoid"]
    found = run(result, to_last(x))
    wanted = 1 / (1 + np.exp(-file[0]))
    if wanted.ndim == 1:
        # Ours flattens with channels varying fastest, which is told.
        found = np.moveaxis(found.reshape(4, 6, 8), -1, 0).ravel()
    else:
        wanted = to_last(wanted)
    assert np.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("operations", "why"),
    [
        ([op("transpose", "x", "t", axes=(0, 1, 3, 2)), op("relu", "t", "y")], "moves axes as no layer here does"),
        ([op("transpose", "x", "y", axes=(1, 0, 2, 3))], "moves the batch's axis"),
        ([op("reshape", "x", "y", shape=(-1, 4))], "samples would mix"),
        ([op("multiply", "x k", "y")], "not one number for each channel"),
        ([op("clip", "x", "y", low=-1.0, high=1.0)], "there are relu6 and relu"),
        ([op("mean", "x", "y", axes=(1,))], "those of all places are"),
        ([op("softmax", "x", "s", axis=3), op("relu", "s", "y")], "not the channels'"),
        ([op(None, "x", "y")], "has no kind here"),
        ([op("conv", "x", "y", filters=2, kernel=[9, 9])], "does not fit"),
        ([op("conv", "x", "y", filters=2, kernel=[0, 1])], "must be a whole number of 1 or more"),
        ([op("no_such", "x", "y")], "has no kind like it"),
    ],
)
def test_what_is_no_layer_is_named(operations: list[Operation], why: str) -> None:
    result = made(program(*operations, shape=(8, 4, 6), constants={"k": random(4, 6)}))
    assert result.graph is None
    (item,) = result.missing
    assert why in item.why
    assert "not_imported" in result.text


def test_pieces_become_one_layer() -> None:
    what = program(
        op("sigmoid", "x", "s"),
        op("multiply", "x s", "silu"),
        op("softplus", "silu", "p"),
        op("tanh", "p", "t"),
        op("multiply", "t silu", "mish"),
        op("pad", "mish", "padded", pad=[[0, 0], [0, 0], [1, 1], [1, 1]]),
        op(
            "depthwise_conv",
            "padded",
            "d",
            kernel=[3, 3],
            pad=[[0, 0], [0, 0]],
            arrays={"kernel": random(8, 1, 3, 3), "bias": random(8)},
        ),
        op("clip", "d", "c", low=0.0, high=6.0),
        op("mean", "c", "g", axes=(2, 3), keep=True),
        op("flatten", "g", "f"),
        op("softmax", "f", "y"),
        shape=(8, 4, 6),
    )
    result = made(what)
    assert kinds(result) == ["silu", "mish", "depthwise_conv", "relu6", "global_avg_pool"]
    assert "pad: same" in result.text
    assert "1 output ends with softmax, which is left out: the scores before it come out" in result.notes
    assert kinds(made(what, keep_softmax=True))[-1] == "softmax"


def test_arrays_that_are_the_same_are_shared() -> None:
    kernel = Tensor.of(random(3, 3, 1, 1))
    layers = [
        Operation("conv", (source,), (target,), {"filters": 3, "kernel": [1, 1], "bias": False}, {"kernel": kernel})
        for source, target in (("x", "a"), ("a", "y"))
    ]
    result = made(program(*layers, shape=(3, 4, 4)))
    assert result.graph is not None and result.graph.params == 9
    assert list(result.arrays) == ["conv1.kernel"]


def test_repeats_are_rolled_up_and_arrays_go_along() -> None:
    arrays = [random(4, 4, 1, 1) for _ in range(6)]
    operations = []
    for number, kernel in enumerate(arrays):
        operations.append(
            op(
                "conv",
                f"v{number}" if number else "x",
                f"c{number}",
                filters=4,
                kernel=[1, 1],
                bias=False,
                arrays={"kernel": kernel},
            )
        )
        operations.append(op("relu", f"c{number}", "y" if number == 5 else f"v{number + 1}"))
    what = program(*operations, shape=(4, 3, 3))
    x = random(4, 3, 3)
    expected = x
    for kernel in arrays:
        expected = np.maximum(conv1x1(expected, kernel), 0)
    for flat in (False, True):
        result = made(what, flat=flat)
        assert ("repeat" in result.text) is not flat
        assert np.allclose(run(result, to_last(x)), to_last(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (program(op("relu", "x", "y"), shape=(3, -1, 4)), "does not say how large"),
        (program(op("relu", "x", "z"), shape=(3, 4, 4)), "nothing before it makes"),
        (program(shape=(3, 4, 4), outputs=("x",)), "its outputs are its inputs"),
        (program(op("relu", "x", "y"), shape=(3, 4, 4, 4)), "no image, signal or vector"),
        (program(op("relu", "x", "y"), shape=(3, 4, 4), outputs=()), "names no output"),
        (
            program(op("dense", "x", "y", units=2, arrays={"kernel": random(2, 7), "bias": random(2)}), shape=(8,)),
            "is 2×7, not 2×8",
        ),
    ],
)
def test_programs_that_are_none(what: Program, words: str) -> None:
    with pytest.raises(DataError, match=words):
        made(what)


def test_names_are_paths_of_which_none_is_the_scope_of_another() -> None:
    names = ["a", "a/b", "a/b/c", "a", "1st layer!", "input", "", "a.b"]
    operations = []
    for number, name in enumerate(names):
        source, target = f"v{number}" if number else "x", "y" if number == len(names) - 1 else f"v{number + 1}"
        operations.append(Operation("relu", (source,), (target,), name=name))
    result = made(program(*operations, shape=(3, 4, 4)), flat=True)
    assert result.graph is not None
    paths = [node.path for node in result.graph.nodes]
    assert len(set(paths)) == len(paths)
    assert not any(other.startswith(f"{path}.") for path in paths for other in paths)
    assert "a.b.c" in paths and "1st_layer" in paths


@pytest.mark.parametrize("kind", ["add", "matmul"])
def test_constants_are_not_computed_beyond_a_bound(kind: str) -> None:
    column, row = np.zeros((10_000, 1), np.float32), np.zeros((1, 10_000), np.float32)
    result = made(
        program(op(kind, "a b", "c"), op("multiply", "x c", "y"), shape=(4,), constants={"a": column, "b": row})
    )
    assert any("a constant of 100,000,000 numbers" in item.why for item in result.missing)


def test_a_stride_of_nothing_is_not_imported() -> None:
    kernel = np.zeros((3, 1, 3, 3), np.float32)
    conv = op("depthwise_conv", "x", "y", kernel=[3, 3], stride=[0, 0], pad="same_upper", arrays={"kernel": kernel})
    result = made(program(conv, shape=(3, 8, 8)))
    assert [item.name for item in result.missing] == ["not_imported1"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3)])
def test_one_kernel_with_two_biases(order: tuple[int, ...]) -> None:
    """Of two uses of a kernel each has summands of its own: neither is given the other's as a bias."""
    arrays = {"kernel": Tensor.of(random(4, 3, 1, 1))}
    fields = {"filters": 4, "kernel": [1, 1], "bias": False}
    one, other = random(4, 1, 1), random(4, 1, 1)
    twice = [
        Operation("conv", ("x",), ("a",), fields, arrays),
        op("add", "a one", "b"),
        Operation("conv", ("x",), ("c",), fields, arrays),
        op("add", "c other", "d"),
    ]
    result = made(
        program(
            *(twice[at] for at in order),
            op("subtract", "b d", "y"),
            shape=(3, 5, 5),
            constants={"one": one, "other": other},
        ),
        flat=True,
    )
    wanted = np.broadcast_to(one - other, (4, 5, 5))
    np.testing.assert_allclose(run(result, random(5, 5, 3)), to_last(wanted), atol=1e-5)


@pytest.mark.parametrize(
    ("text", "one", "several"),
    [
        ("{poolings} have padding, left out", "1 pooling has padding, left out", "2 poolings have padding, left out"),
        (
            "{dense layers} are 1×1 convolutions",
            "1 dense layer is a 1×1 convolution",
            "2 dense layers are 1×1 convolutions",
        ),
        ("{Loss} left out: what they take are outputs", "1 Loss left out: what it takes is an output", ""),
        ("{factors and summands} of channels are it", "1 factor and summand of channels is it", ""),
    ],
)
def test_notes_speak_of_one_and_of_several(text: str, one: str, several: str) -> None:
    assert counted({text: 1}) == [one]
    assert not several or counted({text: 2}) == [several]
