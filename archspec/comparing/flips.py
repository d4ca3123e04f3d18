"""Where the answers of two runs differ, as a value, and as the tables that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, exp, fsum, lgamma, log
from typing import Any, Literal

from archspec.diagnostics import count
from archspec.reports.cells import Cell, Table, short

Kind = Literal["right → wrong", "wrong → right", "wrong → other wrong"]

KINDS: tuple[Kind, ...] = ("right → wrong", "wrong → right", "wrong → other wrong")

PAIRS = 20
"""Pairs of answers that the table of flips lists."""

LISTED = 40
"""Samples that are listed; JSON has all of them."""


@dataclass(frozen=True)
class Flip:
    """A sample whose answers differ. Probabilities are each network's own, of its answer; None where it has none."""

    sample: str
    kind: Kind
    truth: str
    before: str
    after: str
    sure: tuple[float | None, float | None] = (None, None)
    places: int = 1
    """Of a map the places whose answers differ; classes are then those of the most frequent flip."""


@dataclass(frozen=True)
class Flips:
    """How the answers of two runs differ over one part of the data.

    `counts` has how many of `what` (samples, or places of maps) were right with both ("right"), wrong in the same way
    ("wrong"), and of each kind of flip. `pairs` has the most frequent flips, with how often. `chance` is the p value of
    McNemar's exact test, None of places of maps, which do not depend on chance one by one.
    """

    part: str
    data: str
    what: str
    samples: int
    counts: Mapping[str, int]
    pairs: Sequence[tuple[str, str, str, int]]
    """Truth, the first answer, the second, and how often."""
    flips: Sequence[Flip]
    chance: float | None
    notes: Sequence[str] = ()

    @property
    def differ(self) -> bool:
        return any(self.counts[kind] for kind in KINDS)

    def to_dict(self) -> dict[str, Any]:
        """The flips as plain data."""
        return {
            "part": self.part,
            "data": self.data,
            "of": self.what,
            "samples": self.samples,
            "counts": dict(self.counts),
            "mcnemar_p": self.chance,
            "pairs": [dict(zip(("truth", "before", "after", "count"), pair, strict=True)) for pair in self.pairs],
            "flips": [
                {
                    "sample": flip.sample,
                    "kind": flip.kind,
                    "truth": flip.truth,
                    "before": {"answer": flip.before, "probability": flip.sure[0]},
                    "after": {"answer": flip.after, "probability": flip.sure[1]},
                    "places": flip.places,
                }
                for flip in self.flips
            ],
            "notes": list(self.notes),
        }


def mcnemar(lost: int, won: int) -> float:
    """The p value of McNemar's exact test, two-sided: how likely as unequal a split of the samples that only one of two
    networks gets right would be, were each as likely to go one way as the other (McNemar 1947, by the binomial
    distribution with probability 1/2).

    p = min(1, 2 · Σ_{k ≤ min(b, c)} C(b + c, k) / 2^(b + c), b and c the samples that only one gets right.
    """
    number, least = lost + won, min(lost, won)
    if lost == won:
        return 1.0
    if number <= 1000:
        ways: int = sum(comb(number, k) for k in range(least + 1))
        return min(1.0, float(2 * ways / 2**number))
    logs = (lgamma(number + 1) - lgamma(k + 1) - lgamma(number - k + 1) - number * log(2) for k in range(least + 1))
    return min(1.0, 2 * fsum(map(exp, logs)))


def flip_pieces(found: Flips) -> list[tuple[str, Table | None, list[str]]]:
    """What is shown of flips: a heading, a table, lines."""
    counts = found.counts
    total = sum(counts.values())
    before, after = (counts["right"] + counts[kind] for kind in ("right → wrong", "wrong → right"))
    rows: list[list[str | Cell]] = [
        [name, Cell(f"{number:,}", number), f"{100 * number / max(1, total):.2f} %"]
        for name, number in (
            ("right with both", counts["right"]),
            *((kind, counts[kind]) for kind in KINDS),
            ("wrong in the same way", counts["wrong"]),
        )
    ]
    notes = [f"right: {before:,} before, {after:,} after, of {total:,} {found.what}"]
    if found.chance is not None:
        lost, won = counts["right → wrong"], counts["wrong → right"]
        notes.append(
            f"McNemar's exact test of {lost:,} lost and {won:,} won: p = {short(found.chance)}{_meaning(found)}"
        )
    else:
        notes.append("neighbouring places are not independent, so no test of chance is made")
    title = f"predictions on the {found.part} part of {found.data}, {count(found.samples, 'sample')}"
    made: list[tuple[str, Table | None, list[str]]] = [
        (title, Table(("answers", found.what, "share"), rows, (False, True, True), notes=[*notes, *found.notes]), [])
    ]
    if found.pairs:
        shown = found.pairs[:PAIRS]
        rest = len(found.pairs) - len(shown)
        more = [f"and {count(rest, 'other pair')} less frequent"] if rest else []
        table = Table(
            ("truth", "before", "after", found.what),
            [[*pair[:3], Cell(f"{pair[3]:,}", pair[3])] for pair in shown],
            (False, False, False, True),
            notes=more,
        )
        made.append(("flips by classes", table, []))
    if found.flips:
        listed = found.flips[:LISTED]
        rest = len(found.flips) - len(listed)
        more = [f"and {count(rest, 'sample')} more; --format json has all of them"] if rest else []
        if found.what == "places":
            head: tuple[str, ...] = ("sample", "places", "mostly", "truth", "before", "after")
            lines = [[flip.sample, str(flip.places), flip.kind, flip.truth, flip.before, flip.after] for flip in listed]
        else:
            head = ("sample", "flip", "truth", "before", "p", "after", "p")
            lines = [
                [
                    flip.sample,
                    flip.kind,
                    flip.truth,
                    flip.before,
                    _share(flip.sure[0]),
                    flip.after,
                    _share(flip.sure[1]),
                ]
                for flip in listed
            ]
        right = tuple(name in ("p", "places") for name in head)
        made.append(("samples whose answers flip", Table(head, lines, right, notes=more), []))
    return made


def _meaning(found: Flips) -> str:
    if found.chance is None or found.chance >= 0.05:
        return ": as unequal by chance too, were the two as good as each other"
    return ": seldom so unequal by chance, were the two as good as each other"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
