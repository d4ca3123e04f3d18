"""The zoo: every network meets the figures of its papers and of the libraries that have it, and can be differentiated.

`zoo_figures.json` has the figures and the rows of the papers' tables, gathered independently of this package: counted
from published prototxt files, from torchvision and timm, or from restatements of the papers in PyTorch.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from archspec.graph import Graph
from archspec.loading import Spec, load, open_spec
from archspec.lower import build, split
from archspec.zoo import zoo_variants

SLOW = pytest.mark.slow
NAMES = [name for name, (_, variant) in zoo_variants().items() if variant]
FIGURES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "zoo_figures.json").read_text("utf-8"))

MISPRINTS = {
    # Ioffe & Szegedy's Figure 5 prints the input's grid for 3c and 4e, and other sums than those of its own widths.
    ("bn_inception", "3c"): [576, 14, 14],
    ("bn_inception", "4c"): [608, 14, 14],
    ("bn_inception", "4d"): [608, 14, 14],
    ("bn_inception", "4e"): [1056, 7, 7],
}

MAPS = {
    # Long et al.'s published nets on 500×500 images, from their prototxt files.
    "fcn32s": {
        "backbone.conv1_1": (698, 698, 64),
        "backbone.pool1": (349, 349, 64),
        "backbone.pool2": (175, 175, 128),
        "backbone.pool3": (88, 88, 256),
        "backbone.pool4": (44, 44, 512),
        "backbone.pool5": (22, 22, 512),
        "backbone.fc6": (16, 16, 4096),
        "score_fr": (16, 16, 21),
        "upscore": (544, 544, 21),
        "score": (500, 500, 21),
    },
    "fcn16s": {"upscore2": (34, 34, 21), "upscore16": (560, 560, 21), "score": (500, 500, 21)},
    "fcn8s": {"upscore2": (34, 34, 21), "upscore_pool4": (70, 70, 21), "upscore8": (568, 568, 21)},
    # Odd maps come back as they were (SegNet-Tutorial's prototxt files).
    "segnet": {
        "pool3": (45, 60, 256),
        "pool4": (23, 30, 512),
        "pool5": (12, 15, 512),
        "upsample5": (23, 30, 512),
        "upsample4": (45, 60, 512),
        "conv4_1_D.conv": (45, 60, 256),
        "upsample1": (360, 480, 64),
        "conv1_1_D": (360, 480, 11),
    },
    "segnet_basic": {"pool4": (23, 30, 64), "upsample4": (45, 60, 64), "conv_classifier": (360, 480, 11)},
}

TRAINED: dict[str, tuple[int, dict[str, Any]]] = {
    # Real numbers at a small size, where compiling takes seconds: overrides for the rest of the network's size.
    "alexnet": (67, {"classes": 3}),
    "caffenet": (67, {"classes": 3}),
    "zfnet": (67, {"classes": 3}),
    "googlenet": (96, {"classes": 3}),
    "resnet18": (64, {}),
    "plain18": (64, {}),
    "resnet20": (32, {}),
    "resnet50_preact": (64, {"depths": [1, 1, 1, 1]}),
    "resnet50_v1": (64, {"depths": [1, 1, 1, 1]}),
    "resnet110_preact": (32, {"depths": [1, 1, 1]}),
    "bn_inception": (64, {}),
    "fcn8s": (64, {"aligned": True, "width": 8, "hidden": 16}),
    "segnet": (45, {"classes": 3}),
    "segnet_basic": (45, {}),
    "lenet5": (32, {}),
    "lenet5_1998": (32, {}),
    "lenet1": (28, {}),
    "lenet_caffe": (28, {}),
}


@cache
def spec_of(name: str) -> Spec:
    return load(name)


def end_of(graph: Graph, path: str) -> tuple[int, ...]:
    """The output of a layer, or of the last layer in a scope."""
    return [node for node in graph.nodes if node.path == path or node.path.startswith(f"{path}.")][-1].output.shape


@pytest.mark.parametrize("name", NAMES)
def test_published_figures_are_met(name: str) -> None:
    spec = spec_of(name)
    assert not [item.message for item in spec.diagnostics if item.code != "W301"]
    published = spec.published
    assert published is not None
    graph = spec.graph().pruned("eval")
    assert published.params == graph.count("trainable")
    assert published.train_params in (None, spec.graph().count("trainable"))
    assert published.macs == graph.macs
    assert published.source


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_those_of_other_counts(name: str) -> None:
    figures, spec = FIGURES[name], spec_of(name)
    graph = spec.graph().pruned("eval")
    assert graph.count("trainable") == figures["params"]
    assert spec.graph().count("trainable") == figures.get("train_params", figures["params"])
    assert graph.macs == figures["macs"]
    for size, macs in figures.get("macs_at", {}).items():
        height, width = map(int, size.split("x"))
        assert spec.graph((height, width)).pruned("eval").macs == macs, size


def test_every_network_but_lenet_is_counted_elsewhere() -> None:
    own = {"lenet5", "lenet5_1998", "lenet1", "lenet_caffe", "vgg11_lrn", "plain18", "plain34"}
    assert set(NAMES) == set(FIGURES) | own
    counts = {name: spec_of(name).graph().count("trainable") for name in own}
    assert counts["lenet1"] == 2578
    assert counts["lenet5_1998"] == 60_000
    assert counts["lenet5"] == 61_706
    assert counts["lenet_caffe"] == 431_080
    assert counts["vgg11_lrn"] == FIGURES["vgg11"]["params"]


@pytest.mark.parametrize("name", [name for name, figures in FIGURES.items() if "rows" in figures])
def test_outputs_are_the_rows_of_the_papers_tables(name: str) -> None:
    graph = spec_of(name).graph().pruned("eval")
    for path, label, printed in FIGURES[name]["rows"]:
        channels, *size = MISPRINTS.get((name, path), printed)
        expected = (*size, channels)
        assert end_of(graph, path) in (expected, expected[2:] if expected[:2] == (1, 1) else expected), label


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_those_of_the_authors_files(name: str) -> None:
    nodes = spec_of(name).graph().by_path()
    assert {path: nodes[path].output.shape for path in MAPS[name]} == MAPS[name]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("lenet5_1998", {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}),
        ("lenet1", {"h1": 104, "h2": 8, "h3": 512, "h4": 24, "output": 1930}),
    ],
)
def test_layers_are_what_the_papers_tables_say(name: str, rows: dict[str, int]) -> None:
    nodes = spec_of(name).graph().by_path()
    assert {path: nodes[path].count("trainable") for path in rows} == rows


def test_a_missed_figure_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.layers.conv import Conv

    monkeypatch.setattr(Conv, "weights", lambda self, x: ())
    assert [item.code for item in load("lenet_caffe").diagnostics] == ["W303"]


def objective(graph: Graph, pure: Any, statistics: Any, x: jax.Array) -> Any:
    """A function of the parameters: the outputs of training, all of them, as one number; and what each of them is."""

    def loss(params: Any) -> tuple[jax.Array, Any]:
        outputs, _ = pure.apply(params, statistics, x, train=True, key=jax.random.key(1))
        named = outputs if isinstance(outputs, dict) else {"output": outputs}
        return sum((jnp.mean(jax.nn.log_softmax(value)) for value in named.values()), jnp.zeros(())), named

    return loss


OFTEN = {"caffenet", "zfnet", "plain18", "resnet50_v1", "resnet110_preact", "segnet_basic", "lenet5", "lenet5_1998"}
"""Compiled at each run of the tests, one or more of each family; the others in the slow tests."""


@pytest.mark.parametrize("name", [name if name in OFTEN else pytest.param(name, marks=SLOW) for name in TRAINED])
def test_gradients_are_finite(name: str) -> None:
    size, args = TRAINED[name]
    graph = load(name, **args).graph((size, size))
    pure, params, statistics = split(build(graph))
    x = jax.random.normal(jax.random.key(0), (2, *graph.input.shape))
    gradient = jax.jit(jax.value_and_grad(objective(graph, pure, statistics, x), has_aux=True))
    (value, _), gradients = gradient(params)
    assert jnp.isfinite(value)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradients))
    assert sum(bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(gradients)) > 0.9 * len(gradients)


def test_auxiliary_heads_are_pruned_in_evaluation_and_kept_where_they_are_evaluated() -> None:
    heads = {name: [output.name for output in spec_of(name).graph().pruned("eval").outputs] for name in NAMES}
    assert heads["googlenet"] == heads["googlenet_bn"] == ["logits"]
    assert heads["fcn_resnet50"] == heads["fcn_resnet101"] == ["out", "aux"]
    weights = {output.name: output.weight for output in spec_of("googlenet").graph().outputs}
    assert weights == {"logits": 1.0, "aux1": 0.3, "aux2": 0.3}


def test_examples_are_valid() -> None:
    folder = Path(__file__).parents[1] / "specs" / "examples"
    for path in sorted(folder.glob("*.yaml")):
        assert not open_spec(str(path)).diagnostics, path


def test_the_rbf_centres_are_ten_different_digits() -> None:
    _, _, statistics = split(build(load("lenet5_1998").graph()))
    centres = statistics["output.centres"]
    assert centres.shape == (10, 84)
    assert set(map(float, jnp.unique(centres))) == {-1.0, 1.0}
    distances = jnp.sum(jnp.square(centres[:, None] - centres[None]), axis=-1)
    assert float(jnp.where(jnp.eye(10) > 0, 1e9, distances).min()) > 20


@pytest.mark.parametrize("name", NAMES)
def test_the_elaborated_spec_is_the_same_network(name: str, tmp_path: Path) -> None:
    spec = spec_of(name)
    (tmp_path / "again.yaml").write_text(spec.to_yaml(), encoding="utf-8")
    again = load(tmp_path / "again.yaml")
    assert again.graph().nodes == spec.graph().nodes
    assert again.graph().outputs == spec.graph().outputs
    assert again.weights == spec.weights
    assert again.to_yaml() == spec.to_yaml()
