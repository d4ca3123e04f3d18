"""One number of a layer's output, and the numbers that make it, of a run, of fresh weights or of given arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from archspec.diagnostics import DataError, SpecError, count, did_you_mean, listed
from archspec.figures.arithmetic import Arithmetic, arithmetic
from archspec.graph import Graph, Node, input_number, is_input
from archspec.images.numbers import normalised_inputs, said_order
from archspec.inference.evaluating import part_of
from archspec.inference.given import Reading
from archspec.inference.numbers import opened_archive
from archspec.inference.run import Run
from archspec.inference.samples import samples_of
from archspec.inspecting.subject import Subject
from archspec.inspecting.target import check_channel, has_position, node_at
from archspec.lower import build, split
from archspec.terms import Terms, Unit, windows_over

if TYPE_CHECKING:
    from archspec.loading import Spec

LOOKED = 512
"""Outputs that are looked at, the largest first, for one whose window lies within the input."""


class Given(NamedTuple):
    """A network with its weights, what it is given, (1, …) by the names of its inputs, and in words where these are
    from."""

    subject: Subject
    x: Mapping[str, jax.Array]
    name: str
    source: str
    notes: tuple[str, ...] = ()


class Walk(NamedTuple):
    """One number of a layer's output: `value` as the network gives it, at `at` of channel `channel`.

    `terms` make it, None where the kind has no such list; `inputs` and `output` are the maps of one sample, without a
    batch; `sources` the layers or inputs that they come from.
    """

    network: str
    source: str
    node: Node
    channel: int
    at: tuple[int, ...]
    chosen: str
    value: float
    terms: Terms | None
    arithmetic: Arithmetic
    inputs: tuple[np.ndarray, ...]
    sources: tuple[str, ...]
    output: np.ndarray
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """What the kind does, by its first sentence."""
        return " ".join((type(self.node.layer).__doc__ or "").split("\n\n")[0].split())

    def __str__(self) -> str:
        from archspec.walking.text import text

        return text(self)

    def _repr_svg_(self) -> str:
        from archspec.drawing.svg import inline, render
        from archspec.walking.picture import scene

        return inline(render(scene(self)))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words, as `--format json` has them."""
        terms = self.terms
        made: dict[str, Any] = {
            "network": self.network,
            "source": self.source,
            "layer": self.node.path,
            "kind": self.node.kind,
            "channel": self.channel,
            "position": list(self.at),
            "chosen": self.chosen,
            "value": self.value,
            "arithmetic": [[name, line] for name, line in self.arithmetic.lines()],
            "notes": list(self.notes),
        }
        if terms is not None:
            arrays = {"values": terms.values, "weights": terms.weights, "inside": terms.inside, "places": terms.places}
            made["terms"] = {
                "how": terms.how,
                "result": terms.result,
                "bias": terms.bias,
                "divisor": terms.divisor,
                "formula": list(terms.formula),
                "channels": list(terms.channels),
                **{name: None if own is None else own.tolist() for name, own in arrays.items()},
            }
        return made


def of_run(run: Run, image: Any = None, invert: bool = False) -> Given:
    """A run, and an image as `Run.predict` takes it; without one the first sample that it is measured on.

    Raises `SpecError`, and `ValueError` for what is no image.
    """
    weights = run._weights
    subject = Subject(run.graph, weights.pure, weights.params, weights.statistics)
    notes: list[str] = [*weights.notes, *said_order(run.spec.inputs)]
    if image is not None:
        x = run.preprocess(image, invert=invert)
        named = x if isinstance(x, Mapping) else {next(iter(run.spec.inputs)): x}
        own = {name: array[:1] for name, array in named.items()}
        several = len(next(iter(named.values())))
        if several > 1:
            notes.append(f"the first of {several} samples")
        return Given(subject, own, run.name, _said(image), tuple(notes))
    try:
        measured = part_of(run._run, run.spec, [], notes)
    except SpecError as error:
        raise DataError(
            error.diagnostics[0].code, error.diagnostics[0].message, help=["an image of your own: --image FILE"]
        ).located(None) from None
    raw = {name: np.asarray(values[:1]) for name, values in measured.split.inputs.items()}
    whose = f"{measured.split.name(0)} of the {measured.data.whose(measured.part)} samples of {measured.data.name}"
    return Given(subject, run._forward.prepare(raw), run.name, whose, tuple(notes))


