"""Darknet's `.weights` files: numbers in a row, whose names and shapes are those of a network's layers in order.

A file begins with three whole numbers of 32 bits (major, minor, revision) and the count of images that were seen, of 64
bits from version 0.2 on and 32 before. Then come, layer by layer as the .cfg has them, float32:

- a convolution: biases; with normalisation its factors, means and variances; the kernel (O, I/groups, H, W);
- a connected layer: biases, the kernel (O, I); with normalisation its factors, means and variances behind them;
- a normalisation by itself: factors, means and variances, in AlexeyAB's Darknet biases before them.

In files of versions above 1,000 a connected layer's kernel is (I, O).

Source: darknet's src/parser.c, load_weights_upto, load_convolutional_weights, load_connected_weights
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError, article, count
from archspec.formats.mapping import DamagedError
from archspec.graph import Graph, Node
from archspec.weights.behind import behind
from archspec.weights.layout import order_of, orders, to_torch_shape
from archspec.weights.naming import Naming
from archspec.weights.stored import stored
from archspec.weights.tensors import Row, Tensor, TensorFile

SUFFIX = ".weights"
NAMES = "darknet"
"""What a spec's table for these files is called, whose `input` and `classes` they expect."""


class _Array(NamedTuple):
    node: Node
    name: str


def is_darknet(path: Path) -> bool:
    """Whether a file is one by its name: it begins with small numbers, as many files do."""
    return path.suffix == SUFFIX


@contextmanager
def opened_darknet(path: Path) -> Iterator[TensorFile]:
    """The numbers of a file without names. Raises `DamagedError` and `OSError`."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(20)
    if len(head) < 16:
        raise DamagedError("is shorter than the head of a .weights file of Darknet's")
    major, minor, _ = struct.unpack("<3i", head[:12])
    if not (0 <= major < 10_000 and 0 <= minor < 10_000):
        raise DamagedError(f"begins with {major} and {minor}, which is no version of Darknet's")
    start = 20 if major * 10 + minor >= 2 and major < 1000 and minor < 1000 else 16
    if size < start or (size - start) % 4:
        raise DamagedError(
            f"has {count(max(size - start, 0), 'byte')} behind its head, which are no numbers of four bytes"
        )
    yield TensorFile(path, {}, row=Row(start, (size - start) // 4, major > 1000 or minor > 1000))


def in_order(graph: Graph, naming: Naming, file: TensorFile) -> TensorFile:
    """The numbers of a file as the tensors of a network, by its layers' order. Raises `DataError`.

    A file may end behind a layer, as the beginning of a network does; it may not end within one, nor have more.
    """
    assert file.row is not None
    row = file.row
    names = {(slot.node.owner, slot.weight.name): (name, slot) for name, slot in naming.items()}
    layouts = orders(graph)
    tensors: dict[str, Tensor] = {}
    at = 0
    last = ""
    for arrays in _layers(graph):
        size = sum(names[array.node.owner, array.name][1].weight.size for array in arrays)
        if at == row.numbers and tensors:
            break
        if at + size > row.numbers:
            raise DataError(
                "E532",
                f"{file.path} ends within {arrays[0].node.path}: it has {count(row.numbers, 'number')}, and the layers "
                f"of {graph.name} as far as this one have {at + size:,}",
                notes=_counted(graph, names, row.numbers),
                help=["the file is cut short, or of another network or another number of classes"],
            )
        for array in arrays:
            name, slot = names[array.node.owner, array.name]
            shape = to_torch_shape(slot.weight, order_of(slot.node, layouts), slot.form)
            turned = row.transposed and array.node.kind == "dense" and array.name == "kernel"
            tensor = stored(file.path, row.start + 4 * at, shape[::-1] if turned else shape)
            tensors[name] = tensor.turned if turned else tensor
            at += slot.weight.size
        last = arrays[0].node.path
    if at < row.numbers:
        raise DataError(
            "E532",
            f"{file.path} has {count(row.numbers - at, 'number')} more than the layers of {graph.name}, which end with "
            f"{last}",
            notes=_counted(graph, names, row.numbers),
            help=["the file is of another network, or of another number of classes"],
        )
    return TensorFile(file.path, tensors, file.about, layout="pytorch")


def _counted(graph: Graph, names: Mapping[tuple[str, str], object], numbers: int) -> list[str]:
    total = sum(weight.size for node in graph.nodes for weight in node.weights if (node.owner, weight.name) in names)
    return [f"{graph.name} has {count(total, 'number')} in its layers, and the file {numbers:,}"]


def _layers(graph: Graph) -> Iterator[list[_Array]]:
    """The arrays of each layer of Darknet's, in the file's order: a kernel with the normalisation behind it."""
    norms = {
        path: norm
        for path, norm in behind(graph).items()
        if {weight.name for weight in norm.weights} == {"scale", "bias", "mean", "var"}
    }
    normed = {norm.path for norm in norms.values()}
    for node in graph.nodes:
        if not node.weights or node.path in normed:
            continue
        own = [weight.name for weight in node.weights]
        norm = norms.get(node.path)
        if "kernel" not in own or set(own) - {"kernel", "bias"}:
            if node.kind != "batch_norm":
                raise DataError(
                    "E538",
                    f"{node.path} is {article(node.kind)} with weights, which Darknet does not have",
                    help=["files of Darknet's are of convolutions, connected layers and normalisations"],
                )
            yield [_Array(node, name) for name in ("bias", "scale", "mean", "var") if name in own]
            continue
        before, kernel = [_Array(node, "bias")] if "bias" in own else [], [_Array(node, "kernel")]
        statistics: list[_Array] = []
        if norm is not None:
            before = [_Array(norm, "bias")]
            statistics = [_Array(norm, name) for name in ("scale", "mean", "var")]
        yield [*before, *kernel, *statistics] if node.kind == "dense" else [*before, *statistics, *kernel]
