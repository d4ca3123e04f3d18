"""The text of Darknet's .cfg files: sections with options, as `parser.c` and `option_list.c` of Darknet read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from archspec.diagnostics import DataError, Source
from archspec.importing.reading import fault

MAX_SECTIONS = 10_000
MAX_NUMBER = 2**31 - 1
_INT = re.compile(r"([+-]?\d{1,20})(?:\.\d*)?(?:$|[#;,])")
_FLOAT = re.compile(r"([+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?)(?:$|[#;,])")


@dataclass(frozen=True)
class Section:
    """`[name]` with its options, each with the line it stands on; of two of one name the first holds."""

    name: str
    line: int
    options: dict[str, tuple[str, int]]
    source: Source

    def text(self, key: str, default: str = "") -> str:
        return self.options[key][0] if key in self.options else default

    def fault(self, message: str, key: str = "") -> Exception:
        """What is wrong with an option, at its place."""
        return fault(self.source, self.options[key][1] if key in self.options else self.line, message)

    def whole(self, key: str, default: int = 0, *, low: int | None = None) -> int:
        """An option as a whole number. Raises `SpecError` where it is none, or below `low`."""
        if key not in self.options:
            return default
        text = self.options[key][0]
        found = _INT.match(text)
        value = int(found[1]) if found else None
        if value is None or abs(value) > MAX_NUMBER:
            raise self.fault(f"`{key}` is a whole number, not {text[:40]!r}", key)
        if low is not None and value < low:
            raise self.fault(f"`{key}` is {low} or more, not {value}", key)
        return value

    def number(self, key: str, default: float = 0.0) -> float:
        """An option as a number. Raises `SpecError` where it is none."""
        if key not in self.options:
            return default
        text = self.options[key][0]
        found = _FLOAT.match(text)
        if found is None:
            raise self.fault(f"`{key}` is a number, not {text[:40]!r}", key)
        return float(found[1])

    def numbers(self, key: str) -> list[int]:
        """Whole numbers with commas between them. Raises `SpecError` where there are none."""
        text = self.text(key).split("#")[0].strip(",")
        parts = text.split(",") if text else []
        if not parts or len(parts) > 1000 or not all(re.fullmatch(r"[+-]?\d{1,9}", part) for part in parts):
            raise self.fault(f"`{key}` of [{self.name}] lists whole numbers", key)
        return [int(part) for part in parts]


def sections(source: Source) -> list[Section]:
    """The sections of a file, the first of them [net]. Raises `SpecError` and `DataError`."""
    found = list(_sections(source))
    if not found:
        raise DataError("E563", f"{source.name} has no sections: each layer is one, such as [convolutional]")
    if found[0].name not in ("net", "network"):
        raise fault(source, found[0].line, "the first section is [net] or [network], which says how large the input is")
    if len(found) > MAX_SECTIONS:
        raise DataError("E564", f"{source.name} has {len(found):,} sections; up to {MAX_SECTIONS:,} are read")
    return found


def _sections(source: Source) -> Iterator[Section]:
    heads: list[int] = []
    lines = [re.sub(r"[ \t\r]+", "", line) for line in source.text.split("\n")]
    for number, line in enumerate(lines, 1):
        if line.startswith("["):
            heads.append(number)
        elif line and line[0] not in "#;\0" and not heads:
            raise fault(source, number, "an option stands before the first section")
    for first, last in pairwise([*heads, len(lines) + 1]):
        name = lines[first - 1].split("]")[0][1:]
        options: dict[str, tuple[str, int]] = {}
        for number in range(first + 1, last):
            line = lines[number - 1]
            if not line or line[0] in "#;\0":
                continue
            key, equals, value = line.partition("=")
            if not equals:
                raise fault(source, number, f"[{name[:40]}] has options `name=value`, not {line[:40]!r}")
            options.setdefault(key, (value, number))
        yield Section(name, first, options, source)
