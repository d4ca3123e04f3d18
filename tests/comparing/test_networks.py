"""Pairs of specs: layers, totals and settings as they differ, against arithmetic by hand and the report's figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec import diff, load, report
from archspec.cli import main
from archspec.comparing.markdown import LIMIT
from archspec.comparing.networks import NetworkDifference
from archspec.reports.compare import changed_layers
from archspec.runs.changes import LACKING

Write = Callable[..., Path]

INPUT = "input: {height: 16, width: 16, channels: 3}\n"


def pair(write: Write, first: str, second: str) -> NetworkDifference:
    (network,) = diff(write(INPUT + first, "a.yaml"), write(INPUT + second, "b.yaml")).networks
    return network


def table(network: NetworkDifference) -> list[list[str]]:
    one, other = network._graphs
    made = changed_layers(one, other, network.changes)
    return [[cell if isinstance(cell, str) else cell.text for cell in row] for row in made.rows]


BLOCK = """blocks:
  unit: {layers: [{conv: {filters: 4, kernel: 3}}, batch_norm, relu, {conv: {filters: 4, kernel: 1}}]}
"""


def test_a_renamed_block_is_one_line(write: Write) -> None:
    """Its arrays have other names now, which is a difference, though nothing is computed otherwise."""
    network = pair(
        write,
        BLOCK + "layers: [{unit: {name: stem}}, {unit: {name: body}}, flatten]\n",
        BLOCK + "layers: [{unit: {name: encoder}}, {unit: {name: body}}, flatten]\n",
    )
    assert network.state == "changed" and network.counts.renamed == 4 and network.counts.changed == 0
    assert table(network) == [["~", "stem → encoder", "4 layers renamed"], ["", "… 5 layers alike", ""]]


def test_layers_that_become_larger_are_told_apart_from_those_that_change(write: Write) -> None:
    convs = "".join(f", {{conv: {{name: c{i}, filters: 4, kernel: 3, pad: same}}}}" for i in range(5))
    network = pair(
        write,
        "layers: [{conv: {name: a, filters: 4, kernel: 3, stride: 2}}" + convs + "]\n",
        "layers: [{conv: {name: a, filters: 4, kernel: 3, stride: 1}}" + convs + "]\n",
    )
    assert (network.counts.changed, network.counts.resized, network.counts.alike) == (1, 5, 0)
    first, rest = table(network)
    assert first[:5] == ["~", "a", "conv", "stride 2 → 1", "7×7×4 → 14×14×4"]
    assert rest[1] == "… 5 layers of another size" and rest[4] == "7×7×4 → 14×14×4 … 7×7×4 → 14×14×4"
    # 27 and 36 products for each number of outputs, 14² − 7² positions more.
    assert rest[5] == "+105.8 k" and 5 * 36 * 4 * (196 - 49) == 105_840


def test_weights_that_are_shared_are_a_change(write: Write) -> None:
    fields = "filters: 3, kernel: 3, pad: same"
    layers = f"layers:\n- conv: {{name: a, {fields}}}\n- conv: {{name: b, {fields}%s}}\n"
    network = pair(write, layers % "", layers % ", weights: a")
    (changed,) = [item for item in network.changes if item.state == "changed"]
    assert changed.fields == (("weights", None, "a"),) and changed.params == -84
    same = pair(write, layers % ", weights: a", layers % ", weights: a")
    assert same.state == "same"


def test_totals_are_the_reports(capsys: pytest.CaptureFixture[str]) -> None:
    network = diff("resnet18", "resnet34").networks[0]
    for place, name in enumerate(("resnet18", "resnet34")):
        spec = load(name)
        totals = report(spec, batch=256).totals
        figures = {total.key: (total.before, total.after)[place] for total in network.totals}
        assert figures["params"] == totals["params"]["trainable"] and figures["macs"] == report(spec).totals["macs"]
        assert figures["training_bytes"] == totals["memory"]["training"]["float32"]["batch_bytes"]
        assert figures["inference_bytes"] == report(spec).totals["memory"]["inference"]["float32"]["batch_bytes"]
    assert network.total("layers").after - network.total("layers").before == network.counts.added  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("first", "second", "changed", "added"),
    [("resnet50", "resnet50_v1", 7, 0), ("vgg16", "vgg16_bn", 0, 13), ("resnet18", "resnet34", 0, 56)],
)
def test_pairs_of_the_zoo(first: str, second: str, changed: int, added: int) -> None:
    """Three strides that move by one layer, and a pooling; 13 batch norms; eight more blocks of seven layers."""
    network = diff(first, second).networks[0]
    assert (network.counts.changed, network.counts.added, network.counts.removed) == (changed, added, 0)
    back = diff(second, first).networks[0]
    assert (back.counts.changed, back.counts.removed, back.counts.added) == (changed, added, 0)
    params = network.total("params")
    assert params is not None and params.after - params.before == sum(item.params for item in network.changes)


def test_networks_of_little_in_common(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "googlenet", "bn_inception"]) == 0
    assert "googlenet → bn_inception: 48 layers changed" in capsys.readouterr().out


def test_layers_for_training_only_are_said_to_be_that(write: Write) -> None:
    """They cost nothing in evaluation, whose figures the totals are."""
    text = "layers: [{conv: {name: a, filters: 4, kernel: 3}}, flatten, {dense: {name: out, units: 9}}%s]\n"
    text += "outputs: {out: out%s}\n"
    head = ", {flatten: {name: f, from: a}}, {dense: {name: aux, units: 9}}"
    network = pair(write, text % ("", ""), text % (head, ", aux: {from: aux, train_only: true}"))
    assert [row[3] for row in table(network) if row[0] == "+"] == ["for training only", "units 9, for training only"]
    params = network.total("params")
    assert params is not None and not params.differs and network.changes[-1].params > 0


TRAIN = "layers: [flatten, {dense: {units: 10}}]\ntrain: {%s}\n"


def test_settings_are_paths_with_defaults_filled_in(write: Write) -> None:
    network = pair(
        write,
        TRAIN % "batch_size: 64, optimiser: {adam: 0.003}, epochs: 10",
        TRAIN % "optimiser: {sgd: {learning_rate: 0.1, momentum: 0.8}}, validation: 0.1",
    )
    found = {item.path: (item.old, item.new, item.defaults) for item in network.settings.changed}
    assert found == {
        "train.optimiser": ("adam", "sgd", (False, False)),
        "train.optimiser.adam.learning_rate": (0.003, LACKING, (False, False)),
        "train.optimiser.sgd.learning_rate": (LACKING, 0.1, (False, False)),
        "train.optimiser.sgd.momentum": (LACKING, 0.8, (False, False)),
        "train.batch_size": (64, 128, (False, True)),
        "train.validation": (LACKING, 0.1, (False, False)),
    }
    assert network.settings.unsaid > 3
    assert [item.path for item in network.settings.of("data")] == ["train.validation"]
    training = network.total("training_of")
    assert training is not None and (training.before, training.after) == ("64 in float32, adam", "128 in float32, sgd")


def test_a_default_that_is_written_out_is_no_difference(write: Write) -> None:
    assert pair(write, TRAIN % "epochs: 10", TRAIN % "batch_size: 128").state == "same"


def test_long_values_are_shown_from_where_they_differ(write: Write) -> None:
    start = "word " * 30
    network = pair(write, f"notes: {start}one\n{TRAIN % ''}", f"notes: {start}two\n{TRAIN % ''}")
    (setting,) = [item for item in network.settings.changed if item.path == "notes"]
    assert setting.shown[0].endswith("one") and setting.shown[1].endswith("two") and setting.shown[0].startswith("…")


def test_specs_from_python(write: Write) -> None:
    """With what a notebook shows of them, and of a spec that is wrong."""
    found = diff(load("lenet5"), load("lenet5", classes=26))
    assert found.networks[0].total("params").difference == "+1,360 (+2.2 %)"  # type: ignore[union-attr]
    assert "args.classes" in str(found) and "<table>" in found._repr_html_()
    made = found._repr_markdown_()
    assert made.startswith("**lenet5: 1 layer changed") and len(made) < LIMIT
    wrong = write(INPUT + "layers: [rleu]\n")
    broken = diff("lenet5", str(wrong))
    assert broken.is_broken and "E204" in broken._repr_html_() and "61,706" in str(broken)
    with pytest.raises(TypeError, match="one other thing"):
        diff(load("lenet5"))
