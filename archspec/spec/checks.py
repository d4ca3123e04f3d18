"""Checks of a document as a whole: defaults, arguments that nothing reads, published figures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from archspec.diagnostics import Findings, Span, did_you_mean, listed
from archspec.kinds import builtin_kinds, find_kind
from archspec.located import Located, Mapping, Scalar, Sequence, is_null
from archspec.spec.arguments import NAME
from archspec.spec.document import Document
from archspec.spec.network import ImageInput, Published, WeightSet
from archspec.spec.reading import read_model

if TYPE_CHECKING:
    from archspec.graph import Graph


MAX_HINTED = 20
"""Unused arguments for which a near name is looked for."""

RESERVED_NAMES = ("pytorch", "archspec")
"""Ways to name tensors that need no table."""


def check_defaults(document: Document, findings: Findings) -> None:
    """Reports unknown kinds and fields under `defaults:`, used or not."""
    node = document.defaults
    for name, key, value in node.items() if node else ():
        kind = find_kind("layers", name)
        if kind is None:
            from archspec.spec.unknown import unknown_kind

            unknown_kind(name, key.span, builtin_kinds("layers"), "layer kind", findings)
        elif not isinstance(value, Mapping):
            findings.error("E206", f"defaults of {name} are a mapping of fields, not {value.described}", value.span)
        else:
            for field_name, field_key, _ in value.items():
                if field_name not in kind.model_fields:
                    from archspec.spec.hints import field_hint

                    hint = field_hint(field_name, kind.model_fields)
                    findings.error(
                        "E201",
                        f"{name} has no field `{field_name[:60]}`",
                        field_key.span,
                        help=[hint or f"fields: {listed(kind.model_fields, 30)}"],
                    )


def unused_arguments(document: Document, findings: Findings) -> None:
    """Warns of arguments, the spec's and its blocks', that no `$(…)` reads."""
    used = set(_identifiers(document.written))
    hinted = 0
    for argument in document.arguments.values():
        # An argument of a file that this one extends may well be read by what was left behind there, and one of a file
        # whose variants have bases by another variant's.
        if argument.name not in used and argument.key.source is document.root.source and not document.based:
            hinted += 1
            # Looking for what was meant takes time for each of many names.
            others = [name for name in document.arguments if name != argument.name] if hinted <= MAX_HINTED else []
            _unused(argument.name, "the spec", argument.key.span, findings, others)
    for block in document.blocks.values():
        if block.document is not None:
            continue
        inner = set(_identifiers(block.layers))
        for other in block.arguments.values():
            inner.update(_identifiers(other.default))
        for argument in block.arguments.values():
            if argument.name not in inner:
                _unused(argument.name, f"block `{block.name}`", argument.key.span, findings)


def _unused(name: str, what: str, span: Span, findings: Findings, others: Iterable[str] = ()) -> None:
    hint = did_you_mean(name, others)
    # The other argument is there: one that is called like it would be given twice.
    help = [*([str(hint)] if hint else []), f"$({name}) reads it"]
    findings.warning("W201", f"nothing reads the argument `{name}` of {what}", span, help=help)


_WORD = re.compile(r"[A-Za-z_]\w*")


def _identifiers(node: Located | None) -> Iterable[str]:
    stack = [node] if node is not None else []
    while stack:
        item = stack.pop()
        if not item.dynamic:
            continue
        if isinstance(item, Scalar):
            yield from _WORD.findall(item.value)
        elif isinstance(item, Sequence):
            stack.extend(item.items)
        elif isinstance(item, Mapping):
            for _, key, value in item.items():
                stack.extend((key, value))


def check_published(graph: Graph, published: Published, span: Span | None, findings: Findings) -> None:
    """Warns where the network misses the figures that its file states."""
    seen = graph.pruned("eval")
    trainable = seen.count("trainable")
    for name, stated, own in (
        ("params", published.params, trainable),
        ("train_params", published.train_params, graph.count("trainable")),
        ("macs", published.macs, seen.macs),
    ):
        if stated is not None and stated != own:
            findings.warning(
                "W303", f"published {name} of {graph.name} are {stated:,}, but the network has {own:,}", span
            )


def read_weight_set(name: str, key: Scalar, node: Located, document: Document, findings: Findings) -> WeightSet | None:
    """One entry of `weights:`; None where it is left out or wrong."""
    if is_null(node):
        return None
    what = f"weights `{name[:60]}`"
    if not NAME.match(name) or name in RESERVED_NAMES:
        reason = "stands for names that every network has" if name in RESERVED_NAMES else "cannot be a name"
        findings.error("E213", f"`{name[:60]}` {reason}", key.span, help=["letters, digits and _ can"])
        return None
    if not isinstance(node, Mapping):
        findings.error("E206", f"{what} are a mapping, not {node.described}", node.span)
        return None
    given = node.get("input")
    for field, field_key, _ in given.items() if isinstance(given, Mapping) else ():
        if field not in ImageInput.model_fields:
            from archspec.spec.hints import field_hint

            hint = field_hint(field, ImageInput.model_fields)
            fields = f"fields: {listed(ImageInput.model_fields)}"
            findings.error("E201", f"input has no field `{field[:60]}`", field_key.span, help=[hint or fields])
    # An elaborated spec has no arguments left: there they are told of when weights are read.
    arguments = node.get("args") if document.arguments else None
    for argument, argument_key, _ in arguments.items() if isinstance(arguments, Mapping) else ():
        if argument not in document.arguments:
            from archspec.spec.unknown import unknown_argument

            unknown_argument(argument, argument_key, document.arguments, "the spec", None, findings)
    return read_model(WeightSet, node, document.env, findings, what, key.span)
