"""Sheets of pictures: pixels where they belong, enlarged by whole numbers, and captions that fit."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from archspec.images import sheets
from archspec.images.palettes import voc_colour
from archspec.images.sheets import GAP, MARGIN, UNCOUNTED, Cell, drawn, sheet


def test_pictures_and_masks_lie_side_by_side() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[0, 0] = (255, 0, 0)
    mask = np.array([[0, 1, -1, 2], [0, 0, 0, 0]])
    grey = np.full((2, 4, 1), 0.5, np.float32)
    made = np.asarray(drawn([Cell(image, mask=mask), Cell(grey), Cell(image)], columns=2))
    wide = 2 * 4 * 40 + 2
    assert made.shape == (2 * MARGIN + 2 * 80 + GAP, 2 * MARGIN + 2 * wide + GAP, 3)
    first = made[MARGIN : MARGIN + 80, MARGIN:]
    assert (first[:40, :40] == (255, 0, 0)).all() and (first[40:, :160] == 0).all()
    for place, colour in enumerate([voc_colour(0), voc_colour(1), UNCOUNTED, voc_colour(2)]):
        assert (first[:40, 162 + 40 * place : 202 + 40 * place] == colour).all()
    assert (made[MARGIN : MARGIN + 80, MARGIN + wide + GAP :][:, :160] == 128).all()
    assert (made[MARGIN + 80 + GAP :, MARGIN:][:40, :40] == (255, 0, 0)).all()


def test_captions_fit_below_their_pictures() -> None:
    words = "a caption of many words, a_name_that_has_no_place_to_break_in_it_at_all.png, × − … and more than fits in"
    lines = sheets._wrapped(words, 100)
    assert len(lines) == sheets.LINES and lines[-1].endswith("…")
    assert all(sheets._font().getlength(line) <= 100 for line in lines)
    assert sheets._wrapped("short", 100) == ["short"]
    cells = [Cell(np.zeros((300, 200, 3), np.uint8), words), Cell(np.zeros((3, 3, 7), np.float32))]
    with Image.open(BytesIO(sheet(cells, "a title"))) as made:
        assert made.format == "PNG"
        pixels = np.asarray(made)
    text: np.ndarray = pixels.max(-1) < 200
    assert text[MARGIN : MARGIN + 12].any() and text[-MARGIN - 40 : -MARGIN].any()  # title, caption
    assert not text[:, :MARGIN].any() and not text[:, -MARGIN:].any()
