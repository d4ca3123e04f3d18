"""Mends that bring what is written in another form into the language's: entries, sections and values.

Imported once something has such a fault.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Sequence as Many
from typing import Any

from archspec import edits
from archspec.diagnostics import Edit, Mend, Span
from archspec.kinds import builtin_kinds, find_kind
from archspec.located import Located, Mapping, Scalar, Sequence, is_null
from archspec.spec.hints import kind_hint, plain_name
from archspec.spec.mending import Pair, anew, made, own_pairs, spot
from archspec.spelling import Meant


def fields_within(node: Mapping, help: str, *, main: str | None, certain: bool) -> list[Mend]:
    """The fields of an entry that stand beside its kind, put within it: `- conv: {filters: 8}` with `name: a` below."""
    pairs = own_pairs(node)
    if node.source.path is None or pairs is None or len(pairs) < 2:
        return []
    (_, content), others = pairs[0], pairs[1:]
    if edits.is_flow(node):
        return made(help, _in_flow(pairs), certain)
    if is_null(content) and not content.span.text:
        return made(help, _further_in(node, others, 2), certain)
    if isinstance(content, Mapping) and not edits.is_flow(content):
        inner = own_pairs(content)
        by = inner[0][0].column - others[0][0].column if inner else 0
        return made(help, _further_in(node, others, by), certain) if by > 0 else []
    written = [(key.span.text, _one_line(value)) for key, value in others]
    if any(text is None for _, text in written):
        return []
    fields = ", ".join(f"{name}: {text}" for name, text in written)
    put: Edit | None
    if isinstance(content, Mapping):
        inner = own_pairs(content)
        end = edits.end_of(inner[-1][1]) if inner else None
        put = edits.inserted_at(content.source, end, f", {fields}") if end else None
        if not content.entries:
            put = edits.replaced(content, f"{{{fields}}}")
    else:
        text = _one_line(content)
        put = edits.replaced(content, f"{{{main}: {text}, {fields}}}") if main and text else None
    return made(help, [put, _without_lines(node, others)], certain)


def _in_flow(pairs: Many[Pair]) -> list[Edit | None]:
    """`{conv: {filters: 8}, name: a}` and `{conv: , filters: 8}` with all fields in one pair of braces."""
    (key, content), (first, _) = pairs[0], pairs[1]
    begin, end = edits.end_of(content), edits.end_of(pairs[-1][1])
    if begin is None or end is None:
        return [None]
    source = key.source
    close = edits.inserted_at(source, end, "}")
    start = (first.line, first.column)
    if is_null(content):
        return [edits.at(source, (key.end_line, key.end_column), start, ": {"), close]
    if not isinstance(content, Mapping) or not edits.is_flow(content):
        return [None]
    if not content.entries:
        return [edits.at(source, (content.line, content.column + 1), start, ""), close]
    return [edits.at(source, (begin[0], begin[1] - 1), begin, ""), close]


def _further_in(node: Mapping, pairs: Many[Pair], by: int) -> list[Edit | None]:
    """Lines of a mapping from one pair to its end, moved to the right."""
    end, source = edits.end_of(node), node.source
    lines = range(pairs[0][0].line, end[0] + 1) if end else range(0)
    alone = all(not source.line(key.line)[: key.column - 1].strip() for key, _ in pairs)
    return [*edits.indented(source, lines, by)] if lines and alone else [None]


def _without_lines(node: Mapping, pairs: Many[Pair]) -> Edit | None:
    """The edit that takes away the last pairs of a mapping, which have lines of their own."""
    key, source, end = pairs[0][0], node.source, edits.end_of(node)
    if end is None or source.line(key.line)[: key.column - 1].strip():
        return None
    if re.search(r"(^|\s)#", Span(source, key.line, 1, end[0], len(source.line(end[0])) + 1).text):
        return None  # a comment would be lost
    above = key.line - 1
    return edits.at(source, (above, len(source.line(above)) + 1), (end[0], len(source.line(end[0])) + 1), "")


def _one_line(node: Located) -> str | None:
    """What is written, as it can stand within braces; None of several lines, and of an expression without quotes."""
    text = node.span.text
    if node.line != node.end_line or not text or edits.end_of(node) is None:
        return None
    if isinstance(node, Scalar):
        plain = text[:1] not in ("'", '"')
        return edits.yaml_of(node.plain) if plain and re.search(r"[,\[\]{}#]|: ", text) else text
    return text if edits.is_flow(node) else None


def own_entry(node: Mapping, key: Scalar, help: str) -> list[Mend]:
    """A kind that stands beside another one, as an entry of its own."""
    source = node.source
    before = source.line(key.line)[: key.column - 1]
    dash = source.line(node.line)[: node.column - 1].rstrip()
    if source.path is None or edits.is_flow(node) or before.strip() or dash.strip() != "-":
        return []
    return [Mend(help, (edits.at(source, (key.line, 1), (key.line, key.column), f"{dash} "),), certain=True)]


def kind_as_key(node: Mapping, field: str, kind: str, help: str, *, certain: bool) -> list[Mend]:
    """`{type: conv, filters: 8}` as `{conv: {filters: 8}}`."""
    pairs = own_pairs(node)
    if node.source.path is None or pairs is None:
        return []
    key, value = next(pair for pair in pairs if pair[0].value == field)
    if len(pairs) == 1:
        return made(help, [anew(node, edits.yaml_of(kind))], certain)
    if len(pairs) == 2 and pairs[0][0] is key and pairs[1][0].value in _PARAMETERS:
        inner = pairs[1][0]
        until = (inner.end_line, inner.end_column)
        return made(help, [edits.at(node.source, (key.line, key.column), until, edits.yaml_of(kind))], certain)
    others = [pair for pair in pairs if pair[0] is not key]
    if edits.is_flow(node):
        begin = edits.inserted_at(node.source, (node.line, node.column + 1), f"{edits.yaml_of(kind)}: {{")
        close = edits.inserted_at(node.source, (node.end_line, node.end_column - 1), "}")
        return made(help, [begin, edits.without_field(key, value, flow=True), close], certain)
    if pairs[0][0] is not key or not others:
        return []
    end = edits.end_of(value)
    name = edits.at(node.source, (key.line, key.column), end, f"{edits.yaml_of(kind)}:") if end else None
    return made(help, [name, *_further_in(node, others, 2)], certain)


_PARAMETERS = frozenset({"params", "parameters", "args", "kwargs", "config", "options", "hparams"})
"""Keys under which other formats write a layer's fields."""


