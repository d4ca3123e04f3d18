"""Renaming: edits of every place where a name stands, held to what the networks were before.

Its places are found as for references, with the networks of every variant elaborated. Then all files are read once more
with the edits laid over them: the same findings, and the same networks node for node but for the name, or
nothing is renamed and the reason is given.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import Edit, Findings, SpecError, count, listed
from archspec.editing.analysis import Analysis
from archspec.editing.index import Index
from archspec.editing.naming import Names, add_users
from archspec.editing.symbols import Place, Scope, Symbol
from archspec.editing.workspace import Workspace
from archspec.elaborate.trace import Trace
from archspec.expressions import FUNCTIONS
from archspec.graph import Graph
from archspec.kinds import STRUCTURE, builtin_kinds
from archspec.loading import networks_of, spec_of
from archspec.located import Mapping
from archspec.mending import applied, is_packaged
from archspec.patterns import compiled
from archspec.positions import Position, covers
from archspec.source import Files, Texts, laid, resolve_plain
from archspec.spec.arguments import NOT_ARGUMENTS
from archspec.spec.document import open_document
from archspec.spec.files import is_library
from archspec.spec.network import SECTIONS

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LAYER = re.compile(r"[A-Za-z0-9_]+\Z")
_VARIANT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")
_ANCHOR = re.compile(r"[A-Za-z0-9_-]+\Z")

_ARTICLED = {
    "layer": "a layer",
    "block": "a block",
    "argument": "an argument",
    "variable": "a variable",
    "input": "an input",
    "output": "an output",
    "variant": "a variant",
    "anchor": "an anchor",
}


class CannotRename(Exception):  # noqa: N818 (the reason is for people)
    """Why a name stays as it is."""


class Renaming(NamedTuple):
    """Edits by file, and what is to be known of what follows from them."""

    edits: dict[Path, list[Edit]]
    notes: tuple[str, ...] = ()


class Network(NamedTuple):
    """One network as it is before or after: its graph, None where there are errors, and how often it has each code."""

    graph: Graph | None
    codes: Counter[str]
    rules: tuple[tuple[str, str], ...]
    """Patterns of paths with what they are replaced by, of its weights and of its training."""
    sets: tuple[str, ...]
    """Names of sets of weights of the wider world, whose tensors are found by paths."""


def renamable(workspace: Workspace, analysis: Analysis, position: Position) -> tuple[Place, str]:
    """The place and the name that a rename at a position is of. Raises `CannotRename`."""
    names = Names.of(workspace, analysis)
    symbol = _symbol(names, position)
    here = [place for place in names.places([symbol]) if place.path == names.path and covers(place.span, position)]
    if not here:
        raise CannotRename("the line has been changed, and what it says cannot be read yet")
    if symbol.fixed and not symbol.definitions[0].span == here[0].span:
        raise CannotRename(f"`{symbol.name}` cannot be renamed: {symbol.fixed[0]}")
    return here[0], symbol.name


def _symbol(names: Names, position: Position) -> Symbol:
    symbols = names.at(position)
    if not symbols:
        raise CannotRename("there is no name here that can be changed")
    if len(symbols) > 1:
        where = listed(f"line {symbol.definitions[0].span.line}" for symbol in symbols if symbol.definitions)
        raise CannotRename(f"`{symbols[0].name}` names several things here, given in {where}: rename one of those")
    return symbols[0].root


def rename(
    workspace: Workspace,
    analysis: Analysis,
    position: Position,
    new: str,
    folders: Iterable[Path] = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> Renaming:
    """The edits that give what is named at a place another name. Raises `CannotRename`, and `Cancelled`.

    `folders` are looked through for files that use those of the text.
    """
    if analysis.now is not analysis.parsed:
        raise CannotRename("the text is not YAML at the moment, so what its names stand for cannot be told")
    names = Names(workspace, analysis)
    if names.older:
        raise CannotRename(f"{listed(path.name for path in names.older)}, which is open too, is not YAML at the moment")
    if names.index is None:
        raise CannotRename("the text cannot be read")
    _symbol(names, position)
    add_users(names, folders)
    for index in list(names.family.indexes.values()):
        if _concerns(names, index):
            names.family.trace(index, cancelled)
    symbol = _symbol(names, position)
    _check(names, symbol, new)
    places = names.places([symbol])
    edits: dict[Path, list[Edit]] = {}
    for place in places:
        edits.setdefault(place.path, []).append(Edit(place.span, new))
    texts = {path: applied(names.family.indexes[path].text, changes) for path, changes in edits.items()}
    notes = _hold(names, symbol, new, texts, cancelled)
    return Renaming(edits, tuple(notes))


def _concerns(names: Names, index: Index) -> bool:
    """Whether a file is the user's, or the one that is edited: files of the zoo that it leads to stay as they are."""
    return index.path == names.path or is_packaged(index.path) is None or is_packaged(names.path) is not None


