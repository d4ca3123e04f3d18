"""TFLite: a network traced by JAX, converted by LiteRT's own converter without TensorFlow, in float32 or int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np

from archspec.diagnostics import DataError, count, listed
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.exporting.tflite.calibration import SAMPLES, SEED, Drawn, drawn
from archspec.exporting.tflite.converter import Converted, convert, python_of
from archspec.exporting.tflite.rewriting import rewritten
from archspec.exporting.traced import check_size, function_of, outputs_by_name, said_of_inputs, types_of
from archspec.figures.units import mebibytes
from archspec.graph import Node
from archspec.writing import write as write_file

PROBES = 2
"""Random samples by which each file is held to the network before it is written."""

CLOSE = 1e-4
"""How far from the network's the file's answers may be, of their largest number: float32's rounding, added up."""

FAR = 0.05
"""The share of numbers that may be further where maxima are put back: rounding moves some to another pixel, which all
that see the one or the other tell."""


def supports(node: Node) -> str | None:
    """Every kind: a layer is what tracing it gives."""
    return None


def write(
    subject: Subject,
    file: Path,
    *,
    int8: bool = False,
    calibration: int | None = None,
    litert: Path | None = None,
    with_preprocessing: bool = False,
) -> Written:
    """Writes the file. It was run by LiteRT's interpreter, and computes what the network does.

    `litert` is the Python that has the converter. With `int8` weights and activations are integers, whose ranges come
    from so many samples for `calibration` of the run's data.

    Raises `DataError`: E551 for weights that are too large, E555 without the converter, E556 where it fails or what it
    made computes something else, E557 without data to calibrate with.
    """
    check_size(subject, "a TFLite file")
    if calibration is not None and not int8:
        raise DataError("E113", "samples to calibrate with go with int8", help=["add --int8"])
    python = python_of(litert, int8=int8)
    samples = drawn(subject, calibration or SAMPLES, raw=with_preprocessing) if int8 else None
    function = jax.jit(rewritten(function_of(subject, with_preprocessing=with_preprocessing)))
    program = jax.export.export(function, platforms=("cpu",))(types_of(subject, 1)).mlir_module_serialized
    probes = _probes(subject, with_preprocessing=with_preprocessing)
    converted = convert(
        python,
        program,
        [item.name for item in subject.graph.inputs],
        [output.name for output in subject.graph.outputs],
        probes,
        None if samples is None else samples.calibration,
        None if samples is None else samples.held_out,
    )
    exact = function_of(subject, with_preprocessing=with_preprocessing)
    worst, far = _held(subject, converted.answers, _answers(subject, exact, probes))
    whole = {name: own["type"] for name, own in converted.report["values"].items() if own["scale"]} if samples else {}
    notes = [
        f"{mebibytes(len(converted.model))}; one sample at a time; {_operations(converted.report)}",
        *said_of_inputs(subject, with_preprocessing=with_preprocessing, batch=1, types=whole),
        f"LiteRT's interpreter gives what the network gives, within {worst:.0e} of the largest number, for "
        f"{count(PROBES, 'random sample')}"
        + (f", but for {100 * far:.1f} % of the numbers, which see a maximum that rounding moved" if far else "")
        + (", before numbers became int8" if int8 else ""),
    ]
    about: dict[str, Any] = {"bytes": len(converted.model), "relative_difference": worst, **converted.report}
    if samples is not None:
        notes += _of_int8(samples, converted, _answers(subject, exact, samples.held_out), about)
    write_file(file, converted.model)
    return Written((file,), tuple(notes), about)


def _probes(subject: Subject, *, with_preprocessing: bool) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(SEED)
    made = {}
    for item in subject.graph.inputs:
        shape = (PROBES, 1, *item.type.shape)
        values = generator.uniform(0, 255, shape) if with_preprocessing else generator.standard_normal(shape)
        made[item.name] = values.astype(np.float32)
    return made


