"""What weights expect of images, and the names of their classes: fields of `input` that go with arrays."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import DataError
from archspec.fields import at_home
from archspec.images.preparation import Preparation
from archspec.spec.network import ImageInput
from archspec.weights.tensors import TensorFile

if TYPE_CHECKING:
    from archspec.loading import Spec

CLASSES = Path(__file__).parent / "classes"
ABOUT = "archspec"
"""Under this key a file that is exported says what its weights expect."""
PREPROCESSING = set(ImageInput.model_fields) - {"height", "width", "channels"}
"""The fields of `input` that go with weights: all but the size."""
NPY = "npy"
"""Under this name a file that is exported has the mean image itself: an `.npy` file in base64."""
MEANS = ("mean", "mean_image")
"""Two fields that say one thing: where one is given, the other must not be."""


class Expectations(NamedTuple):
    """What weights expect: fields of `input`, and the names of the classes. `inputs` has the fields of images by name
    where they are known apart. A mean image is the path of a file.
    """

    input: Mapping[str, Any]
    classes: list[str]
    inputs: Mapping[str, Mapping[str, Any]] = {}

    def of(self, name: str, image: ImageInput, *, alone: bool) -> Mapping[str, Any]:
        """The fields for an image that the network takes; beside others, not those for another number of channels."""
        fields = self.inputs.get(name, self.input)
        numbers = [len(value) for value in (fields.get("mean"), fields.get("std")) if isinstance(value, (list, tuple))]
        if fields.get("order") == "bgr":
            numbers.append(3)
        return fields if alone or all(number == image.channels for number in numbers) else {}


def other_arguments(spec: Spec, naming: str) -> dict[str, Any]:
    """The arguments that weights of a naming are of, where a spec has other values of them, or has none such."""
    known = spec.weights.get(naming)
    own = {} if known is None else known.args
    return {name: value for name, value in own.items() if name not in spec.args or spec.args[name] != value}


@contextmanager
def expectations(tensors: TensorFile, spec: Spec, naming: str) -> Iterator[Expectations]:
    """What a file that `export_weights` wrote says itself, or else the spec's table of those names.

    A mean image that the file has in itself is a file for as long as this lasts. Raises `DataError` (E542) where it is
    damaged.
    """
    with TemporaryDirectory() as folder:
        yield _said(tensors, Path(folder)) or _of_table(spec, naming)


def _said(tensors: TensorFile, folder: Path) -> Expectations | None:
    """What a file says itself; None where it says nothing, or not in our words."""
    try:
        about = _said_by(tensors)
        several = dict(about["inputs"]) if "inputs" in about else {}
        inputs = {str(name): _fields(fields) for name, fields in several.items()}
        own = {} if several else _fields(about["input"])
        classes = [str(name) for name in about["classes"]]
    except (KeyError, TypeError, ValueError):
        return None
    for number, fields in enumerate([own, *inputs.values()]):
        image = fields.get("mean_image")
        if image is None:
            continue
        try:
            content = b64decode(image[NPY], validate=True)
        except (TypeError, KeyError, ValueError):
            raise DataError("E542", f"the mean image that {tensors.path} has in itself is damaged") from None
        path = folder / f"{number}.npy"
        path.write_bytes(content)
        fields["mean_image"] = str(path)
    return Expectations(own, classes, inputs)


def _of_table(spec: Spec, naming: str) -> Expectations:
    known = spec.weights.get(naming)
    if known is None:
        return Expectations({}, [])
    fields = dict(known.input)
    if isinstance(fields.get("mean_image"), str):
        fields["mean_image"] = str(spec.folder / at_home(fields["mean_image"]))
    return Expectations(fields, class_names(known.classes) if known.classes is not None else [])


def with_one_mean(fields: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """The fields with the mean colour or the mean image alone: that among the `given` ones, where one is there."""
    chosen = next((name for name in MEANS if name in given), None)
    if chosen is not None:
        return {**{name: value for name, value in fields.items() if name != chosen}, _other(chosen): None}
    known = next((name for name in MEANS if fields.get(name) is not None), None)
    return dict(fields) if known is None else {**fields, _other(known): None}


def _other(mean: str) -> str:
    return next(name for name in MEANS if name != mean)


def _fields(fields: Any) -> dict[str, Any]:
    """Those of an image that go with weights. Raises ValueError or TypeError where it is no mapping."""
    return {name: value for name, value in dict(fields).items() if name in PREPROCESSING}


def _said_by(tensors: TensorFile) -> dict[str, Any]:
    """What a file that `export_weights` wrote says itself. Raises ValueError or KeyError where it says nothing."""
    try:
        return dict(json.loads(tensors.about[ABOUT]))
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def prepared(tensors: TensorFile) -> dict[str, Any]:
    """What a file that `export_weights` wrote says of how images were prepared before `input.fit`, as a record."""
    try:
        return {"images": Preparation.from_plain(_said_by(tensors)["images"]).to_plain()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def resized(fields: Mapping[str, Any], image: ImageInput, usual_image: ImageInput) -> dict[str, Any]:
    """The fields of `input`, where an input of another size than usual sees the same share of the picture."""
    usual, own = (max(item.height, item.width) for item in (usual_image, image))
    resized = dict(fields)
    if isinstance(resized.get("short_side"), int):
        resized["short_side"] = max(own, round(resized["short_side"] * own / usual))
    return resized


def expecting(spec: Spec) -> dict[str, Any]:
    """What a network's images go through: `input`, or `inputs` by name where it takes more than one thing."""
    fields = {name: image.model_dump(mode="json", include=PREPROCESSING) for name, image in spec.images.items()}
    for name, image in spec.images.items():
        if image.mean_pixels is not None:
            fields[name]["mean_image"] = {NPY: b64encode(image.mean_pixels.content).decode()}
    return {"input": next(iter(fields.values()), {})} if len(spec.inputs) == 1 else {"inputs": fields}


def class_names(kind: str) -> list[str]:
    """The names of ImageNet's 1,000 or PASCAL VOC's 21 classes."""
    return (CLASSES / f"{kind}.txt").read_text("utf-8").splitlines()
