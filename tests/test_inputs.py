"""What a network takes: images, signals and vectors, one or several by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import Findings
from archspec.figures.conventions import CONVENTIONS, torchinfo_bytes, total
from archspec.figures.devices import find_device
from archspec.figures.differences import differences
from archspec.figures.memory import inference, training
from archspec.figures.roofline import predict
from archspec.loading import Spec, load, open_spec
from archspec.reports import report
from archspec.reports.cells import Cell
from archspec.reports.facts import BY_KEY, Facts, table, used
from archspec.reports.roofline import header
from archspec.spec.inputs import SignalInput, VectorInput
from archspec.spec.network import ImageInput
from archspec.spec.overrides import Override, parse_input, parse_override

Write = Callable[..., Path]

TWO = "inputs: {left: {height: 8, width: 8, channels: 1}, sound: {length: 9, channels: 2}, number: {features: 3}}\n"


def said(path: Path) -> list[str]:
    """What is wrong with a spec, and the ways out."""
    return [" ".join((item.message, *item.help)) for item in open_spec(str(path)).diagnostics]


def test_the_fields_decide_what_an_input_is(write: Write) -> None:
    inputs = load(write(TWO + "layers: [relu]")).inputs
    assert inputs == {
        "left": ImageInput(height=8, width=8, channels=1),
        "sound": SignalInput(length=9, channels=2),
        "number": VectorInput(features=3),
    }
    assert [input.type.shape for input in inputs.values()] == [(8, 8, 1), (9, 2), (3,)]
    only = load(write("input: {length: 9, channels: 2, mean: 1, std: [2, 3]}\nlayers: [relu]")).inputs
    assert only == {"input": SignalInput(length=9, channels=2, mean=1, std=(2, 3))}


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("input: {length: 3, height: 2}", "input is a signal (`length`) or an image (`height`), not both at once"),
        ("input: {features: 3, channels: 3}", "has no field `channels`"),
        ("input: {features: 3, mean: [1, 2]}", "`mean` has 2 numbers for 3 features"),
        ("input: {length: 3, channels: 1, std: 0}", "`std` of input must be greater than 0"),
        ("input: {length: 3, channels: 1, range: [0, 1]}", "has no field `range`"),
        ("input: {length: 3}", "needs `channels`"),
        ("input: {}", "does not say how large it is"),
        ("inputs: {}", "`inputs` names nothing"),
        ("inputs: {a: 3}", "`a: {features: 3}`"),
        ("inputs: [a, b]", "number: {features: 10}"),
        ("inputs: {a: {size: 28}}", "`a: {height: 28, width: 28, channels: 3}`"),
        ("inputs: {a: {features: 3}}\ninput: {features: 3}", "`input` or `inputs`, not both"),
        ("inputs: {a: {features: 3}, input: {features: 3}}", "only input of a network"),
        ("inputs: {previous: {features: 3}}", "stands for what the layer before gives"),
        ("inputs: {a b: {features: 3}}", "cannot be a name"),
        # As Keras and PyTorch write shapes.
        ("input: [28, 28, 1]", "{height: 28, width: 28, channels: 1}"),
        ("input: [3, 224, 160]", "{height: 224, width: 160, channels: 3}"),
        ("input: [-1, 28, 28, 1]", "{height: 28, width: 28, channels: 1}"),
        ("input: 784", "{features: 784}"),
        ("input: {shape: [100, 6]}", "a signal `input: {length: 100, channels: 6}`"),
        ("input_shape: [1, 28, 28]", "{height: 28, width: 28, channels: 1}"),
    ],
)
def test_what_is_wrong_is_said(write: Write, section: str, words: str) -> None:
    found = said(write(f"{section}\nlayers: [relu]"))
    assert len(found) == 1 and words in found[0], found


def test_a_variant_and_a_file_that_extends_replace_another_kind_of_input(write: Write) -> None:
    write(
        "inputs: {a: {height: 8, width: 8, channels: 1}, b: {features: 2}}\nlayers: [relu]\n"
        "variants: {large: {inputs: {a: {height: 9}}}, sound: {inputs: {a: {length: 5, channels: 1}, b: null}}}\n",
        "base.yaml",
    )
    large = load(write("extends: base.yaml#large\n")).inputs
    assert large == {"a": ImageInput(height=9, width=8, channels=1), "b": VectorInput(features=2)}
    assert load(write("extends: base.yaml#sound\n")).inputs == {"a": SignalInput(length=5, channels=1)}
    assert load(write("extends: base.yaml\ninput: {features: 4}\n")).inputs == {"input": VectorInput(features=4)}


def sizes(*options: str) -> list[Override]:
    findings = Findings()
    found = [override for option in options for override in parse_input(option, findings)]
    findings.raise_if_failed()
    return found


def shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    return {name: input.type.shape for name, input in spec.inputs.items()}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("left.height", "did you mean `inputs.left`?"),
        ("length", "did you mean `inputs.sound.length`?"),
        ("width", "did you mean `inputs.left.width`?"),
        ("inputs.left.hieght", "did you mean `height`?"),
    ],
)
def test_a_path_to_set_that_is_not_whole(write: Write, path: str, words: str) -> None:
    override = parse_override(f"{path}=3", Findings())
    assert override is not None
    found = open_spec(str(write(TWO + "layers: [relu]")), [override]).diagnostics
    assert any(words in item.help for item in found), found
    good = parse_override("inputs.left.height=5", Findings())
    assert good is not None
    assert shapes(open_spec(str(write(TWO + "layers: [{relu: {from: left}}]")), [good]))["left"] == (5, 8, 1)


def test_another_size_is_given_by_name(write: Write) -> None:
    path = str(write(TWO + "layers: [relu]"))
    spec = open_spec(path, sizes("left=16x12", "sound=20", "number=5"))
    assert shapes(spec) == {"left": (16, 12, 1), "sound": (20, 2), "number": (5,)}
    for text, words in (
        ("16x12", "has 3 inputs, left, sound and number"),
        ("lift=16x12", "did you mean `left`?"),
        ("sound=2x2x2", "`sound` is a signal, whose size is its length, L or LxC, not 3 numbers"),
        ("left=16", "`left` is an image, whose size is HxW or HxWxC, not 1 number"),
    ):
        (found,) = [item for item in open_spec(path, sizes(text)).diagnostics if item.code == "E113"]
        assert words in " ".join((found.message, *found.help)) and found.primary is not None
        assert found.primary.span.source.text == f"--input {text}"
    alone = write("input: {length: 9, channels: 2}\nlayers: [relu]", "alone.yaml")
    assert shapes(open_spec(str(alone), sizes("16000x1"))) == {"input": (16000, 1)}
    assert load(alone).graph(input=30).input.shape == (30, 2)
    with pytest.raises(TypeError, match="3 numbers"):
        load(alone).graph(input=(1, 2, 3))


BOTH = """
inputs:
  picture: {height: 6, width: 6, channels: 2, range: [-1, 1]}
  number: {features: 10, mean: 0.5}
