"""What stands for what: `previous`, named inputs of blocks, the types that come in, names that begin with `_`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import Findings
from archspec.graph import Graph
from archspec.loading import load, open_spec
from archspec.spec.overrides import parse_override
from tests.findings import errors

INPUT = "input: {height: 16, width: 12, channels: 4}\n"
Write = Callable[..., Path]


def sources(graph: Graph) -> dict[str, list[str]]:
    return {node.path: [graph.source_name(source) for source in node.inputs] for node in graph.nodes}


def shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {node.path: node.output.shape for node in graph.nodes}


def test_previous_is_what_the_chain_last_gave(write: Write) -> None:
    graph = load(
        write(
            INPUT
            + """
layers:
  - tanh: {name: skip, from: previous}
  - max_pool: {name: small, window: 2}
  - resize: {name: big, like: skip}
  - concat: {name: both, from: [previous, skip]}
  - resize: {name: same, like: previous, from: small}
  - parallel: {branches: {a: [relu: {name: r, from: previous}], b: []}, name: p}
outputs: {end: previous}
"""
        )
    ).graph()
    wired = sources(graph)
    assert wired["skip"] == ["input"]
    assert wired["both"] == ["big", "skip"]
    assert wired["same"] == ["small", "both"]
    assert wired["p.a.r"] == ["same"]
    assert graph.nodes[graph.outputs[0].node].path == "p.concat1"


def test_previous_may_be_several_values(write: Write) -> None:
    text = INPUT + "layers: [{split: {name: s, parts: 2}}, {add: {name: a, from: [previous.1, previous.0]}}]\n"
    assert sources(load(write(text)).graph())["a"] == ["s.1", "s.0"]
    (item,) = errors(write(text.replace("previous.1", "previous.2")))
    assert item.code == "E210"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("layers: [relu: {name: previous}]", "E213", "stands for what the chain last gave"),
        ("layers: [relu: {name: previous.0}]", "E213", "rename it"),
        ("layers: [parallel: {branches: {previous: [relu]}}]", "E213", "rename it"),
        ("layers: [relu: {name: a, from: prevous}]", "E210", "did you mean `previous`?"),
    ],
)
def test_the_word_is_taken(write: Write, text: str, code: str, words: str) -> None:
    (item,) = errors(write(INPUT + text + "\n"))
    assert item.code == code
    assert words in str((item.message, item.help))


REPEAT = "repeat: {times: 3, as: i, layers: [%s]}"


@pytest.mark.parametrize(
    ("layers", "code", "words"),
    [
        # One message, and not one for each layer in the scope of that name.
        (REPEAT % "{pair: {name: h}}", "E211", "the name `h` is taken"),
        (REPEAT % "{residual: {name: h, layers: [tanh]}}", "E211", "`name: h$(i)`"),
        (REPEAT % "{parallel: {name: h, branches: {a: [tanh], b: []}}}", "E211", "`name: h$(i)`"),
        (REPEAT % "{split: {name: h, parts: 2}}, {concat: {}}", "E211", "`name: h$(i)`"),
        (REPEAT % "{relu: {name: h$(i)}}, {add: {from: [previous, h$(3 * i)]}}", "E210", "here i is 1"),
        (REPEAT % "{relu: {name: h$(i)}}, {resize: {like: h$(n - 8 * i)}}", "E210", "here n is 8 and i is 0"),
        (REPEAT % "{prelu: {name: h$(i)}}, {prelu: {weights: h$(i + 7)}}", "E210", "here i is 0"),
    ],
)
def test_a_mistake_in_rounds_is_told_once_with_what_counts_them(
    write: Write, layers: str, code: str, words: str
) -> None:
    blocks = "args: {n: 8}\nblocks: {pair: {layers: [tanh, {parallel: {branches: [[], [relu]], join: add}}]}}\n"
    first, *_ = every = errors(write(f"{INPUT}{blocks}layers: [{layers}]\n"))
    assert {(item.code, item.primary) for item in every} == {(code, first.primary)}
    assert words in str((first.message, first.notes, first.help))


def test_a_name_that_was_left_out_is_not_taken_for_a_slip(write: Write) -> None:
    for layers in ("{relu: {name: c2, when: false}}, {relu: {from: c2}}", "{relu: {from: c2}}, {relu: {name: c2}}"):
        (item,) = errors(write(f"{INPUT}layers: [{{relu: {{name: c1}}}}, {layers}]\n"))
        assert item.code == "E210" and not any("did you mean" in text for text in item.help)
        assert item.secondary[0].text in ("left out by `when`", "defined here, later")


FUSE = """
blocks:
  fuse:
    inputs: [x, skip]
    args: {width: $(skip.channels)}
    layers:
      - conv: {name: c, from: x, filters: $(width), kernel: 1}
      - resize: {like: skip}
      - add: {name: sum, from: [previous, skip]}
      - concat: {name: all, from: [sum, input.0, input.1]}
