"""The text of a spec: what was read of the data, what was chosen, and why, as comments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from archspec.data import Dataset
from archspec.diagnostics import count
from archspec.kinds import find_kind
from archspec.spec.writing import dump
from archspec.starting.found import PROBE, loaded
from archspec.starting.networks import SCALES, small
from archspec.starting.subject import NAMED, Subject
from archspec.starting.suggesting import batch_for
from archspec.starting.zoo_networks import CLASSES, ZooNetwork

MIRRORED = 64
"""Images in colour of this many pixels a side are taken for photographs, which may be mirrored."""
WIDTH = 110
"""Comments are broken after so many characters."""


class Choice(NamedTuple):
    """The answers. `network` is None for a small one; `size` is None where samples are no images; `why` says why the
    network was suggested, where it was; `weights` is a file or folder to begin with."""

    network: ZooNetwork | None
    size: tuple[int, ...] | None
    epochs: int
    weights: Path | None = None
    why: str | None = None


def spec_text(subject: Subject, choice: Choice, file: Path) -> str:
    """The spec, whose relative paths start from the folder of `file`."""
    lines = [
        *_head(subject, file),
        "archspec: 1",
        f"name: {dump(subject.name, flow=True)}",
        *_task(subject, choice),
        "",
        *_network(subject, choice),
        "",
        *_input(subject, choice),
    ]
    if choice.network is None:
        lines += ["", *small(subject, choice.size)]
    lines += ["", *_train(subject, choice, file)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    """A sentence as lines of a comment."""
    import textwrap

    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return textwrap.wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _head(subject: Subject, file: Path) -> list[str]:
    name = file.name if all(char.isalnum() or char in "-_." for char in file.name) else f"'{file.name}'"
    path = subject.found.path
    where = relative(path, file.parent) if path is not None else subject.found.kind
    # A spec says nothing of the machine that it was begun on.
    near = {str(path): where, str(path.parent): relative(path.parent, file.parent)} if path is not None else {}
    lines = [line for said in subject.lines() for line in _comment(_near(said, near))]
    lines += [line for note in subject.notes() for line in _comment(f"Note: {_near(note, near)}")]
    commands = [
        (f"report {name}", "shapes, parameters and operations of each layer"),
        (f"data check {name}", "reads every file once, and says what is wrong"),
        (f"train {name}", f"trains; the result is in runs/{subject.name}"),
        (f"eval runs/{subject.name}", "how good it is on what was held out"),
        (f"predict runs/{subject.name} FILE", "what it says of a file"),
    ]
    if subject.look.form == "image":
        commands.append((f"explain runs/{subject.name} FILE", "where that comes from, as pictures"))
    width = max(len(command) for command, _ in commands) + 3
    return [
        *_comment(f"Begun by `archspec new` for {where}."),
        "#",
        *lines,
        "#",
        *(f"#   archspec {command:<{width}}{what}" for command, what in commands),
    ]


def _near(text: str, near: dict[str, str]) -> str:
    for path, own in near.items():
        text = text.replace(path, own)
    return text


def _task(subject: Subject, choice: Choice) -> list[str]:
    if subject.task == "classification" or (subject.task == "segmentation" and choice.network is not None):
        return []  # the default, or the network's own
    words = {
        "multi_label": "several classes may be there at once",
        "regression": "numbers are to be found",
        "segmentation": "a class for each pixel" if subject.look.form == "image" else "a class for each position",
    }
    return [f"task: {subject.task} # {words[subject.task]}"]


def _network(subject: Subject, choice: Choice) -> list[str]:
    why = f": {choice.why}" if choice.why else ""
    if choice.network is None:
        lines = _comment(f"A small network, whose layers stand below{why}. `archspec zoo` lists larger ones.")
    else:
        title = choice.network.spec.header.title or choice.network.name
        lines = [
            *_comment(f"{title}{why}. `extends: NAME` takes another of `archspec zoo`."),
            f"extends: {choice.network.name}",
        ]
    if subject.task == "regression":
        return lines
    names = subject.classes
    numbered = all(name == str(place) for place, name in enumerate(names))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    comment = "" if numbered else _comment(", ".join(names[:NAMED]) + more)[0]
    lines.append(f"args: {{{CLASSES}: {subject.outputs}}} {comment}".rstrip())
    return lines


def _input(subject: Subject, choice: Choice) -> list[str]:
    look = subject.look
    if choice.size is None:
        fields: dict[str, Any] = {"features": look.shape[0]}
        if look.form == "signal":
            fields = {"length": look.shape[0], "channels": look.shape[1]}
        return [*_comment("What goes in, less its mean and over its standard deviation."), *_moments(subject, fields)]
    height, width = choice.size
    fields = {"height": height, "width": width, "channels": channels_of(subject, choice)}
    lines = [f"Height and width of what goes in; of the data {look.sizes}."]
    network = choice.network
    fits = look.sizes is not None and look.sizes.same and look.sizes.median == (height, width)
    if not fits and not takes_size(subject):
        fields["fit"] = "resize"
        lines.append("`fit: resize` scales all to it.")
    if network is None:
        if subject.task == "segmentation":
            lines.append(f"Both sides are divided by {2**SCALES} on the way.")
        lines.append("Pixels are numbers from 0 to 1, less the mean and over the standard deviation of each channel.")
        return [*_comment(" ".join(lines)), *_moments(subject, fields)]
    own = next(iter(network.spec.images.values()))
    if choice.weights is not None:
        fields.update(network.expected())
        if network.expected():
            lines.append("How pixels become numbers is as the weights expect it.")
    elif fields["channels"] != own.channels or (own.mean is None and tuple(own.range) == (0.0, 1.0)):
        if tuple(own.range) != (0.0, 1.0):
            fields["range"] = [0, 1]
        lines.append("Pixels are numbers from 0 to 1, less the mean and over the standard deviation of each channel.")
        return [*_comment(" ".join(lines)), *_moments(subject, fields)]
    if own.short_side is not None:
        fields["short_side"] = None
    return [*_comment(" ".join(lines)), f"input: {dump(fields, flow=True)}"]


def _moments(subject: Subject, fields: dict[str, Any]) -> list[str]:
    """The section `input` with mean and standard deviation, as long as that may be."""
    mean, std = subject.look.mean, subject.look.std
    if mean is not None and std is not None:
        channels = fields["channels"] if "channels" in fields else fields["features"]
        if len(mean) != channels:
            mean, std = mean[:1] * channels, std[:1] * channels
        fields = {**fields, "mean": list(mean), "std": list(std)}
    flow = f"input: {dump(fields, flow=True)}"
    if len(flow) <= WIDTH + 8:
        return [flow]
    return ["input:", *(f"  {name}: {dump(value, flow=True)}" for name, value in fields.items())]


def channels_of(subject: Subject, choice: Choice) -> int:
    """Channels of the input: one of grey images, but for weights that were trained on colours."""
    if choice.network is not None and choice.weights is not None:
        return next(iter(choice.network.spec.images.values())).channels
    return 1 if subject.look.grey else 3


def takes_size(subject: Subject) -> bool:
    """Whether the dataset itself scales images."""
    return "size" in _kind(subject).model_fields


def _kind(subject: Subject) -> type[Dataset]:
    kind = find_kind("data", subject.found.kind)
    assert kind is not None and issubclass(kind, Dataset)
    return kind


def relative(path: Path, folder: Path) -> str:
    """A path as a spec in a folder has it: relative, with slashes; absolute on another drive."""
    near = os.path.abspath(folder)
    if not os.path.abspath(path).startswith(os.path.join(near, "")):
        # What `..` leads to is a matter of links.
        near, path = os.path.realpath(folder), Path(os.path.realpath(path))
    try:
        return Path(os.path.relpath(path, near)).as_posix()
    except ValueError:
        return Path(path).as_posix()


def _dataset(subject: Subject, choice: Choice, file: Path) -> list[str]:
    found = subject.found
    if not found.fields:
        return [f"  dataset: {found.kind} # comes with archspec"]
    fields = dict(found.fields)
    assert found.path is not None
    fields["path"] = relative(found.path, file.parent)
    comments = {"path": "from the spec's folder"}
    known = _kind(subject).model_fields
    if choice.size is not None and "size" in known:
        fields["size"] = list(choice.size)
        how = "images and masks are scaled to it" if subject.task == "segmentation" else "images are scaled to fill it"
        comments["size"] = f"height and width; {how}"
        if channels_of(subject, choice) == 1:
            fields["grey"] = True
            comments["grey"] = "one channel, not three"
    if subject.look.unreadable:
        fields["on_error"] = "skip"
        comments["on_error"] = f"leaves out the {subject.look.unreadable:,} that cannot be read; `error` refuses them"
    if "holdout" in known and len(found.data.parts) == 2 and _is_split_here(subject):
        fields["holdout"] = 0.2
        comments["holdout"] = "the share that is not trained on but measured with"
    if found.kind == "table":
        comments["targets"] = "the column that is to be found"
        comments["classes"] = "each different number is a class"
    if "labels" in fields:
        comments["labels"] = "the pixel value of each class"
        comments["ignore"] = "every pixel counts: none is ignored"
    lines = ["  dataset:", f"    {found.kind}:"]
    for name, value in fields.items():
        text = f"      {name}: {dump(value, flow=True)}"
        lines.append(f"{text} # {comments[name]}" if name in comments else text)
    return lines


def _is_split_here(subject: Subject) -> bool:
    """Whether it is known that the data have no part of their own that is held out, and a share of them is."""
    found = subject.found
    if found.kind == "image_folder":
        train, held = ({Path(name).parent for name in split.names} for split in found.data.parts.values())
        return bool(train & held)
    if found.kind not in ("table", "npz"):
        return False  # to read these again would take long
    halved = loaded(found.kind, {**found.fields, "holdout": 0.5}, PROBE if found.kind == "table" else None)
    return len(halved.train) != len(found.data.train)


def recipe(subject: Subject, choice: Choice) -> dict[str, Any]:
    """The fields of `train` but for the dataset and the weights that it begins with."""
    tuned = choice.weights is not None
    fields: dict[str, Any] = {
        "batch_size": batch_for(subject),
        "epochs": choice.epochs,
        "optimiser": {"adamw": {"learning_rate": 0.0003 if tuned else 0.001, "weight_decay": 0.01}},
        "schedule": {"cosine": {"warmup": 1 if choice.epochs >= 10 else round(choice.epochs / 10, 1)}},
    }
    look = subject.look
    if look.form == "image" and not look.grey and look.sizes is not None and min(look.sizes.median) >= MIRRORED:
        fields["augment"] = ["horizontal_flip"]
    return fields


def _train(subject: Subject, choice: Choice, file: Path) -> list[str]:
    own = recipe(subject, choice)
    data = subject.found.data
    held = (
        "after each epoch it is measured on the validation part"
        if data.test is not None
        else "measured after each epoch"
    )
    comments = {
        "batch_size": "samples a step; more need more memory",
        "epochs": f"passes over the {count(len(data.train), subject.what)} to train on; {held}",
        "optimiser": "`archspec lr-find` suggests a rate",
        "schedule": "the rate rises at first, and falls to nothing along half a cosine",
        "augment": "mirrored at random; not where left and right matter, as in letters",
    }
    lines = ["train:", *_dataset(subject, choice, file)]
    if choice.weights is not None:
        assert choice.network is not None
        path = relative(choice.weights, file.parent)
        begin = {"path": path, "exclude": choice.network.last_layers()}
        lines.append(f"  init_from: {dump(begin, flow=True)} # what depends on the classes begins anew")
    for name, value in own.items():
        lines.append(f"  {name}: {dump(value, flow=True)} # {comments[name]}")
    if "augment" not in own and subject.look.form == "image":
        lines.append("  # augment: [{random_crop: 2}] # moves images at random; docs/augmentation.md has more")
    lines += _imbalance(subject)
    if choice.network is not None:
        written = {*own, "dataset", *(("init_from",) if choice.weights is not None else ())}
        rest = choice.network.left_over(dict.fromkeys(written))
        for name in rest:
            lines.append(f"  {name}: {_default(choice.network, name)} # the default, not {choice.network.name}'s own")
    return lines


def _default(network: ZooNetwork, field: str) -> str:
    """The default of a field of `train`, as a spec says it."""
    assert network.spec.train is not None
    value = type(network.spec.train).model_fields[field].get_default(call_default_factory=True)
    return "null" if value is None else dump(list(value) if isinstance(value, tuple) else value, flow=True)


def _imbalance(subject: Subject) -> list[str]:
    """A comment on classes of which there are far more samples than of others."""
    counts = [number for number in subject.counts if number]
    if len(counts) < 2 or max(counts) < 3 * min(counts):
        return []
    said = f"the largest class has {count(max(counts), 'sample')}, the smallest {min(counts):,}"
    return [f"  # loss: {{cross_entropy: {{class_weights: median_frequency}}}} # counts rare classes more: {said}"]
