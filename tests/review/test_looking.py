"""What the page of a run says of every sample, against counts by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.data import Split
from archspec.loading import load
from archspec.lower import build, split
from archspec.review.looking import look
from archspec.tasks import Head

Write = Callable[..., Path]

SPECS = {
    "classes": "task: classification\nlayers: [{flatten: {}}, {dense: 4}]",
    "labels": "task: multi_label\nlayers: [{flatten: {}}, {dense: 3}]",
    "numbers": "task: regression\nlayers: [{flatten: {}}, {dense: 2}]",
    "mask": "task: segmentation\nlayers: [{conv: {filters: 3, kernel: 1}}]",
}


class Given:
    """In place of a network: says of a sample what its number, which is its first pixel, stands for."""

    def __init__(self, outputs: np.ndarray) -> None:
        self.outputs = outputs

    def apply(self, params: Any, statistics: Any, x: jax.Array, **way: Any) -> tuple[jax.Array, Mapping[str, Any]]:
        return jnp.asarray(self.outputs)[x[:, 0, 0, 0].astype(jnp.int32)], {}


class Watched:
    """Values that are read by numbers of samples, as columns are; remembers how many at once."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.most, self.read = array, 0, 0
        self.dtype, self.shape, self.ndim = array.dtype, array.shape, array.ndim

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, places: Any) -> np.ndarray:
        own = self.array[places]
        self.most, self.read = max(self.most, len(own)), self.read + len(own)
        return own