# What may be a name.


def _check(names: Names, symbol: Symbol, new: str) -> None:
    """Raises `CannotRename` where a name cannot be changed, or cannot be the new one."""
    if symbol.fixed:
        raise CannotRename(f"`{symbol.name}` cannot be renamed: {symbol.fixed[0]}")
    if not symbol.definitions:
        raise CannotRename(f"`{symbol.name}` is not given in a file that is known")
    if symbol.kind == "output":
        raise CannotRename(f"the output `{symbol.name}` is what runs and their records call it: change it by hand")
    foreign = {place.path for place in symbol.places if is_packaged(place.path)}
    if foreign and not is_packaged(names.path):
        raise CannotRename(f"`{symbol.name}` is given in {listed(path.name for path in sorted(foreign))} of the zoo")
    if new == symbol.name:
        raise CannotRename(f"it is called `{new}`")
    several = [symbols for key, symbols in names.family.shared.items() if any(s.root is symbol for s in symbols)]
    for symbols in several:
        if len({id(other.root) for other in symbols}) > 1:
            raise CannotRename(f"`{symbol.name}` is one of {count(len(symbols), 'thing')} that a pattern names at once")
    _check_word(symbol, new)
    for index in names.family.indexes.values():
        for scope in _spaces(index, symbol):
            if new in scope and scope[new].root is not symbol:
                raise CannotRename(f"there is {_ARTICLED[symbol.kind]} `{new}` already")


def _check_word(symbol: Symbol, new: str) -> None:
    forms = {"layer": _LAYER, "variant": _VARIANT, "anchor": _ANCHOR}
    what = _ARTICLED[symbol.kind]
    if not forms.get(symbol.kind, _WORD).match(new) or len(new) > 100:
        raise CannotRename(f"`{new[:60]}` cannot name {what}: letters, digits and _ can")
    taken = {
        "layer": ("input", "previous"),
        "input": ("input", "previous", *FUNCTIONS),
        "block": (*STRUCTURE, *builtin_kinds("layers")),
        "argument": (*NOT_ARGUMENTS, *FUNCTIONS, *(SECTIONS if symbol.kind == "argument" else ())),
        "variable": (*NOT_ARGUMENTS, *FUNCTIONS),
        "variant": ("extends",),
    }.get(symbol.kind, ())
    words = ("if", "else", "and", "or", "not", "in", "is", "for", "lambda", "None", "True", "False")
    if new in taken or (symbol.kind in ("argument", "variable", "input") and new in words):
        raise CannotRename(f"`{new}` means something else, and cannot name {what}")
    try:
        plain = resolve_plain(new)
    except ValueError:
        plain = None
    if not isinstance(plain, str):
        raise CannotRename(f"`{new}` is a value in YAML, and cannot name {what} without quotes")


