"""What the interactive report is made of, as plain data: figures, the tree of blocks, frames, and the spec's text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from os.path import commonpath
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from archspec.blocks import Part, tree
from archspec.diagnostics import Diagnostic, Label, Source, Span
from archspec.drawing.sharing import Sharing
from archspec.graph import Node, input_number
from archspec.reports import Report
from archspec.reports import report as make_report
from archspec.reports.kinds import written

if TYPE_CHECKING:
    from archspec.drawing.layout import Frame
    from archspec.loading import Spec
    from archspec.optimisers import Optimiser


class Texts:
    """The texts that spans point into, numbered in the order in which they are first asked for."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._numbers: dict[int, int] = {}
        self._lines: dict[tuple[int, int], list[int]] = {}
        self.sources: list[Source] = []
        for source in sources:
            self.number(source)

    def number(self, source: Source) -> int:
        """The source's number; a source that is new is added."""
        known = self._numbers.get(id(source))
        if known is None:
            known = self._numbers[id(source)] = len(self.sources)
            self.sources.append(source)
        return known

    def lines(self, span: Span | None) -> list[int] | None:
        """Number of the source, first and last line of the entry that begins at a span.

        A span covers an entry's key; what is indented deeper than the line that the key stands in belongs to it.
        """
        if span is None:
            return None
        key = (self.number(span.source), span.line)
        if key not in self._lines:
            self._lines[key] = [*key, _last_line(span.source, span.line)]
        return self._lines[key]

    def to_json(self) -> list[dict[str, str]]:
        """Names, which leave out the folders that all files are in, and texts."""
        names = [source.name for source in self.sources]
        paths = [name for name in names if PurePath(name).is_absolute()]
        try:
            shared = commonpath([PurePath(path).parent for path in paths]) if paths else None
        except ValueError:  # on several drives
            shared = None

        def short(name: str) -> str:
            return str(PurePath(name).relative_to(shared)) if shared and name in paths else name

        return [{"name": short(source.name), "text": source.text} for source in self.sources]


def _last_line(source: Source, first: int) -> int:
    """The last line that is indented deeper than the first one, before any that is not; comments do not count."""
    indent = _indent(source.line(first))
    last = first
    for number in range(first + 1, source.length + 1):
        line = source.line(number).rstrip()
        if line and _indent(line) <= indent:
            break
        if line and not line.lstrip().startswith("#"):
            last = number
    return last


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def payload(
    spec: Spec,
    *,
    mode: str = "eval",
    batch: int = 1,
    dtype: str = "float32",
    optimiser: Optimiser | None = None,
    memory: int | None = None,
) -> dict[str, Any]:
    """Everything that the page shows of a spec; the figures are those of a report with the same arguments.

    The optimiser is the recipe's where none is given. Raises `SpecError` where the spec is wrong.
    """
    report = make_report(
        spec,
        mode="train" if mode == "train" else "eval",
        batch=batch,
        dtype=dtype,
        optimiser=optimiser,
        memory=memory,
    )
    texts = Texts(spec.sources)
    header = {"title": spec.header.title, "paper": spec.header.paper}
    made = {"model": {**header, **model(report, texts)}, "problems": problems(spec.diagnostics, texts)}
    return {**made, "stale": False, "sources": texts.to_json()}


def of_failure(diagnostics: Sequence[Diagnostic], sources: Iterable[Source]) -> dict[str, Any]:
    """What is shown of a spec that is wrong: its text and the diagnostics."""
    texts = Texts(sources)
    listed = problems(diagnostics, texts)
    return {"model": None, "problems": listed, "stale": True, "sources": texts.to_json()}


def model(report: Report, texts: Texts) -> dict[str, Any]:
    """The figures and the drawing of a network; operations and bytes are for the whole batch."""
    from archspec.drawing.layout import arrange
    from archspec.reports.tables import header

    graph = report.graph
    sharing = Sharing(graph)
    frames = arrange(graph, sparse=True)
    numbers = {node.path: index for index, node in enumerate(graph.nodes)}
    return {
        "name": graph.name,
        "variant": graph.variant,
        "inputs": [{"name": item.name, "shape": list(item.type.shape)} for item in graph.inputs],
        "dtype": report.dtype,
        "batch": report.batch,
        "mode": graph.mode,
        "convention": " · ".join(header(report)[1:]),
        "totals": report.totals,
        "outputs": [{"name": output.name, "layer": output.node} for output in graph.outputs],
        "layers": _layers(report, texts, sharing),
        "tree": _block(tree(graph), report, texts, sharing),
        "frames": {path: _frame(frame, numbers) for path, frame in frames.items()},
        "left_out": sum(frame.left_out for frame in frames.values()),
    }


