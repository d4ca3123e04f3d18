"""Archives of NumPy's arrays: names and numbers come back, pickles and bombs do not."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.diagnostics import DataError
from archspec.runs.imports import read_import
from archspec.weights import numpy_files
from archspec.weights.files import open_tensors
from archspec.weights.folder import import_weights

Write = Callable[..., Path]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(tmp_path: Path, save: Callable[..., None]) -> None:
    numbers = np.random.default_rng(0).normal(size=(3, 5, 2))
    arrays = {
        "params/a/kernel": numbers.astype(np.float32),
        "params/a/bias": np.asfortranarray(numbers.astype(">f8")),
        "step": np.array(3),
        "half": numbers.astype(np.float16)[:, :0],
    }
    save(tmp_path / "a.npz", **arrays)
    with open_tensors(tmp_path / "a.npz") as tensors:
        assert set(tensors.shapes) == {"params.a.kernel", "params.a.bias", "step", "half"}
        for name, array in arrays.items():
            if name != "step":
                np.testing.assert_array_equal(tensors.read(name.replace("/", ".")), array)
        assert "whole numbers" in str(tensors.fault("step"))


def test_names_of_flax(write: Write, tmp_path: Path) -> None:
    """A network of JAX's has this package's words and axes."""
    spec = write(
        "input: {height: 6, width: 6, channels: 3}\n"
        "layers: [{conv: {name: conv, filters: 4, kernel: 3}}, {batch_norm: {name: norm}}, "
        "{transposed_conv: {name: up, filters: 4, kernel: 2}}, flatten, {dense: {name: head, units: 2}}]"
    )
    shapes: dict[str, tuple[int, ...]] = {"conv/kernel": (3, 3, 3, 4), "up/kernel": (2, 2, 4, 4)}
    shapes |= {"head/kernel": (100, 2), "head/bias": (2,)}
    shapes |= dict.fromkeys(("conv/bias", "norm/scale", "norm/bias", "norm/mean", "norm/var", "up/bias"), (4,))
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {f"params/{name}": generator.uniform(size=shape) for name, shape in shapes.items()}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    np.savez(tmp_path / "a.npz", **arrays | {"opt/count": np.zeros(1, np.float32)})
    found = import_weights(str(spec), tmp_path / "a.npz", tmp_path / "net")
    assert found.full
    assert found.naming == "archspec"
    assert found.stripped == {"params.": 10}
    assert found.left == ("opt.count",)
    np.testing.assert_array_equal(read_import(tmp_path / "net")["up.kernel"], arrays["params/up/kernel"])


class Harm:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harm",)


def test_pickles_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "a.npz", a=np.array([Harm()], object), b=np.zeros(2, "f4,i4"), c=np.zeros(2, np.float32))
    with open_tensors(tmp_path / "a.npz") as tensors:
        assert "a pickle" in str(tensors.fault("a"))
        assert "records" in str(tensors.fault("b"))
        with pytest.raises(DataError, match="a pickle"):
            tensors.read("a")
        assert tensors.read("c").shape == (2,)
    assert not (tmp_path / "harm").exists()


def npy(shape: str, content: bytes = b"") -> bytes:
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (npy("(1000000000000,)"), "its shape takes"),
        (npy("(2,)", b"\0" * 9), "its shape takes"),
        (npy("(2, -1)"), "its shape takes|no array"),
        (npy("[2]"), "no array"),
        (npy("(" * 3000), "no array"),
        (b"\x93NUMPY\x01\x00\xff", "no array"),
        (b"abc", "no array"),
    ],
)
def test_damaged_arrays_are_refused(tmp_path: Path, content: bytes, why: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(DataError, match=why), open_tensors(tmp_path / "a.npz"):
        pass


def test_bombs_and_climbing_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_files, "MAX_EXPANSION", 2**20)
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(2**20, np.float32))
    with pytest.raises(DataError, match="unpacks to 4 MiB"), open_tensors(tmp_path / "a.npz"):
        pass
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("../a.npy", buffer.getvalue())
    with pytest.raises(DataError, match="leads out of the archive"), open_tensors(tmp_path / "b.npz"):
        pass
