"""Processes that are killed, or find no space, at a chosen operation on files.

Each trial is a fork of a process that has imported everything and started nothing, which saves most of its time.
`python -m tests.runs.faults` is the long round with figures; tests/runs/test_faults.py has a short one.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

OPERATIONS = ("open", "replace", "rename", "mkdir", "unlink", "fsync", "ftruncate", "pwrite", "rmdir")


class Ended(NamedTuple):
    """How a trial ended: its exit status, negative for a signal; what it said; whether the fault was reached."""

    status: int
    said: str
    reached: bool


def _armed(folder: Path, at: int, fault: Callable[[], None], reached: int) -> None:
    """Has the operation of number `at` on what lies in a folder, counted from 0, meet a fault before it is done."""
    count = 0

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        def double(*args: Any, **named: Any) -> Any:
            nonlocal count
            where = args[0] if args else ""
            if isinstance(where, int):
                try:
                    where = os.readlink(f"/proc/self/fd/{where}")
                except OSError:
                    where = ""
            if isinstance(where, (str, os.PathLike)) and str(folder) in os.fspath(where):
                count += 1
                if count == at + 1:
                    os.write(reached, b"x")
                    fault()
            return function(*args, **named)

        return double

    for name in OPERATIONS:
        setattr(os, name, wrapped(getattr(os, name)))
    builtins.open = io.open = wrapped(builtins.open)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def trial(
    command: Sequence[str],
    folder: Path | None = None,
    at: int = 0,
    fault: Callable[[], None] = kill,
    after: float | None = None,
) -> Ended:
    """Runs a command in a fork, with a fault at an operation in a folder, or killed after some seconds."""
    from archspec.cli import main

    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            status = 99
            try:
                if folder is not None:
                    _armed(folder, at, fault, writing)
                sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False))
                sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False))
                status = main(list(command))
            except SystemExit as error:
                status = error.code if isinstance(error.code, int) else 98
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        os.close(writing)
        if after is not None:
            end = time.monotonic() + after
            while time.monotonic() < end:
                done, result = os.waitpid(child, os.WNOHANG)
                if done:
                    break
                time.sleep(0.005)
            else:
                os.kill(child, signal.SIGKILL)
                _, result = os.waitpid(child, 0)
        else:
            _, result = os.waitpid(child, 0)
        with open(reading, "rb") as pipe:
            reached = pipe.read() != b""
        said.seek(0)
        return Ended(os.waitstatus_to_exitcode(result), said.read().decode("utf-8", "replace"), reached)


NET = """archspec: 1
name: net
input: {height: 6, width: 6, channels: 1}
layers: [conv: {filters: 2, kernel: 3}, batch_norm, relu, flatten, dropout: 0.2, dense: 3]
train: {dataset: {npz: %s}, batch_size: 8, epochs: %d, optimiser: {sgd: {learning_rate: 0.1, momentum: 0.9}}}
"""


class Ground(NamedTuple):
    """What the trials need: a spec to train, a file of tensors to import, and where all of it lies."""

    place: Path
    spec: Path
    tensors: Path


def ground(place: Path, epochs: int = 3) -> Ground:
    """Writes spec, data and tensors."""
    from safetensors.numpy import save_file

    numbers = np.random.default_rng(0)
    np.savez(place / "few.npz", x=numbers.integers(0, 256, (24, 6, 6), np.uint8), y=np.arange(24) % 3)
    (place / "net.yaml").write_text(NET % (place / "few.npz", epochs))
    shapes = {
        "conv1.kernel": (3, 3, 1, 2),
        "conv1.bias": (2,),
        **{f"batch_norm1.{name}": (2,) for name in ("scale", "bias", "mean", "var")},
        "dense1.kernel": (32, 3),
        "dense1.bias": (3,),
    }
    save_file({name: np.ones(shape, np.float32) for name, shape in shapes.items()}, place / "net.safetensors")
    return Ground(place, place / "net.yaml", place / "net.safetensors")


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """The arrays that a folder ends with."""
    from archspec.runs.checkpoints import last_arrays
    from archspec.runs.folder import RunFolder
    from archspec.runs.imports import read_import

    return read_import(folder) if RunFolder(folder).imported else last_arrays(folder).arrays


def equal(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def sound(ended: Ended) -> bool:
    """Whether a command ended in words."""
    return "Traceback" not in ended.said and "E901" not in ended.said and len(ended.said.splitlines()) < 40


def commands(made: Ground, folder: Path) -> dict[str, list[str]]:
    """The commands that write folders."""
    return {
        "train": ["train", str(made.spec), "--workdir", str(folder)],
        "import": ["weights", "import", str(made.spec), str(made.tensors), "-o", str(folder)],
    }


def preload() -> None:
    """Imports what commands need, so that forks have it."""
    import archspec.runs.events
    import archspec.training.run
    import archspec.weights.folder  # noqa: F401


def same(one: Path, two: Path) -> bool:
    """Whether two folders hold the same bits. Asked in a fork, since this process is to start nothing of JAX's."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if equal(arrays(one), arrays(two)) else 1)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def at_operations(made: Ground, name: str, points: Sequence[int], fault: Callable[[], None]) -> list[str]:
    """Meets a fault at each of some operations, then gives the same command: what went wrong, in words."""
    wrong, whole = [], made.place / f"{name}-whole"
    if not whole.exists():
        ended = trial(commands(made, whole)[name])
        assert ended.status == 0, ended.said
    for at in points:
        folder = made.place / f"{name}-{fault.__name__}-{at}"
        first = trial(commands(made, folder)[name], folder, at, fault)
        if not sound(first):
            wrong.append(f"{name}, {fault.__name__} at {at}: {first.said[-600:]}")
        again = trial(commands(made, folder)[name])
        if again.status != 0 or not sound(again):
            wrong.append(f"{name} again after {fault.__name__} at {at}: {again.said[-600:]}")
        elif not same(folder, whole):
            wrong.append(f"{name} after {fault.__name__} at {at}: other bits")
        shutil.rmtree(folder, ignore_errors=True)
        if not first.reached:
            break
    return wrong


