"""What a network says of one sample, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Answer:
    """What a network says of a sample, which came from `image`, or with several inputs from `sources` by their names.

    `classes` has classes with their probabilities, or with their shares of an image's pixels, or the labels that are
    there. `mask` is the file that the classes of the pixels were written to, `file` that of a map of numbers or of
    what was made again. `values` are the numbers of a regression.
    """

    image: Path
    classes: list[tuple[str, float]] = field(default_factory=list)
    mask: Path | None = None
    kind: Literal["classes", "mask", "labels", "numbers", "image"] = "classes"
    values: dict[str, float] | list[float] | None = None
    file: Path | None = None
    sources: dict[str, str] | None = None
    runs: list[tuple[str | None, int, int]] = field(default_factory=list)
    """Of a signal whose positions have classes, each stretch of one: its name, where it begins, where the next does."""
    pictured: bool = True
    """Whether what the network takes is an image."""
    likely: bool = True
    """Whether the numbers of classes are probabilities, and not scores."""
    size: str = ""
    """Of numbers that are not given one by one, how many there are, and between which bounds they lie."""
    output: str = ""
    """The output that says this, where a network has several."""
    others: list[Answer] = field(default_factory=list)
    """What other outputs say of the sample."""

    @property
    def _source(self) -> dict[str, Any]:
        if self.sources is not None:
            return {"inputs": self.sources}
        return {"image" if self.pictured else "sample": str(self.image)}

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain data."""
        made = {**self._source, **({"output": self.output} if self.output else {}), **self._answer()}
        if self.others:
            made["outputs"] = {other.output: other._answer() for other in self.others}
        return made

    def _answer(self) -> dict[str, Any]:
        made: dict[str, Any] = {"numbers": self.size} if self.size else {}
        probability = "probability" if self.likely else "score"
        if self.kind in ("classes", "mask"):
            word = probability if self.kind == "classes" else "share"
            made["classes"] = [{"class": name, word: value} for name, value in self.classes]
        elif self.kind == "labels":
            made["labels"] = [{"label": name, probability: value} for name, value in self.classes]
        if self.values is not None:
            made["values"] = self.values
        if self.runs:
            made["runs"] = [{"class": name, "from": begin, "to": end} for name, begin, end in self.runs]
        made.update({name: str(file) for name, file in (("mask", self.mask), ("file", self.file)) if file})
        return made

    def to_row(self) -> dict[str, Any]:
        """The answer as a row of a table: the first class, the labels or each number, of other outputs too."""
        made = {"sample": str(self.image)} if self.sources is None else dict(self.sources)
        made.update(self._row())
        for other in self.others:
            made.update({f"{other.output}.{name}": value for name, value in other._row().items()})
        return made

    def _row(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.kind == "labels":
            made["labels"] = "; ".join(name for name, _ in self.classes)
        elif self.kind == "classes" and self.classes:
            (name, number), *_ = self.classes
            made = {"class": name, "probability" if self.likely else "score": number}
        elif isinstance(self.values, dict):
            made.update(self.values)
        elif self.values is not None:
            made.update({f"value {place}": number for place, number in enumerate(self.values, 1)})
        elif self.size:
            made["numbers"] = self.size
        file = self.mask or self.file
        return {**made, "file": str(file)} if file else made

    def said(self) -> str:
        """The answer in a line."""
        name = str(self.image)
        if self.sources is not None:
            name = ", ".join(f"{input}={source}" for input, source in self.sources.items())
        own = self._said()
        if self.others:
            parts = ((item.output, item._said_of_output()) for item in (self, *self.others))
            own = "; ".join(f"{output}: {words}" if words else output for output, words in parts)
        file = self.mask or self.file
        return name + (f": {own}" if own else "") + (f" → {file}" if file else "")

    def _said_of_output(self) -> str:
        """The answer without the name of its only number, where the output has that name too."""
        if isinstance(self.values, dict) and list(self.values) == [self.output]:
            return f"{self.values[self.output]:.4g}"
        return self._said()

    def _said(self) -> str:
        shown = "{} {:.1%}" if self.likely or self.kind == "mask" else "{} {:.4g}"
        words = ", ".join(shown.format(label, share).replace("%", " %") for label, share in self.classes)
        if isinstance(self.values, dict):
            words = ", ".join(f"{label} {number:.4g}" for label, number in self.values.items())
        elif self.values is not None:
            words = ", ".join(f"{number:.4g}" for number in self.values)
        elif self.kind == "labels":
            words = words or "no label"
        return words or self.size
