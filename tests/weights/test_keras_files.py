"""Weights that Keras itself saved, in each of its formats: the same outputs, and what no file should do is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from archspec.diagnostics import DataError, SpecError
from archspec.loading import load
from archspec.lower import build, split
from archspec.runs.imports import read_import
from archspec.weights.files import open_tensors
from archspec.weights.folder import export_weights, import_weights

Write = Callable[..., Path]

SPEC = """
input: {height: 13, width: 11, channels: 3}
layers:
  - conv: {name: c, filters: 6, kernel: 3, groups: 3}
  - batch_norm: {name: n, epsilon: 0.001}
  - prelu: {name: p}
  - depthwise_conv: {name: d, kernel: 3, multiplier: 2}
  - depthwise_conv: {name: s_depthwise, kernel: 2, bias: false}
  - conv: {name: s, filters: 5, kernel: 1}
  - transposed_conv: {name: t, filters: 5, kernel: 3, stride: 2}
  - group_norm: {name: g, groups: 5, epsilon: 0.001}
  - layer_norm: {name: l, epsilon: 0.001}
  - flatten
  - dense: {name: e, units: 4}
weights:
  theirs:
    layout: keras
    names: {"s_depthwise[kernel]": s.depthwise_kernel, "s[kernel]": s.pointwise_kernel}
"""


def model() -> Any:
    """The network of SPEC as Keras has it, each of its numbers drawn."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = start = keras.Input((13, 11, 3))
    x = layers.Conv2D(6, 3, groups=3, name="c")(x)
    x = layers.BatchNormalization(name="n")(x)
    x = layers.PReLU(shared_axes=[1, 2], name="p")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="d")(x)
    x = layers.SeparableConv2D(5, 2, name="s")(x)
    x = layers.Conv2DTranspose(5, 3, strides=2, name="t")(x)
    x = layers.GroupNormalization(5, name="g")(x)
    x = layers.LayerNormalization(name="l")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    x = layers.Dense(4, name="e")(layers.Flatten()(x))
    net = keras.Model(start, x)
    generator = np.random.default_rng(0)
    for variable in net.weights:
        if variable.dtype == "float32":
            variable.assign(np.abs(generator.normal(size=variable.shape)) * 0.3)
    return net


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that Keras writes of a model."""
    folder = tmp_path_factory.mktemp("keras")
    net = model()
    net.save(folder / "whole.keras")
    net.save(folder / "whole.h5")
    net.save_weights(folder / "net.weights.h5")
    x = np.random.default_rng(1).normal(size=(2, 13, 11, 3)).astype(np.float32)
    np.savez(folder / "expected.npz", x=x, y=np.asarray(net(x)))
    return folder


def outputs(folder: Path, spec: Path, x: np.ndarray) -> np.ndarray:
    pure, _, statistics = split(build(load(spec).graph()))
    arrays = {name: jnp.asarray(value) for name, value in read_import(folder).items()}
    params = {name: value for name, value in arrays.items() if name not in statistics}
    found, _ = pure.apply(params, {name: arrays[name] for name in statistics}, jnp.asarray(x), train=False)
    return np.asarray(found)


@pytest.mark.parametrize("name", ["whole.keras", "whole.h5", "net.weights.h5"])
def test_outputs_are_those_of_keras(files: Path, write: Write, tmp_path: Path, name: str) -> None:
    spec = write(SPEC)
    found = import_weights(str(spec), files / name, tmp_path / "net")
    assert found.full
    assert found.naming == "theirs"
    with np.load(files / "expected.npz") as known:
        y = outputs(tmp_path / "net", spec, known["x"])
        np.testing.assert_allclose(y, known["y"], rtol=1e-5, atol=1e-5)
    # And back: by Keras's words and in Keras's shapes.
    assert export_weights(tmp_path / "net", tmp_path / "out.safetensors") == ("theirs", 20)
    tensors = load_file(tmp_path / "out.safetensors")
    with open_tensors(files / name) as file:
        for tensor, array in tensors.items():
            np.testing.assert_array_equal(array, file.read(tensor).reshape(array.shape))
            assert array.shape == file.shapes[tensor] or tensor == "p.alpha"


def test_files_without_names_of_layers_go_by_the_models_description(files: Path, write: Write, tmp_path: Path) -> None:
    """Before 3.7 Keras put no name into a group: the archive's config.json has the layers in the same order."""
    archive = tmp_path / "old.keras"
    with zipfile.ZipFile(files / "whole.keras") as whole, zipfile.ZipFile(archive, "w") as old:
        (tmp_path / "w.h5").write_bytes(whole.read("model.weights.h5"))
        with h5py.File(tmp_path / "w.h5", "r+") as file:
            file.visititems(lambda _, item: item.attrs.pop("name", None) and None)
        old.writestr("config.json", whole.read("config.json"))
        old.write(tmp_path / "w.h5", "model.weights.h5")
    assert import_weights(str(write(SPEC)), archive, tmp_path / "net").full
    with pytest.raises(SpecError, match="is called as"):
        import_weights(str(write(SPEC)), tmp_path / "w.h5", tmp_path / "other")


