"""A number of a layer's output and what makes it, drawn as in course notes: cells with numbers, the window framed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from archspec.diagnostics import count
from archspec.drawing.palette import FAINT, FAMILIES, INK, RULE
from archspec.drawing.scene import Point, Rectangle, Scene, Shape, Style, Text, around, headed, moved, text_width
from archspec.terms import Terms, said
from archspec.walking.numbers import Walk
from archspec.walking.text import CHANNELS, SIDE, agreement, formats, leading, total, unit_of, with_bias

CELL, LINE = 38.0, 22.0
"""Width and height of a cell."""
SIZE = 10.0
GAP = 34.0
MARGIN = 24.0
AROUND = 2
"""Cells that are shown around a window or an output where the whole map is too large."""
MOST = 11
"""Cells along an axis of a map that is shown as a whole."""
PADDING = "#f1f1f1"


class Part(NamedTuple):
    """Shapes around an own corner at (0, 0), and how large they are."""

    shapes: list[Shape]
    width: float
    height: float


def scene(walk: Walk) -> Scene:
    """Input, kernel, products and output side by side, and below them what they make."""
    title = f"{walk.node.path}: {unit_of(walk)}"
    facts = f"{walk.node.kind} of {walk.network}; {walk.source}"
    body = _body(walk)
    equation = _equation(walk)
    lines = [*equation, *(f"{name}: {line}" for name, line in walk.arithmetic.lines()), *walk.notes]
    shapes: list[Shape] = []
    y = 0.0
    width = max(body.width, 420.0, *(text_width(line, 11) for line in lines))
    shapes.extend(headed(title, title, facts, width, sizes=(16.0, 11.0)))
    shapes = [shapes[0], Text(0, 32, facts, 11.0, colour=FAINT)]
    y = 54.0
    shapes.extend(moved(shape, 0, y) for shape in body.shapes)
    y += body.height + 30
    for number, line in enumerate(lines):
        first = number < len(equation)
        shapes.append(Text(0, y, line, 12.0 if first else 11.0, first, colour=INK if first else FAINT))
        y += 20.0 if first else 18.0
    box = around(shape.box for shape in shapes)
    placed = tuple(moved(shape, MARGIN - box.left, MARGIN - box.top) for shape in shapes)
    return Scene(box.width + 2 * MARGIN, box.height + 2 * MARGIN, placed, f"{walk.network}: {title}")


def _equation(walk: Walk) -> list[str]:
    """The sum, or the choice, as one line or two."""
    terms = walk.terms
    if terms is None:
        return [f"{walk.node.kind} has no list of terms; the network gives {said(walk.value)}"]
    if terms.how == "formula":
        words, *rest = terms.formula
        return [words, *rest, f"= {said(terms.result)}; {agreement(walk)}"]
    if terms.how == "max":
        return [f"the largest: {said(terms.result)}; {agreement(walk)}"]
    assert terms.values is not None
    if terms.how == "mean":
        whole = said(float(terms.values.sum()))
        return [f"Σ x / {terms.divisor:,} = {whole} / {terms.divisor:,} = {said(terms.result)}; {agreement(walk)}"]
    if terms.how == "value":
        came = "a value comes back here" if terms.result else "no value comes back here"
        return [f"{came}: {said(terms.result)}; {agreement(walk)}"]
    if terms.values.ndim == 1:
        line = f"Σ of {terms.values.size:,} products = {said(float(terms.products.sum()))}{with_bias(terms)}"
    else:
        line = total(terms, counted=True)
    return [f"{line}; {agreement(walk)}"]


def _body(walk: Walk) -> Part:
    terms = walk.terms
    family = FAMILIES[walk.node.layer.family]
    columns: list[Part] = []
    if terms is not None and terms.values is not None:
        if terms.values.ndim == 1:
            columns.append(_products(terms))
        elif terms.how == "sum":
            columns.append(_rows(walk, terms))
        else:
            columns.append(_titled(f"{walk.sources[0]}, channel {terms.channels[0]}", _input(walk, terms, 0)))
    columns.append(_titled(f"{walk.node.path}, channel {walk.channel}", _output(walk, family.dark)))
    shapes: list[Shape] = []
    x = 0.0
    for number, column in enumerate(columns):
        if number:
            middle = columns[0].height / 2
            shapes.append(Text(x + GAP / 2, middle, "→", 18, anchor="middle", colour=FAINT))
            x += GAP
        shapes.extend(moved(shape, x, 0) for shape in column.shapes)
        x += column.width
    return Part(shapes, x, max(column.height for column in columns))


def _titled(title: str, part: Part) -> Part:
    shapes: list[Shape] = [Text(0, 10, title, 11, True), *(moved(shape, 0, 18) for shape in part.shapes)]
    return Part(shapes, max(part.width, text_width(title, 11, True)), part.height + 18)


def _rows(walk: Walk, terms: Terms) -> Part:
    """A row for each leading channel: the input around the window, the kernel, and the products."""
    assert terms.values is not None and terms.weights is not None and terms.inside is not None
    products, sums = terms.products, terms.sums
    shown, rest = leading(sums)
    large = max(terms.values.shape[:-1]) > SIDE
    shapes: list[Shape] = []
    y, width = 0.0, 0.0
    for number in shown:
        channel = terms.channels[number]
        x, height = 0.0, 0.0
        parts = [_titled(f"{walk.sources[0]}, channel {channel}", _input(walk, terms, int(number)))]
        if not large:
            parts.append(_titled(f"filter {walk.channel}, channel {channel}", _grid(_flat(terms.weights[..., number]))))
            inside = _flat(terms.inside)
            own = _grid(_flat(products[..., number]), faint=~inside)
            parts.append(_titled(f"products, Σ = {said(float(sums[number]))}", own))
        for place, part in enumerate(parts):
            if place:
                sign = "×" if place == 1 else "="
                middle = 18 + min(part.height - 18, parts[0].height - 18) / 2 + 5
                shapes.append(Text(x + GAP / 2, y + middle, sign, 16, anchor="middle", colour=FAINT))
                x += GAP
            shapes.extend(moved(shape, x, y) for shape in part.shapes)
            x += part.width
            height = max(height, part.height)
        y += height + 22
        width = max(width, x)
    if len(rest):
        line = f"{count(len(rest), 'other channel')} not shown: Σ = {said(float(sums[rest].sum()))}"
        shapes.append(Text(0, y, line, 11, colour=FAINT))
        width = max(width, text_width(line, 11))
        y += 22
    return Part(shapes, width, y - 22)


def _flat(array: np.ndarray) -> np.ndarray:
    """Rows and columns; of a signal one row."""
    return array.reshape(1, -1) if array.ndim == 1 else array


def _input(walk: Walk, terms: Terms, number: int) -> Part:
    """A channel of the input with its padding, the taps framed; around them where the whole is too large."""
    assert terms.places is not None and terms.inside is not None
    whole = walk.inputs[0][..., terms.channels[number]]
    map_ = _flat(whole)
    places = terms.places
    if places.shape[-1] == 1:
        places = np.concatenate([np.zeros_like(places), places], -1)
    taken = terms.inside if walk.node.layer.family == "resize" else np.ones_like(terms.inside)
    framed = {(int(row), int(column)) for row, column in places[taken].reshape(-1, 2)}
    if not framed:
        framed = {(0, 0)}
        taken = np.zeros_like(terms.inside)
    ends = []
    borders = _borders(walk, terms)
    for axis in (0, 1):
        first, last = min(at[axis] for at in framed), max(at[axis] for at in framed)
        low, high = min(first, -borders[axis][0]), max(last, map_.shape[axis] - 1 + borders[axis][1])
        if high - low + 1 > MOST:
            low, high = max(low, first - AROUND), min(high, last + AROUND)
        if high - low + 1 > 2 * MOST:
            high = low + 2 * MOST - 1
        ends.append((low, high))
    (top, bottom), (left, right) = ends
    rows, columns = np.mgrid[top : bottom + 1, left : right + 1]
    there = (rows >= 0) & (rows < map_.shape[0]) & (columns >= 0) & (columns < map_.shape[1])
    near = map_[np.clip(rows, 0, map_.shape[0] - 1), np.clip(columns, 0, map_.shape[1] - 1)]
    values = np.where(there, near, 0.0)
    labels = _labels((top, bottom, map_.shape[0]), (left, right, map_.shape[1]))
    outside = "" if terms.how == "max" else "0"
    part = _grid(values, faint=~there, outside=outside, labels=labels)
    dark = FAMILIES[walk.node.layer.family].dark
    marks: list[Shape] = []
    if taken.any():
        winner = tuple(int(own) for own in places[terms.winner]) if terms.how == "max" else None
        for row, column in framed:
            if top <= row <= bottom and left <= column <= right:
                style = Style(stroke=dark, width=2.4 if winner == (row, column) else 1.3)
                marks.append(_cell(row - top, column - left, style, labels))
    return Part([*part.shapes, *marks], part.width, part.height)


def _borders(walk: Walk, terms: Terms) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding above and below, left and right, where it takes part."""
    # Layers whose windows slide say how their input is padded.
    padding = getattr(walk.node.layer, "padding", None)
    if padding is None or terms.how == "max":
        return (0, 0), (0, 0)
    sides = padding(walk.node.input_types[0])
    return (sides[0], sides[1]) if len(sides) == 2 else ((0, 0), sides[0])


