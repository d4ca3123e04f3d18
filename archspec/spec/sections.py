"""Reads the sections of a document that are plain data, and says where their values were written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import DataError, did_you_mean
from archspec.located import Located, Mapping, Scalar, kind_of_input
from archspec.spec.checks import read_weight_set
from archspec.spec.network import YEARS, Header, ImageInput, Published, WeightSet
from archspec.spec.reading import Model, read_model

if TYPE_CHECKING:
    from archspec.diagnostics import Findings, Span
    from archspec.spec.document import Document
    from archspec.spec.inputs import Input
    from archspec.spec.train import Train


class Sections(NamedTuple):
    """What a document says beside its layers; None where a section is wrong, or is left out and may be."""

    header: Header | None
    inputs: dict[str, Input] | None
    train: Train | None
    published: Published | None
    weights: dict[str, WeightSet]


def read_sections(document: Document, findings: Findings) -> Sections:
    """The sections of a document whose arguments are bound; what is wrong is among the findings."""
    header = _section(Header, _header(document.root), document, findings, "the spec", _top(document.root))
    inputs = _read_inputs(document, findings)
    train = _read_train(document, header, inputs or {}, findings)
    _check_lineage(document, findings)
    return Sections(header, inputs, train, _read_published(document, findings), _read_weights(document, findings))


def place_of(root: Mapping, *path: str) -> Span | None:
    """Where the value at this path was written, or the nearest thing around it.

    That is its key, unless what the key holds came from elsewhere, as from an override.
    """
    node: Located | None = root
    key: Scalar | None = None
    for name in path:
        if not isinstance(node, Mapping) or name not in node.entries:
            return key.span if key else None
        key, node = node.entries[name]
    inner = main_value(node)
    if key is None or inner is None:
        return None
    return key.span if inner.source is key.source else inner.span


def main_value(node: Located | None) -> Located | None:
    """What says most of a value: the path in a dataset's entry or in `init_from`, else what is written first."""
    while isinstance(node, Mapping) and node.entries:
        node = node.get("path") or next(iter(node.entries.values()))[1]
    return node


def _header(root: Mapping) -> Mapping:
    entries = {name: (key, value) for name, key, value in root.items() if name in Header.model_fields}
    result = Mapping(root.source, root.place, entries)
    result.dynamic = root.dynamic
    return result


def _read_inputs(document: Document, findings: Findings) -> dict[str, Input] | None:
    """What the network takes. An image is the usual thing, for which no other class is loaded."""
    node, key = document.root.get("input"), document.root.key("input")
    alone = "inputs" not in document.root.entries and key is not None
    if alone and isinstance(node, Mapping) and kind_of_input(node).keys() == {"image"}:
        assert key is not None
        image = _section(ImageInput, node, document, findings, "input", key.span)
        if image is not None and image.mean_image is not None:
            image = located(image, node, findings)
        return None if image is None else {"input": image}
    from archspec.spec.inputs import read_inputs

    return read_inputs(document, findings, _top(document.root))


def located(image: ImageInput, node: Mapping, findings: Findings) -> ImageInput | None:
    """An input with its mean image read; None where that cannot be, with the reason among the findings."""
    value, key = node.get("mean_image"), node.key("mean_image")
    try:
        return image.located(_folder_of(value))
    except DataError as error:
        place = value if value is not None else key
        findings.error(error.code, error.message, place.span if place is not None else node.span, help=error.help)
        return None


def _read_train(
    document: Document, header: Header | None, inputs: dict[str, Input], findings: Findings
) -> Train | None:
    root = document.root
    node, key = root.get("train"), root.key("train")
    if not isinstance(node, Mapping) or key is None:
        return None
    from archspec.spec.train import Train

    train: Train | None = _section(Train, node, document, findings, "train", key.span)
    if train is None:
        return None
    if train.augment:
        from archspec.spec.augmenting import check_images

        check_images(root, train.augment, inputs, place_of(root, "train", "augment"), findings)
    # From here on the spec can be used from any folder.
    changed: dict[str, Any] = {"dataset": train.dataset.located(_folder_of(node.get("dataset")))}
    if header is not None and train.loss is None:
        changed["loss"] = header.task.loss()
    if train.init_from is not None:
        path = str((_folder_of(node.get("init_from")) / train.init_from.path).resolve())
        changed["init_from"] = train.init_from.model_copy(update={"path": path})
    return train.model_copy(update=changed)


def _check_lineage(document: Document, findings: Findings) -> None:
    """Reports what is wrong in `lineage`. Nothing is imported for one that is plainly right, as nearly all are."""
    node = document.root.get("lineage")
    if isinstance(node, Mapping) and not _plainly_right(node):
        from archspec.spec.lineage import read_lineage

        read_lineage(document, findings)


def _plainly_right(node: Mapping) -> bool:
    if node.dynamic:
        return False
    for name, _, value in node.items():
        given = value.plain
        if name == "year":
            right = type(given) is int and given in YEARS
        elif name == "after":
            names = given if isinstance(given, list) else [given]
            right = all(isinstance(item, str) and item.strip() for item in names)
        else:
            right = name == "idea" and isinstance(given, str) and len(given) < 1_000
        if not right:
            return False
    return True


def _read_published(document: Document, findings: Findings) -> Published | None:
    """The figures of the chosen variant: `published` has one entry a variant, or the figures themselves."""
    node, key = document.root.get("published"), document.root.key("published")
    if not isinstance(node, Mapping) or key is None:
        return None
    variants = document.variants
    if variants:
        for name, name_key, _ in node.items():
            if name not in variants:
                hint = did_you_mean(name, [variant for variant in variants if variant not in node.entries])
                help = [hint] if hint else []
                findings.error("E212", f"`published` names no variant `{name[:60]}`", name_key.span, help=help)
        inner, inner_key = node.get(document.variant or ""), node.key(document.variant or "")
        if inner is None or inner_key is None:
            return None
        if not isinstance(inner, Mapping):
            findings.error("E206", f"published figures are a mapping, not {inner.described}", inner.span)
            return None
        node, key = inner, inner_key
    return _section(Published, node, document, findings, "published", key.span)


def _read_weights(document: Document, findings: Findings) -> dict[str, WeightSet]:
    """The weight sets by name, in order."""
    node = document.root.get("weights")
    sets: dict[str, WeightSet] = {}
    for name, key, value in node.items() if isinstance(node, Mapping) else ():
        weights = read_weight_set(name, key, value, document, findings)
        if weights is not None:
            sets[name] = weights
    return sets


def _folder_of(node: Located | None) -> Path:
    """Where the path in a dataset's entry starts from: the folder of the file that it stands in."""
    value = main_value(node)
    return value.source.folder if value is not None else Path()


def _top(root: Mapping) -> Span:
    """Where missing sections are reported: the first key."""
    return next(iter(root.entries.values()))[0].span if root.entries else root.span


def _section(
    model: type[Model], node: Mapping, document: Document, findings: Findings, what: str, owner: Span
) -> Model | None:
    return read_model(model, node, document.env, findings, what, owner)
