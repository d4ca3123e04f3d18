"""Keras's files become networks that compute what Keras computes; what would have to run is named and stays text."""

from __future__ import annotations

import base64
import json
import marshal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from archspec import SpecError, import_model
from archspec.exporting.source import keras as source
from archspec.graph import Graph
from archspec.importing.building import Built, built
from archspec.importing.reading import read
from archspec.loading import load
from archspec.lower import build, split


def made_of(path: Path) -> Built:
    return built(read(path), path, keep_softmax=True, flat=True)


def drawn(net: Any) -> Any:
    """A model with every number drawn, variances above 0."""
    generator = np.random.default_rng(0)
    for variable in net.weights:
        if variable.dtype == "float32":
            low = 0.5 if variable.path.endswith(("variance", "gamma")) else -0.5
            variable.assign(generator.uniform(low, low + 1, variable.shape))
    return net


def outputs(made: Built, *inputs: np.ndarray) -> np.ndarray:
    assert made.graph is not None, made.missing
    pure, params, statistics = split(build(made.graph))
    assert made.arrays.keys() == params.keys() | statistics.keys()
    arrays = {name: jnp.asarray(value) for name, value in made.arrays.items()}
    own = {name: arrays[name] for name in params}, {name: arrays[name] for name in statistics}
    values = {item.name: jnp.asarray(x) for item, x in zip(made.graph.inputs, inputs, strict=True)}
    given = jnp.asarray(inputs[0]) if len(inputs) == 1 else values
    found, _ = pure.apply(*own, given, train=False)
    return np.asarray(found)


def same(net: Any, path: Path, *, images: Callable[[np.ndarray], np.ndarray] = lambda x: x) -> Built:
    """Holds an import of a model to the model; `images` turns the network's input into the model's."""
    drawn(net)
    net.save(path)
    made = made_of(path)
    generator = np.random.default_rng(1)
    shapes = [item.shape[1:] for item in net.inputs]
    inputs = [generator.uniform(-1, 1, (2, *shape)).astype(np.float32) for shape in shapes]
    given = [images(x) for x in inputs] if len(inputs) > 1 else images(inputs[0])
    expected = np.asarray(net(given, training=False))
    first = len(shapes[0]) == 3 and shapes[0][0] < 5  # this package has channels last
    found = outputs(made, *(np.moveaxis(x, 1, -1) if first else x for x in inputs))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * float(np.abs(expected).max()))
    return made


def layers_of(words: str, shape: tuple[int, ...] = (11, 14, 4)) -> Any:
    """A model of layers written in Python, one behind the other."""
    import keras

    made = eval(f"[{words}]", {"L": keras.layers})
    return keras.Sequential([keras.layers.Input(shape), *made])


CASES = {
    "same with a stride": "L.Conv2D(5, 3, strides=2, padding='same'), L.Conv2D(5, 4, padding='same')",
    "valid, groups, dilation": "L.Conv2D(6, (3, 2), groups=2, dilation_rate=(1, 2), use_bias=False, activation='relu')",
    "depthwise": "L.DepthwiseConv2D(3, strides=2, padding='same', depth_multiplier=2, activation='relu6')",
    "separable": "L.SeparableConv2D(6, 3, strides=2, padding='same', depth_multiplier=2, activation='elu')",
    "transposed, valid": "L.Conv2DTranspose(5, 3, strides=2), L.Conv2DTranspose(3, 2, strides=3)",
    "transposed, same": "L.Conv2DTranspose(5, 4, strides=2, padding='same'), L.Conv2DTranspose(3, 3, padding='same')",
    "transposed, same, large stride": "L.Conv2DTranspose(3, 2, strides=3, padding='same', activation='tanh')",
    "transposed, output_padding": "L.Conv2DTranspose(3, 3, strides=2, padding='same', output_padding=1)",
    "batch norms": "L.BatchNormalization(epsilon=0.01), L.BatchNormalization(scale=False), "
    "L.BatchNormalization(center=False)",
    "other norms": "L.LayerNormalization(), L.GroupNormalization(2), L.LayerNormalization(axis=[1, 2, 3]), "
    "L.GroupNormalization(-1), L.LayerNormalization(scale=False), L.UnitNormalization()",
    "poolings": "L.MaxPooling2D(3, strides=2, padding='same'), L.AveragePooling2D((2, 3), strides=1, padding='same')",
    "global poolings": "L.GlobalAveragePooling2D(keepdims=True), L.GlobalMaxPooling2D()",
    "sides": "L.ZeroPadding2D(((1, 2), (0, 3))), L.Cropping2D(((0, 1), (2, 0))), L.UpSampling2D((2, 3))",
    "bilinear": "L.UpSampling2D(2, interpolation='bilinear'), L.Resizing(7, 9)",
    "rectifiers": "L.LeakyReLU(), L.PReLU(shared_axes=[1, 2]), L.ELU(0.5), L.ReLU(6.0), L.ReLU(negative_slope=0.1)",
    "functions": "L.Activation('swish'), L.Activation('gelu'), L.Activation('hard_sigmoid'), L.Activation('softplus'), "
    "L.Activation('leaky_relu'), L.Activation('mish'), L.Activation('hard_silu'), L.Softmax()",
    "flattened": "L.Flatten(), L.Dense(12, activation='sigmoid'), L.Reshape((3, 4)), L.Dense(2), L.Flatten(), "
    "L.PReLU()",
    "reshaped": "L.Reshape((7, 22, 4)), L.Conv2D(3, (1, 3)), L.Reshape((-1, 3))",
    "left out": "L.Dropout(0.3), L.SpatialDropout2D(0.3), L.GaussianNoise(1.0), L.RandomFlip(), L.Identity(), "
    "L.Conv2D(2, 1)",
    "a layer as activation": "L.Conv2D(3, 1, activation=L.LeakyReLU(negative_slope=0.3)), L.Dense(2)",
}


