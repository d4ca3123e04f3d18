"""Graph → Flax NNX module, and the pure functions that everything compiled is made of.

The module's attribute paths are the node paths: node `layer1.0.conv2` is `network.layer1[0].conv2`. The graph decides
what is called while tracing; nothing of it is left in the compiled program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.blocks import Stretch
from archspec.diagnostics import DataError, Span, article, count, listed
from archspec.graph import Graph, Node, input_number
from archspec.kinds import Kind, is_foreign
from archspec.lowerings.choosing import Lowerings
from archspec.nn.given import Taken, by_name, too_many
from archspec.plugins import failure, home_of
from archspec.programs import keep

Arrays = dict[str, jax.Array]
"""Arrays by node path and attribute: `layer1.0.conv2.kernel`."""

Inputs = jax.Array | Mapping[str, jax.Array]
"""What a network takes: the array of its one input, or arrays by the inputs' names."""

Outputs = jax.Array | dict[str, jax.Array]


class Modules(nnx.Module):
    """The modules of one scope, by name."""


class Call(NamedTuple):
    """One call while tracing. `inputs` say which node, and whether its indices are meant instead of its value.

    `owner` is the node whose arrays it uses: that of its own name, unless they are shared.
    """

    name: str
    owner: str
    path: tuple[str | int, ...]
    inputs: tuple[tuple[int, bool], ...]
    gives_indices: bool
    uses_mode: bool
    uses_key: bool
    uses_lowerings: bool
    full_precision: bool
    hash: int
    foreign: Foreign | None


class Foreign(NamedTuple):
    """The kind of a layer that is not this package's own, and where the layer was written."""

    kind: type[Kind]
    span: Span | None


class Program(NamedTuple):
    """The calls that a mode's outputs need, in order, and where the outputs are."""

    steps: tuple[Call, ...]
    outputs: tuple[tuple[str, int], ...]


_Values = dict[tuple[int, bool], jax.Array]
"""What nodes give, by index, and their indices of maxima, where the second is true."""


class _Way(NamedTuple):
    """How a program is run."""

    train: bool
    key: jax.Array | None
    frozen: frozenset[str]
    precision: Any
    lowerings: Lowerings | None
    program: Program

    @property
    def outputs(self) -> set[int]:
        return {index for _, index in self.program.outputs}


