"""Files that are cut short or changed, and that Pillow would take: none passes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.diagnostics import DataError
from archspec.images.files import read_pixels

PIXELS = np.kron(np.random.default_rng(0).integers(0, 256, (3, 4, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def encoded(format: str, **ways: object) -> bytes:
    file = BytesIO()
    Image.fromarray(PIXELS).save(file, format, **ways)
    return file.getvalue()


def is_read(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    try:
        read_pixels(path, "RGB")
    except DataError as error:
        assert error.code == "E521" and str(path) in error.message
        return False
    return True


@pytest.mark.parametrize(
    ("name", "format", "ways"),
    [
        ("a.png", "PNG", {}),
        ("a.jpg", "JPEG", {}),
        ("b.jpg", "JPEG", {"progressive": True}),
        ("a.jp2", "JPEG2000", {}),
        ("a.j2k", "JPEG2000", {"no_jp2": True}),
    ],
)
def test_no_file_that_is_cut_anywhere_passes(tmp_path: Path, name: str, format: str, ways: dict[str, object]) -> None:
    data = encoded(format, **ways)
    assert is_read(tmp_path / name, data)
    cuts = sorted({*range(0, len(data), max(1, len(data) // 60)), *range(len(data) - 24, len(data))})
    assert [cut for cut in cuts if is_read(tmp_path / name, data[:cut])] == []


def test_no_png_of_which_a_byte_is_another_passes(tmp_path: Path) -> None:
    data = bytearray(encoded("PNG"))
    for place in range(8, len(data), 2):
        data[place] ^= 0x10
        assert not is_read(tmp_path / "a.png", bytes(data)), place
        data[place] ^= 0x10
    assert is_read(tmp_path / "a.png", bytes(data) + b"what some programs put behind the end")
