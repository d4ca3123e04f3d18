"""Records tests/importing/recorded.pt2, a program of torch.export, and what PyTorch gives for it.

python -m tests.importing.record_torch
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

HERE = Path(__file__).parent


class Gate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(channels, 4, 1)
        self.outer = nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.outer(F.relu(self.inner(means)))).expand_as(x)


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deep = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.wide = nn.Linear(channels, 2 * channels)
        self.back = nn.Linear(2 * channels, channels)
        self.gamma = nn.Parameter(torch.rand(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.deep(x).permute(0, 2, 3, 1)
        y = self.back(F.gelu(self.wide(self.norm(y)))) * self.gamma
        return x + y.permute(0, 3, 1, 2)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.response = nn.LocalResponseNorm(5, alpha=0.1, beta=0.5, k=2.0)
        self.gate = Gate(8)
        self.blocks = nn.ModuleList([Block(8), Block(8)])
        self.groups = nn.GroupNorm(2, 8)
        self.slopes = nn.PReLU(8)
        self.up = nn.ConvTranspose2d(8, 12, 4, 2, 1)
        self.head = nn.Linear(12 * 4 * 4, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.response(self.norm(self.stem(x))))
        x = self.gate(x)
        for block in self.blocks:
            x = block(x)
        x = self.slopes(self.groups(x))
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, channels, height, width)
        one, other = F.max_pool2d(x, 2, ceil_mode=True).chunk(2, 1)
        x = torch.cat([other, F.leaky_relu(one, 0.1)], 1)
        x = F.mish(self.up(x))
        x = F.normalize(F.interpolate(x, scale_factor=2, mode="bilinear"), dim=1)
        x = F.avg_pool2d(F.pad(x, (0, 0, 1, 1)), 3, stride=2, padding=1, count_include_pad=False)
        x = F.adaptive_avg_pool2d(F.relu6(x + 0.5), 4)
        return F.softmax(self.head(torch.flatten(x, 1)), 1)


def without_traces(written: io.BytesIO) -> bytes:
    """The archive without the lines of Python that made each node, which have paths, and without the sample."""
    kept = io.BytesIO()
    with zipfile.ZipFile(written) as archive, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as other:
        for entry in archive.infolist():
            content = archive.read(entry)
            if "sample_inputs" in entry.filename:
                continue
            if entry.filename.endswith("models/model.json"):
                whole = json.loads(content)
                for node in whole["graph_module"]["graph"]["nodes"]:
                    node["metadata"].pop("stack_trace", None)
                whole["graph_module"]["module_call_graph"] = []
                whole["guards_code"] = []
                content = json.dumps(whole).encode()
            other.writestr(zipfile.ZipInfo(entry.filename), content, zipfile.ZIP_DEFLATED)
    return kept.getvalue()


def main() -> None:
    torch.manual_seed(0)
    network: Any = Network().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    x = torch.randn(2, 3, 14, 14)
    program = torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("n")},))
    written = io.BytesIO()
    torch.export.save(program, written)
    (HERE / "recorded.pt2").write_bytes(without_traces(written))
    with torch.no_grad():
        np.savez(HERE / "recorded_torch.npz", x=x.numpy(), y=network(x).numpy())


if __name__ == "__main__":
    main()
