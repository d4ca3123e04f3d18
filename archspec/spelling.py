"""Which of some names a word is a misspelling of. Imported once something is misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_COMPARED = 100
"""Names that did-you-mean looks at."""


class Meant(str):
    """`did you mean …?`, or what is `said` in its place: a help line that knows its word and what to
    write for it.

    `certain` says that nothing else can have been meant.
    """

    __slots__ = ("certain", "name", "word")

    word: str
    name: str
    certain: bool

    def __new__(cls, word: str, name: str, certain: bool = True, said: str | None = None) -> Meant:
        self = super().__new__(cls, f"did you mean `{name}`?" if said is None else said)
        self.word, self.name, self.certain = word, name, certain
        return self

    def __reduce__(self) -> tuple[type[Meant], tuple[str, str, bool, str]]:
        return (Meant, (self.word, self.name, self.certain, str(self)))

    def instead(self, written: str) -> str | None:
        """What to write in place of a text that is the word, in quotes or without; None where it is something else.

        In an expression the text may be the call of the word, a function, or end in it behind a dot.
        """
        if written.startswith(f"{self.word}("):
            return self.name + written.removeprefix(self.word)
        if written.endswith(f".{self.word}") and written[: -len(self.word) - 1].isidentifier():
            return written.removesuffix(self.word) + self.name
        for quote in ("", '"', "'"):
            if written == f"{quote}{self.word}{quote}":
                plain = re.fullmatch(r"[A-Za-z_][\w.]*(: \S+)?", self.name, re.ASCII)
                return f"{quote}{self.name}{quote}" if plain and not (quote and plain[1]) else None
        return None


def meant(word: str, choices: Iterable[str]) -> Meant | None:
    """`did you mean …?` for the choice nearest to the word, or None when none is spelt nearly alike."""
    known = list(choices)
    name = nearest(word, known)
    return None if name is None else Meant(word, name, certain=_leaves_no_doubt(word, name, known))


def _leaves_no_doubt(word: str, name: str, known: Iterable[str]) -> bool:
    """Whether the word can be no other name misspelt, nor one of its siblings that is not there.

    Siblings differ in numbers or in the last letter: `conv1` and `conv2`, `branch_a` and `branch_b`.
    """
    a, b = word[:100].lower(), name.lower()
    if a == b:
        return True
    distance = _distance(a, b)
    others = {other.lower() for other in known} - {b}
    if a[:1] == b[:1]:
        others = {other for other in others if other[:1] == a[:1]}
    alike = [other for other in others if _distance(a, other) <= distance]
    if alike or distance > max(1, len(a) // 3) or re.sub(r"\D", "", a) != re.sub(r"\D", "", b):
        return False
    if sorted(a) == sorted(b):
        return True  # letters that changed places
    ends = a[-1:] == b[-1:] or f"{b}s" == a or f"{a}s" == b or (b[:-1] == a and len(a) > 4)
    return len(a) > 3 and ends


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
    # Of names that are as near, one that begins alike: a first letter is seldom wrong.
    best = min(((_distance(word, name), name[:1] != word[:1], index) for index, name in enumerate(names)), default=None)
    # A slip in three letters is near; in a word of one or two any other word would be.
    if best is None or best[0] > max(1, len(word) // 3) or best[0] >= min(len(word), len(names[best[2]])):
        # A part of one name alone: `median` of `median_frequency`.
        whole = [name for name in names if len(word) > 3 and (name.startswith(word) or word in name.split("_"))]
        return known[whole[0]] if len(whole) == 1 else None
    return known[names[best[2]]]


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
