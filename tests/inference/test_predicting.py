"""Predictions for files of every task and every kind of input, as the command line gives them."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.cli import main
from archspec.inference.forward import BATCH
from archspec.inference.predicting import predict
from archspec.inference.predictions import Classes, Labels, Masks, Numbers, Remade
from archspec.loading import load
from archspec.lower import build, split
from archspec.lowerings.choosing import BY_LIBRARY, Lowerings
from archspec.runs.imports import write_import
from archspec.runs.owner import take
from archspec.training.run import train
from archspec.weights.files import write_tensors

Write = Callable[..., Path]
Import = Callable[..., Path]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Makes a folder of a spec with weights that are drawn for it: as good as a run to whoever asks it something."""

    def made(text: str, classes: Sequence[str] = (), **kernels: np.ndarray) -> Path:
        path, folder = tmp_path / "net.yaml", tmp_path / "net"
        path.write_text("archspec: 1\nname: net\n" + text)
        spec = load(path)
        _, params, statistics = split(build(spec.graph(), seed=1))
        arrays = {name: np.asarray(value) for name, value in {**params, **statistics}.items()}
        arrays |= {f"{name}.kernel": value for name, value in kernels.items()}
        owner = take(folder, "import")
        write_import(owner, spec.to_yaml(), lambda file: write_tensors(file, arrays, {}), {}, classes, {})
        owner.release()
        return folder

    return made


