"""What an explanation holds: plain data, by image and by the paths of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import count, listed
from archspec.figures.receptive_field import Seen
from archspec.inspecting.effective_field import Field
from archspec.inspecting.filters import Filters

METHODS: Mapping[str, str] = {
    "saliency": "how much each pixel moves the score: |∂F/∂x|",
    "smoothgrad": "the mean gradient over noisy copies",
    "integrated_gradients": "gradients added up from a baseline to the image",
    "guided_backprop": "the gradient with what is negative cut off behind each ReLU",
    "gradcam": "the places of a layer's map that speak for the score",
    "occlusion": "how far the score falls when a window is hidden",
    "activations": "what layers give",
    "filters": "the kernels of the first layer",
    "unit": "what a unit sees of the input, and the patches of the data that excite it most",
    "effective_field": "how much each pixel has to do with the middle of a map",
    "visualisation": "an input that excites a unit",
    "fgsm": "one step of ε against the predicted class",
    "pgd": "steps within ε against the predicted class",
}
"""Methods by their names, and what each shows."""

TITLES: Mapping[str, str] = {
    "saliency": "Saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "Integrated gradients",
    "guided_backprop": "Guided backpropagation",
    "occlusion": "Occlusion",
    "gradcam": "Grad-CAM",
    "fgsm": "FGSM",
    "pgd": "PGD",
}
"""Methods as titles have them."""


class Answered(NamedTuple):
    """What an output says of a sample: its classes, labels or numbers, the largest first, and how they are shown.

    `mask` has the classes of the pixels where the output is a map of classes; `rated` are then shares of the pixels.
    """

    output: str
    kind: str
    rated: tuple[tuple[str, float], ...]
    likely: bool = True
    mask: np.ndarray | None = None
    value: np.ndarray | None = None
    """What is shown of the output, as `predict` has it: probabilities, numbers."""
    threshold: float = 0.5
    """The number above which a label is there, of several."""

    @property
    def predicted(self) -> tuple[tuple[str, float], ...]:
        """What `predict` says: the class with the largest number, or the labels that are there, which may be none."""
        if self.kind == "labels":
            return tuple(item for item in self.rated if item[1] > self.threshold)
        return self.rated[:1] if self.kind == "classes" else ()


class Explained(NamedTuple):
    """What was asked of the network for one sample: a number of an output, and why that one."""

    output: str
    number: int
    name: str
    what: str
    """The score in words: the score of 7, the probability of 7, the score of 7 at pixel 3, 4."""
    why: str
    score: float
    before: float | None = None
    """What is shown of it: its probability, where there is one for the whole sample."""


class Attribution(NamedTuple):
    """By input an array of its shape (…, channels), signed, in units of the normalised input; what is to be said.

    Channels are in the order that images have them, red first, whatever the network's is.
    """

    method: str
    inputs: dict[str, np.ndarray]
    said: str = ""
    numbers: Mapping[str, float] = {}

    def map(self, name: str) -> np.ndarray:
        """One number of each place: of gradients the largest |·| over channels (Simyonan et al. 2014, section 3.1), of
        what adds up the sum over channels. Of a vector it is the array itself."""
        array = self.inputs[name]
        if self.method == "occlusion":
            return array
        if array.ndim == 1:
            return np.abs(array) if self.method == "saliency" else array
        return np.abs(array).max(-1) if self.method in ("saliency", "smoothgrad") else array.sum(-1)


class CamMap(NamedTuple):
    """Grad-CAM: `map` (…spatial) of the node at `path`, not below 0; `field` the theoretical receptive field there."""

    path: str
    map: np.ndarray
    strongest: int
    """The channel that speaks most for the score."""

    @property
    def shares(self) -> np.ndarray:
        """From 0 to 1 over the map."""
        own = self.map - self.map.min()
        return np.asarray(own / (own.max() + 1e-8))


class Attacked(NamedTuple):
    """An adversarial image as it is saved, in bytes (height, width, channels) at the network's size.

    `before` and `after` are what the network says of the image and of this one. `part` is where the image itself lies:
    a border that the network adds was left alone.
    """

    method: str
    epsilon: float
    steps: int
    rate: float
    pixels: np.ndarray
    before: Answered
    after: Answered
    said: str
    part: tuple[slice, slice]


@dataclass
class Sample:
    """What was found for one sample.

    `inputs` are as the network's size has them, bytes or numbers before mean and std; `pixels` the explained input's as
    bytes (height, width, channels), None where it is no image. `fitted` says how the image came to this size.
    """

    name: str
    inputs: dict[str, np.ndarray]
    pixels: np.ndarray | None
    fitted: str
    part: tuple[slice, slice] | None
    answers: tuple[Answered, ...]
    explained: Explained
    attributions: dict[str, Attribution] = field(default_factory=dict)
    cam: CamMap | None = None
    activations: dict[str, np.ndarray] = field(default_factory=dict)
    attacks: dict[str, Attacked] = field(default_factory=dict)


class Patch(NamedTuple):
    """A part of a sample of the data that excites a unit: `pixels` is what the unit sees there of the sample's image,
    bytes (height, width, channels), or of a signal the numbers (length, channels), None of a vector."""

    sample: int
    name: str
    value: float
    position: tuple[int, ...]
    seen: Seen | None
    pixels: np.ndarray | None


class Visualised(NamedTuple):
    """An image, bytes, that was looked for; the unit's score before and after."""

    pixels: np.ndarray
    before: float
    after: float
    said: str


