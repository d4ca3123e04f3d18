"""Records names and shapes of torchvision's and timm's tensors for every network of the zoo that they have.

`pip install torch torchvision timm && python tests/weights/record_names.py`
Made with torchvision 0.28.0 and timm 1.0.31.
"""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import timm
import torch
from torchvision.models import get_model, regnet

VGG = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
RESNET = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]
DENSENET = [f"densenet{depth}" for depth in (121, 161, 169, 201)]
EFFICIENTNET = [f"efficientnet_b{size}" for size in range(8)]
CONVNEXT = [f"convnext_{size}" for size in ("tiny", "small", "base", "large")]
REGNET = [f"regnet_x_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")]
TORCHVISION = [
    *("alexnet", "googlenet", *VGG, *RESNET, "fcn_resnet50", "fcn_resnet101"),
    *(*DENSENET, "squeezenet1_0", "squeezenet1_1", "inception_v3"),
    *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
    *("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
    *("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
    *(*EFFICIENTNET, "efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"),
    *(*CONVNEXT, *REGNET, *(name.replace("_x_", "_y_") for name in REGNET), "regnet_y_128gf"),
    *("deeplabv3_resnet50", "deeplabv3_resnet101"),
]
TIMM = [
    *(*VGG, *RESNET, "resnetv2_50", "resnetv2_101", "darknet53"),
    *(*DENSENET, "inception_v3", "inception_v4", "inception_resnet_v2", "legacy_xception", "nasnetalarge"),
    *("resnext50_32x4d", "resnext101_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    *("wide_resnet50_2", "wide_resnet101_2"),
    *(f"se{name}" for name in RESNET),
    *("seresnext50_32x4d", "seresnext101_32x4d", "legacy_senet154"),
    *("mobilenetv1_100", "mobilenetv2_100", "mobilenetv2_140", "mobilenetv3_small_100", "mobilenetv3_large_100"),
    *("mnasnet_050", "mnasnet_075", "mnasnet_100", "semnasnet_100"),
    *(*EFFICIENTNET, "efficientnetv2_s", "efficientnetv2_m", "efficientnetv2_l"),
    *(*CONVNEXT, "convnext_xlarge"),
    *(f"regnetx_{size}" for size in ("004_tv", "008", "016", "032", "080", "160", "320")),
    *(f"regnety_{size}" for size in ("004", "008_tv", "016", "032", "080_tv", "160", "320", "1280")),
]
OPTIONS = {
    "googlenet": {"aux_logits": True, "init_weights": False},
    "inception_v3": {"aux_logits": True, "init_weights": False},
    **{
        name: {"weights_backbone": None, "num_classes": 21, "aux_loss": True}
        for name in TORCHVISION
        if name.startswith(("fcn_", "deeplabv3_"))
    },
}


def on_meta(library, name):
    """A network without numbers."""
    with torch.device("meta"):
        return get_model(name, **OPTIONS.get(name, {})) if library == "torchvision" else timm.create_model(name)


def widths_on_cpu():
    """RegNet computes its widths with tensors, which must have numbers."""
    plain = regnet.BlockParams.from_init_params.__func__

    def from_init_params(cls, *args, **kwargs):
        with torch.device("cpu"):
            return plain(cls, *args, **kwargs)

    regnet.BlockParams.from_init_params = classmethod(from_init_params)


if __name__ == "__main__":
    widths_on_cpu()
    lines = []
    for library, names in (("torchvision", TORCHVISION), ("timm", TIMM)):
        for name in names:
            state = on_meta(library, name).state_dict()
            shapes = ["x".join(map(str, value.shape)) for value in state.values()]
            # Names first and then shapes: each repeats itself where the other does not.
            lines += [f"{library}/{name}", " ".join(state), " ".join(shapes)]
            if library == "torchvision" and name in DENSENET:
                # The files to download are older than the names: torchvision renames them as it reads.
                older = [re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key) for key in state]
                lines += [f"torchvision_files/{name}", " ".join(older), " ".join(shapes)]
    text = "\n".join(lines)
    (Path(__file__).parent / "names.txt.xz").write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
