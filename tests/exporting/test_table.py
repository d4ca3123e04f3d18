"""docs/export.md: its table of kinds and targets is what the targets say."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.exporting.examples import kinds
from archspec.exporting.table import said_of, table, with_table
from archspec.exporting.targets import TARGETS
from archspec.kinds import builtin_kinds
from archspec.layers import Layer
from archspec.layers.relu import Relu

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def test_the_page_has_the_table_that_the_targets_give() -> None:
    text = PAGE.read_text("utf-8")
    assert with_table(text) == text, "run: python -m archspec.exporting"
    assert [line.split("`")[1] for line in table().splitlines() if line.startswith("| `")] == [*builtin_kinds("layers")]


def test_onnx_has_every_kind() -> None:
    module = TARGETS["onnx"].load()
    assert {said_of(module, kind) for kind in kinds()} == {("yes", ())}


def test_a_kind_without_all_of_its_settings_is_partly_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Some:
        @staticmethod
        def supports(node: Layer) -> str | None:
            return "is for maps" if node.input_types[0].is_vector else None  # type: ignore[attr-defined]

    assert said_of(Some(), Relu) == ("partly", ("is for maps",))  # type: ignore[arg-type]


def test_a_page_without_a_place_for_the_table_is_told() -> None:
    with pytest.raises(ValueError, match="no place for the table"):
        with_table("# Exports\n")