class Network(nnx.Module):
    """A lowered graph. Calling it gives the array of its one output, or a dict of arrays by output names.

    In training every output is returned, in evaluation those that are not train-only. Modules of nodes that share
    arrays hold the same variables.
    """

    _programs: tuple[Program, Program]
    """For evaluation and training."""
    _inputs: tuple[Taken, ...]
    """The inputs, in order."""
    deterministic: bool = True
    """Whether a call that does not say `train` runs as in evaluation; `train()` and `eval()` of nnx set it."""

    def __call__(
        self,
        x: Inputs | None = None,
        /,
        *more: Any,
        train: bool | None = None,
        key: jax.Array | None = None,
        frozen: frozenset[str] = frozenset(),
        **inputs: jax.Array,
    ) -> Outputs:
        """x is (batch, height, width, channels), (batch, length, channels) or (batch, features); where the network has
        several inputs, a mapping of such arrays by their names, which may also be given as keywords.

        In training, batch normalisation uses the batch's statistics and takes them into its own, random layers need a
        `key`, and train-only outputs are given. Without `train` a call runs as in evaluation, or as the last of
        `network.train()` and `network.eval()` said. Layers whose arrays are of a `frozen` path run as in evaluation:
        they use their statistics and leave them as they are.

        Raises ValueError when a shape is wrong or a random layer has no key, and TypeError when something is no array
        of numbers or an input is missing.
        """
        if more:
            raise too_many(1 + len(more), self._inputs)
        train = not self.deterministic if train is None else train
        return self.computed(by_name(x, inputs, self._inputs), train, key, frozen)

    def computed(
        self,
        x: Mapping[str, jax.Array],
        train: bool,
        key: jax.Array | None = None,
        frozen: frozenset[str] = frozenset(),
        precision: Any = None,
        recomputed: Sequence[Stretch] = (),
        lowerings: Lowerings | None = None,
    ) -> Outputs:
        """As a call, of arrays by name. With a 16-bit `precision` layers pass on numbers of that type and compute with
        them, but for those of `full_precision`, which compute in float32; outputs are float32. Of the layers of
        `recomputed` stretches nothing is kept for the backward pass: it computes them anew, with the same keys.
        `lowerings` choose how operations are computed; by default the rules for this device do.
        """
        program = self._programs[train]
        way = _Way(train, key, frozen, precision, lowerings, program)
        values = self._given(x)
        stretches = {stretch.first: stretch for stretch in recomputed}
        index = 0
        while index < len(program.steps):
            stretch = stretches.get(index)
            if stretch is None:
                self._call(index, self.at(program.steps[index].path), values, way)
                index += 1
            else:
                self._recomputed(stretch, values, way)
                index = stretch.last + 1
        outputs = {name: values[index, False] for name, index in program.outputs}
        if precision is not None:
            outputs = {name: value.astype(jnp.float32) for name, value in outputs.items()}
        return next(iter(outputs.values())) if len(self._programs[1].outputs) == 1 else outputs

    def _given(self, x: Inputs) -> _Values:
        """The inputs by the numbers that stand for them in a graph."""
        given = x if isinstance(x, Mapping) else {self._inputs[0].name: x}
        return {(input_number(place), False): given[item.name] for place, item in enumerate(self._inputs)}

    def trace(
        self,
        x: Inputs,
        key: jax.Array | None = None,
        frozen: frozenset[str] = frozenset(),
        *,
        train: bool = True,
        precision: Any = None,
        lowerings: Lowerings | None = None,
    ) -> Iterator[tuple[int, jax.Array]]:
        """Every node's output, by the node's index in the graph that is pruned to the mode, one by one."""
        program = self._programs[train]
        values = self._given(x)
        way = _Way(train, key, frozen, precision, lowerings, program)
        for index, step in enumerate(program.steps):
            self._call(index, self.at(step.path), values, way)
            yield index, values[index, False]

    def _call(self, index: int, module: Any, values: _Values, way: _Way) -> None:
        """Adds what a step gives to the values."""
        step = way.program.steps[index]
        options: dict[str, Any] = {"indices": True} if step.gives_indices else {}
        if step.uses_mode:
            options["train"] = way.train and step.owner not in way.frozen
        if step.uses_key and way.train:
            if way.key is None:
                raise ValueError(
                    f"{step.name} is random and needs a key while training: network(x, train=True, "
                    "key=jax.random.key(0)), another one for each step"
                )
            # A layer's key depends on its own path alone, so other layers can come and go.
            options["key"] = jax.random.fold_in(way.key, step.hash)
        if step.uses_lowerings:
            options["lowerings"] = way.lowerings
        taken = [values[source] for source in step.inputs]
        if way.precision is not None:
            wanted = jnp.float32 if step.full_precision else way.precision
            taken = [_as(wanted, value) for value in taken]
        # Profilers and dumps of compiled programs show the path, of the backward pass too.
        with jax.named_scope(step.name):
            value = _called(module, taken, options, step)
        if step.gives_indices:
            value, values[index, True] = value
        # What a layer in float32 gives as an output of the network is not rounded.
        if way.precision is not None and not (step.full_precision and index in way.outputs):
            value = _as(way.precision, value)
        values[index, False] = value

    def _recomputed(self, stretch: Stretch, values: _Values, way: _Way) -> None:
        """Adds what other layers take of a stretch to the values; the rest is forgotten until the backward pass."""
        steps, inside = way.program.steps, range(stretch.first, stretch.last + 1)
        taken = {source for index in inside for source in steps[index].inputs if source[0] not in inside}
        later = {source for step in steps[stretch.last + 1 :] for source in step.inputs}
        later |= {(index, False) for index in way.outputs}
        wanted = sorted(source for source in later if source[0] in inside)
        own = [self.at(steps[index].path) for index in inside]
        definition, state = nnx.split(own)

        def run(state: Any, given: list[jax.Array], key: jax.Array | None) -> tuple[list[jax.Array], Any]:
            modules = nnx.merge(definition, state)
            inner: _Values = dict(zip(sorted(taken), given, strict=True))
            for index, module in zip(inside, modules, strict=True):
                self._call(index, module, inner, way._replace(key=key))
            return [inner[source] for source in wanted], nnx.state(modules, nnx.Not(nnx.Param))

        given = [values[source] for source in sorted(taken)]
        made, after = _run_again(run, state, given, way.key)
        values.update(zip(wanted, made, strict=True))
        nnx.update(own, after)

    def at(self, path: tuple[str | int, ...]) -> Any:
        """The module at a path."""
        module: Any = self
        for part in path:
            module = module[part] if isinstance(part, int) else getattr(module, part)
        return module


