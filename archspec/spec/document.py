"""A spec as a tree of located values, after `extends`, `import`, variant and overrides, before any section is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archspec.diagnostics import Findings, Label, Source, Span, did_you_mean, listed
from archspec.expressions import MISSING, Environment
from archspec.source import CHOICES, Located, Scalar, Sequence, describe, merged, read_file, read_text
from archspec.source import Mapping as LocatedMapping
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS
from archspec.spec.reading import FAILED, evaluate

MAX_FILES = 100

TYPE_WORDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
    "list": (list,),
}
"""Words that declare an argument as required, and the types they accept."""

STRUCTURE = ("repeat", "parallel", "residual")
"""Words in `layers:` that arrange layers; no block may take these names."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Override:
    """One `--set path=value`, or an argument given from Python. `origin` names it in messages."""

    path: tuple[str, ...]
    value: Located
    key: Scalar


@dataclass
class Argument:
    """A declared argument: the type it must have, and its default unless it is required."""

    name: str
    key: Scalar
    types: tuple[type, ...] | None
    default: Located | None


@dataclass
class Block:
    """A layer kind that a spec defines. `document` is the library it comes from, None for the spec's own."""

    name: str
    key: Scalar
    arguments: dict[str, Argument]
    layers: Located | None
    document: Document | None = None


@dataclass
class Document:
    """One file with what it extends merged in. `env` gives its arguments to `$(…)`.

    `written` is the root as it was before a variant or overrides changed it.
    """

    root: LocatedMapping
    path: Path | None
    written: LocatedMapping
    arguments: dict[str, Argument] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    env: Environment = field(default_factory=dict)
    variant: str | None = None

    @property
    def defaults(self) -> LocatedMapping | None:
        node = self.root.get("defaults")
        return node if isinstance(node, LocatedMapping) else None

    @property
    def variants(self) -> dict[str, Located]:
        node = self.root.get("variants")
        return {name: value for name, _, value in node.items()} if isinstance(node, LocatedMapping) else {}


def open_document(path: Path, findings: Findings, *, library: bool = False) -> Document | None:
    """Reads a file with everything it extends and imports; arguments are declared but not yet evaluated."""
    return _Opener(findings).open(path, (), library=library)


