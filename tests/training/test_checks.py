"""Data against a spec: what is suggested is accepted, and labels that count from 1 fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec import load, train
from archspec.data import Data, Split, as_array
from archspec.diagnostics import Findings, SpecError
from archspec.loading import open_spec
from archspec.spec.overrides import Override, parse_input, parse_override
from archspec.training.checks import check_data, counted, matched, outward
from archspec.training.notes import of_augment

SPEC = """archspec: 1
name: net
input: {height: 4, width: 4, channels: 1, range: [0, 1]}
layers: [flatten, {dense: 3}]
train: {dataset: {npz: data.npz}}
"""


def data(low: float = 0, high: float = 1, first: int = 0) -> Data:
    images = np.linspace(low, high, 6 * 16, dtype=np.float32).reshape(6, 4, 4, 1)
    labels = np.arange(6, dtype=np.int32) % 3 + first
    split = Split.of(images, labels)
    return Data("d", split, split, {"label": tuple(map(str, range(3 + first)))}, ("a note",))


@pytest.mark.parametrize(
    ("low", "high", "floor", "ceiling"),
    [
        (-4.84129, 4.96871, "-4.842", "4.969"),
        (0, 255, "0", "255"),
        (-1e-7, 3.00001e-7, "-0.0000001", "0.0000003001"),
        (0, 1234567, "0", "1235000"),
        (5, 5, "5", "5.001"),
        (0, 0, "0", "1"),
    ],
)
def test_ranges_are_rounded_outward(low: float, high: float, floor: str, ceiling: str) -> None:
    assert outward(low, high) == (floor, ceiling)
    assert float(floor) <= low and float(ceiling) >= high


@pytest.mark.parametrize("seed", range(20))
def test_the_suggested_range_is_accepted_when_typed(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    low, high = sorted(float(number) for number in generator.normal(size=2) * 10.0 ** generator.integers(-6, 7))
    held = data(low, high + 2)
    (tmp_path / "net.yaml").write_text(SPEC)
    spec = load(tmp_path / "net.yaml")
    with pytest.raises(SpecError) as error:
        check_data(held, spec, spec.graph())
    (found,) = error.value.diagnostics
    assert found.code == "E502"
    typed = found.help[0].removeprefix("--set 'input.range=").removesuffix("'")
    (tmp_path / "net.yaml").write_text(SPEC.replace("[0, 1]", typed))
    spec = load(tmp_path / "net.yaml")
    check_data(held, spec, spec.graph())


def test_labels_that_count_from_1_are_taken_so_where_nothing_else_fits(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    spec = load(tmp_path / "net.yaml")
    made = counted(data(first=1), spec.graph(), spec)
    assert made.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert made.class_names == ("1", "2", "3")
    assert made.notes[0] == "a note" and "labels 1 to 3 are taken as the 3 classes of net" in made.notes[1]
    check_data(made, spec, spec.graph())
    for kept in (data(), data(first=2)):
        assert counted(kept, spec.graph(), spec) is kept


def test_numbers_and_channels_are_counted_in_words(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC.replace("range: [0, 1]", "mean: [1, 2, 3]"))
    with pytest.raises(SpecError, match="has 3 numbers for 1 channel\n"):
        load(tmp_path / "net.yaml").graph()


def test_an_image_that_becomes_too_large_before_it_is_cropped_is_told_of(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros((30, 1, 50), np.uint8), y=np.arange(30) % 3)
    (tmp_path / "net.yaml").write_text(SPEC.replace("range: [0, 1]", "fit: crop, short_side: 11000"))
    with pytest.raises(SpecError, match="image of 1×50 would become one of 11000×550000") as error:
        train(load(tmp_path / "net.yaml"), tmp_path / "run", progress=False)
    assert [item.code for item in error.value.diagnostics] == ["E521"]


NETWORKS = {
    "image": "input: {height: 4, width: 4, channels: 1}\nlayers: [flatten, {dense: 3}]",
    "signal": "input: {length: 9, channels: 2}\nlayers: [flatten, {dense: 3}]",
    "vector": "input: {features: 7}\nlayers: [{dense: 3}]",
    "both": "inputs: {left: {features: 7}, right: {features: 7}}\nlayers: [{add: {from: [left, right]}}, {dense: 3}]",
    "heads": "input: {features: 7}\nlayers: [{dense: {name: a, units: 3}}, {dense: {name: b, units: 3, from: input}}]\n"
    "outputs: {kind: a, size: b}",
}
ROWS = np.random.default_rng(0).random((30, 7))


@pytest.mark.parametrize(
    ("network", "fields", "code", "words"),
    [
        ("image", "inputs: x", "E503", "`input` of d.npz are vectors of 7, but the network takes images of 4×4×1"),
        ("signal", "inputs: s", "E503", "signals `input` of d.npz are 9×3, but the input is 9×2"),
        ("vector", "inputs: s", "E503", "`input` of d.npz are images of 9×3×1, but the network takes vectors of 7"),
        ("both", "inputs: [x]", "E508", "d.npz has no input `left`; it has x"),
        ("both", "inputs: {lefft: x, right: x}", "E508", "d.npz has no input `left`; it has lefft and right"),
        ("heads", "inputs: x, targets: {kinds: y, size: y}", "E508", "`kind`"),
    ],
)
def test_data_that_a_network_does_not_take_are_told_of_by_name(
    network: str, fields: str, code: str, words: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "d.npz", x=ROWS, s=np.zeros((30, 9, 3)), y=np.arange(30) % 3)
    recipe = f"train: {{dataset: {{npz: {{path: d.npz, {fields}}}}}}}"
    (tmp_path / "net.yaml").write_text(f"archspec: 1\nname: net\n{NETWORKS[network]}\n{recipe}\n")
    with pytest.raises(SpecError) as error:
        train(load(tmp_path / "net.yaml"), tmp_path / "run", progress=False)
    (item,) = error.value.diagnostics
    assert item.code == code and words in item.message
    if "lefft" in fields or "kinds" in fields:
        assert item.help[0].startswith("did you mean `")


SCALED = np.linspace(-2, 2, 30 * 64, dtype=np.float32).reshape(30, 8, 8, 1)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("change", "way"),
    [
        (("channels: 1", "channels: 3"), "channels=1"),
        (("height: 8", "height: 7"), "fit=resize"),
        (("height: 8", "height: 6"), "8x8"),
        (("range: [-2, 2]", "range: [0, 1]"), "range=[-2, 2]"),
    ],
)
def test_the_ways_out_name_the_input(tmp_path: Path, named: bool, change: tuple[str, str], way: str) -> None:
    """Each is followed to the letter: the data are then taken."""
    np.savez(tmp_path / "d.npz", a=SCALED, b=SCALED, y=np.arange(30) % 3)
    input = "{height: 8, width: 8, channels: 1, range: [-2, 2]}"
    other = input.replace(*change)
    begin = f"inputs: {{a: {input}, b: {other}}}" if named else f"input: {other}"
    layers = "{flatten: {name: f%s}}, {dense: {units: 3}}" % (", from: b" if named else "")
    rest = "{flatten: {from: a}}, {dense: {units: 3}}, {add: {from: [dense1, dense2]}}"
    layers += f", {rest}" if named else ""
    recipe = f"train: {{epochs: 1, dataset: {{npz: {{path: d.npz, inputs: [a{', b' if named else ''}], targets: y}}}}}}"
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: 1\nname: net\n{begin}\nlayers: [{layers}]\n{recipe}\n")

    def checked(*settings: Override) -> None:
        spec = open_spec(str(path), settings)
        assert spec.train is not None
        check_data(matched(spec.train.dataset.load(), spec, spec.graph()), spec, spec.graph())

    with pytest.raises(SpecError) as error:
        checked()
    (item,) = error.value.diagnostics
    assert ("input `b`" if named else "the input") in item.message
    (help,) = [text for text in item.help if way in text]
    flag, setting = help.removesuffix(" scales them").split(None, 1)
    override = parse_override(setting.strip("'"), Findings())
    checked(*(parse_input(setting, Findings()) if flag == "--input" or override is None else [override]))


def test_a_dataset_that_nobody_chose_is_named_as_the_default(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: 1\nname: net\n{NETWORKS['both']}\n")
    for setting, words in (("train.epochs=1", True), ("train.dataset=mnist5k", False)):
        override = parse_override(setting, Findings())
        assert override is not None
        spec = open_spec(str(path), [override])
        with pytest.raises(SpecError) as error:
            train(spec, tmp_path / "run", progress=False)
        (item,) = error.value.diagnostics
        assert item.code == "E508"
        assert (item.notes == ("no dataset is given: mnist5k is the default",)) == words
        assert (item.primary is None) == words


def test_what_a_network_does_not_take_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", a=ROWS, right=ROWS, left=ROWS + 1, y=np.arange(30) % 3, z=np.arange(30) / 7)
    recipe = "train: {dataset: {npz: {path: d.npz, inputs: [a, right, left], targets: [z, logits]}}}"
    recipe = recipe.replace("[z, logits]", "{z: z, logits: y}")
    text = f"archspec: 1\nname: net\n{NETWORKS['both']}\noutputs: {{logits: dense1}}\n{recipe}\n"
    (tmp_path / "net.yaml").write_text(text)
    spec = load(tmp_path / "net.yaml")
    assert spec.train is not None
    made = matched(spec.train.dataset.load(), spec, spec.graph())
    assert list(made.train.inputs) == ["left", "right"] and list(made.train.targets) == ["logits"]
    assert np.allclose(as_array(made.train.inputs["left"]), as_array(made.train.inputs["right"]) + 1)
    assert made.classes == {"logits": ("0", "1", "2")}
    assert made.notes == ("1 input of d.npz is not used: a", "1 target of d.npz is not used: z")


def test_targets_that_are_others_of_mirrored_images_are_not_mirrored(tmp_path: Path) -> None:
    def notes(dataset: str, augment: str, layer: str = "{dense: 1}", task: str = "regression") -> list[str]:
        (tmp_path / "net.yaml").write_text(
            f"archspec: 1\nname: net\ntask: {task}\ninput: {{height: 28, width: 28, channels: 1}}\n"
            f"layers: [flatten, {layer}]\n"
            f"train: {{dataset: {dataset}, augment: {augment}, epochs: 1, batch_size: 10}}\n"
        )
        spec = load(tmp_path / "net.yaml")
        assert spec.train is not None
        found = matched(spec.train.dataset.load(), spec, spec.graph())
        check_data(found, spec, spec.graph())
        return of_augment(spec.train, found, spec.heads())

    angles = "{rotated_digits: {train: 20, test: 10}}"
    with pytest.raises(SpecError, match="`angle` of rotated_digits is another of a mirrored or a turned one"):
        notes(angles, "horizontal_flip")
    assert notes(angles, "{random_crop: 2}") == []
    np.savez(tmp_path / "d.npz", x=np.zeros((20, 28, 28), np.uint8), y=np.arange(20) / 7, z=np.arange(20) % 2)
    (said,) = notes("{npz: d.npz}", "[{random_crop: 2}, horizontal_flip]")
    assert said.startswith("`augment` moves and mirrors images, and `label` stays as it is")
    classes = "{npz: {path: d.npz, inputs: x, targets: z}}"
    assert notes(classes, "horizontal_flip", "{dense: 2}", "classification") == []
