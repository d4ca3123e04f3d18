"""Rules for operations that are no convolutions: transposed ones, pooling, unpooling."""

from __future__ import annotations

from archspec.lowerings.rules._rule import Rule

RULES: tuple[Rule, ...] = ()
