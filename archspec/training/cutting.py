"""Random resized crops of streamed images, cut out of the files' own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.augmentations.random_resized_crop import RandomResizedCrop
from archspec.data import Column, Cut, CutColumn, Data, Split, cuttable
from archspec.spec.network import ImageInput
from archspec.tasks import Head
from archspec.training.steps import maps_of

if TYPE_CHECKING:
    from archspec.loading import Spec


def cut_from_files(data: Data, spec: Spec, heads: Sequence[Head]) -> Data:
    """The data whose training images are boxes of their files' pixels, where `augment` begins so and they can be.

    That is so where a network takes one image, which is streamed from image files and of which no target is a map. The
    data are at the input's size.
    """
    recipe = spec.train
    chain = (recipe.augment if recipe else None) or ()
    images = {name: input for name, input in spec.inputs.items() if isinstance(input, ImageInput)}
    if recipe is None or not chain or not isinstance(chain[0], RandomResizedCrop) or len(images) != 1:
        return data
    ((name, input),) = images.items()
    column = data.train.inputs[name]
    if maps_of(heads, data.train.targets) or not cuttable(column, input.channels):
        return data
    assert isinstance(column, Column)
    cut = CutColumn(column, Cut(chain[0], recipe.seed, (input.height, input.width)))
    return replace(data, train=replace(data.train, inputs={**data.train.inputs, name: cut}))


def is_cut(split: Split) -> bool:
    """Whether samples come with the first of `augment` done."""
    return any(isinstance(values, CutColumn) for values in split.inputs.values())
