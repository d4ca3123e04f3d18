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
from archspec.loading import load
from archspec.lower import build, split
from archspec.runs.imports import write_import
from archspec.runs.owner import take
from archspec.weights.files import write_tensors

Write = Callable[..., Path]
Import = Callable[..., Path]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Makes a folder of a spec with weights that are drawn for it: as good as a run to whoever asks it something."""

    def made(text: str, classes: Sequence[str] = ()) -> Path:
        path, folder = tmp_path / "net.yaml", tmp_path / "net"
        path.write_text("archspec: 1\nname: net\n" + text)
        spec = load(path)
        _, params, statistics = split(build(spec.graph(), seed=1))
        arrays = {name: np.asarray(value) for name, value in {**params, **statistics}.items()}
        owner = take(folder, "import")
        write_import(owner, spec.to_yaml(), lambda file: write_tensors(file, arrays, {}), {}, classes)
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
    for given, said in (
        ([tmp_path / "p.png"], "of which input is"),
        ([f"left={tmp_path}/p.png"], "there are 1 sample of `left`, 0 samples of `number`"),
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
