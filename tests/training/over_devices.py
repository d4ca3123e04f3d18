"""What processes of `test_over_devices` do, each over the devices that it has."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from archspec.data import Column, Orders, Reading, Split
from archspec.data.image_folder import ImageFolder
from archspec.mesh import Mesh
from archspec.peers import peers
from archspec.runs.checkpoints import Checkpoints, digests, last_arrays
from archspec.survey.known import to_plain
from archspec.survey.reading import survey
from archspec.training.device_mesh import DeviceMesh
from archspec.training.feeding import Batch, DeviceFeed, HostFeed, as_on_one
from archspec.training.run import train

MESHES = [Mesh(data=8), Mesh(data=2, fsdp=2, spatial=2), Mesh(fsdp=4), Mesh(data=2, spatial=4)]


def numbered(samples: int) -> Split:
    """Samples whose pixels and label are their numbers."""
    numbers = np.arange(samples)
    return Split.of(np.tile(numbers.astype(np.uint8)[:, None, None, None], (1, 2, 3, 1)), numbers.astype(np.int64))


def held(array: jax.Array) -> dict[int, np.ndarray]:
    """What each device of this process has of an array."""
    return {shard.device.id: np.asarray(shard.data) for shard in array.addressable_shards}


def feeds() -> None:
    """Every feed gives each device its block, of the samples that one device's batches have."""
    split = numbered(44)
    for mesh in MESHES:
        devices = DeviceMesh(mesh, {})
        for micro in (1, 2):
            one, orders = Orders(3, 44, 16), Orders(3, 44, 16, mesh.batches, micro)
            host, streamed = HostFeed(split, orders, 2, 0, devices), HostFeed(split, None, 2, 0, devices)
            made = DeviceFeed(split, devices)
            for epoch, start in ((1, 0), (2, 1)):
                order = orders.of(epoch)
                for source in (host, streamed, made):
                    for step, batch in enumerate(source.batches(order, start, epoch), start):
                        check(batch, one.of(epoch)[step], devices, micro)
                        whole = as_on_one(devices.local(batch), orders)
                        assert np.array_equal(whole.index, one.of(epoch)[step])
                    assert step == len(order) - 1
            text = made.gather.lower(made.inputs, made.targets, order, np.int32(0)).compile().as_text()
            assert not any(name in text for name in ("all-gather", "all-reduce", "collective", "all-to-all"))


def check(batch: Batch, wanted: np.ndarray, devices: DeviceMesh, micro: int) -> None:
    """Of a batch in the order of one device, part after part of a micro-batch lies on device after device."""
    parts = devices.mesh.batches
    indices, images, labels = held(batch.index), held(batch.inputs["input"]), held(batch.targets["label"])
    places = {device.id: place for place, device in np.ndenumerate(devices.own.devices)}
    assert set(indices) == set(places)
    for device, index in indices.items():
        data, fsdp, _ = places[device]
        part = data * devices.mesh.fsdp + fsdp
        assert index.tolist() == wanted.reshape(micro, parts, -1)[:, part].ravel().tolist()
        numbers = np.where(index < 0, ~index, index)
        assert images[device].dtype == np.uint8 and labels[device].dtype == np.int32
        assert np.array_equal(images[device], np.broadcast_to(numbers[:, None, None, None], (len(index), 2, 3, 1)))
        assert labels[device].tolist() == np.where(index < 0, -1, numbers).tolist()


AXES = {"a.kernel": 1, "b.kernel": 0}


def state_after(step: int) -> dict[str, Any]:
    draw = np.random.default_rng(step)
    params = {
        "a.kernel": jnp.asarray(draw.standard_normal((3, 8)), jnp.float32),
        "a.bias": jnp.asarray(draw.standard_normal(8), jnp.float32),
        "b.kernel": jnp.asarray(draw.standard_normal((16, 5)), jnp.float32),
    }
    moments = optax.adam(0.1).init(params)
    moments = jax.tree.map(lambda leaf: leaf + step, moments)
    return {"params": params, "statistics": {}, "optimiser": moments, "step": jnp.asarray(step, jnp.int32)}


def laid(state: Any, devices: DeviceMesh | None) -> Any:
    return state if devices is None else devices.put(state, devices.shardings(state))


def save(folder: str, *meshes: str) -> None:
    """Saves a checkpoint after each step from each of these meshes."""
    checkpoints = Checkpoints(Path(folder), peers())
    for step, mesh in enumerate(read_meshes(meshes), 1):
        checkpoints.save(step, laid(state_after(step), mesh), {"sums": [step / 3]}, lambda steps: set(steps))
    checkpoints.close()
    assert checkpoints.steps() == list(range(1, len(meshes) + 1))


