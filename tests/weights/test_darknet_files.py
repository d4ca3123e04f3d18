"""Darknet's files of weights, which have no names: written here by the rules of its source."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.diagnostics import SpecError
from archspec.inference.run import Run
from archspec.layers.leaky_relu import LeakyRelu
from archspec.loading import load
from archspec.runs.imports import read_import
from archspec.spec.overrides import python_override
from archspec.training.beginning import initial_weights
from archspec.weights.folder import export_weights, import_weights
from tests.weights.test_caffe_files import in_a_process

Write = Callable[..., Path]

NET = """
input: {height: 4, width: 5, channels: 3}
layers:
  - conv: {name: c1, filters: 4, kernel: 3, pad: 1, bias: false}
  - batch_norm: {name: n1, epsilon: 1.0e-6}
  - leaky_relu
  - conv: {name: c2, filters: 2, kernel: 1, groups: 2}
  - flatten
  - dense: {name: d1, units: 3, bias: false}
  - batch_norm: {name: n2}
  - dense: {name: d2, units: 2}
weights:
  darknet: {input: {range: [0, 1]}}
"""
SIZES = {
    "c1": {"n1.bias": (4,), "n1.scale": (4,), "n1.mean": (4,), "n1.var": (4,), "c1.kernel": (4, 3, 3, 3)},
    "c2": {"c2.bias": (2,), "c2.kernel": (2, 2, 1, 1)},
    "d1": {"n2.bias": (3,), "d1.kernel": (3, 40), "n2.scale": (3,), "n2.mean": (3,), "n2.var": (3,)},
    "d2": {"d2.bias": (2,), "d2.kernel": (2, 3)},
}
"""Layer by layer what Darknet writes: of convolutions the kernel last, of connected layers before the statistics."""
RNG = np.random.default_rng(0)
ARRAYS = {
    name: np.abs(RNG.normal(size=shape)).astype(np.float32) for own in SIZES.values() for name, shape in own.items()
}


def written(
    path: Path, version: tuple[int, int] = (0, 2), layers: Sequence[str] = tuple(SIZES), more: bytes = b""
) -> Path:
    """A `.weights` file of a version, with the count of images that it keeps in 32 or 64 bits."""
    major, minor = version
    head = struct.pack("<3i", major, minor, 5)
    head += struct.pack("<Q" if major * 10 + minor >= 2 and max(version) < 1000 else "<I", 32_013_312)
    numbers = b""
    for layer in layers:
        for name in SIZES[layer]:
            array = ARRAYS[name]
            numbers += (array.T if array.ndim == 2 and max(version) > 1000 else array).astype("<f4").tobytes()
    path.write_bytes(head + numbers + more)
    return path


@pytest.mark.parametrize("version", [(0, 1), (0, 2), (0, 5), (1, 0), (0, 2000)])
def test_numbers_are_given_to_layers_in_their_order(write: Write, tmp_path: Path, version: tuple[int, int]) -> None:
    found = import_weights(str(write(NET)), written(tmp_path / "net.weights", version), tmp_path / "net")
    assert found.full and found.naming == "darknet" and len(found.matched) == len(ARRAYS)
    arrays = read_import(tmp_path / "net")
    for name, array in ARRAYS.items():
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        elif name == "d1.kernel":  # a map's features: channels come first in Darknet
            array = array.reshape(3, 2, 4, 5).transpose(2, 3, 1, 0).reshape(40, 3)
        elif array.ndim == 2:
            array = array.T
        assert np.array_equal(arrays[name], array), name


def test_a_file_with_names_is_none_of_darknets(write: Write, tmp_path: Path) -> None:
    spec = str(write(NET))
    import_weights(spec, written(tmp_path / "net.weights"), tmp_path / "net")
    export_weights(tmp_path / "net", tmp_path / "net.safetensors")
    notes: list[str] = []
    found = import_weights(spec, tmp_path / "net.safetensors", tmp_path / "again", notes=notes)
    assert found.full and found.naming == "pytorch" and notes == []


def test_what_comes_out_is_what_darknet_computes(write: Write, tmp_path: Path) -> None:
    import_weights(str(write(NET)), written(tmp_path / "net.weights"), tmp_path / "net")
    pixels = np.random.default_rng(1).integers(0, 256, (4, 5, 3), np.uint8)
    a = {name: array.astype(np.float64) for name, array in ARRAYS.items()}
    x = np.pad((pixels / 255).transpose(2, 0, 1), ((0, 0), (1, 1), (1, 1)))
    parts = np.stack([x[:, i : i + 3, j : j + 3].reshape(-1) for i in range(4) for j in range(5)], 1)
    y = a["c1.kernel"].reshape(4, -1) @ parts
    y = (y - a["n1.mean"][:, None]) / np.sqrt(a["n1.var"] + 1e-6)[:, None] * a["n1.scale"][:, None]
    y = y + a["n1.bias"][:, None]
    y = np.where(y > 0, y, 0.01 * y)
    kernel = a["c2.kernel"].reshape(2, 2)
    y = np.stack([kernel[g] @ y[2 * g : 2 * g + 2] + a["c2.bias"][g] for g in range(2)]).reshape(-1)
    y = (a["d1.kernel"] @ y - a["n2.mean"]) / np.sqrt(a["n2.var"] + 1e-5) * a["n2.scale"] + a["n2.bias"]
    expected = a["d2.kernel"] @ y + a["d2.bias"]
    given = Run(tmp_path / "net").predict(pixels).outputs["output"][0]
    assert np.allclose(given, expected, rtol=1e-4)


SLOPED = NET.replace("leaky_relu", "leaky_relu: {slope: $(slope)}").replace(
    "darknet: {", "darknet: {args: {slope: 0.1}, "
)


def test_arguments_are_those_that_the_weights_are_of(write: Write, tmp_path: Path) -> None:
    def slope(target: str, **options: Any) -> tuple[float, list[str]]:
        notes: list[str] = []
        import_weights(target, written(tmp_path / "net.weights"), tmp_path / "net", notes=notes, **options)
        (layer,) = (node.layer for node in load(tmp_path / "net/spec.yaml").graph().nodes if node.kind == "leaky_relu")
        assert isinstance(layer, LeakyRelu)
        return layer.slope, [note for note in notes if not note.startswith("the import that was")]

    spec = str(write("args: {slope: 0.2}" + SLOPED))
    assert slope(spec) == (0.1, ["args.slope=0.1, as the weights named as darknet has them are of"])
    kept = ["the weights named as darknet has them are of args.slope=0.1; here args.slope=0.3, as asked"]
    assert slope(spec, overrides=[python_override(("args", "slope"), 0.3)]) == (0.3, kept)
    assert slope(f"{spec}?slope=0.3") == (0.3, kept)
    assert slope(str(write("args: {slope: 0.1}" + SLOPED))) == (0.1, [])
    shutil.move(tmp_path / "net", tmp_path / "before")  # an elaborated spec, which has no arguments
    untold = ["the weights named as darknet has them are of args.slope=0.1, which this spec does not have"]
    assert slope(str(tmp_path / "before/spec.yaml")) == (0.1, untold)
    begun = load(write(f"args: {{slope: 0.2}}{SLOPED}train: {{init_from: {tmp_path / 'net.weights'}}}\n"))
    assert begun.train is not None and begun.train.init_from is not None
    notes = initial_weights(begun.train.init_from, begun, begun.graph()).notes
    assert any(note.endswith("are of args.slope=0.1, but the network has 0.2") for note in notes)
    with pytest.raises(SpecError, match="no argument `slop`"):
        load(write("args: {slope: 0.2}" + SLOPED.replace("{slope: 0.1}", "{slop: 0.1}"))).graph()


def test_every_number_is_accounted_for(write: Write, tmp_path: Path) -> None:
    spec, path = str(write(NET)), tmp_path / "net.weights"
    with pytest.raises(SpecError, match=r"has 1 number more than the layers of net, which end with d2"):
        import_weights(spec, written(path, more=b"\0\0\0\0"), tmp_path / "net")
    written(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(SpecError, match=r"ends within d2: it has 269 numbers, and the layers of net .* 270"):
        import_weights(spec, path, tmp_path / "net", partial=True)
    # The beginning of a network is one, such as darknet53.conv.74 of YOLOv3.
    written(path, layers=("c1", "c2"))
    with pytest.raises(SpecError, match=r"(?s)no full match.*7 missing from the file"):
        import_weights(spec, path, tmp_path / "net")
    assert len(import_weights(spec, path, tmp_path / "net", partial=True).matched) == 7
    with pytest.raises(SpecError, match="E535"):
        import_weights(spec, written(path), tmp_path / "net", names="archspec")


def test_layers_that_darknet_does_not_have_are_named(write: Write, tmp_path: Path) -> None:
    spec = write(NET.replace("  - leaky_relu", "  - prelu: {name: p}"))
    with pytest.raises(SpecError, match="p is a prelu with weights, which Darknet does not have"):
        import_weights(str(spec), written(tmp_path / "net.weights"), tmp_path / "net")


def test_the_zoos_yolo_has_the_numbers_of_the_authors_files() -> None:
    """248,007,048 bytes of yolov3.weights and 35,434,956 of yolov3-tiny.weights: as many as the arrays have."""
    for name, size in {"yolov3": 248_007_048, "yolov3_tiny": 35_434_956}.items():
        nodes = load(name).graph().nodes
        assert 20 + 4 * sum(weight.size for node in nodes for weight in node.weights) == size


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "a head alone": struct.pack("<3iQ", 0, 2, 0, 0),
    "text": b"[net]\nwidth=416\nheight=416\n",
    "half a number": struct.pack("<3iQ", 0, 2, 0, 0) + b"\0\0\0",
    "a version that is none": struct.pack("<3iQ", -1, 2**31 - 1, 0, 0) + b"\0" * 1080,
    "garbage": bytes(range(256)) * 9,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_damaged_is_refused(write: Write, tmp_path: Path, what: str) -> None:
    path = tmp_path / "net.weights"
    path.write_bytes(HOSTILE[what])
    with pytest.raises(SpecError) as error:
        import_weights(str(write(NET)), path, tmp_path / "net", partial=True)
    assert error.value.diagnostics[0].code == "E532" and str(path) in str(error.value)


def test_numbers_that_are_none_are_refused(write: Write, tmp_path: Path) -> None:
    """A file of the right length with something else in it."""
    path = written(tmp_path / "net.weights")
    size = len(path.read_bytes())
    for content in (b"\xff" * size, np.full(size // 4 + 1, -7, "<f4").tobytes()):
        path.write_bytes((path.read_bytes()[:20] + content)[:size])
        with pytest.raises(SpecError, match="E539"):
            import_weights(str(write(NET)), path, tmp_path / "net")


@pytest.mark.slow
def test_a_huge_file_is_not_read(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "net.weights"
    with path.open("wb") as file:
        file.write(struct.pack("<3iQ", 0, 2, 0, 0))
        file.truncate(2**36 + 20)  # a hole
    codes, most = in_a_process(str(write(NET)), path)
    assert codes == ["E532"] and most < 2**30
