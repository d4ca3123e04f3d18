"""The loop of a training run over its epochs, from where its folder leaves off to the result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from archspec.data import Data
from archspec.diagnostics import DataError, SpecError, count, listed
from archspec.graph import Graph
from archspec.images.numbers import given
from archspec.lower import Arrays
from archspec.runs.checkpoints import Checkpoints, Restored
from archspec.runs.choosing import extends
from archspec.runs.events import Events
from archspec.runs.folder import CURVES, METRICS, PAGE, RESULT, SPEC, TENSORBOARD, RunFolder, read_object
from archspec.runs.owner import Owner
from archspec.tasks import Head
from archspec.training import curves, scaling
from archspec.training.beginning import begin_with
from archspec.training.checks import main_classes
from archspec.training.evaluation import Evaluator, Metrics
from archspec.training.failure import ALL_FINITE, broken_arrays, first_broken_layer, in_words
from archspec.training.feeding import batch_of, epoch_order, feed, steps_per_epoch
from archspec.training.freezing import frozen_at
from archspec.training.interrupt import held_back
from archspec.training.logs import Logs
from archspec.training.notes import say_notes
from archspec.training.paging import write_page
from archspec.training.progress import Progress, of_others
from archspec.training.result import Result
from archspec.training.steps import State, Steps, evaluated, make_steps, weights_of
from archspec.training.totals import Totals
from archspec.writing import write

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.spec.train import Train


class Loop:
    """A run in its folder, epoch by epoch: begun or gone on with, watched, kept in checkpoints, and ended."""

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
    ) -> None:
        self.spec = spec
        self.graph = graph
        self.recipe = recipe
        self.data = data
        self.folder = folder
        self.owner = owner
        self.shown = shown
        self.batch = batch_of(recipe, len(data.train))
        self.steps_per_epoch = steps_per_epoch(len(data.train), self.batch)
        self.heads = heads
        self.main = next(head for head in heads if head.name == graph.main_output.name)
        self.classes = main_classes(data, graph, heads)
        self.given = given
        self.failed_early = False
        self.finished = False
        """Whether the run was so before it was taken up."""
        self.paged = paged
        self.logs = Logs()
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
                self.spec, self.steps_per_epoch, heads=self.heads, frozen=frozen, offset=offset
            )
        return self.stretches[offset]

    def state_after(self, epoch: int) -> State:
        """The state at the end of an epoch, from its checkpoint; before the first, the initial one."""
        if epoch:
            state: State = self.saved(epoch).state
            return state
        if self.given is None:
            # Begun, but killed before the first checkpoint; or begun just now.
            self.given = begin_with(self.recipe, self.spec, self.graph, self.folder, self.shown)
        return self.steps(1).initial(self.given)

    def saved(self, until: int | None = None) -> Restored:
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
        # A kill leaves a record or two more than there are checkpoints.
        if not done and max(recorded, default=0) > 2:
            notes.append(
                f"{self.folder.path} has metrics of {count(max(recorded), 'epoch')}, but no checkpoint: it begins anew"
            )
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
                f"the schedule is one of {count(new, 'epoch')} from here on: the learning rate is "
                f"{peak * float(after(step)):.4g} at the next step, after {peak * last:.4g} by the schedule of {old}"
            )
        return notes

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

    def _go(self) -> Result:
        done, state, records = self.resumed()
        if self.folder.finished and done >= self.recipe.epochs:
            if self.shown:
                print(f"{self.folder.path} is trained already; --overwrite trains anew")
            self.finished = True
            return self.result(records, state)
        what = "images" if any(kind.is_map for _, kind in self.graph.inputs) else "samples"
        progress = Progress(
            self.recipe.epochs * self.steps_per_epoch, done * self.steps_per_epoch, what, self.shown, self.held
        )
        if done:
            progress.say(f"going on in {self.folder.path} after epoch {done}")
        evaluate = Evaluator(
            self.steps(done + 1), self.data.validation, self.heads, self.graph, whose=self.data.whose("validation")
        )
        events = Events(self.folder.path / TENSORBOARD, records, self.classes)
        self.logs = Logs.of_run(self, records)
        try:
            with held_back() as check:
                for epoch in range(done + 1, self.recipe.epochs + 1):
                    state, record = self.epoch(self.entering(epoch, state), epoch, progress, check)
                    record["validation"] = self.held_out(evaluate, state, epoch)
                    self.owner.check()
                    self.folder.add_metrics(record)
                    self.checkpoints.save(epoch, state)
                    events.add(record)
                    self.logs.record(record)
                    records.append(record)
                    main = self.main.name if self.others else ""
                    rest = of_others(self.others, record["validation"])
                    progress.epoch(record, self.recipe.epochs, self.main.said(record["validation"]), main, rest)
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
        samples = len(self.data.train)
        first = (epoch - 1) * self.steps_per_epoch
        totals = Totals(self.heads, self.main.name, first)
        for index, batch in enumerate(self.feed.batches(self.order(epoch))):
            check()
            state, figures = steps.train(state, batch)
            totals.add(figures)
            if totals.failed is not None:
                break
            if progress.wants_figures:
                totals.settle()
                trained = min((index + 1) * self.batch, samples)
                rate = trained / (time.monotonic() - begun)
                progress.figures(first + index + 1, epoch, totals.loss, totals.said(), rate)
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
            **scaling.record(state),
        }

    def held_out(self, evaluate: Evaluator, state: State, epoch: int) -> Metrics:
        """The metrics of a part held out, after an epoch. Raises `DataError` when a loss is not finite."""
        try:
            return evaluate(*weights_of(state))
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
        return epoch_order(self.recipe.seed, epoch, len(self.data.train), self.batch)

    def fail(self, step: int) -> None:
        """Does the failing epoch again from the last checkpoint to find the layer, then raises `DataError`."""
        self.checkpoints.wait()
        done = self.checkpoints.latest or 0
        epoch, index = divmod(step, self.steps_per_epoch)
        steps = self.steps(epoch + 1)
        state = self.entering(epoch + 1, self.state_after(done))
        batches = self.feed.batches(self.order(epoch + 1))
        for batch in islice(batches, index):
            state, _ = steps.train(state, batch)
        prepared = steps.prepare(state, next(batches))
        network, graph = steps.network(state), self.graph.pruned("train")
        frozen = frozen_at(self.recipe, self.graph, epoch + 1).layers
        broken = (
            first_broken_layer(graph, network, given(part.inputs), part.key, frozen, precision=steps.type)
            for part in steps.parts(prepared)
        )
        where = next((layer for layer in broken if layer != ALL_FINITE), ALL_FINITE)
        rate = steps.learning_rate(step)
        scale = float(state["scaling"]["scale"]) if "scaling" in state else None
        what, where, help = in_words(self.recipe.precision, scale, where)
        raise DataError(
            "E520",
            f"{what} at step {step + 1} (epoch {epoch + 1}); {where}; {self.good()}",
            help=[f"the learning rate there is {rate:.4g}: a smaller one, or a warm-up, often helps", *help],
        )

    def result(self, records: list[dict[str, Any]], state: State) -> Result:
        """Writes what a finished run ends with."""
        self.checkpoints.wait()
        self.owner.check()
        result = self.made(records, state)
        curves.draw(records, f"{self.spec.name} on {self.data.name}", self.folder.path / CURVES, self.main, self.held)
        write(
            self.folder.path / RESULT,
            json.dumps(
                {
                    "part": result.part,
                    **result.headlines,
                    "epochs": records[-1]["epoch"],
                    "classes": list(result.classes),
                    **({} if result.test is None else {"test": result.test}),
                }
            )
            + "\n",
        )
        if self.paged and not (self.finished and (self.folder.path / PAGE).exists()):
            write_page(self, result.figures, result.part, state)
        files = [self.folder.path / name for name in (SPEC, METRICS, CURVES, PAGE)]
        self.logs.end([file for file in files if file.is_file()])
        return result

    def say(self, note: str) -> None:
        """Says a note and keeps it."""
        say_notes([note], self.shown)
        self.folder.note([note])

    def made(self, records: list[dict[str, Any]], state: State) -> Result:
        """What came of the run, from its records and its state."""
        params, statistics = jax.tree.map(jnp.asarray, weights_of(state))
        test = self.tested(state, records[-1]["epoch"])
        return Result(self.folder.path, self.main, records, self.classes, params, statistics, self.others, test)

    def tested(self, state: State, epoch: int) -> Metrics | None:
        """The figures of the test part, which is measured once: result.json keeps them. None where there is none."""
        if self.data.test is None:
            return None
        kept = read_object(self.folder.path / RESULT)
        if kept.get("epochs") == epoch and isinstance(kept.get("test"), dict):
            return dict(kept["test"])
        return self.held_out(Evaluator(self.steps(epoch), self.data.test, self.heads, self.graph, "test"), state, epoch)

    @property
    def held(self) -> str:
        """What the part is called that is measured after every epoch."""
        return "held out" if self.data.test is None else "validation"

    @property
    def others(self) -> tuple[Head, ...]:
        """The heads that evaluation has beside the main output's."""
        return tuple(head for head in evaluated(self.heads) if head.name != self.main.name)

    def close(self) -> None:
        self.checkpoints.close()


def _by_name(optimiser: Any) -> Arrays:
    """The floating-point arrays of an optimiser's state, by where they lie in it."""
    leaves, _ = jax.tree.flatten_with_path(optimiser)
    floating = (leaf for leaf in leaves if jnp.issubdtype(leaf[1].dtype, jnp.floating))
    return {jax.tree_util.keystr(path, simple=True, separator=" "): value for path, value in floating}
