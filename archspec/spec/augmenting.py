"""Augmentations against a network's inputs and outputs. Imported where a recipe has some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.augmentations import Augmentation, Mixing
from archspec.diagnostics import Findings, Span, listed
from archspec.located import Mapping as LocatedMapping
from archspec.located import Sequence as LocatedSequence
from archspec.spec.network import ImageInput

if TYPE_CHECKING:
    from archspec.spec.inputs import Input
    from archspec.tasks import Head


def check_images(
    root: LocatedMapping,
    chain: Sequence[Augmentation],
    inputs: Mapping[str, Input],
    place: Span | None,
    findings: Findings,
) -> None:
    """Reports augmentations that cannot be used on the input's images, and those that stand where they cannot."""
    for index, kind in enumerate(chain):
        for name, image in inputs.items():
            if not isinstance(image, ImageInput):
                continue
            fault = kind.fault((image.height, image.width), image.channels)
            if fault is not None:
                which = "" if len(inputs) == 1 else f", `{name}`"
                findings.error(
                    "E206", f"`{kind.kind}` of train.augment does not suit the input{which}: {fault}",
                    _place_in(root, index) or place,
                )  # fmt: skip
                break
    first = next((index for index, kind in enumerate(chain) if isinstance(kind, Mixing)), len(chain))
    after = [kind.kind for kind in chain[first:] if not isinstance(kind, Mixing)]
    if after:
        from archspec.spec.mending import moved_last

        findings.error(
            "E206",
            f"`{chain[first].kind}` of train.augment mixes samples and stands before {listed(after)}, which would "
            "change what both have become",
            _place_in(root, first) or place,
            help=["put it last"],
            mends=moved_last(_place_in(root, first), "put it last"),
        )


def mixing_names(chain: Sequence[Augmentation]) -> str:
    """The kinds that mix samples, in words; empty where there are none."""
    return listed(f"`{kind.kind}`" for kind in chain if isinstance(kind, Mixing))


def mixing_faults(chain: Sequence[Augmentation], heads: Sequence[Head]) -> Iterator[tuple[str, str]]:
    """Why the targets of outputs cannot be mixed, and what helps: of each output the first reason."""
    for head in heads:
        for kind in chain:
            if isinstance(kind, Mixing) and (fault := _fault(kind, head)) is not None:
                yield fault
                break


def _fault(kind: Mixing, head: Head) -> tuple[str, str] | None:
    answer = head.task.answer
    if head.remakes:
        return None
    if answer == "mask":
        if head.type.is_map and not kind.blends:
            return None
        how = "a pixel would have two labels" if head.type.is_map else "a signal's labels do not go with an image"
        return (
            f"`{kind.kind}` mixes samples, and output `{head.name}` tells a class of each place: {how}",
            "`cutmix` takes labels with their pixels" if head.type.is_map else f"leave `{kind.kind}` out",
        )
    if answer in ("classes", "labels"):
        if "numbers" in head.loss.forms and head.loss.shares:
            return None
        return (
            f"`{kind.kind}` makes shares of classes, which {head.loss.kind}, the loss of output `{head.name}`, "
            "does not take",
            "`loss: cross_entropy`, `loss: binary_cross_entropy`, or another that takes shares",
        )
    if kind.blends and not head.type.is_map:
        return None
    return (
        f"`{kind.kind}` mixes samples, and output `{head.name}` tells numbers, which are no mixture of both samples'",
        "`mixup` mixes numbers as it does pixels" if not head.type.is_map else f"leave `{kind.kind}` out",
    )


def _place_in(root: LocatedMapping, index: int) -> Span | None:
    """Where an entry of `train.augment` was written."""
    train = root.get("train")
    node = train.get("augment") if isinstance(train, LocatedMapping) else None
    if isinstance(node, LocatedSequence):
        return node.items[index].span if index < len(node.items) else None
    return node.span if node is not None else None
