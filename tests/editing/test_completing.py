"""What is offered where a cursor is, in texts that are being written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec import loading
from archspec.editing.completing import prepare
from archspec.editing.scanning import open_at_end
from archspec.elaborate import elaborate
from archspec.expressions import FUNCTIONS
from archspec.kinds import kind_names
from archspec.spec.network import SECTIONS
from tests.editing.cursors import (
    CURSOR,
    EXAMPLES,
    ZOO,
    applied,
    completed,
    errors,
    item,
    labels,
    offered,
    offered_in,
    opened,
)
from tests.effort import calls

HEAD = """archspec: 1
name: written
args: {classes: 10, width: 16, depths: [1, 2], wide: true}
input: {height: 28, width: 28, channels: 3}
blocks:
  unit:
    args: {filters: int, kernel: 3}
    layers: [conv: {filters: $(filters), kernel: $(kernel), pad: same}, relu]
  pair:
    inputs: [a, b]
    layers: [add: {from: [a, b]}]
layers:
  - conv: {name: c1, filters: 16, kernel: 3, pad: same}
  - max_pool: {name: p1, window: 2}
  - conv: {name: c2, filters: 16, kernel: 3, pad: same}
"""

SIGNAL = "archspec: 1\nname: written\ninput: {length: 100, channels: 2}\nlayers:\n"
VECTOR = "archspec: 1\nname: written\ninput: {features: 12}\nlayers:\n"

WINDOWS = {"conv", "max_pool", "avg_pool", "depthwise_conv", "transposed_conv", "unpool", "resize", "separable_conv"}


# Entries.


def test_entries_are_those_that_take_what_comes_in() -> None:
    on_map, on_vector = labels(HEAD + "  - ¦\n"), labels(VECTOR + "  - ¦\n")
    assert set(on_map) >= WINDOWS
    assert "dense" not in on_map
    assert {"dense", "relu", "dropout", "reshape", "batch_norm"} <= set(on_vector)
    assert not (WINDOWS | {"depth_to_space", "space_to_depth"} | {"global_avg_pool", "pad", "crop"}) & set(on_vector)
    on_signal = labels(SIGNAL + "  - ¦\n")
    assert {"conv", "max_pool", "global_avg_pool"} <= set(on_signal)
    assert "dense" not in on_signal
    # A signal of odd length has no blocks of two positions, and its two channels no blocks of four.
    odd = SIGNAL.replace("length: 100", "length: 101")
    assert (
        "depth_to_space" in labels(odd + "  - ¦\n")
        and "space_to_depth: 2" not in item(odd + "  - ¦\n", "space_to_depth").text
    )


def test_joins_are_offered_where_there_is_something_to_join() -> None:
    joins = {"add", "concat", "multiply", "maximum", "average", "subtract"}
    assert not joins & set(labels(VECTOR + "  - ¦\n"))
    found = item(HEAD + "  - ¦\n", "add")
    assert found.text == "add: {from: [previous, p1]}" or found.text == "add: {from: [previous, c2]}"
    assert found.detail == "14×14×16 → 14×14×16"
    # After `split` several values come in, which a join takes without naming them.
    split = VECTOR + "  - split: 2\n  - ¦\n"
    assert item(split, "add").text == "add"
    assert "relu" not in labels(split)


def test_blocks_and_structures_come_with_what_they_need() -> None:
    found = {own.label: own for own in offered(HEAD + "  - ¦\n")}
    assert found["unit"].what == "block" and found["unit"].text.startswith("unit: ")
    assert found["pair"].text.startswith("pair: {from: [previous, ")
    assert found["repeat"].text == "repeat:\n      times: 2\n      layers:\n        - relu"
    assert found["repeat"].snippet == "repeat:\n    times: ${1:2}\n    layers:\n      - ${2:relu}"
    assert found["max_unpool"].text == "max_unpool: p1"
    assert found["max_unpool"].detail == "14×14×16 → 28×28×16"
    assert found["conv"].snippet == "conv: {filters: ${1:16}, kernel: ${2:3}, pad: ${3:same}\\}"


def test_a_window_is_no_larger_than_the_map() -> None:
    tiny = HEAD.replace("height: 28, width: 28", "height: 2, width: 2")
    assert item(tiny + "  - ¦\n", "max_pool").text == "max_pool: 1"
    assert item(tiny + "  - ¦\n", "subsample").text == "subsample: 1"


def test_a_block_is_completed_for_its_calls_and_does_not_call_itself() -> None:
    body = (
        HEAD.replace("pad: same}, relu]\n", "pad: same}, relu, ¦]\n", 1) + "  - unit: 8\n  - max_pool: 2\n  - unit: 4\n"
    )
    found = {own.label: own for own in offered(body)}
    assert "unit" not in found
    assert found["relu"].detail == "14×14×8 → 14×14×8"
    later = {own.label: own for own in offered(body, focus="unit2")}
    assert later["relu"].detail == "7×7×4 → 7×7×4"


def test_a_block_that_the_shown_variant_does_not_call_is_completed_for_one_that_does() -> None:
    text = HEAD.replace("from: [a, b]", "from: [a, ¦]")
    text += "  - pair: {from: [c1, c1], when: $(not wide)}\nvariants:\n  one: {}\n  two: {wide: false}\n"
    assert labels(text, variant="one")[0] == "b"
    assert item(text, "b", variant="one").detail.startswith("28×28×16")


def test_shapes_are_those_of_before_where_what_comes_before_is_broken() -> None:
    path = EXAMPLES / "written.yaml"
    whole = HEAD + "  - global_avg_pool\n  - relu\n"
    workspace = opened(whole, path)
    assert workspace.analysis(path) is not None
    broken = whole.replace("  - global_avg_pool\n", "  - global_avg_poo\n  - \n")
    workspace.put(path, broken)
    found = {own.label: own for own in offered_in(workspace, path, broken.index("  - \n") + 4)}
    assert "dense" in found and "conv" not in found
    assert found["dense"].detail == "16 → 10"
    # Without a text from before all is offered, since nothing is known.
    assert {"dense", "conv"} <= set(labels(broken.replace("  - \n", "  - ¦\n")))


def test_where_nothing_is_known_of_shapes_all_is_offered() -> None:
    library = "archspec: 1\nblocks:\n  unit:\n    layers:\n      - ¦\n"
    assert set(kind_names("layers")) <= set(labels(library))


def test_the_first_of_several_inputs_is_named() -> None:
    several = "archspec: 1\nname: x\ninputs: {a: {features: 4}, b: {features: 5}}\nlayers:\n  - ¦\n"
    assert item(several, "dense").text == "dense: {from: a, units: 10}"


# Where an entry is written.


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("  - ¦\n", "  - relu\n"),
        ("  - re¦\n", "  - relu\n"),
        ("  - re¦lu6\n", "  - relu\n"),
        ("  -¦\n", "  - relu\n"),
        ("  ¦\n", "  - relu\n"),
        ("  re¦\n", "  - relu\n"),
        ("  - ¦: {name: last}\n", "  - relu: {name: last}\n"),
        ("  - ¦ # the last\n", "  - relu # the last\n"),
        ("  - ¦", "  - relu"),
    ],
)
def test_what_is_typed_is_replaced(typed: str, becomes: str) -> None:
    assert completed(HEAD + typed, "relu") == HEAD + becomes


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_are_indented_as_yaml_wants_them(newline: str) -> None:
    for typed in (
        "  - ¦\n",
        "  - residual:\n      layers:\n        - relu\n        - ¦\n",
        "  - residual:\n      layers:\n      - ¦\n",
    ):
        for name in ("repeat", "parallel", "residual"):
            text = (HEAD + typed).replace("\n", newline)
            path = EXAMPLES / "written.yaml"
            made = completed(text, name)
            found = {error.code for error in errors(opened(made, path), path)}
            # Two branches side by side have more channels than what goes round them.
            assert found <= ({"E306"} if name == "parallel" else set()), made


@pytest.mark.parametrize(
    "typed",
    [
        "  - relu # ¦\n",
        "# ¦\n",
        "  - relu re¦\n",
        "notes: some words ¦\n",
        "notes: |\n  some ¦\n",
        "notes: >-\n  some\n  ¦words\n",
        "title: ¦\n",
        "title: a: ¦\n",
        "  - conv: {name: ¦}\n",
    ],
)
def test_nothing_is_offered(typed: str) -> None:
    assert labels(HEAD + typed) == []


@pytest.mark.parametrize("typed", ["  - [¦\n", "  - [[¦\n", f"  - {'[' * 70}¦\n", f"  - {'[' * 400}¦\n"])
def test_a_list_where_an_entry_is_to_be_is_no_fault(typed: str) -> None:
    assert "conv" not in labels(HEAD + typed)


# Fields.


def test_fields_that_are_given_are_not_offered_again() -> None:
    found = labels(HEAD + "  - conv: {filters: 3, ¦, pad: same}\n")
    assert found[0] == "kernel"
    assert {"stride", "bias", "init", "groups", "from", "name", "when"} <= set(found)
    assert not {"filters", "pad"} & set(found)


@pytest.mark.parametrize(
    "typed",
    [
        "  - conv: {filters: 4, ¦",
        "  - conv: {filters: 4, ¦}\n",
        "  - conv: {filters: 4, ker¦}\n",
        "  - conv: {filters: 4,\n      ¦\n  - relu\n",
        "  - conv:\n      filters: 4\n      ¦\n",
        "  - conv:\n      filters: 4\n      ker¦\n  - relu\n",
        "  - conv:\n      ker¦\n      filters: 4\n",
        "  - residual: {layers: [conv: {filters: 4, ¦",
    ],
)
def test_fields_are_offered_in_whatever_way_they_are_written(typed: str) -> None:
    found = {own.label: own for own in offered(HEAD + typed)}
    assert found["kernel"].text == "kernel: 3"
    assert "filters" not in found


def test_fields_hold_what_fits() -> None:
    small = HEAD.replace("height: 28, width: 28", "height: 4, width: 4")
    assert item(small + "  - conv: {filters: 4, ¦}\n", "kernel").text == "kernel: 1"
    assert item(small + "  - max_unpool: {¦}\n", "indices").text == "indices: p1"
    # No `max_pool` comes before, so that nothing fits; it is needed all the same, and so there is no value.
    assert "indices" not in labels(VECTOR + "  - max_unpool: {¦}\n")


def test_arguments_of_a_block_and_fields_of_structures() -> None:
    found = {own.label: own for own in offered(HEAD + "  - unit: {¦}\n")}
    assert found["filters"].what == "argument" and found["filters"].detail == "int, needed"
    assert found["kernel"].detail == "default 3"
    assert labels(HEAD + "  - repeat: {¦}\n")[:2] == ["times", "layers"]
    assert labels(HEAD + "  - repeat:\n      times: 2\n      ¦\n")[0] == "layers"
    assert labels(HEAD + "  - split: {¦}\n")[:2] == ["parts", "sizes"]


def test_sections_and_their_fields() -> None:
    top = set(labels(HEAD + "¦\n"))
    assert top == set(SECTIONS) - {"archspec", "name", "args", "input", "inputs", "blocks", "layers"}
    assert "archspec" in labels("¦")
    train = labels(HEAD + "train:\n  epochs: 3\n  ¦\n")
    assert {"dataset", "optimiser", "schedule", "loss", "augment"} <= set(train) and "epochs" not in train
    assert "learning_rate" in labels(HEAD + "train: {optimiser: {adam: {¦}}}\n")
    assert set(labels(HEAD + "train: {ema: {¦}}\n")) == {"decay", "warmup"}
    assert {"year", "after", "idea"} == set(labels(HEAD + "lineage: {¦}\n"))
    assert {"params", "macs", "source"} <= set(labels(HEAD + "published: {¦}\n"))
    assert {"names", "layout", "classes"} <= set(labels(HEAD + "weights: {timm: {¦}}\n"))
    assert "mean" in labels(HEAD.replace("channels: 3}", "channels: 3, ¦}"))
    assert "mean_image" not in labels(SIGNAL.replace("channels: 2}", "channels: 2, ¦}") + "  - relu\n")


# Values.


def test_words_numbers_and_flags() -> None:
    assert labels(HEAD + "  - conv: {filters: 8, kernel: 3, bias: ¦}\n") == ["false", "true"]
    pads = labels(HEAD + "  - conv: {filters: 8, kernel: 3, pad: ¦}\n")
    assert pads[:3] == ["same", "same_upper", "valid"] and "causal" not in pads
    assert "causal" in labels(SIGNAL + "  - conv: {filters: 8, kernel: 3, pad: ¦}\n")
    # Only what divides both channels, 16, and filters.
    assert labels(HEAD + "  - conv: {filters: 8, kernel: 3, groups: ¦}\n") == ["2", "4", "8", "1"]
    kernels = labels(HEAD + "  - conv: {filters: 8, kernel: ¦}\n")
    assert {"1", "3", "5", "14"} <= set(kernels)
    assert all(int(word) <= 14 for word in kernels if word.isdigit() and word not in ("16",))
    assert labels("archspec: ¦\nname: x\n") == ["1"]
    assert "$(classes)" in labels(VECTOR.replace("input:", "args: {classes: 3}\ninput:") + "  - dense: ¦\n")
    assert labels(HEAD + "  - residual: {layers: [relu], shortcut: ¦}\n") == [
        "identity",
        "projection",
        "zero_pad",
        "auto",
    ]
    assert labels(HEAD + "  - relu: {when: ¦}\n") == ["true", "false", "$(wide)"]


def test_kinds_in_fields() -> None:
    # Its settings are a list of mappings, which nobody can guess.
    assert set(kind_names("schedules")) - set(labels(HEAD + "train: {schedule: ¦}\n")) <= {"sgdr_schedule"}
    assert item(HEAD + "train: {optimiser: ¦}\n", "sgd").text == "{sgd: 0.001}"
    assert "he_normal" in labels(HEAD + "  - conv: {filters: 8, kernel: 3, init: ¦}\n")
    augment = labels(HEAD + "train: {augment: [¦]}\n")
    assert "horizontal_flip" in augment
    assert {"mnist5k", "table", "npz"} <= set(labels(VECTOR + "  - dense: 3\ntrain: {dataset: ¦\n"))
    # A loss that has no use for what comes out is not offered.
    losses = labels(VECTOR + "  - dense: 3\ntask: classification\ntrain: {loss: ¦}\n")
    assert "cross_entropy" in losses and "mse" not in losses


# Names.


def test_names_are_those_in_scope_that_fit() -> None:
    assert set(labels(HEAD + "  - add: {from: [previous, ¦]}\n")) == {"p1", "c2"}
    assert set(labels(HEAD + "  - concat: {from: [c1, ¦]}\n")) == {"input"}
    found = {own.label: own.detail for own in offered(HEAD + "  - relu: {from: ¦}\n")}
    assert found.keys() == {"c1", "p1", "c2", "previous", "input"}
    assert found["c1"] == "28×28×16  (14×14×16 → 28×28×16)"
    assert labels(HEAD + "  - max_unpool: ¦\n") == ["p1"]
    assert labels(HEAD + "  - max_unpool: {indices: ¦}\n") == ["p1"]
    assert set(labels(HEAD + "  - resize: {like: ¦}\n")) >= {"c1", "p1"}
    assert set(labels(HEAD + "  - conv: {filters: 16, kernel: 3, weights: ¦}\n")) == {"c2", "previous"}
    assert set(labels(HEAD + "  - relu: {name: last}\noutputs: {main: ¦}\n")) >= {"last", "c2", "p1", "c1"}


def test_names_of_a_block_are_its_own() -> None:
    body = HEAD.replace("from: [a, b]", "from: [a, ¦]") + "  - pair: {from: [previous, p1]}\n"
    found = labels(body)
    assert found[0] == "b" and not {"c1", "p1", "a"} & set(found)


def test_paths_into_blocks() -> None:
    text = HEAD + "  - unit: {name: u, filters: 16}\n  - relu: {from: u.¦}\n"
    found = offered(text)
    assert {"u.conv1", "u.relu1"} <= {own.label for own in found}
    assert "from: u.conv1}" in applied(text.replace(CURSOR, ""), next(own for own in found if own.label == "u.conv1"))


# Files and variants.


def test_bases_and_imports(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(HEAD + "variants: {small: {}, large: {width: 32}}\n")
    (tmp_path / "parts.yaml").write_text("archspec: 1\nblocks: {unit: {layers: [relu]}}\n")
    (tmp_path / "other.yaml").write_text("some: yaml\n")
    path = tmp_path / "new.yaml"
    found = labels("archspec: 1\nname: new\nextends: ¦\n", path=path)
    assert {"mine.yaml", "lenet5", "resnet50"} <= set(found)
    assert not {"other.yaml", "parts.yaml", "new.yaml"} & set(found)
    assert set(labels("archspec: 1\nname: new\nextends: mine.yaml#¦\n", path=path)) == {
        "mine.yaml#small",
        "mine.yaml#large",
    }
    found = labels("archspec: 1\nname: new\nimport: [¦]\n", path=path)
    assert {"parts.yaml", "resnet"} <= set(found) and "other.yaml" not in found
    assert "resnet50" in labels(HEAD + "lineage: {after: ¦}\n")


def test_variants() -> None:
    text = HEAD + "variants:\n  one: {width: 8}\n  two: {¦}\n"
    found = {own.label: own for own in offered(text)}
    assert found["width"].what == "argument" and found["width"].text == "width: 16"
    assert {"extends", "title", "train", "input"} <= set(found)
    assert labels(HEAD + "variants:\n  one: {width: 8}\n  two: {extends: ¦}\n")[0] == "one"
    assert labels(HEAD + "variants:\n  one: {wide: ¦}\n") == ["true", "false"]


# Expressions.


def test_expressions() -> None:
    found = {own.label: own.detail for own in offered(HEAD + "  - conv: {filters: $(¦), kernel: 3}\n")}
    assert set(found) == {"classes", "width", "depths", "wide", "input", "previous", "true", "false", *FUNCTIONS}
    assert found["width"] == "16" and found["depths"] == "[1, 2]" and found["previous"] == "14×14×16"
    for typed in ("$(wid¦", "$(2 * ¦)", '"$(¦)"', '"$(max(1, ¦', "$(width if ¦"):
        assert "width" in labels(HEAD + f"  - conv: {{filters: {typed}"), typed
    assert "width" in labels(HEAD + "  - conv:\n      filters: $(max(1, ¦")
    sizes = {own.label: own.detail for own in offered(HEAD + "  - conv: {filters: $(previous.¦), kernel: 3}\n")}
    assert sizes == {"height": "14", "width": "14", "channels": "16"}
    assert labels(HEAD + "  - conv: {filters: $('wid¦'), kernel: 3}\n") == []
    assert labels(HEAD + "  - conv: {filters: $(width ¦), kernel: 3}\n") == []
    assert "i" in labels(HEAD + "  - repeat:\n      times: 2\n      as: i\n      layers:\n        - dropout: $(¦)\n")
    block = HEAD.replace("kernel: 3}\n", "kernel: $(¦)}\n", 1)
    assert {"filters", "input", "width"} <= set(labels(block)) and "kernel" not in labels(block)


# How much is done.


def test_a_network_is_made_once_for_whatever_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered in a block of ResNet-152 is tried where it stands, and the network is not made anew for it."""
    path = ZOO / "resnet.yaml"
    text = path.read_text()
    before = text.index("conv: {filters: $(inner), kernel: 3")
    workspace = opened(text[:before] + text[text.index("\n", before) :], path, "resnet152")
    workspace.analysis(path)
    made = []

    def counted(*given: Any, **named: Any) -> Any:
        made.append(given)
        return elaborate(*given, **named)

    monkeypatch.setattr(loading, "elaborate", counted)
    prepare()
    assert len(offered_in(workspace, path, before)) > 50
    assert len(made) == 1
    # It is 250,000 calls of functions, where the network alone has 514 layers.
    assert calls(lambda: offered_in(workspace, path, before)) < 400_000


