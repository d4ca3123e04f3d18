"""Layers, blocks and rounds that use the arrays of others: what is counted, computed, learned, written and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.loading import load
from archspec.lower import build, split
from archspec.reports import report
from archspec.training.freezing import frozen_by
from archspec.weights.matching import match
from archspec.weights.tensors import TensorFile
from tests.findings import errors

Write = Callable[..., Path]
Arrays = dict[str, Any]
RECORDED = Path(__file__).parent / "pytorch" / "shared.npz"

SIAMESE = """
inputs:
  left: {height: 6, width: 7, channels: 2}
  right: {height: 6, width: 7, channels: 2}
blocks:
  encoder:
    args: {filters: int, kernel: 3}
    layers: [{conv: {name: c, filters: $(filters), kernel: $(kernel)}}, {batch_norm: {name: b}}, relu, global_avg_pool]
layers:
  - encoder: {name: a, from: left, filters: 4}
  - encoder: {name: b, from: right, weights: a}
  - concat: {name: y, from: [a, b]}
"""

RECURRENT = """
inputs: {state: {features: 6}, sequence: {length: 5, channels: 4}}
layers:
  - repeat:
      name: t
      from: state
      times: 5
      as: i
      tied: true
      layers:
        - dense: {name: hidden, units: $(previous.features)}
        - slice: {from: sequence, length: ["$(i)", "$(i + 1)"]}
        - flatten
        - dense: {name: step, units: "$(state.features)"}
        - add: {from: [previous, hidden]}
        - tanh
"""


def of(name: str) -> dict[str, np.ndarray]:
    with np.load(RECORDED) as file:
        return {key.removeprefix(f"{name}."): file[key] for key in file.files if key.startswith(f"{name}.")}


def owners(graph: Graph) -> dict[str, str]:
    return {node.path: node.owner for node in graph.nodes if node.arrays}


def learned(graph: Graph, params: Arrays, x: Any) -> tuple[jax.Array, Arrays, Arrays]:
    """The output in training, the gradients of Σ y·(k mod 7 − 3), and the statistics afterwards."""
    pure, drawn, statistics = split(build(graph))
    assert drawn.keys() == params.keys()

    def loss(params: Arrays) -> tuple[jax.Array, tuple[jax.Array, Arrays]]:
        y, after = pure.apply(params, statistics, x, train=True)
        assert isinstance(y, jax.Array)
        return jnp.sum(y * (jnp.arange(y.size).reshape(y.shape) % 7 - 3)), (y, after)

    grads, (y, after) = jax.jit(jax.grad(loss, has_aux=True))(params)
    return y, grads, after


def test_a_siamese_network_equals_pytorchs(write: Write) -> None:
    """Outputs, gradients summed over both towers, and statistics that both calls move, one after the other."""
    want = of("siamese")
    graph = load(write(SIAMESE)).graph()
    params = {
        "a.c.kernel": want["params.0.weight"].transpose(2, 3, 1, 0),
        "a.c.bias": want["params.0.bias"],
        "a.b.scale": want["params.1.weight"],
        "a.b.bias": want["params.1.bias"],
    }
    x = {name: want[f"x.{name}"].transpose(0, 2, 3, 1) for name in ("left", "right")}
    y, grads, after = learned(graph, params, x)
    np.testing.assert_allclose(y, want["y"], atol=2e-6)
    np.testing.assert_allclose(grads["a.c.kernel"], want["grads.0.weight"].transpose(2, 3, 1, 0), atol=2e-5)
    np.testing.assert_allclose(grads["a.b.scale"], want["grads.1.weight"], atol=2e-5)
    np.testing.assert_allclose(grads["a.b.bias"], want["grads.1.bias"], atol=2e-5)
    assert after.keys() == {"a.b.mean", "a.b.var"}
    np.testing.assert_allclose(after["a.b.mean"], want["mean"], atol=1e-6)


def test_a_recurrent_network_equals_pytorchs(write: Write) -> None:
    want = of("recurrent")
    graph = load(write(RECURRENT)).graph()
    params = {
        "t.0.hidden.kernel": want["params.weight_hh"].T,
        "t.0.hidden.bias": want["params.bias_hh"],
        "t.0.step.kernel": want["params.weight_ih"].T,
        "t.0.step.bias": want["params.bias_ih"],
    }
    y, grads, _ = learned(graph, params, {name: want[f"x.{name}"] for name in ("state", "sequence")})
    np.testing.assert_allclose(y, want["y"], atol=2e-6)
    np.testing.assert_allclose(grads["t.0.hidden.kernel"], want["grads.weight_hh"].T, atol=2e-5)
    np.testing.assert_allclose(grads["t.0.step.kernel"], want["grads.weight_ih"].T, atol=2e-5)
    np.testing.assert_allclose(grads["t.0.step.bias"], want["grads.bias_ih"], atol=2e-5)


def test_parameters_count_once_and_multiplications_at_every_call(write: Write) -> None:
    graph = load(write(SIAMESE)).graph()
    assert graph.params == (9 * 2 * 4 + 4) + 2 * 4
    assert graph.macs == 2 * (4 * 5) * (9 * 2 * 4)
    recurrent = load(write(RECURRENT)).graph()
    assert recurrent.params == 6 * (6 + 1) + 6 * (4 + 1)
    assert recurrent.macs == 5 * (6 * 6 + 6 * 4)


def test_reports_say_whose_arrays_are_used(write: Write) -> None:
    graph = load(write(SIAMESE + "  - dense: {name: fc, units: 2}\n")).graph()
    rows = {row.name: row.weights_of for row in report(graph).rows}
    assert {name: other for name, other in rows.items() if other} == {"b.c": "a.c", "b.b": "a.b"}
    assert [row.weights_of for row in report(graph, depth=1).rows] == ["", "a", "", ""]
    line = next(line for line in str(report(graph)).splitlines() if line.startswith("b.c"))
    assert line.split()[3:5] == ["as", "a"]


def test_gradients_are_summed(write: Write) -> None:
    """y = (x·W + b)·W + b, written by hand."""
    graph = load(
        write("input: {features: 3}\nlayers: [{dense: {name: a, units: 3}}, {dense: {name: b, weights: previous}}]\n")
    ).graph()
    keys = jax.random.split(jax.random.key(0), 3)
    params = {"a.kernel": jax.random.normal(keys[0], (3, 3)), "a.bias": jax.random.normal(keys[1], (3,))}
    x = jax.random.normal(keys[2], (5, 3))

    def by_hand(params: Arrays) -> jax.Array:
        y = (x @ params["a.kernel"] + params["a.bias"]) @ params["a.kernel"] + params["a.bias"]
        return jnp.sum(y * (jnp.arange(y.size).reshape(y.shape) % 7 - 3))

    _, grads, _ = learned(graph, params, x)
    want = jax.grad(by_hand)(params)
    for name in params:
        np.testing.assert_allclose(grads[name], want[name], atol=1e-4)


def test_a_layer_takes_fields_that_are_left_out(write: Write) -> None:
    text = """
