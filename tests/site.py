"""Looks through a built site for what a browser would fetch from elsewhere: `python -m tests.site site`."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}
"""Attributes of elements that a browser fetches; of `link`, whatever is no mere relation."""
RELATIONS = ("canonical", "prev", "next", "alternate", "license", "author", "edit")


class Page(HTMLParser):
    """The addresses elsewhere that a page has its browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        names = FETCHED.get(tag, ())
        if tag == "link" and own.get("rel") not in RELATIONS:
            names = ("href",)
        self.fetched += [own[name] for name in names if re.match(r"\s*(?:https?:)?//", own.get(name, ""))]
        self.fetched += of_style(own.get("style", ""))


def of_style(text: str) -> list[str]:
    """Addresses elsewhere that a style sheet fetches."""
    return re.findall(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)", text)


def fetched(folder: Path) -> dict[str, list[str]]:
    """By file of a site what it would fetch from elsewhere."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            page = Page()
            page.feed(path.read_text("utf-8"))
            own = page.fetched + of_style("".join(re.findall(r"<style.*?</style>", path.read_text("utf-8"), re.S)))
        elif path.suffix in (".css", ".svg"):
            own = of_style(path.read_text("utf-8"))
        else:
            continue
        if own:
            found[path.relative_to(folder).as_posix()] = own
    return found


def main(folder: Path) -> int:
    pages = len(list(folder.rglob("*.html")))
    found = fetched(folder)
    for path, addresses in found.items():
        print(f"{path} would fetch {', '.join(addresses)}", file=sys.stderr)
    if not pages:
        print(f"there is no site in {folder}", file=sys.stderr)
    else:
        print(f"{folder}: {pages} pages, of which {len(found)} fetch from elsewhere")
    return int(bool(found) or not pages)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
