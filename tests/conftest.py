"""What the tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# One thread a worker: the suite runs two workers on two cores.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# How long an example takes says how busy the machine is.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# A shell that runs the suite in its background has it, and all that it starts, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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
