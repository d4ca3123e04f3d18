"""Reports on a graph: what each layer, each block and the whole network cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.blocks import Part, folded, tree
from archspec.figures.conventions import CONVENTIONS, Convention
from archspec.figures.cost import bytes_moved, training_flops
from archspec.figures.memory import Memory, inference
from archspec.figures.receptive_field import fields_of
from archspec.graph import Graph, Node, input_number
from archspec.layers import Role
from archspec.optimisers import Optimiser, default_optimiser
from archspec.spec.needs import training_memory
from archspec.types import DTYPE_BYTES, DTYPES

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.train import Train


class Row(NamedTuple):
    """The figures of one layer, or of a folded block. Operations and bytes are for the whole batch.

    `output` is the shape for one sample, of a block that of its last layer. `activation_bytes` are those of all outputs
    inside, `moved_bytes` what is read and written: inputs, weights and outputs (`cost.bytes_moved`). `counted` are
    operations as another tool counts them, None without one. The receptive field has one axis on a signal, and none
    where only vectors are seen; `field_of` is the input that it is a field of, where it could be another's, and
    `other_fields` are those of the further inputs that are seen.
    `weights_of` is the layer or block whose arrays it uses, where all of its arrays are another's.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: tuple[int, ...]
    params: int
    macs: int
    flops: int
    activation_bytes: int
    receptive_field: tuple[int, ...]
    moved_bytes: int = 0
    counted: int | None = None
    field_of: str = ""
    other_fields: tuple[tuple[str, tuple[int, ...]], ...] = ()
    weights_of: str = ""

    @property
    def operations(self) -> int:
        """Multiply–adds, or what the convention counts."""
        return self.macs if self.counted is None else self.counted

    @property
    def intensity(self) -> float:
        """Arithmetic intensity: FLOPs per byte moved."""
        return self.flops / self.moved_bytes if self.moved_bytes else 0.0


@dataclass(frozen=True)
class Report:
    """Figures of a network, printable as a table, JSON, and so on, or in a notebook.

    `graph` is what the mode leaves of `whole`. `budget` are bytes that a batch must fit into.
    """

    graph: Graph
    whole: Graph
    batch: int
    rows: tuple[Row, ...]
    dtype: str = "float32"
    optimiser: Optimiser | None = None
    convention: Convention | None = None
    budget: int | None = None
    recipe: Train | None = None
    """Whose micro-batches, averages and blocks computed anew training's memory is for."""
    anew: str = ""
    """How the recipe came to these blocks, where they were chosen for it."""

    @property
    def optimiser_name(self) -> str:
        """What the optimiser is called that training's memory is for."""
        return (self.optimiser or default_optimiser()).called

    @cached_property
    def memory(self) -> dict[tuple[str, str], Memory]:
        """Bytes for inference and for training, by (use, dtype): in float32, and in 16 bits."""
        dtypes = ("float32", "bfloat16" if self.dtype == "float32" else self.dtype)
        return {
            **{("inference", dtype): inference(self.whole, dtype) for dtype in dtypes},
            **{
                ("training", dtype): training_memory(self.whole, self.recipe, dtype, self.optimiser) for dtype in dtypes
            },
        }

    @cached_property
    def operations(self) -> int:
        """What shares are shares of: multiply–adds, or what the convention counts."""
        return sum(row.operations for row in self.rows)

    @property
    def totals(self) -> dict[str, Any]:
        """Parameters by role, operations, and bytes.

        `macs` and `flops` are of one forward pass of the batch, `training_flops` of a forward and a backward pass with
        what only training needs. `memory` has the weights' bytes on disk, and for inference and training in each
        precision the fixed part, the part per sample, the sum for the batch, and the largest batch within the budget.
        """
        graph = self.graph
        roles: tuple[Role, ...] = ("trainable", "frozen", "statistics")
        params = {role: graph.count(role) for role in roles}
        return {
            "params": params,
            "macs": sum(row.macs for row in self.rows),
            "flops": sum(row.flops for row in self.rows),
            "training_flops": self.batch * training_flops(self.whole),
            "memory": {
                "weights_bytes": DTYPE_BYTES[self.dtype] * sum(params.values()),
                "activations_bytes": sum(row.activation_bytes for row in self.rows),
                "largest_activation_bytes": self.batch
                * max((_bytes(node, self.dtype) for node in graph.nodes), default=0),
                "optimiser": self.optimiser_name,
                "inference": self._needed("inference"),
                "training": self._needed("training"),
            },
        }

    def _needed(self, use: str) -> dict[str, dict[str, Any]]:
        needed: dict[str, dict[str, Any]] = {}
        for (which, dtype), memory in self.memory.items():
            if which == use:
                peak = memory.peak(self.batch)
                needed[dtype] = {
                    "fixed_bytes": peak.fixed,
                    "per_sample_bytes": peak.per_sample,
                    "batch_bytes": peak.at(self.batch),
                    "parts": {name: part._asdict() for name, part in peak.parts.items()},
                }
                if self.budget is not None:
                    needed[dtype]["largest_batch"] = memory.largest_batch(self.budget)
        return needed

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, in the form that `--format json` prints."""
        from archspec.reports.json import to_dict

        return to_dict(self)

    def __str__(self) -> str:
        from archspec.reports.tables import render_text

        return render_text(self)

    def _repr_html_(self) -> str:
        from archspec.reports.notebook import display

        return display(self)


def report(
    network: Spec | Graph,
    *,
    mode: Literal["eval", "train"] = "eval",
    batch: int = 1,
    depth: int | None = None,
    dtype: str = "float32",
    optimiser: Optimiser | None = None,
    convention: str | None = None,
    memory: int | None = None,
) -> Report:
    """Figures of a network, for evaluation (train-only parts left out) or training.

    Blocks below `depth` are folded, none are where it is None. `dtype` is the precision of activations and moved bytes;
    `optimiser` is the recipe's of a spec, else Adam, where none is given; `convention` is one of `CONVENTIONS`;
    `memory` are bytes for which the largest batch is told.

    Raises ValueError when the batch or the depth is not positive, or there is no such dtype or convention, and
    `SpecError` for a spec that is wrong.
    """
    if batch < 1:
        raise ValueError("the batch must be 1 or more")
    if dtype not in DTYPES:
        raise ValueError(f"dtype is one of {', '.join(DTYPES)}, not {dtype}")
    if convention is not None and convention not in CONVENTIONS:
        raise ValueError(f"convention is one of {', '.join(CONVENTIONS)}, not {convention}")
    graph, optimiser = _given(network, optimiser)
    seen = graph.pruned(mode)
    parts = folded(seen, depth) if depth is not None else [part for part in tree(seen).walk() if part.is_layer]
    chosen = CONVENTIONS[convention] if convention else None
    owner = _owners(parts, seen)
    # With one image or signal every field is a field of that.
    fields = sizes_seen(seen) if sum(not item.type.is_vector for item in seen.inputs) > 1 else None
    rows = tuple(_row(part, owner, seen, fields, batch, dtype, chosen) for part in parts)
    recipe = None if isinstance(network, Graph) else network.train
    anew = ""
    if recipe is not None and recipe.remat == "auto":
        recipe, anew = _settled(recipe, graph)
    return Report(seen, graph, batch, rows, dtype, optimiser, chosen, memory, recipe, anew)


def _settled(recipe: Train, graph: Graph) -> tuple[Train, str]:
    """The recipe with the blocks that `remat: auto` comes to by prediction, where a limit is given, and a note."""
    if recipe.memory is None:
        return (
            recipe,
            "remat: auto: training asks the device what is free, and counts here as without; `memory` says it",
        )
    from archspec.spec.fitting import fitted

    found = fitted(graph, recipe, recipe.memory)
    return recipe.model_copy(update={"remat": found.blocks}), found.said


def _given(network: Spec | Graph, optimiser: Optimiser | None) -> tuple[Graph, Optimiser | None]:
    """The graph, and the optimiser whose state training keeps."""
    if isinstance(network, Graph):
        return network, optimiser
    return network.graph(), optimiser or (network.train.optimiser if network.train else None)


def _owners(parts: Sequence[Part], graph: Graph) -> dict[int, str]:
    """The path of the row that each node is in, and the inputs' names."""
    names = {input_number(place): item.name for place, item in enumerate(graph.inputs)}
    return {**names, **{index: part.path for part in parts for index in part.nodes}}


