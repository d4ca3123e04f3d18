"""The networks that come with archspec, and what a SPEC on the command line stands for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import Findings, did_you_mean, listed
from archspec.fields import at_home
from archspec.source import STANDARD_INPUT, files_in, is_file, is_folder, is_readable, text_of
from archspec.spec.document import open_document

if TYPE_CHECKING:
    from archspec.spec.overrides import Override
    from archspec.zoo.index import Entry


def zoo_folder() -> Path:
    """Where the zoo's files are: in the installed package, or in the checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "specs" / "zoo"
    return inside if inside.is_dir() else package.parent / "specs" / "zoo"


def zoo_files() -> list[Path]:
    """The zoo's files, one a family."""
    return files_in(zoo_folder(), ".yaml")


def zoo_variants() -> dict[str, tuple[Path, str | None]]:
    """Every name in the zoo: file and variant. Files that are not as the index has them are opened."""
    entries = zoo_index()
    variants: dict[str, tuple[Path, str | None]] = {}
    for path in zoo_files():
        entry = entries.get(path.name)
        variants.setdefault(path.stem, (path, None))
        for name in variant_names(path) if entry is None else entry.variants:
            variants[name] = (path, name)
    return variants


def zoo_index() -> dict[str, Entry]:
    """What the index has of the files that are as it knows them, by their names."""
    from archspec.zoo.index import entries_that_hold

    return entries_that_hold(zoo_folder())


def variant_names(path: Path) -> list[str]:
    """The variants of a file."""
    document = open_document(path, Findings())
    return list(document.variants) if document else []


def zoo_networks() -> dict[str, tuple[Path, str | None]]:
    """The networks that `archspec zoo` lists: the variants of each file, or the file's own where it has none."""
    named = zoo_variants()
    varied = {path for path, variant in named.values() if variant is not None}
    return {name: (path, variant) for name, (path, variant) in named.items() if variant or path not in varied}


class Target(NamedTuple):
    """What a SPEC names: a file, None where there is none; its variant, None where none is chosen; and arguments."""

    path: Path | None
    variant: str | None = None
    arguments: tuple[Override, ...] = ()


def find_spec(target: str, findings: Findings) -> Target:
    """What `path`, `path#variant` or a zoo name stand for, with `?name=value&name=value` behind them or without.

    `-` is standard input. A file whose name has `?` or `#` in it comes before what these stand for otherwise.
    """
    if is_readable(Path(at_home(target))):
        return Target(Path(at_home(target)))
    for position in (match.start() for match in re.finditer(r"\?", target)):
        found = _file(target[:position])
        if found is not None:
            return _with_arguments(found, target, position, findings)
    whole = _file(target)
    if whole is not None:
        return Target(*whole)
    base, mark, _ = target.partition("?")
    named = _named(base, findings)
    if named[0] is None or not mark:
        return Target(*named)
    return _with_arguments(named, target, len(base), findings)


def _with_arguments(found: tuple[Path | None, str | None], target: str, position: int, findings: Findings) -> Target:
    from archspec.spec.overrides import parse_arguments

    arguments = parse_arguments(target, position, findings)
    return Target(*found, arguments) if arguments is not None else Target(None)


def _file(target: str) -> tuple[Path, str | None] | None:
    """The file and variant of `path` or `path#variant`; None where there is no such file."""
    target = at_home(target)
    if target == str(STANDARD_INPUT) or is_readable(Path(target)):
        return Path(target), None
    base, mark, variant = target.rpartition("#")
    if mark and (base == str(STANDARD_INPUT) or is_readable(Path(base))):
        return Path(base), variant
    return None


def _named(target: str, findings: Findings) -> tuple[Path | None, str | None]:
    """The file and variant of a name of the zoo; what is none is reported."""
    target = at_home(target)
    base, mark, variant = target.rpartition("#")
    name, wanted = (base, variant) if mark else (target, None)
    home = in_zoo(name)
    if home:
        path, zoo_variant = home
        return path, wanted or zoo_variant
    if is_folder(Path(name)):
        _folder(Path(name), findings)
        return None, None
    looks_like_path = "/" in name or "\\" in name or name.endswith((".yaml", ".yml"))
    help = ["give the path of a spec, or a name from `archspec zoo`"] if looks_like_path else [similar(name)]
    what = "file" if looks_like_path else "file, and no network in the zoo, called"
    findings.error("E101", f"there is no {what} {name[:200]}", help=help)
    return None, None


def similar(name: str) -> str:
    """The network that `archspec zoo` lists whose name is nearest, or all of them."""
    names = list(zoo_networks())
    near: str | None = did_you_mean(name, names)
    for letters in range(len(name[:40]), 2, -1):  # a network of the same family
        family = [known for known in names if known.startswith(name[:letters].lower())]
        if near is None and family:
            near = f"did you mean `{family[0]}`?"
    return near or f"the zoo has {listed(names, 40)}"


def _folder(path: Path, findings: Findings) -> None:
    """Says of a folder that it is no spec, and what to give instead."""
    from archspec.runs.folder import SPEC, RunFolder

    folder = RunFolder(path)
    if not (folder.imported or folder.begun):
        specs = sorted(str(item) for item in path.glob("*.yaml"))
        findings.error(
            "E101",
            f"{path} is a folder, not a spec",
            help=[
                f"give a file: {listed(specs)}" if specs else "give the path of a spec, or a name from `archspec zoo`"
            ],
        )
        return
    what, commands = "a run", f"`archspec eval {path}` and `archspec predict {path} IMAGE` use"
    if folder.imported:
        what, commands = "an import of weights", f"`archspec predict {path} IMAGE` uses"
    findings.error(
        "E101",
        f"{path} is the folder of {what}, not a spec",
        help=[
            f"its spec is {path / SPEC}",
            f"{commands} its weights",
            f"--set train.init_from={path} begins the training of another spec with them",
        ],
    )


_opening: set[Path] = set()
"""Files that are opened to look for a name in them: one that extends a name of its own asks for that again."""


def in_zoo(name: str) -> tuple[Path, str | None] | None:
    """A zoo name's file and variant, None where there is no such name. Only files whose text has the name are read."""
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        return None
    # Most names begin with their family's: what is read and found first is often all that is read.
    for path in sorted(zoo_files(), key=lambda path: not name.startswith(path.stem)):
        text = text_of(path)
        if path not in _opening and name in text and re.search(rf"^\s+{re.escape(name)}\s*:", text, re.MULTILINE):
            _opening.add(path)
            try:
                document = open_document(path, Findings())
            finally:
                _opening.discard(path)
            if document and name in document.variants:
                return path, name
    direct = zoo_folder() / f"{name}.yaml"
    return (direct, None) if is_file(direct) else None
