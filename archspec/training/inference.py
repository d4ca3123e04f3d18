"""Evaluation and prediction from the folder of a run or of imported weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError
from archspec.loading import Spec, load
from archspec.lower import Arrays, Pure, outline
from archspec.training.checkpoint import Checkpoints
from archspec.training.evaluation import Evaluator
from archspec.training.folder import RESULT, SPEC, RunFolder, open_run
from archspec.training.freezing import frozen_at
from archspec.training.images import check_data, fitted, normalised
from archspec.training.pictures import own_size, read_image, write_mask
from archspec.training.steps import main_output, make_steps, named_outputs
from archspec.training.tasks import TASKS, Metrics

BATCH = 16
"""Images that are predicted at once."""


class Answer(NamedTuple):
    """What a network says of an image file: classes with their probabilities, or with their shares of its pixels.

    `mask` is the file that the classes of the pixels were written to.
    """

    image: Path
    classes: list[tuple[str, float]]
    mask: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        word = "probability" if self.mask is None else "share"
        classes = [{"class": name, word: value} for name, value in self.classes]
        return {"image": str(self.image), "classes": classes, **({"mask": str(self.mask)} if self.mask else {})}


def evaluate(path: Path) -> Metrics:
    """Loss and metrics of a run's last checkpoint on its dataset's held-out part.

    Raises `SpecError` when the folder holds no run, or its data cannot be read.
    """
    folder, spec = opened(path)
    if spec.train is None:
        raise DataError(
            "E504", f"{path} holds imported weights without a `train:` section, so there is nothing to evaluate on"
        ).located(None)
    try:
        data = spec.train.dataset.load()
        loss = spec.train.loss.fitted(data.train.labels, data.class_count)
    except DataError as error:
        raise error.located(spec.place("train", "dataset")) from None
    graph = spec.graph()
    check_data(data, spec, graph)
    arrays = restored(folder, spec)
    task = TASKS[spec.header.task]
    steps = make_steps(spec, 1, loss=loss)
    params, statistics = _parted(arrays, steps.template["params"])
    return Evaluator(steps, fitted(data.test, spec.input), task, graph)(params, statistics)


def predict(
    path: Path, images: Sequence[Path], *, top: int = 3, invert: bool = False, output: Path | None = None
) -> list[Answer]:
    """What the network of a run or an import says of image files.

    For classification the `top` most probable classes; for segmentation the classes by their shares of the pixels,
    and a coloured mask of each image in `output`. `invert` turns dark ink on light paper into light on dark, as MNIST
    has it.
    Raises `SpecError` for a folder without weights and for files that are no images.
    """
    folder, spec = opened(path)
    try:
        read = [read_image(image, spec.input, invert=invert) for image in images]
        names = _mask_names(images) if spec.header.task == "segmentation" else []
    except DataError as error:
        raise error.located(None) from None
    graph = spec.graph()
    pure, *shapes = outline(graph.pruned("eval"))
    arrays = restored(folder, spec)
    params, statistics = ({name: arrays[name] for name in part} for part in shapes)
    logits = _logits(pure, spec, params, statistics, [pixels for pixels, _ in read], main_output(graph))
    classes = _class_names(folder)

    def named(index: int) -> str:
        return classes[index] if index < len(classes) else str(index)

    answers = []
    for place, (image, (_, size)) in enumerate(zip(images, read, strict=True)):
        if spec.header.task == "classification":
            shares = np.asarray(jax.nn.softmax(logits[place]))
            best = np.argsort(-shares, kind="stable")[:top]
            answers.append(Answer(image, [(named(int(i)), float(shares[i])) for i in best]))
            continue
        mask = own_size(logits[place].argmax(-1), size, spec.input)
        file = (output or Path("masks")) / names[place]
        try:
            write_mask(file, mask, logits[place].shape[-1])
        except OSError as error:
            raise DataError("E534", f"{file} cannot be written: {error.strerror or error}").located(None) from None
        shares = np.bincount(mask.reshape(-1), minlength=logits[place].shape[-1]) / mask.size
        present = [int(i) for i in np.argsort(-shares, kind="stable")[:top] if shares[i]]
        answers.append(Answer(image, [(named(i), float(shares[i])) for i in present], file))
    return answers


def _mask_names(images: Sequence[Path]) -> list[str]:
    """A file name for each image's mask. Raises `DataError` where two images would have the same."""
    names = [f"{image.stem}_mask.png" for image in images]
    for index, name in enumerate(names):
        if name in names[:index]:
            first = images[names.index(name)]
            raise DataError(
                "E521", f"{first} and {images[index]} would have one mask, {name}", help=["predict them apart"]
            )
    return names


