"""Tar files as they are read at random: which members they have and where these lie, known from their headers alone."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from archspec.data._base import RELATIVE
from archspec.diagnostics import DataError, count, listed

_PACKED = {b"\x1f\x8b": ("gzip", "gunzip"), b"BZh": ("bzip2", "bunzip2"), b"\xfd7zXZ": ("xz", "unxz")}
_ZSTD = b"\x28\xb5\x2f\xfd"
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)(?:\.\.(\d+))?\}")
_CHOICE = re.compile(r"\{([^{}]*,[^{}]*)\}")
MOST_SHARDS = 10**6
"""A pattern means no more files than this."""


class Member(NamedTuple):
    """A file in a tar file: its name, and where its bytes lie."""

    name: str
    offset: int
    size: int


class Members(NamedTuple):
    """The files in a tar file, in order, and what is to be said of the others."""

    files: list[Member]
    notes: list[str]


def shards_of(pattern: str) -> list[Path]:
    """The files that a pattern means, in order and each once: `train-{000..099}.tar`, `{a,b}.tar`, `*.tar`, a folder.

    Patterns joined by `::` mean the files of each. Raises `DataError` where there are none, or some are missing.
    """
    found: list[Path] = []
    for part in pattern.split("::"):
        own: list[Path] = []
        for name in _unbraced(part):
            own.extend(_globbed(name))
            if len(own) > MOST_SHARDS:
                raise DataError("E505", f"{part} means more than {MOST_SHARDS:,} files")
        missing = [str(path) for path in own if not path.exists()]
        if missing:
            raise DataError(
                "E505",
                f"{count(len(missing), 'shard')} of the {len(own):,} that {part} means "
                f"{'is' if len(missing) == 1 else 'are'} not there: {listed(missing, 10)}",
                help=[RELATIVE],
            )
        if not own:
            raise DataError("E505", f"there is no file {part}", help=[RELATIVE])
        for path in own:
            found.extend(sorted(path.glob("*.tar")) if path.is_dir() else [path])
    if not found:
        raise DataError("E505", f"{pattern} has no files that end in .tar")
    return list(dict.fromkeys(found))


def _unbraced(pattern: str) -> Iterator[str]:
    """What a pattern with braces means, the leftmost brace counting slowest. Numbers keep their zeros in front."""
    span, choice = _RANGE.search(pattern), _CHOICE.search(pattern)
    first = min((match for match in (span, choice) if match), key=lambda match: match.start(), default=None)
    if first is None:
        yield pattern
        return
    if first is span:
        low, high, step = first[1], first[2], int(first[3] or 1) or 1
        width = len(low) if low.startswith("0") or len(low) == len(high) else 0
        if (int(high) - int(low)) // step > MOST_SHARDS:
            raise DataError("E505", f"{pattern} means more than {MOST_SHARDS:,} files")
        options: Sequence[str] = [f"{number:0{width}d}" for number in range(int(low), int(high) + 1, step)]
    else:
        options = first[1].split(",")
    for option in options:
        yield from _unbraced(pattern[: first.start()] + option + pattern[first.end() :])


def _globbed(name: str) -> list[Path]:
    if any(sign in name for sign in "*?["):
        import glob

        return [Path(path) for path in sorted(glob.glob(name, recursive=True))]
    return [Path(name)]


def members_of(path: Path) -> Members:
    """The files in an uncompressed tar file, of whichever format: POSIX (PAX), GNU or the old one.

    What is no file (links, devices) is passed over and counted, and so is what lies behind the end. Raises `DataError`
    for what is compressed, no tar file, or cut short.
    """
    files: list[Member] = []
    others = sparse = 0
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            _check_plain(path, stream.read(6))
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isreg() and not member.issparse():
                    files.append(Member(member.name, member.offset_data, member.size))
                    if member.offset_data + member.size > size:
                        raise tarfile.ReadError("unexpected end of data")
                else:
                    others += not member.isdir() and not member.issparse()
                    sparse += member.issparse()
                tar.members = []  # type: ignore[attr-defined]  # so that it does not keep them all
            end = tar.offset
    except OSError as error:
        raise DataError("E506", f"{path} cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise _unreadable(path, files, error) from None
    mark = _block(path, end)
    if any(mark):  # tarfile stops at a header that is cut off or wrong, and is silent about it
        raise _unreadable(path, files, ValueError("a header is not whole"))
    notes = []
    if others:
        notes.append(f"{path}: {count(others, 'link')} or devices passed over")
    if sparse:
        notes.append(f"{path}: {count(sparse, 'file')} with holes passed over, which tar --sparse makes")
    if not mark:
        notes.append(f"{path} has no end mark: it may be cut short behind its {count(len(files), 'file')}")
    elif (rest := _behind(path, end)) > 0:
        notes.append(
            f"{path}: {count(rest, 'byte')} behind its end not read; tar --concatenate joins tar files, cat does not"
        )
    return Members(files, notes)


def _block(path: Path, place: int) -> bytes:
    """The block of a tar file at a place; nothing where the file ends there."""
    with path.open("rb") as stream:
        stream.seek(place)
        return stream.read(tarfile.BLOCKSIZE)


def _check_plain(path: Path, head: bytes) -> None:
    for magic, (name, tool) in {**_PACKED, _ZSTD: ("zstd", "unzstd")}.items():
        if head.startswith(magic):
            raise DataError(
                "E506",
                f"{path} is compressed by {name}, and cannot be read at random",
                help=[f"{tool} unpacks it; images are compressed already, so it hardly grows"],
            )
    if not head:
        raise DataError("E506", f"{path} is empty")


def _unreadable(path: Path, files: Sequence[Member], error: Exception) -> DataError:
    if not files and "end of data" not in str(error):
        return DataError("E506", f"{path} is no tar file: {error}")
    last = f"; the last whole file in it is {files[-1].name}" if files else ""
    return DataError("E506", f"{path} is cut short or damaged after {count(len(files), 'file')}{last}: {error}")


def _behind(path: Path, end: int) -> int:
    """The bytes from a place on up to the last that is not 0."""
    rest = last = 0
    with path.open("rb") as stream:
        stream.seek(end)
        while piece := stream.read(2**20):
            kept = len(piece.rstrip(b"\0"))
            last = rest + kept if kept else last
            rest += len(piece)
    return last
