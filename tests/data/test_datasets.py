"""Dataset kinds: what they read, and what they say of files that they cannot."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from archspec.data import loaded, untrained
from archspec.data.cifar import Cifar
from archspec.data.digit_canvas import DigitCanvas
from archspec.data.idx import Idx, read_idx
from archspec.data.image_folder import ImageFolder
from archspec.data.mnist5k import Mnist5k
from archspec.data.npz import Npz
from archspec.data.segmentation_folder import SegmentationFolder
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
    assert data.validation.images.shape == (1000, 28, 28, 1)
    assert np.bincount(data.validation.labels).tolist() == [100] * 10
    assert np.bincount(data.train.labels).tolist() == [400] * 10
    again = Mnist5k().load()
    assert np.array_equal(data.validation.images, again.validation.images)
    both = {image.tobytes() for image in data.train.images} & {image.tobytes() for image in data.validation.images}
    assert not both
    assert data.class_names == tuple("0123456789")


@pytest.mark.parametrize(("dash", "zipped"), [("-", False), (".", False), ("-", True)])
def test_idx_folders(tmp_path: Path, dash: str, zipped: bool) -> None:
    write_idx(tmp_path, dash=dash, zipped=zipped)
    data = Idx(path=str(tmp_path)).load()
    assert np.array_equal(data.train.images[..., 0], IMAGES)
    assert np.array_equal(data.validation.labels, LABELS)
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
    assert len(data.train.labels) == len(data.validation.labels) == 20
    assert np.bincount(data.validation.labels).tolist() == [5] * 4
    assert data.train.images.dtype == np.float32
    other = Npz(path=str(tmp_path / "one.npz"), holdout=0.5, split_seed=1).load()
    assert not np.array_equal(data.validation.images, other.validation.images)
    np.savez(tmp_path / "two.npz", x_train=x, y_train=y[:, None], x_test=x[:8], y_test=y[:8])
    data = Npz(path=str(tmp_path / "two.npz")).load()
    assert (len(data.train.labels), len(data.validation.labels)) == (40, 8)


X, Y = np.zeros((8, 4, 4), np.uint8), np.arange(8) % 2


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"a": X}, "E507"),
        ({"x": X[:5], "y": Y}, "E507"),
        ({"x": np.full((8, 4, 4, 3), 300), "y": Y}, "E507"),
        ({"x": X, "y": Y.astype(complex)}, "E507"),
        ({"x": X, "y": Y - 1}, "E507"),
        ({"x": X[..., None, None], "y": Y}, "E507"),
        ({"x": np.full((8, 4, 4), np.nan), "y": Y}, "E507"),
        ({"x": X[:0], "y": Y[:0]}, "E507"),
        ({"x": X[:2], "y": np.array([0, 1])}, "E507"),
        ({"x": np.array([{}, {}], object), "y": Y}, "E506"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}, "E507"),
    ],
)
def test_npz_that_is_no_dataset_is_answered(tmp_path: Path, arrays: dict[str, np.ndarray], code: str) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, **cast(Any, arrays))
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


def squares(folder: Path, count: int = 6, size: tuple[int, int] = (8, 6)) -> None:
    """Images and masks of the same names."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        pixels = np.full((*size, 3), 40 * index, np.uint8)
        mask = np.full(size, index % 3, np.uint8)
        mask[0] = 255
        Image.fromarray(pixels).save(folder / "images" / f"{index}.jpg")
        Image.fromarray(mask).save(folder / "masks" / f"{index}.png")


def test_segmentation_folders_by_lists_by_folders_and_without(tmp_path: Path) -> None:
    squares(tmp_path / "listed")
    (tmp_path / "listed" / "train.txt").write_text("0\n1.jpg\n2\n\n3\n")
    (tmp_path / "listed" / "val.txt").write_text("4\n5\n")
    squares(tmp_path / "parts" / "train", 4)
    squares(tmp_path / "parts" / "test", 2)
    squares(tmp_path / "plain")
    for name, sizes in (("listed", (4, 2)), ("parts", (4, 2)), ("plain", (5, 1))):
        data = SegmentationFolder(path=str(tmp_path / name)).load()
        assert (len(data.train.labels), len(data.validation.labels)) == sizes
        assert data.train.images.shape[1:] == (8, 6, 3)
        assert data.train.labels.shape[1:] == (8, 6)
        assert data.train.labels.dtype == np.int8
        assert (data.train.labels[:, 0] == -1).all()
        assert data.class_names == ("0", "1", "2")
    listed = SegmentationFolder(path=str(tmp_path / "listed"), grey=True, size=(4, 12), classes=("a", "b", "c")).load()
    assert listed.train.images.shape == (4, 4, 12, 1)
    assert [int(label[1, 0]) for label in listed.train.labels] == [0, 1, 2, 0]
    assert listed.class_names == ("a", "b", "c")


