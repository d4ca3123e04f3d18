"""Lists the networks that come with archspec."""

from __future__ import annotations

import argparse

from archspec.commands._common import as_json


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    from archspec.loading import load
    from archspec.reports.cells import aligned
    from archspec.reports.units import si
    from archspec.zoo import zoo_variants

    rows = []
    for name, (_, variant) in zoo_variants().items():
        if variant is None:
            continue
        spec = load(name)
        graph = spec.graph().pruned("eval")
        rows.append((name, spec.header.title, graph))
    if options.format == "json":
        plain = [
            {"name": name, "title": title, "params": graph.count("trainable"), "macs": graph.macs}
            for name, title, graph in rows
        ]
        print(as_json(plain))
        return 0
    head = ("name", "input", "params", "MACs", "title")
    lines = [
        (name, str(graph.input), f"{graph.count('trainable'):,}", si(graph.macs), title) for name, title, graph in rows
    ]
    print("\n".join(aligned([head, *lines], [False, True, True, True, False])))
    return 0
