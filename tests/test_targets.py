"""What a SPEC names: a file, a variant, a network of the zoo, and arguments behind a `?`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.cli import main
from archspec.diagnostics import SpecError
from archspec.loading import load
from tests.findings import errors

Write = Callable[..., Path]
NET = """
args: {width: 1, kernel: [3, 3], act: relu}
variants: {a: {}, b: {width: 2}}
input: {height: 8, width: 8, channels: 1}
layers: [{conv: {filters: $(4 * width), kernel: $(kernel)}}, $(act)]
train: {}
"""


def shown(target: str) -> tuple[int, int, str]:
    """Filters, the kernel's width and the activation."""
    first, second = load(target).graph().nodes
    return first.output.channels, 10 - first.output.shape[1] - 1, second.kind


@pytest.mark.parametrize(
    ("query", "want"),
    [
        ("", (4, 3, "relu")),
        ("?width=3", (12, 3, "relu")),
        ("#b?kernel=5", (8, 5, "relu")),
        ("#b?args.width=5&act=tanh&kernel=[3, 1]", (20, 1, "tanh")),
    ],
)
def test_arguments_stand_behind_a_question_mark(write: Write, query: str, want: tuple[int, int, str]) -> None:
    assert shown(f"{write(NET)}{query}") == want


def test_a_file_whose_name_has_a_question_mark_comes_first(write: Write) -> None:
    path = write(NET, "net?width=3.yaml")
    assert shown(str(path)) == (4, 3, "relu")
    assert shown(f"{path}#b?act=tanh") == (8, 3, "tanh")
    with pytest.raises(SpecError, match="there is no file"):
        load(f"{path.parent}/other.yaml?width=3")


def test_keywords_come_before_the_text_and_overrides_too(write: Write) -> None:
    path = write(NET)
    assert load(f"{path}?width=3&act=tanh", width=2).graph().nodes[0].output.channels == 8
    spec = load(f"{path}?width=3&act=tanh")
    assert (spec.name, spec.label, spec.run_name) == ("a", "a?width=3&act=tanh", "a-width=3-act=tanh")
    assert spec.graph().name == "a?width=3&act=tanh"
    assert load(f"{path}?act=a/../b").run_name == "a-act=a_.._b"


@pytest.mark.parametrize(
    ("query", "place", "text"),
    [
        ("?widht=3", "widht", "did you mean `width`?"),
        ("?width=0.5", "0.5", "`width: 1.0` as the default takes any number"),
        ("?width=2&act=relu&width=3", "width=3", "`width` is given twice"),
        ("?width=wide", "wide", "must be a whole number, not 'wide'"),
        ("?width=2&kernel=[1, 2", "", "not YAML"),
        ("?width", "width", "name=value, not 'width'"),
        ("?train.epochs=2", "train.epochs=2", "--set train.epochs=2"),
        ("?", "", "name=value, not ''"),
    ],
)
def test_what_is_wrong_is_shown_in_the_text(write: Write, query: str, place: str, text: str) -> None:
    target = f"{write(NET)}{query}"
    (item,) = errors(target)
    assert text in str((item.message, *item.help))
    assert item.primary is not None
    span = item.primary.span
    if place:
        assert target[span.column - 1 : span.end_column - 1] == place


def test_extends_takes_arguments(write: Write) -> None:
    write(NET, "base.yaml")
    for query, want in (("?width=3", (12, 3, "relu")), ("#b?kernel=5", (8, 5, "relu"))):
        assert shown(str(write(f"extends: 'base.yaml{query}'\n"))) == want
    path = write("extends: 'base.yaml?widht=3'\n")
    with pytest.raises(SpecError, match="no argument `widht`") as raised:
        load(path)
    (item,) = raised.value.diagnostics
    assert item.primary is not None
    assert item.primary.span.source.name == str(path)


def test_imports_take_arguments(write: Write) -> None:
    lines = "args: {width: 1}\nblocks: {wide: {layers: [{conv: {filters: $(4 * width), kernel: 1}}]}}\n"
    write(lines, "blocks.yaml")
    text = "import: ['blocks.yaml?width=3']\ninput: {height: 8, width: 8, channels: 1}\nlayers: [wide]\n"
    assert load(write(text)).graph().nodes[0].output.channels == 12
    with pytest.raises(SpecError, match="no argument `widht`"):
        load(write(text.replace("?width", "?widht")))


def test_compare_tells_columns_apart_by_arguments(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(NET)
    assert main(["compare", f"{path}?width=1", f"{path}?width=2", "--format", "json"]) == 0
    networks = json.loads(capsys.readouterr().out)["networks"]
    assert [item["name"] for item in networks] == ["a?width=1", "a?width=2"]
    assert networks[1]["params"] == 2 * networks[0]["params"]
