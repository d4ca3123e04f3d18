"""The one harness that every layer kind passes: the hand-written rules against tracing, over generated sizes."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from flax import nnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archspec.layers
from archspec.diagnostics import Findings, ShapeError
from archspec.kinds import find_kind, kind_names
from archspec.layers import Example, Layer
from archspec.layers._window import Windowed
from archspec.located import Located
from archspec.lowerings.choosing import BY_LIBRARY, Lowerings
from archspec.source import read_text
from archspec.spec.reading import FAILED, read_kind
from archspec.types import TensorType
from tests.by_hand import first_of_each

KINDS = kind_names("layers")


def kind_of(name: str) -> type[Layer]:
    found = find_kind("layers", name)
    assert found is not None
    assert issubclass(found, Layer)
    return found


def read(written: Any) -> Layer:
    """The layer that an entry of a spec gives."""
    findings = Findings()
    node = read_text(yaml.safe_dump(written), "t.yaml", findings)
    assert isinstance(node, Located)
    layer = read_kind("layers", node, {}, findings)
    assert layer is not FAILED, [item.message for item in findings.items]
    assert isinstance(layer, Layer)
    return layer


def from_example(name: str, example: Example) -> tuple[Layer, tuple[TensorType, ...]]:
    written = name if example.fields in ({}, None) else {name: example.fields}
    return read(written), tuple(kind if isinstance(kind, TensorType) else TensorType(kind) for kind in example.inputs)


def quick_key() -> jax.Array:
    """For initialisers within programs: the usual generator takes several times as long to compile."""
    return jax.random.key(0, impl="rbg")


def taken(layer: Layer, inputs: tuple[TensorType, ...]) -> list[TensorType]:
    """The inputs that lowering passes on."""
    return [kind for kind, port in zip(inputs, layer.ports(len(inputs)), strict=True) if port != "shape"]


def call(
    layer: Layer, module: nnx.Module, arrays: list[jax.Array], train: bool, lowerings: Lowerings | None = None
) -> jax.Array:
    options: dict[str, Any] = {"lowerings": lowerings} if layer.uses_lowerings else {}
    if layer.uses_mode:
        options["train"] = train
    if layer.uses_key:
        options["key"] = jax.random.key(1) if train else None
    return module(*arrays, **options)


def traced_type(layer: Layer, inputs: tuple[TensorType, ...]) -> TensorType:
    def run(*arrays: jax.Array) -> jax.Array:
        return call(layer, layer.build(inputs, nnx.Rngs(0)), list(arrays), train=False)

    shapes = [jax.ShapeDtypeStruct((2, *kind.shape), kind.dtype) for kind in taken(layer, inputs)]
    out = jax.eval_shape(run, *shapes)
    assert out.shape[0] == 2
    return TensorType(out.shape[1:], out.dtype.name)


CASES = [
    pytest.param(name, example, id=f"{name}-{index}")
    for name in KINDS
    for index, example in enumerate(kind_of(name).examples)
]


def has_floor(case: Any) -> bool:
    return from_example(*case.values)[0].floor() is not None


def bounded(name: str) -> list[tuple[Layer, tuple[TensorType, ...]]]:
    """A kind's examples whose layers say what their values lie between."""
    kind = kind_of(name)
    examples = [from_example(name, example) for example in kind.examples]
    return [(layer, inputs) for layer, inputs in examples if kind.within or layer.bounds() is not None]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_examples_and_says_what_it_is(name: str) -> None:
    kind = kind_of(name)
    assert kind.examples
    assert kind.__doc__
    assert kind.kind == name
    for field, info in kind.model_fields.items():
        assert info.description, f"{name}.{field} has no description"


@pytest.mark.parametrize(("name", "example"), CASES)
def test_the_inferred_type_is_the_traced_one(name: str, example: Example) -> None:
    layer, inputs = from_example(name, example)
    assert layer.infer(*inputs) == traced_type(layer, inputs)


@pytest.mark.parametrize(("name", "example"), CASES)
def test_declared_weights_are_the_modules(name: str, example: Example) -> None:
    layer, inputs = from_example(name, example)
    module = nnx.eval_shape(lambda: layer.build(inputs, nnx.Rngs(0)))
    roles = {"BatchStat": "statistics", "Frozen": "frozen", "Param": "trainable"}
    found = {
        (".".join(map(str, path)), tuple(variable.get_value().shape), roles[type(variable).__name__])
        for path, variable in nnx.to_flat_state(nnx.state(module))
    }
    assert found == {tuple(weight)[:3] for weight in layer.weights(*inputs)}


