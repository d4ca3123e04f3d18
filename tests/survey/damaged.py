"""Damaged inputs of every kind of dataset that reads files, drawn by a seed: what disks, downloads and slips make."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from PIL import Image

Rng = np.random.Generator
Dataset = dict[str, Any]

SIZE = (12, 10)


class Kind(NamedTuple):
    """A sound dataset: what makes it in a folder, and the files in it that may be damaged, by patterns of names.

    `single` says that its samples are files of their own, so that `on_error: skip` can leave one out.
    """

    make: Callable[[Path], Dataset]
    files: tuple[str, ...]
    single: bool = False
    channels: int = 3
    task: str = "classification"


class Damage(NamedTuple):
    """A change of a file, and whether it must be found: what still decodes, nobody can know."""

    name: str
    change: Callable[[Path, Rng], None]
    sure: bool = True


class Case(NamedTuple):
    """A dataset of which one file is damaged."""

    name: str
    folder: Path
    dataset: Dataset
    kind: Kind
    file: Path
    sure: bool


def _image(rng: Rng, channels: int = 3) -> Image.Image:
    coarse = rng.integers(0, 256, (3, 2, channels))
    pixels = np.kron(coarse, np.ones((4, 5, 1))).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


def _image_folder(folder: Path) -> Dataset:
    rng = np.random.default_rng(1)
    for part, number in (("train", 5), ("val", 3)):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for place, ending in zip(range(number), ("png", "jpg", "bmp", "gif", "webp"), strict=False):
                _image(rng).save(folder / part / name / f"{place}.{ending}")
    return {"image_folder": {"path": str(folder)}}


def _segmentation_folder(folder: Path) -> Dataset:
    rng = np.random.default_rng(2)
    for part, number in (("train", 4), ("val", 3)):
        for name in ("images", "masks"):
            (folder / part / name).mkdir(parents=True)
        for place in range(number):
            _image(rng).save(folder / part / "images" / f"{place}.png")
            mask = np.kron(rng.integers(0, 3, (3, 2)), np.ones((4, 5))).astype(np.uint8)
            Image.fromarray(mask).save(folder / part / "masks" / f"{place}.png")
    return {"segmentation_folder": {"path": str(folder), "classes": ["a", "b", "c"]}}


def _image_table(folder: Path) -> Dataset:
    rng = np.random.default_rng(3)
    rows = ["file,kind,fold"]
    for place in range(10):
        _image(rng).save(folder / f"{place}.png")
        rows.append(f"{place}.png,{'cat' if place % 2 else 'dog'},{place % 3}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n", "utf-8")
    fields = {"path": str(folder / "list.csv"), "inputs": "file", "targets": "kind", "held_out": {"fold": 0}}
    return {"table": fields}


def _npz(folder: Path) -> Dataset:
    rng = np.random.default_rng(4)
    arrays: dict[str, Any] = {
        "x_train": rng.integers(0, 256, (12, *SIZE, 3)).astype(np.uint8),
        "y_train": np.arange(12) % 2,
        "x_test": rng.integers(0, 256, (6, *SIZE, 3)).astype(np.uint8),
        "y_test": np.arange(6) % 2,
    }
    np.savez_compressed(folder / "data.npz", **arrays)
    return {"npz": {"path": str(folder / "data.npz")}}


def _idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">{array.ndim + 1}I", 2048 + array.ndim, *array.shape) + array.tobytes()


def _idx(folder: Path, *, zipped: bool = False) -> Dataset:
    rng = np.random.default_rng(5)
    for part, number in (("train", 12), ("t10k", 6)):
        for name, array in (
            ("images-idx3-ubyte", rng.integers(0, 256, (number, *SIZE)).astype(np.uint8)),
            ("labels-idx1-ubyte", (np.arange(number) % 2).astype(np.uint8)),
        ):
            data = _idx_bytes(array)
            path = folder / f"{part}-{name}{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(data, mtime=0) if zipped else data)
    return {"idx": str(folder)}


def _idx_gz(folder: Path) -> Dataset:
    return _idx(folder, zipped=True)


def _cifar(folder: Path) -> Dataset:
    rng = np.random.default_rng(6)
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        records = rng.integers(0, 256, (4, 1 + 3072)).astype(np.uint8)
        records[:, 0] = np.arange(4) % 2
        (folder / name).write_bytes(records.tobytes())
    return {"cifar": str(folder)}


KINDS = {
    "image_folder": Kind(_image_folder, ("*/*/*.*",), single=True),
    "segmentation_folder": Kind(_segmentation_folder, ("*/images/*", "*/masks/*"), single=True, task="segmentation"),
    "image_table": Kind(_image_table, ("*.png",), single=True),
    "npz": Kind(_npz, ("*.npz",)),
    "idx": Kind(_idx, ("*-ubyte",), channels=1),
    "idx_gz": Kind(_idx_gz, ("*.gz",), channels=1),
    "cifar": Kind(_cifar, ("*.bin",)),
}


def _rewritten(change: Callable[[bytes, Rng], bytes]) -> Callable[[Path, Rng], None]:
    return lambda path, rng: _write(path, change(path.read_bytes(), rng))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _flipped(data: bytes, rng: Rng) -> bytes:
    made = bytearray(data)
    for place in rng.integers(0, len(made), 3):
        made[place] ^= int(rng.integers(1, 256))
    return bytes(made)


def _zeroed(data: bytes, rng: Rng) -> bytes:
    """A block of a file that was never written, as a full disk or a broken-off copy leaves it."""
    begin = int(rng.integers(0, max(1, len(data) // 2)))
    return data[:begin] + bytes(len(data) - begin)


def _renamed(path: Path, rng: Rng) -> None:
    """Cut, and with a name in Latin-1, which is no UTF-8."""
    data = path.read_bytes()
    path.unlink()
    path.with_name(os.fsdecode(b"caf\xe9-" + os.fsencode(path.name))).write_bytes(data[: len(data) // 2])


def _pipe(path: Path, rng: Rng) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path, rng: Rng) -> None:
    path.unlink()
    path.symlink_to(path)


def _dangling(path: Path, rng: Rng) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def _folder(path: Path, rng: Rng) -> None:
    path.unlink()
    path.mkdir()


def _encoded(image: Image.Image, format: str) -> bytes:
    file = BytesIO()
    image.save(file, format)
    return file.getvalue()


def _huge(data: bytes, rng: Rng) -> bytes:
    """A PNG whose header speaks of ten thousand million pixels; the header's checksum is right."""
    import zlib

    made = bytearray(_encoded(_image(rng), "PNG"))
    made[16:24] = struct.pack(">II", 100_000, 100_000)
    made[29:33] = struct.pack(">I", zlib.crc32(made[12:29]))
    return bytes(made)


