"""A comparison as Markdown that fits a pull request."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.comparing.pieces import (
    Piece,
    below,
    network_summary,
    of_flips,
    overview,
    pieces_of,
    summary,
    with_own_part,
)
from archspec.diagnostics import Diagnostic, count
from archspec.output import printable
from archspec.reports import cells
from archspec.reports.cells import Table

if TYPE_CHECKING:
    from archspec.comparing.comparison import Comparison

LIMIT = 65_536 - 136
"""Characters that a comment on GitHub may have, less room for a mark by which the action finds its own."""

CLOSING = 400
"""Of which so many are kept for what is said of the rest."""

FOLDED = 20
"""Rows from which on a table of one network is folded in Markdown."""


def _safe(text: str) -> str:
    """Markdown in which nobody is mentioned: a name of a layer or a file is no person's."""
    return re.sub(r"@(?=[\w])", "@<!-- -->", text)


def _fenced(code: str) -> str:
    longest = max(map(len, re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{code}\n{fence}"


def _markdown_of(piece: Piece, room: int) -> tuple[str, int]:
    """A piece in no more than so many characters, and how many of its rows or lines are left out."""

    def made(number: int) -> str:
        parts = [_safe(cells.markdown(Table((), (), (), notes=[piece.title])))] if piece.title else []
        if piece.table is not None:
            parts.append(_safe(cells.markdown(replace(piece.table, rows=piece.table.rows[:number]))))
        elif piece.lines:
            parts.append(
                "\n".join(
                    f"- {_safe(cells.markdown(Table((), (), (), notes=[line])))}" for line in piece.lines[:number]
                )
            )
        elif piece.code:
            parts.append(_fenced("\n".join(piece.code.split("\n")[:number])))
        return "\n\n".join(parts)

    total = piece.rows if piece.table is not None or piece.lines else piece.code.count("\n") + 1
    if len(whole := made(total)) <= room:
        return whole, 0
    low, high = 0, total
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(made(middle)) <= room else (low, middle)
    return (made(low), total - low) if low else ("", total)


def markdown(comparison: Comparison, limit: int = LIMIT) -> str:
    """The comparison as GitHub-flavoured Markdown of at most so many characters. What is left out is counted.

    A line with the sum of it comes first; what is long is folded.
    """
    from html import escape

    several = len(comparison.networks) > 1
    head = _safe(cells.markdown(Table((), (), (), notes=[summary(comparison)])))
    blocks = [f"**{head[: limit // 8]}**"]
    left_rows, left_networks = 0, 0

    def room() -> int:
        return limit - CLOSING - sum(len(block) + 2 for block in blocks)

    def add(block: str) -> bool:
        if len(block) > room():
            return False
        blocks.append(block)
        return True

    if several and comparison.different:
        block, left = _markdown_of(overview(comparison), room() // 2)
        left_rows += left
        blocks.append(block)
    seen: set[Diagnostic] = set()
    rest = below(comparison)
    for network in with_own_part(comparison):
        title = _safe(escape(printable(f"{network.name}: {network_summary(network)}")))
        opening, closing = (f"<details><summary>{title}</summary>", "</details>") if several else ("", "")
        if several and len(opening) + len(closing) > room() - 200:
            left_networks += 1
            continue
        inner: list[str] = []
        size = len(opening) + len(closing) + 8
        for piece in pieces_of(network, seen):
            long = not several and piece.rows > FOLDED
            around = 60 + len(piece.title) if long else 0
            block, left = _markdown_of(piece._replace(title="") if long else piece, room() - size - around)
            left_rows += left
            if not block:
                continue
            if long:
                name = piece.title or (piece.table.head[0] if piece.table is not None else "more")
                block = f"<details><summary>{_safe(escape(printable(name)))}</summary>\n\n{block}\n\n</details>"
            inner.append(block)
            size += len(block) + 2
        blocks.append("\n\n".join([*([opening] if opening else []), *inner, *([closing] if closing else [])]))
    for piece in of_flips(comparison):
        long = piece.rows > FOLDED
        block, left = _markdown_of(piece._replace(title="") if long else piece, room() - 60 - len(piece.title))
        left_rows += left
        if block:
            blocks.append(
                f"<details><summary>{_safe(escape(piece.title))}</summary>\n\n{block}\n\n</details>" if long else block
            )
    for line in rest:
        left_rows += not add(f"- {_safe(cells.markdown(Table((), (), (), notes=[line])))}")
    if left_rows or left_networks:
        said = [count(left_networks, "network")] if left_networks else []
        said += [count(left_rows, "row")] if left_rows else []
        blocks.append(
            f"{' and '.join(said)} left out here, as a comment holds {limit:,} characters; "
            "`archspec diff` shows everything."
        )
    return "\n\n".join(block for block in blocks if block)