def is_file(path: Path) -> bool:
    """Whether there is such a file; a path that the system refuses is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_path(node: Located) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and "\0" not in node.value


class _Opener:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.files = 0
        self.libraries: dict[Path, Document | None] = {}

    def open(self, path: Path, chain: tuple[Path, ...], *, library: bool, span: Span | None = None) -> Document | None:
        imports: list[Scalar] = []
        root = self._root(path, chain, span, imports)
        if root is None:
            return None
        document = Document(root, path, root)
        chain = (*chain, path.resolve())
        self._check_sections(root)
        for item in imports:
            other = self._library(item, chain)
            for block in other.blocks.values() if other else ():
                self._add_block(document, block, item)
        document.arguments = declared(root.get("args"), "args", self.findings)
        self._blocks(document)
        if library:
            for block in document.blocks.values():
                block.document = block.document or document
            bind_arguments(document, {}, self.findings, lenient=True)
        return document

    def _root(
        self, path: Path, chain: tuple[Path, ...], span: Span | None, imports: list[Scalar]
    ) -> LocatedMapping | None:
        """The file's mapping, laid over the one that it extends; what both import is added to `imports`."""
        if path.resolve() in chain:
            names = " → ".join(item.name for item in (*chain, path))
            self.findings.error("E111", f"files refer to each other in a circle: {names}", span)
            return None
        self.files += 1
        if self.files > MAX_FILES:
            self.findings.error("E111", f"more than {MAX_FILES} files are involved", span)
            return None
        if span is not None and not is_file(path):
            self.findings.error(
                "E101", f"there is no file {path}", span, help=["paths are relative to the file that names them"]
            )
            return None
        root = read_file(path, self.findings)
        if root is None:
            return None
        imports.extend(self._imports(root))
        base_node = root.get("extends")
        if base_node is None:
            return root
        if not _is_path(base_node):
            self.findings.error("E112", "`extends` is the path of one file", base_node.span)
            return None
        assert isinstance(base_node, Scalar)
        base = self._root(path.parent / base_node.value, (*chain, path.resolve()), base_node.span, imports)
        if base is None:
            return None
        found = merged(base.without("extends"), root)
        assert isinstance(found, LocatedMapping)
        return found

    def _check_sections(self, root: LocatedMapping) -> None:
        for name, key, value in root.items():
            if name not in SECTIONS:
                hint = did_you_mean(name, SECTIONS)
                self.findings.error(
                    "E201",
                    f"a spec has no section `{name[:60]}`",
                    key.span,
                    help=[hint or f"sections: {listed(SECTIONS, 30)}"],
                )
            elif name in _MAPPINGS and not isinstance(value, LocatedMapping):
                self.findings.error("E206", f"`{name}` is a mapping, not {value.described}", value.span)

    def _imports(self, root: LocatedMapping) -> Iterable[Scalar]:
        node = root.get("import")
        if node is None:
            return
        for item in node.items if isinstance(node, Sequence) else [node]:
            if isinstance(item, Scalar) and _is_path(item):
                yield item
            else:
                self.findings.error("E112", "`import` is a list of file paths", item.span)

    def _library(self, item: Scalar, chain: tuple[Path, ...]) -> Document | None:
        path = item.source.folder / item.value
        key = path.resolve()
        if key not in self.libraries or key in chain:
            self.libraries[key] = self.open(path, chain, library=True, span=item.span)
        return self.libraries[key]

    def _add_block(self, document: Document, block: Block, item: Scalar) -> None:
        earlier = document.blocks.get(block.name)
        if earlier is not None and earlier is not block:
            self.findings.error(
                "E208",
                f"two imported files define the block `{block.name}`",
                item.span,
                secondary=[Label(earlier.key.span, "first here"), Label(block.key.span, "and here")],
                help=["rename one of them"],
            )
        document.blocks[block.name] = block

    def _blocks(self, document: Document) -> None:
        node = document.root.get("blocks")
        if not isinstance(node, LocatedMapping):
            return
        from archspec.kinds import builtin_kinds

        for name, key, value in node.items():
            if name in STRUCTURE or name in builtin_kinds("layers"):
                self.findings.error("E208", f"`{name}` is a built-in kind; a block needs another name", key.span)
                continue
            if not _NAME.match(name):
                self.findings.error("E208", f"`{name[:60]}` cannot name a block: letters, digits and _ can", key.span)
                continue
            if not isinstance(value, LocatedMapping):
                self.findings.error(
                    "E208", f"block `{name}` is a mapping with args and layers, not {value.described}", value.span
                )
                continue
            for field_name, field_key, _ in value.items():
                if field_name not in ("args", "layers"):
                    hint = did_you_mean(field_name, ("args", "layers"))
                    self.findings.error(
                        "E201",
                        f"block `{name}` has no field `{field_name[:60]}`",
                        field_key.span,
                        help=[hint or "fields: args and layers"],
                    )
            layers = value.get("layers")
            if layers is None:
                self.findings.error("E203", f"block `{name}` needs `layers`", key.span)
            arguments = declared(value.get("args"), f"block `{name}`", self.findings)
            document.blocks[name] = Block(name, key, arguments, layers)


_MAPPINGS = ("args", "variants", "defaults", "blocks", "input", "outputs", "train", "published")


def declared(node: Located | None, what: str, findings: Findings) -> dict[str, Argument]:
    """The arguments that an `args:` mapping declares."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    if not isinstance(node, LocatedMapping):
        if what != "args":
            findings.error("E206", f"`args` of {what} is a mapping, not {node.described}", node.span)
        return {}
    found = {}
    for name, key, value in node.items():
        if not _NAME.match(name) or name in ("name", "from", "when", "input", "true", "false", "null"):
            findings.error("E209", f"`{name[:60]}` cannot name an argument", key.span)
            continue
        if what == "args" and name in SECTIONS:
            findings.error("E209", f"`{name}` is a section and cannot name an argument", key.span)
            continue
        word = value.value if isinstance(value, Scalar) else None
        if isinstance(word, str) and word in TYPE_WORDS:
            found[name] = Argument(name, key, TYPE_WORDS[word], None)
        else:
            found[name] = Argument(name, key, None, value)
    return found


def bind_arguments(
    document: Document, given: Mapping[str, tuple[Scalar, Located]], findings: Findings, *, lenient: bool = False
) -> None:
    """Evaluates a document's arguments, in the order declared, and gives them to its expressions."""
    env: Environment = {}
    values: dict[str, Any] = {}
    bind(document.arguments, given, env, env, findings, "the spec", None, values, lenient=lenient)
    # What uses an argument without a value is passed over in silence: the reason is among the findings.
    document.env = {name: values.get(name, MISSING) for name in document.arguments}


