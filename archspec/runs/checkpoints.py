"""Checkpoints, written and read by Orbax."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from archspec.diagnostics import DataError
from archspec.runs.folder import CHECKPOINTS

KEPT = 2


class Checkpoints:
    """The checkpoints of a run, one an epoch, of which the last few are kept."""

    def __init__(self, folder: Path) -> None:
        logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax narrates every save
        self.path = (folder / CHECKPOINTS).resolve()
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, create=True, enable_async_checkpointing=True)
        self.manager = ocp.CheckpointManager(self.path, options=options)

    @property
    def latest(self) -> int | None:
        """The last epoch that was saved whole."""
        epoch: int | None = self.manager.latest_step()
        return epoch

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Saves in the background. The arrays are copied, since the next step uses the state's own up."""
        self.manager.save(epoch, args=ocp.args.StandardSave(jax.tree.map(jnp.copy, state)))

    def restore(self, like: dict[str, Any]) -> dict[str, Any]:
        """The last state saved, with the structure of another. Raises `DataError` when it cannot be read."""
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        try:
            found: dict[str, Any] = self.manager.restore(self.latest, args=ocp.args.StandardRestore(abstract))
        except (ValueError, OSError, KeyError, TypeError, FileNotFoundError) as error:
            reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
            damaged = self.path / str(self.latest)
            older = [epoch for epoch in self.manager.all_steps() if epoch != self.latest]
            raise DataError(
                "E513",
                f"the checkpoint {damaged} is damaged, or is not one of this network",
                notes=[reason],
                help=[
                    *(f"without the folder {damaged} training goes on after epoch {epoch}" for epoch in older[-1:]),
                    "--overwrite trains anew",
                ],
            ) from None
        return found

    def close(self) -> None:
        """Waits for what is being written."""
        self.manager.wait_until_finished()
        self.manager.close()


def last_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Parameters and statistics by name, of the last checkpoint. Raises `DataError` where there is none to be read.

    What is read and how it lies is taken from the checkpoint's own description of itself, so that no optimiser has to
    be built for a state of the same structure; nothing is written.
    """
    logging.getLogger("absl").setLevel(logging.ERROR)
    path = (folder / CHECKPOINTS).resolve()
    epochs = sorted(int(item.name) for item in path.glob("*") if item.name.isascii() and item.name.isdigit())
    if not epochs:
        raise DataError("E513", f"{folder} has no checkpoint yet", help=["`archspec train` goes on with it"])
    at = path / str(epochs[-1]) / "default"
    try:
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
            tree = reader.metadata(at).item_metadata.tree
            wanted = {part: tree[part] for part in ("params", "statistics")}
            plain = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
            state = reader.restore(
                at, args=ocp.args.PyTreeRestore(item=wanted, restore_args=plain, partial_restore=True)
            )
    except Exception as error:
        # Orbax and what it stands on raise anything on damaged files, plain Exception included.
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise DataError("E513", f"the checkpoint {at.parent} is damaged", notes=[reason]) from None
    return {**state["params"], **state["statistics"]}
