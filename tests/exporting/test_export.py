"""The command `archspec export` and its call: what is refused, before anything is written, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

import archspec
from archspec import SpecError
from archspec.cli import main

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
