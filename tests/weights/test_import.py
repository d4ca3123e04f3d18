"""Import and export: what matches, what does not, and that nothing is lost on the way."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from archspec.cli import main
from archspec.diagnostics import Findings, SpecError
from archspec.inference.predicting import predict
from archspec.loading import load
from archspec.lower import build, split
from archspec.runs.imports import read_import
from archspec.spec.overrides import parse_input, python_override
from archspec.weights.expecting import class_names
from archspec.weights.folder import export_weights, import_weights
from archspec.weights.layout import LayoutError, from_torch, order_of, orders, to_torch
from archspec.weights.naming import namings, tables

Write = Callable[..., Path]

NET = """
input: {height: 9, width: 8, channels: 3}
layers:
  - conv: {name: c, filters: 4, kernel: 3, groups: 1}
  - batch_norm: {name: n}
  - relu
  - max_pool: 2
  - flatten
  - batch_norm: {name: m}
  - dropout: 0.5
  - dense: {name: d, units: 5}
  - prelu: {name: p}
  - dense: {name: e, units: 3}
"""


def torch_tensors(path: Path) -> dict[str, np.ndarray]:
    """Every array of a spec's network in PyTorch's layout and words, each element its own number."""
    graph = load(path).graph()
    layouts = orders(graph)
    words = {"kernel": "weight", "scale": "weight", "slope": "weight", "mean": "running_mean", "var": "running_var"}
    found: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        for weight in node.weights:
            array = np.arange(weight.size, dtype=np.float32).reshape(weight.shape) + 1
            name = f"{node.path}.{words.get(weight.name, weight.name)}"
            found[name] = to_torch(array, weight, order_of(node, layouts))
    return found


def errors(error: pytest.ExceptionInfo[SpecError]) -> str:
    return str(error.value)


def test_layouts_go_there_and_back(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    save_file(torch_tensors(spec), tmp_path / "in.safetensors")
    found = import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
    assert found.full
    assert found.naming == "pytorch"
    # The second time, what is replaced is said.
    notes: list[str] = []
    import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "other", notes=notes)
    assert notes == []
    import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net", notes=notes)
    (note,) = notes
    number = len(torch_tensors(spec))
    assert note.startswith(f"the import that was in {tmp_path / 'net'} is replaced: {number} tensors of ")
    assert note.endswith(f" from {tmp_path / 'in.safetensors'}")
    arrays = read_import(tmp_path / "net")
    for node in load(spec).graph().nodes:
        for weight in node.weights:
            own = arrays[f"{node.path}.{weight.name}"]
            assert own.shape == weight.shape
            assert np.array_equal(np.sort(own.reshape(-1)), np.arange(weight.size) + 1)
    names, count = export_weights(tmp_path / "net", tmp_path / "out.safetensors")
    assert (names, count) == ("pytorch", 15)
    before, after = load_file(tmp_path / "in.safetensors"), load_file(tmp_path / "out.safetensors")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("written", ["{height: 2, width: 3, channels: 4}", "{length: 6, channels: 4}"])
def test_features_after_flattening_are_in_pytorchs_order(write: Write, written: str) -> None:
    """A dense layer after a flattened map or signal: channels first there, channels last here."""
    spec = write(f"input: {written}\nlayers: [flatten, {{dense: {{name: d, units: 2, bias: false}}}}]")
    graph = load(spec).graph()
    x = np.random.default_rng(0).standard_normal((5, *graph.inputs[0].type.shape)).astype(np.float32)
    theirs = np.random.default_rng(1).standard_normal((2, 24)).astype(np.float32)
    expected = np.moveaxis(x, -1, 1).reshape(5, -1) @ theirs.T
    pure, params, statistics = split(build(graph))
    node = graph.by_path()["d"]
    kernel = from_torch(theirs, node.weights[0], order_of(node, orders(graph)))
    found, _ = pure.apply({"d.kernel": jnp.asarray(kernel)}, statistics, jnp.asarray(x), train=False)
    assert params["d.kernel"].shape == kernel.shape
    assert np.allclose(np.asarray(found), expected, atol=1e-5)


def test_two_flattened_maps_side_by_side(write: Write) -> None:
    spec = write(
        "input: {height: 4, width: 4, channels: 2}\n"
        "layers:\n"
        "  - parallel: {branches: [[flatten], [{max_pool: 2}, flatten]]}\n"
        "  - dense: {name: d, units: 3, bias: false}\n"
    )
    graph = load(spec).graph()
    assert orders(graph)["d"] == ((4, 4, 2), (2, 2, 2))


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.module.", "_orig_mod.module.", "net.", "a.b.c.d.", "backbone.0.", "c."],
)
@pytest.mark.parametrize("foreign", [[], ["n_averaged"], ["criterion.weight", "head.1.bias"]])
def test_prefixes_of_wrappers_are_seen_through(write: Write, tmp_path: Path, prefix: str, foreign: list[str]) -> None:
    spec = write(NET)
    tensors = {f"{prefix}{name}": value for name, value in torch_tensors(spec).items()}
    tensors[f"{prefix}n.num_batches_tracked"] = np.zeros((), np.int64)
    tensors.update({name: np.zeros(3, np.float32) for name in foreign})
    save_file(tensors, tmp_path / "in.safetensors")
    found = import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
    assert found.full
    assert found.stripped == {prefix: 16}
    assert sorted(found.left) == foreign
    record = json.loads((tmp_path / "net" / "import.json").read_text())
    assert (record["stripped"], record["left"]) == ({prefix: 16}, foreign)


def test_what_lies_beside_the_tensors_is_foreign_only_where_nothing_is_missing(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    whole = {f"backbone.{name}": value for name, value in torch_tensors(spec).items()}
    short = {name: value for name, value in whole.items() if not name.startswith("backbone.e.")}
    many = {f"other.{number}": np.zeros(2, np.float32) for number in range(len(whole) + 1)}
    for tensors, beside in ((short, {"head.weight": np.zeros((3, 5), np.float32)}), (whole, many)):
        save_file({**tensors, **beside}, tmp_path / "in.safetensors")
        with pytest.raises(SpecError) as error:
            import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
        assert "E537" in errors(error)
        assert f"{len(beside)} unexpected: {next(iter(beside))}" in errors(error)
    found = import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net", prefix="backbone")
    assert (found.full, len(found.left)) == (True, len(many))


def damaged(spec: Path) -> dict[str, np.ndarray]:
    tensors = torch_tensors(spec)
    del tensors["d.bias"]
    tensors["stray.weight"] = np.zeros(3, np.float32)
    tensors["e.weight"] = np.zeros((7, 5), np.float32)
    return tensors


def test_anything_but_a_full_match_needs_to_be_asked_for(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    save_file(damaged(spec), tmp_path / "in.safetensors")
    with pytest.raises(SpecError) as error:
        import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
    text = errors(error)
    assert "E537" in text
    assert "--partial" in text
    for name in ("d.bias", "stray.weight", "e.kernel", "7×5", "3×5"):
        assert name in text
    assert not (tmp_path / "net").exists()
    found = import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net", partial=True)
    assert (found.missing, found.unexpected) == ({"d.bias": "d.bias"}, ("stray.weight",))
    assert found.misshaped == {"e.kernel": "is 7×5, not 3×5"}
    assert "drawn at random" in found.summary()
    arrays = read_import(tmp_path / "net")
    _, params, _ = split(build(load(spec).graph()))
    assert np.array_equal(arrays["e.kernel"], params["e.kernel"])
    assert np.array_equal(np.sort(arrays["c.kernel"].reshape(-1)), np.arange(108) + 1)
    record = json.loads((tmp_path / "net" / "import.json").read_text())
    assert record["missing"] == ["d.bias"]
    assert len(record["sha256"]) == 64


def test_a_network_of_other_names_is_refused(write: Write, tmp_path: Path) -> None:
    save_file({"x.y": np.zeros(2, np.float32)}, tmp_path / "in.safetensors")
    with pytest.raises(SpecError) as error:
        import_weights(str(write(NET)), tmp_path / "in.safetensors", tmp_path / "net")
    assert "E536" in errors(error)
    assert "x.y" in errors(error)
    with pytest.raises(SpecError) as error:
        import_weights(str(write(NET)), tmp_path / "in.safetensors", tmp_path / "net", names="caffe")
    assert "E535" in errors(error)


def test_a_table_that_calls_two_arrays_alike_is_refused(write: Write, tmp_path: Path) -> None:
    """One tensor cannot be two arrays, of which one would stay random, or would not be written."""
    rules = "weights: {ours: {names: {'norm*': 'norm'}}}\ninput: {features: 4}\n"
    layers = "layers: [batch_norm: {name: norm1}, dense: {name: d, units: 4}, batch_norm: {name: %s}]\n"
    words = ("weight", "bias", "running_mean", "running_var")
    tensors = {f"norm.{word}": np.ones(4, np.float32) for word in words}
    tensors |= {"d.weight": np.ones((4, 4), np.float32), "d.bias": np.ones(4, np.float32)}
    save_file(tensors, tmp_path / "in.safetensors")
    spec = write(rules + layers % "norm2")
    for partial in (False, True):
        with pytest.raises(SpecError) as error:
            import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net", partial=partial)
        assert "call two arrays norm.weight: norm1.scale and norm2.scale" in errors(error)
    own = {name.replace("norm.", f"norm{number}."): array for name, array in tensors.items() for number in (1, 2)}
    save_file(own, tmp_path / "own.safetensors")
    import_weights(str(spec), tmp_path / "own.safetensors", tmp_path / "net")
    with pytest.raises(SpecError) as error:
        export_weights(tmp_path / "net", tmp_path / "out.safetensors", names="ours")
    assert "call two arrays norm.weight" in errors(error)
    # Layers that share an array may well share its name.
    alike = write(rules + layers % "norm2, weights: norm1", "shared.yaml")
    import_weights(str(alike), tmp_path / "in.safetensors", tmp_path / "shared")


@pytest.mark.parametrize("content", [b"", b"text", b"\x00" * 64, b"\xff" * 64])
def test_files_that_are_no_tensors_are_answered(write: Write, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.safetensors").write_bytes(content)
    with pytest.raises(SpecError) as error:
        import_weights(str(write(NET)), tmp_path / "in.safetensors", tmp_path / "net")
    assert "E532" in errors(error)
    with pytest.raises(SpecError) as error:
        import_weights(str(write(NET)), tmp_path / "none.safetensors", tmp_path / "net")
    assert "E531" in errors(error)


def test_a_file_that_is_cut_short_says_so(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    save_file(torch_tensors(spec), tmp_path / "in.safetensors")
    (tmp_path / "in.safetensors").write_bytes((tmp_path / "in.safetensors").read_bytes()[:-8])
    with pytest.raises(SpecError, match="is cut short") as error:
        import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
    assert error.value.diagnostics[0].code == "E532"
    # Within the header too, whose length may begin as a pickle does: 0x280 bytes.
    (tmp_path / "in.safetensors").write_bytes((0x280).to_bytes(8, "little") + b'{"a":{"dtype":"F32",')
    with pytest.raises(SpecError, match="is cut short"):
        import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
    save_file({}, tmp_path / "none.safetensors")
    with pytest.raises(SpecError, match="holds no tensors") as error:
        import_weights(str(spec), tmp_path / "none.safetensors", tmp_path / "net")
    assert error.value.diagnostics[0].code == "E532"


def test_weights_that_are_no_numbers_are_refused(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    tensors = torch_tensors(spec)
    tensors["d.weight"][1, 2] = np.nan
    tensors["e.bias"][0] = np.inf
    save_file(tensors, tmp_path / "in.safetensors")
    with pytest.raises(SpecError) as error:
        import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net", partial=True)
    assert error.value.diagnostics[0].code == "E539"
    assert "2 tensors: d.weight and e.bias" in errors(error)
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("target", ["vgg11", "lenet5"])
def test_the_network_that_a_file_is_of_is_named(tmp_path: Path, target: str) -> None:
    """Tensors of another network of the zoo: names alike, but not all of them, and names that are not alike at all."""
    spec = load("lenet_caffe")
    export = {name: np.zeros(shape, np.float32) for name, shape in _torch_shapes("lenet_caffe").items()}
    save_file(export, tmp_path / "in.safetensors")
    with pytest.raises(SpecError) as error:
        import_weights(target, tmp_path / "in.safetensors", tmp_path / "net")
    assert f"its tensors are those of {spec.name}" in errors(error)


def _torch_shapes(name: str) -> dict[str, tuple[int, ...]]:
    spec = load(name)
    layouts = orders(spec.graph())
    first = next(iter(namings(spec.graph(), tables(spec)).values()))
    return {
        tensor: to_torch(np.zeros(place.weight.shape, np.float32), place.weight, order_of(place.node, layouts)).shape
        for tensor, place in first.items()
    }


def test_an_input_of_another_size_sees_the_same_share_of_the_picture(tmp_path: Path) -> None:
    tensors = {name: np.zeros(shape, np.float32) for name, shape in _torch_shapes("resnet18").items()}
    save_file(tensors, tmp_path / "in.safetensors")
    size = [python_override(("input", "height"), 112), python_override(("input", "width"), 112)]
    import_weights("resnet18", tmp_path / "in.safetensors", tmp_path / "net", overrides=size)
    assert load(tmp_path / "net" / "spec.yaml").input.short_side == 128


def test_arguments_that_must_be_given_are_given(write: Write, tmp_path: Path) -> None:
    spec = write(
        "args: {units: int}\nweights: {w: {input: {mean: [0.5, 0.5, 0.5]}}}\n"
        + NET.replace("units: 3", "units: $(units)")
    )
    given = [python_override(("args", "units"), 3)]
    save_file(torch_tensors(write(NET, "plain.yaml")), tmp_path / "in.safetensors")
    import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net", overrides=given)
    assert load(tmp_path / "net" / "spec.yaml").input.mean == (0.5, 0.5, 0.5)


def test_a_file_says_what_its_weights_expect(write: Write, tmp_path: Path) -> None:
    """Where a spec's table of names expects other pixels, those that the weights were trained with hold."""
    spec = write("weights: {w: {input: {mean: [0.5, 0.5, 0.5], fit: resize}, classes: voc}}\n" + NET)
    save_file(torch_tensors(spec), tmp_path / "in.safetensors")
    import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "theirs")
    assert load(tmp_path / "theirs" / "spec.yaml").input.mean == (0.5, 0.5, 0.5)
    own = write(NET.replace("channels: 3", "channels: 3, std: [2, 2, 2]"), "own.yaml")
    import_weights(str(own), tmp_path / "in.safetensors", tmp_path / "ours")
    (tmp_path / "ours" / "result.json").write_text('{"classes": ["a", "b", "c"]}')
    export_weights(tmp_path / "ours", tmp_path / "out.safetensors")
    import_weights(str(spec), tmp_path / "out.safetensors", tmp_path / "again")
    input = load(tmp_path / "again" / "spec.yaml").input
    assert (input.mean, input.std, input.fit) == (None, (2, 2, 2), "exact")
    assert json.loads((tmp_path / "again" / "result.json").read_text())["classes"] == ["a", "b", "c"]


