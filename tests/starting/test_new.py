"""What `archspec new` reads of data, and the specs that it writes for them."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import archspec
from archspec.cli import main
from archspec.starting.finding import built_in
from tests.starting.folders import digit_folder, mask, noise


def begun(folder: Path, data: str | Path, *more: str) -> archspec.Spec:
    """The spec that is written with every question answered by an option or as suggested; it has no warnings."""
    file = folder / "specs" / "begun.yaml"
    file.parent.mkdir(exist_ok=True)
    assert main(["new", str(file), "--data", str(data), "--yes", "--overwrite", *more]) == 0
    assert main(["validate", "--strict", str(file)]) == 0
    return archspec.load(file)


def dataset(spec: archspec.Spec) -> Any:
    assert spec.train is not None
    return spec.train.dataset


def read(spec: archspec.Spec) -> Any:
    """The spec's own dataset, as training reads it."""
    return dataset(spec).load()


def outputs(spec: archspec.Spec) -> tuple[int, ...]:
    """The shape of what the network gives."""
    return spec.heads()[0].type.shape


def refused(capsys: pytest.CaptureFixture[str], folder: Path, data: str | Path, *more: str) -> str:
    """What is said of data for which no spec is begun; nothing is written."""
    file = folder / "none.yaml"
    assert main(["new", str(file), "--data", str(data), "--yes", *more]) == 1
    assert not file.exists()
    return capsys.readouterr().err


def test_folders_of_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = digit_folder(tmp_path / "Zähler und Ziffern", {0: "eine Null", 1: "ünf #1: x", 7: "sieben"}, 12)
    (folder / "readme.txt").write_text("no image")
    spec = begun(tmp_path, folder)
    out = capsys.readouterr()
    assert "36 images of 3 classes (to train on: eine Null 10, sieben 10, ünf #1: x 10)" in out.out
    assert "28×28 for all; grey" in out.out
    assert "1 file with a name that is no image's (.txt) is passed over" in out.err
    assert spec.name == "zahler_und_ziffern"
    image = spec.images["input"]
    assert (image.height, image.width, image.channels) == (28, 28, 1)
    assert outputs(spec) == (3,)
    data = read(spec)
    assert data.class_names == ("eine Null", "sieben", "ünf #1: x")
    assert data.train.images.shape == (30, 28, 28, 1)
    mean = data.train.images.mean() / 255
    assert image.mean is not None and abs(image.mean[0] - mean) < 0.01
    # The path is as one would write it: from the spec's folder.
    text = (tmp_path / "specs" / "begun.yaml").read_text("utf-8")
    assert "path: ../Zähler und Ziffern #" in text and str(tmp_path) not in text


def test_what_comes_next_stands_in_columns(tmp_path: Path) -> None:
    """However long the spec's name is."""
    folder = digit_folder(tmp_path / "digits", {0: "zero", 1: "one"}, 6)
    for name in ("a", "all_of_the_digits_of_this_year"):
        file = tmp_path / f"{name}.yaml"
        assert main(["new", str(file), "--data", str(folder), "--yes"]) == 0
        rows = [line for line in file.read_text("utf-8").splitlines() if line.startswith("#   archspec ")]
        parted = [re.split(r"  +(?=\w)", row.removeprefix("#   archspec ")) for row in rows]
        assert [row[0].split()[0] for row in parted] == ["report", "data", "train", "eval", "predict", "explain"]
        assert all(len(row) == 2 for row in parted)
        assert len({row.index(said) for row, (_, said) in zip(rows, parted, strict=True)}) == 1


@pytest.mark.parametrize(
    ("train", "held", "parts"),
    [
        ("train", ("valid", "test"), ["train", "validation", "test"]),
        ("Training", ("Testing",), ["train", "validation"]),
        ("seg_train/seg_train", ("seg_test/seg_test",), ["train", "validation"]),
        ("train", (), ["train", "validation"]),
    ],
)
def test_parts(tmp_path: Path, train: str, held: tuple[str, ...], parts: list[str]) -> None:
    for part, each in ((train, 10), *((name, 3) for name in held)):
        if not held:
            part = ""
        for label, name in enumerate(("benign", "malignant")):
            for number in range(each):
                noise(tmp_path / "data" / part / name / f"{number}.jpg", 40 + number, 50, seed=10 * number + label)
    spec = begun(tmp_path, tmp_path / "data")
    data = read(spec)
    assert list(data.parts) == parts
    assert len(data.train) == (20 if held else 16)
    assert ("holdout" in (tmp_path / "specs" / "begun.yaml").read_text()) == (not held)


