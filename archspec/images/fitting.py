"""The one rule by which images get another size: arrays and files, labels of pixels, and masks on their way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from archspec.diagnostics import DataError
from archspec.images.preparation import Preparation

if TYPE_CHECKING:
    from PIL import Image

    from archspec.spec.network import ImageInput

MAX_PIXELS = 2**27
"""So many pixels an image may have once it is scaled, before its middle is cut out."""

Size = tuple[int, int]
"""Height and width."""


class Scaled(NamedTuple):
    """The whole image, or the part of it in a box (left, top, right, bottom), scaled to a size."""

    size: Size
    interpolation: str
    box: tuple[float, float, float, float] | None = None


class Cut(NamedTuple):
    """A part of a size is kept, whose corner lies at (row, column)."""

    corner: Size
    size: Size


class Bordered(NamedTuple):
    """The image lies at a corner (row, column) of a larger one."""

    corner: Size
    size: Size


FitStep = Scaled | Cut | Bordered


class Plan(NamedTuple):
    """The steps from an image's own size to another one. `guessed` says that the rule has no answer for this size."""

    size: Size
    steps: tuple[FitStep, ...]
    guessed: bool = False


def prepared(size: Size, preparation: Preparation) -> tuple[FitStep, ...]:
    """The steps of a dataset's own preparation, for an image of this height and width."""
    if preparation.size is None or preparation.size == size:
        return ()
    if preparation.how == "stretch":
        return (Scaled(preparation.size, "bilinear"),)
    # The part of the image that has the wanted shape, in the middle.
    (height, width), (wanted_height, wanted_width) = size, preparation.size
    part = (
        (width * wanted_height / wanted_width, width)
        if width * wanted_height <= height * wanted_width
        else (height, height * wanted_width / wanted_height)
    )
    left, top = (width - part[1]) / 2, (height - part[0]) / 2
    box = (left, top, min(left + part[1], width), min(top + part[0], height))
    return (Scaled(preparation.size, "bilinear", box),)


def prepare(pixels: np.ndarray, preparation: Preparation) -> np.ndarray:
    """An image (H, W, C) as a dataset prepares it."""
    size = (pixels.shape[0], pixels.shape[1])
    (made,) = fitted_images(pixels[None], Plan(size, prepared(size, preparation)))
    return np.asarray(made)


