"""Files of PyTorch's and safetensors: what is read of them, what is refused, and that nothing in them runs."""

from __future__ import annotations

import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from archspec.cli import main
from archspec.diagnostics import DataError
from archspec.graph import Graph
from archspec.loading import load
from archspec.runs.imports import read_import
from archspec.spec.train import InitFrom
from archspec.training.beginning import initial_weights
from archspec.weights import contents, pickles, torch_files
from archspec.weights.files import open_tensors, write_tensors
from archspec.weights.folder import export_weights, import_weights
from archspec.weights.matching import Match, check_values, match

Write = Callable[..., Path]

NET = """
input: {height: 5, width: 5, channels: 3}
layers:
  - conv: {name: c, filters: 4, kernel: 3}
  - batch_norm: {name: n}
  - global_avg_pool
  - dense: {name: d, units: 5}
"""
SHAPES = {
    "c.weight": (4, 3, 3, 3),
    "c.bias": (4,),
    "n.weight": (4,),
    "n.bias": (4,),
    "n.running_mean": (4,),
    "n.running_var": (4,),
    "d.weight": (5, 4),
    "d.bias": (5,),
}


def value(name: str) -> np.ndarray:
    """The tensor that record_files.py wrote: number i holds 8 i + 0, 1, …, 7, 0, 1, …"""
    shape = SHAPES[name]
    numbers = np.arange(np.prod(shape)).reshape(shape) % 8 + 8 * list(SHAPES).index(name)
    return numbers.astype(np.float32)


def tensors() -> dict[str, np.ndarray]:
    return {name: value(name) for name in SHAPES}


@cache
def recorded() -> dict[str, bytes]:
    """What PyTorch wrote, by file."""
    packed = (Path(__file__).parent / "files.tar.xz").read_bytes()
    with tarfile.open(fileobj=BytesIO(lzma.decompress(packed))) as tar:
        return {item.name: tar.extractfile(item).read() for item in tar.getmembers()}  # type: ignore[union-attr]


@cache
def graph() -> Graph:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "net.yaml"
        path.write_text("archspec: 1\nname: net\n" + NET)
        return load(path).graph()


def matched(path: Path, prefix: str | None = None) -> Match:
    with open_tensors(path) as file:
        found = match(graph(), {}, file, None, prefix)
    check_values(found, path)
    return found


def is_right(found: Match) -> bool:
    """Whether each array has the numbers of its tensor, in the order of axes that they have here."""
    turned = {"c.kernel": value("c.weight").transpose(2, 3, 1, 0), "d.kernel": value("d.weight").T}
    words = {"scale": "weight", "mean": "running_mean", "var": "running_var"}
    plain = {
        name: value(f"{name.partition('.')[0]}.{words.get(name.partition('.')[2], name.partition('.')[2])}")
        for name in found.arrays
        if name not in turned
    }
    expected = {**turned, **plain}
    return len(found.arrays) == 8 and all(np.array_equal(found.arrays[name], expected[name]) for name in expected)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def written(name: str) -> Path:
        (tmp_path / name).write_bytes(recorded()[name])
        return tmp_path / name

    return written


File = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "stripped", "left"),
    [
        ("plain.pth", {}, 0),
        ("stream.pth", {"model.": 9}, 0),
        ("model.state_dict.pth", {"model.state_dict.": 9}, 0),
        ("model_state.pth", {"model_state.": 9}, 0),
        ("params.pth", {"params.": 9}, 0),
        ("model_state_dict.pth", {"model_state_dict.": 9}, 0),
        ("net.pth", {"net.": 9}, 0),
        ("ema.pth", {"ema.": 9}, 0),
        ("weights.pth", {"weights.": 9}, 0),
        ("twice.pth", {"state_dict.": 9}, 0),
        ("list.pth", {"1.": 9}, 0),
        ("tuple.pth", {"0.": 9}, 0),
        ("namespace.pth", {"model_state.": 9}, 1),
        ("unknown_class.pth", {"state_dict.": 9}, 0),
        ("lightning.pth", {"state_dict.model._orig_mod.": 9}, 1 + 18),
        ("orig_mod.pth", {"_orig_mod.module.": 9}, 0),
        ("averaged.pth", {"module.": 9}, 1),
        ("backbone.pth", {"backbone.": 9}, 0),
        ("inner.pth", {"module.": 2}, 0),
        ("parts.pth", {"encoder.": 6, "head.": 2}, 0),
        ("ends.pth", {"_ema": 8}, 0),
        ("module.pth", {}, 0),
        ("module_in_dict.pth", {"model.": 9}, 0),
        ("script.pt", {}, 0),
        ("parameters.pth", {}, 0),
        ("strided.pth", {}, 0),
        ("view.pth", {}, 0),
        ("arrays2.pkl", {"model.": 9}, 0),
        ("arrays5.pkl", {"model.": 9}, 0),
        ("arrays_big_endian.pkl", {"model.": 9}, 0),
        ("float64.pth", {}, 0),
        ("float16.pth", {}, 0),
        ("bfloat16.pth", {}, 0),
        ("float8_e4m3fn.pth", {}, 0),
        ("float8_e5m2.pth", {}, 0),
    ],
)
def test_the_tensors_are_found_wherever_they_lie(file: File, name: str, stripped: dict[str, int], left: int) -> None:
    found = matched(file(name))
    assert is_right(found)
    assert found.full
    assert (dict(found.stripped), len(found.left)) == (stripped, left)
    text = found.summary()
    assert all(f"`{word}` was taken off" in text for word in stripped)
    assert ("left out" in text) == bool(left)


@pytest.mark.parametrize(
    ("name", "places", "prefix"),
    [
        ("teacher.pth", ("teacher.backbone.", "student.module.backbone."), "teacher"),
        (
            "momentum.pth",
            ("state_dict.module.encoder_q.", "state_dict.module.encoder_k."),
            "state_dict.module.encoder_k.",
        ),
        ("averages.pth", ("state_dict.", "state_dict_ema."), "state_dict_ema"),
    ],
)
def test_of_two_networks_in_a_file_one_has_to_be_chosen(
    file: File, name: str, places: tuple[str, ...], prefix: str
) -> None:
    with pytest.raises(DataError) as error:
        matched(file(name))
    assert error.value.code == "E541"
    assert all(f"`{place}`" in error.value.message for place in places)
    found = matched(file(name), prefix)
    assert is_right(found)
    assert found.full
    assert len(found.left) == 8
    assert all(tensor.startswith(prefix) for tensor in found.matched.values())
    with pytest.raises(DataError, match="begins with `elsewhere`"):
        matched(file(name), "elsewhere")


