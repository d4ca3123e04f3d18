"""Inputs that a network fits: larger ones where it does not fit its own, and the smallest."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from archspec.diagnostics import Diagnostic, Findings, Span
from archspec.elaborate.entries import Expander
from archspec.elaborate.placing import MAX_INPUT, Placer, scaled
from archspec.elaborate.scope import Frame, Scope, StopElaboration
from archspec.graph import INPUT
from archspec.located import Located
from archspec.spec.document import Document
from archspec.types import TensorType

MAX_TRIALS = 24
MAX_STEPS = 15_000
"""Entries that all trials of a spec may expand; more would take too long."""

Fault = tuple[str, Span | None]


def suggest_inputs(document: Document, layers: Located, expander: Expander) -> None:
    """Adds a larger input to the help of layers that do not fit, where there is one that brings no other error.

    Layers behind one that does not fit have not been looked at, so the whole network is expanded for that input.
    """
    findings, input = expander.findings, expander.placer.input
    trials = min(MAX_TRIALS, MAX_STEPS // max(1, expander.steps))
    known = _faults(findings.items)
    longest = max(input.shape[:2])
    tried: dict[TensorType, set[Fault]] = {}

    def helps(item: Diagnostic, scale: float) -> bool:
        size = scaled(input, scale)
        if size not in tried:
            if len(tried) >= trials:
                return False
            tried[size] = _faults_of(document, layers, size)
        return tried[size] <= known - _faults([item])

    for item, least in expander.placer.misfits:
        high = least
        while not helps(item, high) and 2 * high * longest <= MAX_INPUT:
            high *= 2
        low = max(least, high / 2)
        while high > least and (high - low) * longest >= 0.5:
            middle = (low + high) / 2
            low, high = (low, middle) if helps(item, middle) else (middle, high)
        if helps(item, high):
            height, width, _ = scaled(input, high).shape
            way = f"or an input of {height}×{width}: --input {height}x{width}"
            findings.replace(item, replace(item, help=(*item.help, way)))


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

    found = next((side for side in range(1, sides_searched(input) + 1) if fits(side)), None)
    if found is None:
        return None
    return SmallestInput(found, next((side for side in range(found + 1, found + SIDES_TRIED + 1) if fits(side)), None))


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
    expander = Expander(document, Placer(input, findings, searches=0), findings)
    with suppress(StopElaboration):  # the reason is among the findings
        expander.chain(layers, Frame(Scope(inputs=(INPUT,)), document.env, document), (INPUT,), "layers")
    return _faults(findings.items)


def _faults(items: list[Diagnostic]) -> set[Fault]:
    return {(item.code, item.primary.span if item.primary else None) for item in items if item.severity == "error"}
