"""What training prints, against counting by hand: over which labels, of which output, as whose mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.data import Orders
from archspec.diagnostics import SpecError
from archspec.loading import load
from archspec.training import feeding
from archspec.training.notes import of_average
from archspec.training.result import Result
from archspec.training.run import train
from archspec.training.steps import make_steps

Write = Callable[..., Path]

STILL = "optimiser: {sgd: {learning_rate: 1.0e-9}}"
"""A learning rate that leaves the weights as they are."""


def same_data(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    """A dataset whose held-out part is the one to train on."""
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return path


def run(write: Write, tmp_path: Path, text: str) -> Result:
    return train(load(write(text)), tmp_path / "run", progress=False)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)


def test_each_labelled_pixel_counts_the_same(write: Write, tmp_path: Path) -> None:
    """One image has one labelled pixel, the other 64; what is right in one is wrong in the other."""
    labels = np.full((2, 8, 8), -1, np.int8)
    labels[0, 3, 4] = 0
    labels[1] = 1
    data = same_data(tmp_path / "two.npz", np.full((2, 8, 8, 1), 200, np.uint8), labels)
    result = run(
        write,
        tmp_path,
        f"""
task: segmentation
input: {{height: 8, width: 8, channels: 1}}
layers: [conv: {{filters: 2, kernel: 1}}]
train: {{dataset: {{npz: {data}}}, batch_size: 1, epochs: 1, {STILL}}}
""",
    )
    found = result.metrics[0]
    chosen = int(jnp.argmax(200 / 255 * result.params["conv1.kernel"][0, 0, 0] + result.params["conv1.bias"]))
    assert found["train"]["accuracy"] == pytest.approx((1 / 65, 64 / 65)[chosen])
    assert found["validation"]["pixel_accuracy"] == pytest.approx(found["train"]["accuracy"])
    logits = 200 / 255 * result.params["conv1.kernel"][0, 0, 0] + result.params["conv1.bias"]
    each = -jax.nn.log_softmax(logits)
    assert found["train"]["loss"] == pytest.approx(float((each[0] + 64 * each[1]) / 65), rel=1e-5)
    assert found["validation"]["loss"] == pytest.approx(found["train"]["loss"], rel=1e-6)


@pytest.mark.parametrize("loss", ["", "label_smoothing: 0.2", "class_weights: [1, 5, 0.5], label_smoothing: 0.1"])
def test_training_and_held_out_figures_are_the_same_quantity(write: Write, tmp_path: Path, loss: str) -> None:
    labels = np.array([0] * 5 + [1] * 2 + [2] * 6)
    data = same_data(tmp_path / "few.npz", pictures(13), labels)
    result = run(
        write,
        tmp_path,
        f"""
input: {{height: 8, width: 8, channels: 1}}
layers:
  - flatten: {{name: flat}}
  - dense: {{name: main, units: 3}}
  - dense: {{name: side, units: 3, from: flat}}
  - dense: {{name: late, units: 3, from: flat}}
outputs: {{aux: {{from: side, weight: 0.3, train_only: true}}, logits: {{from: main, weight: 0.5}}, late: late}}
train:
  dataset: {{npz: {data}}}
  batch_size: 4
  epochs: 1
  {STILL}
  loss: {{cross_entropy: {{{loss}}}}}
