"""What a file of a model computes, as a neutral list: readers of formats make it, `building.py` makes a spec of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from archspec.weights.tensors import Tensor

Order = Literal["channels_first", "channels_last"]
"""How a file lays maps out, and with them what it flattens and the axes of its arrays: as PyTorch, or as Keras does."""


Shape = tuple[int, ...]


class NotHere(Exception):  # noqa: N818
    """There is nothing like an operator here; the words say why, or nothing where its name alone says it.

    `shape` is that of what it gives, where that is known all the same, so that what comes behind it can be read.
    """

    def __init__(self, why: str, shape: Shape | None = None) -> None:
        super().__init__(why)
        self.shape = shape


UNFIT = (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError, ZeroDivisionError)
"""What reading an operator raises whose fields or inputs are of other types or numbers than its format says."""


class Value(NamedTuple):
    """A thing that the network takes, without the batch's axis, in the file's own order of axes.

    Sizes that the file leaves open are −1; the user says them.
    `image` has fields of `input` that the file says itself (`mean`, `range`, `order`, …); there are none where its tool
    always means what a spec means without them. It is None where it is not known what is done to pixels.
    """

    name: str
    shape: tuple[int, ...]
    image: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Operation:
    """One operation of the file.

    `kind` is a kind of layer of ours, with `fields` as the language writes them (height and width in pairs, padding as
    numbers `[[top, bottom], [left, right]]`, `same` only where it means ours), or one of `NEUTRAL`, or None where
    there is nothing like it here. `inputs` and `outputs` are names of values or constants. `arrays` are by the names of
    the lowered module's attributes (`kernel`, `bias`, `scale`, `mean`, `var`), in PyTorch's axes where maps are
    channels first, and in ours where they are last. `scope` are the scopes around its `name`, outermost first.
    A kind that works along one axis (`concat`, `softmax`, `log_softmax`, `layer_norm`, `dense`, `l2_normalise`) has it
    as `axis` among its fields, an axis of the file with the batch's as 0, unless it is that of the channels by the
    file's order as the value comes: 1 of maps that are channels first, the last one otherwise. Behind a transpose that
    may be another axis than the channels', and then there is no such layer, or the transpose belongs to it.
    `said` is the file's own word for the operation, `place` where it stands in the file, both for messages.
    """

    kind: str | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    name: str = ""
    scope: tuple[str, ...] = ()
    said: str = ""
    place: str = ""
    why: str = ""
    """Why there is nothing like it here, where `kind` is None and its word alone does not say."""
    shape: tuple[int, ...] | None = None
    """The shape of its first output, without the batch's axis, as the file says it or by the rules of its format: held
    against what comes out here, so that no layer is silently another."""
    exact: bool = False
    """Whether it is a layer of ours, field for field, as a file says that was made of a spec: it stays as it is."""


NEUTRAL = {
    "transpose": "axes: a permutation of all axes, the batch's 0 among them",
    "reshape": "shape: with the batch's axis first, as −1 or 0 where it is kept",
    "flatten": "all axes but the batch's",
    "squeeze": "axes that have one element and go",
    "unsqueeze": "axes of one element that come",
    "pad": "pad: [[before, after], …] for each axis, the batch's among them; value",
    "matmul": "of a value and a constant (or two values)",
    "add": "of values and constants, which are broadcast; `subtract`, `multiply`, `divide` and `power` alike",
    "mean": "axes, keep: over places or channels; `sum` alike",
    "clip": "low, high: either may be None",
    "slice": "ranges: of each axis [start, stop, step] or None, the batch's among them; or a field of the kind `slice`",
}
"""Operations beside our kinds that readers may give as they are: the back end folds them into layers where it can.

Axes count with the batch's as 0, in the file's order, and may be below 0. `flatten` and `reshape` are always neutral;
`pad` and `slice` are where they have the field `pad` or `ranges`, and kinds otherwise; `add`, `subtract` and `multiply`
where one of their inputs is a constant, and the joins of that name otherwise. `pad` may have `mode` as the kind has it.
Constants are named among `inputs` and lie in `Program.constants`.
"""


@dataclass(frozen=True)
class Program:
    """The operations of a file in an order in which each value is made before it is taken.

    `outputs` are names of values. `notes` are what the reader left out, replaced or guessed, in sentences with counts.
    `about` is what the file says of itself: `title`, `paper`, `task`, `classes` (names), its producer, and of
    `outputs`, by the values' names, further fields (`weight`, `train_only`).
    """

    name: str
    order: Order
    inputs: tuple[Value, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


def with_shape(operation: Operation, shapes: Mapping[str, Shape | None]) -> Operation:
    """The operation with the shape that a file says of what it gives, the batch's axis left out."""
    shape = shapes.get(operation.outputs[0]) if operation.outputs else None
    return operation if shape is None else replace(operation, shape=shape[1:])
