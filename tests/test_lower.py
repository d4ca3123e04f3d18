"""Lowering: module paths, modes, purity, and a compiled program without a trace of the graph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.diagnostics import SpecError
from archspec.graph import Graph, GraphInput, Node, Output, prune
from archspec.layers import Weight
from archspec.loading import load
from archspec.lower import Network, build, outline, split
from archspec.lowerings.choosing import BY_LIBRARY, Choice
from archspec.lowerings.places import placed
from archspec.lowerings.pooling import maxima_with_places, pooling
from archspec.nn.pooling import MaxPool
from archspec.types import Taps, TensorType

Write = Callable[..., Path]
INPUT = "input: {height: 8, width: 8, channels: 4}\n"


def primitives(function: Callable[..., Any], *arrays: Any) -> Counter[str]:
    """The primitives of a traced function, inner functions included."""
    found: Counter[str] = Counter()

    def count(jaxpr: Any) -> None:
        for equation in jaxpr.eqns:
            inner = jax.tree.leaves(list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns"))
            bodies = [getattr(v, "jaxpr", v) for v in inner if hasattr(getattr(v, "jaxpr", v), "eqns")]
            for body in bodies:
                count(body)
            if not bodies:
                found[equation.primitive.name] += 1

    count(jax.make_jaxpr(function)(*arrays).jaxpr)
    return found


class LeNet5(nnx.Module):
    """LeNet-5 as one writes it by hand in Flax."""

    def __init__(self, rngs: nnx.Rngs, pool: Callable[..., jax.Array] = nnx.max_pool) -> None:
        self.pool = pool
        self.c1 = nnx.Conv(1, 6, (5, 5), padding="VALID", rngs=rngs)
        self.c3 = nnx.Conv(6, 16, (5, 5), padding="VALID", rngs=rngs)
        self.c5 = nnx.Linear(400, 120, rngs=rngs)
        self.f6 = nnx.Linear(120, 84, rngs=rngs)
        self.output = nnx.Linear(84, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.pool(nnx.relu(self.c1(x)), (2, 2), (2, 2))
        x = self.pool(nnx.relu(self.c3(x)), (2, 2), (2, 2))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.c5(x))
        x = nnx.relu(self.f6(x))
        return self.output(x)


def test_the_compiled_lenet5_is_the_one_written_by_hand() -> None:
    pure, params, statistics = split(build(load("lenet5").graph()))
    definition, state = nnx.split(LeNet5(nnx.Rngs(0)))
    x = jnp.ones((2, 32, 32, 1))
    ours = primitives(lambda p, x: pure.apply(p, statistics, x, train=False, lowerings=BY_LIBRARY)[0], params, x)
    by_hand = primitives(lambda s, x: nnx.merge(definition, s)(x), state, x)
    assert ours == by_hand
    # The same weights give the same logits.
    network = LeNet5(nnx.Rngs(0))
    for name, value in params.items():
        layer, weight = name.split(".")
        setattr(getattr(network, layer), weight, nnx.Param(value))
    x = jax.random.normal(jax.random.key(0), (3, 32, 32, 1))
    assert jnp.allclose(pure.apply(params, statistics, x, train=False)[0], network(x), atol=1e-6)


def test_gradients_trace_to_the_same_primitives() -> None:
    """But for the gradient of pooling, which is this project's own."""

    def pool(x: jax.Array, window: tuple[int, int], stride: tuple[int, int]) -> jax.Array:
        return maxima_with_places(x, pooling("max_pool", x, window, stride, ((0, 0), (0, 0)), (1, 1)), Choice())[0]

    pure, params, statistics = split(build(load("lenet5").graph()))
    definition, state = nnx.split(LeNet5(nnx.Rngs(0), pool))
    x = jnp.ones((2, 32, 32, 1))
    ours = primitives(
        jax.grad(lambda p: pure.apply(p, statistics, x, train=True, lowerings=BY_LIBRARY)[0].sum()), params
    )
    by_hand = primitives(jax.grad(lambda s: nnx.merge(definition, s)(x).sum()), state)
    assert ours == by_hand


