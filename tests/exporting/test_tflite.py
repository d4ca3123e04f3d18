"""TFLite: the converter is asked for, held to the network, and believed in nothing. The rest needs its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from archspec.cli import main
from archspec.diagnostics import DataError, SpecError
from archspec.exporting import tflite
from archspec.exporting.export import export
from archspec.exporting.subject import Subject, subject_of
from archspec.exporting.tflite import calibration, converter, worker
from archspec.exporting.tflite.converter import VARIABLE, WORKER, Converted, convert, python_of
from archspec.exporting.tflite.rewriting import rewritten
from archspec.exporting.traced import function_of, said_of_inputs
from archspec.inference.evaluating import part_of
from archspec.loading import load
from archspec.lowerings.choosing import BY_LIBRARY
from archspec.runs.reading import opened
from tests.layers.test_conformance import KINDS, call, drawn, from_example, kind_of

Write = Callable[..., Path]

NET = """
input: {height: 8, width: 8, channels: 2}
layers: [conv: {filters: 4, kernel: 3}, relu, flatten, dense: {name: s, units: 5}]
outputs: {scores: s}
"""

LITERT = os.environ.get(VARIABLE)
needs_converter = pytest.mark.skipif(
    LITERT is None, reason=f"{VARIABLE} names no Python with LiteRT's converter: docs/export.md has the commands"
)


@pytest.fixture
def subject(write: Write) -> Subject:
    return subject_of(str(write(NET)), None, notes=[])


def wrong(subject: Subject, change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Converted]:
    """A converter whose model gives for each sample what the network does, changed."""

    def convert(python: Path, program: bytes, inputs: Any, outputs: Any, probes: Any, *more: Any) -> Converted:
        function = jax.jit(function_of(subject))
        answers = np.stack([np.asarray(function(own)) for own in probes["input"]])
        return Converted(b"model", {"scores": change(answers)}, {"operations": {"CONV_2D": 1}})

    return convert


@pytest.fixture
def any_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite, "python_of", lambda given, int8: Path(sys.executable))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda y: y[..., :-1], "`scores` has the shape (1, 4) in place of (1, 5)"),
        (lambda y: y * 1.001, "are further than 0.0001 from the network's"),
        (lambda y: np.full_like(y, np.nan), "100.00 % of the numbers of `scores`"),
    ],
)
def test_what_computes_something_else_is_not_written(
    subject: Subject,
    any_python: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: Callable[[np.ndarray], np.ndarray],
    said: str,
) -> None:
    monkeypatch.setattr(tflite, "convert", wrong(subject, change))
    with pytest.raises(DataError, match=r"something else") as caught:
        tflite.write(subject, tmp_path / "net.tflite")
    assert caught.value.code == "E556" and said in caught.value.message
    assert not (tmp_path / "net.tflite").exists()


def test_what_computes_the_same_is_written(
    subject: Subject, any_python: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tflite, "convert", wrong(subject, lambda y: y * np.float32(1 + 1e-6)))
    written = tflite.write(subject, tmp_path / "net.tflite")
    assert (tmp_path / "net.tflite").read_bytes() == b"model"
    assert 0 < written.about["relative_difference"] < 1e-5


def test_without_the_converter_the_commands_are_said(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    command = ["export", str(write(NET)), "--to", "tflite", "-o", str(tmp_path / "net.tflite")]
    for more in ([], ["--litert", str(tmp_path / "python")], ["--litert", sys.executable]):
        assert main([*command, *more]) == 1
        said = capsys.readouterr().err
        assert "E555" in said and "litert/bin/pip install litert-converter ai-edge-litert litert-quantizer" in said
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other"))
    assert main(command) == 1 and f"{tmp_path / 'other'} cannot be run" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.tflite"))


def test_a_converter_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = {"x": np.zeros((1, 1, 2), np.float32)}
    script = tmp_path / "worker.py"
    monkeypatch.setattr(converter, "WORKER", script)
    for text, said in (
        ("raise ValueError('passes: /a/b.py:3:4: error: failed to legalize tfl.pad')", "failed to legalize tfl.pad"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it was ended by SIGSEGV"),
        ("raise SystemExit(3)", "it ended with 3"),
    ):
        script.write_text(text)
        with pytest.raises(DataError, match=said) as caught:
            convert(Path(sys.executable), b"", ["x"], ["y"], samples)
        assert caught.value.code == "E556"


def test_what_a_file_takes_is_told_as_it_is(subject: Subject) -> None:
    (item,) = subject.graph.inputs
    shape = ", ".join(map(str, (1, *item.type.shape)))
    (said,) = said_of_inputs(subject, with_preprocessing=False, batch=1, types={item.name: "int8"})
    assert said.startswith(f"`{item.name}` is int8 ({shape})")
    (said,) = said_of_inputs(subject, with_preprocessing=False)
    assert said.startswith(f"`{item.name}` is float32 (batch, ")


def test_int8_needs_a_run(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, any_python: None) -> None:
    with pytest.raises(SpecError) as caught:
        export(str(write(NET)), "tflite", tmp_path / "net.tflite", int8=True)
    assert caught.value.diagnostics[0].code == "E557"
    with pytest.raises(SpecError) as caught:
        export(str(write(NET)), "tflite", tmp_path / "net.tflite", calibration=5)
    assert caught.value.diagnostics[0].code == "E113"


def test_other_targets_have_no_converter(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(write(NET)), "--to", "stablehlo", "-o", str(tmp_path / "a.stablehlo"), "--int8"]) == 1
    assert "--int8 goes with --to tflite" in capsys.readouterr().err


def test_the_worker_reads_integers() -> None:
    details = {"quantization": (0.5, 3), "dtype": np.int8}
    np.testing.assert_array_equal(worker._to_integers(details)(np.array([-100, 0, 0.6, 100])), [-128, 3, 4, 127])
    np.testing.assert_array_equal(worker._from_integers(details)(np.array([3, 5], np.int8)), [0, 1])


# From here on with the converter.


def answers(file: Path, samples: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """What LiteRT's interpreter gives for samples (N, 1, …), in its own environment."""
    np.savez(folder / "samples.npz", **samples)  # type: ignore[arg-type]
    program = f"""
import runpy, numpy as np
from pathlib import Path
worker = runpy.run_path({str(WORKER)!r})
with np.load("samples.npz") as samples:
    np.savez("answers.npz", **worker["answers"](Path({str(file)!r}).read_bytes(), dict(samples)))
"""
    subprocess.run([str(LITERT), "-I", "-c", program], cwd=folder, check=True, capture_output=True)
    with np.load(folder / "answers.npz") as found:
        return dict(found)


