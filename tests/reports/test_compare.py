"""Networks side by side: figures that their names and papers give, and where two of them differ."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import load
from archspec.cli import main
from archspec.diagnostics import SpecError
from archspec.figures.differences import _by_path, _weighed, differences
from archspec.reports.facts import depth, labels, last_receptive_field, total_stride

Write = Callable[..., Path]
Mark = tuple[int, int, int]

DEPTHS = {
    "lenet5": 5,
    "alexnet": 8,
    "zfnet": 8,
    "vgg11": 11,
    "vgg13_bn": 13,
    "vgg16": 16,
    "vgg19": 19,
    "googlenet": 22,
    "resnet18": 18,
    "resnet34": 34,
    "plain34": 34,
    "resnet50": 50,
    "resnet101": 101,
    "resnet152_v1": 152,
    "resnet20": 20,
    "resnet110": 110,
    "resnet164_preact": 164,
    "resnet1001_preact": 1001,
}


@pytest.mark.parametrize("name", DEPTHS)
def test_depth_is_the_number_in_the_name(name: str) -> None:
    """The papers' counts: convolutions and dense layers on the longest path."""
    assert depth(load(name).graph().pruned("eval")) == DEPTHS[name]


@pytest.mark.parametrize(
    ("name", "field", "stride"),
    [("alexnet", 195, 32), ("vgg16", 212, 32), ("resnet50_v1", 483, 32), ("resnet101_v1", 1027, 32), ("lenet5", 16, 4)],
)
def test_receptive_fields_are_the_published_ones(name: str, field: int, stride: int) -> None:
    """AlexNet, VGG-16 and the ResNets as in Araujo et al. 2019, Table 1, before layers that take the whole map."""
    graph = load(name).graph().pruned("eval")
    assert last_receptive_field(graph) == (field, field) and total_stride(graph) == stride


def test_the_first_output_counts_where_there_are_several() -> None:
    """fcn_resnet50's second head stands on an earlier map, which sees less."""
    graph = load("fcn_resnet50").graph().pruned("eval")
    field = last_receptive_field(graph)
    assert isinstance(field, tuple) and field >= graph.by_path()["backbone.layer4.2.conv3"].receptive_field.size


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998", "alexnet", "caffenet", "vgg16", "segnet"])
def test_the_smallest_input_fits_and_no_smaller_one_does(name: str) -> None:
    spec = load(name)
    found = spec.smallest_input()
    assert found is not None
    spec.graph(input=found.side)
    for side in range(1, found.side):
        with pytest.raises(SpecError):
            spec.graph(input=side)


def test_vgg_needs_32_and_global_pooling_lets_one_pixel_pass() -> None:
    assert str(load("vgg16").smallest_input()) == "32×32"  # five halvings
    assert str(load("resnet50").smallest_input()) == "1×1"


def test_heads_for_training_count() -> None:
    """googlenet's pool their maps by windows of 5 × 5; one pixel less, and these do not fit."""
    spec = load("googlenet")
    found = spec.smallest_input()
    assert found is not None and found.side == 79
    spec.graph(input=79)
    with pytest.raises(SpecError, match="aux"):
        spec.graph(input=78)


