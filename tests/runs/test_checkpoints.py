"""Checkpoints: what is read is what was saved, or the one before, with words."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from archspec.diagnostics import DataError
from archspec.runs import checkpoints as module
from archspec.runs.checkpoints import Checkpoints, last_arrays
from archspec.runs.events import Events
from archspec.runs.folder import CHECKPOINTS, UNFINISHED
from tests.together import Second

# Reads of a damaged checkpoint that go on after another read of it failed have nobody to tell.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SUMS = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 2.0**53 - 1]
"""Numbers that only 64 bits hold."""


def every(steps: Sequence[int]) -> set[int]:
    return set(steps)


def the_last(steps: Sequence[int]) -> set[int]:
    return set(steps[-1:])


def state_after(step: int, optimiser: optax.GradientTransformation | None = None) -> dict[str, Any]:
    params = {"a.kernel": jnp.arange(6.0).reshape(2, 3) + step, "b/c.bias": jnp.zeros(2)}
    return {
        "params": params,
        "statistics": {"n.mean": jnp.full(3, step, jnp.float32)},
        "optimiser": (optimiser or optax.adam(0.1)).init(params),
        "step": jnp.asarray(step, jnp.int32),
    }


def like(step: int) -> dict[str, Any]:
    shapes: dict[str, Any] = jax.eval_shape(lambda: state_after(1))
    return shapes


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    checkpoints = Checkpoints(folder)
    for step in (1, 2, 3):
        checkpoints.save(step, state_after(step), {"sums": SUMS}, the_last)
    checkpoints.close()
    return folder


@pytest.fixture
def run(saved: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(saved, tmp_path / "run")
    yield tmp_path / "run"


def test_the_last_is_read_as_it_was_saved(run: Path) -> None:
    checkpoints = Checkpoints(run)
    assert checkpoints.steps() == [2, 3]
    step, state, notes, about = checkpoints.last(like)
    assert (step, notes, about["sums"]) == (3, [], SUMS)
    assert jax.tree.all(jax.tree.map(np.array_equal, state, state_after(3)))
    assert checkpoints.last(like, 2).step == 2
    assert checkpoints.last(like, 1) == (0, None, [], {})


def test_one_that_a_shared_folder_shows_late_is_waited_for(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process that did not write it; else all would go on with the one before, and delete it."""
    other = Second(checkpoints=[3, 2], read=None)
    late = run / CHECKPOINTS / "3"
    late.rename(run / "3")
    threading.Timer(0.5, lambda: (run / "3").rename(late)).start()
    found = Checkpoints(run, other).last(like)
    assert (found.step, found.notes) == (3, [])
    monkeypatch.setattr(module, "LATE", 0.1)
    late.rename(run / "3")
    found = Checkpoints(run, other).last(like)
    assert found.step == 2
    assert found.notes[0].endswith("process 1 does not see it")


def test_the_best_is_read_where_it_is_wanted_and_whole(run: Path) -> None:
    assert last_arrays(run, 2)[1:] == ([], 2)
    assert last_arrays(run, 1)[1:] == ([], 3)  # not there
    shutil.rmtree(run / "checkpoints" / "2" / "d")
    arrays, notes, step = last_arrays(run, 2)
    assert step == 3 and float(arrays["n.mean"][0]) == 3
    assert "2 is damaged" in notes[0] and notes[1] == "the one of step 3 is taken"


def test_what_is_wanted_is_kept_and_what_was_left_behind_goes(run: Path) -> None:
    (run / "checkpoints" / f"4{UNFINISHED}").mkdir()
    checkpoints = Checkpoints(run)
    checkpoints.drop_after(3)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["2", "3"]
    checkpoints.save(9, state_after(9), {}, lambda steps: {2, *steps[-1:]})
    checkpoints.save(11, state_after(11), {}, lambda steps: {2, *steps[-1:]})
    checkpoints.close()
    assert checkpoints.steps() == [2, 9, 11]


