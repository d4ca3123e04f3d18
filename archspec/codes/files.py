"""E1: files, text and the command line."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "E101",
        "a file cannot be found or read, or no network in the zoo has the name",
        "What stands for a spec is a path, a path with `#variant`, or a name from `archspec zoo`. A folder is none of "
        "these, and a spec is 32 MiB at most.",
        "Correct the path; a name that is nearly right is suggested.",
        "extends: nowhere.yaml",
    ),
    Code(
        "E102",
        "the file is not UTF-8 text",
        "Specs are UTF-8, with or without a byte-order mark. The byte that cannot be one is named with its line.",
        "Save the file as UTF-8.",
        commands=(
            "printf 'archspec: 1\\nname: caf\\351\\n' > net.yaml",
            "archspec validate net.yaml",
        ),
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
        "files or variants that extend or import each other in a circle, or too many files",
        "A file or a variant that extends itself by way of others has no beginning.",
        "Put what they share into a file or a variant of its own.",
        commands=(
            "printf 'archspec: 1\\nname: a\\nextends: b.yaml\\n' > a.yaml",
            "printf 'archspec: 1\\nname: b\\nextends: a.yaml\\n' > b.yaml",
            "archspec validate a.yaml",
        ),
    ),
    Code(
        "E112",
        "`extends` or `import` that is no path",
        "`extends` is one path, in a variant one path or the name of another variant; `import` is a list of paths.",
        "`extends: base.yaml`, `import: [blocks.yaml]`",
        "extends: [a.yaml, b.yaml]",
    ),
    Code(
        "E113",
        "an option such as `--set` or `--input` that cannot be understood",
        "The command line can be parsed, but the option's value says nothing, or contradicts another option.",
        "`--set train.epochs=2`, `--input 224x224`; `archspec COMMAND --help` lists a command's options.",
        commands=("archspec report lenet5 --input 32by32",),
    ),
    Code(
        "E114",
        "a port that `serve` cannot listen on",
        "Another program has it, or it needs rights that you do not have.",
        "Give another `--port`, or none, which takes a free one.",
        commands=(
            "archspec serve lenet5 --port 8000 &",
            "archspec serve lenet5 --port 8000",
        ),
    ),
    Code(
        "E115",
        "a revision, or a repository, that git does not have",
        "`archspec diff` asks git for files as a commit has them; nothing is checked out.",
        "`git log --oneline` lists revisions; in a shallow clone `git fetch --unshallow` fetches the older ones.",
        commands=("archspec diff HEAD~1000",),
    ),
    Code(
        "E116",
        "a spec in a newer version of the language",
        "`archspec: 2` may mean other things by the same words, so nothing of such a file is read: docs/versions.md.",
        "`pip install --upgrade archspec-jax`, or the version of the spec from before it was brought up to date.",
        "archspec: 2\nname: net\ninput: {height: 8, width: 8, channels: 3}\nlayers: [flatten, {dense: 10}]\n",
    ),
)
