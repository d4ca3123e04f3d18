"""What a network computes, what is timed of it within the time given, and which candidate is taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from archspec.loading import load
from archspec.lowerings import timing, tuned
from archspec.lowerings.case import DIRECTIONS, Case, Direction
from archspec.lowerings.choosing import Lowerings, Why
from archspec.lowerings.device import Device
from archspec.lowerings.tuned import Timed
from archspec.passes import NAMES
from archspec.tuning.operations import Operation, operations
from archspec.tuning.search import Asked, Tried, asked, search, to_keep
from archspec.tuning.tables import said
from archspec.xla import Mode, lowered

FIRST = Case("conv", 4, (6, 5), 3, 8, (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, "float32")
SECOND = FIRST._replace(channels=8, filters=8)
LAST = SECOND._replace(filters=2, kernel=(1, 1), padding=((0, 0), (0, 0)))
NETWORK = """
input: {height: 6, width: 5, channels: 3}
layers:
  - conv: {name: first, filters: 8, kernel: 3, pad: same}
  - conv: {name: second, filters: 8, kernel: 3, pad: same}
  - relu
  - conv: {name: third, filters: 8, kernel: 3, pad: same}
  - conv: {name: last, filters: 2, kernel: 1}
"""
BRANCHES = """
input: {height: 6, width: 5, channels: 3}
layers:
  - conv: {name: stem, filters: 8, kernel: 3}
  - batch_norm
  - parallel:
      name: m
      join: concat
      branches:
        a: [conv: {filters: 3, kernel: 1, bias: false}, batch_norm]
        b: [conv: {filters: 4, kernel: 1}]
        c: [conv: {filters: 2, kernel: 3, pad: same}]
  - global_avg_pool
  - dense: {units: 3}
