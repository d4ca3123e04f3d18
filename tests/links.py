"""Links of the documents: files and anchors that relative ones name, and how those to elsewhere are written.

python -m tests.links          asks every address outside, one after another, and says which give no page
"""

from __future__ import annotations

import posixpath
import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]

FENCED = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.M | re.S)
ITEM = re.compile(r" *(?:[-*+]|\d+\.) ")
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s>]+(?:\([^()\s]*\)[^()\s>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
TAG = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
BARE = re.compile(r"(?<![(\"<\w])https?://[^\s<>)\]\"`]+")
HEADING = re.compile(r"^#{1,6} +(.*?)(?: +#+)? *$", re.M)
ANCHOR = re.compile(r"<[^>]*\b(?:id|name)=\"([^\"]+)\"|\{[^}\n]*#([\w-]+)[^}\n]*\}")


class Link(NamedTuple):
    """What a document names: its path in the repository, and the target as it is written."""

    page: str
    target: str

    @property
    def is_outside(self) -> bool:
        return re.match(r"[a-z][a-z0-9+.-]*:", self.target) is not None


def documents() -> list[Path]:
    """The pages of docs/ and the documents beside it."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def unindented(text: str) -> str:
    """Text without its indented blocks of code; what is indented below an item of a list is that item's."""
    kept = []
    before, in_list, in_code = "", False, False
    for line in text.split("\n"):
        if line:
            if not in_code:
                in_list = bool(ITEM.match(line)) or (in_list and (line[0] == " " or bool(before)))
            in_code = line.startswith("    ") and not in_list and (in_code or not before)
        if not in_code:
            kept.append(line)
        before = line
    return "\n".join(kept)


def prose(text: str) -> str:
    """A document without its blocks of code and code in lines."""
    return CODE.sub("", unindented(FENCED.sub("", text)))


def links(path: Path) -> Iterator[Link]:
    page = path.relative_to(ROOT).as_posix()
    text = prose(text_of(path))
    named = [*LINK.findall(text), *TAG.findall(text)]
    bare = [found.rstrip(".,;:") for found in BARE.findall(LINK.sub("", TAG.sub("", text)))]
    # A picture that is a link lies within the text of one.
    inner = [target for found in re.findall(r"\[(!\[[^\]]*\]\([^)]*\))\]", text) for target in LINK.findall(found)]
    for target in dict.fromkeys([*named, *bare, *inner]):
        yield Link(page, target)


def slug(heading: str) -> str:
    """The anchor of a heading, as code hosts and the site make it."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = unicodedata.normalize("NFC", re.sub(r"<[^>]*>|[`*]", "", text)).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@cache
def anchors(path: Path) -> frozenset[str]:
    """Every anchor of a document: of headings, alike ones with a number behind them, and those that are written."""
    text = text_of(path)
    found: dict[str, int] = {}
    names = {name for pair in ANCHOR.findall(text) for name in pair if name}
    for heading in HEADING.findall(unindented(FENCED.sub("", text))):
        own = slug(re.sub(r"\s*\{[^}]*\}$", "", heading))
        names.add(own if own not in found else f"{own}-{found[own]}")
        found[own] = found.get(own, 0) + 1
    return frozenset(names)


def fault(link: Link) -> str | None:
    """What is wrong with a link inside the repository; None where nothing is."""
    target, _, anchor = link.target.partition("#")
    path = ROOT / posixpath.normpath(posixpath.join(posixpath.dirname(link.page), target)) if target else None
    path = path or ROOT / link.page
    if not path.is_relative_to(ROOT) or not path.is_file():
        return "there is no such file"
    if anchor and (path.suffix != ".md" or anchor not in anchors(path)):
        return "there is no such anchor"
    return None


def form_fault(link: Link) -> str | None:
    """What is wrong with how an address elsewhere is written; None where nothing is."""
    parts = urlsplit(link.target)
    if parts.scheme != "https":
        return "only https: is linked to"
    if not re.fullmatch(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", parts.netloc):
        return "that is no host"
    return None if re.fullmatch(r"[\w\-./~%?=&#,:;+()@!]*", link.target[len("https://") :]) else "it has odd characters"


def asked(address: str) -> str | None:
    """What is wrong with an address by what its host answers."""
    request = Request(address.partition("#")[0], headers={"User-Agent": "archspec-links"})
    try:
        with urlopen(request, timeout=20) as answer:
            return None if answer.status == 200 else f"status {answer.status}"
    except HTTPError as error:
        return f"status {error.code}"
    except (URLError, OSError) as error:
        return str(getattr(error, "reason", error))


def main() -> int:
    outside: dict[str, list[str]] = {}
    for path in documents():
        for link in links(path):
            if link.is_outside:
                outside.setdefault(link.target, []).append(link.page)
    failed = 0
    for address, pages in sorted(outside.items()):
        answer = asked(address)
        failed += answer is not None
        print(f"{answer or 'ok':12} {address} ({', '.join(sorted(set(pages)))})", flush=True)
    print(f"{failed} of {len(outside)} addresses give no page")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
