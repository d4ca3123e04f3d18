"""What tasks whose targets are numbers have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import DataError

if TYPE_CHECKING:
    import jax
    import numpy as np

    from archspec.losses import Loss
    from archspec.types import TensorType


def as_numbers(target: jax.Array, output: TensorType) -> jax.Array:
    """Floating-point numbers in the output's shape; where the output has one number, the last axis may be left out."""
    import jax.numpy as jnp

    if jnp.issubdtype(target.dtype, jnp.integer):
        target = jnp.where(target < 0, jnp.nan, target.astype(jnp.float32))
    return target[..., None] if target.ndim == len(output.shape) and output.channels == 1 else target


def check_shares(data: str, name: str, target: np.ndarray, loss: Loss) -> None:
    """Raises `DataError` where a loss takes numbers from 0 to 1, and the target has others."""
    import numpy as np

    known = target[~np.isnan(target)] if loss.shares else target[:0]
    if known.size and (known.min() < 0 or known.max() > 1):
        raise DataError(
            "E501",
            f"{loss.terms[0][0].kind} takes targets from 0 to 1, but `{name}` of {data} has {known.min():.4g} to "
            f"{known.max():.4g}",
            help=["`loss: mse`", "or other data"],
        )


def check_shape(data: str, name: str, target: np.ndarray, output: TensorType, word: str) -> None:
    """Raises `DataError` where a sample's target has not the output's shape."""
    shape = target.shape[1:]
    if shape == output.shape or (output.channels == 1 and shape == output.spatial):
        return
    of = "one number" if output.shape == (1,) else f"{output} numbers"
    has = "one number" if not shape else f"{'×'.join(map(str, shape))} numbers"
    raise DataError("E501", f"`{name}` of {data} has {has} per sample, but the output has {of}, one for each {word}")
