"""The numbers of an explanation as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from archspec.explaining.explanation import Answered, Attribution, Explanation, Sample, Unit
    from archspec.figures.receptive_field import Seen


def numbers_of(made: Explanation) -> dict[str, Any]:
    """What an explanation says, without its arrays: of maps their bounds and where they are largest."""
    found: dict[str, Any] = {
        "network": made.name,
        "run": str(made.folder),
        "methods": list(made.methods),
        "samples": [_sample(made, sample) for sample in made.samples],
    }
    if made.filters is not None:
        found["filters"] = {"layer": made.filters.path, "shape": list(made.filters.kernels.shape)}
    if made.units:
        found["units"] = [_unit(unit) for unit in made.units]
    if made.fields:
        found["effective_fields"] = {
            path: {
                "position": list(own.position),
                "theoretical": _seen(own.theoretical),
                "outside": own.outside,
                "pixels_above_4.55_percent": own.pixels,
            }
            for path, own in made.fields.items()
        }
    found["notes"] = list(made.notes)
    return found


def _sample(made: Explanation, sample: Sample) -> dict[str, Any]:
    own = sample.explained
    found: dict[str, Any] = {
        "sample": sample.name,
        "fitted": sample.fitted,
        "answers": {answer.output: _answer(answer) for answer in sample.answers},
        "explained": {
            "output": own.output,
            "number": own.number,
            "name": own.name,
            "what": own.what,
            "why": own.why,
            "score": own.score,
        },
    }
    if sample.attributions:
        found["attributions"] = {method: _attribution(item, made.input) for method, item in sample.attributions.items()}
    if sample.cam is not None:
        found["gradcam"] = {
            "layer": sample.cam.path,
            "strongest_channel": sample.cam.strongest,
            **_bounds(sample.cam.map),
        }
    if sample.activations:
        found["activations"] = {
            path: {"shape": list(array.shape), **_bounds(array)} for path, array in sample.activations.items()
        }
    for method, attack in sample.attacks.items():
        found[method] = {
            "epsilon": attack.epsilon,
            "steps": attack.steps,
            "rate": attack.rate,
            "before": _answer(attack.before),
            "after": _answer(attack.after),
        }
    return found


def _answer(answer: Answered) -> list[dict[str, Any]] | dict[str, Any]:
    if not answer.rated and answer.value is not None:
        return {"shape": list(answer.value.shape), **_bounds(answer.value)}
    word = {"mask": "share", "numbers": "value"}.get(answer.kind, "probability" if answer.likely else "score")
    return [{"name": name, word: number} for name, number in answer.rated]


def _attribution(item: Attribution, input: str) -> dict[str, Any]:
    return {"how": item.said, **_bounds(item.map(input)), **item.numbers}


def _unit(unit: Unit) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": unit.name, "why": unit.why, "at": list(unit.at)}
    if unit.seen is not None:
        found["sees"] = _seen(unit.seen)
    if unit.patches:
        found["looked_at"] = {"samples": unit.looked, "part": unit.part}
        found["patches"] = [
            {"sample": item.sample, "name": item.name, "value": item.value, "position": list(item.position)}
            for item in unit.patches
        ]
    if unit.visualised is not None:
        own = unit.visualised
        found["visualisation"] = {"before": own.before, "after": own.after, "how": own.said}
    return found


def _seen(seen: Seen) -> dict[str, Any]:
    return {"first": list(seen.first), "end": list(seen.end), "exact": seen.exact}


def _bounds(array: np.ndarray) -> dict[str, Any]:
    place = np.unravel_index(int(np.argmax(array)), array.shape)
    return {"least": float(array.min()), "largest": float(array.max()), "largest_at": [int(at) for at in place]}