def _animated(data: bytes, rng: Rng) -> bytes:
    file = BytesIO()
    first, *rest = [_image(rng) for _ in range(3)]
    first.save(file, "GIF", save_all=True, append_images=rest)
    return file.getvalue()


ANY = (
    Damage("cut", _rewritten(lambda data, rng: data[: int(rng.integers(1, len(data)))])),
    Damage("cut near its end", _rewritten(lambda data, rng: data[: len(data) - int(rng.integers(1, 4))]), sure=False),
    Damage("emptied", _rewritten(lambda data, rng: b"")),
    Damage("text", _rewritten(lambda data, rng: b"<html><body>404 Not Found</body></html>\n")),
    Damage("noise", _rewritten(lambda data, rng: rng.bytes(len(data)))),
    Damage("zeroed", _rewritten(_zeroed), sure=False),
    Damage("flipped", _rewritten(_flipped), sure=False),
    Damage("missing", lambda path, rng: path.unlink(), sure=False),
    Damage("pipe", _pipe, sure=False),
    Damage("link to itself", _loop, sure=False),
    Damage("link to nowhere", _dangling, sure=False),
    Damage("folder", _folder, sure=False),
)
"""What may happen to any file. A file of a class that is gone, or is none, is passed over with a note."""

IMAGES = (
    Damage("100,000×100,000", _rewritten(_huge)),
    Damage("cut, with a name that is no text", _renamed),
    Damage("another size", _rewritten(lambda data, rng: _encoded(_image(rng).resize((7, 9)), "PNG"))),
    Damage("32-bit floats", _rewritten(lambda data, rng: _encoded(_image(rng, 1).convert("F"), "TIFF"))),
    Damage("16 bits", _rewritten(lambda data, rng: _encoded(_image(rng, 1).convert("I;16"), "PNG")), sure=False),
    Damage("CMYK", _rewritten(lambda data, rng: _encoded(_image(rng).convert("CMYK"), "JPEG")), sure=False),
    Damage("animated", _rewritten(_animated), sure=False),
)
"""What an image, or a mask, may be instead."""


def _npz_with(**changes: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Rng], None]:
    def change(path: Path, rng: Rng) -> None:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        for name, way in changes.items():
            arrays[name] = way(arrays[name])
        np.savez_compressed(path, **arrays)

    return change


def _with_nan(array: np.ndarray) -> np.ndarray:
    made = array.astype(np.float32) / 255
    made[3, 2, 2, 0] = np.nan
    return made


