"""ONNX files as a whole: names, what is not known, files of our own, and damaged or hostile ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from archspec import SpecError, import_model
from archspec.diagnostics import DataError
from archspec.exporting import onnx as exported
from archspec.exporting.subject import Subject
from archspec.images.preparation import Preparation
from archspec.importing import finishing, onnx_file
from archspec.importing.building import Built, built
from archspec.kinds import plain
from archspec.loading import open_spec
from tests.importing.running import apart, ours, runtime

RNG = np.random.default_rng(0)


def tensor(name: str, shape: tuple[int | str, ...], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    arrays: dict[str, np.ndarray],
    shape: tuple[int | str, ...] = ("n", 3, 8, 8),
    opset: int = 17,
    **more: Any,
) -> Path:
    """A file of nodes from `x`, a batch of images of 3×8×8, to `y`."""
    graph = helper.make_graph(
        nodes,
        "net",
        [tensor("x", shape)],
        [tensor("y", ("n", "a", "b", "c"))],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path), **more)
    return path


def read(path: Path, size: tuple[int, ...] | None = None) -> Built:
    return built(onnx_file.read(path, size), path, keep_softmax=True, flat=True)


def kernel(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


CONV = helper.make_node("Conv", ["x", "k"], ["y"])


def refused(path: Path, size: tuple[int, ...] | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read(path, size)
    assert caught.value.code in ("E563", "E564", "E565", "E569")
    return caught.value.message


# --- Names -----------------------------------------------------------------------------------------------------------


def test_layers_are_named_as_modules_are(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "features.0.weight"], ["a"], name="Conv_0"),
        helper.make_node("Relu", ["a"], ["b"], name="/features/features.1/Relu"),
        helper.make_node("Conv", ["b", "k"], ["c"], name="/head/head.0/Conv"),
        helper.make_node("Sigmoid", ["c"], ["d"], name="/head/Sigmoid"),
        helper.make_node("Mul", ["d", "c"], ["y"], name="/head/Mul"),
    ]
    path = saved(tmp_path / "a.onnx", nodes, {"features.0.weight": kernel(4, 3, 3, 3), "k": kernel(4, 4, 1, 1)})
    made = read(path)
    assert made.graph is not None
    assert [node.path for node in made.graph.nodes] == ["features.0", "features.1", "head.0", "head.silu"]


# --- Sizes -----------------------------------------------------------------------------------------------------------


def test_a_size_that_is_left_open_is_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.onnx", [CONV], {"k": kernel(4, 3, 3, 3)}, shape=("n", 3, "height", "width"))
    assert "does not say how large its input `x` is: 3×?×?" in refused(path)
    made = read(path, (10, 12))
    assert made.graph is not None
    assert made.graph.nodes[0].output.shape == (8, 10, 4)
    imported = import_model(path, input=(9, 9))
    assert imported.graph is not None
    assert imported.graph.nodes[0].output.shape == (7, 7, 4)


# --- External data ---------------------------------------------------------------------------------------------------


def external(folder: Path, location: str) -> Path:
    path = saved(
        folder / "a.onnx",
        [CONV],
        {"k": kernel(4, 3, 3, 3)},
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    if location != "weights.bin":
        model = onnx.load(str(path), load_external_data=False)
        model.graph.initializer[0].external_data[0].value = location
        path.write_bytes(model.SerializeToString())
    return path


def test_tensors_may_lie_beside_the_file(tmp_path: Path) -> None:
    path = external(tmp_path, "weights.bin")
    x = kernel(2, 3, 8, 8)
    assert apart(ours(read(path), [x])[0], runtime(path, [x])[0]) < 1e-5


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/passwd", "a/../../weights.bin", "C:\\weights.bin", "", "..\\w.bin", "nul\0"]
)
def test_no_tensor_is_read_outside_of_the_files_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = external(folder, location)
    (tmp_path / "weights.bin").write_bytes((folder / "weights.bin").read_bytes())
    assert "no file within its folder: nothing is opened" in refused(path)


def test_no_link_is_followed_out_of_the_files_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = external(folder, "weights.bin")
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    assert "is a link: nothing outside of its folder is opened" in refused(path)
    (folder / "weights.bin").unlink()
    assert "is not there" in refused(path)
    (folder / "weights.bin").write_bytes(b"short")
    assert "lies outside of 'weights.bin', or that is cut short" in refused(path)


# --- What is not known -----------------------------------------------------------------------------------------------


def test_all_that_has_no_kind_is_named_at_once_with_its_place(tmp_path: Path) -> None:
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "g", [], [tensor("z", (1, 3, 8, 8))])
    nodes = [
        helper.make_node("Selu", ["x"], ["a"], name="first"),
        helper.make_node("Conv", ["a", "k"], ["b"]),
        helper.make_node("QuantizeLinear", ["b", "scale"], ["c"]),
        helper.make_node("DequantizeLinear", ["c", "scale"], ["d"]),
        helper.make_node("If", ["flag"], ["e"], then_branch=branch, else_branch=branch),
        helper.make_node("FancyOp", ["d"], ["f"], domain="com.example"),
        helper.make_node("Relu", ["f"], ["y"]),
    ]
    arrays = {"k": kernel(4, 3, 3, 3), "scale": np.float32(0.1), "flag": np.array(True)}
    made = import_model(saved(tmp_path / "a.onnx", nodes, {name: np.asarray(item) for name, item in arrays.items()}))
    said = {item.message.split(" ")[0]: (item.message, item.notes[0]) for item in made.missing}
    assert set(said) == {"Selu", "QuantizeLinear", "DequantizeLinear", "com.example.FancyOp"}
    assert "node 0 (first)" in said["Selu"][1]
    assert "is of a quantised network" in said["QuantizeLinear"][0]
    assert "an operator of com.example's own" in said["com.example.FancyOp"][0]
    assert "- conv: {name: conv1, filters: 4, kernel: 3, bias: false}" in made.spec
    assert "- relu: {name: relu1}" in made.spec


def test_an_attribute_that_is_not_known_is_not_passed_over(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"], leak=0.1)
    (missing,) = read(saved(tmp_path / "a.onnx", [node], {})).missing
    assert missing.why == "has no layer like it: its attribute leak is not known here"


def test_sums_over_samples_are_no_layers(tmp_path: Path) -> None:
    for node in (
        helper.make_node("ReduceMean", ["x"], ["y"], axes=[0]),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
        helper.make_node("Concat", ["x", "x"], ["y"], axis=0),
        helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0, 2, 3]),
    ):
        made = read(saved(tmp_path / "a.onnx", [node], {"shape": np.array([-1, 8])}))
        assert len(made.missing) == 1, node.op_type


# --- Files of our own ------------------------------------------------------------------------------------------------

NETWORKS = ("lenet5", "lenet5_1998", "resnet20", "squeezenet1_1", "shufflenet_v2_x0_5", "enet", "mobilenet_v3_small")
SLOW = (
    "densenet121",
    "googlenet",
    "nasnet_a_mobile",
    "efficientnet_b0",
    "segnet_basic",
    "resnext29_8x64d",
    "mnasnet1_0",
)


def subject(name: str) -> Subject:
    """A network of the zoo with arrays that are drawn in NumPy, which is fast."""
    spec = open_spec(name, [])
    graph = spec.graph().pruned("eval")
    arrays = {}
    for node in graph.nodes:
        for weight in node.weights:
            drawn = RNG.standard_normal(weight.shape, np.float32)
            arrays[f"{node.owner}.{weight.name}"] = np.abs(drawn) + 0.1 if weight.name == "var" else drawn
    return Subject(spec, graph, arrays, (), Preparation())


def check_comes_back(name: str, folder: Path) -> None:
    own = subject(name)
    path = folder / "net.onnx"
    exported.write(own, path)
    made = read(path)
    assert made.graph is not None, made.missing
    for node, back in zip(own.graph.nodes, made.graph.nodes, strict=True):
        assert (back.path, back.kind, back.inputs) == (node.path, node.kind, node.inputs)
        assert (back.input_types, back.output, back.shares) == (node.input_types, node.output, node.shares)
        fields = {field: plain(getattr(node.layer, field)) for field in type(node.layer).model_fields}
        assert {field: plain(getattr(back.layer, field)) for field in fields if field not in ("like", "indices")} == {
            field: value for field, value in fields.items() if field not in ("like", "indices")
        }, node.path
    assert [(item.name, item.node) for item in made.graph.outputs] == [
        (item.name, item.node) for item in own.graph.outputs
    ]
    assert made.arrays.keys() == own.arrays.keys()
    for array in own.arrays:
        np.testing.assert_array_equal(made.arrays[array], own.arrays[array], array)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_ours_comes_back_node_for_node(name: str, tmp_path: Path) -> None:
    check_comes_back(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_more_networks_of_ours_come_back_node_for_node(name: str, tmp_path: Path) -> None:
    check_comes_back(name, tmp_path)


def test_large_kernels_are_written_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = subject("lenet5")
    path = tmp_path / "net.onnx"
    exported.write(own, path)
    monkeypatch.setattr(finishing, "PART", 1000)
    parts = [part.shape for part in read(path).arrays.parts("c5.kernel")]  # type: ignore[attr-defined]
    assert parts == [(8, 120)] * 50
    import_model(path, tmp_path / "net.yaml", flat=True)
    written = load_file(tmp_path / "net.safetensors")
    assert written.keys() == own.arrays.keys()
    for name, array in own.arrays.items():
        np.testing.assert_array_equal(written[name], array, name)


def test_a_node_that_is_another_than_it_says_is_believed_and_not_what_it_says(tmp_path: Path) -> None:
    own = subject("lenet5")
    path = tmp_path / "net.onnx"
    exported.write(own, path)
    model = onnx.load(str(path))
    changed = next(node for node in model.graph.node if node.op_type == "Relu")
    changed.op_type = "Tanh"
    onnx.save(model, str(path))
    made = read(path)
    assert made.graph is not None
    assert [node.kind for node in made.graph.nodes].count("tanh") == 1
    assert [node.kind for node in made.graph.nodes].count("relu") == [node.kind for node in own.graph.nodes].count(
        "relu"
    ) - 1
    assert any("something else than the file says" in note for note in made.notes)


# --- Damaged and hostile files ---------------------------------------------------------------------------------------


def test_nodes_that_wait_for_one_another_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"]), CONV]
    assert "what it makes itself" in refused(saved(tmp_path / "a.onnx", nodes, {"k": kernel(4, 3, 3, 3)}))
    nodes = [helper.make_node("Relu", ["nothing"], ["y"])]
    assert "takes 'nothing', which nothing makes" in refused(saved(tmp_path / "a.onnx", nodes, {}))
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Tanh", ["x"], ["y"])]
    assert "'y' is made twice" in refused(saved(tmp_path / "a.onnx", nodes, {}))


def test_the_order_of_nodes_is_free(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["a"], ["y"]), helper.make_node("Tanh", ["x"], ["a"])]
    made = read(saved(tmp_path / "a.onnx", nodes, {}))
    assert made.graph is not None
    assert [node.kind for node in made.graph.nodes] == ["tanh", "relu"]


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.onnx", [CONV], {"k": kernel(4, 3, 3, 3)})
    whole = path.read_bytes()

    def changed(change: Callable[[onnx.ModelProto], object]) -> str:
        model = onnx.load(str(path))
        change(model)
        other = tmp_path / "b.onnx"
        other.write_bytes(model.SerializeToString())
        return refused(other)

    def set_dims(model: onnx.ModelProto, *dims: int) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    def set_input(model: onnx.ModelProto, size: int) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = size

    assert "has the shape [4, -3, 3, 3]" in changed(lambda model: set_dims(model, 4, -3, 3, 3))
    assert "instead of" in changed(lambda model: set_dims(model, 2**31, 2**31, 3, 3))
    assert "is damaged: 'x' has the shape" in changed(lambda model: set_input(model, -8))
    assert "is damaged: 'x' has the shape" in changed(lambda model: set_input(model, 2**50))
    assert "of type 77, which ONNX does not have" in changed(
        lambda model: setattr(model.graph.initializer[0], "data_type", 77)
    )
    assert "has no graph" in changed(lambda model: model.ClearField("graph"))
    for at in range(1, len(whole) - 1, 7):
        path.write_bytes(whole[:at])
        with pytest.raises(DataError):
            read(path)


HOSTILE = """
import sys
from pathlib import Path
from typing import Any
from archspec import SpecError, import_model
try:
    made = import_model(Path(sys.argv[1]), input=(8, 8))
    print("made", len(made.missing))
