"""`blocks:`: the layer kinds that a spec defines. Imported once a spec has some."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.diagnostics import Findings, did_you_mean
from archspec.kinds import STRUCTURE, builtin_kinds
from archspec.located import Located, Scalar, Sequence
from archspec.located import Mapping as LocatedMapping
from archspec.spec.arguments import NAME, Argument, declared
from archspec.spec.document import Block, Document


def define_blocks(document: Document, findings: Findings) -> None:
    """Adds the blocks that a document's own `blocks:` defines; what is wrong with one is reported."""
    node = document.root.get("blocks")
    if not isinstance(node, LocatedMapping):
        return
    for name, key, value in node.items():
        if name in STRUCTURE or name in builtin_kinds("layers"):
            findings.error("E208", f"`{name}` is a built-in kind; a block needs another name", key.span)
            continue
        if not NAME.match(name):
            findings.error("E208", f"`{name[:60]}` cannot name a block: letters, digits and _ can", key.span)
            continue
        if not isinstance(value, LocatedMapping):
            findings.error(
                "E208", f"block `{name}` is a mapping with args and layers, not {value.described}", value.span
            )
            continue
        for field_name, field_key, _ in value.items():
            if field_name not in ("args", "inputs", "layers"):
                hint = did_you_mean(field_name, ("args", "inputs", "layers"))
                findings.error(
                    "E201",
                    f"block `{name}` has no field `{field_name[:60]}`",
                    field_key.span,
                    help=[hint or "fields: args, inputs and layers"],
                )
        layers = value.get("layers")
        if layers is None:
            findings.error("E203", f"block `{name}` needs `layers`", key.span)
        arguments = declared(value.get("args"), f"block `{name}`", findings)
        inputs = _block_inputs(name, value.get("inputs"), arguments, findings)
        document.blocks[name] = Block(name, key, arguments, layers, inputs)


def _block_inputs(
    block: str, node: Located | None, arguments: Mapping[str, Argument], findings: Findings
) -> tuple[str, ...]:
    """The names of a block's inputs."""
    if node is None:
        return ()
    items = node.items if isinstance(node, Sequence) else ()
    names: list[str] = []
    for item in items:
        name = item.value if isinstance(item, Scalar) else None
        if not isinstance(name, str) or not NAME.match(name) or name in ("input", "previous"):
            stands = name in ("input", "previous")
            reason = "means something else" if stands else "cannot name an input"
            findings.error("E208", f"{item.described} {reason}", item.span, help=["letters, digits and _ can"])
        elif name in names or name in arguments:
            also = "input" if name in names else "argument"
            words = f"block `{block}` has another {also} `{name}`"
            findings.error("E208", words, item.span, help=["choose another name"])
        else:
            names.append(name)
    if not items:
        findings.error(
            "E208",
            f"`inputs` of block `{block}` is a list of names, not {node.described}",
            node.span,
            help=["for example `inputs: [x, skip]`"],
        )
    return tuple(names) if len(names) == len(items) else ()
