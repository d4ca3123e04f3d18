"""A training step of LeNet-5 compiled from YAML, beside the same network written by hand in Flax with a plain loop.

    python benchmarks/step.py [STEPS]

Both use Optax's AdamW on batches of 32 that lie on the device, and take turns in blocks of steps.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from archspec.data import INPUT, LABEL
from archspec.loading import load
from archspec.training.feeding import Batch
from archspec.training.steps import make_steps

BLOCKS = 9

Params = nnx.State[Any, Any]


class LeNet5(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.c1 = nnx.Conv(1, 6, (5, 5), padding="VALID", rngs=rngs)
        self.c3 = nnx.Conv(6, 16, (5, 5), padding="VALID", rngs=rngs)
        self.c5 = nnx.Linear(400, 120, rngs=rngs)
        self.f6 = nnx.Linear(120, 84, rngs=rngs)
        self.output = nnx.Linear(84, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.max_pool(nnx.relu(self.c1(x)), (2, 2), (2, 2))
        x = nnx.max_pool(nnx.relu(self.c3(x)), (2, 2), (2, 2)).reshape(x.shape[0], -1)
        return self.output(nnx.relu(self.f6(nnx.relu(self.c5(x)))))


def by_hand(images: jax.Array, labels: jax.Array) -> Callable[[], object]:
    definition, params = nnx.split(LeNet5(nnx.Rngs(0)))
    optimiser = optax.adamw(2e-3, weight_decay=0.05)

    def loss_of(params: Params, x: jax.Array) -> jax.Array:
        logits = nnx.merge(definition, params)(x)
        targets = optax.smooth_labels(jax.nn.one_hot(labels, 10), 0.1)
        return optax.softmax_cross_entropy(logits, targets).mean()

    @jax.jit
    def step(params: Params, state: optax.OptState) -> tuple[Params, optax.OptState, jax.Array]:
        loss, gradients = jax.value_and_grad(loss_of)(params, images / 255.0)
        updates, state = optimiser.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, loss

    held = [params, optimiser.init(params)]

    def run() -> object:
        held[0], held[1], loss = step(*held)
        return loss

    return run


def from_yaml(images: jax.Array, labels: jax.Array) -> Callable[[], object]:
    spec = load("lenet5")
    assert spec.train is not None
    steps = make_steps(spec, 125)
    held = [steps.initial(None)]
    batch = Batch({INPUT: images}, {LABEL: labels}, jnp.arange(len(images), dtype=jnp.int32))

    def run() -> object:
        held[0], _ = steps.train(held[0], batch)
        return held[0]["step"]

    return run


def main(count: int) -> None:
    images = jnp.zeros((32, 32, 32, 1), jnp.uint8)
    labels = jnp.zeros(32, jnp.int32)
    runs = {"by hand": by_hand(images, labels), "from YAML": from_yaml(images, labels)}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for block in range(BLOCKS + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            for _ in range(count):
                last = run()
            jax.block_until_ready(last)
            if block:
                times[name].append((time.perf_counter() - begun) / count)
    for name, found in times.items():
        ratio = statistics.median(a / b for a, b in zip(found, times["by hand"], strict=True))
        print(f"{name:10} {1e3 * statistics.median(found):7.3f} ms a step   ratio {ratio:.2f}   {jax.devices()[0]}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
