"""Where each shell looks for scripts, and the line that has it look there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError, unwritable
from archspec.shell_completion.scripts import SHELLS, script
from archspec.writing import write

MARK = "# completion of archspec"
"""How the line ends that is added to a shell's own file, by which it is found again."""


class Place(NamedTuple):
    """Where a shell's script goes; which file has to read it, and by which line, None where the shell finds it."""

    script: Path
    read_by: Path | None = None
    line: str | None = None


class Installed(NamedTuple):
    """What was done: files that were written or changed, and those that were as they should be already."""

    place: Place
    written: tuple[Path, ...]
    there: tuple[Path, ...]


def shell_of_user() -> str:
    """The user's shell, by SHELL. Raises `DataError` where it is none that is known."""
    name = os.path.basename(os.environ.get("SHELL", ""))
    if name not in SHELLS:
        what = (
            f"SHELL is {name}, which archspec does not complete" if name else "SHELL does not say which shell you use"
        )
        raise DataError(
            "E113", what, help=[f"name one: {', '.join(f'--install-completion {shell}' for shell in SHELLS)}"]
        )
    return name


def place_of(shell: str) -> Place:
    """Where the script of a shell goes, in the user's home."""
    home = Path.home()
    if shell == "fish":
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        return Place(config / "fish" / "completions" / "archspec.fish")
    if shell == "zsh":
        own = home / ".zfunc" / "_archspec"
        read_by = Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
        return Place(own, read_by, f'[[ -r "$HOME/.zfunc/_archspec" ]] && source "$HOME/.zfunc/_archspec" {MARK}')
    own = home / ".bash_completions" / "archspec.sh"
    line = f'[ -r "$HOME/.bash_completions/archspec.sh" ] && . "$HOME/.bash_completions/archspec.sh" {MARK}'
    return Place(own, home / ".bashrc", line)


def install(shell: str) -> Installed:
    """Writes the script of a shell, and has the shell's own file read it. Done again, it changes nothing.

    Raises `DataError` where a file cannot be read or written; the shell's own file is changed last.
    """
    place = place_of(shell)
    done: dict[bool, list[Path]] = {True: [], False: []}
    text = script(shell).encode()
    same = _bytes_of(place.script) == text
    before = b"" if place.read_by is None else _bytes_of(place.read_by) or b""
    if not same:
        try:
            place.script.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(place.script, error) from None
        write(place.script, text)
    done[not same].append(place.script)
    if place.read_by is not None and place.line is not None:
        there = place.line.encode() in before.splitlines()
        if not there:
            gap = b"" if not before or before.endswith(b"\n") else b"\n"
            write(place.read_by, before + gap + place.line.encode() + b"\n")
        done[not there].append(place.read_by)
    return Installed(place, tuple(done[True]), tuple(done[False]))


def _bytes_of(path: Path) -> bytes | None:
    """A file's contents, None where there is none. Raises `DataError` where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError("E534", f"{path} cannot be read: {error.strerror or error}") from None


def said(shell: str, installed: Installed) -> list[str]:
    """What was done, how it is used at once, and how it is undone."""
    lines = [f"wrote {path}" for path in installed.written if path == installed.place.script]
    lines += [f"added a line to {path}" for path in installed.written if path != installed.place.script]
    lines += [f"{path} is as it should be already" for path in installed.there]
    lines.append(f"new shells complete archspec; this one after `source {installed.place.script}`")
    undo = f"delete {installed.place.script}"
    if installed.place.read_by is not None:
        undo += f", and the line that ends in `{MARK}` in {installed.place.read_by}"
    return [*lines, f"to undo it: {undo}"]
