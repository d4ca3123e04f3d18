"""Parts of the page's script, run in node where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).parents[2] / "archspec" / "page" / "static"

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


INSIDE = STATIC.parents[1] / "explaining" / "static"
"""The scripts of the panel that looks inside."""


def run(script: str, given: Any, *parts: str, folder: Path = STATIC) -> Any:
    """What a script prints as JSON that follows these files of the page and knows `given`."""
    text = "\n".join((folder / f"{part}.js").read_text("utf-8") for part in parts)
    whole = f'{text}\nconst given = JSON.parse(require("fs").readFileSync(0, "utf-8"));\n{script}'
    done = subprocess.run(
        ["node", "-e", whole], input=json.dumps(given), capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
