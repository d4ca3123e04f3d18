"""Runs the notebooks and keeps what they show: `make notebooks`, after a change of a notebook or of what it shows.

What a run gives differently each time (execution times, speeds) is left out, and pictures are made smaller, so that the
files stay small and their differences can be read.
"""

from __future__ import annotations

import base64
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"

WIDEST = 600
"""Pixels of a picture's width, which is what a page shows; wider ones are scaled down."""
COLOURS = 24

VARIES = "varies"
"""The tag of cells whose output depends on the processor: what was trained, and what follows from it."""

RICHEST = ("text/html", "image/svg+xml", "image/png")
"""What a notebook shows of several forms, the first that is there."""

_TIMES = re.compile(r"  [\d,.]+ images/s|^.* …\n", re.MULTILINE)
"""Speeds, and what is said to be under way where it takes long."""
_EMBEDDED = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]+")


def executed(path: Path, folder: Path) -> Any:
    """A notebook as a fresh kernel of this interpreter gives it, run from top to bottom in a folder.

    Raises `nbclient.exceptions.CellExecutionError` for a cell that fails.
    """
    # A kernel that this user installed under the same name is another interpreter's.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    notebook: Any = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=300,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # not that the kernel is reached over TCP
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return tidied(notebook)


def tidied(notebook: Any) -> Any:
    """The notebook without what differs from run to run or says nothing to a reader."""
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output.text = _TIMES.sub("", output.text)
                continue
            output.metadata = {}
            data = output.get("data", {})
            shown = next((form for form in RICHEST if form in data), None)
            for form in [form for form in data if shown is not None and form != shown]:
                del data[form]  # the text of objects that show themselves is every field
            if "image/png" in data:
                data["image/png"] = smaller(data["image/png"])
            if "text/html" in data:
                data["text/html"] = _EMBEDDED.sub(lambda found: smaller(found[0]), data["text/html"])
    return notebook


def smaller(picture: str) -> str:
    """A PNG in base64 with fewer pixels and colours."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA")
    plain = Image.new("RGB", image.size, "white")
    plain.paste(image, mask=image.getchannel("A"))
    if plain.width > WIDEST:
        plain = plain.resize((WIDEST, round(plain.height * WIDEST / plain.width)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    plain.quantize(COLOURS, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def main() -> None:
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
        nbformat.write(notebook, path)
        print(f"{path.relative_to(NOTEBOOKS.parent)}  {path.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
