"""Overrides laid on a document: one value of the tree replaced, or the sizes of an input."""

from __future__ import annotations

import re
from collections.abc import Sequence as Many

from archspec.diagnostics import Findings, count, did_you_mean, listed
from archspec.kinds import KindError, find_kind
from archspec.located import CHOICES, Located, Scalar, Sequence, is_null, kind_of_input, long_form
from archspec.located import Mapping as LocatedMapping
from archspec.spec.document import MAPPINGS, Document
from archspec.spec.network import SECTIONS
from archspec.spec.overrides import Override, Size

Arguments = dict[str, tuple[Scalar, Located]]
"""Values of arguments, each with its name where that is written."""


def laid_over(document: Document, overrides: Many[Override], findings: Findings) -> tuple[Document, Arguments]:
    """The document with the overrides applied, one after the other, and what they give to arguments."""
    given: Arguments = {}
    for override in overrides:
        if isinstance(override, Size):
            document = apply_size(document, override, findings)
            continue
        path = override.path
        if path[0] in document.arguments and len(path) == 1:
            path = ("args", *path)
        if path[0] == "args" and len(path) == 2:
            given[path[1]] = (override.keys[-1], override.value)
        elif path[0] == "args":
            findings.error("E113", "an argument is set as a whole", override.span, help=["--set args.name=value"])
        else:
            document = apply_override(document, override, findings)
    return document, given


INPUT_FIELDS = {
    "image": ("an image", ("height", "width", "channels"), "HxW or HxWxC"),
    "signal": ("a signal", ("length", "channels"), "its length, L or LxC"),
    "vector": ("a vector", ("features",), "how many features it has"),
}
"""Of each kind of input what it is called, what its size consists of, and how that is written."""


class SizeError(Exception):
    """A size that no input can take; the words say why, and `help` what to write."""

    def __init__(self, words: str, help: str = "") -> None:
        super().__init__(words)
        self.help = help


def input_fields(
    root: LocatedMapping, name: str | None, size: Many[int] | int, *, python: bool = False
) -> list[tuple[tuple[str, ...], int]]:
    """Which fields a size sets, of the input of this name or of the only one: their paths, each with its number.

    A number that is no list is the side of a square image. `python` says how sizes are written. Raises `SizeError`.
    """
    several = root.get("inputs")
    paths: dict[str, tuple[str, ...]] = {"input": ("input",)}
    if isinstance(several, LocatedMapping):
        paths = {own: ("inputs", own) for own, _, value in several.items() if not is_null(value)}
    if name is None and len(paths) != 1:
        raise SizeError(
            f"the network has {count(len(paths), 'input')}, {listed(paths)}, and a size says which it is for",
            f"--input {next(iter(paths), 'name')}=…",
        )
    chosen = name or next(iter(paths))
    if chosen not in paths:
        raise SizeError(
            f"the network has no input `{chosen[:60]}`", did_you_mean(chosen, paths) or f"inputs: {listed(paths)}"
        )
    node: Located | None = root
    for word in paths[chosen]:
        node = node.get(word) if isinstance(node, LocatedMapping) else None
    kind = next(iter(kind_of_input(node)), "image") if isinstance(node, LocatedMapping) else "image"
    what, fields, written = INPUT_FIELDS[kind]
    numbers = [size] * (2 if kind == "image" else 1) if isinstance(size, int) else size
    least = 2 if kind == "image" else 1
    if not least <= len(numbers) <= len(fields):
        if python:
            written = " or ".join(f"({', '.join(fields[:axes])})" for axes in range(least, len(fields) + 1))
        raise SizeError(f"`{chosen}` is {what}, whose size is {written}, not {count(len(numbers), 'number')}")
    return [((*paths[chosen], field), number) for field, number in zip(fields, numbers, strict=False)]


