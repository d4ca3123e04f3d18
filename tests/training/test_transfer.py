"""Transfer learning: what is taken over, what is frozen, what thaws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from archspec.diagnostics import SpecError
from archspec.inference.evaluating import evaluate
from archspec.inference.predicting import predict
from archspec.loading import load
from archspec.lower import build, split
from archspec.runs.checkpoints import Checkpoints
from archspec.runs.reading import opened, restored
from archspec.spec.train import InitFrom
from archspec.training.beginning import initial_weights
from archspec.training.run import train
from archspec.weights.folder import export_weights, import_weights
from tests.runs.stopping import stopped_after

Write = Callable[..., Path]

BODY = """
input: {height: 12, width: 12, channels: 1}
layers:
  - conv: {name: body.c, filters: 4, kernel: 3}
  - batch_norm: {name: body.n}
  - relu
  - flatten
  - dropout: 0.2
  - dense: {name: %s, units: %d}
train:
  dataset: {npz: %s}
  batch_size: 20
  epochs: %d
  optimiser: {sgd: {learning_rate: 0.05, weight_decay: 0.01, decay: all}}
  schedule: cosine
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two small sets of different classes."""
    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("data")
    paths = []
    for classes in (4, 3):
        y = np.arange(200) % classes
        x = generator.integers(0, 90, (200, 12, 12)).astype(np.uint8)
        for image, label in zip(x, y, strict=True):
            image[3 * label : 3 * label + 3, :] += 120
        paths.append(folder / f"{classes}.npz")
        np.savez(paths[-1], x=x, y=y)
    return paths[0], paths[1]


@pytest.fixture(scope="module")
def source(data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run of four classes."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "net.yaml").write_text("archspec: 1\nname: source\n" + BODY % ("head", 4, data[0], 3))
    return train(load(folder / "net.yaml"), folder / "run", progress=False).folder


def target(write: Write, data: tuple[Path, Path], init: str, head: str = "head", epochs: int = 4) -> Path:
    return write(BODY % (head, 3, data[1], epochs) + f"  init_from: {init}\n")


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    run, spec = opened(folder)
    return {name: np.asarray(value) for name, value in restored(run, spec).items()}


@pytest.mark.slow
def test_a_frozen_body_stays_as_it_was_to_the_bit(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    before = arrays_of(source)
    spec = load(target(write, data, f"{{path: {source}, exclude: [head], freeze: [body]}}"))
    result = train(spec, tmp_path / "run", progress=False)
    after = arrays_of(tmp_path / "run")
    body = [name for name in before if name.startswith("body.")]
    assert len(body) == 6
    for name in body:
        assert np.array_equal(before[name], after[name]), name
    assert before["head.kernel"].shape[1] == 4
    assert after["head.kernel"].shape[1] == 3
    assert result.accuracy > 0.8
    checkpoints = Checkpoints(tmp_path / "run")
    assert checkpoints.latest is not None
    saved = checkpoints.about(checkpoints.latest)["sha256"]
    state = [name for name in saved if name.startswith("['optimiser']")]
    assert any("head.kernel" in name for name in state)
    assert not any("body.c.kernel" in name for name in state)


def test_what_is_frozen_thaws_and_resumes_with_the_same_bits(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    spec = load(target(write, data, f"{{path: {source}, exclude: [head], freeze: [body], freeze_epochs: 2}}"))
    before = arrays_of(source)
    whole = train(spec, tmp_path / "whole", progress=False)
    assert not np.array_equal(before["body.c.kernel"], whole.params["body.c.kernel"])
    assert not np.array_equal(before["body.n.mean"], whole.statistics["body.n.mean"])
    epoch = whole.metrics[0]["step"]
    for stop in (epoch + 1, 2 * epoch, 3 * epoch - 1):  # within the frozen stretch, at its end, after it
        with stopped_after(stop):
            train(spec, tmp_path / str(stop), progress=False)
        again = train(spec, tmp_path / str(stop), progress=False)
        for name, value in whole.params.items():
            assert np.array_equal(value, again.params[name]), (stop, name)
        for name, value in whole.statistics.items():
            assert np.array_equal(value, again.statistics[name]), (stop, name)
    rates = [record["learning_rate"] for record in whole.metrics]
    assert rates == sorted(rates, reverse=True)


def test_runs_can_be_used_when_their_source_is_gone(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    import shutil

    from PIL import Image

    shutil.copytree(source, tmp_path / "copy")
    spec = load(target(write, data, f"{{path: {tmp_path / 'copy'}, exclude: [head], freeze: [body]}}"))
    train(spec, tmp_path / "run", progress=False)
    shutil.rmtree(tmp_path / "copy")
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(tmp_path / "black.png")
    assert predict(tmp_path / "run", [tmp_path / "black.png"])
    assert train(spec, tmp_path / "run", progress=False).metrics


def test_a_file_of_tensors_does_as_well(write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path) -> None:
    export_weights(source, tmp_path / "w.safetensors", names="pytorch")
    init = f"{{path: {tmp_path / 'w.safetensors'}, exclude: [head], freeze: [body.*]}}"
    train(load(target(write, data, init, epochs=1)), tmp_path / "run", progress=False)
    before, after = arrays_of(source), arrays_of(tmp_path / "run")
    assert all(np.array_equal(before[name], after[name]) for name in before if name.startswith("body."))


def test_a_head_of_another_name_is_excluded_on_both_sides(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    init = f"{{path: {source}, exclude: [head, top], freeze: ['*']}}"
    train(load(target(write, data, init, "top", 1)), tmp_path / "run", progress=False)
    before, after = arrays_of(source), arrays_of(tmp_path / "run")
    assert "top.kernel" in after
    assert all(np.array_equal(before[name], after[name]) for name in before if name.startswith("body."))


@pytest.mark.parametrize(
    ("init", "code", "words"),
    [
        ("SOURCE", "E537", "exclude: [head]"),
        ("{path: SOURCE, exclude: [haed]}", "E515", "haed"),
        ("{path: SOURCE, exclude: [haed], freeze: ['*']}", "E515", "did you mean `head`"),
        ("{path: SOURCE, exclude: [head], freeze: [bodi]}", "E515", "did you mean `body`"),
        ("nowhere", "E531", "nowhere"),
        ("TMP", "E512", "holds no run"),
        ("{path: TMP/run, exclude: [head]}", "E511", "is what `init_from` names"),
    ],
)
def test_what_cannot_begin_is_answered(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path, init: str, code: str, words: str
) -> None:
    init = init.replace("SOURCE", str(source)).replace("TMP", str(tmp_path))
    with pytest.raises(SpecError) as error:
        train(load(target(write, data, init)), tmp_path / "run", progress=False)
    found = error.value.diagnostics[0]
    assert found.code == code
    assert words in str(error.value)
    # The line of `init_from`, whatever finds the fault.
    assert found.primary is not None
    assert "init_from" in found.primary.span.source.line(found.primary.span.line)


def test_something_must_be_left_to_train(write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path) -> None:
    path = write(BODY % ("head", 4, data[0], 1) + f"  init_from: {{path: {source}, freeze: ['**']}}\n")
    with pytest.raises(SpecError, match="nothing to train") as error:
        train(load(path), tmp_path / "run", progress=False)
    assert error.value.diagnostics[0].code == "E516"
    assert not (tmp_path / "run").exists()


def test_nothing_is_deleted_before_everything_else_is_right(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(source, run)
    held = sorted(path.name for path in run.iterdir())
    for init in (f"{{path: {run}, exclude: [head]}}", f"{tmp_path}/nothing", f"{{path: {source}}}"):
        with pytest.raises(SpecError):
            train(load(target(write, data, init)), run, overwrite=True, progress=False)
        assert sorted(path.name for path in run.iterdir()) == held
    # What could not begin leaves no folder that would be in the way of the next attempt.
    with pytest.raises(SpecError):
        train(load(target(write, data, str(source))), tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


def test_a_run_does_not_mix_with_imported_weights(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    export_weights(source, tmp_path / "w.safetensors", names="pytorch")
    spec = source.parent / "net.yaml"
    import_weights(str(spec), tmp_path / "w.safetensors", tmp_path / "net")
    with pytest.raises(SpecError) as error:
        train(load(spec), tmp_path / "net", progress=False)
    assert error.value.diagnostics[0].code == "E511"
    result = train(load(spec), tmp_path / "net", overwrite=True, progress=False)
    assert evaluate(tmp_path / "net")["top1"] == result.accuracy
    with pytest.raises(SpecError) as error:
        export_weights(source, source / "weights.safetensors")
    assert error.value.diagnostics[0].code == "E534"


def test_mis_shaped_tensors_name_their_layer(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    arrays = arrays_of(source)
    save_file({**arrays, "body.c.kernel": arrays["body.c.kernel"][:2].copy()}, tmp_path / "w.safetensors")
    with pytest.raises(SpecError) as error:
        train(load(target(write, data, f"{{path: {tmp_path}/w.safetensors, exclude: [head]}}")), tmp_path / "r")
    assert "body.c.kernel is 2×3×1×4, not 3×3×1×4" in str(error.value)
    assert "exclude: [body.c]" in str(error.value)


@pytest.mark.slow
def test_pixels_that_the_weights_do_not_expect_are_noted(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = target(write, data, f"{{path: {source}, exclude: [head]}}", epochs=1)
    train(load(path), tmp_path / "same")
    assert "note:" not in capsys.readouterr().out
    path.write_text(path.read_text().replace("channels: 1}", "channels: 1, mean: [0.5], std: [0.5]}"))
    train(load(path), tmp_path / "other")
    text = capsys.readouterr().out
    assert f"note: the weights of {source} expect pixels with range [0, 1]" in text
    assert "but `input` has range [0, 1], mean [0.5], std [0.5]" in text


@pytest.mark.slow
def test_only_weights_of_other_names_say_what_they_expect(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a table of names does not say is what `input` has where it says nothing, not what it has here."""
    export_weights(source, tmp_path / "own.safetensors", names="pytorch")
    save_file(load_file(tmp_path / "own.safetensors"), tmp_path / "w.safetensors")  # without what it says of itself
    init = f"{{path: {tmp_path}/w.safetensors, exclude: [head]}}"
    notes = []
    for number, (input, table) in enumerate(
        [
            ("", "{input: {mean: [0.5]}}"),
            (", range: [0, 255], mean: [0.5]", "{input: {mean: [0.5]}}"),
            (", range: [0, 255]", "{}"),
            ("", "{input: {mean: [0.5, 0.5, 0.5]}}"),
        ]
    ):
        path = target(write, data, init, epochs=1)
        path.write_text(
            path.read_text().replace("channels: 1}", f"channels: 1{input}}}") + f"weights: {{w: {table}}}\n"
        )
        train(load(path), tmp_path / str(number))
        notes.append("expect pixels with range [0, 1], mean [0.5]," in capsys.readouterr().out)
    assert notes == [True, True, False, False]


