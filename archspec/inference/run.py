"""A trained or imported network as an object: its spec, weights and classes, and what it says of new data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, get_args, overload

import jax
import numpy as np

from archspec.data import INPUT
from archspec.diagnostics import DataError, Findings, count, did_you_mean, listed
from archspec.fields import at_home
from archspec.graph import Graph
from archspec.images.files import Images
from archspec.inference.evaluating import Part, attacking, dataset_override, evaluated
from archspec.inference.forward import BATCH, Computed, Forward, computed
from archspec.inference.given import Reading
from archspec.inference.memory import less_of
from archspec.inference.predictions import Predictions
from archspec.inference.presenting import predictions_of
from archspec.inference.samples import samples_of
from archspec.inference.shown import Shown, others_of, shown_of
from archspec.loading import Spec
from archspec.lower import Arrays, Inputs, Network, Outputs, Pure, outline
from archspec.lowerings.choosing import Lowerings, Mode, of_mode, of_one_call
from archspec.passes import chosen, used
from archspec.patterns import path_matches
from archspec.runs.folder import RESULT, names_in
from archspec.runs.reading import (
    OUTPUTS,
    check_weights,
    class_names_of,
    layout_of,
    opened,
    parted,
    preparation_of,
    restored,
)
from archspec.spec.network import ImageInput
from archspec.spec.train import Precision
from archspec.training.boundary import in_words

if TYPE_CHECKING:
    from archspec.data import Dataset
    from archspec.images.preparation import Preparation
    from archspec.training.evaluation import Metrics


T = TypeVar("T")


class _Weights(NamedTuple):
    """What is read when the first array is asked for."""

    pure: Pure
    params: Arrays
    statistics: Arrays
    notes: tuple[str, ...]


def _outside_traces(make: Callable[[], T]) -> T:
    """What a function makes in a thread of its own: JAX's traces are their threads'.

    What a run keeps may first be asked for while a function is compiled or differentiated, and must not belong to that.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