def _logits(
    pure: Pure, spec: Spec, params: Arrays, statistics: Arrays, images: Sequence[np.ndarray], main: str
) -> list[np.ndarray]:
    @jax.jit
    def forward(params: Arrays, statistics: Arrays, batch: jax.Array) -> jax.Array:
        outputs, _ = pure.apply(params, statistics, normalised(batch, spec.input), train=False)
        return named_outputs(outputs, main)[main]

    found: list[np.ndarray] = []
    size = min(BATCH, len(images))
    for start in range(0, len(images), size):
        part = list(images[start : start + size])
        # A last batch that is not full is filled up, so that nothing is compiled again.
        full = np.stack(part + [part[-1]] * (size - len(part)))
        found.extend(np.asarray(forward(params, statistics, jnp.asarray(full)))[: len(part)])
    return found


def opened(path: Path) -> tuple[RunFolder, Spec]:
    """A folder of a run or of imported weights, and its spec. Raises `SpecError`."""
    try:
        folder = open_run(path)
    except DataError as error:
        raise error.located(None) from None
    return folder, load(folder.path / SPEC)


def restored(folder: RunFolder, spec: Spec) -> Arrays:
    """Parameters and statistics by name: imported, or of the last checkpoint. Raises `SpecError`."""
    from archspec.weights.folder import WEIGHTS, read_folder

    graph = spec.graph()
    try:
        if (folder.path / WEIGHTS).is_file():
            return _complete(
                {name: jnp.asarray(value) for name, value in read_folder(folder.path).items()}, folder, spec
            )
        checkpoints = Checkpoints(folder.path)
        try:
            if checkpoints.latest is None or spec.train is None:
                raise DataError(
                    "E513", f"{folder.path} has no checkpoint yet", help=["`archspec train` goes on with it"]
                )
            frozen = frozen_at(spec.train, graph, checkpoints.latest)
            steps = make_steps(spec, 1, frozen=frozen)
            state = checkpoints.restore(steps.template)
            return {**state["params"], **state["statistics"]}
        finally:
            checkpoints.close()
    except DataError as error:
        raise error.located(None) from None


def _complete(arrays: Arrays, folder: RunFolder, spec: Spec) -> Arrays:
    wanted = {f"{node.path}.{weight.name}": weight.shape for node in spec.graph().nodes for weight in node.weights}
    if {name: value.shape for name, value in arrays.items()} != wanted:
        raise DataError("E513", f"the weights in {folder.path} are not those of its spec", help=["import them again"])
    return arrays


def _parted(arrays: Arrays, params: Arrays) -> tuple[Arrays, Arrays]:
    """Parameters, and the rest."""
    return (
        {name: arrays[name] for name in params},
        {name: value for name, value in arrays.items() if name not in params},
    )


def class_names_of(path: Path, classes: int) -> list[str]:
    """The names of a run's classes, numbers where it has none."""
    names = _class_names(RunFolder(path))
    return [*names, *map(str, range(len(names), classes))][:classes]


def _class_names(folder: RunFolder) -> list[str]:
    try:
        return list(json.loads((folder.path / RESULT).read_text("utf-8"))["classes"])
    except (OSError, ValueError, KeyError):
        return []
