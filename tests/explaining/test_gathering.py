"""What an explanation holds, of networks for which it is known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from archspec.diagnostics import SpecError
from archspec.explaining.attributing import NOISY
from archspec.explaining.gathering import explain
from archspec.inference.run import Run
from archspec.weights.folder import import_weights

LINEAR = """archspec: 1
name: linear
input: {height: 6, width: 6, channels: 1, mean: [0.5], std: [0.25], fit: pad}
layers:
  - flatten
  - dense: {name: out, units: 3}
"""
SMALL = """archspec: 1
name: small
input: {height: 12, width: 12, channels: 1}
layers:
  - conv: {name: c1, filters: 4, kernel: 3}
  - relu: {name: r1}
  - max_pool: {name: p1, window: 2}
  - conv: {name: c2, filters: 3, kernel: 3}
  - relu: {name: r2}
  - global_avg_pool: {name: g}
  - dense: {name: out, units: 4}
"""


def imported(folder: Path, text: str, tensors: dict[str, np.ndarray]) -> Run:
    (folder / "net.yaml").write_text(text)
    save_file({name: np.asarray(own, np.float32) for name, own in tensors.items()}, folder / "w.safetensors")
    assert import_weights(str(folder / "net.yaml"), folder / "w.safetensors", folder / "net").full
    return Run(folder / "net")


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, np.ndarray]:
    """A network of one dense layer, and its kernel (3, 6, 6)."""
    kernel = np.random.default_rng(1).normal(size=(3, 36))
    run = imported(tmp_path_factory.mktemp("linear"), LINEAR, {"out.weight": kernel, "out.bias": np.arange(3) / 9})
    return run, np.asarray(kernel.reshape(3, 6, 6), np.float32)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rng = np.random.default_rng(2)
    tensors = {
        "c1.weight": rng.normal(size=(4, 1, 3, 3)),
        "c1.bias": rng.normal(size=4) / 9,
        "c2.weight": rng.normal(size=(3, 4, 3, 3)) / 3,
        "c2.bias": rng.normal(size=3) / 9,
        "out.weight": rng.normal(size=(4, 3)),
        "out.bias": np.zeros(4),
    }
    return imported(tmp_path_factory.mktemp("small"), SMALL, tensors)


PIXELS = np.random.default_rng(0).integers(40, 200, (2, 4, 4), dtype=np.uint8)


def test_a_linear_network_is_explained_by_its_kernel(linear: tuple[Run, np.ndarray]) -> None:
    """Of Σ w·x the gradient is w, integrated gradients and occlusion are w·x, with x in normalised units, and FGSM
    moves each pixel against the class by ε, but those of the border."""
    run, kernel = linear
    made = explain(run, PIXELS[..., None], methods="all", epsilon=0.1)
    assert {"no guided_backprop", "no gradcam", "no filters", "no effective_field"} <= {
        note.split(":")[0] for note in made.notes
    }
    for sample, pixels in zip(made.samples, PIXELS, strict=True):
        assert sample.fitted == "4×4, on a border of 6×6" and sample.pixels is not None and sample.part is not None
        assert (sample.pixels[1:5, 1:5, 0] == pixels).all() and sample.pixels.sum() == pixels.sum()
        x = (sample.pixels[..., 0] / 255 - 0.5) / 0.25
        scores = (kernel * x).sum((1, 2)) + np.arange(3) / 9
        number = int(scores.argmax())
        assert sample.explained.number == number and sample.explained.why == "the most probable"
        assert abs(sample.explained.score - scores[number]) < 1e-4
        w, found = kernel[number], sample.attributions
        near = {
            "saliency": np.abs(w),
            "smoothgrad": np.abs(w),  # the same at every noisy copy
            "integrated_gradients": w * x,
        }
        for method, wanted in near.items():
            assert np.abs(found[method].map("input") - wanted).max() < 1e-4, method
        assert found["integrated_gradients"].numbers["gap"] < 1e-5
        assert str(NOISY) in found["smoothgrad"].said
        # A window of 2 by steps of 1: a place away from the corner is in four, each of which hides four places.
        hidden = w * x
        around = [hidden[r : r + 2, c : c + 2].sum() for r in (1, 2) for c in (2, 3)]
        assert abs(found["occlusion"].map("input")[2, 3] - np.mean(around)) < 1e-4
        attack = sample.attacks["fgsm"]
        chances = np.exp(scores) / np.exp(scores).sum()
        against = (chances - np.eye(3)[number]) @ kernel.reshape(3, -1)
        wanted = np.clip(sample.pixels[..., 0] / 255 + 0.1 * np.sign(against.reshape(6, 6)), 0, 1)
        assert np.abs(attack.pixels[attack.part][..., 0] / 255 - wanted[attack.part]).max() <= 1 / 255 + 1e-6
        assert attack.pixels[0].sum() == attack.pixels[:, 0].sum() == 0
        after = dict(attack.after.rated)[str(number)]
        own = dict(run.predict(attack.pixels[attack.part]).top(3)[0])
        assert after < attack.before.rated[0][1] and abs(own[str(number)] - after) < 1e-6
        strong = sample.attacks["pgd"]
        moved = np.abs(strong.pixels.astype(int) - sample.pixels)
        assert moved.max() == 25 and not moved[0].any()
    # An input that a unit looks for is bright where its weights are above 0.
    unit = made.units[0]
    assert unit.name == f"out:{made.samples[0].explained.number}" and unit.visualised is not None
    assert unit.visualised.after > unit.visualised.before


def test_layers_units_and_fields_of_a_small_network(small: Run) -> None:
    image = np.random.default_rng(3).integers(0, 255, (12, 12), dtype=np.uint8)
    made = explain(small, image, methods=["grad-cam", "activations", "filters", "unit", "effective_field"], layer="r1")
    sample = made.samples[0]
    given = small.activations(image)
    assert list(sample.activations) == ["r1"] and np.abs(sample.activations["r1"] - given["r1"][0]).max() < 1e-5
    assert sample.cam is not None and sample.cam.path == "r1" and sample.cam.map.shape == (10, 10)
    assert made.filters is not None and made.filters.path == "c1"
    assert (made.filters.kernels[2, ..., 0] == np.asarray(small.params["c1.kernel"])[..., 0, 2]).all()
    assert set(made.fields) == {"c1", "r1", "p1", "c2", "r2"}
    assert all(field.outside == 0 for field in made.fields.values())
    assert "no patches: imported weights have no dataset of their own" in made.notes
    (unit,) = made.units
    assert unit.path == "r1" and unit.channel == sample.cam.strongest
    asked = explain(small, image, methods="unit", unit="c2:1@0,2")
    (unit,) = asked.units
    # By the pooling's stride of 2: rows 0 … 2·2+1+2 and columns 2·2 … 2·4+1+2.
    assert unit.seen is not None and (unit.seen.first, unit.seen.end) == ((0, 4), (8, 12))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": "c3"}, "no layer `c3`"),
        ({"unit": "c1:9"}, "`c1` gives 4 channels, 0 to 3, and none 9"),
        ({"unit": "c1:0@10,0"}, "`c1` gives a map of 10×10 positions, and none at 10,0"),
        ({"unit": "c1"}, "'c1' is no unit"),
        ({"number": "cat"}, "no class 'cat'"),
        ({"pixel": (1, 1)}, "says nothing of single pixels"),
        ({"output": "other"}, "no output `other`"),
        ({"methods": "lime"}, "no method 'lime'"),
        ({"epsilon": 2}, "ε is a share"),
    ],
)
def test_names_that_there_are_not(small: Run, options: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        explain(small, np.zeros((12, 12), np.uint8), **{"methods": "saliency", **options})  # type: ignore[arg-type]
