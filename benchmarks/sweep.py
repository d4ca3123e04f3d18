"""What the rules choose beside the library, for random convolutions that are no network's: where a rule misfires.

    python benchmarks/sweep.py [NUMBER [SEED]]

Directions for which a rule chooses a candidate are timed as it computes them and as the library does, as `lowerings.py`
times: process time of one core, the least of several runs in turns. The worst come first: those above 1 lose.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.lowerings.case import Case

KINDS = ("dense", "dense", "pointwise", "grouped", "depthwise", "signal", "depthwise signal")
MACS, NUMBERS = 40_000_000, 2_000_000
"""Multiply–adds of a case at most, and numbers of a map."""


def cases(number: int, seed: int) -> Iterator[Case]:
    """Cases of all kinds in turn, their numbers spread over magnitudes."""
    from archspec.lowerings.case import Case

    draw = random.Random(seed)

    def up_to(most: int) -> int:
        return max(1, round(float(most ** draw.random())))

    found = 0
    while found < number:
        kind = KINDS[found % len(KINDS)]
        axes = 1 if "signal" in kind else 2
        size = tuple(draw.choice((up_to(64), draw.randint(4, 64))) * (16 if axes == 1 else 1) for _ in range(axes))
        channels, filters, groups = up_to(512), up_to(512), 1
        if "depthwise" in kind:
            filters = groups = channels
        elif kind == "grouped":
            groups = 2 ** draw.randint(1, 6)
            channels, filters = groups * up_to(512 // groups), groups * up_to(512 // groups)
        taps = 1 if kind == "pointwise" else draw.choice((2, 3, 3, 3, 5, 7, 11))
        kernel = tuple(draw.choice((taps, taps, taps, 1)) for _ in range(axes))
        stride = (draw.choice((1, 1, 1, 2, 3)),) * axes
        dilation = (draw.choice((1, 1, 1, 1, 2)),) * axes
        padding = tuple((edge, edge) for edge in (draw.choice((0, own // 2)) for own in kernel))
        case = Case("conv", up_to(32), size, channels, filters, kernel, stride, padding, dilation, groups, "float32")
        if min(case.output) < 1 or (channels, filters) == (1, 1) or channels % groups:
            continue
        maps = max(channels * size[0] * size[-1], filters * case.output[0] * case.output[-1])
        if case.macs > MACS or case.batch * maps > NUMBERS:
            continue
        found += 1
        yield case


def main(number: int = 40, seed: int = 0) -> None:
    import jax

    from archspec.lowerings.candidates import LIBRARY
    from archspec.lowerings.case import DIRECTIONS
    from archspec.lowerings.device import this_device
    from archspec.lowerings.rules import rule_for
    from archspec.lowerings.timing import compared
    from archspec.tuning.tables import said

    device, found, asked = this_device(), [], 0
    for case in cases(number, seed):
        for direction in DIRECTIONS:
            asked += 1
            rule = rule_for(case, direction, device)
            if rule is None or rule.candidate == LIBRARY:
                continue
            names = (LIBRARY, rule.candidate)
            times = compared(case, direction, names, device.options, clock=time.process_time, seconds=0.3)
            chosen, own = times.get(rule.candidate, float("inf")), times[LIBRARY]
            row = f"{rule.candidate} {1e3 * chosen:.3g} ms, library {1e3 * own:.3g}"
            found.append((chosen / own, f"×{chosen / own:.2f} {direction}: {said(case)}: {row}"))
            print(found[-1][1], file=sys.stderr, flush=True)
        clear: Any = jax.clear_caches
        clear()
    print(f"{device.said}, jax {jax.__version__}: {len(found)} of {asked} directions have a rule")
    for _, row in sorted(found, reverse=True):
        print(row)


if __name__ == "__main__":
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[int(os.environ.get("CORE", "0"))]})
    main(*map(int, sys.argv[1:]))
