"""The `train:` section."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from archspec.data.mnist5k import Mnist5k
from archspec.dataset import Dataset
from archspec.fields import NonNegativeInt, PositiveInt
from archspec.kinds import kind_of
from archspec.loss import Loss
from archspec.losses.cross_entropy import CrossEntropy
from archspec.optimiser import Optimiser
from archspec.optimisers.sgd import Sgd
from archspec.schedule import Schedule
from archspec.schedules.constant import Constant
from archspec.spec.network import Section


class Train(Section):
    """How a network is trained."""

    dataset: Annotated[Dataset, *kind_of("data"), Field(description="what it is trained on")] = Mnist5k.plain_default()
    batch_size: Annotated[PositiveInt, Field(description="samples per step")] = 128
    epochs: Annotated[PositiveInt, Field(description="passes over the training data")] = 10
    optimiser: Annotated[Optimiser, *kind_of("optimisers"), Field(description="how weights are changed")] = (
        Sgd.plain_default(learning_rate=0.1)
    )
    schedule: Annotated[Schedule, *kind_of("schedules"), Field(description="the learning rate over time")] = (
        Constant.plain_default()
    )
    loss: Annotated[Loss, *kind_of("losses"), Field(description="what is made small")] = CrossEntropy.plain_default()
    seed: Annotated[NonNegativeInt, Field(description="fixes initial weights, order of the data and dropout")] = 0
