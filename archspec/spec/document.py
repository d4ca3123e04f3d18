"""A spec as a tree of located values, after `extends`, `import` and variant, before any section is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_ISCHR, S_ISFIFO, S_ISREG, S_ISSOCK
from typing import Any

from archspec.diagnostics import Findings, Label, Span, did_you_mean, listed
from archspec.expressions import MISSING, Environment
from archspec.fields import at_home
from archspec.kinds import STRUCTURE
from archspec.located import Located, Scalar, Sequence, is_null, merged
from archspec.located import Mapping as LocatedMapping
from archspec.source import read_file
from archspec.spec.arguments import NAME, Argument, bind, declared
from archspec.spec.hints import field_hint, is_shape, shape_hint
from archspec.spec.network import SECTIONS, VARIANT_SECTIONS

MAX_FILES = 100

INPUTS = "for example `inputs: {left: {height: 28, width: 28, channels: 1}, number: {features: 10}}`"

JOINS = ("concat", "add", "multiply", "maximum", "average")
"""Kinds that may join the branches of `parallel`."""
SPLIT_AXES = ("channels", "rows", "columns", "length")
"""What `split` divides: the axes of `slice`."""

SEPARABLE = {
    "depthwise": ("depthwise_conv", ("kernel", "stride", "pad", "rounding", "dilation", "multiplier", "init")),
    "pointwise": ("conv", ("filters", "bias", "init", "bias_init")),
}
"""The layers of a separable convolution by their names: their kinds, and which of its fields they take."""


@dataclass
class Block:
    """A layer kind that a spec defines. `document` is the library it comes from, None for the spec's own."""

    name: str
    key: Scalar
    arguments: dict[str, Argument]
    layers: Located | None
    document: Document | None = None
    inputs: tuple[str, ...] = ()
    """The names of its inputs, in order; none where it takes whatever it is given."""


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


