"""Image files: found in folders, read into arrays."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import DataError, count, listed
from archspec.images.limits import MEGAPIXELS, check_pixels, limit
from archspec.images.whole import CHECKED, fault

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

USUAL = ".png, .jpg, .jpeg, .bmp, .tif, .webp, .ppm, .gif and what else Pillow reads"
"""How the names of image files end, for help."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for each number of channels that image files have."""
_NOT_PICTURES = {"EPS", "WMF", "MPEG", "GRIB", "BUFR", "HDF5", "IPTC"}
"""Formats that Pillow knows but does not decode itself: it would run another program, or find no pixels."""
_MAGIC = ((b"\x89PNG\r\n\x1a\n", ("PNG",)), (b"\xff\xd8\xff", ("JPEG", "MPO")))
"""How the most usual files begin, and their formats."""
_EXIF = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}
"""Where Pillow looks for how a PNG or a JPEG is held."""
WHOLE = 2**26
"""A file of no more bytes is read at once."""
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"}
_SYSTEM_FOLDERS = {"__macosx"}


@cache
def formats() -> tuple[str, ...]:
    """The formats that are read, by Pillow's names."""
    from PIL import Image

    Image.init()
    return tuple(name for name in Image.ID if name not in _NOT_PICTURES)


@cache
def suffixes() -> frozenset[str]:
    """How the names of image files end, in small letters: every ending of a format that Pillow reads."""
    from PIL import Image

    known = set(formats())
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in known)


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as those of images do."""
    return os.path.splitext(name)[1].lower() in suffixes()


def stem_of(name: str) -> str:
    """A file's name without the ending of an image; other points are part of the name."""
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in suffixes() else name


TAKEN = "of which the first is taken"
"""What is counted of a file of several pictures, which is not passed over itself."""


class Passed(str):
    """A note that files are passed over, with their number."""

    number = 0

    @classmethod
    def over(cls, text: str, number: int) -> Passed:
        made = cls(text)
        made.number = number
        return made


@dataclass
class Images:
    """The images in a folder, in order, and what was passed over there, by reason."""

    paths: list[Path] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)

    def add(self, other: Images) -> None:
        """Takes over what another search found."""
        self.paths.extend(other.paths)
        self.passed.update(other.passed)

    def notes(self, where: Path | str) -> list[str]:
        """What was passed over, in words."""
        return [
            Passed.over(f"in {where} {said} passed over", 0 if TAKEN in key else number)
            for said, (key, number) in zip(self.reasons(), self.passed.items(), strict=True)
        ]

    def reasons(self) -> list[str]:
        return [
            f"{count(number, noun)} {rest} {'is' if number == 1 else 'are'}".replace("  ", " ")
            for (noun, _, rest), number in ((key.partition("|"), number) for key, number in self.passed.items())
        ]


def find_images(folder: Path, *, deep: bool = True) -> Images:
    """The images of a folder and, if `deep`, of the folders in it, by their names, each folder's own first.

    Links are followed, but not to a folder that lies around them, also where it lies around `folder` itself. Hidden
    files and folders, other files, and what is called an image but is none (a pipe, a device, a folder, a link that
    leads nowhere) are passed over and counted. Raises `DataError` where a folder cannot be looked into.
    """
    images = Images()
    _find(folder, deep, images, _around(folder) if deep else ())
    return images


def _around(folder: Path) -> tuple[tuple[int, int], ...]:
    """What tells apart the folders around a folder."""
    made = []
    for path in Path(os.path.realpath(folder)).parents:
        try:
            own = os.stat(path)
        except OSError:
            continue
        made.append((own.st_dev, own.st_ino))
    return tuple(made)


def _find(folder: Path, deep: bool, images: Images, above: tuple[tuple[int, int], ...]) -> None:
    try:
        own = os.stat(folder)
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError("E505", f"the folder {folder} cannot be read: {error.strerror or error}") from None
    identity = (own.st_dev, own.st_ino)
    if identity in above:
        images.passed["link|leading back to a folder around it"] += 1
        return
    folders = []
    for entry in entries:
        path = Path(entry.path)
        hidden = entry.name.startswith(".")
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a link that leads to itself
            is_folder = is_file = False
        if is_folder:
            if hidden or entry.name.lower() in _SYSTEM_FOLDERS:
                images.passed[f"hidden folder|({entry.name})"] += deep and _has_images(path)
            elif deep:
                folders.append(path)
            continue
        if not is_image_name(entry.name):
            if not hidden and entry.name.lower() not in _SYSTEM_FILES:
                ending = os.path.splitext(entry.name)[1].lower()
                images.passed[f"file|with a name that is no image's ({ending or 'no ending'})"] += 1
        elif hidden:
            images.passed["hidden file|called an image"] += 1
        elif not is_file:
            images.passed["thing|called an image, but no file (a pipe, a device, or a link that leads nowhere),"] += 1
        else:
            images.paths.append(path)
    for path in folders:
        _find(path, deep, images, (*above, identity))
    images.passed = +images.passed


