"""Names, paths and merging: what binds to what, and what replaces what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from archspec.diagnostics import SpecError
from archspec.graph import Graph
from archspec.layers.conv import Conv
from archspec.loading import load, open_spec
from tests.findings import codes

INPUT = "input: {height: 16, width: 16, channels: 4}\n"
Write = Callable[..., Path]


def inputs(graph: Graph) -> dict[str, tuple[str, ...]]:
    names = ["input" if index < 0 else graph.nodes[index].path for index in range(-1, len(graph.nodes))]
    return {
        node.path: tuple(names[source + 1] if source >= 0 else "input" for source in node.inputs)
        for node in graph.nodes
    }


def test_what_could_not_be_expanded_is_told_of_once(write: Write) -> None:
    """Neither its name nor a path into it is then said to be unknown."""
    path = write(
        INPUT
        + """
layers:
  - repeat: {name: r, times: x, layers: [relu]}
  - add: {from: [r, input]}
  - relu: {from: r.0.relu1}
  - residual: {name: s, from: input, shortcut: none, layers: [max_pool: 2]}
  - relu: {from: s}
  - relu: {name: w, from: input, when: $(nothing)}
  - add: {from: [w, relu2]}
  - relu: {from: input, when: 3}
  - relu: {from: relu3}
"""
    )
    assert codes(path) == ["E206", "E206", "E202", "E206"]


WHEN = "{relu: {name: a, when: $(big)}}, {relu: {name: b}}, {add: {from: [a, b]}}"


@pytest.mark.parametrize(
    "layers",
    [
        f"layers: [{WHEN}]",
        f"blocks: {{u: {{layers: [{WHEN}]}}}}\nlayers: [u]",
        f"layers: [{{repeat: {{times: 4, layers: [{{residual: {{name: r$(n), layers: [{WHEN}]}}}}]}}}}]",
        "layers: [{relu: {when: $(big)}}, {relu: {}}, {add: {from: [previous, relu1]}}]",
        "layers: [{repeat: {name: r, times: 2, when: $(big), layers: [relu]}}, {relu: {from: r.1.relu1}}]",
    ],
)
def test_a_name_that_when_leaves_out_is_explained(write: Write, layers: str) -> None:
    with pytest.raises(SpecError) as error:
        load(write(f"{INPUT}args: {{big: false, n: 1}}\n{layers}\n")).graph()
    items = [item for item in error.value.diagnostics if item.code == "E210"]
    assert len(items) == 1
    (label,) = items[0].secondary
    assert label.text == "left out by `when`"


def test_the_same_mistake_of_every_round_is_told_once_with_its_count(write: Write) -> None:
    text = "layers: [repeat: {times: 5, as: i, layers: [{relu: {}}, {add: {from: [previous, nothing$(i)]}}]}]\n"
    with pytest.raises(SpecError) as error:
        load(write(INPUT + text)).graph()
    (item,) = error.value.diagnostics
    assert item.message == "there is no layer `nothing0` before this one"
    assert item.notes == ("here i is 0", "the same 4 times more, in other rounds or calls")


def test_blocks_see_the_chosen_variants_arguments_and_defaults(write: Write) -> None:
    path = write(
        INPUT
        + """
args: {w: 4, act: relu}
variants: {a: {}, b: {w: 8, act: tanh}}
defaults: {conv: {bias: false}}
blocks: {unit: {layers: [{conv: {filters: $(w), kernel: 1}}, $(act)]}}
layers: [unit]
"""
    )
    for variant, channels, act in (("a", 4, "relu"), ("b", 8, "tanh")):
        nodes = load(path, variant).graph().nodes
        assert [node.kind for node in nodes] == ["conv", act]
        assert nodes[0].output.channels == channels
        assert cast(Conv, nodes[0].layer).bias is False
    assert load(path, "b", w=3).graph().nodes[0].output.channels == 3


def test_a_block_sees_nothing_of_its_caller_but_its_input(write: Write) -> None:
    hidden = INPUT + "blocks: {b: {layers: [{relu: {from: outside}}]}}\nlayers: [{relu: {name: outside}}, b]\n"
    assert codes(write(hidden)) == ["E210"]
    own = load(
        write(
            INPUT
            + "blocks: {b: {layers: [{relu: {name: r}}, {add: {from: [r, input]}}]}}\n"
            + "layers: [{tanh: {name: t}}, {b: {name: x}}]\n"
        )
    ).graph()
    assert inputs(own)["x.add1"] == ("x.r", "t")
    two = load(
        write(
            INPUT
            + "blocks: {b: {layers: [{relu: {from: input.1}}, {concat: {from: [input, relu1]}}]}}\n"
            + "layers: [{tanh: {name: t}}, {b: {name: x, from: [input, t]}}]\n"
        )
    ).graph()
    assert inputs(two)["x.relu1"] == ("t",)
    assert inputs(two)["x.concat1"] == ("input", "t", "x.relu1")
    loop = INPUT + "blocks: {b: {layers: [{relu: {name: $(i)}}]}}\nlayers: [{repeat: {times: 2, as: i, layers: [b]}}]\n"
    assert "E202" in codes(write(loop))


def test_paths_reach_into_scopes(write: Write) -> None:
    graph = load(
        write(
            INPUT
            + """
