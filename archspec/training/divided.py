"""A step's passes over several devices: one function within `jax.shard_map`, and all of its collectives.

Before the passes the arrays that `fsdp` divides are gathered, once; after them gradients are summed over all devices,
those of divided arrays so that each device is left with its part. What layers exchange is in `nn/`
and `calling/rows.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax

from archspec.lower import Arrays
from archspec.mesh import AXES, SAMPLES
from archspec.training.device_mesh import DeviceMesh, partition
from archspec.training.feeding import Batch
from archspec.training.objective import Found

WHOLE = partition()

State = dict[str, Any]

SEEN = ("params", "statistics", "key", "step")
"""What the passes see of a state."""

Passed = Callable[[Arrays, State, Batch, jax.Array | None], tuple[Arrays, Found]]
"""(trained arrays, state, batch, scale of the loss) → (gradients, what was found), of whole arrays."""
Valued = Callable[[Arrays, State, Batch, jax.Array | None], jax.Array]


def scatters(devices: DeviceMesh) -> bool:
    """Whether gradients are summed and divided in one go. On CPUs that fails after 30 s of waiting whatever its
    time-outs say (jax-ml/jax#40831), so there all are summed whole."""
    return bool(devices.own.devices.flat[0].platform != "cpu")


class Divided:
    """Passes over the devices of a mesh. `narrowed` gives weights as the passes take them, so that 16-bit ones are
    gathered as such."""

    def __init__(self, devices: DeviceMesh, narrowed: Callable[[Arrays], Arrays]) -> None:
        self.devices = devices
        self.narrowed = narrowed
        self.scatters = scatters(devices)

    def passes(
        self, function: Passed, trained: Arrays, state: State, batch: Batch, scale: jax.Array | None
    ) -> tuple[Arrays, Found]:
        """The gradients of the whole batch by the trained arrays, which lie as these do, and what was found."""

        def within(
            trained: Arrays, state: dict[str, Any], batch: Batch, scale: jax.Array | None
        ) -> tuple[Arrays, Found]:
            params = self.gathered(state["params"])
            own = {name: params[name] for name in trained}
            gradients, found = function(own, {**state, "params": params}, batch, scale)
            return {name: self.summed(name, gradient) for name, gradient in gradients.items()}, found

        specs = {name: self.devices.spec(name) for name in trained}
        return self._mapped(within, trained, state, batch, scale, (specs, WHOLE))  # type: ignore[no-any-return]

    def value(
        self, function: Valued, trained: Arrays, state: State, batch: Batch, scale: jax.Array | None
    ) -> jax.Array:
        """The loss of the whole batch alone."""

        def within(trained: Arrays, state: dict[str, Any], batch: Batch, scale: jax.Array | None) -> jax.Array:
            own, params = self.gathered(trained), self.gathered(state["params"])
            share = function(own, {**state, "params": params}, batch, scale)
            summed: jax.Array = lax.psum(share, AXES)  # type: ignore[no-untyped-call]
            return summed

        return self._mapped(within, trained, state, batch, scale, WHOLE)  # type: ignore[no-any-return]

    def _mapped(
        self,
        within: Callable[..., Any],
        trained: Arrays,
        state: State,
        batch: Batch,
        scale: jax.Array | None,
        out: Any,
    ) -> Any:
        seen = {name: state[name] for name in SEEN}
        whole = jax.tree.map(lambda _: WHOLE, seen)
        specs = {**whole, "params": {name: self.devices.spec(name) for name in seen["params"]}}
        given = ({name: self.devices.spec(name) for name in trained}, specs, partition(SAMPLES), WHOLE)
        mapped = jax.shard_map(within, mesh=self.devices.own, in_specs=given, out_specs=out, check_vma=False)
        return mapped(trained, seen, batch, scale)

    def gathered(self, arrays: Arrays) -> Arrays:
        """Arrays whole, in the precision of the passes."""
        return {
            name: lax.all_gather(value, "fsdp", axis=self.devices.axes[name], tiled=True)
            if name in self.devices.axes
            else value
            for name, value in self.narrowed(arrays).items()
        }

    def summed(self, name: str, gradient: jax.Array) -> jax.Array:
        """A gradient summed over all devices, of a divided array this device's part of it."""
        axis = self.devices.axes.get(name)
        if axis is None or not self.scatters:
            whole: jax.Array = lax.psum(gradient, AXES)  # type: ignore[no-untyped-call]
            if axis is None:
                return whole
            size = gradient.shape[axis] // self.devices.mesh.fsdp
            return lax.dynamic_slice_in_dim(whole, lax.axis_index("fsdp") * size, size, axis)
        part = lax.psum_scatter(gradient, "fsdp", scatter_dimension=axis, tiled=True)  # type: ignore[no-untyped-call]
        own: jax.Array = lax.psum(part, ("data", "spatial"))  # type: ignore[no-untyped-call]
        return own

    def evaluation(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function (params, statistics, inputs, targets) → sums of a batch, over devices that divide its samples;
        arrays are whole."""
        every = partition(AXES)
        mapped: Callable[..., Any] = jax.shard_map(
            function, mesh=self.devices.own, in_specs=(WHOLE, WHOLE, every, every), out_specs=WHOLE, check_vma=False
        )
        return mapped
