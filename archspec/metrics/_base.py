"""The base class of metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from archspec.diagnostics import name_at
from archspec.kinds import Kind
from archspec.losses import Form, Loss

if TYPE_CHECKING:
    import numpy as np

    from archspec.types import TensorType

Sums = dict[str, Any]
"""What one batch gives, by name: arrays of JAX in the compiled step, of NumPy once they are on the host."""
Totals = Mapping[str, "np.ndarray"]
Values = dict[str, Any]
"""Figures by name: a number, None where nothing counted, or a list of such, one for each class."""


class Metric(Kind):
    """Base of all metrics.

    A batch gives `Sums`, which are added up over a split in 64 bits, or joined where the figure cannot be had from
    sums; the figure is what `result` makes of the whole. So it is that of the split, however it fell into batches.
    """

    forms: ClassVar[tuple[Form, ...]] = ("classes", "numbers")
    """The forms of target that it understands."""
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    percent: ClassVar[bool] = True
    """Whether its figures are shares, said in percent."""
    joined: ClassVar[bool] = False
    """Whether batches are joined, sample by sample, instead of added up."""

    by_position: ClassVar[bool] = False
    """Whether what parts of a map give adds up to what the whole gives."""

    @property
    def headline(self) -> str:
        """The name of its first figure."""
        return self.kind

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of those of its figures that are one number, by which a run can go."""
        return (self.headline,)

    @property
    def label(self) -> str:
        """What the headline is called in words."""
        return self.kind.replace("_", " ")

    def check(self, output: TensorType) -> None:
        """Raises `DataError` where it says nothing of outputs of this type."""

    def of_input(self, range: tuple[float, float], std: tuple[float, ...] | None) -> Self:
        """The metric for targets that are an input of these fields, as the network is given it."""
        return self

    def build(self, loss: Loss) -> Callable[[Any, Any], Sums]:
        """What a batch gives, as a function of outputs and targets; the loss says what an output's numbers mean."""
        raise NotImplementedError

    def sizes(self, output: TensorType) -> Mapping[str, int] | None:
        """How many numbers of 32 bits each of a batch's sums has; None where a kind does not say.

        Those of metrics that are measured in training say so: a step over several devices adds them up.
        """
        return None

    def result(self, totals: Totals) -> Values:
        """The figures, from the totals of all batches."""
        raise NotImplementedError

    def said(self, values: Values) -> str:
        """The headline in a few words, for a line an epoch."""
        return f"{self.label} {self.number(values[self.headline])}"

    def summary(self, values: Values, names: Sequence[str]) -> str:
        """The figures in words, for the end of a run; `names` are those of the classes."""
        return self.said(values)

    def table(self, values: Values, names: Sequence[str]) -> list[str]:
        """Lines with what there is of each class."""
        return []

    def number(self, value: float | None) -> str:
        """A figure as it is said."""
        if value is None:
            return "–"
        return f"{100 * value:.2f} %" if self.percent else f"{value:.4g}"


def add(metric: Metric, parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The totals of what batches gave, on the host: added up in 64 bits, or joined."""
    import numpy as np

    if metric.joined:
        return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}
    return {name: np.asarray(sum(np.asarray(part[name]).astype(np.float64) for part in parts)) for name in parts[0]}


def share(part: Any, whole: Any) -> float | None:
    """A quotient; None where nothing counted."""
    return float(part / whole) if whole else None


def per_class(names: Sequence[str], values: Sequence[float | None], word: str) -> list[str]:
    """A share of each class, a line each."""
    named = [name_at(names, index) for index in range(len(values))]
    width = max(map(len, named), default=0)
    return [
        f"  {name:<{width}}  {'does not occur' if value is None else f'{word} {100 * value:6.2f} %'}"
        for name, value in zip(named, values, strict=True)
    ]


def known_of(values: Sequence[float | None], names: Sequence[str]) -> str:
    """Of how many classes a mean is, where it is not of all."""
    known = sum(value is not None for value in values)
    return f" over {known} of {len(values)} classes" if known < len(values) else ""
