"""`batch_size: auto`: the search against budgets of every size, and a run that keeps what was chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.diagnostics import SpecError
from archspec.loading import load
from archspec.runs.folder import RUN, RunFolder
from archspec.training import run as runs
from archspec.training import sizing
from archspec.training.run import train, with_batch, with_blocks
from tests.together import Second

Write = Callable[..., Path]

TEXT = """
input: {{features: 64}}
layers: [dense: 256, relu, dense: 3]
train: {{dataset: {{npz: {data}}}, batch_size: auto, micro_batches: 2, epochs: {epochs}}}
"""


@settings(max_examples=300, deadline=None)
@given(
    fixed=st.integers(0, 10**9),
    each=st.integers(1, 10**7),
    guess=st.floats(0.5, 2.0),
    room=st.integers(10**6, 10**11),
    parts=st.sampled_from([1, 2, 3, 8]),
    samples=st.integers(8, 10**6),
)
def test_what_is_chosen_fits_and_is_nearly_all_that_does(
    fixed: int, each: int, guess: float, room: int, parts: int, samples: int
) -> None:
    """Whatever the prediction was off by, up to twice or half."""
    asked = []

    def needed(batch: int) -> int:
        asked.append(batch)
        return fixed + each * batch

    found = sizing.largest(needed, fixed, max(0, int(guess * (room - fixed) / each)), room, parts, samples)
    whole = max(0, room - fixed) // each
    assert len(asked) <= sizing.TRIES and found % parts == 0
    if found:
        assert fixed + each * found <= room and found in asked
        most = sizing.rounded(min(whole, samples), parts)
        # A few samples more or less are what rounding takes.
        assert found >= 0.9 * most - sizing.MULTIPLE * parts or fixed + each * found >= 0.9 * room
    else:
        assert whole < parts


def data_in(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(500, 64)).astype(np.float32), rng.integers(0, 3, 500)
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x[:8], y_test=y[:8])
    return folder / "data.npz"


@pytest.mark.slow
def test_a_run_keeps_what_was_chosen(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, folder = data_in(tmp_path), tmp_path / "run"
    room = sizing.Room(700_000, "a test")
    monkeypatch.setattr(sizing, "room_for", lambda data: room)
    train(load(write(TEXT.format(data=data, epochs=1))), folder, progress=False)
    about = json.loads((folder / RUN).read_text())
    chosen = about["batch_size"]
    assert 8 <= chosen < 500 and chosen % 2 == 0
    (note,) = (note for note in about["notes"] if note.startswith("batch_size: auto"))
    assert f"batch_size: auto is {chosen}, the most that fits into a test: {-(-500 // chosen)} steps an epoch" in note
    assert "the learning rate is as the recipe has it, 0.001" in note
    room = sizing.Room(10**8, "a larger one")
    result = train(load(write(TEXT.format(data=data, epochs=2))), folder, progress=False)
    assert result.metrics[-1]["step"] == 2 * -(-500 // chosen)
    (folder / RUN).unlink()  # the checkpoints say it too
    result = train(load(write(TEXT.format(data=data, epochs=3))), folder, progress=False)
    assert result.metrics[-1]["step"] == 3 * -(-500 // chosen)
    assert json.loads((folder / RUN).read_text())["batch_size"] == chosen
    room = sizing.Room(1000, "next to nothing")
    with pytest.raises(SpecError, match=r"of 2 samples, the least, does not fit into next to nothing\n.*yaml:\d+"):
        train(load(write(TEXT.format(data=data, epochs=1))), tmp_path / "other", progress=False)


def test_what_stands_still_needs_no_gradients_unless_it_thaws(write: Write, tmp_path: Path) -> None:
    text = TEXT.format(data=data_in(tmp_path), epochs=3)

    def needed(more: str) -> int:
        spec = load(write(text.replace("micro_batches: 2", more)))
        assert spec.train is not None
        shapes = dict.fromkeys(spec.inputs, ((64,), np.float32))
        found = sizing.compiled_bytes(spec, spec.train, spec.heads(), 128, shapes, {"y": ((), np.int32)})
        assert found is not None
        return found

    whole = needed("micro_batches: 1")
    # Two Adam moments and the gradient of 64·256 numbers.
    assert needed("rates: {dense1: 0}") < whole - 2 * 4 * 64 * 256
    begin = f"init_from: {{path: {tmp_path}, freeze: [dense1], freeze_epochs: %d}}"
    assert needed(begin % 5) == needed(begin % 1) == whole


def test_what_a_run_began_with_is_what_process_0_sees(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may see the folder late: measured there, and not by process 0, they would wait for it without end."""
    spec = load(write(TEXT.format(data=data_in(tmp_path), epochs=1)))
    assert spec.train is not None
    folder = RunFolder(tmp_path / "late")
    nothing: Any = None
    monkeypatch.setattr(runs, "peers", lambda: Second(batch_size=34, remat=[]))
    recipe, notes = with_batch(spec.train, spec, nothing, nothing, [], folder)
    assert (recipe.batch_size, notes) == (34, ["batch_size: auto is 34, as the run began with"])
    auto = recipe.model_copy(update={"remat": "auto"})
    recipe, notes = with_blocks(auto, spec, spec.graph(), nothing, [], folder)
    assert (recipe.remat, notes) == ((), ["remat: auto: no block is computed anew, as the run began"])
