"""Another shape for the same numbers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from archspec.diagnostics import ShapeError, count
from archspec.fields import MAX_SIZE
from archspec.layers._base import Example, Layer
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx


def _read_shape(value: Any) -> Any:
    sizes = list(value) if isinstance(value, (list, tuple)) else [value]
    good = all(isinstance(n, int) and not isinstance(n, bool) and (n == -1 or 0 < n <= MAX_SIZE) for n in sizes)
    if not good or not 0 < len(sizes) < 4 or sizes.count(-1) > 1:
        raise PydanticCustomError(
            "shape", "must be [height, width, channels], [length, channels] or features, one of them -1 at most"
        )
    return tuple(sizes)


_SIZE = {"type": "integer", "minimum": -1}
Shape = Annotated[
    tuple[int, ...],
    BeforeValidator(_read_shape),
    WithJsonSchema({"anyOf": [_SIZE, {"type": "array", "items": _SIZE, "minItems": 1, "maxItems": 3}]}),
]


class Reshape(Layer):
    """Writes the same numbers in another shape: a map, a signal or a vector of as many numbers.

    The numbers stay in their order, channels varying fastest, then columns, then rows. `order: channels_first` takes
    and gives them as PyTorch's `view` does, whose columns vary fastest: what a `dense` layer gives that was trained
    there becomes the map that it became there.
    """

    main: ClassVar[str] = "shape"

    shape: Annotated[
        Shape,
        Field(description="[height, width, channels], [length, channels] or features; -1 is what is left"),
    ]
    order: Annotated[
        Literal["channels_last", "channels_first"],
        Field(description="which axis varies slowest on both sides: height (or length), or channels as in PyTorch"),
    ] = "channels_last"

    within: ClassVar[bool] = True
    linear: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example([2, 3, 4], ((24,),)),
        Example([-1, 8], ((6, 4, 2),)),
        Example({"shape": [4, 3, 2], "order": "channels_first"}, ((24,),)),
        Example({"shape": -1, "order": "channels_first"}, ((5, 6),)),
    )

    @property
    def is_view(self) -> bool:  # type: ignore[override]
        """Whether the memory stays as it is."""
        return self.order == "channels_last"

    def infer(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        known = prod(size for size in self.shape if size > 0)
        wanted = "×".join("?" if size < 0 else str(size) for size in self.shape)
        if x.size % known or (-1 not in self.shape and x.size != known):
            raise ShapeError(
                f"{count(x.size, 'number')} cannot be {wanted}, which "
                f"{'are a multiple of' if -1 in self.shape else 'are'} {known:,}",
                field="shape",
            )
        return TensorType(tuple(x.size // known if size < 0 else size for size in self.shape), x.dtype)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> None:
        return None

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        import jax.numpy as jnp

        from archspec.nn.apply import Apply

        shape = self.infer(*inputs).shape
        if self.order == "channels_last":
            return Apply(lambda x: x.reshape(-1, *shape))
        turned = (shape[-1], *shape[:-1])
        return Apply(lambda x: jnp.moveaxis(jnp.moveaxis(x, -1, 1).reshape(-1, *turned), 1, -1))
