"""What `validate` says of networks that can be trained, but to little or nothing."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from archspec.cli import main
from archspec.diagnostics import Diagnostic
from archspec.inference.predicting import predict
from archspec.loading import open_spec
from archspec.training.run import train

Write = Callable[..., Path]

NET = """
input: {height: 8, width: 8, channels: 1}
layers:
  - conv: {name: c, filters: 10, kernel: 3}
%s
"""


def warnings(path: Path) -> list[Diagnostic]:
    found = open_spec(str(path)).diagnostics
    assert all(item.severity == "warning" for item in found), [item.message for item in found]
    return list(found)


def layers(*entries: str) -> str:
    return NET % "".join(f"  - {entry}\n" for entry in entries)


@pytest.mark.parametrize(
    ("ending", "to_blame"),
    [
        (("global_avg_pool", "softmax"), "softmax1"),
        (("global_avg_pool: {keep_dims: true}", "flatten", "softmax", "identity"), "softmax1"),
        (("softmax", "global_avg_pool"), "softmax1"),
        (("global_avg_pool: {keep_dims: true}", "softmax", "dropout", "flatten"), "softmax1"),
        (("global_avg_pool", "sigmoid"), "sigmoid1"),
        (("hard_sigmoid", "avg_pool: {window: 6}", "flatten"), "hard_sigmoid1"),
        (("max_pool: 6", "flatten", "tanh"), "tanh1"),
        (("softmax", "pad: 1", "global_avg_pool"), "softmax1"),
        (("softmax", "pad: {sides: 1, value: 9}", "global_avg_pool"), None),
        (("softmax", "pad_channels: 10", "global_avg_pool"), "softmax1"),
        (("relu", "global_avg_pool"), None),  # as SqueezeNet
        (("global_avg_pool", "softmax", "dense: 10"), None),
        (("global_avg_pool", "sigmoid", "batch_norm"), None),
        (("global_avg_pool", "log_softmax"), None),  # the loss's softmax of it is the same softmax
        (("global_avg_pool", "l2_normalise"), "l2_normalise1"),
        (("global_avg_pool",), None),
    ],
)
def test_what_bounds_the_logits_is_named(write: Write, ending: tuple[str, ...], to_blame: str | None) -> None:
    path = write(layers(*ending) + "train: {}")
    found = warnings(path)
    assert [item.code for item in found] == (["W304"] if to_blame else [])
    if to_blame:
        assert found[0].primary is not None
        kind = to_blame.removesuffix("1")
        assert kind in found[0].primary.span.source.line(found[0].primary.span.line)
        assert to_blame in found[0].message
        least = log(1 + 9 * exp(-2 if kind in ("tanh", "l2_normalise") else -1))
        assert f"below {least:.4g}" in found[0].message


@pytest.mark.parametrize(
    ("ending", "limits"),
    [
        (("sigmoid: {name: a}", "tanh: {name: b, from: c}", "add: {from: [a, b]}"), (-1, 2)),
        (("sigmoid: {name: a}", "tanh: {name: b, from: c}", "multiply: {from: [a, b]}"), (-1, 1)),
        (("tanh: {name: a}", "multiply: {from: [a, a, a]}", "add: {from: [multiply1, a]}"), (-2, 2)),
        (("sigmoid: {name: a}", "tanh: {name: b, from: c}", "subtract: {from: [a, b]}"), (-1, 2)),
        (("sigmoid: {name: a}", "tanh: {name: b, from: c}", "maximum: {from: [a, b]}"), (0, 1)),
        (("sigmoid: {name: a}", "tanh: {name: b, from: c}", "average: {from: [a, b]}"), (-0.5, 1)),
        (("sigmoid: {name: a}", "relu: {name: b, from: c}", "add: {from: [a, b]}"), None),
        (("sigmoid: {name: a}", "multiply: {from: [a, c]}"), None),
        (("relu6: {name: a}", "relu6: {name: b, from: c}", "multiply: {from: [a, b]}"), None),  # 36 is no limit
    ],
)
def test_bounds_pass_sums_and_products(
    write: Write, ending: tuple[str, ...], limits: tuple[float, float] | None
) -> None:
    found = warnings(write(layers(*ending, "global_avg_pool") + "train: {}"))
    assert [item.code for item in found] == (["W304"] if limits else [])
    if limits:
        assert f"values from {limits[0]} to {limits[1]}," in found[0].message


def test_every_output_is_looked_at_and_no_recipe_needs_no_warning(write: Write) -> None:
    ending = layers("softmax: {name: s}", "global_avg_pool: {name: main}", "global_avg_pool: {name: side, from: c}")
    outputs = "outputs: {main: main, aux: {from: s2, train_only: true}}\n"
    text = ending + "  - softmax: {name: s2, from: side}\n" + outputs
    assert [item.message.split("`")[1] for item in warnings(write(text + "train: {}"))] == ["main", "aux"]
    assert warnings(write(text)) == []
    assert main(["validate", str(write(text + "train: {}")), "--strict"]) == 1
    assert main(["validate", str(write(text + "train: {}"))]) == 0


def test_the_least_loss_is_what_the_loss_itself_gives() -> None:
    from archspec.losses.cross_entropy import CrossEntropy

    right = jax.nn.one_hot(jnp.array([3]), 10)
    losses, _ = CrossEntropy.plain_default().build()(right, jnp.array([3]))
    assert float(losses[0]) == pytest.approx(log(1 + 9 / exp(1)), rel=1e-6)


@pytest.mark.parametrize("ending", [("softmax",), ("softmax", "identity"), ("sigmoid",), ()])
def test_probabilities_are_as_the_network_gives_them(write: Write, tmp_path: Path, ending: tuple[str, ...]) -> None:
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", x=images, y=np.arange(6) % 3)
    text = layers("global_avg_pool", "dense: {name: d, units: 3}", *ending)
    recipe = f"train: {{dataset: {{npz: {{path: {tmp_path / 'x.npz'}, holdout: 0.4}}}}, epochs: 1}}"
    spec = open_spec(str(write(text + recipe)))
    result = train(spec, tmp_path / "run", progress=False)
    Image.fromarray(images[0, ..., 0]).save(tmp_path / "a.png")
    (answer,) = predict(result.folder, [tmp_path / "a.png"], top=3)
    weights = {name: np.asarray(value, np.float64) for name, value in result.params.items()}
    x = images[0, ..., 0] / 255
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3))
    mean = np.tensordot(windows, weights["c.kernel"][:, :, 0], 2).mean((0, 1)) + weights["c.bias"]
    logits = mean @ weights["d.kernel"] + weights["d.bias"]
    right = 1 / (1 + np.exp(-logits)) if ending == ("sigmoid",) else np.exp(logits) / np.exp(logits).sum()
    assert dict(answer.classes) == pytest.approx({str(index): value for index, value in enumerate(right)}, rel=1e-4)


@pytest.mark.parametrize(
    ("entries", "train", "warned"),
    [
        (("global_avg_pool", "batch_norm: {name: n}"), "{batch_size: 1}", True),
        (("global_avg_pool: {keep_dims: true}", "batch_norm: {name: n}", "flatten"), "{batch_size: 1}", True),
        (("conv: {filters: 3, kernel: 6}", "batch_norm: {name: n}", "flatten"), "{batch_size: 1}", True),
        (("global_avg_pool", "batch_norm: {name: n}"), "{batch_size: 2}", False),
        (("batch_norm: {name: n}", "global_avg_pool"), "{batch_size: 1}", False),
        (("global_avg_pool", "batch_norm: {name: n}"), "{batch_size: 1, init_from: {path: x, freeze: [n]}}", False),
        (
            ("global_avg_pool", "batch_norm: {name: n}"),
            "{batch_size: 1, init_from: {path: x, freeze: [n], freeze_epochs: 2}}",
            True,
        ),
        (
            ("global_avg_pool", "batch_norm: {name: n}"),
            "{batch_size: 1, init_from: {path: x, freeze: ['*'], exclude: [n]}}",
            True,
        ),
    ],
)
def test_batch_normalisation_over_one_value(write: Write, entries: tuple[str, ...], train: str, warned: bool) -> None:
    found = warnings(write(layers(*entries) + f"train: {train}"))
    assert [item.code for item in found] == (["W305"] if warned else [])
    if warned:
        assert "n normalises over one value" in found[0].message
        assert [label.text for label in found[0].secondary] == ["one sample a step"]
