"""The language: what specs expand to. Paths, order, equivalent spellings, bounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from archspec.diagnostics import SpecError
from archspec.elaborate import resizing
from archspec.graph import Graph
from archspec.kinds import plain
from archspec.layers.conv import Conv
from archspec.loading import load, open_spec
from archspec.spec.overrides import python_override
from tests.findings import codes

INPUT = "input: {height: 16, width: 16, channels: 4}\n"
Write = Callable[..., Path]


def graph(path: Path, **args: Any) -> Graph:
    return load(path, **args).graph()


def paths(made: Graph) -> list[str]:
    return [node.path for node in made.nodes]


def same(a: Graph, b: Graph) -> bool:
    """Equal but for names: layers, wiring and types."""
    return [(n.layer, n.inputs, n.output) for n in a.nodes] == [(n.layer, n.inputs, n.output) for n in b.nodes]


@pytest.mark.parametrize(
    ("name", "size"),
    [("vgg16", (7, 9)), ("vgg16", (1, 1)), ("alexnet", (3, 5)), ("googlenet", (2, 9)), ("lenet5", (5, 4))],
)
def test_a_larger_input_that_is_suggested_fits(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(SpecError) as error:
        load(name).graph(size)
    ways = [way for item in error.value.diagnostics for way in item.help if "--input" in way]
    assert ways
    for way in ways:
        height, width = map(int, way.split("--input ")[1].split("x"))
        assert load(name).graph((height, width)).input.shape[:2] == (height, width)


@pytest.mark.parametrize(("end", "suggested"), [("relu", True), ("{conv: {filters: 1, kernel: 3, groups: 3}}", False)])
def test_no_input_is_suggested_where_none_helps(write: Write, end: str, suggested: bool) -> None:
    path = write(INPUT + "layers: [{conv: {filters: 4, kernel: 17}}, " + end + "]")
    found = open_spec(str(path)).diagnostics
    assert [item.code for item in found] == ["E301"]
    assert any("--input" in way for way in found[0].help) == suggested


def test_no_input_is_suggested_beyond_the_largest(write: Write) -> None:
    path = write(INPUT + "layers: [{conv: {filters: 4, kernel: 20000}}, {conv: {filters: 4, kernel: 15000}}]")
    assert not any("--input" in way for item in open_spec(str(path)).diagnostics for way in item.help)


def test_a_long_spec_is_expanded_few_times_for_suggestions(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    trials: list[int] = []

    def faults_of(*args: Any) -> set[Any]:
        trials.append(1)
        return original(*args)

    original = resizing._faults_of
    monkeypatch.setattr(resizing, "_faults_of", faults_of)
    misfits = "".join(f"  - conv: {{name: c{i}, from: input, filters: 1, kernel: {90 + i}}}\n" for i in range(3))
    path = write(
        INPUT + "layers:\n" + "  - relu\n" * 4_000 + misfits + "  - conv: {filters: 1, kernel: 3, groups: 3}\n"
    )
    assert len(open_spec(str(path)).diagnostics) >= 3
    assert 0 < len(trials) <= resizing.MAX_STEPS // 4_000


def test_chain_and_automatic_names(write: Write) -> None:
    made = graph(
        write(INPUT + "layers: [relu, {conv: {filters: 3, kernel: 1}}, relu, relu6, relu6, flatten, {dense: 7}]")
    )
    assert paths(made) == ["relu1", "conv1", "relu2", "relu6_1", "relu6_2", "flatten1", "dense1"]
    assert [node.inputs for node in made.nodes] == [(i - 1,) for i in range(7)]
    assert made.nodes[-1].output.shape == (7,)


def test_automatic_names_avoid_given_ones(write: Write) -> None:
    made = graph(write(INPUT + "layers: [{relu: {name: relu1}}, relu, relu]"))
    assert paths(made) == ["relu1", "relu2", "relu3"]


def test_from_takes_other_inputs(write: Write) -> None:
    made = graph(
        write(
            INPUT
            + """
layers:
  - conv: {name: a, filters: 4, kernel: 1}
  - conv: {name: b, filters: 4, kernel: 1, from: input}
  - add: {from: [a, b]}
  - concat: {from: [add1, input]}
