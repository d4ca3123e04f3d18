"""docs/diagnostics.md, made of the codes."""

from __future__ import annotations

from archspec.codes import CODES
from archspec.manual.examples import example_of, said_of

GROUPS = {
    "E1": "Files, text and the command line",
    "E2": "What the language does not have",
    "E3": "Shapes",
    "E4": "Bounds",
    "E50": "Data and training",
    "E51": "Data and training",
    "E52": "Data and training",
    "E53": "Weights and files that are written",
    "E54": "Weights and files that are written",
    "E55": "Exports",
    "E561": "Drawings",
    "E56": "Models of other tools",
    "E57": "Processes that train together",
    "E9": "What went wrong outside the spec",
    "W2": "Warnings of the language",
    "W3": "Warnings of shapes",
    "W4": "Warnings of devices",
}
"""Headings by how codes begin; codes with one heading stand together."""

_HEAD = """# Diagnostics

Everything that is wrong with a spec is reported at once, each finding with its place, the reason and a way out.
`--format json` prints the same as data. The exit status is 0 (fine, warnings allowed), 1 (something that has a code
below, or output that was lost), 2 (the command line cannot be parsed), 70 (E901, a fault of archspec itself), 75 (E573,
another process of a run is gone) or 130 (Ctrl-C); `--strict` makes warnings errors.

`archspec validate --fix` does what help lines say that leave no doubt: the one name that is spelt nearly alike, what
another library calls a kind or a field, a field that belongs further in. Each change is tried first, and made only if
its finding is gone with it and no new error has come, in any variant and any other spec that is given; it is shown as
the lines before and after. What within an entry was never read, since its kind was unknown, counts as having been
there. Comments, quotes, line ends and all else stay as they are. What can be mended in more than one way is left to
you, as are files of the zoo and of packages; the exit status goes by what is left. Of standard input (`-`) the mended
text is printed. `--format json` has every mend as data, those too that `--fix` leaves: file, lines, columns and the
text to put there. Names are brought over, not defaults: what another library takes where a field is left out, such as
the slope of a leaky ReLU, may be something else here.

Where a terminal cannot show a character, one like it stands in its place; JSON, YAML, SVG and HTML have escapes and
references instead, and mean the same. Control characters in specs and file names are replaced, so that they cannot
drive the terminal. A standard stream that is closed, or whose reader has gone, ends no command; standard output that is
full makes the exit status 1 when the command has done its work. Files are written as a whole or not at all.
`ARCHSPEC_DEBUG=1` in the environment prints the traceback of an error that nobody foresaw (E901 to E904).

`archspec explain E301` prints what this page has of a code, `archspec explain E301 W301` of several. Examples are
specs, with what `archspec validate net.yaml` says of them, or commands, in a folder with `digits.yaml` (of
specs/examples), its run and a picture, of which the last comes to the code.

This page is made by `python -m archspec.codes`.
"""


def page() -> str:
    """docs/diagnostics.md."""
    lines = [_HEAD, "| code | meaning |", "|---|---|"]
    lines += [f"| [{code.code}](#{code.code.lower()}) | {code.what} |" for code in CODES.values()]
    heading = None
    for code in CODES.values():
        group = next(title for start, title in GROUPS.items() if code.code.startswith(start))
        if group != heading:
            heading = group
            lines += ["", f"## {group}"]
        lines += ["", f"### {code.code}", "", f"**{code.what[:1].upper()}{code.what[1:]}.** {code.why}", ""]
        lines += ["```yaml" if code.example else "```console", example_of(code), "```", ""]
        if code.example:
            lines += ["```text", said_of(code), "```", ""]
        mend = code.mend if code.mend.endswith((".", "`")) else code.mend + "."
        lines.append(f"*Way out:* {mend}")
    return "\n".join(lines) + "\n"
