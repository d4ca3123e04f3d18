"""One code of diagnostics."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Code(NamedTuple):
    """One code. `example` is a spec that has it, or the part of one that matters; see `complete`.

    Where no spec has it by itself, `commands` come to it, the last of them, in a folder with `digits.yaml`
    (specs/examples), its run and a picture, `seven.png`.
    """

    code: str
    what: str
    why: str
    mend: str
    example: str = ""
    commands: tuple[str, ...] = ()

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "warning" if self.code.startswith("W") else "error"


def complete(example: str) -> str:
    """A whole spec of an example: what it lacks of version, name and input comes before it."""
    if example.startswith(("- ", "archspec:")):
        return example + "\n"
    head = "archspec: 1\nname: net\n"
    if "input:" not in example and "inputs:" not in example and "extends:" not in example:
        head += "input: {height: 8, width: 8, channels: 3}\n"
    return head + example + "\n"
