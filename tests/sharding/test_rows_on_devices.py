"""Networks with their rows divided give what they give on one device, and exchange what `Rows` says, in bytes.

Devices are simulated, which has to be asked for before JAX starts: one process, `python -m
tests.sharding.test_rows_on_devices`, runs all functions of `CASES`, or those that are named, and says what became of
each.
"""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, cast

import jax
import jax.numpy as jnp
import pytest

from archspec.diagnostics import ShapeError
from archspec.graph import Graph, GraphInput, Node, Output
from archspec.kinds import kind_names
from archspec.layers import Layer
from archspec.layers.conv import Conv
from archspec.layers.global_max_pool import GlobalMaxPool
from archspec.layers.max_pool import MaxPool
from archspec.loading import load
from archspec.mesh import Mesh
from archspec.passes import groups_of
from archspec.sharding.rows import rows_of
from archspec.types import Taps, TensorType
from tests.layers.test_conformance import from_example, kind_of, read
from tests.sharding.on_devices import BATCH, Pass, differences
from tests.together import came_to

FAST = ["equal_maxima", "exchanges_are_those_of_the_program"]
SLOW = [
    *("every_kind", "further_layers", "unet", "computed_anew", "loops", "in_16_bits"),
]


@pytest.mark.slow
@pytest.mark.jax
def test_on_devices() -> None:
    assert came_to(__name__, FAST, 1500) == dict.fromkeys(FAST, "")


@pytest.mark.jax
@pytest.mark.minutes
@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_on_devices_slowly(name: str) -> None:
    assert came_to(__name__, [name], 1500) == {name: ""}


def alike(own: Pass, *meshes: Mesh, within: float = 1e-5) -> list[Any]:
    """Holds the divided networks to that on one device; gives the compiled programs."""
    one, programs = own.alone(), []
    for mesh in meshes:
        program, results = own.divided(mesh)
        far = {name: by for name, by in differences(one, results).items() if not by <= within}
        assert not far, (mesh.said, far)
        programs.append(program)
    return programs


class Kinds:
    """A network of the examples of all kinds side by side: each takes inputs of its own, and is an output."""

    def __init__(self) -> None:
        self.inputs: list[GraphInput] = []
        self.nodes: list[Node] = []
        self.outputs: list[Output] = []

    def graph(self) -> Graph:
        return Graph("kinds", tuple(self.inputs), tuple(self.nodes), tuple(self.outputs))

    def add(self, path: str, layer: Layer, sources: list[int], types: list[TensorType]) -> int:
        output = layer.infer(*types)
        # No receptive field is asked for.
        node = Node(path, layer, tuple(sources), tuple(types), output, cast(Any, None))
        self.nodes.append(node)
        return len(self.nodes) - 1

    def given(self, path: str, kind: TensorType) -> int:
        """An input, behind a convolution where it is a map, so that its rows are divided."""
        self.inputs.append(GraphInput(path.replace(".", "_"), kind))
        source = -len(self.inputs)
        if not kind.is_map or kind.shape[0] == 1:
            return source
        return self.add(f"{path}.pre", Conv(filters=kind.channels, kernel=(1, 1)), [source], [kind])

    def case(self, path: str, layer: Layer, types: tuple[TensorType, ...]) -> None:
        sources, taken = [], []
        for number, kind in enumerate(types):
            own = f"{path}.in{number}"
            if kind.taps is None:
                sources.append(self.given(own, kind))
                taken.append(kind)
                continue
            pool = pooling(kind.taps, kind)
            whole = TensorType(kind.taps.map)
            sources.append(self.add(f"{own}.pool", pool, [self.given(own, whole)], [whole]))
            taken.append(pool.tap_indices(whole))
        node = self.add(f"{path}.tested", layer, sources, taken)
        self.outputs.append(Output(path.replace(".", "_"), node))


