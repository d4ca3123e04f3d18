"""Records what fvcore, torchinfo, ptflops and PyTorch's own counter say of torchvision's networks, batch 1, float32.

`pip install torch torchvision fvcore torchinfo ptflops && python tests/reports/record_tools.py`
Made with torch 2.13.0, torchvision 0.28.0, fvcore 0.1.5, torchinfo 1.8.0, ptflops 0.7.5.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from fvcore.nn import FlopCountAnalysis
from ptflops import get_model_complexity_info
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary
from torchvision.models import get_model, googlenet, segmentation

VGG = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
RESNET = [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)]


def counted(make, size):
    """Every tool's figures of one network on square images."""
    model, shape = make(), (3, size, size)
    found = {"input": [size, size, 3]}
    x = torch.zeros(1, *shape)
    with torch.no_grad():
        for mode in ("eval", "train"):
            model.train(mode == "train")
            # Batch normalisation refuses to train on one value a channel, as after FCN's or GoogLeNet's pooling.
            batch = x if mode == "eval" else x.expand(2, -1, -1, -1)
            counter = FlopCountAnalysis(model, batch).unsupported_ops_warnings(False)
            found[f"fvcore_{mode}"] = int(counter.total()) // len(batch)
        model.eval()
        with FlopCounterMode(display=False) as counter:
            model(x)
        found["torch_macs"] = counter.get_total_flops() // 2
        told = summary(model, (1, *shape), verbose=0)
    found["torchinfo"] = {
        "mult_adds": told.total_mult_adds,
        "params": told.total_params,
        "input_bytes": told.total_input,
        "forward_backward_bytes": told.total_output_bytes,
        "params_bytes": told.total_param_bytes,
    }
    options = {"as_strings": False, "print_per_layer_stat": False}
    # fcn's outputs are a dict, which changes nothing for the counters.
    for backend in ("pytorch", "aten"):
        found[f"ptflops_{backend}"] = get_model_complexity_info(model, shape, backend=backend, **options)[0]
    return found


networks = {name: (lambda name=name: get_model(name), 224) for name in ("alexnet", *VGG, *RESNET)}
networks["googlenet"] = (lambda: googlenet(aux_logits=False, init_weights=False), 224)
for name in ("fcn_resnet50", "fcn_resnet101"):
    builder = getattr(segmentation, name)
    networks[name] = (
        lambda builder=builder: builder(weights=None, weights_backbone=None, num_classes=21, aux_loss=True),
        520,
    )
found = {name: counted(make, size) for name, (make, size) in networks.items()}
lines = ",\n".join(f'  "{name}": {json.dumps(figures)}' for name, figures in found.items())
(Path(__file__).parent / "tools.json").write_text("{\n" + lines + "\n}\n", "utf-8")
