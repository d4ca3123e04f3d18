"""TFLite files: one of LiteRT's own converter, operators that are written here byte for byte, and damaged ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec import import_model
from archspec.diagnostics import DataError
from archspec.formats import flatbuffers as read_tables
from archspec.formats.flatbuffers import root
from archspec.formats.mapping import DamagedError
from archspec.importing import tflite_file
from archspec.importing.building import Built, built
from archspec.importing.tflite.model import WORDS
from tests.importing.running import apart, ours

HERE = Path(__file__).parent
RECORDED = HERE / "recorded.tflite"
RNG = np.random.default_rng(0)


def read(path: Path) -> Built:
    return built(tflite_file.read(path), path, keep_softmax=True, flat=True)


def given(made: Built, x: np.ndarray) -> np.ndarray:
    """What a network gives for what has its channels last."""
    return np.moveaxis(ours(made, [np.moveaxis(x, -1, 1)])[0], 1, -1)


def drawn(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


# --- Written here ----------------------------------------------------------------------------------------------------

Fields = Mapping[int, Any]
"""A table: by slot a whole number in bytes (`("i4", 3)`), text, an array, another table, or a list of tables."""


def written(builder: flatbuffers.Builder, fields: Fields) -> int:
    """Writes a table, and whatever it has before it."""
    ready: dict[int, tuple[str, Any]] = {}
    for slot, value in fields.items():
        if isinstance(value, str):
            ready[slot] = ("table", builder.CreateString(value))
        elif isinstance(value, np.ndarray):
            ready[slot] = ("table", builder.CreateNumpyVector(np.ascontiguousarray(value).reshape(-1)))
        elif isinstance(value, list):
            made = [written(builder, item) for item in value]
            builder.StartVector(4, len(made), 4)
            for item in reversed(made):
                builder.PrependUOffsetTRelative(item)
            ready[slot] = ("table", builder.EndVector())
        elif isinstance(value, dict):
            ready[slot] = ("table", written(builder, value))
        else:
            ready[slot] = value
    builder.StartObject(max(fields, default=-1) + 1)
    put = {
        "i1": builder.PrependInt8Slot,
        "bool": builder.PrependBoolSlot,
        "i4": builder.PrependInt32Slot,
        "u4": builder.PrependUint32Slot,
        "f4": builder.PrependFloat32Slot,
        "table": builder.PrependUOffsetTRelativeSlot,
    }
    for slot, (kind, value) in ready.items():
        put[kind](slot, value, 0 if value else 77)
    return int(builder.EndObject())


def file_of(
    path: Path,
    word: str,
    shape: Sequence[int],
    out: Sequence[int],
    *,
    constants: Sequence[np.ndarray] = (),
    options: Fields | None = None,
    order: Sequence[int] | None = None,
    kind: int = 0,
) -> Path:
    """One operator. `order` has the places of its inputs: 0 is the value, others the constants."""
    types = {"float32": 0, "int32": 2, "int8": 9, "float16": 1}
    tensors: list[Fields] = [{0: np.array(shape, np.int32), 1: ("i1", kind), 2: ("u4", 0), 3: "x"}]
    buffers: list[Fields] = [{}]
    for number, array in enumerate(constants, 1):
        code = types[array.dtype.name]
        tensors.append({0: np.array(array.shape, np.int32), 1: ("i1", code), 2: ("u4", number), 3: f"c{number}"})
        buffers.append({0: np.frombuffer(array.tobytes(), np.uint8)})
    tensors.append({0: np.array(out, np.int32), 1: ("i1", kind), 2: ("u4", 0), 3: "y"})
    last = len(tensors) - 1
    inputs = order if order is not None else range(last)
    operator: Fields = {
        0: ("u4", 0),
        1: np.array(list(inputs), np.int32),
        2: np.array([last], np.int32),
        4: dict(options or {}),
    }
    graph = {0: tensors, 1: np.array([0], np.int32), 2: np.array([last], np.int32), 3: [operator], 4: "main"}
    code_of = WORDS.index(word)
    whole = {0: ("u4", 3), 1: [{0: ("i1", code_of), 3: ("i4", code_of)}], 2: [graph], 3: "by hand", 4: buffers}
    builder = flatbuffers.Builder(1024)
    builder.Finish(written(builder, whole), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


X = drawn(1, 7, 8, 4)


def of_window(kernel: np.ndarray, stride: tuple[int, int], pad: str, groups: int = 1) -> np.ndarray:
    return np.asarray(
        jax.lax.conv_general_dilated(
            jnp.asarray(X),
            jnp.asarray(kernel),
            stride,
            pad,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )
    )


def test_a_convolution_is_tensorflows(tmp_path: Path) -> None:
    kernel, bias = drawn(6, 3, 2, 4), drawn(6)
    expected = np.clip(of_window(kernel.transpose(1, 2, 3, 0), (2, 3), "SAME") + bias, 0, 6)
    options = {0: ("i1", 0), 1: ("i4", 3), 2: ("i4", 2), 3: ("i1", 3)}
    made = read(
        file_of(tmp_path / "a.tflite", "CONV_2D", X.shape, expected.shape, constants=[kernel, bias], options=options)
    )
    assert made.graph is not None
    assert [node.kind for node in made.graph.nodes] == ["conv", "relu6"]
    assert apart(given(made, X), expected) < 1e-5


def test_a_depthwise_convolution_is_tensorflows(tmp_path: Path) -> None:
    kernel, bias = drawn(1, 3, 3, 8), drawn(8)
    expected = of_window(kernel.reshape(3, 3, 1, 8), (1, 1), "VALID", 4) + bias
    options = {0: ("i1", 1), 1: ("i4", 1), 2: ("i4", 1), 3: ("i4", 2), 4: ("i1", 0)}
    path = file_of(
        tmp_path / "a.tflite", "DEPTHWISE_CONV_2D", X.shape, expected.shape, constants=[kernel, bias], options=options
    )
    made = read(path)
    assert made.graph is not None
    assert made.graph.nodes[0].kind == "depthwise_conv"
    assert apart(given(made, X), expected) < 1e-5


@pytest.mark.parametrize("same", [True, False])
def test_a_transposed_convolution_is_tensorflows(same: bool, tmp_path: Path) -> None:
    kernel = drawn(5, 3, 3, 4)
    turned = kernel.transpose(1, 2, 0, 3)
    expected = np.asarray(
        jax.lax.conv_transpose(
            jnp.asarray(X), jnp.asarray(turned), (2, 2), "SAME" if same else "VALID", transpose_kernel=True
        )
    )
    options = {0: ("i1", 0 if same else 1), 1: ("i4", 2), 2: ("i4", 2)}
    size = np.array(expected.shape, np.int32)
    path = file_of(
        tmp_path / "a.tflite",
        "TRANSPOSE_CONV",
        X.shape,
        expected.shape,
        constants=[size, kernel],
        options=options,
        order=[1, 2, 0],
    )
    assert apart(given(read(path), X), expected) < 1e-5


def test_a_dense_layer_flattens_what_it_takes(tmp_path: Path) -> None:
    matrix, bias = drawn(3, 224), drawn(3)
    expected = X.reshape(1, -1) @ matrix.T + bias
    made = read(file_of(tmp_path / "a.tflite", "FULLY_CONNECTED", X.shape, (1, 3), constants=[matrix, bias]))
    assert made.graph is not None
    assert [node.kind for node in made.graph.nodes] == ["flatten", "dense"]
    assert apart(given(made, X), expected) < 1e-5


def test_padding_does_not_count_in_means(tmp_path: Path) -> None:
    options = {0: ("i1", 0), 1: ("i4", 2), 2: ("i4", 2), 3: ("i4", 3), 4: ("i4", 3)}
    path = file_of(tmp_path / "a.tflite", "AVERAGE_POOL_2D", X.shape, (1, 4, 4, 4), options=options)
    padded = np.pad(X, ((0, 0), (1, 1), (0, 1), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]
    assert apart(given(read(path), X), np.nanmean(windows, (-1, -2))) < 1e-5


@pytest.mark.parametrize(
    ("word", "out", "constants", "options", "expected"),
    [
        ("MEAN", (1, 4), [np.array([1, 2], np.int32)], {}, X.mean((1, 2))),
        (
            "PAD",
            (1, 8, 10, 4),
            [np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.int32)],
            {},
            np.pad(X, ((0, 0), (1, 0), (0, 2), (0, 0))),
        ),
        ("ADD", (1, 7, 8, 4), [drawn(4)], {}, None),
        ("L2_NORMALIZATION", (1, 7, 8, 4), [], {}, X / np.maximum(np.sqrt((X**2).sum(-1, keepdims=True)), 1e-6)),
        (
            "LOCAL_RESPONSE_NORMALIZATION",
            (1, 7, 8, 4),
            [],
            {0: ("i4", 1), 1: ("f4", 2.0), 2: ("f4", 0.5), 3: ("f4", 0.75)},
            None,
        ),
        ("SPACE_TO_DEPTH", (1, 7, 4, 8), [], {0: ("i4", 2)}, None),
        (
            "STRIDED_SLICE",
            (1, 3, 8, 2),
            [np.array([0, 1, 0, 0], np.int32), np.array([1, 7, 8, 4], np.int32), np.array([1, 2, 1, 2], np.int32)],
            {},
            X[:, 1::2, :, ::2],
        ),
        ("RESHAPE", (1, 224), [np.array([1, 224], np.int32)], {}, X.reshape(1, -1)),
        ("LEAKY_RELU", (1, 7, 8, 4), [], {0: ("f4", 0.2)}, np.where(X > 0, X, np.float32(0.2) * X)),
        ("HARD_SWISH", (1, 7, 8, 4), [], {}, X * np.clip(X + 3, 0, 6) / 6),
        (
            "PRELU",
            (1, 7, 8, 4),
            [np.array([[[0.1, 0.2, 0.3, 0.4]]], np.float32)],
            {},
            np.where(X > 0, X, X * np.array([0.1, 0.2, 0.3, 0.4], np.float32)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_operator_is_what_its_rule_says(
    word: str,
    out: Sequence[int],
    constants: list[np.ndarray],
    options: Fields,
    expected: np.ndarray | None,
    tmp_path: Path,
) -> None:
    made = read(file_of(tmp_path / "a.tflite", word, X.shape, out, constants=constants, options=options))
    if word == "ADD":
        expected = X + constants[0]
    elif word == "LOCAL_RESPONSE_NORMALIZATION":
        near = np.pad(X**2, ((0, 0), (0, 0), (0, 0), (1, 1)))
        expected = X / (2 + 0.5 * (near[..., :-2] + near[..., 1:-1] + near[..., 2:])) ** 0.75
    elif word == "SPACE_TO_DEPTH":
        # Blocks that do not fit.
        assert [item.said for item in made.missing] == [word]
        return
    assert expected is not None
    assert apart(given(made, X), expected) < 1e-5
    if word == "L2_NORMALIZATION":
        short = X * np.float32(1e-8)
        assert apart(given(made, short), short / np.float32(1e-6)) < 1e-5


def test_quantised_numbers_are_named_and_not_taken(tmp_path: Path) -> None:
    kernel = np.ones((6, 3, 3, 4), np.int8)
    path = file_of(tmp_path / "a.tflite", "CONV_2D", X.shape, (1, 7, 8, 6), constants=[kernel], kind=9)
    (missing,) = import_model(path).missing
    assert missing.code == "E562"
    assert "CONV_2D" in missing.message


# --- Of LiteRT's converter -------------------------------------------------------------------------------------------


def test_a_file_of_the_converter_gives_what_its_interpreter_gives() -> None:
    recorded = np.load(HERE / "recorded_tflite.npz")
    made = read(RECORDED)
    assert made.graph is not None, made.missing
    assert [node.kind for node in made.graph.nodes] == [
        *(
            "conv",
            "hard_swish",
            "depthwise_conv",
            "relu6",
            "gelu",
            "conv",
            "silu",
            "global_avg_pool",
            "conv",
            "sigmoid",
        ),
        *("multiply", "depth_to_space", "leaky_relu", "max_pool", "concat", "channel_shuffle", "flatten", "dense"),
        "softmax",
    ]
    assert apart(given(made, recorded["x"]), recorded["y"]) < 1e-5


# --- Damaged ---------------------------------------------------------------------------------------------------------


def test_of_a_damaged_file_nothing_but_a_diagnostic_comes(tmp_path: Path) -> None:
    whole = RECORDED.read_bytes()
    path = tmp_path / "a.tflite"
    path.write_bytes(b"\x08\x00\x00\x00TFL9" + whole[8:])
    with pytest.raises(DataError, match="does not say that it is a file of this format"):
        read(path)
    for at in [*range(1, 64), *range(64, len(whole) - 1, 601)]:
        path.write_bytes(whole[:at])
        with pytest.raises(DataError):
            read(path)
    refused = 0
    for at in RNG.integers(8, 6000, 150):
        changed = bytearray(whole)
        changed[int(at) : int(at) + 4] = RNG.integers(0, 256, 4, np.uint8).tobytes()
        path.write_bytes(bytes(changed))
        try:
            read(path)
        except DataError:
            refused += 1
    assert refused


def test_tables_that_name_one_another_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # A table whose only field is itself.
    loop = b"\x10\x00\x00\x00TFL3" + b"\x06\x00\x08\x00\x04\x00\x00\x00" + b"\x08\x00\x00\x00" + b"\xfc\xff\xff\xff"
    monkeypatch.setattr(read_tables, "MAX_TABLES", 50)
    table = root(memoryview(loop), b"TFL3")
    with pytest.raises(DamagedError, match=r"more than 50 tables|outside of it"):
        while True:
            inner = table.table(0)
            assert inner is not None
            table = inner


def test_a_vector_is_no_longer_than_its_file() -> None:
    content = b"\x10\x00\x00\x00TFL3" + b"\x06\x00\x08\x00\x04\x00\x00\x00" + b"\x08\x00\x00\x00" + b"\x04\x00\x00\x00"
    table = root(memoryview(content + b"\xff\xff\xff\x7f" + b"\0" * 8), b"TFL3")
    for ask in (table.numbers, table.content, lambda slot: list(table.tables(slot))):
        with pytest.raises(DamagedError, match="ends early"):
            ask(0)
