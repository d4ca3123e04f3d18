"""What the tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# One thread a worker: the suite runs two workers on two cores.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

HEAD = "archspec: 1\nname: net\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a spec file: a whole text, or the part after `archspec` and `name`."""

    def written(text: str, name: str = "net.yaml", *, whole: bool = False) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if whole else HEAD + text, encoding="utf-8")
        return path

    return written
