"""The `train:` section."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from archspec.data import Dataset
from archspec.data.mnist5k import Mnist5k
from archspec.fields import FilePath, Flag, NonNegativeInt, PositiveInt, Text
from archspec.kinds import kind_of, kinds_of
from archspec.losses import Loss
from archspec.metrics import Metric
from archspec.optimisers import Optimiser, default_optimiser
from archspec.schedules import Schedule
from archspec.schedules.constant import Constant
from archspec.spec.network import Section


class Augment(Section):
    """Random changes of the training images, anew at each step, drawn from the seed."""

    random_crop: Annotated[
        NonNegativeInt,
        Field(description="pixels of border that an image gets before its size is cut out anywhere (He et al. 2016)"),
    ] = 0
    random_flip: Annotated[Flag, Field(description="half of the images are mirrored, left to right")] = False


class InitFrom(Section):
    """Where training begins instead of at weights drawn at random: transfer learning."""

    path: Annotated[
        FilePath,
        Field(
            description="folder of a run or of imported weights, or a file of tensors; relative to the spec's folder"
        ),
    ]
    prefix: Annotated[
        Text | None,
        Field(description="what the names of a file's tensors begin with, where it has several of each: teacher"),
    ] = None
    exclude: Annotated[
        tuple[Text, ...],
        Field(description="layers that begin anew, and tensors that are left out: paths, scopes, or patterns with *"),
    ] = ()
    freeze: Annotated[
        tuple[Text, ...],
        Field(description="layers that stay as they are, statistics too, unless excluded: paths, scopes, patterns"),
    ] = ()
    freeze_epochs: Annotated[
        PositiveInt | None, Field(description="epochs after which everything is trained; all of them if left out")
    ] = None

    @model_validator(mode="after")
    def _check(self) -> InitFrom:
        if self.freeze_epochs is not None and not self.freeze:
            raise ValueError("`freeze_epochs` goes with `freeze`")
        return self


def _read_init(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class Train(Section):
    """How a network is trained."""

    dataset: Annotated[Dataset, *kind_of("data"), Field(description="what it is trained on")] = Mnist5k.plain_default()
    batch_size: Annotated[PositiveInt, Field(description="samples per step")] = 128
    epochs: Annotated[PositiveInt, Field(description="passes over the training data")] = 10
    optimiser: Annotated[Optimiser, *kind_of("optimisers"), Field(description="how weights are changed")] = (
        default_optimiser()
    )
    schedule: Annotated[Schedule, *kind_of("schedules"), Field(description="the learning rate over time")] = (
        Constant.plain_default()
    )
    loss: Annotated[
        Loss | None, *kind_of("losses"), Field(description="what is made small; the task's own if left out")
    ] = None
    metrics: Annotated[
        tuple[Metric, ...] | None,
        *kinds_of("metrics"),
        Field(description="what the held-out part is measured by, beside the task's own"),
    ] = None
    init_from: Annotated[
        InitFrom | None,
        BeforeValidator(_read_init, json_schema_input_type=InitFrom | str | None),
        Field(description="weights to begin with: a path, or a path with what to leave out and to freeze"),
    ] = None
    augment: Annotated[Augment | None, Field(description="random changes of the training images")] = None
    seed: Annotated[NonNegativeInt, Field(description="fixes initial weights, order of the data and dropout")] = 0
