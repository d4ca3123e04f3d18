"""How much each number of an input has to do with a score of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import count
from archspec.inspecting.subject import Subject
from archspec.inspecting.target import Target

Named = dict[str, np.ndarray]
"""Arrays by the names of the network's inputs, with the batch first."""

STEPS, MOST_STEPS = 50, 800
"""Points of integrated gradients, and how many are taken where fewer leave a gap."""

GAP = 0.01
"""Of the difference of scores: what the sum of integrated gradients may lack."""


class Integrated(NamedTuple):
    """Integrated gradients by input, and how well they add up.

    `difference` is F(x) − F(baseline), `total` the sum of all attributions, each (N,); `steps` the points taken.
    """

    inputs: Named
    difference: np.ndarray
    total: np.ndarray
    steps: int

    @property
    def gap(self) -> np.ndarray:
        """|total − difference| as a share of |difference|, (N,); completeness is that it is 0."""
        return np.asarray(np.abs(self.total - self.difference) / np.maximum(np.abs(self.difference), 1e-12))


def gradient(subject: Subject, x: Mapping[str, jax.Array], target: Target) -> Named:
    """∂F/∂x by input, in the units of the network's input. Its absolute value is the saliency map of Simonyan,
    Vedaldi and Zisserman 2014 ("Deep inside convolutional networks", section 3)."""
    return _plain(subject.pulled(x, target.asked).inputs)


def guided(subject: Subject, x: Mapping[str, jax.Array], target: Target) -> Named:
    """As `gradient`, with guided backpropagation: see `Subject.pulled`."""
    return _plain(subject.pulled(x, target.asked, guided=True).inputs)


def smooth(subject: Subject, x: Mapping[str, jax.Array], target: Target, noise: Mapping[str, np.ndarray]) -> Named:
    """The mean of `gradient` over x + noise (Smilkov et al. 2017, "SmoothGrad", equation 2): of signed gradients.

    `noise` has by input an array (n, …) of what is added to every sample.
    """
    count = len(next(iter(noise.values())))
    sums: Named = {name: np.zeros(array.shape, np.float64) for name, array in x.items()}
    for place in range(count):
        moved = {name: array + noise[name][place] if name in noise else array for name, array in x.items()}
        for name, own in gradient(subject, moved, target).items():
            sums[name] += own
    return {name: (own / count).astype(np.float32) for name, own in sums.items()}


def integrated(
    subject: Subject,
    x: Mapping[str, jax.Array],
    target: Target,
    baseline: Mapping[str, np.ndarray] | None = None,
    steps: int | None = None,
    most: int = MOST_STEPS,
) -> Integrated:
    """(x − x′)·∫ ∂F/∂x(x′ + α(x − x′)) dα over α from 0 to 1 (Sundararajan, Taly and Yan 2017, "Axiomatic attribution",
    equation 1), by Gauss and Legendre's rule.

    The baseline x′ is 0, of a normalised input the mean, unless another is given. Without `steps`, their number is
    doubled until the sum is within 1 % of F(x) − F(x′), or twice as many would be above `most`.
    """
    begin = {
        name: np.zeros(array.shape[1:], np.float32) if baseline is None else baseline[name] for name, array in x.items()
    }
    ends = {name: np.asarray(array, np.float32) - begin[name] for name, array in x.items()}

    def score(at: Mapping[str, np.ndarray]) -> np.ndarray:
        return target.score(subject.values({name: jnp.asarray(own) for name, own in at.items()}, target.paths))

    still = {name: np.broadcast_to(begin[name], own.shape) for name, own in ends.items()}
    difference = score({name: begin[name] + own for name, own in ends.items()}) - score(still)
    taken = steps or STEPS
    while True:
        found = _integral(subject, target, begin, ends, taken)
        total = np.sum([own.astype(np.float64).reshape(len(own), -1).sum(1) for own in found.values()], 0)
        made = Integrated({name: own.astype(np.float32) for name, own in found.items()}, difference, total, taken)
        if steps is not None or 2 * taken > most or bool((made.gap <= GAP).all()):
            return made
        taken *= 2


def _integral(subject: Subject, target: Target, begin: Named, ends: Named, steps: int) -> Named:
    points, weights = np.polynomial.legendre.leggauss(steps)
    sums = {name: np.zeros(own.shape, np.float64) for name, own in ends.items()}
    for point, weight in zip((1 + points) / 2, weights / 2, strict=True):
        at = {name: jnp.asarray((begin[name] + point * own).astype(np.float32)) for name, own in ends.items()}
        for name, own in gradient(subject, at, target).items():
            sums[name] += weight * own
    return {name: own * ends[name] for name, own in sums.items()}


def occlusion(
    subject: Subject,
    x: Mapping[str, jax.Array],
    target: Target,
    name: str,
    window: tuple[int, ...],
    stride: tuple[int, ...],
    baseline: float | np.ndarray = 0.0,
    said: Callable[[int, int], None] = lambda done, whole: None,
) -> np.ndarray:
    """F(x) − F(x with a window at the baseline), (N, *spatial), the mean over the windows that cover a place (Zeiler
    and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2).

    Windows of input `name` begin at multiples of the stride and cover all channels; the last are cut off at the border.
    """
    whole = np.asarray(x[name], np.float32)
    spatial = whole.shape[1:-1]
    if len(window) != len(spatial) or len(stride) != len(spatial):
        raise ValueError(
            f"`{name}` has {count(len(spatial), 'axis')} for a window: it cannot be {window} by steps of {stride}"
        )
    if any(step > size for step, size in zip(stride, window, strict=True)):
        raise ValueError(f"steps of {stride} leave out places between windows of {window}")
    counts = [max(-(-(size - own) // step), 0) + 1 for size, own, step in zip(spatial, window, stride, strict=True)]
    sums, covered = np.zeros((len(whole), *spatial)), np.zeros(spatial)
    usual = target.score(subject.values(x, target.paths))
    places = list(np.ndindex(*counts))
    for done, place in enumerate(places):
        at = tuple(slice(k * step, k * step + size) for k, step, size in zip(place, stride, window, strict=True))
        hidden = whole.copy()
        hidden[(slice(None), *at)] = baseline
        values = subject.values({**x, name: jnp.asarray(hidden)}, target.paths)
        sums[(slice(None), *at)] += (usual - target.score(values)).reshape(-1, *[1] * len(spatial))
        covered[at] += 1
        said(done + 1, len(places))
    return (sums / covered).astype(np.float32)


def ablation(
    subject: Subject, x: Mapping[str, jax.Array], target: Target, name: str, baseline: float = 0.0
) -> np.ndarray:
    """F(x) − F(x with one number at the baseline), (N, F), of an input that is a vector: occlusion without places."""
    whole = np.asarray(x[name], np.float32)
    usual = target.score(subject.values(x, target.paths))
    found = np.zeros(whole.shape, np.float32)
    for place in range(whole.shape[1]):
        hidden = whole.copy()
        hidden[:, place] = baseline
        found[:, place] = usual - target.score(subject.values({**x, name: jnp.asarray(hidden)}, target.paths))
    return found


def _plain(arrays: Mapping[str, jax.Array]) -> Named:
    return {name: np.asarray(array) for name, array in arrays.items()}
