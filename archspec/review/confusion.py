"""Which classes are taken for which: a matrix while it can be read, else the pairs; and the figures of each class."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from archspec.review.parts import Cell, Column, folded, heading, paragraph, table

MATRIX = 40
"""Classes up to which there is a matrix."""
NUMBERED = 20
"""Classes up to which its cells have numbers."""
PAIRS, BESIDE = 30, 10
"""The most frequent confusions that are listed: without a matrix, and beside one."""
ROWS = 3000
"""Classes whose figures are listed, at most."""
OPEN = 40
"""A longer list of classes is folded."""


class Confusion(NamedTuple):
    """How often each class was labelled (C,), given (C,) and both (C,), and the wrong pairs (P, 3): of each the class,
    what was given for it, and how often, the most frequent first.
    """

    names: Sequence[str]
    labelled: np.ndarray
    given: np.ndarray
    hits: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of_pairs(cls, label: np.ndarray, guess: np.ndarray, names: Sequence[str]) -> Confusion:
        """From the class and the guess of each sample."""
        size = len(names)
        right = label == guess
        codes, counts = np.unique(label[~right].astype(np.int64) * size + guess[~right], return_counts=True)
        return cls(
            names,
            np.bincount(label, minlength=size),
            np.bincount(guess, minlength=size),
            np.bincount(label[right], minlength=size),
            _ordered(codes, counts, size),
        )

    @classmethod
    def of_matrix(cls, matrix: np.ndarray, names: Sequence[str]) -> Confusion:
        """From counts (C, C), a row for each class."""
        wrong = matrix.copy()
        np.fill_diagonal(wrong, 0)
        codes = np.flatnonzero(wrong)
        return cls(
            names,
            matrix.sum(1),
            matrix.sum(0),
            np.diag(matrix),
            _ordered(codes, wrong.reshape(-1)[codes], len(names)),
        )

    def html(self, what: str, *, overlap: bool = False, matrix: bool = True) -> str:
        """Matrix or pairs, and a table of the classes; counts are of `what`. `overlap` adds the IoU."""
        square = matrix and len(self.names) <= MATRIX
        parts = []
        if square:
            parts.append(f"<div>{heading('Confusion')}{self._matrix(what)}</div>")
        if len(self.pairs) and len(self.names) > 2:
            pairs = self._pairs(what, BESIDE if square else PAIRS)
            parts.append(f"<div>{heading('Most confused')}{pairs}</div>")
        beside = f'<div class="beside">{"".join(parts)}</div>' if parts else ""
        return f"{beside}{heading('Each class')}{self._classes(what, overlap)}"

    def _matrix(self, what: str) -> str:
        size = len(self.names)
        matrix = np.zeros((size, size), np.int64)
        matrix[self.pairs[:, 0], self.pairs[:, 1]] = self.pairs[:, 2]
        np.fill_diagonal(matrix, self.hits)
        totals = np.maximum(self.labelled, 1)
        head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in self.names)
        rows = []
        for own, name in enumerate(self.names):
            cells = []
            for other in range(size):
                number = int(matrix[own, other])
                share = number / totals[own]
                # The smallest share that is there can be told from none.
                level = min(9, 1 + int(share * 9)) if number else 0
                kind = f"{'hit' if own == other else 'miss'} h{level}" if level else "none"
                text = _compact(number) if number and size <= NUMBERED else ""
                title = f"{name} → {self.names[other]}: {number:,} {what}, {100 * share:.2f} % of {name}"
                cells.append(f'<td class="{kind}" title="{escape(title)}">{text}</td>')
            rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
        caption = f"Rows: the true class. Columns: the class given. Counted in {what}; shades are shares of the row."
        wide = " wide" if max(map(len, self.names)) > 3 else ""
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="confusion matrix"><table class="matrix{wide}'
            f'{"" if size <= NUMBERED else " small"}"><caption>{caption}</caption>'
            f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )

    def _pairs(self, what: str, most: int) -> str:
        columns = [Column("true"), Column("given"), Column(what), Column("of the class", percent=True)]
        rows: list[list[Cell]] = [
            [self.names[own], self.names[other], int(number), float(number / self.labelled[own])]
            for own, other, number in self.pairs[:most]
        ]
        left = len(self.pairs) - len(rows)
        more = paragraph(f"{left:,} more pairs are confused less often.") if left > 0 else ""
        return table(columns, rows, caption="The most frequent confusions", sortable=True) + more

    def _classes(self, what: str, overlap: bool) -> str:
        false, missed = self.given - self.hits, self.labelled - self.hits
        columns = [
            Column("class"),
            Column(what, title=f"{what} that are labelled so"),
            Column("given", title=f"{what} that the network gives the class"),
            Column("precision", True, "right among those given"),
            Column("recall", True, "found among those labelled"),
            Column("F1", True),
            *([Column("IoU", True, "right/(labelled + given − right)")] if overlap else []),
        ]
        rows: list[list[Cell]] = []
        order = np.arange(len(self.names))
        if len(order) > ROWS:
            order = np.argsort(_shares(self.hits, self.labelled), kind="stable")[:ROWS]
        for index in map(int, order):
            hits, wrong, lost = int(self.hits[index]), int(false[index]), int(missed[index])
            rows.append(
                [
                    self.names[index],
                    int(self.labelled[index]),
                    int(self.given[index]),
                    _share(hits, hits + wrong),
                    _share(hits, hits + lost),
                    _share(2 * hits, 2 * hits + wrong + lost),
                    *([_share(hits, hits + wrong + lost)] if overlap else []),
                ]
            )
        made = table(columns, rows, caption="Figures of each class", sortable=True)
        if len(order) < len(self.names):
            made += paragraph(f"The {len(order):,} of {len(self.names):,} classes with the lowest recall.")
        return made if len(rows) <= OPEN else folded(f"{len(rows):,} classes", made)


def _ordered(codes: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    order = np.argsort(-counts, kind="stable")
    return np.stack([codes[order] // size, codes[order] % size, counts[order]], 1).astype(np.int64)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotients; above all others where nothing is divided by."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 2.0)


def _compact(number: int) -> str:
    if number < 100_000:
        return str(number)
    return f"{number / 1e6:.2g}M" if number >= 1e6 else f"{number / 1e3:.0f}k"
