"""From gradients to changes of the weights: what a recipe says of clipping, groups of arrays and the optimiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.spec.factors import factors_of
from archspec.spec.train import Clip, Train


def transformation(train: Train, graph: Graph, factor: Callable[[Any], Any]) -> optax.GradientTransformationExtraArgs:
    """The Optax transformation of a recipe, whose learning rate `factor` scales at a step.

    Gradients are clipped first, then the optimiser makes changes of them, then each array's change is scaled by its
    factor of `rates`. Arrays whose weight decay has another factor have an optimiser of their own, as parameter groups
    in PyTorch.

    Its update takes `value`, `grad` and `value_fn` beside the gradients: the loss, its gradients, and the loss as a
    function of what is trained, which optimisers that measure their steps use and others leave alone. Raises
    `DataError` where Optax refuses the recipe's numbers, or a pattern names nothing.
    """
    parts = [clipping(train.clip)] if train.clip is not None else []
    try:
        parts.append(_decaying(train, graph, factor))
    except (ValueError, TypeError, ArithmeticError) as error:
        raise _refused(train.optimiser.kind, error) from None
    rates = factors_of(train.rates, graph)
    if rates:
        parts.append(_scaled(rates))
    return _steady(optax.with_extra_args_support(optax.chain(*parts) if len(parts) > 1 else parts[0]))


def clipping(clip: Clip) -> optax.GradientTransformation:
    """Gradients within a bound.

    By norm, all of them together are scaled by min(1, bound/norm); by value, each number is cut at ±bound. Adaptively,
    the gradient of a unit, which is what shares its last axis, has a norm of at most the bound times the norm of the
    unit's weights, or 0.001 where that is less (Brock et al. 2021, equation 3).
    """
    if clip.norm is not None:
        return optax.clip_by_global_norm(clip.norm)
    if clip.value is not None:
        return optax.clip(clip.value)
    assert clip.adaptive is not None
    bound = clip.adaptive

    def clipped(gradient: jax.Array, weights: jax.Array) -> jax.Array:
        # What has one axis, as biases, is a unit of one number each; our kernels' last axis is the output's.
        axes = tuple(range(weights.ndim - 1))
        most = bound * jnp.maximum(jnp.sqrt(jnp.sum(weights**2, axes, keepdims=True)), LEAST_NORM)
        norm = jnp.sqrt(jnp.sum(gradient**2, axes, keepdims=True))
        return jnp.where(norm > most, gradient * (most / jnp.maximum(norm, TINY)), gradient)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return jax.tree.map(clipped, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


LEAST_NORM = 1e-3
TINY = 1e-30


def _decaying(train: Train, graph: Graph, factor: Callable[[Any], Any]) -> optax.GradientTransformation:
    optimiser = train.optimiser
    decays = factors_of(train.decays, graph)
    if set(decays.values()) <= {1.0} or not optimiser.weight_decay:
        return optimiser.build(factor)
    groups = {
        repr(float(share)): optimiser.model_copy(update={"weight_decay": optimiser.weight_decay * share}).build(factor)
        for share in {1.0, *decays.values()}
    }
    return optax.partition(groups, lambda params: {name: repr(float(decays.get(name, 1.0))) for name in params})


def _scaled(rates: Mapping[str, float]) -> optax.GradientTransformation:
    """Each array's change by its factor, so that its learning rate is that much of the others'."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return {name: value * rates[name] if name in rates else value for name, value in updates.items()}, state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


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
        state: Any = jax.device_put(jax.tree.map(_plain, made.init(params)), may_alias=False)
        return state

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
