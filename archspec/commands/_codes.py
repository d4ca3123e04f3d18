"""`archspec explain E301`: what a diagnostic's code means, why it is one, an example and the way out."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Findings, listed
from archspec.output import as_json

if TYPE_CHECKING:
    from archspec.codes import Code

ALWAYS = ("command", "folder", "images", "format", "plugins", "no_cache", "run", "parser", "version")
"""Options that have a meaning for codes, and what is no option."""


def are_codes(words: Sequence[Path]) -> bool:
    """Whether the words of a command line are codes of diagnostics, in letters of either size, and not a run's folder
    that is called so, with images behind it. One that is nearly a code, E30 or E301x, is taken for a mistyped one."""
    if not all(re.fullmatch(r"[A-Za-z]\d{3}", str(word)) for word in words):
        mistyped = len(words) == 1 and re.fullmatch(r"[EWew]\d{1,5}\w?", str(words[0])) is not None
        return mistyped and not words[0].exists()
    return not (len(words) > 1 and words[0].is_dir() and all(word.exists() for word in words[1:]))


def explain_codes(words: Sequence[str], options: argparse.Namespace) -> int:
    """Prints all about the codes. Raises `SpecError` for one that there is not, before anything is printed."""
    from archspec.codes import CODES

    findings = Findings()
    for name, value in vars(options).items():
        if name not in ALWAYS and value != options.parser.get_default(name):
            option = next(own for own in options.parser._actions if own.dest == name).option_strings[-1]
            findings.error(
                "E113", f"{option} is for a run and images, and says nothing of codes", help=["leave it out"]
            )
    names = list(dict.fromkeys(word.upper() for word in words))
    for name in names:
        if name not in CODES:
            findings.error("E113", f"there is no code {name}", help=[near(name, list(CODES))])
    findings.raise_if_failed()
    codes = [CODES[name] for name in names]
    if options.format == "json":
        print(as_json([to_dict(code) for code in codes]))
    else:
        print("\n\n\n".join(text_of(code) for code in codes))
    return 0


def near(name: str, known: Sequence[str]) -> str:
    """The codes that may have been meant, the nearest by number."""
    alike = [code for code in known if code[0] == name[0]] or list(known)
    number = int("".join(filter(str.isdigit, name))[:3].ljust(3, "0"))  # E30 is the beginning of E301
    nearest = sorted(sorted(alike, key=lambda code: abs(int(code[1:]) - number))[:3])
    return f"the nearest are {listed(nearest, 3)}; docs/diagnostics.md lists them all"


def to_dict(code: Code) -> dict[str, Any]:
    """A code as plain data; `said` is what `validate` prints of an example that is a spec."""
    from archspec.manual.examples import example_of, plain, said_of

    return {
        "code": code.code,
        "severity": code.severity,
        "what": code.what,
        "why": plain(code.why),
        "mend": plain(code.mend),
        "example": example_of(code),
        "said": said_of(code) or None,
    }


def text_of(code: Code) -> str:
    """A code as people read it."""
    from archspec.manual.examples import example_of, plain, said_of

    lines = [f"{code.severity} {code.code}: {code.what}", "", plain(code.why), ""]
    if code.example:
        said = ("of which `archspec validate net.yaml` says", said_of(code))
        parts = [("for example, net.yaml:", example_of(code)), said]
    else:
        parts = [("for example", example_of(code))]
    for head, text in parts:
        lines += [head, "", *(f"    {line}" if line else "" for line in text.splitlines()), ""]
    return "\n".join([*lines, f"way out: {plain(code.mend)}"])
