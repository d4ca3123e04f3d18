"""Every diagnostic's code, declared once: what it means, why it is one, and what mends it.

`python -m archspec.codes` writes docs/diagnostics.md from this. Nothing that a command needs is here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple


class Code(NamedTuple):
    """One code. `example` is a spec that has it, or the part of one that matters; see `complete`."""

    code: str
    what: str
    why: str
    mend: str
    example: str = ""

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "warning" if self.code.startswith("W") else "error"


GROUPS = {
    "E1": "Files, text and the command line",
    "E2": "What the language does not have",
    "E3": "Shapes",
    "E4": "Bounds",
    "E50": "Data and training",
    "E51": "Data and training",
    "E52": "Data and training",
    "E53": "Weights and files that are written",
    "E54": "Weights and files that are written",
    "E56": "Drawings",
    "E9": "What went wrong outside the spec",
    "W2": "Warnings of the language",
    "W3": "Warnings of shapes",
    "W4": "Warnings of devices",
}
"""Headings by how codes begin; codes with one heading stand together."""

_CODES = (
    Code(
        "E101",
        "a file cannot be found or read, or no network in the zoo has the name",
        "What stands for a spec is a path, a path with `#variant`, or a name from `archspec zoo`. A folder is none of "
        "these, and a spec is 16 MiB at most.",
        "Correct the path; a name that is nearly right is suggested.",
        "extends: nowhere.yaml",
    ),
    Code(
        "E102",
        "the file is not UTF-8 text",
        "Specs are UTF-8, with or without a byte-order mark. The byte that cannot be one is named with its line.",
        "Save the file as UTF-8.",
    ),
    Code(
        "E103",
        "the file is empty, or holds something other than a mapping",
        "A spec is a mapping with sections such as `name`, `input` and `layers`.",
        "Begin with `archspec: 1`, `name:`, `input:` and `layers:`.",
        "- conv\n- relu",
    ),
    Code(
        "E104",
        "the text is not YAML",
        "Often a bracket or a quote is not closed, or a line is indented otherwise than its neighbours. A file holds "
        "one document.",
        "Look at the marked place and at the line before it.",
        "archspec: 1\nname: net\ninput: {height: 8, width: 8, channels: 3\nlayers: [relu]",
    ),
    Code(
        "E105",
        "a YAML tag that a spec may not have, or that its value does not fit",
        "A spec holds plain values only: tags that would make objects are refused, and `!!int` stands before a whole "
        "number.",
        "Remove the tag.",
        "notes: !!python/name:os.system x\nlayers: [relu]",
    ),
    Code(
        "E106",
        "values nested too deeply, or aliases that expand to too many values",
        "A few lines of aliases can stand for more values than any memory holds.",
        "Write a block or a `repeat` instead.",
        f"notes: {'[' * 200}{']' * 200}",
    ),
    Code(
        "E107",
        "a key that is not text, or a merge key without a mapping",
        "Fields have names, and `<<` takes a mapping or a list of them.",
        "Put a number that is a name in quotes; `<<: *name` lays a mapping marked with &name under this one.",
        "layers: [relu: {name: a, 1: b}]",
    ),
    Code(
        "E108",
        "a key given twice",
        "YAML forbids it, and one of the two would be lost.",
        "Remove one of them.",
        "layers:\n  - conv: {filters: 8, kernel: 3, filters: 16}",
    ),
    Code(
        "E109",
        "a number with too many digits",
        "Reading it would take long, and no field takes such a number.",
        "Write a smaller number.",
        f"layers: [dropout: {'9' * 5000}]",
    ),
    Code(
        "E110",
        "an alias without an anchor, or inside its own anchor",
        "`*name` stands for the value that was marked with `&name` before it.",
        "Set the anchor before the alias.",
        "layers: [conv: *shared]",
    ),
    Code(
        "E111",
        "files that extend or import each other in a circle, or too many files",
        "A file that extends itself by way of others has no beginning.",
        "Put what they share into a file of its own.",
    ),
    Code(
        "E112",
        "`extends` or `import` that is no path",
        "`extends` is one path; `import` is a list of paths.",
        "`extends: base.yaml`, `import: [blocks.yaml]`",
        "extends: [a.yaml, b.yaml]",
    ),
    Code(
        "E113",
        "an option such as `--set` or `--input` that cannot be understood",
        "The command line can be parsed, but the option's value says nothing, or contradicts another option.",
        "`--set train.epochs=2`, `--input 224x224`; `archspec COMMAND --help` lists a command's options.",
    ),
    Code(
        "E114",
        "a port that `serve` cannot listen on",
        "Another program has it, or it needs rights that you do not have.",
        "Give another `--port`, or none, which takes a free one.",
    ),
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
        "a variant that does not exist",
        "`FILE#variant` names one under `variants:`.",
        "Names that are near are suggested.",
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
    ),
    Code(
        "E218",
        "a kind whose own code fails",
        "The code of a layer raised an error, or its module has other arrays than it declares.",
        "Report it to whoever wrote the kind.",
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
    ),
    Code(
        "E229",
        "a run that was made with kinds of one's own, which are not known now",
        "Its folder records the file's name and digest; the file itself is not in it.",
        "Pass `--plugin FILE`, or call `archspec.plugin(FILE)` first.",
    ),
    Code(
        "E301",
        "a layer does not fit its input",
        "The window is larger than the map, a crop lies outside it, a size would be 0: the arithmetic is shown.",
        "Windows, padding and inputs that would fit are listed.",
        "layers: [conv: {filters: 8, kernel: 11}]",
    ),
    Code(
        "E302",
        "a layer for vectors on a map, or the other way round",
        "`dense` reads a vector of features, `conv` a map.",
        "Put `flatten` or `global_avg_pool` between them.",
        "layers: [dense: 10]",
    ),
    Code(
        "E303",
        "`rounding: exact` and a size that is not a whole number",
        "With `exact`, rows that no window reads are an error instead of a warning.",
        "Sizes and kernels that fit are listed; or take `floor` or `ceil`.",
        "layers: [conv: {filters: 8, kernel: 3, stride: 2, rounding: exact}]",
    ),
    Code(
        "E304",
        "`pad: same` with an even kernel",
        "The padding would be half a pixel on each side.",
        "Make the kernel odd, or say where the odd pixel goes: `pad: same_upper`.",
        "layers: [conv: {filters: 8, kernel: 4, pad: same}]",
    ),
    Code(
        "E305",
        "channels that do not divide into groups, or do not match a table",
        "Every group has as many channels as the next.",
        "Divisors are suggested.",
        "layers: [conv: {filters: 8, kernel: 3, groups: 2}]",
    ),
    Code(
        "E306",
        "branches whose shapes differ",
        "Joins never broadcast: each input is listed with its shape and where it comes from.",
        "Bring them to one shape, with a stride, padding or a 1×1 convolution.",
        "layers:\n  - conv: {name: a, filters: 8, kernel: 3}\n  - add: {from: [a, input]}",
    ),
    Code(
        "E307",
        "the wrong number of inputs",
        "Most layers take one input; joins take several.",
        "Join inputs first, with `concat`, `add` or `multiply`.",
        "layers: [relu: {name: a}, tanh: {from: [a, input]}]",
    ),
    Code(
        "E308",
        "`indices` that names a layer without any",
        "Unpooling puts values where a `max_pool` found them.",
        "Name the `max_pool` that is undone.",
        "layers:\n  - conv: {name: a, filters: 8, kernel: 3}\n  - max_unpool: {indices: a}",
    ),
    Code(
        "E401",
        "the spec expands beyond bounds",
        "A few lines of `repeat` can stand for more layers than any machine holds.",
        "Repeat less often.",
        "layers: [repeat: {times: 1000000000, layers: [relu]}]",
    ),
    Code(
        "E402",
        "blocks and branches nested too deeply",
        "What is nested so deeply is nearly always generated by mistake.",
        "Put layers one after the other.",
        "blocks:\n"
        + "".join(f"  b{i}: {{layers: [b{i + 1}]}}\n" for i in range(70))
        + "  b70: {layers: [relu]}\nlayers: [b0]",
    ),
    Code(
        "E501",
        "task, classes or output sizes of the network are not those of the dataset",
        "The last layer gives one number for each class, or for each class at each pixel.",
        "Set the number of units or filters as the message says, or choose another dataset.",
    ),
    Code(
        "E502",
        "pixels outside the input's range",
        "`input.range` says what black and white are; everything after it relies on that.",
        "The range that the data has is suggested.",
    ),
    Code(
        "E503",
        "images of another size or with other channels than the input",
        "Nothing is scaled unless the spec says so.",
        "Set `input.fit`, give `--input HxW`, or set `input.channels`.",
    ),
    Code(
        "E504",
        "the spec does not say how to train, or its task is another one",
        "Training needs a `train:` section with a dataset.",
        "`train: {dataset: {npz: FILE}, epochs: 10}`",
    ),
    Code(
        "E505",
        "a dataset's files cannot be found",
        "The path, a split's folder, a mask beside an image or a file that a list names is not there.",
        "Relative paths start from the file they are written in, those of `--set` from the current folder.",
    ),
    Code(
        "E506",
        "a dataset's file is damaged or of another format",
        "It ends early, has another magic number, or cannot be decoded.",
        "Copy or make the file anew.",
    ),
    Code(
        "E507",
        "arrays, or images and masks, that are no dataset",
        "Lengths differ, labels are negative or too large, or a mask's pixels are not the numbers of classes.",
        "The message says what a dataset of this kind has.",
    ),
    Code(
        "E508",
        "an input or a target that the dataset does not have",
        "A spec with several inputs is given the dataset's arrays of the same names, and an output finds the target of "
        "its own name; of one input or one target the name does not matter.",
        "Take the names that the message lists.",
    ),
    Code(
        "E510",
        "the run folder holds a run of another spec",
        "Going on with it would mix two trainings.",
        "Choose another `--workdir`; `init_from` begins with that run's weights; `--overwrite` deletes it.",
    ),
    Code(
        "E511",
        "a folder that holds what no run or import made, or the one that `init_from` reads",
        "Nothing is deleted that archspec did not make, and no link is followed: a marker in the folder says so.",
        "Choose an empty or a new folder.",
    ),
    Code(
        "E512",
        "the folder holds no run",
        "A run has the spec that it was made of.",
        "Give the folder that `archspec train` printed.",
    ),
    Code(
        "E513",
        "what a run or an import wrote is missing, damaged or of another network",
        "Arrays have digests that are compared. Of a run's checkpoints the last one that is as it was saved is taken.",
        "`--overwrite` trains anew; an import is made again by the same command.",
    ),
    Code(
        "E514",
        "the run folder cannot be written, or was moved or deleted",
        "The system says why: no space, no rights, or the folder is gone.",
        "Free space, or choose another `--workdir`; the same command goes on after the last checkpoint.",
    ),
    Code(
        "E515",
        "`freeze` or `exclude` names nothing, or layers that use the arrays of others",
        "A pattern that names no layer with weights is nearly always misspelt. Shared arrays go by the layer that has "
        "them.",
        "`archspec report` lists the paths of layers.",
    ),
    Code(
        "E516",
        "`freeze` leaves nothing to train",
        "Every layer with weights is frozen.",
        "Name fewer layers.",
    ),
    Code(
        "E517",
        "another process writes the folder",
        "Two at once would mix their files. The lock ends with its process, however that ends.",
        "Wait until it has ended, or choose another folder.",
    ),
    Code(
        "E518",
        "the data are not those with which the run began",
        "Going on would mix two trainings. run.json has a digest of all samples.",
        "Put the data back, or begin another run with `init_from`.",
    ),
    Code(
        "E520",
        "the loss, in training or held out, or what a step leaves behind is not finite",
        "The learning rate is too high, or the data holds values that the network cannot bear. The failing step is "
        "done again, augmentation and dropout included, to say which layer's output broke first. A checkpoint is saved "
        "only when all in it is finite and the held-out loss is.",
        "Lower the learning rate, or warm it up; with the same settings the run would break again at the same step.",
    ),
    Code(
        "E521",
        "an image or a file of numbers cannot be read or is not what the network takes, or two would have one mask",
        "It is damaged, its pixels do not say what white is, or its arrays have other shapes than the inputs.",
        "Save images as PNG or JPEG; numbers as .npy, a sample or several with the number first.",
    ),
    Code(
        "E522",
        "JAX or its compiler fails on the device",
        "A driver, a device that was lost, or an operation that the backend does not have. JAX's own words are shown.",
        "`archspec doctor` shows the devices; `JAX_PLATFORMS=cpu` runs without them.",
    ),
    Code(
        "E531",
        "a file of tensors cannot be found or read",
        "The path leads nowhere, or to a folder.",
        "Correct the path.",
    ),
    Code(
        "E532",
        "a file that holds no tensors by name, or is damaged",
        "It is cut short, of another format, or a checkpoint without tensors; what lies at its top is listed.",
        "Save a `state_dict`, best as safetensors.",
    ),
    Code(
        "E534",
        "a file or folder cannot be written, or masks would lie among images",
        "The system says why. A file that was there is as it was: files are replaced as a whole or not at all.",
        "Make the folder, free space, or choose another place.",
    ),
    Code(
        "E535",
        "names of tensors that the network does not have",
        "`--names` says whose names the tensors have: a set of the spec's `weights:`, `pytorch` or `archspec`.",
        "The sets that there are are listed.",
    ),
    Code(
        "E536",
        "a file whose tensors the network does not know at all",
        "They are most likely another network's.",
        "Names from the file and from the network are shown side by side.",
    ),
    Code(
        "E537",
        "a file of tensors that is no full match",
        "Tensors are missing, unexpected or of another shape, and a network that is half random would look right.",
        "`--partial` takes what matches and draws the rest at random.",
    ),
    Code(
        "E538",
        "an array that has no place in PyTorch's layout",
        "PyTorch has no such layer.",
        "`--names archspec` writes it as it is.",
    ),
    Code(
        "E539",
        "tensors that hold NaN or infinity, or negative variances",
        "Everything computed with them would be NaN or infinite too.",
        "Take a checkpoint from before the training broke, or copy the file again.",
    ),
    Code(
        "E540",
        "tensors that are not made of real numbers",
        "Complex, sparse and quantised tensors, and whole numbers, stand for other numbers than they hold.",
        "Save them as floats: `tensor.to_dense()`, `tensor.dequantize()`, `tensor.float()`.",
    ),
    Code(
        "E541",
        "a file that has the network's tensors in several places",
        "A student and its teacher, or weights and their moving averages: which are meant cannot be told.",
        "`--prefix teacher` takes those whose names begin so.",
    ),
    Code(
        "E561",
        "a network that cannot be drawn as asked",
        "A look lacks the option, or the picture would be larger than can be drawn.",
        "The message says which options go together.",
    ),
    Code(
        "E901",
        "a fault of archspec itself",
        "Something came up that nobody foresaw. The exit status is 70.",
        "`ARCHSPEC_DEBUG=1` in the environment prints the traceback; please report it with the command and the spec.",
    ),
    Code(
        "E902",
        "there is not enough memory",
        "An array or a program is larger than the machine's memory.",
        "A smaller input, batch or network needs less; `archspec report --memory 16GiB` says what fits.",
    ),
    Code(
        "E903",
        "the system refuses something, such as another open file",
        "The system's own words follow.",
        "`ARCHSPEC_DEBUG=1` in the environment prints the traceback.",
    ),
    Code(
        "E904",
        "a package that cannot be imported",
        "It is missing, or its version does not fit the others'.",
        "`archspec doctor` says what is missing.",
    ),
    Code(
        "W201",
        "an argument that nothing reads",
        "Changing it would change nothing.",
        "Remove it, or read it with `$(name)`.",
        "args: {unused: 1}\nlayers: [relu]",
    ),
    Code(
        "W301",
        "rows or columns of the input that no window reads",
        "The stride leaves them over at the bottom or right.",
        "Pad, take `rounding: ceil`, or take an input of another size, if they matter; `rounding: floor`, written, "
        "says that they do not.",
        "input: {height: 9, width: 8, channels: 3}\nlayers: [max_pool: 2]",
    ),
    Code(
        "W302",
        "a layer whose output nobody uses",
        "It is left out of the network.",
        "Take it with `from:`, name it in `outputs:`, or remove it.",
        "layers: [relu: {name: lost}, tanh: {from: input}]",
    ),
    Code(
        "W303",
        "published figures that the network misses",
        "The spec's `published:` section says how many parameters or multiply–adds the source counts.",
        "Correct the network or the figure.",
        "layers: [relu]\npublished: {params: 61706, source: a book}",
    ),
    Code(
        "W304",
        "values bounded by softmax, sigmoid and the like, to which the loss applies softmax itself",
        "cross_entropy takes logits. Of values between 0 and 1 its softmax is nearly even, so that the loss stays "
        "high: for ten classes it cannot fall below log(1 + 9/e) = 1.461.",
        "Leave the layer out; `predict` gives probabilities all the same.",
        "layers: [global_avg_pool, softmax]\ntrain: {}",
    ),
    Code(
        "W305",
        "batch normalisation over one value per channel",
        "With one sample a step and a map of 1×1 the value is its own mean, so it becomes 0 and nothing before it "
        "trains.",
        "Take a larger `batch_size`, or normalise before the pooling.",
        "layers: [global_avg_pool, batch_norm]\ntrain: {batch_size: 1}",
    ),
    Code(
        "W306",
        "an input that nothing uses",
        "Data must have it, and nothing of what the network gives depends on it.",
        "Take it with `from:`, or remove it from `inputs`.",
        "inputs: {a: {features: 3}, b: {features: 3}}\nlayers: [relu: {from: a}]",
    ),
    Code(
        "W307",
        "a network that cannot be trained as its recipe says",
        "An output has not the shape that the task needs, or loss, metrics and task take other targets. `train` "
        "refuses it; everything else works.",
        "Do as the message says: another task, loss or end of the network; `task: {segmentation: {crop: center}}` "
        "where a map is smaller than the input.",
        "layers: [conv: {filters: 2, kernel: 3}]\ntrain: {}",
    ),
    Code(
        "W308",
        "a part of the recipe that nothing uses",
        "Every output says its own loss or metrics in `outputs`, or `augment` is there and no input is an image.",
        "Remove what is not used.",
        "layers: [flatten, dense: 2]\noutputs: {a: {from: dense1, loss: hinge}}\ntrain: {loss: focal}",
    ),
    Code(
        "W401",
        "a batch that does not fit into a device's memory",
        "The prediction of `archspec roofline` is for a device that could not hold it.",
        "The largest batch that fits is named.",
    ),
)

CODES = {code.code: code for code in _CODES}
"""Every code, in the order of the page."""


def complete(example: str) -> str:
    """A whole spec of an example: what it lacks of version, name and input comes before it."""
    if example.startswith(("- ", "archspec:")):
        return example + "\n"
    head = "archspec: 1\nname: net\n"
    if "input:" not in example and "inputs:" not in example and "extends:" not in example:
        head += "input: {height: 8, width: 8, channels: 3}\n"
    return head + example + "\n"


_HEAD = """# Diagnostics

