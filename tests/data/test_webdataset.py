"""Shards of samples: what of their members is a sample, and what is amiss with them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.data import Data, loaded
from archspec.data._reading import Reading
from archspec.data._tars import members_of, shards_of
from archspec.data.webdataset import Webdataset
from archspec.diagnostics import DataError
from archspec.loading import load
from archspec.training.run import train

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), np.uint8)
Members = Iterable[tuple[str, bytes]]


def encoded(pixels: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file, kind)
    return file.getvalue()


def shard(path: Path, members: Members, form: int = tarfile.PAX_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def samples(first: int, last: int, label: Callable[[int], str] = lambda number: str(number % 3)) -> Members:
    for number in range(first, last):
        yield f"{number:04d}.png", encoded(PIXELS[number])
        yield f"{number:04d}.cls", label(number).encode()


def of(path: Path | str, how: Reading | None = None, **fields: Any) -> Data:
    return loaded(Webdataset.model_validate({"path": str(path), "holdout": 0.5, **fields}), how=how)


def whole(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of all parts, in the order of the samples' names."""
    names = [name.rpartition(":")[2] for split in data.parts.values() for name in split.names]
    order = np.argsort(names)
    images, labels = (
        np.concatenate([getattr(split, what) for split in data.parts.values()]) for what in ("images", "labels")
    )
    return images[order], labels[order]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_samples_are_those_that_were_written(tmp_path: Path, form: int) -> None:
    """In every format, with folders and long names, in memory and read when they are asked for."""
    folder = "./" + "deep/" * 12 + "photos/" * 5
    shard(tmp_path / "a-0.tar", ((folder + name, data) for name, data in samples(0, 5)), form)
    shard(tmp_path / "a-1.tar", ((folder + name.upper(), data) for name, data in samples(5, 12)), form)
    for how in (None, Reading("always", 0)):
        data = of(tmp_path / "a-{0..1}.tar", how)
        assert data.train.is_streamed is (how is not None)
        images, labels = whole(data)
        assert np.array_equal(images, PIXELS) and labels.tolist() == [number % 3 for number in range(12)]
        assert data.classes == {"label": ("0", "1", "2")}
    place = next(row for row, name in enumerate(data.train.names) if name.lower().endswith("0001.png"))
    assert np.array_equal(data.train.inputs["input"][place], PIXELS[1])


@pytest.mark.parametrize(
    ("labels", "fields", "expected", "classes"),
    [
        ({"cls": "cat"}, {}, 0, ("cat", "dog")),
        ({"txt": " dog\n"}, {}, 1, ("cat", "dog")),
        ({"json": {"label": 1, "caption": "x"}}, {}, 1, ("0", "1")),
        ({"json": {"about": {"kind": "dog"}}}, {"target": "json.about.kind"}, 1, ("cat", "dog")),
        ({"id.txt": "1"}, {"target": "id.txt", "classes": ["no", "yes"]}, 1, ("no", "yes")),
        ({"cls": "0.25", "json": {}}, {}, 0.25, None),
        ({"json": [0, 1, 1]}, {}, [0, 1, 1], None),
    ],
)
def test_labels(tmp_path: Path, labels: dict[str, Any], fields: dict[str, Any], expected: Any, classes: Any) -> None:
    """Numbers of classes, names, JSON, numbers and lists. The other samples have what makes both classes known."""
    other = {0: 1, 1: 0, 0.25: 0.5}
    names = {"cat": "dog", "dog": "cat", "1": "0"}

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(own) for name, own in value.items()}
        if isinstance(value, list):
            return value[::-1]
        return names.get(value.strip(), "0.5") if isinstance(value, str) else other[value]

    members: list[tuple[str, bytes]] = []
    for number in range(8):
        members.append((f"{number}.png", encoded(PIXELS[number])))
        for ending, value in labels.items():
            own = value if number % 2 == 0 else turned(value) if value != {} else {}
            members.append((f"{number}.{ending}", (own if isinstance(own, str) else json.dumps(own)).encode()))
    data = of(shard(tmp_path / "a.tar", members), **fields)
    assert data.class_names == (classes or ())
    images, found = whole(data)
    assert np.array_equal(images, PIXELS[:8]) and found[0].tolist() == expected
    assert len(np.unique(found, axis=0)) == 2


