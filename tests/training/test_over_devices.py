"""Training over several devices and processes: what each is given, checkpoints from any to any, the run's folder."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.data import epoch_order
from archspec.diagnostics import DataError
from archspec.loading import load
from archspec.runs.folder import RunFolder
from archspec.spec.train import MeshSection, Train
from archspec.training.feeding import batch_of, parts_of
from tests.together import ended, started, together

DOES = "from tests.training.over_devices import main\nmain()"


def does(count: int, devices: int, *arguments: str) -> list[list[dict[str, Any]]]:
    """What each of some processes says that do something, of so many devices each."""
    outs = together(DOES, count, arguments, devices)
    return [[json.loads(line) for line in out.splitlines() if line.startswith("{")] for out in outs]


@pytest.mark.slow
def test_eight_devices_are_fed_and_checkpoints_go_from_any_mesh_to_any(tmp_path: Path) -> None:
    (said,) = does(1, 8, "one_process", str(tmp_path))
    assert said[-1] == {"done": True}
    assert [own["step"] for own in said[:-1]] == [3] * 4 and all(not own["notes"] for own in said[:-1])
    assert said[0]["about"] == [1.0]


@pytest.mark.slow
def test_two_processes_save_what_one_and_four_restore(tmp_path: Path) -> None:
    does(2, 2, "save", str(tmp_path), "1,4,1", "2,2,1")
    said = [
        *does(1, 1, "restore", str(tmp_path), "-"),
        *does(4, 1, "restore", str(tmp_path), "2,2,1", "1,2,2"),
        *does(2, 2, "restore", str(tmp_path), "1,4,1", "4,1,1"),
    ]
    assert [own["step"] for of_process in said for own in of_process] == [2] * 13
    # All take the one before where the last is damaged, though it may be so for one of them alone.
    damaged = next((tmp_path / "checkpoints" / "2").rglob("_METADATA"))
    damaged.write_bytes(damaged.read_bytes()[:-40])
    for of_process in does(2, 2, "restore", str(tmp_path), "2,2,1"):
        assert [own["step"] for own in of_process] == [1] and "is damaged" in of_process[0]["notes"][0]


@pytest.mark.slow
def test_each_process_reads_its_share_once_and_all_know_the_same(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "images")
    (tmp_path / "images" / "train" / "dog" / "3.png").write_bytes(b"no image")
    one, two = (does(count, 1, "read_once", str(tmp_path / "images")) for count in (1, 2))
    assert two[0][0]["facts"] == two[1][0]["facts"] == one[0][0]["facts"]
    assert two[0][0]["bad"] == two[1][0]["bad"] == one[0][0]["bad"] and "3.png" in one[0][0]["bad"][0]
    # One column of pixels: 26 in pieces of 16 and 10, and 9.
    assert [len(own[0]["reads"]) for own in (*one, *two)] == [35, 25, 10]
    assert sorted(name for own in two for name in own[0]["reads"]) == sorted(one[0][0]["reads"])


def test_a_batch_that_devices_do_not_divide_is_refused_with_the_next_sizes() -> None:
    own = load("lenet5").train
    assert own is not None

    def recipe(batch: int, micro: int) -> Train:
        mesh = MeshSection(data=4, fsdp=2, spatial=3)
        return own.model_copy(update={"mesh": mesh, "batch_size": batch, "micro_batches": micro})

    assert (batch_of(recipe(64, 4), 100), batch_of(recipe(200, 4), 100), parts_of(recipe(64, 1))) == (64, 96, 8)
    with pytest.raises(
        DataError, match="a batch of 40 samples cannot be divided among 8 parts of the mesh of 4"
    ) as found:
        batch_of(recipe(40, 4), 100)
    assert found.value.code == "E525" and found.value.help == ("`batch_size: 32` or `batch_size: 64`",)
    with pytest.raises(DataError, match=r"7 samples, .* has no 8 parts for the devices of the mesh"):
        batch_of(recipe(40, 1), 7)


SPEC = """archspec: 1
name: small
input: {{height: 6, width: 5, channels: 3}}
layers:
  - conv: {{name: c1, filters: 4, kernel: 3}}
  - relu
  - flatten
  - dense: {{name: f1, units: 128}}
  - relu
  - dense: {{name: output, units: 2}}
