"""`archspec validate --fix`: changes files as far as their findings' help lines leave no doubt."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import failed, show
from archspec.commands.validate import findings_of, ok
from archspec.diagnostics import DataError, Findings, count, listed
from archspec.mending import Fixed, Mender, Reading, Step, is_foreign, written
from archspec.output import as_json, printable, say
from archspec.source import STANDARD_INPUT, Texts, laid, laid_now, text_of

if TYPE_CHECKING:
    from archspec.spec.overrides import Override

_INPUT = STANDARD_INPUT.resolve()

_MOST = 12
"""Lines of a mend that are shown before and after."""


def run(targets: Sequence[str], overrides: Sequence[Override], options: argparse.Namespace) -> int:
    """Mends specs and says what was changed and what is left, by which the exit status goes.

    Of a spec from standard input the mended text is printed on standard output, and all else on standard error. Files
    are looked at as a whole, with all their variants. Raises `SpecError` with options that lay something over a file.
    """
    if overrides:
        help = ["leave `--set` and `--input` out, or mend the file by hand"]
        raise DataError("E113", "--fix changes files by what they say themselves", help=help).located(None)
    targets = list(dict.fromkeys(map(_whole, targets)))
    given = {Path(target).resolve() for target in targets}

    def read(target: str) -> Reading:
        findings = Findings()
        found, _ = findings_of(target, overrides, findings)
        return Reading(tuple(found), frozenset(path.resolve() for path in findings.files))

    def may(path: Path) -> str | None:
        if path.resolve() == _INPUT and str(STANDARD_INPUT) in targets:
            return None
        return is_foreign(path) or _unwritable(path)

    fixed = Mender(targets, read, may).all()
    try:
        files = written(fixed, but=_INPUT)
    except DataError as error:
        raise error.located(None) from None
    status = 1 if failed(fixed.findings, options) else 0
    piped = str(STANDARD_INPUT) in targets
    text = fixed.texts[_INPUT][1] if _INPUT in fixed.texts else text_of(STANDARD_INPUT) if piped else None
    if options.format == "json":
        print(as_json(_as_json(fixed, files, text)))
        return status
    if text is not None:
        print(text, end="")
    tell: Callable[[str], object] = say if piped else print
    for step in fixed.steps:
        tell(_shown(step))
    if fixed.steps:
        names = ["standard input" if path == _INPUT else _named(path) for path in fixed.texts]
        tell(f"{count(len(fixed.steps), 'mend')} in {listed(names, 40)}")
        if shared := [_named(path) for path in fixed.texts if path not in given]:
            tell(f"note: {listed(shared)} is read by what was named; others that read it were not looked at")
    with laid(Texts({path: new for path, (_, new) in fixed.texts.items()}, laid_now())):
        for target in targets:
            for spec in findings_of(target, overrides)[1]:
                if not failed(spec.diagnostics, options):
                    tell(ok(spec))
    show(fixed.findings, options)
    for item, why in fixed.left.items():
        place = f"{item.primary.span}: " if item.primary is not None else ""
        say(f"not mended: {place}{item.code}, since {why}")
    open_ = sum(bool(item.mends) and item not in fixed.left for item in fixed.findings)
    if open_:
        say(f"left to you: {count(open_, 'finding')} that can be mended in more than one way, or not without doubt")
    return status


def _unwritable(path: Path) -> str | None:
    """Why a file cannot be written, so that others are not changed before that is found; None where it can."""
    real = path.resolve()
    if not os.access(real, os.W_OK):
        return f"{path} is read-only"
    return None if os.access(real.parent, os.W_OK) else f"{path} lies in a folder that is read-only"


def _whole(target: str) -> str:
    """The file of which a target names a variant, or to which it gives arguments; else the target itself."""
    from archspec.zoo import find_spec

    path, variant, arguments = find_spec(target, Findings())
    return str(path) if path is not None and (variant or arguments) else target


def _named(path: Path) -> str:
    """A file as one would name it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _shown(step: Step) -> str:
    """A mend with the lines that it changed."""
    lines = [f"mended: {step.place}: {step.code}, {step.help}"]
    lines += [f"  - {line}" for line in step.before[:_MOST]]
    lines += [f"  + {line}" for line in step.after[:_MOST]]
    more = max(len(step.before), len(step.after)) - _MOST
    lines += [f"    and {count(more, 'line')} more"] if more > 0 else []
    return "\n".join(map(printable, lines))


def _as_json(fixed: Fixed, files: Sequence[Path], text: str | None) -> dict[str, object]:
    steps = [{**step._asdict(), "before": list(step.before), "after": list(step.after)} for step in fixed.steps]
    found = [{**item.to_json(), "not_mended": fixed.left.get(item)} for item in fixed.findings]
    given = {} if text is None else {"text": text}
    return {"mended": steps, "files": [str(path) for path in files], "left": found, **given}
