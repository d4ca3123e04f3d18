"""What a trained network makes of images: where its answers come from, and what its layers and units see.

Given codes of diagnostics in place of a run, it says what these mean.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from archspec.commands._codes import are_codes, explain_codes
from archspec.commands._common import check_run, positive, show
from archspec.diagnostics import DataError, Findings, count
from archspec.output import as_json, printable, say
from archspec.training.interrupt import loading

if TYPE_CHECKING:
    from archspec.explaining.explanation import Explanation

FOLDER = Path("explained")
"""Where pictures are written unless another folder is given."""


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder", type=Path, metavar="RUN", help="a run's folder; or codes of diagnostics alone, E301 W301"
    )
    command.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="image files, or folders of them; whatever else `archspec predict` takes",
    )
    command.add_argument(
        "--methods",
        type=_several,
        metavar="NAMES",
        help="with commas between them: saliency, smoothgrad, integrated_gradients, guided_backprop, gradcam, "
        "occlusion, activations, filters, unit, effective_field, visualisation, fgsm, pgd, or all; by default those "
        "that take no more than a bound of operations",
    )
    command.add_argument(
        "--layer",
        action="append",
        default=[],
        metavar="PATH",
        help="a layer, a block or a pattern (`**` is all): whose activations are drawn, the last for Grad-CAM",
    )
    command.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="PATH:CHANNEL[@R,C]",
        help="a unit: a channel of a layer, at a position or wherever it answers most",
    )
    command.add_argument(
        "--class",
        dest="number",
        metavar="NAME",
        help="the class that is explained, by name or number, or a number of a regression (default what is predicted)",
    )
    command.add_argument(
        "--pixel",
        type=_numbers,
        metavar="R,C",
        help="of a segmentation one pixel, row and column of the image as the network sees it",
    )
    command.add_argument("--output", metavar="NAME", help="which of several outputs is explained")
    command.add_argument(
        "--part",
        choices=("train", "validation", "test"),
        help="where the patches that excite a unit come from; by default as in `archspec eval`",
    )
    command.add_argument(
        "--epsilon", type=_share, metavar="E", help="size of attacks, as a share of the range of pixels (default 0.1)"
    )
    command.add_argument("--seed", type=_seed, default=0, metavar="N", help="of noise and random starts (default 0)")
    command.add_argument("--invert", action="store_true", help="dark ink on light paper, for nets trained on MNIST")
    command.add_argument(
        "-o",
        "--folder",
        dest="pictures",
        type=Path,
        metavar="DIR",
        help="folder for the pictures (default explained); with --format json there are none without it",
    )
    command.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="one offline page, in place of pictures unless --folder is given: all of it beside the network's drawing, "
        "table and YAML, with any unit taken apart",
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="json: the numbers")
    command.epilog = "examples: archspec explain runs/lenet5 seven.png --unit c3:4 -o seven; archspec explain E301"


def _several(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 10 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no row and column: 12,30")
    return tuple(int(part) for part in parts)


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share of the range of pixels, above 0 up to 1")
    return number


def _seed(text: str) -> int:
    return 0 if text == "0" else positive(text)


def run(options: argparse.Namespace) -> int:
    if are_codes([options.folder, *options.images]):
        return explain_codes([str(word) for word in (options.folder, *options.images)], options)
    if not options.images:
        check_run(options.folder)
        options.parser.error("the following arguments are required: FILE")
    check_run(options.folder)
    pictures: Path | None = options.pictures or (FOLDER if options.format == "text" and not options.html else None)
    with loading():
        from archspec.explaining.asking import EPSILON, Asked
        from archspec.explaining.gathering import gathered
        from archspec.inference.given import told
        from archspec.inference.predicting import samples_of_files
        from archspec.inference.run import Run
    findings = Findings()
    asked = Asked(
        options.methods,
        tuple(options.layer),
        tuple(options.unit),
        options.number,
        options.pixel,
        options.output,
        options.part,
        EPSILON if options.epsilon is None else options.epsilon,
        options.seed,
        page=options.html is not None,
    )
    own = Run(options.folder)
    reading = own._reading(options.invert)
    with told():
        samples = samples_of_files(options.images, own.spec.inputs, reading, findings)
        made = None if samples is None else gathered(own, samples, reading, asked, findings)
    if made is not None:
        for note in made.notes:
            say(f"note: {note}")
    written = made.write(pictures) if made is not None and pictures is not None else []
    if made is not None and options.html is not None:
        _write_page(made, options.html)
    if options.format == "json":
        diagnostics = [item.to_json() for item in findings.items]
        numbers = {} if made is None else made.to_dict()
        print(as_json({**numbers, "pictures": [str(path) for path in written], "diagnostics": diagnostics}))
    else:
        for line in [] if made is None else lines(made):
            print(printable(line))
        if written:
            print(f"{count(len(written), 'picture')} in {pictures}: {', '.join(path.name for path in written)}")
        sys.stdout.flush()
        show(findings.items, options)
    return 1 if findings.failed else 0


def _write_page(made: Explanation, path: Path) -> None:
    """Writes the page, and says what did not fit into it. Raises `SpecError`."""
    from archspec.explaining.page import page_of
    from archspec.writing import write

    begun = last = monotonic()

    def at(text: str) -> None:
        nonlocal last
        if monotonic() - last > 5:
            last = monotonic()
            say(f"page: {text} ({last - begun:.0f} s)")

    page = page_of(made, at)
    data = page.html.encode("utf-8")
    try:
        write(path, data)
    except DataError as error:
        raise error.located(None) from None
    for text in page.left_out:
        say(f"note: not in the page: {text}")
    say(f"page {path} ({len(data) / 1e6:.1f} MB)")


def lines(made: Explanation) -> list[str]:
    """What is told of an explanation: of each sample its answer, and a line for each method that has numbers."""
    from archspec.explaining.explanation import TITLES
    from archspec.explaining.panels import said_of

    found = []
    for sample in made.samples:
        own = next(item for item in sample.answers if item.output == sample.explained.output)
        said = said_of(own)
        found.append(
            f"{sample.name}: "
            + (f"{said}; " if said else "")
            + sample.explained.what
            + f" {sample.explained.score:.4g} ({sample.explained.why})"
        )
        for method, attribution in sample.attributions.items():
            if attribution.numbers:
                found.append(f"  {TITLES[method]}: {attribution.said}")
        for method, attack in sample.attacks.items():
            found.append(
                f"  {TITLES[method]}, ε {attack.epsilon:g}: {said_of(attack.before)} → {said_of(attack.after)}"
            )
    for unit in made.units:
        if unit.patches:
            best = unit.patches[0]
            found.append(
                f"unit {unit.name} ({unit.why}): largest, {best.value:.4g}, for {best.name} of the {unit.part} samples"
            )
    return found
