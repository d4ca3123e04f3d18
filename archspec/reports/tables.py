"""A report as tables: the layers, the totals, the memory; and as a document of any format that `cells` writes."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.figures.memory import COPIES
from archspec.figures.units import inputs_text, mebibytes, si
from archspec.reports import Report, columns
from archspec.reports.cells import WRITERS, Cell, Table, aligned, text
from archspec.spec.needs import kept_by

OURS = "MACs of convolutions and dense layers; FLOPs = 2·MACs + element-wise operations"
"""The counting convention where no other tool's is asked for."""


def header(report: Report) -> list[str]:
    """What the figures are figures of."""
    graph = report.graph
    lines = [
        f"{graph.name}: {inputs_text(graph.inputs)}, batch {report.batch}, {graph.mode} mode, {report.dtype}",
    ]
    heads = [output.name for output in report.whole.outputs if output.train_only]
    if heads:
        what = "counted" if graph.mode == "train" else "left out (--mode train counts them)"
        lines.append(f"auxiliary heads {', '.join(heads)}: {what}")
    convention = report.convention
    ours = OURS
    if any(node.cost.macs and node.kind == "self_attention" for node in graph.nodes):
        ours = OURS.replace(" and dense layers", ", dense layers and attention")
    lines.append(f"as {convention.name} counts: {convention.rule}" if convention else ours)
    return lines


def layers(report: Report, names: Sequence[str] | None = None) -> Table:
    """One line a layer or folded block."""
    return columns.table(report, names, header(report))


def totals(report: Report) -> list[tuple[str, Cell]]:
    """Names and values of the totals, as people read them and raw."""
    graph, sums = report.graph, report.totals
    if report.convention is not None:
        count = sum(row.counted or 0 for row in report.rows)
        exact = (f"{report.convention.word}, exactly", Cell(f"{count:,}", count))
        summary = report.convention.summary(graph, count, report.batch)
        return [exact, *((name, Cell(value, value)) for name, value in summary)]
    params, memory = sums["params"], sums["memory"]
    lines = [("trainable parameters", Cell(f"{params['trainable']:,}", params["trainable"]))]
    lines += [
        (f"{role} values", Cell(f"{params[role]:,}", params[role])) for role in ("frozen", "statistics") if params[role]
    ]
    for name, key in (
        ("multiply–adds", "macs"),
        ("FLOPs, forward", "flops"),
        ("FLOPs, forward and backward", "training_flops"),
    ):
        value = sums[key]
        lines.append((name, Cell(f"{value:,}" + (f" ({si(value)})" if value >= 1000 else ""), value)))
    for name, key in (
        ("weights on disk", "weights_bytes"),
        ("activations, all", "activations_bytes"),
        ("activations, the largest", "largest_activation_bytes"),
    ):
        lines.append((name, Cell(mebibytes(memory[key]), memory[key])))
    return lines


def memory(report: Report) -> Table:
    """Memory for inference and training in two precisions: a fixed part and a part per sample."""
    rows: list[list[str | Cell]] = []
    for (use, dtype), needed in report.memory.items():
        name = f"{use}, {dtype}"
        if use == "training":
            name += f"{'' if dtype == 'float32' else ' mixed'}, {report.optimiser_name}"
        peak = needed.peak(report.batch)
        cells = [peak.fixed, peak.per_sample, peak.at(report.batch)]
        row: list[str | Cell] = [name, *(Cell(mebibytes(value), value) for value in cells)]
        if report.budget is not None:
            largest = needed.largest_batch(report.budget)
            row.append(Cell(f"{largest:,}" if largest else "does not fit", largest))
        rows.append(row)
    head = ["memory", "fixed", "per sample", f"batch {report.batch}"]
    keys = ["use", "fixed_bytes", "per_sample_bytes", "batch_bytes"]
    if report.budget is not None:
        head.append(f"largest batch in {mebibytes(report.budget)}")
        keys.append("largest_batch")
    training = report.memory["training", "float32"]
    copies = training.peak(report.batch).parts.get(COPIES)
    notes = []
    if copies is not None:
        amounts = [mebibytes(copies.fixed)] * bool(copies.fixed)
        amounts += [f"{mebibytes(copies.per_sample)} a sample"] * bool(copies.per_sample)
        notes = [f"training counts {' and '.join(amounts)} (float32) of copies that only XLA on CPUs makes"]
    if report.recipe is not None and (said := kept_by(report.whole, report.recipe)):
        notes.append(f"training as `train` has it: {said}")
    if report.anew:
        notes.append(report.anew)
    if training.alone is not None:
        # The parts' sums are of the moment when a batch needs most.
        notes.append(f"arrays are shared: training's fixed part and that per sample are of a batch of {report.batch}")
    return Table(head, rows, [False, *[True] * (len(head) - 1)], keys=keys, notes=notes)


