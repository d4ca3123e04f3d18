"""Source code of networks: what its text is like, whatever the framework."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.exporting.source import flax, torch
from archspec.exporting.source.borrowing import with_blocks
from archspec.exporting.source.heading import left_out
from archspec.exporting.subject import Subject, subject_of
from archspec.graph import Graph
from archspec.images.preparation import Preparation
from archspec.loading import Spec, load
from archspec.zoo import zoo_networks
from tests.zoo import SAMPLE

FEW = ["lenet5", "resnet50", "segnet_basic", "densenet121", "mobilenet_v2", "nasnet_a_mobile", "efficientnet_v2_s"]


def texts(spec: Spec, graph: Graph | None = None) -> dict[str, str]:
    """The source code of a network by framework."""
    own = spec.graph().pruned("eval") if graph is None else graph
    subject = Subject(spec, own, {}, (), Preparation())
    file = Path("network.py")
    return {
        "torch": torch.source(subject, file, first=torch.channels_first(own))[0],
        "flax": flax.source(subject, file)[0],
    }


def never_set(item: ast.ClassDef) -> set[str]:
    """Attributes that a class reads and never sets, which modules miss when they are called."""
    own = [
        node
        for node in ast.walk(item)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    ]
    known = {node.attr for node in own if isinstance(node.ctx, ast.Store)}
    known |= {"training", "add_module", "get_submodule", "register_buffer"}
    for node in ast.walk(item):
        if isinstance(node, ast.FunctionDef):
            known.add(node.name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "self.register_buffer":
            assert isinstance(node.args[0], ast.Constant)
            known.add(str(node.args[0].value))
    return {node.attr for node in own} - known


def check(names: list[str], folder: Path, *, typed: bool = False) -> None:
    """Every text is Python, no class is there twice or reads what it never sets, nothing of this package is named, and
    Ruff has nothing to say.

    Nor has mypy where it is asked.
    """
    for name in names:
        for framework, text in texts(load(name)).items():
            tree = ast.parse(text)
            classes = [item for item in tree.body if isinstance(item, ast.ClassDef)]
            dumps = [ast.dump(ast.Module(item.body[1:], [])) for item in classes]
            assert len(set(dumps)) == len(dumps), (name, framework)
            assert [never_set(item) for item in classes] == [set()] * len(classes), (name, framework)
            assert "archspec" not in text and "yaml" not in text
            (folder / f"{name.replace('?', '_')}_{framework}.py").write_text(text, "utf-8")
    ruff = [["ruff", *command, "--isolated", "--quiet"] for command in (["check"], ["format", "--check"])]
    mypy = ["mypy", "--ignore-missing-imports", "--config-file", os.devnull, "--cache-dir", os.devnull]
    for command in (*ruff, *([mypy] if typed else [])):
        words = [sys.executable, "-m", *command, *sorted(map(str, folder.glob("*.py")))]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_few_networks_are_clean(tmp_path: Path) -> None:
    check(FEW, tmp_path)


@pytest.mark.minutes
def test_networks_of_every_family_are_clean(tmp_path: Path) -> None:
    check(SAMPLE, tmp_path, typed=True)


@pytest.mark.minutes
def test_the_whole_zoo_is_clean(tmp_path: Path) -> None:
    check(list(zoo_networks()), tmp_path, typed=True)


def test_blocks_are_classes_and_repeats_are_loops() -> None:
    for framework, text in texts(load("resnet50")).items():
        deeper = texts(load("resnet152"))[framework]
        assert text.count("\n") <= 160
        assert deeper.count("\n") == text.count("\n")
        tree = ast.parse(text)
        assert [item.name for item in tree.body if isinstance(item, ast.ClassDef)] == [
            "BottleneckShortcut",
            "Bottleneck",
            "ResNet50",
        ]
        assert "for _ in range(5)" in text
        assert "for _ in range(35)" in deeper


def test_a_row_of_numbered_names_is_a_loop_whose_channels_grow() -> None:
    text = texts(load("densenet121"))["torch"]
    assert 'self.add_module(f"denselayer{i + 1}", DenseLayer(channels + 32 * i))' in text
    assert "DenseBlock(64, depth=6)" in text or "DenseBlock(64, 6)" in text


def test_what_an_import_wrote_out_flat_has_the_blocks_of_the_zoo() -> None:
    spec = load("resnet18")
    flat = Graph(**{**vars(spec.graph().pruned("eval")), "blocks": {}})
    assert texts(spec, flat) == texts(spec)
    assert with_blocks(flat).blocks


def test_without_blocks_classes_are_found_by_what_scopes_do() -> None:
    spec = load("googlenet")
    flat = Graph(**{**vars(spec.graph().pruned("eval")), "blocks": {}, "name": "mine", "variant": None})
    tree = ast.parse(texts(spec, flat)["torch"])
    names = [item.name for item in tree.body if isinstance(item, ast.ClassDef)]
    assert names == ["Conv", "One", "Three", "Pool", "Inception", "Mine"]


def test_dropout_stays_for_training_and_heads_of_training_alone_are_told_of(tmp_path: Path) -> None:
    subject = subject_of("lenet5", None, notes=[])
    assert flax.write(subject, tmp_path / "l.py").notes == ()
    spec = load("googlenet")
    own = Subject(spec, spec.graph().pruned("eval"), {}, (), Preparation())
    assert left_out(own) == ["2 outputs of training alone left out, with 16 layers: aux1, aux2"]
    text = texts(spec)
    assert "self.dropout1 = nn.Dropout(0.4)" in text["torch"]
    assert "self.dropout1 = nnx.Dropout(0.4, rngs=rngs)" in text["flax"]


def test_pixels_are_scaled_as_the_spec_says() -> None:
    spec = load("resnet18")
    text = texts(spec)["torch"]
    assert "return x / 255" in text