def _labelled(value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(labels: np.ndarray) -> np.ndarray:
        made = labels.copy()
        made[1] = value
        return made

    return change


OWN = {
    "npz": (
        Damage("NaN", _npz_with(x_train=_with_nan, x_test=lambda array: array.astype(np.float32) / 255)),
        Damage("a label too many", _npz_with(y_train=lambda labels: np.append(labels, 0))),
        Damage("a label of −3", _npz_with(y_train=_labelled(-3))),
        Damage("a label of 7", _npz_with(y_train=_labelled(7))),
        Damage("objects", _npz_with(y_train=lambda labels: np.array([{} for _ in labels], object))),
        Damage("no samples", _npz_with(x_train=lambda array: array[:0], y_train=lambda array: array[:0])),
        Damage("complex", _npz_with(x_train=lambda array: array.astype(np.complex64))),
    ),
    "idx": (
        Damage(
            "sizes that are none",
            _rewritten(lambda data, rng: data[:4] + struct.pack(">I", 2**31) + data[8:]),
        ),
    ),
    "cifar": (Damage("a label of 99", _rewritten(lambda data, rng: b"\x63" + data[1:])),),
}


def cases(folder: Path, number: int, seed: int = 0) -> Iterator[Case]:
    """So many damaged datasets, each in a folder of its own: kinds and damages in turn, files and bytes by the seed."""
    plan = [
        (kind, damage)
        for kind, about in KINDS.items()
        for damage in (*ANY, *(IMAGES if about.single else ()), *OWN.get(kind, ()))
    ]
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(plan)) for _ in range(-(-number // len(plan)))])[:number]
    for place, at in enumerate(order):
        name, damage = plan[at]
        kind = KINDS[name]
        own = folder / f"{place:03}"
        own.mkdir()
        dataset = kind.make(own)
        files = sorted(path for pattern in kind.files for path in own.glob(pattern))
        file = files[int(rng.integers(len(files)))]
        damage.change(file, rng)
        yield Case(f"{place}: {file.relative_to(own)} of {name}, {damage.name}", own, dataset, kind, file, damage.sure)


def spec_of(case: Case, *, skip: bool = False) -> dict[str, Any]:
    """A spec whose network takes the dataset."""
    ((kind, fields),) = case.dataset.items()
    dataset = {kind: {**fields, "on_error": "skip"}} if skip else case.dataset
    size = (32, 32) if kind == "cifar" else SIZE
    classes = 3 if case.kind.task == "segmentation" else 10 if kind == "cifar" else 2
    ends = [{"conv": {"filters": classes, "kernel": 1}}] if classes == 3 else ["flatten", {"dense": classes}]
    return {
        "archspec": 1,
        "name": "small",
        "task": case.kind.task,
        "input": {"height": size[0], "width": size[1], "channels": case.kind.channels},
        "layers": [{"conv": {"filters": 2, "kernel": 3, "pad": "same"}}, *ends],
        "train": {"dataset": dataset, "epochs": 1, "batch_size": 4},
    }


class Verdict(NamedTuple):
    """What came of a damaged dataset (named, left out, noted, or fine as far as anyone can tell), and what is wrong."""

    kind: str
    fault: str = ""


def verdict(case: Case, *, skip: bool) -> Verdict:
    """What the check says of a damaged dataset, held to what it must say."""
    import archspec
    from archspec.diagnostics import SpecError
    from archspec.output import as_json, printable
    from archspec.rendering import render_text
    from archspec.survey.words import in_words
    from archspec.training.reading import check

    name = case.file.name
    file = case.folder.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(spec_of(case, skip=skip)), "utf-8")
    try:
        outcome = check(archspec.load(file), progress=False)
    except SpecError as error:
        return Verdict("named", f"refused before anything was read: {error.diagnostics}")
    except Exception as error:
        return Verdict("error", f"{type(error).__name__}: {error}")
    checked, diagnostics = outcome.checked, outcome.diagnostics
    if checked is not None:  # both ways of showing it show whatever there is
        as_json(checked.to_plain()).encode()
        "".join(map(printable, in_words(checked))).encode()
    text = render_text(diagnostics)
    if diagnostics:
        # A class or a mask that is missing is told by its folder, an array by its file.
        known = name in text or case.file.parent.name in text or case.file.stem.partition("-")[0] in text
        left = any(item["name"].endswith(name) for item in (checked.unreadable if checked else ()))
        skipped = skip and left and "`size: [height, width]`" not in text  # other sizes are refused in any case
        return Verdict("named", "" if known and not skipped else f"not named, or not left out: {text}")
    assert checked is not None
    if any(name in item["reason"] for item in checked.unreadable):
        return Verdict("left out", "" if skip else "left out, though nothing said so")
    if any("passed over" in note or "several pictures" in note for note in checked.notes):
        return Verdict("told in a note")
    return Verdict("decodes", "not found" if case.sure else "")
