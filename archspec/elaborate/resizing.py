"""Inputs that a network fits: others where it does not fit its own, and the smallest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from math import ceil
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
    if len(placer.inputs) > 1 or not placer.input.is_map:
        return
    trials = min(MAX_TRIALS, MAX_STEPS // max(1, expander.steps))
    known = _faults(findings.items)
    tried: dict[TensorType, set[Fault]] = {}

    def helps(item: Diagnostic, size: TensorType) -> bool:
        if size not in tried:
            if len(tried) >= trials:
                return False
            tried[size] = _faults_of(document, layers, size)
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
        ways = list(item.help)
        for height, width, _ in (size.shape for size in sizes):
            ways.append(f"{'or ' if ways else ''}an input of {height}×{width}: --input {height}x{width}")
        if sizes:
            findings.replace(item, replace(item, help=tuple(ways)))


Helps = Callable[[Diagnostic, TensorType], bool]


def _scaled(placer: Placer, misfit: Misfit, helps: Helps) -> list[TensorType]:
    """The least input of the same proportions that was found to fit."""
    input, item = placer.input, misfit.item
    least = placer.least_scale(misfit.layer, misfit.values)
    if least is None:
        return []
    longest = max(input.shape[:2])
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
    height, width, channels = placer.input.shape
    strides = [max([1, *(ceil(node.receptive_field.jump[axis]) for node in placer.nodes)]) for axis in (0, 1)]

    def up(size: int, step: int) -> int:
        return -(-size // step) * step

    multiples: dict[tuple[int, int], tuple[int, int]] = {}
    for power in range(MAX_HALVINGS):
        down, across = (stride * 2**power for stride in strides)
        for size in ((up(height, down), width), (height, up(width, across)), (up(height, down), up(width, across))):
            if size != (height, width) and max(size) <= max(MAX_INPUT, height, width):
                multiples.setdefault(size, (down, across))
    for size in sorted(multiples, key=lambda size: size[0] * size[1]):
        if helps(item, TensorType((*size, channels))):
            steps = multiples[size]
            less = [
                have if have == want else want - step
                for have, want, step in zip((height, width), size, steps, strict=True)
            ]
            smaller = TensorType((less[0], less[1], channels))
            fits = min(less) > 0 and helps(item, smaller)
            return [TensorType((*size, channels)), *([smaller] if fits else [])]
    return []


def _near(placer: Placer, misfit: Misfit, helps: Helps) -> list[TensorType]:
    """The next larger input that fits, of sides that are no multiples: 227 = 8·28 + 3 of AlexNet, 9 = 4·2 + 1."""
    height, width, channels = placer.input.shape
    for more in range(1, NEAR + 1):
        for size in ((height + more, width), (height, width + more), (height + more, width + more)):
            if max(size) <= MAX_INPUT and helps(misfit.item, TensorType((*size, channels))):
                return [TensorType((*size, channels))]
    return []


class SmallestInput(NamedTuple):
    """The side of the smallest square input that a whole network fits, and the next side that it fits.

    `next` is None where no side up to `SIDES_TRIED` above fits: the network needs that size exactly.
    """

    side: int
    next: int | None

    @property
    def exact(self) -> bool:
        return self.next is None

    def __str__(self) -> str:
        said = f"{self.side}×{self.side}"
        if self.next is None:
            return f"{said} exactly"
        return said if self.next == self.side + 1 else f"{said}, then {self.next}×{self.next}"


LARGEST_SIDE = 640
"""The largest side that is tried for the smallest input; every trial expands the network."""

SIDES_TRIED = 64
"""Sides above the smallest one among which the next is looked for."""


def smallest_input(document: Document, layers: Located, input: TensorType) -> SmallestInput | None:
    """The smallest square input, of the input's channels, for which every layer fits.

    Sides are tried from 1 upwards, since a network can fit one size and not the next: below the side that is returned
    none fits. None where no side up to `sides_searched` fits.
    """
    channels = input.channels

    def fits(side: int) -> bool:
        return not _faults_of(document, layers, TensorType((side, side, channels)), _FirstError())

    smallest = next((side for side in range(1, sides_searched(input) + 1) if fits(side)), None)
    if smallest is None:
        return None
    return SmallestInput(
        smallest, next((side for side in range(smallest + 1, smallest + SIDES_TRIED + 1) if fits(side)), None)
    )


def sides_searched(input: TensorType) -> int:
    """The largest side that is tried for a network's smallest input: the longer one of its own, within bounds."""
    return min(max(input.shape[:2]), LARGEST_SIDE)


class _FirstError(Findings):
    """Findings that stop the elaboration at the first error."""

    def add(self, item: Diagnostic) -> None:
        super().add(item)
        if item.severity == "error":
            raise StopElaboration


def _faults_of(document: Document, layers: Located, input: TensorType, findings: Findings | None = None) -> set[Fault]:
    """What is wrong with the layers for an input."""
    findings = Findings() if findings is None else findings
    expander = Expander(document, Placer((GraphInput("input", input),), findings, searches=0), findings)
    with suppress(StopElaboration):  # the reason is among the findings
        expander.chain(layers, Context(Scope(inputs=(INPUT,)), document.env, document), (INPUT,), "layers")
    return _faults(findings.items)


def _faults(items: list[Diagnostic]) -> set[Fault]:
    return {(item.code, item.primary.span if item.primary else None) for item in items if item.severity == "error"}
