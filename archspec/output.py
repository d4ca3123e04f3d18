"""What is printed reaches its reader as well as it can, and is never a reason to fail.

A stream that cannot show a character shows one like it. One that is closed, full, or that nobody reads any more takes
what it is given for lost, and the command goes on: at the end `main` says so. Whatever else a text holds, it cannot
drive the terminal.
"""

from __future__ import annotations

import codecs
import io
import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

REPLACING = "archspec.replace"
"""Name of the way of encoding that puts something like it in place of what an encoding lacks."""

_LIKE = {
    "×": "x",
    "−": "-",
    "–": "-",
    "—": "-",
    "·": "*",
    "•": "*",
    "…": "...",
    "→": "->",
    "←": "<-",
    "↔": "<->",
    "⇒": "=>",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "∞": "inf",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "²": "^2",
    "³": "^3",
    "⁶": "^6",
    "⁹": "^9",
    "µ": "u",
    "°": " deg",
    "ß": "ss",
    "─": "-",
    "━": "-",
    "│": "|",
    "┃": "|",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
    "\ufffd": "?",
}


def _alike(error: UnicodeError) -> tuple[str, int]:
    """What to print in place of characters that the encoding lacks: ASCII that looks or reads like them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_like, error.object[error.start : error.end])), error.end


def _like(char: str) -> str:
    if char in _LIKE:
        return _LIKE[char]
    if "\u2500" <= char <= "\u257f":
        return "+"  # corners and crossings of lines
    if "\u2580" <= char <= "\u259f":
        return "#"  # blocks, of which bars are made
    import unicodedata

    plain = "".join(part for part in unicodedata.normalize("NFKD", char) if part.isascii())
    return plain or "?"


codecs.register_error(REPLACING, _alike)

# Everything that moves the cursor, and bytes of file names that are no text (surrogates).
_DRIVING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

# What is neither ASCII nor a letter or digit may be unseen: a change of direction, a separator of lines.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f]|[^\x00-\x7f\\w]")


def printable(text: str) -> str:
    """One line's text with each character replaced that is not to be seen: escapes, breaks, changes of direction."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else (" " if char == "\t" else "�") for char in text)


class _Raw(io.FileIO):
    """A file descriptor that takes everything; `failure` is why something was lost, if it was."""

    failure: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view) and self.failure is None:
            try:
                now = super().write(view[written:])
            except OSError as error:
                self.failure = error
                break
            if now is None:  # a pipe that does not wait until there is room
                import select

                select.select([], [self], [])
            else:
                written += now
        return len(view)


class Stream(io.TextIOWrapper):
    """Standard output or error of the command line."""

    def __init__(self, descriptor: int, encoding: str, name: str, *, own_escapes: bool) -> None:
        self.raw = _Raw(descriptor, "w", closefd=False)
        self.raw.name = name
        self.own_escapes = own_escapes
        terminal = self.raw.isatty()
        # Errors are seen at once, as what was printed before something else was.
        buffered = io.BufferedWriter(self.raw)
        super().__init__(buffered, encoding, REPLACING, line_buffering=terminal or own_escapes)

    def write(self, text: str, /) -> int:
        """Writes the text without escapes, but for our own colours and bars on a terminal's standard error."""
        if not (self.own_escapes and self.raw.isatty()):
            clean = _DRIVING.sub("�", text) if _DRIVING.search(text) else text
        else:
            clean = text
        super().write(clean)
        return len(text)

    def paint(self, text: str) -> None:
        """Writes text that was cleaned, and has our own colours, on a terminal."""
        super().write(text)


@contextmanager
def streams() -> Iterator[tuple[Stream, ...]]:
    """Standard output and error as `Stream`s meanwhile; streams that somebody else has put there stay."""
    made: list[Stream] = []
    before = sys.stdout, sys.stderr
    _fill_gaps()
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None or stream is getattr(sys, f"__{name}__"):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.flush()
            encoding = getattr(stream, "encoding", None) or "utf-8"
            with suppress(OSError):
                made.append(Stream(number, encoding, f"<{name}>", own_escapes=number == 2))
                setattr(sys, name, made[-1])
    try:
        yield tuple(made)
    finally:
        for own in made:
            own.flush()
        sys.stdout, sys.stderr = before


