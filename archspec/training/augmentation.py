"""Random changes of training samples, inside the compiled step; a map of targets changes with its image."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.augmentations import Augmentation, Mixing
from archspec.data import uncounted
from archspec.tasks import COUNTS
from archspec.training.feeding import Named


class Changed(NamedTuple):
    """What there is to change: inputs and targets by name."""

    means: Mapping[str, np.ndarray]
    """The mean colour (C,) of each input that is an image."""
    maps: Collection[str]
    """The targets that are maps, (N, H, W) or (N, H, W, C)."""
    classes: Mapping[str, int]
    """How many classes there are of each target that is one whole number of them."""


class Trace(NamedTuple):
    """What was drawn for a batch's samples at one place of the list, and whether it happened to each."""

    drawn: Any
    happens: jax.Array


def epoch_key(seed: int, epoch: jax.Array) -> jax.Array:
    """The key of all that is drawn in an epoch, the first being 0. It is none of those of steps and weights."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2), epoch)


def augmented(
    inputs: Named,
    targets: Named,
    index: jax.Array,
    chain: Sequence[Augmentation],
    changed: Changed,
    key: jax.Array,
    traces: list[Trace] | None = None,
    begin: int = 0,
) -> tuple[Named, Named]:
    """Inputs, whose images (N, H, W, C) have pixels from 0 to 1, and targets, after one augmentation after another.

    `key` is the epoch's; what is drawn for a sample comes from it, the sample's number in `index` (~n for one that
    fills up) and the augmentation's place: it is the same whatever the batch. All images of a sample are changed by
    what was drawn once, since they may show one thing, and maps of its targets go with them. Signals, vectors and all
    other targets stay, unless samples are mixed, and so does everything where there is no image. What happens is put
    into `traces`, where such are given; what stands before `begin` in the chain has been done.
    """
    inputs, targets = dict(inputs), dict(targets)
    images = [name for name in inputs if name in changed.means]
    if not images:
        return inputs, targets
    maps = [name for name in targets if name in changed.maps]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.where(index < 0, ~index, index))
    mixing = any(isinstance(kind, Mixing) for kind in chain)
    if mixing:
        targets = {name: _mixable(name, target, changed) for name, target in targets.items()}
    mixed = jnp.zeros(len(index), jnp.bool_)
    for place, kind in list(enumerate(chain))[begin:]:
        own = _folded(keys, place)
        size = _size(inputs[images[0]])
        drawn = jax.vmap(lambda key, kind=kind, size=size: kind.draw(key, size))(_folded(own, 1))
        happens = None if kind.probability == 1 else jax.vmap(jax.random.uniform)(_folded(own, 0)) < kind.probability
        if isinstance(kind, Mixing):
            may = jnp.ones(len(index), jnp.bool_) if happens is None else happens
            done = _mix(inputs, targets, images, maps, kind, drawn, may & ~mixed, index)
            mixed = mixed | done
            _keep(traces, drawn, done)
            continue
        _keep(traces, drawn, jnp.ones(len(index), jnp.bool_) if happens is None else happens)
        for name in images:
            made = jax.vmap(kind.image, (0, 0, None))(drawn, inputs[name], jnp.asarray(changed.means[name]))
            inputs[name] = _where(happens, made, inputs[name])
        for name in maps if kind.ways else ():
            fill = uncounted(targets[name].dtype)
            wide = targets[name] if targets[name].ndim == 4 else targets[name][..., None]
            moved = jax.vmap(lambda one, labels, kind=kind, fill=fill: kind.labels(one, labels, fill))(drawn, wide)
            targets[name] = _where(happens, moved.reshape(targets[name].shape), targets[name])
    return inputs, targets


def _keep(traces: list[Trace] | None, drawn: Any, happens: jax.Array) -> None:
    if traces is not None:
        traces.append(Trace(drawn, happens))


def _size(images: jax.Array) -> tuple[int, int]:
    return images.shape[1], images.shape[2]


def _folded(keys: jax.Array, number: int) -> jax.Array:
    """Each sample's key with a number."""
    folded: jax.Array = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
    return folded


def _where(which: jax.Array | None, made: jax.Array, before: jax.Array) -> jax.Array:
    """Those of a batch that are changed, and the others as they were."""
    if which is None:
        return made
    return jnp.where(jnp.expand_dims(which, range(1, made.ndim)), made, before)


def _mixable(name: str, target: jax.Array, changed: Changed) -> jax.Array:
    """A target of which shares can be taken: floating-point numbers, NaN where nothing counts; maps stay."""
    if name == COUNTS or name in changed.maps:
        return target
    if name in changed.classes and target.ndim == 1:
        truths = jax.nn.one_hot(target, changed.classes[name])
        return jnp.where((target >= 0)[:, None], truths, jnp.nan)
    if jnp.issubdtype(target.dtype, jnp.integer):
        return jnp.where(target >= 0, target.astype(jnp.float32), jnp.nan)
    return target


def _mix(
    inputs: Named,
    targets: Named,
    images: Sequence[str],
    maps: Sequence[str],
    kind: Mixing,
    drawn: Any,
    may: jax.Array,
    index: jax.Array,
) -> jax.Array:
    """Mixes samples with those after them in the batch, the last that counts with the first; says which were mixed.

    A sample is mixed when it may be and both have labels that count: what fills up a batch is no sample's other.
    """
    number = (index >= 0).sum()
    other = (jnp.arange(len(index)) + 1) % jnp.maximum(number, 1)
    counts = index >= 0
    for name, target in targets.items():
        if name != COUNTS:
            known = ~jnp.isnan(target) if jnp.issubdtype(target.dtype, jnp.floating) else target >= 0
            counts = counts & known.reshape(len(index), -1).any(1)
    which = may & counts & counts[other] & (number > 1)
    share = jax.vmap(lambda one: kind.share(one, _size(inputs[images[0]])))(drawn)
    for part, names in ((inputs, images), (targets, maps)):
        for name in names:
            before = part[name]
            wide = before if before.ndim == 4 else before[..., None]
            part[name] = _where(which, jax.vmap(kind.mixed)(drawn, wide, wide[other]).reshape(before.shape), before)
    for name, target in targets.items():
        if name not in maps and name != COUNTS:
            own = jnp.expand_dims(share, range(1, target.ndim))
            targets[name] = _where(which, own * target + (1 - own) * target[other], target)
    return which
