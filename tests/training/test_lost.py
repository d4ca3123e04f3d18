"""Runs of several processes that are cut: `archspec train` killed, or without its network, and started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.runs.checkpoints import COMMITTED, last_arrays
from archspec.runs.folder import CHECKPOINTS, METRICS, UNFINISHED
from archspec.training.star import GONE
from tests.together import environment, free_port

pytestmark = pytest.mark.slow

SPEC = """archspec: 1
name: small
input: {height: 28, width: 28, channels: 1}
layers:
  - conv: {name: c1, filters: 4, kernel: 4, stride: 4, bias: false}
  - batch_norm
  - relu
  - flatten
  - dense: {name: output, units: 10}
train:
  dataset: mnist5k
  batch_size: 80
  epochs: 2
  evaluate_every: {steps: 10}
  optimiser: {sgd: {learning_rate: 0.1, momentum: 0.9}}
  seed: 3
"""
"""100 steps, with a checkpoint after every 10. Before batch norm a bias would have no gradient but rounding errors."""
FIRST, LAST = 10, 100
BOUND = 60
"""Seconds in which others end once one is lost."""
LONG = 900
"""Seconds that a whole run may take on a machine that does much else."""
DUMPS = ("Traceback", "*** Check failure", "Fatal Python error", "terminate called", "*** SIG")


class Started:
    """The processes of one run in a folder, from their start on. What they say goes to files beside it."""

    def __init__(
        self,
        folder: Path,
        count: int,
        axis: str = "data",
        host: str = "127.0.0.1",
        within: Sequence[Sequence[str]] = ((),) * 4,
    ) -> None:
        self.folder = folder
        spec = folder.parent / "small.yaml"
        spec.write_text(SPEC)
        where = ["--coordinator", f"{host}:{free_port()}", "--processes", str(count), "--mesh", f"{axis}={count}"]
        self.said = [folder.with_name(f"{folder.name}-{index}-{time.monotonic_ns()}.log") for index in range(count)]
        self.own = []
        for index, path in enumerate(self.said):
            command = [sys.executable, "-m", "archspec.cli", "train", str(spec), "--workdir", str(folder)]
            joining = [*where, "--process-id", str(index)] if count > 1 else []
            with path.open("w") as log:
                self.own.append(
                    subprocess.Popen(
                        [*within[index], *command, *joining],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=environment(1),
                    )
                )

    def until(self, there: Callable[[], Any], seconds: float = LONG) -> None:
        """Waits until something is there, while all processes run."""
        end = time.monotonic() + seconds
        while not there():
            running = all(process.poll() is None for process in self.own) and time.monotonic() < end
            if not running:
                self.kill()
            assert running, self.words
            time.sleep(0.002)

    def ended(self, seconds: float = LONG) -> list[int]:
        """The exit status of each, at the latest after so many seconds."""
        end = time.monotonic() + seconds
        try:
            return [process.wait(max(0.1, end - time.monotonic())) for process in self.own]
        except subprocess.TimeoutExpired:
            pytest.fail(f"not ended within {seconds} s: {self.words}")
        finally:
            self.kill()

    def finish(self) -> None:
        assert not any(self.ended()), self.words

    def kill(self) -> None:
        for process in self.own:
            process.kill()
            process.wait()

    @property
    def words(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.said)

    def check_told(self, index: int, lost: int) -> None:
        """One ended with words that name the one that was lost, and no dump."""
        said = self.said[index].read_text()
        who = f"process {lost} (host {socket.gethostname()}, PID {self.own[lost].pid})"
        assert f"error[E573]: {who} is gone: " in said, said
        assert "the same command on all hosts goes on from the last checkpoint" in said
        assert not any(word in said for word in DUMPS), said


def saved(folder: Path, step: int) -> Callable[[], bool]:
    return lambda: (folder / CHECKPOINTS / str(step) / COMMITTED).is_file()


def steps_of(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in (folder / CHECKPOINTS).iterdir() if path.name.isdecimal())


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


def check_same_losses(folder: Path, like: Path) -> None:
    own, wanted = records(folder), records(like)
    assert [record["step"] for record in own] == list(range(FIRST, LAST + 1, FIRST))
    for record, other in zip(own, wanted, strict=True):
        for part in ("train", "validation"):
            assert record[part]["loss"] == pytest.approx(other[part]["loss"], rel=1e-5, abs=1e-5)


def check_same_bits(folder: Path, like: Path) -> None:
    assert records(folder) == records(like)
    own, wanted = last_arrays(folder), last_arrays(like)
    assert (own.step, own.notes) == (wanted.step, wanted.notes) == (LAST, [])
    assert own.arrays.keys() == wanted.arrays.keys()
    for name, array in own.arrays.items():
        assert array.dtype == wanted.arrays[name].dtype
        assert np.array_equal(array, wanted.arrays[name]), name


Whole = Callable[[int], Path]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The folder of an undisturbed run of so many processes, which is made once."""
    folder = tmp_path_factory.mktemp("whole")

    def made(count: int) -> Path:
        own = folder / str(count)
        if not own.exists():
            Started(own, count).finish()
        return own

    return made


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.minutes)])
def test_several_processes_have_the_losses_of_one(count: int, whole: Whole) -> None:
    check_same_losses(whole(count), whole(1))


