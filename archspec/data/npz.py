"""A NumPy archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from archspec.data._base import Data, Dataset
from archspec.data._files import as_split, holdout, numbered, read_npz
from archspec.diagnostics import DataError, listed
from archspec.fields import FilePath, NonNegativeInt


class Npz(Dataset):
    """A .npz file with x_train, y_train, x_test and y_test (as Keras has them), or with x and y, split here.

    Images are N×H×W or N×H×W×C, uint8 or floating point; labels are whole numbers from 0.
    """

    main: ClassVar[str] = "path"

    path: Annotated[FilePath, Field(description="the file; relative paths start from the spec's folder")]
    holdout: Annotated[
        float, Field(strict=True, gt=0, lt=1, description="share of every class held out, where the file has x and y")
    ] = 0.2
    split_seed: Annotated[NonNegativeInt, Field(description="which samples are held out")] = 0

    def load(self) -> Data:
        arrays = read_npz(Path(self.path))
        name = Path(self.path).name
        parts = ("x_train", "y_train", "x_test", "y_test")
        if all(part in arrays for part in parts):
            train = as_split(arrays["x_train"], arrays["y_train"], f"{name}, training part")
            test = as_split(arrays["x_test"], arrays["y_test"], f"{name}, test part")
        elif "x" in arrays and "y" in arrays:
            train, test = holdout(as_split(arrays["x"], arrays["y"], name), self.holdout, self.split_seed)
        else:
            raise DataError(
                "E507",
                f"{name} has the arrays {listed(arrays) or 'none'}",
                help=["it must have x and y, or x_train, y_train, x_test and y_test"],
            )
        return numbered(name, train, test)
