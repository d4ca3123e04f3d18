"""Which network, input size and length suit data; all of it can be answered otherwise."""

from __future__ import annotations

from archspec.diagnostics import count
from archspec.starting.subject import Subject

SMALL = "small"
"""The answer for a network of a few layers that stand in the spec."""
TINY, LITTLE = 48, 112
"""Images whose shorter side is smaller than these are tiny, or little: networks of ImageNet are of no use for them."""
ENOUGH, MANY = 2_000, 20_000
"""So many images make a deeper network worth its while."""
STEPS, BATCH, MAPS = 3_000, 32, 8
"""Steps of a training, about; samples a step; and of those with maps, which need more memory."""
LARGEST = {"classification": 128, "multi_label": 128, "regression": 128, "segmentation": 256}
"""The longer side that a small network's input has at most, unless it is asked for more."""


def network_for(subject: Subject) -> tuple[str, str]:
    """A network for the data, and why."""
    look, number = subject.look, len(subject.found.data.train)
    images = f"{count(number, 'image')} to train on"
    if look.form != "image":
        return SMALL, "the zoo's networks are of images"
    assert look.sizes is not None
    side = min(look.sizes.median)
    if subject.task == "segmentation":
        if number >= ENOUGH:
            return "unet_padded", f"{images}: that is enough for a whole U-Net"
        return SMALL, f"{images}: that is few, and a small U-Net of a few channels learns from few"
    if side < TINY:
        if number >= ENOUGH and side >= 28 and not look.grey:
            return "resnet20", f"made for images as small as these, of which there are {images}"
        return SMALL, f"images of {count(side, 'pixel')} need no large network"
    if side < LITTLE or number < ENOUGH:
        why = f"{images}: that is few" if number < ENOUGH else f"images of {count(side, 'pixel')} are little"
        return SMALL, f"{why}; with a file of weights, resnet18 and its like learn from few"
    if number < MANY:
        return "resnet18", f"{images}, of {count(side, 'pixel')}: that is enough for it"
    return "resnet50", f"{images}, of {count(side, 'pixel')}: that is enough for it"


def size_for(subject: Subject, own: tuple[int, ...] | None, multiple: int) -> tuple[int, ...] | None:
    """Height and width that the network takes: its own, or the data's where `own` is None. None where samples are no
    images, whose shape nothing can change. `multiple` is what sizes are divisible by."""
    sizes = subject.look.sizes
    if sizes is None:
        return None
    height, width = sizes.median
    if own is not None:
        # A network's own size, unless the images are much smaller than that.
        return (
            own if 2 * min(height, width) >= min(own) else tuple(_multiple(side, 32) for side in _square(height, width))
        )
    most = LARGEST[subject.task]
    if subject.task == "segmentation":
        shrink = min(1.0, most / max(height, width))
        return _multiple(height * shrink, multiple), _multiple(width * shrink, multiple)
    if sizes.same and max(height, width) <= most:
        return height, width
    return _square(*(min(side, most) for side in (height, width)))


def _square(height: int, width: int) -> tuple[int, int]:
    """The square that an image has room for, in whole tens of pixels where it is that large."""
    side = min(height, width)
    return (side, side) if side < 32 else (side // 16 * 16, side // 16 * 16)


def _multiple(side: float, of: int) -> int:
    return max(of, round(side / of) * of)


def batch_for(subject: Subject) -> int:
    """Samples a step, of few data fewer, so that an epoch has steps."""
    number = len(subject.found.data.train)
    batch = MAPS if subject.task == "segmentation" else BATCH
    while batch > 1 and number < 8 * batch:
        batch //= 2
    return batch


def epochs_for(subject: Subject, tuned: bool) -> int:
    """About three thousand steps, 5 to 50 epochs; a third of that where weights are there to begin with."""
    number = len(subject.found.data.train)
    steps = max(1, number // batch_for(subject))
    epochs = (STEPS // 3 if tuned else STEPS) // steps
    return min(max(epochs, 5), 20 if tuned else 50)
