"""A run that is killed again and again, against one that is not.

    python benchmarks/killing.py [KILLS] [--workers 0,2] [--seed N]

Trains a small network from a folder of images with augmentation, dropout, batch normalisation, moving averages of the
weights, micro-batches and mixed precision, twice for each number of workers: once as it is, and once killed with
SIGKILL at random moments, of which a third lie within the writing of a checkpoint, and begun again with the same
command each time. At the end all of this has to be equal to the bit: parameters, statistics, optimiser, averages, what
scales the loss, metrics.jsonl, and the samples of each step, in their order, also where a step was done more than once.
Prints what was killed where, and ends with status 1 where something differs.

With 20 kills, six of them within the writing of a checkpoint, everything was equal on two processor cores in four
minutes; most of that time a process starts and compiles.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SPEC = """archspec: 1
name: net
input: {height: 16, width: 16, channels: 3}
layers:
  - conv: {filters: 8, kernel: 3, pad: same}
  - batch_norm
  - relu
  - max_pool: {window: 2}
  - dropout: 0.2
  - flatten
  - dense: 4
train:
  dataset: {image_folder: %(images)s}
  validation: 0.2
  batch_size: 24
  epochs: %(epochs)d
  evaluate_every: 10
  save_minutes: 0.0005
  best: loss
  optimiser: {sgd: {learning_rate: 0.05, momentum: 0.9}}
  schedule: {plateau: {patience: 2, factor: 0.5}}
"""

FEATURES: dict[str, str] = {
    "augment": "  augment: [{random_crop: 2}, horizontal_flip]\n",
    "ema": "  ema: 0.9\n",
    "micro_batches": "  micro_batches: 2\n",
    "precision": "  precision: float16\n",
    "stream": "  stream: always\n",
    "workers": "  workers: %(workers)d\n",
}
"""Lines of the recipe by the field that they need."""

WATCHED = """
import os, sys
from archspec.training import early, loop
from archspec.runs import checkpoints

order = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
saving = sys.argv.pop(1)

def watched(make):
    def made(*args, **named):
        steps = make(*args, **named)
        def train(state, batch):
            import numpy as np
            step = int(state["step"])
            line = f"{step} {' '.join(map(str, np.asarray(batch.index)))}\\n"
            os.write(order, line.encode())
            return steps.train(state, batch)
        train.lower = steps.train.lower  # what is compiled ahead of the first step is the same
        return steps._replace(train=train)
    return made

loop.steps_of, early.steps_of = watched(loop.steps_of), watched(early.steps_of)
save = checkpoints.Checkpoints.save

def told(self, *args, **named):
    open(saving, "w").close()
    return save(self, *args, **named)

checkpoints.Checkpoints.save = told
from archspec.cli import main
sys.exit(main())
"""
"""A program that writes down each step's samples, and when a checkpoint is begun."""


class Run(NamedTuple):
    """A command that trains, in its folder."""

    folder: Path
    order: Path
    saving: Path
    command: list[str]


def run_in(place: Path, spec: Path) -> Run:
    place.mkdir()
    (place / "watched.py").write_text(WATCHED)
    folder, order, saving = place / "run", place / "order", place / "saving"
    program = [sys.executable, str(place / "watched.py"), str(order), str(saving)]
    return Run(folder, order, saving, [*program, "train", str(spec), "--workdir", str(folder)])


def begun(run: Run, cache: Path) -> subprocess.Popen[bytes]:
    run.saving.unlink(missing_ok=True)
    env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    said = (run.folder.parent / "said").open("ab")
    return subprocess.Popen(run.command, env=env, stdout=said, stderr=said, start_new_session=True)


