"""Open texts over the disk's: what is read again once something that it was made of has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec.commands._unforeseen import diagnostic_of
from archspec.editing.analysis import Analysis, of_all_variants
from archspec.editing.workspace import Workspace
from archspec.source import laid

BASE = "archspec: 1\nname: base\ninput: {height: 28, width: 28, channels: 1}\nlayers: [flatten, dense: 10]\n"
FAMILY = """\
archspec: 1
name: family
input: {height: 28, width: 28, channels: 1}
layers: [flatten, dense: 10]
variants:
  own: {}
  other: {extends: other.yaml}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace(diagnostic_of)
    workspace.put(tmp_path / "family.yaml", FAMILY)
    yield workspace


def known(workspace: Workspace, path: Path) -> Analysis:
    """What is known of a text, of all its variants too."""
    with laid(workspace):
        analysis = workspace.analysis(path)
        assert analysis is not None
        if analysis.of_all is None:
            analysis.of_all = of_all_variants(analysis.now, lambda: False)
    return analysis


def test_a_file_that_another_variant_alone_extends_counts_too(workspace: Workspace, tmp_path: Path) -> None:
    other, family = tmp_path / "other.yaml", tmp_path / "family.yaml"
    other.write_text(BASE + "train: [", "utf-8")
    before = known(workspace, family)
    assert before.now.diagnostics == ()
    assert [item.code for item in before.diagnostics] == ["E104"]
    assert known(workspace, family) is before
    other.write_text(BASE + "# mended\n", "utf-8")  # by something that tells nobody
    assert known(workspace, family).diagnostics == []
    assert workspace.put(other, BASE + "train: {") == [family.resolve()]  # opened, with another text
    assert [item.code for item in known(workspace, family).diagnostics] == ["E104"]