"""


def test_blocks_name_their_inputs(write: Write) -> None:
    path = write(
        INPUT
        + FUSE
        + "layers: [{tanh: {name: t}}, {conv: {name: b, filters: 6, kernel: 1}}, "
        + "{fuse: {name: f, from: [previous, t]}}, {fuse: {name: g, from: [b, t], width: $(previous.channels - 10)}}]\n"
        + "outputs: {f: f, g: g}\n"
    )
    graph = load(path).graph()
    assert sources(graph)["f.c"] == ["b"]
    assert sources(graph)["f.sum"] == ["f.resize1", "t"]
    assert sources(graph)["f.all"] == ["f.sum", "b", "t"]
    assert shapes(graph)["g.c"] == (16, 12, 2 * 4 + 6 - 10)
    again = load(write(load(path).to_yaml(), whole=True)).graph()
    assert sources(again) == sources(graph)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (FUSE + "layers: [fuse]", "E307", "block `fuse` takes 2 inputs, `x` and `skip`, but is given 1"),
        (FUSE + "layers: [fuse]", "E307", "from: [previous, skip]"),
        (FUSE + "layers: [{fuse: {from: [input, nowhere]}}]", "E210", "`nowhere`"),
        (
            FUSE.replace("name: sum", "name: skip").replace("[sum, ", "[") + "layers: [{fuse: {from: [input, input]}}]",
            "E211",
            "is an input's",
        ),
        ("blocks: {b: {inputs: [x, x], layers: [relu]}}\nlayers: [relu]", "E208", "another input `x`"),
        ("blocks: {b: {args: {x: 1}, inputs: [x], layers: [relu: {when: $(x > 0)}]}}\nlayers: [relu]", "E208", "x"),
        ("blocks: {b: {inputs: [input], layers: [relu]}}\nlayers: [relu]", "E208", "'input' means something else"),
        ("blocks: {b: {inputs: x, layers: [relu]}}\nlayers: [relu]", "E208", "is a list of names, not 'x'"),
        ("blocks: {b: {input: [x], layers: [relu]}}\nlayers: [relu]", "E201", "did you mean `inputs`?"),
    ],
)
def test_inputs_of_blocks_that_are_wrong(write: Write, text: str, code: str, words: str) -> None:
    (item,) = errors(write(INPUT + text + "\n"))
    assert item.code == code
    assert words in str((item.message, item.help))


def test_expressions_know_what_comes_in(write: Write) -> None:
    graph = load(
        write(
            INPUT
            + """
defaults: {dropout: {rate: $(1 / previous.channels)}}
blocks:
  wide:
    args: {to: $(2 * input.channels)}
    layers: [{conv: {name: c, filters: $(to), kernel: 1}}, {tanh: {name: t, when: $(input.channels > 5)}}]
