"""`archspec import`: what is written, what is kept, what is refused before anything is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import archspec
from archspec import SpecError, import_model
from archspec.cli import main
from archspec.diagnostics import unwritable
from archspec.importing import writing
from archspec.importing.operations import Operation, Program, Value
from archspec.runs.owner import MARKER
from archspec.weights.tensors import Tensor

CFG = "[net]\nheight=8\nwidth=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    file = tmp_path / "net.cfg"
    file.write_text(CFG, "utf-8")
    return file


def with_weights(classes: tuple[str, ...] = ()) -> Program:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in ((4, 3, 3, 3), (4,), (2, 4), (2,))]
    kernel, bias, weights, summands = map(Tensor.of, arrays)
    return Program(
        "tiny",
        "channels_first",
        (Value("image", (3, 8, 8), {"range": [0, 255], "order": "bgr"}),),
        (
            Operation("conv", ("image",), ("c",), {"filters": 4, "kernel": [3, 3]}, {"kernel": kernel, "bias": bias}),
            Operation("global_avg_pool", ("c",), ("g",)),
            Operation("dense", ("g",), ("d",), {"units": 2}, {"kernel": weights, "bias": summands}, name="fc"),
            Operation("softmax", ("d",), ("probabilities",)),
        ),
        ("probabilities",),
        about={"classes": classes},
    )


@pytest.fixture
def model(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose reader gives a network with weights."""
    monkeypatch.setattr(writing, "read", lambda path, size=None: with_weights(("cat", "dog")))
    return cfg


def test_a_spec_and_its_weights_beside_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", "net.cfg", "-o", "my.yaml"]) == 0
    assert "my.yaml: 3 layers, 122 parameters" in capsys.readouterr().out
    assert main(["validate", "my.yaml"]) == 0
    with safe_open("my.safetensors", "numpy") as file:
        assert set(file.keys()) == {"conv1.kernel", "conv1.bias", "fc.kernel", "fc.bias"}
    assert main(["weights", "import", "my.yaml", "my.safetensors", "-o", "runs/x"]) == 0
    out = capsys.readouterr().out
    assert "archspec" in out
    about = json.loads(Path("runs/x/import.json").read_text("utf-8"))
    assert about["names"] == "archspec" and len(about["matched"]) == 4
    # The weights say what they expect, and the folder has it.
    run = archspec.open("runs/x")
    assert list(run.classes or ()) == ["cat", "dog"]


