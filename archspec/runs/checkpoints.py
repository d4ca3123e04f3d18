"""Checkpoints, written and read by Orbax: the only place that knows it, and where its errors become sentences.

A checkpoint says of itself of which epoch and step it is, and has a digest of every array, so that a damaged or
exchanged one is found when it is read, and the one before is taken.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from archspec.diagnostics import DataError
from archspec.runs.folder import CHECKPOINTS

KEPT = 2
ITEM = "default"
"""Orbax's name for the arrays of a checkpoint."""
ABOUT = "_CHECKPOINT_METADATA"
"""Orbax's file of what a checkpoint says of itself."""
PARTS = ("params", "statistics")
EMA = "ema"
"""Under this name a state has moving averages of these, where its recipe asks for them."""
AVERAGED = "the weights are their moving averages, as `train.ema` says"

DIGESTS = "sha256"


class Restored(NamedTuple):
    """What could be read: of which epoch, 0 where there is no checkpoint yet, and what could not be read before."""

    epoch: int
    state: Any
    notes: list[str]


class DamagedError(Exception):
    """Why one checkpoint cannot be taken."""


class Checkpoints:
    """The checkpoints of a run, one an epoch, of which the last few are kept."""

    def __init__(self, folder: Path) -> None:
        _quiet()
        self.path = (folder / CHECKPOINTS).resolve()
        self._manager: Any = None

    @property
    def latest(self) -> int | None:
        """The last epoch that was saved whole."""
        return max(self.epochs(), default=None)

    def epochs(self) -> list[int]:
        """The epochs whose checkpoints are there, in order."""
        return _epochs(self.path)

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Saves in the background. The arrays are copied, since the next step uses the state's own up.

        Raises `DataError` (E514) where it cannot be written, or the one before could not.
        """
        copied = jax.tree.map(jnp.copy, state)
        about = {"epoch": epoch, "step": int(state["step"]), DIGESTS: digests(copied)}
        try:
            if self._manager is None:
                options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, create=True, enable_async_checkpointing=True)
                self._manager = ocp.CheckpointManager(self.path, options=options)
            self._manager.save(epoch, args=ocp.args.StandardSave(copied), custom_metadata=about)
        except Exception as error:
            raise self._unwritten(error) from None

    def wait(self) -> None:
        """Waits for what is being written. Raises `DataError` (E514) where it could not be."""
        try:
            if self._manager is not None:
                self._manager.wait_until_finished()
        except Exception as error:
            raise self._unwritten(error) from None

    def last(self, like: Callable[[int], dict[str, Any]], steps_per_epoch: int, epochs: int | None = None) -> Restored:
        """The last state that is as it was saved, with the structure of `like(epoch)`; no later than after `epochs`.

        Raises `DataError` (E513) where there are checkpoints, but none of them can be taken.
        """

        def read(epoch: int) -> Any:
            wanted, about = like(epoch), self.about(epoch)
            held, own = about.get(DIGESTS), digest_names(wanted)
            if isinstance(held, dict) and set(held) != own:
                names = [*(sorted(own - set(held))), *sorted(set(held) - own)]
                raise DamagedError(f"it has other arrays than this network and recipe, such as {names[0][:100]}")
            abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, wanted)
            with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
                state = reader.restore(self.path / str(epoch) / ITEM, args=ocp.args.StandardRestore(abstract))
            step = int(state["step"])
            if step != epoch * steps_per_epoch:
                raise DamagedError(f"it is of step {step}, and epoch {epoch} ends with step {epoch * steps_per_epoch}")
            _compare(state, held)
            return state

        return _last(self.path, read, epochs)

    def about(self, epoch: int) -> dict[str, Any]:
        """What a checkpoint says of itself; empty for those of times when they said nothing. Raises `DamagedError`."""
        return _about(self.path / str(epoch))

    def drop_after(self, epoch: int) -> None:
        """Deletes the checkpoints after an epoch, whose work is done again."""
        import shutil

        assert self._manager is None
        for later in self.epochs():
            if later > epoch:
                shutil.rmtree(self.path / str(later))

    def close(self) -> None:
        """Waits for what is being written. Raises `DataError` (E514) where it could not be."""
        if self._manager is None:
            return
        manager, self._manager = self._manager, None
        try:
            manager.wait_until_finished()
            manager.close()
        except Exception as error:
            raise self._unwritten(error) from None

    def _unwritten(self, error: Exception) -> DataError:
        last = self.latest
        full = any(word in str(error) for word in ("No space left", "ENOSPC", "Disk quota", "OUT_OF_SPACE"))
        on = f"the same command goes on after epoch {last}" if last else "the same command begins anew"
        return DataError(
            "E514",
            f"a checkpoint in {self.path} cannot be written: {'there is no space left' if full else _reason(error)}",
            help=[f"{on}, once there is {'space' if full else 'a remedy'}"],
        )


def digests(state: Any) -> dict[str, str]:
    """A digest of every array of a state, by its place in it."""
    return {name: _digest(np.asarray(value)) for name, value in _named(state)}


def digest_names(state: Any) -> set[str]:
    """The places of a state's arrays."""
    return {name for name, _ in _named(state)}


