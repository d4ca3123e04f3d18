"""Overrides as they are given: `--set` and `--input`, arguments behind a SPEC, values from Python."""

from __future__ import annotations

from typing import Any, NamedTuple

from archspec.diagnostics import Findings, Source, Span
from archspec.located import Located, Scalar, Sequence, describe, locate
from archspec.source import read_text
from archspec.spec.arguments import NAME

COMMAND_LINE = "command line"
SPEC = "SPEC"
"""What places in the text of a SPEC are called."""


class Override(NamedTuple):
    """One `--set path=value`, or an argument given from Python. `keys` are the words of the path, at their places."""

    keys: tuple[Scalar, ...]
    value: Located

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(key.value for key in self.keys)

    @property
    def span(self) -> Span:
        """Where the path is written."""
        first, last = self.keys[0], self.keys[-1]
        return Span(first.source, first.line, first.column, last.end_line, last.end_column)


def parse_override(text: str, findings: Findings, option: str = "--set") -> Override | None:
    """`train.epochs=2` as a path and a YAML value."""
    path, equals, value_text = text.partition("=")
    if not equals or not all(part.strip() for part in path.split(".")):
        findings.error("E113", f"{option} takes path=value, not {describe(text)}", help=["--set train.epochs=2"])
        return None
    before = f"{option} {path}="
    source = Source(COMMAND_LINE, before + value_text)
    keys = _keys(path, source, len(option) + 2)
    if not value_text.strip():
        return Override(keys, Scalar(source, (1, len(before), 1, len(before) + 1), None))
    value = read_text(value_text, COMMAND_LINE, findings, before=before)
    return Override(keys, value) if value else None


def parse_arguments(
    text: str, mark: int, findings: Findings, node: Scalar | None = None
) -> tuple[Override, ...] | None:
    """The arguments that a SPEC gives: `name=value&name=value` behind the `?` at `mark`. None with the reasons.

    Where a spec has the text, `node` is where it stands.
    """
    overrides: list[Override] = []
    source = Source(SPEC, text) if node is None else node.source

    def at(start: int, length: int) -> tuple[int, int, int, int]:
        return (1, start + 1, 1, start + 1 + max(1, length)) if node is None else node.place

    good = True
    start = mark + 1
    for part in text[start:].split("&"):
        path, equals, written = part.partition("=")
        name = path.strip().removeprefix("args.")
        if not equals or not NAME.match(name):
            help = [f"another value is set by --set {part.strip()}"] if equals and "." in name else []
            findings.error(
                "E113",
                f"behind `?` a SPEC has arguments, name=value, not {describe(part)}",
                Span(source, *at(start, len(part))),
                help=help or [f"for example {text[:mark][:60]}?width=2&depth=3"],
            )
            good = False
        else:
            begin = start + len(path) + 1
            value: Located | None = Scalar(source, at(begin, 1), None)
            if written.strip():
                value = read_text(written, SPEC, findings, before=text[:begin])
                if value is not None and node is not None:
                    value = locate(value.plain, node.source, node.place)
            if any(item.path[-1] == name for item in overrides):
                findings.error("E113", f"`{name}` is given twice", Span(source, *at(start, len(part))))
                good = False
            place = at(start + len(path) - len(path.lstrip()), len(path.strip()))
            good = good and value is not None
            if value is not None:
                overrides.append(Override((Scalar(source, place, "args"), Scalar(source, place, name)), value))
        start += len(part) + 1
    return tuple(overrides) if good else None


class Size(Override):
    """`--input 64x64` or `--input left=64x64`: another size of an input. `keys` is the input's name, if one is given.

    What the numbers stand for depends on what the input is, so the fields are found when the spec is there.
    """


def parse_input(text: str, findings: Findings) -> list[Override]:
    """The override of `--input 64x64`, `--input 64x64x3`, or of an input by its name, `--input sound=16000`."""
    name, equals, size = text.rpartition("=")
    parts = size.lower().replace("×", "x").split("x")
    numbers = len(parts) <= 3 and all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts)
    if not numbers or (equals and not name.strip()):
        findings.error(
            "E113",
            f"--input takes HxW or HxWxC, a signal's length or a vector's features, not {text[:60]!r}",
            help=["for example --input 224x224, of one input among several --input left=224x224"],
        )
        return []
    source = Source(COMMAND_LINE, f"--input {text}")
    column = len("--input ") + 1
    keys = _keys(name, source, column) if equals else ()
    column += len(name + equals)
    places = []
    for part in parts:
        places.append((1, column, 1, column + len(part)))
        column += len(part) + 1
    whole = (1, places[0][1], 1, places[-1][3])
    items: list[Located] = [Scalar(source, place, int(part)) for place, part in zip(places, parts, strict=True)]
    return [Size(keys, Sequence(source, whole, items))]


def python_override(path: tuple[str, ...], value: Any) -> Override:
    """An override from Python: the value is taken as it is."""
    # An argument is shown as the keyword that it was given as.
    hidden = 1 if path[0] == "args" else 0
    words = ".".join(path[hidden:])
    shown = f"{words}={value!r}"[:200]
    source = Source("Python", shown)
    keys = [Scalar(source, (1, 1, 1, 1 + len(words)), path[0])] if hidden else []
    column = 1
    for word in path[hidden:]:
        keys.append(Scalar(source, (1, column, 1, column + len(word)), word))
        column += len(word) + 1
    return Override(tuple(keys), locate(value, source, (1, column, 1, max(column, len(shown)) + 1)))


def _keys(path: str, source: Source, column: int) -> tuple[Scalar, ...]:
    """The words of a path that begins in a column."""
    keys: list[Scalar] = []
    for part in path.split("."):
        start = column + len(part) - len(part.lstrip())
        keys.append(Scalar(source, (1, start, 1, start + len(part.strip())), part.strip()))
        column += len(part) + 1
    return tuple(keys)
