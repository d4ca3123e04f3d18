"""Document → graph: blocks, repeats, branches and `$(…)` are expanded, every layer's shape is inferred.

Errors are collected, not raised: a layer that cannot be read or does not fit leaves an unknown value behind, and what
depends on it is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Types

from archspec.diagnostics import Findings
from archspec.elaborate.entries import Expander
from archspec.elaborate.outputs import outputs, warn_unused, warn_unused_inputs
from archspec.elaborate.placing import Placer
from archspec.elaborate.resizing import suggest_inputs
from archspec.elaborate.scope import UNKNOWN, Context, Scope, StopElaboration
from archspec.graph import Graph, GraphInput, input_number, prune
from archspec.located import Mapping
from archspec.spec.document import Document
from archspec.types import TensorType

UNREAD = (GraphInput("input", TensorType((1, 1, 1))),)
"""Stands for inputs whose section is wrong."""


def elaborate(
    document: Document,
    inputs: Types[str, TensorType] | None,
    name: str,
    findings: Findings,
    expanding: Callable[[Document, Placer, Findings], Expander] = Expander,
) -> Graph | None:
    """The graph of a document whose arguments are bound, or None with the reasons among the findings.

    `inputs` are the types of what the network takes. Without them, because their section is wrong, the layers are
    checked as far as they can be. `expanding` makes the expander: that of a `Trace` watches.
    """
    layers = document.root.get("layers")
    if layers is None:
        key = document.root.key("name")
        findings.error("E203", "the spec needs `layers`", key.span if key else document.root.span)
        return None
    placer = Placer(tuple(map(GraphInput, inputs, inputs.values())) if inputs else UNREAD, findings)
    starts = tuple(input_number(place) for place in range(len(inputs))) if inputs else (UNKNOWN,)
    expander = expanding(document, placer, findings)
    names = tuple(inputs or ())
    context = Context(Scope(inputs=starts, input_names=names), document.env, document)
    expander.undecided = starts if len(starts) > 1 else None
    written = document.root.get("inputs")
    for input_name, value in zip(names, starts, strict=False):
        key = written.key(input_name) if isinstance(written, Mapping) else None
        if key is not None:
            # Layers must have other names.
            context.scope.names[input_name] = ((value,), key.span)
    try:
        expander.check_size(layers, context)
        end = expander.chain(layers, context, starts, "layers")
        ends = outputs(expander, context.scope, end)
    except StopElaboration:
        return None
    if expander.suggesting:
        suggest_inputs(document, layers, expander)
    if ends is None or findings.failed:
        return None
    nodes = tuple(placer.nodes)
    warn_unused(expander, nodes, ends)
    if len(ends) > 1 and any(output.node in placer.consumed for output in ends):
        from archspec.elaborate.heads import warn_stacked

        warn_stacked(placer.inputs, nodes, ends, placer.blocks, expander.asked, findings)
    nodes, ends = prune(nodes, ends)
    if any(node.shares is not None for node in nodes):
        from archspec.elaborate.sharing import unshared

        nodes = unshared(nodes)
    warn_unused_inputs(document, placer.inputs, nodes, ends, findings)
    args, blocks = dict(document.env), placer.blocks
    return Graph(name, placer.inputs, nodes, ends, variant=document.variant, args=args, blocks=blocks)