def test_words_of_older_keras(tmp_path: Path) -> None:
    """Keras 1 had the layer's name in each, `c_W_1:0`, and called a variance `running_std`."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = np.array([b"c", b"n", b"r", b"d"])
        for layer, names in {
            "c": ["c_W_1:0", "c_b_1:0"],
            "n": ["n_gamma:0", "n_beta:0", "n_running_mean:0", "n_running_std:0"],
            "r": [],
            "d": ["d/depthwise_kernel:0", "d/bias:0"],
        }.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name in names], "S")
            for name in names:
                group.create_dataset(name, data=np.zeros(3, "f4"))
        file.create_dataset("optimizer_weights/iterations", data=1)
    with open_tensors(tmp_path / "a.h5") as tensors:
        assert sorted(tensors.shapes) == [
            *("c.bias", "c.kernel", "d.bias", "d.kernel"),
            *("n.beta", "n.gamma", "n.moving_mean", "n.moving_variance"),
            "optimizer_weights.iterations",
        ]
        assert tensors.layout == "keras"


def test_models_within_models_are_seen_through(write: Write, tmp_path: Path) -> None:
    import keras

    inner = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, name="a")], name="trunk")
    outer = keras.Sequential([keras.layers.Input((4,)), inner, keras.layers.Dense(2, name="b")])
    outer.compile("adam", "mse")
    outer.fit(np.zeros((2, 4)), np.zeros((2, 2)), verbose=0)
    spec = write("input: {features: 4}\nlayers: [{dense: {name: a, units: 5}}, {dense: {name: b, units: 2}}]")
    for name in ("m.keras", "m.h5"):
        outer.save(tmp_path / name)
        found = import_weights(str(spec), tmp_path / name, tmp_path / "net")
        assert found.full
        assert found.naming == "keras"
        assert found.stripped == {"trunk.": 2}
        assert len(found.left) >= 9  # the optimiser's
        np.testing.assert_array_equal(read_import(tmp_path / "net")["a.kernel"], np.asarray(inner.layers[0].kernel))


def test_half_precision_is_read(write: Write, tmp_path: Path) -> None:
    import keras

    layer = keras.layers.Dense(5, name="a", dtype="bfloat16")
    net = keras.Sequential([keras.layers.Input((4,)), layer])
    net.save(tmp_path / "m.keras")
    spec = write("input: {features: 4}\nlayers: [{dense: {name: a, units: 5}}]")
    assert import_weights(str(spec), tmp_path / "m.keras", tmp_path / "net").full
    np.testing.assert_array_equal(
        read_import(tmp_path / "net")["a.kernel"], np.asarray(layer.kernel).astype(np.float32)
    )


def test_damaged_and_hostile_files_are_refused(files: Path, tmp_path: Path) -> None:
    content = (files / "whole.keras").read_bytes()
    (tmp_path / "a.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged archive"), open_tensors(tmp_path / "a.keras"):
        pass
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["a"] = h5py.ExternalLink("/etc/hosts", "/a")
    with pytest.raises(DataError, match="a link to another file"), open_tensors(tmp_path / "b.h5"):
        pass
    with zipfile.ZipFile(tmp_path / "c.keras", "w") as archive:
        archive.writestr("config.json", "[" * 100_000)
        archive.writestr("model.weights.h5", (files / "net.weights.h5").read_bytes())
    with pytest.raises(DataError, match="nested too deeply"), open_tensors(tmp_path / "c.keras"):
        pass
    with zipfile.ZipFile(tmp_path / "d.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"a": " " * 2**27}))
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(DataError, match=r"has config\.json of 134,217,737 bytes"), open_tensors(tmp_path / "d.keras"):
        pass