@pytest.mark.slow
@needs_converter
@pytest.mark.parametrize("name", ["lenet5", "resnet18", pytest.param("mobilenet_v2", marks=pytest.mark.minutes)])
def test_networks_are_within_a_hundred_thousandth(name: str, tmp_path: Path) -> None:
    written = export(name, "tflite", tmp_path / "net.tflite", litert=Path(LITERT or ""))
    assert written.about["relative_difference"] < 1e-5
    spec = load(name)
    subject = subject_of(name, None, notes=[])
    x = np.random.default_rng(5).standard_normal((2, 1, *spec.graph().input.shape)).astype(np.float32)
    found = answers(tmp_path / "net.tflite", {"input": x}, tmp_path)
    wanted = np.stack([np.asarray(jax.jit(function_of(subject))(own)) for own in x])
    (own,) = found.values()
    assert np.abs(own - wanted).max() < 1e-5 * np.abs(wanted).max()
    assert not any(kind.startswith("STABLEHLO_") for kind in written.about["operations"])


@pytest.mark.slow
@needs_converter
def test_every_kind_is_converted(tmp_path: Path) -> None:
    """A program of all examples of a kind: what the interpreter gives for them, against the compiled layers."""
    wanted: dict[str, list[np.ndarray]] = {}
    for kind in KINDS:
        examples = [from_example(kind, example) for example in kind_of(kind).examples]
        parts = [nnx.split(layer.build(inputs, nnx.Rngs(0))) for layer, inputs in examples]
        samples = [[array[:1] for array in drawn(layer, inputs)] for layer, inputs in examples]

        def function(samples: Any, examples: Any = examples, parts: Any = parts) -> Any:
            return [
                call(layer, nnx.merge(*part), list(own), False, BY_LIBRARY)
                for (layer, _), part, own in zip(examples, parts, samples, strict=True)
            ]

        exported = jax.export.export(jax.jit(rewritten(function)), platforms=("cpu",))(samples)
        (tmp_path / f"{kind}.program").write_bytes(exported.mlir_module_serialized)
        np.savez(tmp_path / f"{kind}.npz", *jax.tree.leaves(samples))
        wanted[kind] = [np.asarray(own) for own in jax.jit(function)(samples)]
    program = f"""
import runpy, numpy as np
from pathlib import Path
worker = runpy.run_path({str(WORKER)!r})
for kind, count in { ({kind: len(own) for kind, own in wanted.items()})!r}.items():
    with np.load(f"{{kind}}.npz") as arrays:
        samples = {{f"x{{place}}": arrays[name][None] for place, name in enumerate(arrays.files)}}
    names = [f"y{{place}}" for place in range(count)]
    model = worker["converted"](Path(f"{{kind}}.program").read_bytes(), list(samples), names)
    found = worker["answers"](model, samples)
    np.savez(f"{{kind}}.answers.npz", *(found[name][0] for name in names))
"""
    done = subprocess.run([str(LITERT), "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for kind, outputs in wanted.items():
        with np.load(tmp_path / f"{kind}.answers.npz") as arrays:
            for found, own in zip(arrays.values(), outputs, strict=True):
                assert found.shape == own.shape, kind
                np.testing.assert_allclose(found, own, atol=1e-5 * max(np.abs(own).max(), 1e-6), err_msg=kind)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("run") / "lenet5"
    with redirect_stdout(StringIO()):
        assert main(["train", "lenet5", "--set", "train.epochs=2", "--workdir", str(folder)]) == 0
    yield folder


@pytest.mark.slow
@needs_converter
def test_int8_is_within_a_point_of_accuracy_on_digits(digits_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "lenet5.tflite"
    command = [
        "export",
        str(digits_run),
        "--to",
        "tflite",
        "--litert",
        str(LITERT),
        "-o",
        str(file),
        "--format",
        "json",
    ]
    text = StringIO()
    with redirect_stdout(text):
        assert main([*command, "--int8"]) == 0
    said = json.loads(text.getvalue())
    assert said["calibration"] == {"samples": 200, "seed": 0, "data": "mnist5k"}
    assert said["int8"]["output"]["same_choice"] > 0.98 and not said["in_float"]
    # Pixels from 0 to 1 in steps of 1/255 begin at the least number.
    assert said["values"]["input"] == {"type": "int8", "scale": pytest.approx(1 / 255, rel=1e-3), "zero": -128}
    assert any("`input` in int8, of which q stands for 0.00392" in note for note in said["notes"])
    own = subject_of(str(digits_run / "spec.yaml"), digits_run, notes=[])
    samples = calibration.drawn(own, 1000, raw=False).held_out
    labels = part_of(*opened(digits_run), (), []).split.labels
    assert len(labels) == 1000
    function = jax.jit(function_of(own))
    ours = np.mean(np.asarray(function(samples["input"][:, 0])).argmax(-1) == labels)
    (found,) = answers(file, dict(samples), tmp_path).values()
    assert ours > 0.9
    assert abs(np.mean(found[:, 0].argmax(-1) == labels) - ours) <= 0.01
    assert file.stat().st_size < 0.4 * sum(array.nbytes for array in own.arrays.values())


@pytest.mark.slow
@needs_converter
def test_maxima_are_put_back_and_pixels_scaled(write: Write, tmp_path: Path) -> None:
    spec = write(
        """
input: {height: 9, width: 8, channels: 3, mean: [0.4, 0.5, 0.6], std: [0.25, 0.25, 0.25]}
layers:
  - conv: {filters: 4, kernel: 3}
  - max_pool: {name: p, window: 2, rounding: ceil}
  - max_unpool: {indices: p}
  - conv: {filters: 2, kernel: 1}
"""
    )
    written = export(str(spec), "tflite", tmp_path / "a.tflite", litert=Path(LITERT or ""), with_preprocessing=True)
    assert written.about["relative_difference"] < 1e-5
    assert any("pixels from 0 to 255 of red, green and blue" in note for note in written.notes)
    assert python_of(Path(LITERT or ""), int8=True) == Path(LITERT or "")
