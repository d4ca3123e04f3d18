"""docs/gallery.md, a card for each family of the zoo: a picture, figures, the command that draws it, papers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archspec.catalogue.page import about, by_family, comment
from archspec.diagnostics import count
from archspec.drawing import drawn
from archspec.figures.units import si
from archspec.loading import load
from archspec.reports.cells import Table, markdown
from archspec.reports.facts import BY_KEY, Figures

_HEAD = """# Gallery

A card for each family of [the zoo](zoo.md), in the order of their first years: one of its networks as volumes to
scale, figures of that and of the family's least, largest and most accurate ones, and the papers. Each picture is what
the command below it draws; `archspec report NAME --html FILE` makes a page of a network on which blocks unfold, and
`archspec draw NAME` a graph with every layer's name.

This page and its pictures are made by `python -m archspec.catalogue`.
"""


def gallery(networks: Sequence[Figures]) -> str:
    """The page of these networks."""
    families = by_family(networks)
    cards = "\n".join(_card(family, members) for family, members in families.items())
    return f'{_HEAD}\n<div class="grid cards" markdown>\n\n{cards}\n</div>\n'


def pictures(networks: Sequence[Figures]) -> dict[str, bytes]:
    """The pictures of the page by their files, below docs/."""
    chosen = {item.label for item in (face(family, own) for family, own in by_family(networks).items())}
    return {file_of(name): drawn(load(name).graph().pruned("eval"), "svg", look="paper") for name in sorted(chosen)}


def file_of(network: str) -> str:
    return f"pictures/zoo/{network}.svg"


def face(family: str, members: Sequence[Figures]) -> Figures:
    """The network that stands for a family: of its own, the first that the commands at the top of its file name."""
    words = [word for line in comment(family) if line.startswith("archspec ") for word in line.split()]
    known = {item.label: item for item in members}
    return next((known[word] for word in words if word in known), members[0])


def papers(family: str) -> list[str]:
    """Where a family was published, as its file says: authors, year, title, where, and what of it is followed."""
    lines = comment(family)
    after = max((index for index, line in enumerate(lines) if not line), default=0)
    found: list[str] = []
    for line in lines[after + 1 :]:
        if not found or (found[-1].endswith(".") and re.match(r"\S.*?\b(?:19|20)\d\d: ", line)):
            found.append(line)
        else:
            found[-1] += f" {line}"
    return [re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text) for text in found]


def _card(family: str, members: Sequence[Figures]) -> str:
    own = face(family, members)
    years = [item.lineage.year for item in members if item.lineage and item.lineage.year]
    lines = [f"![{own.title}]({file_of(own.label)})", "", "---", ""]
    year = f"{min(years)}, " if years else ""
    lines += [f"**[{family}](zoo.md#{family})** {year}{count(len(members), 'network')}", ""]
    lines += [about(family), "", *_figures(own, members).splitlines(), "", "```bash"]
    lines += [f"archspec draw {own.label} --look paper", "```", ""]
    lines += [f"{' '.join(papers(family))} [specs/zoo/{family}.yaml](../specs/zoo/{family}.yaml)", ""]
    first, *others = lines
    return "\n".join([f"-   {first}", *(f"    {line}" if line else "" for line in others)])


def _figures(own: Figures, members: Sequence[Figures]) -> str:
    """Figures of the network that is drawn, and of the least, the largest and the most accurate."""
    by_size = sorted(members, key=lambda item: item.figure("params"))
    best = max(members, key=lambda item: item.figure("top1") or 0)
    chosen = [own, by_size[0], by_size[-1], *([best] if best.figure("top1") else [])]
    rows = [
        [
            item.label,
            BY_KEY["params"].show(item.figure("params")),
            si(item.figure("macs")),
            f"{item.figure('top1'):g} %" if item.figure("top1") else "",
        ]
        for item in sorted({item.label: item for item in chosen}.values(), key=lambda item: item.figure("params"))
    ]
    return markdown(Table(("network", "parameters", "multiply–adds", "top-1"), rows, (False, True, True, True)))