def listed_entries(node: Located, help: str) -> list[Mend]:
    """Layers that are written as a mapping, as the list that they should be."""
    pairs = own_pairs(node) if isinstance(node, Mapping) and node.source.path is not None else None
    if not pairs or not isinstance(node, Mapping):
        return []
    known = set(builtin_kinds("layers"))
    certain = all(key.value in known for key, _ in pairs)
    source = node.source
    if edits.is_flow(node):
        ends = [((node.line, node.column), "["), ((node.end_line, node.end_column - 1), "]")]
        changed = [edits.at(source, place, (place[0], place[1] + 1), text) for place, text in ends]
        return made(help, changed, certain)
    end = edits.end_of(node)
    begins = {key.line for key, _ in pairs}
    if end is None or any(source.line(key.line)[: key.column - 1].strip() for key, _ in pairs):
        return []
    column = pairs[0][0].column
    changed = [
        edits.inserted_at(source, (line, column), "- " if line in begins else "  ")
        for line in range(node.line, end[0] + 1)
        if source.line(line).strip()
    ]
    return made(help, changed, certain)


def without_other(name: str, key: Scalar, plain: str, help: str) -> list[Mend]:
    """A field that other libraries have and that is not needed here, left out; an activation as the layer it is."""
    found = spot(key.span)
    if found is None or found.value is None or not isinstance(found.around[-1], Mapping):
        return []
    within = found.around[-1]
    gone = edits.without_field(key, found.value, flow=edits.is_flow(within))
    if plain in _FOLLOW:
        return made(help, [gone], certain=True)
    if plain in _NEEDLESS:
        return made(help, [gone], certain=False)
    layer = _layer_of(plain, found.value)
    both = {"activation", "batchnormalize"} <= {plain_name(name) for name in within.entries}
    if layer is None or both or len(found.around) < 3:
        return []  # of two layers behind this one the order would be a guess
    entry, entries = found.around[-2], found.around[-3]
    if not isinstance(entries, Sequence) or not isinstance(entry, Mapping):
        return []
    # Whoever names it, by the name that it has by itself too, may mean what comes of the activation.
    automatic = rf"\b(?:{'|'.join(map(re.escape, entry.entries))})_?\d+\b"
    sure = "name" not in within.entries and re.search(automatic, key.source.text) is None
    behind = edits.item_behind(entries, entry, layer)
    if gone is not None and behind is not None and not edits.is_flow(within):
        line = gone.span.source.line(found.value.end_line)
        if behind.span.line == found.value.end_line:  # the field's own line becomes the layer's
            text = behind.text.removeprefix("\n")
            return made(help, [edits.at(key.source, (key.line, 1), (key.line, len(line) + 1), text)], certain=sure)
    return made(help, [gone, behind], certain=sure)