"""
        )
    )
    assert [node.inputs for node in made.nodes] == [(-1,), (-1,), (0, 1), (2, -1)]
    assert made.nodes[-1].output.channels == 8


def test_when_leaves_layers_out(write: Write) -> None:
    text = INPUT + "args: {deep: false}\nlayers:\n  - relu\n  - tanh: {when: $(deep)}\n  - relu: {when: $(not deep)}\n"
    assert [node.kind for node in graph(write(text)).nodes] == ["relu", "relu"]
    assert [node.kind for node in graph(write(text), deep=True).nodes] == ["relu", "tanh"]


def test_a_repeat_equals_its_unrolled_form(write: Write) -> None:
    rolled = graph(
        write(
            INPUT + "layers:\n  - repeat: {times: 3, as: i, layers: [{conv: {filters: $(4 + i), kernel: 1}}, relu]}\n"
        )
    )
    written = ", ".join(f"{{conv: {{filters: {4 + i}, kernel: 1}}}}, relu" for i in range(3))
    unrolled = graph(write(INPUT + f"layers: [{written}]"))
    assert same(rolled, unrolled)
    assert paths(rolled) == paths(unrolled)


def test_named_repeats_number_their_rounds(write: Write) -> None:
    made = graph(
        write(
            INPUT
            + """
blocks:
  unit: {args: {width: int}, layers: [{conv: {name: conv1, filters: $(width), kernel: 1}}, relu]}
layers:
  - repeat: {name: stage, times: 2, layers: [{unit: {width: 4}}]}
  - repeat: {name: short, times: 2, layers: [{unit: 4}]}
  - repeat: {name: plain, times: 2, layers: [relu]}
  - repeat: {name: pair, times: 2, layers: [relu, {tanh: {name: t}}]}
  - add: {from: [stage, short, pair.1.t, pair.0]}
"""
        )
    )
    assert paths(made) == [
        *(f"{name}.{i}.{leaf}" for name in ("stage", "short") for i in range(2) for leaf in ("conv1", "relu1")),
        "plain.0",
        "plain.1",
        *(f"pair.{i}.{leaf}" for i in range(2) for leaf in ("relu1", "t")),
        "add1",
    ]
    index = {node.path: i for i, node in enumerate(made.nodes)}
    assert made.nodes[-1].inputs == tuple(index[p] for p in ("stage.1.relu1", "short.1.relu1", "pair.1.t", "pair.0.t"))


def test_residual_equals_parallel_and_add(write: Write) -> None:
    body = "[{conv: {filters: 4, kernel: 3, pad: same}}, relu]"
    residual = graph(write(INPUT + f"layers: [relu, {{residual: {{layers: {body}}}}}]"))
    parallel = graph(write(INPUT + f"layers: [relu, {{parallel: {{join: add, branches: [{body}, []]}}}}]"))
    by_hand = graph(
        write(
            INPUT + "layers: [{relu: {name: r}}, {conv: {filters: 4, kernel: 3, pad: same}}, "
            "{relu: {name: s}}, {add: {from: [s, r]}}]"
        )
    )
    assert same(residual, parallel)
    assert same(residual, by_hand)


@pytest.mark.parametrize("size", [16, 15, 7])
def test_projection_meets_the_body(write: Write, size: int) -> None:
    made = graph(
        write(
            f"""
input: {{height: {size}, width: {size + 2}, channels: 4}}
layers:
  - residual:
      shortcut: auto
      layers:
        - conv: {{filters: 8, kernel: 3, stride: 2, pad: 1}}
"""
        )
    )
    assert [node.kind for node in made.nodes] == ["conv", "conv", "batch_norm", "add"]
    assert paths(made)[1:3] == ["shortcut1.conv", "shortcut1.batch_norm"]


def test_shortcut_auto_is_identity_where_shapes_agree(write: Write) -> None:
    made = graph(write(INPUT + "layers: [{residual: {shortcut: auto, layers: [relu]}}]"))
    assert [node.kind for node in made.nodes] == ["relu", "add"]
    assert made.nodes[1].inputs == (0, -1)


def test_parallel_branches_by_name_and_joins(write: Write) -> None:
    made = graph(
        write(
            INPUT
            + """
layers:
  - parallel:
      name: mix
      branches:
        one: [{conv: {filters: 2, kernel: 1}}]
        three: [relu, {conv: {filters: 3, kernel: 3, pad: same}}]
        pass: []
  - relu: {from: mix.one}
  - relu: {from: mix}
