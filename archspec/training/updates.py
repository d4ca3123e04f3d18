"""From gradients to changes of the weights: what a recipe says of clipping, groups of arrays and the optimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.spec.train import Train


def transformation(train: Train, graph: Graph, factor: Callable[[Any], Any]) -> optax.GradientTransformationExtraArgs:
    """The Optax transformation of a recipe, whose learning rate `factor` scales at a step.

    Its update takes `value`, `grad` and `value_fn` beside the gradients: the loss, its gradients, and the loss as a
    function of what is trained, which optimisers that measure their steps use and others leave alone. Raises
    `DataError` where Optax refuses the recipe's numbers.
    """
    try:
        made = train.optimiser.build(factor)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise _refused(train.optimiser.kind, error) from None
    return _steady(optax.with_extra_args_support(made))


def factor_of(train: Train, steps_per_epoch: int) -> Callable[[Any], Any]:
    """The schedule's factor as a function of the step. Raises `DataError` where Optax refuses its numbers."""
    try:
        return train.schedule.build(train.epochs, steps_per_epoch)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise _refused(train.schedule.kind, error) from None


def _refused(kind: str, error: Exception) -> DataError:
    return DataError("E206", f"`{kind}` refuses its numbers: {' '.join(str(error).split())[:300]}")


def _steady(made: optax.GradientTransformationExtraArgs) -> optax.GradientTransformationExtraArgs:
    """The same with a state of which a step can use up every array, and whose types stay those that it began with.

    So no step is compiled anew. Random keys are held as numbers, which checkpoints have too.
    """

    def init(params: Any) -> Any:
        return jax.tree.map(lambda value: jnp.array(_plain(value), copy=True), made.init(params))

    def update(updates: Any, state: Any, params: Any = None, **more: Any) -> tuple[Any, Any]:
        shapes = jax.eval_shape(made.init, params)
        state = jax.tree.map(
            lambda shape, value: jax.random.wrap_key_data(value) if _is_key(shape) else value, shapes, state
        )
        changes, after = made.update(updates, state, params, **more)
        return changes, jax.tree.map(lambda old, new: _as(_plain(new), _plain_dtype(old)), shapes, after)

    return optax.GradientTransformationExtraArgs(init, update)


def _is_key(value: Any) -> bool:
    return bool(jnp.issubdtype(value.dtype, jax.dtypes.prng_key))


def _plain(value: Any) -> Any:
    """An array of numbers that gives way to no other type; of a random key its own."""
    if hasattr(value, "dtype") and _is_key(value):
        return jax.random.key_data(value)
    return _as(jnp.asarray(value), jnp.asarray(value).dtype)


def _plain_dtype(shape: Any) -> Any:
    return jnp.uint32 if _is_key(shape) else shape.dtype


def _as(value: Any, dtype: Any) -> Any:
    if value.dtype == dtype and not jax.typeof(value).weak_type:
        return value
    return jax.lax.convert_element_type(value, dtype)
