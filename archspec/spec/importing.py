"""`import`: files, or families of the zoo, whose blocks a spec uses. Imported once a spec has some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from archspec.diagnostics import Findings, Label, Mend, Span, did_you_mean
from archspec.fields import at_home
from archspec.located import Located, Scalar, Sequence
from archspec.located import Mapping as LocatedMapping
from archspec.source import is_file, is_folder, real
from archspec.spec.document import Block, Document
from archspec.spec.extending import given_arguments, is_path


def imported_paths(root: LocatedMapping, findings: Findings) -> Iterable[Scalar]:
    """The paths under `import`; what is none is reported."""
    node = root.entries["import"][1]
    for item in node.items if isinstance(node, Sequence) else [node]:
        if is_path(item):
            yield item
        else:
            findings.error("E112", "`import` is a list of paths of files and names of the zoo's families", item.span)


def library(item: Scalar, findings: Findings) -> tuple[Path, int | None] | None:
    """The file that an item of `import` names, a path or a family of the zoo, and where in the item the `?` of its
    arguments stands, if it has some. None with the reason reported."""
    path = item.source.folder / at_home(item.value)
    if is_file(path):
        return path, None
    file, mark, _ = item.value.partition("?")
    path = item.source.folder / at_home(file)
    at = len(file) if mark else None
    if not is_file(path):
        family = _family(file, item, findings)
        return None if family is None else (family, at)
    return path, at


def _family(name: str, item: Scalar, findings: Findings) -> Path | None:
    """The zoo's file of a family; where there is neither a file nor a family of that name, that is reported."""
    from archspec.zoo import in_zoo, zoo_files

    files = {path.stem: path for path in zoo_files()}
    if name in files:
        return files[name]
    path = item.source.folder / at_home(name)
    findings.files.setdefault(path, None)
    stem = Path(name).stem if name.endswith(".yaml") else name
    home = in_zoo(stem)
    if is_folder(path):
        what = f"{path} is a folder, not a file"
    elif "." in name:
        what = f"there is no file {path}"
    else:
        what = f"there is no file, and no family in the zoo, called {name[:200]}"
    near = f"the zoo's is called `{home[0].stem}`" if home else did_you_mean(name, files)
    help = ["paths are relative to the file that names them", *([near] if near else [])]
    mends: list[Mend] = []
    if home and near is not None and "?" not in item.value:
        from archspec.spec.mending import renamed

        mends = renamed(item, home[0].stem, near, certain=True)
    findings.error("E101", what, item.span, help=help, mends=mends)
    return None


class Open(Protocol):
    """What opens a library: a file that others import, with the arguments that they give it."""

    def __call__(
        self,
        path: Path,
        chain: tuple[Path, ...],
        *,
        library: bool,
        span: Span | None,
        given: Mapping[str, tuple[Scalar, Located]] | None,
    ) -> Document | None: ...


class Libraries:
    """Imported files, each opened once for the arguments given."""

    def __init__(self, open: Open, findings: Findings) -> None:
        self.open = open
        self.findings = findings
        self.documents: dict[tuple[Path, str], Document | None] = {}

    def add_blocks(self, document: Document, imports: Iterable[Scalar], chain: tuple[Path, ...]) -> None:
        """Adds the blocks of imported files to a document's. `chain` is the files that led to it."""
        for item in imports:
            other = self._library(item, chain)
            if other is None:
                document.lacks_blocks = True
                continue
            document.lacks_blocks |= other.lacks_blocks
            for block in other.blocks.values():
                self._add(document, block, item)

    def _library(self, item: Scalar, chain: tuple[Path, ...]) -> Document | None:
        found = library(item, self.findings)
        if found is None:
            return None
        path, mark = found
        given: dict[str, tuple[Scalar, Located]] = {}
        if mark is not None:
            read = given_arguments(item, mark, self.findings)
            if read is None:
                return None
            given = read
        key = (real(path), item.value[mark + 1 :] if mark is not None and given else "")
        if key not in self.documents or key[0] in chain:
            self.documents[key] = self.open(path, chain, library=True, span=item.span, given=given)
        return self.documents[key]

    def _add(self, document: Document, block: Block, item: Scalar) -> None:
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
