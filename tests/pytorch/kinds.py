"""Cases of more kinds that archspec and PyTorch both compute; the rule for numbers is that of cases.py."""

from __future__ import annotations

from typing import Any, NamedTuple


class Case(NamedTuple):
    """An entry of a `layers:` list and the shapes of its inputs, channels last."""

    entry: dict[str, Any] | str
    shapes: tuple[tuple[int, ...], ...]


CASES: dict[str, Case] = {
    "channel_shuffle": Case({"channel_shuffle": 3}, ((4, 5, 6),)),
    "channel_shuffle_signal": Case({"channel_shuffle": 2}, ((5, 6),)),
    "slice_channels": Case({"slice": {"channels": [1, 4]}}, ((3, 4, 5),)),
    "slice_map": Case({"slice": {"rows": [1, -1], "columns": [None, None, 2], "channels": "-2:"}}, ((5, 7, 3),)),
    "slice_signal": Case({"slice": {"length": [2, None, 3]}}, ((9, 2),)),
    "space_to_depth": Case({"space_to_depth": 2}, ((4, 6, 3),)),
    "depth_to_space": Case({"depth_to_space": 3}, ((2, 3, 18),)),
    "reshape_map": Case({"reshape": {"shape": [2, 3, 4], "order": "channels_first"}}, ((24,),)),
    "reshape_vector": Case({"reshape": {"shape": -1, "order": "channels_first"}}, ((2, 3, 4),)),
    "layer_norm_map": Case({"layer_norm": {"epsilon": 1e-6}}, ((3, 4, 5),)),
    "layer_norm_signal": Case("layer_norm", ((6, 5),)),
    "layer_norm_vector": Case("layer_norm", ((9,),)),
    "layer_norm_all": Case({"layer_norm": "all"}, ((3, 4, 5),)),
    "layer_norm_all_signal": Case({"layer_norm": {"axes": "all", "epsilon": 0.01}}, ((6, 5),)),
    "group_norm": Case({"group_norm": 3}, ((3, 4, 6),)),
    "group_norm_signal": Case({"group_norm": {"groups": 2, "epsilon": 0.01}}, ((5, 6),)),
    "group_norm_vector": Case({"group_norm": 2}, ((8,),)),
    "instance_norm": Case("instance_norm", ((3, 4, 5),)),
    "instance_norm_affine": Case({"instance_norm": {"scale": True, "bias": True}}, ((3, 4, 5),)),
    "instance_norm_signal": Case({"instance_norm": {"scale": True, "bias": True}}, ((6, 3),)),
    "maximum": Case("maximum", ((3, 4, 2), (3, 4, 2), (3, 4, 2))),
    "average": Case("average", ((5, 2), (5, 2))),
    "subtract": Case("subtract", ((7,), (7,))),
    "layer_scale": Case({"layer_scale": 0.5}, ((3, 4, 5),)),
    "mish": Case("mish", ((9,),)),
    "softplus": Case({"softplus": {"beta": 2.0}}, ((9,),)),
    "softplus_plain": Case("softplus", ((3, 4, 2),)),
    "log_softmax": Case("log_softmax", ((9,),)),
    "log_softmax_map": Case("log_softmax", ((3, 2, 5),)),
    "l2_normalise": Case("l2_normalise", ((3, 2, 5),)),
    "l2_normalise_short": Case({"l2_normalise": {"epsilon": 3.0}}, ((6, 4),)),
}
