"""What speaks for the explained score: attributions, Grad-CAM, and what layers give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from archspec.diagnostics import count, listed
from archspec.explaining.asking import layers_of
from archspec.explaining.explanation import Attribution, CamMap, Sample
from archspec.explaining.question import BUDGET, Question
from archspec.figures.receptive_field import with_places
from archspec.images.numbers import reordered
from archspec.inspecting import attributions
from archspec.inspecting.cam import cam, default_node
from archspec.inspecting.subject import RECTIFIER
from archspec.inspecting.target import Target
from archspec.spec.network import ImageInput

NOISY = 25
"""Copies of SmoothGrad."""
NOISE = 0.15
"""Their noise's standard deviation, as a share of the range of pixels (Smilkov et al. 2017, section 3)."""
WINDOWS = 14
"""Windows of occlusion along an axis, about; each is twice as wide as the step to the next."""
KEPT_BYTES = 2**29
"""Bytes of activations that are kept of all samples together, at most."""
BEND = {"relu6", "leaky_relu", "prelu", "elu", "gelu", "silu", "mish", "hard_swish", "softplus"}
"""Kinds that rectify otherwise than by a cut at 0."""


def attributions_of(question: Question, method: str, x: Mapping[str, jax.Array], target: Target) -> list[Attribution]:
    """An attribution of each sample; none where the method is no attribution."""
    count_ = len(next(iter(x.values())))
    said = [""] * count_
    numbers: list[dict[str, float]] = [{} for _ in range(count_)]
    if method == "saliency":
        found = {name: np.abs(own) for name, own in attributions.gradient(question.subject, x, target).items()}
    elif method == "smoothgrad":
        found = attributions.smooth(question.subject, x, target, _noise(question, x))
        of = "pixels' range" if question.image else "numbers' range in the sample"
        said = [f"mean of {NOISY} signed gradients, noise {NOISE:g} of the {of}, seed {question.asked.seed}"] * count_
    elif method == "integrated_gradients":
        cheap = max(BUDGET // (3 * question.macs * count_), attributions.STEPS)
        done = attributions.integrated(
            question.subject, x, target, most=min(attributions.MOST_STEPS, max(cheap, attributions.STEPS))
        )
        found = done.inputs
        for place in range(count_):
            change, gap = float(done.difference[place]), float(done.gap[place])
            if gap > attributions.GAP:
                question.notes.append(
                    f"integrated gradients are off by {100 * gap:.2g} % of F(x) − F(baseline) after {done.steps} "
                    "steps: a score that jumps, as behind max_unpool, or is near the baseline's, does not add up"
                )
            # Of several inputs the sum is of all, while a picture shows one.
            parts = {name: float(array[place].sum(dtype=np.float64)) for name, array in done.inputs.items()}
            whose = f" ({', '.join(f'{name} {own:.4g}' for name, own in parts.items())})" if len(parts) > 1 else ""
            near = abs(change) < 1e-3 * max(abs(float(done.total[place])), 1e-6)
            said[place] = (
                f"baseline 0 after normalisation; {done.steps} steps; sum {done.total[place]:.4g}{whose}, "
                f"F(x) − F(baseline) {change:.4g}, gap {100 * gap:.2g} %" + (", of a difference near 0" * near)
            )
            numbers[place] = {
                "steps": done.steps,
                "sum": float(done.total[place]),
                "difference": change,
                "gap": gap,
            }
    elif method == "guided_backprop":
        found = attributions.guided(question.subject, x, target)
    elif method == "occlusion":
        return _occlusion(question, x, target)
    else:
        return []
    found = {name: reordered(own, question.sections[name]) for name, own in found.items()}
    return [
        Attribution(method, {name: own[place] for name, own in found.items()}, said[place], numbers[place])
        for place in range(count_)
    ]


def _noise(question: Question, x: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
    """Noise in normalised units: of images in shares of the pixels' range, of other inputs of the sample's own."""
    rng = np.random.default_rng(question.asked.seed)
    noise = {}
    for name, section in question.sections.items():
        array = np.asarray(x[name])
        drawn = rng.standard_normal(
            (NOISY, *([1] if isinstance(section, ImageInput) else [len(array)]), *array.shape[1:])
        )
        if isinstance(section, ImageInput):
            low, high = section.range
            std = np.ones(1) if section.std is None else np.asarray(section.std)
            spread: Any = NOISE * (high - low) / std
        else:
            axes = tuple(range(1, array.ndim))
            spread = NOISE * (array.max(axes, keepdims=True) - array.min(axes, keepdims=True))
        noise[name] = (drawn * spread).astype(np.float32)
    return noise


def _occlusion(question: Question, x: Mapping[str, jax.Array], target: Target) -> list[Attribution]:
    spatial = question.sections[question.input].type.spatial
    if not spatial:
        found = attributions.ablation(question.subject, x, target, question.input)
        said = "each number at 0 after normalisation, one by one"
    else:
        stride = tuple(max(1, -(-size // WINDOWS)) for size in spatial)
        window = tuple(min(2 * step, size) for step, size in zip(stride, spatial, strict=True))
        found = attributions.occlusion(question.subject, x, target, question.input, window, stride)
        steps = "×".join(map(str, stride)) + (" pixels" if question.image else " positions")
        said = (
            f"windows of {'×'.join(map(str, window))}, 0 after normalisation, by steps of {steps}; the mean of "
            "those that cover a place"
        )
    return [Attribution("occlusion", {question.input: own}, said) for own in found]


def say_bends(question: Question) -> None:
    """A note of kinds that guided backpropagation leaves as they are."""
    others = sorted({node.kind for node in question.graph.nodes if node.kind in BEND})
    if others:
        question.notes.append(
            f"guided_backprop cuts behind `{RECTIFIER}` alone; {listed(others)} pass gradients on as they are"
        )


def add_cam(question: Question, x: Mapping[str, jax.Array], target: Target, samples: Sequence[Sample]) -> None:
    """Grad-CAM of each sample, of the layer that was asked for or the last with places."""
    path = _cam_layer(question)
    found = cam(question.subject, x, target, path)
    for place, sample in enumerate(samples):
        sample.cam = CamMap(found.path, found.map[place], int(found.speaking[place].argmax()))
        if not found.map[place].any():
            question.notes.append(f"{sample.name}: nothing in {found.path} speaks for {sample.explained.name}")


def _cam_layer(question: Question) -> str:
    maps = {node.path for node in question.graph.nodes if not node.output.is_vector}
    asked = [path for path in layers_of(question.graph, question.asked.layers) if path in maps]
    if question.asked.layers and not asked:
        question.notes.append(f"Grad-CAM takes a layer that gives a map: {listed(question.asked.layers)} gives none")
    if asked:
        return asked[-1]
    placed = [node for node, _ in with_places(question.graph) if not node.output.is_vector]
    # Of a map of classes the scores themselves would be shown: a layer before them says more.
    before = [node.path for node in placed if question.graph.nodes.index(node) < question.scores.node]
    if question.graph.nodes[question.scores.node].output.spatial and before:
        return before[-1]
    return default_node(question.graph)


def add_activations(question: Question, x: Mapping[str, jax.Array], samples: Sequence[Sample], many: int) -> None:
    """What layers give for each sample, of `many` samples altogether, as far as it can be kept."""
    every = [node.path for node in question.graph.nodes]
    wanted = every if question.asked.page else layers_of(question.graph, question.asked.layers) or every
    sizes = {node.path: 4 * node.output.size * many for node in question.graph.nodes}
    kept, held = [], 0
    for path in wanted:
        if held + sizes[path] <= KEPT_BYTES:
            kept.append(path)
            held += sizes[path]
    if len(kept) < len(wanted):
        left = count(len(wanted) - len(kept), "layer")
        question.notes.append(
            f"activations of {left} of {len(wanted)} are not kept: all would take more than "
            f"{KEPT_BYTES >> 20} MiB; --layer names those that are wanted"
        )
    values = question.subject.values(x, kept)
    for path in kept:
        for own, sample in zip(np.asarray(values[path]), samples, strict=True):
            sample.activations[path] = own
