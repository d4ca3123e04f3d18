"""Dynamic scaling of the loss, without which many gradients would be 0 in float16 (Micikevicius et al. 2018, 3.2).

The rule is that of PyTorch's GradScaler: the loss is multiplied by a scale, the gradients divided by it. A step with a
gradient that is not finite is skipped and halves the scale; `INTERVAL` good ones in a row double it, while it stays a
number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from archspec.diagnostics import count
from archspec.lower import Arrays

FIRST = 2.0**16
INTERVAL = 2000
LEAST = 2.0**-14
"""The least number of float16 with full precision. Gradients that overflow with a smaller scale do so for good."""

Scaling = dict[str, jax.Array]
"""`scale`, float32; `good`, the steps since it last changed, and `skipped`, those left out since the start, int32."""


def begun() -> Scaling:
    """The scaling before the first step."""
    return {"scale": jnp.float32(FIRST), "good": jnp.int32(0), "skipped": jnp.int32(0)}


def finite(gradients: Arrays) -> jax.Array:
    """Whether all gradients are numbers."""
    return jnp.stack([jnp.isfinite(value).all() for value in gradients.values()]).all()


def after(scaling: Scaling, fine: jax.Array) -> Scaling:
    """The scaling after a step whose gradients are `fine`, or not."""
    scale, good = scaling["scale"], jnp.where(fine, scaling["good"] + 1, 0)
    grows = good == INTERVAL
    doubled = jnp.where(grows & jnp.isfinite(2 * scale), 2 * scale, scale)
    return {
        "scale": jnp.where(fine, doubled, scale / 2),
        "good": jnp.where(grows, 0, good),
        "skipped": scaling["skipped"] + jnp.where(fine, 0, 1),
    }


def exhausted(scaling: Scaling) -> jax.Array:
    """Whether no scale is left at which gradients could be numbers."""
    return scaling["scale"] < LEAST


def record(state: Mapping[str, Any]) -> dict[str, Any]:
    """What an epoch's record says of a state's scaling: the scale, and the steps skipped since the start."""
    own = state.get("scaling")
    return {"loss_scale": float(own["scale"]), "skipped_steps": int(own["skipped"])} if own else {}


def said(record: Mapping[str, Any]) -> str:
    """The same in words, for the line of an epoch; nothing where no step was skipped."""
    skipped = record.get("skipped_steps")
    return f"  {count(skipped, 'step')} skipped, loss scale {record['loss_scale']:,.6g}" if skipped else ""