def damage_folder(folder: Path, how: str) -> None:
    squares(folder)
    if how == "no masks":
        (folder / "masks" / "3.png").unlink()
        (folder / "masks" / "5.png").unlink()
        (folder / "images" / "4.jpg").unlink()
    elif how == "no images":
        for path in (folder / "images").iterdir():
            path.unlink()
    elif how == "no folder":
        (folder / "masks").rename(folder / "truth")
    elif how == "colour mask":
        Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(folder / "masks" / "3.png")
    elif how == "sizes differ":
        Image.fromarray(np.zeros((9, 6), np.uint8)).save(folder / "masks" / "3.png")
    elif how == "images differ":
        Image.fromarray(np.zeros((9, 6), np.uint8)).save(folder / "masks" / "3.png")
        Image.fromarray(np.zeros((9, 6, 3), np.uint8)).save(folder / "images" / "3.jpg")
    elif how == "no image":
        (folder / "images" / "3.jpg").write_bytes(b"text")
    elif how == "unknown name":
        (folder / "train.txt").write_text("0\n1\nseven\n")
    elif how == "one list":
        (folder / "test.txt").write_text("0\n1\n")
    elif how == "twins":
        Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(folder / "images" / "3.png")
    elif how == "many labels":
        (folder / "classes.txt").write_text("a\nb\n")
    elif how == "stray label":
        (folder / "classes.txt").write_text("a\nb\nc\n")
        mask = np.zeros((8, 6), np.uint8)
        mask[5, 4] = 7
        Image.fromarray(mask).save(folder / "masks" / "3.png")
    elif how == "jpeg mask":
        Image.fromarray(np.zeros((8, 6), np.uint8)).save(folder / "masks" / "3.png", format="JPEG")
    elif how in ("black and white", "all void"):
        for path in (folder / "masks").iterdir():
            mask = np.full((8, 6), 255, np.uint8)
            mask[:4] = 0 if how == "black and white" else 255
            Image.fromarray(mask).save(path)
    elif how == "no range":
        (folder / "images" / "3.jpg").unlink()
        Image.fromarray(np.linspace(0, 1, 48, dtype=np.float32).reshape(8, 6)).save(folder / "images" / "3.tif")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no masks", "has 2 files without one of the same name in"),
        ("no masks", ": 3.jpg and 5.jpg; "),
        ("no masks", ": 4.png"),
        ("no images", "has no images"),
        ("no folder", "there is no folder"),
        ("colour mask", "not the numbers of their classes"),
        ("sizes differ", "is 8×6, but"),
        ("images differ", "`size: [height, width]`"),
        ("no image", "not an image"),
        ("unknown name", "seven"),
        ("one list", "no train.txt"),
        ("twins", "two files of one name"),
        (
            "many labels",
            "2.png has the label 2 at row 1, column 0 (counted from 0); 2 of 6 masks have such labels, but",
        ),
        ("stray label", "3.png has the label 7 at row 5, column 4 (counted from 0), but there are 3 class names"),
        ("jpeg mask", "3.png is a JPEG"),
        ("jpeg mask", "save masks as PNG"),
        ("black and white", "have no label but 0: every other pixel is 255"),
        ("black and white", "`labels: [0, 255]` in the dataset"),
        ("all void", "have no label: every pixel is 255"),
        ("no range", "3.tif has floating-point numbers as pixels"),
    ],
)
def test_damaged_segmentation_folders_are_answered(tmp_path: Path, how: str, words: str) -> None:
    damage_folder(tmp_path / "data", how)
    with pytest.raises(DataError) as error:
        SegmentationFolder(path=str(tmp_path / "data")).load()
    assert words in " ".join([str(error.value.message), *error.value.help])


