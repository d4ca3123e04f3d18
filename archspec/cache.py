"""The folder of the user's in which archspec keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """A folder for one purpose: XDG_CACHE_HOME/archspec/NAME, or ~/.cache/archspec/NAME. It need not be there."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        return Path(given) / "archspec" / name
    home = os.path.expanduser("~")
    if os.path.isabs(home):
        return Path(home) / ".cache" / "archspec" / name
    from tempfile import gettempdir

    return Path(gettempdir()) / f"archspec-{os.getuid() if hasattr(os, 'getuid') else 0}" / name  # nobody's home
