"""Files of numbers: signals and vectors for a network."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import DataError

ENDINGS = ".npy, .npz, .csv, .json and, for sound, .wav"
"""How the names of files of numbers end."""


def read_numbers(path: Path) -> np.ndarray:
    """The numbers in a file. Raises `DataError` where it cannot be read.

    `.npy`: one array; `.csv`: a row a sample, without a line of names or with one;
    `.json`: a list, or a list of lists; `.wav`: (frames, channels) of 8, 16, 24 or 32 bits, from −1 to 1.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError("E521", f"{path} is no file of numbers", help=[f"files end in {ENDINGS}"])
    try:
        return reader(path)
    except DataError:
        raise
    except Exception as error:  # damaged files raise whatever their reader trips over
        raise _unreadable(path, error) from None


def _npy(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, allow_pickle=False))


@contextmanager
def opened_archive(path: Path) -> Iterator[Any]:
    """An archive of arrays. Raises `DataError` where it, or an array that is asked for, cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except DataError:
        raise
    except Exception as error:  # damaged archives raise whatever their reader trips over
        raise _unreadable(path, error) from None


def _csv(path: Path) -> np.ndarray:
    lines = path.read_text("utf-8-sig").splitlines()
    skip = 1 if lines and not _are_numbers(lines[0]) else 0
    try:
        return np.atleast_2d(np.loadtxt(lines[skip:], delimiter=",", dtype=np.float64, ndmin=2))
    except ValueError:
        for number, line in enumerate(lines[skip:], skip + 1):
            for word in line.split(",") if line.strip() else []:
                if not _are_numbers(word):
                    raise _no_number(path, number, word.strip()) from None
        raise


def _no_number(path: Path, line: int, word: str) -> DataError:
    return DataError(
        "E521",
        f"{path}: line {line} {f'has {word[:40]!r}, and' if word else 'lacks a number:'} the network takes numbers",
        help=[
            "a row has the input's features in the order of training",
            "where a table had texts, each text is a feature, 1 or 0: the notes in run.json have their order",
        ],
    )


def _are_numbers(line: str) -> bool:
    try:
        for word in line.split(","):
            float(word)
    except ValueError:
        return False
    return True


def _json(path: Path) -> np.ndarray:
    return np.asarray(json.loads(path.read_text("utf-8")), np.float64)


def _wav(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        channels, width = file.getnchannels(), file.getsampwidth()
        flat = np.frombuffer(file.readframes(file.getnframes()), np.uint8)
    raw = flat[: len(flat) // (channels * width) * channels * width].reshape(-1, channels, width)
    if width == 1:  # bytes without a sign
        return (raw[..., 0].astype(np.float32) - 128) / 128
    # The highest byte has the sign.
    wide = np.zeros((*raw.shape[:2], 4), np.uint8)
    wide[..., 4 - width :] = raw
    return (wide.view("<i4")[..., 0] / 2.0**31).astype(np.float32)


READERS: dict[str, Callable[[Path], np.ndarray]] = {
    ".npy": _npy,
    ".csv": _csv,
    ".json": _json,
    ".wav": _wav,
}


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or str(error).partition("\n")[0][:200] or type(error).__name__
    return DataError("E521", f"{path} cannot be read: {reason}")
