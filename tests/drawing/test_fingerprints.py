"""Drawings of the sample are what they were; `python -m tests.record_drawings` records a change that is meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.record_drawings import FILE, NETWORKS, PICTURES, digests, graphviz, picture
from tests.zoo import SAMPLE

RECORDED: dict[str, Any] = json.loads(FILE.read_text("utf-8"))


def test_the_sample_is_recorded() -> None:
    assert list(RECORDED["networks"]) == SAMPLE


@pytest.mark.parametrize("name", SAMPLE)
def test_drawings_are_those_recorded(name: str) -> None:
    found, recorded = digests(name), RECORDED["networks"][name]
    # The paper look does not ask Graphviz.
    assert found["paper"] == recorded["paper"]
    if graphviz() != RECORDED["graphviz"]:
        pytest.skip(f"the other drawings are not recorded for Graphviz {graphviz()}, which may place boxes elsewhere")
    assert found == recorded


@pytest.mark.skipif(graphviz() != RECORDED["graphviz"], reason="they are not recorded for this Graphviz")
def test_pictures_of_the_documentation_are_drawn_now() -> None:
    files = sorted(PICTURES.glob(NETWORKS))
    assert len(files) == 15
    assert [file.name for file in files if file.read_bytes() != picture(file)] == []
