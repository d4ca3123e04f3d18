"""What people of other libraries write is understood: a near spelling, a known synonym, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import did_you_mean
from archspec.loading import load, open_spec

INPUT = "input: {height: 16, width: 16, channels: 4}\n"
Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{conv: {filters: 3, kernel: 3, activation: relu}}", "- relu"),
        ("{conv: {out_channels: 3, kernel_size: 3}}", "`filters`"),
        ("{conv: {filters: 3, kernel: 3, in_channels: 3}}", "follow from the layer before"),
        ("{conv: {filters: 3, kernel: 3, padding: 1}}", "`pad`"),
        ("{conv: {filters: 3, kernel: 3, strides: 2}}", "`stride`"),
        ("{conv: {units: 3, kernel: 3}}", "`filters`"),
        ("{max_pool: {kernel_size: 3}}", "`window`"),
        ("{dense: {filters: 3}}", "`units`"),
        ("{Conv2d: {filters: 3, kernel: 3}}", "`conv`"),
        ("{MaxPool2d: 2}", "`max_pool`"),
        ("BatchNorm", "`batch_norm`"),
        ("BatchNormalization", "`batch_norm`"),
        ("ReLU", "`relu`"),
        ("LeakyReLU", "`leaky_relu`"),
        ("GlobalAveragePooling2D", "`global_avg_pool`"),
        ("Concatenate", "`concat`"),
        ("{add: [a, b]}", "- add: {from: [a, b]}"),
        ("dense:84", "dense: 84"),
        ("{nn.Upsample: 2}", "`resize`"),
        ("{type: Conv2d, out_channels: 3}", "- conv: {…}"),
        ("{class_name: Dense, config: {units: 3}}", "- dense: {…}"),
        ("[-1, 1, Conv, [64, 3, 2]]", "`from` names the layers it takes"),
        ("{conv: {filters:3, kernel: 3}}", "filters: 3"),
    ],
)
def test_layers_of_other_libraries(write: Write, entry: str, words: str) -> None:
    found = open_spec(str(write(INPUT + f"layers: [{entry}]"))).diagnostics
    assert any(words in way for item in found for way in item.help), [item.help for item in found]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("optimiser: {adam: {lr: 0.1}}", "`learning_rate`"),
        ("optimiser: {adam: {weight-decay: 0.1}}", "`weight_decay`"),
        ("optimizer: adam", "`optimiser`"),
        ("scheduler: cosine", "`schedule`"),
        ("num_epochs: 3", "`epochs`"),
        ("schedule: MultiStepLR", "`step`"),
    ],
)
def test_recipes_of_other_libraries(write: Write, line: str, words: str) -> None:
    found = open_spec(str(write(INPUT + f"layers: [relu]\ntrain: {{{line}}}"))).diagnostics
    assert any(words in way for item in found for way in item.help)


@pytest.mark.parametrize("text", ["input: {height:28, width: 28, channels: 1}", "input:\n  height:28\n  width:28\n"])
def test_a_missing_space_after_a_colon(write: Write, text: str) -> None:
    found = open_spec(str(write(text + "\nlayers: [relu]"))).diagnostics
    assert any("`height: 28" in way for item in found for way in item.help)


def test_files_of_other_formats(write: Write) -> None:
    found = open_spec(str(write("nc: 80\nbackbone: []\nclass_name: Sequential", whole=True))).diagnostics
    said = " ".join(way for item in found for way in item.help)
    assert "args: {classes: 10}" in said and "`layers`" in said and "a kind is the key itself" in said


@pytest.mark.parametrize("word", ["activation", "name", "xyz", "trainable", "momentum2000", "f"])
def test_strangers_are_not_offered(word: str) -> None:
    fields = ["filters", "kernel", "stride", "dilation", "groups", "pad", "rounding", "bias", "init", "bias_init"]
    assert did_you_mean(word, fields) is None


def test_adam_has_the_usual_rate(write: Write) -> None:
    for kind in ("adam", "adamw"):
        train = load(write(INPUT + f"layers: [relu]\ntrain: {{optimiser: {kind}}}")).train
        assert train is not None and train.optimiser.learning_rate == 0.001