"""
        )
    )
    assert paths(made) == ["mix.one.conv1", "mix.three.relu1", "mix.three.conv1", "mix.concat1", "relu2"]
    assert made.nodes[-1].output.channels == 2 + 3 + 4


def test_blocks_see_their_arguments_and_the_specs(write: Write) -> None:
    made = graph(
        write(
            INPUT
            + """
args: {width: 8, act: relu}
blocks:
  outer:
    args: {width: int, factor: 2}
    layers: [{inner: {units: $(width * factor)}}, $(act)]
  inner:
    args: {units: int}
    layers: [{conv: {filters: $(units), kernel: 1}}]
layers:
  - outer: {width: $(width)}
  - outer: {name: last, width: 3, factor: 1}
"""
        )
    )
    assert paths(made) == ["outer1.inner1.conv1", "outer1.relu1", "last.inner1.conv1", "last.relu1"]
    assert [node.output.channels for node in made.nodes] == [16, 16, 3, 3]


def test_paths_depend_on_nothing_outside_their_scope(write: Write) -> None:
    block = "blocks: {unit: {layers: [{conv: {filters: 4, kernel: 1}}, relu]}}\n"
    alone = graph(write(INPUT + block + "layers: [{unit: {name: u}}]"))
    among = graph(write(INPUT + block + "layers: [{conv: {filters: 4, kernel: 1}}, relu, {unit: {name: u}}, relu]"))
    assert set(paths(alone)) < set(paths(among))


def test_defaults_fill_fields_and_yield_to_what_is_written(write: Write) -> None:
    made = graph(
        write(
            INPUT
            + """
args: {b: false}
defaults: {conv: {bias: $(b), kernel: 3, pad: same}}
layers: [{conv: 4}, {conv: {filters: 4, bias: true, kernel: 1}}]
"""
        )
    )
    first, second = (cast(Conv, node.layer) for node in made.nodes)
    assert (first.bias, first.kernel, first.pad) == (False, (3, 3), "same")
    assert (second.bias, second.kernel, second.pad) == (True, (1, 1), "same")


DEFAULTS = [
    "{pad: 1}",
    "{pad: same, dilation: 2}",
    "{groups: 2, bias: true}",
    "{kernel: 3, stride: 2, filters: 8, rounding: exact}",
    "{bias_init: {constant: 1.0}}",
]


@pytest.mark.parametrize("defaults", DEFAULTS)
@pytest.mark.parametrize("shortcut", ["projection", "auto"])
def test_defaults_leave_a_projection_what_it_is(write: Write, defaults: str, shortcut: str) -> None:
    """He et al. 2016: a 1×1 convolution of the stride that is needed, without bias, and batch normalisation."""
    body = "{conv: {filters: 8, kernel: 3, stride: 2, pad: 1, dilation: 1, groups: 1, rounding: floor}}"
    layers = f"layers: [{{residual: {{shortcut: {shortcut}, layers: [{body}]}}}}]\n"
    norm = "batch_norm: {scale: false, bias: false}"
    plain = graph(write(INPUT + layers)).by_path()["shortcut1.conv"]
    made = graph(write(INPUT + f"defaults: {{conv: {defaults}, {norm}}}\n" + layers)).by_path()
    assert made["shortcut1.conv"].layer == plain.layer and made["shortcut1.conv"].params == 4 * 8
    assert made["shortcut1.batch_norm"].params == 2 * 8


def test_defaults_say_how_a_projection_begins_and_computes(write: Write) -> None:
    defaults = "defaults: {conv: {init: he_normal}, batch_norm: {epsilon: 0.001, momentum: 0.99}}\n"
    body = "layers: [{residual: {shortcut: projection, layers: [{conv: {filters: 8, kernel: 1, stride: 2}}]}}]\n"
    nodes = graph(write(INPUT + defaults + body)).by_path()
    assert plain(nodes["shortcut1.conv"].layer)["conv"]["init"] == "he_normal"
    norm = plain(nodes["shortcut1.batch_norm"].layer)["batch_norm"]
    assert (norm["epsilon"], norm["momentum"]) == (0.001, 0.99)


def test_defaults_leave_option_a_its_zeros(write: Write) -> None:
    body = "layers: [{residual: {shortcut: zero_pad, layers: [{conv: {filters: 8, kernel: 1}}]}}]\n"
    nodes = graph(write(INPUT + "defaults: {pad_channels: {channels: 99, stride: 5}}\n" + body)).by_path()
    assert nodes["shortcut1.pad_channels"].output.shape == (16, 16, 8)


def test_a_projection_of_a_large_map_is_found_at_once(write: Write) -> None:
    text = "input: {height: 60000, width: 60000, channels: 1}\nlayers:\n"
    body = "{conv: {filters: 1, kernel: 1, stride: 29999}}"
    made = graph(write(text + f"  - residual: {{shortcut: projection, layers: [{body}]}}"))
    assert made.by_path()["shortcut1.conv"].output.shape == (3, 3, 1)


def test_variants_set_arguments_and_lay_over_sections(write: Write) -> None:
    path = write(
        """
