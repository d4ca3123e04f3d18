"""What is found in a spec, whether it can be opened or not."""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import Diagnostic, SpecError
from archspec.loading import open_spec


def found(target: Path | str) -> list[Diagnostic]:
    """Every diagnostic."""
    try:
        return list(open_spec(str(target)).diagnostics)
    except SpecError as error:
        return list(error.diagnostics)


def errors(target: Path | str) -> list[Diagnostic]:
    """The diagnostics that are no warnings."""
    return [item for item in found(target) if item.severity == "error"]


def codes(target: Path | str) -> list[str]:
    """The code of every diagnostic."""
    return [item.code for item in found(target)]
