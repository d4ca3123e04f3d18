"""EfficientNet's stochastic depth, which no published figure shows."""

from __future__ import annotations

import pytest

from archspec.layers.stochastic_depth import StochasticDepth
from archspec.loading import load


@pytest.mark.parametrize(
    ("network", "blocks"),
    [
        # Blocks of the stages, as torchvision's networks of these names have them.
        ("efficientnet_b0", [1, 2, 2, 3, 3, 4, 1]),
        ("efficientnet_b3", [2, 3, 3, 5, 5, 6, 2]),
        ("efficientnet_v2_s", [2, 4, 4, 6, 9, 15]),
    ],
)
def test_the_rate_grows_with_the_blocks_before(network: str, blocks: list[int]) -> None:
    """0.2·b/B for the b-th of B blocks, from 0, where the block has a shortcut: all but the first of each stage."""
    found = {
        node.path.rpartition(".")[0]: node.layer.rate
        for node in load(network).graph().nodes
        if isinstance(node.layer, StochasticDepth)
    }
    places = [(stage, block) for stage, count in enumerate(blocks, 1) for block in range(count)]
    expected = {
        f"stage{stage}.{block}": pytest.approx(0.2 * number / len(places))
        for number, (stage, block) in enumerate(places)
        if block
    }
    assert found == expected