def _has_images(folder: Path) -> bool:
    try:
        return any(is_image_name(name) for name in os.listdir(folder))
    except OSError:
        return False


def image_files(folder: Path) -> list[Path]:
    """The images that lie in a folder itself, by their names."""
    return find_images(folder, deep=False).paths


@contextmanager
def opened_image(path: Path, code: str) -> Iterator[Image.Image]:
    """An image file, opened by Pillow, whose pixels are within the limit.

    Raises `DataError` with the code where it cannot be read, also for whatever is raised while it is open: Pillow's
    readers answer damaged files with many kinds of errors.
    """
    with opened_bytes(None, str(path), code) as image:
        yield image


@contextmanager
def opened_bytes(data: bytes | None, name: str, code: str) -> Iterator[Image.Image]:
    """An image from the bytes of its file, opened as `opened_image` does; from the file of that name if None."""
    from PIL import Image, UnidentifiedImageError

    path = name
    try:
        data = _contents(path, code) if data is None else data
        kinds = _kinds(data)
        with bounded(), Image.open(path if data is None else io.BytesIO(data), formats=kinds) as image:
            check_pixels(path, image.height, image.width, code)
            if image.format in CHECKED:
                amiss = fault(Path(path).read_bytes() if data is None else data, image.format)
                if amiss is not None:
                    raise DataError(code, f"{path} is damaged: {amiss}")
            yield image
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(code, f"{path} is not an image that Pillow can read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            code,
            f"{path} has more pixels than the limit of {limit(MEGAPIXELS) / 1e6:,.4g} million",
            help=[f"if it is not a mistake, the environment variable {MEGAPIXELS} raises the limit"],
        ) from None
    except MemoryError:
        raise DataError(code, f"{path} cannot be read: there is not enough memory") from None
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0][:200] or type(error).__name__
        raise DataError(code, f"{path} cannot be read: {reason}") from None


def described(path: str | Path) -> str:
    """The size, mode and format of an image file as its header has them, `480×640 RGB JPEG`; "unknown" without any."""
    from PIL import Image

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return "unknown"
        with bounded(), Image.open(path, formats=formats()) as image:
            return f"{image.height}×{image.width} {image.mode} {image.format}"
    except Exception:  # why it cannot be read is told where its pixels are read
        return "unknown"


def _contents(path: str, code: str) -> bytes | None:
    """What a file holds; None of one that is too large to be held whole. Raises `DataError`, `OSError`."""
    # Whatever is called an image: a pipe without a writer is not waited for.
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise DataError(code, f"{path} is no file" + (" but a folder" if stat.S_ISDIR(about.st_mode) else ""))
        if about.st_size > WHOLE:
            return None
        # One byte more: of a file that grows meanwhile, or whose size its system does not say, all is read.
        data = os.read(file, about.st_size + 1)
        while piece := os.read(file, 2**20) if len(data) != about.st_size else b"":
            data += piece
        return data
    finally:
        os.close(file)


def _kinds(data: bytes | None) -> tuple[str, ...]:
    """The formats that a file may be of, by its first bytes: Pillow then need not try one after another."""
    known = next((kinds for magic, kinds in _MAGIC if data is not None and data.startswith(magic)), None)
    return known or formats()  # for which Pillow imports every format that it knows


