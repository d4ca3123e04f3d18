"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from archspec.loading import open_spec
from archspec.page.page import render
from archspec.page.payload import payload
from archspec.serving import Server, spec_served, watch
from tests.page.conftest import Browser
from tests.page.test_page import HOSTILE, hostile

BOXES = "[...document.querySelectorAll('#canvas .box')].map((box) => box.dataset.path)"
ROWS = "[...document.querySelectorAll('#table-body tr[data-path]')].map((row) => row.dataset.path)"
CHOSEN_ROWS = "[...document.querySelectorAll('#table-body tr.selected')].map((row) => row.dataset.path)"
CHOSEN_LINES = "[...document.querySelectorAll('#source-sheet .line.selected')].map((line) => Number(line.dataset.line))"
CHOSEN_BOXES = (
    "[...document.querySelectorAll('#canvas .box.selected, #canvas .group.selected')].map((box) => box.dataset.path)"
)
CARD = "document.getElementById('card').innerText.replace(/\\s+/g, ' ')"
INK = "getComputedStyle(document.body).backgroundColor"


def centre(browser: Browser, selector: str) -> tuple[float, float]:
    found = browser.run(
        "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return [(box.left + box.right) / 2, (box.top + box.bottom) / 2];",
        selector,
    )
    return found[0], found[1]


def mouse(browser: Browser, kind: str, x: float, y: float, **more: Any) -> None:
    browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})


def test_the_page_asks_for_nothing_and_has_no_errors(browser: Browser, page: Any) -> None:
    for name in ("lenet5", "googlenet", "resnet50", "segnet"):
        address = page(name)
        browser.open(address)
        browser.until("document.querySelectorAll('#canvas .box').length > 4")
        browser.run("store.open(store.network.openedTo(9)); store.select([store.network.order[3].path])")
        browser.frame()
        assert browser.messages() == []
        assert [url for url in browser.requests() if not url.startswith("data:")] == [address]


def test_the_header_says_what_the_figures_are_of(browser: Browser, page: Any) -> None:
    browser.open(page("resnet50"))
    text = browser.run("return document.querySelector('header').innerText")
    for words in (
        "ResNet-50",
        "224×224×3",
        "batch 1",
        "eval mode",
        "float32",
        "174 layers",
        "25,557,032",
        "4.089 G",
        "FLOPs = 2·MACs",
    ):
        assert words in text


def test_a_click_unfolds_a_block_where_it_is(browser: Browser, page: Any) -> None:
    browser.open(page("googlenet"))
    before = browser.until(BOXES)
    assert "inception3a" in before
    x, y = centre(browser, '.box[data-path="inception3a"] .toggle')
    top = browser.run("return document.querySelector('.box[data-path=\"inception3a\"]').getBoundingClientRect().top")
    browser.click('.box[data-path="inception3a"] .toggle')
    browser.until("!document.querySelector('.box[data-path=\"inception3a\"]')")
    after = browser.run(f"return {BOXES}")
    assert set(before) - set(after) == {"inception3a"}
    assert any(path.startswith("inception3a.") for path in after)
    group = "document.querySelector('.group[data-path=\"inception3a\"]').getBoundingClientRect()"
    browser.until(f"Math.abs({group}.top - arguments[0]) < 3", top)
    assert (
        browser.run("return document.querySelector('tr[data-path=\"inception3a\"]')").get_attribute("aria-expanded")
        == "true"
    )
    browser.click('.group[data-path="inception3a"] .toggle')
    assert browser.until(BOXES) == before
    # A double click does the same, and so do keys.
    x, y = centre(browser, '.box[data-path="inception3a"] .label')
    for count in (1, 2):
        mouse(browser, "mousePressed", x, y, button="left", clickCount=count)
        mouse(browser, "mouseReleased", x, y, button="left", clickCount=count)
    browser.until("store.opened.has('inception3a')")
    browser.run("document.getElementById('canvas').focus(); store.select(['inception3a'])")
    browser.keys("\ue007")
    assert browser.run(f"return {BOXES}") == before


