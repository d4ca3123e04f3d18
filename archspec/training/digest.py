"""The digest by which a run knows the data that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from archspec.data import Data, Split, Values, as_array
from archspec.runs.folder import digest_of_text

DATA = "data_sha256"
"""Under this name run.json has the digest of the data."""


def digest_of(data: Data) -> str:
    """A digest of all samples, by which a run knows the data with which it began, streamed or not."""
    parts = {
        part: {
            "inputs": _shapes(split.inputs),
            "samples": sha256(b"".join(split.digests)).hexdigest(),
            "targets": {name: _digest(name, split) for name in split.targets},
        }
        for part, split in data.parts.items()
    }
    return digest_of_text(json.dumps([parts, dict(data.classes)]))


def _shapes(values: Mapping[str, Values]) -> dict[str, str]:
    return {name: f"{own.dtype.name}{own.shape}" for name, own in values.items()}


def _digest(name: str, split: Split) -> str:
    values = split.targets[name]
    digest = sha256(f"{values.dtype.name}{values.shape}".encode())
    if values.ndim > 2:
        digest.update(b"".join(split.map_digests[name]))
    else:
        digest.update(np.ascontiguousarray(as_array(values)).data.cast("B"))
    return digest.hexdigest()
