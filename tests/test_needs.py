"""Memory of what recipes do for less of it: XLA's figures, as compiled programs have them."""

from __future__ import annotations

from typing import Any

import pytest

from archspec.data import LABEL
from archspec.figures.memory import training
from archspec.loading import load
from archspec.reports import report
from archspec.spec.needs import anew_flops, kept_by, training_memory
from archspec.spec.train import Ema, Train
from archspec.training.sizing import compiled_bytes, shapes_of
from tests.by_hand import by_hand

RECIPES: dict[str, dict[str, Any]] = {
    "ema": {"ema": Ema()},
    "micro_batches": {"micro_batches": 4},
    "remat": {"remat": "all"},
    "both": {"remat": "all", "micro_batches": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", by_hand(RECIPES, {"ema", "micro_batches", "remat"}))  # `both` has two
def test_predictions_are_near_xlas_figures(name: str) -> None:
    """Ratios of jax 0.10.2: 0.98, 0.95, 1.12, 1.07; without any 0.98."""
    spec = load("resnet20")
    assert spec.train is not None
    recipe = spec.train.model_copy(update={**RECIPES[name], "batch_size": 64})
    found = compiled_bytes(spec, recipe, spec.heads(), 64, *shapes_of(spec.inputs, {LABEL: ((), "int32")}))
    assert found is not None
    assert 0.9 < training_memory(spec.graph(), recipe).at(64) / found < 1.15


def test_parts_of_the_prediction_by_hand() -> None:
    graph = load("resnet20").graph()
    plain, recipe = training(graph), Train()
    assert training_memory(graph, None) == training_memory(graph, recipe) == plain
    seen = graph.pruned("train")
    own = training_memory(graph, recipe.model_copy(update=RECIPES["ema"]))
    assert own.fixed - plain.fixed == 4 * (seen.params + seen.count("statistics"))
    parts = training_memory(graph, recipe.model_copy(update=RECIPES["micro_batches"]))
    assert parts.parts["activations"].per_sample == -(-plain.parts["activations"].per_sample // 4)
    # The largest array's sum lies beside its part: 64 · 64 · 3 · 3 numbers.
    assert parts.fixed - plain.fixed == 4 * 64 * 64 * 9
    remat = recipe.model_copy(update=RECIPES["remat"])
    assert training_memory(graph, remat).per_sample < 0.5 * plain.per_sample
    assert 0.9 * seen.flops < anew_flops(graph, remat) < seen.flops
    assert "blocks computed anew, up to 9" in kept_by(graph, remat)
    assert kept_by(graph, recipe) == "" and kept_by(load("resnet20").graph(), recipe) == ""
    assert "micro-batches" not in str(report(load("resnet20")))
