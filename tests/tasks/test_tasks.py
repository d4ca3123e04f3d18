"""What an output means: targets that are right and wrong, and what a network of each task is trained with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from archspec.cli import main
from archspec.diagnostics import DataError, SpecError
from archspec.loading import load, open_spec
from archspec.runs.events import scalars
from archspec.tasks import COUNTS
from archspec.training.checks import matched
from archspec.training.feeding import Batch
from archspec.training.notes import of_data
from archspec.training.run import train
from archspec.training.steps import make_steps

Write = Callable[..., Path]

NET = """
task: %s
input: {height: 6, width: 6, channels: 1}
layers: %s
train: {dataset: {npz: %s}, batch_size: 4, epochs: 1, optimiser: {sgd: 1.0e-9} %s}
"""
VECTOR = "[flatten, dense: 3]"
MAP = "[conv: {filters: 3, kernel: 3}]"
"""4×4×3."""
HALF = "[conv: {filters: 1, kernel: 2, stride: 2}]"
SAME = "[conv: {filters: 1, kernel: 3, pad: same}]"


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 6, 6, 1)).astype(np.uint8)


def run(write: Write, tmp_path: Path, task: str, layers: str, target: Any, more: str = "") -> Any:
    """The result of a network that stays as it is, whose held-out part is the one to train on."""
    tmp_path.mkdir(exist_ok=True)
    path = tmp_path / "data.npz"
    x = images(len(target))
    np.savez(path, x_train=x, y_train=target, x_test=x, y_test=target)
    return train(load(write(NET % (task, layers, path, more))), tmp_path / "run", progress=False)


@pytest.mark.parametrize(
    ("task", "layers", "target", "more", "words"),
    [
        ("classification", VECTOR, np.linspace(0, 1, 6), "", "has fractional numbers as `label`"),
        ("classification", VECTOR, np.full((6, 3), 0.4), "", "no shares of 1"),
        ("classification", VECTOR, np.full((6, 4), 0.25), "", "shares of 4 classes, but the output has 3 units"),
        ("multi_label", VECTOR, np.arange(6) % 3, "", "one number per sample as `label` where the output has 3 labels"),
        ("multi_label", VECTOR, np.ones((6, 4)), "", "4 numbers per sample, but the output has 3 numbers"),
        ("multi_label", VECTOR, np.full((6, 3), 2.0), "", "numbers up to 2, but a label is there (1) or not (0)"),
        ("regression", VECTOR, np.linspace(0, 1, 6), "", "one number per sample, but the output has 3 numbers"),
        ("segmentation", "[conv: {filters: 3, kernel: 1}]", np.arange(6) % 3, "", "a label per image"),
        ("regression", VECTOR, np.full((6, 3), np.nan), "", "no label of"),
        ("classification", VECTOR, np.arange(6) % 3, ", loss: mse", "mse takes numbers, but targets of classification"),
        ("classification", VECTOR, np.arange(6) % 3, ", metrics: mae", "mae measures numbers"),
        ("classification", VECTOR, np.arange(6) % 3, ", metrics: [top_k: 3]", "of 3 classes is always right"),
        ("regression", VECTOR, np.full((6, 3), 1.5), ", loss: hinge", "hinge takes targets from 0 to 1, but `label`"),
        ("regression", HALF, np.full((6, 3, 3), 1.5), ", augment: {random_crop: 1}", "3×3 where images are 6×6"),
        ("reconstruction", MAP, np.arange(6) % 3, "", "but reconstruction needs the shape of `input`, 6×6×1"),
        ("{reconstruction: picture}", SAME, np.arange(6) % 3, "", "`picture`, which is no input"),
    ],
)
def test_targets_that_do_not_fit_are_told_of(
    write: Write, tmp_path: Path, task: str, layers: str, target: Any, more: str, words: str
) -> None:
    with pytest.raises(SpecError) as error:
        run(write, tmp_path, task, layers, target, more)
    (item,) = error.value.diagnostics
    assert item.code in ("E501", "E507")
    assert words in item.message
    assert item.primary is not None
    # What is written wrong is pointed at, the dataset where it is the data.
    span = item.primary.span
    shown = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
    reason = {"mse takes": "mse", "mae measures": "mae", "always right": "top_k", "reconstruction": "reconstruction"}
    assert shown == next((at for word, at in reason.items() if word in f"{words} {task}"), "dataset")
    assert not (tmp_path / "run").exists()


def test_each_output_is_told_of_where_it_is_written(write: Write) -> None:
    text = """