class _Bounds:
    """Pillow's own check, also of what lies within files, has our limit; its other warnings are of no use here.

    What is changed for that belongs to the whole process, so that several threads share it: the first sets it and the
    last takes it back.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.inside = 0
        self.before: int | None = None
        self.caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        from PIL import Image

        allowed = limit(MEGAPIXELS)  # which may raise: then nobody is inside
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, allowed
                self.caught = warnings.catch_warnings()
                self.caught.__enter__()
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(self, *raised: object) -> None:
        from PIL import Image

        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.caught.__exit__(None, None, None)
                Image.MAX_IMAGE_PIXELS = self.before


_BOUNDS = _Bounds()


def bounded() -> _Bounds:
    """A context in which Pillow decodes within our limit; whoever reads many images may hold it open meanwhile."""
    return _BOUNDS


def read_pixels(path: Path, mode: str, seen: Counter[str] | None = None) -> np.ndarray:
    """An image file as bytes (height, width, channels) in a mode of Pillow's. Raises `DataError`.

    Orientation is taken from EXIF where that can be read, transparency is laid on black unless the mode has it. Greys
    of 16 bits are scaled to bytes; pixels whose range the file does not say are refused. Of several pictures in a file
    the first is taken, which is counted in `seen`.
    """
    return pixels_of(None, str(path), mode, seen)


def pixels_of(data: bytes | None, name: str, mode: str, seen: Counter[str] | None = None) -> np.ndarray:
    """As `read_pixels`, from the bytes of an image's file; from the file of that name if None."""
    with opened_bytes(data, name, "E521") as file:
        if seen is not None and file.format != "MPO" and _is_series(file):
            seen[f"file|with several pictures in it, {TAKEN}"] += 1
        return as_pixels(file, mode, name)


def as_pixels(file: Image.Image, mode: str, name: str = "the image") -> np.ndarray:
    """An image of Pillow's as bytes (height, width, channels) in a mode, as `read_pixels` makes them of files.

    Raises `DataError` where the range of its pixels is not known.
    """
    import numpy as np
    from PIL import Image

    # Pillow clips these to bytes instead of scaling them. 16-bit PGM files have the mode I, but a known range.
    if file.mode in ("F", "I") and file.format != "PPM":
        numbers = "floating-point numbers" if file.mode == "F" else "32-bit numbers"
        raise DataError(
            "E521",
            f"{name} has {numbers} as pixels, and does not say which of them is white",
            help=["save it with 8 or 16 bits per channel, black as 0 and white as 255 or 65535"],
        )
    image = upright(file)
    if mode != "RGBA" and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
        clear = image.convert("RGBA")
        image = Image.new("RGBA", clear.size, (0, 0, 0, 255))
        image.alpha_composite(clear)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _is_series(image: Image.Image) -> bool:
    """Whether a file holds several pictures; one whose further pictures are damaged holds one."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:
        return False


def upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF says that it is held; as it lies where there is no EXIF, or none that can be read."""
    from PIL import ImageOps

    image.load()  # what is wrong with the pixels is not to be taken for a fault of the EXIF
    if image.format in ("PNG", "JPEG") and not image.info.keys() & _EXIF:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


class Unread(NamedTuple):
    """A file that cannot be read or used, and why."""

    name: str
    code: str
    reason: str


SKIP = "`on_error: skip` in the dataset leaves out what cannot be read"


def unreadable(errors: Sequence[tuple[str, DataError]], of: int, what: str) -> DataError:
    """One error of all files. What cannot be read comes before what is there, but not what it should be."""
    unread = [(name, error) for name, error in errors if error.code in ("E521", "E506")]
    told = unread or list(errors)
    first = told[0][1]
    if len(errors) == 1 and not unread:
        return first
    help = [*(first.help or ["download them again, or take them out of the folder"]), SKIP]
    if len(errors) == 1:
        return DataError(first.code, first.message, notes=first.notes, help=help)
    names = listed([name for name, _ in told], 20)
    if not unread:
        others = f"{count(len(told) - 1, 'file')} more {'is' if len(told) == 2 else 'are'} not what they should be"
        more = [f"{others}: {listed([name for name, _ in told[1:]], 20)}"]
        return DataError(first.code, first.message, notes=[*first.notes, *more], help=first.help)
    return DataError(
        first.code,
        f"{len(told):,} of {of:,} {what} cannot be read: {names}",
        notes=[error.message for _, error in told[:10]],
        help=help,
    )


def size_of(path: Path | str) -> tuple[int, int]:
    """Height and width of an image's pixels as `read_pixels` gives them, which are not decoded where that is known.

    Raises `DataError`.
    """
    with opened_image(Path(path), "E521") as image:
        if image.format in ("PNG", "JPEG") and not image.info.keys() & _EXIF:
            return image.height, image.width
        held = upright(image)
        return held.height, held.width