""",
    )
    trained, held = result.metrics[0]["train"], result.metrics[0]["validation"]
    assert trained["loss"] == pytest.approx(held["loss"], rel=1e-5)
    assert trained["accuracy"] == pytest.approx(held["top1"])
    assert set(trained["heads"]) == {"aux", "logits", "late"}
    assert set(held["heads"]) == {"logits", "late"}
    assert trained["heads"]["logits"] == trained["loss"]
    for name in held["heads"]:
        assert trained["heads"][name] == pytest.approx(held["heads"][name], rel=1e-5)
    weighed = 0.3 * trained["heads"]["aux"] + 0.5 * trained["heads"]["logits"] + trained["heads"]["late"]
    assert trained["objective"] == pytest.approx(weighed)
    assert len({round(value, 4) for value in trained["heads"].values()}) == 3


@pytest.mark.parametrize(("count", "batch", "steps"), [(191, 96, 2), (192, 96, 2), (193, 96, 3), (5, 4, 2), (7, 7, 1)])
def test_every_sample_trains_once_an_epoch(count: int, batch: int, steps: int) -> None:
    order = feeding.epoch_order(0, 1, count, batch)
    assert order.shape == (steps, batch)
    assert Orders(0, count, batch).steps == steps
    flat = order.reshape(-1)
    assert sorted(flat[flat >= 0]) == list(range(count))
    assert (flat[:count] >= 0).all()
    assert set(~flat[count:]) <= set(flat[:batch])


FILLED = """
input: {height: 8, width: 8, channels: 1}
layers: [conv: {filters: 4, kernel: 3}, %s relu, flatten, dense: 3]
train: {dataset: mnist5k, batch_size: 4, epochs: 1, optimiser: {sgd: 0.1}}
"""


def test_what_fills_up_a_batch_changes_nothing_but_its_statistics(write: Write) -> None:
    images, labels = pictures(4), np.array([0, 2, 1, 1], np.int32)

    def after(text: str, images: np.ndarray, labels: np.ndarray) -> tuple[Any, Any]:
        steps = make_steps(load(write(text)), 1)
        index = jnp.arange(len(images), dtype=jnp.int32)
        batch = feeding.Batch({"input": jnp.asarray(images)}, {"label": jnp.asarray(labels)}, index)
        return steps.train(steps.initial(None), batch)

    for normalised in (False, True):
        text = FILLED % ("batch_norm," if normalised else "")
        filled, figures = after(text, images, np.array([0, 2, 1, -1], np.int32))
        alone, own = after(text, images[:3], labels[:3])
        assert [int(part["running"]["labels"]) for part in (figures, own)] == [3, 3]
        same = all(np.allclose(filled["params"][name], alone["params"][name], atol=1e-6) for name in filled["params"])
        assert same is not normalised
        if normalised:
            whole, _ = after(text, images, labels)
            for name, value in filled["statistics"].items():
                assert np.array_equal(value, whole["statistics"][name])
        else:
            assert float(figures["losses"][0]) == pytest.approx(float(own["losses"][0]), rel=1e-5)


def test_a_rest_is_trained_and_counted(write: Write, tmp_path: Path) -> None:
    data = same_data(tmp_path / "rest.npz", pictures(191), np.arange(191) % 3)
    text = FILLED.replace("%s ", "").replace("mnist5k", f"{{npz: {data}}}")
    result = run(write, tmp_path, text.replace("batch_size: 4", "batch_size: 96").replace("sgd: 0.1", "sgd: 1.0e-9"))
    (record,) = result.metrics
    assert record["step"] == 2
    assert record["train"]["accuracy"] == pytest.approx(record["validation"]["top1"])
    assert record["train"]["loss"] == pytest.approx(record["validation"]["loss"], rel=1e-5)
    times = json.loads((result.folder / "times.jsonl").read_text())
    assert times["images_per_second"] == pytest.approx(191 / times["seconds"], rel=0.05, abs=2)


def notes(write: Write, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    train(load(write(text)), tmp_path / "run", overwrite=True)
    return [line.removeprefix("note: ") for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]


@pytest.mark.slow
def test_what_is_never_seen_is_said(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = FILLED.replace("%s ", "batch_norm, ").replace("mnist5k", f"{{npz: {tmp_path / 'x.npz'}}}")
    labels = np.array([0, 2, 2, 0, 2, 0, 2])
    np.savez(tmp_path / "x.npz", x_train=pictures(7), y_train=labels, x_test=pictures(2), y_test=labels[1:3])
    said = notes(write, tmp_path, text, capsys)
    assert said[1:3] == [
        "x.npz has no image to train on of 1 class: 1",
        "x.npz has no image held out of 2 classes: 0 and 1",
    ]
    assert said[-1] == (
        "7 samples in steps of 4: an epoch's last step trains on 3, and 1 that was trained on already fills it up, for "
        "batch normalisation's statistics alone"
    )
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["notes"] == said
    weighed = text.replace("epochs: 1", "epochs: 1, loss: {cross_entropy: {class_weights: [0, 1, 1]}}")
    assert "1 of the 3 classes has the weight 0 in the loss: 0" in notes(write, tmp_path, weighed, capsys)
    said = notes(write, tmp_path, text.replace("batch_size: 4", "batch_size: 400"), capsys)
    assert said[-1:] == ["batch_size is 400, but there are 7 samples to train on: a step has all of them"]
    assert not any("it up" in note for note in said)


@pytest.mark.parametrize(
    ("ema", "epochs", "share"),
    [("0.9", 1, "81 %"), ("0.9", 21, "1.2 %"), ("0.9", 22, None), ("{decay: 0.9, warmup: true}", 1, None)],
)
def test_an_average_of_the_first_weights_is_said(write: Write, ema: str, epochs: int, share: str | None) -> None:
    """Of 7 samples in batches of 4 an epoch has 2 steps: 0.9² = 0.81, 0.9⁴² = 0.0120, 0.9⁴⁴ = 0.0097."""
    text = FILLED.replace("%s ", "").replace("epochs: 1", f"epochs: {epochs}, ema: {ema}")
    recipe = load(write(text)).train
    assert recipe is not None
    said = of_average(recipe, 7)
    assert bool(said) == (share is not None) and all(f": {share} of the average" in note for note in said)


@pytest.mark.slow
def test_one_sample_a_step_before_batch_normalisation(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "x.npz", x_train=pictures(1), y_train=[0], x_test=pictures(2), y_test=[0, 1])
    text = f"""
