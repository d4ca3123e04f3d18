"""What is to be compared, and the comparison of it: files, run folders, networks of the zoo, revisions of git."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archspec.comparing.gathering import Gatherer
from archspec.comparing.networks import NetworkDifference, Side
from archspec.comparing.repository import Changed, Repository
from archspec.comparing.revisions import Revision
from archspec.comparing.sides import Sides, opened, sides_of
from archspec.comparing.things import HEAD, WAYS, Repositories, Thing, folder_of, meant, parted, with_revision
from archspec.diagnostics import DataError, SpecError, count, listed
from archspec.fields import at_home
from archspec.loading import Spec
from archspec.source import is_folder, is_readable
from archspec.zoo import zoo_folder

if TYPE_CHECKING:
    from archspec.comparing.flips import Flips
    from archspec.spec.overrides import Override

Predicted = Literal["held-out", "test", "validation", "train"]
"""The part of the data whose predictions are compared."""

ON_DISK = "the working tree"


class Comparison:
    """What differs between two sides, network by network.

    `networks` has all that were compared, `different` those that differ; `libraries` are files that changed and have
    blocks alone, `others` YAML files that are no specs, and `notes` say what was left out or taken from elsewhere.
    """

    def __init__(
        self, before: str, after: str, networks: Sequence[NetworkDifference], notes: Iterable[str] = ()
    ) -> None:
        self.before = before
        self.after = after
        self.networks = list(networks)
        self.notes = list(dict.fromkeys(notes))
        self.libraries: list[Changed] = []
        self.others = 0
        self.flips: Flips | None = None

    @property
    def different(self) -> list[NetworkDifference]:
        return [network for network in self.networks if network.state != "same"]

    @property
    def differs(self) -> bool:
        """Whether anything differs."""
        flipped = self.flips is not None and self.flips.differ
        return bool(self.different or self.libraries or flipped)

    @property
    def is_broken(self) -> bool:
        """Whether a spec of the second side has errors."""
        return any(network.after is not None and bool(network.after.errors) for network in self.networks)

    @property
    def is_warned(self) -> bool:
        """Whether a spec of the second side has warnings."""
        return any(network.after is not None and bool(network.after.diagnostics) for network in self.networks)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data, in the form that `--format json` prints."""
        from archspec.comparing.showing import to_dict

        return to_dict(self)

    def __str__(self) -> str:
        from archspec.comparing.showing import text

        return text(self)

    def _repr_markdown_(self) -> str:
        from archspec.comparing.markdown import markdown

        return markdown(self)

    def _repr_html_(self) -> str:
        from archspec.comparing.showing import html

        return html(self)


def diff(
    before: str | Path | Spec | None = None,
    after: str | Path | Spec | None = None,
    *paths: str | Path,
    batch: int | None = None,
    predictions: Predicted | None = None,
) -> Comparison:
    """What differs between two specs, git revisions or run folders.

    Each is a path, a name of the zoo, either with `#variant` or `?name=value`, a `Spec`, a run folder, `REVISION:PATH`
    or a revision of git. Two revisions are compared in all specs that changed, or in `paths`; one alone with the
    working tree; a file alone, and nothing at all, with HEAD. `batch` is what memory is for; without it, inference's is
    for one sample and training's for the recipe's batch.

    With `predictions` two runs are asked about the samples of a part, "held-out" for the test part or what is held out
    where there is none, and `flips` has where their answers differ; this needs JAX.

    Raises `SpecError` where something cannot be found. Specs with errors are part of the comparison.
    """
    given = [item for item in (before, after, *paths) if item is not None]
    if any(isinstance(item, Spec) for item in given):
        if len(given) != 2:
            raise TypeError("a Spec is compared with one other thing")
        with ExitStack() as stack:
            one, other = (_side_of(item, stack) for item in given)
            return _pair(one, other, batch)
    words = [os.fspath(item) for item in given if not isinstance(item, Spec)]
    return compare(words, batch=batch, predictions=predictions)


def compare(
    words: Sequence[str],
    overrides: Sequence[Override] = (),
    *,
    batch: int | None = None,
    predictions: Predicted | None = None,
) -> Comparison:
    """As `diff`, of words on the command line; overrides hold on both sides. Raises `SpecError`."""
    try:
        found = _compared(words, overrides, batch)
        if predictions is not None:
            _add_predictions(found, predictions)
        return found
    except DataError as error:
        raise error.located(None) from None


