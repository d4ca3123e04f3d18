"""Variants that extend: another variant of their file, or a spec that then lies under the whole file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import Findings, SpecError
from archspec.loading import load, open_spec, open_specs
from archspec.spec.document import open_document

INPUT = "input: {height: 16, width: 16, channels: 4}\n"
BASE = (
    f"{INPUT}title: Base\nargs: {{width: 2, deep: false}}\n"
    "blocks: {unit: {args: {filters: int}, layers: [conv: {filters: $(filters), kernel: 3}]}}\n"
    "task: regression\nvariants: {small: {}, large: {title: Large, width: 8}, deeper: {extends: large, deep: true}}\n"
    "published: {large: {params: 1, source: nobody}}\n"
    "train: {batch_size: 7, optimiser: {sgd: {learning_rate: 0.5, momentum: 0.5}}}\n"
    "weights: {elsewhere: {names: {a: b}}}\n"
    "layers: [unit: {name: a, filters: $(width)}, unit: {name: b, when: $(deep), filters: 3}]\n"
)
Write = Callable[..., Path]


def filters(target: object) -> list[int]:
    """The channels of every layer."""
    return [node.output.shape[-1] for node in load(str(target)).graph().nodes]


def found(target: object) -> list[tuple[str, str, int]]:
    """Codes, messages and lines of what is wrong."""
    try:
        items = open_spec(str(target)).diagnostics
    except SpecError as error:
        items = error.diagnostics
    return [(item.code, item.message, item.primary.span.line if item.primary else 0) for item in items]


def test_a_variant_lies_over_another_of_its_file(write: Write) -> None:
    path = write(BASE)
    assert filters(f"{path}#large") == [8]
    spec = load(f"{path}#deeper")
    assert filters(f"{path}#deeper") == [8, 3]
    assert spec.name == "deeper" and spec.header.title == "Large" and spec.published is None
    assert dict(spec.args) == {"width": 8, "deep": True}
    assert filters(f"{path}#deeper?width=5") == [5, 3]
    assert load(f"{path}#deeper", width=4).args["width"] == 4


def test_chains_are_laid_one_after_the_other(write: Write) -> None:
    # What `null` takes away, and kinds that take another's place, stay gone in the variants that follow.
    path = write(
        BASE.replace(
            "variants: {",
            "variants: {bare: {weights: null, train: {optimiser: {adam: {learning_rate: 0.1}}}}, "
            "after: {extends: bare, weights: {own: {names: {c: d}}}, train: {optimiser: {sgd: {learning_rate: 0.2}}}}, "
            "last: {extends: 'after?width=6'}, own: {extends: 'after?width=6', width: 9}, ",
        )
    )
    spec = load(f"{path}#last")
    assert list(spec.weights) == ["own"]
    assert spec.train is not None and spec.train.batch_size == 7
    assert spec.train.optimiser.to_plain() == load(f"{path}#after").train.optimiser.to_plain()  # type: ignore[union-attr]
    assert "'momentum': 0.9" in str(spec.train.optimiser.to_plain())
    assert filters(f"{path}#last") == [6] and filters(f"{path}#own") == [9]


def test_another_spec_lies_under_the_whole_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write("blocks: {lib: {args: {filters: int}, layers: [conv: {filters: $(filters), kernel: 1}]}}", "sub/lib.yaml")
    write(
        BASE.replace("title", "import: lib.yaml\ntitle", 1).replace("filters: 3}", "filters: 3}, lib: 11"), "sub/b.yaml"
    )
    path = write(
        "args: {extra: 4}\ntrain: {batch_size: 9}\n"
        "variants:\n"
        "  plain: {extends: sub/b.yaml}\n"
        "  wide: {extends: 'sub/b.yaml#deeper?width=12', title: Wide}\n"
        "  wider: {extends: wide, width: 13}\n"
        "  own: {layers: [relu], input: {features: 3}}\n"
        "published: {wide: {params: 780, source: counted}}\n",
        "top.yaml",
    )
    assert filters(f"{path}#plain") == [2, 11]
    wide = load(f"{path}#wide")
    assert filters(f"{path}#wide") == [12, 3, 11]
    assert wide.header.title == "Wide" and wide.header.name == "net" and wide.name == "wide"
    assert wide.train is not None and wide.train.batch_size == 9
    assert wide.train.optimiser.to_plain() == load(tmp_path / "sub/b.yaml").train.optimiser.to_plain()  # type: ignore[union-attr]
    assert wide.published is not None and wide.published.source == "counted"
    assert list(wide.weights) == ["elsewhere"]
    assert filters(f"{path}#wider") == [13, 3, 11]
    assert load(f"{path}#wider").header.title == "Wide" and load(f"{path}#wider").published is None
    assert filters(f"{path}#own") == [3]
    assert wide.folder == tmp_path
    assert [Path(source.name).name for source in wide.sources] == ["top.yaml", "b.yaml", "lib.yaml"]
    (tmp_path / "again.yaml").write_text(wide.to_yaml(), "utf-8")
    assert load(tmp_path / "again.yaml").graph().nodes == wide.graph().nodes


def test_the_base_of_a_variant_takes_the_place_of_the_files_own(write: Write) -> None:
    write(f"{INPUT}args: {{a: 1}}\nlayers: [conv: {{filters: $(a), kernel: 3}}]", "one.yaml")
    write(f"{INPUT}args: {{a: 2, b: 1}}\nlayers: [conv: {{filters: $(a), kernel: 1}}, dropout: $(b / 4)]", "two.yaml")
    middle = write(
        "extends: one.yaml\nvariants: {x: {}, y: {extends: two.yaml, b: 2}}\ntrain: {epochs: 3}", "middle.yaml"
    )
    assert filters(f"{middle}#x") == [1] and filters(f"{middle}#y") == [2, 2]
    # Where the variant is written is the file that its base lies under.
    for extends in ("middle.yaml", "'middle.yaml?a=5'"):
        path = write(f"extends: {extends}\nvariants: {{y: {{title: mine}}}}", "top.yaml")
        spec = load(f"{path}#y")
        assert filters(f"{path}#y") == ([5, 5] if "?" in extends else [2, 2])
        assert spec.header.title == "mine" and spec.args["b"] == 2 and spec.train is not None and spec.train.epochs == 3
    # A variant of another file may have a base itself.
    path = write("variants: {z: {extends: middle.yaml#y}}", "last.yaml")
    assert filters(f"{path}#z") == [2, 2] and load(f"{path}#z").args["b"] == 2
    assert filters(write("extends: middle.yaml#y", "direct.yaml")) == [2, 2]


def test_names_of_the_zoo_are_bases(write: Write) -> None:
    path = write("variants: {lenet5: {extends: lenet5, classes: 3}, b: {extends: 'resnet18?classes=7', width: 8}}")
    assert load(f"{path}#lenet5").graph().outputs[0].node is not None
    assert filters(f"{path}#lenet5")[-1] == 3  # a variant of its own name is no other variant
    assert filters(f"{path}#b")[-1] == 7 and filters(f"{path}#b")[0] == 8
    assert load(f"{path}#b").published is None


def test_a_file_may_leave_its_layers_to_its_variants(write: Write) -> None:
    write(BASE, "base.yaml")
    path = write("variants: {a: {extends: base.yaml}, b: {extends: base.yaml#large}}", "top.yaml")
    assert [(spec.name, bool(spec.diagnostics)) for spec in open_specs(str(path))] == [("a", False), ("b", False)]
    with pytest.raises(SpecError) as error:
        open_spec(str(path))
    (item,) = error.value.diagnostics
    assert item.code == "E212" and item.help == ("variants: a and b", "`#a` behind the file chooses one")


def test_variants_are_listed_without_their_bases(write: Write) -> None:
    document = open_document(write("variants: {a: {extends: nowhere.yaml}, b: {}}", "top.yaml"), Findings())
    assert document is not None and list(document.variants) == ["a", "b"]


def test_files_of_a_base_are_watched(write: Write, tmp_path: Path) -> None:
    write(BASE, "base.yaml")
    path = write("variants:\n  a: {extends: base.yaml}\n  b: {extends: other.yaml}", "top.yaml")
    findings = Findings()
    open_spec(f"{path}#a", findings=findings)
    assert set(findings.files) == {path, tmp_path / "base.yaml"}
    findings = Findings()
    with pytest.raises(SpecError):
        open_spec(f"{path}#b", findings=findings)
    assert tmp_path / "other.yaml" in findings.files


VARIANTS = (
    "variants:\n"  # on line 5
    "  me: {extends: me}\n"
    "  a: {extends: b}\n"
    "  b: {extends: c, width: 3}\n"
    "  c: {extends: a}\n"
    "  typo: {extends: larg}\n"
    "  large: {width: 9}\n"
    "  zoo: {extends: resnet81}\n"
    "  file: {extends: nowhere.yaml}\n"
    "  list: {extends: [a, b]}\n"
    "  after: {extends: list}\n"
    "  arguments: {extends: 'large?widht=3'}\n"
    "  more: {extends: other.yaml, widht: 3}\n"
    "  inner: {extends: other.yaml#no}\n"
    "  behind: {extends: 'other.yaml?no=1'}\n"
    "  mark: {extends: 'large?no'}\n"
    "  self: {extends: top.yaml#large}\n"
    "  text: 3\n"
    "  on: {extends: text}\n"
    "  inside: {extends: large#me}\n"
)


NO_NAME = "`extends` of variant `list` is one name, of a variant, a file or a network of the zoo"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("me", ("E111", "the variant `me` extends itself", 6)),
        ("a", ("E111", "variants extend each other in a circle: a → b → c → a", 9)),
        ("c", ("E111", "variants extend each other in a circle: c → a → b → c", 8)),
        ("typo", ("E101", "there is no variant, no file, and no network in the zoo, called larg", 10)),
        ("zoo", ("E101", "there is no variant, no file, and no network in the zoo, called resnet81", 12)),
        ("list", ("E112", "`extends` of variant `list` is one name, of a variant, a file or a network of the zoo", 14)),
        (
            "after",
            ("E112", "`extends` of variant `list` is one name, of a variant, a file or a network of the zoo", 14),
        ),
        ("arguments", ("E201", "the spec has no argument `widht`", 16)),
        ("more", ("E201", "the spec has no argument `widht`", 17)),
        ("inner", ("E212", "there is no variant `no`", 18)),
        ("behind", ("E201", "the spec has no argument `no`", 19)),
        ("mark", ("E113", "behind `?` a SPEC has arguments, name=value, not 'no'", 20)),
        ("self", ("E111", "a variant of top.yaml extends the whole of top.yaml", 21)),
        ("on", ("E206", "variant `text` is a mapping, not 3", 22)),
        ("inside", ("E212", "`large` is a variant of this file, which has no variants of its own", 24)),
    ],
)
def test_what_cannot_be_extended_is_told_at_its_place(write: Write, name: str, expected: tuple[str, str, int]) -> None:
    write(BASE, "other.yaml")
    path = write(f"{INPUT}args: {{width: 1}}\n{VARIANTS}layers: [conv: {{filters: $(width), kernel: 3}}]", "top.yaml")
    assert path.read_text("utf-8").splitlines()[4] == "variants:"
    assert found(f"{path}#{name}") == [expected]


def test_near_names_are_suggested(write: Write) -> None:
    path = write(f"{INPUT}args: {{width: 1}}\n{VARIANTS}layers: [relu]", "top.yaml")
    for name, hint in (("typo", "large"), ("zoo", "resnet18"), ("arguments", "width")):
        with pytest.raises(SpecError) as error:
            load(f"{path}#{name}").graph()
        assert f"did you mean `{hint}`?" in error.value.diagnostics[0].help
    for name, hint in (("self", "named alone: `extends: large`"), ("inside", "`extends: large`")):
        with pytest.raises(SpecError) as error:
            load(f"{path}#{name}")
        assert error.value.diagnostics[0].help[0].endswith(hint)


def test_all_variants_are_checked_where_one_has_no_base(write: Write) -> None:
    path = write(
        f"{INPUT}args: {{width: 1}}\n"
        "variants: {a: {extends: nowhere}, b: {widht: 2}, c: {extends: b, title: again}}\nlayers: [dense: $(width)]"
    )
    command = [sys.executable, "-m", "archspec.cli", "validate", str(path)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    run = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    assert run.returncode == 1
    assert run.stderr.count("error[E101]") == 1 and run.stderr.count("error[E201]") == 1


def test_faults_of_the_file_are_told_once(write: Write) -> None:
    write(BASE, "base.yaml")
    path = write("nonsense: 3\nargs: {1a: 2}\nvariants: {a: {extends: base.yaml}}", "top.yaml")
    assert [(code, line) for code, _, line in found(f"{path}#a")] == [("E201", 3), ("E209", 4)]


def test_arguments_that_only_another_variants_base_reads_are_no_mistake(write: Write) -> None:
    write(BASE, "base.yaml")
    write(f"{INPUT}args: {{rate: 0.5}}\nlayers: [dropout: $(rate)]", "other.yaml")
    path = write("args: {rate: 0.2}\nvariants: {a: {extends: base.yaml}, b: {extends: other.yaml}}", "top.yaml")
    assert [spec.diagnostics for spec in open_specs(str(path))] == [(), ()]


def test_a_pipe_is_read_once(write: Write, tmp_path: Path) -> None:
    write(BASE, "base.yaml")
    text = write("variants: {a: {extends: base.yaml#large}}", "top.yaml").read_bytes()
    command = [sys.executable, "-m", "archspec.cli", "validate", "-#a"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    run = subprocess.run(command, input=text, capture_output=True, cwd=tmp_path, env=env, timeout=60)
    assert run.returncode == 0 and b"ok: a" in run.stdout, run.stderr
