"""The sections of a spec that are plain data: header, input, outputs, published figures."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from archspec.diagnostics import count
from archspec.fields import (
    MAX_IMAGE_PIXELS,
    Count,
    FilePath,
    Flag,
    NonNegativeNumber,
    Number,
    PositiveInt,
    PositiveNumber,
    ShortName,
    Text,
)
from archspec.kinds import kind_of, kinds_of
from archspec.losses import Loss
from archspec.metrics import Metric
from archspec.patterns import fault
from archspec.tasks import Task, default_task
from archspec.types import TensorType

if TYPE_CHECKING:
    from archspec.images.mean_image import MeanImage

LANGUAGE_VERSION = 1

YEARS = range(1900, 2101)
"""Years in which a network can have been published."""


class Section(BaseModel):
    """Base of the sections: unknown fields are errors, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def _whole(value: Any) -> Any:
    """Of truths and numbers with a point a text: they equal whole numbers, and are no versions."""
    return value if type(value) is int else str(value)


class Header(Section):
    """What stands at the top of a spec."""

    archspec: Annotated[Literal[1], BeforeValidator(_whole), Field(description="version of the language, 1")]
    name: Annotated[ShortName, Field(description="short name; also names the run folder")]
    title: Annotated[Text, Field(description="one line for people")] = ""
    paper: Annotated[Text, Field(description="where the network was published")] = ""
    notes: Annotated[Text, Field(description="what a reader should know, such as choices where sources disagree")] = ""
    task: Annotated[
        Task, *kind_of("tasks"), Field(description="what the outputs mean, and so what they are trained with")
    ] = default_task()


