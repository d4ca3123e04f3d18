"""E56: models of other tools that become specs."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "E562",
        "an operation of a model file that has no kind here",
        "All of them are named at once, each with its place. The rest is written, and the spec has `not_imported` in "
        "their places, which `archspec validate` refuses.",
        "Put layers, or a kind of your own (docs/plugins.md), in the place of `not_imported`.",
        commands=(
            'printf \'input: "data"\\ninput_dim: [1, 3, 8, 8]\\nlayer {name: "a" type: "Odd" bottom: "data" '
            'top: "a"}\\n\' > net.prototxt',
            "archspec import net.prototxt -o net.yaml",
        ),
    ),
    Code(
        "E563",
        "a model file that breaks the rules of its format",
        "It is damaged, or of another version; the place is shown where the format is text.",
        "Copy the file again, or write it again with the tool that it is from.",
        commands=(
            'printf \'layer {name: "a" type: "ReLU"\\n\' > net.prototxt',
            "archspec import net.prototxt -o net.yaml",
        ),
    ),
    Code(
        "E564",
        "a model file that is too large, or nested too deeply",
        "Sizes, depths and counts are bounded, so that no file can take all memory or time.",
        "The message has the bound.",
        commands=(
            "python -c \"print('layer {' * 5000)\" > net.prototxt",
            "archspec import net.prototxt -o net.yaml",
        ),
    ),
    Code(
        "E565",
        "a model file that makes no network",
        "It has no input of a known size, no output, or no layer between them.",
        "Where a file leaves the size open, `--input 224x224` says it.",
        commands=(
            "printf 'input: \"data\"\\ninput_dim: [1, 3, 8, 8]\\n' > net.prototxt",
            "archspec import net.prototxt -o net.yaml",
        ),
    ),
    Code(
        "E566",
        "a model file whose parts do not fit each other",
        "Its arrays have other shapes than its layers, or what its layers say cannot be written as a spec.",
        "The first thing that does not fit is named.",
        commands=(
            "archspec import net.caffemodel -o net.yaml      # in which a kernel is 5×5, of a layer that says 3×3",
        ),
    ),
    Code(
        "E567",
        "a file that is there and would be replaced by an import",
        "What a person has changed in an imported spec would be lost.",
        "Choose another name, or `--overwrite`.",
        commands=(
            'printf \'input: "data"\\ninput_dim: [1, 3, 8, 8]\\nlayer {name: "a" type: "ReLU" bottom: "data" '
            'top: "a"}\\n\' > net.prototxt',
            "archspec import net.prototxt -o net.yaml",
            "archspec import net.prototxt -o net.yaml",
        ),
    ),
    Code(
        "E568",
        "an import folder of a model that has not all its weights",
        "A folder holds a network with all its arrays; the file has none, or not all of them.",
        "`-o NAME.yaml` writes the spec alone.",
        commands=(
            'printf \'input: "data"\\ninput_dim: [1, 3, 8, 8]\\nlayer {name: "a" type: "InnerProduct" bottom: '
            '"data" top: "a" inner_product_param {num_output: 2}}\\n\' > net.prototxt',
            "archspec import net.prototxt -o runs/net/",
        ),
    ),
    Code(
        "E569",
        "a file that is no model that can be read",
        "It is missing, or of a format that is not among those that `archspec import` reads.",
        "docs/import.md lists the formats, and what each is known by.",
        commands=(
            "echo 'no model' > net.txt",
            "archspec import net.txt -o net.yaml",
        ),
    ),
)
