"""The table of kinds and targets in docs/export.md, made by asking each target about each kind's examples."""

from __future__ import annotations

from archspec.exporting.examples import kinds, node_of
from archspec.exporting.targets import TARGETS, Module
from archspec.layers import Layer

BEGIN, END = "<!-- kinds: made by python -m archspec.exporting -->", "<!-- end of kinds -->"
YES, PARTLY, NO = "yes", "partly", "no"


def said_of(module: Module, kind: type[Layer]) -> tuple[str, tuple[str, ...]]:
    """Whether a target has a kind, in a word, and the reasons why it lacks some or all of the kind's examples."""
    found = [module.supports(node_of(kind, example)) for example in kind.examples]
    reasons = tuple(dict.fromkeys(why for why in found if why is not None))
    return (YES if not reasons else PARTLY if None in found else NO), reasons


def table() -> str:
    """A row for each kind, a column for each target, and the reasons for what is not all there."""
    modules = {name: target.load() for name, target in TARGETS.items()}
    lines = [f"| kind | {' | '.join(modules)} |", f"| --- |{' --- |' * len(modules)}"]
    reasons: list[str] = []
    for kind in kinds():
        cells = []
        for name, module in modules.items():
            word, whys = said_of(module, kind)
            cells.append(word)
            reasons += [f"- {name}: `{kind.kind}` {why}" for why in whys]
        lines.append(f"| `{kind.kind}` | {' | '.join(cells)} |")
    return "\n".join([*lines, *(["", *reasons] if reasons else [])])


def with_table(page: str) -> str:
    """The page with the table in its place."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/export.md has no place for the table, from {BEGIN} to {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
