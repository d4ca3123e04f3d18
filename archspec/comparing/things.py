"""What words name: files, run folders, networks of the zoo, files of a revision, revisions of git."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, NamedTuple

from archspec.comparing.repository import Repository
from archspec.diagnostics import DataError, Findings
from archspec.fields import at_home
from archspec.runs.folder import SPEC
from archspec.source import STANDARD_INPUT, is_file, is_folder
from archspec.spec.files import ENDINGS
from archspec.zoo import find_spec

Kind = Literal["spec", "run", "blob", "revision", "range", "path"]

HEAD = "HEAD"

WAYS = ["give files, run folders, names from `archspec zoo`, revisions of git, or REVISION:PATH"]


class Thing(NamedTuple):
    """Something that was named: a spec, a run, a file of a revision, one revision or two, or a path in a repository."""

    kind: Kind
    text: str
    revision: str = ""
    path: str = ""
    """A file or folder that revisions have or had, from the current folder."""
    behind: str = ""
    """What stands behind the file: `#variant`, `?name=value`."""


class Repositories:
    """The repository of the current folder, and those of others, each found once."""

    def __init__(self) -> None:
        self.known: dict[Path, Repository | DataError] = {}

    def around(self, folder: Path = Path()) -> Repository:
        """The repository that a folder is in. Raises `DataError` (E115)."""
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        if folder not in self.known:
            try:
                self.known[folder] = Repository.around(folder)
            except DataError as error:
                self.known[folder] = error
        found = self.known[folder]
        if isinstance(found, DataError):
            raise DataError(found.code, found.message, notes=found.notes, help=found.help)
        return found

    def here(self) -> Repository | None:
        try:
            return self.around()
        except DataError:
            return None


def meant(word: str, repositories: Repositories) -> Thing:
    """What a word stands for: a file, a run folder, a network of the zoo, a file of a revision, or a revision.

    Raises `DataError` where it is none of these, and for what begins with `-`.
    """
    if not word:
        raise DataError("E113", "an empty word names nothing to compare", help=WAYS)
    home = at_home(word)
    if is_folder(Path(home)) and is_file(Path(home) / SPEC):
        return Thing("run", home)
    target = find_spec(word, Findings())
    if target.path is not None:
        if target.path == STANDARD_INPUT or not _inside(target.path, repositories):
            return Thing("spec", word)
        path = str(target.path)
        if home.startswith(path):
            return Thing("spec", word, path=path, behind=home[len(path) :])
        # A network of the zoo has revisions where the zoo is what one works on.
        repository = repositories.here()
        if repository is None or repository.relative(target.path) is None:
            return Thing("spec", word)
        return Thing("spec", word, path=os.path.relpath(path), behind=_behind(target.variant, word))
    if word.startswith("-"):
        raise DataError("E115", f"a revision does not begin with `-`: {word[:100]!r}")
    repository = repositories.here()
    if repository is not None:
        name, colon, path = word.partition(":")
        if colon and path and name and repository.known(name):
            base, behind = parted(path)
            return Thing("blob", word, name, _from_top(repository, base), behind)
        ends = re.fullmatch(r"(.*?[^.]|)(\.\.\.?)([^.].*|)", word)
        if (
            ends
            and "/" not in (ends[1][-1:], ends[3][:1])
            and all(repository.known(end or HEAD) for end in (ends[1], ends[3]))
        ):
            return Thing("range", word)
        if repository.known(word):
            return Thing("revision", word, word)
        if is_folder(Path(home)):
            return Thing("path", word, path=home)
        base, behind = parted(home)
        if base.endswith(ENDINGS) and _inside(Path(base), repositories):
            return Thing("path", word, path=base, behind=behind)  # a file that is gone, as it may be
    elif is_folder(Path(home)):
        raise DataError("E101", f"{word[:200]} is a folder, and no run", help=WAYS)
    notes, help = [], list(WAYS)
    if repository is None:
        notes.append("the current folder is in no git repository, so there are no revisions")
    elif repository.is_shallow:
        notes.append("this clone is shallow: it has the latest commits only")
        help.append("`git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout, fetches the others")
    findings = Findings()
    find_spec(word, findings)
    near = [text for item in findings.items for text in item.help if text.startswith("did you mean")]
    what = f"there is no file, run folder, network of the zoo or git revision called {word[:200]}"
    raise DataError("E115", what, notes=notes, help=[*near, *help])


def _inside(path: Path, repositories: Repositories) -> bool:
    """Whether a file lies in a repository."""
    try:
        return repositories.around(folder_of(str(path))).relative(path) is not None
    except DataError:
        return False


def folder_of(path: str) -> Path:
    """The folder that a path is, or lies in."""
    whole = Path(path).absolute()
    return whole if is_folder(whole) else whole.parent


def parted(path: str) -> tuple[str, str]:
    """A path, and the variant and arguments behind it."""
    base = re.split(r"[#?]", path)[0]
    return base, path[len(base) :]


def _behind(variant: str | None, word: str) -> str:
    """What stands behind the file of a network of the zoo that is named so."""
    _, mark, arguments = word.partition("?")
    return (f"#{variant}" if variant else "") + mark + arguments


def _from_top(repository: Repository, path: str) -> str:
    """The path, from the current folder, of what REVISION:PATH names: from the top, or from here where it begins so.

    Raises `DataError` where that is outside the repository.
    """
    made = path if path.startswith(("./", "../")) else os.path.relpath(repository.top / path)
    if path.startswith("/") or repository.relative(Path(made)) is None:
        help = ["paths begin at the top of the repository, or from here with `./`"]
        raise DataError("E115", f"{path[:200]} is outside the repository, so no revision has it", help=help)
    return os.path.normpath(made)


def with_revision(thing: Thing, other: Thing) -> Thing:
    """A revision beside a file is that file as the revision has it."""
    if thing.kind == "revision" and other.path:
        return Thing("blob", f"{thing.text}:{other.path}{other.behind}", thing.revision, other.path, other.behind)
    return thing
