"""The weights that training begins with, where they are not drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from pydantic import ValidationError

from archspec.diagnostics import DataError, Label, SpecError, did_you_mean, listed
from archspec.graph import Graph
from archspec.images.numbers import normalised
from archspec.lower import Arrays
from archspec.patterns import any_matches, path_matches
from archspec.runs.folder import RunFolder
from archspec.runs.reading import opened, restored
from archspec.spec.network import ImageInput
from archspec.spec.train import InitFrom, Train
from archspec.training.freezing import check_owners
from archspec.weights.expecting import expectations, other_arguments
from archspec.weights.files import open_tensors
from archspec.weights.folder import named, usual_names
from archspec.weights.matching import Match, check_values, match, named_alike
from archspec.weights.naming import Table, check_distinct, namings, tables
from archspec.weights.tensors import TensorFile

if TYPE_CHECKING:
    from archspec.loading import Spec

SOME = 6
"""So many layers are named as those to leave out; where more differ, the file is likely the wrong one."""
SCALING = ("range", "order", "mean", "mean_image", "std")
"""The fields of `input` that say how pixels become numbers."""


class Beginning(NamedTuple):
    """Arrays by name, and what one should know about them."""

    arrays: Arrays
    notes: list[str]


def initial_weights(begin: InitFrom, spec: Spec, graph: Graph) -> Beginning:
    """The arrays that `init_from` gives; what it excludes is not among them.

    Raises `DataError` unless every other array has its tensor and every tensor its array.
    """
    path = Path(begin.path)
    known = tables(spec)
    theirs: Mapping[str, ImageInput]
    said: list[str] = []
    if path.is_dir():
        if begin.prefix is not None:
            raise DataError("E536", f"{path} is a folder of weights, whose names have no `prefix`")
        matched, tensors, theirs = _of_folder(path, begin, graph, known, said)
    else:
        with open_tensors(path) as tensors:
            matched = match(graph, known, tensors, None, begin.prefix)
        alone = len(spec.images) == 1
        with expectations(tensors, spec, matched.naming) as known_of:
            theirs = {
                name: image
                for name, ours in spec.images.items()
                if (image := _expected(known_of.of(name, ours, alone=alone), ours.channels)) is not None
            }
    left = _excluded(begin, matched, graph)
    if not left.full:
        concerned = [name.rpartition(".")[0] for name in (*left.missing, *left.misshaped, *left.unexpected)]
        layers = list(dict.fromkeys(concerned))
        raise DataError(
            "E537",
            f"{path} is no full match for {graph.name}",
            notes=left.lists(),
            help=(named_alike(tensors) if left.mostly_unexpected else [])
            or [
                f"exclude: [{', '.join(layers)}] leaves them out"
                if len(layers) <= SOME
                else f"{len(layers)} layers differ; `exclude` takes patterns too, such as {layers[-1].split('.')[0]}.**"
            ],
        )
    check_values(left, path)
    notes = [*(f"note: {line}" for line in said), *(f"note: {path}: {line}" for line in left.asides())]
    notes += [
        f"note: the weights of {path} are of args.{name}={value}, "
        + (
            f"but the network has {spec.args[name]}"
            if name in spec.args
            else "an argument that this spec does not have"
        )
        for name, value in other_arguments(spec, matched.naming).items()
    ]
    return Beginning(
        {name: jnp.asarray(value) for name, value in left.arrays.items()},
        [*notes, *_other_scaling(path, theirs, spec.images)],
    )


def _of_folder(
    path: Path, begin: InitFrom, graph: Graph, known: Mapping[str, Table], said: list[str]
) -> tuple[Match, TensorFile, Mapping[str, ImageInput]]:
    """The match of a run's or an import's arrays, under their own names or those of the wider world, and the images
    that it takes.
    """
    run, spec = opened(path)
    arrays = {name: np.asarray(value) for name, value in restored(run, spec, said).items()}
    own = spec.graph()
    ways = [arrays]
    with suppress(DataError):  # not every array has a place in PyTorch's layout, or a name of its own
        check_distinct(own, tables(spec), usual_names(spec))
        ways.append(named(arrays, own, namings(own, tables(spec))[usual_names(spec)]))
    matches: list[tuple[Match, TensorFile]] = []
    errors: list[DataError] = []
    for way in ways:
        tensors = TensorFile.of(path, way)
        try:
            matches.append((match(graph, known, tensors), tensors))
        except DataError as error:
            errors.append(error)
    if not matches:
        raise errors[0]

    def taken(item: tuple[Match, TensorFile]) -> int:
        """How much is matched of what is not left out."""
        layers = (name.rpartition(".")[0] for name in item[0].matched)
        return sum(not any_matches(begin.exclude, layer) for layer in layers)

    return (*max(matches, key=taken), spec.images)


def _expected(fields: Mapping[str, Any], channels: int) -> ImageInput | None:
    """The input that weights expect, as far as pixels go; None where nothing is known of it."""
    scaling = {name: value for name, value in fields.items() if name in SCALING}
    if not scaling:
        return None
    try:
        return ImageInput.model_validate({"height": 1, "width": 1, "channels": channels, **scaling}).located(Path())
    except ValidationError:
        return None  # for another number of channels


def _other_scaling(path: Path, theirs: Mapping[str, ImageInput], ours: Mapping[str, ImageInput]) -> list[str]:
    """A note where the weights expect other numbers of the same pixels than this network's images make: those of the
    same names, or the only ones.
    """
    pairs = [(name, theirs[name], image) for name, image in ours.items() if name in theirs]
    if len(theirs) == len(ours) == 1:
        pairs = [(name, image, ours[name]) for name, image in zip(ours, theirs.values(), strict=True)]
    return [
        f"note: the weights of {path} expect pixels with {_said(expected)}, but `{name}` has {_said(image)}"
        for name, expected, image in pairs
        if expected.channels == image.channels and not _same_scaling(expected, image)
    ]


def _same_scaling(one: ImageInput, other: ImageInput) -> bool:
    """Whether two inputs make the same numbers of the same pixels."""
    if one.mean_pixels != other.mean_pixels:
        return False
    first, second = (_numbers(input.model_copy(update={"mean_image": None})) for input in (one, other))
    return np.allclose(first, second, atol=1e-6)


def _numbers(input: ImageInput) -> np.ndarray:
    """What black, white and pixels of one colour each become: of their channels' order too."""
    each = np.eye(input.channels, dtype=np.uint8)
    pixels = 255 * np.concatenate([0 * each[:1], each[:1] * 0 + 1, each])
    return np.asarray(normalised(jnp.asarray(pixels), input))


