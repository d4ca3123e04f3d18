"""What a network takes: images, signals and vectors, one or several by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import Findings
from archspec.loading import Spec, load, open_spec
from archspec.spec.inputs import SignalInput, VectorInput
from archspec.spec.network import ImageInput
from archspec.spec.overrides import Override, parse_input

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
        ("inputs: 3", "`inputs` is a mapping"),
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
