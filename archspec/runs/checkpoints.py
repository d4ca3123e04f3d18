"""Checkpoints, written and read by Orbax: the only place that knows it, and where its errors become sentences.

A checkpoint is of a step, which may lie within an epoch. It has with it what was summed up since the last record
until there, and a digest of every array and of what it says of itself, so that a damaged or exchanged one is found when
it is read, and the one before is taken. It counts only where Orbax has marked it as written to its end.

Of several processes each writes what its devices have, and process 0 all else. What is saved are whole arrays, whatever
devices they were divided over, and so are their digests: each process reads them whole, and lays them on its devices.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from archspec.diagnostics import DataError
from archspec.peers import ALONE, Peers
from archspec.runs.folder import CHECKPOINTS, UNFINISHED
from archspec.runs.stored import read_plainly

COMMITTED = "commit_success.txt"
"""Orbax's mark of a checkpoint that was written to its end."""
ABOUT = "_CHECKPOINT_METADATA"
"""Orbax's file of what a checkpoint says of itself."""
PARTS = ("params", "statistics")
EMA = "ema"
"""Under this name a state has moving averages of these, where its recipe asks for them."""
AVERAGED = "the weights are their moving averages, as `train.ema` says"

STEP, DIGESTS, OWN = "step", "sha256", "about_sha256"
"""What every checkpoint says of itself: its step, the arrays' digests, and a digest of all that it says."""

BATCH = "batch"
"""Under this name a checkpoint says how many samples its steps had, of which `batch_size: auto` says nothing."""


GONE = "it is gone"
LATE = 60.0
"""Seconds after which a folder that another host wrote is to be seen: a network's file system keeps what it knew so
long, as NFS by its `acdirmax`."""


class Restored(NamedTuple):
    """What could be read: of which step, 0 where there is no checkpoint yet, and what could not be read before.

    `about` is what the checkpoint says of itself.
    """

    step: int
    state: Any
    notes: list[str]
    about: dict[str, Any]


class DamagedError(Exception):
    """Why one checkpoint cannot be taken."""


