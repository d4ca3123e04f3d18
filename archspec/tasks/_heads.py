"""What the outputs of a network are trained with and measured by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.tasks._base import Inputs, Task

if TYPE_CHECKING:
    import jax

    from archspec.graph import Graph
    from archspec.losses import Loss
    from archspec.metrics import Metric, Values
    from archspec.types import TensorType

COUNTS = "(counts)"
"""Where an input is made again, this target says of each sample whether it counts: 0, or −1 where not."""


class Head(NamedTuple):
    """An output with all that training and evaluation need to know of it.

    `target` is the name of the dataset's target, None where the output does not say, or of the input that is made again
    where `remakes` is set. `metrics` are those of the held-out part, `running` the one of training; an output without
    figures of its own has none.
    """

    name: str
    type: TensorType
    weight: float
    train_only: bool
    task: Task
    loss: Loss
    target: str | None
    remakes: bool
    metrics: tuple[Metric, ...]
    running: Metric | None

    def target_among(self, names: Iterable[str]) -> str:
        """The name of its target among a dataset's: the one it says, the only one, or that of its own name.

        Of an input that is made again, that of the input. Raises `DataError` where there is none.
        """
        names = [name for name in names if name != COUNTS]
        if self.target in names or self.remakes:
            return str(self.target)
        if self.target is None and len(names) == 1:
            return next(iter(names))
        if self.target is None and self.name in names:
            return self.name
        wanted = self.target or self.name
        there = f"there {'is' if len(names) == 1 else 'are'} {count(len(names), 'target')}: {listed(names)}"
        error = DataError(
            "E508",
            f"no target is called `{wanted}`, and {there}"
            if self.target
            else f"no target is called `{wanted}`, as the output is, and {there}",
            help=[did_you_mean(wanted, names) or f"`outputs: {{{self.name}: {{from: …, target: NAME}}}}` says which"],
        )
        error.about = (self.name, "target", "")
        raise error

    def chosen(self, inputs: Mapping[str, jax.Array], targets: Mapping[str, jax.Array]) -> jax.Array:
        """The target of a batch, as losses and metrics take it; runs inside the compiled step.

        An input that is made again has none where the sample does not count.
        """
        if not self.remakes:
            return self.task.aligned(targets[self.target_among(targets)], self.type)
        import jax.numpy as jnp

        counts = targets[COUNTS] >= 0
        made = inputs[str(self.target)]
        return jnp.where(counts.reshape(-1, *(1,) * (made.ndim - 1)), made, jnp.nan)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of its headlines, the first of which it is judged by."""
        return tuple(metric.headline for metric in self.metrics)

    def said(self, values: Values) -> str:
        """Its held-out figures in a few words."""
        return "  ".join(metric.said(values) for metric in self.metrics)

    def check(self, inputs: Inputs) -> None:
        """Raises `DataError` where output, task, loss and metrics do not go together."""
        self._checked("task", self.task.kind, lambda: self.task.check_output(self.name, self.type, inputs))
        self._checked("loss", self.loss.kind, lambda: self._check_loss(inputs))
        for metric in self.metrics:
            self._checked("metrics", metric.kind, partial(self._check_metric, metric))

    def _checked(self, part: str, kind: str, check: Callable[[], None]) -> None:
        """Runs a check, whose error is one of a part of this output."""
        try:
            check()
        except DataError as error:
            error.about = (self.name, part, kind)
            raise

    def _check_loss(self, inputs: Inputs) -> None:
        form = self.task.form
        if form not in self.loss.forms:
            raise DataError(
                "E501",
                f"{self.loss.kind} takes {self.loss.forms[0]}, but targets of {self.task.kind} are {form}",
                help=[f"`loss: {self.task.loss().kind}`, which {self.task.kind} has without any", "or another `task`"],
            )
        if self.loss.link == "softmax" and self.type.channels == 1:
            raise DataError(
                "E501",
                f"output `{self.name}` has one number, of which softmax, which {self.loss.kind} applies, always makes "
                "1: nothing is learnt from it",
                help=[
                    "`task: regression` for numbers, without a `loss` or with `mse`",
                    "or `loss: binary_cross_entropy` and `task: multi_label` for yes or no",
                    "or an output with a number for each class, two for yes or no",
                ],
            )
        if self.remakes and self.loss.shares:
            _check_shares(self, inputs[str(self.target)])

    def _check_metric(self, metric: Metric) -> None:
        if self.task.form not in metric.forms:
            own = listed(own.headline for own in self.task.metrics(self.type))
            raise DataError(
                "E501",
                f"{metric.kind} measures {metric.forms[0]}, but targets of {self.task.kind} are {self.task.form}",
                help=[f"leave it out: {self.task.kind} has {own} without any", "or another `task`"],
            )
        metric.check(self.type)


