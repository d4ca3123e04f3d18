"""Other tools' figures: recorded from the tools (by record_tools.py) and published (published_tools.json)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec.cli import main
from archspec.figures.conventions import CONVENTIONS, torchinfo_bytes, total
from archspec.graph import Graph
from archspec.loading import load

HERE = Path(__file__).parent
RECORDED: dict[str, dict[str, Any]] = json.loads((HERE / "tools.json").read_text("utf-8"))
PUBLISHED: dict[str, dict[str, Any]] = json.loads((HERE / "published_tools.json").read_text("utf-8"))
OTHER_NAMES = {"alexnet": "alexnet_one_weird_trick", "googlenet": "googlenet_bn"}
"""What torchvision's networks are called in the zoo where the names differ."""


def graph_of(name: str, size: list[int]) -> Graph:
    return load(OTHER_NAMES.get(name, name)).graph(input=tuple(size[:2])).pruned("eval")


@pytest.mark.parametrize("name", RECORDED)
def test_counts_equal_the_tools_own(name: str) -> None:
    tool, graph = RECORDED[name], graph_of(name, RECORDED[name]["input"])
    found = {key: total(convention, graph) for key, convention in CONVENTIONS.items()}
    assert found["torchvision"] == tool["torch_macs"]
    assert found["fvcore"] == found["timm"] == tool["fvcore_eval"]
    assert total(CONVENTIONS["fvcore"], graph, mode="train") == tool["fvcore_train"]
    assert found["torchinfo"] == tool["torchinfo"]["mult_adds"]
    # torchvision's GoogLeNet calls its rectifiers as functions, which ptflops counts once and not twice.
    called = sum(node.output.size for node in graph.nodes if node.kind == "relu") if name == "googlenet" else 0
    assert found["ptflops"] - called == tool["ptflops_pytorch"]
    sizes = torchinfo_bytes(graph, 1)
    assert sizes["Forward/backward pass size"] == tool["torchinfo"]["forward_backward_bytes"]
    assert sizes["Params size"] == tool["torchinfo"]["params_bytes"]
    # The tool adds what a Python object takes.
    assert 0 <= tool["torchinfo"]["input_bytes"] - sizes["Input size"] < 100


@pytest.mark.parametrize("name", PUBLISHED["tools"])
def test_the_published_table_to_its_digits(name: str) -> None:
    row, graph = PUBLISHED["tools"][name], graph_of(name, PUBLISHED["tools"][name]["input"])
    assert (graph.params, graph.macs) == (row["params"], row["macs"])

    def same(value: int, printed: float) -> bool:
        digits = len(repr(printed).split(".")[1])
        return abs(value / 1e9 - printed) <= 0.5001 * 10**-digits

    assert same(total(CONVENTIONS["fvcore"], graph, mode="eval"), row["fvcore"][0])
    assert same(total(CONVENTIONS["fvcore"], graph, mode="train"), row["fvcore"][1])
    assert same(total(CONVENTIONS["torchinfo"], graph), row["torchinfo"])
    if name != "googlenet_bn":
        assert same(total(CONVENTIONS["ptflops"], graph), row["ptflops_pytorch"])


@pytest.mark.parametrize("name", PUBLISHED["timm"])
def test_timm_prints_these(name: str) -> None:
    for size, gmacs, macts in PUBLISHED["timm"][name]:
        graph = load(name).graph(input=tuple(size)).pruned("eval")
        printed = dict(CONVENTIONS["timm"].summary(graph, total(CONVENTIONS["timm"], graph), 1))
        assert printed["gmacs"] == f"{gmacs:.2f}"
        # timm's VGG has its dense layers as convolutions, whose outputs it counts alike.
        assert printed["macts (M)"] == f"{macts:.2f}"


@pytest.mark.parametrize("name", PUBLISHED["torchvision"])
def test_torchvision_prints_these(name: str) -> None:
    size, ops = PUBLISHED["torchvision"][name]
    graph = load(name).graph(input=tuple(size)).pruned("eval")
    assert dict(CONVENTIONS["torchvision"].summary(graph, graph.macs, 1))["_ops (GFLOPS)"] == f"{ops:.3f}"


