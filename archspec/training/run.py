"""A training run, from a spec to a folder with checkpoints, metrics and curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from archspec.data import Data, Reading, loaded, told_of_parts
from archspec.diagnostics import DataError, SpecError, count, listed
from archspec.fields import at_home
from archspec.graph import Graph
from archspec.kinds import is_foreign
from archspec.lower import outline
from archspec.lowerings.choosing import of_mode
from archspec.output import said_when_slow, say
from archspec.passes import groups_of
from archspec.peers import peers
from archspec.plugins import changed, used_by
from archspec.reports import report
from archspec.runs.checkpoints import Checkpoints
from archspec.runs.choosing import AUTO, choose_folder, take_folder
from archspec.runs.folder import FAILED, FIGURE, RUN, RunFolder
from archspec.runs.owner import Guest, Owner, unusable
from archspec.runs.reading import OUTPUTS, TABLE
from archspec.runs.surroundings import made_of, other_surroundings, surroundings
from archspec.spec.needs import named, training_memory
from archspec.survey.words import in_one_line
from archspec.tasks import Head
from archspec.training.agreement import facts_of, seen
from archspec.training.alone import check_losses, of_layers
from archspec.training.beginning import begin_with
from archspec.training.boundary import in_words, what_needs_less
from archspec.training.checks import check_data, counted, fitted, fitted_heads, main_classes, matched, of_scales
from archspec.training.cutting import cut_from_files, is_cut
from archspec.training.device_mesh import settled
from archspec.training.digest import DATA, digest_of
from archspec.training.early import Early
from archspec.training.freezing import frozen_at
from archspec.training.hosts import current, gathered
from archspec.training.loop import Loop
from archspec.training.naming import names_of, value_names
from archspec.training.notes import (
    check_labels,
    of_augment,
    of_average,
    of_batches,
    of_data,
    of_precision,
    of_rows,
    say_notes,
)
from archspec.training.reading import read_once
from archspec.training.result import Result
from archspec.training.updates import factor_of, transformation
from archspec.watching import UnmeasuredError, Watch, compared_by

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.train import Train

BATCH_SIZE = "batch_size"
"""Under this name run.json has the size that `batch_size: auto` came to."""
REMAT = "remat"
"""Under this name run.json has the blocks that `remat: auto` came to."""
CUT = "cut_from_files"
"""Under this name run.json says that random resized crops are boxes of the files' own pixels."""
OF_FILES, OF_IMAGES = "out of the files' own pixels", "out of images at the input's size"
OTHER_DATA = (
    "the data are not as they looked before they were read: the steps that were compiled meanwhile are compiled anew"
)
SMALLER = "a smaller `train.batch_size` needs less; `archspec report SPEC --memory 16GiB` says what fits"


def train(
    spec: Spec,
    workdir: Path | str | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
    command: str | None = None,
    page: bool = False,
    profile: Path | None = None,
    until: int | None = None,
) -> Result:
    """Trains a network as its `train:` section says and returns the result.

    The run folder is `workdir`, or runs/NAME; with "auto" it is a new one each time, runs/NAME-2 and so on. A run
    that was stopped goes on from its last checkpoint; one that is finished is returned as it is unless `overwrite`
    is set. `page` says whether run.html is written at the end. A trace of steps 2 to 4 of those that are taken now
    is written to the folder `profile`, for TensorBoard and Perfetto. With `until` the run stops after that epoch of a
    schedule of full length, with a checkpoint and no result in its folder, and the same call goes on; what this returns
    is of the state by then. Raises `SpecError` when spec, data or folder are
    wrong, and where memory runs out.
    """

    def less() -> list[str]:
        graph = spec.graph()
        return what_needs_less(graph, training_memory(graph, spec.train), SMALLER)

    with in_words(less), gathered(spec.kept()[0]):
        return _train(spec, workdir, overwrite, progress, command, page, profile, until)


