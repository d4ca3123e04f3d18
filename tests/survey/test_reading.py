"""Reading everything once: figures held to NumPy's, what cannot be read, what is known from before."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from archspec.data import Column, Data, Reading, Split, mapped
from archspec.data.webdataset import Webdataset
from archspec.diagnostics import DataError
from archspec.survey import known as known_module
from archspec.survey import reading
from archspec.survey.facts import Labels, Moments, doubles
from archspec.survey.known import Known
from archspec.survey.processes import over
from archspec.survey.reading import Survey, survey, without
from tests.survey.source import DEADLY, Files

SIZE = (6, 5, 3)
TRAINED, HELD = 50, 22


def files(folder: Path) -> list[Path]:
    pixels = np.random.default_rng(0).integers(0, 256, (TRAINED + HELD, *SIZE), np.uint8)
    paths = [folder / f"{place:03}.png" for place in range(len(pixels))]
    for path, own in zip(paths, pixels, strict=True):
        Image.fromarray(own).save(path)
    return paths


def data_of(paths: list[Path]) -> Data:
    labels = (np.arange(len(paths)) % 3).astype(np.int32)
    source = Files(paths, SIZE)
    train, held = (
        Split.of(Column(source, places), labels[places], tuple(str(paths[place]) for place in places))
        for places in (np.arange(TRAINED), np.arange(TRAINED, len(paths)))
    )
    return Data("files", train, held, {"label": ("a", "b", "c")})


def stacked(paths: Sequence[Path]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in paths])


@pytest.fixture
def _past(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files that were just made are known, and the cache lies in the test's folder."""
    monkeypatch.setattr(known_module, "MARGIN", -1e9)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@given(
    st.lists(arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 4), st.just(2))), min_size=1, max_size=4),
    st.lists(
        arrays(np.float32, st.tuples(st.integers(1, 5), st.just(2)), elements=st.floats(-1e3, 1e3, width=32)),
        min_size=1,
        max_size=4,
    ),
)
def test_moments_of_pieces_are_those_that_numpy_has_of_the_whole(
    pixels: list[np.ndarray], numbers: list[np.ndarray]
) -> None:
    for parts in (pixels, numbers):
        own = Moments()
        for part in parts:
            own.add(Moments.of(part))
        whole = np.concatenate([part.reshape(-1, 2) for part in parts]).astype(np.float64)
        means, deviations = own.moments()
        np.testing.assert_allclose(means, whole.mean(0), rtol=1e-12, atol=1e-10)
        np.testing.assert_allclose(deviations, whole.std(0), rtol=1e-9, atol=1e-6)
        assert (own.low, own.high) == (whole.min(), whole.max())


def test_moments_of_bytes_are_exact_where_sums_of_floats_are_not() -> None:
    """10⁹ bytes of 255 and one of 254: √(Σx²/n − mean²) in 64 bits is off in the fourth figure."""
    own = Moments(np.zeros((1, 256), np.int64), 10**9 + 1)
    assert own.bins is not None
    own.bins[0, 255], own.bins[0, 254] = 10**9, 1
    _, (deviation,) = own.moments()
    assert deviation == pytest.approx(np.sqrt(1e9) / (1e9 + 1), rel=1e-14)


def test_labels_of_pieces() -> None:
    own = Labels.of(np.array([[[0, 1], [1, -1]], [[2, 2], [-1, -1]]], np.int8))
    own.add(Labels.of(np.array([[[0, 5], [0, 0]]], np.int8)))
    assert own.counts is not None and own.counts.tolist() == [4, 2, 2, 0, 0, 1] and own.uncounted == 3
    assert np.concatenate(own.largest).tolist() == [1, 2, 5]
    several = Labels.of(np.array([[1, 0], [1, -1]], np.int8), several=True)
    assert several.counts is not None and several.counts.tolist() == [2, 0] and several.uncounted == 1
    floats = Labels.of(np.array([1.0, np.nan, 3.0], np.float32))
    assert floats.uncounted == 1 and floats.values is not None and floats.values.moments() == ([2.0], [1.0])


def test_worker_processes_give_what_this_process_does_and_name_what_ends_them(tmp_path: Path) -> None:
    paths = files(tmp_path)
    paths[3].write_bytes(paths[3].read_bytes()[:-9])
    paths[60].write_bytes(paths[4].read_bytes())  # held out, and trained on
    paths[9].write_bytes(paths[4].read_bytes())
    told: list[tuple[int, int]] = []
    alone = survey(data_of(paths), workers=0, about=True, told=lambda done, of: told.append((done, of)))
    shared = survey(data_of(paths), workers=2, about=True)
    assert told[0] == (0, 72) and told[-1] == (72, 72)
    for part in ("train", "validation"):
        one, other = alone.parts[part], shared.parts[part]
        assert one.digests == other.digests and one.bad == other.bad and one.files == other.files
        assert one.inputs["input"].moments() == other.inputs["input"].moments()
    good = [path for path in paths[:TRAINED] if path != paths[3]]
    np.testing.assert_allclose(
        alone.parts["train"].inputs["input"].moments()[0], stacked(good).mean((0, 1, 2)), rtol=1e-15
    )
    np.testing.assert_allclose(
        alone.parts["train"].inputs["input"].moments()[1], stacked(good).std((0, 1, 2)), rtol=1e-14
    )
    found = list(doubles({part: facts.digests for part, facts in alone.parts.items()}))
    assert found == [("train", "train", [(9, 4)]), ("validation", "train", [(10, 4)])]
    paths[20].write_bytes(DEADLY)
    ended = survey(data_of(paths), workers=2)
    assert [bad.name for _, bad in ended.bad] == [str(paths[3]), str(paths[20])]
    assert "SIGKILL" in ended.bad[1][1].reason
    assert [digest for place, digest in enumerate(ended.parts["train"].digests) if place != 20] == [
        digest for place, digest in enumerate(alone.parts["train"].digests) if place != 20
    ]