def _add_predictions(found: Comparison, part: Predicted) -> None:
    """Adds where the answers of two runs differ. Raises `DataError` where it is not two runs, and `SpecError`."""
    network = found.networks[0] if len(found.networks) == 1 else None
    one, other = network.sides if network is not None else (None, None)
    if one is None or other is None or one.run is None or other.run is None:
        raise DataError("E113", "predictions are those of two runs", help=["give two run folders"])
    for side in (one, other):
        if side.errors:
            raise SpecError(side.errors)
    assert one.spec is not None and other.spec is not None
    from archspec.output import LOADING, said_when_slow

    with said_when_slow(LOADING):
        from archspec.comparing.answers import flips
    found.flips = flips(one.run, other.run, (one.spec, other.spec), None if part == "held-out" else part)


def _compared(words: Sequence[str], overrides: Sequence[Override], batch: int | None) -> Comparison:
    repositories = Repositories()
    things = [meant(word, repositories) for word in words]
    revisions = [thing for thing in things if thing.kind in ("revision", "range")]
    rest = [thing for thing in things if thing.kind not in ("revision", "range")]
    with ExitStack() as stack:
        if not things or (revisions and not any(thing.kind in ("run", "blob") for thing in rest)):
            return _of_revisions(revisions, rest, things, overrides, batch, repositories, stack)
        if len(things) == 1:
            (thing,) = things
            if thing.kind == "run" or not thing.path:
                what, with_what = "a network of the zoo", "another one, or a file"
                if thing.kind == "run":
                    what, with_what = "a run", "another run, or its spec as it is now"
                elif is_readable(Path(parted(at_home(thing.text))[0])) or thing.text.startswith("-"):
                    what = "in no git repository, so there is no revision of it"
                raise DataError(
                    "E113", f"{thing.text} is {what}: with what is it to be compared?", help=[f"give {with_what}"]
                )
            if thing.kind == "blob":
                new = Thing("spec", thing.path + thing.behind, path=thing.path)
                one, other = (sides_of(each, overrides, repositories, stack) for each in (thing, new))
                return _pair(one, other, batch, same_file=True)
            return _of_revisions([], rest, things, overrides, batch, repositories, stack)
        if len(things) != 2:
            raise DataError("E113", f"two things are compared, and {len(things)} are given", help=WAYS)
        pair = [with_revision(thing, other) for thing, other in (things, things[::-1])]
        same = bool(things[0].path) and things[0][-2:] == things[1][-2:]
        one, other = (sides_of(thing, overrides, repositories, stack) for thing in pair)
        return _pair(one, other, batch, same_file=same)


def _side_of(item: str | Path | Spec, stack: ExitStack) -> Sides:
    """One side of what Python gives."""
    if isinstance(item, Spec):
        label = item.label if not any(one.severity == "error" for one in item.diagnostics) else str(item.path or "spec")
        return Sides(label, {None: Side(label, item, item.diagnostics)})
    repositories = Repositories()
    try:
        return sides_of(meant(os.fspath(item), repositories), (), repositories, stack)
    except DataError as error:
        raise error.located(None) from None


def _pair(one: Sides, other: Sides, batch: int | None, *, same_file: bool = False) -> Comparison:
    """Two things side by side: networks by their variants where both have several, else one and the other."""
    networks: list[NetworkDifference]
    if len(one.networks) > 1 and len(other.networks) > 1:
        names = list(dict.fromkeys([*other.networks, *one.networks]))
        networks = [
            NetworkDifference(
                name or other.label, one.networks.get(name), other.networks.get(name), same_file=True, batch=batch
            )
            for name in names
        ]
    else:
        first, second = (_only(own, beside) for own, beside in ((one, other), (other, one)))
        name = other.label if one.label == other.label else f"{one.label} → {other.label}"
        networks = [NetworkDifference(name, first, second, same_file=same_file, batch=batch)]
    revisions = [revision for revision in (one.revision, other.revision) if revision is not None]
    return Comparison(one.label, other.label, networks, _notes(networks, revisions))


def _only(own: Sides, beside: Sides) -> Side:
    """The network to compare with one other. Raises `DataError` where there are several and none is meant."""
    if len(own.networks) == 1:
        return next(iter(own.networks.values()))
    (wanted,) = beside.networks.values()
    name = wanted.spec.variant if wanted.spec is not None else None
    if name in own.networks:
        return own.networks[name]
    variants = [str(name) for name in own.networks if name is not None]
    if None in own.networks:
        return own.networks[None]
    raise DataError(
        "E212",
        f"{own.label} has several networks, and none is chosen",
        help=[f"`#{variants[0]}` behind it chooses one", f"variants: {listed(variants, 40)}"],
    )


