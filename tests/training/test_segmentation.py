"""Segmentation: metrics against counting by hand, runs that learn, masks in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archspec.cli import main
from archspec.data import Split
from archspec.diagnostics import DataError, Diagnostic, Findings, SpecError
from archspec.images.fitting import plan, unfitted_labels
from archspec.images.masks import palette
from archspec.inference.evaluating import evaluate
from archspec.inference.predicting import predict
from archspec.inference.predictions import Masks
from archspec.loading import load, open_spec
from archspec.losses._targets import median_frequency
from archspec.losses.cross_entropy import CrossEntropy
from archspec.metrics import add
from archspec.metrics.mean_iou import MeanIou
from archspec.spec.network import ImageInput
from archspec.spec.overrides import parse_override
from archspec.training.checks import fitted
from archspec.training.run import train
from tests.runs.stopping import stopped_after

Write = Callable[..., Path]

NET = """
task: segmentation
input: {height: 24, width: 20, channels: 1}
layers:
  - conv: {name: c1, filters: 8, kernel: 3, pad: same}
  - batch_norm
  - relu
  - max_pool: {name: p1, window: 2, rounding: ceil}
  - conv: {name: c2, filters: 8, kernel: 3, pad: same}
  - relu
  - max_unpool: {indices: p1}
  - conv: {name: score, filters: 3, kernel: 3, pad: same}
train:
  dataset: %s
  batch_size: 8
  epochs: 14
  optimiser: {adam: 0.02}
  loss: {cross_entropy: {class_weights: %s}}
"""


def shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright squares are class 1, dim ones class 2; a row of void pixels at the top."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 30, (count, 24, 20, 1)).astype(np.uint8)
    labels = np.zeros((count, 24, 20), np.uint8)
    for image, label in zip(images, labels, strict=True):
        for number, light in ((1, 220), (2, 120)):
            top, left = generator.integers(1, 16), generator.integers(0, 12)
            image[top : top + 8, left : left + 8] = light
            label[top : top + 8, left : left + 8] = number
        label[0] = 255
    return images, labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images and masks with lists."""
    root = tmp_path_factory.mktemp("squares")
    images, labels = shapes(80, 0)
    for part in ("images", "masks"):
        (root / part).mkdir()
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image[..., 0]).save(root / "images" / f"{index}.png")
        mask = Image.fromarray(label, mode="P")
        mask.putpalette(palette(256).tobytes())
        mask.save(root / "masks" / f"{index}.png")
    (root / "train.txt").write_text("\n".join(map(str, range(64))))
    (root / "val.txt").write_text("\n".join(map(str, range(64, 80))))
    (root / "classes.txt").write_text("floor\nlamp\nshade\n")
    return root


def net(write: Write, folder: Path, weights: str = "null", **changes: str) -> Path:
    text = NET % (f"{{segmentation_folder: {{path: {folder}, grey: true}}}}", weights)
    for old, new in changes.items():
        text = text.replace(old, new)
    return write(text)


@pytest.mark.parametrize("weights", ["null", "median_frequency", pytest.param("[1, 2, 2]", marks=pytest.mark.minutes)])
def test_a_network_learns_and_says_how_well(write: Write, folder: Path, tmp_path: Path, weights: str) -> None:
    result = train(load(net(write, folder, weights)), tmp_path / "run", progress=False)
    assert result.mean_iou is not None
    assert result.mean_iou > 0.7
    assert result.accuracy > 0.9
    assert result.classes == ("floor", "lamp", "shade")
    assert "mean IoU" in result.summary()
    assert "lamp" in result.summary()
    found = evaluate(tmp_path / "run")
    assert found["mean_iou"] == pytest.approx(result.mean_iou, abs=1e-6)
    assert found["loss"] == pytest.approx(result.validation["loss"], rel=1e-4)
    assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
    held = json.loads((tmp_path / "run" / "result.json").read_text())
    assert held["classes"] == ["floor", "lamp", "shade"]
    assert held["mean_iou"] == result.mean_iou