@pytest.mark.parametrize("writer", ["write_by", "write_tensors"])
def test_both_files_stay_where_one_cannot_be_written(
    writer: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target, weights = tmp_path / "my.yaml", tmp_path / "my.safetensors"
    target.write_text("kept", "utf-8")
    weights.write_bytes(b"kept")

    def full(*given: object) -> None:
        raise unwritable(target, OSError(28, "No space left on device"))

    monkeypatch.setattr(writing, writer, full)
    assert main(["import", str(model), "-o", str(target), "--overwrite"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert target.read_text("utf-8") == "kept" and weights.read_bytes() == b"kept"


def test_pixels_of_which_the_file_says_nothing_are_told(cfg: Path, tmp_path: Path) -> None:
    assert not any("pixels" in note for note in import_model(cfg).notes)
    silent = tmp_path / "deploy.prototxt"
    silent.write_text(
        'name: "n"\ninput: "data"\ninput_dim: 1\ninput_dim: 3\ninput_dim: 4\ninput_dim: 4\n'
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }\n',
        "utf-8",
    )
    assert any("does not say what is done to the pixels of `input`" in note for note in import_model(silent).notes)


def test_a_folder_is_used_at_once(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "imported"
    assert main(["import", str(model), "-o", str(folder)]) == 0
    made = import_model(model)
    spec = tmp_path / "again.yaml"
    import_model(model, spec)
    assert main(["weights", "import", str(spec), str(spec.with_suffix(".safetensors")), "-o", str(tmp_path / "x")]) == 0
    one, other = archspec.open(folder), archspec.open(tmp_path / "x")
    assert made.graph is not None and one.graph.params == made.graph.params
    assert {name: value.shape for name, value in one.params.items()} == {
        name: value.shape for name, value in other.params.items()
    }
    assert all(np.array_equal(value, other.params[name]) for name, value in one.params.items())
    assert list(one.classes or ()) == ["cat", "dog"]
    # It is replaced when that is asked for.
    capsys.readouterr()
    assert main(["import", str(model), "-o", str(folder)]) == 1
    assert "E567" in capsys.readouterr().err
    assert main(["import", str(model), "-o", str(folder), "--overwrite"]) == 0
    assert "is replaced" in capsys.readouterr().err


def test_files_that_are_there_stay(cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "my.yaml"
    target.write_text("mine", "utf-8")
    assert main(["import", str(cfg), "-o", str(target)]) == 1
    assert "E567" in capsys.readouterr().err and target.read_text("utf-8") == "mine"
    assert main(["import", str(cfg), "-o", str(target), "--overwrite"]) == 0
    assert "the file has no weights" in capsys.readouterr().out
    assert target.read_text("utf-8").startswith("archspec: 1\n") and not target.with_suffix(".safetensors").exists()
    target.with_suffix(".safetensors").write_text("weights of before", "utf-8")
    assert main(["import", str(cfg), "-o", str(target), "--overwrite"]) == 0
    assert "my.safetensors is of another import" in capsys.readouterr().err
    assert main(["import", str(cfg), "-o", str(tmp_path / "none" / "my.yaml")]) == 1
    assert "E534" in capsys.readouterr().err
    assert main(["import", str(cfg), "-o", str(tmp_path / "folder")]) == 1
    assert "net.cfg has no weights" in (said := capsys.readouterr().err)
    assert "E568" in said and not (tmp_path / "folder").exists()


def test_a_run_keeps_its_own_files(cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("mine", "utf-8")
    (tmp_path / MARKER).write_text("{}", "utf-8")
    assert main(["import", str(cfg), "-o", str(spec), "--overwrite"]) == 1
    assert "is a file of the run" in capsys.readouterr().err and spec.read_text("utf-8") == "mine"
    # A folder of somebody's own may have a spec.yaml too.
    (tmp_path / MARKER).unlink()
    assert main(["import", str(cfg), "-o", str(spec), "--overwrite"]) == 0


def test_a_size_that_the_file_has_otherwise_is_refused(
    cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.yaml"
    assert main(["import", str(cfg), "-o", str(target), "--input", "9x11"]) == 1
    said = capsys.readouterr().err
    assert "E113" in said and "says its sizes itself" in said and not target.exists()


def test_what_was_not_imported_is_told_by_import_and_validate(
    cfg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg.write_text(CFG + "[rnn]\noutput=3\n[gru]\noutput=3\n", "utf-8")
    target = tmp_path / "my.yaml"
    assert main(["import", str(cfg), "-o", str(target)]) == 1
    found = capsys.readouterr()
    assert found.err.count("error[E562]") == 2 and "2 operations not imported" in found.out
    assert main(["validate", str(target)]) == 1
    assert capsys.readouterr().err.count("error[E562]") == 2
    assert main(["import", str(cfg), "-o", str(tmp_path / "folder")]) == 1
    found = capsys.readouterr()
    assert "E568" in found.err and "has 2 operations that have no kind here" in found.err
    assert "[rnn] recurs" in found.err and "[gru] recurs" in found.err
    assert main(["import", str(cfg), "-o", str(target), "--overwrite", "--format", "json"]) == 1
    found = capsys.readouterr()
    assert [item["code"] for item in json.loads(found.out)["missing"]] == ["E562", "E562"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("net.bin", b"\x00\x01\x02", "of no format that is read"),
        ("net.prototx", b"# nothing", "did you mean"),
        ("net.cfg", b"", "is empty"),
        ("net.prototxt", b"layer { name: '\xff\xfe' }", "line 1 is not UTF-8"),
        ("net.h5", b"\x93\x01\x02", "is neither an HDF5 file nor"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(SpecError, match=words):
        import_model(file)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "no.cfg", "cannot be read"),
        ("a\0b", "no file has such"),
    ):
        with pytest.raises(SpecError, match=words):
            import_model(path)


def test_text_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.importing.reading.MAX_TEXT", 100)
    file = tmp_path / "net.cfg"
    file.write_text(CFG + "#" * 200, "utf-8")
    with pytest.raises(SpecError, match="E564"):
        import_model(file)


def test_the_size_may_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(
        'layer { name: "d" type: "Python" top: "x" }\nlayer { name: "r" type: "ReLU" bottom: "x" top: "y" }', "utf-8"
    )
    assert main(["import", str(file), "-o", str(tmp_path / "a.yaml"), "--input", "5x7x2"]) == 0
    assert "input: {height: 5, width: 7, channels: 2}" in (tmp_path / "a.yaml").read_text("utf-8")
    assert main(["import", str(file), "-o", str(tmp_path / "b.yaml"), "--input", "5 by 7"]) == 2
    assert "is no size" in capsys.readouterr().err
