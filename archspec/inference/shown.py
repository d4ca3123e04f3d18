"""How the main output of a network is shown: by its task, and by what its loss applies to it."""

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
    likely: bool = True
    """Whether what is shown of classes are probabilities, and not the scores of a loss that makes none."""


def main_head(spec: Spec) -> Head:
    """The main output with its task, loss and metrics."""
    main = spec.graph().main_output.name
    return next(head for head in spec.heads() if head.name == main)


def shown_of(spec: Spec, graph: Graph) -> Shown:
    """How the main output of a spec's graph is shown."""
    head = main_head(spec)
    # A network that ends in softmax or sigmoid gives its probabilities itself.
    shares = gives_shares(graph, graph.main_output)
    threshold = 0.5 if head.loss.link == "sigmoid" else head.loss.threshold
    return Shown(
        head.task.answer,
        (lambda output: output) if shares else head.loss.linked,
        threshold,
        head.target if head.remakes else None,
        (head.target or head.name,) if head.type.shape == (1,) else (),
        shares or head.loss.link is not None,
    )