def _train(
    spec: Spec,
    workdir: Path | str | None,
    overwrite: bool,
    progress: bool,
    command: str | None,
    page: bool,
    profile: Path | None,
    until: int | None,
) -> Result:
    graph = spec.graph()
    recipe = spec.train
    if recipe is None:
        raise DataError(
            "E504",
            f"{spec.name} has no `train:` section",
            help=["for example `train: {dataset: {npz: FILE}, epochs: 10}`, in a spec that `extends` this one"],
        ).located(None)
    recipe = with_mesh(recipe, spec)
    others = peers()
    progress = progress and others.is_first
    spec_text, kept = spec.kept()
    asked = Path(at_home(str(workdir))) if workdir is not None else None

    def choose() -> str:
        return str(choose_folder(spec.run_name, spec_text, asked, overwrite).path)

    try:
        folder = RunFolder(Path(others.chosen("folder", choose)))
    except DataError as error:
        raise error.located(None) from None
    anew = others.chosen("anew", lambda: overwrite or not folder.begun)
    _check_watched(recipe, spec, graph)  # before data are read, which can take hours
    early = Early(spec, graph, recipe) if anew else None
    data, digest = read_data(spec, graph, recipe, progress, early)
    heads = fitted_heads(spec, data)
    data = cut_from_files(data, spec, heads)
    try:
        # Everything that can be wrong is looked at before a folder is touched.
        given = begin_with(recipe, spec, graph, folder, progress) if anew else None
        _check_frozen(recipe, spec, graph)
        _check_remat(recipe, spec, graph)
        _check_updates(recipe, spec, graph)
        _check_foreign(graph)
        if recipe.mesh is not None:
            check_losses(heads, recipe.mesh.mesh)
        for writer in recipe.log or ():
            writer.check()
        begun = None if anew else folder
        recipe, batch_said = with_batch(recipe, spec, graph, data, heads, begun)
        recipe, blocks_said = with_blocks(recipe, spec, graph, data, heads, begun)
        notes = [*data.notes, *batch_said, *blocks_said, *_notes(spec, graph, recipe, data, heads)]
        say_notes(notes[len(data.notes) :], progress)
        if early is not None and early.assumed is not None and not early.fits(data, heads):
            say_notes([OTHER_DATA], progress)
            early = None
        hosts = current()
        if hosts is not None:
            hosts.agree("data", facts_of(digest, data, recipe))
        owners: list[Owner] = []

        def take() -> str:
            taken, owner = take_folder(spec.run_name, spec_text, asked, overwrite)
            owners.append(owner)
            return str(taken.path)

        folder = RunFolder(Path(others.chosen("taken", take)))
        owner = owners[0] if owners else Guest(folder.path)
        if hosts is not None:
            hosts.agree("folder", {"run folder": seen(folder.path, others)})
    except DataError as error:
        raise error.located(None) from None
    try:
        if asked == AUTO and progress:
            print(f"this run is in {folder.path}")
        if workdir is None and folder.path.name != spec.run_name and progress:
            other = folder.path.with_name(spec.run_name)
            print(f"{other} holds another run, whose spec or settings differ; this one is in {folder.path}")
        about = {**made_of(recipe.seed, command), **_record(spec, graph, data, heads, notes), DATA: digest}
        about |= {BATCH_SIZE: recipe.samples} if batch_said else {}
        about |= {REMAT: list(recipe.remat)} if blocks_said else {}
        about |= {CUT: True} if is_cut(data.train) else {}

        def begin() -> None:
            if overwrite or not folder.begun:
                folder.clear()
                folder.begin(owner, spec_text, str(report(graph)), about, kept)
            else:
                say_notes(_resumed(folder, data.name, about), progress)

        others.chosen("begun", begin)
        run = Loop(spec, graph, recipe, data, folder, owner, progress, heads, given, page, profile, early, until)
        if asked == AUTO:  # with which the same command begins another run
            run.again = f"the same command with --workdir {folder.path}"
        try:
            return run.go()
        except (DataError, SpecError) as error:
            if others.is_first and run.checkpoints.latest:
                with suppress(DataError, OSError):
                    # Not in the place of a folder that was moved or deleted.
                    owner.check()
                    folder.fail(error)
            raise
        finally:
            run.close()
            if run.failed_early and others.is_first:
                with suppress(DataError, OSError):
                    folder.clear()  # nothing in it is of use, and it would be in the way of the next attempt
    except (DataError, OSError) as error:
        try:
            owner.check()
        except DataError as moved:
            if others.is_first:
                folder.clear_rest()
            raise moved.located(None) from None
        told = unusable(folder.path, error) if isinstance(error, OSError) else error
        raise told.located(None) from None
    finally:
        owner.release()


def read_data(spec: Spec, graph: Graph, recipe: Train, progress: bool, early: Early | None = None) -> tuple[Data, str]:
    """The data of a recipe as the network takes them, and their digest; what is to be said of them is.

    `early` is told what they look like before their samples are read.

    Raises `SpecError` where they cannot be read, or are not the network's.
    """
    try:
        path = getattr(recipe.dataset, "path", None)
        what = f"reading the data: {recipe.dataset.kind}{f' {path}' if path else ''}"
        with said_when_slow(what) if progress else nullcontext():

            def once(data: Data) -> Data:
                if early is not None and any(split.is_streamed for split in data.parts.values()):
                    early.of_data(data)
                return read_once(data, spec, recipe.dataset, progress)

            with told_of_parts(early.of_parts) if early is not None else nullcontext():
                how = Reading(recipe.stream, recipe.workers)
                data = loaded(recipe.dataset, recipe.validation, recipe.seed, once, how)
    except DataError as error:
        raise spec.data_error(error) from None
    data = counted(data, graph, spec)
    digest = digest_of(data)
    data = matched(data, spec, graph)
    check_data(data, spec, graph)
    if progress:
        say(in_one_line(data))
    say_notes(data.notes, progress)
    try:
        data = data.map(lambda split: fitted(split, spec.inputs))
    except DataError as error:
        raise spec.data_error(error) from None
    return data, digest