"""
LIBRARY = Why("library", "library", "")


def test_the_operations_of_a_network(write: Callable[..., Path]) -> None:
    graph = load(write(NETWORK)).graph()
    assert operations(graph, "eval", 4) == [
        Operation("first", FIRST, ("forward",)),
        Operation("second", SECOND, ("forward",)),
        Operation("third", SECOND, ("forward",)),
        Operation("last", LAST, ("forward",)),
    ]
    # Nobody asks for the gradient by the picture, nor by what is frozen.
    trained = operations(graph, "train", 4, "bfloat16", frozen={"third"})
    assert [own.directions for own in trained] == [
        ("forward", "kernel"),
        DIRECTIONS,
        ("forward", "input"),
        DIRECTIONS,
    ]
    assert [own.case for own in trained] == [own._replace(dtype="bfloat16") for own in (FIRST, SECOND, SECOND, LAST)]


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_they_are_those_of_the_program_that_runs(write: Callable[..., Path], mode: Mode) -> None:
    """What passes join is one operation here as there."""
    graph = load(write(BRANCHES)).graph()
    found = operations(graph, mode, 4, passes=NAMES)
    assert [own.path for own in found] == ["stem", "m.a.conv1 + m.b.conv1", "m.c.conv1"]
    assert found[1].case.filters == 7
    made = lowered(graph, 4, mode, passes=NAMES, lowerings=Lowerings(None))
    made.function.lower(*made.shapes)
    assert {own.case for own in found} == set(made.lowerings.taken)


def test_a_loop_goes_by_its_ends(write: Callable[..., Path]) -> None:
    """However many rounds it has, of which one is traced."""
    block = "{times: 9, name: body, layers: [conv: {filters: 3, kernel: 1}, relu, conv: {filters: 3, kernel: 1}]}"
    text = f"input: {{height: 4, width: 4, channels: 3}}\nlayers:\n  - repeat: {block}\n  - flatten\n  - dense: 2\n"
    found = operations(load(write(text)).graph(), "eval", 1, passes=["scan_blocks"])
    assert "body.1.conv1 … body.8.conv2" in {own.path for own in found}


def test_operations_in_words() -> None:
    up = Case("transposed_conv", 2, (4, 4), 8, 6, (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), 2, "float32")
    assert said(up) == "transposed_conv 2×2 by 2, 4×4, 8→6, batch 2, 2 groups"
    assert Timed("library", 0.105, 0.105).said == "0.105 ms, and no other is faster"


def test_what_is_alike_is_one(write: Callable[..., Path]) -> None:
    graph = load(write(NETWORK)).graph()
    found = asked({"train": operations(graph, "train", 4), "eval": operations(graph, "eval", 4)})
    assert [(own.case, own.direction) for own in found] == [
        (FIRST, "forward"),
        (FIRST, "kernel"),
        *((SECOND, direction) for direction in DIRECTIONS),
        *((LAST, direction) for direction in DIRECTIONS),
    ]
    assert found[2] == Asked(SECOND, "forward", ("second", "third"), {"train": 2, "eval": 2})
    assert found[3] == Asked(SECOND, "input", ("second", "third"), {"train": 2})


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({"library": 1.0, "rows": 0.94, "winograd": 0.93}, "winograd"),
        ({"library": 1.0, "rows": 0.96}, "library"),  # noise
        ({"library": 1.0, "rows": 1.2}, "library"),
    ],
)
def test_a_candidate_must_be_faster_by_more_than_noise(seconds: dict[str, float], best: str) -> None:
    tried = Tried(Asked(SECOND, "kernel", ("second", "third"), {"train": 2}), LIBRARY, seconds)
    assert tried.best == best and tried.changed == (best != "library")
    assert tried.gain == pytest.approx(1 - seconds[best])
    assert to_keep([tried]) == {SECOND: {"kernel": Timed(best, 1e3 * seconds[best], 1e3)}}


class Timing:
    """In place of timing: each direction of a case takes a second of a clock of its own, the library 10 ms."""

    def __init__(self, others: float, without: Iterable[Direction] = ()) -> None:
        self.clock, self.others, self.without = 0.0, others, without
        self.seen: list[tuple[Case, Direction]] = []

    def __call__(
        self, case: Case, direction: Direction, names: Iterable[str], options: Mapping[str, Any], *, seconds: float
    ) -> dict[str, float]:
        self.clock += 1
        self.seen.append((case, direction))
        own = {name: 0.01 if name == "library" else self.others for name in names}
        return {} if direction in self.without else own


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Timing]]:
    def make(*given: Any) -> Timing:
        fake = Timing(*given)
        monkeypatch.setattr(timing, "compared", fake)
        return fake

    yield make


def test_the_largest_come_first_and_what_is_not_reached_is_counted(timed: Callable[..., Timing]) -> None:
    device = Device("gpu", "some", (0, 12), False)
    tuned: Any = {FIRST: {"kernel": Why("library", "tuned", "")}}
    lowerings = Lowerings(device, tuned=tuned)
    items = [
        *(Asked(LAST, direction, ("last",), {"train": 1}) for direction in DIRECTIONS),
        Asked(FIRST, "kernel", ("first",), {"train": 1}),
        Asked(SECOND, "input", ("second", "third"), {"train": 2}),
        Asked(FIRST._replace(size=(60, 50), channels=16, dilation=(2, 2)), "forward", ("spread",), {"train": 1}),
    ]
    fake = timed(0.002)
    outcome = search(items, lowerings, seconds=2, now=lambda: fake.clock)
    assert fake.seen == [(SECOND, "input"), (LAST, "forward")]
    assert (outcome.known, outcome.left, outcome.failed, outcome.single) == (1, 2, 0, 1)
    # In the network's order, and gains count as often as they are had.
    assert [own.asked.case for own in outcome.tried] == [LAST, SECOND]
    assert outcome.gain("train") == pytest.approx(0.008 + 2 * 0.008) and outcome.gain("eval") == 0
    fake = timed(0.002, ("input", "kernel"))
    outcome = search(items, lowerings, seconds=60, again=True, now=lambda: fake.clock)
    assert (outcome.known, outcome.left, outcome.failed) == (0, 0, 4)
    assert [own.asked.direction for own in outcome.tried] == ["forward"]


def test_operations_are_said_with_what_tells_them_apart() -> None:
    plain = FIRST._replace(channels=8, kernel=(4, 4), stride=(2, 2))
    window = plain._replace(operation="max_pool", groups=8)
    assert [said(case) for case in (plain, plain._replace(groups=2), plain._replace(groups=8))] == [
        f"conv 4×4 by 2, 6×5, 8→8, batch 4{end}" for end in ("", ", 2 groups", ", depthwise")
    ]
    grown = plain._replace(operation="transposed_conv", filters=4, groups=2, dilation=(2, 1), dtype="bfloat16")
    assert said(grown) == "transposed_conv 4×4 by 2, 6×5, 8→4, batch 4, dilation 2×1, 2 groups, bfloat16"
    assert said(window) == "max_pool 4×4 by 2, 6×5, 8 channels, batch 4"


def test_what_was_timed_is_of_all_that_candidates_are_made_of() -> None:
    """Of what they import beside themselves too, but not of the rules, which only choose."""
    here = Path(tuned.__file__).parent
    own = {path.relative_to(here).with_suffix("").as_posix() for path in tuned.sources()}
    assert {"conv/_windows", "max_pool/slices", "sum_pool/shifts", "transposed_conv/_undone"} <= own
    imported = {
        name.replace(".", "/")
        for path in tuned.sources()
        if path.parent != here
        for name in re.findall(r"^from archspec\.lowerings\.(\S+) import", path.read_text(), re.MULTILINE)
    }
    assert "places" in imported and {name for name in imported if not (here / name).is_dir()} <= own
    assert not any(name.startswith("rules") for name in own)
