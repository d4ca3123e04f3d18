"""The texts that are open in an editor, laid over the files of the disk, and what is known of each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from archspec.diagnostics import Diagnostic
from archspec.editing.analysis import Analysis, Reading, read
from archspec.source import laid, stamps_of
from archspec.spec.files import is_ours

_SECTIONS = re.compile(r"^(layers|blocks|variants|extends)\s*:", re.MULTILINE)


class Workspace:
    """Open texts by path. As `source.Files` it answers for these in the disk's place, and for no others."""

    def __init__(self, unforeseen: Callable[[Exception], Diagnostic]) -> None:
        """`unforeseen` makes a diagnostic of an error that nobody foresaw."""
        self.unforeseen = unforeseen
        self.texts: dict[Path, str] = {}
        self.shown: dict[Path, str | None] = {}
        """The variant of each text that hints and so on are of, where one was chosen."""
        self.focus: dict[Path, str] = {}
        """The path of the call of a block whose layers are shown, by text."""
        self.readings = 0
        """How many times a text was read so far."""
        self._ours: set[Path] = set()
        self._said: set[Path] = set()
        """Texts that the editor says are specs, whatever is in them."""
        self._known: dict[Path, Analysis] = {}
        self._real: dict[Path, Path] = {}

    # What is open.

    def put(self, path: Path, text: str, *, ours: bool = False) -> list[Path]:
        """Opens a text or changes it, and returns what `changed` does.

        `ours` says that it is a spec even before it says `archspec:`.
        """
        path = self._key(path)
        if self.texts.get(path) == text:
            return []
        self.texts[path] = text
        if ours:
            self._said.add(path)
        if ours or is_ours(text):
            self._ours.add(path)
        elif path in self._ours and path not in self._said and not _SECTIONS.search(text):
            self._ours.discard(path)  # something else was put in its place; a first line that is typed anew is not
        return self.changed(path)

    def close(self, path: Path) -> list[Path]:
        """The disk's file counts again; returns what `changed` does."""
        path = self._key(path)
        self.texts.pop(path, None)
        self._ours.discard(path)
        self._said.discard(path)
        self._known.pop(path, None)
        self.shown.pop(path, None)
        self.focus.pop(path, None)
        return self.changed(path)

    def changed(self, path: Path) -> list[Path]:
        """Forgets what was made of a file, open or on the disk; the open texts that have to be read again."""
        self._real.clear()  # a link may lead elsewhere now
        path = self._key(path)
        stale = []
        for mine, analysis in self._known.items():
            if mine == path or path in analysis.now.files:
                analysis.stale = True
                stale.append(mine)
        return stale

    def show(self, path: Path, variant: str | None) -> None:
        """Chooses the variant of a text that is shown."""
        path = self._key(path)
        self.shown[path] = variant
        self.focus.pop(path, None)
        if path in self._known:
            self._known[path].stale = True

    def is_ours(self, path: Path) -> bool:
        """Whether an open text is a spec, or a file of blocks; other YAML is none of our business."""
        return self._key(path) in self._ours

    # What is known of it.

    def analysis(self, path: Path, cancelled: Callable[[], bool] = lambda: False) -> Analysis | None:
        """What is known of an open text as it is now; None where it is no spec. Raises `Cancelled`."""
        path = self._key(path)
        if path not in self._ours or path not in self.texts:
            return None
        known = self._known.get(path)
        if known is not None and not known.stale and not self._is_saved_since(known.now):
            return known
        now = self.reading(path, self.shown.get(path), cancelled)
        self._known[path] = Analysis.after(known, now)
        return self._known[path]

    def _is_saved_since(self, reading: Reading) -> bool:
        """Whether a file that it was made of, and that is not open here, is another now: not every client tells."""
        stamps = {path: known for path, known in reading.stamps.items() if not self.holds(path)}
        return stamps_of(stamps) != stamps

    def reading(self, path: Path, variant: str | None, cancelled: Callable[[], bool]) -> Reading:
        """Reads a text anew."""
        self.readings += 1
        with laid(self):
            return read(path, self.texts[path], variant, cancelled, self.unforeseen)

    def importers(self, path: Path) -> Iterator[Analysis]:
        """What is known of other open texts that use a file."""
        path = self._key(path)
        for mine, analysis in self._known.items():
            if mine != path and not analysis.stale and path in analysis.now.files:
                yield analysis

    # What `source.Files` asks.

    def holds(self, path: Path) -> bool:
        return self._key(path) in self.texts

    def is_file(self, path: Path) -> bool:
        return True

    def is_folder(self, path: Path) -> bool:
        return False

    def bytes_of(self, path: Path) -> bytes:
        # What no file can hold, half of a character of two units, is left to the reader of bytes to refuse.
        return self.texts[self._key(path)].encode("utf-8", "surrogatepass")

    def inside(self, folder: Path) -> list[str]:
        return []

    def real(self, path: Path) -> Path:
        return self._key(path)

    def _key(self, path: Path) -> Path:
        """The path with links followed: one file has one text, whatever it is called."""
        real = self._real.get(path)
        if real is None:
            if len(self._real) > 10_000:
                self._real.clear()
            real = self._real[path] = Path(os.path.realpath(path))
        return real
