"""The panel that looks inside, in a real browser: everything hangs together, and a unit's numbers are Python's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from archspec.cli import main
from archspec.explaining.explanation import Explanation
from archspec.explaining.gathering import explain
from archspec.explaining.page import page_of
from archspec.figures.receptive_field import seen_by
from archspec.inference.run import Run
from archspec.weights.folder import import_weights
from tests.page.conftest import Browser

TEXT = """archspec: 1
name: small
input: {height: 12, width: 12, channels: 3, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}
layers:
  - conv: {name: c1, filters: 4, kernel: 3, pad: same}
  - batch_norm: {name: b1}
  - relu: {name: r1}
  - max_pool: {name: p1, window: 2}
  - conv: {name: c2, filters: 3, kernel: 3}
  - relu: {name: r2}
  - flatten
  - dense: {name: out, units: 5}
"""
METHODS = ["saliency", "gradcam", "occlusion", "activations", "filters", "unit", "effective_field", "fgsm"]
CHOSEN = "[inside.number, inside.channel, inside.at]"
TITLE = "document.getElementById('inside-layer').textContent"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    folder = tmp_path_factory.mktemp("inside")
    rng = np.random.default_rng(4)
    tensors = {
        "c1.weight": rng.normal(size=(4, 3, 3, 3)) / 3,
        "c1.bias": rng.normal(size=4) / 9,
        "b1.weight": rng.normal(1, 0.2, size=4),
        "b1.bias": rng.normal(size=4) / 9,
        "b1.running_mean": rng.normal(size=4) / 9,
        "b1.running_var": rng.uniform(0.5, 2, size=4),
        "c2.weight": rng.normal(size=(3, 4, 3, 3)) / 4,
        "c2.bias": rng.normal(size=3) / 9,
        "out.weight": rng.normal(size=(5, 48)) / 5,
        "out.bias": rng.normal(size=5) / 9,
    }
    (folder / "net.yaml").write_text(TEXT)
    save_file({name: np.asarray(own, np.float32) for name, own in tensors.items()}, folder / "w.safetensors")
    assert import_weights(str(folder / "net.yaml"), folder / "w.safetensors", folder / "net").full
    images = rng.integers(0, 255, (2, 12, 12, 3), dtype=np.uint8)
    return explain(Run(folder / "net"), images, methods=METHODS, page=True)


@pytest.fixture(scope="module")
def address(made: Explanation, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "inside.html"
    path.write_text(page_of(made).html, encoding="utf-8")
    return path.as_uri()


def test_what_does_not_fit_is_counted(made: Explanation, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = page_of(made)
    assert whole.left_out == ()
    from archspec.explaining import page

    monkeypatch.setattr(page, "SMALL", len(whole.html) - 9_000)
    less = page_of(made)
    assert len(less.html) < len(whole.html)
    assert any(text.startswith("numbers of ") for text in less.left_out)
    monkeypatch.setattr(page, "SMALL", 0)
    monkeypatch.setattr(page, "LARGE", 0)
    least = page_of(made)
    (maps,) = [text for text in least.left_out if text.startswith("maps of")]
    assert maps.startswith("maps of 10 of 10 layers and images")
    (numbers,) = [text for text in least.left_out if text.startswith("numbers of ")]
    assert numbers.startswith("numbers of 14 of the 14 layers and images")


def test_the_panel_asks_for_nothing_and_has_no_errors(browser: Browser, address: str) -> None:
    for width, height, dark in ((1440, 900, False), (390, 844, True)):
        browser.open(address, width=width, height=height, dark=dark)
        browser.until(f"{TITLE} && document.querySelector('#inside-walk .sum')")
        for number in range(8):
            browser.run("inside.go(arguments[0])", number)
            browser.until(f"inside.number === {number} && inside.maps && inside.at.length === inside.spatial().length")
        assert browser.messages() == []
        assert [url for url in browser.requests() if not url.startswith("data:")] == [address]
        assert browser.run("return document.querySelectorAll('[style*=url]').length") == 0


def test_drawing_table_and_source_choose_the_layer_and_the_other_way_round(browser: Browser, address: str) -> None:
    browser.open(address, width=1440, height=900)
    browser.until(TITLE)
    browser.click('.box[data-path="c2"], .box[data-path*="c2"]')
    browser.until(f"{TITLE}.includes('c2') || {TITLE}.includes('r2')")
    browser.click('#table-body tr[data-path="p1"]')
    browser.until(f"{TITLE}.includes('p1')")
    browser.click("#tabs [data-tab=source]")
    first, second = (browser.run("return store.network.order[arguments[0]].lines[1]", number) for number in (0, 1))
    browser.click(f'#source-sheet [data-line="{first}"] .gutter')
    browser.until(f"{TITLE}.includes('c1')")
    browser.click("#inside-after")
    browser.until(f"{TITLE}.includes('b1')")
    lines = "[...document.querySelectorAll('#source-sheet .line.selected')].map((line) => Number(line.dataset.line))"
    assert browser.until(lines) == [second]
    browser.click("#tabs [data-tab=table]")
    rows = "[...document.querySelectorAll('#table-body tr.selected')].map((row) => row.dataset.path)"
    assert browser.until(rows) == ["b1"]


def test_keys_choose_maps_and_positions_whose_window_is_the_exact_one(
    browser: Browser, address: str, made: Explanation
) -> None:
    browser.open(address, width=1440, height=900)
    browser.until(TITLE)
    browser.run("inside.go(4)")
    browser.until("inside.number === 4 && inside.maps")
    browser.run("document.getElementById('inside-tiles').focus(); inside.unit(0)")
    browser.keys("\ue014", "\ue014")
    assert browser.until("inside.channel") == 2
    browser.run("inside.position([0, 0]); document.getElementById('inside-map').focus()")
    browser.keys("\ue014", "\ue015", "\ue015", "\ue015", "\ue015")
    assert browser.run(f"return {CHOSEN}") == [4, 2, [3, 1]]
    wanted = seen_by(made.run.graph.pruned("eval"), 4, (3, 1))[-1]
    assert browser.run("return inside.seen()") == {"first": list(wanted.first), "end": list(wanted.end), "exact": True}
    assert "rows 5–11, columns 1–8" in browser.run("return document.getElementById('inside-window-said').textContent")


def test_units_are_taken_apart_into_the_arrays(browser: Browser, address: str, made: Explanation) -> None:
    """In the browser, of embedded numbers: any unit is the array, to 1e-6 of Σ|terms|; values are the same bits."""
    browser.open(address, width=1440, height=900)
    browser.until(TITLE)
    rng = np.random.default_rng(5)
    units = []
    for number, (path, shape) in enumerate(made.layers.items()):
        for _ in range(6):
            if path != "flatten1":
                units.append(
                    (number, path, [int(rng.integers(size)) for size in shape[:-1]], int(rng.integers(shape[-1])))
                )
    found = browser.driver.execute_async_script(
        "const done = arguments[1];"
        "Promise.all(arguments[0].map(async ([number, , at, channel]) => {"
        "  const terms = await inside.held.terms(1, number, channel, at);"
        "  return [terms.total, terms.magnitude, valueAt(await inside.held.values(1, number), at, channel)];"
        "})).then(done);",
        units,
    )
    assert len(found) == 42
    for (total, magnitude, own), (_, path, at, channel) in zip(found, units, strict=True):
        value = float(made.samples[1].activations[path][(*at, channel)])
        assert own == value
        assert abs(total - value) <= 1e-6 * magnitude, (path, at, channel)


def test_a_class_is_chosen_and_what_is_not_in_the_page_has_its_command(
    browser: Browser, address: str, made: Explanation
) -> None:
    browser.open(address, width=1440, height=900)
    browser.until("document.querySelector('#inside-answer .bars button')")
    browser.run("inside.choose(1)")
    classes = "[...document.querySelectorAll('#inside-answer .bars button')]"
    names = browser.run(f"return {classes}.map((own) => own.textContent)")
    assert len(names) == 5 and made.others
    browser.run(f"{classes}[1].click()")
    explained = "inside.here.variants[inside.variant]"
    assert browser.until(f"{explained}.name === arguments[0] && {explained}.what", names[1]) == f"score of {names[1]}"
    browser.run("inside.here.variants.pop(); inside.variant = 0")
    lost = browser.run(
        "const there = inside.here.variants.map((own) => own.name);"
        "return inside.here.answers[0].rated.map(([name]) => name).find((name) => !there.includes(name));"
    )
    browser.run(f"{classes}.find((own) => own.textContent === arguments[0]).click()", lost)
    command = browser.until("document.querySelector('#inside-other .command')?.textContent")
    assert command == f"archspec explain {made.folder} 1 --class {lost}"
    command = browser.run("return document.querySelector('#inside-visualised .command').textContent")
    assert command == f"archspec explain {made.folder} 1 --methods visualisation --unit {made.units[0].name}"


def test_the_command_writes_the_page(made: Explanation, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(tmp_path / "a.png")
    given = ["explain", str(made.folder), str(tmp_path / "a.png"), "--methods", "saliency", "--html"]
    assert main([*given, str(tmp_path / "page.html")]) == 0
    said = capsys.readouterr()
    assert f"page {tmp_path / 'page.html'} (" in said.err and not (tmp_path / "explained").exists()
    assert 'id="inside-data"' in (tmp_path / "page.html").read_text("utf-8")
    assert main([*given, str(tmp_path / "no" / "such" / "page.html")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_overlays_lie_over_the_image_as_much_as_the_slider_says(
    browser: Browser, address: str, made: Explanation
) -> None:
    browser.open(address, width=1440, height=900)
    browser.until("document.querySelectorAll('#inside-overlays button').length === 4")
    pixel = (
        "const canvas = document.getElementById('inside-picture');"
        "return [...canvas.getContext('2d').getImageData(canvas.width - 5, canvas.height - 5, 1, 1).data].slice(0, 3)"
    )
    browser.run("document.querySelector('#inside-overlays button').click(); inside.unit(0)")
    browser.until("document.getElementById('inside-mix').hidden")
    assert browser.run(pixel) == list(map(int, made.samples[0].pixels[-1, -1]))  # type: ignore[index]
    browser.run("document.querySelectorAll('#inside-overlays button')[2].click()")
    browser.until("!document.getElementById('inside-mix').hidden")
    browser.run(
        "const slider = document.getElementById('inside-opacity'); slider.value = 100;"
        "slider.dispatchEvent(new Event('input'))"
    )
    browser.until("document.getElementById('inside-mixed').textContent === '100 %'")
    assert browser.run(pixel) != list(map(int, made.samples[0].pixels[-1, -1]))  # type: ignore[index]
