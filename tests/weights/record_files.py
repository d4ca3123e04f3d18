"""Records checkpoints as PyTorch writes them, of one tiny network, in the structures that training scripts use.

`pip install torch numpy && python tests/weights/record_files.py`
Made with torch 2.13.0 and NumPy 2.4.6. The values follow the rule in `values`, which the tests know too.
"""

from __future__ import annotations

import argparse
import io
import lzma
import pickle
import sys
import tarfile
import types
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3)
        self.n = nn.BatchNorm2d(4)
        self.d = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.d(self.n(self.c(x)).mean((2, 3)))


def values(net: nn.Module) -> None:
    """Tensor number i, in order, holds 8 i + 0, 1, …, 7, 0, 1, …, as each type of numbers here can hold."""
    number = 0
    with torch.no_grad():
        for value in net.state_dict().values():
            if value.is_floating_point():
                value.copy_((torch.arange(value.numel()).reshape(value.shape) % 8) + 8 * number)
                number += 1


net = Net()
optimiser = torch.optim.Adam(net.parameters())
net(torch.ones(2, 3, 5, 5)).sum().backward()
optimiser.step()
values(net)
state = net.state_dict()


def prefixed(prefix: str) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict((prefix + name, value) for name, value in state.items())


# A class of a package that is not there where the file is read.
package = types.ModuleType("omegaconf_like")
sys.modules["omegaconf_like"] = package
DictConfig = type("DictConfig", (dict,), {"__module__": "omegaconf_like"})
package.__dict__["DictConfig"] = DictConfig
config = DictConfig(lr=0.1)
config.parent = None

args = argparse.Namespace(lr=0.1, milestones=[1, 2])
files = {
    "plain": state,
    "model.state_dict": {"model": {"state_dict": state}},
    **{key: {key: state, "epoch": 3} for key in ("model_state", "params", "model_state_dict", "net", "ema", "weights")},
    "list": [{"lr": 0.1}, state],
    "tuple": (state, 3),
    "namespace": {"model_state": state, "args": args, "epoch": 3, "best": torch.tensor(0.9)},
    "unknown_class": {"state_dict": state, "config": config},
    "lightning": {
        "state_dict": {**prefixed("model._orig_mod."), "criterion.weight": torch.ones(3)},
        "optimizer_states": [optimiser.state_dict()],
        "hyper_parameters": args,
    },
    "orig_mod": prefixed("_orig_mod.module."),
    "averaged": {**prefixed("module."), "n_averaged": torch.tensor(3)},
    "backbone": prefixed("backbone."),
    "inner": {f"c.module{name[1:]}" if name[0] == "c" else name: value for name, value in state.items()},
    "parts": {("head." if name[0] == "d" else "encoder.") + name: value for name, value in state.items()},
    "ends": {f"{name}_ema": value for name, value in state.items()},
    "teacher": {"student": prefixed("module.backbone."), "teacher": prefixed("backbone."), "epoch": 3},
    "momentum": {"state_dict": {**prefixed("module.encoder_q."), **prefixed("module.encoder_k.")}},
    "averages": {"state_dict": state, "state_dict_ema": prefixed("")},
    "twice": {"state_dict": state, "best": state},
    "module": net,
    "module_in_dict": {"model": net, "ema": None, "epoch": 1},
    "parameters": {name: nn.Parameter(v) if v.is_floating_point() else v for name, v in state.items()},
    "strided": {**state, "c.weight": state["c.weight"].permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)},
    "view": {**state, "d.bias": torch.cat([torch.full((7,), 9.0), state["d.bias"], torch.ones(9)])[7:12]},
    "none": {"epoch": 3, "args": args},
    "negative": {**state, "n.running_var": -state["n.running_var"]},
    "number": {**state, "d.bias": torch.tensor(1.0)},
    **{
        kind: {**state, "c.weight": state["c.weight"].to(getattr(torch, kind))}
        for kind in ("float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int8", "int64", "uint16")
    },
    "bool": {**state, "c.weight": state["c.weight"] > 0},
    "complex64": {**state, "c.weight": state["c.weight"].to(torch.complex64)},
    "sparse": {**state, "c.weight": state["c.weight"].to_sparse()},
    "sparse_rows": {**state, "c.weight": state["c.weight"].reshape(4, 27).to_sparse_csr()},
    "quantised": {**state, "c.weight": torch.quantize_per_tensor(state["c.weight"], 0.1, 0, torch.qint8)},
    "meta": {**state, "c.weight": state["c.weight"].to("meta")},
}
arrays = {name: value.numpy() for name, value in state.items()}
pickles = {
    "arrays2": pickle.dumps({"model": arrays, "matching_heuristics": True}, 2),
    "arrays5": pickle.dumps({"model": arrays, "matching_heuristics": True}, 5),
    "arrays_big_endian": pickle.dumps({"model": {k: v.astype(v.dtype.newbyteorder(">")) for k, v in arrays.items()}}),
}

contents = {}
for name, content in files.items():
    buffer = io.BytesIO()
    torch.save(content, buffer)
    contents[f"{name}.pth"] = buffer.getvalue()
buffer = io.BytesIO()
torch.save({"model": state, "args": args}, buffer, _use_new_zipfile_serialization=False)
contents["stream.pth"] = buffer.getvalue()
buffer = io.BytesIO()
torch.jit.save(torch.jit.script(net), buffer)
contents["script.pt"] = buffer.getvalue()
contents.update({f"{name}.pkl": content for name, content in pickles.items()})

buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as tar:
    for name, content in contents.items():
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
path = Path(__file__).parent / "files.tar.xz"
path.write_bytes(lzma.compress(buffer.getvalue(), preset=9))
print(f"{len(contents)} files, {path.stat().st_size:,} bytes")
