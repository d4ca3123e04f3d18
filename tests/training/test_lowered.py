"""A run goes on with the lowerings that it began with, whatever rules and tuning say since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.loading import load
from archspec.lowerings import tuned
from archspec.lowerings.case import DIRECTIONS, Case
from archspec.lowerings.choosing import Choice, Lowerings, Why, tuned_for
from archspec.lowerings.device import this_device
from archspec.lowerings.rules._rule import Rule
from archspec.runs.folder import LOWERINGS, RunFolder
from archspec.training.lowered import Lowered
from archspec.training.result import Result
from archspec.training.run import train
from tests.together import Second

NET = """archspec: 1
name: net
input: {height: 4, width: 4, channels: 1}
layers: [conv: {filters: 5, kernel: 1}, conv: {filters: 3, kernel: 1}, flatten, dense: 3]
train: {dataset: {npz: %s}, batch_size: 8, epochs: %d, optimiser: {sgd: {learning_rate: 0.1}}}
"""

CASE = Case("conv", 8, (4, 4), 1, 5, (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, "float32")
TABLES = "archspec.lowerings.rules.TABLES"
PRODUCTS = ((Rule("product", DIRECTIONS, lambda case: True, "a rule"),),)


@pytest.mark.slow
def test_a_run_that_goes_on_takes_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "few.npz", x=draw.integers(0, 256, (24, 4, 4), np.uint8), y=np.arange(24) % 3)

    def trained(epochs: int, folder: str) -> Result:
        spec = tmp_path / f"net{epochs}.yaml"
        spec.write_text(NET % (tmp_path / "few.npz", epochs))
        return train(load(spec), tmp_path / folder, progress=False)

    monkeypatch.setattr(TABLES, ())
    straight = trained(2, "straight")
    trained(1, "stopped")
    before = json.loads((tmp_path / "stopped" / LOWERINGS).read_text())
    assert {item["kernel"] for item in before["choices"]} == {"library"}
    monkeypatch.setattr(TABLES, PRODUCTS)
    resumed = trained(2, "stopped")
    assert json.loads((tmp_path / "stopped" / LOWERINGS).read_text()) == before
    for name, value in straight.params.items():
        np.testing.assert_array_equal(resumed.params[name], value)
    # A run that begins now goes by the rules of now.
    trained(1, "other")
    after = json.loads((tmp_path / "other" / LOWERINGS).read_text())
    assert {item["kernel"] for item in after["choices"]} == {"product"}


def recorded(folder: RunFolder, choices: dict[Case, Choice]) -> dict[str, Any]:
    """Writes the choices as a run does, and gives what was written."""
    begun = Lowered(folder, "auto", False)
    begun.lowerings.given |= choices
    for case in choices:
        begun.lowerings.of(case)
    begun.keep()
    plain: dict[str, Any] = json.loads((folder.path / LOWERINGS).read_text())
    return plain


def test_where_a_record_cannot_be_taken_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TABLES, PRODUCTS)
    folder = RunFolder(tmp_path)
    plain = recorded(folder, {CASE: Choice("library", "product", "library")})
    again = Lowered(folder, "auto", True)
    assert not again.notes and again.lowerings.of(CASE) == Choice("library", "product", "library")
    assert again.lowerings.options == this_device().options

    def noted(text: str) -> str:
        (tmp_path / LOWERINGS).write_text(text)
        found = Lowered(folder, "auto", True)
        (note,) = found.notes
        return note

    other = {**plain, "device": {**plain["device"], "jaxlib": [0, 1, 2]}}
    assert noted(json.dumps(other)).startswith("the run began on cpu (jaxlib 0.1.2")
    gone = {**plain, "choices": [{**plain["choices"][0], "forward": "gone", "kernel": "gone"}]}
    assert noted(json.dumps(gone)).startswith("2 of the run's lowerings are in this archspec no more")
    for broken in ("", "{", "[]", json.dumps({**plain, "choices": [{}]}), json.dumps({**plain, "device": 1})):
        assert "lost or damaged" in noted(broken)
    # A run without a checkpoint begins anew, and one of the library's asks for nothing.
    assert not Lowered(folder, "auto", False).notes
    assert Lowered(folder, "library", True).lowerings.of(CASE) == Choice()


def test_all_processes_take_what_process_0_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may see the folder late, and would compute in other ways than process 0."""
    monkeypatch.setattr(TABLES, PRODUCTS)
    plain = recorded(RunFolder(tmp_path), {CASE: Choice("library", "product", "library")})
    (tmp_path / LOWERINGS).unlink()
    found = Lowered(RunFolder(tmp_path), "auto", True, Second(lowerings=plain))
    assert not found.notes
    assert found.lowerings.of(CASE) == Choice("library", "product", "library")


def test_what_was_tuned_is_of_a_device_and_its_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(TABLES, ())
    device = this_device()
    assert tuned_for(device) == {}
    tuned.keep(device, {CASE: {"kernel": tuned.Timed("product", 1.0, 2.5)}})
    path = tuned.keep(device, {CASE: {"forward": tuned.Timed("library", 3.0, 3.0)}})
    lowerings = Lowerings(device, tuned=tuned_for(device))
    assert lowerings.of(CASE) == Choice("library", "library", "product")
    assert lowerings.why(CASE, "kernel") == Why("product", "tuned", "1 ms, the library 2.5")
    assert tuned_for(device._replace(jaxlib=(0, 1))) == tuned_for(device._replace(backend="gpu")) == {}
    plain = json.loads(path.read_text())
    for broken in ("{", json.dumps({**plain, "candidates": "others"}), json.dumps({**plain, "choices": [1]})):
        path.write_text(broken)
        assert tuned_for(device) == {}