def of_spec(spec: Spec, image: Any = None, seed: int = 0, arrays: Path | None = None, invert: bool = False) -> Given:
    """A spec with weights of a seed, or those of a file of arrays, and an image, or the file's, or noise.

    `arrays` is an .npz archive with arrays by the names of the network's: `conv1.kernel`, and an input as the network
    takes it, `input`, (height, width, channels). Raises `SpecError`, and `ValueError` for what is no image.
    """
    graph = spec.graph()
    pure, params, statistics = split(build(graph, seed=seed))
    notes = said_order(spec.inputs)
    said = f"weights of seed {seed}"
    given = {} if arrays is None else _read(arrays)
    own = {item.name: item.type.shape for item in graph.inputs}
    known = {**{name: value.shape for name, value in {**params, **statistics}.items()}, **own}
    for name, array in given.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise DataError(
                "E113",
                f"{arrays}: the network has no array or input `{name}`",
                help=[hint or f"there are {listed(known, 20)}"],
            ).located(None)
        batched = name in own and array.ndim == len(own[name]) + 1 and len(array) == 1
        shape = array.shape[1:] if batched else array.shape
        if tuple(shape) != tuple(known[name]):
            raise DataError(
                "E113",
                f"{arrays}: `{name}` is {_by(array.shape)}, but the network's is {_by(known[name])}",
                help=["axes of maps are height, width, channels, of kernels height, width, channels, filters"],
            ).located(None)
    mine = [name for name in given if name not in own]
    if arrays is not None:
        rest = len(params) + len(statistics) - len(mine)
        said = f"{count(len(mine), 'array')} of {arrays.name}" + (f", {rest} others of seed {seed}" if rest else "")
    placed = {name: jnp.asarray(array, jnp.float32) for name, array in given.items()}
    params = {name: placed.get(name, value) for name, value in params.items()}
    statistics = {name: placed.get(name, value) for name, value in statistics.items()}
    subject = Subject(graph, pure, params, statistics)
    if image is not None:
        x, what = _prepared(spec, image, invert), _said(image)
    elif given and all(name in given for name in own):
        x = {name: placed[name].reshape(1, *shape) for name, shape in own.items()}
        what = "its input"
    else:
        rng = np.random.default_rng(seed)
        x = {name: jnp.asarray(rng.normal(size=(1, *shape)), jnp.float32) for name, shape in own.items()}
        what = "an input of noise"
    return Given(subject, x, spec.name, f"{what}, {said}", tuple(notes))


def _prepared(spec: Spec, image: Any, invert: bool) -> Mapping[str, jax.Array]:
    found: dict[str, jax.Array] = {}
    for name, samples in samples_of(image, spec.inputs, Reading(invert=invert)).items():
        try:
            found[name] = jnp.asarray(samples.reads[0]().array[None])
        except DataError as error:
            raise error.located(None) from None
    return normalised_inputs(found, spec.inputs)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with opened_archive(path) as archive:
            found = {}
            for name in archive:
                array = np.asarray(archive[name])
                if array.dtype.kind not in "biuf":
                    raise DataError("E521", f"{path}: `{name}` holds no numbers but {array.dtype}")
                found[name] = array
            return found
    except DataError as error:
        raise error.located(None) from None


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "a number"


def _said(image: Any) -> str:
    return Path(image).name if isinstance(image, str | Path) else "the image"


def walk(given: Given, layer: str, channel: int | None = None, at: Sequence[int] | None = None) -> Walk:
    """What makes one number of a layer's output; the largest one, unless a channel or a position is named.

    Raises `DataError` for a layer, a channel or a position that there is not.
    """
    subject = given.subject
    node = _node(subject.graph, layer)
    index = subject.paths.index(node.path)
    sources = [_name(subject.graph, source) for source in node.inputs]
    paths = [source for source in sources if source in subject.paths]
    poolings = [
        subject.graph.nodes[source]
        for source, port in zip(node.inputs, node.ports, strict=True)
        if port == "indices" and not is_input(source)
    ]
    for pooling in poolings:
        paths.extend(name for name in (_name(subject.graph, own) for own in pooling.inputs) if name in subject.paths)
    values = subject.values(given.x, [*dict.fromkeys([*paths, node.path])])

    def sample(name: str) -> np.ndarray:
        own = values[name] if name in values else given.x[name]
        return np.asarray(own[0], np.float64)

    output = np.asarray(values[node.path][0])
    _check(node, channel, at)
    arrays = _arrays(subject, node)
    inputs: list[np.ndarray] = [sample(name) for name in sources]

    def terms_at(channel: int, at: tuple[int, ...]) -> Terms | None:
        taken = list(inputs)
        for place, port in enumerate(node.ports):
            if port == "indices":
                pooling = subject.graph.nodes[node.inputs[place]]
                below = sample(_name(subject.graph, pooling.inputs[0]))
                taken[place] = _winners(node, pooling, below, at, channel, place)
        return node.layer.terms(Unit(at, channel, taken, node.input_types, arrays))

    place, number, chosen = _chosen(output, channel, None if at is None else tuple(at), terms_at)
    terms = terms_at(number, place)
    return Walk(
        given.name,
        given.source,
        subject.graph.nodes[index],
        number,
        place,
        chosen,
        float(output[(*place, number)]),
        terms,
        arithmetic(node),
        tuple(inputs),
        tuple(sources),
        output,
        given.notes,
    )


