"""The rule of ResNeXt's Table 2: groups grow in number, their channels shrink, and a network costs the same."""

from __future__ import annotations

import pytest

from archspec.loading import load, open_spec

CARDINALITIES = ((1, 64), (2, 40), (4, 24), (8, 14), (32, 4))


@pytest.mark.parametrize(("groups", "width"), CARDINALITIES)
def test_a_block_of_256_channels_has_70_thousand_weights(groups: int, width: int) -> None:
    graph = load(f"resnext50_{groups}x{width}d").graph()
    block = [node for node in graph.nodes if node.path.startswith("layer1.1.conv")]
    assert [(node.output.channels, node.weights[0].shape[0]) for node in block] == [
        (groups * width, 1),
        (groups * width, 3),
        (256, 1),
    ]
    count = sum(node.count("trainable") for node in block)
    assert count == groups * (256 * width + 3 * 3 * width * width + width * 256)  # equation 4 of the paper
    assert 69_000 < count < 72_000


def test_all_cardinalities_cost_the_same() -> None:
    graphs = [load(f"resnext50_{groups}x{width}d").graph() for groups, width in CARDINALITIES]
    assert [round(graph.count("trainable") / 1e6, 1) for graph in graphs] == [25.6, 25.4, 25.3, 25.6, 25.0]
    assert [round(graph.macs / 1e9, 2) for graph in graphs] == [4.09, 4.12, 4.16, 4.27, 4.23]
    # The first one is ResNet-50 itself.
    assert graphs[0].nodes == load("resnet50").graph().nodes


def test_a_depth_between_two_wide_networks_is_refused() -> None:
    (found,) = open_spec("wrn_28_10?depth=29").diagnostics
    assert found.code == "E206" and "a depth that is not 6n + 4" in found.message
    assert load("wrn_28_10?depth=10").graph().count("trainable") < load("wrn_16_10").graph().count("trainable")
