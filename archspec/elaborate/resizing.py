"""Inputs that a network fits: others where it does not fit its own, and the smallest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil, prod
from typing import NamedTuple

from archspec.diagnostics import Diagnostic, Findings, Span
from archspec.elaborate.entries import Expander
from archspec.elaborate.placing import MAX_INPUT, Misfit, Placer, scaled
from archspec.elaborate.scope import Context, Scope, StopElaboration
from archspec.graph import INPUT, GraphInput
from archspec.located import Located
from archspec.spec.document import Document
from archspec.types import TensorType

MAX_TRIALS = 64
MAX_HALVINGS = 6
"""Further halvings, behind the layer that does not fit, that sizes are tried for."""
NEAR = 12
"""Pixels by which a side may grow to one that leaves a rest, where no multiple of the stride fits."""
MAX_STEPS = 15_000
"""Entries that all trials of a spec may expand; more would take too long."""

Fault = tuple[str, Span | None]


def suggest_inputs(document: Document, layers: Located, expander: Expander) -> None:
    """Adds other inputs to the help of layers that do not fit, where there are some that bring no other error.

    Layers behind one that does not fit have not been looked at, so the whole network is expanded for each input tried.
    """
    findings, placer = expander.findings, expander.placer
    if not has_size(placer.inputs):
        return
    trials = min(MAX_TRIALS, MAX_STEPS // max(1, expander.steps))
    known = _faults(findings.items)
    tried: dict[TensorType, set[Fault]] = {}

    def helps(item: Diagnostic, size: TensorType) -> bool:
        if size not in tried:
            if len(tried) >= trials:
                return False
            tried[size] = _faults_of(document, layers, placer.inputs[0]._replace(type=size))
        return tried[size] <= known - _faults([item])

    for misfit in placer.misfits:
        item = misfit.item
        # Maps that differ want sizes that halve without a rest; a map too small for a window wants a larger one.
        sizes = _multiples(placer, misfit, helps)
        if not sizes or item.code == "E301":
            larger = _scaled(placer, misfit, helps)
            sizes = min(
                (fitting for fitting in (larger, sizes) if fitting), key=lambda fitting: fitting[0].size, default=[]
            )
        sizes = sizes or _near(placer, misfit, helps)
        better = item
        for size in sizes:
            from archspec.elaborate.ways import input_of

            said = "×".join(map(str, size.spatial)) if size.is_map else f"length {size.spatial[0]}"
            start = "or " if better.help else ""
            way = f"{start}an input of {said}: --input {'x'.join(map(str, size.spatial))}"
            mends = input_of(better, size, way, placer.inputs[0], document.root)
            better = better._replace(help=(*better.help, way), mends=mends)
        if sizes:
            findings.replace(item, better)


Helps = Callable[[Diagnostic, TensorType], bool]


def _scaled(placer: Placer, misfit: Misfit, helps: Helps) -> list[TensorType]:
    """The least input of the same proportions that was found to fit."""
    input, item = placer.input, misfit.item
    least = placer.least_scale(misfit.layer, misfit.values)
    if least is None:
        return []
    longest = max(input.spatial)
    high = least
    while not helps(item, scaled(input, high)) and 2 * high * longest <= MAX_INPUT:
        high *= 2
    low = max(least, high / 2)
    while high > least and (high - low) * longest >= 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if helps(item, scaled(input, middle)) else (middle, high)
    size = scaled(input, high)
    return [size] if helps(item, size) else []


def _multiples(placer: Placer, misfit: Misfit, helps: Helps) -> list[TensorType]:
    """The nearest larger input, each axis on its own, that is a multiple of the network's stride, and a smaller one.

    The stride so far is that of the coarsest map; what follows may halve it again, so that twice, four times … the
    stride is tried too.
    """
    item = misfit.item
    own, channels = placer.input.spatial, placer.input.channels
    strides = [max([1, *(ceil(node.receptive_field.jump[axis]) for node in placer.nodes)]) for axis in range(len(own))]

    def up(size: int, step: int) -> int:
        return -(-size // step) * step

    multiples: dict[tuple[int, ...], list[int]] = {}
    for power in range(MAX_HALVINGS):
        steps = [stride * 2**power for stride in strides]
        for chosen in _choices(len(own)):
            size = tuple(
                up(side, step) if axis in chosen else side
                for axis, (side, step) in enumerate(zip(own, steps, strict=True))
            )
            if size != own and max(size) <= max(MAX_INPUT, *own):
                multiples.setdefault(size, steps)
    for size in sorted(multiples, key=prod):
        if helps(item, TensorType((*size, channels))):
            less = [
                have if have == want else want - step
                for have, want, step in zip(own, size, multiples[size], strict=True)
            ]
            smaller = TensorType((*less, channels))
            fits = min(less) > 0 and helps(item, smaller)
            return [TensorType((*size, channels)), *([smaller] if fits else [])]
    return []


def _near(placer: Placer, misfit: Misfit, helps: Helps) -> list[TensorType]:
    """The next larger input that fits, of sides that are no multiples: 227 = 8·28 + 3 of AlexNet, 9 = 4·2 + 1."""
    own, channels = placer.input.spatial, placer.input.channels
    for more in range(1, NEAR + 1):
        for chosen in _choices(len(own)):
            size = tuple(side + more if axis in chosen else side for axis, side in enumerate(own))
            if max(size) <= MAX_INPUT and helps(misfit.item, TensorType((*size, channels))):
                return [TensorType((*size, channels))]
    return []


def _choices(axes: int) -> list[tuple[int, ...]]:
    """The axes that may grow: each on its own, then all."""
    return [(0,)] if axes == 1 else [(0,), (1,), (0, 1)]


def has_size(inputs: Sequence[GraphInput]) -> bool:
    """Whether other sizes can be tried: of one image or signal, not of several, whose sizes may belong together."""
    return len(inputs) == 1 and not inputs[0].type.is_vector


class SmallestInput(NamedTuple):
    """The side of the smallest square input that a whole network fits, and the next side that it fits; of a network
    for signals the length.

    `next` is None where no side up to `SIDES_TRIED` above fits: the network needs that size exactly.
    """

    side: int
    next: int | None
    axes: int = 2

    @property
    def exact(self) -> bool:
        return self.next is None

    def __str__(self) -> str:
        said = "×".join([str(self.side)] * self.axes)
        if self.next is None:
            return f"{said} exactly"
        return said if self.next == self.side + 1 else f"{said}, then {'×'.join([str(self.next)] * self.axes)}"


LARGEST_SIDE = 640
"""The largest side that is tried for the smallest input; every trial expands the network."""

SIDES_TRIED = 64
"""Sides above the smallest one among which the next is looked for."""


def smallest_input(document: Document, layers: Located, input: GraphInput) -> SmallestInput | None:
    """The smallest square input, or the shortest signal, of the input's channels, for which every layer fits.

    Sides are tried from 1 upwards, since a network can fit one size and not the next: below the side that is returned
    none fits. None where no side up to `sides_searched` fits.
    """
    axes = len(input.type.spatial)

    def fits(side: int) -> bool:
        kind = TensorType((*[side] * axes, input.type.channels))
        return not _faults_of(document, layers, input._replace(type=kind), _FirstError())

    smallest = next((side for side in range(1, sides_searched(input.type) + 1) if fits(side)), None)
    if smallest is None:
        return None
    larger = range(smallest + 1, smallest + SIDES_TRIED + 1)
    return SmallestInput(smallest, next((side for side in larger if fits(side)), None), axes)


def sides_searched(input: TensorType) -> int:
    """The largest side that is tried for a network's smallest input: the longer one of its own, within bounds."""
    return min(max(input.spatial), LARGEST_SIDE)


class _FirstError(Findings):
    """Findings that stop the elaboration at the first error."""

    def add(self, item: Diagnostic) -> None:
        super().add(item)
        if item.severity == "error":
            raise StopElaboration


def _faults_of(document: Document, layers: Located, input: GraphInput, findings: Findings | None = None) -> set[Fault]:
    """What is wrong with the layers for an input."""
    findings = Findings() if findings is None else findings
    expander = Expander(document, Placer((input,), findings, searches=0), findings)
    with suppress(StopElaboration):  # the reason is among the findings
        scope = Scope(inputs=(INPUT,), input_names=(input.name,))
        expander.chain(layers, Context(scope, document.env, document), (INPUT,), "layers")
    return _faults(findings.items)


def _faults(items: list[Diagnostic]) -> set[Fault]:
    return {(item.code, item.primary.span if item.primary else None) for item in items if item.severity == "error"}
