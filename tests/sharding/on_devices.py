"""A network's outputs, gradients and statistics with its rows divided over simulated devices, and on one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from archspec.graph import Graph
from archspec.lower import Arrays, build, split
from archspec.mesh import AXES, SAMPLES, Mesh
from archspec.nn.shards import Shards
from archspec.passes import Group
from archspec.sharding.rows import Rows, rows_of

BATCH = 4


class Results(NamedTuple):
    """What a training pass gives: outputs, gradients by the arrays and by the inputs, and the statistics."""

    outputs: dict[str, Any]
    arrays: Arrays
    inputs: dict[str, jax.Array]
    statistics: Arrays


class Pass:
    """A network with random arrays and inputs, and a loss: the sum of squares of all outputs, each off by a wave."""

    def __init__(self, graph: Graph, groups: tuple[Group, ...] = (), precision: Any = None) -> None:
        self.graph = graph.pruned("train")
        self.groups = groups
        self.precision = precision
        self.pure, params, self.statistics = split(build(graph, seed=1))
        draw = np.random.default_rng(0)
        # Biases and factors too are other numbers for each channel.
        self.params = {
            name: value + jnp.asarray(0.1 * draw.standard_normal(value.shape), value.dtype)
            for name, value in params.items()
        }
        self.inputs = {
            item.name: jnp.asarray(draw.standard_normal((BATCH, *item.type.shape)), jnp.float32)
            for item in graph.inputs
        }

    def applied(
        self, params: Arrays, inputs: Mapping[str, jax.Array], shards: Shards | None = None, rows: Rows | None = None
    ) -> tuple[dict[str, jax.Array], Arrays]:
        made, statistics = self.pure.apply(
            params,
            self.statistics,
            inputs,
            train=True,
            key=jax.random.key(3),
            precision=self.precision,
            groups=self.groups,
            shards=shards,
            rows=rows,
        )
        return made if isinstance(made, dict) else {self.graph.outputs[0].name: made}, statistics

    def alone(self) -> Results:
        def loss(params: Arrays, inputs: Mapping[str, jax.Array]) -> Any:
            outputs, statistics = self.applied(params, inputs)
            total = sum(jnp.sum(_apart(value)) for value in outputs.values())
            return total, (outputs, statistics)

        run = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
        (_, (outputs, statistics)), gradients = run(self.params, self.inputs)
        return Results(outputs, gradients[0], gradients[1], statistics)

    def divided(self, mesh: Mesh) -> tuple[Any, Results]:
        """The compiled program too."""
        rows, shards = rows_of(self.graph, mesh), Shards(mesh)

        def within(params: Arrays, inputs: Mapping[str, jax.Array]) -> Any:
            def share(params: Arrays, inputs: Mapping[str, jax.Array]) -> Any:
                outputs, statistics = self.applied(params, inputs, shards, rows)
                total = jnp.zeros(())
                for name, value in outputs.items():
                    if name in rows.outputs:
                        whole = _apart(value, lax.axis_index("spatial") * value.shape[1])
                        total += jnp.sum(whole)
                    else:
                        # All of `spatial` compute it alike, and each counts as its part of it.
                        total += jnp.sum(_apart(value)) / mesh.spatial
                return total, (outputs, statistics)

            (_, (outputs, statistics)), (arrays, taken) = jax.value_and_grad(share, (0, 1), has_aux=True)(
                params, inputs
            )
            return outputs, lax.psum(arrays, AXES), lax.psum(taken, "spatial"), statistics

        spec: Any = PartitionSpec
        outputs = {
            output.name: spec(SAMPLES, "spatial") if output.name in rows.outputs else spec(SAMPLES)
            for output in self.graph.outputs
        }
        devices = np.array(jax.devices()[: mesh.devices]).reshape(mesh.sizes)
        run = jax.jit(
            jax.shard_map(
                within,
                mesh=jax.sharding.Mesh(devices, AXES),
                in_specs=(spec(), spec(SAMPLES)),
                out_specs=(outputs, spec(), spec(SAMPLES), spec()),
                check_vma=False,
            )
        )
        compiled = run.lower(self.params, self.inputs).compile()
        return compiled, Results(*compiled(self.params, self.inputs))


def _apart(value: jax.Array, first: Any = 0) -> jax.Array:
    """(y − sin(row + 2·column + channel …))²: other gradients at each place, whose sums are not 0."""
    wave = sum(
        (lax.broadcasted_iota(jnp.float32, value.shape, axis) + (first if axis == 1 else 0)) * axis
        for axis in range(1, value.ndim)
    )
    return jnp.square(value - jnp.sin(jnp.asarray(wave)))


def differences(one: Results, other: Results) -> dict[str, float]:
    """How far apart two results are, as a share of the largest number of each array.

    A bias before a batch norm has a gradient of 0 but for rounding: what is below a hundredth of the largest of all
    arrays counts as a share of that.
    """
    found = {}
    for field in Results._fields:
        mine, theirs = getattr(one, field), getattr(other, field)
        assert mine.keys() == theirs.keys()
        sizes = {name: float(jnp.abs(value).max()) for name, value in mine.items()}
        least = max(sizes.values(), default=0.0) / 100
        for name, size in sizes.items():
            assert mine[name].shape == theirs[name].shape, name
            found[f"{field} {name}"] = float(jnp.abs(mine[name] - theirs[name]).max()) / max(size, least, 1e-9)
    return found
