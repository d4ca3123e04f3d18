"""What the site does to pages that are written for a code host too; mkdocs.yml names it.

Links to files outside docs/ lead to copies of these: documents as pages, everything else as a page that shows its text.
Indented blocks, which have no language of their own, get one: commands, a terminal, YAML.
"""

from __future__ import annotations

import json
import posixpath
import re
from base64 import b64encode
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
"""The repository."""

LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)(#[^)\s]*)?(?=\))")
"""The target of a relative link or picture, and its anchor."""

FENCE = re.compile(r"^(`{3,}|~{3,})", re.M)
ITEM = re.compile(r" *(?:[-*+]|\d+\.) ")

COMMANDS = ("archspec ", "python ", "pip ", "pipx ", "uvx ", "make ", "git ", "pre-commit ", "cd ", "export ")

DOCUMENTS = "repository"
"""The folder of the site that has copies of what lies outside docs/."""


def on_files(files: Any, config: Any) -> Any:
    """Adds a page for each file outside docs/ that a page links to, and for those that such a page links to."""
    from mkdocs.structure.files import File

    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    seen = set(pages)
    while pages:
        page = pages.pop()
        text = (ROOT / page).read_text("utf-8") if page.endswith(".md") else ""
        for target, _ in LINK.findall(text):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
            outside = not path.startswith("docs/") or path.startswith("docs/cluster/")
            if path in seen or not outside or not (ROOT / path).is_file():
                continue
            seen.add(path)
            pages.append(path)
            files.append(File.generated(config, uri_of(path), content=content_of(path)))
    return files


def uri_of(path: str) -> str:
    """Where the site has a file of the repository, by its path."""
    if path.startswith("docs/") and not path.startswith("docs/cluster/"):
        return path.removeprefix("docs/")
    return f"{DOCUMENTS}/{path.lower()}" if path.endswith(".md") else f"{DOCUMENTS}/{path}.md"


def path_of(uri: str) -> str:
    """The file of the repository that a page of the site shows."""
    if not uri.startswith(f"{DOCUMENTS}/"):
        return f"docs/{uri}"
    own = uri.removeprefix(f"{DOCUMENTS}/")
    documents = {path.name.lower(): path.name for path in ROOT.glob("*.md")}
    return documents.get(own, own.removesuffix(".md"))


LANGUAGES = {".yaml": "yaml", ".py": "python", ".sh": "bash", ".sbatch": "bash"}


def content_of(path: str) -> str:
    """A document as it is, a notebook as one; of another file a page with its text, which no search looks through."""
    text = (ROOT / path).read_text("utf-8")
    if path.endswith(".md"):
        return text
    if path.endswith(".ipynb"):
        return notebook(json.loads(text))
    language = LANGUAGES.get(Path(path).suffix, "text")
    head = "---\nsearch: {exclude: true}\n---\n\n"
    return f"{head}# {path.removeprefix('docs/')}\n\n````{language}\n{text.rstrip()}\n````\n"


BADGE = re.compile(r"\[!\[[^\]]*\]\(https://[^)]*\)\]\([^)]*\)\n*")
"""A picture from elsewhere, which the site does not fetch, that is a link."""


def notebook(content: dict[str, Any]) -> str:
    """A notebook's cells as a page: text, code, and what the code showed, pictures within."""
    parts = []
    for cell in content["cells"]:
        source = "".join(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            parts.append(BADGE.sub("", source))
        elif source:
            parts.append(f"````python\n{source}\n````")
        parts += [text for output in cell.get("outputs", []) if (text := shown(output))]
    return "\n\n".join(parts) + "\n"


def shown(output: dict[str, Any]) -> str:
    """What a cell showed: a picture, else text; nothing of what is neither."""
    data = output.get("data", {})
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return f'<img alt="what the cell shows" src="data:{kind};base64,{"".join(data[kind].split())}">'
    if "image/svg+xml" in data:
        coded = b64encode("".join(data["image/svg+xml"]).encode()).decode()
        return f'<img alt="what the cell shows" src="data:image/svg+xml;base64,{coded}">'
    text = "".join(output.get("text") or data.get("text/plain") or "").rstrip()
    return f"````text\n{text}\n````" if text else ""


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """A page with links that hold in the site, and blocks in their languages."""
    return "".join(
        text if fenced else in_languages(linked(text, page.file.src_uri)) for fenced, text in parts(markdown)
    )


def parts(markdown: str) -> list[tuple[bool, str]]:
    """The text between fences, and what is fenced, each with whether it is."""
    found: list[tuple[bool, str]] = []
    fence, lines = "", list[str]()
    for line in markdown.splitlines(keepends=True):
        mark = FENCE.match(line)
        if not fence and mark:
            found.append((False, "".join(lines)))
            fence, lines = mark[1], [line]
        elif fence and line.rstrip() == fence:
            found.append((True, "".join([*lines, line])))
            fence, lines = "", []
        else:
            lines.append(line)
    return [*found, (bool(fence), "".join(lines))]


def linked(text: str, uri: str) -> str:
    """Text of a page with links to where the site has their targets."""
    here = path_of(uri)

    def target(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), found[1]))
        return posixpath.relpath(uri_of(path), posixpath.dirname(uri)) + (found[2] or "")

    return LINK.sub(target, text)


def in_languages(text: str) -> str:
    """Text with its indented blocks as fenced ones of a language; what is indented below an item of a list is its."""
    made: list[str] = []
    block: list[str] = []
    before, in_list = "", False

    def close() -> None:
        """Puts the block that has come, and the empty lines behind it, among the lines."""
        own = "\n".join(block).rstrip("\n")
        code = dedent(own)
        made.extend([f"````{language_of(code)}", code, "````", *[""] * (len(block) - len(own.split("\n")))])
        block.clear()

    for line in text.split("\n"):
        indented = line.startswith("    ")
        if block and (indented or not line):
            block.append(line)
            continue
        if block:
            close()
        if line:
            in_list = bool(ITEM.match(line)) or (in_list and (line[0] == " " or bool(before)))
        if indented and not before and not in_list:
            block.append(line)
        else:
            made.append(line)
        before = line
    if block:
        close()
    return "\n".join(made)


def language_of(block: str) -> str:
    """The language of a block: a terminal with what it prints, commands, YAML, or text."""
    if block.startswith("$ "):
        return "console"
    if block.startswith(COMMANDS):
        return "bash"
    try:
        value = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError):
        return "text"
    return "yaml" if (isinstance(value, dict | list) and ": " in f"{block} ") or block.startswith("- ") else "text"