def drawn(layer: Layer, inputs: tuple[TensorType, ...]) -> list[Any]:
    """Arrays of what lowering passes on, three samples, by NumPy: JAX would compile that for each shape."""
    draw = np.random.default_rng(0)
    return [
        draw.integers(0, 4, (3, *kind.shape)).astype(kind.dtype)
        if kind.taps
        else draw.standard_normal((3, *kind.shape), np.float32)
        for kind in taken(layer, inputs)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "example"), first_of_each(CASES))
def test_operations_one_by_one_give_what_the_program_does(name: str, example: Example) -> None:
    layer, inputs = from_example(name, example)
    definition, params, *rest = nnx.split(layer.build(inputs, nnx.Rngs(0)), nnx.Param, ...)

    def loss(params: Any, arrays: list[jax.Array]) -> jax.Array:
        out = call(layer, nnx.merge(definition, params, *rest, copy=True), arrays, train=True)
        return jnp.sum(jnp.sin(out))

    arrays = [jnp.asarray(array) for array in drawn(layer, inputs)]
    assert np.allclose(jax.jit(loss)(params, arrays), loss(params, arrays), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_jit_and_gradients(name: str) -> None:
    examples = [from_example(name, example) for example in kind_of(name).examples]
    given = [drawn(layer, inputs) for layer, inputs in examples]

    @jax.jit  # one program for all examples, which takes much less time than one for each
    def computed(key: jax.Array, given: list[list[jax.Array]]) -> list[Any]:
        found = []
        for (layer, inputs), arrays in zip(examples, given, strict=True):
            definition, params, *rest = nnx.split(layer.build(inputs, nnx.Rngs(key)), nnx.Param, ...)

            def loss(
                params: Any,
                arrays: list[jax.Array],
                layer: Layer = layer,
                definition: Any = definition,
                rest: Any = rest,
            ) -> jax.Array:
                out = call(layer, nnx.merge(definition, params, *rest, copy=True), arrays, train=True)
                return jnp.sum(jnp.sin(out))

            value, gradients = jax.value_and_grad(loss, argnums=(0, 1), allow_int=True)(params, arrays)
            leaves = [leaf for leaf in jax.tree.leaves(gradients) if leaf.dtype != jax.dtypes.float0]
            # Functions with gradients of their own compute their values in one way with these and in one without.
            found.append((value, leaves, loss(params, arrays)))
        return found

    for number, (value, leaves, plainly) in enumerate(computed(quick_key(), given)):
        assert np.isfinite(value), number
        assert all(np.isfinite(np.asarray(leaf)).all() for leaf in leaves), number
        assert np.allclose(value, plainly, rtol=1e-4, atol=1e-4), number


@pytest.mark.parametrize(("name", "example"), CASES)
def test_yaml_round_trip(name: str, example: Example) -> None:
    layer, _ = from_example(name, example)
    assert read(layer.to_plain()) == layer


def traced_macs(layer: Layer, inputs: tuple[TensorType, ...]) -> int:
    """Multiply–adds of one sample, counted from the convolutions and products of matrices that a trace has."""
    shapes = [jax.ShapeDtypeStruct((1, *kind.shape), kind.dtype) for kind in taken(layer, inputs)]

    def run(*arrays: jax.Array) -> jax.Array:
        return call(layer, layer.build(inputs, nnx.Rngs(0)), list(arrays), False, BY_LIBRARY)

    def counted(jaxpr: Any) -> int:
        total = 0
        for equation in jaxpr.eqns:
            if equation.primitive.name == "conv_general_dilated":
                kernel = equation.invars[1].aval.shape
                filters = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
                total += equation.outvars[0].aval.size * prod(kernel) // filters
            elif equation.primitive.name == "dot_general":
                (contracted, _), _ = equation.params["dimension_numbers"]
                total += equation.outvars[0].aval.size * prod(equation.invars[0].aval.shape[i] for i in contracted)
            parts = jax.tree.leaves(list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns"))
            bodies = [getattr(part, "jaxpr", part) for part in parts]
            total += sum(counted(body) for body in bodies if hasattr(body, "eqns"))
        return total

    # What candidates compute is other operations, of which these are the ones counted.
    return counted(jax.make_jaxpr(run)(*shapes).jaxpr)


@pytest.mark.parametrize(("name", "example"), CASES)
def test_multiply_adds_are_those_that_are_traced(name: str, example: Example) -> None:
    layer, inputs = from_example(name, example)
    output = layer.infer(*inputs)
    cost = layer.cost(inputs, output)
    kernels = sum(weight.size for weight in layer.weights(*inputs) if weight.name.endswith("kernel"))
    if name == "transposed_conv":
        # It is lowered as convolutions of another size; by definition each input pixel meets the whole kernel.
        expected = prod(inputs[0].spatial) * kernels
    elif name == "partial_conv":
        # Lowered with zeros where nothing is connected.
        expected = prod(output.spatial) * kernels
        assert expected < traced_macs(layer, inputs)
    else:
        expected = traced_macs(layer, inputs) if kernels else 0
    assert cost.macs == expected
    assert cost.other >= 0


@pytest.mark.parametrize("name", [name for name in KINDS if bounded(name)])
def test_declared_bounds_hold(name: str) -> None:
    """Of inputs far out, in evaluation."""
    examples = bounded(name)
    draw = np.random.default_rng(5)
    given = [
        [(100 * draw.standard_normal((3, *kind.shape))).astype(np.float32) for kind in taken(layer, inputs)]
        for layer, inputs in examples
    ]

    @jax.jit
    def computed(key: jax.Array, given: list[list[jax.Array]]) -> list[jax.Array]:
        return [
            call(layer, layer.build(inputs, nnx.Rngs(key)), arrays, train=False)
            for (layer, inputs), arrays in zip(examples, given, strict=True)
        ]

    found = computed(quick_key(), given)
    for (layer, _), arrays, out in zip(examples, given, map(np.asarray, found), strict=True):
        span = min(0.0, *(float(x.min()) for x in arrays)), max(0.0, *(float(x.max()) for x in arrays))
        low, high = layer.bounds() or span
        least, most = float(out.min()), float(out.max())
        assert low - 1e-4 <= least and most <= high + 1e-4, layer
        if layer.bounds() is not None and name not in ("softmax", "l2_normalise"):
            assert [least, most] == pytest.approx([low, high], abs=1e-4), layer


@pytest.mark.parametrize(("name", "example"), [case for case in CASES if has_floor(case)])
def test_declared_floors_are_the_least_values(name: str, example: Example) -> None:
    layer, _ = from_example(name, example)
    floor, x = layer.floor(), jnp.linspace(-30, 30, 60_001)
    assert floor is not None and name in ("relu", "softplus", "elu", "gelu", "silu", "mish", "hard_swish")
    least = float(layer.build((TensorType((60_001,)),), nnx.Rngs(0))(x[None]).min())
    assert floor - 1e-7 <= least <= floor + 1e-4


sizes = st.integers(1, 4)
pairs = st.one_of(sizes, st.lists(sizes, min_size=2, max_size=2))
margin = st.integers(0, 3)
paddings = st.one_of(
    margin,
    st.lists(margin, min_size=2, max_size=2),
    st.lists(st.lists(margin, min_size=2, max_size=2), min_size=1, max_size=2),
    st.sampled_from(["same", "same_upper", "valid", "causal"]),
)
WINDOWED = [name for name in KINDS if issubclass(kind_of(name), Windowed)]
FIELDS: dict[str, dict[str, Any]] = {
    "conv": {"filters": st.sampled_from([2, 4]), "groups": st.sampled_from([1, 2])},
    "partial_conv": {"connections": st.just([[0], [1, 0]])},
    "locally_connected": {"filters": st.sampled_from([1, 2])},
    "depthwise_conv": {"multiplier": st.sampled_from([1, 2])},
}


def shapes(data: st.DataObject, largest: int, channels: int) -> tuple[int, ...]:
    """A map's shape, or a signal's."""
    sizes = [data.draw(st.integers(1, largest), name) for name in data.draw(st.sampled_from(NAMES), "axes")]
    return (*sizes, channels)


NAMES = [("height", "width"), ("length",)]


@pytest.mark.parametrize("name", WINDOWED)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_windows_of_all_sizes(name: str, data: st.DataObject) -> None:
    kind = kind_of(name)
    strategies: dict[str, Any] = {
        "stride": pairs,
        "pad": paddings,
        "rounding": st.sampled_from(["floor", "ceil", "exact"]),
        kind.extent_field: pairs,  # type: ignore[attr-defined]
        **({"dilation": pairs} if "dilation" in kind.model_fields else {}),
        **FIELDS.get(name, {}),
    }
    layer = read({name: {field: data.draw(strategy, field) for field, strategy in strategies.items()}})
    inputs = (TensorType(shapes(data, 12, 4)),)
    try:
        inferred = layer.infer(*inputs)
    except ShapeError as error:
        assert error.message
        return
    assert inferred == traced_type(layer, inputs)


@pytest.mark.parametrize("name", ["adaptive_avg_pool", "adaptive_max_pool", "crop", "pad"])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_resizing_kinds_of_all_sizes(name: str, data: st.DataObject) -> None:
    fields: dict[str, Any]
    if name.startswith("adaptive"):
        fields = {"size": data.draw(pairs)}
    elif name == "crop":
        fields = {"size": data.draw(pairs)} if data.draw(st.booleans()) else {"sides": data.draw(paddings)}
        if "size" in fields and data.draw(st.booleans()):
            fields["offset"] = data.draw(margin)
    else:
        fields = {"sides": data.draw(paddings), "mode": data.draw(st.sampled_from(["constant", "reflect", "edge"]))}
    if isinstance(fields.get("sides"), str):
        fields["sides"] = 1
    layer = read({name: fields})
    inputs = (TensorType(shapes(data, 9, 2)),)
    try:
        inferred = layer.infer(*inputs)
    except ShapeError:
        return
    assert inferred == traced_type(layer, inputs)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"pad": "same"}, {"pad": [[2, 2], [1, 1]]}),
        ({"pad": "valid"}, {}),
        ({"pad": [2, 1]}, {"pad": [[2, 2], [1, 1]]}),
        ({"stride": 2}, {"stride": [2, 2]}),
    ],
)
def test_equivalent_spellings(a: dict[str, Any], b: dict[str, Any]) -> None:
    x = TensorType((9, 8, 3))
    one, two = (read({"conv": {"filters": 2, "kernel": [5, 3], **fields}}) for fields in (a, b))
    assert one.infer(x) == two.infer(x)
    assert one.padding(x) == two.padding(x)  # type: ignore[attr-defined]


