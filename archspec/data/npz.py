"""A NumPy archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from archspec.data._base import Data, Dataset
from archspec.data._files import array_names, as_split, channels_first, holdout, numbered, read_npz
from archspec.diagnostics import DataError, listed
from archspec.fields import FilePath, NonNegativeInt


class Npz(Dataset):
    """A .npz file with x_train, y_train, x_test and y_test (as Keras has them), or with x and y, split here.

    Images are N×H×W, N×H×W×C or N×C×H×W, uint8 or floating point; labels are whole numbers from 0.
    """

    main: ClassVar[str] = "path"
    lies_in: ClassVar[str] = "file"

    path: Annotated[FilePath, Field(description="the file; relative paths start from the spec's folder")]
    holdout: Annotated[
        float, Field(strict=True, gt=0, lt=1, description="share of every class held out, where the file has x and y")
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which samples are held out")] = 0

    def load(self) -> Data:
        name = Path(self.path).name
        parts = ("x_train", "y_train", "x_test", "y_test")
        arrays = read_npz(Path(self.path), {"x", "y", *parts})
        if all(part in arrays for part in parts):
            train = as_split(arrays["x_train"], arrays["y_train"], f"{name}, training part")
            test = as_split(arrays["x_test"], arrays["y_test"], f"{name}, test part")
        elif "x" in arrays and "y" in arrays:
            train, test = holdout(as_split(arrays["x"], arrays["y"], name), self.holdout, self.split_seed)
        else:
            raise DataError(
                "E507",
                f"{name} has the arrays {listed(array_names(Path(self.path))) or 'none'}",
                help=["it must have x and y, or x_train, y_train, x_test and y_test"],
            )
        data = numbered(name, train, test)
        turned = [key for key in ("x", "x_train", "x_test") if key in arrays and channels_first(arrays[key])]
        notes = [f"{listed(turned)} of {name} {'is' if len(turned) == 1 else 'are'} N×C×H×W and read as N×H×W×C"]
        unused = sorted({"x", "y", *parts} & arrays.keys() - {*(parts if parts[0] in arrays else ("x", "y"))})
        notes = notes if turned else []
        if unused and all(part in arrays for part in parts):
            notes.append(f"{listed(unused)} of {name} {'is' if len(unused) == 1 else 'are'} not used")
        return replace(data, notes=tuple(notes))
