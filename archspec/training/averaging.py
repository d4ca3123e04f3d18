"""The moving average of a network's weights (Polyak & Juditsky 1992), which is what a run with `ema` ends with.

After a step t, from 1 on, the average e of each array a becomes e + (1 − d)·(a − e), that is d·e + (1 − d)·a, with the
decay d; it begins with the initial arrays. With `warmup` d is min(decay, (1 + t)/(10 + t)), as TensorFlow's
ExponentialMovingAverage has it with `num_updates`. Statistics are averaged like weights, as timm's ModelEmaV2 and V3 do
unless told otherwise: so they are those of about the same steps as the weights.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from archspec.lower import Arrays
from archspec.spec.train import Ema

Averages = dict[str, Arrays]
"""Parameters and statistics, `params` and `statistics`, by name."""


def begun(params: Arrays, statistics: Arrays) -> Averages:
    """The averages before the first step. They are copies, since a step uses its state up."""
    return {
        part: {name: jnp.copy(value) for name, value in own.items()}
        for part, own in (("params", params), ("statistics", statistics))
    }


def averaged(ema: Ema, averages: Averages, params: Arrays, statistics: Arrays, step: jax.Array) -> Averages:
    """The averages after a step, by its number, of which the first is 1. What does not change stays to the bit."""
    decay = jnp.float32(ema.decay)
    if ema.warmup:
        done = step.astype(jnp.float32)
        decay = jnp.minimum(decay, (1 + done) / (10 + done))

    def moved(part: str, values: Arrays) -> Arrays:
        own = averages[part]
        return {name: own[name] + (1 - decay) * (value - own[name]) for name, value in values.items()}

    return {"params": moved("params", params), "statistics": moved("statistics", statistics)}
