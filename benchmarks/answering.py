"""The process of a rival of `networks.py`: it reads a line of JSON after the other and answers each with one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO


def answers() -> TextIO:
    """Where answers go. Whatever libraries print from now on is none, and goes to standard error."""
    kept = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return kept


def answer(to: TextIO, about: dict[str, Any], load: Callable[..., dict[str, Any]], run: Callable[..., Any]) -> None:
    """Says what there is, then does what is asked: `load` a network in a mode, `run` steps of it."""
    print(json.dumps(about), file=to)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            found = {"load": load, "run": run}[asked.pop("do")](**asked)
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(found), file=to)