args: {width: 4, depth: 1}
input: {height: 8, width: 8, channels: 3}
variants:
  small: {}
  wide: {width: 32}
  big: {input: {height: 16}, layers: [{conv: {name: only, filters: $(width), kernel: 3}}]}
layers: [{repeat: {times: $(depth), layers: [{conv: {filters: $(width), kernel: 1}}]}}]
"""
    )
    assert load(path).variant == "small"
    assert load(path).name == "small"
    assert graph(path).nodes[0].output.shape == (8, 8, 4)
    assert load(f"{path}#wide").graph().nodes[0].output.shape == (8, 8, 32)
    big = load(path, "big", width=5).graph()
    assert paths(big) == ["only"]
    assert big.nodes[0].output.shape == (14, 6, 5)
    assert len(load(path, depth=3).graph().nodes) == 3


def test_extends_and_import(write: Write) -> None:
    write(
        """
args: {width: 6}
defaults: {conv: {bias: false}}
blocks: {unit: {layers: [{conv: {filters: $(width), kernel: 1}}]}}
input: {height: 8, width: 8, channels: 3}
layers: [unit]
train: {epochs: 3}
""",
        "base.yaml",
    )
    child = write("extends: base.yaml\nargs: {width: 9}\ninput: {height: 4}\ntrain: {batch_size: 7}\n", "child.yaml")
    spec = load(child)
    assert spec.graph().nodes[0].output.shape == (4, 8, 9)
    assert spec.train is not None
    assert (spec.train.epochs, spec.train.batch_size) == (3, 7)
    user = write(
        "import: [base.yaml]\nargs: {width: 2}\ninput: {height: 8, width: 8, channels: 3}\nlayers: [unit, {conv: 5}]\n"
        "defaults: {conv: {kernel: 3}}\n",
        "user.yaml",
    )
    made = graph(user)
    assert [node.output.channels for node in made.nodes] == [6, 5]
    assert [cast(Conv, node.layer).bias for node in made.nodes] == [False, True]


def test_files_in_a_circle_are_refused(write: Write) -> None:
    a = write("extends: b.yaml\nlayers: []\n", "a.yaml")
    write("extends: a.yaml\n", "b.yaml")
    assert codes(a) == ["E111"]
    c = write("import: [d.yaml]\n" + INPUT + "layers: [relu]\n", "c.yaml")
    write("import: [c.yaml]\n", "d.yaml")
    assert "E111" in codes(c)
    assert codes(write("extends: nowhere.yaml\n", "e.yaml")) == ["E101"]


def test_extends_takes_names_of_the_zoo(write: Write, tmp_path: Path) -> None:
    spec = load(write("extends: resnet18\nargs: {classes: 7}\n"))
    assert spec.graph().count("trainable") == load("resnet18", classes=7).graph().count("trainable")
    assert load(write("extends: vgg11\n")).header.name == "net"
    (write("", "bare.yaml")).write_text("archspec: 1\nextends: vgg11\n")
    assert load(tmp_path / "bare.yaml").name == "vgg11"
    for wrong, right in (("lenet.yaml#lenet5", "`lenet#lenet5`"), ("vgg16.yaml", "`vgg16`"), ("lenet5#x", "variant")):
        with pytest.raises(SpecError, match=right):
            load(write(f"extends: {wrong}\n"))
    # A file of that name comes first.
    write("input: {height: 4, width: 4, channels: 1}\nlayers: [{relu: {name: own}}]\n", "lenet5")
    assert "own" in load(write("extends: lenet5\n")).graph().by_path()
    assert "output" in load(write("extends: lenet#lenet5_1998\n")).graph().by_path()
    with pytest.raises(SpecError, match="did you mean `vgg16`"):
        load(write("extends: VGG16\n"))
    # A folder of that name, such as an import's, does not.
    write("{}", "vgg11/spec.yaml")
    assert load(write("extends: vgg11\n")).graph().count("trainable") == 132_863_336


def test_outputs_and_pruning(write: Write) -> None:
    spec = load(
        write(
            INPUT
            + """
