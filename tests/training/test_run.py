"""Training runs: determinism, resume after a kill, run folders, failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np
import pytest

from archspec.cli import main
from archspec.data import Split
from archspec.diagnostics import DataError, SpecError
from archspec.images.files import read_pixels
from archspec.inference.evaluating import evaluate
from archspec.inference.predicting import predict
from archspec.loading import load
from archspec.training import feeding
from archspec.training.run import train
from archspec.training.steps import make_steps
from tests.digits import some_digits

Write = Callable[..., Path]

NET = """
input: {height: 28, width: 28, channels: 1}
layers:
  - conv: {name: c, filters: 4, kernel: 5, stride: 3}
  - batch_norm: {name: n}
  - relu
  - flatten
  - dropout: 0.2
  - dense: {name: out, units: 10}
train: {dataset: %s, batch_size: 50, epochs: %d, optimiser: {sgd: {learning_rate: 0.05}}, schedule: cosine}
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small .npz of digits."""
    return some_digits(tmp_path_factory.mktemp("data"), 5)


def net(write: Write, digits: Path, epochs: int = 3, **changes: str) -> Path:
    text = NET % (f"{{npz: {digits}}}", epochs)
    for old, new in changes.items():
        text = text.replace(old, new)
    return write(text)


def equal(a: Any, b: Any) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in {*a, *b})


def code(error: pytest.ExceptionInfo[SpecError]) -> str:
    return error.value.diagnostics[0].code


def test_a_run_learns_and_its_folder_says_how(write: Write, digits: Path, tmp_path: Path) -> None:
    result = train(load(net(write, digits)), tmp_path / "run", progress=False)
    assert result.accuracy > 0.6
    names = {path.name for path in result.folder.iterdir()}
    assert names >= {"spec.yaml", "run.json", "metrics.jsonl", "report.txt", "curves.png", "checkpoints", "tensorboard"}
    records = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert records[-1]["validation"]["top1"] == result.accuracy <= records[-1]["validation"]["top5"]
    assert records[0]["learning_rate"] > records[1]["learning_rate"] > records[-1]["learning_rate"] == 0
    run = json.loads((result.folder / "run.json").read_text())
    assert {"archspec", "python", "packages", "devices", "seed", "command"} <= set(run)
    assert (result.folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert any(path.stat().st_size for path in (result.folder / "tensorboard").iterdir())
    assert load(result.folder / "spec.yaml").graph().nodes == load(net(write, digits)).graph().nodes
    assert evaluate(result.folder) == pytest.approx(records[-1]["validation"])


def test_same_command_same_bits(write: Write, digits: Path, tmp_path: Path) -> None:
    spec = load(net(write, digits))
    one, two = (train(spec, tmp_path / name, progress=False) for name in ("a", "b"))
    assert equal(one.params, two.params)
    assert equal(one.statistics, two.statistics)
    other = load(net(write, digits, **{"batch_size: 50": "batch_size: 50, seed: 1"}))
    assert not equal(one.params, train(other, tmp_path / "c", progress=False).params)


@pytest.mark.minutes  # tests/runs/test_killing.py kills runs at other moments, too
def test_a_killed_run_ends_with_the_same_bits(write: Write, digits: Path, tmp_path: Path) -> None:
    spec = net(write, digits, epochs=12)
    whole = train(load(spec), tmp_path / "whole", progress=False)
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "archspec.cli", "train", str(spec), "--workdir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    metrics = folder / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text().count("\n") >= 4) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "result.json").exists(), "the run ended before it was killed"
    resumed = train(load(spec), folder, progress=False)
    assert [record["epoch"] for record in resumed.metrics] == list(range(1, 13))
    assert equal(whole.params, resumed.params)
    assert equal(whole.statistics, resumed.statistics)
    assert (folder / "metrics.jsonl").read_bytes() == (whole.folder / "metrics.jsonl").read_bytes()


def test_folders_are_never_overwritten_unasked(write: Write, digits: Path, tmp_path: Path) -> None:
    spec, other = (
        load(net(write, digits, 1)),
        load(net(write, digits, 2, **{"batch_size: 50": "batch_size: 60"})),
    )
    folder = tmp_path / "run"
    first = train(spec, folder, progress=False)
    again = train(spec, folder, progress=False)
    assert equal(first.params, again.params)
    assert again.metrics == first.metrics
    with pytest.raises(SpecError) as error:
        train(other, folder, progress=False)
    assert code(error) == "E510"
    assert error.value.diagnostics[0].notes == ("train.batch_size: 50 → 60",)
    assert "train.epochs may differ" in error.value.diagnostics[0].help[0]
    assert len(train(other, folder, overwrite=True, progress=False).metrics) == 2
    busy = tmp_path / "busy"
    busy.mkdir()
    (busy / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(SpecError) as error:
            train(spec, busy, overwrite=overwrite, progress=False)
        assert code(error) == "E511"
    assert [path.name for path in busy.iterdir()] == ["thesis.tex"]


def test_folders_that_cannot_be_written_are_answered(write: Write, digits: Path, tmp_path: Path) -> None:
    spec = load(net(write, digits, 1))
    (tmp_path / "file").write_text("")
    for folder, expected in ((tmp_path / "file", "E511"), (tmp_path / "file" / "run", "E514")):
        with pytest.raises(SpecError) as error:
            train(spec, folder, progress=False)
        assert code(error) == expected


def test_default_folders_count_up(write: Write, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert train(load(net(write, digits, 1)), progress=False).folder == Path("runs/net")
    other = load(net(write, digits, 1, **{"batch_size: 50": "batch_size: 50, seed: 1"}))
    assert train(other, progress=False).folder == Path("runs/net-2")
    assert train(load(net(write, digits, 1)), progress=False).folder == Path("runs/net")


def test_a_loss_that_is_not_finite_names_step_and_layer(write: Write, digits: Path, tmp_path: Path) -> None:
    path = net(
        write, digits, 3, **{"learning_rate: 0.05": "learning_rate: 1.0e+30", "- batch_norm: {name: n}": "- relu"}
    )
    with pytest.raises(SpecError) as error:
        train(load(path), tmp_path / "run", progress=False)
    assert code(error) == "E520"
    message = error.value.diagnostics[0].message
    assert "at step " in message
    # Weights of 1e30 after one step: what they give is finite in the first layer, and their product in the last is not.
    assert "not finite is out" in message
    assert "there is no checkpoint yet" in message
    # What is of no use is not in the way of the next attempt.
    assert not (tmp_path / "run").exists()
    path.write_text(path.read_text().replace("1.0e+30", "0.01"))
    assert train(load(path), tmp_path / "run", progress=False).metrics


@pytest.mark.slow
def test_a_run_that_lost_its_metrics_measures_again(write: Write, digits: Path, tmp_path: Path) -> None:
    """What was summed up in training is in the checkpoint too."""
    spec = load(net(write, digits, 1))
    whole = train(spec, tmp_path / "run", progress=False)
    (tmp_path / "run" / "metrics.jsonl").write_text('{"epo')
    assert train(spec, tmp_path / "run", progress=False).metrics == whole.metrics


def test_steps_compile_once_and_use_their_state_up(write: Write, digits: Path) -> None:
    spec = load(net(write, digits))
    assert spec.train is not None
    data = spec.train.dataset.load()
    steps = make_steps(spec, 10)
    state = steps.initial(None)
    first = state
    feed = feeding.DeviceFeed(data.train)
    gathers = cast(Any, feeding._gather)._cache_size()
    for epoch in (1, 2):
        for batch in feed.batches(feeding.epoch_order(0, epoch, len(data.train.labels), 50)):
            state, _ = steps.train(state, batch)
    assert cast(Any, steps.train)._cache_size() == 1
    assert cast(Any, feeding._gather)._cache_size() <= gathers + 1
    assert first["params"]["c.kernel"].is_deleted()
    assert int(state["step"]) == 32


def test_the_host_feeds_the_same_batches_as_the_device(write: Write, digits: Path) -> None:
    spec = load(net(write, digits))
    assert spec.train is not None
    split = spec.train.dataset.load().train
    order = feeding.epoch_order(3, 2, len(split.labels), 64)
    for start in (0, 5):
        host = list(feeding.HostFeed(split).batches(order, start))
        device = list(feeding.DeviceFeed(split).batches(order, start))
        assert len(host) == len(device) == len(order) - start
        for one, two in zip(host, device, strict=True):
            assert np.array_equal(one.index, two.index)
            for mine, other in zip(one[:2], two[:2], strict=True):
                assert mine.keys() == other.keys()
                assert all(np.array_equal(mine[name], other[name]) for name in mine)


@pytest.mark.slow
def test_large_data_trains_to_the_same_bits(
    write: Write, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load(net(write, digits, 2))
    one = train(spec, tmp_path / "a", progress=False)
    monkeypatch.setattr(feeding, "DEVICE_BYTES", 0)
    assert equal(one.params, train(spec, tmp_path / "b", progress=False).params)


def test_fewer_samples_than_a_batch_train_all_the_same(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "few.npz"
    np.savez(path, x=np.zeros((12, 28, 28), np.uint8), y=np.arange(12) % 2)
    text = (NET % (f"{{npz: {path}}}", 2)).replace("units: 10", "units: 2")
    result = train(load(write(text)), tmp_path / "run", progress=False)
    assert len(result.metrics) == 2
    assert "top5" not in result.metrics[0]["validation"]


@pytest.mark.parametrize(
    ("change", "code_expected", "words"),
    [
        ({"units: 10": "units: 7"}, "E501", ("10 classes", "7 units")),
        ({"height: 28": "height: 32"}, "E503", ("28×28", "32×28")),
        ({"channels: 1": "channels: 3"}, "E503", ("1 channel,", "has 3")),
        ({"- flatten": "- identity", "- dense: {name: out, units: 10}": "- relu"}, "E501", ("is a map",)),
    ],
)
def test_data_is_checked_before_the_first_step(
    write: Write, digits: Path, tmp_path: Path, change: dict[str, str], code_expected: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(SpecError) as error:
        train(load(net(write, digits, **change)), tmp_path / "run", progress=False)
    diagnostic = error.value.diagnostics[0]
    assert diagnostic.code == code_expected
    assert all(word in diagnostic.message for word in words)
    assert diagnostic.primary is not None
    assert diagnostic.primary.span.line > 1
    assert not (tmp_path / "run").exists()


def test_the_value_range_is_checked(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "float.npz"
    np.savez(path, x=np.linspace(-1, 1, 50 * 28 * 28, dtype=np.float32).reshape(50, 28, 28), y=np.arange(50) % 10)
    with pytest.raises(SpecError) as error:
        train(load(net(write, path)), tmp_path / "run", progress=False)
    assert code(error) == "E502"
    assert "from -1 to 1, but the range of the input is 0 to 1" in error.value.diagnostics[0].message
    ranged = net(write, path, 1, **{"channels: 1": "channels: 1, range: [-1, 1]"})
    train(load(ranged), tmp_path / "run", progress=False)


def test_prediction_from_image_files(write: Write, digits: Path, tmp_path: Path) -> None:
    from PIL import Image

    result = train(load(net(write, digits, 8)), tmp_path / "run", progress=False)
    with np.load(digits) as file:
        images, labels = file["x"], file["y"]
    paths = []
    for index in range(0, 1000, 40):
        path = tmp_path / f"{index}.png"
        Image.fromarray(images[index]).save(path)
        paths.append(path)
    answers = predict(result.folder, paths, top=3)
    right = sum(
        answer.classes[0][0] == str(labels[index]) for index, answer in zip(range(0, 1000, 40), answers, strict=True)
    )
    assert right >= 18
    for answer in answers:
        chances = [value for _, value in answer.classes]
        assert chances == sorted(chances, reverse=True)
        assert 0 < sum(chances) <= 1 + 1e-5
    # Ink on paper, larger, in colour: the same digit.
    large = Image.fromarray(255 - images[0]).convert("RGB").resize((280, 280), Image.Resampling.BILINEAR)
    large.save(tmp_path / "large.jpg", quality=95)
    (inverted,) = predict(result.folder, [tmp_path / "large.jpg"], top=1, invert=True)
    assert inverted.classes[0][0] == answers[0].classes[0][0]


def test_wrong_folders_and_images_are_answered(write: Write, digits: Path, tmp_path: Path) -> None:
    for function in (evaluate, lambda path: predict(path, [tmp_path / "x.png"])):
        with pytest.raises(SpecError) as error:
            function(tmp_path / "nowhere")
        assert code(error) == "E512"
    result = train(load(net(write, digits, 1)), tmp_path / "run", progress=False)
    text = tmp_path / "text.png"
    text.write_text("no image")
    for path in (text, tmp_path / "none.png", tmp_path):
        with pytest.raises(SpecError) as error:
            predict(result.folder, [path])
        assert code(error) == "E521"


def test_predictions_of_folders_and_beside_bad_files(
    write: Write, digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    run = str(train(load(net(write, digits, 1)), tmp_path / "run", progress=False).folder)
    folder = tmp_path / "images"
    folder.mkdir()
    with np.load(digits) as file:
        images = file["x"]
    for index in (2, 1, 0):
        Image.fromarray(images[index]).save(folder / f"{index}.png")
    Image.fromarray(images[0] / np.float32(255)).save(folder / "float.tif")
    (folder / "text.png").write_text("no image")
    (folder / "notes.txt").write_text("no name of an image")
    empty = tmp_path / "empty"
    empty.mkdir()
    capsys.readouterr()
    assert main(["predict", run, str(folder), str(tmp_path / "none.png"), str(empty), "--top", "1"]) == 1
    out, err = capsys.readouterr()
    assert [Path(line.split(":")[0]).name for line in out.splitlines()] == ["0.png", "1.png", "2.png"]
    for name in ("float.tif has floating-point numbers", "text.png is not", "none.png cannot", "empty has no images"):
        assert name in err
    assert "4 errors" in err
    assert main(["predict", run, str(folder), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [len(found["answers"]), len(found["diagnostics"])] == [3, 2]
    with pytest.raises(SpecError) as error:
        predict(Path(run), [folder])
    assert len(error.value.diagnostics) == 2


def test_deep_greys_are_scaled(tmp_path: Path) -> None:
    from PIL import Image

    greys = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deep = greys.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "a.png")
    Image.fromarray(deep).save(tmp_path / "a.tif")
    (tmp_path / "a.pgm").write_bytes(b"P5 16 16 65535\n" + deep.astype(">u2").tobytes())
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(read_pixels(path, "L")[..., 0], greys)
    Image.fromarray(deep.astype(np.int32)).save(tmp_path / "b.tif")
    with pytest.raises(DataError, match="32-bit numbers"):
        read_pixels(tmp_path / "b.tif", "L")


@pytest.mark.parametrize(
    ("stats", "fits"),
    [
        (None, True),  # as CPUs, which say nothing
        ({}, True),
        ({"bytes_limit": 2000, "bytes_in_use": 0}, True),
        ({"bytes_limit": 2000, "bytes_in_use": 1}, False),
        ({"bytes_limit": 1999, "bytes_in_use": 0}, False),
        ({"bytes_limit": 2**40, "bytes_in_use": 2**39}, True),
    ],
)
def test_data_lie_on_a_device_that_keeps_half_of_its_free_memory(
    monkeypatch: pytest.MonkeyPatch, stats: dict[str, int] | None, fits: bool
) -> None:
    """1,000 bytes of images and labels; a device need not say how much memory it has."""

    class Device:
        def memory_stats(self) -> dict[str, int] | None:
            return stats

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    split = Split.of(np.zeros((10, 8, 12, 1), np.uint8), np.zeros(10, np.int32))
    assert split.nbytes == 1000
    assert feeding.fits_on_device(split) is fits
    monkeypatch.setattr(feeding, "DEVICE_BYTES", 999)
    assert not feeding.fits_on_device(split)
