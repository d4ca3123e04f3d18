"""What `archspec layers` says of the words of an entry that are no kinds: structure, and fields of every entry."""

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
        "whose rounds are numbered: stage.0, stage.1.",
        (
            ("times", "required", "how often; an expression may compute it"),
            ("layers", "required", "what is repeated"),
            ("as", "none", "the variable that counts the rounds from 0, for expressions inside"),
        ),
        (
            "- repeat: {times: 3, layers: [{conv: {filters: 64, kernel: 3, pad: same}}, relu]}",
            "- repeat: {name: stage, times: 4, as: k, layers: [dense: $(64 * (k + 1))]}",
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
}
"""Words that may stand where a kind stands, or in every entry."""


def describe_word(name: str) -> str:
    """All about one word."""
    word = WORDS[name]
    lines = [f"{name} ({word.family})", "", word.about]
    if word.fields:
        rows = aligned([("field", "default", ""), *word.fields], [False] * 3)
        lines += ["", "fields:", *("  " + line for line in rows)]
    lines += ["", "examples:", *("  " + line for line in word.examples)]
    return "\n".join(lines)


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
