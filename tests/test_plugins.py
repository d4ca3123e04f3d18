"""Kinds of a user's own file: the documented one everywhere, and what is said of files that cannot be used."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import archspec
from archspec import Example, Layer, kinds, plugins
from archspec.cli import main

DOCS = Path(__file__).parent.parent / "docs" / "plugins.md"
SOURCE = DOCS.read_text("utf-8").split("```python\n", 1)[1].split("```", 1)[0]
Write = Callable[..., Path]
NET = """
input: {height: 28, width: 28, channels: 1}
layers:
  - avg_pool: 7
  - snake: 2
  - flatten
  - dense: 10
train: {dataset: mnist5k, epochs: 1, batch_size: 500}
"""


pytestmark = pytest.mark.usefixtures("plugins_forgotten")


@pytest.fixture
def snake(tmp_path: Path) -> Path:
    path = tmp_path / "my_layers.py"
    path.write_text(SOURCE, "utf-8")
    return path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    status = main([str(word) for word in words])
    out = capsys.readouterr()
    assert "Traceback" not in out.err
    return status, out.out + out.err


def test_the_documented_layer_is_a_layer_like_any_other(
    write: Write, snake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = write(NET)
    status, out = said(capsys, "validate", spec)
    assert status == 1 and "`snake` is not a layer kind" in out and "--plugin my_layers.py" in out
    assert said(capsys, "validate", spec, "--strict", "--plugin", snake)[0] == 0
    assert "how often" in said(capsys, "layers", "snake", "--plugin", snake)[1]
    assert "snake" in said(capsys, "show", spec, "--plugin", snake)[1]
    assert "80" in said(capsys, "report", spec, "--plugin", snake)[1]  # 5 operations for each of 16 numbers
    assert said(capsys, "draw", spec, "--plugin", snake, "-o", tmp_path / "net.svg")[0] == 0
    assert "snake" in (tmp_path / "net.svg").read_text("utf-8")
    network = archspec.build(archspec.load(spec).graph())
    assert np.asarray(network(jnp.ones((1, 28, 28, 1)))).shape == (1, 10)
    wrong = said(capsys, "validate", write(NET.replace("snake: 2", "snake: -2")), "--plugin", snake)[1]
    assert "`a` of snake must be greater than 0" in wrong


def test_a_class_is_a_plugin_too(write: Write, snake: Path) -> None:
    @archspec.plugin
    class Twice(Layer):
        """2·x."""

        examples: ClassVar = (Example({}),)

        def build(self, inputs: Any, rngs: Any) -> Any:
            from archspec.nn.apply import Apply

            return Apply(lambda x: 2 * x)

    (found,) = archspec.plugin(snake)
    assert found.kind == "snake"
    assert archspec.plugin(snake) == (found,)
    snake.write_text(SOURCE.replace("= 1.0", "= 3.0"), "utf-8")
    (again,) = archspec.plugin(str(snake))
    assert again is not found
    graph = archspec.load(write("input: {height: 1, width: 1, channels: 2}\nlayers: [twice, snake]")).graph()
    assert graph.nodes[1].layer.a == 3.0  # type: ignore[attr-defined]
    out = np.asarray(archspec.build(graph)(jnp.full((1, 1, 1, 2), 0.5)))
    assert out.ravel().tolist() == pytest.approx([1 + math.sin(3.0) ** 2 / 3] * 2)


@pytest.mark.slow
def test_a_run_says_which_file_it_was_made_with(
    write: Write, snake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, folder = write(NET), tmp_path / "run"
    assert said(capsys, "train", spec, "--plugin", snake, "--workdir", folder)[0] == 0
    (recorded,) = json.loads((folder / "run.json").read_text("utf-8"))["plugins"]
    assert recorded["file"] == "my_layers.py" and recorded["kinds"] == {"layers": ["snake"]}
    assert said(capsys, "eval", folder)[0] == 0  # the same process knows it
    for item in list(plugins._loaded.values()):
        kinds.remove_kind("layers", "snake")
        plugins._loaded.clear()
        assert item.file == "my_layers.py"
    for command in (["eval", folder], ["predict", folder, DOCS], ["weights", "export", folder, tmp_path / "w"]):
        status, out = said(capsys, *command)
        assert status == 1 and "error[E229]" in out and f"pass `--plugin {snake.resolve()}`" in out
    moved = tmp_path / "elsewhere.py"
    shutil.move(snake, moved)
    assert "pass `--plugin my_layers.py`" in said(capsys, "eval", folder)[1]
    status, out = said(capsys, "eval", folder, "--plugin", moved)
    assert status == 0 and "is not as it was" not in out
    moved.write_text(SOURCE.replace("sin", "cos"), "utf-8")
    status, out = said(capsys, "eval", folder, "--plugin", moved)
    assert status == 0 and "note: my_layers.py is not as it was when" in out


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("class Snake(Layer):", "class Snake(Layer:", 8, "is no Python"),
        ("from pydantic import Field", "import no_such_module", 3, "ModuleNotFoundError"),
        ("from pydantic import Field", "raise SystemExit(3)", 3, "fails when it is run: SystemExit: 3"),
        ("class Snake", "class Relu", 8, "archspec has a kind `relu` of its own"),
        ("class Snake", "class Split", 8, "archspec has a kind `split` of its own"),
        ("class Snake(Layer)", "class Snake", None, "defines no kind: Snake derives from no kind"),
        ("class Snake", "class _Snake", None, "defines no kind"),
        ('Example({"a": 2.0}', 'Example({"b": 2.0}', 8, "example 2 is wrong: there is no field `b`; there is a"),
        ('Example({"a": 2.0}', 'Example({"a": "two"}', 8, "example 2 is wrong: `a` must be a number, not 'two'"),
        ("((7,),)", "((7,), (8,))", 8, None),
        ("    def cost", "    def infer(self, *inputs):\n        return inputs[3]\n\n    def cost", 8, "IndexError"),
        ("    def cost", "    def infer(self, x):\n        return x.shape\n\n    def cost", 8, "and no TensorType"),
        ("    def cost", "    def __init__(self, a):\n        self.a = a\n\n    def cost", 8, "not in an `__init__`"),
        ("    def build(", "    def built(", 8, "it has no `build`"),
        ("return Cost(other=5 * output.size)", "return 5 * output.size", 8, "`cost` gives 1440 and no Cost"),
        ("return Cost(other=5 * output.size)", "return Cost(other=5 / self.zero)", 8, "no attribute 'zero'"),
        ("a: Annotated[float,", "name: str = ''\n    a: Annotated[float,", 8, "a field called name"),
        ("a: Annotated[float,", "a: Annotated[Unheard,", 13, "NameError"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(
    snake: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, line: int | None, words: str | None
) -> None:
    assert old in SOURCE
    snake.write_text(SOURCE.replace(old, new, 1), "utf-8")
    status, out = said(capsys, "layers", "--plugin", snake)
    if words is None:
        assert status == 0  # a layer that takes more inputs than it looks at is no mistake here
        return
    assert status == 1 and "error[E228]" in out and words in out
    assert line is None or f"my_layers.py:{line}:" in out
    assert "snake" not in kinds.kind_names("layers")


LOSS = DOCS.read_text("utf-8").split("```python\n", 2)[2].split("```", 1)[0]


def test_the_documented_loss_is_a_loss_like_any_other(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "my_losses.py"
    path.write_text(LOSS, "utf-8")
    (found,) = archspec.plugin(path)
    loss: Any = found()
    losses, weights = loss.build()(jnp.array([1.0, -3.0, 0.5]), jnp.array([0.0, 0.0, jnp.nan]))
    assert np.asarray(losses).tolist() == pytest.approx([math.log(math.cosh(1)), math.log(math.cosh(3)), 0], abs=1e-6)
    assert np.asarray(weights).tolist() == [1, 1, 0]
    path.write_text(LOSS.replace("def build", "def built"), "utf-8")
    status, out = said(capsys, "layers", "--plugin", path)
    assert status == 1 and "LogCosh: it has no `build`" in out and "gives two arrays" in out


def test_every_kind_of_this_package_has_all_that_its_base_leaves_to_it() -> None:
    own = [
        kind
        for family in kinds.FAMILIES
        for name in kinds.kind_names(family)
        if (kind := kinds.find_kind(family, name))
    ]
    assert len(own) > 100 and not [(kind, *plugins._unwritten(kind)) for kind in own if [*plugins._unwritten(kind)]]


ALIKE = """
from typing import Annotated, Literal
from pydantic import Field
from archspec import Layer