input: {{height: 8, width: 8, channels: 1}}
layers: [conv: {{filters: 4, kernel: 3}}, batch_norm, global_avg_pool, batch_norm, dense: 2]
train: {{dataset: {{npz: {tmp_path / "x.npz"}}}, batch_size: 8, epochs: 1}}
"""
    said = notes(write, tmp_path, text, capsys)
    assert "batch_size is 8, but there is 1 sample to train on: a step has all of them" in said
    assert "batch normalisation over one value, which makes it 0, in batch_norm2: a step has one sample" in said


def test_labels_of_which_none_counts_are_refused(write: Write, tmp_path: Path) -> None:
    labels = np.zeros((3, 8, 8), np.int8)
    labels[2, 0, 0] = 1
    text = """
task: segmentation
input: {height: 8, width: 8, channels: 1}
layers: [conv: {filters: 2, kernel: 1}]
train: {dataset: {npz: %s}, epochs: 1}
"""
    for part, words in (("train", "to train on"), ("test", "held out")):
        given = {"y_train": labels, "y_test": labels, f"y_{part}": np.full((3, 8, 8), -1, np.int8)}
        np.savez(tmp_path / "void.npz", x_train=pictures(3), x_test=pictures(3), **given)
        with pytest.raises(SpecError) as error:
            run(write, tmp_path, text % (tmp_path / "void.npz"))
        (item,) = error.value.diagnostics
        assert item.code == "E507"
        assert f"{words} counts" in item.message
        assert item.primary is not None


def test_a_loss_of_nothing_is_no_number(write: Write, tmp_path: Path) -> None:
    """Held-out labels whose class has no weight: there is an accuracy, but no mean loss."""
    np.savez(tmp_path / "x.npz", x_train=pictures(4), y_train=[0, 1, 1, 0], x_test=pictures(2), y_test=[0, 0])
    text = (
        FILLED.replace("%s ", "").replace("mnist5k", f"{{npz: {tmp_path / 'x.npz'}}}").replace("dense: 3", "dense: 2")
    )
    result = run(
        write, tmp_path, text.replace("epochs: 1", "epochs: 1, loss: {cross_entropy: {class_weights: [0, 1]}}")
    )
    assert result.validation["loss"] is None
    assert 0 <= result.accuracy <= 1


def broken(write: Write, tmp_path: Path, text: str) -> str:
    with pytest.raises(SpecError) as error:
        run(write, tmp_path, text)
    (item,) = error.value.diagnostics
    assert item.code == "E520"
    metrics = tmp_path / "run" / "metrics.jsonl"
    for line in metrics.read_text().splitlines() if metrics.exists() else ():
        json.loads(line, parse_constant=pytest.fail)
    return item.message


@pytest.mark.slow
def test_weights_that_break_in_an_epochs_last_step(write: Write, tmp_path: Path) -> None:
    data = same_data(tmp_path / "x.npz", pictures(4), np.array([0, 1, 2, 1]))
    text = FILLED.replace("%s ", "").replace("mnist5k", f"{{npz: {data}}}")
    for rate, words in (
        ("1.0e+38", "after epoch 1 the held-out loss is not finite, among the samples 0 to 3; the first layer"),
        ("3.0e+38, momentum: 0.9, weight_decay: 100.0", "after step 1, the last of epoch 1, "),
    ):
        message = broken(write, tmp_path, text.replace("sgd: 0.1", f"sgd: {{learning_rate: {rate}}}"))
        assert message.startswith(words)
        assert "there is no checkpoint yet" in message
    assert "dense1.kernel" in message


@pytest.mark.slow
def test_a_failing_step_is_done_again_as_it_was(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An augmentation that leaves the range of numbers in the second step; without it every layer is finite."""
    from archspec.training import steps

    def augmented(inputs: Any, targets: Any, *_: Any, **__: Any) -> Any:
        x = inputs["input"]
        huge = x.max((1, 2, 3), keepdims=True) > 0.9
        return {"input": jnp.where(huge, x * 3e38, x)}, targets

    monkeypatch.setattr(steps, "augmented", augmented)
    images = np.full((8, 8, 8, 1), 100, np.uint8)
    order = feeding.epoch_order(0, 1, 8, 4)
    images[order[1, 2]] = 255
    data = same_data(tmp_path / "x.npz", images, np.arange(8) % 3)
    text = FILLED.replace("%s ", "").replace("mnist5k", f"{{npz: {data}}}")
    text = text.replace("relu, flatten", "relu, flatten, dense: 100, dense: 100").replace(
        "epochs: 1", "epochs: 1, augment: horizontal_flip"
    )
    message = broken(write, tmp_path, text)
    assert "at step 2 (epoch 1)" in message
    assert "the first layer whose output is not finite is conv1" in message