def test_modes_and_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        noise(tmp_path / "mixed" / "a" / f"{number}.png", 40 + number, 50, ["RGB", "L", "RGBA", "LA"][number % 4])
        noise(tmp_path / "mixed" / "b" / f"{number}.png", seed=number)
    (tmp_path / "mixed" / "b" / "broken.jpg").write_bytes(b"not an image")
    (tmp_path / "mixed" / "b" / "Thumbs.db").write_bytes(b"")
    spec = begun(tmp_path, tmp_path / "mixed")
    said = capsys.readouterr()
    assert "6 of 24 images are grey, and read as colour" in said.err
    assert "6 images have transparency, which is laid on black" in said.err
    assert "1 file cannot be read, and is to be left out" in said.err
    assert "40×50 to 51×50" in said.out
    assert dataset(spec).on_error == "skip"
    data = read(spec)
    assert len(data.left) == 1 and data.train.images.shape[3] == 3


def test_rotated_by_exif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a", "b"):
        for number in range(5):
            path = tmp_path / "held" / name / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (80, 60), (number * 20, 0, 0)).save(path, exif=exif)
    begun(tmp_path, tmp_path / "held")
    assert "80×60 for all" in capsys.readouterr().out


def test_colour_files_of_grey_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = digit_folder(tmp_path / "digits", {0: "zero", 1: "one"}, 6)
    for path in folder.rglob("*.png"):
        Image.open(path).convert("RGB").save(path)
    spec = begun(tmp_path, folder)
    assert "are stored in colour, but 10 images of them that were looked at are grey" in capsys.readouterr().err
    assert spec.images["input"].channels == 3


def test_classes_beside_other_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digit_folder(tmp_path / "repo" / "Dataset", {3: "3", 4: "4"}, 10)
    noise(tmp_path / "repo" / "Examples" / "example.jpg")
    spec = begun(tmp_path, tmp_path / "repo")
    assert (
        "Dataset/ has folders in it, which are the classes; not used: Examples/ with 1 image" in capsys.readouterr().err
    )
    assert read(spec).class_names == ("3", "4")
    assert spec.name == "repo"


def test_one_of_several_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("first", "second"):
        digit_folder(tmp_path / "sets" / name, {3: "3", 4: "4"}, 6)
    (tmp_path / "sets" / "empty").mkdir()
    begun(tmp_path, tmp_path / "sets")
    assert "first/ is what was found first; not used: second/ with 12 images" in capsys.readouterr().err


def test_the_same_folders_in_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("color", "grey"):
        digit_folder(tmp_path / "leaves" / kind, {3: "healthy", 4: "rust"}, 6)
    begun(tmp_path, tmp_path / "leaves")
    err = capsys.readouterr().err
    assert "each of color and grey has the same folders in it; if these are the classes, give" in err


def test_refused_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digit_folder(tmp_path / "one", {3: "three"}, 5)
    assert "are of one class, three: there is nothing to tell apart" in refused(capsys, tmp_path, tmp_path / "one")
    digit_folder(tmp_path / "empty", {3: "three", 4: "four"}, 5)
    (tmp_path / "empty" / "five").mkdir()
    assert "there are no images in five" in refused(capsys, tmp_path, tmp_path / "empty")
    digit_folder(tmp_path / "single", {3: "three", 4: "four"}, 1)
    assert "leaves none of them to measure with" in refused(capsys, tmp_path, tmp_path / "single")
    noise(tmp_path / "flat" / "1.png")
    assert "has no folders, one for each class" in refused(capsys, tmp_path, tmp_path / "flat")
    (tmp_path / "void").mkdir()
    assert "error[E505]" in refused(capsys, tmp_path, tmp_path / "void")
    assert "did you mean `mnist5k`?" in refused(capsys, tmp_path, "mnist5")
    digit_folder(tmp_path / "repo" / "Data" / "Train_Data", {3: "three", 4: "four"}, 5)
    (tmp_path / "repo" / "Data" / "Model").mkdir()
    assert f"{tmp_path / 'repo' / 'Data' / 'Train_Data'} has folders of images" in refused(
        capsys, tmp_path, tmp_path / "repo"
    )


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ((0, 1, 2), {"classes": ("0", "1", "2")}),
        ((0, 255), {"labels": (0, 255), "ignore": None, "classes": ("background", "object")}),
    ],
)
@pytest.mark.parametrize("names", [("images/{}.png", "masks/{}.png"), ("train/{}.jpg", "train_masks/{}_mask.png")])
def test_masks(tmp_path: Path, names: tuple[str, str], values: tuple[int, ...], fields: dict[str, Any]) -> None:
    for number in range(8):
        noise(tmp_path / "cars" / names[0].format(number), seed=number)
        mask(tmp_path / "cars" / names[1].format(number), values)
    spec = begun(tmp_path, tmp_path / "cars")
    own = dataset(spec)
    assert spec.train is not None and own.kind == "segmentation_folder"
    assert {name: getattr(own, name) for name in fields} == fields
    assert own.size == (40, 48)  # near 40×50, and divided by eight
    assert outputs(spec) == (40, 48, len(values))
    data = read(spec)
    assert data.class_count == len(values)
    assert set(np.unique(data.train.labels)) == set(range(len(values)))