def with_mesh(recipe: Train, spec: Spec) -> Train:
    """The recipe with devices along every axis of its mesh in numbers. Raises `SpecError` where there are others."""
    try:
        return settled(recipe)
    except DataError as error:
        raise error.located(spec.place("train", "mesh")) from None


def with_batch(
    recipe: Train, spec: Spec, graph: Graph, data: Data, heads: Sequence[Head], folder: RunFolder | None = None
) -> tuple[Train, list[str]]:
    """The recipe with a batch size that is a number, and what to say of it: the run's own where it goes on.

    Raises `SpecError` where no sample fits.
    """
    if recipe.batch_size != "auto":
        return recipe, []
    own = _recorded(folder, BATCH_SIZE, lambda there: Checkpoints(there.path).batch())  # where run.json is lost
    if isinstance(own, int) and own > 0 and own % recipe.micro_batches == 0:
        return recipe.model_copy(update={"batch_size": own}), [f"batch_size: auto is {own:,}, as the run began with"]
    from archspec.training.sizing import sized

    try:
        recipe, note = sized(recipe, spec, graph, data, heads)
    except DataError as error:
        where = "batch_size" if recipe.memory is None else "memory"
        raise error.located(spec.place("train", where)) from None
    return recipe, [note]


def _recorded(folder: RunFolder | None, name: str, otherwise: Callable[[RunFolder], Any] = lambda there: None) -> Any:
    """What a run has of itself in run.json, or `otherwise`; None where it begins. Process 0 says it: others may see the
    folder late."""

    def read() -> Any:
        if folder is None or not folder.begun:
            return None
        found = folder.about.get(name)
        return otherwise(folder) if found is None else found

    return peers().chosen(name, read)


def with_blocks(
    recipe: Train, spec: Spec, graph: Graph, data: Data, heads: Sequence[Head], folder: RunFolder | None = None
) -> tuple[Train, list[str]]:
    """The recipe with the blocks that `remat: auto` comes to, and what to say of them: the run's own where it goes on.

    Raises `SpecError` where no step fits.
    """
    if recipe.remat != "auto":
        return recipe, []
    own = _recorded(folder, REMAT)
    if isinstance(own, list):
        kept = recipe.model_copy(update={"remat": tuple(map(str, own))})
        with suppress(DataError):  # of a file that was changed by hand
            groups_of(graph.pruned("train"), remat=kept.remat)
            own = f"{count(len(own), 'block')} computed anew" if own else "no block is computed anew"
            return kept, [f"remat: auto: {own}, as the run began"]
    from archspec.training.fitting import chosen

    try:
        recipe, note = chosen(recipe, spec, graph, data, heads)
    except DataError as error:
        where = "remat" if recipe.memory is None else "memory"
        raise error.located(spec.place("train", where)) from None
    return recipe, [note]


def _record(spec: Spec, graph: Graph, data: Data, heads: Sequence[Head], notes: list[str]) -> dict[str, Any]:
    """What run.json has of the data and the network: how samples are read, and what outputs say is called."""
    assert spec.train is not None
    plugins = used_by(spec, graph)
    record: dict[str, Any] = {"plugins": plugins} if plugins else {}
    record |= {"images": spec.train.dataset.preparation.to_plain(), "notes": notes, "parameters": graph.params}
    record |= {FIGURE: compared_by(spec.train, heads, graph.main_output.name).to_plain()}
    names = main_classes(data, graph, heads)
    record |= {"left_out": [own._asdict() for own in data.left]} if data.left else {}
    record |= {"classes": list(names)} if names else {}
    main, *others = sorted(heads, key=lambda head: head.name != graph.main_output.name)
    record |= {"values": named} if (named := value_names(data, main)) else {}
    outputs = {head.name: own for head in others if not head.train_only and (own := names_of(data, head))}
    record |= {OUTPUTS: outputs} if outputs else {}
    return record | ({TABLE: _layout(data, spec)} if data.layout is not None else {})