class Many(Layer):
    \"\"\"Fields of many types.\"\"\"

    whole: int = 1
    word: Annotated[str, Field(min_length=2, pattern="^a")] = "ab"
    fours: Annotated[int, Field(multiple_of=4)] = 4
    sizes: dict[str, float] = {}
    yes: bool = True

    def build(self, inputs, rngs):
        raise ZeroDivisionError("by zero")
"""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("whole: x", "`whole` of many must be a whole number, not 'x'"),
        ("word: a", "`word` of many must have 2 characters or more, not 'a'"),
        ("word: bc", "`word` of many must match the pattern ^a, not 'bc'"),
        ("fours: 5", "`fours` of many must be a multiple of 4, not 5"),
        ("sizes: {a: b}", "`sizes.a` of many must be a number, not 'b'"),
        ("yes: perhaps", "`yes` of many must be true or false, not 'perhaps'"),
    ],
)
def test_fields_that_are_refused_are_refused_in_our_words(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: str, words: str
) -> None:
    (tmp_path / "many.py").write_text(ALIKE, "utf-8")
    spec = write(f"input: {{features: 3}}\nlayers: [{{many: {{{fields}}}}}, dense: 2]\n")
    assert words in said(capsys, "validate", spec, "--plugin", tmp_path / "many.py")[1]


@pytest.mark.parametrize("fails", ["when it is built", "when it is called"])
def test_a_layer_that_fails_leaves_no_run(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    monkeypatch.chdir(tmp_path)
    called = "from archspec.nn.apply import Apply\n        return Apply(lambda x: x @ x)"
    source = ALIKE if fails == "when it is built" else ALIKE.replace('raise ZeroDivisionError("by zero")', called)
    (tmp_path / "many.py").write_text(source, "utf-8")
    other = tmp_path / "runs" / "net"
    other.mkdir(parents=True)
    (other / "file").touch()
    net = "input: {height: 28, width: 28, channels: 1}\nlayers: [flatten, many, dense: 10]\ntrain: {epochs: 1}\n"
    status, out = said(capsys, "train", write(net), "--plugin", tmp_path / "many.py")
    assert status == 1 and "many1: the kind `many` failed with " in out and "net-2" not in out
    assert [path.name for path in other.parent.iterdir()] == ["net"]


def test_files_that_cannot_be_read(tmp_path: Path, snake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be read: No such file" in said(capsys, "layers", "--plugin", tmp_path / "none.py")[1]
    (tmp_path / "null.py").write_bytes(b"x = 1\0")
    assert "error[E228]" in said(capsys, "layers", "--plugin", tmp_path / "null.py")[1]
    shutil.copy(snake, tmp_path / "other.py")
    status, out = said(capsys, "layers", "--plugin", snake, "--plugin", tmp_path / "other.py")
    assert status == 1 and "my_layers.py has a kind `snake` too" in out


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("return Apply(", "return len(", "has no len()"),
        ("return Apply(lambda x: ", "return (lambda x: ", "and no nnx.Module"),
        ("jnp.sin(self.a * x)", "jnp.sin(self.a * x) @ x", "TypeError"),
    ],
)
def test_what_fails_in_the_module_is_said_with_the_layers_place(
    write: Write, snake: Path, old: str, new: str, words: str
) -> None:
    snake.write_text(SOURCE.replace(old, new, 1), "utf-8")
    archspec.plugin(snake)
    graph = archspec.load(write(NET)).graph()
    with pytest.raises(archspec.SpecError) as caught:
        archspec.build(graph)(jnp.ones((1, 28, 28, 1)))
    (item,) = caught.value.diagnostics
    assert item.code == "E218" and words in item.message and item.message.startswith("snake1: ")
    assert item.primary is not None and "my_layers.py" in " ".join(item.help)


OTHERS = """
from typing import ClassVar

