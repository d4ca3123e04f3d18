"""Caffe's `.caffemodel` files: each layer's blobs as tensors in PyTorch's words, whose order of axes is Caffe's too.

A file is one NetParameter of caffe.proto: layers in field 100, or of the two older forms in field 2. A blob is a shape
and numbers, `data` or `double_data`. What Caffe has otherwise than PyTorch, and becomes the same here:

- A BatchNorm layer holds sums of mean and variance and what both are divided by. The Scale layer behind it, which has
  its factors and biases, is part of it: `bn1.weight`, `bn1.bias`, `bn1.running_mean`, `bn1.running_var`.
- A BN layer of SegNet's has a factor and a bias alone, as if its mean were 0 and its variance 1.
- Older blobs have four axes, biases 1×1×1×C and matrices 1×1×O×I.

Source: caffe's src/caffe/proto/caffe.proto, batch_norm_layer.cpp, scale_layer.cpp, inner_product_layer.cpp
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from archspec.formats.mapping import DamagedError, mapped
from archspec.formats.protobuf import Message
from archspec.weights.stored import address, checked_shape, stored
from archspec.weights.tensors import Tensor, TensorFile, UnreadableError

SUFFIX = ".caffemodel"
TYPES_V1 = {4: "Convolution", 14: "InnerProduct", 39: "Deconvolution"}
"""Numbers of the layer types that the second form has, of those that own blobs of their own shapes."""
TYPES_V0 = {"conv": "Convolution", "innerproduct": "InnerProduct"}
_KERNELS = ("Convolution", "Deconvolution", "InnerProduct")
_WORDS: Mapping[str, Sequence[str]] = {
    "BatchNorm": ("running_mean", "running_var"),
    # SegNet's own Caffe has factor and bias alone, with the statistics in them; PSPNet's adds the statistics.
    "BN": ("weight", "bias", "running_mean", "running_var"),
    "PReLU": ("weight",),
    "Normalize": ("weight",),
    "Bias": ("bias",),
}


EPSILON = 1e-5
"""What normalisations add to variances, here and in Caffe: with it the variance of a BN layer of SegNet's is 1."""


class Layer(NamedTuple):
    """A layer with its blobs."""

    name: str
    type: str
    bottoms: Sequence[str]
    tops: Sequence[str]
    blobs: Sequence[Tensor]
    transposed: bool


def is_caffe(path: Path) -> bool:
    """Whether a file is one by its name: protobuf's files have no beginning of their own."""
    return path.suffix == SUFFIX


@contextmanager
def opened_caffe(path: Path) -> Iterator[TensorFile]:
    """The tensors of a `.caffemodel`. Raises `DamagedError`, `UnreadableError` and `OSError`."""
    with mapped(path) as content:
        layers = list(_layers(Message(content), _Places(path, content)))
    yield TensorFile(path, named_tensors(layers), layout="pytorch")


class _Places:
    """Where in a file bytes of its mapping lie."""

    def __init__(self, path: Path, content: memoryview) -> None:
        self.path = path
        self._begin = address(content)

    def of(self, part: memoryview) -> int:
        return address(part) - self._begin


def _layers(net: Message, places: _Places) -> Iterator[Layer]:
    """The layers that have blobs, in the file's order."""
    for number, fields in ((100, (1, 3, 4, 7)), (2, (4, 2, 3, 6))):
        for message in net.messages(number):
            name, bottom, top, blobs = fields
            source, type_ = message, message.text(2) if number == 100 else TYPES_V1.get(message.number(5), "")
            if number == 2 and 1 in message:  # the oldest form: a layer within its connections
                source = message.message(1)
                name, blobs, type_ = 1, 50, TYPES_V0.get(source.text(2), "")
            product = source.message(117 if number == 100 else 17)
            called = source.text(name)
            made = [
                _blob(blob, f"blob {place} of layer {called[:60]}", places)
                for place, blob in enumerate(source.messages(blobs))
            ]
            if made:
                bottoms, tops = message.texts(bottom), message.texts(top)
                yield Layer(called, type_, bottoms, tops, made, product.number(6) != 0)


