"""What wrappers put around a network's tensor names, told by the names that the network expects.

Training scripts keep a network inside of others, each of which puts its own word before every name: `module.`,
`_orig_mod.`, `model.`, `backbone.`, a checkpoint's key. No list of such words is needed: of every name, each part
behind a dot is looked up among those that the network expects, and what stands before it gets a vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from archspec.diagnostics import DataError, count, listed
from archspec.weights.tensors import TensorFile

INNER = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
"""What wrappers of a part of a network put in the midst of names: `features.module.0.weight`."""
IGNORED = ("num_batches_tracked", "seed_generator_state")
"""Tensors that PyTorch and Keras keep and nobody needs."""
_OTHER_ENDS = ("exp_avg", "momentum", "square", "grad", "buffer", "mask", "step", "scale", "zero_point", "max")
"""Words in the ends of names of what an optimiser or a quantiser keeps for a weight, which is not the weight."""
_MARKS = ".:_/"


class Unwrapped(NamedTuple):
    """A file's tensors by the names that they have without their wrappers.

    `stripped` says what was taken off, and of how many names; `left` are the tensors that lie elsewhere. `equal` are
    the places where as many other tensors of the same names lie.
    """

    names: Mapping[str, str]
    stripped: Mapping[str, int]
    left: tuple[str, ...]
    equal: tuple[str, ...] = ()

    def known(self, expected: Collection[str]) -> int:
        """How many of the expected names are there."""
        return sum(name in self.names for name in expected)


def unwrapped(file: TensorFile, expected: Collection[str], prefix: str | None = None) -> Unwrapped:
    """The tensors of a file that are most likely those of a network that expects these names.

    With `prefix` among those whose names begin with it. Raises `DataError` where none does.
    """
    names = list(file.shapes)
    if prefix is None:
        return _unwrapped(names, expected)
    beginning = _asked(file, prefix)
    taken = [name.removeprefix(beginning) for name in names if name.startswith(beginning)]
    within = _unwrapped(taken, expected)
    return Unwrapped(
        {name: beginning + written for name, written in within.names.items()},
        {beginning: len(taken), **within.stripped} if beginning else within.stripped,
        tuple(name for name in names if not name.startswith(beginning)) + tuple(beginning + n for n in within.left),
        tuple(beginning + place for place in within.equal),
    )


def _unwrapped(names: list[str], expected: Collection[str]) -> Unwrapped:
    plain = _best(names, {name: name for name in names}, _votes(names, expected))
    if plain.known(expected) == len(expected):
        return plain
    others = [_without_inner(names, expected), _by_parts(names, expected), _without_end(names, expected)]
    return max([plain, *others], key=lambda item: item.known(expected) if item is not None else -1) or plain


def _asked(file: TensorFile, prefix: str) -> str:
    """A prefix as names begin with it. Raises `DataError` where none does."""
    for way in (prefix, f"{prefix}."):
        if any(name.startswith(way) for name in file.shapes) and (not prefix or way[-1] in _MARKS):
            return way
    raise DataError(
        "E536",
        f"no tensor of {file.path} begins with `{prefix[:60]}`",
        notes=[f"its tensors lie under {listed(map(_said, beginnings(file.shapes)), 8)}"],
    )


def beginnings(names: Iterable[str]) -> dict[str, int]:
    """The first words of names with dots, and how many begin so."""
    return Counter(name.partition(".")[0] for name in names)


def _said(word: str) -> str:
    return f"`{word}`"


def _votes(names: Iterable[str], expected: Collection[str]) -> Counter[str]:
    """How many expected names stand behind each beginning."""
    longest = max((len(name) for name in expected), default=0)
    votes: Counter[str] = Counter()
    for name in names:
        cut = 0 if len(name) <= longest else name.find(".", len(name) - longest - 1) + 1
        while True:
            if name[cut:] in expected:
                votes[name[:cut]] += 1
            dot = name.find(".", cut)
            if dot < 0:
                break
            cut = dot + 1
    return votes


def _best(names: Iterable[str], written: Mapping[str, str], votes: Counter[str]) -> Unwrapped:
    """The names behind the beginning with most votes, none before others."""
    if not votes:
        return Unwrapped(dict(written), {}, ())
    most = max(votes.values())
    best = [beginning for beginning, number in votes.items() if number == most]
    chosen = "" if "" in best else min(best, key=len)
    inside = {name.removeprefix(chosen): written[name] for name in names if name.startswith(chosen)}
    left = tuple(written[name] for name in names if not name.startswith(chosen))
    equal = () if chosen == "" else tuple(beginning for beginning in best if beginning != chosen)
    return Unwrapped(inside, {chosen: len(inside)} if chosen else {}, left, equal)


def _without_inner(names: list[str], expected: Collection[str]) -> Unwrapped | None:
    """The names without wrappers' words in their midst; None where two would be one."""
    own = {part for name in expected for part in name.split(".")}
    inner = [word for word in INNER if word not in own]
    plain = {name: ".".join(part for part in name.split(".") if part not in inner) for name in names}
    if len(set(plain.values())) < len(plain):
        return None
    back = {short: name for name, short in plain.items()}
    unwrapped = _best(back, back, _votes(back, expected))
    words = Counter(f"{part}." for name in unwrapped.names.values() for part in name.split(".") if part in inner)
    return unwrapped._replace(stripped={**words, **unwrapped.stripped})


