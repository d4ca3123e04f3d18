"""Reading everything once: what training does with samples that are streamed, and what `archspec data check` does."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import archspec
from archspec.data import Data, Reading, loaded
from archspec.diagnostics import DataError, Diagnostic, SpecError, count
from archspec.images.fitting import Plan, plan
from archspec.kinds import is_foreign
from archspec.output import say
from archspec.peers import peers
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput
from archspec.survey.known import Known
from archspec.survey.reading import Survey, survey, unreadable, without
from archspec.survey.words import Beyond, Checked
from archspec.training.checks import check_data, counted, fitted, fitted_heads, matched
from archspec.training.notes import check_labels

if TYPE_CHECKING:
    from archspec.data import Dataset
    from archspec.images.files import Unread
    from archspec.loading import Spec
    from archspec.survey.facts import Bad
    from archspec.tasks import Head

AFTER, EVERY = 1.0, 20.0
"""Seconds after which a reading is said to go on, without a terminal, and then again."""
NAMED = 3
"""Samples left out that are named; run.json has all."""
ON_ERROR = "on_error"


class Told(Protocol):
    """Is told how many samples have been read, and of how many."""

    def __call__(self, done: int, total: int) -> None: ...


@contextmanager
def shown(what: str, progress: bool) -> Iterator[Told | None]:
    """A bar on a terminal, and a line now and then elsewhere, while samples are read."""
    if not progress:
        yield None
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    due = time.monotonic() + AFTER

    def tell(done: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due and done < total:
            due = time.monotonic() + EVERY
            say(f"{what}: {done:,} of {total:,} …")

    yield tell


def read_once(data: Data, spec: Spec, dataset: Dataset, progress: bool) -> Data:
    """Data whose samples are streamed, once each has been read; others as they are.

    Samples that cannot be read are left out where the dataset says so. Raises `DataError` with all of them otherwise.
    Processes that compute together read their shares, and raise the same.
    """
    if not any(split.is_streamed for split in data.parts.values()):
        return data
    fits = fits_of(data, spec)
    known = None if is_foreign(type(dataset)) else Known(settings_of(dataset, fits))
    with shown(f"reading {data.name} once", progress) as told:
        most = spec.train.workers if spec.train else None
        found = survey(data, fits=fits, most=most, known=known, told=told, peers=peers())
    data = replace(data, notes=(*data.notes, *_of_seen(data, found)))
    if known is not None and found.known and progress:
        say(
            f"note: {found.known:,} of {count(found.count, 'sample')} of {data.name} are known from an earlier "
            f"reading, by their files' names, sizes and times ({known.folder})"
        )
    refused = refused_of(data, found, dataset)
    if refused is not None:
        raise refused
    return without(data, found)


def refused_of(data: Data, found: Survey, dataset: Dataset) -> DataError | None:
    """The error of the samples for which training would not begin: all that cannot be read, unless the dataset leaves
    them out; those of another size than the others in any case.
    """
    skips = getattr(dataset, ON_ERROR, "error") == "skip"
    bad: list[Bad | Unread] = [
        *(() if skips else data.left),
        *(own for _, own in found.bad if own.unlike or not skips),
    ]
    if not bad:
        return None
    return unreadable(bad, found.count + len(data.left), can_skip=ON_ERROR in type(dataset).model_fields)


def _of_seen(data: Data, found: Survey) -> list[str]:
    """What is to be said of samples that can be read."""
    notes: dict[str, None] = {}
    for part, split in data.parts.items():
        for name, values in (*split.inputs.items(), *split.targets.items()):
            seen = found.parts[part].seen.get(name)
            if seen and not isinstance(values, (list, tuple)) and hasattr(values, "source"):
                notes |= dict.fromkeys(values.source.notes(seen))
    return list(notes)


def settings_of(dataset: Dataset, fits: Mapping[str, Plan]) -> str:
    """All that says how samples are read from their files, and which figures are taken of them."""
    import numpy
    import PIL

    fields = dataset.model_dump(mode="json", exclude={ON_ERROR})
    versions = [archspec.__version__, PIL.__version__, numpy.__version__]
    return json.dumps([dataset.kind, fields, {name: repr(fit) for name, fit in fits.items()}, versions], sort_keys=True)


def inputs_of(data: Data, spec: Spec) -> dict[str, Input]:
    """What the spec says of the dataset's inputs, by the dataset's names; those of other names are not used."""
    there, wanted = list(data.train.inputs), spec.inputs
    if len(there) == len(wanted) == 1:
        return {there[0]: next(iter(wanted.values()))}
    return {name: wanted[name] for name in there if name in wanted}


def fits_of(data: Data, spec: Spec) -> dict[str, Plan]:
    """How images of each input come to the network's size, where they do."""
    fits = {}
    for name, section in inputs_of(data, spec).items():
        values = data.train.inputs[name]
        if isinstance(section, ImageInput) and values.ndim == 4:
            try:
                way = plan((values.shape[1], values.shape[2]), section)
            except DataError:
                continue  # refused where data and spec are compared
            if way.steps:
                fits[name] = way
    return fits