def test_images_that_are_not_finite_are_named(write: Write) -> None:
    from archspec.training.failure import first_broken_layer

    spec = load(write(FILLED.replace("%s ", "")))
    steps = make_steps(spec, 1)
    state = steps.initial(None)
    x = jnp.ones((4, 8, 8, 1)).at[2, 0, 0, 0].set(jnp.nan)
    network = steps.pure.merge(state["params"], state["statistics"])
    assert "number 3 of 4" in first_broken_layer(spec.graph(), network, x, None)
    assert "the loss itself" in first_broken_layer(spec.graph(), network, jnp.ones((4, 8, 8, 1)), None)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.\nmore"),
            "E902",
            "99 bytes",
        ),
        (MemoryError("Unable to allocate 7 GiB"), "E902", "7 GiB"),
        (jax.errors.JaxRuntimeError("INTERNAL: the device is lost\nmore"), "E522", "the device is lost"),
    ],
)
def test_what_jax_raises_becomes_a_sentence(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, words: str
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(feeding.DeviceFeed, "batches", fails)
    data = same_data(tmp_path / "x.npz", pictures(3), np.arange(3))
    with pytest.raises(SpecError) as found:
        run(write, tmp_path, FILLED.replace("%s ", "").replace("mnist5k", f"{{npz: {data}}}"))
    (item,) = found.value.diagnostics
    assert item.code == code
    assert words in item.message
    assert "more" not in item.message
    assert ("batch_size" in item.help[0]) is (code == "E902")
    # What is of no use is not in the way of the next attempt.
    assert not (tmp_path / "run").exists()


def test_too_large_an_array_for_xla_is_no_traceback() -> None:
    from archspec.training.boundary import in_words

    with pytest.raises(SpecError) as found, in_words("less"):
        jax.block_until_ready(jax.jit(lambda: jnp.zeros((2**20, 2**20), jnp.float32))())
    assert found.value.diagnostics[0].code == "E902"
    assert found.value.diagnostics[0].help == ("less",)


def test_advice_where_one_sample_is_too_much_names_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.figures.memory import inference
    from archspec.loading import load
    from archspec.training import boundary

    graph = load("lenet5").graph()
    one = inference(graph).at(1)
    monkeypatch.setattr(boundary, "machine_memory", lambda: one)
    assert boundary.what_needs_less(graph, inference(graph), "smaller") == ["smaller"]
    monkeypatch.setattr(boundary, "machine_memory", lambda: one - 1)
    first, second = boundary.what_needs_less(graph, inference(graph), "smaller")
    assert f"one sample of 32×32×1 alone needs {one / 2**30:.4g} GiB" in first
    assert "--input" in second


def test_predicting_out_of_memory_names_what_one_sample_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from archspec.inference import evaluating, predicting
    from archspec.loading import load
    from archspec.training import boundary

    def fails(*_: Any) -> Any:
        raise MemoryError

    (tmp_path / "spec.yaml").write_text(load("lenet5").to_yaml())
    monkeypatch.setattr(predicting, "_answers", fails)
    monkeypatch.setattr(evaluating, "restored", fails)
    for memory, words in ((1, "one sample of 32×32×1 alone needs"), (10**15, "a machine with more memory")):
        monkeypatch.setattr(boundary, "machine_memory", lambda memory=memory: memory)
        for function in (evaluating.evaluate, lambda path: predicting.predict(path, [])):
            with pytest.raises(SpecError) as found:
                function(tmp_path)
            (item,) = found.value.diagnostics
            assert item.code == "E902" and words in item.help[0]
