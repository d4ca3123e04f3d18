"""Entries of a list of layers: kinds, blocks and structures that take what comes in, with what they need."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.editing.documented import kind_text
from archspec.editing.grammar import NEEDED, kind_or_none
from archspec.editing.offers.guesses import guesses, yaml_of
from archspec.editing.offers.item import Asked, Completion, What, first_line, hole
from archspec.editing.offers.names import names_here
from archspec.editing.probing import parsed
from archspec.kinds import STRUCTURE, Kind, kind_names
from archspec.layers import Layer
from archspec.located import Mapping
from archspec.spec.reading import fields_of

if TYPE_CHECKING:
    from archspec.spec.document import Block

MAX_VALUES = 5
"""Values of each field that are tried."""
MAX_TRIED = 24
"""Ways to give a kind what it needs that are tried, before it is said not to fit."""
WRONG_KIND = "E302"
"""What is found of a layer that takes no maps, signals or vectors, whatever its fields are."""
MAX_PARTNERS = 6
"""Earlier layers that a join is tried with, the latest first."""

Fields = tuple[tuple[str, str], ...]


class Form(NamedTuple):
    """An entry's fields, of which one may stand alone as the value; or the lines of a structure."""

    fields: Fields = ()
    main: str | None = None
    lines: tuple[str, ...] = ()
    """Lines of a structure, of which the second and the following are indented; `\\0` stands for a place to fill in."""


def entries(asked: Asked) -> Iterator[Completion]:
    """What may be an entry where the cursor is; nothing beside the kind of one that is there."""
    if asked.cursor.is_key and asked.given:
        return
    names = [
        *((name, "block") for name in asked.blocks),
        *((name, "kind") for name in kind_names("layers")),
        *((name, "structure") for name in STRUCTURE),
    ]
    for name, what in names:
        yield from _entry(asked, name, "block" if what == "block" else "kind" if what == "kind" else "structure")


def _entry(asked: Asked, name: str, what: What) -> Iterator[Completion]:
    rank = {"block": 0, "kind": 1}.get(what, 2)
    said, detail = documented(asked, name, what)
    cursor = asked.cursor
    if cursor.is_key and cursor.has_value:
        # Its fields are there already.
        fit = asked.fits(asked.renamed(name))
        if fit is not None:
            yield asked.item(name, what, name, detail=fit.arrow or detail, documentation=said, rank=rank)
        return
    for form in forms(asked, name, what):
        text = one_line(name, form)
        new_entry = parsed(text)
        if new_entry is None:
            continue
        fit = asked.fits(new_entry)
        if fit is None and asked.refused == {WRONG_KIND}:
            return
        if fit is None:
            continue
        snippet = None
        if form.lines and not cursor.in_flow and not cursor.quote:
            text, snippet = _lines(asked, form)
        elif form.fields or form.lines:
            snippet = one_line(name, form, filled=False)
        if cursor.quote:
            text, snippet = name, None
        yield asked.item(name, what, text, snippet=snippet, detail=fit.arrow or detail, documentation=said, rank=rank)
        return


def documented(asked: Asked, name: str, what: What) -> tuple[str, str]:
    """What is said of a kind, block or structure, and of it in one line."""
    if what == "block":
        block = asked.blocks[name]
        arguments = ", ".join(_declared(argument) for argument in block.arguments.values())
        return f"A block of this spec: `{name}({arguments})`.", f"block({arguments})"
    if what == "structure":
        return kind_text(name), "structure"
    kind = kind_or_none("layers", name)
    return (kind_text(name), kind_family(kind)) if kind is not None else ("", "")


def kind_family(kind: type[Kind]) -> str:
    """What kind of layer it is, in a word."""
    return kind.family if issubclass(kind, Layer) else ""


def _declared(argument: Any) -> str:
    if argument.default is None:
        return f"{argument.name}: {argument.word or '…'}"
    return f"{argument.name}: {yaml_of(argument.default.plain)}"


def forms(asked: Asked, name: str, what: What) -> Iterator[Form]:
    """Ways in which an entry can be written, the likeliest first."""
    if what == "structure":
        yield from _structures(asked, name)
        return
    froms = list(_partners(asked, name, what))
    plain = list(islice(_block_forms(asked, name) if what == "block" else _kind_forms(asked, name), MAX_TRIED))
    for source in froms:
        for form in plain:
            fields = form.fields
            if source is not None:
                fields = (("from", source), *fields)
            yield Form(fields, form.main if source is None else None)


