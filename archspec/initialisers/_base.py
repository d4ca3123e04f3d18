"""The base class of initialisers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from archspec.kinds import Kind, kind_of

if TYPE_CHECKING:
    from jax.nn.initializers import Initializer


class Initialiser(Kind):
    """Base of all initialisers: how a layer's weights are drawn before training."""

    axes: ClassVar[int] = 1
    """How many axes an array must have; those that look at the fan-in need two."""

    def build(self) -> Initializer:
        """The JAX initialiser: a function of key, shape and dtype."""
        raise NotImplementedError


def for_axes(axes: int) -> AfterValidator:
    """Refuses initialisers that need an array of more axes than a field's array has."""

    def check(initialiser: Initialiser) -> Initialiser:
        if initialiser.axes > axes:
            raise PydanticCustomError(
                "initialiser",
                "cannot be {kind}, which needs an array of {axes} axes; this one has {own}",
                {"kind": initialiser.kind, "axes": initialiser.axes, "own": axes},
            )
        return initialiser

    return AfterValidator(check)


KernelInit = Annotated[Initialiser, *kind_of("initialisers"), Field(description="initialiser of the kernel")]
BiasInit = Annotated[Initialiser, *kind_of("initialisers"), for_axes(1), Field(description="initialiser of the bias")]