def _blob(blob: Message, what: str, places: _Places) -> Tensor:
    """A BlobProto as a tensor of its shape."""
    field, kind = (8, "float64") if 8 in blob else (5, "float32")
    width = np.dtype(kind).itemsize
    parts = list(blob.contents(field))
    if not parts and 12 in blob:
        raise UnreadableError("has numbers of a kind that Caffe itself does not have, in `raw_data`")
    if any(len(part) % width for part in parts):
        raise DamagedError(f"has {what} with half a number at its end: it is damaged")
    sizes = blob.message(7).numbers(1) if 7 in blob else [blob.number(field, 1) for field in (1, 2, 3, 4)]
    shape = checked_shape(sizes, sum(map(len, parts)) // width, what)
    if len(parts) == 1:
        return stored(places.path, places.of(parts[0]), shape, kind)
    pieces = [stored(places.path, places.of(part), (len(part) // width,), kind) for part in parts]
    return Tensor(shape, kind, lambda: np.concatenate([piece.load() for piece in pieces]).reshape(shape))


def named_tensors(layers: Sequence[Layer]) -> dict[str, Tensor]:
    """The tensors by their names. Raises `DamagedError` where two have one."""
    tensors: dict[str, Tensor] = {}
    owners = _owners(layers)
    for place, layer in enumerate(layers):
        name = owners.get(place, layer.name)
        for word, tensor in _of_layer(layer):
            called = f"{name}.{word}"
            if called in tensors:
                raise DamagedError(f"has two layers called {name[:100]}")
            tensors[called] = tensor
    return tensors


def _owners(layers: Sequence[Layer]) -> dict[int, str]:
    """By the place of a Scale layer the name of the BatchNorm layer that it is the second half of.

    That is the one that made what it takes last; its own blobs have the same size.
    """
    owners: dict[int, str] = {}
    made: dict[str, int] = {}
    for place, layer in enumerate(layers):
        if layer.type == "Scale" and len(layer.bottoms) == 1:
            before = made.get(layer.bottoms[0], -1)
            norm = layers[before]
            if before >= 0 and norm.type == "BatchNorm" and norm.blobs[0].shape == layer.blobs[0].shape:
                owners[place] = norm.name
        for top in layer.tops:
            made[top] = place
    return owners


def _of_layer(layer: Layer) -> Iterator[tuple[str, Tensor]]:
    """What the blobs of a layer are called, and the tensors in PyTorch's shapes."""
    blobs = [_flat(blob) for blob in layer.blobs]
    if layer.type in _KERNELS or layer.type not in (*_WORDS, "Scale"):
        blobs[0] = _kernel(layer)
    if layer.type == "BatchNorm":
        if len(blobs) != 3 or layer.blobs[2].size != 1:
            raise DamagedError(f"has a BatchNorm layer, {layer.name[:60]}, without the three blobs that Caffe's has")
        factor = blobs[2]
        blobs = [blob.changed(blob.shape, lambda own: _divided(own, factor)) for blob in blobs[:2]]
    if layer.type == "BN" and len(blobs) == 2:
        size = blobs[0].shape
        blobs += [Tensor.of(np.full(size, own, np.float32)) for own in (0, 1 - EPSILON)]
    words = _WORDS.get(layer.type, ("weight", "bias"))
    if len(blobs) > len(words):
        words = tuple(f"blobs.{place}" for place in range(len(blobs)))
    yield from zip(words, blobs, strict=False)


def _divided(sums: np.ndarray, factor: Tensor) -> np.ndarray:
    """Sums over what they are to be divided by; 0 where that is 0, as Caffe has it."""
    by = float(factor.load().reshape(-1)[0])
    return np.asarray(sums / by if by else np.zeros_like(sums), sums.dtype)


def _kernel(layer: Layer) -> Tensor:
    """A layer's kernel: of a matrix the older form has two axes too many, and it may lie the other way round."""
    kernel = layer.blobs[0]
    if layer.type != "InnerProduct":
        return kernel
    if len(kernel.shape) == 4 and kernel.shape[:2] == (1, 1):
        kernel = kernel.shaped(kernel.shape[2:])
    if not layer.transposed or len(kernel.shape) != 2:
        return kernel
    return kernel.turned


def _flat(blob: Tensor) -> Tensor:
    """A row of numbers, whose older form has axes of 1 before it."""
    return blob.shaped((blob.size,)) if max(blob.shape, default=1) == blob.size else blob
