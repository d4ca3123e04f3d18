"""Records names and shapes of torchvision's and timm's tensors for every network of the zoo that they have.

`pip install torch torchvision timm && python tests/weights/record_names.py`
Made with torchvision 0.28.0 and timm 1.0.31.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import timm
import torch
from torchvision.models import get_model, googlenet, segmentation

VGG = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
RESNET = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]


def state(model):
    return [[name, list(value.shape)] for name, value in model.state_dict().items()]


found = {}
with torch.device("meta"):
    for name in ("alexnet", *VGG, *RESNET):
        found[f"torchvision/{name}"] = state(get_model(name))
    found["torchvision/googlenet"] = state(googlenet(aux_logits=True, init_weights=False))
    for name in ("fcn_resnet50", "fcn_resnet101"):
        builder = getattr(segmentation, name)
        found[f"torchvision/{name}"] = state(
            builder(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
        )
    for name in (*VGG, *RESNET, "resnetv2_50", "resnetv2_101"):
        found[f"timm/{name}"] = state(timm.create_model(name))

text = json.dumps(found, separators=(",", ":"))
(Path(__file__).parent / "names.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