def test_sizes_that_fit_can_lie_apart(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    head = "input: {height: 48, width: 48, channels: 1}\nlayers:\n"
    halves = head + "- conv: {filters: 2, kernel: 4, stride: 4, rounding: exact}\n- global_avg_pool"
    found = load(write(halves)).smallest_input()
    assert found is not None and (found.side, found.next) == (4, 8) and str(found) == "4×4, then 8×8"
    exact = head + "- conv: {filters: 2, kernel: 48, stride: 90, rounding: exact}\n- global_avg_pool"
    found = load(write(exact)).smallest_input()
    assert found is not None and found.exact and str(found) == "48×48 exactly"
    oblong = "input: {height: 9, width: 5, channels: 1}\nlayers:\n"
    oblong += "- conv: {filters: 2, kernel: [9, 5], stride: 90, rounding: exact}\n- global_avg_pool"
    path = write(oblong)
    assert load(path).smallest_input() is None
    assert main(["compare", str(path)]) == 0 and "none up to 9" in capsys.readouterr().out
    assert main(["compare", str(path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["networks"][0]["smallest_input"] is None
    assert main(["compare", str(path), "--format", "csv"]) == 0
    assert next(csv.DictReader(io.StringIO(capsys.readouterr().out)))["smallest_input"] == ""


def states(first: str, second: str) -> list[tuple[str, str, str]]:
    """State and paths of the pairs that are not alike."""
    found = differences(load(first).graph(), load(second).graph())
    return [
        (item.state, item.before.path if item.before else "", item.after.path if item.after else "")
        for item in found
        if item.state not in ("same", "resized")
    ]


def test_resnet50_v1_differs_where_the_stride_stands() -> None:
    found = differences(load("resnet50").graph(), load("resnet50_v1").graph())
    changed = {item.after.path: item.fields for item in found if item.after and item.state == "changed"}
    stem = changed.pop("maxpool")  # the authors' has no border, and rounds up
    assert [name for name, _, _ in stem] == ["pad", "rounding"]
    assert changed == {
        f"layer{stage}.0.{name}": (("stride", before, after),)
        for stage in (2, 3, 4)
        for name, before, after in (("conv1", [1, 1], [2, 2]), ("conv2", [2, 2], [1, 1]))
    }
    assert {item.state for item in found} == {"same", "resized", "changed"}
    assert sum(item.macs for item in found) == 3857973248 - 4089184256


def test_vgg19_has_three_convolutions_more() -> None:
    assert states("vgg16", "vgg19") == [
        ("added", "", path)
        for path in (
            "features.conv3_4",
            "features.relu8",
            "features.conv4_4",
            "features.relu12",
            "features.conv5_4",
            "features.relu16",
        )
    ]
    assert [("removed", path, "") for _, _, path in states("vgg16", "vgg19")] == states("vgg19", "vgg16")


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "segnet"])
def test_a_network_is_like_itself(name: str) -> None:
    assert {item.state for item in differences(load(name).graph(), load(name).graph())} == {"same"}


def test_another_input_resizes_and_other_classes_change_one_layer() -> None:
    graph = load("resnet18").graph()
    found = differences(graph, load("resnet18").graph(input=288))
    assert {item.state for item in found} == {"same", "resized"}
    (last,) = [item for item in differences(graph, load("resnet18", classes=10).graph()) if item.state == "changed"]
    assert last.fields == (("units", 1000, 10),) and last.params == 513 * (10 - 1000)


def test_layers_that_take_other_inputs_are_told_of(write: Write) -> None:
    text = "input: {height: 8, width: 8, channels: 4}\nlayers:\n- conv: {name: a, filters: 4, kernel: 1}\n"
    text += "- relu: {name: r}\n- conv: {name: b, filters: 4, kernel: 1}\n- add: {name: s, from: [b, %s]}"
    first, second = load(write(text % "a", "x.yaml")).graph(), load(write(text % "r", "y.yaml")).graph()
    (found,) = [item for item in differences(first, second) if item.state != "same"]
    assert found.rewired and found.after is not None and found.after.path == "s"


def worth(pairs: list[tuple[int | None, int | None]], one: list[Mark], other: list[Mark]) -> int:
    from archspec.figures.differences import _worth

    return sum(_worth(one[i], other[j]) for i, j in pairs if i is not None and j is not None)


def best(one: list[Mark], other: list[Mark]) -> int:
    """The greatest worth of an alignment, by trying all."""
    from archspec.figures.differences import _worth

    if not one or not other:
        return 0
    ways = [best(one[1:], other), best(one, other[1:])]
    if one[0][2] == other[0][2]:
        ways.append(best(one[1:], other[1:]) + _worth(one[0], other[0]))
    return max(ways)


MARKS = st.lists(st.tuples(st.integers(0, 2), st.integers(10, 12), st.just(20) | st.just(21)), max_size=6)


@given(MARKS, MARKS)
@settings(max_examples=80, deadline=None)
def test_alignments_are_in_order_complete_and_the_best(one: list[Mark], other: list[Mark]) -> None:
    pairs = _weighed(one, other)
    for found in (pairs, _by_path(one, other)):
        assert [i for i, _ in found if i is not None] == list(range(len(one)))
        assert [j for _, j in found if j is not None] == list(range(len(other)))
    assert worth(pairs, one, other) == best(one, other)


def test_networks_with_little_in_common_are_not_listed_pair_by_pair(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "resnet50", "bn_inception"]) == 0
    out = capsys.readouterr().out
    assert "--layers" in out and "1 % of the layers" in out and "layer4.0.conv1" not in out
    assert main(["compare", "resnet50", "bn_inception", "--layers"]) == 0
    assert "layer4.0.conv1" in capsys.readouterr().out
    for pair in (
        ["resnet50", "resnet101"],
        ["resnet50", "resnet50_v1"],
        ["lenet5", "lenet5_1998"],
        ["vgg16", "vgg19_bn"],
    ):
        assert main(["compare", *pair]) == 0
        assert "--layers" not in capsys.readouterr().out


def test_labels_stay_distinguishable() -> None:
    assert labels(["a", "b"], ["x/a.yaml", "b"]) == ["a", "b"]
    assert labels(["a", "a"], ["x.yaml", "y.yaml"]) == ["a (x.yaml)", "a (y.yaml)"]
    assert labels(["a", "a", "a"], ["a", "a", "x.yaml"]) == ["a", "a [2]", "a (x.yaml)"]


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["resnet18", "vgg16"]
    assert main(["compare", *names, "--format", "csv", "--batch", "8"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["network"] for row in rows] == names
    assert rows[0]["params"] == "11689512" and rows[0]["macs"] == "1814073344" and rows[0]["smallest_input"] == "1"
    assert rows[1]["top1"] == "71.592" and rows[1]["depth"] == "16" and rows[1]["receptive_field"] == "212x212"
    assert main(["compare", *names, "--format", "json", "--batch", "8"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert [item["params"] for item in whole["networks"]] == [11689512, 138357544]
    assert whole["networks"][1]["smallest_input"] == {"side": 32, "next": 33, "exact": False}
    assert str(whole["networks"][0]["inference_bytes"]) == rows[0]["inference_bytes"]
    assert sum(item["macs"] for item in whole["differences"]) == 15470264320 - 1814073344
    assert main(["compare", *names, "--format", "latex", "--layers"]) == 0
    assert capsys.readouterr().out.count(r"\begin{tabular}") == 1  # the layers are a longtable
    assert main(["compare", *names, "alexnet", "lenet5", "googlenet"]) == 0
    out = capsys.readouterr().out
    assert "layers," not in out and out.splitlines()[3].startswith("network")


def test_memory_is_for_the_batch_and_published_figures_for_the_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def networks(*words: str) -> list[dict[str, Any]]:
        assert main(["compare", "resnet18", "resnet34", "--format", "json", *words]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["networks"]
        return found

    one, many, half = networks(), networks("--batch", "9"), networks("--dtype", "bfloat16")
    assert one[0]["training_bytes"] < many[0]["training_bytes"] and one[0]["macs"] == many[0]["macs"]
    assert half[0]["weights_bytes"] * 2 == one[0]["weights_bytes"]
    assert one[0]["top1"] == 69.758 and "torchvision" in one[0]["published"]["source"]
    other = networks("--set", "classes=10")
    assert other[0]["top1"] is None and other[0]["published"] is None and other[0]["params"] < one[0]["params"]


def test_what_is_wrong_is_told_of(capsys: pytest.CaptureFixture[str], write: Write) -> None:
    assert main(["compare", "resnet18", "resnet51"]) == 1
    assert "did you mean" in capsys.readouterr().err
    bad = write("input: {height: 8, width: 8, channels: 1}\nlayers:\n- conv: {filters: 2, kernel: 9}")
    assert main(["compare", "lenet5", str(bad)]) == 1
    assert "E301" in capsys.readouterr().err