@pytest.mark.minutes
@pytest.mark.parametrize("killed", [1, 0])
def test_one_is_killed_and_the_same_command_ends_with_the_same_bits(killed: int, whole: Whole, tmp_path: Path) -> None:
    folder, other = tmp_path / "run", 1 - killed
    run = Started(folder, 2)
    run.until(saved(folder, FIRST))
    run.own[killed].send_signal(signal.SIGKILL)
    assert run.ended(BOUND)[other] == GONE, run.words
    run.check_told(other, killed)
    last = steps_of(folder)[-1]
    assert FIRST <= last < LAST  # in the middle
    alone = tmp_path / "alone"
    shutil.copytree(folder, alone)

    Started(folder, 2).finish()
    check_same_bits(folder, whole(2))

    if killed:
        Started(alone, 1).finish()
        check_same_losses(alone, whole(1))
        # What was recorded before is kept as it was.
        kept = last // FIRST
        assert records(alone)[:kept] == records(whole(2))[:kept]


@pytest.mark.minutes
def test_a_kill_while_all_save_leaves_the_checkpoint_before(whole: Whole, tmp_path: Path) -> None:
    """Over `fsdp` each writes its own part of the arrays."""
    folder = tmp_path / "run"
    run = Started(folder, 2, "fsdp")
    run.until(saved(folder, FIRST))
    run.until(lambda: any(UNFINISHED in name for name in os.listdir(folder / CHECKPOINTS)))
    run.own[1].send_signal(signal.SIGKILL)
    assert run.ended(BOUND)[0] == GONE, run.words
    run.check_told(0, 1)
    kept = last_arrays(folder)
    assert FIRST <= kept.step < LAST and not kept.notes

    Started(folder, 2, "fsdp").finish()
    check_same_losses(folder, whole(1))
    assert not any(UNFINISHED in name for name in os.listdir(folder / CHECKPOINTS))


ADDRESSES = ("10.213.77.1", "10.213.77.2")


class Link:
    """Two namespaces with a network of their own, which a link connects."""

    def __init__(self) -> None:
        self.names = [f"archspec-{os.getpid()}-{index}" for index in range(2)]
        self.within = [("ip", "netns", "exec", name) for name in self.names]

    def make(self) -> None:
        first, second = self.names
        for name in self.names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "cut", "netns", first, "type", "veth", "peer", "name", "cut", "netns", second)
        for name, address in zip(self.names, ADDRESSES, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cut")
            ip("-n", name, "link", "set", "cut", "up")

    def set(self, state: str) -> None:
        ip("-n", self.names[1], "link", "set", "cut", state)

    def delete(self) -> None:
        for name in self.names:
            with suppress(OSError, subprocess.CalledProcessError):
                ip("netns", "delete", name)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def link() -> Iterator[Link]:
    own = Link()
    try:
        own.make()
    except (OSError, subprocess.CalledProcessError) as error:
        own.delete()
        why = getattr(error, "stderr", None) or error
        pytest.skip(f"only root may make network namespaces, with iproute2: {str(why).strip()}")
    yield own
    own.delete()


@pytest.mark.minutes
def test_a_network_that_is_gone_for_10_s_is_survived(link: Link, whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = Started(folder, 2, host=ADDRESSES[0], within=link.within)
    run.until(saved(folder, FIRST))
    link.set("down")
    time.sleep(10)
    done = len(records(folder))
    link.set("up")
    assert done < LAST // FIRST  # in the middle
    run.finish()
    check_same_bits(folder, whole(2))


@pytest.mark.minutes
def test_a_network_that_is_gone_for_good_ends_both(link: Link, whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = Started(folder, 2, host=ADDRESSES[0], within=link.within)
    run.until(saved(folder, FIRST))
    link.set("down")
    assert run.ended(BOUND) == [GONE, GONE], run.words
    run.check_told(0, 1)
    run.check_told(1, 0)
    assert FIRST <= steps_of(folder)[-1] < LAST

    link.set("up")
    Started(folder, 2, host=ADDRESSES[0], within=link.within).finish()
    check_same_losses(folder, whole(1))
