"""What a network takes: `input:`, or several `inputs:` by name, each an image, a signal or a vector."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from archspec.diagnostics import Findings, Label, Span, article, count
from archspec.fields import Number, PositiveInt, PositiveNumber
from archspec.located import Mapping as LocatedMapping
from archspec.located import Scalar, is_null, kind_of_input
from archspec.spec.arguments import NAME
from archspec.spec.document import Document
from archspec.spec.network import ImageInput, Section
from archspec.spec.reading import read_model
from archspec.types import TensorType

ONLY = "input"
"""What the one thing is called that `input:` says."""

KINDS = "an image has height, width and channels, a signal length and channels, a vector features"


class SignalInput(Section):
    """An input of numbers along one axis, such as sound: length × channels. They are taken as they are given."""

    length: Annotated[PositiveInt, Field(description="positions, such as a sound's samples")]
    channels: Annotated[PositiveInt, Field(description="numbers at each position")]
    mean: Annotated[
        Number | tuple[Number, ...] | None, Field(description="subtracted: a number, or one per channel")
    ] = None
    std: Annotated[
        PositiveNumber | tuple[PositiveNumber, ...] | None,
        Field(description="divided by afterwards: a number, or one per channel"),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> SignalInput:
        _check_scaling(self.mean, self.std, self.channels, "channel")
        return self

    @property
    def type(self) -> TensorType:
        """The type of one sample."""
        return TensorType((self.length, self.channels))


class VectorInput(Section):
    """An input of so many numbers without an order in space. They are taken as they are given."""

    features: Annotated[PositiveInt, Field(description="how many numbers")]
    mean: Annotated[
        Number | tuple[Number, ...] | None, Field(description="subtracted: a number, or one per feature")
    ] = None
    std: Annotated[
        PositiveNumber | tuple[PositiveNumber, ...] | None,
        Field(description="divided by afterwards: a number, or one per feature"),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> VectorInput:
        _check_scaling(self.mean, self.std, self.features, "feature")
        return self

    @property
    def type(self) -> TensorType:
        """The type of one sample."""
        return TensorType((self.features,))


Input = ImageInput | SignalInput | VectorInput
"""One thing that a network takes."""

MODELS: dict[str, type[ImageInput] | type[SignalInput] | type[VectorInput]] = {
    "image": ImageInput,
    "signal": SignalInput,
    "vector": VectorInput,
}


def section_of(kind: TensorType) -> Input:
    """An input of this type with defaults for all but its size."""
    if kind.is_map:
        height, width, channels = kind.shape
        return ImageInput(height=height, width=width, channels=channels)
    if kind.is_signal:
        length, channels = kind.shape
        return SignalInput(length=length, channels=channels)
    return VectorInput(features=kind.channels)


def _check_scaling(mean: Any, std: Any, size: int, word: str) -> None:
    for name, values in (("mean", mean), ("std", std)):
        if isinstance(values, tuple) and len(values) != size:
            raise ValueError(f"`{name}` has {count(len(values), 'number')} for {count(size, word)}")


def read_inputs(document: Document, findings: Findings, top: Span) -> dict[str, Input] | None:
    """What the network takes, by name and in order; None with the reasons among the findings.

    `top` is where missing sections are reported.
    """
    root = document.root
    one, several = root.get("input"), root.get("inputs")
    one, several = (None if node is not None and is_null(node) else node for node in (one, several))
    key, keys = root.key("input"), root.key("inputs")
    if one is not None and several is not None:
        assert key is not None and keys is not None
        findings.error(
            "E219",
            "a spec has `input` or `inputs`, not both",
            keys.span,
            secondary=[Label(key.span, "the other is here")],
            help=["name what `input` says among the `inputs`: `inputs: {image: {height: 32, …}, other: {…}}`"],
        )
        return None
    if isinstance(several, LocatedMapping):
        assert keys is not None
        return _several(several, keys, document, findings)
    if isinstance(one, LocatedMapping):
        model = read_input(one, document, findings, "input", key.span if key else one.span)
        return None if model is None else {ONLY: model}
    from archspec.spec.hints import is_shape

    shaped = any(is_shape(name) for name in root.entries)  # of which is told elsewhere
    if one is None and several is None and not shaped:
        findings.error(
            "E203",
            "the spec needs `input`",
            top,
            help=["for example `input: {height: 32, width: 32, channels: 1}`"],
        )
    return None


def _several(node: LocatedMapping, keys: Scalar, document: Document, findings: Findings) -> dict[str, Input] | None:
    entries = {name: (key, value) for name, key, value in node.items() if not is_null(value)}
    if not entries:
        from archspec.spec.hints import INPUTS

        findings.error("E203", "`inputs` names nothing that the network takes", keys.span, help=[INPUTS])
        return None
    models: dict[str, Input | None] = {}
    for name, (key, value) in entries.items():
        good = _check_name(name, key, len(entries), findings)
        if not isinstance(value, LocatedMapping):
            from archspec.spec.hints import shape_hint, shape_of
            from archspec.spec.rewriting import in_place_of

            hint, shape = shape_hint(value.plain, name[:60]), shape_of(value.plain)
            findings.error(
                "E206",
                f"input `{name[:60]}` is a mapping, not {value.described}",
                value.span,
                help=[hint or KINDS],
                mends=in_place_of(None, value, name, shape, str(hint)) if shape is not None else [],
            )
            models[name] = None
            continue
        model = read_input(value, document, findings, f"input `{name[:60]}`", key.span, name[:60])
        models[name] = model if good else None
    return {name: model for name, model in models.items() if model is not None} if None not in models.values() else None


def _check_name(name: str, key: Scalar, number: int, findings: Findings) -> bool:
    if name == "previous":
        reason, help = "stands for what the layer before gives", "choose another name"
    elif name == ONLY and number > 1:
        reason, help = "is what the only input of a network is called", "say which it is, such as `image`"
    elif not NAME.match(name):
        reason, help = "cannot be a name", "names are letters, digits and _, and begin with a letter or _"
    else:
        return True
    findings.error("E213", f"`{name[:60]}` {reason}", key.span, help=[help])
    return False


def read_input(
    node: LocatedMapping, document: Document, findings: Findings, what: str, owner: Span, label: str = ONLY
) -> Input | None:
    """An image, a signal or a vector: which fields are given decides. `label` is its name."""
    for name, key, value in node.items():
        if not any(name in model.model_fields for model in MODELS.values()):
            from archspec.spec.hints import is_shape, shape_hint

            if is_shape(name) and (hint := shape_hint(value.plain, label, side="size" in name.lower())):
                from archspec.spec.hints import shape_of
                from archspec.spec.rewriting import fields_for

                shape = shape_of(value.plain)
                mends = fields_for(key, value, shape, hint) if shape is not None else []
                findings.error("E201", f"{what} has no field `{name[:60]}`", key.span, help=[hint], mends=mends)
                return None
    kinds = kind_of_input(node)
    if len(kinds) > 1:
        names = [f"{article(kind)} (`{key.value}`)" for kind, key in kinds.items()]
        last = list(kinds.values())[-1]
        findings.error("E219", f"{what} is {' or '.join(names)}, not both at once", last.span, help=[KINDS])
        return None
    kind = next(iter(kinds), None)
    if kind is None and not node.entries:
        findings.error("E203", f"{what} does not say how large it is", owner, help=[KINDS])
        return None
    made = read_model(MODELS[kind or "image"], node, document.env, findings, what, owner)
    if isinstance(made, ImageInput) and made.mean_image is not None:
        from archspec.spec.sections import located

        return located(made, node, findings)
    return made