SAMPLE = ("same with a stride", "batch norms", "flattened")


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, id=name, marks=[] if name in SAMPLE else pytest.mark.slow) for name, words in CASES.items()],
)
def test_layers_compute_what_they_compute_in_keras(words: str, tmp_path: Path) -> None:
    same(layers_of(words), tmp_path / "net.keras")


@pytest.mark.slow
def test_signals(tmp_path: Path) -> None:
    words = (
        "L.Conv1D(6, 3, padding='causal', dilation_rate=2), L.ZeroPadding1D((1, 2)), "
        "L.MaxPooling1D(3, padding='same'), L.SeparableConv1D(4, 3, padding='same'), L.UpSampling1D(2), "
        "L.Conv1DTranspose(3, 3, strides=2, padding='same'), L.Cropping1D((1, 2)), L.BatchNormalization(), "
        "L.DepthwiseConv1D(3), L.GlobalAveragePooling1D()"
    )
    same(layers_of(words, (19, 4)), tmp_path / "net.keras")


@pytest.mark.slow
def test_channels_first(tmp_path: Path) -> None:
    words = (
        "L.Conv2D(6, 3, strides=2, padding='same', data_format='channels_first'), L.BatchNormalization(axis=1), "
        "L.DepthwiseConv2D(3, data_format='channels_first'), L.PReLU(shared_axes=[2, 3]), "
        "L.Conv2DTranspose(5, 3, data_format='channels_first'), L.MaxPooling2D(data_format='channels_first'), "
        "L.Flatten(data_format='channels_last'), L.Dense(7)"
    )
    same(layers_of(words, (4, 13, 15)), tmp_path / "net.keras")
    same(layers_of(words.replace("channels_last", "channels_first"), (4, 13, 15)), tmp_path / "turned.keras")


def shared_model() -> Any:
    """A branch that two inputs go through, joins of every kind, and a model within the model."""
    import keras
    from keras import layers

    inner_input = keras.Input((8, 8, 3))
    inner = keras.Model(inner_input, layers.Conv2D(4, 3, name="c")(inner_input), name="trunk")
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    norm = layers.BatchNormalization(name="norm")
    a, b = norm(inner(left)), norm(inner(right))
    joined = [layers.Add()([a, b]), layers.Multiply()([a, b]), layers.Average()([a, b]), layers.Maximum()([a, b])]
    x = layers.Concatenate()([*joined, layers.Subtract()([a, b])])
    gate = layers.Reshape((1, 1, 20))(layers.Dense(20, activation="sigmoid")(layers.GlobalAveragePooling2D()(x)))
    return keras.Model([left, right], layers.Multiply()([x, gate]) * 2.0 + 1.0)


@pytest.mark.parametrize("ending", ["keras", pytest.param("h5", marks=pytest.mark.slow)])
def test_shared_layers_joins_and_models_within(ending: str, tmp_path: Path) -> None:
    made = same(shared_model(), tmp_path / f"net.{ending}")
    assert made.graph is not None
    assert sum(node.shares is not None for node in made.graph.nodes) == 2
    paths = made.graph.by_path()
    assert "trunk.c" in paths