def plan(size: Size, input: ImageInput, preparation: Preparation | None = None) -> Plan:
    """How an image of a height and width becomes one of the input's: first as the dataset says, then by `input.fit`.

    `exact`: as it is; `pad`: in the middle of a border; `resize`: both sides are scaled; `crop`: scaled until the
    shorter side is `short_side`, or where that is left out until the image just fills the input, and the middle is
    kept. Where `exact` and `pad` have no answer (another size, a larger image) both sides are scaled, and `guessed` is
    set. Raises `DataError` where an image would become too large on its way.
    """
    steps = prepared(size, preparation or Preparation())
    have = preparation.size if steps and preparation and preparation.size else size
    want = (input.height, input.width)
    fit, guessed = input.fit, False
    if fit == "crop":
        scaled = _covering(have, want, input.short_side)
        if scaled[0] * scaled[1] > MAX_PIXELS:
            sizes = ["×".join(map(str, extent)) for extent in (have, scaled)]
            raise DataError(
                "E521",
                f"an image of {sizes[0]} would become one of {sizes[1]} before its middle is cut out, which is more "
                f"than {MAX_PIXELS:,} pixels",
                help=["cut out what matters, or `input.fit: resize`"],
            )
        if scaled != have:
            steps = (*steps, Scaled(scaled, input.interpolation))
        if scaled != want:
            # Halves are rounded to even, as torchvision does.
            corner = (round((scaled[0] - want[0]) / 2), round((scaled[1] - want[1]) / 2))
            steps = (*steps, Cut(corner, want))
    elif have != want and fit == "pad" and have[0] <= want[0] and have[1] <= want[1]:
        steps = (*steps, Bordered(((want[0] - have[0]) // 2, (want[1] - have[1]) // 2), want))
    elif have != want:
        steps, guessed = (*steps, Scaled(want, input.interpolation)), fit != "resize"
    return Plan(size, steps, guessed)


def _covering(have: Size, want: Size, short_side: int | None) -> Size:
    """The size that an image is scaled to before its middle is kept, sides in proportion, rounded down."""
    if short_side is not None:
        short = min(have)
        return (
            short_side if have[0] == short else short_side * have[0] // short,
            short_side if have[1] == short else short_side * have[1] // short,
        )
    if want[0] * have[1] >= want[1] * have[0]:
        return (want[0], have[1] * want[0] // have[0])
    return (have[0] * want[1] // have[1], want[1])


def fitted_images(images: np.ndarray, plan: Plan, low: float = 0) -> np.ndarray:
    """Images (N, H, W, C) after the steps, in their own type; a border is `low`."""
    for step in plan.steps:
        if isinstance(step, Scaled):
            images = np.stack([scale(image, step) for image in images])
        elif isinstance(step, Cut):
            images = images[_part(step)]
        else:
            images = np.pad(images, [(0, 0), *_sides(step, images.shape[1:3]), (0, 0)], constant_values=low)
    return images


def fitted_labels(labels: np.ndarray, plan: Plan) -> np.ndarray:
    """Targets of pixels (N, H, W) or (N, H, W, C) after the steps: of the nearest pixel; −1, or NaN, on a border."""
    fill = np.nan if labels.dtype.kind == "f" else -1
    for step in plan.steps:
        if isinstance(step, Scaled):
            labels = nearest(labels, step.size, step.box)
        elif isinstance(step, Cut):
            labels = labels[_part(step)]
        else:
            border = [(0, 0), *_sides(step, labels.shape[1:3]), *[(0, 0)] * (labels.ndim - 3)]
            labels = np.pad(labels, border, constant_values=fill)
    return labels


def unfitted_labels(labels: np.ndarray, plan: Plan) -> np.ndarray:
    """Labels of the input's pixels (H, W) as the image itself lay: a border goes, what was scaled is scaled back.

    What was cut off stays away: then the labels are those of the part that was kept, as far as it was scaled.
    """
    sizes = [plan.size]
    for step in plan.steps:
        sizes.append(step.size)
    for step, before in zip(reversed(plan.steps), reversed(sizes[:-1]), strict=True):
        if isinstance(step, Cut) or (isinstance(step, Scaled) and step.box is not None):
            return labels
        if isinstance(step, Scaled):
            labels = nearest(labels[None], before)[0]
        else:
            (top, left), (height, width) = step.corner, before
            labels = labels[top : top + height, left : left + width]
    return labels


def own_part(plan: Plan) -> tuple[slice, slice]:
    """The rows and columns of the fitted image that lie within the image itself, and not on a border."""
    size = plan.size
    for step in plan.steps:
        if isinstance(step, Bordered):  # always the last
            (top, left), (height, width) = step.corner, size
            return slice(top, top + height), slice(left, left + width)
        size = step.size
    return slice(0, size[0]), slice(0, size[1])


def nearest(labels: np.ndarray, size: Size, box: tuple[float, float, float, float] | None = None) -> np.ndarray:
    """Labels (N, H, W) at another height and width: each is that of the pixel about its middle."""
    height, width = labels.shape[1:3]
    if box is None:
        rows, columns = (
            (2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, (height, width), strict=True)
        )
    else:
        left, top, right, bottom = box
        rows, columns = (
            np.clip((low + (np.arange(new) + 0.5) * (high - low) / new).astype(int), 0, old - 1)
            for new, old, low, high in ((size[0], height, top, bottom), (size[1], width, left, right))
        )
    return labels[:, rows][:, :, columns]


def scale(pixels: np.ndarray, step: Scaled) -> np.ndarray:
    """Pixels (H, W, C) at another size by Pillow, antialiased where they shrink; channels do not mix.

    Bytes are rounded and stay between 0 and 255; floating-point numbers stay what comes.
    """
    from PIL import Image

    if pixels.shape[:2] == step.size and step.box is None:
        return pixels
    way = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[step.interpolation]

    def change(image: Image.Image) -> Image.Image:
        return image.resize((step.size[1], step.size[0]), way, box=step.box)

    return _changed(pixels, change)


def _changed(pixels: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    from PIL import Image

    if pixels.shape[-1] == 3 and pixels.dtype == np.uint8:
        return np.asarray(change(Image.fromarray(pixels)))
    # One by one: Pillow has no pixels of two bytes, and would weigh colours by a fourth channel.
    planes = [
        np.asarray(change(Image.fromarray(np.ascontiguousarray(pixels[..., c])))) for c in range(pixels.shape[-1])
    ]
    return np.stack(planes, axis=-1)


def _part(step: Cut) -> tuple[slice, slice, slice]:
    (top, left), (height, width) = step.corner, step.size
    return np.s_[:, top : top + height, left : left + width]


def _sides(step: Bordered, have: Sequence[int]) -> list[tuple[int, int]]:
    return [(before, whole - before - own) for before, whole, own in zip(step.corner, step.size, have, strict=True)]
