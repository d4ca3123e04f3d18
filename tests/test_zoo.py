"""The zoo: every network meets the figures of its papers and of the libraries that have it, and can be differentiated.

`tests/zoo/<stem>.json` has what the networks of `specs/zoo/<stem>.yaml` are held to; `tests/zoo/__init__.py` says how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod, sqrt
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.graph import Graph, Node
from archspec.loading import load, open_spec
from archspec.lower import build, outline, split
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.zoo import zoo_variants
from tests.by_hand import by_hand, every_third
from tests.zoo import FIGURES, FILES, Gradients, sampled

VARIANTS = zoo_variants()
NAMES = [name for name, (_, variant) in VARIANTS.items() if variant]
BY_HAND = {
    "inception_resnet_v2", "se_bn_inception", "nasnet_a_mobile", "inception_v3", "vgg11", "enet", "mnasnet1_0",
    "bn_inception", "xception", "wide_resnet50_2", "efficientnet_b0", "regnet_y_400mf", "senet154",
    "deeplabv3_resnet50",
}  # fmt: skip
"""They take from 6 to 23 s each."""
TRAINED = every_third(
    by_hand(
        [
            pytest.param(name, figures.gradients, marks=() if figures.gradients.often else pytest.mark.slow, id=name)
            for name, figures in FIGURES.items()
            if figures.gradients is not None
        ],
        BY_HAND,
    )
)


def test_every_network_has_figures_in_the_file_of_its_family() -> None:
    families: dict[str, set[str]] = {}
    for name in NAMES:
        families.setdefault(VARIANTS[name][0].stem, set()).add(name)
    assert families.keys() == FILES.keys(), "specs/zoo/<family>.yaml and tests/zoo/<family>.json go together"
    for stem, names in families.items():
        assert {name for name in FILES[stem] if "?" not in name} == names, stem
        assert {name.partition("?")[0] for name in FILES[stem]} == names, stem
    assert sum(map(len, FILES.values())) == len(FIGURES)


def test_every_family_is_tried() -> None:
    for stem, entries in FILES.items():
        assert any(entry.gradients for entry in entries.values()), stem
        assert any(entry.sample for entry in entries.values()), stem


def end_of(graph: Graph, path: str) -> tuple[int, ...]:
    """The output of a layer, or of the last layer in a scope."""
    return [node for node in graph.nodes if node.path == path or node.path.startswith(f"{path}.")][-1].output.shape


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_those_of_other_counts(name: str) -> None:
    figures, spec = FIGURES[name], load(name)
    assert not [item.message for item in spec.diagnostics if item.code != "W301"]
    whole = spec.graph()
    graph = whole.pruned("eval")
    assert graph.count("trainable") == figures.params
    assert whole.count("trainable") == (figures.train_params or figures.params)
    assert graph.macs == figures.macs
    assert figures.statistics in (None, graph.count("statistics"))
    nodes = whole.by_path()
    assert {path: nodes[path].count("trainable") for path in figures.layer_params} == figures.layer_params
    for path, label, printed in figures.rows:
        channels, *size = figures.misprints.get(path, printed)
        expected = (*size, channels)
        found = end_of(graph, path)
        assert found in (expected, expected[2:] if expected[:2] == (1, 1) else expected), label or path
    if name in NAMES:
        assert spec.published is not None and spec.published.source
        assert spec.published.params == figures.params
        assert spec.published.train_params in (None, figures.train_params or figures.params)
        assert spec.published.macs == figures.macs


@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name, figures in FIGURES.items() for size in figures.macs_at]
)
def test_multiply_adds_at_other_sizes(name: str, size: str) -> None:
    height, width = map(int, size.split("x"))
    assert load(name).graph((height, width)).pruned("eval").macs == FIGURES[name].macs_at[size]


def test_a_missed_figure_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.layers.conv import Conv

    monkeypatch.setattr(Conv, "weights", lambda self, x: ())
    assert [item.code for item in load("lenet_caffe").diagnostics] == ["W303"]


COMPILED_QUICKLY = {"xla_backend_optimization_level": 0}
"""Programs that run once: LLVM's optimisations would take longer than what they save."""


