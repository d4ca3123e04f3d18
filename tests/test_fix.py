"""`archspec validate --fix`: what it changes in files, what it leaves, and what it says."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec.cli import main
from archspec.commands.validate import findings_of
from archspec.diagnostics import Findings
from archspec.mending import Mender, Reading, applied


def read(target: str) -> Reading:
    findings = Findings()
    found, _ = findings_of(target, (), findings)
    return Reading(tuple(found), frozenset(path.resolve() for path in findings.files))


WRONG = """\
archspec: 1
name: net   # a comment
input: {height: 28, width: 28, channels: 1}
layers:
  - Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}   # first
  - "ReLU"
  - flaten
  - linear: {out_features: 10}
trian: {epochs: 3, optimizer: {adam: {lr: 0.1}}}
"""
RIGHT = """\
archspec: 1
name: net   # a comment
input: {height: 28, width: 28, channels: 1}
layers:
  - conv: {filters: 8, kernel: 3, pad: 1}   # first
  - "relu"
  - flatten
  - dense: {units: 10}
train: {epochs: 3, optimiser: {adam: {learning_rate: 0.1}}}
"""


def test_padding_of_keras_stays_what_it_is(write: Callable[..., Path]) -> None:
    """Of 96 pixels with a stride of 2, Keras pads none before and one after; `pad: same` would pad both sides."""
    path = write(
        "archspec: 1\nname: net\ninput: {height: 96, width: 96, channels: 3}\nlayers:\n"
        "  - Conv2D: {filters: 4, kernel_size: 3, strides: 2, padding: same, activation: relu}\n"
        "  - MaxPooling2D: {pool_size: 3, strides: 2, padding: 'SAME'}\n"
        "  - Flatten\n  - Dense: 3\n",
        whole=True,
    )
    assert main(["validate", "--fix", str(path)]) == 0
    text = path.read_text("utf-8")
    assert "- conv: {filters: 4, kernel: 3, stride: 2, pad: same_upper}\n  - relu\n" in text
    assert "- max_pool: {window: 3, stride: 2, pad: same_upper}\n" in text
    from jax.lax import padtype_to_pads

    from archspec.layers._window import Windowed

    windowed = [node for node in archspec.load(path).graph().nodes if node.kind in ("conv", "max_pool")]
    assert len(windowed) == 2
    for node in windowed:
        assert isinstance(node.layer, Windowed)
        taken = node.input_types[0]
        pads = padtype_to_pads(taken.shape[:2], (3, 3), (2, 2), "SAME")
        assert [tuple(side) for side in node.layer.padding(taken)] == pads == [(0, 1), (0, 1)]


def test_what_leaves_no_doubt_is_mended_and_shown(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(WRONG, whole=True)
    assert main(["validate", "--fix", str(path)]) == 0
    assert path.read_text("utf-8") == RIGHT
    out = capsys.readouterr().out
    assert f"mended: {path}:7:5: E204, did you mean `flatten`?\n  -   - flaten\n  +   - flatten\n" in out
    # The fields of kinds that there were not are told of once there are such kinds.
    assert out.count("mended: ") == 11
    assert f"11 mends in {path}" in out and "ok: net" in out
    assert main(["validate", "--fix", str(path)]) == 0
    assert capsys.readouterr().out.startswith("ok: net")
    assert path.read_text("utf-8") == RIGHT


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "mark"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("last", [True, False], ids=["", "unended"])
def test_the_rest_of_the_file_stays_as_it_is(tmp_path: Path, mark: bytes, ending: str, last: bool) -> None:
    def bytes_of(text: str) -> bytes:
        return mark + (text if last else text.rstrip("\n")).replace("\n", ending).encode()

    target, link = tmp_path / "net.yaml", tmp_path / "link.yaml"
    target.write_bytes(bytes_of(WRONG))
    target.chmod(0o640)
    link.symlink_to(target)
    assert main(["validate", "--fix", str(link)]) == 0
    assert target.read_bytes() == bytes_of(RIGHT)
    assert link.is_symlink() and target.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link.yaml", "net.yaml"]


def test_a_mend_that_brings_another_error_is_not_made(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "input: {height: 8, width: 8, channels: 3}\nlayers: [conv: {filters: 8, kernal: 30}]\n"
    path = write(text)
    before = path.read_text("utf-8")
    assert main(["validate", "--fix", str(path)]) == 1
    assert path.read_text("utf-8") == before
    told = capsys.readouterr()
    assert "mended: " not in told.out
    assert f"not mended: {path}:4:29: E201, since with it E301 would come in line 4" in told.err


def test_names_that_may_be_siblings_are_left(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        "input: {height: 8, width: 8, channels: 3}\n"
        "layers: [relu: {name: branch1}, tanh: {from: input}, add: {from: [tanh1, branch2]}]\n"
    )
    before = path.read_text("utf-8")
    assert main(["validate", "--fix", str(path)]) == 1
    assert path.read_text("utf-8") == before
    assert "left to you: 1 finding that can be mended in more than one way, or not without doubt" in (
        capsys.readouterr().err
    )


def test_one_mend_and_what_it_brings_to_light(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        "input: {height: 8, width: 8, channels: 3}\nargs: {wide: 4}\n"
        "layers: [conv: {filters: $(wide), kernal: 30}, flaten, dense: {unit: 3}]\n"
    )
    assert main(["validate", "--fix", str(path)]) == 1
    # The kernel that does not fit is the user's to change; what does not depend on it is mended.
    assert "kernal: 30}, flatten, dense: {units: 3}" in path.read_text("utf-8")


def test_a_library_is_mended_for_all_that_import_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = tmp_path / "blocks.yaml"
    library.write_text("archspec: 1\nblocks: {one: {layers: [conv: {filters: 4, kernal: 3}]}}\n")
    net = "archspec: 1\nname: net\nimport: [blocks.yaml]\ninput: {height: 8, width: 8, channels: 3}\nlayers: [one]\n"
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(net)
    assert main(["validate", "--fix", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]) == 0
    assert "kernel: 3" in library.read_text()
    out = capsys.readouterr().out
    assert out.count("mended: ") == 1 and out.count("ok: net") == 2
    # Whether a third spec reads it is not known.
    assert "blocks.yaml is read by what was named; others that read it were not looked at" in out


def test_a_file_that_cannot_be_written_is_left_and_the_others_are_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, mended = (tmp_path / name for name in ("kept.yaml", "mended.yaml"))
    for path in (kept, mended):
        path.write_text(WRONG, "utf-8")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "kept.yaml" and access(path, mode))
    assert main(["validate", "--fix", str(kept), str(mended)]) == 1
    assert kept.read_text("utf-8") == WRONG and mended.read_text("utf-8") == RIGHT
    said = capsys.readouterr()
    assert "kept.yaml is read-only" in said.err and "not looked at" not in said.out


def test_a_mend_must_do_no_harm_to_another_variant(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    # `strides` is the variant's own misspelling of an argument; `window` is one of both.
    path = write(
        "input: {height: 8, width: 8, channels: 3}\nargs: {size: 2}\n"
        "layers: [max_pool: {windw: $(size), stride: 1}]\nvariants: {small: {}, large: {size: 30}}\n"
    )
    before = path.read_text("utf-8")
    assert main(["validate", "--fix", str(path)]) == 1
    assert path.read_text("utf-8") == before
    assert "not mended" in capsys.readouterr().err


def test_a_variant_is_mended_with_its_whole_file(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        "input: {height: 8, width: 8, channels: 3}\nargs: {size: 2}\n"
        "layers: [max_pool: {windw: $(size), stride: 1}]\nvariants: {small: {}, large: {size: 30}}\n"
    )
    before = path.read_text("utf-8")
    # It does no harm to the one that is named, but to the other.
    assert main(["validate", "--fix", f"{path}#small"]) == 1
    assert path.read_text("utf-8") == before
    assert main(["validate", "--fix", str(path), "--set", "args.size=3"]) == 1
    assert "E113" in capsys.readouterr().err and path.read_text("utf-8") == before


@pytest.mark.parametrize("folder", ["site-packages/other", "dist-packages"])
def test_files_of_packages_are_left(tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / folder / "net.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(WRONG, "utf-8")
    assert main(["validate", "--fix", str(path)]) == 1
    assert path.read_text("utf-8") == WRONG
    assert "is another package's" in capsys.readouterr().err


def test_standard_input_is_mended_to_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, status in ((WRONG, 0), (RIGHT, 0), (RIGHT.replace("units: 10", "units: -1"), 1)):
        monkeypatch.setattr("archspec.source._taken", {})
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main(["validate", "--fix", "-"]) == status
        told = capsys.readouterr()
        assert told.out == (text if status else RIGHT)
        assert ("mended: standard input:7:5" in told.err) == (text == WRONG)


def test_as_data(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = write(WRONG.replace("height: 28", "height: -28"), whole=True)
    assert main(["validate", "--format", "json", str(path)]) == 1
    items = json.loads(capsys.readouterr().out)
    mend = next(item for item in items if "flaten" in item["message"])["mends"][0]
    place = {"file": str(path), "line": 7, "column": 5, "end_line": 7, "end_column": 11}
    edits = [{**place, "text": "flatten"}]
    assert mend == {"help": "did you mean `flatten`?", "certain": True, "edits": edits}
    assert main(["validate", "--fix", "--format", "json", str(path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == [str(path)]
    first = told["mended"][0]
    assert first["before"] == [WRONG.splitlines()[4]] and first["code"] == "E204"
    assert [item["code"] for item in told["left"]] == ["E206"]


def test_a_file_that_was_changed_meanwhile_is_not_written(
    write: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(WRONG, whole=True)

    def all_and_more(self: Mender) -> object:
        fixed = whole(self)
        path.write_text(WRONG + "# more\n", "utf-8")
        return fixed

    whole = Mender.all
    monkeypatch.setattr(Mender, "all", all_and_more)
    assert main(["validate", "--fix", str(path)]) == 1
    assert path.read_text("utf-8") == WRONG + "# more\n"
    told = capsys.readouterr()
    assert "E534" in told.err and "was changed meanwhile" in told.err and "mended" not in told.out


def test_how_many_may_be_mended_is_said(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(write(WRONG, whole=True))]) == 1
    assert capsys.readouterr().err.endswith("5 errors\n5 of them may be mended by --fix\n")
    assert main(["validate", str(write("layers: [relu]"))]) == 1
    assert "--fix" not in capsys.readouterr().err


def test_the_zoo_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    from archspec.mending import is_foreign
    from archspec.zoo import zoo_files

    assert all("is of the zoo" in (is_foreign(path) or "") for path in zoo_files())


def test_edits_that_meet_are_refused() -> None:
    from archspec.diagnostics import Edit, Source, Span

    source = Source("a", "abc")
    edits = [Edit(Span(source, 1, 1, 1, 3), "x"), Edit(Span(source, 1, 2, 1, 3), "y")]
    with pytest.raises(ValueError, match="overlap"):
        applied("abc", edits)
    assert applied("abc", [Edit(Span(source, 1, 2, 1, 2), "1"), Edit(Span(source, 1, 2, 1, 2), "2")]) == "a12bc"


def test_specs_are_read_a_few_times_for_many_mends(write: Callable[..., Path]) -> None:
    path = write(WRONG, whole=True)
    reads = []

    def counted(target: str) -> Reading:
        reads.append(target)
        return read(target)

    fixed = Mender([str(path)], counted).all()
    assert not fixed.findings and len(fixed.steps) == 11
    # At first all at once, and what that brings to light with it: no reading for each mend.
    assert len(reads) < 6


KERAS = """\
archspec: 1
name: mnist_convnet
input_shape: [28, 28, 1]
layers:
  - Conv2D: {filters: 32, kernel_size: [3, 3], activation: relu}
  - MaxPooling2D: {pool_size: [2, 2]}
  - Conv2D: {filters: 64, kernel_size: [3, 3], activation: relu}
  - MaxPooling2D: {pool_size: [2, 2]}
  - Flatten
  - Dropout: 0.5
  - Dense: {units: 10}