except SpecError as error:
    print(error.diagnostics[0].code)
# Of this process alone: getrusage counts what the one that began it had.
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def hostile(path: Path) -> tuple[str, int]:
    """What comes of a file in a process of its own, and the MiB that it took at most."""
    done = subprocess.run([sys.executable, "-c", HOSTILE, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said, peak = done.stdout.split("\n")[:2]
    return said, int(peak)


def bombs(folder: Path) -> dict[str, Path]:
    """Files that ask for more than there is."""
    made = {}

    def chain(name: str, nodes: list[onnx.NodeProto], **arrays: np.ndarray) -> None:
        made[name] = saved(folder / f"{name}.onnx", nodes, arrays, shape=(1, 3, 8, 8))

    huge = np.array([1, 3, 2**20, 2**20])
    chain(
        "fill", [helper.make_node("ConstantOfShape", ["s"], ["a"]), helper.make_node("Add", ["x", "a"], ["y"])], s=huge
    )
    chain(
        "expand",
        [
            helper.make_node("ConstantOfShape", ["s"], ["a"]),
            helper.make_node("Exp", ["a"], ["b"]),
            helper.make_node("Add", ["x", "b"], ["y"]),
        ],
        s=huge,
    )
    chain(
        "tile",
        [helper.make_node("Tile", ["a", "s"], ["b"]), helper.make_node("Add", ["x", "b"], ["y"])],
        s=huge,
        a=kernel(1, 3, 1, 1),
    )
    chain("pad", [helper.make_node("Pad", ["x", "s"], ["y"])], s=np.array([0, 0, 2**40, 2**40, 0, 0, 2**40, 2**40]))
    chain(
        "range",
        [helper.make_node("Range", ["a", "b", "c"], ["d"]), helper.make_node("Reshape", ["x", "d"], ["y"])],
        a=np.array(0),
        b=np.array(2**60),
        c=np.array(1),
    )
    chain("resize", [helper.make_node("Resize", ["x", "", "s"], ["y"])], s=np.array([1, 1, 1e9, 1e9], np.float32))
    doubling = [helper.make_node("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], axis=0) for i in range(60)]
    chain("doubling", [*doubling, helper.make_node("Reshape", ["x", "c60"], ["y"])], c0=np.array([1, 2]))
    nested = b""
    for _ in range(30_000):
        size = len(nested)
        length = bytearray()
        while size > 127:
            length.append(size & 127 | 128)
            size >>= 7
        nested = b"\x3a" + bytes([*length, size]) + nested
    made["nested"] = folder / "nested.onnx"
    made["nested"].write_bytes(b"\x08\x08" + nested)
    made["fields"] = folder / "fields.onnx"
    made["fields"].write_bytes(b"\x08\x01" * 5_000_000)
    return made


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_no_file_takes_a_gibibyte(tmp_path: Path) -> None:
    for name, path in bombs(tmp_path).items():
        said, peak = hostile(path)
        assert said.startswith(("E56", "made")), (name, said)
        assert said != "made 0", name
        assert peak < 1024, (name, peak)


def test_fields_of_other_types_are_told_and_nothing_else_comes_of_them(tmp_path: Path) -> None:
    odd: list[Any] = [
        "text",
        1.5,
        -7,
        [1.5, 2.5],
        ["a"],
        [2**62, 2**62],
        [0],
        helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0]),
    ]
    for op, names, inputs in (
        ("Conv", ("pads", "strides", "dilations", "group", "kernel_shape", "auto_pad"), ["x", "k"]),
        ("MaxPool", ("kernel_shape", "pads", "strides", "ceil_mode"), ["x"]),
        ("Concat", ("axis",), ["x", "x"]),
        ("Transpose", ("perm",), ["x"]),
        ("Split", ("axis", "split"), ["x"]),
        ("ReduceMean", ("axes", "keepdims"), ["x"]),
        ("Softmax", ("axis",), ["x"]),
        ("BatchNormalization", ("epsilon", "momentum"), ["x", "c", "c", "c", "c"]),
        ("DepthToSpace", ("blocksize", "mode"), ["x"]),
        ("LRN", ("size", "alpha"), ["x"]),
        ("Resize", ("mode", "coordinate_transformation_mode", "axes"), ["x", "", "s"]),
        ("LeakyRelu", ("alpha",), ["x"]),
        ("LayerNormalization", ("axis", "epsilon"), ["x", "c"]),
        ("Clip", ("min", "max"), ["x"]),
    ):
        arrays = {"k": kernel(4, 3, 3, 3), "c": np.ones(3, np.float32), "s": np.array([1, 1, 2, 2], np.float32)}
        for name in names:
            for value in odd:
                node = helper.make_node(op, inputs, ["y"])
                node.attribute.append(helper.make_attribute(name, value))
                if op == "MaxPool" and name != "kernel_shape":
                    node.attribute.append(helper.make_attribute("kernel_shape", [3, 3]))
                path = saved(tmp_path / "a.onnx", [node], arrays)
                try:
                    read(path)
                except DataError as error:
                    assert error.code.startswith("E56")


def test_metadata_that_are_no_json_are_no_metadata(tmp_path: Path) -> None:
    own = subject("lenet5")
    path = tmp_path / "net.onnx"
    exported.write(own, path)
    model = onnx.load(str(path))
    for node in model.graph.node:
        for item in node.metadata_props:
            if item.key == "archspec.fields":
                item.value = "[" * 100_000
    onnx.save(model, str(path))
    made = read(path)
    assert made.graph is not None
    assert made.graph.params == own.graph.params


def test_a_spec_error_has_a_code(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"PK\x03\x04 no protobuf")
    with pytest.raises(SpecError) as caught:
        import_model(path)
    assert caught.value.diagnostics[0].code == "E563"
    assert json.dumps(caught.value.diagnostics[0].to_json())
