"""What `archspec layers` says of the words of an entry that are no kinds: structure, fields of every entry, what `from`
may name, and functions of expressions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from archspec.reports.cells import aligned


class Word(NamedTuple):
    """A word of the language. `fields` have a name, a default as it is printed, and what they do."""

    family: str
    about: str
    fields: tuple[tuple[str, str, str], ...] = ()
    examples: tuple[str, ...] = ()


WORDS = {
    "repeat": Word(
        "structure",
        "Its layers so many times, one after the other. Unnamed, they lie in the scope around it; a name opens a scope "
        "whose rounds are numbered: stage.0, stage.1. With `tied` or `weights` there is one without a name too: "
        "repeat1.0, repeat1.1.",
        (
            ("times", "required", "how often; an expression may compute it"),
            ("layers", "required", "what is repeated"),
            ("as", "none", "the variable that counts the rounds from 0, for expressions inside"),
            ("tied", "false", "true: every round uses the arrays of the first"),
        ),
        (
            "- repeat: {times: 3, layers: [{conv: {filters: 64, kernel: 3, pad: same}}, relu]}",
            "- repeat: {name: stage, times: 4, as: k, layers: [dense: $(64 * (k + 1))]}",
            "- repeat: {times: 3, tied: true, layers: [{conv: {filters: 64, kernel: 3, pad: same}}, relu]}",
        ),
    ),
    "parallel": Word(
        "structure",
        "Branches that take the same input, and are joined. An empty branch is the identity.",
        (
            ("branches", "required", "a list of lists of layers, or a mapping from names to them"),
            ("join", "concat", "concat, add, multiply, maximum or average"),
        ),
        ("- parallel: {branches: [[conv: {filters: 8, kernel: 1}], [conv: {filters: 8, kernel: 3, pad: same}]]}",),
    ),
    "split": Word(
        "structure",
        "Divides what comes in into parts along an axis, and gives them all, in a scope of its name: s.0, s.1 and so "
        "on. `from: s.1` takes one, a join behind it all.",
        (
            ("parts", "none", "so many equal parts; a plain value sets this"),
            ("sizes", "none", "a list of their sizes instead, of which one may be -1, what is left"),
            ("axis", "channels", "channels (of a vector its features), rows or columns of a map, length of a signal"),
        ),
        ("- split: {name: s, parts: 2}", "- split: {sizes: [16, -1]}"),
    ),
    "residual": Word(
        "structure",
        "Its layers plus a shortcut around them (He et al. 2016).",
        (
            ("layers", "required", "the residual branch"),
            (
                "shortcut",
                "identity",
                "identity, projection (a strided 1×1 convolution and batch normalisation), zero_pad (every stride-th "
                "pixel, and channels of zeros), auto (identity where shapes agree, else projection), or a list of "
                "layers",
            ),
        ),
        (
            "- residual: {layers: [{conv: {filters: 64, kernel: 3, pad: same}}, batch_norm]}",
            "- residual: {shortcut: projection, layers: [conv: {filters: 64, kernel: 3, pad: same, stride: 2}]}",
        ),
    ),
    "separable_conv": Word(
        "structure",
        "A depthwise convolution without bias and a 1×1 convolution over its channels (Chollet 2017), two layers with "
        "paths of their own: sep.depthwise and sep.pointwise where it is called sep. Keras' SeparableConv; of maps and "
        "signals.",
        (
            ("filters", "required", "output channels of the 1×1 convolution"),
            ("kernel", "required", "kernel size of the depthwise convolution"),
            ("stride, pad, dilation, rounding", "as conv's", "of the depthwise convolution"),
            ("multiplier", "1", "filters of the depthwise convolution for each input channel"),
            ("bias, bias_init", "as conv's", "of the 1×1 convolution"),
            ("init", "lecun_normal", "initialiser of both kernels"),
        ),
        (
            "- separable_conv: {filters: 64, kernel: 3, pad: same}",
            "- separable_conv: {name: sep, filters: 64, kernel: 3, pad: same, stride: 2, bias: false}",
        ),
    ),
    "name": Word(
        "field of every entry",
        "The layer's name in its scope, and so its path in reports and weights: letters, digits and _. An unnamed "
        "layer gets its kind and a number: conv1, conv2.",
        examples=("- conv: {name: c1, filters: 6, kernel: 5}",),
    ),
    "from": Word(
        "field of every entry",
        "What the layer takes instead of the output before it: the name of an earlier layer, a path such as "
        "stage1.0.conv2, `input`, or a list of these for a layer of several inputs.",
        examples=("- relu: {from: c1}", "- add: {from: [c1, input]}"),
    ),
    "when": Word(
        "field of every entry",
        "Whether the entry is there; where it is not, its input goes on to the next.",
        examples=("- dropout: {rate: 0.5, when: $(big)}",),
    ),
    "weights": Word(
        "field of every entry",
        "The earlier layer, block or structure of the same kind whose arrays it uses instead of its own: a name or a "
        "path, looked up as in `from`. What is left out is as there: fields, arguments, the layers of a structure.",
        examples=("- conv: {weights: c1}", "- residual: {name: again, from: input, weights: unit}"),
    ),
    "input": Word(
        "name",
        "What the block takes, outside of blocks what the network takes; with names, each by its own. `from: input` "
        "reads it, and expressions its sizes: input.channels.",
        examples=("- add: {from: [c1, input]}", "- conv: {filters: $(2 * input.channels), kernel: 1}"),
    ),
    "previous": Word(
        "name",
        "What the chain gave before the entry. `from: [previous, c1]` takes it with another, `previous.1` the second "
        "of several; expressions read its sizes: previous.channels.",
        examples=("- add: {from: [previous, c1]}", "- conv: {filters: $(2 * previous.channels), kernel: 1}"),
    ),
    **{
        name: Word("function of expressions", about, examples=(f'- conv: {{filters: "$({call})", kernel: 1}}',))
        for name, about, call in (
            ("len", "How many items a list has.", "8 * len([1, 2])"),
            ("min", "The least of numbers, or of a list.", "min(64, 2 * previous.channels)"),
            ("max", "The largest of numbers, or of a list.", "max(8, previous.channels // 4)"),
            (
                "round",
                "The nearest whole number, or with a second number, so many digits after the point.",
                "round(5.6)",
            ),
            ("ceil", "The least whole number that is no less.", "ceil(previous.channels / 3)"),
            ("floor", "The largest whole number that is no more.", "floor(previous.channels / 3)"),
            ("sum", "The sum of a list of numbers.", "8 * sum([1, 2])"),
            (
                "divisible",
                "Whether the first number is a multiple of the second: true or false.",
                "16 if divisible(previous.channels, 8) else 8",
            ),
            (
                "make_divisible",
                "The nearest multiple of the second number, no less than it and than 0.9 of the first: how MobileNets "
                "round channels (Sandler et al. 2018). A third number is the least that it gives.",
                "make_divisible(1.4 * 24, 8)",
            ),
        )
    },
}
"""Words that may stand where a kind stands, in every entry, in `from` or in expressions."""


def describe_word(name: str) -> str:
    """All about one word."""
    word = WORDS[name]
    lines = [f"{name} ({word.family})", "", word.about]
    if word.fields:
        rows = aligned([("field", "default", ""), *word.fields], [False] * 3)
        lines += ["", "fields:", *("  " + line for line in rows)]
    lines += ["", "examples:", *("  " + line for line in word.examples)]
    return "\n".join(lines)


def holders_of(name: str) -> list[str]:
    """What has a field of a name: words for structure, kinds, sections of a spec."""
    from archspec.kinds import FAMILIES, KindError, find_kind, kind_names
    from archspec.spec.inputs import SignalInput, VectorInput
    from archspec.spec.network import ImageInput
    from archspec.spec.train import Train

    found = [word for word, about in WORDS.items() if any(name in fields.split(", ") for fields, _, _ in about.fields)]
    for family in FAMILIES:
        for kind in kind_names(family):
            try:
                made = find_kind(family, kind)
            except KindError:
                continue
            if made is not None and name in made.model_fields:
                found.append(kind)
    sections = {"input": (ImageInput, SignalInput, VectorInput), "train": (Train,)}
    found += [f"the section `{key}`" for key, of in sections.items() if any(name in own.model_fields for own in of)]
    return list(dict.fromkeys(found))


def word_to_dict(name: str) -> dict[str, Any]:
    """A word as plain data, with the keys that a kind has."""
    word = WORDS[name]
    return {
        "kind": name,
        "family": word.family,
        "summary": word.about,
        "main": None,
        "fields": {
            field: {
                "required": default == "required",
                "default": None if default == "required" else default,
                "description": description,
            }
            for field, default, description in word.fields
        },
        "examples": list(word.examples),
    }