def apply_size(document: Document, size: Size, findings: Findings) -> Document:
    """The document with another size of one of its inputs."""
    assert isinstance(size.value, Sequence)
    name = ".".join(size.path) or None
    try:
        fields = input_fields(document.root, name, size.value.plain)
    except SizeError as error:
        span = size.span if size.keys else size.value.span
        findings.error("E113", str(error), span, help=[error.help] if error.help else [])
        return document
    for (path, _), number in zip(fields, size.value.items, strict=True):
        keys = tuple(Scalar(number.source, number.place, word) for word in path)
        document = apply_override(document, Override(keys, number), findings)
    return document


def apply_override(document: Document, override: Override, findings: Findings) -> Document:
    """The document with one value replaced. A first word that is an argument's name means that argument."""
    keys, first = override.keys, override.path[0]
    if first not in SECTIONS and first in document.arguments:
        keys, first = (Scalar(keys[0].source, keys[0].place, "args"), *keys), "args"
    if first not in SECTIONS:
        known = [*SECTIONS, *document.arguments]
        findings.error(
            "E201",
            f"there is no section or argument `{first[:60]}` to set",
            keys[0].span,
            help=[longer_path(first, document) or did_you_mean(first, known) or f"sections: {listed(SECTIONS, 30)}"],
        )
        return document
    if first in ("import", "extends", "blocks", "variants"):
        findings.error("E113", f"`{first}` cannot be set from outside the file", override.span)
        return document
    value = override.value
    if len(keys) == 1 and first in MAPPINGS and not isinstance(value, LocatedMapping) and not is_null(value):
        findings.error("E206", f"`{first}` is a mapping, not {value.described}", value.span)
        return document
    root = _set(document.root, keys, value, findings)
    if root is None:
        return document
    assert isinstance(root, LocatedMapping)
    return document.changed(root)


def _set(
    node: Located | None,
    keys: tuple[Scalar, ...],
    given: Located,
    findings: Findings,
    above: tuple[str, str] = ("", ""),
) -> Located | None:
    """The tree with the value at this path replaced; None with the reason when the path leads nowhere.

    `above` are the two words that the node stands under.
    """
    if not keys:
        return given
    key, rest = keys[0], keys[1:]
    head: str = key.value
    by_index = isinstance(node, Sequence) and head.isascii() and head.isdigit()
    main = None if by_index or isinstance(node, LocatedMapping) else _main_field(*above)
    if node is not None and main is not None and not is_null(node):
        node = long_form(main, node)
    if above == ("train", "mesh") and isinstance(node, Scalar) and isinstance(node.value, str):
        node = _mesh(node, findings)
        if node is None:
            return None
    if isinstance(node, Sequence):
        index = _index(node, head)
        if index is None:
            names = _names(node)
            hint = did_you_mean(head, names) or _by_number(head, node)
            known = f"or by the name that is written there: {listed(names)}" if names else "none with a name"
            findings.error(
                "E113",
                f"`{head[:60]}` is not in the list that --set points into",
                key.span,
                help=[hint or f"the list has {count(len(node.items), 'item')}, given by number from 0, {known}"],
            )
            return None
        value = _set(node.items[index], rest, given, findings, ("", "layers"))
        if value is None:
            return None
        items = [*node.items[:index], value, *node.items[index + 1 :]]
        result = Sequence(node.source, node.place, items)
        result.dynamic = node.dynamic or value.dynamic
        return result
    entries = dict(node.entries) if isinstance(node, LocatedMapping) else {}
    if above[1] in CHOICES and head not in entries:
        entries = {}  # another kind takes the place of the one that was chosen
    elif isinstance(node, LocatedMapping) and head not in entries and len(entries) == 1:
        # An entry of a list of layers: the kind stands between the entry and its fields.
        only, (_, content) = next(iter(entries.items()))
        if isinstance(content, LocatedMapping) and content.get("name") is not None:
            head, rest = only, keys
    below = entries.get(head)
    value = _set(below[1] if below else None, rest, given, findings, (above[1], head))
    if value is None:
        return None
    entries[head] = (below[0] if below and rest else key, value)
    base = node if isinstance(node, LocatedMapping) else given
    mapping = LocatedMapping(base.source, base.place, entries)
    mapping.dynamic = value.dynamic or (base is node and base.dynamic)
    return mapping


