"""The networks of the zoo with their figures: as the index has them, or counted where a spec is not as it knew it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.reports.facts import Facts, Figures, to_dict
from archspec.zoo import variant_names, zoo_files, zoo_index, zoo_networks
from archspec.zoo.index import Entry, Row, digest

if TYPE_CHECKING:
    from archspec.spec.lineage import Lineage
    from archspec.spec.network import Published


class Listing(NamedTuple):
    """Networks in the zoo's order, and the files whose networks were counted because the index does not know them."""

    networks: list[Figures]
    counted: list[str]


class Recorded:
    """A network's figures as the index has them."""

    batch = 1
    dtype = "float32"
    searched = False

    def __init__(self, row: Row, family: str) -> None:
        self.label: str = row["name"]
        self.title: str = row["title"]
        self.family = family
        self.variant: str | None = row["variant"]
        self.optimiser_kind: str = row["optimiser"]
        self.output: tuple[int, ...] = tuple(row["output"])
        self._row = row

    @property
    def published(self) -> Published | None:
        stated = self._row["published"]
        if stated is None:
            return None
        from archspec.spec.network import Published

        accuracy = {name: self._row[name] for name in ("top1", "top5")}
        return Published.model_construct(source=stated["source"], note=stated["note"] or "", **accuracy)

    @property
    def lineage(self) -> Lineage | None:
        place = self._row["lineage"]
        if place is None:
            return None
        from archspec.spec.lineage import Lineage

        return Lineage.model_construct(year=place["year"], after=tuple(place["after"]), idea=place["idea"])

    def figure(self, key: str) -> Any:
        """The value of a column."""
        place = self._row["lineage"] or {}
        if key == "family":
            return self.family
        if key == "year":
            return place.get("year")
        if key == "after":
            return ", ".join(place.get("after", ())) or None
        return _as_tuples(self._row.get(key))


def _as_tuples(value: Any) -> Any:
    """Shapes as graphs have them: JSON has lists for tuples."""
    if isinstance(value, dict):
        return {name: _as_tuples(own) for name, own in value.items()}
    return tuple(value) if isinstance(value, list) else value


def listing(families: Sequence[str] = ()) -> Listing:
    """The networks of these families, of all where none is named; `mobilenet` stands for all whose names are
    `mobilenet_` and more.

    Raises `DataError` for a family that there is not, and `SpecError` where a network that has to be counted is wrong.
    """
    files = _chosen(families)
    known = zoo_index()
    networks: list[Figures] = []
    for path in files:
        entry = known.get(path.name)
        if entry is not None:
            networks += [Recorded(row, path.stem) for row in entry.networks.values()]
        else:
            networks += counted(path)[0]
    return Listing(networks, [path.name for path in files if path.name not in known])


def _chosen(families: Sequence[str]) -> list[Path]:
    """The files of families: `mobilenet` stands for `mobilenet_v1`, `mobilenet_v2` and so on."""
    files = {path.stem: path for path in zoo_files()}
    chosen: set[str] = set()
    for name in families:
        own = {known for known in files if known == name or known.startswith(f"{name}_")}
        if not own:
            raise DataError("E113", f"the zoo has no family {name[:60]!r}", help=[_no_family(name, files)])
        chosen |= own
    return [path for name, path in files.items() if not families or name in chosen]


def _no_family(name: str, files: Iterable[str]) -> str:
    """What may have been meant: a network was, or a family's file, or what is spelt alike."""
    network = zoo_networks().get(name)
    if network is not None:
        family = network[0].stem
        return f"it is a network of the family {family}: `archspec zoo {family}`, or `archspec report {name}`"
    stem = Path(name[:200]).stem
    if stem in files:
        return f"write `archspec zoo {stem}`"
    return did_you_mean(stem, files) or f"families: {listed(files, 60)}"


def counted(path: Path) -> tuple[list[Facts], set[str]]:
    """The networks of one file of the zoo, counted from their graphs, and the names of all files that these took."""
    from archspec.loading import load

    networks: list[Facts] = []
    read: set[str] = set()
    variants: list[str | None] = [*variant_names(path)]
    for variant in variants or [None]:
        spec = load(path, variant)
        read |= {Path(source.name).name for source in spec.sources}
        networks.append(
            Facts(
                variant or path.stem,
                spec.header.title,
                spec.graph(),
                family=path.stem,
                optimiser=spec.train.optimiser if spec.train is not None else None,
                published=spec.published,
                lineage=spec.lineage,
            )
        )
    return networks, read


def to_row(facts: Figures) -> Row:
    """A network's figures as plain data, with its place among others."""
    place = facts.lineage
    lineage = {"year": place.year, "after": list(place.after), "idea": place.idea} if place else None
    return {**to_dict(facts), "family": facts.family, "lineage": lineage}


def _largest_arrays(facts: Facts) -> list[int]:
    """The largest sizes of arrays that are trained, heads for training included, by which files of tensors are told
    apart before a spec is opened."""
    sizes = {weight.size for node in facts.graph.nodes for weight in node.weights if weight.role == "trainable"}
    return sorted(sizes)[-4:]


def entry_of(path: Path) -> Entry:
    """What the index has of a file, counted anew."""
    networks, read = counted(path)
    rows = {}
    varied = bool(variant_names(path))
    for item in networks:
        spec = f"{path.name}#{item.label}" if varied else path.name
        rows[item.label] = {
            **to_row(item),
            "spec": spec,
            "optimiser": item.optimiser_kind,
            "largest_arrays": _largest_arrays(item),
        }
    return Entry(digest(path), tuple(sorted(read - {path.name})), rows)


def said_of(counted: Sequence[str], networks: Sequence[Figures]) -> str | None:
    """What to say where the index does not know some files; None where it knows all."""
    if not counted:
        return None
    families = {Path(name).stem for name in counted}
    anew = sum(item.family in families for item in networks)
    return (
        f"{count(anew, 'network')} counted anew: {listed(counted, 8)} {'is' if len(counted) == 1 else 'are'} not as "
        "the zoo's index has them (`python -m archspec.catalogue` makes it)"
    )
