"""MLflow's tracking."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Text
from archspec.writers._base import Begun, Log, Writer

FOLDER = "archspec.folder"
"""The tag by which a run is known that goes on."""

MOST = 100
"""Settings that MLflow takes at once."""
LONGEST = 500
"""Letters of a setting's value; MLflow's own limit is above."""


class Mlflow(Writer):
    """Figures, settings and files of a run in MLflow's tracking.

    They go to where `uri` or MLFLOW_TRACKING_URI says; with neither to `mlflow.db` and `mlartifacts` in the current
    folder, which `mlflow ui` shows. MLflow's telemetry is switched off.
    """

    main: ClassVar[str | None] = "experiment"

    experiment: Annotated[Text | None, Field(description="the experiment's name; the spec's if left out")] = None
    uri: Annotated[Text | None, Field(description="where figures go: `sqlite:///FILE`, or a server's address")] = None

    @property
    def needs(self) -> Mapping[str, str]:
        # The package without what databases need is enough for a server.
        return {"mlflow": "mlflow", **({} if self._uri else {"sqlalchemy": "mlflow"})}

    @property
    def _uri(self) -> str | None:
        return self.uri or os.environ.get("MLFLOW_TRACKING_URI")

    def begin(self, run: Begun) -> Log:
        # Read when the package is imported; without it, each use is told to its makers.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient

        uri, here = self._uri, Path.cwd()
        client = MlflowClient(tracking_uri=uri or f"sqlite:///{here / 'mlflow.db'}")
        name = self.experiment or run.name
        known = client.get_experiment_by_name(name)
        artifacts = None if uri else (here / "mlartifacts").as_uri()
        experiment = known.experiment_id if known else client.create_experiment(name, artifact_location=artifacts)
        return _Log(client, _run_of(client, experiment, run))


def _run_of(client: Any, experiment: str, run: Begun) -> str:
    """The last run of this folder where it goes on, else a new one."""
    from mlflow.entities import Param

    folder = str(run.folder.resolve())
    if run.steps:
        quoted = folder.replace("\\", "\\\\").replace("'", "\\'")
        found = client.search_runs(
            [experiment], f"tags.`{FOLDER}` = '{quoted}'", max_results=1, order_by=["attributes.start_time DESC"]
        )
        if found:
            client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
    made = client.create_run(experiment, run_name=run.folder.name, tags={FOLDER: folder}).info.run_id
    settings = [Param(_allowed(name), str(value)[:LONGEST]) for name, value in run.settings.items()]
    for start in range(0, len(settings), MOST):
        client.log_batch(made, params=settings[start : start + MOST])
    return str(made)


def _allowed(name: str) -> str:
    """A name of the letters that MLflow has in names."""
    return re.sub(r"[^\w .:/-]", "_", name)[:250]


class _Log:
    def __init__(self, client: Any, run: str) -> None:
        self.client = client
        self.run = run

    def record(self, step: int, figures: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(_allowed(name), float(value), now, step) for name, value in figures.items()]
        for start in range(0, len(metrics), 1000):
            self.client.log_batch(self.run, metrics=metrics[start : start + 1000])

    def end(self, files: Sequence[Path]) -> None:
        for file in files:
            self.client.log_artifact(self.run, str(file))
        self.client.set_terminated(self.run, "FINISHED" if files else "KILLED")