# Whatever stands there.


def test_what_stands_open() -> None:
    for text, closers in [
        ("a: {b: [1, ", "]}"),
        ("a: {b: 'x", "'}"),
        ("a: it's [", ""),
        ("a: {b: $(x[0", "]}"),
        ('a: "x # {', '"'),
        ("a: b # {", ""),
    ]:
        assert open_at_end(text).closers == closers, text
    assert open_at_end("a: |\n  text\n  {").silent
    assert not open_at_end("a: |\n  text\nb: {").silent


TEXTS = [path.read_text() for path in sorted(ZOO.glob("*.yaml"))[::5]] + [HEAD]


@settings(max_examples=40)
@given(st.sampled_from(TEXTS), st.floats(0, 1), st.sampled_from(["", "{", "- ", "$(", '"', ": ", "\n", "[", "#", "\t"]))
def test_a_text_that_ends_anywhere_is_completed(text: str, share: float, typed: str) -> None:
    cut = text[: int(share * len(text))] + typed
    path = EXAMPLES / "written.yaml"
    for own in offered_in(opened(cut, path), path, len(cut)):
        assert own.start.line == own.end.line
        assert re.sub(r"\s", "", own.text)


@settings(max_examples=40)
@given(st.text("ab: -{}[]#'\"$(),\n|>&*!%@\t", max_size=60), st.integers(0, 60))
def test_any_text_is_completed(text: str, offset: int) -> None:
    path = EXAMPLES / "written.yaml"
    offered_in(opened("archspec: 1\n" + text, path), path, min(offset, len(text)) + 12)