def test_depth_buttons_unfold_everything_to_a_depth(browser: Browser, page: Any) -> None:
    browser.open(page("resnet50"))
    counts = []
    for button in browser.run("return [...document.querySelectorAll('#depths button')]"):
        button.click()
        browser.frame()
        counts.append(len(browser.run(f"return {BOXES}")))
        assert button.get_attribute("aria-pressed") == "true"
    assert counts == sorted(counts) and counts[0] < counts[1] < counts[-1]
    browser.keys("1")
    assert len(browser.run(f"return {BOXES}")) == counts[0]


def test_zoom_and_pan(browser: Browser, page: Any) -> None:
    browser.open(page("lenet5"))
    x, y = centre(browser, "#canvas")
    scale = browser.run("return drawing.view.scale")
    mouse(browser, "mouseWheel", x, y, deltaX=0, deltaY=-300)
    browser.until("drawing.view.scale > arguments[0] * 1.2", scale)
    place = browser.run("return drawing.view.x")
    mouse(browser, "mousePressed", x - 150, y, button="left", clickCount=1)
    mouse(browser, "mouseMoved", x - 100, y + 10, button="left", buttons=1)
    mouse(browser, "mouseMoved", x - 60, y + 10, button="left", buttons=1)
    mouse(browser, "mouseReleased", x - 60, y + 10, button="left", clickCount=1)
    browser.until("Math.abs(drawing.view.x - arguments[0] - 90) < 2", place)
    assert browser.run("return store.selected") == []
    browser.click("#zoom-fit")
    assert browser.run("return drawing.view.scale") == pytest.approx(scale, rel=0.05)


def test_two_fingers_zoom(browser: Browser, page: Any) -> None:
    browser.open(page("lenet5"), width=390, height=844)
    scale = browser.until("drawing.view.scale")
    x, y = centre(browser, "#canvas")
    browser.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    def touch(kind: str, *apart: float) -> None:
        points = [{"x": x + side * far, "y": y, "id": side + 1} for far in apart for side in (-1, 1)]
        browser.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 30)
    for far in (40, 50, 60):
        touch("touchMove", far)
    touch("touchEnd")
    browser.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert browser.until("drawing.view.scale > arguments[0] * 1.7 && drawing.view.scale", scale) < scale * 2.3
    assert browser.run("return store.selected") == []


def test_a_card_tells_of_what_is_hovered(browser: Browser, page: Any) -> None:
    browser.open(page("lenet5"))
    browser.until("document.querySelector('.box[data-path=\"c3\"]')")
    mouse(browser, "mouseMoved", *centre(browser, '.box[data-path="c3"]'))
    browser.until("!document.getElementById('card').hidden")
    text = browser.run(f"return {CARD}")
    for words in ("c3", "conv", "5×5", "10×10×16", "2,416", "240 k", "57.6 %", "14×14 receptive field of 32×32"):
        assert words in text
    # The centre of 10 positions 2 apart from 7 is 17, so the field is from 10 to 24 of 32.
    field = browser.run(
        "return ['x', 'width'].map((name) => Number(document.querySelector('.reach').getAttribute(name)))"
    )
    side = browser.run("return Number(document.querySelector('.field .input').getAttribute('width'))")
    assert [32 * value / side for value in field] == pytest.approx([10, 14], abs=0.01)
    assert "c3" in browser.run("return document.querySelector('tr.hovered').dataset.path")


def test_a_field_beyond_the_borders_is_cut(browser: Browser, page: Any) -> None:
    browser.open(page("resnet50"))
    browser.run("store.select(['layer4.2.conv3'])")
    browser.frame()
    assert "427×427 receptive field" in browser.run(
        "return document.getElementById('card').innerText.replace(/\\s+/g, ' ')"
    )
    assert browser.run(
        "const [a, b] = ['.reach', '.field .input'].map((name) => document.querySelector(name));"
        "return ['width', 'height'].every((name) => Number(a.getAttribute(name)) <= Number(b.getAttribute(name)))"
    )