def test_scaling_of_pixels_is_that_of_the_input(tmp_path: Path) -> None:
    import keras

    net = layers_of("L.Rescaling(1 / 127.5, offset=-1), L.Conv2D(2, 3)", (9, 9, 3))
    made = same(net, tmp_path / "net.keras", images=lambda x: (x + 1) * 127.5)
    assert made.image == {"input": {"range": [-1.0, 1.0]}}
    assert any("in `input` as range, mean and std" in note for note in made.notes)
    mean, variance = [0.485, 0.456, 0.406], [0.229**2, 0.224**2, 0.225**2]
    norm = keras.layers.Normalization(mean=mean, variance=variance)
    net = keras.Sequential([keras.layers.Input((9, 9, 3)), keras.layers.Rescaling(1 / 255), norm])
    net.add(keras.layers.Conv2D(2, 3))
    made = same(net, tmp_path / "norm.keras", images=lambda x: (x * np.sqrt(variance) + mean) * 255)
    image = made.image["input"]
    np.testing.assert_allclose(image["mean"], mean, rtol=1e-6)
    np.testing.assert_allclose(image["std"], [0.229, 0.224, 0.225], rtol=1e-6)
    # Where the pixels go elsewhere too, the factor is a layer.
    start = keras.Input((9, 9, 3))
    net = keras.Model(start, keras.layers.Concatenate()([keras.layers.Rescaling(0.5)(start), start]))
    assert same(net, tmp_path / "both.keras").image == {}


def layer_of(kind: str, *sources: str, **config: Any) -> dict[str, Any]:
    """A layer as Keras 1 and 2 describe it."""
    calls = [[[source, 0, 0] for source in sources]] if sources else []
    return {"class_name": kind, "name": config["name"], "config": config, "inbound_nodes": calls}


KERAS_1 = {
    "class_name": "Model",
    "keras_version": "1.2.2",
    "config": {
        "name": "old",
        "layers": [
            layer_of("InputLayer", name="x", batch_input_shape=[None, 10, 10, 3]),
            layer_of(
                *("Convolution2D", "x"),
                name="c",
                nb_filter=4,
                nb_row=3,
                nb_col=2,
                subsample=[2, 2],
                border_mode="same",
                dim_ordering="tf",
                activation="relu",
                bias=True,
            ),
            layer_of("BatchNormalization", "c", name="n", mode=0, axis=3, epsilon=1e-5, momentum=0.99),
            layer_of("Merge", "c", "n", name="m", mode="concat", concat_axis=3),
            layer_of("Flatten", "m", name="f"),
            layer_of("Dense", "f", name="d", output_dim=7, bias=False, activation="softmax"),
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["d", 0, 0]],
    },
}
CONV = {"filters": 6, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid", "activation": "relu"}
KERAS_2 = {
    "class_name": "Sequential",
    "keras_version": "2.0.9",
    "backend": "tensorflow",
    "config": [
        {"class_name": "Conv2D", "config": {"name": "c", "batch_input_shape": [None, 28, 28, 1], **CONV}},
        {"class_name": "MaxPooling2D", "config": {"name": "p", "pool_size": [2, 2], "strides": [2, 2]}},
        {"class_name": "LeakyReLU", "config": {"name": "l", "alpha": 0.1}},
        {"class_name": "Flatten", "config": {"name": "f"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 10, "activation": "linear"}},
    ],
}


def imported(folder: Path, content: Any) -> Built:
    path = folder / "net.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return made_of(path)


def test_older_dialects(tmp_path: Path) -> None:
    graph = imported(tmp_path, KERAS_1).graph
    assert graph is not None
    assert [(node.kind, node.output.shape) for node in graph.nodes] == [
        *(("conv", (5, 5, 4)), ("relu", (5, 5, 4)), ("batch_norm", (5, 5, 4)), ("concat", (5, 5, 8))),
        *(("flatten", (200,)), ("dense", (7,)), ("softmax", (7,))),
    ]
    assert graph.params == 3 * 2 * 3 * 4 + 4 + 8 + 1400
    graph = imported(tmp_path, KERAS_2).graph
    assert graph is not None
    assert graph.by_path()["l"].layer.slope == 0.1  # type: ignore[attr-defined]
    assert (graph.params, graph.macs) == (6 * 9 + 6 + 10140 + 10, 26 * 26 * 54 + 10140)


def test_hard_sigmoid_of_older_keras_is_another_function(tmp_path: Path) -> None:
    layers = [{"class_name": "Activation", "config": {"activation": "hard_sigmoid", "batch_input_shape": [None, 5]}}]
    model = {"class_name": "Sequential", "config": {"layers": layers}, "keras_version": "2.4.0"}
    (missing,) = imported(tmp_path, model).missing
    assert "slope 0.2" in missing.why


@pytest.mark.slow
def test_counts_are_those_of_keras(tmp_path: Path) -> None:
    import keras

    net = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), alpha=0.35, classes=10)
    (tmp_path / "net.json").write_text(net.to_json(), "utf-8")
    graph = made_of(tmp_path / "net.json").graph
    assert graph is not None
    assert sum(weight.size for node in graph.nodes for weight in node.weights) == net.count_params()
    assert graph.params == sum(int(np.prod(variable.shape)) for variable in net.trainable_weights)