def test_the_report_prints_the_tools_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "resnet50", "--convention", "torchinfo"]) == 0
    printed = capsys.readouterr().out
    for line in (
        "Total mult-adds (G)",
        "4.09",
        "Forward/backward pass size (MB)  177.83",
        "Params size (MB)",
        "102.23",
    ):
        assert line in printed
    assert main(["report", "resnet50", "--convention", "fvcore", "--mode", "train", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["convention"]["count"] == RECORDED["resnet50"]["fvcore_train"]
    assert sum(layer["counted"] for layer in found["layers"]) == found["convention"]["count"]


@pytest.mark.parametrize(
    ("count", "fvcore", "torchinfo", "ptflops"),
    [
        (0, "0", ("Total mult-adds", "0"), "0 Mac"),
        (100, "100", ("Total mult-adds", "100"), "100 Mac"),
        (101, "0.101K", ("Total mult-adds", "101"), "101 Mac"),
        (99_000, "99K", ("Total mult-adds (k)", "99"), "99.0 KMac"),
        (416_520, "0.417M", ("Total mult-adds (k)", "416.52"), "416.52 KMac"),
        (714_188_480, "0.714G", ("Total mult-adds (M)", "714.19"), "714.19 MMac"),
        (4_089_184_256, "4.089G", ("Total mult-adds (G)", "4.09"), "4.09 GMac"),
        (152_716_512_000, "0.153T", ("Total mult-adds (G)", "152.72"), "152.72 GMac"),
    ],
)
def test_small_and_large_counts_have_the_tools_units(
    count: int, fvcore: str, torchinfo: tuple[str, str], ptflops: str
) -> None:
    """By hand, from the tools' ways to write numbers."""
    graph = load("lenet5").graph().pruned("eval")
    assert CONVENTIONS["fvcore"].summary(graph, count, 1) == [("#parameters", "61.706K"), ("#flops", fvcore)]
    assert torchinfo in CONVENTIONS["torchinfo"].summary(graph, count, 1)
    assert CONVENTIONS["ptflops"].summary(graph, count, 1) == [
        ("Computational complexity", ptflops),
        ("Number of parameters", "61.71 k"),
    ]


def test_kinds_that_the_networks_lack(write: Callable[..., Path]) -> None:
    """By hand, from the tools' sources."""
    spec = load(
        write("""
input: {height: 8, width: 6, channels: 4}
layers:
  - transposed_conv: {filters: 3, kernel: 4, stride: 2, pad: 1}
  - lrn: 5
  - silu
  - resize: {factor: 2, mode: nearest}
""")
    )
    nodes = spec.graph().pruned("eval").nodes
    counts = {name: [convention.count(node, "eval") for node in nodes] for name, convention in CONVENTIONS.items()}
    inside, out = 8 * 6, 16 * 12
    macs, bias = inside * 4 * 4 * 4 * 3, out * 3
    assert counts["torchvision"] == [macs, 0, 0, 0]
    assert counts["fvcore"] == [macs, 0, 0, 4 * out * 3]
    assert counts["torchinfo"] == [(4 * 4 * 4 * 3 + 3) * out, 0, 0, 0]
    assert counts["ptflops"] == [macs + bias, 3 * 3 * out + out * (3 + 4), 3 * out, 2 * 4 * out * 3]


PTFLOPS = {
    "relu": 14_400,
    "relu6": 13_920,
    "elu": 14_400,
    "prelu": 14_400,
    "gelu": 14_400,
    "{gelu: {approximate: true}}": 14_400,
    "silu": 13_920,
    "softmax": 13_920,
    "leaky_relu": 13_920,
    "hard_swish": 13_440,
    "hard_sigmoid": 13_440,
    "sigmoid": 13_440,
    "tanh": 13_440,
    "{dropout: 0.5}": 13_440,
    "{pad: 1}": 13_440,
    "batch_norm": 14_400,
    "{batch_norm: {scale: false, bias: false}}": 13_920,
    "{max_pool: 2}": 14_400,
    "{avg_pool: 2}": 14_400,
    "global_avg_pool": 14_400,
    "{lrn: 5}": 15_680,
    "{resize: {factor: 2, mode: nearest}}": 17_280,
    "{resize: 2}": 17_280,
    "{resize: {size: [16, 20]}}": 17_280,
    "{unpool: 2}": 17_280,
    "{transposed_conv: {filters: 4, kernel: 3, stride: 2}}": 32_148,
}
"""ptflops 0.7.5 (PyTorch 2.13) run on a 3×3 convolution of 3 to 6 channels over 8×10, and PyTorch's module after it."""


@pytest.mark.parametrize("entry", PTFLOPS)
def test_ptflops_was_run_on_each_kind(entry: str, write: Callable[..., Path]) -> None:
    text = (
        f"input: {{height: 8, width: 10, channels: 3}}\nlayers: [{{conv: {{filters: 6, kernel: 3, pad: 1}}}}, {entry}]"
    )
    assert total(CONVENTIONS["ptflops"], load(write(text)).graph()) == PTFLOPS[entry]
