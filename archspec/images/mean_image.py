"""The mean image: what is subtracted of each pixel, by its place, as Caffe does.

Files are Caffe's `.binaryproto` (one BlobProto of caffe.proto: C×H×W numbers, in fields 5 or 8 with a point, their
sizes in fields 1 to 4 or 7) and NumPy's `.npy`, C×H×W or H×W×C. Nothing of a file runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from math import prod
from pathlib import Path

import numpy as np

from archspec.diagnostics import DataError, count
from archspec.formats.mapping import DamagedError, mapped
from archspec.formats.protobuf import Message

MAX_BYTES = 2**28
"""Of a file: an image of 2,048×2,048 pixels has 50 MB."""
KINDS = (".npy", ".binaryproto")


class MeanImage:
    """A mean image (H, W, C) in the network's own order of channels and units, float32."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = np.ascontiguousarray(pixels, np.float32)
        made = BytesIO()
        np.save(made, np.ascontiguousarray(self.pixels.transpose(2, 0, 1)))
        self.content = made.getvalue()
        """The same as an `.npy` file of C×H×W."""
        self.name = f"mean_image-{sha256(self.content).hexdigest()[:16]}.npy"
        """What the file is called that a folder keeps, by its content."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MeanImage) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)

    def cropped(self, height: int, width: int) -> np.ndarray:
        """The middle of it (height, width, C), as Caffe cuts the middle out of images: halves are rounded down."""
        top, left = ((own - wanted) // 2 for own, wanted in zip(self.pixels.shape, (height, width), strict=False))
        return self.pixels[top : top + height, left : left + width]


def read_mean_image(path: Path, height: int, width: int, channels: int) -> MeanImage:
    """The mean image of a file, for an input of this size. Raises `DataError` (E542)."""
    try:
        with mapped(path) as content:
            if len(content) > MAX_BYTES:
                raise DamagedError(f"is larger than {MAX_BYTES // 2**20} MiB")
            read = _npy if bytes(content[:6]) == b"\x93NUMPY" else _blob if path.suffix == KINDS[1] else None
            if read is None:
                raise DamagedError("is neither an .npy file nor a .binaryproto of Caffe's")
            return MeanImage(_checked(read(content, channels), height, width, channels))
    except DamagedError as error:
        reason = str(error)
    except (OSError, ValueError) as error:
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    help = ["relative paths start from the file that names them", "or the mean colour alone: `mean: [104, 117, 123]`"]
    raise DataError("E542", f"the mean image {path} {reason}", help=help)


def _checked(pixels: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    if pixels.shape[2] != channels or pixels.shape[0] < height or pixels.shape[1] < width:
        own, wanted = ("×".join(map(str, sizes)) for sizes in (pixels.shape, (height, width, channels)))
        raise DamagedError(f"is {own}, and the input is {wanted}: it has to be as large, or larger")
    if not np.isfinite(pixels).all():
        raise DamagedError("has NaN or infinity in it")
    return pixels


def _npy(content: memoryview, channels: int) -> np.ndarray:
    """The array (H, W, C) of an `.npy` file; of objects there is none."""
    file = BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, kind = read(file)
    except Exception as error:  # NumPy parses the header as Python's literals, which fail in many ways
        raise DamagedError(f"has no header of NumPy's: {str(error)[:120] or type(error).__name__}") from None
    if kind.kind not in "fiu":
        raise DamagedError(f"holds no numbers but {str(kind)[:60]}")
    rest = content[file.tell() :]
    if any(size < 1 for size in shape) or prod(shape) * kind.itemsize != len(rest):
        raise DamagedError("is cut short, or damaged")
    array = np.frombuffer(rest, kind).reshape(shape, order="F" if by_columns else "C")
    if array.ndim == 2 and channels == 1:
        array = array[None]
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim != 3 or channels not in (shape[-3:][0], shape[-1]):
        raise DamagedError(
            f"holds {'×'.join(map(str, shape)) or 'one number'}, and no {channels}×H×W or H×W×{channels}"
        )
    return array.transpose(1, 2, 0) if array.shape[0] == channels else array


def _blob(content: memoryview, channels: int) -> np.ndarray:
    """The array (H, W, C) of a BlobProto."""
    message = Message(content)
    sizes: Sequence[int] = [message.number(field, 1) for field in (1, 2, 3, 4)]
    if 7 in message:
        sizes = message.message(7).numbers(1)
    sizes = [1] * (4 - len(sizes)) + list(sizes)
    numbers = message.reals(8, 8) if 8 in message else message.reals(5)
    if len(sizes) != 4 or sizes[0] != 1 or any(size < 1 for size in sizes) or prod(sizes) != len(numbers):
        said = "×".join(str(size)[:20] for size in sizes[:6])
        raise DamagedError(f"says that it is {said} and holds {count(len(numbers), 'number')}")
    return np.array(numbers.reshape(sizes[1:]).transpose(1, 2, 0))