layers:
  - conv: {name: a, from: picture, filters: 4, kernel: 3}
  - flatten: {name: seen}
  - dense: {name: told, from: number, units: 3}
  - relu
  - concat: {from: [seen, relu1]}
  - dense: {name: end, units: 5}
"""


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("[relu]", "the network has 3 inputs, and its first entry does not say which it takes"),
        ("[{repeat: {times: 2, layers: [relu]}}]", "`- repeat: {from: left, …}`; inputs: left, sound and number"),
        ("[]", "the network has no layers"),
        ("[{relu: {name: left, from: left}}]", "the name `left` is an input's"),
        ("[{relu: {from: lift}}]", "did you mean `left`?"),
        (
            "[{relu: {name: a, from: left}}, {add: {from: [a, nowhere]}}]",
            "names so far: left, sound, number, previous and a",
        ),
        ("[{relu: {from: input}}]", "inputs `left`, `sound` and `number`: `from: left` takes one or join"),
        ("[{split: {from: input, parts: 2}}]", "`from: left` takes one or join"),
        ("[{residual: {from: input, layers: [relu]}}]", "`from: left` takes one or join"),
        (
            "[{relu: {from: left}}, {dense: {units: 3, from: number}}, {add: {from: [relu1, dense1]}}]",
            "some inputs are maps",
        ),
    ],
)
def test_a_network_of_several_inputs_says_which_it_takes(write: Write, layers: str, words: str) -> None:
    found = [text for text in said(write(f"{TWO}layers: {layers}")) if "nothing uses" not in text]
    assert len(found) == 1 and words in found[0], found


def test_inputs_that_nothing_uses_are_named(write: Write) -> None:
    found = said(write(TWO + "layers: [{relu: {from: sound}}]"))
    assert [text.split(";")[0] for text in found] == [
        "nothing uses the input `left`, of 8×8×1 take it with `from:`, or remove it",
        "nothing uses the input `number`, of 3 take it with `from:`, or remove it",
    ]


def test_what_show_writes_gives_the_same_graph(write: Write, tmp_path: Path) -> None:
    spec = load(write(BOTH))
    written = tmp_path / "again.yaml"
    written.write_text(spec.to_yaml(), "utf-8")
    again = load(written)
    assert again.graph() == spec.graph() and again.inputs == spec.inputs
    assert again.to_yaml() == spec.to_yaml()
    signal = load(write("input: {length: 9, channels: 2, std: 3}\nlayers: [relu, flatten, dense: 2]", "signal.yaml"))
    assert "\ninput: {length: 9, channels: 2, std: 3.0}\n" in signal.to_yaml()
    alone = load(write("inputs: {left: {features: 4}}\nlayers: [relu, {dense: {from: left, units: 2}}]", "alone.yaml"))
    written.write_text(alone.to_yaml(), "utf-8")
    assert load(written).graph() == alone.graph() and alone.graph().inputs[0].name == "left"


def test_reports_name_all_inputs(write: Write) -> None:
    graph = load(write(BOTH)).graph()
    found = report(graph)
    assert str(found).startswith("net: inputs picture 6×6×2 (H×W×C), number 10 (features), batch 1, eval mode")
    assert [row.inputs for row in found.rows] == [
        ("picture",), ("a",), ("number",), ("told",), ("seen", "relu1"), ("concat1",)
    ]  # fmt: skip
    assert found.to_dict()["inputs"] == {"picture": [6, 6, 2], "number": [10]} and "input" not in found.to_dict()
    sound = load(write("input: {length: 9, channels: 2}\nlayers: [flatten, dense: 2]", "sound.yaml")).graph()
    assert str(report(sound)).startswith("net: input 9×2 (L×C), batch 1")
    assert report(sound).to_dict()["input"] == [9, 2]
    facts = Facts("net", "", graph)
    assert table([facts], [BY_KEY["input"]]).rows[0][1] == Cell(
        "picture 6×6×2, number 10 (features)", "picture=6x6x2 number=10"
    )
    assert [column.key for column in used([facts])].count("smallest_input") == 0
    assert load(write(BOTH)).smallest_input() is None
    line = header(predict(graph, find_device("a100")))[0]
    assert ": inputs picture 6×6×2 (H×W×C), number 10 (features), batch 1," in line


def test_memory_of_two_inputs_by_hand(write: Write) -> None:
    graph = load(write(BOTH)).graph()
    # 72 and 10 numbers go in; the convolution's 64 are the most that is alive beside both.
    assert inference(graph).parts["activations"].per_sample == 4 * (72 + 10 + 64)
    assert training(graph).parts["input"].per_sample == 4 * (72 + 10)
    assert torchinfo_bytes(graph, 2)["Input size"] == 4 * 2 * (72 + 10)


def test_torchinfo_counts_a_signals_positions_and_each_use_of_shared_arrays(write: Write) -> None:
    path = write("""
