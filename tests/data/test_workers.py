"""Worker processes: the same elements whatever their number, errors as values, and an end with their parent's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.data import Column, Gathered, InTurn, Loader, Orders, Reading, Split, each, epoch_order, in_blocks
from archspec.data._reading import ImageFiles
from archspec.data.image_folder import ImageFolder
from archspec.images.preparation import Preparation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train and test parts of 26 and 9 images in two classes."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part, size in (("train", 13), ("test", 5)):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for number in range(size - (part == "test" and name == "dog")):
                pixels = generator.integers(0, 256, (6, 5, 3), np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


def streamed(folder: Path) -> Split:
    return ImageFolder(path=str(folder)).reading(Reading("always", 0)).load().train


def arrays(batch: dict[str, Any]) -> list[np.ndarray]:
    parts = [batch["inputs"], batch["targets"], {"index": batch["index"]}]
    return [array for part in parts for array in part.values()]


def test_workers_threads_and_memory_give_the_same_batches(folder: Path) -> None:
    """Over the end of an epoch, and from the middle of one, as a run goes on there."""
    orders = Orders(3, 26, 8)
    whole = ImageFolder(path=str(folder)).load().train
    assert not whole.is_streamed and whole.digests == streamed(folder).digests
    made = Gathered(whole, orders)
    expected = [arrays(made(step)) for step in range(8)]
    assert [batch[2].tolist() for batch in expected[4:]] == epoch_order(3, 2, 26, 8).tolist()
    for workers, starts in ((0, (0,)), (2, (3,))):
        loader: Loader[Any] = Loader(Gathered(streamed(folder), orders), 8, workers)
        for start in starts:
            own = [arrays(batch) for stop in (4, 8) for batch in loader.between(start if stop == 4 else 4, stop)]
            for mine, theirs in zip(own, expected[start:], strict=True):
                assert all(map(np.array_equal, mine, theirs))
        loader.close()


def test_what_fills_up_the_last_batch_in_turn_does_not_count(folder: Path) -> None:
    split = streamed(folder)
    turns = InTurn(split, 10)
    for number in (2, 5):  # the second time the same
        batch = turns(number)
        images = batch["inputs"]["input"]
        assert np.array_equal(images[:6], split.images[20:]) and not images[6:].any()
        assert batch["targets"]["label"].tolist() == [1] * 6 + [-1] * 4


def test_batches_have_the_samples_at_own_places_alone(folder: Path) -> None:
    split, orders = streamed(folder), Orders(3, 26, 8)
    own = ((2, 4), (6, 7))
    for whole, part in (
        (Gathered(split, orders)(5), Gathered(split, orders, own)(5)),
        (Gathered(split, orders)(3), Gathered(split, orders, own)(3)),  # with what fills up
        (InTurn(split, 8)(3), InTurn(split, 8, own)(3)),
    ):
        for name, values in (*whole["inputs"].items(), *whole["targets"].items()):
            mine = {**part["inputs"], **part["targets"]}[name]
            assert np.array_equal(mine, values[[2, 3, 6]], equal_nan=values.dtype.kind == "f")
    assert Gathered(split, orders, own)(5)["index"].tolist() == Gathered(split, orders)(5)["index"][[2, 3, 6]].tolist()


def test_a_micro_batch_over_all_devices_is_the_one_of_one_device() -> None:
    order = epoch_order(0, 1, 40, 24)
    laid = in_blocks(order, 4, 3)
    assert sorted(laid.ravel().tolist()) == sorted(order.ravel().tolist())
    for step in range(len(order)):
        devices = laid[step].reshape(4, 3, 2)  # each has its block, of which it takes one third after another
        for micro in range(3):
            assert devices[:, micro].ravel().tolist() == order[step].reshape(3, 8)[micro].tolist()
    assert np.array_equal(in_blocks(order, 1, 3), order) and np.array_equal(in_blocks(order, 4, 1), order)


class Facts:
    """What a worker is, told by it: whether it could use JAX, and what its sample is."""

    def __call__(self, pixels: np.ndarray) -> tuple[bool, int]:
        return sys.modules.get("jax") is not None, int(pixels.sum())


def test_samples_that_cannot_be_read_are_values_and_end_nothing(folder: Path, tmp_path: Path) -> None:
    paths = sorted(map(str, (folder / "train" / "cat").iterdir()))
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(Path(paths[3]).read_bytes()[:70])
    several = tmp_path / "several.gif"
    frames = [Image.fromarray(np.full((6, 5), value, np.uint8)) for value in (9, 200)]
    frames[0].save(several, save_all=True, append_images=frames[1:])
    column = Column(ImageFiles([*paths, str(damaged), str(several)], False, Preparation(), str(tmp_path)))
    for workers in (0, 2):
        seen = [Counter[str]()]
        made = list(each([column], Facts(), workers, seen, size=4))
        assert [place for place, read in enumerate(made) if read.error] == [13]
        error = made[13].error
        assert error is not None and error.code == "E521" and str(damaged) in error.message
        pixels = [int(column[place].sum()) for place in range(13)]
        assert [read.value for read in made[:13]] == [(not workers and "jax" in sys.modules, own) for own in pixels]
        assert "of which the first is taken" in column.source.notes(seen[0])[0]


SCRIPT = """
import os, signal, sys, time
import numpy as np
from archspec.data import Loader

class Slow:  # defined by the script, which has no `if __name__ == "__main__"`
    def __call__(self, number):
        time.sleep(0.01)
        return {"pid": np.array([os.getpid()] * 300)}

asked = []  # as training takes it: a step is finished first
signal.signal(signal.SIGINT, lambda *_: asked.append(True))
loader = Loader(Slow(), 10**6, 2)
for batch in loader.between(0, 10**6):
    print(batch["pid"][0], flush=True)
    if asked:
        break
loader.close()
"""


@pytest.fixture
def script(tmp_path: Path) -> Any:
    """A process whose two workers have each made an element."""
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    process.workers = [int(process.stdout.readline()) for _ in range(2)]  # type: ignore[attr-defined]
    yield process
    process.kill()
    process.wait()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: list[int]) -> bool:
    """Whether processes end within some seconds."""
    until = time.monotonic() + 120
    while any(map(runs, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_workers_end_with_a_parent_that_is_killed(script: Any) -> None:
    assert len({*script.workers, script.pid}) == 3
    os.kill(script.pid, signal.SIGKILL)
    assert gone(script.workers)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_said_and_ends_the_others(script: Any) -> None:
    os.kill(script.workers[1], signal.SIGKILL)
    _, words = script.communicate(timeout=40)
    assert script.returncode == 1 and gone(script.workers)
    assert words.strip().splitlines()[-1].endswith("a process that reads the data was ended by SIGKILL")


@pytest.mark.slow
def test_ctrl_c_is_for_the_parent_alone(script: Any) -> None:
    os.killpg(script.pid, signal.SIGINT)
    _, words = script.communicate(timeout=40)
    assert script.returncode == 0 and gone(script.workers) and not words


def test_threads_of_many_cores_have_elements_enough(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """grain warns where fewer elements are ahead than there are threads, of which some then wait."""
    monkeypatch.setattr("archspec.data._workers.cores", lambda: 8)
    loader: Loader[Any] = Loader(Gathered(streamed(folder), Orders(3, 26, 8)), 4, 0)
    with caplog.at_level("WARNING"):
        assert len(list(loader.between(0, 4))) == 4
    loader.close()
    assert not caplog.messages
