"""What the network says of samples, and the score of it that is explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from archspec.diagnostics import DataError, name_at
from archspec.explaining.asking import number_of
from archspec.explaining.explanation import Answered, Explained
from archspec.explaining.question import Question
from archspec.inference.predictions import best, highest, shares_of
from archspec.inspecting.target import Target, of_number


def answers_of(question: Question, stacked: dict[str, np.ndarray]) -> list[tuple[Answered, ...]]:
    """Of each sample what all outputs say, the main one first."""
    weights = question.run._weights
    outputs, main = question.run._forward.whole(weights.params, weights.statistics, stacked)
    name = question.graph.main_output.name
    values = {name: np.asarray(main)}
    values |= {other: np.asarray(shown.linked(outputs[other])) for other, shown in question.run._others.items()}
    size = len(next(iter(stacked.values())))
    return [tuple(_answered(question, own, value[place]) for own, value in values.items()) for place in range(size)]


def _answered(question: Question, name: str, value: np.ndarray) -> Answered:
    shown, names = question.shown_of(name), question.names(name)
    if shown.answer == "mask":
        mask = value.argmax(-1)
        shares = [item for item in best(shares_of(mask, value.shape[-1]), names, value.shape[-1]) if item[1]]
        return Answered(name, "mask", tuple(shares), True, mask, value)
    if shown.answer in ("classes", "labels"):
        most = value if shown.answer == "classes" else highest(value[None])[0]
        rated = tuple(best(most, names, len(most)))
        return Answered(name, shown.answer, rated, shown.likely, None, value, shown.threshold)
    if value.ndim == 1 and shown.answer == "numbers":
        named = list(names) if len(names) == len(value) else [str(place) for place in range(len(value))]
        rated = tuple(zip(named, map(float, value), strict=True))
        return Answered(name, "numbers", rated, False, None, value)
    return Answered(name, shown.answer, (), False, None, value)


def target_of(
    question: Question, answers: Sequence[tuple[Answered, ...]], x: Mapping[str, jax.Array]
) -> tuple[Target, list[Explained]]:
    """The score that is explained, of each sample its own."""
    own = [next(item for item in answer if item.output == question.output.name) for answer in answers]
    names = question.names(question.output.name)
    node = question.graph.nodes[question.scores.node]
    channels, spatial = node.output.channels, node.output.spatial
    what = "class" if question.shown.answer in ("classes", "mask", "labels") else "number"
    pixel, at = _position(question, spatial)
    numbers, masks, whys = [], [], []
    for answer in own:
        number, mask, why = _number(question, answer, names, channels, spatial, at, what)
        numbers.append(number)
        masks.append(mask)
        whys.append(why)
    named = [name_at(names, number) for number in numbers]
    mask = None if masks[0] is None else np.stack([np.asarray(mask) for mask in masks])
    target = of_number(question.graph, question.output, numbers, ", ".join(dict.fromkeys(named)), mask)
    scores = target.score(question.subject.values(x, target.paths))
    word = "probability" if question.scores.shares else "score" if what == "class" else "value"
    found = []
    for place, name in enumerate(named):
        told = name if names else f"{what} {name}"
        where = f" at pixel {', '.join(map(str, pixel))}" if pixel is not None else ""
        where = where or (" over the pixels where it is predicted" if question.shown.answer == "mask" else "")
        where = where or (" over all positions" if spatial else "")
        share = None
        if question.shown.answer in ("classes", "labels") and not spatial and own[place].likely:
            share = float(np.asarray(own[place].value)[numbers[place]])
        found.append(
            Explained(
                question.output.name,
                numbers[place],
                name,
                f"{word} of {told}{where}",
                whys[place],
                float(scores[place]),
                share,
            )
        )
    return target, found


def _position(question: Question, spatial: tuple[int, ...]) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """The pixel that is asked for, and its position in the output. Raises `DataError`."""
    pixel = question.asked.pixel
    if pixel is None:
        return None, None
    size = question.sections[question.input].type.spatial
    if not spatial:
        raise DataError(
            "E113", f"output `{question.output.name}` says nothing of single pixels", help=["leave --pixel out"]
        )
    if len(pixel) != len(size) or not all(0 <= at < end for at, end in zip(pixel, size, strict=True)):
        raise DataError(
            "E113",
            f"the network sees images of {'×'.join(map(str, size))}: none has a pixel {','.join(map(str, pixel))}",
            help=["row and column count from 0, in the image as the network sees it"],
        )
    at = tuple(own - (whole - part) // 2 for own, whole, part in zip(pixel, size, spatial, strict=True))
    if not all(0 <= own < part for own, part in zip(at, spatial, strict=True)):
        raise DataError(
            "E113",
            f"output `{question.output.name}` says nothing of pixel {','.join(map(str, pixel))}: it is of the middle "
            f"{'×'.join(map(str, spatial))} of the image",
        )
    return pixel, at


def _number(
    question: Question,
    answer: Answered,
    names: Sequence[str],
    channels: int,
    spatial: tuple[int, ...],
    at: tuple[int, ...] | None,
    what: str,
) -> tuple[int, np.ndarray | None, str]:
    """The number of an output that is explained, the positions over which it is summed, and why this one."""
    given = question.asked.number
    number = None if given is None else number_of(given, names, channels, what)
    mask: np.ndarray | None = None
    why = "as asked for"
    if at is not None:
        mask = np.zeros(spatial, bool)
        mask[at] = True
    if answer.mask is not None:
        if number is None and at is not None:
            number, why = int(answer.mask[at]), "which is predicted there"
        if number is None:
            counts = np.bincount(answer.mask.reshape(-1), minlength=channels)
            order = np.argsort(-counts, kind="stable")
            several = counts[order[1]] > 0
            number = int(order[1] if several else order[0])
            why = "of the predicted classes the second by its pixels" if several else "the only class predicted"
        if at is None:
            mask = answer.mask == number
            if not mask.any():
                mask, why = (
                    np.ones(spatial, bool),
                    why + "; it is predicted nowhere, so it is summed over all pixels",
                )
    elif number is None and answer.kind in ("classes", "labels"):
        value = np.asarray(answer.value)
        value = value if answer.kind == "classes" else highest(value[None])[0]
        if spatial and at is not None:
            value = np.asarray(answer.value)[at]
        number, why = int(value.argmax()), "the most probable" if answer.likely else "the highest"
    elif number is None:
        number, why = 0, "the first" if channels > 1 else "the only one"
    return number, mask, why