def pooling(taps: Taps, pooled: TensorType) -> MaxPool:
    """One whose windows lie so."""
    pad = tuple(
        (before, max(0, (count - 1) * step + (size - 1) * spread + 1 - have - before))
        for before, count, step, size, spread, have in zip(
            taps.before, pooled.spatial, taps.stride, taps.window, taps.dilation, taps.map[:-1], strict=True
        )
    )
    return MaxPool(window=taps.window, stride=taps.stride, dilation=taps.dilation, pad=pad)


def cases(height: int | None) -> Iterator[tuple[str, Layer, tuple[TensorType, ...]]]:
    """The examples of all kinds with maps, with another height where one fits."""
    for name in kind_names("layers"):
        for index, example in enumerate(kind_of(name).examples):
            layer, inputs = from_example(name, example)
            if not any(x.is_map and x.shape[0] > 1 for x in inputs):
                continue
            # What is unpooled has examples of its own below.
            unpooled = any(x.taps for x in inputs)
            changed = inputs if height is None or unpooled else tuple(higher(x, height) for x in inputs)
            try:
                layer.infer(*changed)
            except ShapeError:
                continue
            yield f"{name}{index}", layer, changed


def higher(x: TensorType, height: int) -> TensorType:
    if not x.is_map or x.shape[0] == 1:
        return x
    return TensorType((height, *x.shape[1:]), x.dtype)


FURTHER: list[tuple[Any, tuple[int, ...]]] = [
    ({"conv": {"filters": 3, "kernel": [5, 3], "dilation": 2, "pad": "same"}}, (16, 5, 2)),
    ({"conv": {"filters": 3, "kernel": [4, 3], "stride": 2, "pad": [[0, 2], [1, 0]], "bias": False}}, (16, 5, 2)),
    ({"depthwise_conv": {"kernel": 3, "stride": 2, "pad": "same_upper"}}, (16, 6, 2)),
    ({"conv": {"filters": 2, "kernel": 1, "stride": 2}}, (16, 6, 2)),
    ({"max_pool": {"window": 3, "stride": 2, "pad": 1}}, (16, 7, 2)),
    ({"max_pool": {"window": 3, "stride": 1, "pad": "same"}}, (16, 7, 2)),
    ({"avg_pool": {"window": 3, "stride": [3, 2], "rounding": "ceil"}}, (24, 8, 2)),
    ({"avg_pool": {"window": [2, 3], "stride": [2, 1], "pad": [[0, 0], [1, 1]], "count_pad": False}}, (16, 6, 2)),
    ({"avg_pool": {"window": 3, "stride": 1, "pad": 1}}, (16, 6, 2)),
    ({"transposed_conv": {"filters": 3, "kernel": 4, "stride": 2, "pad": 1}}, (8, 5, 2)),
    ({"transposed_conv": {"filters": 4, "kernel": 3, "stride": 2, "pad": 1, "output_pad": 1, "groups": 2}}, (8, 5, 2)),
    ({"transposed_conv": {"filters": 3, "kernel": 2, "stride": 3, "output_pad": 1}}, (8, 5, 2)),
    ({"transposed_conv": {"filters": 3, "kernel": 3, "pad": 2, "dilation": 2}}, (8, 5, 2)),
    ({"transposed_conv": {"filters": 2, "kernel": 2, "stride": 2, "bias": False}}, (8, 5, 2)),
    ({"adaptive_avg_pool": [8, 3]}, (16, 5, 2)),
    ({"adaptive_max_pool": [8, 3]}, (24, 5, 2)),
    ({"resize": {"factor": 3}}, (8, 5, 2)),
    ({"resize": {"size": [8, 9]}}, (24, 5, 2)),
    ({"resize": {"size": [12, 9], "mode": "nearest"}}, (8, 5, 2)),
    ({"pad": {"sides": [[0, 0], [2, 1]], "mode": "edge"}}, (8, 5, 2)),
    ({"crop": {"sides": [[0, 0], [2, 1]]}}, (8, 5, 2)),
    ({"slice": {"rows": "1::2", "columns": "1:"}}, (16, 5, 2)),
    ({"pad_channels": {"channels": 4, "stride": 2}}, (16, 5, 2)),
    ({"subsample": {"window": 3, "stride": 1, "pad": 1}}, (16, 5, 2)),
]
"""Layers of which each is divided, for kinds whose examples have other heights."""

