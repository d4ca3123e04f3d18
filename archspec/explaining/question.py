"""A run and what is asked of it: which input and output are explained, and the notes of what was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, did_you_mean, listed
from archspec.explaining.asking import Asked
from archspec.graph import Graph, Output
from archspec.images.numbers import said_order
from archspec.images.numbers import scaled as to_shares
from archspec.inference.run import Run
from archspec.inference.shown import Shown
from archspec.inspecting.subject import Subject
from archspec.inspecting.target import Scores, scores_of
from archspec.spec.network import ImageInput

if TYPE_CHECKING:
    from archspec.spec.inputs import Input

BUDGET = 10**12
"""Multiply–adds that a method may take of its own accord: tens of seconds on two slow cores."""


class Question(NamedTuple):
    """What is asked, of which run; whoever answers a part of it adds to the `notes`.

    `input` is the name of the explained input, `scores` tells where the scores of the explained `output` are.
    """

    run: Run
    asked: Asked
    notes: list[str]
    subject: Subject
    input: str
    output: Output
    scores: Scores

    @property
    def graph(self) -> Graph:
        """The network in evaluation."""
        return self.subject.graph

    @property
    def macs(self) -> int:
        """Multiply–adds of one sample, 1 at least."""
        return max(self.graph.macs, 1)

    @property
    def sections(self) -> Mapping[str, Input]:
        """The inputs by name."""
        return self.run.spec.inputs

    @property
    def image(self) -> ImageInput | None:
        """The explained input's section where it is an image."""
        section = self.sections[self.input]
        return section if isinstance(section, ImageInput) else None

    @property
    def takes(self) -> str:
        """Image, signal or vector."""
        return "image" if self.image else "vector" if self.sections[self.input].type.is_vector else "signal"

    @property
    def arrays(self) -> dict[str, Any]:
        """The run's arrays by name."""
        weights = self.run._weights
        return {**weights.params, **weights.statistics}

    @property
    def shown(self) -> Shown:
        """How the explained output is shown."""
        return self.shown_of(self.output.name)

    def shown_of(self, name: str) -> Shown:
        return self.run._shown if name == self.graph.main_output.name else self.run._others[name]

    def names(self, name: str) -> Sequence[str]:
        """What the numbers of an output are called."""
        shown = self.shown_of(name)
        if name == self.graph.main_output.name and self.run.classes:
            return self.run.classes
        return shown.class_names or shown.value_names

    def prepared(self, stacked: dict[str, np.ndarray]) -> dict[str, Any]:
        """Samples, the batch first, as the network takes them."""
        prepared: dict[str, Any] = self.run._forward.prepare(stacked)
        return prepared

    def in_bytes(self, array: np.ndarray) -> np.ndarray:
        """Pixels (height, width, channels) as bytes."""
        if array.dtype == np.uint8:
            return array
        assert self.image is not None
        return np.clip(np.rint(np.asarray(to_shares(jnp.asarray(array), self.image)) * 255), 0, 255).astype(np.uint8)


def question_of(run: Run, asked: Asked, said: Sequence[str]) -> Question:
    """What is `asked` of a run, whose images were read with the notes `said`. Raises `DataError`."""
    weights = run._weights
    subject = Subject(run.graph, weights.pure, weights.params, weights.statistics)
    notes = [*weights.notes, *said]
    sections = run.spec.inputs
    notes.extend(said_order(sections))
    images = [name for name, own in sections.items() if isinstance(own, ImageInput)]
    places = [name for name, own in sections.items() if not own.type.is_vector]
    input_ = (images or places or list(sections))[0]
    if len(sections) > 1:
        notes.append(f"of {listed(sections)}, pictures are of `{input_}`")
    output = _output(subject.graph, asked, notes)
    return Question(run, asked, notes, subject, input_, output, scores_of(subject.graph, output))


def _output(graph: Graph, asked: Asked, notes: list[str]) -> Output:
    there = {output.name: output for output in graph.outputs}
    if asked.output is None:
        if len(there) > 1:
            notes.append(f"of the outputs {listed(there)}, `{graph.main_output.name}` is explained")
        return graph.main_output
    if asked.output not in there:
        hint = did_you_mean(asked.output, there)
        raise DataError(
            "E113", f"the network has no output `{asked.output}`", help=[hint or f"outputs: {listed(there)}"]
        )
    return there[asked.output]
