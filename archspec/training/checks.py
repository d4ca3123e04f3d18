"""Data against a spec: names, task, classes, range of the pixels, sizes; and images of a split at the inputs' sizes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.augmentations import Mixing
from archspec.data import Column, Data, Dataset, Split, Values, as_array, mapped, pieces, untrained
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.graph import Graph
from archspec.images.fitting import Plan, fitted_images, fitted_labels, plan
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput
from archspec.tasks import COUNTS, Head
from archspec.training.adapting import adapted, as_classes, as_positions, one_less, unscaled, unscaled_target
from archspec.training.steps import maps_of

if TYPE_CHECKING:
    from archspec.loading import Spec


def matched(data: Data, spec: Spec, graph: Graph) -> Data:
    """The data with the inputs and targets that a spec names, under its names and in its order; what else is noted.

    The one input of a dataset is that of a spec with one, whatever it is called. Targets are in the numbers that their
    tasks take them for. Raises `SpecError`.
    """
    wanted, there = list(spec.inputs), list(data.train.inputs)
    heads: dict[str, list[Head]] = {}
    try:
        if len(wanted) == len(there) == 1:
            names = dict(zip(wanted, there, strict=True))
        else:
            names = {name: _named(name, there, data.name) for name in wanted}
        for head in spec.heads():
            heads.setdefault(COUNTS if head.remakes else head.target_among(data.train.targets), []).append(head)
    except DataError as error:
        raise spec.data_error(error) from None

    notes = list(data.notes)
    for name, own in heads.items():
        if name != COUNTS and all(head.task.form == "classes" and "classes" in head.loss.forms for head in own):
            data = _with_classes(data, name, own, notes)
        elif name != COUNTS and all(head.type.is_signal for head in own) and data.train.targets[name].ndim == 2:
            data = _of_positions(data, name, own)

    def of(split: Split) -> Split:
        inputs = {name: split.inputs[own] for name, own in names.items()}
        targets = {
            name: np.zeros(len(split), np.int8) if name == COUNTS else _taken(split.targets[name], own)
            for name, own in heads.items()
        }
        return Split(inputs, targets, split.names)

    for what, all_names, used in (
        ("input", there, set(names.values())),
        ("target", list(data.train.targets), set(heads)),
    ):
        unused = [name for name in all_names if name not in used]
        if unused:
            said = f"{count(len(unused), what)} of {data.name} {'is' if len(unused) == 1 else 'are'} not used"
            notes.append(f"{said}: {listed(unused)}")
    made = data.map(of)
    try:
        found = {
            name: [head.task.class_names(data.name, name, own, made.train.targets[name][:1]) for head in heads[name]]
            for name, own in data.classes.items()
            if name in heads
        }
    except DataError as error:
        raise spec.data_error(error) from None
    classes = {name: max(several, key=len) for name, several in found.items() if any(several)}
    for name, input in spec.inputs.items():
        what = f"`{names[name]}` of {data.name}"
        splits = list(made.parts.values())
        arranged = adapted([split.inputs[name] for split in splits], what, input, notes)
        made = made.with_parts(
            replace(split, inputs={**split.inputs, name: array}) for split, array in zip(splits, arranged, strict=True)
        )
    made = replace(made, classes=classes, notes=tuple(notes))
    return replace(made, notes=(*made.notes, *untrained(made)))


def _with_classes(data: Data, name: str, heads: Sequence[Head], notes: list[str]) -> Data:
    """The data with the classes' numbers in a target, of each sample or of each position, where it says them otherwise.

    Labels of positions that count from 1 are taken from 0, where nothing else keeps them from fitting their outputs.
    """
    splits, what = list(data.parts.values()), f"`{name}` of {data.name}"
    if isinstance(data.train.targets[name], Column):  # of pixels, which are classes' numbers already
        return data
    given = [as_array(split.targets[name]) for split in splits]
    positions, known = data.positions, data.classes.get(name, ())
    if all(head.type.is_signal for head in heads):
        # Without a word of the dataset's, names of (N, L) numbers are those of L labels.
        made, classes = as_positions(given, known if name in positions else (), what, notes)
        if made[0].ndim == 2 and made[0].dtype.kind == "i":
            positions = positions | {name}
            made, classes = _from_0(made, classes, heads, name in data.positions, what, notes)
    else:
        made, classes = as_classes(given, known, what, notes)
    if made[0] is given[0]:
        return data
    changed = (replace(split, targets={**split.targets, name: own}) for split, own in zip(splits, made, strict=True))
    return data.with_parts(changed, classes={**data.classes, name: classes}, positions=positions)


def _of_positions(data: Data, name: str, heads: Sequence[Head]) -> Data:
    """The data of whose target (N, L) outputs tell a number at each position: its names are not those of L labels."""
    if name in data.positions:
        return data
    named = {own: names for own, names in data.classes.items() if own != name}
    labels = {name: (name,)} if all(head.task.answer == "labels" for head in heads) else {}
    return replace(data, classes={**named, **labels}, positions=data.positions | {name})


def _from_0(
    made: list[np.ndarray], classes: tuple[str, ...], heads: Sequence[Head], named: bool, what: str, notes: list[str]
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    last = len(classes) - 1
    if named or any(head.type.channels != last for head in heads) or any((array == 0).any() for array in made):
        return made, classes
    notes.append(f"{what}: no label is 0, and labels 1 to {last} are taken as the {last} classes")
    return [one_less(array) for array in made], classes[1:]


def main_classes(data: Data, graph: Graph, heads: Sequence[Head]) -> tuple[str, ...]:
    """The names of the classes of the main output, by which a run goes; none where it has none."""
    main = next(head for head in heads if head.name == graph.main_output.name)
    return () if main.remakes else data.classes.get(main.target_among(data.train.targets), ())


def _taken(target: Values, heads: Sequence[Head]) -> Values:
    """A target in the numbers that its task takes it for; as it is where tasks differ."""
    kinds = {head.task.form for head in heads}
    return mapped(target, heads[0].task.taken) if len(kinds) == 1 else target


def _named(name: str, there: Collection[str], dataset: str) -> str:
    if name in there:
        return name
    error = DataError(
        "E508",
        f"{dataset} has no input `{name}`; it has {listed(there)}",
        help=[did_you_mean(name, there) or "`inputs:` in the spec names the dataset's"],
    )
    error.about = (name, "input", "")
    raise error


def check_data(data: Data, spec: Spec, graph: Graph) -> None:
    """Checks task, classes, value range and image size against the spec, before the first step.

    Raises `SpecError`; each message names what the data has and what the spec says.
    """
    dataset = spec.train.dataset if spec.train else None
    fields = type(dataset).model_fields if dataset else {}
    try:
        heads = [head for head in spec.heads() if not head.remakes]
        for head in heads:
            name = head.target_among(data.train.targets)
            for split in data.parts.values():
                target = split.targets[name]
                # Of labels of pixels, shape and type are all that is looked at.
                for part in pieces(target) if head.task.answer != "mask" else [target[:1]]:
                    head.task.check_target(data.name, name, part, head.type, head.loss)
        check_outputs(spec, graph)
        _check_positions(data, heads)
        _check_moved(data, spec, heads)
        for head in heads:
            name = head.target_among(data.train.targets)
            classes = len(data.classes.get(name, ())) or head.type.channels
            if classes != head.type.channels and data.train.targets[name].dtype.kind != "f":
                raise _other_classes(data, head, classes, graph, dataset)
        for name, input in spec.inputs.items():
            path = spec.input_path(name)
            splits = [split.inputs[name] for split in data.parts.values()]
            if not isinstance(input, ImageInput):
                for array in splits:
                    _check_numbers(data.name, name, array, input)
                continue
            for array in splits:
                if array.ndim != 4:
                    raise _other_kind(data.name, name, array, input)
            _check_range(data.name, splits, input, path)
            for images in splits:
                _check_size(data.name, images, input, path, has_grey="grey" in fields)
    except DataError as error:
        raise spec.data_error(error) from None


def _check_positions(data: Data, heads: Sequence[Head]) -> None:
    """Raises `DataError` where labels of pixels or positions are of another size than every input, and their output."""
    for head in heads:
        name = head.target_among(data.train.targets)
        own = data.train.targets[name].shape[1 : 1 + len(head.type.spatial)]
        arrays = data.train.inputs.values()
        sizes = [array.shape[1:-1] for array in arrays if array.ndim == 1 + len(head.type.shape)]
        if head.task.answer == "mask" and sizes and own not in sizes and own != head.type.spatial:
            what = "pixels" if head.type.is_map else "positions"
            raise DataError(
                "E501",
                f"`{name}` of {data.name} has labels of {_sized(own)} {what}, but the input has "
                f"{listed(map(_sized, dict.fromkeys(sizes)))}",
                help=["a label for each of the input's"],
            )


def _sized(size: Sequence[int]) -> str:
    return "×".join(f"{number:,}" for number in size)


def _check_moved(data: Data, spec: Spec, heads: Sequence[Head]) -> None:
    """Raises `DataError` where a target is not that of a mirrored or turned image, or a map not of its image's size, so
    that it cannot go with it.
    """
    chain = (spec.train.augment if spec.train else None) or ()
    turning = [kind for kind in chain if {"mirrors", "turns"} & set(kind.ways)]
    sided = spec.train.dataset.sided if spec.train and turning else ()
    for head in heads:
        name = head.target_among(data.train.targets)
        if name in sided:
            raise DataError(
                "E501",
                f"{listed(f'`{kind.kind}`' for kind in turning)} of `augment` would turn or mirror "
                f"images, but `{name}` of {data.name} is another of a mirrored or a turned one",
                help=[f"without {listed(f'`{kind.kind}`' for kind in turning)}"],
            )
    moving = [kind for kind in chain if kind.ways or isinstance(kind, Mixing)]
    if not moving:
        return
    sizes = [array.shape[1:3] for array in data.train.inputs.values() if array.ndim == 4]
    for name in maps_of(heads, data.train.targets) if sizes else ():
        size = data.train.targets[name].shape[1:3]
        if size not in sizes:
            raise DataError(
                "E501",
                f"`{name}` of {data.name} is {'×'.join(map(str, size))} where images are "
                f"{listed('×'.join(map(str, own)) for own in dict.fromkeys(sizes))}, and cannot move with them",
                help=[
                    f"without {listed(f'`{kind.kind}`' for kind in moving)} in `augment`",
                    "or maps of the images' size",
                ],
            )


def _other_classes(data: Data, head: Head, classes: int, graph: Graph, dataset: Dataset | None) -> DataError:
    """The error that the data have more or fewer classes than an output."""
    fields = type(dataset).model_fields if dataset else {}
    width = head.type.channels
    stray = dataset.stray(width) if dataset and classes > width else None
    return DataError(
        "E501",
        f"{data.name} has {count(classes, 'class')}, but output `{head.name}` of {graph.name} has "
        f"{count(width, 'unit' if head.type.is_vector else 'channel')}",
        notes=[stray] if stray else [],
        help=[
            *(["if the label is a mistake, correct the mask"] if stray else []),
            *(
                ["`labels` in the dataset lists the pixel values that are classes"]
                if stray and "labels" in fields
                else []
            ),
            f"--set args.classes={classes}"
            if "classes" in graph.args
            else f"an output of {count(classes, 'unit' if head.type.is_vector else 'channel')}, one for each class",
        ],
    )


def counted(data: Data, graph: Graph, spec: Spec) -> Data:
    """The data with classes counted from 0, where labels that count from 1 are all that keeps them from fitting.

    That is so where the data have one class more than every output, their classes have no names, and no label is 0.
    """
    if len(data.classes) != 1 or any(head.task.form != "classes" for head in spec.heads()):
        return data
    (target,) = data.classes
    outputs = [graph.output_type(output).channels for output in graph.outputs]
    numbers = data.class_names == tuple(map(str, range(data.class_count)))
    if not numbers or any(channels != data.class_count - 1 for channels in outputs):
        return data
    if any((part == 0).any() for split in data.parts.values() for part in pieces(split.targets[target])):
        return data

    def from_0(split: Split) -> Split:
        return replace(split, targets={**split.targets, target: mapped(split.targets[target], one_less)})

    last = data.class_count - 1
    note = f"no label of {data.name} is 0: labels 1 to {last} are taken as the {last} classes of {graph.name}"
    return data.map(from_0, classes={target: data.class_names[1:]}, notes=(*data.notes, note))


def of_scales(data: Data, spec: Spec, heads: Sequence[Head]) -> list[str]:
    """Notes on features and numbers of other sizes than networks learn well from, for those who train on them."""
    inputs = [(data.train.inputs[name], name, input) for name, input in spec.inputs.items()]
    names = [
        head.target_among(data.train.targets) for head in heads if head.task.answer == "numbers" and not head.remakes
    ]
    return [
        *(note for array, name, input in inputs for note in unscaled(array, f"`{name}` of {data.name}", input)),
        *(
            note
            for name in dict.fromkeys(names)
            for note in unscaled_target(data.train.targets[name], f"`{name}` of {data.name}")
        ),
    ]


def fitted_heads(spec: Spec, data: Data) -> tuple[Head, ...]:
    """The spec's heads, whose losses have what they take from the training labels; the data are at the inputs' sizes.

    Raises `SpecError` where labels and losses do not go together.
    """
    heads = []
    for head in spec.heads():
        labels: Any = data.train.targets[COUNTS if head.remakes else head.target_among(data.train.targets)]
        if head.task.form == "classes":
            labels = mapped(labels, partial(_aligned, head))
        try:
            heads.append(head._replace(loss=head.loss.fitted(labels, head.type.channels)))
        except DataError as error:
            error.about = (head.name, "loss", head.loss.kind)
            raise spec.data_error(error) from None
    return tuple(heads)


def _aligned(head: Head, labels: np.ndarray) -> np.ndarray:
    return np.asarray(head.task.aligned(labels, head.type))  # type: ignore[arg-type]


def check_outputs(spec: Spec, graph: Graph) -> None:
    """Checks that the outputs are what their tasks need, and losses and metrics too. Raises `DataError`."""
    for head in spec.heads():
        head.check(spec.inputs)


KINDS = {2: "vectors", 3: "signals", 4: "images"}
"""What arrays of so many axes are."""


def _other_kind(dataset: str, name: str, array: Values, input: Input) -> DataError:
    wanted = {1: "vectors", 2: "signals", 3: "images"}[len(input.type.shape)]
    sizes = "×".join(map(str, array.shape[1:]))
    flat = input.type.is_vector and array.ndim == 4
    return DataError(
        "E503",
        f"`{name}` of {dataset} are {KINDS.get(array.ndim, 'numbers')} of {sizes}, but the network takes {wanted} of "
        f"{input.type}",
        help=["an input of images, and `flatten` as the first layer" if flat else "other data, or another input"],
    )


def _check_numbers(dataset: str, name: str, array: Values, input: Input) -> None:
    """Checks signals and vectors, which are taken as they are."""
    if array.shape[1:] != input.type.shape:
        if array.ndim - 1 != len(input.type.shape):
            raise _other_kind(dataset, name, array, input)
        raise DataError(
            "E503",
            f"{KINDS[array.ndim]} `{name}` of {dataset} are {'×'.join(map(str, array.shape[1:]))}, but the input is "
            f"{input.type}",
            help=["set the input's sizes to the data's"],
        )


def _check_range(dataset: str, splits: Sequence[Values], input: ImageInput, path: tuple[str, ...]) -> None:
    splits = [images for images in splits if images.dtype != np.uint8]
    if not splits:
        return
    ends = [(float(part.min()), float(part.max())) for images in splits for part in pieces(images)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if low >= input.range[0] and high <= input.range[1]:
        return
    floor, ceiling = outward(low, high)
    raise DataError(
        "E502",
        f"pixels of {dataset} run from {low:.4g} to {high:.4g}, but the range of {_worded(path)} is "
        f"{input.range[0]:.4g} to {input.range[1]:.4g}",
        help=[f"--set '{'.'.join(path)}.range=[{floor}, {ceiling}]'", "or scale the data"],
    )


def outward(low: float, high: float) -> tuple[str, str]:
    """Two numbers of about four figures, as text, that a range lies between: low rounded down and high rounded up."""
    from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

    largest = max(abs(low), abs(high))
    step = Decimal(1).scaleb(Decimal(largest).adjusted() - 3) if largest else Decimal(1)
    floor = Decimal(low).quantize(step, ROUND_FLOOR)
    ceiling = Decimal(high).quantize(step, ROUND_CEILING)
    if floor == ceiling:  # all pixels are alike
        ceiling += step
    # Not 1E+3, which some readers take for text.
    return tuple(f"{number.normalize():f}" if number else "0" for number in (floor, ceiling))  # type: ignore[return-value]


def _worded(path: tuple[str, ...]) -> str:
    """What messages call the input whose section stands at a path."""
    return "the input" if len(path) == 1 else f"input `{path[-1]}`"


def _check_size(name: str, images: Values, input: ImageInput, path: tuple[str, ...], *, has_grey: bool = False) -> None:
    """Checks images against an input. `path` is where its section stands, `input` or `inputs` and a name."""
    height, width, channels = images.shape[1:]
    section, which = ".".join(path), f"{path[1]}=" if len(path) > 1 else ""
    if channels != input.channels:
        raise DataError(
            "E503",
            f"images of {name} have {count(channels, 'channel')}, but {_worded(path)} has {input.channels}",
            help=[
                f"--set {section}.channels={channels}",
                *(
                    ["`grey: true` in the dataset reads them as one channel"]
                    if has_grey and input.channels == 1
                    else []
                ),
            ],
        )
    if (height, width) == (input.height, input.width) or input.fit in ("resize", "crop"):
        return
    message = f"images of {name} are {height}×{width}, but {_worded(path)} is {input.height}×{input.width}"
    if input.fit == "exact":
        fits = height <= input.height and width <= input.width
        raise DataError(
            "E503",
            message,
            help=[
                f"--input {which}{height}x{width}",
                *([f"--set {section}.fit=pad centres them on a border"] if fits else []),
                f"--set {section}.fit=resize scales them",
            ],
        )
    if height > input.height or width > input.width:
        raise DataError(
            "E503",
            f"{message}: a border makes them no smaller",
            help=[f"--set {section}.fit=resize", f"--input {which}{height}x{width}"],
        )


def fitted(split: Split, sections: Mapping[str, Input]) -> Split:
    """Images (N, H, W, C) at their inputs' sizes by the one rule of fitting.

    A map of targets goes with the first image of its height and width.
    """
    inputs, targets = dict(split.inputs), dict(split.targets)
    ways: dict[tuple[int, ...], Plan] = {}
    for name, array in split.inputs.items():
        input = sections[name]
        if not isinstance(input, ImageInput):
            continue
        way = plan((array.shape[1], array.shape[2]), input)
        ways.setdefault(array.shape[1:3], way)
        if way.steps:
            low = 0 if array.dtype == np.uint8 else input.range[0]
            inputs[name] = mapped(array, partial(fitted_images, plan=way, low=low))
    for name, array in split.targets.items():
        size = array.shape[1:3]
        if array.ndim > 2 and size in ways and ways[size].steps:
            targets[name] = mapped(array, partial(fitted_labels, plan=ways[size]))
    return Split(inputs, targets, split.names)
