"""Tables given to networks that were trained on tables: columns go by their names, as training took them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.cli import main
from archspec.data.table import Table
from archspec.diagnostics import SpecError
from archspec.inference.predictions import Classes
from archspec.inference.run import Run
from archspec.loading import load
from archspec.training.run import train

ROWS = [
    # age, fare, class, alone, lived: the last two classes are of who paid much
    [20 + row, 1000 * (row % 7) + row / 4, ("first", "second", "third")[row % 3], row % 2 == 0, ("no", "yes")[row % 2]]
    for row in range(40)
]
NAMES = ["age", "fare", "class", "alone", "lived"]
NET = """archspec: 1
name: net
input: {features: 6, mean: [40, 3000, 0, 0, 0, 0], std: [12, 2000, 1, 1, 1, 1]}
layers: [{dense: 2}]
train:
  dataset: {table: {path: t.csv, targets: lived, inputs: [age, fare, class, alone], missing: %s}}
  epochs: 2
  batch_size: 8
"""


def lines(rows: list[list[Any]], names: list[str], mark: str = ",") -> str:
    return "\n".join(mark.join(map(str, row)) for row in [names, *rows]) + "\n"


def features(row: list[Any]) -> list[float]:
    """A row as training takes it: texts in alphabetical order, a feature each."""
    return [row[0], row[1], *(float(row[2] == text) for text in ("first", "second", "third")), float(row[3])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, and runs on it that drop rows, `drop`, and fill them, `mean`."""
    made = tmp_path_factory.mktemp("tables")
    holes = [list(row) for row in ROWS]
    holes[5][0] = "?"
    (made / "t.csv").write_text(lines(holes, NAMES))
    for missing in ("drop", "mean"):
        (made / "net.yaml").write_text(NET % missing)
        train(load(made / "net.yaml"), made / missing, progress=False)
    (made / "t.csv").rename(made / "moved.csv")  # `predict` needs no data
    return made


def asked(folder: Path, run: str, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    (folder / "x.csv").write_text(text)
    code = main(["predict", str(folder / run), str(folder / "x.csv"), "--format", "json"])
    out, error = capsys.readouterr()
    return code, json.loads(out), error


@pytest.mark.parametrize(
    ("order", "mark", "change"),
    [
        (NAMES, ",", lambda row: row),
        (["lived", "class", "alone", "fare", "age"], ";", lambda row: row),  # another order, and other separators
        (["alone", "age", "class", "fare"], "\t", lambda row: [row[0], row[1], row[2], "yes" if row[3] else "no"]),
        (["id", "class", "alone", "fare", "age"], ",", lambda row: [row[0], f'"{row[1]:,}"', row[2], row[3]]),
    ],
)
def test_columns_go_by_their_names(
    folder: Path, capsys: pytest.CaptureFixture[str], order: list[str], mark: str, change: Any
) -> None:
    chosen = [ROWS[row] for row in (3, 11, 8, 30)]
    named = [{**dict(zip(NAMES, change(row), strict=False)), "id": 7} for row in chosen]
    text = lines([[row.get(name, ROWS[0][-1]) for name in order] for row in named], order, mark)
    code, found, error = asked(folder, "drop", text, capsys)
    run = archspec.open(folder / "drop")
    expected = run.predict(np.array([features(row) for row in chosen], np.float32))
    assert isinstance(expected, Classes) and expected.class_names == ("no", "yes")
    assert code == 0 and [Path(item["sample"]).name for item in found["answers"]] == [
        f"x.csv[row {row}]" for row in (1, 2, 3, 4)
    ]
    probabilities = [{own["class"]: own["probability"] for own in item["classes"]} for item in found["answers"]]
    assert [[row["no"], row["yes"]] for row in probabilities] == [
        pytest.approx(row.tolist(), abs=1e-6) for row in expected.probabilities
    ]
    assert ("1 column of x.csv is not used: id" in error) == ("id" in order)
    assert np.allclose(run.predict(folder / "x.csv").outputs["output"], expected.outputs["output"], atol=1e-5)
    assert main(["predict", str(folder / "drop"), str(folder / "x.csv"), "--format", "csv"]) == 0
    table = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["class"] for row in table] == expected.labels and list(table[0]) == ["sample", "class", "probability"]
    assert [float(row["probability"]) for row in table] == pytest.approx(
        expected.probabilities.max(1).tolist(), abs=1e-6
    )


