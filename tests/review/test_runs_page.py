"""The page of many runs in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from archspec.cli import main
from tests.page.conftest import browser as browser
from tests.runs.folders import make_run


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_rows_sort_and_switch_curves(tmp_path: Path, browser: Any, width: int, height: int) -> None:
    for index in range(30):
        make_run(tmp_path / "runs" / f"run-{index}", [0.5, 0.6 + index / 100], rate=f"{0.1 / (index % 3 + 1):.3g}")
    make_run(tmp_path / "runs" / "</script><b>", [], finished=False, rate="7")
    file = tmp_path / "runs.html"
    assert main(["runs", str(tmp_path / "runs"), "--html", str(file)]) == 0
    assert not re.search(r"\sstyle=", file.read_text())
    browser.open(file.as_uri(), width=width, height=height)
    assert (
        not browser.messages() and browser.requests() == [file.as_uri()] and browser.run("return innerWidth") == width
    )
    assert browser.run("return document.documentElement.scrollWidth") <= width
    on = "[...document.querySelectorAll('.chart.runs')][0].querySelectorAll('.curve:not(.off)').length"
    assert browser.run(f"return {on}") == 24
    assert browser.run("return document.querySelectorAll('.chart.runs').length") == 3
    browser.run("[...document.querySelectorAll('thead button')].find((b) => b.textContent.startsWith('best')).click()")
    first = "document.querySelector('#table tbody tr th').textContent"
    assert browser.run(f"return {first}") == "run-29"
    browser.click("[data-switch=first]")
    assert browser.run(f"return {on}") == 8
    browser.click("#table tbody tr input")
    assert browser.run(f"return {on}") == 7
    browser.click("[data-switch=all]")
    assert browser.run(f"return {on}") == 30
    browser.run(
        "const svg = document.querySelector('.chart.runs svg'), curve = svg.querySelector('[data-run=\"29\"]');"
        "const own = curve.getAttribute('points').split(' ').at(-1).split(',').map(Number);"
        "const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;"
        "svg.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + own[0] * scale,"
        " clientY: box.top + own[1] * scale, bubbles: true}));"
    )
    said = browser.run("return document.querySelector('.chart.runs .values').textContent")
    assert said == "run-28epoch 2: 0.88" or said == "run-29epoch 2: 0.89"
    assert not browser.messages()
