"""The heading of a drawing: the title, and under it the name and the figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.drawing import Look, drawn, graph_look, paper_look
from archspec.drawing.scene import Scene, Text
from archspec.graph import Graph
from archspec.loading import open_spec

LAYERS = "input: {height: 8, width: 8, channels: 3}\nlayers: [{conv: {filters: 4, kernel: 3}}]\n"
LONG = "</text><script>hit()</script> & " + "a title that goes on " * 20


def graph_of(write: Callable[..., Path], title: str, name: str = "net") -> Graph:
    text = f"archspec: 1\nname: {name}\n" + (f"title: '{title}'\n" if title else "") + LAYERS
    return open_spec(str(write(text, whole=True))).graph()


def scene(graph: Graph, look: Look) -> Scene:
    return paper_look.scene(graph) if look == "paper" else graph_look.scene(graph)


def words(found: Scene) -> list[Text]:
    return sorted((shape for shape in found.shapes if isinstance(shape, Text)), key=lambda text: text.y)


@pytest.mark.parametrize("look", ["graph", "paper"])
def test_the_title_is_printed_and_under_it_the_name(look: Look, write: Callable[..., Path]) -> None:
    titled = scene(graph_of(write, "A small network"), look)
    first, second = words(titled)[:2]
    assert first.text == "A small network" and second.text.startswith("net · ")
    assert titled.title.startswith("A small network")
    first, second = words(scene(graph_of(write, ""), look))[:2]
    assert first.text == "net" and "net" not in second.text


@pytest.mark.parametrize("look", ["graph", "paper"])
@pytest.mark.parametrize(("title", "name"), [(LONG, "net"), ("short", "n" * 90), ("", "n" * 100), (LONG, "n" * 100)])
def test_a_long_title_or_name_is_cut_and_the_picture_no_wider(
    title: str, name: str, look: Look, write: Callable[..., Path]
) -> None:
    found = scene(graph_of(write, title, name), look)
    assert found.width < 700
    for text in words(found)[:2]:
        assert text.box.left >= 0 and text.box.right <= found.width
    first = words(found)[0]
    whole = " ".join(title.split()) or name
    assert first.text == whole or (first.title == whole and "…" in first.text)


@pytest.mark.parametrize("look", ["graph", "paper"])
def test_a_hostile_title_stays_text(look: Look, write: Callable[..., Path]) -> None:
    made = drawn(graph_of(write, LONG), "svg", look=look).decode()
    assert "<script" not in made and "&lt;/text&gt;&lt;script&gt;" in made


def test_dot_has_the_title_as_its_label(write: Callable[..., Path]) -> None:
    assert 'label="say \\"hi\\"", labelloc=t' in drawn(graph_of(write, 'say "hi"'), "dot").decode()
    assert "labelloc" not in drawn(graph_of(write, ""), "dot").decode()
