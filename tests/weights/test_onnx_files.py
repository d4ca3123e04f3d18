"""The initialisers of ONNX files: written by ONNX's own library, and damaged by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archspec.diagnostics import SpecError
from archspec.inference.run import Run
from archspec.runs.imports import read_import
from archspec.weights.files import open_tensors
from archspec.weights.folder import import_weights
from tests.weights.wire import inner, varint, whole

Write = Callable[..., Path]

NET = """
input: {height: 6, width: 5, channels: 3}
layers:
  - conv: {name: c, filters: 4, kernel: 3}
  - relu
  - flatten
  - dense: {name: d, units: 2}
"""
RNG = np.random.default_rng(0)
ARRAYS = {
    "c.weight": RNG.normal(size=(4, 3, 3, 3)).astype(np.float32),
    "c.bias": RNG.normal(size=4).astype(np.float32),
    "d.weight": RNG.normal(size=(2, 48)).astype(np.float32),
    "d.bias": RNG.normal(size=2).astype(np.float32),
}


def model(arrays: dict[str, np.ndarray], *more: TensorProto) -> onnx.ModelProto:
    """A convolution and a matrix, as PyTorch exports them."""
    nodes = [
        helper.make_node("Conv", ["x", "c.weight", "c.bias"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
        helper.make_node("Flatten", ["z"], ["f"]),
        helper.make_node("Gemm", ["f", "d.weight", "d.bias"], ["out"], transB=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 6, 5]), ("out", [1, 2]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:])
    graph.initializer.extend([*(numpy_helper.from_array(array, name) for name, array in arrays.items()), *more])
    return helper.make_model(graph)


def test_initialisers_are_tensors_and_give_what_onnxruntime_computes(write: Write, tmp_path: Path) -> None:
    import onnxruntime

    path = tmp_path / "net.onnx"
    made = model(ARRAYS)
    made.ir_version = 8
    made.opset_import[0].version = 17
    onnx.save(made, path)
    found = import_weights(str(write(NET)), path, tmp_path / "net")
    assert found.full and len(found.matched) == 4 and found.naming == "pytorch"
    pixels = RNG.integers(0, 256, (6, 5, 3), np.uint8)
    session = onnxruntime.InferenceSession(path)
    expected = session.run(None, {"x": (pixels / np.float32(255)).transpose(2, 0, 1)[None]})[0]
    assert np.allclose(Run(tmp_path / "net").predict(pixels).outputs["output"], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"])
@pytest.mark.parametrize("raw", [True, False])
def test_every_way_of_writing_numbers(tmp_path: Path, kind: str, raw: bool) -> None:
    """As bytes, and as lists of numbers, which of 16 bits are whole numbers of the same bits."""
    number = getattr(TensorProto, kind)
    array = np.array([[0.5, -2, 1e-3], [3, 65504, 0]], np.float64)
    tensor = helper.make_tensor("t", number, array.shape, array.reshape(-1).tolist())
    if raw:
        tensor = numpy_helper.from_array(numpy_helper.to_array(tensor), "t")
    path = tmp_path / "net.onnx"
    onnx.save(model({}, tensor), path)
    with open_tensors(path) as file:
        assert file.shapes == {"t": (2, 3)}
        assert np.array_equal(file.read("t").astype(np.float64), numpy_helper.to_array(tensor).astype(np.float64))


def test_tensors_that_are_no_numbers_here_are_said(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    whole_numbers = numpy_helper.from_array(np.zeros((4, 3, 3, 3), np.int8), "c.weight")
    rest = {name: array for name, array in ARRAYS.items() if name != "c.weight"}
    onnx.save(model(rest, whole_numbers), path)
    with pytest.raises(SpecError, match=r"E540.*c\.weight is of whole numbers \(int8\)"):
        import_weights(str(write(NET)), path, tmp_path / "net")
    onnx.save(model(ARRAYS), path, save_as_external_data=True, location="numbers", size_threshold=0)
    with pytest.raises(SpecError, match=r"(?s)E540.*in another file, where large models keep their numbers"):
        import_weights(str(write(NET)), path, tmp_path / "net")


def test_what_this_package_exports_is_read_again(write: Write, tmp_path: Path) -> None:
    """Its arrays have this package's words, `c.kernel`, and ONNX's order of axes."""
    from archspec.cli import main

    path = tmp_path / "net.onnx"
    onnx.save(model(ARRAYS), path)
    import_weights(str(write(NET)), path, tmp_path / "net")
    assert main(["export", str(tmp_path / "net"), "--to", "onnx", "-o", str(tmp_path / "again.onnx")]) == 0
    import_weights(str(write(NET)), tmp_path / "again.onnx", tmp_path / "again")
    one, other = read_import(tmp_path / "net"), read_import(tmp_path / "again")
    assert one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def tensor(shape: bytes, numbers: bytes, more: bytes = b"") -> bytes:
    """A model with one initialiser `c.bias`."""
    own = inner(1, shape) + whole(2, 1) + inner(8, "c.bias") + inner(9, numbers) + more
    return inner(7, inner(5, own))


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "garbage": bytes(range(256)) * 9,
    "no graph": inner(2, "pytorch"),
    "no tensors": inner(7, b""),
    "cut short": model(ARRAYS).SerializeToString()[:-300],
    "too few numbers": tensor(varint(4), b"\0" * 8),
    "negative": tensor(varint(-4), b"\0" * 16),
    "a product beyond 64 bits": tensor(varint(2**62) * 6, b"\0" * 16),
    "many axes": tensor(varint(1) * 4_000, b"\0" * 4),
    "axes without end": tensor(varint(1) * 2_000_000, b"\0" * 4),
    "in pieces": tensor(varint(4), b"\0" * 8, inner(9, b"\0" * 8)),
    "nodes without end": inner(7, inner(1, b"") * 1_200_000),
    "two of one name": inner(7, inner(5, whole(2, 1) + inner(8, "a")) * 2),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_damaged_is_refused(write: Write, tmp_path: Path, what: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(HOSTILE[what])
    with pytest.raises(SpecError) as error:
        import_weights(str(write(NET)), path, tmp_path / "net", partial=True)
    assert error.value.diagnostics[0].code in ("E532", "E536") and str(path) in str(error.value)
