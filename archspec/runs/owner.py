"""Who writes a folder: one process at a time, and only in folders that this program made.

A folder that is written has a marker, which says what it is for and who writes it. The writer holds the marker's
file lock, which ends with the process however it ends, so that nothing is left to be cleaned up after a kill. Where a
file system has no locks, a file beside the marker takes its place (`holding.py`).
"""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from archspec import __version__
from archspec.diagnostics import DataError
from archspec.runs.holding import LOCK, Held, hold, is_held

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MARKER = ".archspec"
"""The marker's name in its folder."""

Purpose = Literal["run", "import", "masks"]

_BUSY = (errno.EWOULDBLOCK, errno.EACCES)
_MAX_MARKER = 2**16
KEPT = ("purpose", "specs", "unfinished")
"""What a marker says of the folder's contents, besides who writes them."""


class Owner:
    """This process as the one that writes a folder. `made` are the folders that were made for it, outermost first."""

    def __init__(
        self, folder: Path, descriptor: int, made: list[Path], content: dict[str, Any], held: Held | None = None
    ) -> None:
        self.folder = folder
        self.made = made
        self._descriptor = descriptor
        self._content = content
        self._held = held

    def says(self, **values: Any) -> None:
        """Adds to what the marker says."""
        self._content.update(values)
        text = json.dumps(self._content).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))
        os.fsync(self._descriptor)

    def check(self) -> None:
        """Raises `DataError` where the folder has been moved or deleted since: writing on would make half a folder.

        And where another process has taken it, since this one was not heard of for too long.
        """
        if self._held is not None and self._held.lost:
            raise busy(self.folder)
        if _same(self._descriptor, self.folder / MARKER):
            return
        now = self._place()
        raise DataError(
            "E514",
            f"the folder {self.folder} was {'moved' if now else 'deleted'} while it was written",
            notes=[f"it is now {now}"] if now else [],
            help=[f"the same command with --workdir {now} goes on" if now else "the same command begins anew"],
        )

    def _place(self) -> Path | None:
        """Where the folder is now, as far as the system tells."""
        with suppress(OSError):
            now = Path(os.readlink(f"/proc/self/fd/{self._descriptor}"))
            if _same(self._descriptor, now):
                return now.parent
        return None

    def release(self, *, forget: bool = False) -> None:
        """Lets the folder go. The marker goes with `forget`, and where there is nothing else in the folder, which
        goes too if it was made for this.
        """
        if self._descriptor < 0:
            return
        with suppress(OSError):
            if self._held is not None:
                self._held.release()
            if _same(self._descriptor, self.folder / MARKER):
                empty = all(name == MARKER for name in os.listdir(self.folder))
                if forget or empty:
                    os.unlink(self.folder / MARKER)
                if empty:
                    for folder in reversed(self.made):
                        folder.rmdir()
        os.close(self._descriptor)
        self._descriptor = -1


class Guest(Owner):
    """This process in a folder that another process of the same run owns: it looks after nothing there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, -1, [], {})

    def says(self, **values: Any) -> None:
        pass

    def check(self) -> None:
        pass


def take(folder: Path, purpose: Purpose, **values: Any) -> Owner:
    """Makes the folder where there is none, and becomes the one who writes it.

    `values` are what the marker says besides. Raises `DataError` (E517) where another process writes it, with its
    number, host and start; and E514 where the folder cannot be made or written.
    """
    try:
        made = _make(folder)
        while True:
            descriptor = _open(folder / MARKER)
            held = None
            locked = _locked(descriptor)
            if locked is None:
                held = hold(folder / LOCK, this_process())
            if not locked and held is None:
                os.close(descriptor)
                raise busy(folder)
            # Between opening and locking, the one before may have deleted the marker.
            if _same(descriptor, folder / MARKER):
                break
            os.close(descriptor)
            if held is not None:
                held.release()
            _make(folder)
        content = {"archspec": __version__, "purpose": purpose, **_kept(descriptor), **values, **this_process()}
        owner = Owner(folder, descriptor, made, content, held)
        try:
            owner.says()
        except OSError:
            owner.release()
            raise
    except OSError as error:
        raise unusable(folder, error) from None
    return owner


@contextmanager
def owned(folder: Path, purpose: Purpose) -> Iterator[Owner]:
    """Owns a folder for a while, without a marker before and after. Raises `DataError` as `take` does."""
    owner = take(folder, purpose)
    try:
        yield owner
    finally:
        owner.release(forget=True)


def check_free(folder: Path) -> None:
    """Raises `DataError` (E517) where a process writes the folder; makes nothing."""
    with suppress(OSError):
        descriptor = os.open(folder / MARKER, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            locked = _locked(descriptor)
            if locked is False or (locked is None and is_held(folder / LOCK, socket.gethostname())):
                raise busy(folder)
        finally:
            os.close(descriptor)


def marker_of(folder: Path) -> dict[str, Any] | None:
    """What a folder's marker says; empty where it is damaged, None where there is none."""
    try:
        descriptor = os.open(folder / MARKER, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        return _content(descriptor)
    finally:
        os.close(descriptor)


def busy(folder: Path) -> DataError:
    """That another process writes a folder, in words."""
    content = marker_of(folder) or {}
    if "process" not in content:
        time.sleep(0.05)  # it has only just begun
        content = marker_of(folder) or {}
    process, host, since = (content.get(name) for name in ("process", "host", "since"))
    who = f"process {process} on {host}, since {since}" if process else "another process"
    return DataError(
        "E517", f"{folder} is being written by {who}", help=["wait until it has ended, or choose another folder"]
    )


def unusable(folder: Path, error: OSError) -> DataError:
    """What the system says of a folder that cannot be used."""
    name = os.fspath(error.filename) if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    inner = os.fsdecode(name) if name else ""
    where = f": {_shown(inner)}" if inner and inner != str(folder) else ""
    return DataError("E514", f"the folder {_shown(str(folder))} cannot be used: {error.strerror or error}{where}")


def _shown(name: str) -> str:
    """A name that can be printed: bytes that are no text are replaced, and a long one is cut."""
    text = name.encode("utf-8", "replace").decode()
    return text if len(text) <= 200 else f"{text[:200]}…"


def this_process() -> dict[str, Any]:
    """Who writes, as markers and locks say it."""
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": since}


def _make(folder: Path) -> list[Path]:
    """Makes a folder with all above it, and gives those that were not there."""
    lacking: list[Path] = []
    at = folder
    while not at.exists() and at != at.parent:
        lacking.append(at)
        at = at.parent
    folder.mkdir(parents=True, exist_ok=True)
    return lacking[::-1]


def _open(marker: Path) -> int:
    # No link is followed: what it leads to is not this folder's.
    return os.open(marker, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0), 0o666)


def _locked(descriptor: int) -> bool | None:
    """Whether the lock could be had; None where the file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _BUSY else None
    return True


def _same(descriptor: int, path: Path) -> bool:
    try:
        there, here = os.stat(path, follow_symlinks=False), os.fstat(descriptor)
    except OSError:
        return False
    return stat.S_ISREG(there.st_mode) and (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _content(descriptor: int) -> dict[str, Any]:
    try:
        # A process that is killed before it cuts off the end of a longer text leaves that behind its own.
        value, _ = json.JSONDecoder().raw_decode(os.pread(descriptor, _MAX_MARKER, 0).decode())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _kept(descriptor: int) -> dict[str, Any]:
    """What the marker said of the folder's contents, which are the same until they are replaced."""
    content = _content(descriptor)
    return {name: content[name] for name in KEPT if name in content}
