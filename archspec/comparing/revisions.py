"""Git revisions: files as a commit has them, read by git and never checked out, and which files changed.

Git is asked by arguments, never through a shell, and by lists that end in null bytes, so names may hold anything.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import NamedTuple

from archspec.diagnostics import DataError
from archspec.spec.files import ENDINGS

LINK, SUBMODULE = "120000", "160000"
"""Modes of entries that are no files: symbolic links, and commits of submodules."""

MAX_LINKS = 40
"""Links that lead to links are followed so often, as Linux does."""

EMPTY = "the empty tree"
"""What everything is compared with in a repository without a commit."""


def _run(arguments: Sequence[str], folder: Path) -> bytes:
    """What git prints. Raises `DataError` (E115) with what git says of it, or that there is no git."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = ["git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        what = (
            "revisions are read by git, which is not installed" if folder.is_dir() else f"there is no folder {folder}"
        )
        raise DataError(
            "E115", what, help=["two files, runs or networks of the zoo are compared without git"]
        ) from None
    except OSError as error:
        raise DataError("E115", f"git cannot be run: {error.strerror or error}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        # Advice follows the first lines.
        said = [line.removeprefix("fatal: ").removeprefix("error: ") for line in said if line.strip()][:2]
        raise DataError("E115", "; ".join(said) or f"git {arguments[0]} failed")
    return done.stdout


def _text(data: bytes) -> str:
    return os.fsdecode(data)


class Changed(NamedTuple):
    """A file that differs: its path before and after, relative to the top, None where there is none."""

    before: str | None
    after: str | None
    untracked: bool = False


class Repository:
    """A git repository with its files checked out at `top`."""

    def __init__(self, top: Path, git: Path) -> None:
        self.top = top
        self._own = ["--git-dir", str(git), "--work-tree", str(top)]

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """The repository that a folder is in. Raises `DataError` (E115) where it is in none."""
        try:
            said = _run(["rev-parse", "--show-toplevel", "--absolute-git-dir"], folder)
        except DataError as error:
            if "not a git repository" in error.message:
                where = "the current folder" if folder == Path() else str(folder)
                help = ["two files, runs or networks of the zoo are compared without git"]
                raise DataError("E115", f"{where} is in no git repository", help=help) from None
            if "must be run in a work tree" in error.message:
                help = ["`git worktree add FOLDER` makes one"]
                raise DataError("E115", "the repository has no files checked out", help=help) from None
            raise
        top, git = (_text(line) for line in said.removesuffix(b"\n").split(b"\n"))
        return cls(Path(top), Path(git))

    def git(self, *arguments: str) -> bytes:
        """What git prints. Raises `DataError` (E115)."""
        return _run([*self._own, *arguments], self.top)

    def known(self, name: str) -> bool:
        """Whether a name is that of a revision."""
        try:
            self.commit(name)
        except DataError:
            return False
        return True

    def commit(self, name: str) -> str:
        """The commit that a revision names. Raises `DataError` (E115)."""
        if name.startswith("-"):
            raise DataError("E115", f"a revision does not begin with `-`: {name[:100]!r}")
        if "\0" in name or not name:
            raise DataError("E115", "a revision is a name, and not empty")
        try:
            return _text(self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")).strip()
        except DataError:
            notes = []
            if self.is_shallow:
                notes.append("this clone is shallow: it has the latest commits only")
            help = (
                ["`git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout, fetches the others"]
                if notes
                else []
            )
            help = help or ["`git log --oneline` and `git branch --all` list revisions"]
            raise DataError("E115", f"git knows no revision `{name[:200]}`", notes=notes, help=help) from None

    @property
    def is_shallow(self) -> bool:
        return self.git("rev-parse", "--is-shallow-repository").strip() == b"true"

    @property
    def is_empty(self) -> bool:
        """Whether there is no commit yet."""
        return not self.known("HEAD")

    def merge_base(self, one: str, other: str) -> str:
        """The commit at which two branches part. Raises `DataError` (E115)."""
        for name in (one, other):
            self.commit(name)
        try:
            return _text(self.git("merge-base", self.commit(one), self.commit(other))).strip()
        except DataError:
            notes = ["this clone is shallow: it has the latest commits only"] if self.is_shallow else []
            help = ["`git fetch --unshallow` fetches the others"] if notes else []
            raise DataError("E115", f"`{one}` and `{other}` have no commit in common", notes=notes, help=help) from None

    def relative(self, path: Path) -> str | None:
        """A path from the top of the repository, with slashes; None where it lies outside.

        Links above the top are followed, those below are left to the revision, which may have others.
        """
        whole = Path(os.path.abspath(path))
        for way in (whole, Path(os.path.realpath(whole.parent), whole.name)):
            for parent in (way, *way.parents):
                if self._is_top(parent):
                    inner = way.relative_to(parent).as_posix()
                    return "" if inner == "." else inner
        return None

    def _is_top(self, folder: Path) -> bool:
        known = self._tops.get(folder)
        if known is None:
            try:
                known = os.path.samefile(folder, self.top)
            except (OSError, ValueError):
                known = False
            self._tops[folder] = known
        return known

    @cached_property
    def _tops(self) -> dict[Path, bool]:
        return {}

    def changed(self, before: Revision, after: Revision | None) -> list[Changed]:
        """The files that differ between two revisions, or between a revision and the disk, untracked ones too."""
        names = [before.tree] if after is None else [before.tree, after.tree]
        options = ["--name-status", "-z", "--find-renames", "--no-ext-diff", "--no-textconv", "--no-relative"]
        words = _text(self.git("diff", *options, "--ignore-submodules=none", *names, "--")).split("\0")
        found: dict[tuple[str | None, str | None], Changed] = {}

        def add(one: str | None, other: str | None, untracked: bool = False) -> None:
            found.setdefault((one, other), Changed(one, other, untracked))

        rest = iter(words)
        for status in rest:
            if not status:
                continue
            path = next(rest)
            if status[0] in "RC":
                new = next(rest)
                add(path if status[0] == "R" else None, new)
            else:
                add(None if status[0] == "A" else path, None if status[0] == "D" else path)
        if after is None:
            others = _text(self.git("ls-files", "--others", "--exclude-standard", "-z", "--full-name"))
            for path in filter(None, others.split("\0")):
                add(None, path, True)
        return list(found.values())

    def specs_on_disk(self) -> list[str]:
        """The paths of files, tracked or new, that may be specs by their endings."""
        said = _text(self.git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--full-name"))
        return sorted({path for path in said.split("\0") if path.endswith(ENDINGS)})


class Entry(NamedTuple):
    mode: str
    object: str


class _Blobs:
    """Contents of a repository's objects, by one process of git's for all of them."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.process: subprocess.Popen[bytes] | None = None
        self.known: dict[str, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        """The content of a blob. Raises OSError."""
        if name not in self.known:
            self.known[name] = self._read(name)
        return self.known[name]

    def _read(self, name: str) -> bytes:
        if self.process is None:
            command = ["git", *self.repository._own, "cat-file", "--batch"]
            environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, cwd=self.repository.top
            )
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(name.encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise OSError("git ended while it was asked for files") from None
        head = process.stdout.readline().split()
        if len(head) != 3 or head[1] != b"blob":
            raise OSError(f"git does not have its content ({name[:12]}): the clone is not complete")
        data = process.stdout.read(int(head[2]))
        process.stdout.read(1)
        return data

    def close(self) -> None:
        if self.process is not None:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.process = None


class Revision:
    """The files of a repository as a commit has them; of no commit, None, there are none.

    Links are followed as the commit has them, submodules at the commit that it names where they are checked out and
    have it. What lies outside is not held. `name` is what was asked for.
    """

    def __init__(self, repository: Repository, commit: str | None, name: str) -> None:
        self.repository = repository
        self.commit = commit
        self.name = name
        self._blobs = _Blobs(repository)
        self._modules: dict[str, Revision | None] = {}
        self.from_disk: dict[str, str] = {}
        """What was read from the disk although it lies in the repository, and why."""

    @property
    def tree(self) -> str:
        """What git compares."""
        if self.commit is not None:
            return self.commit
        return _text(self.repository.git("hash-object", "-t", "tree", "--stdin")).strip()

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Files, links and submodules by their paths from the top."""
        if self.commit is None:
            return {}
        listed = self.repository.git("ls-tree", "-r", "-z", "--full-tree", self.commit)
        found = {}
        for line in listed.split(b"\0"):
            if line:
                about, _, path = line.partition(b"\t")
                mode, _, name = about.decode().split(" ", 2)
                found[_text(path)] = Entry(mode, name)
        return found

    @cached_property
    def folders(self) -> dict[str, list[str]]:
        """The names in each folder by its path; the top is ''."""
        found: dict[str, list[str]] = {"": []}
        for path in self.entries:
            inner = path
            while inner:
                above = dirname(inner)
                known = above in found
                found.setdefault(above, []).append(inner[len(above) :].lstrip("/"))
                if known:
                    break
                inner = above
        return found

    def close(self) -> None:
        """Ends git's process."""
        self._blobs.close()
        for module in self._modules.values():
            if module is not None:
                module.close()

    def _place(self, path: str) -> tuple[Revision, str] | Path | None:
        """Where a path from the top leads: a revision and a path in it without links, a path of the disk, nowhere."""
        jumps = 0
        done, left = "", [part for part in path.split("/") if part]
        while left:
            step = left.pop(0)
            if step in ("", "."):
                continue
            if step == "..":
                if not done:
                    return Path(os.path.normpath(self.repository.top / ".." / "/".join(left)))
                done = dirname(done)
                continue
            done = join(done, step)
            entry = self.entries.get(done)
            if entry is None:
                continue
            if entry.mode == SUBMODULE:
                module = self._module(done, entry.object)
                inner = "/".join(left)
                return self.repository.top / done / inner if module is None else (module._place(inner) or None)
            if entry.mode == LINK:
                jumps += 1
                target = _text(self._blobs[entry.object])
                if jumps > MAX_LINKS:
                    return None
                if target.startswith("/"):
                    inner_path = self.repository.relative(Path(target))
                    if inner_path is None:
                        return Path(target, *left)
                    done, left = "", [*inner_path.split("/"), *left]
                else:
                    done, left = dirname(done), [*target.split("/"), *left]
        return self, done

    def _module(self, path: str, commit: str) -> Revision | None:
        """A submodule as the commit has it; None where it is not checked out, or lacks that commit, which is told."""
        if path not in self._modules:
            folder = self.repository.top / path
            module = None
            try:
                inner = Repository.around(folder) if folder.is_dir() else None
                if inner is not None and inner.top != self.repository.top and inner.known(commit):
                    module = Revision(inner, commit, f"{self.name}:{path}")
                else:
                    self.from_disk[path] = "a submodule that is not checked out, or lacks the commit"
            except DataError as error:
                self.from_disk[path] = error.message
            self._modules[path] = module
        return self._modules[path]

    def _found(self, path: Path) -> tuple[Revision, str] | Path | None:
        inner = self.repository.relative(path)
        return self._place(inner) if inner is not None else None

    def holds(self, path: Path) -> bool:
        inner = self.repository.relative(path)
        if inner is None or inner.split("/")[0] == ".git":
            return False
        try:
            return not isinstance(self._place(inner), Path)
        except OSError:
            return True

    def is_file(self, path: Path) -> bool:
        found = self._found(path)
        return isinstance(found, tuple) and found[1] in found[0].entries

    def is_folder(self, path: Path) -> bool:
        found = self._found(path)
        return isinstance(found, tuple) and found[1] in found[0].folders

    def bytes_of(self, path: Path) -> bytes:
        found = self._found(path)
        entry = found[0].entries.get(found[1]) if isinstance(found, tuple) else None
        if entry is None or not isinstance(found, tuple):
            folder = isinstance(found, tuple) and found[1] in found[0].folders
            raise OSError(f"it is a folder in {self.name}" if folder else f"there is no such file in {self.name}")
        return found[0]._blobs[entry.object]

    def inside(self, folder: Path) -> list[str]:
        found = self._found(folder)
        if not isinstance(found, tuple):
            return []
        revision, path = found
        names = revision.folders.get(path, [])
        return [name for name in names if join(path, name) in revision.entries]

    def real(self, path: Path) -> Path:
        found = self._found(path)
        return found[0].repository.top / found[1] if isinstance(found, tuple) else path.resolve()

    def specs(self) -> list[str]:
        """The paths of files that may be specs by their endings."""
        return sorted(
            path for path, entry in self.entries.items() if path.endswith(ENDINGS) and entry.mode != SUBMODULE
        )

    def said(self) -> Iterator[str]:
        """What was not read as the commit has it, in words."""
        for path, reason in self.from_disk.items():
            yield f"{path} is read from the disk for {self.name} too: {reason}"


def normal(path: str) -> str:
    """A path from the top without `.` and `..`."""
    made = normpath(path)
    return "" if made == "." else made