Everything that is wrong with a spec is reported at once, each finding with its place, the reason and a way out.
`--format json` prints the same as data. The exit status is 0 (fine, warnings allowed), 1 (something that has a code
below, or output that was lost), 2 (the command line cannot be parsed), 70 (E901, a fault of archspec itself) or 130
(Ctrl-C); `--strict` makes warnings errors.

Where a terminal cannot show a character, one like it stands in its place; JSON, YAML, SVG and HTML have escapes and
references instead, and mean the same. Control characters in specs and file names are replaced, so that they cannot
drive the terminal. A standard stream that is closed, or whose reader has gone, ends no command; standard output that is
full makes the exit status 1 when the command has done its work. Files are written as a whole or not at all.
`ARCHSPEC_DEBUG=1` in the environment prints the traceback of an error that nobody foresaw (E901 to E904).

This page is made by `python -m archspec.codes`. Examples leave out `archspec: 1`, `name: net` and
`input: {height: 8, width: 8, channels: 3}`.
"""

_LONG = 200
"""Characters of an example beyond which the page does without it."""


def page() -> str:
    """docs/diagnostics.md."""
    lines = [_HEAD, "| code | meaning |", "|---|---|"]
    lines += [f"| [{code.code}](#{code.code.lower()}) | {code.what} |" for code in CODES.values()]
    heading = None
    for code in CODES.values():
        group = next(title for start, title in GROUPS.items() if code.code.startswith(start))
        if group != heading:
            heading = group
            lines += ["", f"## {group}"]
        lines += ["", f"### {code.code}", "", f"**{code.what[:1].upper()}{code.what[1:]}.** {code.why}", ""]
        if code.example and len(code.example) <= _LONG:
            lines += ["```yaml", code.example, "```", ""]
        mend = code.mend if code.mend.endswith((".", "`")) else code.mend + "."
        lines.append(f"*Way out:* {mend}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "diagnostics.md").write_text(page(), "utf-8")
