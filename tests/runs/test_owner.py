"""One process writes a folder at a time, and what it does not own it does not touch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archspec.diagnostics import DataError
from archspec.runs import holding
from archspec.runs import owner as owner_module
from archspec.runs.changes import changes, epochs_of, lines
from archspec.runs.choosing import AUTO, choose_folder, goes_on, take_folder
from archspec.runs.folder import RunFolder, occupied
from archspec.runs.imports import check_output
from archspec.runs.owner import MARKER, check_free, marker_of, take

HOLDING = """
import sys, time
from pathlib import Path
from archspec.runs.owner import take
owner = take(Path(sys.argv[1]), "run")
print("held", flush=True)
time.sleep(60)
"""


def code(error: pytest.ExceptionInfo[DataError]) -> str:
    return error.value.code


def test_a_second_process_is_told_who_writes_until_the_first_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "run"
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        for function in (lambda: take(folder, "run"), lambda: check_free(folder)):
            with pytest.raises(DataError) as error:
                function()
            assert code(error) == "E517"
            assert f"process {process.pid} on {os.uname().nodename}, since 2" in error.value.message
        process.kill()
    owner = take(folder, "run")  # nothing has to be cleaned up
    marker = marker_of(folder)
    assert marker is not None
    assert marker["process"] == os.getpid()
    owner.release()


LOCKLESS = "import archspec.runs.owner as owner\nowner._locked = lambda descriptor: None\n" + HOLDING


def test_without_locks_a_file_says_who_writes_until_its_process_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    monkeypatch.setattr(owner_module, "_locked", lambda descriptor: None)
    with subprocess.Popen([sys.executable, "-c", LOCKLESS, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        for function in (lambda: take(folder, "run"), lambda: check_free(folder)):
            with pytest.raises(DataError) as error:
                function()
            assert code(error) == "E517"
            assert f"process {process.pid} on {os.uname().nodename}" in error.value.message
        process.kill()
    assert not occupied(folder)
    owner = take(folder, "run")
    with pytest.raises(DataError):
        take(folder, "run")
    owner.release()
    assert not folder.exists() or not list(folder.iterdir())


def test_without_locks_another_hosts_file_counts_until_it_is_no_longer_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_module, "_locked", lambda descriptor: None)
    monkeypatch.setattr(holding, "TOUCHED", 0.01)
    lock = tmp_path / holding.LOCK
    lock.write_text(json.dumps({"process": 1, "host": "elsewhere"}))
    with pytest.raises(DataError):
        take(tmp_path, "run")
    long_ago = time.time() - holding.STALE - 1
    os.utime(lock, (long_ago, long_ago))
    owner = take(tmp_path, "run")
    os.utime(lock, (long_ago, long_ago))
    deadline = time.monotonic() + 60
    while lock.stat().st_mtime < long_ago + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lock.stat().st_mtime > long_ago + 1  # it is touched
    owner.check()
    lock.unlink()
    lock.write_text("{}")  # as another process would, to which this one seemed dead
    while time.monotonic() < deadline:
        try:
            owner.check()
        except DataError as error:
            assert error.code == "E517"
            break
        time.sleep(0.01)
    else:
        raise AssertionError("it was not noticed")
    owner.release()
    assert lock.read_text() == "{}"


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    owner = take(tmp_path / "a" / "b", "run")
    assert (tmp_path / "a" / "b" / MARKER).is_file()
    owner.release()
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    take(tmp_path / "mine", "run").release()
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("moved", [True, False])
def test_a_folder_that_goes_away_is_noticed(tmp_path: Path, moved: bool) -> None:
    owner = take(tmp_path / "run", "run")
    owner.check()
    if moved:
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        (tmp_path / "run").mkdir()  # another of the same name is not the same
    else:
        (tmp_path / "run" / MARKER).unlink()
        (tmp_path / "run").rmdir()
    with pytest.raises(DataError) as error:
        owner.check()
    assert code(error) == "E514"
    assert ("was moved" if moved else "was deleted") in error.value.message
    if moved and Path("/proc/self/fd").is_dir():
        assert error.value.notes == (f"it is now {tmp_path / 'elsewhere'}",)
    owner.release()


def test_a_marker_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run" / MARKER).symlink_to(tmp_path / "precious")
    with pytest.raises(DataError) as error:
        take(tmp_path / "run", "run")
    assert code(error) == "E514"
    assert (tmp_path / "precious").read_text() == "mine"


def a_run(folder: Path, spec: str = "name: net\n") -> RunFolder:
    run = RunFolder(folder)
    owner = take(folder, "run")
    run.begin(owner, spec, "report", {"archspec": "1", "packages": {}})
    (folder / "checkpoints" / "3").mkdir(parents=True)
    (folder / "checkpoints" / "3" / "data").write_text("")
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.1.host").write_text("")
    owner.release()
    return run


def test_overwriting_deletes_what_the_run_made_and_nothing_else(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    (run.path / "notes.txt").write_text("mine")
    (run.path / "weights.safetensors").write_text("exported by me")
    (run.path / "checkpoints" / "best").mkdir()
    (run.path / "tensorboard" / "profile.txt").write_text("mine")
    (run.path / "spec.yaml.12-0.partial").write_text("na")
    run.clear()
    left = {str(path.relative_to(run.path)) for path in run.path.rglob("*")}
    assert left == {
        MARKER, "notes.txt", "weights.safetensors", "checkpoints", "checkpoints/best", "tensorboard",
        "tensorboard/profile.txt",
    }  # fmt: skip


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_spec_of_ones_own_is_never_deleted(tmp_path: Path, overwrite: bool) -> None:
    """Nor is it said that it could be."""
    (tmp_path / "spec.yaml").write_text("name: mine\n")
    with pytest.raises(DataError) as error:
        choose_folder("net", "name: net\n", tmp_path, overwrite)
    assert code(error) == "E511"
    assert "--overwrite" not in " ".join(error.value.help)
    # In a run's folder too, where it took the place of the run's own.
    run = a_run(tmp_path / "run")
    (run.path / "spec.yaml").write_text("name: mine\n")
    with pytest.raises(DataError) as error:
        choose_folder("net", "name: net\n", run.path, overwrite)
    assert "--overwrite" not in " ".join(error.value.help)
    if overwrite:
        assert code(error) == "E511"
    with pytest.raises(DataError):
        run.clear()
    assert (run.path / "spec.yaml").read_text() == "name: mine\n"
    assert (run.path / "checkpoints" / "3").is_dir()


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/3", "tensorboard", "metrics.jsonl", "spec.yaml"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    run = a_run(tmp_path / "run")
    precious = tmp_path / "precious"
    path = run.path / name
    if path.is_dir():
        path.rename(precious)
    else:
        precious.write_text("name: net\n")
        path.unlink(missing_ok=True)
    path.symlink_to(precious)
    with pytest.raises(DataError) as error:
        choose_folder("net", "name: other\n", run.path, True)
    assert code(error) == "E511"
    assert f"{path} is a link" in error.value.message
    assert precious.exists()
    with pytest.raises(DataError) as error:
        choose_folder("net", "name: other\n", run.path, False)
    assert "--overwrite" not in " ".join(error.value.help)


@pytest.mark.parametrize(
    "left", [[MARKER], ["spec.yaml.partial"], [MARKER, "spec.yaml.77-1.partial", "weights.safetensors.77-0.partial"]]
)
def test_what_a_kill_in_the_first_moment_leaves_is_in_nobodys_way(tmp_path: Path, left: list[str]) -> None:
    for name in left:
        (tmp_path / name).write_text("")
    assert not occupied(tmp_path)
    assert choose_folder("net", "name: net\n", tmp_path, False).path == tmp_path
    check_output(tmp_path)
    owner = take(tmp_path, "run")
    RunFolder(tmp_path).clear()
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]
    owner.release()


@pytest.mark.parametrize("name", ["x" * 300, b"caf\xe9".decode("utf-8", "surrogateescape"), "null\0byte", "a/" * 3000])
def test_names_that_no_folder_can_have_are_answered(tmp_path: Path, name: str) -> None:
    for function in (lambda path: choose_folder("net", "", path, False), check_output):
        try:
            function(tmp_path / name)
        except DataError as error:
            assert error.code in ("E511", "E514")
            error.message.encode()  # can be printed
        else:
            assert name.startswith("caf")  # where names are bytes, these are one


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is open to root")
def test_a_closed_folder_is_answered(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o000)
    for path in (tmp_path / "closed", tmp_path / "closed" / "run"):
        with pytest.raises(DataError) as error:
            choose_folder("net", "", path, False)
        assert code(error) == "E514"


def test_what_the_system_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(self: Path) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(DataError) as error:
        choose_folder("net", "", tmp_path, False)
    assert code(error) == "E514"
    assert "Permission denied" in error.value.message


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", '{"purpose": 3, "specs": 7}', "[" * 100_000])
def test_a_damaged_marker_is_no_reason_to_fail(tmp_path: Path, text: str) -> None:
    run = a_run(tmp_path / "run")
    (run.path / MARKER).write_text(text)
    assert run.purpose == "run"  # by run.json
    take(run.path, "run").release()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / MARKER).write_text(text)
    (tmp_path / "other" / "thesis.tex").write_text("years")
    with pytest.raises(DataError) as error:
        choose_folder("net", "", tmp_path / "other", True)
    assert code(error) == "E511"


def test_what_a_longer_text_left_behind_a_marker_is_passed_over(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    before = marker_of(run.path)
    assert before is not None
    with (run.path / MARKER).open("a") as file:
        file.write('30 09:00:00"}')
    assert marker_of(run.path) == before


def test_a_marker_for_which_there_is_no_space_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DataError) as error:
        take(tmp_path / "new" / "run", "run")
    assert code(error) == "E514"
    assert not list(tmp_path.iterdir())


def test_masks_make_no_run(tmp_path: Path) -> None:
    owner = take(tmp_path / "masks", "masks")
    (tmp_path / "masks" / "a_mask.png").write_text("")
    assert RunFolder(tmp_path / "masks").purpose is None
    owner.release(forget=True)
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["a_mask.png"]


SPEC = "name: net\ntrain:\n  batch_size: 3\n  epochs: %d\n  seed: 0\n"


def test_a_run_goes_on_with_more_epochs_and_with_what_changes_no_step() -> None:
    longer = goes_on(SPEC % 4, SPEC % 8)
    assert longer is not None and epochs_of(longer) == (4, 8)
    assert goes_on(SPEC % 8, SPEC % 4) is None
    assert goes_on(SPEC % 4, SPEC % 4) == []
    assert goes_on(SPEC % 4, (SPEC % 8).replace("seed: 0", "seed: 1")) is None
    assert goes_on(SPEC % 4, SPEC % 8 + "task: regression\n") is None
    assert goes_on(None, SPEC % 4) is None
    assert goes_on("args:\n  epochs: 4\n", "args:\n  epochs: 8\n") is None
    more = SPEC % 4 + "  keep: 3\n  early_stopping: {patience: 3}\n"
    found = goes_on(SPEC % 4, more)
    assert found is not None
    assert lines(found) == ["train.keep: nothing → 3", "train.early_stopping.patience: nothing → 3"]


def test_changes_are_said_by_path_with_both_values() -> None:
    old = "layers:\n  - conv: {name: c1, filters: 6, kernel: [5, 5]}\n  - relu: {name: r}\ntrain: {metrics: []}\n"
    new = "layers:\n  - conv: {name: c1, filters: 8, kernel: [5, 5]}\n  - tanh: {name: r}\ntrain: {metrics: [psnr]}\n"
    found = changes(old, new)
    assert found is not None
    assert lines(found) == [
        "layers.c1.filters: 6 → 8",
        "layers.r: relu → tanh",
        "train.metrics: [] → [psnr]",
    ]
    many = changes("".join(f"a{n}: 1\n" for n in range(20)), "".join(f"a{n}: true\n" for n in range(20)))
    assert many is not None and len(many) == 20
    assert lines(many)[-2:] == ["a11: 1 → true", "and 8 more"]
    assert changes("a: [", "a: 1") is None


def test_auto_numbers_a_new_folder_always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    owners = []
    for number in ("", "-2", "-3"):
        folder, owner = take_folder("net", SPEC % 4, AUTO, False)
        assert folder.path == Path(f"runs/net{number}")
        owners.append(owner)
    owners[0].release()
    a_run(Path("runs/net"), SPEC % 4)
    assert choose_folder("net", SPEC % 4, AUTO, False).path == Path("runs/net-4")


def test_the_usual_folder_is_the_same_run_then_a_shorter_one_then_a_free_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose_folder("net", SPEC % 4, None, False).path == Path("runs/net")
    a_run(Path("runs/net"), SPEC % 2)
    a_run(Path("runs/net-2"), SPEC % 4)
    assert choose_folder("net", SPEC % 4, None, False).path == Path("runs/net-2")
    assert choose_folder("net", SPEC % 8, None, False).path == Path("runs/net")
    assert choose_folder("net", (SPEC % 8).replace("seed: 0", "seed: 1"), None, False).path == Path("runs/net-3")
    owner = take(Path("runs/net-3"), "run", begins="another spec's")
    assert choose_folder("net", (SPEC % 8).replace("seed: 0", "seed: 1"), None, False).path == Path("runs/net-4")
    owner.release()


RECORDS = [
    {"epoch": step / 2, "step": step, "train": {"loss": 1.0 / step}, "validation": {"loss": 0.5}}
    for step in range(1, 6)
]


@pytest.mark.parametrize(
    ("lines", "steps", "words"),
    [
        ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5], None),
        ([0, 2, 3], [1, 3, 4], "no line of steps 2 and 5"),
        ([0, 1, 1, 2, 3, 4], [1, 2, 3, 4, 5], "more than one line of step 2"),
        ([4, 3, 2, 1, 0], [1, 2, 3, 4, 5], None),
        ([0, "nonsense", 1, "[3]", '{"step": "4"}', 2, "[" * 9999, 3, 4], [1, 2, 3, 4, 5], "4 of 9 lines"),
        ([0, 1, 2, 3, 4, '{"epo'], [1, 2, 3, 4, 5], None),
        ([], [], "no line of steps 1, 2, 3, 4 and 5"),
    ],
)
def test_metrics_lost_doubled_or_damaged(tmp_path: Path, lines: list[int | str], steps: list[int], words: str) -> None:
    text = "".join((json.dumps(RECORDS[line]) if isinstance(line, int) else line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text[:-1] if text.endswith('{"epo\n') else text)
    records, notes = RunFolder(tmp_path).keep_metrics(5, range(1, 6))
    assert [record["step"] for record in records] == steps
    assert (words is None) == (notes == [])
    assert words is None or words in " ".join(notes)
    assert (tmp_path / "metrics.jsonl").read_text() == "".join(json.dumps(record) + "\n" for record in records)


def test_bytes_that_are_no_text_are_lines_that_cannot_be_read(tmp_path: Path) -> None:
    text = "".join(json.dumps(record) + "\n" for record in RECORDS[:2])
    (tmp_path / "metrics.jsonl").write_bytes(text.encode() + b"\xff\xfe\x00\n")
    records, notes = RunFolder(tmp_path).metrics()
    assert len(records) == 2
    assert "1 of 3 lines" in notes[0]


def test_records_that_call_test_what_is_validation_are_not_misread(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1, "train": {"loss": 1.0}, "test": {"loss": 0.5}}\n')
    with pytest.raises(DataError, match="called `validation` now"):
        RunFolder(tmp_path).metrics()
