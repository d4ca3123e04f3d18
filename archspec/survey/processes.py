"""A function over many tasks in processes of their own, of which one that ends is told apart from its task.

They are plain children with pipes: unlike `multiprocessing` they run no code of the program that starts them, which
need not be made for it, and where one crashes over a damaged file the others go on, and the file is known.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

Task = TypeVar("Task")
Made = TypeVar("Made")


class Ended(NamedTuple):
    """The process with a task ended, and how, in words."""

    how: str


def over(function: Callable[[Task], Made], tasks: Sequence[Task], workers: int) -> Iterator[tuple[int, Made | Ended]]:
    """What a function gives of each task, with the task's number, as soon as it is there: in any order.

    The function is pickled, and so are tasks and results. With 0 workers, and where they cannot be had (the function
    is of a file that only this process has read), all is done here.
    """
    try:
        recipe = pickle.dumps(function, pickle.HIGHEST_PROTOCOL) if workers and len(tasks) else None
    except Exception:  # whatever a class of somebody else's raises
        recipe = None
    first = _begun(recipe) if recipe is not None else None
    if recipe is None or first is None:
        for number, task in enumerate(tasks):
            yield number, function(task)
        return
    yield from _shared(recipe, first, tasks, min(workers, len(tasks)))


def _shared(
    recipe: bytes, first: subprocess.Popen[bytes], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[int, Any]]:
    """The tasks handed out to processes, a thread for each."""
    numbers, lock = iter(range(len(tasks))), threading.Lock()
    done: SimpleQueue[tuple[int, Any] | BaseException | None] = SimpleQueue()
    running: set[subprocess.Popen[bytes]] = {first}
    stopped = threading.Event()

    def work(process: subprocess.Popen[bytes] | None) -> None:
        try:
            while not stopped.is_set():
                with lock:
                    number = next(numbers, None)
                if number is None:
                    break
                if process is None:
                    process = _begun(recipe)
                    if process is None:
                        done.put((number, Ended("could not be started")))
                        continue
                    running.add(process)
                made = _asked(process, tasks[number])
                if isinstance(made, Ended):
                    running.discard(process)
                    process = None
                done.put((number, made))
        except BaseException as error:
            done.put(error)
        finally:
            if process is not None:
                _close(process)
            done.put(None)

    threads = [
        threading.Thread(target=work, args=(first if place == 0 else None,), daemon=True) for place in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        left = workers
        while left:
            item = done.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                left -= 1
            else:
                yield item
    finally:
        stopped.set()
        if any(thread.is_alive() for thread in threads):
            for process in list(running):
                with suppress(OSError):
                    process.kill()
        for thread in threads:
            thread.join(5)


def _begun(recipe: bytes) -> subprocess.Popen[bytes] | None:
    """A process that knows the function; None where it cannot be started, or does not understand it."""
    paths = [path or os.getcwd() for path in sys.path]
    debug = bool(os.environ.get("ARCHSPEC_DEBUG"))
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Decoders in C write there what Pillow says in words of its own.
            stderr=None if debug else subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C is for the one that started it, which ends it
        )
    except OSError:
        return None
    try:
        assert process.stdin and process.stdout
        process.stdin.write(recipe)
        process.stdin.flush()
        pickle.load(process.stdout)
    except (OSError, EOFError, pickle.UnpicklingError):
        _close(process)
        return None
    return process


def _asked(process: subprocess.Popen[bytes], task: Any) -> Any:
    assert process.stdin and process.stdout
    try:
        pickle.dump(task, process.stdin, pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
        return pickle.load(process.stdout)
    except (OSError, EOFError, pickle.UnpicklingError):
        status = _close(process)
        with suppress(ValueError):
            return Ended(f"was ended by {signal.Signals(-status).name}")
        return Ended(f"ended with status {status}")


def _close(process: subprocess.Popen[bytes]) -> int:
    """Ends a process, by the end of its input or by force, and gives its exit status."""
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    try:
        return process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _serve() -> None:
    """What a process does: a function comes first, then tasks, each of which is answered."""
    source = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what somebody prints is no answer
    function = pickle.load(source)
    with suppress(BrokenPipeError):
        pickle.dump(True, answers)
        answers.flush()
        while True:
            try:
                task = pickle.load(source)
            except EOFError:
                return
            pickle.dump(function(task), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


if __name__ == "__main__":
    _serve()