@dataclass
class Unit:
    """A channel of a node: at a position, or wherever it answers most.

    `seen` is exactly the part of the input that it sees at `at`. `patches` have its largest values over the `looked`
    samples of a part of the data.
    """

    path: str
    channel: int
    position: tuple[int, ...] | None
    why: str
    seen: Seen | None = None
    at: tuple[int, ...] = ()
    """The position that `seen` is of."""
    patches: tuple[Patch, ...] = ()
    looked: int = 0
    part: str = ""
    visualised: Visualised | None = None

    @property
    def name(self) -> str:
        """PATH:CHANNEL, with @R,C where it has a position."""
        return f"{self.path}:{self.channel}" + (f"@{','.join(map(str, self.position))}" if self.position else "")


@dataclass(frozen=True)
class Picture:
    """One picture of an explanation: what it is called, and the bytes of a PNG."""

    name: str
    png: bytes = field(repr=False)

    def _repr_png_(self) -> bytes:
        return self.png


@dataclass
class Explanation:
    """What a network makes of samples: by sample what speaks for an answer, and what does not depend on one.

    `layers` are the nodes in order with the shape of what each gives; `fields` effective receptive fields by path;
    `notes` say what was guessed, left out or replaced.
    """

    name: str
    folder: Path
    input: str
    """The input that is explained, of several."""
    takes: str
    """Image, signal or vector."""
    samples: tuple[Sample, ...]
    layers: dict[str, tuple[int, ...]]
    filters: Filters | None = None
    units: tuple[Unit, ...] = ()
    fields: dict[str, Field] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    run: Any = field(default=None, repr=False)
    """The run that was asked."""
    shown: tuple[str, ...] = ()
    """The layers whose activations were asked for."""
    others: tuple[Explanation, ...] = field(default=(), repr=False)
    """The same samples with other classes explained, which a page has."""
    more_units: tuple[Unit, ...] = field(default=(), repr=False)
    """Units with patches that a page has beside those that were asked for."""

    def html(self) -> str:
        """One offline page: the network's drawing, table and YAML, and all of this beside them. It has most where
        `explain` was told that it is for a `page`."""
        from archspec.explaining.page import page_of

        return page_of(self).html

    def pictures(self) -> dict[str, bytes]:
        """PNGs by the names of their files."""
        from archspec.explaining.pictures import pictures_of

        return pictures_of(self)

    def picture(self, name: str) -> Picture:
        """The one picture whose file is called so, ends so or has it in its name: `saliency`, `unit-c3-4`. A notebook
        shows it.

        Raises `ValueError` where that is none or several.
        """
        pictures = {file.removesuffix(".png"): data for file, data in self.pictures().items()}
        ways = (str.__eq__, str.endswith, str.__contains__)
        found = next((own for way in ways if (own := [file for file in pictures if way(file, name)])), [])
        if len(found) != 1:
            raise ValueError(f"{name!r} names {count(len(found), 'picture')} of {listed(pictures, 30)}")
        return Picture(found[0], pictures[found[0]])

    def write(self, folder: str | Path) -> list[Path]:
        """Writes the pictures into a folder, made where it is not there; their paths.

        Files that are no such pictures are not replaced. Raises `SpecError`.
        """
        from archspec.diagnostics import DataError, unwritable
        from archspec.images.masks import is_own_mask
        from archspec.writing import write

        pictures = self.pictures()
        for name in pictures:
            path = Path(folder) / name
            if path.exists() and not is_own_mask(path):
                raise DataError(
                    "E534", f"{path} is there already, and no picture of an explanation", help=["give another folder"]
                ).located(None)
        paths = []
        for name, data in pictures.items():
            path = Path(folder) / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path, data)
            except OSError as error:
                raise unwritable(path.parent, error).located(None) from None
            except DataError as error:
                raise error.located(None) from None
            paths.append(path)
        return paths

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain data, without arrays of pixels."""
        from archspec.explaining.numbers import numbers_of

        return numbers_of(self)

    def _repr_html_(self) -> str:
        from base64 import b64encode
        from html import escape

        images = "".join(
            f"<figure style='margin:8px 0'><img style='max-width:100%' alt='{escape(name)}' "
            f"src='data:image/png;base64,{b64encode(data).decode()}'></figure>"
            for name, data in self.pictures().items()
        )
        notes = "".join(f"<p>note: {escape(note)}</p>" for note in self.notes)
        return f"<div class=archspec-explanation>{notes}{images}</div>"