def looked(
    kind: str,
    outputs: np.ndarray,
    targets: np.ndarray,
    names: list[str],
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[str, Watched]:
    """The page's text of an output that says this of samples with these targets, in batches of a few."""
    spec = load(write(f"input: {{height: 6, width: 5, channels: 1, range: [0, 1000]}}\n{SPECS[kind]}\n"))
    graph = spec.graph()
    monkeypatch.setattr("archspec.review.looking.batch_size_of", lambda graph, samples: min(7, samples))
    pixels = np.zeros((len(outputs), 6, 5, 1), np.float32)
    pixels[:, 0, 0, 0] = np.arange(len(outputs))
    inputs = Watched(pixels)
    split = Split({"input": inputs}, {"label": targets}, tuple(f"dir/{n}.png" for n in range(len(outputs))))  # type: ignore[dict-item]
    heads: tuple[Head, ...] = spec.heads()
    (found,) = look(graph, Given(outputs), spec.inputs, heads, split, {}, {}, {heads[0].name: names})  # type: ignore[arg-type]
    return "".join(found.pieces), inputs


def rows(html: str, caption: str) -> list[list[str]]:
    """The cells of a table, row by row."""
    (found,) = (own for own in re.findall(r"<table.*?</table>", html, re.DOTALL) if f"<caption>{caption}" in own)
    body = found[found.index("<tbody>") :]
    return [
        [unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in re.findall(r"<tr>.*?</tr>", body)
    ]


def test_classes_are_counted_and_mistakes_ordered(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where samples have no label, and batches do not divide them."""
    draw = np.random.default_rng(1)
    outputs = draw.normal(size=(40, 4)).astype(np.float32) * 3
    labels = draw.integers(-1, 4, 40).astype(np.int32)
    names = ["a", "<b>", "c", "d"]
    html, inputs = looked("classes", outputs, labels, names, write, monkeypatch)
    guess = outputs.argmax(-1)
    matrix = rows(html, "Rows")
    for own in range(4):
        counts = [int(((labels == own) & (guess == other)).sum()) for other in range(4)]
        assert matrix[own] == [names[own], *(str(number) if number else "" for number in counts)]
    figures = rows(html, "Figures of each class")
    for own in range(4):
        hits = ((labels == own) & (guess == own)).sum()
        given, there = ((guess == own) & (labels >= 0)).sum(), (labels == own).sum()
        assert figures[own][:3] == [names[own], str(there), str(given)]
        assert figures[own][3:5] == [f"{100 * hits / given:.2f}", f"{100 * hits / there:.2f}"]
        assert figures[own][5] == f"{200 * hits / (given + there):.2f}"
    shares = np.exp(outputs) / np.exp(outputs).sum(-1, keepdims=True)
    wrong = np.flatnonzero((labels >= 0) & (labels != guess))
    surest = wrong[np.argsort(-shares[wrong, guess[wrong]])][:12]
    least = wrong[np.argsort(shares[wrong, labels[wrong]])][:12]
    confident, worst = html.split("Worst mistakes")
    shown = [int(number) for number in re.findall(r'title="dir/(\d+)\.png"', confident)]
    assert shown == surest.tolist()
    assert [int(number) for number in re.findall(r'title="dir/(\d+)\.png"', worst)] == least.tolist()
    first = surest[0]
    assert f"given {names[guess[first]]}".replace("<b>", "&lt;b&gt;") in confident
    assert f"{len(wrong)} of {(labels >= 0).sum()} samples are wrong" in html
    assert "<b>" not in html.replace("&lt;b&gt;", "")
    # Once all of them, and those that are shown again; never more than a batch.
    assert inputs.most == 7
    assert inputs.read - 40 in range(12, 3 * 24 + 1)


def test_labels_are_counted(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(2)
    outputs = draw.normal(size=(30, 3)).astype(np.float32) * 2
    targets = draw.integers(-1, 2, (30, 3)).astype(np.int8)
    html, _ = looked("labels", outputs, targets, ["x", "y", "z"], write, monkeypatch)
    found = outputs > 0
    figures = rows(html, "Figures of each class")
    for own in range(3):
        known = targets[:, own] >= 0
        hits = (found[:, own] & (targets[:, own] == 1)).sum()
        given, there = (found[:, own] & known).sum(), (targets[:, own] == 1).sum()
        assert figures[own][1:5] == [str(there), str(given), f"{100 * hits / given:.2f}", f"{100 * hits / there:.2f}"]
    wrong = ((found != (targets == 1)) & (targets >= 0)).any(-1)
    assert f"{wrong.sum()} of {(targets >= 0).any(-1).sum()} samples have a wrong label" in html
    apart = np.where((found != (targets == 1)) & (targets >= 0), np.abs(1 / (1 + np.exp(-outputs)) - 0.5), 0).max(-1)
    shown = re.findall(r'title="dir/(\d+)\.png"', html.split("Most wrong")[0])
    assert [int(number) for number in shown] == np.argsort(-apart, kind="stable")[:12].tolist()


def test_numbers_are_set_against_the_truth(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    true = draw.normal(size=(25, 2)).astype(np.float32)
    outputs = true + draw.normal(size=(25, 2)).astype(np.float32) / 10
    true[4, 1] = np.nan
    html, _ = looked("numbers", outputs, true, ["width", "angle"], write, monkeypatch)
    figures = rows(html, "Figures of each number")
    for own, name in enumerate(("width", "angle")):
        apart = (outputs - true)[:, own]
        apart, known = apart[~np.isnan(apart)], true[:, own][~np.isnan(true[:, own])]
        expected = [
            apart.mean(),
            np.abs(apart).mean(),
            np.sqrt((apart**2).mean()),
            1 - (apart**2).sum() / known.var() / len(known),
        ]
        assert figures[own][:2] == [name, str(len(apart))]
        assert [float(value.replace("−", "-")) for value in figures[own][2:]] == pytest.approx(expected, rel=1e-3)
    counted = sum(int(number) for number in re.findall(r": (\d+)</title>", html))
    assert counted == 49 and html.count('<circle class="point"') == 49
    error = np.sqrt(np.nanmean((outputs - true) ** 2, -1))
    shown = [int(number) for number in re.findall(r'title="dir/(\d+)\.png"', html)]
    assert shown == np.argsort(-error)[:12].tolist()


def test_masks_are_counted_and_shown_from_worst_to_best(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(4)
    labels = draw.integers(0, 3, (20, 6, 5)).astype(np.int32)
    labels[:, 0] = -1
    right = np.linspace(0.1, 1, 20)[:, None, None] > draw.random((20, 6, 5))
    guess = np.where(right, np.maximum(labels, 0), (labels + 1) % 3)
    html, _ = looked("mask", np.eye(3, dtype=np.float32)[guess], labels, ["sky", "road", "car"], write, monkeypatch)
    figures = rows(html, "Figures of each class")
    for own in range(3):
        hits = ((labels == own) & (guess == own)).sum()
        union = ((labels == own) | ((guess == own) & (labels >= 0))).sum()
        assert figures[own][0] == ["sky", "road", "car"][own]
        assert figures[own][-1] == f"{100 * hits / union:.2f}"
    share = ((labels == guess) & (labels >= 0)).sum((1, 2)) / 25
    shown = [int(number) for number in re.findall(r'title="dir/(\d+)\.png"', html)]
    order = np.argsort(share, kind="stable")
    assert len(shown) == 12 and shown[:4] == order[:4].tolist() and share[shown[-4:]].min() >= share[order[-4]]
    assert html.count("<img") == 4 * 12


def test_a_thousand_classes_are_told_by_their_pairs() -> None:
    """And take no more than half a megabyte."""
    from archspec.review.confusion import Confusion

    draw = np.random.default_rng(5)
    labels = draw.integers(0, 1000, 50_000)
    guess = np.where(draw.random(50_000) < 0.7, labels, draw.integers(0, 1000, 50_000))
    guess[:300] = 7
    labels[:300] = 3
    html = Confusion.of_pairs(labels, guess, [f"class {n}" for n in range(1000)]).html("samples")
    assert 'class="matrix' not in html
    pairs = rows(html, "The most frequent confusions")
    assert pairs[0][:3] == ["class 3", "class 7", str(((labels == 3) & (guess == 7)).sum())]
    assert len(rows(html, "Figures of each class")) == 1000
    assert len(html) < 2**19


def test_a_head_of_the_zoo_is_shown_with_the_names_of_its_classes() -> None:
    """Names that are not known are numbers."""
    from archspec.inference.shown import shown_by
    from archspec.review.looking import _collector

    spec = load("lenet5")
    (head,) = spec.heads()
    assert _collector(head, shown_by(head, spec.graph()), ["zero", "one"]).names[:3] == ["zero", "one", "2"]


def test_a_page_in_16_bits_is_of_the_numbers(write: Write) -> None:
    """With jaxlib 0.12's own reductions a mean over what two layers in bfloat16 made is NaN on some processors."""
    spec = load(
        write("""
input: {height: 8, width: 8, channels: 3, range: [0, 1]}
layers:
- repeat: {times: 3, layers: [conv: {filters: 64, kernel: 3, pad: same}, relu]}
- global_avg_pool
- dense: 4
train: {dataset: mnist5k}
""")
    )
    graph = spec.graph()
    pure, params, statistics = split(build(graph, seed=0))
    pixels = np.random.default_rng(0).random((12, 8, 8, 3), np.float32)
    labels = np.arange(12, dtype=np.int32) % 4
    part = Split({"input": pixels}, {"label": labels}, tuple(f"{number}.png" for number in range(12)))
    names = {spec.heads()[0].name: "abcd"}
    (found,) = look(graph, pure, spec.inputs, spec.heads(), part, params, statistics, names, kind=jnp.dtype("bfloat16"))
    text = re.sub(r'src="[^"]*"', "", " ".join(found.pieces)).lower()
    assert " %" in text and "nan" not in text
