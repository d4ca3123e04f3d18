"""The zoo's tables of names for Caffe's and Darknet's files, held to what their authors published."""

from __future__ import annotations

import lzma
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import pytest

from archspec.loading import load
from archspec.spec.network import ImageInput
from archspec.weights.behind import behind
from archspec.weights.caffe_files import Layer, named_tensors
from archspec.weights.folder import usual_names
from archspec.weights.layout import order_of, orders, to_torch_shape
from archspec.weights.naming import namings, tables
from archspec.weights.tensors import Tensor
from archspec.zoo import zoo_variants

RECORDED = Path(__file__).with_name("caffe.txt.xz")
HELD = {
    **{f"resnet{depth}": f"resnet{depth}_v1" for depth in (50, 101, 152)},
    **{
        name: name
        for name in ("alexnet", "caffenet", "googlenet", "squeezenet1_0", "squeezenet1_1", "segnet", "segnet_basic")
    },
    **{name: name for name in ("fcn8s", "fcn16s", "fcn32s")},
    **{f"densenet{depth}": f"densenet{depth}" for depth in (121, 161, 169, 201)},
}
"""Networks of the zoo by the names under which `record_caffe.py` has the authors'."""
VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in the stages of VGG's columns D and E, whose prototxts are the paper's Table 1."""


@cache
def recorded() -> dict[str, list[Layer]]:
    found: dict[str, list[Layer]] = {}
    for line in lzma.decompress(RECORDED.read_bytes()).decode().splitlines():
        if line.startswith("= "):
            layers = found.setdefault(line[2:], [])
            continue
        name, kind, bottom, top, *sizes = line.split()
        shapes = [tuple(map(int, size.split("x"))) for size in sizes]
        layers.append(Layer(name, kind, [bottom], [top], [tensor(shape) for shape in shapes], False))
    return found


def tensor(shape: tuple[int, ...]) -> Tensor:
    return Tensor(shape, "float32", lambda: np.zeros(shape, np.float32))


def check(network: str, layers: list[Layer]) -> None:
    """Every tensor of the file has its array and is of its size; biases before normalisations go into their means."""
    spec = load(network)
    graph = spec.graph()
    table = namings(graph, tables(spec))["caffe"]
    layouts = orders(graph)
    ours = {name: to_torch_shape(own.weight, order_of(own.node, layouts), own.form) for name, own in table.items()}
    norms = behind(graph)
    folded = {
        f"{name.removesuffix('.weight')}.bias"
        for name, own in table.items()
        if own.node.path in norms and own.weight.name == "kernel"
    }
    theirs = {name: own.shape for name, own in named_tensors(layers).items()}
    assert {name: shape for name, shape in theirs.items() if name in ours or name not in folded} == ours


@pytest.mark.parametrize("name", HELD)
def test_every_blob_has_its_array(name: str) -> None:
    check(HELD[name], recorded()[name])


@pytest.mark.parametrize("depth", VGG)
def test_vgg(depth: int) -> None:
    layers, channels = [], 3
    for stage, times in enumerate(VGG[depth]):
        for place in range(times):
            filters = 64 * 2 ** min(stage, 3)
            name = f"conv{stage + 1}_{place + 1}"
            blobs = [tensor((filters, channels, 3, 3)), tensor((1, 1, 1, filters))]
            layers.append(Layer(name, "Convolution", [], [], blobs, False))
            channels = filters
    for name, outputs, inputs in (("fc6", 4096, 25088), ("fc7", 4096, 4096), ("fc8", 1000, 4096)):
        blobs = [tensor((1, 1, outputs, inputs)), tensor((1, 1, 1, outputs))]
        layers.append(Layer(name, "InnerProduct", [], [], blobs, False))
    check(f"vgg{depth}", layers)


@pytest.mark.slow
def test_every_table_is_held() -> None:
    found = {
        (name, table)
        for name, (_, variant) in zoo_variants().items()
        if variant
        for table in load(name).weights
        if table in ("caffe", "darknet")
    }
    caffe = {*HELD.values(), *(f"vgg{depth}" for depth in VGG)}
    darknet = {"yolov3", "yolov3_tiny", "darknet53"}  # test_darknet_files.py counts their numbers
    assert found == {(name.partition("?")[0], "caffe") for name in caffe} | {(name, "darknet") for name in darknet}


@pytest.mark.parametrize("network", sorted({*HELD.values(), "vgg16", "vgg19"}))
def test_they_expect_blue_first(network: str) -> None:
    spec = load(network)
    expected = {**spec.input.model_dump(), **spec.weights["caffe"].input}
    input = ImageInput.model_validate(expected)
    assert input.order == "bgr" and input.range == (0, 255)
    assert input.mean is None or input.mean[0] < input.mean[2]  # blue is darker


def test_exports_have_names_that_others_know() -> None:
    assert usual_names(load("googlenet")) == usual_names(load("yolov3")) == "pytorch"
    assert usual_names(load("resnet50_v1")) == "pytorch" and usual_names(load("vgg16")) == "torchvision"


def test_the_stem_of_the_first_resnet_has_the_authors_windows() -> None:
    """112×112 becomes 56×56 in either way; without a border the windows begin at the corner, as Caffe's do."""
    for name, fields in {"resnet50_v1": ("ceil", 0), "resnet50": ("floor", 1)}.items():
        node = load(name).graph().by_path()["maxpool"]
        plain = node.layer.to_plain()
        assert isinstance(plain, dict)
        assert (plain["max_pool"]["rounding"], np.max(plain["max_pool"]["pad"])) == fields
        assert node.output.shape == (56, 56, 64)


def test_the_authors_files_are_as_large_as_the_networks() -> None:
    """The paper's and the files' own figures: 138,357,544 numbers of VGG-16, 143,667,240 of VGG-19."""
    counted = {
        name: sum(prod(own.shape) for own in named_tensors(layers).values()) for name, layers in recorded().items()
    }
    assert counted["caffenet"] == counted["alexnet"] == 60_965_224
    assert counted["googlenet"] == 13_378_280
    assert counted["squeezenet1_0"] == 1_248_424 and counted["squeezenet1_1"] == 1_235_496
