"""Training on what is read from files in each epoch: the same to the bit as from memory."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.diagnostics import SpecError

Write = Callable[[str], Path]

NET = """input: {{height: 8, width: 8, channels: 3, range: [0, 255], mean: [99, 90, 80], std: [60, 60, 70], fit: {fit}}}
layers:
  - conv: {{filters: 4, kernel: 3, pad: same}}
  - batch_norm
  - relu
  - dropout: 0.2
{rest}
train: {{dataset: {data}, batch_size: 8, epochs: {epochs}, {more}}}
"""
CLASSES = "  - global_avg_pool\n  - dense: 2\n"
PIXELS = "  - conv: {filters: 3, kernel: 1}\ntask: segmentation\n"


def picture(path: Path, generator: np.random.Generator, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same kind of pictures as a folder of classes, of masks, and as a table."""
    folder, generator = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    for part, size in (("train", 10), ("val", 5), ("test", 4)):
        for name in ("cat", "dog"):
            for number in range(size):
                picture(folder / "classes" / part / name / f"{number}.png", generator, (9, 11))
    rows = ["file,width,kind"]
    for number in range(24):
        picture(folder / "masks" / "images" / f"{number}.png", generator, (12, 12))
        mask = generator.choice(np.array([0, 1, 2, 255], np.uint8), (12, 12))
        (folder / "masks" / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(folder / "masks" / "masks" / f"{number}.png")
        picture(folder / "table" / f"{number}.png", generator)
        rows.append(f"{number}.png,{number / 7},{'ab'[number % 2]}")
    (folder / "table" / "t.csv").write_text("\n".join(rows))
    return {
        "classes": f"{{image_folder: {{path: {folder}/classes, size: [10, 9]}}}}",
        "masks": f"{{segmentation_folder: {{path: {folder}/masks}}}}",
        "table": f"{{table: {{path: {folder}/table/t.csv, inputs: file, targets: kind}}}}",
    }


def trained(write: Write, folder: Path, **fields: Any) -> tuple[list[Any], dict[str, np.ndarray]]:
    """The records of a run, and its parameters and statistics."""
    spec = archspec.load(write(NET.format(**{"epochs": 2, **fields})))
    result = archspec.train(spec, folder, progress=False)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("seconds", None), line.pop("images_per_second", None)
    arrays = {**result.params, **result.statistics}
    return lines, {name: np.asarray(value) for name, value in arrays.items()}


def check_same(one: tuple[list[Any], dict[str, np.ndarray]], other: tuple[list[Any], dict[str, np.ndarray]]) -> None:
    assert one[0] == other[0] and one[1].keys() == other[1].keys()
    assert all(np.array_equal(one[1][name], other[1][name]) for name in one[1])


@pytest.mark.parametrize(
    ("source", "rest", "fit"),
    [
        pytest.param("classes", CLASSES, "crop", marks=pytest.mark.minutes),
        pytest.param("masks", PIXELS, "resize", marks=pytest.mark.slow),
        pytest.param("table", CLASSES, "exact", marks=pytest.mark.slow),
    ],
)
def test_streamed_is_as_in_memory(
    write: Write, tmp_path: Path, sources: dict[str, str], source: str, rest: str, fit: str
) -> None:
    fields = {"data": sources[source], "rest": rest, "fit": fit}
    whole = trained(write, tmp_path / "whole", **fields, more="stream: never")
    for workers in (2,) if source == "masks" else (0, 2):
        more = f"stream: always, workers: {workers}"
        check_same(whole, trained(write, tmp_path / str(workers), **fields, more=more))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to be said of the data
        assert archspec.open(tmp_path / "2").evaluate() == archspec.open(tmp_path / "whole").evaluate()


def test_every_sample_that_cannot_be_read_is_named_before_the_first_step(
    write: Write, tmp_path: Path, sources: dict[str, str]
) -> None:
    generator = np.random.default_rng(1)
    for part, size in (("train", 9), ("test", 3)):
        for name in ("cat", "dog"):
            for number in range(size):
                picture(tmp_path / "d" / part / name / f"{number}.png", generator)
    bad = [tmp_path / "d" / "train" / "cat" / "3.png", tmp_path / "d" / "test" / "dog" / "0.png"]
    for path in bad:
        path.write_bytes(path.read_bytes()[:50])
    data = f"{{image_folder: {{path: {tmp_path}/d%s}}}}"
    fields = {"rest": CLASSES, "fit": "exact", "epochs": 1, "more": "stream: always, workers: 0"}
    with pytest.raises(SpecError) as found:
        trained(write, tmp_path / "run", data=data % "", **fields)
    (diagnostic,) = found.value.diagnostics
    assert diagnostic.code == "E521" and all(str(path) in diagnostic.message for path in bad)
    assert not (tmp_path / "run").exists()
    trained(write, tmp_path / "run", data=data % ", on_error: skip", **fields)
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert sorted(own["name"] for own in about["left_out"]) == sorted(map(str, bad))


@pytest.mark.slow
def test_a_run_whose_crops_would_be_cut_otherwise_does_not_go_on(
    write: Write, tmp_path: Path, sources: dict[str, str]
) -> None:
    """`stream` may change in the course of a run, unless what the network is shown changes with it."""
    fields = {"data": sources["classes"], "rest": CLASSES, "fit": "crop"}
    crop = "augment: [random_resized_crop: [0.3, 1.0]]"
    trained(write, tmp_path / "run", **fields, epochs=1, more=f"stream: always, workers: 0, {crop}")
    with pytest.raises(SpecError) as found:
        trained(write, tmp_path / "run", **fields, more=f"stream: never, {crop}")
    (diagnostic,) = found.value.diagnostics
    assert diagnostic.code == "E510" and "out of the files' own pixels, and would cut" in diagnostic.message
    assert "with `stream: always` it goes on as it was" in diagnostic.help
    lines, _ = trained(write, tmp_path / "run", **fields, more=f"stream: always, workers: 0, {crop}")
    assert [line["epoch"] for line in lines] == [1, 2]
