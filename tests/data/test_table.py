"""Tables as spreadsheets, pandas and public data sets write them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archspec.data import Data, as_array
from archspec.data.table import Table
from archspec.diagnostics import DataError


def of(folder: Path, text: str | bytes, **fields: Any) -> Data:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Table.model_validate({"path": str(path), **fields}).load()


def whole(data: Data, name: str) -> np.ndarray:
    """An input or a target of both parts."""
    parts = [as_array({**split.inputs, **split.targets}[name]) for split in (data.train, data.validation)]
    return np.concatenate(parts)


WINE = (
    '"fixed acidity";"pH";"quality"\r\n'
    + "".join(f"{7 + row / 10:.1f};{3 + row / 100:.2f};{5 + row % 3}\r\n" for row in range(20))
    + "\r\n"
)


def test_semicolons_and_quotes(tmp_path: Path) -> None:
    data = of(tmp_path, WINE, targets="quality", holdout=0.25)
    assert [len(data.train), len(data.validation)] == [14, 6]  # of 7, 7 and 6 of each class, 2
    values = whole(data, "input")
    assert values.dtype == np.float32 and values.shape == (20, 2)
    rows = np.rint((values[:, 0] - 7) * 10).astype(int)
    assert sorted(rows) == list(range(20))
    assert np.allclose(values[:, 1], 3 + rows / 100)
    assert whole(data, "label").tolist() == [5 + row % 3 for row in rows]
    assert data.classes == {"label": tuple("01234567")} and data.notes == ()
    known = of(tmp_path, WINE, targets="quality", classes=["quality"])
    assert known.classes == {"label": ("5", "6", "7")} and set(whole(known, "label")) == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WINE.encode("utf-8-sig"), None),
        (WINE.encode("utf-16"), None),
        (WINE.replace(";", "\t").encode(), None),
        (WINE.replace(";", ",").encode(), None),
        (WINE.replace(";", " ; ").replace('" ; "', '";"').encode(), None),
        (WINE.replace(".", ",").encode(), "t.csv has decimal commas"),
        (WINE.replace("quality", "quality").replace('"pH"', '"Säure"').encode("cp1252"), "read as Windows-1252"),
        (WINE.replace("\r\n", ";\r\n").encode(), None),
        (gzip.compress(WINE.encode()), None),
    ],
)
def test_encodings_and_separators_make_no_difference(tmp_path: Path, text: bytes, words: str | None) -> None:
    data = of(tmp_path, text, targets="quality")
    plain = of(tmp_path, WINE, targets="quality")
    for name in ("input", "label"):
        assert np.array_equal(whole(data, name), whole(plain, name))
    assert (not data.notes) if words is None else (words in data.notes[0] and len(data.notes) == 1)


HOUSES = "rooms,beds,near,value\n" + "".join(
    f"{row}.5,{'' if row in (3, 4) else row},{('INLAND', 'SEA')[row % 2]},{'NA' if row == 7 else f'{row}000.0'}\n"
    for row in range(20)
)


def test_missing_values_and_texts_are_counted(tmp_path: Path) -> None:
    data = of(tmp_path, HOUSES, targets="value")
    assert len(data.train) + len(data.validation) == 18 and data.classes == {}
    assert data.notes == (
        "1 column of t.csv is no input, as texts or row numbers: near; `inputs` may name them",
        "2 rows of 20 in t.csv lack values and are left out: beds (2)",
        "1 value of value in t.csv is missing, and counts for nothing",
    )
    values, rooms = whole(data, "label"), whole(data, "input")[:, 0]
    assert np.array_equal(np.isnan(values), rooms == 7.5)
    assert np.allclose(values[rooms != 7.5], 1000 * (rooms[rooms != 7.5] - 0.5))
    fields = {"targets": "value", "inputs": {"house": ["rooms", "beds", "near"]}, "missing": "mean"}
    data = of(tmp_path, HOUSES, **fields)
    houses = whole(data, "house")
    assert houses.shape == (20, 4) and not np.isnan(houses).any()
    assert np.array_equal(houses[:, 3], np.rint(houses[:, 0] - 0.5) % 2)
    gone = np.isin(houses[:, 0], (3.5, 4.5))
    trained = [row for row in data.train.inputs["house"] if row[0] not in (3.5, 4.5)]
    assert np.allclose(houses[gone, 1], np.mean([row[1] for row in trained]))
    assert "near of t.csv is 2 texts, a feature each: INLAND and SEA" in data.notes
    assert sum("filled with the mean" in note for note in data.notes) >= 1


def test_missing_targets_are_no_numbers(tmp_path: Path) -> None:
    """Those of whole numbers are neither the number −1, which a regression would learn."""
    text = "a,age,u,v\n" + "".join(
        f"{row}.5,{'' if row % 4 == 1 else 20 + row},{row % 2},{'?' if row == 3 else row % 3 // 2}\n"
        for row in range(12)
    )
    data = of(tmp_path, text, targets={"age": "age", "both": ["u", "v"]}, inputs="a")
    rows = np.rint(whole(data, "input")[:, 0] - 0.5)
    ages, both = whole(data, "age"), whole(data, "both")
    assert np.array_equal(ages, np.where(rows % 4 == 1, np.nan, 20 + rows), equal_nan=True)
    assert np.array_equal(both[:, 0], rows % 2)
    assert np.array_equal(both[:, 1], np.where(rows == 3, np.nan, rows % 3 // 2), equal_nan=True)
    assert data.classes == {"both": ("u", "v")}


@pytest.mark.parametrize("fields", [{"targets": "a"}, {"targets": "b"}, {"targets": ["a", "b"]}])
def test_numbers_beyond_32_bits_are_told_of(tmp_path: Path, fields: dict[str, Any]) -> None:
    text = "a,b\n" + "".join(f"{row}.5,{1e39 if row == 3 else row}\n" for row in range(10))
    with pytest.raises(DataError, match="1 number of") as error:
        of(tmp_path, text, **fields, **({"inputs": "a"} if len(fields["targets"]) > 1 else {}))
    assert "beyond 3.4e38" in error.value.message


FACES = "6\nBald Young\n" + "".join(f"{row}.png  {-1 if row % 2 else 1}  {1 if row > 2 else -1}\n" for row in range(6))


def test_images_with_labels_of_minus_one_and_one(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for row in range(6):
        Image.fromarray(np.full((4, 5, 3), 10 * row, np.uint8)).save(tmp_path / "faces" / f"{row}.png")
    data = of(tmp_path, FACES, inputs={"face": "index"}, targets="*", images="faces", holdout=0.5)
    faces = whole(data, "face")
    assert faces.shape == (6, 4, 5, 3) and faces.dtype == np.uint8
    rows = faces[:, 0, 0, 0] // 10
    assert whole(data, "label").tolist() == [[int(not row % 2), int(row > 2)] for row in rows]
    assert data.classes == {"label": ("Bald", "Young")} and data.train.labels.dtype == np.int8
    assert "begins with the line 6" in data.notes[0] and "−1 is taken as 0" in data.notes[1]
    assert [Path(name).stem for name in data.validation.names] == [str(row) for row in rows[3:]]
    small = of(tmp_path, FACES, inputs={"face": "index"}, targets=["Bald"], images="faces", size=[2, 3], grey=True)
    assert whole(small, "face").shape == (6, 2, 3, 1)
    assert small.classes == {"label": ("-1", "1")}


def test_rows_that_are_held_out_by_a_column(tmp_path: Path) -> None:
    text = "filename,fold,target,category,esc10\n" + "".join(
        f"{row}.wav,{row % 5 + 1},{row % 3},{['dog', 'cat', 'hen'][row % 3]},{row % 2 == 0}\n" for row in range(30)
    )
    data = of(
        tmp_path,
        text,
        inputs={"x": ["target", "esc10"]},
        targets={"kind": "category", "ten": "esc10"},
        held_out={"fold": 5},
    )
    assert [len(data.train), len(data.validation)] == [24, 6]
    assert data.classes == {"kind": ("cat", "dog", "hen"), "ten": ("False", "True")}
    numbers = np.array([1, 0, 2])  # of dog, cat, hen
    assert np.array_equal(whole(data, "kind"), numbers[whole(data, "x")[:, 0].astype(int)])
    assert np.array_equal(whole(data, "ten"), whole(data, "x")[:, 1])
    with pytest.raises(DataError, match="takes none of 30 rows") as error:
        of(tmp_path, text, inputs="esc10", targets="target", held_out={"fold": 6})
    assert "1, 2, 3, 4 and 5" in error.value.help[0]


def test_tables_without_column_names(tmp_path: Path) -> None:
    text = "".join(f"{1 + row % 3},{row}.5,{row * 2}\n" for row in range(12))
    data = of(tmp_path, text, targets=1)
    assert whole(data, "input").shape == (12, 2)
    assert "no line of column names, so they are 1 to 3" in data.notes[0]
    preamble = of(tmp_path, "12,2,cat,dog,hen\n" + text, targets=1)
    assert np.array_equal(whole(preamble, "input"), whole(data, "input")) and "passed over" in preamble.notes[0]
    pandas = of(tmp_path, ",a,b\n" + "".join(f"{row},{row}.5,{row % 2}\n" for row in range(12)), targets="b")
    assert whole(pandas, "input").shape == (12, 1) and "row numbers: index" in pandas.notes[0]


@pytest.mark.parametrize(
    ("row", "target", "inputs", "first"),
    [
        # As collections of data sets publish them, without a line of names.
        ("{a}.1,3.5,1.4,Iris-{t}", "4", ["1", "2"], [5.1, 3.5]),
        ("{t}, {a}.5, 0.365, 15", "4", ["2", "3"], [5.5, 0.365]),
        ("{a}, {t}, 77516, <=50K", "4", ["1", "3"], [5, 77516]),
        ('{a}.0   8   307.0  ?\t"chevrolet {t}"', "5", ["1", "3"], [5, 307]),
        ("{a};1.234,50;x{t}", "3", ["1", "2"], [5, 1234.5]),
    ],
)
def test_a_first_line_that_is_a_row_has_no_names(
    tmp_path: Path, row: str, target: str, inputs: list[str], first: list[float]
) -> None:
    lines = [row.format(a=5 + place, t="MFI"[place % 3]) for place in range(12)]
    data = of(tmp_path, "\n".join(["sep=;", *lines] if ";" in row else lines) + "\n\n", targets=target, inputs=inputs)
    found = whole(data, "input")
    assert sorted(found[:, 0]) == pytest.approx([first[0] + place for place in range(12)])
    assert found[:, 1] == pytest.approx([first[1]] * 12)
    assert any("no line of column names" in note for note in data.notes)


def test_years_are_names_of_columns(tmp_path: Path) -> None:
    text = "country,2019,2020\n" + "".join(f"land {row},{row}.5,{row * 2}\n" for row in range(10))
    data = of(tmp_path, text, targets="2020", inputs="2019")
    assert sorted(whole(data, "input")[:, 0]) == [row + 0.5 for row in range(10)]
    counted = of(tmp_path, "Id,a,y\n" + "".join(f"{row + 1},{row}.5,{row % 2}\n" for row in range(10)), targets="y")
    assert "Id of t.csv counts the rows, one by one, and may be no feature" in counted.notes[0]


def test_marks_between_thousands_are_passed_over(tmp_path: Path) -> None:
    text = "a;b;y\n" + "".join(f"1.23{row},5;{row};{1 - row % 2}\n" for row in range(10))
    data = of(tmp_path, text, targets="y")
    assert sorted(whole(data, "input")[:, 0]) == [1230.5 + row for row in range(10)]
    assert "10 numbers of a in t.csv have points between thousands, such as 1.230,5" in data.notes
    text = "a,y\n" + "".join(f'"{1000 * row + 7:,}",{row % 2}\n' for row in range(10))
    data = of(tmp_path, text, targets="y")
    assert sorted(whole(data, "input")[:, 0]) == [1000 * row + 7 for row in range(10)]
    assert data.notes == ("9 numbers of a in t.csv have commas between thousands, such as 1,007",)


def test_numbers_that_are_no_classes(tmp_path: Path) -> None:
    text = "a,b,price\n" + "".join(f"{row},{row},{100_000 + 7 * row}\n" for row in range(30))
    data = of(tmp_path, text, targets="price")
    assert data.classes == {} and data.train.labels.dtype == np.float32 and len(data.validation) == 6
    several = of(tmp_path, text, inputs="a", targets={"both": ["b", "price"], "a": "a"})
    assert several.train.targets["both"].shape == (24, 2) and several.train.targets["a"].dtype == np.int32


@pytest.mark.parametrize(
    ("text", "fields", "words"),
    [
        (WINE, {}, "t.csv has the columns fixed acidity, pH and quality"),
        (WINE, {"targets": "Quality"}, "t.csv has no column Quality"),
        (WINE, {"targets": ["pH", "quality", "fixed acidity"]}, "no column of t.csv is left for `input`"),
        ("a,b\n1,2\n1,2,3\n1\n", {"targets": "b"}, "row 2 has 3 values, but there are 2 columns; 2 rows of 3 are so"),
        ("a,a\n1,2\n", {"targets": "a"}, "several columns a"),
        ("a,b\n", {"targets": "b"}, "has a line of column names, and no rows"),
        ("\n\n", {"targets": "b"}, "is empty"),
        (b"PK\0\0", {"targets": "b"}, "is no table of text"),
        ("a,b,c\nNA,1,2\n5,1,?\n", {"targets": "b"}, "every row of t.csv lacks a value"),
        ("a,b,c\n1,x,2\n2,y,3\n", {"targets": ["b", "c"]}, "b of t.csv is texts"),
        ("a,b\n1,\n2,\n", {"targets": "b"}, "b of t.csv has no value"),
        ("a,b\n,1\n,2\n", {"targets": "b"}, "no column of t.csv is left for `input`"),
    ],
)
def test_what_is_no_dataset_is_told_of(tmp_path: Path, text: str | bytes, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        of(tmp_path, text, **fields)
    assert "did you mean `quality`?" in error.value.help or "Quality" not in words


@pytest.mark.parametrize(
    "fields", [{"targets": []}, {"inputs": {"a": 1.5}}, {"targets": True}, {"held_out": {"a": 1, "b": 2}}]
)
def test_fields_that_are_no_columns(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be a column"):
        Table.model_validate({"path": "a", **fields})
