"""Where specs come from: pipes, standard input, home folders; variants whose sections are wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from archspec.diagnostics import Findings
from archspec.loading import load, open_spec, open_specs

INPUT = "input: {height: 16, width: 16, channels: 4}\n"
Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("input: 3", "E206"),
        ("train: 3", "E206"),
        ("outputs: [a]", "E206"),
        ("weights: x", "E206"),
        ("layers: 3", "E206"),
        ("layers: {}", "E206"),
        ("task: nonsense", "E204"),
        ("input: null", "E203"),
        ("classes: x", "E206"),
        ("defaults: 3", "E201"),
        ("blocks: {}", "E201"),
        ("nothing: 3", "E201"),
    ],
)
def test_the_sections_of_a_variant_are_checked(write: Write, section: str, code: str) -> None:
    text = f"args: {{classes: 3}}\nvariants: {{good: {{}}, bad: {{{section}}}}}\n{INPUT}"
    path = write(text + "layers: [flatten, {dense: $(classes)}]")
    assert not open_spec(str(path)).diagnostics
    found = open_spec(f"{path}#bad").diagnostics
    assert code in [item.code for item in found]
    assert all(item.primary is not None for item in found)
    assert [spec.variant for spec in open_specs(str(path))] == ["good", "bad"]


def test_a_variant_that_is_no_mapping_leaves_the_others_to_be_checked(write: Write) -> None:
    path = write(f"variants: {{a: 3, b: {{}}, c: [1]}}\n{INPUT}layers: [relu]")
    found = {spec.variant: [item.code for item in spec.diagnostics] for spec in open_specs(str(path))}
    assert found == {"a": ["E206"], "b": [], "c": ["E206"]}


def test_text_may_have_what_opens_an_expression(write: Write, tmp_path: Path) -> None:
    spec = load(write(INPUT + "title: costs $$(5) and $(2 + 3)\nlayers: [relu]"))
    assert spec.header.title == "costs $(5) and 5"
    shown = tmp_path / "shown.yaml"
    shown.write_text(spec.to_yaml(), "utf-8")
    assert load(shown).header.title == spec.header.title


def test_a_spec_may_come_through_a_pipe(write: Write, tmp_path: Path) -> None:
    write("blocks: {b: {layers: [relu]}}", "library.yaml")
    spec = write(INPUT + "import: library.yaml\nvariants: {v: {title: chosen}}\nlayers: [b]", "n.yaml")
    text = spec.read_bytes()
    pipe = tmp_path / "fifo"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(text,))
    writer.start()
    assert len(load(pipe).graph().nodes) == 1
    writer.join()


@pytest.mark.parametrize("target", ["-", "-#v", "/dev/stdin", "/dev/stdin#v"])
def test_a_spec_may_come_on_standard_input(write: Write, tmp_path: Path, target: str) -> None:
    write("blocks: {b: {layers: [relu]}}", "library.yaml")
    text = write(INPUT + "import: library.yaml\nvariants: {v: {title: chosen}}\nlayers: [b]", "n.yaml").read_bytes()
    command = [sys.executable, "-m", "archspec.cli", "validate", target]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    run = subprocess.run(command, input=text, capture_output=True, cwd=tmp_path, env=env, timeout=60)
    assert run.returncode == 0 and b"ok: " in run.stdout, run.stderr


def test_a_join_is_told_where_its_inputs_belong(write: Write) -> None:
    for value, names in (("a", "[a, …]"), ("[a, b]", "[a, b]")):
        spec = open_spec(str(write(INPUT + f"layers: [relu: {{name: a}}, relu: {{name: b}}, multiply: {value}]")))
        (found,) = spec.diagnostics
        assert found.code == "E205" and found.help[0].endswith(f"`- multiply: {{from: {names}}}`")


def test_home_folders_are_found(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write("blocks: {b: {layers: [relu]}}", "library.yaml")
    write(INPUT + "layers: [relu]", "base.yaml")
    write(
        "extends: ~/base.yaml\nimport: [~/library.yaml]\nlayers: [b]\ntrain: {dataset: {npz: {path: ~/a.npz}}}",
        "n.yaml",
    )
    spec = load("~/n.yaml")
    assert spec.graph().nodes and spec.train is not None
    assert getattr(spec.train.dataset, "path", None) == str(tmp_path / "a.npz")


def test_what_fails_unforeseen_while_a_page_is_made_is_shown_on_it() -> None:
    from archspec.serving import Served

    def failing(findings: Findings) -> dict[str, object]:
        raise AssertionError("nobody foresaw this")

    served = Served(failing)
    assert served.refresh() and [item.code for item in served.diagnostics] == ["E901"]


def test_an_empty_mapping_is_no_kind(write: Write) -> None:
    recipe = "train: {dataset: {}, optimiser: {}, loss: {}, schedule: {}, metrics: [{}]}"
    text = f"input: {{features: 3}}\nlayers: [dense: {{units: 3, init: {{}}}}]\n{recipe}\n"
    assert [item.code for item in open_spec(str(write(text))).diagnostics] == ["E205"] * 6