class Run:
    """A network with its weights, of the folder of a run or of imported weights.

    Nothing but the spec is read until it is asked for. What is read stays as the folder had it: training
    `network`, or giving other arrays to `apply`, changes neither `params` nor what `predict` says.
    """

    def __init__(
        self,
        folder: Path,
        lowerings: Mode | None = None,
        passes: str | Sequence[str] | None = None,
        precision: Precision = "float32",
    ) -> None:
        """`lowerings` say how operations are computed, `passes` which are used by `predict` and `evaluate`, otherwise
        than the recipe has it, and `precision` what these two compute in; see `open`.

        Raises `SpecError` where the folder holds no run and no import, or one that has no weights yet, and `ValueError`
        for a pass or a precision that there is not.
        """
        if precision not in get_args(Precision):
            raise ValueError(f"`precision` is one of {listed(get_args(Precision))}, not {precision!r}")
        self.precision: Precision = precision
        """What `predict` and `evaluate` compute in."""
        self._given = None if passes is None else chosen(passes)
        self._once = False
        """Whether what is compiled is called once, with few samples: the command line says so."""
        self._run, self.spec = opened(folder)
        recipe = self.spec.train
        self._mode: Mode = lowerings or (recipe.lowerings if recipe is not None else "auto")
        self.passes = used(recipe, self._given)
        """The passes of `predict` and `evaluate`: rewritings that change nothing but speed."""
        self.graph: Graph = self.spec.graph()
        """The network's graph, train-only parts included."""
        try:
            check_weights(self._run)
        except DataError as error:
            raise error.located(None) from None

    @property
    def folder(self) -> Path:
        return self._run.path

    @property
    def name(self) -> str:
        return self.spec.name

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the main output's classes, numbers where they are not known; empty for other tasks."""
        if self._shown.answer not in ("classes", "mask", "labels"):
            return ()
        return tuple(class_names_of(self.folder, self.graph.output_type(self.graph.main_output).channels))

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know of the folder: what is damaged, changed or missing. Reads the weights."""
        return (*self._weights.notes, *self._missing())

    @property
    def params(self) -> Arrays:
        """The trainable arrays by name, `conv1.kernel`, as the network has them: kernels are (height, width, in, out).

        The dict is a new one at each time, its arrays are the run's own: copy them before a function that takes them
        as donated uses them up.
        """
        return dict(self._weights.params)

    @property
    def statistics(self) -> Arrays:
        """The other arrays by name: running statistics and weights that no training changes."""
        return dict(self._weights.statistics)

    @cached_property
    def network(self) -> Network:
        """The Flax NNX module with its weights. Calling it takes what `preprocess` gives; see `Network`."""
        weights = self._weights
        return _outside_traces(lambda: weights.pure.merge(weights.params, weights.statistics))

    @overload
    def apply(
        self, params: Arrays, statistics: Arrays, x: Inputs, *, train: Literal[False] = False, key: None = None
    ) -> Outputs: ...

    @overload
    def apply(
        self, params: Arrays, statistics: Arrays, x: Inputs, *, train: Literal[True], key: jax.Array | None = None
    ) -> tuple[Outputs, Arrays]: ...

    def apply(
        self,
        params: Arrays,
        statistics: Arrays,
        x: Inputs,
        *,
        train: bool = False,
        key: jax.Array | None = None,
    ) -> Outputs | tuple[Outputs, Arrays]:
        """The network as a pure function of its arrays, to be compiled, differentiated and vectorised.

        x is as `preprocess` gives it. In evaluation the outputs are returned; with `train=True` the outputs and the
        statistics afterwards, and networks with random layers need a `key`.
        """
        outputs, after = self._weights.pure.apply(
            params, statistics, x, train=train, key=key, lowerings=self._lowerings
        )
        return (outputs, after) if train else outputs

    def preprocess(self, images: Any, *, invert: bool = False) -> Any:
        """What the network takes, of what a user has: one array (N, …), or with several inputs a dict of them.

        Of an image: the path of a file or of a folder, an image of Pillow's, an array of bytes (uint8) in the order
        red, green, blue, (height, width), (height, width, channels) or several with the number first, of any size;
        arrays of floating-point numbers in `input.range`; or a list of such. They become the input's size as the
        dataset and `input.fit` say, and numbers by range, mean and std. Of a signal or a vector: arrays of one sample
        or several, lists of numbers, or files (.npy, .npz, .csv, .json, .wav). Several inputs come as a mapping by
        their names. `invert` makes dark ink on light paper light on dark.

        Raises `TypeError` and `ValueError` for what is none of these, `SpecError` for files that cannot be read.
        """
        computed = list(self._computed(lambda params, statistics, batch: self._forward.prepare(batch), images, invert))
        arrays = {name: np.stack([item.values[name] for item in computed]) for name in self.spec.inputs}
        placed = {name: jax.numpy.asarray(array) for name, array in arrays.items()}
        return next(iter(placed.values())) if len(placed) == 1 else placed

    def predict(self, images: Any, *, invert: bool = False, batch_size: int = BATCH) -> Predictions:
        """What the network says of samples, given as `preprocess` takes them.

        The result has `probabilities`, `classes` and `labels` for classification; of other tasks what makes sense
        there, as the page docs/python.md says. Batches are filled up, so that few sizes are compiled.
        """
        if type(batch_size) is not int or batch_size < 1:
            raise ValueError(f"`batch_size` is a whole number of 1 or more, not {batch_size!r}")
        reading = self._reading(invert)
        rows = list(self._computed(self._forward.whole, images, invert, batch_size, reading))
        return predictions_of(self._shown, rows, reading, self.graph, self.spec.inputs, self.classes)

    def __call__(self, images: Any, **options: Any) -> Predictions:
        """As `predict`."""
        return self.predict(images, **options)

    def evaluate(
        self,
        dataset: str | Mapping[str, Any] | Dataset | None = None,
        *,
        part: Part | None = None,
        attack: str | None = None,
        epsilon: float | None = None,
        steps: int | None = None,
        rate: float | None = None,
        seed: int = 0,
    ) -> Metrics:
        """Loss and metrics on a part of the run's dataset, or of another one.

        `part` is train, validation or test; if left out test, or what is held out where there is no such part.
        `dataset` is a name, a mapping as in YAML (`{"image_folder": {"path": "photos"}}`, relative paths from the
        current folder), or a `Dataset`. What should be known of the data is warned of. Raises `SpecError`.

        With `attack`, "fgsm" or "pgd", there are under "attack" the same figures of images that were changed, each
        pixel by no more than `epsilon` of the range, so that the loss of the true targets is larger; PGD takes `steps`
        of `rate`, and begins at a random place of the `seed`. Raises `ValueError` for an attack that there is not.
        """
        if (attack is None) != (epsilon is None):
            raise ValueError("an attack has a size: give `attack` and `epsilon` together")
        how = None if attack is None or epsilon is None else attacking(attack, epsilon, steps, rate, seed)
        notes: list[str] = []
        overrides = [] if dataset is None else [dataset_override(dataset)]
        with in_words(less_of(self.graph)):
            found = evaluated(
                self._run,
                self.spec,
                {**self._weights.params, **self._weights.statistics},
                overrides,
                notes,
                part,
                self._lowerings,
                self._given,
                self.precision,
                how,
            )
        _warn(notes, 1)
        return found.metrics

    def activations(self, images: Any, paths: str | Sequence[str] = "**", *, invert: bool = False) -> dict[str, Any]:
        """What layers give for samples, by the layers' paths: arrays (N, …) of NumPy's, in the network's order.

        `paths` are paths of layers, or of blocks for all layers in them, or patterns, in which `*` stands for a part
        between dots and `**` for any part. Always in float32. Raises `ValueError` for those that name nothing in
        evaluation.
        """
        chosen = self._chosen([paths] if isinstance(paths, str) else list(paths))
        rows = list(self._computed(self._forward.activations(chosen), images, invert))
        return {path: np.stack([row.values[path] for row in rows]) for path in chosen}

    def _chosen(self, patterns: Sequence[str]) -> list[str]:
        there = [node.path for node in self.graph.pruned("eval").nodes]
        chosen: set[str] = set()
        for pattern in patterns:
            own = [path for path in there if path_matches(pattern, path)]
            if not own:
                training = [node.path for node in self.graph.nodes if path_matches(pattern, node.path)]
                if training:
                    raise ValueError(
                        f"{listed(training, 4)} {'is' if len(training) == 1 else 'are'} there in training alone, for "
                        f"train-only outputs, so there are no activations of `{pattern}` in evaluation"
                    )
                hint = did_you_mean(pattern, there) or f"layers: {listed(there)}"
                raise ValueError(f"{self.name} has no layer `{pattern}`; {hint}")
            chosen.update(own)
        return [path for path in there if path in chosen]

    def _computed(
        self, function: Any, images: Any, invert: bool, batch_size: int = BATCH, reading: Reading | None = None
    ) -> list[Computed]:
        reading = reading or self._reading(invert)
        findings = Findings()
        with in_words(less_of(self.graph)):
            try:
                samples = samples_of(images, self.spec.inputs, reading)
                weights = self._weights
                rows = list(computed(function, weights.params, weights.statistics, samples, findings, batch_size))
            except DataError as error:
                raise error.located(None) from None
        findings.raise_if_failed()
        reading.names = tuple(next(iter(samples.values())).names)
        reading.notes.extend(Images([], reading.seen).reasons())
        reading.notes.extend(scaled(rows, self.spec))
        _warn(reading.notes, 2)
        return rows

    @cached_property
    def _shown(self) -> Shown:
        try:
            shown = shown_of(self.spec, self.graph)
        except DataError as error:
            raise error.located(None) from None
        names = tuple(self._run.value_names)
        return shown._replace(value_names=names) if names else shown

    @cached_property
    def _others(self) -> dict[str, Shown]:
        """How other outputs are shown, by their names."""
        named = self._run.about.get(OUTPUTS)
        named = named if isinstance(named, dict) else {}
        made = {}
        for name, shown in others_of(self.spec, self.graph).items():
            own = named.get(name)
            own = own if isinstance(own, dict) else {}
            values = tuple(names_in(own.get("values"))) or shown.value_names
            made[name] = shown._replace(value_names=values, class_names=tuple(names_in(own.get("classes"))))
        return made

    @cached_property
    def _preparation(self) -> Preparation:
        try:
            return preparation_of(self._run, self.spec)
        except DataError as error:
            raise error.located(None) from None

    def _reading(self, invert: bool) -> Reading:
        """How what is given is read: images as the dataset prepared them, tables by the columns of training."""
        inputs = list(self.spec.inputs)
        named = getattr(self.spec.train.dataset if self.spec.train else None, "inputs", None)
        keys: dict[str, str] = (
            {name: key for name, key in named.items() if isinstance(key, str)} if isinstance(named, dict) else {}
        )
        if len(inputs) == 1:
            own = [name for name in inputs if name != INPUT]
            arrays = {inputs[0]: tuple(dict.fromkeys([*keys.values(), *own, "x", "X", "images", INPUT]))}
        else:
            arrays = {name: tuple(dict.fromkeys([keys.get(name, name), name])) for name in inputs}
        return Reading(self._preparation, invert, layout=layout_of(self._run), arrays=arrays)

    @cached_property
    def _weights(self) -> _Weights:
        return _outside_traces(self._read_weights)

    def _read_weights(self) -> _Weights:
        notes: list[str] = []
        pure, *shapes = outline(self.graph)
        params, statistics = parted(restored(self._run, self.spec, notes), shapes)
        return _Weights(pure, params, statistics, tuple(notes))

    @cached_property
    def _lowerings(self) -> Lowerings:
        return of_one_call(self._mode) if self._once else of_mode(self._mode)

    @cached_property
    def _forward(self) -> Forward:
        forward = (self._weights.pure, self.spec.inputs, self._shown, self._others, self._lowerings)
        return Forward(self.graph, *forward, self.passes, self.precision)

    def _missing(self) -> list[str]:
        notes = []
        if self._run.finished and not self._run.classes and self.classes:
            notes.append(f"{self.folder / RESULT} names no classes, so they have numbers for names")
        elif not self._run.finished and not self._run.imported:
            notes.append("the run is not finished: the weights are those of its last checkpoint")
        if self.spec.train is not None:
            try:
                self.spec.train.dataset.check_path()
            except DataError as error:
                notes.append(f"its data are not here: {error.message}; evaluate(dataset=…) takes others")
            begin = self.spec.train.init_from
            if begin is not None and not Path(begin.path).exists():
                notes.append(f"what it began with is not here, {begin.path}; only training anew would need it")
        return notes

    def __repr__(self) -> str:
        takes = ", ".join(f"{name} {input.type}" for name, input in self.spec.inputs.items())
        main = self.graph.output_type(self.graph.main_output)
        gives = count(len(self.classes), "class") if self.classes else str(main)
        what = "imported weights" if self._run.imported else "run"
        return f"<Run {self.name}: {takes} → {gives}, {count(self.graph.params, 'parameter')}, {what} in {self.folder}>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self))}</p>{self.graph._repr_html_()}"


def scaled(rows: Sequence[Computed], spec: Spec) -> list[str]:
    """A note on the images that `input.fit` has no answer for."""
    guessed = sum(row.plan is not None and row.plan.guessed for row in rows)
    image = next((input for input in spec.inputs.values() if isinstance(input, ImageInput)), None)
    if not guessed or image is None:
        return []
    return [
        f"{count(guessed, 'image')} of another size {'was' if guessed == 1 else 'were'} scaled to "
        f"{image.height}×{image.width}, which `fit: {image.fit}` does not do in training"
    ]


def _warn(notes: Sequence[str], depth: int) -> None:
    """Warns of notes where a run was asked, so many calls above the one that warns."""
    for note in dict.fromkeys(notes):
        warnings.warn(note, stacklevel=depth + 2)


def open(
    folder: str | Path,
    *,
    lowerings: Mode | None = None,
    passes: str | Sequence[str] | None = None,
    precision: Precision = "float32",
) -> Run:
    """The run, or the import, in a folder. Raises `SpecError` where there is none that can be used.

    `lowerings` are "auto" or "library", as `train.lowerings`. `passes` are names of rewritings for speed, or "none", as
    `train.passes`, which `predict` and `evaluate` use. What is left out is as the recipe has it. `precision` is what
    these two compute in, "float32", "bfloat16" or "float16", whatever the recipe's is: with 16 bits layers that have
    long sums or exponentials stay in float32, as in training, and outputs are float32. Raises `ValueError` for a pass
    or a precision that there is not.
    """
    return Run(Path(at_home(str(folder))), lowerings, passes, precision)