def test_training_begins_with_the_one_that_is_chosen(write: Write, file: File) -> None:
    spec = load(write(NET))
    with pytest.raises(DataError, match="in 2 places") as error:
        initial_weights(InitFrom(path=str(file("teacher.pth"))), spec, spec.graph())
    assert "prefix: teacher.backbone." in error.value.help[1]
    found = initial_weights(InitFrom(path=str(file("teacher.pth")), prefix="student"), spec, spec.graph())
    assert np.array_equal(found.arrays["d.kernel"], value("d.weight").T)
    assert any("8 tensors lie elsewhere" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("complex64.pth", "E540", "c.weight is of complex numbers (complex64)"),
        ("sparse.pth", "E540", "c.weight is sparse"),
        ("sparse_rows.pth", "E540", "c.weight is sparse"),
        ("quantised.pth", "E540", "c.weight is quantised"),
        ("meta.pth", "E540", "c.weight is without data"),
        ("int8.pth", "E540", "c.weight is of whole numbers (int8)"),
        ("int64.pth", "E540", "c.weight is of whole numbers (int64)"),
        ("uint16.pth", "E540", "c.weight is of whole numbers (uint16)"),
        ("bool.pth", "E540", "c.weight is of whole numbers (bool)"),
        ("negative.pth", "E539", "n.running_var (-43)"),
        ("none.pth", "E532", "epoch (int) and args (argparse.Namespace)"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_named(file: File, name: str, code: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        matched(file(name))
    assert error.value.code == code
    assert words in f"{error.value.message} {error.value.notes}"


def test_what_lies_at_the_top_is_listed_where_no_tensor_is_known(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(
        pickle.dumps({"epoch": 3, "model": None, "scaler": {"scale": np.ones(1, np.float32)}})
    )
    with pytest.raises(DataError) as error:
        matched(tmp_path / "w.pkl")
    assert error.value.code == "E536"
    assert "at its top are epoch (int), model (NoneType) and scaler (dict)" in error.value.notes


def test_a_number_in_place_of_a_vector(file: File) -> None:
    found = matched(file("number.pth"))
    assert found.misshaped == {"d.bias": "is a number, not 5"}


def test_the_command_says_what_it_took_and_what_it_left(
    write: Write, file: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = str(write(NET))
    assert main(["weights", "import", spec, str(file("teacher.pth")), "-o", str(tmp_path / "a")]) == 1
    assert "--prefix teacher.backbone." in capsys.readouterr().err
    command = ["weights", "import", spec, str(file("teacher.pth")), "-o", str(tmp_path / "a"), "--prefix", "teacher"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "8 tensors matched" in out
    assert "`teacher.` was taken off 9 names" in out
    assert "8 tensors lie elsewhere in the file and were left out: student (8)" in out
    assert main(["weights", "import", spec, str(file("number.pth")), "-o", str(tmp_path / "b"), "--partial"]) == 0
    out = capsys.readouterr().out
    assert "7 tensors matched" in out
    assert "1 of another shape: d.bias is a number, not 5" in out
    assert "1 array was drawn at random" in out


def test_numbers_that_float32_cannot_hold(tmp_path: Path) -> None:
    odd = {name: array.astype(np.float64) for name, array in tensors().items()}
    odd["d.bias"] += 1e-9
    save_file(odd, tmp_path / "w.safetensors")
    found = matched(tmp_path / "w.safetensors")
    assert found.rounded == 1
    assert "numbers of 1 tensor were rounded to float32" in found.summary()
    odd["d.bias"][0] = 1e300
    save_file(odd, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match=r"more than float32 can hold in 1 tensor: d\.bias"):
        matched(tmp_path / "w.safetensors")


@pytest.mark.parametrize("kind", ["float8_e4m3fn", "float8_e5m2", "bfloat16", "float16"])
def test_safetensors_of_small_floats(tmp_path: Path, kind: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, kind, None) or kind)
    (tmp_path / "w.safetensors").write_bytes(safetensors({"c.weight": (kind, value("c.weight").astype(dtype))}))
    assert is_right(matched(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"])
def test_safetensors_of_whole_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "w.safetensors").write_bytes(safetensors({"c.weight": (kind, value("c.weight").astype(kind))}))
    with pytest.raises(DataError, match=rf"c\.weight is of whole numbers \({kind}\)"):
        matched(tmp_path / "w.safetensors")


CODES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "bool": "BOOL",
    **{f"{word}int{bits}": f"{sign}{bits}" for word, sign in (("", "I"), ("u", "U")) for bits in (8, 16, 32, 64)},
}


def safetensors(other: dict[str, tuple[str, np.ndarray]]) -> bytes:
    """The bytes of a safetensors file of the network's tensors, some of them others."""
    header: dict[str, Any] = {}
    data = b""
    for name, (kind, array) in {**{name: ("float32", value(name)) for name in SHAPES}, **other}.items():
        content = array.tobytes()
        header[name] = {
            "dtype": CODES[kind],
            "shape": array.shape,
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    return with_header(header, data)


def with_header(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**31) + b"{" * 100,
        with_header({"c.weight": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, b"0000"),
        with_header({"c.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**60]}}, b"0000"),
        with_header({"c.weight": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, b"0000"),
        with_header({"c.weight": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"0000"),
        with_header({"c.weight": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, b"0000"),
        with_header({"c.weight": 3}, b""),
        with_header(
            {name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in ("c.weight", "c.bias")}, b"0000"
        ),
        with_header(b'{"a":' + b"[" * 100_000, b""),
        with_header(b"[" * 100_000 + b"]" * 100_000, b""),
        with_header(b'{"\xff": 3}', b""),
    ],
)
def test_safetensors_that_lie(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(DataError) as error:
        matched(tmp_path / "w.safetensors")
    assert error.value.code == "E532"


def test_what_a_file_says_of_itself_may_be_nested_as_it_likes(write: Write, tmp_path: Path) -> None:
    for said in ("[" * 100_000, '{"input":' * 50_000, '{"input": 3, "classes": 4}', "[]", "3"):
        write_tensors(tmp_path / "w.safetensors", tensors(), {"archspec": said})
        assert import_weights(str(write(NET)), tmp_path / "w.safetensors", tmp_path / "net").full


class Call:
    """Calls something when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_nothing_of_a_pickle_runs(tmp_path: Path) -> None:
    """Calls of all kinds, beside tensors, which are read all the same."""
    target = tmp_path / "ran"
    calls = [
        Call(os.mkdir, str(target)),
        Call(eval, f"__import__('os').mkdir({str(target)!r})"),
        Call(Path.touch, target),
    ]
    for protocol in range(6):
        content = pickle.dumps({"model": tensors(), "hooks": calls}, protocol)
        (tmp_path / "w.pkl").write_bytes(content)
        if protocol:  # the first writes arrays as text that only its own reader decodes
            assert is_right(matched(tmp_path / "w.pkl"))
    for code in (b"cos\nmkdir\n(X\x04\x00\x00\x00/ranoR.", b"(X\x01\x00\x00\x00aios\nmkdir\n.", b"\x80\x02\x82\x01."):
        (tmp_path / "w.pkl").write_bytes(code)
        with pytest.raises(DataError):
            matched(tmp_path / "w.pkl")
    assert not target.exists()


def test_pickles_that_would_grow_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(content: bytes, words: str) -> None:
        (tmp_path / "w.pkl").write_bytes(content)
        with pytest.raises(DataError) as error:
            matched(tmp_path / "w.pkl")
        assert error.value.code == "E532"
        assert words in f"{error.value.message} {error.value.notes}"

    refused(b"\x80\x02" + b"]" + b"q\x00" + b"(" + b"h\x00" * 10 + b"e.", "no tensors")  # a list within itself
    monkeypatch.setattr(contents, "MAX_VISITED", 10_000)
    twice = b"](h%ch%ceq%c"
    refused(b"\x80\x02]q\x00" + b"".join(twice % (n, n, n + 1) for n in range(25)) + b".", "no tensors")
    key = b"X\x08\x00\x00\x00_modules"
    module = b"cm\nM\n)\x81}" + key + b"}(U\x01ah%cU\x01bh%cusbq%c"
    refused(b"\x80\x02]q\x00" + b"".join(module % (n, n, n + 1) for n in range(25)) + b".", "10,000 values")
    refused(b"\x80\x02" + b"(" * 200_000 + b"t" * 199_999 + b".", "no tensors")
    refused(b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".", "no pickle")  # bytes that are not there
    refused(b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b".", "no pickle")
    refused(b"\x80\x02r\xff\xff\xff\xff.", "no pickle")  # a place in the memo before anything is there
    refused(b"\x80\x02]r\xff\xff\xff\x7f.", "no tensors")
    refused(b"\x80\x02}(" + b"(" * 50_000 + b"t" * 50_000 + b"K\x01u.", "no tensors")  # a deep key is never hashed
    monkeypatch.setattr(pickles, "MAX_OPERATIONS", 1000)
    refused(b"\x80\x02" + b"N0" * 2000 + b"N.", "1,000 steps")


def archive(pickled: bytes, entries: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for name, content in {"a/data.pkl": pickled, **entries}.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_archives_that_would_unpack_to_gigabytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_files, "MAX_UNPACKED", 2**20)
    content = archive(b"\x80\x02}.", {"a/data/0": bytes(2**21)}, zipfile.ZIP_DEFLATED)
    assert len(content) < 2**13
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(DataError, match="unpacks to"):
        matched(tmp_path / "w.pth")


def test_other_archives_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as other:
        other.writestr("a.txt", "a")
    with pytest.raises(DataError, match=r"zip archive without the pickle of PyTorch's; it holds a\.txt"):
        matched(tmp_path / "w.zip")
    (tmp_path / "w.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(DataError, match="damaged HDF5"):
        matched(tmp_path / "w.h5")


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("name", ["plain.pth", "stream.pth", "arrays2.pkl", "script.pt", "sparse.pth"])
def test_damaged_files_are_answered(file: File, name: str) -> None:
    """Cut short at many places, and with bytes that are others: numbers or an answer, never anything else."""
    content = recorded()[name]
    path = file(name)
    generator = np.random.default_rng(0)
    answers = 0
    for case in range(120):
        damaged = bytearray(content)
        if case % 2:
            damaged = damaged[: int(generator.integers(len(content)))]
        else:
            for place in generator.integers(0, len(content), 1 + case // 20):
                damaged[place] = int(generator.integers(256))
        path.write_bytes(damaged)
        try:
            matched(path)
        except DataError:
            answers += 1
    assert answers >= 60


def test_a_tensor_outside_of_its_storage(file: File) -> None:
    content = recorded()["plain.pth"]
    with zipfile.ZipFile(BytesIO(content)) as source:
        names = {item.filename: source.read(item) for item in source.infolist()}
    root = next(name for name in names if name.endswith("data.pkl")).removesuffix("data.pkl")
    for key, tensor in (("0", "c.weight"), ("5", "n.running_var")):
        short = {name: value[:-8] if name == f"{root}data/{key}" else value for name, value in names.items()}
        path = file("plain.pth")
        with zipfile.ZipFile(path, "w") as target:
            for name, value in short.items():
                target.writestr(name, value)
        with pytest.raises(DataError, match="lies outside of the bytes") as error:
            matched(path)
        assert tensor in error.value.message


@pytest.mark.parametrize(("marks", "numbers"), [(b"", [1, -2]), (b"}", [1, -2]), (b"}X\3\0\0\0neg\x88s", [-1, 2])])
def test_a_view_with_the_other_sign_has_the_other_sign(tmp_path: Path, marks: bytes, numbers: list[float]) -> None:
    """What torch.save writes of a tensor whose `is_neg()` is true, as `.conj().imag` of a complex one."""
    storage = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\2tQ"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0K\2\x85K\1\x85\x89}" + marks + b"tR"
    data = struct.pack("<2f", 1, -2)
    (tmp_path / "a.pth").write_bytes(archive(b"\x80\2}X\1\0\0\0x" + call + b"s.", {"a/data/0": data}))
    with open_tensors(tmp_path / "a.pth") as file:
        assert file.tensors["x"].load().tolist() == numbers


def test_equal_exports_are_equal_files(write: Write, tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "in.safetensors")
    import_weights(str(write(NET)), tmp_path / "in.safetensors", tmp_path / "net")
    written = set()
    for number in range(6):
        export_weights(tmp_path / "net", tmp_path / f"{number}.safetensors")
        written.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(written) == 1
    assert all(np.array_equal(array, value(name)) for name, array in load_file(tmp_path / "0.safetensors").items())
    assert read_import(tmp_path / "net").keys() == {f"{n.path}.{w.name}" for n in graph().nodes for w in n.weights}
    with open_tensors(tmp_path / "0.safetensors") as file:
        assert set(file.about) == {"archspec", "format", "network"}


def test_names_that_lowering_escapes_are_the_specs_in_files(write: Write, tmp_path: Path) -> None:
    spec = write(NET.replace("name: c,", "name: trace_,").replace("name: d,", "name: eval,"))
    own = {"c.": "trace_.", "d.": "eval."}
    theirs = {own.get(name[:2], name[:2]) + name[2:]: array for name, array in tensors().items()}
    save_file(theirs, tmp_path / "in.safetensors")
    assert import_weights(str(spec), tmp_path / "in.safetensors", tmp_path / "net").full
    assert {"trace_.kernel", "eval.kernel"} <= read_import(tmp_path / "net").keys()
    export_weights(tmp_path / "net", tmp_path / "out.safetensors")
    assert load_file(tmp_path / "out.safetensors").keys() == theirs.keys()
    from PIL import Image

    from archspec.inference.predicting import predict

    Image.fromarray(np.full((5, 5, 3), 255, np.uint8)).save(tmp_path / "white.png")
    (answer,) = predict(tmp_path / "net", [tmp_path / "white.png"], top=1)
    save_file(tensors(), tmp_path / "plain.safetensors")
    import_weights(str(write(NET, "plain.yaml")), tmp_path / "plain.safetensors", tmp_path / "plain")
    assert answer.classes == predict(tmp_path / "plain", [tmp_path / "white.png"], top=1)[0].classes
