"""The options of each command."""

from __future__ import annotations

import argparse
from pathlib import Path


def validate_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    spec_options(command)
    command.epilog = "example: archspec validate specs/zoo/lenet.yaml"


def show_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument("--graph", action="store_true", help="print the graph's nodes with inputs and shapes instead")
    spec_options(command)
    command.epilog = "example: archspec show lenet5 --set classes=26"


def report_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("specs", nargs="+", metavar="SPEC")
    command.add_argument("--mode", choices=("eval", "train"), default="eval", help="train counts train-only heads too")
    command.add_argument("--batch", type=positive, default=1, metavar="N", help="samples per forward pass (default 1)")
    spec_options(command, formats=("table", "json"))
    command.epilog = "example: archspec report lenet5 --format json"


def train_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("spec", metavar="SPEC")
    command.add_argument("--workdir", type=Path, metavar="DIR", help="run folder (default runs/NAME)")
    command.add_argument("--overwrite", action="store_true", help="train anew where the run folder holds a run")
    spec_options(command)
    command.epilog = "example: archspec train lenet5 --set train.epochs=2 --workdir runs/quick"


def eval_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="RUN")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec eval runs/lenet5"


def predict_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="RUN")
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    command.add_argument("--top", type=positive, default=5, metavar="K", help="classes to print (default 5)")
    command.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder for segmentation's masks (default masks)"
    )
    command.add_argument("--invert", action="store_true", help="dark ink on light paper, for nets trained on MNIST")
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec predict runs/lenet5 seven.png"


def weights_options(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    take = actions.add_parser("import", help="read a file of tensors into a network")
    take.add_argument("spec", metavar="SPEC")
    take.add_argument("file", type=Path, metavar="FILE", help="safetensors; PyTorch's own format where it is installed")
    take.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="folder to write")
    take.add_argument("--names", metavar="SET", help="whose names the tensors have; otherwise what fits best")
    take.add_argument("--partial", action="store_true", help="take what matches, draw the rest at random")
    spec_options(take)
    take.epilog = "example: archspec weights import resnet50 resnet50.safetensors -o runs/resnet50"
    take.set_defaults(action="import")
    give = actions.add_parser("export", help="write the weights of a run or an import as safetensors")
    give.add_argument("folder", type=Path, metavar="RUN")
    give.add_argument("file", type=Path, metavar="FILE")
    give.add_argument("--names", metavar="SET", help="torchvision, timm, …, pytorch or archspec")
    give.add_argument("--format", choices=("text", "json"), default="text")
    give.epilog = "example: archspec weights export runs/resnet50 resnet50.safetensors --names torchvision"
    give.set_defaults(action="export")


def layers_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "kind", nargs="?", metavar="KIND", help="a kind of any family: conv, segmentation_folder, adam"
    )
    command.add_argument("--format", choices=("text", "json"), default="text")
    command.epilog = "example: archspec layers conv"


def zoo_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=("text", "json"), default="text")


def schema_options(command: argparse.ArgumentParser) -> None:
    command.epilog = "example: archspec schema > archspec.schema.json"


def doctor_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", choices=("text", "json"), default="text")


def spec_options(command: argparse.ArgumentParser, formats: tuple[str, ...] = ("text", "json")) -> None:
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        dest="overrides",
        help="override a value: train.epochs=2, args.classes=26; relative paths start from the current folder",
    )
    command.add_argument("--input", metavar="HxW", help="another input size: 64x64, or 64x64x3 with channels")
    command.add_argument("--strict", action="store_true", help="warnings are errors")
    command.add_argument("--format", choices=formats, default=formats[0])


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
