"""Steps are compiled while data are read (`early.py`), weights are drawn, what is measured is placed and the processes
that read begin.

They are lowered and compiled from shapes alone in a thread of their own; XLA works there without Python's lock. JAX
finds what was compiled when the step is first called with arrays of these shapes, so nothing is compiled twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import jax
import numpy as np

from archspec.data import Split, Values
from archspec.training.feeding import Batch
from archspec.training.steps import Steps, weights_of

THREAD = "archspec-compiling"

_SHAPE: Any = jax.ShapeDtypeStruct


class Ahead:
    """Functions that are called in a thread, one after another, and waited for by name."""

    def __init__(self, functions: Mapping[str, Callable[[], object]]) -> None:
        self.done = {name: threading.Event() for name in functions}
        self.made: dict[str, Any] = {}
        """What they gave."""
        self.error: BaseException | None = None
        self._functions = functions
        threading.Thread(target=self._run, name=THREAD).start()

    def _run(self) -> None:
        for name, function in self._functions.items():
            if self.error is None:
                try:
                    self.made[name] = function()
                except BaseException as error:
                    self.error = error
            self.done[name].set()

    def wait(self, name: str) -> None:
        """Waits until a function has ended, in steps that leave room for Ctrl-C. Raises what it, or one before, did."""
        while not self.done[name].wait(0.5):
            pass
        if self.error is not None:
            raise self.error


def goes_on() -> bool:
    """Whether something is being compiled, which nothing can end but the process's end."""
    return any(thread.name == THREAD for thread in threading.enumerate())


def compiling(steps: Steps, train: Split, batch: int, held_out: Split, size: int) -> Ahead | None:
    """The training step of so many samples and the evaluation of so many, being compiled."""
    devices = steps.devices
    batches, every = (None, None) if devices is None else (devices.batch, devices.every)
    given = Batch(
        _shapes(train.inputs, batch, batches),
        _shapes(train.targets, batch, batches),
        _SHAPE((batch,), np.int32, sharding=batches),
    )
    weights = weights_of(steps.template)
    if devices is not None:  # gathered for evaluation
        weights = jax.tree.map(lambda own: _SHAPE(own.shape, own.dtype, sharding=devices.whole), weights)
    measured = _shapes(held_out.inputs, size, every), _shapes(held_out.targets, size, every)
    train_step, evaluate_step = _lowered(steps.train), _lowered(steps.evaluate)
    with suppress(RuntimeError):  # no more threads can be had: each is compiled when it is first called
        return Ahead(
            {
                "train": lambda: train_step(steps.template, given).compile(),
                "evaluate": lambda: evaluate_step(*weights, *measured).compile(),
            }
        )
    return None


def _lowered(function: Any) -> Callable[..., Any]:
    lower: Callable[..., Any] = function.lower
    return lower


def _shapes(arrays: Mapping[str, Values], size: int, sharding: Any) -> dict[str, Any]:
    """A batch's arrays as they are on the devices, where 64 bits become 32."""
    return {
        name: _SHAPE((size, *values.shape[1:]), jax.dtypes.canonicalize_dtype(values.dtype), sharding=sharding)
        for name, values in arrays.items()
    }
