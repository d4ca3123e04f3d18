"""What looks at other samples, or at a sample's place, gives the same where a batch is divided over devices.

Devices are simulated, which has to be asked for before JAX starts: one process, `python -m tests.test_shards`, runs all
functions of `CASES` and says what became of each.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from archspec.augmentations.cutmix import Cutmix
from archspec.augmentations.horizontal_flip import HorizontalFlip
from archspec.augmentations.mixup import Mixup
from archspec.diagnostics import DataError
from archspec.layers import Layer
from archspec.loading import load
from archspec.losses import Form, Loss
from archspec.losses.binary_cross_entropy import BinaryCrossEntropy
from archspec.losses.mse import Mse
from archspec.mesh import AXES, SAMPLES, Mesh
from archspec.metrics import Metric, add
from archspec.metrics.accuracy import Accuracy
from archspec.metrics.mean_average_precision import MeanAveragePrecision
from archspec.metrics.r2 import R2
from archspec.nn.apply import Apply
from archspec.nn.batch_norm import BatchNorm
from archspec.nn.dropout import Dropout
from archspec.nn.shards import Shards, _bits, _places, _product, averaged
from archspec.tasks import Head
from archspec.tasks.regression import Regression
from archspec.training.alone import check_losses, of_layers
from archspec.training.augmentation import Changed, augmented
from archspec.training.feeding import Batch
from archspec.training.steps import make_steps
from archspec.types import TensorType
from tests.together import came_to

CASES: dict[str, Callable[[], None]] = {}


def case(function: Callable[[], None]) -> Callable[[], None]:
    CASES[function.__name__] = function
    return function


def on_devices(mesh: Mesh, function: Callable[..., Any], taken: Sequence[Any], given: Any) -> Any:
    """A function of arrays that is computed on the devices of a mesh, with what each takes and gives of them."""
    devices = np.array(jax.devices()[: mesh.devices]).reshape(mesh.sizes)
    return jax.jit(
        jax.shard_map(
            function,
            mesh=jax.sharding.Mesh(devices, AXES),
            in_specs=tuple(taken),
            out_specs=given,
            check_vma=False,
        )
    )


WHOLE = PartitionSpec()
MESHES = [
    (Mesh(8), False),
    (Mesh(2, 1, 2), True),
    (Mesh(2, 1, 2), False),
    (Mesh(2, 2, 2), True),
]
"""With whether rows are divided over `spatial`; otherwise its devices have the same whole maps."""


def divided(rows: bool) -> PartitionSpec:
    return PartitionSpec(SAMPLES, "spatial") if rows else PartitionSpec(SAMPLES)


def norm() -> BatchNorm:
    made = BatchNorm(3, epsilon=1e-3, momentum=0.9, use_scale=True, use_bias=True)
    made.mean.set_value(jnp.asarray([0.5, -1.0, 2.0]))
    made.var.set_value(jnp.asarray([0.5, 1.0, 2.0]))
    return made


def near(found: Any, wanted: Any, bound: float = 2e-6) -> None:
    """Trees are alike to within rounding, by the largest number of each array."""
    assert str(jax.tree.structure(found)) == str(jax.tree.structure(wanted))
    for own, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        own, other = np.asarray(own, np.float64), np.asarray(other, np.float64)
        assert own.shape == other.shape
        assert np.abs(own - other).max() <= bound * max(1.0, np.abs(other).max()), np.abs(own - other).max()


def normed(
    x: jax.Array, scale: jax.Array, bias: jax.Array, *, shards: Shards | None = None
) -> tuple[jax.Array, list[jax.Array]]:
    """What batch normalisation gives, and its statistics afterwards."""
    module = norm()
    module.scale, module.bias = nnx.Param(scale), nnx.Param(bias)
    y = module(x, train=True, shards=shards)
    return y, [module.mean[...], module.var[...]]


def arrays() -> tuple[jax.Array, ...]:
    """What goes into batch normalisation, with a mean far from 0, and what its output is multiplied by."""
    keys = jax.random.split(jax.random.key(0), 4)
    x = jax.random.normal(keys[0], (8, 4, 5, 3)) * jnp.asarray([1, 3, 0.5]) + jnp.asarray([5.0, 0.0, -1.0])
    return x, *(jax.random.normal(key, (3,)) + 1 for key in keys[1:3]), jax.random.normal(keys[3], x.shape)


def losses(
    x: jax.Array, scale: jax.Array, bias: jax.Array, factors: jax.Array, *, shards: Shards | None = None
) -> jax.Array:
    """A device's share of a loss: what all of `spatial` have alike, each counts as its part."""
    y = normed(x, scale, bias, shards=shards)[0]
    return jnp.sum(factors * jnp.sin(y)) / (1 if shards is None else shards.devices // shards.parts)


@case
def batch_norm_is_of_the_whole_batch() -> None:
    x, scale, bias, factors = arrays()
    wanted = jax.jit(lambda *given: normed(*given))(x, scale, bias)
    slopes = jax.jit(jax.grad(lambda *given: losses(*given), (0, 1, 2)))(x, scale, bias, factors)
    for mesh, rows in MESHES:
        shards, own = Shards(mesh, rows), divided(rows)

        def run(*given: jax.Array, shards: Shards = shards) -> Any:
            first, *others = jax.grad(lambda *given: losses(*given, shards=shards), (0, 1, 2))(*given)
            # What each of `spatial` has of the same map's gradient is a part of it.
            first = first if shards.rows else jax.lax.psum(first, "spatial")
            return normed(*given[:3], shards=shards), (first, *map(shards.total, others))

        found = on_devices(mesh, run, (own, WHOLE, WHOLE, own), ((own, WHOLE), (own, WHOLE, WHOLE)))
        made, gradients = found(x, scale, bias, factors)
        near(made, wanted)
        near(gradients, slopes, 1e-5)


@case
def batch_norm_has_second_derivatives() -> None:
    x, scale, bias, factors = arrays()

    def steep(x: jax.Array, factors: jax.Array, *, shards: Shards | None = None) -> jax.Array:
        slopes = jax.grad(lambda x: losses(x, scale, bias, factors, shards=shards))(x)
        return jnp.sum(slopes**2)

    wanted = jax.jit(jax.grad(lambda *given: steep(*given)))(x, factors)
    for mesh, rows in [(Mesh(8), False), (Mesh(2, 1, 2), True)]:
        shards, own = Shards(mesh, rows), divided(rows)
        found = on_devices(mesh, jax.grad(lambda *given, shards=shards: steep(*given, shards=shards)), (own, own), own)(
            x, factors
        )
        near(found, wanted, 2e-5)


@case
def batch_norm_takes_a_device_s_part_for_the_batch_if_asked() -> None:
    x, scale, bias, _ = arrays()
    mesh = Mesh(4, per_device=True)

    def run(x: jax.Array) -> Any:
        shards = Shards(mesh)
        y, (mean, var) = normed(x, scale, bias, shards=shards)
        return y, averaged({"mean": mean, "var": var, "steps": jnp.int32(7)}, shards)

    y, after = on_devices(mesh, run, (divided(False),), (divided(False), WHOLE))(x)
    parts = [normed(part, scale, bias) for part in jnp.split(x, 4)]
    near(y, jnp.concatenate([part for part, _ in parts]))
    near(
        after,
        {"mean": sum(mean for _, (mean, _) in parts) / 4, "var": sum(var for _, (_, var) in parts) / 4, "steps": 7},
    )
    assert after["steps"].dtype == jnp.int32
    text = on_devices(mesh, run, (divided(False),), (divided(False), WHOLE)).lower(x).compile().as_text()
    assert all_reduces(text) == ["f32[7]"], "one sum, of all statistics"


def all_reduces(text: str) -> list[str]:
    """What the sums over devices of a compiled program give."""
    lines = [
        line.split(" = ")[1] for line in text.splitlines() if " all-reduce(" in line or " all-reduce-start(" in line
    ]
    return sorted(line.split("{")[0] for line in lines)


@case
def batch_norm_adds_up_over_devices_what_it_says() -> None:
    x, scale, bias, factors = arrays()
    shards, own = Shards(Mesh(8)), divided(False)
    run = on_devices(
        Mesh(8), jax.grad(lambda *given: losses(*given, shards=shards), (0,)), (own, WHOLE, WHOLE, own), (own,)
    )
    assert all_reduces(run.lower(x, scale, bias, factors).compile().as_text()) == ["f32[2,3]", "f32[3]", "f32[3]"]

    def evaluated(x: jax.Array) -> jax.Array:
        return norm()(x, train=False, shards=shards)

    assert not all_reduces(on_devices(Mesh(8), evaluated, (own,), own).lower(x).compile().as_text())


@case
def dropout_drops_what_it_would_of_the_whole_batch() -> None:
    for impl, (mesh, rows), shape, whole in [
        (None, MESHES[0], (24, 2, 1, 1), ()),
        (None, MESHES[1], (8, 4, 5, 3), ()),
        (None, MESHES[3], (8, 6, 7, 5), (1, 2)),  # whole channels
        (None, MESHES[3], (8, 6, 2, 1), (0, 1, 2, 3)),  # the whole batch
        (None, (Mesh(4, 2), False), (16, 7), ()),
        ("rbg", MESHES[3], (8, 6, 5, 3), ()),
    ]:
        key = jax.random.key(5, impl=impl)
        x = jnp.ones(shape)
        drop = jax.jit(partial(Dropout(0.4, whole), train=True))
        wanted = np.asarray(drop(x, key=key))
        assert 0 < (wanted == 0).mean() < 1 or len(whole) == 4

        def run(x: jax.Array, key: jax.Array, rate: jax.Array, *, shards: Shards, whole: Any) -> Any:
            module = Dropout(0.4, whole)
            own: Any = {"train": True, "key": key, "shards": shards}
            return module(x, **own), module(x, rate=rate, **own)

        own = divided(rows)
        shards = Shards(mesh, rows)
        found = on_devices(mesh, partial(run, shards=shards, whole=whole), (own, WHOLE, WHOLE), own)
        for made in found(x, key, jnp.float32(0.4)):
            assert (np.asarray(made) == wanted).all(), (mesh, rows, shape, whole, impl)


@case
def bits_at_places_are_those_of_the_whole_array() -> None:
    key = jax.random.key(2**40 + 3)
    for whole in [(6,), (5, 3), (4, 7, 5)]:
        own = (2, *whole[1:])
        found = jax.jit(lambda key, own=own, whole=whole: _bits(key, *_places(own, whole, [2, 0][: len(whole)])))(key)
        assert (np.asarray(found) == np.asarray(jax.random.bits(key, whole))[2:4]).all()


def laid(array: np.ndarray, devices: int, parts: int) -> np.ndarray:
    """Samples in the order in which devices have them: of each part of a batch a share each."""
    stretches = array.reshape(parts, devices, -1, *array.shape[1:])
    return np.swapaxes(stretches, 0, 1).reshape(array.shape)


@case
def samples_are_mixed_with_those_of_other_devices() -> None:
    """And the last that counts with the first, wherever it is."""
    draw = np.random.default_rng(0)
    inputs = {"image": draw.uniform(size=(16, 4, 5, 3)).astype(np.float32)}
    targets = {
        "label": draw.integers(7, size=16).astype(np.int32),
        "map": draw.integers(5, size=(16, 4, 5), dtype=np.int32),
    }
    targets["label"][5] = -1
    changed = Changed({"image": np.full(3, 0.5, np.float32)}, {"map"}, {"label": 7})
    chain = [Mixup(alpha=1.0, probability=0.5), HorizontalFlip(), Cutmix(alpha=1.0)]
    run = partial(augmented, chain=chain, changed=changed, key=jax.random.key(3))
    undivided = jax.jit(run)
    # The last sample of one device has something of the first of the next.
    other = {"image": inputs["image"] * (np.arange(16) != 2).reshape(16, 1, 1, 1)}
    first, second = (np.asarray(undivided(own, targets, np.arange(16))[0]["image"])[1] for own in (inputs, other))
    assert not np.array_equal(first, second)
    for mesh, parts, filled in [(Mesh(8), 1, 0), (Mesh(2, 2, 2), 2, 0), (Mesh(2, 2, 2), 2, 7), (Mesh(1, 1, 2), 2, 0)]:
        index = np.where(np.arange(16) < 16 - filled, np.arange(100, 116), ~np.arange(16)).astype(np.int32)
        wanted = undivided(inputs, targets, index)
        lay = partial(laid, devices=mesh.batches, parts=parts)
        spec = PartitionSpec(SAMPLES)
        own = partial(run, shards=Shards(mesh), parts=parts)
        found = on_devices(mesh, own, (spec, spec, spec), spec)(*jax.tree.map(lay, (inputs, targets, index)))
        for made, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(made, lay(np.asarray(other)), rtol=0, atol=1e-6)


@case
def metrics_of_parts_are_those_of_the_whole() -> None:
    draw = np.random.default_rng(0)
    output = draw.standard_normal((16, 4, 3)).astype(np.float32)
    numbers = draw.standard_normal(output.shape).astype(np.float32)
    truths = draw.integers(-1, 2, output.shape).astype(np.float32)
    mesh = Mesh(2, 2, 2)
    cases: list[tuple[Metric, Any, Any]] = [
        (Accuracy(), BinaryCrossEntropy(), truths),
        (MeanAveragePrecision(), BinaryCrossEntropy(), truths),
        (R2(), Mse(), numbers),
    ]
    for metric, loss, target in cases:
        measure = metric.build(loss)
        wanted = metric.result(add(metric, [jax.device_get(measure(output, target))]))
        assert metric.by_position
        for axes, spec in [(AXES, PartitionSpec(AXES)), (SAMPLES, divided(False)), (AXES, divided(True))]:

            def run(*given: jax.Array, metric: Metric = metric, measure: Any = measure, axes: Any = axes) -> Any:
                return Shards(Mesh(2, 2, 2)).together(measure(*given), metric.joined, axes)

            sums = on_devices(mesh, run, (spec, spec), WHOLE)(output, target)
            found = metric.result(add(metric, [jax.device_get(sums)]))
            assert str(found.keys()) == str(wanted.keys())
            for name, value in found.items():
                np.testing.assert_allclose(value, wanted[name], rtol=1e-5)


STEP = """
archspec: 1
name: small
input: {channels: 3, height: 6, width: 6, mean: [0.5, 0.5, 0.5]}
layers:
  - conv: {filters: 4, kernel: 3, pad: same, bias: false}
  - batch_norm
  - relu
  - stochastic_depth: 0.4
  - spatial_dropout: 0.3
  - global_avg_pool
  - dropout: 0.2
  - dense: 5
train:
  dataset: mnist5k
  batch_size: 16
  epochs: 1
  micro_batches: 2
  augment: [{mixup: {alpha: 0.4, probability: 0.5}}, cutmix]
  optimiser: {sgd: {learning_rate: 0.1, momentum: 0.9}}
"""


@case
def steps_of_devices_are_those_of_one() -> None:
    """Two steps with all of it, in micro-batches; momentum has the first one's gradients."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (2, 16, 6, 6, 3), dtype=np.uint8)
    labels = draw.integers(5, size=(2, 16)).astype(np.int32)
    index = np.arange(32, dtype=np.int32).reshape(2, 16)
    index[1, 12:] = ~index[1, 12:]
    labels[1, 12:] = -1
    with TemporaryDirectory() as folder:
        path = Path(folder, "spec.yaml")
        states, figures = {}, {}
        for mesh in (None, Mesh(8), Mesh(2, 2, 2)):
            section = (
                "" if mesh is None else f"  mesh: {{data: {mesh.data}, fsdp: {mesh.fsdp}, spatial: {mesh.spatial}}}\n"
            )
            path.write_text(STEP + section)
            steps = make_steps(load(path), 2)
            state = steps.initial(None)
            for own in zip(images, labels, index, strict=True):
                lay = partial(laid, devices=1 if mesh is None else mesh.batches, parts=2)
                x, y, which = (jnp.asarray(lay(array)) for array in own)
                batch = Batch({"input": x}, {"label": y}, which)
                if steps.devices is not None:
                    batch = jax.device_put(batch, steps.devices.batch)
                state, said = steps.train(state, batch)
            states[mesh], figures[mesh] = jax.device_get((state, said))
    for mesh in list(states)[1:]:
        for part in ("params", "statistics", "optimiser"):
            near(states[mesh][part], states[None][part], 2e-6)
        near(figures[mesh], figures[None], 2e-6)


STEPS = steps_of_devices_are_those_of_one.__name__


@pytest.mark.slow
def test_on_simulated_devices() -> None:
    names = [name for name in CASES if name != STEPS]
    assert came_to(__name__, names, 300) == dict.fromkeys(names, "")


@pytest.mark.minutes
@pytest.mark.slow
def test_steps_on_simulated_devices() -> None:
    assert came_to(__name__, [STEPS], 300) == {STEPS: ""}


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(st.data(), st.lists(st.integers(1, 2**9), min_size=2, max_size=3), st.integers(2**20, 2**22))
def test_places_are_those_of_the_whole_array(data: st.DataObject, sizes: list[int], samples: int) -> None:
    """Beyond 2³² too, where one of 32 bits would begin anew."""
    whole = (samples, *sizes)
    rows = data.draw(st.integers(1, sizes[0]))
    begins = [data.draw(st.integers(0, samples - 2)), data.draw(st.integers(0, sizes[0] - rows))]
    shape = (2, rows, *sizes[1:])
    high, low = _places(shape, whole, [jnp.uint32(begin) for begin in begins])
    first = np.ravel_multi_index(
        (begins[0] + np.arange(2)[:, None], begins[1] + np.arange(rows), *[0] * len(sizes[1:])), whole
    )
    wanted = first.reshape(2, rows, 1) + np.arange(prod(sizes[1:]))
    found = (np.asarray(high).astype(np.uint64) << np.uint64(32)) + np.asarray(low)
    assert (found == wanted.reshape(shape)).all()


@given(st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=4), st.integers(1, 2**32 - 1))
def test_places_have_64_bits(numbers: list[int], factor: int) -> None:
    high, low = _product(jnp.asarray(np.asarray(numbers, np.uint32)), factor)
    assert [(int(a) << 32) + int(b) for a, b in zip(high, low, strict=True)] == [number * factor for number in numbers]


class Batched(Loss):
    """A loss of another's that has one number for all samples."""

    takes: ClassVar[tuple[Form, ...]] = ("numbers",)

    def build(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        return lambda output, target: (jnp.abs(output - target).mean(), jnp.ones(()))


class Centred(Layer):
    """A layer of another's that takes the mean over samples away."""

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        return Apply(lambda x: x - x.mean(0))


class Halved(Layer):
    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        return Apply(lambda x: x / 2)


class Noisy(Halved):
    uses_key: ClassVar[bool] = True


def test_a_loss_of_another_s_that_looks_across_samples_is_refused() -> None:
    kind = TensorType((4,))
    head = Head("out", kind, 1.0, False, Regression(), Batched(), None, False, (), None)
    with pytest.raises(DataError, match="samples together other losses"):
        check_losses([head], Mesh(2))
    check_losses([head], Mesh(1))
    check_losses([head._replace(loss=Mse())], Mesh(2))


def test_layers_of_others_that_are_not_told_are_named() -> None:
    kinds = {"a": Centred(), "b": Halved(), "c": Noisy()}
    nodes = [
        SimpleNamespace(path=path, layer=layer, weights=(), input_types=(TensorType((4,)),))
        for path, layer in kinds.items()
    ]
    graph: Any = SimpleNamespace(nodes=nodes)
    random, across = of_layers(graph, Mesh(2))
    assert random.startswith("c draws on each device") and across.startswith("a looks at a device's samples")
    assert of_layers(graph, Mesh()) == []


def main() -> None:
    found = {}
    for name in sys.argv[1:] or CASES:
        try:
            CASES[name]()
            found[name] = ""
        except Exception:
            found[name] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
