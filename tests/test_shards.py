"""What looks at other samples, or at a sample's place, gives the same where a batch is divided over devices.

Devices are simulated, which has to be asked for before JAX starts: one process, `python -m tests.test_shards`, runs all
functions of `CASES` and says what became of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from archspec.mesh import AXES, SAMPLES, Mesh
from archspec.nn.batch_norm import BatchNorm
from archspec.nn.dropout import Dropout
from archspec.nn.shards import Shards, _bits, _places, _product, averaged

DEVICES = 8
CASES: dict[str, Callable[[], None]] = {}


def case(function: Callable[[], None]) -> Callable[[], None]:
    CASES[function.__name__] = function
    return function


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What each case came to on simulated devices: nothing, or its traceback."""
    # Without LLVM's optimisations, programs are compiled in a fifth of the time.
    flags = f"--xla_force_host_platform_device_count={DEVICES} --xla_backend_optimization_level=0"
    done = subprocess.run(
        [sys.executable, "-m", "tests.test_shards"],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


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


@pytest.mark.parametrize("name", CASES)
def test_on_simulated_devices(name: str, outcomes: dict[str, str]) -> None:
    if outcomes[name]:
        pytest.fail(outcomes[name])


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


def main() -> None:
    found = {}
    for name, function in CASES.items():
        try:
            function()
            found[name] = ""
        except Exception:
            found[name] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
