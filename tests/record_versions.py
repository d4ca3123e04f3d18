"""Digests of the specs of each version of the language, which no later archspec may read otherwise: docs/versions.md.

`python -m tests.record_versions` records specs that are new in `tests/versions/1/`. What is recorded already it leaves
as it is, and says what differs: such a difference is no record to be made anew, but a promise that would be broken.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archspec.loading import Spec, open_specs
from tests.record_fingerprints import digest, graph_of

FOLDER = Path(__file__).parent / "versions"
RECORD = "recorded.json"


def recorded(version: int) -> dict[str, Any]:
    """What is recorded of the specs of a version, by their files' names."""
    path = FOLDER / str(version) / RECORD
    made: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return made


def record_of(path: Path) -> dict[str, Any]:
    """A spec's text, each of its networks, and what it gives in `train`, as digests."""
    text = path.read_bytes().replace(b"\r\n", b"\n").decode()
    return {"text": digest(text), "networks": {spec.name: network_of(spec) for spec in open_specs(str(path))}}


def network_of(spec: Spec) -> dict[str, Any]:
    graph = spec.graph()
    given = None
    if spec.train is not None:
        given = spec.train.model_dump(mode="json", exclude_unset=True)
        dataset = given.get("dataset")
        if isinstance(dataset, dict):
            dataset.pop("path", None)  # absolute by now
    train = digest(given)
    return {"params": graph.params, "macs": graph.macs, "graph": digest(_plain(graph_of(graph))), "train": train}


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def main() -> None:
    for folder in sorted(path for path in FOLDER.iterdir() if path.is_dir()):
        known = recorded(int(folder.name))
        for path in sorted(folder.glob("*.yaml")):
            made = record_of(path)
            if known.setdefault(path.name, made) != made:
                print(f"{path.name} is not what was recorded, which stays")
        (folder / RECORD).write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
