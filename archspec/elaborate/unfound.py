"""What is said of a name that `from` and its kin give and that there is not, and of entries that are none."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from archspec.diagnostics import Label, Mend, Setting, Span, did_you_mean, listed
from archspec.elaborate.scope import COMMON, PREVIOUS, UNKNOWN, Context, Entry, Scope, Values
from archspec.expressions import Environment
from archspec.kinds import STRUCTURE, KindError, find_kind, kind_names
from archspec.located import Located, Mapping, Scalar, Sequence, describe
from archspec.spec import mending, rewriting
from archspec.spec.hints import KIND_AS_VALUE, kind_hint
from archspec.spec.reading import fields_of
from archspec.spelling import Meant

if TYPE_CHECKING:
    from archspec.elaborate.entries import Expander

STRUCTURE_FIELDS = {
    "repeat": ("times", "as", "layers", "tied"),
    "parallel": ("branches", "join"),
    "residual": ("layers", "shortcut"),
}
"""The fields of structures."""

MAX_KNOWN = 2_000
"""Names of layers that a message about an unknown one looks at."""


def not_found(x: Expander, name: str, place: Located, scope: Scope, env: Environment) -> None:
    """Reports a name that nothing has. `env` has what expressions in the name were computed from."""
    parts = name.split(".")
    above = [".".join(parts[:end]) for end in range(1, len(parts))]
    if any(UNKNOWN in (scope.seen(path) or ()) for path in above):
        return  # in a scope that could not be expanded
    known = known_names(scope)
    hint = did_you_mean(name, known)
    label: Label | None = None
    if (omitted := left_out(x, [name, *above], scope)) is not None:
        label = Label(omitted, "left out by `when`")
    elif (later := defined_later(x, name)) is not None:
        label = Label(later, "defined here, outside of the block" if in_block(scope) else "defined here, later")
    help = [hint or f"names so far: {listed(known)}"]
    if label is not None:
        help = ["give what takes its place a name, or this entry the same `when`"] if omitted is not None else []
    x.findings.error(
        "E210",
        f"there is no layer `{name[:60]}` before this one",
        place.span,
        secondary=[label] if label is not None else [],
        notes=used(place, env),
        help=help,
    )


def in_block(scope: Scope) -> bool:
    """Whether names in a scope are those of a block."""
    return scope.home.parent is not None


def left_out(x: Expander, names: list[str], scope: Scope) -> Span | None:
    """Where one of these names, or of paths, stands on an entry that `when` leaves out, looked up as `from` does."""
    at: Scope | None = scope
    while at is not None:
        for name in names:
            if at.prefix + name in x.left_out:
                return x.left_out[at.prefix + name]
        at = None if at.inputs is not None else at.parent
    return None


def known_names(scope: Scope) -> list[str]:
    """The names that `from` may give in a scope, for messages: some thousands at most."""
    known: list[str] = [PREVIOUS]
    names: tuple[str, ...] = ()
    at: Scope | None = scope
    while at is not None and len(known) < MAX_KNOWN:
        known.extend(islice(at.names, MAX_KNOWN))
        names = at.input_names
        at = None if at.inputs is not None else at.parent
    # Several inputs have names, and `input` is all of them, which few layers take.
    return list(dict.fromkeys([*(names if len(names) > 1 else ("input", *names)), *known]))


def defined_later(x: Expander, name: str) -> Span | None:
    """Where the top level's list names a layer that has not been reached yet."""
    if x.written_names is None:
        x.written_names = {}
        layers = x.document.root.get("layers")
        for item in layers.items if isinstance(layers, Sequence) else []:
            for _, _, content in item.items() if isinstance(item, Mapping) else ():
                own = content.get("name") if isinstance(content, Mapping) else None
                if isinstance(own, Scalar) and isinstance(own.value, str):
                    x.written_names.setdefault(own.value, own.span)
    return x.written_names.get(name)


