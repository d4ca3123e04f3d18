"""The digest by which a run knows the data that it was trained on."""

from __future__ import annotations

import json
from typing import Any

from archspec.data import INPUT, LABEL, Data
from archspec.runs.checkpoints import digests
from archspec.runs.folder import digest_of_text

DATA = "data_sha256"
"""Under this name run.json has the digest of the data."""


def digest_of(data: Data) -> str:
    """A digest of all samples, by which a run knows the data with which it began."""
    if [*data.train.inputs, *data.train.targets] == [INPUT, LABEL]:
        # As runs were begun before data had names.
        arrays: Any = {
            part: {"images": split.images, "labels": split.labels}
            for part, split in (("train", data.train), ("test", data.test))
        }
        return digest_of_text(json.dumps([digests(arrays), data.class_names]))
    arrays = {
        part: {"inputs": dict(split.inputs), "targets": dict(split.targets)}
        for part, split in (("train", data.train), ("test", data.test))
    }
    return digest_of_text(json.dumps([digests(arrays), dict(data.classes)]))
