"""From a graph to the text of a spec: it is rolled up in several ways, and the shortest that holds is taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from archspec.graph import Graph, Output, is_input
from archspec.kinds import plain
from archspec.rolling.checking import order, pairs
from archspec.rolling.entries import Call, Chain, Repeat, Residual, chains_of, layers_of
from archspec.rolling.environments import Inexpressible
from archspec.rolling.finding import found_in
from archspec.rolling.found import Found, Way
from archspec.rolling.naming import Names
from archspec.rolling.reducing import default_of, layer_of
from archspec.rolling.templates import Template
from archspec.rolling.text import text_of
from archspec.rolling.units import NORMS, WITH_WEIGHTS
from archspec.spec.network import ImageInput
from archspec.spec.writing import framed, layer_lines

WAYS = (Way(), Way(units="norm"), Way(units="none"))


def ways_of(graph: Graph) -> list[Way]:
    """The ways to roll a graph up that suit it: norms begin units only where some follow no convolution."""
    sources = [node.inputs[0] for node in graph.nodes if node.kind in NORMS]
    before = [source for source in sources if is_input(source) or graph.nodes[source].kind not in WITH_WEIGHTS]
    return [way for way in WAYS if way.units != "norm" or len(before) * 5 > len(sources)]


class Rolled(NamedTuple):
    """A graph as a spec. `renamed` has each node's new path by its old one, `notes` what a user should know."""

    text: str
    renamed: dict[str, str]
    notes: tuple[str, ...] = ()


USUAL = ("bias", "init", "bias_init", "epsilon", "momentum", "slope", "scale")
"""Fields whose usual value in a network is written once, in `defaults`."""


def usual_fields(graph: Graph) -> dict[str, dict[str, Any]]:
    """What most layers of a kind have where the kind's own default is another."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    values: dict[str, Any] = {}
    totals: Counter[str] = Counter()
    for index, node in enumerate(graph.nodes):
        layer = layer_of(node, index)
        totals[node.kind] += 1
        for name, value in layer.fields.items():
            if name in USUAL and value != default_of(type(node.layer), name):
                values[repr(value)] = value
                counts.setdefault((node.kind, name), Counter())[repr(value)] += 1
    found: dict[str, dict[str, Any]] = {}
    for (kind, name), counter in counts.items():
        text, number = counter.most_common(1)[0]
        if number > 1 and number * 2 > totals[kind]:
            found.setdefault(kind, {})[name] = values[text]
    return found


KEPT = 3
"""Layers, and calls in loops and blocks, with which a block is one although it is called in one place only."""


def once(chain: Chain, blocks: list[list[Call]], units: set[int]) -> set[int]:
    """The blocks that would be called in one place only, which are written there."""
    seen: Counter[int] = Counter()
    stack: list[tuple[Chain, bool]] = [(chain, False)]
    while stack:
        entries, looped = stack.pop()
        for entry in entries:
            if entry is None:
                continue
            if isinstance(entry, Call):
                many = looped or (len(blocks[entry.block]) >= KEPT and entry.block not in units)
                first = not seen[entry.block]
                seen[entry.block] += 2 if many and sum(1 for _ in layers_of(entry.body)) >= KEPT else 1
                if first:
                    # Some calls lack what others have.
                    bodies = zip(*(call.body for call in blocks[entry.block]), strict=True)
                    stack.append(([next((e for e in column if e is not None), None) for column in bodies], False))
                continue
            inner = chains_of(entry)
            if isinstance(entry, Repeat) or (isinstance(entry, Residual) and entry.projected):
                del inner[1:]
            stack.extend((part, looped or isinstance(entry, Repeat)) for part in inner)
    return {number for number in range(len(blocks)) if seen[number] == 1}


def written_output(output: Output, source: str) -> Any:
    """An output as one writes it: where it comes from, and what is not usual."""
    fields: dict[str, Any] = {"from": source}
    if output.weight != 1.0:
        fields["weight"] = output.weight
    if output.train_only:
        fields["train_only"] = True
    own = {name: getattr(output, name) for name in ("task", "target", "loss", "metrics")}
    fields.update({name: plain(value) for name, value in own.items() if value is not None})
    return source if len(fields) == 1 else fields


def with_usual_inputs(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Sections whose images say nothing that holds for all images."""
    usual = {name: plain(info.default) for name, info in ImageInput.model_fields.items() if not info.is_required()}
    made = dict(sections)
    for section in ("input", "inputs"):
        if section in made:
            fields = {"": made[section]} if section == "input" else made[section]
            said = {
                name: {field: value for field, value in given.items() if field not in usual or value != usual[field]}
                for name, given in fields.items()
            }
            made[section] = said[""] if section == "input" else said
    return made