def test_what_is_compiled_says_which_node_it_is_of(write: Write) -> None:
    """Forward and backward: where a profiler shows an operation, it shows the node's path too."""
    graph = load(
        write(
            INPUT
            + """
blocks: {unit: {layers: [{conv: {name: conv, filters: 4, kernel: 3}}, {batch_norm: {name: bn}}, {relu: {name: act}}]}}
layers:
  - repeat: {name: stage, times: 1, layers: [unit]}
  - max_pool: {name: pool, window: 2}
  - flatten
  - dense: {name: fc, units: 3}
"""
        )
    ).graph()
    pure, params, statistics = outline(graph)
    x = jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.float32)

    def loss(params: Any, statistics: Any, x: Any) -> tuple[Any, Any]:
        outputs, after = pure.apply(params, statistics, x, train=True)
        assert isinstance(outputs, jax.Array)
        return (outputs**2).sum(), after

    compiled = jax.jit(jax.grad(loss, has_aux=True)).lower(params, statistics, x).compile()
    said = set(re.findall(r'op_name="([^"]*)"', compiled.as_text() or ""))
    for path in ("stage.0.conv", "stage.0.bn", "stage.0.act", "pool", "fc"):
        assert any(f"/jvp({path})/" in name for name in said), path
        assert any(f"/transpose(jvp({path}))/" in name for name in said), path


@pytest.mark.parametrize(
    ("shape", "window", "stride", "pad"),
    [((8, 9), 2, 2, 0), ((11, 13), 3, 2, 1), ((7, 8), 3, 1, 1), ((9, 9), 2, 3, 0), ((9, 10), 5, 2, 2)],
)
def test_the_gradient_of_pooling_is_that_of_xla(shape: tuple[int, int], window: int, stride: int, pad: int) -> None:
    taps = Taps((*shape, 3), (window, window), (stride, stride), (pad, pad), (1, 1))
    module = MaxPool(taps, ((pad, pad), (pad, pad)))
    # Whole numbers: many maxima are equal, and sums are exact in any order.
    draw = np.random.default_rng(0)
    x = np.floor(2 * draw.standard_normal((2, *shape, 3))).astype(np.float32)
    weights = np.floor(10 * draw.standard_normal(jax.eval_shape(module, x).shape)).astype(np.float32)
    ways: list[dict[str, Any]] = [{"lowerings": BY_LIBRARY}, {}, {"train": True}]

    @jax.jit
    def computed(x: jax.Array, weights: jax.Array) -> Any:
        def loss(x: jax.Array, way: dict[str, Any]) -> tuple[Any, Any]:
            y = module(x, **way)
            return (y * weights).sum(), y

        return [jax.grad(loss, has_aux=True)(x, way) for way in ways], module(x), module(x, train=True)

    ((xla, values), *others), plainly, training = computed(x, weights)
    for gradient, y in others:
        np.testing.assert_array_equal(gradient, xla)
        np.testing.assert_array_equal(y, values)
    np.testing.assert_array_equal(plainly, values)
    np.testing.assert_array_equal(training, values)


def test_attribute_paths_are_node_paths(write: Write) -> None:
    graph = load(
        write(
            INPUT
            + """
blocks: {unit: {layers: [{conv: {name: conv1, filters: 4, kernel: 1}}, batch_norm]}}
layers:
  - repeat: {name: layer1, times: 2, layers: [unit]}
  - conv: {name: train, filters: 2, kernel: 1}
  - global_avg_pool
  - dense: {name: fc, units: 3}
"""
        )
    ).graph()
    network: Any = build(graph)
    assert isinstance(network.layer1[1].conv1, nnx.Conv)
    assert isinstance(network.fc, nnx.Linear)
    _, params, statistics = split(network)
    declared = {
        f"{node.path}.{weight.name}": (weight.role, weight.shape) for node in graph.nodes for weight in node.weights
    }
    found = {
        **{name: ("trainable", value.shape) for name, value in params.items()},
        **{name: ("statistics", value.shape) for name, value in statistics.items()},
    }
    assert found == declared
    assert network(jnp.ones((2, 8, 8, 4))).shape == (2, 3)


PARTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,5}", fullmatch=True) | st.sampled_from(
    [f"{name}{'_' * tail}" for name in dir(Network) if not name.startswith("_") for tail in range(3)]
    + ["class", "None", "__init__", "_x", "_programs", "kernel", "0", "1", "00"]
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(".".join)