input: {height: 8, width: 8, channels: 4}
defaults: {conv: {stride: 1}}
layers:
  - conv: {name: a, filters: 4, kernel: [3, 1], pad: same, bias: false, init: he_normal}
  - conv: {name: b, weights: a}
  - relu
  - conv: {name: c, weights: b, from: b, kernel: [3, 1]}
"""
    graph = load(write(text)).graph()
    assert owners(graph) == {"a": "a", "b": "a", "c": "a"}
    assert graph.nodes[1].layer == graph.nodes[0].layer
    assert graph.params == 3 * 4 * 4


def test_what_is_written_out_shares_as_well(write: Write) -> None:
    nested = """
input: {height: 8, width: 8, channels: 4}
blocks:
  unit: {layers: [{conv: {name: c, filters: 4, kernel: 1}}, {conv: {name: d, weights: c}}, {prelu: {name: p}}]}
  pair: {layers: [{unit: {name: one}}, {unit: {name: two, weights: one}}]}
layers:
  - pair: {name: a}
  - repeat: {name: r, times: 2, tied: true, layers: [{pair: {weights: a}}]}
  - residual: {name: s, shortcut: projection, layers: [{conv: {filters: 8, kernel: 1, stride: 2}}]}
  - resize: {factor: 2}
  - conv: {filters: 4, kernel: 1}
  - residual: {name: q, weights: s, shortcut: projection, layers: [{conv: {filters: 8, kernel: 1, stride: 2}}]}
"""
    for text in (SIAMESE, RECURRENT, nested):
        spec = load(write(text))
        graph = spec.graph()
        again = load(write(spec.to_yaml(), "again.yaml", whole=True)).graph()
        assert owners(again) == owners(graph)
        assert again.params == graph.params
    assert {path: owner for path, owner in owners(graph).items() if path.startswith("r.")} == {
        f"r.{round}.{unit}.{layer}": f"a.one.{'p' if layer == 'p' else 'c'}"
        for round in "01"
        for unit in ("one", "two")
        for layer in "cdp"
    }
    assert owners(graph)["q.shortcut1.conv"] == "s.shortcut1.conv"


STRUCTURES = """
args: {w: 4}
input: {height: 8, width: 8, channels: 4}
blocks:
  holds: {args: {k: 1}, layers: [residual: {name: r, layers: [{conv: {filters: $(w), kernel: $(k), pad: same}}, relu]}]}