SAME_UPPER = "`pad: same_upper` is what others call `padding: same`; `same` pads alike on both sides"


def same_padding(name: str, key: Scalar) -> list[Mend]:
    """`padding: same` of Keras, as what it is: one more pixel below and on the right, where both sides cannot be alike.

    PyTorch's, of convolutions with a stride of 1, is that too.
    """
    found = spot(key.span)
    if plain_name(name) != "padding" or found is None or not isinstance(found.value, Scalar):
        return []
    if str(found.value.value).lower() != "same":
        return []
    return made(SAME_UPPER, [edits.renamed(key, "pad"), edits.replaced(found.value, "same_upper")], certain=True)


_FOLLOW = frozenset({"inchannels", "infeatures", "inputdim", "numfeatures", "inplace"})
"""Fields of other libraries that say what follows from the layer before, or nothing."""

_NEEDLESS = frozenset({"inputshape", "dataformat", "shuffle", "device", "accelerator"})


def _layer_of(plain: str, value: Located) -> str | None:
    """The layer that a field of another library stands for: `activation: relu`, `batch_normalize: 1`."""
    given = value.value if isinstance(value, Scalar) else None
    if plain == "batchnormalize":
        return "batch_norm" if given in (1, True) else None
    if plain != "activation" or not isinstance(given, str):
        return None
    kinds = builtin_kinds("layers")
    hint = None if given in kinds else kind_hint(given, kinds)
    name = given if given in kinds else hint.name if isinstance(hint, Meant) and hint.certain else None
    kind = find_kind("layers", name) if name is not None else None
    return name if kind is not None and getattr(kind, "family", "") == "activation" else None


def moved_to(section: str, key: Scalar, field: str, help: str) -> list[Mend]:
    """A field of `train` that belongs into a kind beside it: `learning_rate` into `optimiser: sgd`."""
    found = spot(key.span)
    within = found.around[-1] if found is not None else None
    if found is None or found.value is None or not isinstance(within, Mapping):
        return []
    text, beside = _one_line(found.value), within.get(section)
    if text is None or beside is None or not edits.lies_in(beside, within):
        return []
    put: Edit | None = None
    if isinstance(beside, Scalar) and isinstance(beside.value, str):
        put = edits.replaced(beside, f"{{{beside.span.text}: {{{field}: {text}}}}}")
    elif isinstance(beside, Mapping) and len(beside.entries) == 1:
        inner = next(iter(beside.entries.values()))[1]
        if isinstance(inner, Mapping) and field not in inner.entries:
            put = edits.with_field(inner, field, text)
    return made(help, [edits.without_field(key, found.value, flow=edits.is_flow(within)), put], certain=True)