layers:
  - conv: {name: a, filters: $(previous.channels + input.width), kernel: 3}
  - wide: {name: w}
  - wide: {name: v, from: input}
  - wide: {name: u, to: $(previous.channels + input.channels), from: a}
  - dropout: {name: d}
  - repeat: {name: r, times: $(previous.height // 4), layers: [{max_pool: {window: 2, when: $(previous.height > 3)}}]}
  - flatten: {name: flat}
  - dense: {name: fc, units: "$(make_divisible(previous.features, 32))"}
outputs: {end: fc, w: w, v: v}
"""
        )
    ).graph()
    got = shapes(graph)
    assert got["a"][-1] == 4 + 12
    assert got["w.c"][-1] == 32
    assert got["v.c"][-1] == 8
    assert got["u.c"][-1] == 8 + 4
    assert {path for path in got if path.endswith(".t")} == {"w.t", "v.t", "u.t"} - {"v.t"}
    assert next(node for node in graph.nodes if node.path == "d").layer.to_plain() == {"dropout": {"rate": 1 / 12}}
    assert [path for path in got if path.startswith("r.")] == ["r.0", "r.1"]  # 14, 7, 3
    assert got["fc"] == (96,)  # 3·2·12 = 72; 64 would be below 0.9 of it


def test_signals_and_several_inputs_have_their_own_words(write: Write) -> None:
    text = """
inputs: {sound: {length: 50, channels: 2}, about: {features: 7}}
layers:
  - conv: {name: c, from: sound, filters: "$(input[0].length // 10 + sound.channels)", kernel: 3}
  - global_avg_pool
  - concat: {name: both, from: [previous, about]}
  - dense: {name: d, units: $(about.features)}
"""
    got = shapes(load(write(text)).graph())
    assert got["c"] == (48, 7)
    assert got["d"] == (7,)
    (item,) = errors(write(text.replace("input[0].length", "input.length")))
    assert "`input` stands for 2 values here" in item.message
    assert item.help == ("one of them is `input[0].length`",)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("previous.features", "`previous` is 16×12×4, a map, which has no `features`"),
        ("input.chanels", "did you mean `channels`?"),
        ("previous", "`previous` is no value by itself"),
        ("previous[1].height", "`previous` has no 1; it stands for 1 value"),
        ("w.channels", "an attribute has no place"),
        ("stem.channels", "an attribute has no place"),
        ("len([input])", "`input` is no value by itself"),
    ],
)
def test_what_comes_in_is_asked_for_wrongly(write: Write, expression: str, words: str) -> None:
    text = "args: {w: 1}\n" + INPUT + f'layers: [{{conv: {{filters: "$({expression} + w)", kernel: 1}}}}]\n'
    (item,) = errors(write(text))
    assert item.code == "E202"
    assert words in str((item.message, item.help))


def test_only_layers_know_what_comes_in(write: Write) -> None:
    (item,) = errors(write(INPUT + "args: {w: $(input.channels)}\nlayers: [{dropout: {rate: $(1 / w)}}]\n"))
    assert item.help == ("the sizes of `input` are known in `layers` only",)


def test_one_mistake_gives_one_message(write: Write) -> None:
    text = (
        INPUT
        + FUSE
        + "layers: [{conv: {filters: nine, kernel: 1}}, {dense: $(previous.channels)}, "
        + "{relu: {when: $(previous.height > 2)}}, {fuse: {from: [previous, input]}}, "
        + "{repeat: {times: $(previous.height), layers: [relu]}}]\n"
    )
    assert [item.code for item in errors(write(text))] == ["E206"]
    lines = INPUT.replace("16", "many") + "layers: [{conv: {filters: $(input.channels), kernel: 1}}]\n"
    assert [item.code for item in errors(write(lines))] == ["E206"]


def test_names_may_begin_with_an_underscore(write: Write) -> None:
    """As in the EfficientNets of PyTorch: `_conv_stem`, `_blocks.0._bn0`."""
    from archspec.lower import build, split

    path = write(
        INPUT
        + """
layers:
  - conv: {name: _conv_stem, filters: 8, kernel: 3, pad: same}
  - batch_norm: {name: _bn0}
  - repeat:
      name: _blocks
      times: 2
      layers:
        - conv: {name: _expand_conv, filters: 8, kernel: 1}
        - batch_norm: {name: _bn0}
        - batch_norm: {name: _bn0_}
  - global_avg_pool: {name: _avg_pooling}
  - dense: {name: _fc, units: 3}
outputs: {_logits: _fc, tap: _blocks.0._bn0}
"""
    )
    spec = load(path)
    graph = spec.graph()
    network = build(graph)
    _, params, statistics = split(network)
    assert {"_conv_stem.kernel", "_blocks.1._bn0.scale", "_blocks.1._bn0_.scale", "_fc.bias"} <= params.keys()
    assert "_blocks.0._bn0.mean" in statistics
    again = load(write(spec.to_yaml(), whole=True)).graph()
    assert sources(again) == sources(graph)
    override = parse_override("layers._conv_stem.filters=16", Findings())
    assert override is not None
    assert open_spec(str(path), [override]).graph().nodes[0].output.channels == 16


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{conv: {shared: c}}", "did you mean `weights`?"),
        ("{dense: {reuse_weights: c}}", "did you mean `weights`?"),
        ("{repeat: {times: 2, share: true, layers: [relu]}}", "did you mean `tied`?"),
        ("{both: {inputs: [c, input]}}", "did you mean `from`?"),
    ],
)
def test_other_words_for_it_are_understood(write: Write, entry: str, words: str) -> None:
    blocks = "blocks: {both: {inputs: [x, y], layers: [{add: {from: [x, y]}}]}}\n"
    text = f"layers: [{{conv: {{name: c, filters: 4, kernel: 1}}}}, {entry}]\n"
    (item,) = errors(write(INPUT + blocks + text))
    assert item.help == (words,)


EFFICIENTNET = """
args: {width: 1.0, classes: 1000}
input: {height: 224, width: 224, channels: 3}
blocks:
  mbconv:
    args: {filters: int, kernel: 3, stride: 1, expand: 6}
    layers:
      - conv: {name: _expand_conv, filters: $(expand * input.channels), kernel: 1, bias: false, when: $(expand != 1)}
      - batch_norm: {name: _bn0, when: $(expand != 1)}
      - silu: {when: $(expand != 1)}
      - depthwise_conv: {name: _depthwise_conv, kernel: $(kernel), stride: $(stride), pad: same_upper, bias: false}
      - batch_norm: {name: _bn1}
      - silu: {name: main}
      - global_avg_pool: {keep_dims: true}
      - conv: {name: _se_reduce, filters: "$(max(1, input.channels // 4))", kernel: 1}
      - silu
      - conv: {name: _se_expand, filters: $(expand * input.channels), kernel: 1}
      - sigmoid
      - multiply: {from: [main, previous]}
      - conv: {name: _project_conv, filters: $(filters), kernel: 1, bias: false}
      - batch_norm: {name: _bn2}
      - add: {from: [previous, input], when: $(stride == 1 and input.channels == filters)}
  stage:
    args: {first: int, times: 1, filters: int, kernel: 3, stride: 1, expand: 6}
    layers:
      - repeat:
          times: $(times)
          as: i
          layers:
            - mbconv:
                name: $(first + i)
                filters: "$(make_divisible(filters * width, 8))"
                kernel: $(kernel)
                stride: $(1 if i else stride)
                expand: $(expand)
layers:
  - conv: {name: _conv_stem, filters: $(round(32 * width)), kernel: 3, stride: 2, pad: same_upper, bias: false}
  - batch_norm: {name: _bn0}
  - silu
  - stage: {first: 0, filters: 16, expand: 1}
  - stage: {first: 1, filters: 24, stride: 2, times: 2}
  - stage: {first: 3, filters: 40, stride: 2, kernel: 5, times: 2}
  - stage: {first: 5, filters: 80, stride: 2, times: 3}
  - stage: {first: 8, filters: 112, kernel: 5, times: 3}
  - stage: {first: 11, filters: 192, stride: 2, kernel: 5, times: 4}
  - stage: {first: 15, filters: 320}
  - conv: {name: _conv_head, filters: "$(make_divisible(1280 * width, 8))", kernel: 1, bias: false}
  - batch_norm: {name: _bn1}
  - silu
  - global_avg_pool
  - dense: {name: _fc, units: $(classes)}
"""


def test_efficientnet_is_counted_as_published(write: Write) -> None:
    """5,288,548 parameters and 0.39·10⁹ multiply–adds (Tan & Le 2019; torchvision counts 5,288,548)."""
    graph = load(write(EFFICIENTNET)).graph()
    assert graph.params == 5_288_548
    assert 380e6 < graph.macs < 400e6
    assert {"_conv_stem", "_bn0", "stage2.1._expand_conv", "stage7.15._bn2", "_fc"} <= shapes(graph).keys()


def test_what_when_leaves_out_is_told_from_what_comes_later(write: Write) -> None:
    for layers, words in (
        ("[{relu: {name: a, when: false}}, {tanh: {from: a}}]", "left out by `when`"),
        ("[{tanh: {from: a}}, {relu: {name: a}}]", "defined here, later"),
        ("[{relu: {name: a}}, inside]", "defined here, outside of the block"),
    ):
        blocks = "blocks: {inside: {layers: [{tanh: {from: a}}]}}\n"
        (item,) = errors(write(INPUT + f"layers: {layers}\n{blocks}"))
        assert item.secondary[0].text == words


def test_a_value_that_a_comma_cuts_off_needs_quotes(write: Write) -> None:
    """Inside `{ }` YAML ends a value there, so that what is missing is not the bracket."""
    spec = INPUT + "layers: [conv: {filters: $(max(4, 8)), kernel: 3}]"
    (first,) = errors(write(spec))
    assert first.message == "$( is never closed" and "put quotes around it" in first.help[-1]
    of_two = "layers: [dense: {units: $(max(2, 4, 8)), bias: $(max(0, 1))}]\n"
    unused = "blocks: {b: {layers: [dense: {units: $(max(2, 4))}]}}\n"
    told = errors(write(INPUT + of_two + unused))
    assert [item.message for item in told] == 3 * ["$( is never closed"]
    assert told[0].help == told[1].help == told[2].help == first.help
    (alone,) = errors(write(INPUT + "layers:\n  - conv: {filters: $(4, kernel: 3}\n"))[:1]
    assert alone.help[0] == "add the missing )"
    (open_end,) = errors(write(INPUT + "layers:\n  - conv:\n      filters: $(4\n      kernel: 3\n"))
    assert open_end.help == ("add the missing )",)
    assert not errors(write(INPUT + 'layers: [conv: {filters: "$(max(4, 8))", kernel: 3}]'))
