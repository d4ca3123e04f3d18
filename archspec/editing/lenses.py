"""Lines of words above what they are about, some to be clicked: the network in one line, variants, calls of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archspec.diagnostics import Span, count
from archspec.editing.analysis import Analysis, Reading
from archspec.editing.calls import calls, nearest
from archspec.located import Mapping


class Lens(NamedTuple):
    """Words above a span. A click shows a `variant`, or the call of a block at the path `focus`; both None: nothing."""

    span: Span
    title: str
    variant: str | None = None
    focus: str | None = None


def lenses(analysis: Analysis, focus: str = "") -> list[Lens]:
    """The lenses of a text; none while it is not YAML, since they would stand at wrong lines."""
    reading = analysis.now
    return [*_of_network(reading), *_of_variants(reading), *_of_blocks(reading, focus)] if reading.root else []


def _of_network(reading: Reading) -> Iterator[Lens]:
    key = reading.root.key("layers") or reading.root.key("name") if reading.root is not None else None
    if key is None or reading.graph is None or reading.spec is None:
        return
    graph = reading.graph.pruned("eval")
    params = count(graph.count("trainable"), "parameter")
    name = reading.spec.label
    yield Lens(key.span, f"{name}: {count(len(graph.nodes), 'layer')}, {params}, {graph.macs:,} multiply–adds")


def _of_variants(reading: Reading) -> Iterator[Lens]:
    """A click on a variant's lens has its shapes shown."""
    node = reading.root.get("variants") if reading.root is not None else None
    if not isinstance(node, Mapping) or reading.spec is None or node.source is not reading.source:
        return
    for name, key, _ in node.items():
        shown = name == reading.spec.variant
        yield Lens(key.span, "shown" if shown else "show the shapes of this variant", None if shown else name)


def _of_blocks(reading: Reading, focus: str) -> Iterator[Lens]:
    """A click on a block's lens shows the layers of its next call."""
    for block, paths in calls(reading).values():
        if block.key.source is not reading.source:
            continue
        place = nearest(paths, focus)
        title = f"{paths[place]}, {place + 1} of {count(len(paths), 'call')}"
        following = paths[(place + 1) % len(paths)]
        if len(paths) > 1:
            title += f"; show {following}"
        yield Lens(block.key.span, title, focus=following if len(paths) > 1 else None)
