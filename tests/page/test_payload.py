"""The figures on the page are the graph's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archspec.loading import open_spec
from archspec.page.payload import of_failure, payload

NETWORKS = ("lenet5", "googlenet", "resnet18", "segnet_basic", "fcn8s")


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_have_the_graphs_figures(name: str) -> None:
    spec = open_spec(name)
    graph = spec.graph().pruned("eval")
    model = payload(spec, batch=3)["model"]
    assert [layer["path"] for layer in model["layers"]] == [node.path for node in graph.nodes]
    for layer, node in zip(model["layers"], graph.nodes, strict=True):
        assert layer["kind"] == node.kind
        assert layer["inputs"] == list(node.inputs)
        assert layer["output"] == list(node.output.shape)
        assert (layer["params"], layer["macs"], layer["flops"]) == (
            node.params,
            3 * node.cost.macs,
            3 * node.cost.flops,
        )
        assert layer["bytes"] == 3 * node.output.bytes
        field = node.receptive_field
        assert layer["field"] == {"size": field.size, "jump": field.jump, "start": field.start}
    assert model["totals"]["macs"] == 3 * graph.macs
    assert model["totals"]["params"]["trainable"] == graph.count("trainable")
    assert model["inputs"] == [{"name": "input", "shape": list(graph.input.shape)}]
    assert (model["batch"], model["mode"], model["dtype"]) == (3, "eval", "float32")


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_are_the_sums_of_their_layers(name: str) -> None:
    model = payload(open_spec(name))["model"]

    def blocks(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield block
        for part in block["parts"]:
            if isinstance(part, dict):
                yield from blocks(part)

    whole = model["tree"]
    assert whole["count"] == len(model["layers"])
    for block in blocks(whole):
        inside = [layer for layer in model["layers"] if f"{layer['path']}.".startswith(f"{block['path']}.")]
        inside = inside if block["path"] else model["layers"]
        assert block["count"] == len(inside)
        for key in ("params", "macs", "flops", "bytes"):
            assert block[key] == sum(layer[key] for layer in inside)


def test_every_box_of_the_frames_stands_for_layers_and_every_layer_has_a_box() -> None:
    model = payload(open_spec("googlenet"))["model"]
    count = len(model["layers"])
    seen: list[int] = []
    for box in model["frames"][""]["boxes"]:
        seen += box["layers"]
    assert sorted(seen) == list(range(count))
    for path, frame in model["frames"].items():
        inside = sorted(index for box in frame["boxes"] for index in box["layers"])
        owners = [box["layers"] for other in model["frames"].values() for box in other["boxes"] if box["path"] == path]
        assert not owners or sorted(owners[0]) == inside


def test_lines_are_those_of_the_entries(write: Callable[..., Path]) -> None:
    text = (
        "input: {height: 8, width: 8, channels: 3}\n"
        "blocks:\n"
        "  pair:\n"
        "    layers:\n"
        "      - conv:\n"
        "          filters: 4\n"
        "          kernel: 1\n"
        "          # the last word on it\n"
        "\n"
        "      - relu\n"
        "layers:\n"
        "  - repeat:\n"
        "      times: 2\n"
        "      as: i\n"
        "      layers:\n"
        "        - pair: {name: p$(i)}\n"
        "  - flatten\n"
    )
    path = write(text)
    made = payload(open_spec(str(path)))
    lines = {layer["path"]: layer["lines"] for layer in made["model"]["layers"]}
    rows = path.read_text().splitlines()
    (conv,) = {tuple(value) for key, value in lines.items() if key.endswith("conv1")}
    assert rows[conv[1] - 1].strip() == "- conv:" and rows[conv[2] - 1].strip() == "kernel: 1"
    (relu,) = {tuple(value) for key, value in lines.items() if key.endswith("relu1")}
    assert relu[1] == relu[2] and rows[relu[1] - 1].strip() == "- relu"
    assert made["sources"] == [{"name": "net.yaml", "text": path.read_text()}]


def test_files_that_were_extended_are_shown_by_short_names(write: Callable[..., Path]) -> None:
    write("input: {height: 8, width: 8, channels: 3}\nlayers:\n  - relu\n", "parts/base.yaml")
    over = write("extends: parts/base.yaml\ninput: {height: 9}\n", "over.yaml")
    made = payload(open_spec(str(over)))
    assert [source["name"] for source in made["sources"]] == ["over.yaml", "parts/base.yaml"]
    assert made["model"]["layers"][0]["lines"][0] == 1


def test_the_page_does_not_say_in_which_folders_the_files_are(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write("input: {height: 8, width: 8, channels: 3}\nlayers:\n  - max_pool: {window: 3, stride: 3}\n")
    made = payload(open_spec(str(path)))
    assert made["problems"] and made["sources"][0]["name"] == "net.yaml"
    assert str(tmp_path) not in json.dumps(made)


def test_warnings_and_errors_point_into_the_texts(write: Callable[..., Path]) -> None:
    path = write("input: {height: 8, width: 8, channels: 3}\nlayers:\n  - conv: {filters: 4, kernel: 9}\n")
    spec = open_spec(str(path))
    made = of_failure(spec.diagnostics, spec.sources)
    assert made["model"] is None and made["stale"]
    (problem,) = made["problems"]
    assert (problem["code"], problem["primary"]["source"], problem["primary"]["line"]) == ("E301", 0, 5)
    assert problem["help"]
