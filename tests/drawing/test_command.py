"""The command `archspec draw`: what it writes where, and what it says of mistakes."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import archspec
from archspec.cli import main
from archspec.drawing.layout import arrange
from archspec.loading import load

FIRST_BYTES = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}


def run(*words: str) -> int:
    return main(["draw", *words])


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_writes_svg_by_the_networks_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lenet5") == 0
    assert capsys.readouterr().out == "lenet5.svg\n"
    ET.parse("lenet5.svg")


@pytest.mark.parametrize("format", FIRST_BYTES)
def test_the_suffix_says_the_format(format: str) -> None:
    assert run("lenet5", "-o", f"net.{format.upper()}") == 0
    assert FIRST_BYTES[format] in Path(f"net.{format.upper()}").read_bytes()[:200]
    assert run("lenet5", "-o", "net.txt", "--format", format) == 0
    assert FIRST_BYTES[format] in Path("net.txt").read_bytes()[:200]
    assert run("lenet5", "--format", format) == 0
    assert Path(f"lenet5.{format}").exists()


@pytest.mark.parametrize("format", ["svg", "dot"])
def test_text_goes_to_standard_output(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lenet5", "-o", "-", "--format", format) == 0
    assert FIRST_BYTES[format].decode() in capsys.readouterr().out[:200]
    assert list(Path().iterdir()) == []


def test_options_change_the_drawing(capsys: pytest.CaptureFixture[str]) -> None:
    def drawn(*words: str) -> str:
        assert run(*words, "-o", "-") == 0
        return capsys.readouterr().out

    base = drawn("googlenet")
    assert "aux1" not in base and "aux1" in drawn("googlenet", "--mode", "train")
    assert "inception3a.three.out" in base
    assert "inception3a.three.out" not in drawn("googlenet", "--depth", "1")
    assert "inception5b.three.out" in drawn("googlenet", "--open", "inception5b")
    assert "input 64×64×3" in drawn("resnet18", "--input", "64x64")
    assert "dense 10<" in drawn("resnet18", "--set", "args.classes=10")
    assert drawn("googlenet", "--direction", "right") != base
    assert drawn("googlenet", "--look", "paper") != base
    assert drawn("googlenet", "--direction", "down") == base == drawn("googlenet", "--look", "graph")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["-o", "nowhere/net.svg"], "E534", "there is no folder nowhere"),
        (["-o", "."], "E534", "cannot be written"),
        (["-o", "net.gif"], "E561", "no drawing has the suffix .gif"),
        (["-o", "net"], None, ""),
        (["-o", "-", "--format", "png"], "E561", "PNG is not written to standard output"),
        (["--open", "c9"], "E561", "nothing is called c9"),
        (["--look", "paper", "--depth", "2"], "E561", "the paper look has no --depth"),
        (["--look", "paper", "--open", "c1"], "E561", "the paper look has no --open"),
        (["--look", "paper", "--direction", "down"], "E561", "the paper look has no --direction"),
        (["--look", "paper", "--format", "dot"], "E561", "DOT has no volumes"),
        (["--input", "2x2"], "E3", "does not fit"),
    ],
)
def test_mistakes_are_told(words: list[str], code: str | None, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lenet5", *words) == (1 if code else 0)
    told = capsys.readouterr().err
    assert f"error[{code or ''}" in told or code is None
    assert says in told
    assert "Traceback" not in told


def test_a_depth_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lenet5", "--depth", "0") == 2
    assert "whole number" in capsys.readouterr().err


def test_equal_drawings_are_equal_files() -> None:
    for format in FIRST_BYTES:
        found = []
        for _ in range(2):
            assert run("lenet5", "--format", format) == 0
            found.append(Path(f"lenet5.{format}").read_bytes())
        assert found[0] == found[1]


def test_svg_needs_no_numerics() -> None:
    """An SVG is made without JAX, NumPy and matplotlib."""
    code = (
        "import sys; from archspec.cli import main; main(['draw', 'resnet50', '-o', 'x.svg']); "
        "print([name for name in ('jax', 'numpy', 'matplotlib', 'flax', 'optax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["x.svg", "[]"]


def dense(count: int) -> str:
    """Convolutions each of which is given what all before it made."""
    lines = ["archspec: 1", "name: dense", "input: {height: 8, width: 8, channels: 4}", "layers:"]
    for index in range(count):
        if index > 1:
            lines.append(f"  - concat: {{name: k{index}, from: [{', '.join(f'c{i}' for i in range(index))}]}}")
        lines.append(f"  - conv: {{name: c{index}, filters: 4, kernel: 1}}")
    return "\n".join(lines) + "\n"


def test_dense_networks_are_drawn_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("few.yaml").write_text(dense(24))
    assert run("few.yaml") == 0
    capsys.readouterr()
    Path("many.yaml").write_text(dense(60))
    for look in ("graph", "paper"):
        assert run("many.yaml", "--look", look) == 1
        said = capsys.readouterr().err
        assert "E561" in said and "put layers" in said
    # The page is not refused: it leaves out what cannot be told apart, and says so.
    frames = arrange(load("many.yaml").graph(), sparse=True)
    assert frames[""].left_out > 1000 and len(frames[""].boxes) > 100
    assert main(["report", "many.yaml", "--depth", "1", "--html", "many.html"]) == 0


def test_the_python_api_draws_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    graph = archspec.load("googlenet").graph()
    for look in ("graph", "paper"):
        assert run("googlenet", "--look", look, "-o", "ours.svg") == 0
        assert archspec.draw(graph, "theirs.svg", look=look) == Path("theirs.svg")
        assert Path("ours.svg").read_bytes() == Path("theirs.svg").read_bytes()
    with pytest.raises(archspec.DrawingError, match="ends in"):
        archspec.draw(graph, "theirs.gif")