def test_masks_in_colours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colours = np.array([[0, 0, 0], [128, 0, 0], [224, 224, 192]], np.uint8)  # VOC's background, aeroplane and border
    for number in range(6):
        noise(tmp_path / "voc" / "JPEGImages" / f"{number}.jpg", seed=number)
        path = tmp_path / "voc" / "SegmentationClass" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(colours[np.arange(40) % 3][:, None].repeat(50, 1)).save(path)
    spec = begun(tmp_path, tmp_path / "voc")
    assert dataset(spec).colours == "voc"
    assert "the pixels of the masks are the colours of `colours: voc`" in capsys.readouterr().err
    assert outputs(spec)[-1] == read(spec).class_count == 21


def table(path: Path, header: str, rows: list[list[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split())
        writer.writerows(rows)
    return path


def test_tables_of_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    rows = [[*random.normal(3, 2, 2).round(3), number % 4 + 3] for number in range(60)]
    spec = begun(tmp_path, table(tmp_path / "wine.csv", "acidity alcohol quality", rows))
    err = capsys.readouterr().err
    assert "quality, the last column, of wine.csv is taken for what is to be found" in err
    assert "the 4 different numbers of quality are the classes" in err
    assert read(spec).class_names == ("3", "4", "5", "6")
    section: Any = spec.inputs["input"]
    numbers = np.array([row[:2] for row in rows])
    assert np.allclose(section.mean, numbers.mean(0), rtol=0.2)

    rows = [[*random.normal(size=2).round(3), int(abs(random.normal(200_000, 50_000)))] for _ in range(60)]
    path = table(tmp_path / "houses.csv", "rooms area price", rows)
    spec = begun(tmp_path, path)
    assert spec.header.task is not None and spec.heads()[0].task.kind == "regression"
    prices = read(spec).train.labels
    text = (tmp_path / "specs" / "begun.yaml").read_text()
    scale = float(text.partition("- scale: ")[2].split()[0])
    bias = float(text.partition("constant: ")[2].partition("}")[0])
    assert abs(scale - prices.std()) < 0.01 * prices.std() and abs(scale * bias - prices.mean()) < 0.01 * prices.mean()

    assert read(begun(tmp_path, path, "--target", "rooms")).train.inputs["input"].shape[1] == 2
    assert "there is no column" not in capsys.readouterr().err
    assert "did you mean `rooms`?" in refused(capsys, tmp_path, path, "--target", "room")
    texts = table(tmp_path / "cars.csv", "mpg name", [[number, f"car {number}"] for number in range(20)])
    assert "20 different texts in 20 rows, which are no classes" in refused(capsys, tmp_path, texts)


def test_of_several_tables_the_one_to_learn_from_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, rows = tmp_path / "wines", [[number, number % 3] for number in range(60)]
    for name in ("test.csv", "train.csv", "sample_submission.csv"):
        table(folder / name, "acidity quality", rows)
    (folder / "readme.md").write_text("about wines")
    spec = begun(tmp_path, folder)
    assert Path(dataset(spec).path).name == "train.csv"
    assert "train.csv is what was read; not used: sample_submission.csv and test.csv" in capsys.readouterr().err
    begun(tmp_path, folder / "train.csv")
    assert "not used" not in capsys.readouterr().err
    assert "`--data .` is this folder" in refused(capsys, tmp_path, "")


def test_what_is_told_apart_by_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = table(
        tmp_path / "prices.csv", "rooms target", [[number % 5, 100_000 + 997 * number] for number in range(100)]
    )
    assert begun(tmp_path, prices).heads()[0].task.kind == "regression"
    assert "100 different numbers, and is taken for a quantity" in capsys.readouterr().err
    many = table(tmp_path / "many.csv", "rooms target", [[number, number % 40] for number in range(200)])
    assert len(read(begun(tmp_path, many)).class_names) == 40
    one = table(tmp_path / "one.csv", "rooms label", [[number, 3] for number in range(30)])
    assert "are of one class, 3: nothing is to tell apart" in refused(capsys, tmp_path, one)


def test_a_list_beside_many_images_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pets"
    for number in range(80):
        noise(folder / f"img{number:03}.png", 8, 8, seed=number)
    table(
        folder / "labels.csv",
        "file label",
        [[f"img{number:03}.png", ["cat", "dog"][number % 2]] for number in range(80)],
    )
    assert read(begun(tmp_path, folder)).class_names == ("cat", "dog")
    table(folder / "labels.csv", "length weight", [[number, 1] for number in range(80)])
    assert "has images and tables that say nothing of them" in refused(capsys, tmp_path, folder)
    (tmp_path / "empty").mkdir()
    assert "empty is empty" in refused(capsys, tmp_path, tmp_path / "empty")


def test_tables_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pets"
    for number in range(20):
        noise(folder / "photos" / f"{number}.png", seed=number)
    rows: list[list[Any]] = [[f"{number}.png", ["cat", "dog"][number % 2]] for number in range(20)]
    table(folder / "labels.csv", "filename label", rows)
    spec = begun(tmp_path, folder)
    assert "filename of labels.csv names images in photos/" in capsys.readouterr().err
    assert dataset(spec).images == "photos" and spec.name == "pets"
    assert read(spec).class_names == ("cat", "dog")

    table(folder / "labels.csv", "image cat dog", [[f"{number}.png", number % 2, 1] for number in range(20)])
    spec = begun(tmp_path, folder)
    assert spec.heads()[0].task.kind == "multi_label"
    assert read(spec).train.labels.shape == (16, 2)

    table(folder / "labels.csv", "image xmin xmax", [[f"{number}.png", number, number + 5] for number in range(20)])
    assert "--target says which of them is to be found" in refused(capsys, tmp_path, folder)

    table(folder / "labels.csv", "id breed", [[number, ["pug", "boxer"][number % 2]] for number in range(20)])
    assert "id of labels.csv names images without their ending, 0 for 0.png" in refused(capsys, tmp_path, folder)


def test_arrays_and_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 4
    np.savez(tmp_path / "images.npz", x=random.integers(0, 256, (40, 24, 20, 3), dtype=np.uint8), y=labels)
    spec = begun(tmp_path, tmp_path / "images.npz")
    assert spec.inputs["input"].type.shape == (24, 20, 3)
    np.savez(tmp_path / "signals.npz", x=random.normal(size=(40, 64, 2)).astype(np.float32), y=labels)
    spec = begun(tmp_path, tmp_path / "signals.npz")
    assert spec.inputs["input"].type.shape == (64, 2)
    assert "samples of 64×2 are taken for signals of 2 channels, not for images" in capsys.readouterr().err
    np.savez(tmp_path / "vectors.npz", x=random.normal(size=(40, 9)), y=random.normal(size=(40, 2)))
    spec = begun(tmp_path, tmp_path / "vectors.npz")
    assert spec.inputs["input"].type.shape == (9,) and outputs(spec) == (2,)
    with tarfile.open(tmp_path / "train-000.tar", "w") as shard:
        for number in range(20):
            image = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(image, "PNG")
            for ending, contents in (("png", image.getvalue()), ("cls", str(number % 2).encode())):
                member = tarfile.TarInfo(f"{number:04}.{ending}")
                member.size = len(contents)
                shard.addfile(member, io.BytesIO(contents))
    spec = begun(tmp_path, tmp_path / "train-000.tar")
    assert "24×32 for all" in capsys.readouterr().out
    assert len(read(spec).train) == 16
    np.savez(tmp_path / "named.npz", a=labels, b=labels)
    assert "named.npz has the arrays a and b" in refused(capsys, tmp_path, tmp_path / "named.npz")


@pytest.mark.parametrize("name", built_in())
def test_datasets_that_come_with_the_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ("digit_pairs", "digit_sums"):
        assert f"{name} has 2 inputs" in refused(capsys, tmp_path, name)
        return
    spec = begun(tmp_path, name)
    assert dataset(spec).kind == name and spec.name == name


def test_networks_of_the_zoo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pets"
    for name in ("cat", "dog", "fox"):
        for number in range(5):
            noise(folder / name / f"{number}.jpg", 200, 300, seed=number)
    for network, size in (("efficientnet_b0", (224, 224)), ("alexnet", (227, 227)), ("lenet5", (32, 32))):
        spec = begun(tmp_path, folder, "--network", network)
        image = spec.images["input"]
        assert (image.height, image.width, image.channels) == (*size, 3)
        assert outputs(spec) == (3,)
        assert spec.train is not None
        # Nothing of the network's own recipe stays, which was tuned for other data.
        assert spec.train.source is None and spec.train.ema is None and spec.train.optimiser.kind == "adamw"
        assert not getattr(spec.train.loss, "label_smoothing", 0)
    spec = begun(tmp_path, folder, "--network", "resnet20", "--size", "64x96", "--epochs", "3")
    assert (spec.images["input"].height, spec.images["input"].width) == (64, 96)
    assert spec.train is not None and spec.train.epochs == 3
    assert "did you mean `resnet18`?" in refused(capsys, tmp_path, folder, "--network", "resnet19")
    assert "gives a map for each image" in refused(capsys, tmp_path, folder, "--network", "unet_padded")
    # A size that the network does not take is refused with its own words.
    assert "error[" in refused(capsys, tmp_path, folder, "--network", "alexnet", "--size", "20x20")


def test_what_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    assert main(["new", str(file), "--data", "mnist5k", "--yes"]) == 1
    assert "E567" in capsys.readouterr().err and file.read_text() == "mine"
    assert main(["new", str(tmp_path / "no" / "mine.yaml"), "--data", "mnist5k", "--yes"]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert main(["new", str(tmp_path), "--data", "mnist5k", "--yes"]) == 1
    assert "it is a folder" in capsys.readouterr().err
    assert main(["new", str(file), "--data", "mnist5k", "--yes", "--overwrite"]) == 0
    assert file.read_text() != "mine"


def test_without_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new"]) == 1
    assert "there is no terminal to ask in, and no data are given" in capsys.readouterr().err
    assert main(["new", "--data", "mnist5k", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == "mnist5k.yaml" and said["samples"] == {"train": 4000, "validation": 1000}
    assert said["network"] == "small" and said["input"] == [28, 28] and len(said["classes"]) == 10
    spec = archspec.load("mnist5k.yaml")
    assert said["params"] == spec.graph().params
    for more, reason in (
        (["--weights", "w.safetensors"], "--weights are those of a network"),
        (["--network", "lenet5", "--weights", "w.safetensors"], "there is no file or folder w.safetensors"),
        (["--network", "small", "--weights", "w.safetensors"], "a small network has no weights"),
        (["--target", "label"], "--target is a column of a table"),
    ):
        assert main(["new", "x.yaml", "--data", "mnist5k", *more]) == 1
        assert reason in capsys.readouterr().err
    assert main(["new", "x.yaml", "--data", "mnist5k", "--size", "0x3"]) == 2


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name.strip(".") and len(name.encode()) < 200 and not name.startswith(".")
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=2, max_size=3, unique_by=lambda name: name.casefold()), around=NAMES)
def test_any_names(tmp_path_factory: pytest.TempPathFactory, names: list[str], around: str) -> None:
    """Whatever folders are called, the spec has what lies in them, and nothing of a name becomes part of the spec."""
    root = tmp_path_factory.mktemp("names")
    image = io.BytesIO()
    Image.new("L", (8, 8), 9).save(image, "PNG")
    for name in names:
        (root / around / name).mkdir(parents=True)
        for number in range(4):
            (root / around / name / f"{number}.png").write_bytes(image.getvalue())
    if any(name.lower() in ("__macosx", "train", "test", "val") for name in names):
        return
    spec = begun(root, root / around)
    assert read(spec).class_names == tuple(sorted(names))
    assert list(spec.args) == ["classes"] and spec.args["classes"] == len(names)
