"""Records digests of drawings in tests/fingerprints/drawings.json: `python -m tests.record_drawings`.

They are those of the sample, one or two networks of each family of the zoo.
It draws the pictures of the documentation anew, too.
A change that means to alter no drawing leaves the file as it is; one that means to says in its commit which and why.
What it altered is printed.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from archspec.drawing import DrawingError, drawn
from archspec.loading import open_spec
from archspec.page.payload import Texts, model
from archspec.reports import report
from tests.zoo import SAMPLE

FILE = Path(__file__).parent / "fingerprints" / "drawings.json"

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
EXAMPLES = Path(__file__).parents[1] / "specs" / "examples"
NETWORKS = "*-*.svg"
"""Those of networks, NETWORK-LOOK.svg; the others are drawn by commands, which their own tests type."""

DRAWINGS: dict[str, dict[str, Any]] = {
    "graph": {},
    "right": {"direction": "right"},
    "open": {"depth": 99},
    "paper": {"look": "paper"},
}
"""Arguments of `drawn` by the name under which the digest is kept; `page` is the digest of the page's frames."""


def digest(text: bytes) -> str:
    return sha256(text).hexdigest()[:16]


def digests(name: str) -> dict[str, str]:
    """What each drawing of a network is, as a digest of its SVG text, or why there is none."""
    graph = open_spec(name).graph().pruned("eval")
    found = {}
    for key, options in DRAWINGS.items():
        try:
            found[key] = digest(drawn(graph, "svg", **options))
        except DrawingError as error:
            found[key] = str(error)
    frames = model(report(graph), Texts())["frames"]
    return {**found, "page": digest(json.dumps(frames, sort_keys=True).encode())}


def picture(file: Path) -> bytes:
    """What a picture of the documentation, NETWORK-LOOK.svg, shows."""
    name, look = file.stem.split("-")
    example = EXAMPLES / f"{name}.yaml"
    return drawn(
        open_spec(str(example) if example.exists() else name).graph().pruned("eval"),
        "svg",
        look="paper" if look == "paper" else "graph",
    )


def graphviz() -> str:
    """The version of Graphviz, which places the boxes of a graph; a figure of the paper look does not ask it."""
    from pygraphviz import graphviz

    parts = (getattr(graphviz, f"GRAPHVIZ_{part}_VERSION") for part in ("MAJOR", "MINOR", "PATCH"))
    return ".".join(map(str, parts))


def main() -> None:
    before = json.loads(FILE.read_text("utf-8"))["networks"] if FILE.exists() else {}
    made = {name: digests(name) for name in SAMPLE}
    for name, found in made.items():
        altered = [key for key, value in found.items() if before.get(name, {}).get(key) != value]
        if altered:
            print(f"{name}: {', '.join(altered)}")
    for file in PICTURES.glob(NETWORKS):
        file.write_bytes(picture(file))
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps({"graphviz": graphviz(), "networks": made}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
