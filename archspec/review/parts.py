"""Pieces of HTML that the page's sections are made of. All text is escaped here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

_STATIC = Path(__file__).parent / "static"

Cell = str | int | float | None


class Column(NamedTuple):
    """A column of a table: its heading, and whether its numbers are shares, said in percent."""

    name: str
    percent: bool = False
    title: str = ""


def said(value: Cell, percent: bool = False) -> str:
    """A cell's text: whole numbers with separators, others to four figures; a dash for none."""
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    if percent:
        return f"{100 * value:.2f}"
    return (f"{value:,}" if isinstance(value, int) else f"{value:.4g}").replace("-", "−")


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, caption: str, sortable: bool = False) -> str:
    """A table whose first column names its rows; numbers stand to the right, and clicks on headings sort."""
    marks = " sortable" if sortable else ""
    head = "".join(
        f'<th scope="col" title="{escape(column.title)}">{escape(column.name)}{" %" if column.percent else ""}</th>'
        for column in columns
    )
    body = []
    for row in rows:
        cells = []
        for index, (column, value) in enumerate(zip(columns, row, strict=True)):
            text = escape(said(value, column.percent))
            if index == 0:
                cells.append(f'<th scope="row">{text}</th>')
            elif isinstance(value, str):
                cells.append(f"<td>{text}</td>")
            else:
                known = f' data-value="{value!r}"' if value is not None and value == value else ""
                cells.append(f'<td class="number"{known}>{text}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="figures{marks}">'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def section(id: str, title: str, *parts: str) -> str:
    """A part of the page with its heading; nothing where it is empty."""
    inner = "".join(parts)
    if not inner:
        return ""
    name = escape(id)
    head = f'<h2 id="{name}-title">{escape(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{head}{inner}</section>'


def paragraph(text: str) -> str:
    return f'<p class="said">{escape(text)}</p>'


def heading(text: str) -> str:
    return f"<h3>{escape(text)}</h3>"


def folded(title: str, inner: str, *, open: bool = False) -> str:
    """A part that opens when its title is clicked."""
    return f"<details{' open' if open else ''}><summary>{escape(title)}</summary>{inner}</details>"


def cards(items: Sequence[str]) -> str:
    """Figures with their captions, side by side."""
    return f'<ul class="cards">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def card(pictures: str, lines: Sequence[str], name: str) -> str:
    """Pictures of one sample, what is said of it, and its name: of a path the end, which tells samples apart."""
    text = "".join(f"<span>{escape(line)}</span>" for line in lines)
    whole = escape(name)
    *before, folder, file = ("", "", *name.replace("\\", "/").split("/"))
    short = escape(f"{folder}/{file}" if any(before) and folder else name)
    text += f'<span class="name" title="{whole}">{short}</span>'
    return f'<figure><div class="pictures">{pictures}</div><figcaption>{text}</figcaption></figure>'


def whole_page(
    title: str,
    sections: Sequence[tuple[str, str, str]],
    body: str,
    *,
    style: str,
    script: str,
    styles: str,
    scripts: str,
) -> str:
    """A page of sections (id, title, HTML) that stand in the body. Its policy forbids every connection, and all styles
    and scripts but those with the digests `styles` and `scripts`."""
    policy = (
        f"default-src 'none'; style-src {styles}; script-src {scripts}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    parts = {
        "policy": escape(policy),
        "title": escape(title),
        "style": style,
        "script": script,
        "links": "".join(f'<a href="#{id}">{escape(name)}</a>' for id, name, _ in sections),
        "body": body,
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], static("review.html"))
    return page.encode("utf-8", "replace").decode("utf-8")


def static(name: str) -> str:
    """A file that pages are made of."""
    return (_STATIC / name).read_text("utf-8")