layers:
  - conv: {name: body, filters: 4, kernel: 1}
  - conv: {name: aux, filters: 2, kernel: 1}
  - relu: {name: lost, from: body}
  - conv: {name: head, filters: 3, kernel: 1, from: body}
outputs:
  logits: head
  side: {from: aux, weight: 0.3, train_only: true}
"""
        )
    )
    full = spec.graph()
    assert paths(full) == ["body", "aux", "head"]
    assert [(o.name, o.weight, o.train_only) for o in full.outputs] == [("logits", 1.0, False), ("side", 0.3, True)]
    assert paths(full.pruned("eval")) == ["body", "head"]
    assert [item.code for item in spec.diagnostics] == ["W302"]


AUXILIARY = """
args: {auxiliary: true}
layers:
  - conv: {name: body, filters: 4, kernel: 1}
  - conv: {name: head, filters: 3, kernel: 1}
  - conv: {name: aux, when: $(auxiliary), from: body, filters: 2, kernel: 1}
outputs:
  logits: head
  side: {from: aux, when: $(auxiliary), train_only: true}
"""


def test_an_output_may_have_a_condition(write: Write) -> None:
    path = write(INPUT + AUXILIARY)
    assert [output.name for output in load(path).graph().outputs] == ["logits", "side"]
    without = load(path, auxiliary=False)
    assert [output.name for output in without.graph().outputs] == ["logits"]
    assert paths(without.graph()) == ["body", "head"] and not without.diagnostics


def test_outputs_that_are_all_absent_are_reported(write: Write) -> None:
    path = write(INPUT + AUXILIARY.replace("  logits: head\n", "").replace(", train_only: true", ""))
    assert [output.name for output in load(path).graph().outputs] == ["side"]
    with pytest.raises(SpecError) as error:
        load(path, auxiliary=False).graph()
    (found,) = error.value.diagnostics
    assert found.code == "E215" and found.help == ("`when` leaves side out",)


def test_expressions_work_in_every_section(write: Write) -> None:
    spec = load(
        write(
            """
args: {size: 12, last: fc, lr: 0.5}
input: {height: $(size), width: $(size + 2), channels: 1}
layers: [flatten, {dense: {name: fc, units: 3}}]
outputs: {logits: {from: $(last), weight: $(lr)}}
train: {optimiser: {sgd: {learning_rate: $(lr / 2)}}, epochs: $(size)}
"""
        )
    )
    assert spec.input.width == 14
    assert spec.graph().outputs[0].weight == 0.5
    assert spec.train is not None
    assert spec.train.epochs == 12
    assert spec.train.optimiser.learning_rate == 0.25


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("layers: [{repeat: {times: 1000, layers: [{repeat: {times: 1000, layers: [relu]}}]}}]", "E401"),
        ("layers: [{repeat: {times: 999999999, layers: []}}]", "E401"),
        ("layers: [{repeat: {times: 999999999, layers: [{relu: {when: false}}]}}]", "E401"),
        ("blocks: {a: {layers: [b]}, b: {layers: [a]}}\nlayers: [a]", "E214"),
        ("blocks: {a: {layers: [a]}}\nlayers: [a]", "E214"),
        ("layers: [{repeat: {times: $(9 ** 99), layers: [relu]}}]", "E202"),
        ("layers: [{dense: $(2 ** 62)}]", "E206"),
    ],
)
def test_expansion_is_bounded(write: Write, text: str, code: str) -> None:
    assert code in codes(write(INPUT + text))


def test_deep_chains_of_blocks_are_bounded(write: Write) -> None:
    blocks = "".join(f"  b{i}: {{layers: [b{i + 1}]}}\n" for i in range(500))
    assert "E402" in codes(write(INPUT + f"blocks:\n{blocks}  b500: {{layers: [relu]}}\nlayers: [b0]\n"))


def test_what_show_prints_gives_the_same_graph(write: Write, tmp_path: Path) -> None:
    spec = load(
        write(
            INPUT
            + """
