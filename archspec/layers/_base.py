"""The base class of layer kinds: fields, shape rule, cost and lowering of one kind stand in one class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from archspec.kinds import Kind
from archspec.types import TensorType

if TYPE_CHECKING:
    from flax import nnx

    from archspec.diagnostics import Setting
    from archspec.terms import Terms, Unit

Role = Literal["trainable", "frozen", "statistics"]


Family = Literal["convolution", "pooling", "normalisation", "activation", "dense", "join", "resize", "other"]
"""What a layer does, as pictures colour it."""

Port = Literal["value", "shape", "indices"]
"""What a layer takes of an input: its value, its shape only, or where its maxima were."""


class Weight(NamedTuple):
    """One array that a layer owns: its attribute's name in the lowered module, its shape and its role.

    `axes` names the axes where other frameworks have the same array in another order: height and width of a kernel `H`
    and `W`, length of a signal's `L`, input and output channels `I` and `O`, a channel of the layer's input `C`. A
    transposed convolution's are `HWio` and `Lio`, since its groups divide the output.
    """

    name: str
    shape: tuple[int, ...]
    role: Role = "trainable"
    axes: str = ""

    @property
    def size(self) -> int:
        return prod(self.shape)


class Cost(NamedTuple):
    """What one sample costs in one forward pass.

    `macs` are multiply–adds of convolutions, dense layers and attention; `other` counts element-wise, bias,
    normalisation and pooling operations.
    """

    macs: int = 0
    other: int = 0

    @property
    def flops(self) -> int:
        """Floating-point operations: 2·MACs + the others."""
        return 2 * self.macs + self.other


class Kept(NamedTuple):
    """What a layer's backward pass needs of one sample's forward pass.

    `inputs` are numbers of inputs whose values the gradient of any input or weight needs, `weight_inputs` those that
    only the weights' gradients need: a layer whose weights are not trained keeps none of these. `output` is the
    layer's own output. `elements` counts further numbers of the activations' type, `bytes` masks and indices.
    """

    inputs: tuple[int, ...] = ()
    weight_inputs: tuple[int, ...] = ()
    output: bool = False
    elements: int = 0
    bytes: int = 0


class Window(NamedTuple):
    """What one output position sees of the input, per axis (height, width); of a signal's, the second says nothing.

    `kernel` is the extent with dilation, `pad` the padding on the top and left. A stride below 1 is that of a layer
    that enlarges its input.
    """

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[float, float] = (1, 1)
    pad: tuple[float, float] = (0, 0)


class Halo(NamedTuple):
    """Rows of the neighbours' parts that a layer takes beside its own part of a map's rows.

    `top` are the last rows of the part above, `bottom` the first of the part below; `beyond` is what stands beyond the
    whole map: zeros, the least number that there is, or the edge's row again.
    """

    top: int = 0
    bottom: int = 0
    beyond: Literal["zeros", "least", "edge"] = "zeros"


class OnRows(NamedTuple):
    """How one of several devices computes a layer from its own part of the rows of maps, equal parts in order."""

    layer: Layer | None = None
    """What the layer is there: with its own rows and the halo as the input, and no padding above and below. None where
    its module does, whatever the height is."""
    halo: Halo = Halo()
    whole: tuple[int, ...] = ()
    """The inputs, by their number, that it takes whole all the same."""
    cut: tuple[int, int] = (0, 0)
    """Rows that are left out above and below of what `layer` gives."""
    sums: tuple[int, ...] = ()
    """Numbers of one sample in each sum over the parts that its module makes, as `shards` tell it to."""
    gathers: tuple[int, ...] = ()
    """Numbers of one sample that each part gives where its module gathers them of all."""
    divides: bool = True
    """Whether it gives its own part of the output's rows; otherwise all devices have the whole output."""


class Example(NamedTuple):
    """A use of a kind for the documentation and the conformance tests: fields as the language writes them.

    `inputs` are shapes, or types where a shape does not say it all.
    """

    fields: Any
    inputs: tuple[tuple[int, ...] | TensorType, ...] = ((8, 9, 4),)


