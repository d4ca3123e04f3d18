"""Tables of any content, and how each format writes them: text, CSV, Markdown, LaTeX, HTML."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

Raw = str | int | float | bool | None

LONG = 45
"""Rows beyond which a LaTeX table may break over pages."""


class Cell(NamedTuple):
    """A cell as people read it, and the value that CSV has in its place: `Cell("4.089 G", 4089184256)`."""

    text: str
    raw: Raw


Row = Sequence[str | Cell]


def short(value: float, digits: int = 3) -> str:
    """A number of so many significant digits, large ones without an exponent: 0.25, 12.3, 1,230."""
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10**digits else f"{rounded:.{digits}g}"


@dataclass(frozen=True)
class Table:
    """A table ready to be written.

    `right` says which columns are set flush right. `keys` head the columns in CSV, where a heading should be a name
    that programs like; `foot` is set apart below the rows and not part of the CSV; `caption` are lines above the
    table, `notes` lines below it.
    """

    head: Sequence[str]
    rows: Sequence[Row]
    right: Sequence[bool]
    caption: Sequence[str] = ()
    notes: Sequence[str] = ()
    foot: Sequence[Row] = ()
    keys: Sequence[str] = ()

    def __post_init__(self) -> None:
        for row in (self.right, *self.rows, *self.foot, *([self.keys] if self.keys else [])):
            if len(row) != len(self.head):
                raise ValueError(f"a row of {len(row)} cells in a table of {len(self.head)} columns")

    def bare(self) -> Table:
        """The table without caption and notes."""
        return replace(self, caption=(), notes=())

    def transposed(self, corner: str = "") -> Table:
        """The table with its rows as columns: the first column's cells become the head."""
        head = [corner, *(shown(row[0]) for row in self.rows)]
        rows = [[name, *(row[i] for row in self.rows)] for i, name in enumerate(self.head) if i > 0]
        return Table(head, rows, [False, *[True] * len(self.rows)], self.caption, self.notes)


def shown(cell: str | Cell) -> str:
    """A cell's text in one line, without characters that drive a terminal."""
    text = cell if isinstance(cell, str) else cell.text
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text).strip()


def _shown(rows: Sequence[Row]) -> list[list[str]]:
    return [[shown(cell) for cell in row] for row in rows]


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Rows as lines with columns of equal width; `right` says which are set flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def text(table: Table) -> str:
    """Columns of equal width under a rule; of a table without columns the lines around it."""
    if not table.head:
        return "\n".join([*table.caption, *table.notes])
    lines = aligned([list(table.head), *_shown(table.rows), *_shown(table.foot)], table.right)
    rule = "─" * max(map(len, lines))
    split = 1 + len(table.rows)
    parts = [lines[0], rule, *lines[1:split]]
    if table.foot:
        parts += [rule, *lines[split:]]
    above = [*table.caption, ""] if table.caption else []
    below = ["", *table.notes] if table.notes else []
    return "\n".join([*above, *parts, *below])


