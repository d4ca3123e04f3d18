"""Evaluation of a run or of imported weights, on the run's own data or on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from archspec.data import Data, Dataset, Reading, Split, loaded, mapped, workers_for
from archspec.diagnostics import DataError, Findings, SpecError, count, listed
from archspec.graph import Graph
from archspec.images.fitting import Plan, plan
from archspec.inference.memory import less
from archspec.kinds import Kind
from archspec.loading import Spec, open_spec
from archspec.lowerings.choosing import Lowerings, Mode, of_mode
from archspec.passes import PassName
from archspec.passes import said as what_passes_do
from archspec.runs.folder import SPEC, RunFolder
from archspec.runs.reading import layout_of, opened, parted, restored
from archspec.spec.network import ImageInput
from archspec.spec.overrides import Override, python_override
from archspec.spec.train import Precision
from archspec.tasks import Head
from archspec.training.boundary import in_words
from archspec.training.checks import check_data, counted, fitted, fitted_heads, matched
from archspec.training.digest import DATA, digest_of
from archspec.training.evaluation import Evaluated, Evaluator, Metrics
from archspec.training.notes import check_labels, of_precision
from archspec.training.reading import read_once
from archspec.training.steps import steps_of

if TYPE_CHECKING:
    from archspec.lower import Arrays

Part = Literal["train", "validation", "test"]

ATTACK = "attack"
"""Of the figures, those under attack, and by which."""


class Attacking(NamedTuple):
    """An attack of what a run is measured on: `fgsm` or `pgd`, by no more than `epsilon` of the range of pixels.

    PGD takes 40 `steps` and a `rate` of 2.5·ε/steps unless others are given.
    """

    method: str
    epsilon: float
    steps: int | None = None
    rate: float | None = None
    seed: int = 0

    @property
    def said(self) -> str:
        return f"{self.method.upper()}, ε {self.epsilon:g}" + (f", {count(self.steps, 'step')}" if self.steps else "")


def attacking(
    method: str, epsilon: float, steps: int | None = None, rate: float | None = None, seed: int = 0
) -> Attacking:
    """The attack of these settings. Raises `ValueError` for one that there is not."""
    if method not in ("fgsm", "pgd"):
        raise ValueError(f"an attack is fgsm or pgd, not {method!r}")
    if not 0 < epsilon <= 1:
        raise ValueError(f"ε is a share of the range of pixels, above 0 up to 1, and not {epsilon!r}")
    if method == "fgsm" and (steps is not None or rate is not None):
        raise ValueError("FGSM is one step of ε: steps and rate are PGD's")
    if (steps is not None and steps < 1) or (rate is not None and not rate > 0):
        raise ValueError("steps are 1 or more, and a rate is above 0")
    return Attacking(method, epsilon, steps, rate, seed)


FITTING = ("fit", "short_side", "interpolation")
"""The fields of an image's input that say how images of another size are fitted, and change nothing of the network."""


def evaluate(
    path: Path, *, overrides: Sequence[Override] = (), notes: list[str] | None = None, part: Part | None = None
) -> Metrics:
    """The metrics that `measured` gives."""
    return measured(path, overrides=overrides, notes=notes, part=part).metrics


def measured(
    path: Path,
    *,
    overrides: Sequence[Override] = (),
    notes: list[str] | None = None,
    part: Part | None = None,
    lowerings: Mode | None = None,
    passes: Sequence[PassName] | None = None,
    precision: Precision = "float32",
    attack: Attacking | None = None,
) -> Evaluated:
    """Loss and metrics of a run's last checkpoint on a part of its dataset, test or validation if none is named.

    `overrides` may name another dataset and how its images are fitted. What the dataset says of files left out or
    passed over, that its data are others than those of training, and which data were taken where they are not the
    run's own, is added to `notes`. Raises `SpecError` when the folder holds no run, its data cannot be read, or an
    override would change the network. `lowerings` and `passes` say otherwise than the run's recipe how operations are
    computed and which passes are used. What is computed in 16 bits is said in `notes`. With an `attack`, the metrics
    have under `attack` what it was and the same figures of the attacked samples.
    """
    said: list[str] = []
    with in_words(less(path)):
        folder, spec = opened(path)
        chosen = None if lowerings is None else of_mode(lowerings)
        found = evaluated(
            folder, spec, restored(folder, spec, said), overrides, said, part, chosen, passes, precision, attack
        )
    if notes is not None:
        notes.extend(said)
    return found


