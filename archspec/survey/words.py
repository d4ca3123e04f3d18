"""What reading a dataset once has shown, in words and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import count, listed, name_at
from archspec.survey.facts import doubles

if TYPE_CHECKING:
    from archspec.data import Data
    from archspec.images.files import Unread
    from archspec.spec.inputs import Input
    from archspec.survey.reading import Survey

ROWS = 60
"""Classes, and kinds of files, that are shown before the rest is only counted; JSON has all."""
EXAMPLES = 3


@dataclass(frozen=True)
class Beyond:
    """Samples with labels that an output has no place for, by name or number."""

    target: str
    part: str
    classes: int
    samples: list[tuple[str, int]]


@dataclass(frozen=True)
class Checked:
    """A dataset, the facts of its samples, and what the spec says of its inputs, by the dataset's names of them.

    `whole` are the data as they were read, before samples that cannot be read were left out.
    """

    kind: str
    whole: Data
    found: Survey
    inputs: Mapping[str, Input]
    beyond: Sequence[Beyond] = ()
    left: Sequence[Unread] = ()
    notes: Sequence[str] = ()

    def name(self, part: str, place: int) -> str:
        """What a sample is called: its file, or its number."""
        own = self.whole.parts[part]
        return own.name(place) + ("" if own.names else f" {self.whole.said(part)}")

    @property
    def noun(self) -> str:
        own = list(self.whole.train.inputs.values())
        return "image" if len(own) == 1 and own[0].ndim == 4 else "sample"

    @property
    def unreadable(self) -> list[dict[str, str]]:
        """The samples that cannot be read, with part, name, code and reason."""
        return [
            *({"part": "", **item._asdict()} for item in self.left),
            *({"part": part, "name": bad.name, "code": bad.code, "reason": bad.reason} for part, bad in self.found.bad),
        ]

    @property
    def doubles(self) -> list[dict[str, Any]]:
        """Samples that are there twice, byte for byte once they are read: by parts, with how many labels differ."""
        made = []
        for part, other, pairs in doubles({part: facts.digests for part, facts in self.found.parts.items()}):
            labels = [self._label(part, place) != self._label(other, first) for place, first in pairs]
            named = [
                [self.name(part, place), self.name(other, first)]
                for _, (place, first) in sorted(zip(labels, pairs, strict=True), key=lambda item: not item[0])
            ]
            made.append(
                {"part": part, "of": other, "count": len(pairs), "otherwise_labelled": sum(labels), "samples": named}
            )
        return made

    def _label(self, part: str, place: int) -> Any:
        """The targets of a sample, as far as they lie in memory or have digests."""
        facts, split = self.found.parts[part], self.whole.parts[part]
        return tuple(
            facts.of_targets[name][place] if name in facts.of_targets else values[place].tobytes()
            for name, values in split.targets.items()
        )

    def to_plain(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return {
            "dataset": self.whole.name,
            "kind": self.kind,
            "parts": {
                part: {"samples": facts.count - len(facts.bad), "unreadable": len(facts.bad)}
                for part, facts in self.found.parts.items()
            },
            "inputs": {name: own for name in self.whole.train.inputs if (own := self._input(name))},
            "targets": {name: self._target(name) for name in self.whole.train.targets},
            "files": dict(self.files.most_common()),
            "unreadable": self.unreadable,
            "labels_beyond": [
                {"target": own.target, "part": own.part, "classes": own.classes, "samples": own.samples}
                for own in self.beyond
            ],
            "doubles": self.doubles,
            "notes": list(self.notes),
        }

    @property
    def files(self) -> Counter[str]:
        """How many files are of a size, mode and format."""
        return sum((facts.files for facts in self.found.parts.values()), Counter[str]())

    def _input(self, name: str) -> dict[str, Any]:
        """Mean and standard deviation of each channel of what is trained on, in the terms of the spec's input."""
        moments = self.found.parts["train"].inputs.get(name)
        if moments is None or not moments.count:
            return {}
        values, section = self.whole.train.inputs[name], self.inputs.get(name)
        mean, deviation = moments.moments()
        low, high = moments.low, moments.high
        made: dict[str, Any] = {"shape": list(values.shape[1:]), "dtype": str(values.dtype)}
        if moments.bins is not None and (span := getattr(section, "range", (0.0, 1.0))):
            scale = (span[1] - span[0]) / 255
            mean, deviation = [span[0] + own * scale for own in mean], [own * scale for own in deviation]
            low, high = span[0] + low * scale, span[0] + high * scale
            made["range"] = list(span)
        if order := getattr(section, "order", None):
            made["order"] = order
            mean, deviation = (own[::-1] if order == "bgr" else own for own in (mean, deviation))
        made |= {"low": low, "high": high, "mean": mean, "std": deviation}
        given = {key: _plain(getattr(section, key, None)) for key in ("mean", "std")}
        return {**made, "spec": {key: own for key, own in given.items() if own is not None}}

    def _target(self, name: str) -> dict[str, Any]:
        parts = {part: facts.targets[name] for part, facts in self.found.parts.items() if name in facts.targets}
        made: dict[str, Any] = {"uncounted": {part: own.uncounted for part, own in parts.items()}}
        if all(own.counts is not None for own in parts.values()):
            counts = {part: own.counts.tolist() for part, own in parts.items() if own.counts is not None}
            names = self.whole.classes.get(name, ())
            number = max(len(names), *(len(own) for own in counts.values()))
            made["classes"] = {
                name_at(names, place): {part: own[place] if place < len(own) else 0 for part, own in counts.items()}
                for place in range(number)
            }
            return made
        numbers = {}
        for part, own in parts.items():
            if own.values is not None and own.values.count:
                mean, deviation = own.values.moments()
                numbers[part] = {"low": own.values.low, "high": own.values.high, "mean": mean, "std": deviation}
        return {**made, "numbers": numbers}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def in_words(checked: Checked) -> Iterator[str]:
    """The lines that `archspec data check` prints."""
    whole, plain = checked.whole, checked.to_plain()
    parts = "; ".join(
        f"{count(own['samples'], checked.noun)} {whole.said(part)}" for part, own in plain["parts"].items()
    )
    yield f"{whole.name} ({checked.kind}): {parts}"
    for name, own in plain["targets"].items():
        yield from _of_target(name, own, checked)
    if plain["files"]:
        yield f"files: {_most(Counter(plain['files']))}"
    for name, own in plain["inputs"].items():
        yield from _of_input(name, own)
    unreadable = plain["unreadable"]
    yield f"cannot be read: {count(len(unreadable), 'sample') if unreadable else 'none'}"
    yield from (f"  {own['reason']}" for own in unreadable)
    for own in checked.beyond:
        yield (
            f"`{own.target}`: {count(len(own.samples), checked.noun)} {whole.said(own.part)} "
            f"{'has a label' if len(own.samples) == 1 else 'have labels'} beyond the {count(own.classes, 'class')} of "
            f"the output (0 to {own.classes - 1})"
        )
        yield from (f"  {name}: {label}" for name, label in own.samples)
    if not plain["doubles"]:
        yield "there twice: none"
    for own in plain["doubles"]:
        yield from _of_doubles(own, checked)
    if checked.notes:
        yield "notes:"
    yield from (f"  {note}" for note in checked.notes)