def test_a_layer_of_one_name_does_not_decide_which_names_hold(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    path = write(
        BODY.replace("body.", "top.") % ("head", 3, data[1], 1)
        + f"  init_from: {{path: {source}, exclude: [head]}}\n"
        + "weights: {other: {names: {top.*: body.*}, partial: true}}\n"
    )
    train(load(path), tmp_path / "run", progress=False)
    before, after = arrays_of(source), arrays_of(tmp_path / "run")
    assert before["body.c.kernel"].shape == after["top.c.kernel"].shape
    # Without the table nothing but the head has a tensor, and the answer says how to go on.
    with pytest.raises(SpecError) as error:
        train(load(write(path.read_text().partition("weights:")[0], whole=True)), tmp_path / "no", progress=False)
    assert error.value.diagnostics[0].code == "E536"


def test_broken_numbers_may_be_left_out(write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path) -> None:
    arrays = arrays_of(source)
    save_file({**arrays, "head.bias": arrays["head.bias"] * np.nan}, tmp_path / "w.safetensors")
    train(load(target(write, data, f"{{path: {tmp_path}/w.safetensors, exclude: [head]}}", epochs=1)), tmp_path / "run")
    save_file({**arrays, "body.c.bias": arrays["body.c.bias"] * np.nan}, tmp_path / "w.safetensors")
    with pytest.raises(SpecError) as error:
        train(load(target(write, data, f"{{path: {tmp_path}/w.safetensors, exclude: [head]}}")), tmp_path / "no")
    assert error.value.diagnostics[0].code == "E539"


@pytest.mark.slow
def test_another_folder_is_said(
    write: Write,
    data: tuple[Path, Path],
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = target(write, data, f"{{path: {source}, exclude: [head]}}", epochs=1)
    first = train(load(path))
    assert "another run" not in capsys.readouterr().out
    path.write_text(path.read_text().replace("batch_size: 20", "batch_size: 10"))
    second = train(load(path))
    text = capsys.readouterr().out
    assert f"{first.folder} holds another run" in text
    assert f"this one is in {second.folder}" in text


@pytest.mark.slow
def test_a_classifier_becomes_a_fully_convolutional_network(
    write: Write, data: tuple[Path, Path], source: Path, tmp_path: Path
) -> None:
    """Its dense layer over the whole map is a convolution, which gives the same numbers in the middle of the image."""
    path = tmp_path / "dense.yaml"
    path.write_text(
        "archspec: 1\nname: fcn\ntask: segmentation\n"
        "input: {height: 12, width: 12, channels: 1}\n"
        "layers:\n"
        "  - conv: {name: top.c, filters: 4, kernel: 3}\n"
        "  - batch_norm: {name: top.n}\n"
        "  - relu\n"
        "  - conv: {name: top.head, filters: 4, kernel: 10}\n"
        "weights: {source: {names: {top.c: body.c, top.n: body.n, top.head: head}, partial: true}}\n"
    )
    spec = load(path)
    graph = spec.graph()
    given = initial_weights(InitFrom(path=str(source)), spec, graph)
    pure, params, statistics = split(build(graph))
    assert given.arrays.keys() == {*params, *statistics}
    x = np.random.default_rng(0).uniform(0, 1, (2, 12, 12, 1)).astype(np.float32)
    found, _ = pure.apply(
        {name: given.arrays[name] for name in params}, {name: given.arrays[name] for name in statistics}, x, train=False
    )
    own = load(source / "spec.yaml").graph()
    theirs, *parts = split(build(own))
    arrays = arrays_of(source)
    expected, _ = theirs.apply(*({name: arrays[name] for name in part} for part in parts), x, train=False)
    assert found.shape == (2, 1, 1, 4)
    assert np.allclose(found[:, 0, 0], expected, atol=1e-5)


@pytest.mark.slow
def test_arrays_without_a_place_in_pytorchs_layout_are_taken_over_as_they_are(
    write: Write, data: tuple[Path, Path], tmp_path: Path
) -> None:
    """Two maps of other shapes, flattened and added: which of PyTorch's features goes where cannot be told."""
    layers = """
layers:
  - conv: {name: c, filters: 1, kernel: 1}
  - parallel:
      branches: [[flatten], [{max_pool: 2}, {conv: {filters: 4, kernel: 1}}, flatten]]
      join: add
  - dense: {name: d, units: 4}
"""
    body = BODY % ("head", 4, data[0], 1)
    text = body[: body.index("layers:")] + layers.lstrip() + body[body.index("train:") :]
    first = train(load(write(text)), tmp_path / "first", progress=False).folder
    with pytest.raises(SpecError) as error:
        export_weights(first, tmp_path / "w.safetensors", names="pytorch")
    assert error.value.diagnostics[0].code == "E538"
    export_weights(first, tmp_path / "w.safetensors", names="archspec")
    for source in (first, tmp_path / "w.safetensors"):
        given = initial_weights(InitFrom(path=str(source)), load(write(text)), load(write(text)).graph())
        assert np.array_equal(given.arrays["d.kernel"], arrays_of(first)["d.kernel"])
