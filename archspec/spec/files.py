"""What a YAML file is, told from its text alone: a spec, a file of blocks for others to import, or none of ours."""

from __future__ import annotations

import re

ENDINGS = (".yaml", ".yml")

_KEY = re.compile(r"""^\ufeff?(?:\{\s*)?(["']?)archspec\1\s*:""", re.MULTILINE)
"""What every spec says."""

_SECTION = re.compile(r"^\ufeff?(\w+)\s*:", re.MULTILINE)


def is_ours(text: str) -> bool:
    """Whether a text says `archspec:`, as specs do and files of blocks."""
    return _KEY.search(text) is not None


def is_library(text: str) -> bool:
    """Whether a text of ours has blocks alone, and no network."""
    names = set(_SECTION.findall(text))
    return "blocks" in names and not names & {"layers", "variants", "extends", "input", "inputs"}
