"""Blocks that are alike but for layers that some of them lack: with the sum of a shortcut, with a gate, or without."""

from __future__ import annotations

from archspec.rolling.entries import Call, Chain, Entry, Layer, Parallel, Residual
from archspec.rolling.found import Found, Place, key_of, replace
from archspec.rolling.marks import FREE, Column, columns

LEAST = 2
"""Entries that a block must have where it lacks some."""


class Skeleton:
    """The longest of some residual blocks: marks of its entries, and what is the same in all of them.

    `parts` are the entries of its body, of which shorter ones lack some.
    """

    def __init__(self, found: Found, bodies: list[Residual]) -> None:
        self.found = found
        whole = max(bodies, key=lambda entry: len(entry.body))
        self.parts = list(whole.body)
        self.marks = found.marks.chain(whole.body, whole.inputs[0])
        self.embedded = [(entry, self.embed(entry.body, entry.inputs[0])) for entry in bodies]
        self.constant = [self.same(place) for place in range(len(self.parts))]

    def embed(self, body: Chain, before: int | None) -> Chain | None:
        """A body with None in the places of what it lacks; None where it has something else."""
        made: Chain = []
        at = 0
        marks = self.found.marks.chain(body, before)
        for place in range(len(self.parts)):
            if at < len(body) and marks[at] == self.marks[place]:
                made.append(body[at])
                at += 1
            elif self.may_lack(place):
                made.append(None)
            else:
                return None
        return made if at == len(body) else None

    def may_lack(self, place: int) -> bool:
        """Whether a block may be without one of its entries: the first of three, a gate, what only training has."""
        part = self.parts[place]
        if isinstance(part, Call) and self.found.is_unit[part.block]:
            return place == 0 and len(self.parts) > LEAST
        return isinstance(part, Parallel) or (isinstance(part, Layer) and part.kind in ("stochastic_depth", "dropout"))

    def same(self, place: int) -> dict[int, Column]:
        """The columns of a place, sizes and strides aside, that have one value in all blocks."""
        rows = [
            list(columns([body[place]])) for _, body in self.embedded if body is not None and body[place] is not None
        ]
        fixed = {}
        for number, parts in enumerate(zip(*rows, strict=True)):
            name, value = parts[0]
            if name not in (*FREE, "stride") and all(part == parts[0] for part in parts):
                fixed[number] = (name, value)
        return fixed

    def match(self, chain: Chain, start: int, before: int | None) -> tuple[int, Chain] | None:
        """Where a stretch of a list ends that is such a block without a shortcut, and its entries in their places."""
        made: Chain = []
        at = start
        for place in range(len(self.parts)):
            entry = chain[at] if at < len(chain) else None
            follows = at == start or (entry is not None and before is not None and self.only(entry, before))
            if entry is not None and follows and self.fits(entry, before, place):
                made.append(entry)
                before = entry.out
                at += 1
            elif self.may_lack(place):
                made.append(None)
            else:
                return None
        return (at, made) if at - start >= LEAST else None

    def only(self, entry: Entry, before: int) -> bool:
        """Whether an entry alone takes what is before it."""
        return entry.inputs == (before,) and self.found.uses[before] == 1

    def fits(self, entry: Entry, before: int | None, place: int) -> bool:
        if len(entry.inputs) != 1 or self.found.marks.mark(entry, entry.inputs[0]) != self.marks[place]:
            return False
        row = list(columns([entry]))
        return all(row[number] == column for number, column in self.constant[place].items())


def optional(found: Found, chain: Chain) -> None:
    """Makes calls of one block of residual blocks and of stretches that are the same without the shortcut."""
    skeletons: list[list[Residual]] = []
    for entry in chain:
        if isinstance(entry, Residual) and not entry.shortcut and len(entry.body) >= LEAST:
            for group in skeletons:
                if len(Skeleton(found, [group[0], entry]).embedded) == 2 and all(
                    body is not None for _, body in Skeleton(found, [group[0], entry]).embedded
                ):
                    group.append(entry)
                    group.sort(key=lambda item: -len(item.body))
                    break
            else:
                skeletons.append([entry])
    for group in skeletons:
        skeleton = Skeleton(found, group)
        if all(body is not None for _, body in skeleton.embedded):
            _joined(found, chain, skeleton)


def _joined(found: Found, chain: Chain, skeleton: Skeleton) -> None:
    places: list[tuple[Place, Chain]] = []
    known = {id(entry): body for entry, body in skeleton.embedded}
    at, plain = 0, 0
    before: int | None = None
    while at < len(chain):
        entry = chain[at]
        assert entry is not None
        body = known.get(id(entry))
        if isinstance(entry, Residual) and body is not None:
            places.append((Place(chain, at, at + 1), [*body, entry.join]))
            at += 1
        elif (made := skeleton.match(chain, at, before)) is not None:
            places.append((Place(chain, at, made[0]), [*made[1], None]))
            at, plain = made[0], plain + 1
        else:
            at += 1
        last = chain[at - 1]
        assert last is not None
        before = last.out
    lacking = any(None in body[:-1] for _, body in places)
    bodies = [body for _, body in places]
    if len(places) < LEAST or not (plain or lacking) or key_of(bodies) in found.banned:
        return
    calls = found.new(bodies)
    _align(calls, len(skeleton.parts) + 1)
    replace(chain, [(place.start, place.end, call) for (place, _), call in zip(places, calls, strict=True)])


def _align(calls: list[Call], width: int) -> None:
    """Gives calls rows of columns of one length: whether there is something in each place, and its values or None."""
    rows: list[list[Column]] = [[] for _ in calls]
    for place in range(width):
        parts = [call.body[place] for call in calls]
        known = [list(columns([part])) if part is not None else None for part in parts]
        shape = next((row for row in known if row is not None), [])
        for row, own, part in zip(rows, known, parts, strict=True):
            row.append(("when", part is not None))
            row.extend(own if own is not None else [(name, None) for name, _ in shape])
    for call, row in zip(calls, rows, strict=True):
        call.row = tuple(row)
