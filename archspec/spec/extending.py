"""`extends`: the file, variant and arguments that a spec starts from, laid under what the spec says itself.

Imported once a spec extends another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeGuard

from archspec.diagnostics import Findings, Span, did_you_mean
from archspec.fields import at_home
from archspec.located import Located, Scalar, merged
from archspec.located import Mapping as LocatedMapping
from archspec.source import is_file, is_folder
from archspec.spec.document import Document, laid_over, variant_arguments, with_variant


def extended(
    root: LocatedMapping, read: Callable[[Path, Span], LocatedMapping | None], findings: Findings
) -> LocatedMapping | None:
    """A file's mapping laid over the one that it extends, which `read` gives; None with the reasons reported."""
    node = root.entries["extends"][1]
    if not is_path(node):
        findings.error("E112", "`extends` is the path of one file", node.span)
        return None
    path, variant, query = _base(node.source.folder, node, findings)
    base = read(path, node.span) if path is not None else None
    if base is not None and variant:
        base = _of_variant(base, variant, node.span, findings)
    if base is not None and query:
        base = _with_arguments(base, query, node, findings)
    # What is said of another network's place among networks is not said of this one.
    return laid_over(base.without("extends", "lineage"), root) if base is not None else None


def _base(folder: Path, node: Scalar, findings: Findings) -> tuple[Path | None, str | None, int]:
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
    findings.files.setdefault(path, None)
    if "." not in file and not is_folder(path):
        what = f"there is no file, and no network in the zoo, called {file[:200]}"
        help = ["paths are relative to the file that names them", similar(file)]
        findings.error("E101", what, node.span, help=help)
        return None, None, 0
    if file.endswith(".yaml") and in_zoo(Path(file).stem):
        known = "#".join(part for part in (Path(file).stem, variant) if part)
        findings.error("E101", f"there is no file {path}", node.span, help=[f"the zoo's is called `{known}`"])
        return None, None, 0
    return path, variant, query


def _of_variant(root: LocatedMapping, variant: str, span: Span, findings: Findings) -> LocatedMapping | None:
    """A file's mapping as one of its variants has it: its sections laid over, its arguments the defaults.

    Other variants and the figures published for them are left behind.
    """
    chosen = with_variant(Document(root, None), variant, span, findings)
    if chosen is None:
        return None
    given = variant_arguments(chosen)
    root = chosen.root
    if not _knows(root, given, findings):
        return None
    over: dict[str, tuple[Scalar, Located]] = {}
    if "name" in root.entries:
        key, own = root.entries["name"]
        over["name"] = (key, Scalar(own.source, own.place, variant))
    return _arguments_laid(root, given, over).without("variants", "published")


def _with_arguments(root: LocatedMapping, query: int, node: Scalar, findings: Findings) -> LocatedMapping | None:
    """A file's mapping with the arguments that `extends` gives behind a `?` as the defaults.

    The figures published for other arguments are left behind.
    """
    given = given_arguments(node, query - 1, findings)
    if given is None or not _knows(root, given, findings):
        return None
    return _arguments_laid(root, given, {}).without("published")


def _knows(root: LocatedMapping, given: Mapping[str, tuple[Scalar, Located]], findings: Findings) -> bool:
    """Whether a file has all these arguments; those that it has not are reported."""
    args = root.get("args")
    known = args.entries if isinstance(args, LocatedMapping) else {}
    for name, (key, _) in given.items():
        if name not in known:
            hint = did_you_mean(name, known)
            findings.error("E201", f"the spec has no argument `{name[:60]}`", key.span, help=[hint] if hint else [])
            return False
    return True


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


def given_arguments(node: Scalar, mark: int, findings: Findings) -> dict[str, tuple[Scalar, Located]] | None:
    """The arguments that stand behind the `?` of a path; None with the reasons reported."""
    from archspec.spec.overrides import parse_arguments

    overrides = parse_arguments(node.value, mark, findings, node)
    return None if overrides is None else {item.path[-1]: (item.keys[-1], item.value) for item in overrides}


def is_path(node: Located) -> TypeGuard[Scalar]:
    """Whether a value can be the path of a file."""
    return isinstance(node, Scalar) and isinstance(node.value, str) and "\0" not in node.value
