"""E2: what the language does not have."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "E201",
        "a section, field or argument that does not exist",
        "It would be passed over silently, and the network would be another one than you meant.",
        "Names that are near are suggested; `archspec layers KIND` lists a kind's fields.",
        "layers: [conv: {filters: 8, kernal: 3}]",
    ),
    Code(
        "E202",
        "an expression `$(…)` that cannot be evaluated",
        "A name in it is not defined here, a value has the wrong type, or the result is not finite.",
        "A block sees its own arguments and its `input`, and the file's `args` where the layers of the file stand.",
        "layers: [conv: {filters: $(width), kernel: 3}]",
    ),
    Code(
        "E203",
        "a section, field or argument that is missing",
        "It has no default.",
        "Add it; `archspec layers KIND` says which fields are required.",
        "layers: [conv: {filters: 8}]",
    ),
    Code(
        "E204",
        "a kind that does not exist",
        "Kinds of layers, optimisers, losses and so on have names; other libraries' names are suggested as ours.",
        "`archspec layers` lists all kinds.",
        "layers: [tahn]",
    ),
    Code(
        "E205",
        "a kind written in the wrong form",
        "A kind is its name alone, `name: value` where one field is its main one, or `name: {field: value}`.",
        "`archspec layers KIND` has examples.",
        "layers: [relu: 5]",
    ),
    Code(
        "E206",
        "a value of the wrong type or out of range",
        "The message says what the field takes.",
        "Write such a value.",
        "layers: [conv: {filters: -6, kernel: 3}]",
    ),
    Code(
        "E207",
        "an entry of `layers:` that is not one kind",
        "Every entry is one kind; a second key beside it is most often a field that should be indented further.",
        "`- conv: {filters: 8, kernel: 3, name: first}`",
        "layers:\n  - conv: {filters: 8, kernel: 3}\n    name: first",
    ),
    Code(
        "E208",
        "a block that cannot be defined",
        "Its name is a kind's, it has no layers, or its `inputs` are not names of their own.",
        "Choose another name.",
        "blocks: {relu: {layers: [tanh]}}\nlayers: [relu]",
    ),
    Code(
        "E209",
        "a name that an argument cannot have",
        "Arguments stand in expressions, where `when`, `input`, `true` and the like mean something already.",
        "Choose another name.",
        "args: {when: 3}\nlayers: [relu]",
    ),
    Code(
        "E210",
        "a layer that `from` or `outputs` names and that is not there, or comes later",
        "Layers read what came before them. A layer within a block is named by its path.",
        "The names so far are listed.",
        "layers: [add: {from: [input, missing]}]",
    ),
    Code(
        "E211",
        "a name given twice",
        "Names are paths of weights, so they are unique within a scope.",
        "Choose another name, or insert the loop's variable: `name: conv$(i)`.",
        "layers: [relu: {name: a}, tanh: {name: a}]",
    ),
    Code(
        "E212",
        "a variant that does not exist, or none where the file alone is no network",
        "`FILE#variant` names one under `variants:`. A file that leaves its layers to its variants is a network only "
        "with one of them.",
        "Names that are near are suggested, or all are listed.",
        commands=("archspec report 'digits.yaml#wide'",),
    ),
    Code(
        "E213",
        "a text that cannot be a name",
        "Names are letters, digits and `_`. `input` and `previous` stand for something else.",
        "Choose such a name.",
        'layers: [relu: {name: "no spaces"}]',
    ),
    Code(
        "E214",
        "a block that calls itself",
        "It would expand without end.",
        "Use `repeat` for layers that come again.",
        "blocks: {a: {layers: [b]}, b: {layers: [a]}}\nlayers: [a]",
    ),
    Code(
        "E215",
        "no output is left for evaluation",
        "Every output is `train_only`, so nothing would be computed when the network is used.",
        "Take `train_only` from the main output.",
        "layers: [relu: {name: a}]\noutputs: {aux: {from: a, train_only: true}}",
    ),
    Code(
        "E216",
        "the network has no layers",
        "There is nothing to compute.",
        "Put at least one entry under `layers:`.",
        "layers: []",
    ),
    Code(
        "E217",
        "a kind of another package that does not load",
        "The package announces the kind, but importing it fails.",
        "Mend or remove the package; `archspec doctor` lists versions.",
        commands=(
            "pip install ./snake-layer        # whose entry point names a module that fails when it is imported",
            "archspec report net.yaml         # with `- snake` among its layers",
        ),
    ),
    Code(
        "E218",
        "a kind whose own code fails",
        "The code of a layer raised an error, or its module has other arrays than it declares.",
        "Report it to whoever wrote the kind.",
        commands=(
            "printf 'from archspec import Layer\\n\\nclass Odd(Layer):\\n    def infer(self, *inputs):\\n        "
            "return 1 / 0\\n\\n    def build(self, inputs, rngs):\\n        return None\\n' > odd.py",
            "printf 'archspec: 1\\nname: net\\ninput: {features: 3}\\nlayers: [odd]\\n' > net.yaml",
            "archspec validate net.yaml --plugin odd.py",
        ),
    ),
    Code(
        "E219",
        "what the network takes is said twice, or as two things at once",
        "A spec has `input`, or `inputs` by name; each is an image (height, width, channels), a signal (length, "
        "channels) or a vector (features), and which fields are given decides.",
        "Leave out what was not meant.",
        "input: {length: 100, features: 3}\nlayers: [relu]",
    ),
    Code(
        "E220",
        "a first entry that does not say which of several inputs it takes",
        "A chain begins with the network's input; where there are several, none is the first by itself.",
        "Give the entry a `from`.",
        "inputs: {a: {features: 3}, b: {features: 3}}\nlayers: [relu]",
    ),
    Code(
        "E221",
        "arrays that cannot be shared",
        "`weights: NAME` uses the arrays of an earlier layer or block, and `tied` those of a repeat's first round. "
        "Kinds, fields and the shapes of all arrays must be the same.",
        "Leave out what differs: it is taken from the layer that has the arrays.",
        "layers: [conv: {name: a, filters: 4, kernel: 3}, conv: {kernel: 3, filters: 8, weights: a}]",
    ),
    Code(
        "E228",
        "a file with kinds of one's own that cannot be used",
        "`--plugin FILE` runs the file and takes the layers, losses and so on that it defines. It fails, has none, or "
        "one whose name is taken or whose examples do not hold.",
        "Mend the line that is shown; [plugins.md](plugins.md) has a whole layer.",
        commands=(
            "echo 'import nothing_of_this_name' > odd.py",
            "archspec validate lenet5 --plugin odd.py",
        ),
    ),
    Code(
        "E229",
        "a run that was made with kinds of one's own, which are not known now",
        "Its folder records the file's name and digest; the file itself is not in it.",
        "Pass `--plugin FILE`, or call `archspec.plugin(FILE)` first.",
        commands=(
            "printf 'from archspec.layers.relu import Relu\\n\\nclass Odd(Relu):\\n    pass\\n' > odd.py",
            "archspec weights import net.yaml net.safetensors -o runs/odd --plugin odd.py    # with `- odd` among "
            "its layers",
            "archspec predict runs/odd seven.png",
        ),
    ),
)