args: {n: 2}
blocks:
  unit:
    args: {width: int}
    layers:
      - residual: {shortcut: auto, layers: [{conv: {filters: $(width), kernel: 3, pad: same}}, batch_norm, relu]}
layers:
  - repeat: {name: stage, times: $(n), as: i, layers: [{unit: {width: $(8 * (i + 1))}}]}
  - parallel: {branches: {a: [{max_pool: {window: 3, stride: 1, pad: 1}}], b: []}}
  - global_avg_pool
  - dense: 5
train: {epochs: 2, loss: {cross_entropy: {label_smoothing: 0.1}}}
"""
        )
    )
    written = tmp_path / "again.yaml"
    written.write_text(spec.to_yaml(), encoding="utf-8")
    again = load(written)
    assert again.graph().nodes == spec.graph().nodes
    assert again.graph().outputs == spec.graph().outputs
    assert again.train == spec.train
    assert again.input == spec.input
    assert again.to_yaml() == spec.to_yaml()


def test_another_input_infers_anew(write: Write) -> None:
    spec = load(write(INPUT + "layers: [{conv: {filters: 3, kernel: 3}}]"))
    assert spec.graph().nodes[0].output.shape == (14, 14, 3)
    assert spec.graph(input=(32, 20)).nodes[0].output.shape == (30, 18, 3)
    assert spec.graph(input=(32, 20, 1)).input.shape == (32, 20, 1)
    with pytest.raises(SpecError):
        spec.graph(input=(2, 2))


FAMILY = """
archspec: 1
name: family
args: {classes: 10, width: 4, deep: false}
input: {height: 8, width: 8, channels: 1}
layers:
  - conv: {filters: $(width), kernel: 3}
  - conv: {filters: $(width), kernel: 3, when: $(deep)}
  - flatten
  - dense: {name: head, units: $(classes)}
variants:
  small: {}
  large: {width: 8, deep: true, input: {height: 12}}
  typo: {widht: 8}
published:
  large: {params: 7, source: nowhere}