def test_what_is_not_marked_as_whole_does_not_count(run: Path) -> None:
    (run / "checkpoints" / "3" / module.COMMITTED).unlink()
    step, _, notes, _ = Checkpoints(run).last(like)
    assert step == 2 and "it was not written to its end" in notes[0]


def test_arrays_are_read_whatever_the_optimiser_was(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything written there."""
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    monkeypatch.setattr(optax, "adam", None)
    arrays, notes, _ = last_arrays(run)
    assert notes == []
    wanted = state_after(3, optax.sgd(0.1))
    assert arrays.keys() == {"a.kernel", "b/c.bias", "n.mean"}
    assert np.array_equal(arrays["a.kernel"], wanted["params"]["a.kernel"])
    assert np.array_equal(arrays["n.mean"], [3, 3, 3])
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize("averaged", [False, True])
def test_arrays_are_read_without_orbax_as_with_it(
    averaged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_after(1)
    state["params"]["b/c.bias"] = jnp.asarray([7, -3], jnp.int32)
    if averaged:
        own = {part: {name: 2 * value for name, value in state[part].items()} for part in ("params", "statistics")}
        state["ema"] = own
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state, {}, every)
    checkpoints.close()
    wanted = {name: value for part in ("params", "statistics") for name, value in state.get("ema", state)[part].items()}
    with monkeypatch.context() as alone:
        alone.setattr(module, "orbax", lambda: pytest.fail("Orbax is asked"))
        plainly = last_arrays(tmp_path)
    monkeypatch.setattr(module, "read_plainly", lambda at, places: None)
    for read in (plainly, last_arrays(tmp_path)):
        assert read.step == 1 and read.arrays.keys() == wanted.keys() and len(read.notes) == averaged
        for name, value in read.arrays.items():
            assert value.dtype == wanted[name].dtype
            np.testing.assert_array_equal(value, wanted[name])


def test_a_state_of_another_optimiser_is_told_apart_from_a_damaged_one(run: Path) -> None:
    with pytest.raises(DataError) as error:
        Checkpoints(run).last(lambda step: jax.eval_shape(lambda: state_after(1, optax.lion(0.1))))
    assert error.value.code == "E513"
    assert "it has other arrays than this network and recipe" in " ".join(error.value.notes)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "checkpoints" / "3").rglob("*") if path.is_file())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _lost(path: Path) -> None:
    path.unlink()


def _noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def _other_json(path: Path) -> None:
    path.write_text('[{"tree_metadata": 3}]')


@pytest.mark.parametrize("damage", [_cut, _emptied, _lost, _noise, _flipped, _other_json])
def test_whatever_is_damaged_the_one_before_is_taken(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Or the damage does not matter, and then the arrays are as they were saved."""
    fell_back = 0
    for number, file in enumerate(_files(saved)):
        run = tmp_path / str(number)
        shutil.copytree(saved, run)
        damage(run / file.relative_to(saved))
        step, state, notes, about = Checkpoints(run).last(like)
        arrays = last_arrays(run).arrays
        assert jax.tree.all(jax.tree.map(np.array_equal, state, state_after(step)))
        assert about["sums"] == SUMS
        assert float(arrays["n.mean"][0]) in (2, 3)
        assert (step == 3) == (notes == [])
        if step == 2:
            fell_back += 1
            assert f"{run / 'checkpoints' / '3'} is damaged" in notes[0]
            assert notes[-1] == "the one of step 2 is taken"
    assert fell_back >= 2


def test_checkpoints_that_were_exchanged_are_noticed(run: Path) -> None:
    folder = run / "checkpoints"
    shutil.rmtree(folder / "3")
    shutil.copytree(folder / "2", folder / "3")
    step, _, notes, _ = Checkpoints(run).last(like)
    assert step == 2
    assert "it is of step 2" in notes[0]
    assert float(last_arrays(run).arrays["n.mean"][0]) == 2


def test_a_number_with_zeros_before_it_is_no_checkpoint(run: Path) -> None:
    (run / "checkpoints" / "3").rename(run / "checkpoints" / "03")
    checkpoints = Checkpoints(run)
    assert checkpoints.steps() == [2]
    assert checkpoints.last(like).step == 2
    checkpoints.drop_after(1)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["03"]


def test_where_none_can_be_read_that_is_said(run: Path) -> None:
    for number in (2, 3):
        shutil.rmtree(run / "checkpoints" / str(number) / "d")
    for function in (lambda: Checkpoints(run).last(like), lambda: last_arrays(run)):
        with pytest.raises(DataError) as error:
            function()
        assert error.value.code == "E513"
        assert len(error.value.notes) == 2
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(DataError) as error:
        last_arrays(run)
    assert "has no checkpoint yet" in error.value.message


@pytest.mark.parametrize("what", ["sha256", "sums"])
def test_an_array_or_a_sum_changed_within_is_noticed(run: Path, what: str) -> None:
    """Data files of Orbax have no checksums of their own everywhere: a changed value is found by its digest."""
    path = run / "checkpoints" / "3" / module.ABOUT
    about = json.loads(path.read_text())
    own = about["custom_metadata"]
    if what == "sums":
        own["sums"][0] = 0.2
    else:
        own["sha256"]["['params']['a.kernel']"] = "0" * 64
        own[module.OWN] = module._digest_of(own)
    path.write_text(json.dumps(about))
    step, _, notes, _ = Checkpoints(run).last(like)
    assert step == 2
    assert ("says of itself" if what == "sums" else "['params']['a.kernel'] is not as it was saved") in notes[0]


def test_a_full_disk_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state_after(1), {}, every)
    checkpoints.wait()

    def full(*args: object, **named: object) -> None:
        raise ValueError("RESOURCE_EXHAUSTED: Failed to write: [ENOSPC] No space left on device\nmore\nlines")

    monkeypatch.setattr(checkpoints._writer, "save", full)
    with pytest.raises(DataError) as error:
        checkpoints.save(2, state_after(2), {}, every)
    assert error.value.code == "E514"
    assert "there is no space left" in error.value.message
    assert "goes on after step 1" in error.value.help[0]
    assert capfd.readouterr().err == ""