def _said(input: ImageInput) -> str:
    fields = {name: getattr(input, name) for name in SCALING}
    return ", ".join(
        f"{name} {value}" if isinstance(value, str) else f"{name} [{', '.join(f'{number:g}' for number in value)}]"
        for name, value in fields.items()
        if value
    )


def _excluded(begin: InitFrom, matched: Match, graph: Graph) -> Match:
    layers = [node.path for node in graph.nodes if node.weights]
    chosen: list[str] = []
    tensors: list[str] = []
    check_owners("exclude", begin.exclude, graph)
    for pattern in begin.exclude:
        here = [path for path in layers if path_matches(pattern, path)]
        there = [name for name in matched.unexpected if path_matches(pattern, name)]
        if not here and not there:
            raise DataError(
                "E515",
                f"`exclude: {pattern[:100]}` names no layer of {graph.name} with weights, and no tensor that it lacks",
                help=[did_you_mean(pattern, [*layers, *matched.unexpected]) or f"layers: {listed(layers)}"],
            )
        chosen.extend(here)
        tensors.extend(there)
    return matched.without(chosen, tensors)


def begin_with(recipe: Train, spec: Spec, graph: Graph, folder: RunFolder, shown: bool) -> Arrays | None:
    """The weights that the recipe begins with; None where they are drawn. Raises `SpecError`."""
    if recipe.init_from is None:
        return None
    place = spec.place("train", "init_from")
    try:
        if Path(recipe.init_from.path) == folder.path.resolve():
            raise DataError("E511", f"{folder.path} is what `init_from` names", help=["choose another --workdir"])
        weights = initial_weights(recipe.init_from, spec, graph)
    except DataError as error:
        raise error.located(place) from None
    except SpecError as error:
        # What is wrong with the folder that it names has no place there.
        own = Label(place) if place is not None else None
        raise SpecError([item._replace(primary=item.primary or own) for item in error.diagnostics]) from None
    if shown and weights.notes:
        print("\n".join(weights.notes))
    return weights.arrays