def test_the_table_sorts_and_filters(browser: Browser, page: Any) -> None:
    browser.open(page("lenet5"))
    plain = browser.until(ROWS)
    browser.click('th[data-key="params"] button')
    graph = open_spec("lenet5").graph().pruned("eval")
    most = sorted(graph.nodes, key=lambda node: -node.params)
    assert browser.run(f"return {ROWS}")[:5] == [node.path for node in most][:5]
    assert browser.run("return document.querySelector('th[data-key=params]').ariaSort") == "descending"
    browser.click('th[data-key="params"] button')
    assert browser.run(f"return {ROWS}")[-1] == most[0].path
    browser.click('th[data-key="params"] button')
    assert browser.run(f"return {ROWS}") == plain
    browser.click("#table-filter")
    browser.keys("d", "e", "n", "s", "e")
    assert browser.run(f"return {ROWS}") == ["c5", "f6", "output"]
    assert "3 of 12" in browser.run("return document.getElementById('table-count').textContent")


def test_the_flat_table_sorts_over_all_layers(browser: Browser, page: Any) -> None:
    browser.open(page("resnet50"))
    browser.click("#table-flat")
    browser.click('th[data-key="macs"] button')
    nodes = open_spec("resnet50").graph().pruned("eval").nodes
    most = [node.path for node in sorted(nodes, key=lambda node: -node.cost.macs)]
    assert browser.run(f"return {ROWS}")[:10] == most[:10]


def test_what_is_selected_in_one_panel_is_selected_in_all(browser: Browser, page: Any) -> None:
    browser.open(page("lenet5"))
    browser.until(ROWS)
    browser.click('tr[data-path="c3"] td.column-kind')
    assert browser.run(f"return {CHOSEN_BOXES}") == ["c3"]
    lines = {node.path: node.span.line for node in open_spec("lenet5").graph().nodes if node.span}
    assert browser.run(f"return {CHOSEN_LINES}") == [lines["c3"]]
    assert "c3" in browser.run("return document.querySelector('#charts-box .said').textContent")
    browser.click('.box[data-path="f6"]')
    assert browser.run(f"return {CHOSEN_ROWS}") == ["f6"]
    assert browser.run(f"return {CHOSEN_LINES}") == [lines["f6"]]
    browser.run("charts.box.scrollIntoView()")
    x = browser.run("return charts.box.getBoundingClientRect().left + LEFT + 0.5 * charts.scale")
    y = centre(browser, "#charts-box")[1]
    mouse(browser, "mouseMoved", x, y)
    mouse(browser, "mousePressed", x, y, button="left", clickCount=1)
    mouse(browser, "mouseReleased", x, y, button="left", clickCount=1)
    browser.frame()
    assert browser.run(f"return [{CHOSEN_BOXES}, {CHOSEN_ROWS}]") == [["c1"], ["c1"]]
    browser.keys("\ue00c")
    assert browser.run(f"return [{CHOSEN_BOXES}, {CHOSEN_ROWS}, {CHOSEN_LINES}]") == [[], [], []]


def test_a_line_selects_the_layers_that_it_wrote(browser: Browser, page: Any) -> None:
    browser.open(page("resnet50"))
    nodes = open_spec("resnet50").graph().pruned("eval").nodes
    line = next(node.span.line for node in nodes if node.path == "layer2.1.conv1" and node.span)
    written = [node.path for node in nodes if node.span and node.span.line == line]
    browser.run("source.scrollTo(arguments[0])", line)
    browser.frame()
    browser.click(f'.line[data-line="{line}"] code')
    assert browser.run("return store.selected") == written and len(written) == 16
    browser.run("store.reveal('layer2.1.conv1'); store.select(['layer2.1.conv1'])")
    browser.frame()
    assert browser.run(f"return {CHOSEN_LINES}") == [line]
    call = next(use.span.line for path, use in open_spec("resnet50").graph().blocks.items() if path == "layer2.1")
    browser.run("source.scrollTo(arguments[0])", call)
    browser.frame()
    assert browser.run(f"return document.querySelector('.line[data-line=\"{call}\"]').classList.contains('caller')")


def test_dark_and_light(browser: Browser, page: Any) -> None:
    address = page("lenet5")
    browser.open(address)
    light = browser.run(f"return {INK}")
    browser.open(address, dark=True)
    dark = browser.run(f"return {INK}")
    assert light != dark
    browser.click("#theme")
    assert browser.run(f"return {INK}") == light
    browser.driver.refresh()
    assert browser.run(f"return {INK}") == light, "what was chosen is kept"
    browser.click("#theme")
    assert browser.run(f"return {INK}") == dark
    browser.run("localStorage.clear()")


