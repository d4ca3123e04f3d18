"""`archspec.walkthrough`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import DataError

if TYPE_CHECKING:
    from archspec.inference.run import Run
    from archspec.loading import Spec
    from archspec.walking.numbers import Walk


def walkthrough(
    network: Run | Spec | str | Path,
    layer: str,
    *,
    image: Any = None,
    filter: int | None = None,
    at: Sequence[int] | None = None,
    invert: bool = False,
    arrays: str | Path | None = None,
    seed: int = 0,
) -> Walk:
    """One number of a layer's output, and the numbers that make it; printed as text, in a notebook a picture.

    `network` is a run, its folder, a spec, or what `archspec.load` takes. `image` is what it is given, as `Run.predict`
    takes it; by default the first sample that a run is measured on, of a spec noise of `seed`, which its weights are of
    too; `arrays` is an .npz file of a spec's arrays by name, and perhaps its input. `filter` is a channel of the
    layer's output and `at` a position, rows before columns; by default where the output is largest.

    Raises `SpecError` for names that there are not and files that cannot be read, `TypeError` and `ValueError` for what
    is no image.
    """
    from archspec.inference.run import Run
    from archspec.loading import Spec, load
    from archspec.walking.numbers import of_run, of_spec, walk

    if isinstance(network, str | Path) and (Path(network) / "spec.yaml").is_file():
        network = Run(Path(network))
    if isinstance(network, Run):
        if arrays is not None:
            raise ValueError("`arrays` are a spec's; a run has its own")
        given = of_run(network, image, invert)
    else:
        spec = network if isinstance(network, Spec) else load(network)
        given = of_spec(spec, image, seed, None if arrays is None else Path(arrays), invert)
    try:
        return walk(given, layer, filter, at)
    except DataError as error:
        raise error.located(None) from None
