"""What XLA itself says of a network: operations and bytes of the compiled programs. Nothing is allocated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.figures import memory
from archspec.figures.cost import training_flops
from archspec.figures.units import mebibytes, si
from archspec.graph import Graph
from archspec.reports.cells import Cell, Row, Table
from archspec.spec.needs import training_memory

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.lowerings.choosing import Lowerings
    from archspec.optimisers import Optimiser
    from archspec.passes import PassName
    from archspec.spec.inputs import Input
    from archspec.spec.train import Precision, Train
    from archspec.tasks import Head

Mode = Literal["eval", "train"]
PROGRAMS: dict[Mode, str] = {"train": "training step", "eval": "forward pass"}
"""What the program of a mode is called."""


@dataclass(frozen=True)
class CrossCheck:
    """XLA's figures of one compiled program beside those that archspec predicts.

    `mode` "eval" is the forward pass of evaluation, "train" a whole training step: augmentation, forward and backward
    pass, optimiser. `flops` are those of the forward pass, in training of the backward pass too, for the whole batch;
    XLA's are those of the program.
    Bytes are those of arguments, outputs and temporaries together; what donated arguments share with outputs counts
    once. XLA's figures are None where the backend does not give them.
    """

    mode: Mode
    batch: int
    backend: str
    flops: int
    xla_flops: int | None
    bytes: int
    xla_bytes: int | None
    xla_parts: dict[str, int]
    jax: str

    @property
    def flops_ratio(self) -> float | None:
        """Counted operations over XLA's."""
        return self.flops / self.xla_flops if self.xla_flops else None

    @property
    def bytes_ratio(self) -> float | None:
        """Predicted bytes over XLA's."""
        return self.bytes / self.xla_bytes if self.xla_bytes else None

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "mode": self.mode,
            "batch": self.batch,
            "backend": self.backend,
            "jax": self.jax,
            "flops": self.flops,
            "xla_flops": self.xla_flops,
            "flops_ratio": self.flops_ratio,
            "bytes": self.bytes,
            "xla_bytes": self.xla_bytes,
            "xla_bytes_parts": self.xla_parts,
            "bytes_ratio": self.bytes_ratio,
        }


def cross_check(
    network: Spec | Graph, batch: int = 1, mode: Mode = "eval", optimiser: Optimiser | None = None
) -> CrossCheck:
    """Compiles the forward pass ("eval") or the training step ("train") from shapes alone and asks XLA.

    The step is that of the spec's recipe; a spec without one, and a graph, are given the default recipe. `optimiser`
    takes the place of the recipe's. Raises `DataError` where a spec's outputs are not what its task needs, so that it
    has no training step, and `SpecError` where the compiler fails or memory runs out.
    """
    import jax

    from archspec.training.boundary import in_words, what_needs_less

    graph, _, _, train = _given(network)
    if mode == "train" and not isinstance(network, Graph):
        from archspec.training.checks import check_outputs

        check_outputs(network, graph)
    optimiser = optimiser or train.optimiser
    predicted = memory.inference(graph) if mode == "eval" else training_memory(graph, train, optimiser=optimiser)
    with in_words(lambda: what_needs_less(graph, predicted, "a smaller `--batch` or `--input` needs less")):
        compiled = compile_program(network, batch, mode, optimiser)
        parts = memory_parts(compiled)
    return CrossCheck(
        mode,
        batch,
        jax.default_backend(),
        batch * (graph.pruned(mode).flops if mode == "eval" else training_flops(graph)),
        flops_of(compiled),
        predicted.at(batch),
        total(parts),
        parts,
        jax.__version__,
    )


class Lowered(NamedTuple):
    """A program that is not compiled yet: the function, as `jax.jit` gives it, and the shapes that it is called with.

    A forward pass takes parameters, statistics and inputs; a training step a state, which `initial` makes of arrays by
    name, and a batch, among whose targets `classes` are whole numbers below these.
    """

    function: Any
    shapes: tuple[Any, ...]
    lowerings: Lowerings
    """What chooses how its operations are computed, and has what was chosen once it is traced."""
    initial: Callable[[Any], Any] | None = None
    classes: Mapping[str, int] = {}


