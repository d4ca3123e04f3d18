"""Drawings of a graph: a look makes a scene of shapes and text, which is written as SVG, PNG or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from archspec.diagnostics import DataError
from archspec.writing import write

if TYPE_CHECKING:
    from archspec.drawing.scene import Scene
    from archspec.graph import Graph
    from archspec.loading import Spec

FORMATS = ("svg", "png", "pdf", "dot")

Look = Literal["graph", "paper"]


class DrawingError(ValueError):
    """A graph cannot be drawn as asked; the words say why and what to do."""


@dataclass(frozen=True)
class Drawing:
    """A drawing of a network, `name`, which a notebook shows; `svg` is its text."""

    name: str
    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        from archspec.drawing.svg import inline

        return inline(self.svg)


@overload
def draw(
    network: Spec | Graph,
    file: None = None,
    *,
    mode: Literal["eval", "train"] = "eval",
    look: Look = "graph",
    depth: int | None = None,
    open: Sequence[str] = (),
    direction: Literal["down", "right"] = "down",
) -> Drawing: ...


@overload
def draw(
    network: Spec | Graph,
    file: str | Path,
    *,
    mode: Literal["eval", "train"] = "eval",
    look: Look = "graph",
    depth: int | None = None,
    open: Sequence[str] = (),
    direction: Literal["down", "right"] = "down",
) -> Path: ...


def draw(
    network: Spec | Graph,
    file: str | Path | None = None,
    *,
    mode: Literal["eval", "train"] = "eval",
    look: Look = "graph",
    depth: int | None = None,
    open: Sequence[str] = (),
    direction: Literal["down", "right"] = "down",
) -> Path | Drawing:
    """Draws a network into a file whose suffix says the format: .svg, .png, .pdf or .dot. Without a file it gives a
    `Drawing`, which a notebook shows.

    `mode` "train" has the heads that only training needs. The paper look has no `depth`, `open` or `direction`.
    Raises `DrawingError` where the graph cannot be drawn as asked, and `SpecError` where the file cannot be written;
    then an older file of the name is as it was.
    """
    from archspec.graph import Graph

    path = None if file is None else Path(file)
    format = "svg" if path is None else path.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        raise DrawingError(f"{path}: a drawing ends in .svg, .png, .pdf or .dot")
    graph = network if isinstance(network, Graph) else network.graph()
    contents = drawn(graph.pruned(mode), format, look=look, depth=depth, open=open, direction=direction)
    if path is None:
        return Drawing(graph.name, contents.decode())
    try:
        write(path, contents)
    except DataError as error:
        raise error.located(None) from None
    return path


def drawn(
    graph: Graph,
    format: str,
    *,
    look: Look = "graph",
    depth: int | None = None,
    open: Sequence[str] = (),
    direction: Literal["down", "right"] = "down",
) -> bytes:
    """A drawing as a file's bytes, in one of `FORMATS`. Raises `DrawingError` where it cannot be drawn as asked."""
    if format == "dot":
        from archspec.drawing import dot

        return dot.render(graph, depth=depth, open=open, direction=direction).encode()
    if look == "paper":
        from archspec.drawing import paper_look

        scene = paper_look.scene(graph)
    else:
        from archspec.drawing import graph_look

        scene = graph_look.scene(graph, depth=depth, open=open, direction=direction)
    return encoded(scene, format)


def encoded(scene: Scene, format: str) -> bytes:
    """A scene as a file's bytes: svg, png or pdf."""
    if format == "svg":
        from archspec.drawing import svg

        return svg.render(scene).encode()
    from archspec.drawing import raster

    stream = BytesIO()
    raster.save(scene, stream, "png" if format == "png" else "pdf")
    return stream.getvalue()
