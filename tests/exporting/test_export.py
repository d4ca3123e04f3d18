"""The command `archspec export` and its call: what is refused, before anything is written, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import archspec
from archspec import SpecError
from archspec.cli import main
from archspec.exporting.targets import TARGETS
from archspec.lower import split
from archspec.weights.files import write_tensors
from archspec.weights.folder import import_weights

NET = """archspec: 1
name: net
input: {height: 8, width: 8, channels: 3}
layers:
  - conv: {name: c1, filters: 4, kernel: 3}
  - relu: {name: r1}
  - flatten: {name: f1}
  - dense: {name: d1, units: 3}
"""

PLUGIN = '''
from archspec import Example, Layer
class Twice(Layer):
    """Twice its input."""
    examples = (Example({}),)
    def build(self, inputs, rngs):
        from archspec.nn.apply import Apply
        return Apply(lambda x: 2 * x)
'''


@pytest.fixture
def net(write: Callable[..., Path]) -> Path:
    return write(NET, whole=True)


def test_a_spec_is_written_as_onnx(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.onnx"
    assert main(["export", str(net), "--to", "onnx", "-o", str(file), "--seed", "3", "--format", "json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["files"] == [str(file)]
    assert any("drawn anew from seed 3" in note for note in out["notes"])
    model = onnx.load(file)
    assert [node.name for node in model.graph.node] == ["c1", "r1", "f1", "d1"]
    same = archspec.export(archspec.load(net), "onnx", tmp_path / "same.onnx", seed=3)
    assert same.files[0].read_bytes() == file.read_bytes()


def test_another_input_and_setting_are_laid_over_a_spec(net: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    options = ["--set", "layers.d1.units=5", "--input", "6x7"]
    assert main(["export", str(net), "--to", "onnx", "-o", str(file), *options]) == 0
    graph = onnx.load(file).graph
    sizes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (graph.input[0], graph.output[0])]
    assert sizes == [[0, 3, 6, 7], [0, 5]]


def test_all_layers_that_a_target_lacks_are_named_before_anything_is_written(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    plugin = write(PLUGIN, "mine.py", whole=True)
    net = write(NET.replace("relu: {name: r1}", "twice: {name: t1}\n  - twice: {name: t2}"), whole=True)
    archspec.plugin(plugin)
    file = tmp_path / "net.onnx"
    with pytest.raises(SpecError) as caught:
        archspec.export(archspec.load(net), "onnx", file)
    (found,) = caught.value.diagnostics
    assert found.code == "E550"
    assert found.message == (
        "onnx cannot have 2 `twice` layers: `twice` is a kind of your own, without a method `to_onnx`"
    )
    assert found.notes == ("at t1 and t2",)
    assert found.primary is not None and found.primary.span.line == 6
    assert not file.exists()


def test_a_kind_of_ones_own_says_how_it_is_exported(write: Callable[..., Path], tmp_path: Path) -> None:
    method = '    def to_onnx(self, at):\n        return at.op("Mul", at.x, at.number("two", 2.0))\n'
    archspec.plugin(write(PLUGIN.replace("Twice", "Double") + method, "own.py", whole=True))
    net = write(NET.replace("relu: {name: r1}", "double: {name: t1}"), whole=True)
    file = tmp_path / "net.onnx"
    archspec.export(archspec.load(net), "onnx", file)
    assert [node.op_type for node in onnx.load(file).graph.node] == ["Conv", "Mul", "Flatten", "Gemm"]
    # Whether it minds the order of features is its own affair.
    behind = write(NET.replace("relu: {name: r1}", "flatten").replace("flatten: {name: f1}", "double"), whole=True)
    archspec.export(archspec.load(behind), "onnx", file)
    ops = [node.op_type for node in onnx.load(file).graph.node]
    assert ops == ["Conv", "Transpose", "Flatten", "Mul", "Gemm"]


@pytest.mark.parametrize(
    ("file", "said"), [("net.pt", "should end in .onnx"), ("run/spec.yaml.onnx", None), ("net", "should end in .onnx")]
)
def test_files_of_another_suffix_are_refused(net: Path, tmp_path: Path, file: str, said: str | None) -> None:
    path = tmp_path / file
    if said is None:
        path.parent.mkdir()
        archspec.export(archspec.load(net), "onnx", path)
        return
    with pytest.raises(SpecError, match=said) as caught:
        archspec.export(archspec.load(net), "onnx", path)
    assert caught.value.diagnostics[0].code == "E552"
    assert not path.exists()


@pytest.mark.parametrize("file", ["torch.py", "keras.py", "types.py"])
def test_source_is_not_named_as_a_module_that_it_imports(net: Path, tmp_path: Path, file: str) -> None:
    with pytest.raises(SpecError, match="would be taken for Python's module") as caught:
        archspec.export(archspec.load(net), "torch", tmp_path / file)
    assert caught.value.diagnostics[0].code == "E552"
    assert not (tmp_path / file).exists()


def test_source_that_cannot_be_imported_by_name_is_told(net: Path, tmp_path: Path) -> None:
    for name, told in (("net-5.py", True), ("3a.py", True), ("net5.py", False)):
        notes = archspec.export(archspec.load(net), "torch", tmp_path / name).notes
        assert any("no name that Python can import" in note for note in notes) == told


@pytest.mark.parametrize(("to", "file"), [("torch", "net5.py"), ("onnx", "net.onnx")])
def test_folders_are_not_made(net: Path, tmp_path: Path, to: str, file: str) -> None:
    with pytest.raises(SpecError, match="there is no folder") as caught:
        archspec.export(archspec.load(net), to, tmp_path / "none" / file)
    assert caught.value.diagnostics[0].code == "E534"
    assert not (tmp_path / "none").exists()


@pytest.fixture
def imported(net: Path, tmp_path: Path) -> Path:
    """The folder of an import with names of classes."""
    spec = archspec.load(net)
    _, params, statistics = split(archspec.build(spec.graph(), seed=5))
    tensors = {name: np.asarray(value) for name, value in {**params, **statistics}.items()}
    about = {"input": {"range": [-1, 1]}, "classes": ["ant", "bee", "cat"], "images": {"size": [10, 12], "how": "fill"}}
    write_tensors(tmp_path / "net.safetensors", tensors, {"archspec": json.dumps(about)})
    folder = tmp_path / "imported"
    import_weights(str(net), tmp_path / "net.safetensors", folder)
    return folder


def test_a_folder_is_written_with_its_weights_classes_and_input(
    imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.onnx"
    assert main(["export", str(imported), "--to", "onnx", "-o", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{file}\n"
    assert "note: opset 17, IR version 8; 4 layers as 4 nodes, channels first\n" in err
    assert "drawn anew" not in err
    model = onnx.load(file)
    props = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(props["classes"]) == ["ant", "bee", "cat"]
    assert json.loads(props["input.range"]) == [-1, 1]
    assert json.loads(props["input.prepared"]) == {"size": [10, 12], "how": "fill"}
    kernel = next(item for item in model.graph.initializer if item.name == "c1.kernel")
    params = split(archspec.build(archspec.load(imported / "spec.yaml").graph(), seed=5))[1]
    assert np.array_equal(onnx.numpy_helper.to_array(kernel), np.asarray(params["c1.kernel"]).transpose(3, 2, 0, 1))
    for what in (imported, archspec.open(imported)):
        archspec.export(what, "onnx", tmp_path / "same.onnx")
        assert (tmp_path / "same.onnx").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--seed", "3"], "E113", "has weights, which --seed does not draw"),
        (["--set", "layers.c1.filters=3"], "E513", "has weights of its own spec, which no override changes"),
    ],
)
def test_a_folder_has_its_own_weights(
    imported: Path, tmp_path: Path, options: list[str], code: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.onnx"
    assert main(["export", str(imported), "--to", "onnx", "-o", str(file), "--format", "json", *options]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["code"] == code
    assert said in found["message"]
    assert not file.exists()


def test_files_that_are_others_are_left_alone(imported: Path, net: Path, tmp_path: Path) -> None:
    (imported / "checkpoints").mkdir()
    link = tmp_path / "link.onnx"
    link.symlink_to(imported / "weights.safetensors")
    same = net.rename(tmp_path / "net.onnx")
    for what, file in ((imported, imported / "checkpoints" / "x.onnx"), (imported, link), (same, same)):
        before = file.read_bytes() if file.exists() else None
        with pytest.raises(SpecError) as caught:
            archspec.export(what, "onnx", file)
        assert caught.value.diagnostics[0].code == "E552"
        assert (file.read_bytes() if file.exists() else None) == before
    # Beside a run's own files there may be others.
    archspec.export(imported, "onnx", imported / "net.onnx")


def test_a_folder_that_is_missing_gets_no_file(net: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        archspec.export(archspec.load(net), "onnx", tmp_path / "no" / "net.onnx")
    assert caught.value.diagnostics[0].code == "E534"


@pytest.mark.parametrize(
    ("to", "module", "words"),
    [
        ("onnx", "onnx.model", "an ONNX file has 2 GiB at most"),
        ("stablehlo", "traced", "a file of serialised StableHLO holds less than 2 GiB"),
        ("tflite", "traced", "a TFLite file holds less than 2 GiB"),
    ],
)
def test_what_is_too_large_for_one_file_is_refused(
    to: str, module: str, words: str, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"archspec.exporting.{module}.MOST_BYTES", 1000)
    with pytest.raises(SpecError, match=words) as caught:
        archspec.export(archspec.load(net), to, tmp_path / f"net.{to}")
    assert caught.value.diagnostics[0].code == "E551"
    assert not (tmp_path / f"net.{to}").exists()


def test_targets_and_options_that_there_are_not_are_told(net: Path, tmp_path: Path) -> None:
    spec = archspec.load(net)
    with pytest.raises(ValueError, match="there is no target 'onx'; did you mean `onnx`"):
        archspec.export(spec, "onx", tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="onnx has no option `sede`; it has"):
        archspec.export(spec, "onnx", tmp_path / "net.onnx", sede=3)


def test_an_option_of_another_target_is_refused(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "plain", replace(TARGETS["onnx"], options=()))
    file = tmp_path / "net.onnx"
    assert main(["export", str(net), "--to", "plain", "-o", str(file), "--with-preprocessing"]) == 1
    said = "error[E113]: --with-preprocessing goes with --to onnx, stablehlo and tflite, not plain"
    assert said in capsys.readouterr().err
    assert not file.exists()