def moved_out(key: Scalar, help: str) -> list[Mend]:
    """A field of a section that is a section of its own."""
    found = spot(key.span)
    if found is None or found.value is None or len(found.around) != 2:
        return []
    top, within = found.around
    text = _one_line(found.value)
    if text is None or not isinstance(within, Mapping) or not isinstance(top, Mapping) or edits.is_flow(top):
        return []
    before = next((own for _, own, value in top.items() if value is within), None)
    if before is None or key.value in top.entries or (before.line == key.line and not edits.is_flow(within)):
        return []
    put = edits.inserted_at(key.source, (before.line, before.column), f"{key.span.text}: {text}\n")
    return made(help, [put, edits.without_field(key, found.value, flow=edits.is_flow(within))], certain=True)


def in_place_of(key: Scalar | None, value: Located, name: str, fields: Any, help: str) -> list[Mend]:
    """Another name and other fields for a section, such as an input's shape as its height, width and channels."""
    if value.source.path is None:
        return []
    renamed = [edits.renamed(key, name)] if key is not None and key.value != name else []
    return made(help, [*renamed, anew(value, edits.yaml_of(fields))], certain=True)


def fields_for(key: Scalar, value: Located, fields: dict[str, int], help: str) -> list[Mend]:
    """Fields in place of one: `shape: [28, 28, 1]` as `height`, `width` and `channels`."""
    found = spot(key.span)
    if found is None or not isinstance(found.around[-1], Mapping):
        return []
    within, end = found.around[-1], edits.end_of(value)
    if end is None or any(name in within.entries for name in fields) or value.line != value.end_line:
        return []
    between = ", " if edits.is_flow(within) else "\n" + " " * (key.column - 1)
    text = between.join(f"{name}: {number}" for name, number in fields.items())
    return made(help, [edits.at(key.source, (key.line, key.column), end, text)], certain=True)


def of_another_type(node: Located | None, type: str, choices: Collection[str] = ()) -> tuple[str, list[Mend]] | None:
    """What to write for a value of the wrong type that says the right thing: `"3"` in quotes, `yes` for true, 8.0.

    The help line and its mends; None for all else. `type` is what pydantic calls the fault.
    """
    if not isinstance(node, Scalar) or node.dynamic or node.source.path is None:
        return None
    value, said = node.value, None
    if type in ("int_type", "int_parsing", "float_type", "float_parsing") and isinstance(value, str):
        pattern = r"[-+]?\d{1,18}" if type.startswith("int") else r"[-+]?\d{1,18}(\.\d*)?([eE][-+]?\d{1,3})?"
        said = value if re.fullmatch(pattern, value.strip(), re.ASCII) else None
    elif type in ("int_type", "int_from_float") and isinstance(value, float) and value.is_integer():
        said = str(int(value))
    elif type in ("bool_type", "bool_parsing"):
        words = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
        said = {**words, "true": "true", "false": "false"}.get(str(value).lower())
    elif type == "string_type" and isinstance(value, (int, float)) and not isinstance(value, bool):
        said = f'"{node.span.text}"'
    elif type == "literal_error" and str(value) in ("1", "1.0", "v1") and list(choices) == ["1"]:
        said = "1"
    if said is None:
        return None
    help = f"write {said}" + (" without quotes" if isinstance(value, str) and node.span.text[:1] in "'\"" else "")
    return help, made(help, [edits.replaced(node, said)], certain=True)


def flag(node: Located) -> tuple[list[str], list[Mend]]:
    """Help lines and mends of what should be true or false."""
    better = of_another_type(node, "bool_type")
    return ([better[0]], better[1]) if better is not None else ([], [])


def quoted(node: Scalar) -> list[Mend]:
    """An expression that YAML has ended at a comma or bracket, with quotes around all of it."""
    source, help = node.source, 'inside { } and [ ] a value ends at a comma or bracket: put quotes around it, "$(…)"'
    edit = edits.expression_in_quotes(source, (node.line, node.column)) if source.path is not None else None
    return [Mend(help, edit, certain=True)] if edit else []
