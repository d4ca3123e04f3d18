"""Samples of a run's own data: those by which ranges of int8 are chosen, and others by which it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from archspec.data import Split, as_array, picked
from archspec.diagnostics import DataError
from archspec.exporting.subject import Subject
from archspec.images.numbers import normalised_inputs
from archspec.inference.evaluating import part_of
from archspec.runs.reading import opened

SAMPLES = 200
"""How many calibrate, unless another number is asked for; the same number of others judges."""
SEED = 0
"""From which they are drawn, whatever the run's own seed."""


class Drawn(NamedTuple):
    """Samples (N, 1, …) as the network takes them, by the inputs' names, and where they are from."""

    calibration: Mapping[str, np.ndarray]
    held_out: Mapping[str, np.ndarray]
    data: str
    part: str
    """The part that `held_out` is from."""
    notes: tuple[str, ...]

    @property
    def calibrating(self) -> int:
        """How many there are of `calibration`."""
        return len(next(iter(self.calibration.values())))

    @property
    def judged(self) -> int:
        """How many there are of `held_out`."""
        return len(next(iter(self.held_out.values())))


def drawn(subject: Subject, count: int, *, raw: bool) -> Drawn:
    """Samples of the training part, without their augmentation, and of the part that the run is measured on.

    They are as the network takes them, or before range, mean and standard deviation where they are to be `raw`: pixels
    from 0 to 255. Raises `DataError` (E557) where there is no run with data, `SpecError` where these cannot be read.
    """
    if subject.folder is None:
        raise DataError(
            "E557",
            f"int8 needs samples to calibrate with, and {subject.graph.name} is a spec without a run",
            help=["export the folder of a run: `archspec train` makes one"],
        )
    run, spec = opened(subject.folder)
    if spec.train is None:
        raise DataError(
            "E557",
            f"int8 needs samples to calibrate with, and {subject.folder} has weights without a `train:` section",
            help=["import the weights into a spec whose `train.dataset` names the data"],
        )
    notes: list[str] = []
    measured = part_of(run, spec, (), notes)
    own = _some(measured.data.train, count)
    held_out = _some(measured.split, count)
    return Drawn(
        _taken(own, subject, raw=raw),
        _taken(held_out, subject, raw=raw),
        measured.data.name,
        measured.data.said(measured.part),
        tuple(notes),
    )


def _some(split: Split, count: int) -> Split:
    chosen = np.random.default_rng(SEED).permutation(len(split))[:count]
    return picked(split, np.sort(chosen))


def _taken(split: Split, subject: Subject, *, raw: bool) -> dict[str, np.ndarray]:
    arrays = {item.name: as_array(split.inputs[item.name]) for item in subject.graph.inputs}
    if not raw:
        prepared = jax.jit(lambda batch: normalised_inputs(batch, subject.spec.inputs))
        arrays = {name: np.asarray(values) for name, values in prepared(arrays).items()}
    return {name: np.asarray(values, np.float32)[:, None] for name, values in arrays.items()}
