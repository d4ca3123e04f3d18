"""Augmentation within a training step, and what is refused because of a network's outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.loading import load, open_spec
from archspec.training.feeding import Batch
from archspec.training.steps import make_steps

Write = Callable[..., Path]

SPEC = """
task: segmentation
input: {height: 6, width: 8, channels: 3, range: [-1, 3], mean: [0.5, 1, 1.5], std: [2, 1, 0.5]}
layers: [conv: {filters: 4, kernel: 1}]
train: {epochs: 2, augment: [{random_crop: 2}, {horizontal_flip: 0.5}]}
"""


def test_a_step_augments_by_epoch_before_mean_and_deviation(write: Write) -> None:
    """Bytes become 0 to 1, are changed, and then scaled; a border of the mean colour is 0, and no pixel else."""
    steps = make_steps(load(write(SPEC)), 3)
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), np.uint8)
    labels = np.arange(4 * 48, dtype=np.int32).reshape(4, 6, 8)
    batch = Batch({"input": jnp.asarray(images)}, {"label": jnp.asarray(labels)}, jnp.array([5, 0, 9, ~5]))
    state, prepare = steps.initial(None), jax.jit(steps.prepare)
    made = [prepare({**state, "step": jnp.asarray(step)}, batch) for step in (0, 2, 3)]
    x, found = np.asarray(made[0].inputs["input"]), np.asarray(made[0].targets["label"])
    normal = (images / np.float32(255) * 4 - 1 - np.array([0.5, 1, 1.5])) / np.array([2, 1, 0.5])
    inside = found >= 0
    assert np.allclose(x[inside], normal.reshape(-1, 3)[found[inside]], atol=1e-5)
    assert not inside.all() and np.abs(x[~inside]).max() < 1e-6
    assert np.array_equal(x, made[1].inputs["input"])  # of one epoch
    assert not np.allclose(x, made[2].inputs["input"])
    corners = [found[place].max() - 48 * place for place in (0, 3)]
    assert corners[0] == corners[1]  # what fills up is what it was


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("layers: [flatten, dense: 3]\ntrain: {loss: hinge, augment: mixup}", None),
        ("layers: [flatten, dense: 3]\ntrain: {loss: focal, augment: mixup}", None),
        ("layers: [flatten, dense: 3]\ntrain: {augment: [mixup, cutmix]}", ""),
        ("task: multi_label\nlayers: [flatten, dense: 3]\ntrain: {augment: cutmix}", ""),
        ("task: regression\nlayers: [flatten, dense: 3]\ntrain: {augment: mixup}", ""),
        ("task: regression\nlayers: [flatten, dense: 3]\ntrain: {augment: cutmix}", "tells numbers"),
        ("task: segmentation\nlayers: [conv: {filters: 3, kernel: 1}]\ntrain: {augment: cutmix}", ""),
        ("task: segmentation\nlayers: [conv: {filters: 3, kernel: 1}]\ntrain: {augment: mixup}", "have two labels"),
        ("task: reconstruction\nlayers: [conv: {filters: 1, kernel: 1}]\ntrain: {augment: [mixup, cutmix]}", ""),
    ],
)
def test_targets_that_cannot_be_mixed_are_refused(write: Write, spec: str, words: str | None) -> None:
    """Where the loss takes no shares (None: by what it says of itself), or targets are none of mixtures."""
    opened: Any = open_spec(str(write(f"input: {{height: 8, width: 8, channels: 1}}\n{spec}")))
    found = [item.message for item in opened.diagnostics if item.code == "E501"]
    if words is None:
        loss = opened.train.loss
        taken = "numbers" in loss.forms and loss.shares
        assert bool(found) is not taken
        assert all("does not take" in message for message in found)
    else:
        assert bool(found) is bool(words) and all(words in message for message in found)


def test_batches_of_one_sample_mix_nothing(write: Write) -> None:
    for size, augment, codes in ((1, "mixup", ["W308"]), (2, "mixup", []), (1, "horizontal_flip", [])):
        text = f"layers: [flatten, dense: 3]\ntrain: {{augment: {augment}, batch_size: {size}}}"
        opened = open_spec(str(write(f"input: {{height: 8, width: 8, channels: 1}}\n{text}")))
        assert [item.code for item in opened.diagnostics] == codes