def _by_parts(names: list[str], expected: Collection[str]) -> Unwrapped | None:
    """The names where parts of the network lie in several places, `encoder.conv1`, `head.fc`; None unless all do.

    A part is taken from where most of what is still missing lies, so long as it lies in one such place alone.
    """
    missing = dict.fromkeys(expected)
    placed: dict[str, str] = {}
    stripped: Counter[str] = Counter()
    here = set(names)
    while missing:
        votes = _votes(names, missing)
        if not votes:
            return None
        (place, most), *ranked = votes.most_common()
        rivals = [other for other, number in ranked if number == most]
        if any(place + name in here and other + name in here for other in rivals for name in missing):
            return None
        parts = {name.partition(".")[0] for name in missing if place + name in here}
        taken = [name for name in missing if place + name in here]
        if any(name.partition(".")[0] in parts and name not in taken for name in missing):
            return None  # half of a part
        for part in taken:
            placed[part] = place + part
            del missing[part]
        stripped[place] += len(taken)
    used = set(placed.values())
    wanted = {name.partition(".")[0] for name in expected}
    rest = {
        name.removeprefix(place): name
        for name in names
        for place in stripped
        if name not in used and name.startswith(place) and name.removeprefix(place).partition(".")[0] in wanted
    }
    left = tuple(name for name in names if name not in used and name not in rest.values())
    taken_off = {beginning: number for beginning, number in stripped.items() if beginning}
    return Unwrapped({**rest, **placed}, taken_off, left)


def _without_end(names: list[str], expected: Collection[str]) -> Unwrapped | None:
    """The names where all have one end more than is expected, `conv1.weight.ema`; None unless all are there."""
    longest = max((len(name) for name in expected), default=0)
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        ends = [place for place, char in enumerate(name) if char in _MARKS][-4:]
        for cut in [0, *(place + 1 for place, char in enumerate(name) if char == ".")][-16:]:
            for end in ends:
                if cut < end <= cut + longest and name[cut:end] in expected:
                    pairs.setdefault((name[:cut], name[end:]), {})[name[cut:end]] = name
    whole = [
        (pair, pairing)
        for pair, pairing in pairs.items()
        if len(pairing) == len(expected) and not any(word in pair[1].lower() for word in _OTHER_ENDS)
    ]
    if not whole:
        return None
    (beginning, tail), pairing = whole[0]
    used = set(pairing.values())
    left = tuple(name for name in names if name not in used and not name.removesuffix(tail).endswith(IGNORED))
    return Unwrapped(
        pairing,
        {word: len(pairing) for word in (beginning, tail) if word},
        left,
        tuple("…".join(pair) for pair, _ in whole[1:]),
    )


def check_one(file: TensorFile, unwrapped: Unwrapped, expected: Collection[str]) -> None:
    """Raises `DataError` where tensors of the same names lie in several places, and nothing says which are meant."""
    if unwrapped.equal:
        first = next(written.removesuffix(name) for name, written in unwrapped.names.items() if name in expected)
        places = [first, *unwrapped.equal]
        known = unwrapped.known(expected)
        raise DataError(
            "E541",
            f"{file.path} has {count(known, 'tensor')} of these names in {len(places)} places: "
            f"{listed(map(_said, places), 6)}",
            help=[
                f"--prefix {places[0]} takes those, and leaves the others out",
                f"in a spec: `init_from: {{path: …, prefix: {places[0]}}}`",
            ],
        )
