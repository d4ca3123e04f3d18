"""Prediction for files, from the folder of a run or of imported weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, Findings, count
from archspec.images.files import MODES, USUAL, Images, find_images
from archspec.images.fitting import Plan, read_image, unfitted_labels
from archspec.images.masks import write_mask
from archspec.images.numbers import normalised
from archspec.images.preparation import Preparation
from archspec.inference.answers import Answer, best
from archspec.inference.masks import mask_files
from archspec.inference.memory import less
from archspec.loading import Spec
from archspec.lower import Arrays, Pure, outline
from archspec.runs.folder import RESULT
from archspec.runs.owner import owned
from archspec.runs.reading import opened, parted, preparation_of, restored
from archspec.spec.training import gives_shares
from archspec.training.boundary import in_words
from archspec.training.checks import check_outputs
from archspec.training.steps import named_outputs

BATCH = 16
"""Images that are predicted at once."""


def predict(
    path: Path,
    images: Sequence[Path],
    *,
    top: int = 3,
    invert: bool = False,
    output: Path | None = None,
    findings: Findings | None = None,
    notes: list[str] | None = None,
) -> list[Answer]:
    """What the network of a run or an import says of image files, and of those in folders.

    For classification the `top` most probable classes; for segmentation the classes by their shares of the pixels,
    and a coloured mask of each image in `output`. `invert` turns dark ink on light paper into light on dark, as MNIST
    has it.
    Raises `SpecError` for a folder without weights, and for all files that are no images, once the others are done;
    with `findings`, such files are added there instead. What was passed over, and images that `input.fit` has no answer
    for, are said in `notes`.
    """
    collected = Findings() if findings is None else findings
    with in_words(less(path)):
        answers = _answers(path, images, top, invert, output, collected, [] if notes is None else notes)
    if findings is None:
        collected.raise_if_failed()
    return answers


def _answers(
    path: Path,
    given: Sequence[Path],
    top: int,
    invert: bool,
    output: Path | None,
    findings: Findings,
    notes: list[str],
) -> list[Answer]:
    folder, spec = opened(path)
    graph = spec.graph()
    try:
        check_outputs(spec, graph)
        if spec.input.channels not in MODES:
            raise DataError("E521", f"the input has {spec.input.channels} channels; image files have 1, 3 or 4")
        images = _image_files(given, findings, notes)
        if spec.header.task == "segmentation":
            masks = mask_files(images, output or Path("masks"), graph)
        elif output is not None:
            raise DataError("E504", f"{graph.name} classifies whole images: there are no masks to write to {output}")
        else:
            masks = []
        pure, *shapes = outline(graph.pruned("eval"))
        params, statistics = parted(restored(folder, spec, notes), shapes)
        preparation = preparation_of(folder, spec)
        names = folder.classes
        if folder.finished and not names:
            notes.append(f"{folder.path / RESULT} is damaged, so classes have numbers for names")
        answers = []
        guessed = 0
        # Two at once would write over each other's masks.
        with owned(masks[0].parent, "masks") if masks else nullcontext():
            for place, answer in _found(pure, spec, preparation, params, statistics, images, invert, findings, notes):
                guessed += answer.plan.guessed
                if not masks:
                    answers.append(Answer(images[place], best(answer.numbers, names, top)))
                    continue
                mask = unfitted_labels(answer.numbers, answer.plan)
                classes = graph.output_type(graph.main_output).channels
                write_mask(masks[place], mask, classes)
                shares = np.bincount(mask.reshape(-1), minlength=classes) / mask.size
                present = [item for item in best(shares, names, top) if item[1]]
                answers.append(Answer(images[place], present, masks[place]))
        if guessed:
            notes.append(
                f"{count(guessed, 'image')} of another size {'was' if guessed == 1 else 'were'} scaled to "
                f"{spec.input.height}×{spec.input.width}, which `fit: {spec.input.fit}` does not do in training"
            )
    except DataError as error:
        raise error.located(None) from None
    return answers


def _image_files(given: Sequence[Path], findings: Findings, notes: list[str]) -> list[Path]:
    """The files among those given, and the images in the folders among them; what is passed over there is noted."""
    files: list[Path] = []
    for path in given:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            own, deep = find_images(path, deep=False), find_images(path)
        except DataError as error:
            findings.error("E521", error.message)
            continue
        deeper = len(deep.paths) - len(own.paths)
        if not own.paths:
            more = [f"the folders in it have {count(deeper, 'image')}"] if deeper else []
            findings.error("E521", f"{path} has no images", notes=more, help=[f"files end in {USUAL}"])
        elif deeper:
            own.passed["image|in the folders within it"] += deeper
        notes.extend(own.notes(path))
        files.extend(own.paths)
    return files


class _Predicted(NamedTuple):
    """Of an image: probabilities of classes, or the class of each pixel; and how it came to the input's size."""

    numbers: np.ndarray
    plan: Plan


def _found(
    pure: Pure,
    spec: Spec,
    preparation: Preparation,
    params: Arrays,
    statistics: Arrays,
    images: Sequence[Path],
    invert: bool,
    findings: Findings,
    notes: list[str],
) -> Iterator[tuple[int, _Predicted]]:
    """By the places of the images that can be read, batch by batch, so that no more than a batch is held."""
    graph = spec.graph()
    main = graph.main_output.name
    # A network that ends in softmax or sigmoid gives its probabilities itself.
    shares = gives_shares(graph, graph.main_output)

    @jax.jit
    def forward(params: Arrays, statistics: Arrays, batch: jax.Array) -> jax.Array:
        outputs, _ = pure.apply(params, statistics, normalised(batch, spec.input), train=False)
        logits = named_outputs(outputs, main)[main]
        if spec.header.task == "segmentation":
            return logits.argmax(-1)
        return logits if shares else jax.nn.softmax(logits)

    seen: Counter[str] = Counter()

    def read() -> Iterator[tuple[int, np.ndarray, Plan]]:
        for place, image in enumerate(images):
            try:
                yield place, *read_image(image, spec.input, preparation, invert=invert, seen=seen)
            except DataError as error:
                findings.error(error.code, error.message, notes=error.notes, help=error.help)

    readable = read()
    size = min(BATCH, len(images))
    while batch := list(islice(readable, size)):
        # A last batch that is not full is filled up, so that nothing is compiled again.
        full = [pixels for _, pixels, _ in batch] + [batch[-1][1]] * (size - len(batch))
        numbers = np.asarray(forward(params, statistics, jnp.asarray(np.stack(full))))
        for own, (place, _, way) in zip(numbers, batch, strict=False):
            yield place, _Predicted(own, way)
    notes.extend(Images([], seen).reasons())
