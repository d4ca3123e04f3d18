"""Kinds of the user's own, from a Python file or a class: layers, losses and so on that no package has.

A spec names kinds and cannot load any, since reading a spec must run no code: the user gives the file, with `--plugin`
or `archspec.plugin`.
"""

from __future__ import annotations

import ast
import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar, overload

from pydantic import BaseModel, ValidationError

from archspec.diagnostics import DataError, Diagnostic, Findings, Label, ShapeError, Source, Span, SpecError, listed
from archspec.fields import at_home
from archspec.kinds import FAMILIES, Kind, add_kind, family_of, find_kind, is_known, remove_kind, why_not
from archspec.layers import Cost, Kept, Weight, Window
from archspec.types import TensorType

K = TypeVar("K", bound=Kind)

MODULE = "archspec_plugin_"
"""How the names of the modules begin that plugins become."""

HOW = "docs/plugins.md has a layer of one's own from its first line to its last"


class Plugin(NamedTuple):
    """A file that was loaded, or the place of a class that was given. `kinds` are names by family."""

    file: str
    path: str | None
    sha256: str
    kinds: Mapping[str, Sequence[str]]

    def to_plain(self) -> dict[str, Any]:
        """As run.json has it."""
        kinds = {family: list(names) for family, names in self.kinds.items()}
        return {"file": self.file, "path": self.path, "sha256": self.sha256, "kinds": kinds}


_loaded: dict[str, Plugin] = {}
"""Plugins by the path of their file, or by the module and name of their class."""
_homes: dict[type[Kind], str] = {}
"""In which file a kind is, as messages say it."""


@overload
def plugin(source: str | Path) -> tuple[type[Kind], ...]: ...
@overload
def plugin(source: type[K]) -> type[K]: ...
def plugin(source: str | Path | type[K]) -> tuple[type[Kind], ...] | type[K]:
    """Makes kinds of one's own known: all of a Python file, which is run, or one class; as a decorator too.

    Kinds are the classes of the file that derive from `archspec.Layer` or another family's base class and whose names
    do not begin with `_`. Given again, a file that has changed, or a class of the same name, takes its own place.
    Returns the classes of a file, or the class. Raises `SpecError` with what is wrong in the file, and where.
    """
    findings = Findings()
    if isinstance(source, type):
        _add_class(source, findings)
        findings.raise_if_failed()
        return source
    return _add_file(Path(at_home(str(source))), findings)


def _add_class(kind: type[Kind], findings: Findings) -> None:
    key = f"{kind.__module__}.{kind.__qualname__}"
    family = _checked(kind, None, _loaded.get(key), findings)
    if findings.failed or family is None:
        return
    try:
        text = inspect.getsource(kind)
    except (OSError, TypeError):
        text = ""
    _homes[kind] = key
    _replace(key, Plugin(key, None, sha256(text.encode()).hexdigest(), {family: [kind.kind]}), [(family, kind)])


def _add_file(path: Path, findings: Findings) -> tuple[type[Kind], ...]:
    try:
        data = path.read_bytes()
        key = str(path.resolve())
    except (OSError, ValueError) as error:
        help = ["a plugin is a Python file, whose path is taken from the current folder"]
        findings.error("E228", f"{path} cannot be read: {getattr(error, 'strerror', None) or error}", help=help)
        raise SpecError(findings.items) from None
    digest = sha256(data).hexdigest()
    known = _loaded.get(key)
    if known is not None and known.sha256 == digest:
        found = [find_kind(family, name) for family, names in known.kinds.items() for name in names]
        return tuple(kind for kind in found if kind is not None)
    source = Source(str(path), data.decode("utf-8", "replace"))
    module = ModuleType(f"{MODULE}{path.stem}_{digest[:8]}")
    module.__file__ = str(path)
    # Fields' types are looked up by the module's name.
    sys.modules[module.__name__] = module
    try:
        kinds = _kinds_of(module, data, source, findings)
        lines = {} if findings.failed else _lines(source.text)
        added = []
        for kind in kinds:
            family = _checked(kind, _span(source, lines.get(kind.__name__, 1)), known, findings)
            if family is not None:
                added.append((family, kind))
        findings.raise_if_failed()
    except BaseException:
        del sys.modules[module.__name__]
        raise
    names: dict[str, list[str]] = {}
    for family, kind in added:
        names.setdefault(family, []).append(kind.kind)
        _homes[kind] = path.name
    _replace(key, Plugin(path.name, key, digest, names), added)
    return tuple(kinds)


def _replace(key: str, made: Plugin, added: Iterable[tuple[str, type[Kind]]]) -> None:
    before = _loaded.get(key)
    for family, names in before.kinds.items() if before else ():
        for name in names:
            remove_kind(family, name)
    for family, kind in added:
        add_kind(family, kind)
    _loaded[key] = made


