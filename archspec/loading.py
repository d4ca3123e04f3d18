"""From a path or a zoo name to a `Spec`: the checked description of one network, from which everything else is made."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data import RELATIVE
from archspec.diagnostics import DataError, Diagnostic, Findings, Source, Span, SpecError
from archspec.elaborate import elaborate
from archspec.located import Located, describe
from archspec.located import Mapping as LocatedMapping
from archspec.spec.checks import check_defaults, check_published, unused_arguments
from archspec.spec.document import (
    Document,
    bind_arguments,
    default_variant,
    open_document,
    with_variant,
)
from archspec.spec.network import Header, ImageInput, Published, WeightSet
from archspec.spec.sections import main_value, place_of, read_sections
from archspec.tasks import heads_of
from archspec.zoo import find_spec

if TYPE_CHECKING:
    from archspec.elaborate.resizing import SmallestInput
    from archspec.elaborate.trace import Trace
    from archspec.graph import Graph
    from archspec.spec.inputs import Input
    from archspec.spec.lineage import Lineage
    from archspec.spec.overrides import Override
    from archspec.spec.train import Train
    from archspec.tasks import Head

InputSize = int | tuple[int, ...]
"""A size of an input: one number, or one for each axis."""


class Spec:
    """One network: a file, the variant chosen, and its arguments.

    Reading it has checked everything but the layers; `graph` checks those. Both raise `SpecError` with all that is
    wrong. `diagnostics` holds everything, warnings too.
    """

    def __init__(
        self,
        document: Document,
        overrides: Sequence[Override] = (),
        findings: Findings | None = None,
        asked: tuple[Override, ...] = (),
    ) -> None:
        """`asked` are the arguments that the SPEC itself gives, which `overrides` may change."""
        self._original = document
        self._asked = asked
        self._overrides = (*asked, *overrides)
        findings = findings or Findings()
        self._document = _bound(document, self._overrides, findings)
        sections = read_sections(self._document, findings)
        self._header = sections.header
        self._inputs = sections.inputs
        self.train: Train | None = sections.train
        self.published: Published | None = sections.published
        self.weights: dict[str, WeightSet] = sections.weights
        check_defaults(self._document, findings)
        self._findings = findings
        self._trace: Trace | None = None

    def changed_by(self, overrides: Sequence[Override]) -> Spec:
        """The same with more overrides, laid over its own. Raises nothing: what is wrong is in its `diagnostics`."""
        return Spec(self._original, [*self._overrides[len(self._asked) :], *overrides], asked=self._asked)

    @property
    def overrides(self) -> tuple[Override, ...]:
        """What is set from outside the file, in the order in which it is laid over it."""
        return self._overrides

    @property
    def name(self) -> str:
        """The network's name: the variant's, or the file's."""
        self._findings.raise_if_failed()
        assert self._header is not None
        return self.variant or self._header.name

    @property
    def label(self) -> str:
        """The name with the arguments that the SPEC gives behind it, as graphs have it: `lenet5?classes=26`."""
        return self._labelled(self.name)

    def _labelled(self, name: str) -> str:
        given = "&".join(f"{item.path[-1]}={_shown(item.value)}" for item in self._asked)
        return f"{name}?{given}" if given else name

    @property
    def run_name(self) -> str:
        """What the folder of its runs is called: the name, with the arguments that the SPEC gives."""
        given = [f"{item.path[-1]}={_shown(item.value)}" for item in self._asked]
        return "-".join([self.name, *(re.sub(r"[^\w.+=-]+", "_", text)[:60] for text in given)])

    @property
    def changed(self) -> bool:
        """Whether arguments, or anything else, are given beside the file's and the variant's own."""
        return bool(self._overrides)

    @cached_property
    def is_usual(self) -> bool:
        """Whether it is the network that the file describes without what is given beside it: every layer is the same.

        What was published of that one was published of no other. Raises `SpecError`.
        """
        graph = self.graph()
        if not self._overrides:
            return True
        try:
            return graph.nodes == Spec(self._original).graph().nodes
        except SpecError:  # an argument has to be given
            return False

    @property
    def header(self) -> Header:
        self._findings.raise_if_failed()
        assert self._header is not None
        return self._header

    @property
    def inputs(self) -> Mapping[str, Input]:
        """What the network takes, by name and in order: images, signals, vectors. The only one of `input:` is `input`.

        Raises `SpecError`.
        """
        self._findings.raise_if_failed()
        assert self._inputs is not None
        return dict(self._inputs)

    @property
    def images(self) -> dict[str, ImageInput]:
        """Those of the inputs that are images. Raises `SpecError`."""
        return {name: input for name, input in self.inputs.items() if isinstance(input, ImageInput)}

    def input_path(self, name: str) -> tuple[str, ...]:
        """Where the section of an input stands: `input`, or its name under `inputs`."""
        return ("inputs", name) if "inputs" in self._document.root.entries else ("input",)

    @property
    def input(self) -> ImageInput:
        """The section of the network's only input, an image.

        Raises `SpecError`, and `TypeError` where there are several or it is no image: `inputs` has them all.
        """
        inputs = self.inputs
        input = next(iter(inputs.values()))
        if len(inputs) > 1 or not isinstance(input, ImageInput):
            what = f"{len(inputs)} inputs" if len(inputs) > 1 else "an input that is no image"
            raise TypeError(f"{self.name} has {what}: `inputs` has them by name")
        return input

    @cached_property
    def lineage(self) -> Lineage | None:
        """When it was published, whose idea it extends and what it introduced; None where the spec does not say.

        Raises `SpecError`.
        """
        self._findings.raise_if_failed()
        if "lineage" not in self._document.root.entries:
            return None
        from archspec.spec.lineage import read_lineage

        return read_lineage(self._document, self._findings.copy())

    @property
    def variant(self) -> str | None:
        """The chosen variant, or the one that changes nothing."""
        return self._document.variant

    @property
    def args(self) -> Mapping[str, Any]:
        """The network's arguments and their values."""
        return dict(self._document.env)

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the spec start from."""
        return self._document.root.source.folder

    @property
    def path(self) -> Path | None:
        return self._document.path

    @cached_property
    def _elaborated(self) -> tuple[Graph | None, Findings]:
        findings = self._findings.copy()
        name = self._labelled(self.variant or (self._header.name if self._header else ""))
        types = None if self._inputs is None else {name: input.type for name, input in self._inputs.items()}
        if self._trace is None:
            graph = elaborate(self._document, types, name, findings)
        else:
            graph = elaborate(self._document, types, name, findings, self._trace.expander)
        if graph is not None and self._header:
            graph = replace(graph, title=self._header.title)
        if graph is not None and self.published is not None and not self._overrides:
            key = self._document.root.key("published")
            check_published(graph, self.published, key.span if key else None, findings)
        self._check_training(graph, findings)
        if not findings.failed:
            unused_arguments(self._document, findings)
        return graph, findings

    def _check_training(self, graph: Graph | None, findings: Findings) -> None:
        """Adds what is wrong with training a graph as the spec says."""
        said = any(output.loss or output.task or output.metrics for output in graph.outputs) if graph else False
        if graph is not None and (self.train is not None or said) and not findings.failed:
            from archspec.spec.training import check_training

            check_training(
                graph,
                self.train,
                partial(self._heads, defaults=False),
                self._inputs or {},
                self.place,
                self._blamed,
                self._written,
                findings,
            )

    def diagnostics_with(self, graph: Graph | None) -> tuple[Diagnostic, ...]:
        """What is found in its sections, and in training a graph that its layers are known to make, if one is given.

        What only needs layers is left out: whether all arguments are read, and figures that were published.
        """
        findings = self._findings.copy()
        self._check_training(graph if self._header is not None and self._inputs is not None else None, findings)
        return tuple(findings.sorted())

    def _written(self, field: str) -> bool:
        """Whether the recipe says this field itself."""
        train = self._document.root.get("train")
        return isinstance(train, LocatedMapping) and field in train.entries

    def heads(self) -> tuple[Head, ...]:
        """The outputs with their tasks, losses, targets and metrics.

        Raises `SpecError`, also where an output is to remake an input that there is not.
        """
        try:
            return self._heads(self.graph())
        except DataError as error:
            raise error.located(self._blamed(error)) from None

    def _heads(self, graph: Graph, *, defaults: bool = True) -> tuple[Head, ...]:
        assert self._header is not None and self._inputs is not None
        loss, metrics = (self.train.loss, self.train.metrics) if self.train else (None, None)
        return heads_of(graph, self._header.task, self._inputs, loss, metrics or (), defaults=defaults)

    def traced(self, trace: Trace) -> None:
        """Elaborates it, with all that is gone through written into the trace. Raises what ends a trace early."""
        self.__dict__.pop("_elaborated", None)
        self._trace = trace
        with without_collection():
            _ = self._elaborated

    @property
    def document(self) -> Document:
        """The file with what it extends, its variant and overrides laid over it, and its arguments bound."""
        return self._document

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything found, warnings included, without raising."""
        with without_collection():
            return tuple(self._elaborated[1].sorted())

    def graph(self, input: InputSize | Mapping[str, InputSize] | None = None) -> Graph:
        """The network's graph, train-only parts included.

        `input` is another size to infer shapes for: of an image (height, width), (height, width, channels) or the side
        of a square, of a signal its length or (length, channels), of a vector the number of features; of one or more
        among several inputs a mapping by name. Raises `SpecError`, and `TypeError` where `input` is none of these.
        """
        if input is not None:
            return Spec(self._original, [*self._overrides, *self._resized(input)]).graph()
        with without_collection():
            graph, findings = self._elaborated
        findings.raise_if_failed()
        assert graph is not None
        return graph

    def _resized(self, input: InputSize | Mapping[str, InputSize]) -> list[Override]:
        """The overrides of another size. Raises `TypeError` where no input can take it."""
        from archspec.spec.overrides import python_override
        from archspec.spec.setting import SizeError, input_fields

        root = self._document.root
        sizes: Iterable[tuple[str | None, InputSize]]
        sizes = input.items() if isinstance(input, Mapping) else [(None, input)]
        overrides: list[Override] = []
        for name, size in sizes:
            given = size if isinstance(size, (tuple, list)) else (size,)
            try:
                if not all(isinstance(number, int) for number in given):
                    raise SizeError("a size is (height, width) and the like, of whole numbers")
                fields = input_fields(root, name, size, python=True)
            except SizeError as error:
                raise TypeError(f"{error}; `input` is {input!r}") from None
            overrides += [python_override(path, number) for path, number in fields]
        return overrides

    @property
    def sources(self) -> tuple[Source, ...]:
        """The texts of the files that the spec was made of: its own first, then what it extends and imports."""
        return tuple(source for source in self._findings.files.values() if source is not None)

    def smallest_input(self) -> SmallestInput | None:
        """The smallest square input that the whole network fits, train-only parts included.

        Of a network for signals its side is the shortest length. None where no square up to the longer side of the
        network's own input fits, or up to 640 pixels where that is larger, and where there are several inputs or the
        only one is a vector. Raises `SpecError`.
        """
        from archspec.elaborate.resizing import has_size, smallest_input

        graph = self.graph()
        if not has_size(graph.inputs):
            return None
        layers = self._document.root.get("layers")
        assert layers is not None
        with without_collection():
            return smallest_input(self._document, layers, graph.inputs[0])

    def place(self, *path: str) -> Span | None:
        """Where the value at this path was written, or the nearest thing around it.

        That is its key, unless what the key holds came from elsewhere, as from an override.
        """
        return place_of(self._document.root, *path)

    def _blamed(self, error: DataError, graph: Graph | None = None) -> Span | None:
        """Where the part of an output or an input that an error is about is written."""
        from archspec.spec.blame import blamed

        return blamed(self._document.root, error, graph)

    def data_error(self, error: DataError) -> SpecError:
        """What is wrong with the dataset, or with what the spec says of its outputs and inputs, at its place."""
        # Names that a dataset which nobody chose has not are no mistake of the spec's.
        named = error.about is not None and (self._dataset is not None or error.about[1] in ("task", "loss", "metrics"))
        blamed = self._blamed(error, self._elaborated[0]) if named else None
        if blamed is not None:
            return error.located(blamed)
        from archspec.spec.overrides import COMMAND_LINE

        path = main_value(self._dataset)
        if path is not None and path.source.name == COMMAND_LINE:
            start = "relative paths on the command line start from the current folder"
            error.help = tuple(start if text == RELATIVE else text for text in error.help)
        elif RELATIVE in error.help and self._dataset is not None and self.train is not None:
            error.help = (*error.help, f"--set train.dataset.{self.train.dataset.kind}.path=… says where yours lies")
        place = self.place("train", "dataset") or self.place("train")
        if self._dataset is None and self.train is not None:
            error.notes = (*error.notes, f"no dataset is given: {self.train.dataset.kind} is the default")
            error.help = (*error.help, "--set train.dataset=… names another")
            if place is not None and place.source.name == COMMAND_LINE:
                place = None  # another field of `train`, which has no part in it
        return error.located(place)

    @property
    def _dataset(self) -> Located | None:
        train = self._document.root.get("train")
        return train.get("dataset") if isinstance(train, LocatedMapping) else None

    def to_yaml(self, *, ascii: bool = False) -> str:
        """The elaborated spec: every layer and every default written out. Reading it gives the same graph."""
        from archspec.spec.writing import elaborated_yaml

        return elaborated_yaml(self, ascii=ascii)

    def kept(self) -> tuple[str, dict[str, bytes]]:
        """The elaborated spec as a folder keeps it that has to be whole, and the files beside it, by name."""
        from archspec.spec.writing import elaborated_yaml, kept_files

        return elaborated_yaml(self, kept=True), kept_files(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the graph's folded report, or what is wrong."""
        from html import escape

        try:
            return self.graph()._repr_html_()
        except SpecError as error:
            from archspec.rendering import render_text

            return f"<pre style='font-family:monospace;line-height:1.3'>{escape(render_text(error.diagnostics))}</pre>"

    def __repr__(self) -> str:
        return f"<Spec {self._document.path or ''}{'#' + self.variant if self.variant else ''}>"


def load(path_or_name: str | Path, variant: str | None = None, **args: Any) -> Spec:
    """Reads a spec: a path, a path with `#variant`, or a zoo name; keywords set the network's arguments.

    So does `?name=value&name=value` behind any of these; keywords come before it.

    Raises `SpecError` with everything that is wrong in its sections.
    """
    overrides: list[Override] = []
    if args:
        from archspec.spec.overrides import python_override

        overrides = [python_override(("args", name), value) for name, value in args.items()]
    spec = open_spec(str(path_or_name), overrides, variant=variant)
    spec._findings.raise_if_failed()
    return spec


def open_spec(
    target: str,
    overrides: Sequence[Override] = (),
    *,
    variant: str | None = None,
    findings: Findings | None = None,
) -> Spec:
    """As `load`, but what is wrong in the spec's sections is left in `Spec.diagnostics`.

    Raises `SpecError` only when there is no such file or variant, or the text is not YAML; `findings.files` then still
    has the files that were looked for.
    """
    findings = Findings() if findings is None else findings
    with without_collection():
        document, named, asked = _open(target, findings)
        return spec_of(document, variant or named or default_variant(document), overrides, findings, asked)


def open_specs(target: str, overrides: Sequence[Override] = (), *, findings: Findings | None = None) -> list[Spec]:
    """Every network that a target names: one for a variant or a file without variants, else one a variant.

    Raises `SpecError` with what is wrong in all of them where one extends something that cannot be had;
    `findings.files` then still has the files that were looked for.
    """
    findings = Findings() if findings is None else findings
    with without_collection():
        document, named, asked = _open(target, findings)
        names: list[str | None] = [named] if named else networks_of(document)
        specs: list[Spec] = []
        lost: list[Diagnostic] = []
        for name in names:
            try:
                specs.append(spec_of(document, name, overrides, findings, asked))
            except SpecError as error:
                lost.extend(error.diagnostics)
        if lost:
            lost.extend(item for spec in specs for item in spec.diagnostics)
            raise SpecError(list(dict.fromkeys(lost)))
        return specs


def networks_of(document: Document) -> list[str | None]:
    """The variants whose networks a document describes; None stands for the file's own, without one."""
    names: list[str | None] = list(document.variants)
    base_is_complete = all(argument.default is not None for argument in document.arguments.values())
    alone = "layers" in document.root.entries and base_is_complete and default_variant(document) is None
    return [None, *names] if alone or not names else names


def diagnostics_of_family(found: Mapping[str | None, Sequence[Diagnostic]]) -> list[Diagnostic]:
    """What was found in a file's variants, each once, saying which variants it concerns unless it is all."""
    where: dict[Diagnostic, list[str]] = {}
    for variant, diagnostics in found.items():
        for item in diagnostics:
            where.setdefault(item, []).append(variant or "the spec without a variant")
    return [
        item
        if len(names) == len(found)
        else item._replace(notes=(*item.notes, f"in {', '.join(names[:8])}{' and others' if len(names) > 8 else ''}"))
        for item, names in where.items()
    ]


def _open(target: str, findings: Findings) -> tuple[Document, str | None, tuple[Override, ...]]:
    """The document that a target names, and the variant and the arguments that it asks for."""
    path, named, asked = find_spec(target, findings)
    document = open_document(path, findings) if path else None
    if document is None:
        raise SpecError(findings.sorted())
    return document, named, asked


def spec_of(
    document: Document,
    variant: str | None,
    overrides: Sequence[Override],
    findings: Findings,
    asked: tuple[Override, ...] = (),
) -> Spec:
    """The network of a document's variant. Raises `SpecError` where it has no such variant."""
    mine = findings.copy()
    chosen = with_variant(document, variant, None, mine)
    if chosen is None:
        raise SpecError(mine.sorted())
    return Spec(chosen, overrides, mine, asked)


def _bound(document: Document, overrides: Sequence[Override], findings: Findings) -> Document:
    """The document with overrides applied and arguments bound: defaults, then the variant's, then those given."""
    given = dict(document.given)
    if overrides:
        from archspec.spec.setting import laid_over

        document, own = laid_over(document, overrides, findings)
        given.update(own)
        # The document itself stays bound to its own arguments: `is_usual` reads it again.
        document = document.changed(document.root)
    bind_arguments(document, given, findings)
    return document


def _shown(value: Located) -> str:
    """A value of an argument as one writes it."""
    return describe(value.plain) if not isinstance(value.plain, str) else value.plain


@contextmanager
def without_collection() -> Iterator[None]:
    """Pauses garbage collection: reading builds many objects and drops few, and collections would cost time
    that grows faster than the spec."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
