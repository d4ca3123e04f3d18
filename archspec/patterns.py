"""Patterns of paths: `*` is a part of a path between dots, `**` any part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

STARS = re.compile(r"(\*\*?)")
PLACEHOLDER = re.compile(r"\{number\}|\{(\*(?:\.\*)*)(?:\+(\d{1,4})|(a))?\}|\*\*?")
"""What stands for something in a replacement: stars, a layer's `{number}`, and places `{*}`, `{*.*}`, `{*+1}` or, as
letters, `{*a}`."""
FORM = re.compile(r"\[([A-Z]+)\]$")
"""What a replacement may end with: the axes of a tensor's shape where it is not the usual one, `fc1[OI]`."""
FORMS = ("OI", "OIL", "OIHW", "CL", "CHW")
"""Axes of kernels, and of arrays of a number for each channel, that a replacement may end with."""


@lru_cache(4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern; each run of stars is a group."""
    parts = STARS.split(pattern)
    kinds = {"*": "([^.]*)", "**": "(.*)"}
    return re.compile("".join(kinds.get(part, re.escape(part)) for part in parts))


def any_matches(patterns: Iterable[str], path: str) -> bool:
    """Whether one of the patterns names a path or a scope that it lies in."""
    return any(path_matches(pattern, path) for pattern in patterns)


def path_matches(pattern: str, path: str) -> bool:
    """Whether a pattern names a path or a scope that it lies in."""
    parts = path.split(".")
    return any(compiled(pattern).fullmatch(".".join(parts[:count])) for count in range(1, len(parts) + 1))


def rewritten(pattern: str, replacement: str, path: str) -> str | None:
    """The path with what a pattern's stars stand for put in place of the replacement's; None where it does not fit."""
    match = compiled(pattern).fullmatch(path)
    if match is None:
        return None
    groups = list(match.groups())
    return STARS.sub(lambda _: groups.pop(0) if groups else "", replacement)


def fault(pattern: str, replacement: str) -> str | None:
    """What is wrong with a rule; None where nothing is."""
    rest = PLACEHOLDER.sub("", replacement)
    if "{" in rest or "}" in rest:
        return f"`{replacement[:200]}` has other braces than {{number}}, {{*}}, {{*.*}}, {{*+1}} and {{*a}}"
    if ("[" in pattern or "]" in pattern) and not re.fullmatch(r"[^][]+\[\w+(\.\w+)*\]", pattern):
        return f"`{pattern[:200]}` has other brackets than those of an array at its end, such as [scale]"
    form = FORM.search(replacement)
    if form is not None and form[1] not in FORMS:
        return f"`{replacement[:200]}` ends with other axes than {', '.join(f'[{known}]' for known in FORMS)}"
    given, wanted = (len(STARS.findall(text)) for text in (pattern, replacement))
    if wanted > given:
        return f"`{replacement[:200]}` has {wanted} stars, `{pattern[:200]}` {given}"
    return None
