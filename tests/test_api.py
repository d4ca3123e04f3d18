"""The Python API as the README shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import archspec

Write = Callable[..., Path]


def test_from_a_name_to_a_module() -> None:
    spec = archspec.load("lenet5", classes=26)
    assert spec.name == "lenet5"
    assert spec.args == {"classes": 26}
    graph = spec.graph()
    report = archspec.report(graph)
    assert report.totals["params"]["trainable"] == 61_706 + 16 * 85
    assert "84" in str(report)
    network = archspec.build(graph, rngs=nnx.Rngs(0))
    assert isinstance(network, nnx.Module)
    outputs = network(jnp.zeros((2, 32, 32, 1)))
    assert isinstance(outputs, jax.Array) and outputs.shape == (2, 26)


def test_notebooks_show_tables() -> None:
    spec = archspec.load("lenet5")
    for shown in (spec, spec.graph(), archspec.report(spec.graph())):
        html = shown._repr_html_()
        assert "<table>" in html
        assert "61,706" in html


def test_notebooks_show_drawings(tmp_path: Path) -> None:
    spec = archspec.load("vgg11")
    assert (small := archspec.draw(archspec.load("lenet5")))._repr_svg_() == small.svg
    drawing = archspec.draw(spec, look="paper")
    assert drawing.name == "vgg11" and 'width="100%"' in drawing._repr_svg_().split("\n")[0]
    assert drawing._repr_svg_().split("\n")[1:] == drawing.svg.split("\n")[1:]
    written = archspec.draw(spec.graph(), tmp_path / "vgg11.svg", look="paper")
    assert drawing.svg == written.read_text("utf-8")


def test_notebooks_show_findings_in_place_of_a_traceback(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    path = write("input: {height: 4, width: 4, channels: 1}\nlayers: [flatten, tahn]\n")
    shell = InteractiveShell(history_length=0)
    found = shell.run_cell(f"import archspec\narchspec.load({str(path)!r}).graph()")
    assert isinstance(found.error_in_exec, archspec.SpecError)
    shown = capsys.readouterr().out
    assert "`tahn` is not a layer kind or block" in shown and "did you mean `tanh`?" in shown
    assert "Traceback" not in shown and "elaborate" not in shown


def test_html_is_escaped(write: Write) -> None:
    path = write(
        "args: {n: 3, s: '<script>'}\ninput: {height: 4, width: 4, channels: 1}\nlayers: [flatten, {dense: $(n)}]\n"
    )
    assert "<script" not in archspec.load(path)._repr_html_()


def test_errors_are_one_exception_with_all_diagnostics(write: Write) -> None:
    path = write(
        "input: {height: 4, width: 4, channels: 1}\nlayers: [tahn, {conv: {filters: 3, kernel: 9}}, {dense: x}]\n"
    )
    with pytest.raises(archspec.SpecError) as error:
        archspec.load(path).graph()
    assert {item.code for item in error.value.diagnostics} == {"E204", "E206"}
    assert "tahn" in str(error.value)
    path = write("input: {height: 4, width: 4, channels: 1}\nlayers: [pool: 2]\n")
    with pytest.raises(archspec.SpecError, match=r"it is one of adaptive_avg_pool, .*, avg_pool, .* and max_pool\n"):
        archspec.load(path).graph()
    with pytest.raises(archspec.SpecError, match=r"no argument `clases`[^^]* clases=3\n[^^]* \^{6}\n"):
        archspec.load("lenet5", clases=3)
    with pytest.raises(archspec.SpecError, match="no variant"):
        archspec.load("lenet5", variant="huge")


def test_names_are_lazy_and_listed() -> None:
    assert set(archspec.__all__) <= set(dir(archspec))
    for name in archspec.__all__:
        assert getattr(archspec, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        archspec.nonsense  # noqa: B018


def test_reports_refuse_a_batch_of_nothing() -> None:
    with pytest.raises(ValueError, match="batch"):
        archspec.report(archspec.load("lenet5").graph(), batch=0)


def test_layers_can_be_made_in_python() -> None:
    from archspec.layers.conv import Conv

    layer = Conv(filters=6, kernel=5, init={"normal": 0.01})
    assert layer.infer(archspec.TensorType((32, 32, 1))) == archspec.TensorType((28, 28, 6))
    with pytest.raises(archspec.ShapeError, match="does not fit"):
        layer.infer(archspec.TensorType((3, 3, 1)))


@pytest.mark.parametrize("name", ["clases", "a.b", "a=b"])
def test_wrong_arguments_are_marked(name: str) -> None:
    with pytest.raises(archspec.SpecError) as error:
        archspec.load("lenet5", **cast(Any, {name: 1}))
    (item,) = error.value.diagnostics
    assert item.primary is not None
    span = item.primary.span
    assert span.source.line(1)[span.column - 1 : span.end_column - 1] == name
    assert span.source.line(1) == f"{name}=1"


def test_sizes_from_python() -> None:
    spec = archspec.load("lenet5")
    assert spec.graph(64).input.shape == spec.graph((64, 64)).input.shape == (64, 64, 1)
    assert spec.graph(input=(40, 48, 3)).input.shape == (40, 48, 3)
    for wrong in ((64,), (64, 64, 1, 1), "64x64", 1.5):
        with pytest.raises(TypeError, match="is \\(height, width\\)"):
            spec.graph(wrong)  # type: ignore[arg-type]