def compile_program(network: Spec | Graph, batch: int, mode: Mode, optimiser: Optimiser | None = None) -> Any:
    """The compiled program that `cross_check` asks about: that of the library's operations, which are the ones counted.

    What candidates do beyond these, with other operations and memory of their own, is no matter of the network's, nor
    is what passes save of a forward pass.
    """
    from archspec.lowerings.choosing import BY_LIBRARY

    made = lowered(network, batch, mode, optimiser, lowerings=BY_LIBRARY, passes=() if mode == "eval" else None)
    return made.function.lower(*made.shapes).compile()


def lowered(
    network: Spec | Graph,
    batch: int,
    mode: Mode,
    optimiser: Optimiser | None = None,
    precision: Precision | None = None,
    lowerings: Lowerings | None = None,
    passes: Sequence[PassName] | None = None,
) -> Lowered:
    """The forward pass, or the training step of the spec's recipe, for a batch of so many samples.

    A spec without a recipe, and a graph, are given the default one. `optimiser`, `precision`, `lowerings` and `passes`
    take the place of the recipe's; the forward pass is in float32 unless a precision is given. It is that of
    `predict` and `eval`: what passes fold is folded in the arrays that it takes, which are of the precision's type.
    """
    import jax
    import jax.numpy as jnp

    def shaped(shape: tuple[int, ...], kind: Any) -> Any:
        make: Any = jax.ShapeDtypeStruct
        return make(shape, kind)

    if mode == "eval":
        from archspec.lower import narrowing, outline, type_of
        from archspec.lowerings.choosing import of_mode
        from archspec.lowerings.compiling import jit
        from archspec.passes import groups_of, used

        graph = network if isinstance(network, Graph) else network.graph()
        pure, *arrays = outline(graph)
        kind = type_of(precision or "float32")
        narrow = narrowing(graph, kind)
        if narrow is not None:
            arrays[0] = jax.eval_shape(narrow, arrays[0])
        given = {item.name: shaped((batch, *item.type.shape), jnp.float32) for item in graph.inputs}
        recipe = None if isinstance(network, Graph) else network.train
        chosen = lowerings or of_mode("auto" if recipe is None else recipe.lowerings)
        groups = groups_of(graph.pruned("eval"), used(recipe, passes))

        def forward(params: Any, statistics: Any, x: Any) -> Any:
            given = pure.apply(
                params,
                statistics,
                x,
                train=False,
                precision=kind,
                groups=groups,
                lowerings=chosen,
                folded=True,
            )
            return given[0]

        x = given if len(given) > 1 else next(iter(given.values()))
        return Lowered(jit(forward, chosen, precision=kind), (*arrays, x), chosen)
    from archspec.data import LABEL
    from archspec.tasks import COUNTS
    from archspec.training.feeding import Batch
    from archspec.training.steps import steps_of

    graph, sections, heads, train = _given(network)
    changed = {"optimiser": optimiser, "precision": precision, "passes": None if passes is None else tuple(passes)}
    train = train.model_copy(update={name: value for name, value in changed.items() if value is not None})
    # Where an output does not say its target, any name is right.
    heads = [head._replace(target=head.target or LABEL) for head in heads]
    # Of one device, as the figures are that these are set beside.
    steps = steps_of(graph, sections, heads, train.on_one_device, 1, lowerings=lowerings)
    # Images are bytes as data have them.
    inputs = {
        item.name: shaped((batch, *item.type.shape), jnp.uint8 if item.type.is_map else jnp.float32)
        for item in graph.inputs
    }
    targets: dict[str, Any] = {}
    below: dict[str, int] = {}
    for head in heads:
        name = COUNTS if head.remakes else str(head.target)
        classes = head.task.form == "classes"
        shape = () if head.remakes else head.type.spatial if classes else head.type.shape
        targets[name] = shaped((batch, *shape), jnp.int32 if classes or head.remakes else jnp.float32)
        if classes and not head.remakes:
            below[name] = min(head.type.channels, below.get(name, head.type.channels))
    whole = Batch(inputs, targets, shaped((batch,), jnp.int32))
    return Lowered(steps.train, (steps.template, whole), steps.lowerings, steps.initial, below)