PLAIN = {"init_from": "path", "ema": "decay", "early_stopping": "patience"}
"""The field that a plain value sets in sections of a recipe which have others beside it. Those of `clip` and
`evaluate_every` are alternatives: one takes the place of the other."""


def _mesh(text: Scalar, findings: Findings) -> LocatedMapping | None:
    """The axes that a mesh written as a text has, as a mapping; None with the reason."""
    from archspec.mesh import read_mesh

    try:
        axes = read_mesh(text.value)
    except ValueError as error:
        findings.error("E206", f"`mesh` is no mesh: {error}", text.span)
        return None
    at = (text.source, text.place)
    return LocatedMapping(*at, {axis: (Scalar(*at, axis), Scalar(*at, size)) for axis, size in axes.items()})


def _main_field(holder: str, word: str) -> str | None:
    """The field that a plain value under these two words sets, or None where there is none."""
    if holder == "train" and word in PLAIN:
        return PLAIN[word]
    if holder == "outputs":
        return "from"
    family = "layers" if holder == "layers" else CHOICES.get(holder)
    if family is None:
        return None
    try:
        kind = find_kind(family, word)
    except KindError:
        return None
    return kind.main if kind else None


def longer_path(word: str, document: Document | None = None) -> str | None:
    """`did you mean …?` for a field that was given without the section it stands in, as `epochs` or `lr`."""
    from archspec.spec.hints import synonyms
    from archspec.spec.inputs import MODELS
    from archspec.spec.train import Train

    several = document.root.get("inputs") if document is not None else None
    inputs = several.entries if isinstance(several, LocatedMapping) else {}
    if word in inputs:
        return f"did you mean `inputs.{word}`?"
    meant = synonyms(word)[0]
    if meant in Train.model_fields:
        return f"did you mean `train.{meant}`?"
    for name, (_, section) in inputs.items():
        kinds = kind_of_input(section) if isinstance(section, LocatedMapping) else {}
        if any(word in MODELS[kind].model_fields for kind in kinds):
            return f"did you mean `inputs.{name}.{word}`?"
    if not inputs and any(word in model.model_fields for model in MODELS.values()):
        return f"did you mean `input.{word}`?"
    word = meant
    train = document.root.get("train") if document is not None else None
    given = train.get("optimiser") if isinstance(train, LocatedMapping) else None
    kind = (_kind_of(given) if given is not None else None) or "sgd"
    try:
        optimiser = find_kind("optimisers", kind)
    except KindError:
        return None
    return f"did you mean `train.optimiser.{kind}.{word}`?" if optimiser and word in optimiser.model_fields else None


def _by_number(head: str, node: Sequence) -> str | None:
    """`did you mean …?` for a layer that is called as reports call unnamed ones: `conv2` is the second conv."""
    match = re.fullmatch(r"([A-Za-z]\w*?)_?([0-9]{0,6})", head)
    if match is None:
        return None
    places = [index for index, item in enumerate(node.items) if _kind_of(item) == match[1]]
    number = int(match[2] or 1)
    if not 0 < number <= len(places):
        return None
    return f"a layer without a name goes by its place in the list, from 0: did you mean `{places[number - 1]}`?"


def _kind_of(item: Located) -> str | None:
    if isinstance(item, Scalar):
        return item.value if isinstance(item.value, str) else None
    return next(iter(item.entries)) if isinstance(item, LocatedMapping) and len(item.entries) == 1 else None


def _index(node: Sequence, head: str) -> int | None:
    if head.isascii() and head.isdigit() and len(head) < 9:
        return int(head) if int(head) < len(node.items) else None
    return _names(node).get(head)


def _names(node: Sequence) -> dict[str, int]:
    """The names that are written in a list of layers, and where."""
    names: dict[str, int] = {}
    for index, item in enumerate(node.items):
        if isinstance(item, LocatedMapping):
            for _, _, content in item.items():
                name = content.get("name") if isinstance(content, LocatedMapping) else None
                if isinstance(name, Scalar) and isinstance(name.value, str):
                    names.setdefault(name.value, index)
    return names