blocks: {unit: {layers: [{conv: {name: c, filters: 4, kernel: 1}}, relu]}}
layers:
  - unit: {name: e}
  - repeat: {name: s, times: 2, layers: [unit]}
  - add: {name: sum, from: [e.c, s.0.c, s]}
outputs: {main: sum, tap: s.1.c}
"""
        )
    ).graph()
    assert inputs(graph)["sum"] == ("e.c", "s.0.c", "s.1.relu1")
    assert graph.nodes[graph.outputs[1].node].path == "s.1.c"


@pytest.mark.parametrize(
    "layers",
    [
        "[{repeat: {name: s, times: 2, layers: [relu]}}, {relu: {name: s.0}}]",
        "[{relu: {name: a}}, {relu: {name: a.b}}]",
        "[{relu: {name: a.b}}, {relu: {name: a}}]",
        "[relu, {tanh: {name: relu1}}]",
    ],
)
def test_paths_are_unique(write: Write, layers: str) -> None:
    assert "E211" in codes(write(INPUT + f"layers: {layers}\n"))


def test_what_when_leaves_out_counts_all_the_same(write: Write) -> None:
    path = write(INPUT + "args: {big: false}\nlayers: [relu, {relu: {when: $(big)}}, relu]\n")
    assert [node.path for node in load(path).graph().nodes] == ["relu1", "relu3"]
    assert [node.path for node in load(path, big=True).graph().nodes] == ["relu1", "relu2", "relu3"]


def test_another_kind_replaces_and_the_same_kind_merges(write: Write) -> None:
    write(
        INPUT
        + "layers: [{relu: {name: r}}]\noutputs: {logits: r}\n"
        + "train: {optimiser: {sgd: {learning_rate: 0.1, momentum: 0.5}}}\n",
        "base.yaml",
    )
    other = load(write("extends: base.yaml\ntrain: {optimiser: {adam: {learning_rate: 0.2}}}\n", "other.yaml")).train
    assert other is not None
    assert other.optimiser.to_plain() == {"adam": pytest.approx(other.optimiser.to_plain()["adam"])}
    assert other.optimiser.learning_rate == 0.2
    same = load(write("extends: base.yaml\ntrain: {optimiser: {sgd: {learning_rate: 0.2}}}\n", "same.yaml")).train
    assert same is not None
    assert same.optimiser.to_plain()["sgd"]["momentum"] == 0.5
    whole = load(write("extends: base.yaml\nlayers: [{relu: {name: z}}]\noutputs: {main: z}\n", "whole.yaml"))
    assert [output.name for output in whole.graph().outputs] == ["main"]
    init = (
        INPUT
        + "defaults: {conv: {init: {normal: 0.1}}}\nlayers: [{conv: {filters: 2, kernel: 1, init: {uniform: 0.2}}}]"
    )
    assert cast(Conv, load(write(init)).graph().nodes[0].layer).init.to_plain() == {"uniform": {"scale": 0.2}}


def test_paths_start_from_the_file_that_names_them(write: Write, tmp_path: Path) -> None:
    write("args: {}\nblocks: {unit: {layers: [relu]}}\n", "sub/lib.yaml")
    write("import: [lib.yaml]\n" + INPUT + "layers: [unit]\ntrain: {dataset: {npz: d.npz}}\n", "sub/base.yaml")
    write("blocks: {other: {layers: [tanh]}}\n", "lib.yaml")
    spec = load(write("extends: sub/base.yaml\nimport: [lib.yaml]\nlayers: [unit, other]\n", "top.yaml"))
    assert [node.kind for node in spec.graph().nodes] == ["relu", "tanh"]
    assert spec.train is not None
    assert spec.train.dataset.to_plain()["npz"]["path"] == str(tmp_path / "sub" / "d.npz")


def test_imported_blocks_must_not_clash(write: Write) -> None:
    for name in ("one", "two"):
        write("blocks: {unit: {layers: [relu]}}\n", f"{name}.yaml")
    path = write("import: [one.yaml, two.yaml]\n" + INPUT + "layers: [unit]\n")
    assert codes(path) == ["E208"]


def test_blocks_of_the_zoo_are_imported_by_the_names_of_families(write: Write, tmp_path: Path) -> None:
    chain = "[{inverted_residual: {filters: 8, expand: 6}}, {se: {width: 2}}, dense_layer]"
    path = write(f"import: [senet, mobilenet_v2, 'densenet?growth=12']\n{INPUT}layers: {chain}\n")
    assert codes(path) == []
    assert load(path).graph().nodes[-1].output.channels == 8 + 12
    again = tmp_path / "shown.yaml"
    again.write_text(load(path).to_yaml(), "utf-8")  # what `show` writes stands for itself
    assert load(again).graph().macs == load(path).graph().macs
    for name, helps in {
        "senat": "did you mean `senet`?",
        "se_resnet50": "the zoo's is called `senet`",
        "senet.yaml": "the zoo's is called `senet`",
        "nowhere": "paths are relative to the file that names them",
    }.items():
        path = write(f"import: [{name}]\n{INPUT}layers: [{{se: {{width: 2}}}}]\n")
        (only,) = open_spec(str(path)).diagnostics  # nothing of `se`, which may be one of the blocks
        assert (only.code, only.help[-1]) == ("E101", helps)


def test_a_file_comes_before_the_family_of_its_name(write: Write) -> None:
    write("blocks: {se: {layers: [relu]}}\n", "senet")
    path = write("import: [senet]\n" + INPUT + "layers: [se]\n")
    assert [node.kind for node in load(path).graph().nodes] == ["relu"]


def test_one_mistake_gives_one_message(write: Write) -> None:
    chain = "".join("  - conv: {filters: 4, kernel: 3}\n  - batch_norm\n" for _ in range(20))
    assert codes(write(INPUT + "layers:\n  - conv: {filters: 4, kernel: 99}\n" + chain)) == ["E301"]
    assert codes(write("args: {n: [1}\n" + INPUT + "layers: [relu]\n")) == ["E104"]
    assert codes(
        write("args: {n: $(1/0)}\n" + INPUT + "layers: [{dense: $(n)}, {conv: {filters: $(n), kernel: 1}}]\n")
    ) == ["E202"]


@pytest.mark.slow
def test_wrong_specs_of_great_size_are_answered(write: Write) -> None:
    assert codes(write(INPUT + "layers: [{conv: {filters: 2000000011, kernel: 1, groups: 2}}]\n")) == ["E305"]
    many = "".join(f"  - relu: {{name: layer{i}}}\n" for i in range(20_000))
    wrong = "".join(f"  - relu: {{from: layr{i}}}\n" for i in range(500))
    assert len(codes(write(INPUT + "layers:\n" + many + wrong))) > 100


def test_an_argument_has_a_type_or_a_default(write: Write) -> None:
    body = INPUT + "layers: [{conv: {filters: $(n), kernel: 1}}, {conv: {filters: $(k), kernel: $(k)}}]\n"
    for wrong in ("args: {n: 4, k}\n", "args: {n: 4, k: }\n", "args:\n  k:\n  n: 4\n"):
        assert codes(write(wrong + body)) == ["E203"]
        lines = wrong.replace("\n", "\n    ").rstrip()
        block = f"blocks:\n  b:\n    {lines}\n    layers: [{{conv: {{filters: $(n * k), kernel: 1}}}}]\n"
        assert codes(write(INPUT + block + "layers: [b, {b: {n: 3}}]\n")) == ["E203"]
    # A default of null is one, for conditions.
    text = "args: {k: %s}\n" + INPUT + "layers: [{relu: {when: $(k == null)}}, {tanh: {when: $(k != null)}}]\n"
    for null in ("null", "~"):
        assert [node.kind for node in load(write(text % null)).graph().nodes] == ["relu"]


def test_a_number_stands_for_a_pair(write: Write) -> None:
    text = (
        INPUT
        + "blocks: {b: {args: {kernel: pair, pad: [1, 1], pads: list}, "
        + "layers: [{conv: {filters: 1, kernel: $(kernel), pad: $(pad)}}, flatten, "
        + "{dense: '$(kernel[0] + pad[1] + pads[2])'}]}}\n"
    )
    for call, units in (
        ("{kernel: 5, pads: [0, 0, 7]}", 5 + 1 + 7),
        ("{kernel: [3, 5], pad: 2, pads: [0, 0, 1]}", 3 + 2 + 1),
    ):
        assert load(write(text + f"layers: [{{b: {call}}}]\n")).graph().nodes[-1].output.shape == (units,)
    for call in ("{kernel: [1, 2, 3], pads: []}", "{kernel: big, pads: []}", "{kernel: 1, pads: 1}"):
        assert codes(write(text + f"layers: [{{b: {call}}}]\n")) == ["E206"]