def bind(
    arguments: Mapping[str, Argument],
    given: Mapping[str, tuple[Scalar, Located]],
    env: Environment,
    caller: Environment,
    findings: Findings,
    what: str,
    owner: Span | None,
    values: dict[str, Any],
    *,
    lenient: bool = False,
) -> bool:
    """Values of arguments: those given are evaluated in the caller's environment, defaults in the definition's own.

    They are put into `values`. False when some could not be had; the reasons are among the findings.
    """
    complete = True
    for name, (key, _) in given.items():
        if name not in arguments:
            hint = did_you_mean(name, arguments)
            known = f"arguments: {listed(arguments)}" if arguments else "it has no arguments"
            findings.error("E201", f"{what} has no argument `{name[:60]}`", key.span, help=[hint or known])
            complete = False
    for name, argument in arguments.items():
        scope = {**env, **values}
        default = FAILED
        if argument.default is not None:
            default = evaluate(argument.default, scope, findings)
        types = argument.types or _types_of(default)
        if name in given:
            node = given[name][1]
            value = evaluate(node, scope if caller is env else caller, findings)
            if value is not FAILED and types and not _is_of(value, types):
                findings.error(
                    "E206",
                    f"argument `{name}` of {what} must be {_type_words(types)}, not {describe(value)}",
                    node.span,
                    secondary=[Label(argument.key.span, "declared here")],
                )
                value = FAILED
        elif argument.default is None:
            if not lenient:
                findings.error(
                    "E203",
                    f"{what} needs the argument `{name}`",
                    owner or argument.key.span,
                    secondary=[Label(argument.key.span, "declared here")] if owner else [],
                    help=[f"choose a variant, or give --set args.{name}=…"] if owner is None else [],
                )
            value = FAILED
        else:
            value = default
        if value is FAILED:
            complete = False
        else:
            values[name] = value
    return complete


def _types_of(default: Any) -> tuple[type, ...] | None:
    if default is FAILED or default is None:
        return None
    if isinstance(default, float):
        return (float, int)
    return (type(default),)


def _is_of(value: Any, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, types)


def _type_words(types: tuple[type, ...]) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", list: "a list"}
    return words.get(types[0], types[0].__name__)


def with_variant(document: Document, variant: str | None, span: Span | None, findings: Findings) -> Document | None:
    """The document with a variant's sections laid over it. The variant's arguments are bound later."""
    if variant is None:
        return document
    if variant not in document.variants:
        hint = did_you_mean(variant, document.variants)
        known = f"variants: {listed(document.variants)}" if document.variants else "the spec has no variants"
        findings.error("E212", f"there is no variant `{variant[:60]}`", span, help=[hint or known])
        return None
    node = document.variants[variant]
    if not isinstance(node, LocatedMapping):
        if not (isinstance(node, Scalar) and node.value is None):
            findings.error("E206", f"variant `{variant}` is a mapping, not {node.described}", node.span)
            return None
        return _replaced(document, document.root, variant)
    entries = {name: (key, value) for name, key, value in node.items() if name in VARIANT_SECTIONS}
    over = LocatedMapping(node.source, node.place, entries)
    over.dynamic = node.dynamic
    root = merged(document.root, over)
    assert isinstance(root, LocatedMapping)
    return _replaced(document, root, variant)


def _replaced(document: Document, root: LocatedMapping, variant: str | None) -> Document:
    return replace(document, root=root, variant=variant)


def variant_arguments(document: Document) -> dict[str, tuple[Scalar, Located]]:
    """What the chosen variant sets: its entries that are not sections."""
    node = document.variants.get(document.variant or "")
    if not isinstance(node, LocatedMapping):
        return {}
    return {name: (key, value) for name, key, value in node.items() if name not in VARIANT_SECTIONS}


def default_variant(document: Document) -> str | None:
    """The variant that changes nothing, which is what the file describes without one."""
    for name, node in document.variants.items():
        empty = (isinstance(node, LocatedMapping) and not node.entries) or (
            isinstance(node, Scalar) and node.value is None
        )
        if empty:
            return name
    return None


