"""What the tests hold the zoo to: for each of its files, `specs/zoo/<stem>.yaml`, one of the same name here, in JSON.

It has an entry for each network, by its name or by its name with arguments, `"mobilenet_v1?width=0.75"`. The figures
are gathered independently of this package: counted from published prototxt files, from torchvision and timm, or from
restatements of the papers in PyTorch. The fields of an entry are those of `Figures`; all but the first three may lack.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """What is said in a file: no other fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Gradients(Entry):
    """How a network is differentiated: at a small size, where compiling takes seconds.

    `size` is that of the input, a square; `set` are arguments, for the rest of the network's size; `often` says that
    it is done at each run of the tests, for one or two of each family, and not among the slow ones only.
    """

    size: int
    set: dict[str, Any] = {}
    often: bool = False


class Golden(Entry):
    """Whose outputs are recorded for the rule's weights (tests/golden/README.md), at which size, a square.

    `gain` is what the rule's kernels are multiplied with, where numbers would grow until float32 cannot tell them.
    `table` is the spec's table of names whose names the tensors have that are recorded with the outputs of a network
    restated here; without it they are called by the layers' paths.
    """

    of: Literal["torchvision", "timm", "own"]
    size: int
    gain: float = 1.0
    table: str | None = None
    often: bool = False


class Body(Entry):
    """The part of a network that takes another one's weights, by a table that is marked as partial.

    `of` is `torchvision/NAME` or a network of the zoo, `part` how the paths of what is shared begin, `left` how the
    names of the tensors begin that are not used, and `but` what the path of an array that is shared does not hold.
    """

    table: str
    of: str
    part: str
    left: tuple[str, ...] = ()
    but: str | None = None


class Figures(Entry):
    """What is known of a network from elsewhere, and what the tests try of it.

    `reference` says who counted, `params` the trainable parameters and `macs` the multiply–adds of evaluation,
    `statistics` the numbers beside the parameters, such as running means, `train_params` the parameters with the parts
    that only training has, `macs_at` the multiply–adds for other inputs, "160x160".
    `table` is the paper's table, of which `rows` has (path of a layer or block, the row's words, (channels, height,
    width) or (channels,) as printed), and `misprints` what is right by path, where the print is not. `layer_params`
    are the parameters of layers that a table prints.

    `torchvision` and `timm` are the network's names there: its table of tensor names is held to the recorded ones.
    `others` are further tables, each with the network's name under which its names are recorded.
    `sample` says that it is among the few of its family which those tests run on that do not run on all, `traced` that
    its program is compared with the recorded one at each run of the tests, and not in the slow ones only.
    """

    reference: str
    params: int
    macs: int
    statistics: int | None = None
    train_params: int | None = None
    macs_at: dict[str, int] = {}
    table: str | None = None
    rows: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
    misprints: dict[str, tuple[int, ...]] = {}
    layer_params: dict[str, int] = {}
    torchvision: str | None = None
    timm: str | None = None
    others: dict[str, str] = {}
    bodies: tuple[Body, ...] = ()
    gradients: Gradients | None = None
    golden: Golden | None = None
    sample: bool = False
    traced: bool = False


FILES: dict[str, dict[str, Figures]] = {
    path.stem: {name: Figures(**entry) for name, entry in json.loads(path.read_text("utf-8")).items()}
    for path in sorted(Path(__file__).parent.glob("*.json"))
}
"""Entries by the zoo's file and the network's name."""

FIGURES: dict[str, Figures] = {name: entry for entries in FILES.values() for name, entry in entries.items()}

SAMPLE = [name for name, figures in FIGURES.items() if figures.sample]


def sampled(names: Iterable[str]) -> list[Any]:
    """Parameters of a test: all names, those that are not of the sample among the tests that are run by hand."""
    return [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.minutes) for name in names]
