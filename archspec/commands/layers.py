"""Lists the kinds of layers, datasets and so on."""

from __future__ import annotations

import argparse

from archspec.diagnostics import Findings, listed
from archspec.output import as_json


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "kind", nargs="?", metavar="KIND", help="a kind of any family: conv, segmentation_folder, adam"
    )
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec layers conv"


def run(options: argparse.Namespace) -> int:
    from archspec.kinds import FAMILIES, kind_names
    from archspec.reports.kinds import describe_kind, describe_kinds, kind_to_dict
    from archspec.reports.words import WORDS, describe_word, word_to_dict

    names = {family: kind_names(family) for family in FAMILIES}
    if options.kind is None:
        if options.format == "json":
            print(as_json([kind_to_dict(name, family) for family in FAMILIES for name in names[family]]))
        else:
            print(describe_kinds())
        return 0
    families = [family for family in FAMILIES if options.kind in names[family]]
    if not families and options.kind not in WORDS:
        from archspec.reports.words import holders_of
        from archspec.spec.network import SECTIONS
        from archspec.spec.unknown import unknown_kind

        findings = Findings()
        holders = holders_of(options.kind)
        if options.kind in SECTIONS:
            findings.error("E204", f"`{options.kind}` is no kind but a section of a spec: {SECTIONS[options.kind]}")
        elif holders:
            message = f"`{options.kind}` is no kind but a field of {listed(holders, 10)}"
            kinds = [name for name in holders if " " not in name]
            findings.error("E204", message, help=[f"`archspec layers {kinds[0]}` explains it"] if kinds else [])
        else:
            known = {*WORDS, *(name for own in names.values() for name in own)}
            unknown_kind(options.kind, None, known, "kind", findings)
        findings.raise_if_failed()
    if options.format == "json":
        plain = [word_to_dict(options.kind)] if options.kind in WORDS else []
        plain += [kind_to_dict(options.kind, family) for family in families]
        print(as_json(plain[0] if len(plain) == 1 else plain))
    else:
        texts = [describe_word(options.kind)] if options.kind in WORDS else []
        print("\n\n".join([*texts, *(describe_kind(options.kind, family) for family in families)]))
    return 0