def last_arrays(folder: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Parameters and statistics by name, of the last checkpoint that is as it was saved, and notes on later ones.

    Where a state has averages (`ema`), these are they, which a note says. What is read and how it lies is taken from
    the checkpoint's own description of itself, so that no optimiser has to be built for a state of the same structure;
    nothing is written. Raises `DataError` (E513) where there is none to be read.
    """
    _quiet()
    path = (folder / CHECKPOINTS).resolve()

    def read(epoch: int) -> dict[str, np.ndarray]:
        about, at = _about(path / str(epoch)), path / str(epoch) / ITEM
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
            tree = reader.metadata(at).item_metadata.tree
            wanted = {name: tree[name] for name in ((EMA,) if EMA in tree else PARTS)} | {"step": tree["step"]}
            plain = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
            how = ocp.args.PyTreeRestore(item=wanted, restore_args=plain, partial_restore=True)
            state = reader.restore(at, args=how)
        step = int(state.pop("step"))
        if about.get("step", step) != step:
            raise DamagedError(f"it is of step {step}, and says that it is of step {about['step']}")
        _compare(state, about.get(DIGESTS))
        own = state.get(EMA, state)
        averages.append(EMA in state)
        return {name: np.asarray(value) for part in PARTS for name, value in own[part].items()}

    averages: list[bool] = []
    saved = _last(path, read, None)
    if not saved.epoch:
        raise _unsaved(folder)
    return saved.state, [*saved.notes, *([AVERAGED] if averages[-1] else [])]


def check_saved(folder: Path) -> None:
    """Raises `DataError` (E513) where a run has no checkpoint; whether one can be read is seen when it is."""
    if not _epochs(folder / CHECKPOINTS):
        raise _unsaved(folder)


def _unsaved(folder: Path) -> DataError:
    return DataError("E513", f"{folder} has no checkpoint yet", help=["`archspec train` goes on with it"])


def _last(path: Path, read: Callable[[int], Any], epochs: int | None) -> Restored:
    notes: list[str] = []
    reasons: list[str] = []
    for epoch in reversed(_epochs(path)):
        if epochs is not None and epoch > epochs:
            continue
        at = path / str(epoch)
        try:
            state = read(epoch)
        except Exception as error:
            # Orbax and what it stands on raise anything on damaged files, plain Exception included.
            if not at.is_dir():
                continue  # deleted meanwhile, by the run that writes here
            reasons.append(_reason(error))
            notes.append(f"the checkpoint {at} is damaged, or is not one of this network: {reasons[-1]}")
            continue
        return Restored(epoch, state, [*notes, *([f"the one of epoch {epoch} is taken"] if notes else [])])
    if notes:
        one = len(notes) == 1
        raise DataError(
            "E513",
            notes[0].rpartition(f": {reasons[0]}")[0] if one else f"none of the checkpoints in {path} can be read",
            notes=reasons[:1] if one else notes,
            help=["--overwrite trains anew"],
        )
    return Restored(0, None, [])


def _epochs(path: Path) -> list[int]:
    try:
        names = [item.name for item in path.iterdir()]
    except OSError:
        return []
    # A number with zeros before it is the name of no checkpoint.
    return sorted(int(name) for name in names if re.fullmatch("[1-9][0-9]{0,8}", name))


def _about(path: Path) -> dict[str, Any]:
    try:
        value = json.loads((path / ABOUT).read_bytes())
    except (ValueError, RecursionError):
        raise DamagedError(f"{ABOUT} cannot be read") from None
    own = value.get("custom_metadata") if isinstance(value, dict) else None
    about = own if isinstance(own, dict) else {}
    if about.get("epoch", int(path.name)) != int(path.name):
        raise DamagedError(f"it is of epoch {about['epoch']}")
    return about


def _compare(state: Any, held: object) -> None:
    """Raises `DamagedError` where an array is not as its digest says."""
    if not isinstance(held, dict):
        return
    changed = [name for name, value in _named(state) if held.get(name) != _digest(np.asarray(value))]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise DamagedError(f"{changed[0][:100]}{more} is not as it was saved")


def _named(state: Any) -> list[tuple[str, Any]]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return [(jax.tree_util.keystr(path), value) for path, value in leaves]


def _digest(value: np.ndarray) -> str:
    digest = sha256(f"{value.dtype.name}{value.shape}".encode())
    digest.update(np.ascontiguousarray(value).data.cast("B") if value.size else b"")
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    """An error's first line, which may be of one of many that came together."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions and isinstance(error.exceptions[0], Exception):
        error = error.exceptions[0]
    words = str(error).strip().splitlines()
    return words[0][:160] if words else type(error).__name__


def _quiet() -> None:
    """Orbax narrates every save, and prints the tracebacks of its threads; what matters of them is raised, too."""
    logging.getLogger("absl").setLevel(logging.CRITICAL)
