"""What the network returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import Findings, Mend, listed
from archspec.elaborate.scope import NAME, UNKNOWN, Scope, Values
from archspec.graph import GraphInput, Node, Output, input_number, is_input, needed
from archspec.located import Located, Mapping, Scalar, describe, is_null
from archspec.spec.document import Document
from archspec.spec.network import OutputSpec
from archspec.spec.reading import FAILED, evaluate, read_model

if TYPE_CHECKING:
    from archspec.elaborate.entries import Expander


def outputs(x: Expander, scope: Scope, end: Values) -> tuple[Output, ...] | None:
    node = x.document.root.get("outputs")
    if node is None or is_null(node):
        return last_output(x, scope, end)
    if not isinstance(node, Mapping):
        return None
    read: list[Output] = []
    absent: list[str] = []
    for name, key, value in node.items():
        spec = output(x, name, key, value)
        if spec is None:
            continue
        if not spec.when:
            absent.append(name)
            continue
        place = value.get("from") if isinstance(value, Mapping) else value
        values = x.lookup(spec.source, place or value, scope, end)
        if UNKNOWN in values:
            continue
        if len(values) != 1:
            x.findings.error("E307", f"output `{name}` must be one value", value.span)
            continue
        own = (spec.task, spec.loss, spec.target, spec.metrics)
        read.append(Output(name, values[0], spec.weight, spec.train_only, *own))
    complete = len(read) + len(absent) == len(node.entries)
    if complete and not any(not output.train_only for output in read):
        help = ["one must not be `train_only`"] if read else []
        help += [f"`when` leaves {listed(absent)} out"] if absent else []
        help = help or ["`outputs: {NAME: layer}`, or none for the last layer"]
        x.findings.error(
            "E215", "no output is left for evaluation", node.span, help=help, mends=_evaluated(node, help[0])
        )
        return None
    return tuple(read) if complete else None


def _evaluated(node: Mapping, help: str) -> list[Mend]:
    """The only output without its `train_only`."""
    from archspec.spec.mending import set_in

    given = [value for _, _, value in node.items() if isinstance(value, Mapping) and "train_only" in value.entries]
    return set_in(given[0], [("train_only", None)], help) if len(given) == len(node.entries) == 1 else []


def output(x: Expander, name: str, key: Scalar, value: Located) -> OutputSpec | None:
    if not NAME.match(name):
        x.findings.error("E213", f"`{name[:60]}` cannot be a name", key.span)
        return None
    env = x.document.env
    if isinstance(value, Mapping):
        return read_model(OutputSpec, value, env, x.findings, f"output `{name}`", key.span)
    source = evaluate(value, env, x.findings)
    if source is FAILED:
        return None
    if not isinstance(source, str):
        x.findings.error("E206", f"output `{name}` names a layer, not {describe(source)}", value.span)
        return None
    return OutputSpec.model_validate({"from": source})


def last_output(x: Expander, scope: Scope, end: Values) -> tuple[Output, ...] | None:
    if UNKNOWN in end:
        return None
    if all(map(is_input, end)):
        layers = x.document.root.get("layers")
        help = ["`layers` lists them: `layers: [flatten, {dense: {units: 10}}]`"]
        x.findings.error("E216", "the network has no layers", layers.span if layers else None, help=help)
        return None
    if len(end) != 1:
        x.findings.error("E307", f"the network ends in {len(end)} values", help=["join them, or name `outputs`"])
        return None
    return (Output("output", end[0]),)


def warn_unused(x: Expander, nodes: tuple[Node, ...], outputs: tuple[Output, ...]) -> None:
    help = "take it with `from:`, name it in `outputs:`, or remove it"
    keep = needed(nodes, (output.node for output in outputs))
    for index, node in enumerate(nodes):
        if index not in keep and index not in x.placer.consumed:
            from archspec.spec.mending import left_out

            x.findings.warning(
                "W302",
                f"nothing uses the output of {node.path}; it is left out of the network",
                node.span,
                help=[help],
                mends=left_out(node.span, help),
            )


def warn_unused_inputs(
    document: Document,
    inputs: tuple[GraphInput, ...],
    nodes: tuple[Node, ...],
    ends: tuple[Output, ...],
    findings: Findings,
) -> None:
    """Warns of inputs that no layer and no output takes."""
    used = {source for node in nodes for source in node.inputs} | {output.node for output in ends}
    section = document.root.get("inputs")
    for place, item in enumerate(inputs):
        if input_number(place) not in used:
            key = section.key(item.name) if isinstance(section, Mapping) else document.root.key("input")
            findings.warning(
                "W306",
                f"nothing uses the input `{item.name}`, of {item.type}",
                key.span if key else None,
                help=["take it with `from:`, or remove it; data must have it all the same"],
            )