layers:
  - repeat: {name: a, times: 2, as: i, layers: [{conv: {filters: $(w), kernel: $(2 * i + 1), pad: same}}, relu]}
  - repeat: {name: b, weights: a%s}
  - repeat: {weights: b%s}
  - repeat: {name: t, times: 2, tied: true, layers: [conv: {filters: 4, kernel: 1}]}
  - repeat: {name: u, weights: t%s}
  - parallel: {name: p, join: add, branches: {x: [{conv: {filters: 4, kernel: 1}}], y: [prelu]}}
  - parallel: {name: q, weights: p%s}
  - residual:
      name: s
      shortcut: [conv: {filters: $(w), kernel: 1}]
      layers: [separable_conv: {name: c, filters: 4, kernel: 1}]
  - residual: {name: z, weights: s%s}
  - holds: {name: h, k: 3}
  - residual: {name: v, weights: h.r%s}
"""


def test_structures_take_what_is_left_out(write: Write) -> None:
    """The same graph as with everything written again; loop variables, arguments and joins are the owner's."""
    rounds = ", times: 2, as: j, layers: [{conv: {filters: 4, kernel: $(2 * j + 1), pad: same}}, relu]"
    written = (
        rounds,
        rounds,
        ", times: 2, tied: true, layers: [conv: {filters: 4, kernel: 1}]",
        ", join: add, branches: {x: [{conv: {filters: 4, kernel: 1}}], y: [prelu]}",
        ", shortcut: [conv: {filters: 4, kernel: 1}], layers: [separable_conv: {name: c, filters: 4, kernel: 1}]",
        ", layers: [{conv: {filters: 4, kernel: 3, pad: same}}, relu]",
    )
    spec = load(write(STRUCTURES % (("",) * 6)))
    graph = spec.graph()
    assert graph.nodes == load(write(STRUCTURES % written)).graph().nodes
    assert graph.nodes == load(write(spec.to_yaml(), "again.yaml", whole=True)).graph().nodes
    shared = {path: owner for path, owner in owners(graph).items() if path != owner}
    assert shared == {
        **{f"{name}.{round}.conv1": f"a.{round}.conv1" for name in ("b", "repeat1") for round in (0, 1)},
        **dict.fromkeys(("t.1", "u.0", "u.1"), "t.0"),
        "q.x.conv1": "p.x.conv1",
        "q.y.prelu1": "p.y.prelu1",
        "z.c.depthwise": "s.c.depthwise",
        "z.c.pointwise": "s.c.pointwise",
        "z.shortcut1.conv1": "s.shortcut1.conv1",
        "v.conv1": "h.r.conv1",
    }
    counted = (4 * 4 + 4) + (9 * 16 + 4), 4 * 4 + 4, (4 * 4 + 4) + 4, (4 + 4 * 4 + 4) + (4 * 4 + 4), 9 * 16 + 4
    assert graph.params == sum(counted)


def test_tied_rounds_without_a_name_are_told_apart(write: Write) -> None:
    text = "input: {features: 4}\nlayers: [{repeat: {times: 3, tied: true, layers: [{dense: 4}]}}]\n"
    assert owners(load(write(text)).graph()) == {f"repeat1.{n}": "repeat1.0" for n in range(3)}


def test_where_an_owner_is_left_out_the_next_has_the_arrays(write: Write) -> None:
    text = """
input: {features: 4}
layers:
  - dense: {name: a, units: 4}
  - dense: {name: b, from: input, weights: a}
  - dense: {name: c, weights: a}
outputs:
  y: c
"""
    graph = load(write(text)).graph()
    assert owners(graph) == {"b": "b", "c": "b"}
    assert graph.params == 20
    # Left out of evaluation alone, it keeps its name, so that checkpoints hold for both.
    graph = load(write(text + "  extra: {from: a, train_only: true}\n")).graph()
    seen = graph.pruned("eval")
    assert owners(seen) == {"b": "a", "c": "a"}
    assert seen.params == 20
    assert set(split(build(seen))[1]) == {"a.kernel", "a.bias"}