from archspec.losses import Loss
from archspec.metrics import Metric
from archspec.metrics.accuracy import Accuracy


class Squares(Loss):
    "The squares of the numbers, whatever the label."

    def build(self):
        return lambda output, target: ((output**2).sum(-1), target >= 0)


class Wrong(Metric):
    "The share of samples that are not right."

    better: ClassVar = "lower"

    def build(self, loss):
        right = Accuracy.plain_default().build(loss)
        return lambda output, target: right(output, target)

    def result(self, totals):
        return {"wrong": 1 - float(totals["right"] / totals["labels"])}
"""


def test_losses_and_metrics_are_kinds_too(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "others.py"
    path.write_text(OTHERS)
    assert [kind.kind for kind in archspec.plugin(path)] == ["squares", "wrong"]
    net = "input: {height: 28, width: 28, channels: 1}\nlayers: [avg_pool: 7, flatten, dense: {name: d, units: 10}]\n"
    plain = archspec.load(write(net + "train: {}"))
    assert plugins.used_by(plain, plain.graph()) == []
    outputs = "outputs: {a: {from: d, loss: squares}}\ntrain: {metrics: [wrong]}"
    spec = archspec.load(write(net + outputs))
    assert plugins.used_by(spec, spec.graph())[0]["kinds"] == {"losses": ["squares"], "metrics": ["wrong"]}


@pytest.mark.slow
def test_they_are_trained_with_and_measured_by(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "others.py"
    path.write_text(OTHERS)
    archspec.plugin(path)
    net = "input: {height: 28, width: 28, channels: 1}\nlayers: [avg_pool: 7, flatten, dense: 10]\n"
    spec = archspec.load(write(net + "train: {loss: squares, metrics: [wrong], epochs: 1, batch_size: 1000}"))
    result = archspec.train(spec, tmp_path / "run", progress=False)
    record = json.loads((result.folder / "metrics.jsonl").read_text("utf-8").splitlines()[0])
    assert record["validation"]["wrong"] == pytest.approx(1 - record["validation"]["top1"])
    assert record["validation"]["loss"] < 1000
