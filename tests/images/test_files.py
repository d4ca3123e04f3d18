"""Finding image files, and reading damaged, hostile and odd ones."""

from __future__ import annotations

import os
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.data import Column, Reading, Split
from archspec.data._reading import ImageFiles, read_in
from archspec.diagnostics import DataError
from archspec.images.files import bounded, find_images, read_pixels, stem_of, suffixes
from archspec.images.preparation import Preparation

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_every_ending_of_a_format_that_is_decoded_is_known() -> None:
    assert {".png", ".jfif", ".jpe", ".tga", ".jp2", ".pbm", ".ico", ".avif", ".dds", ".apng"} <= suffixes()
    assert not {".eps", ".h5", ".mpg", ".txt"} & suffixes()
    assert [stem_of(name) for name in ("v1.0", "v1.0.png", "a.b.JPG", "a")] == ["v1.0", "v1.0", "a.b", "a"]


def test_folders_are_searched_and_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    for name in ("b.png", "a.JFIF", "deep/er/c.png", ".hidden.png", ".ipynb_checkpoints/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS).save(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "more.txt").write_text("x")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "deep" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    found = find_images(tmp_path)
    assert [path.name for path in found.paths] == ["a.JFIF", "b.png", "c.png"]
    said = "; ".join(found.notes("here"))
    for words in (
        "2 files with a name that is no image's (.txt) are passed over",
        "1 link leading back to a folder around it",
        "2 things called an image, but no file",
        "1 hidden file called an image is",
        "1 hidden folder (.ipynb_checkpoints)",
    ):
        assert words in said


def test_a_link_out_of_the_folder_that_is_searched_to_one_around_it_is_passed_over(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(PIXELS).save(tmp_path / name / "x.png")
    (tmp_path / "cat" / "all").symlink_to(tmp_path, target_is_directory=True)
    found = find_images(tmp_path / "cat")
    assert found.paths == [tmp_path / "cat" / "x.png"]
    assert found.reasons() == ["1 link leading back to a folder around it is"]


def test_a_linked_folder_is_read_but_not_without_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    Image.fromarray(PIXELS).save(tmp_path / "b" / "x.png")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a", target_is_directory=True)
    assert [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path / "a").paths] == ["a/b/x.png"]


def damaged(folder: Path) -> dict[str, Path]:
    """Files that Pillow's readers have answered with errors of many types."""
    made = {}
    for name, form in (
        ("png", "PNG"),
        ("jpg", "JPEG"),
        ("webp", "WEBP"),
        ("tif", "TIFF"),
        ("gif", "GIF"),
        ("bmp", "BMP"),
    ):
        path = folder / f"whole.{name}"
        Image.fromarray(np.tile(PIXELS, (8, 8, 1))).save(path, form)
        data = path.read_bytes()
        for share in (0.1, 0.5, 0.9):
            made[f"{name} {share}"] = folder / f"cut{share}.{name}"
            made[f"{name} {share}"].write_bytes(data[: int(len(data) * share)])
        for seed in range(6):
            noise = bytearray(data)
            for place in np.random.default_rng(seed).integers(0, len(data), 6):
                noise[place] ^= 0xFF
            made[f"{name} noise {seed}"] = folder / f"noise{seed}.{name}"
            made[f"{name} noise {seed}"].write_bytes(bytes(noise))
    whole = (folder / "whole.png").read_bytes()
    made["broken chunk"] = folder / "chunk.png"
    made["broken chunk"].write_bytes(whole[:33] + b"\x00\x00\x00\x04tRN\x00zzzz" + whole[33:])
    made["empty"] = folder / "empty.png"
    made["empty"].write_bytes(b"")
    return made


def test_damaged_files_give_a_picture_or_a_sentence(tmp_path: Path) -> None:
    for name, path in damaged(tmp_path).items():
        try:
            assert read_pixels(path, "RGB").shape[2] == 3
        except DataError as error:
            assert str(path) in error.message, name
            assert error.code == "E521"


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_exif_that_is_none_leaves_the_picture(tmp_path: Path, form: str) -> None:
    path = tmp_path / "image"
    Image.fromarray(PIXELS).save(path, form, exif=b"Exif\0\0no TIFF at all", lossless=True, quality=100)
    assert read_pixels(path, "RGB").shape == (4, 4, 3)
    if form != "JPEG":
        assert np.array_equal(read_pixels(path, "RGB"), PIXELS)


def test_what_is_too_large_is_not_read_unless_it_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = zlib.compress(bytes(13_001 * 13_000 // 8))
    head = png_chunk(b"IHDR", struct.pack(">2I5B", 13_000, 13_000, 1, 0, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    )
    with pytest.raises(DataError, match="limit") as error:
        read_pixels(tmp_path / "bomb.png", "L")
    assert "ARCHSPEC_MAX_MEGAPIXELS" in error.value.help[0]
    Image.fromarray(np.zeros((1500, 1000), np.uint8)).save(tmp_path / "usual.png")
    assert read_pixels(tmp_path / "usual.png", "L").shape == (1500, 1000, 1)
    monkeypatch.setenv("ARCHSPEC_MAX_MEGAPIXELS", "1")
    with pytest.raises(DataError, match="limit"):
        read_pixels(tmp_path / "usual.png", "L")
    monkeypatch.setenv("ARCHSPEC_MAX_MEGAPIXELS", "many")
    with pytest.raises(DataError, match="not a number above 0"):
        read_pixels(tmp_path / "usual.png", "L")


def test_pipes_and_folders_are_no_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        with pytest.raises(DataError, match="is no file"):
            read_pixels(path, "L")


def test_no_other_program_is_run_for_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(DataError, match="not an image"):
        read_pixels(tmp_path / "a.png", "L")


def test_a_limit_that_is_no_number_does_not_take_away_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setenv("ARCHSPEC_MAX_MEGAPIXELS", "many")
    with pytest.raises(DataError), bounded():
        pass
    monkeypatch.setenv("ARCHSPEC_MAX_MEGAPIXELS", "2")
    with bounded():
        assert Image.MAX_IMAGE_PIXELS == 2_000_000
    assert before == Image.MAX_IMAGE_PIXELS


def test_of_several_pictures_the_first_is_taken_and_counted(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (9, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    seen: Counter[str] = Counter()
    assert read_pixels(tmp_path / "a.gif", "L", seen).max() == 9
    assert sum(seen.values()) == 1


def test_all_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path in paths:
        Image.fromarray(np.tile(PIXELS, (8, 8, 1))).save(path)
    for path in paths[1:4]:
        path.write_bytes(path.read_bytes()[:60])
    files = Column(ImageFiles([*map(str, paths)], False, Preparation(), str(tmp_path)))
    with pytest.raises(DataError, match="3 of 5 images cannot be read") as error:
        read_in([Split.of(files, np.zeros(5, np.int32))], Reading(), [])
    assert all(str(path) in error.value.message for path in paths[1:4])