def _called(module: Any, taken: Sequence[jax.Array], options: Mapping[str, Any], step: Call) -> Any:
    """What a step's module gives. Raises `SpecError` where the code of a kind of another's fails."""
    if step.foreign is None:
        return module(*taken, **options)
    try:
        return module(*taken, **options)
    except (jax.errors.JaxRuntimeError, MemoryError):
        raise
    except Exception as error:
        raise failure(step.name, step.foreign.kind, error, step.foreign.span) from error


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run_again(run: Callable[..., Any], state: Any, given: list[jax.Array], key: jax.Array | None) -> Any:
    """run(state, given, key), of which the backward pass keeps the arguments and computes the rest anew.

    What it computes from depends on the gradient that comes in, so that no compiler takes it for what the forward pass
    has computed: XLA on CPUs drops the barriers of `jax.checkpoint`, keeps one of both, and saves nothing.
    """
    return run(state, given, key)


def _forward(run: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    return run(*arguments), arguments


def _backward(run: Callable[..., Any], arguments: Any, gradients: Any) -> tuple[Any, ...]:
    state, given, key = arguments
    first = next(value for value in jax.tree.leaves(gradients) if jnp.issubdtype(value.dtype, jnp.floating))
    # No number is above infinity.
    never = first.reshape(-1)[0] > jnp.inf

    def late(value: jax.Array) -> jax.Array:
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            data = late(jax.random.key_data(value))
            wrapped: jax.Array = jax.random.wrap_key_data(data, impl=jax.random.key_impl(value))
            return wrapped
        return jnp.where(never, jnp.zeros((), value.dtype), value)

    given, key = jax.tree.map(late, (given, key))
    _, back = jax.vjp(lambda state, given: run(state, given, key), state, given)
    return (*back(gradients), None)


_run_again.defvjp(_forward, _backward)


def _as(kind: Any, value: jax.Array) -> jax.Array:
    """Floating-point numbers in another type; whole ones, such as indices, as they are."""
    return value.astype(kind) if jnp.issubdtype(value.dtype, jnp.floating) else value


def build(graph: Graph, rngs: nnx.Rngs | None = None, *, seed: int = 0) -> Network:
    """The Flax module of a graph, its weights drawn anew.

    A node's weights depend on the seed and the path that they stand under only. `rngs` gives the seed's key where it is
    given. Raises `SpecError` where a kind builds other arrays than it declares.
    """
    keep()
    key = jax.random.key(seed) if rngs is None else rngs.params()

    def module(node: Node) -> nnx.Module:
        return _built(node, nnx.Rngs(jax.random.fold_in(key, crc32(node.owner.encode()))))

    network = _network(graph, module)
    _, params, others = split(network)
    _check_arrays(graph, params, others)
    return network


def outline(graph: Graph) -> tuple[Pure, Arrays, Arrays]:
    """As `split` of a graph's network, with shapes and types in place of arrays: nothing is drawn or allocated.

    Raises `SpecError` where a kind builds other arrays than it declares.
    """

    def module(node: Node) -> nnx.Module:
        # Layer by layer: one trace of them all would take time that grows with the square of their number.
        built: nnx.Module = nnx.eval_shape(lambda: _built(node, nnx.Rngs(0)))
        return built

    keep()
    pure, params, others = split(_network(graph, module))
    _check_arrays(graph, params, others)
    return pure, params, others


def _built(node: Node, rngs: nnx.Rngs) -> nnx.Module:
    """A node's module. Raises `SpecError` where the code of a kind of another's fails."""
    kind = type(node.layer)
    if not is_foreign(kind):
        return node.layer.build(node.input_types, rngs)
    try:
        made: Any = node.layer.build(node.input_types, rngs)
        if not isinstance(made, nnx.Module):
            raise TypeError(f"`build` gives {made!r:.100} and no nnx.Module")
        return made
    except Exception as error:
        raise failure(node.path, kind, error, node.span) from error


def _network(graph: Graph, module: Callable[[Node], nnx.Module]) -> Network:
    network = Network()
    tree: dict[str, Any] = {}
    owners: dict[str, nnx.Module] = {}
    for node in graph.nodes:
        parts = node.path.split(".")
        at = tree
        for part in parts[:-1]:
            at = at.setdefault(part, {})
        own = at[parts[-1]] = module(node) if node.counted else _sharing(node, owners[node.owner])
        owners.setdefault(node.owner, own)
    for name, value in tree.items():
        setattr(network, attribute(name), _assembled(value))
    network._programs = (_program(graph.pruned("eval"), tree), _program(graph.pruned("train"), tree))
    network._inputs = tuple(Taken(*item) for item in graph.inputs)
    return network


def _sharing(node: Node, owner: nnx.Module) -> nnx.Module:
    """A node's module, whose variables are those of another one.

    It is a module of its own, since more than arrays can depend on a layer's input: padding on its size, for one.
    """
    own: nnx.Module = nnx.eval_shape(lambda: _built(node, nnx.Rngs(0)))
    _take_variables(own, owner)
    return own


def _take_variables(module: Any, owner: Any) -> None:
    for name, value in list(vars(module).items()):
        if isinstance(value, nnx.Variable):
            setattr(module, name, getattr(owner, name))
        elif isinstance(value, nnx.List):
            for item, theirs in zip(value, getattr(owner, name), strict=True):
                _take_variables(item, theirs)
        elif isinstance(value, nnx.Module):
            _take_variables(value, getattr(owner, name))


def _check_arrays(graph: Graph, params: Arrays, others: Arrays) -> None:
    """Raises `SpecError` unless these are the arrays that the graph's layers declare, by name and shape."""
    built = {name: tuple(array.shape) for name, array in {**params, **others}.items()}
    declared = {f"{node.owner}.{weight.name}": weight.shape for node in graph.nodes for weight in node.weights}
    if built == declared:
        return
    wrong = [name for name in {**declared, **built} if built.get(name) != declared.get(name)]
    node = next(node for node in graph.nodes if wrong[0].startswith(f"{node.owner}."))
    raise DataError(
        "E218",
        f"{node.path}: the kind `{node.kind}` declares other arrays than its module has: {listed(wrong)}",
        help=[f"this is a defect of {home_of(type(node.layer))}"],
    ).located(node.span)


def attribute(name: str) -> str:
    """The attribute for a name in a scope: no two names share one, and none is what modules use for themselves.

    It is the name itself, or with `_` behind it where modules have an attribute of that name, with or without
    underscores behind it: `eval` is `eval_`, so `eval_` is `eval__`.
    """
    stem = name.rstrip("_")
    taken = name.startswith("_") or any(
        hasattr(Network, name[:length]) for length in range(max(len(stem), 1), len(name) + 1)
    )
    return f"{name}_" if taken else name


def _is_list(value: Mapping[str, Any]) -> bool:
    return list(value) == [str(index) for index in range(len(value))]


def _assembled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if _is_list(value):
        return nnx.List([_assembled(item) for item in value.values()])
    scope = Modules()
    for name, item in value.items():
        setattr(scope, attribute(name), _assembled(item))
    return scope


def _program(graph: Graph, tree: Mapping[str, Any]) -> Program:
    taken = [
        tuple(
            (source, port == "indices") for source, port in zip(node.inputs, node.ports, strict=True) if port != "shape"
        )
        for node in graph.nodes
    ]
    indexed = {source for inputs in taken for source, indices in inputs if indices}
    steps = tuple(
        Call(
            node.path,
            node.owner,
            _path(node, tree),
            taken[index],
            index in indexed,
            node.layer.uses_mode,
            node.layer.uses_key,
            node.layer.uses_lowerings,
            node.layer.full_precision,
            crc32(node.path.encode()),
            Foreign(type(node.layer), node.span) if is_foreign(type(node.layer)) else None,
        )
        for index, node in enumerate(graph.nodes)
    )
    return Program(steps, tuple((output.name, output.node) for output in graph.outputs))


def _path(node: Node, tree: Mapping[str, Any]) -> tuple[str | int, ...]:
    """A node's path in the module: numbers index lists, names are attributes."""
    path: list[str | int] = []
    at: Any = tree
    for depth, part in enumerate(node.path.split(".")):
        path.append(int(part) if depth and _is_list(at) else attribute(part))
        at = at[part]
    return tuple(path)


@dataclass(frozen=True)
class Pure:
    """What a network is besides its arrays; with them it is a pure function that can be jitted and differentiated."""

    definition: Any
    paths: dict[str, tuple[Any, ...]]

    def merge(self, params: Arrays, statistics: Arrays) -> Network:
        """The network that holds these arrays. Raises `TypeError` and `ValueError` where they are not its own."""
        for what, arrays in (("params", params), ("statistics", statistics)):
            if not isinstance(arrays, Mapping):
                raise TypeError(f"`{what}` is a dict of arrays by name, not {article(type(arrays).__name__)}")
        given = {*params, *statistics}
        missing, other = [name for name in self.paths if name not in given], sorted(given - self.paths.keys())
        if missing or other:
            said = [f"lacks {listed(missing, 8)}"] if missing else []
            said += [f"has {listed(other, 8)}, which it does not"] if other else []
            raise ValueError(f"what is given for the network's {count(len(self.paths), 'array')} {' and '.join(said)}")
        network: Network = nnx.merge(self.definition, self._nested(params), self._nested(statistics))
        return network

    def apply(
        self,
        params: Arrays,
        statistics: Arrays,
        x: Inputs,
        *,
        train: bool,
        key: jax.Array | None = None,
        frozen: frozenset[str] = frozenset(),
        precision: Any = None,
        recomputed: Sequence[Stretch] = (),
        lowerings: Lowerings | None = None,
    ) -> tuple[Outputs, Arrays]:
        """The network's outputs for x, as calling it takes it, and the statistics afterwards."""
        network = self.merge(params, statistics)
        x = by_name(x, {}, network._inputs)
        outputs = network.computed(x, train, key, frozen, precision, recomputed, lowerings)
        return outputs, split(network)[2]

    def _nested(self, arrays: Arrays) -> dict[Any, Any]:
        nested: dict[Any, Any] = {}
        for name, value in arrays.items():
            *scopes, last = self.paths[name]
            at = nested
            for part in scopes:
                at = at.setdefault(part, {})
            at[last] = value
        return nested


def split(network: Network) -> tuple[Pure, Arrays, Arrays]:
    """A network taken apart: what it is, its trainable arrays, and the rest (running statistics, frozen weights)."""
    definition, params, *rest = nnx.split(network, nnx.Param, ...)
    layers: dict[tuple[Any, ...], str] = {step.path: step.owner for step in network._programs[1].steps}
    paths: dict[str, tuple[Any, ...]] = {}

    def flat(state: Any) -> Arrays:
        arrays: Arrays = {}
        for path, value in nnx.to_flat_state(state):
            depth = next(depth for depth in range(1, len(path)) if path[:depth] in layers)
            name = ".".join((layers[path[:depth]], *map(str, path[depth:])))
            paths[name] = path
            (arrays[name],) = jax.tree.leaves(value)
        return arrays

    return Pure(definition, paths), flat(params), flat(rest[0])
