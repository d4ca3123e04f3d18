"""The collectives and the memory of compiled training steps over simulated devices, read from their HLO."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from typing import Any

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "collective-permute", "all-to-all")
WIDTHS = {"f64": 8, "f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "s8": 1, "u8": 1, "pred": 1}
COLLECTIVE = re.compile(rf"\s*(?:ROOT )?%?[\w.-]+ = (.*?) ({'|'.join(KINDS)})(-start|-done)?\(")
CALLED = re.compile(r"(?:body|condition|to_apply|calls|branch_computations)=(%?[\w.-]+|\{[^}]*\})")


def collectives(text: str) -> dict[str, int]:
    """Bytes of the results of all collectives of a program on one device by kind, in loops as often as they go round.

    An asynchronous one counts where it is done. Of one with several operands the result is a tuple.
    """
    computations: dict[str, list[str]] = {}
    entry = ""
    for line in text.splitlines():
        head = re.match(r"(ENTRY )?%?([\w.-]+) \(.*\{$", line)
        if head:
            computations[head[2]] = own = []
            entry = head[2] if head[1] else entry
        elif computations:
            own.append(line)

    def walk(name: str, times: int, found: Counter[str]) -> Counter[str]:
        for line in computations.get(name, []):
            made = COLLECTIVE.match(line)
            if made and made[3] != "-start":
                shapes = re.findall(r"(\w+)\[([\d,]*)\]", made[1])
                found[made[2]] += times * sum(WIDTHS[kind] * numbers(axes) for kind, axes in shapes)
            for called in CALLED.findall(line):
                rounds = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', line)
                for inner in re.findall(r"[\w.-]+", called):
                    if " while(" in line and not rounds:
                        # Of loops whose rounds are not known, as those that draw numbers are, none may exchange.
                        assert not walk(inner, 1, Counter()), line
                    walk(inner, times * (int(rounds[1]) if rounds else 1), found)
        return found

    return dict(walk(entry, 1, Counter()))


def numbers(axes: str) -> int:
    size = 1
    for axis in axes.split(","):
        size *= int(axis or 1)
    return size


def program(path: str, batch: int) -> Any:
    """The compiled step of a spec's recipe, whose mesh divides it over the devices of this process."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from archspec.loading import open_spec
    from archspec.lowerings.choosing import BY_LIBRARY
    from archspec.training.feeding import Batch
    from archspec.training.steps import make_steps

    spec = open_spec(path)
    # Weights of classes are counted in the data; here they are any.
    heads = [
        head._replace(loss=head.loss.fitted(np.zeros((1, 1), np.int32), head.type.channels)) for head in spec.heads()
    ]
    steps: Any = make_steps(spec, 1, heads=heads, lowerings=BY_LIBRARY)
    assert steps.devices is not None

    def shaped(shape: tuple[int, ...], kind: Any) -> Any:
        make: Any = jax.ShapeDtypeStruct
        return make((batch, *shape), kind, sharding=steps.devices and steps.devices.batch)

    graph = spec.graph()
    inputs = {item.name: shaped(item.type.shape, jnp.uint8) for item in graph.inputs}
    targets = {"label": shaped(heads[0].type.spatial, jnp.int32)}
    return steps.train.lower(steps.template, Batch(inputs, targets, shaped((), jnp.int32))).compile()


def main() -> None:
    """For each spec and batch of the arguments a line with the bytes of collectives, and of the program."""
    from archspec.xla import memory_parts, total

    for path, batch in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        compiled = program(path, int(batch))
        print(
            json.dumps({"found": collectives(compiled.as_text()), "memory": total(memory_parts(compiled))}), flush=True
        )
