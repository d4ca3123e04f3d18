"""The pieces of which a comparison is shown, whatever it is shown as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.comparing.flips import flip_pieces
from archspec.comparing.networks import MEASURED, NetworkDifference, Total
from archspec.comparing.runs import Figured, Row, RunDifference
from archspec.comparing.settings import Group
from archspec.diagnostics import Diagnostic, count, listed
from archspec.kinds import plain
from archspec.rendering import render_text
from archspec.reports.cells import Cell, Table, short
from archspec.reports.compare import changed_layers
from archspec.reports.kinds import written

if TYPE_CHECKING:
    from archspec.comparing.comparison import Comparison

OVERVIEW = 100
"""Networks that the table of all of them lists."""

GROUPS: tuple[tuple[Group, str], ...] = (
    ("data", "data"),
    ("settings", "settings"),
    ("weights", "names of weights"),
    ("texts", "for people"),
)
"""The groups of settings with the headings of their tables."""

SIGNS = {"same": " ", "changed": "~", "added": "+", "removed": "−"}


class Piece(NamedTuple):
    """A part of what is shown of a network: a table, or lines as they are, under a heading or none."""

    title: str
    table: Table | None = None
    lines: Sequence[str] = ()
    code: str = ""
    """Text that keeps its lines and spaces: diagnostics."""

    @property
    def rows(self) -> int:
        return len(self.table.rows) if self.table else len(self.lines) + self.code.count("\n")


def summary(comparison: Comparison) -> str:
    """What differs, in one line."""
    differing = comparison.different
    one, other = comparison.before, comparison.after
    between = f"{one} → {other}"
    if len(comparison.networks) == 1 and not comparison.libraries:
        network = comparison.networks[0]
        named = "" if network.name == between else f"{network.name}, "
        named, between = ("", one) if one == other == network.name else (named, between)
        return f"{named}{between}: {network_summary(network)}"
    if not differing and not comparison.libraries:
        compared = f": {count(len(comparison.networks), 'network')} alike" if comparison.networks else ""
        return f"{between}: no network differs{compared}"
    said = [f"{count(len(differing), 'network')} {'differs' if len(differing) == 1 else 'differ'}"]
    alike = len(comparison.networks) - len(differing)
    said += [f"{alike} alike"] if alike else []
    for key in ("params", "macs"):
        found = [total for network in differing if (total := network.total(key)) is not None and network.is_whole]
        changed = [total for total in found if total.differs]
        if len(changed) == 1 and len(differing) == 1:
            said.append(f"{changed[0].difference} {changed[0].head}")
    if comparison.libraries:
        said.append(f"{count(len(comparison.libraries), 'file')} of blocks changed")
    broken = sum(network.after is not None and bool(network.after.errors) for network in differing)
    said += [f"{broken} with errors now"] if broken else []
    return f"{between}: {', '.join(said)}"


def network_summary(network: NetworkDifference) -> str:
    """What differs in a network, in one line."""
    if network.state in ("added", "removed"):
        side = network.after or network.before
        what = "new" if network.state == "added" else "removed"
        sizes = [
            f"{total.shown[network.state == 'added']} {total.head}"
            for key in ("params", "macs")
            if (total := network.total(key))
        ]
        errors = f"{count(len(side.errors), 'error')}" if side is not None and side.errors else ""
        return ", ".join([what, *sizes, *([errors] if errors else [])])
    if not network.is_whole:
        said = [
            f"{count(len(side.errors), 'error')} {when}"
            for side, when in zip(network.sides, ("before", "after"), strict=True)
            if side is not None and side.errors
        ]
        return ", ".join(said) + ("" if network.state != "same" else ", the same ones")
    if network.state == "same":
        return "no difference"
    said = [network.counts.said] if network.counts.said else []
    for key in ("params", "macs"):
        total = network.total(key)
        if total is not None and total.difference:
            said.append(f"{total.difference} {total.head}")
    numbers = {group: len(network.settings.of(group)) for group, _ in GROUPS}
    words = {"data": "setting of data", "settings": "setting", "weights": "set of weights", "texts": "text"}
    if numbers["weights"]:
        numbers["weights"] = len({item.path.split(".")[1] for item in network.settings.of("weights")})
    for group, number in numbers.items():
        head, _, rest = words[group].partition(" ")
        said += [f"{count(number, head)} {rest}".strip()] if number else []
    if (runs := network.runs) is not None:
        better = [row for row in runs.figures if row.part != "train" and row.winner]
        said += [
            f"{row.part} {row.name} {_number(row.before)} → {_number(row.after)}"
            for row in better[:2]
            if row.name != "loss"
        ][:1]
        said += (
            [
                f"{count(len(runs.versions), 'version')} or device"
                if len(runs.versions) == 1
                else f"{len(runs.versions)} versions or devices"
            ]
            if runs.versions
            else []
        )
    return ", ".join(said) if said else "the figures of the runs differ"


def _number(value: float | None) -> str:
    return "–" if value is None else short(value, 4)


def pieces_of(network: NetworkDifference, shown: set[Diagnostic]) -> Iterator[Piece]:
    """What is shown of a network that differs, or was asked for alone. Diagnostics in `shown` are not repeated."""
    for side, when in zip(network.sides, ("before", "after"), strict=True):
        if side is not None and side.errors:
            fresh = [item for item in side.diagnostics if item not in shown]
            shown.update(fresh)
            words = render_text(fresh) if fresh else "the same errors as above"
            yield Piece(f"{count(len(side.errors), 'error')} {when}: {side.label}", code=words)
    totals = network.totals
    if totals:
        yield Piece("", _totals_table(network, totals))
    if network.is_whole and network.counts.said:
        assert network.before is not None and network.after is not None
        one, other = network.before.graph, network.after.graph
        assert one is not None and other is not None
        yield Piece(
            f"layers: {network.counts.said}, {network.counts.alike:,} alike",
            changed_layers(one, other, network.changes),
        )
    for group, title in GROUPS:
        own = network.settings.of(group)
        if own:
            rows = [[setting.path, *setting.shown] for setting in own]
            yield Piece("", Table((title, "before", "after"), rows, (False, False, False)))
    if unsaid := network.settings.unsaid:
        where = "its default" if unsaid == 1 else "their defaults"
        yield Piece("", lines=[f"{count(unsaid, 'setting')} at {where} on one side only, not listed"])
    if network.runs is not None:
        yield from _of_runs(network.runs)


def _totals_table(network: NetworkDifference, totals: Sequence[Total]) -> Table:
    """The figures that differ, and those that are asked for first; of a network that is on one side alone its own."""
    if not network.is_whole:
        place = 0 if network.before is not None and network.before.graph is not None else 1
        own = [[total.head, total.shown[place]] for total in totals]
        return Table(("figure", ("before", "after")[place]), own, (False, True))
    kept = [total for total in totals if total.differs or total.key in MEASURED]
    rows = [[total.head, total.shown[0], total.shown[1] if total.differs else "=", total.difference] for total in kept]
    left = [total.head for total in totals if total not in kept and total.key != "training_of"]
    notes = [f"as before: {listed(left)}"] if left else []
    if any(total.key == "training_bytes" for total in kept) and not any(total.key == "training_of" for total in kept):
        step = next(total for total in totals if total.key == "training_of").shown[0]
        samples = "a sample" if network.batch in (None, 1) else count(network.batch or 1, "sample")
        notes.append(f"memory: inference of {samples} in float32, training of a step of {step}")
    return Table(("figure", "before", "after", "difference"), rows, (False, True, True, True), notes=notes)


def _of_runs(runs: RunDifference) -> Iterator[Piece]:
    if runs.figures:
        rows = [
            [row.part, row.name, _number(row.before), _number(row.after), _change(row), row.winner or ""]
            for row in runs.figures
        ]
        notes = [f"{when}: {_state(found)}" for when, found in (("before", runs.before), ("after", runs.after))]
        notes += [
            f"{when}: {note}"
            for when, found in (("before", runs.before), ("after", runs.after))
            for note in found.notes
        ]
        if not runs.one_scale:
            notes.append("the losses are of other functions, so neither is the better")
        yield Piece(
            "",
            Table(
                ("part", "figure", "before", "after", "difference", "better"),
                rows,
                (False, False, True, True, True, False),
                notes=notes,
            ),
        )
    if runs.versions:
        rows = [[other.name, other.before or "–", other.now or "–"] for other in runs.versions]
        yield Piece("", Table(("version or device", "before", "after"), rows, (False, False, False)))
    lines = [f"{name}: {_brief(one)} → {_brief(other)}" for name, one, other in runs.others]
    if runs.same_data is not None:
        lines.append(
            "both were trained on the same samples"
            if runs.same_data
            else "they were trained on other samples, or in another order"
        )
    if lines:
        yield Piece("", lines=lines)


def _change(row: Row) -> str:
    if row.before is None or row.after is None or row.before == row.after:
        return ""
    change = row.after - row.before
    return f"{'+' if change > 0 else '−'}{short(abs(change))}"


def _state(found: Figured) -> str:
    if found.step is None:
        return found.why
    of = f" of {found.epochs:g}" if found.epochs and found.epoch != found.epochs else ""
    rest = "" if found.finished else "; the run is not finished"
    return f"step {found.step:,}, epoch {found.epoch:g}{of}: {found.why}{rest}"


def _brief(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list) and len(value) > 6:
        return f"{len(value)} of {written(plain(value[:3]))[1:-1]}, …"
    text = written(plain(value))
    return text if len(text) <= 80 else text[:79] + "…"


def overview(comparison: Comparison) -> Piece:
    """A row for each network that differs."""
    rows: list[list[str | Cell]] = []
    different = comparison.different
    for network in different[:OVERVIEW]:
        row: list[str | Cell] = [SIGNS[network.state], network.name]
        row.append(network.counts.said if network.is_whole else network_summary(network))
        for key in ("params", "macs", "training_bytes"):
            total = network.total(key)
            whole = total is not None and network.is_whole
            row.append(total.difference if whole and total is not None else "")
        field = network.total("receptive_field")
        row.append(" → ".join(field.shown) if field is not None and network.is_whole and field.differs else "")
        number = len(network.settings.changed)
        row.append(str(number) if number else "")
        rows.append(row)
    head = ("", "network", "layers", "parameters", "MACs", "training memory", "receptive field", "settings")
    more = len(different) - len(rows)
    notes = [f"and {count(more, 'network')} more"] if more else []
    used = [place for place in range(len(head)) if place < 2 or any(row[place] for row in rows)]
    table = Table(
        [head[place] for place in used],
        [[row[place] for place in used] for row in rows],
        [head[place] in ("parameters", "MACs", "training memory", "settings") for place in used],
        notes=notes,
    )
    return Piece("", table)


def below(comparison: Comparison) -> list[str]:
    """What is said of the comparison as a whole."""
    lines = []
    for item in comparison.libraries:
        path = item.after or item.before
        what = "new" if item.before is None else "gone" if item.after is None else "changed"
        lines.append(
            f"{path} is {what}, and has blocks for others to import; networks that do are listed where they differ"
        )
    if comparison.others:
        verb = "is" if comparison.others == 1 else "are"
        lines.append(f"{count(comparison.others, 'YAML file')} that changed {verb} no spec, and left out")
    return [*lines, *comparison.notes]


def of_flips(comparison: Comparison) -> list[Piece]:
    if comparison.flips is None:
        return []
    return [Piece(title, table, lines) for title, table, lines in flip_pieces(comparison.flips)]


def with_own_part(comparison: Comparison) -> list[NetworkDifference]:
    """The networks that have a part of their own: those that differ, or the only one."""
    return comparison.networks if len(comparison.networks) == 1 else comparison.different
