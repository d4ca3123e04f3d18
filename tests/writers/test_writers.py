"""Writers for other tools, against stand-ins with the names, arguments and answers of the real packages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from archspec.diagnostics import DataError
from archspec.training.logs import Logs, settings_of
from archspec.writers import Begun
from archspec.writers.mlflow import Mlflow
from archspec.writers.trackio import Trackio

RECORD = {
    "epoch": 2,
    "step": 8,
    "learning_rate": 0.1,
    "train": {"loss": 1.5, "accuracy": None},
    "validation": {"loss": 1.25, "f1": [0.5, None]},
}
FIGURES = {"train/loss": 1.5, "validation/loss": 1.25, "validation/f1/a+b": 0.5, "learning_rate": 0.1}


class Client:
    """As `mlflow.MlflowClient` of 3.17: what is kept is that of its address."""

    kept: dict[str, dict[str, Any]] = {}

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        self.address = str(tracking_uri)
        self.held = self.kept.setdefault(self.address, {"experiments": {}, "runs": {}})

    def get_experiment_by_name(self, name: str) -> Any:
        known = self.held["experiments"].get(name)
        return None if known is None else SimpleNamespace(experiment_id=known)

    def create_experiment(self, name: str, artifact_location: str | None = None) -> str:
        self.held["experiments"][name] = str(len(self.held["experiments"]) + 1)
        return str(self.held["experiments"][name])

    def create_run(self, experiment_id: str, *, tags: dict[str, str], run_name: str) -> Any:
        number = f"run{len(self.held['runs'])}"
        self.held["runs"][number] = {"tags": tags, "name": run_name, "metrics": [], "params": {}, "files": []}
        return SimpleNamespace(info=SimpleNamespace(run_id=number))

    def search_runs(
        self, experiment_ids: list[str], filter_string: str, *, max_results: int, order_by: list[str]
    ) -> list[Any]:
        found = [
            number
            for number, run in self.held["runs"].items()
            if filter_string == f"tags.`archspec.folder` = '{run['tags']['archspec.folder']}'"
        ]
        return [SimpleNamespace(info=SimpleNamespace(run_id=number)) for number in found[::-1][:max_results]]

    def update_run(self, run_id: str, status: str | None = None) -> None:
        self.held["runs"][run_id]["status"] = status

    def log_batch(self, run_id: str, metrics: Sequence[Any] = (), params: Sequence[Any] = ()) -> None:
        assert len(metrics) <= 1000 and len(params) <= 100
        self.held["runs"][run_id]["metrics"] += [(own.key, own.value, own.step) for own in metrics]
        self.held["runs"][run_id]["params"] |= {own.key: own.value for own in params}

    def log_artifact(self, run_id: str, local_path: str) -> None:
        self.held["runs"][run_id]["files"].append(Path(local_path).name)

    def set_terminated(self, run_id: str, status: str) -> None:
        self.held["runs"][run_id]["status"] = status


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Stand-ins for both packages, in the current folder of a test."""
    Client.kept = {}
    mlflow, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    mlflow.MlflowClient = Client  # type: ignore[attr-defined]
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)  # type: ignore[attr-defined]
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)  # type: ignore[attr-defined]
    trackio = ModuleType("trackio")
    made: list[SimpleNamespace] = []

    def init(project: str, name: str, **options: Any) -> Any:
        print("* Trackio project initialized")
        run = SimpleNamespace(project=project, name=name, options=options, logged=[], ended=False)
        run.log = lambda metrics, step: run.logged.append((step, metrics))
        made.append(run)
        return run

    trackio.init = init  # type: ignore[attr-defined]
    trackio.finish = lambda: setattr(made[-1], "ended", True)  # type: ignore[attr-defined]
    for module in (mlflow, entities, trackio):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "")
    monkeypatch.chdir(tmp_path)
    yield SimpleNamespace(trackio=made)


def begun(folder: Path, *steps: int) -> Begun:
    return Begun("net", folder, {"train.epochs": 3, "parameters": 10}, steps)