def test_what_cannot_be_used_is_named_by_row_and_column(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [list(row) for row in ROWS[:6]]
    rows[1][2], rows[2][0], rows[4][3], rows[5][1] = "frist", "old", "maybe", ""
    code, found, _ = asked(folder, "drop", lines(rows, NAMES), capsys)
    assert code == 1 and [Path(item["sample"]).name for item in found["answers"]] == ["x.csv[row 1]", "x.csv[row 4]"]
    (told,) = found["diagnostics"]
    assert told["code"] == "E521" and told["message"] == "4 rows of 6 in x.csv cannot be used"
    assert told["notes"] == [
        "row 2, class: 'frist' is none of first, second and third; did you mean `first`?",
        "row 3, age: 'old' is no number",
        "row 5, alone: 'maybe' is neither true nor false",
        "row 6, fare: nothing stands there",
    ]
    with pytest.raises(SpecError, match="row 3, age"):
        archspec.open(folder / "drop").predict(str(folder / "x.csv"))
    code, found, _ = asked(folder, "drop", lines(ROWS[:2], ["Age", *NAMES[1:]]), capsys)
    assert code == 1 and "x.csv lacks 1 column of 4 that the network was trained with: age" in json.dumps(found)


class Frame:
    """As pandas has tables: columns by name, whose cells may be no texts."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.columns, self.iloc, self.to_dict = list(columns), None, None
        self._cells = columns

    def __getitem__(self, name: str) -> list[Any]:
        return self._cells[name]


def test_tables_of_pandas_and_lists_of_rows_are_tables(folder: Path) -> None:
    run = archspec.open(folder / "drop")
    cells = dict(zip(NAMES, map(list, zip(*ROWS[:4], strict=True)), strict=True))
    found = run.predict(Frame(cells))
    expected = run.predict(np.array([features(row) for row in ROWS[:4]], np.float32))
    assert np.allclose(found.outputs["output"], expected.outputs["output"], atol=1e-5)
    mappings = [dict(zip(NAMES, row, strict=True)) for row in ROWS[:4]]
    assert np.allclose(run.predict(mappings).outputs["output"], expected.outputs["output"], atol=1e-5)
    with pytest.raises(SpecError, match="row 2, age: nothing stands there"):
        run.predict([mappings[0], {**mappings[1], "age": None}])
    with pytest.raises(SpecError, match="row 2, fare: nothing stands there"):
        run.predict([mappings[0], {name: value for name, value in mappings[1].items() if name != "fare"}])
    with pytest.raises(SpecError, match="row 3, age: 'nan' stands for no value"):
        run.predict(Frame({**cells, "age": [20, 21, float("nan"), 23]}))


def test_missing_numbers_are_filled_as_in_training(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [list(row) for row in ROWS[:3]]
    rows[1][0] = "NA"
    code, found, error = asked(folder, "mean", lines(rows, NAMES), capsys)
    kept = json.loads((folder / "mean" / "run.json").read_text())["table"]["inputs"]["input"]
    assert code == 0 and "1 number of x.csv is missing, and filled with the mean of those trained on" in error
    assert kept[0]["column"] == "age" and 35 < kept[0]["mean"] < 44
    rows[1][0] = kept[0]["mean"]
    expected = archspec.open(folder / "mean").predict(np.array([features(row) for row in rows], np.float32))
    assert isinstance(expected, Classes)
    best = [item["classes"][0]["probability"] for item in found["answers"]]
    assert best == pytest.approx(expected.probabilities.max(1).tolist(), abs=1e-6)


def test_without_names_columns_lie_as_in_training(folder: Path) -> None:
    run = archspec.open(folder / "drop")
    array = np.array([features(row) for row in ROWS[:3]])
    expected = run.predict(array.astype(np.float32)).outputs["output"]
    np.savetxt(folder / "plain.csv", array, delimiter=",")
    with pytest.warns(UserWarning, match="taken as the 6 features in the order of training"):
        assert np.allclose(run.predict(folder / "plain.csv").outputs["output"], expected, atol=1e-5)


def test_another_table_is_measured_by_the_texts_of_training(folder: Path) -> None:
    """Its texts alone would make other features: of `second` and `third` the first two."""
    rows = [row for row in ROWS if row[2] != "first"]
    (folder / "some.csv").write_text(lines(rows, NAMES))
    run: Run = archspec.open(folder / "drop")
    table = {"path": str(folder / "some.csv"), "targets": "lived", "inputs": NAMES[:4], "holdout": 0.9}
    with pytest.warns(UserWarning):
        figures = run.evaluate({"table": table})
    data = Table.model_validate(table).like(run._reading(False).layout).load()
    found = run.predict(data.validation.inputs["input"])
    assert isinstance(found, Classes) and data.validation.inputs["input"].shape[1] == 6
    assert figures["top1"] == pytest.approx((found.classes == data.validation.targets["label"]).mean())
    (folder / "some.csv").write_text(lines([[*rows[0][:2], "fourth", *rows[0][3:]], *rows], NAMES))
    with pytest.raises(SpecError, match="row 1, class: 'fourth' is none of first, second and third"):
        run.evaluate({"table": table})


@pytest.mark.slow
def test_images_and_facts_come_from_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        Image.fromarray(generator.integers(0, 256, (5, 4), np.uint8)).save(tmp_path / "photos" / f"{number}.png")
    rows = [[f"{number}.png", number / 3, number * 100.5] for number in range(12)]
    (tmp_path / "t.csv").write_text(lines(rows, ["file", "rooms", "price"]))
    (tmp_path / "net.yaml").write_text(
        "archspec: 1\nname: net\ntask: regression\n"
        "inputs: {photo: {height: 5, width: 4, channels: 1}, facts: {features: 1}}\n"
        "layers:\n  - flatten: {name: flat, from: photo}\n  - concat: {from: [flat, facts]}\n  - dense: 1\n"
        "train:\n  dataset: {table: {path: t.csv, targets: price, inputs: {photo: file, facts: rooms}, images: photos, "
        "grey: true}}\n  epochs: 1\n  batch_size: 4\n"
    )
    run = train(load(tmp_path / "net.yaml"), tmp_path / "run", progress=False).open()
    (tmp_path / "x.csv").write_text(lines([["1.5", "7.png"], ["0", "2.png"]], ["rooms", "file"]))
    photos = [tmp_path / "photos" / f"{number}.png" for number in (7, 2)]
    expected = run.predict({"photo": photos, "facts": np.array([[1.5], [0.0]], np.float32)}).outputs["output"]
    assert np.allclose(run.predict(tmp_path / "x.csv").outputs["output"], expected, rtol=1e-5)
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "x.csv")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and "x.csv[row 2]" in said[1] and f"price {expected[1, 0]:.4g}" in said[1]
