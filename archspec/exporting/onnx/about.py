"""What a model says of itself: its maker, the opset, and what its inputs and outputs mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnx import GraphProto, ModelProto, helper

from archspec.exporting.subject import Subject
from archspec.spec.inputs import Input

LAYOUTS = {3: "NCHW", 2: "NCL", 1: "NF"}
"""Axes of images, signals and vectors, the batch's first."""
KINDS = {3: "image", 2: "signal", 1: "vector"}


def about(subject: Subject, opset: int, ir_version: int, *, with_preprocessing: bool) -> ModelProto:
    """The model, its graph being empty yet."""
    from archspec import __version__

    model: ModelProto = helper.make_model(
        GraphProto(),
        producer_name="archspec",
        producer_version=__version__,
        doc_string=subject.graph.title,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=ir_version,
    )
    props = {"archspec.version": __version__, "archspec.network": subject.graph.name}
    for name, input in subject.spec.inputs.items():
        props |= {f"{name}.{key}": json.dumps(value) for key, value in _of_input(subject, input).items()}
    props["preprocessing"] = json.dumps("in the graph" if with_preprocessing else "before the graph")
    if subject.classes:
        props["classes"] = json.dumps(list(subject.classes), ensure_ascii=False)
    helper.set_model_props(model, props)
    return model


def _of_input(subject: Subject, input: Input) -> dict[str, Any]:
    """What an input means: its axes, how numbers are scaled, how images are fitted."""
    axes = len(input.type.shape)
    found: dict[str, Any] = {"kind": KINDS[axes], "layout": LAYOUTS[axes]}
    sizes = ("height", "width", "channels", "length", "features")
    for key, value in input.model_dump(mode="json").items():
        if key == "mean_image" and value is not None:
            found[key] = Path(value).name  # the numbers are no metadata, and the path is of this machine
        elif key not in sizes and value is not None:
            found[key] = value
    if axes == 3 and input.type.channels == 3:
        found.setdefault("order", "rgb")
    if axes == 3 and subject.preparation.size is not None:
        found["prepared"] = subject.preparation.to_plain()
    return found
