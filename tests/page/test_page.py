"""One file that loads nothing and that a spec cannot break out of."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from archspec.cli import main
from archspec.diagnostics import SpecError
from archspec.loading import open_spec
from archspec.page.page import SCRIPTS, Panel, in_script, render
from archspec.page.payload import payload
from tests.page.scripts import STATIC, needs_node

HOSTILE = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'><!-- {{script}} \u2028"


class Outline(HTMLParser):
    """The elements of a page with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            tag, attributes = self.elements[-1]
            self.texts.append((attributes | {"tag": tag}, data))


def hostile(write: Callable[..., Path]) -> Path:
    title = json.dumps(HOSTILE)
    text = (
        f"archspec: 1\nname: net\ntitle: {title}\ninput: {{height: 8, width: 8, channels: 3}}\n"
        f"layers:\n  # {HOSTILE}\n  - relu\n"
    )
    return write(text.replace("\u2028", ""), whole=True)


def test_the_page_loads_nothing_and_its_policy_allows_only_what_is_inside() -> None:
    text = render(payload(open_spec("lenet5")))
    outline = Outline(text)
    loaded = [
        (tag, name, value)
        for tag, attributes in outline.elements
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset", "data", "poster") and not (value or "").startswith("data:")
    ]
    assert loaded == []
    styles = "".join(data for attributes, data in outline.texts if attributes["tag"] == "style")
    assert "@import" not in styles and "url(" not in styles
    (policy,) = [a["content"] for tag, a in outline.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["connect-src"] == "'none'" and rules["base-uri"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (inside,) = [d for a, d in outline.texts if a["tag"] == tag and a.get("type") is None]
        assert rules[rule] == f"'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'"
    assert not any(name.startswith("on") or name == "style" for _, a in outline.elements for name in a)


def test_only_the_served_page_may_connect_and_only_to_its_server() -> None:
    text = render(payload(open_spec("lenet5")), live="/events")
    assert "connect-src &#x27;self&#x27;" in text


def test_a_panel_more_stands_beside_the_others_under_the_same_policy() -> None:
    made = payload(open_spec("lenet5"))
    panel = Panel("inside", "inside", "<p>here</p>\n", "#inside { color: red; }", "const more = 1;", {"name": HOSTILE})
    plain, text = render(made), render(made, panel=panel)
    assert 'id="inside' not in plain and 'data-tab="inside"' not in plain
    outline = Outline(text)
    (policy,) = [a["content"] for tag, a in outline.elements if a.get("http-equiv") == "Content-Security-Policy"]
    for tag, more in (("style", panel.style), ("script", panel.script)):
        (inside,) = [d for a, d in outline.texts if a["tag"] == tag and a.get("type") is None]
        assert inside.rstrip().endswith(more)
        assert f"'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'" in str(policy)
    (data,) = [d for a, d in outline.texts if a.get("id") == "inside-data"]
    assert json.loads(data) == {"name": HOSTILE}
    assert [a["data-tab"] for tag, a in outline.elements if tag == "button" and "data-tab" in a][-1] == "inside"
    assert [a["id"] for tag, a in outline.elements if tag == "section" and a.get("class") == "panel"][-1] == "inside"


def test_a_hostile_spec_stays_data(write: Callable[..., Path]) -> None:
    made = payload(open_spec(str(hostile(write))))
    outline = Outline(render(made))
    assert sum(tag == "script" for tag, _ in outline.elements) == 2
    assert not any(tag == "img" for tag, _ in outline.elements)
    (data,) = [data for attributes, data in outline.texts if attributes.get("id") == "payload"]
    found = json.loads(data)
    assert found["sources"][0]["text"] == made["sources"][0]["text"]
    assert found["model"]["title"] == open_spec(str(hostile(write))).header.title


def test_data_in_scripts_reads_back_as_it_was() -> None:
    value = {"a": HOSTILE, "b": ["&amp;", "\u2029", "]]>", "é"]}
    text = in_script(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


def test_half_a_surrogate_pair_is_refused_in_a_spec_and_replaced_elsewhere(write: Callable[..., Path]) -> None:
    text = 'archspec: 1\nname: net\ntitle: "\\ud800"\ninput: {height: 8, width: 8, channels: 3}\nlayers: [relu]\n'
    path = write(text, whole=True)
    with pytest.raises(SpecError) as caught:
        open_spec(str(path))
    assert [(item.code, item.primary and item.primary.span.line) for item in caught.value.diagnostics] == [("E104", 3)]
    # File names that are no UTF-8 have such halves in Python.
    made = payload(open_spec(str(write("input: {height: 8, width: 8, channels: 3}\nlayers: [relu]\n"))))
    made["sources"][0]["name"] = "caf\udce9.yaml"
    page = render(made)
    (data,) = [data for attributes, data in Outline(page).texts if attributes.get("id") == "payload"]
    assert page.encode("utf-8").decode("utf-8") == page
    assert json.loads(data)["sources"][0]["name"] == "caf?.yaml"


@needs_node
def test_the_script_is_right_javascript(tmp_path: Path) -> None:
    whole = tmp_path / "page.js"
    whole.write_text("\n".join((STATIC / f"{name}.js").read_text("utf-8") for name in SCRIPTS), encoding="utf-8")
    for path in (whole, *STATIC.glob("*.js")):
        subprocess.run(["node", "--check", str(path)], check=True)
    assert {path.stem for path in STATIC.glob("*.js")} == set(SCRIPTS)


def test_report_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "page.html"
    assert main(["report", "lenet5", "--html", str(path), "--batch", "7", "--format", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["batch"] == 7 and said.err == f"page {path}\n"
    (data,) = [d for a, d in Outline(path.read_text("utf-8")).texts if a.get("id") == "payload"]
    assert json.loads(data)["model"]["batch"] == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "lenet5", "resnet18", "--html", "x.html"], "--html takes one spec"),
        (["report", "lenet5", "--html", "no/such/folder/x.html"], "no/such/folder/x.html cannot be written"),
    ],
)
def test_report_says_why_it_writes_no_page(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
