"""A process of `networks.py` that computes with PyTorch: networks of torchvision where it has the same, others by hand.

    python benchmarks/networks_torch.py eager|compiled CORE|all|gpu

It answers as `networks_jax.py` does. Of both orders of an image's numbers in memory the faster one counts. On a GPU
cuDNN chooses its kernels by timing them, and float32 products may round their factors to TensorFloat-32, as JAX's do.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

if sys.argv[2].isdigit():
    os.sched_setaffinity(0, {int(sys.argv[2])})
    os.environ["OMP_NUM_THREADS"] = "1"

import torch
import torch.nn.functional as F  # noqa: N812
import torchvision
from answering import answer, answers
from torch import nn

RATE, MOMENTUM, AUXILIARY = 1e-4, 0.9, 0.3
PLACE = sys.argv[2]
DEVICE = "cuda" if PLACE == "gpu" else "cpu"


class LeNet5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.c5, self.f6, self.output = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c3(x)), 2).flatten(1)
        return self.output(F.relu(self.f6(F.relu(self.c5(x)))))


class AlexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, 4), nn.ReLU(), nn.LocalResponseNorm(5, 5e-4, 0.75, 2), nn.MaxPool2d(3, 2),
            nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), nn.LocalResponseNorm(5, 5e-4, 0.75, 2),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 1000),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).flatten(1))


class Inception(nn.Module):
    def __init__(self, channels: int, one: int, r3: int, three: int, r5: int, five: int, proj: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, one, 1)
        self.r3, self.three = nn.Conv2d(channels, r3, 1), nn.Conv2d(r3, three, 3, padding=1)
        self.r5, self.five = nn.Conv2d(channels, r5, 1), nn.Conv2d(r5, five, 5, padding=2)
        self.proj = nn.Conv2d(channels, proj, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        three = F.relu(self.three(F.relu(self.r3(x))))
        five = F.relu(self.five(F.relu(self.r5(x))))
        proj = F.relu(self.proj(F.max_pool2d(x, 3, 1, 1)))
        return torch.cat([F.relu(self.one(x)), three, five, proj], 1)


class Auxiliary(nn.Module):
    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 128, 1)
        self.fc1, self.fc2 = nn.Linear(128 * side * side, 1024), nn.Linear(1024, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.conv(F.avg_pool2d(x, 5, 3))).flatten(1)
        return self.fc2(F.dropout(F.relu(self.fc1(x)), 0.7, self.training))


class GoogLeNet(nn.Module):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), nn.LocalResponseNorm(5),
            nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 192, 3, padding=1), nn.ReLU(), nn.LocalResponseNorm(5),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        )  # fmt: skip
        self.three = nn.Sequential(Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64))
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.a4 = Inception(480, 192, 96, 208, 16, 48, 64)
        self.bcd4 = nn.Sequential(
            Inception(512, 160, 112, 224, 24, 64, 64),
            Inception(512, 128, 128, 256, 24, 64, 64),
            Inception(512, 112, 144, 288, 32, 64, 64),
        )
        self.e4 = Inception(528, 256, 160, 320, 32, 128, 128)
        self.five = nn.Sequential(
            Inception(832, 256, 160, 320, 32, 128, 128), Inception(832, 384, 192, 384, 48, 128, 128)
        )
        self.fc = nn.Linear(1024, 1000)
        head = (side // 16 - 5) // 3 + 1
        self.aux1, self.aux2 = Auxiliary(512, head), Auxiliary(528, head)

    def forward(self, x: torch.Tensor) -> Any:
        four_a = self.a4(self.pool(self.three(self.stem(x))))
        four_d = self.bcd4(four_a)
        x = self.five(self.pool(self.e4(four_d))).mean((2, 3))
        x = self.fc(F.dropout(x, 0.4, self.training))
        return (x, self.aux1(four_a), self.aux2(four_d)) if self.training else x


class FCN8s(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stages, channels = [], 3
        for stage, depth in enumerate((2, 2, 3, 3, 3)):
            layers: list[nn.Module] = []
            for index in range(depth):
                filters = 64 * 2 ** min(stage, 3)
                layers += [nn.Conv2d(channels, filters, 3, padding=1 if stage or index else 100), nn.ReLU()]
                channels = filters
            stages.append(nn.Sequential(*layers, nn.MaxPool2d(2, ceil_mode=True)))
        self.stages = nn.ModuleList(stages)
        self.fc6, self.fc7, self.score = nn.Conv2d(512, 4096, 7), nn.Conv2d(4096, 4096, 1), nn.Conv2d(4096, 21, 1)
        self.score4, self.score3 = nn.Conv2d(512, 21, 1), nn.Conv2d(256, 21, 1)
        self.up2 = nn.ConvTranspose2d(21, 21, 4, 2, bias=False)
        self.up4 = nn.ConvTranspose2d(21, 21, 4, 2, bias=False)
        self.up8 = nn.ConvTranspose2d(21, 21, 16, 8, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        pooled = []
        for stage in self.stages:
            x = stage(x)
            pooled.append(x)
        x = F.dropout(F.relu(self.fc6(x)), 0.5, self.training)
        x = F.dropout(F.relu(self.fc7(x)), 0.5, self.training)
        x = self.up2(self.score(x))
        x = x + self.score4(pooled[3])[:, :, 5 : 5 + x.shape[2], 5 : 5 + x.shape[3]]
        x = self.up4(x)
        x = x + self.score3(pooled[2])[:, :, 9 : 9 + x.shape[2], 9 : 9 + x.shape[3]]
        return self.up8(x)[:, :, 31 : 31 + height, 31 : 31 + width]


class SegNetBasic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LocalResponseNorm(5)
        self.down = nn.ModuleList([nn.Conv2d(64 if index else 3, 64, 7, padding=3) for index in range(4)])
        self.down_bn = nn.ModuleList([nn.BatchNorm2d(64) for _ in range(4)])
        self.up = nn.ModuleList([nn.Conv2d(64, 64, 7, padding=3) for _ in range(4)])
        self.up_bn = nn.ModuleList([nn.BatchNorm2d(64) for _ in range(4)])
        self.classifier = nn.Conv2d(64, 11, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, kept = self.norm(x), []
        for conv, norm in zip(self.down, self.down_bn, strict=True):
            before = F.relu(norm(conv(x)))
            x, places = F.max_pool2d(before, 2, ceil_mode=True, return_indices=True)
            kept.append((places, before.shape[2:]))
        for conv, norm in zip(self.up, self.up_bn, strict=True):
            places, size = kept.pop()
            x = norm(conv(F.max_unpool2d(x, places, 2, output_size=size)))
        return self.classifier(x)


models = torchvision.models
NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "lenet5": lambda side: LeNet5(),
    "alexnet": lambda side: AlexNet(),
    "vgg11": lambda side: models.vgg11(init_weights=False),
    "vgg16": lambda side: models.vgg16(init_weights=False),
    "googlenet": GoogLeNet,
    "resnet18": lambda side: models.resnet18(),
    "resnet50": lambda side: models.resnet50(),
    "mobilenet_v2": lambda side: models.mobilenet_v2(),
    "resnext50_32x4d": lambda side: models.resnext50_32x4d(),
    "fcn8s": lambda side: FCN8s(),
    "segnet_basic": lambda side: SegNetBasic(),
}
CHANNELS = {"lenet5": 1}


class Program:
    """A network with its data, whose steps can be run.

    In 16 bits a training step keeps its weights in float32 and computes by autocast; a forward pass has all in 16 bits.
    """

    def __init__(
        self, network: str, batch: int, size: list[int], mode: str, kind: torch.dtype, compiled: bool, last: bool
    ) -> None:
        self.model = NETWORKS[network](size[0]).to(DEVICE)
        if mode == "eval":
            self.model = self.model.to(kind)
        self.kind = kind
        self.last = last
        if last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.train = mode == "train"
        self.model.train(self.train)
        shape = (batch, *size, CHANNELS.get(network, 3))
        self.images = torch.randint(0, 256, shape, dtype=torch.uint8, device=DEVICE)
        x = torch.randn(shape, device=DEVICE).permute(0, 3, 1, 2)
        self.x = self._ordered(x.to(kind) if mode == "eval" else x)
        self.called = torch.compile(self.model) if compiled else self.model
        if self.train:
            self.optimiser = torch.optim.SGD(self.model.parameters(), RATE, MOMENTUM)
            with torch.no_grad():
                self.model.eval()
                logits = self.model(self.x[:1])
                self.model.train()
            self.labels = torch.randint(0, logits.shape[1], (batch, *logits.shape[2:]), device=DEVICE)

    def _ordered(self, x: torch.Tensor) -> torch.Tensor:
        return x.contiguous(memory_format=torch.channels_last if self.last else torch.contiguous_format)

    def step(self) -> None:
        if not self.train:
            with torch.inference_mode():
                self.called(self.x)
            return
        x = self._ordered(self.images.permute(0, 3, 1, 2).float().div_(255))
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE, self.kind, enabled=self.kind != torch.float32):
            outputs = self.called(x)
            heads = outputs if isinstance(outputs, tuple) else (outputs,)
            losses = [F.cross_entropy(logits, self.labels) for logits in heads]
        (losses[0] + AUXILIARY * sum(losses[1:])).backward()
        self.optimiser.step()

    def block(self, steps: int) -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(steps):
            self.step()
        if DEVICE == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps


def main(rival: str) -> None:
    to = answers()
    torch.manual_seed(0)
    if PLACE.isdigit():
        torch.set_num_threads(1)
    if DEVICE == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    held: list[Program] = []

    def load(network: str, batch: int, size: list[int], mode: str, precision: str) -> dict[str, Any]:
        held.clear()
        kind: torch.dtype = getattr(torch, precision)
        begun = time.perf_counter()
        tried = []
        clock = 0 if DEVICE == "cuda" else 1
        for last in (True, False):
            made = Program(network, batch, size, mode, kind, compiled=False, last=last)
            made.step()
            tried.append((min(made.block(1)[clock], made.block(1)[clock]), last))
            del made
        last = min(tried)[1]
        made = Program(network, batch, size, mode, kind, compiled=rival == "compiled", last=last)
        made.step()
        held.append(made)
        return {
            "compile_seconds": time.perf_counter() - begun,
            "order": "channels last" if last else "channels first",
        }

    def run(steps: int) -> dict[str, Any]:
        wall, cpu = held[0].block(steps)
        return {"wall": wall, "cpu": cpu}

    about = {"python": sys.version.split()[0], "torch": torch.__version__, "torchvision": torchvision.__version__}
    if DEVICE == "cuda":
        about["device"] = torch.cuda.get_device_name()
    answer(to, {**about, "threads": torch.get_num_threads()}, load, run)


if __name__ == "__main__":
    main(sys.argv[1])
