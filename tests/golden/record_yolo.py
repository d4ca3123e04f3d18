"""Records outputs of YOLOv3's networks restated after Darknet's cfg files, with weights by a rule: README.md.

`python -m tests.golden.record_yolo`, made with torch 2.13.0. Counts what yolov3.weights and yolov3-tiny.weights hold.
"""

from __future__ import annotations

import numpy as np
import torch

from tests.golden.record_restated import FOLDER, Restated, count, run, thinned


def unit(net, name, x, filters, kernel=1, stride=1):
    x = net.norm(f"{name}.bn", net.conv(f"{name}.conv", x, filters, kernel, stride, kernel // 2))
    return torch.nn.functional.leaky_relu(x, 0.1)


def head(net, name, x, filters):
    return net.conv(f"{name}.conv2", unit(net, f"{name}.conv1", x, filters, 3), 255, bias=True)


def upwards(net, name, x, skip, filters):
    x = unit(net, f"{name}.conv", x, filters).repeat_interleave(2, 2).repeat_interleave(2, 3)
    return torch.cat([x, skip], 1)


def darknet53(net, x):
    """The maps of the last three stages."""
    x = unit(net, "backbone.stem", x, 32, 3)
    maps = []
    for stage, times in enumerate((1, 2, 8, 8, 4)):
        width, name = 64 << stage, f"backbone.stages.{stage}"
        x = unit(net, f"{name}.conv_down", x, width, 3, 2)
        for i in range(times):
            y = unit(net, f"{name}.blocks.{i}.conv1", x, width // 2)
            x = x + unit(net, f"{name}.blocks.{i}.conv2", y, width, 3)
        maps.append(x)
    return maps[2:]


def five(net, name, x, width):
    for i in range(5):
        x = unit(net, f"{name}.conv{i + 1}", x, (width, 2 * width)[i % 2], (1, 3)[i % 2])
    return x


def yolov3(net: Restated, x: torch.Tensor) -> dict[str, torch.Tensor]:
    eighth, sixteenth, x = darknet53(net, x)
    x = five(net, "neck32", x, 512)
    found = {"stride32": head(net, "head32", x, 1024)}
    x = five(net, "neck16", upwards(net, "merge16", x, sixteenth, 256), 256)
    found["stride16"] = head(net, "head16", x, 512)
    x = five(net, "neck8", upwards(net, "merge8", x, eighth, 128), 128)
    found["stride8"] = head(net, "head8", x, 256)
    return found


def yolov3_tiny(net: Restated, x: torch.Tensor) -> dict[str, torch.Tensor]:
    sixteenth = x
    for i in range(6):
        if i > 0:
            x = torch.max_pool2d(x, 2)
        x = unit(net, f"conv{i + 1}", x, 16 << i, 3)
        sixteenth = x if i == 4 else sixteenth
    x = torch.nn.functional.pad(x, (0, 1, 0, 1), value=float("-inf"))
    x = unit(net, "conv7", torch.max_pool2d(x, 2, 1), 1024, 3)
    x = unit(net, "neck32", x, 256)
    found = {"stride32": head(net, "head32", x, 512)}
    x = upwards(net, "merge16", x, sixteenth, 128)
    return {**found, "stride16": head(net, "head16", x, 256)}


if __name__ == "__main__":
    for size in (416, 608):
        count("yolov3", yolov3, 3, size)
    count("yolov3_tiny", yolov3_tiny, 3, 416)
    made = {}
    for name, forward in (("yolov3", yolov3), ("yolov3_tiny", yolov3_tiny)):
        made.update(thinned(name, run(forward, Restated(name), 3, 96)))
    np.savez_compressed(FOLDER / "yolo.npz", **made)