def answers(capsys: pytest.CaptureFixture[str], *command: Any) -> list[dict[str, Any]]:
    assert main(["predict", *map(str, command), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["diagnostics"]
    return list(found["answers"])


def image(path: Path, *size: int) -> np.ndarray:
    pixels = np.random.default_rng(sum(size)).integers(0, 256, size, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


PAIR = """
inputs: {left: {height: 6, width: 8, channels: 1}, number: {features: 3}}
layers:
  - flatten: {name: f, from: left}
  - concat: {name: both, from: [f, number]}
  - dense: {name: last, units: 4}
outputs: {out: last}
"""


def test_several_inputs_go_by_their_names(imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = imported(PAIR, ["a", "b", "c", "d"])
    pixels = np.stack([image(tmp_path / f"{name}.png", 6, 8) + place for place, name in enumerate("pq")]).astype(
        np.uint8
    )
    for name, own in zip("pq", pixels, strict=True):
        Image.fromarray(own).save(tmp_path / f"{name}.png")
    numbers = np.array([[0.5, 1, 2], [3, 4, 5]])
    np.savetxt(tmp_path / "n.csv", numbers, delimiter=",", header="x,y,z", comments="")
    run = archspec.open(folder)
    wanted = run.predict({"left": pixels, "number": numbers})
    x = {"left": pixels[..., None] / np.float32(255), "number": numbers}
    assert np.allclose(wanted.outputs["out"], run.network(x), atol=1e-5)
    np.savez(tmp_path / "both.npz", left=pixels, number=numbers, label=[0, 1])
    files = [f"left={tmp_path}/p.png", f"left={tmp_path}/q.png", f"number={tmp_path}/n.csv"]
    for given in (files, [tmp_path / "both.npz"]):
        found = answers(capsys, folder, *given, "--top", 1)
        best = [[answer["classes"][0]["class"], answer["classes"][0]["probability"]] for answer in found]
        assert [label for label, _ in best] == wanted.labels
        assert [share for _, share in best] == pytest.approx(wanted.probabilities.max(1).tolist())
    assert found[1]["inputs"] == {"left": f"{tmp_path}/both.npz[1]", "number": f"{tmp_path}/both.npz[1]"}
    (tmp_path / "t.csv").write_text("a,b,place\n1,2,3\n1,2,south\n")
    for given, said in (
        ([tmp_path / "p.png"], "of which input is"),
        ([f"lefd={tmp_path}/p.png"], "did you mean `left`?"),
        ([files[0], f"number={tmp_path}/t.csv"], "t.csv: line 3 has 'south', and the network takes numbers"),
        ([f"left={tmp_path}/p.png"], "nothing is given for input `number`\n  = help: number=FILE, beside"),
        ([files[0], f"number={tmp_path}/none.csv"], "none.csv cannot be read: No such file or directory"),
        (files[1:], "each input needs as many samples as the others: there are 1 sample of `left`, 2 samples of"),
    ):
        assert main(["predict", str(folder), *map(str, given)]) == 1
        assert said in capsys.readouterr().err
    np.savez(tmp_path / "half.npz", left=pixels)
    assert main(["predict", str(folder), str(tmp_path / "half.npz")]) == 1
    assert "has no array `number`; it has left" in capsys.readouterr().err


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sound_is_read_from_wav_files(
    imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    folder = imported("input: {length: 50, channels: 2}\nlayers: [flatten, {dense: {name: out, units: 3}}]")
    wanted = np.random.default_rng(0).integers(-128, 128, (50, 2)) / 128
    whole = np.round(wanted * 2 ** (8 * width - 1)).astype(np.int64) + (128 if width == 1 else 0)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, width, 8000, 50, "NONE", "not compressed"))
        file.writeframes(b"".join(int(n).to_bytes(width, "little", signed=width > 1) for n in whole.reshape(-1)))
    np.save(tmp_path / "a.npy", wanted)
    (tmp_path / "a.json").write_text(json.dumps(wanted.tolist()))
    run = archspec.open(folder)
    for name in ("a.wav", "a.npy", "a.json"):
        assert np.array_equal(run.preprocess(tmp_path / name)[0], wanted.astype(np.float32))
        (answer,) = answers(capsys, folder, tmp_path / name)
        assert answer["sample"] == str(tmp_path / name)
    np.save(tmp_path / "turned.npy", wanted.T)
    assert main(["predict", str(folder), str(tmp_path / "turned.npy")]) == 1
    said = capsys.readouterr().err
    assert "takes numbers (length 50, channels 2), or several such" in said and "with channels first" in said
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    assert main(["predict", str(folder), str(tmp_path / "b.wav")]) == 1
    assert "b.wav cannot be read" in capsys.readouterr().err


def test_arrays_of_images_lie_in_npy_files(
    imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = imported("input: {height: 6, width: 8, channels: 1}\nlayers: [flatten, {dense: {name: out, units: 3}}]")
    pixels = np.stack([image(tmp_path / "p.png", 6, 8)] * 3)
    np.save(tmp_path / "images.npy", pixels)
    found = answers(capsys, folder, tmp_path / "images.npy", tmp_path / "p.png")
    assert [answer["image"] for answer in found][2:] == [f"{tmp_path}/images.npy[2]", f"{tmp_path}/p.png"]
    assert len({json.dumps(answer["classes"]) for answer in found}) == 1


def test_the_labels_that_are_there(imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["cat", "dog", "bird"]
    folder = imported(
        "task: multi_label\ninput: {features: 4}\nlayers: [{dense: {name: last, units: 3}}]\noutputs: {out: last}",
        names,
    )
    given = np.array([[9.0, -3, 2, 4], [0, 0, 0, 0]])
    np.savetxt(tmp_path / "x.csv", given, delimiter=",")
    found = archspec.open(folder).predict(given)
    assert isinstance(found, Labels)
    wanted = 1 / (1 + np.exp(-found.outputs["out"].astype(np.float64)))
    assert np.allclose(found.probabilities, wanted, atol=1e-6)
    for least in (0.5, 0.4, 0.999):
        order = [[names[k] for k in np.argsort(-row) if row[k] > least] for row in wanted]
        rows = answers(capsys, folder, tmp_path / "x.csv", "--threshold", least)
        assert [[item["label"] for item in row["labels"]] for row in rows] == order
        if least == 0.5:
            assert found.labels == order
    assert main(["predict", str(folder), str(tmp_path / "x.csv"), "--threshold", "0.999"]) == 0
    assert "x.csv[1]: no label" in capsys.readouterr().out


@pytest.mark.parametrize("task", ["classification", "multi_label"])
def test_losses_that_make_no_probabilities_have_scores(
    imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    text = f"task: {task}\ninput: {{features: 4}}\nlayers: [{{dense: {{name: last, units: 3}}}}]\n"
    folder = imported(f"{text}outputs: {{out: last}}\ntrain: {{loss: hinge}}", ["a", "b", "c"])
    given = np.eye(4)[:2] * 5
    np.save(tmp_path / "x.npy", given)
    found = archspec.open(folder).predict(given)
    assert isinstance(found, Labels if task == "multi_label" else Classes)
    assert np.array_equal(found.scores, found.outputs["out"]) and not found.likely
    with pytest.raises(AttributeError, match="makes no probabilities of its numbers: `scores` has them"):
        found.probabilities  # noqa: B018
    rows = answers(capsys, folder, tmp_path / "x.npy")
    key = "labels" if task == "multi_label" else "classes"
    assert [[item["score"] for item in row[key]] for row in rows] == [
        sorted((float(n) for n in row if task == "classification" or n > 0), reverse=True) for row in found.scores
    ]
    assert main(["predict", str(folder), str(tmp_path / "x.npy")]) == 0
    assert "%" not in capsys.readouterr().out + repr(found)


def test_numbers_are_given_with_their_names(
    imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = imported(
        "task: regression\ninput: {features: 4}\nlayers: [{dense: {name: d, units: 1}}]\noutputs: {angle: {from: d}}"
    )
    np.save(tmp_path / "x.npy", np.ones((2, 4)))
    found = archspec.open(folder).predict(np.ones((2, 4)))
    assert isinstance(found, Numbers) and found.values.shape == (2, 1)
    wanted = float(found.outputs["angle"][0, 0])
    rows = answers(capsys, folder, tmp_path / "x.npy")
    assert [row["values"] for row in rows] == [{"angle": pytest.approx(wanted)}] * 2
    assert main(["predict", str(folder), str(tmp_path / "x.npy")]) == 0
    assert f"x.npy[0]: angle {wanted:.4g}" in capsys.readouterr().out
    with pytest.raises(AttributeError, match="Numbers has no `probabilities`: it has values, value_names and outputs"):
        found.probabilities  # noqa: B018
    assert main(["predict", str(folder), str(tmp_path / "x.npy"), "-o", "x"]) == 1
    assert main(["predict", str(folder), str(tmp_path / "x.npy"), "--threshold", "0.5"]) == 1
    assert "no use for a threshold" in capsys.readouterr().err


def test_sixteen_bits_are_asked_for_and_said(
    imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 + 2⁻⁹ is 1 in bfloat16, so that a sum that float32 has, Σ(1 + 2⁻⁹) − Σ1 over 256 numbers, is 0 there."""
    kernel = np.ones((512, 1), np.float32)
    kernel[:256] += 2**-9
    text = "task: regression\ninput: {features: 512}\nlayers: [{dense: {name: d, units: 1}}]\ntrain: "
    folder = imported(f"{text}{{precision: bfloat16, dataset: {{npz: x.npz}}}}", d=kernel)
    x = np.repeat([[1, -1]], 256).reshape(1, 512).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    for options, wanted in ((), 0.5), (("--precision", "bfloat16"), 0.0), (("--precision", "float32"), 0.5):
        assert main(["predict", str(folder), str(tmp_path / "x.npy"), *options]) == 0
        said = capsys.readouterr()
        assert f" {wanted:.4g}" in said.out
        assert ("computed in bfloat16: what comes out is not what float32 gives" in said.err) == (wanted == 0)
    np.save(tmp_path / "x.npy", np.concatenate([x, 300 * abs(x)]))
    assert main(["predict", str(folder), str(tmp_path / "x.npy"), "--precision", "float16"]) == 0
    assert (
        "gives for 1 of 2 samples is not finite, in float16, where nothing is above 65,504" in capsys.readouterr().err
    )
    with pytest.raises(ValueError, match="one of float32, bfloat16 and float16, not 'half'"):
        archspec.open(folder, precision="half")


def test_few_samples_are_computed_by_a_program_that_can_be_kept(
    imported: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to one batch without oneDNN; of more, what is faster."""
    folder = imported("task: regression\ninput: {features: 3}\nlayers: [{dense: 1}]")
    asked: list[str] = []

    def by_library(name: str) -> Lowerings:
        asked.append(name)
        return BY_LIBRARY

    for name in ("of_one_call", "of_mode"):
        monkeypatch.setattr(f"archspec.inference.run.{name}", lambda *_, own=name: by_library(own))
    for number in (BATCH, BATCH + 1):
        np.save(tmp_path / "x.npy", np.zeros((number, 3), np.float32))
        assert len(predict(folder, [tmp_path / "x.npy"])) == number
    assert asked == ["of_one_call", "of_mode"]


def test_maps_of_numbers_are_written(imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = imported(
        "task: regression\ninput: {height: 4, width: 6, channels: 1}\nlayers: [{conv: {filters: 2, kernel: 1}}]"
    )
    pixels = image(tmp_path / "p.png", 4, 6)
    (row,) = answers(capsys, folder, tmp_path / "p.png", "-o", tmp_path / "maps")
    assert row["file"] == str(tmp_path / "maps" / "p_numbers.npy")
    assert np.allclose(np.load(row["file"]), archspec.open(folder).predict(pixels).values[0], atol=1e-6)


def test_what_was_made_again_is_an_image(imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """
task: reconstruction
input: {height: 4, width: 6, channels: 3, range: [-1, 1], mean: [0.1, 0, 0], std: [0.5, 1, 1]}
layers: [identity]
"""
    folder = imported(text)
    pixels = image(tmp_path / "p.png", 4, 6, 3)
    found = archspec.open(folder).predict(pixels)
    assert isinstance(found, Remade) and np.array_equal(found.images, pixels[None])
    assert np.array_equal(found[0].images, pixels[None]) and len(found[:1].values) == 1
    (row,) = answers(capsys, folder, tmp_path / "p.png", "-o", tmp_path / "made")
    assert np.array_equal(np.asarray(Image.open(row["file"])), pixels)
    # What is our own is written anew, what is not is not.
    assert main(["predict", str(folder), str(tmp_path / "p.png"), "-o", str(tmp_path / "made")]) == 0
    Image.fromarray(pixels).save(row["file"])
    assert main(["predict", str(folder), str(tmp_path / "p.png"), "-o", str(tmp_path / "made")]) == 1
    assert "is there already, and no prediction" in capsys.readouterr().err


def test_masks_of_a_smaller_output_lie_in_the_middle(
    imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
task: {segmentation: {crop: center}}
input: {height: 8, width: 10, channels: 1, fit: resize}
layers: [{crop: {name: c, size: [4, 4]}}, {conv: {name: out, filters: 3, kernel: 1}}]
"""
    folder = imported(text, ["sky", "road", "tree"])
    image(tmp_path / "p.png", 8, 10)
    run = archspec.open(folder)
    found = run.predict(tmp_path / "p.png")
    assert isinstance(found, Masks) and found.probabilities.shape == (1, 4, 4, 3)
    (mask,) = found.masks
    assert mask.shape == (8, 10) and np.array_equal(mask[2:6, 3:7], found.classes[0])
    assert (mask == -1).sum() == 80 - 16
    (row,) = answers(capsys, folder, tmp_path / "p.png", "-o", tmp_path / "masks")
    written = np.asarray(Image.open(row["mask"]))
    assert np.array_equal(written, np.where(mask < 0, 255, mask))
    assert sum(item["share"] for item in row["classes"]) == pytest.approx(1)
    assert set(found.labels[0]) == {item["class"] for item in row["classes"]}
    # As the image itself lay: twice as large, so is the part that the network answers for.
    Image.fromarray(np.zeros((16, 20), np.uint8)).save(tmp_path / "large.png")
    (large,) = run.predict(tmp_path / "large.png").masks
    assert large.shape == (16, 20) and (large >= 0).sum() == 4 * 16 and (large[4:12, 6:14] >= 0).all()


def test_labels_of_positions_are_said_where_they_are_anywhere(
    imported: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
task: multi_label
input: {length: 6, channels: 2}
layers: [{conv: {name: out, filters: 3, kernel: 1}}]
"""
    folder = imported(text, ["wind", "rain", "snow"])
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((2, 6, 2)))
    found = archspec.open(folder).predict(tmp_path / "x.npy")
    assert isinstance(found, Labels) and found.present.shape == (2, 6, 3)
    rows = answers(capsys, folder, tmp_path / "x.npy", "-o", tmp_path / "out")
    for row, own, names in zip(rows, found.probabilities, found.labels, strict=True):
        np.testing.assert_allclose(np.load(row["file"]), own, rtol=1e-6)  # by another program
        assert names == [item["label"] for item in row["labels"]]
        assert {item["label"]: pytest.approx(item["probability"]) for item in row["labels"]} == {
            name: most for name, most in zip(("wind", "rain", "snow"), own.max(0).tolist(), strict=True) if most > 0.5
        }
    assert "rain" in repr(found) or "wind" in repr(found) or "snow" in repr(found)


def test_all_outputs_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the lines of training, in the measured figures, and for each sample."""
    numbers = np.random.default_rng(0).random(40).tolist()
    rows = [f"{own:.3f},{'dog' if own > 0.5 else 'cat'},{3 * own:.3f}" for own in numbers]
    (tmp_path / "t.csv").write_text("\n".join(["a,kind,size", *rows]) + "\n")
    (tmp_path / "net.yaml").write_text(
        "archspec: 1\nname: net\ninput: {features: 1}\n"
        "layers: [{dense: {name: k, units: 2}}, {dense: {name: s, units: 1, from: input}}, "
        "{dense: {name: t, units: 2, from: input}}]\n"
        "outputs: {kind: {from: k}, size: {from: s, task: regression}, also: {from: t, target: kind, weight: 0.1}, "
        "spare: {from: t, target: kind, train_only: true}}\n"
        "train: {dataset: {table: {path: t.csv, inputs: a, targets: {kind: kind, size: size}}}, epochs: 1}\n"
    )
    assert main(["train", str(tmp_path / "net.yaml"), "--workdir", str(tmp_path / "run")]) == 0
    out, error = capsys.readouterr()
    (line,) = (line for line in (out + error).splitlines() if line.startswith("epoch 1/1"))
    figures = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())["validation"]
    size, also = figures["outputs"]["size"], figures["outputs"]["also"]
    assert f"held out: kind loss {figures['loss']:.4f}  top-1 " in line
    assert f"; size MAE {size['mae']:.4g}" in line and f"; also top-1 {100 * also['top1']:.2f} %" in line
    assert "after 1 epoch, of output `kind`" in out and f"output `size`: held-out MAE {size['mae']:.4g}" in out
    assert "spare" not in line
    run = archspec.open(tmp_path / "run")
    found = run.predict(tmp_path / "t.csv")
    assert isinstance(found, Classes) and "outputs: also, kind, size" in repr(found)
    told = answers(capsys, tmp_path / "run", tmp_path / "t.csv")
    assert {item["output"] for item in told} == {"kind"} and set(told[0]["outputs"]) == {"size", "also"}
    assert [item["outputs"]["size"]["values"]["size"] for item in told] == pytest.approx(
        found.outputs["size"][:, 0].tolist(), abs=1e-5
    )
    best = found.outputs["also"].argmax(1)
    assert [item["outputs"]["also"]["classes"][0]["class"] for item in told] == [("cat", "dog")[own] for own in best]
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "t.csv"), "--top", "1"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.split(": ", 1)[1].startswith(f"kind: {found.labels[0]} ") and "; also: " in first
    assert f"; size: {told[0]['outputs']['size']['values']['size']:.4g}" in first
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "t.csv"), "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("sample,class,probability,size.size,also.class,also.probability\n")
    assert main(["eval", str(tmp_path / "run")]) == 0
    assert f"held out: kind loss {figures['loss']:.4f}" in capsys.readouterr().out
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    damaged = {"also": [], "size": {"values": None, "classes": 3}}
    (tmp_path / "run" / "run.json").write_text(json.dumps({**about, "outputs": damaged}))
    told = answers(capsys, tmp_path / "run", tmp_path / "t.csv")
    assert [item["outputs"]["also"]["classes"][0]["class"] for item in told] == [str(own) for own in best]


def test_numbers_are_called_as_the_data_call_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the names of a table's columns, in a run that is trained on it."""
    numbers = np.random.default_rng(0).random((40, 5))
    np.savetxt(tmp_path / "t.csv", numbers, delimiter=",", header="a,b,c,east,north", comments="")
    (tmp_path / "net.yaml").write_text(
        "archspec: 1\nname: net\ntask: regression\ninput: {features: 3}\nlayers: [{dense: 2}]\n"
        "train: {dataset: {table: {path: t.csv, targets: {place: [east, north]}}}, epochs: 1, batch_size: 8}\n"
    )
    result = train(load(tmp_path / "net.yaml"), tmp_path / "run", progress=False)
    found = result.open().predict(numbers[:2, :3])
    assert isinstance(found, Numbers) and found.value_names == ("east", "north")
    np.savetxt(tmp_path / "x.csv", numbers[:1, :3], delimiter=",")
    (row,) = answers(capsys, result.folder, tmp_path / "x.csv")
    assert list(row["values"]) == ["east", "north"]
    assert list(row["values"].values()) == pytest.approx(found.values[0].tolist())
