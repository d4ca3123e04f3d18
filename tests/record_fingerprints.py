"""Digests of the zoo's graphs and figures, and of programs of a sample: the same digest, the same network.

`python -m tests.record_fingerprints` writes `tests/fingerprints/graphs.json` and `programs.json` anew and prints what
changed; a commit that changes a record says which networks and why. Programs are recorded for the installed minor
version of JAX, those of other versions are left as they are. Drawings have their own script, `tests.record_drawings`.

What a digest is made of is written as JSON with sorted keys, so that the order of fields, the names of functions and
the addresses of objects have no part in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.graph import Graph
from archspec.loading import load
from archspec.lower import outline
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.reports import Report, report
from archspec.zoo import zoo_variants
from tests.zoo import FIGURES

FOLDER = Path(__file__).parent / "fingerprints"
NETWORKS = [name for name, (_, variant) in zoo_variants().items() if variant]
TRACED = [name for name in NETWORKS if name in FIGURES and (FIGURES[name].traced or FIGURES[name].sample)]
"""Those whose programs are recorded: one or two of each family, since tracing takes seconds."""

JAX = ".".join(jax.__version__.split(".")[:2])

UNSAID = {"name", "debug_info", "ctx_mesh"}
"""Parameters of operations that are names of functions, places in files, or the same for all."""


def digest(value: Any) -> str:
    """64 bits of the SHA-256 of a value's JSON."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def graph_of(graph: Graph) -> dict[str, Any]:
    """A graph as plain data: its nodes in order with all that they say of themselves, and its outputs.

    Fields that have their defaults are left out: a new field of a kind changes no network.
    """
    return {
        "name": graph.name,
        "input": graph.input,
        "nodes": [
            {
                "path": node.path,
                "kind": node.kind,
                "fields": node.layer.model_dump(mode="json", exclude_defaults=True),
                "inputs": node.inputs,
                "input_types": node.input_types,
                "output": node.output,
                "weights": node.weights,
                "cost": node.cost,
                "field": [list(map(whole, part)) for part in node.receptive_field],
            }
            for node in graph.nodes
        ],
        "outputs": [(output.name, output.node, output.weight, output.train_only) for output in graph.outputs],
    }


def whole(value: float) -> float:
    """A number of which 2 and 2.0 are the same."""
    return int(value) if value == int(value) else value


def figures_of(graph: Graph) -> dict[str, Any]:
    """What reports say of a graph: the rows and totals for evaluation and for training with Adam."""
    return {mode: _figures(report(graph, mode=mode, batch=2)) for mode in ("eval", "train")}


def _figures(figures: Report) -> Any:
    names = ("name", "kind", "output", "params", "macs", "flops", "activation_bytes", "receptive_field", "moved_bytes")
    return [[getattr(row, name) for name in names] for row in figures.rows], figures.totals


def program_of(closed: Any) -> str:
    """The digest of a jaxpr: operations in order, their parameters, and who takes what of whom.

    Names of functions and places in files have no part in it.
    """
    known: dict[int, tuple[Any, str]] = {}

    def of_jaxpr(jaxpr: Any, consts: Sequence[Any] = ()) -> str:
        # The same traced function is called from many places; it is kept, so that its number is no other's.
        if id(jaxpr) not in known:
            known[id(jaxpr)] = (jaxpr, digest(list(lines(jaxpr, consts))))
        return known[id(jaxpr)][1]

    def lines(jaxpr: Any, consts: Sequence[Any]) -> Iterator[Any]:
        number: dict[Any, int] = {}

        def atom(value: Any) -> Any:
            if hasattr(value, "val"):
                return ["literal", constant(value.val), str(value.aval)]
            return number[value]

        def bound(value: Any) -> str:
            number[value] = len(number)
            return str(value.aval)

        yield ["in", [bound(value) for value in (*jaxpr.constvars, *jaxpr.invars)], [constant(item) for item in consts]]
        for equation in jaxpr.eqns:
            taken = [atom(value) for value in equation.invars]
            given = [bound(value) for value in equation.outvars]
            params = {name: plain(value) for name, value in equation.params.items() if name not in UNSAID}
            yield [equation.primitive.name, taken, given, params]
        yield ["out", [atom(value) for value in jaxpr.outvars]]

    def plain(value: Any) -> Any:
        """A parameter of an operation as plain data."""
        if hasattr(value, "jaxpr"):
            return of_jaxpr(value.jaxpr, value.consts)
        if hasattr(value, "eqns"):
            return of_jaxpr(value)
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, tuple | list):
            return [plain(item) for item in value]
        if isinstance(value, np.ndarray | np.generic | jax.Array):
            return constant(value)
        return "function" if callable(value) and not isinstance(value, type) else str(value)

    def constant(value: Any) -> Any:
        array = np.asarray(value)
        return [str(array.dtype), array.shape, digest(array.tobytes().hex())]

    return of_jaxpr(closed.jaxpr, closed.consts)


def traced(graph: Graph) -> tuple[Any, Any, Any]:
    """A network's forward pass in evaluation and its gradient in training, for two samples: their jaxprs.

    Operations are the library's: what else computes them depends on the device.

    The third are the shapes of what the gradient returns: (the sum of losses, outputs by name), gradients by name.
    The networks are large, and nothing is computed.
    """
    pure, params, statistics = outline(graph)
    x = jax.ShapeDtypeStruct((2, *graph.input.shape), jnp.float32)

    def forward(params: Any, statistics: Any, x: Any) -> Any:
        return pure.apply(params, statistics, x, train=False, lowerings=BY_LIBRARY)[0]

    def loss(params: Any, statistics: Any, x: Any) -> Any:
        outputs, _ = pure.apply(params, statistics, x, train=True, key=jax.random.key(1), lowerings=BY_LIBRARY)
        named = outputs if isinstance(outputs, dict) else {graph.outputs[0].name: outputs}
        return sum((jnp.mean(jax.nn.log_softmax(value)) for value in named.values()), jnp.zeros(())), named

    evaluation = jax.make_jaxpr(forward)(params, statistics, x)
    gradient, shapes = jax.make_jaxpr(jax.value_and_grad(loss, has_aux=True), return_shape=True)(params, statistics, x)
    return evaluation, gradient, shapes


def graph_record(graph: Graph) -> dict[str, Any]:
    """What graphs.json keeps of a network; the counts are there for people."""
    counts = {"nodes": len(graph.nodes), "params": graph.params, "macs": graph.macs}
    return {"graph": digest(graph_of(graph)), "figures": digest(figures_of(graph)), **counts}


def program_record(name: str) -> dict[str, str]:
    """What programs.json keeps of a network."""
    evaluation, gradient, _ = traced(load(name).graph())
    return {"eval": program_of(evaluation), "gradient": program_of(gradient)}


def read(name: str) -> dict[str, Any]:
    """A record, empty where there is none."""
    path = FOLDER / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def main() -> None:
    graphs = {name: graph_record(load(name).graph()) for name in NETWORKS}
    programs = {name: program_record(name) for name in TRACED}
    kept = read("programs")
    for sort, before, after in (("graph", read("graphs"), graphs), ("program", kept.get(JAX, {}), programs)):
        for name in sorted({*before, *after}):
            old, new = before.get(name, {}), after.get(name, {})
            changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            if changed:
                print(f"{sort} of {name}: {', '.join(changed)}")
    for name, record in (("graphs", graphs), ("programs", {**kept, JAX: programs})):
        (FOLDER / f"{name}.json").write_text(json.dumps(record, indent=1, sort_keys=name == "programs") + "\n", "utf-8")


if __name__ == "__main__":
    main()