class Layer(Kind):
    """Base of all layer kinds.

    A subclass declares its fields, and overrides `infer`, `build` and, where the defaults are wrong, `weights`, `cost`
    and `footprint`. `archspec layers` prints its docstring and its fields' descriptions.
    Flax and JAX are imported inside `build` only.
    """

    min_inputs: ClassVar[int] = 1
    max_inputs: ClassVar[int | None] = 1
    """How many inputs `from` may give; None is any number."""

    references: ClassVar[Mapping[str, Port]] = {}
    """Fields that name another layer, and what is taken of it. Where they are given, these are the last inputs."""

    examples: ClassVar[tuple[Example, ...]] = ()

    family: ClassVar[Family] = "other"

    in_place: ClassVar[bool] = False
    """The output may be written over an input of the same size that nothing else needs: element-wise layers."""
    is_view: ClassVar[bool] = False
    """The output is the first input's memory under another shape: nothing is written."""

    transposes: ClassVar[bool] = False
    """The gradient of its kernel is a convolution over the batch, for which XLA on CPUs lays the input out anew."""
    within: ClassVar[bool] = False
    """In evaluation no value of the output is below its inputs' least or 0, or above their largest: views, choices,
    averages."""
    linear: ClassVar[bool] = False
    """The gradient of its inputs needs no value of the forward pass, and it has no weights."""

    reorders: ClassVar[bool] = False
    """What it makes of a vector depends on the features' order: of a flattened map, which other tools flatten in
    another order, it makes something else there."""

    full_precision: ClassVar[bool] = False
    """In mixed precision, whether it computes in float32 all the same: sums of many numbers, squares, exponentials."""
    uses_mode: ClassVar[bool] = False
    """The lowered module takes `train=`, a Python bool."""
    uses_key: ClassVar[bool] = False
    """The lowered module takes `key=`, a JAX random key while training and None otherwise."""
    varying: ClassVar[tuple[str, ...]] = ()
    """Fields in which layers may differ that are one call within a loop: numbers that are attributes of the lowered
    module, which takes them as options of a call too, as arrays without axes."""
    uses_lowerings: ClassVar[bool] = False
    """The lowered module takes `lowerings=`, which choose how its operations are computed."""
    pointwise: ClassVar[bool] = False
    """A place of the output depends on the same place of the inputs, and on no other: its module takes maps of any
    height. What a kind needs of all places or samples beside, as batch normalisation does, `shards` give it."""
    uses_shards: ClassVar[bool] = False
    """The lowered module takes `shards=`, which say how its batch is divided over devices, and None where it is not:
    what it gives depends on other samples or rows, or on a sample's place in the batch."""

    def referred(self) -> dict[str, Port]:
        """The fields that name another layer and are given."""
        return {name: port for name, port in self.references.items() if getattr(self, name) is not None}

    def ports(self, count: int) -> tuple[Port, ...]:
        """What is taken of each of so many inputs."""
        referred = list(self.referred().values()) if self.references else []
        values: list[Port] = ["value"] * (count - len(referred))
        return (*values, *referred)

    def tap_indices(self, *inputs: TensorType) -> TensorType | None:
        """The type of the indices that the layer can give beside its output; its module then takes `indices=True`."""
        return None

    def infer(self, *inputs: TensorType) -> TensorType:
        """The output's type. Raises `ShapeError` with the reason when the inputs do not fit."""
        return inputs[0]

    def bounds(self) -> tuple[float, float] | None:
        """What no value of the output is below or above, whatever the inputs are; None where nothing bounds it."""
        return None

    def floor(self) -> float | None:
        """What no value of the output is below, of a layer that nothing bounds above; None where there is no such."""
        return None

    @property
    def passes_bounds(self) -> bool:
        """Whether bounds of all inputs bound the output, as `bounds_of` says."""
        return self.within

    def bounds_of(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """What no value of the output is below or above in evaluation, where these are the bounds of the inputs."""
        return min(low for low, _ in inputs), max(high for _, high in inputs)

    def weights(self, *inputs: TensorType) -> Sequence[Weight]:
        """The arrays that the lowered module owns, by attribute name."""
        return ()

    def cost(self, inputs: tuple[TensorType, ...], output: TensorType) -> Cost:
        """Operations of one sample's forward pass in evaluation."""
        return Cost()

    def kept(self, inputs: tuple[TensorType, ...], output: TensorType) -> Kept:
        """What the backward pass needs of one sample's forward pass.

        Unless a kind says otherwise, the values of all its inputs, or nothing where it is `linear`.
        """
        return Kept() if self.linear else Kept(inputs=tuple(range(len(inputs))))

    def scratch(self, inputs: tuple[TensorType, ...], output: TensorType) -> tuple[int, int]:
        """Elements of one sample that exist inside the layer alone, while its forward pass and its backward pass run.

        Only what may be far larger than inputs and output, such as the weights of an attention.
        """
        return (0, 0)

    def footprint(self, inputs: tuple[TensorType, ...], output: TensorType) -> Window | None:
        """For the receptive field; None when every output depends on the whole map."""
        return Window()

    def on_rows(self, parts: int, inputs: tuple[TensorType, ...], output: TensorType) -> OnRows | None:
        """How each of so many devices computes its own part of the rows of maps; None where all rows are needed.

        `sharding/rows.py` asks it, and sees to it that the parts are equal and that halos are no larger than they are.
        """
        return OnRows() if self.pointwise else None

    def arithmetic(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        """How the output's size follows from the input's, a line an axis with the numbers put in; none where they are
        the same."""
        return ()

    def terms(self, unit: Unit) -> Terms | None:
        """The numbers that make a unit's value in evaluation; None where the kind has no such list of them."""
        return None

    def warnings(self, inputs: tuple[TensorType, ...], output: TensorType) -> Sequence[str]:
        """What is allowed here but probably not meant."""
        return ()

    def warning_help(self, text: str) -> Sequence[str | Setting]:
        """What to do about one of its warnings."""
        return ()

    def build(self, inputs: tuple[TensorType, ...], rngs: nnx.Rngs) -> nnx.Module:
        """The Flax module; called with one array of shape (batch, *shape) per input, returns one.

        A kind with `uses_mode` is also given `train=`, one with `uses_key` `key=`, one with `uses_lowerings`
        `lowerings=`, and one with `uses_shards` `shards=`.
        """
        raise NotImplementedError