def flops_of(compiled: Any) -> int | None:
    """Operations as XLA counts them. Older JAX gives a list with one dict, some backends nothing."""
    analysis = compiled.cost_analysis()
    if isinstance(analysis, (list, tuple)):
        analysis = analysis[0] if analysis else None
    return None if not analysis or "flops" not in analysis else int(analysis["flops"])


def memory_parts(compiled: Any) -> dict[str, int]:
    """Bytes of arguments, outputs, temporaries, and of what outputs share with arguments; empty where XLA is silent."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        return {}
    return {
        "arguments": int(analysis.argument_size_in_bytes),
        "outputs": int(analysis.output_size_in_bytes),
        "temporaries": int(analysis.temp_size_in_bytes),
        "shared": int(analysis.alias_size_in_bytes),
    }


def total(parts: dict[str, int]) -> int | None:
    """Bytes of a program while it runs."""
    return parts["arguments"] + parts["outputs"] + parts["temporaries"] - parts["shared"] if parts else None


def table(checks: Sequence[CrossCheck]) -> Table:
    """XLA's figures beside ours, for `archspec report --xla`."""
    first = checks[0]
    rows: list[Row] = []
    for check in checks:
        program = PROGRAMS[check.mode]
        rows.append(_row(f"{program}, FLOPs", check.flops, check.xla_flops, si))
        rows.append(_row(f"{program}, memory", check.bytes, check.xla_bytes, mebibytes))
    head = [f"XLA on {first.backend}, jax {first.jax}", "here", "XLA", "here / XLA"]
    notes = [f"batch {first.batch}, float32; XLA counts and keeps other things: docs/memory.md says which"]
    if first.backend == "gpu":
        notes.append("on GPUs XLA does not count the operations of convolutions that cuDNN computes")
    return Table(head, rows, [False, True, True, True], notes=notes, keys=["figure", "here", "xla", "ratio"])


def _row(name: str, here: int, xla: int | None, written: Callable[[int], str]) -> Row:
    if xla is None:
        return [name, Cell(written(here), here), Cell("not said", None), Cell("", None)]
    ratio = here / xla if xla else None
    return [
        name,
        Cell(written(here), here),
        Cell(written(xla), xla),
        Cell("" if ratio is None else f"{ratio:.3f}", ratio),
    ]


def _given(network: Spec | Graph) -> tuple[Graph, Mapping[str, Input], Sequence[Head], Train]:
    """Graph, inputs, heads whose losses are as if they had seen the data, and recipe."""
    from archspec.spec.inputs import section_of
    from archspec.spec.train import Train as TrainSection
    from archspec.tasks import default_task, heads_of
    from archspec.tasks.segmentation import Segmentation

    if not isinstance(network, Graph):
        heads = tuple(map(_fitted, network.heads()))
        return network.graph(), network.inputs, heads, _settled(network.train or TrainSection(), network)
    inputs = {item.name: section_of(item.type) for item in network.inputs}
    task = Segmentation.plain_default() if network.output_type(network.main_output).is_map else default_task()
    return network, inputs, heads_of(network, task, inputs), TrainSection()


def _settled(train: Train, spec: Spec) -> Train:
    """The recipe with the blocks that `remat: auto` comes to by prediction. Raises `SpecError` where no step fits."""
    if train.remat != "auto":
        return train
    from archspec.diagnostics import DataError
    from archspec.training.fitting import settled

    try:
        return settled(train, spec.graph())
    except DataError as error:
        raise error.located(spec.place("train", "remat" if train.memory is None else "memory")) from None


def memory_kept_by(spec: Spec) -> str:
    """What the recipe of a spec does in a step for less memory, or needs more for, in words; "" where nothing.

    Raises `SpecError` where no step fits with `remat: auto`.
    """
    from archspec.spec.needs import kept_by

    return "" if spec.train is None else kept_by(spec.graph(), _settled(spec.train, spec))


def _fitted(head: Head) -> Head:
    """The head with a loss as if it had seen the data: weights of classes, which are counted there, are any here."""
    if head.task.form != "classes":
        return head
    import numpy as np

    return head._replace(loss=head.loss.fitted(np.zeros((1, 1), np.int32), head.type.channels))