def rolled(graph: Graph, sections: Mapping[str, Any]) -> Rolled:
    """A graph as a spec with these sections, and the nodes' new paths.

    `sections` is plain data, as `spec.writing.sections_of` gives it: `name`, `title`, `input` or `inputs` and so on;
    what it says of `outputs` is the graph's.
    """
    defaults = usual_fields(graph)
    found = [
        made
        for way in ways_of(graph)
        for hints in (True, False)
        if (made := _tried(graph, way, sections, defaults, hints)) is not None
    ]
    notes: list[str] = []
    for _, text, nodes in sorted(found, key=lambda item: item[0]):
        renamed, reason = pairs(graph, text, nodes)
        if renamed is not None:
            return Rolled(text, renamed, tuple(notes))
        if not notes:
            notes.append(f"the shortest way to write it gave another network ({reason}), so a longer one is taken")
    text = _flat(graph, sections)
    renamed, reason = pairs(graph, text, range(len(graph.nodes)))
    if renamed is None:
        raise ValueError(f"the spec that was written is another network: {reason}")
    return Rolled(text, renamed, (*notes, "nothing in it could be rolled up: its layers are written one by one"))


def _flat(graph: Graph, sections: Mapping[str, Any]) -> str:
    """Every layer with all that it has, under its own path."""
    outputs = {output.name: written_output(output, graph.source_name(output.node)) for output in graph.outputs}
    before, after = framed({**with_usual_inputs(sections), "outputs": outputs})
    return "\n".join([*before, "layers:", *layer_lines(graph), *after]) + "\n"


NAMELESS = 12
"""Lines that the file's own names are worth."""

TRIES = 8
"""How often a graph is written in one way, each time without a repeat or block that there were no words for."""


def classes_in(graph: Graph, sections: Mapping[str, Any]) -> Literal["none", "vectors", "maps"]:
    """What has a channel for each class: of whose task nothing is said, vectors alone."""
    task = sections.get("task", "classification")
    if graph.main_output.task is not None or not (task == "classification" or "segmentation" in task):
        return "none"
    return "vectors" if task == "classification" else "maps"


def _tried(
    graph: Graph, way: Way, sections: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]], hints: bool
) -> tuple[int, str, list[int]] | None:
    """The lines of a text, the text, and its nodes in order; None where there is none."""
    banned: set[object] = set()
    for _ in range(TRIES):
        chain, found = found_in(graph, way, defaults, banned)
        try:
            return _written(graph, chain, found, sections, defaults, hints)
        except Inexpressible as reason:
            if reason.culprit is None or reason.culprit in banned:
                return None
            banned.add(reason.culprit)
    return None


def _written(
    graph: Graph,
    chain: Chain,
    found: Found,
    sections: Mapping[str, Any],
    defaults: Mapping[str, Mapping[str, Any]],
    hints: bool,
) -> tuple[int, str, list[int]]:
    single = once(chain, found.blocks, {number for number, unit in enumerate(found.is_unit) if unit})
    names = Names(graph, chain, found.blocks, single, hints=hints)
    template = Template(graph, chain, found.blocks, single, names, defaults, classes=classes_in(graph, sections))
    sections = {name: value for name, value in with_usual_inputs(sections).items() if name != "outputs"}
    if not names.is_end(graph.outputs[0].node):
        sections["outputs"] = {}
        for output in graph.outputs:
            source = graph.source_name(output.node) if is_input(output.node) else names.path(output.node, ())
            sections["outputs"][output.name] = written_output(output, source)
    text = text_of(template, sections, defaults)
    worth = (0 if hints else NAMELESS) + (4 if found.way.units == "none" else 0)
    return text.count("\n") + worth, text, order(chain)
