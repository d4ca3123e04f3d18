"""Networks of the zoo as one writes them by hand in Flax NNX, for `archspec bench --against flax`.

Plain `nnx.Conv`, `nnx.BatchNorm`, `nnx.max_pool`, as Flax's own examples have them: no trick either way.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from flax import nnx


class Written(NamedTuple):
    """Where a network is: the module here, the class there, and what its constructor is given."""

    module: str
    name: str
    settings: dict[str, Any]


NETWORKS = {
    "lenet5": Written("lenet5", "LeNet5", {}),
    "alexnet": Written("alexnet", "AlexNet", {}),
    "vgg11": Written("vgg", "VGG", {"depths": (1, 1, 2, 2, 2)}),
    "vgg16": Written("vgg", "VGG", {"depths": (2, 2, 3, 3, 3)}),
    "googlenet": Written("googlenet", "GoogLeNet", {}),
    "resnet18": Written("resnet", "ResNet", {"block": "basic", "depths": (2, 2, 2, 2)}),
    "resnet50": Written("resnet", "ResNet", {"block": "bottleneck", "depths": (3, 4, 6, 3)}),
    "mobilenet_v2": Written("mobilenet_v2", "MobileNetV2", {}),
    "resnext50_32x4d": Written(
        "resnet", "ResNet", {"block": "bottleneck", "depths": (3, 4, 6, 3), "groups": 32, "base_width": 4}
    ),
    "fcn8s": Written("fcn8s", "FCN8s", {}),
    "segnet_basic": Written("segnet_basic", "SegNetBasic", {}),
}
"""The networks by the names that the zoo gives them."""


def make(name: str, size: tuple[int, int], rngs: nnx.Rngs) -> nnx.Module:
    """A network for images of a height and width, as for training. It takes (batch, height, width, channels).

    Raises `KeyError` where none is written, and `ValueError` where it is for images of another size.
    """
    written = NETWORKS[name]
    made = getattr(import_module(f"archspec.by_hand.{written.module}"), written.name)
    network: nnx.Module = made(size, rngs=rngs, **written.settings)
    return network