UNPOOLED = [
    (Taps((16, 6, 2), (2, 2), (2, 2), (0, 0), (1, 1)), (8, 3, 2)),
    (Taps((16, 7, 2), (3, 3), (2, 2), (1, 1), (1, 1)), (8, 4, 2)),
    (Taps((16, 7, 2), (4, 3), (2, 2), (1, 1), (2, 1)), (8, 4, 2)),
]
"""How windows of a pooling lay that is undone."""


PACK = 8
"""Cases in one program: one of all would take longer to compile than all of these."""


def kinds(parts: int, height: int | None, further: bool = False) -> None:
    """Examples of all kinds with maps of a height, and those of `FURTHER` and `UNPOOLED`, where they are asked for."""
    chosen = [(path, layer, types, False) for path, layer, types in cases(height)]
    if further:
        chosen = [(f"further{number}", read(own), (TensorType(of),), True) for number, (own, of) in enumerate(FURTHER)]
        for number, (taps, shape) in enumerate(UNPOOLED):
            given = (TensorType(shape), TensorType(shape, "uint8", taps))
            chosen.append((f"unpooled{number}", read({"max_unpool": "pool"}), given, True))
    for begin in range(0, len(chosen), PACK):
        own = Kinds()
        for path, layer, types, divides in chosen[begin : begin + PACK]:
            own.case(path, layer, types)
            place = rows_of(own.graph(), Mesh(spatial=parts)).places[-1]
            assert not divides or place.divided, (layer, place.why)
        # Before a batch norm most of a gradient cancels, and what is left has fewer right digits.
        alike(Pass(own.graph()), Mesh(data=2, spatial=parts), within=1e-4)


def equal_maxima() -> None:
    """Of equal maxima on several devices the first has the gradient."""
    own = Kinds()
    own.case("ties", GlobalMaxPool(), (TensorType((8, 3, 2)),))
    tested = Pass(own.graph())
    tested.params["ties.in0.pre.kernel"] = jnp.eye(2)[None, None]
    tested.inputs["ties_in0"] = jnp.round(tested.inputs["ties_in0"])
    alike(tested, Mesh(data=2, spatial=2), Mesh(data=2, spatial=4))


def every_kind() -> None:
    kinds(2, 8)


def further_layers() -> None:
    kinds(2, None, further=True)


def unet() -> None:
    alike(Pass(load("unet_padded", width=4, depth=2).graph(input=(32, 32))), Mesh(2, 2, 2), Mesh(spatial=4))
    # Without padding only a few layers divide, and all is gathered again.
    alike(Pass(load("unet", width=4, depth=1).graph(input=(44, 32))), Mesh(data=2, spatial=2))