IMAGE = "input: {height: 8, width: 8, channels: 4}\n"
BLOCK = "blocks: {enc: {args: {w: 4, act: relu}, layers: [{conv: {name: c, filters: $(w), kernel: 1}}, $(act)]}}\n"
ROUNDS = "{repeat: {name: r, times: 2, as: i, layers: [{conv: {filters: 4, kernel: $(1 + 2 * i), pad: same}}]}}, "
FIRST = "{conv: {name: a, filters: 6, kernel: 3}}, "


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            FIRST + "{conv: {name: b, from: input, filters: 8, weights: a}}",
            "`filters` of conv differs from that of `a`",
        ),
        (FIRST + "{conv: {name: b, from: input, init: zeros, weights: a}}", "`init` of conv differs"),
        (FIRST + "{conv: {name: b, weights: a}}", "its kernel would be 3×3×6×6, and that one's is 3×3×4×6"),
        (FIRST + "{conv: {name: b, weights: b}}", "`b` cannot use its own arrays"),
        (FIRST + "{cnov: {name: b, weights: a}}", "`cnov` is not a layer kind or block"),
        ("{repeat: {times: 4, tied: true, layers: [{conv: {filters: 8, kernel: 1}}]}}", "repeat1.1 cannot use"),
        (
            FIRST + "{repeat: {times: 3, as: i, layers: [{conv: {filters: $(2 + i), weights: a}}]}}",
            "`filters` of conv differs from that of `a`",
        ),
        (FIRST + "{batch_norm: {name: b, weights: a}}", "`a` is `conv`, and `batch_norm` cannot use its arrays"),
        ("{relu: {name: a}}, {relu: {name: b, weights: a}}", "`a`, a relu, has no arrays"),
        ("{conv: {name: b, weights: input}}", "`input` is an input, which has no arrays"),
        ("{conv: {name: b, weights: a}}, " + FIRST, "there is no layer `a` before this one"),
        ("{enc: {name: e}}, {conv: {name: b, weights: c}}", "there is no layer `c` before this one"),
        ("{enc: {name: e}}, {conv: {name: b, weights: e}}", "`e` is `enc`, and `conv` cannot"),
        ("{enc: {name: e}}, {enc: {name: f, w: 5, weights: e}}", "argument `w` is 5, but 4 at `e`"),
        ("{enc: {name: e, w: 5}}, {enc: {name: f, weights: e}}", "its kernel would be 1×1×5×5"),
        (
            "{residual: {name: e, layers: [{conv: {filters: 4, kernel: 1}}]}}, "
            "{residual: {name: f, weights: e, layers: [{conv: {filters: 4, kernel: 1}}, {prelu: {}}]}}",
            "`f` has `f.prelu1`, and `e` nothing like it",
        ),
        (
            "{residual: {name: e, layers: [{conv: {filters: 4, kernel: 1}}, {prelu: {}}]}}, "
            "{residual: {name: f, weights: e, layers: [{conv: {filters: 4, kernel: 1}}]}}",
            "`e` has `e.prelu1`, and `f` nothing like it",
        ),
        (ROUNDS + "{repeat: {weights: r, times: 3}}", "`times` of repeat is 3, but 2 at `r`, whose arrays"),
        (ROUNDS + "{repeat: {weights: r, as: j}}", "`as` of repeat is 'j', but 'i' at `r`"),
        (ROUNDS + "{repeat: {weights: r, tied: true}}", "`tied` of repeat is true, but false at `r`"),
        (
            "{parallel: {name: p, branches: [[{conv: {filters: 4, kernel: 1}}], []]}}, "
            "{parallel: {from: input, weights: p, join: add}}",
            "`join` of parallel is 'add', but 'concat' at `p`",
        ),
        ("{split: {name: s, parts: 2}}, {split: {from: input, weights: s}}", "`s` has no arrays"),
        ("{repeat: {name: r, times: 2, layers: [relu]}}, {repeat: {weights: r}}", "`r` has no arrays"),
        (ROUNDS + "{max_pool: 2}, {slice: {channels: [0, 2]}}, {repeat: {weights: r}}", "its kernel would be 1×1×2×4"),
        (
            "{repeat: {name: q, times: 2, layers: [{relu: {name: x}}, {residual: {name: r, layers: [prelu, {add: "
            "{from: [previous, x]}}]}}]}}, {residual: {weights: q.0.r}}",
            "there is no layer `x` before this one",
        ),
        (FIRST + "{repeat: {name: e, times: 2, weights: a, layers: [relu]}}", "`a` is `conv`, and `repeat` cannot"),
        ("{repeat: {times: 2, tied: true, layers: [relu]}}", "`repeat1.0` has no arrays"),
        ("{repeat: {times: 2, tied: true, layers: [{conv: {filters: 8, kernel: 1}}]}}", "its kernel would be 1×1×8×8"),
        (
            '{repeat: {times: 2, as: i, tied: true, layers: [{conv: {filters: 4, kernel: 1, stride: "$(1 + i)"}}]}}',
            "they differ in `stride`",
        ),
    ],
)
def test_what_cannot_be_shared(write: Write, layers: str, words: str) -> None:
    (item,) = errors(write(IMAGE + BLOCK + f"layers: [{layers}]\n"))
    assert item.code in ("E221", "E210", "E204")
    assert words in item.message
    assert item.primary is not None