train: {optimizer: adam, lr: 0.001, batch: 128, epochs: 15, loss: categorical_crossentropy, metrics: [acc]}
"""
TORCH = """\
archspec: 1
name: lenet
input: [1, 32, 32]
layers:
  - type: Conv2d
    in_channels: 1
    out_channels: 6
    kernel_size: 5
  - type: ReLU
  - type: MaxPool2d
    params: {kernel_size: 2, stride: 2}
  - type: Conv2d
    in_channels: 6
    out_channels: 16
    kernel_size: 5
  - type: ReLU
  - {type: MaxPool2d, params: {kernel_size: 2}}
  - Flatten
  - Linear: {in_features: 400, out_features: 120}
  - ReLU: {inplace: true}
  - Linear: {in_features: 120, out_features: 84}
  - ReLU
  - Linear: {in_features: 84, out_features: 10}
"""


@pytest.mark.parametrize(("text", "params"), [(KERAS, 34_826), (TORCH, 61_706)], ids=["keras", "torch"])
def test_networks_in_other_libraries_words(
    text: str, params: int, write: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Parameters are those that Keras' example of a simple convnet and PyTorch's tutorial of neural networks count."""
    path = write(text, whole=True)
    assert main(["validate", "--fix", str(path)]) == 0
    assert f" {params:,} parameters" in capsys.readouterr().out