def lines_of(path: Path) -> int:
    """How many steps were begun; with the second one the first, and with it compiling, is done."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ended(process: subprocess.Popen[bytes], timeout: float = 300) -> int:
    return process.wait(timeout)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a process alone: its workers have to end by themselves."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def state_of(folder: Path) -> dict[str, str]:
    """Digests of everything in the last checkpoint, and of what it says of the steps since the last record."""
    from archspec.runs.checkpoints import Checkpoints

    checkpoints = Checkpoints(folder)
    last = checkpoints.latest
    assert last is not None
    about = checkpoints.about(last)
    return {**about["sha256"], "step": str(last), "sums": json.dumps(about["sums"])}


def order_of(path: Path) -> dict[int, str]:
    """The samples of each step; a step that was done more than once has to have had the same ones each time."""
    found: dict[int, str] = {}
    for line in path.read_text().splitlines():
        step, _, samples = line.partition(" ")
        before = found.setdefault(int(step), samples)
        if before != samples:
            raise SystemExit(f"step {step} had other samples when it was done again")
    return found


def images(place: Path, count: int) -> Path:
    from PIL import Image

    numbers = np.random.default_rng(0)
    for index in range(count):
        folder = place / f"class{index % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(numbers.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{index:04}.png")
    return place


def spec_of(place: Path, workers: int, epochs: int) -> tuple[Path, list[str]]:
    """The spec, with those of the features whose fields there are."""
    from archspec.spec.train import Train

    there = [name for name in FEATURES if name in Train.model_fields]
    values: dict[str, Any] = {"images": place / "images", "epochs": epochs, "workers": workers}
    text = SPEC % values + "".join(
        FEATURES[name] % values if "%" in FEATURES[name] else FEATURES[name] for name in there
    )
    path = place / f"net{workers}.yaml"
    path.write_text(text)
    return path, there


def tried(place: Path, workers: int, kills: int, epochs: int, chance: random.Random) -> list[str]:
    """What went wrong with so many workers, in words."""
    spec, features = spec_of(place, workers, epochs)
    cache = place / "cache"
    whole, cut = (run_in(place / f"{name}{workers}", spec) for name in ("whole", "cut"))
    if ended(begun(whole, cache)) != 0:
        return [(place / f"whole{workers}" / "said").read_text()[-3000:]]
    moment = time.monotonic()
    timed = run_in(place / f"timed{workers}", spec)
    process = begun(timed, cache)
    while process.poll() is None and lines_of(timed.order) < 2:
        time.sleep(0.005)
    first = time.monotonic()
    if ended(process) != 0:
        return ["the same again fails"]
    long, trained = time.monotonic() - moment, time.monotonic() - first
    print(f"{workers} workers, {', '.join(features)}: {long:.1f} s a run, {trained:.1f} s of them steps", flush=True)
    done = saves = 0
    restarts = 0
    while done < kills:
        if (cut.folder / "result.json").exists():
            # It came to its end between kills: the next one begins anew, once this one is compared.
            found = differences(whole, cut)
            if found:
                return found
            shutil.rmtree(cut.folder)
            cut.order.unlink()
            restarts += 1
        before = lines_of(cut.order)
        process = begun(cut, cache)
        within, early = chance.random() < 1 / 3, chance.random() < 1 / 6
        # Most fall among the steps, few before the first of them.
        while process.poll() is None and not early and lines_of(cut.order) < before + 2:
            time.sleep(0.002)
        wait = time.monotonic() + (chance.uniform(0, long) if early else chance.uniform(0, 4 * trained / kills))
        while process.poll() is None and time.monotonic() < wait:
            time.sleep(0.002)
        if within and process.poll() is None:
            cut.saving.unlink(missing_ok=True)
            while process.poll() is None and not cut.saving.exists():
                time.sleep(0.0005)
            time.sleep(chance.uniform(0, 0.08))
        if process.poll() is None:
            kill(process)
            done += 1
            saves += within
            steps = sorted(
                int(path.name) for path in (cut.folder / "checkpoints").glob("[0-9]*") if path.name.isdigit()
            )
            print(f"  kill {done}{' within a save' if within else ''}: checkpoints {steps}", flush=True)
        elif process.returncode != 0:
            return [f"after {done} kills: {(cut.folder.parent / 'said').read_text()[-3000:]}"]
    if ended(begun(cut, cache)) != 0:
        return [f"after {done} kills: {(cut.folder.parent / 'said').read_text()[-3000:]}"]
    print(f"  {done} kills, {saves} of them within a save; {restarts} runs came to their end in between", flush=True)
    return differences(whole, cut)


def differences(whole: Run, cut: Run) -> list[str]:
    wrong = []
    one, two = state_of(whole.folder), state_of(cut.folder)
    wrong += [f"{name} differs" for name in sorted({*one, *two}) if one.get(name) != two.get(name)]
    for name in ("metrics.jsonl", "result.json"):
        if (whole.folder / name).read_bytes() != (cut.folder / name).read_bytes():
            wrong.append(f"{name} differs")
    if order_of(whole.order) != order_of(cut.order):
        wrong.append("the order of samples differs")
    said = (cut.folder.parent / "said").read_text()
    for word in ("Traceback", "E901", "is damaged"):
        if word in said:
            wrong.append(f"{word!r} was said: {said[-2000:]}")
    parts = {name.split("'")[1] for name in one if name.startswith("[")}
    digest = hashlib.sha256("".join(one.values()).encode()).hexdigest()[:12]
    print(
        f"  equal: {', '.join(sorted(parts))} at step {one['step']}, {digest}" if not wrong else f"  {wrong}",
        flush=True,
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int, nargs="?", default=20)
    parser.add_argument("--workers", default="0,2")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        images(place / "images", options.images)
        for workers in map(int, options.workers.split(",")):
            chance = random.Random(options.seed + workers)
            wrong += tried(place, workers, options.kills, options.epochs, chance)
    print("\n".join(wrong) or "everything is equal")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
