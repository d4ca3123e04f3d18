"""Prediction for files, from the folder of a run or of imported weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError, Findings, count, did_you_mean, listed
from archspec.graph import Graph
from archspec.images.files import Images
from archspec.images.masks import write_mask
from archspec.inference.answers import Answer
from archspec.inference.archives import named_arrays
from archspec.inference.forward import BATCH, Computed, computed
from archspec.inference.given import Reading, Samples, told
from archspec.inference.memory import less
from archspec.inference.predictions import best, highest, runs_of, shares_of
from archspec.inference.presenting import as_images, placed_mask, whole_size
from archspec.inference.run import Run, scaled
from archspec.inference.samples import check_counts, samples_of
from archspec.inference.shown import Shown
from archspec.inference.table_samples import is_table, usable_rows
from archspec.inference.written import VOID, Kind, output_files, write_image, write_numbers
from archspec.lowerings.choosing import Mode
from archspec.passes import said as what_passes_do
from archspec.runs.folder import RESULT
from archspec.runs.owner import owned
from archspec.spec.inputs import Input
from archspec.spec.network import ImageInput
from archspec.spec.train import Precision
from archspec.training.boundary import in_words
from archspec.training.checks import check_outputs
from archspec.training.notes import of_precision

FOLDERS: dict[str, str] = {
    "mask": "masks",
    "image": "reconstructions",
    "numbers": "predictions",
    "positions": "predictions",
}
"""Where files are written unless another folder is given, by what is written of an answer."""


def predict(
    path: Path,
    images: Sequence[Path],
    *,
    top: int = 3,
    threshold: float | None = None,
    invert: bool = False,
    output: Path | None = None,
    findings: Findings | None = None,
    notes: list[str] | None = None,
    lowerings: Mode | None = None,
    passes: Sequence[str] | None = None,
    precision: Precision = "float32",
) -> list[Answer]:
    """What the network of a run or an import says of files, and of the images in folders.

    For classification the `top` most probable classes; for several labels those with a probability above `threshold`;
    for segmentation the classes by their shares of the pixels, and a coloured mask of each image in `output`, where
    reconstruction, maps of numbers and the classes along a signal go too. Files of a network with several inputs are
    given as `NAME=FILE`, those of each input in the same order, or as .npz archives with an array for each input.
    `invert` turns dark ink on light paper into light on dark, as MNIST has it. `passes` are used in place of the
    recipe's, and what they do is said in `notes`.

    Raises `SpecError` for a folder without weights, and for all files that cannot be used, once the others are done;
    with `findings`, such files are added there instead. What was passed over, and images that `input.fit` has no answer
    for, are said in `notes`. `lowerings` says otherwise than the recipe how operations are computed. What one batch
    takes, 16 samples, is computed without oneDNN in float32, so that the program is kept from one call to the next.
    The network computes in `precision`, float32 whatever the recipe's; 16 bits are said in `notes`, with how many
    answers are no numbers for it.
    """
    collected = Findings() if findings is None else findings
    said: list[str] = []
    try:
        with told(), in_words(less(path)):
            answers = _answers(
                path, images, top, threshold, invert, output, collected, said, lowerings, passes, precision
            )
    finally:
        if notes is not None:
            notes.extend(dict.fromkeys(said))
    if findings is None:
        collected.raise_if_failed()
    return answers


def _answers(
    path: Path,
    given: Sequence[Path],
    top: int,
    threshold: float | None,
    invert: bool,
    output: Path | None,
    findings: Findings,
    notes: list[str],
    lowerings: Mode | None,
    passes: Sequence[str] | None,
    precision: Precision,
) -> list[Answer]:
    run = Run(path, lowerings, passes, precision)
    graph, shown = run.graph, run._shown
    check_outputs(run.spec, graph)
    kind = graph.output_type(graph.main_output)
    writes = shown.answer in ("mask", "image") or (shown.answer in ("numbers", "labels") and len(kind.shape) > 1)
    if output is not None and not writes:
        what = "classifies whole samples" if shown.answer == "classes" else "gives numbers, not images"
        raise DataError("E504", f"{graph.name} {what}: there is nothing to write to {output}")
    if threshold is not None and "labels" not in [own.answer for own in (shown, *run._others.values())]:
        raise DataError("E504", f"{graph.name} gives no several labels at once, so it has no use for a threshold")
    reading = run._reading(invert)
    samples = samples_of_files(given, run.spec.inputs, reading, findings)
    if samples is None:
        notes.extend(reading.notes)
        return []
    sources = _sources(samples)
    run._once = len(sources) <= BATCH
    files: list[Path] = []
    if writes:
        written = _written_as(run)
        usual = FOLDERS["image" if shown.answer == "image" else written]
        files = output_files(sources, output or Path(usual), written, graph)
    weights = run._weights
    notes.extend([*weights.notes, *reading.notes])
    if passes is not None:
        notes.append(f"passes: {what_passes_do(graph.pruned('eval'), run.passes)}")
    notes.extend(of_precision(precision, run._lowerings, evaluation=True))
    if run._run.finished and not run._run.classes and run.classes:
        notes.append(f"{run.folder / RESULT} is damaged, so classes have numbers for names")
    answers: list[Answer] = []
    rows: list[Computed] = []
    broken = 0
    # Two at once would write over each other's files.
    with owned(files[0].parent, "masks") if files else nullcontext():
        for row in computed(run._forward.answer, weights.params, weights.statistics, samples, findings):
            file = files[row.place] if files else None
            own = {name: held.names[row.place] for name, held in samples.items()} if len(samples) > 1 else None
            values, rest, fine = row.values
            broken += not fine
            answer = _answer(run, row._replace(values=values), sources[row.place], own, file, top, threshold)
            if rest:
                others = [
                    _other(name, shown, rest[name], answer.image, top, threshold) for name, shown in run._others.items()
                ]
                answer = replace(answer, output=graph.main_output.name, others=others)
            answers.append(answer)
            rows.append(row._replace(values=None))
    if broken:
        why = ", in float16, where nothing is above 65,504" if precision == "float16" else ""
        notes.append(f"what the network gives for {broken} of {count(len(rows), 'sample')} is not finite{why}")
    unwritten = [name for name, own in run._others.items() if _is_large(own, graph, name)]
    if unwritten and answers:
        notes.append(
            f"{listed(unwritten)} {'has' if len(unwritten) == 1 else 'have'} no files here: "
            f"`archspec.open(…).predict(…).outputs` has {'its' if len(unwritten) == 1 else 'their'} numbers"
        )
    notes.extend([*Images([], reading.seen).reasons(), *scaled(rows, run.spec)])
    return answers


def _answer(
    run: Run,
    row: Computed,
    source: Path,
    sources: dict[str, str] | None,
    file: Path | None,
    top: int,
    threshold: float | None,
) -> Answer:
    shown, inputs = run._shown, run.spec.inputs
    pictured = isinstance(next(iter(inputs.values())), ImageInput)
    values: np.ndarray = row.values
    if shown.answer == "mask":
        assert file is not None
        mask = placed_mask(values, row.plan, whole_size(inputs, values.ndim))
        classes = len(run.classes)
        present = [item for item in best(shares_of(mask, classes), run.classes, top) if item[1]]
        if mask.ndim > 1:
            write_mask(file, np.where(mask < 0, VOID, mask), classes)
            return Answer(source, present, file, "mask", sources=sources)
        write_numbers(file, mask.astype(np.int16))
        runs = runs_of(mask, run.classes)
        return Answer(source, present, kind="mask", file=file, sources=sources, pictured=pictured, runs=runs)
    if shown.answer == "image":
        assert file is not None
        image = as_images(values[None], inputs[shown.made_again or next(iter(inputs))])
        if image is not None and file.suffix == ".png":
            write_image(file, image[0])
        else:
            write_numbers(file, values)
        return Answer(source, kind="image", file=file, sources=sources, pictured=pictured)
    if shown.answer == "numbers":
        if file is not None:
            write_numbers(file, values)
            return Answer(source, kind="numbers", file=file, sources=sources, pictured=pictured)
        numbers = [float(number) for number in values]
        names = shown.value_names
        named = dict(zip(names, numbers, strict=True)) if len(names) == len(numbers) else numbers
        return Answer(source, kind="numbers", values=named, sources=sources, pictured=pictured)
    if shown.answer == "labels":
        least = shown.threshold if threshold is None else threshold
        most = highest(values[None])[0]
        there = [item for item in best(most, run.classes, len(most)) if item[1] > least]
        if file is not None:
            write_numbers(file, values)
        return Answer(source, there, kind="labels", file=file, sources=sources, pictured=pictured, likely=shown.likely)
    return Answer(source, best(values, run.classes, top), sources=sources, pictured=pictured, likely=shown.likely)


def _is_large(shown: Shown, graph: Graph, name: str) -> bool:
    """Whether more is to be said of an output than goes into a line."""
    output = next(output for output in graph.outputs if output.name == name)
    return shown.answer == "image" or not graph.output_type(output).is_vector


def _other(name: str, shown: Shown, values: np.ndarray, source: Path, top: int, threshold: float | None) -> Answer:
    """What an output beside the main one says of a sample, in words: what is too much for these is in no file."""
    names = shown.class_names
    if shown.answer == "classes":
        return Answer(source, best(values, names, top), output=name, likely=shown.likely)
    if shown.answer == "mask":
        shares = shares_of(values, int(values.max()) + 1)
        return Answer(source, [item for item in best(shares, names, top) if item[1]], kind="mask", output=name)
    if shown.answer == "labels":
        most, least = highest(values[None])[0], shown.threshold if threshold is None else threshold
        there = [item for item in best(most, names, len(most)) if item[1] > least]
        return Answer(source, there, kind="labels", output=name, likely=shown.likely)
    if values.ndim > 1 or shown.answer == "image":
        said = f"{'×'.join(map(str, values.shape))} numbers from {values.min():.4g} to {values.max():.4g}"
        return Answer(source, kind="numbers", size=said, output=name)
    numbers = [float(number) for number in values]
    named = shown.value_names
    told = dict(zip(named, numbers, strict=True)) if len(named) == len(numbers) else numbers
    return Answer(source, kind="numbers", values=told, output=name)


def _written_as(run: Run) -> Kind:
    """What files are written of a network's answers."""
    if run._shown.answer == "mask":
        return "positions" if run.graph.output_type(run.graph.main_output).is_signal else "mask"
    source = run.spec.inputs.get(run._shown.made_again or "")
    return "image" if isinstance(source, ImageInput) and source.channels in (1, 3, 4) else "numbers"