def objective(graph: Graph, pure: Any, statistics: Any, x: Any) -> Any:
    """A function of the parameters: the outputs of training, all of them, as one number; and what each of them is.

    Operations are the library's: candidates for them have tests of their own, and take longer to compile.
    """

    def loss(params: Any) -> tuple[jax.Array, Any]:
        outputs, _ = pure.apply(params, statistics, x, train=True, key=jax.random.key(1), lowerings=BY_LIBRARY)
        named = outputs if isinstance(outputs, dict) else {"output": outputs}
        return sum((jnp.mean(jax.nn.log_softmax(value)) for value in named.values()), jnp.zeros(())), named

    return loss


def numbers(name: str, shape: tuple[int, ...]) -> Any:
    """An array as one that was trained a little, without what the initialisers cost to compile."""
    generator = np.random.default_rng(crc32(name.encode()))
    if len(shape) < 2:
        return np.asarray(generator.uniform(0.5, 1.5, shape), np.float32)
    return np.asarray(generator.standard_normal(shape) * sqrt(2 / prod(shape[:-1])), np.float32)


@pytest.mark.parametrize(("name", "gradients"), TRAINED)
def test_gradients_are_finite(name: str, gradients: Gradients) -> None:
    graph = load(name, **gradients.set).graph((gradients.size, gradients.size))
    pure, *shapes = outline(graph)
    params, statistics = ({key: numbers(key, leaf.shape) for key, leaf in part.items()} for part in shapes)
    x = np.asarray(np.random.default_rng(0).standard_normal((2, *graph.input.shape)), np.float32)
    loss = objective(graph, pure, statistics, x)
    gradient = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=COMPILED_QUICKLY)
    # By NumPy: JAX would compile each question for each shape.
    (value, _), found = jax.device_get(gradient(params))
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in found.values())
    assert sum(bool(leaf.any()) for leaf in found.values()) > 0.9 * len(found)


def test_auxiliary_heads_are_pruned_in_evaluation_and_kept_where_they_are_evaluated() -> None:
    def heads(name: str) -> list[str]:
        return [output.name for output in load(name).graph().pruned("eval").outputs]

    assert heads("googlenet") == heads("googlenet_bn") == ["logits"]
    assert heads("fcn_resnet50") == heads("fcn_resnet101") == ["out", "aux"]
    weights = {output.name: output.weight for output in load("googlenet").graph().outputs}
    assert weights == {"logits": 1.0, "aux1": 0.3, "aux2": 0.3}


def test_examples_are_valid() -> None:
    folder = Path(__file__).parents[1] / "specs" / "examples"
    for path in sorted(folder.glob("*.yaml")):
        assert not open_spec(str(path)).diagnostics, path


def test_the_rbf_centres_are_ten_different_digits() -> None:
    _, _, statistics = split(build(load("lenet5_1998").graph()))
    centres = np.asarray(statistics["output.centres"])
    assert centres.shape == (10, 84)
    assert set(np.unique(centres)) == {-1.0, 1.0}
    distances = np.square(centres[:, None] - centres[None]).sum(-1)
    assert np.where(np.eye(10) > 0, 1e9, distances).min() > 20


def by_inputs(nodes: Sequence[Node]) -> list[Node]:
    """Nodes without the names of others in their fields, which are shorter within a block: their inputs say which."""
    return [
        replace(node, layer=node.layer.model_copy(update=dict.fromkeys(node.layer.references)))
        if node.layer.references
        else node
        for node in nodes
    ]


@pytest.mark.parametrize("name", sampled(NAMES))
def test_the_elaborated_spec_is_the_same_network(name: str, tmp_path: Path) -> None:
    spec = load(name)
    (tmp_path / "again.yaml").write_text(spec.to_yaml(), encoding="utf-8")
    again = load(tmp_path / "again.yaml")
    assert by_inputs(again.graph().nodes) == by_inputs(spec.graph().nodes)
    assert again.graph().outputs == spec.graph().outputs
    assert again.weights == spec.weights
    assert again.to_yaml() == spec.to_yaml()
