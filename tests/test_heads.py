"""Heads that sit on other heads are told of; outputs of which others are made on purpose are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import Diagnostic
from archspec.loading import load, open_spec

Write = Callable[..., Path]

HEAD = """
input: {height: 12, width: 12, channels: 1}
blocks:
  head: {args: {n: int}, layers: [{dense: 16}, relu, {dense: {name: fc, units: $(n)}}]}
layers:
  - conv: {filters: 64, kernel: 3}
  - relu
  - global_avg_pool: {name: trunk}
"""
"""A trunk of 64 features, to which tests add heads."""

A, B = "dense: {name: a, units: 3}", "dense: {name: b, MENDunits: 4}"
WIDE, AFTER = "dense: {name: a, units: 50}", "dense: {name: b, units: 4}"


def stacked(path: Path) -> list[Diagnostic]:
    return [item for item in open_spec(str(path)).diagnostics if item.code == "W309"]


def network(layers: tuple[str, ...], outputs: str) -> str:
    return HEAD + "".join(f"  - {layer}\n" for layer in layers) + f"outputs: {outputs}\n"


@pytest.mark.parametrize(
    ("layers", "outputs"),
    [
        ((A, B), "{a: a, b: b}"),
        ((A, "dropout: {MENDrate: 0.5}", "dense: 16", "relu", AFTER), "{a: a, b: b}"),
        ((WIDE, "softmax: {name: p}", B), "{a: p, b: b}"),
        (("dense: {name: a, units: 1}", "sigmoid: {name: p}", B), "{a: p, b: b}"),
        ((WIDE, "relu: {MEND}", AFTER), "{a: {from: a, target: t}, b: b}"),
        ((WIDE, "relu: {MEND}", AFTER), "{b: b, a: {from: a, train_only: true}}"),
        (("head: {name: a, n: 3}", "head: {name: b, MENDn: 4}"), "{a: a, b: b}"),
        (("head: {name: a, n: 3}", "head: {name: b, MENDn: 4}"), "{b: b, a: {from: a, task: regression}}"),
        ((A, "parallel: {MENDname: p, branches: [[dense: 8], [dense: 8]]}", AFTER), "{a: a, b: b}"),
    ],
)
def test_a_head_on_another_heads_numbers(write: Write, layers: tuple[str, ...], outputs: str) -> None:
    text = network(layers, outputs)
    (item,) = stacked(write(text.replace("MEND", "")))
    assert "output `b` sees nothing but the" in item.message
    assert "`from: trunk`, or another layer before `a`" in item.help[0]
    assert item.primary is not None
    assert "MEND" in text.splitlines()[item.primary.span.line - 3]
    assert load(write(text.replace("MEND", "from: trunk, "))).diagnostics == ()


def test_of_three_heads_each_is_told_of_the_one_below_it(write: Write) -> None:
    found = stacked(
        write(network((A, "dense: {name: b, units: 4}", "dense: {name: c, units: 5}"), "{a: a, b: b, c: c}"))
    )
    assert ["of output `a`" in item.message for item in found] == [True, False]
    assert "of output `b`" in found[1].message
    assert all("`from: trunk`" in item.help[0] for item in found)


@pytest.mark.parametrize(
    ("layers", "outputs"),
    [
        # Branches from the trunk.
        ((A, "dense: {name: b, from: trunk, units: 4}"), "{a: a, b: b}"),
        # A cascade that says so.
        ((A, "dense: {name: b, from: a, units: 4}"), "{a: a, b: b}"),
        ((A, "concat: {from: [a, trunk]}", AFTER), "{a: {from: a, target: t}, b: b}"),
        # The same head under another function.
        ((A, "softmax: {name: b}"), "{a: a, b: b}"),
        # Features that are looked at, a bottleneck, an embedding.
        ((WIDE, AFTER), "{a: a, b: b}"),
        ((A, AFTER), "{a: {from: a, weight: 0}, b: b}"),
        ((A, "relu", AFTER), "{a: a, b: b}"),
        (("l2_normalise: {name: a}", AFTER), "{a: a, b: b}"),
        # An autoencoder with its code.
        (
            (A, "dense: 144", "reshape: {name: b, height: 12, width: 12, channels: 1}"),
            "{code: a, b: {from: b, task: reconstruction}}",
        ),
    ],
)
def test_what_is_meant(write: Write, layers: tuple[str, ...], outputs: str) -> None:
    assert stacked(write(network(layers, outputs))) == []


def test_vectors_that_are_made_again_maps_on_the_way_and_states(write: Write) -> None:
    for text in (
        "input: {features: 9}\nlayers: [dense: {name: a, units: 2}, dense: {name: b, units: 9}]\noutputs: {a: a, b: b}",
        "input: {height: 8, width: 8, channels: 9}\nlayers: [conv: {filters: 2, kernel: 1}, sigmoid: {name: a}, "
        "conv: {name: b, filters: 2, kernel: 1}]\noutputs: {a: a, b: b}",
        "input: {features: 6}\nlayers: [dense: 4, repeat: {name: r, times: 3, tied: true, layers: [dense: 4]}]\n"
        "outputs: {a: r.0, b: r.1, c: r.2}",
    ):
        assert stacked(write(text + "\n")) == []
