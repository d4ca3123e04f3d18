"""How the main output of a network is shown: by its task, and by what its loss applies to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax

from archspec.graph import Graph
from archspec.spec.training import gives_shares

if TYPE_CHECKING:
    from archspec.loading import Spec


class Shown(NamedTuple):
    """The way in which an answer is shown, and the function of an output that gives what is shown."""

    answer: Literal["classes", "mask", "labels", "numbers", "image"]
    linked: Callable[[jax.Array], jax.Array]
    threshold: float = 0.5
    """The probability above which a label is there, of several."""
    made_again: str | None = None
    """The input that a reconstruction is of."""
    value_names: tuple[str, ...] = ()
    """What the numbers of a regression are called."""


def shown_of(spec: Spec, graph: Graph) -> Shown:
    """How the main output of a spec's graph is shown."""
    # A network that ends in softmax or sigmoid gives its probabilities itself.
    shares = gives_shares(graph, graph.main_output)
    answer: Literal["classes", "mask"] = "mask" if spec.header.task == "segmentation" else "classes"
    return Shown(answer, (lambda output: output) if shares else jax.nn.softmax)
