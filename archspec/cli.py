"""The command line. Each command is a file in `commands/`, and imports what it needs when it runs.

Exit status: 0 fine (warnings allowed), 1 an error with a code or output that was lost, 2 the command line cannot be
parsed, 70 a fault of archspec itself, 75 another process of a run was lost, 130 interrupted.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword
from types import ModuleType
from typing import Any, NamedTuple

from archspec.diagnostics import SpecError
from archspec.output import Stream, say, streams
from archspec.shell_completion.scripts import SHELLS

WITHOUT_PLUGINS = ("zoo", "doctor", "runs", "format")
"""Commands that take neither a spec nor a run."""
COMPILING_NOTHING = ("data",)
"""Commands that run JAX, but compile no network."""

COMPLETE = "--complete"
"""With this the scripts of shells ask what may come next on a command line."""

INTERRUPTED, TERMINATED = 128 + 2, 128 + 15
"""Exit status after Ctrl-C, as shells have it for signal 2."""


class Command(NamedTuple):
    """What `archspec --help` says of a command, and whether it runs JAX for long."""

    help: str
    runs_jax: bool = False


COMMANDS = {
    "new": Command("begin a spec for data of your own: four questions, or options"),
    "validate": Command("check specs; a family file checks every variant"),
    "format": Command("format specs: indentation, spaces and blank lines; comments stay"),
    "show": Command("print the elaborated spec, every default filled in"),
    "report": Command("parameters, multiply–adds, shapes and receptive fields"),
    "serve": Command("the report as a page in the browser, which follows the spec as it is saved"),
    "draw": Command("draw a network: SVG, PNG, PDF or DOT"),
    "compare": Command("networks side by side; two of them layer by layer"),
    "diff": Command("what differs between specs, git revisions or runs"),
    "roofline": Command("how fast a network can be on a device at best"),
    "plan": Command("which mesh of many devices a network trains on best, and what bounds it there"),
    "bench": Command("how fast a network is on this device: steps, layers, beside Flax by hand", runs_jax=True),
    "tune": Command("time the ways to compute a network's operations on this device, and keep the best", runs_jax=True),
    "train": Command("train a network; checkpoints, metrics and curves in a run folder", runs_jax=True),
    "sweep": Command("try settings of a spec, a run each: grid, random, successive halving, TPE", runs_jax=True),
    "lr-find": Command("try rising learning rates on a spec's own recipe, and suggest one", runs_jax=True),
    "eval": Command("evaluate a trained run on its test, validation or training part, or on other data", runs_jax=True),
    "walkthrough": Command(
        "one number of a layer, and the numbers that make it; what a run says of an image that moves", runs_jax=True
    ),
    "explain": Command(
        "where a trained run's answers come from: attributions, maps, units, adversarial images", runs_jax=True
    ),
    "predict": Command("what a trained run says of files: classes, labels, numbers, masks, images", runs_jax=True),
    "data": Command("read all data of a spec once, and say what is in them and what is wrong", runs_jax=True),
    "runs": Command("runs side by side: settings that differ, figures, learning curves"),
    "weights": Command("import and export weights", runs_jax=True),
    "export": Command("write a network in another tool's format", runs_jax=True),
    "import": Command("make a spec of a model's file that another tool wrote", runs_jax=True),
    "layers": Command("list the kinds of layers, datasets, optimisers, …, or all about one"),
    "zoo": Command("list, sort and plot the networks that come with archspec"),
    "lsp": Command("answer an editor while specs are written: shapes, errors, completion, renaming"),
    "schema": Command("print the language's JSON Schema, for editors"),
    "doctor": Command("versions, devices and what is missing"),
}
"""Every command, in the order of `archspec --help`.

`archspec.commands.NAME`, with _ for -, has its options and what runs it; where that is a word of Python's, NAME_.
"""


def module_of(command: str) -> str:
    """The module of a command."""
    name = command.replace("-", "_")
    return f"archspec.commands.{name}_" if iskeyword(name) else f"archspec.commands.{name}"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    Without `argv` it is the command line of this process, which then ends here where Python's own tidying up would only
    do harm: after Ctrl-C, which libraries' threads take badly and a second Ctrl-C would fall into, after commands that
    only read, whose many objects it would take apart one by one, and after an error while steps are being compiled, or
    JAX has joined other processes.
    """
    try:
        with streams() as own:
            status = _accounted(_answered(list(sys.argv[1:] if argv is None else argv)), own)
    except KeyboardInterrupt:  # a second one, while the first was answered
        status = INTERRUPTED
    if argv is None and (status in (INTERRUPTED, TERMINATED) or _only_reads() or (status and _is_held())):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)
    return status


