"""Formats specs: spaces alone change, and comments stay."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from archspec.commands._common import show
from archspec.diagnostics import DataError, Diagnostic, Findings, count
from archspec.output import printable, say
from archspec.source import MAX_BYTES, STANDARD_INPUT, text_in
from archspec.spec.files import ENDINGS, is_ours


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a spec or a file of blocks, a folder with such, or - for standard input, which is printed formatted",
    )
    command.add_argument("--check", action="store_true", help="change nothing; the exit status is 1 where it would")
    command.add_argument("--diff", action="store_true", help="the same, with the lines that would change")
    command.epilog = "example: archspec format specs --check"


def run(options: argparse.Namespace) -> int:
    """Formats files, or says which ones it would. What cannot be read or is not YAML stays, with an error."""
    from archspec.editing.formatting import CannotFormat, formatted

    findings = Findings()
    keeps = options.check or options.diff
    changed, same, others = 0, 0, 0
    for path in _files(options.files):
        text = _text(path, findings)
        if text is None:
            continue
        piped = path == STANDARD_INPUT
        if not piped and not is_ours(text):
            others += 1
            continue
        name = "standard input" if piped else str(path)
        try:
            after = formatted(text)
        except CannotFormat as error:
            findings.error("E104", f"{name} is not formatted: {error}")
            continue
        changed, same = changed + (after != text), same + (after == text)
        if options.diff and after != text:
            print(_diff(name, text, after))
        if piped and not keeps:
            sys.stdout.write(after)
        elif after != text and not keeps:
            _write(path, after, findings)
        if after != text and not options.diff and not (piped and not keeps):
            print(printable(f"{'would format' if keeps else 'formatted'} {name}"))
    if not (str(STANDARD_INPUT) in options.files and not keeps):
        say(_summary(changed, same, others, keeps=keeps))
    show(findings.sorted(), options)
    return 1 if findings.failed or (keeps and changed) else 0


def _summary(changed: int, same: int, others: int, *, keeps: bool) -> str:
    parts = [f"{count(changed, 'file')} {'would be ' if keeps else ''}formatted", f"{same:,} left as they were"]
    if others:
        parts.append(f"{others:,} without `archspec:` passed over")
    return ", ".join(parts)


def _files(names: list[str]) -> Iterator[Path]:
    """The files that are named, and those in folders, each once."""
    seen: set[Path] = set()
    for name in names:
        path = Path(name)
        inside = [file for ending in ENDINGS for file in path.rglob(f"*{ending}")] if path.is_dir() else [path]
        for file in sorted(inside):
            if file not in seen and not (path.is_dir() and _is_hidden(file.relative_to(path))):
                seen.add(file)
                yield file


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _text(path: Path, findings: Findings) -> str | None:
    """A file's text with its ends of lines and its mark; None with the reason reported."""
    try:
        if path == STANDARD_INPUT:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        findings.error("E101", f"cannot read {path}: {getattr(error, 'strerror', None) or error}")
        return None
    return text_in(data, str(path), findings)


def _write(path: Path, text: str, findings: Findings) -> None:
    from archspec.writing import write

    try:
        write(path, text)
    except DataError as error:
        findings.add(Diagnostic(error.code, error.message, help=error.help))


def _diff(name: str, before: str, after: str) -> str:
    lines = unified_diff(before.splitlines(), after.splitlines(), name, f"{name}, formatted", lineterm="", n=1)
    return "\n".join(map(printable, lines))