def _kinds_of(module: ModuleType, data: bytes, source: Source, findings: Findings) -> list[type[Kind]]:
    """The kinds that a file defines; it is run. What is wrong is among the findings."""
    try:
        exec(compile(data, source.name, "exec", dont_inherit=True), module.__dict__)
    except SyntaxError as error:
        line = error.lineno if error.filename == source.name else _line_of(error, source)
        findings.error("E228", f"{source.name} is no Python: {error.msg}", _span(source, line or 1, error.offset))
        return []
    except (Exception, SystemExit) as error:
        span = _span(source, _line_of(error, source) or 1)
        findings.error("E228", f"{source.name} fails when it is run: {_words(error)}", span)
        return []
    own = [
        value
        for value in dict.fromkeys(map(_as_class, vars(module).values()))
        if value is not None and value.__module__ == module.__name__ and not value.__name__.startswith("_")
    ]
    kinds = [value for value in own if issubclass(value, Kind)]
    if not kinds:
        others = f": {listed(value.__name__ for value in own)} derives from no kind" if own else ""
        help = ["a layer derives from `archspec.Layer`", HOW]
        findings.error("E228", f"{source.name} defines no kind{others}", help=help)
    return kinds


def _as_class(value: Any) -> type | None:
    return value if isinstance(value, type) else None


def _words(error: BaseException) -> str:
    """An error's type, and the first line of what it says."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0][:300]}" if said else type(error).__name__


def _line_of(error: BaseException, source: Source) -> int | None:
    """The innermost line of the file that an error went through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source.name]
    return lines[-1] if lines else None


def _lines(text: str) -> dict[str, int]:
    """Where each class of a file begins."""
    return {node.name: node.lineno for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}


def _span(source: Source, line: int, column: int | None = None) -> Span:
    written = source.line(line)
    first = column or len(written) - len(written.lstrip()) + 1
    return Span(source, line, first, line, max(first + 1, len(written.rstrip()) + 1 if column is None else 0))


def _checked(kind: type[Kind], span: Span | None, before: Plugin | None, findings: Findings) -> str | None:
    """The family of a kind that can be added; None with the reasons among the findings."""

    def wrong(words: str, *help: str) -> None:
        findings.error("E228", f"{kind.__name__}: {words}", span, help=[*help, HOW])

    if not issubclass(kind, Kind):
        wrong("a class that derives from no kind", "a layer derives from `archspec.Layer`")
        return None
    family = family_of(kind)
    if family is None:
        wrong(f"it is of no family; there are {listed(FAMILIES)}")
        return None
    reason = why_not(family, kind)
    if reason is not None:
        wrong(reason, "give the class another name: `MyConv` is `my_conv`")
        return None
    taken = find_kind(family, kind.kind)
    if taken is not None and kind.kind not in (before.kinds.get(family, ()) if before else ()):
        wrong(f"{_homes.get(taken, 'another plugin')} has a kind `{kind.kind}` too")
        return None
    if "__init__" in vars(kind):
        wrong("fields stand in the class with their types, not in an `__init__`", "for example `width: int = 4`")
    for name, method in _unwritten(kind):
        words = (method.__doc__ or "").strip().partition("\n")[0]
        wrong(f"it has no `{name}`", *([f"`{name}`: {words[:1].lower()}{words[1:]}"] if words else []))
    try:
        kind.model_rebuild()
    except Exception as error:  # pydantic's own, and whatever a field's type raises
        wrong(f"its fields cannot be read: {_words(error)}")
        return None
    for number, example in enumerate(getattr(kind, "examples", ()), 1):
        words = _wrong_example(kind, example)
        if words is not None:
            wrong(f"example {number} is wrong: {words}")
    return family


def _unwritten(kind: type[Kind]) -> Iterator[tuple[str, Any]]:
    """The methods that a base class of this package leaves to be written, and that still are not."""
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        method = member.fget if isinstance(member, property) else member
        code = getattr(method, "__code__", None)
        if code is not None and code.co_names == ("NotImplementedError",):
            yield name, method


def _wrong_example(kind: type[Kind], example: Any) -> str | None:
    """What is wrong with an example of a layer: its fields, or a shape that does not come out."""
    try:
        given = {} if example.fields is None else example.fields
        if not isinstance(given, dict):
            if kind.main is None:
                return f"it is {given!r}, but the kind has no main field"
            given = {kind.main: given}
        layer: Any = kind.model_validate(given)
        types = [item if isinstance(item, TensorType) else TensorType(tuple(item)) for item in example.inputs]
        checked_type(layer, tuple(types))
    except ValidationError as error:
        from archspec.refused import in_words

        return in_words(error, kind)
    except ShapeError as error:
        return error.message
    except Exception as error:  # the kind's own code
        return _words(error)
    return None


