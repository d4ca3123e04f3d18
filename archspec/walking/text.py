"""A number of a layer's output and what makes it, as text: matrices side by side, as on a blackboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10

import numpy as np

from archspec.diagnostics import count
from archspec.terms import Terms, said, said_sum, signed
from archspec.walking.numbers import Walk

CHANNELS = 3
"""Channels that are shown, those that add most; the others are one sum."""
LARGEST = 12
"""Summands of a dense layer that are shown."""
SIDE = 11
"""Taps of a window along an axis that are written out."""
WIDE = 120
"""Columns of text that matrices stand side by side in."""


def text(walk: Walk) -> str:
    """The whole of it, in lines."""
    lines = [
        f"{walk.node.path} ({walk.node.kind}) of {walk.network}: {unit_of(walk)}"
        + (f", {walk.chosen}" if walk.chosen else ""),
        f"input: {walk.source}",
        "",
        walk.words,
        "",
    ]
    named = walk.arithmetic.lines()
    width = max((len(name) for name, _ in named), default=0)
    lines.extend(f"{name:{width}}  {line}" for name, line in named)
    lines.append("")
    lines.extend(_terms(walk))
    return "\n".join(line.rstrip() for line in lines)


def unit_of(walk: Walk) -> str:
    """The channel and the position in words."""
    return f"channel {walk.channel}" + (f" at {position(walk.at)}" if walk.at else "")


def position(at: Sequence[int]) -> str:
    """A place in words."""
    names = ("row", "column") if len(at) == 2 else ("position",)
    return ", ".join(f"{name} {place}" for name, place in zip(names, at, strict=True))


def _terms(walk: Walk) -> list[str]:
    terms = walk.terms
    if terms is None:
        return [f"the network gives {said(walk.value)}; {walk.node.kind} has no list of terms"]
    if terms.how == "formula":
        words, *rest = terms.formula
        return [words, *(f"  {line}" for line in rest), f"  = {said(terms.result)}", agreement(walk)]
    assert terms.values is not None
    if terms.values.ndim == 1:
        return [*_list(terms), agreement(walk)]
    if terms.how == "sum":
        return [*_channels(walk, terms), total(terms), agreement(walk)]
    return [*_window(walk, terms), agreement(walk)]


def agreement(walk: Walk) -> str:
    """That the network's own number is this one, or by how much it is another."""
    terms = walk.terms
    assert terms is not None
    gap = abs(walk.value - terms.result)
    if gap <= 1e-6 * max(terms.magnitude, 1e-30):
        return f"the network gives {said(walk.value)}"
    return f"the network gives {said(walk.value)}, which differs by {said(gap)}: it computes in float32"


def total(terms: Terms, counted: bool = False) -> str:
    """Σ over channels, the bias, and what they make; channels that are not shown are one summand, perhaps counted."""
    sums = terms.sums
    shown, rest = leading(sums)
    line = said_sum([float(sums[own]) for own in shown])
    if len(rest):
        line += f" {signed(float(sums[rest].sum()))}" + f" ({count(len(rest), 'other channel')})" * counted
    return f"{line}{with_bias(terms)}"


def with_bias(terms: Terms) -> str:
    """What the bias adds, and what all add up to."""
    bias = "" if terms.bias is None else f" {signed(terms.bias)} (bias)"
    return f"{bias} = {said(terms.result)}"