def test_labels_say_which_values_are_classes(tmp_path: Path) -> None:
    damage_folder(tmp_path, "black and white")
    data = SegmentationFolder(path=str(tmp_path), labels=(0, 255)).load()
    assert data.class_names == ("0", "1")
    assert set(np.unique(data.train.labels[:, :4])) == {0}
    assert set(np.unique(data.train.labels[:, 4:])) == {1}
    # The order is the classes', a value that is not named may still be the one to ignore.
    mask = np.full((8, 6), 9, np.uint8)
    mask[0], mask[1] = 255, 4
    Image.fromarray(mask).save(tmp_path / "masks" / "0.png")
    data = SegmentationFolder(path=str(tmp_path), labels=(255, 0, 4), ignore=9, classes=("a", "b", "c")).load()
    assert set(np.unique(data.train.labels)) | set(np.unique(data.validation.labels)) == {-1, 0, 1, 2}
    with pytest.raises(
        DataError, match=r"0\.png has the label 9 at row 2, column 0 .* not one of `labels`: 0, 4 and 255"
    ):
        SegmentationFolder(path=str(tmp_path), labels=(0, 4, 255)).load()
    with pytest.raises(DataError, match="`labels` has 4 values, but there are 3 class names"):
        SegmentationFolder(path=str(tmp_path), labels=(0, 255, 4, 7), ignore=9, classes=("a", "b", "c")).load()
    with pytest.raises(ValueError, match="which `labels` makes a class"):
        SegmentationFolder(path="x", labels=(0, 255), ignore=0)
    for labels in ((), (0, 0)):
        with pytest.raises(ValueError, match="different value for each class"):
            SegmentationFolder(path=str(tmp_path), labels=labels)


def test_only_listed_images_need_masks(tmp_path: Path) -> None:
    squares(tmp_path)
    (tmp_path / "train.txt").write_text("0\n1\n2\n3\n")
    (tmp_path / "val.txt").write_text("4\n")
    (tmp_path / "masks" / "5.png").unlink()
    data = SegmentationFolder(path=str(tmp_path)).load()
    assert (len(data.train.labels), len(data.validation.labels)) == (4, 1)


def write_image(path: Path, value: int, size: tuple[int, int] = (6, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def test_folders_of_images_with_and_without_their_own_split(tmp_path: Path) -> None:
    for name, value in (("dog", 200), ("cat", 100)):
        for number in range(5):
            write_image(tmp_path / "all" / name / f"{number}.png", value + number)
    data = ImageFolder(path=str(tmp_path / "all")).load()
    assert data.class_names == ("cat", "dog")
    assert (data.train.images.shape, data.validation.images.shape) == ((8, 6, 8, 3), (2, 6, 8, 3))
    for split in (data.train, data.validation):
        assert ((split.images[:, 0, 0, 0] >= 200) == split.labels).all()
    assert sorted(data.validation.labels) == [0, 1]
    write_image(tmp_path / "two" / "train" / "a" / "1.png", 1)
    write_image(tmp_path / "two" / "train" / "b" / "1.png", 2)
    write_image(tmp_path / "two" / "val" / "b" / "1.png", 3)
    data = ImageFolder(path=str(tmp_path / "two"), grey=True).load()
    assert data.train.images[..., 0, 0, 0].tolist() == [1, 2]
    assert (data.validation.images[0, 0, 0, 0], data.validation.labels.tolist()) == (3, [1])
    assert data.train.images.shape == (2, 6, 8, 1)


def test_images_are_scaled_to_fill_a_size(tmp_path: Path) -> None:
    """The middle of a wide image: what lies left and right of it is cut off."""
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 255
    (tmp_path / "a").mkdir()
    Image.fromarray(wide).save(tmp_path / "a" / "wide.png")
    for number in range(4):
        write_image(tmp_path / "a" / f"{number}.png", 7, (20 + number, 20))
    data = ImageFolder(path=str(tmp_path), size=(5, 5)).load()
    images = np.concatenate([data.train.images, data.validation.images])
    assert images.shape == (5, 5, 5, 3)
    assert sorted(image[2, 2, 0] for image in images) == [7, 7, 7, 7, 255]
    assert sorted(int(image.min()) for image in images)[-1] > 200


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        (["train/a/1.png"], "E505", "none of test/, val/ and validation/"),
        (["train/a/1.png", "val/b/1.png"], "E507", "b, which"),
        (["1.png"], "E505", "no folders"),
        (["a/1.txt", "b/1.png"], "E505", "no images in a"),
        (["a/1.txt", "b/1.png"], "E505", "or take it out"),
        (["a/1.png", "a/large.png"], "E507", "`size: [height, width]`"),
        (["a/1.png", "b/broken.png"], "E521", "broken.png"),
        (["a/1.png", "b/broken.png"], "E521", "on_error: skip"),
        ([], "E505", "there is no folder"),
    ],
)
def test_damaged_folders_of_images_are_answered(tmp_path: Path, files: list[str], code: str, words: str) -> None:
    for name in files:
        write_image(tmp_path / "data" / name.replace("txt", "png"), 0, (9, 9) if "large" in name else (6, 8))
        if name.endswith(".txt"):
            (tmp_path / "data" / name.replace("txt", "png")).rename(tmp_path / "data" / name)
        if "broken" in name:
            (tmp_path / "data" / name).write_bytes(b"no image")
    with pytest.raises(DataError) as error:
        ImageFolder(path=str(tmp_path / "data")).load()
    assert error.value.code == code
    assert words in error.value.message + " ".join(error.value.help)


