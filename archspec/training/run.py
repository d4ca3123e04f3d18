"""A training run, from a spec to a folder with checkpoints, metrics and curves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from archspec.data import Data, loaded
from archspec.diagnostics import DataError, Label, SpecError, count, listed
from archspec.fields import at_home
from archspec.graph import Graph
from archspec.losses import Loss
from archspec.lower import Arrays
from archspec.output import said_when_slow, say
from archspec.reports import report
from archspec.runs.checkpoints import Checkpoints, Found, digests
from archspec.runs.choosing import choose_folder, extends, take_folder
from archspec.runs.events import Events
from archspec.runs.folder import CURVES, METRICS, RESULT, RUN, TENSORBOARD, RunFolder, digest_of_text
from archspec.runs.owner import Owner, unusable
from archspec.runs.surroundings import made_of, other_surroundings, surroundings
from archspec.spec.network import Task as TaskName
from archspec.training import curves
from archspec.training.beginning import initial_weights
from archspec.training.boundary import in_words
from archspec.training.checks import check_data, counted, fitted, fitted_loss
from archspec.training.evaluation import Evaluator
from archspec.training.failure import broken_arrays, first_broken_layer
from archspec.training.feeding import epoch_order, feed, steps_per_epoch
from archspec.training.freezing import frozen_at
from archspec.training.interrupt import held_back
from archspec.training.notes import HELD_OUT, TO_TRAIN_ON, check_labels, of_batches, of_data
from archspec.training.progress import Progress
from archspec.training.steps import State, Steps, make_steps
from archspec.training.tasks import TASKS, Metrics, class_table
from archspec.training.totals import Totals
from archspec.writing import write

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.train import Train

DATA = "data_sha256"
"""Under this name run.json has the digest of the data."""


@dataclass(frozen=True)
class Result:
    """What came of a run.

    `accuracy` is the share of held-out labels, of images or of pixels, that the last epoch's network gets right;
    `mean_iou` is there for segmentation.
    """

    folder: Path
    task: TaskName
    metrics: list[dict[str, Any]]
    classes: tuple[str, ...] = field(repr=False)
    params: Arrays = field(repr=False)
    statistics: Arrays = field(repr=False)

    @property
    def test(self) -> dict[str, Any]:
        """The held-out metrics of the last epoch."""
        metrics: dict[str, Any] = self.metrics[-1]["test"]
        return metrics

    @property
    def accuracy(self) -> float:
        return float(self.test[TASKS[self.task].accuracy])

    @property
    def mean_iou(self) -> float | None:
        return self.test.get("mean_iou")

    def summary(self) -> str:
        """The result in words."""
        epochs = count(self.metrics[-1]["epoch"], "epoch")
        if self.mean_iou is not None:
            known = sum(share is not None for share in self.test["iou"])
            over = f" over {known} of {len(self.classes)} classes" if known < len(self.classes) else ""
            said = f"held-out mean IoU {100 * self.mean_iou:.2f} %{over}, pixel accuracy {100 * self.accuracy:.2f} %"
            table = [class_table(self.classes, self.test["iou"])]
        else:
            top5 = f", top-5 {100 * self.test['top5']:.2f} %" if "top5" in self.test else ""
            said, table = f"held-out accuracy {100 * self.accuracy:.2f} %{top5}", []
        return "\n".join(
            [
                f"{said} after {epochs}",
                *table,
                f"curves  {self.folder / CURVES}",
                f"metrics {self.folder / METRICS}",
                f"folder  {self.folder}",
            ]
        )


@in_words("a smaller `train.batch_size` needs less; `archspec report SPEC --memory 16GiB` says what fits")
def train(
    spec: Spec,
    workdir: Path | str | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
    command: str | None = None,
) -> Result:
    """Trains a network as its `train:` section says and returns the result.

    The run folder is `workdir`, or runs/NAME. A run that was stopped goes on from its last checkpoint; one that is
    finished is returned as it is unless `overwrite` is set. Raises `SpecError` when spec, data or folder are wrong.
    """
    graph = spec.graph()
    recipe = spec.train
    if recipe is None:
        raise DataError(
            "E504",
            f"{spec.name} has no `train:` section",
            help=["for example `train: {dataset: {npz: FILE}, epochs: 10}`, in a spec that `extends` this one"],
        ).located(None)
    spec_text = spec.to_yaml()
    asked = Path(at_home(str(workdir))) if workdir is not None else None
    try:
        folder = choose_folder(spec.name, spec_text, asked, overwrite)
    except DataError as error:
        raise error.located(None) from None
    try:
        with said_when_slow("reading the data") if progress else nullcontext():
            data = loaded(recipe.dataset)
    except DataError as error:
        raise spec.data_error(error) from None
    data = counted(data, graph)
    check_data(data, spec, graph)
    say_notes(data.notes, progress)
    digest = _digest(data)
    data = replace(data, train=fitted(data.train, spec.input), test=fitted(data.test, spec.input))
    loss = fitted_loss(spec, recipe, data)
    try:
        # Everything that can be wrong is looked at before a folder is touched.
        given = _beginning(recipe, spec, graph, folder, progress) if overwrite or not folder.begun else None
        _check_frozen(recipe, spec, graph)
        notes = [*data.notes, *_notes(spec, graph, recipe, data, loss)]
        say_notes(notes[len(data.notes) :], progress)
        folder, owner = take_folder(spec.name, spec_text, asked, overwrite)
    except DataError as error:
        raise error.located(None) from None
    try:
        if workdir is None and folder.path.name != spec.name and progress:
            other = folder.path.with_name(spec.name)
            print(f"{other} holds another run, whose spec or settings differ; this one is in {folder.path}")
        if overwrite or not folder.begun:
            folder.clear()
            made = made_of(recipe.seed, command)
            record = {"images": recipe.dataset.preparation.to_plain(), "notes": notes, DATA: digest}
            folder.begin(owner, spec_text, str(report(graph)), {**made, **record})
        else:
            say_notes(_resumed(folder, recipe, data.name, digest, command), progress)
        run = _Run(spec, graph, recipe, data, folder, owner, progress, loss, given)
        try:
            return run.go()
        finally:
            run.close()
            if run.failed_early:
                with suppress(DataError, OSError):
                    folder.clear()  # nothing in it is of use, and it would be in the way of the next attempt
    except (DataError, OSError) as error:
        try:
            owner.check()
        except DataError as moved:
            folder.clear_rest()
            raise moved.located(None) from None
        told = unusable(folder.path, error) if isinstance(error, OSError) else error
        raise told.located(None) from None
    finally:
        owner.release()


def say_notes(notes: Sequence[str], shown: bool) -> None:
    """Prints notes."""
    for note in notes if shown else ():
        say(f"note: {note}")


def _digest(data: Data) -> str:
    """A digest of all samples, by which a run knows the data with which it began."""
    arrays = {
        "train": {"images": data.train.images, "labels": data.train.labels},
        "test": {"images": data.test.images, "labels": data.test.labels},
    }
    return digest_of_text(json.dumps([digests(arrays), data.class_names]))


def _resumed(folder: RunFolder, recipe: Train, dataset: str, digest: str, command: str | None) -> list[str]:
    """Notes on what is other than when the run began, which run.json keeps. Raises `DataError` where the data are."""
    about, notes = folder.about, []
    if not about:
        notes.append(f"{folder.path / RUN} is lost or damaged, and begins anew")
        about = {**made_of(recipe.seed, command), "images": recipe.dataset.preparation.to_plain(), DATA: digest}
        folder.say(about)
    if about.get(DATA, digest) != digest:
        what = f"{dataset} is not what the run in {folder.path} began with: its samples or their order differ"
        if not folder.finished:
            raise DataError(
                "E518",
                what,
                help=[
                    "with the data as they were, the same command goes on",
                    f"`init_from: {folder.path}` in another --workdir begins with its weights, on these data",
                ],
            )
        notes.append(what)
    differences = other_surroundings(about, surroundings())
    if differences:
        notes.append(f"the run began elsewhere ({listed(differences)}), so its last bits may not be as in one go")
    folder.note(notes)
    return notes


def _notes(spec: Spec, graph: Graph, recipe: Train, data: Data, loss: Loss) -> list[str]:
    """What the run leaves out, fills up or never sees. Raises `SpecError` where no label counts."""
    try:
        for split, part in ((data.train, TO_TRAIN_ON), (data.test, HELD_OUT)):
            check_labels(data.name, split, part)
    except DataError as error:
        raise spec.data_error(error) from None
    return [*of_data(data, loss), *of_batches(recipe, graph, len(data.train.labels))]


def _check_frozen(recipe: Train, spec: Spec, graph: Graph) -> None:
    """Raises `SpecError` where what is to be frozen is not there, or nothing is left to train."""
    try:
        frozen_at(recipe, graph, 1)
    except DataError as error:
        raise error.located(spec.place("train", "init_from", "freeze")) from None


def _beginning(recipe: Train, spec: Spec, graph: Graph, folder: RunFolder, shown: bool) -> Arrays | None:
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
        raise SpecError([replace(item, primary=item.primary or own) for item in error.diagnostics]) from None
    if shown and weights.notes:
        print("\n".join(weights.notes))
    return weights.arrays


class _Run:
    def __init__(
        self,
        spec: Spec,
        graph: Graph,
        recipe: Train,
        data: Data,
        folder: RunFolder,
        owner: Owner,
        shown: bool,
        loss: Loss,
        given: Arrays | None,
    ) -> None:
        self.spec = spec
        self.graph = graph
        self.recipe = recipe
        self.data = data
        self.folder = folder
        self.owner = owner
        self.shown = shown
        self.batch = min(recipe.batch_size, len(data.train.labels))
        self.steps_per_epoch = steps_per_epoch(len(data.train.labels), self.batch)
        self.task = TASKS[spec.header.task]
        self.loss = loss
        self.given = given
        self.failed_early = False
        self.stretches: dict[int, Steps] = {}
        self.checkpoints = Checkpoints(folder.path)
        self.feed = feed(data.train)

    def steps(self, epoch: int) -> Steps:
        """The compiled functions of an epoch; they change where what was frozen thaws."""
        begin = self.recipe.init_from
        until = begin.freeze_epochs if begin else None
        offset = until * self.steps_per_epoch if until and epoch > until else 0
        if offset not in self.stretches:
            frozen = frozen_at(self.recipe, self.graph, epoch)
            self.stretches[offset] = make_steps(
                self.spec, self.steps_per_epoch, loss=self.loss, frozen=frozen, offset=offset
            )
        return self.stretches[offset]

    def state_after(self, epoch: int) -> State:
        """The state at the end of an epoch, from its checkpoint; before the first, the initial one."""
        if epoch:
            state: State = self.saved(epoch).state
            return state
        if self.given is None:
            # Begun, but killed before the first checkpoint; or begun just now.
            self.given = _beginning(self.recipe, self.spec, self.graph, self.folder, self.shown)
        return self.steps(1).initial(self.given)

    def saved(self, until: int | None = None) -> Found:
        """The last sound checkpoint, of no epoch after `until`."""
        return self.checkpoints.last(lambda epoch: self.steps(epoch).template, self.steps_per_epoch, until)

    def resumed(self) -> tuple[int, State, list[dict[str, Any]]]:
        """The epoch to go on after, the state there and the records until there; what is amiss is said and noted.

        An epoch whose record is lost is done again where the checkpoint before it can be taken.
        """
        saved = self.saved()
        notes = list(saved.notes)
        records, amiss = self.folder.metrics()
        notes += amiss
        recorded = {record["epoch"] for record in records}
        done = saved.epoch
        if done and done not in recorded:
            before = [epoch for epoch in self.checkpoints.epochs() if epoch < done and epoch in recorded]
            earlier = self.saved(before[-1]) if before else None
            if earlier is not None and earlier.epoch in recorded:
                notes.append(f"{self.folder.path / METRICS} has no line of epoch {done}, which is done again")
                saved = earlier
            elif done >= self.recipe.epochs:
                raise DataError("E513", f"{self.folder.path} has lost its metrics", help=["--overwrite trains anew"])
        done = saved.epoch
        kept = self.folder.keep_metrics(done)
        notes += [note for note in kept.notes if note not in notes]
        self.checkpoints.drop_after(done)
        state = saved.state if done else self.state_after(0)
        longer = extends(self.folder.spec_text, self.spec.to_yaml())
        if longer is not None:
            notes += self.extended(*longer, done)
        say_notes(notes, self.shown)
        self.folder.note(notes)
        return done, state, kept.records

    def extended(self, old: int, new: int, done: int) -> list[str]:
        """Makes a run of more epochs of this one, and gives a note on what that means for the learning rate."""
        self.folder.write_spec(self.owner, self.spec.to_yaml())
        (self.folder.path / RESULT).unlink(missing_ok=True)
        notes = [f"the run in {self.folder.path}, of {count(old, 'epoch')}, goes on to {new}"]
        step = done * self.steps_per_epoch
        before, after = (self.recipe.schedule.build(epochs, self.steps_per_epoch) for epochs in (old, new))
        rates = [(float(before(at)), float(after(at))) for at in {0, step // 2, max(step - 1, 0)}]
        if done and any(abs(one - other) > 1e-6 for one, other in rates):
            peak, last = self.recipe.optimiser.learning_rate, float(before(step - 1))
            notes.append(
                f"the schedule is one of {new} epochs from here on: the learning rate is "
                f"{peak * float(after(step)):.4g} at the next step, after {peak * last:.4g} by the schedule of {old}"
            )
        return notes

    def entering(self, epoch: int, state: State) -> State:
        """The state at the start of an epoch: where what was frozen thaws, the optimiser begins anew."""
        thaws = epoch > 1 and self.steps(epoch) is not self.steps(epoch - 1)
        return self.steps(epoch).continued(state) if thaws else state

    def go(self) -> Result:
        done, state, records = self.resumed()
        if self.folder.finished and done >= self.recipe.epochs:
            if self.shown:
                print(f"{self.folder.path} is trained already; --overwrite trains anew")
            return self.result(records, state)
        progress = Progress(
            self.recipe.epochs * self.steps_per_epoch, done * self.steps_per_epoch, self.batch, self.shown
        )
        if done:
            progress.say(f"going on in {self.folder.path} after epoch {done}")
        evaluate = Evaluator(self.steps(done + 1), self.data.test, self.task, self.graph)
        events = Events(self.folder.path / TENSORBOARD, records, self.data.class_names)
        try:
            with held_back() as check:
                for epoch in range(done + 1, self.recipe.epochs + 1):
                    state, record = self.epoch(self.entering(epoch, state), epoch, progress, check)
                    record["test"] = self.held_out(evaluate, state, epoch)
                    self.owner.check()
                    self.folder.add_metrics(record)
                    self.checkpoints.save(epoch, state)
                    events.add(record)
                    records.append(record)
                    progress.epoch(record, self.recipe.epochs, self.task.said(record["test"]))
        except (MemoryError, jax.errors.JaxRuntimeError):
            self.failed_early = not self.checkpoints.latest
            raise
        except KeyboardInterrupt:
            # A step that still runs when the interpreter ends brings the process down.
            jax.block_until_ready(jax.live_arrays())  # type: ignore[no-untyped-call]
            self.checkpoints.close()
            last = self.checkpoints.latest
            raise KeyboardInterrupt(
                f"stopped; the same command goes on after epoch {last}"
                if last
                else "stopped before the first checkpoint"
            ) from None
        finally:
            progress.close()
            events.close()
        return self.result(records, state)

    def epoch(
        self, state: State, epoch: int, progress: Progress, check: Callable[[], None]
    ) -> tuple[State, dict[str, Any]]:
        """One pass over the data; `check` is called between steps. Raises `DataError` when the loss is not finite."""
        begun = time.monotonic()
        steps = self.steps(epoch)
        samples = len(self.data.train.labels)
        first = (epoch - 1) * self.steps_per_epoch
        totals = Totals(self.graph, first)
        for index, (images, labels) in enumerate(self.feed.batches(self.order(epoch))):
            check()
            state, figures = steps.train(state, images, labels)
            totals.add(figures)
            if totals.failed is not None:
                break
            if progress.wants_figures:
                totals.settle()
                trained = min((index + 1) * self.batch, samples)
                rate = trained / (time.monotonic() - begun)
                progress.figures(first + index + 1, epoch, totals.loss, totals.accuracy, rate)
        totals.settle()
        if totals.failed is not None:
            self.fail(totals.failed)
        seconds = time.monotonic() - begun
        self.check_finite(state, epoch)
        step = epoch * self.steps_per_epoch
        return state, {
            "epoch": epoch,
            "step": step,
            "learning_rate": steps.learning_rate(step - 1),
            "seconds": round(seconds, 3),
            "images_per_second": round(samples / seconds, 1),
            "train": totals.record(),
        }

    def held_out(self, evaluate: Evaluator, state: State, epoch: int) -> Metrics:
        """The held-out metrics after an epoch. Raises `DataError` when a loss is not finite."""
        try:
            return evaluate(state["params"], state["statistics"])
        except DataError as error:
            message = f"after epoch {epoch} {error.message}; {self.good()}"
            raise DataError(error.code, message, notes=error.notes, help=error.help) from None

    def check_finite(self, state: State, epoch: int) -> None:
        """Raises `DataError` unless all that a checkpoint would hold is finite."""
        broken = broken_arrays({**state["params"], **state["statistics"]})
        what = listed(broken, 4)
        if not broken:
            broken = broken_arrays(_by_name(state["optimiser"]))
            # The last word of where it lies is the parameter.
            what = f"what the optimiser keeps of {listed(dict.fromkeys(name.split()[-1] for name in broken), 4)}"
        if broken:
            rate = self.steps(epoch).learning_rate(epoch * self.steps_per_epoch - 1)
            raise DataError(
                "E520",
                f"after step {epoch * self.steps_per_epoch}, the last of epoch {epoch}, {what} "
                f"{'is' if len(broken) == 1 else 'are'} not finite, though the losses were; {self.good()}",
                help=[f"the learning rate there is {rate:.4g}: a smaller one, or a warm-up, often helps"],
            )

    def good(self) -> str:
        """What is left of a run that failed, in words."""
        self.checkpoints.wait()
        done = self.checkpoints.latest or 0
        self.failed_early = not done
        if not done:
            return "there is no checkpoint yet"
        return f"the last good checkpoint is epoch {done}, in {self.folder.path}"

    def order(self, epoch: int) -> Any:
        return epoch_order(self.recipe.seed, epoch, len(self.data.train.labels), self.batch)

    def fail(self, step: int) -> None:
        """Does the failing epoch again from the last checkpoint to find the layer, then raises `DataError`."""
        self.checkpoints.wait()
        done = self.checkpoints.latest or 0
        epoch, index = divmod(step, self.steps_per_epoch)
        steps = self.steps(epoch + 1)
        state = self.entering(epoch + 1, self.state_after(done))
        batches = self.feed.batches(self.order(epoch + 1))
        for images, labels in islice(batches, index):
            state, _ = steps.train(state, images, labels)
        images, labels = next(batches)
        x, _, key = steps.prepare(state, images, labels)
        network = steps.pure.merge(state["params"], state["statistics"])
        frozen = frozen_at(self.recipe, self.graph, epoch + 1)
        where = first_broken_layer(self.graph.pruned("train"), network, x, key, frozen.layers)
        raise DataError(
            "E520",
            f"the loss is not finite at step {step + 1} (epoch {epoch + 1}); {where}; {self.good()}",
            help=[
                f"the learning rate there is {steps.learning_rate(step):.4g}: a smaller one, or a warm-up, often helps"
            ],
        )

    def result(self, records: list[dict[str, Any]], state: State) -> Result:
        """Writes what a finished run ends with."""
        self.checkpoints.wait()
        self.owner.check()
        last = records[-1]
        curves.draw(records, f"{self.spec.name} on {self.data.name}", self.folder.path / CURVES, self.task)
        write(
            self.folder.path / RESULT,
            json.dumps(
                {
                    "accuracy": last["test"][self.task.accuracy],
                    self.task.headline: last["test"][self.task.headline],
                    "epochs": last["epoch"],
                    "classes": list(self.data.class_names),
                }
            )
            + "\n",
        )
        host = jax.tree.map(jnp.asarray, {"params": state["params"], "statistics": state["statistics"]})
        names = self.data.class_names
        return Result(self.folder.path, self.spec.header.task, records, names, host["params"], host["statistics"])

    def close(self) -> None:
        self.checkpoints.close()


def _by_name(optimiser: Any) -> Arrays:
    """The floating-point arrays of an optimiser's state, by where they lie in it."""
    leaves, _ = jax.tree.flatten_with_path(optimiser)
    floating = (leaf for leaf in leaves if jnp.issubdtype(leaf[1].dtype, jnp.floating))
    return {jax.tree_util.keystr(path, simple=True, separator=" "): value for path, value in floating}
