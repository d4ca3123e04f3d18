"""Times the candidates for a network's operations on this device, or says which are used and why."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.commands._common import open_checked, positive, precision_option, spec_options, spec_or_run
from archspec.diagnostics import DataError, SpecError, unwritable
from archspec.output import as_json, print_as, said_when_slow, say
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.lowerings.choosing import Lowerings
    from archspec.tuning.operations import Operation
    from archspec.tuning.search import Outcome
    from archspec.tuning.step import Step
    from archspec.xla import Mode

MODES: tuple[Mode, ...] = ("train", "eval")
BATCH = 8
"""Samples of a step where neither the command line nor a recipe says how many."""
SECONDS = 60
SLOWER = 1.05
"""A whole program that takes so many times as long as before has its old choices back."""


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC|RUN")
    command.add_argument(
        "--mode", choices=(*MODES, "both"), default="both", help="train is a step of the spec's recipe"
    )
    command.add_argument(
        "--batch", type=positive, metavar="N", help=f"samples of a step; by default the recipe's, or {BATCH}"
    )
    command.add_argument("--seconds", type=positive, metavar="N", help=f"how long to time, about (default {SECONDS})")
    precision_option(command, "of both programs; by default the recipe's in training, float32 in evaluation")
    command.add_argument("--again", action="store_true", help="time what was tuned before, too")
    command.add_argument(
        "--explain", action="store_true", help="time nothing: what computes each operation, who chose it, and why"
    )
    spec_options(command, formats=("table", "json"))
    command.epilog = "example: archspec tune mobilenet_v2 --batch 16 --input 64x64 --mode train"


def run(options: argparse.Namespace) -> int:
    from archspec.programs import unkept

    for name, given in (("again", options.again), ("seconds", options.seconds)):
        if options.explain and given:
            said = f"`--explain` times nothing: it has no use for `--{name}`"
            raise DataError("E113", said, help=["leave one out"]).located(None)
    target, folder = spec_or_run(options.spec)
    spec = open_checked(target, options)
    try:
        # Hundreds of small programs are needed this once: kept, they would take the room of networks' programs.
        with unkept():
            return _done(spec, options, folder)
    except DataError as error:
        raise error.located(None) from None


def _done(spec: Spec, options: argparse.Namespace, run: Path | None) -> int:
    batch, micro = _batch(spec, options, run)
    with loading():
        from archspec.lowerings.choosing import of_mode
        from archspec.passes import used
        from archspec.tuning.operations import operations

    recipe, graph = spec.train, spec.graph()
    kinds: dict[Mode, Any] = {
        "train": options.precision or ("float32" if recipe is None else recipe.precision),
        "eval": options.precision or "float32",
    }
    programs: dict[Mode, list[Operation]] = {}
    with said_when_slow("tracing the network"):
        for mode in MODES if options.mode == "both" else (options.mode,):
            size = batch // micro if mode == "train" else batch
            programs[mode] = operations(graph, mode, size, kinds[mode], passes=used(recipe))
    if options.explain:
        return _explain(spec, programs, options, run)
    notes = []
    if recipe is not None and recipe.lowerings == "library":
        notes.append("the recipe has `lowerings: library`, so that its own runs use nothing of this")
    if run is not None:
        notes.append("a run that was begun goes on as its lowerings.json says; new ones use this")
    return _tune(spec, programs, batch, kinds, of_mode("auto"), options, notes)


def _batch(spec: Spec, options: argparse.Namespace, folder: Path | None) -> tuple[int, int]:
    """Samples of a step, and into how many parts training divides them."""
    recipe = spec.train
    micro = recipe.micro_batches if recipe is not None and options.mode != "eval" else 1
    batch = options.batch
    if batch is None and recipe is not None:
        batch = recipe.batch_size if recipe.batch_size != "auto" else _run_batch(folder)
    batch = batch or BATCH * micro
    if batch % micro:
        raise DataError(
            "E113",
            f"a batch of {batch} has no {micro} equal `micro_batches`",
            help=["another `--batch`, or `--set train.micro_batches=1`"],
        )
    return batch, micro


def _run_batch(folder: Path | None) -> int | None:
    """What `batch_size: auto` came to in a run."""
    if folder is None:
        return None
    from archspec.runs.folder import RunFolder

    found = RunFolder(folder).about.get("batch_size")
    return found if isinstance(found, int) and found > 0 else None


def _explain(
    spec: Spec, programs: dict[Mode, list[Operation]], options: argparse.Namespace, folder: Path | None
) -> int:
    from archspec.lowerings.choosing import of_mode
    from archspec.lowerings.device import this_device
    from archspec.reports.tables import document
    from archspec.tuning import tables
    from archspec.tuning.explaining import explained

    asked = "auto" if spec.train is None else spec.train.lowerings
    lowerings, notes = of_mode(asked), []
    if folder is not None:
        from archspec.runs.folder import RunFolder
        from archspec.training.lowered import Lowered

        run = RunFolder(folder)
        record = Lowered(run, asked, run.begun)
        lowerings, notes = record.lowerings, record.notes
        if lowerings.given:
            batches = ", ".join(map(str, sorted({case.batch for case in lowerings.given})))
            notes = [*notes, f"the run has a record of batches of {batches}: `--batch` shows those of another size"]
    if "eval" in programs and lowerings.device is not None and lowerings.device.onednn:
        once = "`archspec predict` of up to 16 samples does without oneDNN in float32: its program can then be kept"
        notes = [*notes, once]
    rows = explained(programs, lowerings)
    device = (lowerings.device or this_device()).said
    if options.format == "json":
        print(as_json(tables.explained_to_dict(spec.name, rows, device, notes)))
    else:
        print_as(document([tables.explained(spec.name, rows, device, notes)], "table", spec.name), "table")
    return 0


def _tune(
    spec: Spec,
    programs: dict[Mode, list[Operation]],
    batch: int,
    kinds: dict[Mode, Any],
    lowerings: Lowerings,
    options: argparse.Namespace,
    notes: list[str],
) -> int:
    from archspec.lowerings import choosing, tuned
    from archspec.reports.tables import document
    from archspec.training.boundary import in_words
    from archspec.training.reading import shown
    from archspec.tuning import tables
    from archspec.tuning.search import asked, search, to_keep

    assert lowerings.device is not None
    busy, seconds = _busy(), options.seconds or SECONDS
    smaller = "a smaller `--batch` or `--input` needs less"
    with in_words(smaller), shown("timing", True) as told:
        outcome = search(asked(programs), lowerings, seconds=seconds, again=options.again, said=told)
    steps: dict[Mode, Step] = {}
    if not outcome.stopped:
        steps = _steps(spec, tuple(programs), batch, kinds, lowerings, outcome, seconds, notes)
    notes += busy if outcome.tried else []
    slower = any(step.ratio > SLOWER for step in steps.values())
    if slower:
        notes.append("whole programs are slower with these choices, so that the present ones stay")
    kept = [own for own in outcome.tried if not (slower and own.changed)]
    file = None
    if kept:
        try:
            file = tuned.keep(lowerings.device, to_keep(kept))
        except OSError as error:
            raise unwritable(tuned.file_for(lowerings.device), error) from None
        choosing.default.cache_clear()
        say(f"kept in {file}")
    device = lowerings.device.said
    if options.format == "json":
        found = tables.tuned_to_dict(spec.name, outcome, device, steps, notes, None if file is None else str(file))
        print(as_json(found))
    else:
        print_as(document([tables.tuned(spec.name, outcome, device, steps, notes)], "table", spec.name), "table")
    if outcome.stopped:
        raise KeyboardInterrupt
    return 0


def _busy() -> list[str]:
    """A note where other programs have the processors."""
    if not hasattr(os, "getloadavg"):
        return []
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < cores / 2:
        return []
    return [
        f"the machine was busy when this began (load {load:.1f}, {cores} processors): times are less sure, `--again`"
    ]


def _steps(
    spec: Spec,
    modes: tuple[Mode, ...],
    batch: int,
    kinds: dict[Mode, Any],
    lowerings: Lowerings,
    outcome: Outcome,
    seconds: float,
    notes: list[str],
) -> dict[Mode, Step]:
    """Whole programs with the choices of before and of now, where some have changed and that takes little."""
    from archspec.training.boundary import in_words
    from archspec.tuning.search import to_keep
    from archspec.tuning.step import whole_step, with_tuned
    from archspec.xla import PROGRAMS

    found: dict[Mode, Step] = {}
    for mode in modes:
        changed = [own for own in outcome.changed if mode in own.asked.times]
        if not changed:
            continue
        after = with_tuned(lowerings, to_keep(changed))
        why = "compiling one takes more than a quarter of `--seconds`"
        try:
            with in_words("a smaller `--batch` needs less"), said_when_slow(f"timing whole steps ({mode})"):
                step = whole_step(spec, batch, mode, kinds[mode], lowerings, after, seconds / 4)
        except (SpecError, DataError) as error:
            step, why = None, str(error).splitlines()[0]
        if step is None:
            notes.append(f"no whole {PROGRAMS[mode]} was timed ({why}): `archspec bench` times one")
        else:
            found[mode] = step
    return found
