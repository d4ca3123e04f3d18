"""docs/zoo.md, made of the zoo's index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from archspec.figures.units import si
from archspec.reports.cells import Table, markdown
from archspec.reports.compare import ratio
from archspec.reports.facts import BY_KEY, Figures
from archspec.zoo import zoo_folder

_HEAD = """# The zoo

{networks} networks of {families} families, in the order of their first years. `archspec zoo` lists them, `archspec zoo
vgg` one family, and `archspec report vgg16` takes one apart; its file, `specs/zoo/vgg.yaml`, says where the papers and
their implementations disagree.

Of each network: the year in which it was first published (a preprint counts), what it introduced, its parameters and
the multiply–adds of one sample, published accuracy in percent (top-1 / top-5) with the number of its source below the
table; the networks whose ideas it extends, and how many times the parameters and the multiply–adds of the first of
these it has, as `archspec compare` counts them, each at its own size of input: where the sizes differ, both are named.
`=` is the same.

[The gallery](gallery.md) has a picture of each family, and its papers.

![the families and whose ideas they extend](family-tree.svg)

This page and the picture are made by `python -m archspec.catalogue`.
"""


def page(networks: Sequence[Figures]) -> str:
    """The page of these networks."""
    families = by_family(networks)
    lines = [_HEAD.format(networks=len(networks), families=len(families))]
    known = {item.label: item for item in networks}
    for family, members in families.items():
        lines += [f"## {family}", "", *[line for text in (about(family),) if text for line in (text, "")]]
        lines += [_table(members, known), ""]
    return "\n".join(lines)


def by_family(networks: Sequence[Figures]) -> dict[str, list[Figures]]:
    """The networks by family, families in the order of their first years and then of their names."""
    families: dict[str, list[Figures]] = {}
    for item in networks:
        families.setdefault(item.family, []).append(item)

    def first(family: str) -> tuple[int, str]:
        years = [item.lineage.year for item in families[family] if item.lineage and item.lineage.year]
        return (min(years, default=9999), family)

    return {family: families[family] for family in sorted(families, key=first)}


def about(family: str) -> str:
    """What a family is about: the first lines of its file, which are a comment, up to an empty one."""
    lines = comment(family)
    return " ".join(lines[: lines.index("")] if "" in lines else lines)


def comment(family: str) -> list[str]:
    """The lines of the comment at the top of a family's file: what it is about, commands, papers."""
    found = []
    for line in (zoo_folder() / f"{family}.yaml").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        found.append(line[1:].strip())
    return found


def _table(members: Sequence[Figures], known: Mapping[str, Figures]) -> str:
    sources: dict[str, int] = {}
    rows = []
    for item in members:
        place = item.lineage
        rows.append(
            [
                item.label,
                str(place.year) if place and place.year else "",
                place.idea if place else "",
                BY_KEY["params"].show(item.figure("params")),
                si(item.figure("macs")),
                _accuracy(item, sources),
                *beside(item, known),
            ]
        )
    head = (
        "network",
        "year",
        "what it introduced",
        "parameters",
        "multiply–adds",
        "accuracy",
        "after",
        "parameters",
        "multiply–adds",
    )
    right = (False, True, False, True, True, True, False, True, True)
    notes = [f"({number}) {source}" for source, number in sources.items()]
    return markdown(Table(head, rows, right, notes=notes))


def _accuracy(item: Figures, sources: dict[str, int]) -> str:
    figures = [item.figure(key) for key in ("top1", "top5")]
    if item.published is None or not any(figures):
        return ""
    number = sources.setdefault(item.published.source, len(sources) + 1)
    return f"{' / '.join('–' if value is None else f'{value:g}' for value in _until_last(figures))} ({number})"


def _until_last(figures: Sequence[float | None]) -> Sequence[float | None]:
    return figures[:1] if figures[-1] is None else figures


def beside(item: Figures, known: Mapping[str, Figures]) -> tuple[str, str, str]:
    """What a network comes after, and how many times the parameters and multiply–adds of the first of these it has."""
    after = item.lineage.after if item.lineage else ()
    before = known.get(after[0]) if after else None
    if before is None:
        return ", ".join(after), "", ""
    params, macs = (ratio(before.figure(key), item.figure(key)) for key in ("params", "macs"))
    one, other = (BY_KEY["input"].show(network.figure("input")) for network in (before, item))
    sizes = f" ({one} → {other})" if one != other else ""
    return ", ".join([after[0] + sizes, *after[1:]]), params, macs


def docs_folder() -> Path:
    """Where the page is, in a checkout."""
    return Path(__file__).parents[2] / "docs"