def _partners(asked: Asked, name: str, what: What) -> Iterator[str | None]:
    """What `from` may have to name: nothing, an input, or an earlier layer beside what the chain gives."""
    place = asked.probe.places[0] if asked.probe.places else None
    if place is not None and place.undecided:
        yield from (item.name for item in place.expander.placer.inputs)
        return
    yield None
    kind = kind_or_none("layers", name) if what == "kind" else None
    many = issubclass(kind, Layer) and kind.min_inputs > 1 if kind is not None else False
    if what == "block":
        many = len(asked.blocks[name].inputs) > 1
    if many:
        wanted = 2 if what == "kind" else len(asked.blocks[name].inputs)
        given = place.values if place is not None else ()
        # What the chain gives is joined with something else than itself.
        others = [item.name for item in names_here(asked) if item.values != given]
        for other in others[:MAX_PARTNERS] or (["input"] if place is None else []):
            yield f"[previous{f', {other}' * (wanted - 1)}]"


def _kind_forms(asked: Asked, name: str) -> Iterator[Form]:
    kind = kind_or_none("layers", name)
    if kind is None:
        return
    fields = fields_of(kind)
    needed = [field for field, info in fields.items() if info.is_required()]
    needed.sort(key=lambda field: field != kind.main)
    values = [list(islice(_values(asked, kind, field), MAX_VALUES)) for field in needed]
    for chosen in product(*values):
        given: Fields = tuple(zip(needed, chosen, strict=True))
        if "kernel" in needed and "pad" in fields and dict(given)["kernel"] != "1":
            yield Form((*given, ("pad", "same")))
        yield Form(given, kind.main if len(given) == 1 and needed == [kind.main] else None)
    if not needed and kind.main is not None:
        # Kinds that want one of several fields.
        for value in islice(_values(asked, kind, kind.main), MAX_VALUES):
            yield Form(((kind.main, value),), kind.main)


def _values(asked: Asked, kind: type[Kind], field: str) -> Iterator[str]:
    if field in getattr(kind, "references", {}):
        yield from (item.name for item in names_here(asked)[:40])
        if not asked.probe.places:
            yield "pool1"
        return
    yield from guesses(field, fields_of(kind)[field], asked.x, asked.env)


def _block_forms(asked: Asked, name: str) -> Iterator[Form]:
    block = asked.blocks[name]
    needed = [argument for argument in block.arguments.values() if argument.default is None]
    values = [argument_values(asked, block, argument.name) for argument in needed]
    for chosen in product(*(own[:MAX_VALUES] for own in values)):
        given: Fields = tuple((argument.name, value) for argument, value in zip(needed, chosen, strict=True))
        alone = len(given) == 1 and next(iter(block.arguments)) == given[0][0]
        yield Form(given, given[0][0] if alone else None)


def argument_values(asked: Asked, block: Block, name: str) -> list[str]:
    """Values of a block's argument, by its type word or its default."""
    argument = block.arguments[name]
    word = argument.word
    default = argument.default
    if default is not None and not default.dynamic:
        value = default.plain
        own = [yaml_of(value)]
        if isinstance(value, bool):
            return [yaml_of(not value), yaml_of(value)]
        word = {int: "int", float: "float", str: "str", list: "list"}.get(type(value), "")
    else:
        own = []
    x = asked.x
    channels = [str(x.channels), str(2 * x.channels)] if x is not None and x.channels >= 8 else []
    usual: dict[str | None, list[str]] = {
        "int": [*channels, "64", "16", "2", "1"],
        "float": ["1.0", "0.5", "0.0"],
        "bool": ["true", "false"],
        "str": ["relu"],
        "list": ["[1]"],
        "pair": ["3", "1"],
    }
    same = [f"$({own})" for own, value in asked.env.items() if own == name and value is not None]
    return [*own, *same, *usual.get(word, ["1", "true", "relu", "[1]"])]


