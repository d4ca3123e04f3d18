"""Less where nothing improves."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.fields import Flag, NonNegativeInt, NonNegativeNumber, Text
from archspec.schedules._base import Schedule


class Plateau(Schedule):
    """Multiplies by `factor` after more than `patience` evaluations in a row without improvement.

    A figure v is an improvement on the best one b where v < b·(1 − threshold), of a figure that is better higher where
    v > b·(1 + threshold); with `absolute`, v < b − threshold and v > b + threshold. After a change, `cooldown`
    evaluations do not count. A figure that is missing, since nothing counted, is no improvement. This is
    torch.optim.lr_scheduler.ReduceLROnPlateau, for factors instead of rates, but for its `eps`: a factor falls as long
    as it is above `min`.
    """

    main: ClassVar[str] = "factor"

    factor: Annotated[
        float,
        Field(strict=True, gt=0, lt=1, allow_inf_nan=False, description="what the learning rate is multiplied by"),
    ] = 0.1
    patience: Annotated[NonNegativeInt, Field(description="evaluations without improvement that change nothing")] = 10
    metric: Annotated[
        Text, Field(description="the figure that is to improve: loss, or any that is measured in evaluation")
    ] = "loss"
    threshold: Annotated[NonNegativeNumber, Field(description="the share by which it must improve to count")] = 1e-4
    absolute: Annotated[Flag, Field(description="the threshold is a difference instead of a share")] = False
    cooldown: Annotated[NonNegativeInt, Field(description="evaluations after a change that do not count")] = 0
    min: Annotated[NonNegativeNumber, Field(description="the least that the changes may come to")] = 0.0

    def after_warmup(self, steps: int, steps_per_epoch: int) -> Callable[[Any], Any]:
        import jax.numpy as jnp

        return lambda step: jnp.ones(())

    def follow(self, better: Literal["higher", "lower"]) -> Following:
        """The factor by what evaluations give, from the start of training on."""
        return Following(self, better)


class Following:
    """A plateau's factor after the evaluations seen so far; it depends on their figures alone."""

    def __init__(self, plateau: Plateau, better: Literal["higher", "lower"]) -> None:
        self.plateau = plateau
        self.higher = better == "higher"
        self.factor = 1.0
        self.best: float | None = None
        self.bad = 0
        self.cooling = 0

    def see(self, value: float | None) -> float:
        """Takes the next evaluation's figure, and gives the factor from there on."""
        if value is not None and not isnan(value) and (self.best is None or self._improves(value, self.best)):
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.cooling:
            self.cooling -= 1
            self.bad = 0
        if self.bad > self.plateau.patience:
            self.factor = min(self.factor, max(self.factor * self.plateau.factor, self.plateau.min))
            self.cooling, self.bad = self.plateau.cooldown, 0
        return self.factor

    def _improves(self, value: float, best: float) -> bool:
        least = self.plateau.threshold
        if self.higher:
            return value > (best + least if self.plateau.absolute else best * (1 + least))
        return value < (best - least if self.plateau.absolute else best * (1 - least))