def _sources(samples: Mapping[str, Samples]) -> list[Path]:
    """Where each sample came from: the file of its first input."""
    return [Path(name) for name in next(iter(samples.values())).names]


def samples_of_files(
    given: Sequence[Path], inputs: Mapping[str, Input], reading: Reading, findings: Findings
) -> dict[str, Samples] | None:
    """The samples of all files; None where there is none to be used. What is wrong with a folder is a finding."""
    by_input: dict[str, list[Path]] = {name: [] for name in inputs}
    parts: list[dict[str, Samples]] = []
    for path in given:
        name, file = split_name(path, inputs)
        if name is not None:
            by_input[name].append(file)
        elif reading.layout is not None and is_table(path):
            rows, unusable = usable_rows(path, inputs, reading)
            if unusable is not None:
                findings.error(unusable.code, unusable.message, notes=unusable.notes, help=unusable.help)
            parts.extend([rows] if len(next(iter(rows.values()))) else [])
        elif len(inputs) == 1:
            by_input[next(iter(inputs))].append(path)
        elif path.suffix.lower() == ".npz":
            part = samples_of(named_arrays(path, inputs, reading), inputs, reading)
            for held in part.values():
                held.names = [f"{path}[{number}]" for number in range(len(held))]
            parts.append(part)
        else:
            wrong, equals, _ = str(path).partition("=")
            hint = did_you_mean(wrong, inputs) if equals else None
            raise DataError(
                "E521",
                f"of which input is {path}? The network takes {listed(inputs)}",
                help=[
                    *([hint] if hint else []),
                    " ".join(f"{name}=FILE" for name in inputs),
                    "or an .npz archive with an array for each input, by its name",
                ],
            )
    if any(by_input.values()):
        made = _of_files(by_input, inputs, reading, findings)
        parts.extend([made] if made is not None else [])
    whole = {name: Samples([], []) for name in inputs}
    for part in parts:
        for name, held in part.items():
            whole[name].add(held)
    return whole if parts else None


