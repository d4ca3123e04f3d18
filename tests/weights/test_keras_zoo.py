"""Networks of the zoo that are those of keras.applications: every tensor has its array, and the logits are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.diagnostics import Findings
from archspec.loading import load
from archspec.lower import build, split
from archspec.runs.imports import read_import
from archspec.spec.overrides import parse_input, python_override
from archspec.weights.folder import import_weights
from archspec.zoo import zoo_variants


class Theirs(NamedTuple):
    """A network of keras.applications, and at which size and for how many classes it is compared."""

    name: str
    size: int = 32
    options: dict[str, Any] = {}


SAME = {
    "vgg16": Theirs("VGG16", 224),
    "vgg19": Theirs("VGG19", 224),
    "densenet121": Theirs("DenseNet121"),
    "densenet169": Theirs("DenseNet169"),
    "densenet201": Theirs("DenseNet201"),
}


def test_every_table_of_keras_is_held_to_it() -> None:
    found = {
        name
        for name, (_, variant) in zoo_variants().items()
        if variant
        for weights in load(name).weights.values()
        if weights.layout == "keras" and not weights.partial
    }
    assert found == SAME.keys()


@pytest.mark.parametrize(
    "network",
    [pytest.param(name, marks=pytest.mark.slow if name == "densenet121" else pytest.mark.minutes) for name in SAME],
)
def test_logits_are_those_of_keras(network: str, tmp_path: Path) -> None:
    import keras

    theirs = SAME[network]
    keras.utils.set_random_seed(0)
    made = getattr(keras.applications, theirs.name)
    shape = (theirs.size, theirs.size, 3)
    net = made(weights=None, classifier_activation=None, classes=10, input_shape=shape, **theirs.options)
    generator = np.random.default_rng(0)
    for variable in net.weights:
        if variable.path.endswith(("gamma", "beta", "moving_mean", "moving_variance")):
            low = 0.5 if variable.path.endswith(("gamma", "variance")) else -0.2
            variable.assign(generator.uniform(low, low + 1, variable.shape))
    net.save_weights(tmp_path / "a.weights.h5")
    size = parse_input(f"{theirs.size}x{theirs.size}", Findings())
    classes = python_override(("args", "classes"), 10)
    found = import_weights(network, tmp_path / "a.weights.h5", tmp_path / "a", overrides=[classes, *size])
    assert found.full
    assert found.naming == "keras"
    x = generator.uniform(-1, 1, (2, *shape)).astype(np.float32)
    # In one program: operation by operation, every shape would be compiled by itself.
    trained = [variable.value for variable in net.trainable_variables]
    others = [variable.value for variable in net.non_trainable_variables]
    expected = np.asarray(jax.jit(lambda *own: net.stateless_call(*own, training=False)[0])(trained, others, x))
    pure, _, statistics = split(build(load(tmp_path / "a" / "spec.yaml").graph()))
    arrays = {name: jnp.asarray(value) for name, value in read_import(tmp_path / "a").items()}
    params = {name: value for name, value in arrays.items() if name not in statistics}
    held = {name: arrays[name] for name in statistics}
    y, _ = jax.jit(lambda *own: pure.apply(*own, train=False))(params, held, jnp.asarray(x))
    error = np.abs(np.asarray(y) - expected).max() / np.abs(expected).max()
    assert error < 1e-5
