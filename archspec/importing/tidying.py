"""What a person would write otherwise: paddings of their own, functions in pieces, what no output needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from archspec.importing.draft import CannotError, Draft, Entry, layer_of
from archspec.importing.kinds import _padded

NOT_NEGATIVE = ("relu", "relu6", "sigmoid", "hard_sigmoid", "softmax")


class Tidying:
    """Changes to a draft after all of it is known. What is replaced stays in its place and is no longer taken."""

    def __init__(self, draft: Draft, outputs: Sequence[int]) -> None:
        self.draft = draft
        self.outputs = list(outputs)
        self.takers = draft.takers()

    def replace(self, old: int, new: int) -> None:
        """Whatever takes one value takes another one."""
        for entry in self.draft.entries:
            entry.sources = [new if source == old else source for source in entry.sources]
            entry.references = {name: new if source == old else source for name, source in entry.references.items()}
        self.outputs = [new if source == old else source for source in self.outputs]
        self.takers = self.draft.takers()

    def alone(self, number: int) -> bool:
        """Whether one layer alone takes an entry's value, and it is no output."""
        return number >= 0 and len(self.takers.get(number, ())) == 1 and number not in self.outputs

    def entry(self, number: int) -> Entry | None:
        return self.draft.entries[number] if number >= 0 else None


def tidy(draft: Draft, outputs: Sequence[int], *, keep_softmax: bool) -> list[int]:
    """Tidies a draft up; gives the outputs as they are then, and says in the draft what was replaced."""
    work = Tidying(draft, outputs)
    for rule in (_gates, _pooled, _functions, _paddings):
        for number, entry in enumerate(draft.entries):
            if not entry.operation.exact:
                rule(work, number)
    if not keep_softmax:
        _softmax(work)
    return work.outputs


def kept(draft: Draft, outputs: Sequence[int]) -> list[int]:
    """The numbers of the entries that outputs need, in order; what nothing needs is counted."""
    needed: set[int] = set()
    stack = [number for number in outputs if number >= 0]
    while stack:
        number = stack.pop()
        if number not in needed:
            needed.add(number)
            stack.extend(source for source in draft.entries[number].taken if source >= 0)
    return sorted(needed)


def _gates(work: Tidying, number: int) -> None:
    """A vector of means that becomes 1×1×C, and the other way round, is one pooling."""
    entry = work.draft.entries[number]
    before = work.entry(entry.sources[0]) if len(entry.sources) == 1 else None
    if before is None or before.kind not in ("global_avg_pool", "global_max_pool") or not work.alone(entry.sources[0]):
        return
    keeps = bool(before.fields.get("keep_dims"))
    kind = entry.type
    if kind is None or before.type is None or kind.channels != before.type.channels:
        return
    if entry.kind == "reshape" and not keeps and kind.is_map and kind.spatial == (1, 1):
        _change(work.draft, before, before.kind, {"keep_dims": True})
    elif entry.kind == "flatten" and keeps:
        _change(work.draft, before, before.kind, {})
    else:
        return
    work.replace(number, entry.sources[0])


def _pooled(work: Tidying, number: int) -> None:
    """A pooling to one place is a global one."""
    entry = work.draft.entries[number]
    if entry.kind in ("adaptive_avg_pool", "adaptive_max_pool") and entry.fields.get("size") in (1, [1, 1], (1, 1)):
        _change(work.draft, entry, entry.kind.replace("adaptive", "global"), {"keep_dims": True})
        for taker in list(work.takers.get(number, ())):
            if taker.kind == "flatten":
                _gates(work, work.draft.entries.index(taker))


