"""Caffe's prototxt files: sizes by Caffe's rules, phases, layers in place, pairs that are one layer here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec import SpecError, import_model
from archspec.importing.writing import Imported

INPUT = 'name: "net"\ninput: "data"\ninput_shape { dim: 1 dim: 3 dim: 13 dim: 12 }\n'


def layer(kind: str, bottom: str = "data", top: str = "", more: str = "", name: str = "") -> str:
    bottoms = " ".join(f'bottom: "{one}"' for one in bottom.split())
    tops = " ".join(f'top: "{one}"' for one in (top or name or kind.lower()).split())
    return f'layer {{ name: "{name or kind.lower()}" type: "{kind}" {bottoms} {tops} {more} }}\n'


def imported(folder: Path, text: str, size: tuple[int, ...] | None = None) -> Imported:
    file = folder / "net.prototxt"
    file.write_text(text, "utf-8")
    return import_model(file, input=size, flat=True)


def nodes(made: Imported) -> list[tuple[str, tuple[int, ...]]]:
    assert made.graph is not None, made.missing
    return [(node.kind, node.output.shape) for node in made.graph.nodes]


def conv(filters: int, more: str = "kernel_size: 3 pad: 1") -> str:
    return f"convolution_param {{ num_output: {filters} {more} }}"


def test_a_classifier_of_version_1_and_of_today_are_the_same(tmp_path: Path) -> None:
    body = (
        'name: "conv1" type: {conv} bottom: "data" top: "conv1" '
        "convolution_param {{ num_output: 4 kernel_size: 5 stride: 2 group: 1 }}",
        'name: "relu1" type: {relu} bottom: "conv1" top: "conv1"',
        'name: "pool/1" type: {pool} bottom: "conv1" top: "pool1" '
        "pooling_param {{ pool: MAX kernel_size: 3 stride: 2 }}",
        'name: "norm1" type: LRNKIND bottom: "pool1" top: "norm1" lrn_param {{ local_size: 3 alpha: 0.5 }}',
        'name: "fc" type: {dense} bottom: "norm1" top: "fc" inner_product_param {{ num_output: 7 }}',
        'name: "drop" type: {drop} bottom: "fc" top: "fc" dropout_param {{ dropout_ratio: 0.25 }}',
        'name: "prob" type: {soft} bottom: "fc" top: "prob"',
    )
    new = {"conv": '"Convolution"', "relu": '"ReLU"', "pool": '"Pooling"', "dense": '"InnerProduct"'}
    new |= {"drop": '"Dropout"', "soft": '"Softmax"'}
    old = {"conv": "CONVOLUTION", "relu": "RELU", "pool": "POOLING", "dense": "INNER_PRODUCT"}
    old |= {"drop": "DROPOUT", "soft": "SOFTMAX"}
    today = "".join(f"layer {{ {line.format(**new)} }}\n" for line in body).replace("LRNKIND", '"LRN"')
    before = "".join(f"layers {{ {line.format(**old)} }}\n" for line in body).replace("LRNKIND", "LRN")
    made = imported(tmp_path, INPUT + today)
    assert nodes(made) == [
        ("conv", (5, 4, 4)),
        ("relu", (5, 4, 4)),
        ("max_pool", (2, 2, 4)),  # the second column of windows hangs over
        ("lrn", (2, 2, 4)),
        ("flatten", (16,)),
        ("dense", (7,)),
        ("dropout", (7,)),
    ]
    assert made.graph is not None
    assert made.graph.params == 4 * 75 + 4 + 16 * 7 + 7
    assert "- max_pool: {name: pool.1, window: 3, stride: 2, rounding: ceil}" in made.spec
    assert any(note.startswith("1 output ends with softmax") and "come out" in note for note in made.notes)
    assert imported(tmp_path, INPUT + before).spec == made.spec


@pytest.mark.parametrize("size", range(5, 12))
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"), [(3, 2, 0), (3, 2, 1), (2, 2, 1), (3, 3, 1), (4, 3, 2), (2, 2, 0)]
)
def test_poolings_have_as_many_windows_as_in_caffe(
    tmp_path: Path, size: int, kernel: int, stride: int, pad: int
) -> None:
    shape = INPUT.replace("dim: 13 dim: 12", f"dim: {size} dim: {size}")
    text = shape + layer("Pooling", more=f"pooling_param {{ kernel_size: {kernel} stride: {stride} pad: {pad} }}")
    ((_, found),) = nodes(imported(tmp_path, text))
    # pooling_layer.cpp: rounded up, and with padding the last window begins within the image.
    windows = int(np.ceil((size + 2 * pad - kernel) / stride)) + 1
    if pad and (windows - 1) * stride >= size + pad:
        windows -= 1
    assert found == (windows, windows, 3)


def test_a_window_beyond_the_map_is_named_and_not_dropped(tmp_path: Path) -> None:
    text = INPUT + layer("Pooling", more="pooling_param { kernel_size: 1 stride: 5 }")
    made = imported(tmp_path, text)
    assert made.graph is None
    assert "gives 3×4×4 in the file, and max_pool would give 3×3×3" in made.missing[0].message


def test_batch_norm_and_scale_are_one_layer(tmp_path: Path) -> None:
    pair = layer("BatchNorm", "conv", "conv", "batch_norm_param { eps: 0.001 }", "bn") + layer(
        "Scale", "conv", "conv", "scale_param { bias_term: true }", "scale"
    )
    text = INPUT + layer("Convolution", top="conv", more=conv(8, "kernel_size: 1 bias_term: false")) + pair
    made = imported(tmp_path, text)
    assert nodes(made) == [("conv", (13, 12, 8)), ("batch_norm", (13, 12, 8))]
    assert made.graph is not None and made.graph.params == 24 + 16
    assert "1 pair of BatchNorm and Scale is one batch_norm" in made.notes
    # Where something else takes the normalised value, it is not.
    text = text.replace('bottom: "conv" top: "conv" batch', 'bottom: "conv" top: "bn" batch')
    text = text.replace('bottom: "conv" top: "conv" scale', 'bottom: "bn" top: "scale" scale')
    other = text.replace('layer { name: "scale"', layer("ReLU", "bn", name="other") + 'layer { name: "scale"')
    assert [kind for kind, _ in nodes(imported(tmp_path, text))] == ["conv", "batch_norm"]
    made = imported(tmp_path, other)
    assert [kind for kind, _ in nodes(made)] == ["conv", "batch_norm", "relu", "batch_norm"]
    assert "1 BatchNorm that other layers take too: statistics stand twice" in made.notes


def test_phases_targets_and_auxiliary_losses(tmp_path: Path) -> None:
    data = (
        'layer { name: "data" type: "Data" top: "data" top: "label" include { phase: PHASE }\n'
        "transform_param { crop_size: SIZE mean_value: 104 mean_value: 117 mean_value: 123 mirror: true } }\n"
    )
    text = data.replace("PHASE", "TRAIN").replace("SIZE", "9") + data.replace("PHASE", "TEST").replace("SIZE", "8")
    for name, weight in (("aux", "loss_weight: 0.3"), ("main", "")):
        text += layer("InnerProduct", "data", name, "inner_product_param { num_output: 5 }", name)
        text += layer("SoftmaxWithLoss", f"{name} label", f"loss_{name}", weight, f"loss_{name}")
    text += layer("Accuracy", "main label", "accuracy", "include { phase: TEST }")
    made = imported(tmp_path, text)
    assert made.graph is not None
    assert made.graph.input.shape == (8, 8, 3)
    assert [(output.name, output.weight, output.train_only) for output in made.graph.outputs] == [
        ("main", 1.0, False),
        ("aux", 0.3, True),
    ]
    expected = "range: [0.0, 255.0], mean: [104.0, 117.0, 123.0], order: bgr"
    assert f"input: {{height: 8, width: 8, channels: 3, {expected}}}" in made.spec
    assert any("`label` too, taken for targets" in note for note in made.notes)


def test_segmentation_with_indices_crops_and_transposed_convolutions(tmp_path: Path) -> None:
    text = (
        INPUT
        + layer("Convolution", name="score", more=conv(4))
        + layer("Pooling", "score", "pool mask", "pooling_param { kernel_size: 2 stride: 2 }", "pool")
        + layer("Upsample", "pool mask", "up", "upsample_param { scale: 2 upsample_h: 13 upsample_w: 12 }", "up")
        + layer("Deconvolution", "pool", "big", conv(4, "kernel_size: 4 stride: 2 bias_term: false group: 4"), "big")
        + layer("Crop", "big up", "cut", "crop_param { axis: 2 offset: 1 }", "cut")
        + layer("Eltwise", "cut up score", "sum", "eltwise_param { coeff: 1 coeff: 0.5 coeff: 1 }", "sum")
        + layer("Concat", "sum score", "both", name="both")
        + layer("Slice", "both", "low high", "slice_param { slice_point: 3 }", "cuts")
    )
    made = imported(tmp_path, text)
    assert nodes(made) == [
        ("conv", (13, 12, 4)),
        ("max_pool", (7, 6, 4)),
        ("max_unpool", (13, 12, 4)),
        ("transposed_conv", (16, 14, 4)),
        ("crop", (13, 12, 4)),
        ("scale", (13, 12, 4)),
        ("add", (13, 12, 4)),
        ("concat", (13, 12, 8)),
        ("slice", (13, 12, 3)),
        ("slice", (13, 12, 5)),
    ]
    assert "outputs: {low: cuts, high: cuts_2}" in made.spec
    assert "- slice: {name: cuts_2, from: both, channels: [3, 8]}" in made.spec
    assert "- crop: {name: cut, offset: 1, like: up}" in made.spec


def test_arrays_that_params_name_are_shared(tmp_path: Path) -> None:
    shared = conv(3) + ' param { name: "w" } param { name: "b" }'
    text = INPUT + layer("Convolution", name="one", more=shared) + layer("Convolution", "one", name="two", more=shared)
    made = imported(tmp_path, text)
    assert made.graph is not None and made.graph.params == 81 + 3
    assert "- conv: {name: two, filters: 3, kernel: 3, pad: same, weights: one}" in made.spec


def test_sizes_that_the_file_leaves_open_are_asked_for(tmp_path: Path) -> None:
    text = layer("Input", "", "data", "input_param { shape { dim: 1 dim: 3 } }").replace('bottom: ""', "")
    text = 'layer { name: "data" type: "Python" top: "data" top: "label" }\n' + layer("Convolution", more=conv(2))
    with pytest.raises(SpecError, match="--input 224x224"):
        imported(tmp_path, text)
    assert nodes(imported(tmp_path, text, (6, 5, 3))) == [("conv", (6, 5, 2))]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("height: 20 width: 30", (20, 30)),
        ("zoom_factor: 2", (25, 23)),
        ("shrink_factor: 2 height: 20 width: 30", (7, 6)),
        ("shrink_factor: 2 zoom_factor: 3", (19, 16)),
        ("shrink_factor: 2 zoom_factor: 3 height: 20 width: 30", (20, 30)),
    ],
)
def test_interp_is_as_large_as_in_its_fork(tmp_path: Path, given: str, size: tuple[int, int]) -> None:
    made = imported(tmp_path, INPUT + layer("Interp", more=f"interp_param {{ {given} }}"))
    assert nodes(made) == [("resize", (*size, 3))]


def test_the_epsilon_of_normalize_is_the_root_of_its_own(tmp_path: Path) -> None:
    more = "norm_param { across_spatial: false channel_shared: false eps: 1e-6 }"
    made = imported(tmp_path, INPUT + layer("Normalize", more=more))
    assert "epsilon: 0.001" in made.spec


def test_what_has_no_kind_is_named_all_at_once(tmp_path: Path) -> None:
    text = (
        INPUT
        + layer("LRN", more="lrn_param { norm_region: WITHIN_CHANNEL }")
        + layer("AbsVal", "lrn")
        + layer("InnerProduct", "absval", more="inner_product_param { num_output: 2 }")
        + layer("NoSuchLayer", "innerproduct")
    )
    made = imported(tmp_path, text)
    assert [item.message for item in made.missing] == [
        "LRN normalises by the pixels around within each channel (`WITHIN_CHANNEL`)",
        "AbsVal is no layer that this reader knows",
        "NoSuchLayer is no layer that this reader knows",
    ]
    assert "- dense: {name: innerproduct, units: 2}" in made.spec
    assert "  - not_imported: {name: nosuchlayer}" in made.spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (INPUT, "no layers"),
        ('net: "train_val.prototxt"\nbase_lr: 0.01', "whose `net` names the file"),
        (INPUT + layer("ReLU", "other"), "no layer before it gives"),
        (INPUT + layer("Convolution", more="convolution_param { num_output: 3 }"), "kernel_size"),
        (INPUT + layer("Convolution", more=conv(-3)), "from 1 to"),
        (INPUT + layer("Convolution", more=conv(10**30)), "from 1 to"),
        (INPUT + layer("Convolution", more='convolution_param { num_output: "3" }'), "whole number"),
        (INPUT + layer("Convolution", more=conv(3) + conv(3)), "stands 2 times"),
        (INPUT + layer("ReLU", more="relu_param: 3"), "is a message"),
        (INPUT + "layer {" * 100, "nested more than 64"),
        (INPUT + layer("ReLU")[:-3], "has no end"),
        ('input: "data"\nlayer { name: "x" type: "ReLU" bottom: "data" top: "x" }', "1 input and 0 shapes"),
        ("layers { layer { name: 'x' type: 'conv' } bottom: 'a' top: 'b' }\n" + INPUT, "oldest format"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        imported(tmp_path, text)
