"""Records names and shapes of the blobs of networks that were published for Caffe, from their authors' prototxts.

`python tests/weights/record_caffe.py FOLDER`, where FOLDER has the files that `SOURCES` names. Shapes follow from the
layers by the rules of Caffe's Reshape functions, restated here; names are as the `.caffemodel` has them.
"""

from __future__ import annotations

import lzma
import re
import sys
from math import ceil
from pathlib import Path

SOURCES = {
    "alexnet": "BVLC/caffe, models/bvlc_alexnet/deploy.prototxt",
    "caffenet": "BVLC/caffe, models/bvlc_reference_caffenet/deploy.prototxt",
    "googlenet": "BVLC/caffe, models/bvlc_googlenet/train_val.prototxt",
    "squeezenet1_0": "forresti/SqueezeNet, SqueezeNet_v1.0/deploy.prototxt",
    "squeezenet1_1": "forresti/SqueezeNet, SqueezeNet_v1.1/deploy.prototxt",
    "resnet50": "KaimingHe/deep-residual-networks, prototxt/ResNet-50-deploy.prototxt",
    "resnet101": "the same, ResNet-101",
    "resnet152": "the same, ResNet-152",
    "fcn8s": "shelhamer/fcn.berkeleyvision.org, voc-fcn8s/val.prototxt",
    "fcn8s_atonce": "the same, voc-fcn8s-atonce",
    "fcn16s": "the same, voc-fcn16s",
    "fcn32s": "the same, voc-fcn32s",
    "segnet": "alexgkendall/SegNet-Tutorial, Models/segnet_inference.prototxt",
    "segnet_basic": "the same, segnet_basic_inference.prototxt",
    "densenet121": "shicai/DenseNet-Caffe, DenseNet_121.prototxt",
    "densenet161": "the same, DenseNet_161",
    "densenet169": "the same, DenseNet_169",
    "densenet201": "the same, DenseNet_201",
    "mobilenet_v1": "shicai/MobileNet-Caffe, mobilenet_deploy.prototxt",
    "mobilenet_v2": "the same, mobilenet_v2_deploy.prototxt",
}


def parsed(tokens):
    """A message of text format as pairs of names and values."""
    pairs = []
    for name in tokens:
        if name == "}":
            break
        value = next(tokens)
        if value == ":":
            value = next(tokens)
        pairs.append((name, parsed(tokens) if value == "{" else value.strip("\"'")))
    return pairs


def get(message, name, default=None):
    return next((value for own, value in message if own == name), default)


def every(message, name):
    return [value for own, value in message if own == name]


def number(message, name, default):
    return int(get(message, name, default))


def blobs_of(text):
    """Names and shapes of blobs, layer by layer, with each layer's type, bottoms and tops."""
    net = parsed(iter(re.findall(r"\"[^\"]*\"|'[^']*'|[{}:]|[^\s{}:]+", re.sub(r"#.*", "", text))))
    sizes = {}
    dims = [int(value) for value in every(net, "input_dim")]
    for shape in every(net, "input_shape"):
        dims = [int(value) for value in every(shape, "dim")]
    if dims:
        sizes[get(net, "input")] = dims[1:]
    for layer in every(net, "layer"):
        kind, name = get(layer, "type"), get(layer, "name")
        bottoms, tops = every(layer, "bottom"), every(layer, "top")
        phases = [get(rule, "phase") for rule in every(layer, "include")]
        if phases == ["TEST"] and tops and tops[0] in sizes:
            continue
        x = sizes.get(bottoms[0]) if bottoms else None
        shapes = []
        if kind in ("Data", "Input", "Python", "DenseImageData"):
            own = every(get(get(layer, "input_param", []), "shape", []), "dim")
            crop = get(get(layer, "transform_param", []), "crop_size")
            size = [int(value) for value in own[1:]] or ([3, int(crop), int(crop)] if crop else [3, 500, 500])
            if kind == "DenseImageData":
                size = [3, 360, 480]
            sizes.update(dict.fromkeys(tops, size))
            continue
        y = x
        if kind in ("Convolution", "Deconvolution", "DepthwiseConvolution"):
            own = get(layer, "convolution_param")
            filters, k = number(own, "num_output", 0), number(own, "kernel_size", 1)
            stride, pad, groups = number(own, "stride", 1), number(own, "pad", 0), number(own, "group", 1)
            groups = filters if kind == "DepthwiseConvolution" else groups
            up = kind == "Deconvolution"
            shapes = [[x[0], filters // groups, k, k] if up else [filters, x[0] // groups, k, k]]
            if get(own, "bias_term", "true") != "false":
                shapes.append([filters])
            y = [filters, *(stride * (s - 1) + k - 2 * pad if up else (s + 2 * pad - k) // stride + 1 for s in x[1:])]
        elif kind == "Pooling":
            own = get(layer, "pooling_param")
            if get(own, "global_pooling") == "true":
                y = [x[0], 1, 1]
            else:
                k, stride, pad = number(own, "kernel_size", 1), number(own, "stride", 1), number(own, "pad", 0)
                y = [x[0], *(ceil((s + 2 * pad - k) / stride) + 1 for s in x[1:])]
        elif kind == "InnerProduct":
            filters = number(get(layer, "inner_product_param"), "num_output", 0)
            total = 1
            for size in x:
                total *= size
            shapes, y = [[filters, total], [filters]], [filters]
        elif kind == "BatchNorm":
            shapes = [[x[0]], [x[0]], [1]]
        elif kind == "Scale":
            shapes = [[x[0]]] * (2 if get(get(layer, "scale_param", []), "bias_term", "false") == "true" else 1)
        elif kind == "BN":
            shapes = [[1, x[0], 1, 1]] * 2
        elif kind == "PReLU":
            shapes = [[x[0]]]
        elif kind == "Concat":
            y = [sum(sizes[own][0] for own in bottoms), *x[1:]]
        elif kind == "Upsample":
            own = get(layer, "upsample_param")
            y = [x[0], number(own, "upsample_h", 2 * x[1]), number(own, "upsample_w", 2 * x[2])]
        elif kind == "Crop":
            y = [x[0], *sizes[bottoms[1]][1:]]
        sizes.update(dict.fromkeys(tops, y))
        if shapes:
            yield name, kind, bottoms, tops, shapes


def main(folder):
    lines = []
    for name in SOURCES:
        lines.append(f"= {name}")
        for called, kind, bottoms, tops, shapes in blobs_of((folder / f"{name}.prototxt").read_text("utf-8")):
            sizes = " ".join("x".join(map(str, shape)) for shape in shapes)
            lines.append(f"{called} {kind} {bottoms[0]} {tops[0]} {sizes}")
    Path(__file__).with_name("caffe.txt.xz").write_bytes(lzma.compress("\n".join(lines).encode()))
    print(len(lines), "lines")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
