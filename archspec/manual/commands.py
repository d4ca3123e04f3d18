"""The page of the command line, made of the parsers."""

from __future__ import annotations

import argparse

from archspec.manual.markdown import MADE, code, plain, table

HEAD = f"""# Commands

`archspec COMMAND --help` prints the same of one command. SPEC is a path, a path with `#variant`, a name of
[the zoo](../zoo.md), each with arguments behind a `?` or not (`resnet50?classes=10`), or `-` for standard input; RUN is
the folder of a [run](../runs.md) or an import. The exit status is 0 where all is fine, 1 after an error with a
[code](../diagnostics.md) or where output was lost, 2 where the command line cannot be parsed, 70 after a fault of
archspec itself, 75 where another process of a run was lost, and 130 after Ctrl-C.

{MADE}
"""


def page() -> str:
    """docs/reference/commands.md."""
    from archspec.cli import COMMANDS, _parser

    parser = _parser()
    (parsers,) = (item.choices for item in parser._actions if isinstance(item, argparse._SubParsersAction))
    options = [item for item in parser._actions if item.option_strings and item.dest != "help"]
    lines = [HEAD, *table(("without a command", ""), [_option(item)[:2] for item in options]), ""]
    lines += [*table(("command", ""), [(f"[`{name}`](#{name})", own.help) for name, own in COMMANDS.items()])]
    for name, own in COMMANDS.items():
        lines += [
            "",
            f"## {name}",
            "",
            f"{own.help[:1].upper()}{own.help[1:]}.",
            *_of(parsers[name], f"archspec {name}"),
        ]
    return "\n".join(lines) + "\n"


def _of(parser: argparse.ArgumentParser, called: str) -> list[str]:
    """A command's usage and options; of one with actions those of each."""
    actions = next((item for item in parser._actions if isinstance(item, argparse._SubParsersAction)), None)
    if actions is not None:
        abouts = {item.dest: item.help or "" for item in actions._choices_actions}
        lines = []
        for name, inner in actions.choices.items():
            about = abouts.get(name, "")
            lines += ["", f"### {called.removeprefix('archspec ')} {name}", ""]
            lines += [f"{about[:1].upper()}{about[1:]}.", *_of(inner, f"{called} {name}")]
        return lines
    own = [item for item in parser._actions if item.help != argparse.SUPPRESS and item.dest != "help"]
    arguments = [item for item in own if not item.option_strings]
    options = [item for item in own if item.option_strings]
    usage = " ".join([called, *(_argument(item) for item in arguments), *(["[OPTION…]"] if options else [])])
    lines = ["", "```text", usage, "```"]
    told = [(code(_argument(item)), _about(item)) for item in arguments if item.help]
    if told:
        lines += ["", *table(("argument", ""), told)]
    if options:
        lines += ["", *table(("option", "", "default"), [_option(item) for item in options])]
    if parser.epilog:
        head, is_example, text = parser.epilog.partition(": ")
        if is_example:
            lines += ["", f"{head.capitalize()}:", "", "```bash", *text.split("; "), "```"]
        else:
            lines += ["", f"{head[:1].upper()}{head[1:]}."]
    return lines


def _argument(item: argparse.Action) -> str:
    name = str(item.metavar or item.dest)
    if item.choices and not item.metavar:
        name = _choices(item)
    many = {"+": f"{name}…", "*": f"[{name}…]", "?": f"[{name}]"}
    return many.get(str(item.nargs), name)


def _choices(item: argparse.Action) -> str:
    return "{" + ",".join(map(str, item.choices or ())) + "}"


def _option(item: argparse.Action) -> tuple[str, str, str]:
    word = item.metavar or (_choices(item) if item.choices else item.dest.upper())
    value = "" if item.nargs == 0 else f" {word}"
    names = ", ".join(code(name + value) for name in item.option_strings)
    shown = item.default not in (None, False, argparse.SUPPRESS) and item.default != []
    default = ", ".join(map(str, item.default)) if isinstance(item.default, list | tuple) else str(item.default)
    return names, _about(item), code(default) if shown else ""


def _about(item: argparse.Action) -> str:
    return plain((item.help or "").replace("%%", "%"))
