"""Git revisions: files as a commit has them, read by git and never checked out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import NamedTuple

from archspec.comparing.repository import Blobs, Repository, text_of
from archspec.diagnostics import DataError
from archspec.spec.files import ENDINGS

LINK, SUBMODULE = "120000", "160000"
"""Modes of entries that are no files: symbolic links, and commits of submodules."""

MAX_LINKS = 40
"""Links that lead to links are followed so often, as Linux does."""


class Entry(NamedTuple):
    mode: str
    object: str


class Revision:
    """The files of a repository as a commit has them; of no commit, None, there are none.

    Links are followed as the commit has them, submodules at the commit that it names where they are checked out and
    have it. What lies outside is not held. `name` is what was asked for.
    """

    def __init__(self, repository: Repository, commit: str | None, name: str) -> None:
        self.repository = repository
        self.commit = commit
        self.name = name
        self._blobs = Blobs(repository)
        self._modules: dict[str, Revision | None] = {}
        self.from_disk: dict[str, str] = {}
        """What was read from the disk although it lies in the repository, and why."""

    @property
    def tree(self) -> str:
        """What git compares."""
        if self.commit is not None:
            return self.commit
        return text_of(self.repository.git("hash-object", "-t", "tree", "--stdin")).strip()

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
                found[text_of(path)] = Entry(mode, name)
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
                target = text_of(self._blobs[entry.object])
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
