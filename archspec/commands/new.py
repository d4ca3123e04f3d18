"""Begins a spec for one's own data."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.commands._common import positive
from archspec.diagnostics import DataError, count, did_you_mean, listed
from archspec.output import as_json, printable, said_when_slow, say

if TYPE_CHECKING:
    from archspec.starting.making import Made
    from archspec.starting.subject import Subject
    from archspec.starting.writing import Choice
    from archspec.starting.zoo_networks import ZooNetwork


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file", nargs="?", metavar="FILE", help="the spec to write; called as the data are if left out: pets.yaml"
    )
    command.add_argument(
        "--data",
        metavar="PATH",
        help="a folder or file of data, or a dataset that comes with archspec, such as mnist5k",
    )
    command.add_argument("--target", metavar="COLUMN", help="of a table: the column that is to be found")
    command.add_argument(
        "--network", metavar="NAME", help="a network of the zoo, or small: a few layers that stand in the spec"
    )
    command.add_argument("--size", type=_size, metavar="HxW", help="height and width of the network's input: 64x64")
    command.add_argument("--epochs", type=positive, metavar="N", help="passes over the data")
    command.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights to begin with: a file of tensors, a run or an import"
    )
    command.add_argument("-y", "--yes", action="store_true", help="ask nothing: what is not given is as suggested")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec new pets.yaml --data photos/pets --network small --yes"


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) not in (1, 2) or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no size such as 64x64")
    height, width = (int(part[:9]) for part in (parts if len(parts) == 2 else parts * 2))
    if not (0 < height < 2**15 and 0 < width < 2**15):
        raise argparse.ArgumentTypeError(f"{text[:60]!r}: sides are 1 to {2**15 - 1:,}")
    return height, width


def run(options: argparse.Namespace) -> int:
    from archspec.starting.asking import EndedError
    from archspec.starting.making import check_free, check_weights, file_called, save

    asks = not options.yes and options.format == "text" and sys.stdin is not None and sys.stdin.isatty()
    try:
        if options.file is not None:
            check_free(Path(os.path.expanduser(options.file)), options.overwrite)
        subject = _subject(options, asks)
        file = file_called(options.file, subject)
        check_free(file, options.overwrite)
        choice, made = _chosen(options, subject, file, asks)
        notes = check_weights(subject, choice, file) if choice.weights is not None else []
        save(made, file)
    except DataError as error:
        raise error.located(None) from None
    except EndedError:
        say("nothing was written")
        return 1
    _told(options, subject, choice, made, file, notes)
    return 0


def _subject(options: argparse.Namespace, asks: bool) -> Subject:
    from archspec.starting.asking import ask
    from archspec.starting.subject import subject_of

    def choose(columns: list[str], guess: str | None) -> str:
        print(printable(f"   columns: {listed(columns, 40)}"))
        return ask("   which of them is to be found", guess, lambda words: _one_of(words, columns))

    def read(words: str) -> Subject:
        with said_when_slow("reading the data"):
            return subject_of(words, options.target or (choose if asks else None))

    if options.data is not None:
        subject = read(options.data)
    elif asks:
        subject = ask("1. your data, a folder or a file, or a dataset that comes with archspec", "mnist5k", read)
    else:
        raise DataError(
            "E113",
            "there is no terminal to ask in, and no data are given",
            help=["--data FOLDER reads your own; --data mnist5k are digits that come with archspec"],
        )
    if options.format == "text":
        for line in subject.lines():
            print(f"   {line}")
        for note in subject.notes():
            say(f"note: {note}")
    return subject


def _one_of(words: str, columns: list[str]) -> str:
    if words not in columns:
        hint = did_you_mean(words, columns)
        raise DataError("E507", f"there is no column {words}", help=[hint] if hint else [])
    return words


def _chosen(options: argparse.Namespace, subject: Subject, file: Path, asks: bool) -> tuple[Choice, Made]:
    from archspec.starting.asking import ask
    from archspec.starting.making import make, network_called, suggested_size
    from archspec.starting.suggesting import SMALL, epochs_for, network_for
    from archspec.starting.writing import Choice

    suggested, reason = network_for(subject)
    defaults: list[str] = []

    def network(words: str) -> ZooNetwork | None:
        return network_called(words, subject)

    if options.weights is not None and options.network is None and not asks:
        raise DataError("E113", "--weights are those of a network", help=["--network resnet18, say"])
    if options.network is not None:
        name, chosen = options.network, network(options.network)
    elif asks:
        print(printable(f"   {suggested}: {reason}"))
        name, chosen = ask(f"2. a network of the zoo, or {SMALL}", suggested, lambda words: (words, network(words)))
    else:
        name, chosen = suggested, network(suggested)
        defaults.append(f"--network {suggested}: {reason}")
    why = reason if name == suggested else None
    weights = _weights(options.weights, chosen) if options.weights is not None else None

    own = suggested_size(subject, chosen)
    text = "x".join(map(str, own)) if own is not None else ""

    def sized(size: tuple[int, ...] | None) -> tuple[Choice, Made]:
        choice = Choice(chosen, size, 1, weights, why)
        return choice, make(subject, choice, file)

    def read_size(words: str) -> tuple[Choice, Made]:
        try:
            return sized(_size(words))
        except argparse.ArgumentTypeError as error:
            raise DataError("E113", str(error)) from None

    if options.size is not None:
        if own is None:
            raise DataError("E113", "--size is of images, and the data are none", help=["leave it out"])
        choice, _ = sized(options.size)
    elif own is None:
        choice, _ = sized(None)
        if asks:
            print(printable("3. the input's size is that of the data"))
    elif asks:
        choice, _ = ask("3. height and width of the network's input", text, read_size)
    else:
        choice, _ = sized(own)
        defaults.append(f"--size {text}")

    def length(words: str) -> Choice:
        if words.isascii() and words.isdigit() and 0 < int(words[:9]) < 2**31:
            return choice._replace(epochs=int(words))
        if words.isascii() and words.lstrip("-").replace(".", "").isdigit():
            raise DataError("E113", f"{words} is no number of epochs", help=["a whole number of 1 or more"])
        given = _weights(Path(os.path.expanduser(words)), chosen)
        tuned = choice._replace(weights=given, epochs=options.epochs or epochs_for(subject, True))
        made = make(subject, tuned, file)
        assert made
        return tuned

    default = epochs_for(subject, weights is not None)
    if options.epochs is not None:
        choice = choice._replace(epochs=options.epochs)
    elif asks:
        more = ", or a file of weights to begin with" if chosen is not None and weights is None else ""
        choice = ask(f"4. epochs, passes over the data{more}", str(default), length)
    else:
        choice = choice._replace(epochs=default)
        defaults.append(f"--epochs {default}")
    if options.format == "text":
        for line in defaults:
            say(printable(f"note: not given, so {line}"))
    return choice, make(subject, choice, file)


def _weights(path: Path, network: ZooNetwork | None) -> Path:
    """Weights that a network of the zoo may begin with. Raises `DataError`."""
    path = Path(os.path.expanduser(path))
    if network is None:
        raise DataError("E113", "a small network has no weights to begin with", help=["--network resnet18, say"])
    if not path.exists():
        raise DataError(
            "E505",
            f"there is no file or folder {path}",
            help=["docs/weights.md says where files of weights are; nothing is downloaded"],
        )
    return path


def _told(
    options: argparse.Namespace, subject: Subject, choice: Choice, made: Made, file: Path, notes: list[str]
) -> None:
    graph = made.graph
    if options.format == "json":
        data = subject.found.data
        figures = {
            "file": str(file),
            "dataset": subject.found.kind,
            "task": subject.task,
            "samples": {part: len(split) for part, split in data.parts.items()},
            "classes": list(subject.classes),
            "network": choice.network.name if choice.network is not None else "small",
            "input": list(choice.size or subject.look.shape),
            "epochs": choice.epochs,
            "weights": str(choice.weights) if choice.weights is not None else None,
            "layers": len(graph.nodes),
            "params": graph.params,
            "macs": graph.macs,
            "notes": [*subject.notes(), *notes],
        }
        print(as_json(figures))
        return
    for note in notes:
        say(f"note: {note}")
    sizes = ((len(graph.nodes), "layer"), (graph.params, "parameter"), (graph.macs, "multiply–add"))
    print(printable(f"{file}: {', '.join(count(number, word) for number, word in sizes)}"))
    print(printable(f"archspec train {shlex.quote(str(file))}"))