def test_masks_are_written_in_colour_and_at_the_images_size(
    write: Write, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train(load(net(write, folder, **{"channels: 1}": "channels: 1, fit: resize}"})), run, progress=False)
    images, labels = shapes(2, 9)
    Image.fromarray(images[0, ..., 0]).save(tmp_path / "a.png")
    Image.fromarray(images[1, ..., 0]).resize((60, 72), Image.Resampling.NEAREST).save(tmp_path / "b.png")
    answers = predict(run, [tmp_path / "a.png", tmp_path / "b.png"], output=tmp_path / "masks")
    for answer, label, factor in zip(answers, labels, (1, 3), strict=True):
        assert answer.mask is not None
        with Image.open(answer.mask) as image:
            assert image.mode == "P"
            assert image.size == (20 * factor, 24 * factor)
            mask = np.asarray(image)
            colours = np.asarray(image.convert("RGB"))
        assert np.array_equal(colours, palette(3)[mask])
        known = label != 255
        large = np.kron(label, np.ones((factor, factor), np.uint8))
        right = (mask == large)[np.kron(known, np.ones((factor, factor), bool))]
        assert right.mean() > 0.85
        assert sum(share for _, share in answer.classes) == pytest.approx(1)
    capsys.readouterr()
    assert main(["predict", str(run), str(tmp_path / "a.png"), "-o", str(tmp_path / "m2")]) == 0
    assert "→" in capsys.readouterr().out
    assert (tmp_path / "m2" / "a_mask.png").is_file()
    # A prediction may be made again; a mask that someone drew is not touched.
    assert main(["predict", str(run), str(tmp_path / "a.png"), "-o", str(tmp_path / "m2")]) == 0
    Image.fromarray(mask, mode="L").save(tmp_path / "m2" / "a_mask.png")
    drawn = (tmp_path / "m2" / "a_mask.png").read_bytes()
    assert main(["predict", str(run), str(tmp_path / "a.png"), "-o", str(tmp_path / "m2")]) == 1
    assert "is there already, and no prediction" in capsys.readouterr().err
    assert (tmp_path / "m2" / "a_mask.png").read_bytes() == drawn
    (tmp_path / "m2" / "a_mask.png").unlink()
    # Again into the same folder, but never among images, of these inputs or of others.
    assert main(["predict", str(run), str(tmp_path / "a.png"), "-o", str(tmp_path / "m2")]) == 0
    for taken in (tmp_path, folder / "images"):
        before = sorted(taken.iterdir())
        assert main(["predict", str(run), str(tmp_path / "a.png"), "-o", str(taken)]) == 1
        assert "E534" in capsys.readouterr().err
        assert sorted(taken.iterdir()) == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((tmp_path / "a.png").read_bytes())
    with pytest.raises(SpecError):
        predict(run, [tmp_path / "a.png", tmp_path / "other" / "a.png"], output=tmp_path / "m3")
    assert main(["eval", str(run)]) == 0
    assert "shade" in capsys.readouterr().out


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_same_bits(write: Write, folder: Path, tmp_path: Path) -> None:
    spec = load(net(write, folder, "median_frequency"))
    whole = train(spec, tmp_path / "whole", progress=False)
    with stopped_after(whole.metrics[2]["step"] + 1):
        train(spec, tmp_path / "parts", progress=False)
    again = train(spec, tmp_path / "parts", progress=False)
    assert again.metrics == whole.metrics
    assert all(np.array_equal(whole.params[name], again.params[name]) for name in whole.params)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("filters: 3, kernel: 3", "filters: 4, kernel: 3", "has 3 classes"),
        ("task: segmentation", "task: classification", "a label per pixel"),
        ("pad: same}\ntrain", "pad: 0}\ntrain", "needs a map of the input's 24×20"),
        ("height: 24", "height: 25", "24×20"),
    ],
)
def test_what_does_not_fit_is_answered(
    write: Write, folder: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(SpecError) as error:
        train(load(net(write, folder, **{old: new})), tmp_path / "run", progress=False)
    assert words in str(error.value)


def test_a_stray_label_is_shown_in_its_mask(write: Write, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for index in range(5):
        mask = np.arange(480).reshape(24, 20) % 3
        mask[3, 5] = 7 if index == 4 else 0
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "masks" / f"{index}.png")
        Image.fromarray(np.zeros((24, 20, 3), np.uint8)).save(tmp_path / "images" / f"{index}.png")
    with pytest.raises(SpecError) as error:
        train(load(net(write, tmp_path)), tmp_path / "run", progress=False)
    (found,) = error.value.diagnostics
    assert found.code == "E501"
    assert found.notes == (f"{tmp_path / 'masks' / '4.png'} has the label 7 at row 3, column 5 (counted from 0)",)
    assert any("`labels`" in text for text in found.help)
    (tmp_path / "masks" / "4.png").unlink()
    (tmp_path / "images" / "4.png").unlink()
    with pytest.raises(SpecError) as error:
        train(load(net(write, tmp_path, **{", grey: true": ""})), tmp_path / "run", progress=False)
    (found,) = error.value.diagnostics
    assert found.code == "E503"
    assert "`grey: true` in the dataset reads them as one channel" in found.help


def test_faults_of_data_and_loss_are_shown_where_they_were_given(
    write: Write, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*given: str, weights: str = "null") -> Diagnostic:
        overrides = [item for text in given if (item := parse_override(text, Findings()))]
        with pytest.raises(SpecError) as error:
            train(open_spec(str(net(write, folder, weights)), overrides), tmp_path / "run", progress=False)
        return error.value.diagnostics[0]

    def shown(item: Diagnostic) -> str:
        assert item.primary is not None
        span = item.primary.span
        return span.source.line(span.line)[span.column - 1 : span.end_column - 1]

    broken = tmp_path / "broken"
    for part in ("images", "masks"):
        (broken / part).mkdir(parents=True)
        (broken / part / "0.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    corrupt = fault("train.dataset.segmentation_folder.path=broken")
    assert (corrupt.code, shown(corrupt)) == ("E521", "broken")
    missing = fault("train.dataset.segmentation_folder=nowhere")
    assert (missing.code, shown(missing)) == ("E505", "nowhere")
    assert missing.help == ("relative paths on the command line start from the current folder",)
    short = fault(weights="[1, 2]")
    assert (short.code, shown(short)) == ("E501", "cross_entropy")
    assert shown(fault("train.loss.cross_entropy.class_weights=[1, 2]")) == "[1, 2]"


@pytest.mark.parametrize(
    ("task", "end", "words"),
    [
        ("segmentation", "[{global_avg_pool: {}}, {dense: 3}]", "needs a map"),
        ("classification", "[{conv: {filters: 3, kernel: 1}}]", "one number per class"),
        ("segmentation", "[{conv: {filters: 300, kernel: 1}}]", "more than 256 classes"),
    ],
)
def test_predictions_need_the_outputs_of_their_task(
    write: Write, tmp_path: Path, task: str, end: str, words: str
) -> None:
    from safetensors.numpy import save_file

    from archspec.lower import build, split
    from archspec.weights.folder import import_weights

    spec = write(f"task: {task}\ninput: {{height: 6, width: 6, channels: 1}}\nlayers: {end}\n")
    _, params, _ = split(build(load(spec).graph()))
    save_file({name: np.asarray(value) for name, value in params.items()}, tmp_path / "w.safetensors")
    import_weights(str(spec), tmp_path / "w.safetensors", tmp_path / "net")
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(SpecError) as error:
        predict(tmp_path / "net", [tmp_path / "x.png"])
    assert words in str(error.value)


classes = st.integers(2, 5)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_metrics_are_those_of_counting(data: st.DataObject) -> None:
    count = data.draw(classes)
    labels = np.array(data.draw(st.lists(st.integers(-1, count - 1), min_size=12, max_size=12))).reshape(2, 2, 3)
    guesses = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=12, max_size=12))).reshape(2, 2, 3)
    logits = np.eye(count, dtype=np.float32)[guesses]
    metric = MeanIou.plain_default()
    sums = metric.build(CrossEntropy.plain_default())(jnp.asarray(logits), jnp.asarray(labels))
    found = metric.result(add(metric, [jax.device_get(sums)]))
    counted = labels >= 0
    shares = []
    for number in range(count):
        both = (counted & (labels == number) & (guesses == number)).sum()
        either = (counted & ((labels == number) | (guesses == number))).sum()
        shares.append(both / either if either else None)
    assert found["iou"] == pytest.approx(shares)
    known = [share for share in shares if share is not None]
    assert found["mean_iou"] == pytest.approx(np.mean(known) if known else 0)
    right = (labels == guesses)[counted]
    assert found["pixel_accuracy"] == pytest.approx(right.mean() if len(right) else 0)