def test_a_phone_has_tabs_and_no_page_wider_than_it(browser: Browser, page: Any) -> None:
    for name in ("googlenet", "segnet"):
        browser.open(page(name), width=390, height=844)
        for tab in ("drawing", "table", "source", "charts"):
            browser.click(f'#tabs [data-tab="{tab}"]')
            assert browser.run(
                "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
            ) == [390, 844]
            assert (
                browser.run("return getComputedStyle(document.getElementById(arguments[0])).visibility", tab)
                == "visible"
            )
            small = browser.run(
                "return [...document.querySelectorAll('button')]"
                ".filter((button) => button.checkVisibility({visibilityProperty: true}) && !button.closest('table'))"
                ".filter((button) => button.getBoundingClientRect().height < 36).map((button) => button.id)"
            )
            assert small == []
    browser.click('#tabs [data-tab="drawing"]')
    x, y = centre(browser, ".box.unit .label")
    browser.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    touch = {"touchPoints": [{"x": x, "y": y}]}
    browser.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", **touch})
    browser.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    browser.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    browser.until("store.selected.length === 1 && !document.getElementById('card').hidden")
    assert browser.messages() == []


def test_keys_alone_are_enough(browser: Browser, page: Any) -> None:
    browser.open(page("googlenet"))
    browser.run("document.getElementById('canvas').focus()")
    browser.keys("\ue015", "\ue015")
    first = browser.run("return store.selected[0]")
    browser.keys("\ue015")
    assert browser.run("return store.selected[0]") != first
    browser.run("document.getElementById('table-scroll').focus(); store.select(['inception3a'])")
    browser.keys("\ue014")
    assert browser.run("return store.opened.has('inception3a')")
    browser.keys("\ue015")
    assert browser.run("return store.selected[0]").startswith("inception3a.")
    browser.keys("\ue012")
    browser.keys("\ue012")
    assert not browser.run("return store.opened.has('inception3a')")
    browser.keys("/")
    assert browser.run("return document.activeElement.id") == "table-filter"
    browser.keys("\ue00c", "?")
    assert browser.run("return document.getElementById('keys').open")


def test_it_prints_every_row(browser: Browser, page: Any) -> None:
    browser.open(page("resnet50"))
    browser.click("#table-flat")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert len(browser.run(f"return {ROWS}")) == 174
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert len(browser.run(f"return {ROWS}")) < 174
    pdf = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(pdf["data"]) > 10_000


