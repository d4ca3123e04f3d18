"""A run as an object: what it takes, what it says, and what it says where it cannot be used."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.cli import main
from archspec.data.npz import Npz
from archspec.diagnostics import SpecError
from archspec.inference.evaluating import dataset_override, evaluate
from archspec.inference.predicting import predict
from archspec.inference.predictions import Classes
from archspec.inference.run import Run
from archspec.loading import load

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def run(trained: Path) -> Run:
    return archspec.open(trained)


def test_a_run_has_what_it_was_made_of(run: Run, trained: Path) -> None:
    assert run.folder == trained and run.name == "net"
    assert run.graph.nodes == load(trained / "spec.yaml").graph().nodes
    assert run.classes == tuple("0123456789")
    assert run.params["s.c.kernel"].shape == (5, 5, 1, 4) and set(run.statistics) == {"s.n.mean", "s.n.var"}
    assert run.notes == ()
    assert repr(run) == f"<Run net: input 28×28×1 → 10 classes, 5,252 parameters, run in {trained}>"
    assert "<table" in run._repr_html_()


def test_one_image_in_every_form_has_one_answer(run: Run, pixels: np.ndarray, tmp_path: Path) -> None:
    image = pixels[123]
    Image.fromarray(image).save(tmp_path / "a.png")
    colours = np.stack([image] * 3, -1)
    clear = np.concatenate([colours, np.full((28, 28, 1), 255, np.uint8)], -1)
    forms: list[Any] = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        tmp_path,
        Image.fromarray(image),
        Image.fromarray(colours),
        image,
        image[..., None],
        image[None],
        image[None, ..., None],
        colours,
        clear,
        [image],
        (colours,),
        [Image.fromarray(image)],
        iter([tmp_path / "a.png"]),
        image.astype(np.float32) / 255,
        image[None, ..., None].astype(np.float64) / 255,
        {"input": image},
    ]
    wanted = jax.nn.softmax(run.network(jnp.asarray(image[None, ..., None], jnp.float32) / 255)["out"])
    for form in forms:
        found = run.predict(form)
        assert isinstance(found, Classes) and len(found) == 1
        assert np.allclose(found.probabilities, wanted, atol=1e-6), form
        assert found.labels == [str(int(wanted.argmax()))]
    (answer,) = predict(run.folder, [tmp_path / "a.png"], top=10)
    assert dict(answer.classes) == pytest.approx({str(place): float(share) for place, share in enumerate(wanted[0])})


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (np.zeros((2, 1, 28, 28), np.uint8), ValueError, r"channels first \(NCHW\): numpy.moveaxis\(x, 1, -1\)"),
        (np.zeros((28, 28), np.int64), TypeError, r"was given int64: `.astype\('uint8'\)` makes bytes"),
        (np.zeros((28, 28), bool), TypeError, r"was given bool: `.astype\('uint8'\) \* 255` makes black and white"),
        (np.array("a.png"), TypeError, "was given <U5, which is text: paths are given as they are, or in a list"),
        (np.zeros((28, 0), np.uint8), ValueError, r"images without pixels, \(28, 0\)"),
        (np.zeros((28, 28, 2), np.uint8), ValueError, r"takes images \(height, width, 1\) or a batch .* \(28, 28, 2\)"),
        (np.full((28, 28), 255.0), ValueError, r"run from 255 to 255, but `input.range` is 0 to 1: give bytes"),
        (np.full((28, 28), np.nan), ValueError, "not finite"),
        (np.zeros((28, 28, 3), np.float32), ValueError, "has 1 channel, and was given 3"),
        ([np.zeros((2, 28, 28, 1), np.uint8)], ValueError, "a batch is given as it is, without a list around it"),
        ([np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.float32)], TypeError, "give one of them"),
        (5, TypeError, "takes images: paths of files or folders, Pillow images, arrays of bytes .*, not an int"),
        ([], ValueError, "nothing is given for input `input`"),
        ({"left": np.zeros((28, 28), np.uint8)}, ValueError, "lacks input and has left"),
        ("no.png", SpecError, "no.png cannot be read"),
    ],
)
def test_what_is_no_image_is_told(run: Run, given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        run.predict(given)


def test_archives_are_read_as_in_training(run: Run, digits: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    """Those that were trained on, with their labels and however their parts and axes lie."""
    expected = run.predict(pixels[:8]).probabilities
    with pytest.warns(UserWarning, match="x is taken; y is not used"):
        assert np.allclose(run.predict(str(digits)).probabilities[:8], expected, atol=1e-6)
    parts = {"x_train": pixels[8:], "x_test": pixels[:8], "y_train": 0, "y_test": 1}
    for arrays, words in (
        (parts, "x_test is taken; x_train, y_train and y_test are not used"),
        ({"x": pixels[:8, None]}, "N×C×H×W and read as N×H×W×C"),
        ({"x": pixels[:8].astype(np.int64), "y": 1}, "int64 from 0 to 255, and taken as bytes"),
    ):
        np.savez(tmp_path / "other.npz", **arrays)
        with pytest.warns(UserWarning, match=words):
            assert np.allclose(run.predict(tmp_path / "other.npz").probabilities, expected, atol=1e-6)
    np.savez(tmp_path / "other.npz", a=pixels, b=pixels)
    with pytest.raises(SpecError, match="2 arrays: a and b; none is called x"):
        run.predict(tmp_path / "other.npz")


def test_images_of_other_sizes_are_scaled_and_that_is_said(run: Run) -> None:
    with pytest.warns(UserWarning, match="2 images of another size were scaled to 28×28, which `fit: exact` does not"):
        found = run.predict([np.zeros((40, 50), np.uint8), np.zeros((28, 28), np.uint8), np.zeros((9, 9), np.uint8)])
    assert len(found) == 3 and len(found.notes) == 1 and "scaled" in repr(found)


def test_predictions_can_be_taken_apart(run: Run, pixels: np.ndarray) -> None:
    found = run.predict(pixels[:40])
    assert (
        isinstance(found, Classes) and found.probabilities.shape == (40, 10) and found.outputs["out"].shape == (40, 10)
    )
    assert np.array_equal(found.classes, found.probabilities.argmax(-1))
    assert len(found[3:7]) == 4 and found[-1].names == ("39",) and [one.labels[0] for one in found] == found.labels
    assert found[np.int64(2)].names == found[2].names
    label, share = found[2].top(2)[0][0]
    assert label == found.labels[2] and share == found.probabilities[2].max()
    assert "… and 30 more" in repr(found)
    with pytest.raises(AttributeError, match="it has probabilities, scores, classes, labels and outputs"):
        found.masks  # noqa: B018
    # Batches are filled up, and what fills them is no answer.
    one = run.predict(pixels[:1])
    assert np.allclose(one.probabilities, found.probabilities[:1], atol=1e-6)
    assert np.allclose(run.predict(pixels[:40], batch_size=7).probabilities, found.probabilities, atol=1e-6)


def test_few_sizes_are_compiled(run: Run, pixels: np.ndarray) -> None:
    whole = run._forward.whole.function  # type: ignore[attr-defined]
    before = whole._cache_size()
    for number in (9, 11, 16, 30, 33):
        run.predict(pixels[:number])
    assert whole._cache_size() - before <= 1


def test_evaluation_is_that_of_training(run: Run, digits: Path) -> None:
    metrics = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    own = run.evaluate()
    assert own == evaluate(run.folder) == pytest.approx(metrics[-1]["validation"])
    # The same data under another name are no other data.
    for other in ({"npz": str(digits)}, {"npz": {"path": str(digits)}}, Npz(path=str(digits))):
        with pytest.warns(UserWarning, match=r"evaluated on 100 held-out samples of digits.npz, not on the run's own"):
            assert run.evaluate(other) == own
    with pytest.raises(TypeError, match="a name, a mapping as in YAML or a Dataset, not int"):
        run.evaluate(3)
    with pytest.raises(SpecError, match="`nonsense` is not a dataset"):
        run.evaluate("nonsense")


def test_activations_are_those_of_the_layers(run: Run, pixels: np.ndarray) -> None:
    found = run.activations(pixels[:20])
    assert list(found) == ["s.c", "s.n", "relu1", "flat", "drop", "out"]
    assert found["s.c"].shape == (20, 8, 8, 4) and np.array_equal(found["relu1"], np.maximum(found["s.n"], 0))
    assert np.allclose(found["out"], run.predict(pixels[:20]).outputs["out"], atol=1e-5)
    assert list(run.activations(pixels[0], ["s", "out"])) == ["s.c", "s.n", "out"]
    assert list(run.activations(pixels[0], "*.c")) == ["s.c"]
    with pytest.raises(ValueError, match="aux is there in training alone"):
        run.activations(pixels[0], "aux")
    with pytest.raises(ValueError, match=r"no layer `s\.x`; did you mean `s\.[cn]`"):
        run.activations(pixels[0], "s.x")


def test_apply_is_pure(run: Run, pixels: np.ndarray) -> None:
    x = run.preprocess(pixels[:8])
    assert x.shape == (8, 28, 28, 1) and x.dtype == jnp.float32 and float(x.max()) <= 1
    params, statistics = run.params, run.statistics
    compiled = jax.jit(run.apply)
    assert np.allclose(compiled(params, statistics, x)["out"], run.network(x)["out"], atol=1e-6)

    def loss(params: Any) -> Any:
        outputs, after = run.apply(params, statistics, x, train=True, key=jax.random.key(0))
        assert set(outputs) == {"out", "aux"} and set(after) == set(statistics)
        return sum(value.sum() for value in outputs.values())

    gradients = jax.grad(loss)(params)
    assert set(gradients) == set(params) and all(np.isfinite(value).all() for value in gradients.values())
    one = jax.vmap(lambda image: run.apply(params, statistics, image[None])["out"][0])(x)
    assert np.allclose(one, run.network(x)["out"], atol=1e-5)


def test_training_its_network_leaves_the_run_alone(trained: Path, pixels: np.ndarray) -> None:
    run = archspec.open(trained)
    before = run.predict(pixels[:4]).probabilities
    run.network.train()
    run.network(run.preprocess(pixels[:8]), key=jax.random.key(0))
    kernel = run.network.at(("out",)).kernel
    kernel.set_value(kernel[...] * 0)
    assert np.array_equal(run.predict(pixels[:4]).probabilities, before)
    assert np.array_equal(archspec.open(trained).params["out.kernel"], run.params["out.kernel"])


def test_what_is_no_run_is_told(trained: Path, tmp_path: Path, write: Write) -> None:
    def said(folder: Path) -> str:
        with pytest.raises(SpecError) as error:
            archspec.open(folder)
        return str(error.value)

    assert "nowhere is no folder" in said(tmp_path / "nowhere")
    assert "holds no run: it has no spec.yaml" in said(tmp_path)
    text = said(write("input: {features: 3}\nlayers: [{dense: 2}]"))
    assert "`archspec.load` reads a spec" in text and "net.yaml` makes a run" in text
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    shutil.rmtree(copy / "checkpoints")
    assert "copy has no checkpoint yet" in said(copy)
    text = (copy / "spec.yaml").read_text()
    (copy / "spec.yaml").write_text(text.replace("- relu:", "- my_layer:"))
    assert "my_layer" in said(copy)
    (copy / "spec.yaml").write_text("][")
    assert "E10" in said(copy)


def test_a_damaged_checkpoint_is_told_of_when_it_is_read(trained: Path, tmp_path: Path, pixels: np.ndarray) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    for file in (copy / "checkpoints").rglob("*"):
        if file.is_file():
            file.write_bytes(b"nothing")
    run = archspec.open(copy)
    with pytest.raises(SpecError, match="E513"):
        run.predict(pixels[0])


def test_a_moved_run_says_what_it_lacks(
    digits: Path, tmp_path: Path, pixels: np.ndarray, capsys: pytest.CaptureFixture[str], trained: Path
) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "elsewhere" / "copy"))
    text = (copy / "spec.yaml").read_text().replace(str(digits), "/gone/digits.npz")
    (copy / "spec.yaml").write_text(text.replace("\ntrain:\n", "\ntrain:\n  init_from: {path: /gone/before}\n"))
    run = archspec.open(copy)
    assert any("what it began with is not here, /gone/before; only training anew" in note for note in run.notes)
    assert any("its data are not here: there is no file /gone/digits.npz; evaluate(dataset=…)" in n for n in run.notes)
    assert len(run.predict(pixels[:2])) == 2
    with pytest.raises(SpecError, match=r"--set train.dataset.npz.path=PATH says where they are now"):
        run.evaluate()
    assert main(["eval", str(copy)]) == 1
    assert "--set train.dataset.npz.path=PATH" in capsys.readouterr().err
    assert main(["eval", str(copy), "--set", f"train.dataset.npz.path={digits}"]) == 0
    found = capsys.readouterr()
    assert "evaluated on 100 held-out samples of digits.npz" in found.err
    with warnings.catch_warnings(record=True):
        assert f"loss {evaluate(trained)['loss']:.4f}" in found.out


def test_data_that_changed_since_are_told_of(trained: Path, tmp_path: Path, digits: Path) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    with np.load(digits) as file:
        np.savez(tmp_path / "digits.npz", x=file["x"][::-1], y=file["y"][::-1])
    (copy / "spec.yaml").write_text((copy / "spec.yaml").read_text().replace(str(digits), str(tmp_path / "digits.npz")))
    notes: list[str] = []
    evaluate(copy, notes=notes)
    assert any("is not what the run was trained on: its samples or their order have changed" in note for note in notes)
    notes.clear()
    evaluate(trained, notes=notes)
    assert not notes


@pytest.mark.parametrize("path", ["train.epochs=3", "input.height=32", "layers.out.units=11", "train.loss=hinge"])
def test_eval_changes_the_data_alone(trained: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(trained), "--set", path]) == 1
    assert "is part of what was trained, so it cannot be set for an evaluation" in capsys.readouterr().err


def test_eval_takes_other_metrics(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(trained), "--set", "train.metrics=[macro_f1]", "--format", "json"]) == 0
    found = capsys.readouterr()
    assert {"top1", "macro_f1"} <= set(json.loads(found.out)) and "own data" not in found.err


@pytest.mark.slow
def test_eval_computes_in_16_bits_where_asked(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = []
    for precision in ("float32", "bfloat16"):
        assert main(["eval", str(trained), "--precision", precision, "--format", "json"]) == 0
        found = capsys.readouterr()
        losses.append(json.loads(found.out)["loss"])
        assert ("computed in bfloat16" in found.err) == (precision == "bfloat16")
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.02)
    assert archspec.open(trained, precision="bfloat16").evaluate()["loss"] == losses[1]


@pytest.mark.slow
def test_labels_of_other_data_go_by_the_names_of_their_classes(
    trained: Path, tmp_path: Path, pixels: np.ndarray, digits: Path
) -> None:
    """Folders of a few classes, named as the run's are, whose numbers would be others."""
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    names = [f"digit {number}" for number in range(10)]
    result = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps({**result, "classes": names}))
    with np.load(digits) as file:
        labels = file["y"]
    for part in ("train", "test"):
        for number in (3, 7):
            folder = tmp_path / "photos" / part / f"digit {number}"
            folder.mkdir(parents=True)
            for place in np.flatnonzero(labels == number)[:20]:
                Image.fromarray(pixels[place]).save(folder / f"{place}.png")
    run = archspec.open(copy)
    dataset = {"image_folder": {"path": str(tmp_path / "photos"), "grey": True}}
    with pytest.warns(UserWarning, match="taken by the names of their classes: it has 2 of the 10"):
        metrics = run.evaluate(dataset)
    chosen = np.concatenate([np.flatnonzero(labels == number)[:20] for number in (3, 7)])
    assert metrics["top1"] == pytest.approx(np.mean(run.predict(pixels[chosen]).classes == labels[chosen]))
    text = (copy / "spec.yaml").read_text()
    (copy / "spec.yaml").write_text(text.replace("label_smoothing: 0.0", "class_weights: median_frequency"))
    notes: list[str] = []
    evaluate(copy, overrides=[dataset_override(dataset)], notes=notes)
    assert "what the loss takes from labels, it takes from the training part of photos" in notes
    (tmp_path / "photos" / "test" / "digit 3").rename(tmp_path / "photos" / "test" / "cat")
    (tmp_path / "photos" / "train" / "digit 3").rename(tmp_path / "photos" / "train" / "cat")
    with pytest.raises(SpecError, match="has 1 class that the network was not trained on: cat"):
        run.evaluate(dataset)


