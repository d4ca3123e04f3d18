"""The interactive report as one HTML file that loads nothing: style, script and data are inside."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from archspec.drawing.palette import FAMILIES, WORDS

_STATIC = Path(__file__).parent / "static"

SCRIPTS = ("format", "unfold", "state", "drawing", "table", "source", "charts", "card", "page")
"""The script's files, in the order in which they are put together."""


class Panel(NamedTuple):
    """A panel that a page has beside those of the network: what it is called on its tab, what stands in it (HTML that
    may say nothing of what users wrote), its style and script, and data for the script as JSON.

    The script comes last and sees all of the page's: `store` tells it what is selected. It finds its data in the
    element `<id>-data`, its place in `<id>`.
    """

    id: str
    title: str
    html: str
    style: str
    script: str
    data: Any


def render(payload: Mapping[str, Any], *, live: str | None = None, panel: Panel | None = None) -> str:
    """The page that shows a payload. `live` is the address of the events that bring newer ones. Without a `panel` more
    nothing of it is in the page.

    A spec's text cannot leave the data that it stands in: `<`, `>` and `&` are escaped there, and the page's policy
    forbids every script and style but its own, and every connection but that of the events.
    """
    style, script = _assets()
    if panel is not None:
        style, script = f"{style}{panel.style}\n", f"{script}\n{panel.script}"
    connections = "'self'" if live else "'none'"
    policy = (
        f"default-src 'none'; style-src {hash_of(style)}; script-src {hash_of(script)}; img-src data:; "
        f"connect-src {connections}; base-uri 'none'; form-action 'none'"
    )
    model = payload.get("model")
    name = (model or {}).get("name") or "archspec"
    parts = {
        "policy": escape(policy),
        "title": escape(f"{name} · archspec" if model else "archspec"),
        "style": style,
        "script": script,
        "payload": in_script({**payload, "live": live, "families": WORDS}),
        "panel": "" if panel is None else _section(panel),
        "tab": "" if panel is None else _tab(panel),
        "data": "" if panel is None else _data(panel),
    }
    # All at once, so that a spec's text is never taken for a place to fill.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _read("page.html"))
    # YAML's escapes can write half of a surrogate pair, which no encoding has.
    return page.encode("utf-8", "replace").decode("utf-8")


def _section(panel: Panel) -> str:
    name = escape(panel.title)
    return f'\n  <section class="panel" id="{panel.id}" aria-label="{name}">\n{panel.html}  </section>'


def _tab(panel: Panel) -> str:
    return f'\n  <button type="button" data-tab="{panel.id}">{escape(panel.title)}</button>'


def _data(panel: Panel) -> str:
    return f'<script type="application/json" id="{panel.id}-data">{in_script(panel.data)}</script>\n'


def in_script(value: Any) -> str:
    """JSON that can stand in a `<script>` element, whatever the texts in it say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


@cache
def _assets() -> tuple[str, str]:
    colours = "\n".join(
        f".family-{name} {{ --light: {item.light}; --mid: {item.mid}; --dark: {item.dark}; }}"
        for name, item in FAMILIES.items()
    )
    return f"{theme()}\n{_read('page.css')}\n{colours}\n", "\n".join(_read(f"{name}.js") for name in SCRIPTS)


def theme() -> str:
    """The colours and fonts of the page, light and dark, which other pages have too."""
    return _read("theme.css")


def hashes() -> tuple[str, str]:
    """Of the page's style and script, by which another page's policy lets it stand in a frame."""
    style, script = _assets()
    return hash_of(style), hash_of(script)


def _read(name: str) -> str:
    return (_STATIC / name).read_text("utf-8")


def hash_of(text: str) -> str:
    """A text's hash, as policies of pages write it."""
    return f"'sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode()}'"
