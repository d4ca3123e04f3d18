"""`remat: auto`: what is chosen fits, for hardly more multiply–adds than the best choice, also by XLA's figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from archspec.data import LABEL
from archspec.diagnostics import DataError, SpecError
from archspec.loading import load
from archspec.reports import report
from archspec.runs.folder import RUN
from archspec.spec.fitting import fitted
from archspec.spec.needs import training_memory
from archspec.spec.train import Train
from archspec.training import sizing
from archspec.training.run import train
from archspec.training.sizing import compiled_bytes, shapes_of

Write = Callable[..., Path]

UNIT = """
  - residual:
      name: unit{i}
      layers: [conv: {{filters: {filters}, kernel: {kernel}, pad: same}}, batch_norm, relu]
      shortcut: projection
"""
TEXT = """
input: {{height: 16, width: 16, channels: 3}}
layers:
  - repeat: {{times: 3, name: body, layers: [conv: {{filters: 8, kernel: 3, pad: same}}, batch_norm, relu]}}
  - flatten
  - dense: 3
train: {{dataset: {{npz: {data}}}, batch_size: 64, epochs: {epochs}, remat: auto{more}}}
"""


def test_choices_are_near_the_best_of_all_sets(write: Write) -> None:
    """Of all 32 sets of five blocks of other shapes and costs, by the multiply–adds of the cheapest that fits."""
    filters = (4, 16, 8, 32, 8)
    layers = "".join(UNIT.format(i=i, filters=number, kernel=1 + 2 * (i % 3)) for i, number in enumerate(filters))
    graph = load(
        write(f"input: {{height: 16, width: 16, channels: 3}}\nlayers:{layers}\n  - flatten\n  - dense: 3\n")
    ).graph()
    recipe = Train(batch_size=64)
    nodes = graph.pruned("train").nodes

    def within(path: str, blocks: Sequence[str]) -> bool:
        return any(path.startswith(f"{block}.") for block in blocks)

    units = [f"unit{i}" for i in range(5)]
    macs = {unit: sum(node.cost.macs for node in nodes if within(node.path, [unit])) for unit in units}
    sets = [own for size in range(6) for own in combinations(macs, size)]
    needs = {own: training_memory(graph, recipe.model_copy(update={"remat": own})).at(64) for own in sets}
    before, least = needs[()], min(needs.values())
    assert least < 0.7 * before
    for limit in np.linspace(least, before, 6).astype(int):
        found = fitted(graph, recipe, int(limit))
        best = min(sum(macs[block] for block in own) for own in sets if needs[own] <= limit)
        own = training_memory(graph, recipe.model_copy(update={"remat": found.blocks})).at(64)
        assert found.fits and found.before == before and found.after == own <= limit
        assert found.macs == sum(node.cost.macs for node in nodes if within(node.path, found.blocks)) <= 1.25 * best
    none = fitted(graph, recipe, least // 2)
    assert not none.fits and none.after <= least
    with pytest.raises(
        DataError, match=r"a training step needs .* by prediction, more than the .* blocks? computed anew"
    ):
        none.check()


def test_what_a_spec_says(write: Write) -> None:
    def spec(train: str) -> Path:
        return write(f"extends: resnet20\ntrain: {{{train}}}\n")

    found = load(spec("batch_size: 64, remat: auto, memory: 100MiB"))
    assert found.train is not None and found.train.memory == 100 * 2**20 and found.train.remat == "auto"
    text = str(report(found))
    blocks = "remat: auto: 3 blocks (layer1.0, layer1.1 and layer1.2) computed anew"
    assert f"{blocks}: a step needs 144 MiB by prediction, the limit is 100 MiB; then" in text
    assert "blocks computed anew, up to" in text
    assert load(write(found.to_yaml(), "again.yaml", whole=True)).train == found.train
    assert "training asks the device what is free" in str(report(load(spec("batch_size: 64, remat: auto"))))
    (warning,) = load(spec("batch_size: 64, remat: auto, memory: 3MiB")).diagnostics
    assert warning.code == "W307" and "with 6 blocks computed anew, the least, it is" in warning.message
    assert "by prediction, without the copies that only XLA on CPUs makes, more than" in warning.message
    for recipe, message in (
        ("remat: auto, batch_size: auto", "one of `batch_size` and `remat` can be auto"),
        ("memory: 1GiB", "`memory` is a limit for `remat: auto` or `batch_size: auto`"),
        ("remat: auto, memory: 16 apples", "must be a size with its unit"),
        ("remat: layr2", r"E515.: `remat` names `layr2`, which is no block of net(.|\n)*did you mean `layer2`"),
        ("remat: atuo", "did you mean `auto`"),
    ):
        with pytest.raises(SpecError, match=message):
            load(spec(recipe)).graph()
    # Of several fields the one is shown that is named first, and written.
    with pytest.raises(SpecError, match=r"yaml:4:25\n"):
        load(spec("batch_size: 64, memory: 1GiB"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "batch", "share"),
    [("resnet20", 64, 0.6), pytest.param("mobilenet_v2", 8, 0.75, marks=pytest.mark.minutes)],
)
def test_xla_compiles_what_is_chosen_to_what_was_predicted(name: str, batch: int, share: float) -> None:
    """Ratios of jax 0.10.2: 1.01, 1.00."""
    spec = load(name)
    graph = spec.graph()
    recipe = (spec.train or Train()).model_copy(update={"batch_size": batch, "lowerings": "library"})
    own = fitted(graph, recipe, int(share * training_memory(graph, recipe).at(batch)))
    assert own.fits and own.blocks
    settled = recipe.model_copy(update={"remat": own.blocks})
    shapes = shapes_of(spec.inputs, {LABEL: ((), "int32")})
    needs = compiled_bytes(spec, settled, spec.heads(), batch, *shapes)
    assert needs is not None and 0.85 < own.after / needs < 1.2


def data_in(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (128, 16, 16, 3)).astype(np.uint8), rng.integers(0, 3, 128)
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x[:8], y_test=y[:8])
    return folder / "data.npz"


@pytest.mark.slow
def test_a_run_keeps_what_was_chosen(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA is asked, and where it needs more than was predicted, more is computed anew."""
    data, folder = data_in(tmp_path), tmp_path / "run"

    def recipe(epochs: int, more: str = "") -> Path:
        return write(TEXT.format(data=data, epochs=epochs, more=more))

    spec = load(recipe(1))
    assert spec.train is not None
    graph = spec.graph()
    before = training_memory(graph, spec.train).at(64)
    room = sizing.Room(int(0.9 * before), "a test")
    monkeypatch.setattr(sizing, "room_for", lambda data: room)
    asked: list[tuple[str, ...]] = []

    def needed(spec: object, recipe: Train, *_: object) -> int:
        asked.append(tuple(recipe.remat))
        return room.bytes + 1 if len(asked) == 1 else room.bytes

    monkeypatch.setattr(sizing, "compiled_bytes", needed)
    train(spec, folder, progress=False)
    about = json.loads((folder / RUN).read_text())
    assert len(asked) == 2 and tuple(about["remat"]) == asked[1] and asked[1]
    (note,) = (note for note in about["notes"] if note.startswith("remat: auto"))
    assert "computed anew: a step needs" in note and "XLA compiles it to" in note
    room = sizing.Room(10 * before, "a larger one")
    train(load(recipe(2)), folder, progress=False)
    assert len(asked) == 2 and json.loads((folder / RUN).read_text())["remat"] == about["remat"]
    with pytest.raises(SpecError, match=r"E524.*does not fit into `memory`, 100 KiB"):
        train(load(recipe(1, ", memory: 100KiB")), tmp_path / "other", progress=False)
