"""From answers to a spec that is checked, and then written."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import DataError, SpecError
from archspec.fields import at_home
from archspec.graph import Graph
from archspec.loading import Spec, open_spec
from archspec.source import OneText, laid
from archspec.starting.networks import SCALES
from archspec.starting.subject import Subject
from archspec.starting.suggesting import SMALL, size_for
from archspec.starting.writing import Choice, spec_text
from archspec.starting.zoo_networks import ZooNetwork
from archspec.writing import write


class Made(NamedTuple):
    """A spec as text, and its network."""

    text: str
    graph: Graph


def network_called(name: str, subject: Subject) -> ZooNetwork | None:
    """The network of an answer, None for a small one. Raises `DataError` where it is of no use for the data."""
    if name == SMALL:
        return None
    network = ZooNetwork(name)
    reason = network.unfit(subject.task, subject.look.form)
    if reason is not None:
        raise DataError("E113", reason, help=[f"`{SMALL}` is a network of a few layers for such data"])
    return network


def multiple_of(network: ZooNetwork | None, subject: Subject) -> int:
    """What sizes are divisible by that are suggested."""
    if subject.task != "segmentation":
        return 1
    return 2**SCALES if network is None else 32


def suggested_size(subject: Subject, network: ZooNetwork | None) -> tuple[int, ...] | None:
    """Height and width that suit the data and the network; the network's own where it takes no other."""
    own = network.own_size if network is not None else None
    if subject.task == "segmentation":
        own = None  # maps are of any size that its strides divide
    size = size_for(subject, own, multiple_of(network, subject))
    if network is None or size is None or size == network.own_size:
        return size
    try:
        make(subject, Choice(network, size, 1), Path("spec.yaml"))
    except SpecError:
        return network.own_size
    return size


def make(subject: Subject, choice: Choice, file: Path) -> Made:
    """The spec, checked as `archspec validate` does. Raises `SpecError` with all that is found, warnings too."""
    text = spec_text(subject, choice, file)
    with laid(OneText(file, text)):
        spec = open_spec(str(file))
        graph = spec.graph().pruned("eval")
        diagnostics = spec.diagnostics
    if diagnostics:
        raise SpecError(diagnostics)
    return Made(text, graph)


def check_weights(subject: Subject, choice: Choice, file: Path) -> list[str]:
    """What is to be said of the weights that the network begins with. Raises `SpecError` where they do not fit it."""
    from archspec.training.beginning import initial_weights

    with laid(OneText(file, spec_text(subject, choice, file))):
        spec: Spec = open_spec(str(file))
        begin = spec.train.init_from if spec.train is not None else None
        assert begin is not None
        try:
            return initial_weights(begin, spec, spec.graph()).notes
        except DataError as error:
            raise error.located(None) from None


def check_free(file: Path, overwrite: bool) -> None:
    """Raises `DataError` where a file is there that nobody said may be replaced, or its folder is not."""
    if file.is_dir():
        raise DataError("E534", f"{file} cannot be written: it is a folder", help=["give the name of a file in it"])
    if file.exists() and not overwrite:
        raise DataError("E567", f"{file} is there already", help=["--overwrite replaces it, or another name"])
    if not file.parent.is_dir():
        raise DataError(
            "E534",
            f"{file} cannot be written: there is no folder {file.parent}",
            help=["make the folder first, or choose another file"],
        )


def file_called(given: str | None, subject: Subject) -> Path:
    """The file that is written: the one given, or one called as the data are, in the current folder."""
    return Path(at_home(given)) if given is not None else Path(f"{subject.name}.yaml")


def save(made: Made, file: Path) -> None:
    """Writes the spec as a whole or not at all. Raises `DataError`."""
    write(file, made.text)
