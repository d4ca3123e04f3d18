"""Records what torchvision makes of an image, for the tests: `python -m tests.augmentations.record_torchvision`.

Needs PyTorch and torchvision; made with torchvision 0.28 and PyTorch 2.13. Images are 3×H×W, and are recorded as H×W×3.
"""

from __future__ import annotations

import numpy as np
import torch
from torchvision.transforms import RandomResizedCrop, autoaugment
from torchvision.transforms import functional as F  # noqa: N812
from torchvision.transforms.functional import InterpolationMode

from tests.augmentations.record import (
    AFFINE,
    BOXES,
    DRAWN,
    FACTORS,
    FILE,
    HEIGHT,
    LEVELS,
    RATIO,
    SCALE,
    SIZE,
    WIDTH,
)


def main() -> None:
    generator = np.random.default_rng(3)
    coarse = torch.tensor(generator.random((1, 3, 4, 5)))
    smooth = torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic")[0].clamp(0, 1)
    image = (255 * smooth).round().to(torch.uint8)
    x = image.double() / 255
    found: dict[str, np.ndarray] = {}

    def keep(name: str, value: torch.Tensor) -> None:
        made = value.double() / 255 if value.dtype == torch.uint8 else value.double()
        found[name] = made.permute(1, 2, 0).numpy().astype(np.float32)

    found["image"] = image.permute(1, 2, 0).numpy()
    for index, (angle, translate, scale, shear) in enumerate(AFFINE):
        for mode in ("nearest", "bilinear"):
            made = F.affine(x, angle, list(translate), scale, list(shear), InterpolationMode(mode))
            keep(f"affine {index} {mode}", made)
    keep("rotation", F.rotate(x, 25.0, InterpolationMode.BILINEAR))
    for index, box in enumerate(BOXES):
        keep(f"box {index}", F.resized_crop(x, *box, [HEIGHT, WIDTH], InterpolationMode.BILINEAR, antialias=True))
        top, left, height, width = box
        cut = image[:, top : top + height, left : left + width].double()[None]
        keep(f"labels {index}", torch.nn.functional.interpolate(cut, (HEIGHT, WIDTH), mode="nearest-exact")[0])
    for factor in FACTORS:
        keep(f"brightness {factor}", F.adjust_brightness(x, factor))
        keep(f"contrast {factor}", F.adjust_contrast(x, factor))
        keep(f"saturation {factor}", F.adjust_saturation(x, factor))
        keep(f"sharpness {factor}", F.adjust_sharpness(x, factor))
        keep(f"hue {factor}", F.adjust_hue(x, (factor - 1) / 2))
    keep("grey", F.rgb_to_grayscale(x, 3))
    keep("blurred", F.gaussian_blur(x, [5, 5], [1.3, 1.3]))
    keep("posterised", F.posterize(image, 3))
    keep("solarised", F.solarize(image, 100))
    keep("autocontrast", F.autocontrast(x))
    keep("equalised", F.equalize(image))
    rand, trivial = autoaugment.RandAugment(), autoaugment.TrivialAugmentWide()
    spaces = {"rand": rand._augmentation_space(31, (HEIGHT, WIDTH)), "trivial": trivial._augmentation_space(31)}
    for policy, space in spaces.items():
        for place, (name, (magnitudes, signed)) in enumerate(space.items()):
            for sign in (1, -1) if signed else (1,):
                own = float(magnitudes[13]) if magnitudes.ndim else 0.0
                made = autoaugment._apply_op(image, name, sign * own, InterpolationMode.NEAREST, None)
                keep(f"{policy} {place} {sign}", made)
    torch.manual_seed(0)
    blank = torch.zeros(3, *SIZE)
    boxes = np.array([RandomResizedCrop.get_params(blank, list(SCALE), list(RATIO)) for _ in range(DRAWN)])
    found["quantiles"] = np.quantile(boxes, LEVELS, axis=0).astype(np.float32)
    np.savez_compressed(FILE, **found)


if __name__ == "__main__":
    main()
