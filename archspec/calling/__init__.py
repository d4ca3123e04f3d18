"""The calls of a mode's program, one after the other or in the groups that `passes` found, while they are traced."""

from __future__ import annotations
