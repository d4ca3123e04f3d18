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

from tests.weights.rule import tensor

SIZES = {
    "torchvision/alexnet": 224,
    "torchvision/vgg11": 224,
    "torchvision/vgg16_bn": 224,
    "torchvision/googlenet": 224,
    "torchvision/resnet18": 224,
    "torchvision/resnet50": 224,
    "torchvision/fcn_resnet50": 129,
}
OPTIONS = {
    "torchvision/googlenet": {"aux_logits": True, "init_weights": False},
    "torchvision/fcn_resnet50": {"weights_backbone": None, "num_classes": 21, "aux_loss": True},
}


def outputs(recorded: str, size: int) -> dict[str, np.ndarray]:
    """What a network gives for its input."""
    library, _, name = recorded.partition("/")
    make = get_model if library == "torchvision" else timm.create_model
    model = make(name, **OPTIONS.get(recorded, {})).eval()
    state = {key: torch.from_numpy(tensor(name, key, list(value.shape))) for key, value in model.state_dict().items()}
    model.load_state_dict(state)
    x = np.random.default_rng(crc32(f"{name}/input".encode())).standard_normal((1, 3, size, size)).astype(np.float32)
    with torch.no_grad():
        found = model(torch.from_numpy(x))
    if isinstance(found, dict):
        return {f"{recorded}:{key}": value.numpy()[..., ::8, ::8] for key, value in found.items()}
    logits = found.numpy()
    print(recorded, "largest", np.abs(logits).max(), "spread", logits.std())
    return {recorded: logits[:, ::8]}


if __name__ == "__main__":
    made = {}
    for recorded, size in SIZES.items():
        made.update(outputs(recorded, size))
    np.savez_compressed(Path(__file__).parent / "logits.npz", **made)