class Checkpoints:
    """The checkpoints of a run by their steps, of which the last few are kept, and what else is wanted.

    Of several processes all have to save, read and tidy alike.
    """

    def __init__(self, folder: Path, peers: Peers = ALONE) -> None:
        self.path = (folder / CHECKPOINTS).resolve()
        self.peers = peers
        self._writer: Any = None

    @property
    def latest(self) -> int | None:
        """The last step that was saved whole."""
        return max(self.steps(), default=None)

    def steps(self) -> list[int]:
        """The steps whose checkpoints are there, in order, as the file system has them."""
        return _steps(self.path)

    def save(
        self, step: int, state: dict[str, Any], about: dict[str, Any], wanted: Callable[[Sequence[int]], set[int]]
    ) -> None:
        """Saves in the background. The arrays are copied, since the next step uses the state's own up.

        `about` is what the checkpoint says of itself beside its step and digests, in terms of JSON. Of those that are
        there already, whatever is not among those that `wanted` chooses is deleted. Raises `DataError` (E514) where it
        cannot be written, or the one before could not.
        """
        copied = jax.tree.map(jnp.copy, state)
        about = {**about, STEP: step, DIGESTS: digests(copied)}
        about[OWN] = _digest_of(about)
        self.wait()
        try:
            self.tidy(wanted)
            ocp = orbax()
            if self._writer is None:
                # Barriers of these go through the coordinator, and not through devices.
                all_of = ocp.options.MultiprocessingOptions(active_processes=set(range(self.peers.count)))
                handler = ocp.StandardCheckpointHandler(multiprocessing_options=all_of)
                self._writer = ocp.AsyncCheckpointer(handler, multiprocessing_options=all_of)
            at = self.path / str(step)
            self._writer.save(at, args=ocp.args.StandardSave(copied), force=True, custom_metadata=about)
        except Exception as error:
            raise self._unwritten(error) from None

    def wait(self) -> None:
        """Waits for what is being written. Raises `DataError` (E514) where it could not be."""
        try:
            if self._writer is not None:
                self._writer.wait_until_finished()
        except Exception as error:
            raise self._unwritten(error) from None

    def last(self, like: Callable[[int], dict[str, Any]], until: int | None = None) -> Restored:
        """The last state that is as it was saved, with the structure of `like(step)`; of no step after `until`.

        Raises `DataError` (E513) where there are checkpoints, but none of them can be taken.
        """

        def read(step: int) -> tuple[Any, dict[str, Any]]:
            wanted, about = like(step), self.about(step)
            held, own = about.get(DIGESTS), digest_names(wanted)
            if isinstance(held, dict) and set(held) != own:
                names = [*(sorted(own - set(held))), *sorted(set(held) - own)]
                raise DamagedError(f"it has other arrays than this network and recipe, such as {names[0][:100]}")
            plain = jax.tree.map(lambda _: orbax().RestoreArgs(restore_type=np.ndarray), wanted)
            how = orbax().args.PyTreeRestore(item=wanted, restore_args=plain)
            with _reader() as reader:
                state = reader.restore(self.path / str(step), args=how)
            _check_step(int(state["step"]), step)
            _check_shapes(state, wanted)
            _compare(state, held)
            return state, about

        steps = [step for step in reversed(self.steps()) if until is None or step <= until]
        found = _first(self.path, read, self.peers.chosen("checkpoints", lambda: steps), self.peers)
        return found._replace(state=_laid(found.state, like(found.step))) if found.step else found

    def about(self, step: int) -> dict[str, Any]:
        """What a checkpoint says of itself. Raises `DamagedError`."""
        return _about(self.path / str(step))

    def batch(self) -> int | None:
        """The samples of a step, by the last checkpoint that says it; None where none does."""
        for step in reversed(self.steps()):
            with suppress(DamagedError, OSError):
                found = self.about(step).get(BATCH)
                if isinstance(found, int):
                    return found
        return None

    def drop_after(self, step: int) -> None:
        """Deletes the checkpoints after a step, whose work is done again, and what killed processes left behind."""
        assert self._writer is None
        if not self.peers.is_first:
            return
        for later in self.steps():
            if later > step:
                self._delete(later)
        for left in self.path.iterdir() if self.path.is_dir() else ():
            if UNFINISHED in left.name and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)

    def tidy(self, wanted: Callable[[Sequence[int]], set[int]]) -> None:
        """Deletes the checkpoints that are not among those that `wanted` chooses."""
        if not self.peers.is_first:
            return
        steps = [step for step in self.steps() if (self.path / str(step) / COMMITTED).is_file()]
        chosen = wanted(steps)
        for step in steps:
            if step not in chosen:
                self._delete(step)

    def _delete(self, step: int) -> None:
        # Under another name first: what a kill leaves half deleted is taken for no damaged checkpoint.
        at = self.path / str(step)
        gone = at.with_name(f"{step}{UNFINISHED}-old")
        with suppress(OSError):
            shutil.rmtree(gone, ignore_errors=True)
            at.rename(gone)
            at = gone
        shutil.rmtree(at)

    def close(self) -> None:
        """Waits for what is being written. Raises `DataError` (E514) where it could not be."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            writer.wait_until_finished()
            writer.close()
        except Exception as error:
            raise self._unwritten(error) from None

    def _unwritten(self, error: Exception) -> DataError:
        last = self.latest
        full = any(word in str(error) for word in ("No space left", "ENOSPC", "Disk quota", "OUT_OF_SPACE"))
        on = f"the same command goes on after step {last}" if last else "the same command begins anew"
        return DataError(
            "E514",
            f"a checkpoint in {self.path} cannot be written: {'there is no space left' if full else _reason(error)}",
            help=[f"{on}, once there is {'space' if full else 'a remedy'}"],
        )


def digests(state: Any) -> dict[str, str]:
    """A digest of every array of a state, whole, by its place in it. All processes must ask."""
    return {name: _digest(whole(value)) for name, value in _named(state)}


def whole(value: Any) -> np.ndarray:
    """An array with what lies on other processes' devices, which all processes must ask for together."""
    if isinstance(value, jax.Array) and not (value.is_fully_addressable or value.is_fully_replicated):
        assert isinstance(value.sharding, NamedSharding)
        value = _gathering(value.sharding.mesh)(value).addressable_data(0)
    return np.asarray(value)


