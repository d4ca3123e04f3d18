"""`archspec walkthrough`: the lectures' worked example digit for digit, and every layer of networks to its arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.cli import main
from archspec.loading import load
from archspec.terms import Terms
from archspec.walking.numbers import of_spec, walk
from archspec.walking.picture import scene
from archspec.walking.walkthrough import walkthrough

WORKED = json.loads((Path(__file__).parents[1] / "worked_convolution.json").read_text("utf-8"))

EVERY = """archspec: 1
name: every
input: {height: 12, width: 12, channels: 2}
layers:
  - conv: {name: c, filters: 6, kernel: 3, pad: same, groups: 2}
  - batch_norm: {name: bn}
  - relu: {name: r}
  - max_pool: {name: p, window: 2}
  - conv: {name: d, filters: 6, kernel: 3, dilation: 2, pad: same}
  - max_unpool: {name: u, indices: p}
  - transposed_conv: {name: t, filters: 3, kernel: 4, stride: 2, pad: 1}
  - avg_pool: {name: a, window: 3, stride: 2, pad: 1}
  - flatten: {name: f}
  - dense: {name: fc, units: 5}
"""


EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.fixture
def worked(tmp_path: Path) -> tuple[Path, Path]:
    """The example's spec, and a copy of its arrays."""
    arrays = tmp_path / "worked.npz"
    arrays.write_bytes((EXAMPLES / "worked_convolution.npz").read_bytes())
    return EXAMPLES / "worked_convolution.yaml", arrays


def test_the_worked_example_of_the_lectures(worked: tuple[Path, Path]) -> None:
    """Every patch, kernel, bias and sum, exactly, of every output."""
    spec, arrays = worked
    given = of_spec(load(spec), arrays=arrays)
    padded, kernels = np.array(WORKED["x_padded"]), np.array(WORKED["w"])
    for (filter, row, column), value in np.ndenumerate(np.array(WORKED["out"])):
        terms = walk(given, "c", filter, (row, column)).terms
        assert terms is not None and terms.values is not None and terms.weights is not None
        patch = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        assert np.array_equal(terms.values.transpose(2, 0, 1), patch)
        assert np.array_equal(terms.weights.transpose(2, 0, 1), kernels[filter])
        assert (terms.bias, terms.result) == (WORKED["b"][filter], value)


def test_the_worked_example_as_text_and_picture(
    worked: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec, arrays = worked
    command = ["walkthrough", str(spec), "--layer", "c", "--filter", "0", "--at", "2,1", "--arrays", str(arrays)]
    assert main([*command, "-o", str(tmp_path / "c.png")]) == 0
    text = capsys.readouterr().out
    assert "height: (5 − 3 + 2·1)/2 + 1 = 3" in text
    assert "kernel 3·3·3·2 + bias 2 = 56 parameters" in text
    assert "4 − 1 + 6 + 1 (bias) = 10" in text
    assert "0  0  0          0  −1   0     0  0  0\nΣ x·w = 6\n" in text
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    # docs/walkthrough.md shows it, with the example's own arrays, whose name it has.
    command[-1] = str(EXAMPLES / "worked_convolution.npz")
    assert main([*command, "-o", str(tmp_path / "c.svg")]) == 0
    assert (tmp_path / "c.svg").read_bytes() == (PICTURES / "walkthrough.svg").read_bytes()


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("every") / "every.yaml"
    path.write_text(EVERY)
    return of_spec(load(path), seed=3)


@pytest.mark.parametrize("layer", ["c", "bn", "r", "p", "d", "u", "t", "a", "fc"])
def test_what_is_shown_is_the_networks_own_number(every: Any, layer: str) -> None:
    """To 1e-6 of the sum of the terms' absolute values, at the largest output and others; text and picture of each."""
    shape = next(node.output.shape for node in every.subject.graph.nodes if node.path == layer)
    rng = np.random.default_rng(0)
    chosen = [None, *(tuple(int(rng.integers(size)) for size in shape) for _ in range(8))]
    for place in chosen:
        made = walk(every, layer) if place is None else walk(every, layer, place[-1], place[:-1])
        assert isinstance(made.terms, Terms)
        assert made.terms.result == pytest.approx(made.value, rel=0, abs=1e-6 * made.terms.magnitude + 1e-12)
        assert made.value == made.output[(*made.at, made.channel)]
        assert "differs" not in str(made)
        drawn = scene(made)
        assert all(shape.box.left >= 0 and shape.box.right <= drawn.width for shape in drawn.shapes)
        json.dumps(made.to_dict(), allow_nan=False)
    assert walk(every, layer).value == walk(every, layer).output.max() or "within" in walk(every, layer).chosen


def test_a_kind_without_terms_says_what_it_does(every: Any) -> None:
    text = str(walk(every, "f", 3))
    assert "12·12·3 = 432" in text and "no list of terms" in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--layer", "cc"], "no layer `cc`"),
        (["--layer", "c", "--filter", "2"], "2 channels, 0 to 1, and none 2"),
        (["--layer", "c", "--at", "3,0"], "a map of 3×3 positions, and none at 3, 0"),
        (["--layer", "c", "--at", "1"], "a map of 3×3 positions"),
        ([], "no layer is named"),
        (["--layer", "c", "-o", "c.jpg"], "ends in .svg, .png or .pdf"),
        (["--layer", "c", "--image", "none.png"], "none.png"),
        (["--layer", "c", "--arrays", "none.npz"], "none.npz"),
    ],
)
def test_mistakes_are_told(
    worked: tuple[Path, Path], more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["walkthrough", str(worked[0]), *more]) == 1
    assert said in capsys.readouterr().err


def test_arrays_of_other_names_and_shapes_are_told(
    worked: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    spec, arrays = worked
    other: dict[str, Any] = {"c.kernels": np.zeros((3, 3, 3, 2))}
    np.savez(arrays, **other)
    assert main(["walkthrough", str(spec), "--layer", "c", "--arrays", str(arrays)]) == 1
    assert "did you mean `c.kernel`?" in capsys.readouterr().err
    turned: dict[str, Any] = {"c.kernel": np.zeros((2, 3, 3, 3))}
    np.savez(arrays, **turned)
    assert main(["walkthrough", str(spec), "--layer", "c", "--arrays", str(arrays)]) == 1
    assert "is 2×3×3×3, but the network's is 3×3×3×2" in capsys.readouterr().err


def test_a_layer_that_gives_no_numbers_is_told(worked: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """As diverged weights have it."""
    spec, arrays = worked
    diverged: dict[str, Any] = {"c.bias": np.full(2, np.nan)}
    np.savez(arrays, **diverged)
    command = ["walkthrough", str(spec), "--layer", "c", "--arrays", str(arrays), "--format", "json"]
    assert main(command) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["position"] == [0, 0] and shown["value"] is None
    assert "none of the 18 outputs is a finite number" in shown["chosen"]


def test_from_python(worked: tuple[Path, Path]) -> None:
    made = walkthrough(worked[0], "c", arrays=worked[1], filter=1, at=(0, 1))
    assert made.value == -8
    assert "<svg" in made._repr_svg_()
