"""What comes again and again in a list of entries: units, blocks, rounds of a repeat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, NamedTuple

from archspec.graph import Graph
from archspec.rolling.entries import Call, Chain, Entry, Layer, Parallel, Repeat, Residual, chains_of, layers_of
from archspec.rolling.formulas import progression
from archspec.rolling.marks import Marks, differing
from archspec.rolling.reducing import Reduced, default_of, tidy

WITH_WEIGHTS = ("conv", "depthwise_conv", "transposed_conv", "dense", "locally_connected")
"""Layers that a unit is made around."""

NORMS = ("batch_norm", "group_norm", "layer_norm", "instance_norm")

LEAST_UNITS = 4
"""Units of a kind that are worth a block."""

MAX_PERIOD = 16
"""Entries that one round may have."""

MAX_ARGUMENTS = 8
"""Arguments of a block; with more, a call says no more than its layers would."""

MAX_LISTS = 2
"""Lists that a loop may take values from; with more, the rounds written out say it better."""


class Way(NamedTuple):
    """How a graph is rolled up. `units` says what stands first in them: `conv`, `norm`, or `none` for no units."""

    units: str = "conv"
    structures: bool = True
    loops: bool = True
    joined: bool = True
    """Whether residual blocks with and without the addition are one block."""


class Finder:
    """Rolls up the list of a graph. `blocks` are the calls of each block, in the order in which they were found."""

    def __init__(
        self,
        graph: Graph,
        reduced: Reduced,
        way: Way,
        defaults: Mapping[str, Mapping[str, Any]],
        banned: Set[object] = frozenset(),
    ) -> None:
        self.banned = banned
        """Rounds and blocks that there were no words for, by `key_of`."""
        self.previous: dict[int, int | None] = {}
        self.graph = graph
        self.defaults = defaults
        self.uses = reduced.uses
        self.way = way
        self.marks = Marks()
        self.blocks: list[list[Call]] = []
        self.known: dict[object, int] = {}
        """Numbers of the blocks that rounds became, by their marks."""
        self.is_unit: list[bool] = []
        chain = reduced.chain
        self.project(chain)
        if way.units != "none":
            self.units(chain)
        if way.structures:
            self.structures(chain)
        if way.loops:
            chain = self.looped(chain, None, top=True)
        self.chain = chain

    # Shortcuts

    def project(self, chain: Chain) -> None:
        """Marks the shortcuts that `auto` stands for."""
        for entry in chain:
            if isinstance(entry, Residual) and entry.shortcut and self.is_projection(entry):
                entry.projected = True
                self.project(entry.body)
            elif entry is not None:
                for inner in chains_of(entry):
                    self.project(inner)

    def is_projection(self, entry: Residual) -> bool:
        """Whether a shortcut is the strided 1×1 convolution and normalisation that the language makes by itself."""
        parts = [part for part in entry.shortcut if isinstance(part, Layer)]
        if [part.kind for part in parts] != ["conv", "batch_norm"] or len(entry.shortcut) != 2:
            return False
        have, last = self.graph.source_type(entry.inputs[0]), entry.body[-1]
        assert last is not None
        want = self.graph.nodes[last.out].output
        if have == want or len(have.spatial) != len(want.spatial) or not have.spatial:
            return False
        strides = [(a - 1) // b + 1 for a, b in zip(have.spatial, want.spatial, strict=True)]
        conv = {"filters": want.channels, "kernel": 1, "stride": tidy(strides), "bias": False, "pad": "same"}
        given: tuple[dict[str, Any], ...] = (conv, {})
        for part, fields, kept in zip(parts, given, (("init",), ("epsilon", "momentum")), strict=True):
            cls = type(self.graph.nodes[part.out].layer)
            standing = {name: self.defaults.get(part.kind, {}).get(name, default_of(cls, name)) for name in kept}
            for name, value in part.fields.items():
                if value != fields.get(name, standing.get(name, default_of(cls, name))):
                    return False
        return True

    # Units

    def units(self, chain: Chain) -> None:
        """Makes calls of a convolution, its normalisation and its activation, where there are enough of them."""
        found: dict[object, list[tuple[Chain, int, int]]] = {}
        self.units_of(chain, None, found)
        replaced: dict[int, list[tuple[int, int, Call]]] = {}
        lists: dict[int, Chain] = {}
        for places in found.values():
            if len(places) < LEAST_UNITS or key_of([inner[a:b] for inner, a, b in places]) in self.banned:
                continue
            whole = max(end - start for _, start, end in places)
            calls = []
            for inner, start, end in places:
                body = inner[start:end]
                first, last = body[0], body[-1]
                assert first is not None and last is not None
                if self.way.units == "conv" and len(body) < whole:
                    body = [*body, None]
                call = Call(len(self.blocks), body, first.inputs, last.out)
                calls.append(call)
                lists[id(inner)] = inner
                replaced.setdefault(id(inner), []).append((start, end, call))
            self.blocks.append(calls)
            self.is_unit.append(True)
        for key, inner in lists.items():
            replace(inner, replaced[key])

    def units_of(self, chain: Chain, before: int | None, found: dict[object, list[tuple[Chain, int, int]]]) -> None:
        at = 0
        while at < len(chain):
            entry = chain[at]
            assert entry is not None
            for inner in self.written(entry):
                self.units_of(inner, entry.inputs[0], found)
            end = self.unit_end(chain, at)
            if end is not None:
                parts = [layer for layer in chain[at:end] if isinstance(layer, Layer) and not layer.is_activation]
                names = [layer.kind for layer in parts]
                key: tuple[object, ...] = (*names, *(self.marks.key(layer, None, False)[2] for layer in parts))
                if end - at > len(names) and (self.way.units == "norm" or len(names) == 1):
                    key = (*key, "activation")
                found.setdefault(key, []).append((chain, at, end))
                at = end
            else:
                at += 1

    def written(self, entry: Entry) -> list[Chain]:
        """The lists within an entry that are written."""
        return [entry.body] if isinstance(entry, Residual) and entry.projected else chains_of(entry)

    def unit_end(self, chain: Chain, at: int) -> int | None:
        """Where the unit that begins at a place ends; None where none does."""
        kinds = ["conv", "norm", "activation"] if self.way.units == "conv" else ["norm", "activation", "conv"]
        end = at
        for kind in kinds:
            if end < len(chain) and self.is_part(chain, at, end, kind):
                end += 1
            elif kind != "activation" and (self.way.units != "conv" or kind == "conv"):
                return None
        # Before the last, values go nowhere else.
        return end if end - at > 1 else None

    def is_part(self, chain: Chain, start: int, at: int, kind: str) -> bool:
        entry = chain[at]
        if not isinstance(entry, Layer) or len(entry.inputs) != 1 or entry.references:
            return False
        if at > start:
            before = chain[at - 1]
            assert before is not None
            if entry.inputs != (before.out,) or self.uses[before.out] != 1:
                return False
        if kind == "activation":
            return entry.is_activation
        return entry.kind in (WITH_WEIGHTS if kind == "conv" else NORMS)

    # Blocks

    def structures(self, chain: Chain) -> None:
        """Makes calls of structures that come more than once, with the activation behind them; outer ones first."""
        lists = [chain]
        while lists:
            found: dict[object, list[tuple[Chain, int, int]]] = {}
            for inner in lists:
                for at, entry in enumerate(inner):
                    if isinstance(entry, (Parallel, Residual)):
                        end = at + 1
                        follower = inner[end] if end < len(inner) else None
                        if isinstance(follower, Layer) and follower.is_activation:
                            end += follower.inputs == (entry.out,) and self.uses[entry.out] == 1
                        mark = self.marks.chain(inner[at:end], entry.inputs[0])
                        found.setdefault(mark, []).append((inner, at, end))
            replaced: dict[int, list[tuple[int, int, Call]]] = {}
            by_id = {id(inner): inner for inner in lists}
            for places in found.values():
                for group in self.groups(places):
                    calls = self.block(inner[start:end] for inner, start, end in group)
                    for (inner, start, end), call in zip(group, calls, strict=True):
                        replaced.setdefault(id(inner), []).append((start, end, call))
            for key, changes in replaced.items():
                replace(by_id[key], changes)
            lists = [part for inner in lists for entry in inner for part in self.inside(entry)]

    def inside(self, entry: Entry | None) -> list[Chain]:
        """The lists within a structure, or within those of a block that is not a unit."""
        if isinstance(entry, (Parallel, Residual)):
            return self.written(entry)
        if isinstance(entry, Call) and not self.is_unit[entry.block]:
            return [part for inner in entry.body for part in self.inside(inner) if not isinstance(inner, Call)]
        return []

    def groups(self, places: list[tuple[Chain, int, int]]) -> Iterator[list[tuple[Chain, int, int]]]:
        """Those places together that one block can stand for without too many arguments."""
        if key_of([inner[a:b] for inner, a, b in places]) in self.banned:
            return
        if len(places) > 1 and len(differing([inner[a:b] for inner, a, b in places])) <= MAX_ARGUMENTS:
            yield places
            return
        strict: dict[object, list[tuple[Chain, int, int]]] = {}
        for inner, start, end in places:
            first = inner[start]
            assert first is not None
            strict.setdefault(self.marks.chain(inner[start:end], first.inputs[0], True), []).append((inner, start, end))
        yield from (group for group in strict.values() if len(group) > 1)

    def block(self, bodies: Iterable[Chain]) -> list[Call]:
        """Calls of a block with these bodies: of one that there is, or of a new one."""
        lists = list(bodies)
        begin = lists[0][0]
        assert begin is not None
        mark = self.marks.chain(lists[0], begin.inputs[0])
        number = self.known.get(mark, len(self.blocks))
        if number < len(self.blocks):
            together = [*(call.body for call in self.blocks[number]), *lists]
            if len(differing(together)) > MAX_ARGUMENTS:
                number = len(self.blocks)
        calls = []
        for body in lists:
            first, last = body[0], body[-1]
            assert first is not None and last is not None
            calls.append(Call(number, body, first.inputs[:1], last.out))
        if number < len(self.blocks):
            self.blocks[number].extend(calls)
        else:
            self.known[mark] = number
            self.blocks.append(calls)
            self.is_unit.append(False)
        return calls

    # Loops

    def looped(self, chain: Chain, before: int | None, *, top: bool) -> Chain:
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
        marks = self.marks.chain(chain, before)
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
        tail = 0
        stop = start + period * times
        while tail < period - 1 and stop + tail < len(chain) and marks[stop + tail] == marks[start + tail]:
            tail += 1
        best = min(range(tail + 1), key=lambda shift: (self.inner_uses(chain, start + shift, period, times), shift))
        rounds = [chain[start + best + n * period : start + best + (n + 1) * period] for n in range(times)]
        entries = self.rounds(rounds)
        if entries is None:
            return None
        return [*chain[start : start + best], *entries], start + best + period * times

    def inner_uses(self, chain: Chain, start: int, period: int, times: int) -> int:
        """How many values within rounds are taken from elsewhere."""
        end = start + period * times
        inside = [entry for entry in chain[start:end] if entry is not None]
        return sum(self.uses[entry.out] > 1 for at, entry in enumerate(inside) if (at + 1) % period)

    def rounds(self, rounds: list[Chain]) -> Chain | None:
        """Repeats, or calls of a new block, for rounds of equal marks; None where they are better left as they are."""
        period = len(rounds[0])
        if key_of(rounds) in self.banned:
            return None
        patterns = [self.pattern(inner) for inner in rounds]
        if any(kinds != patterns[0][0] for kinds, _ in patterns):
            return None
        taken = [row for row in zip(*(sources for _, sources in patterns), strict=True) if len(set(row)) > 1]
        different = differing(rounds)
        if taken and len(rounds) == 2:
            return list(self.block(rounds)) if period > 1 and self.fits_block(rounds, different) else None
        if not different and not taken and self.is_worth(rounds):
            return [self.repeat(rounds, True)]
        if period == 1 and not taken:
            staged = self.staged(rounds)
            if len(staged) < len(rounds):
                return staged
        lists = sum(not progression(values) for _, values in different) + (len(taken) if len(rounds) > 6 else 0)
        if len(rounds) > 2 and lists <= MAX_LISTS and self.is_worth(rounds):
            return [self.repeat(rounds, False)]
        if period > 1 and self.fits_block(rounds, different):
            return list(self.block(rounds))
        return None

    def fits_block(self, rounds: list[Chain], different: list[Any]) -> bool:
        """Whether rounds can be calls of a block."""
        return len(different) <= MAX_ARGUMENTS and key_of(rounds) not in self.banned and self.is_closed(rounds)

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
            if len(begin) > 1 or any(self.uses[e.out] > max(1, taken[e.out]) for e in entries[:-1]):
                return False
        return True

    def staged(self, rounds: list[Chain]) -> Chain:
        """Repeats of entries that are equal but for the first; those that stand alone stay so."""
        keys = [tuple(self.values(inner)) for inner in rounds]
        made: Chain = []
        at = 0
        while at < len(rounds):
            end = at + 1
            if end < len(rounds) and (keys[at] == keys[end] or self.is_stage(rounds[at], rounds[end])):
                end += 1
                while end < len(rounds) and keys[end] == keys[at + 1]:
                    end += 1
            if end - at > 1 and self.is_worth(rounds[at:end]):
                made.append(self.repeat(rounds[at:end], True))
            else:
                made.extend(entry for inner in rounds[at:end] for entry in inner)
            at = end
        return made

    def values(self, chain: Chain) -> Iterator[object]:
        from archspec.rolling.marks import columns

        return (value for _, value in columns(chain))

    def is_stage(self, first: Chain, second: Chain) -> bool:
        """Whether the first of two may begin a stage: it changes the map to what the others keep."""
        one, other = first[0], second[0]
        if not isinstance(one, Call) or self.is_unit[one.block]:
            return False
        assert other is not None
        return (
            self.graph.nodes[one.out].output == self.graph.nodes[other.out].output
            and len(differing([first, second])) <= 3
        )

    def repeat(self, rounds: list[Chain], staged: bool) -> Repeat:
        first, last = rounds[0][0], rounds[-1][-1]
        assert first is not None and last is not None
        return Repeat(rounds, staged, first.inputs[:1], last.out)


def key_of(lists: list[Chain]) -> object:
    """What rounds of a repeat, or bodies of a block, are known by: their layers."""
    return tuple(layer.out for chain in lists for layer in layers_of(chain))


def replace(chain: Chain, changes: list[tuple[int, int, Call]]) -> None:
    """Puts calls into a list in place of stretches."""
    made: Chain = []
    at = 0
    for start, end, call in sorted(changes, key=lambda change: change[0]):
        made.extend(chain[at:start])
        made.append(call)
        at = end
    chain[:] = [*made, *chain[at:]]


def entries_in(chain: Chain) -> Iterator[Entry]:
    """Every entry of a list and of the lists in it, but what blocks hold."""
    for entry in chain:
        if entry is not None:
            yield entry
            if not isinstance(entry, Call):
                for inner in chains_of(entry):
                    yield from entries_in(inner)
