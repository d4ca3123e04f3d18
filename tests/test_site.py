"""The documentation's site: what it is made of, and the links of all documents. `make site` builds it, strictly."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests import site
from tests.links import ROOT, Link, anchors, documents, fault, form_fault, links, slug

DOCS = ROOT / "docs"


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, which names a function of Python."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
CONFIG: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader)


def named(item: Any) -> list[str]:
    """The pages that a part of the navigation names."""
    if isinstance(item, str):
        return [item]
    return [page for own in (item.values() if isinstance(item, dict) else item) for page in named(own)]


def test_every_page_is_in_the_navigation_once() -> None:
    pages = [page for page in named(CONFIG["nav"]) if not page.startswith("repository/")]
    assert sorted(pages) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    documents = [page for page in named(CONFIG["nav"]) if page.startswith("repository/")]
    assert {page.removeprefix("repository/") for page in documents} <= {path.name.lower() for path in ROOT.glob("*.md")}


def test_the_site_fetches_nothing_from_elsewhere() -> None:
    """No fonts; scripts and styles are its own. `make site` looks through what was built."""
    assert CONFIG["theme"]["font"] is False and CONFIG["strict"] is True
    own = [*CONFIG["extra_css"], *CONFIG["extra_javascript"], CONFIG["theme"]["logo"], CONFIG["theme"]["favicon"]]
    assert all((DOCS / path).is_file() for path in own)
    for path in filter(Path.is_file, (DOCS / "site").iterdir()):
        assert not re.search(r"(?:src=|href=|url\(|@import|fetch\(|import\()\W*(?:https?:)?//", path.read_text("utf-8"))


LINKS = [(path, list(links(path))) for path in documents()]


@pytest.mark.parametrize(("path", "own"), LINKS, ids=[path.relative_to(ROOT).as_posix() for path, _ in LINKS])
def test_links_lead_somewhere(path: Path, own: list[Link]) -> None:
    """Files, pictures and anchors are there, addresses elsewhere well formed; `python -m tests.links` asks these."""
    found = {link.target: form_fault(link) if link.is_outside else fault(link) for link in own}
    assert {target: wrong for target, wrong in found.items() if wrong} == {}


def test_there_are_links_of_every_sort() -> None:
    targets = [link.target for _, own in LINKS for link in own]
    assert sum("#" in target for target in targets) > 100
    assert sum(target.endswith((".svg", ".png")) for target in targets) > 30
    assert sum(target.startswith("https:") for target in targets) >= 5


def test_this_check_can_fail() -> None:
    def wrong(target: str) -> str | None:
        return fault(Link("docs/training.md", target))

    assert wrong("#losses") is None and wrong("datasets.md#table") is None and wrong("../README.md") is None
    assert wrong("#lossses") == wrong("datasets.md#tables") == wrong("zoo.png#a") == "there is no such anchor"
    assert wrong("dataset.md") == wrong("pictures") == wrong("../../x.md") == "there is no such file"
    assert form_fault(Link("a", "https://arxiv.org/abs/1706.02677")) is None
    assert [
        form_fault(Link("a", text)) is None for text in ("http://a.org/", "https://localhost/", "https://a.org/<b")
    ] == [
        False,
        False,
        False,
    ]
    assert slug("Measuring a network: `archspec bench`") == "measuring-a-network-archspec-bench"
    assert "e301" in anchors(DOCS / "diagnostics.md")


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """What mkdocs.yml has done to pages; it needs no mkdocs for that."""
    spec = spec_from_file_location("hook", DOCS / "site" / "hook.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_blocks_get_their_languages(hook: ModuleType) -> None:
    """Indented blocks, and not what is indented below an item of a list, or fenced."""
    blocks = {
        "    $ archspec zoo\n    lenet5": "console",
        "    archspec zoo\n\n    archspec zoo lenet": "bash",
        "    layers:\n      - relu\n\n    train: {epochs: 1}": "yaml",
        "    held out: a, b: c": "text",
        "    no mapping": "text",
    }
    for block, language in blocks.items():
        made = hook.in_languages(f"text\n\n{block}\n\nmore\n")
        code = re.sub("^    ", "", block, flags=re.M)
        assert made == f"text\n\n````{language}\n{code}\n````\n\nmore\n"
    for text in ("- item\n\n    of it\n\n    too\n", "1. item\n    goes on\n", "text\n    goes on\n"):
        assert hook.in_languages(text) == text
    fenced = "text\n\n```yaml\na:\n\n    b\n```\n"
    assert "".join(text for _, text in hook.parts(fenced)) == fenced and [own for own, _ in hook.parts(fenced)][1]


def test_links_out_of_the_pages_lead_to_copies(hook: ModuleType) -> None:
    text = "[a](../CONTRIBUTING.md#add-a-layer) ![b](pictures/a.svg) [c](https://a.org/x.md) [d](#e) "
    text += "[f](../specs/zoo/vgg.yaml)"
    assert hook.linked(text, "zoo.md") == (
        "[a](repository/contributing.md#add-a-layer) ![b](pictures/a.svg) [c](https://a.org/x.md) [d](#e) "
        "[f](repository/specs/zoo/vgg.yaml.md)"
    )
    assert hook.linked("[a](docs/plugins.md) [b](CONTRIBUTING.md)", "repository/architecture.md") == (
        "[a](../plugins.md) [b](contributing.md)"
    )
    assert hook.linked("[a](../language.md)", "reference/layers.md") == "[a](../language.md)"
    for path in ("CONTRIBUTING.md", "docs/zoo.md", "specs/zoo/vgg.yaml", "docs/cluster/tpu.sh"):
        assert hook.path_of(hook.uri_of(path)) == path
    assert "\n# specs/zoo/vgg.yaml\n\n````yaml\n# VGG" in hook.content_of("specs/zoo/vgg.yaml")


def test_notebooks_are_pages(hook: ModuleType) -> None:
    """With what their cells showed, and without badges, which would be fetched."""
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = hook.content_of(path.relative_to(ROOT).as_posix())
        assert text.startswith("# ") and "````python\n" in text and "````text\n" in text and "colab-badge" not in text
        assert 'src="data:image/' in text and not re.search(r"!\[[^\]]*\]\(https?:", text)


def test_what_a_built_site_would_fetch_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.main(tmp_path) == 1
    page = tmp_path / "a.html"
    page.write_text('<a href="https://a.org">a</a><img src="own.svg"><link rel="canonical" href="https://a.org/">')
    assert site.main(tmp_path) == 0
    for text in (
        '<script src="https://a.org/x.js"></script>',
        '<img src="//a.org/x.png">',
        '<link rel="stylesheet" href="https://a.org/x.css">',
        '<p style="background: url(https://a.org/x.png)">',
        "<style>@import 'https://a.org/x.css';</style>",
    ):
        page.write_text(text)
        assert site.main(tmp_path) == 1 and "a.org/x" in capsys.readouterr().err