def _only_reads() -> bool:
    """Whether the command line's own command leaves nothing to be seen to; debuggers and profilers have more to do."""
    watched = sys.gettrace() is not None or sys.getprofile() is not None or "ARCHSPEC_DEBUG" in os.environ
    return not watched and not any(name in sys.modules for name in ("jax", "torch", "coverage"))


def _is_held() -> bool:
    """Whether steps are still being compiled, or JAX would wait for other processes: nobody does after an error."""
    ahead, hosts = (sys.modules.get(f"archspec.training.{name}") for name in ("ahead", "hosts"))
    return (ahead is not None and bool(ahead.goes_on())) or (hosts is not None and bool(hosts.is_left()))


def _answered(words: Sequence[str]) -> int:
    """The exit status of the command with these words. Whatever goes wrong is told in words."""
    if words and words[0] == COMPLETE:
        from archspec.shell_completion.answering import answer

        return answer(words[1:], {name: item.help for name, item in COMMANDS.items()}, _parser_of)
    chosen = words[0] if words and words[0] in COMMANDS else None
    runs_jax = chosen is not None and COMMANDS[chosen].runs_jax
    # Commands that only read build many objects and drop few: collecting garbage would only cost them time.
    collecting = gc.isenabled() and not runs_jax
    if collecting:
        gc.disable()
    _without_plugins()
    options = argparse.Namespace()
    try:
        options = _options(words, chosen)
        if runs_jax:
            from archspec.training.interrupt import lose_nothing

            lose_nothing()
        if getattr(options, "plugins", None):
            from archspec.plugins import plugin

            for file in options.plugins:
                plugin(file)
        run: Callable[[argparse.Namespace], int] = options.run
        if getattr(options, "no_cache", False):
            from archspec.programs import unkept

            with unkept():
                return run(options)
        return run(options)
    except SystemExit as error:  # argparse has said what is wrong, or helped
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except SpecError as error:
        from archspec.commands._common import show

        show(error.diagnostics, options)
        return getattr(error, "status", 1)
    except KeyboardInterrupt as error:
        say(str(error) or "interrupted")
        return getattr(error, "status", INTERRUPTED)
    except Exception as error:
        interrupt = sys.modules.get("archspec.training.interrupt")
        if interrupt is not None and interrupt.interrupts.is_set():
            # What a Ctrl-C fell into has made another error of it.
            say("interrupted")
            return INTERRUPTED
        from archspec.commands._unforeseen import status_of

        return status_of(error, options)
    finally:
        if collecting:
            gc.enable()


def _without_plugins() -> None:
    """Has Pydantic not look through every installed package for plugins, of which none is of use here.

    Its module that would do so reads the metadata of packages, whose import takes a twentieth of a report's time.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    name = "pydantic.plugin._loader"
    if os.environ["PYDANTIC_DISABLE_PLUGINS"] == "__all__" and name not in sys.modules:
        finds_none = ModuleType(name)
        vars(finds_none)["get_plugins"] = tuple
        sys.modules[name] = finds_none


def _accounted(status: int, own: Sequence[Stream]) -> int:
    """The exit status, which is no success where standard output has been lost.

    A reader of a pipe that has gone wanted no more, and what is said on standard error is for nobody's use but its
    reader's.
    """
    for stream in own:
        stream.flush()
        lost = stream.raw.failure
        if stream is sys.stdout and lost is not None and lost.errno != errno.EPIPE:
            full = lost.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
            say("error: " + ("there is no space left for the output" if full else f"output is lost: {lost.strerror}"))
            status = status or 1
    return status


def _options(words: Sequence[str], chosen: str | None) -> argparse.Namespace:
    """The command line, parsed. Leaves with a usage message where that cannot be done."""
    parser = _parser(chosen)
    options, left = parser.parse_known_args(words)
    if left:
        refuse: argparse.ArgumentParser = getattr(options, "parser", parser)
        refuse.error(_too_much(refuse, left[0]))
    return options


def _parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; where one is chosen, of that one alone."""
    parser = Parser(
        prog="archspec",
        description="Compiles networks written in YAML into JAX: checks, reports, trains.",
        epilog="SPEC is a path, a path with #variant, a name from `archspec zoo`, or - for standard input.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    for name, help in (
        ("--install-completion", "install completion of commands for a shell: bash, zsh or fish; yours if left out"),
        ("--show-completion", "print the script that completes commands in a shell"),
    ):
        parser.add_argument(name, nargs="?", const="", choices=("", *SHELLS), metavar="SHELL", help=help)
    parser.set_defaults(run=_front)
    # Without `prog` argparse formats the usage to find it, and imports what measures terminals.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog=parser.prog)
    for name in COMMANDS if chosen is None else [chosen]:
        help = COMMANDS[name].help
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        module = import_module(module_of(name))
        module.options(command)
        if name not in WITHOUT_PLUGINS:
            _option(command, *PLUGIN)
        if COMMANDS[name].runs_jax and name not in COMPILING_NOTHING:
            _option(command, *NO_CACHE)
        command.set_defaults(run=module.run, parser=command)
    return parser