def _output(walk: Walk, dark: str) -> Part:
    """A channel of the output, this position framed."""
    if not walk.at:
        shape = Rectangle(0, 0, 2 * CELL, LINE, Style(fill="#ffffff", stroke=dark, width=1.6))
        text = Text(CELL, LINE / 2 + SIZE * 0.36, said(walk.value), SIZE, True, "middle")
        return Part([shape, text], 2 * CELL, LINE)
    map_ = _flat(walk.output[..., walk.channel])
    row, column = walk.at if len(walk.at) == 2 else (0, walk.at[0])
    ends = []
    for at, size in ((row, map_.shape[0]), (column, map_.shape[1])):
        ends.append((0, size - 1) if size <= MOST else (max(0, at - AROUND), min(size - 1, at + AROUND)))
    (top, bottom), (left, right) = ends
    labels = _labels((top, bottom, map_.shape[0]), (left, right, map_.shape[1]))
    part = _grid(map_[top : bottom + 1, left : right + 1], labels=labels)
    mark = _cell(row - top, column - left, Style(stroke=dark, width=2.4), labels)
    return Part([*part.shapes, mark], part.width, part.height)


class Labels(NamedTuple):
    """Numbers of rows and columns beside a part of a map; none beside a whole one."""

    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()

    @property
    def corner(self) -> tuple[float, float]:
        return (18.0, 14.0) if self.rows or self.columns else (0.0, 0.0)


