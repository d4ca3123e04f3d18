"""What a mask's file stores, and tables of colours."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.diagnostics import DataError
from archspec.images.masks import classes_of_colours, code, palette, read_coloured, read_mask
from archspec.images.palettes import TABLES, read_table
from tests.images.test_files import png_chunk

NUMBERS = np.array([[0, 1, 2, 3], [3, 2, 1, 0]])


def png(path: Path, numbers: np.ndarray, bits: int, kind: int = 0) -> None:
    """A PNG of so many bits a pixel, grey (0) or with a palette (3), written by hand as the format says."""

    height, width = numbers.shape
    rows = b""
    for row in numbers:
        bits_of_row = "".join(f"{number:0{bits}b}" for number in row)
        bits_of_row += "0" * (-len(bits_of_row) % 8)
        rows += b"\0" + bytes(int(bits_of_row[place : place + 8], 2) for place in range(0, len(bits_of_row), 8))
    colours = png_chunk(b"PLTE", bytes(range(3 * 2 ** min(bits, 8)))[: 3 * 2**bits]) if kind == 3 else b""
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">2I5B", width, height, bits, kind, 0, 0, 0))
        + colours
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("bits", "kind"), [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (1, 3), (2, 3), (4, 3)])
def test_numbers_are_those_that_are_stored(tmp_path: Path, bits: int, kind: int) -> None:
    numbers = NUMBERS % 2**bits * (257 if bits == 16 else 1)
    png(tmp_path / "mask.png", numbers, bits, kind)
    assert np.array_equal(read_mask(tmp_path / "mask.png"), numbers)


@pytest.mark.parametrize("largest", [1, 2, 3, 15, 100, 255, 300, 65535])
@pytest.mark.parametrize("plain", [False, True])
def test_greys_of_pgm_files_are_not_spread(tmp_path: Path, largest: int, plain: bool) -> None:
    numbers = np.unique(np.linspace(0, largest, 50).astype(int))[None]
    head = f"{'P2' if plain else 'P5'} {numbers.size} 1 {largest}\n".encode()
    kind = np.uint8 if largest < 256 else np.dtype(">u2")
    body = " ".join(map(str, numbers[0])).encode() if plain else numbers.astype(kind).tobytes()
    (tmp_path / "mask.pgm").write_bytes(head + body)
    assert np.array_equal(read_mask(tmp_path / "mask.pgm"), numbers)


def test_bitmaps_hold_0_and_1(tmp_path: Path) -> None:
    (tmp_path / "mask.pbm").write_bytes(b"P1 4 1\n1 0 0 1\n")
    assert read_mask(tmp_path / "mask.pbm").tolist() == [[1, 0, 0, 1]]
    bits = np.array([[True, False, True]])
    for ending in ("png", "tif", "bmp"):
        Image.fromarray(bits).save(tmp_path / f"bits.{ending}")
        assert read_mask(tmp_path / f"bits.{ending}").tolist() == [[1, 0, 1]]


def test_palettes_of_every_kind_give_their_indices(tmp_path: Path) -> None:
    image = Image.fromarray(NUMBERS.astype(np.uint8), mode="P")
    image.putpalette(palette(21).tobytes())
    for ending in ("png", "gif", "tif", "bmp"):
        image.save(tmp_path / f"mask.{ending}")
        assert np.array_equal(read_mask(tmp_path / f"mask.{ending}"), NUMBERS), ending


def test_tables_are_those_of_their_sets() -> None:
    assert [len(TABLES[name].names) for name in ("voc", "camvid", "cityscapes")] == [21, 31, 19]
    for table in TABLES.values():
        assert len({*table.colours, *table.void}) == len(table.colours) + len(table.void)
    # As VOC's development kit and the sets' own lists have them.
    assert TABLES["voc"].colours[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert TABLES["voc"].colours[15] == (192, 128, 128)
    assert dict(zip(TABLES["camvid"].names, TABLES["camvid"].colours, strict=True))["Sky"] == (128, 128, 128)
    assert TABLES["cityscapes"].colours[13] == (0, 0, 142)


def test_colours_become_classes(tmp_path: Path) -> None:
    pixels = np.array([[[128, 64, 128], [0, 0, 0]], [[128, 128, 128], [1, 2, 3]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    codes = read_coloured(tmp_path / "mask.png")
    assert codes[1, 1] == code((1, 2, 3)) == 0x010203
    names = TABLES["camvid"].names
    assert classes_of_colours(codes, TABLES["camvid"]).tolist() == [[names.index("Road"), -1], [names.index("Sky"), -2]]


@pytest.mark.parametrize(
    "text",
    [
        "name,r,g,b\nroad,128,64,128\nthe sky,70,130,180\n",
        "\ufeff128 64 128\t\troad\r\n70 130 180\tthe sky\r\n",
        "# label:color_rgb:parts:actions\nroad:128,64,128::\nthe sky:70,130,180::\n",
    ],
)
def test_tables_are_read_from_the_files_that_sets_have(tmp_path: Path, text: str) -> None:
    (tmp_path / "table").write_text(text, "utf-8")
    table = read_table(tmp_path / "table")
    assert (table.names, table.colours) == (("road", "the sky"), ((128, 64, 128), (70, 130, 180)))


@pytest.mark.parametrize(
    ("text", "words"), [("nothing", "no table"), ("a 300 1 1", "above 255"), ("a 1 1 1\nb 1 1 1", "another")]
)
def test_files_that_are_no_tables_are_answered(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "table").write_text(text)
    with pytest.raises(DataError, match=words):
        read_table(tmp_path / "table")


def test_a_mask_of_floating_point_numbers_is_sent_to_no_table_of_colours(tmp_path: Path) -> None:
    Image.fromarray(NUMBERS.astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(DataError) as error:
        read_mask(tmp_path / "f.tif")
    assert not any("colours" in line for line in (*error.value.notes, *error.value.help))


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        ([[[64, 128, 64], [0, 0, 192]]], "`colours: camvid`"),
        ([[[3, 3, 3], [1, 1, 1]]], "`colours: grey`"),
        ([[[3, 4, 5], [1, 1, 1]]], "`colours` in the dataset"),
    ],
)
def test_a_mask_in_colours_is_answered_with_a_way_out(tmp_path: Path, pixels: list[object], words: str) -> None:
    Image.fromarray(np.array(pixels, np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match="not the numbers of their classes") as error:
        read_mask(tmp_path / "mask.png")
    assert words in error.value.help[0]