def _with_memory(report: Report) -> bool:
    """Another tool's convention says nothing of memory as we count it, unless the largest batch is asked for."""
    return report.convention is None or report.budget is not None


def sections(report: Report, names: Sequence[str] | None = None) -> list[Table]:
    """The report as tables."""
    whole: list[list[str | Cell]] = [[name, value] for name, value in totals(report)]
    tables = [layers(report, names), Table(["total", "value"], whole, [False, True])]
    return [*tables, memory(report)] if _with_memory(report) else tables


def render_text(report: Report, names: Sequence[str] | None = None) -> str:
    """The report for a terminal: header, one line a layer, totals, memory."""
    rows = text(layers(report, names))
    rule = "─" * max(map(len, rows.splitlines()[len(header(report)) :]))
    lines = [rows, rule, *aligned([(name, value.text) for name, value in totals(report)], [False, False])]
    if _with_memory(report):
        lines += ["", text(memory(report))]
    return "\n".join(lines)


def render_csv(reports: Sequence[Report], names: Sequence[str] | None = None) -> str:
    """The layers as comma-separated values with one head; several networks are told apart by a first column."""
    tables = [layers(report, names) for report in reports]
    if len(tables) == 1:
        return WRITERS["csv"](tables[0])
    first = tables[0]
    rows = [[report.graph.name, *row] for report, table in zip(reports, tables, strict=True) for row in table.rows]
    return WRITERS["csv"](Table(["network", *first.head], rows, [False, *first.right], keys=["network", *first.keys]))


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; }}
table {{ border-collapse: collapse; margin-bottom: 2rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .15rem .7rem; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }}
caption {{ padding-bottom: .5rem; }}
</style>
{body}
</html>"""


def page(title: str, fragments: Sequence[str]) -> str:
    """A whole HTML page of fragments."""
    from html import escape

    return _PAGE.format(title=escape(title), body="\n".join(fragments))


def document(tables: Sequence[Table], format: str, title: str) -> str:
    """Tables in a format of `WRITERS`, one below the other; as HTML they are a page."""
    written = [WRITERS[format](table) for table in tables]
    return page(title, written) if format == "html" else "\n\n".join(written)


def render(
    reports: Sequence[Report], format: str, names: Sequence[str] | None = None, beside: Sequence[Table] = ()
) -> str:
    """Reports in a format of `WRITERS`. Raises ValueError for an unknown column.

    `beside` has a further table for each report, or is empty. CSV has the layers alone.
    """
    if format == "csv":
        return render_csv(reports, names)
    further = [[table] for table in beside] or [[] for _ in reports]
    if format == "table":
        return "\n\n\n".join(
            "\n\n".join([render_text(report, names), *map(text, more)])
            for report, more in zip(reports, further, strict=True)
        )
    tables = [
        table for report, more in zip(reports, further, strict=True) for table in [*sections(report, names), *more]
    ]
    return document(tables, format, ", ".join(report.graph.name for report in reports))