train:
  dataset: {{image_folder: {data}}}
  batch_size: 8
  micro_batches: {micro}
  epochs: 2
  stream: {stream}
  workers: {workers}
  evaluate_every: {{steps: 3}}
  schedule: {{plateau: {{metric: loss}}}}
  optimiser: {{adam: {{learning_rate: 0.003}}}}
  seed: 3
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train and test parts of 26 and 9 images in two classes."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part, size in (("train", 13), ("test", 5)):
        for name, most in (("cat", 256), ("dog", 128)):
            (folder / part / name).mkdir(parents=True)
            for number in range(size - (part == "test" and name == "dog")):
                pixels = generator.integers(0, most, (6, 5, 3), np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


def spec(tmp_path: Path, data: Path, workers: int = 0, stream: str = "always", micro: int = 1) -> str:
    path = tmp_path / f"{stream}{workers}.yaml"
    path.write_text(SPEC.format(data=data, workers=workers, stream=stream, micro=micro))
    return str(path)


def seen(said: list[list[dict[str, Any]]], parts: int) -> dict[tuple[int, int], list[int]]:
    """The samples of each step by epoch and step, from what all devices were given: of copies of a part one."""
    found: dict[tuple[int, int], dict[tuple[int, ...], int]] = {}
    for of_process in said:
        for epoch, step, shards in of_process[-1]["given"]:
            own = found.setdefault((epoch, step), {})
            for index in shards.values():
                own[tuple(index)] = own.get(tuple(index), 0) + 1
    assert all(len(own) == parts and len(set(own.values())) == 1 for own in found.values())
    return {at: [number for index in own for number in index] for at, own in found.items()}


@pytest.mark.minutes
@pytest.mark.parametrize("workers", [0, 2])
def test_every_sample_is_seen_once_also_where_other_processes_go_on(workers: int, tmp_path: Path, data: Path) -> None:
    """Ended in the middle of an epoch of two processes, gone on with by one, and then by four."""
    path, folder = spec(tmp_path, data, workers), str(tmp_path / "run")
    first = seen(does(2, 2, "run", path, folder, "3", "train.mesh=data=2,spatial=2"), 2)
    second = seen(does(1, 8, "run", path, folder, "6", "train.mesh=data=2,fsdp=4"), 8)
    last = does(4, 1, "run", path, folder, "0", "train.mesh=data=2,fsdp=2")
    third = seen(last, 4)
    assert ([*first], [*second], [*third]) == (
        [(1, 0), (1, 1), (1, 2)],
        [(1, 3), (2, 0), (2, 1)],
        [(2, 2), (2, 3)],
    )
    steps = {**first, **second, **third}
    for epoch in (1, 2):
        order = epoch_order(3, epoch, 26, 8)
        for step in range(4):
            assert Counter(steps[epoch, step]) == Counter(order[step].tolist())
        counted = [number for step in range(4) for number in steps[epoch, step] if number >= 0]
        assert sorted(counted) == list(range(26))
    records = RunFolder(Path(folder)).metrics().records
    assert [record["step"] for record in records] == [3, 6, 8]
    # All processes have the same network, whole on one device.
    assert all(own[-1]["digests"] == last[0][-1]["digests"] and own[-1]["devices"] == [1] for own in last)
    whole = does(1, 1, "run", path, str(tmp_path / "whole"), "0")[0][-1]
    assert whole["record"]["validation"] == pytest.approx(last[0][-1]["record"]["validation"], rel=1e-5)


@pytest.mark.minutes
@pytest.mark.slow
def test_runs_over_devices_and_processes_equal_one_device(tmp_path: Path, data: Path) -> None:
    """From memory, in micro-batches: records and evaluation equal, nothing compiled twice, restored ones too."""
    path = spec(tmp_path, data, stream="never", micro=2)
    _, (eight,), two = (
        does(count, devices, "run", path, str(tmp_path / f"{count}{devices}"), "0", *mesh)
        for count, devices, mesh in (
            (1, 1, ()),
            (1, 8, ("train.mesh=data=2,fsdp=2",)),
            (2, 1, ("train.mesh=data=2",)),
        )
    )
    wanted = RunFolder(tmp_path / "11").metrics().records
    for folder, own in (("18", eight), ("21", two[0])):
        records = RunFolder(tmp_path / folder).metrics().records
        assert len(records) == len(wanted) == 3
        for record, like in zip(records, wanted, strict=True):
            assert record["train"] == pytest.approx(like["train"], rel=1e-5)
            assert record["validation"] == pytest.approx(like["validation"], rel=1e-5)
        compiled = Counter(own[-1]["compiled"])
        assert {name: number for name, number in compiled.items() if "step" in name} == {
            "jit(train_step)": 1,
            "jit(evaluate_step)": 1,
        }
    assert two[0][-1]["digests"] == two[1][-1]["digests"] and two[1][-1]["devices"] == [1]
    # Taken up, the step is the same program, once.
    begun = does(2, 1, "run", path, str(tmp_path / "again"), "3", "train.mesh=data=2")
    assert len(begun[0][-1]["given"]) == 3
    again = does(2, 1, "run", path, str(tmp_path / "again"), "0", "train.mesh=data=2")
    assert Counter(again[0][-1]["compiled"])["jit(train_step)"] == 1
    assert again[0][-1]["digests"] == again[1][-1]["digests"] == two[0][-1]["digests"]
    assert RunFolder(tmp_path / "again").metrics().records == RunFolder(tmp_path / "21").metrics().records


@pytest.mark.minutes
@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_told_alike_by_all(tmp_path: Path, data: Path) -> None:
    """The failing step is done again by all, and the layer looked for on one device of each."""
    path = spec(tmp_path, data, stream="never", micro=2)
    told = []
    for count, devices, mesh in ((1, 1, ()), (2, 2, ("train.mesh=data=2,fsdp=2",))):
        folder = tmp_path / str(count)
        given = ("run", path, str(folder), "0", "train.optimiser.adam.learning_rate=1e30", *mesh)
        made = ended(started(DOES, count, given, devices))
        assert all(own.status for own in made) and not folder.exists()
        told += [re.findall("error.E520.*", own.err) for own in made]
    assert told[0] == told[1] == told[2] and "the first layer whose output is not finite is" in told[0][0]