def test_a_written_file_is_as_open_as_any_other(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    save_file(torch_tensors(spec), tmp_path / "in.safetensors")
    import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
    export_weights(tmp_path / "net", tmp_path / "out.safetensors")
    (tmp_path / "other").touch()
    assert (tmp_path / "out.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
    with pytest.raises(SpecError, match="is a file"):
        import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "other")


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_pickles_never_run(write: Write, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(SpecError) as error:
        import_weights(str(write(NET)), tmp_path / name, tmp_path / "net")
    assert "E532" in errors(error)
    assert not (tmp_path / "ran").exists()


def test_a_header_may_look_like_a_pickle(write: Write, tmp_path: Path) -> None:
    """The first bytes of a safetensors file are a length."""
    from archspec.weights.files import open_tensors, write_tensors

    path = tmp_path / "w.safetensors"
    for padding in range(400, 700):
        write_tensors(path, {"fc.kernel": np.zeros((2, 2), np.float32)}, {"network": "x" * padding})
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    assert path.read_bytes()[:2] == b"\x80\x02"
    with open_tensors(path) as file:
        assert file.shapes == {"fc.kernel": (2, 2)}


def test_a_spec_of_ones_own_is_not_replaced(write: Write, tmp_path: Path) -> None:
    spec = write(NET, "mine/spec.yaml")
    save_file(torch_tensors(spec), tmp_path / "in.safetensors")
    text = spec.read_text()
    with pytest.raises(SpecError) as error:
        import_weights(str(spec), tmp_path / "in.safetensors", spec.parent)
    assert "E511" in errors(error)
    assert spec.read_text() == text
    for _ in range(2):  # an import is replaced by another
        import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")


def test_a_folder_with_other_things_is_not_written_to(write: Write, tmp_path: Path) -> None:
    spec = write(NET)
    save_file(torch_tensors(spec), tmp_path / "in.safetensors")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "thesis.txt").write_text("all of it")
    with pytest.raises(SpecError) as error:
        import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net")
    assert "E511" in errors(error)
    assert [item.name for item in (tmp_path / "net").iterdir()] == ["thesis.txt"]


def test_the_weight_sets_preprocessing_and_classes_come_along(tmp_path: Path) -> None:
    """Through the command line: import, what it says, and the top five with names."""
    from PIL import Image

    from tests.weights.rule import tensors

    save_file(tensors("torchvision", "resnet18"), tmp_path / "in.safetensors")
    folder = tmp_path / "net"
    command = [sys.executable, "-m", "archspec.cli", "weights", "import", "resnet18", str(tmp_path / "in.safetensors")]
    done = subprocess.run([*command, "-o", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "102 tensors matched, named as torchvision has them (so are those of timm)" in done.stdout
    spec = load(folder / "spec.yaml")
    assert (spec.input.fit, spec.input.short_side, spec.input.mean) == ("crop", 256, (0.485, 0.456, 0.406))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)).save(tmp_path / "noise.png")
    (answer,) = predict(folder, [tmp_path / "noise.png"], top=5)
    assert len(answer.classes) == 5
    assert {name for name, _ in answer.classes} <= set(class_names("imagenet"))
    assert main(["weights", "export", str(folder), str(tmp_path / "out.safetensors"), "--names", "timm"]) == 0
    before, after = load_file(tmp_path / "in.safetensors"), load_file(tmp_path / "out.safetensors")
    assert {name for name in before if not name.endswith("num_batches_tracked")} == set(after)
    assert all(np.array_equal(before[name], after[name]) for name in after)


def test_preprocessing_is_torchvisions(tmp_path: Path) -> None:
    """Shorter side to 256, the middle 224×224, mean and deviation: by Pillow and NumPy alone."""
    from PIL import Image

    from archspec.images.numbers import normalised
    from tests.images.reading import read_image

    pixels = np.random.default_rng(0).integers(0, 255, (301, 402, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    input = load("resnet18").input.model_copy(
        update={"fit": "crop", "short_side": 256, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    )
    found, plan = read_image(tmp_path / "image.png", input)
    assert plan.size == (301, 402)
    scaled = Image.fromarray(pixels).resize((256 * 402 // 301, 256), Image.Resampling.BILINEAR)
    left, top = round((scaled.width - 224) / 2), round((scaled.height - 224) / 2)
    expected = np.asarray(scaled.crop((left, top, left + 224, top + 224)))
    assert np.array_equal(found, expected)
    numbers = (expected / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    assert np.allclose(normalised(jnp.asarray(found[None]), input)[0], numbers, atol=1e-5)


def test_imagenet_has_a_thousand_classes() -> None:
    names = class_names("imagenet")
    assert len(names) == 1000
    assert (names[0], names[281], names[999]) == ("tench", "tabby", "toilet tissue")
    assert class_names("voc")[:2] == ["background", "aeroplane"]


def test_normalisations_over_a_whole_sample_have_their_channels_last_here(write: Write) -> None:
    """PyTorch's arrays of a LayerNorm over (C, H, W); names are its words."""
    found = torch_tensors(
        write(
            "input: {height: 2, width: 3, channels: 4}\nlayers:\n  - layer_norm: {name: a, axes: all}\n"
            "  - layer_norm: {name: b}\n  - layer_scale: {name: g}\n  - flatten\n  - layer_norm: {name: c}"
        )
    )
    assert {name: array.shape for name, array in found.items()} == {
        "a.weight": (4, 2, 3),
        "a.bias": (4, 2, 3),
        "b.weight": (4,),
        "b.bias": (4,),
        "g.weight": (4,),
        "c.weight": (24,),
        "c.bias": (24,),
    }
    ours = np.arange(24, dtype=np.float32).reshape(2, 3, 4) + 1
    assert (found["a.weight"] == ours.transpose(2, 0, 1)).all()
    assert (found["c.weight"] == ours.transpose(2, 0, 1).ravel()).all()
    weight = (
        load(write("input: {height: 2, width: 3, channels: 4}\nlayers: [layer_norm: all]")).graph().nodes[0].weights[0]
    )
    assert (from_torch(found["a.weight"], weight, None) == ours).all()


@pytest.mark.parametrize("shape", [(4,), (4, 1, 1)])
def test_a_parameter_of_a_module_itself_has_a_name_without_a_word(
    write: Write, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    """ConvNeXt's factors: `gamma` in timm, `layer_scale` with two axes of 1 more in torchvision."""
    spec = write(
        "input: {height: 2, width: 3, channels: 4}\n"
        "layers: [{layer_scale: {name: a}}, {layer_norm: {name: b}}, flatten, dense: {name: c, units: 2}]\n"
        'weights: {theirs: {names: {"*[scale]": "*.gamma", b: norm, "**": "m.**"}}}'
    )
    tensors = torch_tensors(spec)
    tensors = {
        "a.gamma": tensors["a.weight"].reshape(shape),
        "b.gamma": tensors["b.weight"],
        "norm.bias": tensors["b.bias"],
        "m.c.weight": tensors["c.weight"],
        "m.c.bias": tensors["c.bias"],
    }
    save_file(tensors, tmp_path / "in.safetensors")
    assert import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net").naming == "theirs"
    assert np.array_equal(read_import(tmp_path / "net")["a.scale"], [1, 2, 3, 4])
    export_weights(tmp_path / "net", tmp_path / "out.safetensors")
    assert load_file(tmp_path / "out.safetensors").keys() == tensors.keys()


@pytest.mark.parametrize(
    ("kind", "same"), [("reshape: -1", True), ("reshape: {shape: -1, order: channels_first}", False)]
)
def test_a_map_made_a_vector_by_reshape_keeps_its_order(write: Write, kind: str, same: bool) -> None:
    """As `flatten` does, unless the order is PyTorch's already."""
    net = "input: {height: 2, width: 3, channels: 4}\nlayers: [{%s}, dense: {name: d, units: 2}]"
    kernels = [torch_tensors(write(net % item))["d.weight"] for item in ("flatten: {}", kind)]
    assert bool((kernels[0] == kernels[1]).all()) == same


@pytest.mark.parametrize("kind", ["channel_shuffle: 2", "group_norm: 2"])
def test_what_depends_on_the_order_of_a_flattened_map_is_not_guessed(write: Write, kind: str) -> None:
    """PyTorch flattens in another order, so that its groups are made of other features."""
    spec = f"input: {{height: 2, width: 3, channels: 4}}\nlayers: [flatten, {{{kind}}}, dense: {{name: d, units: 2}}]"
    with pytest.raises(LayoutError, match="cannot be told"):
        torch_tensors(write(spec))


def test_a_shared_array_of_features_in_two_orders_is_not_guessed(write: Write) -> None:
    """In PyTorch the one kernel meets both maps channels first; no turned kernel does so for both shapes."""
    spec = """
inputs: {a: {height: 4, width: 2, channels: 3}, b: {height: 2, width: %d, channels: %d}}
layers:
  - flatten: {from: a}
  - dense: {name: d, units: 5}
  - flatten: {from: b}
  - dense: {name: e, weights: d}
  - add: {from: [d, e]}
"""
    with pytest.raises(LayoutError, match="cannot be told"):
        torch_tensors(write(spec % (3, 4)))
    assert torch_tensors(write(spec.replace("height: 2", "height: 4") % (2, 3)))["d.weight"].shape == (5, 24)


BRANCHES = """
inputs:
  colour: {height: 6, width: 5, channels: 3}
  depth: {height: 6, width: 5, channels: 1}
  sound: {length: 7, channels: 2}
  number: {features: 4}
layers:
  - flatten: {name: a, from: colour}
  - flatten: {name: b, from: depth}
  - flatten: {name: c, from: sound}
  - concat: {name: all, from: [a, number, b, c]}
  - dense: {name: end, units: 3}
weights:
  known: {input: {mean: [0.5, 0.25, 0.125], std: [0.5, 0.5, 0.5]}}
"""


def test_weights_of_several_inputs_go_there_and_back(write: Write, tmp_path: Path) -> None:
    """Features of two maps, a signal and a vector stand in PyTorch's order; what each image expects comes along."""
    spec = write(BRANCHES)
    rows = np.arange(90 + 4 + 30 + 14, dtype=np.float32)
    # PyTorch flattens (C, H, W) and (C, L), the vector stays between them.
    starts = np.split(rows, [90, 94, 124])
    ours = [
        starts[0].reshape(3, 6, 5).transpose(1, 2, 0).ravel(),
        starts[1],
        starts[2],  # of one channel
        starts[3].reshape(2, 7).T.ravel(),
    ]
    weight = np.repeat(rows[None], 3, axis=0)
    save_file({"end.weight": weight, "end.bias": np.zeros(3, np.float32)}, tmp_path / "in.safetensors")
    sizes = parse_input("depth=6x5", Findings())
    import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net", names="known", overrides=sizes)
    kernel = read_import(tmp_path / "net")["end.kernel"]
    assert np.array_equal(kernel[:, 0], np.concatenate(ours))
    # The means are for three channels, so the other image goes without.
    images = load(tmp_path / "net" / "spec.yaml").images
    assert images["colour"].mean == (0.5, 0.25, 0.125) and images["depth"].mean is None
    export_weights(tmp_path / "net", tmp_path / "out.safetensors", names="pytorch")
    assert np.array_equal(load_file(tmp_path / "out.safetensors")["end.weight"], weight)
    import_weights(str(spec), tmp_path / "out.safetensors", tmp_path / "again")
    assert load(tmp_path / "again" / "spec.yaml").inputs == load(tmp_path / "net" / "spec.yaml").inputs
