"""Scenes as PNG and PDF, drawn by matplotlib."""

from __future__ import annotations

from pathlib import Path as File
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from archspec.drawing import DrawingError
from archspec.drawing.scene import FONT, Anchor, Path, Polygon, Rectangle, Scene, Shape, Style, Text

if TYPE_CHECKING:
    from matplotlib.artist import Artist

MAX_PIXELS = 100_000_000
"""Area that a PNG may have: 400 MB while it is drawn."""

_SETTINGS: Any = {
    "font.family": FONT,
    "text.hinting": "none",
    "pdf.fonttype": 42,
    "path.snap": False,
    "path.simplify": False,
}

_ALIGNMENTS: dict[Anchor, Literal["left", "center", "right"]] = {"start": "left", "middle": "center", "end": "right"}


def save(scene: Scene, file: str | File | BinaryIO, format: Literal["png", "pdf"], scale: float = 2.0) -> None:
    """Writes a scene; a pixel of the scene is `scale` pixels of a PNG, and a point (1/72 inch) of a PDF.

    Text in a PDF stays text. Raises DrawingError when a PNG would be larger than can be drawn.
    """
    import warnings

    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if format == "png" and scene.width * scene.height * scale**2 > MAX_PIXELS:
        size = f"{scene.width * scale:,.0f}×{scene.height * scale:,.0f}"
        raise DrawingError(f"a PNG of {size} pixels is too large: write SVG or PDF, or fold more")
    with rc_context(_SETTINGS), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box; nobody can act on a warning for each.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(scene.width / 72, scene.height / 72), dpi=72 * scale, facecolor=scene.background)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, scene.width)
        axes.set_ylim(scene.height, 0)
        for order, shape in enumerate(scene.shapes):
            for artist in _artists(shape):
                artist.set_zorder(order)
                artist.set_clip_on(False)
                axes.add_artist(artist)
        # Without dates and versions, equal scenes give equal files.
        if format == "pdf":
            figure.savefig(file, format="pdf", metadata={"Title": scene.title, "CreationDate": None, "Producer": None})
        else:
            figure.savefig(file, format="png", metadata={"Title": scene.title, "Software": None})


def _paint(style: Style) -> dict[str, Any]:
    return {
        "facecolor": style.fill or "none",
        "edgecolor": style.stroke or "none",
        "linewidth": style.width if style.stroke else 0,
        "linestyle": (0, [length / style.width for length in style.dash]) if style.dash else "-",
        "capstyle": "butt",
        "alpha": style.opacity if style.opacity != 1 else None,
    }


def _artists(shape: Shape) -> list[Artist]:
    from matplotlib import patches, text
    from matplotlib.path import Path as Outline

    if isinstance(shape, Text):
        return [
            text.Text(
                shape.x,
                shape.y,
                shape.text,
                fontsize=shape.size,
                fontweight="bold" if shape.bold else "normal",
                color=shape.colour,
                horizontalalignment=_ALIGNMENTS[shape.anchor],
                verticalalignment="baseline",
                rotation=-shape.rotate,
                rotation_mode="anchor",
                parse_math=False,
            )
        ]
    paint = _paint(shape.style)
    if isinstance(shape, Polygon):
        return [patches.Polygon(list(shape.points), closed=True, joinstyle="round", **paint)]
    if isinstance(shape, Rectangle):
        if not shape.radius:
            return [patches.Rectangle((shape.x, shape.y), shape.width, shape.height, joinstyle="miter", **paint)]
        return [patches.PathPatch(Outline(*_rounded(shape)), joinstyle="miter", **paint)]
    assert isinstance(shape, Path)
    points = [shape.start, *(point for curve in shape.shaft() for point in curve)]
    codes = [Outline.MOVETO, *[Outline.CURVE4] * (len(points) - 1)]
    drawn: list[Artist] = [patches.PathPatch(Outline(list(points), codes), joinstyle="miter", **paint)]
    return [*drawn, *_artists(shape.head())] if shape.arrow else drawn


def _rounded(shape: Rectangle) -> tuple[list[tuple[float, float]], list[int]]:
    """Points and codes of a rectangle whose corners are arcs, as SVG has them; matplotlib's own are not round."""
    from matplotlib.path import Path as Outline

    radius = min(shape.radius, shape.width / 2, shape.height / 2)
    # Where the controls of a quarter of a circle lie, counted from its corner.
    near = radius * (1 - 4 / 3 * (2**0.5 - 1))
    left, top, right, bottom = shape.box
    points, codes = [(left + radius, top)], [int(Outline.MOVETO)]
    for x, y, across, down in ((right, top, -1, 0), (right, bottom, 0, -1), (left, bottom, 1, 0), (left, top, 0, 1)):
        # Clockwise, a corner is left at a right angle to where it was come from.
        points += [(x + length * across, y + length * down) for length in (radius, near)]
        points += [(x + length * down, y - length * across) for length in (near, radius)]
        codes += [int(Outline.LINETO), *[int(Outline.CURVE4)] * 3]
    return [*points, points[0]], [*codes, int(Outline.CLOSEPOLY)]
