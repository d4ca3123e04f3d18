"""What a text has, as a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.diagnostics import Diagnostic
from archspec.editing.outline import Item, outline, symbols
from archspec.editing.workspace import Workspace
from archspec.located import Mapping
from archspec.positions import end_of, start_of

TEXT = """\
archspec: 1
name: small
args: {width: 8, deep: [1,
  2]}
inputs:
  left: {height: 8, width: 8, channels: 1}
blocks:
  unit:
    args: {filters: int}
    inputs: [x]
    layers:
      - conv: {filters: $(filters), kernel: 3, pad: same}
      - relu
layers:
  - unit: {name: first, filters: $(width)}
  - unit: $(width)
  - parallel:
      name: wide
      branches:
        a: [relu]
        b:
          - conv: {name: c, filters: 3, kernel: 1}
  - residual:
      layers: [relu]
      shortcut: [identity]
  - flatten
  - dense: {name: fc, units: 10}
outputs: {logits: fc}
variants:
  wider: {width: 16}
  plain:
    layers: [flatten, {dense: {name: fc, units: 10}}]
"""


def unforeseen(error: Exception) -> Diagnostic:
    raise error


def opened(text: str, path: Path = Path("small.yaml")) -> Workspace:
    workspace = Workspace(unforeseen)
    workspace.put(path, text)
    return workspace


def of(workspace: Workspace, path: Path = Path("small.yaml")) -> list[Item]:
    analysis = workspace.analysis(path)
    assert analysis is not None
    return outline(analysis)


def written(items: list[Item], depth: int = 0) -> list[str]:
    lines = []
    for item in items:
        lines.append(f"{'  ' * depth}{item.kind} {item.name}{f': {item.detail}' if item.detail else ''}")
        lines += written(item.items, depth + 1)
    return lines


def test_all_that_a_text_has() -> None:
    assert written(of(opened(TEXT))) == [
        "section archspec: 1",
        "section name: small",
        "section args",
        "  argument width: 8",
        "  argument deep: [1, 2]",
        "section inputs",
        "  input left",
        "section blocks",
        "  block unit",
        "    field args",
        "      argument filters: int",
        "    field inputs",
        "      input x",
        "    field layers",
        # What a block's layers give is that of its first call.
        "      layer conv1: conv → 8×8×8",
        "      layer relu1: relu → 8×8×8",
        "section layers",
        "  layer first: unit → 8×8×8",
        "  layer unit1: unit → 8×8×8",
        "  structure wide: parallel → 8×8×11",
        "    field a: branch",
        "      layer relu1: relu → 8×8×8",
        "    field b: branch",
        "      layer c: conv → 8×8×3",
        "  structure residual: 8×8×11",
        "    layer relu1: relu → 8×8×11",
        "    field shortcut",
        "      layer identity1: identity → 8×8×11",
        "  layer flatten1: flatten → 704",
        "  layer fc: dense → 10",
        "section outputs",
        "  output logits: fc",
        "section variants",
        "  variant wider",
        "    field width: 16",
        "  variant plain",
        "    field layers",
        "      layer flatten",
        "      layer fc: dense",
    ]


def test_spans_are_of_what_they_say() -> None:
    workspace = opened(TEXT)
    analysis = workspace.analysis(Path("small.yaml"))
    assert analysis is not None
    lines = analysis.now.lines
    items = {item.name: item for top in outline(analysis) for item in top.walk()}
    assert lines.slice(items["first"].span) == "unit: {name: first, filters: $(width)}"
    assert lines.slice(items["first"].name_span) == "first"
    assert lines.slice(items["unit1"].span) == "unit: $(width)"
    assert lines.slice(items["unit1"].name_span) == "unit"
    assert lines.slice(items["deep"].span) == "deep: [1,\n  2]"
    assert lines.slice(items["outputs"].span) == "outputs: {logits: fc}"
    assert lines.slice(items["b"].span) == "b:\n          - conv: {name: c, filters: 3, kernel: 1}"


def test_a_half_written_text_keeps_what_it_had() -> None:
    workspace = opened(TEXT)
    before = written(of(workspace))
    text = "# one\n# two\n" + TEXT
    workspace.put(Path("small.yaml"), text)
    assert written(of(workspace)) == before
    # The line of `first` is being typed anew.
    workspace.put(Path("small.yaml"), text.replace("- unit: {name: first,", "- \n  - unit: {name: [first,"))
    items = of(workspace)
    assert written(items) == [line for line in before if "first" not in line]
    found = {item.name: item for top in items for item in top.walk()}
    analysis = workspace.analysis(Path("small.yaml"))
    assert analysis is not None
    assert analysis.now.lines.slice(found["unit1"].span) == "unit: $(width)"
    assert analysis.now.lines.slice(found["outputs"].span) == "outputs: {logits: fc}"
    assert items_are_nested(items)


def test_a_text_that_never_was_yaml_has_nothing() -> None:
    assert of(opened("archspec: 1\nlayers: [")) == []


def test_names_of_all_open_texts_are_found() -> None:
    workspace = opened(TEXT)
    workspace.put(Path("other.yaml"), TEXT.replace("first", "furthest"))
    assert [item.name for item in symbols(workspace, "fst")] == ["first", "furthest"]
    assert {item.name for item in symbols(workspace, "wid")} == {"width", "wide", "wider"}


def items_are_nested(items: list[Item]) -> bool:
    for item in items:
        ends = (start_of(item.span), start_of(item.name_span), end_of(item.name_span), end_of(item.span))
        if list(ends) != sorted(ends):
            return False
        for below in item.items:
            if not start_of(item.span) <= start_of(below.span) <= end_of(below.span) <= end_of(item.span):
                return False
        if not items_are_nested(item.items):
            return False
    return True


@pytest.mark.parametrize("path", sorted(Path("specs").glob("*/*.yaml"))[::3], ids=lambda path: path.stem)
def test_the_projects_specs_have_outlines(path: Path) -> None:
    workspace = opened(path.read_text(), path)
    items = of(workspace, path)
    assert items_are_nested(items)
    analysis = workspace.analysis(path)
    assert analysis is not None
    root = analysis.now.root
    assert root is not None
    assert [item.name for item in items] == list(root.entries)
    found = [item for top in items for item in top.walk()]
    variants = root.get("variants")
    named = list(variants.entries) if isinstance(variants, Mapping) else []
    assert [item.name for item in found if item.kind == "variant"] == named