def is_readable(path: Path) -> bool:
    """Whether a spec can be read there: a file, a pipe, or a descriptor such as /dev/stdin."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return S_ISREG(mode) or S_ISFIFO(mode) or S_ISCHR(mode) or S_ISSOCK(mode)


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a path that the system refuses is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_path(node: Located) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and "\0" not in node.value


class _Opener:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.files = 0
        self.libraries: dict[tuple[Path, str], Document | None] = {}
        """Imported files, by path and the arguments given."""

    def open(
        self,
        path: Path,
        chain: tuple[Path, ...],
        *,
        library: bool,
        span: Span | None = None,
        given: Mapping[str, tuple[Scalar, Located]] | None = None,
    ) -> Document | None:
        """The document of a file; `given` are arguments of a library."""
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
            bind_arguments(document, given or {}, self.findings, lenient=True)
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
            self.findings.files.setdefault(path, None)
            what = f"{path} is a folder, not a file" if is_folder(path) else f"there is no file {path}"
            self.findings.error("E101", what, span, help=["paths are relative to the file that names them"])
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
        base_path, variant, query = self._base(base_node.source.folder, base_node)
        if base_path is None:
            return None
        base = self._root(base_path, (*chain, path.resolve()), base_node.span, imports)
        if base is not None and variant:
            base = self._of_variant(base, variant, base_node.span)
        if base is not None and query:
            base = self._with_arguments(base, query, base_node)
        if base is None:
            return None
        return laid_over(base.without("extends"), root)

    def _base(self, folder: Path, node: Scalar) -> tuple[Path | None, str | None, int]:
        """What `extends` names: the file, a path or a name of the zoo; its variant; and where in the text arguments
        begin, 0 where there are none. No file where there is neither."""
        file, _, variant = node.value.partition("#")
        path = folder / at_home(file)
        if is_file(path) and "?" not in variant:
            return path, variant, 0
        text, mark, _ = node.value.partition("?")
        query = len(text) + 1 if mark else 0
        file, _, variant = text.partition("#")
        path = folder / at_home(file)
        if is_file(path):
            return path, variant, query
        from archspec.zoo import in_zoo, similar

        home = in_zoo(file)
        if home is not None:
            return home[0], variant or home[1], query
        self.findings.files.setdefault(path, None)
        if "." not in file and not is_folder(path):
            what = f"there is no file, and no network in the zoo, called {file[:200]}"
            help = ["paths are relative to the file that names them", similar(file)]
            self.findings.error("E101", what, node.span, help=help)
            return None, None, 0
        if file.endswith(".yaml") and in_zoo(Path(file).stem):
            known = "#".join(part for part in (Path(file).stem, variant) if part)
            self.findings.error("E101", f"there is no file {path}", node.span, help=[f"the zoo's is called `{known}`"])
            return None, None, 0
        return path, variant, query

    def _of_variant(self, root: LocatedMapping, variant: str, span: Span) -> LocatedMapping | None:
        """A file's mapping as one of its variants has it: its sections laid over, its arguments the defaults.

        Other variants and the figures published for them are left behind.
        """
        chosen = with_variant(Document(root, None, root), variant, span, self.findings)
        if chosen is None:
            return None
        given = variant_arguments(chosen)
        root = chosen.root
        if not self._knows(root, given):
            return None
        over: dict[str, tuple[Scalar, Located]] = {}
        if "name" in root.entries:
            key, own = root.entries["name"]
            over["name"] = (key, Scalar(own.source, own.place, variant))
        return _arguments_laid(root, given, over).without("variants", "published")

    def _with_arguments(self, root: LocatedMapping, query: int, node: Scalar) -> LocatedMapping | None:
        """A file's mapping with the arguments that `extends` gives behind a `?` as the defaults.

        The figures published for other arguments are left behind.
        """
        given = self._given(node, query - 1)
        if given is None or not self._knows(root, given):
            return None
        return _arguments_laid(root, given, {}).without("published")

    def _knows(self, root: LocatedMapping, given: Mapping[str, tuple[Scalar, Located]]) -> bool:
        """Whether a file has all these arguments; those that it has not are reported."""
        args = root.get("args")
        known = args.entries if isinstance(args, LocatedMapping) else {}
        for name, (key, _) in given.items():
            if name not in known:
                hint = did_you_mean(name, known)
                self.findings.error(
                    "E201", f"the spec has no argument `{name[:60]}`", key.span, help=[hint] if hint else []
                )
                return False
        return True

    def _check_sections(self, root: LocatedMapping) -> None:
        for name, key, value in root.items():
            if name not in SECTIONS:
                hint = shape_hint(value.plain) if is_shape(name) else None
                hint = hint or field_hint(name, SECTIONS)
                self.findings.error(
                    "E201",
                    f"a spec has no section `{name[:60]}`",
                    key.span,
                    help=[hint or f"sections: {listed(SECTIONS, 30)}"],
                )
            elif name in MAPPINGS and not isinstance(value, LocatedMapping) and not is_null(value):
                text = value.value if isinstance(value, Scalar) else None
                spaced = re.match(r"([A-Za-z_]+):(\S+)", text) if isinstance(text, str) else None
                help = [f"a space belongs after the colon: `{spaced[1]}: {spaced[2][:40]}`"] if spaced else []
                hint = shape_hint(value.plain) if name == "input" else INPUTS if name == "inputs" else None
                listing = value.plain if name == "outputs" and isinstance(value, Sequence) else []
                if listing and all(isinstance(item, str) for item in listing):
                    hint = f"write `outputs: {{{', '.join(f'{item[:40]}: {item[:40]}' for item in listing[:4])}}}`"
                help = help or ([hint] if hint else [])
                self.findings.error("E206", f"`{name}` is a mapping, not {value.described}", value.span, help=help)

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
        path = item.source.folder / at_home(item.value)
        file, mark, query = item.value.partition("?")
        given: dict[str, tuple[Scalar, Located]] = {}
        if mark and not is_file(path):
            read = self._given(item, len(file))
            if read is None:
                return None
            path, given = item.source.folder / at_home(file), read
        key = (path.resolve(), query if given else "")
        if key not in self.libraries or key[0] in chain:
            self.libraries[key] = self.open(path, chain, library=True, span=item.span, given=given)
        return self.libraries[key]

    def _given(self, node: Scalar, mark: int) -> dict[str, tuple[Scalar, Located]] | None:
        """The arguments that stand behind the `?` of a path; None with the reasons reported."""
        from archspec.spec.overrides import parse_arguments

        overrides = parse_arguments(node.value, mark, self.findings, node)
        return None if overrides is None else {item.path[-1]: (item.keys[-1], item.value) for item in overrides}

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
            if not NAME.match(name):
                self.findings.error("E208", f"`{name[:60]}` cannot name a block: letters, digits and _ can", key.span)
                continue
            if not isinstance(value, LocatedMapping):
                self.findings.error(
                    "E208", f"block `{name}` is a mapping with args and layers, not {value.described}", value.span
                )
                continue
            for field_name, field_key, _ in value.items():
                if field_name not in ("args", "inputs", "layers"):
                    hint = did_you_mean(field_name, ("args", "inputs", "layers"))
                    self.findings.error(
                        "E201",
                        f"block `{name}` has no field `{field_name[:60]}`",
                        field_key.span,
                        help=[hint or "fields: args, inputs and layers"],
                    )
            layers = value.get("layers")
            if layers is None:
                self.findings.error("E203", f"block `{name}` needs `layers`", key.span)
            arguments = declared(value.get("args"), f"block `{name}`", self.findings)
            inputs = self._block_inputs(name, value.get("inputs"), arguments)
            document.blocks[name] = Block(name, key, arguments, layers, inputs=inputs)

    def _block_inputs(self, block: str, node: Located | None, arguments: Mapping[str, Argument]) -> tuple[str, ...]:
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
                self.findings.error("E208", f"{item.described} {reason}", item.span, help=["letters, digits and _ can"])
            elif name in names or name in arguments:
                also = "input" if name in names else "argument"
                words = f"block `{block}` has another {also} `{name}`"
                self.findings.error("E208", words, item.span, help=["choose another name"])
            else:
                names.append(name)
        if not items:
            self.findings.error(
                "E208",
                f"`inputs` of block `{block}` is a list of names, not {node.described}",
                node.span,
                help=["for example `inputs: [x, skip]`"],
            )
        return tuple(names) if len(names) == len(items) else ()


def _arguments_laid(
    root: LocatedMapping, given: dict[str, tuple[Scalar, Located]], over: dict[str, tuple[Scalar, Located]]
) -> LocatedMapping:
    """A file's mapping with other defaults of its arguments, and what else is laid over it."""
    if given:
        key = root.entries["args"][0]
        over["args"] = (key, LocatedMapping(key.source, key.place, given))
    whole = merged(root, LocatedMapping(root.source, root.place, over))
    assert isinstance(whole, LocatedMapping)
    return whole


