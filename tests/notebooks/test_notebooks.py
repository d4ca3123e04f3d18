"""The notebooks run from top to bottom, and what they show is what running them gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks.executing import NOTEBOOKS, VARIES, executed

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LARGEST = 200_000
"""Bytes of a file that a code host still shows."""

INSTALL = """try:
    import archspec
except ImportError:
    %pip install --quiet archspec-jax
    import archspec"""

_PLACE = re.compile(r"(?<![\w.:/])(?:/(?:home|root|tmp|usr|var|work|Users|content|opt|mnt)/|[A-Z]:\\)")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def test_all_are_there() -> None:
    assert [path.stem for path in PATHS] == ["first_network", "from_paper_to_spec", "inside_a_network"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_file_is_ready_for_others(path: Path) -> None:
    """Valid, small, with the outputs of one run from top to bottom, for Colab, and without places of one machine."""
    notebook = read(path)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    nbformat.validate(notebook)  # which wants ids, each of them once
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    text = path.read_text("utf-8")
    assert len(text.encode()) <= LARGEST
    assert not _PLACE.search(text)
    first, install, *_ = notebook.cells
    assert f"(https://colab.research.google.com/github/OWNER/archspec/blob/main/notebooks/{path.name})" in first.source
    assert "(https://colab.research.google.com/assets/colab-badge.svg)" in first.source
    assert install.source == INSTALL
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
    for link in re.findall(r"\]\((?!https?:)(.*?)\)", "\n".join(cell.source for cell in notebook.cells)):
        assert (path.parent / link).is_file(), link


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_running_it_gives_what_it_shows(path: Path, tmp_path: Path) -> None:
    """To the letter but for pictures and what depends on the processor, of which the forms are compared.

    The notebooks' own `assert`s hold on the way. `make notebooks` writes them anew.
    """
    made, kept = executed(path, tmp_path), read(path)
    compared = 0
    for ours, theirs in zip(made.cells, kept.cells, strict=True):
        assert (ours.id, ours.source) == (theirs.id, theirs.source)
        if ours.cell_type == "code":
            exact = VARIES not in theirs.metadata.get("tags", ())
            assert _outputs(ours, exact) == _outputs(theirs, exact), ours.id
            compared += exact and bool(ours.outputs)
    assert compared >= 4
    if path.stem == "first_network":
        (words,) = [cell.outputs[0].text for cell in made.cells if cell.id == "confusion"]
        assert float(words.split("%")[0]) >= 92


def _outputs(cell: Any, exact: bool) -> list[Any]:
    """What a cell shows: streams, and data by their forms; where it is not `exact`, only which there are."""
    outputs: list[Any] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            outputs.append((output.name, output.text if exact else ""))
            continue
        outputs.append({form: text if exact else "" for form, text in output.data.items()})
    return outputs
