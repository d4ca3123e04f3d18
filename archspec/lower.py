"""Graph → Flax NNX module, and the pure functions that everything compiled is made of.

The module's attribute paths are the node paths: node `layer1.0.conv2` is `network.layer1[0].conv2`. The graph decides
what is called while tracing; nothing of it is left in the compiled program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
from flax import nnx

from archspec.calling.calls import Call, Foreign, Program, Values, Way, call
from archspec.calling.convolutions import fold
from archspec.calling.groups import run
from archspec.calling.rows import take_variables
from archspec.diagnostics import DataError, article, count, listed
from archspec.graph import Graph, Node, input_number
from archspec.kinds import is_foreign
from archspec.lowerings.choosing import Lowerings
from archspec.lowerings.compiling import jit
from archspec.nn.given import Taken, by_name, too_many
from archspec.nn.shards import Shards
from archspec.passes import Group, folds
from archspec.plugins import failure, home_of
from archspec.programs import keep
from archspec.sharding.rows import Rows

Arrays = dict[str, jax.Array]
"""Arrays by node path and attribute: `layer1.0.conv2.kernel`."""

Inputs = jax.Array | Mapping[str, jax.Array]
"""What a network takes: the array of its one input, or arrays by the inputs' names."""

Outputs = jax.Array | dict[str, jax.Array]


class Modules(nnx.Module):
    """The modules of one scope, by name."""


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
        groups: Sequence[Group] = (),
        lowerings: Lowerings | None = None,
        folded: bool = False,
        shards: Shards | None = None,
        rows: Rows | None = None,
    ) -> Outputs:
        """As a call, of arrays by name. With a 16-bit `precision` layers pass on numbers of that type and compute with
        them, but for those of `full_precision`, which compute in float32; outputs are float32. `groups` are what passes
        found in the graph that is pruned to the mode: their calls run together.
        `lowerings` choose how operations are computed; by default the rules for this device do. `shards` say of which
        part of a batch the arrays are, and `rows` how layers divide the rows of maps over `spatial`: inputs are whole
        all the same, outputs those that `rows` names a device's own rows.
        """
        program = self._programs[train]
        values = self.given(x)
        run(
            range(len(program.steps)),
            groups,
            values,
            self.way(train, key, frozen, precision, lowerings, folded, shards, rows),
        )
        outputs = {name: values[index, False] for name, index in program.outputs}
        if precision is not None:
            outputs = {name: value.astype(jnp.float32) for name, value in outputs.items()}
        return next(iter(outputs.values())) if len(self._programs[1].outputs) == 1 else outputs

    def given(self, x: Inputs) -> Values:
        """The values that a program begins with: the inputs by the numbers that stand for them in a graph."""
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
        through: Mapping[str, Callable[[jax.Array], jax.Array]] = {},
    ) -> Iterator[tuple[int, jax.Array]]:
        """Every node's output, by the node's index in the graph that is pruned to the mode, one by one.

        What a node gives goes `through` the function that stands there by its path, before others take it.
        """
        values = self.given(x)
        way = self.way(train, key, frozen, precision, lowerings)._replace(through=through)
        for index in range(len(way.program.steps)):
            call(index, values, way)
            yield index, values[index, False]

    def way(self, train: bool, *settings: Any) -> Way:
        """How the program of a mode is run: see `Way`, whose settings after the mode may be given."""
        program = self._programs[train]
        return Way(program, lambda index: self.at(program.steps[index].path), train, *settings)

    def at(self, path: tuple[str | int, ...]) -> Any:
        """The module at a path."""
        module: Any = self
        for part in path:
            module = module[part] if isinstance(part, int) else getattr(module, part)
        return module


def build(graph: Graph, rngs: nnx.Rngs | None = None, *, seed: int = 0) -> Network:
    """The Flax module of a graph, its weights drawn anew.

    A node's weights depend on the seed and the path that they stand under only. `rngs` gives the seed's key where it is
    given. Raises `SpecError` where a kind builds other arrays than it declares.
    """
    keep()
    key = jax.random.key(seed) if rngs is None else rngs.params()

    def module(node: Node) -> nnx.Module:
        if _draws_nothing(node):
            return _built(node, nnx.Rngs())
        return _built(node, nnx.Rngs(jax.random.fold_in(key, crc32(node.owner.encode()))))

    network = _network(graph, module)
    _, params, others = split(network)
    _check_arrays(graph, params, others)
    return network