@pytest.mark.slow
@settings(max_examples=20)
@given(names=st.lists(PATHS, min_size=1, max_size=6, unique=True))
def test_every_name_has_a_module_of_its_own(names: list[str]) -> None:
    """As many arrays as are declared, each under its layer's name, whatever the layers are called."""
    names = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    kind = load("lenet5").graph().by_path()["output"]
    sizes = {name: index + 1 for index, name in enumerate(names)}
    one = TensorType((1,))
    nodes = tuple(
        Node(
            name,
            kind.layer.model_copy(update={"units": size}),
            (-1,),
            (one,),
            TensorType((size,)),
            kind.receptive_field,
        )
        for name, size in sizes.items()
    )
    outputs = tuple(Output(f"o{index}", index) for index in range(len(nodes)))
    network = build(Graph("net", (GraphInput("input", one),), nodes, outputs))
    pure, params, rest = split(network)
    assert not rest
    wanted = {f"{name}.{array}": size for name, size in sizes.items() for array in ("kernel", "bias")}
    assert {name: value.shape[-1] for name, value in params.items()} == wanted
    marked = {name: jnp.full_like(value, sizes[name.rpartition(".")[0]]) for name, value in params.items()}
    found, _ = pure.apply(marked, rest, jnp.ones((2, 1)), train=False)
    arrays = list(found.values()) if isinstance(found, dict) else [found]
    assert [(array.shape[1], float(array[0, 0])) for array in arrays] == [(size, 2.0 * size) for size in sizes.values()]


def test_names_that_differ_by_an_underscore(write: Write) -> None:
    conv = "{conv: {name: %s, filters: 4, kernel: 3}}"
    graph = load(write(INPUT + f"layers: [{conv % 'eval'}, {conv % 'eval_'}]")).graph()
    arrays = split(build(graph))[1]
    assert sum(value.size for value in arrays.values()) == graph.params == 296
    assert set(arrays) == {"eval.kernel", "eval.bias", "eval_.kernel", "eval_.bias"}


def test_a_kind_that_builds_other_arrays_than_it_declares_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = load(write(INPUT + "layers: [{conv: {name: c, filters: 2, kernel: 1}}, {batch_norm: {name: n}}]")).graph()
    kind = type(graph.nodes[1].layer)
    monkeypatch.setattr(kind, "weights", lambda self, x: [Weight("scale", (3,))])
    graph = replace(graph, nodes=tuple(replace(node) for node in graph.nodes))  # nothing is remembered of before
    for way in (build, outline):
        with pytest.raises(SpecError, match=r"n: the kind `batch_norm` declares other arrays") as error:
            way(graph)
        assert error.value.diagnostics[0].code == "E218"
        assert "n.scale" in error.value.diagnostics[0].message
        assert "c.kernel" not in error.value.diagnostics[0].message


def test_weights_depend_on_the_path_and_the_seed_alone(write: Write) -> None:
    short = write(INPUT + "layers: [{conv: {name: a, filters: 4, kernel: 1}}]", "short.yaml")
    conv = "{conv: {name: %s, filters: 4, kernel: 1}}"
    long = write(INPUT + f"layers: [{conv % 'b'}, relu, {conv % 'a'}]", "long.yaml")
    one, two = (split(build(load(path).graph(), seed=7))[1] for path in (short, long))
    assert jnp.array_equal(one["a.kernel"], two["a.kernel"])
    assert not jnp.array_equal(two["a.kernel"], two["b.kernel"])
    other = split(build(load(short).graph(), seed=8))[1]
    assert not jnp.array_equal(one["a.kernel"], other["a.kernel"])
    given = split(archspec.build(load(short).graph(), nnx.Rngs(7)))[1]
    assert given["a.kernel"].shape == one["a.kernel"].shape


def test_dropout_keys_are_given_at_the_call(write: Write) -> None:
    network = build(load(write(INPUT + "layers: [{dropout: {name: d, rate: 0.5}}]")).graph())
    longer = build(load(write(INPUT + "layers: [relu, {dropout: {name: d, rate: 0.5}}, identity]")).graph())
    x = jnp.ones((2, 8, 8, 4))
    assert jnp.array_equal(network(x), x)
    with pytest.raises(ValueError, match="d is random and needs a key"):
        network(x, train=True)
    key = jax.random.key(3)
    dropped = network(x, train=True, key=key)
    assert set(np.unique(dropped)) == {0.0, 2.0}
    assert jnp.array_equal(dropped, network(x, train=True, key=key))
    assert not jnp.array_equal(dropped, network(x, train=True, key=jax.random.key(4)))
    assert jnp.array_equal(dropped, longer(x, train=True, key=key))


