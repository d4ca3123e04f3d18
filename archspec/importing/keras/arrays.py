"""The arrays of a file by layer and variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.weights.tensors import Tensor

BESIDE = ("optimizer", "optimizer_weights", "_optimizer", "compile_metrics", "metrics")
"""What lies beside a model's arrays: the names begin with these."""


class Arrays:
    """Tensors by name, `trunk.conv1.kernel`, and which of them were taken."""

    def __init__(self, tensors: Mapping[str, Tensor] | None = None) -> None:
        self._tensors = dict(tensors or {})
        self._ends: dict[str, list[str]] = {}
        for name in self._tensors:
            self._ends.setdefault(".".join(name.split(".")[-2:]), []).append(name)
        self._taken: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._tensors)

    def of(self, scope: Sequence[str], layer: str, *words: str) -> Tensor | None:
        """A layer's variable, which may have one of several names; None where there is none."""
        for word in words:
            for depth in range(len(scope) + 1):
                name = ".".join([*scope[depth:], layer, word])
                if name in self._tensors:
                    self._taken.add(name)
                    return self._tensors[name]
            # Older files name of the models around a layer only some.
            found = self._ends.get(f"{layer}.{word}", [])
            if len(found) == 1:
                self._taken.add(found[0])
                return self._tensors[found[0]]
        return None

    @property
    def left(self) -> list[str]:
        """Those that nothing took, but what is kept beside a model."""
        return [
            name
            for name, tensor in self._tensors.items()
            if name not in self._taken
            and not name.startswith(BESIDE)
            and not name.endswith("seed_generator_state")
            and tensor.fault is None
        ]
