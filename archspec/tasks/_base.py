"""The base class of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from archspec.diagnostics import DataError, count
from archspec.kinds import Kind

if TYPE_CHECKING:
    import jax
    import numpy as np

    from archspec.losses import Form, Loss
    from archspec.metrics import Metric
    from archspec.types import TensorType

Answer = Literal["classes", "mask", "labels", "numbers", "image"]
"""How an answer is shown: classes by their probability, a map of classes, the labels that are there with their
probabilities, plain numbers, or what the network was given, made again."""

Inputs = Mapping[str, Any]
"""The sections of the network's inputs by name; each has a `type`, and images and others `range`, `mean`, `std`."""


class Task(Kind):
    """Base of all tasks: what an output means, and so what it is trained with, measured by, and shown as.

    A task has defaults for loss and metrics, says what targets must look like, and brings a target to its output.
    """

    form: ClassVar[Form]
    """The form of its targets."""
    answer: ClassVar[Answer]

    def loss(self) -> Loss:
        """The loss of a recipe that names none."""
        raise NotImplementedError

    def metrics(self, output: TensorType) -> tuple[Metric, ...]:
        """What an output is measured by on the held-out part, the most telling first."""
        raise NotImplementedError

    def running(self, output: TensorType) -> Metric:
        """What is measured in training too, of each batch; a metric whose batches are added up."""
        from archspec.metrics.accuracy import Accuracy

        return Accuracy.plain_default()

    def counterpart(self, output: TensorType) -> str:
        """The held-out figure that is the same quantity as the one measured in training."""
        return self.running(output).headline

    def given_by(self, inputs: Inputs) -> str | None:
        """The input that is the target; None where the dataset has one. Raises `DataError` where there is no such."""
        return None

    def check_output(self, name: str, output: TensorType, inputs: Inputs) -> None:
        """Raises `DataError` where an output of this type is not what the task needs."""

    def taken(self, target: np.ndarray) -> np.ndarray:
        """A dataset's target in the numbers that the task takes it for."""
        return target

    def class_names(self, data: str, name: str, names: tuple[str, ...], target: np.ndarray) -> tuple[str, ...]:
        """What an output tells apart, of the classes of a dataset's target, as `taken` gives it.

        Raises `DataError` where the task can make nothing of classes.
        """
        return names

    def check_target(self, data: str, name: str, target: np.ndarray, output: TensorType, loss: Loss) -> None:
        """Raises `DataError` where a dataset's target, by its name, is none of an output of this type."""

    def aligned(self, target: jax.Array, output: TensorType) -> jax.Array:
        """The target in the shape that losses and metrics compare an output with; runs inside the compiled step."""
        return target

    def needs(self, data: str, has: str, *help: str) -> DataError:
        """The error that the targets of a dataset are of another task."""
        message = f"{data} has {has}, but the task is {self.kind}"
        return DataError("E501", message, help=[", or ".join([*help, "other data"])])


def shape_of(target: np.ndarray, word: str = "sample") -> str:
    """The shape of a sample's target in words."""
    shape = target.shape[1:]
    if not shape:
        return f"one number per {word}"
    return f"{count(shape[0], 'number') if len(shape) == 1 else '×'.join(map(str, shape)) + ' numbers'} per {word}"