def computed_anew() -> None:
    graph = load("resnet20").graph(input=(16, 16))
    own = Pass(graph, groups_of(graph.pruned("train"), remat="all"))
    (program,) = alike(own, Mesh(data=2, spatial=2))
    assert exchanged(program, BATCH // 2) == named(own, 2, BATCH // 2)


def loops() -> None:
    graph = load("resnet20").graph(input=(16, 16))
    groups = groups_of(graph.pruned("train"), ("fuse_pointwise", "scan_blocks"))
    assert any(group.how == "scan_blocks" for group in groups)
    alike(Pass(graph, groups), Mesh(data=2, spatial=2))
    # Convolutions that share an input run as one on own rows.
    graph = load("googlenet").graph(input=(96, 96))
    groups = groups_of(graph.pruned("train"), ("fuse_pointwise",))
    assert any(group.how == "fuse_pointwise" for group in groups)
    alike(Pass(graph, groups), Mesh(data=2, spatial=2))


def in_16_bits() -> None:
    """Numbers are rounded elsewhere where sums are divided, so both are off, and not by more than each."""
    graph = load("unet_padded", width=4, depth=1).graph(input=(16, 16))
    alike(Pass(graph, precision=jnp.bfloat16), Mesh(data=2, spatial=2), within=0.1)


def exchanges_are_those_of_the_program() -> None:
    own = Pass(load("segnet_basic", width=4).graph(input=(64, 32)))
    for parts in (2, 4):
        program, _ = own.divided(Mesh(spatial=parts))
        assert exchanged(program, BATCH) == named(own, parts, BATCH)


COLLECTIVE = re.compile(r" = (\S+) (collective-permute|all-gather|all-to-all|reduce-scatter)(?:-start)?\(")
REDUCE = re.compile(r" = (.+) all-reduce(?:-start)?\(")
SHAPE = re.compile(r"([a-z]+)(\d+)\[([\d,]*)\]")


def exchanged(program: Any, samples: int) -> Counter[tuple[str, int]]:
    """The collectives of maps in a compiled program by kind, with the bytes that each device has afterwards.

    Sums of arrays' gradients, and of batch statistics, are no maps: they have one axis, or are those of arrays.
    """
    found: Counter[tuple[str, int]] = Counter()
    for line in program.as_text().splitlines():
        if match := COLLECTIVE.search(line):
            found[match[2], size_of(match[1])] += 1
        elif match := REDUCE.search(line):
            for shape in SHAPE.finditer(match[1]):
                axes = shape[3].split(",")
                # A map begins with the samples of the batch.
                if len(axes) == 4 and int(axes[0]) == samples:
                    found["all-reduce", size_of(shape[0])] += 1
    return found


def size_of(text: str) -> int:
    match = SHAPE.search(text)
    assert match is not None
    return prod(int(axis) for axis in match[3].split(",") if axis) * int(match[2]) // 8


def named(own: Pass, parts: int, samples: int) -> Counter[tuple[str, int]]:
    """The same as `Rows` says it: forward, and backward where there is a gradient."""
    rows = rows_of(own.graph, Mesh(spatial=parts))
    # The gradient by the input is no part of training; `Pass` sums it.
    found = Counter({("all-reduce", samples * own.graph.input.size * 4): 1})
    for one in rows.exchanges(own.groups):
        if one.source is None:
            continue
        indices = one.source[1]
        size = samples * one.whole * (1 if indices else 4)
        forward = "all-gather" if one.kind == "gather" else "collective-permute"
        found[forward, size] += one.times * (2 if one.again else 1)
        if not indices:
            found["all-reduce" if one.kind == "gather" else "collective-permute", size] += one.times
    return found


def test_kinds_that_are_divided() -> None:
    """Whoever changes what is divided says so here: of maps with 16 rows, or of `FURTHER`, on two devices."""
    local: set[str] = set()
    whole: set[str] = set()
    examples = [(layer, types) for _, layer, types in cases(16)]
    examples += [(read(own), (TensorType(shape),)) for own, shape in FURTHER]
    for layer, types in examples:
        own = Kinds()
        own.case("one", layer, types)
        (local if rows_of(own.graph(), Mesh(spatial=2)).places[-1].on else whole).add(layer.kind)
    assert whole - local == {"flatten", "locally_connected", "reshape", "self_attention"}


CASES: dict[str, Callable[[], None]] = {name: globals()[name] for name in (*FAST, *SLOW)}

if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    ended = {}
    for name in sys.argv[1:] or CASES:
        try:
            began = time.monotonic()
            CASES[name]()
            print(f"{name}: {time.monotonic() - began:.1f} s", file=sys.stderr)
            ended[name] = ""
        except Exception:  # of whichever type: it is told of
            ended[name] = traceback.format_exc()
    print(json.dumps(ended))