def needs(asked: Asked) -> Mapping | None:
    """Fields that an entry needs, with the first values with which nothing is wrong with it; None without such."""
    name = asked.kind_here
    if name is None:
        return None
    what: What = "block" if name in asked.blocks else "structure" if name in STRUCTURE else "kind"
    needed = required_fields(asked, name, what)
    for form in islice(_structure_needs(name) if what == "structure" else forms(asked, name, what), MAX_TRIED):
        text = ", ".join(f"{field}: {value}" for field, value in form.fields if field in needed)
        new = parsed(f"{{{text}}}")
        if not isinstance(new, Mapping) or not new.entries:
            continue
        asked.fill = new
        entry = asked.filled(None)
        if entry is not None and not asked.probe.places[0].tried(entry).errors:
            return new
    return None


def required_fields(asked: Asked, name: str, what: What) -> set[str]:
    """The fields that something of this name cannot be without."""
    if what == "block":
        return {argument.name for argument in asked.blocks[name].arguments.values() if argument.default is None}
    if what == "structure":
        return set(NEEDED.get(name, ()))
    kind = kind_or_none("layers", name)
    return {field for field, info in fields_of(kind).items() if info.is_required()} if kind is not None else set()


def _structure_needs(name: str) -> Iterator[Form]:
    usual = {"times": "1", "layers": "[identity]", "branches": "[[identity]]", "filters": "16", "kernel": "1"}
    yield Form(tuple((field, usual[field]) for field in NEEDED.get(name, ())))


def _structures(asked: Asked, name: str) -> Iterator[Form]:
    if name == "repeat":
        yield Form(lines=("repeat:", "times: \0 2", "layers:", "  - \0 relu"))
    elif name == "residual":
        yield Form(lines=("residual:", "layers:", "  - \0 relu"))
    elif name == "parallel":
        yield Form(lines=("parallel:", "branches:", "  - [\0 relu]", "  - [\0 identity]"))
    elif name == "split":
        x = asked.x
        channels = x.channels if x is not None else 2
        for parts in (2, 3, 4, channels):
            yield Form((("parts", str(parts)),), "parts")
    else:
        assert set(NEEDED[name]) == {"filters", "kernel"}
        conv = kind_or_none("layers", "conv")
        assert conv is not None
        for filters in islice(guesses("filters", fields_of(conv)["filters"], asked.x, asked.env), 2):
            yield Form((("filters", filters), ("kernel", "3"), ("pad", "same")))
            yield Form((("filters", filters), ("kernel", "1")))


_FLOW = {
    "repeat:": "repeat: {times: \0 2, layers: [\0 relu]}",
    "residual:": "residual: {layers: [\0 relu]}",
    "parallel:": "parallel: {branches: [[\0 relu], [\0 identity]]}",
}


def one_line(name: str, form: Form, *, filled: bool = True) -> str:
    """An entry on one line; not `filled` as a snippet, with places for its values."""
    if form.lines:
        return _holes(_FLOW[form.lines[0]], filled)
    if not form.fields:
        return name
    values = [value if filled else hole(number, value) for number, (_, value) in enumerate(form.fields, 1)]
    if form.main is not None:
        return f"{name}: {values[0]}"
    inner = ", ".join(f"{field}: {value}" for (field, _), value in zip(form.fields, values, strict=True))
    return f"{name}: {{{inner}}}" if filled else f"{name}: {{{inner}\\}}"


def _lines(asked: Asked, form: Form) -> tuple[str, str]:
    """The lines of a structure with all their indentation; and as a snippet, in relation to the line's own."""
    deep = asked.column + 2
    text = f"\n{' ' * deep}".join(_holes(line, True) for line in form.lines)
    number, lines = 1, []
    for line in form.lines:
        lines.append(_holes(line, False, number))
        number += line.count("\0")
    return text, f"\n{' ' * (deep - asked.cursor.indent)}".join(lines)


def _holes(line: str, filled: bool, number: int = 1) -> str:
    """A line with `\\0 value` filled in, or as places of a snippet."""
    first, *rest = line.split("\0 ")
    made = first if filled else first.replace("}", "\\}")
    for part in rest:
        word = part
        for end, char in enumerate(part):
            if not (char.isalnum() or char == "_"):
                word = part[:end]
                break
        tail = part[len(word) :]
        made += word + tail if filled else hole(number, word) + tail.replace("}", "\\}")
        number += 1
    return made


__all__ = ["argument_values", "entries", "first_line"]
