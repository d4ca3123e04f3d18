"""Evaluation and prediction from a run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from archspec.dataset import Split
from archspec.diagnostics import DataError
from archspec.loading import Spec, load
from archspec.lower import Arrays, Pure
from archspec.spec.network import Input
from archspec.training.checkpoint import Checkpoints
from archspec.training.evaluation import Evaluator
from archspec.training.folder import RESULT, SPEC, RunFolder, open_run
from archspec.training.images import check_data, fitted, normalised, resized
from archspec.training.steps import State, make_steps


def evaluate(path: Path) -> dict[str, float]:
    """Loss, top1 and top5 of a run's last checkpoint on its dataset's held-out part.

    Raises `SpecError` when the folder holds no run, or its data cannot be read.
    """
    folder, spec = _opened(path)
    assert spec.train is not None
    try:
        data = spec.train.dataset.load()
    except DataError as error:
        raise error.located(spec.place("train", "dataset")) from None
    check_data(data, spec, spec.graph())
    state, _ = _restored(folder, spec)
    steps = make_steps(spec.graph(), spec.input, spec.train, 1)
    split = Split(fitted(data.test.images, spec.input), data.test.labels)
    return Evaluator(steps, split, data.class_count)(state["params"], state["statistics"])


def predict(
    path: Path, images: Sequence[Path], *, top: int = 3, invert: bool = False
) -> list[tuple[Path, list[tuple[str, float]]]]:
    """The most probable classes of image files, with probabilities, by a run's last checkpoint.

    `invert` turns dark ink on light paper into light on dark, as MNIST has it. Raises `SpecError` for a folder without
    a run and for files that are no images.
    """
    folder, spec = _opened(path)
    try:
        batch = np.stack([read_image(image, spec.input, invert=invert) for image in images])
    except DataError as error:
        raise error.located(None) from None
    state, pure = _restored(folder, spec)
    names = _class_names(folder)
    main = next(output.name for output in spec.graph().outputs if not output.train_only)

    @jax.jit
    def probabilities(params: Arrays, statistics: Arrays, batch: jax.Array) -> jax.Array:
        outputs, _ = pure.apply(params, statistics, normalised(batch, spec.input), train=False)
        return jax.nn.softmax(outputs[main] if isinstance(outputs, dict) else outputs)

    found = np.asarray(probabilities(state["params"], state["statistics"], jnp.asarray(batch)))
    answers = []
    for image, row in zip(images, found, strict=True):
        best = np.argsort(-row, kind="stable")[:top]
        answers.append((image, [(names[i] if i < len(names) else str(i), float(row[i])) for i in best]))
    return answers


def read_image(path: Path, input: Input, *, invert: bool = False) -> np.ndarray:
    """An image file as bytes (height, width, channels) of the input's size.

    Orientation is taken from EXIF, transparency is laid on black. Where the spec says `fit: pad` an image that is not
    larger than the input is centred on a border; every other image of another size is resized. Raises `DataError`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    if input.channels not in modes:
        raise DataError("E521", f"the input has {input.channels} channels; image files have 1, 3 or 4")
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if input.channels != 4 and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
                clear = image.convert("RGBA")
                image = Image.new("RGBA", clear.size, (0, 0, 0, 255))
                image.alpha_composite(clear)
            if image.mode.startswith("I;16"):
                # Pillow clips 16-bit greys to 255 instead of scaling them.
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            pixels = np.asarray(image.convert(modes[input.channels]))
    except UnidentifiedImageError:
        raise DataError("E521", f"{path} is not an image that Pillow can read") from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError("E521", f"{path} cannot be read: {reason}") from None
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if invert:
        pixels = 255 - pixels
    height, width = pixels.shape[:2]
    batch = pixels[None]
    if input.fit == "pad" and height <= input.height and width <= input.width:
        batch = fitted(batch, input)
        height, width = batch.shape[1:3]
    if (height, width) != (input.height, input.width):
        batch = resized(batch, input.height, input.width)
    found: np.ndarray = batch[0]
    return found


def _opened(path: Path) -> tuple[RunFolder, Spec]:
    try:
        folder = open_run(path)
    except DataError as error:
        raise error.located(None) from None
    return folder, load(folder.path / SPEC)


def _restored(folder: RunFolder, spec: Spec) -> tuple[State, Pure]:
    assert spec.train is not None
    checkpoints = Checkpoints(folder.path)
    try:
        if checkpoints.latest is None:
            raise DataError("E513", f"{folder.path} has no checkpoint yet", help=["`archspec train` goes on with it"])
        steps = make_steps(spec.graph(), spec.input, spec.train, 1)
        return checkpoints.restore(steps.initial()), steps.pure
    except DataError as error:
        raise error.located(None) from None
    finally:
        checkpoints.close()


def _class_names(folder: RunFolder) -> list[str]:
    try:
        return list(json.loads((folder.path / RESULT).read_text("utf-8"))["classes"])
    except (OSError, ValueError, KeyError):
        return []
