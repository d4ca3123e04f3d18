"""Says what is installed and what is missing."""

from __future__ import annotations

import argparse

from archspec.output import as_json


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    from archspec.doctor import examine, render

    facts = examine()
    print(as_json(facts) if options.format == "json" else render(facts))
    return 0 if facts["ok"] else 1
