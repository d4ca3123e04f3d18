"""Files that are written as a whole: whatever happens, the old file stays or the new one is there, never half.

The new file grows beside the old one and takes its place when it is complete and on the disk. A link is followed, so
that the file it leads to is replaced and the link stays. What is no file, such as /dev/null, /dev/stdout or a pipe, is
written to as it is.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import BinaryIO

from archspec.diagnostics import DataError, unwritable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".partial"
"""How the names of unfinished files end: NAME.PROCESS-NUMBER.partial."""

_MAX_NAME = 200
"""Bytes of the file's own name that an unfinished one keeps; file systems allow 255 for a whole name."""

_NO_FILES = ("/dev/", "/proc/")
"""Folders whose names stand for streams, even where a stream leads to a file: another program holds that file open."""


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, by which it is known again. Raises OSError."""
    from hashlib import file_digest

    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def write(path: str | Path, contents: str | bytes) -> None:
    """Replaces a file, or makes it. Text is written as UTF-8. Raises `DataError` (E534) when that cannot be done."""
    if isinstance(contents, str):
        contents = contents.encode("utf-8", "replace")
    write_by(path, lambda file: file.write(contents))


def write_by(path: str | Path, make: Callable[[BinaryIO], object]) -> None:
    """The same for what `make` writes to an open file."""
    path = Path(path)
    with _told(path):
        target = _target(path)
        if target is None:
            with _stream(path) as stream:
                made = BytesIO()  # pipes cannot be sought in, which makers may do
                make(made)
                stream.write(made.getbuffer())
            return
        with _replacing(target) as (partial, descriptor):
            with open(descriptor, "wb", closefd=False) as file:
                make(file)
            _to_disk(descriptor)
            _keep_owner(target, partial)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns the system's errors into a `DataError` about the file."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of a stream has gone, which is no fault of the file's
    except OSError as error:
        raise unwritable(path, error) from None
    except ValueError as error:
        if "null" not in str(error):  # "embedded null byte"
            raise
        raise DataError("E534", f"{str(path)!r} cannot be written: no file has such a name") from None


def _target(path: Path) -> Path | None:
    """The file to replace, at the end of all links; None where the name stands for a stream."""
    if os.path.abspath(path).startswith(_NO_FILES):
        return None
    try:
        known = os.stat(path)
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if stat.S_ISDIR(known.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(known.st_mode):
        return None
    target = Path(os.path.realpath(path))
    if str(target).startswith(_NO_FILES):
        return None
    if not os.access(target, os.W_OK):
        # Replacing would succeed all the same, but somebody wanted to keep this file as it is.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return target


def _stream(path: Path) -> BinaryIO:
    """What is no file, open for writing; a stream of this process goes on where it is."""
    name = os.path.abspath(path)
    number = {"/dev/stdout": "1", "/dev/stderr": "2"}.get(name) or name.rpartition("/fd/")[2]
    if name.startswith(("/dev/std", "/dev/fd/", "/proc/self/fd/")) and number.isdecimal():
        for own in (sys.stdout, sys.stderr):
            if own is not None:
                own.flush()
        return open(os.dup(int(number)), "wb")
    return open(path, "wb")


@contextmanager
def _replacing(target: Path) -> Iterator[tuple[Path, int]]:
    """An unfinished file beside the target, as path and descriptor, which takes the target's place in the end."""
    _remove_leftovers(target)
    partial, descriptor = _begun(target)
    try:
        try:
            with suppress(FileNotFoundError):
                os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
            yield partial, descriptor
            if os.name == "posix":
                os.replace(partial, target)
        finally:
            os.close(descriptor)
        if os.name != "posix":  # Windows renames no file that is open
            os.replace(partial, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


_NUMBERS = count()


def _begun(target: Path) -> tuple[Path, int]:
    while True:
        partial = target.with_name(f"{_stem(target)}.{os.getpid()}-{next(_NUMBERS)}{PARTIAL}")
        try:
            descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        except FileExistsError:
            continue  # of a process in another container, or of one that was killed and had this number
        # Held while the file is written: so another process can tell it from one that a killed process left.
        _lock(descriptor)
        with suppress(FileNotFoundError):
            if os.stat(partial).st_ino == os.fstat(descriptor).st_ino:
                return partial, descriptor
        os.close(descriptor)


def _stem(target: Path) -> str:
    name = os.fsencode(target.name)
    if len(name) <= _MAX_NAME:
        return target.name
    return name[:_MAX_NAME].decode("utf-8", "ignore")


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Whether the file's lock could be had. File systems without locks give none, and their leftovers stay."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _remove_leftovers(target: Path) -> None:
    """Deletes what killed processes left of this file, which nobody holds the lock of."""
    stem = _stem(target) + "."
    try:
        with os.scandir(target.parent) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(stem) and entry.name.endswith(PARTIAL)]
    except OSError:
        return  # the folder is missing or closed; that is told where the file is made
    for name in names:
        process, _, number = name[len(stem) : -len(PARTIAL)].partition("-")
        if not (process.isdecimal() and number.isdecimal()):
            continue
        with suppress(OSError):
            descriptor = os.open(target.parent / name, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(descriptor, wait=False):
                    os.unlink(target.parent / name)
            finally:
                os.close(descriptor)


def _to_disk(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise


def _keep_owner(target: Path, partial: Path) -> None:
    """Gives the new file the old one's owner, where that is allowed."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            old, new = os.stat(target), os.stat(partial)
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                os.chown(partial, old.st_uid, old.st_gid)
                os.chmod(partial, stat.S_IMODE(old.st_mode))