def test_mlflow_keeps_figures_settings_and_files_here(tools: SimpleNamespace, tmp_path: Path) -> None:
    """A run that goes on is the same run there, another is another; the address is on this machine."""
    import os

    said: list[str] = []
    writers = [Mlflow()]
    folder = tmp_path / "it's a run"
    logs = Logs(writers, begun(folder), ["a+b"], said.append)
    logs.record(RECORD)
    logs.end(())
    (address,) = Client.kept
    assert address == f"sqlite:///{tmp_path}/mlflow.db" and os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    runs = Client.kept[address]["runs"]
    assert runs["run0"]["params"] == {"train.epochs": "3", "parameters": "10"}
    allowed = {name.replace("+", "_"): value for name, value in FIGURES.items()}
    assert {name: value for name, value, _ in runs["run0"]["metrics"]} == allowed
    assert {step for *_, step in runs["run0"]["metrics"]} == {8} and runs["run0"]["status"] == "KILLED"
    runs["run0"]["tags"]["archspec.folder"] = str(folder).replace("'", "\\'")  # as the filter quotes it
    logs = Logs(writers, begun(folder, 4, 8), [], said.append)
    logs.record({**RECORD, "step": 12})
    (tmp_path / "spec.yaml").write_text("")
    logs.end([tmp_path / "spec.yaml"])
    assert list(runs) == ["run0"] and runs["run0"]["files"] == ["spec.yaml"] and runs["run0"]["status"] == "FINISHED"
    Logs(writers, begun(folder), [], said.append).end(())
    Logs([Mlflow(uri="http://localhost:5000")], begun(folder), [], said.append).end(())
    assert list(runs) == ["run0", "run1"] and list(Client.kept) == [address, "http://localhost:5000"]
    assert said == []


def test_trackio_is_told_of_figures_and_stays_silent(
    tools: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = Logs([Trackio()], begun(tmp_path / "run"), ["a+b"], pytest.fail)
    logs.record(RECORD)
    logs.end([])
    Logs([Trackio(project="mine")], begun(tmp_path / "run", 8), [], pytest.fail).end([])
    first, second = tools.trackio
    assert (first.project, first.name, first.logged, first.ended) == ("net", "run", [(8, FIGURES)], True)
    assert first.options["config"] == {"train.epochs": 3, "parameters": 10}
    assert first.options["space_id"] is None and first.options["embed"] is False
    assert (first.options["resume"], second.options["resume"], second.project) == ("never", "allow", "mine")
    assert capsys.readouterr() == ("", "")


def test_a_writer_that_fails_says_so_once(tools: SimpleNamespace, tmp_path: Path) -> None:
    """And the others go on."""
    said: list[str] = []
    logs = Logs([Trackio(), Mlflow()], begun(tmp_path), [], said.append)

    def full(metrics: Any, step: int) -> None:
        raise OSError("no space\nleft")

    tools.trackio[0].log = full
    for _ in range(3):
        logs.record(RECORD)
    logs.end([])
    assert said == ["`log: trackio` failed, and takes no more of this run: OSError: no space"]
    assert len(next(iter(Client.kept.values()))["runs"]["run0"]["metrics"]) == 9 + 3


def test_what_is_missing_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="`log: mlflow` needs mlflow, which is not installed") as caught:
        Mlflow().check()
    assert caught.value.code == "E529" and caught.value.help[0] == "pip install mlflow"


def test_settings_are_flat() -> None:
    plain = {"train": {"batch_size": 4, "metrics": ["top_k", {"psnr": {}}]}, "parameters": 3}
    assert dict(settings_of(plain)) == {
        "train.batch_size": 4,
        "train.metrics": "top_k, {'psnr': {}}",
        "parameters": 3,
    }


NET = """
input: {height: 28, width: 28, channels: 1}
layers: [flatten, {dense: 10}]
train: {dataset: mnist5k, batch_size: 2000, epochs: 2, log: [trackio, {mlflow: mine}]}
"""


def test_a_run_tells_its_writers(
    tools: SimpleNamespace, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archspec.loading import load
    from archspec.training.run import train

    with monkeypatch.context() as missing:
        missing.setattr("importlib.util.find_spec", lambda name: None if name == "trackio" else object())
        with pytest.raises(Exception, match="needs trackio"):
            train(load(write(NET)), tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    result = train(load(write(NET)), tmp_path / "run", progress=False)
    (run,) = tools.trackio
    records = [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]
    assert [step for step, _ in run.logged] == [record["step"] for record in records] == [2, 4]
    for record, (_, figures) in zip(records, run.logged, strict=True):
        assert figures["validation/loss"] == record["validation"]["loss"]
    (kept,) = (held["runs"] for held in Client.kept.values())
    assert kept["run0"]["files"] == ["spec.yaml", "metrics.jsonl", "curves.png"]
    assert kept["run0"]["params"]["train.batch_size"] == "2000"
