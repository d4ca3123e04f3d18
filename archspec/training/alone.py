"""Whether kinds of others take each sample by itself, as a batch that is divided over devices asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, listed
from archspec.graph import Graph, Node
from archspec.kinds import is_foreign
from archspec.losses import Loss
from archspec.mesh import Mesh
from archspec.plugins import failure, home_of
from archspec.tasks import Head

NEAR = 1e-3
"""So much, of its own size, a sum may differ by rounding."""


def check_losses(heads: Sequence[Head], mesh: Mesh) -> None:
    """Raises `DataError` (E525) where a loss of another's gives samples together other losses than each alone.

    Each device knows the losses of its own samples only. It is tried on random numbers.
    """
    if mesh.devices == 1:
        return
    for head in heads:
        for term, _ in head.loss.terms:
            if is_foreign(type(term)) and not _adds_up(term, head):
                raise DataError(
                    "E525",
                    f"the loss of output `{head.name}` cannot be divided over devices: {home_of(type(term))} gives "
                    "samples together other losses, or weights, than each alone",
                    help=[
                        "a loss gives each sample's own, and what it weighs; a step sums them up and divides",
                        "without `mesh` it is trained on one device",
                    ],
                )


def _adds_up(term: Loss, head: Head) -> bool:
    draw = np.random.default_rng(0)
    output = jnp.asarray(draw.standard_normal((3, *head.type.shape)), jnp.float32)
    target: Any = (
        jnp.asarray(draw.integers(head.type.channels, size=output.shape[:-1]), jnp.int32)
        if head.task.form == "classes"
        else jnp.asarray(draw.uniform(size=output.shape), jnp.float32)
    )
    try:
        loss = term.build()
        together = [part.sum() for part in loss(output, target)]
        single = [[part.sum() for part in loss(output[at : at + 1], target[at : at + 1])] for at in range(len(output))]
    except Exception as error:
        raise failure(f"the loss of output `{head.name}`", type(term), error, None) from error
    sums = [sum(float(parts[place]) for parts in single) for place in (0, 1)]
    return bool(np.allclose([float(part) for part in together], sums, rtol=NEAR, atol=NEAR))


def of_layers(graph: Graph, mesh: Mesh) -> list[str]:
    """What is said of layers of others that are not told how a batch is divided: which numbers are of a device's part.

    Whether one without random numbers looks at other samples is tried on random ones.
    """
    if mesh.devices == 1:
        return []
    own = [node for node in graph.nodes if is_foreign(type(node.layer)) and not node.layer.uses_shards]
    random = [node for node in own if node.layer.uses_key]
    kept = [node for node in own if any(weight.role == "statistics" for weight in node.weights)]
    others = [node for node in own if node not in random and node not in kept and _looks_at_others(node)]
    notes = []
    if random:
        notes.append(f"{_said(random)} on each device random numbers of {_its(random)} own, not those of one device")
    if kept:
        notes.append(f"{_said(kept, 'takes', 'take')} a device's samples for the batch, and statistics are a mean")
    if others:
        notes.append(f"{_said(others, 'looks', 'look')} at a device's samples alone, not at those of the whole batch")
    return [f"{note} (`uses_shards` of a layer's class asks to be told)" for note in notes]


def _said(nodes: Sequence[Node], one: str = "draws", more: str = "draw") -> str:
    names: Iterable[str] = (node.path for node in nodes)
    return f"{listed(names, 4)} {one if len(nodes) == 1 else more}"


def _its(nodes: Sequence[Node]) -> str:
    return "its" if len(nodes) == 1 else "their"


def _looks_at_others(node: Node) -> bool:
    """Whether a sample's output is another one among others than alone. What fails is told where it is run."""
    from flax import nnx

    try:
        module: Any = node.layer.build(node.input_types, nnx.Rngs(0))
        keys = jax.random.split(jax.random.key(0), len(node.input_types))
        given = [jax.random.normal(key, (3, *kind.shape)) for key, kind in zip(keys, node.input_types, strict=True)]
        options: dict[str, Any] = {"train": True} if node.layer.uses_mode else {}
        options |= {"lowerings": None} if node.layer.uses_lowerings else {}
        among = module(*given, **options)[:1]
        alone = module(*(array[:1] for array in given), **options)
        return not np.allclose(among, alone, rtol=NEAR, atol=NEAR)
    except Exception:
        return False