def _fill_gaps() -> None:
    """Opens the null device in place of standard streams that are closed, lest a file of ours become one of them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                opened = os.open(os.devnull, os.O_RDWR)
                if opened != number:
                    os.dup2(opened, number)
                    os.close(opened)


def takes_unicode(stream: TextIO | None = None) -> bool:
    """Whether a stream, standard output unless it is given, can show every character."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    try:
        return codecs.lookup(encoding).name.startswith("utf")
    except LookupError:
        return False


def as_json(value: object) -> str:
    """JSON that is right in whatever encoding standard output has, and holds nothing that a terminal would obey."""
    import json

    ascii = not takes_unicode()
    try:
        text = json.dumps(value, indent=2, ensure_ascii=ascii, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=2, ensure_ascii=ascii)
    return _UNSEEN.sub(_reference, text)


def _reference(match: re.Match[str]) -> str:
    """A character as JSON's references to it, two where UTF-16 needs a pair; a mark that is printed stays."""
    char = match[0]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _finite(value: Any) -> Any:
    """The value with null for numbers that JSON does not have: NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


MARKUP = ("svg", "html", "dot")
"""Formats in which a character can be written as a reference."""


def print_as(text: str, format: str) -> None:
    """Prints a text of some format; where standard output lacks a character, markup has a reference for it."""
    if format in MARKUP and not takes_unicode():
        text = text.encode("ascii", "xmlcharrefreplace").decode("ascii")
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def paint(text: str) -> None:
    """Prints text that was cleaned and has our own colours; a terminal takes it as it is."""
    text = text if text.endswith("\n") else text + "\n"
    if isinstance(sys.stdout, Stream):
        sys.stdout.paint(text)
    else:
        sys.stdout.write(text)


def say(text: str, *, clean: bool = True) -> None:
    """A line or lines on standard error, for people. Never fails, whatever has become of the stream.

    In a notebook, which shows standard error as failures are shown, they are on standard output.
    `clean` is left out for text that has been cleaned already, and has colours.
    """
    global _due
    stream = sys.stdout if type(sys.stderr).__module__ == "ipykernel.iostream" else sys.stderr
    if stream is None:
        return
    _due = None
    if clean:
        text = "\n".join(map(printable, text.split("\n")))
    text += "\n"
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode(stream.encoding, REPLACING).decode(stream.encoding))
        stream.flush()
    except (OSError, ValueError):
        pass  # full, closed, or its reader has gone; what is said here is not worth failing for


LOADING = "loading JAX"
"""What commands that compute do first."""


SOON = 1.2
"""Seconds after its start in which a command that takes long says what it does."""
_due: float | None = None
"""When something has to have been said; None where something has been, or nobody asked for it."""


def say_soon() -> None:
    """Sees to it that `said_when_slow` says something soon after this process began, however short each thing takes."""
    global _due
    import time

    _due = time.monotonic() - _age() + SOON


def _age() -> float:
    """Seconds since this process began; 0 where the system does not tell."""
    import time

    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])  # starttime, the 22nd
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


@contextmanager
def said_when_slow(what: str, seconds: float = 1.0) -> Iterator[None]:
    """Says on standard error what is being done, `loading JAX …`, where it takes longer than so many seconds.

    The first of several such things is said earlier, where `say_soon` has asked for that.
    """
    import time
    from threading import Timer

    if _due is not None:
        seconds = min(seconds, max(0.05, _due - time.monotonic()))
    timer = Timer(seconds, say, [f"{what} …"])
    timer.daemon = True
    with suppress(RuntimeError):  # no more threads can be had
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