def test_npz_with_labels_of_pixels(tmp_path: Path) -> None:
    x = np.zeros((10, 4, 5), np.uint8)
    y = np.zeros((10, 4, 5), np.int64)
    y[:, 1] = 2
    y[:, 2] = -7
    np.savez(tmp_path / "m.npz", x=x, y=y)
    data = Npz(path=str(tmp_path / "m.npz")).load()
    assert data.train.labels.shape == (8, 4, 5)
    assert data.class_count == 3
    assert set(np.unique(data.train.labels)) == {-1, 0, 2}
    np.savez(tmp_path / "m.npz", x=x, y=y[:, :3])
    with pytest.raises(DataError, match="10×3×5"):
        Npz(path=str(tmp_path / "m.npz")).load()


def test_cifar_folders(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    records = generator.integers(0, 256, (6, 20, 3073), dtype=np.uint8)
    records[..., 0] %= 10
    for index in range(5):
        records[index].tofile(tmp_path / f"data_batch_{index + 1}.bin")
    with pytest.raises(DataError, match=r"test_batch\.bin"):
        Cifar(path=str(tmp_path)).load()
    records[5].tofile(tmp_path / "test_batch.bin")
    (tmp_path / "batches.meta.txt").write_text("\n".join(f"class {number}" for number in range(10)) + "\n\n")
    data = Cifar(path=str(tmp_path)).load()
    assert data.train.images.shape == (100, 32, 32, 3)
    assert np.array_equal(data.validation.labels, records[5, :, 0])
    assert np.array_equal(data.validation.images[3, :, :, 1].reshape(-1), records[5, 3, 1 + 1024 : 1 + 2048])
    assert data.class_names[7] == "class 7"
    records[5, :, 0] = 200
    records[5].tofile(tmp_path / "test_batch.bin")
    with pytest.raises(DataError, match="label 200"):
        Cifar(path=str(tmp_path)).load()
    (tmp_path / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="5 bytes"):
        Cifar(path=str(tmp_path)).load()


def test_cifar_100_has_two_labels(tmp_path: Path) -> None:
    records = np.random.default_rng(0).integers(0, 100, (2, 10, 3074), dtype=np.uint8)
    records[0].tofile(tmp_path / "train.bin")
    records[1].tofile(tmp_path / "test.bin")
    data = Cifar(path=str(tmp_path)).load()
    assert np.array_equal(data.train.labels, records[0, :, 1])
    assert data.class_count == 100


def test_canvases_hold_the_digits_that_their_masks_say() -> None:
    data = DigitCanvas(height=40, width=56, digits=2, margin=1, train=30, test=10).load()
    again = DigitCanvas(height=40, width=56, digits=2, margin=1, train=30, test=10).load()
    assert np.array_equal(data.train.images, again.train.images)
    assert data.train.images.shape == (30, 40, 56, 1)
    assert data.train.labels.shape == (30, 40, 56)
    ink = data.train.images[..., 0] > 96
    assert (data.train.labels[ink] > 0).all()
    assert (data.train.labels > 0).sum() > ink.sum()
    assert len(np.unique(data.train.labels)) == 11
    assert data.class_names[:2] == ("background", "0")
    with pytest.raises(DataError, match="no room"):
        DigitCanvas(height=28, width=56).load()


def npz_bomb(path: Path, shape: tuple[int, ...], held: int, kind: str = "|u1") -> None:
    """An archive whose array says that it has a shape, over so many zeros."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x", "y"):
            with archive.open(f"{name}.npy", "w") as member:
                member.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
                for start in range(0, held, 2**20):
                    member.write(bytes(min(2**20, held - start)))


def test_what_an_archive_unpacks_to_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.npz"
    monkeypatch.setenv("ARCHSPEC_MAX_DATA_GB", "0.01")
    npz_bomb(path, (30, 1000, 1000), 30_000_000)
    with pytest.raises(DataError, match=r"unpacks to 0\.03 GB .* the limit is 0\.01 GB") as error:
        Npz(path=str(path)).load()
    assert "ARCHSPEC_MAX_DATA_GB=1 " in error.value.help[0]
    # What lies there unpacked is no bomb.
    np.savez(path, x=np.zeros((30, 1000, 1000), np.uint8), y=np.arange(30) % 2)
    assert len(Npz(path=str(path)).load().train.labels) == 24
    npz_bomb(path, (10**12, 28, 28), 100)
    with pytest.raises(DataError, match="1,000,000,000,000×28×28 numbers of 1 bytes, but the archive holds"):
        Npz(path=str(path)).load()
    np.save(tmp_path / "one.npy", np.zeros((4, 4)))
    (tmp_path / "one.npy").rename(path)
    with pytest.raises(DataError, match="holds one array, as np"):
        Npz(path=str(path)).load()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (struct.pack(">2IH", 2051, 1, 0), "cut short: it holds 10 bytes, and its header alone takes 16"),
        (struct.pack(">4I", 2051, 60000, 28, 28), "should hold 47,040,000 bytes"),
        (b"\0\0", "it holds 2 bytes"),
        (struct.pack(">2I", 2049, 5), "its magic number is 2049, not 2051"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_are_bounded_and_told_of_truly(tmp_path: Path, data: bytes, words: str, zipped: bool) -> None:
    path = tmp_path / ("a.gz" if zipped else "a")
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(DataError, match=words):
        read_idx(path, "images")


def test_gzipped_idx_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSPEC_MAX_DATA_GB", "0.01")
    head = struct.pack(">4I", 2051, 20, 1000, 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(head + bytes(20_000_000), 1))
    with pytest.raises(DataError, match=r"unpacks to 0\.02 GB"):
        read_idx(tmp_path / "a.gz", "images")


def test_arrays_with_channels_first_are_turned_and_said(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (20, 3, 8, 9), np.uint8)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=np.arange(20) % 2, x_test=x[:4], y_test=np.arange(4) % 2, x=x)
    data = Npz(path=str(tmp_path / "d.npz")).load()
    assert np.array_equal(data.train.images, x.transpose(0, 2, 3, 1))
    assert "x_train and x_test of d.npz are N×C×H×W" in data.notes[0]
    assert "x of d.npz is not used" in data.notes[1]
    np.savez(tmp_path / "d.npz", x=x[:, :1], y=np.arange(20 * 72).reshape(20, 1, 8, 9) % 3)
    data = Npz(path=str(tmp_path / "d.npz")).load()
    assert data.train.images.shape[1:] == (8, 9, 1)
    assert data.train.labels.shape[1:] == (8, 9)


def test_what_data_leave_unsaid_is_said(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (20, 4, 4), np.uint8)
    y = np.array([0, 3] * 10)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x[:3], y_test=y[:3] * 0)
    data = loaded(Npz(path=str(tmp_path / "d.npz")))
    notes = [*untrained(data), *data.notes]
    assert "no image to train on of 2 classes: 1 and 2" in notes[0]
    assert "no image held out of 3 classes: 1, 2 and 3" in notes[1]
    assert notes[2].startswith("3 held-out images of 3 are among those trained on too")
    data = loaded(Mnist5k())
    assert data.notes == () and untrained(data) == []


@pytest.mark.parametrize("fields", [{"height": 100_000, "width": 100_000}, {"train": 10**9}, {"digits": 10**9}])
def test_canvases_are_bounded(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"canvases have|there are at most"):
        DigitCanvas.model_validate(fields)


@pytest.mark.parametrize("shape", [(0, 28, 28), (0, 28, 28, 1), (0, 3, 32, 32)])
def test_archives_without_images_are_told_of_truly(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "none.npz", x=np.zeros(shape, np.uint8), y=np.zeros(0, np.int32))
    with pytest.raises(DataError, match="there are no images"):
        Npz(path=str(tmp_path / "none.npz")).load()