MAPPINGS = ("args", "variants", "defaults", "blocks", "input", "inputs", "outputs", "train", "published", "weights")


def bind_arguments(
    document: Document, given: Mapping[str, tuple[Scalar, Located]], findings: Findings, *, lenient: bool = False
) -> None:
    """Evaluates a document's arguments, in the order declared, and gives them to its expressions."""
    env: Environment = {}
    values: dict[str, Any] = {}
    bind(document.arguments, given, env, env, findings, "the spec", None, values, lenient=lenient)
    # What uses an argument without a value is passed over in silence: the reason is among the findings.
    document.env = {name: values.get(name, MISSING) for name in document.arguments}


def with_variant(document: Document, variant: str | None, span: Span | None, findings: Findings) -> Document | None:
    """The document with a variant's sections laid over it. The variant's arguments are bound later."""
    if variant is None:
        return document
    declared = document.root.get("variants")
    node = declared.get(variant) if isinstance(declared, LocatedMapping) else None
    if node is None:
        hint = did_you_mean(variant, document.variants)
        known = f"variants: {listed(document.variants)}" if document.variants else "the spec has no variants"
        findings.error("E212", f"there is no variant `{variant[:60]}`", span, help=[hint or known])
        return None
    if not isinstance(node, LocatedMapping):
        if not is_null(node):
            findings.error("E206", f"variant `{variant[:60]}` is a mapping, not {node.described}", node.span)
        return _replaced(document, document.root, variant)
    entries: dict[str, tuple[Scalar, Located]] = {}
    for name, key, value in node.items():
        if name in MAPPINGS and name in VARIANT_SECTIONS and not (isinstance(value, LocatedMapping) or is_null(value)):
            where = f"`{name}` of variant `{variant[:60]}`"
            findings.error("E206", f"{where} is a mapping, not {value.described}", value.span)
        elif name in VARIANT_SECTIONS:
            entries[name] = (key, value)
    over = LocatedMapping(node.source, node.place, entries)
    over.dynamic = node.dynamic
    return _replaced(document, laid_over(document.root, over), variant)


def laid_over(base: LocatedMapping, over: LocatedMapping) -> LocatedMapping:
    """The sections of one file or variant laid over those of another: of `input` and `inputs` the later one holds."""
    for mine, theirs in (("input", "inputs"), ("inputs", "input")):
        if mine in over.entries and theirs not in over.entries:
            base = base.without(theirs)
    root = merged(base, over)
    assert isinstance(root, LocatedMapping)
    return root


def _replaced(document: Document, root: LocatedMapping, variant: str | None) -> Document:
    return replace(document, root=root, variant=variant)


def variant_arguments(document: Document) -> dict[str, tuple[Scalar, Located]]:
    """What the chosen variant sets: its entries that are not sections."""
    declared = document.root.get("variants")
    node = declared.get(document.variant or "") if isinstance(declared, LocatedMapping) else None
    if not isinstance(node, LocatedMapping):
        return {}
    return {name: (key, value) for name, key, value in node.items() if name not in VARIANT_SECTIONS}


def default_variant(document: Document) -> str | None:
    """The variant that changes nothing, which is what the file describes without one."""
    for name, node in document.variants.items():
        empty = (isinstance(node, LocatedMapping) and not node.entries) or is_null(node)
        if empty:
            return name
    return None
