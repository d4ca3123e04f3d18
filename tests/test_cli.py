"""The command line: what each command prints, its exit status, and what it says of mistakes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.diagnostics import Findings
from archspec.kinds import FAMILIES, find_kind, kind_names
from archspec.layers import Layer
from archspec.source import read_text

ROOT = Path(__file__).parent.parent
Write = Callable[..., Path]
SMALL = "args: {n: 3}\ninput: {height: 8, width: 8, channels: 1}\nlayers: [flatten, {dense: {name: fc, units: $(n)}}]\n"


def run(*command: str) -> int:
    return main(list(command))


def test_validate(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", str(ROOT / "specs" / "zoo" / "lenet.yaml")) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 4
    assert out[0] == "ok: lenet5 — 12 layers, 61,706 parameters, 416,520 multiply–adds"


def test_validate_goes_on_after_a_file_that_is_missing(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", "nowhere.yaml", str(write(SMALL))) == 1
    found = capsys.readouterr()
    assert "ok: net" in found.out
    assert "E101" in found.err


def test_overrides(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(SMALL))
    for override in ("args.n=7", "n=7", "layers.fc.units=7", "layers.1.dense.units=7"):
        assert run("report", path, "--set", override, "--format", "json") == 0
        assert json.loads(capsys.readouterr().out)["layers"][-1]["output"] == [7]
    assert run("report", path, "--input", "4x6x2", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["input"] == [4, 6, 2]
    assert (
        run("show", "lenet5", "--set", "train.optimiser.sgd.learning_rate=0.3", "--set", "train.dataset.idx=/data") == 0
    )
    out = capsys.readouterr().out
    assert "optimiser: {sgd: {learning_rate: 0.3" in out
    assert "dataset: {idx: {path: /data" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "train"], "--set takes path=value"),
        (["--set", "trian.epochs=3"], "did you mean `train`?"),
        (["--set", "train.epoch=3"], "did you mean `epochs`?"),
        (["--set", "args.m=3"], "the spec has no argument `m`"),
        (["--set", "n=many"], "must be a whole number, not 'many'"),
        (["--set", "n=[1"], "not YAML"),
        (["--set", "layers.9=relu"], "the list has 2 items"),
        (["--set", "blocks.a=1"], "cannot be set"),
        (["--set", "layers.fcc.units=3"], "did you mean `fc`?"),
        (["--set", "layers.relu1.units=3"], "or by the name that is written there: fc"),
        (["--set", "input=3"], "`input` is a mapping, not"),
        (["--set", "outputs=$(n)"], "`outputs` is a mapping, not"),
        (["--set", "train=3"], "`train` is a mapping, not"),
        (["--set", "train.mesh=data:2", "--set", "train.mesh.fsdp=2"], "'data:2' is no axis with its devices"),
        (["--input", "big"], "--input takes HxW"),
        (["--input", "0x3"], "must be greater than 0"),
    ],
)
def test_wrong_overrides_are_answered(
    write: Write, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run("report", str(write(SMALL)), *arguments) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line", "marked"),
    [
        (["--set", "layers.fc.unist=3"], "--set layers.fc.unist=3", "unist"),
        (["--set", "layers.fc.units=0"], "--set layers.fc.units=0", "0"),
        (["--set", "m=3"], "--set m=3", "m"),
        (["--input", "4x0"], "--input 4x0", "0"),
        (["--input", "4x4x0"], "--input 4x4x0", "0"),
        (["--set", "input=3"], "--set input=3", "3"),
    ],
)
def test_overrides_are_marked_where_they_were_typed(
    write: Write, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str, marked: str
) -> None:
    assert run("validate", str(write(SMALL)), *arguments) == 1
    found = capsys.readouterr().err.splitlines()
    frame = next(i for i, text in enumerate(found) if text == f"1 │ {line}")
    column = found[frame + 1].index("^")
    assert found[frame][column : column + found[frame + 1].count("^")] == marked
    assert found[frame + 1].rstrip().endswith("^")


def test_an_index_points_into_a_list_that_is_a_plain_value(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("input: {height: 8, width: 8, channels: 1}\nlayers: [{max_pool: [2, 2]}]\n")
    assert run("report", str(path), "--set", "layers.0.max_pool.0=4", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["layers"][0]["output"][:2] == [2, 4]


def test_faults_of_a_default_dataset_are_not_blamed_on_an_override(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(SMALL + "train: {batch_size: 9}\n")
    assert run("train", str(path), "--set", "train.epochs=3") == 1
    found = capsys.readouterr().err
    assert "mnist5k" in found
    assert "command line" not in found


def test_setting_a_field_keeps_what_the_file_says_in_short(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "input: {height: 8, width: 8, channels: 1}\n"
        "layers: [{max_pool: 4}, {conv: {filters: 2, kernel: 1}}, flatten, {dense: 3}]\n"
        "outputs: {logits: dense1}\n"
        "train:\n  {dataset: {npz: a.npz}, optimiser: {sgd: 0.3}, init_from: runs/a, ema: 0.75, early_stopping: 7,"
        " mesh: 'fsdp=4,spatial=2'}\n"
    )
    given = {
        "layers.0.max_pool.stride": "2",
        "layers.3.dense.bias": "false",
        "outputs.logits.weight": "0.5",
        "train.dataset.npz.holdout": "0.1",
        "train.optimiser.sgd.momentum": "0.7",
        "train.init_from.freeze": "[conv1]",
        "train.ema.warmup": "true",
        "train.early_stopping.min_delta": "0.25",
        "train.mesh.data": "8",
    }
    options = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    assert run("show", str(write(text)), *options) == 0
    out = capsys.readouterr().out
    kept = ("window: [4, 4]", "units: 3", "from: dense1", "learning_rate: 0.3", "runs/a", "decay: 0.75", "patience: 7")
    for words in (*kept, "fsdp: 4", "spatial: 2"):
        assert words in out
    for name, value in given.items():
        assert f"{name.rpartition('.')[2]}: {value if '.stride' not in name else '[2, 2]'}" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["report"],
        ["report", "x", "--format", "xml"],
        ["report", "x", "--batch", "0"],
        ["report", "x", "--nope"],
    ],
)
def test_a_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["draw", "resnet50", "vgg16"], "archspec draw: error: 'vgg16' is one argument too many"),
        (["report", "x", "--optimizer", "sgd"], "there is no option --optimizer; did you mean `--optimiser`?"),
        (["weights", "import", "x", "y", "z", "-o", "r"], "archspec weights: error: 'z' is one argument too many"),
    ],
)
def test_what_a_command_has_no_use_for(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian", "x"], "there is no command 'trian'; did you mean `train`?"),
        (["weights", "imprt"], "there is no command 'imprt'; did you mean `import`?"),
        (["lenet5"], "a command comes first: `archspec report lenet5`"),
        (["net.yml#big"], "a command comes first: `archspec report net.yml#big`"),
        (["report", "x", "--format", "jsn"], "argument --format: there is no 'jsn'; did you mean `json`?"),
        (
            ["report", "x", "--dtype", "int3"],
            "there are float32, bfloat16, float16",
        ),
        (["train", "x", "--epochs", "5"], "there is no option --epochs; did you mean `--set train.epochs=VALUE`?"),
        (["train", "x", "--batch-size=5"], "no option --batch-size; did you mean `--set train.batch_size=VALUE`?"),
        (["train", "x", "--lr=1"], "no option --lr; did you mean `--set train.optimiser.sgd.learning_rate=VALUE`?"),
        (["eval", "x", "--zzz"], "archspec eval: error: there is no option --zzz\n"),
    ],
)
def test_what_may_have_been_meant(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("epochs=3", "did you mean `train.epochs`?"),
        ("height=3", "did you mean `input.height`?"),
        ("lr=3", "did you mean `train.optimiser.adam.learning_rate`?"),
        ("train.lr=3", "the optimiser has it: `optimiser: {sgd: {learning_rate: …}}`"),
        ("train.optimiser.lr=3", "the kind stands before it: sgd: {learning_rate: …}"),
        ("layers.conv2.filters=3", "a layer without a name goes by its place in the list, from 0: did you mean `2`?"),
        ("layers.conv.filters=3", "a layer without a name goes by its place in the list, from 0: did you mean `0`?"),
        ("layers.conv3.filters=3", "the list has 3 items"),
    ],
)
def test_longer_paths_are_suggested(override: str, said: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    layers = "layers: [conv: {filters: 3, kernel: 1}, relu, conv: {filters: 3, kernel: 1}]\n"
    path = write("input: {height: 8, width: 8, channels: 1}\n" + layers + "train: {optimiser: adam}\n")
    assert run("validate", str(path), "--set", override) == 1
    assert said in capsys.readouterr().err


def test_names_that_are_nearly_in_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "lenet6") == 1
    assert "did you mean `lenet" in capsys.readouterr().err
    assert run("report", "lenet5#big") == 1
    assert "there is no variant `big`" in capsys.readouterr().err
    assert run("report", str(ROOT / "specs" / "zoo" / "lenet.yaml#lenet1")) == 0
    assert "2,578" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "meant"), [("VGG16", "vgg16"), ("LeNet-5", "lenet5"), ("resnet_50", "resnet50")])
def test_capitals_do_not_hide_a_name(capsys: pytest.CaptureFixture[str], name: str, meant: str) -> None:
    assert run("report", name) == 1
    assert f"did you mean `{meant}`?" in capsys.readouterr().err


def test_only_networks_are_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("zoo") == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line]
    for name in ("resnett", "resnet99", "fcnn", "lenett"):
        assert run("report", name) == 1
        assert re.findall(r"did you mean `(\w+)`", capsys.readouterr().err)[0] in listed


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("ReLU", "relu"),
        ("MaxPool2D", "max_pool"),
        ("conv2d", "conv"),
        ("fc", "dense"),
        ("Linear", "dense"),
        ("ConvTranspose2d", "transposed_conv"),
        ("BN", "batch_norm"),
    ],
)
def test_what_others_call_a_layer(write: Write, capsys: pytest.CaptureFixture[str], word: str, kind: str) -> None:
    assert run("layers", word) == 1
    assert f"did you mean `{kind}`?" in capsys.readouterr().err
    assert run("validate", str(write(SMALL.replace("dense:", f"{word}:")))) == 1
    assert f"did you mean `{kind}`?" in capsys.readouterr().err


def test_a_list_of_kinds_is_in_order(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", str(write(SMALL.replace("dense:", "zzz:")))) == 1
    found = re.findall(r"help: there are (.*)", capsys.readouterr().err)[0]
    kinds = re.split(", | and ", found)
    assert len(kinds) > len(kind_names("layers")) and kinds == sorted(kinds)


def test_folders_are_answered(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for name, file, words in (
        (".", None, f"give a file: {write(SMALL)}"),
        ("empty", None, "is a folder, not a spec"),
        ("run", "run.json", f"`archspec eval {tmp_path / 'run'}`"),
        ("import", "import.json", "the folder of an import of weights"),
    ):
        folder = tmp_path / name
        if file:
            folder.mkdir()
            (folder / "spec.yaml").write_text(SMALL)
            (folder / file).write_text("{}")
        assert run("validate", str(folder)) == 1
        found = capsys.readouterr().err
        assert words in found
        assert f"its spec is {folder / 'spec.yaml'}" in found or not file
    extending = write(f"extends: {tmp_path}\n", "more.yaml")
    assert run("validate", str(extending)) == 1
    assert f"{tmp_path} is a folder, not a file" in capsys.readouterr().err


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "lenet5", "lenet1") == 0
    out = capsys.readouterr().out
    assert "lenet5: input 32×32×1 (H×W×C), batch 1, eval mode, float32" in out
    assert re.search("trainable parameters +61,706\n", out)
    assert re.search("trainable parameters +2,578\n", out)
    assert run("report", "lenet5", "--format", "json", "--batch", "8") == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) >= {"spec", "variant", "args", "input", "batch", "mode", "layers", "totals"}
    assert set(report["layers"][0]) >= {
        "name", "kind", "inputs", "output", "params", "macs", "flops", "activation_bytes", "receptive_field",
    }  # fmt: skip
    assert report["totals"]["macs"] == 8 * 416_520
    assert report["totals"]["params"] == {"trainable": 61_706, "frozen": 0, "statistics": 0}
    assert report["totals"]["flops"] == sum(row["flops"] for row in report["layers"])


def test_modes_of_a_report(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(SMALL + "outputs: {main: flatten1, aux: {from: fc, train_only: true}}\n"))
    rows = {}
    for mode in ("eval", "train"):
        assert run("report", path, "--mode", mode, "--format", "json") == 0
        rows[mode] = [row["name"] for row in json.loads(capsys.readouterr().out)["layers"]]
    assert rows == {"eval": ["flatten1"], "train": ["flatten1", "fc"]}


def test_show_prints_a_spec_and_a_graph(capsys: pytest.CaptureFixture[str], write: Write) -> None:
    assert run("show", "lenet1") == 0
    text = capsys.readouterr().out
    assert run("validate", str(write(text, whole=True))) == 0
    assert "2,578 parameters, 91,520 multiply–adds" in capsys.readouterr().out
    assert run("show", "lenet1", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["layers"][0]["conv"]["name"] == "h1"
    assert run("show", "lenet1", "--graph", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["layers"][0]["name"] == "h1"
    assert run("show", "lenet5", "--graph") == 0
    assert re.search(r"^c3 +conv +s2 +10×10×16$", capsys.readouterr().out, re.MULTILINE)


def test_layers_are_documented_from_their_classes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("layers") == 0
    layers, others, _ = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in layers.splitlines()] == kind_names("layers")
    listed = {line.split()[0]: line.split(maxsplit=1)[1].split(", ") for line in others.splitlines()[1:]}
    assert listed == {word: kind_names(family) for family, word in FAMILIES.items() if family != "layers"}
    assert run("layers", "conv") == 0
    out = capsys.readouterr().out
    assert "filters" in out
    assert "required" in out
    assert "- conv: {filters: 6, kernel: 5, pad: same}" in out
    assert run("layers", "conv", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["fields"]["kernel"]["required"]
    assert run("layers", "convv") == 1
    assert "did you mean `conv`?" in capsys.readouterr().err
    assert run("layers", "segmentation_fold") == 1
    assert "did you mean `segmentation_folder`?" in capsys.readouterr().err


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_is_documented_whatever_its_family(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in kind_names(family):
        kind = find_kind(family, name)
        assert kind is not None
        assert run("layers", name) == 0
        out = capsys.readouterr().out
        assert all(f"\n  {field} " in out for field in kind.model_fields)
        assert run("layers", name, "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        # A name of two families shows both.
        found = found if isinstance(found, list) else [found]
        assert set(kind.model_fields) in [set(item["fields"]) for item in found if item["family"] == FAMILIES[family]]


def test_words_of_the_language_are_documented_too(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    from archspec.expressions import FUNCTIONS
    from archspec.kinds import RESERVED, STRUCTURE
    from archspec.reports.words import WORDS

    assert {*STRUCTURE, *RESERVED, "input", "previous", *FUNCTIONS} == set(WORDS)
    for name, word in WORDS.items():
        assert run("layers", name) == 0
        out = capsys.readouterr().out
        assert word.about in out and all(field in out for field, _, _ in word.fields)
        assert run("layers", name, "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        # `sum` is a function and a loss.
        assert (found[0] if isinstance(found, list) else found)["kind"] == name
        for example in word.examples:
            head = "args: {big: true}\ninput: {height: 8, width: 8, channels: 64}\nlayers:\n  - relu: {name: input1}\n"
            before = "" if "name: c1" in example else "  - conv: {name: c1, filters: 64, kernel: 1}\n"
            before += "  - flatten\n" if "dense" in example else ""
            shared = "  - residual: {name: unit, layers: [conv: {filters: 64, kernel: 1}]}\n"
            before += shared if "weights: unit" in example else ""
            after = "  - concat\n" if "split" in example else ""
            assert run("validate", str(write(f"{head}{before}  {example}\n{after}"))) == 0, example
            capsys.readouterr()
        if name in STRUCTURE:  # its fields are all that the language knows, and those said to be required are
            net = f"input: {{height: 8, width: 8, channels: 8}}\nlayers: [{name}: {{zzz: 1}}]"
            assert run("validate", str(write(net))) == 1
            err = capsys.readouterr().err
            assert f"{name} has no field `zzz`" in err
            listed = re.findall(r"help: fields: (.*)", err)
            named = {field for fields, _, _ in word.fields for field in fields.split(", ")}
            assert not listed or set(re.split(r", | and ", listed[0])) == {*named, *RESERVED}
    for name, words in (
        ("tied", "a field of repeat\n"),
        ("groups", "conv, group_norm and transposed_conv"),
        ("fit", "the section `input`"),
        ("epochs", "a field of the section `train`"),
        ("blocks", "a section of a spec: layer kinds that the spec defines"),
    ):
        assert run("layers", name) == 1
        assert words in capsys.readouterr().err
    assert run("layers", "repaet") == 1
    assert "did you mean `repeat`?" in capsys.readouterr().err


def test_an_example_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    for name in kind_names("layers"):
        assert run("layers", name) == 0
        examples = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
        assert examples and len(examples) == len(set(examples)), name
        kind, findings = find_kind("layers", name), Findings()
        assert kind is not None and issubclass(kind, Layer)
        node = read_text("\n".join(line[2:] for line in examples), "examples", findings)
        assert node is not None and not findings.items, name
        # What is printed is what stands in the class, as YAML reads it.
        for example in kind.examples:
            if example.fields not in ({}, None):
                assert {name: example.fields} in node.plain
    assert run("layers", "multiply") == 0
    assert capsys.readouterr().out.endswith(
        "examples:\n  - multiply: {from: [a, b]}\n  - multiply: {from: [a, b, c]}\n"
    )


def test_no_docstring_shows_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    for family in FAMILIES:
        for name in kind_names(family):
            assert run("layers", name) == 0
            assert "\\" not in capsys.readouterr().out, name


def test_zoo_schema_doctor_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("zoo") == 0
    assert re.search(r"^lenet5_1998 +32×32×1 +60,000 +325.7 k", capsys.readouterr().out, re.MULTILINE)
    assert run("zoo", "--format", "json") == 0
    known = {"name": "lenet1", "title": "LeNet-1, the recogniser of 1990", "params": 2578, "macs": 91520}
    assert any(known.items() <= row.items() for row in json.loads(capsys.readouterr().out))
    assert run("schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "archspec 1"
    assert run("doctor") == 0
    assert "nothing is missing" in capsys.readouterr().out
    assert run("doctor", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["devices"]
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("archspec ")


def test_the_shim_and_pipes(write: Write) -> None:
    command = [sys.executable, str(ROOT / "cli.py"), "report", "lenet5"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "61,706" in found.stdout
    closed = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {' '.join(command)} | head -1"], capture_output=True, text=True
    )
    assert "Traceback" not in closed.stderr


def test_train_eval_predict(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    net = "input: {height: 28, width: 28, channels: 1}\nlayers: [flatten, {dense: 10}]\ntrain: {epochs: 1}\n"
    folder = str(tmp_path / "run")
    assert run("train", str(write(net)), "--workdir", folder) == 0
    found = capsys.readouterr()
    assert re.search(r"held-out accuracy \d\d\.\d\d %, top-5 \d\d\.\d\d % after 1 epoch$", found.out, re.MULTILINE)
    assert "epoch 1/1" in found.err
    assert run("eval", folder) == 0
    assert re.search(r"held out: loss \d.*  top-1 \d\d\.\d\d %", capsys.readouterr().out)
    assert run("eval", folder, "--format", "json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {"loss", "top1", "top5"}
    Image.new("L", (28, 28)).save(tmp_path / "black.png")
    assert run("predict", folder, str(tmp_path / "black.png"), "--top", "2") == 0
    assert re.search(r"black.png: \d \d+\.\d %, \d \d+\.\d %", capsys.readouterr().out)
    assert run("predict", folder, str(tmp_path / "none.png")) == 1
    assert "E521" in capsys.readouterr().err
    assert run("eval", str(tmp_path)) == 1
    assert "E512" in capsys.readouterr().err


def test_training_needs_a_recipe(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", str(write(SMALL)), "--workdir", str(tmp_path / "run")) == 1
    assert "net has no `train:` section" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_interrupted_training_ends_politely(write: Write, tmp_path: Path, number: signal.Signals) -> None:
    net = "input: {height: 28, width: 28, channels: 1}\nlayers: [flatten, {dense: 10}]\ntrain: {epochs: 500}\n"
    # With auto the same command would be another run.
    auto = number == signal.SIGTERM
    folder = tmp_path / "runs" / "net" if auto else tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "archspec.cli", "train", str(write(net)), "--workdir", "auto" if auto else str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    metrics = folder / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text().count("\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    again = "the same command with --workdir runs/net" if auto else "the same command"
    assert re.search(rf"stopped; {again} goes on after (step \d+, in )?epoch \d+", err)
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("command", [["report", "lenet5"], ["draw", "lenet5", "-o", "-"]])
def test_a_full_disk_is_told(command: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "archspec.cli", *command], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and done.stderr == b"error: there is no space left for the output\n"