input: {height: 6, width: 6, channels: 1}
layers: [conv: {name: c, filters: 3, kernel: 1}, global_avg_pool: {name: g}]
outputs:
  a: {from: g, loss: mse}
  b: {from: g, target: x, metrics: [accuracy, mae]}
  d: {from: g, task: segmentation}
  e: {from: c}
  f: {from: g, loss: {sum: [mse, l1]}}
"""
    places = [item.primary.span for item in open_spec(str(write(text))).diagnostics if item.primary]
    shown = [(span.line - 6, span.source.line(span.line)[span.column - 1 : span.end_column - 1]) for span in places]
    assert shown == [(1, "mse"), (2, "mae"), (3, "segmentation"), (4, "e"), (5, "sum")]
    # Without `outputs` it is the layer that ends the network, and the recipe's own fields.
    text = (
        "input: {height: 6, width: 6, channels: 1}\nlayers: [conv: {filters: 3, kernel: 1}]\ntrain: {batch_size: 2}\n"
    )
    (item,) = open_spec(str(write(text))).diagnostics
    assert item.primary is not None
    assert (item.primary.span.line, item.primary.span.column) == (4, 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"task: segmentation\ninput: {{height: 6, width: 6, channels: 1}}\nlayers: {MAP}", "crop: center"),
        (f"input: {{height: 6, width: 6, channels: 1}}\nlayers: {MAP}", "`task: segmentation`"),
        (
            "task: regression\ninput: {features: 3}\nlayers: [dense: 1]\n"
            "outputs: {a: {from: dense1, metrics: mean_iou}}",
            "measures",
        ),
        ("input: {features: 3}\nlayers: [dense: 1]", "has one number, of which softmax, which cross_entropy applies"),
        (
            "input: {height: 6, width: 6, channels: 1}\nlayers: [conv: {filters: 1, kernel: 1}]\ntask: segmentation",
            "or an output with a number for each class",
        ),
        (
            "task: regression\ninput: {features: 3}\nlayers: [dense: 1]\n"
            "outputs: {a: {from: dense1, loss: cross_entropy}}",
            "`task: regression` for numbers",
        ),
    ],
)
def test_validate_says_what_cannot_be_trained(write: Write, text: str, words: str) -> None:
    # What an output says itself is looked at without a recipe too.
    for recipe in ("\ntrain: {}", "\n") if "outputs" in text else ("\ntrain: {}",):
        (item,) = open_spec(str(write(text + recipe))).diagnostics
        assert (item.severity, item.code) == ("warning", "W307")
        assert any(words in said for said in (item.message, *item.help))


@pytest.mark.parametrize(
    ("layers", "more", "words"),
    [
        ("[flatten, dense: 4, sigmoid]", ", loss: binary_cross_entropy", "binary_cross_entropy applies sigmoid itself"),
        ("[flatten, dense: 4, softmax]", ", loss: hinge", "hinge wants the right class above 1"),
        ("[flatten, dense: 4, tanh]", ", loss: {sum: [cross_entropy, focal]}", "cross_entropy applies softmax itself"),
    ],
)
def test_bounds_in_the_way_of_a_loss(write: Write, layers: str, more: str, words: str) -> None:
    (item,) = open_spec(str(write(NET % ("classification", layers, "x.npz", more)))).diagnostics
    assert item.code == "W304"
    assert words in item.message


def test_labels_are_cropped_to_the_middle(write: Write, tmp_path: Path) -> None:
    """An output of 4×4 is measured on the middle 4×4 of 6×6 labels; the border, all of another class, has no part."""
    labels = np.full((5, 6, 6), 2, np.int8)
    labels[:, 1:5, 1:5] = np.arange(16).reshape(4, 4) % 2
    result = run(write, tmp_path, "{segmentation: {crop: center}}", MAP, labels)
    x = images(5).astype(np.float32) / 255
    kernel, bias = (np.asarray(result.params[f"conv1.{name}"]) for name in ("kernel", "bias"))
    windows = np.lib.stride_tricks.sliding_window_view(x[..., 0], (3, 3), (1, 2))
    logits = np.einsum("nhwij,ijf->nhwf", windows, kernel[:, :, 0]) + bias
    own = labels[:, 1:5, 1:5].astype(int)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -np.take_along_axis(log_p, own[..., None], -1).mean()
    assert result.validation["loss"] == pytest.approx(expected, rel=1e-5)
    assert result.metrics[0]["train"]["loss"] == pytest.approx(expected, rel=1e-5)
    assert result.validation["pixel_accuracy"] == pytest.approx((logits.argmax(-1) == own).mean())


@pytest.mark.slow
def test_an_autoencoder_finds_its_input(write: Write, tmp_path: Path) -> None:
    """The last step of 6 samples in steps of 4 is filled up with 2 that do not count."""
    result = run(write, tmp_path, "reconstruction", SAME, np.arange(6) % 3)
    record = result.metrics[0]
    spec = load(tmp_path / "run" / "spec.yaml")
    x = images(6).astype(np.float32) / 255
    kernel, bias = (np.asarray(result.params[f"conv1.{name}"]) for name in ("kernel", "bias"))
    padded = np.pad(x[..., 0], ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    error = np.einsum("nhwij,ijf->nhwf", windows, kernel[:, :, 0]) + bias - x
    for part in ("train", "validation"):
        assert record[part]["loss"] == pytest.approx((error**2).mean(), rel=1e-4)
        assert record[part]["psnr"] == pytest.approx(-10 * np.log10((error**2).mean()), rel=1e-4)
    assert record["validation"]["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert result.headlines == {"psnr": record["validation"]["psnr"]}
    assert json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))["psnr"] == record["validation"]["psnr"]
    with pytest.raises(AttributeError, match="reconstruction has no accuracy"):
        _ = result.accuracy
    assert result.summary().startswith("held-out PSNR 6.15 dB, MAE 0.39")
    steps = make_steps(spec, 1)
    targets = {COUNTS: jnp.array([0, -1], jnp.int8)}
    _, figures = steps.train(
        steps.initial(None), Batch({"input": jnp.asarray(images(2))}, targets, jnp.arange(2, dtype=jnp.int32))
    )
    assert float(figures["weights"][0]) == 36


def test_peaks_and_scales_of_reconstructions(write: Write) -> None:
    text = """