"""


def test_a_spec_may_start_from_a_variant_of_another(write: Write) -> None:
    write(FAMILY, "family.yaml", whole=True)
    spec = load(write("extends: family.yaml#large\nargs: {classes: 3}\n"))
    assert not spec.diagnostics
    assert spec.args == {"classes": 3, "width": 8, "deep": True}
    assert spec.input.height == 12
    assert [node.kind for node in spec.graph().nodes] == ["conv", "conv", "flatten", "dense"]
    assert spec.name == "net"
    assert spec.variant is None


@pytest.mark.parametrize(("variant", "words"), [("lrage", "did you mean `large`"), ("typo", "no argument `widht`")])
def test_a_variant_that_cannot_be_started_from_is_answered(write: Write, variant: str, words: str) -> None:
    write(FAMILY, "family.yaml", whole=True)
    with pytest.raises(SpecError) as error:
        load(write(f"extends: family.yaml#{variant}\n")).graph()
    assert words in str(error.value)


def test_references_are_looked_up_as_from_is(write: Write) -> None:
    """In a block, `input.1` is the second value that `from` gave; names outside are not seen."""
    spec = write(
        "input: {height: 9, width: 9, channels: 2}\n"
        "blocks:\n"
        "  up: {layers: [{max_unpool: {from: input.0, indices: input.1}}, relu]}\n"
        "layers:\n"
        "  - max_pool: {name: p, window: 2, rounding: ceil}\n"
        "  - conv: {filters: 2, kernel: 1}\n"
        "  - up: {name: u, from: [conv1, p]}\n"
        "  - crop: {like: p}\n"
    )
    nodes = load(spec).graph().by_path()
    assert nodes["u.max_unpool1"].output.shape == (9, 9, 2)
    assert nodes["u.max_unpool1"].ports == ("value", "indices")
    assert nodes["crop1"].output.shape == (5, 5, 2)
    assert nodes["crop1"].ports == ("value", "shape")
    # The map that only lends its shape does not widen what a position sees.
    assert nodes["crop1"].receptive_field.size == (2, 2)


def test_split_gives_every_part(write: Write) -> None:
    made = graph(
        write(
            INPUT
            + "layers:\n  - split: {name: s, sizes: [1, -1]}\n  - relu: {from: s.1}\n  - concat: {from: [s.0, relu1]}\n"
            "  - split: 2\n  - maximum\n  - split: {axis: rows, parts: $(2 * 2)}\n  - average"
        )
    )
    assert paths(made)[:5] == ["s.0", "s.1", "relu1", "concat1", "split1.0"]
    assert [made.by_path()[name].output.shape for name in ("s.0", "s.1", "split1.1")] == [
        (16, 16, 1),
        (16, 16, 3),
        (16, 16, 2),
    ]
    assert made.by_path()["maximum1"].inputs == (4, 5)
    assert made.nodes[-1].output.shape == (4, 16, 2)


@pytest.mark.parametrize(
    "text",
    [
        "[conv: {filters: 4, kernel: 99}, split: {name: s, parts: 2}, relu: {from: s.1}]",
        "[split: {name: s, parts: 3}, relu: {from: s.2}]",
        "[split: {name: s, sizes: [1, 1]}, add: {from: [s.0, s.1]}]",
        "[flatten, dense: {name: d, units: 20000}, split: {name: s, parts: 20000}, relu: {from: s.3}]",
    ],
)
def test_one_mistake_about_a_split_gives_one_message(write: Write, text: str) -> None:
    assert len(open_spec(str(write(INPUT + f"layers: {text}"))).diagnostics) == 1


@pytest.mark.parametrize(
    ("split", "code", "words"),
    [
        ("{split: 3}", "E301", "4 channels cannot be split into 3 equal parts"),
        ("{split: {sizes: [1, 2]}}", "E301", "add up to 4"),
        ("{split: {sizes: [4, -1]}}", "E301", "add up to 4"),
        ("{split: {parts: 2, axis: length}}", "E302", "split divides length, but its input is 16×16×4"),
        ("{split: {parts: 2, axis: row}}", "E206", "did you mean `rows`"),
        ("{split: {parts: 2, sizes: [2, 2]}}", "E206", "one of `parts` and `sizes`"),
        ("{split: 0}", "E206", "a whole number of 1 or more, not 0"),
        ("split", "E203", "`parts` or `sizes`"),
        ("{slice: {channels: [2, 5]}}", "E301", "stops at 5 of 4 channels"),
        ("{slice: {rows: [3, 3]}}", "E301", "takes nothing"),
        ("{slice: {length: [0, 3]}}", "E302", "no length to slice"),
        ("{slice: {channels: 3}}", "E206", "'2:6' or '::2'"),
        ("{channel_shuffle: 3}", "E301", "2 or 4 groups do"),
    ],
)
def test_parts_that_there_are_not(write: Write, split: str, code: str, words: str) -> None:
    (item,) = open_spec(str(write(INPUT + f"layers: [{split}]"))).diagnostics
    assert item.code == code
    assert words in " ".join([item.message, *item.help])


def test_published_figures_are_written_out_for_networks_that_have_them() -> None:
    """A network of another width or size does not claim the figures of the usual one."""
    assert "\npublished:" in load("mobilenet_v1").to_yaml()
    assert "\npublished:" in load("mobilenet_v1", resolution=224).to_yaml()
    assert "\npublished:" not in load("mobilenet_v1", width=0.5).to_yaml()
    assert "\npublished:" not in load("mobilenet_v1", resolution=160).to_yaml()


@pytest.mark.parametrize(
    ("given", "value", "same"),
    [
        ("train.epochs", 2, True),
        ("args.act", "relu", True),
        ("args.act", "tanh", False),
        ("layers.drop.rate", 0.1, False),
        ("input.mean", [0.5], True),
    ],
)
def test_a_network_of_the_same_size_is_not_the_published_one(write: Write, given: str, value: Any, same: bool) -> None:
    """An accuracy that was published is that of these layers, not of others with as many parameters."""
    path = write(
        "input: {height: 4, width: 4, channels: 1}\nargs: {act: relu}\npublished: {top1: 98.5, source: a paper}\n"
        "train: {dataset: mnist5k}\nlayers: [flatten, $(act), dropout: {name: drop, rate: 0.5}, dense: 10]\n"
    )
    written = open_spec(str(path), [python_override(tuple(given.split(".")), value)]).to_yaml()
    assert ("\npublished: {top1: 98.5, source: a paper}" in written) == same
