"""The zoo's index: it says what counting says, and only of texts that are as they were."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import archspec.zoo.index
from archspec.catalogue.listing import Recorded, counted, entry_of, listing, to_row
from archspec.cli import main
from archspec.loading import load
from archspec.reports.facts import BY_KEY
from archspec.zoo import in_zoo, similar, zoo_files, zoo_folder, zoo_index, zoo_networks, zoo_variants
from archspec.zoo.index import NAME, index_text

SEVERAL = """\
archspec: 1
name: pair
inputs: {left: {height: 9, width: 9, channels: 1}, right: {length: 9, channels: 2}}
layers:
  - conv: {filters: 2, kernel: 3, from: left}
  - flatten: {name: a}
  - conv: {filters: 2, kernel: 3, from: right}
  - flatten: {name: b}
  - concat: {from: [a, b]}
"""


def make_index() -> None:
    (zoo_folder() / NAME).write_text(index_text({path.name: entry_of(path) for path in zoo_files()}), "utf-8")


@pytest.fixture(scope="module")
def made() -> list[str]:
    """The text of the small zoo's index, once it was made: counting takes two seconds."""
    return []


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[str]) -> Path:
    """A zoo of a few files, two of which are made of others, and one of which has no variants."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    for name in ("lenet", "resnet"):
        shutil.copy(zoo_folder() / f"{name}.yaml", folder)
    (folder / "wide.yaml").write_text("archspec: 1\nname: wide\nextends: resnet.yaml#resnet18\n", "utf-8")
    (folder / "wider.yaml").write_text("archspec: 1\nname: wider\nextends: wide.yaml\nvariants:\n  a: {}\n", "utf-8")
    (folder / "pair.yaml").write_text(SEVERAL, "utf-8")
    monkeypatch.setattr("archspec.zoo.zoo_folder", lambda: folder)
    monkeypatch.setattr(f"{__name__}.zoo_folder", lambda: folder)
    if not made:
        make_index()
        made.append((folder / NAME).read_text("utf-8"))
    (folder / NAME).write_text(made[0], "utf-8")
    return folder


ALL = {"lenet.yaml", "resnet.yaml", "wide.yaml", "wider.yaml", "pair.yaml"}


def test_the_index_has_what_counting_gives(small: Path) -> None:
    networks, anew = listing()
    assert not anew and {item.family for item in networks} == {name.removesuffix(".yaml") for name in ALL}
    for path in zoo_files():
        known = [item for item in networks if item.family == path.stem]
        for one, other in zip(known, counted(path)[0], strict=True):
            assert isinstance(one, Recorded) and to_row(one) == to_row(other)
            for key in BY_KEY.keys() - {"smallest_input"}:
                assert one.figure(key) == other.figure(key), key
            assert (one.output, one.optimiser_kind) == (other.output, other.optimiser_kind)


def test_an_entry_holds_while_its_texts_are_the_same(small: Path) -> None:
    assert zoo_index().keys() == ALL
    lenet = small / "lenet.yaml"
    lenet.write_bytes(lenet.read_bytes().replace(b"\n", b"\r\n"))
    assert zoo_index().keys() == ALL
    with lenet.open("a") as file:
        file.write("# another\n")
    assert zoo_index().keys() == ALL - {"lenet.yaml"}
    (small / "resnet.yaml").write_text("archspec: 1\n", "utf-8")
    assert zoo_index().keys() == {"pair.yaml"}
    (small / "pair.yaml").unlink()
    assert zoo_index() == {}


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"archspec": "0"}', '{"files": 3}', "null"])
def test_a_damaged_index_holds_for_nothing(small: Path, text: str | None) -> None:
    (small / NAME).unlink()
    if text is not None:
        (small / NAME).write_text(text, "utf-8")
    assert zoo_index() == {}
    assert "lenet5" in zoo_variants()


def test_an_edited_index_holds_for_nothing(small: Path) -> None:
    """A figure that somebody changed, or lines that were merged, must not be shown as counted."""
    text = (small / NAME).read_text("utf-8")
    assert '"params": 61706' in text
    (small / NAME).write_text(text.replace('"params": 61706', '"params": 61707'), "utf-8")
    assert zoo_index() == {}
    (small / NAME).write_bytes(text.replace("\n", "\r\n").encode())
    assert zoo_index().keys() == ALL


def test_an_index_of_another_version_holds_for_nothing(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archspec.zoo.index, "__version__", "0.0.0")
    assert zoo_index() == {}


def test_what_is_counted_anew_is_said(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lenet = small / "lenet.yaml"
    lenet.write_text(lenet.read_text("utf-8") + "# edited\n", "utf-8")
    assert main(["zoo", "--format", "csv"]) == 0
    again, err = capsys.readouterr()
    assert again == out
    assert err.startswith("4 networks counted anew: lenet.yaml is not as the zoo's index has them")
    assert main(["zoo", "resnet", "--format", "csv"]) == 0
    assert capsys.readouterr().err == ""


def test_names_are_those_of_the_files(small: Path) -> None:
    names = list(zoo_networks())
    assert names[:4] == ["lenet5", "lenet5_1998", "lenet1", "lenet_caffe"]
    assert zoo_networks()["pair"] == (small / "pair.yaml", None)
    assert zoo_networks()["a"] == (small / "wider.yaml", "a")
    known = zoo_variants()
    (small / NAME).unlink()
    assert zoo_variants() == known and list(zoo_networks()) == names
    assert [in_zoo(name) for name in known] == list(known.values())


def test_a_misspelt_name_opens_no_file(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a file is opened")

    monkeypatch.setattr("archspec.zoo.open_document", refuse)
    assert similar("lenet_5") == "did you mean `lenet5`?"
    assert in_zoo("lenet_5") is None


def test_a_name_stands_for_families_that_begin_with_it(small: Path) -> None:
    for name in ("lenet_small", "lenets"):
        (small / f"{name}.yaml").write_text(f"archspec: 1\nname: {name}\nextends: lenet.yaml#lenet1\n", "utf-8")
    assert {item.family for item in listing(["lenet"]).networks} == {"lenet", "lenet_small"}
    assert [item.label for item in listing(["lenets", "wide"]).networks] == ["lenets", "wide"]


def test_some_families_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "vgg", "lenet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("lenet5 ") and lines[-1].startswith("vgg19_bn ")
    assert {path.stem for path, _ in zoo_networks().values()} > {"lenet", "vgg"}
    assert len(lines) == 3 + sum(path.stem in ("lenet", "vgg") for path, _ in zoo_networks().values())


@pytest.mark.parametrize(
    ("word", "help"),
    [
        ("resnet50", "it is a network of the family resnet: `archspec zoo resnet`, or `archspec report resnet50`"),
        ("specs/zoo/vgg.yaml", "write `archspec zoo vgg`"),
        ("VGG", "did you mean `vgg`?"),
        ("goglenet", "did you mean `googlenet`?"),
        ("transformers", "families: alexnet, "),
    ],
)
def test_what_is_no_family_is_said(word: str, help: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "lenet", word]) == 1
    err = capsys.readouterr().err
    assert f"error[E113]: the zoo has no family '{word}'" in err and f"= help: {help}" in err


def test_a_file_of_tensors_is_told_from_networks_by_their_largest_arrays(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archspec.weights.matching import named_alike

    assert zoo_index()["lenet.yaml"].networks["lenet5"]["largest_arrays"] == [840, 2400, 10080, 48000]
    opened: list[str] = []

    def watched(name: str) -> Any:
        opened.append(name)
        return load(name)

    monkeypatch.setattr("archspec.loading.load", watched)
    spec = load("lenet5")
    weights = [(f"{node.path}.{weight.name}", weight.shape) for node in spec.graph().nodes for weight in node.weights]
    file: Any = SimpleNamespace(shapes=dict(weights))
    assert named_alike(file) in ([], ["its tensors are those of lenet5"])
    assert opened == ["lenet5"]