def used(place: Located, env: Environment) -> list[str]:
    """A note on the numbers and words that the expressions in a text were computed from."""
    text = place.value if isinstance(place, Scalar) and place.dynamic else ""
    names = [name for part in re.findall(r"\$\((.*)\)", text) for name in re.findall(r"(?<![\w.])[A-Za-z_]\w*", part)]
    values = {name: env[name] for name in names if name in env and isinstance(env[name], (int, float, str))}
    return [f"here {listed(f'{name} is {describe(value)}' for name, value in values.items())}"] if values else []


def bad_entry(x: Expander, node: Mapping) -> None:
    """Reports an entry that is not one kind with its fields."""
    if not node.entries:
        x.findings.error("E207", "this entry is empty", node.span, help=["remove it, or name a kind"])
        return

    named = next((value for key, _, value in node.items() if key in KIND_AS_VALUE), None)
    if isinstance(named, Scalar) and isinstance(named.value, str):
        known = {*kind_names("layers"), *x.document.blocks, *STRUCTURE}
        hint = kind_hint(named.value, known)
        match = re.search(r"did you mean `(\w+)`", hint or "")
        kind = named.value if named.value in known else match[1] if match else named.value[:60]
        help = f"write `- {kind}: {{…}}` with the fields inside the braces"
        if len(node.entries) == 1:
            help = f"write `- {kind}`"
        field = next(key for key, _, value in node.items() if value is named)
        sure = kind == named.value or (isinstance(hint, Meant) and hint.certain)
        mends = rewriting.kind_as_key(node, field, kind, help, certain=sure) if kind in known else []
        x.findings.error("E207", "an entry's kind is its key, not a field", named.span, help=[help], mends=mends)
        return
    (first, (_, content)), (second, (key, _)) = list(node.entries.items())[:2]
    where = f"{first}: {{…, {second}: …}}" if content is not None else f"{first}: {{{second}: …}}"
    help = f"fields go inside: `- {where[:120]}`; a layer of its own begins with `- `"
    x.findings.error(
        "E207",
        f"an entry has one kind, but `{second[:60]}` stands beside `{first[:60]}`",
        key.span,
        help=[help],
        mends=apart(x, node, first, [name for name in node.entries if name != first], help),
    )


def apart(x: Expander, node: Mapping, first: str, others: list[str], help: str) -> list[Mend]:
    """Mends of fields that stand beside their kind, or of kinds that stand beside another one."""
    fields, main = _fields_of(x, first)
    if all(name in fields for name in others):
        return rewriting.fields_within(node, help, main=main, certain=True)
    known = {*kind_names("layers"), *x.document.blocks, *STRUCTURE}
    key = node.key(others[0])
    if first in known and key is not None and len(others) == 1 and others[0] in known:
        return rewriting.own_entry(node, key, help)
    return rewriting.fields_within(node, help, main=main, certain=False) if first in known else []


def _fields_of(x: Expander, name: str) -> tuple[set[str], str | None]:
    """The fields of a layer kind, a structure or a block, and the one that a plain value sets."""
    block = x.document.blocks.get(name)
    if block is not None:
        return {*block.arguments, *COMMON}, next(iter(block.arguments), None)
    if name in STRUCTURE:
        return {*STRUCTURE_FIELDS.get(name, ()), *COMMON}, None
    with suppress(KindError):
        kind = find_kind("layers", name)
        if kind is not None:
            return {*fields_of(kind), *COMMON}, kind.main
    return set(), None


def without_from(x: Expander, entry: Entry, context: Context) -> Values:
    """Reports an entry at the network's beginning that does not say which of several inputs it takes."""
    names = context.scope.input_names
    help = f"`- {entry.kind}: {{from: {names[0]}, …}}`; inputs: {listed(names)}"
    x.findings.error(
        "E220",
        f"the network has {len(names)} inputs, and its first entry does not say which it takes",
        entry.span,
        help=[help],
        mends=mending.set_fields(
            entry.kind_node.span, _fields_of(x, entry.kind)[1], [Setting(help, (("from", name),)) for name in names[:4]]
        ),
    )
    x.undecided = None
    x.placer.register(entry, entry.name or context.scope.automatic(entry.kind), (UNKNOWN,), context.scope)
    return (UNKNOWN,)