def _frame(frame: Frame, numbers: Mapping[str, int]) -> dict[str, Any]:
    """A frame with coordinates to a hundredth of a pixel; boxes have the numbers of their layers."""
    fields: dict[str, Any] = _rounded(asdict(frame))
    for item in (fields, *fields["boxes"]):
        if item["tie"] is None:
            del item["tie"]
    for box in fields["boxes"]:
        box["layers"] = [numbers[path] for path in box["layers"]]
    return fields


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def _tie(sharing: Sharing, path: str, nodes: Sequence[int]) -> dict[str, Any]:
    """Whose arrays a layer or block uses, and whether it has none of its own; nothing where all are its own."""
    tie = sharing.tie(path, nodes, unit=len(nodes) == 1) if path else None
    return {"tie": [tie.path, tie.whole]} if tie else {}


def _layers(report: Report, texts: Texts, sharing: Sharing) -> list[dict[str, Any]]:
    return [
        {
            "path": row.name,
            "kind": row.kind,
            "family": node.layer.family,
            "fields": _fields(node),
            "inputs": list(node.inputs),
            "takes": [list(kind.shape) for kind in node.input_types],
            "output": list(row.output),
            "params": row.params,
            "statistics": node.count("statistics"),
            "macs": row.macs,
            "flops": row.flops,
            "bytes": row.activation_bytes,
            "field": node.receptive_field._asdict(),
            "sees": None if node.sees is None else input_number(node.sees),
            "others": [[name, list(size)] for name, size in row.other_fields],
            "lines": texts.lines(node.span),
            **_tie(sharing, node.path, [index]),
        }
        for index, (row, node) in enumerate(zip(report.rows, report.graph.nodes, strict=True))
    ]


def _fields(node: Node) -> dict[str, str]:
    """The fields that were given, or found by the layer, as the language writes them; one number of a signal's size."""
    layer = node.layer
    chosen = {name for name, info in type(layer).model_fields.items() if getattr(layer, name) != info.default}
    whole = layer.to_plain()
    fields = whole[node.kind] if isinstance(whole, dict) else {}
    if node.input_types[0].is_signal:
        fields = {name: _on_one_axis(value) for name, value in fields.items()}
    return {name: written(value) for name, value in fields.items() if name in chosen}


def _on_one_axis(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 2 and value[0] == value[1] else value


def _block(part: Part, report: Report, texts: Texts, sharing: Sharing) -> dict[str, Any]:
    rows = [report.rows[index] for index in part.nodes]
    return {
        "path": part.path,
        "name": part.name,
        "kind": part.kind,
        "lines": texts.lines(part.span),
        "count": len(rows),
        "output": list(rows[-1].output) if rows else [],
        "params": sum(row.params for row in rows),
        "macs": sum(row.macs for row in rows),
        "flops": sum(row.flops for row in rows),
        "bytes": sum(row.activation_bytes for row in rows),
        **_tie(sharing, part.path, part.nodes),
        "parts": [inner.nodes[0] if inner.is_layer else _block(inner, report, texts, sharing) for inner in part.parts],
    }


def problems(diagnostics: Iterable[Diagnostic], texts: Texts) -> list[dict[str, Any]]:
    """Diagnostics with the numbers of the texts that they point into."""

    def place(label: Label) -> dict[str, Any]:
        where = label.span.to_json()
        del where["file"]  # with all its folders; the text's number says which
        return {**where, "source": texts.number(label.span.source), "label": label.text}

    return [
        {
            # A page changes no file, and says in which folders none of them is.
            **{name: value for name, value in item.to_json().items() if name != "mends"},
            "primary": place(item.primary) if item.primary else None,
            "secondary": [place(label) for label in item.secondary],
        }
        for item in diagnostics
    ]
