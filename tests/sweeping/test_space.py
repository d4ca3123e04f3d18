"""What `--set` of a sweep means, and what is drawn."""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice

import pytest

from archspec.diagnostics import Findings, SpecError
from archspec.spec.overrides import parse_override
from archspec.sweeping.choosing import rungs
from archspec.sweeping.space import parse_space, python_space, split, undone


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1,2,3", ["1", "2", "3"]),
        ("[1, 2],[3, 4]", ["[1, 2]", "[3, 4]"]),
        (
            "{sgd: 0.1},{adam: {learning_rate: 0.1, beta1: 0.5}}",
            ["{sgd: 0.1}", "{adam: {learning_rate: 0.1, beta1: 0.5}}"],
        ),
        ("'a,b',c", ["'a,b'", "c"]),
        ("it's,so", ["it's", "so"]),
        ("", [""]),
        ("a,", ["a", ""]),
    ],
)
def test_commas_outside_brackets_part_values(text: str, parts: list[str]) -> None:
    assert split(text) == parts


def test_values_are_axes_and_one_value_is_set_in_all_trials() -> None:
    space = parse_space(["a.b=1,2", "c=x", "d=[1,2],[3]", "e=true,1,1.0"])
    assert [axis.path for axis in space.axes] == ["a.b", "d", "e"] and [item.path for item in space.fixed] == [("c",)]
    found = [own.settings for own in space.grid()]
    assert len(found) == space.size == 12 and found[:2] == [
        {"a.b": 1, "d": [1, 2], "e": True},
        {"a.b": 1, "d": [1, 2], "e": 1},
    ]


def test_ranges_are_drawn_from_by_their_logarithm_or_alike() -> None:
    space = parse_space(["a=1e-4..1e-1", "b=3..7", "c=-1.0..1.0", "d=x,y"])
    assert space.size is None
    drawn = [own.settings for own in islice(space.draws(0), 4000)]
    logs = sorted(math.log10(own["a"]) for own in drawn)
    # Uniform over four decades: quartiles a quarter of three decades apart;.
    for share in (0.25, 0.5, 0.75):
        assert logs[int(4000 * share)] == pytest.approx(-4 + 3 * share, abs=0.15)
    assert min(logs) >= -4 and max(logs) <= -1
    numbers = Counter(own["b"] for own in drawn)
    assert set(numbers) == {3, 4, 5, 6, 7} and all(abs(number - 800) < 150 for number in numbers.values())
    assert all(type(own["b"]) is int for own in drawn)
    assert abs(sum(own["c"] for own in drawn) / 4000) < 0.06
    assert set(Counter(own["d"] for own in drawn)) == {"x", "y"}
    assert drawn[:50] == [own.settings for own in islice(space.draws(0), 50)]
    assert drawn[:50] != [own.settings for own in islice(space.draws(1), 50)]
    # Number i depends on the seed and on i alone.
    assert [own.settings for own in islice(space.draws(0), 7, 8)] == drawn[7:8]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["a=1,2", "a=3,4"], "gives `a` twice"),
        (["a=5..1"], "a range goes up"),
        (["a"], "takes path=value"),
        (["a=[1,2"], "--set a=[1,2"),
        (["a=1,[2"], "[2"),
    ],
)
def test_what_is_no_space_is_told_of(texts: list[str], words: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse_space(texts)
    assert words in str(raised.value)


def test_the_same_value_twice_is_tried_once_and_said() -> None:
    space = parse_space(["a=0.1,0.10,0.2"])
    assert space.size == 2 and space.notes == ("a=0.1 is given twice, and tried once",)


def test_values_from_python() -> None:
    space = python_space({"train.epochs": [1, 2], "a": "1..3", "b": 7, "c": ({"sgd": 0.1}, {"adam": 0.1})})
    assert [axis.path for axis in space.axes] == ["train.epochs", "a", "c"] and space.fixed[0].value.plain == 7
    assert space.axes[1].range is not None and space.axes[2].values[1].plain == {"adam": 0.1}
    with pytest.raises(SpecError, match="no values to try"):
        python_space({"a": []})


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["train.optimiser=adam", "train.optimiser.sgd.learning_rate=1"], "which chooses sgd"),
        (["train.optimiser.adam.learning_rate=2", "train.optimiser.sgd.learning_rate=1"], "which chooses sgd"),
        (["train.optimiser.sgd.learning_rate=1", "train.optimiser=sgd"], "which sets all of `train.optimiser`"),
        (["train.optimiser={adam: 0.1}", "train.optimiser.sgd.momentum=0"], "which chooses sgd"),
        (["train.epochs=1", "train.epochs=2"], "is undone by train.epochs=2"),
        (["train.optimiser=sgd", "train.optimiser.sgd.learning_rate=1"], None),
        (["train.optimiser.sgd.momentum=0", "train.optimiser.sgd.learning_rate=1"], None),
        (["train.optimiser.sgd.learning_rate=1", "train.schedule.cosine.final=0"], None),
        (["layers.conv1.filters=1", "layers.conv2.filters=1"], None),
    ],
)
def test_settings_that_others_undo_are_told_of(texts: list[str], words: str | None) -> None:
    overrides = [parse_override(text, Findings()) for text in texts]
    found = undone([own for own in overrides if own is not None])
    assert found is None if words is None else found is not None and words in found


def test_rungs_of_successive_halving() -> None:
    """Those of Hyperband's bracket s = 4 with R = 81 and η = 3 (Li et al. 2018, table 1)."""
    assert rungs(81, 81, 3) == [(1, 81), (3, 27), (9, 9), (27, 3), (81, 1)]
    assert rungs(12, 10, 3) == [(1, 12), (3, 4), (10, 1)]
    assert rungs(2, 10, 3) == [(10, 2)] and rungs(9, 1, 3) == [(1, 9)] and rungs(8, 8, 2)[-1] == (8, 1)