def _of_files(
    files: Mapping[str, list[Path]], inputs: Mapping[str, Input], reading: Reading, findings: Findings
) -> dict[str, Samples] | None:
    """The samples of the files of each input, with those that cannot be used left out; None where none is left."""
    missing = [name for name, own in files.items() if not own]
    if missing:
        raise DataError(
            "E521",
            f"nothing is given for input {listed(f'`{name}`' for name in missing)}",
            help=[" ".join(f"{name}=FILE" for name in missing) + ", beside what is given"],
        )
    made: dict[str, Samples] = {}
    lost = False
    for name, own in files.items():
        held = made[name] = Samples([], [])
        for path in own:
            try:
                held.add(samples_of({name: path}, {name: inputs[name]}, reading)[name])
            except DataError as error:
                findings.error(error.code, error.message, notes=error.notes, help=error.help)
                lost = True
            except (TypeError, ValueError) as error:
                findings.error("E521", f"{path}: {error}")
                lost = True
    if not any(len(held) for held in made.values()):
        return None
    try:
        check_counts(made)
    except ValueError:
        if lost:  # which of the others belong together is not known, and what is wrong is told
            return None
        raise
    return made


def split_name(path: Path, inputs: Mapping[str, Any]) -> tuple[str | None, Path]:
    """An input's name and a file, of `NAME=FILE`; None where no input is named, as in a file of such a name."""
    name, equals, file = str(path).partition("=")
    if equals and file and name in inputs and not (len(inputs) == 1 and path.exists()):
        return name, Path(file)
    return None, path
