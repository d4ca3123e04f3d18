"""Samples of a dataset, attacked batch by batch on the device where they are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.images.fitting import Plan, own_part
from archspec.images.numbers import finished, normalised_inputs, scaled
from archspec.inspecting.adversarial import Attack, against_class, against_classes, against_labels, attacked
from archspec.inspecting.subject import Subject, compiled
from archspec.inspecting.target import scores_of
from archspec.lower import Arrays, Pure
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput
from archspec.tasks import Head
from archspec.training.steps import computed

Changing = Callable[[int, Mapping[str, jax.Array], Mapping[str, jax.Array]], dict[str, jax.Array]]
"""(number of the batch, inputs, targets) → inputs, images as numbers of their range."""


class Against(NamedTuple):
    """What attacks batches, and the loss that is raised, in words."""

    change: Changing
    said: str


def against_targets(
    graph: Graph,
    pure: Pure,
    params: Arrays,
    statistics: Arrays,
    sections: Mapping[str, Input],
    head: Head,
    attack: Attack,
    plans: Mapping[str, Plan],
    seed: int,
) -> Against:
    """The attack of every image of a batch that raises the loss of its true targets, by the main output's head.

    Of classes the loss is the cross-entropy of the true class, without what a recipe adds to it, such as smoothing, for
    whose sake a step up can be one towards the true class; of several labels the binary cross-entropy; otherwise the
    head's own. A border that `fit` adds stays as it is. Raises `DataError` where no input is an image.
    """
    images = {name: section for name, section in sections.items() if isinstance(section, ImageInput)}
    if not images:
        raise DataError(
            "E504", f"{graph.name} takes no image, and ε of an attack is a share of the range of an image's pixels"
        )
    subject = Subject(graph, pure, params, statistics)
    output = next(own for own in subject.graph.outputs if own.name == head.name)
    scores = scores_of(subject.graph, output)
    raised, path, said = _raised(subject, head, output.node, scores.node, scores.shares)
    where = {name: _free(section, plans.get(name)) for name, section in images.items()}

    def moved(arrays: Any, inputs: dict[str, jax.Array], targets: dict[str, jax.Array], key: jax.Array) -> Any:
        normalised = normalised_inputs(inputs, sections)
        wanted = head.chosen(normalised, computed(targets))

        def loss(pixels: dict[str, jax.Array], wanted: jax.Array) -> jax.Array:
            x = {**normalised, **{name: finished(own, images[name]) for name, own in pixels.items()}}
            return raised(subject.forward(arrays, x, (path,))[path], wanted)

        pixels = {name: scaled(inputs[name], images[name]) for name in images}
        found = attacked(loss, pixels, wanted, attack, key, where)
        spans = {name: section.range for name, section in images.items()}
        made = {name: own * (spans[name][1] - spans[name][0]) + spans[name][0] for name, own in found.items()}
        return {**inputs, **made}

    program = compiled(moved)
    keys = jax.random.key(seed)

    def change(number: int, inputs: Mapping[str, jax.Array], targets: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        made: dict[str, jax.Array] = program(
            subject.arrays, dict(inputs), dict(targets), jax.random.fold_in(keys, number)
        )
        return made

    return Against(change, said)


def _free(section: ImageInput, plan: Plan | None) -> np.ndarray:
    """1 where the image itself lies, 0 on a border, (1, height, width, 1)."""
    free = np.zeros((1, section.height, section.width, 1), np.float32)
    free[(0, *(own_part(plan) if plan is not None else ()))] = 1
    return free


def _raised(
    subject: Subject, head: Head, output: int, scores: int, shares: bool
) -> tuple[Callable[[jax.Array, jax.Array], jax.Array], str, str]:
    """The loss as a function of what a node gives and of the targets, that node's path, and the loss in words."""
    before, own = subject.paths[scores], subject.paths[output]

    def logs(values: jax.Array) -> jax.Array:
        return jnp.log(jnp.maximum(values, 1e-30)) if shares else values

    def of_classes(values: jax.Array, wanted: jax.Array) -> jax.Array:
        if wanted.ndim > 1:
            return against_classes(logs(values), wanted)
        # Samples without a class do not count, and stay as they are.
        each = jax.vmap(lambda own, number: against_class(own[None], number[None]))(logs(values), wanted)
        return jnp.where(wanted >= 0, each, 0).sum()

    def of_labels(values: jax.Array, wanted: jax.Array) -> jax.Array:
        return against_labels(jax.scipy.special.logit(values) if shares else values, wanted)

    def of_head(values: jax.Array, wanted: jax.Array) -> jax.Array:
        terms: Sequence[tuple[Any, float]] = head.loss.terms
        return sum((share * term.build()(values, wanted)[0].sum() for term, share in terms), jnp.zeros(()))

    form, link = head.task.form, head.loss.link
    if link == "softmax" and form == "classes" and head.type.channels > 1:
        return of_classes, before, "the cross-entropy of the true classes"
    if link == "sigmoid" and form == "numbers" and not head.remakes:
        return of_labels, before, "the binary cross-entropy of the true labels"
    return of_head, own, f"the loss {head.loss.kind} of the true targets"