def test_a_mistake_in_the_owner_is_told_once(write: Write) -> None:
    for text in (
        "{conv: {name: a, filters: x, kernel: 1}}, {conv: {weights: a}}",
        "{enc: {name: e, w: x}}, {enc: {weights: e}}",
    ):
        assert len(errors(write(IMAGE + BLOCK + f"layers: [{text}]\n"))) == 1


def test_patterns_name_layers_that_have_their_arrays(write: Write) -> None:
    graph = load(write(SIAMESE + "  - dense: {name: fc, units: 2}\n")).graph()
    frozen = frozen_by(["a"], [], graph)
    assert frozen.layers == {"a.c", "a.b"}
    assert "a.c.kernel" in frozen.arrays
    assert frozen_by(["*.c"], [], graph).layers == {"a.c"}
    with pytest.raises(
        DataError, match=r"`freeze` names b\.c and b\.b, which use the arrays of other layers"
    ) as raised:
        frozen_by(["b"], [], graph)
    assert raised.value.help == ("arrays go by the layer that has them: freeze: [a.c, a.b]",)


def state_dict(*names: str) -> Arrays:
    """PyTorch's tensors of the Siamese network, the towers' under the names given."""
    want = of("siamese")
    words = {"c.weight": "0.weight", "c.bias": "0.bias", "b.weight": "1.weight", "b.bias": "1.bias"}
    tensors = {}
    for own in names:
        tensors.update({f"{own}.{word}": want[f"params.{theirs}"] for word, theirs in words.items()})
        tensors[f"{own}.b.running_mean"] = want["mean"]
        tensors[f"{own}.b.running_var"] = np.ones(4, np.float32)
    return {name: np.asarray(value) for name, value in tensors.items()}


@pytest.mark.parametrize("towers", ["a", "b", "ab"])
def test_a_file_has_shared_tensors_under_any_of_their_names(write: Write, towers: str) -> None:
    """State dicts have tied tensors under each name, and safetensors, which keep one, under either."""
    graph = load(write(SIAMESE)).graph()
    found = match(graph, {}, TensorFile.of(Path("file"), state_dict(*towers)))
    assert found.full
    assert set(found.arrays) == {"a.c.kernel", "a.c.bias", "a.b.scale", "a.b.bias", "a.b.mean", "a.b.var"}
    assert found.tied == (6 if towers == "ab" else 0)
    assert ("6 tensors are there again for layers that share arrays, and have the same numbers" in found.lists()) == (
        towers == "ab"
    )
    np.testing.assert_array_equal(found.arrays["a.b.mean"], of("siamese")["mean"])


def test_shared_tensors_that_differ_are_refused(write: Write) -> None:
    graph = load(write(SIAMESE)).graph()
    tensors = state_dict("a", "b")
    tensors["b.c.bias"] = tensors["b.c.bias"] + 1
    with pytest.raises(DataError, match=r"in 1 tensor: a\.c\.bias and b\.c\.bias"):
        match(graph, {}, TensorFile.of(Path("file"), tensors))


def test_an_import_and_an_export_have_shared_tensors_once(write: Write, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    from archspec.weights.folder import export_weights, import_weights

    path = write(SIAMESE + "weights: {theirs: {names: {a.*: encoder.*, b.*: encoder.*}}}\n")
    tensors = state_dict("encoder")
    save_file(tensors, tmp_path / "file.safetensors")
    assert import_weights(str(path), tmp_path / "file.safetensors", tmp_path / "made").full
    assert export_weights(tmp_path / "made", tmp_path / "out.safetensors") == ("theirs", 6)
    again = load_file(tmp_path / "out.safetensors")
    assert again.keys() == tensors.keys()
    assert all(np.array_equal(again[name], tensors[name]) for name in tensors)