def leading(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The channels that add most, in their order, and the others."""
    order = np.argsort(-abs(sums), kind="stable")
    return np.sort(order[:CHANNELS]), np.sort(order[CHANNELS:])


def _channels(walk: Walk, terms: Terms) -> list[str]:
    """Of the leading channels patch, kernel and products, and the sum of these."""
    assert terms.values is not None and terms.weights is not None and terms.inside is not None
    products, sums = terms.products, terms.sums
    shown, rest = leading(sums)
    lines = [_where(walk, terms), ""]
    for number in shown:
        head = f"channel {terms.channels[number]}"
        if max(terms.values.shape[:-1]) > SIDE:
            lines.append(f"{head}: {terms.inside.size} products add up to {said(float(sums[number]))}")
            continue
        blocks = [
            (f"x, {head}", matrix(terms.values[..., number], terms.inside, "0")),
            (f"w, filter {walk.channel}", matrix(terms.weights[..., number])),
            ("x·w", matrix(products[..., number], terms.inside, "0")),
        ]
        lines.extend(_beside(blocks))
        lines.extend([f"Σ x·w = {said(float(sums[number]))}", ""])
    if len(rest):
        others = f"{len(rest)} channels add" if len(rest) > 1 else "channel adds"
        lines.append(f"the other {others} up to {said(float(sums[rest].sum()))}")
    return lines


def _where(walk: Walk, terms: Terms) -> str:
    """Which rows and columns of what input the window lies over."""
    assert terms.places is not None and terms.inside is not None
    source = walk.sources[0]
    ends = []
    for axis, name in enumerate(("rows", "columns") if terms.places.shape[-1] == 2 else ("positions",)):
        own = np.unique(terms.places[..., axis])
        if walk.node.layer.family == "resize" and not bool(terms.inside.all()):
            own = np.unique(terms.places[terms.inside][..., axis]) if bool(terms.inside.any()) else own[:0]
        if len(own) == 1:
            ends.append(f"{name.removesuffix('s')} {own[0]}")
        else:
            ends.append(f"{name} {own[0]} to {own[-1]}" if len(own) else f"no {name}")
    outside = int((~terms.inside).sum())
    why = (
        f"; {count(outside, 'tap')} of {terms.inside.size} {'lies' if outside == 1 else 'lie'} outside"
        if outside
        else ""
    )
    if walk.node.layer.family == "resize" and outside:
        why = f"; {outside} of {count(terms.inside.size, 'tap')} meet no value"
    return f"{source}, {' and '.join(ends)}{why}".replace("-", "−")


def _list(terms: Terms) -> list[str]:
    """Of a dense layer the largest products, and the sum of the others."""
    assert terms.values is not None and terms.weights is not None
    products = terms.products
    order = np.sort(np.argsort(-abs(products), kind="stable")[:LARGEST])
    rows = [
        (
            f"x[{terms.channels[own]}]",
            said(float(terms.values[own])),
            said(float(terms.weights[own])),
            said(float(products[own])),
        )
        for own in order
    ]
    rows.insert(0, ("", "x", "w", "x·w"))
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    lines = [
        f"the {len(order)} largest of {len(products):,} products" if len(order) < len(products) else "all products",
        *("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows),
    ]
    others = float(products.sum() - products[order].sum())
    parts = [f"their sum {said(float(products[order].sum()))}"]
    if len(order) < len(products):
        parts.append(f"the other {len(products) - len(order):,} {said(others)}")
    if terms.bias is not None:
        parts.append(f"bias {said(terms.bias)}")
    return [*lines, f"{', '.join(parts)}; together {said(terms.result)}"]


def _window(walk: Walk, terms: Terms) -> list[str]:
    """Of a pooling or an unpooling the window, and what is made of it."""
    assert terms.values is not None and terms.inside is not None and terms.places is not None
    lines = [_where(walk, terms), ""]
    if max(terms.values.shape[:-1]) <= SIDE:
        lines.extend(matrix(terms.values[..., 0], terms.inside, "·"))
        lines.append("")
    if terms.how == "max":
        place = terms.places[terms.winner]
        return [*lines, f"the largest, at {position([int(own) for own in place])}: {said(terms.result)}"]
    if terms.how == "mean":
        whole = said(float(terms.values.sum()))
        return [*lines, f"Σ x = {whole}, divided by {terms.divisor:,} = {said(terms.result)}"]
    taken = [position([int(own) for own in place]) for place in terms.places[terms.inside]]
    if not taken:
        return [*lines, "no value comes back here: 0"]
    return [*lines, f"the value at {' and at '.join(taken)} comes back here: {said(terms.result)}"]


def matrix(values: np.ndarray, inside: np.ndarray | None = None, outside: str = "0") -> list[str]:
    """A matrix in columns; what lies outside is `outside`."""
    rows = values.reshape(values.shape[0], -1) if values.ndim > 1 else values.reshape(1, -1)
    seen = np.ones(rows.shape, bool) if inside is None else inside.reshape(rows.shape)
    form = formats(rows)
    cells = [
        [form(own) if there else outside for own, there in zip(row, mask, strict=True)]
        for row, mask in zip(rows.tolist(), seen.tolist(), strict=True)
    ]
    width = max(len(cell) for row in cells for cell in row)
    return ["  ".join(cell.rjust(width) for cell in row) for row in cells]


def formats(values: np.ndarray) -> Callable[[float], str]:
    """How the numbers of a matrix are written: with as many decimals as give the largest three digits, whole ones as
    they are. What is 0 is `0`, what is only rounded to it `0.00`."""
    largest = float(abs(values).max()) if values.size else 0.0
    if bool((values == np.round(values)).all()) and largest < 1e6:
        return lambda value: f"{value:.0f}".replace("-0", "0").replace("-", "−")
    if not 1e-4 <= largest < 1e6:
        return lambda value: "0" if value == 0 else f"{value:.2e}".replace("-", "−")
    decimals = max(0, 2 - floor(log10(largest)))

    def form(value: float) -> str:
        if value == 0:
            return "0"
        text = f"{value:.{decimals}f}"
        return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")

    return form


def _beside(blocks: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Matrices with their titles side by side, or below each other where they are too wide."""
    columns = [[title, *lines] for title, lines in blocks]
    widths = [max(map(len, own)) for own in columns]
    if sum(widths) + 4 * len(columns) > WIDE:
        return [line for own in columns for line in own]
    height = max(map(len, columns))
    filled = [own + [""] * (height - len(own)) for own in columns]
    return [
        "    ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in zip(*filled, strict=True)
    ]
