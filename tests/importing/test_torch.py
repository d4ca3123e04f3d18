"""Programs of torch.export: one that PyTorch wrote, with what it gave, modules at hand, and damaged archives."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec import SpecError, import_model, import_torch
from archspec.diagnostics import DataError
from archspec.exporting.export import export
from archspec.importing import torch_program
from archspec.importing.building import Built, built
from archspec.importing.operations import NotHere
from archspec.importing.torch.context import Context, Name, Node
from archspec.importing.torch.operators import HANDLERS
from archspec.loading import load
from tests.importing.running import apart, ours

HERE = Path(__file__).parent
RECORDED = HERE / "recorded.pt2"


def read(path: Path) -> Built:
    return built(torch_program.read(path), path, keep_softmax=True, flat=True)


def test_a_program_gives_what_pytorch_gives() -> None:
    recorded = np.load(HERE / "recorded_torch.npz")
    made = read(RECORDED)
    assert made.graph is not None, made.missing
    kinds = {node.path: node.kind for node in made.graph.nodes}
    assert kinds["response"] == "lrn"
    assert kinds["blocks.1.norm"] == "layer_norm"
    assert kinds["up"] == "transposed_conv"
    assert {"gelu", "mish", "channel_shuffle", "group_norm", "l2_normalise", "relu6", "resize"} <= set(kinds.values())
    # Two of a block's numbers are for each of 8 channels.
    assert made.graph.by_path()["blocks.0.wide"].params == 8 * 16 + 16
    assert apart(ours(made, [recorded["x"]])[0], recorded["y"]) < 1e-5


def changed(path: Path, change: Callable[[dict[str, Any]], object], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """The recorded program with another graph."""
    made = io.BytesIO()
    with zipfile.ZipFile(RECORDED) as archive, zipfile.ZipFile(made, "w", compression) as other:
        for entry in archive.infolist():
            content = archive.read(entry)
            if entry.filename.endswith("models/model.json"):
                whole = json.loads(content)
                change(whole["graph_module"]["graph"])
                content = json.dumps(whole).encode()
            other.writestr(entry.filename, content)
    path.write_bytes(made.getvalue())
    return path


def test_what_has_no_kind_is_named_with_its_module(tmp_path: Path) -> None:
    def change(graph: dict[str, Any]) -> None:
        for node in graph["nodes"]:
            if node["target"].startswith("torch.ops.aten.gelu"):
                node["target"] = "torch.ops.aten.selu.default"

    made = import_model(changed(tmp_path / "a.pt2", change))
    first, *others = [item for item in made.missing if item.message.startswith("aten.selu has no kind")]
    assert len(others) == 1
    assert "(blocks.0)" in first.notes[0]


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.code in ("E563", "E564", "E565", "E569")
    return caught.value.message


def test_a_factor_of_a_subtraction_is_not_left_out() -> None:
    arguments = {"self": Name("x"), "other": 1, "alpha": 2}
    node = Node("torch.ops.aten.rsub.Scalar", arguments, ["y"], "", 0)
    with pytest.raises(NotHere, match="alpha"):
        HANDLERS["rsub"](Context({"x": (1, 4), "y": (1, 4)}, {}, {}), node)


def test_factors_beside_sizes_say_where_pixels_come_from() -> None:
    def node(**given: float) -> Node:
        arguments = {"input": Name("x"), "output_size": [10, 14], "align_corners": False, **given}
        return Node("torch.ops.aten.upsample_bilinear2d.default", arguments, ["y"], "", 0)

    def taken(node: Node) -> Any:
        context = Context({"x": (1, 4, 7, 7), "y": (1, 4, 10, 14)}, {}, {})
        HANDLERS["upsample_bilinear2d"](context, node)
        return context.operations[0].fields

    assert taken(node()) == taken(node(scales_w=2.0)) == {"mode": "bilinear", "size": [10, 14]}
    # PyTorch would take pixels 1/1.5 apart and not 7/10.
    with pytest.raises(NotHere, match="lie elsewhere"):
        taken(node(scales_h=1.5, scales_w=2.0))


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    whole = RECORDED.read_bytes()
    for at in range(10, len(whole), len(whole) // 40):
        path.write_bytes(whole[:at])
        refused(path)
    gone = changed(path, lambda graph: graph["nodes"][-1]["outputs"][0]["as_tensor"].update(name="gone"))
    assert "says nothing of 'gone'" in refused(gone)
    assert "has no 'tensor_values'" in refused(changed(path, lambda graph: graph.pop("tensor_values")))
    assert "has the shape [-1" in refused(
        changed(path, lambda graph: graph["tensor_values"]["x"].update(sizes=[{"as_int": -1}, {"as_int": 3}]))
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/models/model.json", "[" * 100_000)
    assert "is damaged, or of another version" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"cos\nsystem\n(S'false'\ntR.")
    assert "has no program of torch.export" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/../../models/model.json", "{}")
    assert "leads out of the archive" in refused(path)


def test_archives_that_unpack_to_too_much_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("net/data/weights/w", "w") as file:
        for _ in range(300):
            file.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    assert "unpacks to more than" in refused(path)


def test_pickles_within_an_archive_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    made = io.BytesIO()
    with zipfile.ZipFile(RECORDED) as archive, zipfile.ZipFile(made, "w") as other:
        for entry in archive.infolist():
            content = archive.read(entry)
            if entry.filename.endswith("weights_config.json"):
                config = json.loads(content)
                config["config"]["stem.weight"]["use_pickle"] = True
                content = json.dumps(config).encode()
            other.writestr(entry.filename, content)
    path.write_bytes(made.getvalue())
    with pytest.raises(DataError, match="pickle"):
        read(path)


# --- Where PyTorch is installed --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_module_at_hand_becomes_a_spec() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    made = import_torch(network, torch.zeros(2, 3, 8, 8))
    assert made.graph is not None
    assert [node.kind for node in made.graph.nodes] == ["conv", "relu", "global_avg_pool", "dense"]
    assert network.training
    program = torch.export.export(network.eval(), (torch.zeros(2, 3, 8, 8),))
    assert import_torch(program).spec.count("\n") == made.spec.count("\n")
    with pytest.raises(SpecError):
        import_torch(network, torch.zeros(2, 5, 8, 8))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "lenet5",
        "resnet18",
        "shufflenet_v2_x0_5",
        *(pytest.param(name, marks=pytest.mark.minutes) for name in ("squeezenet1_1", "mobilenet_v3_small")),
    ],
)
def test_source_that_is_traced_comes_back(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    file = tmp_path / f"{name}.py"
    export(name, "torch", file)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    graph = load(name).graph().pruned("eval")
    kind = graph.inputs[0].type
    path = tmp_path / f"{name}.pt2"
    torch.export.save(torch.export.export(module.load(), (torch.zeros(2, kind.channels, *kind.spatial),)), path)
    made = read(path)
    assert made.graph is not None
    nothing = ("dropout", "spatial_dropout", "stochastic_depth", "identity")
    own, back = (
        [(node.kind, node.output, node.params) for node in each.nodes if node.kind not in nothing]
        for each in (graph, made.graph)
    )
    assert back == own
    assert {node.path for node in made.graph.nodes if node.arrays} == {node.path for node in graph.nodes if node.arrays}


def test_without_pytorch_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SpecError) as caught:
        import_torch(object())
    assert caught.value.diagnostics[0].message == "PyTorch is not installed"
