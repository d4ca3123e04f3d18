"""Generated Keras source, run by Keras on JAX, against the compiled network."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from archspec.cli import main
from archspec.exporting.source import keras as target
from archspec.exporting.subject import subject_of
from archspec.exporting.traced import function_of
from archspec.graph import Graph
from archspec.layers import Example, Layer
from archspec.loading import load
from tests.exporting.kinds import CASES, drawn, given, graph_of, inputs_of

os.environ.setdefault("KERAS_BACKEND", "jax")

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"

NET = """
input: {height: 12, width: 12, channels: 3, mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.25], order: bgr}
blocks:
  unit:
    layers:
      - residual:
          layers:
            - conv: {name: conv1, filters: 8, kernel: 3, pad: same, bias: false}
            - batch_norm
      - relu
layers:
  - conv: {name: stem, filters: 8, kernel: 3, stride: 2, pad: 1}
  - repeat: {name: blocks, times: 3, layers: [unit]}
  - flatten
  - dense: {name: scores, units: 5}
"""


def model_of(graph: Graph, arrays: Mapping[str, np.ndarray]) -> Any:
    """The model that the source code of a network makes, with its arrays by the paths of its variables."""
    pytest.importorskip("keras").utils.clear_session()
    tree = target.tree_of(graph)
    text = target.assembled(['"""A network."""'], [], target.definitions(tree))
    names: dict[str, Any] = {}
    exec(compile(text, "network.py", "exec"), names)
    model = names[tree.network.name]()
    assert not any(output.sparse for output in model.outputs)  # a factor times a tensor is one to Keras
    known = target.variables(graph, tree, arrays)
    assert sorted(weight.path for weight in model.weights) == sorted(known)
    for weight in model.weights:
        assert tuple(weight.shape) == known[weight.path].shape, weight.path
        weight.assign(known[weight.path])
    return model


def answered(model: Any, graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    taken = dict(inputs) if len(inputs) > 1 else next(iter(inputs.values()))
    found = model(taken, training=False)
    several = found if isinstance(found, dict) else {graph.outputs[0].name: found}
    return {name: np.asarray(value) for name, value in several.items()}


def compared(graph: Graph) -> None:
    """Holds a model to the network."""
    rng = np.random.default_rng(1)
    arrays, inputs = drawn(graph, rng), inputs_of(graph, rng)
    found, wanted = answered(model_of(graph, arrays), graph, inputs), given(graph, arrays, inputs)
    assert found.keys() == wanted.keys()
    for name, own in wanted.items():
        assert found[name].shape == own.shape
        assert np.abs(found[name] - own).max() <= 1e-5 * np.abs(own).max()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "example"), CASES[::5])
def test_some_kinds_give_the_same_numbers(kind: type[Layer], example: Example) -> None:
    compared(graph_of(kind, example))


@pytest.mark.minutes
@pytest.mark.parametrize(("kind", "example"), CASES)
def test_kinds_give_the_same_numbers(kind: type[Layer], example: Example) -> None:
    compared(graph_of(kind, example))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5_1998", str(EXAMPLES / "siamese_digits.yaml")])
def test_some_networks_give_the_same_numbers(name: str) -> None:
    compared(load(name).graph().pruned("eval"))


@pytest.mark.minutes
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lenet5", 32),
        ("resnet18", 64),
        ("vgg11", 64),
        ("googlenet", 224),
        ("mobilenet_v2", 64),
        ("squeezenet1_1", 64),
        ("shufflenet_v2_x1_0", 64),
        ("segnet_basic", 64),
        ("enet", 64),
        ("unet", 204),
        ("densenet121", 64),
        ("xception", 71),
        ("convnext_tiny", 64),
        ("efficientnet_b0", 64),
    ],
)
def test_networks_give_the_same_numbers(name: str, size: int) -> None:
    compared(load(name).graph(input=size).pruned("eval"))


@pytest.mark.slow
def test_a_file_is_a_model_by_itself(write: Callable[..., Path], tmp_path: Path) -> None:
    """Exported by the command, imported as any module, and called."""
    spec = write(NET)
    file = tmp_path / "net.py"
    assert main(["export", str(spec), "--to", "keras", "-o", str(file), "--seed", "2"]) == 0
    text = file.read_text("utf-8")
    assert "archspec" not in text and "yaml" not in text
    # The repeated block is one function, called in a loop, and named as the spec has it.
    assert text.count("layers.Conv2D(") == 2 and "for i in range(3):" in text and 'name=f"blocks.{i}"' in text
    names = runpy.run_path(str(file))
    model = names["load"]()
    subject = subject_of(str(spec), None, seed=2, notes=[])
    pixels = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3)).astype(np.uint8)
    x = names["preprocess"](pixels)
    wanted: Any = function_of(subject, with_preprocessing=True)(jnp.asarray(pixels))
    np.testing.assert_allclose(np.asarray(model(x)), wanted, rtol=1e-5, atol=1e-5)
    assert {layer.name for layer in model.layers} >= {"input", "stem", "blocks.0.conv1", "blocks.2.conv1", "scores"}


def test_weights_of_another_model_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    for name, units in (("a", 3), ("b", 4)):
        spec = write(f"input: {{features: 2}}\nlayers: [dense: {{name: {name}, units: {units}}}]\n", f"{name}.yaml")
        assert main(["export", str(spec), "--to", "keras", "-o", str(tmp_path / f"{name}.py")]) == 0
    load = runpy.run_path(str(tmp_path / "a.py"))["load"]
    assert load().get_layer("a").units == 3
    with pytest.raises(KeyError, match="a/kernel"):
        load(tmp_path / "b.safetensors")


@pytest.mark.parametrize("name", ["lenet5_1998", "resnet18", "enet", "efficientnet_b0", "yolov3"])
def test_source_is_formatted_and_checked(name: str, tmp_path: Path) -> None:
    graph = load(name).graph().pruned("eval")
    text = target.assembled(['"""A network."""'], ['WEIGHTS = ""'], target.definitions(target.tree_of(graph)))
    text = text.replace("from pathlib import Path\n", "").replace("from safetensors.numpy import load_file\n", "")
    file = tmp_path / "net.py"
    file.write_text(text, "utf-8")
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or pytest.skip("ruff is not installed here")
    options = ["--isolated", "--line-length", "88", str(file)]
    subprocess.run([ruff, "format", "--check", *options], check=True)
    subprocess.run([ruff, "check", "--select", "E,F,UP,B,W,C4", *options], check=True)


def test_a_mean_image_is_told_of_where_the_file_lacks_it(
    write: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "mean.npy", np.zeros((3, 4, 4), np.float32))
    image = "height: 4, width: 4, channels: 3, range: [0, 255], mean_image: mean.npy"
    spec = write(f"input: {{{image}}}\nlayers: [flatten, dense: 2]\n")
    assert main(["export", str(spec), "--to", "keras", "-o", str(tmp_path / "net.py")]) == 0
    assert "`input` less its mean image is what the network takes" in capsys.readouterr().err
    assert "def preprocess" not in (tmp_path / "net.py").read_text("utf-8")
