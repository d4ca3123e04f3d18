"""Trackio's dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.fields import Text
from archspec.writers._base import Begun, Log, Writer


class Trackio(Writer):
    """Figures and settings of a run for Trackio's dashboard, `trackio show`.

    They go to Trackio's folder on this machine, ~/.cache/huggingface/trackio or TRACKIO_DIR, unless `space` or
    Trackio's own variables, TRACKIO_SPACE_ID and TRACKIO_SERVER_URL, name another place.
    """

    main: ClassVar[str | None] = "project"

    project: Annotated[Text | None, Field(description="the project's name; the spec's if left out")] = None
    space: Annotated[Text | None, Field(description="a Hugging Face Space to send figures to, `user/name`")] = None

    @property
    def needs(self) -> Mapping[str, str]:
        return {"trackio": "trackio"}

    def begin(self, run: Begun) -> Log:
        import trackio

        with redirect_stdout(StringIO()):  # how to open the dashboard, and more, once for each run
            made = trackio.init(
                project=self.project or run.name,
                name=run.folder.resolve().name,
                config=dict(run.settings),
                resume="allow" if run.steps else "never",
                space_id=self.space,
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        return _Log(made)


class _Log:
    def __init__(self, run: Any) -> None:
        self.run = run

    def record(self, step: int, figures: Mapping[str, float]) -> None:
        self.run.log(dict(figures), step=step)

    def end(self, files: Sequence[Path]) -> None:
        import trackio

        with redirect_stdout(StringIO()):
            trackio.finish()  # which, unlike the run's own, leaves nothing to be done when Python ends
