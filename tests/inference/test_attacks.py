"""Figures under attack, beside an attack written down by hand."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.cli import main
from archspec.inference.evaluating import part_of
from archspec.inference.run import Run


@pytest.mark.slow
def test_fgsm_is_a_step_of_the_sign_of_the_gradient(trained: Path) -> None:
    """x + ε·sign(∂/∂x of the cross-entropy of the true class), kept within 0 and 1, by JAX alone."""
    run = Run(trained)
    split = part_of(run._run, run.spec, [], []).split
    pixels = np.asarray(split.images[:], np.float32) / 255
    labels = np.asarray(split.labels[:])

    @jax.jit
    def moved(x: jax.Array) -> jax.Array:
        def loss(x: jax.Array) -> jax.Array:
            given = run.apply(run.params, run.statistics, x)
            scores = jax.nn.log_softmax(given["out"] if isinstance(given, dict) else given)
            return -scores[np.arange(len(labels)), labels].sum()

        return jnp.clip(x + 0.1 * jnp.sign(jax.grad(loss)(x)), 0, 1)

    wanted = np.mean(np.asarray(run.predict(np.asarray(moved(jnp.asarray(pixels)))).classes) == labels)
    found = run.evaluate(attack="fgsm", epsilon=0.1)
    clean = run.evaluate()
    assert {name: value for name, value in found.items() if name != "attack"} == clean
    under = found["attack"]
    assert (under["method"], under["epsilon"], under["steps"]) == ("fgsm", 0.1, 1)
    # A gradient that is 0 to rounding may have either sign.
    assert abs(under["top1"] - wanted) <= 1 / len(labels) and under["top1"] < clean["top1"] - 0.1
    strong = run.evaluate(attack="pgd", epsilon=0.1, steps=10)["attack"]
    assert strong["rate"] == pytest.approx(0.025) and strong["top1"] <= under["top1"]
    assert strong == run.evaluate(attack="pgd", epsilon=0.1, steps=10)["attack"]


def test_attacks_that_there_are_not(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(trained)
    for options, said in (
        ({"attack": "cw", "epsilon": 0.1}, "fgsm or pgd"),
        ({"attack": "fgsm"}, "has a size"),
        ({"attack": "fgsm", "epsilon": 1.5}, "share of the range"),
        ({"attack": "fgsm", "epsilon": 0.1, "steps": 3}, "one step"),
    ):
        with pytest.raises(ValueError, match=said):
            run.evaluate(**options)
    for words, said in (
        (["--attack", "fgsm"], "an attack needs its size"),
        (["--epsilon", "0.1"], "--epsilon is of an attack"),
        (["--attack", "pgd", "--epsilon", "7"], "ε is a share"),
    ):
        assert main(["eval", str(trained), *words]) == 1
        assert said in capsys.readouterr().err
