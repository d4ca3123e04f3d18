"""Evaluation from the folder of a run or of imported weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archspec.data import loaded
from archspec.diagnostics import DataError, SpecError
from archspec.inference.memory import less
from archspec.runs.reading import opened, parted, restored
from archspec.training.boundary import in_words
from archspec.training.checks import check_data, counted, fitted, fitted_loss, matched
from archspec.training.evaluation import Evaluator
from archspec.training.steps import make_steps
from archspec.training.tasks import TASKS, Metrics


def evaluate(path: Path, *, notes: list[str] | None = None) -> Metrics:
    """Loss and metrics of a run's last checkpoint on its dataset's held-out part.

    What the dataset says of files left out or passed over is added to `notes`.
    Raises `SpecError` when the folder holds no run, or its data cannot be read.
    """
    with in_words(less(path)):
        return _evaluated(path, notes)


def _evaluated(path: Path, notes: list[str] | None) -> Metrics:
    folder, spec = opened(path)
    if spec.train is None:
        raise DataError(
            "E504", f"{path} holds imported weights without a `train:` section, so there is nothing to evaluate on"
        ).located(None)
    try:
        data = loaded(spec.train.dataset)
    except DataError as error:
        raise spec.data_error(error) from None
    graph = spec.graph()
    data = matched(counted(data, graph), spec, graph)
    if notes is not None:
        notes.extend(data.notes)
    try:
        check_data(data, spec, graph)
    except SpecError as error:
        # What is right for `train` is no help here, where a network is measured as it is.
        items = [replace(item, help=tuple(filter(_no_option, item.help))) for item in error.diagnostics]
        raise SpecError(items) from None
    loss = fitted_loss(spec, spec.train, data)
    arrays = restored(folder, spec, notes)
    task = TASKS[spec.header.task]
    steps = make_steps(spec, 1, loss=loss)
    params, statistics = parted(arrays, (steps.template["params"], steps.template["statistics"]))
    return Evaluator(steps, fitted(data.test, spec.inputs), task, graph)(params, statistics)


def _no_option(help: str) -> bool:
    return not help.startswith("--")