def _spaces(index: Index, symbol: Symbol) -> list[dict[str, Symbol]]:
    """The sets of names of a file that a name is in: no other of one may be called the same."""
    blocks = {name: block.symbol for name, block in index.blocks.items()}
    spaces: list[dict[str, Symbol]] = [index.arguments, blocks, index.variants, index.inputs, index.outputs]
    for block in index.blocks.values():
        spaces += [{**block.arguments, **block.inputs}]
    waiting = [*index.tops.values(), *(block.scope for block in index.blocks.values())]
    seen: set[int] = set()
    while waiting:
        scope = waiting.pop()
        if id(scope) in seen:
            continue
        seen.add(id(scope))
        spaces.append({**(scope.inputs or {}), **scope.names})
        waiting += [inner for inner in (*scope.inside.values(), scope.rounds) if isinstance(inner, Scope)]
    anchors = {other.name: other for other in index.others if other.kind == "anchor"}
    return [space for space in [*spaces, anchors] if any(other.root is symbol for other in space.values())]


# What comes of it.


def _hold(names: Names, symbol: Symbol, new: str, texts: dict[Path, str], cancelled: Callable[[], bool]) -> list[str]:
    """Reads all again with the edits. Raises `CannotRename` where it is not the same but for the name."""
    notes: list[str] = []
    after = Texts(texts, names.files)
    concerned = [index for index in names.family.indexes.values() if _uses(names, index, set(texts))]
    for index in concerned:
        before_networks = _networks(index.path, names.files, cancelled)
        after_networks = _networks(index.path, after, cancelled)
        if len(before_networks) != len(after_networks):
            raise CannotRename(f"{index.path.name} would have other networks")
        for (name, old), (_, made) in zip(before_networks, after_networks, strict=True):
            where = f"{index.path.name}{f'#{name}' if name else ''}"
            more = made.codes - old.codes
            if more:
                raise CannotRename(f"{where} would have errors or warnings that it has not ({listed(sorted(more))})")
            if old.graph is not None and made.graph is not None:
                notes += _compare(old, made, symbol, new, where)
    return list(dict.fromkeys(notes))[:8]


def _uses(names: Names, index: Index, paths: set[Path]) -> bool:
    """Whether a file is among those that are edited, or leads to one."""
    if not _concerns(names, index):
        return False
    seen: set[Path] = set()
    waiting = [index]
    while waiting:
        at = waiting.pop()
        if at.path in paths:
            return True
        if at.path not in seen:
            seen.add(at.path)
            waiting += [*at.imports, *at.below(None)]
    return False


def _networks(path: Path, files: Files, cancelled: Callable[[], bool]) -> list[tuple[str | None, Network]]:
    """The networks of all variants of a file; of one with blocks alone how it reads."""
    found: list[tuple[str | None, Network]] = []
    with laid(files):
        findings = Findings()
        text = files.bytes_of(path).decode() if files.holds(path) else path.read_text("utf-8")
        library = is_library(text)
        document = open_document(path, findings, library=library)
        if document is None or library:
            return [(None, Network(None, Counter(item.code for item in findings.items), (), ()))]
        for variant in networks_of(document):
            try:
                spec = spec_of(document, variant, (), findings)
            except SpecError as error:
                found.append((variant, Network(None, Counter(item.code for item in error.diagnostics), (), ())))
                continue
            spec.traced(Trace(cancelled))
            codes = Counter(item.code for item in spec.diagnostics)
            try:
                graph = spec.graph()
            except SpecError:
                graph = None
            rules = [rule for one in spec.weights.values() for rule in one.names.items()]
            rules += [(pattern, "") for pattern in _patterns(spec.document.root)]
            found.append((variant, Network(graph, codes, tuple(rules), tuple(spec.weights))))
    return found


def _patterns(root: Mapping) -> list[str]:
    """The patterns of paths in `train`."""
    train = root.get("train")
    if not isinstance(train, Mapping):
        return []
    found: list[str] = []
    begin = train.get("init_from")
    for node in (
        *(begin.get(word) for word in ("exclude", "freeze") if isinstance(begin, Mapping)),
        train.get("freeze"),
    ):
        plain = node.plain if node is not None else None
        found += [item for item in (plain if isinstance(plain, list) else [plain]) if isinstance(item, str)]
    for node in (train.get("rates"), train.get("decays")):
        found += list(node.entries) if isinstance(node, Mapping) else []
    return found