def _layout(data: Data, spec: Spec) -> dict[str, Any]:
    """How columns of the table became the network's inputs, by its own names of them."""
    assert data.layout is not None
    pixels = [name for name, array in data.train.inputs.items() if array.dtype == np.uint8]
    layout = replace(data.layout.of(list(spec.inputs)), as_bytes=frozenset(pixels))
    return layout.to_plain()


def _resumed(folder: RunFolder, dataset: str, now: Mapping[str, Any]) -> list[str]:
    """Notes on what is other than when the run began, which run.json keeps. Raises `DataError` where the data are.

    `now` is what run.json would say of a run that began now, which is written where it is lost.
    """
    about, notes = folder.about, []
    if not about:
        notes.append(f"{folder.path / RUN} is lost or damaged, and begins anew")
        about = dict(now)
        folder.say(about)
    elif FAILED in about:
        folder.say({name: value for name, value in about.items() if name != FAILED})
    if about.get(DATA, now[DATA]) != now[DATA]:
        raise DataError(
            "E518",
            f"{dataset} is not what the run in {folder.path} began with: its samples or their order differ",
            help=[
                "with the data as they were, the same command goes on",
                f"`init_from: {folder.path}` in another --workdir begins with its weights, on these data",
                "--overwrite trains anew",
            ],
        )
    was = about.get(CUT, False)
    if was != now.get(CUT, False):
        raise DataError(
            "E510",
            f"the run in {folder.path} cut its random crops {OF_FILES if was else OF_IMAGES}, and would cut them "
            f"{OF_IMAGES if was else OF_FILES} now: images are {'not streamed any more' if was else 'streamed'}",
            help=[
                f"with `stream: {'always' if was else 'never'}` it goes on as it was",
                "--overwrite trains anew",
            ],
        )
    notes.extend(changed(folder.plugins, str(folder.path)))
    differences = other_surroundings(about, surroundings())
    if differences:
        notes.append(f"the run began elsewhere ({listed(differences)}), so its last bits may not be as in one go")
    folder.note(notes)
    return notes


def _notes(spec: Spec, graph: Graph, recipe: Train, data: Data, heads: Sequence[Head]) -> list[str]:
    """What the run leaves out, fills up or never sees. Raises `SpecError` where no label counts."""
    try:
        for part, split in data.parts.items():
            check_labels(data.name, split, data.said(part))
    except DataError as error:
        raise spec.data_error(error) from None
    return [
        *of_scales(data, spec, heads),
        *of_data(data, graph, heads, spec.inputs),
        *of_augment(recipe, data, heads),
        *of_batches(recipe, graph, len(data.train)),
        *of_rows(recipe, graph),
        *of_average(recipe, len(data.train)),
        *of_precision(recipe.precision, of_mode(recipe.lowerings)),
        *(of_layers(graph, recipe.mesh.mesh) if recipe.mesh is not None else ()),
    ]


def _check_foreign(graph: Graph) -> None:
    """Raises `SpecError` where the code of a layer that is not this package's own fails."""
    if not any(is_foreign(type(node.layer)) for node in graph.nodes):
        return
    pure, params, statistics = outline(graph)
    x = {name: np.zeros((1, *kind.shape), np.float32) for name, kind in graph.inputs}
    jax.eval_shape(partial(pure.apply, train=True), params, statistics, x, key=jax.random.key(0))


def _check_watched(recipe: Train, spec: Spec, graph: Graph) -> None:
    """Raises `SpecError` where the run is to go by a figure that is not measured."""
    try:
        Watch(recipe, spec.heads(), graph.main_output.name)
    except UnmeasuredError as error:
        raise error.located(spec.place("train", *error.path)) from None


def _check_frozen(recipe: Train, spec: Spec, graph: Graph) -> None:
    """Raises `SpecError` where what is to be frozen is not there, or nothing is left to train."""
    try:
        frozen_at(recipe, graph, 1)
    except DataError as error:
        where = ("init_from", "freeze") if recipe.init_from is not None else ("rates",)
        raise error.located(spec.place("train", *where)) from None


def _check_remat(recipe: Train, spec: Spec, graph: Graph) -> None:
    """Raises `SpecError` where what is to be computed anew is not there."""
    try:
        groups_of(graph.pruned("train"), remat=named(recipe))
    except DataError as error:
        raise error.located(spec.place("train", "remat")) from None


def _check_updates(recipe: Train, spec: Spec, graph: Graph) -> None:
    """Raises `SpecError` where Optax refuses the numbers of the optimiser or the schedule."""
    where = "schedule"
    try:
        factor = factor_of(recipe, 1)
        where = "optimiser"
        transformation(recipe, graph, factor)
    except DataError as error:
        raise error.located(spec.place("train", where)) from None
