"""The look of papers' figures: maps as volumes in a row from the input to the outputs, drawn to scale.

Height and width of maps are to one scale; depth grows with the square root of the channels, and the length of a
vector's bar with the square root of its features (as in the figures of LeCun et al. 1998, Krizhevsky et al. 2012,
Simonyan & Zisserman 2015 and Badrinarayanan et al. 2017, which draw depth and long vectors shortened too).
"""

from __future__ import annotations

from collections.abc import Sequence

from archspec.drawing.detours import crossings
from archspec.drawing.groups import groups, ties_of
from archspec.drawing.labels import told_by_legend, wants_windows, write_labels
from archspec.drawing.rows import place_across, rows_of
from archspec.drawing.scene import Scene, Shape, around, headed, moved
from archspec.drawing.skyline import Places, place_down
from archspec.drawing.volume_shapes import MARGIN, arc, crossing, into, legend, volume
from archspec.drawing.volumes import Figure, sized
from archspec.figures.units import si
from archspec.graph import Graph

LEAST_WIDTH = 460.0


def scene(graph: Graph) -> Scene:
    """The figure of a graph as it is given, train-only outputs included.

    Raises DrawingError when it would have more volumes than can be read.
    """
    figure, places = placed(graph)
    shapes: list[Shape] = []
    for (one, two), points in crossings(figure, places).items():
        shapes.append(crossing(figure, one, two, points))
    for row in figure.rows.chains:
        for at in row:
            shapes += into(figure, at)
            shapes += volume(figure, figure.volumes[at])
    for one, two in figure.rows.arcs:
        shapes.append(arc(figure, places, one, two))
    shapes += [*places.leaders, *places.labels]
    area = around(shape.box for shape in shapes)
    room = max(area.width, LEAST_WIDTH)
    heading = headed(graph.title, graph.name, _facts(graph), room, sizes=(15, 10.5), baselines=(12, 29))
    head = [moved(text, MARGIN, MARGIN) for text in heading]
    width = max(room, *(text.box.right - MARGIN for text in head)) + 2 * MARGIN
    top = max(text.box.bottom for text in head) + 18
    shift_x = MARGIN - area.left + (width - 2 * MARGIN - area.width) / 2
    drawn: list[Shape] = [*head, *(moved(shape, shift_x, top - area.top) for shape in shapes)]
    below, bottom = legend(figure, width, top + area.height + 22)
    title = f"{graph.title or graph.name}: {heading[1].text}"
    return Scene(width, bottom + MARGIN - 4, (*drawn, *below), title)


def placed(graph: Graph) -> tuple[Figure, Places]:
    """What a figure shows and where that stands, before it is moved onto its page.

    Raises DrawingError when it would have more volumes than can be read.
    """
    figure = _figure(graph)
    write_labels(figure)
    place_across(figure)
    return figure, place_down(figure)


def _figure(graph: Graph) -> Figure:
    """Groups, their volumes and the rows that these stand in, nothing placed yet."""
    parts = groups(graph)
    volumes, rows, windows = sized(parts), rows_of(parts), wants_windows(parts)
    for number, chain in enumerate(rows.chains):
        for at in chain:
            volumes[at].row = number
    for pair in rows.arcs:
        for at in pair:
            volumes[at].arcs = True
    for pair in rows.crossings:
        for at in pair:
            volumes[at].crossed = True
    ties, told, silent = ties_of(graph, parts)
    return Figure(graph, parts, volumes, rows, windows, told_by_legend(parts, windows), ties, told, silent)


def _facts(graph: Graph) -> str:
    several = len(graph.inputs) > 1
    starts = _few([f"{item.name} {item.type}" if several else str(item.type) for item in graph.inputs])
    ends = _few([str(graph.output_type(output)) for output in graph.outputs])
    return f"{starts} → {ends} · {si(graph.count('trainable'))} parameters · {si(graph.macs)} multiply–adds"


def _few(words: Sequence[str]) -> str:
    return ", ".join([*words[:3], *["…"][: len(words) > 3]])
