"""Prints the language's JSON Schema."""

from __future__ import annotations

import argparse

from archspec.output import as_json


def options(command: argparse.ArgumentParser) -> None:
    command.epilog = "example: archspec schema > archspec.schema.json"


def run(options: argparse.Namespace) -> int:
    from archspec.spec.schema import json_schema

    print(as_json(json_schema()))
    return 0