class Outcome(NamedTuple):
    """What `archspec data check` found, None where the data could not be read at all, and why training would refuse.

    `trained` are the data as they are trained on, and the heads; None where training would refuse.
    """

    checked: Checked | None
    diagnostics: tuple[Diagnostic, ...]
    trained: tuple[Data, tuple[Head, ...]] | None = None


def check(spec: Spec, *, progress: bool = True) -> Outcome:
    """Reads all data of a spec once, and looks at everything that training looks at before its first step.

    Every sample is read, whatever is known of it from before. Raises `SpecError` where there is no `train:` section.
    """
    recipe = spec.train
    if recipe is None:
        raise DataError("E504", f"{spec.name} has no `train:` section, which names data").located(None)
    dataset = recipe.dataset
    skipping = ON_ERROR in type(dataset).model_fields
    lenient = dataset.model_copy(update={ON_ERROR: "skip"}) if skipping else dataset
    seen: list[tuple[Data, Survey]] = []

    def read(data: Data) -> Data:
        fits = fits_of(data, spec)
        known = None if is_foreign(type(dataset)) else Known(settings_of(dataset, fits), fresh=True)
        with shown(f"reading {data.name}", progress) as told:
            found = survey(data, fits=fits, most=recipe.workers, known=known, about=True, told=told)
        data = replace(data, notes=(*data.notes, *_of_seen(data, found)))
        seen.append((data, found))
        return without(data, found)

    # What is read once need not lie in memory; masks are looked at more often.
    stream = recipe.stream if any(head.type.is_map for head in spec.heads()) else "always"
    try:
        data = loaded(lenient, recipe.validation, recipe.seed, read, Reading(stream, recipe.workers))
    except DataError as error:
        if not seen:
            return Outcome(None, spec.data_error(error).diagnostics)
        whole, found = seen[0]
        checked = Checked(dataset.kind, whole, found, inputs_of(whole, spec), (), whole.left, whole.notes)
        return Outcome(checked, spec.data_error(error).diagnostics)
    whole, found = seen[0]
    data = replace(data, notes=whole.notes)  # what is left out or there twice is said in full
    errors: list[Diagnostic] = []
    refused = refused_of(whole, found, dataset)
    if refused is not None:
        errors.extend(spec.data_error(refused).diagnostics)
    notes, trained = data.notes, None
    try:
        graph = spec.graph()
        data = counted(data, graph, spec)
        data = matched(data, spec, graph)
        notes = data.notes
        check_data(data, spec, graph)
        for part, split in data.parts.items():
            check_labels(data.name, split, data.said(part))
        data = data.map(lambda split: fitted(split, spec.inputs))
        trained = data, fitted_heads(spec, data)
    except SpecError as error:
        errors.extend(error.diagnostics)
    except DataError as error:
        errors.extend(spec.data_error(error).diagnostics)
    beyond = _beyond(whole, found, spec) if errors else []  # labels that count from 1 are none
    checked = Checked(dataset.kind, whole, found, inputs_of(whole, spec), beyond, whole.left, notes)
    return Outcome(checked, tuple(errors), None if errors else trained)


def _beyond(data: Data, found: Survey, spec: Spec) -> list[Beyond]:
    """Samples whose largest label is beyond the classes of an output."""
    import numpy as np

    made = []
    for head in spec.heads():
        if head.remakes or head.task.form != "classes":
            continue
        try:
            name = head.target_among(data.train.targets)
        except DataError:
            continue  # told where data and spec are compared
        for part, facts in found.parts.items():
            labels = facts.targets.get(name)
            if labels is None or not labels.largest:
                continue
            largest = np.concatenate(labels.largest)
            bad = {own.place for own in facts.bad}
            places = [place for place in range(facts.count) if place not in bad]
            lazy = name in facts.of_targets
            beyond = [
                (data.parts[part].name(place), int(value))
                for place, value in (enumerate(largest) if lazy else zip(places, largest, strict=True))
                if value >= head.type.channels
            ]
            if beyond:
                made.append(Beyond(name, part, head.type.channels, beyond))
    return made