def parse_override(text: str, findings: Findings, option: str = "--set") -> Override | None:
    """`train.epochs=2` as a path and a YAML value."""
    name = f"{option} {text}"
    source = Source(name, text)
    path, equals, value_text = text.partition("=")
    key = Scalar(source, (1, 1, 1, max(2, len(path) + 1)), path)
    if not equals or not all(part.strip() for part in path.split(".")):
        findings.error("E113", f"{option} takes path=value, not {describe(text)}", help=["--set train.epochs=2"])
        return None
    value = read_text(value_text, name, findings) if value_text.strip() else Scalar(source, (1, 1, 1, 1), None)
    return Override(tuple(part.strip() for part in path.split(".")), value, key) if value else None


def python_override(path: tuple[str, ...], value: Any) -> Override:
    """An override from Python: the value is taken as it is."""
    name = f"{'.'.join(path)}={value!r}"
    source = Source(name[:200], name[:200])
    return Override(path, locate(value, source), Scalar(source, (1, 1, 1, 2), path[-1]))


def locate(value: Any, source: Source, place: tuple[int, int, int, int] = (1, 1, 1, 2)) -> Located:
    """A plain Python value as if it stood at a place in a source."""
    if isinstance(value, (list, tuple)):
        return Sequence(source, place, [locate(item, source, place) for item in value])
    if isinstance(value, dict):
        entries = {str(k): (Scalar(source, place, str(k)), locate(v, source, place)) for k, v in value.items()}
        return LocatedMapping(source, place, entries)
    return Scalar(source, place, value)


def apply_override(document: Document, override: Override, findings: Findings) -> Document:
    """The document with one value replaced. A first word that is an argument's name means that argument."""
    path = override.path
    if path[0] not in SECTIONS and path[0] in document.arguments:
        path = ("args", *path)
    if path[0] not in SECTIONS:
        known = [*SECTIONS, *document.arguments]
        findings.error(
            "E201",
            f"there is no section or argument `{path[0][:60]}` to set",
            override.key.span,
            help=[did_you_mean(path[0], known) or f"sections: {listed(SECTIONS, 30)}"],
        )
        return document
    if path[0] in ("import", "extends", "blocks", "variants"):
        findings.error("E113", f"`{path[0]}` cannot be set from outside the file", override.key.span)
        return document
    root = _set(document.root, path, override, findings)
    if root is None:
        return document
    assert isinstance(root, LocatedMapping)
    return _replaced(document, root, document.variant)


def _set(
    node: Located | None, path: tuple[str, ...], override: Override, findings: Findings, parent: str = ""
) -> Located | None:
    """The tree with the value at this path replaced; None with the reason when the path leads nowhere."""
    if not path:
        return override.value
    head, rest = path[0], path[1:]
    source, place = override.value.source, override.value.place
    if isinstance(node, Sequence):
        index = _index(node, head)
        if index is None:
            findings.error(
                "E113",
                f"`{head[:60]}` is not in the list that --set points into",
                override.key.span,
                help=[f"the list has {len(node.items)} items, counted from 0; layers can be given by name"],
            )
            return None
        value = _set(node.items[index], rest, override, findings, head)
        if value is None:
            return None
        items = [*node.items[:index], value, *node.items[index + 1 :]]
        result = Sequence(node.source, node.place, items)
        result.dynamic = node.dynamic or value.dynamic
        return result
    entries = dict(node.entries) if isinstance(node, LocatedMapping) else {}
    if parent in CHOICES and head not in entries:
        entries = {}  # another kind takes the place of the one that was chosen
    elif isinstance(node, LocatedMapping) and head not in entries and len(entries) == 1:
        # An entry of a list of layers: the kind stands between the entry and its fields.
        only, (_, content) = next(iter(entries.items()))
        if isinstance(content, LocatedMapping) and content.get("name") is not None:
            head, rest = only, path
    value = _set(entries[head][1] if head in entries else None, rest, override, findings, head)
    if value is None:
        return None
    entries[head] = (entries[head][0] if head in entries else Scalar(source, override.key.place, head), value)
    base = node if isinstance(node, LocatedMapping) else None
    mapping = LocatedMapping(base.source if base else source, base.place if base else place, entries)
    mapping.dynamic = value.dynamic or bool(base and base.dynamic)
    return mapping


def _index(node: Sequence, head: str) -> int | None:
    if head.isascii() and head.isdigit() and len(head) < 9:
        return int(head) if int(head) < len(node.items) else None
    for index, item in enumerate(node.items):
        if isinstance(item, LocatedMapping):
            for _, _, content in item.items():
                name = content.get("name") if isinstance(content, LocatedMapping) else None
                if isinstance(name, Scalar) and name.value == head:
                    return index
    return None