def checked_type(layer: Any, inputs: tuple[TensorType, ...]) -> TensorType:
    """The output of a layer that is not this package's own, all of whose other rules have been asked too.

    Raises `ShapeError` where the inputs do not fit, TypeError where a rule gives something of another type, and
    whatever the layer's code raises.
    """
    output: TensorType = layer.infer(*inputs)
    _require("infer", output, TensorType)
    for weight in layer.weights(*inputs):
        _require("weights", weight, Weight)
    _require("cost", layer.cost(inputs, output), Cost)
    _require("kept", layer.kept(inputs, output), Kept)
    _require("footprint", layer.footprint(inputs, output), Window | None)
    return output


def _require(rule: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"`{rule}` gives {value!r:.100} and no {getattr(kind, '__name__', 'Window')}")


def home_of(kind: type[Kind]) -> str:
    """Where a kind's code is, for messages: the plugin's file, or the module."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    home = _homes.get(kind, name)
    return name if home == name else f"{kind.__qualname__} in {home}"


def failure(name: str, kind: type[Kind], error: Exception, span: Span | None) -> SpecError:
    """What a kind's own code raised, as a diagnostic with the layer's place and the line of the file."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_of(frame.filename, kind)]
    at = f" (line {frames[-1].lineno})" if frames else ""
    return SpecError(
        [
            Diagnostic(
                "E218",
                f"{name}: the kind `{kind.kind}` failed with {_words(error)}",
                Label(span) if span is not None else None,
                help=(f"this is a defect of {home_of(kind)}{at}",),
            )
        ]
    )


def _is_of(filename: str, kind: type[Kind]) -> bool:
    return filename == getattr(sys.modules.get(kind.__module__), "__file__", None)


def loaded_files() -> tuple[str, ...]:
    """The files of plugins that were loaded, for another process to load them too."""
    return tuple(item.path for item in _loaded.values() if item.path is not None)


def record(values: Iterable[Any]) -> list[dict[str, Any]]:
    """The plugins that these values have kinds of, for the record of a run."""
    if not _loaded:
        return []
    used = {(family_of(type(kind)), kind.kind) for value in values for kind in _kinds_in(value)}

    def is_used(item: Plugin) -> bool:
        return any((family, name) in used for family, own in item.kinds.items() for name in own)

    return [item.to_plain() for item in _loaded.values() if is_used(item)]


def used_by(spec: Any, graph: Any) -> list[dict[str, Any]]:
    """The plugins that a spec and its graph have kinds of, for the record of a run or an import."""
    if not _loaded:
        return []
    own = [(output.task, output.loss, output.metrics) for output in graph.outputs]
    return record([*(node.layer for node in graph.nodes), spec.header, spec.train, *own])


def _kinds_in(value: Any) -> Iterator[Kind]:
    """All kinds in a section, a kind's fields or a list."""
    if isinstance(value, Kind):
        yield value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _kinds_in(getattr(value, name, None))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _kinds_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _kinds_in(item)


def lacking(recorded: Any, where: str) -> DataError | None:
    """What to say of a folder that was made with plugins of which kinds are not known here; None where all are."""
    for item in _records(recorded):
        names = [name for family, own in item.kinds.items() for name in own if not is_known(family, name)]
        if not names:
            continue
        file = Path(item.path) if item.path else None
        there = str(file) if file is not None and file.is_file() else item.file
        way = f"pass `--plugin {there}`; in Python, `archspec.plugin({there!r})` first"
        return DataError(
            "E229",
            f"{where} was made with {item.file}, which has the kind{'s' if len(names) > 1 else ''} {listed(names)}",
            help=[way if item.path else f"`archspec.plugin` with the class {item.file} first"],
        )
    return None


def changed(recorded: Any, where: str) -> list[str]:
    """Notes on plugins that are not as they were when a folder was made."""
    now = {(family, name): item for item in _loaded.values() for family, own in item.kinds.items() for name in own}
    notes = []
    for item in _records(recorded):
        ours = [now[key] for family, own in item.kinds.items() for name in own if (key := (family, name)) in now]
        if any(other.sha256 != item.sha256 for other in ours):
            notes.append(
                f"{item.file} is not as it was when {where} was made, so its layers may compute something else"
            )
    return notes


def _records(recorded: Any) -> Iterator[Plugin]:
    """What a record says, as far as it can be read."""
    for item in recorded if isinstance(recorded, list) else ():
        kinds = item.get("kinds") if isinstance(item, dict) else None
        if not isinstance(kinds, dict) or not isinstance(item.get("file"), str):
            continue
        whole = {
            family: [name for name in names if isinstance(name, str)]
            for family, names in kinds.items()
            if family in FAMILIES and isinstance(names, list)
        }
        path = item.get("path") if isinstance(item.get("path"), str) else None
        yield Plugin(item["file"], path, str(item.get("sha256")), whole)
