"""archspec compiles a network that is written down in YAML into a JAX program.

    spec = archspec.load("lenet5")              # a path, a path#variant, or a zoo name
    graph = spec.graph()                        # typed nodes with inferred shapes
    print(archspec.report(graph))               # parameters, multiply–adds, memory, receptive fields
    archspec.draw(graph, "lenet5.svg")          # a picture
    network = archspec.build(graph)             # a Flax NNX module
    result = archspec.train(spec)               # a run folder with checkpoints and curves
    run = archspec.open(result.folder)          # the trained network: predict, evaluate, activations, params

Names are imported when first used; `load`, `report` and everything before them need no JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.comparing import Comparison as Comparison
    from archspec.comparing import diff as diff
    from archspec.diagnostics import Diagnostic as Diagnostic
    from archspec.diagnostics import ShapeError as ShapeError
    from archspec.diagnostics import SpecError as SpecError
    from archspec.drawing import Drawing as Drawing
    from archspec.drawing import DrawingError as DrawingError
    from archspec.drawing import draw as draw
    from archspec.explaining.gathering import explain as explain
    from archspec.exporting.export import export as export
    from archspec.graph import Graph as Graph
    from archspec.graph import Node as Node
    from archspec.importing.torch_at_hand import import_torch as import_torch
    from archspec.importing.writing import Imported as Imported
    from archspec.importing.writing import import_model as import_model
    from archspec.inference.run import Run as Run
    from archspec.inference.run import open as open
    from archspec.layers import Cost as Cost
    from archspec.layers import Example as Example
    from archspec.layers import Layer as Layer
    from archspec.layers import Weight as Weight
    from archspec.layers import Window as Window
    from archspec.loading import Spec as Spec
    from archspec.loading import load as load
    from archspec.lower import build as build
    from archspec.plugins import plugin as plugin
    from archspec.reports import Report as Report
    from archspec.reports import report as report
    from archspec.runs.table import table_of_runs as table_of_runs
    from archspec.sweeping.working import sweep as sweep
    from archspec.training.run import train as train
    from archspec.types import TensorType as TensorType
    from archspec.walking.invariance import invariance as invariance
    from archspec.walking.walkthrough import walkthrough as walkthrough

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "archspec.comparing",
    "Cost": "archspec.layers",
    "Diagnostic": "archspec.diagnostics",
    "Drawing": "archspec.drawing",
    "DrawingError": "archspec.drawing",
    "Example": "archspec.layers",
    "Graph": "archspec.graph",
    "Imported": "archspec.importing.writing",
    "Layer": "archspec.layers",
    "Node": "archspec.graph",
    "Report": "archspec.reports",
    "Run": "archspec.inference.run",
    "ShapeError": "archspec.diagnostics",
    "Spec": "archspec.loading",
    "SpecError": "archspec.diagnostics",
    "TensorType": "archspec.types",
    "Weight": "archspec.layers",
    "Window": "archspec.layers",
    "build": "archspec.lower",
    "diff": "archspec.comparing",
    "draw": "archspec.drawing",
    "explain": "archspec.explaining.gathering",
    "export": "archspec.exporting.export",
    "import_model": "archspec.importing.writing",
    "import_torch": "archspec.importing.torch_at_hand",
    "invariance": "archspec.walking.invariance",
    "load": "archspec.loading",
    "open": "archspec.inference.run",
    "plugin": "archspec.plugins",
    "report": "archspec.reports",
    "sweep": "archspec.sweeping.working",
    "table_of_runs": "archspec.runs.table",
    "train": "archspec.training.run",
    "walkthrough": "archspec.walking.walkthrough",
}

# `from archspec import *` leaves Python's own `open` alone.
__all__ = [*(name for name in _HOMES if name != "open"), "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'archspec' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "open"])