def _answers(subject: Subject, function: Any, samples: Any) -> dict[str, np.ndarray]:
    """What the network gives for samples (N, 1, …), in the same shape, by its outputs' names."""
    compiled = jax.jit(function)
    found: list[dict[str, np.ndarray]] = []
    for index in range(len(next(iter(samples.values())))):
        x = {name: values[index] for name, values in samples.items()}
        y = compiled(x if len(x) > 1 else next(iter(x.values())))
        found.append({name: np.asarray(own) for name, own in outputs_by_name(subject, y).items()})
    return {name: np.stack([own[name] for own in found]) for name in found[0]}


def _held(subject: Subject, answers: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> tuple[float, float]:
    """How far answers are from those wanted, of the largest of these, and the share that is further than `CLOSE`.

    Raises `DataError` (E556) where they are others.
    """
    worst, most = 0.0, 0.0
    puts_back = any("indices" in node.ports for node in subject.graph.nodes)
    for name, own in wanted.items():
        found = answers[name]
        if found.shape != own.shape:
            raise _other(f"`{name}` has the shape {found.shape[1:]} in place of {own.shape[1:]}")
        apart = np.abs(found - own) / max(float(np.abs(own).max()), 1e-30)
        far = float((~(apart <= CLOSE)).mean())
        if far > (FAR if puts_back else 0):
            raise _other(f"{100 * far:.2f} % of the numbers of `{name}` are further than {CLOSE:g} from the network's")
        worst, most = max(worst, float(apart[apart <= CLOSE].max(initial=0))), max(most, far)
    return worst, most


def _other(what: str) -> DataError:
    return DataError(
        "E556",
        f"what LiteRT's converter made computes something else than the network: {what}",
        help=["nothing was written; another version of the converter may do better"],
    )


def _operations(report: dict[str, Any]) -> str:
    """How many operations there are, and which an interpreter needs StableHLO's own kernels for."""
    kinds: dict[str, int] = report["operations"]
    said = count(sum(kinds.values()), "operation")
    own = {name: number for name, number in kinds.items() if name.startswith("STABLEHLO_")}
    if own:
        said += f", of which {sum(own.values())} ({listed(own)}) need LiteRT's interpreter and no delegate has them"
    return said


def _of_int8(samples: Drawn, converted: Converted, wanted: dict[str, np.ndarray], about: dict[str, Any]) -> list[str]:
    """What int8 changed, in sentences, and as figures."""
    kinds = [
        f"`{name}` in {own['type']}, of which q stands for {own['scale']:.6g}·(q − {own['zero']})"
        for name, own in converted.report["values"].items()
        if own["scale"]
    ]
    notes = [
        *samples.notes,
        f"the file takes and gives whole numbers: {'; '.join(kinds)}",
        f"ranges are those of {count(samples.calibrating, 'training sample')} of {samples.data}, from seed {SEED}",
    ]
    about["calibration"] = {"samples": samples.calibrating, "seed": SEED, "data": samples.data}
    about["int8"] = {}
    where = f"{count(samples.judged, 'sample')} of {samples.data}, {samples.part}"
    for name, own in wanted.items():
        found = converted.int8_answers[name]
        if own.shape[-1] > 1:
            same = float((found.argmax(-1) == own.argmax(-1)).mean())
            notes.append(f"int8 chooses the same channel of `{name}` as float32 for {100 * same:.1f} % of {where}")
            about["int8"][name] = {"same_choice": same, "samples": samples.judged}
        else:
            apart = float(np.abs(found - own).mean() / max(float(np.ptp(own)), 1e-30))
            notes.append(f"int8 differs in `{name}` by {100 * apart:.2f} % of its range, on average over {where}")
            about["int8"][name] = {"mean_difference": apart, "samples": samples.judged}
    kept = converted.report.get("in_float", {})
    if kept:
        notes.append(f"{count(sum(kept.values()), 'operation')} stayed in float32: {listed(kept)}")
    return notes