def test_median_frequency_is_the_papers() -> None:
    """Class 0 fills both images by half, class 1 half of the first, class 2 a quarter of the second."""
    labels = np.array([[[0, 0], [1, 1]], [[0, 0], [2, -1]]])
    # f = 4/7, 2/4, 1/3 of the labels in images where the class occurs; their median is 1/2.
    assert median_frequency(labels, 4) == pytest.approx((0.5 / (4 / 7), 1.0, 1.5, 0.0))


def test_frequencies_of_images_labels() -> None:
    assert median_frequency(np.array([0] * 90 + [1] * 9 + [2]), 3) == pytest.approx((0.1, 1.0, 9.0))


def test_labels_shrink_about_the_centres_of_their_pixels() -> None:
    labels = np.random.default_rng(0).integers(0, 9, (1, 21, 64)).astype(np.int8)
    input = ImageInput(height=6, width=8, channels=1, fit="resize")
    found = fitted(Split.of(np.zeros((1, 21, 64, 1), np.uint8), labels), {"input": input})
    by_pillow = Image.fromarray(labels[0].astype(np.uint8)).resize((8, 6), Image.Resampling.NEAREST)
    assert np.array_equal(found.labels[0], np.asarray(by_pillow))


@pytest.mark.parametrize("fit", ["pad", "resize", "crop"])
def test_labels_go_where_their_pixels_go(fit: str) -> None:
    images = np.arange(4 * 6, dtype=np.uint8).reshape(1, 4, 6, 1)
    labels = images[..., 0].astype(np.int8)
    size = {"pad": (8, 10), "resize": (8, 12), "crop": (4, 4)}[fit]
    input = ImageInput(height=size[0], width=size[1], channels=1, fit=fit)
    found = fitted(Split.of(images, labels), {"input": input})
    assert found.images.shape[1:3] == found.labels.shape[1:] == size
    if fit == "pad":
        assert np.array_equal(found.labels[0, 2:6, 2:8], labels[0])
        assert (found.labels == -1).sum() == 80 - 24
        assert np.array_equal(unfitted_labels(found.labels[0], plan((4, 6), input)), labels[0])
    elif fit == "resize":
        assert np.array_equal(found.labels[0], np.kron(labels[0], np.ones((2, 2), np.int8)))
        assert np.array_equal(unfitted_labels(found.labels[0], plan((4, 6), input)), labels[0])
    else:
        assert np.array_equal(found.labels[0], labels[0, :, 1:5])


