"""Small networks, layer by layer as text, with what each line does."""

from __future__ import annotations

import math

from archspec.starting.subject import Subject

LEAST = 4
"""The last map before the mean is no smaller than this."""
SCALES = 3
"""How often the small U-Net halves an image; its sides are divisible by 2 to the power of this."""
UNET = 16
"""Channels of its first scale."""


def small(subject: Subject, size: tuple[int, ...] | None) -> list[str]:
    """The sections `blocks` and `layers` of a network of a few layers for the data, and an input of this size."""
    if subject.look.form == "vector":
        return _dense(subject)
    if subject.task == "segmentation":
        return _unet() if subject.look.form == "image" else _along()
    sides = size if size is not None else subject.look.shape[:1]
    return _convolutional(subject, min(sides))


def head(subject: Subject) -> list[str]:
    """The last layers of a network that gives vectors."""
    if subject.task != "regression":
        return ["  - dense: $(classes) # a number for each class: the loss applies softmax or sigmoid itself"]
    mean, std = spread_of(subject)
    return [
        f"  - dense: {{units: {subject.outputs}, bias_init: {{constant: {mean / std:.4g}}}}}",
        f"  - scale: {std:.4g} # so that the numbers above are of the size of 1: the targets' spread",
    ]


def spread_of(subject: Subject) -> tuple[float, float]:
    """Mean and standard deviation of what is to be found, over all its numbers."""
    import numpy as np

    from archspec.data import as_array

    (values,) = subject.found.data.train.targets.values()
    numbers = as_array(values).astype(np.float64)
    std = float(np.nanstd(numbers))
    mean = float(np.nanmean(numbers))
    return mean, std if std > 0 else 1.0


def _convolutional(subject: Subject, side: int) -> list[str]:
    times = min(max(int(math.log2(max(side, 1) / LEAST)), 1), 5)
    first = 32 if times <= 3 else 16
    kernel = 3 if subject.look.form == "image" else 5
    lines = [
        "blocks:",
        f"  unit: # a convolution of {kernel}{f'×{kernel}' if kernel == 3 else ''}, then max pooling of "
        f"{'3×3' if kernel == 3 else '3'} with stride 2: half the size",
        "    args: {filters: int}",
        "    layers:",
        f"      - conv: {{filters: $(filters), kernel: {kernel}, pad: same, bias: false}}",
        "      - batch_norm",
        "      - relu",
        "      - max_pool: {window: 3, stride: 2, pad: 1}",
        "",
        "layers: # more units make it deeper, more filters wider",
    ]
    size = side
    for place in range(times):
        size = (size + 1) // 2
        lines.append(f"  - unit: {{filters: {first * 2**place}}}")
    lines += [
        "  - global_avg_pool # of each filter's map the mean, whatever its size",
        "  - dropout: 0.2 # against learning the samples by heart",
    ]
    return [*lines, *head(subject)]


def _dense(subject: Subject) -> list[str]:
    return [
        "layers: # more units make it wider, more pairs of dense and relu deeper",
        "  - dense: {units: 64, init: he_normal}",
        "  - relu",
        "  - dense: {units: 64, init: he_normal}",
        "  - relu",
        *head(subject),
    ]


def _unet() -> list[str]:
    widths = [UNET * 2**scale for scale in range(SCALES + 1)]
    lines = [
        "blocks:",
        "  twice: # two convolutions of 3×3",
        "    args: {filters: int}",
        "    layers:",
        "      - conv: {filters: $(filters), kernel: 3, pad: same, bias: false}",
        "      - batch_norm",
        "      - relu",
        "      - conv: {filters: $(filters), kernel: 3, pad: same, bias: false}",
        "      - batch_norm",
        "      - relu",
        "",
        "layers: # a small U-Net: down to an eighth of the size, and up again beside what was there on the way",
    ]
    for scale, width in enumerate(widths[:-1]):
        lines += [f"  - twice: {{name: down{scale}, filters: {width}}}", "  - max_pool: 2"]
    lines.append(f"  - twice: {{name: bottom, filters: {widths[-1]}}}")
    for scale in reversed(range(SCALES)):
        lines += [
            f"  - transposed_conv: {{filters: {widths[scale]}, kernel: 2, stride: 2}}",
            f"  - concat: {{from: [down{scale}, previous]}}",
            f"  - twice: {{name: up{scale}, filters: {widths[scale]}}}",
        ]
    lines.append("  - conv: {name: logits, filters: $(classes), kernel: 1} # at each pixel a number for each class")
    return lines


def _along() -> list[str]:
    lines = ["layers: # each convolution sees further along the signal"]
    for dilation in (1, 2, 4, 8):
        lines += [
            f"  - conv: {{filters: 32, kernel: 5, dilation: {dilation}, pad: same, bias: false}}",
            "  - batch_norm",
            "  - relu",
        ]
    lines.append("  - conv: {name: logits, filters: $(classes), kernel: 1} # at each position a number for each class")
    return lines
