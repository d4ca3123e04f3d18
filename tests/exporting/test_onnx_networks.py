"""Small networks as ONNX, in onnxruntime, against the compiled network: orders of features, names, inputs, outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

import archspec
from archspec.exporting.onnx.model import model_of
from archspec.exporting.subject import Subject
from archspec.images.numbers import normalised
from archspec.images.preparation import Preparation
from archspec.loading import Spec
from archspec.lower import outline
from tests.test_random_networks import networks

Write = Callable[..., Path]

MAP = "input: {height: 3, width: 4, channels: 5}\n"


def first(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def drawn(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Kernels that keep the size of values, as He et al. 2015 have it, and other numbers from 0.1 to about 1.5."""
    values = rng.standard_normal(shape, np.float32)
    few = np.float32(np.sqrt(2 / np.prod(shape[:-1])))
    return values * few if len(shape) > 1 else np.abs(values) * np.float32(0.4) + np.float32(0.1)


class Both:
    """A network with arrays that are all drawn, here and in onnxruntime."""

    def __init__(self, spec: Spec, input: Any = None, **options: Any) -> None:
        self.graph = spec.graph(input=input).pruned("eval")
        rng = np.random.default_rng(1)
        self.pure, *kinds = outline(self.graph)
        self.arrays = [{name: drawn(like.shape, rng) for name, like in arrays.items()} for arrays in kinds]
        self.notes: list[str] = []
        subject = Subject(spec, self.graph, {**self.arrays[0], **self.arrays[1]}, (), Preparation())
        self.model = model_of(subject, notes=self.notes, **options)
        onnx.checker.check_model(self.model, full_check=True)
        self.session = onnxruntime.InferenceSession(self.model.SerializeToString(), providers=["CPUExecutionProvider"])
        self.given = {item.name: rng.standard_normal((3, *item.type.shape), np.float32) for item in self.graph.inputs}

    def ours(self, given: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        values = self.given if given is None else given
        x: Any = values if len(values) > 1 else next(iter(values.values()))
        made = jax.jit(lambda params, rest, x: self.pure.apply(params, rest, x, train=False)[0])(*self.arrays, x)
        several = made if isinstance(made, dict) else {self.graph.outputs[0].name: made}
        return {name: first(np.asarray(value)) for name, value in several.items()}

    def theirs(self, given: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        values = self.given if given is None else given
        found = self.session.run(None, {name: first(value) for name, value in values.items()})
        return dict(zip([output.name for output in self.session.get_outputs()], found, strict=True))

    @property
    def ops(self) -> list[str]:
        return [node.op_type for node in self.model.graph.node]

    def agree(self) -> Both:
        ours, theirs = self.ours(), self.theirs()
        assert set(ours) == set(theirs)
        for name, value in ours.items():
            assert theirs[name].shape == value.shape
            assert np.abs(theirs[name] - value).max() <= 1e-5 * np.abs(value).max()
        return self


NETS = {
    "behind a flattened map": (
        "- flatten\n- batch_norm\n- prelu\n- dropout\n- layer_norm\n- layer_scale\n- l2_normalise\n- scale: 3\n"
        "- dense: 4\n- softmax",
        0,
    ),
    "centres": ("- flatten\n- tanh\n- rbf: {units: 3, centres: random}", 0),
    "flattened maps side by side": (
        "- conv: {name: a, filters: 2, kernel: 3}\n- flatten: {name: fa}\n"
        "- conv: {name: b, from: input, filters: 3, kernel: 2}\n- flatten: {name: fb}\n"
        "- concat: {from: [fa, fb]}\n- relu\n- dense: 4",
        0,
    ),
    "maps of one shape added": (
        "- flatten: {name: a}\n- relu: {name: r, from: input}\n- flatten: {name: b}\n- add: {from: [a, b]}\n- dense: 4",
        0,
    ),
    "of one place or one channel": (
        "- conv: {filters: 1, kernel: 1}\n- flatten: {name: a}\n- dense: {units: 12}\n- add: {from: [previous, a]}",
        0,
    ),
    "a flattened map and features added": (
        "- flatten: {name: a}\n- dense: 60\n- add: {from: [previous, a]}\n- dense: 4",
        1,
    ),
    "maps of two shapes added": (
        "- reshape: {name: m, shape: [4, 3, 5]}\n- flatten: {name: a}\n- flatten: {name: b, from: input}\n"
        "- add: {from: [a, b]}\n- dense: 4",
        4,
    ),
    "an output": ("- flatten\n- relu", 1),
    "sliced": ("- flatten\n- slice: {channels: [3, 9]}\n- dense: 4", 1),
    "groups": ("- flatten\n- group_norm: {groups: 3}\n- channel_shuffle: 4\n- dense: 4", 2),
    "reshaped": ("- flatten\n- reshape: [6, 2, 5]\n- conv: {filters: 2, kernel: 2}", 2),
    "reshaped channels first": ("- flatten\n- reshape: {shape: [6, 2, 5], order: channels_first}", 1),
    "arrays of two orders": (
        "- flatten: {name: a}\n- dense: {name: d, units: 4}\n- reshape: {name: m, shape: [4, 3, 5], from: input}\n"
        "- flatten: {name: b}\n- dense: {name: e, units: 4, weights: d}\n- add: {from: [d, e]}",
        4,
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_features_lie_in_onnx_order_unless_it_matters(name: str, write: Write) -> None:
    layers, transposes = NETS[name]
    text = MAP + "layers:\n" + "".join(f"  {line}\n" for line in layers.splitlines())
    both = Both(archspec.load(write(text))).agree()
    assert both.ops.count("Transpose") == transposes


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=networks())
def test_networks_that_nobody_wrote_agree(tree: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")
    Both(archspec.load(tmp_path / "net.yaml")).agree()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "input"),
    [
        ("lenet5_1998", None),
        ("alexnet", 67),
        ("googlenet", 79),
        ("resnet18", 64),
        ("resnet20", None),
        ("mobilenet_v3_small", 64),
        ("shufflenet_v2_x0_5", 64),
        ("densenet_40_12", None),
        ("unet_padded", 64),
        ("segnet_basic", (37, 50)),
        ("enet", 64),
        ("squeezenet1_1", 64),
        ("yolov3_tiny", 64),
    ],
)
def test_networks_of_the_zoo_give_what_the_compiled_ones_give(name: str, input: Any) -> None:
    Both(archspec.load(name), input).agree()


def test_several_inputs_and_outputs_have_their_names(write: Write) -> None:
    text = """
inputs:
  left: {height: 6, width: 5, channels: 2}
  wave: {length: 8, channels: 3}
  facts: {features: 4}
layers:
  - conv: {name: c, from: left, filters: 3, kernel: 3}
  - global_avg_pool: {name: g}
  - conv: {name: s, from: wave, filters: 2, kernel: 3}
  - flatten: {name: f}
  - concat: {name: whole, from: [g, f, facts]}
  - dense: {name: other, units: 2}
  - dense: {name: value, from: whole, units: 3}
outputs: {value: other, twice: other, maps: c, main: value}
"""
    both = Both(archspec.load(write(text))).agree()
    assert [item.name for item in both.model.graph.input] == ["left", "wave", "facts"]
    assert [item.name for item in both.model.graph.output] == ["value", "twice", "maps", "main"]
    # One value twice is copied, and the layer `value` is not the output `value`.
    assert both.ops.count("Identity") == 1
    names = {node.name: node.output[0] for node in both.model.graph.node}
    assert names["other"] == "value"
    assert names["value"] == "main"
    assert names["output/twice"] == "twice"


def test_a_layer_may_be_called_as_an_output_of_another(write: Write) -> None:
    text = MAP + "layers:\n  - relu: {name: a}\n  - tanh: {name: b}\n  - sigmoid: {name: c}\noutputs: {a: c, c: b}\n"
    both = Both(archspec.load(write(text))).agree()
    assert {node.name: node.output[0] for node in both.model.graph.node} == {"a": "a/value", "b": "c", "c": "a"}


def test_arrays_that_are_shared_are_one_initialiser(write: Write) -> None:
    text = MAP + "layers:\n  - conv: {name: a, filters: 5, kernel: 1}\n"
    text += "  - conv: {name: b, filters: 5, kernel: 1, weights: a}\n"
    both = Both(archspec.load(write(text))).agree()
    assert {item.name for item in both.model.graph.initializer} == {"a.kernel", "a.bias"}


@pytest.mark.parametrize("size", [(7, 9), (8, 8)])
def test_maxima_go_back_to_where_they_were(size: tuple[int, int], write: Write) -> None:
    height, width = size
    text = f"""
input: {{height: {height}, width: {width}, channels: 2}}
layers:
  - max_pool: {{name: p1, window: 2, rounding: ceil}}
  - max_pool: {{name: p2, window: 3, stride: 2, pad: 1}}
  - scale: 2
  - max_unpool: p2
  - conv: {{filters: 2, kernel: 1}}
  - max_unpool: p1
"""
    both = Both(archspec.load(write(text))).agree()
    assert "MaxUnpool" not in both.ops


@pytest.mark.parametrize("pad", ["[[2, 0], [0, 3]]", "[[0, 2], [0, 2]]", "[[1, 1], [1, 0]]"])
def test_maxima_go_back_where_padding_is_wide_or_not_read(pad: str, write: Write) -> None:
    """Rows of padding that no window reads still count where the map is padded before the pooling."""
    text = f"""
input: {{height: 7, width: 6, channels: 2}}
layers:
  - relu
  - max_pool: {{name: p, window: 2, stride: 4, pad: {pad}, rounding: floor}}
  - max_unpool: p
"""
    both = Both(archspec.load(write(text)))
    positive = {name: np.abs(value) for name, value in both.given.items()}
    found, wanted = both.theirs(positive)["output"], both.ours(positive)["output"]
    assert np.array_equal(found, np.where(np.isfinite(wanted), wanted, found))
    assert np.isfinite(wanted).mean() > 0.9


def test_sizes_of_other_layers_are_followed(write: Write) -> None:
    text = MAP + "layers:\n  - conv: {name: c, filters: 2, kernel: 2}\n  - resize: {size: [9, 9]}\n"
    text += "  - crop: {like: c}\n  - resize: {like: input, mode: nearest}\n"
    both = Both(archspec.load(write(text))).agree()
    last = {prop.key: prop.value for prop in both.model.graph.node[-1].metadata_props}
    assert json.loads(last["archspec.inputs"]) == ["crop1", "input"]


def test_nodes_say_which_layer_they_are_of(write: Write) -> None:
    text = MAP + "layers:\n  - gelu: {name: g}\n  - max_pool: {name: p, window: 2}\n"
    model = Both(archspec.load(write(text))).model
    props = [{prop.key: prop.value for prop in node.metadata_props} for node in model.graph.node]
    assert [prop["archspec.node"] for prop in props] == ["g"] * (len(props) - 1) + ["p"]
    assert [node.name for node in model.graph.node] == ["g/scaled", "g/erf", "g/half", "g/share", "g", "p"]
    assert ["archspec.fields" in prop for prop in props] == [False] * 4 + [True] * 2
    assert json.loads(props[-1]["archspec.fields"]) == {
        "window": [2, 2],
        "stride": [2, 2],
        "pad": [[0, 0], [0, 0]],
        "rounding": "floor",
        "dilation": [1, 1],
    }
    assert props[-1]["archspec.kind"] == "max_pool"
    assert json.loads(props[-1]["archspec.inputs"]) == ["g"]


PHOTO = "input: {{height: 4, width: 5, channels: 3, range: [-1, 2], mean: [0.4, 0.5, 0.6], std: [2, 3, 4]{}}}\n"


@pytest.mark.parametrize("order", ["", ", order: bgr"])
def test_pixels_are_scaled_in_the_graph(order: str, write: Write) -> None:
    spec = archspec.load(write(PHOTO.format(order) + "layers: [relu]\n"))
    both = Both(spec, with_preprocessing=True)
    assert both.model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)
    wanted = both.ours({"input": np.asarray(normalised(jnp.asarray(pixels), spec.input))})
    found = both.theirs({"input": pixels})
    np.testing.assert_allclose(found["output"], wanted["output"], rtol=0, atol=1e-6)
    assert both.ops.count("Gather") == bool(order)
    assert [note for note in both.notes if "pixels are bytes from 0 to 255" in note]
    said = {prop.key: prop.value for prop in both.model.metadata_props}
    assert json.loads(said["preprocessing"]) == "in the graph"


def test_a_mean_image_is_subtracted_in_the_graph_or_told_of(write: Write, tmp_path: Path) -> None:
    means = np.random.default_rng(2).random((3, 4, 5), np.float32)
    np.save(tmp_path / "means.npy", means)
    text = PHOTO.replace("mean: [0.4, 0.5, 0.6]", "mean_image: means.npy").format(", order: bgr")
    spec = archspec.load(write(text + "layers: [relu]\n"))
    both = Both(spec, with_preprocessing=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)
    x = (pixels[..., ::-1].astype(np.float64) / 255 * 3 - 1 - means.transpose(1, 2, 0)) / [2, 3, 4]
    np.testing.assert_allclose(both.theirs({"input": pixels})["output"], first(np.maximum(x, 0)), rtol=0, atol=1e-6)
    without = Both(spec)
    assert without.notes == [
        "the mean image of `input`, which is subtracted before the model, is not in the file; --with-preprocessing "
        "puts it into the graph"
    ]
    props = {prop.key: prop.value for prop in without.model.metadata_props}
    assert json.loads(props["input.mean_image"]) == "means.npy"


def test_numbers_are_normalised_in_the_graph(write: Write) -> None:
    text = """
inputs:
  wave: {length: 6, channels: 2, mean: [1, 2], std: 0.5}
  facts: {features: 3, std: [1, 2, 3]}
  plain: {features: 2}
layers:
  - flatten: {name: f, from: wave}
  - concat: {from: [f, facts, plain]}
"""
    spec = archspec.load(write(text))
    both = Both(spec, with_preprocessing=True)
    given = {name: value * 10 for name, value in both.given.items()}
    scaled = {name: np.asarray(normalised(jnp.asarray(value), spec.inputs[name])) for name, value in given.items()}
    (wanted,), (found,) = both.ours(scaled).values(), both.theirs(given).values()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert not both.notes


def test_the_model_says_what_its_inputs_mean(write: Write) -> None:
    text = PHOTO.format(", fit: crop, short_side: 6") + "layers: [relu]\n"
    props = {prop.key: prop.value for prop in Both(archspec.load(write(text))).model.metadata_props}
    assert props["archspec.network"] == "net"
    own = {key.removeprefix("input."): json.loads(text) for key, text in props.items() if key.startswith("input.")}
    assert own == {
        "kind": "image",
        "layout": "NCHW",
        "range": [-1, 2],
        "mean": [0.4, 0.5, 0.6],
        "std": [2, 3, 4],
        "order": "rgb",
        "fit": "crop",
        "short_side": 6,
        "interpolation": "bilinear",
    }
    assert json.loads(props["preprocessing"]) == "before the graph"
    assert "classes" not in props