WHOLE = Labels()


def _labels(rows: tuple[int, int, int], columns: tuple[int, int, int]) -> Labels:
    whole = rows[0] <= 0 and rows[1] >= rows[2] - 1 and columns[0] <= 0 and columns[1] >= columns[2] - 1
    return WHOLE if whole else Labels(tuple(range(rows[0], rows[1] + 1)), tuple(range(columns[0], columns[1] + 1)))


def _cell(row: int, column: int, style: Style, labels: Labels) -> Rectangle:
    x, y = labels.corner
    return Rectangle(x + column * CELL, y + row * LINE, CELL, LINE, style)


def _grid(values: np.ndarray, faint: np.ndarray | None = None, outside: str = "0", labels: Labels = WHOLE) -> Part:
    """Cells with numbers, blue above 0 and orange below it, the stronger the larger; what is faint is padding."""
    largest = float(abs(values).max()) or 1.0
    form = formats(values)
    shapes: list[Shape] = []
    left, top = labels.corner
    for number, own in enumerate(labels.rows):
        y = top + number * LINE + LINE / 2 + 3
        shapes.append(Text(left - 4, y, str(own).replace("-", "−"), 8, anchor="end", colour=FAINT))
    for number, own in enumerate(labels.columns):
        shapes.append(
            Text(left + number * CELL + CELL / 2, top - 4, str(own).replace("-", "−"), 8, anchor="middle", colour=FAINT)
        )
    above, below = FAMILIES["convolution"].mid, FAMILIES["pooling"].mid
    for (row, column), value in np.ndenumerate(values):
        beyond = faint is not None and bool(faint[row, column])
        x, y = left + column * CELL, top + row * LINE
        shapes.append(
            Rectangle(x, y, CELL, LINE, Style(fill="#f1f1f1" if beyond else "#ffffff", stroke=RULE, width=0.5))
        )
        if not beyond and value:
            colour = above if value > 0 else below
            shade = 0.75 * min(abs(float(value)) / largest, 1.0)
            shapes.append(Rectangle(x, y, CELL, LINE, Style(fill=colour, opacity=shade)))
        text = outside if beyond else form(float(value))
        if text:
            place = Point(x + CELL / 2, y + LINE / 2 + SIZE * 0.36)
            shapes.append(Text(*place, text, SIZE, anchor="middle", colour=FAINT if beyond else INK))
    rows, columns = values.shape
    return Part(shapes, left + columns * CELL, top + rows * LINE)


def _products(terms: Terms) -> Part:
    """Of a dense layer the largest products as a table."""
    assert terms.values is not None and terms.weights is not None
    products = terms.products
    order = np.sort(np.argsort(-abs(products), kind="stable")[: 4 * CHANNELS])
    rows: list[tuple[str, ...]] = [("", "x", "w", "x·w")]
    for own in order:
        numbers = (terms.values, terms.weights, products)
        rows.append((f"x[{terms.channels[own]}]", *(said(float(array[own])) for array in numbers)))
    shapes: list[Shape] = []
    for number, row in enumerate(rows):
        y = 10 + number * LINE
        for place, cell in enumerate(row):
            shapes.append(Text((place + 1) * 2.1 * CELL, y, cell, 11, number == 0, "end", FAINT if place == 0 else INK))
    rest = len(products) - len(order)
    y = 10 + len(rows) * LINE
    if rest:
        others = said(float(products.sum() - products[order].sum()))
        shapes.append(Text(0, y, f"{rest:,} smaller products, Σ = {others}", 11, colour=FAINT))
    box = around(shape.box for shape in shapes)
    return Part(shapes, box.right, box.bottom)