def outline(graph: Graph) -> tuple[Pure, Arrays, Arrays]:
    """As `split` of a graph's network, with shapes and types in place of arrays: nothing is drawn or allocated.

    Raises `SpecError` where a kind builds other arrays than it declares.
    """
    keep()
    pure, params, others = split(_network(graph, _Outlines()))
    _check_arrays(graph, params, others)
    return pure, params, others


class _Outlines:
    """The modules of nodes, with shapes and types in place of arrays.

    They are traced layer by layer: one trace of them all would take time that grows with the square of their number.
    Layers that are alike are traced once, and the others are copies; those without arrays need no trace.
    """

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], tuple[Any, nnx.Module]] = {}

    def __call__(self, node: Node) -> nnx.Module:
        if _draws_nothing(node):
            return _built(node, nnx.Rngs())
        if is_foreign(type(node.layer)):
            return self.traced(node)
        alike = (type(node.layer), repr(node.layer), node.input_types)
        if alike not in self.known or self.known[alike][0] != node.layer:  # whose words may say less than it is
            self.known[alike] = node.layer, self.traced(node)
        copied: nnx.Module = nnx.clone(self.known[alike][1])
        return copied

    @staticmethod
    def traced(node: Node) -> nnx.Module:
        made: nnx.Module = nnx.eval_shape(lambda: _built(node, nnx.Rngs(0)))
        return made


def _draws_nothing(node: Node) -> bool:
    """Whether a node's module has no arrays."""
    return not node.weights and not is_foreign(type(node.layer))


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
    own = _Outlines.traced(node)
    take_variables(own, owner)
    return own


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
            node.layer.varying,
            node.layer.uses_lowerings,
            node.layer.uses_shards,
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
        groups: Sequence[Group] = (),
        lowerings: Lowerings | None = None,
        folded: bool = False,
        shards: Shards | None = None,
        rows: Rows | None = None,
    ) -> tuple[Outputs, Arrays]:
        """The network's outputs for x, as calling it takes it, and the statistics afterwards.

        `groups` run together: what passes found in the graph pruned to the mode. `folded` says that the arrays are
        those that the function of `folding` gave for the same groups. `shards` say how the batch is divided, where this
        is called within `jax.shard_map`, and `rows` how the rows of maps are: of outputs that they name, a device has
        its own rows.
        """
        network = self.merge(params, statistics)
        x = by_name(x, {}, network._inputs)
        outputs = network.computed(x, train, key, frozen, precision, groups, lowerings, folded, shards, rows)
        return outputs, split(network)[2]

    def folding(
        self, groups: Sequence[Group], narrow: Callable[[Arrays], Arrays] | None = None
    ) -> Callable[[Arrays, Arrays], tuple[Arrays, Arrays]]:
        """A function of params and statistics that gives them as `apply` takes them with `folded`.

        What `groups` fold is done once, for many calls; names and shapes stay, arrays that nothing is folded in too.
        The params that come of it are then made of another type by `narrow`, as `narrowing` gives it.
        """
        if not folds(groups) and narrow is None:
            return lambda params, statistics: (params, statistics)

        def folded(params: Arrays, statistics: Arrays) -> tuple[Arrays, Arrays]:
            if folds(groups):
                network = self.merge(params, statistics)
                fold(groups, network.way(False))
                _, params, statistics = split(network)
            return (params if narrow is None else narrow(params)), statistics

        compiled: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]] = jit(folded)
        return compiled

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


def type_of(precision: str) -> Any:
    """The 16-bit type that a network computes with; None for float32."""
    return None if precision == "float32" else jnp.dtype(precision)


def narrowing(graph: Graph, kind: Any) -> Callable[[Arrays], Arrays] | None:
    """What makes weights of a 16-bit type; None where the type is None."""
    return None if kind is None else partial(narrowed, graph, kind=kind)


def narrowed(graph: Graph, arrays: Arrays, kind: Any) -> Arrays:
    """Weights of another type, but for those of layers that compute in float32."""
    wide = {
        f"{node.owner}.{weight.name}" for node in graph.nodes if node.layer.full_precision for weight in node.weights
    }
    return {name: value if name in wide else value.astype(kind) for name, value in arrays.items()}
