"""Repeats: what comes again in a row, in equal rounds or in rounds whose values an expression gives."""

from __future__ import annotations

from typing import Any

from archspec.rolling.entries import Call, Chain, Entry, Layer, Repeat
from archspec.rolling.formulas import progression
from archspec.rolling.found import MAX_ARGUMENTS, Found, key_of
from archspec.rolling.marks import SIZES, columns, differing

MAX_PERIOD = 16
"""Entries that one round may have."""

BLOCK = 2
"""Lines that a block takes beside its layers."""

MAX_LISTS = 2
"""Lists that a loop may take values from; with more, the rounds written out say it better."""


class Looping:
    """Rolls up one list. `previous` has what stands before each entry of it."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.previous: dict[int, int | None] = {}

    def looped(self, chain: Chain, before: int | None) -> Chain:
        """The list with what comes again in a row as repeats."""
        changed = True
        while changed:
            changed = False
            for period in range(1, min(MAX_PERIOD, len(chain) // 2) + 1):
                made = self.with_period(chain, before, period)
                if made is not None:
                    chain, changed = made, True
                    break
        return chain

    def with_period(self, chain: Chain, before: int | None, period: int) -> Chain | None:
        marks = self.found.marks.chain(chain, before)
        self.previous = {}
        for entry in chain:
            if entry is not None:
                self.previous[id(entry)] = before
                before = entry.out
        made: Chain = []
        at, changed = 0, False
        while at < len(chain):
            times = 1
            while marks[at : at + period] == marks[at + times * period : at + (times + 1) * period]:
                times += 1
            entries = self.run(chain, marks, at, period, times) if times > 1 else None
            if entries is None:
                made.append(chain[at])
                at += 1
            else:
                made.extend(entries[0])
                at = entries[1]
                changed = True
        return made if changed else None

    def run(
        self, chain: Chain, marks: tuple[int, ...], start: int, period: int, times: int
    ) -> tuple[Chain, int] | None:
        """What stands for so many rounds from a place on, and the place behind them; None where nothing does."""
        if period > 1 and len(set(marks[start : start + period])) == 1:
            return None  # rounds of one entry each, which were looked at before
        tail = 0
        stop = start + period * times
        while tail < period - 1 and stop + tail < len(chain) and marks[stop + tail] == marks[start + tail]:
            tail += 1
        best = min(
            range(tail + 1), key=lambda shift: (self.taken(chain, start, shift, period * times, tail, period), shift)
        )
        rounds = [chain[start + best + n * period : start + best + (n + 1) * period] for n in range(times)]
        entries = self.rounds(rounds)
        if entries is None:
            return None
        return [*chain[start : start + best], *entries], start + best + period * times

    def taken(self, chain: Chain, start: int, shift: int, length: int, tail: int, period: int) -> int:
        """How badly rounds lie that begin so much later: what is taken from elsewhere should be their last values.

        Worst are values of entries that would belong to the rounds and are left outside. Rounds had best begin where
        the map's size changes.
        """
        cost = 0
        begin, end = start + shift, start + shift + length
        for at in range(start, start + length + tail):
            if at < begin or at >= end:
                cost += 10 * (self.elsewhere(chain, at, at + 1) > 0)
            elif (at + 1 - begin) % period:
                cost += 2 * (self.elsewhere(chain, at, at + period - (at - begin) % period) > 0)
        first = chain[begin]
        assert first is not None
        one = self.found.graph.source_type(first.inputs[0]).spatial
        other = self.found.graph.nodes[first.out].output.spatial
        return cost - (len(one) == len(other) > 0 and max(one[0], other[0]) * 2 > 3 * min(one[0], other[0]))

    def elsewhere(self, chain: Chain, at: int, end: int) -> int:
        """How often the value of an entry is taken, but by the next entry and by those up to an end."""
        entry, uses = chain[at], 0
        assert entry is not None
        for other in chain[at + 1 : max(end, at + 2)]:
            if other is not None:
                sources = [*other.inputs, *(other.references.values() if isinstance(other, Layer) else ())]
                uses += sources.count(entry.out)
        return self.found.uses[entry.out] - uses

    def rounds(self, rounds: list[Chain]) -> Chain | None:
        """Repeats, or calls of a new block, for rounds of equal marks; None where they are better left as they are."""
        period = len(rounds[0])
        if key_of(rounds) in self.found.banned:
            return None
        patterns = [self.pattern(inner) for inner in rounds]
        if any(kinds != patterns[0][0] for kinds, _ in patterns):
            return None
        taken = [row for row in zip(*(sources for _, sources in patterns), strict=True) if len(set(row)) > 1]
        different = differing(rounds)
        if taken and len(rounds) == 2:
            return list(self.found.block(rounds)) if period > 1 and self.fits_block(rounds, different) else None
        if not different and not taken and self.is_worth(rounds):
            return [self.repeat(rounds, True)]
        for number in (2, 3, 4):
            together = [
                [entry for inner in rounds[at : at + number] for entry in inner] for at in range(0, len(rounds), number)
            ]
            if not taken and len(rounds) % number == 0 and len(together) > 1 and not differing(together):
                return [self.repeat(together, True)]
        steady = [values for _, values in different if len(set(values)) > 2]
        if steady and not taken and all(progression(values) for _, values in different) and self.is_worth(rounds):
            return [self.repeat(rounds, False)]
        if period == 1 and not taken:
            staged = self.staged(rounds)
            if len(staged) < len(rounds):
                return staged
        lists = sum(not progression(values) for _, values in different) + (len(taken) if len(rounds) > 6 else 0)
        saved = (len(rounds) - 1) * period - sum(price(name, values) for name, values in different)
        if len(rounds) > 2 and lists <= MAX_LISTS and saved > 1 and self.is_worth(rounds):
            return [self.repeat(rounds, False)]
        if period > 1 and self.fits_block(rounds, different):
            return list(self.found.block(rounds))
        return None

    def fits_block(self, rounds: list[Chain], different: list[Any]) -> bool:
        """Whether rounds can be calls of a block."""
        if len(different) > MAX_ARGUMENTS or key_of(rounds) in self.found.banned:
            return False
        times, period = len(rounds), len(rounds[0])
        if times * period < times + period + BLOCK:
            return False
        return len({called(entry) for entry in rounds[0]}) > 1 and self.is_closed(rounds)

    def pattern(self, chain: Chain) -> tuple[list[object], list[int]]:
        """Where the entries of a round take their values: kinds of places, and the sources that lie elsewhere."""
        first = chain[0]
        assert first is not None
        kinds: list[object] = []
        elsewhere: list[int] = []
        places: dict[int, int] = {}
        before = first.inputs[0] if first.inputs else None
        start = before
        for place, entry in enumerate(chain):
            if entry is None:
                continue
            for source in (*entry.inputs, *(entry.references.values() if isinstance(entry, Layer) else ())):
                if source in places:
                    kinds.append(places[source])
                elif source == start and place:
                    kinds.append("start")
                elif source == before and place == 0:
                    kinds.append("before")
                    if source != self.previous.get(id(first)):
                        elsewhere.append(source)
                        kinds.append("from")
                else:
                    kinds.append("elsewhere")
                    elsewhere.append(source)
            places[entry.out] = place
        return kinds, elsewhere

    def is_worth(self, rounds: list[Chain]) -> bool:
        """Whether rounds are more than the same activation or pooling twice."""
        return len(rounds) * len(rounds[0]) > 3 or not isinstance(rounds[0][0], Layer)

    def is_closed(self, rounds: list[Chain]) -> bool:
        """Whether rounds take what is before them alone, and give what their last entry gives."""
        for inner in rounds:
            entries = [entry for entry in inner if entry is not None]
            own = {entry.out for entry in entries}
            begin = entries[0].inputs
            taken = dict.fromkeys(own, 0)
            for entry in entries:
                sources = [*entry.inputs, *(entry.references.values() if isinstance(entry, Layer) else ())]
                if any(source not in own and source not in begin for source in sources):
                    return False
                for source in sources:
                    if source in own:
                        taken[source] += 1
            if len(begin) > 1 or any(self.found.uses[e.out] > max(1, taken[e.out]) for e in entries[:-1]):
                return False
        return True

    def staged(self, rounds: list[Chain]) -> Chain:
        """Repeats of entries that are equal but for the first; those that stand alone stay so."""
        keys = [tuple(value for name, value in columns(inner) if name != "rate") for inner in rounds]
        made: Chain = []
        at = 0
        while at < len(rounds):
            end = at + 1
            if end < len(rounds) and (keys[at] == keys[end] or self.is_stage(rounds[at], rounds[end])):
                end += 1
                while end < len(rounds) and keys[end] == keys[at + 1]:
                    end += 1
            different = differing(rounds[at:end])
            rates = [values for name, values in different if name == "rate"]
            if any(len(set(values[1:])) > 1 for values in rates):
                steady = all(progression(values) for _, values in different)
                end = end if steady else at + 1
            if end - at > 1 and self.is_worth(rounds[at:end]):
                made.append(self.repeat(rounds[at:end], not any(len(set(values[1:])) > 1 for values in rates)))
            else:
                made.extend(entry for inner in rounds[at:end] for entry in inner)
            at = end
        return made

    def is_stage(self, first: Chain, second: Chain) -> bool:
        """Whether the first of two may begin a stage: it changes the map to what the others keep."""
        one, other = first[0], second[0]
        if not isinstance(one, Call) or not isinstance(other, Call) or self.found.is_unit[one.block]:
            return False
        if self.found.graph.nodes[one.out].output != self.found.graph.nodes[other.out].output:
            return False
        widths = [self.found.graph.source_type(entry.inputs[0]).channels for entry in (one, other)]
        changed = set()
        for (name, before), (_, after) in zip(columns([one]), columns([other]), strict=True):
            if before == after or name in ("when", "stride", "pad", "rate") or None in (before, after):
                continue
            if name in SIZES and before * widths[1] == after * widths[0]:
                continue  # as many times the input's channels
            changed.add((name, before, after))
        return len(changed) <= 1 and not any(name in SIZES for name, *_ in changed)

    def repeat(self, rounds: list[Chain], staged: bool) -> Repeat:
        first, last = rounds[0][0], rounds[-1][-1]
        assert first is not None and last is not None
        return Repeat(rounds, staged, first.inputs[:1], last.out)


def called(entry: Entry | None) -> object:
    """What an entry is a call of, or what it repeats; another thing for every other entry."""
    while isinstance(entry, Repeat) and len(entry.rounds[0]) == 1:
        entry = entry.rounds[0][0]
    return entry.block if isinstance(entry, Call) else id(entry)


def price(name: str, values: tuple[Any, ...]) -> int:
    """What an expression for a row of values takes from what is easy to read in a loop."""
    if progression(values) is not None:
        # A first round with another window is something else, and no round.
        return 0 if len(set(values)) > 2 else 8 if name in ("kernel", "window") else 1
    return 1 if name in (*SIZES, "times") else 2
