"""E9: what went wrong outside the spec."""

from __future__ import annotations

from archspec.codes._code import Code

CODES = (
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
)