task: reconstruction
input: {height: 6, width: 6, channels: 1, range: [0, 255], mean: [100], std: [50]}
layers: [conv: {filters: 1, kernel: 3, pad: same}]
train: {metrics: [rmse]}
"""
    (head,) = load(write(text)).heads()
    assert head.figures == ("psnr", "mae", "rmse")
    psnr: Any = head.metrics[0]
    assert (psnr.peak, psnr.std) == (255, (50,))
    assert head.running == psnr
    wrong = text.replace("metrics: [rmse]", "loss: binary_cross_entropy")
    (item,) = open_spec(str(write(wrong))).diagnostics
    assert "takes targets from 0 to 1, but `input` has a `mean` or `std`" in item.message
    sound = "task: reconstruction\ninput: {length: 9, channels: 1}\nlayers: [conv: {filters: 1, kernel: 3, pad: same}]"
    assert load(write(sound)).heads()[0].figures == ("rmse", "mae")


def test_each_output_has_its_own(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A class and a number of one image: targets by name, losses, metrics, and the figures of each."""
    path = tmp_path / "two.npz"
    x, kinds, sizes = images(7), np.arange(7) % 3, np.linspace(-2, 5, 7).astype(np.float32)
    sizes[3] = np.nan
    np.savez(path, x_train=x, x_test=x, kind_train=kinds, kind_test=kinds, size_train=sizes, size_test=sizes)
    text = f"""
input: {{height: 6, width: 6, channels: 1}}
layers:
  - flatten: {{name: flat}}
  - dense: {{name: kind, units: 3}}
  - dense: {{name: size, units: 1, from: flat}}
outputs:
  kind: {{from: kind, metrics: [macro_f1]}}
  length: {{from: size, target: size, task: regression, loss: huber, weight: 0.5, metrics: []}}
train:
  dataset: {{npz: {{path: {path}, inputs: [x], targets: [kind, size]}}}}
  batch_size: 3
  epochs: 1
  optimiser: {{sgd: 1.0e-9}}
  metrics: [recall]
"""
    spec = load(write(text))
    (tmp_path / "again.yaml").write_text(spec.to_yaml(), "utf-8")
    again = load(tmp_path / "again.yaml")
    assert again.heads() == spec.heads()
    kind, length = spec.heads()
    assert kind.figures == ("top1", "macro_f1")
    assert length.figures == ("mae", "rmse", "r2")
    assert (kind.loss.kind, length.loss.kind) == ("cross_entropy", "huber")
    assert length.target_among(["kind", "size"]) == "size"
    result = train(spec, tmp_path / "run", progress=False)
    (record,) = result.metrics
    flat = x.reshape(7, -1).astype(np.float32) / 255
    found = (flat @ np.asarray(result.params["size.kernel"]) + np.asarray(result.params["size.bias"]))[:, 0]
    known = ~np.isnan(sizes)
    error = np.abs(found - sizes)[known]
    assert record["validation"]["outputs"]["length"]["mae"] == pytest.approx(error.mean(), rel=1e-5)
    huber = np.where(error <= 1, error**2 / 2, error - 0.5).mean()
    assert record["validation"]["heads"]["length"] == pytest.approx(huber, rel=1e-5)
    assert record["train"]["objective"] == pytest.approx(record["train"]["loss"] + 0.5 * huber, rel=1e-5)
    assert len(record["validation"]["f1"]) == 3
    assert result.classes == ("0", "1", "2")
    tags = dict(scalars(record, result.classes))
    assert tags["validation/outputs/length/mae"] == record["validation"]["outputs"]["length"]["mae"]
    assert tags["validation/f1/0"] == record["validation"]["f1"][0]
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text("utf-8"))["validation"] == record["validation"]
    capsys.readouterr()
    assert main(["eval", str(tmp_path / "run")]) == 0
    assert f"length: MAE {error.mean():.4g}" in capsys.readouterr().out


