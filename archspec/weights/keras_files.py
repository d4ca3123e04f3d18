"""Keras's files of weights: whole models and weights in HDF5 (`.h5`, `.weights.h5`), and the archive `.keras`.

A tensor is named by its layer and Keras's word for the variable, `block1_conv1.kernel`; those of models within models
have the models' names before. Keras 2 and before list the names in attributes; Keras 3 numbers a layer's variables, in
an order that follows from the layer's class, and has the layer's name in an attribute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archspec.formats.archives import content_of, region_of
from archspec.formats.hdf5 import Dataset, Hdf5, read_hdf5
from archspec.formats.mapping import DamagedError
from archspec.formats.region import Region
from archspec.weights.tensors import Tensor, TensorFile, UnreadableError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
"""What an archive of Keras 3 has, beside `metadata.json`."""
MAX_CONFIG = 2**26
"""Bytes of a model's description; that of 1,000 layers has one million."""

_NORMALISED = ("gamma", "beta", "moving_mean", "moving_variance")
_VARIABLES: dict[str, tuple[str, ...]] = {
    "batch_normalization": _NORMALISED,
    "sync_batch_normalization": _NORMALISED,
    "layer_normalization": ("gamma", "beta"),
    "group_normalization": ("gamma", "beta"),
    "rms_normalization": ("scale",),
    "p_re_lu": ("alpha",),
    "embedding": ("embeddings",),
    "normalization": ("mean", "variance", "count"),
    "seed_generator": ("seed_generator_state",),
    **{f"separable_conv{d}d": ("depthwise_kernel", "pointwise_kernel", "bias") for d in (1, 2)},
    **{f"depthwise_conv{d}d": ("kernel", "bias") for d in (1, 2)},
    **dict.fromkeys(("dense", "einsum_dense", "conv1d", "conv2d", "conv3d"), ("kernel", "bias")),
    **{f"conv{d}d_transpose": ("kernel", "bias") for d in (1, 2, 3)},
}
"""Keras 3's order of a layer's variables, by its class as its groups spell it."""
_OLD_WORDS = {
    "W": "kernel",
    "b": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
    "running_variance": "moving_variance",
    "alphas": "alpha",
}
"""Words of Keras 1, whose `running_std` is a variance."""


def keras_archive(path: Path, names: Mapping[str, Any]) -> TensorFile:
    """The tensors of a `.keras` archive with these entries. Raises `DamagedError` or `OSError`."""
    region = region_of(path, names[WEIGHTS])
    config = config_of(content_of(path, names[CONFIG], MAX_CONFIG))
    return _tensors(path, read_hdf5(region), config)


def keras_hdf5(path: Path) -> TensorFile:
    """The tensors of an HDF5 file, as Keras wrote it, or by their paths. Raises `DamagedError` or `OSError`."""
    return _tensors(path, read_hdf5(Region.of(path)), None)


def is_keras(names: Mapping[str, Any]) -> bool:
    """Whether an archive's entries are those of a model of Keras 3."""
    return CONFIG in names and WEIGHTS in names


def config_of(content: bytes) -> Any:
    """A model's description. Raises `DamagedError` where it is no JSON."""
    try:
        return json.loads(content)
    except RecursionError:
        raise DamagedError("describes its model in JSON that is nested too deeply") from None
    except ValueError as error:
        raise DamagedError(f"does not describe its model in JSON: {str(error)[:100]}") from None


def _tensors(path: Path, file: Hdf5, config: Any) -> TensorFile:
    found = named_datasets(file, config)
    containers = {name: container for name, (_, container) in found.items()}
    tensors = {name: tensor_of(item) for name, (item, _) in found.items()}
    return TensorFile(path, tensors, containers=containers, layout="keras")


def tensor_of(item: Dataset) -> Tensor:
    """A dataset as a tensor."""

    def load() -> np.ndarray:
        try:
            return item.load()
        except DamagedError as error:
            raise UnreadableError(str(error)) from None

    return Tensor(item.shape, item.fault or item.dtype.name, load)


def named_datasets(file: Hdf5, config: Any) -> dict[str, tuple[Dataset, str]]:
    """Each dataset by the name of its tensor, and what it lies in. Raises `DamagedError` where two have one name."""
    found: dict[str, tuple[Dataset, str]] = {}
    for path, name, container in _names(file, config):
        if name in found:
            raise DamagedError(f"has two tensors called {name[:100]}")
        found[name] = (file.datasets[path], container)
    return found


def _names(file: Hdf5, config: Any) -> list[tuple[str, str, str]]:
    """Path, name and container of each dataset."""
    for root in ("", "model_weights"):
        layers = file.texts(root, "layer_names")
        if layers is not None:
            return _of_layers(file, root, layers)
    if any(path.split("/")[-2:-1] == ["vars"] for path in file.datasets):
        return _numbered(file, config)
    return [(path, path.replace("/", "."), path.rpartition("/")[0]) for path in file.datasets]


