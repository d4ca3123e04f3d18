"""The loop of a training run over its steps, from where its folder leaves off to the result."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.data import Data, workers_for
from archspec.diagnostics import DataError, SpecError, count
from archspec.graph import Graph
from archspec.lower import Arrays
from archspec.output import said_when_slow
from archspec.peers import peers
from archspec.profiling import Profile
from archspec.runs.changes import Change, epochs_of
from archspec.runs.checkpoints import AVERAGED, BATCH, Checkpoints, Restored, last_arrays
from archspec.runs.choosing import goes_on
from archspec.runs.events import Events
from archspec.runs.folder import CURVES, EXPORTED, METRICS, PAGE, RESULT, SPEC, TENSORBOARD, RunFolder, read_object
from archspec.runs.owner import Owner
from archspec.tasks import Head
from archspec.training import curves, scaling
from archspec.training.ahead import Ahead, compiling
from archspec.training.beginning import begin_with
from archspec.training.checks import main_classes
from archspec.training.cutting import is_cut
from archspec.training.device_mesh import device_mesh
from archspec.training.early import Early
from archspec.training.evaluation import Evaluator, Metrics, batch_size_of
from archspec.training.failure import failed, not_finite
from archspec.training.feeding import Batch, feed, orders_of
from archspec.training.freezing import frozen_at
from archspec.training.hosts import current, turn
from archspec.training.interrupt import Stopped, held_back
from archspec.training.logs import Logs
from archspec.training.lowered import Lowered
from archspec.training.notes import say_notes
from archspec.training.paging import write_exported, write_page
from archspec.training.progress import Progress, of_others
from archspec.training.result import Result
from archspec.training.steps import FACTOR, State, Steps, evaluated, steps_of, weights_of
from archspec.training.totals import Totals
from archspec.watching import MEASURED, Figure, Watch, best_of
from archspec.writing import write

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.train import Train


RECORDS = "records"
"""Under this name a checkpoint says how many records there were."""


class Stretch:
    """The steps since the last record: their figures, and the seconds that they took."""

    def __init__(self, heads: Sequence[Head], main: str, step: int) -> None:
        self.totals = Totals(heads, main, step)
        self.begun_at = step
        self.taken = False
        self._before = 0.0
        self._begun: float | None = None

    def take(self, about: dict[str, Any]) -> None:
        """Goes on with what a checkpoint within the stretch says of it."""
        self.totals.take(about["sums"])
        self._before = about["seconds"]
        self.taken = True

    def to_plain(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {"sums": self.totals.to_plain(), "seconds": round(self.seconds, 3)}

    def begin(self) -> None:
        """Starts the clock."""
        self._begun = time.monotonic()

    def end(self) -> None:
        """Stops the clock."""
        self._before, self._begun = self.seconds, None

    @property
    def running(self) -> float:
        """Seconds since the clock was started."""
        return max(time.monotonic() - self._begun, 1e-9) if self._begun is not None else 0.0

    @property
    def seconds(self) -> float:
        """Seconds of all its steps, in this process and before."""
        return self._before + self.running


class Loop:
    """A run in its folder, step by step: begun or gone on with, watched, kept in checkpoints, and ended.

    Of several processes each has a loop, and all of them take the same steps, evaluate, save and end alike: whatever
    that hangs on follows from what is the same in all, or process 0 says it. It alone reads and writes the records.
    """

    def __init__(
        self,
        spec: Spec,
        graph: Graph,
        recipe: Train,
        data: Data,
        folder: RunFolder,
        owner: Owner,
        shown: bool,
        heads: Sequence[Head],
        given: Arrays | None,
        paged: bool,
        profile: Path | None,
        early: Early | None = None,
        until: int | None = None,
    ) -> None:
        """`early` has steps that are being compiled already, for just these data, where a run begins. `until` is the
        epoch after which the run stops without a result."""
        self.spec = spec
        self.graph = graph
        self.recipe = recipe
        self.data = data
        self.folder = folder
        self.owner = owner
        self.shown = shown
        self.peers = peers()
        self.devices = device_mesh(recipe, graph)
        if self.devices is not None and self.peers.count > 1:
            self.peers.wait("connect")
            self.devices.connect()
        self.orders = orders_of(recipe, len(data.train))
        self.batch = self.orders.batch
        self.steps_per_epoch = self.orders.steps
        self.heads = heads
        self.again = "the same command"
        """What goes on with a run that is stopped, in words."""
        self.main = next(head for head in heads if head.name == graph.main_output.name)
        self.classes = main_classes(data, graph, heads)
        self.given = given
        self.failed_early = False
        self.finished = False
        """Whether the run was so before it was taken up."""
        self.paged = paged
        self.profile = Profile(profile if self.peers.is_first else None, lambda note: say_notes([note], shown))
        self.logs = Logs()
        self.stretches: dict[int, Steps] = {}
        self.checkpoints = Checkpoints(folder.path, self.peers)
        saved = bool(self.peers.chosen("saved", lambda: self.checkpoints.latest))
        self.lowered = Lowered(folder, recipe.lowerings, saved, self.peers)
        self.ahead: Ahead | None = None
        if early is not None and early.steps is not None and not saved:
            self.ahead, self.stretches[0], self.lowered.lowerings = early.ahead, early.steps, early.lowerings
        self.total = recipe.epochs * self.steps_per_epoch
        self.stops_at = self.total if until is None else min(until * self.steps_per_epoch, self.total)
        every = recipe.evaluate_every
        self.every = every.steps if every is not None and every.steps else self.steps_per_epoch
        if every is not None and every.epochs:
            self.every = every.epochs * self.steps_per_epoch
        self.watch = Watch(recipe, heads, self.main.name)
        self.step = self.kept_step = 0
        self.state: State = {}
        self.records: list[dict[str, Any]] = []
        self.stretch = Stretch(heads, self.main.name, 0)
        self.pending = False
        self.workers = workers_for(recipe.workers)
        self.evaluator: Evaluator | None = None
        self.begin = int(is_cut(data.train))
        self.feed = feed(data.train, self.orders, recipe.epochs, self.workers, self.devices)

    def steps(self, epoch: int) -> Steps:
        """The compiled functions of an epoch; they change where what was frozen thaws."""
        begin = self.recipe.init_from
        until = begin.freeze_epochs if begin else None
        offset = until * self.steps_per_epoch if until and epoch > until else 0
        if offset not in self.stretches:
            frozen = frozen_at(self.recipe, self.graph, epoch)
            self.stretches[offset] = steps_of(
                self.graph,
                self.spec.inputs,
                self.heads,
                self.recipe,
                self.steps_per_epoch,
                frozen=frozen,
                offset=offset,
                begin=self.begin,
                lowerings=self.lowered.lowerings,
            )
        return self.stretches[offset]

    def state_at(self, step: int) -> State:
        """The state after a step, from its checkpoint; before the first, the initial one."""
        if step:
            state: State = self.saved(step).state
            return state
        if self.given is None:
            # Begun, but killed before the first checkpoint; or begun just now.
            self.given = begin_with(self.recipe, self.spec, self.graph, self.folder, self.shown)
        return self.steps(1).initial(self.given)

    def saved(self, until: int | None = None) -> Restored:
        """The last sound checkpoint, of no step after `until`."""
        return self.checkpoints.last(lambda step: self.steps(self.epoch_of(step)).template, until)

    def epoch_of(self, step: int) -> int:
        """The epoch, from 1 on, that a step's end lies in, or is the end of."""
        return max(1, -(-step // self.steps_per_epoch))

    def due(self, step: int) -> bool:
        """Whether an evaluation follows after a step."""
        return step == self.total or (step > 0 and step % self.every == 0)

    def resume(self) -> None:
        """Takes the run up at its last sound checkpoint; what is amiss is said and noted."""
        saved = self.saved()
        notes = [*self.lowered.notes, *saved.notes]
        self.step = self.kept_step = saved.step
        before = saved.about.get(BATCH, self.batch)
        if before != self.batch:
            raise DataError(
                "E510",
                f"the run in {self.folder.path} has steps of {count(before, 'sample')}, and would have {self.batch:,} "
                "with these devices",
                help=["with devices of which as many parts divide a batch it goes on", "--overwrite trains anew"],
            )
        self.records = self.peers.chosen("records", lambda: self.kept_records(saved, notes))
        self.checkpoints.drop_after(self.step)
        self.state = saved.state if self.step else self.state_at(0)
        for record in self.records:
            self.watch.see(record)
        self.follow()
        self.stretch = Stretch(self.heads, self.main.name, self.step)
        if self.step and (not self.records or self.records[-1]["step"] < self.step):
            self.stretch.take(saved.about)
        if self.peers.is_first:
            found = goes_on(self.folder.spec_text, self.spec.kept()[0])
            notes += self.changed(found) if found else []
            say_notes(notes, self.shown)
            self.folder.note(notes)

    def kept_records(self, saved: Restored, notes: list[str]) -> list[dict[str, Any]]:
        """The records until the step of a checkpoint, which alone are kept; what is amiss is added to the notes."""
        records, amiss = self.folder.metrics()
        notes += amiss
        # A kill leaves a record or two more than there are checkpoints.
        if not self.step and len(records) > 2:
            notes.append(
                f"{self.folder.path} has metrics of {count(len(records), 'evaluation')}, but no checkpoint: it begins "
                "anew"
            )
        before = saved.about.get(RECORDS, 0)
        wanted = [step for step in range(1, self.step) if self.due(step)] if self.step else []
        there = sum(record["step"] < self.step for record in records)
        kept = self.folder.keep_metrics(self.step, wanted if there < before else ())
        notes += [note for note in kept.notes if note not in notes]
        return kept.records

    def changed(self, found: Sequence[Change]) -> list[str]:
        """Goes on with changed settings, and gives notes on them: more epochs may change the learning rate."""
        self.folder.write_spec(self.owner, *self.spec.kept())
        (self.folder.path / RESULT).unlink(missing_ok=True)
        notes = [f"the run in {self.folder.path} goes on with {change.said}" for change in found]
        epochs = epochs_of(found)
        if epochs is None:
            return notes
        old, new = epochs
        before, after = (self.recipe.schedule.build(epochs, self.steps_per_epoch) for epochs in (old, new))
        rates = [(float(before(at)), float(after(at))) for at in {0, self.step // 2, max(self.step - 1, 0)}]
        if self.step and any(abs(one - other) > 1e-6 for one, other in rates):
            peak, last = self.recipe.optimiser.learning_rate, float(before(self.step - 1))
            notes.append(
                f"the schedule is one of {count(new, 'epoch')} from here on: the learning rate is "
                f"{peak * float(after(self.step)):.4g} at the next step, after {peak * last:.4g} by that of {old}"
            )
        return notes

    def follow(self) -> None:
        """Has the state's factor of the learning rate be what the records so far make of it."""
        if FACTOR in self.state:
            self.state = {**self.state, FACTOR: self.laid(np.float32(self.watch.factor))}

    def laid(self, value: Any) -> jax.Array:
        """An array whole on every device."""
        placed: jax.Array = jnp.asarray(value) if self.devices is None else self.devices.put(value, self.devices.whole)
        return placed

    def entering(self, epoch: int, state: State) -> State:
        """The state at the start of an epoch: where what was frozen thaws, the optimiser begins anew."""
        thaws = epoch > 1 and self.steps(epoch) is not self.steps(epoch - 1)
        return self.steps(epoch).continued(state) if thaws else state

    def go(self) -> Result:
        try:
            return self._go()
        except (MemoryError, SpecError, jax.errors.JaxRuntimeError):
            # A layer's own code, when it is built or called, or too little memory.
            self.failed_early = not self.checkpoints.latest
            raise
        finally:
            self.logs.end(())  # those of a run that was stopped

    def compile_ahead(self) -> None:
        """Begins to compile the steps that come next, unless they are being compiled already."""
        if self.ahead is not None:
            return
        steps = self.steps(self.epoch_of((self.checkpoints.latest or 0) + 1))
        size = batch_size_of(self.graph, len(self.data.validation), self.devices)
        self.ahead = compiling(steps, self.data.train, self.batch, self.data.validation, size)

    def program(self, steps: Steps, batch: Batch) -> str:
        """The text of the compiled training step."""
        if self.ahead is not None and len(self.stretches) == 1:
            made = self.ahead.made["train"]
        else:
            train: Any = steps.train
            made = train.lower(steps.template, batch).compile()
        return made.as_text() or ""

    def wait_for(self, name: str) -> None:
        """Waits until a function is compiled that is being compiled, and raises what is wrong with it."""
        if self.ahead is not None:
            self.ahead.wait(name)

    def _go(self) -> Result:
        with said_when_slow(f"preparing {self.spec.name}") if self.shown else nullcontext():
            if not self.was_finished():  # else there may be nothing left to compute
                self.compile_ahead()
            self.resume()
        # The last record may be lost, with the state that it is of still there.
        self.pending = self.stretch.taken and self.due(self.step)
        done = self.step >= self.total or self.watch.ended
        if self.was_finished() and done and not self.pending:
            if self.shown:
                print(f"{self.folder.path} is trained already; --overwrite trains anew")
            self.finished = True
            self.profile.close(self.state)
            return self.result()
        what = "images" if any(kind.is_map for _, kind in self.graph.inputs) else "samples"
        progress = Progress(self.total, self.step, what, self.shown, self.held)
        if self.step:
            progress.say(f"going on in {self.folder.path} after {self.at(self.step)}")
        steps = self.steps(self.epoch_of(self.step + 1))
        whose = self.data.whose("validation")
        evaluate = self.evaluator = Evaluator(steps, self.data.validation, self.heads, self.graph, whose, self.workers)
        events: Events | None = None
        if self.peers.is_first:
            events = Events(self.folder.path / TENSORBOARD, self.timed(), self.classes)
            self.logs = Logs.of_run(self, self.records)
        # While the state is saved too: where all stop since another process got a signal, this one's own comes later.
        with held_back(signal.SIGINT, signal.SIGTERM, turn=turn("stop")) as check:
            try:
                self.train(progress, evaluate, events, check)
                self.profile.close(self.state)
            except KeyboardInterrupt as stop:
                # A step that still runs when the interpreter ends brings the process down. Where this process alone
                # stops, it ends otherwise, and its steps may wait for others without end.
                if isinstance(stop, Stopped) or current() is None:
                    jax.block_until_ready(jax.live_arrays())  # type: ignore[no-untyped-call]
                if isinstance(stop, Stopped) and self.step > self.kept_step:
                    self.save()
                self.checkpoints.close()
                last = self.checkpoints.latest
                words = (
                    f"stopped; {self.again} goes on after {self.at(last)}"
                    if last
                    else "stopped before the first checkpoint"
                )
                if not isinstance(stop, Stopped):
                    raise Stopped(words) from None
                words += f" ({stop})" if str(stop) else ""
                raise Stopped(words, stop.number, by_all=stop.by_all) from None
            finally:
                self.profile.drop()
                progress.close()
                if events is not None:
                    events.close()
        if self.stops_at <= self.step < self.total and not self.watch.ended:
            return self.so_far()
        if self.watch.ended and self.step < self.total and self.shown:
            progress.say(self.watch.said)
        return self.result()

    def so_far(self) -> Result:
        """What has come of a run that stops before its end: a checkpoint, and neither a result nor a page."""
        if self.step > self.kept_step:
            self.save()
        self.checkpoints.wait()
        self.owner.check()
        params, statistics = weights_of(self.state)
        record = self.records[-1] if self.records else {}
        return Result(self.folder.path, self.main, self.records, self.classes, params, statistics, self.others, record)

    def was_finished(self) -> bool:
        """Whether the folder's run has ended before."""
        return bool(self.peers.chosen("finished", lambda: self.folder.finished))

    def train(self, progress: Progress, evaluate: Evaluator, events: Events | None, check: Callable[[], None]) -> None:
        """Trains to the end, with evaluations and checkpoints on the way; `check` is called between steps.

        A stop within an evaluation leaves a state whose record is not yet made, which comes first when it is taken up.
        """
        evaluate.check = check
        if self.pending:
            self.evaluated(progress, evaluate, events)
        self.stretch.begin()
        last_saved = time.monotonic()
        saving, failing = turn("save"), turn("fail")
        while self.step < self.stops_at and not self.watch.ended:
            epoch = self.step // self.steps_per_epoch + 1
            steps = self.steps(epoch)
            for batch in self.feed.batches(self.orders.of(epoch), self.step % self.steps_per_epoch, epoch):
                check()
                # Not before: what a stop saves is a state of the epoch that ended.
                if self.step % self.steps_per_epoch == 0:
                    self.state = self.entering(epoch, self.state)
                self.wait_for("train")
                self.profile.step(self.state, partial(self.program, steps, batch))
                self.state, figures = steps.train(self.state, batch)
                self.step += 1
                self.stretch.totals.add(figures)
                if failing.due(self.stretch.totals.failed is not None):
                    self.settle()  # figures are looked at now and then, in each process at other steps
                if progress.wants_figures:
                    self.show(progress, epoch)
                if self.due(self.step):
                    self.evaluated(progress, evaluate, events)
                    last_saved = time.monotonic()
                    if self.watch.ended:
                        return
                elif saving.due(time.monotonic() - last_saved >= 60 * self.recipe.save_minutes):
                    self.save()
                    last_saved = time.monotonic()

    def show(self, progress: Progress, epoch: int) -> None:
        """Has the bar show the figures so far."""
        totals = self.stretch.totals
        totals.settle()
        rate = (self.samples(self.step) - self.samples(self.stretch.begun_at)) / self.stretch.running
        progress.figures(self.step, epoch, totals.loss, totals.said(), rate)

    def samples(self, step: int) -> int:
        """How many samples were trained on until a step."""
        epochs, steps = divmod(step, self.steps_per_epoch)
        samples = len(self.data.train)
        return epochs * samples + min(steps * self.batch, samples)

    def evaluated(self, progress: Progress, evaluate: Evaluator, events: Events | None) -> None:
        """Evaluates the state, and records and saves it."""
        self.settle()
        seconds = self.stretch.seconds
        self.stretch.end()
        epoch = self.epoch_of(self.step)
        with progress.measuring(f"measuring the {self.data.whose('validation')} part"):
            figures = self.held_out(evaluate)
        scaled = scaling.record(self.state)
        last = max(0, self.step - 1 - scaled.get("skipped_steps", 0))  # of which the schedule knows nothing
        record: dict[str, Any] = {
            "epoch": self.epochs_at(self.step),
            "step": self.step,
            "learning_rate": self.steps(epoch).learning_rate(last) * self.watch.factor,
            "train": self.stretch.totals.record(),
            **scaled,
            MEASURED: figures,
        }
        since = self.records[-1]["step"] if self.records else 0
        trained = self.samples(self.step) - self.samples(since)
        times = {
            "step": self.step,
            "seconds": round(seconds, 3),
            "images_per_second": round(trained / seconds, 1) if seconds else None,
        }
        self.owner.check()
        if self.peers.is_first:
            self.folder.add_metrics(record, times)
        self.records.append(record)
        self.watch.see(record)
        self.follow()
        self.save()
        if events is not None:
            events.add({**record, **times})
        self.logs.record({**record, **times})
        main = self.main.name if self.others else ""
        rest = of_others(self.others, record[MEASURED])
        progress.epoch({**record, **times}, self.recipe.epochs, self.main.said(record[MEASURED]), main, rest)
        self.stretch = Stretch(self.heads, self.main.name, self.step)
        self.stretch.begin()

    def save(self) -> None:
        """Saves the state, with what was summed up since the last record."""
        self.settle()
        about = {**self.stretch.to_plain(), RECORDS: len(self.records), BATCH: self.batch}
        if self.peers.is_first:
            self.lowered.keep()
        self.checkpoints.save(self.step, self.state, about, self.wanted)
        self.kept_step = self.step

    def wanted(self, steps: Sequence[int]) -> set[int]:
        """Of the checkpoints that are there, those to keep while another is written: the last ones, and the best."""
        kept = set(steps[-self.recipe.keep :])
        if self.watch.best is not None:
            best = best_of(self.records, self.watch.best, steps)
            kept |= {best} if best is not None else set()
        return kept

    def settle(self) -> None:
        """Waits for the steps so far. Raises `DataError` where a loss, or what the state holds, is not finite."""
        self.stretch.totals.settle()
        if self.stretch.totals.failed is not None:
            self.fail(self.stretch.totals.failed)
        wrong = not_finite(self, self.state, self.step)
        if wrong is not None:
            raise wrong

    def timed(self) -> list[dict[str, Any]]:
        """The records so far with what they took."""
        times = self.folder.times()
        return [{**record, **times.get(record["step"], {})} for record in self.records]

    def epochs_at(self, step: int) -> float:
        """How many epochs there were until a step; a whole number at their ends."""
        epochs, steps = divmod(step, self.steps_per_epoch)
        return round(epochs + steps / self.steps_per_epoch, 4) if steps else epochs

    def at(self, step: int) -> str:
        """A step in words: `epoch 3`, or `step 250, in epoch 3`."""
        epoch = self.epoch_of(step)
        return f"epoch {epoch}" if step % self.steps_per_epoch == 0 else f"step {step}, in epoch {epoch}"

    def held_out(self, evaluate: Evaluator, weights: tuple[Arrays, Arrays] | None = None) -> Metrics:
        """A part's metrics, of the state or other weights. Raises `DataError` where a loss is not finite."""
        self.wait_for("evaluate")
        try:
            return evaluate(*(weights or weights_of(self.state)))
        except DataError as error:
            message = f"after {self.at(self.step)} {error.message}; {self.good()}"
            raise DataError(error.code, message, notes=error.notes, help=error.help) from None

    def good(self) -> str:
        """What is left of a run that failed, in words."""
        self.checkpoints.wait()
        done = self.checkpoints.latest or 0
        self.failed_early = not done
        if not done:
            return "there is no checkpoint yet"
        return f"the last good checkpoint is that of {self.at(done)}, in {self.folder.path}"

    def fail(self, step: int) -> None:
        """Raises `DataError` with the layer at which a step goes wrong."""
        raise failed(self, step)

    def result(self) -> Result:
        """Writes what a finished run ends with."""
        self.checkpoints.wait()
        self.owner.check()
        self.checkpoints.tidy(self.wanted)
        result = self.made()
        if not self.peers.is_first:
            return result
        title = f"{self.spec.name} on {self.data.name}"
        curves.draw(self.records, title, self.folder.path / CURVES, self.main, self.held, self.watch.best)
        about = {"part": result.part, **result.headlines, "epochs": self.records[-1]["epoch"], "step": result.step}
        test = {} if result.test is None else {"test": result.test}
        write(self.folder.path / RESULT, json.dumps({**about, "classes": list(result.classes), **test}) + "\n")
        if self.paged and not (self.finished and (self.folder.path / PAGE).exists()):
            write_page(self, result)
        for name in self.recipe.export:
            if not (self.finished and (self.folder.path / EXPORTED[name]).exists()):
                write_exported(self, result, name)
        files = [self.folder.path / name for name in (SPEC, METRICS, CURVES, PAGE, *EXPORTED.values())]
        self.logs.end([file for file in files if file.is_file()])
        return result

    def say(self, note: str) -> None:
        """Says a note and keeps it."""
        if self.peers.is_first:
            say_notes([note], self.shown)
            self.folder.note([note])

    def made(self) -> Result:
        """What came of the run: the last state, or the best where the recipe says by what."""
        record = self.records[-1]
        best = None if self.watch.best is None else self.best(self.watch.best)
        params, statistics = weights_of(self.state)
        if best is not None and best != self.step:
            found, notes, step = last_arrays(self.folder.path, best, self.peers)
            say_notes([note for note in notes if note != AVERAGED], self.shown)
            record = next((record for record in self.records if record["step"] == step), record)
            params, statistics = ({name: self.laid(found[name]) for name in part} for part in (params, statistics))
        test = self.tested((params, statistics), record["step"])
        if self.devices is not None:  # whoever has the result has one device's arrays
            params, statistics = self.devices.local((params, statistics))
        chose = self.watch.best is not None or self.watch.patience is not None or self.watch.following is not None
        return Result(
            self.folder.path,
            self.main,
            self.records,
            self.classes,
            params,
            statistics,
            self.others,
            record,
            test,
            chose,
        )

    def best(self, figure: Figure) -> int | None:
        """The best step of those whose states are there; where a better one is not any more, that is said."""
        best = best_of(self.records, figure, self.peers.chosen("steps", self.checkpoints.steps))
        ever = best_of(self.records, figure)
        if ever is not None and ever != best:
            self.say(
                f"`{figure.name}` was best at step {ever}, whose state was not kept; the best of those that were is "
                f"that of step {best or self.step}"
            )
        return best

    def tested(self, weights: tuple[Arrays, Arrays], step: int) -> Metrics | None:
        """The figures of the test part, which is measured once: result.json keeps them. None where there is none."""
        if self.data.test is None:
            return None
        kept = self.peers.chosen("result", lambda: read_object(self.folder.path / RESULT))
        if kept.get("step") == step and isinstance(kept.get("test"), dict):
            return dict(kept["test"])
        self.close_feeds()  # their processes would be in the way of those that read the test part
        steps = self.steps(self.epoch_of(step))
        evaluate = Evaluator(steps, self.data.test, self.heads, self.graph, "test", self.workers)
        try:
            return self.held_out(evaluate, weights)
        finally:
            evaluate.close()

    @property
    def held(self) -> str:
        """What the part is called that is measured in evaluations."""
        return "held out" if self.data.test is None else "validation"

    @property
    def others(self) -> tuple[Head, ...]:
        """The heads that evaluation has beside the main output's."""
        return tuple(head for head in evaluated(self.heads) if head.name != self.main.name)

    def close_feeds(self) -> None:
        """Ends the processes that read the data."""
        self.feed.close()
        if self.evaluator is not None:
            self.evaluator.close()

    def close(self) -> None:
        self.close_feeds()
        self.checkpoints.close()
