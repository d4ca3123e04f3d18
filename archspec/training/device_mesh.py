"""The devices of a mesh as JAX has them, and where the arrays of a step lie on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from archspec.diagnostics import DataError, count
from archspec.graph import Graph
from archspec.mesh import AXES, SAMPLES, Mesh
from archspec.sharding.arrays import axes_of

if TYPE_CHECKING:
    from archspec.spec.train import Train

Tree = Any

partition: Any = PartitionSpec
"""Over which axes of a mesh each axis of an array is divided; JAX has no types for how it is made."""

PATIENCE = {"xla_cpu_collective_timeout_seconds": 1800, "xla_cpu_collective_call_terminate_timeout_seconds": 1800}
"""Options with which programs for CPUs wait for one another. Without them a device whose thread comes 40 s late ends
the process, as simulated ones do on a busy machine; a process that is lost is for `lookout.py` to notice."""


class DeviceMesh:
    """Devices along the axes of a mesh.

    `axes` says by the names of arrays along which axis `fsdp` divides them; all others lie whole on every device.
    """

    def __init__(self, mesh: Mesh, axes: Mapping[str, int]) -> None:
        self.mesh = mesh
        self.axes = dict(axes)
        devices = jax.devices()[: mesh.devices]
        self.own = jax.make_mesh(mesh.sizes, AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=devices)

    def connect(self) -> None:
        """Has the devices of all processes connect, along each set of axes. All must ask, at about the same time.

        On CPUs a collective connects at its first run, and gloo waits 30 s for the others there, whatever its time-outs
        are. Programs of which one is compiled later than that would never run.
        """
        axes = [axis for axis in AXES if self.mesh.size(axis) > 1]
        sets = [chosen for size in range(len(axes)) for chosen in combinations(axes, size + 1)]

        def summed(x: jax.Array) -> list[jax.Array]:
            return [jax.lax.psum(x, chosen) for chosen in sets]  # type: ignore[no-untyped-call]

        whole = partition()
        every: Any = jax.jit(
            jax.shard_map(summed, mesh=self.own, in_specs=whole, out_specs=[whole] * len(sets), check_vma=False),
            compiler_options=self.options or None,
        )
        jax.block_until_ready(every(self.put(np.ones(()), self.whole)))  # type: ignore[no-untyped-call]

    @property
    def options(self) -> dict[str, Any]:
        """Compiler options of programs with collectives."""
        return dict(PATIENCE) if self.own.devices.flat[0].platform == "cpu" else {}

    def along(self, *axes: Any) -> NamedSharding:
        """Arrays whose axes are divided over these of the mesh, in order."""
        return NamedSharding(self.own, partition(*axes))

    @cached_property
    def batch(self) -> NamedSharding:
        """Samples of a step."""
        return self.along(SAMPLES)

    @cached_property
    def every(self) -> NamedSharding:
        """Samples of an evaluation, divided over all devices."""
        return self.along(AXES)

    @cached_property
    def whole(self) -> NamedSharding:
        """What lies whole on every device."""
        return self.along()

    def spec(self, name: str) -> PartitionSpec:
        """How an array of the network is divided, by its name."""
        axis = self.axes.get(name)
        own: PartitionSpec = partition() if axis is None else partition(*(None,) * axis, "fsdp")
        return own

    def shardings(self, tree: Tree) -> Tree:
        """Where each array of a state lies: those of a divided array's name and shape as it does, all others whole."""
        shapes: dict[str, tuple[int, ...]] = {}

        def placed(path: tuple[Any, ...], leaf: Any) -> NamedSharding:
            name = next((key.key for key in reversed(path) if isinstance(key, jax.tree_util.DictKey)), None)
            divided = name in self.axes and tuple(leaf.shape) == shapes.get(str(name))
            return NamedSharding(self.own, self.spec(str(name))) if divided else self.whole

        params = tree["params"] if isinstance(tree, dict) and "params" in tree else tree
        shapes.update({name: tuple(leaf.shape) for name, leaf in params.items()})
        return jax.tree_util.tree_map_with_path(placed, tree)

    def shaped(self, tree: Tree) -> Tree:
        """A state's shapes and types with where they lie."""
        make: Any = jax.ShapeDtypeStruct
        return jax.tree.map(
            lambda leaf, sharding: make(leaf.shape, leaf.dtype, sharding=sharding), tree, self.shardings(tree)
        )

    def put(self, tree: Tree, shardings: Tree) -> Tree:
        """Arrays that every process has whole, each where it is to lie. On CPUs devices may share their memory."""

        def placed(value: Any, sharding: NamedSharding) -> jax.Array:
            own = np.asarray(value)
            return jax.make_array_from_callback(own.shape, sharding, lambda place: own[place])

        return jax.tree.map(placed, tree, shardings)

    def gathered(self, tree: Tree) -> Tree:
        """The same arrays whole on every device. All processes must ask."""
        return self._identity(tree)

    @cached_property
    def _identity(self) -> Any:
        return jax.jit(lambda tree: tree, out_shardings=self.whole, compiler_options=self.options or None)

    def local(self, tree: Tree) -> Tree:
        """Whole copies on this process's first device alone. All processes must ask."""
        first = jax.local_devices()[0]
        return jax.tree.map(
            lambda leaf: jax.device_put(np.asarray(self.gathered(leaf).addressable_data(0)), first), tree
        )


def device_mesh(train: Train, graph: Graph) -> DeviceMesh | None:
    """The devices that a recipe's steps are divided over, whose `data` is a number; None where it is one alone."""
    if train.mesh is None or train.mesh.data == "auto":
        return None
    mesh = train.mesh.mesh
    if mesh.devices == 1 and jax.process_count() == 1:
        return None
    return DeviceMesh(mesh, axes_of(graph, mesh, train.mesh.shard))


def settled(train: Train) -> Train:
    """The recipe with devices along every axis of its mesh in numbers.

    `data: auto` is what the other axes leave, and several processes without a mesh divide samples over all devices.
    Raises `DataError` (E525) where a mesh does not fit the devices that are there.
    """
    from archspec.spec.train import MeshSection

    there, processes = jax.device_count(), jax.process_count()
    if train.mesh is None:
        if processes == 1:
            return train
        return train.model_copy(update={"mesh": MeshSection(data=there)})
    own = train.mesh
    if own.data == "auto":
        rest, left = divmod(there, own.fsdp * own.spatial)
        if left or not rest:
            raise DataError(
                "E525",
                f"`mesh`: fsdp={own.fsdp},spatial={own.spatial} does not divide the {count(there, 'device')} that are "
                "there",
                help=["the product of all axes is the number of devices"],
            )
        own = own.model_copy(update={"data": rest})
    mesh = own.mesh
    if mesh.devices > there or (processes > 1 and mesh.devices != there):
        where = f"of {count(processes, 'process')} " if processes > 1 else ""
        raise DataError(
            "E525",
            f"`mesh`: {mesh.said} is of {count(mesh.devices, 'device')}, and there {'are' if there > 1 else 'is'} "
            f"{there} {where}({jax.devices()[0].platform})",
            help=[
                "data=auto takes what there is",
                *(
                    ["XLA_FLAGS=--xla_force_host_platform_device_count=8 has a CPU look like 8, to try meshes"]
                    if jax.default_backend() == "cpu" and processes == 1
                    else []
                ),
            ],
        )
    return train.model_copy(update={"mesh": own})