def _of_target(name: str, own: Mapping[str, Any], checked: Checked) -> Iterator[str]:
    whole = checked.whole
    whose = f"`{name}`"
    values = whole.train.targets[name]
    placed = values.ndim > 2 or name in whole.positions
    if "classes" in own:
        classes = own["classes"]
        parts = list(whole.parts)
        heads = [whose, *(part if part == "train" else whole.whose(part) for part in parts)]
        rows = [[label, *(f"{counts.get(part, 0):,}" for part in parts)] for label, counts in classes.items()]
        sums = {part: sum(counts.get(part, 0) for counts in classes.values()) for part in parts}
        if placed:
            rows = [
                [label, *(f"{100 * counts.get(part, 0) / max(1, sums[part]):.3g} %" for part in parts)]
                for label, counts in classes.items()
            ]
        yield from _aligned([heads, *rows[:ROWS]])
        if len(rows) > ROWS:
            yield f"  … and {count(len(rows) - ROWS, 'class')} more, which --json has"
        each = [counts.get("train", 0) for counts in classes.values()]
        if not placed and len(each) > 1:
            yield f"{count(len(each), 'class')}, {between(each)} each to train on"
    for part, numbers in own.get("numbers", {}).items():
        mean, deviation = (_numbers(numbers[key]) for key in ("mean", "std"))
        ends = f"{numbers['low']:.6g} to {numbers['high']:.6g}"
        yield f"{whose} {whole.said(part)}: {ends}, mean {mean}, deviation {deviation}"
    for part, number in own["uncounted"].items():
        if number:
            what = "pixel" if values.ndim > 2 else "label"
            yield f"{whose} {whole.said(part)}: {count(number, what)} count for nothing"