def evaluated(
    folder: RunFolder,
    spec: Spec,
    arrays: Arrays,
    overrides: Sequence[Override],
    notes: list[str],
    part: Part | None = None,
    lowerings: Lowerings | None = None,
    passes: Sequence[PassName] | None = None,
    precision: Precision = "float32",
    attack: Attacking | None = None,
) -> Evaluated:
    """As `evaluate`, of a run that was read."""
    spec, graph, data, own, split, heads, other, plans = part_of(folder, spec, overrides, notes, part)
    assert spec.train is not None
    if passes is not None:
        notes.append(f"passes: {what_passes_do(graph.pruned('eval'), passes)}")
    # Nothing is kept in evaluation, so nothing is computed anew; whatever devices trained it, one measures it.
    changed: dict[str, Any] = {"remat": (), "mesh": None}
    changed |= {} if passes is None else {"passes": tuple(passes)}
    recipe = spec.train.model_copy(update=changed)
    steps = steps_of(graph, spec.inputs, heads, recipe, 1, lowerings=lowerings, seen_in=precision)
    notes.extend(of_precision(precision, steps.lowerings, evaluation=True))
    params, statistics = parted(arrays, (steps.template["params"], steps.template["statistics"]))
    if other:
        notes.append(
            f"evaluated on {count(len(split), f'{data.whose(own)} sample')} of {data.name}, not on the run's own data"
        )
        if any(head.loss != own.loss for head, own in zip(heads, spec.heads(), strict=True)):
            notes.append(f"what the loss takes from labels, it takes from the training part of {data.name}")
    try:
        evaluate = Evaluator(steps, split, heads, graph, data.whose(own), workers_for(spec.train.workers))
        try:
            metrics = evaluate(params, statistics)
            if attack is not None:
                from archspec.inspecting.adversarial import fgsm, pgd
                from archspec.inspecting.against import against_targets

                how = fgsm(attack.epsilon)
                if attack.method == "pgd":
                    how = pgd(
                        attack.epsilon, **({} if attack.steps is None else {"steps": attack.steps}), rate=attack.rate
                    )
                main = next(head for head in heads if head.name == graph.main_output.name)
                against = against_targets(
                    graph, steps.pure, params, statistics, spec.inputs, main, how, plans, attack.seed
                )
                evaluate.changed = against.change
                if len(heads) > 1:
                    notes.append(
                        f"the attack is against the output `{main.name}`; figures of the others are of the same samples"
                    )
                made = {
                    "method": attack.method,
                    "epsilon": how.epsilon,
                    "steps": how.steps,
                    "rate": how.rate,
                    "raises": against.said,
                }
                metrics = {**metrics, ATTACK: {**made, "seed": attack.seed, **evaluate(params, statistics)}}
        finally:
            evaluate.close()
    except DataError as error:  # a loss that is not finite; what is right for training does not help here
        raise DataError(error.code, error.message, notes=error.notes).located(None) from None
    return Evaluated(
        folder, spec, data, own, heads, steps.pure, params, statistics, metrics, notes, steps.lowerings, steps.seen
    )


class Measured(NamedTuple):
    """A part of the data as a run is measured on it: at the sizes of its inputs, with its classes."""

    spec: Spec
    graph: Graph
    data: Data
    part: Part
    """The name of the part."""
    split: Split
    heads: Sequence[Head]
    other: bool
    """Whether the data are others than the run's own."""
    plans: Mapping[str, Plan]
    """How images came to their inputs' sizes, by the inputs' names."""


def part_of(
    folder: RunFolder, spec: Spec, overrides: Sequence[Override], notes: list[str], part: Part | None = None
) -> Measured:
    """What a run is measured on: test, or what is held out where there is no such part, unless `part` says otherwise.

    What should be known of the data is added to `notes`. Raises `SpecError`.
    """
    other = any(override.path[:2] == ("train", "dataset") for override in overrides)
    spec = with_overrides(folder, spec, overrides)
    if spec.train is None:
        raise DataError(
            "E504",
            f"{folder.path} holds imported weights without a `train:` section, so there is nothing to evaluate on",
            help=["--set train.dataset=… names data, such as --set train.dataset.image_folder.path=FOLDER"],
        ).located(None)
    try:
        dataset = spec.train.dataset.like(layout_of(folder))
        once = partial(read_once, spec=spec, dataset=dataset, progress=False)
        data = loaded(
            dataset, spec.train.validation, spec.train.seed, once, Reading(spec.train.stream, spec.train.workers)
        )
    except DataError as error:
        raise spec.data_error(error if other else moved(error, folder, spec.train.dataset)) from None
    graph = spec.graph()
    data = counted(data, graph, spec)
    if other:
        data = by_class_names(data, folder.classes, spec)
    else:
        known = folder.about.get(DATA)
        if isinstance(known, str) and known != digest_of(data):
            notes.append(
                f"{data.name} is not what the run was trained on: its samples or their order have changed since"
            )
    data = matched(data, spec, graph)
    notes.extend(data.notes)
    try:
        check_data(data, spec, graph)
    except SpecError as error:
        # What is right for `train` is no help here, where a network is measured as it is.
        items = [item._replace(help=tuple(filter(_helps, item.help))) for item in error.diagnostics]
        raise SpecError(items) from None
    try:
        plans = {
            name: plan((values.shape[1], values.shape[2]), input)
            for name, values in data.train.inputs.items()
            if isinstance(input := spec.inputs.get(name), ImageInput)
        }
        data = data.map(lambda split: fitted(split, spec.inputs))
        own = part or ("validation" if data.test is None else "test")
        split = _chosen(data, own)
        check_labels(data.name, split, data.said(own))
    except DataError as error:
        raise spec.data_error(error) from None
    return Measured(spec, graph, data, own, split, fitted_heads(spec, data), other, plans)


