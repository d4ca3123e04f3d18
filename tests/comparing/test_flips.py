"""Where the answers of two trained runs differ, against their predictions taken one by one."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec import diff
from archspec.cli import main
from archspec.comparing.flips import mcnemar
from archspec.comparing.markdown import markdown
from archspec.loading import open_spec
from archspec.training.run import train
from tests.digits import some_digits

HEAD = "archspec: 1\nname: net\n"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short runs of other sizes of input on some of the digits, the second on half of these."""
    folder = tmp_path_factory.mktemp("runs")
    with np.load(some_digits(folder, 20)) as file:
        np.savez(folder / "half.npz", x=file["x"][::2], y=file["y"][::2])
    for name, side, data, more in (("one", 28, "digits", ""), ("other", 14, "half", ", pad: same")):
        text = f"input: {{height: {side}, width: {side}, channels: 1, fit: resize}}\nlayers:\n"
        text += f"- conv: {{filters: 4, kernel: 5, stride: 3{more}}}\n- relu\n- flatten\n- dense: {{units: 10}}\n"
        text += f"train: {{dataset: {{npz: {data}.npz}}, epochs: 3, batch_size: 20, optimiser: {{adam: 0.01}}}}\n"
        (folder / f"{name}.yaml").write_text(HEAD + text)
        train(open_spec(str(folder / f"{name}.yaml")), folder / name, progress=False, page=False)
    return folder


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (3, 3), (36, 3), (0, 7), (12, 25), (500, 505), (600, 700)])
def test_mcnemars_test_is_exact(lost: int, won: int) -> None:
    """Against the binomial distribution in fractions."""
    number = lost + won
    below = sum(Fraction(comb(number, k), 2**number) for k in range(min(lost, won) + 1))
    assert mcnemar(lost, won) == pytest.approx(float(min(Fraction(1), 2 * below)), rel=1e-9)
    assert mcnemar(lost, won) == mcnemar(won, lost)


@pytest.mark.slow
def test_flips_are_those_of_the_predictions(runs: Path) -> None:
    found = diff(runs / "one", runs / "other", predictions="held-out").flips
    assert found is not None
    data = archspec.load(runs / "one.yaml").train
    assert data is not None
    part = data.dataset.load().validation
    answers = [archspec.open(runs / name).predict(part.images) for name in ("one", "other")]
    label, first, second = part.labels, *(np.array(answer.classes) for answer in answers)
    ways: Counter[str] = Counter()
    for truth, a, b in zip(label, first, second, strict=True):
        if a == b:
            ways["right" if a == truth else "wrong"] += 1
        else:
            ways["right → wrong" if a == truth else "wrong → right" if b == truth else "wrong → other wrong"] += 1
    assert {kind: number for kind, number in found.counts.items() if number} == dict(ways) and ways[
        "wrong → right"
    ] >= 0
    assert len(found.flips) == int((first != second).sum()) > 5
    assert Counter({tuple(pair[:3]): pair[3] for pair in found.pairs}) == Counter(
        (str(t), str(a), str(b)) for t, a, b in zip(label, first, second, strict=True) if a != b
    )
    for flip in found.flips:
        index = int(flip.sample.split()[1].replace(",", ""))
        assert (flip.before, flip.after) == (str(first[index]), str(second[index]))
        for place, sure in enumerate(flip.sure):
            own = answers[place].probabilities[index].max()
            assert sure == pytest.approx(own, rel=1e-4)
    assert found.chance == mcnemar(ways["right → wrong"], ways["wrong → right"])


def test_samples_that_the_other_run_was_trained_on_are_said(runs: Path) -> None:
    """The second run's training part is of every second sample, of which the first run holds some out."""
    with np.load(runs / "digits.npz") as file:
        images = [image.tobytes() for image in file["x"]]
    parts = [archspec.load(runs / f"{name}.yaml").train.dataset.load() for name in ("one", "other")]  # type: ignore[union-attr]
    held = [image.tobytes() for image in parts[0].validation.images]
    trained = {image.tobytes() for image in parts[1].train.images}
    both = sum(image in trained for image in held)
    assert set(held) <= set(images) and both > 0
    found = diff(runs / "one", runs / "other", predictions="validation").flips
    assert found is not None and f"the second run was trained on {both} of these samples" in found.notes


def test_a_run_beside_itself_flips_nothing(runs: Path) -> None:
    found = diff(runs / "one", runs / "one", predictions="train")
    assert found.flips is not None and not found.flips.differ and found.flips.chance == 1.0
    assert not found.differs


def test_flips_in_every_format(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["diff", str(runs / "one"), str(runs / "other"), "--predictions"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "McNemar's exact test" in text and "samples whose answers flip" in text
    assert main([*words, "--format", "json"]) == 0
    plain = json.loads(capsys.readouterr().out)["predictions"]
    assert sum(plain["counts"].values()) == plain["samples"] and plain["flips"][0]["before"]["probability"] <= 1
    assert "flips by classes" in markdown(diff(runs / "one", runs / "other", predictions="held-out"))
    assert main([*words, "test"]) == 1
    assert "has no test part" in capsys.readouterr().err


@pytest.mark.slow
def test_maps_flip_place_by_place(tmp_path: Path) -> None:
    folder = tmp_path
    generator = np.random.default_rng(0)
    images = generator.integers(0, 255, (24, 8, 8, 1), np.uint8)
    np.savez(folder / "maps.npz", x=images, y=(images[..., 0] > 127).astype(np.int32))
    for name, kernel in (("one", 1), ("other", 3)):
        text = "task: segmentation\ninput: {height: 8, width: 8, channels: 1}\nlayers:\n"
        text += f"- conv: {{filters: 2, kernel: {kernel}, pad: same}}\n"
        text += "train: {dataset: {npz: maps.npz}, epochs: 2, batch_size: 8, optimiser: {adam: 0.05}}\n"
        (folder / f"{name}.yaml").write_text(HEAD + text)
        train(open_spec(str(folder / f"{name}.yaml")), folder / name, progress=False, page=False)
    found = diff(folder / "one", folder / "other", predictions="held-out").flips
    assert found is not None and found.what == "places" and found.chance is None
    part = archspec.load(folder / "one.yaml").train.dataset.load().validation  # type: ignore[union-attr]
    masks = [np.array(archspec.open(folder / name).predict(part.images).masks) for name in ("one", "other")]
    truth = part.labels
    right = [mask == truth for mask in masks]
    assert found.counts["right → wrong"] == int((right[0] & ~right[1]).sum())
    assert found.counts["wrong → right"] == int((~right[0] & right[1]).sum())
    assert sum(flip.places for flip in found.flips) == int((masks[0] != masks[1]).sum()) > 0
