"""Steps are compiled while the data are read, for what is known of the data by then.

How many samples there are, and of what shapes and types, is known before image files are read into memory, and before
those that are streamed are read once. Steps are made for that and compiled in a thread. Once the data are read they are
held against what was assumed: where anything differs, nothing of the steps is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from archspec.data import Column, Data, Split, Values
from archspec.diagnostics import DataError, SpecError
from archspec.graph import Graph
from archspec.lowerings.choosing import Lowerings, of_new_run
from archspec.tasks import Head
from archspec.training.ahead import Ahead, compiling
from archspec.training.checks import fitted, fitted_heads, matched
from archspec.training.cutting import cut_from_files, is_cut
from archspec.training.evaluation import batch_size_of
from archspec.training.feeding import orders_of
from archspec.training.freezing import frozen_at
from archspec.training.steps import Steps, steps_of

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.train import Train

Shapes = dict[str, tuple[tuple[int, ...], str]]


class Assumed(NamedTuple):
    """All of the data that steps are made for."""

    parts: tuple[tuple[int, Shapes, Shapes], ...]
    """Samples, inputs and targets of what is trained on, and of what is measured."""
    heads: tuple[Head, ...]
    cut: bool

    @classmethod
    def of(cls, data: Data, heads: Sequence[Head]) -> Assumed:
        parts = (data.train, data.validation)
        return cls(
            tuple((len(part), _shapes(part.inputs), _shapes(part.targets)) for part in parts),
            tuple(heads),
            is_cut(data.train),
        )


def _shapes(arrays: Mapping[str, Values]) -> Shapes:
    return {name: (tuple(values.shape[1:]), str(values.dtype)) for name, values in arrays.items()}


class Early:
    """The steps of a run that begins anew, from what is known of its data before they are read."""

    def __init__(self, spec: Spec, graph: Graph, recipe: Train) -> None:
        self.spec, self.graph, self.recipe = spec, graph, recipe
        self.lowerings: Lowerings = of_new_run(recipe.lowerings)
        self.assumed: Assumed | None = None
        self.steps: Steps | None = None
        self.ahead: Ahead | None = None

    def of_parts(self, parts: Sequence[Split]) -> None:
        """Begins with the parts of a dataset that are about to be read into memory."""
        # A share for validation is taken of what has been read.
        if len(parts) > 1 and not isinstance(self.recipe.validation, float):
            self.of_data(Data(self.recipe.dataset.kind, parts[0], parts[1], {}))

    def of_data(self, data: Data) -> None:
        """Begins with data whose samples have not been read.

        What is wrong with them, or with what the recipe asks for, is told once they have been, at its own place.
        """
        recipe = self.recipe
        targets = [values for split in data.parts.values() for values in split.targets.values()]
        if (
            self.assumed is not None
            or "auto" in (recipe.batch_size, recipe.remat)
            or not all(map(len, data.parts.values()))
            or any(isinstance(values, Column) for values in targets)  # losses and checks may look at all of them
        ):
            return
        try:
            orders = orders_of(recipe, len(data.train))
            data = matched(replace(data, classes={}), self.spec, self.graph)
            data = data.map(lambda split: fitted(split, self.spec.inputs))
            heads = fitted_heads(self.spec, data)
            data = cut_from_files(data, self.spec, heads)
            assumed = Assumed.of(data, heads)
            self.steps = steps_of(
                self.graph,
                self.spec.inputs,
                heads,
                recipe,
                orders.steps,
                frozen=frozen_at(recipe, self.graph, 1),
                begin=int(assumed.cut),
                lowerings=self.lowerings,
            )
        except (DataError, SpecError):
            return
        self.assumed = assumed
        measured = batch_size_of(self.graph, len(data.validation), self.steps.devices)
        self.ahead = compiling(self.steps, data.train, orders.batch, data.validation, measured)

    def fits(self, data: Data, heads: Sequence[Head]) -> bool:
        """Whether the data are as they were assumed to be."""
        return self.assumed == Assumed.of(data, heads)
