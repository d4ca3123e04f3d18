"""Reports: what is counted, folding, formats, and the command's options."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from archspec.blocks import folded, tree
from archspec.cli import main
from archspec.commands._common import TABLES
from archspec.figures.conventions import CONVENTIONS
from archspec.figures.units import mebibytes, read_bytes, si
from archspec.loading import load
from archspec.reports import report
from archspec.reports.columns import COLUMNS, DEFAULT
from archspec.reports.tables import header, render

NETWORKS = ("lenet5", "googlenet", "resnet50", "segnet_basic", "fcn8s")


@pytest.mark.parametrize("name", NETWORKS)
def test_folding_at_any_depth_keeps_the_sums_and_the_graph(name: str) -> None:
    graph = load(name).graph()
    whole = report(graph)
    for depth in range(1, tree(graph).depth + 2):
        made = report(graph, depth=depth)
        assert made.totals == whole.totals
        for field in ("params", "macs", "flops", "activation_bytes", "moved_bytes"):
            assert sum(getattr(row, field) for row in made.rows) == sum(getattr(row, field) for row in whole.rows)
        names = ["input", *(row.name for row in made.rows)]
        assert len(set(names)) == len(names)
        for row in made.rows:
            assert row.name.count(".") < depth and row.inputs and set(row.inputs) <= set(names) - {row.name}
        layers = [index for part in folded(graph.pruned("eval"), depth) for index in part.nodes]
        assert sorted(layers) == list(range(len(whole.rows)))
    assert [row.name for row in made.rows] == [row.name for row in whole.rows]


def test_blocks_are_called_what_the_spec_calls_them() -> None:
    kinds = {row.name: row.kind for row in report(load("resnet50").graph(), depth=2).rows}
    assert kinds["layer1.0"] == kinds["layer4.2"] == "bottleneck" and kinds["maxpool"] == "max_pool"
    outer = {row.name: (row.kind, row.output) for row in report(load("resnet50").graph(), depth=1).rows}
    assert outer["layer1"] == ("repeat", (56, 56, 256)) and outer["layer4"] == ("repeat", (7, 7, 2048))


def test_figures_of_a_layer_by_hand(write: Callable[..., Path]) -> None:
    path = write("""
input: {height: 9, width: 7, channels: 5}
layers:
  - conv: {filters: 4, kernel: 3, pad: 1}
  - relu
  - flatten
  - dense: 10
