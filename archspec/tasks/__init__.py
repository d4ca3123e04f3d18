"""Tasks, one kind a file; the base class is in `_base.py`, what a task makes of each output in `_heads.py`."""

from archspec.tasks._base import (
    Answer,
    Inputs,
    Task,
)
from archspec.tasks._heads import COUNTS, Head, default_task, heads_of, overruled

__all__ = ["COUNTS", "Answer", "Head", "Inputs", "Task", "default_task", "heads_of", "overruled"]
