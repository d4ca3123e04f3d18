"""Wrappers around tensor names: any that all share are taken off, whatever the network's own names are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archspec.weights.tensors import TensorFile
from archspec.weights.wrapping import IGNORED, unwrapped

WORDS = st.sampled_from(["module", "_orig_mod", "model", "net", "c", "0", "1", "weight", "fc", "a_b", "state_dict"])
WRAPPERS = st.lists(WORDS, max_size=4).map(lambda words: "".join(f"{word}." for word in words))
NAMES = st.lists(
    st.lists(WORDS, min_size=1, max_size=3)
    .map(".".join)
    .flatmap(lambda layer: st.sampled_from(["weight", "bias", "running_mean"]).map(lambda array: f"{layer}.{array}")),
    min_size=2,
    max_size=8,
    unique=True,
)


def file_of(names: list[str]) -> TensorFile:
    return TensorFile.of(Path("w"), {name: np.zeros(1, np.float32) for name in names})


@settings(max_examples=120)
@given(expected=NAMES, wrapper=WRAPPERS)
def test_one_wrapper_around_all_names(expected: list[str], wrapper: str) -> None:
    found = unwrapped(file_of([wrapper + name for name in expected]), dict.fromkeys(expected))
    assert found.known(expected) == len(expected)
    assert {name: found.names[name] for name in expected} == {name: wrapper + name for name in expected}
    assert found.left == ()


@settings(max_examples=120)
@given(expected=NAMES, wrapper=WRAPPERS, other=WRAPPERS)
def test_two_copies_are_never_mixed(expected: list[str], wrapper: str, other: str) -> None:
    """All arrays come from one of the two, and the other is told of: as a place that would do too, or as left out."""
    first, second = ([place + name for name in expected] for place in (wrapper, other))
    assume(not set(first) & set(second))
    found = unwrapped(file_of(first + second), dict.fromkeys(expected))
    taken = {found.names[name] for name in expected}
    assert taken in (set(first), set(second))
    told = {name for place in found.equal for name in (place + name for name in expected)}
    rest = (set(first) | set(second)) - taken
    assert rest <= told | set(found.left) | set(found.names.values())


@settings(max_examples=80)
@given(expected=NAMES, names=st.lists(st.text(max_size=30), max_size=12, unique=True))
def test_any_names_are_answered(expected: list[str], names: list[str]) -> None:
    found = unwrapped(file_of(names), dict.fromkeys(expected))
    tails = tuple(f"{name}{end}" for name in IGNORED for end in ("", ".", "_"))
    assert set(found.names.values()) | set(found.left) <= set(names)
    assert all(name in found.left or name in found.names.values() or name.endswith(tails) for name in names)


def test_names_of_any_length_take_no_time() -> None:
    names = ["a." * 100_000 + "c.weight", "_" * 200_000, "." * 200_000]
    found = unwrapped(file_of(names), dict.fromkeys(["c.weight", "c.bias"]))
    assert found.names["c.weight"] == names[0]


def test_what_an_optimiser_keeps_is_never_taken_for_weights() -> None:
    expected = ["c.weight", "c.bias"]
    for end in (".exp_avg", ".exp_avg_sq", ".momentum_buffer", "_mask"):
        found = unwrapped(file_of([f"state.{name}{end}" for name in expected]), dict.fromkeys(expected))
        assert found.known(expected) == 0