""")
    made = report(load(path).graph(), batch=3, dtype="bfloat16")
    conv, relu, flat, dense = made.rows
    positions = 9 * 7
    macs = positions * 4 * 3 * 3 * 5
    assert (conv.params, conv.macs) == (3 * 3 * 5 * 4 + 4, 3 * macs)
    assert conv.flops == 3 * (2 * macs + positions * 4)
    assert conv.activation_bytes == 3 * positions * 4 * 2
    assert conv.moved_bytes == 2 * (3 * positions * (5 + 4) + conv.params)
    assert conv.intensity == conv.flops / conv.moved_bytes
    assert relu.moved_bytes == 2 * 3 * 2 * positions * 4 and flat.moved_bytes == 0
    assert dense.moved_bytes == 2 * (3 * (positions * 4 + 10) + dense.params)
    # Backward: the first layer has no gradient of its input, the dense layer has both products.
    dense_macs = positions * 4 * 10
    forward = 2 * (macs + dense_macs) + positions * 4 + positions * 4 + 10
    backward = 2 * macs + positions * 4 + positions * 4 + 2 * 2 * dense_macs + 10
    assert made.totals["training_flops"] == 3 * (forward + backward)
    weights = conv.params + dense.params
    assert made.totals["memory"]["weights_bytes"] == 2 * weights
    memory = made.totals["memory"]
    assert memory["training"]["float32"]["fixed_bytes"] == 4 * 4 * weights  # weights, gradients, Adam's two
    for use in ("inference", "training"):
        for found in memory[use].values():
            assert found["batch_bytes"] == found["fixed_bytes"] + 3 * found["per_sample_bytes"]
            assert sum(part["fixed"] for part in found["parts"].values()) == found["fixed_bytes"]
            assert sum(part["per_sample"] for part in found["parts"].values()) == found["per_sample_bytes"]


def test_training_counts_what_only_training_needs() -> None:
    graph = load("googlenet").graph()
    plain, train = report(graph), report(graph, mode="train")
    assert plain.totals["params"]["trainable"] == 6998552 and train.totals["params"]["trainable"] == 13378280
    assert plain.totals["training_flops"] == train.totals["training_flops"]
    assert "left out" in header(plain)[1] and "aux1, aux2: counted" in header(train)[1]
    # With heads: a forward pass, and nearly twice that backward.
    assert 2.9 < train.totals["training_flops"] / train.totals["flops"] < 3


def test_the_report_says_what_only_cpus_need(capsys: pytest.CaptureFixture[str]) -> None:
    made = report(load("alexnet").graph())
    copies = made.memory["training", "float32"].parts["copies"].per_sample
    assert f"training counts {mebibytes(copies)} a sample" in str(made)


def test_the_largest_batch_is_the_largest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "alexnet", "--memory", "2GiB", "--optimiser", "sgd", "--format", "json"]) == 0
    memory = json.loads(capsys.readouterr().out)["totals"]["memory"]
    assert memory["optimiser"] == "sgd"
    for use in ("inference", "training"):
        for found in memory[use].values():
            batch = found["largest_batch"]
            assert found["fixed_bytes"] + batch * found["per_sample_bytes"] <= 2**31
            assert found["fixed_bytes"] + (batch + 1) * found["per_sample_bytes"] > 2**31
    assert main(["report", "alexnet", "--memory", "100MiB"]) == 0
    assert "does not fit" in capsys.readouterr().out


def test_the_optimiser_is_the_recipes_unless_another_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    fixed: dict[int, Any] = {}
    for options in ([], ["--optimiser", "sgd"], ["--set", "train.optimiser={sgd: {learning_rate: 0.1, momentum: 0}}"]):
        assert main(["report", "specs/examples/digits.yaml", "--format", "json", *options]) == 0
        memory = json.loads(capsys.readouterr().out)["totals"]["memory"]
        fixed[len(fixed)] = memory["training"]["float32"]["fixed_bytes"]
    weights = 4 * 20490
    assert list(fixed.values()) == [4 * weights, 3 * weights, 2 * weights]
    assert main(["report", "lenet5", "--optimiser", "adma"]) == 1
    assert "did you mean `adam`" in capsys.readouterr().err


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["report", *options]) == 0
    return capsys.readouterr().out


def test_columns_by_choice(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "lenet5", "--columns", "path,intensity,inputs").splitlines()
    assert lines[3].split() == ["layer", "FLOPs/byte", "from"]
    every = printed(capsys, "lenet5", "--columns", "all", "--format", "csv").splitlines()[0].split(",")
    assert every == [column.raw for name, column in COLUMNS.items() if name != "counted"]
    counted = printed(capsys, "lenet5", "--columns", "all", "--format", "csv", "--convention", "timm").splitlines()[0]
    assert counted.split(",") == [column.raw for column in COLUMNS.values()]
    assert main(["report", "lenet5", "--columns", "path", "--format", "json"]) == 1
    assert "JSON has every figure" in capsys.readouterr().out
    assert main(["report", "lenet5", "--columns", "path,counted"]) == 1
    assert "give one: --convention fvcore" in capsys.readouterr().err
    assert main(["report", "lenet5", "--columns", "path,parms"]) == 2
    assert "did you mean `params`" in capsys.readouterr().err


def test_csv_is_raw_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "resnet18", "lenet5", "--format", "csv"))))
    assert {row["network"] for row in rows} == {"resnet18", "lenet5"}
    mine = [row for row in rows if row["network"] == "resnet18"]
    assert sum(int(row["params"]) for row in mine) == 11689512
    assert sum(int(row["macs"]) for row in mine) == 1814073344
    assert abs(sum(float(row["share"]) for row in mine) - 1) < 1e-4


def test_the_largest_batch_is_told_beside_a_convention(capsys: pytest.CaptureFixture[str]) -> None:
    assert "largest batch in 1 GiB" in printed(capsys, "lenet5", "--convention", "timm", "--memory", "1GiB")
    assert "largest batch" not in printed(capsys, "lenet5", "--convention", "timm")


def test_markdown_has_a_table_each(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "resnet18", "--depth", "1", "--format", "markdown").splitlines()
    tables = "\n".join(lines).split("\n\n")
    for table in (block for block in tables if block.startswith("|")):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1
    assert any(line.startswith("| layer1 ") and "147,968" in line for line in lines)


def test_latex_is_balanced_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "resnet18", "--depth", "1", "--format", "latex")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert re.findall(r"\\begin\{(\w+)\}", body).count("tabular") == 3
    for begun, ended in (("{", "}"), (r"\begin", r"\end")):
        assert body.count(begun) == body.count(ended)
    assert not re.search(r"(?<!\\)[_%#]", body) and "×" not in body
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows[:5]} == {len(DEFAULT) - 1}


class Cells(HTMLParser):
    """Texts of the cells, and whether every tag was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_html_is_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "lenet5", "--format", "html")
    parser = Cells()
    parser.feed(text)
    assert text.startswith("<!doctype html>") and not parser.open
    assert {"c1", "61,706", "10"} <= set(parser.cells)


@pytest.mark.parametrize("format", TABLES)
@pytest.mark.parametrize("convention", [None, *CONVENTIONS])
def test_every_format_writes_every_convention(
    format: str, convention: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--convention", convention] if convention else []
    text = printed(capsys, "lenet5", "--format", format, *options)
    if format == "json":
        assert ("convention" in json.loads(text)) == (convention is not None)
    elif format != "csv":
        assert (convention or "MACs of convolutions") in text


def test_the_python_api_prints_the_same() -> None:
    made = report(load("lenet5").graph(), depth=1)
    assert str(made) == render([made], "table")
    # A spec has a recipe, whose optimiser counts; a graph has none.
    assert report(load("lenet5")).optimiser_name == "adamw" and made.optimiser_name == "adam"
    assert "<table" in made._repr_html_()
    for wrong in ({"batch": 0}, {"depth": 0}, {"dtype": "float8"}, {"convention": "keras"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            report(load("lenet5").graph(), **wrong)


def test_units() -> None:
    assert [si(value) for value in (0, 999, 1000, 4089184256, 1.5e13, 3.888e17)] == [
        "0",
        "999",
        "1 k",
        "4.089 G",
        "15 T",
        "388.8 P",
    ]
    sizes = (40, 4000, 2**20, 5 * 2**30 + 1, 16 * 2**30)
    assert [mebibytes(value) for value in sizes] == ["40 B", "3.91 KiB", "1 MiB", "5,120 MiB", "16 GiB"]
    written = ("16GiB", "16 gib", "80GB", "1.5MiB", "512 B")
    assert [read_bytes(text) for text in written] == [2**34, 2**34, 80 * 10**9, 3 * 2**19, 512]
    for wrong in ("", "16", "GiB", "12GX", "-1GiB", "1e9"):
        with pytest.raises(ValueError, match="16GiB"):
            read_bytes(wrong)
