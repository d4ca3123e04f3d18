"""Dataset kinds: what they read, and what they say of files that they cannot."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from archspec.data.idx import Idx
from archspec.data.mnist5k import Mnist5k
from archspec.data.npz import Npz
from archspec.diagnostics import DataError


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">{array.ndim + 1}I", 2048 + array.ndim, *array.shape) + array.tobytes()


IMAGES = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4)
LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8)


def write_idx(folder: Path, prefix: str = "", dash: str = "-", zipped: bool = False, first: int = 0) -> None:
    names = {"train": "train", "test": "test" if prefix else "t10k"}
    for part in names.values():
        for what, axes, array in (("images", 3, IMAGES), ("labels", 1, LABELS + np.uint8(first))):
            data = idx_bytes(array)
            path = folder / f"{prefix}{part}-{what}{dash}idx{axes}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(data) if zipped else data)


def test_mnist5k_is_split_the_same_way_every_time() -> None:
    data = Mnist5k().load()
    assert data.train.images.shape == (4000, 28, 28, 1)
    assert data.test.images.shape == (1000, 28, 28, 1)
    assert np.bincount(data.test.labels).tolist() == [100] * 10
    assert np.bincount(data.train.labels).tolist() == [400] * 10
    again = Mnist5k().load()
    assert np.array_equal(data.test.images, again.test.images)
    both = {image.tobytes() for image in data.train.images} & {image.tobytes() for image in data.test.images}
    assert not both
    assert data.class_names == tuple("0123456789")


@pytest.mark.parametrize(("dash", "zipped"), [("-", False), (".", False), ("-", True)])
def test_idx_folders(tmp_path: Path, dash: str, zipped: bool) -> None:
    write_idx(tmp_path, dash=dash, zipped=zipped)
    data = Idx(path=str(tmp_path)).load()
    assert np.array_equal(data.train.images[..., 0], IMAGES)
    assert np.array_equal(data.test.labels, LABELS)
    assert data.class_count == 3


def test_emnist_is_transposed_and_counts_from_one(tmp_path: Path) -> None:
    write_idx(tmp_path, "emnist-letters-", zipped=True, first=1)
    write_idx(tmp_path, "emnist-digits-", zipped=True)
    data = Idx(path=str(tmp_path), split="letters").load()
    assert np.array_equal(data.train.images[..., 0], IMAGES.transpose(0, 2, 1))
    assert data.train.labels.tolist() == LABELS.tolist()
    with pytest.raises(DataError, match="several files") as error:
        Idx(path=str(tmp_path)).load()
    assert "split" in error.value.help[0]


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda f: (f / "train-labels-idx1-ubyte").unlink(), "E505"),
        (lambda f: (f / "train-images-idx3-ubyte").write_bytes(b""), "E506"),
        (lambda f: (f / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES)[:-3]), "E506"),
        (lambda f: (f / "train-images-idx3-ubyte").write_bytes(idx_bytes(LABELS)), "E506"),
        (lambda f: (f / "train-images-idx3-ubyte").write_bytes(struct.pack(">4I", 2051, 2**31, 2**31, 2**31)), "E506"),
        (lambda f: (f / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS[:4])), "E507"),
        (lambda f: (f / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES[:, :3])), "E507"),
        (
            lambda f: (
                (f / "train-labels-idx1-ubyte").unlink(),
                (f / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(LABELS))[:-9]),
            ),
            "E506",
        ),
    ],
)
def test_damaged_idx_folders_are_answered(tmp_path: Path, damage: object, code: str) -> None:
    write_idx(tmp_path)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(DataError) as error:
        Idx(path=str(tmp_path)).load()
    assert error.value.code == code


def test_npz_with_and_without_its_own_split(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((40, 6, 6, 3)), np.arange(40) % 4
    np.savez(tmp_path / "one.npz", x=x, y=y)
    data = Npz(path=str(tmp_path / "one.npz"), holdout=0.5).load()
    assert len(data.train.labels) == len(data.test.labels) == 20
    assert np.bincount(data.test.labels).tolist() == [5] * 4
    assert data.train.images.dtype == np.float32
    other = Npz(path=str(tmp_path / "one.npz"), holdout=0.5, split_seed=1).load()
    assert not np.array_equal(data.test.images, other.test.images)
    np.savez(tmp_path / "two.npz", x_train=x, y_train=y[:, None], x_test=x[:8], y_test=y[:8])
    data = Npz(path=str(tmp_path / "two.npz")).load()
    assert (len(data.train.labels), len(data.test.labels)) == (40, 8)


X, Y = np.zeros((8, 4, 4), np.uint8), np.arange(8) % 2


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"a": X}, "E507"),
        ({"x": X[:5], "y": Y}, "E507"),
        ({"x": X.astype(np.int64), "y": Y}, "E507"),
        ({"x": X, "y": Y.astype(float)}, "E507"),
        ({"x": X, "y": Y - 1}, "E507"),
        ({"x": X[:, 0], "y": Y}, "E507"),
        ({"x": np.full((8, 4, 4), np.nan), "y": Y}, "E507"),
        ({"x": X[:0], "y": Y[:0]}, "E507"),
        ({"x": X[:2], "y": np.array([0, 1])}, "E507"),
        ({"x": np.array([{}, {}], object), "y": Y}, "E506"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, "E507"),
    ],
)
def test_npz_that_is_no_dataset_is_answered(tmp_path: Path, arrays: dict[str, np.ndarray], code: str) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError) as error:
        Npz(path=str(path)).load()
    assert error.value.code == code


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"PK\x03\x04broken", b"\x93NUMPY\x01\x00v\x00{'descr': '|u1'}"]
)
def test_bytes_that_are_no_npz_are_answered(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        Npz(path=str(path)).load()
    assert error.value.code == "E506"
    with pytest.raises(DataError) as error:
        Npz(path=str(tmp_path / "none.npz")).load()
    assert error.value.code == "E505"