def test_a_family_of_the_zoo_that_extends_its_own_network_is_refused() -> None:
    path = ZOO / "lenet.yaml"
    text = path.read_text().replace("archspec: 1\n", "archspec: 1\nextends: lenet5\n")
    assert [error.code for error in errors(opened(text, path), path)] == ["E101"]


# What was once offered and broke the text.


@pytest.mark.parametrize(
    "text",
    ["  - max_pool: 2\n    ¦\n", "  - conv:\n    ¦\n", "  - unit:\n    ¦\n", "  - {relu: {name: x}, ¦}\n"],
    ids=["value", "conv", "block", "flow"],
)
def test_an_entry_has_one_kind(text: str) -> None:
    assert labels(HEAD + text.replace("¦", CURSOR)) == []


def test_the_cursor_is_where_the_text_is_and_not_where_an_alias_repeats_it() -> None:
    found = labels(HEAD + f"  - conv: &c {{filters: 8, {CURSOR}}}\n  - conv: {{<<: *c, kernel: 3}}\n")
    assert "kernel" in found and "filters" not in found


def test_a_call_keeps_its_brackets() -> None:
    text = HEAD + f'  - conv: {{filters: "$(ma{CURSOR}x(1, 2))", kernel: 1}}\n'
    assert completed(text, "min") == HEAD + '  - conv: {filters: "$(min(1, 2))", kernel: 1}\n'


@pytest.mark.parametrize(("default", "value"), [("[true, false]", "[true, false]"), ('"a: b"', '"a: b"')])
def test_an_arguments_default_is_offered_as_yaml(default: str, value: str) -> None:
    text = HEAD.replace("classes: 10", f"classes: 10, own: {default}")
    assert value in labels(f"{text}variants: {{small: {{own: {CURSOR}}}}}\n")


def test_a_long_word_takes_work_by_its_length_alone() -> None:
    # At each of its letters anew it would be ten thousand million steps.
    found = labels(HEAD.replace("name: written", f"name: written\nnotes: {'a' * 200_000}") + f"  - rel{CURSOR}\n")
    assert "relu" in found
