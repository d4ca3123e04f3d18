"""What entries are called: names that others take them by, and those of the file where they are good."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from archspec.graph import Graph, is_input
from archspec.rolling.entries import Call, Chain, Entry, Layer, Parallel, Repeat, Residual, chains_of, layers_of
from archspec.rolling.formulas import numbered

GOOD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
POOR = re.compile(
    r"(?:[A-Za-z]|node|op|layer|tensor|value|module|out|output|input|previous|[A-Za-z]\w*_[0-9]+)_?[0-9]*\Z|_"
)
"""Names that say nothing: letters and numbers, `node_12`, and a word with a number, as exporters count."""


TAKEN: dict[type[Entry], str] = {Repeat: "stage", Call: "features", Parallel: "joined", Residual: "sum"}
"""What is called by its kind of entry where others take it."""

KINDS = {
    "conv": "maps",
    "concat": "joined",
    "add": "sum",
    "batch_norm": "normed",
    "max_pool": "pooled",
    "avg_pool": "pooled",
    "relu": "rectified",
    "transposed_conv": "larger",
    "resize": "larger",
    "crop": "cropped",
    "dense": "logits",
}
"""What layers are called where others take them."""


STAGE = re.compile(r"(?:layer|module)_?[0-9]+\Z")
"""Names that are good ones of stages."""


class Step(NamedTuple):
    """One step on the way to a node: an entry, and of a repeat the round."""

    entry: Entry
    round: int | None


class Names:
    """Finds which entries need names, and gives them. `single` are blocks that are written where they are called."""

    def __init__(self, graph: Graph, chain: Chain, blocks: list[list[Call]], single: set[int], *, hints: bool) -> None:
        self.graph = graph
        self.chain = chain
        self.blocks = blocks
        self.single = single
        self.ways: dict[int, tuple[Step, ...]] = {}
        """The way to each node's layer."""
        self.homes: dict[int, tuple[Step, ...]] = {}
        """The way to each entry that takes values by name, by its id."""
        self.prefixes: Counter[str] = Counter()
        for node in graph.nodes:
            parts = node.path.split(".")
            self.prefixes.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
        self.hints = hints
        self.kinds = {node.kind for node in graph.nodes}
        self._walk(chain, ())
        self._want(chain, None)
        for output in graph.outputs:
            if not is_input(output.node) and not self.is_end(output.node):
                self._mark((), output.node)
        for number, calls in enumerate(blocks):
            if number not in single:
                self._assign([call.body for call in calls], set(), top=False)
        self._assign([chain], {item.name for item in graph.inputs}, top=True)

    def is_end(self, node: int) -> bool:
        """Whether the only output is what the list ends in, under the name that it has by itself."""
        (first, *others), last = self.graph.outputs, self.chain[-1]
        plain = first[1:] == type(first)(first.name, first.node)[1:] and first.name == "output"
        return not others and last is not None and node == last.out and plain

    def path(self, target: int, home: tuple[Step, ...]) -> str:
        """What a node is called where an entry stands: its path from the innermost scope around both."""
        way = self.ways[target]
        depth = self._block_depth(home)
        while depth < min(len(home), len(way)) and home[depth] == way[depth]:
            depth += 1
        parts: list[str] = []
        for step in way[depth:]:
            entry = step.entry
            if entry.name is not None:
                parts.append(entry.name)
            if entry.out == target and (entry.name is not None):
                break
            if isinstance(entry, Repeat) and entry.name is not None:
                parts.append(str(step.round))
                last = entry.rounds[step.round or 0][-1]
                if last is not None and last.out == target:
                    break
        return ".".join(parts)

    def _is_single(self, repeat: Repeat) -> bool:
        """Whether the rounds are one entry, which takes its number as its name."""
        (first, *rest) = repeat.rounds[0]
        return not rest and not (isinstance(first, Call) and first.block in self.single)

    def _block_depth(self, way: tuple[Step, ...]) -> int:
        """How many steps of a way lead into the innermost block."""
        for at in range(len(way), 0, -1):
            entry = way[at - 1].entry
            if isinstance(entry, Call) and entry.block not in self.single:
                return at
        return 0

    def _walk(self, chain: Chain, way: tuple[Step, ...]) -> None:
        for entry in chain:
            if entry is None:
                continue
            self.homes[id(entry)] = way
            if isinstance(entry, Layer):
                self.ways[entry.out] = (*way, Step(entry, None))
                continue
            if isinstance(entry, (Parallel, Residual)):
                self.ways[entry.out] = (*way, Step(entry, None))
                self.homes[id(entry.join)] = way
            for number, inner in enumerate(chains_of(entry)):
                self._walk(inner, (*way, Step(entry, number if isinstance(entry, Repeat) else None)))

    def _want(self, chain: Chain, before: int | None) -> None:
        """Marks what entries of a list take by name."""
        for entry in chain:
            if entry is None:
                continue
            way = self.homes[id(entry)]
            sources = [] if entry.inputs == (before,) else [source for source in entry.inputs if source != before]
            if isinstance(entry, Layer):
                sources += entry.references.values()
            for source in sources:
                if not is_input(source) and source not in self.inputs_at(way):
                    self._mark(way, source)
            for inner in chains_of(entry):
                self._want(inner, entry.inputs[0] if entry.inputs else None) if not isinstance(entry, Repeat) else None
            if isinstance(entry, Repeat):
                value = before
                for inner in entry.rounds:
                    self._want(inner, value)
                    last = inner[-1]
                    value = last.out if last is not None else value
            before = entry.out

    def inputs_at(self, way: tuple[Step, ...]) -> tuple[int, ...]:
        """What the innermost block around an entry takes."""
        depth = self._block_depth(way)
        return way[depth - 1].entry.inputs if depth else ()

    def _mark(self, home: tuple[Step, ...], target: int) -> None:
        way = self.ways[target]
        common = 0
        while common < min(len(home), len(way)) and home[common] == way[common]:
            common += 1
        for step in way[common:]:
            entry = step.entry
            if entry.out == target:
                entry.wanted = True
                return
            if isinstance(entry, Repeat) or (isinstance(entry, Call) and entry.block not in self.single):
                entry.wanted = True
            if isinstance(entry, Repeat):
                last = entry.rounds[step.round or 0][-1]
                if last is not None and last.out == target:
                    return

    # Names

    def _assign(self, lists: list[Chain], used: set[str], *, top: bool) -> None:
        """Names the entries of lists that one template stands for; `used` are the names in their scope so far."""
        for column in zip(*lists, strict=True):
            present = [entry for entry in column if entry is not None]
            if not present:
                continue
            first = present[0]
            wanted = any(entry.wanted or self._needs_scope(entry) for entry in present)
            inlined = isinstance(first, Call) and first.block in self.single
            hint = self._hint(first) if top and len(present) == 1 else None
            if hint in used or inlined:
                hint = None
            if hint is not None or (wanted and not inlined):
                name = hint or self._made(first, used)
                used.add(name)
                for entry in present:
                    entry.name = name
            if isinstance(first, Call):
                if inlined:
                    self._assign([entry.body for entry in present], used, top=top and len(present) == 1)
            elif isinstance(first, Repeat):
                self._rounds(present, used, top=top)
            elif isinstance(first, (Parallel, Residual)):
                inner = set() if first.name is not None else used
                written = 1 if _is_projected(present) else len(chains_of(first))
                for part in range(written):
                    scope = inner if not (isinstance(first, Residual) and part == 1) else set()
                    self._assign([chains_of(entry)[part] for entry in present], scope, top=False)

    def _rounds(self, repeats: list[Repeat], used: set[str], *, top: bool) -> None:
        first = repeats[0]
        rounds = [inner for repeat in repeats for inner in repeat.rounds]
        if first.name is not None:
            if not self._is_single(first):
                self._assign(rounds, set(), top=False)
            elif not isinstance(rounds[0][0], (Call, Layer)):
                self._assign([chain for inner in rounds for chain in _inside(inner)], set(), top=False)
            return
        self._assign(rounds, used, top=False)
        if top and len(repeats) == 1:
            for column in zip(*rounds, strict=True):
                hints = [self._hint(entry) for entry in column if entry is not None]
                texts = [hint for hint in hints if hint is not None and hint not in used]
                named = len(set(texts)) == len(column) and not isinstance(column[0], Layer)
                if named and numbered(texts, "i") is not None:
                    used.update(texts)
                    for entry, text in zip(column, texts, strict=True):
                        assert entry is not None
                        entry.name = text
                        if isinstance(entry, Repeat) and not self._is_single(entry):
                            self._assign(entry.rounds, set(), top=False)

    def _needs_scope(self, entry: Entry) -> bool:
        """Whether a repeat has entries in its rounds that are taken by name, which each round must have for itself."""
        if not isinstance(entry, Repeat):
            return False
        stack: list[Entry | None] = [inner for chain in entry.rounds for inner in chain]
        while stack:
            inner = stack.pop()
            if inner is None:
                continue
            if inner.wanted:
                return True
            if not isinstance(inner, Call) or inner.block in self.single:
                stack.extend(part for chain in chains_of(inner) for part in chain)
        return False

    def _hint(self, entry: Entry) -> str | None:
        """The file's own name for an entry, where it is a good one."""
        if not self.hints:
            return None
        if isinstance(entry, Layer):
            path = self.graph.nodes[entry.out].path
            name = path.rpartition(".")[2]
        else:
            paths = [self.graph.nodes[layer.out].path.split(".") for layer in layers_of([entry])]
            common = 0
            while all(common < len(path) - 1 and path[common] == paths[0][common] for path in paths):
                common += 1
            name = paths[0][common - 1] if common else ""
            whole = self.prefixes[".".join(paths[0][:common])] == len(paths) if common else False
            if not whole and isinstance(entry, Call) and isinstance(entry.body[0], Layer) and len(entry.body) < 4:
                # A unit goes by the name of its first layer.
                name = self.graph.nodes[entry.body[0].out].path.rpartition(".")[2]
            elif not whole:
                return None
        poor = POOR.match(name) and not (isinstance(entry, Repeat) and STAGE.match(name))
        if not GOOD.match(name) or poor or self._is_automatic(name):
            return None
        return name

    def _is_automatic(self, name: str) -> bool:
        """Whether a layer without a name could be called so."""
        return name.rstrip("0123456789").rstrip("_") in {*self.kinds, "repeat", "block", "unit"}

    def _made(self, entry: Entry, used: set[str]) -> str:
        """A name for an entry that others take."""
        base = entry.kind if isinstance(entry, Layer) else TAKEN[type(entry)]
        base = KINDS.get(base, base)
        if isinstance(entry, Repeat):
            inside = {layer.kind for layer in layers_of(entry.rounds[0])}
            larger = inside & {"transposed_conv", "resize", "max_unpool", "unpool"}
            base = "features" if len(entry.rounds[0]) == 1 and not isinstance(entry.rounds[0][0], Repeat) else base
            base = "up" if larger else "down" if inside & {"max_pool", "avg_pool"} else base
        base = f"{base}_out" if base in self.kinds else base
        for name in (base, *(f"{base}_{letter}" for letter in "bcdefghijklmnopqrstuvwxyz")):
            if name not in used:
                return name
        return next(f"{base}_{number}" for number in range(len(used) + 2) if f"{base}_{number}" not in used)


def _inside(chain: Chain) -> list[Chain]:
    return [inner for entry in chain if entry is not None for inner in chains_of(entry)]


def _is_projected(entries: list[Entry]) -> bool:
    """Whether the shortcuts of what one template stands for are not written."""
    return any(isinstance(entry, Residual) and entry.projected for entry in entries)