def test_statistics_are_new_values_and_never_changed_in_place(write: Write) -> None:
    pure, params, statistics = split(build(load(write(INPUT + "layers: [{batch_norm: {name: n}}]")).graph()))
    x = jax.random.normal(jax.random.key(0), (4, 8, 8, 4)) + 3
    before = {name: np.array(value) for name, value in statistics.items()}
    compiled = jax.jit(lambda s, x: pure.apply(params, s, x, train=True))
    _, after = compiled(statistics, x)
    assert jnp.allclose(after["n.mean"], 0.1 * x.mean((0, 1, 2)), atol=1e-5)
    assert all(np.array_equal(before[name], statistics[name]) for name in before)
    _, same = pure.apply(params, statistics, x, train=False)
    assert all(jnp.array_equal(same[name], statistics[name]) for name in statistics)


def test_train_only_outputs_are_left_out_of_evaluation(write: Write) -> None:
    graph = load(
        write(
            INPUT
            + "layers: [{conv: {name: a, filters: 4, kernel: 3}}, {conv: {name: b, filters: 4, kernel: 3, from: a}}]\n"
            "outputs: {main: a, aux: {from: b, weight: 0.3, train_only: true}}\n"
        )
    ).graph()
    network = build(graph)
    x = jnp.ones((1, 8, 8, 4))
    assert set(network(x)) == {"main"}
    assert set(network(x, train=True)) == {"main", "aux"}
    assert primitives(lambda x: network(x), x)["conv_general_dilated"] == 1


@pytest.mark.slow
def test_thousands_of_layers(write: Write) -> None:
    graph = load(write(INPUT + "layers: [{repeat: {times: 2000, layers: [relu]}}]")).graph()
    assert build(graph)(jnp.ones((1, 8, 8, 4))).shape == (1, 8, 8, 4)


def test_the_worked_convolution_of_the_lectures(write: Write) -> None:
    import json

    worked = json.loads((Path(__file__).parent / "worked_convolution.json").read_text())
    x = jnp.asarray(worked["x_padded"], jnp.float32).transpose(1, 2, 0)[None, 1:-1, 1:-1]
    conv = "{conv: {name: c, filters: 2, kernel: 3, stride: 2, pad: 1}}"
    spec = f"input: {{height: 5, width: 5, channels: 3}}\nlayers: [{conv}]"
    pure, _, statistics = split(build(load(write(spec)).graph()))
    params = {
        "c.kernel": jnp.asarray(worked["w"], jnp.float32).transpose(2, 3, 1, 0),
        "c.bias": jnp.asarray(worked["b"], jnp.float32),
    }
    found = pure.apply(params, statistics, x, train=False)[0]
    assert np.array_equal(np.asarray(found)[0].transpose(2, 0, 1), np.asarray(worked["out"]))


def test_unpooling_costs_the_indices_and_the_output() -> None:
    """Memory of the compiled functions, by XLA's own account: no copies of the output for each tap."""
    taps = Taps((45, 60, 64), (2, 2), (2, 2), (0, 0), (1, 1))
    pooled = jax.ShapeDtypeStruct((4, 23, 30, 64), jnp.float32)
    indices = jax.ShapeDtypeStruct((4, 23, 30, 64), jnp.uint8)
    output_bytes = 4 * 4 * 45 * 60 * 64
    forward = jax.jit(lambda x, i: placed(x, i, taps)).lower(pooled, indices).compile().memory_analysis()
    assert forward is not None
    assert forward.output_size_in_bytes == output_bytes
    assert forward.temp_size_in_bytes <= output_bytes
    # Backward through the pooling, only the indices are kept of the forward pass.
    x = jax.ShapeDtypeStruct((4, 45, 60, 64), jnp.float32)
    case = pooling("max_pool", x, (2, 2), (2, 2), ((0, 1), (0, 0)), (1, 1))
    _, vjp = jax.eval_shape(
        lambda x: jax.vjp(lambda x: maxima_with_places(x, case, Choice("slices", "slices"))[0], x), x
    )
    kept = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(vjp))
    assert kept == 4 * 23 * 30 * 64


