"""Records outputs of torchvision's and timm's networks with weights by a rule: README.md.

`pip install torch torchvision timm && python -m tests.golden.record_logits`
Made with torchvision 0.28.0 and timm 1.0.31 on torch 2.13.0.
"""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import timm
import torch
from torchvision.models import get_model

from tests.weights.record_names import OPTIONS
from tests.weights.rule import tensor

SIZES = {
    "torchvision": {
        **dict.fromkeys(("alexnet", "vgg11", "vgg16_bn", "googlenet", "resnet18", "resnet50"), 224),
        "fcn_resnet50": 129,
        "inception_v3": 299,  # its auxiliary head has no smaller size
        **dict.fromkeys(("densenet121", "squeezenet1_0", "squeezenet1_1"), 96),
        **dict.fromkeys(("resnext50_32x4d", "wide_resnet50_2"), 64),
        **dict.fromkeys(("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet1_0"), 96),
        **dict.fromkeys(("shufflenet_v2_x1_0", "efficientnet_b0", "efficientnet_v2_s", "convnext_tiny"), 96),
        "regnet_y_400mf": 96,
        "deeplabv3_resnet50": 97,
    },
    "timm": {
        **dict.fromkeys(("seresnet18", "seresnext50_32x4d", "legacy_senet154"), 64),
        **dict.fromkeys(("inception_v4", "inception_resnet_v2", "legacy_xception", "nasnetalarge"), 96),
        "mobilenetv1_100": 96,
    },
}
GAINS = {"legacy_senet154": 0.8}
"""What kernels are multiplied with where the numbers would grow until float32 cannot tell them."""


def outputs(library: str, name: str, size: int) -> dict[str, np.ndarray]:
    """What a network gives for its input."""
    make = get_model if library == "torchvision" else timm.create_model
    model = make(name, **(OPTIONS.get(name, {}) if library == "torchvision" else {})).eval()
    for key, value in model.state_dict().items():
        value.copy_(torch.from_numpy(tensor(name, key, list(value.shape), GAINS.get(name, 1.0))))
    x = np.random.default_rng(crc32(f"{name}/input".encode())).standard_normal((1, 3, size, size)).astype(np.float32)
    with torch.no_grad():
        found, other = model(torch.from_numpy(x)), model(torch.from_numpy(-x))
    if isinstance(found, dict):
        return {f"{library}/{name}:{key}": value.numpy()[..., ::8, ::8] for key, value in found.items()}
    # By the rule the numbers may grow, but must not be the biases' alone.
    print(f"{library}/{name}: up to {found.abs().max():.3g}, {(found - other).abs().max():.3g} apart for another input")
    return {f"{library}/{name}": found.numpy()[:, ::8]}


if __name__ == "__main__":
    made = {}
    for library, sizes in SIZES.items():
        for name, size in sizes.items():
            made.update(outputs(library, name, size))
    np.savez_compressed(Path(__file__).parent / "logits.npz", **made)