def at_moments(made: Ground, kills: int, seed: int = 0) -> tuple[int, list[str]]:
    """Kills one run again and again at random moments, then lets it end: how often, and what went wrong."""
    chance, folder, whole = random.Random(seed), made.place / "killed", made.place / "train-whole"
    command, wrong, killed = commands(made, folder)["train"], [], 0
    if not whole.exists():
        assert trial(commands(made, whole)["train"]).status == 0
    begun = time.monotonic()
    trial(commands(made, made.place / "timed")["train"])
    long = time.monotonic() - begun
    while killed < kills:
        ended = trial(command, after=chance.uniform(0.2, 1.2) * long)
        if ended.status == -signal.SIGKILL:
            killed += 1
        elif ended.status != 0 or not sound(ended):
            wrong.append(f"after {killed} kills: {ended.said[-600:]}")
            break
        else:
            # It is done: the next round begins.
            if not same(folder, whole):
                wrong.append(f"after {killed} kills: other bits")
            shutil.rmtree(folder)
    ended = trial(command)
    if ended.status != 0 or not sound(ended):
        wrong.append(f"the last, after {killed} kills: {ended.said[-600:]}")
    elif not same(folder, whole):
        wrong.append(f"the last, after {killed} kills: other bits")
    return killed, wrong


def main() -> int:
    preload()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        made = ground(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 3)
        for name, last in (("train", 90), ("import", 40)):
            for fault in (kill, no_space):
                points = range(0, last, 3 if name == "train" else 1)
                found = at_operations(made, name, points, fault)
                print(f"{name}, {fault.__name__} at up to {len(points)} operations: {len(found)} wrong", flush=True)
                wrong += found
        killed, found = at_moments(made, 25)
        print(f"{killed} kills at random moments: {len(found)} wrong", flush=True)
        wrong += found
    print("\n\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