def _compare(old: Network, made: Network, symbol: Symbol, new: str, where: str) -> list[str]:
    """Holds a network to what it was, node for node. What a user should know of it is returned."""
    before, after = old.graph, made.graph
    assert before is not None and after is not None
    if len(before.nodes) != len(after.nodes):
        raise CannotRename(f"{where} would have {count(len(after.nodes), 'layer')} instead of {len(before.nodes)}")
    paths: dict[str, str] = {}
    for one, other in zip(before.nodes, after.nodes, strict=True):
        referred = one.layer.referred() if one.layer.references else {}
        mine, theirs = (
            {name: value for name, value in layer.model_dump().items() if name not in referred}
            for layer in (one.layer, other.layer)
        )
        same = (one.kind, one.inputs, one.input_types, one.output, one.receptive_field, mine) == (
            (other.kind, other.inputs, other.input_types, other.output, other.receptive_field, theirs)
        )
        if not same or not _is_renamed(one.path, other.path, symbol, new):
            raise CannotRename(f"{one.path} of {where} would be another layer, {other.path}")
        paths[one.path] = other.path
    if any(paths.get(one.shares or "", "") != (other.shares or "") for one, other in _pairs(before, after)):
        raise CannotRename(f"layers of {where} would use the arrays of others")
    ends = [[(output.node, output.weight, output.train_only) for output in graph.outputs] for graph in (before, after)]
    if ends[0] != ends[1]:
        raise CannotRename(f"{where} would have other outputs")
    for rule, changed in zip(old.rules, made.rules, strict=False):
        for path, now in paths.items():
            if bool(_matches(rule[0], path)) != bool(_matches(changed[0], now)):
                raise CannotRename(f"the pattern `{rule[0]}` of {where} would no longer name the same layers")
    return _notes(old, made, paths, symbol, where)


def _pairs(before: Graph, after: Graph) -> zip[tuple]:  # type: ignore[type-arg]
    return zip(before.nodes, after.nodes, strict=True)


def _matches(pattern: str, path: str) -> bool:
    """Whether a pattern names a path, or a scope that it lies in, or an array of it."""
    pattern = pattern.partition("[")[0]
    parts = path.split(".")
    heads = [".".join(parts[:number]) for number in range(1, len(parts) + 1)]
    return any(compiled(pattern).fullmatch(head) for head in heads)


def _is_renamed(old: str, new: str, symbol: Symbol, name: str) -> bool:
    """Whether a path is the same but for the name; automatic names of a block's calls follow the block's."""
    mine, theirs = old.split("."), new.split(".")
    if len(mine) != len(theirs):
        return False
    for part, other in zip(mine, theirs, strict=True):
        if part == other:
            continue
        if symbol.kind == "layer" and (part, other) == (symbol.name, name):
            continue
        called = (
            re.fullmatch(rf"{re.escape(symbol.name)}_?(\d+)", part),
            re.fullmatch(rf"{re.escape(name)}_?(\d+)", other),
        )
        if symbol.kind == "block" and called[0] and called[1]:
            continue
        return False
    return True


def _notes(old: Network, made: Network, paths: dict[str, str], symbol: Symbol, where: str) -> list[str]:
    """What follows outside of the files: checkpoints and weights have the paths of before."""
    changed = {path: now for path, now in paths.items() if path != now}
    assert old.graph is not None
    arrays = [path for path in changed if next(node for node in old.graph.nodes if node.path == path).arrays]
    if not arrays:
        return []
    notes = [f"checkpoints of {where} have {arrays[0]}{' and others' if len(arrays) > 1 else ''} under the old name"]
    rules = [rule for rule in old.rules if rule[1]]
    bare = [path for path in arrays if not any(_matches(rule[0], path) for rule in rules)]
    if old.sets and bare:
        notes.append(
            f"the tensors of {listed(f'`{name}`' for name in old.sets)} of {where} are found by paths: `names` needs "
            f"`{changed[bare[0]]}: {bare[0]}`"
        )
    return notes
