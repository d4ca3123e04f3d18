"""The processes that compute together, as one of them sees the others.

They tell each other things through the coordinator of `jax.distributed`, which needs no devices: a collective of
devices has time-outs of its own and would be one more program. This is the one place that has its client.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from archspec.diagnostics import DataError

PATIENCE = 24 * 3600.0
"""Seconds that one process waits for another: reading or writing may take one of them hours longer. A process that is
lost is found by other means."""
PIECE = 2**20
"""Bytes that are sent at once: the coordinator's messages have a largest size."""


class Peers:
    """`count` processes, of which this one has the number `index`.

    All of them must call these functions with the same names in the same order. Of one process alone they do nothing.
    """

    def __init__(self, index: int = 0, count: int = 1, client: Any = None) -> None:
        self.index, self.count = index, count
        self._client = client
        self._calls: Counter[str] = Counter()

    @property
    def is_first(self) -> bool:
        """Whether this is process 0, which owns the run folder and alone prints."""
        return self.index == 0

    def wait(self, what: str) -> None:
        """Waits until all are here."""
        if self.count > 1:
            self._client.wait_at_barrier(self._key(what), int(1000 * PATIENCE))

    def exchange(self, what: str, own: bytes) -> list[bytes]:
        """What all of them give, by their numbers."""
        if self.count == 1:
            return [own]
        key = self._key(what)
        self._put(f"{key}/{self.index}", own)
        found = [own if other == self.index else self._get(f"{key}/{other}") for other in range(self.count)]
        self._forget(key, f"{key}/{self.index}")
        return found

    def chosen(self, what: str, make: Callable[[], Any]) -> Any:
        """What process 0 makes, which alone calls the function: a value of JSON's. A `DataError` there is raised in all
        of them."""
        if self.count == 1:
            return make()
        key = self._key(what)
        told: dict[str, Any]
        if self.is_first:
            try:
                told = {"made": make()}
            except DataError as error:
                told = {"error": [error.code, error.message, error.notes, error.help]}
            self._put(key, json.dumps(told).encode())
        else:
            told = json.loads(self._get(key))
        self._forget(key, key if self.is_first else None)
        if "error" in told:
            code, message, notes, help = told["error"]
            raise DataError(code, message, notes=notes, help=help)
        return told["made"]

    def gathered(self, what: str, own: Any) -> list[Any]:
        """As `exchange`, of values of JSON's."""
        return [json.loads(one) for one in self.exchange(what, json.dumps(own).encode())] if self.count > 1 else [own]

    def _key(self, what: str) -> str:
        self._calls[what] += 1
        return f"archspec/{what}/{self._calls[what]}"

    def _put(self, key: str, value: bytes) -> None:
        pieces = [value[at : at + PIECE] for at in range(0, len(value), PIECE)]
        for number, piece in enumerate(pieces):
            self._client.key_value_set_bytes(f"{key}/{number}", piece)
        self._client.key_value_set(f"{key}/count", str(len(pieces)))

    def _get(self, key: str) -> bytes:
        patience = int(1000 * PATIENCE)
        pieces = int(self._client.blocking_key_value_get(f"{key}/count", patience))
        return b"".join(
            self._client.blocking_key_value_get_bytes(f"{key}/{number}", patience) for number in range(pieces)
        )

    def _forget(self, barrier: str, key: str | None) -> None:
        """Takes a value back once all have it, so that the coordinator does not keep what a run has told."""
        self._client.wait_at_barrier(f"{barrier}/done", int(1000 * PATIENCE))
        if key is not None:
            self._client.key_value_delete(key)


ALONE = Peers()
_joined: list[Peers] = []


def peers() -> Peers:
    """Those of this process: itself alone, unless it has joined others by `jax.distributed`."""
    import jax

    if not jax.distributed.is_initialized() or jax.process_count() == 1:
        return ALONE
    if not _joined:
        from jax._src import distributed  # the client has no public name

        _joined.append(Peers(jax.process_index(), jax.process_count(), distributed.global_state.client))
    return _joined[0]