@pytest.mark.parametrize(("most", "expected"), [(None, 3), (2, 2), (0, 1), (9, 3)])
def test_no_more_processes_read_than_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int | None, expected: int
) -> None:
    asked: list[int] = []

    def here(function: Any, tasks: Any, workers: int) -> Any:
        asked.append(workers)
        return over(function, tasks, 0)

    monkeypatch.setattr(reading, "over", here)
    monkeypatch.setattr(reading, "cores", lambda: 3)
    monkeypatch.setattr(reading, "FEW", 10)
    survey(data_of(files(tmp_path)), most=most)
    assert asked == [expected]


def test_what_cannot_be_read_is_left_out_and_all_else_stays_in_order(tmp_path: Path) -> None:
    paths = files(tmp_path)
    for place in (3, 20, 55):
        paths[place].write_bytes(b"")
    made = without(data_of(paths), survey(data_of(paths), workers=0))
    good = [path for place, path in enumerate(paths) if place not in (3, 20, 55)]
    assert made.train.names == tuple(map(str, good[:48])) and made.validation.names == tuple(map(str, good[48:]))
    assert np.array_equal(made.train.images, stacked(good[:48]))
    assert made.train.labels.tolist() == [place % 3 for place in range(50) if place not in (3, 20)]
    fresh = Split(made.train.inputs, made.train.targets)
    assert made.train.digests == fresh.digests
    for path in paths[TRAINED:]:
        path.write_bytes(b"")
    with pytest.raises(DataError, match="no sample of files"):
        without(data_of(paths), survey(data_of(paths), workers=0))


def known_of(paths: list[Path]) -> Survey:
    return survey(data_of(paths), workers=0, known=Known("settings"))


@pytest.mark.usefixtures("_past")
def test_files_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    paths = files(tmp_path)
    first, second = known_of(paths), known_of(paths)
    assert first.known == 0 and second.known == 72
    for part, facts in first.parts.items():
        again = second.parts[part]
        assert again.digests == facts.digests and again.inputs["input"].moments() == facts.inputs["input"].moments()
    assert survey(data_of(paths), workers=0, known=Known("other settings")).known == 0
    assert survey(data_of(paths), workers=0, known=Known("settings", fresh=True)).known == 0
    for file in (tmp_path / "cache").rglob("*.json"):
        file.write_text(file.read_text("utf-8")[:-40], "utf-8")
    assert known_of(paths).known == 0


@pytest.mark.usefixtures("_past")
def test_a_file_that_changed_is_read_again_whatever_its_times_say(tmp_path: Path) -> None:
    paths = files(tmp_path)
    known_of(paths)
    before = os.stat(paths[5])
    data = bytearray(paths[5].read_bytes())
    data[-20] ^= 1
    time.sleep(0.02)  # the clock of a file system has gone on
    paths[5].write_bytes(data)
    os.utime(paths[5], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(paths[5]).st_size == before.st_size and os.stat(paths[5]).st_mtime_ns == before.st_mtime_ns
    found = known_of(paths)
    assert [bad.name for _, bad in found.bad] == [str(paths[5])] and found.known == 72 - 16
    assert known_of(paths).bad == found.bad  # what cannot be read is asked for each time


@pytest.mark.usefixtures("_past")
def test_what_is_made_of_files_that_did_not_change_may_be_another(tmp_path: Path) -> None:
    """The first image says the size of all, all masks together the type, and a table of its own their classes."""

    def known_with(settings: str, step: Callable[[np.ndarray], np.ndarray]) -> int:
        data = data_of(files_there)
        data.train.inputs["input"].source.settings = settings  # type: ignore[union-attr]
        made = data.map(lambda split: Split.of(mapped(split.inputs["input"], step), split.labels, split.names))
        return survey(made, workers=0, known=Known("settings")).known

    def as_bytes(images: np.ndarray) -> np.ndarray:
        return images

    files_there = files(tmp_path)
    for settings, step in (
        ("", as_bytes),
        ("", lambda images: images.astype(np.int16)),
        ("", lambda images: images[:, 1:]),
        ("red: 1", as_bytes),
    ):
        assert known_with(settings, step) == 0
        assert known_with(settings, step) == 72


@pytest.mark.usefixtures("_past")
def test_samples_of_a_shard_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    def known_there() -> int:
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            for number, path in enumerate(paths):
                tar.add(path, f"{number}.png")
                about = tarfile.TarInfo(f"{number}.cls")
                about.size = 1
                tar.addfile(about, io.BytesIO(b"1"))
        return again()

    def again() -> int:
        shards = Webdataset(path=str(tmp_path / "a.tar"))
        return survey(shards.reading(Reading("always", 0)).load(), workers=0, known=Known("settings")).known

    paths = files(tmp_path)
    assert known_there() == 0 and again() == 72
    time.sleep(0.02)  # the clock of a file system has gone on
    assert known_there() == 0


def test_files_that_have_just_changed_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = files(tmp_path)
    known_of(paths)
    assert known_of(paths).known == 0


def test_a_function_that_processes_cannot_have_runs_here() -> None:
    here: list[int] = []

    def keep(number: int) -> int:
        here.append(number)
        return number * 2

    assert list(over(keep, [1, 2, 3], 2)) == [(0, 2), (1, 4), (2, 6)] and here == [1, 2, 3]
