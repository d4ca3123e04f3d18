"""Converts StableHLO to TFLite, in an environment of its own: `PYTHON worker.py FOLDER`.

This file is run by another Python, which has LiteRT's packages and NumPy, and neither archspec nor JAX. The folder has
`request.json` and arrays; what is made of them is written there too: `model.tflite`, with `int8` also `int8.tflite`,
what these gave for the samples, and `report.json`. What goes wrong ends it with a traceback.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SIGNATURE = "serving_default"


def converted(program: bytes, inputs: list[str], outputs: list[str]) -> bytes:
    """A TFLite file of a portable artifact of StableHLO."""
    from litert_converter import converter_api_ext
    from litert_converter.mlir import ir, passmanager
    from litert_converter.mlir.dialects import stablehlo

    context = ir.Context()
    converter_api_ext.prepare_mlir_context(context)
    with context:
        module = stablehlo.deserialize_portable_artifact(context, program)
        converter_api_ext.set_signature(module.operation, SIGNATURE, inputs, outputs)
        config = converter_api_ext.ConvertToTFLConfig()
        config.model_origin_framework = "JAX"
        converter_api_ext.run_convert_to_tfl_passes(module, passmanager.PassManager(), config)
        return bytes(converter_api_ext.export_flatbuffer_to_bytes(module.operation))


def quantised(model: bytes, samples: dict[str, np.ndarray]) -> bytes:
    """The model in int8, weights by channel and activations by the ranges that samples of (N, 1, …) have."""
    from litert_quantizer import quantizer, recipe

    made = quantizer.Quantizer(bytearray(model))
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    count = len(next(iter(samples.values())))
    fed = [{name: values[index] for name, values in samples.items()} for index in range(count)]
    ranges = made.calibrate({SIGNATURE: fed}, num_threads=2)
    return bytes(made.quantize(ranges, enable_progress_report=False).quantized_model)


def answers(model: bytes, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a model gives for samples of (N, 1, …), by its outputs' names, as float32."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=2)
    runner = interpreter.get_signature_runner()
    taken = {name: _to_integers(own) for name, own in runner.get_input_details().items()}
    given = {name: _from_integers(own) for name, own in runner.get_output_details().items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in given}
    for index in range(len(next(iter(samples.values())))):
        said = runner(**{name: taken[name](values[index]) for name, values in samples.items()})
        for name, value in said.items():
            found[name].append(given[name](value))
    return {name: np.stack(own) for name, own in found.items()}


def integers(model: bytes) -> dict[str, dict[str, Any]]:
    """The type, scale and zero of each input and output of a model, by name."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=model).get_signature_runner()
    found = {}
    for name, details in {**runner.get_input_details(), **runner.get_output_details()}.items():
        scale, zero = details["quantization"]
        found[name] = {"type": np.dtype(details["dtype"]).name, "scale": float(scale), "zero": int(zero)}
    return found


def _to_integers(details: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    scale, zero = details["quantization"]
    kind = details["dtype"]
    if not scale:
        return lambda values: values.astype(kind)
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    return lambda values: np.clip(np.round(values / scale) + zero, least, most).astype(kind)


def _from_integers(details: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    scale, zero = details["quantization"]
    if not scale:
        return lambda values: np.asarray(values, np.float32)
    return lambda values: (values.astype(np.float32) - zero) * scale


def operations(model: bytes) -> Iterator[tuple[str, bool]]:
    """The operations of a model in order, each with whether it gives floating-point numbers."""
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for graph in tree.subgraphs:
        for operator in graph.operators:
            code = tree.operatorCodes[operator.opcodeIndex]
            name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
            yield name, any(graph.tensors[index].type == schema.TensorType.FLOAT32 for index in operator.outputs)


def main(folder: Path) -> None:
    """Does what the folder's request says."""
    request = json.loads((folder / "request.json").read_text("utf-8"))

    def samples(name: str) -> dict[str, np.ndarray]:
        with np.load(folder / f"{name}.npz") as arrays:
            return {own: arrays[f"x{index}"] for index, own in enumerate(request["inputs"])}

    def keep(name: str, found: dict[str, np.ndarray]) -> None:
        arrays: dict[str, Any] = {f"y{index}": found[own] for index, own in enumerate(request["outputs"])}
        np.savez(folder / f"{name}.npz", **arrays)

    model = converted((folder / "program").read_bytes(), request["inputs"], request["outputs"])
    (folder / "model.tflite").write_bytes(model)
    keep("answers", answers(model, samples("probes")))
    report: dict[str, Any] = {
        "converter": version("litert-converter"),
        "operations": dict(Counter(name for name, _ in operations(model))),
    }
    if request["int8"]:
        small = quantised(model, samples("calibration"))
        (folder / "int8.tflite").write_bytes(small)
        keep("int8_answers", answers(small, samples("held_out")))
        listed = list(operations(small))
        report["operations"] = dict(Counter(name for name, _ in listed))
        report["in_float"] = dict(Counter(name for name, floating in listed if floating and name != "DEQUANTIZE"))
        report["values"] = integers(small)
        report["quantizer"] = version("litert-quantizer")
    (folder / "report.json").write_text(json.dumps(report), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
