"""StableHLO by `jax.export`: one file with the weights inside, which JAX alone reads and runs.

from pathlib import Path
from jax import export
network = export.deserialize(bytearray(Path("lenet5.stablehlo").read_bytes()))
scores = network.call(images)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax

from archspec.diagnostics import listed
from archspec.exporting.subject import Subject
from archspec.exporting.targets import Written
from archspec.exporting.traced import check_size, function_of, said_of_inputs, size_of, types_of
from archspec.figures.units import mebibytes
from archspec.graph import Node
from archspec.writing import write as write_file

PLATFORMS = ("cpu", "cuda", "tpu")
"""What the program is lowered for."""


def supports(node: Node) -> str | None:
    """Every kind: a layer is what tracing it gives."""
    return None


def write(subject: Subject, file: Path, *, with_preprocessing: bool = False) -> Written:
    """Writes the file. Raises `DataError` where the weights are too large for one."""
    exported = exported_program(subject, with_preprocessing=with_preprocessing)
    contents = bytes(exported.serialize())
    write_file(file, contents)
    version = exported.calling_convention_version
    notes = (
        f"{mebibytes(len(contents))}, of which {mebibytes(size_of(subject))} are weights; for {listed(PLATFORMS)} and "
        "any number of samples",
        *said_of_inputs(subject, with_preprocessing=with_preprocessing, in_bytes=with_preprocessing),
        f"written by JAX {jax.__version__} (calling convention {version}): versions of the next 6 months read it, and "
        "those of the 3 weeks before; later ones may refuse, so keep the run",
    )
    about = {
        "bytes": len(contents),
        "platforms": list(PLATFORMS),
        "jax": jax.__version__,
        "calling_convention": version,
    }
    return Written((file,), notes, about)


def exported_program(subject: Subject, *, with_preprocessing: bool = False) -> Any:
    """The network as `jax.export` has it, for any number of samples. Raises `DataError`."""
    check_size(subject, "a file of serialised StableHLO")
    (batch,) = jax.export.symbolic_shape("batch")
    function = function_of(subject, with_preprocessing=with_preprocessing)
    return jax.export.export(jax.jit(function), platforms=PLATFORMS)(
        types_of(subject, batch, in_bytes=with_preprocessing)
    )