def source_model(graph: Graph) -> Any:
    """The model of the Keras source that is written of a network."""
    import keras

    keras.utils.clear_session()
    tree = source.tree_of(graph)
    names: dict[str, Any] = {}
    text = source.assembled(['"""A network."""'], [], source.definitions(tree))
    exec(compile(text, "network.py", "exec"), names)
    return names[tree.network.name]()


def rows(graph: Graph) -> list[tuple[object, ...]]:
    """Each layer: its kind, shapes of what it takes and gives, arrays, and work. Independent layers have no order."""
    return sorted(
        (
            node.kind,
            node.output.shape,
            tuple(sorted(own.shape for own in node.input_types)),
            tuple((weight.name, weight.shape) for weight in node.arrays),
            node.cost.macs,
        )
        for node in graph.nodes
    )


MINUTES = ("mobilenet_v1", "mobilenet_v3_large", "squeezenet1_0", "squeezenet1_1", "resnet50_v1")


@pytest.mark.parametrize(
    "name",
    [
        "lenet5",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("resnet18", "mobilenet_v2")),
        *(pytest.param(name, marks=pytest.mark.minutes) for name in (*MINUTES, "densenet121", "xception")),
    ],
)
def test_networks_come_back_from_keras_source(name: str, tmp_path: Path) -> None:
    graph = load(name).graph()
    path = tmp_path / "net.json"
    path.write_text(source_model(graph).to_json(), "utf-8")
    made = made_of(path).graph
    assert made is not None
    assert rows(made) == rows(graph)
    assert (made.params, made.macs) == (graph.params, graph.macs)


def harm(folder: Path) -> str:
    """The code of a Lambda that would leave a folder behind, as Keras 1 and 2 wrote it."""
    code = compile(f"import os; os.mkdir({str(folder)!r})", "harm", "exec")
    return base64.b64encode(marshal.dumps(code)).decode()


def test_what_would_run_is_named_and_does_not(tmp_path: Path) -> None:
    code = harm(tmp_path / "harm")
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 8, 8, 3]}},
        {"class_name": "Lambda", "config": {"name": "run", "function": [code, None, None], "function_type": "lambda"}},
        {
            "class_name": "Lambda",
            "config": {"name": "run3", "function": {"class_name": "__lambda__", "config": {"code": code}}},
        },
        {"class_name": "Theirs", "module": "their.code", "registered_name": "theirs>Theirs", "config": {"name": "own"}},
        {"class_name": "LSTM", "config": {"name": "r", "units": 3}},
        {"class_name": "Conv2D", "config": {"name": "c", "filters": 3, "kernel_size": [1, 1], "activation": "snake"}},
        {"class_name": "Dense", "config": {"name": "d", "units": "many"}},
    ]
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}}), "utf-8")
    made = import_model(path, tmp_path / "net.yaml")
    assert not (tmp_path / "harm").exists()
    assert [item.code for item in made.missing] == ["E562"] * 6
    said = "\n".join(f"{item.message} {item.notes}" for item in made.missing)
    for words in ("Lambda is Python code, which is never run", "layer 2 (run3)", "theirs>Theirs", "LSTM is recurrent"):
        assert words in said
    for words in ("the function snake", "has units: many"):
        assert words in said
    assert "not_imported" in (tmp_path / "net.yaml").read_text("utf-8")


def functional(*layers: dict[str, Any], outputs: str = "a") -> dict[str, Any]:
    start = {"class_name": "InputLayer", "name": "x", "config": {"batch_shape": [None, 4]}, "inbound_nodes": []}
    config = {"layers": [start, *layers], "input_layers": [["x", 0, 0]], "output_layers": [[outputs, 0, 0]]}
    return {"class_name": "Functional", "config": config}


