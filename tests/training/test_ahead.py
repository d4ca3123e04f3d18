"""Steps are compiled once, whatever comes first: ahead of time, for the last batch of an epoch, and when it goes on."""

from __future__ import annotations

import gzip
import importlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from archspec.cli import main
from archspec.diagnostics import SpecError
from archspec.inference.run import open as open_run
from archspec.loading import load
from archspec.runs.folder import read_object
from archspec.training import ahead, feeding
from archspec.training.run import train

COMPILED: Counter[str] = Counter()
"""How often each function was given to the compiler, by name."""


def _count(event: str, seconds: float, **about: Any) -> None:
    if event.endswith("backend_compile_duration"):
        COMPILED[about.get("fun_name", "").removeprefix("jit(").removesuffix(")")] += 1


@pytest.fixture(scope="module", autouse=True)
def counting() -> Iterator[None]:
    jax.monitoring.register_event_duration_secs_listener(_count)
    yield
    jax.monitoring.clear_event_listeners()


RECIPE = """input: {{height: 6, width: 6, channels: 1}}
layers: [conv: {{filters: 2, kernel: 3}}, batch_norm, flatten, dense: 3]
train:
  dataset: {{npz: {data}}}
  batch_size: 8
  epochs: 2
  optimiser: {{sgd: {{learning_rate: 0.01}}}}
"""


@pytest.fixture
def spec(write: Callable[..., Path], tmp_path: Path) -> Path:
    """19 images, of which the last batch of an epoch has 3, and 7 held out."""
    draw = np.random.default_rng(0)
    arrays = {
        f"{name}_{part}": values
        for part, number in (("train", 19), ("test", 7))
        for name, values in (
            ("x", draw.integers(0, 256, (number, 6, 6), np.uint8)),
            ("y", draw.integers(0, 3, number)),
        )
    }
    np.savez(tmp_path / "data.npz", **arrays)
    return write(RECIPE.format(data=tmp_path / "data.npz"))


