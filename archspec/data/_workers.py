"""Elements that worker processes, or threads, make ahead of their use, in their order."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from archspec.data._columns import Column
from archspec.diagnostics import DataError
from archspec.images.limits import cores

Made = TypeVar("Made")

AHEAD = 2
"""So many elements each worker has ready."""
MOST = 8
"""More workers than this are not taken unless they are asked for."""
_ENDED = "Worker process was terminated unexpectedly"
"""What grain says of a worker that was killed, before its exit code."""


def workers_for(wanted: int | None) -> int:
    """How many processes read: as many as asked for, or one for each core up to `MOST`."""
    return min(cores(), MOST) if wanted is None else wanted


class Failure(NamedTuple):
    """A `DataError` as a value, on its way from a worker."""

    code: str
    message: str
    notes: tuple[str, ...]
    help: tuple[str, ...]

    @classmethod
    def of(cls, error: DataError) -> Failure:
        return cls(error.code, error.message, error.notes, error.help)

    def error(self) -> DataError:
        return DataError(self.code, self.message, notes=self.notes, help=self.help)


class Boxed:
    """Keeps what a worker made, or why it could not, in one piece on its way through grain, which takes trees apart."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Tried:
    """A function whose `DataError` is its result: grain would shut down at an exception."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def __call__(self, place: int) -> Any:
        try:
            return self.make(place)
        except DataError as error:
            return Boxed(Failure.of(error))


def _owned(made: Any) -> Any:
    """Arrays of a worker as this process' own: its shared memory is free again at once, and not at some later time."""
    import numpy as np

    if isinstance(made, dict):
        return {name: _owned(own) for name, own in made.items()}
    return np.array(made) if isinstance(made, np.ndarray) else made


class Loader(Generic[Made]):
    """The elements of a function of a number, from 0 to before `total`, made ahead of their use by grain.

    They are dicts of arrays, or anything else in a `Boxed`. `workers` processes make them, or threads where that is 0.
    The processes start when the first element is asked for, and stay: to ask for what comes next costs nothing, for
    anything else they begin anew. `make` is pickled for them; what it needs must not import JAX. The elements and their
    order are the same whatever the number of workers.
    """

    def __init__(self, make: Callable[[int], Any], total: int, workers: int) -> None:
        self.make = make
        self.total = total
        self.workers = workers
        self._elements: Any = None
        self._next = -1

    def between(self, start: int, stop: int) -> Iterator[Made]:
        """The elements of the numbers from `start` to before `stop`.

        Raises `DataError` where one cannot be made, or a process was killed.
        """
        if self._elements is None or self._next != start:
            self.close()
            self._elements = self._begun(start)
        for place in range(start, stop):
            self._next = place + 1
            yield self._taken()

    def _taken(self) -> Made:
        try:
            made: Any = next(self._elements)
            made = made.value if isinstance(made, Boxed) else made
            if isinstance(made, Failure):
                raise made.error()
        except BaseException as error:
            self.close()
            if isinstance(error, RuntimeError) and _ENDED in str(error):
                raise _killed(str(error)) from None
            raise
        return _owned(made) if self.workers else made  # type: ignore[no-any-return]

    def _begun(self, start: int) -> Any:
        import grain

        made = grain.MapDataset.range(start, self.total).map(_Tried(self.make))
        if not self.workers:
            threads = min(cores(), MOST)
            # An element for each thread at least, or grain warns of threads that wait.
            ahead = max(AHEAD * 2, threads)
            return iter(made.to_iter_dataset(grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)))
        _start_lightly()
        alone = made.to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))
        many = grain.MultiprocessingOptions(num_workers=self.workers, per_worker_buffer_size=AHEAD)
        return iter(alone.mp_prefetch(many, worker_init_fn=_in_worker))

    def close(self) -> None:
        """Ends the workers."""
        elements, self._elements = self._elements, None
        if elements is not None:
            elements.close()
            del elements
            if self.workers:
                gc.collect()  # grain's iterators are in cycles, and hold shared memory that is freed with them