def dense(name: str, source: Any) -> dict[str, Any]:
    return {"class_name": "Dense", "name": name, "config": {"units": 3}, "inbound_nodes": [[source]]}


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [
        ("{", "E563", "no JSON"),
        ("[" * 100_000, "E564", "nested too deeply"),
        ('{"class_name": "Sequential", "config": ' + "[" * 200 + "]" * 200 + "}", "E564", "more than 100 deep"),
        ("{}", "E569", "no model of Keras"),
        ({"class_name": "Theirs", "config": {}}, "E565", "a model of its author's own"),
        ({"class_name": "Sequential", "config": []}, "E565", "has no layers"),
        (
            {"class_name": "Sequential", "config": [{"class_name": "Flatten", "config": {}}]},
            "E565",
            "what its input is",
        ),
        (
            functional(dense("a", ["b", 0, 0]), dense("b", ["a", 0, 0])),
            "E563",
            "what no layer before them makes: a and b",
        ),
        (functional(dense("a", ["nowhere", 0, 0])), "E563", "what no layer before them makes"),
        (functional(dense("a", "x")), "E563", "no tensor of a layer"),
        (functional(dense("a", ["x", 0, 7])), "E563", "no such output"),
        (functional(dense("a", ["x", 0, 0]), outputs="b"), "E563", "the model takes `b`"),
        (functional({"name": "a"}), "E563", "has no `class_name`"),
        (functional({**dense("a", ["x", 0, 0]), "inbound_nodes": 1.5}), "E563", "no tensor of a layer"),
    ],
)
def test_damaged_descriptions_are_refused(content: Any, code: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    with pytest.raises(SpecError) as error:
        import_model(path, tmp_path / "net.yaml")
    assert code in str(error.value)
    assert why in str(error.value)
    assert not (tmp_path / "net.yaml").exists()


@pytest.mark.parametrize(
    "content",
    [
        {**functional(dense("a", ["x", 0, 0])), "keras_version": "²"},
        functional({**dense("a", ["x", 0, 0]), "config": {"units": 3, "data_format": [[1]]}}),
        functional({"class_name": "UpSampling2D", "name": "a", "config": {}, "inbound_nodes": [{"args": None}]}),
        functional({"class_name": "Flatten", "name": "a", "config": {}, "inbound_nodes": [{"args": None}]}),
    ],
)
def test_odd_values_in_descriptions_raise_nothing_else(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(content), "utf-8")
    try:
        assert import_model(path).spec
    except SpecError as error:
        assert error.diagnostics


def test_softmax_of_a_map_with_channels_first_goes_along_its_columns(tmp_path: Path) -> None:
    """Keras takes the last axis, whatever it is: there is no softmax of columns, and that of channels is another."""
    net = layers_of("L.Conv2D(6, 1, data_format='channels_first', activation='softmax')", (4, 5, 7))
    net.save(tmp_path / "net.keras")
    (missing,) = made_of(tmp_path / "net.keras").missing
    assert "along axis 3 of 4" in missing.why


def test_hostile_archives_and_files_are_refused(tmp_path: Path) -> None:
    def refused(path: Path, why: str) -> None:
        with pytest.raises(SpecError, match=why):
            import_model(path)

    config = json.dumps(KERAS_2)
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("../config.json", config)
    refused(tmp_path / "a.keras", "leads out of the archive")
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("other.json", config)
    refused(tmp_path / "b.keras", "none of Keras")
    with zipfile.ZipFile(tmp_path / "c.keras", "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(999))
    refused(tmp_path / "c.keras", "damaged HDF5")
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.attrs["model_config"] = config
        file["model_weights"] = h5py.ExternalLink("other.h5", "/")
    refused(tmp_path / "d.h5", "a link to another file")
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file.create_dataset("a", data=np.zeros(3))
    refused(tmp_path / "e.h5", "has weights and no model")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.attrs["model_config"] = config
        file.create_dataset("model_weights/c/vars/0", data=np.zeros((2, 2), "f4"))
    made = made_of(tmp_path / "f.h5")
    assert any("no layer takes" in note or "array" in note for note in made.notes)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by what Linux has")
def test_bombs_stay_below_a_gigabyte(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(KERAS_2))
        with archive.open("model.weights.h5", "w", force_zip64=True) as entry:
            for _ in range(48):
                entry.write(bytes(2**25))
    (tmp_path / "b.json").write_text('{"class_name": "Sequential", "config": [' + "[]," * 2_000_000 + "[]]}")
    program = (
        "import sys; from archspec import SpecError, import_model\n"
        "for file in sys.argv[1:]:\n"
        "    try: import_model(file); print('read')\n"
        "    except SpecError as error: print(error.diagnostics[0].message)\n"
        "print([line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line][0])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.keras"), str(tmp_path / "b.json")]
    first, second, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "compressed entries are read up to" in first
    assert "layer 0 has no `class_name`" in second
    assert int(peak) * 1024 < 2**30