@pytest.mark.parametrize("on_device", [True, False])
def test_every_step_is_compiled_once(
    on_device: bool, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not on_device:
        monkeypatch.setattr(feeding, "DEVICE_BYTES", 0)
    begun: list[ahead.Ahead | None] = []

    def compiling(*all: Any) -> ahead.Ahead | None:
        begun.append(ahead.compiling(*all))
        return begun[-1]

    monkeypatch.setattr("archspec.training.loop.compiling", compiling)
    for epochs in (2, 3):  # the second goes on
        spec.write_text(spec.read_text().replace("epochs: 2", f"epochs: {epochs}"))
        COMPILED.clear()
        train(load(str(spec)), tmp_path / "run", progress=False)
        assert (COMPILED["train_step"], COMPILED["evaluate_step"]) == (1, 1)
    assert len(begun) == 1 and begun[0] is not None  # a finished run is compiled when it is seen what is left


@pytest.mark.slow
def test_a_profile_has_the_paths_of_nodes_and_compiles_nothing(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    COMPILED.clear()
    words = ["train", str(spec), "--workdir", str(tmp_path / "run"), "--profile", str(tmp_path / "profile")]
    assert main(words) == 0
    assert f"profile {tmp_path / 'profile'}: " in capsys.readouterr().err
    assert COMPILED["train_step"] == 1
    (trace,) = (tmp_path / "profile").rglob("perfetto_trace.json.gz")
    text = gzip.decompress(trace.read_bytes()).decode()
    assert "jvp(conv1)" in text and "transpose(jvp(dense1))" in text
    assert main(words) == 0  # a finished run
    assert "no profile: 0 steps taken" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main([*words[:-1], str(tmp_path / "file")]) == 1
    assert "E534" in capsys.readouterr().err


def test_batches_that_are_not_full_compile_nothing(spec: Path, tmp_path: Path) -> None:
    train(load(str(spec)), tmp_path / "run", progress=False)
    run = open_run(tmp_path / "run")
    images = np.random.default_rng(0).integers(0, 256, (11, 6, 6), np.uint8)
    COMPILED.clear()
    run.predict(images, batch_size=4)  # 4, 4 and 3
    assert COMPILED["whole"] == 1
    run.predict(images[:9], batch_size=4)  # 4, 4 and 1
    assert COMPILED["whole"] == 1
    run.evaluate(part="train")  # 19 in one batch; each evaluation has a function of its own
    assert COMPILED["evaluate_step"] == 1


def test_what_goes_wrong_ahead_is_told_in_words(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*all: object) -> ahead.Ahead:
        def fail() -> None:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory while compiling")

        return ahead.Ahead({"train": fail, "evaluate": fail})

    monkeypatch.setattr("archspec.training.loop.compiling", full)
    with pytest.raises(SpecError, match="not enough memory: RESOURCE_EXHAUSTED") as error:
        train(load(str(spec)), tmp_path / "run", progress=False)
    assert error.value.diagnostics[0].code == "E902"
    assert not (tmp_path / "run" / "run.json").exists()  # nothing is in the way of the next attempt


@pytest.fixture
def folders(write: Callable[..., Path], tmp_path: Path) -> Path:
    """A recipe with image files: three classes, of each eight to train on and three held out."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for part, number in (("train", 8), ("val", 3)):
        for name in ("a", "b", "c"):
            folder = tmp_path / "images" / part / name
            folder.mkdir(parents=True)
            for place in range(number):
                Image.fromarray(draw.integers(0, 256, (6, 6), np.uint8)).save(folder / f"{place}.png")
    recipe = RECIPE.format(data="").replace("npz: ", f"image_folder: {{path: {tmp_path / 'images'}, grey: true}}")
    return write(recipe.replace("epochs: 2", "epochs: 1"))


def _compiled_before(monkeypatch: pytest.MonkeyPatch, where: str) -> list[int]:
    """Has what reads samples wait until the training step has been compiled, and says how often it had been."""
    module, _, name = where.rpartition(".")
    reads, found = getattr(importlib.import_module(module), name), []

    def read(*all: Any, **named: Any) -> Any:
        end = time.monotonic() + 60
        while not COMPILED["train_step"] and time.monotonic() < end:
            time.sleep(0.01)
        found.append(COMPILED["train_step"])
        return reads(*all, **named)

    monkeypatch.setattr(where, read)
    return found


@pytest.mark.parametrize("stream", ["never", "always"])
def test_steps_are_compiled_before_samples_are_read(
    stream: str, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = {"never": "archspec.data._reading._in_memory", "always": "archspec.training.reading.survey"}
    folders.write_text(folders.read_text() + f"  stream: {stream}\n  workers: 0\n")
    COMPILED.clear()
    found = _compiled_before(monkeypatch, reads[stream])
    train(load(str(folders)), tmp_path / "run", progress=False)
    assert found and set(found) == {1}
    assert (COMPILED["train_step"], COMPILED["evaluate_step"]) == (1, 1)
    assert read_object(tmp_path / "run" / "lowerings.json")["choices"]  # of the steps that were compiled early


@pytest.mark.slow
def test_steps_that_do_not_fit_the_data_are_compiled_anew(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read is left out: seen only once it is read."""
    (tmp_path / "images" / "train" / "b" / "3.png").write_bytes(b"no image")
    folders.write_text(folders.read_text().replace("grey: true", "grey: true, on_error: skip").replace("8\n", "1\n"))
    COMPILED.clear()
    _compiled_before(monkeypatch, "archspec.data._reading._in_memory")
    made = train(load(str(folders)), tmp_path / "run", progress=True)
    assert COMPILED["train_step"] == 2
    assert "the data are not as they looked before they were read" in capsys.readouterr().err
    assert made.metrics[-1]["step"] == 23


@pytest.mark.parametrize("wrong", ["remat: [nothing]", "rates: {nothing: 0.5}"])
def test_what_is_wrong_with_the_recipe_is_told_at_its_own_place(folders: Path, tmp_path: Path, wrong: str) -> None:
    """Not at the data's, before whose reading steps are made of it."""
    folders.write_text(f"{folders.read_text()}  {wrong}\n")
    with pytest.raises(SpecError) as error:
        train(load(str(folders)), tmp_path / "run", progress=False)
    (told,) = error.value.diagnostics
    assert told.primary is not None and told.primary.span.line == len(folders.read_text().splitlines())


def test_an_error_in_the_data_is_not_kept_waiting_for_the_compiler(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = threading.Event()
    thread = threading.Thread(target=going_on.wait, name=ahead.THREAD)
    thread.start()
    try:
        assert ahead.goes_on()
        code: list[int] = []
        monkeypatch.setattr("os._exit", code.append)
        words = ["train", str(folders), "--set", "train.dataset.image_folder.path=no"]
        monkeypatch.setattr("sys.argv", ["archspec", *words])
        assert main() == 1 and code == [1]
    finally:
        going_on.set()
        thread.join()
    assert not ahead.goes_on()
