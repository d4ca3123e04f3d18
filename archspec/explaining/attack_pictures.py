"""The picture of an attack: the image, the difference, the adversarial image, and what the network says of both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archspec.drawing.palette import INK
from archspec.explaining.explanation import TITLES, Answered, Attacked, Explanation, Sample
from archspec.explaining.panels import about, classes_by_number, draw_bars, labels_said, rated_said
from archspec.explaining.sheet import BLUE, MARGIN, ORANGE, WIDTH, Sheet, bare, caption, draw_pixels, fit_within
from archspec.images.masks import palette

BARS = 5
"""Classes with a bar."""


def attack_picture(made: Explanation, sample: Sample, attack: Attacked) -> bytes:
    assert sample.pixels is not None
    how = "one step" if attack.steps == 1 else f"{attack.steps} steps of {attack.rate:.4g}"
    what = TITLES[attack.method]
    before, after = (_best(own) for own in (attack.before, attack.after))
    title = f"{what} with ε = {attack.epsilon:g}: {before} → {after}"
    foot = f"{attack.said}: {how}, no pixel further than ε = {attack.epsilon:g} of its range; rounded to bytes"
    side = (WIDTH - 2 * MARGIN - 2 * 0.5) / 3
    wide, high = fit_within(sample.pixels.shape, side, 2.7)
    below = 0.0 if not attack.before.rated else 1.75 if attack.before.mask is None else high + 0.45
    body = 0.3 + high + below
    sheet = Sheet(title, about(made, sample), foot, body)
    difference = attack.pixels.astype(np.float64) - sample.pixels
    largest = np.abs(difference).max()
    amplified = 0.5 + difference / (2 * (largest or 1))
    parts = (
        ("the image", sample.pixels),
        (f"the difference, ×{255 / (2 * largest):.3g}" if largest else "no difference", amplified),
        ("the adversarial image", attack.pixels),
    )
    x0 = [MARGIN + place * (side + 0.5) + (side - wide) / 2 for place in range(3)]
    for x, (name, pixels) in zip(x0, parts, strict=True):
        axes = sheet.axes(x, 0.3, wide, high)
        draw_pixels(axes, pixels)
        caption(axes, name)
    for place, sign in ((0, "+"), (1, "=")):
        middle = (x0[place] + wide + x0[place + 1]) / 2
        sheet.text(middle, sheet.top + 0.3 + high / 2, sign, 22, INK, ha="center", va="center")
    if attack.before.mask is not None and attack.before.mask.ndim == 2:
        _masks(sheet, attack, x0, wide, high)
    elif attack.before.rated:
        names = list(dict.fromkeys(name for own in (attack.before, attack.after) for name, _ in own.rated[:3]))[:BARS]
        y, tall = 0.3 + high + 0.2, min(0.3 * len(names) + 0.1, 1.65)
        for x, own, colour in ((x0[0], attack.before, BLUE), (x0[2], attack.after, ORANGE)):
            axes = sheet.axes(max(x, MARGIN + 1.0), y, side - 1.2, tall)
            draw_bars(axes, own, names, colour, (attack.before, attack.after))
    return sheet.png()


def _masks(sheet: Sheet, attack: Attacked, x0: Sequence[float], wide: float, high: float) -> None:
    """The predicted classes before and after, with one legend between them."""
    assert attack.before.value is not None
    colours = palette(attack.before.value.shape[-1])
    y = 0.3 + high + 0.4
    for x, own, words in ((x0[0], attack.before, "predicted"), (x0[2], attack.after, "predicted of it")):
        assert own.mask is not None
        axes = sheet.axes(x, y, *fit_within(own.mask.shape, wide, high))
        axes.imshow(colours[own.mask], interpolation="nearest")
        bare(axes)
        caption(axes, words)
    shares = [dict(own.rated) for own in (attack.before, attack.after)]
    names = sorted(set(shares[0]) | set(shares[1]), key=lambda name: -max(own.get(name, 0) for own in shares))
    numbers = {name: number for own in (attack.before, attack.after) for name, number in classes_by_number(own)}
    keys = [
        (colours[numbers[name]], f"{name[:14]}  " + " → ".join(f"{100 * own.get(name, 0):.1f} %" for own in shares))
        for name in names
    ]
    sheet.legend(x0[1], y, keys, max(1, int(high / 0.26) - 1))


def _best(answer: Answered) -> str:
    if not answer.rated:
        return answer.output
    name, number = answer.rated[0]
    if answer.kind == "numbers":
        return f"{name} {number:.4g}"
    if answer.kind == "mask":
        name, number = answer.rated[min(1, len(answer.rated) - 1)]
        return f"{name} {100 * number:.1f} %"
    return labels_said(answer) if answer.kind == "labels" else rated_said(name, number, answer)