def _of_layers(file: Hdf5, root: str, layers: Sequence[str]) -> list[tuple[str, str, str]]:
    """Names as Keras 2 lists them: of each layer its variables, `conv1/kernel:0`."""
    names: list[tuple[str, str, str]] = []
    listed: set[str] = set()
    for layer in layers:
        group = "/".join(part for part in (root, layer) if part)
        written = file.texts(group, "weight_names") or []
        paths = [f"{group}/{name}" for name in written]
        missing = next((path for path in paths if path not in file.datasets), None)
        if missing is not None:
            raise DamagedError(f"lists {missing[:100]}, which it does not have")
        words = [_word(layer, name) for name in written]
        alone = not any(word.endswith("pointwise_kernel") for word in words)
        for path, word in zip(paths, words, strict=True):
            # Keras 3's depthwise convolution has `kernel`, and that of Keras 2 `depthwise_kernel`.
            last = "kernel" if alone and word.endswith("depthwise_kernel") else word.rpartition(".")[2]
            names.append((path, f"{word.rpartition('.')[0]}.{last}", root))
        listed.update(paths)
    return names + [
        (path, path.replace("/", "."), path.partition("/")[0]) for path in file.datasets if path not in listed
    ]


def _word(layer: str, written: str) -> str:
    """`conv1.kernel` of a layer's variable that is written `conv1/kernel:0`, or in Keras 1 `conv1_W_1:0`."""
    *scopes, last = re.sub(r":\d+$", "", written).split("/")
    if len(scopes) == 0 and last.startswith(f"{layer}_"):
        last = last.removeprefix(f"{layer}_")
    if last not in _OLD_WORDS:
        last = re.sub(r"_\d+$", "", last)
    # Before the layer's own name may stand those of the models that it lies in.
    within = scopes[scopes.index(layer) + 1 :] if layer in scopes else scopes
    return ".".join([layer, *within, _OLD_WORDS.get(last, last)])


def _numbered(file: Hdf5, config: Any) -> list[tuple[str, str, str]]:
    """Names of Keras 3: `layers/conv2d_3/vars/0`, whose group has the layer's name as an attribute."""
    described = dict(_configured(config, "")) if config is not None else {}
    counts: dict[str, int] = {}
    for path in file.datasets:
        owner = path.rpartition("/vars/")[0]
        counts[owner] = counts.get(owner, 0) + 1
    names: list[tuple[str, str, str]] = []
    for path in file.datasets:
        owner, _, number = path.rpartition("/vars/") if "/vars/" in path else ("", "", path.removeprefix("vars/"))
        parts = owner.split("/") if owner else []
        said: list[str] = []
        for index, part in enumerate(parts):
            here = "/".join(parts[: index + 1])
            name = file.text(f"{here}/vars", "name") or described.get(here, {}).get("name")
            if name is not None:
                said.append(name)
            elif part != "layers":
                said.append(part)
        kind = re.sub(r"_\d+$", "", parts[-1]) if parts else ""
        names.append(
            (
                path,
                ".".join([*said, _variable(kind, number, counts.get(owner, 0), described.get(owner, {}))]),
                parts[0] if parts else "",
            )
        )
    return names


def _variable(kind: str, number: str, count: int, described: Mapping[str, Any]) -> str:
    """What Keras 3 calls a variable of a layer of a class, by its number among so many, as its description has them."""
    words = _VARIABLES.get(kind, ())
    if kind.endswith("normalization") and "epsilon" in described:
        without = [word for word, flag in (("gamma", "scale"), ("beta", "center")) if described.get(flag) is False]
        words = tuple(word for word in words if word not in without)
        return words[int(number)] if number.isdecimal() and int(number) < len(words) == count else number
    if kind.endswith("batch_normalization") and count == 3:
        # Whether it lacks gamma or beta the file does not say; networks without gamma are those of Inception.
        words = words[1:]
    elif kind.endswith("batch_normalization") and count == 2:
        words = words[2:]
    return words[int(number)] if number.isdecimal() and int(number) < len(words) and count <= len(words) else number


def _configured(config: Any, root: str, depth: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """What layers are described as, by the paths of their groups, as Keras 3 makes these of classes and numbers."""
    found: list[tuple[str, dict[str, Any]]] = []
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(layers, list) or depth > 32:
        return found
    used: dict[str, int] = {}
    for layer in layers:
        if not isinstance(layer, dict):
            continue
        kind = _snake(str(layer.get("class_name")))
        number = used.get(kind)
        used[kind] = 0 if number is None else number + 1
        path = f"{root}layers/{kind}" + (f"_{used[kind]}" if used[kind] else "")
        own = layer.get("config")
        if isinstance(own, dict) and isinstance(own.get("name"), str):
            found.append((path, own))
        found += _configured(layer, f"{path}/", depth + 1)
    return found


def _snake(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