def _killed(words: str) -> DataError:
    """The error that a worker ended, from grain's words."""
    code = words.partition("exit code ")[2].partition(".")[0]
    how = f"ended with the exit code {code}"
    if code.startswith("-"):
        with suppress(ValueError):
            how = f"was ended by {signal.Signals(int(code[1:])).name}"
    return DataError(
        "E523",
        f"a process that reads the data {how}",
        help=[
            "the same command goes on from the last checkpoint",
            "where memory has run out, or /dev/shm is small, fewer `train.workers` need less; 0 reads in threads",
        ],
    )


@cache
def _start_lightly() -> None:
    """Makes grain's processes begin with `_worker_start` in place of the script that was run.

    multiprocessing lets each process import the script first, which trains again unless it has `if __name__ == …`. What
    a worker is to do is pickled with all that the script itself defines, so it does not need the script.
    """
    from multiprocessing import resource_tracker, spawn

    from absl import flags

    if not flags.FLAGS.is_parsed():  # which grain looks at, and a command of absl's would have read
        flags.FLAGS.mark_as_parsed()

    # It frees the shared memory of what was killed, and need not say so at length.
    sys.warnoptions.append("ignore:resource_tracker")
    resource_tracker.ensure_running()
    sys.warnoptions.pop()
    whole = spawn.get_preparation_data

    def light(name: str) -> dict[str, Any]:
        about = whole(name)
        if name.startswith("grain-process-prefetch"):
            about.pop("init_main_from_path", None)
            about["init_main_from_name"] = "archspec.data._worker_start"
            # A thread of grain's starts the process, which has what it blocks; signals are the main thread's anyway.
            if hasattr(signal, "pthread_sigmask") and threading.current_thread() is not threading.main_thread():
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
        return about

    spawn.get_preparation_data = light


def _in_worker(worker: int, workers: int) -> None:
    """In a worker: it does not outlive its parent, and Pillow's limit is set once."""
    from multiprocessing import parent_process

    from archspec.images.files import bounded

    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    bounded().__enter__()


class Read(NamedTuple):
    """What a function made of a sample, or why the sample cannot be read."""

    value: Any
    error: DataError | None


class _Each:
    """Some samples at a time: what a function makes of each, or what is wrong, and what is to be said of them."""

    def __init__(self, columns: Sequence[Column], function: Callable[..., Any], size: int) -> None:
        self.columns, self.function, self.size = columns, function, size

    def __call__(self, number: int) -> Boxed:
        seen: list[Counter[str]] = [Counter() for _ in self.columns]
        made: list[Any] = []
        for place in range(number * self.size, min((number + 1) * self.size, len(self.columns[0]))):
            try:
                parts = [column.sample(place, own) for column, own in zip(self.columns, seen, strict=True)]
                made.append(self.function(*parts))
            except DataError as error:
                made.append(Failure.of(error))
        return Boxed((made, seen))


def each(
    columns: Sequence[Column],
    function: Callable[..., Any],
    workers: int,
    seen: Sequence[Counter[str]] = (),
    size: int = 64,
) -> Iterator[Read]:
    """What a function makes of every sample of some columns, in order, read in worker processes; errors are values.

    The function gets a sample of each column. It and what it gives are pickled: it must not import JAX, and what it
    gives is best small, such as sums and digests. To the counters `seen`, one for each column, is added what is to be
    said of its samples, for `Source.notes`.
    """
    chunks = -(-len(columns[0]) // size)
    loader: Loader[Any] = Loader(_Each(columns, function, size), chunks, workers)
    try:
        for made, counted in loader.between(0, chunks):
            for own, more in zip(seen, counted, strict=False):
                own.update(more)
            for value in made:
                yield Read(None, value.error()) if isinstance(value, Failure) else Read(value, None)
    finally:
        loader.close()