def test_an_import_is_used_in_the_same_way(
    trained: Path, run: Run, tmp_path: Path, pixels: np.ndarray, digits: Path
) -> None:
    file, folder, spec = str(tmp_path / "w.safetensors"), tmp_path / "imported", tmp_path / "net.yaml"
    assert main(["weights", "export", str(trained), file]) == 0
    text = (trained.parent / "net.yaml").read_text()
    spec.write_text(text[: text.index("train:")])
    assert main(["weights", "import", str(spec), file, "-o", str(folder)]) == 0
    imported = archspec.open(folder)
    assert "imported weights in" in repr(imported) and imported.notes == ()
    found = imported.predict(pixels[:3])
    assert np.allclose(found.outputs["out"], run.predict(pixels[:3]).outputs["out"], atol=1e-6)
    with pytest.raises(SpecError, match="nothing to evaluate on"):
        imported.evaluate()
    with pytest.warns(UserWarning, match="evaluated on 100 held-out samples") as said:
        assert imported.evaluate({"npz": str(digits)}) == pytest.approx(run.evaluate(), rel=1e-5)
    assert {Path(warning.filename).name for warning in said} == {"test_run.py"}
    (folder / "weights.safetensors").unlink()
    with pytest.raises(SpecError, match=r"weights\.safetensors cannot be read"):
        archspec.open(folder)


def test_wildcard_imports_keep_pythons_open() -> None:
    names: dict[str, Any] = {}
    exec("from archspec import *", names)
    assert "open" not in names and "train" in names and "open" in dir(archspec)


@pytest.mark.parametrize("transform", [jax.jit, pytest.param(jax.vmap, marks=pytest.mark.slow), jax.grad])
def test_a_run_may_first_be_used_while_a_function_is_transformed(trained: Path, transform: Any) -> None:
    """What it keeps belongs to no trace: it is used again afterwards."""
    run = archspec.open(trained)
    x = jnp.ones((1, 28, 28, 1))
    total = transform(lambda x: sum(y.sum() for y in jax.tree.leaves(run.network(x.reshape(1, 28, 28, 1)))))
    assert np.isfinite(total(x)).all()
    run.network.train()
    run.network.eval()
    jax.tree.map(np.testing.assert_array_equal, run.apply(run.params, run.statistics, x), run.network(x))
