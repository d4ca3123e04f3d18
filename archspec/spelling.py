"""Which of some names a word is a misspelling of. Imported once something is misspelt."""

from __future__ import annotations

from collections.abc import Iterable

MAX_COMPARED = 100
"""Names that did-you-mean looks at."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice nearest to the word, or None when none is spelt nearly alike."""
    # Capitals make no difference: ReLU is near to relu.
    word = word[:100].lower()
    known = {name.lower(): name for name in sorted(set(choices), reverse=True)}
    names = sorted(known)
    if len(names) > MAX_COMPARED:
        # Comparing is slow; among very many names only those that begin alike are looked at.
        names = [name for name in names if name[:1] == word[:1] and abs(len(name) - len(word)) < 3]
        names = sorted(names, key=lambda name: -_alike_at_the_start(name, word))[:MAX_COMPARED]
    best = min(((_distance(word, name), index) for index, name in enumerate(names)), default=None)
    # A slip in three letters is near; in a word of one or two any other word would be.
    if best is None or best[0] > max(1, len(word) // 3) or best[0] >= min(len(word), len(names[best[1]])):
        # A part of one name alone: `median` of `median_frequency`.
        whole = [name for name in names if len(word) > 3 and (name.startswith(word) or word in name.split("_"))]
        return known[whole[0]] if len(whole) == 1 else None
    return known[names[best[1]]]


def _alike_at_the_start(a: str, b: str) -> int:
    """How many first letters two words share."""
    return next((index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _distance(a: str, b: str) -> int:
    """Letters that are missing, too many, wrong or swapped with their neighbour (optimal string alignment)."""
    most = max(1, len(a) // 3)
    if abs(len(a) - len(b)) > most or len(set(a) - set(b)) > most:
        return len(a) + len(b)  # far, without looking closer
    older: list[int] = []
    last = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                least = min(least, older[j - 2] + 1)
            row.append(least)
        older, last = last, row
    return last[-1]
