"""The base classes of augmentations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from archspec.diagnostics import count
from archspec.fields import is_number
from archspec.kinds import Kind

if TYPE_CHECKING:
    import jax

Way = Literal["moves", "mirrors", "turns", "scales"]
"""What happens to where things lie in an image, and with them to maps of targets."""

Size = tuple[int, int]
"""Height and width."""

Share = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]
"""Of a whole: above 0, up to 1."""

Interpolation = Annotated[
    Literal["nearest", "bilinear"], Field(description="how pixels between pixels are found; labels are the nearest")
]

FILLS = ("mean", "black", "white", "edge", "reflect")


def paint(words: tuple[str, ...]) -> tuple[BeforeValidator, WithJsonSchema]:
    """Marks a field that is one of some words, a brightness, or one for each channel, which become a tuple."""

    def read(value: Any) -> Any:
        if isinstance(value, str) and value in words:
            return value
        numbers = value if isinstance(value, (list, tuple)) else [value]
        if numbers and all(is_number(number) and 0 <= number <= 1 for number in numbers):
            return tuple(float(number) for number in numbers)
        raise PydanticCustomError(
            "paint",
            "must be {words}, a number from 0 (black) to 1 (white), or one a channel",
            {"words": ", ".join(words)},
        )

    brightness = {"type": "number", "minimum": 0, "maximum": 1}
    several = {"type": "array", "items": brightness, "minItems": 1}
    return BeforeValidator(read), WithJsonSchema({"anyOf": [{"enum": list(words)}, brightness, several]})


Fill = Annotated[
    Literal["mean", "black", "white", "edge", "reflect"] | tuple[float, ...],
    *paint(FILLS),
    Field(description="what lies beyond the border: mean is the input's mean colour, which becomes 0"),
]
"""A border's colour, or where its pixels come from."""


def fill_of(fill: str | tuple[float, ...], mean: jax.Array) -> Any:
    """A fill as `nn.warping` takes it; `mean` (C,) is the mean colour of the image's input."""
    import jax.numpy as jnp

    if fill == "mean":
        return mean
    if isinstance(fill, str):
        return {"black": 0.0, "white": 1.0}.get(fill, fill)
    return jnp.broadcast_to(jnp.asarray(fill, jnp.float32), mean.shape)


def labels_fill(fill: str | tuple[float, ...], uncounted: float) -> Any:
    """What a map of targets has beyond its border: what its pixels were made of, or what does not count."""
    return fill if fill in ("edge", "reflect") else uncounted


def fill_fault(fill: str | tuple[float, ...], channels: int) -> str | None:
    """Why a fill is none for images of so many channels."""
    if isinstance(fill, str) or len(fill) in (1, channels):
        return None
    return f"its `fill` has {count(len(fill), 'number')}, but the input has {count(channels, 'channel')}"


def _read_span(value: Any) -> Any:
    """Two numbers, the first no larger than the second."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(map(is_number, value)) and value[0] <= value[1]:
        return (float(value[0]), float(value[1]))
    raise PydanticCustomError("span", "must be two numbers, [low, high], low no larger than high")


Span = Annotated[
    tuple[float, float],
    BeforeValidator(_read_span),
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]
"""Two numbers between which one is drawn."""


class Augmentation(Kind):
    """Base of all augmentations: random changes of a training image, drawn anew for each sample in each epoch.

    What is drawn comes from a key of the run's seed, the epoch, the sample's number and the place in `train.augment`;
    a change is then a function of what was drawn and of one image (H, W, C) of pixels from 0 to 1. All images of a
    sample are changed by what was drawn once, and maps of its targets go with them.
    """

    colours: ClassVar[bool] = False
    """Whether it takes images of three channels alone."""

    probability: Annotated[Share, Field(description="share of the samples that are changed")] = 1.0

    @property
    def ways(self) -> tuple[Way, ...]:
        """What it does to where things lie."""
        return ()

    def fault(self, size: Size, channels: int) -> str | None:
        """Why it cannot be used on images of this size; None where it can."""
        return (
            f"it changes colours, and the input has {channels} channel{'s' * (channels != 1)}"
            if (self.colours and channels != 3)
            else None
        )

    def draw(self, key: jax.Array, size: Size) -> Any:
        """What is drawn for a sample whose first image is of this size, as arrays; runs in the compiled step."""
        raise NotImplementedError

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        """An image (H, W, C) of pixels from 0 to 1, changed; `mean` (C,) is its input's mean colour."""
        raise NotImplementedError

    def said(self, drawn: Any, size: Size) -> str:
        """What was drawn for one sample, on the host, in a few words."""
        return self.kind.replace("_", " ")

    def labels(self, drawn: Any, labels: jax.Array, uncounted: float) -> jax.Array:
        """A map of targets (H, W, C) as it goes with the image; what comes from beyond the border is `uncounted`."""
        return labels


class Mixing(Augmentation):
    """Base of augmentations that mix a sample with another of its batch, targets by their shares.

    What `mixed` and `share` say takes the place of `image` and `labels`, which change nothing.
    """

    blends: ClassVar[bool] = False
    """Whether pixels of both lie over one another, so that a label of a pixel would be of both."""

    def image(self, drawn: Any, image: jax.Array, mean: jax.Array) -> jax.Array:
        return image

    def mixed(self, drawn: Any, own: jax.Array, other: jax.Array) -> jax.Array:
        """An image, or a map of labels, (H, W, C) mixed with that of another sample."""
        raise NotImplementedError

    def share(self, drawn: Any, size: Size) -> jax.Array:
        """How much of the mixture is the sample's own, from 0 to 1."""
        raise NotImplementedError