def test_pictures_of_all_modes_and_masks(tmp_path: Path) -> None:
    """Grey, CMYK and palette files become colours; masks are the numbers that their files store."""
    masks = np.random.default_rng(1).integers(0, 3, (12, 6, 8), np.uint8)
    masks[:, 0] = 255
    modes = [("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "P"), ("PNG", "LA"), ("WEBP", "RGB"), ("PNG", "RGBA")]
    members: list[tuple[str, bytes]] = []
    for number in range(12):
        kind, mode = modes[number % 6]
        members.append((f"{number:02d}.img.{kind.lower()}", encoded(PIXELS[number], kind, mode)))
        members.append((f"{number:02d}.seg.png", encoded(masks[number])))
    path = shard(tmp_path / "a.tar", members)
    fields: dict[str, Any] = {"image": "img.jpeg;img.png;img.webp", "target": "seg.png"}
    data = of(path, **fields)
    assert data.train.images.shape[1:] == (6, 8, 3) and data.train.images.dtype == np.uint8
    images, labels = whole(data)
    file = io.BytesIO(dict(members)["00.img.jpeg"])
    assert np.array_equal(images[0], np.asarray(Image.open(file).convert("RGB")))
    assert np.array_equal(labels, np.where(masks == 255, -1, masks.astype(np.int16)))
    assert data.class_names == ("0", "1", "2")
    assert of(path, **fields, size=[3, 4]).train.labels.shape[1:] == (3, 4)
    with pytest.raises(DataError, match="in one sample: its endings are"):
        of(shard(tmp_path / "b.tar", [("1.jpg", b""), ("1.png", b""), ("1.cls", b"0")]))


def test_what_is_left_out_and_unusual_is_said(tmp_path: Path) -> None:
    first = [*samples(0, 6), ("lone.png", encoded(PIXELS[0])), ("README", b"x"), ("._0001.png", b"\0\5\x16\7")]
    first += [("cat 2.0 (new).png", encoded(PIXELS[9])), ("cat 2.0 (new).cls", b"1")]
    late = [name for name in samples(6, 8) if name[0].endswith(".png")] + [
        name for name in samples(6, 8) if name[0].endswith(".cls")
    ]
    shard(tmp_path / "a-0.tar", first)
    shard(tmp_path / "a-1.tar", [*late, ("0000.png", encoded(PIXELS[8])), ("0000.cls", b"2"), ("lone.cls", b"1")])
    data = of(tmp_path / "a-*.tar")
    assert sum(map(len, data.parts.values())) == 10
    said = "\n".join(data.notes)
    for words in (
        "1 sample of 12 in a-0.tar and 1 more shard has no image, and is left out: a-1.tar:lone; of 1 the image is in",
        "has no label, and is left out: a-0.tar:lone; of 1 the label is in another shard",
        "1 sample of a-0.tar and 1 more shard has points in the key",
        "1 member of a-0.tar and 1 more shard with names without an ending passed over",
        "1 member of a-0.tar and 1 more shard with names that begin with a point passed over",
        "2 keys of a-0.tar and 1 more shard are in several shards",
        "members of a-0.tar and 1 more shard do not lie beside the others",
    ):
        assert words in said
    cat = next(name for name in (*data.train.names, *data.validation.names) if "2.0" in name)
    assert cat == f"{tmp_path / 'a-0.tar'}:cat 2.0 (new).png"


def test_of_keys_with_points_nothing_is_lost(tmp_path: Path) -> None:
    """What is left out for want of a label is counted; a third member of a sample is none of its own."""
    names = ("cat 2.0.png", "cat 2.0.cls", "cat 2.0.seg.png", "cat 2.1.png", "dog.png", "dog.cls")
    members = [(name, encoded(PIXELS[0]) if name.endswith("png") else b"1") for name in names]
    data = of(shard(tmp_path / "a.tar", members))
    assert len(data.train) == len(data.validation) == 1
    assert any("1 sample of 3 in a.tar has no label, and is left out: a.tar:cat 2.1" in note for note in data.notes)


def test_lists_of_labels_are_of_one_kind_in_all_parts(tmp_path: Path) -> None:
    def parts(*lists: list[float]) -> Data:
        for part, own in zip(("train", "val"), lists, strict=True):
            members = [(f"{number}.png", encoded(PIXELS[number])) for number in range(2)]
            members += [(f"{number}.json", json.dumps(own).encode()) for number in range(2)]
            shard(tmp_path / f"{part}-0.tar", members)
        return of(tmp_path)

    assert [split.labels.dtype for split in parts([0, 1], [1, 1]).parts.values()] == [np.int8] * 2
    assert [split.labels.dtype for split in parts([0, 1], [0, 0.5]).parts.values()] == [np.float32] * 2
    with pytest.raises(DataError, match="lists of different lengths"):
        parts([0, 1], [0, 1, 1])


def test_parts_are_told_by_names_folders_or_patterns(tmp_path: Path) -> None:
    for part, first in (("train", 0), ("val", 4), ("test", 8)):
        shard(tmp_path / "flat" / f"pets-{part}" / "0.tar", samples(first, first + 2))
        shard(tmp_path / "flat" / f"{part}-000000.tar", samples(first, first + 3))
        shard(tmp_path / "deep" / part / "0.tar", samples(first, first + 3))
    for data in (of(tmp_path / "flat"), of(tmp_path / "deep")):
        assert [split.names[0].rpartition(":")[2] for split in data.parts.values()] == [
            "0000.png",
            "0004.png",
            "0008.png",
        ]
    pattern = f"{tmp_path}/deep/train/{{0..0}}.tar::{tmp_path}/deep/val/*.tar"
    data = of(pattern, test=f"{tmp_path}/deep/test")
    assert {part: len(split) for part, split in data.parts.items()} == {"train": 6, "validation": 3}
    data = loaded(Webdataset(path=str(tmp_path / "deep")), "test")
    assert [split.names[0][-8:-4] for split in data.parts.values()] == ["0000", "0008", "0004"]
    with pytest.raises(DataError, match="`path` is a pattern"):
        loaded(Webdataset(path=pattern), "test")


def test_patterns(tmp_path: Path) -> None:
    for name in ("a-08", "a-09", "a-10", "b-8", "b-9", "b-10"):
        (tmp_path / f"{name}.tar").touch()
    for pattern, names in {
        "a-{08..10}.tar": ["a-08", "a-09", "a-10"],
        "b-{8..10}.tar": ["b-8", "b-9", "b-10"],
        "{b,a}-{09..10}.tar": None,
        "{a-08,b-9}.tar": ["a-08", "b-9"],
        "a-*.tar": ["a-08", "a-09", "a-10"],
        "b-?.tar": ["b-8", "b-9"],
    }.items():
        if names is None:
            with pytest.raises(DataError, match=r"1 shard of the 4 that .* means is not there: .*b-09.tar"):
                shards_of(str(tmp_path / pattern))
        else:
            assert [path.stem for path in shards_of(str(tmp_path / pattern))] == names
    with pytest.raises(DataError, match="no file"):
        shards_of(str(tmp_path / "c-*.tar"))
    with pytest.raises(DataError, match="more than 1,000,000 files"):
        shards_of(str(tmp_path / "a-{0..99999999}.tar"))


def test_a_shard_that_is_cut_anywhere_is_never_silent(tmp_path: Path) -> None:
    data = shard(tmp_path / "a.tar", samples(0, 3)).read_bytes()
    end = members_of(tmp_path / "a.tar").files[-1].offset + 512
    for cut in range(0, end + 1, 128):
        (tmp_path / "a.tar").write_bytes(data[:cut])
        try:
            notes = members_of(tmp_path / "a.tar").notes
        except DataError as error:
            assert error.code == "E506"
            continue
        assert "has no end mark" in notes[0] and cut % 512 == 0
    # A header that is wrong in the middle, at which readers stop as if there were no more.
    (tmp_path / "a.tar").write_bytes(data[:1024] + b"\x01" * 512 + data[1536:])
    with pytest.raises(DataError, match=r"damaged after 1 file; the last whole file in it is 0000\.png"):
        members_of(tmp_path / "a.tar")
    (tmp_path / "a.tar").write_bytes(data + data)
    assert "behind its end not read" in members_of(tmp_path / "a.tar").notes[0]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda data: gzip.compress(data), "is compressed by gzip"),
        (lambda data: bz2.compress(data), "is compressed by bzip2"),
        (lambda data: lzma.compress(data), "is compressed by xz"),
        (lambda data: b"", "is empty"),
        (lambda data: b"PK\3\4" + bytes(2000), "is no tar file"),
    ],
)
def test_what_is_no_plain_tar_is_refused(tmp_path: Path, made: Callable[[bytes], bytes], words: str) -> None:
    path = shard(tmp_path / "a.tar", samples(0, 3))
    path.write_bytes(made(path.read_bytes()))
    with pytest.raises(DataError, match=words) as error:
        of(path)
    assert error.value.code == "E506"


