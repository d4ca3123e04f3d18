"""Adversarial images of samples, as they would be saved, and what the network says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from archspec.explaining.answering import answers_of
from archspec.explaining.explanation import Attacked, Sample
from archspec.explaining.question import Question
from archspec.images.numbers import finished
from archspec.images.numbers import scaled as to_shares
from archspec.inspecting.adversarial import against_class, against_classes, against_labels, attacked, fgsm, pgd
from archspec.inspecting.subject import compiled

PGD_STEPS = 40


def add_attacks(
    question: Question,
    method: str,
    stacked: dict[str, np.ndarray],
    x: Mapping[str, jax.Array],
    samples: Sequence[Sample],
) -> None:
    """An adversarial image of each sample, by FGSM or PGD. `stacked` are the samples, `x` the same prepared."""
    image, name = question.image, question.input
    assert image is not None
    attack = fgsm(question.asked.epsilon) if method == "fgsm" else pgd(question.asked.epsilon, PGD_STEPS)
    raw = jnp.asarray(stacked[name])
    pixels = to_shares(raw, image)
    where = np.zeros(raw.shape, np.float32)
    for place, sample in enumerate(samples):
        where[(place, *(sample.part or ()))] = 1
    path = question.graph.nodes[question.scores.node].path
    truth, against, words = _against(question, samples)
    others = {other: own for other, own in x.items() if other != name}

    def found(arrays: Any, pixels: jax.Array, given: Any, key: jax.Array) -> jax.Array:
        truth, others, where = given

        def loss(pixels: jax.Array, truth: jax.Array) -> jax.Array:
            scores = question.subject.forward(arrays, {**others, name: finished(pixels, image)}, (path,))[path]
            raised: jax.Array = against(scores, truth)
            return raised

        moved: jax.Array = attacked(loss, pixels, truth, attack, key, where)
        return moved

    key = jax.random.key(question.asked.seed)
    moved = compiled(found)(question.subject.arrays, pixels, (truth, others, jnp.asarray(where)), key)
    before = np.stack([question.in_bytes(own) for own in stacked[name]])
    # Rounded towards the image, so that no pixel is further away than ε.
    by = np.trunc((np.asarray(moved, np.float64) - np.asarray(pixels, np.float64)) * 255 * (1 + 1e-6))
    made = np.clip(before + by, 0, 255).astype(np.uint8)
    if question.asked.epsilon < 1 / 255:
        question.notes.append("attacks are saved in bytes, in which an ε below 1/255 is nothing")
    after = answers_of(question, {**stacked, name: made})
    for place, sample in enumerate(samples):
        part = sample.part or (slice(None), slice(None))
        first, later = (
            next(item for item in given if item.output == question.output.name)
            for given in (sample.answers, after[place])
        )
        sample.attacks[method] = Attacked(
            method, attack.epsilon, attack.steps, attack.rate, made[place], first, later, words, part
        )
    if any(sample.part is not None and where[place].min() == 0 for place, sample in enumerate(samples)):
        question.notes.append("attacks leave the border alone that `fit: pad` adds")


def _against(question: Question, samples: Sequence[Sample]) -> tuple[Any, Any, str]:
    """What an attack takes for true, the loss that it raises, and that in words."""
    own = [next(item for item in sample.answers if item.output == question.output.name) for sample in samples]
    values = np.stack([np.asarray(item.value) for item in own])
    kind = question.shown.answer
    channels = question.graph.nodes[question.scores.node].output.channels
    shares = question.scores.shares
    if kind == "classes" and values.ndim == 2 and channels > 1:
        truth = jnp.asarray(values.argmax(-1), jnp.int32)
        words = "raises the cross-entropy of the class that is predicted"
        return truth, (lambda scores, truth: against_class(_logs(scores, shares), truth)), words
    if kind in ("mask", "classes") and channels > 1:
        truth = jnp.asarray(values.argmax(-1), jnp.int32)
        words = "raises the cross-entropy of the classes that are predicted, summed over the pixels"
        return truth, (lambda scores, truth: against_classes(_logs(scores, shares), truth)), words
    if kind in ("labels", "classes"):
        truth = jnp.asarray(values > question.shown.threshold, jnp.float32)
        words = "raises the binary cross-entropy of the labels that are predicted"
        odds = jax.scipy.special.logit if shares else (lambda scores: scores)
        return truth, (lambda scores, truth: against_labels(odds(scores), truth)), words
    if kind == "image":
        truth = jnp.asarray(values)
        return (
            truth,
            (lambda made, truth: ((made - truth) ** 2).sum() + made.sum() * 1e-6),
            ("moves what is made away from what is made of the image itself"),
        )
    numbers = np.array([sample.explained.number for sample in samples])
    chosen = jnp.asarray(np.arange(channels) == numbers[:, None], jnp.float32)
    return (
        chosen,
        (lambda made, chosen: (made * chosen.reshape(len(chosen), *[1] * (made.ndim - 2), -1)).sum()),
        f"raises {samples[0].explained.what}",
    )


def _logs(scores: jax.Array, shares: bool) -> jax.Array:
    """Scores before softmax, of probabilities their logarithms."""
    return jnp.log(jnp.maximum(scores, 1e-30)) if shares else scores
