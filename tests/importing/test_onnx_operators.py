"""ONNX's operators: what each becomes gives what onnxruntime gives for the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archspec.importing import onnx_file
from archspec.importing.building import Built, built
from tests.importing.running import apart, ours, runtime

RNG = np.random.default_rng(0)
Step = tuple[Any, ...]
"""An operator, its inputs behind the value before it (arrays become initialisers), and its attributes."""


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def file_of(
    path: Path, steps: Sequence[Step], shape: Sequence[int | str], opset: int = 17, out: int | None = None
) -> Path:
    """A chain of operators as a file. Of several values of one, the first goes on."""
    nodes, arrays, value = [], [], "x"
    for number, (op, *rest) in enumerate(steps):
        attributes = dict(rest.pop()) if rest and isinstance(rest[-1], dict) else {}
        names = []
        for place, item in enumerate(rest):
            if isinstance(item, np.ndarray | np.generic):
                names.append(f"a{number}_{place}")
                arrays.append(numpy_helper.from_array(np.asarray(item), names[-1]))
            else:
                names.append(item)
        swapped = attributes.pop("swapped", False)
        inputs = [*names, value] if swapped else [value, *names]
        value = f"v{number}"
        nodes.append(helper.make_node(op, inputs, [value], **attributes))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [None] * out if out else None)],
        arrays,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path))
    return path


def read(path: Path, size: tuple[int, ...] | None = None) -> Built:
    return built(onnx_file.read(path, size), path, keep_softmax=True, flat=True)


def kinds(made: Built) -> list[str]:
    assert made.graph is not None, [(item.said, item.why) for item in made.missing]
    return [node.kind for node in made.graph.nodes]


class Case(NamedTuple):
    steps: Sequence[Step]
    kinds: Sequence[str]
    opset: int = 17
    shape: Sequence[int] = (2, 4, 9, 10)


CONV = ("Conv", drawn(6, 4, 3, 3), drawn(6))
GELU = (
    ("Div", np.float32(2**0.5)),
    ("Erf",),
    ("Add", np.float32(1)),
    ("Mul", "x"),
    ("Mul", np.float32(0.5)),
)
LAYER_NORM = (
    ("ReduceMean", {"axes": [1]}),
    ("Sub", "x", {"swapped": True}),
    ("Pow", np.float32(2)),
    ("ReduceMean", {"axes": [1]}),
    ("Add", np.float32(1e-6)),
    ("Sqrt",),
    ("Div", "v1", {"swapped": True}),
    ("Mul", drawn(4, 1, 1)),
    ("Add", drawn(4, 1, 1)),
)
SHUFFLE = (
    ("Reshape", ints(2, 2, 2, 9, 10)),
    ("Transpose", {"perm": [0, 2, 1, 3, 4]}),
    ("Reshape", ints(2, -1, 9, 10)),
)
CASES = {
    "conv": Case(
        [("Conv", drawn(6, 4, 3, 2), {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]})], ["conv"]
    ),
    "conv in groups": Case([("Conv", drawn(6, 2, 3, 3), drawn(6), {"group": 2})], ["conv"]),
    "depthwise": Case([("Conv", drawn(8, 1, 3, 3), {"group": 4, "auto_pad": "VALID"})], ["depthwise_conv"]),
    "same upper": Case([("Conv", drawn(6, 4, 3, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 2]})], ["conv"]),
    "same lower": Case([("Conv", drawn(6, 4, 3, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 2]})], ["conv"]),
    "conv of a signal": Case([("Conv", drawn(6, 4, 3), drawn(6), {"pads": [2, 0]})], ["conv"], shape=(2, 4, 9)),
    "transposed": Case(
        [
            (
                "ConvTranspose",
                drawn(4, 3, 3, 2),
                drawn(3),
                {"strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 2]},
            )
        ],
        ["transposed_conv"],
    ),
    "transposed in groups": Case([("ConvTranspose", drawn(4, 3, 3, 3), {"group": 2})], ["transposed_conv"]),
    "transposed to a size": Case(
        [("ConvTranspose", drawn(4, 3, 3, 3), {"strides": [2, 2], "output_shape": [18, 19]})], ["transposed_conv"]
    ),
    "transposed same": Case(
        [("ConvTranspose", drawn(4, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"})], ["transposed_conv"]
    ),
    "max pool": Case(
        [("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1], "dilations": [1, 2]})],
        ["max_pool"],
    ),
    "max pool, ceil": Case([("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1})], ["max_pool"]),
    "max pool, stride 1": Case([("MaxPool", {"kernel_shape": [3, 3]})], ["max_pool"]),
    "average pool": Case(
        [("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]})], ["avg_pool"]
    ),
    "average pool with padding": Case(
        [("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1})],
        ["avg_pool"],
    ),
    "global": Case([("GlobalAveragePool",), ("Flatten",)], ["global_avg_pool"]),
    "global by mean": Case([("ReduceMean", {"axes": [-1, -2], "keepdims": 0})], ["global_avg_pool"]),
    "global maximum": Case([("GlobalMaxPool",)], ["global_max_pool"]),
    "batch norm": Case(
        [("BatchNormalization", drawn(4), drawn(4), drawn(4), abs(drawn(4)) + 0.1, {"epsilon": 0.01})], ["batch_norm"]
    ),
    "instance norm": Case([("InstanceNormalization", drawn(4), drawn(4))], ["instance_norm"]),
    "group norm in pieces": Case(
        [
            ("Reshape", ints(0, 2, -1)),
            ("InstanceNormalization", np.ones(2, np.float32), np.zeros(2, np.float32)),
            ("Reshape", ints(2, 4, 9, 10)),
            ("Mul", drawn(4, 1, 1)),
            ("Add", drawn(4, 1, 1)),
        ],
        ["group_norm"],
    ),
    "layer norm in pieces": Case(LAYER_NORM, ["layer_norm"]),
    "layer norm of the last axis": Case(
        [
            ("Transpose", {"perm": [0, 2, 3, 1]}),
            ("LayerNormalization", drawn(4), drawn(4), {"epsilon": 1e-6}),
            ("MatMul", drawn(4, 5)),
            ("Add", drawn(5)),
            ("Transpose", {"perm": [0, 3, 1, 2]}),
        ],
        ["layer_norm", "conv"],
    ),
    "lrn": Case([("LRN", {"size": 3, "alpha": 0.1, "beta": 0.5, "bias": 2.0})], ["lrn"]),
    "dense": Case([("Flatten",), ("Gemm", drawn(7, 360), drawn(7), {"transB": 1})], ["flatten", "dense"]),
    "dense, scaled": Case(
        [("Flatten",), ("Gemm", drawn(360, 7), drawn(1, 7), {"alpha": 0.5, "beta": 2.0})], ["flatten", "dense"]
    ),
    "dense by matmul": Case(
        [("Reshape", ints(2, -1)), ("MatMul", drawn(360, 7)), ("Add", drawn(7))], ["flatten", "dense"]
    ),
    "flatten from a shape": Case([("Reshape", ints(0, -1)), ("Gemm", drawn(360, 3))], ["flatten", "dense"]),
    "functions": Case(
        [
            CONV,
            ("Relu",),
            ("Sigmoid",),
            ("Tanh",),
            ("LeakyRelu", {"alpha": 0.2}),
            ("Elu", {"alpha": 0.5}),
            ("Softplus",),
        ],
        ["conv", "relu", "sigmoid", "tanh", "leaky_relu", "elu", "softplus"],
    ),
    "hard ones": Case(
        [("HardSwish",), ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}), ("Clip", np.float32(0), np.float32(6))],
        ["hard_swish", "hard_sigmoid", "relu6"],
    ),
    "clip of version 9": Case([("Clip", {"min": 0.0, "max": 6.0})], ["relu6"], 9),
    "mish": Case([("Mish",)], ["mish"], 18),
    "mish in pieces": Case([("Softplus",), ("Tanh",), ("Mul", "x")], ["mish"]),
    "silu in pieces": Case([("Sigmoid",), ("Mul", "x", {"swapped": True})], ["silu"]),
    "hard sigmoid in pieces": Case(
        [("Add", np.float32(3)), ("Clip", np.float32(0), np.float32(6)), ("Div", np.float32(6))], ["hard_sigmoid"]
    ),
    "hard swish in pieces": Case(
        [("Add", np.float32(3)), ("Clip", np.float32(0), np.float32(6)), ("Div", np.float32(6)), ("Mul", "x")],
        ["hard_swish"],
    ),
    "gelu": Case([("Gelu",)], ["gelu"], 20),
    "gelu by tanh": Case([("Gelu", {"approximate": "tanh"})], ["gelu"], 20),
    "gelu in pieces": Case(GELU, ["gelu"]),
    "a function of a function": Case([("Relu",), ("Sigmoid",), ("Mul", "v0")], ["relu", "silu"]),
    "scaled tanh": Case([("Mul", np.float32(2 / 3)), ("Tanh",), ("Mul", np.float32(1.7159))], ["scaled_tanh"]),
    "prelu": Case([("PRelu", drawn(4, 1, 1))], ["prelu"]),
    "prelu of one slope": Case([("PRelu", drawn(1))], ["prelu"]),
    "softmax": Case([("Softmax", {"axis": 1})], ["softmax"]),
    "softmax of channels behind": Case(
        [("Transpose", {"perm": [0, 2, 3, 1]}), ("Softmax", {"axis": -1}), ("Transpose", {"perm": [0, 3, 1, 2]})],
        ["softmax"],
    ),
    "log softmax": Case(
        [("GlobalMaxPool",), ("Flatten",), ("LogSoftmax", {"axis": 1})], ["global_max_pool", "log_softmax"], 11
    ),
    "unit length": Case([("LpNormalization", {"axis": 1, "p": 2})], ["l2_normalise"]),
    "unit length in pieces": Case(
        [
            ("ReduceL2", {"axes": [1]}),
            ("Clip", np.float32(1e-12)),
            ("Expand", ints(2, 4, 9, 10)),
            ("Div", "x", {"swapped": True}),
        ],
        ["l2_normalise"],
    ),
    "gates": Case(
        [("GlobalAveragePool",), ("Conv", drawn(4, 4, 1, 1)), ("Sigmoid",), ("Mul", "x")],
        ["global_avg_pool", "conv", "sigmoid", "multiply"],
    ),
    "joins": Case([("Add", "x"), ("Mul", "x"), ("Sub", "x"), ("Max", "x")], ["add", "multiply", "subtract", "maximum"]),
    "sum of many": Case([("Sum", "x", "x"), ("Mean", "x")], ["add", "average"]),
    "concatenation": Case([("Relu",), ("Concat", "x", "x", {"axis": 1})], ["relu", "concat"]),
    "factors": Case([("Mul", np.float32(0.3)), ("Mul", drawn(1, 4, 1, 1))], ["scale", "layer_scale"]),
    "shuffle": Case(SHUFFLE, ["channel_shuffle"]),
    "shuffle by gather": Case([("Gather", ints(0, 2, 1, 3), {"axis": 1})], ["channel_shuffle"]),
    "part of the channels": Case([("Slice", ints(1), ints(3), ints(1))], ["slice"]),
    "parts in steps": Case(
        [("Slice", ints(0, 1), ints(2**63 - 1, -2), ints(2, 3), ints(2, 3)), ("Gather", ints(1, 2), {"axis": 1})],
        ["slice", "slice"],
    ),
    "slice of version 9": Case([("Slice", {"starts": [1], "ends": [3], "axes": [2]})], ["slice"], 9),
    "pad": Case([("Pad", ints(0, 0, 1, 0, 0, 0, 2, 3), np.float32(0.5))], ["pad"]),
    "pad, mirrored": Case([("Pad", ints(0, 0, 1, 2, 0, 0, 2, 3), {"mode": "reflect"})], ["pad"]),
    "pad of channels": Case([("Pad", ints(0, 0, 0, 0, 0, 3, 0, 0))], ["pad_channels"]),
    "depth to space": Case([("DepthToSpace", {"blocksize": 2})], ["depth_to_space"]),
    "depth to space, CRD": Case([("DepthToSpace", {"blocksize": 2, "mode": "CRD"})], ["depth_to_space"]),
    "space to depth": Case([("SpaceToDepth", {"blocksize": 2})], ["space_to_depth"], shape=(2, 4, 8, 10)),
    "pixel shuffle in pieces": Case(
        [
            ("Reshape", ints(2, 1, 2, 2, 9, 10)),
            ("Transpose", {"perm": [0, 1, 4, 2, 5, 3]}),
            ("Reshape", ints(2, 1, 18, 20)),
        ],
        ["depth_to_space"],
    ),
    "resize, nearest": Case(
        [
            (
                "Resize",
                "",
                np.array([1, 1, 2, 3], np.float32),
                {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            )
        ],
        ["resize"],
    ),
    "resize, half pixels": Case([("Resize", "", np.array([1, 1, 2, 2], np.float32))], ["resize"]),
    "resize, bilinear": Case([("Resize", "", "", ints(2, 4, 13, 7), {"mode": "linear"})], ["resize"]),
    "resize, corners": Case(
        [("Resize", "", "", ints(2, 4, 17, 21), {"mode": "linear", "coordinate_transformation_mode": "align_corners"})],
        ["resize"],
    ),
    "upsample": Case([("Upsample", np.array([1, 1, 2, 2], np.float32))], ["resize"], 9),
    "shapes taken apart": Case(
        [
            ("Shape",),
            ("Gather", ints(0), {"axis": 0}),
            ("Concat", ints(-1), {"axis": 0}),
            ("Reshape", "x", {"swapped": True}),
        ],
        ["flatten"],
    ),
    "left out": Case([("Identity",), ("Relu",), ("Cast", {"to": 1}), ("Dropout",)], ["relu", "dropout"]),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_operator_gives_what_onnxruntime_gives(case: Case, tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.onnx", case.steps, case.shape, case.opset)
    made = read(path)
    assert kinds(made) == list(case.kinds)
    x = drawn(*case.shape)
    (expected,), (found,) = runtime(path, [x]), ours(made, [x])
    if kinds(made)[-1] == "flatten":
        # Here channels vary fastest, in the file columns do.
        expected = np.moveaxis(expected.reshape(case.shape), 1, -1)
    assert apart(found, expected) < 1e-5


@pytest.mark.parametrize("name", ["dense", "shapes taken apart", "gates", "flatten from a shape"])
def test_the_batch_may_be_open(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = file_of(tmp_path / "a.onnx", case.steps, ["n", *case.shape[1:]], case.opset)
    assert kinds(read(path)) == list(case.kinds)


def test_version_6_spreads_a_constant_from_an_axis_on(tmp_path: Path) -> None:
    """As the operators' definition has it; onnxruntime begins with version 7."""
    factors, summands = drawn(4), drawn(4, 9, 1)
    spread = {"axis": 1, "broadcast": 1}
    steps = [("Mul", factors, spread), ("Add", summands[:, 0, 0], spread)]
    made = read(file_of(tmp_path / "a.onnx", steps, (2, 4, 9, 10), opset=6))
    x = drawn(2, 4, 9, 10)
    wanted = x * factors[:, None, None] + summands[:, :1]
    assert apart(ours(made, [x])[0], wanted) < 1e-6