def test_names_that_differ_by_case_have_masks_of_their_own(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system tells them apart; where it does not, nothing is overwritten."""
    from archspec.inference import written as names

    text = "task: segmentation\ninput: {height: 8, width: 8, channels: 3}\nlayers: [{conv: {filters: 3, kernel: 1}}]"
    graph = load(write(text)).graph()
    images = [tmp_path / "a" / "Cat.png", tmp_path / "b" / "cat.png", tmp_path / "c" / "dog.png"]
    masks = names.output_files(images, tmp_path / "masks", "mask", graph)
    assert [mask.name for mask in masks] == ["Cat_mask.png", "cat_mask.png", "dog_mask.png"]
    monkeypatch.setattr(names, "_folds_case", lambda folder: True)
    with pytest.raises(DataError, match=r"Cat\.png and .*cat\.png would have one mask"):
        names.output_files(images, tmp_path / "masks", "mask", graph)
    same = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"]
    monkeypatch.undo()
    with pytest.raises(DataError, match="would have one mask"):
        names.output_files(same, tmp_path / "masks", "mask", graph)


SIGNALS = """
task: segmentation
input: {length: 40, channels: 1}
layers:
  - conv: {filters: 6, kernel: 5, pad: same}
  - relu
  - conv: {filters: %d, kernel: 1}
train:
  dataset: %s
  batch_size: 10
  epochs: 6
  optimiser: {adam: 0.05}
"""


@pytest.mark.slow
def test_signals_have_a_class_at_each_position(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Low, middle and high stretches: a run learns them, is measured as by hand, and says them of new signals."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, (60, 5)).repeat(8, axis=1)
    x = (labels - 1 + 0.1 * generator.standard_normal(labels.shape)).astype(np.float32)
    labels[:, :2] = -1  # counts for nothing
    parts = {"x_train": x[:40], "y_train": labels[:40], "x_test": x[40:], "y_test": labels[40:]}
    np.savez(tmp_path / "s.npz", **parts)
    result = train(load(write(SIGNALS % (3, "{npz: s.npz}"))), tmp_path / "run", progress=False)
    run = result.open()
    found = run.predict(x[40:])
    assert isinstance(found, Masks) and found.probabilities.shape == (20, 40, 3)
    assert all(np.array_equal(mask, own) for mask, own in zip(found.masks, found.classes, strict=True))
    truth, guess = labels[40:][:, 2:], found.classes[:, 2:]
    ious = [((truth == k) & (guess == k)).sum() / ((truth == k) | (guess == k)).sum() for k in range(3)]
    assert result.validation["mean_iou"] == pytest.approx(np.mean(ious)) and result.validation["mean_iou"] > 0.8
    assert result.validation["pixel_accuracy"] == pytest.approx((truth == guess).mean())
    assert run.evaluate()["iou"] == pytest.approx(ious)
    # The same on the command line, with a file for each signal.
    np.save(tmp_path / "two.npy", x[40:42])
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "two.npy"), "-o", str(out), "--format", "json"]) == 0
    answers = json.loads(capsys.readouterr().out)["answers"]
    assert [np.load(item["file"]).tolist() for item in answers] == found.classes[:2].tolist()
    runs = [np.repeat([int(own["class"]) for own in item["runs"]], [own["to"] - own["from"] for own in item["runs"]])
            for item in answers]  # fmt: skip
    assert np.array_equal(runs, found.classes[:2])
    shares = {item["class"]: item["share"] for item in answers[0]["classes"]}
    assert shares == {str(k): pytest.approx((found.classes[0] == k).mean()) for k in np.unique(found.classes[0])}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": np.zeros((10, 39), int)}, "has labels of 39 positions, but the input has 40"),
        ({"y": np.zeros(10, int)}, "one label per signal as `label`"),
        ({"y": np.full((10, 40), 0.5)}, "fractional numbers as `label`"),
        ({"y": np.zeros((10, 40, 4))}, "4 numbers for each position as `label`"),
        ({"y": np.eye(5, dtype=int)[np.zeros((10, 40), int)]}, "has 5 classes, but output"),
    ],
)
def test_labels_that_are_none_of_positions_are_told_of(
    write: Write, tmp_path: Path, change: dict[str, np.ndarray], words: str
) -> None:
    np.savez(tmp_path / "s.npz", x=np.zeros((10, 40)), **change)
    with pytest.raises(SpecError, match=words):
        train(load(write(SIGNALS % (3, "{npz: s.npz}"))), tmp_path / "run", progress=False)


@pytest.mark.slow
def test_labels_of_positions_need_not_be_segmented(write: Write, tmp_path: Path) -> None:
    """The task decides: of an output with a number for each position, zeros and ones are labels at once."""
    y = np.random.default_rng(0).integers(0, 2, (20, 40))
    np.savez(tmp_path / "s.npz", x=y * 2.0 - 1, y=y)
    text = (SIGNALS % (1, "{npz: s.npz}")).replace("task: segmentation", "task: multi_label")
    assert train(load(write(text)), tmp_path / "run", progress=False).validation["accuracy"] > 0.9
    with pytest.raises(SpecError, match=r"40 labels per sample|each of 40 positions"):
        text = text.replace("task: multi_label", "task: classification").replace(
            "kernel: 1}", "kernel: 1}\n  - flatten"
        )
        train(load(write(text + "\n")), tmp_path / "other", progress=False)