inputs: {left: {length: 12, channels: 2}, right: {length: 12, channels: 2}}
layers:
  - conv: {name: a, from: left, filters: 4, kernel: 3}
  - conv: {name: b, from: right, filters: 4, kernel: 3, weights: a}
  - subtract: {from: [a, b]}
""")
    graph = load(path).graph()
    assert graph.params == 3 * 2 * 4 + 4
    assert total(CONVENTIONS["torchinfo"], graph) == 2 * (3 * 2 * 4 + 4) * 10  # 10 positions
    assert torchinfo_bytes(graph, 1)["Forward/backward pass size"] == 2 * 2 * 4 * (10 * 4)


def test_what_takes_another_input_is_told_of(write: Write) -> None:
    """Two networks whose inputs stand in another order are alike; one whose layers take another input is not."""
    layers = "layers: [{relu: {name: a, from: %s}}, {tanh: {from: two}}, {add: {from: [a, tanh1]}}]\n"
    orders = "inputs: {one: {features: 3}, two: {features: 3}}\n", "inputs: {two: {features: 3}, one: {features: 3}}\n"
    first, turned, other = (
        load(write(section + layers % name, f"{index}.yaml")).graph()
        for index, (section, name) in enumerate(((orders[0], "one"), (orders[1], "one"), (orders[0], "two")))
    )
    assert [item.state for item in differences(first, turned)] == ["same"] * 3
    assert [item.rewired for item in differences(first, other)] == [True, False, False]