@cache
def _gathering(mesh: Any) -> Callable[[jax.Array], jax.Array]:
    spec: Any = PartitionSpec  # which JAX has no types for
    gathering: Callable[[jax.Array], jax.Array] = jax.jit(
        lambda value: value, out_shardings=NamedSharding(mesh, spec())
    )
    return gathering


def digest_names(state: Any) -> set[str]:
    """The places of a state's arrays."""
    return {name for name, _ in _named(state)}


class Arrays(NamedTuple):
    """Parameters and statistics by name; notes on checkpoints that could not be taken; the step."""

    arrays: dict[str, np.ndarray]
    notes: list[str]
    step: int


def last_arrays(folder: Path, best: int | None = None, peers: Peers = ALONE) -> Arrays:
    """Parameters and statistics by name, of the last checkpoint that is as it was saved, and notes on others.

    The one of step `best` comes first, if that is given. Where a state has averages (`ema`), these are they, which a
    note says. What is read and how it lies is taken from the checkpoint's own description of itself, so that no
    optimiser has to be built for a state of the same structure; nothing is written. Processes that ask together get the
    same. Raises `DataError` (E513) where there is none to be read.
    """
    path = (folder / CHECKPOINTS).resolve()

    def read(step: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        at = path / str(step)
        about = _about(at)
        plain_state = _state_read_plainly(at, about)
        if plain_state is not None:
            return taken(plain_state, about, step)
        ocp = orbax()
        with _reader() as reader:
            tree = reader.metadata(at).item_metadata.tree
            wanted = {name: tree[name] for name in ((EMA,) if EMA in tree else PARTS)} | {"step": tree["step"]}
            plain = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
            how = ocp.args.PyTreeRestore(item=wanted, restore_args=plain, partial_restore=True)
            return taken(reader.restore(at, args=how), about, step)

    def taken(state: dict[str, Any], about: dict[str, Any], step: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        _check_step(int(state.pop("step")), step)
        _compare(state, about.get(DIGESTS))
        own = state.get(EMA, state)
        averages.append(EMA in state)
        return {name: np.asarray(value) for part in PARTS for name, value in own[part].items()}, about

    averages: list[bool] = []
    steps = _steps(path)[::-1]
    if best in steps:
        steps = [best, *(step for step in steps if step != best)]
    saved = _first(path, read, peers.chosen("checkpoints", lambda: steps), peers)
    if not saved.step:
        raise _unsaved(folder)
    return Arrays(saved.state, [*saved.notes, *([AVERAGED] if averages[-1] else [])], saved.step)


def _state_read_plainly(at: Path, about: dict[str, Any]) -> dict[str, Any] | None:
    """Step, parameters and statistics of a state, or their averages, by what its digests name; None where Orbax must
    read them."""
    held = about.get(DIGESTS)
    if not isinstance(held, dict):
        return None
    averaged = any(place.startswith(f"['{EMA}']") for place in held)
    firsts = (EMA,) if averaged else PARTS
    places = [place for place in held if place.startswith(tuple(f"['{first}']" for first in firsts))]
    arrays = read_plainly(at, [*places, "['step']"])
    if arrays is None:
        return None
    state: dict[str, Any] = {"step": arrays.pop("['step']")}
    whole = state.setdefault(EMA, {}) if averaged else state
    whole |= {part: {} for part in PARTS}
    for place, array in arrays.items():
        part, name = re.findall(r"\['([^']+)'\]", place)[-2:]
        whole[part][name] = array
    return state


def check_saved(folder: Path) -> None:
    """Raises `DataError` (E513) where a run has no checkpoint; whether one can be read is seen when it is."""
    if not _steps(folder / CHECKPOINTS):
        raise _unsaved(folder)


def _unsaved(folder: Path) -> DataError:
    return DataError("E513", f"{folder} has no checkpoint yet", help=["`archspec train` goes on with it"])


def _reader() -> Any:
    """Orbax's reader of whole arrays into this process's memory, which waits for no other process."""
    ocp, own = orbax(), jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=own, active_processes={own})
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _laid(state: Any, wanted: Any) -> Any:
    """Arrays that were read on the devices where they are wanted."""

    def laid(value: np.ndarray, like: Any) -> jax.Array:
        return jax.make_array_from_callback(value.shape, like.sharding, lambda place: value[place])

    if all(leaf.sharding is None for leaf in jax.tree.leaves(wanted)):
        # Not bound to a device, as those of a run that begins: a state in which some arrays are bound and others are
        # not is another program's, and its step would be compiled twice.
        return jax.device_put(state, may_alias=False)
    return jax.tree.map(laid, state, wanted)


def _first(
    path: Path,
    read: Callable[[int], tuple[Any, dict[str, Any]]],
    steps: Collection[int],
    peers: Peers = ALONE,
) -> Restored:
    """The first of some checkpoints that can be read, by all processes."""
    notes: list[str] = []
    reasons: list[str] = []
    for step in steps:
        at = path / str(step)
        reason: str | None = None
        if not peers.is_first:
            _await(at)
        try:
            state, about = read(step)
        except Exception as error:
            # Orbax and what it stands on raise anything on damaged files, plain Exception included.
            reason = _reason(error)
            if not at.is_dir():
                reason = GONE if peers.count == 1 else f"process {peers.index} does not see it"
        told = [one for one in peers.gathered("read", reason) if one is not None]
        if told and told[0] == GONE:
            continue  # deleted meanwhile, by the run that writes here
        if told:
            reasons.append(told[0])
            notes.append(f"the checkpoint {at} is damaged, or is not one of this network: {reasons[-1]}")
            continue
        return Restored(step, state, [*notes, *([f"the one of step {step} is taken"] if notes else [])], about)
    if notes:
        one = len(notes) == 1
        raise DataError(
            "E513",
            notes[0].rpartition(f": {reasons[0]}")[0] if one else f"none of the checkpoints in {path} can be read",
            notes=reasons[:1] if one else notes,
            help=["--overwrite trains anew"],
        )
    return Restored(0, None, [], {})


def _await(at: Path) -> None:
    """Waits until a checkpoint is seen that process 0 sees, but no longer than `LATE`."""
    end = time.monotonic() + LATE
    while not at.is_dir() and time.monotonic() < end:
        with suppress(OSError):
            os.listdir(at.parent)  # has the system ask anew
        time.sleep(0.2)


def _steps(path: Path) -> list[int]:
    try:
        names = [item.name for item in path.iterdir()]
    except OSError:
        return []
    # A number with zeros before it is the name of no checkpoint.
    return sorted(int(name) for name in names if re.fullmatch("[1-9][0-9]{0,9}", name))


def _about(path: Path) -> dict[str, Any]:
    try:
        value = json.loads((path / ABOUT).read_bytes())
    except (ValueError, RecursionError):
        raise DamagedError(f"{ABOUT} cannot be read") from None
    if not (path / COMMITTED).is_file():
        raise DamagedError("it was not written to its end")
    about = value.get("custom_metadata") if isinstance(value, dict) else None
    if not isinstance(about, dict) or _digest_of(about) != about.get(OWN):
        raise DamagedError("what it says of itself is not as it was saved")
    _check_step(about[STEP], int(path.name))
    return about


def _check_shapes(state: Any, wanted: Any) -> None:
    for (name, value), (_, like) in zip(_named(state), _named(wanted), strict=True):
        if (value.shape, value.dtype) != (like.shape, like.dtype):
            raise DamagedError(f"{name[:100]} is {value.dtype}{list(value.shape)}, not {like.dtype}{list(like.shape)}")


def _check_step(said: int, step: int) -> None:
    if said != step:
        raise DamagedError(f"it is of step {said}")


def _digest_of(about: dict[str, Any]) -> str:
    plain = {name: value for name, value in about.items() if name != OWN}
    return sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _compare(state: Any, held: object) -> None:
    """Raises `DamagedError` where an array is not as its digest says."""
    if not isinstance(held, dict):
        return
    changed = [name for name, value in _named(state) if held.get(name) != _digest(whole(value))]
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


@cache
def orbax() -> Any:
    """Orbax, which is imported when the first checkpoint is written, or read otherwise than plainly.

    It narrates every save, and prints the tracebacks of its threads; what matters of them is raised, too.
    """
    import orbax.checkpoint

    logging.getLogger("absl").setLevel(logging.CRITICAL)
    return orbax.checkpoint
