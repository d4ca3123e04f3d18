"""`draw --augment`: what it shows is what training sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.images.numbers import finished
from archspec.images.sheets import Cell
from archspec.loading import load
from archspec.training import showing
from archspec.training.feeding import Batch
from archspec.training.steps import make_steps

Write = Callable[..., Path]

SPEC = """
task: segmentation
input: {height: 8, width: 6, channels: 3, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]}
layers: [conv: {filters: 4, kernel: 1}]
train:
  dataset: {npz: {path: d.npz}}
  augment: [{random_crop: 2}, {horizontal_flip: 0.5}, {cutmix: {probability: 0.5}}]
"""


@pytest.mark.slow
def test_the_sheet_has_what_training_sees(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sample 2 and its mask in epochs 1 to 6, beside the training step's own preparation of a batch that has it."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (5, 8, 6, 3), np.uint8)
    labels = generator.integers(0, 4, (5, 8, 6)).astype(np.int32)
    np.savez(tmp_path / "d.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    spec = load(write(SPEC))
    seen: list[Cell] = []

    def kept(cells: list[Cell], title: str) -> bytes:
        seen.extend(cells)
        return title.encode()

    monkeypatch.setattr(showing, "sheet", kept)
    net, to = str(tmp_path / "net.yaml"), ["-o", str(tmp_path / "s.png")]
    assert main(["draw", net, "--augment", "2", "--times", "6", *to]) == 0
    assert (tmp_path / "s.png").read_bytes().startswith(b"sample 2 of ")
    assert np.array_equal(np.rint(seen[0].image * 255), images[2]) and seen[0].caption == "as it is"
    steps, places = make_steps(spec, 4), [2, 3]
    batch = Batch({"input": jnp.asarray(images[places])}, {"label": jnp.asarray(labels[places])}, jnp.array(places))
    state, prepare = steps.initial(None), jax.jit(steps.prepare)
    for epoch, cell in enumerate(seen[1:]):
        own = prepare({**state, "step": jnp.asarray(4 * epoch + 1)}, batch)
        shown = finished(jnp.asarray(cell.image), spec.inputs["input"])  # type: ignore[arg-type]
        assert np.allclose(shown, own.inputs["input"][0], atol=1e-5)
        assert cell.mask is not None and np.array_equal(cell.mask, own.targets["label"][0])
        assert cell.caption.startswith(f"epoch {epoch + 1}: moved ")
    captions = " ".join(cell.caption for cell in seen)
    assert 0 < captions.count("mirrored") < 6 and 0 < captions.count("cutmix") < 6
    monkeypatch.undo()
    Image.fromarray(images[0].repeat(3, 0).repeat(3, 1)).save(tmp_path / "a.png")
    file = ["--augment", str(tmp_path / "a.png"), "--set", "train.augment=[vertical_flip]", "--set", "input.fit=resize"]
    assert main(["draw", net, *file, *to, "--times", "1"]) == 0
    with Image.open(tmp_path / "s.png") as made:
        assert made.format == "PNG" and made.width > 200
    capsys.readouterr()
    for more, words in (
        (["--augment", "5"], "there is no sample 5 to train on"),
        (["--augment", "2", "-o", "a.svg"], "a sheet of augmented images is a PNG file"),
        (["--augment", "2", "--depth", "1"], "draws no network"),
        (["--augment", "nowhere.png"], "nowhere.png"),
        (["--augment", "2", "--set", "train.augment=null"], "has no `augment`"),
        (["--times", "3"], "--times goes with --augment"),
    ):
        assert main(["draw", net, *more]) == 1
        assert words in capsys.readouterr().err