class Option(NamedTuple):
    """An option of several commands."""

    name: str
    about: dict[str, Any]


PLUGIN = Option(
    "--plugin",
    {
        "action": "append",
        "default": [],
        "metavar": "FILE",
        "dest": "plugins",
        "help": "Python file with layers, losses and so on of your own, which is run; may be given again",
    },
)
NO_CACHE = Option(
    "--no-cache",
    {
        "action": "store_true",
        "help": "compile everything anew: neither read nor keep compiled programs",
    },
)


def _option(command: argparse.ArgumentParser, name: str, about: dict[str, Any]) -> None:
    """Adds an option to a command, or to each of its actions."""
    actions = next((item for item in command._actions if isinstance(item, argparse._SubParsersAction)), None)
    for parser in actions.choices.values() if actions else [command]:
        parser.add_argument(name, **about)


def _of_any_width(prog: str, **settings: Any) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, width=80, **settings)


class Parser(argparse.ArgumentParser):
    """A parser that says what may have been meant by a word that is none of a few."""

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        # Argparse asks for the terminal's width with each option that it is given, and imports `shutil` for that.
        whole, self.formatter_class = self.formatter_class, _of_any_width
        try:
            return super().add_argument(*args, **kwargs)
        finally:
            self.formatter_class = whole

    def _parse_optional(self, arg_string: str) -> Any:
        # A variant of the spec on standard input is no option.
        return None if arg_string.startswith("-#") else super()._parse_optional(arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = list(action.choices or ())
        if not choices or value in choices:
            return
        from archspec.diagnostics import did_you_mean

        known = f"there are {', '.join(str(choice) for choice in choices if choice != '')}"
        if isinstance(action, argparse._SubParsersAction):
            hint = did_you_mean(str(value), choices) or _command_for(str(value)) or known
            raise argparse.ArgumentError(None, f"there is no command {str(value)!r}; {hint}")
        raise argparse.ArgumentError(action, f"there is no {value!r}; {did_you_mean(str(value), choices) or known}")


def _command_for(word: str) -> str | None:
    """What to do with a spec that was given without a command."""
    from archspec.zoo import zoo_variants

    name = word.partition("#")[0]
    if os.path.exists(name) or name.endswith((".yaml", ".yml")) or word in zoo_variants():
        return f"a command comes first: `archspec report {word}`"
    return None


def _too_much(parser: argparse.ArgumentParser, word: str) -> str:
    """What to say of the first word that a command has no use for."""
    from archspec.diagnostics import did_you_mean

    if not word.startswith("-"):
        return f"{word!r} is one argument too many"
    name = word.partition("=")[0]
    options = {option.lstrip("-"): option for option in parser._option_string_actions if option.startswith("--")}
    hint: str | None = did_you_mean(name.lstrip("-"), options)
    if hint is not None:
        hint = hint.replace("`", "`--", 1)
    elif "--set" in parser._option_string_actions:
        from archspec.spec.setting import longer_path

        longer = longer_path(name.lstrip("-").replace("-", "_"))
        hint = longer and longer.replace("`", "`--set ", 1).replace("`?", "=VALUE`?")
    return f"there is no option {name}" + (f"; {hint}" if hint else "")


def _parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    parser = _parser(command)
    (commands,) = (item for item in parser._actions if isinstance(item, argparse._SubParsersAction))
    own: argparse.ArgumentParser = commands.choices[command]
    return own


def _front(options: argparse.Namespace) -> int:
    """What is asked for without a command."""
    from archspec import __version__

    if options.install_completion is not None or options.show_completion is not None:
        return _completion(options)
    if not options.version:
        _parser().print_help()
        return 2
    print(f"archspec {__version__}")
    return 0


def _completion(options: argparse.Namespace) -> int:
    from archspec.diagnostics import DataError
    from archspec.shell_completion.installing import install, said, shell_of_user
    from archspec.shell_completion.scripts import script

    try:
        if options.show_completion is not None:
            print(script(options.show_completion or shell_of_user()), end="")
        else:
            shell = options.install_completion or shell_of_user()
            for line in said(shell, install(shell)):
                print(line)
    except DataError as error:
        raise error.located(None) from None
    return 0


if __name__ == "__main__":
    sys.exit(main())
