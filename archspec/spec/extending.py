"""`extends`: the file, variant and arguments that a spec or one of its variants starts from, laid under what these say.

Imported once a spec extends another, or a variant that extends something is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeGuard

from archspec.diagnostics import Findings, Span, did_you_mean
from archspec.fields import at_home
from archspec.located import Located, Scalar, merged
from archspec.located import Mapping as LocatedMapping
from archspec.source import is_file, is_folder, real
from archspec.spec.document import Document, laid_over, with_variant


def extended(
    root: LocatedMapping,
    node: Located,
    read: Callable[[Path, Span], Document | None],
    findings: Findings,
    *,
    whole: bool,
) -> Document | None:
    """What `node` says that a file extends, which `read` gives, with the file's own mapping laid over it.

    None with the reasons reported. `whole` says that the file extends it, and not one of its variants, which takes no
    other variants over, nor the figures published for them.
    """
    if not is_path(node):
        findings.error("E112", "`extends` is the path of one file", node.span)
        return None
    variants = root.get("variants") if not whole else None
    others = variants.entries if isinstance(variants, LocatedMapping) else {}
    path, variant, query = named_base(node.source.folder, node, findings, others)
    if path is not None and variant in others and real(path) == real(Path(root.source.name)):
        help = [f"a variant of the same file is named alone: `extends: {variant}`"]
        from archspec.spec.mending import renamed

        mends = renamed(node, variant or "", help[0], certain=True)
        said = f"a variant of {path.name} extends the whole of {path.name}"
        findings.error("E111", said, node.span, help=help, mends=mends)
        return None
    base = read(path, node.span) if path is not None else None
    if base is not None and variant:
        base = _of_variant(base, variant, node.span, findings)
    if base is None:
        return None
    below: LocatedMapping | None = base.root
    if query:
        below = _with_arguments(base.root, query, node, findings)
    if below is None:
        return None
    # What is said of another network's place among networks is not said of this one.
    left = ("extends", "lineage") if whole else ("extends", "lineage", "variants", "published")
    return base.changed(laid_over(below.without(*left), root))


def parts_of(
    variant: str, known: Mapping[str, tuple[Scalar, Located]], findings: Findings
) -> tuple[list[tuple[str, Located]], Scalar | None] | None:
    """A variant and the others of its file that it extends, the last of them first; and what that one extends.

    The name of another variant comes before that of a file or of the zoo. None with the reason reported.
    """
    chain = [variant]
    parts: list[tuple[str, Located]] = []
    while True:
        node = known[chain[-1]][1]
        parts.insert(0, (chain[-1], node))
        base = node.get("extends") if isinstance(node, LocatedMapping) else None
        if base is None:
            return parts, None
        if not is_path(base):
            what = f"`extends` of variant `{chain[-1][:60]}` is one name, of a variant, a file or a network of the zoo"
            findings.error("E112", what, base.span)
            return None
        name, mark, _ = base.value.partition("?")
        if name not in known or name == chain[-1]:
            return parts, base
        if name in chain:
            names = " → ".join([*chain[chain.index(name) :], name])
            findings.error("E111", f"variants extend each other in a circle: {names}", base.span)
            return None
        if mark:
            given = given_arguments(base, len(name), findings)
            if given is None:
                return None
            parts.insert(0, (name, LocatedMapping(base.source, base.place, given)))
        chain.append(name)


def named_base(
    folder: Path, node: Scalar, findings: Findings, others: Mapping[str, tuple[Scalar, Located]]
) -> tuple[Path | None, str | None, int]:
    """What `extends` names: the file, a path or a name of the zoo; its variant; and where in the text arguments
    begin, 0 where there are none. No file where there is neither. `others` are names that it might have been."""
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
        if file in others:
            if variant:
                what = f"`{file[:60]}` is a variant of this file, which has no variants of its own"
                from archspec.spec.mending import renamed

                way = f"`extends: {file[:60]}`"
                mends = renamed(node, file, way, certain=True) if "?" not in node.value else []
                findings.error("E212", what, node.span, help=[way], mends=mends)
            else:
                findings.error("E111", f"the variant `{file[:60]}` extends itself", node.span)
            return None, None, 0
        what = f"there is no {'variant, no ' if others else ''}file, and no network in the zoo, called {file[:200]}"
        help = ["paths are relative to the file that names them", did_you_mean(file, others) or similar(file)]
        findings.error("E101", what, node.span, help=help)
        return None, None, 0
    if file.endswith(".yaml") and in_zoo(Path(file).stem):
        known = "#".join(part for part in (Path(file).stem, variant) if part)
        from archspec.spec.mending import renamed

        way = f"the zoo's is called `{known}`"
        mends = renamed(node, known, way, certain=True) if "?" not in node.value else []
        findings.error("E101", f"there is no file {path}", node.span, help=[way], mends=mends)
        return None, None, 0
    return path, variant, query


def _of_variant(document: Document, variant: str, span: Span, findings: Findings) -> Document | None:
    """A file as one of its variants has it: the variant's sections laid over, its arguments the defaults.

    Other variants and the figures published for them are left behind.
    """
    chosen = with_variant(document, variant, span, findings)
    if chosen is None or not _knows(chosen.root, chosen.given, findings):
        return None
    over: dict[str, tuple[Scalar, Located]] = {}
    if "name" in chosen.root.entries:
        key, own = chosen.root.entries["name"]
        over["name"] = (key, Scalar(own.source, own.place, variant))
    return chosen.changed(_arguments_laid(chosen.root, chosen.given, over).without("variants", "published"))


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