def _row(
    part: Part,
    owner: dict[int, str],
    graph: Graph,
    fields: Sequence[dict[str, tuple[int, ...]]] | None,
    batch: int,
    dtype: str,
    convention: Convention | None,
) -> Row:
    nodes = [graph.nodes[index] for index in part.nodes]
    sources = dict.fromkeys(owner[source] for node in nodes for source in node.inputs)
    sources.pop(part.path, None)
    last = nodes[-1]
    (name, field), *others = (fields[part.nodes[-1]].items() or [("", ())]) if fields else [seen_by(last, graph)]
    return Row(
        part.path,
        part.kind,
        tuple(sources),
        last.output.shape,
        sum(node.params for node in nodes),
        batch * sum(node.cost.macs for node in nodes),
        batch * sum(node.cost.flops for node in nodes),
        batch * sum(_bytes(node, dtype) for node in nodes),
        field,
        sum(bytes_moved(node, batch, dtype, fusion=False) for node in nodes),
        batch * sum(convention.count(node, graph.mode) for node in nodes) if convention else None,
        name if fields else "",
        tuple(others),
        weights_of(part, nodes),
    )


def weights_of(part: Part, nodes: Sequence[Node]) -> str:
    """The layer or block whose arrays a part uses, by the same paths inside both; "" where there is no such one."""
    using = [node for node in nodes if node.arrays]
    if not using or any(node.shares is None for node in using):
        return ""
    inside = {node.path: node.path.removeprefix(part.path) for node in using}
    if not all(node.owner.endswith(inside[node.path]) for node in using):
        return ""
    owners = {node.owner.removesuffix(inside[node.path]) for node in using}
    return owners.pop() if len(owners) == 1 else ""


def seen_by(node: Node, graph: Graph) -> tuple[str, tuple[int, ...]]:
    """The input that a node's receptive field is a field of, and its size on that one's axes; "" and () where it sees
    vectors alone.
    """
    if node.sees is None:
        return "", ()
    return graph.source_name(node.sees), node.receptive_field.size[: len(graph.source_type(node.sees).spatial)]


def sizes_seen(graph: Graph) -> list[dict[str, tuple[int, ...]]]:
    """The sizes of every node's receptive fields on the axes of the inputs that they are fields of, by their names."""
    axes = {place: len(item.type.spatial) for place, item in enumerate(graph.inputs)}
    return [
        {graph.source_name(place): field.size[: axes[input_number(place)]] for place, field in fields.items()}
        for fields in fields_of(graph)
    ]


def _bytes(node: Node, dtype: str) -> int:
    """Bytes of one sample's output in a precision."""
    return node.output.size * DTYPE_BYTES[dtype]
