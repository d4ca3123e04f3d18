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
    """A click on a block's lens shows the layers of its next call; which one is shown is the hint behind its name.

    One that nothing calls says so, since nothing is shown in its body.
    """
    called = calls(reading)
    for block, paths in called.values():
        if block.key.source is reading.source and len(paths) > 1:
            following = paths[(nearest(paths, focus) + 1) % len(paths)]
            yield Lens(block.key.span, f"show the next call: {following}", focus=following)
    if reading.document is None or reading.spec is None or reading.graph is None:
        return
    seen = {block.key.span for block, _ in called.values()}
    for block in reading.document.blocks.values():
        if block.key.source is reading.source and block.key.span not in seen:
            yield Lens(block.key.span, f"not called in {reading.spec.label}")
