"""Modules of PyTorch that a program has at hand: traced by `torch.export`, and read as its files are."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from archspec.diagnostics import DataError
from archspec.importing.writing import Imported, import_model


def import_torch(
    model: Any,
    example: Any = None,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    keep_softmax: bool = False,
    flat: bool = False,
) -> Imported:
    """Makes a spec of a module, or of an `ExportedProgram`.

    A module is traced by PyTorch itself with `example`, a tensor or a sequence of them, a batch of samples; it is run,
    in evaluation, as PyTorch runs it. The rest is as `import_model` has it. Raises `SpecError`, where PyTorch is not
    installed too, and where it cannot trace the module.
    """
    try:
        torch = import_module("torch")
        export = import_module("torch.export")
    except ImportError:
        error = DataError("E569", "PyTorch is not installed", help=["pip install torch"])
        raise error.located(None) from None
    with TemporaryDirectory() as folder:
        name = re.sub(r"[^A-Za-z0-9_-]", "", type(model).__name__).lower() or "network"
        path = Path(folder) / f"{name}.pt2"
        try:
            program = model
            if not isinstance(model, export.ExportedProgram):
                training = bool(model.training)
                model.eval()
                try:
                    given = (example,) if isinstance(example, torch.Tensor) else tuple(example or ())
                    program = export.export(model, given)
                finally:
                    model.train(training)
            export.save(program, path)
        except Exception as error:  # whatever a module's own code raises while it is traced
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise DataError("E563", f"torch.export cannot trace {type(model).__name__}: {reason}").located(
                None
            ) from None
        return import_model(path, output, overwrite=overwrite, keep_softmax=keep_softmax, flat=flat)