RECORDS = [
    {"step": step, "learning_rate": 0.1, "train": {"loss": 1 / step}, "validation": {"iou": [0.5, None], "loss": 0.3}}
    for step in (10, 20, 30)
]


def test_events_are_made_again_where_they_differ(tmp_path: Path) -> None:
    def held() -> set[tuple[str, int]]:
        from archspec.runs.events import _read

        found, _ = _read(tmp_path)
        assert len(found) == len({item[:2] for item in found})
        return {item[:2] for item in found}

    first = Events(tmp_path, [], ["cat", "dog"])
    for record in RECORDS[:2]:
        first.add(record)
    first.close()
    tags = {"learning_rate", "train/loss", "validation/iou/cat", "validation/loss"}
    assert held() == {(tag, epoch) for tag in tags for epoch in (10, 20)}
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    again = Events(tmp_path, RECORDS[:2], ["cat", "dog"])
    again.close()
    assert not again.remade
    for records, change in (
        (RECORDS[:2], whole[:-7]),  # a kill within an epoch
        (RECORDS, whole),  # events of an epoch were lost
        (RECORDS[:1], whole),  # an epoch is done again
        (RECORDS[:2], whole + whole),  # twice
        (RECORDS[:2], b"nonsense"),
        (RECORDS[:2], b""),
    ):
        for old in tmp_path.iterdir():
            old.unlink()
        (tmp_path / file.name).write_bytes(change)
        events = Events(tmp_path, records, ["cat", "dog"])
        events.close()
        assert events.remade
        assert held() == {(tag, record["step"]) for tag in tags for record in records}
