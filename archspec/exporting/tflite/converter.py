"""LiteRT's converter, run by the Python that has it: its packages and this one's need not fit together."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import DataError, listed

VARIABLE = "ARCHSPEC_LITERT"
"""The environment variable that names the Python of the converter's environment."""

PACKAGES = {"litert_converter": "litert-converter", "ai_edge_litert": "ai-edge-litert"}
"""What converting needs, by the modules' names."""
OF_INT8 = {"litert_quantizer": "litert-quantizer"}
"""What int8 needs beside."""

WORKER = Path(__file__).with_name("worker.py")

Samples = Mapping[str, np.ndarray]
"""Samples by the inputs' names, (N, 1, …)."""


class Converted(NamedTuple):
    """What came of a conversion."""

    model: bytes
    answers: dict[str, np.ndarray]
    """What the model in float32 gave for the probes."""
    report: dict[str, Any]
    int8_answers: dict[str, np.ndarray] = {}
    """What the model in int8 gave for the samples held out."""


def python_of(given: Path | None, *, int8: bool) -> Path:
    """The Python whose environment has the converter: the one that is given, or named by the environment, or this one.

    Raises `DataError` (E555) where it lacks a package, with the commands that make such an environment.
    """
    packages = {**PACKAGES, **(OF_INT8 if int8 else {})}
    named = os.environ.get(VARIABLE)
    if given is None and not named:
        lacking = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
        if lacking:
            raise _lacking(f"this Python has no {listed(lacking)}")
        return Path(sys.executable)
    python = Path(given if given is not None else named or "")
    asked = f"import importlib.util as u; print([m for m in {list(packages)!r} if u.find_spec(m) is None])"
    try:
        done = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise _lacking(f"{python} cannot be run: {why}") from None
    missing = [package for module, package in packages.items() if repr(module) in done.stdout]
    if done.returncode or missing:
        raise _lacking(f"{python} has no {listed(missing)}" if missing else f"{python} is no Python that works")
    return python


def _lacking(why: str) -> DataError:
    every = " ".join([*PACKAGES.values(), *OF_INT8.values()])
    return DataError(
        "E555",
        f"TFLite is written by LiteRT's converter, and {why}",
        help=[
            f"python3 -m venv litert && litert/bin/pip install {every}",
            f"then --litert litert/bin/python, or {VARIABLE}=litert/bin/python in the environment; its packages take "
            "600 MB and may be of another Python (3.10 or later) than archspec's",
        ],
    )


def convert(
    python: Path,
    program: bytes,
    inputs: Sequence[str],
    outputs: Sequence[str],
    probes: Samples,
    calibration: Samples | None = None,
    held_out: Samples | None = None,
) -> Converted:
    """A program of StableHLO as TFLite, in int8 where samples to calibrate with are given.

    Raises `DataError` (E556) where the converter fails.
    """
    with TemporaryDirectory(prefix="archspec-tflite-") as name:
        folder = Path(name)
        (folder / "program").write_bytes(program)
        request = {"inputs": list(inputs), "outputs": list(outputs), "int8": calibration is not None}
        (folder / "request.json").write_text(json.dumps(request), "utf-8")
        for what, samples in (("probes", probes), ("calibration", calibration), ("held_out", held_out)):
            if samples is not None:
                arrays: dict[str, Any] = {f"x{index}": samples[own] for index, own in enumerate(inputs)}
                np.savez(folder / f"{what}.npz", **arrays)
        # Isolated: neither this environment's paths nor the folder of the script are searched for modules.
        done = subprocess.run(
            [python, "-I", WORKER, folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
            check=False,
        )
        if done.returncode:
            raise DataError("E556", f"LiteRT's converter fails: {_why(done.returncode, done.stderr)}")

        def found(name: str) -> dict[str, np.ndarray]:
            with np.load(folder / f"{name}.npz") as arrays:
                return {own: arrays[f"y{index}"] for index, own in enumerate(outputs)}

        report = json.loads((folder / "report.json").read_text("utf-8"))
        if calibration is None:
            return Converted((folder / "model.tflite").read_bytes(), found("answers"), report)
        small = (folder / "int8.tflite").read_bytes()
        return Converted(small, found("answers"), report, found("int8_answers"))


def _why(status: int, errors: bytes) -> str:
    """What it said last before it ended, without the path that leads to it; or the signal that ended it."""
    if status < 0:
        with suppress(ValueError):
            return f"it was ended by {signal.Signals(-status).name}"
        return f"it was ended by signal {-status}"
    lines = errors.decode("utf-8", "replace").splitlines()
    for line in lines:
        if "error: " in line:
            return line.partition("error: ")[2].strip()[:300]
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), f"it ended with {status}")
