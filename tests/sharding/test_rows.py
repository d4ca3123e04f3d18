"""How networks are placed where devices divide the rows of maps, from the graph alone."""

from __future__ import annotations

import pytest

from archspec.layers import Halo
from archspec.loading import load
from archspec.mesh import Mesh
from archspec.passes import groups_of
from archspec.sharding.rows import Rows, rows_of


def rows(name: str, parts: int) -> Rows:
    return rows_of(load(name).graph(), Mesh(spatial=parts))


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize(
    "name", ["segnet_basic", "unet_padded", "unet", "enet", "resnet20", "deeplabv3_resnet50", "googlenet"]
)
def test_layers_on_own_rows_give_own_rows(name: str, parts: int) -> None:
    """By the kinds' own rules for shapes: what a layer is on a part and its halo gives a part of the output."""
    found = rows(name, parts)
    own = 0
    for node, place in zip(found.part().nodes, found.places, strict=True):
        if place.on is not None:
            output = node.layer.infer(*place.inputs)
            height = output.shape[0] - sum(place.on.cut) if place.on.divides else None
            assert place.on.divides == place.divided
            if height is not None:
                assert (height, *output.shape[1:]) == place.output.shape, node.path
                own += 1
    assert own


def test_segnet_basic_at_its_own_size() -> None:
    """360 rows are 180, 90 and 45 behind its poolings: what has 45 or fewer is whole on two devices."""
    found = rows("segnet_basic", 2)
    whole = [found.graph.nodes[index].path for index in found.whole]
    assert whole == [
        *("pool3", "conv4.conv", "conv4.bn", "conv4.relu1"),
        *("pool4", "upsample4", "conv_decode4", "conv_decode4_bn", "upsample3"),
    ]
    assert found.outputs == {"output"}
    assert found.said.startswith("9 of 30 layers with maps are computed whole on every device: pool3, conv4.conv, ")
    by_path = {node.path: place for node, place in zip(found.graph.nodes, found.places, strict=True)}
    assert by_path["pool3"].why == "has 45 rows, which 2 does not divide"
    # 7×7 windows, padded by 3.
    conv2 = by_path["conv2.conv"].on
    assert conv2 is not None
    assert conv2.halo == Halo(3, 3)
    assert by_path["conv2.conv"].inputs[0].shape == (90 + 6, 240, 64)
    assert by_path["pool1"].on is not None
    assert by_path["pool1"].on.halo == Halo()


def test_segnet_basic_exchanges_halos_and_one_gather() -> None:
    found = rows("segnet_basic", 2)
    by_node = [(found.graph.nodes[one.node].path, one.kind, one.elements, one.whole) for one in found.exchanges()]
    row = 240 * 64 * 3
    below = 120 * 64 * 3
    assert by_node == [
        # The image is whole on every device, and so is what is unpooled from 45 rows: to cut them is free.
        ("conv1.conv", "down", 480 * 3 * 3, 480 * 3 * 3),
        ("conv1.conv", "up", 480 * 3 * 3, 480 * 3 * 3),
        ("conv2.conv", "down", row, row),
        ("conv2.conv", "up", row, row),
        ("conv3.conv", "down", below, below),
        ("conv3.conv", "up", below, below),
        ("pool3", "gather", 45 * 120 * 64, 90 * 120 * 64),
        ("conv_decode2", "down", row, row),
        ("conv_decode2", "up", row, row),
        ("conv_decode1", "down", 480 * 64 * 3, 480 * 64 * 3),
        ("conv_decode1", "up", 480 * 64 * 3, 480 * 64 * 3),
    ]


def test_a_classifier_ends_in_a_sum() -> None:
    found = rows("resnet20", 4)
    assert not found.whole
    assert not found.outputs
    assert found.said == "the rows of all 69 layers with maps are divided by 4"
    last = found.exchanges()[-1]
    assert (found.graph.nodes[last.node].kind, last.kind, last.source, last.elements) == (
        *("global_avg_pool", "sum", None),
        64,
    )


def test_blocks_that_are_computed_anew_exchange_again() -> None:
    found = rows("resnet20", 2)
    plain = found.exchanges()
    anew = found.exchanges(groups_of(found.graph, remat="all"))
    assert not any(one.again for one in plain)
    inside = {index for group in groups_of(found.graph, remat="all") for index in group.members}
    assert {one.node for one in anew if one.again} == {one.node for one in anew if one.node in inside}
    assert len(anew) >= len(plain)


def test_one_part_divides_nothing() -> None:
    found = rows("resnet20", 1)
    assert not found.exchanges()
    assert all(place.on is None and not place.divided for place in found.places)
