"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.data._base import LABEL, Dataset
from archspec.data._split import Data, Split
from archspec.diagnostics import DataError, count
from archspec.fields import FilePath
from archspec.images.limits import check_memory

if TYPE_CHECKING:
    import numpy as np

_PIXELS = 3 * 32 * 32


class Cifar(Dataset):
    """A folder of CIFAR-10's or CIFAR-100's binary files: 60,000 colour images of 32×32, 10,000 of them held out.

    CIFAR-100 gives its 100 fine classes. The versions for Python are pickles, which are not read (Krizhevsky 2009).
    """

    main: ClassVar[str] = "path"

    path: Annotated[
        FilePath,
        Field(description="the folder cifar-10-batches-bin or cifar-100-binary, relative to the spec's"),
    ]

    def load(self) -> Data:
        folder = Path(self.path)
        fine = (folder / "train.bin").exists()
        train = ["train.bin"] if fine else [f"data_batch_{number}.bin" for number in range(1, 6)]
        test = ["test.bin"] if fine else ["test_batch.bin"]
        for name in (*train, *test):
            if not (folder / name).is_file():
                raise DataError(
                    "E505",
                    f"there is no file {folder / name}",
                    help=[
                        "give the folder of the binary version: --set train.dataset.cifar=/path/to/cifar-10-batches-bin"
                    ],
                )
        names = _names(folder / ("fine_label_names.txt" if fine else "batches.meta.txt"), 100 if fine else 10)
        splits = [_read([folder / name for name in part], 2 if fine else 1, len(names)) for part in (train, test)]
        return Data("CIFAR-100" if fine else "CIFAR-10", splits[0], splits[1], {LABEL: names})


def _read(paths: list[Path], labels: int, classes: int) -> Split:
    """Records of one or two label bytes, of which the last counts, and red, green and blue planes."""
    import numpy as np

    images: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    for path in paths:
        try:
            check_memory(str(path), path.stat().st_size)
            data = np.fromfile(path, np.uint8)
        except OSError as error:
            raise DataError("E506", f"{path} cannot be read: {error.strerror}") from None
        if not len(data) or len(data) % (labels + _PIXELS):
            raise DataError(
                "E506",
                f"{path} has {count(len(data), 'byte')}, not a multiple of {labels + _PIXELS:,}",
                help=["download it again"],
            )
        records = data.reshape(-1, labels + _PIXELS)
        kept.append(records[:, labels - 1])
        images.append(records[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        if kept[-1].max() >= classes:
            raise DataError("E506", f"{path} has the label {kept[-1].max()}, but there are {classes} classes")
    return Split.of(np.ascontiguousarray(np.concatenate(images)), np.concatenate(kept).astype(np.int32))


def _names(path: Path, count: int) -> tuple[str, ...]:
    """The names that lie beside the data; numbers where there are none."""
    try:
        names = tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    except (OSError, ValueError):
        names = ()
    return names if len(names) == count else tuple(map(str, range(count)))