def test_a_hostile_spec_is_inert(browser: Browser, write: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(render(payload(open_spec(str(hostile(write))))), encoding="utf-8")
    browser.open(path.as_uri())
    browser.until(ROWS)
    browser.run("source.scrollTo(6)")
    browser.frame()
    assert browser.run("return window.hit ?? null") is None
    assert browser.run("return document.querySelectorAll('img, script').length") == 2
    assert browser.run("return document.getElementById('name').textContent") == HOSTILE
    assert "onerror" in browser.run("return document.getElementById('source-sheet').textContent")
    assert browser.messages() == []


@pytest.mark.slow
def test_of_a_large_network_few_elements_are_made(browser: Browser, write: Callable[..., Path], tmp_path: Path) -> None:
    spec = write("input: {height: 8, width: 8, channels: 3}\nlayers:\n" + "  - relu\n  - tanh\n" * 10_000)
    path = tmp_path / "large.html"
    path.write_text(render(payload(open_spec(str(spec)))), encoding="utf-8")
    browser.open(path.as_uri())
    browser.until(ROWS)
    browser.run(
        "store.open(store.network.openedTo(9)); drawing.fit(0.5);"
        "store.select(['relu9000']); table.filter.value = 'relu99'; table.arrange();"
    )
    browser.frame()
    assert browser.run("return document.querySelectorAll('*').length") < 8000
    assert browser.messages() == []


@pytest.fixture
def live(write: Callable[..., Path]) -> Iterator[tuple[Path, Server]]:
    path = write(
        "input: {height: 16, width: 16, channels: 3}\n"
        "blocks:\n  pair:\n    layers:\n"
        "      - conv: {filters: 4, kernel: 3, pad: same}\n      - conv: {filters: 4, kernel: 1}\n"
        "layers:\n  - pair: {name: one}\n  - pair: {name: two}\n  - conv: {name: last, filters: 8, kernel: 3}\n"
    )
    served = spec_served(str(path), [], mode="eval", batch=1, strict=False)
    served.refresh()
    server = Server(served)
    server.start()
    ended = Event()
    watching = Thread(target=watch, args=(served, lambda: None, ended), kwargs={"poll": 0.05})
    watching.start()
    yield path, server
    ended.set()
    watching.join()
    server.stop()


def test_the_page_follows_the_file(browser: Browser, live: tuple[Path, Server]) -> None:
    path, server = live
    good = path.read_text()
    browser.open(server.url)
    browser.until("document.getElementById('live').textContent === 'live'")
    browser.run(
        "window.same = true; store.open(new Set([])); store.toggle([...store.network.frames.keys()][1]);"
        "store.select(['last']); drawing.zoom(1.3)"
    )
    browser.frame()
    kept = "JSON.stringify([drawing.view, [...store.opened], store.selected])"
    before = browser.run(f"return {kept}")

    path.write_text(good.replace("name: last, filters: 8", "name: last, filters: 9"))
    browser.until("store.network.items.get('last').output[2] === 9")
    assert browser.run("return window.same"), "the page was not loaded again"
    assert browser.run(f"return {kept}") == before
    browser.until("document.querySelector('tr[data-path=last]').textContent.includes('14×14×9')")

    path.write_text(good.replace("name: last, filters: 8, kernel: 3", "name: last, filters: 8, kernel: 33"))
    browser.until("document.body.classList.contains('stale')")
    said = browser.run("return document.getElementById('problems').innerText")
    assert "E301" in said and "net.yaml:12" in said and "help:" in said
    assert browser.run(f"return {kept}") == before
    assert browser.run("return store.network.items.get('last').output[2]") == 9, "the last good picture stays"
    browser.click("#problems .place")
    browser.until("document.querySelector('#source-sheet .note.error')")
    assert browser.run("return document.querySelector('#source-sheet .wrong').textContent")
    assert "kernel: 33" in browser.run("return document.getElementById('source-sheet').textContent")

    path.write_text("layers: [")
    browser.until("document.getElementById('problems').innerText.includes('E104')")
    path.unlink()
    browser.until("document.getElementById('problems').innerText.includes('E101')")

    path.write_text(good)
    browser.until("!document.body.classList.contains('stale')")
    assert browser.run("return document.getElementById('problems').hidden")
    assert browser.run("return store.network.items.get('last').output[2]") == 8
    assert browser.run(f"return {kept}") == before
    assert browser.messages() == []


def test_lines_that_moved_still_find_their_layers(browser: Browser, live: tuple[Path, Server]) -> None:
    path, server = live
    good = path.read_text()
    browser.open(server.url)
    browser.until("document.getElementById('live').textContent === 'live'")
    path.write_text(good.replace("layers:\n  - pair: {name: one}", "layers:\n  - relo\n  - pair: {name: one}"))
    browser.until("document.body.classList.contains('stale')")
    browser.run("store.select(['last'])")
    browser.frame()
    line = browser.run(f"return {CHOSEN_LINES}")
    assert line == [good.splitlines().index("  - conv: {name: last, filters: 8, kernel: 3}") + 2]


def test_a_spec_that_was_never_right_shows_its_text(browser: Browser, write: Callable[..., Path]) -> None:
    served = spec_served(str(write("layers: [relo]\n")), [], mode="eval", batch=1, strict=False)
    served.refresh()
    server = Server(served)
    server.start()
    try:
        for width in (1400, 390):
            browser.open(server.url, width=width, height=844)
            browser.until("document.querySelector('#problems li.error')")
            assert "relo" in browser.run("return document.getElementById('source-sheet').textContent")
            assert browser.run("return document.documentElement.scrollWidth") == width
            assert browser.messages() == []
    finally:
        server.stop()


def test_a_lost_server_is_said(browser: Browser, live: tuple[Path, Server]) -> None:
    _, server = live
    browser.open(server.url)
    browser.until("document.getElementById('live').textContent === 'live'")
    server.stop()
    browser.until("document.getElementById('live').textContent === 'connection lost'")


def test_a_notebooks_report_opens_without_a_script(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "notebook.html"
    html = open_spec("resnet152")._repr_html_()
    file.write_text(f"<!doctype html><meta charset=utf-8>{html}", encoding="utf-8")
    browser.open(file.as_uri())
    seen = "[...document.querySelectorAll('.row')].filter((row) => row.checkVisibility()).length"
    assert browser.run(f"return {seen}") == 11
    browser.click(".archspec-report > details:nth-of-type(3) > summary")
    assert browser.run(f"return {seen}") == 13
    edges = browser.run(
        "return [...document.querySelectorAll('.row')].filter((row) => row.checkVisibility())"
        ".map((row) => Math.round(row.lastElementChild.getBoundingClientRect().right))"
    )
    assert len(set(edges)) == 1, "columns stand under each other at every depth"
    assert browser.messages() == [] and browser.requests() == [file.as_uri()]


SIAMESE = """archspec: 1
name: pair
title: Same or not
inputs:
  left: {height: 28, width: 28, channels: 1}
  right: {height: 28, width: 28, channels: 1}
  sound: {length: 90, channels: 2}
blocks:
  tower: {layers: [{conv: {name: c, filters: 4, kernel: 5}}, relu, max_pool: 2, flatten, {dense: {name: fc, units: 8}}]}
layers:
  - tower: {name: a, from: left}
  - tower: {name: b, from: right, weights: a}
  - conv: {name: heard, from: sound, filters: 4, kernel: 9, stride: 2}
  - flatten: {name: flat}
  - concat: {name: all, from: [a, b, flat]}
  - dense: {name: out, units: 2}
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a network with three inputs, whose block `b` uses the arrays of `a`."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "pair.yaml").write_text(SIAMESE)
    html = render(payload(open_spec(str(folder / "pair.yaml"))))
    (folder / "pair.html").write_text(html, encoding="utf-8")
    return (folder / "pair.html").as_uri()


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
def test_what_shares_leads_to_whose_arrays_it_uses(width: int, height: int, browser: Browser, shared: str) -> None:
    browser.open(shared, width=width, height=height)
    browser.until("document.querySelectorAll('#canvas .box').length > 4")
    browser.run("store.open([]); store.select([])")
    assert "tied" in browser.run("return document.querySelector('.box[data-path=b]').className.baseVal")
    browser.run(
        "document.querySelector('.box[data-path=b] .tie').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    assert browser.run("return store.selected") == ["a"]
    browser.run("store.select(['b.c'])")
    browser.until("document.querySelector('#card .tie')").click()
    assert browser.run("return [store.selected, store.opened.has('a')]") == [["a.c"], True]
    browser.run("store.open(['a', 'b'])")
    cells = browser.run(
        "return Object.fromEntries([...document.querySelectorAll('#table-body tr[data-path]')].map((row) => "
        "[row.dataset.path, row.querySelector('.column-params').textContent]))"
    )
    assert (cells["a"], cells["b"], cells["b.fc"]) == ("4,720", "= a", "= a.fc")
    browser.run("document.querySelector('tr[data-path=\"b.fc\"] .tie').click()")
    assert browser.run("return store.selected") == ["a.fc"]
    assert browser.messages() == []


def test_fields_are_drawn_over_the_inputs_that_are_seen(browser: Browser, shared: str) -> None:
    browser.open(shared)
    assert "inputs left 28×28×1, right 28×28×1, sound 90×2" in browser.until(
        "document.getElementById('about').innerText"
    )
    assert {"@input.left", "@input.right", "@input.sound"} <= set(browser.until(BOXES))

    def card(path: str) -> str:
        browser.run("store.select([arguments[0]])", path)
        browser.frame()
        return str(browser.run(f"return {CARD}"))

    assert "5×5 receptive field of right, 28×28" in card("b.c")
    assert "9 receptive field of sound, 90 neighbours 2 apart" in card("heard")
    # Of several the first is drawn.
    assert "28×28 receptive field of left, 28×28" in card("all")
    assert "28×28 of right too" in card("all")
    assert "kernel 9" in card("heard") and "kernel 5×5" in card("b.c")
    cell = "document.querySelector('tr[data-path=heard] .column-field').textContent"
    assert browser.run(f"return {cell}") == "9"