def _of_revisions(
    revisions: Sequence[Thing],
    rest: Sequence[Thing],
    things: Sequence[Thing],
    overrides: Sequence[Override],
    batch: int | None,
    repositories: Repositories,
    stack: ExitStack,
) -> Comparison:
    """What changed between revisions, or since one, in all specs or in those that are named."""
    if list(things) != [*revisions, *rest]:
        if len(things) == 2 and len(rest) == 1 and rest[0].path:
            pair = [with_revision(thing, other) for thing, other in (things, things[::-1])]
            one, other = (sides_of(thing, overrides, repositories, stack) for thing in pair)
            return _pair(one, other, batch, same_file=True)
        raise DataError("E113", "revisions come before the files that are compared in them", help=WAYS)
    for thing in rest:
        if not thing.path:
            name = thing.text
            what = f"{name} is a network of the zoo that comes with archspec, which no revision here has"
            raise DataError("E113", what, help=["two networks are compared without a revision"])
    repository = repositories.around(folder_of(rest[0].path) if rest else Path())
    if any(repositories.around(folder_of(thing.path)).top != repository.top for thing in rest):
        raise DataError("E113", "the files lie in several repositories", help=["compare those of each alone"])
    before, after = _ends(revisions, repository, stack)
    changed = repository.changed(before.tree, None if after is None else after.tree)
    folders = [thing for thing in rest if is_folder(Path(thing.path)) and thing.kind == "path"]
    files = [thing for thing in rest if thing not in folders]
    inside = [repository.relative(Path(thing.path)) or "" for thing in folders]
    gatherer = Gatherer(repository, before, after, changed, overrides, batch)
    for thing in files:
        gatherer.add_named(thing)
    if folders or not files:
        gatherer.add_changed(
            lambda path: not inside or any(not top or f"{path}/".startswith(f"{top}/") for top in inside)
        )
    made = Comparison(before.name, ON_DISK if after is None else after.name, gatherer.networks)
    made.libraries, made.others = gatherer.libraries, gatherer.others
    ends = [end for end in (before, after) if end is not None]
    made.notes = list(dict.fromkeys([*gatherer.notes, *_notes(made.networks, ends)]))
    return made


def _ends(revisions: Sequence[Thing], repository: Repository, stack: ExitStack) -> tuple[Revision, Revision | None]:
    """The two sides that revisions name; None is the disk."""
    if len(revisions) > 2 or (len(revisions) == 2 and "range" in (revisions[0].kind, revisions[1].kind)):
        raise DataError("E113", f"two revisions are compared, and {len(revisions)} are given", help=WAYS)
    if revisions and revisions[0].kind == "range":
        dots = "..." if "..." in revisions[0].text else ".."
        one, other = (end or HEAD for end in revisions[0].text.split(dots, 1))
        if dots == "...":
            commit = repository.merge_base(one, other)
            first = Revision(repository, commit, f"where {other} left {one} ({commit[:7]})")
            stack.callback(first.close)
        else:
            first = opened(repository, one, stack)
        return first, opened(repository, other, stack)
    if not revisions and repository.is_empty:
        nothing = Revision(repository, None, "nothing, as there is no commit yet")
        return nothing, None
    names = [thing.revision for thing in revisions] or [HEAD]
    first = opened(repository, names[0], stack)
    return first, opened(repository, names[1], stack) if len(names) > 1 else None


def _notes(networks: Sequence[NetworkDifference], revisions: Sequence[Revision]) -> Iterator[str]:
    """What was not read as revisions have it, in words."""
    for revision in revisions:
        yield from revision.said()
    if not revisions:
        return
    files = {file for network in networks for side in network.sides if side is not None for file in side.files}
    outside = sorted(file for file in files if file != "-" and not any(each.holds(Path(file)) for each in revisions))
    zoo = [file for file in outside if Path(file).parent == zoo_folder()]
    other = [file for file in outside if file not in zoo]
    if zoo:
        yield "networks of the zoo are those of the installed archspec on both sides"
    if other:
        yield f"{count(len(other), 'file')} outside the repository as on the disk on both sides: {listed(other, 4)}"
