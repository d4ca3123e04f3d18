"""Plans against the programs that XLA makes: every byte of every collective, and the memory of a device."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec.loading import open_spec
from archspec.sharding.collectives import Step, collectives
from archspec.sharding.memory import memory
from archspec.spec.needs import divided_step
from tests.sharding.programs import collectives as read
from tests.together import together

Write = Callable[..., Path]

DOES = "from tests.sharding.programs import main\nmain()"

SMALL = """input: {{height: 16, width: 16, channels: 8}}
layers:
  - conv: {{name: c1, filters: 32, kernel: 3, pad: 1}}
  - batch_norm: {{name: n1}}
  - relu
  - residual:
      name: block
      layers:
        - conv: {{name: c2, filters: 32, kernel: 3, pad: 1}}
        - batch_norm: {{name: n2}}
        - relu
  - max_pool: {{name: p, window: 2}}
  - global_avg_pool: {{name: g}}
  - dense: {{name: d, units: 64}}
  - dense: {{name: output, units: 10}}
train: {{{recipe}}}
"""


def holds(specs: list[tuple[Path, int]]) -> None:
    """Asks XLA for the programs of specs and batches, in one process of 8 devices, and holds the plans to them."""
    arguments = [word for path, batch in specs for word in (str(path), str(batch))]
    (out,) = together(DOES, 1, arguments, 8, timeout=900)
    said: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert len(said) == len(specs)
    for (path, batch), program in zip(specs, said, strict=True):
        spec = open_spec(str(path))
        assert spec.train is not None and spec.train.mesh is not None
        mesh, graph = spec.train.mesh.mesh, spec.graph()
        step = divided_step(graph, spec.train, Step(spec.train.precision, heads=spec.heads(), scatters=False))
        samples = batch // mesh.batches
        planned: Counter[str] = Counter()
        for item in collectives(graph, mesh, step, samples):
            planned[item.kind] += item.bytes
        assert program["found"] == dict(planned), path.read_text("utf-8")
        needed = memory(graph, mesh, step).at(samples)
        # Of a small network's program, what is neither arrays nor maps weighs.
        if program["memory"] > 10e6:
            assert needed == pytest.approx(program["memory"], rel=0.15), path.read_text("utf-8")


def test_what_is_read_of_a_program() -> None:
    text = """HloModule jit_step
%body (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  ROOT %all-reduce.1 = (f32[8]{0}, s32[]) all-reduce(%a, %b), to_apply=%add
}
%cond (p: (s32[], f32[8])) -> pred[] {
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}
ENTRY %main (p: f32[8]) -> f32[8] {
  %while.1 = (s32[], f32[8]{0}) while(%t), condition=%cond, body=%body, backend_config={"known_trip_count":{"n":"3"}}
  %all-gather-start.1 = (bf16[4]{0}, bf16[8]{0}) all-gather-start(%x), dimensions={0}
  %all-gather-done.1 = bf16[8]{0} all-gather-done(%all-gather-start.1)
}
"""
    assert read(text) == {"all-reduce": 3 * (4 * 8 + 4), "all-gather": 2 * 8}


FEW = ['mesh: "data=4,fsdp=2", optimiser: {adam: 0.001}, clip: 1.0', 'mesh: "data=2,fsdp=2,spatial=2", remat: block']
MORE = [
    'mesh: "data=8"',
    'mesh: "data=2,fsdp=2", micro_batches: 2, remat: block',
    "mesh: {data: 2, fsdp: 4, per_device: true}, ema: 0.9",
    'mesh: "data=4,spatial=2"',
    'mesh: "data=2,fsdp=2,spatial=2", micro_batches: 2, augment: [horizontal_flip, {mixup: 0.4}]',
]


@pytest.mark.parametrize("recipes", [FEW, pytest.param(MORE, marks=pytest.mark.slow)])
def test_a_small_network_has_the_collectives_that_are_planned_and_no_other(write: Write, recipes: list[str]) -> None:
    holds(
        [
            (write(SMALL.format(recipe=f"batch_size: 16, {recipe}"), f"{number}.yaml"), 16)
            for number, recipe in enumerate(recipes)
        ]
    )


MESHES = ["data=8", "data=4,fsdp=2", "fsdp=8", "spatial=2,data=4"]


@pytest.mark.minutes
@pytest.mark.parametrize(("name", "size", "batch"), [("resnet20", (32, 32), 64), ("segnet_basic", (96, 96), 16)])
def test_networks_of_the_zoo_have_the_collectives_that_are_planned(
    write: Write, name: str, size: tuple[int, int], batch: int
) -> None:
    specs = []
    for number, mesh in enumerate(MESHES):
        text = f"extends: {name}\ninput: {{height: {size[0]}, width: {size[1]}}}\n"
        text += f"train: {{batch_size: {batch}, mesh: '{mesh}'}}\n"
        specs.append((write(text, f"{number}.yaml"), batch))
    holds(specs)
