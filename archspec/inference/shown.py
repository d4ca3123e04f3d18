"""How the outputs of a network are shown: by their tasks, and by what losses apply to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax

from archspec.graph import Graph
from archspec.spec.training import gives_shares
from archspec.tasks import Answer, Head

if TYPE_CHECKING:
    from archspec.loading import Spec


class Shown(NamedTuple):
    """The way in which an answer is shown, and the function of an output that gives what is shown."""

    answer: Answer
    linked: Callable[[jax.Array], jax.Array]
    threshold: float = 0.5
    """The number, as it is shown, above which a label is there, of several."""
    made_again: str | None = None
    """The input that a reconstruction is of."""
    value_names: tuple[str, ...] = ()
    """What the numbers of a regression are called."""
    class_names: tuple[str, ...] = ()
    """The names of the classes of another output than the main one, where they are known."""
    likely: bool = True
    """Whether what is shown of classes are probabilities, and not the scores of a loss that makes none."""


def main_head(spec: Spec) -> Head:
    """The main output with its task, loss and metrics."""
    main = spec.graph().main_output.name
    return next(head for head in spec.heads() if head.name == main)


def shown_of(spec: Spec, graph: Graph) -> Shown:
    """How the main output of a spec's graph is shown."""
    return shown_by(main_head(spec), graph)


def others_of(spec: Spec, graph: Graph) -> dict[str, Shown]:
    """How other outputs that evaluation has are shown, by their names."""
    main = graph.main_output.name
    return {head.name: shown_by(head, graph) for head in spec.heads() if not head.train_only and head.name != main}


def shown_by(head: Head, graph: Graph) -> Shown:
    """How the output of a head is shown."""
    output = next(output for output in graph.outputs if output.name == head.name)
    # A network that ends in softmax or sigmoid gives its probabilities itself.
    shares = gives_shares(graph, output)
    threshold = 0.5 if head.loss.link == "sigmoid" else head.loss.threshold
    return Shown(
        head.task.answer,
        (lambda output: output) if shares else head.loss.linked,
        threshold,
        head.target if head.remakes else None,
        (head.target or head.name,) if head.type.shape == (1,) else (),
        likely=shares or head.loss.link is not None,
    )