def _node(graph: Graph, path: str) -> Node:
    try:
        return node_at(graph, path)
    except ValueError as error:
        raise DataError("E113", str(error)) from None


def _name(graph: Graph, source: int) -> str:
    return graph.inputs[input_number(source)].name if is_input(source) else graph.nodes[source].path


def _check(node: Node, channel: int | None, at: Sequence[int] | None) -> None:
    if channel is not None:
        try:
            check_channel(node, channel)
        except ValueError as error:
            raise DataError("E113", str(error)) from None
    spatial = node.output.spatial
    if at is not None and not has_position(node, at):
        gives = f"a map of {_by(spatial)} positions" if spatial else "a vector, whose numbers have no positions"
        raise DataError(
            "E113",
            f"`{node.path}` gives {gives}, and none at {', '.join(map(str, at))}",
            help=["rows and columns count from 0"] if spatial else ["leave out --at"],
        )


def _arrays(subject: Subject, node: Node) -> dict[str, np.ndarray]:
    params, statistics = subject.arrays
    found = {}
    for weight in node.arrays:
        name = f"{node.owner}.{weight.name}"
        found[weight.name] = np.asarray(params[name] if name in params else statistics[name], np.float64)
    return found


def _winners(node: Node, pooling: Node, below: np.ndarray, at: tuple[int, ...], channel: int, place: int) -> np.ndarray:
    """The taps that won in those windows of the pooling that reach a position; of the others nothing is asked."""
    kind = node.input_types[place]
    taps = kind.taps
    assert taps is not None
    found = np.zeros(kind.shape, np.int64)
    reaches, windows = windows_over(at, kind.spatial, taps.window, taps.stride, taps.before, taps.dilation)
    for window in windows[reaches]:
        position = tuple(map(int, window))
        terms = pooling.layer.terms(Unit(position, channel, [below], pooling.input_types, {}))
        assert terms is not None
        found[(*position, channel)] = np.ravel_multi_index(terms.winner, taps.window)
    return found


def _chosen(
    output: np.ndarray, channel: int | None, at: tuple[int, ...] | None, terms_at: Any
) -> tuple[tuple[int, ...], int, str]:
    """A position and channel, and in words why it is these."""
    if channel is not None and at is not None:
        return at, channel, ""
    seen = np.full(output.shape, -np.inf)
    places = (slice(None),) * (output.ndim - 1) if at is None else at
    numbers = slice(None) if channel is None else channel
    seen[(*places, numbers)] = output[(*places, numbers)]
    order = np.argsort(-seen.reshape(-1), kind="stable")
    order = order[np.isfinite(seen.reshape(-1)[order])][:LOOKED]
    if not len(order):
        first = (0,) * (output.ndim - 1) if at is None else at
        return first, channel or 0, f"the first: none of the {output.size} outputs is a finite number"
    what = "the largest output" + ("" if at is None and channel is None else " of these")
    for number in order if at is None else ():
        *place, own = (int(part) for part in np.unravel_index(int(number), output.shape))
        terms = terms_at(own, tuple(place))
        if terms is None or terms.inside is None or terms.how == "value" or bool(terms.inside.all()):
            within = "" if int(number) == int(order[0]) else " whose window lies within the input"
            return tuple(place), own, what + within
    *place, own = (int(part) for part in np.unravel_index(int(order[0]), output.shape))
    return tuple(place), own, what
