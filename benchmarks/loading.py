"""How fast images of 32×32 are read from a folder of PNG files: by threads, by processes, and by PyTorch's DataLoader.

    python benchmarks/loading.py [--images 5000] [--workers 2] [--torch PYTHON] [--memory]

Of each way it prints images per second of a pass over the whole folder, with nothing else to do, after one that warms
up, and beside it those of training LeNet-5's size of network, from memory and from the folder. `--torch` names a Python
that has PyTorch and torchvision, whose DataLoader reads the same files in the same run. `--memory` prints instead the
resident memory of all processes, parent and workers, at the end of each of three passes.

On two cores that other programs were busy on too, in one run over 3,000 images: by threads 1,303 images/s (PyTorch's
DataLoader in the parent alone 613), by two processes 2,491 (1,424). What bounds it is Pillow: of about 100 µs of a core
for each file, its decoder takes 45, and opening the file, checksums and the array the rest.

On 16 cores beside an H100, over 5,000 images: by two processes 10,522 images/s (PyTorch's DataLoader 7,171), by eight
50,644 (25,122). There LeNet-5 trains on 48,251 images/s from memory, and 43,899 from the folder with eight processes:
0.91 times as many; with two, which is the reading's ceiling, on 13,523.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

TORCH = """
import sys, time, torch
from torchvision import datasets, transforms
folder, workers = sys.argv[1], int(sys.argv[2])
data = datasets.ImageFolder(folder, transforms.ToTensor())
loader = torch.utils.data.DataLoader(data, 128, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
for turn in range(2):
    begun = time.perf_counter()
    for images, labels in loader:
        pass
    seconds = time.perf_counter() - begun
print(f"{len(data) / seconds:.0f}")
"""
SPEC = """archspec: 1
name: net
input: {{height: 32, width: 32, channels: 3, range: [0, 255]}}
layers: [conv: {{filters: 6, kernel: 5}}, relu, max_pool: 2, conv: {{filters: 16, kernel: 5}}, relu, max_pool: 2,
  flatten, dense: 120, relu, dense: 84, relu, dense: 10]
train: {{dataset: {{image_folder: {folder}}}, batch_size: 128, epochs: 3, stream: {stream}, workers: {workers}}}
"""


def make(folder: Path, images: int) -> None:
    """Images of smooth noise in ten classes, a tenth of them held out."""
    generator = np.random.default_rng(0)
    for number in range(images):
        part = "test" if number % 10 == 0 else "train"
        path = folder / part / str(number // 10 % 10) / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8))
        small.resize((32, 32), Image.Resampling.BICUBIC).save(path)


def passes(folder: Path, workers: int, turns: int) -> list[tuple[float, int]]:
    """Images per second, and resident bytes at the end, of passes over the training part."""
    from archspec.data import Gathered, Loader, Orders, Reading
    from archspec.data.image_folder import ImageFolder

    train = ImageFolder(path=str(folder)).reading(Reading("always", workers)).load().train
    orders = Orders(0, len(train), 128)
    loader: Loader[object] = Loader(Gathered(train, orders), turns * orders.steps, workers)
    made = []
    for turn in range(turns):
        begun = time.perf_counter()
        for _ in loader.between(turn * orders.steps, (turn + 1) * orders.steps):
            pass
        made.append((len(train) / (time.perf_counter() - begun), resident()))
    loader.close()
    return made


def resident() -> int:
    """The resident memory of this process and all below it, in bytes; what they share is counted once for each."""
    parents, sizes = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            sizes[int(path.name)] = 4096 * int((path / "statm").read_text().split()[1])
        except OSError:  # it has ended meanwhile
            continue
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(sizes.get(pid, 0) for pid in own)


def training(folder: Path, stream: str, workers: int) -> float:
    """Images per second of the last epoch of training."""
    import json

    import archspec

    with tempfile.TemporaryDirectory() as runs:
        path = Path(runs) / "net.yaml"
        path.write_text(SPEC.format(folder=folder, stream=stream, workers=workers))
        result = archspec.train(archspec.load(path), Path(runs) / "run", progress=False)
        for name in ("times.jsonl", "metrics.jsonl"):
            file = result.folder / name
            lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
            if lines and "images_per_second" in lines[-1]:
                return float(lines[-1]["images_per_second"])
    raise SystemExit("the run says nothing of its speed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--torch", help="a Python that has PyTorch and torchvision")
    parser.add_argument("--memory", action="store_true", help="resident memory over three passes instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make(folder, options.images)
        if options.memory:
            for turn, (_, size) in enumerate(passes(folder, options.workers, 3), 1):
                print(f"pass {turn}: {size / 2**20:,.0f} MiB resident")
            return
        for workers in sorted({0, options.workers}):
            print(f"read with {workers} processes: {passes(folder, workers, 2)[-1][0]:,.0f} images/s", flush=True)
            if options.torch:
                asked = [options.torch, "-c", TORCH, str(folder / "train"), str(workers)]
                found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
                print(f"  PyTorch's DataLoader: {float(found):,.0f} images/s", flush=True)
        memory = training(folder, "never", 0)
        streamed = training(folder, "always", options.workers)
        print(f"training from memory {memory:,.0f} images/s, streamed {streamed:,.0f}: {streamed / memory:.2f}×")


if __name__ == "__main__":
    main()