def test_what_a_wrong_name_hid_is_no_harm(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    """What stands within an entry is read once its kind is known: a field of it that is unknown was so before."""
    text = "input: {height: 9, width: 9, channels: 3}\nlayers: [MaxPooling2D: {window: 2, colour: red}]\n"
    path = write(text)
    assert main(["validate", "--fix", str(path)]) == 1
    assert "max_pool: {window: 2, colour: red}" in path.read_text("utf-8")
    path = write(text.replace(", colour: red", ""))
    assert main(["validate", "--fix", str(path)]) == 0
    assert "W301" in capsys.readouterr().err


def test_one_mend_that_does_harm_is_found_among_many(write: Callable[..., Path]) -> None:
    layers = ["conv: {filters: 4, kernel: 3, padd: same}"] * 40
    layers.insert(30, "conv: {filters: 4, kernal: 30}")
    path = write("input: {height: 8, width: 8, channels: 3}\nlayers:\n" + "".join(f"  - {item}\n" for item in layers))
    reads = []

    def counted(target: str) -> Reading:
        reads.append(target)
        return read(target)

    fixed = Mender([str(path)], counted).all()
    assert len(fixed.steps) == 40 and [item.message for item in fixed.left] == ["conv has no field `kernal`"]
    assert len(reads) < 35