def shared_dense() -> Graph:
    """Two inputs through one dense layer with batch normalisation, the second's before the first's, and joined."""
    spec = """
input: {height: 1, width: 1, channels: 3}
layers: [flatten, dense: {name: one, units: 2}, batch_norm: {name: norm}, add: {from: [norm, one]}]
"""
    made = load_text(spec)
    flat = TensorType((3,))
    _, dense, norm, add = made.nodes
    nodes = (
        replace(dense, path="left", inputs=(-2,)),
        replace(norm, path="left_norm", inputs=(0,)),
        replace(dense, path="right", inputs=(-1,), shares="left", counted=False),
        replace(norm, path="right_norm", inputs=(2,), shares="left_norm", counted=False),
        replace(add, path="sum", inputs=(1, 3)),
    )
    inputs = (GraphInput("a", flat), GraphInput("b", flat))
    return Graph("shared", inputs, nodes, (Output("sum", 4), Output("left", 1, train_only=True)))


def load_text(text: str) -> Graph:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "net.yaml"
        path.write_text(f"archspec: 1\nname: net\n{text}")
        return load(path).graph()


def test_nodes_that_share_arrays_have_one_set_whose_gradients_add_up() -> None:
    graph = shared_dense()
    assert graph.params == 2 * 3 + 2 + 2 * 2
    network: Any = build(graph)
    pure, params, statistics = split(network)
    assert set(params) == {"left.kernel", "left.bias", "left_norm.scale", "left_norm.bias"}
    assert set(statistics) == {"left_norm.mean", "left_norm.var"}
    assert network.right.kernel is network.left.kernel
    keys = jax.random.split(jax.random.key(0), 3)
    a, b = (jax.random.normal(key, (5, 3)) for key in keys[:2])

    def unit(params: Any, x: jax.Array) -> jax.Array:
        z = x @ params["left.kernel"] + params["left.bias"]
        mean, var = z.mean(0), z.var(0)
        return (z - mean) / jnp.sqrt(var + 1e-5) * params["left_norm.scale"] + params["left_norm.bias"]

    def by_hand(params: Any) -> jax.Array:
        return (unit(params, a) + unit(params, b)) ** 3

    def lowered(params: Any) -> jax.Array:
        outputs, _ = pure.apply(params, statistics, {"a": a, "b": b}, train=True)
        assert isinstance(outputs, dict)
        return outputs["sum"] ** 3

    want, got = (jax.grad(lambda p, f=f: f(p).sum())(params) for f in (by_hand, lowered))
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=2e-4, atol=2e-5)


def test_statistics_that_are_shared_are_updated_by_one_call_after_the_other() -> None:
    graph = shared_dense()
    pure, params, statistics = split(build(graph))
    a, b = jnp.ones((4, 3)), jnp.arange(12.0).reshape(4, 3)
    _, after = pure.apply(params, statistics, {"a": a, "b": b}, train=True)
    mean = statistics["left_norm.mean"]
    for x in (b, a):  # the layer that stands first takes b
        mean = 0.9 * mean + 0.1 * (x @ params["left.kernel"] + params["left.bias"]).mean(0)
    np.testing.assert_allclose(after["left_norm.mean"], mean, rtol=1e-5)
    _, frozen = pure.apply(params, statistics, {"a": a, "b": b}, train=True, frozen=frozenset({"left_norm"}))
    assert frozen["left_norm.mean"].tolist() == statistics["left_norm.mean"].tolist()


def test_where_the_owner_is_left_out_the_next_node_counts_its_arrays() -> None:
    graph = shared_dense()
    nodes, outputs = prune(graph.nodes, (Output("right", 3),))
    assert [(node.path, node.owner, node.counted) for node in nodes] == [
        ("right", "left", True),
        ("right_norm", "left_norm", True),
    ]
    alone = replace(graph, nodes=nodes, outputs=outputs)
    assert alone.params == graph.params
    assert set(split(build(alone))[1]) == set(split(build(graph))[1])
