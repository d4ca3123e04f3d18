"""A program run: its groups each in its way, all other calls one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.calling import convolutions, recomputed, scanned
from archspec.calling.calls import Runner, Values, Way, call
from archspec.passes import Group

RUNNERS: dict[str, Runner] = {
    "fold_batch_norm": convolutions.run,
    "fuse_pointwise": convolutions.run,
    "recompute": recomputed.run,
    "scan_blocks": scanned.run,
}
"""How groups are run, by the name of the pass that found them."""


def run(indices: Iterable[int], groups: Sequence[Group], values: Values, way: Way) -> None:
    """Adds to the values what the calls with these indices give, of which some are in groups.

    Of what is within a group only that is sure to be added that calls outside it take.
    """
    begins = {group.first: group for group in groups}
    inside = {index for group in groups for index in group.members}
    for index in indices:
        if index in begins:
            RUNNERS[begins[index].how](begins[index], values, way, run)
        elif index not in inside:
            call(index, values, way)