def read_meshes(meshes: Sequence[str]) -> Iterator[DeviceMesh | None]:
    """Meshes by their sizes, `2,2,2`; `-` is one device."""
    for text in meshes:
        yield None if text == "-" else DeviceMesh(Mesh(*map(int, text.split(","))), AXES)


def restore(folder: str, *meshes: str) -> None:
    """Reads the last checkpoint onto each of these meshes: the bits, and where they lie."""
    for mesh in read_meshes(meshes):
        shapes = jax.eval_shape(lambda: state_after(1))
        shapes = shapes if mesh is None else mesh.shaped(shapes)
        found = Checkpoints(Path(folder), peers()).last(lambda step, shapes=shapes: shapes)
        wanted = state_after(found.step)
        assert digests(found.state) == digests(wanted), "other bits"
        again = laid(wanted, mesh)
        for name, (own, theirs) in {
            str(number): pair
            for number, pair in enumerate(zip(jax.tree.leaves(found.state), jax.tree.leaves(again), strict=True))
        }.items():
            assert own.sharding == theirs.sharding and own.committed == theirs.committed, name
        if mesh is not None and mesh.mesh.fsdp > 1:
            kernel = found.state["params"]["a.kernel"]
            assert kernel.addressable_shards[0].data.shape == (3, 8 // mesh.mesh.fsdp)
        plain = last_arrays(Path(folder), None, peers())
        assert np.array_equal(plain.arrays["a.bias"], state_after(plain.step)["params"]["a.bias"])
        print(json.dumps({"step": found.step, "notes": found.notes, "about": found.about["sums"]}))


def one_process(folder: str) -> None:
    """All that needs no second process."""
    feeds()
    save(folder, "2,4,1", "-", "1,8,1")
    restore(folder, "-", "8,1,1", "2,2,2", "1,4,1")
    print(json.dumps({"done": True}))


def read_once(folder: str) -> None:
    """Reads a streamed folder once, and says what this process read of it, and what is known of all."""
    reads: list[str] = []
    sample = Column.sample

    def counting(column: Column, place: int, seen: Counter[str] | None = None) -> np.ndarray:
        reads.append(column.name(place))
        return sample(column, place, seen)

    column: Any = Column
    column.sample = counting
    data = ImageFolder(path=folder).reading(Reading("always", 0)).load()
    reads.clear()
    found = survey(data, workers=0, peers=peers())
    facts = {part: to_plain(own) for part, own in found.parts.items()}
    print(json.dumps({"reads": reads, "facts": facts, "bad": [own.reason for _, own in found.bad]}, sort_keys=True))


COMPILED: list[str] = []


def run(path: str, workdir: str, until: str, *settings: str) -> None:
    """Trains a spec, and says which samples each device was given, what was compiled, and what came of it.

    With `until` the process ends after the checkpoint of that step, as if it were killed.
    """
    from archspec.diagnostics import Findings
    from archspec.loading import open_spec
    from archspec.spec.overrides import parse_override
    from archspec.training.loop import Loop

    def count(event: str, seconds: float, **about: Any) -> None:
        if event.endswith("backend_compile_duration"):
            COMPILED.append(str(about.get("fun_name", "")))

    jax.monitoring.register_event_duration_secs_listener(count)
    given: list[Any] = []
    for kind in (DeviceFeed, HostFeed):
        watched(kind, given)
    evaluated = Loop.evaluated

    def ending(loop: Loop, *all: Any) -> None:
        evaluated(loop, *all)
        if loop.step == int(until):
            loop.checkpoints.wait()
            loop.close_feeds()
            print(json.dumps({"given": given}), flush=True)
            loop.peers.wait("ending")
            os._exit(0)

    monkey: Any = Loop
    monkey.evaluated = ending
    findings = Findings()
    spec = open_spec(path, [override for text in settings if (override := parse_override(text, findings))])
    spec._findings.raise_if_failed()
    result = train(spec, workdir, progress=False, page=False)
    whole = {**result.params, **result.statistics}
    print(
        json.dumps(
            {
                "given": given,
                "compiled": COMPILED,
                "digests": digests(whole),
                "devices": sorted({len(value.devices()) for value in whole.values()}),
                "record": result.record,
                "test": result.test,
                "step": result.step,
            }
        )
    )


def watched(kind: Any, given: list[Any]) -> None:
    """Has a feed write down what it gives each device of this process."""
    batches = kind.batches

    def watching(feed: Any, order: np.ndarray, start: int = 0, epoch: int | None = None) -> Iterator[Batch]:
        for step, batch in enumerate(batches(feed, order, start, epoch), start):
            shards = {str(device): index.tolist() for device, index in held(batch.index).items()}
            given.append([epoch, step, shards])
            yield batch

    kind.batches = watching


def main() -> None:
    globals()[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