def csv_text(table: Table) -> str:
    """Comma-separated values (RFC 4180, lines ending in a line feed): a head, then raw numbers in base units."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.keys or table.head)
    for row in table.rows:
        writer.writerow(
            [shown(cell) if isinstance(cell, str) else "" if cell.raw is None else cell.raw for cell in row]
        )
    return out.getvalue().removesuffix("\n")


def _markdown(text: str) -> str:
    text = re.sub(r"([\\`*\[\]<>|~])", r"\\\1", text.replace("&", "&amp;"))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


def markdown(table: Table) -> str:
    """A table of GitHub-flavoured Markdown, padded so that the source reads well too. Without columns there are its
    lines alone."""
    if not table.head:
        return "\n\n".join(map(_markdown, [*table.caption, *table.notes]))
    cells = [[_markdown(cell) for cell in row] for row in [list(table.head), *_shown([*table.rows, *table.foot])]]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(table.head))]
    lines = [
        "| "
        + " | ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, table.right, strict=True)
        )
        + " |"
        for row in cells
    ]
    marks = ["-" * (width + 1) + (":" if flush else "-") for width, flush in zip(widths, table.right, strict=True)]
    above = [line for item in table.caption for line in (_markdown(item), "")]
    below = [line for item in table.notes for line in ("", _markdown(item))]
    return "\n".join([*above, lines[0], "|" + "|".join(marks) + "|", *lines[1:], *below])


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "−": "$-$",
    "±": r"$\pm$",
    "→": r"$\rightarrow$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "²": "$^2$",
    "³": "$^3$",
    "√": r"$\surd$",
    "Δ": r"$\Delta$",
    "µ": r"$\mu$",
    "…": r"\dots{}",
    **{char: "\\" + char for char in "&%$#_{}"},
}


def latex_escape(text: str) -> str:
    """Text as LaTeX sets it literally."""
    made = "".join(_LATEX.get(char, char) for char in text).replace("--", "-{}-")
    # Behind the end of a row, LaTeX would take a bracket or star as that end's option.
    return "{}" + made if made.startswith(("[", "*")) else made


def latex(table: Table) -> str:
    """A table for the booktabs package; one that may break over pages, for longtable, where it is long.

    Of a table without columns the lines around it, a paragraph each: LaTeX stops at a tabular without columns.
    """
    if not table.head:
        return "\n\n".join(map(latex_escape, [*table.caption, *table.notes]))
    columns = "".join("r" if flush else "l" for flush in table.right)
    head, *rows = (
        " & ".join(map(latex_escape, row)) + r" \\" for row in [list(table.head), *_shown([*table.rows, *table.foot])]
    )
    if table.foot:
        rows.insert(len(table.rows), r"\midrule")
    caption = r"\caption{" + r" ".join(_sentence(latex_escape(line)) for line in table.caption) + "}"
    notes = [rf"\par\smallskip {latex_escape(line)}" for line in table.notes]
    if len(rows) > LONG:
        return "\n".join(
            [
                r"% \usepackage{booktabs,longtable}",
                rf"\begin{{longtable}}{{{columns}}}",
                *([caption + r" \\"] if table.caption else []),
                r"\toprule",
                head,
                r"\midrule",
                r"\endhead",
                r"\bottomrule",
                r"\endfoot",
                *rows,
                r"\end{longtable}",
                *notes,
            ]
        )
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            *([caption] if table.caption else []),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
        ]
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ":")) else text + "."


def html(table: Table) -> str:
    """An HTML fragment: a table with a caption, and the notes below it; without columns the lines alone."""
    from html import escape

    if not table.head:
        return "".join(f"<p>{escape(line)}</p>" for line in [*table.caption, *table.notes])

    def row(cells: Sequence[str], tag: str) -> str:
        return (
            "<tr>"
            + "".join(
                f"<{tag} style='text-align:{'right' if flush else 'left'}'>{escape(cell)}</{tag}>"
                for cell, flush in zip(cells, table.right, strict=True)
            )
            + "</tr>"
        )

    caption = "<br>".join(map(escape, table.caption))
    foot = "".join(row(cells, "td") for cells in _shown(table.foot))
    return (
        "<table>"
        + (f"<caption style='text-align:left'>{caption}</caption>" if caption else "")
        + f"<thead>{row(list(table.head), 'th')}</thead>"
        + f"<tbody>{''.join(row(cells, 'td') for cells in _shown(table.rows))}</tbody>"
        + (f"<tfoot>{foot}</tfoot>" if foot else "")
        + "</table>"
        + "".join(f"<p>{escape(line)}</p>" for line in table.notes)
    )


WRITERS: dict[str, Callable[[Table], str]] = {
    "table": text,
    "text": text,
    "csv": csv_text,
    "markdown": markdown,
    "latex": latex,
    "html": html,
}
"""How each format writes a table; a command offers "table" or "text"."""
