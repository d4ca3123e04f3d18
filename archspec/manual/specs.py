"""The page of specs/examples: each with what it shows, its commands and the file."""

from __future__ import annotations

import re
from pathlib import Path

from archspec.loading import open_specs
from archspec.manual.markdown import MADE, plain

FOLDER = Path(__file__).parents[2] / "specs" / "examples"

HEAD = f"""# Examples

Specs that come with the repository, in `specs/examples/`, each small enough to be trained in minutes on two cores, with
data that come with the package unless they say otherwise. The networks of papers are in [the gallery](../gallery.md).

{MADE}
"""


def page() -> str:
    """docs/reference/examples.md."""
    lines = [HEAD.rstrip()]
    for path in sorted(FOLDER.glob("*.yaml")):
        name = f"specs/examples/{path.name}"
        about, commands, others = _comment(path)
        specs = open_specs(str(path))
        title = specs[0].header.title
        lines += ["", f"## {path.stem}", "", plain(about or f"{title or 'A network in ten lines'}.")]
        shown = commands or [f"archspec train {name}"]
        lines += ["", "```bash", *shown, "```"]
        lines += ["", plain(others)] if others else []
        variants = [f"`{spec.variant}`" for spec in specs if spec.variant]
        variants = [f"has the variants {', '.join(variants)}."] if variants else []
        lines += ["", " ".join([f"[{name}](../../{name})", *variants])]
    return "\n".join(lines) + "\n"


def _comment(path: Path) -> tuple[str, list[str], str]:
    """What the comment at the top of a spec says: what it is, commands with what comes of them, and what follows."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line[1:].rstrip())
    text = [line.strip() for line in lines if not line.startswith("   ")]
    commands = re.sub(r"\\\n\s*", "", "\n".join(line.strip() for line in lines if line.startswith("   "))).splitlines()
    about, _, others = "\n".join(text).partition("\n\n")
    return (
        " ".join(about.split()),
        [re.sub(r"\s{2,}", "    # ", line, count=1) for line in commands],
        " ".join(others.split()),
    )
