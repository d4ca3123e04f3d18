from __future__ import annotations

import pytest

from archspec.commands._unforeseen import diagnostic_of
from archspec.editing.workspace import Workspace


@pytest.fixture
def workspace() -> Workspace:
    """No texts that are open."""
    return Workspace(diagnostic_of)
