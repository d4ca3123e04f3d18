"""Keras's files: models as JSON (`to_json` of Keras 1 to 3), `.keras` archives of Keras 3, and whole models in HDF5.

A model is a description in JSON and, but for plain JSON, arrays by layer name. Only what the description says of
Keras's own layers is read: a Lambda's code, classes of others' and whatever else would have to run stays text, and such
layers are named as not imported.

Sources: keras/src/models (functional.py, sequential.py) and keras/src/saving of Keras 3, keras/engine of Keras 1 and 2.
"""

from __future__ import annotations

from pathlib import Path

from archspec.diagnostics import DataError
from archspec.formats import archives, hdf5
from archspec.formats.mapping import DamagedError
from archspec.formats.region import Region
from archspec.importing.keras.arrays import Arrays
from archspec.importing.keras.description import Described, described
from archspec.importing.keras.network import program_of
from archspec.importing.operations import Program
from archspec.importing.reading import text_of, told
from archspec.weights.keras_files import CONFIG, MAX_CONFIG, WEIGHTS, named_datasets, tensor_of


def read(path: Path) -> Program:
    """The operations of a file. Raises `DataError`."""
    with path.open("rb") as file:
        head = file.read(8)
    with told(path):
        if head[:4] == archives.MAGIC:
            model, arrays = _archive(path)
        elif head == hdf5.MAGIC:
            model, arrays = _hdf5(path)
        elif path.suffix.lower() != ".json" and head.lstrip()[:1] not in (b"{", b"["):
            raise DamagedError("is neither an HDF5 file nor an archive of Keras, nor JSON, by how it begins")
        else:
            model, arrays = described(text_of(path).text, str(path)), Arrays()
    return program_of(model, arrays, path)


def _archive(path: Path) -> tuple[Described, Arrays]:
    names = archives.entries(path)
    if CONFIG not in names:
        raise DataError("E569", f"{path} is an archive, but none of Keras: it has no {CONFIG}")
    text = _text(archives.content_of(path, names[CONFIG], MAX_CONFIG))
    model = described(text, str(path))
    if WEIGHTS not in names:
        return model, Arrays()
    found = named_datasets(hdf5.read_hdf5(archives.region_of(path, names[WEIGHTS])), model.whole)
    return model, Arrays({name: tensor_of(item) for name, (item, _) in found.items()})


def _hdf5(path: Path) -> tuple[Described, Arrays]:
    file = hdf5.read_hdf5(Region.of(path))
    text = file.text("", "model_config")
    if text is None:
        raise DataError(
            "E569",
            f"{path} has weights and no model: nothing in it says which layers there are",
            help=["archspec weights import SPEC FILE reads them into a spec that has the same layers"],
        )
    model = described(text, str(path), file.text("", "keras_version") or "")
    found = named_datasets(file, model.whole)
    return model, Arrays({name: tensor_of(item) for name, (item, _) in found.items()})


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise DamagedError(f"has a {CONFIG} that is not UTF-8") from None