def _chosen(data: Data, part: Part) -> Split:
    """A part of the data. Raises `DataError` where there is no test part."""
    if part not in data.parts:
        raise DataError(
            "E505",
            f"{data.name} has no test part beside the one held out, which is measured after every epoch",
            help=["`--part validation` is that one"],
        )
    return data.parts[part]


def with_overrides(folder: RunFolder, spec: Spec, overrides: Sequence[Override]) -> Spec:
    """The run's spec with other data or metrics. Raises `SpecError` where an override would change anything else."""
    if not overrides:
        return spec
    findings = Findings()
    for override in overrides:
        path = override.path
        fits = path[-1] in FITTING and (path[:-1] == ("input",) or (len(path) == 3 and path[0] == "inputs"))
        if path[:2] not in (("train", "dataset"), ("train", "metrics")) and not fits:
            findings.error(
                "E113",
                f"`{'.'.join(path)[:60]}` is part of what was trained, so it cannot be set for an evaluation",
                override.span,
                help=[
                    "--set takes `train.dataset…`, `train.metrics`, and an input's `fit`, `short_side`, `interpolation`"
                ],
            )
    findings.raise_if_failed()
    changed = open_spec(str(folder.path / SPEC), overrides)
    failed = [item for item in changed.diagnostics if item.severity == "error"]
    if failed:
        raise SpecError(failed)
    return changed


def dataset_override(dataset: str | Mapping[str, Any] | Dataset) -> Override:
    """A dataset given from Python as an override: a name, a mapping as in YAML, or the dataset itself."""
    if isinstance(dataset, Kind):
        value: Any = dataset.to_plain()
    elif isinstance(dataset, Mapping):
        value = dict(dataset)
    elif isinstance(dataset, str):
        value = dataset
    else:
        raise TypeError(f"`dataset` is a name, a mapping as in YAML or a Dataset, not {type(dataset).__name__}")
    return python_override(("train", "dataset"), value)


def moved(error: DataError, folder: RunFolder, dataset: Dataset) -> DataError:
    """What is wrong with a run's own data, with the way to say where they are now."""
    if error.code != "E505" or getattr(dataset, "path", None) is None:
        return error
    return DataError(
        error.code,
        error.message,
        notes=[*error.notes, f"that is where the data of {folder.path} were when it was trained"],
        help=[
            f"--set train.dataset.{dataset.kind}.path=PATH says where they are now",
            "`predict` needs no data",
        ],
    )


def by_class_names(data: Data, names: Sequence[str], spec: Spec) -> Data:
    """Other data whose labels are those of the run's classes, by their names.

    Names that are numbers, and runs whose classes have no names, say nothing. Raises `SpecError` where the data have
    classes that the network does not know.
    """
    if not names or len(data.classes) != 1:
        return data
    ((target, own),) = data.classes.items()
    # Of two classes that one label tells apart, the second is the label.
    same = list(own) == list(names) or (len(own) == 2 and list(own[1:]) == list(names))
    if same or _plain(own) or _plain(names) or len(set(own)) < len(own):
        return data
    unknown = [name for name in own if name not in names]
    if unknown:
        error = DataError(
            "E501",
            f"{data.name} has {count(len(unknown), 'class')} that the network was not trained on: {listed(unknown, 8)}",
            notes=[f"the network's classes: {listed(names, 20)}"],
        )
        raise spec.data_error(error)
    place = np.array([names.index(name) for name in own])

    def named(split: Split) -> Split:
        columns = split.targets[target].ndim == 2 and target not in data.positions
        way = partial(_in_columns if columns else _in_place, place=place, classes=len(names))
        return replace(split, targets={**split.targets, target: mapped(split.targets[target], way)})

    note = f"labels of {data.name} are taken by the names of their classes: it has {len(own)} of the {len(names)}"
    return data.map(named, classes={target: tuple(names)}, notes=(*data.notes, note))


def _in_columns(labels: np.ndarray, place: np.ndarray, classes: int) -> np.ndarray:
    """A column for each label, of which those that the data lack are not known."""
    made = np.full((len(labels), classes), np.nan if labels.dtype.kind == "f" else -1, labels.dtype)
    made[:, place] = labels
    return made


def _in_place(labels: np.ndarray, place: np.ndarray, classes: int) -> np.ndarray:
    made: np.ndarray = np.where(labels < 0, -1, place[labels]).astype(labels.dtype)
    return made


def _plain(names: Sequence[str]) -> bool:
    """Whether names are but the numbers of their classes."""
    return list(names) == [str(number) for number in range(len(names))]


def _helps(help: str) -> bool:
    """Whether a help for training helps in evaluation: how images are fitted may be set here too."""
    return not help.startswith("--") or (
        help.startswith("--set input") and help.partition("=")[0].rpartition(".")[2] in FITTING
    )