def test_outputs_with_a_share_in_the_loss_have_figures(write: Write) -> None:
    text = """
input: {features: 4}
layers:
  - dense: {name: a, units: 3}
  - dense: {name: b, units: 3, from: input}
  - dense: {name: c, units: 3, from: input}
  - dense: {name: d, units: 3, from: input}
outputs:
  a: a
  b: b
  c: {from: c, weight: 0}
  d: {from: d, train_only: true}
"""
    assert {head.name: head.figures for head in load(write(text)).heads()} == {
        "a": ("top1",),
        "b": ("top1",),
        "c": (),
        "d": (),
    }


def test_a_loss_that_no_output_uses_is_told_of(write: Write) -> None:
    text = """
input: {features: 3}
layers: [dense: 2]
outputs: {a: {from: dense1, loss: hinge}}
train: {loss: focal}
"""
    path = write(text)
    (item,) = open_spec(str(path)).diagnostics
    assert (item.code, item.message) == ("W308", "nothing uses `loss` of `train`: every output says its own")
    path.write_text(load(path).to_yaml(), "utf-8")
    assert open_spec(str(path)).diagnostics == ()


def test_a_run_goes_by_the_classes_of_its_main_output(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "two.npz"
    x, kinds, sizes = images(6), np.arange(6) % 3, np.linspace(-2, 5, 6).astype(np.float32)
    np.savez(path, x_train=x, x_test=x, kind_train=kinds, kind_test=kinds, size_train=sizes, size_test=sizes)
    text = f"""
input: {{height: 6, width: 6, channels: 1}}
layers: [flatten: {{name: flat}}, dense: {{name: kind, units: 3}}, dense: {{name: size, units: 1, from: flat}}]
outputs: {{size: {{from: size, task: regression}}, kind: {{from: kind, metrics: [recall]}}}}
train: {{dataset: {{npz: {{path: {path}, inputs: [x], targets: [kind, size]}}}}, batch_size: 3, epochs: 1}}
"""
    result = train(load(write(text)), tmp_path / "run", progress=False)
    assert result.classes == ()
    assert result.headlines == {"mae": result.validation["mae"]}
    assert result.validation["outputs"]["kind"]["recall"]
    assert result.summary().startswith("held-out MAE ")


def test_targets_by_name() -> None:
    (head,) = load("lenet5").heads()
    assert head.target_among(["anything", COUNTS]) == "anything"
    assert head.target_among(["other", head.name]) == head.name
    with pytest.raises(DataError, match="as the output is, and there are 2 targets: a and b"):
        head.target_among(["a", "b"])


@pytest.mark.parametrize(
    ("ending", "beyond", "words"),
    [
        ("tanh", lambda y: abs(y) > 1, "outside -1 to 1, to which tanh1 bounds"),
        ("relu", lambda y: y < 0, "below 0, to which relu1 bounds"),
        ("sigmoid", lambda y: (y < 0) | (y > 1), "outside 0 to 1, to which sigmoid1 bounds"),
        ("relu, dense: 1", lambda y: y > 9, None),
        ("relu, dropout: 0.5", lambda y: y < 0, "below 0, to which relu1 bounds"),
    ],
)
def test_what_a_bounded_output_cannot_reach_is_noted(
    write: Write, tmp_path: Path, ending: str, beyond: Any, words: str | None
) -> None:
    path = tmp_path / "data.npz"
    x, y = images(6), np.linspace(-3, 1.9, 6).astype(np.float32)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    spec = load(write(NET % ("regression", f"[flatten, dense: 1, {ending}]", path, "")))
    assert spec.train is not None
    graph, data = spec.graph(), matched(spec.train.dataset.load(), spec, spec.graph())
    said = of_data(data, graph, spec.heads(), spec.inputs)
    number = int(beyond(y).sum())
    expected = f"{number} of the 6 numbers of `label` lie {words} output `output`: it cannot reach them"
    assert said == ([expected] if words else [])


def test_what_a_bounded_output_cannot_make_again_is_noted(write: Write, tmp_path: Path) -> None:
    """Of pixels as the network is given them: bytes from 0 to 1, or less a mean, which sigmoid is never below."""
    x = np.random.default_rng(0).integers(0, 256, (300, 6, 6), np.uint8)
    np.savez(tmp_path / "x.npz", x_train=x, x_test=x)

    def said(scale: str) -> list[str]:
        spec = load(
            write(
                f"task: reconstruction\ninput: {{height: 6, width: 6, channels: 1{scale}}}\n"
                "layers: [{conv: {filters: 1, kernel: 1}}, sigmoid]\n"
                f"train: {{dataset: {{npz: {{path: {tmp_path / 'x.npz'}, inputs: x, targets: []}}}}}}\n"
            )
        )
        assert spec.train is not None
        data = matched(spec.train.dataset.load(), spec, spec.graph())
        return of_data(data, spec.graph(), spec.heads(), spec.inputs)

    assert said("") == []
    (note,) = said(", mean: [0.5], std: [0.25]")
    below = int((((x / 255) - 0.5) / 0.25 < 0).sum() + (((x / 255) - 0.5) / 0.25 > 1).sum())
    assert note.startswith(f"{below:,} of the 10,800 numbers of `input` lie outside 0 to 1")