def test_causal_padding_is_all_at_the_beginning() -> None:
    """Keras' padding="causal": (F − 1)·dilation before, whatever the stride."""
    x = TensorType((50, 3))
    for fields in ({}, {"stride": 2}, {"dilation": 4, "stride": 3}):
        extent = 4 * fields.get("dilation", 1)
        one, two = (
            read({"conv": {"filters": 2, "kernel": 5, "pad": pad, **fields}}) for pad in ("causal", [[extent, 0]])
        )
        assert one.infer(x) == two.infer(x)
        assert one.padding(x) == two.padding(x) == ((extent, 0),)  # type: ignore[attr-defined]
    with pytest.raises(ShapeError, match="is for signals"):
        read({"conv": {"filters": 2, "kernel": 5, "pad": "causal"}}).infer(TensorType((9, 9, 3)))


def test_the_harness_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    relu = kind_of("relu")
    monkeypatch.setattr(relu, "infer", lambda self, x: TensorType((x.shape[0] + 1, *x.shape[1:])))
    with pytest.raises(AssertionError):
        test_the_inferred_type_is_the_traced_one("relu", relu.examples[0])


def test_a_kind_is_the_class_in_the_file_of_its_name() -> None:
    files = [path.stem for path in Path(archspec.layers.__file__).parent.glob("*.py") if path.stem[0] != "_"]
    assert len(files) > 30
    for name in files:
        assert (kind_of(name).kind, kind_of(name).__module__) == (name, f"archspec.layers.{name}")


def test_the_largest_adaptive_bin_is_found_without_looking_at_every_bin() -> None:
    from archspec.layers._adaptive_pool import _largest_bin

    for size in range(1, 40):
        for bins in range(1, 40):
            extents = [-((i + 1) * size // -bins) - i * size // bins for i in range(bins)]
            assert _largest_bin(size, bins) == max(extents)
    assert _largest_bin(6, 724406816) == 2