class ImageInput(Section):
    """An input of images of height × width × channels, and how pixels become numbers."""

    height: Annotated[PositiveInt, Field(description="in pixels")]
    width: Annotated[PositiveInt, Field(description="in pixels")]
    channels: Annotated[PositiveInt, Field(description="1 for grey, 3 for red, green and blue")]
    order: Annotated[
        Literal["rgb", "bgr"] | None,
        Field(
            description="in which order the network takes a colour's channels, red first if left out; files, arrays "
            "and datasets have red first in any case, `mean` and `std` the network's order"
        ),
    ] = None
    range: Annotated[
        tuple[Number, Number],
        Field(description="pixel values that the network expects: 0…255 bytes are scaled linearly into it"),
    ] = (0.0, 1.0)
    mean: Annotated[
        tuple[Number, ...] | None, Field(description="subtracted, one number per channel, in units of `range`")
    ] = None
    mean_image: Annotated[
        FilePath | None,
        Field(
            description="in place of `mean`, such numbers for each pixel: the middle of an image, in an .npy file or a "
            ".binaryproto of Caffe's; relative paths start from the spec's folder"
        ),
    ] = None
    std: Annotated[
        tuple[PositiveNumber, ...] | None, Field(description="divided by afterwards, one number per channel")
    ] = None
    fit: Annotated[
        Literal["exact", "pad", "resize", "crop"],
        Field(
            description="images of another size: exact refuses, pad centres them on a border, resize scales both "
            "sides, crop scales the shorter side to `short_side` and keeps the middle"
        ),
    ] = "exact"
    short_side: Annotated[PositiveInt | None, Field(description="with `fit: crop`; the input's own if left out")] = None
    interpolation: Annotated[
        Literal["bilinear", "bicubic"], Field(description="how images are scaled, antialiased when they shrink")
    ] = "bilinear"
    _read: Any = PrivateAttr(None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError("`range` must be [low, high] with low < high")
        if self.order == "bgr" and self.channels != 3:
            raise ValueError(f"`order: bgr` is of 3 channels, and the input has {self.channels}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if values is not None and len(values) != self.channels:
                numbers, channels = count(len(values), "number"), count(self.channels, "channel")
                raise ValueError(f"`{name}` has {numbers} for {channels}")
        if self.mean is not None and self.mean_image is not None:
            raise ValueError("`mean` and `mean_image` are two ways to say one thing: give one of them")
        if self.short_side is not None and (self.fit != "crop" or self.short_side < max(self.height, self.width)):
            raise ValueError("`short_side` goes with `fit: crop`, and is the input's height and width or more")
        if self.short_side is not None and self.short_side**2 > MAX_IMAGE_PIXELS:
            raise ValueError(f"`short_side` makes images of {self.short_side:,} pixels a side, which is too large")
        return self

    def located(self, folder: Path) -> Self:
        """The input with its mean image read, whose path starts from a folder. Raises `DataError` (E542)."""
        if self.mean_image is None:
            return self
        path = os.path.realpath(folder / self.mean_image)
        made = self.model_copy(update={"mean_image": path})
        made._read = _mean_image(path, made)
        return made

    @property
    def mean_pixels(self) -> "MeanImage | None":
        """What `mean_image` names, where it names one. Raises `DataError` (E542)."""
        if self.mean_image is None:
            return None
        if self._read is not None:
            found: MeanImage = self._read
            return found
        return _mean_image(self.mean_image, self)

    @property
    def type(self) -> TensorType:
        """The type of one sample."""
        return TensorType((self.height, self.width, self.channels))


def _mean_image(path: str, input: ImageInput) -> "MeanImage":
    from archspec.images.mean_image import read_mean_image

    return read_mean_image(Path(path), input.height, input.width, input.channels)


class OutputSpec(Section):
    """One thing that the network returns."""

    source: Annotated[Text, Field(alias="from", description="name of the layer or scope")]
    weight: Annotated[NonNegativeNumber, Field(description="share in the training loss")] = 1.0
    train_only: Annotated[Flag, Field(description="left out of evaluation, with all that only it needs")] = False
    when: Annotated[Flag, Field(description="whether it is there")] = True
    task: Annotated[
        Task | None, *kind_of("tasks"), Field(description="what it means, in place of the spec's `task`")
    ] = None
    target: Annotated[
        Text | None, Field(description="the dataset's target that it is to find; the only one, or that of its name")
    ] = None
    loss: Annotated[Loss | None, *kind_of("losses"), Field(description="its loss, in place of that of `train`")] = None
    metrics: Annotated[
        tuple[Metric, ...] | None,
        *kinds_of("metrics"),
        Field(description="what measures it beside its task's own, in place of those of `train`"),
    ] = None


class Published(Section):
    """Figures that the network is known to have; a spec that misses them is reported."""

    params: Annotated[Count | None, Field(description="trainable parameters in evaluation")] = None
    train_params: Annotated[Count | None, Field(description="trainable parameters with what only training needs")] = (
        None
    )
    macs: Annotated[Count | None, Field(description="multiply–adds of convolutions and dense layers")] = None
    top1: Annotated[PositiveNumber | None, Field(description="accuracy in percent")] = None
    top5: Annotated[PositiveNumber | None, Field(description="accuracy in percent, five guesses")] = None
    source: Annotated[Text, Field(description="where the figures stand")]
    note: Annotated[Text, Field(description="what to know about them")] = ""


class WeightSet(Section):
    """Weights of this network that the wider world has: how their tensors are called, and what they expect."""

    source: Annotated[Text, Field(description="what the weights are")] = ""
    names: Annotated[
        dict[Text, Text],
        Field(
            description="node paths and what the tensors of those nodes are called; * stands for a part of a path "
            "between dots, ** for any part, {number} for the node's place in its scope; {*} stands for the place that "
            "what the star names has in its scope, from 0, {*+1} from 1, {*a} as a letter, {*.*} that of two names "
            "among all such pairs. The first that fits holds; with an array in brackets, block.gamma[scale], it is "
            "that array's whole name. A name may end with the axes of the tensor's shape where they are not the usual "
            "ones, fc1[OI]"
        ),
    ] = {}
    layout: Annotated[
        Literal["archspec", "pytorch", "keras"],
        Field(description="whose order of axes the tensors have, and whose words for arrays stand behind the names"),
    ] = "pytorch"
    input: Annotated[dict[Text, Any], Field(description="fields of `input` that the weights expect")] = {}
    classes: Annotated[Literal["imagenet", "voc"] | None, Field(description="names of the classes")] = None
    args: Annotated[
        dict[Text, Any],
        Field(description="arguments of the network that the weights are of, where its own are others"),
    ] = {}
    partial: Annotated[
        Flag, Field(description="they are those of a network that shares a part with this one, for `init_from`")
    ] = False

    @model_validator(mode="after")
    def _rules_are_sound(self) -> Self:
        for pattern, name in self.names.items():
            wrong = fault(pattern, name)
            if wrong is not None:
                raise ValueError(wrong)
        return self


SECTIONS: dict[str, str] = {
    "archspec": "version of the language",
    "name": "short name",
    "title": "one line for people",
    "paper": "where the network was published",
    "notes": "what a reader should know",
    "lineage": "when it was published, whose idea it extends, and what it introduced",
    "task": "what the outputs mean",
    "args": "the network's arguments with their defaults",
    "variants": "named sets of arguments",
    "import": "files, or families of the zoo, whose blocks are used",
    "extends": "a spec that this one starts from",
    "defaults": "fields for every layer of a kind",
    "blocks": "layer kinds that the spec defines",
    "input": "what goes in",
    "inputs": "what goes in, by name, where there is more than one thing",
    "layers": "the network",
    "outputs": "what comes out",
    "train": "how it is trained",
    "published": "figures that it must meet",
    "weights": "weights of the wider world: names of their tensors, what they expect",
}
"""Every top-level key."""

VARIANT_SECTIONS = (
    *("title", "paper", "notes", "lineage", "input", "inputs", "layers", "outputs", "train", "task", "weights"),
)
"""Sections that a variant may lay over the file's, beside setting arguments."""