def _check_shares(head: Head, input: object) -> None:
    """Raises `DataError` where an input runs beyond 0 and 1, and the loss takes it for shares."""
    low, high = getattr(input, "range", (0.0, 1.0))
    scaled = any(getattr(input, name, None) is not None for name in ("mean", "mean_image", "std"))
    if scaled or low < 0 or high > 1:
        raise DataError(
            "E501",
            f"{head.loss.kind} takes targets from 0 to 1, but `{head.target}` has "
            + ("a `mean` or `std`" if scaled else f"the range {low:g} to {high:g}"),
            help=["`loss: mse`", "or an input whose range is 0 to 1, without `mean` and `std`"],
        )


def overruled(graph: Graph, name: str) -> bool:
    """Whether every output says its own loss, or its own metrics, so that the recipe's is no output's."""
    return all(
        getattr(output, name) is not None or (name == "loss" and output.task is not None) for output in graph.outputs
    )


def default_task() -> Task:
    """The task of a spec that names none."""
    from archspec.tasks.classification import Classification

    return Classification.plain_default()


def heads_of(
    graph: Graph,
    task: Task,
    inputs: Inputs,
    loss: Loss | None = None,
    metrics: Sequence[Metric] = (),
    *,
    defaults: bool = True,
) -> tuple[Head, ...]:
    """The heads of a network, in the order of its outputs.

    `task`, `loss` and `metrics` are the spec's and its recipe's; an output's own take their place, and metrics stand
    beside those of the task. An output has figures unless it is for training alone, or has no share in the loss and
    says no target, task, loss or metrics of its own; the main output always has. Without `defaults`, metrics are those
    that the spec names alone, which is all that can be wrong. Raises `DataError` where an output is to remake an input
    that there is not.
    """
    main = graph.main_output
    heads = []
    for output in graph.outputs:
        kind = graph.output_type(output)
        own = output.task or task
        try:
            source = own.given_by(inputs)
        except DataError as error:
            error.about = (output.name, "task", own.kind)
            raise
        said = any(item is not None for item in (output.task, output.loss, output.metrics, output.target))
        measured = output is main or (not output.train_only and (said or output.weight > 0))
        chosen = [
            *(own.metrics(kind) if defaults else ()),
            *(metrics if output.metrics is None else output.metrics),
        ]
        running = own.running(kind) if defaults and output is main else None
        if source is not None:
            chosen = [_of_input(metric, inputs[source]) for metric in chosen]
            running = running and _of_input(running, inputs[source])
        heads.append(
            Head(
                output.name,
                kind,
                output.weight,
                output.train_only,
                own,
                output.loss or (loss if loss is not None and output.task is None else own.loss()),
                source if source is not None else output.target,
                source is not None,
                tuple({metric.headline: metric for metric in chosen}.values()) if measured else (),
                running,
            )
        )
    return tuple(heads)


def _of_input(metric: Metric, section: object) -> Metric:
    """The metric for targets that are an input, where that has a range."""
    span: tuple[float, float] | None = getattr(section, "range", None)
    return metric if span is None else metric.of_input(span, getattr(section, "std", None))
