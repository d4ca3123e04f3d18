"""Weights that training leaves as they are."""

from __future__ import annotations

import jax
from flax import nnx


class Frozen(nnx.Variable[jax.Array]):
    """An array of the network that is stored with it and never trained."""
