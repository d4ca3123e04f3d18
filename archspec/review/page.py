"""The page of a run, put together: one HTML file that loads nothing."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import SpecError, count
from archspec.page.page import hash_of, hashes, theme
from archspec.page.page import render as network_page
from archspec.page.payload import payload
from archspec.review.curves import charts, epochs_table
from archspec.review.looking import Look
from archspec.review.parts import folded, heading, paragraph, section, static, whole_page
from archspec.runs.table import seconds_said

if TYPE_CHECKING:
    from archspec.loading import Spec
    from archspec.tasks import Head

MOST = 6 * 2**20
"""Bytes of a page, at most: where the network's own page does not fit into them, it is left out."""


class Facts(NamedTuple):
    """What the page of a run or an import is made of. `records` are those of metrics.jsonl, none of an import; `about`
    is run.json; `figures` are of a part with so many `samples`, called `whose`; `looks` say more of it, by output.
    `held` is what the part is called that is measured after every epoch, `best` the epoch that is marked as the best.
    """

    spec: Spec
    folder: Path
    head: Head
    records: Sequence[Mapping[str, Any]]
    about: Mapping[str, Any]
    data: str
    whose: str
    held: str
    samples: int
    figures: Mapping[str, Any]
    looks: Sequence[Look]
    notes: Sequence[str]
    seconds: float | None = None
    best: float | None = None


def render(facts: Facts) -> str:
    """The page. What users wrote cannot leave its place in it, and the page's policy forbids every connection."""
    style = f"{theme()}\n{static('review.css')}"
    script = static("review.js")
    network = _network(facts.spec)
    sections = [
        ("curves", "Curves", section("curves", "Curves", *_curves(facts))),
        *_outputs(facts),
        ("settings", "Settings", section("settings", "Settings", *_settings(facts))),
    ]
    sections = [item for item in sections if item[2]]
    body = _header(facts) + "".join(item[2] for item in sections)
    packed = b64encode(zlib.compress(network.encode("utf-8"), 9)).decode()
    whole = len(body) + len(packed) + len(style) + len(script)
    if whole <= MOST:
        body += section(
            "network",
            "Network",
            paragraph("What `archspec report --html` makes of the spec: layers, costs, drawing and source."),
            '<details id="network-fold"><summary>show the network</summary>'
            f'<script type="text/plain" id="network-page">{packed}</script></details>',
        )
    else:
        spec = facts.folder / "spec.yaml"
        said = f"Its page is too large to stand here: `archspec report {spec} --html FILE` writes it."
        body += section("network", "Network", paragraph(said))
    sections.append(("network", "Network", ""))
    inner_style, inner_script = hashes()
    return whole_page(
        f"{facts.spec.name} · a run",
        sections,
        body,
        style=style,
        script=script,
        styles=f"{hash_of(style)} {inner_style}",
        scripts=f"{hash_of(script)} {inner_script}",
    )


def _network(spec: Spec) -> str:
    try:
        return network_page(payload(spec))
    except SpecError:  # of a spec that was changed since
        return ""


def _header(facts: Facts) -> str:
    spec, head, figures = facts.spec, facts.head, facts.figures
    about = [f"{spec.name} on {facts.data}", f"{head.task.kind.replace('_', ' ')}"]
    totals = [(metric.label, metric.number(figures.get(metric.headline))) for metric in head.metrics]
    totals.append(("loss", _loss(figures.get("loss"))))
    main = f"{facts.whose} part, {count(facts.samples, 'sample')}"
    epochs = facts.records[-1]["epoch"] if facts.records else None
    if epochs is not None:
        totals.append(("epochs", f"{epochs:g}"))
        if facts.best is not None:
            totals.append(("best epoch", f"{facts.best:g}"))
    totals.append(("parameters", f"{spec.graph().params:,}"))
    if facts.seconds:
        totals.append(("training time", seconds_said(facts.seconds)))
    title = spec.header.title or spec.name
    return (
        f"<header><h1>{escape(title)}</h1><p>{escape(' · '.join(about))}</p>"
        f"<p>Figures of the {escape(main)}.</p>{chips(totals)}</header>"
    )


def _curves(facts: Facts) -> Iterator[str]:
    if not facts.records:
        return
    yield f'<div class="charts">{"".join(charts(facts.records, facts.head, facts.held, facts.best))}</div>'
    yield paragraph(
        "Training figures are means over an epoch, while the network still changes, with dropout and augmentation; the "
        "others are of the network at the epoch's end. Losses are the same quantity."
    )
    yield folded("every epoch", epochs_table(facts.records, facts.head, facts.held))


def _outputs(facts: Facts) -> Iterator[tuple[str, str, str]]:
    several = len(facts.looks) > 1
    for number, item in enumerate(facts.looks):
        name = item.head.name
        figures = facts.figures if item.head.name == facts.head.name else facts.figures.get("outputs", {}).get(name, {})
        losses = facts.figures.get("heads", {})
        loss = facts.figures.get("loss") if number == 0 else losses.get(name)
        said = [(metric.label, metric.number(figures.get(metric.headline))) for metric in item.head.metrics]
        own = [chips([*said, ("loss", _loss(loss))])] if several else []
        title = f"Output {name}" if several else f"{facts.whose} part".capitalize()
        yield f"output-{number}", title, section(f"output-{number}", title, *own, *item.pieces)


def _settings(facts: Facts) -> Iterator[str]:
    about = facts.about
    shown = {
        "command": about.get("command"),
        "seed": about.get("seed"),
        "archspec": about.get("archspec"),
        "Python": about.get("python"),
        "packages": ", ".join(f"{name} {number}" for name, number in (about.get("packages") or {}).items()),
        "platform": about.get("platform"),
        "devices": ", ".join(map(str, about.get("devices") or [])),
        "processor cores": about.get("cores"),
        "digest of the data": about.get("data_sha256"),
        "folder": str(facts.folder.resolve()),
    }
    known = {name: str(value) for name, value in shown.items() if value not in (None, "")}
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in known.items())
    yield f'<dl class="facts">{rows}</dl>'
    if facts.notes:
        yield heading(count(len(facts.notes), "note").capitalize())
        yield "".join(f'<p class="note">{escape(note)}</p>' for note in facts.notes)
    yield folded("the spec, every default filled in", f"<pre tabindex=0>{escape(facts.spec.to_yaml())}</pre>")


def chips(figures: Sequence[tuple[str, str]]) -> str:
    """Figures side by side, the first of which is the one that counts most."""
    cells = "".join(
        f"<div{' class=main' if place == 0 else ''}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for place, (name, value) in enumerate(figures)
    )
    return f'<dl class="totals">{cells}</dl>'


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
