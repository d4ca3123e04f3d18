"""Scenes and their writers, held to XML's and matplotlib's own measure, to each other, and to a browser."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from itertools import combinations
from pathlib import Path as File

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath
from PIL import Image

from archspec.drawing import DrawingError, palette, raster, svg
from archspec.drawing.scene import (
    Curve,
    Path,
    Point,
    Polygon,
    Rectangle,
    Scene,
    Shape,
    Style,
    Text,
    line,
    polyline,
    shortened,
    text_width,
)

NAMESPACE = "{http://www.w3.org/2000/svg}"


def scene(*shapes: Shape, title: str = "title") -> Scene:
    return Scene(240, 160, shapes, title)


def measured(text: str, size: float, bold: bool) -> float:
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=size)
    return TextToPath().get_text_width_height_descent(text, font, False)[0]


# What no XML file may hold: control characters and lone surrogates are among what hypothesis makes.
anything = st.text(st.characters(exclude_categories=[]), max_size=40)


@given(anything, anything, anything, anything)
def test_svg_is_well_formed_and_keeps_the_words(words: str, tooltip: str, path: str, title: str) -> None:
    drawn = svg.render(
        scene(
            Text(10, 20, words, title=tooltip, path=path),
            Rectangle(1, 2, 3, 4, Style("#ffffff"), title=tooltip, path=path),
            title=title,
        )
    )
    root = ElementTree.fromstring(drawn.encode("utf-8"))
    clean = [
        re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", x) for x in (words, tooltip, title)
    ]
    text, rectangle = root.find(f"{NAMESPACE}text"), root.findall(f"{NAMESPACE}rect")[1]
    assert text is not None
    assert "".join(text.itertext()) == clean[1] + clean[0]
    assert root.findtext(f"{NAMESPACE}title") == clean[2]
    assert rectangle.findtext(f"{NAMESPACE}title") == clean[1]
    assert rectangle.get("data-path") == text.get("data-path")


def test_svg_stands_alone() -> None:
    drawn = svg.render(scene(Text(1, 2, "x")))
    root = ElementTree.fromstring(drawn)
    assert root.get("viewBox") == "0 0 240 160"
    assert root.get("role") == "img"
    ground = root.find(f"{NAMESPACE}rect")
    assert ground is not None
    assert (ground.get("width"), ground.get("height"), ground.get("fill")) == ("240", "160", "#ffffff")
    for word in ("href", "script", "@import", "url(", "<style"):
        assert word not in drawn


@settings(max_examples=200)
@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789×·_ /√", min_size=1, max_size=40).map(str.strip).filter(bool),
    st.floats(7, 20),
    st.booleans(),
)
def test_text_width_is_that_of_matplotlib(text: str, size: float, bold: bool) -> None:
    # Letters that are set closer, "ff" before all, are the difference.
    assert text_width(text, size, bold) == pytest.approx(measured(text, size, bold), rel=0.08)


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize(
    "text", ["conv1_1–3", "36 × bottleneck", "max pool 2×2 /2", "Normalisation: été, Größe, naïve", "14×14×1024 → 1000"]
)
def test_text_width_of_labels(text: str, bold: bool) -> None:
    assert text_width(text, 10, bold) == pytest.approx(measured(text, 10, bold), rel=0.03)


@given(st.text("abcW ", max_size=60), st.floats(8, 200))
def test_shortened_text_fits(text: str, width: float) -> None:
    short = shortened(text, width, 10)
    assert short == "…" or text_width(short, 10) <= width
    assert short == text or text_width(text, 10) > width


def everything() -> tuple[Shape, ...]:
    dark = Style(None, "#203040", 2)
    return (
        Rectangle(10, 10, 60, 40, Style("#a9c8e6", "#2b5c8a", 2), radius=6),
        Rectangle(80, 10, 40, 40, Style("#e08a5f")),
        Polygon((Point(140, 10), Point(200, 10), Point(170, 60)), Style("#7dbb9b", "#1f6646", 1, opacity=0.5)),
        Path(Point(20, 90), (Curve(Point(60, 60), Point(120, 140), Point(180, 90)),), dark, arrow=True),
        polyline([Point(20, 120), Point(120, 120), Point(120, 150)], Style(None, "#203040", 1.5, (6, 4)), arrow=True),
        Text(140, 120, "conv 3×3 /2", 11, anchor="start"),
        Text(230, 140, "inception4a", 12, True, "end"),
        Text(228, 60, "turned", 10, rotate=-90, anchor="middle"),
    )


def test_png_has_the_size_and_the_colours(tmp_path: File) -> None:
    file = tmp_path / "scene.png"
    raster.save(scene(*everything()), file, "png", 2)
    pixels = Image.open(file).convert("RGB")
    assert pixels.size == (480, 320)
    for x, y, colour in (
        (40, 30, "#a9c8e6"),
        (100, 30, "#e08a5f"),
        (40, 10, "#2b5c8a"),
        (10, 10, "#ffffff"),
        (5, 5, "#ffffff"),
        (170, 30, "#beddcd"),
    ):
        expected = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        found = pixels.getpixel((2 * x, 2 * y))
        assert np.abs(np.subtract(np.asarray(found), expected)).max() <= 2, (x, y, found)


def test_files_are_the_same_each_time(tmp_path: File) -> None:
    for kind in ("png", "pdf"):
        files = [tmp_path / f"{number}.{kind}" for number in (1, 2)]
        for file in files:
            raster.save(scene(*everything()), file, kind)
        assert files[0].read_bytes() == files[1].read_bytes()


def test_pdf_is_a_page_of_the_size_with_text_that_stays_text(tmp_path: File) -> None:
    file = tmp_path / "scene.pdf"
    raster.save(scene(*everything()), file, "pdf")
    content = file.read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    box = re.search(rb"/MediaBox \[ ?([\d. ]+)\]", content)
    assert box is not None and [float(word) for word in box[1].split()] == [0, 0, 240, 160]
    assert b"DejaVuSans" in content and b"/FontFile2" in content
    assert b"/Subtype /Image" not in content


def test_a_png_that_cannot_be_held_is_refused(tmp_path: File) -> None:
    with pytest.raises(DrawingError, match="too large"):
        raster.save(Scene(200_000, 400, (), "t"), tmp_path / "x.png", "png")


def test_letters_that_the_font_lacks_are_no_error(tmp_path: File) -> None:
    raster.save(scene(Text(5, 20, "层 $x_1$ 🙂"), title="层 (a"), tmp_path / "x.png", "png")
    raster.save(scene(Text(5, 20, "层 $x_1$ 🙂"), title="层 (a"), tmp_path / "x.pdf", "pdf")
    with Image.open(tmp_path / "x.png") as picture:
        assert np.asarray(picture.convert("L")).min() < 128
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF-")


def test_arrows_end_where_the_line_does() -> None:
    path = Path(Point(0, 0), (line(Point(30, 0)), line(Point(30, 40))), Style(stroke="#000000", width=1), arrow=True)
    head = path.head()
    assert head.points[0] == Point(30, 40)
    assert head.points[1].y == head.points[2].y == 36
    assert sorted(point.x for point in head.points) == pytest.approx([28.4, 30, 31.6])
    assert path.shaft()[-1].end.y < 40 and path.shaft()[-1].end.x == 30


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a browser")
def test_png_looks_as_a_browser_shows_the_svg(tmp_path: File) -> None:
    figure = scene(*everything())
    (tmp_path / "scene.svg").write_text(svg.render(figure), encoding="utf-8")
    raster.save(figure, tmp_path / "ours.png", "png", 2)
    subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--force-device-scale-factor=2"),
            *("--window-size=240,160", f"--user-data-dir={tmp_path}/profile", f"--screenshot={tmp_path}/theirs.png"),
            (tmp_path / "scene.svg").as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    ours, theirs = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"), float) for name in ("ours", "theirs"))
    assert ours.shape == theirs.shape
    # Blurred by a pixel of the scene, so that only what is elsewhere counts, not how edges are smoothed.
    blur = [
        sum(np.roll(np.roll(x, i, 0), j, 1) for i in range(-2, 3) for j in range(-2, 3)) / 25 for x in (ours, theirs)
    ]
    # Letters are smoothed otherwise by each version of matplotlib: 80 of 255 with 3.10.0.
    assert np.abs(blur[0] - blur[1]).max() < 90
    assert np.abs(ours - theirs).mean() < 1.5
    for shape in figure.shapes:
        left, top, right, bottom = (round(2 * edge) for edge in shape.box)
        inked = [np.argwhere(x[top - 4 : bottom + 4, max(left - 4, 0) : right + 4] < 250) for x in (ours, theirs)]
        for edge in (np.min, np.max):
            assert np.abs(edge(inked[0], axis=0) - edge(inked[1], axis=0)).max() <= 2, shape


def lab(colour: str, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour as it is seen through a matrix of linear RGB."""
    channels = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    linear = np.clip(seen @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in to_xyz @ linear / to_xyz.sum(1)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# Machado, Oliveira & Fernandes 2009, severity 1.0.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


@pytest.mark.parametrize("sight", SIGHT)
def test_families_are_told_apart(sight: str) -> None:
    tones = {name: colours.mid for name, colours in palette.FAMILIES.items()} | {"block": palette.BLOCK.mid}
    for (one, first), (two, second) in combinations(tones.items(), 2):
        distance = math.dist(lab(first, SIGHT[sight]), lab(second, SIGHT[sight]))
        assert distance > 15, (one, two, distance)
