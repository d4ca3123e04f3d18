"""A file in the place of a lock, for file systems that have none: its writer alone could make it, and touches it."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

LOCK = ".archspec.lock"
"""The file's name in its folder."""
TOUCHED = 10.0
"""Seconds between touches."""
STALE = 120.0
"""Seconds without a touch, by the clock of the file system, after which the file counts no more."""


class Held:
    """A lock file that this process made. `lost` says that another one took it away meanwhile."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        self.lost = False
        self._content = content
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._touch, daemon=True)
        self._thread.start()

    def _touch(self) -> None:
        while not self._ended.wait(TOUCHED):
            try:
                self.lost = self.path.read_bytes() != self._content
                if not self.lost:
                    os.utime(self.path)
            except FileNotFoundError:
                self.lost = True
            except OSError:
                continue  # a file system that is away for a while
            if self.lost:
                return

    def release(self) -> None:
        """Lets go."""
        self._ended.set()
        self._thread.join()
        with suppress(OSError):
            if self.path.read_bytes() == self._content:
                self.path.unlink()


def hold(path: Path, who: dict[str, Any]) -> Held | None:
    """Makes a lock file, which says `who` (process and host) made it; None where another process has it."""
    content = json.dumps({**who, "token": uuid.uuid4().hex}).encode()
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            if is_held(path, str(who.get("host"))):
                return None
            _take_away(path)
            continue
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
        return Held(path, content)


def is_held(path: Path, host: str) -> bool:
    """Whether there is a lock file whose writer is still there, as far as `host` can tell."""
    try:
        found = os.stat(path)
        content = json.loads(path.read_bytes() or b"{}")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        content = {}
    process = content.get("process") if isinstance(content, dict) else None
    if isinstance(process, int) and process > 0 and content.get("host") == host and not lives(process):
        return False
    return _now(path.parent) - found.st_mtime < STALE


def lives(process: int) -> bool:
    """Whether there is a process of this number on this host."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    return True


def _now(folder: Path) -> float:
    """The time by the clock of the file system, which need not be this host's."""
    probe = folder / f"{LOCK}.{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink()


def _take_away(path: Path) -> None:
    """Removes a file that counts no more; one that another process made in the meantime is put back."""
    with suppress(OSError):
        before = path.stat()
        away = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        path.rename(away)
        now = away.stat()
        if (now.st_ino, now.st_mtime) != (before.st_ino, before.st_mtime):
            with suppress(OSError):
                os.link(away, path)
        away.unlink()
