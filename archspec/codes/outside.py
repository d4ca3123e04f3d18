"""E9: what went wrong outside the spec."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
    Code(
        "E901",
        "a fault of archspec itself",
        "Something came up that nobody foresaw. The exit status is 70.",
        "`ARCHSPEC_DEBUG=1` in the environment prints the traceback; please report it with the command and the spec.",
        commands=("archspec COMMAND …      # any, where something comes up that nobody foresaw",),
    ),
    Code(
        "E902",
        "there is not enough memory",
        "An array or a program is larger than the machine's memory.",
        "A smaller input, batch or network needs less; `archspec report --memory 16GiB` says what fits.",
        commands=("archspec train vgg16 --set train.batch_size=100000      # an array that is larger than the memory",),
    ),
    Code(
        "E903",
        "the system refuses something, such as another open file",
        "The system's own words follow.",
        "`ARCHSPEC_DEBUG=1` in the environment prints the traceback.",
        commands=("(ulimit -n 10; archspec zoo --plot zoo.svg)",),
    ),
    Code(
        "E904",
        "a package that cannot be imported",
        "It is missing, or its version does not fit the others'.",
        "`archspec doctor` says what is missing.",
        commands=("archspec train digits.yaml      # where Optax is not installed",),
    ),
)