def _functions(work: Tidying, number: int) -> None:
    """Functions that a file has in pieces: x·σ(x) and x·tanh(softplus(x))."""
    entry = work.draft.entries[number]
    if entry.kind != "multiply" or len(entry.sources) != 2:
        return
    for x, gate in (entry.sources, entry.sources[::-1]):
        own = work.entry(gate)
        if own is None or not work.alone(gate) or len(own.sources) != 1:
            continue
        inner = work.entry(own.sources[0])
        kind = None
        if own.kind == "sigmoid" and own.sources == [x]:
            kind = "silu"
        elif own.kind == "hard_sigmoid" and own.sources == [x]:
            kind = "hard_swish"
        elif own.kind == "tanh" and inner is not None and inner.kind == "softplus" and inner.sources == [x]:
            kind = "mish" if work.alone(own.sources[0]) and not inner.fields else None
        if kind is not None:
            entry.sources = [x]
            _change(work.draft, entry, kind, {})
            work.draft.said[f"{{products}} of a value and a function of it are {kind}"] += 1
            work.takers = work.draft.takers()
            return


def _paddings(work: Tidying, number: int) -> None:
    """A layer of zeros around a map is the padding of the convolutions and poolings that alone take it."""
    entry = work.draft.entries[number]
    if entry.kind != "pad" or entry.fields.get("mode", "constant") != "constant" or entry.fields.get("value", 0.0):
        return
    takers = work.takers.get(number, [])
    if not takers or number in work.outputs or not all(_takes_zeros(work, entry, taker) for taker in takers):
        return
    kind = work.draft.type_of(entry.sources[0])
    if kind is None:
        return
    sides = _sides(entry.fields["sides"], len(kind.spatial))
    for taker in takers:
        own = _sides(taker.fields.get("pad", 0), len(kind.spatial))
        summed = [[a + c, b + d] for (a, b), (c, d) in zip(sides, own, strict=True)]
        fields = _padded(taker.kind, {**taker.fields, "pad": summed}, kind)
        _change(work.draft, taker, taker.kind, fields)
    work.draft.said["{layers} of padding are that of the layers behind them"] += 1
    work.replace(number, entry.sources[0])


def _takes_zeros(work: Tidying, pad: Entry, taker: Entry) -> bool:
    """Whether a layer with padding of its own gives the same as behind a layer of zeros."""
    own = taker.fields.get("pad", 0)
    if taker.references or isinstance(own, str) or taker.fields.get("rounding", "floor") != "floor":
        return False
    if taker.kind in ("conv", "depthwise_conv"):
        return True
    if taker.kind == "avg_pool":
        return bool(taker.fields.get("count_pad", True))
    before = work.entry(pad.sources[0])
    return taker.kind == "max_pool" and before is not None and before.kind in NOT_NEGATIVE


def _sides(value: Any, axes: int) -> list[list[int]]:
    if isinstance(value, int):
        return [[value, value]] * axes
    return [[side, side] if isinstance(side, int) else list(side) for side in value]


def _softmax(work: Tidying) -> None:
    """A softmax that is an output is left out: outputs are scores here, of which losses and predictions make it."""
    for output in list(work.outputs):
        entry = work.entry(output)
        if (
            entry is None
            or entry.operation.exact
            or entry.kind not in ("softmax", "log_softmax")
            or work.takers.get(output)
        ):
            continue
        work.draft.said[f"{{outputs}} end with {entry.kind}, which is left out: the scores before it come out"] += 1
        work.replace(output, entry.sources[0])


def _change(draft: Draft, entry: Entry, kind: str, fields: dict[str, Any]) -> None:
    """Makes another layer of an entry, and infers its type anew; where that fails, nothing changes."""
    old: tuple[str, dict[str, Any], Any, Any] = (entry.kind, entry.fields, entry.layer, entry.type)
    entry.kind, entry.fields = kind, fields
    try:
        entry.layer = layer_of(kind, {**fields, **dict.fromkeys(entry.references, "x")})
        entry.type = draft.inferred(entry)
    except CannotError:
        entry.kind, entry.fields, entry.layer, entry.type = old


Rule = Callable[[Tidying, int], None]