def between(numbers: Sequence[int]) -> str:
    """The range of counts in words: `400`, `25 to 40`."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def in_one_line(data: Data) -> str:
    """How many samples there are to train on and of each class, how many elsewhere, and what was left out."""
    import numpy as np

    from archspec.images.files import Passed

    own = list(data.train.inputs.values())
    noun = "image" if len(own) == 1 and own[0].ndim == 4 else "sample"
    said = f"{data.name}: {count(len(data.train), noun)} to train on"
    for name, classes in data.classes.items():
        labels = data.train.targets.get(name)
        if isinstance(labels, np.ndarray) and labels.ndim == 1 and len(classes) > 1:
            counts = np.bincount(labels[labels >= 0], minlength=len(classes))[: len(classes)].tolist()
            whose = f" of `{name}`" if len(data.train.targets) > 1 else ""
            said += f", {between(counts)} of each of {len(classes):,} classes{whose}"
    others = [f"{len(split):,} {data.said(part)}" for part, split in data.parts.items() if part != "train"]
    passed = sum(note.number for note in data.notes if isinstance(note, Passed))
    rest = [
        *([f"{count(len(data.left), 'file')} that cannot be read left out"] if data.left else []),
        *([f"{count(passed, 'other file')} passed over"] if passed else []),
    ]
    return "; ".join([said, *others, ", ".join(rest) or "nothing passed over"])


def _of_input(name: str, own: Mapping[str, Any]) -> Iterator[str]:
    shape = "×".join(map(str, own["shape"]))
    where = f", in the range {own['range'][0]:g} to {own['range'][1]:g}" if "range" in own else ""
    where += ", of blue, green and red" if own.get("order") == "bgr" else ""
    yield f"`{name}`: {shape} {own['dtype']}, {own['low']:.6g} to {own['high']:.6g}; of what is trained on{where}:"
    yield f"  mean: {_numbers(own['mean'])}"
    yield f"  std: {_numbers(own['std'])}"
    for key, value in own["spec"].items():
        yield f"  the spec has {key}: {_numbers(value if isinstance(value, list) else [value])}"


def _numbers(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.5g}" for value in values[:8])
    return f"[{shown}{f', … {len(values):,} in all' if len(values) > 8 else ''}]"


def _of_doubles(own: Mapping[str, Any], checked: Checked) -> Iterator[str]:
    whole, noun, number = checked.whole, checked.noun, own["count"]
    is_are = "is" if number == 1 else "are"
    where = "twice" if own["part"] == own["of"] else f"{whole.said(own['of'])} too"
    labels = own["otherwise_labelled"]
    other = f", {labels:,} of them with another label" if labels else ""
    yield f"there twice: {count(number, noun)} {whole.said(own['part'])} {is_are} {where}{other}"
    yield from (f"  {one} is {two}" for one, two in own["samples"][:EXAMPLES])
    if number > EXAMPLES:
        yield f"  … and {number - EXAMPLES:,} more, which --json has"


def _most(files: Counter[str]) -> str:
    return listed([f"{what} ({number:,})" for what, number in files.most_common()], 8)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