@pytest.mark.parametrize(
    ("members", "fields", "words"),
    [
        ([("1.cls", b"1")], {}, "has no images by their endings"),
        ([("1.png", b"")], {}, r"has no labels that are known: its endings are png \(1\)"),
        ([("1.png", b""), ("1.cls", b"1"), ("1.png", b"")], {}, "has two members 1.png"),
        ([("1.png", b""), ("2.cls", b"1")], {}, r"no sample of a.tar has both an image \(png\) and a label \(cls\)"),
        ([("1.png", b""), ("1.cls", b"1")], {"target": "clss"}, "has no members that end in .clss"),
        ([("1.png", b""), ("1.cls", b"1")], {"image": "jpg"}, "has no members that end in .jpg"),
        ([("1.png", b"xx"), ("1.cls", b"1")], {}, r"a\.tar:1\.png is not an image"),
        ([("1.png", encoded(PIXELS[0])), ("1.cls", pickle.dumps(1))], {}, "1.cls is no text"),
        ([("1.png", encoded(PIXELS[0])), ("1.json", b"{")], {}, "1.json is no JSON"),
        ([("1.png", encoded(PIXELS[0])), ("1.json", b'{"a": 1}')], {}, "1.json has the fields a"),
        ([("1.png", encoded(PIXELS[0])), ("1.json", b'{"a": 1}')], {"target": "json.b"}, "has no field b: it has a"),
        ([("1.png", encoded(PIXELS[0])), ("1.cls", b"")], {}, "no sample has a label"),
        ([("1.png", encoded(PIXELS[0])), ("1.cls", b"3")], {"classes": ["a", "b"]}, "a label is 3, but there are 2"),
        ([("1.png", encoded(PIXELS[0])), ("1.cls", b"c")], {"classes": ["a", "b"]}, "1 label that `classes` does not"),
        ([*samples(0, 2), ("3.png", encoded(PIXELS[0, :4])), ("3.cls", b"0")], {}, "3.png is 4×8, but .* is 6×8"),
    ],
)
def test_faults_are_named(tmp_path: Path, members: Members, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        of(shard(tmp_path / "a.tar", members), **fields)


def test_what_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    members = [(name, b"no image" if name == "0002.png" else data) for name, data in samples(0, 6)]
    shard(tmp_path / "a.tar", members)
    data = of(tmp_path / "a.tar", on_error="skip")
    assert sum(map(len, data.parts.values())) == 5
    assert [unread.name for unread in data.left] == [f"{tmp_path / 'a.tar'}:0002.png"]


def test_another_size_is_told_beside_one_that_can_be_read(tmp_path: Path) -> None:
    members = [(name, b"no image" if name == "0000.png" else data) for name, data in samples(0, 5)]
    shard(tmp_path / "a.tar", [*members, ("0005.png", encoded(PIXELS[5, :3])), ("0005.cls", b"1")])
    with pytest.raises(DataError, match=r"a.tar:0005.png is 3×8, but \S+a.tar:0001.png is 6×8"):
        of(tmp_path / "a.tar", on_error="skip")


@pytest.mark.parametrize("stream", ["never", "always"])
def test_classes_of_masks_are_counted_over_those_that_can_be_read(tmp_path: Path, stream: Any) -> None:
    masks = [encoded(np.full((6, 8), number, np.uint8)) for number in range(6)]
    masks[2] = b"no mask"
    members = [(f"{number}.jpg", encoded(PIXELS[number], "JPEG")) for number in range(6)]
    members += [(f"{number}.seg.png", own) for number, own in enumerate(masks)]
    shard(tmp_path / "a.tar", members)
    how = Reading(stream, 0)
    data = of(tmp_path / "a.tar", how, image="jpg", target="seg.png", on_error="skip")
    assert data.class_names == ("0", "1", "2", "3", "4", "5")


@pytest.mark.slow
def test_a_network_is_trained_on_shards(write: Callable[..., Path], tmp_path: Path) -> None:
    """A run is the same whether they are streamed or not; relative patterns start from the spec's folder."""
    shard(tmp_path / "t-0.tar", samples(0, 8))
    shard(tmp_path / "t-1.tar", samples(8, 12))
    text = """
input: {height: 6, width: 8, channels: 3}
layers: [flatten, {dense: {name: out, units: 3}}]
train: {dataset: {webdataset: {path: "t-{0..1}.tar", holdout: 0.5}}, batch_size: 4, epochs: 1, stream: %s, workers: 0}
"""
    runs = [train(load(write(text % stream)), tmp_path / stream, progress=False) for stream in ("never", "always")]
    assert runs[0].metrics[0]["train"] == runs[1].metrics[0]["train"]
    assert np.array_equal(runs[0].params["out.kernel"], runs[1].params["out.kernel"])
