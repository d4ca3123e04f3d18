"""Random changes of training samples, inside the compiled step; a map of targets changes with its image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from archspec.augmentations import Augmentation, Mixing
from archspec.data import uncounted
from archspec.mesh import SAMPLES
from archspec.nn.shards import Shards
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
    shards: Shards | None = None,
    parts: int = 1,
) -> tuple[Named, Named]:
    """Inputs, whose images (N, H, W, C) have pixels from 0 to 1, and targets, after one augmentation after another.

    `key` is the epoch's; what is drawn for a sample comes from it, the sample's number in `index` (~n for one that
    fills up) and the augmentation's place: it is the same whatever the batch. All images of a sample are changed by
    what was drawn once, since they may show one thing, and maps of its targets go with them. Signals, vectors and all
    other targets stay, unless samples are mixed, and so does everything where there is no image. What happens is put
    into `traces`, where such are given; what stands before `begin` in the chain has been done.

    With `shards` the samples are one device's: of each of `parts` equal stretches of the batch, one after the other,
    the device's share. Each is what it would be on one device. What is mixed comes from the next device then: for each
    `Mixing` of the chain, every image and target, and 4 bytes whether it counts, of the first sample of each stretch
    goes to the device before (a permutation over `SAMPLES`), and that of the batch's first sample to all (a sum over
    `SAMPLES`); one sum more, of 4 bytes, says how many samples count.
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
    number, following = _following(index, shards, parts) if mixing else (None, None)
    for place, kind in list(enumerate(chain))[begin:]:
        own = _folded(keys, place)
        size = _size(inputs[images[0]])
        drawn = jax.vmap(lambda key, kind=kind, size=size: kind.draw(key, size))(_folded(own, 1))
        happens = None if kind.probability == 1 else jax.vmap(jax.random.uniform)(_folded(own, 0)) < kind.probability
        if isinstance(kind, Mixing):
            may = jnp.ones(len(index), jnp.bool_) if happens is None else happens
            assert number is not None and following is not None
            may = may & ~mixed & (number > 1)
            done = _mix(inputs, targets, images, maps, kind, drawn, may, index, following)
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


Following = Callable[[jax.Array], jax.Array]
"""Of numbers for each of a device's samples, those of the samples that are mixed with them."""


def _following(index: jax.Array, shards: Shards | None, parts: int) -> tuple[jax.Array, Following]:
    """How many samples of a batch count, and what gives of each the next, of the last that counts the first."""
    own = (index >= 0).sum()
    if shards is None or shards.mesh.batches == 1:
        other = (jnp.arange(len(index)) + 1) % jnp.maximum(own, 1)
        return own, lambda values: values[other]
    number = lax.psum(own, SAMPLES)  # type: ignore[no-untyped-call]
    devices, device = shards.mesh.batches, shards.sample_part()
    size = len(index) // parts
    places = (jnp.arange(parts)[:, None] * devices + device) * size + jnp.arange(size)
    is_last = places.reshape(-1) == number - 1

    def following(values: jax.Array) -> jax.Array:
        parted = values.reshape(parts, size, *values.shape[1:])
        before = [(own, (own - 1) % devices) for own in range(devices)]
        passed = lax.ppermute(parted[:, 0], SAMPLES, before)  # type: ignore[no-untyped-call]
        # After the last device's share of a stretch comes the first one's of the next.
        passed = jnp.where(device == devices - 1, jnp.roll(passed, -1, 0), passed)
        shifted = jnp.concatenate([parted[:, 1:], passed[:, None]], 1).reshape(values.shape)
        first = lax.psum(jnp.where(device == 0, values[0], jnp.zeros_like(values[0])), SAMPLES)  # type: ignore[no-untyped-call]
        return _where(is_last, jnp.broadcast_to(first, values.shape), shifted)

    return number, following


def _mix(
    inputs: Named,
    targets: Named,
    images: Sequence[str],
    maps: Sequence[str],
    kind: Mixing,
    drawn: Any,
    may: jax.Array,
    index: jax.Array,
    following: Following,
) -> jax.Array:
    """Mixes samples with those after them in the batch, the last that counts with the first; says which were mixed.

    A sample is mixed when it may be and both have labels that count: what fills up a batch is no sample's other.
    """
    counts = index >= 0
    for name, target in targets.items():
        if name != COUNTS:
            known = ~jnp.isnan(target) if jnp.issubdtype(target.dtype, jnp.floating) else target >= 0
            counts = counts & known.reshape(len(index), -1).any(1)
    which = may & counts & (following(counts.astype(jnp.int32)) > 0)
    share = jax.vmap(lambda one: kind.share(one, _size(inputs[images[0]])))(drawn)
    for part, names in ((inputs, images), (targets, maps)):
        for name in names:
            before = part[name]
            wide = before if before.ndim == 4 else before[..., None]
            made = jax.vmap(kind.mixed)(drawn, wide, following(wide)).reshape(before.shape)
            part[name] = _where(which, made, before)
    for name, target in targets.items():
        if name not in maps and name != COUNTS:
            own = jnp.expand_dims(share, range(1, target.ndim))
            targets[name] = _where(which, own * target + (1 - own) * following(target), target)
    return which
