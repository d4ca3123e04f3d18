"""What is asked of git: names, trees, changed files and contents.

Git is asked by arguments, never through a shell, and by lists that end in null bytes, so names may hold anything.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError
from archspec.spec.files import ENDINGS


def _environment() -> dict[str, str]:
    """That in which git takes no lock of its own accord, asks nothing, and speaks English."""
    return {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _run(arguments: Sequence[str], folder: Path) -> bytes:
    """What git prints. Raises `DataError` (E115) with what git says of it, or that there is no git."""
    command = ["git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, stdin=subprocess.DEVNULL)
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


def text_of(data: bytes) -> str:
    """What git calls something: names of files may be of any bytes."""
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
        top, git = (text_of(line) for line in said.removesuffix(b"\n").split(b"\n"))
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
            return text_of(self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")).strip()
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
            return text_of(self.git("merge-base", self.commit(one), self.commit(other))).strip()
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

    def changed(self, before: str, after: str | None) -> list[Changed]:
        """The files that differ between two trees or commits, or between one and the disk, untracked ones too."""
        names = [before] if after is None else [before, after]
        options = ["--name-status", "-z", "--find-renames", "--no-ext-diff", "--no-textconv", "--no-relative"]
        words = text_of(self.git("diff", *options, "--ignore-submodules=none", *names, "--")).split("\0")
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
            others = text_of(self.git("ls-files", "--others", "--exclude-standard", "-z", "--full-name"))
            for path in filter(None, others.split("\0")):
                add(None, path, True)
        return list(found.values())

    def specs_on_disk(self) -> list[str]:
        """The paths of files, tracked or new, that may be specs by their endings."""
        said = text_of(self.git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--full-name"))
        return sorted({path for path in said.split("\0") if path.endswith(ENDINGS)})


class Blobs:
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
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=_environment(), cwd=self.repository.top
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
